"""Four voices on a grid of sixteenths: what stands in the past of each frame that a model may be told.

A *frame* is one sixteenth, a *cell* what one voice sings in it: a MIDI pitch, or `REST`. A frame that repeats the one
before may hold it or strike it again; nothing here knows the difference. A *move* is by how many semitones a cell
differs from what its voice sang last: 0 where it holds, `SILENCE` where it rests.

`Listener` hears a piece frame by frame and says before each one a row of `ROW` integers, which hold nothing of that
frame or of later ones:

=======  ==========  ===================================================================================
columns  name        meaning
=======  ==========  ===================================================================================
0-3      last        the cell of each voice a frame ago; `REST` before the first
4-7      anchor      the pitch that each voice sang last, through rests; before it sang, `MIDDLES`
8-11     age         for how many frames each voice has had that cell, up to `OLDEST`; 0 before the first
12-15    motion      the latest move of each voice that was none of hold; 0 before it
16-17    place       frames since the start, modulo 16; beats since the start, up to `BEATS`
18-29    lags        what each voice moved by 16, 32 and 64 frames before this one, or `UNKNOWN`
30-65    heard       how much of what was heard was in each of twelve pitch classes, in hundredths: in the whole
                     piece, of late (halved in a bar), and from the bass alone
66-89    guess       what it moves by now, as `POINTERS` pointers say: four voices times six
90-113   trust       how much each pointer has to go by, 0 where it says nothing, below `TRUSTS`
114-121  motions     the moves before "motion", the later one of each voice first
122-129  lengths     for how many frames the cell before this one lasted, and the one before it, up to `LONG`
130-141  beats       what each voice sang last in the first frame of this beat, if that is past, of the one before and
                     of the one before that; `REST` where there was none
=======  ==========  ===================================================================================

A pointer goes to where the latest moves of one line (or of all four voices together) stood before, in the same key or
another: to the longest stretch of them that can be found, in other pieces (`Passages`) or earlier in this one. All of a
row but last, anchor, heard and beats is the same in any key.

Source: kin to match models in data compression (M. Mahoney, "Adaptive weighing of context models for lossless data
compression", 2005), and to the multiple viewpoints of D. Conklin and I. Witten, "Multiple viewpoint systems for music
prediction" (1995), whose long-term and short-term models are our other pieces and earlier frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import CodecError, OutOfRange

VOICES = 4
REST = -1
MIDDLES = (71, 65, 59, 51)
"""Median pitches of soprano, alto, tenor and bass in Bach's chorales."""
LOWEST, HIGHEST = 28, 93
"""MIDI pitches that can be told, in any transposition."""
LAGS = (16, 32, 64)
OLDEST = 32
BEATS = 31
WIDEST = 12
"""Semitones; moves beyond an octave count as an octave where they are said to a model."""
SILENCE = WIDEST + 1
UNKNOWN = WIDEST + 2
LINE_SPANS = (96, 64, 48, 40, 32, 24, 20, 16, 12)
"""Frames of one voice that a stretch may have, tried from the longest."""
CHORD_SPANS = (48, 32, 24, 16, 12, 8, 6, 4)
"""The same of all four voices."""
PAIR_SPANS = (64, 48, 32, 24, 16, 12, 8)
"""And of soprano and bass, or of bass and another voice."""


class Line(NamedTuple):
    """Voices whose moves are looked for together."""

    voices: tuple[int, ...]
    spans: tuple[int, ...]


LINES = (
    *(Line((voice,), LINE_SPANS) for voice in range(VOICES)),
    Line((0, 1, 2, 3), CHORD_SPANS),
    Line((0, 3), PAIR_SPANS),
    Line((1, 3), PAIR_SPANS),
    Line((2, 3), PAIR_SPANS),
)
OF_VOICE = ((0, 4, 5), (1, 4, 6), (2, 4, 7), (3, 4, 5))
"""Which of `LINES` say something of each voice."""
POINTERS = 6
"""Each of a voice's three lines, in other pieces and then earlier in this one."""
VOTE_CLASSES = 6
TRUSTS = 1 + len(LINE_SPANS) * VOTE_CLASSES
HEARD_AT = 4 * VOICES + 2 + len(LAGS) * VOICES
HEARD = 3
"""Counts of pitch classes: in all, of late, of the bass."""
HISTORY_AT = HEARD_AT + 12 * HEARD + 2 * VOICES * POINTERS
LONG = 9
EARLIER = 2
"""How many moves, and lengths, before the latest are told."""
BEATS_TOLD = 3
ROW = HISTORY_AT + (2 * EARLIER + BEATS_TOLD) * VOICES
_FADING = 0.5 ** (1 / 16)

_Votes = dict[bytes, dict[bytes, set[int]]]


def voices_of(frames: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Frames as lists of sounding pitches, highest voice first -> (T, 4) cells.

    Where fewer than four sound, those that are left are the voices that had to move least, in order.

    Raises:
        CodecError: naming the frame, where more than four pitches sound.
        OutOfRange: naming the frame, where a pitch is no pitch that can be told.
    """
    cells = np.full((len(frames), VOICES), REST, np.int64)
    anchors = list(MIDDLES)
    for at, pitches in enumerate(frames):
        if len(pitches) > VOICES:
            raise CodecError(f"frame {at}: {len(pitches)} pitches sound, and there are {VOICES} voices")
        for voice, pitch in zip(_who_sings(pitches, anchors), pitches, strict=True):
            if not LOWEST <= pitch <= HIGHEST:
                raise OutOfRange(f"frame {at}: pitch {pitch} is outside {LOWEST}-{HIGHEST}; transpose the piece")
            cells[at, voice] = anchors[voice] = pitch
    return cells


def _who_sings(pitches: Sequence[int], anchors: Sequence[int]) -> tuple[int, ...]:
    """One voice for each pitch."""
    if len(pitches) == VOICES:
        return tuple(range(VOICES))
    choices = (choice for choice in permutations(range(VOICES), len(pitches)) if list(choice) == sorted(choice))
    return min(choices, key=lambda choice: sum(abs(anchors[v] - p) for v, p in zip(choice, pitches, strict=True)))


class Passages:
    """Where stretches of moves stand in pieces that were learned from, and what came next.

    Args:
        pieces: (T, 4) cells of each.
    """

    def __init__(self, pieces: Iterable[NDArray[np.int64]] = ()) -> None:
        self.lines: list[dict[int, _Votes]] = [{span: {} for span in line.spans} for line in LINES]
        for number, cells in enumerate(pieces):
            self._add(number, moves(cells))

    def _add(self, number: int, moved: NDArray[np.int8]) -> None:
        for line, stretches in zip(LINES, self.lines, strict=True):
            spoken, width = moved[:, line.voices].tobytes(), len(line.voices)
            for span, votes in stretches.items():
                for at in range(span, len(moved)):
                    context = spoken[(at - span) * width : at * width]
                    after = votes.setdefault(context, {})
                    after.setdefault(spoken[at * width : (at + 1) * width], set()).add(number)


def moves(cells: NDArray[np.int64]) -> NDArray[np.int8]:
    """(T, 4) what each cell is moved by from what its voice sang last: semitones, or 100 for a rest."""
    listener = Listener()
    for frame in cells.tolist():
        listener.hear(frame)
    return np.array(listener.heard, np.int8).reshape(-1, VOICES)


_RESTING = 100


class Listener:
    """Hears one piece frame by frame: `row` is what is known before the next frame, `hear` tells it.

    Args:
        passages: of other pieces; none of them if None.
        own: which of those pieces this one is, so that nothing of it is told; None if it is none of them.
    """

    def __init__(self, passages: Passages | None = None, own: int | None = None) -> None:
        self.passages, self.own = passages, own
        self.heard: list[list[int]] = []
        """The move of each voice in each frame."""
        self.last = [REST] * VOICES
        self.anchor = list(MIDDLES)
        self.sang = [False] * VOICES
        self.age = [0] * VOICES
        self.motion = [0] * VOICES
        self.motions = [[0] * VOICES for _ in range(EARLIER)]
        self.lengths = [[0] * VOICES for _ in range(EARLIER)]
        self.beats = [[REST] * VOICES for _ in range(BEATS_TOLD)]
        """What was sung last in the first frame of each of the latest beats, the latest first."""
        self.spoken = [bytearray() for _ in LINES]
        self.classes = np.zeros((HEARD, 12))
        """Frames of each pitch class, as the columns "heard" say."""
        self.earlier: list[dict[int, dict[bytes, bytes]]] = [{span: {} for span in line.spans} for line in LINES]

    def row(self) -> list[int]:
        """`ROW` integers, as the table of this module says."""
        now = len(self.heard)
        lags = [
            _said(self.heard[now - lag][voice]) if now >= lag else UNKNOWN for lag in LAGS for voice in range(VOICES)
        ]
        guesses, trusts = self._pointers()
        place = [now % 16, min(now // 4, BEATS)]
        heard = np.rint(100 * self.classes / np.maximum(self.classes.sum(1, keepdims=True), 1)).astype(np.int64)
        known = [*self.last, *self.anchor, *self.age, *self.motion, *place, *lags, *heard.ravel().tolist()]
        beats = self.beats if now % 4 else [[REST] * VOICES, *self.beats[:-1]]
        history = [told for some in (*self.motions, *self.lengths, *beats) for told in some]
        return [*known, *guesses, *trusts, *history]

    def hear(self, frame: Sequence[int]) -> None:
        """The next frame: four cells."""
        moved = [self._move(voice, pitch) for voice, pitch in enumerate(frame)]
        for voice, pitch in enumerate(frame):
            same = bool(self.heard) and pitch == self.last[voice]
            if not same:
                _push(self.lengths, voice, min(self.age[voice], LONG))
            self.age[voice] = min(self.age[voice] + 1, OLDEST) if same else 1
            if moved[voice] and self.heard and not same:
                _push(self.motions, voice, self.motion[voice])
                self.motion[voice] = _said(moved[voice])
            if pitch != REST:
                self.anchor[voice], self.sang[voice] = pitch, True
        if len(self.heard) % 4 == 0:
            self.beats = [list(self.anchor), *self.beats[:-1]]
        self._count_classes(frame)
        self.last = list(frame)
        self.heard.append(moved)
        for line, spoken, stretches in zip(LINES, self.spoken, self.earlier, strict=True):
            width = len(line.voices)
            now = bytes(moved[voice] & 0xFF for voice in line.voices)
            for span, after in stretches.items():
                if len(spoken) >= span * width:
                    after[bytes(spoken[-span * width :])] = now
            spoken += now

    def _count_classes(self, frame: Sequence[int]) -> None:
        self.classes[1] *= _FADING
        for pitch in frame:
            if pitch != REST:
                self.classes[:2, pitch % 12] += 1
        if frame[-1] != REST:
            self.classes[2, frame[-1] % 12] += 1

    def _move(self, voice: int, pitch: int) -> int:
        """Semitones from what the voice sang last; its first note is no move."""
        if pitch == REST:
            return _RESTING
        return pitch - self.anchor[voice] if self.sang[voice] else 0

    def _pointers(self) -> tuple[list[int], list[int]]:
        """What each pointer guesses of each voice, and what it has to go by."""
        elsewhere = [self._elsewhere(number) for number in range(len(LINES))]
        before = [self._before(number) for number in range(len(LINES))]
        guesses, trusts = [], []
        for voice in range(VOICES):
            for found in (elsewhere, before):
                for number in OF_VOICE[voice]:
                    moved, trust = found[number]
                    guesses.append(_said(_signed(moved[LINES[number].voices.index(voice)])) if trust else UNKNOWN)
                    trusts.append(trust)
        return guesses, trusts

    def _elsewhere(self, number: int) -> tuple[bytes, int]:
        """The moves that most other pieces make after the longest stretch that one of them has, and its trust."""
        if self.passages is None:
            return b"", 0
        spoken, width = self.spoken[number], len(LINES[number].voices)
        for rank, span in enumerate(LINES[number].spans):
            if len(spoken) < span * width:
                continue
            after = self.passages.lines[number][span].get(bytes(spoken[-span * width :]))
            if after is None:
                continue
            votes = [(len(pieces) - (self.own in pieces), moved) for moved, pieces in after.items()]
            total = sum(count for count, _ in votes)
            if total:
                most, moved = max(votes)
                return moved, 1 + rank * VOTE_CLASSES + _vote_class(most, total)
        return b"", 0

    def _before(self, number: int) -> tuple[bytes, int]:
        """What came after the longest stretch that stood earlier in this piece, where it stood last."""
        spoken, width = self.spoken[number], len(LINES[number].voices)
        for rank, span in enumerate(LINES[number].spans):
            if len(spoken) < span * width:
                continue
            moved = self.earlier[number][span].get(bytes(spoken[-span * width :]))
            if moved is not None:
                return moved, 1 + rank * VOTE_CLASSES
        return b"", 0


def listen(cells: NDArray[np.int64], passages: Passages | None = None, own: int | None = None) -> NDArray[np.int16]:
    """(T, ROW) what is known before each frame of a piece; arguments as `Listener`'s."""
    listener = Listener(passages, own)
    rows = np.empty((len(cells), ROW), np.int16)
    for at, frame in enumerate(cells.tolist()):
        rows[at] = listener.row()
        listener.hear(frame)
    return rows


def _push(latest: list[list[int]], voice: int, told: int) -> None:
    """Put what is told of a voice in front, and let go of the oldest."""
    for later, earlier in zip(latest[-2::-1], latest[:0:-1], strict=True):
        earlier[voice] = later[voice]
    latest[0][voice] = told


def _said(moved: int) -> int:
    """A move as a model is told it."""
    return SILENCE if moved == _RESTING else max(-WIDEST, min(WIDEST, moved))


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _vote_class(most: int, total: int) -> int:
    """0-5: one piece, or few, or many; agreed or not."""
    if most == total:
        return min(total, 4) - 1
    return 5 if most / total < 0.6 else 4

"""Four-part chorales as one sequence of tokens, after BachBot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.chorale_voices import (
    STEPS_PER_QUARTER,
    VOICE_NAMES,
    check_length,
    given_voices,
    place,
    steps,
    voice_notes,
)
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import NOTE, PITCH_NAMES, Marker, Part, Song
from woodshed.music.key_finding import find_key
from woodshed.music.units import steps_to_ticks

VOICES = tuple(Part(name.capitalize(), 52, role="voice") for name in VOICE_NAMES)
RANGES = ((50, 86), (46, 80), (43, 75), (29, 68))
"""Lowest and highest pitch of soprano, alto, tenor and bass after transposition: what the chorales that music21
installs reach (52-84, 48-79, 44-74, 31-67), and one or two semitones more."""
LOWEST, HIGHEST = 29, 86
_PITCHES = HIGHEST - LOWEST + 1
FRAME, FERMATA, END, REST, STRUCK = range(5)
TIED = STRUCK + _PITCHES
START = TIED + _PITCHES
FERMATA_MARK = "fermata"
"""The text of a `Marker` where a note with a fermata starts."""
PLACES = 32
"""Sixteenths of a bar that a model is told apart; in longer bars they begin again."""
VELOCITY = 80
_SLOTS = 5


class Frames(NamedTuple):
    """A chorale as a table, one row for each sixteenth."""

    tokens: NDArray[np.int64]
    """(T, 4): REST, or STRUCK or TIED plus the pitch above `LOWEST`, of each voice."""
    fermata: NDArray[np.bool_]
    """(T,): whether a note with a fermata starts here."""


class ChoraleCodec:
    """Write each sixteenth as soprano, alto, tenor, bass and the end of the frame.

    ======= ========= ==========================================================================
    id      token     meaning
    ======= ========= ==========================================================================
    0       FRAME     the sixteenth is complete; the next one begins
    1       FERMATA   before the soprano: a note with a fermata starts on this sixteenth
    2       END       the chorale ends; only where a frame could begin
    3       REST      the voice is silent
    4-61    STRUCK    the voice starts pitch 29-86 (F1 to D6)
    62-119  TIED      the voice holds on to pitch 29-86, which it sang on the sixteenth before
    120     START     stands before the first token as a model's first input; never encoded, no label
    ======= ========= ==========================================================================

    A song of T sixteenths is 5 T + 1 tokens, and one for each fermata. `arrange` finds the voices and transposes
    them to C major or A minor. An upbeat begins with frames of rests, as the bar of the `Song` does.

    What a model sees before a token (`look`, K = 4 of 279 inputs): the token before (0-120); which voice is to
    come, or the frame's end (121-125); the sixteenth of the bar, modulo 32 (126-157); what that voice did on the
    sixteenth before (158-278).

    Kept exactly: pitch, onset and duration on the grid of sixteenths, fermatas, rests, repeated notes, crossed
    voices. Dropped: velocity, all parts that are no voice. A note that another of its voice interrupts is cut there;
    of two that fall on one sixteenth the one nearer to it is kept.

    Raises:
        CodecError: from ``arrange``, saying what the song has instead of four voices; from ``encode``, naming the
            note that leaves its voice's range; from ``decode``, on a token out of turn, with its index.

    Source:
        BachBot (F. Liang, 2016; Liang, Gotham, Johnson and Shotton, ISMIR 2017). We differ in that voices keep their
        names (there the notes of a frame are sorted by pitch, so that crossed voices are lost), in writing rests,
        in one fermata where the note starts (there one in each of its frames), in taking any meter (there 4/4
        only), and in showing the model the bar and the voice, which there it must count.
    """

    name: ClassVar[str] = "chorale"
    version: ClassVar[int] = 1
    field: ClassVar[str] = "event"
    steps_per_quarter: ClassVar[int] = STEPS_PER_QUARTER
    events: ClassVar[int] = START + 1
    labels: ClassVar[int] = START
    inputs: ClassVar[int] = 2 * (START + 1) + _SLOTS + PLACES
    active: ClassVar[int] = 4

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version}

    def vocabulary(self) -> dict[str, int]:
        """Field -> how many ids it has."""
        return {self.field: self.events}

    def arrange(self, song: Song, voices: Sequence[str] | None = None) -> Song:
        """Soprano, alto, tenor and bass as four parts, in C major or A minor.

        With ``voices``, part i of the song sings ``voices[i]`` and the voices not named stay silent: what is given
        when a melody is to be harmonised.
        """
        found = self._voices(song, voices)
        return found.transpose(_shift(found))

    def transposition(self, song: Song, voices: Sequence[str] | None = None) -> int:
        """Semitones by which `arrange` moves the song; moving back by as many gives its own key.

        The key is found from the notes, and the move is at most a tritone, unless another octave leaves fewer notes
        outside the ranges of their voices.
        """
        return _shift(self._voices(song, voices))

    def _voices(self, song: Song, voices: Sequence[str] | None) -> Song:
        notes = voice_notes(song) if voices is None else given_voices(song, voices)
        rest = {name: getattr(song, name) for name in ("tempos", "meters", "keys", "chords", "markers", "title")}
        return Song.make(notes, VOICES, length=song.length, **rest)

    def steps_per_bar(self, song: Song) -> int:
        """Frames in a bar of the song's first meter."""
        return max(song.meter.bar_ticks * STEPS_PER_QUARTER // 480, 1)

    def encode(self, song: Song) -> NDArray[np.int64]:
        """(5 T + fermatas + 1,) tokens of an arranged song, END included."""
        return self.flatten(self.frames(song))

    def frames(self, song: Song) -> Frames:
        """An arranged song as a table of its sixteenths."""
        _check(song)
        part, onset, length, pitch = _lines(song.notes)
        count = max(-(-song.length * STEPS_PER_QUARTER // 480), int((onset + length).max(initial=0)))
        tokens = np.full((4, count), REST, np.int64)
        first = part * count + onset
        note = np.repeat(np.arange(len(first)), length)
        at = np.arange(len(note)) - np.repeat(np.cumsum(length) - length, length) + first[note]
        tokens.reshape(-1)[at] = TIED + pitch[note] - LOWEST
        tokens.reshape(-1)[first] = STRUCK + pitch - LOWEST
        fermata = np.zeros(count, bool)
        marks = [mark.onset for mark in song.markers if mark.text == FERMATA_MARK]
        if count:
            fermata[np.minimum(steps(marks), count - 1)] = True
        return Frames(tokens.T, fermata)

    def flatten(self, frames: Frames) -> NDArray[np.int64]:
        """The frames as tokens, END included."""
        table = np.full((len(frames.tokens), 6), FRAME, np.int64)
        table[:, 0], table[:, 1:5] = FERMATA, frames.tokens
        written = np.ones(table.shape, bool)
        written[:, 0] = frames.fermata
        return np.append(table[written], END)

    def unflatten(self, events: NDArray[np.int64]) -> Frames:
        """The table of tokens; reading stops at END, or before a last frame that is not complete."""
        events = np.asarray(events, np.int64)
        _check_ids(events)
        ends = np.flatnonzero(events == END)
        events = events[: ends[0]] if len(ends) else events
        lasts = np.flatnonzero(events == FRAME)
        firsts = np.append(0, lasts + 1)[: len(lasts)]
        fermata = events[firsts] == FERMATA
        firsts = firsts + fermata
        sizes = lasts - firsts
        odd = np.flatnonzero(sizes != 4)
        if len(odd):
            raise CodecError(f"token {lasts[odd[0]]}: frame {odd[0]} has {sizes[odd[0]]} voices, and 4 sing")
        tokens = events[firsts[:, None] + np.arange(4)]
        _check_turns(tokens, firsts)
        return Frames(tokens, fermata)

    def decode(self, events: NDArray[np.int64], skeleton: Song) -> Song:
        """The notes in the tempo, meter and, if it has four, parts of ``skeleton``."""
        tokens, fermata = self.unflatten(events)
        parts = skeleton.parts if len(skeleton.parts) == 4 else VOICES
        marks = [mark for mark in skeleton.markers if mark.text != FERMATA_MARK]
        marks += [Marker(int(tick), FERMATA_MARK) for tick in _ticks(np.flatnonzero(fermata))]
        rest = {name: getattr(skeleton, name) for name in ("tempos", "meters", "keys", "chords", "title")}
        length = max(skeleton.length, int(_ticks(len(tokens))))
        markers = tuple(sorted(marks, key=lambda mark: (mark.onset, mark.text)))
        return Song.make(_sung(tokens), parts, markers=markers, length=length, **rest)

    def snap(self, song: Song) -> Song:
        """The nearest song, in C major or A minor, that comes back from `encode` and `decode` unchanged."""
        song = self.arrange(song)
        return self.decode(self.encode(song), song)

    def look(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(N + 1, 4) inputs that are on before each token and after the last; row t depends on ``events[:t]``."""
        events = np.asarray(events, np.int64)
        sung = np.flatnonzero(events >= REST)
        voiced = np.append(0, np.cumsum(events >= REST))
        frame = np.append(0, np.cumsum(events == FRAME))
        slot = np.clip(voiced - 4 * frame, 0, _SLOTS - 1)
        rows = np.empty((len(events) + 1, self.active), np.int64)
        rows[:, 0] = np.append(START, events)
        rows[:, 1] = self.events + slot
        rows[:, 2] = self.events + _SLOTS + frame % max(steps_per_bar, 1) % PLACES
        rows[:, 3] = -1
        again = np.flatnonzero((voiced >= 4) & (slot < 4))
        rows[again, 3] = self.events + _SLOTS + PLACES + events[sung[voiced[again] - 4]]
        return rows

    def targets(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(N,) labels: the tokens themselves."""
        return np.asarray(events, np.int64)

    def event(self, label: int, past: NDArray[np.int64], steps_per_bar: int) -> int:
        """The token of a label: itself."""
        return label

    def allowed(self, past: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(120,) tokens that may follow: whole frames of four voices in their ranges, ties only of what sounded.

        END comes after one frame at the earliest, and nothing but END comes after END.
        """
        tail: list[int] = past[-12:].tolist()
        mask = np.zeros(self.labels, bool)
        if tail and tail[-1] == END:
            mask[END] = True
            return mask
        begun = len(tail) - tail[::-1].index(FRAME) if FRAME in tail else 0
        slot = sum(token >= REST for token in tail[begun:])
        if slot == 4:
            mask[FRAME] = True
            return mask
        voiced = [token for token in tail if token >= REST]
        mask |= FOLLOWS[slot, voiced[-4] if len(voiced) >= 4 else REST]
        if begun == len(tail):
            mask[FERMATA], mask[END] = True, bool(tail)
        return mask

    def notes(self, events: NDArray[np.int64]) -> int:
        """How many notes start."""
        return int(((events >= STRUCK) & (events < TIED)).sum())

    def describe(self, field: str, symbol: int) -> str:
        """What a token means.

        >>> ChoraleCodec().describe("event", 93)
        'holds on to C4 (60)'
        """
        if field != self.field or not 0 <= symbol < self.events:
            raise OutOfRange(f"field {field!r} id {symbol}: the field is {self.field}, with ids 0-{self.events - 1}")
        if STRUCK <= symbol < START:
            pitch = LOWEST + (symbol - STRUCK) % _PITCHES
            verb = "starts" if symbol < TIED else "holds on to"
            return f"{verb} {PITCH_NAMES[pitch % 12]}{pitch // 12 - 1} ({pitch})"
        words = {FRAME: "the sixteenth is complete", FERMATA: "a fermata", END: "the chorale ends", REST: "is silent"}
        return words.get(symbol, "the chorale starts")


def _follows() -> NDArray[np.bool_]:
    """(4, events, labels): which tokens each voice may have after the one it had on the sixteenth before."""
    table = np.zeros((4, START + 1, START), bool)
    table[:, :, REST] = True
    for voice, (low, high) in enumerate(RANGES):
        pitches = np.arange(low, high + 1) - LOWEST
        table[voice, :, STRUCK + pitches] = True
        table[voice, STRUCK + pitches, TIED + pitches] = True
        table[voice, TIED + pitches, TIED + pitches] = True
    table.flags.writeable = False
    return table


FOLLOWS = _follows()
"""(4 voices, 121 tokens of the sixteenth before, 120 tokens): what `ChoraleCodec.allowed` looks up, for samplers."""


def _ticks(count: Any) -> NDArray[np.int64]:
    return steps_to_ticks(count, STEPS_PER_QUARTER)


def _shift(song: Song) -> int:
    """Semitones to C major or A minor, in the octave in which the fewest notes leave the ranges of their voices."""
    key = find_key(song).key
    near = ((9 if key.is_minor else 0) - key.tonic + 6) % 12 - 6
    low, high = np.array(RANGES).T[:, song.notes["part"]]
    pitch = song.notes["pitch"].astype(np.int64)

    def outside(shift: int) -> int:
        return int(((pitch + shift < low) | (pitch + shift > high)).sum())

    return min((near + 12 * octave for octave in range(-10, 11)), key=lambda shift: (outside(shift), abs(shift)))


def _check(song: Song) -> None:
    """That the song has four parts whose pitches are in the ranges of the voices."""
    check_length(song)
    if len(song.parts) != 4:
        raise CodecError(f"{song.title or 'song'}: {len(song.parts)} parts are not four voices; arrange it first")
    low, high = np.array(RANGES).T[:, song.notes["part"]]
    outside = np.flatnonzero((song.notes["pitch"] < low) | (song.notes["pitch"] > high))
    if len(outside):
        note = song.notes[outside[0]]
        part, pitch = int(note["part"]), int(note["pitch"])
        raise CodecError(
            f"{song.title or 'song'}: {place(song, int(note['onset']))}: {VOICE_NAMES[part]} {pitch} is outside "
            f"{RANGES[part][0]}-{RANGES[part][1]}; transpose the song by octaves, or give its notes to another voice"
        )


def _lines(notes: NDArray[Any]) -> tuple[NDArray[np.int64], ...]:
    """(part, onset step, length in steps, pitch) of each note, one at a time in each part, sorted so."""
    onset = notes["onset"].astype(np.int64)
    step = steps(onset)
    order = np.lexsort((notes["pitch"], -notes["duration"], np.abs(onset - _ticks(step)), step, notes["part"]))
    part, step = notes["part"][order].astype(np.int64), step[order]
    alone = np.append(True, (np.diff(step) != 0) | (np.diff(part) != 0))[: len(step)]
    order, part, step = order[alone], part[alone], step[alone]
    end = np.maximum(steps(onset[order] + notes["duration"][order]), step + 1)
    if len(step):
        next_step = np.append(np.where(np.diff(part) == 0, step[1:], end[:-1]), end[-1])
        end = np.minimum(end, next_step)
    return part, step, end - step, notes["pitch"][order].astype(np.int64)


def _sung(tokens: NDArray[np.int64]) -> NDArray[Any]:
    """`NOTE` rows of (T, 4) tokens: each struck pitch with the ties that follow it."""
    count = len(tokens)
    line = tokens.T.reshape(-1)
    struck = np.flatnonzero((line >= STRUCK) & (line < TIED))
    turns = np.append(np.flatnonzero(line < TIED), len(line))
    end = np.minimum(turns[np.searchsorted(turns, struck, side="right")], (struck // max(count, 1) + 1) * count)
    notes = np.empty(len(struck), NOTE)
    notes["part"] = struck // max(count, 1)
    notes["onset"], notes["duration"] = _ticks(struck % max(count, 1)), _ticks(end - struck)
    notes["pitch"], notes["velocity"] = line[struck] - STRUCK + LOWEST, VELOCITY
    return notes


def _check_ids(events: NDArray[np.int64]) -> None:
    odd = np.flatnonzero((events < 0) | (events >= START))
    if len(odd):
        raise CodecError(f"token {odd[0]}: id {events[odd[0]]} is outside 0-{START - 1}")


def _check_turns(tokens: NDArray[np.int64], firsts: NDArray[np.int64]) -> None:
    """That each of (T, 4) tokens may follow what its voice had before; ``firsts`` (T,) says where frames begin."""
    before = np.concatenate((np.full((min(len(tokens), 1), 4), REST), tokens[:-1]))
    wrong = np.argwhere(~FOLLOWS[np.arange(4), before, tokens])
    if len(wrong):
        frame, voice = wrong[0].tolist()
        said = ChoraleCodec().describe("event", int(tokens[frame, voice]))
        low, high = RANGES[voice]
        raise CodecError(
            f"token {firsts[frame] + voice}: {said!r} cannot be the {VOICE_NAMES[voice]} of frame {frame}, which may "
            f"rest, start {low}-{high}, or hold on to what it sang before"
        )

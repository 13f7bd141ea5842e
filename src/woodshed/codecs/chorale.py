"""Four-part chorales as one sequence of tokens, after BachBot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.chorale_frames import (
    END,
    FERMATA,
    FOLLOWS,
    FRAME,
    RANGES,
    REST,
    START,
    STRUCK,
    TIED,
    check_voices,
    flatten,
    song_frames,
    sung_notes,
    ticks,
    token_name,
    unflatten,
)
from woodshed.codecs.chorale_voices import STEPS_PER_QUARTER, VOICE_NAMES, given_voices, voice_notes
from woodshed.errors import OutOfRange
from woodshed.music import TICKS_PER_QUARTER, Marker, Part, Song
from woodshed.music.key_finding import find_key
from woodshed.music.song import FERMATA_MARK

VOICES = tuple(Part(name.capitalize(), 52, role="voice") for name in VOICE_NAMES)
PLACES = 32
"""Sixteenths of a bar that a model is told apart; in longer bars they begin again."""
_SLOTS = 5


@dataclass(frozen=True)
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

    What a model sees before a token (`look`, K = 8 of 763 inputs): the token before (0-120); which voice is to
    come, or the frame's end (121-125); the sixteenth of the bar, modulo 32 (126-157); what that voice did on the
    sixteenth before (158-278); and what each voice did last, of those that have sung on this sixteenth now
    (soprano 279-399, alto 400-520, tenor 521-641, bass 642-762).

    Kept exactly: pitch, onset and duration on the grid of sixteenths, fermatas, rests, repeated notes, crossed
    voices. Dropped: velocity, all parts that are no voice. A note that another of its voice interrupts is cut there;
    of two that fall on one sixteenth the one nearer to it is kept.

    Raises:
        CodecError: from ``arrange``, saying what the song has instead of four voices, or naming the note that leaves
            its voice's range (what it returns can be encoded); from ``decode``, on a token out of turn, with its
            index.

    Source:
        BachBot (F. Liang, 2016; Liang, Gotham, Johnson and Shotton, ISMIR 2017). We differ in that voices keep their
        names (there the notes of a frame are sorted by pitch, so that crossed voices are lost), in writing rests,
        in one fermata where the note starts (there one in each of its frames), in taking any meter (there 4/4
        only), and in showing the model the bar, the voice and the chord, which there it must count and remember.
    """

    name: ClassVar[str] = "chorale"
    version: ClassVar[int] = 2
    field: ClassVar[str] = "event"
    steps_per_quarter: ClassVar[int] = STEPS_PER_QUARTER
    events: ClassVar[int] = START + 1
    labels: ClassVar[int] = START
    inputs: ClassVar[int] = 6 * (START + 1) + _SLOTS + PLACES
    active: ClassVar[int] = 8

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version}

    def field_sizes(self) -> dict[str, int]:
        """Field -> how many ids it has."""
        return {self.field: self.events}

    def arrange(self, song: Song, voices: Sequence[str] | None = None) -> Song:
        """Soprano, alto, tenor and bass as four parts, in C major or A minor.

        With ``voices``, part i of the song sings ``voices[i]`` and the voices not named stay silent: what is given
        when a melody is to be harmonised.
        """
        found = self._voices(song, voices)
        shift = _shift(found)
        check_voices(found, shift)
        return found.transpose(shift)

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
        return max(song.meter.bar_ticks * STEPS_PER_QUARTER // TICKS_PER_QUARTER, 1)

    def encode(self, song: Song) -> NDArray[np.int64]:
        """(5 T + fermatas + 1,) tokens of an arranged song, END included."""
        return flatten(song_frames(song))

    def decode(self, events: NDArray[np.int64], skeleton: Song) -> Song:
        """The notes in the tempo, meter and, if it has four, parts of ``skeleton``."""
        tokens, fermata = unflatten(events)
        parts = skeleton.parts if len(skeleton.parts) == 4 else VOICES
        marks = [mark for mark in skeleton.markers if mark.text != FERMATA_MARK]
        marks += [Marker(int(tick), FERMATA_MARK) for tick in ticks(np.flatnonzero(fermata))]
        rest = {name: getattr(skeleton, name) for name in ("tempos", "meters", "keys", "chords", "title")}
        length = max(skeleton.length, int(ticks(len(tokens))))
        markers = tuple(sorted(marks, key=lambda mark: (mark.onset, mark.text)))
        return Song.make(sung_notes(tokens), parts, markers=markers, length=length, **rest)

    def snap(self, song: Song) -> Song:
        """The nearest song, in C major or A minor, that comes back from `encode` and `decode` unchanged."""
        song = self.arrange(song)
        return self.decode(self.encode(song), song)

    def look(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(N + 1, 8) inputs that are on before each token and after the last; row t depends on ``events[:t]``."""
        events = np.asarray(events, np.int64)
        voiced = np.append(0, np.cumsum(events >= REST))
        frame = np.append(0, np.cumsum(events == FRAME))
        slot = np.clip(voiced - 4 * frame, 0, _SLOTS - 1)
        sung = np.append(events[events >= REST], -1)
        last = voiced[:, None] - 1 - (voiced[:, None] - 1 - np.arange(4)) % 4
        return self.rows(np.append(START, events), slot, frame % max(steps_per_bar, 1), sung[np.maximum(last, -1)])

    def rows(self, before: Any, slot: Any, step: Any, latest: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N, 8) inputs from (N,) or one number of each: the token before, the voice to come (4: the frame's end), the
        sixteenth of the bar; and from (N, 4): what each voice did last (-1: nothing yet)."""
        slot = np.broadcast_to(slot, len(latest))
        held = np.append(latest, np.full((len(latest), 1), -1), axis=1)[np.arange(len(latest)), slot]
        begin = self.events + _SLOTS + PLACES
        columns = (
            before,
            self.events + slot,
            self.events + _SLOTS + np.asarray(step) % PLACES,
            np.where(held < 0, -1, begin + held),
            *np.where(latest < 0, -1, begin + latest + self.events * np.arange(1, 5)).T,
        )
        return np.stack(np.broadcast_arrays(*columns), axis=-1).astype(np.int64)

    def look_next(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(8,) the last row of `look`."""
        row: NDArray[np.int64] = self.look(events, steps_per_bar)[-1]
        return row

    def targets(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(N,) labels: the tokens themselves."""
        return np.asarray(events, np.int64)

    def event(self, label: int, past: NDArray[np.int64], steps_per_bar: int) -> int:
        """The token of a label: itself."""
        return label

    def allowed(self, past: NDArray[np.int64], steps_per_bar: int = 16) -> NDArray[np.bool_]:
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
        return token_name(symbol)


def _shift(song: Song) -> int:
    """Semitones to C major or A minor, in the octave in which the fewest notes leave the ranges of their voices."""
    key = find_key(song).key
    near = ((9 if key.is_minor else 0) - key.tonic + 6) % 12 - 6
    low, high = np.array(RANGES).T[:, song.notes["part"]]
    pitch = song.notes["pitch"].astype(np.int64)

    def outside(shift: int) -> int:
        return int(((pitch + shift < low) | (pitch + shift > high)).sum())

    return min((near + 12 * octave for octave in range(-10, 11)), key=lambda shift: (outside(shift), abs(shift)))

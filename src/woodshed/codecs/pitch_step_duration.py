"""Notes as (pitch, seconds since the note before, seconds that it sounds)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from woodshed.codecs.part_choice import is_called, no_part, notes_of_parts, only_part, part_remedy
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import NOTE, Part, Song
from woodshed.music.key import PITCH_NAMES
from woodshed.music.song import MAX_TICK
from woodshed.music.units import seconds_to_ticks

PITCH, STEP, DURATION = range(3)
FIELDS = ("pitch", "step", "duration")
PITCHES = 128
VELOCITY = 100

UNITS = np.array((PITCHES, 1.0, 1.0))
"""What the net reads its inputs in: pitches of 0-1, seconds."""


@dataclass(frozen=True)
class PitchStepDurationCodec:
    """Write each note of one part as a row of three numbers.

    ========  ===========  ======================================================
    column    range        meaning
    ========  ===========  ======================================================
    pitch     0-127        MIDI number
    step      0 and up     seconds since the start of the note before
    duration  above 0      seconds that the note sounds
    ========  ===========  ======================================================

    Rows ascend in (onset, pitch); the first note's step is its distance from the start of the song. Seconds go through
    the song's tempo map both ways, so `decode` gives back what `encode` read to the tick; a skeleton without a tempo
    is at 120, as the source writes its files.

    Dropped: velocities, other parts. The order of two notes with one onset and pitch is by duration.

    Raises:
        CodecError: from `arrange`, where no part will do; from `decode`, on a pitch outside 0-127, a number that is
            none, or a song longer than a file can hold.

    Source:
        The TensorFlow tutorial "Generate music with an RNN" (Apache 2.0). We differ in taking the first part that is
        not drums (its data are piano solos), in ordering notes that start together by pitch, and in the first
        step (always 0 there).
    """

    part: str | None = None
    """None for the first part that is not drums, or a word of its name or program, or a program number."""

    name: ClassVar[str] = "pitch-step-duration"
    version: ClassVar[int] = 1

    def field_sizes(self) -> dict[str, int]:
        """Field -> how many ids it has."""
        return {"pitch": PITCHES}

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version, "part": self.part}

    def drop_reason(self, song: Song) -> str:
        """Why this codec cannot use the song, in words that can be counted; empty if it can."""
        counts = notes_of_parts(song)
        sounding = [part for part, count in zip(song.parts, counts, strict=True) if count]
        if not sounding:
            return "no notes"
        if all(part.is_drum for part in sounding):
            return "only drums"
        return "" if self._candidates(song) else no_part(song, self.part or "")

    def lines(self, song: Song) -> list[Song]:
        """Each part that will do as a song of its own; with no ``part`` asked for, the first one only."""
        return [only_part(song, index) for index in self._candidates(song)]

    def arrange(self, song: Song) -> Song:
        """The first of `lines`."""
        reason = self.drop_reason(song)
        if reason:
            raise CodecError(f"{song.title or 'the song'}: {reason}; {part_remedy(reason, self.part)}")
        return only_part(song, self._candidates(song)[0])

    def _candidates(self, song: Song) -> list[int]:
        counts = notes_of_parts(song)
        pitched = [i for i, part in enumerate(song.parts) if counts[i] and not part.is_drum]
        return pitched[:1] if self.part is None else [i for i in pitched if is_called(song.parts[i], self.part)]

    def encode(self, song: Song) -> NDArray[np.float64]:
        """(N, 3) rows of an arranged song."""
        onset = song.notes["onset"].astype(np.int64)
        start = song.seconds(onset)
        rows = np.empty((len(onset), 3))
        rows[:, PITCH] = song.notes["pitch"]
        rows[:, STEP] = np.diff(start, prepend=0.0)
        rows[:, DURATION] = song.seconds(onset + song.notes["duration"]) - start
        return rows

    def decode(self, rows: NDArray[np.float64], skeleton: Song) -> Song:
        """The notes in the first part of ``skeleton``, with its tempo and meter.

        A net's negative steps count as 0, and each note sounds for a tick at least.
        """
        rows = np.asarray(rows, np.float64).reshape(-1, 3)
        _check(rows)
        start = np.cumsum(np.maximum(rows[:, STEP], 0.0))
        end = start + np.maximum(rows[:, DURATION], 0.0)
        tempos = skeleton.tempos["onset"], skeleton.tempos["bpm"]
        onset, stop = seconds_to_ticks(start, *tempos), seconds_to_ticks(end, *tempos)
        if len(rows) and stop.max() > MAX_TICK:
            raise CodecError(
                f"row {int(np.argmax(stop > MAX_TICK))} ends {end.max():.0f} seconds in: no file is so long"
            )
        notes = np.zeros(len(rows), NOTE)
        notes["onset"], notes["duration"] = onset, np.maximum(stop - onset, 1)
        notes["pitch"], notes["velocity"] = rows[:, PITCH].astype(np.int64), VELOCITY
        parts = skeleton.parts or (Part(),)
        return skeleton.replace(parts=parts, length=0, notes=notes[:0]).with_notes(notes)

    def snap(self, song: Song) -> Song:
        """The nearest song that survives `encode` and `decode` unchanged: one part, at one velocity."""
        song = self.arrange(song)
        return self.decode(self.encode(song), song)

    def notes(self, rows: NDArray[np.float64]) -> int:
        """How many notes start in the rows: each is one."""
        return len(rows)

    def windows(self, rows: NDArray[np.float64], length: int = 25) -> NDArray[np.float64]:
        """(N - length, length, 3): every window that has a next note. A view: nothing is copied."""
        if len(rows) <= length:
            return np.empty((0, length, 3))
        seen: NDArray[np.float64] = sliding_window_view(rows, length, axis=0)
        return seen[:-1].transpose(0, 2, 1)

    def targets(self, rows: NDArray[np.float64], length: int = 25) -> NDArray[np.float64]:
        """(N - length, 3): the note after each window, not scaled."""
        return rows[length:]

    def scale(self, rows: NDArray[np.float64]) -> NDArray[np.float32]:
        """(..., 3): rows as the net reads them, the pitch divided by 128."""
        scaled: NDArray[np.float32] = (rows / UNITS).astype(np.float32)
        return scaled

    def pitches(self) -> list[tuple[int, ...]]:
        """What each id of the field pitch sounds: itself."""
        return [(pitch,) for pitch in range(PITCHES)]

    def describe(self, field: str, symbol: float) -> str:
        """What one number of one column means.

        >>> PitchStepDurationCodec().describe("step", 0.25)
        'starts 0.25 seconds after the note before'
        """
        if field == "pitch" and 0 <= symbol < PITCHES:
            return f"pitch {symbol:g}: {PITCH_NAMES[int(symbol) % 12]}{int(symbol) // 12 - 1}"
        if field == "step" and symbol >= 0:
            return f"starts {symbol:g} seconds after the note before"
        if field == "duration" and symbol >= 0:
            return f"sounds for {symbol:g} seconds"
        raise OutOfRange(
            f"field {field!r} value {symbol}: the fields are pitch 0-127, step and duration from 0 seconds"
        )


def _check(rows: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~np.isfinite(rows).all(1))
    if len(bad):
        raise CodecError(f"row {bad[0]}: {rows[bad[0]].tolist()} holds no number")
    bad = np.flatnonzero((rows[:, PITCH] < 0) | (rows[:, PITCH] >= PITCHES))
    if len(bad):
        raise CodecError(f"row {bad[0]}: pitch {rows[bad[0], PITCH]:g} is outside 0-127")

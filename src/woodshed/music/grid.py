"""`Grid`: a song on steps, with the deviation from the grid kept beside it, so feel is set aside, never lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music.song import NOTE, Song
from woodshed.music.units import STEPS_PER_QUARTER, ticks_per_step, ticks_to_steps

GRID_NOTE = np.dtype(
    [
        ("part", "<i2"), ("onset", "<i4"), ("duration", "<i4"), ("pitch", "<i2"), ("velocity", "<i2"),
        ("onset_deviation", "<i2"), ("duration_deviation", "<i4"),
    ]
)  # fmt: skip
"""Like `NOTE` but onset and duration in steps; the deviations are ticks (early is negative)."""


@dataclass(frozen=True)
class Grid:
    """The notes of ``song`` on a grid of ``steps_per_quarter``, in the song's order of notes.

    ``to_song()`` gives back the song exactly; ``to_song(feel=0)`` gives it as a machine would play it.
    """

    song: Song
    notes: NDArray[Any]
    steps_per_quarter: int = STEPS_PER_QUARTER

    @classmethod
    def of(cls, song: Song, steps_per_quarter: int = STEPS_PER_QUARTER) -> Grid:
        """Put every onset on its nearest step; every duration on the nearest whole number of steps, at least 1."""
        size = ticks_per_step(steps_per_quarter)
        notes = np.empty(len(song.notes), GRID_NOTE)
        for name in ("part", "pitch", "velocity"):
            notes[name] = song.notes[name]
        onset, duration = song.notes["onset"].astype(np.int64), song.notes["duration"].astype(np.int64)
        notes["onset"] = ticks_to_steps(onset, steps_per_quarter)
        notes["duration"] = np.maximum(ticks_to_steps(duration, steps_per_quarter), 1)
        notes["onset_deviation"] = onset - notes["onset"].astype(np.int64) * size
        notes["duration_deviation"] = duration - notes["duration"].astype(np.int64) * size
        notes.flags.writeable = False
        return cls(song, notes, steps_per_quarter)

    def to_song(self, feel: float = 1.0) -> Song:
        """Back to ticks, with ``feel`` times the deviation (0 = on the grid, 1 = as played)."""
        size = ticks_per_step(self.steps_per_quarter)
        notes = np.empty(len(self.notes), NOTE)
        for name in ("part", "pitch", "velocity"):
            notes[name] = self.notes[name]
        late = np.rint(feel * self.notes["onset_deviation"]).astype(np.int64)
        longer = np.rint(feel * self.notes["duration_deviation"]).astype(np.int64)
        notes["onset"] = np.maximum(self.notes["onset"].astype(np.int64) * size + late, 0)
        notes["duration"] = np.maximum(self.notes["duration"].astype(np.int64) * size + longer, 1)
        return self.song.with_notes(notes)

    def bar_lines(self) -> NDArray[np.int64]:
        """Steps of the bar lines, (bars + 1,); bars that are not whole steps long are rounded."""
        return ticks_to_steps(self.song.bar_lines(), self.steps_per_quarter)

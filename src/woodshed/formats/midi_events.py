"""`Events`: what the tracks of a MIDI file say, in columns, before it is made into a song."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTE_OFF, NOTE_ON, POLY_TOUCH, CONTROL_CHANGE, PROGRAM_CHANGE, TOUCH, PITCH_BEND = range(8, 15)
"""The upper four bits of a status byte."""


@dataclass(frozen=True)
class Events:
    """Channel events in file order, and the meta events; ticks are the file's, from the start of each track."""

    track: NDArray[Any]
    """(E,) which track, from 0."""
    tick: NDArray[np.int64]
    """(E,) absolute tick."""
    word: NDArray[np.int64]
    """(E,) status << 16 | first data byte << 8 | second data byte (0 where there is none)."""
    metas: list[tuple[int, int, int, bytes]]
    """(tick, track, type, payload) of each meta event except the ends of track."""
    sysex: int
    """How many system exclusive messages there were."""
    ends: NDArray[np.int64]
    """(tracks,) tick of each end of track."""

    def one_after_another(self) -> Events:
        """The tracks as a sequence: each begins where the one before it ends (format 2)."""
        shift = np.append(0, np.cumsum(self.ends)[:-1])
        metas = [(tick + int(shift[track]), track, kind, payload) for tick, track, kind, payload in self.metas]
        return Events(self.track, self.tick + shift[self.track], self.word, metas, self.sysex, self.ends + shift)

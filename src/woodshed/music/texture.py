"""For how much of the time each part of a song sounds, how many notes it plays, and how long they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.music.meter import bar_of
from woodshed.music.song import Song
from woodshed.music.units import TICKS_PER_QUARTER, ticks_per_step, ticks_to_steps

LENGTHS = 6
"""Kinds of lengths: nearest to a sixteenth or shorter, an eighth, a quarter note, a half, a whole one, longer."""
_LENGTH_EDGES = (4.5, 9.0, 18.0, 36.0, 72.0)
"""Steps."""
LEAST_OF_A_BAR = 0.1
"""The share of a bar for which a part sounds that plays in it."""

MOST_NOTES = 0.95
"""`Texture.voices` are enough for so many of its notes."""


class Texture(NamedTuple):
    """What one part does."""

    plays: NDArray[np.bool_]
    """(bars,) in which it sounds, or, of drums, strikes"""
    sounding: float | None
    """For which share of these bars it does; None of drums, whose strokes have no length, and if it plays in none."""
    pace: float | None
    """How many of its notes begin in a quarter note of these bars; None where it plays in none."""
    lengths: NDArray[np.float64] | None
    """(6,) the share of each kind of length among them; None as for ``sounding``."""
    voices: int | None
    """How many of them sound at once at most, but for the fullest chords; None as for ``sounding``."""


def texture_of(song: Song, part: int) -> Texture:
    """Of one part of a song."""
    lines, is_drum = song.bar_lines(), song.parts[part].is_drum
    own = song.notes[song.notes["part"] == part]
    onset = own["onset"].astype(np.int64)
    begin = np.minimum(onset, lines[-1])
    turns = np.bincount(begin, minlength=int(lines[-1]) + 1)
    turns -= np.bincount(np.minimum(begin + own["duration"], lines[-1]), minlength=len(turns))
    heard = np.add.reduceat(np.cumsum(turns[:-1]) > 0, lines[:-1]) / np.diff(lines)
    bar = bar_of(onset, lines)
    begun = np.bincount(bar, minlength=len(heard)) > 0
    here = begun if is_drum else heard >= LEAST_OF_A_BAR
    if not here.any():
        return Texture(here, None, None, None, None)
    within = here[np.minimum(bar, len(here) - 1)]
    quarters = np.diff(lines)[here[: len(heard)]].sum() / TICKS_PER_QUARTER
    pace = float(within.sum() / quarters)
    if is_drum:
        return Texture(here, None, pace, None, None)
    counts = np.bincount(length_kinds(ticks_to_steps(own["duration"])), minlength=LENGTHS)
    return Texture(
        here, float(heard[here].mean()), pace, counts / counts.sum(), _voices(onset, onset + own["duration"])
    )


def _voices(onset: NDArray[np.int64], end: NDArray[np.int64]) -> int:
    """What overlaps by a step or less is legato."""
    begun = np.searchsorted(np.sort(onset), onset, side="right")
    over = np.searchsorted(np.sort(end), onset + ticks_per_step(), side="right")
    return max(int(np.quantile(begun - over, MOST_NOTES, method="higher")), 1)


def length_kinds(steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """The kind of each length in steps."""
    kinds: NDArray[np.int64] = np.searchsorted(_LENGTH_EDGES, steps)
    return kinds

"""Does the snare answer? The share of bars in which drums play a backbeat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.music.song import Song
from woodshed.music.units import TICKS_PER_QUARTER

KICKS = (35, 36)
"""Acoustic and electric bass drum."""
SNARES = (37, 38, 39, 40)
"""Side stick, snare, clap and electric snare of General MIDI."""
_NEAR = TICKS_PER_QUARTER // 8
_BAR = 4 * TICKS_PER_QUARTER


def backbeats(song: Song) -> NDArray[np.bool_]:
    """For each bar of four quarters in which drums play: whether a snare is struck on two and four, or on three.

    A stroke counts within a thirty-second note of its beat; the second is the backbeat of half time.
    """
    drums = np.array([part.is_drum for part in song.parts], bool)
    notes = song.notes[drums[song.notes["part"]]] if len(drums) else song.notes[:0]
    lines = song.bar_lines()
    whole = np.flatnonzero(np.diff(lines) == _BAR)
    bar = np.searchsorted(lines, notes["onset"].astype(np.int64) + _NEAR, side="right") - 1
    place = notes["onset"].astype(np.int64) - lines[np.clip(bar, 0, len(lines) - 1)]
    beat = np.rint(place / TICKS_PER_QUARTER).astype(np.int64)
    struck = np.isin(notes["pitch"], SNARES) & (np.abs(place - beat * TICKS_PER_QUARTER) <= _NEAR)
    on = [np.bincount(bar[struck & (beat == number)], minlength=len(lines)) > 0 for number in (1, 2, 3)]
    played = whole[np.bincount(bar, minlength=len(lines))[whole] > 0]
    return np.asarray((on[0] & on[2] | on[1])[played])

"""What a song is like as shares: of pitch classes, lengths, waits, and what leads to what.

========================= ===== ==========================================================================
histogram                 size  shares of
========================= ===== ==========================================================================
pitch_class_histogram     12    notes that are not drums, by pitch class, C first (PCH)
pitch_class_transitions   144   steps between successive top notes of a part, from class i to j at 12 i + j (PCTM)
duration_histogram        12    notes that are not drums, by the nearest of `LENGTHS` (NLH)
duration_transitions      144   such steps, from one length to the next (NLTM)
inter_onset_histogram     12    waits between successive onsets of a part, drums too, by the nearest of `LENGTHS`
========================= ===== ==========================================================================

The letters are Yang and Lerch's names. Shares add up to 1; all are 0 where there is nothing to count.

Source:
    L.-C. Yang, A. Lerch: On the evaluation of generative models in music, Neural Computing and Applications 2018. We
    differ in shares for counts, in leaving drums out, and in successive top notes of each part of several.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music import TICKS_PER_QUARTER, Song
from woodshed.music.segments import pitched_notes

LENGTHS = {
    "1/1": 4.0, "1/2": 2.0, "1/4": 1.0, "1/8": 0.5, "1/16": 0.25,
    "1/2.": 3.0, "1/4.": 1.5, "1/8.": 0.75, "1/16.": 0.375,
    "1/2 triplet": 4 / 3, "1/4 triplet": 2 / 3, "1/8 triplet": 1 / 3,
}  # fmt: skip
"""Name -> quarter notes, in Yang and Lerch's order: plain, dotted, triplets."""
_TICKS = np.array(list(LENGTHS.values())) * TICKS_PER_QUARTER
_ORDER = np.argsort(_TICKS)
_MIDDLES = (_TICKS[_ORDER][1:] + _TICKS[_ORDER][:-1]) / 2

Line = tuple[NDArray[np.int64], NDArray[np.int64]]


def top_lines(song: Song) -> list[Line]:
    """(onsets, pitches) of the highest note at each onset, of each part that is not drums and has notes."""
    notes = pitched_notes(song.notes, song.parts)
    return [(own["onset"].astype(np.int64), own["pitch"].astype(np.int64)) for own in _tops(notes)]


def inter_onsets(song: Song) -> NDArray[np.int64]:
    """(W,) ticks between successive onsets of a part, all parts in a row; drums too."""
    waits = [
        np.diff(np.unique(song.notes["onset"][song.notes["part"] == part].astype(np.int64)))
        for part in np.unique(song.notes["part"])
    ]
    return np.concatenate([np.empty(0, np.int64), *waits])


def pitch_class_histogram(song: Song) -> NDArray[np.float64]:
    """(12,)"""
    return _shares(pitched_notes(song.notes, song.parts)["pitch"].astype(np.int64) % 12, 12)


def pitch_class_transitions(song: Song) -> NDArray[np.float64]:
    """(144,)"""
    return _transitions([pitch % 12 for _, pitch in top_lines(song)], 12)


def duration_histogram(song: Song) -> NDArray[np.float64]:
    """(12,)"""
    return _shares(_nearest(pitched_notes(song.notes, song.parts)["duration"]), len(LENGTHS))


def duration_transitions(song: Song) -> NDArray[np.float64]:
    """(144,)"""
    tops = _tops(pitched_notes(song.notes, song.parts))
    return _transitions([_nearest(own["duration"]) for own in tops], len(LENGTHS))


def inter_onset_histogram(song: Song) -> NDArray[np.float64]:
    """(12,)"""
    return _shares(_nearest(inter_onsets(song)), len(LENGTHS))


HISTOGRAMS: dict[str, Callable[[Song], NDArray[np.float64]]] = {
    function.__name__: function
    for function in (
        pitch_class_histogram, pitch_class_transitions, duration_histogram, duration_transitions, inter_onset_histogram,
    )
}  # fmt: skip


def _tops(notes: NDArray[Any]) -> list[NDArray[Any]]:
    """The highest note at each onset of each part, part by part, in time."""
    order = np.lexsort((-notes["pitch"].astype(np.int64), notes["onset"], notes["part"]))
    notes = notes[order]
    is_top = np.ones(len(notes), bool)
    is_top[1:] = (np.diff(notes["part"]) != 0) | (np.diff(notes["onset"]) != 0)
    notes = notes[is_top]
    return [notes[notes["part"] == part] for part in np.unique(notes["part"])]


def _nearest(ticks: NDArray[Any]) -> NDArray[np.int64]:
    """Index into `LENGTHS` of the nearest length."""
    nearest: NDArray[np.int64] = _ORDER[np.searchsorted(_MIDDLES, ticks)].astype(np.int64)
    return nearest


def _transitions(lines: list[NDArray[np.int64]], size: int) -> NDArray[np.float64]:
    return _shares(np.concatenate([np.empty(0, np.int64), *(line[:-1] * size + line[1:] for line in lines)]), size**2)


def _shares(values: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    counts: NDArray[np.float64] = np.bincount(values, minlength=size) / max(len(values), 1)
    return counts

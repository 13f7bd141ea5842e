"""What chord sounds in each half bar, from the notes alone: template matching and a Viterbi smoother."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music.chord import QUALITIES, QUALITY_NAMES
from woodshed.music.key_finding import smooth
from woodshed.music.segments import pitched_notes, sounding_ticks
from woodshed.music.song import CHORD, NO_CHORD, Song

FOUND_QUALITIES = ("", "m", "7", "maj7", "m7", "dim", "aug", "sus4", "m7b5", "dim7", "5")
CHANGE_COST = 0.6
OUTSIDE = 0.04
BASS_IS_ROOT = 0.5
BASS_IN_CHORD = 0.2


def find_chords(song: Song) -> NDArray[Any]:
    """The chord of each half bar, as rows for ``Song.chords``: equal neighbours are one row.

    Root `NO_CHORD` where no pitched note sounds; empty if none sounds at all.
    """
    notes = pitched_notes(song.notes, song.parts)
    if not len(notes):
        return np.empty(0, CHORD)
    lines = half_bars(song)
    ticks = sounding_ticks(notes, notes["pitch"], 128, lines)  # (S, 128)
    size = np.diff(lines)[:, None]
    heard = ticks > 0
    silent = ~heard.any(axis=1)
    bass = (heard & (ticks * 8 >= size)).argmax(axis=1)
    bass = np.where((ticks * 8 >= size).any(axis=1), bass, heard.argmax(axis=1)) % 12
    profile = np.pad(ticks, ((0, 0), (0, 4))).reshape(-1, 11, 12).sum(axis=1)
    states = smooth(_scores(profile, bass), CHANGE_COST)
    rows = np.empty(len(states), CHORD)
    rows["onset"], rows["root"], rows["bass"] = lines[:-1], states % 12, bass
    rows["quality"] = _QUALITY_ID[states // 12]
    inside = _TONES[states, bass]
    rows["bass"] = np.where(inside, bass, rows["root"])
    for name in ("root", "bass"):
        rows[name][silent] = NO_CHORD
    rows["quality"][silent] = 0
    what = rows[["root", "quality", "bass"]]
    found: NDArray[Any] = rows[np.append(True, what[1:] != what[:-1])]
    return found


def half_bars(song: Song) -> NDArray[np.int64]:
    """Ticks of the half-bar lines, (S + 1,): bars of two, four, six ... beats are halved, the others left whole."""
    lines = song.bar_lines()
    middles = (lines[:-1] + lines[1:]) // 2
    return np.sort(np.concatenate((lines, middles)))


def _scores(profile: NDArray[np.float64], bass: NDArray[np.int64]) -> NDArray[np.float64]:
    total = profile.sum(axis=1, keepdims=True)
    share = profile / np.where(total > 0, total, 1.0)
    scores: NDArray[np.float64] = (share @ _LOG_TEMPLATES.T + _BASS[bass]) * (total > 0)
    return scores


def _chord_tones() -> NDArray[np.bool_]:
    tones = np.zeros((len(FOUND_QUALITIES) * 12, 12), bool)
    for index, quality in enumerate(FOUND_QUALITIES):
        for root in range(12):
            tones[index * 12 + root, [(root + step) % 12 for step in QUALITIES[quality]]] = True
    return tones


_TONES = _chord_tones()  # (states, 12)
_QUALITY_ID = np.array([QUALITY_NAMES.index(name) for name in FOUND_QUALITIES], np.int16)
_INSIDE = np.where(_TONES, 1.0, OUTSIDE)
_LOG_TEMPLATES = np.log(_INSIDE / _INSIDE.sum(axis=1, keepdims=True))
_ROOTS = np.arange(len(_TONES)) % 12
_BASS = np.where(np.arange(12)[:, None] == _ROOTS, BASS_IS_ROOT, np.where(_TONES.T, BASS_IN_CHORD, 0.0))

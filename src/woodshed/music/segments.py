"""How long each pitch sounds in each stretch of a song, without a loop over notes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music.song import Part


def pitched_notes(notes: NDArray[Any], parts: tuple[Part, ...]) -> NDArray[Any]:
    """The notes whose pitches are tones: drums left out."""
    is_drum = np.array([part.is_drum for part in parts], bool)
    return notes[~is_drum[notes["part"]]] if is_drum.any() else notes


def sounding_ticks(notes: NDArray[Any], labels: NDArray[Any], count: int, lines: NDArray[np.int64]) -> NDArray[Any]:
    """Ticks that the notes of each label sound within each stretch between two lines.

    ``notes`` (N,) with onset and duration in ticks, ``labels`` (N,) in ``0..count - 1``, ``lines`` (S + 1,)
    ascending ticks. Returns (S, count) float64, exact. A note is counted in every stretch that it sounds in;
    cost and memory are O(N + S * count) however long the notes are.
    """
    segments = len(lines) - 1
    onset = np.clip(notes["onset"].astype(np.int64), lines[0], lines[-1])
    end = np.clip(notes["onset"].astype(np.int64) + notes["duration"], lines[0], lines[-1])
    started = np.minimum(np.searchsorted(lines, onset, side="right") - 1, segments - 1)
    stopped = np.minimum(np.searchsorted(lines, end, side="right") - 1, segments - 1)
    cells = segments * count
    starting, stopping = started * count + labels, stopped * count + labels
    inside = np.bincount(starting, lines[started + 1] - onset, cells)
    inside -= np.bincount(stopping, lines[stopped + 1] - end, cells)
    change = np.bincount(starting, minlength=cells) - np.bincount(stopping, minlength=cells)
    inside, change = inside.reshape(segments, count), change.reshape(segments, count)
    held = np.cumsum(change, axis=0) - change  # notes already sounding when the stretch begins
    ticks: NDArray[np.float64] = inside + held * np.diff(lines)[:, None]
    return ticks

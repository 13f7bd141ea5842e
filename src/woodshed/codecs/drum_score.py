"""Which drums are struck on which sixteenth, as rows of numbers for a net that says when and how loud (`drum_touch`).

Rows, one below the other: nine kinds of drum (`DRUM_CLASSES`), some pads told apart by pitch (head, rim, bow, bell,
edge), the sixteenth of the bar (4/4), and four that say where in the song it is. Nothing of loudness or lateness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from woodshed.codecs.clip_drums import CLASS_OF, DRUM_CLASSES
from woodshed.codecs.clips import BAR_STEPS

KINDS = len(DRUM_CLASSES)
WHERE = 4
"""Nearness of both ends, bar of four, and length."""


def score_rows(pitches: Sequence[int]) -> int:
    """How many rows a score has in which these pads are told apart."""
    return KINDS + len(pitches) + BAR_STEPS + WHERE


def lane_kinds(pitches: Sequence[int]) -> NDArray[np.int64]:
    """(9 + pads,) index into `DRUM_CLASSES` of each of the first rows."""
    return np.append(np.arange(KINDS), CLASS_OF[np.asarray(pitches, np.int64)])


def drum_score(step: ArrayLike, pitch: ArrayLike, steps: int, pitches: Sequence[int]) -> NDArray[np.float32]:
    """(rows, steps) of hits: their sixteenths (hits,) below ``steps``, and their pitches (hits,), which are drums."""
    at, struck = np.asarray(step, np.int64), np.asarray(pitch, np.int64)
    grid = np.zeros((score_rows(pitches), steps), np.float32)
    grid[CLASS_OF[struck], at] = 1
    for lane, pad in enumerate(pitches):
        grid[KINDS + lane, at[struck == pad]] = 1
    time, base = np.arange(steps), KINDS + len(pitches)
    grid[base + time % BAR_STEPS, time] = 1
    where = base + BAR_STEPS
    grid[where] = np.exp(-time / 32)
    grid[where + 1] = np.exp(-(steps - 1 - time) / 32)
    grid[where + 2] = np.cos(2 * np.pi * time / 64)
    grid[where + 3] = np.log(steps / 256) / 2
    return grid

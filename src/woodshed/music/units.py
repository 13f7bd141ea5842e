"""The only place where ticks, steps, quarters and seconds are turned into one another.

* **tick**: 1/480 of a quarter note (`TICKS_PER_QUARTER`), the time of every `Song`.
* **step**: 1/12 of a quarter note by default (`STEPS_PER_QUARTER`), the time of every `Grid`:
  the coarsest grid that holds both sixteenths (3 steps) and triplet eighths (4 steps).
* **second**: what a listener hears; it needs the tempo map.

All functions take and return numpy arrays (or scalars) of any shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

TICKS_PER_QUARTER = 480
STEPS_PER_QUARTER = 12
DEFAULT_BPM = 120.0


def ticks_per_step(steps_per_quarter: int = STEPS_PER_QUARTER) -> int:
    """Length of one grid step in ticks; the grid must divide the quarter note evenly."""
    ticks, rest = divmod(TICKS_PER_QUARTER, steps_per_quarter)
    if rest:
        raise ValueError(f"{steps_per_quarter} steps per quarter do not divide {TICKS_PER_QUARTER} ticks")
    return ticks


def ticks_to_steps(ticks: ArrayLike, steps_per_quarter: int = STEPS_PER_QUARTER) -> NDArray[np.int64]:
    """Nearest step of each tick; a tie goes to the later step."""
    size = ticks_per_step(steps_per_quarter)
    return (np.asarray(ticks, dtype=np.int64) + size // 2) // size


def steps_to_ticks(steps: ArrayLike, steps_per_quarter: int = STEPS_PER_QUARTER) -> NDArray[np.int64]:
    """Tick of each step, exactly."""
    return np.asarray(steps, dtype=np.int64) * ticks_per_step(steps_per_quarter)


def rescale_ticks(ticks: ArrayLike, from_ticks_per_quarter: int) -> NDArray[np.int64]:
    """Ticks of a file at its own resolution -> the nearest `Song` ticks.

    Exact whenever the file's resolution divides 480 (24, 48, 96, 120, 240, 480).
    """
    ticks = np.asarray(ticks, dtype=np.int64)
    if from_ticks_per_quarter == TICKS_PER_QUARTER:
        return ticks
    return (ticks * (2 * TICKS_PER_QUARTER) + from_ticks_per_quarter) // (2 * from_ticks_per_quarter)


def ticks_to_seconds(ticks: ArrayLike, tempo_onsets: ArrayLike, tempo_bpms: ArrayLike) -> NDArray[np.float64]:
    """Seconds from the start of the song, through a tempo map.

    ``tempo_onsets`` (T,) ticks, ascending; ``tempo_bpms`` (T,) quarter notes per minute. Before the
    first tempo, and with none at all, the tempo is 120, as Standard MIDI Files define it.
    """
    onsets, seconds_at, seconds_per_tick = _tempo_pieces(tempo_onsets, tempo_bpms)
    ticks = np.asarray(ticks, dtype=np.float64)
    piece = np.searchsorted(onsets, ticks, side="right") - 1
    piece = np.maximum(piece, 0)
    return seconds_at[piece] + (ticks - onsets[piece]) * seconds_per_tick[piece]


def seconds_to_ticks(seconds: ArrayLike, tempo_onsets: ArrayLike, tempo_bpms: ArrayLike) -> NDArray[np.int64]:
    """The inverse of `ticks_to_seconds`, to the nearest tick."""
    onsets, seconds_at, seconds_per_tick = _tempo_pieces(tempo_onsets, tempo_bpms)
    seconds = np.asarray(seconds, dtype=np.float64)
    piece = np.maximum(np.searchsorted(seconds_at, seconds, side="right") - 1, 0)
    return np.rint(onsets[piece] + (seconds - seconds_at[piece]) / seconds_per_tick[piece]).astype(np.int64)


def _tempo_pieces(
    tempo_onsets: ArrayLike, tempo_bpms: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Where each stretch of constant tempo starts (ticks, seconds), and its seconds per tick."""
    onsets = np.asarray(tempo_onsets, dtype=np.float64)
    bpms = np.asarray(tempo_bpms, dtype=np.float64)
    if len(onsets) == 0 or onsets[0] > 0:
        onsets = np.concatenate(([0.0], onsets))
        bpms = np.concatenate(([DEFAULT_BPM], bpms))
    seconds_per_tick = 60.0 / (bpms * TICKS_PER_QUARTER)
    seconds_at = np.concatenate(([0.0], np.cumsum(np.diff(onsets) * seconds_per_tick[:-1])))
    return onsets, seconds_at, seconds_per_tick

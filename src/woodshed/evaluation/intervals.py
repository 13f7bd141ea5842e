"""Spans of time: how long any of them lasts, and how many lie over one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]


def covered(start: Ticks, end: Ticks) -> int:
    """Length of the union of the spans [start, end), (N,) each."""
    if not len(start):
        return 0
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    reached = np.maximum.accumulate(end)
    before = np.concatenate((start[:1], reached[:-1]))
    return int(np.maximum(end - np.maximum(start, before), 0).sum())


def merged(start: Ticks, end: Ticks) -> tuple[Ticks, Ticks]:
    """The spans with those that touch or overlap put together: (M,) starts and ends, apart and ascending."""
    order = np.argsort(start, kind="stable")
    start, reached = start[order], np.maximum.accumulate(end[order])
    new = np.append(True, start[1:] > reached[:-1])[: len(start)]
    return start[new], reached[np.append(new[1:], True)[: len(start)]]


def layers(start: Ticks, end: Ticks, lane: Ticks) -> tuple[Ticks, Ticks]:
    """(S + 1,) ascending ticks at which anything changes, and (S,) how many different lanes sound between them."""
    none = (np.empty(0, np.int64), np.empty(0, np.int64))
    joined = [none, *(merged(start[lane == one], end[lane == one]) for one in np.unique(lane))]
    starts, ends = (np.concatenate(sides) for sides in zip(*joined, strict=True))
    lines = np.unique(np.concatenate((starts, ends)))
    begun, over = np.searchsorted(lines, starts), np.searchsorted(lines, ends)
    change = np.bincount(begun, minlength=len(lines)) - np.bincount(over, minlength=len(lines))
    return lines, np.cumsum(change)[:-1].astype(np.int64)

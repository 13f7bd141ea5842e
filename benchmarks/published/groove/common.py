"""What the hits of a take have in common by more than chance, around what nets foretell that have not learned the take.

Each hit's lateness and velocity becomes a normal score by the quantiles that were foretold. Products of the scores of
two hits of a take are averaged: of two that share nothing but the take, of two of one kind of drum in different bars,
of two of one bar, of two of one sixteenth. What each kind of pair agrees in beyond the pairs that share less is that
group's share of the variance: the method of moments for crossed random effects (Searle, Casella & McCulloch 1992).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from takes import FEEL, Take

from woodshed.bundle.drum_touch import StoredTouch
from woodshed.generation.drum_touch import foretold, in_groups, score_of


def in_common(
    nets: Sequence[StoredTouch], takes: Sequence[Take], fold_of: NDArray[np.int64]
) -> tuple[tuple[float, ...], ...]:
    """For `FEEL` the shares of take, kind, bar and step, of takes by the one net that has not learned them."""
    agree, weight = np.zeros((len(FEEL), 4)), np.zeros(4)
    squares, hits = np.zeros(len(FEEL)), 0
    for take, fold in zip(takes, fold_of.tolist(), strict=True):
        if fold >= len(nets):
            continue
        levels = foretold(nets[fold], take.hits["step"], take.hits["pitch"], take.bpm)
        scores = np.stack([score_of(one, take.hits[name]) for one, name in zip(levels, FEEL, strict=True)])
        squares += (scores**2).sum(1)
        hits += len(take.hits)
        whole, kind, bar, step = in_groups(take.hits["step"], take.hits["pitch"])
        sums = [_pairs(scores, group) for group in (whole, kind, bar, step, bar * 16 + kind)]
        of_take, of_kind, of_bar, of_step, of_both = sums
        found = (
            _less(_less(of_take, of_kind), _less(of_bar, of_both)), _less(of_kind, of_both),
            _less(_less(of_bar, of_both), of_step), of_step,
        )  # fmt: skip
        for row, (total, count) in enumerate(found):
            if count > 0:
                agree[:, row] += len(take.hits) * total / count
                weight[row] += len(take.hits)
    take_only, same_kind, same_bar, same_step = (agree / weight / (squares / hits)[:, None]).T
    shares = np.stack((take_only, same_kind - take_only, same_bar - take_only, same_step - same_bar), axis=1).clip(0)
    shares /= np.maximum(shares.sum(1, keepdims=True), 1)
    return tuple(tuple(round(share, 4) for share in row) for row in shares.tolist())


Pairs = tuple[NDArray[np.float64], float]
"""(2,) sum of the products of pairs, and how many these are."""


def _pairs(scores: NDArray[np.float64], group: NDArray[np.int64]) -> Pairs:
    """All ordered pairs of different hits of one group."""
    sums = np.stack([np.bincount(group, row) for row in scores])
    counts = np.bincount(group).astype(float)
    return (sums**2).sum(1) - (scores**2).sum(1), float((counts**2 - counts).sum())


def _less(one: Pairs, other: Pairs) -> Pairs:
    return one[0] - other[0], one[1] - other[1]

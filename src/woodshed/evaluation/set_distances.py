"""How near two sets of songs are in each figure, after Yang and Lerch (2018).

A mean says little of a set. So the distances between all pairs within a set (*intra*) are compared with those of all
pairs across the two (*inter*), as distributions: each is smoothed by a Gaussian kernel (Scott 1992), and two numbers
are taken of the densities. A song that lies among the real ones is as far from them as they are from one another.

============== ===== ==============================================================================================
figure         range meaning
============== ===== ==============================================================================================
overlap        0-1   overlapping area of the real set's intra density and the inter density: 1 is alike
divergence     0-    Kullback-Leibler divergence, in nats, of the inter from the real intra density: 0 is alike
values         0-1   overlapping area of the densities of the figure itself in both sets, or, of a histogram, of the
                     two mean histograms
============== ===== ==============================================================================================

Pairs of one song with itself are left out, as are pairs of pieces of one song. The distance of two numbers is their
difference, that of two histograms Euclidean. The interval draws whole songs of both sides anew (`bootstrap`).

The first two say whether the sets are equally varied around one another; where a set is far more varied than the sets
lie apart, they see little, and the third does. Even two halves of one corpus reach no overlap of 1, since samples are
small: see what held-out songs beside learned ones reach.

Source:
    L.-C. Yang, A. Lerch: On the evaluation of generative models in music, Neural Computing and Applications 2018, and
    its ``mgeval``. We differ in one grid for both densities (there the divergence compares each over its own range), in
    densities over the whole line (there within the observed distances), and in giving intervals.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from woodshed.errors import OutOfRange
from woodshed.evaluation.bootstrap import FEW_GROUPS, LEVEL, group_numbers
from woodshed.words import counted

GRID = 512
"""Places at which densities are compared."""
DRAWS = 200
FEWEST_PAIRS = 3
"""Distances that it takes for a density: those of three songs."""
MARGIN = 4.0
"""Bandwidths that the grid reaches beyond the outermost distance."""
LEAST_BANDWIDTH = 1.0
"""In steps of the grid: where all distances are equal, the kernel has no width of its own."""
FLOOR = 1e-12
"""Density below which the divergence no longer looks."""


@dataclass(frozen=True)
class SetDistance:
    """Two sets in one figure. Every number is finite."""

    overlap: float
    overlap_low: float
    overlap_high: float
    """19 resamples of the songs in 20 lie between; 0 and 1 where nothing could be measured."""
    divergence: float
    """Nats."""
    values: float
    values_low: float
    values_high: float
    real_intra: float
    """Mean distance within the real set."""
    made_intra: float
    """Mean distance within the other set: smaller than the real one where all pieces are alike."""
    inter: float
    """Mean distance across."""
    real: int
    made: int
    """How many pieces either side has that hold what the figure counts."""
    real_songs: int
    made_songs: int
    too_few: str
    """Why there is no result; empty if there is one."""

    @property
    def caution(self) -> str:
        """What to mind when reading the interval; empty if nothing."""
        fewest = min(self.real_songs, self.made_songs)
        return self.too_few or (f"n too small: {counted(fewest, 'song')}" if fewest < FEW_GROUPS else "")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "caution": self.caution}


def set_distance(
    real: ArrayLike,
    made: ArrayLike,
    rng: np.random.Generator,
    *,
    real_songs: Sequence[Hashable] | None = None,
    made_songs: Sequence[Hashable] | None = None,
    draws: int = DRAWS,
) -> SetDistance:
    """Compare one figure of real pieces (n,) or (n, size) with that of others, (m,) or (m, size).

    ``real_songs`` and ``made_songs`` name the song of each piece; None means that each is a song of its own.

    Raises:
        OutOfRange: if the shapes do not fit, or a number is not finite.
    """
    first, second = _table(real), _table(made)
    if len(first) and len(second) and first.shape[1] != second.shape[1]:
        raise OutOfRange(f"figures of {first.shape[1]} and {second.shape[1]} numbers cannot be compared")
    groups = group_numbers(real_songs, len(first)), group_numbers(made_songs, len(second))
    songs = len(np.unique(groups[0])), len(np.unique(groups[1]))
    if reason := _too_few(*songs):
        return SetDistance(0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, len(first), len(second), *songs, reason)
    within, across, other = _distances(first, first), _distances(first, second), _distances(second, second)
    apart, apart_made = (group[:, None] < group[None] for group in groups)
    bins, values = _Bins(within, across), _Values(first, second)
    everyone = np.ones(len(first)), np.ones(len(second))
    overlap, divergence = bins.compare(apart, *everyone)
    found = np.empty((draws, 2))
    for row in found:
        copies = _drawn(groups[0], rng), _drawn(groups[1], rng)
        row[:] = bins.compare(apart, *copies)[0], values.overlap(*copies)
    alike = values.overlap(*everyone)
    return SetDistance(
        overlap, *_around(overlap, found[:, 0]), divergence, alike, *_around(alike, found[:, 1]),
        float(within[apart].mean()), float(other[apart_made].mean()), float(across.mean()),
        len(first), len(second), *songs, "",
    )  # fmt: skip


def overlapping_area(first: ArrayLike, second: ArrayLike) -> float:
    """0-1: the area under both densities of two samples of distances, (n,) and (m,).

    Raises:
        OutOfRange: if one is empty.
    """
    return _densities_of(first, second)[0]


def kl_divergence(first: ArrayLike, second: ArrayLike) -> float:
    """Nats: the Kullback-Leibler divergence of the second sample's density from the first's.

    Raises:
        OutOfRange: if one is empty.
    """
    return _densities_of(first, second)[1]


def _densities_of(first: ArrayLike, second: ArrayLike) -> tuple[float, float]:
    first, second = np.asarray(first, np.float64).ravel(), np.asarray(second, np.float64).ravel()
    if not len(first) or not len(second):
        raise OutOfRange("a density takes a distance or more on either side")
    bins = _Bins(first[None], second[None])
    return bins.compare(np.ones((1, len(first)), bool), np.ones(1), np.ones(len(second)), np.ones(len(first)))


class _Bins:
    """Distances sorted once into the cells of a grid, so that a density of any weights is one sum and one filter."""

    def __init__(self, within: NDArray[np.float64], across: NDArray[np.float64]) -> None:
        self.within, self.across = within, across
        both = np.concatenate((within.ravel(), across.ravel()))
        spread = max(float(both.std()), (float(both.max()) - float(both.min())) / GRID, 1e-9)
        self.low = float(both.min()) - MARGIN * spread
        self.step = (float(both.max()) + MARGIN * spread - self.low) / (GRID - 1)
        self.within_cells, self.across_cells = (
            np.rint((table - self.low) / self.step).astype(np.int64) for table in (within, across)
        )

    def compare(
        self,
        apart: NDArray[np.bool_],
        real: NDArray[np.float64],
        made: NDArray[np.float64],
        columns: NDArray[np.float64] | None = None,
    ) -> tuple[float, float]:
        """Overlap and divergence with so many copies of each piece; only pairs that are ``apart`` count within."""
        pairs = real[:, None] * (real if columns is None else columns)[None] * apart
        first = self._density(self.within, self.within_cells, pairs)
        second = self._density(self.across, self.across_cells, real[:, None] * made[None])
        if first is None or second is None:
            return 0.0, 0.0
        overlap = float(np.minimum(first, second).sum() * self.step)
        log_ratio = np.log(np.maximum(first, FLOOR)) - np.log(np.maximum(second, FLOOR))
        return min(overlap, 1.0), max(float((first * log_ratio).sum() * self.step), 0.0)

    def _density(
        self, distances: NDArray[np.float64], cells: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """(GRID,) by a Gaussian kernel of Scott's width; None without any pair."""
        total = float(weights.sum())
        if total == 0:
            return None
        mean = float((weights * distances).sum()) / total
        deviation = float((weights * (distances - mean) ** 2).sum() / max(total - 1, 1)) ** 0.5
        width = max(deviation * total ** (-1 / 5), LEAST_BANDWIDTH * self.step)
        histogram = np.bincount(cells.ravel(), weights.ravel(), GRID) / (total * self.step)
        reach = np.arange(-GRID + 1, GRID) * self.step
        kernel = np.exp(-((reach / width) ** 2) / 2)
        density: NDArray[np.float64] = np.convolve(histogram, kernel / kernel.sum(), "valid")
        return density


class _Values:
    """The figure itself: one number, or a histogram, of each piece."""

    def __init__(self, first: NDArray[np.float64], second: NDArray[np.float64]) -> None:
        self.first, self.second = first, second
        self.bins = _Bins(first.T, second.T) if first.shape[1] == 1 else None

    def overlap(self, real: NDArray[np.float64], made: NDArray[np.float64]) -> float:
        """With so many copies of each piece."""
        if self.bins is None:
            shares = (real @ self.first / real.sum(), made @ self.second / made.sum())
            return float(np.minimum(*shares).sum())
        return self.bins.compare(np.ones((1, len(real)), bool), np.ones(1), made, real)[0]


def _around(value: float, drawn: NDArray[np.float64]) -> tuple[float, float]:
    """The interval of what was drawn, which holds the value."""
    low, high = np.quantile(drawn, (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)).tolist() if len(drawn) else (value, value)
    return min(low, value), max(high, value)


def _table(values: ArrayLike) -> NDArray[np.float64]:
    """(n, size)"""
    table = np.asarray(values, np.float64)
    if not np.isfinite(table).all():
        raise OutOfRange("a figure that is not finite cannot be compared; leave that piece out")
    return table.reshape(len(table), -1) if table.size else np.empty((0, 1))


def _distances(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) Euclidean."""
    if first.shape[1] == 1:
        return np.abs(first - second[:, 0])
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0))
    return distances


def _drawn(groups: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """(n,) how many copies of each piece, when whole songs are drawn with replacement."""
    count = int(groups.max()) + 1
    return rng.multinomial(count, np.full(count, 1 / count))[groups].astype(np.float64)


def _too_few(real_songs: int, made_songs: int) -> str:
    fewest = min(real_songs, made_songs)
    if fewest * (fewest - 1) // 2 < FEWEST_PAIRS:
        return f"n too small: {counted(fewest, 'song')} on one side, it takes 3 or more"
    return ""

"""A mean over clips, or a sum over notes, and how far it can be trusted, where several may come from one song.

Clips of one song are alike, so they are no independent draws: whole songs are drawn again, with all their clips
(B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, percentile interval; A. C. Davison and
D. V. Hinkley, Bootstrap Methods and their Application, 1997, section 3.8, on clusters). Where every clip is a song of
its own, this is the plain bootstrap. With fewer than some ten songs such an interval is too narrow; `Interval.groups`
stands beside it so that a reader can tell.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from woodshed.errors import OutOfRange
from woodshed.words import counted

RESAMPLES = 2000
LEVEL = 0.95
FEW_GROUPS = 10
"""With fewer songs than this an interval is marked."""


@dataclass(frozen=True)
class Interval:
    """A mean and its bootstrap interval; always finite numbers."""

    mean: float
    """0 if there is nothing to take a mean of."""
    low: float
    high: float
    """19 resamples in 20 lie between ``low`` and ``high``; both are the mean where there is only one group."""
    count: int
    """How many values."""
    groups: int
    """How many songs they come from: what the interval is about."""

    @property
    def is_known(self) -> bool:
        """Whether low and high say anything: it takes two songs."""
        return self.groups > 1

    @property
    def caution(self) -> str:
        """Empty, or why the interval is too narrow to be relied on."""
        if self.groups >= FEW_GROUPS:
            return ""
        return f"n too small: {counted(self.groups, 'song')}" if self.groups else "n too small: nothing to count"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**vars(self), "caution": self.caution}


def mean_interval(values: ArrayLike, groups: Sequence[Hashable] | None, rng: np.random.Generator) -> Interval:
    """The mean of ``values`` (n,), and its interval over the songs that ``groups`` (n,) names; None: each its own.

    Raises:
        OutOfRange: if there are not as many groups as values.
    """
    values = np.asarray(values, np.float64)
    index = group_numbers(groups, len(values))
    if not len(values):
        return Interval(0.0, 0.0, 0.0, 0, 0)
    mean = float(values.mean())
    found = int(index.max()) + 1
    if found == 1:
        return Interval(mean, mean, mean, len(values), 1)
    low, high = np.quantile(resampled_means(values, index, rng), (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)).tolist()
    return Interval(mean, low, high, len(values), found)


def ratio_interval(amounts: ArrayLike, sizes: ArrayLike, rng: np.random.Generator) -> Interval:
    """sum(amounts) / sum(sizes), such as nats and notes of each song (n,), and its interval over the n songs.

    `Interval.count` is the sum of the sizes, `Interval.groups` the songs whose size is not 0.

    Raises:
        OutOfRange: if there are not as many sizes as amounts.
    """
    amounts, sizes = np.asarray(amounts, np.float64), np.asarray(sizes, np.float64)
    if amounts.shape != sizes.shape:
        raise OutOfRange(f"{len(amounts)} amounts for {len(sizes)} sizes: give the size of each")
    amounts, sizes = amounts[sizes > 0], sizes[sizes > 0]
    if not len(sizes):
        return Interval(0.0, 0.0, 0.0, 0, 0)
    ratio = float(amounts.sum() / sizes.sum())
    if len(sizes) == 1:
        return Interval(ratio, ratio, ratio, int(sizes.sum()), 1)
    drawn = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), RESAMPLES)  # (RESAMPLES, n)
    low, high = np.quantile((drawn @ amounts) / (drawn @ sizes), (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)).tolist()
    return Interval(ratio, low, high, int(sizes.sum()), len(sizes))


def resampled_means(
    values: NDArray[np.float64], index: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """(RESAMPLES,) means of ``values`` (n,) over groups drawn with replacement; ``index`` (n,) numbers them from 0."""
    groups = int(index.max()) + 1
    drawn = rng.multinomial(groups, np.full(groups, 1 / groups), RESAMPLES)  # (RESAMPLES, groups)
    means: NDArray[np.float64] = (drawn @ np.bincount(index, values)) / (drawn @ np.bincount(index))
    return means


def group_numbers(groups: Sequence[Hashable] | None, count: int) -> NDArray[np.int64]:
    """(count,) number of each value's group, from 0 in the order of appearance.

    Raises:
        OutOfRange: if there are not ``count`` groups.
    """
    if groups is None:
        return np.arange(count)
    if len(groups) != count:
        raise OutOfRange(f"{len(groups)} groups for {count} values: name the group of each")
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(group, len(known)) for group in groups], np.int64)

"""Statistics of answers: exact binomial intervals, Bradley-Terry strengths, agreement between readers.

Sources:
    C. J. Clopper, E. S. Pearson: The use of confidence or fiducial limits illustrated in the case of the binomial,
    Biometrika 26, 1934.
    R. A. Bradley, M. E. Terry: Rank analysis of incomplete block designs, Biometrika 39, 1952.
    D. R. Hunter: MM algorithms for generalized Bradley-Terry models, Annals of Statistics 32, 2004.
    K. Krippendorff: Computing Krippendorff's Alpha-Reliability, University of Pennsylvania, 2011. The tests hold its
    worked example. It is preferred to Fleiss' kappa because readers may leave items unanswered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from woodshed.errors import OutOfRange
from woodshed.evaluation.bootstrap import LEVEL, RESAMPLES
from woodshed.words import counted

PRIOR_ANSWERS = 1.0
"""For every two sources as many answers are added, half for either: a source that always wins then has a finite
strength. Beside ten real answers that pulls an estimate of 70 % to 68 %."""
MOST_STEPS, TOLERANCE = 10_000, 1e-10
FEW_ANSWERS = 20
"""A share of fewer answers is marked."""
FEW_READERS = 5
"""An interval over fewer readers is marked: drawing so few again says little of others."""


@dataclass(frozen=True)
class Share:
    """So many of so many, and the exact interval."""

    successes: int
    count: int
    low: float
    high: float
    """0-1: the interval covers the true share in at least 95 of 100 such samples of independent answers."""

    @property
    def share(self) -> float | None:
        """0-1; None of nothing."""
        return self.successes / self.count if self.count else None

    @property
    def caution(self) -> str:
        """``n too small`` with how many, or nothing."""
        return "" if self.count >= FEW_ANSWERS else f"n too small: {counted(self.count, 'answer')}"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"share": self.share, **vars(self), "caution": self.caution}


@dataclass(frozen=True)
class Agreement:
    """How far readers answer alike."""

    alpha: float | None
    """Krippendorff's, of nominal answers: 1 is always, 0 as by chance, below 0 less than that; None: not defined."""
    low: float | None
    high: float | None
    """Over items drawn again; None where there are too few."""
    items: int
    """Answered by two readers or more."""
    answers: int
    """To those items."""
    caution: str
    """Why there is no figure, or what to mind; empty if nothing."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return dict(vars(self))


def exact_share(successes: int, count: int, level: float = LEVEL) -> Share:
    """A share with its Clopper-Pearson interval: 0-1 of no answers.

    Raises:
        OutOfRange: if there are more successes than answers.
    """
    from scipy.special import betaincinv

    if not 0 <= successes <= count:
        raise OutOfRange(f"{successes} successes of {counted(count, 'answer')}: give 0-{count}")
    tail = (1 - level) / 2
    low = float(betaincinv(successes, count - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, count - successes, 1 - tail)) if successes < count else 1.0
    return Share(int(successes), int(count), low, high)


def bradley_terry(wins: ArrayLike) -> NDArray[np.float64]:
    """Log strengths of sources that were compared two by two, their mean 0: i is preferred to j with probability
    ``1 / (1 + exp(s_j - s_i))``.

    ``wins`` (..., S, S): how often source i was preferred to source j; leading axes are separate data. `PRIOR_ANSWERS`
    are added for every two, so that all strengths are finite, and 0 for all of no data. By Hunter's MM steps.

    Raises:
        OutOfRange: if the last two axes are not alike, there are fewer than two sources, or a count is negative or no
            number.
    """
    found = np.asarray(wins, np.float64)
    if found.ndim < 2 or found.shape[-1] != found.shape[-2] or not ((found >= 0) & np.isfinite(found)).all():
        raise OutOfRange(f"wins of shape {found.shape}: give counts (S, S) of at least 0")
    sources = found.shape[-1]
    if sources < 2:
        raise OutOfRange(f"{counted(sources, 'source')}: a strength is over others; give two sources or more")
    others = 1 - np.eye(sources)
    found = (found + PRIOR_ANSWERS / 2) * others
    won, met = found.sum(-1), found + found.swapaxes(-1, -2)  # (..., S), (..., S, S)
    strengths = np.ones(won.shape)
    for _ in range(MOST_STEPS):
        shares = met / (strengths[..., :, None] + strengths[..., None, :])
        better = won / np.maximum(shares.sum(-1), 1e-300)
        better /= np.exp(np.log(better).mean(-1, keepdims=True))
        moved = np.abs(np.log(better / strengths)).max(initial=0.0)
        strengths = better
        if moved < TOLERANCE:
            break
    return np.asarray(np.log(strengths))


def strength_intervals(wins_by_reader: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """(2, S): low and high log strength of each source, over readers drawn again with all their answers.

    ``wins_by_reader`` (readers, S, S). Of one reader both are the strength itself.
    """
    readers = len(wins_by_reader)
    drawn = rng.multinomial(readers, np.full(readers, 1 / readers), RESAMPLES)  # (RESAMPLES, readers)
    strengths = bradley_terry(np.tensordot(drawn.astype(np.float64), wins_by_reader, axes=1))
    low: NDArray[np.float64] = np.quantile(strengths, (0.5 - LEVEL / 2, 0.5 + LEVEL / 2), axis=0)
    return low


def agreement(answers: ArrayLike, rng: np.random.Generator) -> Agreement:
    """How far readers agree: ``answers`` (readers, items) integers from 0, -1 where a reader left an item out."""
    given = np.asarray(answers, np.int64)
    values = int(given.max(initial=-1)) + 1
    counts = np.stack([(given == value).sum(0) for value in range(values)], -1) if values else np.zeros((0, 0))
    counts = counts[counts.sum(-1) > 1].astype(np.float64)  # (items, values); one answer agrees with nobody
    items, total = len(counts), int(counts.sum())
    if not items:
        return Agreement(None, None, None, 0, 0, "n too small: no item has two answers")
    alpha = float(_alpha(np.ones((1, items)), counts)[0])
    if np.isnan(alpha):
        return Agreement(None, None, None, items, total, "not defined: all answers are the same")
    drawn = rng.multinomial(items, np.full(items, 1 / items), RESAMPLES).astype(np.float64)
    resampled = _alpha(drawn, counts)
    known = resampled[~np.isnan(resampled)]
    if items < FEW_ANSWERS // 2:
        return Agreement(alpha, None, None, items, total, f"n too small: {counted(items, 'item')}")
    low, high = np.quantile(known, (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)).tolist()
    return Agreement(alpha, low, high, items, total, "")


def _alpha(weights: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(draws,) alpha of items (items, values), each taken ``weights`` (draws, items) times; NaN if undefined."""
    answers = counts.sum(-1)  # (items,)
    disagreeing = (answers**2 - (counts**2).sum(-1)) / (answers - 1)
    values, total = weights @ counts, weights @ answers  # (draws, values), (draws,)
    expected = total**2 - (values**2).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = 1 - (total - 1) * (weights @ disagreeing) / expected
    return np.where(expected > 0, alpha, np.nan)

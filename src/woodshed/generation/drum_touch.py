"""When and how loud drummers play a score: the nets of a bundle (`models.drum_touch`), in numpy, without torch.

The nets say quantiles of each hit by itself. Played together, hits are not drawn one by one: a drummer who is early is
early for a bar, and hits the kick and the cymbal of one step together. So what is drawn is a normal score for the take,
for each kind of drum in it, for each bar and each sixteenth, and one for the hit alone, mixed by the shares of variance
that the nets' errors were found to have in common (a Gaussian copula); the hit's quantiles say what that score means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle.drum_touch import StoredTouch, Tensors
from woodshed.codecs.clip_drums import CLASS_OF
from woodshed.codecs.clips import BAR_STEPS
from woodshed.codecs.drum_score import drum_score
from woodshed.models.drum_touch_sizes import (
    DILATIONS,
    EPSILON,
    FIELDS,
    KINDS,
    LOG_TEMPI,
    MEDIAN,
    MIDDLE,
    QUANTILES,
    TEMPO_WIDTH,
    UNIT,
)

SCORES = np.array([NormalDist().inv_cdf(level) for level in QUANTILES])
MOST_SCORE = 2.5
"""Normal scores beyond are played as this."""
AT_ONCE, MARGIN = 2048, 128
"""Sixteenths that are read in one go, so that memory is bounded, and how many more are heard on either side."""


def foretold(
    touch: StoredTouch, step: NDArray[np.integer], pitch: NDArray[np.integer], bpm: float
) -> NDArray[np.float64]:
    """(2, hits, 7) quantiles of lateness in ms and of velocity, ascending, each the mean of all nets.

    ``step`` (hits,) is which sixteenth since the beginning, in 4/4; ``pitch`` (hits,) are drums of `DRUM_CLASSES`.
    """
    step, kind = step.astype(np.int64), CLASS_OF[pitch]
    found = np.zeros((FIELDS, len(step), len(QUANTILES)))
    last = BAR_STEPS * (int(step.max(initial=0)) // BAR_STEPS + 1)
    for first in range(0, last, AT_ONCE):
        inside = (step >= first) & (step < first + AT_ONCE)
        if not inside.any():
            continue
        begin, end = max(first - MARGIN, 0), min(first + AT_ONCE + MARGIN, last)
        heard = (step >= begin) & (step < end)
        score = drum_score(step[heard] - begin, pitch[heard], end - begin, touch.config.pitches)
        told = np.mean([forward(net, score, math.log(bpm)) for net in touch.nets], axis=0)
        found[:, inside] = told[:, kind[inside], :, step[inside] - begin].transpose(1, 0, 2)
    return np.sort(found, axis=2)


def forward(net: Tensors, score: NDArray[np.float32], log_tempo: float) -> NDArray[np.float32]:
    """(2, 9, 7, T) of one score (rows, T): what `DrumTouch.forward` says."""
    tempo = np.exp(-((log_tempo - np.array(LOG_TEMPI)) ** 2) / (2 * TEMPO_WIDTH**2)).astype(np.float32)
    x = np.concatenate((score, np.repeat(tempo[:, None], score.shape[1], axis=1)))
    x = _convolved(x, net["begin.weight"], 1) + net["begin.bias"][:, None]
    for number, dilation in enumerate(DILATIONS):
        name = f"blocks.{number}"
        y = _scaled(x, net[f"{name}.norm.weight"], net[f"{name}.norm.bias"])
        y = _gelu(_convolved(y, net[f"{name}.wide.weight"], dilation) + net[f"{name}.wide.bias"][:, None])
        x = x + net[f"{name}.mix.weight"][:, :, 0] @ y + net[f"{name}.mix.bias"][:, None]
        if number == len(DILATIONS) // 2:
            x = x + (net["whole.weight"] @ x.mean(1) + net["whole.bias"])[:, None]
    x = _scaled(x, net["norm.weight"], net["norm.bias"])
    told = net["end.weight"][:, :, 0] @ x + net["end.bias"][:, None]
    told = told.reshape(FIELDS, KINDS, len(QUANTILES), -1)
    shape = (FIELDS, 1, 1, 1)
    found: NDArray[np.float32] = told * np.array(UNIT, np.float32).reshape(shape) + np.array(
        MIDDLE, np.float32
    ).reshape(shape)
    return found


def steady_touch(quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, hits) the median of each hit."""
    return quantiles[:, :, MEDIAN]


def drawn_touch(
    touch: StoredTouch,
    quantiles: NDArray[np.float64],
    step: NDArray[np.integer],
    pitch: NDArray[np.integer],
    temperature: Sequence[float],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(2, hits) one way of playing what was `foretold`. ``temperature`` (2,): 0 a steady hand, 1 as drummers vary."""
    groups = in_groups(step, pitch)
    drawn = []
    for shares, levels, heat in zip(touch.in_common, quantiles, temperature, strict=True):
        score = math.sqrt(max(1 - sum(shares), 0)) * rng.standard_normal(len(step))
        for share, group in zip(shares, groups, strict=True):
            score += math.sqrt(share) * rng.standard_normal(int(group.max(initial=0)) + 1)[group]
        drawn.append(value_of(levels, heat * score))
    return np.stack(drawn)


def in_groups(step: NDArray[np.integer], pitch: NDArray[np.integer]) -> list[NDArray[np.int64]]:
    """Of each of `IN_COMMON` (hits,) which of its groups a hit belongs to."""
    step, kind = step.astype(np.int64), CLASS_OF[pitch].astype(np.int64)
    return [np.zeros_like(step), kind, step // BAR_STEPS, step]


def value_of(quantiles: NDArray[np.float64], score: NDArray[np.float64]) -> NDArray[np.float64]:
    """(hits,) what normal scores (hits,) mean for hits of these quantiles (hits, 7); beyond the last two as between."""
    score = np.clip(score, -MOST_SCORE, MOST_SCORE)
    at = np.clip(np.searchsorted(SCORES, score) - 1, 0, len(SCORES) - 2)
    rows = np.arange(len(score))
    low, high = quantiles[rows, at], quantiles[rows, at + 1]
    found: NDArray[np.float64] = low + (high - low) * (score - SCORES[at]) / (SCORES[at + 1] - SCORES[at])
    return found


def score_of(quantiles: NDArray[np.float64], value: NDArray[np.float64]) -> NDArray[np.float64]:
    """(hits,) the normal scores of values (hits,): the inverse of `value_of`, within the scores that it plays."""
    at = np.clip((value[:, None] > quantiles).sum(1) - 1, 0, len(SCORES) - 2)
    rows = np.arange(len(value))
    low, high = quantiles[rows, at], quantiles[rows, at + 1]
    share = (value - low) / np.maximum(high - low, 1e-9)
    found: NDArray[np.float64] = np.clip(SCORES[at] + share * (SCORES[at + 1] - SCORES[at]), -MOST_SCORE, MOST_SCORE)
    return found


def _convolved(x: NDArray[np.float32], weight: NDArray[np.float32], dilation: int) -> NDArray[np.float32]:
    """(out, T) of x (in, T) and a weight (out, in, 3), silence on either side."""
    length = x.shape[1]
    wide = np.pad(x, ((0, 0), (dilation, dilation)))
    taps = (weight[:, :, tap] @ wide[:, tap * dilation : tap * dilation + length] for tap in range(3))
    return sum(taps, np.zeros((len(weight), length), np.float32))


def _scaled(x: NDArray[np.float32], weight: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.float32]:
    """LayerNorm over channels."""
    around = x - x.mean(0)
    scaled = around / np.sqrt((around**2).mean(0) + np.float32(EPSILON))
    found: NDArray[np.float32] = scaled * weight[:, None] + bias[:, None]
    return found


def _gelu(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The Gaussian error linear unit, by its tanh."""
    found: NDArray[np.float32] = x / 2 * (1 + np.tanh(np.float32(math.sqrt(2 / math.pi)) * (x + 0.044715 * x**3)))
    return found

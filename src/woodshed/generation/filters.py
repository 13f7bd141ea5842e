"""Sampling as a list of small pure functions on log-probabilities.

Each takes logits (B, V), with minus infinity where a symbol is impossible, and returns new ones; none makes
the last possible symbol impossible. `draw` applies them in this order: temperature, top-k, top-p, min-p; then it draws.
`engine_draw` does the same for one row in compiled code, and decides about copying before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs import FIELDS
from woodshed.errors import OutOfRange, UnknownName

Logits = NDArray[np.float64]
MOST_BELOW = 800.0
"""exp(-800) is 0."""


@dataclass(frozen=True)
class Sampling:
    """How freely to draw. The same for all fields, unless ``temperatures`` says otherwise."""

    temperature: float = 0.95
    """0 always takes the likeliest symbol; 1 draws as the model believes; more is wilder. 0-5."""
    temperatures: dict[str, float] = field(default_factory=dict)
    """Field name -> its own temperature."""
    top_k: int = 0
    """Only the k likeliest symbols; 0 is all. In `band` filters spare some of it, see `engine_draw`."""
    top_p: float = 0.98
    """Only the likeliest symbols that together hold this probability, above 0 to 1."""
    min_p: float = 0.0
    """Only symbols at least this share as likely as the likeliest, 0 to below 1."""
    repetition: float = 1.0
    """How much of its own past a song copies: 0 nothing, 1 as much as the learned songs do, 2 loops; 0-10. Of recipes
    that are one sequence: what the odds of copying are multiplied by."""
    steering: float = 1.0
    """How firmly bars are held to the levels that are asked of them (density, register, syncopation, velocity): 0 as
    learned, 1 firmly, 0-2. Of `band`, as is ``steady``."""
    steady: bool = False
    """Whether velocity and microtiming are the middle of what is likely, and not drawn."""

    def __post_init__(self) -> None:
        _within("steering", self.steering, 0, 2)
        _within("temperature", self.temperature, 0, 5)
        for name, value in self.temperatures.items():
            if name not in FIELDS:
                raise UnknownName(f"field {name!r} is not one of {', '.join(FIELDS)}")
            _within(f"temperature of {name}", value, 0, 5)
        _within("top-k", self.top_k, 0, 100_000)
        _within("top-p", self.top_p, 1e-6, 1)
        _within("min-p", self.min_p, 0, 0.999999)
        _within("repetition", self.repetition, 0, 10)

    def temperature_of(self, field_index: int) -> float:
        """The temperature of one field."""
        return self.temperatures.get(FIELDS[field_index], self.temperature)


def numbers_of(sampling: Sampling) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For compiled players: (6,) top-k, top-p, min-p, repetition, steering, steady; (6,) temperature of each field."""
    temperatures = np.array([sampling.temperature_of(field) for field in range(len(FIELDS))], np.float64)
    numbers = sampling.top_k, sampling.top_p, sampling.min_p, sampling.repetition, sampling.steering, sampling.steady
    return np.array(numbers, np.float64), temperatures


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise OutOfRange(f"{name} {value:g} is outside {low:g}-{high:g}; leave it out for the default")


def warm(logits: Logits, temperature: float) -> Logits:
    """Divide by the temperature; 0 leaves only the likeliest symbol."""
    if temperature == 1:
        return logits
    if temperature > 0:
        below: Logits = logits - logits.max(
            1, keepdims=True
        )  # from 0 down: the coldest temperature leaves the likeliest at 0
        with np.errstate(over="ignore"):
            return below / temperature
    return np.where(np.arange(logits.shape[1]) == logits.argmax(1)[:, None], 0.0, -np.inf)


def keep_top_k(logits: Logits, k: int) -> Logits:
    """Only the k likeliest (and whatever ties with the last of them)."""
    if not 0 < k < logits.shape[1]:
        return logits
    least = np.partition(logits, -k, axis=1)[:, -k, None]
    return np.where(logits >= least, logits, -np.inf)


def keep_top_p(logits: Logits, p: float) -> Logits:
    """Only the likeliest symbols whose probabilities just reach p (and whatever ties with the last of them)."""
    if p >= 1:
        return logits
    chances = probabilities(logits)
    return np.where(chances >= _least_kept(chances, p), logits, -np.inf)


def _least_kept(chances: Logits, p: float) -> Logits:
    """(B, 1) the chance of the last symbol that `keep_top_p` keeps."""
    ordered = np.sort(chances, axis=1)[:, ::-1]  # values alone sort faster than places
    kept = (np.cumsum(ordered, axis=1) - ordered < p).sum(1)
    least: Logits = ordered[np.arange(len(ordered)), kept - 1][:, None]
    return least


def keep_min_p(logits: Logits, share: float) -> Logits:
    """Only symbols at least ``share`` times as likely as the likeliest."""
    if share <= 0:
        return logits
    return np.where(logits >= logits.max(1, keepdims=True) + np.log(share), logits, -np.inf)


def probabilities(logits: Logits) -> Logits:
    """Softmax over the last axis."""
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    shares: Logits = weights / weights.sum(-1, keepdims=True)
    return shares


def draw(logits: Logits, sampling: Sampling, temperature: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """(B,) one symbol each: temperature, top-k, top-p, min-p, then one uniform number per row from ``rng``."""
    if len(logits) == 1 and sampling.top_k == 0 and sampling.min_p <= 0:
        return np.array([_draw_row(logits[0], sampling.top_p, temperature, rng)])
    logits = keep_top_k(warm(logits, temperature), sampling.top_k)
    if sampling.min_p > 0:
        logits = keep_min_p(keep_top_p(logits, sampling.top_p), sampling.min_p)
    chances = probabilities(logits)
    if sampling.top_p < 1 and sampling.min_p <= 0:  # the same on chances, which are needed anyway
        chances = np.where(chances >= _least_kept(chances, sampling.top_p), chances, 0.0)
    cumulative = np.cumsum(chances, axis=1)
    ticket = rng.random(len(logits))[:, None] * cumulative[:, -1:]
    symbols: NDArray[np.int64] = (cumulative <= ticket).sum(1).clip(max=logits.shape[1] - 1)
    return symbols


def _draw_row(logits: NDArray[np.float64], top_p: float, temperature: float, rng: np.random.Generator) -> int:
    """What `draw` draws for one row (V,) without top-k and min-p, in a third of the time: one stream is in a hurry."""
    ticket = rng.random()
    if temperature == 0:
        return int(logits.argmax())
    weights = logits - logits.max()
    if temperature < 1:
        np.maximum(weights, -MOST_BELOW * temperature, out=weights)  # an overflow would warn
    weights /= temperature
    np.exp(weights, out=weights)
    if top_p < 1:
        ordered = np.sort(weights)[::-1]
        sums = ordered.cumsum()
        weights[weights < ordered[min(sums.searchsorted(top_p * sums[-1]), len(sums) - 1)]] = 0.0
    cumulative = weights.cumsum()
    return min(int(cumulative.searchsorted(ticket * cumulative[-1], side="right")), len(logits) - 1)

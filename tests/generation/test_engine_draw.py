"""The compiled draw: the same chances as the filters in numpy, and copying decided before them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from woodshed.codecs.past import POINTERS
from woodshed.generation import filters
from woodshed.generation.engine_draw import draw
from woodshed.generation.filters import Sampling, numbers_of

SIZE, DRAWS = 12, 20_000
PITCH, DURATION, VELOCITY, MICROTIMING = range(2, 6)
NOBODY = np.full(POINTERS, -1, np.int64)


def _shares(
    logits: NDArray[np.float32], mask: NDArray[np.bool_], expected: NDArray[np.int64], field: int, sampling: Sampling
) -> NDArray[np.float64]:
    chance, nats, counts = np.array([77], np.uint64), np.zeros(2), np.zeros(SIZE)
    for _ in range(DRAWS):
        counts[draw(logits, mask, SIZE, expected, field, *numbers_of(sampling), chance, nats)] += 1
    return counts / DRAWS


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1, top_p=1),
        Sampling(temperature=0.7, top_p=0.8),
        Sampling(temperature=1.6, top_p=1, top_k=4),
        Sampling(temperature=1, top_p=1, min_p=0.2),
        Sampling(temperature=0.9, top_p=0.9, top_k=6, min_p=0.05),
        Sampling(temperature=0),
    ],
)
def test_the_compiled_draw_has_the_chances_of_the_filters(sampling: Sampling) -> None:
    rng = np.random.default_rng(4)
    logits, mask = rng.normal(0, 1.5, SIZE).astype(np.float32), rng.random(SIZE) < 0.7
    masked = np.where(mask, logits.astype(float), -np.inf)[None].repeat(DRAWS, 0)
    expected = np.bincount(filters.draw(masked, sampling, sampling.temperature, rng), minlength=SIZE) / DRAWS
    found = _shares(logits, mask, NOBODY, PITCH, sampling)
    assert found == pytest.approx(expected, abs=0.015)
    assert ((found > 0) == (expected > 0)).all()
    assert not found[~mask].any()


@pytest.mark.parametrize(("tail", "is_cut"), [([0.025, 0.005], [False, True]), ([0.01, 0.01, 0.01], [True] * 3)])
def test_top_p_spares_what_alone_would_hold_most_of_what_may_be_cut(tail: list[float], is_cut: list[bool]) -> None:
    """So that a loop of which a model is sure can be left."""
    logits = np.full(SIZE, -30.0, np.float32)
    logits[: 1 + len(tail)] = np.log([0.97, *tail])
    found = _shares(logits, np.ones(SIZE, bool), NOBODY, PITCH, Sampling(temperature=1, top_p=0.97))
    assert (found[1 : 1 + len(tail)] == 0).tolist() == is_cut


def test_how_loud_and_how_early_is_drawn_as_the_model_believes_whatever_filters_are_set() -> None:
    logits = np.log(np.linspace(1, 9, SIZE)).astype(np.float32)
    believed = np.exp(logits) / np.exp(logits).sum()
    sampling = Sampling(temperature=1, top_p=0.5, top_k=3, min_p=0.8)
    for field in (VELOCITY, MICROTIMING):
        assert _shares(logits, np.ones(SIZE, bool), NOBODY, field, sampling) == pytest.approx(believed, abs=0.015)
    assert _shares(logits, np.ones(SIZE, bool), NOBODY, VELOCITY, Sampling(temperature=0))[-1] == 1


def test_of_how_long_a_third_as_much_is_cut() -> None:
    logits = np.log(np.array([0.8, *[0.02] * 10, 0.0001])).astype(np.float32)
    sampling = Sampling(temperature=1, top_p=0.75)
    assert (_shares(logits, np.ones(SIZE, bool), NOBODY, DURATION, sampling) > 0).sum() > 1
    assert (_shares(logits, np.ones(SIZE, bool), NOBODY, PITCH, sampling) > 0).sum() == 1


@pytest.mark.parametrize("repetition", [0.0, 0.3, 0.99, 1.5])
def test_copying_has_the_odds_that_the_dial_asks_for_whatever_top_p_cuts(repetition: float) -> None:
    logits = np.full(SIZE, -3.0, np.float32)
    logits[5] = 3.0  # what the past expects: 96 % as the model says
    expected = NOBODY.copy()
    expected[0] = 5
    whole = np.exp(3.0), 11 * np.exp(-3.0)
    times = min(repetition, 1) ** (1 / 3) * np.exp(2 * max(repetition - 1, 0))
    share = times * whole[0] / (times * whole[0] + whole[1])
    sampling = Sampling(temperature=1, top_p=0.5, repetition=repetition)
    found = _shares(logits, np.ones(SIZE, bool), expected, PITCH, sampling)
    assert found[5] == pytest.approx(share, abs=0.01)


def test_where_there_is_nothing_but_copying_a_dial_at_0_copies() -> None:
    mask = np.zeros(SIZE, bool)
    mask[3] = True
    expected = NOBODY.copy()
    expected[1] = 3
    assert _shares(np.zeros(SIZE, np.float32), mask, expected, PITCH, Sampling(repetition=0))[3] == 1


def test_nothing_that_may_be_drawn_is_told() -> None:
    chance, nats = np.array([1], np.uint64), np.zeros(2)
    nothing = draw(
        np.zeros(SIZE, np.float32), np.zeros(SIZE, bool), SIZE, NOBODY, PITCH, *numbers_of(Sampling()), chance, nats
    )
    assert nothing == -1

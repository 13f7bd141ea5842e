"""Sampling filters: pure functions on logits."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.errors import OutOfRange, UnknownName
from woodshed.generation.filters import (
    Sampling,
    draw,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    numbers_of,
    probabilities,
    warm,
)

LOGITS = np.log(np.array([[0.5, 0.3, 0.15, 0.05]]))


def _left(logits: np.ndarray) -> list[int]:
    return np.flatnonzero(np.isfinite(logits[0])).tolist()


def test_a_tiny_temperature_takes_the_likeliest_and_never_what_is_impossible() -> None:
    logits = np.array([[900.0, -np.inf, 899.0, -900.0]])
    assert probabilities(warm(logits, 1e-310)).tolist() == [[1, 0, 0, 0]]


def test_top_k_keeps_the_k_likeliest() -> None:
    assert _left(keep_top_k(LOGITS, 2)) == [0, 1]
    assert _left(keep_top_k(LOGITS, 0)) == [0, 1, 2, 3]


def test_top_p_keeps_just_enough_to_reach_p() -> None:
    assert _left(keep_top_p(LOGITS, 0.5)) == [0]
    assert _left(keep_top_p(LOGITS, 0.51)) == [0, 1]
    assert _left(keep_top_p(LOGITS, 1.0)) == [0, 1, 2, 3]


def test_min_p_measures_against_the_likeliest() -> None:
    assert _left(keep_min_p(LOGITS, 0.5)) == [0, 1]


def test_temperature_zero_leaves_the_likeliest_and_one_changes_nothing() -> None:
    assert _left(warm(LOGITS, 0)) == [0]
    assert np.array_equal(warm(LOGITS, 1), LOGITS)
    assert probabilities(warm(LOGITS, 2))[0, 0] < 0.5


def test_no_filter_takes_the_last_possible_symbol_away() -> None:
    only = np.array([[-np.inf, 0.0, -np.inf]])
    sampling = Sampling(temperature=0.5, top_k=1, top_p=0.01, min_p=0.9, repetition=0)
    assert draw(only, sampling, 0.5, np.random.default_rng(0)).tolist() == [1]


def test_draws_follow_the_probabilities_and_never_touch_the_impossible() -> None:
    logits = np.repeat(np.append(LOGITS, [[-np.inf]], axis=1), 4000, 0)
    sampling = Sampling(temperature=1, top_p=1)
    drawn = draw(logits, sampling, 1.0, np.random.default_rng(1))
    assert np.bincount(drawn, minlength=5) / 4000 == pytest.approx([0.5, 0.3, 0.15, 0.05, 0], abs=0.03)
    assert (drawn < 4).all()


def test_one_field_can_have_its_own_temperature() -> None:
    sampling = Sampling(temperature=1, temperatures={"pitch": 0.0})
    assert sampling.temperature_of(2) == 0
    assert sampling.temperature_of(3) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1}, {"top_p": 0}, {"top_k": -1}, {"min_p": 1}, {"repetition": 11}, {"temperature": np.nan}],
)
def test_a_setting_outside_its_range_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(OutOfRange, match="is outside"):
        Sampling(**wrong)  # type: ignore[arg-type]


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(UnknownName, match="loudness"):
        Sampling(temperatures={"loudness": 1})


@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_p", [0.2, 0.9, 1.0])
def test_one_row_draws_what_it_draws_among_others(temperature: float, top_p: float) -> None:
    chance = np.random.default_rng(5)
    sampling = Sampling(top_p=top_p)
    for seed in range(200):
        logits = chance.normal(0, 3, (3, 40))
        logits[:, chance.random(40) < 0.3] = -np.inf
        logits[:, 7] = 0.0
        alone = draw(logits[:1], sampling, temperature, np.random.default_rng(seed))
        among = draw(logits, sampling, temperature, np.random.default_rng(seed))
        assert alone.shape == (1,)
        assert alone[0] == among[0]


def test_a_temperature_that_is_a_whole_number_asks_for_no_other_machine_code() -> None:
    warm, whole = numbers_of(Sampling(temperature=0.9)), numbers_of(Sampling(temperature=1))
    assert [one.dtype for one in warm] == [one.dtype for one in whole]

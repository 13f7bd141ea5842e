"""Exact intervals, Bradley-Terry strengths and agreement, against published and hand-worked figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from woodshed.errors import OutOfRange
from woodshed.evaluation.listening_statistics import agreement, bradley_terry, exact_share, strength_intervals

# Krippendorff (2011), section C: 4 observers, 12 units, answers missing; nominal alpha 0.743.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, -1, -1, -1],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, -1, 3],
        [-1, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, -1],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, -1],
    ]
)


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(0, 10, 0.0, 0.3085), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0), (8, 10, 0.4439, 0.9748), (1, 1, 0.025, 1.0)],
)
def test_exact_intervals_have_their_tabled_values(successes: int, count: int, low: float, high: float) -> None:
    found = exact_share(successes, count)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 400), st.data())
def test_an_exact_interval_ends_where_the_binomial_tail_is_a_fortieth(count: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, count))
    found = exact_share(successes, count)
    assert found.low <= successes / count <= found.high
    if successes:
        assert binom.sf(successes - 1, count, found.low) == pytest.approx(0.025, abs=1e-6)
    if successes < count:
        assert binom.cdf(successes, count, found.high) == pytest.approx(0.025, abs=1e-6)


def test_a_share_of_nothing_is_anything_and_says_so() -> None:
    found = exact_share(0, 0)
    assert (found.share, found.low, found.high, found.caution) == (None, 0.0, 1.0, "n too small: 0 answers")
    assert exact_share(12, 20).caution == ""
    assert exact_share(1, 1).caution == "n too small: 1 answer"


@pytest.mark.parametrize("wins", [[[0.0]], [[np.nan, 1.0], [1.0, 0.0]], [[0.0, np.inf], [1.0, 0.0]], [[0, -1], [0, 0]]])
def test_a_source_alone_or_counts_that_are_none_have_no_strength(wins: list[list[float]]) -> None:
    with pytest.raises(OutOfRange, match=r"two sources or more|counts"):
        bradley_terry(wins)


def test_more_successes_than_answers_are_refused() -> None:
    with pytest.raises(OutOfRange, match="3 successes of 2"):
        exact_share(3, 2)


def test_two_sources_have_the_log_odds_of_their_answers_and_half_a_prior_answer() -> None:
    strengths = bradley_terry([[0, 30], [10, 0]])
    assert strengths[0] - strengths[1] == pytest.approx(np.log(30.5 / 10.5))
    assert strengths.sum() == pytest.approx(0.0)


def test_strengths_solve_the_likelihood_equations() -> None:
    """At the maximum every source has won as often as its strength foretells, prior answers included."""
    rng = np.random.default_rng(3)
    wins = rng.integers(0, 30, (5, 5)).astype(float) * (1 - np.eye(5))
    strengths = bradley_terry(wins)
    with_prior = (wins + 0.5) * (1 - np.eye(5))
    foretold = (with_prior + with_prior.T) / (1 + np.exp(strengths[None, :] - strengths[:, None]))
    assert foretold.sum(1) == pytest.approx(with_prior.sum(1), abs=1e-6)


def test_known_strengths_are_found_again() -> None:
    rng, true = np.random.default_rng(0), np.array([0.9, 0.2, -0.3, -0.8])
    chance = 1 / (1 + np.exp(true[None, :] - true[:, None]))
    wins = np.zeros((4, 4))
    for first, second in zip(*np.triu_indices(4, 1), strict=True):
        wins[first, second] = rng.binomial(4000, chance[first, second])
        wins[second, first] = 4000 - wins[first, second]
    assert bradley_terry(wins) == pytest.approx(true, abs=0.05)


def test_a_source_that_always_or_never_wins_has_a_finite_strength() -> None:
    always = bradley_terry([[0, 50, 50], [0, 0, 25], [0, 25, 0]])
    assert np.isfinite(always).all()
    assert always[0] > 3
    assert bradley_terry(np.zeros((3, 3))) == pytest.approx(np.zeros(3))
    apart = bradley_terry([[0, 9, 0, 0], [1, 0, 0, 0], [0, 0, 0, 3], [0, 0, 7, 0]])  # two pairs that never met
    assert np.isfinite(apart).all()


def test_many_data_at_once_are_each_alone() -> None:
    wins = np.random.default_rng(1).integers(0, 20, (6, 3, 3))
    assert bradley_terry(wins) == pytest.approx(np.array([bradley_terry(one) for one in wins]), abs=1e-6)


@pytest.mark.parametrize("wins", [[[0, -1], [0, 0]], [[0, 1, 2], [0, 1, 2]], [1, 2]])
def test_wins_that_cannot_be_are_refused(wins: list[object]) -> None:
    with pytest.raises(OutOfRange, match="give counts"):
        bradley_terry(wins)


def test_strength_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Readers with tastes of their own: of 60 experiments the interval holds the mean strength in most."""
    rng, held = np.random.default_rng(5), 0
    for _ in range(60):
        tastes = rng.normal(0.6, 0.8, 24)  # log odds of each reader
        won = rng.binomial(10, 1 / (1 + np.exp(-tastes)))
        wins = np.zeros((24, 2, 2))
        wins[:, 0, 1], wins[:, 1, 0] = won, 10 - won
        low, high = strength_intervals(wins, rng)
        many = 1 / (1 + np.exp(-rng.normal(0.6, 0.8, 20000)))
        truth = np.log(many.mean() / (1 - many.mean())) / 2
        held += bool(low[0] <= truth <= high[0])
    assert held >= 52


def test_agreement_is_that_of_krippendorffs_example() -> None:
    found = agreement(PUBLISHED, np.random.default_rng(0))
    assert found.alpha == pytest.approx(0.743, abs=5e-4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.743 < found.high
    assert (found.items, found.answers) == (11, 40)


def test_agreement_is_one_of_readers_who_always_agree_and_nought_of_readers_who_guess() -> None:
    rng = np.random.default_rng(2)
    same = np.tile(rng.integers(0, 2, 40), (5, 1))
    assert agreement(same, rng).alpha == 1.0
    guessed = agreement(rng.integers(0, 2, (8, 600)), rng)
    assert guessed.alpha == pytest.approx(0.0, abs=0.05)
    assert guessed.low is not None
    assert guessed.high is not None
    assert guessed.low < 0 < guessed.high


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (np.zeros((3, 12), int), "all answers are the same"),
        (np.array([[0, 1, -1], [-1, -1, 1]]), "no item has two answers"),
        (np.full((2, 4), -1), "no item has two answers"),
        (np.zeros((0, 4), int), "no item has two answers"),
    ],
)
def test_where_agreement_is_not_defined_the_reason_is_given(answers: np.ndarray, why: str) -> None:
    found = agreement(answers, np.random.default_rng(0))
    assert (found.alpha, found.low, found.high) == (None, None, None)
    assert why in found.caution


def test_few_items_have_a_figure_but_no_interval() -> None:
    found = agreement([[0, 1, 1], [0, 1, 0]], np.random.default_rng(0))
    assert found.alpha == pytest.approx(4 / 9)
    assert (found.low, found.caution) == (None, "n too small: 3 items")

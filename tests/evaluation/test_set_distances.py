"""Two sets of songs in one figure: alike, apart, as scipy's densities have it, and nothing where songs are too few."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from woodshed.errors import OutOfRange
from woodshed.evaluation.set_distances import kl_divergence, overlapping_area, set_distance


def test_area_and_divergence_are_those_of_scipys_densities() -> None:
    rng = np.random.default_rng(1)
    first, second = np.abs(rng.normal(2.0, 1.0, 400)), np.abs(rng.normal(2.5, 1.4, 300))
    places = np.linspace(-10, 20, 20_001)
    p, q = (stats.gaussian_kde(sample)(places) for sample in (first, second))
    step = places[1] - places[0]
    assert overlapping_area(first, second) == pytest.approx(np.minimum(p, q).sum() * step, abs=2e-3)
    log_ratio = np.log(np.maximum(p, 1e-300) / np.maximum(q, 1e-300))
    assert kl_divergence(first, second) == pytest.approx((p * log_ratio).sum() * step, abs=5e-3)


def test_a_sample_lies_wholly_under_itself() -> None:
    sample = np.random.default_rng(0).normal(size=50)
    assert overlapping_area(sample, sample) == pytest.approx(1.0, abs=1e-6)
    assert kl_divergence(sample, sample) == pytest.approx(0.0, abs=1e-9)


def test_two_samples_of_one_kind_overlap_and_two_far_apart_do_not() -> None:
    rng = np.random.default_rng(0)
    real, near, far = rng.normal(0, 1, 40), rng.normal(0, 1, 40), rng.normal(9, 1, 40)
    alike, apart = (set_distance(real, made, np.random.default_rng(0)) for made in (near, far))
    assert alike.overlap > 0.8
    assert alike.divergence < 0.2
    assert alike.values > 0.7
    assert apart.overlap < 0.05
    assert apart.divergence > 3.0
    assert apart.values < 0.01
    assert alike.overlap_low <= alike.overlap <= alike.overlap_high
    assert (alike.real, alike.made, alike.caution) == (40, 40, "")


def test_the_mean_distances_are_those_of_pairs_of_different_songs() -> None:
    found = set_distance([0.0, 1.0, 3.0], [5.0, 6.0, 8.0], np.random.default_rng(0))
    assert found.real_intra == pytest.approx((1 + 3 + 2) / 3)
    assert found.made_intra == pytest.approx((1 + 3 + 2) / 3)
    assert found.inter == pytest.approx(np.mean([abs(a - b) for a in (0, 1, 3) for b in (5, 6, 8)]))
    same_song = set_distance(
        [0.0, 100.0, 1.0, 3.0], [5.0, 6.0, 8.0], np.random.default_rng(0), real_songs=["a", "a", "b", "c"]
    )
    assert same_song.real_intra == pytest.approx(np.mean([1, 3, 99, 97, 2]))


def test_a_histogram_is_one_point_and_its_distance_euclidean() -> None:
    real, made = np.eye(4), np.eye(4)[[0, 0, 1, 1]]
    found = set_distance(real, made, np.random.default_rng(0))
    assert found.real_intra == pytest.approx(math.sqrt(2))
    assert found.values == pytest.approx(0.5)  # of the mean histograms


def test_sets_that_do_not_vary_at_all_are_compared_and_finite() -> None:
    equal = set_distance([2.0] * 5, [2.0] * 5, np.random.default_rng(0))
    assert (equal.overlap, equal.values) == (pytest.approx(1.0, abs=1e-6), pytest.approx(1.0, abs=1e-6))
    other = set_distance([2.0] * 5, [3.0] * 5, np.random.default_rng(0))
    assert other.overlap == pytest.approx(0.0, abs=1e-6)
    assert math.isfinite(other.divergence)


def test_the_interval_is_wider_where_all_pieces_are_of_few_songs() -> None:
    rng = np.random.default_rng(0)
    songs = np.repeat(np.arange(12), 5)
    real = rng.normal(0, 1, 12)[songs] + rng.normal(0, 0.1, 60)
    made = rng.normal(0, 1, 60)
    alone, grouped = (
        set_distance(real, made, np.random.default_rng(0), real_songs=names) for names in (None, songs.tolist())
    )
    assert grouped.values_high - grouped.values_low > alone.values_high - alone.values_low


@pytest.mark.parametrize(("real", "made"), [([], []), ([1.0], [1.0, 2.0, 3.0]), ([1.0, 2.0], [1.0, 2.0])])
def test_too_few_songs_give_no_result_but_a_reason(real: list[float], made: list[float]) -> None:
    found = set_distance(real, made, np.random.default_rng(0))
    assert found.too_few.startswith("n too small")
    assert (found.overlap_low, found.overlap_high) == (0.0, 1.0)
    assert all(math.isfinite(value) for value in vars(found).values() if isinstance(value, float))


def test_few_songs_are_marked() -> None:
    assert set_distance([1.0, 2.0, 4.0], [1.0, 2.0, 4.0], np.random.default_rng(0)).caution == "n too small: 3 songs"


def test_what_cannot_be_compared_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(OutOfRange, match="of 3 and 2 numbers"):
        set_distance(np.ones((4, 3)), np.ones((4, 2)), rng)
    with pytest.raises(OutOfRange, match="not finite"):
        set_distance([1.0, math.nan, 2.0], [1.0, 2.0, 3.0], rng)
    with pytest.raises(OutOfRange, match="takes a distance"):
        overlapping_area([], [1.0])

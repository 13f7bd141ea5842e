"""Means over clips, and their intervals over songs."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.errors import OutOfRange
from woodshed.evaluation.bootstrap import group_numbers, mean_interval, ratio_interval


def test_the_mean_lies_in_its_interval_and_the_interval_shrinks_with_more_clips() -> None:
    rng = np.random.default_rng(0)
    few, many = (mean_interval(rng.normal(size=count), None, rng) for count in (20, 500))
    assert few.low < few.mean < few.high
    assert many.high - many.low < few.high - few.low


def test_the_interval_of_independent_clips_is_that_of_the_normal_law() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=400)
    found = mean_interval(values, None, rng)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 400**0.5, rel=0.1)


def test_clips_of_one_song_do_not_count_as_many_songs() -> None:
    """Ten songs, each with ten equal clips, are ten draws."""
    rng = np.random.default_rng(2)
    songs = rng.normal(size=10)
    names = [str(song) for song in range(10) for _ in range(10)]
    repeated, alone = mean_interval(np.repeat(songs, 10), names, rng), mean_interval(songs, None, rng)
    assert (repeated.count, repeated.groups) == (100, 10)
    assert repeated.high - repeated.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_one_song_has_a_mean_but_no_known_interval() -> None:
    found = mean_interval([1.0, 3.0], ["a", "a"], np.random.default_rng(0))
    assert (found.mean, found.low, found.high, found.is_known) == (2.0, 2.0, 2.0, False)


def test_no_clips_at_all_are_said_to_be_none() -> None:
    found = mean_interval([], None, np.random.default_rng(0))
    assert (found.mean, found.count, found.is_known) == (0.0, 0, False)


def test_a_clip_without_a_song_is_refused() -> None:
    with pytest.raises(OutOfRange, match="1 groups for 2 values"):
        group_numbers(["a"], 2)


def test_a_ratio_of_sums_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        notes = rng.integers(50, 150, 40).astype(float)
        found = ratio_interval(notes * rng.normal(5, 1, 40), notes, rng)
        covered += found.low <= 5 <= found.high
    assert 85 <= covered <= 100


def test_songs_without_notes_do_not_count_in_a_ratio() -> None:
    found = ratio_interval([10.0, 0.0, 30.0], [5, 0, 10], np.random.default_rng(0))
    assert (found.mean, found.count, found.groups) == (pytest.approx(40 / 15), 15, 2)
    assert (found.low, found.high) == (2.0, 3.0)


@pytest.mark.parametrize(("amounts", "sizes"), [([], []), ([3.0], [0])])
def test_a_ratio_of_nothing_is_no_number_that_means_anything(amounts: list[float], sizes: list[int]) -> None:
    found = ratio_interval(amounts, sizes, np.random.default_rng(0))
    assert (found.mean, found.count, found.caution) == (0.0, 0, "n too small: nothing to count")


def test_few_songs_are_marked_and_ten_are_not() -> None:
    rng = np.random.default_rng(0)
    assert mean_interval([1.0] * 9, None, rng).caution == "n too small: 9 songs"
    assert mean_interval([1.0] * 10, None, rng).caution == ""
    with pytest.raises(OutOfRange, match="2 amounts for 1 sizes"):
        ratio_interval([1.0, 2.0], [1.0], rng)

"""Parallels, motion and copies of chorales on a grid; mixtures whose shares follow the past."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.evaluation.voice_grids import copied_share, mixture_nats, motion


def grid(*frames: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(frames, np.int64)


def test_parallels_are_counted_among_pairs_that_move() -> None:
    found = motion([grid((72, 67, 60, 48), (74, 69, 60, 50), (74, 69, 60, 50), (-1, 69, 60, 48))])
    # Frame 1: soprano, alto and bass move, by a tone: soprano-alto a fourth apart, alto-bass a twelfth, soprano-bass
    # two octaves. The tenor holds. Frame 2 holds; in frame 3 only the bass moves, and the soprano rests.
    assert (found.pairs, found.moving, found.fifths, found.octaves) == (6 + 6 + 3, 3, 1, 1)
    assert found.fifths_per_1000 == pytest.approx(1000 / 3)
    assert found.moving_share == 3 / 15


def test_contrary_motion_and_crossed_voices() -> None:
    assert motion([grid((67, 60, 55, 48), (69, 60, 55, 38))]).fifths == 0
    assert motion([grid((60, 67, 50, 41), (62, 69, 50, 41))]).fifths == 1


def test_nothing_gives_nothing() -> None:
    empty = motion([])
    assert (empty.moving_share, empty.fifths_per_1000, empty.octaves_per_1000) == (0, 0, 0)
    assert copied_share([], []) == 0
    assert motion([np.empty((0, 4), np.int64)]).pairs == 0


def test_a_planted_passage_in_another_key_is_found_and_a_changed_one_is_not() -> None:
    chance = np.random.default_rng(0)
    learned = chance.integers(40, 80, (100, 4))
    new = chance.integers(40, 80, (90, 4))
    new[20:55] = learned[30:65] + 3
    assert copied_share([new], [learned]) == pytest.approx(35 / 90)
    new[38, 2] += 1
    assert copied_share([new], [learned]) == 0


def test_one_expert_is_itself_and_equal_shares_are_the_mean() -> None:
    chances = np.log(np.array([[0.5, 0.1, 0.9], [0.1, 0.3, 0.2]]))
    assert mixture_nats(chances[:1]) == pytest.approx(-chances[0])
    assert mixture_nats(chances, trust=0) == pytest.approx(-np.log([0.3, 0.2, 0.55]))


def test_shares_follow_the_past_only() -> None:
    good, bad = np.full(50, np.log(0.9)), np.full(50, np.log(0.1))
    found = mixture_nats(np.stack((good, bad)), memory=1.0)
    assert found[0] == pytest.approx(-np.log(0.5))  # the first frame is the mean: nothing was heard yet
    assert found[1] == pytest.approx(-np.log(0.9 * 0.9 + 0.1 * 0.1))  # Bayes: 0.9 and 0.1 are the shares
    assert found[-1] == pytest.approx(-np.log(0.9))

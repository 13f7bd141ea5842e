"""Points between and around others in a latent space."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import OutOfRange
from woodshed.generation.latent import blend, grid_points, slerp, walk

SHARES = st.floats(0, 1)


def points(count: int, size: int = 16, seed: int = 0) -> np.ndarray:
    """Some of the prior's."""
    return np.random.default_rng(seed).standard_normal((count, size))


@given(st.integers(0, 2**32), SHARES)
def test_an_arc_between_equally_long_points_keeps_their_length(seed: int, share: float) -> None:
    a, b = points(2, seed=seed)
    b *= np.linalg.norm(a) / np.linalg.norm(b)
    assert np.linalg.norm(slerp(a, b, share)) == pytest.approx(np.linalg.norm(a))


def test_an_arc_is_exact_at_both_ends_and_even_between() -> None:
    a, b = points(2)
    assert np.array_equal(slerp(a, b, 0), a)
    assert np.array_equal(slerp(a, b, 1), b)
    right = slerp(np.array([1.0, 0]), np.array([0, 1.0]), 1 / 3)
    assert right == pytest.approx([np.cos(np.pi / 6), np.sin(np.pi / 6)])


def test_where_there_is_no_arc_the_way_is_straight() -> None:
    a = points(1)[0]
    assert slerp(a, a, 0.5) == pytest.approx(a)
    assert slerp(a, -a, 0.25) == pytest.approx(a / 2)
    assert slerp(np.zeros(16), a, 0.5) == pytest.approx(a / 2)


def test_a_grid_has_its_corners() -> None:
    corners = points(4)
    grid = grid_points(corners, 5).reshape(5, 5, -1)
    assert np.array_equal(grid[[0, 0, 4, 4], [0, 4, 0, 4]], corners)
    assert np.array_equal(grid[0, 2], slerp(corners[0], corners[1], 0.5))


def test_a_blend_keeps_nothing_at_one_and_all_at_zero() -> None:
    a, noise = points(1), points(1, seed=1)
    assert np.array_equal(blend(a, noise, 0), a)
    assert np.array_equal(blend(a, noise, 1), noise)
    with pytest.raises(OutOfRange, match="outside 0-1"):
        blend(a, noise, 1.1)


def test_a_walk_is_distributed_as_the_prior_and_its_neighbours_are_alike() -> None:
    path = walk(np.random.default_rng(0), 400, 64, 0.5)
    assert path.std() == pytest.approx(1, abs=0.03)
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in pairwise(path)]
    assert np.mean(likeness) == pytest.approx(np.sqrt(0.75), abs=0.03)

"""Many clips in one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from woodshed.errors import UnknownName
from woodshed.music import Part, Song
from woodshed.rendering.roll_grid import draw_roll_grid

KIT, FLUTE = Part("Kit", 0, is_drum=True), Part("Flute", 73)


def clip(seed: int, drums: tuple[int, ...] = (36, 38, 42)) -> Song:
    """A bar of drums and a flute."""
    chance = np.random.default_rng(seed)
    hits = [(0, step * 120, 60, int(chance.choice(drums)), 90) for step in range(16)]
    return Song.make([*hits, (1, 0, 960, 60 + seed, 90)], [KIT, FLUTE], title=f"Clip {seed} $ \u2603", length=1920)


def pixels(path: Path) -> np.ndarray:
    """(height, width, 4)"""
    from matplotlib.image import imread

    return imread(path)


def test_a_grid_of_clips_is_drawn_and_shows_what_differs(tmp_path: Path) -> None:
    songs = [clip(seed) for seed in range(4)]
    draw_roll_grid(songs, 2, tmp_path / "a.png")
    draw_roll_grid(songs[::-1], 2, tmp_path / "b.png")
    a, b = pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png")
    assert a.shape == b.shape
    assert not np.array_equal(a, b)
    draw_roll_grid(songs, 2, tmp_path / "c.png")
    assert np.array_equal(a, pixels(tmp_path / "c.png"))


def test_many_drums_and_empty_songs_can_be_drawn(tmp_path: Path) -> None:
    draw_roll_grid([clip(1, tuple(range(35, 82))), Song(), Song(parts=(KIT,), length=1920)], 2, tmp_path / "x.svg")
    assert (tmp_path / "x.svg").stat().st_size > 1000


def test_an_ending_that_is_no_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"x\.mid"):
        draw_roll_grid([clip(1)], 1, tmp_path / "x.mid")

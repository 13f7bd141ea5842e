"""A grid sets feel aside and never loses it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.music import Grid, Part, Song

STEPS = [1, 2, 4, 8, 12, 24, 48]
played = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 20_000), st.integers(1, 4000), st.integers(0, 127), st.integers(1, 127)
    ),
    max_size=30,
)


def song_of(rows: list[tuple[int, ...]], **rest: object) -> Song:
    return Song.make(rows, [Part("A"), Part("B"), Part("Drums", is_drum=True)], **rest)


@given(played, st.sampled_from(STEPS))
def test_the_song_comes_back_exactly(rows: list[tuple[int, ...]], steps: int) -> None:
    song = song_of(rows, tempos=[(0, 90.0)], title="as played")
    assert Grid.of(song, steps).to_song() == song


@given(played, st.sampled_from(STEPS))
def test_without_feel_everything_is_on_the_grid(rows: list[tuple[int, ...]], steps: int) -> None:
    straight = Grid.of(song_of(rows), steps).to_song(feel=0)
    assert (straight.notes["onset"] % (480 // steps) == 0).all()
    assert (straight.notes["duration"] % (480 // steps) == 0).all()
    assert (straight.notes["duration"] > 0).all()


@given(played, st.sampled_from(STEPS))
def test_no_onset_moves_further_than_half_a_step(rows: list[tuple[int, ...]], steps: int) -> None:
    grid = Grid.of(song_of(rows), steps)
    assert (np.abs(grid.notes["onset_deviation"].astype(int)) * 2 <= 480 // steps).all()


@given(played)
def test_gridding_twice_changes_nothing(rows: list[tuple[int, ...]]) -> None:
    once = Grid.of(song_of(rows)).to_song(feel=0)
    assert Grid.of(once).to_song(feel=0) == once


def test_half_the_feel_is_half_the_deviation() -> None:
    song = song_of([(0, 480 + 16, 480 - 16, 60, 90)])
    note = Grid.of(song).to_song(feel=0.5).notes[0]
    assert (note["onset"], note["duration"]) == (488, 472)


def test_triplets_and_sixteenths_lie_on_the_default_grid() -> None:
    song = song_of([(0, onset, 120, 60, 90) for onset in (0, 120, 160, 240, 320, 360)])
    assert Grid.of(song).notes["onset_deviation"].tolist() == [0] * 6


def test_the_rows_of_a_grid_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Grid.of(song_of([(0, 0, 1, 60, 90)])).notes["onset"][0] = 3


def test_bar_lines_are_in_steps() -> None:
    song = song_of([(0, 0, 3360, 60, 90)], meters=[(0, 4, 4), (1920, 3, 4)])
    assert Grid.of(song).bar_lines().tolist() == [0, 48, 84]

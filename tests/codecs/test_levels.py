"""Levels of bars: each figure by hand, and what must hold of any notes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs.levels import AS_IT_COMES, CONTROLS, EDGES, LEVELS, figures, levels, levels_of

DRUMS_AND_LEAD = np.array([True, False])
FOUR_BARS = np.arange(5) * 48


def _measure(notes: list[tuple[int, int, int, int]], lines: np.ndarray = FOUR_BARS) -> np.ndarray:
    """Figures of (step, part, pitch, velocity id) rows."""
    table = np.array(notes, np.int64).reshape(-1, 4)
    return figures(*table.T, DRUMS_AND_LEAD, lines)


def _syncopation(*steps: int, bar: int = 0, lines: np.ndarray = FOUR_BARS) -> float:
    """Of one bar of a lead that plays on these steps."""
    return float(_measure([(step, 1, 60, 20) for step in steps], lines)[bar, 2])


def test_a_bar_is_measured_as_by_hand() -> None:
    bar = _measure([(0, 0, 36, 31), (0, 1, 60, 20), (24, 1, 67, 10), (48, 0, 38, 4)])
    assert bar[0].tolist() == pytest.approx([3, 63.5, 0, (126 + 82 + 42) / 3])
    assert np.isnan(bar[1, 1])
    assert bar[1, [0, 2, 3]].tolist() == [1, 0, 18]
    assert bar[2, 0] == 0
    assert np.isnan(bar[2, 1:]).all()


def test_a_bar_in_which_nothing_plays_has_no_density_and_no_other_level() -> None:
    empty = np.empty(0, np.int64)
    found = levels(empty, empty, empty, empty, DRUMS_AND_LEAD, FOUR_BARS)
    assert found.dtype == np.int8
    assert found.tolist() == [[0, AS_IT_COMES, AS_IT_COMES, AS_IT_COMES]] * 4


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((0, 12, 24, 36), 0),
        (tuple(range(0, 54, 6)), 0),  # straight eighths up to the bar line
        (tuple(range(0, 52, 4)), 0),  # triplets
        ((12, 36), 0),  # a backbeat
        ((0, 6, 24, 36), (0 + 1) / 4),  # the off-beat rings over beat 2
        ((0, 18), (0 + 3) / 2),  # over beat 3 and the bar line
        ((0, 18, 36), (0 + 2) / 3),  # over beat 3 alone
        ((0, 42), (0 + 3) / 2),
        ((0, 45), (0 + 4) / 2),
        ((0, 3, 12, 24, 36), 1 / 5),  # a sixteenth over the eighth
        ((0, 7, 12, 24, 36), 1 / 5),  # off any grid, over the last sixteenth
        (tuple(range(0, 51, 3)), 0),  # straight sixteenths, though triplets lie between them
    ],
)
def test_a_note_is_syncopated_by_the_strongest_place_that_it_rings_over(
    steps: tuple[int, ...], expected: float
) -> None:
    assert _syncopation(*steps) == pytest.approx(expected)
    assert _syncopation(*steps, *(48 * 2 + step for step in steps), bar=2) == pytest.approx(expected)


def test_a_chord_is_one_onset_and_each_drum_is_a_line_of_its_own() -> None:
    chord = _measure([(6, 1, pitch, 20) for pitch in (60, 64, 67)] + [(12, 1, 60, 20), (24, 1, 60, 20)])
    line = _measure([(step, 1, 60, 20) for step in (6, 12, 24)])
    assert chord[0, 2] == line[0, 2]
    drums = _measure([(6, 0, 42, 20), (12, 0, 36, 20), (48, 0, 42, 20)])
    assert drums[0, 2] == pytest.approx((2 + 0) / 2)  # the kick on beat 2 does not resolve the hi-hat


def test_seven_eight_and_three_four_have_their_own_strong_places() -> None:
    seven, three = np.arange(4) * 42, np.arange(4) * 36
    assert _syncopation(36, 42, lines=seven) == 0
    assert _syncopation(39, 45, lines=seven) == 4  # over the bar line at 42
    assert _syncopation(18, 36, lines=three) == 1  # over beat 3, which weighs no more than beat 2 there
    assert _syncopation(18, 36) == (2 + 0) / 2  # in 4/4 it does


def test_density_is_notes_in_a_bar_of_four_quarters_whatever_the_meter() -> None:
    seven = np.arange(3) * 42
    notes = [(step, 1, 60, 20) for step in range(0, 42, 6)]
    assert _measure(notes, seven)[0, 0] == pytest.approx(8)


def test_edges_are_the_first_figure_of_their_level() -> None:
    for name in CONTROLS:
        assert len(EDGES[name]) == LEVELS - 1
        assert np.all(np.diff(EDGES[name]) > 0)
        assert levels_of(name, EDGES[name]).tolist() == list(range(1, LEVELS))
        assert levels_of(name, np.array(EDGES[name]) - 1e-9).tolist() == list(range(LEVELS - 1))


rows = st.lists(
    st.tuples(st.integers(0, 191), st.integers(0, 1), st.integers(0, 127), st.integers(0, 31)), min_size=1, max_size=60
)


@given(rows, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_levels_are_in_range(notes: list[tuple[int, int, int, int]], chance: object) -> None:
    shuffled = list(notes)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert np.array_equal(_measure(notes), _measure(shuffled), equal_nan=True)
    found = levels(*np.array(notes).T, DRUMS_AND_LEAD, FOUR_BARS)
    assert found.shape == (4, 4)
    assert found.min() >= -1
    assert found.max() < LEVELS


@given(rows, st.integers(0, 40))
def test_moving_music_by_whole_bars_moves_its_levels(notes: list[tuple[int, int, int, int]], bars: int) -> None:
    moved = [(step + 48 * bars, *rest) for step, *rest in notes]
    assert np.array_equal(_measure(notes), _measure(moved, FOUR_BARS + 48 * bars), equal_nan=True)


@given(rows, st.integers(1, 8))
def test_higher_louder_and_more_notes_never_lower_a_level(notes: list[tuple[int, int, int, int]], by: int) -> None:
    raised = [(step, part, min(pitch + by, 127), min(loud + by, 31)) for step, part, pitch, loud in notes]
    before, after = _measure(notes), _measure(raised)
    for column in (0, 1, 3):
        known = ~np.isnan(before[:, column])
        assert np.all(after[known, column] >= before[known, column])
    more = _measure([*notes, (0, 1, 60, 20)])
    assert np.all(more[:, 0] >= before[:, 0])


@given(st.lists(st.integers(0, 63), min_size=1, max_size=40, unique=True))
def test_syncopation_is_that_of_the_slow_definition(sixteenths: list[int]) -> None:
    """Every place between a note and the next is asked, one by one."""
    steps = sorted(3 * place for place in sixteenths)

    def weight(step: int) -> int:
        place = step % 48
        return 0 if place == 0 else -1 if place == 24 else -2 if place % 12 == 0 else -3 if place % 6 == 0 else -4

    by_bar: dict[int, list[int]] = {}
    for step, after in zip(steps, [*steps[1:], 193], strict=True):
        silent = [weight(place) for place in range(step + 3, after, 3)]
        moved = max(max(silent, default=-9) - weight(step), 0)
        by_bar.setdefault(step // 48, []).append(moved if step % 12 else 0)
    found = _measure([(step, 1, 60, 20) for step in steps])[:, 2]
    for bar, values in by_bar.items():
        assert found[bar] == pytest.approx(np.mean(values))

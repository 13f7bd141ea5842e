"""Meters and bar lines: every tick lies in exactly one bar."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import OutOfRange
from woodshed.music import Meter
from woodshed.music.meter import bar_lines, bar_of

meters = st.builds(Meter, st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16, 32]))


@given(meters)
def test_a_meter_reads_what_it_writes(meter: Meter) -> None:
    assert Meter.parse(str(meter)) == meter
    assert Meter.parse(f"  {meter} ") == meter


@pytest.mark.parametrize("text", ["", "4", "4/3", "0/4", "65/4", "4/", "/4", "four/four", "-3/4", "4/64", "4/4/4"])
def test_a_meter_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(OutOfRange):
        Meter.parse(text)


@pytest.mark.parametrize(("text", "ticks"), [("4/4", 1920), ("3/4", 1440), ("6/8", 1440), ("7/8", 1680), ("1/32", 60)])
def test_bars_are_as_long_as_their_beats(text: str, ticks: int) -> None:
    assert Meter.parse(text).bar_ticks == ticks


def lines_of(changes: list[tuple[int, Meter]], length: int) -> np.ndarray:
    onsets = np.array([onset for onset, _ in changes], np.int64)
    return bar_lines(onsets, np.array([meter.bar_ticks for _, meter in changes], np.int64), length)


def test_without_a_meter_bars_are_in_four_four_and_there_is_always_one() -> None:
    assert lines_of([], 0).tolist() == [0, 1920]
    assert lines_of([], 1921).tolist() == [0, 1920, 3840]
    assert lines_of([(1920, Meter(3, 4))], 3000).tolist() == [0, 1920, 3360]


def test_a_meter_inside_a_bar_begins_a_new_one() -> None:
    assert lines_of([(0, Meter(4, 4)), (960, Meter(2, 4))], 1920).tolist() == [0, 960, 1920]


def test_two_meters_at_one_place_the_last_counts() -> None:
    assert lines_of([(0, Meter(4, 4)), (0, Meter(3, 4))], 2880).tolist() == [0, 1440, 2880]


changes = st.lists(st.tuples(st.integers(0, 8000), meters), max_size=4).map(
    lambda rows: sorted(rows, key=lambda r: r[0])
)


@given(changes, st.integers(0, 10_000))
def test_lines_ascend_from_0_past_the_end_and_meet_every_change(rows: list[tuple[int, Meter]], length: int) -> None:
    lines = lines_of(rows, length)
    assert lines[0] == 0
    assert lines[-2] < max(length, 1) <= lines[-1]
    assert (np.diff(lines) > 0).all()
    assert {onset for onset, _ in rows if onset < max(length, 1)} <= set(lines.tolist())


@given(changes, st.integers(1, 10_000))
def test_every_tick_lies_in_the_bar_that_it_is_given(rows: list[tuple[int, Meter]], length: int) -> None:
    lines, ticks = lines_of(rows, length), np.arange(0, length, 37)
    bars = bar_of(ticks, lines)
    assert ((lines[bars] <= ticks) & (ticks < lines[bars + 1])).all()

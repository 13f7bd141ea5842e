"""One converter for time: exact where it can be, nearest where it cannot, and there and back again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.music.units import (
    TICKS_PER_QUARTER,
    rescale_ticks,
    seconds_to_ticks,
    steps_to_ticks,
    ticks_per_step,
    ticks_to_seconds,
    ticks_to_steps,
)

tempo_maps = st.lists(st.tuples(st.integers(0, 100_000), st.floats(20, 400)), max_size=6).map(
    lambda rows: sorted(dict(rows).items())
)


@given(st.integers(0, 10**6), st.sampled_from([1, 2, 4, 12, 24, 48, 480]))
def test_steps_survive_the_way_to_ticks_and_back(step: int, steps_per_quarter: int) -> None:
    assert int(ticks_to_steps(steps_to_ticks(step, steps_per_quarter), steps_per_quarter)) == step


@given(st.integers(0, 10**6))
def test_a_tick_goes_to_its_nearest_step_and_a_tie_to_the_later_one(tick: int) -> None:
    size = ticks_per_step()
    assert -size // 2 <= tick - int(ticks_to_steps(tick)) * size < size / 2


def test_a_grid_that_does_not_divide_the_quarter_is_refused() -> None:
    with pytest.raises(ValueError, match="7 steps"):
        ticks_per_step(7)


@given(st.integers(0, 10**7), st.sampled_from([24, 48, 96, 120, 240, 480]))
def test_a_resolution_that_divides_480_is_rescaled_exactly(tick: int, resolution: int) -> None:
    assert int(rescale_ticks(tick, resolution)) == tick * TICKS_PER_QUARTER // resolution


@given(st.integers(0, 10**6), st.integers(1, 32767))
def test_any_other_resolution_goes_to_the_nearest_tick(tick: int, resolution: int) -> None:
    assert abs(int(rescale_ticks(tick, resolution)) - tick * TICKS_PER_QUARTER / resolution) <= 0.5 + 1e-6


def test_without_a_tempo_a_quarter_lasts_half_a_second() -> None:
    assert ticks_to_seconds([0, 480, 960], [], []).tolist() == [0.0, 0.5, 1.0]


def test_a_tempo_counts_from_its_place_on_and_120_before_the_first() -> None:
    assert ticks_to_seconds([480, 960, 1440], [480, 960], [60.0, 240.0]).tolist() == [0.5, 1.5, 1.75]


@given(st.integers(0, 200_000), tempo_maps)
def test_seconds_lead_back_to_the_tick(tick: int, tempos: list[tuple[int, float]]) -> None:
    onsets, bpms = [row[0] for row in tempos], [row[1] for row in tempos]
    assert int(seconds_to_ticks(ticks_to_seconds(tick, onsets, bpms), onsets, bpms)) == tick


@given(tempo_maps)
def test_time_never_runs_backwards(tempos: list[tuple[int, float]]) -> None:
    ticks = np.arange(0, 120_000, 997)
    seconds = ticks_to_seconds(ticks, [row[0] for row in tempos], [row[1] for row in tempos])
    assert (np.diff(seconds) > 0).all()

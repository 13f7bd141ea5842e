"""MusPy's figures: the values that MusPy 0.5.0 gave for the same notes, and its oddities one by one.

The golden numbers were printed by ``benchmarks/metrics/theirs.py``; that script compares whole folders of real files.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import OutOfRange
from woodshed.evaluation.intervals import covered, layers
from woodshed.evaluation.muspy_figures import (
    drum_in_pattern_rate,
    groove_consistency,
    muspy_figures,
    pitch_in_scale_rate,
    polyphony_rate,
)
from woodshed.music import Part, Song

LEAD, DRUMS = Part("Lead", 30), Part("Drums", 0, True)
GOLDEN = {
    "n_pitches_used": 9.0,
    "n_pitch_classes_used": 5.0,
    "pitch_range": 24.0,
    "empty_beat_rate": 0.0,
    "polyphony": 2.5,
    "polyphony_rate": 0.75,
    "pitch_entropy": 3.0,
    "pitch_class_entropy": 2.0524212838293647,
    "scale_consistency": 1.0,
    "drum_pattern_consistency": 1.0,
    "empty_measure_rate": 0.0,
    "groove_consistency": 0.9989583333333333,
    "drum_in_duple_pattern_rate": 1.0,
    "drum_in_triple_pattern_rate": 0.6666666666666666,
}


def test_a_band_has_the_figures_that_muspy_gives(band_song: Song) -> None:
    assert muspy_figures(band_song) == pytest.approx(GOLDEN, abs=1e-9)


def test_a_beat_that_a_note_only_just_reaches_is_not_empty_and_one_more_follows_the_last() -> None:
    """One quarter note: it fills its own beat, and its end the next, which is counted though the song is over."""
    assert muspy_figures(Song.make([(0, 0, 480, 60, 100)], [LEAD]))["empty_beat_rate"] == 0.0
    assert muspy_figures(Song.make([(0, 960, 479, 60, 100)], [LEAD]))["empty_beat_rate"] == pytest.approx(2 / 3)


def test_two_pitches_at_once_are_not_multiple_and_three_are() -> None:
    two = [(0, 0, 480, 60, 100), (0, 0, 480, 64, 100)]
    assert polyphony_rate(Song.make(two, [LEAD])) == 0.0
    assert polyphony_rate(Song.make([*two, (0, 240, 240, 67, 100)], [LEAD])) == 0.5


def test_a_pitch_that_sounds_twice_at_once_is_one_pitch() -> None:
    twice = Song.make([(0, 0, 480, 60, 100), (1, 240, 480, 60, 100)], [LEAD, LEAD])
    assert muspy_figures(twice)["polyphony"] == 1.0
    assert polyphony_rate(twice, 1) == 0.0


def test_what_there_is_nothing_of_is_left_out() -> None:
    assert muspy_figures(Song()) == {}
    drums = muspy_figures(Song.make([(0, 0, 120, 36, 100)], [DRUMS]))
    assert set(drums) == {
        "empty_beat_rate", "empty_measure_rate", "drum_in_duple_pattern_rate", "drum_in_triple_pattern_rate",
        "drum_pattern_consistency",
    }  # fmt: skip
    assert "drum_pattern_consistency" not in muspy_figures(Song.make([(0, 0, 120, 60, 100)], [LEAD]))


def test_names_that_muspy_does_not_know_are_refused(band_song: Song) -> None:
    with pytest.raises(OutOfRange, match="mode 'dorian' is not one of major, minor"):
        pitch_in_scale_rate(band_song, 0, "dorian")
    with pytest.raises(OutOfRange, match="meter 'quintuple' is not one of duple, triple"):
        drum_in_pattern_rate(band_song, "quintuple")
    with pytest.raises(OutOfRange, match="has no neighbour"):
        groove_consistency(Song.make([(0, 0, 120, 60, 100)], [LEAD]), 1920)


SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.integers(0, 2)), min_size=1, max_size=12)


@given(SPANS)
def test_layers_and_cover_are_those_counted_tick_by_tick(spans: list[tuple[int, int, int]]) -> None:
    start = np.array([first for first, _, _ in spans])
    end = start + np.array([length for _, length, _ in spans])
    lane = np.array([one for _, _, one in spans])
    sounding = [{one for a, b, one in zip(start, end, lane, strict=True) if a <= tick < b} for tick in range(40)]
    lines, depth = layers(start, end, lane)
    assert [
        int(depth[np.searchsorted(lines, tick, side="right") - 1]) if lines[0] <= tick < lines[-1] else 0
        for tick in range(40)
    ] == [len(heard) for heard in sounding]
    assert covered(start, end) == sum(bool(heard) for heard in sounding)


NOTES = st.lists(
    st.tuples(
        st.integers(0, 1), st.integers(0, 9_000), st.integers(1, 4_000), st.integers(0, 127), st.integers(1, 127)
    ),
    max_size=20,
)


@given(NOTES)
def test_every_figure_is_finite(notes: list[tuple[int, ...]]) -> None:
    assert all(math.isfinite(value) for value in muspy_figures(Song.make(notes, [LEAD, DRUMS])).values())

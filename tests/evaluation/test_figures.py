"""Figures beyond the plain metrics: worked by hand, and left out where there is nothing to count."""

from __future__ import annotations

import math

import numpy as np
import pytest

from woodshed.evaluation.figures import columns, figures, histograms
from woodshed.evaluation.histograms import LENGTHS, pitch_class_transitions
from woodshed.music import NO_CHORD, QUALITY_NAMES, Part, Song

LEAD, BASS, DRUMS = Part("Lead", 30), Part("Bass", 33), Part("Drums", 0, True)
MAJOR = QUALITY_NAMES.index("")


def line(pitches: list[int], *, part: int = 0, every: int = 480) -> list[tuple[int, ...]]:
    """One note after another."""
    return [(part, place * every, every, pitch, 100) for place, pitch in enumerate(pitches)]


def test_density_waits_and_intervals_are_plain_means() -> None:
    found = figures(Song.make(line([60, 64, 62, 67]), [LEAD]))
    assert found["notes_per_beat"] == 1.0
    assert found["mean_inter_onset_quarters"] == 1.0
    assert found["mean_interval"] == pytest.approx((4 + 2 + 5) / 3)
    assert found["pitch_classes"] == 4.0


def test_chord_tones_are_counted_by_the_time_that_they_sound_under_the_chord_that_is_written() -> None:
    """C for two quarters, then F: E is a tone of C alone, A of F alone; D held over the change is of neither."""
    chords = [(0, 0, MAJOR, 0), (960, 5, MAJOR, 5)]
    song = Song.make(line([64, 64, 69, 64]) + [(1, 480, 960, 62, 100)], [LEAD, LEAD], chords=chords)
    assert figures(song)["chord_tone_rate"] == pytest.approx(3 / 6)


def test_a_note_held_over_a_change_is_a_chord_tone_only_as_long_as_it_is_one() -> None:
    chords = [(0, 0, MAJOR, 0), (480, NO_CHORD, 0, NO_CHORD), (960, 2, MAJOR, 2)]
    song = Song.make([(0, 0, 1440, 64, 100)], [LEAD], chords=chords)
    assert figures(song)["chord_tone_rate"] == 0.5  # not asked about while no chord sounds


def test_chords_are_heard_where_none_is_written() -> None:
    triads = [(0, bar * 1920, 1920, root + step, 100) for bar, root in enumerate((48, 53)) for step in (0, 4, 7)]
    assert figures(Song.make(triads, [LEAD]))["chord_tone_rate"] == 1.0


def test_parallels_are_those_of_pairs_that_move_together_in_one_direction() -> None:
    """C-G to D-A: fifths. D-A to E-A: one stands still. E-A to F-C' up together from a fourth to a fifth: none."""
    lower, upper = line([48, 50, 52, 53]), line([55, 57, 57, 60], part=1)
    found = figures(Song.make(lower + upper, [BASS, LEAD]))
    assert found["parallel_fifths"] == pytest.approx(1000 / 2)
    assert found["parallel_octaves"] == 0.0


def test_a_part_that_doubles_another_moves_in_octaves_only() -> None:
    found = figures(Song.make(line([48, 50, 52]) + line([60, 62, 64], part=1), [BASS, LEAD]))
    assert (found["parallel_fifths"], found["parallel_octaves"]) == (0.0, 1000.0)


def test_contrary_motion_into_a_fifth_is_allowed() -> None:
    found = figures(Song.make(line([48, 45]) + line([55, 64], part=1), [BASS, LEAD]))
    assert (found["parallel_fifths"], found["parallel_octaves"]) == (0.0, 0.0)


def test_histograms_are_shares_by_nearest_length_and_by_what_follows_what() -> None:
    song = Song.make([(0, 0, 470, 60, 100), (0, 480, 240, 62, 100), (0, 720, 250, 60, 100)], [LEAD])
    found = histograms(song)
    names = list(LENGTHS)
    assert found["pitch_class_histogram"][[0, 2]] == pytest.approx([2 / 3, 1 / 3])
    assert found["duration_histogram"][[names.index("1/4"), names.index("1/8")]] == pytest.approx([1 / 3, 2 / 3])
    assert found["inter_onset_histogram"][[names.index("1/4"), names.index("1/8")]] == pytest.approx([0.5, 0.5])
    assert found["pitch_class_transitions"].reshape(12, 12)[[0, 2], [2, 0]] == pytest.approx([0.5, 0.5])
    assert all(shares.sum() == pytest.approx(1.0) for shares in found.values())


def test_transitions_never_lead_from_one_part_into_another() -> None:
    song = Song.make(line([60, 62]) + line([40], part=1), [LEAD, BASS])
    assert pitch_class_transitions(song).nonzero()[0].tolist() == [2]


def test_drums_have_waits_but_no_tones() -> None:
    drums = Song.make([(0, beat * 480, 120, 36, 100) for beat in range(4)], [DRUMS])
    assert set(histograms(drums)) == {"inter_onset_histogram"}
    assert "chord_tone_rate" not in figures(drums)
    assert figures(drums)["notes_per_beat"] > 0


@pytest.mark.parametrize("song", [Song(), Song(length=1920), Song.make([(0, 0, 1, 60, 1)], [LEAD])])
def test_hardly_anything_to_count_gives_finite_figures_and_no_others(song: Song) -> None:
    assert all(math.isfinite(value) for value in figures(song).values())
    assert all(np.isfinite(shares).all() for shares in histograms(song).values())


def test_columns_leave_a_song_out_of_what_it_has_nothing_of() -> None:
    assert columns([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": [1.0, 3.0], "b": [2.0]}

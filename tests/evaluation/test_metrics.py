"""Figures of music: golden values worked by hand, and songs that have nothing to count."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import OutOfRange
from woodshed.evaluation.metrics import Metrics, excerpts, measure, summarise, summarise_metrics
from woodshed.music import Part, Song

BAR = 1920
LEAD = Part("Lead", 30)
DRUMS = Part("Drums", 0, True)


def line(pitches: list[int], *, every: int = 480, duration: int = 480, part: int = 0) -> list[tuple[int, ...]]:
    """One note after another."""
    return [(part, index * every, duration, pitch, 100) for index, pitch in enumerate(pitches)]


def song(notes: list[tuple[int, ...]], *parts: Part, **rest: object) -> Song:
    return Song.make(notes, parts or (LEAD,), **rest)


def test_four_equally_common_pitch_classes_have_two_bits_of_entropy() -> None:
    measured = measure(song(line([60, 62, 64, 65, 72, 74, 76, 77])))
    assert measured.pitch_class_entropy == pytest.approx(2.0)
    assert measured.pitch_range == 17
    assert measured.distinct_pitches == 8


def test_three_c_and_one_g_have_the_entropy_of_a_quarter() -> None:
    measured = measure(song(line([60, 60, 60, 67])))
    assert measured.pitch_class_entropy == pytest.approx(-0.75 * math.log2(0.75) - 0.25 * math.log2(0.25))


def test_scale_consistency_is_the_share_in_the_best_scale() -> None:
    c_major_and_one_f_sharp = [60, 62, 64, 65, 67, 69, 71, 66]
    measured = measure(song(line(c_major_and_one_f_sharp)))
    assert measured.scale_consistency == pytest.approx(7 / 8)
    assert measured.in_key_rate <= measured.scale_consistency


def test_a_chromatic_scale_fits_no_key_better_than_seven_in_twelve() -> None:
    assert measure(song(line(list(range(60, 72))))).scale_consistency == pytest.approx(7 / 12)


def test_polyphony_counts_pitches_over_the_time_that_any_sounds() -> None:
    """Two pitches over one quarter, one of them a quarter longer, then silence: (2 + 1) / 2."""
    measured = measure(song([(0, 0, 480, 60, 100), (0, 0, 960, 64, 100), (0, 1920, 480, 60, 100)], length=3840))
    assert measured.polyphony == pytest.approx((480 + 960 + 480) / (960 + 480))


def test_one_pitch_in_two_parts_is_one_pitch_of_polyphony() -> None:
    measured = measure(song(line([60]) + line([60], part=1), LEAD, LEAD))
    assert measured.polyphony == 1.0


def test_empty_bars_and_beats_are_those_in_which_nothing_sounds() -> None:
    """Bar 1 holds one note of five quarters, which reaches into bar 2; bars 3 and 4 are silent."""
    measured = measure(song([(0, 0, 5 * 480, 60, 100)], length=4 * BAR))
    assert measured.empty_bar_rate == 0.5
    assert measured.empty_beat_rate == pytest.approx(11 / 16)


def test_a_note_that_stops_on_a_bar_line_leaves_the_next_bar_empty() -> None:
    assert measure(song([(0, 0, BAR, 60, 100)], length=2 * BAR)).empty_bar_rate == 0.5


def test_drums_fill_bars_but_have_no_pitches() -> None:
    measured = measure(song([(0, beat * 480, 120, 36, 100) for beat in range(8)], DRUMS))
    assert (measured.notes, measured.pitched_notes, measured.distinct_pitches) == (8, 0, 0)
    assert measured.empty_bar_rate == 0.0
    assert measured.groove_consistency == 1.0
    assert not measured.is_defined("scale_consistency")
    assert measured.is_defined("groove_consistency")


def test_groove_counts_the_steps_on_which_neighbouring_bars_differ() -> None:
    """Bar 1 starts notes on 4 steps, bar 2 on 2 of these and on 1 other: 3 of 48 steps differ."""
    onsets = [0, 480, 960, 1440, BAR, BAR + 960, BAR + 1200]
    measured = measure(song([(0, onset, 100, 60, 100) for onset in onsets], length=2 * BAR))
    assert measured.groove_consistency == pytest.approx(1 - 3 / 48)


def test_groove_of_bars_of_unequal_length_is_over_the_longer() -> None:
    meters = [(0, 4, 4), (BAR, 3, 4)]
    measured = measure(song([(0, 0, 100, 60, 100), (0, 480, 100, 60, 100)], meters=meters, length=BAR + 1440))
    assert measured.bars == 2
    assert measured.groove_consistency == pytest.approx(1 - 2 / 48)


def test_self_similarity_is_the_share_of_notes_that_stand_so_many_bars_before() -> None:
    """Bars A B A B: nothing comes back after one bar, everything after two."""
    notes = line([60, 62, 64, 65, 67, 69, 71, 72] * 2)
    measured = measure(song(notes))
    assert (measured.self_similarity_1, measured.self_similarity_2) == (0.0, 1.0)
    assert not measured.is_defined("self_similarity_4")


def test_self_similarity_tells_half_a_bar() -> None:
    notes = line([60, 62, 64, 65, 60, 62, 70, 71])
    assert measure(song(notes)).self_similarity_1 == 0.5


def test_a_riff_moved_to_another_part_is_not_the_same() -> None:
    notes = line([60, 62, 64, 65]) + [(1, onset + BAR, *rest) for _, onset, *rest in line([60, 62, 64, 65])]
    assert measure(song(notes, LEAD, LEAD)).self_similarity_1 == 0.0


def test_the_longest_repeated_note_run_follows_the_top_note_of_one_part() -> None:
    chords = [(0, index * 240, 200, pitch, 90) for index in range(5) for pitch in (52, 59)]
    other = line([40, 40, 41, 40, 40, 40], part=1)
    drums = [(2, index * 120, 60, 42, 90) for index in range(40)]
    measured = measure(song(chords + other + drums, LEAD, LEAD, DRUMS))
    assert measured.longest_repeated_note_run == 5


def test_a_drone_lasts_from_its_first_onset_to_the_end_of_its_last_note() -> None:
    """E struck at 0 and at 2 quarters and held to 5, then A for four quarters."""
    measured = measure(song([(0, 0, 480, 40, 90), (0, 960, 1440, 40, 90), (0, 2400, 1920, 45, 90)]))
    assert measured.longest_drone_quarters == 5.0
    assert measured.longest_repeated_note_run == 2


def test_a_long_note_under_a_moving_top_note_is_no_drone() -> None:
    held_below = [(0, 0, 4 * BAR, 40, 90)]
    assert measure(song(held_below)).longest_drone_quarters == 16.0
    moving = [(0, index * 480, 480, 60 + index % 2, 90) for index in range(16)]
    assert measure(song(held_below + moving)).longest_drone_quarters == 1.0


def test_notes_per_bar_are_shared_out_over_the_parts_that_play() -> None:
    notes = line([60] * 8) + line([40] * 4, every=960, part=1)
    measured = measure(song(notes, LEAD, LEAD, DRUMS, length=2 * BAR))
    assert (measured.notes_per_bar, measured.notes_per_bar_per_part) == (6.0, 3.0)


def test_velocity_and_length_are_plain_means() -> None:
    measured = measure(song([(0, 0, 240, 60, 80), (0, 480, 720, 62, 100)]))
    assert (measured.velocity_mean, measured.velocity_std, measured.mean_note_quarters) == (90.0, 10.0, 1.0)


def test_an_empty_song_has_finite_figures_that_are_marked_as_meaning_nothing() -> None:
    measured = measure(Song())
    assert all(math.isfinite(figure) for figure in measured.as_dict().values())
    assert (measured.notes, measured.bars, measured.empty_bar_rate, measured.empty_beat_rate) == (0, 1, 1.0, 1.0)
    assert not any(measured.is_defined(name) for name in ("velocity_mean", "polyphony", "groove_consistency"))


def test_a_song_of_one_note_is_measured() -> None:
    measured = measure(song([(0, 0, 1, 60, 1)]))
    assert (measured.notes, measured.polyphony, measured.longest_repeated_note_run) == (1, 1.0, 1)
    assert measured.pitch_class_entropy == 0.0


def test_a_note_a_hair_before_the_bar_line_belongs_to_the_bar_that_it_was_meant_for() -> None:
    played = [(0, 0, 100, 60, 100), (0, BAR - 10, 100, 60, 100)]
    assert measure(song(played, length=2 * BAR)).self_similarity_1 == 1.0


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 20_000), st.integers(1, 9_000), st.integers(0, 127),
                  st.integers(1, 127)), max_size=40
    ),
    st.sampled_from([[], [(0, 3, 4)], [(0, 1, 32)], [(0, 4, 4), (1000, 7, 8)]]),
)  # fmt: skip
def test_every_figure_is_finite_and_every_share_between_0_and_1(
    notes: list[tuple[int, ...]], meters: list[tuple[int, ...]]
) -> None:
    measured = measure(song(notes, LEAD, DRUMS, meters=meters))
    assert all(math.isfinite(figure) for figure in measured.as_dict().values())
    shares = [name for name in measured.as_dict() if name.endswith(("rate", "consistency")) or "similarity" in name]
    assert len(shares) == 9
    assert all(0.0 <= getattr(measured, name) <= 1.0 for name in shares)


def test_transposing_changes_no_relative_figure(band_song: Song) -> None:
    before, after = measure(band_song).as_dict(), measure(band_song.transpose(5)).as_dict()
    assert before == pytest.approx(after)


def test_a_summary_leaves_out_songs_that_do_not_hold_what_is_counted() -> None:
    drums = measure(song([(0, 0, 100, 36, 100)], DRUMS))
    tune = measure(song(line([60, 62, 64, 65])))
    summary = summarise_metrics([drums, tune])
    assert summary["notes"].count == 2
    assert (summary["polyphony"].count, summary["polyphony"].mean) == (1, 1.0)
    assert summary["self_similarity_8"].count == 0


def test_a_summary_gives_mean_deviation_and_percentiles() -> None:
    songs = [song(line([60] * count)) for count in range(1, 22)]
    spread = summarise(songs)["notes"]
    assert (spread.mean, spread.median) == (11.0, 11.0)
    assert (spread.low, spread.high) == (2.0, 20.0)
    assert spread.std == pytest.approx(np.std(np.arange(1, 22)))


def test_no_songs_at_all_still_give_a_summary_of_every_figure() -> None:
    summary = summarise([])
    assert set(summary) == set(Metrics.__dataclass_fields__)
    assert all(spread.count == 0 for spread in summary.values())


def test_excerpts_cut_whole_pieces_and_leave_silence_out() -> None:
    tune = song([(0, 0, 480, 60, 100), (0, 5 * BAR, 480, 62, 100), (0, 6 * BAR, 480, 64, 100)], length=7 * BAR)
    pieces = list(excerpts(tune, 2))
    assert [(piece.bars, piece.notes["pitch"].tolist()) for piece in pieces] == [(2, [60]), (2, [62])]


def test_excerpts_of_no_bars_are_refused(band_song: Song) -> None:
    with pytest.raises(OutOfRange, match="ask for 1 or more"):
        next(excerpts(band_song, 0))

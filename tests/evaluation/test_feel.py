"""Feel: pairs worked by hand, perfect and feelless performances, and human drummers."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs.clip_drums import CLASS_OF
from woodshed.errors import OutOfRange
from woodshed.evaluation.feel import feel_by_drum, less_error, loudest_per_step, measure_feel, pair_hits, without_feel
from woodshed.formats import read_midi
from woodshed.music import Part, Song

DRUMS = Part("Drums", 0, True)
KICK, SNARE, HAT, EDGE = 36, 38, 42, 22


def drum_song(*hits: tuple[int, int, int], bpm: float = 125.0) -> Song:
    """Hits of (onset, pitch, velocity); at 125 a tick is a millisecond, and a sixteenth 120."""
    return Song.make([(0, onset, 30, pitch, velocity) for onset, pitch, velocity in hits], [DRUMS], tempos=[(0, bpm)])


HUMAN = drum_song((6, KICK, 100), (470, SNARE, 90), (958, KICK, 80), (1445, SNARE, 120))
"""Deviations 6, -10, -2 and 5 ms."""


def test_a_performance_beside_itself_has_no_error_and_correlates_fully() -> None:
    feel = measure_feel([pair_hits(HUMAN, HUMAN)])
    assert (feel.files, feel.hits, feel.timing_mse, feel.moved_share) == (1, 4, 0, 0)
    for field in (feel.timing, feel.velocity):
        assert (field.mae, field.low, field.high, field.bias, field.distance) == (0, 0, 0, 0, 0)
        assert field.correlation == pytest.approx(1)
        assert field.human_std == field.played_std > 0


def test_a_machine_errs_by_the_humans_mean_deviation_and_has_no_spread() -> None:
    feel = measure_feel([pair_hits(HUMAN, without_feel(HUMAN, 95))])
    assert feel.timing.mae == pytest.approx((6 + 10 + 2 + 5) / 4)
    assert feel.timing.bias == pytest.approx(-(6 - 10 - 2 + 5) / 4)
    assert feel.timing_mse == pytest.approx((36 + 100 + 4 + 25) / 4 / 120**2)
    assert feel.velocity.mae == pytest.approx((5 + 5 + 15 + 25) / 4)
    assert feel.timing.played_std == pytest.approx(0, abs=1e-9)
    assert feel.timing.correlation == feel.velocity.correlation == 0


def test_milliseconds_are_those_of_the_tempo() -> None:
    slow = HUMAN.replace(tempos=np.array([(0, 62.5)], HUMAN.tempos.dtype))
    assert measure_feel([pair_hits(slow, without_feel(slow, 95))]).timing.mae == pytest.approx(2 * 23 / 4)


def test_the_same_values_on_the_wrong_notes_have_distance_zero_but_an_error() -> None:
    swapped = drum_song((6, KICK, 80), (470, SNARE, 120), (958, KICK, 100), (1445, SNARE, 90))
    velocity = measure_feel([pair_hits(HUMAN, swapped)]).velocity
    assert velocity.distance == 0
    assert velocity.mae == pytest.approx((20 + 30 + 20 + 30) / 4)
    assert velocity.correlation < 0


def test_a_note_played_past_the_middle_of_its_step_is_still_its_note() -> None:
    late = drum_song((6, KICK, 100), (470, SNARE, 90), (958, KICK, 80), (1505, SNARE, 120))
    hits = pair_hits(HUMAN, late, steps_per_quarter=4)
    assert hits["is_moved"].tolist() == [False, False, False, True]
    assert hits["played_ms"][-1] == pytest.approx(65)
    assert hits["late_sixteenths"][-1] == pytest.approx(0.5)


def test_songs_of_different_notes_are_named() -> None:
    with pytest.raises(OutOfRange, match=r"part 0 \(Drums\) plays pitch 38 2 times, the other song 1 times"):
        pair_hits(HUMAN, drum_song((0, KICK, 1), (480, SNARE, 1), (960, KICK, 1), (1440, HAT, 1)))
    with pytest.raises(OutOfRange, match="compare songs of the same notes"):
        pair_hits(Song.make([], [DRUMS]), HUMAN)


def test_no_notes_give_no_figures() -> None:
    feel = measure_feel([pair_hits(Song.make([], [DRUMS]), Song.make([], [DRUMS]))])
    assert (feel.hits, feel.files, feel.timing.mae, feel.velocity.correlation) == (0, 0, 0, 0)
    assert feel_by_drum([]) == {}


def test_each_kind_of_drum_has_figures_of_its_own_and_tones_are_no_drums() -> None:
    rows = [(0, 10, 30, KICK, 90), (0, 485, 30, HAT, 70), (1, 0, 480, KICK, 80)]
    song = Song.make(rows, [DRUMS, Part("Bass", 33)], tempos=[(0, 125.0)])
    found = feel_by_drum([pair_hits(song, without_feel(song, 80))])
    assert {name: feel.timing.mae for name, feel in found.items()} == pytest.approx(
        {"kick": 10, "closed hi-hat": 5, "pitched": 0}
    )


def test_of_the_hits_of_one_step_the_loudest_stays() -> None:
    flam = drum_song((470, SNARE, 40), (484, SNARE, 110), (484, HAT, 50), (490, EDGE, 60))
    assert [tuple(row)[1:] for row in loudest_per_step(flam).notes.tolist()] == [
        (484, 30, SNARE, 110), (484, 30, HAT, 50), (490, 30, EDGE, 60)
    ]  # fmt: skip
    assert loudest_per_step(flam, lanes=CLASS_OF).notes["pitch"].tolist() == [SNARE, EDGE]


def test_without_feel_tells_nothing_of_the_performance() -> None:
    told = without_feel(HUMAN.replace(title="shuffle at 125"), 95, 4)
    other = without_feel(drum_song((0, KICK, 1), (481, SNARE, 2), (950, KICK, 3), (1450, SNARE, 4)), 95, 4)
    assert told.title == ""
    assert told.notes.tolist() == other.notes.tolist()
    with pytest.raises(OutOfRange, match="velocity 0 is outside 1-127"):
        without_feel(HUMAN, 0)


def test_an_interval_holds_the_error_and_is_wider_for_fewer_files() -> None:
    chance = np.random.default_rng(1)
    songs = [
        drum_song(*[(480 * k + 60 + int(chance.integers(-50, 50)), KICK, 64) for k in range(8)]) for _ in range(24)
    ]
    files = [pair_hits(song, without_feel(song, 64, 12), 12) for song in songs]
    many, few = measure_feel(files).timing, measure_feel(files[:4]).timing
    assert many.low < many.mae < many.high
    assert few.high - few.low > many.high - many.low


def test_who_is_always_nearer_has_less_error_for_certain() -> None:
    songs = [drum_song((10 + k, KICK, 100), (490 + k, SNARE, 60)) for k in range(6)]
    machine = [pair_hits(song, without_feel(song, 80)) for song in songs]
    half = [pair_hits(song, drum_song((5, KICK, 90), (485, SNARE, 70))) for song in songs]
    gain, low, high = less_error(half, machine, "ms")
    assert gain == pytest.approx(5)
    assert low == pytest.approx(high) == pytest.approx(5)
    assert less_error(machine, half, "velocity")[0] == pytest.approx(-10)
    with pytest.raises(OutOfRange, match="not of the same files"):
        less_error(half[:2], machine, "ms")


@given(st.lists(st.tuples(st.integers(-18, 18), st.integers(1, 127)), min_size=1, max_size=20))
def test_taking_feel_away_and_giving_it_back_is_exact(played: list[tuple[int, int]]) -> None:
    """Deviations read off the pairs, put back on the plain song, are the human's performance."""
    song = drum_song(*[(480 + 120 * k + late, SNARE, velocity) for k, (late, velocity) in enumerate(played)])
    plain = without_feel(song, 64)
    hits = pair_hits(song, plain)
    notes = plain.notes.copy()
    notes["onset"] += np.rint(hits["human_ms"]).astype(np.int32)
    notes["velocity"] = hits["human_velocity"]
    feel = measure_feel([pair_hits(song, plain.with_notes(notes))])
    assert feel.timing.mae == pytest.approx(0, abs=1e-9)
    assert feel.velocity.mae == 0


def test_no_feel_on_human_drummers_costs_what_is_published(data_folder: Path) -> None:
    """Gillick et al. give 22.6 ms for quantised input on the test split; a few validation files lie around it."""
    groove = data_folder / "groove"
    with (groove / "info.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "validation" and row["beat_type"] == "beat"]
    songs = [loudest_per_step(read_midi(groove / row["midi_filename"]), 4, CLASS_OF) for row in rows[:12]]
    feel = measure_feel([pair_hits(song, without_feel(song, 70, 4), 4) for song in songs])
    assert feel.hits > 3000
    assert 16 < feel.timing.mae < 30
    assert feel.velocity.human_std > 20
    assert feel.moved_share == 0

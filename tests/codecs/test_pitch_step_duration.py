"""Pitch, step and duration in seconds: exact to the tick through any tempo map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs.pitch_step_duration import PitchStepDurationCodec
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import Part, Song

CODEC = PitchStepDurationCodec()


@st.composite
def solos(draw: st.DrawFn) -> Song:
    """One part at velocity 100, at any tick, through up to three tempos."""
    note = st.tuples(st.just(0), st.integers(0, 100_000), st.integers(1, 9000), st.integers(0, 127), st.just(100))
    notes = draw(st.lists(note, min_size=1, max_size=40))
    later = draw(st.lists(st.tuples(st.integers(1, 90_000), st.floats(20, 400)), max_size=2, unique_by=lambda t: t[0]))
    return Song.make(notes, [Part("Piano")], tempos=[(0, draw(st.floats(20, 400))), *later])


@given(solos())
def test_a_solo_comes_back_to_the_tick_through_its_tempo_map(song: Song) -> None:
    assert np.array_equal(CODEC.decode(CODEC.encode(song), song).notes, song.notes)


@given(solos())
def test_snapping_twice_is_snapping_once(song: Song) -> None:
    snapped = CODEC.snap(song)
    assert CODEC.snap(snapped) == snapped


def test_a_worked_example_gives_these_rows() -> None:
    song = Song.make([(0, 480, 480, 60, 90), (0, 480, 240, 64, 90), (0, 960, 960, 67, 90)], [Part()])
    assert CODEC.encode(song).tolist() == [[60, 0.5, 0.5], [64, 0.0, 0.25], [67, 0.5, 1.0]]


def test_a_skeleton_without_a_tempo_is_at_120() -> None:
    song = CODEC.decode(np.array([[60, 0.0, 0.5], [62, 1.0, 0.25]]), Song())
    assert song.notes[["onset", "duration"]].tolist() == [(0, 480), (960, 240)]


def test_windows_stand_before_their_targets() -> None:
    rows = np.arange(90.0).reshape(30, 3)
    windows, targets = CODEC.windows(rows, 25), CODEC.targets(rows, 25)
    assert windows.shape == (5, 25, 3)
    assert np.array_equal(windows[2], rows[2:27])
    assert np.array_equal(targets[2], rows[27])
    assert CODEC.windows(rows[:25], 25).shape == (0, 25, 3)


def test_only_the_pitch_is_scaled() -> None:
    scaled = CODEC.scale(np.array([[64.0, 0.5, 2.0]]))
    assert scaled.dtype == np.float32
    assert scaled.tolist() == [[0.5, 0.5, 2.0]]


def test_what_a_net_says_below_zero_counts_as_zero() -> None:
    song = CODEC.decode(np.array([[60, -0.5, -1.0], [62, 0.5, 0.5]]), Song())
    assert song.notes[["onset", "duration"]].tolist() == [(0, 1), (480, 480)]


def test_the_first_part_that_is_not_drums_is_heard_or_the_one_asked_for() -> None:
    parts = [Part("Kit", 0, True), Part("Keys", 0), Part("Solo", 30)]
    song = Song.make([(part, 0, 480, 60 + part, 80) for part in range(3)], parts)
    assert CODEC.arrange(song).parts == (parts[1],)
    assert PitchStepDurationCodec("solo").arrange(song).notes["pitch"].tolist() == [62]
    with pytest.raises(CodecError, match="'flute'; give music with a part called 'flute', or train with another"):
        PitchStepDurationCodec("flute").arrange(song)
    assert CODEC.drop_reason(song.slice(0, 0)) == "no notes"


@pytest.mark.parametrize(
    ("row", "message"),
    [([128, 0, 1], "pitch 128"), ([60, np.nan, 1], "no number"), ([60, 1e9, 1], "no file is so long")],
)
def test_rows_that_no_song_can_have_are_named(row: list[float], message: str) -> None:
    with pytest.raises(CodecError, match=f"row 0.*{message}"):
        CODEC.decode(np.array([row]), Song())


def test_each_column_is_described() -> None:
    assert CODEC.describe("pitch", 60) == "pitch 60: C4"
    assert CODEC.describe("duration", 0.5) == "sounds for 0.5 seconds"
    with pytest.raises(OutOfRange):
        CODEC.describe("velocity", 3)


def test_its_config_builds_it_again() -> None:
    rest = {
        name: value
        for name, value in PitchStepDurationCodec("solo").config().items()
        if name not in ("name", "version")
    }
    assert PitchStepDurationCodec(**rest) == PitchStepDurationCodec("solo")

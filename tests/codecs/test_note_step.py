"""The flagship's codec: exact on the grid, honest off it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs import FIELDS, SIZES, NoteStepCodec, codec_from_config
from woodshed.codecs.note_step import END, PART, PITCH, START, TIME_SHIFT, WAIT
from woodshed.errors import BundleError, CodecError, OutOfRange
from woodshed.music import Part, Song

CODEC = NoteStepCodec()
SIX_PARTS = (Part("Kit", 0, True), Part("Bass", 33), Part("", 5), Part("", 29), Part("", 30), Part("", 30))


@st.composite
def grid_songs(draw: st.DrawFn) -> Song:
    """Songs in arranged part order whose notes lie on steps, at velocities that the codec knows."""
    note = st.tuples(
        st.integers(0, 5), st.integers(0, 900), st.integers(1, 384), st.integers(0, 127), st.integers(0, 31)
    )
    notes = draw(st.lists(note, max_size=40, unique_by=lambda n: (n[0], n[1], n[3])))
    used = sorted({n[0] for n in notes})
    rows = [(used.index(p), on * 40, size * 40, pitch, v * 4 + 2) for p, on, size, pitch, v in notes]
    meter = draw(st.sampled_from([(4, 4), (3, 4), (7, 8), (6, 8), (5, 4)]))
    return Song.make(rows, [SIX_PARTS[p] for p in used], meters=[(0, *meter)], length=60000)


@st.composite
def any_songs(draw: st.DrawFn) -> Song:
    """Songs at any tick, velocity and order of parts."""
    note = st.tuples(
        st.integers(0, 5), st.integers(0, 30000), st.integers(1, 9000), st.integers(0, 127), st.integers(1, 127)
    )
    return Song.make(draw(st.lists(note, max_size=40)), SIX_PARTS[::-1])


@given(grid_songs())
def test_music_on_the_grid_comes_back_exactly(song: Song) -> None:
    assert CODEC.decode(CODEC.encode(song), song) == song


@given(any_songs())
def test_snapping_is_what_a_round_trip_does_and_twice_is_once(song: Song) -> None:
    snapped = CODEC.snap(song)
    assert CODEC.snap(snapped) == snapped
    assert np.array_equal(CODEC.encode(snapped), CODEC.encode(CODEC.arrange(song)))


@given(any_songs())
def test_performed_onsets_move_by_at_most_three_ticks(song: Song) -> None:
    before, after = CODEC.arrange(song), CODEC.snap(song)
    if len(before) == len(after):
        key = ("part", "pitch", "onset")
        moved = np.sort(before.notes, order=key)["onset"] - np.sort(after.notes, order=key)["onset"]
        assert np.abs(moved).max(initial=0) <= 3


@given(any_songs())
def test_every_encoded_row_is_legal_after_the_one_before(song: Song) -> None:
    song = CODEC.arrange(song)
    rows = CODEC.encode(song)
    first = np.zeros((1, len(FIELDS)), np.int64)
    first[0, TIME_SHIFT] = START
    before = np.concatenate((first, rows[:-1]))
    for field in range(len(FIELDS)):
        mask = CODEC.legal(field, before, rows, len(song.parts))
        is_note = rows[:, TIME_SHIFT] < WAIT
        chosen = mask[np.arange(len(rows)), rows[:, field]]
        assert chosen[is_note | (field == TIME_SHIFT)].all()


def test_a_pitch_cannot_start_twice_on_one_step_in_one_part() -> None:
    previous = np.array([[0, 1, 60, 0, 0, 16]])
    together, later = np.array([[0, 1, 0, 0, 0, 0]]), np.array([[1, 1, 0, 0, 0, 0]])
    assert not CODEC.legal(PITCH, previous, together, 3)[0, :61].any()
    assert CODEC.legal(PITCH, previous, later, 3).all()
    assert not CODEC.legal(PART, previous, together, 3)[0, 0]


def test_a_worked_example_gives_these_ids() -> None:
    parts = (Part("Drums", 0, True), Part("Bass", 33))
    song = Song.make([(0, 0, 40, 36, 100), (1, 12, 480, 40, 90), (1, 12 + 195 * 40, 240, 43, 127)], parts)
    assert CODEC.encode(song).tolist() == [
        [0, 0, 36, 0, 24, 16],  # kick, one step long
        [0, 1, 40, 11, 22, 19],  # bass, together with it, 12 ticks late, a quarter long
        [192, 0, 0, 0, 0, 0],  # WAIT: 192 steps of rest
        [3, 1, 43, 5, 31, 19],  # bass
        [193, 0, 0, 0, 0, 0],  # END
    ]


def test_places_follow_meter_changes_and_go_on_past_the_end() -> None:
    song = Song.make([], (), meters=[(0, 3, 4), (1440, 4, 4)], length=1440 + 1920)
    places = CODEC.places(np.array([0, 35, 36, 83, 84, 140]), CODEC.bar_lines(song))
    assert places.tolist() == [[0, 0, 36], [35, 0, 36], [0, 1, 48], [47, 1, 48], [0, 2, 48], [8, 3, 48]]


def test_silent_parts_go_and_a_crowd_of_parts_plays_together() -> None:
    parts = [Part(f"g{i}", 24 + i % 8) for i in range(20)] + [Part("silent", 3), Part("Drums", 0, True)]
    notes = [(i, i * 480, 480, 40 + i, 80) for i in range(20)] + [(21, 0, 40, 36, 80)]
    song = CODEC.arrange(Song.make(notes, parts))
    assert len(song.parts) == 16
    assert len(song) == 21
    assert song.parts[0].is_drum


def test_a_crowd_joins_like_with_like_and_the_quietest_first() -> None:
    programs = [0, 24, 25, 24, 40, 24] + [48 + 3 * i for i in range(13)]
    sizes = [1, 5, 1, 3, 1, 4] + [9] * 13
    notes = [(part, 480 * n, 480, 60, 80) for part, size in enumerate(sizes) for n in range(size)]
    song = Song.make(notes, [Part(f"p{i}", program) for i, program in enumerate(programs)])
    assert [group for group in CODEC.slots(song) if len(group) > 1] == [[1, 3, 5, 2]]


def test_a_hostile_number_of_parts_is_arranged_all_the_same() -> None:
    """As many as the reader lets through; trying every pair for every join would take a quarter of an hour."""
    parts = [Part(f"p{i}", i % 128, is_drum=i % 9 == 0) for i in range(1024)]
    song = CODEC.arrange(Song.make([(i, i * 40, 40, 60, 80) for i in range(1024)], parts))
    assert len(song.parts) == 16
    assert len(song) == 1024


def test_too_many_parts_are_refused_by_name() -> None:
    song = Song.make([(i, 0, 40, 60, 80) for i in range(17)], [Part()] * 17, title="Crowd")
    with pytest.raises(OutOfRange, match="Crowd: 17 parts"):
        CODEC.encode(song)


@pytest.mark.parametrize(
    ("row", "message"), [([0, 0, 128, 0, 0, 0], "row 0: pitch 128"), ([0, 3, 0, 0, 0, 0], "part 3")]
)
def test_an_id_outside_its_field_is_named(row: list[int], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        CODEC.decode(np.array([row]), Song.make([], SIX_PARTS[:2]))


def test_reading_stops_at_the_end_of_the_song() -> None:
    rows = np.array([[0, 0, 60, 0, 0, 16], [END, 0, 0, 0, 0, 0], [0, 0, 62, 0, 0, 16]])
    assert len(CODEC.decode(rows, Song.make([], SIX_PARTS[:1]))) == 1


def test_every_id_of_every_field_is_described_and_no_two_alike() -> None:
    for field, size in zip(FIELDS, SIZES, strict=True):
        assert len({CODEC.describe(field, symbol) for symbol in range(size)}) == size
    with pytest.raises(OutOfRange):
        CODEC.describe("pitch", 128)


def test_a_codec_of_another_version_is_refused() -> None:
    assert codec_from_config(CODEC.config()) == CODEC
    for version in (1, 99):
        with pytest.raises(BundleError, match=f"version {version}, 2 is known; train the bundle again"):
            codec_from_config({**CODEC.config(), "version": version})


def test_same_program_parts_are_told_apart_by_their_occurrence() -> None:
    table = CODEC.programs(Song.make([], SIX_PARTS))
    assert table[:7].tolist() == [[128, 0], [33, 0], [5, 0], [29, 0], [30, 0], [30, 1], [129, 0]]


def test_an_empty_song_is_only_an_end() -> None:
    assert CODEC.encode(Song()).tolist() == [[END, 0, 0, 0, 0, 0]]

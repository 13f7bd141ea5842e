"""`Song`: what goes in is checked, sorted and kept; nothing can be changed behind its back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import OutOfRange
from woodshed.music import NO_CHORD, SUSTAIN, Key, Marker, Part, Song
from woodshed.music.song import ARRAYS, MAX_TICK

PARTS = [Part("Guitar", 30), Part("Drums", is_drum=True)]
onsets = st.integers(0, 20_000)
notes = st.lists(
    st.tuples(st.integers(0, 1), onsets, st.integers(1, 4000), st.integers(0, 127), st.integers(1, 127)), max_size=25
)
whole_songs = st.builds(
    lambda rows, tempos, meters, keys, chords, controls, bends, more: Song.make(
        rows, PARTS, tempos=tempos, meters=meters, keys=keys, chords=chords, controls=controls, bends=bends,
        title="any", markers=(Marker(5, "A"), Marker(9000, "B")),
        length=max([row[1] for row in rows], default=0) + more,
    ),
    notes,
    st.lists(st.tuples(onsets, st.floats(20, 400)), max_size=4),
    st.lists(st.tuples(onsets, st.integers(1, 12), st.sampled_from([2, 4, 8])), max_size=4),
    st.lists(st.tuples(onsets, st.integers(0, 11), st.booleans()), max_size=4),
    st.lists(st.tuples(onsets, st.integers(-1, 11), st.integers(0, 16), st.integers(0, 11)), max_size=4),
    st.lists(st.tuples(st.integers(0, 1), onsets, st.integers(0, 127), st.integers(0, 127)), max_size=6),
    st.lists(st.tuples(st.integers(0, 1), onsets, st.integers(-8192, 8191)), max_size=6),
    st.integers(0, 5000),
)  # fmt: skip


@given(whole_songs, st.randoms())
def test_the_order_in_which_notes_are_given_does_not_matter(song: Song, chance: object) -> None:
    rows = song.notes.tolist()
    chance.shuffle(rows)  # type: ignore[attr-defined]
    assert song.with_notes(np.array(rows, song.notes.dtype)) == song


@given(whole_songs)
def test_notes_are_sorted_by_onset_then_part_then_pitch(song: Song) -> None:
    order = [(n["onset"], n["part"], n["pitch"], n["duration"], n["velocity"]) for n in song.notes]
    assert order == sorted(order)
    assert song.length >= song.ends.max(initial=0)


def test_the_order_of_controllers_at_one_tick_is_kept() -> None:
    rows = [(0, 10, SUSTAIN, 0), (0, 10, SUSTAIN, 127), (0, 10, 7, 5)]
    assert Song.make([], PARTS, controls=rows).controls.tolist() == rows


def test_arrays_cannot_be_written_and_a_given_array_is_not_shared() -> None:
    rows = np.array([(0, 0, 480, 60, 90)], Song().notes.dtype)
    song = Song(notes=rows, parts=tuple(PARTS), length=480)
    rows["pitch"] = 0
    assert song.notes["pitch"][0] == 60
    for name in ARRAYS:
        assert not getattr(song, name).flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        song.notes["pitch"][0] = 61


@pytest.mark.parametrize(
    "row",
    [(0, -1, 480, 60, 90), (0, 0, 0, 60, 90), (0, 0, 480, 128, 90), (0, 0, 480, -1, 90), (0, 0, 480, 60, 0),
     (0, 0, 480, 60, 128), (2, 0, 480, 60, 90), (-1, 0, 480, 60, 90)],
)  # fmt: skip
def test_a_note_outside_its_range_is_refused(row: tuple[int, ...]) -> None:
    with pytest.raises(OutOfRange, match=r"Song\.notes"):
        Song.make([row], PARTS)


@pytest.mark.parametrize(
    ("name", "row"),
    [("tempos", (0, 0.0)), ("tempos", (0, float("nan"))), ("tempos", (0, float("inf"))), ("meters", (0, 0, 4)),
     ("meters", (0, 4, 0)), ("meters", (0, 4, 3)), ("keys", (0, 12, False)), ("chords", (0, 12, 0, 0)),
     ("chords", (0, 0, 99, 0)), ("chords", (0, 0, -1, 0)), ("controls", (0, 0, 128, 0)), ("controls", (5, 0, 1, 0)),
     ("bends", (0, 0, 8192)), ("bends", (0, -1, 0))],
)  # fmt: skip
def test_an_event_outside_its_range_is_refused(name: str, row: tuple[float, ...]) -> None:
    with pytest.raises(OutOfRange, match=rf"Song\.{name}"):
        Song.make([], PARTS, **{name: [row]})


def test_unsorted_rows_a_wrong_dtype_and_a_short_length_are_refused() -> None:
    rows = np.array([(0, 480, 1, 60, 90), (0, 0, 1, 60, 90)], Song().notes.dtype)
    with pytest.raises(OutOfRange, match="sorted"):
        Song(notes=rows, parts=tuple(PARTS), length=960)
    with pytest.raises(OutOfRange, match="dtype"):
        Song(notes=np.zeros(1))
    with pytest.raises(OutOfRange, match="length"):
        Song(notes=rows[:1], parts=tuple(PARTS), length=10)


def test_a_note_that_ends_past_the_last_tick_is_refused_and_not_wrapped() -> None:
    with pytest.raises(OutOfRange):
        Song.make([(0, MAX_TICK, 10, 60, 90)], PARTS)


def test_part_ranges_and_roles_are_checked() -> None:
    with pytest.raises(OutOfRange, match="program 128"):
        Part("Lead", 128)
    with pytest.raises(OutOfRange, match="role"):
        Part("Lead", 1, role="leader")


@given(whole_songs)
def test_a_slice_of_everything_is_the_song_on_its_own_length(song: Song) -> None:
    everything = song.slice(0, MAX_TICK)
    assert np.array_equal(everything.notes, song.notes)
    assert all(np.array_equal(getattr(everything, name), getattr(song, name)) for name in ARRAYS)
    assert everything.markers == song.markers


@given(whole_songs, st.integers(0, 20_000), st.integers(1, 20_000))
def test_a_slice_holds_the_notes_that_start_in_it_cut_at_its_end(song: Song, start: int, size: int) -> None:
    piece = song.slice(start, start + size)
    inside = (song.notes["onset"] >= start) & (song.notes["onset"] < start + size)
    assert len(piece) == inside.sum()
    assert piece.length == size
    assert (piece.ends <= size).all()
    assert np.array_equal(np.sort(piece.notes["pitch"]), np.sort(song.notes["pitch"][inside]))


def test_a_slice_carries_what_is_in_force_to_its_beginning() -> None:
    song = Song.make(
        [(0, 3840, 480, 60, 90)], PARTS, tempos=[(0, 100.0), (960, 140.0)], meters=[(0, 3, 4)], keys=[(0, 5, True)],
        chords=[(0, 5, 1, 5)], controls=[(0, 100, SUSTAIN, 127), (0, 200, 7, 90), (1, 300, 7, 80), (0, 400, 7, 70)],
        bends=[(0, 100, 500)],
    )  # fmt: skip
    piece = song.slice(1920, 5760)
    assert piece.tempos.tolist() == [(0, 140.0)]
    assert piece.meters.tolist() == [(0, 3, 4)]
    assert piece.keys.tolist() == [(0, 5, True)]
    assert piece.chords.tolist() == [(0, 5, 1, 5)]
    assert sorted(piece.controls.tolist()) == [(0, 0, 7, 70), (0, 0, SUSTAIN, 127), (1, 0, 7, 80)]
    assert piece.bends.tolist() == [(0, 0, 500)]


def test_an_event_that_stands_at_the_start_of_a_slice_replaces_what_was_in_force() -> None:
    song = Song.make([], PARTS, tempos=[(0, 100.0), (480, 140.0)], controls=[(0, 0, 7, 1), (0, 480, 7, 2)], length=960)
    piece = song.slice(480, 960)
    assert piece.tempos.tolist() == [(0, 140.0)]
    assert piece.controls.tolist() == [(0, 0, 7, 2)]


def test_bars_are_sliced_by_number(band_song: Song) -> None:
    piece = band_song.slice_bars(1, 3)
    assert (piece.bars, piece.length) == (2, 3840)
    for bad in ((3, 3), (-1, 2), (0, 9)):
        with pytest.raises(OutOfRange, match="bars"):
            band_song.slice_bars(*bad)


@given(whole_songs, st.integers(-12, 12))
def test_transposing_there_and_back_gives_the_song(song: Song, semitones: int) -> None:
    tones = song.notes["pitch"][song.notes["part"] == 0]
    if len(tones) and not (tones.min() + semitones >= 0 and tones.max() + semitones <= 127):
        with pytest.raises(OutOfRange, match="pitch"):
            song.transpose(semitones)
        return
    assert song.transpose(semitones).transpose(-semitones) == song


def test_drums_and_silence_do_not_move_when_a_song_is_transposed() -> None:
    song = Song.make(
        [(0, 0, 1, 60, 90), (1, 0, 1, 36, 90)], PARTS, keys=[(0, 11, False)],
        chords=[(0, 11, 0, 3), (1, NO_CHORD, 0, NO_CHORD)],
    )  # fmt: skip
    moved = song.transpose(2)
    assert moved.notes["pitch"].tolist() == [62, 36]
    assert moved.keys["tonic"].tolist() == [1]
    assert moved.chords.tolist() == [(0, 1, 0, 5), (1, NO_CHORD, 0, NO_CHORD)]


def test_seconds_follow_the_tempo_map() -> None:
    song = Song.make([(0, 0, 1920, 60, 90)], PARTS, tempos=[(0, 60.0), (960, 120.0)])
    assert song.length_seconds == pytest.approx(3.0)
    assert (song.bpm, Song().bpm) == (60.0, 120.0)


def test_songs_differ_in_any_note_name_or_event(band_song: Song) -> None:
    assert band_song == band_song.replace()
    assert band_song != band_song.replace(title="other")
    assert band_song != band_song.replace(length=band_song.length + 1)
    assert band_song != band_song.slice_bars(0, 3)
    assert band_song != "a song"
    assert str(Key(int(band_song.keys["tonic"][0]), "minor")) == "E minor"
    assert str(band_song.meter) == "4/4"

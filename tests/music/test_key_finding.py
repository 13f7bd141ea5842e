"""Key finding: known keys are found, transposition moves the answer along, and nothing is answered with NaN."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from woodshed.music import Key, Part, Song
from woodshed.music.key_finding import PROFILES, find_key, find_keys, pitch_class_profile
from woodshed.music.segments import sounding_ticks

CADENCE_MAJOR = ((60, 64, 67), (65, 69, 72), (67, 71, 74), (60, 64, 67))
CADENCE_MINOR = ((60, 63, 67), (65, 68, 72), (67, 71, 74), (60, 63, 67))


def chords_song(chords: tuple[tuple[int, ...], ...], shift: int = 0, repeats: int = 2) -> Song:
    """One chord to a bar."""
    rows = [(0, i * 1920, 1920, pitch + shift, 90) for i, chord in enumerate(chords * repeats) for pitch in chord]
    return Song.make(rows, [Part("Piano")])


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("tonic", range(12))
def test_a_cadence_is_in_its_own_key_on_every_tonic(tonic: int, profile: str) -> None:
    assert find_key(chords_song(CADENCE_MAJOR, tonic - 6), profile=profile).key == Key((tonic - 6) % 12, "major")
    assert find_key(chords_song(CADENCE_MINOR, tonic - 6), profile=profile).key == Key((tonic - 6) % 12, "minor")


def test_a_guess_says_how_sure_it_is() -> None:
    clear = find_key(chords_song(CADENCE_MAJOR))
    vague = find_key(Song.make([(0, i * 100, 100, 60 + i, 90) for i in range(12)], [Part()]))
    assert 0 < vague.confidence < clear.confidence <= 1
    assert clear.correlations.shape == (24,)
    assert clear.correlations.argmax() == 0


def test_drums_have_no_key() -> None:
    rows = [(1, i * 240, 240, 36 + i % 7, 100) for i in range(64)]
    tune = [(0, note["onset"], note["duration"], note["pitch"], 90) for note in chords_song(CADENCE_MAJOR).notes]
    parts = [Part("Piano"), Part("Drums", is_drum=True)]
    assert find_key(Song.make(tune + rows, parts)).correlations == pytest.approx(
        find_key(chords_song(CADENCE_MAJOR)).correlations
    )
    only_drums = Song.make(rows, parts)
    assert (find_key(only_drums).key, find_key(only_drums).confidence) == (Key(0, "major"), 0.0)
    assert len(find_keys(only_drums)) == 0


@pytest.mark.parametrize("song", [Song(), Song(length=19200), Song(parts=(Part("Piano"),), length=1)])
def test_silence_is_c_major_with_no_confidence(song: Song) -> None:
    guess = find_key(song)
    assert (guess.key, guess.confidence) == (Key(0, "major"), 0.0)
    assert not np.isnan(guess.correlations).any()
    assert len(find_keys(song)) == 0


def test_one_note_or_all_twelve_alike_give_numbers() -> None:
    one = find_key(Song.make([(0, 0, 1, 127, 1)], [Part()]))
    flat = find_key(Song.make([(0, 0, 480, pitch, 90) for pitch in range(60, 72)], [Part()]))
    for guess in (one, flat):
        assert np.isfinite(guess.correlations).all()
        assert 0 <= guess.confidence <= 1


def test_a_modulation_is_found_where_it_happens_and_keys_do_not_flicker() -> None:
    here, there = chords_song(CADENCE_MAJOR, 0, 4), chords_song(CADENCE_MAJOR, 6, 4)
    later = there.notes.copy()
    later["onset"] += here.length
    song = Song.make(np.concatenate((here.notes, later)), [Part()])
    assert find_keys(song).tolist() == [(0, 0, False), (here.length, 6, False)]
    assert find_keys(chords_song(CADENCE_MAJOR, 0, 8)).tolist() == [(0, 0, False)]


def test_keys_found_are_rows_that_a_song_takes() -> None:
    song = chords_song(CADENCE_MINOR)
    assert song.replace(keys=find_keys(song)).keys.tolist() == [(0, 0, True)]


def test_the_profile_is_the_time_that_each_pitch_class_sounds() -> None:
    rows = [(0, 0, 480, 60, 90), (0, 240, 480, 64, 90), (0, 0, 960, 72, 90), (1, 0, 960, 62, 90)]
    song = Song.make(rows, [Part(), Part(is_drum=True)])
    profile = pitch_class_profile(song.notes, np.array([False, True]), np.array([0, 480, 960]))
    assert profile.shape == (2, 12)
    assert (profile[0, [0, 2, 4]].tolist(), profile[1, [0, 2, 4]].tolist()) == ([960, 0, 240], [480, 0, 240])


notes = st.lists(
    st.tuples(st.just(0), st.integers(0, 5000), st.integers(1, 4000), st.integers(0, 127), st.integers(1, 127)),
    min_size=1,
    max_size=30,
)


@given(notes, st.lists(st.integers(1, 700), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_sounding_time_agrees_with_counting_note_by_note(rows: list[tuple[int, ...]], sizes: list[int]) -> None:
    song, lines = Song.make(rows, [Part()]), np.cumsum([0, *sizes])
    expected = np.zeros((len(sizes), 12))
    for note in song.notes:
        start, end = int(note["onset"]), int(note["onset"]) + int(note["duration"])
        for index in range(len(sizes)):
            expected[index, note["pitch"] % 12] += max(min(end, lines[index + 1]) - max(start, lines[index]), 0)
    assert np.array_equal(sounding_ticks(song.notes, song.notes["pitch"] % 12, 12, lines), expected)


@given(notes, st.integers(-11, 11))
@settings(max_examples=60, deadline=None)
def test_transposing_the_song_transposes_the_correlations(rows: list[tuple[int, ...]], shift: int) -> None:
    inside = [(part, onset, duration, 20 + pitch % 80, velocity) for part, onset, duration, pitch, velocity in rows]
    song = Song.make(inside, [Part()])
    here, there = find_key(song).correlations, find_key(song.transpose(shift)).correlations
    moved = np.concatenate((np.roll(here[:12], shift), np.roll(here[12:], shift)))
    assert there == pytest.approx(moved, abs=1e-9)

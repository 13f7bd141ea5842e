"""What each note is in its chord: root, third, fifth or other."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.music import Part, Song
from woodshed.music.chord_places import FIFTH, OTHER, PLACES, ROOT, THIRD, chord_places, place_shares
from woodshed.music.chord_sheet import chord_rows, parse_chords

KEYS, BASS, DRUMS = Part("Keys", 4), Part("Bass", 33), Part("Drums", 0, is_drum=True)


@pytest.mark.parametrize(
    ("chord", "tones"),
    [
        ("C", {0: ROOT, 4: THIRD, 7: FIFTH}),
        ("Am7", {9: ROOT, 0: THIRD, 4: FIFTH}),
        ("Bdim", {11: ROOT, 2: THIRD, 5: FIFTH}),
        ("Faug", {5: ROOT, 9: THIRD, 1: FIFTH}),
        ("G5", {7: ROOT, 2: FIFTH}),
        ("Dsus4", {2: ROOT, 9: FIFTH}),
    ],
)
def test_all_but_root_third_and_fifth_is_other(chord: str, tones: dict[int, int]) -> None:
    (row,) = chord_places(chord_rows(parse_chords(chord), 1, 1920))
    assert row.tolist() == [tones.get(pitch_class, OTHER) for pitch_class in range(12)]


def test_where_no_chord_sounds_there_is_no_place() -> None:
    places = chord_places(chord_rows(parse_chords("C | N.C."), 2, 1920))
    assert (places[0] >= 0).all()
    assert (places[1] == -1).all()


def test_to_a_bass_the_written_bass_is_the_root() -> None:
    rows = chord_rows(parse_chords("C/E"), 1, 1920)
    above, below = chord_places(rows)[0], chord_places(rows, bass=True)[0]
    assert (above[0], above[4], above[7]) == (ROOT, THIRD, FIFTH)
    assert (below[0], below[4], below[7]) == (OTHER, ROOT, FIFTH)


def test_shares_are_those_of_the_chords_in_force_and_of_pitched_parts_with_enough_notes() -> None:
    chords = chord_rows(parse_chords("C | Am/C | N.C."), 3, 1920)
    tones = enumerate((60, 64, 67, 69))
    keys = [(0, start + 480 * beat, 400, pitch, 80) for beat, pitch in tones for start in (0, 1920, 3840)]
    bass = [(1, bar * 1920, 400, 36, 80) for bar in range(3)]
    drums = [(2, beat * 480, 100, 36, 80) for beat in range(12)]
    song = Song.make(keys + bass + drums, (KEYS, BASS, DRUMS))
    shares = place_shares(song, 0, chords, 8)
    assert shares is not None
    assert dict(zip(PLACES, shares.tolist(), strict=True)) == {
        "root": 2 / 8, "third": 2 / 8, "fifth": 2 / 8, "other": 2 / 8,
    }  # fmt: skip
    low = place_shares(song, 1, chords, 2)
    assert low is not None
    assert low[ROOT] == 1
    assert place_shares(song, 0, chords, 9) is None
    assert place_shares(song, 2, chords, 1) is None
    assert place_shares(song, 0, chords[:0], 1) is None


def test_a_note_that_is_played_a_little_early_is_of_the_chord_to_come() -> None:
    chords = chord_rows(parse_chords("C | D"), 2, 1920)
    song = Song.make([(0, 1910, 400, 62, 80), (0, 1890, 400, 60, 80)], (KEYS,), length=3840)
    shares = place_shares(song, 0, chords, 1)
    assert shares is not None
    assert shares[ROOT] == 1


def test_notes_before_the_first_chord_have_no_place() -> None:
    chords = chord_rows(parse_chords("C"), 1, 1920)
    chords["onset"] = 960
    song = Song.make([(0, 0, 400, 61, 80), (0, 960, 400, 60, 80)], (KEYS,))
    shares = place_shares(song, 0, chords, 1)
    assert shares is not None
    assert shares.tolist() == np.eye(4)[ROOT].tolist()

"""How dense, how high, how syncopated a clip is."""

from __future__ import annotations

import math

import pytest

from woodshed.music import Part, Song
from woodshed.music.attributes import ATTRIBUTES, density, register, syncopation

FLUTE, KIT = Part("Flute", 73), Part("Kit", 0, is_drum=True)


def line(steps: list[int], length: int = 16, pitches: tuple[int, ...] = (60,), part: Part = FLUTE) -> Song:
    """A note of each pitch on each of these sixteenths."""
    return Song.make([(0, 120 * step, 60, p, 90) for step in steps for p in pitches], [part], length=120 * length)


def test_density_counts_notes_in_a_bar() -> None:
    assert density(line([0, 4, 8, 12])) == 4
    assert density(line([0, 4, 8, 12], 32)) == 2


def test_register_is_the_mean_pitch_of_what_has_pitches() -> None:
    assert register(line([0, 4], pitches=(60, 64))) == 62
    assert math.isnan(register(line([0], part=KIT)))


def test_notes_on_the_beats_are_not_syncopated() -> None:
    assert syncopation(line([0, 4, 8, 12])) == 0
    assert syncopation(line(list(range(16)))) == 0
    assert syncopation(line([0])) == 0


def test_a_note_before_a_silent_beat_is_syncopated() -> None:
    assert syncopation(line([2], 8)) == 1  # the second beat, -2, over the note's -3
    assert syncopation(line([7], 16)) == 3  # the third beat, -1, over -4
    assert syncopation(line([15], 32)) == 4  # the next bar, 0, over -4
    assert syncopation(line([0, 7, 8])) == 0
    assert syncopation(line([0, 7, 12])) == pytest.approx(3 / 3)


def test_a_chord_is_one_note_and_each_drum_is_a_line_of_its_own() -> None:
    assert syncopation(line([7], pitches=(60, 64, 67))) == 3
    hats = line(list(range(0, 16, 2)), pitches=(42,), part=KIT)
    both = Song.make([*hats.notes.tolist(), (0, 120 * 7, 60, 36, 90)], [KIT], length=1920)
    assert syncopation(hats) == 0
    assert syncopation(both) == pytest.approx(3 / 9)


def test_an_empty_song_has_no_attributes() -> None:
    assert all(math.isnan(measure(Song())) for measure in ATTRIBUTES.values())

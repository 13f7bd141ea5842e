"""On which steps of a quarter note the parts of a song begin their notes."""

from __future__ import annotations

import numpy as np

from woodshed.bundle.style import MOST_OFF
from woodshed.codecs.grids import grids, notated_steps, reaches
from woodshed.music import METER, NOTE, Part, Song
from woodshed.music.units import ticks_to_steps

STEP = 40


def _song(steps: list[int], numerator: int = 4, denominator: int = 4) -> Song:
    notes = np.array([(0, step * STEP, 2 * STEP, 60, 80) for step in steps], NOTE)
    meters = np.array([(0, numerator, denominator)], METER)
    return Song.make(notes, (Part("Flute", 73),), meters=meters)


def test_a_grid_is_where_notes_begin_but_for_strays() -> None:
    swung = [12 * beat + place for beat in range(200) for place in (0, 8)]
    assert grids(_song(swung)) == {0: (0, 8)}
    assert grids(_song([*swung, 5])) == {0: (0, 8)}
    assert grids(_song([*swung, *range(5, 125, 12)])) == {0: (0, 5, 8)}


def test_a_grid_begins_anew_in_every_bar() -> None:
    seven = [42 * bar + place for bar in range(5) for place in range(0, 42, 12)]
    assert grids(_song(seven, 7, 8)) == {0: (0,)}
    assert grids(_song(seven)) == {0: (0, 6)}


def test_a_part_with_too_few_notes_has_no_grid() -> None:
    assert grids(Song(parts=(Part("Flute", 73),), length=1920)) == {}
    assert grids(_song([0, 12]), fewest=3) == {}
    assert grids(_song([0, 12, 18]), fewest=3) == {0: (0, 6)}


def test_what_is_played_by_hand_is_on_the_grid_that_was_meant() -> None:
    """Sixteenths a little late and early, of which the nearest of 12 steps are all of them."""
    chance = np.random.default_rng(0)
    onsets = np.maximum(np.arange(400) * 3 * STEP + chance.integers(-28, 29, 400), 0)
    notes = np.array([(0, onset, STEP, 36 + at % 2, 80) for at, onset in enumerate(np.sort(onsets))], NOTE)
    song = Song.make(notes, (Part("Drums", 0, is_drum=True),))
    assert len(set((ticks_to_steps(notes["onset"]) % 12).tolist())) > 8
    assert grids(song) == {0: (0, 3, 6, 9)}
    assert (notated_steps(song) % 3 == 0).mean() > 0.97
    assert 24 <= reaches(song)[0] <= 28
    assert reaches(_song([0, 3, 6])) == {0: 0}


def test_no_reach_is_longer_than_a_bundle_may_say() -> None:
    """Two strokes within a step, between two triplets played by hand, are one to the codec, and notated where one of
    them may lie: the other is farther off than any note that is alone."""
    chance = np.random.default_rng(1)
    triplets = np.maximum(np.arange(180) * 160 + chance.integers(-15, 16, 180), 0)
    flams = np.arange(0, 180, 9) * 160 + 61
    rows = [(0, onset, 10, 42, 80) for onset in triplets]
    rows += [(1, onset, 10, 36, 80) for onset in np.concatenate((flams, flams + 26))]
    parts = (Part("Hats", 0, is_drum=True), Part("Kick", 0, is_drum=True))
    song = Song.make(np.sort(np.array(rows, NOTE), order=("onset", "part", "pitch")), parts)
    off = np.abs(song.notes["onset"] - notated_steps(song) * STEP)
    assert off[song.notes["part"] == 1].max() > MOST_OFF
    assert reaches(song)[1] == MOST_OFF

"""Which note values and velocities each part of a song has."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.codecs.usual_values import OCCASIONS, note_values, occasions, velocities
from woodshed.music import NOTE, Part, Song

STEP = 40
FLUTE, DRUMS = Part("Flute", 73), Part("Drums", 0, is_drum=True)


def _song(rows: list[tuple[int, ...]], *parts: Part) -> Song:
    return Song.make(np.array(sorted(rows, key=lambda row: row[1]), NOTE), parts or (FLUTE,))


def test_note_values_are_those_of_more_than_a_stray() -> None:
    lengths = [3] * 200 + [6] * 100 + [5]
    rows = [(0, at * 12 * STEP, length * STEP, 60, 80) for at, length in enumerate(lengths)]
    assert note_values(_song(rows)) == {0: {3: pytest.approx(2 / 3), 6: pytest.approx(1 / 3)}}
    rows += [(0, (400 + at) * 12 * STEP, 5 * STEP, 60, 80) for at in range(9)]
    assert list(note_values(_song(rows))[0]) == [3, 5, 6]


def test_a_part_with_few_notes_or_with_any_value_has_none_that_is_usual() -> None:
    assert note_values(_song([(0, at * 480, 3 * STEP, 60, 80) for at in range(31)])) == {}
    chance = np.random.default_rng(0)
    rows = [(0, at * 480, int(length) * STEP, 60, 80) for at, length in enumerate(chance.integers(1, 300, 600))]
    assert note_values(_song(rows)) == {}
    assert note_values(_song(rows), 1) == {}


def test_the_longest_value_stands_for_all_that_are_longer() -> None:
    assert note_values(_song([(0, at * 40000, 39000, 60, 80) for at in range(40)])) == {0: {384: 1.0}}


def test_velocities_are_those_of_the_occasion_with_their_shares() -> None:
    """Bars of eighths: 120 on the first beat, 100 or 80 by turns on the others, 60 between."""
    rows = []
    for at in range(8 * 40):
        bar, eighth = divmod(at, 8)
        loud = 120 if eighth == 0 else 60 if eighth % 2 else (100, 80)[bar % 2]
        rows.append((0, at * 240, 200, 60, loud))
    (found,) = velocities(_song(rows)).values()
    assert len(found) == OCCASIONS
    assert found[:3] == [{29: 1.0}, {19: 0.5, 24: 0.5}, {14: 1.0}]
    assert set(found[3]) == {14, 19, 24, 29}  # of nothing that is on no eighth: what all have
    assert sum(found[3].values()) == pytest.approx(1)


def test_each_kind_of_drum_has_its_own_on_the_beat_and_off() -> None:
    rows = []
    for at in range(8 * 20):
        rows.append((0, at * 240, 100, 42, 100 if at % 2 == 0 else 60))
        if at % 4 == 0:
            rows.append((0, at * 240, 100, 36, 120))
    (found,) = velocities(_song(rows, DRUMS)).values()
    assert found[4:6] == [{24: 1.0}, {14: 1.0}]
    assert found[0] == {29: 1.0}


def test_occasions_of_drums_and_of_notes() -> None:
    place = np.array([0, 12, 6, 5, 18, 24])
    assert occasions(False, np.full(6, 60), place).tolist() == [0, 1, 2, 3, 2, 1]
    pitches = np.array([36, 35, 38, 42, 49, 46])
    assert occasions(True, pitches, place).tolist() == [0, 0, 3, 5, 7, 4]

"""What one part of a song does, in figures."""

from __future__ import annotations

import numpy as np

from woodshed.music import METER, NOTE, Part, Song
from woodshed.music.texture import texture_of

STEP = 40


def _song(steps: list[int], numerator: int = 4, denominator: int = 4) -> Song:
    notes = np.array([(0, step * STEP, 2 * STEP, 60, 80) for step in steps], NOTE)
    meters = np.array([(0, numerator, denominator)], METER)
    return Song.make(notes, (Part("Flute", 73),), meters=meters)


def test_a_grid_is_where_notes_begin_but_for_strays() -> None:
    swung = [12 * beat + place for beat in range(200) for place in (0, 8)]
    assert texture_of(_song(swung), 0).grid == (0, 8)
    assert texture_of(_song([*swung, 5]), 0).grid == (0, 8)
    assert texture_of(_song([*swung, *range(5, 125, 12)]), 0).grid == (0, 5, 8)


def test_a_grid_begins_anew_in_every_bar() -> None:
    seven = [42 * bar + place for bar in range(5) for place in range(0, 42, 12)]
    assert texture_of(_song(seven, 7, 8), 0).grid == (0,)
    assert texture_of(_song(seven), 0).grid == (0, 6)


def test_a_part_that_does_not_play_has_no_grid() -> None:
    assert texture_of(Song(parts=(Part("Flute", 73),), length=1920), 0).grid is None

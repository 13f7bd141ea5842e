"""How far apart the notes of a line lie, how often it comes back to one pitch, and which parts are such lines."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.music import Part, Song
from woodshed.music.intervals import favourite_share, interval_shares, lead_lines, line_of


def test_intervals_fall_into_six_classes() -> None:
    line = np.array([60, 60, 62, 59, 64, 76, 60, 61], np.int16)  # 0, 2, 3, 5, 12, 16, 1
    assert interval_shares(line) == pytest.approx(np.array([1, 2, 1, 1, 1, 1]) / 7)
    assert np.isnan(interval_shares(line[:1])).all()


def test_a_favourite_is_the_pitch_that_came_most_often_of_late_and_first_of_several() -> None:
    scale = np.arange(40, 80)
    assert favourite_share(scale) == 0
    pedal = np.tile([40, 45, 40, 50], 10)
    assert favourite_share(pedal) == 0.5
    in_turn = np.tile(np.arange(60, 76), 2)  # each came once: the first of the latest 16, which comes now, is it
    assert favourite_share(in_turn) == 1
    assert np.isnan(favourite_share(scale[:16]))


def test_lines_that_lead_are_neither_drums_nor_basses_nor_chords_nor_low() -> None:
    parts = (
        Part("Drums", is_drum=True),
        Part("Bass", 33),
        Part("Pad", 89),
        Part("Low", 30),
        Part("Lead", 81),
        Part("Few", 81),
    )
    notes = [(240 * i, 240, 62 + i % 5) for i in range(40)]
    song = Song.make(
        [
            *((0, *note, 90) for note in notes),
            *((1, *note, 90) for note in notes),
            *((2, onset, length, pitch + over, 90) for onset, length, pitch in notes for over in (0, 7)),
            *((3, onset, length, pitch - 20, 90) for onset, length, pitch in notes),
            *((4, *note, 90) for note in reversed(notes)),
            *((5, *note, 90) for note in notes[:20]),
        ],
        parts,
    )
    assert lead_lines(song) == [4]
    assert line_of(song, 4).tolist() == [pitch for _, _, pitch in notes]

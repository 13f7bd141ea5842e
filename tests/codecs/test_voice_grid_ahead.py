"""What is ahead in a soprano that is wholly known."""

from __future__ import annotations

import numpy as np

from woodshed.codecs.voice_grid import REST
from woodshed.codecs.voice_grid_ahead import AHEAD, FAR, LONGEST, ahead

SOPRANO = np.repeat([67, 69, REST, 71, 72], [4, 2, 2, 4, 8])


def test_the_rest_of_a_note_and_the_notes_after_it_are_told() -> None:
    told = ahead(SOPRANO)
    assert told.shape == (20, AHEAD)
    assert told[:6, 0].tolist() == [4, 3, 2, 1, 2, 1]
    assert told[12, 0] == 8
    assert told[0, 1:3].tolist() == [69, REST]
    assert told[8, 1:3].tolist() == [72, REST]  # nothing comes after the last note
    assert ahead(np.full(30, 60))[0, 0] == LONGEST


def test_the_next_two_beats_are_told() -> None:
    told = ahead(SOPRANO)
    assert told[1, 3:5].tolist() == [69, 71]
    assert told[17, 3:5].tolist() == [REST, REST]


def test_beats_to_the_next_long_note_are_counted() -> None:
    cadence = ahead(SOPRANO)[:, 5]
    assert cadence[[0, 4, 11, 12, 19]].tolist() == [3, 2, 1, 0, 0]
    assert ahead(np.arange(60, 70))[0, 5] == FAR


def test_pitch_classes_of_the_whole_are_told_at_once() -> None:
    whole = ahead(SOPRANO)[0, 6:]
    assert {pitch: int(whole[pitch]) for pitch in np.flatnonzero(whole)} == {0: 44, 7: 22, 9: 11, 11: 22}
    assert (ahead(np.full(4, REST))[:, 6:] == 0).all()


def test_an_empty_soprano_has_no_rows() -> None:
    assert ahead(np.zeros(0, np.int64)).shape == (0, AHEAD)

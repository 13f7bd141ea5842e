"""Where phrases end: long notes, rests and the last note."""

from __future__ import annotations

import numpy as np

from woodshed.music import NOTE, Part, Song
from woodshed.music.phrases import phrase_ends


def ends(*lengths: tuple[int, int]) -> list[int]:
    """Which of the notes, of a length and a rest after it in ticks, end a phrase."""
    onset = np.cumsum([0, *(length + rest for length, rest in lengths[:-1])])
    rows = [(0, at, length, 60, 90) for at, (length, _) in zip(onset.tolist(), lengths, strict=True)]
    found = phrase_ends(Song.make(rows, [Part()]).notes)
    return np.searchsorted(onset, found).tolist()


def test_a_phrase_ends_on_a_note_twice_as_long_as_most_that_no_neighbour_outlasts() -> None:
    assert ends((480, 0), (480, 0), (960, 0), (480, 0), (480, 0)) == [2, 4]
    assert ends((480, 0), (960, 0), (1440, 0), (480, 0), (480, 0)) == [2, 4]


def test_a_phrase_ends_before_a_rest_of_an_eighth_and_with_the_last_note() -> None:
    assert ends((480, 0), (480, 240), (480, 239), (480, 0)) == [1, 3]
    assert ends((480, 0)) == [0]


def test_without_notes_nothing_ends() -> None:
    assert phrase_ends(np.empty(0, NOTE)).tolist() == []

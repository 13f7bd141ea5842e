"""Which bars of a part are again, to the note, what it played before."""

from __future__ import annotations

import numpy as np

from woodshed.music import METER, Part, Song
from woodshed.music.returns import bars_again


def test_a_bar_is_again_the_latest_that_is_the_same_to_the_note() -> None:
    """A B A A' A, where A' has one more note; a second part comes in late, plays the same, and does not count."""
    riff, other = [(0, 40), (480, 43)], [(0, 41)]
    bars = [riff, other, riff, [*riff, (960, 45)], riff]
    notes = [
        (0, 1920 * bar + place, 200 + bar, pitch, 60 + bar) for bar, own in enumerate(bars) for place, pitch in own
    ]
    notes += [(1, 1920 * bar + 5, 100, 40, 80) for bar in (2, 3)]
    song = Song.make(notes, (Part("Bass", 33), Part("Guitar", 30)), length=5 * 1920)
    assert bars_again(song).tolist() == [[0, 0, 2, 0, 2], [0, 0, 0, 1, 0]]
    assert bars_again(Song(parts=song.parts, length=1920)).tolist() == [[0], [0]]


def test_a_bar_of_another_length_is_another_bar() -> None:
    song = Song.make([(0, 0, 100, 40, 80), (0, 1920, 100, 40, 80)], [Part("Bass", 33)], length=1920 + 1440)
    song = song.replace(meters=np.array([(0, 4, 4), (1920, 3, 4)], METER))
    assert bars_again(song).tolist() == [[0, 0]]

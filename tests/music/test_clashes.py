"""Semitones that sound at once: which notes begin one, and which do not."""

from __future__ import annotations

import pytest

from woodshed.music import Part, Song
from woodshed.music.clashes import clashes

KEYS, BASS, DRUMS = Part("Keys", 4), Part("Bass", 33), Part("Drums", 0, is_drum=True)


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([(0, 0, 480, 60), (0, 240, 480, 61)], [False, True]),
        ([(0, 0, 480, 60), (1, 240, 480, 47)], [False, True]),  # octaves aside, and in another part
        ([(0, 0, 480, 71), (1, 0, 480, 48)], [False, True]),  # struck together: the later part clashes
        ([(0, 0, 480, 60), (0, 480, 480, 61)], [False, False]),  # it has ended
        ([(0, 0, 500, 60), (0, 480, 480, 61)], [False, False]),  # legato
        ([(0, 0, 480, 60), (0, 240, 480, 62)], [False, False]),
        ([(0, 0, 480, 60), (2, 240, 480, 49)], [False]),  # drums do not clash
    ],
)
def test_a_note_clashes_with_what_sounds_on_a_semitone_from_it(
    notes: list[tuple[int, int, int, int]], expected: list[bool]
) -> None:
    song = Song.make([(*note, 80) for note in notes], (KEYS, BASS, DRUMS))
    assert clashes(song).tolist() == expected


def test_an_empty_song_has_none() -> None:
    assert not len(clashes(Song.make([], (KEYS,))))

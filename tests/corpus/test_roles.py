"""Each part is given what it does in the band."""

from __future__ import annotations

import pytest

from woodshed.corpus import find_roles
from woodshed.music import ROLES, Part, Song


def playing(part: Part, pitches: list[int], *, together: int = 1, ticks: int = 240) -> Song:
    """Notes one after another, ``together`` of them a third apart, and a drum beat beside them."""
    notes = [
        (0, step * ticks, ticks, pitch + 4 * voice, 90)
        for step, pitch in enumerate(pitches)
        for voice in range(together)
    ]
    notes += [(1, step * 480, 120, 36, 90) for step in range(len(pitches) // 2)]
    return Song.make(notes, [part, Part("", 0, True)])


LOW, HIGH = [40, 43, 45, 40] * 8, [64, 67, 71, 76, 72, 69] * 6


@pytest.mark.parametrize(
    ("part", "pitches", "together", "role"),
    [
        (Part("", 33), LOW, 1, "bass"),
        (Part("", 0), LOW, 1, "bass"),
        (Part("", 30), LOW, 2, "rhythm guitar"),
        (Part("", 30), HIGH, 1, "lead"),
        (Part("", 81), HIGH, 1, "lead"),
        (Part("", 4), HIGH, 3, "keys"),
        (Part("", 73), HIGH, 1, "melody"),
        (Part("", 48), HIGH, 3, "strings"),
        (Part("", 61), HIGH, 3, "brass"),
        (Part("", 52), HIGH, 1, "voice"),
        (Part("", 47), LOW, 1, "percussion"),
        (Part("", 122), HIGH, 1, "effects"),
        (Part("Lead Gtr", 0), LOW, 1, "lead"),
        (Part("BASS 1", 81), HIGH, 1, "bass"),
        (Part("Vox", 0), HIGH, 1, "voice"),
        (Part("Drums", 30), LOW, 2, "rhythm guitar"),
        (Part("All your bass are belong to us", 73), HIGH, 1, "melody"),
    ],
)
def test_a_part_is_known_by_its_name_its_program_or_what_it_plays(
    part: Part, pitches: list[int], together: int, role: str
) -> None:
    song = find_roles(playing(part, pitches, together=together))
    assert [part.role for part in song.parts] == [role, "drums"]


def test_long_chords_on_a_synthesizer_are_a_pad() -> None:
    assert find_roles(playing(Part("", 80), HIGH, together=3, ticks=1920)).parts[0].role == "pad"


def test_if_nobody_has_the_tune_the_most_tuneful_part_gets_it() -> None:
    assert find_roles(playing(Part("", 0), HIGH)).parts[0].role == "melody"
    assert find_roles(playing(Part("", 0), HIGH, together=3)).parts[0].role == "keys"


def test_a_role_that_is_known_stays() -> None:
    song = playing(Part("Bass", 33, role="effects"), LOW)
    assert find_roles(song).parts[0].role == "effects"


def test_nothing_but_the_roles_changes(band_song: Song) -> None:
    bare = band_song.replace(parts=tuple(Part(part.name, part.program, part.is_drum) for part in band_song.parts))
    assert find_roles(bare) == band_song


@pytest.mark.parametrize("program", range(128))
def test_every_program_has_a_role_even_without_notes(program: int) -> None:
    assert find_roles(Song(parts=(Part("", program),))).parts[0].role in ROLES

"""Which part of a song a codec for single parts listens to."""

from __future__ import annotations

import re

import numpy as np

from woodshed.music import Part, Song
from woodshed.music.general_midi import PROGRAMS

ELECTRIC_GUITAR = "electric guitar"
ELECTRIC_PROGRAMS = range(26, 32)
"""General MIDI's electric guitars: jazz, clean, muted, overdriven, distortion, harmonics."""
_GUITAR_NAME = re.compile(r"guit|gtr|\bgit\b", re.IGNORECASE)
_NO_ELECTRIC_NAME = re.compile(r"bass|acoustic|nylon|steel|classic", re.IGNORECASE)


def notes_of_parts(song: Song) -> list[int]:
    """How many notes each part has."""
    counts: list[int] = np.bincount(song.notes["part"], minlength=len(song.parts)).tolist()
    return counts


def only_part(song: Song, index: int) -> Song:
    """One part of a song, with tempo, meter, key and chords but no controllers."""
    notes = song.notes[song.notes["part"] == index].copy()
    notes["part"] = 0
    none = {name: getattr(song, name)[:0] for name in ("controls", "bends")}
    return song.replace(notes=notes, parts=(song.parts[index],), **none)


def is_called(part: Part, wanted: str) -> bool:
    """Whether a part is what a user means by a word or a program number."""
    wanted = wanted.strip().lower()
    if wanted == ELECTRIC_GUITAR:
        named = bool(_GUITAR_NAME.search(part.name)) and not _NO_ELECTRIC_NAME.search(part.name)
        return part.program in ELECTRIC_PROGRAMS or (named and part.program not in range(24, 40))
    if wanted.isdigit():
        return part.program == int(wanted)
    name = f"{part.name} {PROGRAMS[part.program]}".lower()
    return wanted in name and not (wanted == "guitar" and "bass" in name)

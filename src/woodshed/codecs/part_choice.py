"""Which part of a song a codec for single parts listens to."""

from __future__ import annotations

import re

import numpy as np

from woodshed.music import Part, Song
from woodshed.music.general_midi import PROGRAMS

ELECTRIC_GUITAR = "electric guitar"
ELECTRIC_PROGRAMS = range(26, 32)
"""General MIDI's electric guitars: jazz, clean, muted, overdriven, distortion, harmonics."""
ACOUSTIC_PROGRAMS, BASS_PROGRAMS = range(24, 26), range(32, 40)
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
    return bool(called_by(part, wanted))


def called_by(part: Part, wanted: str) -> str:
    """What makes a part the one that is meant by a word or a program number: "program", "name", or "" for nothing."""
    wanted = wanted.strip().lower()
    if wanted == ELECTRIC_GUITAR:
        named = bool(_GUITAR_NAME.search(part.name)) and not _NO_ELECTRIC_NAME.search(part.name)
        if part.program in ELECTRIC_PROGRAMS:
            return "program"
        return "name" if named and part.program not in range(24, 40) else ""
    if wanted.isdigit():
        return "program" if part.program == int(wanted) else ""
    name, program = part.name.lower(), PROGRAMS[part.program].lower()
    if wanted not in f"{name} {program}" or (wanted == "guitar" and "bass" in f"{name} {program}"):
        return ""
    return "program" if wanted in program else "name"


def no_part(song: Song, wanted: str) -> str:
    """Why no sounding part of a song is the one that is meant, in words that can be counted.

    Of electric guitars: what comes nearest to one.
    """
    told = f"no part for {wanted!r}"
    if wanted != ELECTRIC_GUITAR:
        return told
    sounding = [
        part for part, count in zip(song.parts, notes_of_parts(song), strict=True) if count and not part.is_drum
    ]
    if any(part.program in ACOUSTIC_PROGRAMS for part in sounding):
        return f"{told} (acoustic by program)"
    named = [part for part in sounding if _GUITAR_NAME.search(part.name)]
    if any(part.program in BASS_PROGRAMS for part in named):
        return f"{told} (guitar by name and bass by program)"
    return f"{told} (bass or acoustic by name)" if named else f"{told} (none by program or name)"


def part_remedy(reason: str, wanted: str | None) -> str:
    """What would serve where a song has no part to listen to, for one of the reasons that are counted."""
    part = "a pitched part" if wanted is None else f"a part called {wanted!r}"
    if wanted == ELECTRIC_GUITAR:
        part = "an electric guitar (program 26-31, or guitar in its name)"
    if reason == "no notes":
        return f"give music with {part}"
    if reason == "only drums":
        return f"give music with {part}, or use a recipe that plays drums, such as band or pianoroll"
    return f"give music with {part}, or train with another --part"

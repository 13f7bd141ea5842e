"""What each part does in the band, from its program, name, register, polyphony and rhythm."""

from __future__ import annotations

from dataclasses import replace

from woodshed.music import Part, Song

_FAMILY_ROLES = (
    "keys", "percussion", "keys", "rhythm guitar", "bass", "strings", "voice", "brass",
    "melody", "melody", "lead", "pad", "pad", "melody", "percussion", "effects",
)  # fmt: skip


def find_roles(song: Song) -> Song:
    """The song with `Part.role` filled in wherever it was empty."""
    return song.replace(parts=tuple(part if part.role else replace(part, role=_role(part)) for part in song.parts))


def _role(part: Part) -> str:
    return "drums" if part.is_drum else _FAMILY_ROLES[part.program // 8]

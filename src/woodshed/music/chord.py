"""Chords: a root, a quality and perhaps another bass."""

from __future__ import annotations

import re
from dataclasses import dataclass

from woodshed.errors import UnknownName
from woodshed.music.key import PITCH_NAMES, parse_pitch_class

QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "sus2": (0, 2, 7),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "9": (0, 4, 7, 10, 2),
    "mmaj7": (0, 3, 7, 11),
    "7sus4": (0, 5, 7, 10),
    "5": (0, 7),
}
"""Name as written after the root -> semitones above the root. The order is the id in `Song.chords`."""

QUALITY_NAMES = tuple(QUALITIES)


@dataclass(frozen=True)
class Chord:
    """A chord symbol such as Am, F#7 or C/E."""

    root: int
    """Pitch class 0-11."""
    quality: str = ""
    """One of `QUALITIES`; the empty string is a major triad."""
    bass: int | None = None
    """Pitch class of the bass when it is not the root."""

    def __post_init__(self) -> None:
        if not 0 <= self.root <= 11 or self.quality not in QUALITIES:
            raise UnknownName(
                f"chord with root {self.root} and quality {self.quality!r}: the root is 0-11 and the quality one of "
                + ", ".join(name or "(major)" for name in QUALITIES)
            )

    @classmethod
    def parse(cls, text: str) -> Chord:
        """``"Am"``, ``"F#7"``, ``"C/E"`` -> Chord."""
        found = re.fullmatch(r"([A-G][#b♯♭]*)([^/]*)(?:/([A-G][#b♯♭]*))?", text.strip())
        aliases = {"min": "m", "-": "m", "M7": "maj7", "min7": "m7", "-7": "m7", "°": "dim", "+": "aug", "ø": "m7b5"}
        quality = aliases.get(found[2], found[2]) if found else ""
        if not found or quality not in QUALITIES:
            known = ", ".join(filter(None, QUALITIES))
            raise UnknownName(f"chord {text!r} cannot be read; write a root A-G, then nothing or one of {known}")
        bass = parse_pitch_class(found[3]) if found[3] else None
        return cls(parse_pitch_class(found[1]), quality, bass)

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The chord's pitch classes, root first."""
        return tuple((self.root + step) % 12 for step in QUALITIES[self.quality])

    def transpose(self, semitones: int) -> Chord:
        """The same chord on another root."""
        bass = None if self.bass is None else (self.bass + semitones) % 12
        return Chord((self.root + semitones) % 12, self.quality, bass)

    def __str__(self) -> str:
        over = "" if self.bass is None or self.bass == self.root else f"/{PITCH_NAMES[self.bass]}"
        return f"{PITCH_NAMES[self.root]}{self.quality}{over}"

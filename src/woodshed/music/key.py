"""Keys, scales and the names of pitches."""

from __future__ import annotations

import re
from dataclasses import dataclass

from woodshed.errors import UnknownName

PITCH_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10)
SCALES: dict[str, tuple[int, ...]] = {
    "major": MAJOR_SCALE,
    "minor": MINOR_SCALE,
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "chromatic": tuple(range(12)),
}
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


def parse_pitch_class(text: str) -> int:
    """``"F#"``, ``"Gb"`` or ``"f♯"`` -> 6."""
    found = re.fullmatch(r"([A-Ga-g])([#b♯♭]*)", text.strip())
    if not found:
        raise UnknownName(f"{text!r} is not a note name; write a letter A-G, then # or b if needed")
    shift = sum(1 if sign in "#♯" else -1 for sign in found[2])
    return (_NATURAL[found[1].upper()] + shift) % 12


def parse_pitch(text: str) -> int:
    """``"C4"`` -> 60, ``"F#3"`` -> 54, ``"60"`` -> 60; the octave of middle C is 4.

    Raises:
        UnknownName: if it is no pitch, or outside 0-127 (C-1 to G9).
    """
    text = text.strip()
    found = re.fullmatch(r"([A-Ga-g][#b♯♭]{0,2})(-?\d{1,2})", text)
    if found:
        signs = found[1][1:]
        shift = sum(1 if sign in "#♯" else -1 for sign in signs)
        pitch = 12 * (int(found[2]) + 1) + _NATURAL[found[1][0].upper()] + shift
    else:
        pitch = int(text) if re.fullmatch(r"\d{1,3}", text) else -1
    if not 0 <= pitch <= 127:
        raise UnknownName(f"{text!r} is not a pitch; write a name with its octave, C-1 to G9 (C4 is 60), or 0-127")
    return pitch


@dataclass(frozen=True)
class Key:
    """A tonic and a scale, such as F minor."""

    tonic: int = 0
    """Pitch class of the tonic: 0 = C ... 11 = B."""
    scale: str = "major"
    """One of `SCALES`; key signatures know only major and minor."""

    def __post_init__(self) -> None:
        if not 0 <= self.tonic <= 11 or self.scale not in SCALES:
            raise UnknownName(
                f"key with tonic {self.tonic} and scale {self.scale!r}: the tonic is 0-11 and the scale one of "
                + ", ".join(SCALES)
            )

    @classmethod
    def parse(cls, text: str) -> Key:
        """``"F minor"``, ``"Fm"``, ``"Bb"``, ``"e dorian"``, ``"A minor pentatonic"`` -> Key."""
        words = text.strip().split(maxsplit=1)
        if not words:
            raise UnknownName("an empty key; write one like 'F minor'")
        name, scale = words[0], " ".join(words[1].lower().split()) if len(words) > 1 else "major"
        if len(words) == 1 and len(name) > 1 and name.endswith("m"):
            name, scale = name[:-1], "minor"
        scale = {"maj": "major", "min": "minor", "aeolian": "minor", "ionian": "major"}.get(scale, scale)
        if not re.fullmatch(r"[A-Ga-g][#b♯♭]{0,2}", name) or scale not in SCALES:
            raise UnknownName(
                f"key {text!r} does not exist; write a note name A-G with # or b, then one of: {', '.join(SCALES)}"
            )
        return cls(parse_pitch_class(name), scale)

    @classmethod
    def from_fifths(cls, fifths: int, is_minor: bool) -> Key:
        """From a key signature: sharps (positive) or flats (negative), and the mode."""
        return cls((fifths * 7 + (9 if is_minor else 0)) % 12, "minor" if is_minor else "major")

    @property
    def is_minor(self) -> bool:
        """Whether the third above the tonic is minor."""
        return 3 in SCALES[self.scale] and 4 not in SCALES[self.scale]

    @property
    def fifths(self) -> int:
        """Sharps (positive) or flats (negative) of the key signature, -5 to 6."""
        major_tonic = (self.tonic + (3 if self.is_minor else 0)) % 12
        return (major_tonic * 7 + 5) % 12 - 5

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """The pitch classes of the scale, ascending from the tonic."""
        return tuple((self.tonic + step) % 12 for step in SCALES[self.scale])

    def transpose(self, semitones: int) -> Key:
        """The same scale on another tonic."""
        return Key((self.tonic + semitones) % 12, self.scale)

    def __str__(self) -> str:
        return f"{PITCH_NAMES[self.tonic]} {self.scale}"

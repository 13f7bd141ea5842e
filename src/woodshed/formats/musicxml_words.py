"""What the words of MusicXML mean in numbers: chord kinds, dynamics, note values, instrument names."""

from __future__ import annotations

import re

from woodshed.music.general_midi import DRUMS, INSTRUMENTS, PROGRAMS

CHORD_KINDS: dict[str, str] = {
    "major": "", "minor": "m", "augmented": "aug", "diminished": "dim", "dominant": "7", "major-seventh": "maj7",
    "minor-seventh": "m7", "diminished-seventh": "dim7", "augmented-seventh": "aug", "half-diminished": "m7b5",
    "major-minor": "mmaj7", "major-sixth": "6", "minor-sixth": "m6", "dominant-ninth": "9", "major-ninth": "maj7",
    "minor-ninth": "m7", "dominant-11th": "9", "major-11th": "maj7", "minor-11th": "m7", "dominant-13th": "9",
    "major-13th": "maj7", "minor-13th": "m7", "suspended-second": "sus2", "suspended-fourth": "sus4", "power": "5",
    "Neapolitan": "", "Italian": "7", "French": "7", "German": "7", "pedal": "5", "Tristan": "m7b5",
    "": "", "min": "m", "maj": "", "dominant-seventh": "7", "minor-major": "mmaj7", "maj69": "6",
}  # fmt: skip
"""Text of ``<kind>`` -> nearest quality in `woodshed.music.QUALITIES`; tensions that it has no name for are dropped."""

DYNAMICS: dict[str, int] = {
    "pppppp": 5, "ppppp": 10, "pppp": 14, "ppp": 20, "pp": 33, "p": 49, "mp": 64, "mf": 80, "f": 96, "ff": 112,
    "fff": 122, "ffff": 126, "fffff": 127, "ffffff": 127, "fp": 49, "sfp": 49, "sfpp": 33,
}  # fmt: skip
"""Mark -> velocity from there on. Accents of one note (sf, sfz, fz ...) leave the level as it is."""
DEFAULT_VELOCITY = 80
"""Before the first mark: mezzo forte."""

QUARTERS: dict[str, float] = {
    "maxima": 32, "long": 16, "breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": 0.5, "16th": 0.25,
    "32nd": 0.125, "64th": 0.0625, "128th": 0.03125,
}  # fmt: skip
"""``<beat-unit>`` -> quarter notes."""

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Letter -> pitch class."""

MINOR_MODES = frozenset({"minor", "aeolian", "dorian", "phrygian", "locrian"})
"""Modes stored as the minor key of the same signature; all others as the major one."""

STAFF_DRUMS = {"F4": 36, "A4": 41, "B4": 45, "C5": 38, "D5": 47, "E5": 50, "F5": 51, "G5": 42, "A5": 49, "D4": 44}
"""Place on a percussion staff -> drum, where the file names no sound: the usual way to write a drum kit."""

_ALIASES: dict[str, int] = {
    "violoncello": 42, "double bass": 43, "string bass": 43, "pianoforte": 0, "keyboard": 0, "klavier": 0, "vl": 40,
    "vla": 41, "vlc": 42, "vc": 42, "vln": 40, "violine": 40, "violon": 40, "alto saxophone": 65, "saxophone": 66,
    "tenor saxophone": 66, "french horn": 60, "corno": 60, "oboi": 68, "flauto": 73, "flauti": 73, "fagotto": 70,
    "fagotti": 70, "clarinetto": 71, "clarinetti": 71, "tromba": 56, "trombe": 56, "timpano": 47, "basso": 43,
    "electric bass": 33, "bass guitar": 33, "electric guitar": 27, "english horn": 69, "piccolo": 72, "mandolin": 25,
    "ukulele": 24, "vocals": 52, "vocal": 52, "singer": 52, "mezzo": 52, "baritone": 52, "gesang": 52, "chant": 52,
    "organo": 19, "cembalo": 6, "continuo": 6, "guitar": 25,
}  # fmt: skip
_NAMES = {name.lower(): number for number, name in enumerate(PROGRAMS)} | INSTRUMENTS | _ALIASES
_LONGEST_FIRST = sorted(_NAMES, key=len, reverse=True)
_CHOIR = 52
_SINGERS = frozenset({"soprano", "alto", "tenor"})


def program_of(names: tuple[str, ...], others: frozenset[str]) -> int:
    """The General MIDI program that an instrument's names suggest, first name first; 0 (piano) if none does.

    ``others`` are the lower-case names of all parts: beside a soprano, an alto or a tenor a "bass" sings.
    """
    for name in names:
        text = " ".join(re.findall(r"[a-zäöüéè-]+", name.lower().replace(".", " ")))
        if text == "bass" and others & _SINGERS:
            return _CHOIR
        if text in _NAMES:
            return _NAMES[text]
        for known in _LONGEST_FIRST:
            if len(known) > 3 and re.search(rf"\b{re.escape(known)}", text):
                return _NAMES[known]
    return 0


def drum_of(name: str, staff_place: str) -> int:
    """The drum pitch that a name such as "Snare Drum" suggests, else the place on the staff ("C5"), else the snare."""
    text = name.lower().replace("hihat", "hi-hat").removesuffix(" drum")
    exact = [pitch for pitch, drum in DRUMS.items() if drum == text or drum.removesuffix(" drum") == text]
    part = [pitch for pitch, drum in DRUMS.items() if text and (text in drum or drum in text)]
    return (exact or part or [STAFF_DRUMS.get(staff_place, 38)])[0]

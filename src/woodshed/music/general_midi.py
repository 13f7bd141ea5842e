"""The General MIDI tables: what a program number sounds like, and what each drum pitch is."""

from __future__ import annotations

import difflib
import re

from woodshed.errors import UnknownName
from woodshed.music.song import Part

_PROGRAMS = """Acoustic Grand Piano|Bright Acoustic Piano|Electric Grand Piano|Honky-tonk Piano|Electric Piano 1
Electric Piano 2|Harpsichord|Clavinet|Celesta|Glockenspiel|Music Box|Vibraphone|Marimba|Xylophone|Tubular Bells
Dulcimer|Drawbar Organ|Percussive Organ|Rock Organ|Church Organ|Reed Organ|Accordion|Harmonica|Bandoneon
Acoustic Guitar (nylon)|Acoustic Guitar (steel)|Electric Guitar (jazz)|Electric Guitar (clean)
Electric Guitar (muted)|Overdriven Guitar|Distortion Guitar|Guitar Harmonics|Acoustic Bass|Electric Bass (finger)
Electric Bass (pick)|Fretless Bass|Slap Bass 1|Slap Bass 2|Synth Bass 1|Synth Bass 2|Violin|Viola|Cello
Contrabass|Tremolo Strings|Pizzicato Strings|Orchestral Harp|Timpani|String Ensemble 1|String Ensemble 2
Synth Strings 1|Synth Strings 2|Choir Aahs|Voice Oohs|Synth Voice|Orchestra Hit|Trumpet|Trombone|Tuba
Muted Trumpet|French Horn|Brass Section|Synth Brass 1|Synth Brass 2|Soprano Sax|Alto Sax|Tenor Sax|Baritone Sax
Oboe|English Horn|Bassoon|Clarinet|Piccolo|Flute|Recorder|Pan Flute|Blown Bottle|Shakuhachi|Whistle|Ocarina
Lead 1 (square)|Lead 2 (sawtooth)|Lead 3 (calliope)|Lead 4 (chiff)|Lead 5 (charang)|Lead 6 (voice)
Lead 7 (fifths)|Lead 8 (bass and lead)|Pad 1 (new age)|Pad 2 (warm)|Pad 3 (polysynth)|Pad 4 (choir)
Pad 5 (bowed)|Pad 6 (metallic)|Pad 7 (halo)|Pad 8 (sweep)|FX 1 (rain)|FX 2 (soundtrack)|FX 3 (crystal)
FX 4 (atmosphere)|FX 5 (brightness)|FX 6 (goblins)|FX 7 (echoes)|FX 8 (sci-fi)|Sitar|Banjo|Shamisen|Koto|Kalimba
Bagpipe|Fiddle|Shanai|Tinkle Bell|Agogo|Steel Drums|Woodblock|Taiko Drum|Melodic Tom|Synth Drum|Reverse Cymbal
Guitar Fret Noise|Breath Noise|Seashore|Bird Tweet|Telephone Ring|Helicopter|Applause|Gunshot"""
PROGRAMS = tuple(_PROGRAMS.replace("\n", "|").split("|"))
"""Name of each of the 128 programs."""

FAMILIES = (
    "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass",
    "reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects",
)  # fmt: skip
"""Name of each group of eight programs."""

DRUMS = {
    27: "high q", 28: "slap", 29: "scratch push", 30: "scratch pull", 31: "sticks", 32: "square click",
    33: "metronome click", 34: "metronome bell", 35: "acoustic bass drum", 36: "bass drum", 37: "side stick",
    38: "snare", 39: "hand clap", 40: "electric snare", 41: "low floor tom", 42: "closed hi-hat", 43: "high floor tom",
    44: "pedal hi-hat", 45: "low tom", 46: "open hi-hat", 47: "low-mid tom", 48: "high-mid tom", 49: "crash 1",
    50: "high tom", 51: "ride 1", 52: "china", 53: "ride bell", 54: "tambourine", 55: "splash", 56: "cowbell",
    57: "crash 2", 58: "vibraslap", 59: "ride 2", 60: "high bongo", 61: "low bongo", 62: "mute high conga",
    63: "open high conga", 64: "low conga", 65: "high timbale", 66: "low timbale", 67: "high agogo", 68: "low agogo",
    69: "cabasa", 70: "maracas", 71: "short whistle", 72: "long whistle", 73: "short guiro", 74: "long guiro",
    75: "claves", 76: "high wood block", 77: "low wood block", 78: "mute cuica", 79: "open cuica",
    80: "mute triangle", 81: "open triangle", 82: "shaker", 83: "jingle bell", 84: "bell tree", 85: "castanets",
    86: "mute surdo", 87: "open surdo",
}  # fmt: skip
"""Drum pitch -> name (General MIDI 35-81, with the GM2 additions around them)."""

DRUM_CHANNEL = 9
"""Channel 10 as musicians count, 9 in the file."""

INSTRUMENTS: dict[str, int] = {
    "piano": 0, "electric piano": 4, "harpsichord": 6, "celesta": 8, "glockenspiel": 9, "vibraphone": 11,
    "marimba": 12, "xylophone": 13, "organ": 16, "rock organ": 18, "church organ": 19, "accordion": 21,
    "harmonica": 22, "acoustic guitar": 25, "nylon guitar": 24, "clean guitar": 27, "guitar": 29, "rhythm guitar": 29,
    "lead guitar": 30, "electric guitar": 27, "distortion guitar": 30, "overdriven guitar": 29, "muted guitar": 28,
    "bass": 33, "electric bass": 33, "bass guitar": 33, "acoustic bass": 32,
    "slap bass": 36, "synth bass": 38, "violin": 40, "viola": 41, "cello": 42, "contrabass": 43,
    "harp": 46, "timpani": 47, "strings": 48, "choir": 52, "soprano": 52, "alto": 52, "tenor": 52, "voice": 53,
    "trumpet": 56, "trombone": 57, "tuba": 58, "horn": 60, "brass": 61, "soprano sax": 64, "alto sax": 65,
    "sax": 66, "tenor sax": 66, "oboe": 68, "bassoon": 70, "clarinet": 71, "flute": 73, "recorder": 74, "lead": 81,
    "synth lead": 81, "pad": 89, "synth pad": 89, "banjo": 105, "fiddle": 110,
}  # fmt: skip
"""What a musician types after ``--parts`` -> program; "drums" is apart, see `parse_part`."""

COMPASS: dict[int, tuple[int, int]] = {
    8: (60, 103), 9: (72, 108), 10: (60, 96), 11: (53, 89), 12: (45, 96), 13: (65, 105), 14: (60, 77), 15: (55, 86),
    **dict.fromkeys(range(24, 32), (40, 84)), **dict.fromkeys(range(32, 40), (28, 60)),
    40: (55, 96), 41: (48, 84), 42: (36, 76), 43: (28, 60), 44: (36, 96), 45: (36, 96), 46: (28, 96), 47: (40, 57),
    **dict.fromkeys(range(48, 52), (36, 96)), **dict.fromkeys(range(52, 55), (43, 81)),
    56: (54, 84), 57: (40, 70), 58: (28, 56), 59: (54, 84), 60: (41, 77), **dict.fromkeys(range(61, 64), (40, 84)),
    64: (56, 87), 65: (49, 80), 66: (44, 75), 67: (36, 68), 68: (58, 89), 69: (52, 81), 70: (34, 70), 71: (50, 89),
    72: (74, 102), 73: (60, 94), 74: (60, 88), 75: (60, 90), 76: (60, 90), 77: (55, 86), 78: (74, 100), 79: (60, 86),
    104: (48, 77), 105: (48, 84), 106: (50, 79), 107: (55, 84), 108: (60, 84), 110: (55, 96),
}  # fmt: skip
"""Program -> lowest and highest sounding pitch that a player of the instrument commonly has, as orchestration books
give them; of a few it is said by nobody."""


def _turned() -> dict[str, int]:
    """``Electric Bass (pick)`` as "pick bass" and "pick electric bass", ``Lead 1 (square)`` as "square lead"."""
    found: dict[str, int] = {}
    for program, title in enumerate(PROGRAMS):
        if told := re.fullmatch(r"(.+?)(?: \d)? \((.+)\)", title):
            whole, kind = told[1].lower(), told[2].lower()
            found |= {f"{kind} {whole.split()[-1]}": program, f"{kind} {whole}": program}
    return found


GROUPS: dict[str, tuple[int, ...]] = {
    "piano": tuple(range(8)), "organ": tuple(range(16, 24)), "guitar": tuple(range(24, 32)),
    "acoustic guitar": (24, 25), "electric guitar": tuple(range(26, 32)), "bass": tuple(range(32, 40)),
    "strings": tuple(range(40, 52)), "choir": (52, 53, 54), "brass": tuple(range(56, 64)), "sax": tuple(range(64, 68)),
    "reed": tuple(range(64, 72)), "pipe": tuple(range(72, 80)), "lead": tuple(range(80, 88)),
    "synth lead": tuple(range(80, 88)), "pad": tuple(range(88, 96)), "synth pad": tuple(range(88, 96)),
}  # fmt: skip
"""What a musician calls a whole group of instruments -> their programs."""


def family(program: int) -> str:
    """The group of eight to which a program belongs, such as "guitar"."""
    return FAMILIES[program // 8]


def part_name(part: Part) -> str:
    """What to call a part: its own name, else its instrument."""
    return part.name or ("Drums" if part.is_drum else PROGRAMS[part.program])


def parse_group(text: str) -> tuple[Part, ...]:
    """``"guitar"`` -> every guitar, each as a part of that name; one part for what is no group, as `parse_part`.

    Raises:
        UnknownName: with the closest names.
    """
    name = " ".join(text.strip().lower().split())
    if name.removesuffix("s") in GROUPS or name in GROUPS:
        programs = GROUPS.get(name) or GROUPS[name.removesuffix("s")]
        return tuple(Part(name.title(), program) for program in programs)
    return (parse_part(text),)


def parse_part(text: str) -> Part:
    """``"drums"``, ``"bass"``, ``"lead guitar"``, a General MIDI name or a program number 0-127 -> Part.

    Raises:
        UnknownName: with the closest names.
    """
    name = " ".join(text.strip().lower().split())
    if name in ("drums", "drum", "drum kit"):
        return Part("Drums", 0, is_drum=True)
    if name.isdecimal() and int(name) <= 127:
        return Part(PROGRAMS[int(name)], int(name))
    by_program = {title.lower(): number for number, title in enumerate(PROGRAMS)}
    known = _turned() | by_program | INSTRUMENTS
    if name in known:
        return Part(name.title(), known[name])
    close = difflib.get_close_matches(name, ["drums", *known], 4, 0.5) or ["drums", "bass", "guitar", "piano"]
    raise UnknownName(
        f"part {text.strip()!r} is not an instrument; did you mean {', '.join(close)}? (or a program 0-127)"
    )

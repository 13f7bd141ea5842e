"""What each part does in the band, from its name, its program, its register, its polyphony and its rhythm.

A name that says it ("Bass", "Lead Gtr", "Vox") decides. Else the program gives a first guess, which what is
played may overrule: a guitar on one high string at a time plays lead, a piano low down on its own plays bass,
a synth lead that holds chords is a pad. At last, if nobody has the tune, the most tuneful part gets it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music import TICKS_PER_QUARTER, Part, Song

_NAMES = (
    ("drums", r"drums?|drum ?(kit|set)"),
    ("percussion", r"perc(ussion)?|timpani|tambourine|congas?|bongos?|shaker|cowbell"),
    ("bass", r"(e|el|slap|synth|fretless|acoustic|electric|fingered|picked)? ?bass( ?(guitar|gtr|line))?|contrabass"),
    ("lead", r"lead|solo|lead ?(guitar|gtr|synth)s?|(guitar|gtr) ?(lead|solo)"),
    ("rhythm guitar", r"r(h)?yth(m)?( ?(guitar|gtr)s?)?|(guitar|gtr) ?r(h)?yth(m)?|power ?chords?|strum(ming)?"),
    ("melody", r"melod(y|ie|ia)|tune|theme"),
    ("voice", r"vocals?|vox|voice|voices|sing(er)?|soprano|alto|tenor|choir|chorus|lyrics|gesang|canto"),
    ("pad", r"pads?"),
    ("strings", r"strings?|violins?|violas?|celli|cellos?|violoncello|viol(in|a) ?(i|ii|1|2)"),
    ("brass", r"brass|horns?|trumpets?|trombones?|tuba"),
    ("keys", r"keys|keyboards?|piano|organ|harpsichord|e\.?piano|rhodes|clav(inet)?"),
    ("effects", r"f?x|sfx|effects?|noise"),
)
_SAYS = tuple(
    (role, re.compile(rf"[\d\W_]*(?:{pattern})[\d\W_]*(?:[lr]|left|right|[ivx]+)?[\d\W_]*")) for role, pattern in _NAMES
)

_PROGRAM_ROLES = np.array(
    ["keys"] * 8 + ["melody"] * 6 + ["percussion", "other"] + ["keys"] * 8  # piano; tuned percussion; organ
    + ["rhythm guitar"] * 8 + ["bass"] * 8 + ["strings"] * 7 + ["percussion"]  # guitar; bass; bowed, harp; timpani
    + ["strings"] * 2 + ["pad"] * 2 + ["voice"] * 3 + ["effects"] + ["brass"] * 8  # ensemble; brass
    + ["melody"] * 16 + ["lead"] * 8 + ["pad"] * 8 + ["effects"] * 8  # reed and pipe; synth lead, pad, effects
    + ["rhythm guitar"] * 4 + ["melody"] * 4 + ["percussion"] * 8 + ["effects"] * 8  # ethnic; percussive; sounds
)  # fmt: skip
_TUNEFUL = ("lead", "melody", "voice")


@dataclass(frozen=True)
class Playing:
    """How each part plays, one array element per part; all 0 for a part without notes."""

    notes: NDArray[np.int64]
    pitch: NDArray[np.float64]
    """Mean."""
    chords: NDArray[np.float64]
    """Share of onsets at which two or more notes begin."""
    held_quarters: NDArray[np.float64]
    """Mean duration."""
    variety: NDArray[np.float64]
    """Standard deviation of the pitch, in semitones."""
    active: NDArray[np.float64]
    """Onsets per quarter note of the song, at most 1."""


def find_roles(song: Song) -> Song:
    """The song with `Part.role` filled in wherever it was empty."""
    return song.replace(parts=parts_with_roles(song))


def parts_with_roles(song: Song) -> tuple[Part, ...]:
    """The parts of a song, each with a role."""
    if all(part.role for part in song.parts):
        return song.parts
    playing = how_parts_play(song)
    roles = [part.role or _role(part, playing, number) for number, part in enumerate(song.parts)]
    given = [bool(part.role or _named_role(part)) for part in song.parts]
    _give_the_tune(roles, given, song.parts, playing)
    return tuple(
        part if part.role else Part(part.name, part.program, part.is_drum, role)
        for part, role in zip(song.parts, roles, strict=True)
    )


def how_parts_play(song: Song) -> Playing:
    """Measure all parts at once."""
    notes, parts = song.notes, len(song.parts)
    part, pitch = notes["part"].astype(np.int64), notes["pitch"].astype(np.float64)
    count = np.bincount(part, minlength=parts)
    safe = np.maximum(count, 1)
    mean = np.bincount(part, pitch, parts) / safe
    spread = np.sqrt(np.bincount(part, (pitch - mean[part]) ** 2, parts) / safe)
    held = np.bincount(part, notes["duration"], parts) / safe / TICKS_PER_QUARTER
    place = notes["onset"].astype(np.int64) * max(parts, 1) + part  # ascending: notes are sorted so
    first = np.flatnonzero(np.diff(place, prepend=-1))
    size = np.diff(np.append(first, len(notes)))
    onsets = np.maximum(np.bincount(part[first], minlength=parts), 1)
    chords = np.bincount(part[first], size > 1, parts) / onsets
    quarters = max(1, -(-song.length // TICKS_PER_QUARTER))
    return Playing(count, mean, chords, held, spread, np.minimum(onsets / quarters, 1.0))


def _role(part: Part, playing: Playing, number: int) -> str:
    if part.is_drum:
        return "drums"
    named = _named_role(part)
    return named or _played_role(part.program, playing, number)


def _named_role(part: Part) -> str:
    """What the name says, if it says just that."""
    return _said(part.name.strip().lower(), part.is_drum) if part.name else ""


@lru_cache(4096)
def _said(name: str, is_drum: bool) -> str:
    """The role that a name gives; a part that is called drums but plays tones is none."""
    role = next((role for role, pattern in _SAYS if pattern.fullmatch(name)), "") if name else ""
    return "" if role == "drums" and not is_drum else role


def _played_role(program: int, playing: Playing, number: int) -> str:
    """What the program says, unless what is played says something else."""
    guess = str(_PROGRAM_ROLES[program])
    pitch, chords, held = playing.pitch[number], playing.chords[number], playing.held_quarters[number]
    if not playing.notes[number] or guess in ("percussion", "effects", "voice", "strings", "brass"):
        return guess
    single = chords < 0.2
    if guess == "bass":
        return "lead" if single and pitch > 62 else "bass"
    if single and pitch < 45:
        return "bass"
    if guess == "rhythm guitar":
        return "lead" if single and pitch > 57 and playing.variety[number] > 2 else "rhythm guitar"
    if guess == "lead":
        return "lead" if chords < 0.4 else "pad" if held >= 1.5 else "keys"
    if guess == "pad":
        return "pad" if held >= 0.75 else "lead" if single else "keys"
    return "keys" if guess == "melody" and chords > 0.5 else guess


def _give_the_tune(roles: list[str], given: list[bool], parts: tuple[Part, ...], playing: Playing) -> None:
    """If nobody has the tune, give it to the part that is high, single, varied and often heard, if there is one."""
    if any(role in _TUNEFUL for role in roles):
        return
    rate = (
        playing.active
        * (1 - playing.chords)
        * np.minimum(playing.variety, 8)
        * np.clip((playing.pitch - 50) / 20, 0, 1)
    )
    for number in np.argsort(-rate, kind="stable").tolist():
        part: Any = parts[number]
        free = (
            not given[number]
            and not part.is_drum
            and roles[number] in ("keys", "strings", "brass", "rhythm guitar", "pad", "other")
        )
        if free and playing.chords[number] < 0.3 and rate[number] > 0.3:
            roles[number] = "lead" if 24 <= part.program < 32 else "melody"
            return

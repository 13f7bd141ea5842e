"""Which pitches each part may take under each chord: key, chords, ranges and chosen pitches, compiled to masks.

A harmony state is a chord (or none) that is in force somewhere in the song; the key is the same throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import MAX_PARTS
from woodshed.errors import InfeasibleCanvas, OutOfRange
from woodshed.generation.constraints import Constraints
from woodshed.music import NO_CHORD, Part, part_name
from woodshed.music.chord_places import chord_places, plays_bass
from woodshed.music.chord_sheet import chord_tones, chords_at, name_of
from woodshed.music.units import ticks_to_steps

PITCHES = 128


@dataclass(frozen=True, eq=False)
class Harmony:
    """The chords of a song on its steps."""

    state: NDArray[np.int16]
    """(end,) the state in force at each step; 0 is no chord."""
    tones: NDArray[np.bool_]
    """(S, 12) the pitch classes of each state's chord; all of them where there is none."""
    places: NDArray[np.int8]
    """(2, S, 12) the place of each pitch class in each state's chord (`music.chord_places`), for parts that do not play
    the bass and for those that do; -1 where there is none."""
    names: tuple[str, ...]
    """(S,) what each chord is called; "" for none."""


def harmony_of(chords: NDArray[Any], end: int) -> Harmony:
    """The states of rows as `Song.chords` has them, over steps 0 to ``end``. A chord's bass is one of its tones."""
    heard = chords["root"] != NO_CHORD
    kinds, kind = np.unique(chords[["root", "quality", "bass"]][heard], return_inverse=True)
    of_row = np.zeros(len(chords) + 1, np.int16)  # the last: before the first row
    of_row[:-1][heard] = kind + 1
    rows = np.zeros(len(kinds), chords.dtype)
    for name in ("root", "quality", "bass"):
        rows[name] = kinds[name]
    tones, silent = chord_tones(rows), np.full((1, 12), -1, np.int8)
    with_bass = np.flatnonzero(rows["bass"] != NO_CHORD)
    tones[with_bass, rows["bass"][with_bass]] = True
    placed = chords.copy()
    placed["onset"] = np.minimum(ticks_to_steps(chords["onset"]), np.iinfo(np.int32).max)
    return Harmony(
        of_row[chords_at(placed, np.arange(end))],
        np.concatenate((np.ones((1, 12), bool), tones)),
        np.stack([np.concatenate((silent, chord_places(rows, bass))) for bass in (False, True)]),
        ("", *(name_of(row) for row in rows)),
    )


def playable_pitches(
    harmony: Harmony, constraints: Constraints, parts: dict[int, tuple[int, Part]], drum_pitches: list[int]
) -> NDArray[np.bool_]:
    """(S, 16, 128) which pitches open notes may take. ``parts`` maps slots with open notes to (owner, part).

    Raises:
        OutOfRange: for a range that is upside down or outside 0-127.
    """
    pitches = np.arange(PITCHES)
    table = np.zeros((len(harmony.tones), MAX_PARTS, PITCHES), bool)
    tonal = np.ones((len(harmony.tones), PITCHES), bool)
    if constraints.key is not None and constraints.strict_key:
        tonal &= np.isin(pitches % 12, constraints.key.pitch_classes)
    if constraints.strict_chords:
        tonal &= harmony.tones[:, pitches % 12]
    for slot, (owner, part) in parts.items():
        low, high = constraints.pitch_ranges.get(owner, (0, 127))
        if not 0 <= low <= high <= 127:
            raise OutOfRange(f"{part_name(part)}: pitch range {low}-{high} is not within 0-127, lowest first")
        mask = (pitches >= low) & (pitches <= high)
        if owner in constraints.pitches:
            mask &= np.isin(pitches, constraints.pitches[owner])
        if part.is_drum and drum_pitches:
            mask &= np.isin(pitches, drum_pitches)
        table[:, slot] = mask if part.is_drum else mask & tonal
    return table


def places_of(harmony: Harmony, parts: Sequence[Part]) -> NDArray[np.int8]:
    """(S, 16, 12) the place of each pitch class in each state's chord for each of ``parts``; -1 for other slots."""
    table = np.full((len(harmony.tones), MAX_PARTS, 12), -1, np.int8)
    for slot, part in enumerate(parts):
        table[:, slot] = harmony.places[int(plays_bass(part))]
    return table


def favoured_tones(harmony: Harmony, constraints: Constraints) -> NDArray[np.float32]:
    """(S, 12) what each pitch class gains in log-odds: the tones of chords, and of a key, that are not strict."""
    pulled = harmony.tones & ~harmony.tones.all(1, keepdims=True) & (not constraints.strict_chords)
    table = np.where(pulled, np.float32(constraints.chord_pull), np.float32(0))
    if constraints.key is not None and not constraints.strict_key:
        table[:, list(constraints.key.pitch_classes)] += np.float32(constraints.key_pull)
    return table


def why_silent(
    part: Part, owner: int, state: int, harmony: Harmony, constraints: Constraints, drum_pitches: list[int], bars: str
) -> InfeasibleCanvas:
    """What to say when a part has no pitch to play in a state: all that is asked of it, and what to change."""
    name = part_name(part)
    low, high = constraints.pitch_ranges.get(owner, (0, 127))
    chosen = constraints.pitches.get(owner)
    asked = [f"{low}-{high}"] if (low, high) != (0, 127) else []
    remedies = ["widen the range"] if asked else []
    if chosen is not None:
        asked.append(f"pitches {', '.join(map(str, chosen))}")
        remedies.append("choose other pitches")
    if part.is_drum:
        known = [f"what the bundle knows ({', '.join(map(str, drum_pitches))})"] if drum_pitches else []
        asked = [*asked, *known]
        return InfeasibleCanvas(f"{name}: no drum lies in {' and in '.join(asked)} ({bars}); choose other drums")
    if constraints.key is not None and constraints.strict_key:
        asked.append(str(constraints.key))
        remedies.append("change the key")
    if constraints.strict_chords and harmony.names[state]:
        asked.append(f"the chord {harmony.names[state]}")
        remedies.append("make chords soft")
    return InfeasibleCanvas(f"{name}: no pitch lies in {' and in '.join(asked)} ({bars}); {' or '.join(remedies)}")

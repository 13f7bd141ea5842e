"""Which notes of a training song are shown ahead, so that one model learns every canvas.

=========== ====================================================================================================
canvas      what is open
=========== ====================================================================================================
``plain``   everything: the song is written from left to right
``parts``   one part or several; the others are given
``bars``    stretches of 1-8 bars of some parts or all; between them everything is given
``beats``   the notes of random beats of random parts
``feel``    velocity, microtiming or both, of some parts or all
``pitches`` the pitch of every note of some parts, and sometimes its duration
=========== ====================================================================================================

Source:
    Thickstun et al. 2023 (Anticipatory Music Transformer) for showing fixed events ahead of time while training on
    random infilling; we show them as features of each row instead of as tokens among the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.levels import AS_IT_COMES, CONTROLS, levels
from woodshed.codecs.note_step import (
    DRUM_PROGRAM,
    DURATION,
    LONGEST_SHIFT,
    MAX_PARTS,
    MICROTIMING,
    PART,
    PITCH,
    TIME_SHIFT,
    VELOCITY,
)
from woodshed.codecs.study import ALL_OPEN, FIXED, OPEN

KINDS = ("parts", "bars", "beats", "feel", "pitches")
CHANCES = (0.4, 0.25, 0.1, 0.15, 0.1)
LONGEST_STRETCH = 8
"""Bars that are open, or given, in one piece."""
BEAT = 12


@dataclass(frozen=True)
class Holes:
    """What of R rows is open."""

    known: NDArray[np.int64]
    """(R, 6) the rows as they are given; -1 in open fields, and in all fields of rows that are not given."""
    openness: NDArray[np.int64]
    """(16,) `ALL_OPEN`, `OPEN` or `FIXED` for each part."""
    scored: NDArray[np.bool_]
    """(R, 6) what a player would have to decide."""


def all_open(rows: NDArray[np.int64]) -> Holes:
    """A ``plain`` canvas."""
    return Holes(np.full_like(rows, -1), np.full(MAX_PARTS, ALL_OPEN), np.ones(rows.shape, bool))


def draw_holes(kind: str, rows: NDArray[np.int64], places: NDArray[np.int64], rng: np.random.Generator) -> Holes:
    """Holes of one kind in ``rows`` (R, 6) at ``places`` (R, 3); all open where that kind is none."""
    note = rows[:, TIME_SHIFT] <= LONGEST_SHIFT
    sounding = np.unique(rows[note, PART])
    if kind == "plain" or not len(sounding):
        return all_open(rows)
    if kind in ("feel", "pitches"):
        return _open_fields(kind, rows, note, sounding, rng)
    if kind == "parts" and len(sounding) < 2:
        kind = "bars"
    some = _some(sounding, rng, every=kind != "parts")
    mine = np.isin(rows[:, PART], some)
    deciding = np.ones(len(rows), bool)
    if kind == "parts":
        opened = mine
    elif kind == "bars":
        deciding = _stretches(places[:, 1], rng)
        opened = mine & deciding
    else:
        beats = (places[:, 1] * 64 + places[:, 0] // BEAT) * MAX_PARTS + rows[:, PART]
        found, inverse = np.unique(beats, return_inverse=True)
        opened = mine & (rng.random(len(found)) < rng.uniform(0.1, 0.9))[inverse]
    openness = np.full(MAX_PARTS, FIXED)
    openness[some] = OPEN
    known = np.where((note & ~opened)[:, None], rows, -1)
    scored = np.repeat(deciding[:, None], 6, 1)
    scored[note & ~opened, PITCH + 1 :] = False
    return Holes(known, openness, scored)


def _open_fields(
    kind: str, rows: NDArray[np.int64], note: NDArray[np.bool_], sounding: NDArray[np.int64], rng: np.random.Generator
) -> Holes:
    """All notes are given, some without some of their fields."""
    mine = note & np.isin(rows[:, PART], _some(sounding, rng, every=True))
    feel = ((VELOCITY,), (MICROTIMING,), (VELOCITY, MICROTIMING), (VELOCITY, MICROTIMING))
    pitches = ((PITCH,), (PITCH,), (PITCH, DURATION))
    choices = feel if kind == "feel" else pitches
    fields = choices[int(rng.integers(len(choices)))]
    known, scored = np.where(note[:, None], rows, -1), np.zeros(rows.shape, bool)
    for field in fields:
        known[mine, field] = -1
        scored[mine, field] = True
    return Holes(known, np.full(MAX_PARTS, FIXED), scored)


def _some(sounding: NDArray[np.int64], rng: np.random.Generator, *, every: bool) -> NDArray[np.int64]:
    """One part (mostly), several, or, with ``every``, sometimes all."""
    count = len(sounding)
    if every and (count == 1 or rng.random() < 0.5):
        return sounding
    size = 1 if rng.random() < 0.6 or count < 3 else int(rng.integers(2, count))
    return rng.choice(sounding, min(size, count), replace=False)


def _stretches(bars: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """(R,) whether each row's bar is open: stretches of 1-8 bars, in turn."""
    first, last = int(bars.min()), int(bars.max())
    lengths = rng.integers(1, LONGEST_STRETCH + 1, last - first + 2)
    turn = np.searchsorted(np.cumsum(lengths), bars - first, side="right") + int(rng.integers(2))
    opened: NDArray[np.bool_] = turn % 2 == 0
    return opened


def draw_levels(
    rows: NDArray[np.int64],
    onsets: NDArray[np.int64],
    bar_lines: NDArray[np.int64],
    programs: NDArray[np.int64],
    holes: Holes,
    rng: np.random.Generator,
) -> NDArray[np.int8]:
    """(bars, 4) levels of the open notes of each bar, of some controls, or of none in half of the cases."""
    bars = len(bar_lines) - 1
    if rng.random() < 0.5:
        return np.full((bars, len(CONTROLS)), AS_IT_COMES, np.int8)
    opened = (rows[:, TIME_SHIFT] <= LONGEST_SHIFT) & (holes.known < 0).any(1)
    mine = rows[opened]
    drums = programs[:, 0] == DRUM_PROGRAM
    found = levels(onsets[opened], mine[:, PART], mine[:, PITCH], mine[:, VELOCITY], drums, bar_lines)
    found[:, rng.random(len(CONTROLS)) < 0.5] = AS_IT_COMES
    return found


__all__ = ["CHANCES", "KINDS", "Holes", "all_open", "draw_holes", "draw_levels"]

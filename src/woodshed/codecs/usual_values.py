"""Which note values and which velocities the notes of each part have: of written music few, of played music many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.grids import NOTES_OF_A_GRID, notated_steps
from woodshed.codecs.note_step import LONGEST_DURATION, SIZES, VELOCITY, VELOCITY_STEP, NoteStepCodec
from woodshed.music import Song
from woodshed.music.units import STEPS_PER_QUARTER, ticks_to_steps

LEAST_OF_A_PART = 0.01
"""The share of a part's notes that have a value which is usual for it."""
MOST_STRAY = 0.1
"""Where more of its notes have none of the usual values, nothing is usual for it."""
NOTES_OF_A_PART = NOTES_OF_A_GRID
"""A part with fewer tells nothing."""

NOTES_OF_AN_OCCASION = 8
OCCASIONS = 8
"""Pitched notes: on the first beat of a bar, on another, half way to the next, elsewhere. Drums: kicks, snares, hi-hats
and others, each on a beat or off it."""
OF_DRUM = np.full(128, 3)
"""Which of kick, snare, hi-hat and others each drum is."""
OF_DRUM[[35, 36]], OF_DRUM[[37, 38, 39, 40]], OF_DRUM[[42, 44, 46]] = 0, 1, 2


def note_values(song: Song, fewest: int = NOTES_OF_A_PART) -> dict[int, dict[int, float]]:
    """Part -> the note values, 1-384 steps, that its notes have, but for strays, each with the share of the notes that
    have it, 1 in all; of parts with at least ``fewest`` notes and with values that are usual for them. Of drums too,
    whose lengths nobody hears but everybody sees."""
    steps = np.clip(ticks_to_steps(song.notes["duration"]), 1, LONGEST_DURATION)
    found = {}
    for part, own in _usual(song, steps, LONGEST_DURATION + 1, fewest):
        counts = np.bincount(steps[song.notes["part"] == part])[list(own)]
        found[part] = dict(zip(own, (counts / counts.sum()).tolist(), strict=True))
    return found


def velocities(song: Song, fewest: int = NOTES_OF_A_PART) -> dict[int, list[dict[int, float]]]:
    """Part -> for each of the `OCCASIONS` of its notes the velocities, 0-31 as a note row has them, that they have
    then, but for strays, each with the share of these notes that have it. An occasion with few notes has what all have;
    a part for which nothing is usual is left out."""
    steps, lines = notated_steps(song), NoteStepCodec().bar_lines(song)
    place = steps - lines[np.searchsorted(lines[:-1], steps, side="right") - 1]
    ids = (song.notes["velocity"].astype(np.int64) - 1) // VELOCITY_STEP
    found = {}
    for part, _ in _usual(song, ids, SIZES[VELOCITY], fewest):
        own = song.notes["part"] == part
        then = occasions(song.parts[part].is_drum, song.notes["pitch"][own].astype(np.int64), place[own])
        table = np.zeros((OCCASIONS, SIZES[VELOCITY]), np.int64)
        np.add.at(table, (then, ids[own]), 1)
        few = table.sum(1) < NOTES_OF_AN_OCCASION
        table[few] = table.sum(0)
        table[table < LEAST_OF_A_PART * table.sum(1, keepdims=True)] = 0
        shares = table / table.sum(1, keepdims=True)
        found[part] = [{int(one): float(row[one]) for one in np.flatnonzero(row)} for row in shares]
    return found


def strokes(song: Song) -> dict[int, tuple[int, ...]]:
    """Drum -> the steps from the bar line on, at which it is struck, but for strays."""
    drums = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
    steps, lines = notated_steps(song)[drums], NoteStepCodec().bar_lines(song)
    place, pitch = steps - lines[np.searchsorted(lines[:-1], steps, side="right") - 1], song.notes["pitch"][drums]
    found = {}
    for drum in np.unique(pitch).tolist():
        counts = np.bincount(place[pitch == drum])
        found[drum] = tuple(np.flatnonzero(counts >= np.maximum(LEAST_OF_A_PART * counts.sum(), 1)).tolist())
    return found


def occasions(is_drum: bool, pitch: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) on which of the occasions notes of these pitches begin, so many steps from the bar line."""
    table = np.where(is_drum, 2 * OF_DRUM[pitch] + (place % STEPS_PER_QUARTER > 0), 0)
    beat = np.where(place % STEPS_PER_QUARTER == 0, 1, np.where(2 * place % STEPS_PER_QUARTER == 0, 2, 3))
    return table if is_drum else np.where(place == 0, 0, beat)


def _usual(song: Song, ids: NDArray[np.int64], size: int, fewest: int) -> list[tuple[int, tuple[int, ...]]]:
    """(part, ids in ascending order) of each part of which something is usual."""
    found = []
    for part in range(len(song.parts)):
        counts = np.bincount(ids[song.notes["part"] == part], minlength=size)
        if counts.sum() < max(fewest, 1):
            continue
        usual = counts >= np.maximum(LEAST_OF_A_PART * counts.sum(), 1)
        if counts[usual].sum() >= (1 - MOST_STRAY) * counts.sum():
            found.append((part, tuple(np.flatnonzero(usual).tolist())))
    return found

"""Where the notes of a song are notated, on which grid each part plays, and how far off it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.notation import EARLIEST
from woodshed.codecs.note_step import MAX_PARTS, NoteStepCodec
from woodshed.music import Song
from woodshed.music.units import STEPS_PER_QUARTER, ticks_per_step

LEAST_ON_A_STEP = 0.01
"""The share of a part's notes that begin on a step of its grid."""
NOTES_OF_A_GRID = 32
"""A part with fewer tells nothing of its grid."""
MOST_IN_REACH = 0.95
"""`reaches` hold so many of its notes."""


def notated_steps(song: Song) -> NDArray[np.int64]:
    """(notes,) the step at which each note is notated, as a model reads it: what is played early is not of the bar
    before."""
    codec, drums = NoteStepCodec(), np.zeros(MAX_PARTS, bool)
    slot_of = np.zeros(max(len(song.parts), 1), np.int64)
    for slot, group in enumerate(codec.slots(song)):
        slot_of[group] = slot
        drums[slot] = song.parts[group[0]].is_drum
    notes = song.notes.copy()
    notes["part"] = slot_of[notes["part"]]
    return codec.steps(notes, drums, codec.bar_lines(song))[0]


def grids(song: Song, fewest: int = 1) -> dict[int, tuple[int, ...]]:
    """Part -> the steps of a quarter note, 0-11 from each bar line on, on which its notes begin, but for strays; of
    parts with at least so many notes."""
    steps, lines = notated_steps(song), NoteStepCodec().bar_lines(song)
    bar = np.searchsorted(lines[:-1], steps, side="right") - 1
    place = (steps - lines[bar]) % STEPS_PER_QUARTER
    table = np.zeros((len(song.parts), STEPS_PER_QUARTER), np.int64)
    np.add.at(table, (song.notes["part"], place), 1)
    usual = table >= np.maximum(LEAST_ON_A_STEP * table.sum(1), 1)[:, None]
    return {part: tuple(np.flatnonzero(usual[part]).tolist()) for part in _parts(song, fewest)}


def reaches(song: Song, fewest: int = 1) -> dict[int, int]:
    """Part -> how many ticks before or after their steps its notes lie at most, but for one in twenty; of parts with at
    least so many notes."""
    off = np.abs(song.notes["onset"].astype(np.int64) - notated_steps(song) * ticks_per_step(STEPS_PER_QUARTER))
    of_part = {part: off[song.notes["part"] == part] for part in _parts(song, fewest)}
    most = {part: int(np.quantile(own, MOST_IN_REACH, method="higher")) for part, own in of_part.items()}
    return {part: min(ticks, -EARLIEST) for part, ticks in most.items()}  # a doubled note may lie beyond


def _parts(song: Song, fewest: int) -> list[int]:
    counts = np.bincount(song.notes["part"], minlength=len(song.parts))
    return [int(part) for part in np.flatnonzero(counts >= max(fewest, 1))]

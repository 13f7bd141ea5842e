"""How loud and how late each instrument usually plays at each place of the bar: what a steady hand goes by.

Drums are told apart by pitch, other instruments by program. Loudness is learned from all songs, timing from those that
were performed, as a score has none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs import NoteStepCodec
from woodshed.codecs.note_step import (
    DRUM_PROGRAM,
    LONGEST_SHIFT,
    MICROTIMING,
    MICROTIMING_STEP,
    ON_THE_GRID,
    PART,
    PITCH,
    TIME_SHIFT,
    VELOCITY,
    VELOCITY_STEP,
)
from woodshed.music import Song

ENOUGH = 8
"""Notes of an instrument at a place, below which it says nothing."""
PERFORMED = 0.2
"""The share of a song's notes beside the grid from which on it counts as performed."""


def usual_feel(codec: NoteStepCodec, songs: Sequence[Song]) -> dict[str, list[int]]:
    """For a bundle's config: ``"program"`` or ``"128.drum"`` -> place in the bar in steps, median MIDI velocity and
    median lateness in ticks (0 where nobody performed), then the next place. ``songs`` are arranged ones.
    """
    tables = [_notes(codec, song) for song in songs if len(song)]
    if not tables:
        return {}
    notes = np.concatenate(tables)
    order = np.lexsort((notes[:, 1], notes[:, 0]))
    notes = notes[order]
    first = np.flatnonzero(np.any(np.diff(notes[:, :2], axis=0, prepend=-1), axis=1))
    found: dict[str, list[int]] = {}
    for group in np.split(notes, first[1:]):
        if len(group) < ENOUGH:
            continue
        program, drum = divmod(int(group[0, 0]), 128)
        late = group[group[:, 4] > 0, 3]
        name = f"{program}.{drum}" if program == DRUM_PROGRAM else str(program)
        row = int(group[0, 1]), round(float(np.median(group[:, 2]))), round(float(np.median(late))) if len(late) else 0
        found.setdefault(name, []).extend(row)
    return found


def _notes(codec: NoteStepCodec, song: Song) -> NDArray[np.int64]:
    """(notes, 5) instrument (128 program + drum), place in the bar, velocity, lateness in ticks, is performed."""
    rows = codec.encode(song)
    onsets = codec.onset_steps(rows)
    is_note = rows[:, TIME_SHIFT] <= LONGEST_SHIFT
    rows, onsets = rows[is_note], onsets[is_note]
    program = codec.programs(song)[rows[:, PART], 0]
    late = (rows[:, MICROTIMING] - ON_THE_GRID) * MICROTIMING_STEP
    return np.stack(
        (
            program * 128 + np.where(program == DRUM_PROGRAM, rows[:, PITCH], 0),
            codec.places(onsets, codec.bar_lines(song))[:, 0],
            rows[:, VELOCITY] * VELOCITY_STEP + 2,
            late,
            np.full(len(rows), np.mean(late != 0) > PERFORMED),
        ),
        axis=1,
    )

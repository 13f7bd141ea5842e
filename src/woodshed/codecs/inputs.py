"""All that a model reads of a song beside the notes themselves: places, expectations, and where pitches come from.

For the pitch of the next row, the past gives two kinds of hint that mean the same in every key:

* **anchors** (3): the last pitch in the same part, the one before that, and the last pitch of any pitched part;
* **tallies** (2 x 12): how often each pitch class was played in the last 32 and the last 256 rows.

Drums have neither. Both need the row's part, which is decided before its pitch, and rows before it.
"""

from __future__ import annotations

import copy
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.expectations import NOTHING, expect, records
from woodshed.codecs.note_step import (
    DRUM_PROGRAM,
    LONGEST_SHIFT,
    MAX_PARTS,
    PART,
    PITCH,
    START_ROW,
    TIME_SHIFT,
    NoteStepCodec,
)
from woodshed.music import Song

ANCHORS = 3
TALLY_ROWS = (32, 256)
PITCH_CLASSES = 12


class Inputs(NamedTuple):
    """What a model reads of R rows, the first of which is not scored (START at the beginning of a song)."""

    rows: NDArray[np.int64]
    """(R + 1, 6)"""
    places: NDArray[np.int64]
    """(R + 1, 3): position in the bar, bar number, length of the bar, in steps."""
    programs: NDArray[np.int64]
    """(16, 2): program and occurrence of each part."""
    expected: NDArray[np.int64]
    """(R, 6, 5) of rows 1..R, see `expectations`."""
    records: NDArray[np.int64]
    """(R, 6, 5)"""
    anchors: NDArray[np.int64]
    """(R, 3) pitches, -1 where there is none."""
    tallies: NDArray[np.float32]
    """(R, 2, 12) log of the share of each pitch class, with half a note added to each; 0 for drums."""


def song_inputs(codec: NoteStepCodec, song: Song) -> Inputs:
    """Of a whole arranged song, END included."""
    rows = codec.encode(song)
    return row_inputs(codec, rows, codec.onset_steps(rows), codec.bar_lines(song), codec.programs(song))


def row_inputs(
    codec: NoteStepCodec,
    rows: NDArray[np.int64],
    onset_steps: NDArray[np.int64],
    bar_lines: NDArray[np.int64],
    programs: NDArray[np.int64],
) -> Inputs:
    """Of ``rows`` (R, 6) whose onset steps are known, as if the song began with them: START is put first."""
    places = codec.places(np.concatenate(([0], onset_steps)), bar_lines)
    expected = expect(rows, onset_steps, places[:-1, 2])
    anchors, tallies = pitch_hints(rows, programs)
    full = np.concatenate((START_ROW[None], rows))
    return Inputs(full, places, programs, expected, records(rows, expected), anchors, tallies)


def pitch_hints(rows: NDArray[np.int64], programs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Anchors (R, 3) and tallies (R, 2, 12) of each row; one pass per part, the rest at once."""
    drum = (programs[:, 0] == DRUM_PROGRAM)[rows[:, PART]]
    pitched = (rows[:, TIME_SHIFT] <= LONGEST_SHIFT) & ~drum
    index = np.arange(len(rows))
    last_any = _latest_before(np.where(pitched, index, NOTHING))
    last_own, before_own = np.full(len(rows), NOTHING), np.full(len(rows), NOTHING)
    for part in np.unique(rows[:, PART]):
        mine = pitched & (rows[:, PART] == part)
        latest = _latest_before(np.where(mine, index, NOTHING))
        own = rows[:, PART] == part
        last_own[own] = latest[own]
        before_own[own] = np.where(latest[own] >= 0, latest[latest[own]], NOTHING)
    sources = np.stack((last_own, before_own, last_any), axis=1)
    anchors = np.where((sources >= 0) & ~drum[:, None], rows[:, PITCH][sources], NOTHING)
    tallies = np.stack([_tally(rows[:, PITCH], pitched, size) for size in TALLY_ROWS], axis=1)
    tallies[drum] = 0
    return anchors, tallies


def _latest_before(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """The greatest index so far, the row itself left out."""
    latest = np.full(len(index), NOTHING)
    latest[1:] = np.maximum.accumulate(index)[:-1]
    return latest


def _tally(pitch: NDArray[np.int64], pitched: NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    """(R, 12) log share of each pitch class among the pitched rows of the last ``size`` rows."""
    counts = np.zeros((len(pitch) + 1, PITCH_CLASSES), np.int64)
    counts[1:][np.arange(len(pitch)), pitch % PITCH_CLASSES] = pitched
    total = np.cumsum(counts, axis=0)[:-1]
    total[size:] -= total[:-size].copy() if len(total) > size else 0
    return log_share(total)


def log_share(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Log of the share of each of the last axis' 12 counts, with half a note added to each."""
    more = counts + 0.5
    shares: NDArray[np.float32] = np.log(more / more.sum(-1, keepdims=True)).astype(np.float32)
    return shares


class PitchMemory:
    """The same hints, one row at a time, for generation."""

    def __init__(self, programs: NDArray[np.int64]) -> None:
        self._drum = programs[:, 0] == DRUM_PROGRAM
        self._own = np.full((MAX_PARTS, 2), NOTHING)
        self._any = NOTHING
        self._classes: deque[int] = deque(maxlen=max(TALLY_ROWS) + 1)
        self._counts = np.zeros((len(TALLY_ROWS), PITCH_CLASSES), np.int64)

    def copy(self) -> PitchMemory:
        """Another with the same past, that goes its own way from here."""
        other = copy.copy(self)
        other._own, other._counts = self._own.copy(), self._counts.copy()
        other._classes = self._classes.copy()
        return other

    def hints(self, part: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Anchors (3,) and tallies (2, 12) for a row in ``part``."""
        if self._drum[part]:
            return np.full(ANCHORS, NOTHING), np.zeros(self._counts.shape, np.float32)
        return np.array([*self._own[part], self._any]), log_share(self._counts)

    def add(self, row: NDArray[np.int64]) -> None:
        """The row is decided."""
        part, pitch = int(row[PART]), int(row[PITCH])
        pitched = row[TIME_SHIFT] <= LONGEST_SHIFT and not self._drum[part]
        if pitched:
            self._own[part] = pitch, self._own[part, 0]
            self._any = pitch
        self._classes.append(pitch % PITCH_CLASSES if pitched else NOTHING)
        for counts, size in zip(self._counts, TALLY_ROWS, strict=True):
            if pitched:
                counts[pitch % PITCH_CLASSES] += 1
            if len(self._classes) > size and (gone := self._classes[-size - 1]) >= 0:
                counts[gone] -= 1

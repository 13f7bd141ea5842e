"""Songs as lines of symbols that know neither key nor tempo, so that equal passages are equal strings.

A **line** is the notes of one part in order: by when they start, then from the lowest up; a note doubled within it
counts once. Two pitched parts that take turns make further lines, their notes in one order, wherever of `WINDOW` steps
from note to note at least one leads from part to part and none (or few, if asked) joins notes of both that start
together: a tune shared out over two parts is whole there.

The **symbol** of a note says what leads from it to the next of its line:

=============  ========================================================================================
in it          values
=============  ========================================================================================
pitch          the interval in semitones; in drum lines both drums
rhythm         0 together; 1 the first wait of a line; else how the wait compares with the last wait that
               was none, in half octaves: half = -2, triplet against eighth = -1, same = 0, dotted = +1 ...
=============  ========================================================================================

Time is in **half steps**, 24 to the quarter note. Only ratios of waits are kept, so the same tune at another tempo, at
half or double speed, or as triplets for eighths, has the same symbols; of the common ratios none lies near the edge of
a half octave. An onset within `SNAP` ticks of a half step stands there, any other on the nearest whole step: sixteenths
at double speed stay exact, and what a human plays early or late is set aside as in `woodshed.music.Grid`.

Source:
    Ratios of durations beside intervals: K. Lemström and E. Ukkonen, Including interval encoding into edit distance
    based music comparison and retrieval, AISB 2000. We differ in rounding ratios, which forgives uneven playing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.music import Song
from woodshed.music.units import STEPS_PER_QUARTER, TICKS_PER_QUARTER, ticks_to_steps

UNITS_PER_QUARTER = 2 * STEPS_PER_QUARTER
SNAP = 3
"""Ticks."""
WINDOW = 12
"""Steps from note to note in which two parts take turns or do not."""
LONGEST_REST = 8 * UNITS_PER_QUARTER
"""Parts that leave each other alone for so long do not take turns."""
MOST_PAIRED = 24
"""Pitched parts that are paired: those with the most notes."""
END = -1
"""Stands where a line ends."""
INTERVALS = 256
"""The first of the pitch of a symbol is an interval, 128 more than it is; after it come pairs of drums."""
_UNIT_TICKS = TICKS_PER_QUARTER // UNITS_PER_QUARTER
_SLOWEST = 8
_RHYTHMS = 32
"""Room for `2 * _SLOWEST + 3` rhythms in a symbol."""


@dataclass(frozen=True)
class Lines:
    """The lines of one song. Shapes: T notes in all lines (a note may lie in several), L lines."""

    note: NDArray[np.int64]
    """(T,) which of the song's notes."""
    twin: NDArray[np.int64]
    """(N,) for each of the song's notes the one that stands for it in ``note``: itself, unless it is doubled."""
    time: NDArray[np.int64]
    """(T,) half steps from the song's start."""
    pitch: NDArray[np.int64]
    """(T,)"""
    symbol: NDArray[np.int64]
    """(T,) what leads to the next note of the line; `END` at the last."""
    line: NDArray[np.int64]
    """(T,) ascending."""
    parts: NDArray[np.int64]
    """(L, 2) the part of each line, and the other one of two that take turns, or -1."""
    is_drum: NDArray[np.bool_]
    """(L,)"""
    struck_again: NDArray[np.bool_]
    """(T,) whether the next note of a pitched line sounded in it at the latest time before its own too."""


def half_steps(ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N,) ticks -> half steps: the half step within `SNAP` ticks, else the nearest whole step."""
    half = (ticks + _UNIT_TICKS // 2) // _UNIT_TICKS
    exact = np.abs(ticks - half * _UNIT_TICKS) <= SNAP
    return np.where(exact, half, 2 * ticks_to_steps(ticks))


def lines_of(song: Song, most_together: int = 0) -> Lines:
    """All lines of a song: its parts, then the pairs that take turns, with at most so many notes together."""
    notes = song.notes
    part, pitch = notes["part"].astype(np.int64), notes["pitch"].astype(np.int64)
    time = half_steps(notes["onset"].astype(np.int64))
    order = np.lexsort((pitch, time, part))
    part, time, pitch = part[order], time[order], pitch[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(part) != 0) | (np.diff(time) != 0) | (np.diff(pitch) != 0)
    twin = np.empty(len(order), np.int64)
    twin[order] = order[fresh][np.cumsum(fresh) - 1]
    order, part, time, pitch = order[fresh], part[fresh], time[fresh], pitch[fresh]
    drums = np.array([one.is_drum for one in song.parts], bool)
    alone, line = np.unique(part, return_inverse=True)
    pieces = [np.arange(len(order))]
    lines, parts = [line.astype(np.int64)], [(int(one), -1) for one in alone]
    bounds = np.searchsorted(part, alone), np.searchsorted(part, alone, side="right")
    pitched = [number for number, one in enumerate(alone) if not drums[one]]
    fullest = sorted(pitched, key=lambda number: int(bounds[0][number] - bounds[1][number]))[:MOST_PAIRED]
    pitched = sorted(fullest)
    for here, first in enumerate(pitched):
        for second in pitched[here + 1 :]:
            mine, other = (slice(bounds[0][one], bounds[1][one]) for one in (first, second))
            for stretch in _turns(time, pitch, mine, other, most_together):
                pieces.append(stretch)
                lines.append(np.full(len(stretch), len(parts)))
                parts.append((int(alone[first]), int(alone[second])))
    kept, line = np.concatenate(pieces), np.concatenate(lines)
    table = np.array(parts, np.int64).reshape(-1, 2)
    is_drum = drums[table[:, 0]] if len(table) else np.zeros(0, bool)
    symbol = _symbols(time[kept], pitch[kept], line, is_drum)
    again = _struck_again(time[kept], pitch[kept], line) & ~is_drum[line]
    return Lines(order[kept], twin, time[kept], pitch[kept], symbol, line, table, is_drum, again)


def _turns(
    time: NDArray[np.int64], pitch: NDArray[np.int64], first: slice, second: slice, most_together: int
) -> list[NDArray[np.int64]]:
    """The stretches in which two parts take turns, as places in the given order."""
    places = np.concatenate((np.arange(first.start, first.stop), np.arange(second.start, second.stop)))
    if len(places) <= WINDOW or not _meet(time[first], time[second]):
        return []
    places = places[np.lexsort((pitch[places], time[places]))]
    owner, at = places >= second.start, time[places]
    switch, wait = np.diff(owner), np.diff(at)
    together = switch & (wait == 0)
    counts = [np.concatenate(([0], np.cumsum(one))) for one in (switch, together, wait > LONGEST_REST)]
    turns, joined, rests = (one[WINDOW:] - one[:-WINDOW] for one in counts)
    good = (turns > 0) & (joined <= most_together) & (rests == 0)  # windows of WINDOW + 1 notes
    change = np.zeros(len(places) + 1, np.int64)
    np.add.at(change, np.flatnonzero(good), 1)
    np.add.at(change, np.flatnonzero(good) + WINDOW + 1, -1)
    inside = np.cumsum(change[:-1]) > 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], inside, [False]))))
    return [places[begin:end] for begin, end in edges.reshape(-1, 2)]


def _meet(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Whether two parts play within a long rest of each other at all; times ascend."""
    return bool(first[0] <= second[-1] + LONGEST_REST and second[0] <= first[-1] + LONGEST_REST)


def _struck_again(time: NDArray[np.int64], pitch: NDArray[np.int64], line: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(T,) whether the note after each has a pitch that its line had at the time before: a note or chord goes on."""
    begins = np.append(True, (np.diff(time) != 0) | (np.diff(line) != 0))[: len(time)]
    stroke = np.cumsum(begins)
    of_line = np.append(-1, line[begins])  # of stroke 1, 2 ...
    went_on = (of_line[stroke] == of_line[stroke - 1]) & np.isin(128 * (stroke - 1) + pitch, 128 * stroke + pitch)
    return np.append(went_on[1:], False)[: len(time)]


def _symbols(
    time: NDArray[np.int64], pitch: NDArray[np.int64], line: NDArray[np.int64], is_drum: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(T,) symbols, see the module."""
    if not len(time):
        return np.zeros(0, np.int64)
    last = np.append(np.diff(line) != 0, True)
    wait = np.where(last, 0, np.append(np.diff(time), 0))
    following = np.append(pitch[1:], 0)
    moves = np.where(is_drum[line], INTERVALS + pitch * 128 + following, following - pitch + 128)
    return np.where(last, END, moves * _RHYTHMS + _rhythms(wait, line))


def _rhythms(wait: NDArray[np.int64], line: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T,) how each wait compares with the last one of its line that was none."""
    place = np.arange(len(wait))
    before = np.maximum.accumulate(np.where(wait > 0, place, -1))
    before = np.append(-1, before[:-1])
    known = (before >= 0) & (line[np.maximum(before, 0)] == line)
    ratio = np.maximum(wait, 1) / np.where(known, np.maximum(wait[before], 1), 1)
    halves = np.clip(np.rint(2 * np.log2(ratio)), -_SLOWEST, _SLOWEST).astype(np.int64)
    return np.where(wait == 0, 0, np.where(known, halves + _SLOWEST + 2, 1))


def doubles_octave(symbols: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(T,) of intervals: whether the next note is the last one again in another octave, together with it."""
    doubles: NDArray[np.bool_] = (symbols != END) & (symbols % _RHYTHMS == 0) & ((symbols // _RHYTHMS - 128) % 12 == 0)
    return doubles


def as_one_note(symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T,) of intervals: the same rhythm on one pitch, `END` where the next note comes together with the last."""
    rhythm = symbols % _RHYTHMS
    return np.where((symbols == END) | (rhythm == 0), END, 128 * _RHYTHMS + rhythm)


def given_pitch(symbols: NDArray[np.int64]) -> NDArray[np.int64]:
    """(V,) what is known of each symbol before it comes: 0 of an interval, of two drums 1 + the first."""
    moves = symbols // _RHYTHMS
    return np.where(moves < INTERVALS, 0, 1 + (moves - INTERVALS) // 128)

"""Verse and chorus: which bars come back after something else, and which merely loop.

A *passage* is four bars, of which at least two have an onset. Two passages are **alike** if `ALIKE` of the notes of the
fuller one also stand in the other, and **different** if fewer than `DIFFERENT` do; a note stands in both as in
`evaluation.metrics.Metrics.self_similarity_1`: same part, place in the bar and pitch. We differ from it in looking both
ways (a bar that only lost notes is not the same) and in leaving drums out, as a groove goes on through verse and
chorus alike; a song of drums alone is judged by them.

========= ==========================================================================================================
word      what it is
========= ==========================================================================================================
loop      a passage that is alike to one that began 1 to 8 bars before
return    a passage that is alike to one that began `FAR` bars before or earlier, with a contrast in between: at least
          `LONGEST_LOOP` passages that follow each other and are all different from it
========= ==========================================================================================================

Of such a passage those bars count that are not different by themselves. A loop of up to eight bars comes by every eight
bars, leaves no room for a contrast, and is therefore no return however long it goes on. A chorus of two riffs of four
bars that comes back is both: its bars return, and its second half loops.

Returns at another pitch, in another instrument or shifted within the bar are not found; melodies that only resemble
each other neither.

Sources:
    J. Foote: Visualizing music and audio using self-similarity, ACM Multimedia 1999 (the matrix of a piece against
    itself; what returns is a stripe beside the diagonal).
    M. Goto: A chorus-section detecting method for musical audio signals, ICASSP 2003 (stripes joined into repeated
    sections). We differ in comparing notes, which may be equal, and in asking for a contrast.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music.meter import bar_of
from woodshed.music.segments import pitched_notes
from woodshed.music.song import Song
from woodshed.music.units import ticks_to_steps

PASSAGE = 4
"""Bars."""
ALIKE, DIFFERENT = 0.75, 0.5
FAR = 16
"""Bars from a passage to its return, at least."""
LONGEST_LOOP = 8
"""Bars."""
NAMES_AT_ONCE = 2048
"""So many kinds of note are compared in one matrix product: memory stays bounded."""


def find_returns(song: Song) -> NDArray[np.int64]:
    """For each bar of the song, how many bars back stands what returns in it; 0 where nothing does. (bars,)"""
    found = np.zeros(song.bars, np.int64)
    first = sounding_bars(song)[0]
    shared, counts = _shared_notes(song)
    found[first : first + len(counts)] = _distances(_passages(shared, counts), _kin(shared, counts))
    return found


def find_loops(song: Song) -> NDArray[np.bool_]:
    """For each bar of the song, whether it belongs to a loop. (bars,)"""
    found = np.zeros(song.bars, bool)
    first = sounding_bars(song)[0]
    shared, counts = _shared_notes(song)
    found[first : first + len(counts)] = _loops(_passages(shared, counts), _kin(shared, counts))
    return found


def bars_again(song: Song) -> NDArray[np.int64]:
    """For each part and bar, how many bars back the part last played just this bar: the same pitches at the same steps
    of as long a bar. 0 where it never did, and where none of its notes begins. (parts, bars)"""
    lines, notes = ticks_to_steps(song.bar_lines()), song.notes
    steps = ticks_to_steps(notes["onset"])
    bar = np.minimum(bar_of(steps, lines), song.bars - 1)
    place, sizes = steps - lines[bar], np.diff(lines).tolist()
    found = np.zeros((len(song.parts), song.bars), np.int64)
    order = np.lexsort((notes["pitch"], place, bar, notes["part"]))
    cell = notes["part"][order].astype(np.int64) * song.bars + bar[order]
    cells = np.stack((place[order], notes["pitch"][order].astype(np.int64)), axis=1)
    edges = [*np.flatnonzero(np.diff(cell, prepend=-1)).tolist(), len(cell)]
    latest: dict[tuple[int, int, bytes], int] = {}
    for first, end in pairwise(edges):
        part, number = divmod(int(cell[first]), song.bars)
        what = part, sizes[number], cells[first:end].tobytes()
        found[part, number] = number - latest.get(what, number)
        latest[what] = number
    return found


def bar_similarity(song: Song) -> NDArray[np.float64]:
    """0-1 (bars, bars): the share of the notes of the fuller of two bars that also stand in the other; drums left out.

    Bars are those from the first to the last in which a note starts; a bar without notes is like no other.
    """
    return _similarity(*_shared_notes(song))


def _judged(song: Song) -> NDArray[Any]:
    """The notes that are compared: those that are not drums, or all if there are no others."""
    pitched = pitched_notes(song.notes, song.parts)
    return pitched if len(pitched) else song.notes


def sounding_bars(song: Song) -> tuple[int, int]:
    """First bar with an onset that counts, and the bar after the last; steps decide, as everywhere."""
    steps = ticks_to_steps(_judged(song)["onset"])
    if not len(steps):
        return 0, 0
    bar = bar_of(steps, ticks_to_steps(song.bar_lines()))
    return int(bar.min()), int(bar.max()) + 1


def _shared_notes(song: Song) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(bars, bars) how many notes each two bars share, and (bars,) how many each has."""
    notes, (first, end) = _judged(song), sounding_bars(song)
    steps, lines = ticks_to_steps(notes["onset"]), ticks_to_steps(song.bar_lines())
    bar = bar_of(steps, lines)
    name = ((steps - lines[bar]) * 128 + notes["pitch"]) * max(len(song.parts), 1) + notes["part"]
    _, name = np.unique(name, return_inverse=True)
    names = int(name.max(initial=-1)) + 1
    shared = np.zeros((end - first, end - first))
    for low in range(0, names, NAMES_AT_ONCE):
        own = (name >= low) & (name < low + NAMES_AT_ONCE)
        stands = np.zeros((end - first, min(NAMES_AT_ONCE, names - low)), np.float32)
        stands[bar[own] - first, name[own] - low] = 1
        shared += stands @ stands.T
    return shared, np.diagonal(shared).copy()


def _similarity(shared: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    fuller = np.maximum(counts[:, None], counts[None])
    similar: NDArray[np.float64] = shared / np.maximum(fuller, 1)
    return similar


def _kin(shared: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(bars, bars) whether two bars are not different, or both silent: the ends of a passage need not be alike."""
    silent = counts == 0
    kin: NDArray[np.bool_] = (_similarity(shared, counts) >= DIFFERENT) | (silent[:, None] & silent)
    return kin


def _passages(shared: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """0-1 (starts, starts): the share of the notes of the fuller of two passages that also stand in the other."""
    starts = max(len(counts) - PASSAGE + 1, 0)
    both, own, sounding = np.zeros((starts, starts)), np.zeros(starts), np.zeros(starts)
    for bar in range(PASSAGE):
        both += shared[bar : bar + starts, bar : bar + starts]
        own += counts[bar : bar + starts]
        sounding += counts[bar : bar + starts] > 0
    own[sounding < PASSAGE / 2] = np.inf
    alike: NDArray[np.float64] = both / np.maximum(own[:, None], own[None])
    return alike


def _distances(alike: NDArray[np.float64], kin: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(bars,) from which distance each bar returns; of several that of the longest stripe, then the nearest."""
    starts = len(alike)
    here, there = np.arange(starts)[:, None], np.arange(starts)[None]
    # How many passages up to ``there``, all of them before ``here``, are different from the one that begins here.
    differ = (alike < DIFFERENT) & (there < here)
    run = there - np.maximum.accumulate(np.where(differ, -1, there), axis=1)
    contrast = np.where(run >= LONGEST_LOOP, there - LONGEST_LOOP + 1, -1).max(axis=1, initial=-1)
    stripes = _stripes((alike >= ALIKE) & (here - there >= FAR) & (there < contrast[:, None]))
    back, length = np.zeros(len(kin), np.int64), np.zeros(len(kin), np.int64)
    for start in np.flatnonzero(stripes.any(axis=1)):
        longest = stripes[start].max()
        distance = start - int(np.flatnonzero(stripes[start] == longest)[-1])
        own = np.arange(start, start + PASSAGE)
        better = (longest > length[own]) & kin[own, own - distance]
        back[own] = np.where(better, distance, back[own])
        length[own] = np.where(better, longest, length[own])
    return back


def _stripes(found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each true cell, how many lie in a row on its diagonal, itself included."""
    before, after = found.astype(np.int64), found.astype(np.int64)
    for row in range(1, len(found)):
        before[row, 1:] *= 1 + before[row - 1, :-1]
    for row in range(len(found) - 2, -1, -1):
        after[row, :-1] *= 1 + after[row + 1, 1:]
    lengths: NDArray[np.int64] = np.maximum(before + after - 1, 0)
    return lengths


def _loops(alike: NDArray[np.float64], kin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(bars,) whether a bar belongs to a passage that is alike to one that began 1-8 bars before."""
    looped = np.zeros(len(kin), bool)
    for period in range(1, min(LONGEST_LOOP, len(alike) - 1) + 1):
        again = np.flatnonzero(np.diagonal(alike, -period) >= ALIKE) + period
        own = (again[:, None] + np.arange(PASSAGE)).ravel()
        looped[own[kin[own, own - period]]] = True
    return looped

"""Passages that tell of the same stretch of a song, put together: a copied chorus is one copy, in however many parts.

The search finds line by line; what a musician copies are bars. Passages are one **copy** if they come from the same
song of the corpus, at the same rate, so that both songs' clocks are set alike all along (within `ALIKE` half steps), by
the same interval higher or lower (drums, which have none, go with what is most there), and if each begins before, or
at most `PAUSE` half steps after, those before it have ended. Copies are told by greed: the one with most notes that
none before it has comes next, until every shared note is in one; so of a riff that a source plays forty times the
place is told that goes with all the rest.

Source:
    Passages on one diagonal that continue one another are chained as in X. Huang and W. Miller, A time-efficient,
    linear-space local similarity algorithm, Adv. Appl. Math. 1991; the cover is the greedy one of V. Chvatal, A greedy
    heuristic for the set-covering problem, Math. Oper. Res. 1979. We differ in chaining across the lines of a song.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.corpus.passage_lines import UNITS_PER_QUARTER
from woodshed.corpus.passage_search import RATES

ALIKE = 4.0
"""Half steps of the one that is faster: less than a sixteenth."""
PAUSE = 4 * UNITS_PER_QUARTER
"""Half steps of the song: a bar of common time of its own between two halves of a copy leaves it one copy."""
_FAR = 1 << 40
"""More half steps than any song has."""


def gather(
    source: NDArray[np.int64],
    rate: NDArray[np.int64],
    semitones: NDArray[np.int64],
    is_drum: NDArray[np.bool_],
    weight: NDArray[np.int64],
    here: NDArray[np.int64],
    there: NDArray[np.int64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(P,) which copy each of P passages is a part of, from 0; all arguments are (P,).

    ``weight`` are their notes, ``here`` and ``there`` the times of two notes that correspond, ``begin`` and ``end`` the
    song's times of the first and the last note, in half steps.
    """
    factor = np.array(RATES)[rate]
    offset = (there - factor * here) / np.maximum(factor, 1.0)
    order = np.lexsort((offset, rate, source))
    fresh = (np.diff(source[order]) != 0) | (np.diff(rate[order]) != 0) | (np.diff(offset[order]) > ALIKE)
    clock = np.empty(len(order), np.int64)
    clock[order] = np.append(0, np.cumsum(fresh))[: len(order)]
    higher = _with_drums(clock, semitones, is_drum, weight)
    order = np.lexsort((begin, higher, clock))
    apart = np.append(True, (np.diff(clock[order]) != 0) | (np.diff(higher[order]) != 0))[: len(order)]
    far = np.cumsum(apart) * _FAR
    reach = np.maximum.accumulate(end[order] + far)
    fresh = begin[order][1:] + far[1:] > reach[:-1] + PAUSE
    copy = np.empty(len(order), np.int64)
    copy[order] = np.append(0, np.cumsum(fresh))[: len(order)]
    return copy


def _with_drums(
    clock: NDArray[np.int64], semitones: NDArray[np.int64], is_drum: NDArray[np.bool_], weight: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(P,) the semitones, those of drums replaced by what most pitched notes under the same clock have."""
    higher = np.where(is_drum, 0, semitones)
    pairs, which = np.unique(np.column_stack((clock, higher))[~is_drum], axis=0, return_inverse=True)
    notes = np.bincount(which.ravel(), weight[~is_drum], len(pairs))
    order = np.lexsort((notes, pairs[:, 0]))
    most = np.zeros(int(clock.max(initial=0)) + 1, np.int64)
    most[pairs[order, 0]] = pairs[order, 1]  # of several values for one place the last, with most notes, stays
    return np.where(is_drum, most[clock], higher)


def cover(notes: NDArray[np.int64], passage: NDArray[np.int64], copy: NDArray[np.int64]) -> Iterator[list[int]]:
    """Of each copy that is told the passages that show its notes, the first of them first.

    ``notes`` (T,) are the notes of all passages, ``passage`` (T,) whose each is, ascending; ``copy`` (P,) is of
    `gather`. Passages that come earlier are preferred.
    """
    begin = np.searchsorted(passage, np.arange(len(copy) + 1))
    members = [group.tolist() for group in np.split(np.argsort(copy, kind="stable"), np.cumsum(np.bincount(copy))[:-1])]
    size = int(notes.max(initial=-1)) + 1
    left = np.zeros(size, bool)
    left[notes] = True
    heap = [(-int(sum(begin[one + 1] - begin[one] for one in group)), group[0], group) for group in members if group]
    heapq.heapify(heap)
    while heap and left.any():
        _, first, group = heapq.heappop(heap)
        own = np.zeros(size, bool)
        for one in group:
            own[notes[begin[one] : begin[one + 1]]] = True
        fresh = -int((own & left).sum())
        if not fresh:
            continue
        if heap and (fresh, first) > heap[0][:2]:  # others may have more: it waits for its turn
            heapq.heappush(heap, (fresh, first, group))
            continue
        left &= ~own
        yield _needed(group, own, notes, begin)


def _needed(group: list[int], own: NDArray[np.bool_], notes: NDArray[np.int64], begin: NDArray[np.int64]) -> list[int]:
    """Those of a group that have notes that none before has."""
    kept, left = [], int(own.sum())
    for one in group:
        mine = notes[begin[one] : begin[one + 1]]
        count = int(own[mine].sum())
        if count:
            own[mine] = False
            kept.append(one)
            left -= count
        if not left:
            break
    return kept


def passed_over(pieces: list[NDArray[np.int64]], ours: NDArray[Any], theirs: NDArray[Any]) -> int:
    """How many notes of either song all of some passages pass over, each counted once.

    Each piece is (K, 2), places of corresponding notes in two lines, of which ``ours`` and ``theirs`` are the notes.
    """
    seen_here = set(ours[np.concatenate([piece[:, 0] for piece in pieces])].tolist())
    seen_there = set(theirs[np.concatenate([piece[:, 1] for piece in pieces])].tolist())
    count = 0
    for piece in pieces:
        for gap in np.flatnonzero((np.diff(piece, axis=0) > 1).any(axis=1)).tolist():
            (begin, start), (end, stop) = piece[gap : gap + 2].tolist()
            missed_here = set(ours[begin + 1 : end].tolist()) - seen_here
            missed_there = set(theirs[start + 1 : stop].tolist()) - seen_there
            count += max(len(missed_here), len(missed_there))
            seen_here |= missed_here
            seen_there |= missed_there
    return count

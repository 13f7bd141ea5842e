"""The compiled search for passages: seeds from the suffix array, each grown to both sides as far as it is worth it.

**Seeds.** From each note of the song the symbols that follow are looked up in the suffix array, one more at a time,
until no more than `FREQUENT` places of the corpus begin so; what is common needs more symbols to become a seed than
what is rare. What stays common to its end, as a riff that a song plays forty times, gives `FREQUENT` of its places,
evenly spread.

**Growth.** A seed says how much higher and by which of `RATES` slower the corpus has it. From it on every next note of
the song is looked for where it must then be, counted from the last note that was found, so that small deviations do
not add up. A note found counts 1, a note of either side that is passed over `ALTERED`; growth ends where that sum has
fallen `DROP` below its highest, and what came after the highest is left off.

Source:
    S. M. Kiełbasa, R. Wan, K. Sato, P. Horton and M. C. Frith, Adaptive seeds tame genomic sequence comparison, Genome
    Research 2011; growth with a drop is that of S. F. Altschul et al., Basic local alignment search tool, J. Mol. Biol.
    1990. We differ in growing along time rather than along the string: a note put in shifts the string, not the time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.compiled import compiled

SEED = 3
"""Symbols of the shortest seed."""
FREQUENT = 64
"""Places of the corpus that a seed may have."""
WORTH = 8
"""Symbols from which on also what is more frequent is a seed."""
RATES = (1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0, 4.0)
"""How many times as long notes may last in the corpus."""
RATE_ERROR = 0.1
"""Share by which the rate of a seed may be off: its notes stand on a grid."""
ALTERED = -2.0
DROP = 9.0
ALTERED_BITS = 4.0
"""What it takes to say which note is altered and how. One altered note in ten hid three of 186 telling passages of real
songs at 5, one at 4; and real songs dealt anew shared nothing at 4, not even with `PITCHED_BITS` 1.3."""
AGAIN = 0.25
"""Of the bits of what comes again, the share that makes up for altered notes: a riff that has another slip each time
round is still that riff."""
MOST_MISSING = 5
"""Notes of the song in a row that need not be found."""
MOST_ALTERED = 0.25
"""Of the notes of a passage, the share that may be altered."""
FOUND = 10
"""Columns of a found passage, see `Query.found`."""
DIAGONALS = 1 << 16
_SCRATCH = 1 << 14


class Text(NamedTuple):
    """The corpus as the search reads it. T symbols."""

    text: NDArray[np.int32]
    order: NDArray[np.int32]
    time: NDArray[np.int32]
    pitch: NDArray[np.int16]
    begin: NDArray[np.int32]
    """(L + 1,) where each line begins, then T."""
    line: NDArray[np.int32]
    """(T,)"""
    bits: NDArray[np.float64]
    """(V,) what each symbol tells."""


class Query(NamedTuple):
    """The song as the search reads it, and room for what is found. Q symbols."""

    text: NDArray[np.int32]
    """(Q,) as the corpus numbers symbols; -1 for one that it has not, and at the end of a line."""
    bits: NDArray[np.float64]
    """(Q,) what each symbol tells where it stands."""
    time: NDArray[np.int64]
    pitch: NDArray[np.int64]
    end: NDArray[np.int64]
    """(Q,) where the line of each note ends."""
    begin: NDArray[np.int64]
    """(Q,) and where it begins."""
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    """(Q,) the places of the suffix array that begin with its first `SEED` symbols; equal where none does."""
    needed: NDArray[np.float64]
    """(Q,) bits that a passage of this line must tell."""
    found: NDArray[np.int64]
    """(room, 10) notes, altered, notes of the longest exact stretch, which of its notes begins that, semitones that
    the corpus is higher, index of the rate, first of its pairs, a place in the corpus, a place in the song, 1000 times
    its bits."""
    pairs: NDArray[np.int32]
    """(room, 2) notes that correspond: place in the song's lines, place in the corpus."""


@compiled(allocates=True)
def search(corpus, query, run):  # type: ignore[no-untyped-def]
    """Fill ``query.found`` with passages of ``run`` notes or more. Returns how many; -1 if there was not room
    enough."""
    met = np.full((DIAGONALS, 2), -1, np.int64)
    here, there = np.empty((2, len(query.text) + 1), np.int32), np.empty((2, len(query.text) + 1), np.int32)
    seen, stamp = np.full(_SCRATCH, -1, np.int64), np.zeros(_SCRATCH, np.int64)
    state = np.zeros(3, np.int64)  # passages, pairs, stamp
    span = np.zeros(3, np.int64)
    for place in range(len(query.text)):
        _seed(corpus, query, place, span)
        low, high, depth = span
        step = max((high - low) / FREQUENT, 1.0)
        at = np.float64(low)
        while at < high:
            other = np.int64(corpus.order[np.int64(at)])
            at += step
            if other + depth >= len(corpus.text):
                continue
            diagonal = other - place
            slot = (diagonal * 40503) & (DIAGONALS - 1)
            if met[slot, 0] == diagonal and place <= met[slot, 1]:
                continue
            met[slot, 0], met[slot, 1] = diagonal, place
            rate = _rate(query.time[place + depth] - query.time[place], corpus.time[other + depth] - corpus.time[other])
            if rate < 0:
                continue
            last = _passage(corpus, query, place, other, rate, run, here, there, seen, stamp, state)
            if last < 0:
                return -1
            met[slot, 1] = last
    return state[0]


@compiled
def _seed(corpus, query, place, span):  # type: ignore[no-untyped-def]
    """Set ``span`` to the places in the suffix array of the seed that begins at ``place``, and to its symbols."""
    low, high, depth = query.low[place], query.high[place], SEED
    while high - low > FREQUENT:
        symbol = query.text[place + depth]
        if symbol < 0:
            break
        first = _first(corpus, low, high, depth, symbol)
        after = _first(corpus, first, high, depth, symbol + 1)
        if first == after:
            break
        low, high, depth = first, after, depth + 1
    if high - low > FREQUENT and depth < WORTH:
        high = low
    span[0], span[1], span[2] = low, high, depth


@compiled
def _first(corpus, low, high, depth, symbol):  # type: ignore[no-untyped-def]
    """The first place from ``low`` to ``high`` whose symbol ``depth`` ahead is no less than ``symbol``."""
    while low < high:
        middle = (low + high) // 2
        ahead = corpus.order[middle] + depth
        if ahead >= len(corpus.text) or corpus.text[ahead] < symbol:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _rate(here, there):  # type: ignore[no-untyped-def]
    """Index of the rate nearest to there / here, -1 if none is near."""
    if here <= 0 or there <= 0:
        return -1
    for index in range(len(RATES)):
        if abs(there - here * RATES[index]) <= RATE_ERROR * here * RATES[index]:
            return index
    return -1


@compiled
def _passage(corpus, query, place, other, rate, run, here, there, seen, stamp, state):  # type: ignore[no-untyped-def]
    """Grow the seed; if what comes of it is a passage, write it down. Returns the last place of the song that it
    holds, -1 if there is no room."""
    line = corpus.line[other]
    back = _grow(
        corpus, query, place, other, rate, -1, query.begin[place] - 1, corpus.begin[line] - 1, here[0], there[0]
    )
    ahead = _grow(corpus, query, place, other, rate, 1, query.end[place], corpus.begin[line + 1], here[1], there[1])
    last = np.int64(here[1, ahead - 1]) if ahead else place
    notes = back + 1 + ahead
    if notes < run:
        return last
    if state[1] + notes > len(query.pairs) or state[0] == len(query.found):
        return -1
    first = state[1]
    for index in range(back):
        query.pairs[first + index, 0] = here[0, back - 1 - index]
        query.pairs[first + index, 1] = there[0, back - 1 - index]
    query.pairs[first + back, 0], query.pairs[first + back, 1] = place, other
    for index in range(ahead):
        query.pairs[first + back + 1 + index, 0] = here[1, index]
        query.pairs[first + back + 1 + index, 1] = there[1, index]
    row = query.found[state[0]]
    bits = _measure(corpus, query, first, notes, row, seen, stamp, state)
    if bits < query.needed[place] or row[1] > MOST_ALTERED * (notes + row[1]):
        return last
    row[0] = notes
    row[4] = corpus.pitch[other] - query.pitch[place]
    row[5], row[6], row[7], row[8], row[9] = rate, first, other, place, np.int64(bits * 1000)
    state[0] += 1
    state[1] += notes
    return last


@compiled
def _grow(corpus, query, place, other, rate, way, stop, halt, here, there):  # type: ignore[no-untyped-def]
    """Go from a note that both have forward (``way`` 1) or back (-1), to before ``stop`` and ``halt``. Fills ``here``
    and
    ``there`` with the notes that correspond, and returns how many."""
    factor, higher = RATES[rate], corpus.pitch[other] - query.pitch[place]
    slack = max(factor, 1.0) + 0.01
    score, best, found, kept = 0.0, 0.0, 0, 0
    last, mark, now = place, other, place + way
    while now != stop and (now - last) * way <= MOST_MISSING + 1:
        expected = corpus.time[mark] + factor * (query.time[now] - query.time[last])
        at, match = mark + way, -1
        while at != halt and (corpus.time[at] - expected) * way <= slack:
            if (corpus.time[at] - expected) * way >= -slack and corpus.pitch[at] == query.pitch[now] + higher:
                match = at
                break
            at += way
        if match >= 0:
            score += 1.0 + ALTERED * max((now - last) * way - 1, (match - mark) * way - 1)
            here[found], there[found] = now, match
            found += 1
            last, mark = now, match
            if score >= best:
                best, kept = score, found
            elif score < best - DROP:
                break
        now += way
    return kept


@compiled
def _measure(corpus, query, first, notes, row, seen, stamp, state):  # type: ignore[no-untyped-def]
    """The bits that a passage tells, less those of what is altered; sets of ``row`` that and the longest exact stretch.

    Each pair of neighbouring symbols tells its second symbol the first time only."""
    state[2] += 1
    bits, again, altered, exact, begins, stretch, before = 0.0, 0.0, 0, 0, 0, 0, np.int64(-1)
    for index in range(notes - 1):
        now, mark = query.pairs[first + index]
        gap = max(query.pairs[first + index + 1, 0] - now - 1, query.pairs[first + index + 1, 1] - mark - 1)
        altered += gap
        if gap:
            stretch, before = index + 1, np.int64(-1)
            continue
        if index + 2 - stretch > exact:
            exact, begins = index + 2 - stretch, stretch
        symbol = np.int64(query.text[now])
        if symbol >= 0 and _is_new((before + 1) * len(corpus.bits) + symbol, seen, stamp, state[2]):
            bits += query.bits[now]
        elif symbol >= 0:
            again += corpus.bits[symbol]
        before = symbol
    row[1], row[2], row[3] = altered, exact, begins
    return bits - max(ALTERED_BITS * altered - AGAIN * again, 0.0)


@compiled
def _is_new(key, seen, stamp, now):  # type: ignore[no-untyped-def]
    """Whether a key was not seen under this stamp; it is from now on."""
    slot = (key * 2654435761) & (_SCRATCH - 1)
    for _ in range(_SCRATCH // 2):
        if stamp[slot] != now:
            stamp[slot], seen[slot] = now, key
            return True
        if seen[slot] == key:
            return False
        slot = (slot + 1) & (_SCRATCH - 1)
    return False

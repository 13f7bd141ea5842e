"""What came last in each context of a field, compiled: see `past`, which asks and tells it.

A context is a few facts, hashed to a slot of one table. The slot holds the symbol that came last, part of the hash to
know it by, and how often in a row that symbol came.

The table is too large for the fastest memory, and 48 of its slots are read and written for each row. So facts are
gathered field by field, but hashed and looked up for all fields at once, in loops without a branch: a processor then
takes eight contexts side by side, and has many slots under way while it waits for the first.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import SIZES
from woodshed.codecs.past_state import (
    ALL_CONTEXTS,
    CONTEXTS,
    LAGS,
    LAST_POSITION,
    MATCHES,
    NO_PART,
    NOTHING,
    OF_PITCHES,
    OF_VALUES,
    POINTERS,
    SLOTS,
    SYMBOL_ZERO,
)
from woodshed.compiled import compiled

LIMITS = np.repeat(SIZES, CONTEXTS)
"""Every symbol of a context's field is less than this."""


@compiled
def mix(hashed, value):  # type: ignore[no-untyped-def]
    x = (hashed ^ (np.uint64(value) * np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xBF58476D1CE4E5B9)
    return x ^ (x >> np.uint64(32))


@compiled
def _context(state, field, context, one, two, three):  # type: ignore[no-untyped-def]
    """The row in the making has this context."""
    i = field * CONTEXTS + context
    state.seeds[i] = field * 16 + context + 1
    state.facts[0, i] = one
    state.facts[1, i] = two
    state.facts[2, i] = three


@compiled
def look_up(state):  # type: ignore[no-untyped-def]
    """What came last in each context whose facts are known.

    Of all fields at once, for then a vector holds eight contexts, and memory is waited for but once.
    """
    age = state.age
    for i in range(ALL_CONTEXTS):
        seed = state.seeds[i]
        key = mix(mix(mix(seed, state.facts[0, i]), state.facts[1, i]), state.facts[2, i])
        state.keys[i] = key if seed != 0 else np.uint64(0)
    for i in range(ALL_CONTEXTS):
        state.entries[i] = state.slots[np.int64(state.keys[i] & np.uint64(SLOTS - 1))]
    for i in range(ALL_CONTEXTS):
        key, entry = state.keys[i], state.entries[i]
        known = (key != 0) & (entry != 0) & ((key ^ age ^ entry) >> np.uint64(32) == 0)
        symbol = np.int64((entry >> np.uint64(8)) & np.uint64(0xFFFF)) - SYMBOL_ZERO + state.bases[i]
        run = np.int64(entry & np.uint64(255))
        steps = np.int64(run > 0) + np.int64(run > 1) + np.int64(run > 3)
        state.symbols[i] = symbol if known & (symbol >= 0) & (symbol < LIMITS[i]) else NOTHING
        state.trust[i] = 4 * steps if known else 0
    for field in range(6):
        at = field * POINTERS + LAGS + MATCHES
        for c in range(CONTEXTS):
            i = field * CONTEXTS + c
            state.expected[at + c] = state.symbols[i]
            state.records[at + c] = state.trust[i] + (state.hits[at + c] & (3 if state.keys[i] != 0 else 0))


@compiled
def gather(state, field, position):  # type: ignore[no-untyped-def]
    """The facts of each context of this field."""
    row, last, expected = state.row, state.last, state.expected
    position = min(position, LAST_POSITION)
    last_shift, last_part, last_pitch = last[0], last[1], last[2]
    now, before = state.struck[0], state.struck[1]
    bar = state.place[1] & 3
    if field == 0:
        _context(state, 0, 0, position, last_part, 0)
        _context(state, 0, 1, last_part, last_pitch, last_shift)
        _context(state, 0, 2, position, now, 0)
        _context(state, 0, 3, now, before, 0)
        _context(state, 0, 4, position, last_part, last_pitch)
        _context(state, 0, 5, position, 0, 0)
        _context(state, 0, 6, last_part, last_pitch, 0)
        _context(state, 0, 7, position, last_part, bar)
        return
    together = row[0] == 0
    with_part = last_part if together else np.int64(NO_PART)
    with_pitch = last_pitch if together else np.int64(0)
    struck = now if together else np.int64(1)
    earlier = np.int64(1) if together else now
    part, pitch = row[1], row[2]
    if field == 1:
        _context(state, 1, 0, position, with_part, 0)
        _context(state, 1, 1, with_part, with_pitch, 0)
        _context(state, 1, 2, position, struck, 0)
        _context(state, 1, 3, now, before if not together else np.int64(1), row[0])
        _context(state, 1, 4, position, with_part, with_pitch)
        _context(state, 1, 5, last_part, last_pitch, row[0])
        _context(state, 1, 6, position, with_part, bar)
        _context(state, 1, 7, with_part, expected[POINTERS] + 1, expected[POINTERS + 1] + 1)
        return
    chord = np.int64(1) if together and last_part == part else np.int64(0)
    if field == 2:
        one, two, three, four = state.own[part, 0], state.own[part, 1], state.own[part, 2], state.own[part, 3]
        _context(state, 2, 0, part, position, chord)
        state.bases[2 * CONTEXTS + 1] = state.bases[2 * CONTEXTS + 2] = one
        if one >= 0:
            phrase = (three - four + 256) * 2 + chord
            _context(state, 2, 1, part * 512 + one - two + 256, two - three + 256, phrase)
            _context(state, 2, 2, part, one - two + 256, chord)
            _context(state, 2, 3, part * 128 + one, two + 1, chord)
            _context(state, 2, 5, part * 128 + one, position, chord)
            _context(state, 2, 7, part * 128 + one, chord, 0)
        _context(state, 2, 4, part, struck, earlier)
        _context(state, 2, 6, part, position * 2 + chord, bar)
        return
    first = OF_PITCHES + OF_VALUES * (field - 3)
    latest, second = state.own[part, first], state.own[part, first + 1]
    beside = last[field] if together else np.int64(-1)
    _context(state, field, 0, part, pitch, 0)
    _context(state, field, 1, part, position, 0)
    _context(state, field, 2, part, 0, 0)
    _context(state, field, 3, part, pitch, position)
    _context(state, field, 4, part, beside + 1, chord)
    _context(state, field, 5, part, latest + 1, second + 1)
    _context(state, field, 6, part * 128 + pitch, latest + 1, row[field - 1])
    _context(state, field, 7, part, position, latest + 1)


@compiled
def confirm(state, key, symbol):  # type: ignore[no-untyped-def]
    """Remember what came in a context."""
    slot = np.int64(key & np.uint64(SLOTS - 1))
    entry = state.slots[slot]
    found = ((key ^ state.age) >> np.uint64(32) << np.uint64(32)) | (np.uint64(symbol) << np.uint64(8))
    again = entry + np.uint64(entry & np.uint64(255) < np.uint64(255))
    state.slots[slot] = again if entry & ~np.uint64(255) == found else found

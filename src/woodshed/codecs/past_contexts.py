"""What came last in each context of a field, compiled: see `past`, which asks and tells it.

A context is a few facts, hashed to a slot of one table. The slot holds the symbol that came last, part of the hash to
know it by, and how often in a row that symbol came.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import SIZES
from woodshed.codecs.past_state import CONTEXTS, LAGS, MATCHES, NO_PART, SLOTS, SYMBOL_ZERO
from woodshed.compiled import compiled


@compiled
def mix(hashed, value):  # type: ignore[no-untyped-def]
    x = (hashed ^ (np.uint64(value) * np.uint64(0x9E3779B97F4A7C15))) * np.uint64(0xBF58476D1CE4E5B9)
    return x ^ (x >> np.uint64(32))


@compiled
def _facts(field, context, one, two, three):  # type: ignore[no-untyped-def]
    return mix(mix(mix(np.uint64(field * 16 + context + 1), one), two), three)


@compiled
def in_contexts(past, field, row, position, expected, records):  # type: ignore[no-untyped-def]
    """Look up what came last in each context of this field."""
    state = past.state[0]
    for c in range(CONTEXTS):
        state.keys[c] = 0
        state.bases[c] = 0
    _contexts(past, field, row, position, expected)
    for c in range(CONTEXTS):
        h = state.keys[c]
        if h == 0:
            continue
        slot = np.int64(h & np.uint64(SLOTS - 1))
        check = h >> np.uint64(32)
        state.used[field, c], state.checks[field, c] = slot, check
        record = state.hits[field, LAGS + MATCHES + c] & 3
        entry = state.slots[slot]
        if entry != 0 and entry >> np.uint64(32) == check:
            symbol = np.int64((entry >> np.uint64(8)) & np.uint64(0xFFFF)) - SYMBOL_ZERO + state.bases[c]
            if 0 <= symbol < SIZES[field]:
                expected[LAGS + MATCHES + c] = symbol
            run = np.int64(entry & np.uint64(255))
            record += 4 * (run if run < 2 else 2 if run < 4 else 3)
        records[LAGS + MATCHES + c] = record


@compiled
def _contexts(past, field, row, position, expected):  # type: ignore[no-untyped-def]
    """Hash the facts of each context of this field; a key of 0 is no context."""
    state = past.state[0]
    keys = state.keys
    last = state.count - 1
    last_shift = np.int64(past.rows[last, 0])
    last_part = np.int64(past.rows[last, 1])
    last_pitch = np.int64(past.rows[last, 2])
    now, before = state.struck[0], state.struck[1]
    bar = state.place[1] & 3
    if field == 0:
        keys[0] = _facts(0, 0, position, last_part, 0)
        keys[1] = _facts(0, 1, last_part, last_pitch, last_shift)
        keys[2] = _facts(0, 2, position, now, 0)
        keys[3] = _facts(0, 3, now, before, 0)
        keys[4] = _facts(0, 4, position, last_part, last_pitch)
        keys[5] = _facts(0, 5, position, 0, 0)
        keys[6] = _facts(0, 6, last_part, last_pitch, 0)
        keys[7] = _facts(0, 7, position, last_part, bar)
        return
    together = row[0] == 0
    with_part = last_part if together else np.int64(NO_PART)
    with_pitch = last_pitch if together else np.int64(0)
    struck = now if together else np.int64(1)
    earlier = np.int64(1) if together else now
    part, pitch = np.int64(row[1]), np.int64(row[2])
    if field == 1:
        keys[0] = _facts(1, 0, position, with_part, 0)
        keys[1] = _facts(1, 1, with_part, with_pitch, 0)
        keys[2] = _facts(1, 2, position, struck, 0)
        keys[3] = _facts(1, 3, now, before if not together else np.int64(1), row[0])
        keys[4] = _facts(1, 4, position, with_part, with_pitch)
        keys[5] = _facts(1, 5, last_part, last_pitch, row[0])
        keys[6] = _facts(1, 6, position, with_part, bar)
        keys[7] = _facts(1, 7, with_part, expected[0] + 1, expected[1] + 1)
        return
    chord = np.int64(1) if together and last_part == part else np.int64(0)
    if field == 2:
        one, two, three, four = state.own[part, 0], state.own[part, 1], state.own[part, 2], state.own[part, 3]
        keys[0] = _facts(2, 0, part, position, chord)
        if one >= 0:
            phrase = (three - four + 256) * 2 + chord
            keys[1] = _facts(2, 1, part * 512 + one - two + 256, two - three + 256, phrase)
            state.bases[1] = one
            keys[2] = _facts(2, 2, part, one - two + 256, chord)
            state.bases[2] = one
            keys[3] = _facts(2, 3, part * 128 + one, two + 1, chord)
            keys[5] = _facts(2, 5, part * 128 + one, position, chord)
            keys[7] = _facts(2, 7, part * 128 + one, chord, 0)
        keys[4] = _facts(2, 4, part, struck, earlier)
        keys[6] = _facts(2, 6, part, position * 2 + chord, bar)
        return
    latest, second = state.own[part, 2 * field - 2], state.own[part, 2 * field - 1]
    beside = np.int64(past.rows[last, field]) if together else np.int64(-1)
    keys[0] = _facts(field, 0, part, pitch, 0)
    keys[1] = _facts(field, 1, part, position, 0)
    keys[2] = _facts(field, 2, part, 0, 0)
    keys[3] = _facts(field, 3, part, pitch, position)
    keys[4] = _facts(field, 4, part, beside + 1, chord)
    keys[5] = _facts(field, 5, part, latest + 1, second + 1)
    keys[6] = _facts(field, 6, part * 128 + pitch, latest + 1, row[field - 1])
    keys[7] = _facts(field, 7, part, position, latest + 1)


@compiled
def confirm(slots, slot, check, symbol):  # type: ignore[no-untyped-def]
    entry = slots[slot]
    found = (check << np.uint64(32)) | (np.uint64(symbol) << np.uint64(8))
    if entry & ~np.uint64(255) == found:
        if entry & np.uint64(255) < np.uint64(255):
            slots[slot] = entry + np.uint64(1)
    else:
        slots[slot] = found

"""The facts that each context of a field consists of, compiled: see `past`. What came in it `past_votes` remembers."""

from __future__ import annotations

import numpy as np

from woodshed.codecs.past_state import (
    CONTEXTS,
    LAST_POSITION,
    NO_PART,
    OF_PITCHES,
    OF_VALUES,
    POINTERS,
)
from woodshed.compiled import compiled


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

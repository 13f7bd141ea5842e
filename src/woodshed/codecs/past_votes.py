"""What came in a voter's facts before, and how often, compiled: up to four votes of each of sixteen voters a field.

A pointer names one symbol, the latest. A *voter* (`past_voters` says what each goes by) remembers up to four symbols
that came after the same facts and how often each did: each is a *vote*, and its *class* says

    ======== ==========================================================
    bits     what
    ======== ==========================================================
    0        whether it came last
    1-3      how often the others came: 0, 1, 2, 3, 4-5, 6-9, 10-23, more
    4-6      how often it came, likewise
    ======== ==========================================================

A network learns what a vote of each class is worth. What came often fades as others come, so that the latest section
counts for more than the first.

Source:
    Counts under hashed contexts are those of prediction by partial matching (Cleary & Witten 1984) and of PAQ (Mahoney
    2005), where a network mixes them in the logistic domain. We differ in symbols of many values and in worths that are
    learned from other songs beside the rest of a model, and stay while a song goes on.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import SIZES
from woodshed.codecs.past_contexts import mix
from woodshed.codecs.past_state import (
    ALL_VOTERS,
    CONTEXTS,
    NOTHING,
    SYMBOL_ZERO,
    VOTE_SLOTS,
    VOTERS,
    VOTES,
)
from woodshed.compiled import compiled

VOTE_CLASSES = 128
OFTEN = 240
"""No count goes beyond."""
LIMITS = np.repeat(SIZES, VOTERS)
"""Every symbol of a voter's field is less than this."""
WORD, BYTE = np.uint64(0xFFFF), np.uint64(0xFF)
COUNTS = np.uint64(0xFFFFFFFF)
SEVENS, FIFTHS = np.uint64(0x07070707), np.uint64(0x1F1F1F1F)
FROM_FOUR, TOP_BITS = np.uint64(0x7C7C7C7C), np.uint64(0x80808080)


@compiled
def _word(word, m):  # type: ignore[no-untyped-def]
    """The symbol at place ``m`` of four."""
    return (word >> np.uint64(16 * m)) & WORD


@compiled
def _byte(word, m):  # type: ignore[no-untyped-def]
    """The count at place ``m`` of four."""
    return (word >> np.uint64(8 * m)) & BYTE


@compiled
def _bucket(count):  # type: ignore[no-untyped-def]
    """0-7"""
    few = np.int64(count > 0) + np.int64(count > 1) + np.int64(count > 2) + np.int64(count > 3)
    return few + np.int64(count > 5) + np.int64(count > 9) + np.int64(count > 23)


@compiled
def look_up_votes(state, first, last):  # type: ignore[no-untyped-def]
    """Fetch what voters of fields ``first`` to ``last`` remember, that one left out; their contexts must have been
    looked up.

    A slot is two words: four symbols of 16 bits, the latest lowest, and 32 bits of check over four counts of 8. As in
    `past_contexts`, loops have no branches, and all slots are fetched before the first is read; places are unsigned,
    as what may count from the end is not taken side by side.
    """
    for field in range(first, last):
        of_context, of_voter = np.uint64(field * CONTEXTS), np.uint64(field * VOTERS)
        for c in range(CONTEXTS):
            i = of_voter + np.uint64(c)
            state.voter_keys[i] = state.keys[of_context + np.uint64(c)]
            state.voter_bases[i] = state.bases[of_context + np.uint64(c)]
        for c in range(CONTEXTS):
            i = of_voter + np.uint64(CONTEXTS + c)
            seed, facts = state.voter_seeds[i], state.voter_facts
            key = mix(mix(mix(mix(seed, facts[0, i]), facts[1, i]), facts[2, i]), facts[3, i])
            state.voter_keys[i] = key if seed != 0 else np.uint64(0)
    for n in range(first * VOTERS, last * VOTERS):
        i = np.uint64(n)
        slot = np.int64(state.voter_keys[i] & np.uint64(VOTE_SLOTS - 1))
        state.voter_symbols[i] = state.vote_slots[slot, 0]
        state.voter_counts[i] = state.vote_slots[slot, 1]
    for field in range(first, last):
        for c in range(VOTERS):
            i = np.uint64(field * VOTERS) + np.uint64(c)
            key = state.voter_keys[i]
            known = (key != 0) & ((key ^ state.voter_counts[i]) >> np.uint64(32) == 0)
            state.voter_symbols[i] = state.voter_symbols[i] if known else np.uint64(0)
            state.voter_counts[i] = state.voter_counts[i] & COUNTS if known else np.uint64(0)


@compiled
def read_votes(state, first, last, votes, classes):  # type: ignore[no-untyped-def]
    """Write into ``votes`` (4, 96) and ``classes`` what the voters of these fields remember, once looked up."""
    for field in range(first, last):
        for m in range(VOTES):
            for c in range(VOTERS):
                i = np.uint64(field * VOTERS) + np.uint64(c)
                counts = state.voter_counts[i]
                count = np.int64(_byte(counts, m))
                total = np.int64(_byte(counts, 0) + _byte(counts, 1) + _byte(counts, 2) + _byte(counts, 3))
                symbol = np.int64(_word(state.voter_symbols[i], m)) - SYMBOL_ZERO + state.voter_bases[i]
                stands = (count > 0) & (symbol >= 0) & (symbol < LIMITS[i])
                votes[m, i] = symbol if stands else NOTHING
                of_class = _bucket(count) << 4 | _bucket(total - count) << 1 | (m == 0)
                classes[m, i] = of_class if stands else 0


@compiled
def no_votes(state):  # type: ignore[no-untyped-def]
    """A row begins: nobody has been called."""
    for i in range(ALL_VOTERS):
        state.voter_seeds[i] = 0
    for i in range(ALL_VOTERS):
        state.voter_keys[i] = 0


@compiled
def count_votes(state, is_note):  # type: ignore[no-untyped-def]
    """The row is decided: each voter counts what came, which becomes its latest symbol; what came least often makes
    room for it, and what came four times or more loses an eighth. Of what is no note only the time shift."""
    stop = ALL_VOTERS if is_note else np.int64(VOTERS)
    for i in range(stop):
        state.voter_came[i] = np.uint64(state.row[i // VOTERS] - state.voter_bases[i] + SYMBOL_ZERO)
    for i in range(stop):
        symbols, counts, came = state.voter_symbols[i], state.voter_counts[i], state.voter_came[i]
        place, fewest = np.uint64(VOTES - 1), _byte(counts, VOTES - 1)
        for m in range(VOTES - 2, -1, -1):
            count = _byte(counts, m)
            place = np.uint64(m) if count < fewest else place
            fewest = min(count, fewest)
        again = np.uint64(0)
        for m in range(VOTES - 1, -1, -1):
            same = (_byte(counts, m) > 0) & (_word(symbols, m) == came)
            place = np.uint64(m) if same else place
            again = _byte(counts, m) if same else again
        often = (counts & FROM_FOUR) + FROM_FOUR
        often = ((often | counts) & TOP_BITS) >> np.uint64(7)
        faded = counts - (((counts + SEVENS) >> np.uint64(3)) & FIFTHS & (often * BYTE))
        later, kept = np.uint64(16) * place, np.uint64(8) * place
        below = symbols & ((np.uint64(1) << later) - np.uint64(1))
        above = symbols >> later >> np.uint64(16) << later << np.uint64(16)
        state.voter_symbols[i] = came | below << np.uint64(16) | above
        below = faded & ((np.uint64(1) << kept) - np.uint64(1))
        above = faded >> kept >> np.uint64(8) << kept << np.uint64(8)
        count = min(again + np.uint64(1), np.uint64(OFTEN))
        check = state.voter_keys[i] >> np.uint64(32) << np.uint64(32)
        state.voter_counts[i] = check | count | (below << np.uint64(8) | above) & COUNTS
    for i in range(stop):
        key = state.voter_keys[i]
        if key != 0:
            slot = np.int64(key & np.uint64(VOTE_SLOTS - 1))
            state.vote_slots[slot, 0] = state.voter_symbols[i]
            state.vote_slots[slot, 1] = state.voter_counts[i]

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

from woodshed.codecs.note_step import PITCH, SIZES
from woodshed.codecs.past_contexts import mix
from woodshed.codecs.past_state import (
    ALL_CONTEXTS,
    ALL_VOTERS,
    CONTEXTS,
    LAGS,
    MATCHES,
    NOTHING,
    POINTERS,
    VOTE_SLOTS,
    VOTES,
)
from woodshed.compiled import compiled

VOTE_CLASSES = 128
OFTEN = 240
"""No count goes beyond."""
WORD, BYTE = np.uint64(0xFFFF), np.uint64(0xFF)
NO_SYMBOL = 0xFFFF
COUNTS, UNCHECKED, CHECK = np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFFFF), np.uint64(40)
BYTE_ONES, WORD_ONES = np.uint64(0x0101010101010101), np.uint64(0x0001000100010001)
BYTE_TOPS, WORD_TOPS = np.uint64(0x80808080), np.uint64(0x8000800080008000)
SEVENS, FIFTHS = np.uint64(0x07070707), np.uint64(0x1F1F1F1F)
FROM_FOUR, FROM_MOST = np.uint64(0x7C7C7C7C), np.uint64(0x68686868)
MOST = np.uint64(0x18181818)
"""24 of each, from where on a count is in the last bucket."""
TWO_WORDS, BYTE_IN_WORD = np.uint64(0x0000FFFF0000FFFF), np.uint64(0x00FF00FF00FF00FF)
BEYOND = np.where(np.arange(ALL_VOTERS) // CONTEXTS % len(SIZES) == PITCH, WORD_ONES * np.uint64(0xFF80), np.uint64(0))
"""Bits that no symbol of a voter's field has, where symbols are added to a base."""


@compiled
def symbol_at(word, m):  # type: ignore[no-untyped-def]
    """Of a voter's four symbols the one at place ``m``, the latest at 0; `NO_SYMBOL` where there are fewer."""
    return (word >> np.uint64(16 * m)) & WORD


@compiled
def number_at(word, m):  # type: ignore[no-untyped-def]
    """Of four counts, or classes, the one at place ``m``."""
    return (word >> np.uint64(8 * m)) & BYTE


@compiled
def _all_bits(ones, width):  # type: ignore[no-untyped-def]
    """Of each number of ``width`` bits that is 1, all bits."""
    return (ones << np.uint64(width)) - ones


@compiled
def _from(counts, first):  # type: ignore[no-untyped-def]
    """1 for each of eight counts below 128 that is at least ``first``."""
    return ((counts + np.uint64(0x80 - first) * BYTE_ONES) >> np.uint64(7)) & BYTE_ONES


@compiled
def look_up_votes(state, first, last):  # type: ignore[no-untyped-def]
    """Fetch what voters of fields ``first`` to ``last``, that one left out, remember, and say what contexts expect.

    A slot is two words: four symbols of 16 bits, less what they are added to, the latest lowest; and 24 bits of check
    over 8 of how often in a row the latest came again, over four counts of 8.

    The table is too large for the fastest memory, and 96 of its slots are read and written for each row. So facts are
    gathered field by field, but hashed and looked up for all fields at once where a row is known, in loops without a
    branch: a processor then takes many voters side by side, and has many slots under way while it waits for the first.
    Places are unsigned, as what may count from the end is not taken side by side.
    """
    for n in range(first * CONTEXTS, last * CONTEXTS):
        i = np.uint64(n)
        key = mix(mix(mix(state.seeds[i], state.facts[0, i]), state.facts[1, i]), state.facts[2, i])
        state.keys[i] = key if state.seeds[i] != 0 else np.uint64(0)
    seeds, facts, age = state.voter_seeds, state.voter_facts, state.age
    for n in range(first * CONTEXTS, last * CONTEXTS):
        i = np.uint64(n)
        key = mix(mix(mix(mix(seeds[i], facts[0, i]), facts[1, i]), facts[2, i]), facts[3, i])
        state.keys[np.uint64(ALL_CONTEXTS) + i] = key if seeds[i] != 0 else np.uint64(0)
    for bank in range(0, ALL_VOTERS, ALL_CONTEXTS):
        for n in range(bank + first * CONTEXTS, bank + last * CONTEXTS):
            i = np.uint64(n)
            slot = np.int64(state.keys[i] & np.uint64(VOTE_SLOTS - 1))
            state.voter_symbols[i] = state.vote_slots[slot, 0]
            state.voter_counts[i] = state.vote_slots[slot, 1]
    for bank in range(0, ALL_VOTERS, ALL_CONTEXTS):
        for n in range(bank + first * CONTEXTS, bank + last * CONTEXTS):
            i = np.uint64(n)
            key = state.keys[i]
            known = (key != 0) & ((key ^ age ^ state.voter_counts[i]) >> CHECK == 0)
            state.voter_symbols[i] = state.voter_symbols[i] if known else np.uint64(0)
            state.voter_counts[i] = state.voter_counts[i] & UNCHECKED if known else np.uint64(0)
    for field in range(first, last):
        at = field * POINTERS + LAGS + MATCHES
        for c in range(CONTEXTS):
            i = np.uint64(field * CONTEXTS + c)
            counts = state.voter_counts[i]
            known = counts & BYTE != 0
            symbol = np.int64(np.int16(state.voter_symbols[i] & WORD)) + state.bases[i]
            run = np.int64((counts >> np.uint64(32)) & BYTE)
            steps = np.int64(run > 0) + np.int64(run > 1) + np.int64(run > 3)
            state.expected[at + c] = symbol if known & (symbol >= 0) & (symbol < SIZES[field]) else NOTHING
            hits = state.hits[at + c] & (3 if state.keys[i] != 0 else 0)
            state.records[at + c] = (4 * steps if known else 0) + hits


@compiled
def read_votes(state, first, last, votes, classes):  # type: ignore[no-untyped-def]
    """Write what the voters of these fields remember, once looked up, into their places of ``votes`` (96,) uint64, four
    symbols of 16 bits each, and of ``classes`` (96,) uint32, four of 8; -1 of class 0 is no vote.

    A voter's four are worked on side by side within one number, in which nothing is carried from one to the next, and
    voters side by side in a vector.
    """
    for bank in range(0, ALL_VOTERS, ALL_CONTEXTS):
        for n in range(bank + first * CONTEXTS, bank + last * CONTEXTS):
            i = np.uint64(n)
            symbols, counts = state.voter_symbols[i], state.voter_counts[i] & COUNTS
            bases = (np.uint64(state.bases[i]) & WORD) * WORD_ONES
            symbols = ((symbols & ~WORD_TOPS) + (bases & ~WORD_TOPS)) ^ ((symbols ^ bases) & WORD_TOPS)
            most = _all_bits(((((counts & ~BYTE_TOPS) + FROM_MOST) | counts) & BYTE_TOPS) >> np.uint64(7), 8)
            counts = (counts & ~most) | (MOST & most)
            total = counts + (counts >> np.uint64(16))
            total = (total + (total >> np.uint64(8))) & BYTE
            total |= total << np.uint64(8)
            total |= total << np.uint64(16)
            both = counts | (total - counts) << np.uint64(32)
            buckets = _from(both, 1) + _from(both, 2) + _from(both, 3) + _from(both, 4)
            buckets += _from(both, 6) + _from(both, 10) + _from(both, 24)
            of_class = (buckets & COUNTS) << np.uint64(4) | buckets >> np.uint64(32) << np.uint64(1) | np.uint64(1)
            stand = _from(counts, 1) & COUNTS
            stand = (stand | stand << np.uint64(16)) & TWO_WORDS
            stand = (stand | stand << np.uint64(8)) & BYTE_IN_WORD
            wrong = symbols & BEYOND[i]
            wrong = ((wrong & ~WORD_TOPS) + ~WORD_TOPS) | wrong
            stand &= ~(wrong >> np.uint64(15))
            votes[i] = symbols | ~_all_bits(stand, 16)
            stand = (stand | stand >> np.uint64(8)) & TWO_WORDS
            stand = (stand | stand >> np.uint64(16)) & COUNTS
            classes[i] = np.uint32(of_class & _all_bits(stand, 8))


@compiled
def no_votes(state):  # type: ignore[no-untyped-def]
    """A row begins: nobody has been called."""
    for i in range(ALL_CONTEXTS):
        state.voter_seeds[i] = 0
    for i in range(ALL_VOTERS):
        state.keys[i] = 0


@compiled
def count_votes(state):  # type: ignore[no-untyped-def]
    """The row is decided: each voter that was called counts what came, which becomes its latest symbol; what came least
    often makes room for it, and what came four times or more loses an eighth."""
    for field in range(len(SIZES)):
        for bank in range(0, ALL_VOTERS, ALL_CONTEXTS):
            for i in range(bank + field * CONTEXTS, bank + (field + 1) * CONTEXTS):
                state.voter_came[i] = np.uint64(state.row[field] - state.bases[i]) & WORD
    age = state.age
    for i in range(ALL_VOTERS):
        symbols, counts, came = state.voter_symbols[i], state.voter_counts[i], state.voter_came[i]
        run = min((counts >> np.uint64(32)) + np.uint64(1), BYTE)
        run = run if (counts & BYTE != 0) & (symbols & WORD == came) else np.uint64(0)
        counts &= COUNTS
        place, fewest = np.uint64(VOTES - 1), number_at(counts, VOTES - 1)
        for m in range(VOTES - 2, -1, -1):
            count = number_at(counts, m)
            place = np.uint64(m) if count < fewest else place
            fewest = min(count, fewest)
        again = np.uint64(0)
        for m in range(VOTES - 1, -1, -1):
            same = (number_at(counts, m) > 0) & (symbol_at(symbols, m) == came)
            place = np.uint64(m) if same else place
            again = number_at(counts, m) if same else again
        often = (counts & FROM_FOUR) + FROM_FOUR
        often = ((often | counts) & BYTE_TOPS) >> np.uint64(7)
        faded = counts - (((counts + SEVENS) >> np.uint64(3)) & FIFTHS & (often * BYTE))
        later, kept = np.uint64(16) * place, np.uint64(8) * place
        below = symbols & ((np.uint64(1) << later) - np.uint64(1))
        above = symbols >> later >> np.uint64(16) << later << np.uint64(16)
        state.voter_symbols[i] = came | below << np.uint64(16) | above
        below = faded & ((np.uint64(1) << kept) - np.uint64(1))
        above = faded >> kept >> np.uint64(8) << kept << np.uint64(8)
        count = min(again + np.uint64(1), np.uint64(OFTEN))
        check = (state.keys[i] ^ age) >> CHECK << CHECK | run << np.uint64(32)
        state.voter_counts[i] = check | count | (below << np.uint64(8) | above) & COUNTS
    for i in range(ALL_VOTERS):
        key = state.keys[i]
        if key != 0:
            slot = np.int64(key & np.uint64(VOTE_SLOTS - 1))
            state.vote_slots[slot, 0] = state.voter_symbols[i]
            state.vote_slots[slot, 1] = state.voter_counts[i]

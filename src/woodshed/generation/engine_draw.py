"""One symbol from its logits, compiled: whether to copy, temperature, top-k, top-p, min-p, and one uniform number.

A model that counts what came is soon so sure of a loop that the tail which top-p cuts is all that leads out of it: note
repeats note for bars, as loud as ever. So no filter bears on how loud and how early, where the unlikely does no harm;
of how long top-p cuts a third of what it may (`LESS`), enough for notes of eight bars; and of all fields it spares a
symbol that alone would hold most of what may be cut (`ALONE`). Many unlikely symbols that hold it together are cut:
tones of no key are such.
"""

from __future__ import annotations

import math

import numpy as np

from woodshed.codecs.past import LAGS, MATCHES
from woodshed.compiled import compiled
from woodshed.generation.engine_tables import PITCH, VELOCITY

ALONE = 2 / 3
"""A symbol with this share of what top-p may cut, or more, is not cut."""
LESS = 1 / 3
NO_FILTER = (0.0, 1.0, 0.0)


@compiled
def uniform(chance):  # type: ignore[no-untyped-def]
    """A number in [0, 1), by SplitMix64 (Steele, Lea & Flood 2014)."""
    chance[0] += np.uint64(0x9E3779B97F4A7C15)
    x = chance[0]
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return np.float64(x >> np.uint64(11)) / 9007199254740992.0


@compiled(allocates=True)
def draw(logits, mask, size, expected, field, sampling, temperatures, chance, nats):  # type: ignore[no-untyped-def]
    """One of the symbols below ``size`` that ``mask`` allows, as `filters.draw` but for what stands above; -1 if it
    allows none.

    ``sampling`` and ``temperatures``: see `filters.numbers_of`. ``nats[0]`` grows by what the symbol costs before any
    filter, among those that are allowed.
    """
    highest = -np.inf
    total = 0.0
    allowed = 0
    for i in range(size):
        highest = max(highest, logits[i]) if mask[i] else highest
    for i in range(size):
        if mask[i]:
            allowed += 1
            total += math.exp(logits[i] - highest)
    if allowed == 0:
        return np.int64(-1)
    symbols = np.empty(allowed, np.int64)
    scores = np.empty(allowed, np.float64)
    n = 0
    for i in range(size):
        if mask[i]:
            symbols[n] = i
            scores[n] = logits[i]
            n += 1
    temperature = temperatures[field]
    best = 0
    for i in range(allowed):
        if scores[i] > scores[best]:
            best = i
    chosen = best
    if field >= VELOCITY and sampling[5] > 0:
        below = 0.0
        for i in range(allowed):  # symbols ascend
            below += math.exp(scores[i] - highest)
            if below >= total / 2:
                chosen = i
                break
    elif temperature > 0 and allowed > 1:
        if field <= PITCH and sampling[3] != 1:
            scores, symbols = _copy_or_change(symbols, scores, expected, temperature, sampling[3], chance)
        highest_kept = scores[0]
        for i in range(len(scores)):
            highest_kept = max(highest_kept, scores[i])
        chosen = _pick(scores, highest_kept, temperature, _filters(field, sampling), chance)
    nats[0] += math.log(total) + highest - logits[symbols[chosen]]
    return symbols[chosen]


@compiled
def _filters(field, sampling):  # type: ignore[no-untyped-def]
    """Top-k, top-p and min-p of a field."""
    if field >= VELOCITY:
        return NO_FILTER
    tail = (1 - sampling[1]) * (LESS if field > PITCH else 1.0)
    return sampling[0], 1 - tail, sampling[2]


@compiled(allocates=True)
def _copy_or_change(symbols, scores, expected, temperature, repetition, chance):  # type: ignore[no-untyped-def]
    """Decide first whether the next symbol is one that the song's own past expects (lags and matches), with the
    probability that the model gives that: the scores and symbols of the chosen kind are left.

    Only away from repetition 1, where `engine_copying` alone sees to it. ``repetition`` multiplies the odds: by
    its cube root below 1, as three fields are decided so, and by exp(2 (repetition - 1)) above. Decided before the
    filters, as these would cut away what is rare at each note: change.
    """
    is_copy = np.zeros(len(symbols), np.bool_)
    highest = scores[0]
    for i in range(len(symbols)):
        highest = max(highest, scores[i])
        for k in range(LAGS + MATCHES):
            is_copy[i] = is_copy[i] or expected[k] == symbols[i]
    copies, total, copied = 0, 0.0, 0.0
    for i in range(len(symbols)):
        weight = math.exp((scores[i] - highest) / max(temperature, 1.0))
        total += weight
        if is_copy[i]:
            copies += 1
            copied += weight
    if copies == 0 or copies == len(symbols):
        return scores, symbols
    odds = min(repetition, 1.0) ** (1 / 3) * math.exp(2 * max(repetition - 1, 0.0))
    copied *= odds
    kept = uniform(chance) * (copied + total - copied / odds if odds > 0 else 1.0) < copied
    return scores[is_copy == kept], symbols[is_copy == kept]


@compiled(allocates=True)
def _pick(scores, highest, temperature, sampling, chance):  # type: ignore[no-untyped-def]
    """Index of one score, drawn after top-k, top-p and min-p."""
    count = len(scores)
    weights = np.empty(count, np.float64)
    total = 0.0
    for i in range(count):
        weights[i] = math.exp(max((scores[i] - highest) / temperature, -700.0))
        total += weights[i]
    if sampling[0] > 0 or sampling[1] < 1 or sampling[2] > 0:
        # Symbols so unlikely that all of them together lie in the tail that top-p cuts need not be sorted.
        least = (1 - sampling[1]) * total / count if sampling[0] <= 0 else -1.0
        likely = np.flatnonzero(weights > least)
        order = likely[np.argsort(-weights[likely], kind="mergesort")]
        kept = len(order)
        if 0 < sampling[0] < kept:
            last_weight = weights[order[int(sampling[0]) - 1]]
            kept = int(sampling[0])
            while kept < count and weights[order[kept]] == last_weight:
                kept += 1
        held = total
        if sampling[0] > 0:
            held = 0.0
            for i in range(kept):
                held += weights[order[i]]
        reached, last = 0.0, kept
        for i in range(kept):
            reached += weights[order[i]]
            if reached > sampling[1] * held:
                last = i + 1
                break
        while last < kept and weights[order[last]] >= ALONE * (1 - sampling[1]) * held:
            last += 1
        kept = last
        while kept > 1 and weights[order[kept - 1]] < sampling[2]:
            kept -= 1
        total = 0.0
        for i in range(kept):
            total += weights[order[i]]
        ticket = uniform(chance) * total
        for i in range(kept):
            ticket -= weights[order[i]]
            if ticket < 0:
                return order[i]
        return order[kept - 1]
    ticket = uniform(chance) * total
    for i in range(count):
        ticket -= weights[i]
        if ticket < 0:
            return i
    return count - 1

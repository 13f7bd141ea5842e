"""A `NoteModel` for one row, compiled: its body, and the head of one field at a time."""

from __future__ import annotations

import math

import numpy as np

from woodshed.codecs.note_step import SIZES
from woodshed.codecs.past import ANCHORS, POINTERS, RECORDS, TALLIES
from woodshed.codecs.past_state import VOTERS, VOTERS_OF, VOTES
from woodshed.codecs.past_votes import NO_SYMBOL, number_at, symbol_at
from woodshed.compiled import compiled, from_half
from woodshed.generation.engine_tables import PART, PITCH

BEATS, BAR_NUMBERS, POSITIONS, LEVELS = 12, 16, 192, 13
INTERVALS = 24
EPSILON = 1e-5


@compiled(fastmath=True)
def _add_rows(rows, first, count, which, how_many, x, out):  # type: ignore[no-untyped-def]
    """Add to ``out`` (count,) those rows of a matrix whose numbers stand in ``which``, each times its number in ``x``.

    The rows (of ``count`` halves) lie one behind the other in ``rows``, from place ``first`` on. They are taken four at
    a time, so that sums stay in registers; places are unsigned, as what may count from the end is not taken in vectors.
    """
    size, at = np.uint64(count), np.uint64(first)
    done = how_many // 4 * 4
    for k in range(0, done, 4):
        i0, i1, i2, i3 = which[k], which[k + 1], which[k + 2], which[k + 3]
        x0, x1, x2, x3 = x[i0], x[i1], x[i2], x[i3]
        at0, at1 = at + np.uint64(i0) * size, at + np.uint64(i1) * size
        at2, at3 = at + np.uint64(i2) * size, at + np.uint64(i3) * size
        for i in range(size):
            one = x0 * from_half(rows[at0 + i]) + x1 * from_half(rows[at1 + i])
            two = x2 * from_half(rows[at2 + i]) + x3 * from_half(rows[at3 + i])
            out[i] += one + two
    for k in range(done, how_many):
        x0, at0 = x[which[k]], at + np.uint64(which[k]) * size
        for i in range(size):
            out[i] += x0 * from_half(rows[at0 + i])


@compiled(fastmath=True)
def _times(matrix, layer, x, bias, which, out):  # type: ignore[no-untyped-def]
    """out = matrix[layer] @ x + bias; each matrix lies there turned, see `Weights`. ``which`` is 0, 1, 2 ..."""
    count = len(bias)
    for i in range(count):
        out[i] = bias[i]
    _add_rows(matrix, layer * len(x) * count, count, which, len(x), x, out)


@compiled(fastmath=True)
def _scaled(x, weights, out):  # type: ignore[no-untyped-def]
    """RMSNorm"""
    s = np.float32(0)
    for j in range(x.shape[0]):
        s += x[j] * x[j]
    s = np.float32(1) / math.sqrt(s / np.float32(x.shape[0]) + np.float32(EPSILON))
    for j in range(x.shape[0]):
        out[j] = x[j] * s * weights[j]


@compiled
def _sigmoid(x):  # type: ignore[no-untyped-def]
    return np.float32(1) / (np.float32(1) + math.exp(-x))


@compiled(fastmath=True, allocates=True)
def hear(weights, scene, row, place, state, hidden):  # type: ignore[no-untyped-def]
    """Take in a row: the body's ``state`` moves on, and ``hidden`` (6 H) becomes what is known after it."""
    width = state.shape[1]
    drum = 128 if scene.drums[row[1]] else 0
    x, y = np.empty(width, np.float32), np.empty(width, np.float32)
    z, said = np.empty(4 * width, np.float32), np.empty(width, np.float32)
    which = np.arange(width)
    shift_in, pitch_in, duration_in, velocity_in, timing_in = weights.row_in
    position_in, beat_in, bar_in, size_in = weights.place_in
    position, size = min(place[0], POSITIONS - 1), min(place[2], POSITIONS - 1)
    beat, bar = place[0] % BEATS, (place[1] + scene.numbers[0]) % BAR_NUMBERS
    for j in range(width):
        x[j] = (
            shift_in[row[0], j]
            + pitch_in[row[2] + drum, j]
            + duration_in[row[3], j]
            + velocity_in[row[4], j]
            + timing_in[row[5], j]
            + scene.part_in[row[1], j]
            + position_in[position, j]
            + beat_in[beat, j]
            + bar_in[bar, j]
            + size_in[size, j]
        )
    nothing = np.zeros(width, np.float32)
    for layer in range(state.shape[0]):
        _scaled(x, weights.norms[layer], y)
        _times(weights.gates, layer, y, weights.gate_bias[layer], which, z)
        for j in range(width):
            keep = _sigmoid(z[j])
            value = (np.float32(1) - keep) * _sigmoid(z[2 * width + j]) * z[width + j]
            state[layer, j] = keep * state[layer, j] + value
            y[j] = state[layer, j] * z[3 * width + j] * _sigmoid(z[3 * width + j])
        _times(weights.output, layer, y, nothing, which, said)
        for j in range(width):
            x[j] += said[j]
    _scaled(x, weights.norms[state.shape[0]], y)
    _times(weights.head_in, 0, y, scene.hidden, which, hidden)


@compiled(fastmath=True)
def tell(weights, scene, field, row, place, hidden):  # type: ignore[no-untyped-def]
    """Add to the hidden layers of later fields what ``row`` has in this one."""
    size = weights.expected.shape[1]
    begin_at = (field + 1) * size
    count = (5 - field) * size
    shift_then, position_then, beat_then, bar_then, pitch_then, duration_then, velocity_then = weights.then
    if field == 0:
        position, beat = min(place[0], POSITIONS - 1), place[0] % BEATS
        bar = (place[1] + scene.numbers[0]) % BAR_NUMBERS
        for j in range(count):
            hidden[begin_at + j] += (
                shift_then[row[0], j] + position_then[position, j] + beat_then[beat, j] + bar_then[bar, j]
            )
    elif field == 1:
        for j in range(count):
            hidden[begin_at + j] += scene.part_then[row[1], j]
    elif field == 2:
        drum = 128 if scene.drums[row[1]] else 0
        for j in range(count):
            hidden[begin_at + j] += pitch_then[row[2] + drum, j]
    elif field == 3:
        for j in range(count):
            hidden[begin_at + j] += duration_then[row[3], j]
    elif field == 4:
        for j in range(count):
            hidden[begin_at + j] += velocity_then[row[4], j]


@compiled(fastmath=True)
def ask(weights, scene, bar, first, hidden):  # type: ignore[no-untyped-def]
    """Add what is asked of a bar: to the time shift's head (``first``) of this bar and the next, else to the others."""
    size = weights.expected.shape[1]
    bar = min(bar, len(scene.levels) - 2)
    for k in range(scene.levels.shape[1]):
        now = k * LEVELS + 1 + scene.levels[bar, k]
        if first:
            after = k * LEVELS + 1 + scene.levels[bar + 1, k]
            for j in range(size):
                hidden[j] += weights.level_then[now, j] + weights.next_level_then[after, j]
        else:
            for j in range(size, 6 * size):
                hidden[j] += weights.level_then[now, j]


@compiled(fastmath=True)
def logits_of(  # type: ignore[no-untyped-def]
    weights, scene, field, hidden, expected, records, votes, classes, share, anchors, tallies, z, which, said, out
):
    """Write the logits of one field into ``out``; of parts that do not exist they mean nothing. Votes have so large a
    ``share`` of their worth. ``z``, ``which`` and ``said`` are room to work in."""
    size = z.shape[0]
    ids = SIZES[field]
    table = weights.expected_at[field]
    for j in range(size):
        z[j] = hidden[field * size + j]
    for k in range(POINTERS):
        one = table + k * (ids + 1) + expected[k] + 1
        two = table + POINTERS * (ids + 1) + k * RECORDS + records[k]
        for j in range(size):
            z[j] += from_half(weights.expected[one, j]) + from_half(weights.expected[two, j])
    start, stop = weights.says_at[field], weights.says_at[field + 1]
    count = stop - start
    for i in range(count):
        said[i] = weights.says_bias[start + i]
    above = 0
    for j in range(size):
        if z[j] > 0:
            which[above] = j
            above += 1
    _add_rows(weights.says, start * size, count, which, above, z, said)
    if field == PART:
        for i in range(ids):
            s = np.float32(0)
            for j in range(size):
                s += max(z[j], np.float32(0)) * scene.part_key[i, j]
            out[i] = s
    else:
        for i in range(ids):
            out[i] = said[POINTERS + i]
    if field == PITCH:
        span = 2 * INTERVALS + 1
        at = POINTERS + ids
        for k in range(ANCHORS):
            if anchors[k] >= 0:
                for i in range(span):
                    pitch = anchors[k] + i - INTERVALS
                    if 0 <= pitch < ids:
                        out[pitch] += said[at + k * span + i]
        at += ANCHORS * span
        for i in range(ids):
            for k in range(TALLIES):
                out[i] += said[at + k] * tallies[k, i % 12]
    for k in range(POINTERS):
        if expected[k] >= 0:
            out[expected[k]] += said[k] + weights.record_trust[field, k, records[k]]
    trust = count - VOTERS
    for m in range(VOTES):
        for v in range(VOTERS):
            i = VOTERS_OF[field, v]
            symbol = symbol_at(votes[i], m)
            if symbol != NO_SYMBOL:
                worth = weights.vote_worth[field, v, number_at(classes[i], m)]
                out[symbol] += share * said[trust + v] * worth

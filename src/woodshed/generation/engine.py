"""The compiled player: pointers, body, heads, constraints and draw of a `NoteModel` in one loop. No torch.

`Weights` are those of the model laid out for one row: norms are folded into the matrices behind them, and all that a
head says of its field is one matrix, whose rows are left out where the hidden layer is 0. A `Scene` is a plan as the loop
reads it, `Stream` one song in the making. `play_rows` adds rows to a stream until something stops it; called again it
goes on. What it draws from is, to rounding, the distribution of the torch model after constraints and filters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import DRUM_PROGRAM, LONGEST_SHIFT, MAX_PARTS, SIZES, WAIT
from woodshed.codecs.past import (
    ANCHORS,
    GIVEN,
    LAGS,
    MATCHES,
    POINTERS,
    RECORDS,
    TALLIES,
    Past,
    add,
    begin,
    copy_past,
    expect,
    hints,
    look_ahead,
    new_past,
)
from woodshed.codecs.study import OPEN

Floats = NDArray[np.float32]
FIELDS = len(SIZES)
PART, PITCH = 1, 2
BEATS, BAR_NUMBERS, POSITIONS, OCCURRENCES, LEVELS = 12, 16, 192, 8, 13
INTERVALS = 24
EPSILON = 1e-5
PLAYING, FINISHED, AT_STOP, OUT_OF_ROOM = 0, 1, 2, 3
LAST_SYMBOL = max(SIZES)
NEVER = 1 << 60


class Weights(NamedTuple):
    """A `NoteModel` for one row. D width, H head width, L layers."""

    row_in: tuple[Floats, ...]
    """Tables (ids, D) of shift, pitch or drum, duration, velocity, microtiming."""
    place_in: tuple[Floats, ...]
    """Tables of position, position in the beat, bar number, bar length."""
    part_in: tuple[Floats, ...]
    """Tables of program, occurrence, openness."""
    gates: Floats
    """(L, 4 D, D)"""
    gate_bias: Floats
    output: Floats
    """(L, D, D)"""
    head_in: Floats
    """(6 H, D)"""
    head_bias: Floats
    then: tuple[Floats, ...]
    """Tables of shift, position, position in the beat, bar number (5 H), pitch (3 H), duration (2 H), velocity (H)."""
    part_then: tuple[Floats, ...]
    open_then: Floats
    level_then: Floats
    next_level_then: Floats
    part_key: tuple[Floats, ...]
    expected: Floats
    """(ids of all fields, H) what the pointers expect, and their records; ``expected_at`` says where a field begins."""
    expected_at: NDArray[np.int64]
    record_trust: Floats
    """(6, 15, 16)"""
    says: Floats
    """(H, columns of all fields): trust in the pointers, logits; of the pitch also intervals and tallies."""
    says_bias: Floats
    says_at: NDArray[np.int64]
    """(7,) where the columns of each field begin."""

    @property
    def hidden(self) -> int:
        """H"""
        return self.says.shape[0]


def weights_of(tensors: Mapping[str, NDArray[Any]]) -> Weights:
    """The weights in the tensors of a bundle, by the names that `NoteModel` gives them."""
    t = {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}
    layers = len({name.split(".")[1] for name in t if name.startswith("body.")})

    def tables(name: str, count: int) -> tuple[Floats, ...]:
        return tuple(t[f"{name}.{i}.weight"] for i in range(count))

    says, bias = [], []
    for field in range(FIELDS):
        parts = [f"trust.{field}"]
        if field != PART:
            parts.append(f"head_out.{field - (field > PART)}")
        if field == PITCH:
            parts += ["interval", "tally"]
        says.append(np.concatenate([t[f"{name}.weight"] for name in parts]))
        bias.append(np.concatenate([t[f"{name}.bias"] for name in parts]))
    expected = tables("expected_then", FIELDS)
    return Weights(
        row_in=tables("row_in", 5),
        place_in=tables("place_in", 4),
        part_in=tables("part_in", 3),
        gates=np.stack([t[f"body.{i}.gates.weight"] * t[f"body.{i}.norm.weight"] for i in range(layers)]),
        gate_bias=np.stack([t[f"body.{i}.gates.bias"] for i in range(layers)]),
        output=np.stack([t[f"body.{i}.output.weight"] for i in range(layers)]),
        head_in=t["head_in.weight"] * t["norm.weight"],
        head_bias=t["head_in.bias"],
        then=(
            t["shift_then.weight"],
            *tables("place_then", 3),
            *(t[f"{name}_then.weight"] for name in ("pitch", "duration", "velocity")),
        ),
        part_then=tables("part_then", 3),
        open_then=t["open_then.weight"],
        level_then=t["level_then.weight"],
        next_level_then=t["next_level_then.weight"],
        part_key=tables("part_key", 3),
        expected=np.concatenate(expected),
        expected_at=np.cumsum([0, *(len(table) for table in expected)]),
        record_trust=t["record_trust"],
        says=np.ascontiguousarray(np.concatenate(says).T),
        says_bias=np.concatenate(bias),
        says_at=np.cumsum([0, *(len(part) for part in says)]),
    )


class Scene(NamedTuple):
    """A plan as the loop reads it. Steps count from ``first_step``; the arrays by step end where the plan does."""

    drums: NDArray[np.bool_]
    """(16,)"""
    part_in: Floats
    """(16, D)"""
    part_then: Floats
    """(16, 4 H)"""
    part_key: Floats
    """(16, H)"""
    hidden: Floats
    """(6 H,) bias of the heads in this canvas."""
    lines: NDArray[np.int64]
    """(bars + 1,) bar lines, absolute steps"""
    levels: NDArray[np.int64]
    """(bars + 2, 4)"""
    given: NDArray[np.int64]
    """(G, 7) step, part, pitch, duration, velocity, microtiming, is drum; -1 open"""
    open_parts: NDArray[np.uint16]
    next_open: NDArray[np.int64]
    """(steps + 1,) the next step at which a part is open, itself included; the end where there is none."""
    harmony: NDArray[np.int16]
    playable: NDArray[np.bool_]
    favoured: Floats
    polyphony: NDArray[np.int64]
    numbers: NDArray[np.int64]
    """(4,) number of the first bar as a model counts; parts; first step of the arrays by step; end."""


class Stream(NamedTuple):
    """One song in the making."""

    past: Past
    state: Floats
    """(L, D)"""
    hidden: Floats
    """(6 H,) what is known after the last row."""
    row: NDArray[np.int64]
    """(6,) the last row, START at first."""
    at: NDArray[np.int64]
    """(6,): step of the last row; whether ``hidden`` is that of the last row; rows so far; rows kept; bar index; nothing."""
    started: NDArray[np.int64]
    """(16,) notes of each part that start on the last row's step."""
    kept: NDArray[np.int64]
    """(room, 7) new rows: step, part, pitch, duration, velocity, microtiming, 0; and filled given ones: ..., 1 + which."""
    chance: NDArray[np.uint64]
    """(1,) state of the generator."""
    nats: NDArray[np.float64]
    """(2,) nats of what was drawn, before the filters; how many rows were drawn."""


def new_stream(weights: Weights, room: int, capacity: int, seed: int) -> Stream:
    """An empty song with room for so many new rows, and for so many rows in its memory."""
    layers, width = weights.gate_bias.shape[0], weights.output.shape[1]
    row = np.zeros(FIELDS, np.int64)
    row[0] = 194
    return Stream(
        past=new_past(capacity),
        state=np.zeros((layers, width), np.float32),
        hidden=np.zeros(len(weights.head_bias), np.float32),
        row=row,
        at=np.zeros(6, np.int64),
        started=np.zeros(MAX_PARTS, np.int64),
        kept=np.zeros((room, 7), np.int64),
        chance=np.array([seed * 2 + 1], np.uint64),
        nats=np.zeros(2),
    )


def copy_stream(stream: Stream, seed: int) -> Stream:
    """Another with the same past and other chance."""
    arrays = [array.copy() for array in stream[1:]]
    other = Stream(copy_past(stream.past), *arrays)
    other.chance[0] = np.uint64(seed * 2 + 1)
    return other


def scene_of(
    weights: Weights,
    programs: NDArray[np.int64],
    openness: NDArray[np.int64],
    lines: NDArray[np.int64],
    levels: NDArray[np.int8],
    first_bar: int,
    parts: int,
    given: NDArray[np.int64],
    open_parts: NDArray[np.uint16],
    harmony: NDArray[np.int16],
    playable: NDArray[np.bool_],
    favoured: Floats,
    polyphony: NDArray[np.int64],
    end: int,
    first_step: int = 0,
) -> Scene:
    """Lay a plan out for the loop."""
    columns = programs[:, 0], np.minimum(programs[:, 1], OCCURRENCES - 1), openness

    def whole(tables: tuple[Floats, ...]) -> Floats:
        return sum(table[ids] for table, ids in zip(tables, columns, strict=True))  # type: ignore[return-value]

    is_open = openness == OPEN
    hidden = weights.head_bias.copy()
    if is_open.any():
        hidden = hidden + weights.open_then[programs[is_open, 0]].mean(0)
    drums = programs[:, 0] == DRUM_PROGRAM
    known = np.concatenate((given, drums[given[:, 1]][:, None]), axis=1) if len(given) else np.zeros((0, 7), np.int64)
    steps = np.arange(len(open_parts) + 1)
    steps[:-1][open_parts == 0] = len(open_parts)
    next_open = np.minimum.accumulate(steps[::-1])[::-1] + first_step
    padded = np.concatenate((levels.astype(np.int64), np.full((2, levels.shape[1]), -1, np.int64)))
    return Scene(
        drums,
        whole(weights.part_in),
        whole(weights.part_then),
        whole(weights.part_key),
        hidden,
        lines.astype(np.int64),
        padded,
        np.ascontiguousarray(known, np.int64),
        open_parts,
        next_open,
        harmony,
        playable,
        favoured.astype(np.float32),
        polyphony.astype(np.int64),
        np.array([first_bar, parts, first_step, end]),
    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def _times(matrix, x, bias, out):  # type: ignore[no-untyped-def]
    """out = matrix @ x + bias"""
    for i in range(matrix.shape[0]):
        s = bias[i]
        for j in range(matrix.shape[1]):
            s += matrix[i, j] * x[j]
        out[i] = s


@numba.njit(cache=True, nogil=True, fastmath=True)
def _scaled(x, out):  # type: ignore[no-untyped-def]
    """RMSNorm without its weights, which lie in the matrix behind."""
    s = np.float32(0)
    for j in range(x.shape[0]):
        s += x[j] * x[j]
    s = np.float32(1) / math.sqrt(s / np.float32(x.shape[0]) + np.float32(EPSILON))
    for j in range(x.shape[0]):
        out[j] = x[j] * s


@numba.njit(cache=True, nogil=True)
def _sigmoid(x):  # type: ignore[no-untyped-def]
    return np.float32(1) / (np.float32(1) + math.exp(-x))


@numba.njit(cache=True, nogil=True)
def _place(lines, step, place):  # type: ignore[no-untyped-def]
    """Position in the bar, number of the bar in the scene, length of it; past the last line bars go on as the last."""
    last = len(lines) - 2
    if step >= lines[last + 1]:
        size = lines[last + 1] - lines[last]
        more = (step - lines[last + 1]) // size + 1
        place[0] = step - more * size - lines[last]
        place[1] = last + more
        place[2] = size
        return
    low, high = 0, last
    while low < high:
        middle = (low + high + 1) // 2
        if lines[middle] <= step:
            low = middle
        else:
            high = middle - 1
    place[0], place[1], place[2] = step - lines[low], low, lines[low + 1] - lines[low]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _hear(weights, scene, row, place, state, hidden):  # type: ignore[no-untyped-def]
    """Take in a row: the body's ``state`` moves on, and ``hidden`` (6 H) becomes what is known after it."""
    width = state.shape[1]
    drum = 128 if scene.drums[row[1]] else 0
    x, y = np.empty(width, np.float32), np.empty(width, np.float32)
    z = np.empty(4 * width, np.float32)
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
        _scaled(x, y)
        _times(weights.gates[layer], y, weights.gate_bias[layer], z)
        for j in range(width):
            keep = _sigmoid(z[j])
            value = (np.float32(1) - keep) * _sigmoid(z[2 * width + j]) * z[width + j]
            state[layer, j] = keep * state[layer, j] + value
            y[j] = state[layer, j] * z[3 * width + j] * _sigmoid(z[3 * width + j])
        _times(weights.output[layer], y, nothing, z[:width])
        for j in range(width):
            x[j] += z[j]
    _scaled(x, y)
    _times(weights.head_in, y, scene.hidden, hidden)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _tell(weights, scene, field, row, place, hidden):  # type: ignore[no-untyped-def]
    """Add to the hidden layers of later fields what ``row`` has in this one."""
    size = weights.says.shape[0]
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


@numba.njit(cache=True, nogil=True, fastmath=True)
def _ask(weights, scene, bar, first, hidden):  # type: ignore[no-untyped-def]
    """Add what is asked of a bar: to the time shift's head (``first``) of this bar and the next, else to the others."""
    size = weights.says.shape[0]
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


@numba.njit(cache=True, nogil=True, fastmath=True)
def _logits(weights, scene, field, hidden, expected, records, anchors, tallies, z, said, out):  # type: ignore[no-untyped-def]
    """Write the logits of one field into ``out``; of parts that do not exist they mean nothing."""
    size = z.shape[0]
    ids = SIZES[field]
    table = weights.expected_at[field]
    for j in range(size):
        z[j] = hidden[field * size + j]
    for k in range(POINTERS):
        one = table + k * (ids + 1) + expected[k] + 1
        two = table + POINTERS * (ids + 1) + k * RECORDS + records[k]
        for j in range(size):
            z[j] += weights.expected[one, j] + weights.expected[two, j]
    start, stop = weights.says_at[field], weights.says_at[field + 1]
    count = stop - start
    for i in range(count):
        said[i] = weights.says_bias[start + i]
    for j in range(size):
        if z[j] > 0:
            v = z[j]
            for i in range(count):
                said[i] += v * weights.says[j, start + i]
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


@numba.njit(cache=True, nogil=True)
def _uniform(chance):  # type: ignore[no-untyped-def]
    """A number in [0, 1), by SplitMix64 (Steele, Lea & Flood 2014)."""
    chance[0] += np.uint64(0x9E3779B97F4A7C15)
    x = chance[0]
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return np.float64(x >> np.uint64(11)) / 9007199254740992.0


@numba.njit(cache=True, nogil=True)
def draw(logits, mask, size, expected, field, sampling, temperatures, chance, nats):  # type: ignore[no-untyped-def]
    """One of the symbols below ``size`` that ``mask`` allows, as `filters.draw_one`; -1 if it allows none.

    ``sampling``: top-k, top-p, min-p, repetition.
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
    if sampling[3] != 1.0:
        _weigh(symbols, scores, expected, field, sampling[3])
    temperature = temperatures[field]
    best = 0
    for i in range(allowed):
        if scores[i] > scores[best]:
            best = i
    chosen = best
    if temperature > 0 and allowed > 1:
        chosen = _pick(scores, scores[best], temperature, sampling, chance)
    nats[0] += math.log(total) + highest - logits[symbols[chosen]]
    return symbols[chosen]


@numba.njit(cache=True, nogil=True)
def _pick(scores, highest, temperature, sampling, chance):  # type: ignore[no-untyped-def]
    """Index of one score, drawn after top-k, top-p and min-p."""
    count = len(scores)
    weights = np.empty(count, np.float64)
    total = 0.0
    for i in range(count):
        weights[i] = math.exp(max((scores[i] - highest) / temperature, -700.0))
        total += weights[i]
    if sampling[0] > 0 or sampling[1] < 1 or sampling[2] > 0:
        order = np.argsort(-weights, kind="mergesort")
        kept = count
        if 0 < sampling[0] < kept:
            least = weights[order[int(sampling[0]) - 1]]
            kept = int(sampling[0])
            while kept < count and weights[order[kept]] == least:
                kept += 1
        held = 0.0
        for i in range(kept):
            held += weights[order[i]]
        reached, last = 0.0, kept
        for i in range(kept):
            reached += weights[order[i]]
            if reached > sampling[1] * held:
                last = i + 1
                break
        kept = last
        while kept > 1 and weights[order[kept - 1]] < sampling[2]:
            kept -= 1
        total = 0.0
        for i in range(kept):
            total += weights[order[i]]
        ticket = _uniform(chance) * total
        for i in range(kept):
            ticket -= weights[order[i]]
            if ticket < 0:
                return order[i]
        return order[kept - 1]
    ticket = _uniform(chance) * total
    for i in range(count):
        ticket -= weights[i]
        if ticket < 0:
            return i
    return count - 1


@numba.njit(cache=True, nogil=True)
def _weigh(symbols, scores, expected, field, repetition):  # type: ignore[no-untyped-def]
    """Make what lags and matches expect less likely (below 1; at 0 impossible, where there is a choice) or more."""
    named = 0
    for i in range(len(symbols)):
        for k in range(LAGS + MATCHES):
            if expected[k] == symbols[i]:
                named += 1
                break
    if named == 0 or (repetition <= 0 and named == len(symbols)):
        return
    bias = math.log(repetition) if 0 < repetition < 1 else -1e30 if repetition <= 0 else 4.0 * (repetition - 1.0)
    for i in range(len(symbols)):
        for k in range(LAGS + MATCHES):
            if expected[k] == symbols[i]:
                scores[i] += bias
                break


@numba.njit(cache=True, nogil=True)
def _room(scene, state_of, part, lowest, started):  # type: ignore[no-untyped-def]
    """Whether a part may take a pitch of at least ``lowest``, when so many of its notes start on this step."""
    if started >= scene.polyphony[part]:
        return False
    for pitch in range(lowest, 128):
        if scene.playable[state_of, part, pitch]:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _may_start(scene, step, row, now, started, given_at, part):  # type: ignore[no-untyped-def]
    """Whether a new note of ``part`` may start at ``step``, after the last row and before the next given one."""
    index = step - scene.numbers[2]
    if index < 0 or index >= len(scene.open_parts) or not scene.open_parts[index] >> np.uint16(part) & np.uint16(1):
        return False
    together = step == now and row[0] <= LONGEST_SHIFT
    lowest = np.int64(0)
    if together:
        if part < row[1]:
            return False
        if part == row[1]:
            lowest = row[2] + 1
    if given_at < len(scene.given) and scene.given[given_at, 0] == step:
        if part > scene.given[given_at, 1]:
            return False
        if part == scene.given[given_at, 1]:
            if scene.given[given_at, 2] < 0:
                return False
            for pitch in range(lowest, scene.given[given_at, 2]):
                if scene.playable[scene.harmony[index], part, pitch]:
                    return (started[part] if together else 0) < scene.polyphony[part]
            return False
    return _room(scene, scene.harmony[index], part, lowest, started[part] if together else 0)


@numba.njit(cache=True, nogil=True)
def play_rows(weights, scene, stream, sampling, temperatures, most, stop_at):  # type: ignore[no-untyped-def]
    """Add at most ``most`` rows. Returns why it ended: `PLAYING` (``most`` rows were added), `FINISHED`, `AT_STOP` (the
    next row would start at step ``stop_at`` or later, and is not added), `OUT_OF_ROOM`.
    """
    past, row, at, started, given = stream.past, stream.row, stream.at, stream.started, scene.given
    memory = past.state[0]
    size = weights.says.shape[0]
    expected, records = np.empty((6, POINTERS), np.int64), np.empty((6, POINTERS), np.int64)
    anchors, counts = np.empty(ANCHORS, np.int64), np.empty((TALLIES, 12), np.int64)
    tallies = np.zeros((TALLIES, 12), np.float32)
    z, said, logits = (
        np.empty(size, np.float32),
        np.empty(2 * LAST_SYMBOL, np.float32),
        np.empty(LAST_SYMBOL, np.float32),
    )
    mask, hidden = np.empty(LAST_SYMBOL, np.bool_), np.empty_like(stream.hidden)
    last_place, place, new = np.empty(3, np.int64), np.empty(3, np.int64), np.zeros(6, np.int64)
    numbered = np.empty(3, np.int64)
    parts, first_step, end = scene.numbers[1], scene.numbers[2], scene.numbers[3]
    for _ in range(most):
        now = at[0]
        g = memory.ahead_at[0]
        next_given = given[g, 0] if g < len(given) else np.int64(NEVER)
        index = max(now - first_step, 0)
        next_open = scene.next_open[index] if index < len(scene.next_open) else end
        if next_open >= end and g >= len(given):
            return FINISHED
        if at[3] >= len(stream.kept) or memory.count + 1 >= len(past.rows):
            return OUT_OF_ROOM
        _place(scene.lines, now, last_place)
        if at[1] == 0:
            _hear(weights, scene, row, last_place, stream.state, stream.hidden)
            at[1] = 1
            begin(past, last_place[2])
        hidden[:] = stream.hidden
        _ask(weights, scene, last_place[1], True, hidden)
        new[:] = 0
        # The time shift.
        expect(past, 0, new, last_place[0], last_place[2], given, expected[0], records[0])
        free = next_open <= next_given and next_open < end
        if free and next_open == now:  # is there really room on this very step?
            free = False
            for part in range(parts):
                if _may_start(scene, now, row, now, started, g, part):
                    free = True
            if not free and now + 1 - first_step < len(scene.next_open):
                later = scene.next_open[now + 1 - first_step]
                free = later < next_given or (later == next_given and later < end)
        if free:
            for s in range(SIZES[0]):
                mask[s] = False
            some = False
            for s in range(LONGEST_SHIFT + 1):
                step = now + s
                if step > next_given:
                    break
                if step >= end:
                    mask[s] = g >= len(given)
                elif step == next_given and g < len(given):
                    mask[s] = True
                elif (
                    step - first_step < len(scene.open_parts)
                    and scene.open_parts[max(step - first_step, 0)] != 0
                    and step >= first_step
                ):
                    if s > 0:
                        mask[s] = True
                    else:
                        for part in range(parts):
                            mask[s] = mask[s] or _may_start(scene, step, row, now, started, g, part)
                some = some or mask[s]
            far = now + WAIT
            mask[WAIT] = far <= next_given and (far >= end or far < len(scene.next_open) + first_step)
            if mask[WAIT] and far < end and g >= len(given):
                mask[WAIT] = True
            _logits(weights, scene, 0, hidden, expected[0], records[0], anchors, tallies, z, said, logits)
            new[0] = draw(logits, mask, SIZES[0], expected[0], 0, sampling, temperatures, stream.chance, stream.nats)
            if new[0] < 0:
                return FINISHED
        else:
            if g >= len(given):
                return FINISHED
            new[0] = min(next_given - now, WAIT)
        step = now + new[0]
        if step >= stop_at:
            return AT_STOP
        if step >= end and g >= len(given):
            return FINISHED
        _place(scene.lines, step, place)
        numbered[0], numbered[1], numbered[2] = place[0], place[1] + scene.numbers[0], place[2]
        is_note = new[0] <= LONGEST_SHIFT
        is_given = False
        if is_note:
            _tell(weights, scene, 0, new, place, hidden)
            _ask(weights, scene, place[1], False, hidden)
            look_ahead(past, step, given)
            at_given = g < len(given) and step == next_given
            # The part.
            expect(past, 1, new, place[0], last_place[2], given, expected[1], records[1])
            choices = 0
            for part in range(MAX_PARTS):
                mask[part] = part < parts and free and _may_start(scene, step, row, now, started, g, part)
                if at_given and part == given[g, 1]:
                    mask[part] = True
                if mask[part]:
                    choices += 1
                    new[1] = part
            if choices > 1:
                _logits(weights, scene, 1, hidden, expected[1], records[1], anchors, tallies, z, said, logits)
                new[1] = draw(logits, mask, parts, expected[1], 1, sampling, temperatures, stream.chance, stream.nats)
            _tell(weights, scene, 1, new, place, hidden)
            # The pitch.
            part = new[1]
            expect(past, 2, new, place[0], last_place[2], given, expected[2], records[2])
            hints(past, part, scene.drums[part], step, given, anchors, counts)
            to_given = at_given and part == given[g, 1]
            joined = free and _may_start(scene, step, row, now, started, g, part)
            known = given[g, 2] if to_given else np.int64(-1)
            if to_given and not joined and known >= 0:
                new[2] = known
            else:
                state_of = scene.harmony[min(max(step - first_step, 0), len(scene.harmony) - 1)]
                lowest = row[2] + 1 if new[0] == 0 and row[0] <= LONGEST_SHIFT and part == row[1] else np.int64(0)
                some = False
                for pitch in range(128):
                    mask[pitch] = scene.playable[state_of, part, pitch] and pitch >= lowest
                    if to_given and known >= 0 and pitch >= known:
                        mask[pitch] = pitch == known
                    some = some or mask[pitch]
                if not some:  # a chord that is given without pitches has outgrown its range: what is next above
                    for pitch in range(128):
                        mask[pitch] = pitch >= min(lowest, 127)
                for k in range(TALLIES):
                    sum_of = np.float32(6)
                    for c in range(12):
                        sum_of += counts[k, c]
                    for c in range(12):
                        tallies[k, c] = (
                            math.log((counts[k, c] + np.float32(0.5)) / sum_of) if not scene.drums[part] else 0
                        )
                _logits(weights, scene, 2, hidden, expected[2], records[2], anchors, tallies, z, said, logits)
                if not scene.drums[part]:
                    for pitch in range(128):
                        logits[pitch] += scene.favoured[state_of, pitch % 12]
                new[2] = draw(logits, mask, 128, expected[2], 2, sampling, temperatures, stream.chance, stream.nats)
            is_given = to_given and (known < 0 or new[2] == known)
            _tell(weights, scene, 2, new, place, hidden)
            for field in range(3, 6):
                expect(past, field, new, place[0], last_place[2], given, expected[field], records[field])
                if is_given and given[g, field] >= 0:
                    new[field] = given[g, field]
                else:
                    for i in range(SIZES[field]):
                        mask[i] = True
                    _logits(
                        weights,
                        scene,
                        field,
                        hidden,
                        expected[field],
                        records[field],
                        anchors,
                        tallies,
                        z,
                        said,
                        logits,
                    )
                    new[field] = draw(
                        logits,
                        mask,
                        SIZES[field],
                        expected[field],
                        field,
                        sampling,
                        temperatures,
                        stream.chance,
                        stream.nats,
                    )
                _tell(weights, scene, field, new, place, hidden)
        add(past, new, step, numbered, scene.drums[new[1]], expected)
        if step > now:
            started[:] = 0
        if is_note:
            started[new[1]] += 1
            whole = True
            for field in range(2, 6):
                whole = whole and is_given and given[g, field] >= 0
            if not whole:
                out = stream.kept[at[3]]
                out[0] = step
                for field in range(1, 6):
                    out[field] = new[field]
                out[6] = 1 + g if is_given else 0
                at[3] += 1
                stream.nats[1] += 1
            if is_given:
                memory.ahead_at[0] = g + 1
        row[:] = new
        at[0], at[1] = step, 0
        at[2] += 1
    return PLAYING

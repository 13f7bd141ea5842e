"""`NoteTransformer` for one song that is played note by note, in numpy.

A row of one song is so little arithmetic that torch spends nearly all of its time on the way in and out of its calls.
Here the same weights are laid out for one row: norms are folded into the matrices behind them, what a decided field
tells the later heads is one slice, and all that a head says of its field is one product. The numbers are those of the
model to rounding, which the tests check.

Shape letters as in `woodshed.models.note_transformer`, with B = T = 1 left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from woodshed.models.note_transformer import (
    ANCHORS,
    BAR_NUMBERS,
    BEATS,
    DRUM_PROGRAM,
    FIELD_SIZES,
    INTERVALS,
    NO_PROGRAM,
    OCCURRENCES,
    POINTERS,
    POSITIONS,
    RECORDS,
    NoteTransformer,
)

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
FIELDS = 6
PART, PITCH = 1, 2
EPSILON = 1e-5
PITCH_CLASS = np.arange(FIELD_SIZES[PITCH]) % 12


@dataclass
class PlayedCache:
    """The keys and values of the latest rows."""

    table: Floats
    """(layers, 2, heads, 2 W, D / heads): keys and values; those from ``first`` to ``last`` are remembered."""
    last: int = 0
    seen: int = 0
    """Rows that went through so far: the next row's rotary position."""

    def copy(self) -> PlayedCache:
        """Another with the same past."""
        return PlayedCache(self.table.copy(), self.last, self.seen)


class NotePlayer:
    """Says what a `NoteTransformer` says, one row of one song at a time. The weights are copies."""

    def __init__(self, model: NoteTransformer) -> None:
        config = model.config
        self.heads, self.size, self.window = config.heads, config.width // config.heads, config.window
        self.frequency = 10000.0 ** (-np.arange(0, self.size, 2) / self.size)
        self.row_in = [_table(table) for table in model.row_in]
        self.part_in = [_table(table) for table in model.part_in]
        self.place_in = [_table(table) for table in model.place_in]
        self.blocks = [_Block(block, self.size) for block in model.blocks]
        self.head_in = _matrix(model.head_in) * _array(model.norm.weight)
        self.head_bias = _array(model.head_in.bias)
        self.shift_then = _table(model.shift_then)
        self.place_then = [_table(table) for table in model.place_then]
        self.part_then = [_table(table) for table in model.part_then]
        self.later_then = [_table(table) for table in (model.pitch_then, model.duration_then, model.velocity_then)]
        self.part_key = [_table(table) for table in model.part_key]
        self.expected_then = [_table(table) for table in model.expected_then]
        self.pointer = np.arange(POINTERS)
        self.says = [self._says(model, field) for field in range(FIELDS)]

    @staticmethod
    def _says(model: NoteTransformer, field: int) -> tuple[Floats, Floats]:
        """All that reads a head's hidden layer, in one matrix: trust in pointers, logits, intervals, tallies."""
        layers: list[Any] = [model.trust[field]]
        if field != PART:
            layers.append(model.head_out[field - (field > PART)])
        if field == PITCH:
            layers += [model.interval, model.tally]
        return np.concatenate([_matrix(x) for x in layers]), np.concatenate([_array(x.bias) for x in layers])

    def start(self) -> PlayedCache:
        """An empty memory."""
        shape = len(self.blocks), 2, self.heads, 2 * self.window, self.size
        return PlayedCache(np.zeros(shape, np.float32))

    def hear(self, cache: PlayedCache, row: Ints, place: Ints, programs: Ints) -> Floats:
        """Take in a row (6,) at a place (3,); gives the hidden layers (6, H) from which the next is found."""
        if cache.last == 2 * self.window:
            kept = cache.table[:, :, :, -self.window + 1 :].copy()
            cache.table[:, :, :, : self.window - 1] = kept
            cache.last = self.window - 1
        program, occurrence = self._part(programs, row[PART])
        x = self.row_in[0][row[0]] + self.part_in[0][program] + self.part_in[1][occurrence]
        x = x + self.row_in[1][row[PITCH] + 128 * (program == DRUM_PROGRAM)]
        for table, symbol in zip(self.row_in[2:], row[3:], strict=True):
            x += table[symbol]
        for table, number in zip(self.place_in, self._place(place), strict=True):
            x += table[number]
        angle = cache.seen * self.frequency
        turn = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        at, first = cache.last, max(cache.last + 1 - self.window, 0)
        for block, (keys, values) in zip(self.blocks, cache.table, strict=True):
            x = block.run(x, turn, keys, values, first, at)
        cache.last += 1
        cache.seen += 1
        hidden: Floats = ((self.head_in @ x) * _scale(x) + self.head_bias).reshape(FIELDS, -1)
        return hidden

    def wind_back(self, cache: PlayedCache) -> None:
        """Number the remembered rows from 0 again: attention only sees how far rows lie apart."""
        angle = (min(cache.last, self.window) - cache.seen) * self.frequency
        cache.table[:, 0] = _rotate(cache.table[:, 0], (np.cos(angle), np.sin(angle)))
        cache.seen = min(cache.last, self.window)

    def tell(self, hidden: Floats, field: int, row: Ints, place: Ints, programs: Ints) -> None:
        """Add to the hidden layers (6, H) of later fields what ``row`` has in this one; ``place`` is the row's own."""
        later = hidden[field + 1 :].reshape(-1)
        if field == 0:
            later += self.shift_then[row[0]]
            for table, number in zip(self.place_then, self._place(place), strict=False):
                later += table[number]
        elif field == PART:
            for table, number in zip(self.part_then, self._part(programs, row[PART]), strict=True):
                later += table[number]
        elif field == PITCH:
            later += self.later_then[0][row[PITCH] + 128 * (programs[row[PART], 0] == DRUM_PROGRAM)]
        elif field < FIELDS - 1:
            later += self.later_then[field - PITCH][row[field]]

    def logits(
        self,
        field: int,
        hidden: Floats,
        programs: Ints,
        expected: Ints,
        records: Ints,
        anchors: Ints,
        tallies: Floats,
    ) -> Floats:
        """(V,) of one field, once all before it were told. Hints as in `Hints`; the last two are the pitch's."""
        size = FIELD_SIZES[field] + 1
        table = self.expected_then[field]
        z = hidden[field] + table[self.pointer * size + expected + 1].sum(0)
        z = np.maximum(z + table[POINTERS * size + self.pointer * RECORDS + records].sum(0), 0.0)
        matrix, bias = self.says[field]
        said = matrix @ z + bias
        trust = said[:POINTERS]
        logits: Floats = said[POINTERS : POINTERS + FIELD_SIZES[field]]
        if field == PART:
            keys = self.part_key[0][programs[:, 0]] + self.part_key[1][np.minimum(programs[:, 1], OCCURRENCES - 1)]
            logits = keys @ z
        elif field == PITCH:
            self._add_intervals(logits, said[POINTERS + len(logits) :], anchors, tallies)
        for pointer, symbol in enumerate(expected.tolist()):
            if symbol >= 0:
                logits[symbol] += trust[pointer]
        if field == PART:
            logits = np.where(programs[:, 0] == NO_PROGRAM, -np.inf, logits)
        return logits

    @staticmethod
    def _add_intervals(logits: Floats, said: Floats, anchors: Ints, tallies: Floats) -> None:
        favours = said[: ANCHORS * (2 * INTERVALS + 1)].reshape(ANCHORS, -1)
        for favour, anchor in zip(favours, anchors.tolist(), strict=True):
            if anchor >= 0:
                low, high = max(anchor - INTERVALS, 0), min(anchor + INTERVALS + 1, len(logits))
                shift = INTERVALS - anchor
                logits[low:high] += favour[low + shift : high + shift]
        logits += (said[favours.size :] @ tallies)[PITCH_CLASS]

    @staticmethod
    def _part(programs: Ints, part: int) -> tuple[int, int]:
        program, occurrence = programs[part]
        return program, min(occurrence, OCCURRENCES - 1)

    @staticmethod
    def _place(place: Ints) -> tuple[int, int, int, int]:
        position, bar, size = place.tolist()
        top = POSITIONS - 1
        return min(max(position, 0), top), position % BEATS, bar % BAR_NUMBERS, min(max(size, 0), top)


class _Block:
    """One block's weights, its norms folded in."""

    def __init__(self, block: Any, size: int) -> None:
        self.size, self.heads = size, block.heads
        self.query_key_value = _matrix(block.query_key_value) * _array(block.attention_norm.weight)
        self.query_key_value[: size * block.heads] *= np.float32(size**-0.5)
        self.output = _matrix(block.output)
        self.gate_up = _matrix(block.gate_up) * _array(block.feed_norm.weight)
        self.down = _matrix(block.down)

    def run(self, x: Floats, turn: tuple[Floats, Floats], keys: Floats, values: Floats, first: int, at: int) -> Floats:
        """x (D,) -> x; its key and value are put at ``at``, and it attends to those from ``first`` on."""
        parts: npt.NDArray[Any] = ((self.query_key_value @ x) * _scale(x)).reshape(3, self.heads, self.size)
        turned = _rotate(parts[:2], turn)
        keys[:, at], values[:, at] = turned[1], parts[2]
        scores = np.matmul(keys[:, first : at + 1], turned[0][:, :, None])[:, :, 0]  # (heads, rows)
        weights = np.exp(scores - scores.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        attended = np.matmul(weights[:, None], values[:, first : at + 1])
        x = x + self.output @ attended.reshape(-1)
        gate, up = ((self.gate_up @ x) * _scale(x)).reshape(2, -1)
        fed: Floats = x + self.down @ (gate / (1 + np.exp(-np.maximum(gate, -80))) * up)
        return fed


def _rotate(x: Floats, turn: tuple[npt.NDArray[Any], npt.NDArray[Any]]) -> Floats:
    """As `note_transformer.rotate`."""
    half = x.shape[-1] // 2
    one, two = x[..., :half], x[..., half:]
    return np.concatenate((one * turn[0] - two * turn[1], one * turn[1] + two * turn[0]), -1).astype(np.float32)


def _scale(x: Floats) -> np.float32:
    """What an RMSNorm multiplies by, but for its weights."""
    return np.float32(1 / np.sqrt(float(x @ x) / len(x) + EPSILON))


def _array(tensor: Any) -> Floats:
    return np.array(tensor.detach().float().cpu().numpy())


def _matrix(layer: Any) -> Floats:
    return _array(layer.weight)


def _table(embedding: nn.Module) -> Floats:
    return _array(embedding.weight)

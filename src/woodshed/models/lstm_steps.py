"""LSTM layers one event after another, in numpy: how nets that were trained in torch play.

Where a step is a matrix times one vector, or a few dozen, torch spends as long on calling as on computing, and its
tanh takes longer than the product (both measured on one core). Here a layer is one product, its four gates, inputs and
bias included, and one tanh serves all gates, for sigmoid(x) = (1 + tanh(x / 2)) / 2. What comes out is what torch says,
to float32's rounding.

Streams are columns: so two of them take hardly longer than one, and sixteen half as long as they would as rows.

Shape letters: B streams, C columns, I inputs, O outputs, W width, L events in a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""Every array here is float32."""
SMALL_PRODUCT = 1_000_000
"""Up to so many multiplications OpenBLAS has a way without packing."""
FEW_COLUMNS = 8
"""Beyond, packing pays."""


class DenseWeights(NamedTuple):
    """A dense layer's weights."""

    matrix: Array
    """(O, I)"""
    bias: Array
    """(O, 1)"""


class PlayingWeights(NamedTuple):
    """A net's weights; a snapshot, which learns nothing more."""

    layers: tuple[Array, ...]
    """(4W, W + I + 1) of each LSTM layer, see `layer_weights`."""
    dense: tuple[DenseWeights, ...]


class Memory(NamedTuple):
    """What one layer remembers."""

    heard: Array
    """(W + I + 1, C) or (W + I + 1, L + 1, B): its own output, the input that comes next, and a one."""
    cell: Array
    """(W, C) or (W, L + 1, B)"""


def layer_weights(into: Array, within: Array, bias: Array) -> Array:
    """Weights (4W, I), (4W, W) and (4W,) as one matrix (4W, W + I + 1).

    Its gates are input, forget, output and cell, the first three halved; torch and Keras, whose weights are given, have
    cell before output.
    """
    given, forget, cell, output = np.split(np.concatenate((within, into, bias[:, None]), 1), 4)
    return np.concatenate((given / 2, forget / 2, output / 2, cell))


def nothing(weights: Array, *columns: int) -> Memory:
    """What a layer with ``weights`` (4W, W + I + 1) remembers at first; ``columns`` are B, or L + 1 and B."""
    rows, size = weights.shape
    heard = np.zeros((size, *columns), np.float32)
    heard[-1] = 1.0
    return Memory(heard, np.zeros((rows // 4, *columns), np.float32))


def dense(layer: DenseWeights, heard: Array) -> Array:
    """What a dense layer makes of (I, C): (O, C)."""
    said: Array = np.matmul(layer.matrix, heard)
    said += layer.bias
    return said


def product(weights: Array, heard: Array) -> Array:
    """(M, K) times (K, C): of a few columns in pieces, which BLAS takes by a way for small products, twice as fast."""
    columns = heard.shape[1]
    pieces = -(-weights.size * columns // SMALL_PRODUCT) if 1 < columns <= FEW_COLUMNS else 1
    total: Array
    if pieces == 1:
        total = np.matmul(weights, heard)
        return total
    cuts = [len(heard) * piece // pieces for piece in range(pieces + 1)]
    total = np.matmul(weights[:, : cuts[1]], heard[: cuts[1]])
    for low, high in pairwise(cuts[1:]):
        total += np.matmul(weights[:, low:high], heard[low:high])
    return total


def advance(weights: Array, before: Memory, hidden: Array, cell: Array) -> None:
    """Write into ``hidden`` and ``cell`` (W, C) what the layer remembers once it has read the input in ``before``."""
    width = len(cell)
    gates = product(weights, before.heard)  # (4W, C)
    np.tanh(gates, out=gates)
    opened = gates[: 3 * width]
    opened *= 0.5
    opened += 0.5
    given, forget, output, new = gates.reshape(4, width, -1)
    new *= given
    np.multiply(forget, before.cell, out=cell)
    cell += new
    np.tanh(cell, out=hidden)
    hidden *= output


def carry(layers: Sequence[Array], event: Array, memory: Sequence[Memory]) -> tuple[Array, tuple[Memory, ...]]:
    """Output (W, B) of the last layer after ``event`` (I, B), and what all layers remember then."""
    found = []
    for weights, before in zip(layers, memory, strict=True):
        width = len(before.cell)
        before.heard[width:-1] = event
        after = _like(before)
        advance(weights, before, after.heard[:width], after.cell)
        event = after.heard[:width]
        found.append(after)
    return event, tuple(found)


def slide(layers: Sequence[Array], event: Array, memory: Sequence[Memory]) -> tuple[Array, tuple[Memory, ...]]:
    """Outputs (W, L B) of the last layer after ``event`` (I, B) in all windows that it belongs to, and what all layers
    remember then, (..., L + 1, B).

    The columns of place l have read the first l events of their windows, and those of place 0, which have read none,
    stay zero. The event is number l + 1 of the windows at place l, which move to the next place; those at the last
    place were full and go.
    """
    streams, found = event.shape[1], []
    for weights, before in zip(layers, memory, strict=True):
        width, after = len(before.cell), _like(before)
        after.heard[:width, 0], after.cell[:, 0] = 0.0, 0.0
        old, new = (Memory(*(array.reshape(len(array), -1) for array in both)) for both in (before, after))
        seen = Memory(old.heard[:, :-streams], old.cell[:, :-streams])
        before.heard[width:-1, :-1] = event.reshape(len(event), -1, streams)  # the event itself is told to all places
        event = new.heard[:width, streams:]
        advance(weights, seen, event, new.cell[:, streams:])
        found.append(after)
    return event, tuple(found)


def _like(memory: Memory) -> Memory:
    """Room for what comes next."""
    after = Memory(np.empty_like(memory.heard), np.empty_like(memory.cell))
    after.heard[-1] = 1.0
    return after

"""LSTM layers one event after another, in numpy: how nets that were trained in torch play.

Where a step is a matrix times one vector, or a few dozen, torch spends as long on calling as on computing, and its
tanh takes longer than the product (both measured on one core). Here a layer's four gates are one product, and one
tanh serves all of them, for sigmoid(x) = (1 + tanh(x / 2)) / 2. What comes out is what torch
says, to float32's rounding.

Shape letters: B streams, R rows of a stream, I inputs, W width, L events in a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""Every array here is float32."""


class LayerWeights(NamedTuple):
    """One layer's weights as `advance` wants them; gates in the order input, forget, output, cell, the first three
    halved."""

    into: Array
    """(I, 4W)"""
    within: Array
    """(W, 4W)"""
    bias: Array
    """(4W,)"""


class DenseWeights(NamedTuple):
    """A dense layer's weights."""

    matrix: Array
    """(I, O)"""
    bias: Array
    """(O,)"""


class PlayingWeights(NamedTuple):
    """A net's weights; a snapshot, which learns nothing more."""

    layers: tuple[LayerWeights, ...]
    dense: tuple[DenseWeights, ...]


class Memory(NamedTuple):
    """What one layer remembers."""

    hidden: Array
    """(B, W), or of many rows (B, R, W)."""
    cell: Array
    """The same."""


def layer_weights(into: Array, within: Array, bias: Array) -> LayerWeights:
    """Of weights (4W, I), (4W, W), (4W,) whose gates are input, forget, cell and output, as torch and Keras have it."""
    kept = (_gates(array.reshape(len(array), -1)) for array in (into, within, bias))
    into, within, bias = (np.ascontiguousarray(array.T) for array in kept)
    return LayerWeights(into, within, bias[0])


def _gates(weights: Array) -> Array:
    given, forget, cell, output = np.split(weights, 4)
    return np.concatenate((given / 2, forget / 2, output / 2, cell))


def dense(layer: DenseWeights, heard: Array) -> Array:
    """What a dense layer (I, O) makes of (..., I)."""
    said: Array = np.matmul(heard, layer.matrix)
    said += layer.bias
    return said


def nothing(*shape: int) -> Memory:
    """What a layer remembers before the first event: zeros of the shape given."""
    return Memory(*np.zeros((2, *shape), np.float32))


def advance(layer: LayerWeights, events: Array, before: Memory, after: Memory) -> None:
    """Write into ``after`` what the layer remembers once it has read ``events`` (B, I), or of rows (B, R or 1, I)."""
    width = layer.within.shape[0]
    gates = np.matmul(before.hidden, layer.within)  # (B, R, 4W)
    told = np.matmul(events, layer.into)
    told += layer.bias
    gates += told
    np.tanh(gates, out=gates)
    opened = gates[..., : 3 * width]
    opened *= 0.5
    opened += 0.5
    given, forget = gates[..., :width], gates[..., width : 2 * width]
    output, cell = gates[..., 2 * width : 3 * width], gates[..., 3 * width :]
    cell *= given
    np.multiply(forget, before.cell, out=after.cell)
    after.cell[...] += cell
    np.tanh(after.cell, out=after.hidden)
    after.hidden[...] *= output


def carry(layers: Sequence[LayerWeights], event: Array, memory: Sequence[Memory]) -> tuple[Array, tuple[Memory, ...]]:
    """Output (B, W) of the last layer after ``event`` (B, I), and what all layers remember then."""
    heard, found = event, []
    for layer, before in zip(layers, memory, strict=True):
        after = Memory(np.empty_like(before.hidden), np.empty_like(before.cell))
        advance(layer, heard, before, after)
        heard = after.hidden
        found.append(after)
    return heard, tuple(found)


def slide(layers: Sequence[LayerWeights], event: Array, memory: Sequence[Memory]) -> tuple[Array, tuple[Memory, ...]]:
    """Outputs (B, L, W) of the last layer after ``event`` (B, I) in all windows that it belongs to, and what all layers
    remember then.

    R is L + 1: row l has read the first l events of its window, and row 0, which has read none, stays zero. The event
    is number l + 1 of the window in row l, which moves to the next row; the window in the last row was full and goes.
    """
    heard, found = event[:, None], []
    for layer, before in zip(layers, memory, strict=True):
        after = Memory(np.empty_like(before.hidden), np.empty_like(before.cell))
        for array in after:
            array[:, 0] = 0.0
        shown = Memory(before.hidden[:, :-1], before.cell[:, :-1]), Memory(after.hidden[:, 1:], after.cell[:, 1:])
        advance(layer, heard, *shown)
        heard = after.hidden[:, 1:]
        found.append(after)
    return heard, tuple(found)

"""An LSTM as Keras has it: one bias vector per layer, and weights that start as Keras starts them.

It learns in torch, and plays in numpy, see `woodshed.models.lstm_steps`.

Shape letters: B streams, T events, I inputs, W width, K layers, L events in a window.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from woodshed.models.lstm_steps import (
    Array,
    DenseWeights,
    Memory,
    PlayingWeights,
    carry,
    layer_weights,
    nothing,
    slide,
)

SIZE_LIMITS = {"vocabulary": 1 << 20, "window": 4096, "width": 4096, "hidden": 4096}
"""No size may be larger: a damaged config must not ask for all memory."""

MOST_SLIDING = 2
"""Up to so many streams, advancing all their windows together is faster than reading each anew (measured, 1 core)."""


class CarriedState(NamedTuple):
    """What an LSTM remembers of all that it has heard."""

    weights: PlayingWeights
    memory: tuple[Memory, ...]
    """B columns of each layer."""


class WindowState(NamedTuple):
    """The window itself, for numbers of streams that do best to read it anew for each event."""

    events: Array
    """(B, L, I), the latest last."""


class SlidingState(NamedTuple):
    """What all windows that the next event belongs to remember; see `woodshed.models.lstm_steps.slide`."""

    weights: PlayingWeights
    memory: tuple[Memory, ...]
    """Of each layer, L + 1 places of B columns."""


class KerasLstm(nn.Module):
    """K layers of width W: (B, T, I) -> (B, T, W), with dropout between layers, all starting from zero.

    torch's own layer has a second bias that adds nothing; here it is a constant 0, so parameters are as many as
    Keras counts: 4 (W (I + W) + W) in the first layer.

    >>> sum(p.numel() for p in KerasLstm(3, 128, layers=1, dropout=0.0).parameters())
    67584
    """

    def __init__(self, inputs: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.width, self.layers, self.dropout = width, layers, dropout
        sizes = [inputs] + [width] * (layers - 1)
        self.from_input = nn.ParameterList(nn.Parameter(torch.empty(4 * width, size)) for size in sizes)
        self.from_hidden = nn.ParameterList(nn.Parameter(torch.empty(4 * width, width)) for _ in sizes)
        self.bias = nn.ParameterList(nn.Parameter(torch.zeros(4 * width)) for _ in sizes)
        self.register_buffer("no_bias", torch.zeros(4 * width), persistent=False)
        self.no_bias: Tensor
        self._initialise()

    def _initialise(self) -> None:
        """Glorot's uniform law, orthogonal columns, and a forget gate that is open: Keras' defaults."""
        with torch.no_grad():
            for into, within, bias in zip(self.from_input, self.from_hidden, self.bias, strict=True):
                nn.init.xavier_uniform_(into)
                nn.init.orthogonal_(within)
                bias[self.width : 2 * self.width] = 1.0  # gates stand in the order input, forget, cell, output

    def forward(self, events: Tensor, drop: bool = False) -> Tensor:
        start = events.new_zeros(self.layers, len(events), self.width)
        weights = [weight for layer in range(self.layers) for weight in self._weights(layer)]
        outputs: Tensor = torch.lstm(
            events, (start, start), weights, True, self.layers, self.dropout, drop, False, True
        )[0]
        return outputs

    def _weights(self, layer: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.from_input[layer], self.from_hidden[layer], self.bias[layer], self.no_bias

    def size(self, layer: int) -> int:
        """How many parameters a layer has."""
        weights = self.from_input[layer], self.from_hidden[layer], self.bias[layer]
        return sum(weight.numel() for weight in weights)

    def playing_weights(self, *dense: nn.Linear) -> PlayingWeights:
        """A snapshot of all layers, and of the dense ones that follow, for `woodshed.models.lstm_steps`."""
        layers = (
            layer_weights(*(weight.detach().cpu().numpy() for weight in self._weights(layer)[:3]))
            for layer in range(self.layers)
        )
        return PlayingWeights(tuple(layers), tuple(map(dense_weights, dense)))

    def start(self, batch: int, *dense: nn.Linear) -> CarriedState:
        """The state before anything was heard."""
        weights = self.playing_weights(*dense)
        if batch == 1:  # BLAS takes a matrix times one column a fifth faster by columns, and more columns slower
            dense_by_columns = (DenseWeights(np.asfortranarray(layer.matrix), layer.bias) for layer in weights.dense)
            weights = PlayingWeights(tuple(map(np.asfortranarray, weights.layers)), tuple(dense_by_columns))
        return CarriedState(weights, tuple(nothing(layer, batch) for layer in weights.layers))

    def read(self, windows: Array, *dense: nn.Linear) -> tuple[Array, SlidingState]:
        """Output (W, B) of the last layer at the end of the windows (B, L, I), and the state for `slide_on`."""
        batch, length, _ = windows.shape
        weights = self.playing_weights(*dense)
        state = SlidingState(weights, tuple(nothing(layer, length + 1, batch) for layer in weights.layers))
        for event in windows.swapaxes(0, 1):  # what comes out before the end is of windows that are not full yet
            output, state = slide_on(event, state)
        return output, state


def step_on(event: Array, state: CarriedState) -> tuple[Array, CarriedState]:
    """Output (W, B) of the last layer after ``event`` (B, I); nothing is dropped."""
    output, memory = carry(state.weights.layers, event.T, state.memory)
    return output, CarriedState(state.weights, memory)


def slide_on(event: Array, state: SlidingState) -> tuple[Array, SlidingState]:
    """Output (W, B) of the last layer at the end of the window that ends with ``event`` (B, I)."""
    outputs, memory = slide(state.weights.layers, event.T, state.memory)
    return outputs[:, -len(event) :], SlidingState(state.weights, memory)


def dense_weights(layer: nn.Linear) -> DenseWeights:
    """A snapshot of one dense layer."""
    weight, bias = (tensor.detach().cpu().numpy().copy() for tensor in (layer.weight, layer.bias))
    return DenseWeights(weight, bias[:, None])


def size_of(layer: nn.Linear) -> int:
    """How many parameters a dense layer has."""
    return sum(weight.numel() for weight in layer.parameters())


def initialise_dense(*layers: nn.Linear, split: tuple[int, ...] = ()) -> None:
    """Start dense layers as Keras does; one that holds several heads side by side, each head for itself."""
    with torch.no_grad():
        for layer in layers:
            for weight in torch.split(layer.weight, list(split or (layer.out_features,))):
                nn.init.xavier_uniform_(weight)
            layer.bias.zero_()


State = TypeVar("State")


def select(state: State, index: NDArray[np.int64]) -> State:
    """The streams ``index`` (B',) of a net's state, in that order; one may be taken many times."""
    old: Any = state
    new: dict[str, Any] = {}
    if hasattr(old, "events"):
        new["events"] = old.events[index]
    if hasattr(old, "memory"):
        new["memory"] = tuple(Memory(*(np.take(array, index, -1) for array in each)) for each in old.memory)
    if hasattr(old, "sums"):
        new["sums"] = np.take(old.sums, index, -1)
    chosen: State = old._replace(**new)
    return chosen


def joined(first: CarriedState, second: CarriedState) -> CarriedState:
    """The streams of two states of one net side by side."""
    pairs = zip(first.memory, second.memory, strict=True)
    memory = (Memory(*(np.concatenate(both, 1) for both in zip(*pair, strict=True))) for pair in pairs)
    return CarriedState(first.weights, tuple(memory))


def check_window(windows: Array, length: int) -> None:
    """Refuse windows (B, T, I) that are not of the net's length."""
    if windows.shape[1] != length:
        raise ValueError(f"a window of {windows.shape[1]} events: this net reads {length}")


def next_window(state: WindowState, event: Array) -> WindowState:
    """The window one event (B, I) later."""
    return WindowState(np.concatenate((state.events[:, 1:], event[:, None]), 1))


def check_sizes(config: Any, usual: dict[str, Any]) -> None:
    for name, value in usual.items():
        size = getattr(config, name)
        if type(size) is not int or not 1 <= size <= SIZE_LIMITS[name]:
            raise ValueError(f"model {name} {size!r} is outside 1-{SIZE_LIMITS[name]}; {value} is usual")
    for name in ("layer_dropout", "dropout"):
        share = getattr(config, name, 0.0)
        if not 0 <= share < 1:
            raise ValueError(f"model {name} {share} is outside 0 to below 1; {type(config).__dict__[name]} is usual")

"""An LSTM as Keras has it: one bias vector per layer, and weights that start as Keras starts them.

Shape letters: B streams, T events, I inputs, W width, K layers, L events in a window.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

SIZE_LIMITS = {"vocabulary": 1 << 20, "window": 4096, "width": 4096, "hidden": 4096}
"""No size may be larger: a damaged config must not ask for all memory."""

MOST_SLIDING = 2
"""Up to so many streams, advancing all their windows together is faster than reading each anew (measured, 1 core)."""


class CarriedState(NamedTuple):
    """What an LSTM remembers of all that it has heard."""

    hidden: Tensor
    """(B, K, W)"""
    cell: Tensor
    """(B, K, W)"""


class WindowState(NamedTuple):
    """The window itself, for nets and numbers of streams that do best to read it anew for each event."""

    events: Tensor
    """(B, L, I), the latest last."""


class SlidingState(NamedTuple):
    """What all windows that the next event belongs to remember; row l has read its first l + 1 events."""

    hidden: Tensor
    """(B, K, L, W)"""
    cell: Tensor
    """(B, K, L, W)"""


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

    def start(self, batch: int) -> CarriedState:
        """The state before anything was heard."""
        nothing = self.no_bias.new_zeros(batch, self.layers, self.width)
        return CarriedState(nothing, nothing)

    def step(self, event: Tensor, state: CarriedState) -> tuple[Tensor, CarriedState]:
        """Output (B, W) of the last layer after ``event`` (B, I); nothing is dropped."""
        if self.layers == 1:  # saves two copies, a tenth of the time
            now = torch.lstm_cell(event, (state.hidden[:, 0], state.cell[:, 0]), *self._weights(0))
            return now[0], CarriedState(now[0][:, None], now[1][:, None])
        hidden, cell, output = [], [], event
        for layer in range(self.layers):
            before = state.hidden[:, layer], state.cell[:, layer]
            output, memory = torch.lstm_cell(output, before, *self._weights(layer))
            hidden.append(output)
            cell.append(memory)
        return output, CarriedState(torch.stack(hidden, 1), torch.stack(cell, 1))

    def read(self, windows: Tensor) -> tuple[Tensor, SlidingState]:
        """Output (B, W) of the last layer at the end of the windows (B, L, I), and the state for `slide`."""
        batch, length, _ = windows.shape
        nothing = windows.new_zeros(batch, self.layers, length, self.width)
        state = SlidingState(nothing, nothing)
        for event in windows.unbind(1):  # what comes out before the end is of windows that are not full yet
            output, state = self.slide(event, state)
        return output, state

    def slide(self, event: Tensor, state: SlidingState) -> tuple[Tensor, SlidingState]:
        """Output (B, W) at the end of the window that ends with ``event`` (B, I).

        The event is number l + 1 of the window that was in row l - 1 of the state, and the first of a new one in row
        0; the window in the last row was full and goes.
        """
        hidden, cell = state
        batch, layers, length, width = hidden.shape
        new_hidden, new_cell = torch.empty_like(hidden), torch.empty_like(cell)
        output = event[:, None].expand(-1, length, -1).reshape(batch * length, -1)
        for layer in range(layers):
            before = _moved_on(hidden[:, layer]), _moved_on(cell[:, layer])
            output, memory = torch.lstm_cell(output, before, *self._weights(layer))
            new_hidden[:, layer], new_cell[:, layer] = (
                output.view(batch, length, width),
                memory.view(batch, length, width),
            )
        return new_hidden[:, -1, -1], SlidingState(new_hidden, new_cell)


def _moved_on(rows: Tensor) -> Tensor:
    """(B, L, W) one row down, zeros in the first: (B L, W)."""
    moved = torch.zeros_like(rows)
    moved[:, 1:] = rows[:, :-1]
    return moved.view(-1, rows.shape[-1])


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


State = TypeVar("State", CarriedState, SlidingState, WindowState)


def select(state: State, index: Tensor) -> State:
    """The streams ``index`` (B',) of a state, in that order; one may be taken many times."""
    return type(state)(*(tensor[index] for tensor in state))


def check_window(windows: Tensor, length: int) -> None:
    """Refuse windows (B, T, I) that are not of the net's length."""
    if windows.shape[1] != length:
        raise ValueError(f"a window of {windows.shape[1]} events: this net reads {length}")


def next_window(state: WindowState, event: Tensor) -> WindowState:
    """The window one event (B, I) later."""
    return WindowState(torch.cat((state.events[:, 1:], event[:, None]), 1))


def check_sizes(config: Any, usual: dict[str, Any]) -> None:
    for name, value in usual.items():
        size = getattr(config, name)
        if type(size) is not int or not 1 <= size <= SIZE_LIMITS[name]:
            raise ValueError(f"model {name} {size!r} is outside 1-{SIZE_LIMITS[name]}; {value} is usual")
    for name in ("layer_dropout", "dropout"):
        share = getattr(config, name, 0.0)
        if not 0 <= share < 1:
            raise ValueError(f"model {name} {share} is outside 0 to below 1; {type(config).__dict__[name]} is usual")

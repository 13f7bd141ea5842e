"""Magenta's melody RNNs: what is on now -> stacked LSTM, if asked with attention over its own outputs -> next label.

References:
    Waite 2016, "Generating Long-Term Structure in Songs and Stories" (Magenta blog); magenta/models/shared/
    events_rnn_graph.py (`make_rnn_cell`); for attention see `woodshed.models.attending_lstm`.
    As there: one bias per gate, a forget gate that starts open, dropout on what each layer hands on, attention
    on the first layer only.
    We differ in taking the indices that are on instead of multi-hot vectors, so that the first product is a
    sum of rows, see `woodshed.models.lstm`.

Shape letters: B songs, T steps, K inputs on at once, N inputs, W width, L attention length.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.attending_lstm import Attention
from woodshed.models.lstm import LSTMLayer, add_rows, glorot

State = tuple[Tensor, ...]
"""Output and cell (B, W) of each layer; with attention also what was attended to (B, W), and the last L outputs
and their keys (B, L, W)."""

SIZE_LIMITS = {
    "inputs": (1, 65536),
    "labels": (1, 65536),
    "width": (1, 4096),
    "layers": (1, 16),
    "attention": (0, 4096),
}
"""No size may be larger: a damaged config must not ask for all memory."""
USUAL = {"inputs": 38, "labels": 38, "width": 256, "layers": 2, "attention": "0 or 40"}


@dataclass(frozen=True)
class EventRNNConfig:
    """Sizes of an `EventRNN`."""

    inputs: int
    """N, the width of the multi-hot input."""
    labels: int
    """Classes of the next event."""
    width: int = 256
    """W, of each LSTM layer."""
    layers: int = 2
    dropout: float = 0.5
    attention: int = 0
    """L, the first layer's last outputs that it attends to; 0: no attention. Magenta's Attention RNN has 40."""

    def __post_init__(self) -> None:
        for name, (low, high) in SIZE_LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"model {name} {value!r} is outside {low}-{high}; {USUAL[name]} is usual")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model dropout {self.dropout} is outside 0 to below 1; 0.5 is usual")

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return asdict(self)


class EventRNN(nn.Module):
    """Logits of the next event's label, given the inputs that are on (-1: none; each named once) at each step.

    >>> sum(p.numel() for p in EventRNN(EventRNNConfig(inputs=38, labels=38)).parameters())
    837158
    """

    name: ClassVar[str] = "event-rnn"

    def __init__(self, config: EventRNNConfig) -> None:
        super().__init__()
        self.config = config
        sizes = (config.inputs, *[config.width] * (config.layers - 1))
        self.layers = nn.ModuleList(LSTMLayer(size, config.width) for size in sizes)
        self.attention = Attention(config.inputs, config.width) if config.attention else None
        self.output, self.output_bias = glorot(config.width, config.labels), nn.Parameter(torch.zeros(config.labels))

    def forward(self, active: Tensor) -> Tensor:
        """(B, T, K) int64 -> logits (B, T, labels) of what comes after each row; one pass from the empty state."""
        active = active.transpose(0, 1)
        x = self._first(active) if self.attention is None else self._first_attending(active)
        for layer in self._layers()[1:]:
            width = layer.inputs
            gates = torch.addmm(layer.bias, self._drop(x).reshape(-1, width), layer.kernel[:width])
            x = layer(gates.view(*x.shape[:2], -1))
        logits = torch.addmm(self.output_bias, self._drop(x).reshape(-1, self.config.width), self.output)
        return logits.view(*x.shape[:2], -1).transpose(0, 1)

    def start(self, batch: int) -> State:
        """The state of B songs before anything was heard."""
        config, like = self.config, self.output
        state = [like.new_zeros(batch, config.width) for _ in range(2 * config.layers)]
        if config.attention:
            state.append(like.new_zeros(batch, config.width))
            state += [like.new_zeros(batch, config.attention, config.width) for _ in range(2)]
        return tuple(state)

    def step(self, active: Tensor, state: State) -> tuple[Tensor, State]:
        """The inputs (B, K) that are on now -> logits (B, labels) and the state after them."""
        depth = 2 * self.config.layers
        after: list[Tensor] = []
        x = active
        for i, layer in enumerate(self._layers()):
            output, cell = state[2 * i : 2 * i + 2]
            if i == 0 and self.attention is not None:
                table = self.attention.merge[: self.config.inputs]
                merged = add_rows(active, table) + self.attention.merge_bias
                x, *rest = self.attention.step(merged, layer, (output, cell, *state[depth:]))
                after += rest
                continue
            if i == 0:
                rows = add_rows(active, layer.kernel[: layer.inputs]) + layer.bias
                gates = torch.addmm(rows, output, layer.kernel[layer.inputs :])
            else:
                gates = torch.addmm(layer.bias, torch.cat((self._drop(x), output), 1), layer.kernel)
            x, cell = layer.step(gates, cell)
            after[2 * i : 2 * i] = [x, cell]
        return torch.addmm(self.output_bias, self._drop(x), self.output), tuple(after)

    @staticmethod
    def select(state: State, index: Tensor) -> State:
        """The state of the songs named in (B',), in that order; a song may be named more than once."""
        return tuple(part[index] for part in state)

    def _layers(self) -> list[LSTMLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def _first(self, active: Tensor) -> Tensor:
        """The first layer's outputs (T, B, W) without attention."""
        layer = self._layers()[0]
        rows = add_rows(active.reshape(-1, active.shape[-1]), layer.kernel[: layer.inputs])
        outputs: Tensor = layer((rows + layer.bias).view(*active.shape[:2], -1))
        return outputs

    def _first_attending(self, active: Tensor) -> Tensor:
        """The first layer's outputs (T, B, W) with attention."""
        assert self.attention is not None
        rows = add_rows(active.reshape(-1, active.shape[-1]), self.attention.merge[: self.config.inputs])
        merged = (rows + self.attention.merge_bias).view(*active.shape[:2], -1)
        return self.attention.run(merged, self._layers()[0], self.config.attention)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.dropout) if self.training else x

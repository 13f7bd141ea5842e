"""Lackner's net from chords to a melody: what is known of a row, and the row before -> stacked LSTM -> 25 chances.

References:
    K. Lackner, "Composing a melody with long-short term memory (LSTM) Recurrent Neural Networks" (TU Munich 2016): an
    LSTM reads the chord rows of the eight bars before a sixteenth and its last layer is the melody's row, each cell
    with a sigmoid and binary cross-entropy. ``feedback = false`` is that: every cell's chance follows from the chords
    alone, so that the whole prediction matrix is known before anything is played.
    We differ in carrying the state through the song instead of reading windows, in LSTM layers with their usual tanh
    and a linear layer after them, which hears the inputs too (there every activation is a sigmoid, and the last LSTM is
    as wide as the roll), and, with ``feedback``, in hearing the row that was played last.

Shape letters: B songs, T rows, G numbers given, C cells, W width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.lstm import LSTMLayer, glorot

State = tuple[Tensor, ...]
"""Output and cell (B, W) of each layer."""
SIZE_LIMITS = {"given": (1, 4096), "cells": (1, 4096), "width": (1, 4096), "layers": (1, 16)}
USUAL = {"given": 31, "cells": 25, "width": 128, "layers": 2}


@dataclass(frozen=True)
class ChordMelodyConfig:
    """Sizes of a `ChordMelody`."""

    given: int
    """G, numbers known beside each row."""
    cells: int
    """C, binary cells in a row."""
    width: int = 128
    """W, of each LSTM layer."""
    layers: int = 2
    dropout: float = 0.3
    feedback: bool = True
    """Whether the row that was played last is heard."""

    def __post_init__(self) -> None:
        for name, (low, high) in SIZE_LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"model {name} {value!r} is outside {low}-{high}; {USUAL[name]} is usual")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model dropout {self.dropout} is outside 0 to below 1; 0.3 is usual")

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return asdict(self)


class ChordMelody(nn.Module):
    """Logits of each cell of a row, given what is known until then and the rows before it.

    >>> sum(p.numel() for p in ChordMelody(ChordMelodyConfig(given=31, cells=25)).parameters())
    230929
    """

    name: ClassVar[str] = "chord-melody"

    def __init__(self, config: ChordMelodyConfig) -> None:
        super().__init__()
        self.config = config
        inputs = config.given + config.cells * config.feedback
        self.layers = nn.ModuleList(
            LSTMLayer(inputs if i == 0 else config.width, config.width) for i in range(config.layers)
        )
        self.output = glorot(config.width + inputs, config.cells)
        self.output_bias = nn.Parameter(torch.zeros(config.cells))

    def forward(self, given: Tensor, roll: Tensor) -> Tensor:
        """Given (B, T, G) and rolls (B, T, C) of 0 and 1 -> logits (B, T, C); row t sees ``roll[:, :t]``."""
        heard = given.transpose(0, 1)
        if self.config.feedback:
            heard = torch.cat((heard, F.pad(roll.float(), (0, 0, 1, 0))[:, :-1].transpose(0, 1)), 2)
        x = heard
        for i, layer in enumerate(self._layers()):
            x = layer(layer.gates(self._drop(x) if i else x))  # (T, B, W)
        return self._cells(x, heard).transpose(0, 1)

    def nats(self, given: Tensor, roll: Tensor) -> Tensor:
        """(B, T, C) nats of each cell."""
        return F.binary_cross_entropy_with_logits(self(given, roll).float(), roll.float(), reduction="none")

    def start_chances(self, given: Tensor, roll: Tensor) -> tuple[Tensor, Tensor]:
        """Of all cells that were off: the chance to come on (N,), and whether they did."""
        off = ~F.pad(roll.bool(), (0, 0, 1, 0))[:, :-1]
        return self(given, roll)[off].sigmoid(), roll.bool()[off]

    def start(self, batch: int) -> State:
        """The state of B songs before anything was heard."""
        return tuple(self.output.new_zeros(batch, self.config.width) for _ in range(2 * self.config.layers))

    def step(self, given: Tensor, last: Tensor, state: State) -> tuple[Tensor, State]:
        """What is known of a row (B, G) and the row before it (B, C) -> logits (B, C) and the state after it."""
        heard = torch.cat((given, last), 1) if self.config.feedback else given
        after: list[Tensor] = []
        x = heard
        for i, layer in enumerate(self._layers()):
            output, cell = state[2 * i : 2 * i + 2]
            gates = torch.addmm(layer.bias, torch.cat((self._drop(x) if i else x, output), 1), layer.kernel)
            x, cell = layer.step(gates, cell)
            after += [x, cell]
        return self._cells(x, heard), tuple(after)

    def _cells(self, x: Tensor, heard: Tensor) -> Tensor:
        """The top layer's outputs (..., W) and what it heard (..., inputs) -> logits (..., C)."""
        return torch.cat((self._drop(x), heard), -1) @ self.output + self.output_bias

    def _layers(self) -> list[LSTMLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.dropout) if self.training else x

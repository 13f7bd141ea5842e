"""LSTM layers as TensorFlow's BasicLSTMCell keeps them, with a gradient worked out by hand for all steps at once.

We differ from a library's LSTM in that the caller says what the inputs add to the gates. A layer that hears one-hot
vectors is then given rows of a table instead of a product, one that hears the same vector at every step is given that
vector's product once, and the weights see one large product for all steps in the gradient.

Shape letters: T steps, B sequences, N inputs, K of them on at once, W width.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class LSTMLayer(nn.Module):
    """One layer: ``kernel`` (inputs + W, 4 W) and ``bias`` (4 W).

    The gates lie in the order input, forget, output, candidate, so that one sigmoid covers three; the forget gate
    starts open.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.inputs, self.width = inputs, width
        self.kernel = glorot(inputs + width, 4 * width)
        self.bias = nn.Parameter(torch.zeros(4 * width))
        nn.init.ones_(self.bias.data[width : 2 * width])

    def forward(self, gates: Tensor, start: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """What the inputs add to the gates (T, B, 4 W), bias and all -> outputs (T, B, W).

        ``start`` is the output and the cell (B, W) before the first step, if they are not zero.
        """
        output, cell = start or (gates.new_zeros(gates.shape[1], self.width),) * 2
        outputs: Tensor = Recurrence.apply(  # type: ignore[no-untyped-call]
            gates, self.kernel[self.inputs :], output, cell
        )
        return outputs

    def gates(self, x: Tensor) -> Tensor:
        """What inputs (..., N) add to the gates (..., 4 W)."""
        return torch.addmm(self.bias, x.reshape(-1, self.inputs), self.kernel[: self.inputs]).view(*x.shape[:-1], -1)

    def step(self, gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """All of the gates (B, 4 W) and the cell -> output and cell (B, W)."""
        into, forget, out = gates[:, : 3 * self.width].sigmoid().chunk(3, 1)
        cell = torch.addcmul(forget * cell, into, gates[:, 3 * self.width :].tanh())
        return out * cell.tanh(), cell


class Recurrence(torch.autograd.Function):
    """An LSTM layer over all steps: gates (T, B, 4 W), weights (W, 4 W), output and cell before (B, W) -> outputs."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, weights: Tensor, output: Tensor, cell: Tensor) -> Tensor:
        """Keeps the gates after their sigmoid or tanh, the outputs, the cells and their tanh."""
        time, batch, width = gates.shape[0], gates.shape[1], weights.shape[0]
        gates = gates.clone()
        outputs, cells = gates.new_empty(time + 1, batch, width), gates.new_empty(time + 1, batch, width)
        outputs[0], cells[0] = output, cell
        squashed = gates.new_empty(time, batch, width)
        for t, gate in enumerate(gates.unbind(0)):
            gate.addmm_(outputs[t], weights)
            into, forget, out = gate[:, : 3 * width].sigmoid_().chunk(3, 1)
            torch.mul(forget, cells[t], out=cells[t + 1]).addcmul_(into, gate[:, 3 * width :].tanh_())
            torch.mul(out, torch.tanh(cells[t + 1], out=squashed[t]), out=outputs[t + 1])
        ctx.save_for_backward(gates, outputs, cells, squashed, weights)
        return outputs[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Walk back over the steps; the gradient of the weights is one product at the end."""
        gates, outputs, cells, squashed, weights = ctx.saved_tensors
        width = weights.shape[0]
        into, forget, out, candidate = gates.chunk(4, -1)
        from_into, from_forget = candidate * into * (1 - into), cells[:-1] * forget * (1 - forget)
        from_out, from_candidate = squashed * out * (1 - out), into * (1 - candidate * candidate)
        through = out * (1 - squashed * squashed)
        to_gates = torch.empty_like(gates)
        to_output, to_cell = gradient[-1], torch.zeros_like(cells[0])
        for t in range(len(gates) - 1, -1, -1):
            to_into, to_forget, to_out, to_candidate = to_gates[t].chunk(4, 1)
            torch.mul(to_output, from_out[t], out=to_out)
            to_cell.addcmul_(to_output, through[t])
            torch.mul(to_cell, from_into[t], out=to_into)
            torch.mul(to_cell, from_forget[t], out=to_forget)
            torch.mul(to_cell, from_candidate[t], out=to_candidate)
            to_cell.mul_(forget[t])
            if t:
                to_output = torch.addmm(gradient[t - 1], to_gates[t], weights.t())
        to_weights = outputs[:-1].reshape(-1, width).t() @ to_gates.flatten(0, 1)
        to_start = to_gates[0] @ weights.t() if ctx.needs_input_grad[2] else None
        return to_gates, to_weights, to_start, to_cell if ctx.needs_input_grad[3] else None


class Bidirectional(nn.Module):
    """Two LSTM layers over the same sequence, one from its start and one from its end."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.there, self.back = LSTMLayer(inputs, width), LSTMLayer(inputs, width)

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, N) -> outputs (T, B, 2 W)."""
        return self._run(self.there.gates(x), self.back.gates(x))

    def hear(self, active: Tensor) -> Tensor:
        """The inputs (T, B, K) that are on -> outputs (T, B, 2 W)."""
        return self._run(*(self._rows(active, layer) for layer in (self.there, self.back)))

    @staticmethod
    def _rows(active: Tensor, layer: LSTMLayer) -> Tensor:
        flat = active.reshape(-1, active.shape[-1])
        rows = F.embedding_bag(flat, layer.kernel[: layer.inputs], mode="sum") + layer.bias
        return rows.view(*active.shape[:2], -1)

    def _run(self, there: Tensor, back: Tensor) -> Tensor:
        return torch.cat((self.there(there), self.back(back.flip(0)).flip(0)), -1)


def ends(outputs: Tensor) -> Tensor:
    """What a `Bidirectional` says (T, B, 2 W) once each direction has heard all: (B, 2 W)."""
    width = outputs.shape[-1] // 2
    return torch.cat((outputs[-1, :, :width], outputs[0, :, width:]), -1)


def add_rows(active: Tensor, table: Tensor) -> Tensor:
    """The sum (B, width) of the rows of ``table`` (N, width) that (B, K) names; -1 names none."""
    named = active >= 0
    return F.embedding_bag(active.clamp(min=0), table, mode="sum", per_sample_weights=named.to(table.dtype))


def glorot(inputs: int, outputs: int) -> nn.Parameter:
    """Weights (inputs, outputs) as TensorFlow starts them: uniform, variance 2 / (inputs + outputs)."""
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(inputs, outputs)))

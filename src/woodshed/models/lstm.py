"""LSTM layers as TensorFlow's BasicLSTMCell keeps them, with a gradient worked out by hand for all steps at once.

We differ from a library's LSTM in that the caller says what the inputs add to the gates. A layer that hears one-hot
vectors is then given rows of a table instead of a product, one that hears the same vector at every step is given that
vector's product once, and the weights see one large product for all steps in the gradient.

Shape letters: T steps, B sequences, S steps of all sequences together, N inputs, K of them on at once, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def in_float32(forward: Any) -> Any:
    """A gradient worked out by hand is of float32, whatever autocast says around it."""
    for device in ("cpu", "cuda"):
        forward = torch.amp.custom_fwd(forward, device_type=device, cast_inputs=torch.float32)
    return forward


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
        time, batch = gates.shape[:2]
        start = start or (gates.new_zeros(batch, self.width),) * 2
        return self.run(gates.reshape(time * batch, -1), start, [batch] * time).view(time, batch, -1)

    def run(self, gates: Tensor, start: tuple[Tensor, Tensor], counts: Sequence[int]) -> Tensor:
        """The same of packed gates (S, 4 W), and a start (B, W) in the order of packing -> (S, W)."""
        outputs: Tensor = Recurrence.apply(  # type: ignore[no-untyped-call]
            gates, self.kernel[self.inputs :], *start, counts
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


class Slopes(NamedTuple):
    """How each gate (S, W), before its sigmoid or tanh, moves the cell or the output; and the cell the output."""

    into: Tensor
    forget: Tensor
    out: Tensor
    candidate: Tensor
    through: Tensor
    kept: Tensor
    """How much of the cell before stays: the forget gate itself."""

    @classmethod
    def of(cls, gates: Tensor, before: Tensor, squashed: Tensor) -> Slopes:
        """Of gates (S, 4 W) after their sigmoid or tanh, the cells (S, W) before, and the tanh of those after."""
        into, forget, out, candidate = gates.chunk(4, -1)
        return cls(
            candidate * into * (1 - into), before * forget * (1 - forget), squashed * out * (1 - out),
            into * (1 - candidate * candidate), out * (1 - squashed * squashed), forget,
        )  # fmt: skip

    def back(self, now: int | slice, to_output: Tensor, to_cell: Tensor, to_gates: Tensor) -> None:
        """Write into ``to_gates`` what comes back at a step; ``to_cell`` becomes what goes to the cell before it."""
        to_into, to_forget, to_out, to_candidate = to_gates.chunk(4, 1)
        torch.mul(to_output, self.out[now], out=to_out)
        to_cell.addcmul_(to_output, self.through[now])
        torch.mul(to_cell, self.into[now], out=to_into)
        torch.mul(to_cell, self.forget[now], out=to_forget)
        torch.mul(to_cell, self.candidate[now], out=to_candidate)
        to_cell.mul_(self.kept[now])


class Recurrence(torch.autograd.Function):
    """An LSTM layer over all steps of B sequences of any lengths, the longest first.

    Gates (S, 4 W), first those of step 0 of all sequences, then those of step 1 of all that have it..., weights
    (W, 4 W), output and cell before (B, W), and how many sequences have each step -> outputs (S, W).
    """

    @staticmethod
    @in_float32
    def forward(
        ctx: Any, gates: Tensor, weights: Tensor, output: Tensor, cell: Tensor, counts: Sequence[int]
    ) -> Tensor:
        """Keeps the gates after their sigmoid or tanh, the outputs, the cells and their tanh."""
        batch, width = output.shape
        gates = gates.clone()
        outputs, cells = (gates.new_empty(batch + len(gates), width) for _ in range(2))
        outputs[:batch], cells[:batch] = output, cell
        squashed = gates.new_empty(len(gates), width)
        for now, before in _spans(counts):
            gate, cell, after = gates[now], cells[before], slice(now.start + batch, now.stop + batch)
            gate.addmm_(outputs[before], weights)
            into, forget, out = gate[:, : 3 * width].sigmoid_().chunk(3, 1)
            torch.mul(forget, cell, out=cells[after]).addcmul_(into, gate[:, 3 * width :].tanh_())
            torch.mul(out, torch.tanh(cells[after], out=squashed[now]), out=outputs[after])
        ctx.save_for_backward(gates, outputs, cells, squashed, weights)
        ctx.counts = counts
        return outputs[batch:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, None]:
        """Walk back over the steps; the gradient of the weights is one product at the end."""
        gates, outputs, cells, squashed, weights = ctx.saved_tensors
        spans = _spans(ctx.counts)
        before = [span for _, span in spans]
        slopes = Slopes.of(gates, _rows(cells, before), squashed)
        to_gates = torch.empty_like(gates)
        to_cells, later = torch.zeros_like(cells[: ctx.counts[0]]), slice(0, 0)
        for now, _ in reversed(spans):
            to_output, to_cell = gradient[now].clone(), to_cells[: now.stop - now.start]
            to_output[: later.stop - later.start].addmm_(to_gates[later], weights.t())
            slopes.back(now, to_output, to_cell, to_gates[now])
            later = now
        to_weights = _rows(outputs, before).t() @ to_gates
        to_start = to_gates[later] @ weights.t() if ctx.needs_input_grad[2] else None
        return to_gates, to_weights, to_start, to_cells if ctx.needs_input_grad[3] else None, None


def _spans(counts: Sequence[int]) -> list[tuple[slice, slice]]:
    """Of each step the rows of its gates, and those of what was there before it, which begin with the start."""
    stops = list(accumulate(counts))
    starts = [0, *stops[:-1]]
    befores = [0, *(counts[0] + start for start in starts[:-1])]
    return [
        (slice(start, start + count), slice(before, before + count))
        for start, before, count in zip(starts, befores, counts, strict=True)
    ]


def _rows(table: Tensor, spans: Sequence[slice]) -> Tensor:
    """These rows one after the other; no copy where they lie so already."""
    if all(span.stop == later.start for span, later in pairwise(spans)):
        return table[spans[0].start : spans[-1].stop]
    return torch.cat([table[span] for span in spans])


class Packing(NamedTuple):
    """Where the steps of B rows (B, T) of some lengths lie in one column of S, as `Recurrence` wants them."""

    order: Tensor
    """(B,) the rows, the longest first."""
    counts: list[int]
    """How many rows have each step."""
    rows: Tensor
    """(S,) which row each step is of."""
    steps: Tensor
    """(S,) which step of its row it is."""
    last: Tensor
    """(B,) where the last step of each row is, in the rows' own order."""


def pack(lengths: Tensor) -> Packing:
    """How rows of these lengths (B,), each at least 1, are packed."""
    order = lengths.argsort(descending=True, stable=True)
    there = torch.arange(int(lengths.max()), device=lengths.device)[:, None] < lengths[order]
    steps, place = there.nonzero(as_tuple=True)
    counts = there.sum(1)
    starts = counts.cumsum(0) - counts
    last = torch.empty_like(order)
    last[order] = starts[lengths[order] - 1] + torch.arange(len(order), device=order.device)
    return Packing(order, counts.tolist(), order[place], steps, last)


class Bidirectional(nn.Module):
    """Two LSTM layers over the same sequence, one from its start and one from its end."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.there, self.back = LSTMLayer(inputs, width), LSTMLayer(inputs, width)

    def forward(self, x: Tensor, places: Tensor | None = None) -> Tensor:
        """(T, B, N) -> outputs (T, B, 2 W); ``places`` (T, 8 W) are added to the gates of both."""
        return self._run(self.there.gates(x), self.back.gates(x), places)

    def hear(self, active: Tensor, places: Tensor | None = None) -> Tensor:
        """The inputs (T, B, K) that are on -> outputs (T, B, 2 W), as in `forward`."""
        return self._run(self._rows(active, self.there), self._rows(active, self.back), places)

    def ends_of(self, tokens: Tensor, packing: Packing, places: Tensor | None = None) -> Tensor:
        """Tokens (B, T), one input each, of rows that are packed -> what `ends` gives (B, 2 W)."""
        lengths = packing.steps[packing.last] + 1
        order = packing.steps, lengths[packing.rows] - 1 - packing.steps
        found = []
        for side, (layer, steps) in enumerate(zip((self.there, self.back), order, strict=True)):
            gates = F.embedding(tokens[packing.rows, steps], layer.kernel[: layer.inputs]) + layer.bias
            if places is not None:
                gates = gates + places.chunk(2, 1)[side][steps]
            start = gates.new_zeros(len(tokens), layer.width)
            found.append(layer.run(gates, (start, start), packing.counts)[packing.last])
        return torch.cat(found, 1)

    @staticmethod
    def _rows(active: Tensor, layer: LSTMLayer) -> Tensor:
        flat = active.reshape(-1, active.shape[-1])
        rows = F.embedding_bag(flat, layer.kernel[: layer.inputs], mode="sum") + layer.bias
        return rows.view(*active.shape[:2], -1)

    def _run(self, there: Tensor, back: Tensor, places: Tensor | None) -> Tensor:
        if places is not None:
            there, back = (gates + own[:, None] for gates, own in zip((there, back), places.chunk(2, 1), strict=True))
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

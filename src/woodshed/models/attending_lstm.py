"""An LSTM layer that attends to its own last outputs, with a gradient worked out by hand for all steps at once.

References:
    tf.contrib.rnn's AttentionCellWrapper, kept in magenta/contrib/rnn.py, as Magenta's Attention RNN uses it; Bahdanau
    et al. 2014 (the additive score); Cheng et al. 2016 (attention over a recurrent net's own past).
    As there: the layer hears its input merged with what was last attended to; its cell and output together ask the
    question; what it hands on and remembers is its output mixed with what was found; before L outputs exist the
    window holds zeros, which take their share of the softmax.
    We differ in a tanh over what is mixed: it is remembered and mixed again, and that loop, linear there, overflows
    in long songs. The merging map and the layer's own are multiplied once instead of at every step, and the window
    slides over one table instead of being copied.

Shape letters: T steps, B songs, N inputs, W width, L attention length.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from woodshed.models.lstm import LSTMLayer, Slopes, glorot, in_float32


class Attention(nn.Module):
    """AttentionCellWrapper's four maps: merge with the input, key, question and score, mix with the output."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.merge, self.merge_bias = glorot(inputs + width, inputs), nn.Parameter(torch.zeros(inputs))
        self.key = glorot(width, width)
        self.question, self.question_bias = glorot(2 * width, width), nn.Parameter(torch.zeros(width))
        self.score = nn.Parameter(torch.empty(width).uniform_(-1, 1) * (3 / width) ** 0.5)
        self.mix, self.mix_bias = glorot(2 * width, width), nn.Parameter(torch.zeros(width))

    def run(self, merged: Tensor, layer: LSTMLayer, length: int) -> Tensor:
        """What the inputs add to the merged input (T, B, N), bias and all -> mixed outputs (T, B, W), from silence."""
        mixed: Tensor = AttendingRecurrence.apply(  # type: ignore[no-untyped-call]
            layer.gates(merged), self._recurrent(layer), self.question, self.question_bias, self.score, self.mix,
            self.mix_bias, self.key, length,
        )  # fmt: skip
        return mixed

    def step(self, merged: Tensor, layer: LSTMLayer, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """One step: merged input (B, N), and output, cell, attended (B, W), memory and keys (B, L, W) before it.

        Returns the mixed output (B, W) and the five after it.
        """
        output, cell, attended, memory, keys = state
        x = torch.addmm(merged, attended, self.merge[self.inputs :])
        output, cell = layer.step(torch.addmm(layer.bias, torch.cat((x, output), 1), layer.kernel), cell)
        question = torch.addmm(self.question_bias, torch.cat((cell, output), 1), self.question)
        weights = ((keys + question[:, None]).tanh() @ self.score).softmax(1)
        attended = torch.bmm(weights[:, None], memory)[:, 0]
        mixed = torch.tanh(torch.addmm(self.mix_bias, torch.cat((output, attended), 1), self.mix))
        memory = torch.cat((memory[:, 1:], mixed[:, None]), 1)
        keys = torch.cat((keys[:, 1:], (mixed @ self.key)[:, None]), 1)
        return mixed, output, cell, attended, memory, keys

    def _recurrent(self, layer: LSTMLayer) -> Tensor:
        """What the last output and what it found add to the gates: (2 W, 4 W)."""
        found = self.merge[self.inputs :] @ layer.kernel[: layer.inputs]
        return torch.cat((layer.kernel[layer.inputs :], found))


class AttendingRecurrence(torch.autograd.Function):
    """The layer over all steps of B songs, from silence.

    What the inputs add to the gates (T, B, 4 W); weights (2 W, 4 W) of output and attended; the question's weights
    (2 W, W) of cell and output, and its bias; score (W,); weights (2 W, W) that mix output and attended, and their
    bias; the key's (W, W); L -> mixed outputs (T, B, W).
    """

    @staticmethod
    @in_float32
    def forward(
        ctx: Any, gates: Tensor, weights: Tensor, question: Tensor, question_bias: Tensor, score: Tensor, mix: Tensor,
        mix_bias: Tensor, key: Tensor, length: int,
    ) -> Tensor:  # fmt: skip
        """Keeps every state and every window's weights (T, B, L); what fills most memory is worked out again."""
        time, batch = gates.shape[:2]
        width = len(key)
        gates = gates.clone()
        # Row 0 of the states is the silence before the first step; the first L of memory and keys too.
        heard = gates.new_zeros(time + 1, batch, 2 * width)  # output and attended
        asked = gates.new_zeros(time + 1, batch, 2 * width)  # cell and output
        squashed = gates.new_empty(time, batch, width)
        memory, keys = (gates.new_zeros(length + time, batch, width) for _ in range(2))
        seen = gates.new_empty(length, batch, width)
        shares = gates.new_empty(time, batch, length)
        for t in range(time):
            gate = gates[t].addmm_(heard[t], weights)
            into, forget, out = gate[:, : 3 * width].sigmoid_().chunk(3, 1)
            cell, output = asked[t + 1, :, :width], asked[t + 1, :, width:]
            torch.mul(forget, asked[t, :, :width], out=cell).addcmul_(into, gate[:, 3 * width :].tanh_())
            torch.mul(out, torch.tanh(cell, out=squashed[t]), out=output)
            window = slice(t, t + length)
            torch.add(keys[window], torch.addmm(question_bias, asked[t + 1], question), out=seen).tanh_()
            torch.softmax((seen.view(-1, width) @ score).view(length, batch).t(), 1, out=shares[t])
            heard[t + 1, :, :width] = output
            heard[t + 1, :, width:] = torch.bmm(shares[t][:, None], memory[window].transpose(0, 1))[:, 0]
            now = torch.addmm(mix_bias, heard[t + 1], mix, out=memory[length + t]).tanh_()
            torch.mm(now, key, out=keys[length + t])
        ctx.save_for_backward(
            gates, heard, asked, squashed, memory, keys, shares, weights, question, question_bias, score, mix, key
        )  # fmt: skip
        return memory[length:].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Walk back over the steps; the gradient of each map is one product at the end."""
        gates, heard, asked, squashed, memory, keys, shares, weights, question, question_bias, score, mix, key = (
            ctx.saved_tensors
        )
        time, batch, width = squashed.shape
        length = shares.shape[2]
        slopes = Slopes.of(gates, asked[:-1, :, :width], squashed)
        bend = 1 - memory[length:].square()
        queries = torch.addmm(question_bias, asked[1:].view(-1, 2 * width), question).view(time, batch, width)
        seen, to_seen = (gates.new_empty(length, batch, width) for _ in range(2))
        to_gates = torch.empty_like(gates)
        to_mixed, to_questions = (torch.empty_like(squashed) for _ in range(2))
        to_memory, to_keys = (torch.zeros_like(memory) for _ in range(2))
        to_memory[length:] = gradient
        to_score = torch.zeros_like(score)
        to_cell = gates.new_zeros(batch, width)
        to_heard = gates.new_zeros(batch, 2 * width)
        for t in reversed(range(time)):
            window = slice(t, t + length)
            mixed = torch.mul(
                to_memory[length + t].addmm_(to_keys[length + t], key.t()), bend[t], out=to_mixed[t]
            )  # fmt: skip
            to_heard.addmm_(mixed, mix.t())
            to_output, to_attended = to_heard.chunk(2, 1)
            past, share = memory[window].transpose(0, 1), shares[t]
            to_share = torch.bmm(past, to_attended[:, :, None])[:, :, 0]
            to_memory[window].addcmul_(share.t()[:, :, None], to_attended)
            to_points = (share * (to_share - (share * to_share).sum(1, keepdim=True))).t().contiguous()
            torch.add(keys[window], queries[t], out=seen).tanh_()
            to_score.addmv_(seen.view(-1, width).t(), to_points.view(-1))
            torch.mul(score, to_points[:, :, None], out=to_seen)
            to_seen.addcmul_(to_seen, seen.square_(), value=-1)
            to_keys[window].add_(to_seen)
            to_question = torch.sum(to_seen, 0, out=to_questions[t])
            to_asked = to_question @ question.t()
            to_output = to_output + to_asked[:, width:]
            to_cell.add_(to_asked[:, :width])
            slopes.back(t, to_output, to_cell, to_gates[t])
            to_heard = to_gates[t] @ weights.t()
        flat = [part.reshape(-1, part.shape[-1]) for part in (heard[:-1], heard[1:], asked[1:], memory[length:])]
        flows = [part.view(-1, part.shape[-1]) for part in (to_gates, to_mixed, to_questions, to_keys[length:])]
        to_weights, to_mix, to_question, to_key = (a.t() @ b for a, b in zip(flat, flows, strict=True))
        return (
            to_gates, to_weights, to_question, flows[2].sum(0), to_score, to_mix, flows[1].sum(0), to_key, None,
        )  # fmt: skip

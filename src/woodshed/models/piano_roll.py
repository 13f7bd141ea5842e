"""A net for binary piano rolls of many tracks: LSTM over sixteenths, every step's every cell a Bernoulli variable.

One frame is a sixteenth, K = 6 steps of C cells. The LSTM reads a frame, and what was played a beat, half a bar, one,
two and four bars before the next one; from its output follow, for each cell, the chance to come on if it is off and to
stay on if it is on. Within a frame the cells are taken step after step, and within a step from the first to the last;
a note that starts moves the chances of all cells after it by fixed amounts, so that chords and parts fit together
although each cell is drawn by itself:

    off -> on   a_c(h) + p_mk(h) + sum_j g_mj(h) [it started in this very step so long ago] + sum_n u_mn(h) [it started
                at all in the last bar, in the last four] + what the notes begun in this frame do to it
    on -> on    b_c(h) + q_mk(h) - sum_j r_mj(h) [it ended in this very step so long ago]

for cell c of track m, step k. The product of all cells' chances is the exact likelihood of the roll.

References:
    Dong and Yang, "Convolutional generative adversarial networks with binary neurons for polyphonic music generation"
    (ISMIR 2018): rolls of 96 steps x 84 pitches x tracks, Bernoulli sampling and hard threshold. We differ in
    the net: theirs is a GAN of 4-bar segments, which has no likelihood and wants a GPU.
    Boulanger-Lewandowski, Bengio and Vincent, "Modeling temporal dependencies in high-dimensional sequences" (ICML
    2012): a recurrent net whose output is the parameters of a joint distribution over a frame's cells; and Neal,
    "Connectionist learning of belief networks" (1992): the fully visible sigmoid belief net that is ours.
    Waite 2016 (Lookback RNN): what was played bars ago is heard.

Shape letters: B songs, F frames, K steps in a frame, C cells, M tracks, G numbers given, J lookbacks, W width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.lstm import LSTMLayer, glorot

State = tuple[Tensor, ...]
"""Output and cell (B, W) of each layer."""
STEPS = 6
"""K"""
LOOKBACKS = (4, 8, 16, 32, 64)
"""Frames: a beat, half a bar, one, two and four bars."""
RECENT = (16, 64)
"""Frames: what was played in the last bar, in the last four bars."""
SIZE_LIMITS = {"given": (1, 4096), "cells": (1, 65536), "tracks": (1, 64), "width": (1, 4096), "embedding": (1, 4096),
               "layers": (1, 16)}  # fmt: skip
USUAL = {"given": 21, "cells": 340, "tracks": 4, "width": 192, "embedding": 96, "layers": 1}
RARE = -6.0
"""Where the logit of a start begins: nearly all cells stay off."""
HELD = 3.0
"""And that of staying on."""


@dataclass(frozen=True)
class PianoRollConfig:
    """Sizes of a `PianoRollNet`."""

    given: int
    """G, numbers known beside each frame."""
    cells: int
    """C, as many for each track."""
    tracks: int
    """M"""
    width: int = 192
    """W, of each LSTM layer."""
    embedding: int = 96
    """Numbers that a frame is summed up in before the LSTM hears it."""
    layers: int = 1
    dropout: float = 0.2

    def __post_init__(self) -> None:
        for name, (low, high) in SIZE_LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"model {name} {value!r} is outside {low}-{high}; {USUAL[name]} is usual")
        if self.cells % self.tracks:
            raise ValueError(f"model cells {self.cells} are no whole number for each of {self.tracks} tracks")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model dropout {self.dropout} is outside 0 to below 1; 0.2 is usual")

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return asdict(self)


class Chances(NamedTuple):
    """The logits of one frame before anything is played in it."""

    start: Tensor
    """(B, K, C) to come on, if off."""
    stay: Tensor
    """(B, K, C) to stay on, if on."""


class PianoRollNet(nn.Module):
    """Frames as bytes (B, F, C), bit k of which is step k -> nats.

    >>> sum(p.numel() for p in PianoRollNet(PianoRollConfig(given=21, cells=340, tracks=4)).parameters())
    1084456
    """

    name: ClassVar[str] = "piano-roll"

    def __init__(self, config: PianoRollConfig) -> None:
        super().__init__()
        self.config = config
        each, looks, recent = config.tracks, len(LOOKBACKS), len(RECENT)
        self.hear = glorot(2 * config.cells, config.embedding)
        self.recall = glorot(2 * config.cells * looks, config.embedding)
        inputs = config.given + 2 * config.embedding
        self.layers = nn.ModuleList(
            LSTMLayer(inputs if i == 0 else config.width, config.width) for i in range(config.layers)
        )
        self.sizes = (config.cells, config.cells, *[each * size for size in (STEPS, STEPS, looks, looks, recent)])
        self.output = glorot(config.width, sum(self.sizes))
        bias = torch.zeros(sum(self.sizes))
        bias[: config.cells], bias[config.cells : 2 * config.cells] = RARE, HELD
        self.output_bias = nn.Parameter(bias)
        self.beside = nn.Parameter(torch.zeros(config.cells, config.cells))
        """What a start in the same step does to the cells after it; only above the diagonal."""
        self.since = nn.Parameter(torch.zeros(config.cells, config.cells))
        """What a start in an earlier step of the frame does to all cells."""

    def nats(self, given: Tensor, frames: Tensor) -> Tensor:
        """Given (B, F, G), frames (B, F, C) -> (B, F, C) nats of each cell, summed over the steps of the frame."""
        bits, starts, before = unpacked(frames)
        logits = self.logits(given, frames, bits, starts, before)
        return F.binary_cross_entropy_with_logits(logits, bits, reduction="none").sum(2)

    def start_chances(self, given: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Of all cells that were off: the chance to come on (N,), and whether they did."""
        bits, starts, before = unpacked(frames)
        off = before == 0
        return self.logits(given, frames, bits, starts, before)[off].sigmoid(), bits[off] > 0

    def logits(self, given: Tensor, frames: Tensor, bits: Tensor, starts: Tensor, before: Tensor) -> Tensor:
        """(B, F, K, C) of each cell being on; ``bits``, ``starts``, ``before`` as `unpacked` gives them."""
        heard = _delayed(self._summary(bits, starts), 1) @ self.hear
        past = torch.cat([_delayed(self._summary(bits, starts), look) for look in LOOKBACKS], -1) @ self.recall
        x = torch.cat((given.float(), heard, past), -1).transpose(0, 1)
        for i, layer in enumerate(self._layers()):
            x = layer(layer.gates(self._drop(x) if i else x))
        ends = (1 - bits) * before
        looks = [(_delayed(starts, look), _delayed(ends, look)) for look in LOOKBACKS]
        begun = starts.amax(2)
        recent = [_within(begun, span) for span in RECENT]
        chances = self._chances(x.transpose(0, 1), looks, recent)
        start = chances.start + self._beside(starts)
        return torch.where(before > 0, chances.stay, start)

    def start(self, batch: int) -> State:
        """The state of B songs before anything was heard."""
        return tuple(self.output.new_zeros(batch, self.config.width) for _ in range(2 * self.config.layers))

    def step(self, given: Tensor, past: Tensor, recent: Tensor, state: State) -> tuple[Chances, State]:
        """Given (B, G) and what was played -> the next frame's logits, and the state after it.

        ``past`` (1 + J, B, 2, C) are the frames 1 and `LOOKBACKS` ago, each after the one before it; zeros before the
        first. ``recent`` (B, 2, C) says which cells started within the frames of `RECENT`.
        """
        bits, starts, before = (part[:, 1:] for part in unpacked(past.flatten(0, 1)))
        ends = (1 - bits) * before
        apart = (*past.shape[:2], 1, STEPS, self.config.cells)
        summary = self._summary(bits, starts).view(*past.shape[:2], -1)  # (1 + J, B, 2 C)
        recalled = torch.cat(summary[1:].unbind(0), -1) @ self.recall
        x = torch.cat((given, summary[0] @ self.hear, recalled), -1)
        after: list[Tensor] = []
        for i, layer in enumerate(self._layers()):
            output, cell = state[2 * i : 2 * i + 2]
            gates = torch.addmm(layer.bias, torch.cat((self._drop(x) if i else x, output), 1), layer.kernel)
            x, cell = layer.step(gates, cell)
            after += [x, cell]
        looks = list(zip(starts.reshape(apart)[1:], ends.reshape(apart)[1:], strict=True))
        found = self._chances(x[:, None], looks, [part[:, None] for part in recent.float().unbind(1)])
        return Chances(found.start[:, 0], found.stay[:, 0]), tuple(after)

    def _chances(self, x: Tensor, looks: list[tuple[Tensor, Tensor]], recent: list[Tensor]) -> Chances:
        """The top layer's outputs (B, F, W); starts and ends (B, F, K, C) of each lookback; recent starts (B, F, C)."""
        each = self.config.cells // self.config.tracks
        parts = torch.split(self._drop(x) @ self.output + self.output_bias, list(self.sizes), -1)
        shape = (*x.shape[:2], STEPS, self.config.tracks)
        steps = [part.view(shape).repeat_interleave(each, -1) for part in parts[2:4]]
        begin = parts[0]
        weights = parts[6].view(*x.shape[:2], len(recent), self.config.tracks).repeat_interleave(each, -1)
        for number, begun in enumerate(recent):
            begin = torch.addcmul(begin, weights[:, :, number], begun)
        start, stay = begin.unsqueeze(2) + steps[0], parts[1].unsqueeze(2) + steps[1]
        for number, (started, ended) in enumerate(looks):
            again, stop = (
                part.view(*x.shape[:2], len(looks), self.config.tracks)[:, :, number].repeat_interleave(each, -1)
                for part in parts[4:6]
            )
            start = torch.addcmul(start, again.unsqueeze(2), started)
            stay = torch.addcmul(stay, stop.unsqueeze(2), ended, value=-1)
        return Chances(start, stay)

    def _beside(self, starts: Tensor) -> Tensor:
        """(B, F, K, C) what the notes that begin in a frame add to the logits of starts after them in it.

        Few steps have any, so only these are worked out.
        """
        flat = starts.reshape(-1, starts.shape[-1])
        rows = flat.any(1).nonzero()[:, 0]
        found = flat.new_zeros(flat.shape).index_copy(0, rows, flat[rows] @ self.beside.triu(1))
        earlier = starts.cumsum(2) - starts
        later = earlier.reshape(flat.shape)
        rows = later.any(1).nonzero()[:, 0]
        found = found.index_add(0, rows, later[rows] @ self.since)
        return found.view(starts.shape)

    def _summary(self, bits: Tensor, starts: Tensor) -> Tensor:
        """(B, F, 2 C) which cells are on at the end of a frame, and which started in it."""
        return torch.cat((bits[:, :, -1], starts.amax(2)), -1)

    def _layers(self) -> list[LSTMLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.dropout) if self.training else x


def unpacked(frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bytes (B, F, C) -> cells that are on, that start, and that were on one step before; (B, F, K, C) of 0 and 1."""
    whole = frames.to(torch.uint8)
    bits = torch.stack([(whole >> k) & 1 for k in range(STEPS)], 2).float()
    last = F.pad(bits[:, :-1, -1:], (0, 0, 0, 0, 1, 0))
    before = torch.cat((last, bits[:, :, :-1]), 2)
    return bits, bits * (1 - before), before


def _delayed(rows: Tensor, frames: int) -> Tensor:
    """(B, F, ...) so many frames later, zeros first."""
    pad = (0, 0) * (rows.dim() - 2) + (frames, 0)
    return F.pad(rows, pad)[:, : rows.shape[1]]


def _within(rows: Tensor, frames: int) -> Tensor:
    """(B, F, C) whether any of so many rows before this one is above zero; 0 or 1."""
    summed = F.pad(rows.cumsum(1), (0, 0, frames + 1, 0))
    return ((summed[:, frames:-1] - summed[:, : -frames - 1]) > 0).float()

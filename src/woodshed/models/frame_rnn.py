"""A recurrent net over piano-roll frames with an autoregressive emission: the next sounding key, given those below it.

A GRU reads the frames so far. A frame to come is a short sequence of symbols, its keys from low to high and then an
end; each is drawn from a softmax over the keys above the one before it, given the GRU's output, the keys placed so far,
and what P pointers into the past expect and how reliable they have been. Where a pointer's symbol stands, its weight
is added to the logit. The product over a frame's symbols is its exact probability.

References:
    Boulanger-Lewandowski, Bengio and Vincent, "Modeling temporal dependencies in high-dimensional sequences" (ICML
    2012): RNN-NADE, a recurrent net whose output conditions a joint distribution over a frame. We differ in the
    emission: theirs takes 88 binary decisions, ours as many as there are notes, and one more. In being told, too,
    by how much a training piece was transposed (0 for one as it is), so that what a piece teaches in one key serves
    in all, while where pieces usually lie is still known.
    Zoph and Le 2016, Merity et al. 2017 (pointer sentinel mixture): logits and copying in one distribution.

Shape letters: B pieces, T frames read, K keys, F frames scored, N symbols, P pointers, W width, D head width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

PERIODS = (2, 3, 4, 6, 8, 12, 16)
"""Frames: the place of a frame is told modulo each of them."""
OPENING = 32
"""Frames from the beginning of a piece that are told apart by number; later ones are all alike."""
MOST_PLACED = 15
"""Keys placed in a frame are counted up to this."""
SIZE_LIMITS = {"keys": (1, 88), "pointers": (1, 256), "records": (1, 64), "shifts": (1, 23), "width": (1, 4096),
               "head_width": (1, 4096), "layers": (1, 8)}  # fmt: skip
BELOW = -1e9
"""Logit of a key that cannot come, being below one that was placed."""


@dataclass(frozen=True)
class FrameRNNConfig:
    """Sizes of a `FrameRNN`."""

    pointers: int
    """P"""
    keys: int = 88
    """K"""
    records: int = 13
    """Values that a pointer's record may have."""
    shifts: int = 12
    """Transpositions that are told apart."""
    width: int = 256
    """W, of the GRU."""
    head_width: int = 256
    """D"""
    layers: int = 1
    input_dropout: float = 0.1
    """Share of the cells of a frame read that are hidden in training."""
    dropout: float = 0.3
    pointer_dropout: float = 0.1
    """Share of the pointers of each frame that are hidden in training."""

    def __post_init__(self) -> None:
        for name, (low, high) in SIZE_LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"model {name} {value!r} is outside {low}-{high}")
        for name in ("input_dropout", "dropout", "pointer_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"model {name} {getattr(self, name)} is outside 0 to below 1")


class FrameInputs(NamedTuple):
    """What the model reads: frames of B pieces, and the N symbols of all F frames that are scored, in a row."""

    frames: Tensor
    """(B, T, K) float32, 1 where a key sounds; frame t is read before the frame after it is scored."""
    first: Tensor
    """(B,) int64: the number of the first frame in its piece, 0 for the beginning."""
    shift: Tensor
    """(B,) int64: which transposition each is in."""
    scored: Tensor
    """(B, T) bool: whether the frame after each is scored; F of them."""
    records: Tensor
    """(F, P) int64: how far each pointer can be trusted."""
    frame: Tensor
    """(N,) int64, ascending: which of the F frames each symbol is of."""
    last: Tensor
    """(N,) int64: the key placed before, -1 none."""
    expected: Tensor
    """(N, P) int64: the symbol that each pointer expects, K the end of the frame, -1 nothing."""
    agrees: Tensor
    """(N, P) int64: 1 where the keys placed are those of the pointed frame."""


class FrameRNN(nn.Module):
    """`FrameInputs` -> log-probabilities (N, K + 1) of each symbol, of which the last ends the frame.

    >>> sum(p.numel() for p in FrameRNN(FrameRNNConfig(pointers=30)).parameters())
    2218715
    """

    def __init__(self, config: FrameRNNConfig) -> None:
        super().__init__()
        self.config = config
        keys, width, head, pointers = config.keys, config.width, config.head_width, config.pointers
        self.frame_in = nn.Linear(2 * keys, width)
        self.place_in, self.place_head = (nn.Embedding(sum(PERIODS), size) for size in (width, head))
        self.shift_in, self.opening_in = nn.Embedding(config.shifts, width), nn.Embedding(OPENING + 1, width)
        self.body = nn.GRU(width, width, config.layers, batch_first=True)
        self.heard, self.sounding = nn.Linear(width, head), nn.Linear(keys, head, bias=False)
        self.record_in = nn.EmbeddingBag(pointers * config.records, head, mode="sum")
        self.rows = np.cumsum((1, pointers * 2 * (keys + 2), keys, keys + 1)).tolist()
        """Where what the pointers expect, what is placed, the last key and their count begin in ``symbol_in``."""
        self.symbol_in = nn.EmbeddingBag(self.rows[-1] + MOST_PLACED + 1, head, mode="sum", padding_idx=0)
        for module in self.modules():
            if isinstance(module, nn.Embedding | nn.EmbeddingBag):
                nn.init.normal_(module.weight, std=0.1)
        nn.init.zeros_(self.symbol_in.weight[:1])
        self.norms = nn.ModuleList(nn.LayerNorm(head) for _ in range(2))
        self.middle, self.absolute, self.relative = (nn.Linear(head, n) for n in (head, keys + 1, keys))
        self.trust = nn.Linear(head, pointers)
        self.trust_of_record = nn.Parameter(torch.zeros(pointers * config.records * 2))
        nn.init.zeros_(self.trust.weight)
        nn.init.zeros_(self.trust.bias)
        offsets = torch.tensor((0, *PERIODS[:-1])).cumsum(0)
        self.register_buffer("periods", torch.stack((torch.tensor(PERIODS), offsets)), persistent=False)

    def forward(self, inputs: FrameInputs) -> Tensor:
        """(N, K + 1)"""
        if self.training:
            inputs = self._without_some_pointers(inputs)
        told = inputs.expected >= 0
        records = inputs.records + torch.arange(self.config.pointers) * self.config.records  # (F, P)
        x = self.frame_states(inputs)[inputs.scored] + self.record_in(records)  # (F, D)
        masks = [self._drop(torch.ones_like(x))[inputs.frame] if self.training else 1.0 for _ in self.norms]
        x = self.norms[0](x[inputs.frame] + self.symbol_in(self._symbol_ids(inputs)))  # (N, D)
        x = x + self.middle(F.gelu(x) * masks[0])
        x = F.gelu(self.norms[1](x)) * masks[1]
        trust = self.trust(x) + self.trust_of_record[2 * records[inputs.frame] + inputs.agrees]
        where = torch.where(told, inputs.expected, self.config.keys + 1)
        logits = F.pad(self.absolute(x), (0, 1)).scatter_add(1, where, trust * told)[:, :-1]
        return F.log_softmax(self._above(logits, self.relative(x), inputs.last), -1)

    def frame_states(self, inputs: FrameInputs) -> Tensor:
        """(B, T, D) what is known of the frame after each, but for the pointers."""
        read = F.dropout(inputs.frames, self.config.input_dropout, self.training) * self._kept()
        change = read - torch.cat((read[:, :1], read[:, :-1]), 1)
        number = inputs.first[:, None] + torch.arange(1, read.shape[1] + 1)  # (B, T) of the frame to come
        places = number[..., None] % self.periods[0] + self.periods[1]  # type: ignore[index]
        x = self.frame_in(torch.cat((read, change), -1)) + self.place_in(places).sum(2)
        x = x + self.shift_in(inputs.shift)[:, None] + self.opening_in(number.clamp(max=OPENING))
        heard, _ = self.body(self._drop(F.gelu(x)))
        known: Tensor = self.heard(self._drop(heard)) + self.sounding(read) + self.place_head(places).sum(2)
        return known

    def _symbol_ids(self, inputs: FrameInputs) -> Tensor:
        """(N, P + M + 2) rows of ``symbol_in``, M the most keys of a frame; 0 is none."""
        symbols = self.config.keys + 2
        told = torch.arange(self.config.pointers) * 2 * symbols + inputs.agrees * symbols + inputs.expected + 1
        begins = F.pad(inputs.frame[1:] != inputs.frame[:-1], (1, 0), value=True).nonzero()[:, 0]
        count = torch.arange(len(inputs.frame)) - begins[inputs.frame]  # keys placed: each frame has a first symbol
        placed = [
            torch.where(back < count, F.pad(inputs.last, (back, 0))[: len(count)] + self.rows[1], 0)
            for back in range(int(count.max()))
        ]
        last, counted = inputs.last + 1 + self.rows[2], count.clamp(max=MOST_PLACED) + self.rows[3]
        return torch.cat((told + self.rows[0], torch.stack((*placed, last, counted), 1)), 1)

    def _above(self, absolute: Tensor, relative: Tensor, last: Tensor) -> Tensor:
        """(N, K + 1) logits by key, those by distance from the last key added, and no key at or below it."""
        keys = torch.arange(self.config.keys)
        distance = keys - last[:, None] - 1
        by_distance = F.pad(relative.gather(1, distance.clamp(min=0)), (0, 1))
        return (absolute + by_distance).masked_fill(F.pad(distance < 0, (0, 1)), BELOW)

    def _without_some_pointers(self, inputs: FrameInputs) -> FrameInputs:
        hidden = torch.rand(inputs.records.shape) < self.config.pointer_dropout
        expected = inputs.expected.masked_fill(hidden[inputs.frame], -1)
        return inputs._replace(records=inputs.records.masked_fill(hidden, 0), expected=expected)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.dropout, self.training)

    def _kept(self) -> float:
        """Dropout scales what is left of its input; a frame's cells stay 0 and 1."""
        return 1 - self.config.input_dropout if self.training else 1.0

"""The factorised emission: the TCN as published (Bai, Kolter and Koltun, 2018), trained anew under its own protocol.

Each of a frame's 88 keys is drawn by itself, given the frames before: four levels of two causal convolutions (150
channels, kernel 5, dilations 1, 2, 4, 8), weight-normalised, dropout 0.25, Adam at 0.001. We differ in the batch (four
pieces, theirs one) and in the learning rate (a third where validation has not improved for four epochs; theirs a tenth
at a worse epoch); the gradient is clipped at 0.5 (theirs at 0.2, before it is computed, which does nothing).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from rolls import KEYS
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from woodshed.codecs.frame_past import Roll

CHANNELS, KERNEL, LEVELS, DROPOUT = 150, 5, 4, 0.25
RATE, BATCH, PATIENCE, LONGEST = 1e-3, 4, 4, 400


class TCN(nn.Module):
    """Frames (B, T, 88) -> logits (B, T, 88) of the keys of the frame after each."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [KEYS] + [CHANNELS] * LEVELS
        self.first = nn.ModuleList(_causal(sizes[i], 2**i) for i in range(LEVELS))
        self.second = nn.ModuleList(_causal(CHANNELS, 2**i) for i in range(LEVELS))
        self.beside = nn.Conv1d(KEYS, CHANNELS, 1)
        self.output = nn.Linear(CHANNELS, KEYS)

    def forward(self, frames: Tensor) -> Tensor:
        x = frames.transpose(1, 2)  # (B, channels, T)
        for level, (first, second) in enumerate(zip(self.first, self.second, strict=True)):
            y = x
            for layer in (first, second):
                y = F.relu(layer(F.pad(y, ((KERNEL - 1) * 2**level, 0))))
                y = F.dropout(y, DROPOUT, self.training)
            x = F.relu(y + (x if level else self.beside(x)))
        logits: Tensor = self.output(x.transpose(1, 2))
        return logits


def _causal(channels: int, dilation: int) -> nn.Module:
    layer = nn.Conv1d(channels, CHANNELS, KERNEL, dilation=dilation)
    nn.init.normal_(layer.weight, std=0.01)
    return weight_norm(layer)


def train_tcn(learned: Sequence[Roll], held_out: Sequence[Roll], minutes: float, seed: int) -> tuple[TCN, float]:
    """A net, the one of all epochs that is best on ``held_out``, and its nats per frame there."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = TCN()
    best, least, since = copy.deepcopy(net.state_dict()), math.inf, 0
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    end = time.process_time() + 60 * minutes
    while time.process_time() < end:
        net.train()
        order = rng.permutation(len(learned))
        for start in range(0, len(order), BATCH):
            nats, frames = _nats(net, [learned[i][:LONGEST] for i in order[start : start + BATCH]])
            optimizer.zero_grad()
            (nats / frames).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
        found = tcn_nats(net, held_out)
        since += 1
        if found < least:
            least, best, since = found, copy.deepcopy(net.state_dict()), 0
        elif since == PATIENCE:
            optimizer.param_groups[0]["lr"] /= 3
            since = 0
        print(f"  TCN: validation {found:.4f}", flush=True)
    net.load_state_dict(best)
    return net, least


@torch.no_grad()
def tcn_nats(net: TCN, rolls: Sequence[Roll]) -> float:
    """Nats per frame: those of frames 2..T of all pieces, by the number of these frames."""
    net.eval()
    sums = [_nats(net, [roll]) for roll in rolls]
    return float(sum(nats for nats, _ in sums)) / sum(frames for _, frames in sums)


def _nats(net: TCN, rolls: Sequence[Roll]) -> tuple[Tensor, int]:
    """All nats of frames 2..T, and how many frames these are."""
    longest = max(len(roll) for roll in rolls)
    frames, known = torch.zeros(len(rolls), longest, KEYS), torch.zeros(len(rolls), longest - 1, 1)
    for row, roll in enumerate(rolls):
        frames[row, : len(roll)] = torch.from_numpy(roll.astype(np.float32))
        known[row, : len(roll) - 1] = 1
    each = F.binary_cross_entropy_with_logits(net(frames[:, :-1]), frames[:, 1:], reduction="none")
    return (each * known).sum(), int(known.sum())

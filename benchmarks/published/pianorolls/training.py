"""Train one net for so many minutes of processor time; keep the average of its weights that is best on validation."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rolls import Batch, Stretch, batches, stretches, whole
from torch import Tensor, nn

from woodshed.codecs.frame_past import Study
from woodshed.models.frame_rnn import FrameRNN, FrameRNNConfig

EVALUATIONS = 8
"""Looks at the validation set, the last at the end; none in the first third."""
WARM_UP = 200
"""Steps."""
LAST_RATE = 0.02
"""Of the learning rate, at the end of a half cosine."""


@dataclass(frozen=True)
class Plan:
    """How one net is trained."""

    minutes: float
    """Of processor time on one core."""
    rate: float = 2e-3
    batch: int = 8
    """Stretches."""
    longest: int = 192
    """Frames of a stretch."""
    transposed: float = 0.9
    """Share of the stretches."""
    decay: float = 0.01
    """Of AdamW."""
    average: float = 0.995
    """Share of the averaged weights that stays at each step."""


def train(
    config: FrameRNNConfig, plan: Plan, learned: Sequence[Study], held_out: Sequence[Study], seed: int
) -> tuple[FrameRNN, float]:
    """A net, and its nats per frame on ``held_out``."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = FrameRNN(config)
    average, best, least = copy.deepcopy(net).eval(), copy.deepcopy(net.state_dict()), math.inf
    optimizer = torch.optim.AdamW(net.parameters(), plan.rate, betas=(0.9, 0.98), weight_decay=plan.decay, fused=True)
    start, step, looked = time.process_time(), 0, EVALUATIONS // 3
    done = 0.0
    while done < 1:
        for batch in batches(stretches(learned, plan.longest, plan.transposed, rng), plan.batch):
            done = (time.process_time() - start) / (60 * plan.minutes)
            if done >= 1:
                break
            wave = (1 + math.cos(math.pi * done)) / 2
            optimizer.param_groups[0]["lr"] = (
                plan.rate * min(1, (step + 1) / WARM_UP) * (LAST_RATE + (1 - LAST_RATE) * wave)
            )
            learn(net, optimizer, batch)
            step += 1
            follow(average, net, min(plan.average, (1 + step) / (10 + step)))
        if done >= (looked + 1) / EVALUATIONS:
            looked = int(done * EVALUATIONS)
            nats = nats_per_frame(average, whole(held_out))
            print(f"  seed {seed}: {done:4.0%}, {step} steps, validation {nats:.4f}", flush=True)
            if nats < least:
                least, best = nats, copy.deepcopy(average.state_dict())
    average.load_state_dict(best)
    return average, least


def learn(net: FrameRNN, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    """One step."""
    net.train()
    loss = -_of_targets(net, batch).sum() / len(batch.inputs.records)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()


@torch.no_grad()
def follow(average: FrameRNN, net: FrameRNN, stays: float) -> None:
    """Move the averaged weights towards those of today."""
    torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), 1 - stays)


@torch.no_grad()
def frame_nats(net: FrameRNN, items: Sequence[Stretch], size: int = 8) -> Tensor:
    """(F,) nats of each scored frame, piece after piece."""
    net.eval()
    found = []
    for batch in batches(items, size):
        nats = torch.zeros(len(batch.inputs.records), dtype=torch.float64)
        found.append(nats.index_add(0, batch.inputs.frame, -_of_targets(net, batch).double()))
    return torch.cat(found)


def nats_per_frame(net: FrameRNN, items: Sequence[Stretch]) -> float:
    """The published measure: all nats by all frames."""
    return float(frame_nats(net, items).mean())


def _of_targets(net: FrameRNN, batch: Batch) -> Tensor:
    found: Tensor = net(batch.inputs).gather(1, batch.target[:, None])[:, 0]
    return found

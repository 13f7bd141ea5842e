"""Learn a `woodshed.models.drum_touch.DrumTouch`: from the score of a take, how late and how loud each hit is played.

Each of its quantiles is learned by the pinball loss, which for the median is half the absolute error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from takes import BAR_STEPS, CLASSES, FEEL, Take
from torch import Tensor, nn

from woodshed.codecs.drum_score import drum_score, lane_kinds
from woodshed.models.drum_touch import DrumTouch
from woodshed.models.drum_touch_sizes import MEDIAN, QUANTILES, UNIT, DrumTouchConfig

OF_MEDIAN = 4.0
"""How much more the median counts than each other quantile."""


@dataclass(frozen=True)
class Plan:
    """How a net is learned."""

    width: int = 96
    steps: int = 2400
    batch: int = 16
    crop_bars: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.2
    dropout: float = 0.4
    lane_dropout: float = 0.1
    """Share of drum kinds that are left out of a crop, from the score as from what is asked."""
    tempo_jitter: float = 0.03
    """Standard deviation of what is added to the logarithm of the tempo that is told."""
    with_pitches: bool = True
    """Whether the pads of a kind of drum (head, rim, bow, bell, edge) are told apart."""


def score_of(take: Take, pitches: Sequence[int]) -> NDArray[np.float32]:
    """(rows, steps)"""
    return drum_score(take.hits["step"], take.hits["pitch"], take.steps, pitches)


def feel_of(take: Take) -> NDArray[np.float32]:
    """(2, 9, steps) `FEEL` of each hit, nan where none is."""
    wanted = np.full((len(FEEL), CLASSES, take.steps), np.nan, np.float32)
    for row, name in enumerate(FEEL):
        wanted[row, take.hits["drum"], take.hits["step"]] = take.hits[name]
    return wanted


def learn(
    config: DrumTouchConfig, takes: Sequence[Take], plan: Plan, seed: int, on_step: Callable[[], None] | None = None
) -> DrumTouch:
    """A net for these takes; ``on_step`` is called after every step."""
    rng, kinds = np.random.default_rng(seed), lane_kinds(config.pitches)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = DrumTouch(config, plan.dropout)
        ready = [(score_of(take, config.pitches), feel_of(take), float(np.log(take.bpm))) for take in takes]
        optimiser = torch.optim.AdamW(net.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, plan.steps, pct_start=0.1)
        weights = np.array([take.steps for take in takes], float) + plan.crop_bars * BAR_STEPS / 2
        for _ in range(plan.steps):
            batch = [
                crop(*ready[k], kinds, plan, rng) for k in rng.choice(len(ready), plan.batch, p=weights / weights.sum())
            ]
            score, wanted, tempo = (torch.from_numpy(np.stack(column)) for column in zip(*batch, strict=True))
            loss = pinball(net(score, tempo), wanted)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            if on_step is not None:
                on_step()
    return net.eval()


def pinball(told: Tensor, wanted: Tensor) -> Tensor:
    """Mean over hits of the loss of both fields, each in its `UNIT`; told (B, 2, 9, Q, T), wanted (B, 2, 9, T)."""
    levels = told.new_tensor(QUANTILES)[:, None]
    shares = torch.ones_like(levels)
    shares[MEDIAN] = OF_MEDIAN
    over = (wanted.nan_to_num()[:, :, :, None] - told) / told.new_tensor(UNIT)[:, None, None, None]
    losses = (2 * torch.maximum(levels * over, (levels - 1) * over) * shares / shares.sum()).sum(3)
    is_hit = ~wanted.isnan()
    return losses[is_hit].sum() / is_hit[:, 0].sum().clamp(min=1)


def crop(
    score: NDArray[np.float32],
    feel: NDArray[np.float32],
    log_tempo: float,
    kinds: NDArray[np.int64],
    plan: Plan,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32], np.float32]:
    """Some bars of a take, some ``kinds`` of drum left out; short takes are filled up with silence."""
    size = plan.crop_bars * BAR_STEPS
    start = BAR_STEPS * int(rng.integers(max(score.shape[1] - size, 0) // BAR_STEPS + 1))
    missing = max(start + size - score.shape[1], 0)
    cut = np.pad(score[:, start : start + size], ((0, 0), (0, missing)))
    wanted = np.pad(feel[:, :, start : start + size], ((0, 0), (0, 0), (0, missing)), constant_values=np.nan)
    gone = rng.random(CLASSES) < plan.lane_dropout
    wanted[:, gone] = np.nan
    cut[: len(kinds)][gone[kinds]] = 0
    return cut, wanted, np.float32(log_tempo + plan.tempo_jitter * rng.standard_normal())

"""A small net that reads the score of a whole take, both ways, and says how late and how loud each hit is played.

It is learned by mean absolute error, so it foretells the conditional median, which errs least. A score is which drums
are hit on which sixteenth, and the tempo: no drummer, style or title.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from takes import BAR_STEPS, CLASSES, FEEL, Take
from torch import Tensor, nn

from woodshed.codecs.clip_drums import CLASS_OF

DILATIONS = (1, 2, 4, 8, 16, 32, 64)
UNIT = torch.tensor([20.0, 25.0])
"""Of `FEEL`, so that an error of 1 is about a table's."""
MIDDLE = torch.tensor([-9.0, 64.0])


TEMPI = 10
KNOTS = torch.linspace(float(np.log(50)), float(np.log(250)), TEMPI)
"""Logarithms of the tempi, nearness to which is told to a net."""
PLACES = slice(-BAR_STEPS - 4, -4)
"""Rows of a score that say which sixteenth of the bar it is."""


@dataclass(frozen=True)
class Plan:
    """How a net is learned."""

    width: int = 48
    steps: int = 900
    batch: int = 16
    crop_bars: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    dropout: float = 0.2
    lane_dropout: float = 0.1
    """Share of drum kinds that are left out of a crop, from the score as from what is asked."""
    tempo_jitter: float = 0.03
    """Standard deviation of what is added to the logarithm of the tempo that is told."""
    with_pitches: bool = True
    """Whether the pads of a kind of drum (head, rim, bow, bell, edge) are told apart."""


class Scores:
    """Takes as arrays for a net, which tells apart the nine kinds of drum, and these ``pitches``."""

    def __init__(self, pitches: Sequence[int] | NDArray[np.integer]) -> None:
        self.pitches = np.asarray(pitches, np.int64)
        self.kinds = np.append(np.arange(CLASSES), CLASS_OF[self.pitches])
        """(9 + pitches,) index into `DRUM_CLASSES` of each of the first rows of `score`."""

    @property
    def rows(self) -> int:
        """Channels of `score`."""
        return CLASSES + len(self.pitches) + BAR_STEPS + 4

    def score(self, take: Take) -> NDArray[np.float32]:
        """(rows, steps): hits by kind and by pitch, place in the bar, nearness of both ends, bar of four, length."""
        hits, steps = take.hits, take.steps
        grid = np.zeros((self.rows, steps), np.float32)
        grid[hits["drum"], hits["step"]] = 1
        for lane, pitch in enumerate(self.pitches):
            grid[CLASSES + lane, hits["step"][hits["pitch"] == pitch]] = 1
        time, base = np.arange(steps), CLASSES + len(self.pitches)
        grid[base + time % BAR_STEPS, time] = 1
        grid[base + BAR_STEPS] = np.exp(-time / 32)
        grid[base + BAR_STEPS + 1] = np.exp(-(steps - 1 - time) / 32)
        grid[base + BAR_STEPS + 2] = np.cos(2 * np.pi * time / 64)
        grid[base + BAR_STEPS + 3] = np.log(steps / 256) / 2
        return grid

    @staticmethod
    def feel(take: Take) -> NDArray[np.float32]:
        """(2, 9, steps) `FEEL` of each hit, nan where none is."""
        wanted = np.full((len(FEEL), CLASSES, take.steps), np.nan, np.float32)
        for row, name in enumerate(FEEL):
            wanted[row, take.hits["drum"], take.hits["step"]] = take.hits[name]
        return wanted


class ChannelNorm(nn.LayerNorm):
    """Of (B, W, T) over W, so that what is far away, such as the silence after a short take, does not matter."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Block(nn.Module):
    """A residual convolution over three steps, so many apart."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = ChannelNorm(width)
        self.wide = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.mix(self.dropout(F.gelu(self.wide(self.norm(x)))))
        return out


class FeelNet(nn.Module):
    """(B, rows, T) scores and (B,) logarithms of tempo -> (B, 2, 9, T) `FEEL` of whatever is hit."""

    def __init__(self, rows: int, plan: Plan) -> None:
        super().__init__()
        width = plan.width
        self.begin = nn.Conv1d(rows + TEMPI, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width, dilation, plan.dropout) for dilation in DILATIONS)
        self.whole = nn.Linear(width, width)
        self.norm = ChannelNorm(width)
        self.end = nn.Conv1d(width, 2 * CLASSES, 1)
        nn.init.normal_(self.end.weight, std=0.02)
        nn.init.zeros_(self.end.bias)

    def forward(self, score: Tensor, log_tempo: Tensor) -> Tensor:
        tempo = torch.exp(-((log_tempo[:, None] - KNOTS) ** 2) / (2 * 0.15**2))  # (B, TEMPI)
        x = self.begin(torch.cat((score, tempo[:, :, None].expand(-1, -1, score.shape[2])), 1))
        is_there = score[:, PLACES].sum(1, keepdim=True)  # (B, 1, T), 0 where a short take is over
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == len(DILATIONS) // 2:
                x = x + self.whole((x * is_there).sum(2) / is_there.sum(2))[:, :, None]
        told: Tensor = self.end(self.norm(x)).unflatten(1, (2, CLASSES))
        return told * UNIT[:, None, None] + MIDDLE[:, None, None]


def learn(
    scores: Scores, takes: Sequence[Take], plan: Plan, seed: int, on_step: Callable[[], None] | None = None
) -> FeelNet:
    """A net for these takes; ``on_step`` is called after every step."""
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = FeelNet(scores.rows, plan)
        ready = [(scores.score(take), scores.feel(take), float(np.log(take.bpm))) for take in takes]
        optimiser = torch.optim.AdamW(net.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.learning_rate, plan.steps, pct_start=0.1)
        weights = np.array([take.steps for take in takes], float) + plan.crop_bars * BAR_STEPS / 2
        for _ in range(plan.steps):
            batch = [
                crop(*ready[k], scores.kinds, plan, rng)
                for k in rng.choice(len(ready), plan.batch, p=weights / weights.sum())
            ]
            score, wanted, tempo = (torch.from_numpy(np.stack(column)) for column in zip(*batch, strict=True))
            loss = absolute_error(net(score, tempo), wanted)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            if on_step is not None:
                on_step()
    return net.eval()


def absolute_error(told: Tensor, wanted: Tensor) -> Tensor:
    """Mean over hits of both errors, each in its `UNIT`."""
    is_hit = ~wanted.isnan()
    errors = (told - wanted.nan_to_num()).abs() / UNIT[:, None, None]
    return errors[is_hit].sum() / is_hit[:, 0].sum().clamp(min=1)


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


@torch.inference_mode()
def guesses_of_net(net: FeelNet, scores: Scores, take: Take) -> NDArray[np.float64]:
    """(2, hits) `FEEL` that a net foretells; velocities within 1-127."""
    net.eval()
    told = net(torch.from_numpy(scores.score(take))[None], torch.tensor([np.log(take.bpm)], dtype=torch.float32))[0]
    found = told[:, take.hits["drum"].astype(np.int64), take.hits["step"].astype(np.int64)].double().numpy()
    found[1] = found[1].clip(1, 127)
    return found

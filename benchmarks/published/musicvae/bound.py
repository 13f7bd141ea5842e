"""How many bits do 16-bar drums need at all? A law without a space: each step given the steps before. See README.md.

    .venv/bin/python benchmarks/published/musicvae/bound.py          # some 10 minutes on one core

A net reads held-out clips step by step; what a clip costs is what it costs to send it by that law. Then the steps that
cost most over the likeliest ones are changed to these until so many tokens are wrong, and what is left is priced again:
a code that anyone could send and read. Writes bound.csv.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
from collections.abc import Sequence

import numpy as np
import torch
from barwise import varied
from clips import HERE, clips_of
from numpy.typing import NDArray
from rich.progress import Progress
from run import BAR_SETS, MOST_MEASURED, WORK
from strokes import DRUMS, POINTED, Pointers, Strokes, earlier, hits_of
from torch import Tensor, nn

from woodshed.codecs.clips import BAR_STEPS
from woodshed.evaluation.bootstrap import mean_interval

LAGS = (1, 2, BAR_STEPS, 2 * BAR_STEPS, 4 * BAR_STEPS, 8 * BAR_STEPS)
"""Steps back that the recurrent net is shown."""
HEARD_AGAIN = (BAR_STEPS, 2 * BAR_STEPS, 4 * BAR_STEPS, BAR_STEPS - 1, BAR_STEPS - 2)
"""Those that its heads are shown beside it: the bars before, and what came after this step in the bar before."""
RIGHT = (1.0, 0.95, 0.9)
RATE, BATCH, AVERAGING, CLIP, DECAY = 3e-3, 16, 0.99, 1.0, 0.02


class Law(nn.Module):
    """Logits (B, T, 9) of each drum, given all steps before and the drums before it in its step."""

    def __init__(self, width: int = 192, own: int = 48, dropout: float = 0.3) -> None:
        super().__init__()
        self.place, self.bar = nn.Embedding(BAR_STEPS, 32), nn.Embedding(16, 16)
        self.pointers = Pointers()
        self.read = nn.Linear(DRUMS * len(LAGS) + POINTED + 48, width)
        self.walk = nn.GRU(width, width, batch_first=True)
        self.hear = nn.Linear(width + DRUMS * len(HEARD_AGAIN) + POINTED + 32, width)
        self.drop = nn.Dropout(dropout)
        self.strokes = Strokes(width, own)

    def forward(self, hits: Tensor, own: Tensor | None = None) -> Tensor:
        """``own`` (B, T, 9) stands for the drums of each step itself, if it is not that of ``hits``."""
        batch, steps, _ = hits.shape
        at = torch.arange(steps)
        place = self.place(at % BAR_STEPS).expand(batch, -1, -1)
        bar = self.bar(at // BAR_STEPS % 16).expand(batch, -1, -1)
        pointed = self.pointers(hits)
        read = torch.cat([*(earlier(hits, lag) for lag in LAGS), pointed, place, bar], -1)
        state, _ = self.walk(self.drop(torch.relu(self.read(read))))
        again = (earlier(hits, lag) for lag in HEARD_AGAIN)
        state = torch.relu(self.hear(torch.cat([self.drop(state), *again, pointed, place], -1)))
        found: Tensor = self.strokes(state, hits if own is None else own)
        return found


def cost(logits: Tensor, hits: Tensor) -> Tensor:
    """(B, T) bits of each step."""
    return nn.functional.binary_cross_entropy_with_logits(logits, hits, reduction="none").sum(-1) / math.log(2)


def bits(law: Law, hits: Tensor) -> Tensor:
    """(B, T) what each step costs by the law."""
    return cost(law(hits), hits)


def learn(sets: Sequence[NDArray[np.int64]], steps: int, seed: int) -> Law:
    """From clips (N, T) of several sets, as many of each in a batch."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    law = Law().train()
    average = copy.deepcopy(law).eval()
    optimiser = torch.optim.AdamW(law.parameters(), RATE, weight_decay=DECAY)
    with Progress() as progress:
        for step in progress.track(range(steps), description="learning"):
            for group in optimiser.param_groups:
                group["lr"] = RATE * min(1, step / 50) * (1 - step / steps) ** 0.7
            batch = [varied(hits_of(one[rng.integers(len(one), size=BATCH)]), rng) for one in sets]
            loss = bits(law, torch.cat(batch)).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(law.parameters(), CLIP)
            optimiser.step()
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), law.parameters(), strict=True):
                    slow.lerp_(fast, 1 - min(AVERAGING, (1 + step) / (10 + step)))
    return average


@torch.inference_mode()
def coded(law: Law, hits: Tensor, right: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(B,) the share of tokens that come back of each clip, about ``right`` over all, and (B,) what that costs."""
    likely = torch.zeros_like(hits)
    for drum in range(DRUMS):
        likely[..., drum] = (law(hits, likely)[..., drum] > 0).float()
    saved = bits(law, hits) - cost(law(hits, likely), likely)
    saved[(likely == hits).all(-1)] = -math.inf
    changed = round((1 - right) * saved.numel())
    sent = hits.clone()
    if changed:
        given_up = saved >= saved.flatten().topk(changed).values[-1]
        sent[given_up] = likely[given_up]
    same = (sent == hits).all(-1).double().mean(1)
    return same.numpy(), bits(law, sent).sum(1).double().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    sets = {data: clips_of("16-bar drums", data, WORK) for data in BAR_SETS}
    law = learn([clips.learned[:, 0] for clips in sets.values()], options.steps, options.seed)
    for data, clips in sets.items():
        few = slice(None, None, -(-len(clips.held_out) // MOST_MEASURED))
        hits, song = hits_of(clips.held_out[few, 0]), clips.song[few].tolist()
        for right in RIGHT:
            same, price = coded(law, hits, right)
            told = mean_interval(price, song, np.random.default_rng(0))
            figures = [f"{value:.1f}" for value in (told.mean, told.low, told.high, np.median(price))]
            rows.append((data, options.steps, len(price), len(set(song)), f"{same.mean():.4f}", *figures))
            print(*rows[-1], flush=True)
    with (HERE / "bound.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("data", "steps", "clips", "songs", "right", "bits", "bits_low", "bits_high", "bits_median"))
        writer.writerows(rows)


if __name__ == "__main__":
    main()

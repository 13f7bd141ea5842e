"""How well does a soprano alone tell alto, tenor and bass, each cell by itself?

A net that reads the whole soprano both ways and gives every cell of the other voices without seeing any other of them,
as a plain network would: what the published MLP's 1.735 nats and 41.7 % count. Writes `alone.csv`; eight minutes on
one core.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pieces import HERE, grids
from torch import Tensor, nn

LOWEST, HIGHEST = 28, 90
CELLS = HIGHEST - LOWEST + 2
"""A rest, and each pitch."""
PLACES = 16


class Alone(nn.Module):
    """(B, T) soprano cells -> (B, T, 3, CELLS) logits of alto, tenor and bass."""

    def __init__(self, width: int = 192, dropout: float = 0.4) -> None:
        super().__init__()
        self.pitch, self.tone = nn.Embedding(CELLS, 64), nn.Embedding(13, 32)
        self.place, self.struck = nn.Embedding(PLACES, 32), nn.Embedding(2, 16)
        self.body = nn.LSTM(144, width, 2, batch_first=True, bidirectional=True, dropout=dropout)
        self.dropout, self.out = nn.Dropout(dropout), nn.Linear(2 * width, 3 * CELLS)

    def forward(self, soprano: Tensor) -> Tensor:
        place = (torch.arange(soprano.shape[1]) % PLACES).expand_as(soprano)
        struck = nn.functional.pad((soprano[:, 1:] != soprano[:, :-1]).long(), (1, 0), value=1)
        tone = torch.where(soprano == 0, 12, (soprano - 1 + LOWEST) % 12)
        told = torch.cat((self.pitch(soprano), self.tone(tone), self.place(place), self.struck(struck)), -1)
        logits: Tensor = self.out(self.dropout(self.body(self.dropout(told))[0]))
        return logits.unflatten(-1, (3, CELLS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    net = train(Alone(), list(grids("train")), options.steps, np.random.default_rng(options.seed))
    with (HERE / "alone.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("split", "figure", "value"))
        for split in ("valid", "test"):
            for figure, value in measured(net, list(grids(split))).items():
                writer.writerow((split, figure, f"{value:.4f}"))
                print(split, figure, f"{value:.4f}", flush=True)


def train(net: Alone, pieces: Sequence[NDArray[np.int64]], steps: int, chance: np.random.Generator) -> Alone:
    """Eight pieces a step, each in a key of its own."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(step / 50, 1) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        chosen = chance.integers(0, len(pieces), 8)
        cells, there = side_by_side([pieces[at] for at in chosen], chance.integers(-6, 6, 8))
        nats = -said(net, cells)
        loss = (nats * there[..., None]).sum() / (3 * there.sum())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return net.eval()


def side_by_side(pieces: Sequence[NDArray[np.int64]], moved: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """(B, T, 4) cells, 0 for rests, and (B, T) 1 where a piece has a frame."""
    most = max(map(len, pieces))
    cells, there = torch.zeros(len(pieces), most, 4, dtype=torch.int64), torch.zeros(len(pieces), most)
    for at, (piece, move) in enumerate(zip(pieces, moved.tolist(), strict=True)):
        found = np.where(piece < 0, 0, np.clip(piece + move - LOWEST + 1, 1, CELLS - 1))
        cells[at, : len(piece)], there[at, : len(piece)] = torch.from_numpy(found), 1
    return cells, there


def said(net: Alone, cells: Tensor) -> Tensor:
    """(B, T, 3) log-chances of the cells below the soprano."""
    return net(cells[..., 0]).log_softmax(-1).gather(-1, cells[..., 1:, None])[..., 0]


@torch.no_grad()
def measured(net: Alone, pieces: Sequence[NDArray[np.int64]]) -> dict[str, float]:
    """Means over all cells of alto, tenor and bass."""
    found = []
    for piece in pieces:
        cells, _ = side_by_side([piece], np.zeros(1, np.int64))
        logs = net(cells[..., 0]).log_softmax(-1)
        true = logs.gather(-1, cells[..., 1:, None])[..., 0]
        found.append(torch.stack((-true, true.exp(), (logs.argmax(-1) == cells[..., 1:]).float()), -1).reshape(-1, 3))
    nats, drawn, likeliest = torch.cat(found).mean(0).tolist()
    return {"nats per cell": nats, "cells that agree, drawn": drawn, "cells that agree, the likeliest": likeliest}


if __name__ == "__main__":
    main()

"""Training nets of four voices on a grid: whole pieces, in any key and any order of the voices, a count of steps.

With few pieces a net soon knows them by heart. Against that: strong weight decay, a narrow LSTM, dropout, other keys,
other orders of the voices, an average of the weights. Pointers never show a piece itself (`Listener`'s ``own``), so
that a net learns to trust them as far as new pieces will bear.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from woodshed.codecs.voice_grid import HISTORY_AT, POINTERS, REST, ROW, UNKNOWN, VOICES, Passages, listen
from woodshed.codecs.voice_grid_ahead import ahead
from woodshed.codecs.voice_grid_counts import Counted, Counts
from woodshed.errors import OutOfRange
from woodshed.models.voice_grid import SHIFTS, CountedBatch, VoiceGridNet
from woodshed.training.memory import keep_freed_memory
from woodshed.training.precision import lower_precision

Order = tuple[int, ...]
ORDERS: tuple[Order, ...] = ((0, 3, 1, 2), (3, 0, 1, 2), (0, 3, 2, 1), (3, 0, 2, 1), (0, 1, 2, 3), (3, 2, 1, 0))
"""Of soprano (0), alto, tenor and bass (3): an outer voice comes first."""
ORDERS_SHOWN: tuple[Order, ...] = tuple(order for order in ORDERS if order[0] == 0)
"""Those that begin with the voice that is shown."""
_POINTERS = slice(HISTORY_AT - 2 * VOICES * POINTERS, HISTORY_AT)
Asked = tuple[int, frozenset[int]]
"""A voice, and which are decided when it is asked for."""


class Told(NamedTuple):
    """What was counted for one voice in each frame of a piece."""

    logs: NDArray[np.float16]
    """(T, K, M)"""
    trust: NDArray[np.uint8]
    """(T, K)"""


class Piece(NamedTuple):
    """A piece and what is known before each of its frames."""

    cells: NDArray[np.int64]
    """(T, 4), or (T, 5) with the classes of chords for a net that is told them."""
    rows: NDArray[np.int16]
    """(T, ROW), or wider where the soprano is shown"""
    told: dict[Asked, Told]
    """Of all that `ORDERS` ask; empty where nothing was counted."""


class Batch(NamedTuple):
    """Pieces side by side, the shorter ones filled up at their end."""

    rows: Tensor
    """(B, T, R) int64"""
    cells: Tensor
    """(B, T, 4) or (B, T, 5) int64"""
    there: Tensor
    """(B, T) float32: 1 where a piece has a frame."""
    order: Order
    """Of the voices of a frame."""
    counted: dict[int, CountedBatch]
    """Of each voice, as it is asked for in that order; empty where nothing was counted."""

    def nats(self, net: VoiceGridNet, shift: Tensor) -> Tensor:
        """(B, T, 4) or (B, T, 5) of each cell, pieces moved by (B,) semitones."""
        return net.nats(self.rows, self.cells, shift, self.order, self.counted)


@dataclass(frozen=True)
class VoiceGridTraining:
    """How long, how fast and with what chance to train."""

    steps: int = 2400
    batch: int = 6
    """Pieces in a step."""
    learning_rate: float = 2e-3
    warm_up: float = 0.03
    """Share of the steps in which the learning rate rises; then it falls along a cosine."""
    weight_decay: float = 4.0
    averaging: float = 0.998
    """How slowly the weights that are kept follow those that learn."""
    alone: float = 0.05
    """Share of the pieces that are learned without pointers into other pieces, so that a net can do without."""
    clip: float = 1.0
    precision: str = "bfloat16"
    """Of products in training; scores are in float32."""
    evaluations: int = 8
    seed: int = 0


def as_pieces(
    grids: Sequence[NDArray[np.int64]], passages: Passages, learned: bool, shown: bool = False
) -> list[Piece]:
    """Grids and their rows.

    Args:
        grids: (T, 4) cells of each piece.
        passages: of learned pieces.
        learned: they are the very pieces, in order, of the passages.
        shown: rows also tell what is ahead in the soprano.
    """
    pieces = [Piece(cells, listen(cells, passages, at if learned else None), {}) for at, cells in enumerate(grids)]
    return [_shown(piece) for piece in pieces] if shown else pieces


def _shown(piece: Piece) -> Piece:
    return piece._replace(rows=np.column_stack((piece.rows, ahead(piece.cells[:, 0]))))


def count(pieces: Sequence[Piece], fewest: int = 1) -> Counts:
    """The counts of pieces that are learned, of what at least so many of them share."""
    return Counts([piece.rows for piece in pieces], [piece.cells for piece in pieces], fewest)


def with_counts(pieces: Sequence[Piece], counts: Counts, learned: bool) -> list[Piece]:
    """Pieces that are told what was counted; ``learned`` says that they are those, in order, that were counted."""
    told: list[dict[Asked, Told]] = [{} for _ in pieces]
    ends = np.cumsum([len(piece.cells) for piece in pieces])[:-1]
    shown = pieces[0].rows.shape[1] > ROW
    orders, first = (ORDERS_SHOWN, 1) if shown else (ORDERS, 0)
    for voice, decided in {(order[at], frozenset(order[:at])): None for order in orders for at in range(first, VOICES)}:
        others = sorted(decided)
        if learned:
            whole = counts.of_learned(voice, others)
            found = [
                Counted(*some) for some in zip(np.split(whole.logs, ends), np.split(whole.trust, ends), strict=True)
            ]
        else:
            found = [counts.of_piece(piece.rows.astype(np.int64), piece.cells, voice, others) for piece in pieces]
        for some, counted in zip(told, found, strict=True):
            some[voice, decided] = Told(counted.logs.astype(np.float16), counted.trust)
    return [piece._replace(told=some) for piece, some in zip(pieces, told, strict=True)]


def as_batch(pieces: Sequence[Piece], order: Order = ORDERS[0]) -> Batch:
    """Pieces side by side, their voices asked for in an order."""
    most = max(len(piece.cells) for piece in pieces)
    rows = torch.zeros(len(pieces), most, pieces[0].rows.shape[1], dtype=torch.int64)
    cells = torch.full((len(pieces), most, pieces[0].cells.shape[1]), REST)
    there = torch.zeros(len(pieces), most)
    for at, piece in enumerate(pieces):
        frames = len(piece.cells)
        rows[at, :frames] = torch.from_numpy(piece.rows.astype(np.int64))
        rows[at, frames:] = rows[at, frames - 1 : frames]
        cells[at, :frames] = torch.from_numpy(piece.cells)
        there[at, :frames] = 1
    asked = {voice: (voice, frozenset(order[:at])) for at, voice in enumerate(order)}
    counted = {
        voice: _side_by_side([piece.told[name] for piece in pieces], most)
        for voice, name in asked.items()
        if name in pieces[0].told
    }
    return Batch(rows, cells, there, order, counted)


def _side_by_side(told: Sequence[Told], most: int) -> CountedBatch:
    logs = torch.zeros(len(told), most, *told[0].logs.shape[1:])
    trust = torch.zeros(len(told), most, told[0].trust.shape[1], dtype=torch.int64)
    for at, piece in enumerate(told):
        logs[at, : len(piece.logs)] = torch.from_numpy(piece.logs)
        trust[at, : len(piece.trust)] = torch.from_numpy(piece.trust.astype(np.int64))
    return logs, trust


def held_out_frame_nats(net: VoiceGridNet, pieces: Sequence[Piece], order: Order) -> float:
    """Nats per frame over all frames of some pieces, in one order, in the keys that they are in."""
    was = net.training
    net.eval()
    total = frames = 0.0
    with torch.no_grad():
        for batch in _by_length(pieces, 20, order):
            nats = batch.nats(net, torch.zeros(len(batch.rows), dtype=torch.int64)).sum(-1)
            total += float((nats * batch.there).sum())
            frames += float(batch.there.sum())
    net.train(was)
    return total / frames


def train_voice_grid(
    net: VoiceGridNet,
    learned: Sequence[Piece],
    held_out: Sequence[Piece],
    options: VoiceGridTraining,
    report: Callable[[int, float], None] = lambda step, nats: None,
) -> VoiceGridNet:
    """The net with averaged weights, as it was when it scored the held-out pieces best.

    Args:
        net: is trained, and keeps the weights of the last step.
        learned: from `as_pieces`.
        held_out: scored ``evaluations`` times, at the end too; never learned from.
        report: called after each with the steps so far and nats per frame.

    Raises:
        OutOfRange: where there is nothing to learn from or to score.
    """
    if not learned or not held_out:
        raise OutOfRange(f"{len(learned)} pieces to learn and {len(held_out)} held out; at least 1 of each is needed")
    keep_freed_memory()
    orders = ORDERS_SHOWN if net.config.shown else ORDERS
    chance = np.random.default_rng(options.seed)
    optimizer = _optimizer(net, options)
    average = copy.deepcopy(net).eval()
    best, least = average.state_dict(), math.inf
    every = max(options.steps // options.evaluations, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        drawn = _shuffled(learned, options, orders, chance)
        for step, batch in zip(range(1, options.steps + 1), drawn, strict=False):
            for group in optimizer.param_groups:
                group["lr"] = options.learning_rate * _pace(step / options.steps, options.warm_up)
            _learn(net.train(), batch, optimizer, options, chance)
            _follow(average, net, min(options.averaging, (1 + step) / (10 + step)))
            if step % every == 0 or step == options.steps:
                nats = held_out_frame_nats(average, held_out, (0, 3, 1, 2))
                report(step, nats)
                if nats < least:
                    best, least = copy.deepcopy(average.state_dict()), nats
    average.load_state_dict(best)
    return average


def _learn(
    net: VoiceGridNet,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    options: VoiceGridTraining,
    chance: np.random.Generator,
) -> None:
    """One step, each piece in a key of its own."""
    shift = torch.from_numpy(chance.integers(-SHIFTS // 2, SHIFTS // 2, len(batch.rows)))
    rows = _alone(batch.rows, torch.from_numpy(chance.random(len(batch.rows)) < options.alone))
    with lower_precision(options.precision, rows.device):
        nats = batch._replace(rows=rows).nats(net, shift).float().sum(-1)
    loss = (nats * batch.there).sum() / batch.there.sum()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), options.clip)
    optimizer.step()


def _alone(rows: Tensor, which: Tensor) -> Tensor:
    """Rows (B, T, R), some pieces of which are told nothing of other pieces."""
    rows = rows.clone()
    split = (*rows.shape[:2], 2, VOICES, 2, POINTERS // 2)  # guess or trust; elsewhere first
    pointers = rows[..., _POINTERS].reshape(split)
    pointers[which, :, 0, :, 0] = UNKNOWN
    pointers[which, :, 1, :, 0] = 0
    rows[..., _POINTERS] = pointers.flatten(2)
    return rows


def _optimizer(net: VoiceGridNet, options: VoiceGridTraining) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in net.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.99), fused=True)


def _pace(done: float, warm_up: float) -> float:
    return min(done / warm_up, 1) * (0.5 + 0.5 * math.cos(math.pi * done))


@torch.no_grad()
def _follow(average: VoiceGridNet, net: VoiceGridNet, slowness: float) -> None:
    for mean, weight in zip(average.parameters(), net.parameters(), strict=True):
        mean.lerp_(weight, 1 - slowness)


def _shuffled(
    pieces: Sequence[Piece], options: VoiceGridTraining, orders: Sequence[Order], chance: np.random.Generator
) -> Iterator[Batch]:
    """Batches without end, of pieces that are about as long as one another, each in an order drawn."""
    while True:
        lengths = np.array([len(piece.cells) for piece in pieces]) + chance.uniform(-30, 30, len(pieces))
        groups = np.array_split(np.argsort(lengths), max(len(pieces) // options.batch, 1))
        chance.shuffle(groups)
        for group in groups:
            yield as_batch([pieces[at] for at in group], orders[int(chance.integers(len(orders)))])


def _by_length(pieces: Sequence[Piece], size: int, order: Order) -> Iterator[Batch]:
    ordered = sorted(pieces, key=lambda piece: len(piece.cells))
    for at in range(0, len(ordered), size):
        yield as_batch(ordered[at : at + size], order)

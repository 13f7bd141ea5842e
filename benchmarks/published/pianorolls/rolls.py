"""The piano rolls of Boulanger-Lewandowski et al. as the TCN repository ships them, and batches of them for a net."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.io import loadmat
from torch import Tensor

from woodshed.codecs.frame_past import NOTHING, FramePast, Roll, Study
from woodshed.models.frame_rnn import FrameInputs

KEYS = 88
SPLITS = ("train", "valid", "test")
LOWEST, HIGHEST = -5, 6
"""Semitones that a piece is transposed by in training."""
SHORTEST = 20
"""Frames of the last stretch that a long piece is cut into."""
OVERLAP = 8
"""Frames of the stretch before that the next one begins with."""


@dataclass(frozen=True)
class Set:
    """One of the four published sets."""

    name: str
    file: str
    lags: tuple[int, ...]
    """Frames: how far back pointers look, at the periods that the music has."""


JSB = Set("JSB", "JSB_Chorales.mat", (1, 2, 4, 8, 16, 24, 32, 48, 64))
NOTTINGHAM = Set("Nottingham", "Nottingham.mat", (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256))
SETS = {"jsb": JSB, "nottingham": NOTTINGHAM}


def read_rolls(folder: Path, music: Set) -> dict[str, list[Roll]]:
    """The published split: its name -> rolls (T, 88)."""
    stored = loadmat(folder / "pianoroll" / music.file)
    return {split: [np.ascontiguousarray(roll != 0) for roll in stored[f"{split}data"][0]] for split in SPLITS}


class Stretch(NamedTuple):
    """Frames ``begin`` to ``end`` of a piece: the first is given, all after it are scored."""

    study: Study
    begin: int
    end: int
    transposed: int = 0


class Batch(NamedTuple):
    """What a net reads, and what came."""

    inputs: FrameInputs
    target: Tensor
    """(N,)"""


def whole(studies: Sequence[Study], by: int = 0) -> list[Stretch]:
    """Frames 2..T of each piece, transposed where the keyboard allows it."""
    return [Stretch(study, 0, len(study.roll), by if _fits(study.roll, by) else 0) for study in studies]


def study_all(rolls: dict[str, list[Roll]], music: Set) -> dict[str, list[Study]]:
    """Studies of all splits beside the training set; a training piece is studied beside the others."""
    past = FramePast(rolls["train"], lags=music.lags)
    return {
        split: [past.study(roll, own=number if split == "train" else None) for number, roll in enumerate(rolls[split])]
        for split in SPLITS
    }


def stretches(studies: Sequence[Study], longest: int, share: float, rng: np.random.Generator) -> list[Stretch]:
    """Each piece once, long ones in stretches, that share of them transposed; in an order by chance."""
    found = []
    for study in studies:
        frames = len(study.roll)
        cut = int(rng.integers(longest // 4, longest)) if frames > longest + SHORTEST else frames
        edges = [0, *range(cut, frames - SHORTEST, longest), frames]
        for begin, end in pairwise(edges):
            by = int(rng.integers(LOWEST, HIGHEST + 1)) if rng.random() < share else 0
            found.append(Stretch(study, max(0, begin - OVERLAP), end, by if _fits(study.roll, by) else 0))
    return [found[i] for i in rng.permutation(len(found))]


def _fits(roll: Roll, by: int) -> bool:
    keys = roll.any(0).nonzero()[0]
    return bool(len(keys)) and keys[0] + by >= 0 and keys[-1] + by < KEYS


def batches(items: Sequence[Stretch], size: int) -> Iterator[Batch]:
    """So many stretches at a time."""
    for start in range(0, len(items), size):
        yield batch_of(items[start : start + size])


def batch_of(items: Sequence[Stretch]) -> Batch:
    """Pad the frames that are read, and put the symbols of all that are scored in one row."""
    longest = max(item.end - item.begin for item in items) - 1
    frames = np.zeros((len(items), longest, KEYS), np.float32)
    scored = np.zeros((len(items), longest), bool)
    parts: list[tuple[NDArray[np.int64], ...]] = []
    before = 0
    for row, (study, begin, end, by) in enumerate(items):
        count = end - begin - 1
        frames[row, :count] = np.roll(study.roll[begin : end - 1], by, 1)
        scored[row, :count] = True
        low, high = np.searchsorted(study.symbols[:, 0], (begin + 1, end))
        frame, last, target = study.symbols[low:high].astype(np.int64).T
        expected = _moved(study.expected[low:high].astype(np.int64), by)
        frame += before - begin - 1
        parts.append((frame, _moved(last, by), _moved(target, by), expected, study.agrees[low:high].astype(np.int64)))
        before += count
    frame, last, target, expected, agrees = (
        torch.from_numpy(np.concatenate(part)) for part in zip(*parts, strict=True)
    )
    records = np.concatenate([item.study.records[item.begin + 1 : item.end] for item in items]).astype(np.int64)
    first = torch.tensor([item.begin for item in items])
    shift = torch.tensor([item.transposed - LOWEST for item in items])
    inputs = FrameInputs(
        torch.from_numpy(frames), first, shift, torch.from_numpy(scored), torch.from_numpy(records),
        frame, last, expected, agrees,
    )  # fmt: skip
    return Batch(inputs, target)


def _moved(symbols: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    """Keys transposed; no key, and the end of a frame, stay what they are."""
    return np.where((symbols > NOTHING) & (symbols < KEYS), symbols + by, symbols)

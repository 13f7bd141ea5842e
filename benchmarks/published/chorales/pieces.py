"""Bach's chorales on a grid of sixteenths with the published split, and which test pieces have a learned soprano."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
from music21.chord import Chord
from numpy.typing import NDArray

from woodshed.codecs.voice_grid import Passages, voices_of
from woodshed.codecs.voice_grid_counts import Counts
from woodshed.models.voice_grid_chords import NONE, OTHER
from woodshed.training.voice_grids import Piece, as_pieces, count, with_counts

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[3] / "shared" / "data"))
SPLITS = ("train", "valid", "test")


@cache
def grids(split: str) -> tuple[NDArray[np.int64], ...]:
    """(T, 4) cells of each piece of a split, in the published order."""
    with (DATA / "chorales" / "jsb-chorales-16th.json").open(encoding="utf-8") as file:
        return tuple(voices_of(frames) for frames in json.load(file)[split])


@cache
def passages() -> Passages:
    """Of the train split: the only other pieces that anything here may look into."""
    return Passages(grids("train"))


@cache
def pieces(split: str, shown: bool = False) -> tuple[Piece, ...]:
    """Each piece of a split, what is known before each of its frames, and, shown, of all of its soprano; nothing is
    counted yet."""
    return tuple(as_pieces(grids(split), passages(), learned=split == "train", shown=shown))


@cache
def counts(fewest: int = 1, shown: bool = False) -> Counts:
    """Of the train split, for the same reason; of what at least so many of its pieces share."""
    return count(pieces("train", shown), fewest)


def told(split: str, shown: bool = False) -> list[Piece]:
    """Each piece of a split, and what the train split, or the rest of it, holds in places like those of the piece."""
    return with_counts(pieces(split, shown), counts(shown=shown), learned=split == "train")


def chorded(split: str) -> list[Piece]:
    """The same, with the class of each frame's chord as a fifth cell."""
    return [
        piece._replace(cells=np.column_stack((piece.cells, [chord_of(tuple(frame)) for frame in piece.cells.tolist()])))
        for piece in told(split)
    ]


@cache
def chord_of(frame: tuple[int, ...]) -> int:
    """The class of a frame's chord as TonicNet has it from music21: triad by root and quality, other, or none."""
    sounding = [pitch for pitch in frame if pitch >= 0]
    if not sounding:
        return NONE
    chord = Chord(sounding)
    qualities = ("major", "minor", "diminished", "augmented")
    return qualities.index(chord.quality) * 12 + chord.root().pitchClass if chord.quality in qualities else OTHER


def with_learned_soprano(split: str) -> list[int]:
    """Which pieces have the whole soprano of a piece of the train split, in any key and rhythm: the same intervals."""
    learned = {_tune(cells) for cells in grids("train")}
    return [at for at, cells in enumerate(grids(split)) if _tune(cells) in learned]


def changed_cells(split: str) -> int:
    """Cells unlike the one before in their voice; the first frame's all count."""
    return sum(int((cells[1:] != cells[:-1]).sum()) + cells.shape[1] for cells in grids(split))


def _tune(cells: NDArray[np.int64]) -> bytes:
    soprano = cells[cells[:, 0] >= 0, 0]
    intervals = np.diff(soprano)
    return intervals[intervals != 0].tobytes()

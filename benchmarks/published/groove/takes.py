"""The takes of the Groove MIDI Dataset, hit by hit, as the published protocol has them: see README.md."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.clip_drums import CLASS_OF, DRUM_CLASSES
from woodshed.evaluation.feel import loudest_per_step, pair_hits, without_feel
from woodshed.formats import read_midi
from woodshed.music import Song

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[3] / "shared" / "data"))
STEPS_PER_QUARTER = 4
BAR_STEPS = 16
CLASSES = len(DRUM_CLASSES)
FEEL = ("ms", "velocity")
"""What is foretold: onset minus its sixteenth in milliseconds, early is negative; and velocity, 1-127."""
HIT = np.dtype(
    [("step", "<i4"), ("bar", "<i4"), ("place", "<i2"), ("drum", "<i2"), ("pitch", "<i2"), ("ms", "<f8"),
     ("velocity", "<f8")]
)  # fmt: skip
"""Sixteenth in the take, bar, sixteenth in the bar, index into `DRUM_CLASSES`, MIDI pitch, and the human's `FEEL`."""


@dataclass(frozen=True)
class Take:
    """One recording in 4/4: of the hits of one kind of drum on one sixteenth the loudest."""

    drummer: str
    hits: NDArray[Any]
    """(hits,) `HIT`, sorted by step and drum."""
    steps: int
    """Sixteenths of all bars that have a hit or come before one."""
    bpm: float


def read_takes(split: str) -> list[Take]:
    """All takes in 4/4 of one split, "train" or "validation", in the order of ``info.csv``."""
    groove = DATA / "groove"
    with (groove / "info.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split and row["time_signature"] == "4-4"]
    return [take_of(row["drummer"], read_midi(groove / row["midi_filename"])) for row in rows]


def take_of(drummer: str, song: Song) -> Take:
    human = loudest_per_step(song, STEPS_PER_QUARTER, CLASS_OF)
    pairs = pair_hits(human, without_feel(human, 64, STEPS_PER_QUARTER), STEPS_PER_QUARTER)
    notes = human.notes
    hits = np.zeros(len(pairs), HIT)
    hits["step"], hits["drum"] = pairs["step"], pairs["drum"]
    hits["ms"], hits["velocity"] = pairs["human_ms"], pairs["human_velocity"]
    hits["pitch"] = notes["pitch"][np.lexsort((notes["velocity"], notes["onset"], notes["pitch"], notes["part"]))]
    hits["bar"], hits["place"] = divmod(hits["step"], BAR_STEPS)
    return Take(drummer, np.sort(hits, order=("step", "drum")), BAR_STEPS * (int(hits["bar"].max()) + 1), song.bpm)


# ---- what needs no net ---------------------------------------------------------------------------------------

Statistic = Callable[..., Any]


def pooled(takes: Sequence[Take]) -> NDArray[Any]:
    return np.concatenate([take.hits for take in takes])


def guesses_of_table(
    train: NDArray[Any], hits: NDArray[Any], fields: Sequence[str], statistic: Statistic, fewest: int = 5
) -> NDArray[np.float64]:
    """(2, hits) the statistic of `FEEL` of the train hits that agree in ``fields``; of all, where fewer agree."""
    keys, known = (_keys(rows, fields) for rows in (train, hits))
    names, number, count = np.unique(keys, return_inverse=True, return_counts=True)
    groups = np.split(np.argsort(number, kind="stable"), np.cumsum(count)[:-1])
    at = np.searchsorted(names, known).clip(max=len(names) - 1)
    is_known = (names[at] == known) & (count[at] >= fewest)
    return np.stack(
        [
            np.where(is_known, np.array([statistic(train[f][group]) for group in groups])[at], statistic(train[f]))
            for f in FEEL
        ]
    )


def guesses_of_oracle(hits: NDArray[Any], fields: Sequence[str], statistic: Statistic) -> NDArray[np.float64]:
    """(2, hits) the statistic of the take's own hits that agree in ``fields``: what nobody knows who has the score."""
    return guesses_of_table(hits, hits, fields, statistic, fewest=1)


def _keys(hits: NDArray[Any], fields: Sequence[str]) -> NDArray[np.int64]:
    keys = np.zeros(len(hits), np.int64)
    for field in fields:
        keys = keys * 4096 + hits[field]
    return keys

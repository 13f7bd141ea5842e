"""What a humaniser has to beat, and oracles that show what there is to be known. See README.md.

A humaniser is given a song without feel and gives the same notes with feel. An oracle is given the human too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.evaluation.feel import pair_hits, without_feel
from woodshed.music import TICKS_PER_QUARTER, Song
from woodshed.music.meter import bar_of
from woodshed.music.units import ticks_to_steps

Humaniser = Callable[[Song], Song]
Oracle = Callable[[Song, Song], Song]
"""(song without feel, human) -> song."""
FEWEST = 5
"""How often a drum must have been heard at a place before its own mean there is believed."""


def perform(plain: Song, late_ms: Any, velocity: Any) -> Song:
    """The song with its notes that much later, in ms, and so loud; values are scalars or (notes,)."""
    notes = plain.notes.copy()
    ticks_per_ms = plain.bpm * TICKS_PER_QUARTER / 60_000  # every take of Groove has one tempo
    late = np.rint(np.asarray(late_ms, np.float64) * ticks_per_ms)
    notes["onset"] = np.maximum(notes["onset"] + late, 0)
    notes["velocity"] = np.clip(np.rint(velocity), 1, 127)
    return plain.with_notes(notes)


@dataclass(frozen=True)
class Place:
    """Where each note of a song stands; all (notes,), in the song's order."""

    lane: NDArray[np.int64]
    """Drum, as told apart by ``lanes``."""
    meter: NDArray[np.int64]
    """Steps of its bar."""
    step: NDArray[np.int64]
    """Step within its bar."""
    bar: NDArray[np.int64]


def places(plain: Song, steps_per_quarter: int, lanes: NDArray[np.int64]) -> Place:
    lines = ticks_to_steps(plain.bar_lines(), steps_per_quarter)
    steps = ticks_to_steps(plain.notes["onset"], steps_per_quarter)
    bar = bar_of(steps, lines)
    return Place(lanes[plain.notes["pitch"]], np.diff(lines)[bar], steps - lines[bar], bar)


def in_order_of(plain: Song, hits: NDArray[Any]) -> NDArray[Any]:
    """`pair_hits` come part by part; here they are in the order of the plain song's notes."""
    notes, ordered = plain.notes, np.empty_like(hits)
    ordered[np.lexsort((notes["velocity"], notes["onset"], notes["pitch"], notes["part"]))] = hits
    return ordered


def played(plain: Song, human: Song, steps_per_quarter: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Milliseconds off the grid and velocities of the human, in the order of the plain song's notes."""
    hits = in_order_of(plain, pair_hits(human, plain, steps_per_quarter))
    return hits["human_ms"], hits["human_velocity"]


class FeelTable:
    """Mean (or median) deviation and velocity per drum and place in the bar.

    Where a drum was heard fewer than `FEWEST` times, its figure for all places stands in; for an unknown drum, the
    figure of all drums.
    """

    def __init__(
        self,
        songs: Sequence[Song],
        steps_per_quarter: int,
        lanes: NDArray[np.int64],
        statistic: Callable[[NDArray[Any]], Any] = np.mean,
        by_place: bool = True,
    ) -> None:
        self.steps_per_quarter, self.lanes, self.by_place = steps_per_quarter, lanes, by_place
        plains = [without_feel(song, 64, steps_per_quarter) for song in songs]
        values = np.concatenate(
            [np.stack(played(p, s, steps_per_quarter)) for p, s in zip(plains, songs, strict=True)], axis=1
        )
        self.overall = statistic(values, axis=1)  # type: ignore[call-arg]
        self.tables = [_figures(np.concatenate([key(self, p) for p in plains]), values, statistic) for key in _KEYS]

    def predict(self, plain: Song) -> NDArray[np.float64]:
        """(2, notes): milliseconds off the grid, and velocity."""
        found = np.repeat(self.overall[:, None], len(plain), axis=1)
        for key, table in zip(_KEYS, self.tables, strict=True):
            if key is not _drum_and_place or self.by_place:
                names = key(self, plain)
                known = np.isin(names, table[0])
                found[:, known] = table[1][:, np.searchsorted(table[0], names[known])]
        return found

    def __call__(self, plain: Song) -> Song:
        return perform(plain, *self.predict(plain))


def _drum(table: FeelTable, plain: Song) -> NDArray[np.int64]:
    return table.lanes[plain.notes["pitch"]]


def _drum_and_place(table: FeelTable, plain: Song) -> NDArray[np.int64]:
    place = places(plain, table.steps_per_quarter, table.lanes)
    return (place.lane * 1024 + place.meter) * 1024 + place.step


_KEYS = (_drum, _drum_and_place)
"""From coarse to fine."""


def _figures(
    names: NDArray[np.int64], values: NDArray[np.float64], statistic: Callable[[NDArray[Any]], Any]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The names that came often enough, ascending, and (2, names) their figures."""
    order = np.argsort(names, kind="stable")
    found, first, count = np.unique(names[order], return_index=True, return_counts=True)
    often = np.flatnonzero(count >= FEWEST)
    rows = [statistic(values[:, order[first[k] : first[k] + count[k]]], axis=1) for k in often]  # type: ignore[call-arg]
    return found[often], np.array(rows).reshape(-1, 2).T


class Jitter:
    """Gaussian noise as wide as the corpus: what the humanise button of a sequencer does."""

    def __init__(self, songs: Sequence[Song], steps_per_quarter: int, seed: int = 0) -> None:
        pairs = [played(without_feel(song, 64, steps_per_quarter), song, steps_per_quarter) for song in songs]
        late, velocity = (np.concatenate(columns) for columns in zip(*pairs, strict=True))
        self.late_std, self.velocity, self.velocity_std = late.std(), velocity.mean(), velocity.std()
        self.rng = np.random.default_rng(seed)

    def __call__(self, plain: Song) -> Song:
        late, louder = self.rng.standard_normal((2, len(plain)))
        return perform(plain, self.late_std * late, self.velocity + self.velocity_std * louder)


class FileMedian:
    """Oracle: the median of this very file, per place in the bar and drum or for all its notes together."""

    def __init__(self, steps_per_quarter: int, lanes: NDArray[np.int64], names: str) -> None:
        self.steps_per_quarter, self.lanes, self.names = steps_per_quarter, lanes, names

    def __call__(self, plain: Song, human: Song) -> Song:
        values = np.stack(played(plain, human, self.steps_per_quarter))
        place = places(plain, self.steps_per_quarter, self.lanes)
        columns = [getattr(place, name) for name in self.names.split()]
        group = (
            np.unique(np.stack(columns), axis=1, return_inverse=True)[1].ravel() if columns else np.zeros(len(plain))
        )
        for one in np.unique(group):
            values[:, group == one] = np.median(values[:, group == one], axis=1, keepdims=True)
        return perform(plain, *values)


class Primer:
    """Oracle: the first bars are heard; their shift and each drum's own habits there are added to a `FeelTable`.

    Habits are the mean of what the table leaves, drawn towards 0 as if ``doubt`` more notes had had no such habit:
    first of all notes, then of a drum, then of a drum at its place.
    """

    def __init__(self, table: FeelTable, bars: int, doubt: float = 4.0) -> None:
        self.table, self.bars, self.doubt = table, bars, doubt

    def __call__(self, plain: Song, human: Song) -> Song:
        values = np.stack(played(plain, human, self.table.steps_per_quarter))
        guess = self.table.predict(plain)
        heard = places(plain, self.table.steps_per_quarter, self.table.lanes).bar < self.bars
        groups = [np.zeros(len(plain), np.int64), *(key(self.table, plain) for key in _KEYS)]
        for group in groups:
            left = np.where(heard, values - guess, 0.0)
            names, number = np.unique(group, return_inverse=True)
            count = np.bincount(number, heard, len(names)) + self.doubt
            guess = guess + np.stack([np.bincount(number, row, len(names)) / count for row in left])[:, number]
        return perform(plain, *guess)

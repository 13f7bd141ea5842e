"""Which of several answers to keep: a few things that no listener wants, counted.

`faults` adds up, over the open part of a canvas, what is wrong with an answer; `best_of` takes the least, and
of equals the first. Nothing here is chance, and nothing rewards likeness to the training songs but for how
many notes a bar has.

========== ====== ==========================================================================
fault      weight counted as
========== ====== ==========================================================================
silent     4      share of the open parts without a note
empty      4      share of the open bars in which no note sounds
drone      2      share of the pitched notes that lie in runs of one pitch longer than 32
stuck      1      by how much more than 3/4 of the bars repeat the bar before to the note, drums aside, x 4
density    1      octaves (factors of two) by which notes per bar differ from the style's, less half of one
========== ====== ==========================================================================

The weights are ours: a silent part is worse than a dull one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import DRUM_PROGRAM
from woodshed.generation.canvas import Canvas, nearest_program
from woodshed.music import Song
from woodshed.music.meter import bar_of

LONGEST_RUN = 32
"""Notes of one pitch in a row: two bars of sixteenths, which rock and metal do play."""
REPEATED_BARS = 0.75
DENSITY_OCTAVES = 0.5


@dataclass(frozen=True)
class Faults:
    """What is wrong with one answer, each 0 if nothing is."""

    silent: float = 0.0
    empty: float = 0.0
    drone: float = 0.0
    stuck: float = 0.0
    density: float = 0.0

    @property
    def total(self) -> float:
        """The weighted sum."""
        return 4 * self.silent + 4 * self.empty + 2 * self.drone + self.stuck + self.density


def best_of(songs: Sequence[Song], canvas: Canvas, style: Mapping[str, Any]) -> int:
    """The index of the answer with the fewest faults; of equals, the first."""
    return int(np.argmin([round(faults(song, canvas, style).total, 9) for song in songs]))


def faults(song: Song, canvas: Canvas, style: Mapping[str, Any]) -> Faults:
    """What is wrong with one answer to a canvas."""
    notes = song.notes[song.notes["onset"] >= canvas.open_from]
    lines = song.bar_lines()
    lines = lines[np.searchsorted(lines, canvas.open_from) :]
    bars = max(len(lines) - 1, 1)
    silent = len(set(canvas.open_parts) - set(notes["part"].tolist())) / max(len(canvas.open_parts), 1)
    if not len(notes) or len(lines) < 2:
        return Faults(silent=silent, empty=1.0)
    drums = np.array([part.is_drum for part in song.parts], bool)
    pitched = notes[~drums[notes["part"]]]
    return Faults(
        silent=silent,
        empty=_empty(song, lines),
        drone=_drone(pitched),
        stuck=max(_repeated_bars(pitched, lines) - REPEATED_BARS, 0.0) * 4,
        density=_density(len(notes) / bars, _expected_density(song, canvas, style)),
    )


def _empty(song: Song, lines: NDArray[np.int64]) -> float:
    """Share of the bars in which nothing sounds."""
    onset, end = song.notes["onset"].astype(np.int64), song.ends
    sounding = (onset[:, None] < lines[None, 1:]) & (end[:, None] > lines[None, :-1])  # (notes, bars)
    return float((~sounding.any(0)).mean())


def _drone(notes: NDArray[Any]) -> float:
    """Share of pitched notes in overlong runs of one pitch, part by part."""
    if not len(notes):
        return 0.0
    order = np.lexsort((notes["onset"], notes["part"]))
    line = notes["part"][order].astype(np.int64) * 128 + notes["pitch"][order]
    turns = np.flatnonzero(np.diff(line, prepend=-1, append=-1))
    runs = np.diff(turns)
    return float(runs[runs > LONGEST_RUN].sum() / len(notes))


def _repeated_bars(notes: NDArray[Any], lines: NDArray[np.int64]) -> float:
    """Share of the bars after the first whose notes (part, place, pitch) are just those of the bar before."""
    bars = len(lines) - 1
    if bars < 3:
        return 0.0
    bar = bar_of(notes["onset"].astype(np.int64), lines)
    place = notes["onset"].astype(np.int64) - lines[bar]
    cells = [
        frozenset(zip(*(column[bar == b].tolist() for column in (notes["part"], place, notes["pitch"])), strict=True))
        for b in range(bars)
    ]
    return float(np.mean([before == after != frozenset() for before, after in pairwise(cells)]))


def _density(notes_per_bar: float, expected: float) -> float:
    if expected <= 0:
        return 0.0
    return max(abs(float(np.log2(notes_per_bar / expected))) - DENSITY_OCTAVES, 0.0)


def _expected_density(song: Song, canvas: Canvas, style: Mapping[str, Any]) -> float:
    """Notes per bar that the learned songs have in these parts; 0 if that is not known.

    The style's figure counts whole line-ups, so it is scaled by what share of an average song these parts play.
    """
    instruments = {int(program): facts for program, facts in style.get("instruments", {}).items()}
    usual, songs = float(style.get("notes_per_bar", 0)), int(style.get("songs", len(style.get("arrangements", []))))
    if not instruments or not songs:
        return 0.0
    programs = [DRUM_PROGRAM if part.is_drum else part.program for part in song.parts]
    asked = [
        instruments[nearest_program(programs[part], set(instruments))]
        for part in canvas.open_parts
        if part < len(programs)
    ]
    songs = max([songs, *(facts.get("songs", 1) for facts in instruments.values())])
    average = sum(facts.get("notes", 0) for facts in instruments.values()) / songs
    here = sum(facts.get("notes", 0) / max(facts.get("songs", 1), 1) for facts in asked)
    return usual * here / average if average else 0.0

"""Which bars of a plan are again what stood some bars before: as a canvas says it, or wherever they may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import MAX_PARTS
from woodshed.generation.canvas import Canvas
from woodshed.generation.constraints import asked_levels
from woodshed.generation.harmony import Harmony
from woodshed.music.meter import bar_of


def steps_back(returns: Sequence[int], lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """(bars,) of bars back; 0 where they reach before the song or to a bar of another length."""
    bars = len(lines) - 1
    here = np.arange(bars)
    there = here - np.array([*returns, *[0] * bars][:bars], np.int64)
    size = np.diff(lines)
    fits = (there >= 0) & (size[here] == size[np.maximum(there, 0)])
    return np.where(fits, lines[here] - lines[np.maximum(there, 0)], 0)


def bars_before(canvas: Canvas) -> dict[int, list[int]]:
    """As `Canvas.again`: each bar but the first is the one before."""
    return {part: [0, *[1] * (canvas.song.bars - 1)] for part in canvas.open_parts}


def steps_again(
    canvas: Canvas,
    again: Mapping[int, Sequence[int]],
    owners: Sequence[int],
    lines: NDArray[np.int64],
    steps: NDArray[np.bool_],
    harmony: Harmony,
) -> NDArray[np.int64]:
    """(16, bars) steps back from each bar that is ``again`` another, as `Canvas` says it.

    0 where what is asked of a bar is not what is asked of the one that it plays again: other steps that are open,
    another chord that is asked for (drums play on), another level; and everywhere where there are notes already.
    """
    bars, wishes = len(lines) - 1, canvas.constraints
    table = np.zeros((MAX_PARTS, bars), np.int64)
    if len(canvas.song):
        return table
    firm = {name: row for name, row in wishes.levels.items() if name not in wishes.leanings}
    levels, size = asked_levels(firm, bars), np.diff(lines)
    step = np.minimum(lines[:-1, None] + np.arange(size.max()), lines[-1] - 1)
    past_bar = np.arange(size.max()) >= size[:, None]
    for slot, owner in enumerate(owners):
        row = steps_back(again.get(owner, ()), lines)
        bar = np.flatnonzero(row)
        source = bar_of(lines[bar] - row[bar], lines)
        here, there = step[bar], step[source]
        same = steps[slot, here] == steps[slot, there]
        if wishes.asks_chords and not canvas.song.parts[owner].is_drum:
            same &= harmony.state[here] == harmony.state[there]
        alike = (same | past_bar[bar]).all(1) & (levels[bar] == levels[source]).all(1)
        table[slot, bar[alike]] = row[bar[alike]]
    return table

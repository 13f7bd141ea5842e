"""Play within a limit of copying: look at what was played after each bar, and play it again where that is too much.

========= ==========================================================================================================
event     what is done
========= ==========================================================================================================
too much  the bar is played again from its bar line with other chance and `WARMER` for each time that it failed;
          after `TRIES` times from a bar line further back each time, at most `BARS_KEPT`, for the passage began there
given up  after `MOST_REDRAWN` bars it is played on as it comes, and what is too much is left out in the end
========= ==========================================================================================================

The state of the player at the latest bar lines is kept, so going back costs nothing. A limit that is never met changes
nothing of what is played. Whatever happened, the answer is looked at once more when it is finished, and notes
go until no passage is too long: the limit holds exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import MICROTIMING_STEP, ON_THE_GRID
from woodshed.generation.canvas import Canvas
from woodshed.generation.copy_limit import CopyLimit
from woodshed.generation.engine import PLAYING, Scene, Stream, Weights, copy_stream, play_rows, sow
from woodshed.generation.filters import Sampling, numbers_of
from woodshed.generation.open_steps import STEP_TICKS
from woodshed.generation.plan import Plan
from woodshed.music import NOTE, Song

TRIES = 4
MOST_REDRAWN = 64
WARMER, WARMEST = 0.15, 2.0
"""Added to each temperature for each time that a bar failed, up to the warmest."""
BARS_KEPT = 8
"""As many states of the player are kept at a time, each of some megabytes."""
ALL_ROWS = 1 << 60
_OTHER = 0x2545F4914F6CDD1D
"""Odd; makes other seeds of one."""


def play_within(
    weights: Weights,
    scene: Scene,
    all_new: Scene,
    plan: Plan,
    canvas: Canvas,
    first: Stream,
    seed: int,
    sampling: Sampling,
    limit: CopyLimit,
    on_rows: Callable[[Stream], bool],
) -> tuple[int, Stream, int]:
    """Go on from ``first`` to the end: why it ended, the stream, and how many bars were played again.

    Bars that are played again obey ``all_new``, the scene in which no bar is a copy of one before. ``on_rows`` is told
    of the stream after every row, and says whether to stop. ``first`` is not played on.
    """
    stops = [*plan.bar_lines[(plan.bar_lines > plan.begin) & (plan.bar_lines < plan.end)].tolist(), ALL_ROWS]
    sow(first, seed)
    saved, failed = {0: first}, np.zeros(len(stops), np.int64)
    bar, redrawn = 0, 0
    while True:
        stream = copy_stream(saved[bar])
        if failed[bar]:
            sow(stream, seed + redrawn * _OTHER)
        state = _play_bar(
            weights, all_new if failed[bar] else scene, stream, _warmer(sampling, int(failed[bar])), stops[bar], on_rows
        )
        if state is None:
            return PLAYING, stream, redrawn
        if redrawn < MOST_REDRAWN and limit.excess(so_far(canvas, plan, stream)).any():
            redrawn += 1
            failed[bar] += 1
            if failed[bar] % TRIES == 0:
                bar = max(bar - int(failed[bar]) // TRIES, min(saved))
                failed[bar] += failed[bar] == 0  # it is played anew, too
            continue
        if state != PLAYING:
            return state, stream, redrawn
        bar += 1
        saved = {at: one for at, one in saved.items() if bar - BARS_KEPT < at < bar} | {bar: stream}
        failed[bar + 1 :] = 0


def _play_bar(
    weights: Weights,
    scene: Scene,
    stream: Stream,
    sampling: Sampling,
    stop: int,
    on_rows: Callable[[Stream], bool],
) -> int | None:
    """Row by row, until one starts at ``stop`` or later; None if somebody asked to stop."""
    numbers = numbers_of(sampling)
    state = PLAYING
    while state == PLAYING and stream.at[0] < stop:
        state = play_rows(weights, scene, stream, *numbers, 1, ALL_ROWS)
        if on_rows(stream):
            return None
    return int(state)


def _warmer(sampling: Sampling, failed: int) -> Sampling:
    if not failed:
        return sampling
    warm = {name: _warmed(value, failed) for name, value in sampling.temperatures.items()}
    return replace(sampling, temperature=_warmed(sampling.temperature, failed), temperatures=warm)


def _warmed(temperature: float, failed: int) -> float:
    return max(temperature, min(temperature + WARMER * failed, WARMEST))


def so_far(canvas: Canvas, plan: Plan, stream: Stream) -> Song:
    """What is new in a stream, as far as a passage is concerned: who plays which pitch, and when."""
    kept = stream.kept[: stream.at[3]]
    kept = kept[kept[:, 6] == 0]
    notes = np.zeros(len(kept), NOTE)
    notes["part"] = np.array(plan.owners, np.int16)[kept[:, 1]]
    notes["onset"] = np.maximum(kept[:, 0] * STEP_TICKS + (kept[:, 5] - ON_THE_GRID) * MICROTIMING_STEP, 0)
    notes["duration"], notes["pitch"], notes["velocity"] = 1, kept[:, 2], 64
    return Song.make(notes, canvas.song.parts)


def held(song: Song, canvas: Canvas, limit: CopyLimit) -> tuple[Song, int]:
    """An answer in which what is new holds the limit, and how many of its notes had to go for that."""
    removed = 0
    while True:
        new = new_notes(song, canvas)
        marked = np.zeros(len(song), bool)
        marked[new] = limit.excess(song.replace(notes=song.notes[new]))
        if not marked.any():
            return song, removed
        removed += int(marked.sum())
        song = song.replace(notes=song.notes[~marked])


def new_notes(song: Song, canvas: Canvas) -> NDArray[np.bool_]:
    """(N,) which notes of an answer the canvas' song has not."""
    fixed = set(map(tuple, canvas.song.notes.tolist()))
    return np.array([tuple(note) not in fixed for note in song.notes.tolist()], bool)

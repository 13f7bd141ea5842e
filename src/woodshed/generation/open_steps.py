"""On which steps the new notes of a canvas may start: in its openings, on its grid, where the polyphony leaves room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import MAX_PARTS
from woodshed.errors import InfeasibleCanvas
from woodshed.generation.canvas import DURATION, Canvas
from woodshed.generation.constraints import on_grid
from woodshed.generation.harmony import PITCHES
from woodshed.generation.joining import SIXTEENTHS
from woodshed.music import Song, part_name
from woodshed.music.meter import bar_of
from woodshed.music.units import STEPS_PER_QUARTER, ticks_per_step, ticks_to_steps

SPANS_NAMED = 4
STEP_TICKS = ticks_per_step(STEPS_PER_QUARTER)


def open_steps(
    canvas: Canvas,
    slot_of: NDArray[np.int64],
    lines: NDArray[np.int64],
    polyphony: NDArray[np.int64],
    notated: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """(16, end) where new notes may start. ``notated`` (notes,) is the step of each of the song's notes.

    Raises:
        InfeasibleCanvas: for an opening that the meter, the grid or fixed notes leave no place in.
    """
    end, song = int(lines[-1]), canvas.song
    if not canvas.spans:
        return np.zeros((MAX_PARTS, end), bool)
    ticks = np.array([(slot_of[opening.part], opening.begin, opening.end) for opening in canvas.spans], np.int64)
    stop = np.where(ticks[:, 2] == song.length, -(-ticks[:, 2] // STEP_TICKS), ticks_to_steps(ticks[:, 2]))
    spans = np.stack((ticks[:, 0], ticks_to_steps(ticks[:, 1]), stop), axis=1)
    _check_meters(song, lines, spans)
    turns = np.zeros((MAX_PARTS, end + 1), np.int32)
    np.add.at(turns, (spans[:, 0], spans[:, 1]), 1)
    np.add.at(turns, (spans[:, 0], spans[:, 2]), -1)
    steps: NDArray[np.bool_] = np.cumsum(turns[:, :-1], axis=1) > 0
    grid = canvas.constraints.grid
    if grid is not None:
        steps &= on_grid(grid, lines)
        _check_room(canvas, lines, spans, steps, f"no step of the grid {grid} lies in it; choose a finer grid")
    for slot in np.unique(spans[:, 0][polyphony[spans[:, 0]] < PITCHES]):
        steps[slot] &= _sounding(canvas, slot_of, int(slot), notated, end) < polyphony[slot]
    most = "its fixed notes already sound as many at once as its polyphony allows; raise it, or open those notes"
    _check_room(canvas, lines, spans, steps, most)
    asked = canvas.constraints.levels.keys() - canvas.constraints.leanings
    if grid is None and "syncopation" not in asked:
        place = (np.arange(end) - np.repeat(lines[:-1], np.diff(lines))) % STEPS_PER_QUARTER
        more = SIXTEENTHS if "density" in asked else frozenset[int]()
        for opening, (slot, begin, last) in zip(canvas.spans, spans.tolist(), strict=True):
            own = canvas.grids.get(opening.part)
            usual = steps[slot, begin:last] & np.isin(place[begin:last], () if own is None else (*own, *more))
            if usual.any():
                steps[slot, begin:last] = usual
    return steps


def _sounding(
    canvas: Canvas, slot_of: NDArray[np.int64], slot: int, notated: NDArray[np.int64], end: int
) -> NDArray[np.int64]:
    """(end,) how many of a slot's given notes sound at each step; one whose length is open, only where it starts.

    A note sounds from the step at which it is notated, or that at which it is played if it is early.
    """
    mine = slot_of[canvas.song.notes["part"]] == slot
    notes = canvas.song.notes[mine]
    first = np.minimum(ticks_to_steps(notes["onset"]), notated[mine])
    first = np.minimum(first, end - 1)
    stop = np.maximum(-(-canvas.song.ends[mine] // STEP_TICKS), first + 1)
    stop = np.where((canvas.fields[mine] & DURATION) > 0, first + 1, np.minimum(stop, end))
    turns = np.bincount(first, minlength=end + 1) - np.bincount(stop, minlength=end + 1)
    return np.cumsum(turns[:-1])


def _check_room(
    canvas: Canvas, lines: NDArray[np.int64], spans: NDArray[np.int64], steps: NDArray[np.bool_], why: str
) -> None:
    """Raise unless each span (slot, begin, end) has an open step."""
    before = np.concatenate((np.zeros((MAX_PARTS, 1), np.int64), np.cumsum(steps, axis=1)), axis=1)
    shut = np.flatnonzero(before[spans[:, 0], spans[:, 1]] == before[spans[:, 0], spans[:, 2]])
    if len(shut):
        opening = canvas.spans[shut[0]]
        bars = bars_text(lines, np.arange(spans[shut[0], 1], max(spans[shut[0], 2], spans[shut[0], 1] + 1)))
        raise InfeasibleCanvas(f"{part_name(canvas.song.parts[opening.part])}, {bars}: {why}")


def _check_meters(song: Song, lines: NDArray[np.int64], spans: NDArray[np.int64]) -> None:
    """Raise if a bar in which something may start is not whole steps long by its meter."""
    for onset, numerator, denominator in song.meters.tolist():
        if 4 * STEPS_PER_QUARTER * numerator % denominator == 0:
            continue
        after = song.meters["onset"][song.meters["onset"] > onset]
        begin, end = (int(ticks_to_steps(tick)) for tick in (onset, after.min(initial=song.length)))
        within = spans[(spans[:, 1] < end) & (spans[:, 2] > begin)]
        if len(within):
            bars = bars_text(lines, np.array([max(begin, int(within[0, 1]))]))
            raise InfeasibleCanvas(
                f"{bars}: a bar of {numerator}/{denominator} is not whole steps long ({STEPS_PER_QUARTER} to the "
                f"quarter note); choose {numerator + 1}/{denominator} or another meter"
            )


def bars_text(lines: NDArray[np.int64], steps: NDArray[np.int64]) -> str:
    """``"bar 5"`` or ``"bars 5-8, 12"``: the bars of some steps, as musicians count; the first few spans of them."""
    bars = np.unique(bar_of(steps, lines)) + 1
    runs = np.split(bars, np.flatnonzero(np.diff(bars) > 1) + 1)
    spans = [f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs[:SPANS_NAMED]]
    return f"bar{'s' if len(bars) > 1 else ''} {', '.join(spans)}{' and more' if len(runs) > SPANS_NAMED else ''}"

"""Of a long song, the bars that matter to what is open: they are heard and filled, and all others stay aside."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from woodshed.generation.canvas import Canvas, Opening
from woodshed.music import Song
from woodshed.recipes.asked import open_bars

BARS_BEFORE, BARS_AFTER = 256, 16
"""How much is heard before the first open bar and after the last: more changes nothing that anybody hears."""


@dataclass(frozen=True, eq=False)
class Window:
    """A canvas cut out of a longer one."""

    canvas: Canvas
    whole: Song
    """The song from which it was cut."""
    start: int
    """Tick at which it begins there."""
    inside: NDArray[np.bool_]
    """(notes,) which notes of the whole start in it."""

    def put_back(self, answer: Song) -> Song:
        """The whole song with an answer to the window's canvas."""
        if self.inside.all() and not self.start and self.canvas.song.length == self.whole.length:
            return answer
        notes = answer.notes.copy()
        notes["onset"] += self.start
        return self.whole.with_notes(np.concatenate((self.whole.notes[~self.inside], notes)))


def window_of(canvas: Canvas) -> Window:
    """The window around what is open, notes and constraints moved with it; a short song is its own window."""
    song, lines = canvas.song, canvas.song.bar_lines()
    first, last = open_bars(canvas)
    begin, end = max(first - BARS_BEFORE, 0), min(last + BARS_AFTER, len(lines) - 1)
    if begin == 0 and end == len(lines) - 1:
        return Window(canvas, song, 0, np.ones(len(song), bool))
    start, stop = int(lines[begin]), min(int(lines[end]), song.length)
    inside = (song.notes["onset"] >= start) & (song.notes["onset"] < stop)
    notes = song.notes[inside].copy()
    notes["onset"] -= start
    frame = song.slice(start, stop).replace(notes=notes)
    chords = canvas.constraints.chords.copy()
    at = max(int(np.searchsorted(chords["onset"], start, side="right")) - 1, 0)
    chords = chords[at:]
    chords["onset"] = np.maximum(chords["onset"] - start, 0)
    chords = chords[chords["onset"] < stop - start]
    levels = {name: row if len(row) == 1 else tuple(row[begin:end]) for name, row in canvas.constraints.levels.items()}
    cut = Canvas(
        frame,
        constraints=replace(canvas.constraints, chords=chords, levels=levels),
        first_bar=canvas.first_bar + begin,
        openings=tuple(Opening(span.part, span.begin - start, span.end - start) for span in canvas.spans),
        open_fields=None if canvas.open_fields is None else canvas.open_fields[inside],
    )
    return Window(cut, song, start, inside)

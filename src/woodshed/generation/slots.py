"""Which parts of a song a model sees, and as what: at most 16 slots, in the codec's order."""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import MAX_PARTS, _merge_two, _slot_order  # what arranges a song arranges a canvas
from woodshed.errors import InfeasibleCanvas, OutOfRange
from woodshed.generation.canvas import Canvas


def slots_of(canvas: Canvas) -> list[list[int]]:
    """For each slot, the parts of the canvas' song that play in it; silent parts with nothing open are left out.

    A part with anything open has a slot of its own. As `NoteStepCodec.slots`, the most alike of the others play
    together while there are more than 16; if room is still short, the quietest of them are not seen at all. (They come
    back in the answer all the same.)

    Raises:
        InfeasibleCanvas: if there is no part.
        OutOfRange: if more than 16 parts are open.
    """
    song, open_parts = canvas.song, set(canvas.open_parts)
    if len(open_parts) > MAX_PARTS:
        raise OutOfRange(f"{len(open_parts)} parts are open, more than {MAX_PARTS}; open fewer")
    counts = np.bincount(song.notes["part"], minlength=len(song.parts)).tolist()
    closed = [[part] for part in range(len(song.parts)) if counts[part] and part not in open_parts]
    room = MAX_PARTS - len(open_parts)
    while len(closed) > room:
        before = len(closed)
        _merge_two(closed, song.parts, counts)
        if len(closed) == before or not room:
            closed.sort(key=lambda group: -sum(counts[part] for part in group))
            del closed[room:]
    groups = [[part] for part in open_parts] + closed
    if not groups:
        raise InfeasibleCanvas("the canvas has no part; name some with --parts")
    return sorted(groups, key=lambda group: _slot_order(song.parts[group[0]], group[0]))

"""Bars that are again what stood some bars before, compiled: which bar of which part, a learned song says.

A groove of real music is one bar that comes again to the note, and then a bar that does not. A model that hears itself,
even held to the share of notes that are copied (`engine_copying`), spreads what is new over all bars alike: each is
nearly the one before, hardly any is it. So the form is taken from the song whose texture it is: where a part's bar was
just what it had played so many bars before, the part plays again what it played so many bars before in *this* song.
What the notes are is the model's, who wrote them the first time; so are length, loudness and timing, each time anew.

Such a bar is not open to the part. The next note that is due in one comes where the model, on its way to the next note
of another part, would pass it, and the model then goes on to where it was going.

Source:
    Ours. A section that returns after others is found by pointers instead, see `codecs.past.follow_back`.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import LONGEST_SHIFT
from woodshed.compiled import compiled

NOTHING_DUE = 1 << 60
"""What `next_again` says when no note is due: past all that is."""
STEP, PART = 16 * 128, 128
"""How far apart steps and parts are in `codecs.past_rows.order_of`."""


@compiled
def next_again(scene, past, bar):  # type: ignore[no-untyped-def]
    """The place, in the order of rows, of the next note that is played again: in the last row's ``bar`` or later.

    Of a later bar it is right once the model goes there: until then more notes may come into the bar that it copies.
    """
    bars = scene.again.shape[1]
    if bar >= bars or past.state[0].count == 0:
        return np.int64(NOTHING_DUE)
    bar = scene.next_again[bar]
    while bar < bars:
        due = np.int64(NOTHING_DUE)
        for part in range(scene.numbers[1]):
            back = scene.again[part, bar]
            known = back == 0
            for other in range(part):
                known = known or scene.again[other, bar] == back
            if not known:
                due = min(due, _first_after(scene, past, bar, back))
        if due < NOTHING_DUE:
            return due
        bar = scene.next_again[bar + 1] if bar + 1 < bars else bars
    return np.int64(NOTHING_DUE)


@compiled
def _first_after(scene, past, bar, back):  # type: ignore[no-untyped-def]
    """The place of the first note after the last row of those that stand ``back`` steps before in ``bar``, of the parts
    that play them again."""
    order, rows, count = past.order, past.rows, past.state[0].count
    after = max(order[count - 1] + 1, scene.lines[bar] * STEP) - back * STEP
    end = (scene.lines[bar + 1] - back) * STEP
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if order[middle] < after:
            low = middle + 1
        else:
            high = middle
    while low < count and order[low] < end:
        if rows[low, 0] <= LONGEST_SHIFT and scene.again[rows[low, 1], bar] == back:
            return order[low] + back * STEP
        low += 1
    return np.int64(NOTHING_DUE)

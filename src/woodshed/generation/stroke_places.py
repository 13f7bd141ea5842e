"""Drums struck where they are struck in the learned song: places of the bar as states of the harmony.

Left to itself a model strikes drums between the places that a groove has: twice as many strokes lay on the second and
fourth sixteenth of a bar as in the songs of `benchmarks/quality`. So a drum keeps to the places of the bar at which the
learned song strikes it at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import MAX_PARTS
from woodshed.generation.harmony import PITCHES


class States(NamedTuple):
    """What `Plan` holds by state."""

    state: NDArray[np.int16]
    """(end,)"""
    of: NDArray[np.int64]
    """(S,) which of the states before each is one of."""
    playable: NDArray[np.bool_]
    """(S, 16, 128)"""
    open: NDArray[np.bool_]
    """(16, end) where new notes may start."""


def on_strokes(
    state: NDArray[np.int16],
    playable: NDArray[np.bool_],
    steps: NDArray[np.bool_],
    drums: Sequence[int],
    strokes: Mapping[int, Sequence[int]],
    lines: NDArray[np.int64],
) -> States:
    """Let the slots that are ``drums`` strike each drum of ``strokes`` only at its steps from a bar line on.

    A slot that could strike nothing anywhere is left as it is.
    """
    place = np.arange(lines[-1]) - np.repeat(lines[:-1], np.diff(lines))
    struck = np.ones((int(np.diff(lines).max()), PITCHES), bool)
    for drum, places in strokes.items():
        struck[:, drum] = np.isin(np.arange(len(struck)), places)
    kinds, of_place = np.unique(struck, axis=0, return_inverse=True)
    pairs, joint = np.unique(np.stack((state, of_place[place])), axis=1, return_inverse=True)
    table, shut = playable[pairs[0]], np.zeros((MAX_PARTS, len(state)), bool)
    for slot in drums:
        own = table[:, slot] & kinds[pairs[1]]
        closed = steps[slot] & ~own.any(1)[joint]
        if (steps[slot] & ~closed).any():
            table[:, slot], shut[slot] = own, closed
    return States(joint.astype(np.int16), pairs[0], table, steps & ~shut)

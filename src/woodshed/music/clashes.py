"""Which notes begin a semitone from one that sounds: what is rare in most music, and at once heard where it is not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.music.song import Song
from woodshed.music.units import ticks_per_step

OVERLAP = ticks_per_step()
"""What overlaps by no more than this is legato."""
NOTES_BACK = 64
"""So many notes before are looked at; who sounds on for longer is not heard."""


def clashes(song: Song) -> NDArray[np.bool_]:
    """Of each pitched note, in the order of onset, part and pitch, whether one that came before it and sounds on beyond
    its onset is a semitone from it, octaves aside."""
    drums = np.array([part.is_drum for part in song.parts], bool)
    notes = song.notes[~drums[song.notes["part"]]]
    notes = notes[np.lexsort((notes["pitch"], notes["part"], notes["onset"]))]
    onset = notes["onset"].astype(np.int64)
    pitch, end = notes["pitch"].astype(np.int64), onset + notes["duration"]
    found = np.zeros(len(notes), bool)
    for back in range(1, min(NOTES_BACK + 1, len(notes))):
        apart = (pitch[back:] - pitch[:-back]) % 12
        found[back:] |= ((apart == 1) | (apart == 11)) & (end[:-back] > onset[back:] + OVERLAP)
    return found

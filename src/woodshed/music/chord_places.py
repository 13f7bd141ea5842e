"""Which notes are the root, the third and the fifth of the chord that sounds: what makes a chord heard as one.

In the learned bands three quarters of a bass's notes are the root of the chord that is found; guitars in fifths hardly
touch a third, an organ plays as many as roots.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music.chord_sheet import chord_tones, chords_at
from woodshed.music.general_midi import family
from woodshed.music.song import NO_CHORD, Part, Song
from woodshed.music.units import ticks_per_step

PLACES = ("root", "third", "fifth", "other")
"""What a note can be in its chord; any tone but the first three, of the chord or not, is other."""
ROOT, THIRD, FIFTH, OTHER = range(len(PLACES))
_OF_INTERVAL = np.array([ROOT, OTHER, OTHER, THIRD, THIRD, OTHER, FIFTH, FIFTH, FIFTH, OTHER, OTHER, OTHER], np.int8)


def chord_places(chords: NDArray[Any], bass: bool = False) -> NDArray[np.int8]:
    """(N, 12) the place in `PLACES` of each pitch class in each row of `Song.chords`; -1 where no chord sounds.

    For a part that plays the ``bass`` the root is the written bass, and the chord's own root some other tone.
    """
    tones = chord_tones(chords)
    interval = (np.arange(12) - chords["root"][:, None]) % 12
    places = np.where(tones, _OF_INTERVAL[interval], OTHER).astype(np.int8)
    if bass:
        low = np.flatnonzero((chords["bass"] != NO_CHORD) & (chords["bass"] != chords["root"]))
        places[low, chords["root"][low] % 12] = OTHER
        places[low, chords["bass"][low]] = ROOT
    places[chords["root"] == NO_CHORD] = -1
    return places


def place_shares(song: Song, part: int, chords: NDArray[Any], fewest: int) -> NDArray[np.float64] | None:
    """(4,) of a part's notes, the shares of the places in ``chords``; None of drums, and of fewer notes than that.

    A note that is played less than half a step early is of the chord to come.
    """
    if song.parts[part].is_drum or not len(chords):
        return None
    notes = song.notes[song.notes["part"] == part]
    row = chords_at(chords, notes["onset"].astype(np.int64) + ticks_per_step() // 2)
    of_row = chord_places(chords, plays_bass(song.parts[part]))
    place = np.where(row >= 0, of_row[row, notes["pitch"] % 12], -1)
    counts = np.bincount(place[place >= 0], minlength=len(PLACES))
    return counts / counts.sum() if counts.sum() >= fewest else None


def plays_bass(part: Part) -> bool:
    """Whether the part's instrument is a bass."""
    return not part.is_drum and family(part.program) == "bass"

"""Notes that begin on beats, between them and off them as often as in the learned songs, compiled: a closed loop.

A model that hears itself drifts from the meter: a note off the grid is what its past expects from then on. In clips of
`benchmarks/quality` one pitched note of ten began where one of five hundred of the learned songs does, and the first
beat was taken by a third fewer. So each kind of place (`music.places`) gains log-odds, for pitched parts and for drums,
a little more where it was lacking and a little less where it was too much, as in `engine_lines`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import LONGEST_SHIFT
from woodshed.compiled import compiled
from woodshed.music.places import FIRST_BEAT, PLACE_IN_QUARTER, PLACES

RATE, MOST = 0.05, 4.0
"""Nats by which one note moves what each kind of place has gained, times what was lacking as a part of what is usual,
and the most."""
RARE = 0.05
"""Added to what is usual: the one note in a thousand of a kind that hardly ever comes weighs so much, and no more."""
QUARTER = 12


@compiled
def _kind(within):  # type: ignore[no-untyped-def]
    """The kind of place so many steps after a bar line."""
    return FIRST_BEAT if within == 0 else PLACE_IN_QUARTER[within % QUARTER]


def losses(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 6) nats that each kind of place loses from the start: those that hardly ever are taken, as a first note there
    brings others; 0 for the others, and where nothing is known."""
    rare: NDArray[np.float64] = np.log((np.nan_to_num(places, nan=1.0) + 0.002) / RARE)
    return np.minimum(rare, 0.0)


@compiled
def lean_shift_to_places(scene, stream, place, logits):  # type: ignore[no-untyped-def]
    """Add to the logits of time shifts what the places to which they lead have gained. ``place`` is that of the last
    row; bars ahead are taken to be as long as its own."""
    if np.isnan(scene.usual.places[0, 0]) and np.isnan(scene.usual.places[1, 0]):
        return
    for i in range(LONGEST_SHIFT + 1):
        kind = _kind((place[0] + i) % place[2])
        pitched, drums = (
            stream.places[0, kind] + scene.usual.rare[0, kind],
            stream.places[1, kind] + scene.usual.rare[1, kind],
        )
        logits[i] += np.float32(0.5 * (pitched + drums))


@compiled
def lean_part_to_places(scene, stream, place, parts, logits):  # type: ignore[no-untyped-def]
    """Add to the logits of parts what the place of the next note has gained among pitched ones, or drums."""
    kind = _kind(place[0])
    for part in range(parts):
        group = 1 if scene.drums[part] else 0
        logits[part] += np.float32(stream.places[group, kind] + scene.usual.rare[group, kind])


@compiled
def count_place(scene, stream, part, place):  # type: ignore[no-untyped-def]
    """Take in a note that was drawn."""
    group, kind = 1 if scene.drums[part] else 0, _kind(place[0])
    if np.isnan(scene.usual.places[group, 0]):
        return
    for k in range(PLACES):
        usual = scene.usual.places[group, k]
        gained = stream.places[group, k] + RATE * (usual - (1.0 if k == kind else 0.0)) / (usual + RARE)
        stream.places[group, k] = min(max(gained, -MOST), MOST)

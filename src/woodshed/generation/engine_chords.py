"""Roots, thirds and fifths as often as in the learned songs, compiled: a closed loop for each part.

A part that must keep to the tones of asked chords stays on the one that most of them share: over Am F C G it was C in
three bars of four, in the bass too, and the chord that was asked for was found in 0.66 of the half bars (0.48 where
chords are a leaning). So the root, the third, the fifth and the rest lose log-odds in each part with each note that
takes them, and gain, by their share among its notes over the chords of the learned songs, with each
(`music.chord_places`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.compiled import compiled
from woodshed.music.chord_places import PLACES

RATE = 0.3
"""Nats by which one note moves what its place, or another, has gained."""
MOST = 4.0
"""Nats that are gained or lost at most."""
FIRST = 1.0
"""Nats that are gained or lost at most at first."""


def first_of_chord(usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """(parts, 4) what each place has gained before the first note, of its ``usual`` shares: log-odds to a quarter of
    the notes; 0 where these are not known."""
    gained = np.log(np.maximum(np.nan_to_num(usual, nan=1 / len(PLACES)) * len(PLACES), np.exp(-FIRST)))
    return np.minimum(gained, FIRST)


@compiled
def lean_to_chord(scene, stream, part, state, logits):  # type: ignore[no-untyped-def]
    """Add to the logits of the pitches what the place of each in the chord has gained."""
    if np.isnan(scene.usual.chord[part, 0]) or scene.places[state, part, 0] < 0:
        return
    for pitch in range(128):
        logits[pitch] += np.float32(stream.chord[part, scene.places[state, part, pitch % 12]])


@compiled
def count_chord(scene, stream, part, state, pitch, mask):  # type: ignore[no-untyped-def]
    """Take in a note that was drawn of the pitches that ``mask`` allowed: places without any could not be taken."""
    usual = scene.usual.chord[part]
    if np.isnan(usual[0]) or scene.places[state, part, 0] < 0:
        return
    open_to, taken = 0, scene.places[state, part, pitch % 12]
    for k in range(128):
        if mask[k]:
            open_to |= 1 << scene.places[state, part, k % 12]
    whole = 0.0
    for place in range(len(PLACES)):
        whole += usual[place] if open_to >> place & 1 else 0.0
    if whole <= 0:
        return
    for place in range(len(PLACES)):
        if open_to >> place & 1:
            gained = stream.chord[part, place] + RATE * (usual[place] / whole - (1.0 if place == taken else 0.0))
            stream.chord[part, place] = min(max(gained, -MOST), MOST)

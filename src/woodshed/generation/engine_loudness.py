"""Each part as loud, and as often louder and softer, as in the learned song, compiled: a closed loop for each part.

A model that hears itself soon holds each part to one velocity: 0.89 of a pitched part's notes had the same, and 0.73 of
the drums', where in the learned songs 0.76 and 0.49 have, and its beats were hardly louder than what is between them.
Most music is programmed with a handful of velocities to a part. So a part plays only velocities that it has in the
learned song, and each of them gains log-odds as long as it comes too seldom: on the beat, off it, on each kind of drum
(`codecs.usual_values.OCCASIONS`).
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.usual_values import OF_DRUM
from woodshed.compiled import compiled
from woodshed.music.units import STEPS_PER_QUARTER

RATE, MOST = 0.25, 4.0
"""Nats by which one note moves what each velocity has gained, and the most."""


@compiled
def _occasion(is_drum, pitch, place):  # type: ignore[no-untyped-def]
    """As `usual_values.occasions`, of one note."""
    if is_drum:
        return 2 * OF_DRUM[pitch] + (1 if place % STEPS_PER_QUARTER > 0 else 0)
    if place % STEPS_PER_QUARTER == 0:
        return 0 if place == 0 else 1
    return 2 if 2 * place % STEPS_PER_QUARTER == 0 else 3


@compiled
def lean_to_loudness(scene, stream, row, place, mask, logits):  # type: ignore[no-untyped-def]
    """Shut the velocities that the part of a row has not on such an occasion, and add to the logits of the others what
    these have gained."""
    part = row[1]
    occasion = _occasion(scene.drums[part], row[2], place)
    if np.isnan(scene.usual.velocities[part, occasion, 0]):
        return
    for i in range(stream.loudness.shape[2]):
        mask[i] = scene.usual.velocities[part, occasion, i] != 0
        logits[i] += np.float32(stream.loudness[part, occasion, i])


@compiled
def count_loudness(scene, stream, row, place):  # type: ignore[no-untyped-def]
    """Take in a note whose velocity was drawn."""
    part = row[1]
    occasion = _occasion(scene.drums[part], row[2], place)
    usual, gained = scene.usual.velocities[part, occasion], stream.loudness[part, occasion]
    if np.isnan(usual[0]):
        return
    for i in range(len(usual)):
        if usual[i] > 0:
            now = gained[i] + RATE * (usual[i] - (1.0 if i == row[4] else 0.0))
            gained[i] = min(max(now, -MOST), MOST)

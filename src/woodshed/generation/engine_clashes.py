"""Semitones that sound at once as often as in the learned songs, and no oftener, compiled: a closed loop.

What a model plays is less coherent than what it learned from: the bass goes on with one bar of its past, the guitar
with another, and they clash. Read along real music its pitches are as likely as they should be; left to itself it lets
twice as many notes begin a semitone from one that sounds. So the pitches that clash lose log-odds, a little more with
each note that does and a little less with each that does not, until as many do as in the learned songs
(`music.clashes`).
"""

from __future__ import annotations

import numpy as np

from woodshed.compiled import compiled

RATE = 0.06
"""Nats by which one note moves what clashes lose, times what it had too much or lacked."""
FIRST, MOST = 1.0, 3.0
"""Nats that they lose at first, and at most."""


@compiled
def clashing(state, step, found):  # type: ignore[no-untyped-def]
    """Which pitch classes ``found`` (12,) are a semitone from what sounds on beyond the next step."""
    found[:] = False
    for i in range(state.sounds):
        if state.sounding[i, 1] > step + 1:
            found[(state.sounding[i, 0] + 1) % 12] = True
            found[(state.sounding[i, 0] + 11) % 12] = True


@compiled
def lean_from_clashes(scene, stream, found, logits):  # type: ignore[no-untyped-def]
    """Take what clashes lose from the logits of the pitches of these classes."""
    if np.isnan(scene.usual.clashes[0]):
        return
    for pitch in range(128):
        if found[pitch % 12]:
            logits[pitch] -= np.float32(stream.clashes[0])


@compiled
def count_clash(scene, stream, clashes):  # type: ignore[no-untyped-def]
    """Take in a pitched note that was drawn: did it clash?"""
    if np.isnan(scene.usual.clashes[0]):
        return
    lean = stream.clashes[0] + RATE * ((1.0 if clashes else 0.0) - scene.usual.clashes[0])
    stream.clashes[0] = min(max(lean, 0.0), MOST)

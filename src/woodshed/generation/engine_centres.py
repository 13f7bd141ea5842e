"""Parts as high as in the learned songs, compiled: a closed loop for each part.

A part that hears itself wanders: leads and pads of `benchmarks/quality` lay half an octave above those that were
learned. So what is far from the middle of a part's pitches is less likely, and the pitches are tilted: a little more up
with each note that was too low, and a little more down with each that was too high. (Velocities are left alone: held
to their middle like this they lost all of their play.)
"""

from __future__ import annotations

import numpy as np

from woodshed.compiled import compiled

OCTAVE = 12.0
RATE, MOST = 0.1, 3.0
"""Nats an octave by which a note that is an octave off moves the tilt, and the most."""
FAR = 9.0
"""Semitones from the centre at which a pitch loses half a nat from the first note on, twice as far two: what a part
begins with it goes on with."""


@compiled
def lean_to_height(scene, stream, part, logits):  # type: ignore[no-untyped-def]
    """Tilt the pitches, and keep them near the centre."""
    centre = scene.usual.centres[part]
    if np.isnan(centre):
        return
    for pitch in range(128):
        off = pitch - centre
        logits[pitch] += np.float32(stream.tilts[part] * off / OCTAVE - 0.5 * (off / FAR) ** 2)


@compiled
def count_height(scene, stream, part, pitch):  # type: ignore[no-untyped-def]
    """Take in a note whose pitch was drawn."""
    centre = scene.usual.centres[part]
    if not np.isnan(centre):
        tilt = stream.tilts[part] + RATE * (centre - pitch) / OCTAVE
        stream.tilts[part] = min(max(tilt, -MOST), MOST)

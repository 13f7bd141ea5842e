"""Chords as often and as full as in the learned songs, compiled: a closed loop for each part.

A guitar that has struck two strings is apt to strike a third, whatever it plays later: parts of `benchmarks/quality`
struck three notes or more at once twice as often as those that were learned. So going on with a chord gains log-odds
for each part, a little more with each note that stands alone and a little less with each that is struck with another,
until as many are as in the learned songs.
"""

from __future__ import annotations

import numpy as np

from woodshed.compiled import compiled

RATE, MOST = 0.08, 2.5
"""Nats by which one note moves what chords have gained, times what was lacking, and the most."""


@compiled
def lean_shift_to_chords(scene, stream, logits):  # type: ignore[no-untyped-def]
    """Add to the logit of no time shift at all what chords of the last row's part have gained."""
    part = stream.row[1]
    if stream.started[part] > 0 and not np.isnan(scene.usual.chords[part]):
        logits[0] += np.float32(stream.chords[part])


@compiled
def lean_part_to_chords(scene, stream, now, step, parts, logits):  # type: ignore[no-untyped-def]
    """Add to the logits of parts that have struck a note on this step what their chords have gained."""
    if step > now:
        return
    for part in range(parts):
        if stream.started[part] > 0 and not np.isnan(scene.usual.chords[part]):
            logits[part] += np.float32(stream.chords[part])


@compiled
def count_chord(scene, stream, part):  # type: ignore[no-untyped-def]
    """Take in a note that was drawn; `Stream.started` counts it already."""
    if not np.isnan(scene.usual.chords[part]):
        struck_with = 1.0 if stream.started[part] > 1 else 0.0
        gained = stream.chords[part] + RATE * (scene.usual.chords[part] - struck_with)
        stream.chords[part] = min(max(gained, -MOST), MOST)

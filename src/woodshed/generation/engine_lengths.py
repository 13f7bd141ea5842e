"""Notes as long as those of the learned songs, and no oftener short, compiled: a closed loop for each part.

A model draws how long a note is before it knows what follows, and what follows often cuts it short: where the pitch is
struck again it can sound no longer. So half of the notes that guitars played in `benchmarks/quality` were a sixteenth
or shorter, where a third of the learned ones are. Here each kind of length (`music.texture`), and each note value that
the part has, gains log-odds for each part, a little more where it was lacking and a little less where it was too much;
a note counts as what it has become once its pitch is struck again. Values that the part has not are not played at all
(`codecs.usual_values`).

Where as many notes of a part sound as it has voices, its next one cuts the oldest. That counts as well, and such a part
is a little less likely to play: in the songs a line waits for the end of its notes.

A longer note is not favoured over one that still sounds: chords that ring on belong to the strings that play them.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import LONGEST_DURATION
from woodshed.compiled import compiled
from woodshed.music.texture import LENGTHS, length_kinds

RATE, MOST = 0.08, 3.0
"""Nats by which one note moves what each kind of length has gained, times what was lacking as a part of what is usual,
and the most."""
RARE = 0.05
"""Added to what is usual, so that what hardly ever comes does not outweigh all else."""
KINDS = length_kinds(np.arange(1, LONGEST_DURATION + 1))
"""The kind of each duration id."""
TAKEN = 1.0
"""Nats that a part loses whose voices all hold a note."""
BEGAN, ENDS = 0, 1


@compiled
def _count(scene, stream, part, duration, times):  # type: ignore[no-untyped-def]
    """A note of that duration id came, or (-1 ``times``) is no longer one."""
    for i in range(len(KINDS)):
        usual = scene.usual.note_values[part, i]
        if usual > 0:
            gained = stream.note_values[part, i] + times * RATE * (usual - (1.0 if i == duration else 0.0)) / (
                usual + RARE
            )
            stream.note_values[part, i] = min(max(gained, -MOST), MOST)
    kind = KINDS[duration]
    for k in range(LENGTHS):
        usual = scene.usual.lengths[part, k]
        gained = stream.lengths[part, k] + times * RATE * (usual - (1.0 if k == kind else 0.0)) / (usual + RARE)
        stream.lengths[part, k] = min(max(gained, -MOST), MOST)


@compiled
def lean_to_lengths(scene, stream, part, rings, logits):  # type: ignore[no-untyped-def]
    """Add to the logits of durations what their kinds have gained; of those that gained more than the shortest, nothing
    while the part ``rings``."""
    if np.isnan(scene.usual.lengths[part, 0]):
        return
    for i in range(len(KINDS)):
        gained = stream.lengths[part, KINDS[i]]
        own = stream.note_values[part, i]
        gained = min(gained, stream.lengths[part, 0]) + min(own, 0.0) if rings else gained + own
        logits[i] += np.float32(gained)


@compiled
def _cut(scene, stream, part, held, step):  # type: ignore[no-untyped-def]
    """A note of the part ends here: it is as long as it has become."""
    _count(scene, stream, part, min(held[ENDS] - held[BEGAN], LONGEST_DURATION) - 1, -1.0)
    _count(scene, stream, part, step - held[BEGAN] - 1, 1.0)
    held[ENDS] = step


@compiled
def voices_taken(scene, stream, part, step):  # type: ignore[no-untyped-def]
    """Whether all voices of a part, if they are counted, hold notes that began before a step."""
    ringing = 0
    if scene.polyphony[part] < len(stream.held[part]):
        for pitch in range(len(stream.held[part])):
            ringing += stream.held[part, pitch, BEGAN] < step < stream.held[part, pitch, ENDS]
    return ringing >= scene.polyphony[part]


@compiled
def lean_from_taken(scene, stream, mask, step, logits):  # type: ignore[no-untyped-def]
    """Make parts whose voices are all taken less likely to play."""
    for part in range(scene.numbers[1]):
        if mask[part] and voices_taken(scene, stream, part, step):
            logits[part] -= np.float32(TAKEN)


@compiled
def count_length(scene, stream, row, step, again):  # type: ignore[no-untyped-def]
    """Take in a pitched note; one that is played ``again`` counts only in what it cuts short."""
    part, pitch = row[1], row[2]
    if np.isnan(scene.usual.lengths[part, 0]):
        return
    held = stream.held[part]
    if held[pitch, BEGAN] < step < held[pitch, ENDS]:
        _cut(scene, stream, part, held[pitch], step)
    elif voices_taken(scene, stream, part, step):
        oldest = -1
        for other in range(len(held)):
            rings = held[other, BEGAN] < step < held[other, ENDS]
            if rings and (oldest < 0 or held[other, BEGAN] < held[oldest, BEGAN]):
                oldest = other
        _cut(scene, stream, part, held[oldest], step)
    held[pitch, BEGAN], held[pitch, ENDS] = step, step + row[3] + 1
    if not again:
        _count(scene, stream, part, row[3], 1.0)

"""Notes of a line as far apart, and as seldom on one pitch, as in the lines that were learned, compiled: a closed loop.

A solo over a backing is the one line of its song and has no past of its own to go by: chords pull it from chord tone to
chord tone, and what sounds beside it keeps it off the tones between. So it leapt as no player does, and came back to
one pitch all the time: a tenth of its intervals were steps, where the lines of the learned songs have four tenths, a
quarter were wider than a fifth, where they have 0.06, and 0.43 of its notes took the pitch that it had played most
often of late, where they have 0.22. So each class of intervals (`music.intervals`), and the favourite pitch of the
latest notes, loses log-odds with each note that takes it, and gains, by its share in the learned lines, with each.
"""

from __future__ import annotations

import numpy as np

from woodshed.compiled import compiled
from woodshed.music.intervals import CLASSES, FIRST_OF_CLASS, LATELY

RATE = 0.12
"""Nats by which one note moves what its class, or the favourite, loses."""
MOST = 4.0
"""Nats that are lost or gained at most."""
FIRST = np.array([-0.3, 1.2, 0.0, -0.3, -1.2, -1.5, -0.8])
"""Nats of each class, and of the favourite, at first: about where they end over most backings."""
CLASS_OF = np.searchsorted(FIRST_OF_CLASS, np.arange(128), side="right") - 1
"""Of each interval in semitones."""
FAVOURITE = CLASSES
"""The last column of `Usual.line`, and of `Stream.line`; those before are the classes."""
COLUMNS = CLASSES + 1


@compiled
def lean_to_line(scene, stream, part, logits):  # type: ignore[no-untyped-def]
    """Add to the logits of the pitches what the class of each one's interval from the part's last note has gained, and
    to that of its favourite what that has."""
    if np.isnan(scene.usual.line[part, 0]):
        return
    last, favourite = stream.past.state[0].own[part, 0], _favourite(stream.lately[part])
    if last >= 0:
        for pitch in range(128):
            logits[pitch] += np.float32(stream.line[part, CLASS_OF[abs(pitch - last)]])
    if favourite >= 0:
        logits[favourite] += np.float32(stream.line[part, FAVOURITE])


@compiled
def count_line(scene, stream, part, pitch):  # type: ignore[no-untyped-def]
    """Take in a note that was drawn."""
    if np.isnan(scene.usual.line[part, 0]):
        return
    last, favourite, lately = stream.past.state[0].own[part, 0], _favourite(stream.lately[part]), stream.lately[part]
    if last >= 0:
        taken = CLASS_OF[abs(pitch - last)]
        for one in range(CLASSES):
            _follow(scene, stream, part, one, one == taken)
    if favourite >= 0:
        _follow(scene, stream, part, FAVOURITE, pitch == favourite)
    for i in range(LATELY - 1):
        lately[i] = lately[i + 1]
    lately[LATELY - 1] = pitch


@compiled
def _follow(scene, stream, part, column, taken):  # type: ignore[no-untyped-def]
    gained = stream.line[part, column] + RATE * (scene.usual.line[part, column] - (1.0 if taken else 0.0))
    stream.line[part, column] = min(max(gained, -MOST), MOST)


@compiled
def _favourite(lately):  # type: ignore[no-untyped-def]
    """The pitch that came most often, of several the one that came first; -1 before there are as many notes."""
    favourite, most = np.int64(-1), 0
    if lately[0] < 0:
        return favourite
    for i in range(LATELY):
        count = 0
        for k in range(LATELY):
            count += lately[k] == lately[i]
        if count > most:
            favourite, most = lately[i], count
    return favourite

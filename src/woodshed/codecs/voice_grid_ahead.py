"""Four voices on a grid of sixteenths: what is ahead of each frame in a soprano that is wholly known.

`ahead` says of each frame a row of `AHEAD` integers; they stand behind those of `woodshed.codecs.voice_grid`:

=======  ==========  ===================================================================================
columns  name        meaning
=======  ==========  ===================================================================================
0        until       for how many frames from this one on the soprano stays where it is, up to `LONGEST`
1-2      next        the pitches that it sings next, one after the other; `REST` where it is over
3-4      beats       what it sings in the first frame of the next beat, and of the beat after
5        cadence     beats to the next note of it that lasts for two beats or more, up to `FAR`; 0 in such a note
6-17     whole       how much of it is in each of twelve pitch classes, in hundredths
=======  ==========  ===================================================================================
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.voice_grid import REST

LONGEST = 9
FAR = 12
CADENCE = 8
"""Frames that a note at the end of a line lasts, at least."""
NEXT = 2
AHEAD = 1 + NEXT + 2 + 1 + 12


def ahead(soprano: NDArray[np.int64]) -> NDArray[np.int16]:
    """(T,) pitches or `REST` -> (T, AHEAD) what is ahead of each frame; the frame itself is known, too."""
    frames = len(soprano)
    starts = np.flatnonzero(np.r_[True, soprano[1:] != soprano[:-1]][:frames])
    ends = np.r_[starts[1:], frames]
    note = np.repeat(np.arange(len(starts)), ends - starts)
    now = np.arange(frames)
    until = np.minimum(ends[note] - now, LONGEST)
    sung = np.r_[soprano[starts], np.full(NEXT, REST)]
    following = [sung[note + 1 + later] for later in range(NEXT)]
    padded = np.r_[soprano, np.full(12, REST)]
    beats = [padded[now // 4 * 4 + later] for later in (4, 8)]
    lasting = (ends - starts >= CADENCE)[note]
    to_come = np.r_[np.flatnonzero(lasting), frames + 4 * FAR]
    cadence = np.minimum((to_come[np.searchsorted(to_come, now)] - now + 3) // 4, FAR)
    sounding = soprano[soprano != REST]
    whole = np.rint(100 * np.bincount(sounding % 12, minlength=12) / max(len(sounding), 1))
    told = [until, *following, *beats, cadence]
    return np.column_stack((*told, np.tile(whole, (frames, 1)))).astype(np.int16)

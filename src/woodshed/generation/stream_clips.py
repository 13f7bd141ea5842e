"""A station that chains clips: for models that know no song that goes on, but pieces of some bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from woodshed.generation.filters import Sampling
from woodshed.generation.stream import Drawn
from woodshed.music import Song

Draw = Callable[[Sampling, np.random.Generator, Any], tuple[Song, Any]]
"""Given how to sample, chance, and what the clip before left (None: there was none): a clip of whole bars for the
frame's parts, and what it leaves to the next."""


@dataclass(frozen=True)
class ClipStation:
    """A chain of clips at a bar line."""

    frame: Song
    draw: Draw
    left: Any = None
    """What the latest clip left."""
    waiting: tuple[Drawn, ...] = ()
    """Its bars that were not played yet."""

    def play(self, sampling: Sampling, rng: np.random.Generator, attempt: int) -> tuple[Drawn, ClipStation]:
        """The next bar of the clip, or the first of another; a bar that may not come again is the end of its clip."""
        waiting, left = self.waiting, self.left
        if attempt or not waiting:
            clip, left = self.draw(sampling, rng, left)
            waiting = bars_of(clip)
        return waiting[0], replace(self, left=left, waiting=waiting[1:])


def bars_of(clip: Song) -> tuple[Drawn, ...]:
    """A clip's bars. Notes are cut where the clip ends."""
    size, notes = clip.meter.bar_ticks, clip.notes.copy()
    notes["duration"] = np.minimum(notes["duration"], clip.length - notes["onset"])
    bars = []
    for bar in range(max(clip.length // size, 1)):
        own = notes[(notes["onset"] >= bar * size) & (notes["onset"] < (bar + 1) * size)]
        own["onset"] -= bar * size
        bars.append(Drawn(own))
    return tuple(bars)

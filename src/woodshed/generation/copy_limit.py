"""How much of the learned songs new music may hold in one stretch, as a constraint.

What is a stretch (a *passage* of a part, a *copy* of all parts together, in any key, at any speed, a few notes
altered) says `woodshed.corpus.passages`; the same index answers while playing and afterwards, so that what is promised
is what is measured. A limit in quarter notes holds for copies as for passages, one in notes for passages alone: a band
plays two dozen notes in a bar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.corpus.passages import FEWEST_NOTES, RUN_NOTES, Found, PassageIndex
from woodshed.errors import OutOfRange
from woodshed.music import Song
from woodshed.music.units import TICKS_PER_QUARTER

MOST = 4096


@dataclass(frozen=True, eq=False)
class CopyLimit:
    """Nothing that also stands in ``index`` may last longer than ``beats``, or have more than ``notes`` in a part."""

    index: PassageIndex
    name: str
    """What the indexed songs are called."""
    beats: float | None = None
    """Quarter notes from its first onset to its last."""
    notes: int | None = None

    @property
    def text(self) -> str:
        """``"8beats"`` or ``"24notes"``"""
        return f"{self.notes}notes" if self.beats is None else f"{self.beats:g}beats"

    def longest(self, song: Song) -> tuple[float, int]:
        """Quarter notes of what lasts longest, notes of the passage that has most; 0 where there is none."""
        found = self._found(song)
        ticks = [last - first for _, first, last in _stretches(song, found)]
        return max(ticks, default=0) / TICKS_PER_QUARTER, int(found.spans[:, 0].max(initial=0))

    def _found(self, song: Song) -> Found:
        run = RUN_NOTES if self.notes is None else max(min(RUN_NOTES, self.notes + 1), FEWEST_NOTES)
        return self.index.find(song, run)

    def excess(self, song: Song) -> NDArray[np.bool_]:
        """(N,) notes of a song that would have to go for its passages to be short enough; none if they are.

        Of each stretch that is too long these are its shared notes after as much of its time as is allowed.
        """
        found = self._found(song)
        onset, shared = song.notes["onset"].astype(np.int64), found.length > 0
        marked = np.zeros(len(song), bool)
        for notes, first, last in _stretches(song, found):
            allowed = self._allowed(notes, (last - first) / TICKS_PER_QUARTER)
            if allowed < 1:
                marked |= shared & (onset > first + allowed * (last - first)) & (onset <= last)
        return marked

    def _allowed(self, notes: int, beats: float) -> float:
        """The share of a stretch that is allowed; 1 for all of it."""
        too_long = self.beats is not None and beats > self.beats
        if too_long:
            return float(self.beats or 0.0) / beats
        return self.notes / notes if self.notes is not None and notes > self.notes else 1.0


def _stretches(song: Song, found: Found) -> Iterator[tuple[int, int, int]]:
    """Of each passage its notes and the ticks of the first and the last of them; the same of each copy, notes as 0."""
    onset = song.notes["onset"].astype(np.int64)
    for notes, first, last in found.spans.tolist():
        yield notes, int(onset[first]), int(onset[last])
    for copy in found.copies:
        yield 0, int(onset[copy.notes].min()), int(onset[copy.notes].max())


def parse_limit(text: str) -> tuple[float | None, int | None]:
    """``"8beats"`` -> (8.0, None), ``"24notes"`` -> (None, 24).

    Raises:
        OutOfRange: for anything else.
    """
    found = re.fullmatch(r"\s*(\d{1,6}(?:\.\d{1,3})?)\s*(beat|note)s?\s*", text.lower())
    least = FEWEST_NOTES - 1
    if found and found[2] == "beat" and 0 < float(found[1]) <= MOST:
        return float(found[1]), None
    if found and found[2] == "note" and "." not in found[1] and least <= int(found[1]) <= MOST:
        return None, int(found[1])
    raise OutOfRange(f"max-copy {text!r} is no limit; write 8beats (to {MOST}) or 24notes ({least}-{MOST})")

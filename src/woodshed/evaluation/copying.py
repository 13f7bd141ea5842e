"""How much of a song stands, note for note, in the songs that a model learned from.

A **run** is a stretch of notes that follow one another in one part. Two runs are equal when the steps between their
onsets are equal (1/12 quarter note) and, in pitched parts, the intervals between their notes (so a transposed copy
is a copy), or, in drum parts, the drums themselves. Notes that start together follow one another from the lowest
up; a note doubled within a part counts once. Durations, velocities, the tempo and the instrument play no role.

A run counts only if it is **varied**: among its steps from note to note, at least `CHANGES` differ. Without this,
a repeated note, a trill or a chugged chord in one song would be a copy of that in any other: over 26 songs of
Freedoom, each against the 77 others, the mean share of pitched notes "copied" is 0.215 without it and 0.005 with it.

All runs of ``n`` notes are compared at once by a polynomial hash of 64 bits, whose values for all places come from
one cumulative sum (R. M. Karp and M. O. Rabin, Efficient randomized pattern-matching algorithms, IBM J. 1987). We
differ in computing modulo 2**64, and in mixing each symbol first, which keeps short patterns apart.

What it cannot see: a copy of something that is not varied, a copy with a note put in or taken out more often than
every ``run_notes`` notes, a copy at half or double speed, a tune shared out over several parts. All but the first are
seen by `woodshed.evaluation.novelty`, which tells people what was copied; this is the plain count, note for note,
by which the tables of `benchmarks/quality`, `recipes` and `base` were made.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.music import STEPS_PER_QUARTER, Song
from woodshed.music.meter import bar_of
from woodshed.music.units import ticks_to_steps

RUN_NOTES = 12
"""Notes that must agree in a row before they count as copied."""
CHANGES = 4
"""Different steps from note to note (interval and wait together) that a run must hold to count at all."""


@dataclass(frozen=True)
class Copying:
    """What of one song also stands in the indexed songs."""

    share: float
    """0-1: share of the song's notes that lie in a varied run of at least ``run_notes`` notes that also stands
    there."""
    pitched_share: float
    """The same among notes that are not drums; 0 where there are none."""
    drum_share: float
    """The same among drum notes; 0 where there are none. Common beats stand in many songs of real music too."""
    run_notes: int
    """The shortest run that counts."""
    longest_run_notes: int
    """Notes of the longest such run, drums included; 0 if there is none of ``run_notes`` or more."""
    longest_run_beats: float
    """Quarter notes from its first onset to its last."""
    longest_run_part: str
    """Name of the part it is in; empty if there is none or the part has no name."""
    longest_run_bar: int
    """Bar of this song in which it begins, from 1; 0 if there is none."""
    longest_run_source: str
    """Title of a song that it also stands in; empty if there is none."""
    longest_run_source_bar: int
    """Bar of that song in which it begins, from 1; 0 if there is none."""


@dataclass(frozen=True)
class _Runs:
    """The notes of some songs in the order in which runs go through them, part after part."""

    symbol: NDArray[np.uint64]
    """(N,) what leads from each note to the next of its part: interval or drums, and steps between."""
    left: NDArray[np.int64]
    """(N,) notes from this one to the end of its part, itself included."""
    before: NDArray[np.int64]
    """(N,) notes of its part before this one."""
    step: NDArray[np.int64]
    """(N,) onset."""
    bar: NDArray[np.int64]
    """(N,) number of the bar, from 1."""
    part: NDArray[np.int64]
    """(N,) index of the part in its song."""
    is_drum: NDArray[np.bool_]
    """(N,)"""

    @classmethod
    def of(cls, song: Song) -> _Runs:
        """Put the notes of one song in order; doubled notes once."""
        step = ticks_to_steps(song.notes["onset"])
        part, pitch = song.notes["part"].astype(np.int64), song.notes["pitch"].astype(np.int64)
        order = np.lexsort((pitch, step, part))
        step, part, pitch = step[order], part[order], pitch[order]
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(part) != 0) | (np.diff(step) != 0) | (np.diff(pitch) != 0)
        step, part, pitch = step[new], part[new], pitch[new]
        bar = bar_of(step, ticks_to_steps(song.bar_lines())) + 1
        is_drum = np.array([part.is_drum for part in song.parts], bool)[part]
        place = np.arange(len(step))
        left, before = np.searchsorted(part, part, side="right") - place, place - np.searchsorted(part, part)
        return cls(_symbols(step, pitch, is_drum), left, before, step, bar, part, is_drum)

    @classmethod
    def joined(cls, runs: list[_Runs]) -> _Runs:
        """One after another; no run goes from one to the next, since ``left`` ends with each part."""
        runs = runs or [cls.of(Song())]
        return cls(*(np.concatenate([getattr(run, name) for run in runs]) for name in cls.__dataclass_fields__))

    @cached_property
    def _sums(self) -> NDArray[np.uint64]:
        """(N + 1,) sums of symbol * BASE**place, modulo 2**64."""
        return np.concatenate((np.zeros(1, np.uint64), np.cumsum(self.symbol * _powers(_BASE, len(self.symbol)))))

    @cached_property
    def _shifts(self) -> NDArray[np.uint64]:
        """(N,) BASE**-place, which moves a hash from its place to the start."""
        return _powers(_BASE_INVERSE, len(self.symbol))

    def varied_starts(self, notes: int) -> NDArray[np.int64]:
        """Places at which a varied run of ``notes`` notes begins."""
        symbols = notes - 1
        if len(self.symbol) < notes:
            return np.empty(0, np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(_last_seen(self.symbol), symbols)
        changes = (windows < np.arange(len(windows))[:, None]).sum(axis=1)  # symbols not yet seen in the window
        return np.flatnonzero((changes[: len(self.symbol) - symbols] >= CHANGES) & (self.left[:-symbols] >= notes))

    def hashes(self, starts: NDArray[np.int64], notes: int) -> NDArray[np.uint64]:
        """Hash of the run of ``notes`` notes that begins at each start: of its ``notes - 1`` symbols."""
        hashes: NDArray[np.uint64] = (self._sums[starts + notes - 1] - self._sums[starts]) * self._shifts[starts]
        return hashes

    def within(self, starts: NDArray[np.int64], notes: int) -> NDArray[np.bool_]:
        """(N,) whether each note lies in one of the runs of ``notes`` notes that begin at ``starts``."""
        size = len(self.symbol) + 1
        change = np.bincount(starts, minlength=size) - np.bincount(starts + notes, minlength=size)
        return np.cumsum(change[:-1]) > 0


class CopyIndex:
    """All runs of some songs, to find out what another song has in common with them.

    Memory is about 80 bytes per note; building sorts one hash per note.
    """

    def __init__(self, songs: Iterable[tuple[str, Song]], run_notes: int = RUN_NOTES) -> None:
        """Index songs with their titles.

        Raises:
            OutOfRange: for runs so short that none can be varied.
        """
        if run_notes <= CHANGES:
            raise OutOfRange(f"runs of {run_notes} notes: ask for {CHANGES + 1} or more, {RUN_NOTES} is usual")
        named = list(songs)
        found = [_Runs.of(song) for _, song in named]
        self.run_notes = run_notes
        self.titles = tuple(title for title, _ in named)
        self._ends = np.cumsum([len(runs.symbol) for runs in found], dtype=np.int64)
        self._runs = _Runs.joined(found)
        self._starts = self._runs.varied_starts(run_notes)
        self._hashes = self._runs.hashes(self._starts, run_notes)
        self._ordered = np.unique(self._hashes)

    def check(self, song: Song) -> Copying:
        """What of ``song`` also stands in the indexed songs."""
        runs = _Runs.of(song)
        starts = runs.varied_starts(self.run_notes)
        starts = starts[_among(runs.hashes(starts, self.run_notes), self._ordered)]
        copied = runs.within(starts, self.run_notes)
        notes, here, there = self._longest(runs, starts)
        found = notes > 0
        beats = float(runs.step[here + notes - 1] - runs.step[here]) / STEPS_PER_QUARTER if found else 0.0
        return Copying(
            share=_share(copied),
            pitched_share=_share(copied[~runs.is_drum]),
            drum_share=_share(copied[runs.is_drum]),
            run_notes=self.run_notes,
            longest_run_notes=notes,
            longest_run_beats=beats,
            longest_run_part=song.parts[runs.part[here]].name if found else "",
            longest_run_bar=int(runs.bar[here]) if found else 0,
            longest_run_source=self.titles[np.searchsorted(self._ends, there, side="right")] if found else "",
            longest_run_source_bar=int(self._runs.bar[there]) if found else 0,
        )

    def _longest(self, runs: _Runs, ours: NDArray[np.int64]) -> tuple[int, int, int]:
        """Length, place here and place there of the longest common run; (0, 0, 0) if there is none.

        ``ours`` are the places of ``runs`` at which a common run of ``run_notes`` begins. What begins a longer
        common run begins a shorter one too, so the length is found by doubling, then halving the gap, and only
        places where a shorter run was found are looked at again.
        """
        if not len(ours):
            return 0, 0, 0
        theirs = self._starts[_among(self._hashes, np.unique(runs.hashes(ours, self.run_notes)))]
        longest, too_long = self.run_notes, 1 + int(min(runs.left[ours].max(), self._runs.left[theirs].max()))
        while longest + 1 < too_long:
            notes = 2 * longest if 2 * longest < too_long else (longest + too_long) // 2
            pair = self._common(runs, ours, theirs, notes)
            if len(pair[0]):
                longest, (ours, theirs) = notes, pair
            else:
                too_long = notes
        here = int(ours[0])
        there = int(theirs[self._runs.hashes(theirs, longest) == runs.hashes(ours[:1], longest)][0])
        return self._extended_back(runs, here, there, longest)

    def _common(
        self, runs: _Runs, ours: NDArray[np.int64], theirs: NDArray[np.int64], notes: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Those of our places and of their places at which a common run of ``notes`` notes begins."""
        ours, theirs = ours[runs.left[ours] >= notes], theirs[self._runs.left[theirs] >= notes]
        our_hashes, their_hashes = runs.hashes(ours, notes), self._runs.hashes(theirs, notes)
        return ours[_among(our_hashes, np.unique(their_hashes))], theirs[_among(their_hashes, np.unique(our_hashes))]

    def _extended_back(self, runs: _Runs, here: int, there: int, notes: int) -> tuple[int, int, int]:
        """The run with the notes before it that are common too, which are not varied enough to begin one."""
        most = int(min(runs.before[here], self._runs.before[there]))
        same = runs.symbol[here - most : here] == self._runs.symbol[there - most : there]
        more = int(np.argmin(np.append(same[::-1], False)))
        return notes + more, here - more, there - more


def _share(copied: NDArray[np.bool_]) -> float:
    return float(copied.mean()) if len(copied) else 0.0


def _among(values: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each value is one of ``ordered``, which ascends; faster than `numpy.isin` when that is sorted once."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    among: NDArray[np.bool_] = ordered[place] == values
    return among


def _last_seen(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(N,) place at which each value stood the last time before, or -1."""
    order = np.argsort(values, kind="stable")
    again = values[order[1:]] == values[order[:-1]]
    seen = np.full(len(values), -1, np.int64)
    seen[order[1:][again]] = order[:-1][again]
    return seen


_BASE = 0x9E3779B97F4A7C15
"""Odd, so that it has an inverse modulo 2**64."""
_BASE_INVERSE = pow(_BASE, -1, 2**64)


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    """(count,) base**0, base**1 ... modulo 2**64."""
    factors = np.full(max(count, 1), base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)[:count]


def _symbols(step: NDArray[np.int64], pitch: NDArray[np.int64], is_drum: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """(N,) what leads from each note to the next, mixed; the last of a part leads nowhere and is never asked for."""
    following = np.append(pitch[1:], 0)
    wait = np.append(np.diff(step), 0)
    interval = following - pitch + 128  # 1-255
    drums = 256 + pitch * 128 + following
    return _mix(wait.astype(np.uint64) << np.uint64(16) | np.where(is_drum, drums, interval).astype(np.uint64))


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread each value over all 64 bits, one to one (the finaliser of SplitMix64, S. Vigna 2015)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

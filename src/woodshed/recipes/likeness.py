"""Which of several clips sounds most like the real thing, without being a copy of it.

`strangeness` adds up how far a clip lies from real excerpts in a few figures, in standard deviations of the real
ones, each cut at `MOST` so that one odd figure does not decide alone. To the figures of `woodshed.evaluation` it adds
`consonance`, which a listener hears first of all, and it counts what is copied and what `faults` finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.evaluation.known_music import KnownMusic
from woodshed.evaluation.metrics import Metrics, Spread, excerpts, measure, summarise_metrics
from woodshed.music import STEPS_PER_QUARTER, Key, Song
from woodshed.music.segments import pitched_notes
from woodshed.music.units import ticks_per_step

FIGURES = (
    "notes_per_bar", "pitch_class_entropy", "scale_consistency", "polyphony", "empty_beat_rate", "groove_consistency",
    "self_similarity_1", "self_similarity_2", "self_similarity_4", "longest_repeated_note_run", "mean_note_quarters",
)  # fmt: skip
MOST = 3.0
"""Standard deviations beyond which a figure is simply odd."""
COPIED, HOME = 6.0, 0.1
"""Weight of the copied share (0-1), and the gain of a clip whose lowest part ends on the tonic."""
CONSONANCE = 3.0
"""Weight of consonance beside the other figures, which weigh 1 each."""
_CONSONANT = (3, 4, 5)
"""Thirds, sixths, fourths and fifths, as semitones up to the octave's half."""


@dataclass(frozen=True)
class RealMusic:
    """Real excerpts, to judge clips of the same length by."""

    figures: dict[str, Spread]
    """Spread of each figure over the excerpts."""
    consonance: Spread
    known: KnownMusic
    """All that was learned from."""

    @classmethod
    def of(cls, songs: Sequence[Song], learned: Iterable[tuple[str, Song]], bars: int = 8) -> RealMusic:
        """From the excerpts of ``bars`` bars of ``songs``, and the songs that a model learned from."""
        pieces = [piece for song in songs for piece in excerpts(song, bars)] or list(songs)
        heard = np.array([consonance(piece) for piece in pieces])
        low, median, high = np.quantile(heard, (0.05, 0.5, 0.95)).tolist()
        spread = Spread(len(heard), float(heard.mean()), float(heard.std()), low, median, high)
        return cls(summarise_metrics([measure(piece) for piece in pieces]), spread, KnownMusic(learned))

    def strangeness(self, clip: Song, key: Key | None = None) -> float:
        """0 is as real music is on average; about 1 is usual for real music."""
        metrics = measure(clip)
        distances = [self._distance(metrics, name) for name in FIGURES if metrics.is_defined(name)]
        mean = float(np.mean(distances)) if distances else MOST
        harsh = max(_deviations(consonance(clip), self.consonance), 0.0) * CONSONANCE / len(FIGURES)
        home = HOME if key is not None and ends_at_home(clip, key) else 0.0
        return mean + harsh + COPIED * self.known.check(clip).share - home

    def _distance(self, metrics: Metrics, name: str) -> float:
        spread = self.figures.get(name)
        return abs(_deviations(getattr(metrics, name), spread)) if spread is not None and spread.count else 0.0


def _deviations(value: float, spread: Spread) -> float:
    """How many standard deviations a value lies below the real mean (above: negative), within `MOST`."""
    return float(np.clip((spread.mean - value) / max(spread.std, 0.02, abs(spread.mean) * 0.05), -MOST, MOST))


def consonance(song: Song) -> float:
    """0-1: of all pairs of different pitch classes that sound together, twice per quarter note, the share that are
    thirds, fourths, fifths or sixths; 1 if no two do."""
    notes = pitched_notes(song.notes, song.parts)
    moments = np.arange(0, max(song.length, 1), ticks_per_step() * STEPS_PER_QUARTER // 2)
    classes = np.zeros((len(moments), 12), bool)
    onset = notes["onset"].astype(np.int64)
    first = np.searchsorted(moments, onset)
    last = np.searchsorted(moments, onset + notes["duration"])
    for pitch_class in range(12):
        own = notes["pitch"] % 12 == pitch_class
        change = np.bincount(first[own], minlength=len(moments) + 1) - np.bincount(
            last[own], minlength=len(moments) + 1
        )
        classes[:, pitch_class] = np.cumsum(change)[: len(moments)] > 0
    pairs = np.array([_pairs(classes, interval) for interval in range(1, 7)])
    pairs[5] //= 2  # a tritone is found from both of its ends
    total = int(pairs.sum())
    return float(pairs[[interval - 1 for interval in _CONSONANT]].sum() / total) if total else 1.0


def _pairs(classes: NDArray[np.bool_], interval: int) -> int:
    return int((classes & np.roll(classes, -interval, axis=1)).sum())


def ends_at_home(song: Song, key: Key) -> bool:
    """Whether the lowest of the notes that sound last is the tonic."""
    notes = pitched_notes(song.notes, song.parts)
    if not len(notes):
        return False
    ends = notes["onset"].astype(np.int64) + notes["duration"]
    return int(notes["pitch"][ends == ends.max()].min()) % 12 == key.tonic

"""What a song is like, in figures: for judging anyone's output beside real music.

Nothing here says good or bad. A figure says something only beside the same figure of real songs of the same
length, so `summarise` real music, cut by `excerpts` into pieces as long as what is judged.

Conventions: pitch figures leave drums out. A note sounds from its onset up to but not including its end. Bars are
the song's own (`Song.bar_lines`, meter changes included); places within a bar are steps of 1/12 quarter note.
A figure that has nothing to count is 0, never NaN, and `is_defined` then says no; `summarise` leaves it out.

Where MusPy 0.5 has the figure, ours equals its definition, with these differences: ends are exclusive (MusPy counts
a beat or bar into which a note only just reaches, and one more beat and bar after a song that ends on a line),
meters may change, groove is on a grid, and nothing is NaN. `muspy_figures` has MusPy's own, to the last digit.

Sources:
    H.-W. Dong, K. Chen, J. McAuley, T. Berg-Kirkpatrick: MusPy: A toolkit for symbolic music generation, ISMIR 2020.
    S.-L. Wu, Y.-H. Yang: The Jazz Transformer on the front line, ISMIR 2020 (pitch class entropy, groove).
    O. Mogren: C-RNN-GAN, 2016 (scale consistency, polyphony).
    H.-W. Dong et al.: MuseGAN, AAAI 2018 (empty bars); Pypianoroll, ISMIR late-breaking 2018 (empty beats).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.evaluation.intervals import covered
from woodshed.music import SCALES, TICKS_PER_QUARTER, Song
from woodshed.music.key_finding import find_key
from woodshed.music.meter import bar_of
from woodshed.music.segments import pitched_notes
from woodshed.music.units import ticks_to_steps

LAGS = (1, 2, 4, 8)
"""Bars back at which a song is compared with itself."""


@dataclass(frozen=True)
class Metrics:
    """The figures of one song. Every field is a finite number."""

    notes: int
    """How many notes, drums included."""
    pitched_notes: int
    """How many notes that are not drums."""
    parts: int
    """How many parts have a note."""
    bars: int
    """How many bars, silent ones included."""
    notes_per_bar: float
    """Notes of all parts per bar."""
    notes_per_bar_per_part: float
    """Notes per bar of one part: mean over the parts that have a note."""
    pitch_class_entropy: float
    """Bits, 0-3.58: entropy of the histogram of pitch classes, one count per note (Wu and Yang 2020; MusPy)."""
    scale_consistency: float
    """0-1: the largest share of notes that one major or natural minor scale holds (Mogren 2016; MusPy)."""
    in_key_rate: float
    """0-1: share of notes in the scale (major or natural minor) of the key that Krumhansl and Schmuckler's method
    finds for the song; never more than the scale consistency."""
    pitch_range: int
    """Semitones from the lowest to the highest note (MusPy)."""
    distinct_pitches: int
    """How many different pitches sound (MusPy: n_pitches_used)."""
    polyphony: float
    """Mean number of different pitches that sound at once, over the time in which any does (MusPy)."""
    empty_bar_rate: float
    """0-1: share of bars in which nothing sounds, drums included (Dong et al. 2018; MusPy: empty_measure_rate)."""
    empty_beat_rate: float
    """0-1: share of quarter notes up to the song's end in which nothing sounds (Pypianoroll 2018; MusPy)."""
    groove_consistency: float
    """0-1: one minus the mean share of steps on which two neighbouring bars differ in whether any note of any
    part starts there (Wu and Yang 2020; MusPy). Bars of unequal length are compared over the longer one. It
    depends on the grid: here 12 steps per quarter note, 48 in a bar of 4/4."""
    self_similarity_1: float
    """0-1: share of the notes, drums included, that also stand 1 bar earlier: same part, place in the bar and
    pitch; of all notes in bars that have a bar so far before them. Ours; kin to the structureness indicators of
    Wu and Yang 2020, which need audio."""
    self_similarity_2: float
    """0-1: the same, 2 bars earlier."""
    self_similarity_4: float
    """0-1: the same, 4 bars earlier."""
    self_similarity_8: float
    """0-1: the same, 8 bars earlier."""
    longest_repeated_note_run: int
    """Notes: the longest stretch in one part in which the top note of every chord is the same. Ours: a model that
    is stuck gives long ones."""
    longest_drone_quarters: float
    """Quarter notes: the longest time in which one part has only one top note, held or struck again, from the first
    onset of such a run to the end of its last note, rests between them included. Ours."""
    mean_note_quarters: float
    """Quarter notes: mean written length of the notes that are not drums."""
    velocity_mean: float
    """1-127: mean velocity of all notes."""
    velocity_std: float
    """Standard deviation of the velocity of all notes; 0 when everything is played equally loud."""

    def as_dict(self) -> dict[str, float]:
        """Name -> figure, in the order above."""
        return asdict(self)

    def is_defined(self, name: str) -> bool:
        """Whether this song holds what the figure counts; if not, the figure is a 0 that means nothing."""
        if name in _NEEDS_PITCHES:
            return self.pitched_notes > 0
        if name in ("velocity_mean", "velocity_std"):
            return self.notes > 0
        if name == "groove_consistency":
            return self.bars > 1
        return not name.startswith("self_similarity") or (self.notes > 0 and self.bars > int(name.rpartition("_")[2]))


_NEEDS_PITCHES = {
    "pitch_class_entropy", "scale_consistency", "in_key_rate", "pitch_range", "distinct_pitches", "polyphony",
    "longest_repeated_note_run", "longest_drone_quarters", "mean_note_quarters",
}  # fmt: skip


@dataclass(frozen=True)
class Spread:
    """One figure over many songs."""

    count: int
    """How many songs hold what the figure counts; if 0, all else is 0."""
    mean: float
    std: float
    """Standard deviation over the songs, not an error of the mean."""
    low: float
    """5th percentile: nine songs in ten lie between ``low`` and ``high``."""
    median: float
    high: float
    """95th percentile."""


def measure(song: Song) -> Metrics:
    """All figures of one song."""
    lines = song.bar_lines()
    bars = len(lines) - 1
    pitched = pitched_notes(song.notes, song.parts)
    velocity = song.notes["velocity"]
    parts = len(np.unique(song.notes["part"]))
    run_notes, drone_quarters = _longest_same_note(pitched)
    return Metrics(
        notes=len(song.notes),
        pitched_notes=len(pitched),
        parts=parts,
        bars=bars,
        notes_per_bar=len(song.notes) / bars,
        notes_per_bar_per_part=len(song.notes) / bars / max(parts, 1),
        **_pitch_figures(song, pitched),
        polyphony=_polyphony(pitched),
        empty_bar_rate=_empty_rate(song, lines),
        empty_beat_rate=_empty_rate(song, np.arange(0, song.length + TICKS_PER_QUARTER, TICKS_PER_QUARTER)),
        **_bar_figures(song, lines),
        longest_repeated_note_run=run_notes,
        longest_drone_quarters=drone_quarters,
        mean_note_quarters=_mean(pitched["duration"]) / TICKS_PER_QUARTER,
        velocity_mean=_mean(velocity),
        velocity_std=float(velocity.std()) if len(velocity) else 0.0,
    )


def summarise(songs: Iterable[Song]) -> dict[str, Spread]:
    """Name of each figure -> its spread over these songs, those left out that do not hold what it counts."""
    return summarise_metrics([measure(song) for song in songs])


def summarise_metrics(measured: Iterable[Metrics]) -> dict[str, Spread]:
    """`summarise` of figures that are already measured."""
    measured = list(measured)
    names = [field.name for field in fields(Metrics)]
    return {name: _spread([getattr(m, name) for m in measured if m.is_defined(name)]) for name in names}


def excerpts(song: Song, bars: int = 8) -> Iterator[Song]:
    """The song cut into pieces of ``bars`` bars that do not overlap; silent pieces and the short rest are left out.

    Raises:
        OutOfRange: for fewer bars than 1.
    """
    if bars < 1:
        raise OutOfRange(f"excerpts of {bars} bars: ask for 1 or more")
    lines = song.bar_lines()[::bars]
    filled = np.unique(np.searchsorted(lines, song.notes["onset"], side="right") - 1)
    for index in filled[filled < len(lines) - 1]:
        yield song.slice(int(lines[index]), int(lines[index + 1]))


def _spread(values: list[float]) -> Spread:
    if not values:
        return Spread(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95)).tolist()
    return Spread(len(values), float(np.mean(values)), float(np.std(values)), low, median, high)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean(dtype=np.float64)) if len(values) else 0.0


_SCALE_MASKS = np.array(
    [[(pitch_class - tonic) % 12 in SCALES[scale] for pitch_class in range(12)]
     for scale in ("major", "minor") for tonic in range(12)], float
)  # fmt: skip
"""(24, 12): which pitch classes each major, then each natural minor scale holds."""


def _pitch_figures(song: Song, pitched: NDArray[Any]) -> dict[str, Any]:
    """Everything that the histogram of pitches tells."""
    pitches = np.bincount(pitched["pitch"], minlength=132)  # a whole number of octaves
    used = np.flatnonzero(pitches)
    share = pitches.reshape(-1, 12).sum(axis=0) / max(len(pitched), 1)
    key = find_key(song).key
    heard = share[share > 0]
    return {
        "pitch_class_entropy": abs(float(heard @ np.log2(heard))),
        "scale_consistency": min(float((_SCALE_MASKS @ share).max()), 1.0),
        "in_key_rate": min(float(_SCALE_MASKS[key.tonic + 12 * key.is_minor] @ share), 1.0),
        "pitch_range": int(used[-1] - used[0]) if len(used) else 0,
        "distinct_pitches": len(used),
    }


def _polyphony(pitched: NDArray[Any]) -> float:
    """Time in which each pitch sounds, added up, over the time in which any pitch does."""
    start = pitched["onset"].astype(np.int64)
    end = start + pitched["duration"]
    lane = pitched["pitch"].astype(np.int64) << 33  # so far apart that no pitch reaches into another
    return covered(start + lane, end + lane) / max(covered(start, end), 1)


def _empty_rate(song: Song, lines: NDArray[np.int64]) -> float:
    """Share of the stretches between two lines in which no note sounds."""
    stretches = max(len(lines) - 1, 1)
    if not len(song.notes):
        return 1.0
    first = np.searchsorted(lines, song.notes["onset"], side="right") - 1
    last = np.minimum(np.searchsorted(lines, song.ends, side="left") - 1, stretches - 1)
    change = np.bincount(first, minlength=stretches + 1) - np.bincount(last + 1, minlength=stretches + 1)
    return float((np.cumsum(change[:stretches]) == 0).mean())


def _bar_figures(song: Song, lines: NDArray[np.int64]) -> dict[str, Any]:
    """What comes back from bar to bar, from sets of (bar, step in the bar, pitch, part) written as integers."""
    steps, line_steps = ticks_to_steps(song.notes["onset"]), ticks_to_steps(lines)
    bar = bar_of(steps, line_steps)
    place = steps - line_steps[bar]
    width = int(place.max(initial=0)) + 1
    names = 128 * max(len(song.parts), 1)
    name = song.notes["pitch"].astype(np.int64) * max(len(song.parts), 1) + song.notes["part"]
    places = bar * width + place
    cells = np.unique(places * names + name)
    figures = {f"self_similarity_{lag}": _share_repeated(cells, width * names, lag) for lag in LAGS}
    return {"groove_consistency": _groove_consistency(np.unique(places), width, np.diff(line_steps)), **figures}


def _share_repeated(cells: NDArray[np.int64], bar_size: int, lag: int) -> float:
    """Share of the cells from bar ``lag`` on that also stand ``lag`` bars earlier."""
    later = cells[cells >= lag * bar_size]
    return _mean(np.isin(later - lag * bar_size, cells, assume_unique=True))


def _groove_consistency(places: NDArray[np.int64], width: int, bar_steps: NDArray[np.int64]) -> float:
    """From the set of ``bar * width + step`` on which anything starts, and the (bars,) lengths in steps."""
    bars = len(bar_steps)
    if bars < 2:
        return 0.0
    onsets = np.bincount(places // width, minlength=bars)
    kept = np.bincount(places[np.isin(places - width, places, assume_unique=True)] // width, minlength=bars)
    differing = onsets[:-1] + onsets[1:] - 2 * kept[1:]
    longer = np.maximum(np.maximum(bar_steps[:-1], bar_steps[1:]), 1)
    return float(np.clip(1.0 - (differing / longer).mean(), 0.0, 1.0))


def _longest_same_note(pitched: NDArray[Any]) -> tuple[int, float]:
    """The longest runs of equal top notes over the onsets of one part: in notes, and in quarter notes of time."""
    if not len(pitched):
        return 0, 0.0
    step = ticks_to_steps(pitched["onset"])
    order = np.lexsort((-pitched["pitch"], step, pitched["part"]))
    part, step, pitch = pitched["part"][order], step[order], pitched["pitch"][order]
    is_top = np.ones(len(order), bool)
    is_top[1:] = (np.diff(part) != 0) | (np.diff(step) != 0)
    line = part[is_top].astype(np.int64) * 128 + pitch[is_top]
    turns = np.flatnonzero(np.diff(line, prepend=-1, append=-1))
    onset = pitched["onset"][order][is_top].astype(np.int64)
    last = np.maximum.reduceat(onset + pitched["duration"][order][is_top], turns[:-1])
    ticks = int((last - onset[turns[:-1]]).max())
    return int(np.diff(turns).max()), ticks / TICKS_PER_QUARTER

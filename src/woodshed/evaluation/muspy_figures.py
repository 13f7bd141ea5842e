"""The fourteen figures of MusPy 0.5, by its own definitions, so that ours can stand in a table beside anyone's.

Each function has MusPy's name and gives what MusPy gives for the same notes at 480 ticks per quarter note, to 1e-6
(``benchmarks/metrics`` holds both over real files). Where MusPy gives NaN or complains, since there is nothing to
count, `muspy_figures` leaves the figure out. What to know before reading them:

* a note's end belongs to it in `empty_beat_rate` and `empty_measure_rate`: it fills a beat or bar into which it only
  just reaches, and after a song that ends on a line stands one beat or bar more;
* `polyphony_rate` counts ticks with **more than** two pitches, though its title says multiple;
* `groove_consistency` and `empty_measure_rate` know one meter for a whole song, and no upbeat; here the first one;
* `groove_consistency` compares ticks, so it is near 1 for any music, and nearer the finer the resolution;
* `scale_consistency` knows natural minor only, so every minor scale is some major one;
* `pitch_range` of drums alone is -127; here it is left out.

`woodshed.evaluation.metrics` has the same ideas with ends exclusive, changing meters and a grid.

Source:
    H.-W. Dong, K. Chen, J. McAuley, T. Berg-Kirkpatrick: MusPy: A toolkit for symbolic music generation, ISMIR 2020,
    and ``muspy.metrics`` 0.5.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.evaluation.intervals import covered, layers
from woodshed.music import TICKS_PER_QUARTER, Song
from woodshed.music.segments import pitched_notes

DUPLE, TRIPLE = TICKS_PER_QUARTER // 4, TICKS_PER_QUARTER // 3
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}


def muspy_figures(song: Song) -> dict[str, float]:
    """MusPy's name -> figure, of those that the song has anything to count for; bars are those of its first meter."""
    if not len(song):
        return {}
    bar = song.meter.bar_ticks
    found: dict[str, float] = {
        "empty_beat_rate": empty_beat_rate(song),
        "empty_measure_rate": empty_measure_rate(song, bar),
    }
    if int(song.ends.max()) // bar >= 1:
        found["groove_consistency"] = groove_consistency(song, bar)
    if len(_pitches(song)):
        functions = (
            n_pitches_used, n_pitch_classes_used, pitch_range, polyphony, polyphony_rate, pitch_entropy,
            pitch_class_entropy, scale_consistency,
        )  # fmt: skip
        found |= {function.__name__: float(function(song)) for function in functions}
    if len(_drums(song)):
        found |= {f"drum_in_{meter}_pattern_rate": drum_in_pattern_rate(song, meter) for meter in ("duple", "triple")}
        found["drum_pattern_consistency"] = drum_pattern_consistency(song)
    return found


def n_pitches_used(song: Song) -> int:
    """How many different pitches, drums left out."""
    return len(np.unique(_pitches(song)))


def n_pitch_classes_used(song: Song) -> int:
    """How many different pitch classes, drums left out."""
    return len(np.unique(_pitches(song) % 12))


def pitch_range(song: Song) -> int:
    """Semitones from the lowest to the highest note, drums left out."""
    return int(np.ptp(_pitches(song)))


def pitch_entropy(song: Song) -> float:
    """Bits: entropy of the histogram of pitches, one count per note."""
    return _entropy(np.bincount(_pitches(song)))


def pitch_class_entropy(song: Song) -> float:
    """Bits, 0-3.58: entropy of the histogram of pitch classes, one count per note."""
    return _entropy(np.bincount(_pitches(song) % 12))


def pitch_in_scale_rate(song: Song, root: int, mode: str) -> float:
    """0-1: share of notes in the major or natural minor scale on pitch class ``root``.

    Raises:
        OutOfRange: for a mode that is neither.
    """
    if mode not in _SCALES:
        raise OutOfRange(f"mode {mode!r} is not one of {', '.join(_SCALES)}")
    scale = (np.array(_SCALES[mode]) + root) % 12
    return float(np.isin(_pitches(song) % 12, scale).mean())


def scale_consistency(song: Song) -> float:
    """0-1: the largest `pitch_in_scale_rate` over all 24 scales."""
    return max(pitch_in_scale_rate(song, root, mode) for mode in _SCALES for root in range(12))


def polyphony(song: Song) -> float:
    """Mean number of different pitches that sound at once, over the ticks in which any does."""
    start, end, pitch = _spans(song)
    return sum(_by_pitch(start, end, pitch)) / covered(start, end)


def polyphony_rate(song: Song, threshold: int = 2) -> float:
    """0-1: share of ticks, up to the last note's end, in which more than ``threshold`` different pitches sound."""
    start, end, pitch = _spans(song)
    lines, depth = layers(start, end, pitch)
    return float((np.diff(lines) * (depth > threshold)).sum() / int(song.ends.max()))


def empty_beat_rate(song: Song) -> float:
    """0-1: share of quarter notes that no note touches, drums included."""
    return _empty(song, TICKS_PER_QUARTER)


def empty_measure_rate(song: Song, measure_resolution: int) -> float:
    """0-1: share of bars of ``measure_resolution`` ticks that no note touches, drums included."""
    return _empty(song, measure_resolution)


def groove_consistency(song: Song, measure_resolution: int) -> float:
    """0-1: one minus the mean share of ticks on which two neighbouring bars differ in whether a note starts.

    Raises:
        OutOfRange: if the song has one bar alone.
    """
    measures = int(song.ends.max()) // measure_resolution + 1
    if measures < 2:
        raise OutOfRange(f"{song.title or 'song'}: one bar of {measure_resolution} ticks has no neighbour")
    onsets = np.unique(song.notes["onset"].astype(np.int64))
    also_before = np.isin(onsets - measure_resolution, onsets, assume_unique=True).sum()
    first, last = (onsets < measure_resolution).sum(), (onsets >= (measures - 1) * measure_resolution).sum()
    differing = (len(onsets) - last) + (len(onsets) - first) - 2 * also_before
    return float(1 - differing / (measure_resolution * (measures - 1)))


def drum_in_pattern_rate(song: Song, meter: str) -> float:
    """0-1: share of drum notes on sixteenths (``"duple"``) or on the start and thirds of beats (``"triple"``), to the
    tick.

    Raises:
        OutOfRange: for another meter.
    """
    steps = {"duple": DUPLE, "triple": TRIPLE}
    if meter not in steps:
        raise OutOfRange(f"meter {meter!r} is not one of {', '.join(steps)}")
    return float((_drums(song)["onset"] % steps[meter] == 0).mean())


def drum_pattern_consistency(song: Song) -> float:
    """0-1: the larger of the two."""
    return max(drum_in_pattern_rate(song, "duple"), drum_in_pattern_rate(song, "triple"))


def _pitches(song: Song) -> NDArray[np.int64]:
    pitches: NDArray[np.int64] = pitched_notes(song.notes, song.parts)["pitch"].astype(np.int64)
    return pitches


def _drums(song: Song) -> NDArray[Any]:
    is_drum = np.array([part.is_drum for part in song.parts] or [False], bool)
    drums: NDArray[Any] = song.notes[is_drum[song.notes["part"]]]
    return drums


def _spans(song: Song) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(N,) onset, end and pitch of the notes that are not drums."""
    notes = pitched_notes(song.notes, song.parts)
    start = notes["onset"].astype(np.int64)
    return start, start + notes["duration"], notes["pitch"].astype(np.int64)


def _by_pitch(start: NDArray[np.int64], end: NDArray[np.int64], pitch: NDArray[np.int64]) -> list[int]:
    return [covered(start[pitch == one], end[pitch == one]) for one in np.unique(pitch)]


def _entropy(counts: NDArray[np.int64]) -> float:
    share = counts[counts > 0] / counts.sum()
    return abs(float(share @ np.log2(share)))


def _empty(song: Song, size: int) -> float:
    stretches = int(song.ends.max()) // size + 1
    first, last = song.notes["onset"].astype(np.int64) // size, song.ends // size
    change = np.bincount(first, minlength=stretches + 1) - np.bincount(last + 1, minlength=stretches + 1)
    return float((np.cumsum(change[:stretches]) == 0).mean())

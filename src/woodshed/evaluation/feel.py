"""How near a humanised performance comes to the human one: timing and velocity, note by note and as distributions.

Two songs of the same notes are compared, one played by a human, one by whoever is judged. Their notes are paired part
by part and pitch by pitch, in the order in which they sound, so nobody has to say which step a moved note means.

Conventions: a deviation is onset minus the nearest step of the human's note, in milliseconds of the human's tempo map;
early is negative. Velocities are 1-127. Hits of all files are pooled, each with the same weight. Intervals (95 %) draw
whole files with replacement, because hits of one file are not independent. A correlation with a constant is 0, not NaN.

A low mean absolute error is not yet a good feel: it is lowest for whoever plays the median and has no spread at all. So
each error stands beside the spread of both, their correlation, and the distance of their distributions.

Source:
    J. Gillick, A. Roberts, J. Engel, D. Eck, D. Bamman: Learning to Groove with Inverse Sequence Transformations, ICML
    2019: error in ms and in squared sixteenths, per hit, on 16th notes, of hits of one kind of drum at one step the
    loudest. `loudest_per_step` with ``lanes=CLASS_OF`` and ``steps_per_quarter=4`` makes that music. We differ in
    weighing each hit once, where windows of two bars that move by one count inner bars twice; and in the distance:
    theirs is a KL divergence of histograms, ours is Wasserstein's, which has a unit and no bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.clip_drums import CLASS_OF, DRUM_CLASSES
from woodshed.errors import OutOfRange
from woodshed.music import STEPS_PER_QUARTER, TICKS_PER_QUARTER, Grid, Song
from woodshed.music.general_midi import part_name
from woodshed.music.units import steps_to_ticks, ticks_per_step, ticks_to_steps

HIT = np.dtype(
    [
        ("drum", "<i2"), ("step", "<i4"), ("is_moved", "?"), ("human_ms", "<f8"), ("played_ms", "<f8"),
        ("late_sixteenths", "<f8"), ("human_velocity", "<f8"), ("played_velocity", "<f8"),
    ]
)  # fmt: skip
"""One note of both songs: index into `DRUM_CLASSES` (-1: no drum), the human's step, whether the other plays nearer to
another step, both deviations from the human's step, how much later the other is, both velocities."""

DRAWS = 1000
EVERY_PITCH = np.arange(128)


@dataclass(frozen=True)
class Likeness:
    """One field of many notes, beside the human's."""

    mae: float
    """Mean absolute error."""
    low: float
    """Lower end of the 95 % interval of ``mae`` over files."""
    high: float
    """Upper end."""
    bias: float
    """Mean error: positive is later, or louder, than the human."""
    human_std: float
    """Standard deviation of what the human plays."""
    played_std: float
    """Standard deviation of what is judged; 0 for a machine."""
    correlation: float
    """Pearson's, -1 to 1; 0 if either does not vary."""
    distance: float
    """Wasserstein distance of the two distributions, in the unit of the field; 0 if they are the same."""


@dataclass(frozen=True)
class Feel:
    """How near a performance is to the human's."""

    files: int
    """How many files have such a hit."""
    hits: int
    """How many notes were compared; if 0, all else is 0."""
    timing: Likeness
    """In milliseconds."""
    timing_mse: float
    """Mean squared error of timing, in squared sixteenth notes."""
    velocity: Likeness
    """In MIDI velocities."""
    moved_share: float
    """0-1: share of notes that lie nearer to another step than the human's."""


# ---- the music ---------------------------------------------------------------------------------------------


def loudest_per_step(
    song: Song, steps_per_quarter: int = STEPS_PER_QUARTER, lanes: NDArray[np.int64] = EVERY_PITCH
) -> Song:
    """The song with one note per part, lane and nearest step: the loudest, of equal ones the first.

    ``lanes`` (128,) says which pitches count as one: `EVERY_PITCH` tells all apart, `CLASS_OF` the nine kinds of drum.
    A score on this grid cannot say the rest (flams, rolls), so no humaniser could be asked to play it.
    """
    notes = song.notes
    step, lane = ticks_to_steps(notes["onset"], steps_per_quarter), lanes[notes["pitch"]]
    order = np.lexsort((-notes["velocity"].astype(np.int64), lane, notes["part"], step))
    keys = np.stack((step, notes["part"].astype(np.int64), lane))[:, order]
    is_first = np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0))[: len(notes)]
    return song.with_notes(notes[np.sort(order[is_first])])


def without_feel(song: Song, velocity: int, steps_per_quarter: int = STEPS_PER_QUARTER) -> Song:
    """The song as a machine plays it, which is what a humaniser gets: on the grid, every note equally loud.

    Notes are one step long, and title and markers are gone, so that nothing tells how it was played.

    Raises:
        OutOfRange: for a velocity outside 1-127.
    """
    if not 1 <= velocity <= 127:
        raise OutOfRange(f"without_feel: velocity {velocity} is outside 1-127")
    notes = Grid.of(song, steps_per_quarter).to_song(feel=0).notes.copy()
    notes["velocity"], notes["duration"] = velocity, ticks_per_step(steps_per_quarter)
    return song.replace(markers=(), title="").with_notes(notes)


# ---- pairing -----------------------------------------------------------------------------------------------


def pair_hits(human: Song, played: Song, steps_per_quarter: int = STEPS_PER_QUARTER) -> NDArray[Any]:
    """(notes,) `HIT` of two songs of the same notes; sorted by part, pitch and the human's onset.

    Within a part and pitch the k-th note of one is the k-th of the other, which no pairing has a smaller error than.

    Raises:
        OutOfRange: if a part plays a pitch more often in one song than in the other, naming them.
    """
    ours, theirs = human.notes[_lane_order(human)], played.notes[_lane_order(played)]
    _check_same_notes(human, ours, theirs)
    step = ticks_to_steps(ours["onset"], steps_per_quarter)
    on_grid = human.seconds(steps_to_ticks(step, steps_per_quarter))
    in_drums = np.array([part.is_drum for part in human.parts], bool)[ours["part"]]
    hits = np.empty(len(ours), HIT)
    hits["drum"] = np.where(in_drums, CLASS_OF[ours["pitch"]], -1)
    hits["step"] = step
    hits["is_moved"] = ticks_to_steps(theirs["onset"], steps_per_quarter) != step
    hits["human_ms"] = 1000 * (human.seconds(ours["onset"]) - on_grid)
    hits["played_ms"] = 1000 * (human.seconds(theirs["onset"]) - on_grid)
    hits["late_sixteenths"] = (theirs["onset"].astype(np.int64) - ours["onset"]) / (TICKS_PER_QUARTER / 4)
    hits["human_velocity"], hits["played_velocity"] = ours["velocity"], theirs["velocity"]
    return hits


def _lane_order(song: Song) -> NDArray[np.int64]:
    notes = song.notes
    return np.lexsort((notes["velocity"], notes["onset"], notes["pitch"], notes["part"]))


def _check_same_notes(human: Song, ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    counts = [np.bincount(rows["part"].astype(np.int64) * 128 + rows["pitch"]) for rows in (ours, theirs)]
    size = max(len(count) for count in counts)
    here, there = (np.pad(count, (0, size - len(count))) for count in counts)
    for lane in np.flatnonzero(here != there)[:1].tolist():
        part, pitch = divmod(lane, 128)
        name = part_name(human.parts[part]) if part < len(human.parts) else "that only one song has"
        raise OutOfRange(
            f"part {part} ({name}) plays pitch {pitch} {here[lane]} times, the other song {there[lane]} times; "
            "compare songs of the same notes"
        )


# ---- figures -----------------------------------------------------------------------------------------------


def measure_feel(files: Sequence[NDArray[Any]], rng: np.random.Generator | None = None) -> Feel:
    """The figures of all files' `pair_hits`; ``rng`` draws the files of the intervals (None: seed 0)."""
    rng = np.random.default_rng(0) if rng is None else rng
    files = [hits for hits in files if len(hits)]
    hits = np.concatenate(files) if files else np.empty(0, HIT)
    return Feel(
        files=len(files),
        hits=len(hits),
        timing=_likeness(files, hits, "ms", rng),
        timing_mse=float(np.mean(hits["late_sixteenths"] ** 2)) if len(hits) else 0.0,
        velocity=_likeness(files, hits, "velocity", rng),
        moved_share=float(hits["is_moved"].mean()) if len(hits) else 0.0,
    )


def feel_by_drum(files: Sequence[NDArray[Any]], rng: np.random.Generator | None = None) -> dict[str, Feel]:
    """Name of each kind of drum that is hit -> its figures; "pitched" is what is no drum."""
    numbers = np.unique(np.concatenate([hits["drum"] for hits in files])) if files else ()
    names = [drum.name for drum in DRUM_CLASSES]
    return {
        names[number] if number >= 0 else "pitched": measure_feel([h[h["drum"] == number] for h in files], rng)
        for number in numbers
    }


def less_error(
    ours: Sequence[NDArray[Any]],
    theirs: Sequence[NDArray[Any]],
    field: str,
    rng: np.random.Generator | None = None,
) -> tuple[float, float, float]:
    """By how much the mean absolute error of ``ours`` is below that of ``theirs``, and its 95 % interval.

    Both are `pair_hits` of the same files in the same order; ``field`` is "ms" or "velocity". Files are drawn
    for both together, so the interval is far narrower than those of the two errors.

    Raises:
        OutOfRange: if the two are not of the same files.
    """
    if [len(hits) for hits in ours] != [len(hits) for hits in theirs]:
        raise OutOfRange("less_error: the two are not of the same files; pair both with the same human songs")
    rng = np.random.default_rng(0) if rng is None else rng
    gains = np.array([(_errors(t, field) - _errors(o, field)).sum() for o, t in zip(ours, theirs, strict=True)])
    counts = np.array([len(hits) for hits in ours])
    return float(gains.sum() / max(counts.sum(), 1)), *_interval(gains, counts, rng)


def _errors(hits: NDArray[Any], field: str) -> NDArray[np.float64]:
    errors: NDArray[np.float64] = np.abs(hits[f"played_{field}"] - hits[f"human_{field}"])
    return errors


def _likeness(files: list[NDArray[Any]], hits: NDArray[Any], field: str, rng: np.random.Generator) -> Likeness:
    if not len(hits):
        return Likeness(*[0.0] * 8)
    human, played = hits[f"human_{field}"], hits[f"played_{field}"]
    low, high = _interval(np.array([_errors(f, field).sum() for f in files]), np.array([len(f) for f in files]), rng)
    return Likeness(
        mae=float(np.abs(played - human).mean()),
        low=low,
        high=high,
        bias=float((played - human).mean()),
        human_std=float(human.std()),
        played_std=float(played.std()),
        correlation=_correlation(human, played),
        distance=float(np.abs(np.sort(played) - np.sort(human)).mean()),
    )


def _interval(sums: NDArray[np.float64], counts: NDArray[np.int64], rng: np.random.Generator) -> tuple[float, float]:
    """95 % interval of ``sums.sum() / counts.sum()`` over (files,) drawn with replacement."""
    if not counts.sum():
        return 0.0, 0.0
    drawn = rng.integers(len(sums), size=(DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / np.maximum(counts[drawn].sum(axis=1), 1)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return low, high


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    # A constant's std is sometimes 1e-15 instead of 0; no clock or velocity is that fine.
    if min(a.std(), b.std()) < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])

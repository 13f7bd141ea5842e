"""Performed music on the steps at which a musician would notate it; how far each note is off its step is its feel.

A hit of a drummer lies some ten to thirty ticks off the sixteenth that was meant. The nearest of 12 steps per quarter
is then often neither a sixteenth nor a triplet, and changes from bar to bar though the pattern does not. So each beat
of performed music is read on the coarsest grid that explains it: sixteenths, eighth triplets, sixteenth triplets, or
all twelve steps.

Source:
    Beat by beat choice among grids is how sequencers' and engravers' quantisers work, and Cemgil, Desain & Kappen
    2000, "Rhythm quantization for transcription", weigh the complexity of a notation against deviation from it. We
    differ in a fixed penalty for each grid instead of learned priors. Tempo and its octaves are taken as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.music.units import STEPS_PER_QUARTER, ticks_per_step, ticks_to_steps

STEP_TICKS = ticks_per_step(STEPS_PER_QUARTER)
HALF_STEP = STEP_TICKS // 2
EARLIEST, LATEST = -64, 60
"""How far a note may lie off its step, in ticks."""
UNIT = 4
"""Deviations are whole units, in ticks, so that what is decoded is notated as it was."""
NEAR = 4
"""A note within so many ticks of a step is on it as a machine plays."""
GRIDS = ((0, 3, 6, 9), (0, 4, 8), (0, 2, 4, 6, 8, 10), tuple(range(12)))
"""Steps of a beat: sixteenths, eighth triplets, sixteenth triplets, and what no other grid explains."""
PENALTY = np.array([[0.0, 8.0, 16.0, 34.0], [8.0, 0.0, 16.0, 34.0]])
"""Ticks of mean deviation that each grid must make up for, where the beats around are straight, and in triplets."""
AROUND = 16
"""Beats before and after that say whether a beat is in triplets: a shuffle is heard over bars, not in one beat."""
TELLING = 8.0
"""A beat says at most so much, in ticks of mean deviation, of whether the music is in triplets."""
DRUMS_LEAD = 3.0
"""A drum hit says as much about the grid of a beat as so many other notes."""

AGREEING = 0.3
"""How long the mean of all onsets of a part, as places on a circle of radius 1, must be to say that it is late."""
FEW = 16
"""So many notes say whether a part is late."""
LATE_AT_MOST = 20
"""Ticks by which a part as a whole is taken to be early or late at most."""


def _readings() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each grid, length of a beat (0-12 steps) and place in it: the step, and the deviation from it in ticks.

    Places are units from half a step before the beat to half a step before the next. A place that is too far off the
    grid deviates endlessly.
    """
    places = np.arange(0, (STEPS_PER_QUARTER + 1) * STEP_TICKS, UNIT) - HALF_STEP
    step = np.zeros((len(GRIDS), STEPS_PER_QUARTER + 1, len(places)), np.int64)
    for index, grid in enumerate(GRIDS):
        for length in range(1, STEPS_PER_QUARTER + 1):
            # The next beat is on every grid: what is early for it belongs to it.
            points = np.array([point for point in grid if point < length] + [length])
            step[index, length] = points[np.abs(places[:, None] - points * STEP_TICKS).argmin(1)]
    late = places - step * STEP_TICKS
    return step, np.where((late < EARLIEST) | (late > LATEST), np.inf, np.abs(late).astype(np.float64))


_STEP, _OFF = _readings()


def by_hand(late_ticks: NDArray[np.int64], part: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(parts,) which parts were performed: fewer than half of their notes are on the nearest of 12 steps per quarter.

    Parts are asked one by one, for over programmed drums somebody plays a lead by hand; the drums stay as they are.
    """
    near = np.abs(late_ticks) <= NEAR
    if near.all():
        return np.zeros(int(part.max(initial=-1)) + 1, bool)
    found: NDArray[np.bool_] = 2 * np.bincount(part[near], minlength=int(part.max()) + 1) < np.bincount(part)
    return found


def notate(
    onset_ticks: NDArray[np.int64],
    part: NDArray[np.int64],
    pitch: NDArray[np.int64],
    drums: NDArray[np.bool_],
    bar_lines: NDArray[np.int64],
    performed: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """The step at which each note is notated, 12 per quarter.

    Notes of parts that were not performed are on the nearest step. The others are on the grid that all parts of the
    beat agree on, at most 64 ticks after and 60 before their onset. No two notes of one part and pitch share a step:
    the nearest keeps it, and the others (grace notes, flams, rolls) go to their own nearest step.

    Args:
        onset_ticks: (N,) whole units of 4 ticks; no two on the same nearest step, part and pitch.
        part: (N,) index into ``drums``.
        pitch: (N,) 0-127.
        drums: (parts,) which parts are drums; they lead.
        bar_lines: (bars + 1,) steps; beats are quarter notes from each bar line on.
        performed: (parts,) what `by_hand` says, if it is known.
    """
    nearest = ticks_to_steps(onset_ticks)
    if performed is None:
        performed = by_hand(onset_ticks - nearest * STEP_TICKS, part)
    if not performed.any():
        return nearest
    meant = np.maximum(onset_ticks - np.where(performed, _lateness(onset_ticks, part), 0)[part], 0)
    meant_step = ticks_to_steps(meant)
    beats = _beats(bar_lines, int(meant_step.max()))
    beat = np.searchsorted(beats, meant_step, side="right") - 1
    length = np.diff(beats)[beat]
    place = (meant - beats[beat] * STEP_TICKS + HALF_STEP) // UNIT
    grid = _grids(beat, length, place, np.where(drums, DRUMS_LEAD, 1.0)[part])
    steps = beats[beat] + _STEP[grid[beat], length, place]
    late = onset_ticks - steps * STEP_TICKS
    steps = np.where(performed[part] & (late >= EARLIEST) & (late <= LATEST), steps, nearest)
    return _apart(steps, nearest, meant, part << 7 | pitch)


def _lateness(onset_ticks: NDArray[np.int64], part: NDArray[np.int64]) -> NDArray[np.int64]:
    """(parts,) by how many ticks each part is late as a whole, negative if early: a drummer pushes, a bass lays back.

    It is where on a circle of one sixteenth (or one triplet eighth, if onsets agree better on that) the mean onset
    lies; 0 for parts of few notes and for those whose onsets do not agree.
    """
    count = np.bincount(part)
    agree, late = np.full(len(count), AGREEING), np.zeros(len(count))
    for period in (STEP_TICKS * 3, STEP_TICKS * 4):
        turn = np.exp(2j * np.pi * np.arange(0, period, UNIT) / period)[onset_ticks % period // UNIT]
        mean = (np.bincount(part, turn.real) + 1j * np.bincount(part, turn.imag)) / np.maximum(count, 1)
        better = (np.abs(mean) > agree) & (count >= FEW)
        late[better] = np.angle(mean[better]) / (2 * np.pi) * period
        agree[better] = np.abs(mean[better])
    return np.clip(np.rint(late / UNIT).astype(np.int64) * UNIT, -LATE_AT_MOST, LATE_AT_MOST)


def _beats(bar_lines: NDArray[np.int64], last: int) -> NDArray[np.int64]:
    """Steps of the beats, one past ``last`` included: quarter notes from each bar line on, the last of a bar shorter
    where the meter asks for it."""
    end = max(int(bar_lines[-1]), last + 1) + STEPS_PER_QUARTER
    starts = np.append(bar_lines[:-1], bar_lines[-1] if len(bar_lines) > 1 else 0)
    counts = -(-np.diff(np.append(starts, end)) // STEPS_PER_QUARTER)
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    beats: NDArray[np.int64] = np.append(np.repeat(starts, counts) + within * STEPS_PER_QUARTER, end)
    return beats


def _grids(
    beat: NDArray[np.int64], length: NDArray[np.int64], place: NDArray[np.int64], weight: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(beats,) the grid of each: the least mean deviation plus penalty."""
    total = np.maximum(np.bincount(beat, weight), 1e-9)
    cost = np.stack([np.bincount(beat, weight * off[length, place]) / total for off in _OFF])
    says = np.concatenate(([0.0], np.cumsum(np.clip(cost[0] - cost[1], -TELLING, TELLING))))
    here = np.arange(len(total))
    in_triplets = says[np.minimum(here + AROUND + 1, len(total))] > says[np.maximum(here - AROUND, 0)]
    chosen: NDArray[np.int64] = (cost + PENALTY[in_triplets.astype(np.int64)].T).argmin(0)
    return chosen


def _apart(
    steps: NDArray[np.int64], nearest: NDArray[np.int64], onset_ticks: NDArray[np.int64], voice: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The steps, where notes of one voice and step are on their own nearest steps but for one: that whose nearest step
    it is, else the nearest.

    What is on its own nearest step stays there, so each round puts at least one note there for good.
    """
    off = np.abs(onset_ticks - steps * STEP_TICKS)
    while True:
        key = steps << 11 | voice
        order = np.argsort(key, kind="stable")
        same = np.flatnonzero(key[order][1:] == key[order][:-1])
        if not len(same):
            return steps
        some = np.sort(order[np.union1d(same, same + 1)])
        some = some[np.lexsort((off[some], steps[some] != nearest[some], key[some]))]
        again = some[1:][key[some][1:] == key[some][:-1]]
        steps[again] = nearest[again]

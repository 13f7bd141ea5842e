"""How dense, high, syncopated and loud the notes of each bar are: four figures, and each as one of a dozen levels.

A model is told levels while it learns, and a musician asks for levels when it plays; both are measured here, so that
they mean the same. Which notes are measured (all, or those of the open parts) is the caller's choice.

=========== ======================================================================================= ================
column      figure of a bar                                                                         level -1
=========== ======================================================================================= ================
density     notes in 48 steps (a bar of 4/4), whatever the length of the bar                        never
register    mean pitch of the pitched notes                                                         no pitched note
syncopation mean over the onsets of each line (a part, or one drum) of by how much the strongest    no note
            silent place before the line's next onset outweighs the onset's own; 0 on the beats
velocity    mean MIDI velocity                                                                      no note
=========== ======================================================================================= ================

Places of a bar weigh 0 on the bar line, -1 on the other half notes of a bar of whole half notes, -2 on the other
quarter notes, -3 on eighths and triplet eighths, -4 on sixteenths, -5 elsewhere. So an eighth before a beat that its
line strikes too is not syncopated, one before a silent beat 2 is by 1, and one before a silent bar line by 3.

Source:
    Syncopation is that of Longuet-Higgins and Lee, "The rhythmic interpretation of monophonic music" (1984). We differ
    in taking the mean over onsets instead of the sum, so that a dense bar is not for that alone a syncopated one, in
    leaving out onsets on beats, so that a backbeat is none, in hearing each drum by itself, in places between the
    sixteenths (a triplet's place weighs where it is struck, and where it is not is not missed), and in knowing a bar
    by its length alone: 6/8 is weighed as 3/4 is, as its rows are the same to a model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import VELOCITY_STEP
from woodshed.music.meter import bar_of
from woodshed.music.units import STEPS_PER_QUARTER

CONTROLS = ("density", "register", "syncopation", "velocity")
"""The columns."""
LEVELS = 12
"""Levels of each control, 0-11; -1 is none."""
AS_IT_COMES = -1
EDGES: dict[str, tuple[float, ...]] = {
    "density": (0.5, 2, 4, 6, 8, 12, 16, 24, 36, 54, 80),
    "register": (31, 36, 41, 46, 51, 56, 61, 66, 71, 76, 81),
    "syncopation": (1e-6, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.5),
    "velocity": (24, 40, 52, 62, 70, 78, 86, 94, 102, 110, 118),
}
"""Control -> eleven ascending figures; level n begins at the n-th of them (level 0 below the first).

Ours: they spread both whole bands and single parts of rock over most levels, and level 0 of density and syncopation
is none at all.
"""

QUARTER = STEPS_PER_QUARTER
BAR_OF_FOUR = 4 * QUARTER


def levels(
    steps: NDArray[np.int64],
    parts: NDArray[np.int64],
    pitches: NDArray[np.int64],
    velocities: NDArray[np.int64],
    is_drum: NDArray[np.bool_],
    bar_lines: NDArray[np.int64],
) -> NDArray[np.int8]:
    """(bars, 4) the level of each control in each bar, -1 where there is nothing to measure. As `figures`."""
    found = figures(steps, parts, pitches, velocities, is_drum, bar_lines)
    return np.stack([levels_of(name, found[:, column]) for column, name in enumerate(CONTROLS)], axis=1)


def levels_of(control: str, figure: Any) -> NDArray[np.int8]:
    """The level (any shape) of figures of one control; nan is -1.

    >>> levels_of("density", [0, 1, 8, 100]).tolist()
    [0, 1, 5, 11]
    """
    figure = np.asarray(figure, np.float64)
    level = np.searchsorted(EDGES[control], figure, side="right").astype(np.int8)
    return np.where(np.isnan(figure), np.int8(AS_IT_COMES), level)


def figures(
    steps: NDArray[np.int64],
    parts: NDArray[np.int64],
    pitches: NDArray[np.int64],
    velocities: NDArray[np.int64],
    is_drum: NDArray[np.bool_],
    bar_lines: NDArray[np.int64],
) -> NDArray[np.float64]:
    """(bars, 4) what the levels are of; nan where there is nothing to measure.

    Args:
        steps: (N,) where each note starts, in any order; before the first bar line counts to the first bar, past the
            last to the last bar.
        parts: (N,) its part, an index into ``is_drum``.
        pitches: (N,) MIDI number, or the drum.
        velocities: (N,) ids of `NoteStepCodec`, 0-31.
        is_drum: (parts,) whether each part is drums.
        bar_lines: (bars + 1,) ascending steps.
    """
    bars = len(bar_lines) - 1
    bar = bar_of(steps, bar_lines)
    count = np.bincount(bar, minlength=bars)
    drum = is_drum[parts]
    loudness = np.bincount(bar, velocities * VELOCITY_STEP + 2.0, bars)
    onset_bar, moved = _syncopation(steps, np.where(drum, 128 + pitches, 0) + 256 * parts, bar_lines)
    onsets = np.bincount(onset_bar, minlength=bars)
    with np.errstate(invalid="ignore"):
        return np.stack(
            (
                count * BAR_OF_FOUR / np.maximum(np.diff(bar_lines), 1),
                np.bincount(bar[~drum], pitches[~drum], bars) / np.bincount(bar[~drum], minlength=bars),
                np.bincount(onset_bar, moved, bars) / onsets,
                loudness / count,
            ),
            axis=1,
        )


def _syncopation(
    steps: NDArray[np.int64], lines: NDArray[np.int64], bar_lines: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Bar of each onset of each line, a chord being one, and by how much a silent place outweighs its own."""
    base = int(min(steps.min(initial=0), bar_lines[0]))
    span = int(max(steps.max(initial=0), bar_lines[-1])) - base + 1
    onset = np.unique(lines * span + steps - base)
    line, step = onset // span, onset % span + base
    end = bar_lines[-1] + 1  # the last bar line is silent too
    after = np.append(step[1:], end)
    after[:-1][line[1:] != line[:-1]] = end
    bar = bar_of(step, bar_lines)
    place, size = step - bar_lines[bar], np.diff(bar_lines)[bar]
    left = after - step
    own = _weight(place, size)
    strongest = np.full(len(step), -9.0)
    for weight, every in ((-5, 1), (-4, 3), (-3, 6), (-2, QUARTER), (-1, 2 * QUARTER)):
        to_next = np.minimum((place // every + 1) * every, size) - place
        counts = to_next < left if weight != -1 else (to_next < left) & (size % (2 * QUARTER) == 0)
        strongest[counts] = weight
    strongest[size - place < left] = 0
    return bar, np.where(own < -2, np.maximum(strongest - own, 0.0), 0.0)


def _weight(place: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    """How strong each place of a bar is, 0 to -5; ``size`` is the bar's length in steps."""
    half = (place % (2 * QUARTER) == 0) & (size % (2 * QUARTER) == 0)
    cases = [place == 0, half, place % QUARTER == 0, (place % 6 == 0) | (place % 4 == 0), place % 3 == 0]
    return np.select(cases, [0, -1, -2, -3, -4], -5)

"""What is counted in a piece, and whether a judge can tell two heaps of pieces apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from woodshed.evaluation.metrics import measure
from woodshed.music import Song
from woodshed.music.chord_sheet import chord_tones, chords_at
from woodshed.music.segments import pitched_notes

OWN = ("notes_per_bar", "one_step_notes", "notes_per_sounding_step", "notes_at_once", "in_chord")
"""See the README; ``in_chord`` only where chords are written."""
JUDGED = (
    "notes_per_bar", "pitch_class_entropy", "scale_consistency", "in_key_rate", "pitch_range", "distinct_pitches",
    "polyphony", "empty_bar_rate", "empty_beat_rate", "groove_consistency", "self_similarity_1", "self_similarity_2",
    "self_similarity_4", "longest_repeated_note_run", "mean_note_quarters",
)  # fmt: skip
"""Figures of `woodshed.evaluation.metrics` that the judge sees, beside `OWN`."""
FOLDS, REPEATS, PENALTY, ROUNDS = 10, 5, 0.05, 400


def figures_of(song: Song, step_ticks: int) -> dict[str, float]:
    """The figures of one piece; a step is that of its roll."""
    notes = pitched_notes(song.notes, song.parts)
    steps = -(-song.length // step_ticks)
    held = np.zeros((steps + 1, 128), np.int64)
    start = notes["onset"].astype(np.int64) // step_ticks
    stop = np.minimum((notes["onset"].astype(np.int64) + notes["duration"]) // step_ticks, steps)
    np.add.at(held, (start, notes["pitch"]), 1)
    np.add.at(held, (stop, notes["pitch"]), -1)
    cells = held.cumsum(axis=0)[:steps] > 0
    sounding = int(cells.any(axis=1).sum())
    tones = chord_tones(song.chords)
    at = chords_at(song.chords, np.arange(steps) * step_ticks)
    known = (at >= 0) & (tones[at].any(axis=1) if len(tones) else False)
    row, pitch = np.nonzero(cells & known[:, None])
    figures = {
        "notes_per_bar": len(song.notes) / max(song.bars, 1),
        "one_step_notes": float((notes["duration"] <= step_ticks).mean()) if len(notes) else 0.0,
        "notes_per_sounding_step": len(notes) / sounding if sounding else 0.0,
        "notes_at_once": cells.sum() / sounding if sounding else 0.0,
        "in_chord": float(tones[at[row], pitch % 12].mean()) if len(row) else 0.0,
    }
    found = measure(song).as_dict()
    return {name: float(value) for name, value in {**found, **figures}.items()}


def told_apart(one: Sequence[dict[str, float]], other: Sequence[dict[str, float]]) -> tuple[float, float, float]:
    """How often a logistic regression on `OWN` and `JUDGED` says rightly of a piece from which heap it is, and 95 %.

    Ten folds, five times; pieces of the fold are never learned from. Balanced: the mean of both heaps' shares. The
    interval draws pieces with replacement (Efron 1979) among the answers given for them.
    """
    names = list(dict.fromkeys((*OWN, *JUDGED)))
    data = np.array([[piece[name] for name in names] for piece in (*one, *other)])
    truth = np.repeat([0.0, 1.0], [len(one), len(other)])
    right = np.zeros((REPEATS, len(truth)))
    for repeat in range(REPEATS):
        rng = np.random.default_rng(repeat)
        fold = np.empty(len(truth), np.int64)
        for value in (0.0, 1.0):
            own = np.flatnonzero(truth == value)
            fold[rng.permutation(own)] = np.arange(len(own)) % FOLDS
        for number in range(FOLDS):
            test = fold == number
            says = _logistic(data[~test], truth[~test], data[test])
            right[repeat, test] = (says > 0.5) == (truth[test] > 0.5)
    shares = right.mean(axis=0)
    rng = np.random.default_rng(0)
    draws = [
        np.mean([rng.choice(shares[truth == value], int((truth == value).sum())).mean() for value in (0.0, 1.0)])
        for _ in range(2000)
    ]
    centre = np.mean([shares[truth == value].mean() for value in (0.0, 1.0)])
    return float(centre), float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975))


def _logistic(data: NDArray[np.float64], truth: NDArray[np.float64], asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chances of 1, learned by Newton's method with a ridge; figures are standardised on what is learned from."""
    mean, spread = data.mean(axis=0), data.std(axis=0) + 1e-9
    seen = np.hstack((np.clip((data - mean) / spread, -5, 5), np.ones((len(data), 1))))
    weights = np.zeros(seen.shape[1])
    ridge = PENALTY * len(data) * np.diag([*np.ones(len(weights) - 1), 1e-6])
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-seen @ weights))
        slope = seen.T @ (chance - truth) + ridge @ weights
        step = np.linalg.solve((seen * (chance * (1 - chance))[:, None]).T @ seen + ridge, slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    there = np.hstack((np.clip((asked - mean) / spread, -5, 5), np.ones((len(asked), 1))))
    says: NDArray[np.float64] = 1 / (1 + np.exp(-there @ weights))
    return says

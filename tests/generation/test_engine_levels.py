"""Bars come out as dense, high, syncopated and loud as they are asked to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.codecs.levels import CONTROLS, LEVELS, figures, levels_of
from woodshed.generation.canvas import Canvas, Opening
from woodshed.generation.choose import open_levels
from woodshed.generation.engine_levels import aims_of, syncopated
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.models.note_model import NoteModel
from woodshed.models.note_sizes import NoteModelConfig
from woodshed.music import Part, Song

BARS = 16
PARTS = (Part("Drums", 0, is_drum=True), Part("Bass", 33), Part("Guitar", 30))


def test_the_figure_that_a_level_aims_at_is_of_that_level() -> None:
    for column, control in enumerate(CONTROLS):
        asked = np.full((LEVELS, len(CONTROLS)), -1)
        asked[:, column] = np.arange(LEVELS)
        aims = aims_of(asked)
        assert levels_of(control, aims[:, column]).tolist() == list(range(LEVELS))
        assert np.isnan(np.delete(aims, column, axis=1)).all()


@given(st.lists(st.integers(0, 95), min_size=1, max_size=12, unique=True), st.sampled_from([(48, 48), (36, 36, 24)]))
def test_an_onset_is_as_syncopated_as_the_measure_says(steps: list[int], sizes: tuple[int, ...]) -> None:
    """One line: the mean over a bar's onsets of what the player counts is the figure of the bar."""
    lines = np.cumsum((0, *sizes))
    onset = np.sort(np.array([step for step in steps if step < lines[-1]], np.int64))
    bar = np.searchsorted(lines, onset, side="right") - 1
    after = np.append(onset[1:], lines[-1] + 1)
    moved = np.array(
        [
            syncopated(int(step - lines[b]), int(lines[b + 1] - lines[b]), int(then - step))
            for step, b, then in zip(onset, bar, after, strict=True)
        ]
    )
    zero = np.zeros(len(onset), np.int64)
    found = figures(onset, zero, zero + 40, zero + 20, np.array([False]), lines)[:, CONTROLS.index("syncopation")]
    for b in range(len(sizes)):
        if (bar == b).any():
            assert found[b] == pytest.approx(moved[bar == b].mean())
        else:
            assert np.isnan(found[b])


def _bundle() -> Bundle:
    """A small model that has learned nothing, but to write notes about as close together as music has them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = NoteModel(NoteModelConfig(width=16, layers=1, head_width=16, dropout=0.0))
        with torch.no_grad():
            bias = model.head_out[0].bias
            bias[:] = -12.0
            bias[[0, 3, 6, 12]] = torch.tensor([0.5, 0.0, 0.5, 0.0])
    return Bundle(model.eval(), NoteStepCodec())


@pytest.mark.parametrize(("control", "low", "high"), [*zip(CONTROLS, (3, 2, 1, 1), (10, 9, 9, 10), strict=True)])
def test_what_is_asked_of_bars_is_what_they_become(control: str, low: int, high: int) -> None:
    """Even of a model that has learned nothing of levels: over many bars asked and played go together."""
    bundle, asked, played, without = _bundle(), [], [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        row = np.repeat(rng.integers(low, high + 1, BARS // 2), 2)
        canvas = Canvas(Song(parts=PARTS, length=BARS * 1920), 0, (0, 1, 2))
        wishes = dataclasses.replace(
            canvas.constraints, levels={control: tuple(row.tolist())}, pitches={0: (36, 38)}, grid="1/8"
        )
        canvas = dataclasses.replace(canvas, constraints=wishes)
        for steering, found in ((1.0, played), (0.0, without)):
            (song,) = fill(bundle, canvas, Sampling(steering=steering), np.random.default_rng(seed))
            found.append(open_levels(song, canvas)[:, CONTROLS.index(control)])
        asked.append(row)
    each, heard, unsteered = np.concatenate(asked), np.concatenate(played), np.concatenate(without)
    there = heard >= 0
    assert there.sum() > 60
    assert spearmanr(each[there], heard[there]).statistic > 0.7
    assert spearmanr(each, unsteered).statistic < 0.5


def test_where_no_time_shift_is_left_a_steered_clip_ends_and_nothing_breaks() -> None:
    """One open step of one bar, all levels asked: once its notes are there, nothing more may come."""
    bundle = _bundle()
    song = Song(parts=PARTS, length=1920)
    canvas = Canvas(song, openings=(Opening(1, 0, 40),))
    wishes = dataclasses.replace(canvas.constraints, levels=dict.fromkeys(CONTROLS, (11,)), polyphony={1: 2})
    for seed in range(10):
        (played,) = fill(
            bundle, dataclasses.replace(canvas, constraints=wishes), Sampling(), np.random.default_rng(seed)
        )
        assert len(played) <= 2

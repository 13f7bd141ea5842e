"""Canvases of training: what is shown ahead is never scored, and what is open is hidden."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.codecs import NoteStepCodec
from woodshed.codecs.note_step import LONGEST_SHIFT, PART, PITCH, TIME_SHIFT
from woodshed.codecs.past import GIVEN
from woodshed.codecs.study import ALL_OPEN, FIXED, OPEN
from woodshed.music import Song
from woodshed.training.canvases import KINDS, all_open, draw_holes, draw_levels
from woodshed.training.examples import Augmentation, Windows, encode_example

CODEC = NoteStepCodec()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_given_is_hidden_nowhere_and_what_is_open_everywhere(kind: str, band_song: Song) -> None:
    song = CODEC.arrange(band_song)
    rows = CODEC.encode(song)
    places = CODEC.places(CODEC.onset_steps(rows), CODEC.bar_lines(song))
    opened = 0
    for seed in range(40):
        holes = draw_holes(kind, rows, places, np.random.default_rng(seed))
        known = holes.known >= 0
        assert (holes.known[known] == rows[known]).all()
        assert not (holes.scored[:, PITCH + 1 :] & known[:, PITCH + 1 :]).any()
        end = rows[:, TIME_SHIFT] > LONGEST_SHIFT
        assert not known[end].any()
        fixed = np.flatnonzero(holes.openness == FIXED)
        if kind in ("parts", "bars", "beats"):
            assert known[np.isin(rows[:, PART], fixed) & ~end].all()
            assert (holes.openness == OPEN).any()
        opened += int((~known & ~end[:, None]).sum())
    assert opened > 0


def test_a_plain_canvas_gives_nothing_ahead() -> None:
    holes = all_open(np.zeros((3, 6), np.int64))
    assert (holes.known == -1).all()
    assert holes.scored.all()
    assert (holes.openness == ALL_OPEN).all()


def test_levels_are_those_of_the_open_notes(band_song: Song) -> None:
    song = CODEC.arrange(band_song)
    rows, lines, programs = CODEC.encode(song), CODEC.bar_lines(song), CODEC.programs(song)
    onsets = CODEC.onset_steps(rows)
    seen = [
        draw_levels(rows, onsets, lines, programs, all_open(rows), np.random.default_rng(seed)) for seed in range(20)
    ]
    asked = [found[:, 0] for found in seen if (found[:, 0] >= 0).all()]
    assert 2 <= len(asked) < 20
    assert all(np.array_equal(asked[0], other) for other in asked)


def test_walks_go_on_where_they_were_and_see_what_is_given_ahead(band_song: Song) -> None:
    windows = Windows(CODEC, [encode_example(CODEC, band_song)], 4, 16, Augmentation(canvases=1.0, stretch=0))
    rng, before, went_on, given = np.random.default_rng(0), None, 0, 0
    for _ in range(20):
        batch = windows.draw(rng)
        if before is not None:
            for lane in np.flatnonzero(batch.goes_on):
                assert np.array_equal(batch.inputs.rows[lane, 0], before.inputs.rows[lane, -1])
                went_on += 1
        given += int((batch.inputs.expected[..., GIVEN] >= 0).sum())
        before = batch
    assert went_on > 5
    assert given > 100

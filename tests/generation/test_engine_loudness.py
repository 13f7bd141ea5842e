"""Parts are as loud, and their notes as long, as those of the learned song."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.codecs.usual_values import OCCASIONS, occasions, velocities
from woodshed.generation.canvas import Canvas, blank_canvas, continuation_canvas
from woodshed.generation.constraints import Constraints
from woodshed.generation.engine_loudness import _occasion
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.openings import accompany_canvas, infill_canvas
from woodshed.generation.plan import make_plan
from woodshed.music import Part, Song
from woodshed.music.units import ticks_to_steps

PARTS = (Part("Keys", 4), Part("Drums", 0, is_drum=True))
SONG = Song(parts=PARTS, length=48 * 1920)
KEYS = [{29: 1.0}, {24: 0.7, 19: 0.3}, {14: 1.0}, {9: 0.5, 4: 0.5}, *[{31: 1.0}] * 4]


@pytest.fixture(scope="module")
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    """Notes of six steps, no, one, three or six steps apart, as loud as may be."""
    return unlearned({0: -1.0, 1: -1.0, 3: 0.5, 6: 0.5}, {2: 5})


def _fill(bundle: Bundle, canvas: Canvas) -> list[Song]:
    return fill(bundle, canvas, Sampling(temperature=1), np.random.default_rng(0), count=3)


def test_velocities_are_those_of_the_occasion_as_often_as_asked(bundle: Bundle) -> None:
    songs = _fill(bundle, Canvas(SONG, 0, (0,), velocities={0: KEYS}, reaches={0: 0}))
    for song in songs:
        (found,) = velocities(song).values()
        for occasion in range(4):
            assert found[occasion] == pytest.approx(KEYS[occasion], abs=0.08)
    (free,) = velocities(_fill(bundle, Canvas(SONG, 0, (0,), reaches={0: 0}))[0]).values()
    assert len(free[0]) > 4


def test_each_kind_of_drum_has_its_own(bundle: Bundle) -> None:
    kit = [{id: 1.0} for id in range(20, 28)]
    canvas = Canvas(SONG, 0, (1,), Constraints(pitches={1: (36, 42)}), velocities={1: kit}, reaches={1: 0})
    (found,) = velocities(_fill(bundle, canvas)[0]).values()
    assert [found[occasion] for occasion in (0, 1, 4, 5)] == [kit[occasion] for occasion in (0, 1, 4, 5)]


def test_where_a_loudness_is_asked_for_any_velocity_may_come(bundle: Bundle) -> None:
    asked = Constraints(levels={"velocity": (2,)})
    plan = make_plan(bundle, Canvas(SONG, 0, (0,), asked, velocities={0: KEYS}))
    assert np.isnan(plan.velocities).all()
    plan = make_plan(bundle, Canvas(SONG, 0, (0,), velocities={0: KEYS}))
    assert plan.velocities[0, 1, [24, 19, 0]].tolist() == [0.7, 0.3, 0.0]
    assert np.isnan(plan.velocities[1:]).all()


def test_notes_are_as_long_as_asked_and_no_other_length(unlearned: Callable[..., Bundle]) -> None:
    """But for those that are cut where their pitch is struck again."""
    any_length = unlearned({3: 0.5, 6: 0.5})
    free = _fill(any_length, Canvas(SONG, 0, (0,)))[0]
    held = _fill(any_length, Canvas(SONG, 0, (0,), note_values={0: {3: 0.3, 6: 0.7}}, reaches={0: 0}))[0]
    assert len(set(ticks_to_steps(free.notes["duration"]).tolist())) > 20
    assert set(ticks_to_steps(held.notes["duration"]).tolist()) == {3, 6}


def test_where_a_density_is_asked_for_notes_may_have_any_length(bundle: Bundle) -> None:
    held = Canvas(SONG, 0, (0,), note_values={0: {6: 1.0}})
    assert make_plan(bundle, held).note_values[0, [4, 5]].tolist() == [0, 1]
    asked = dataclasses.replace(held, constraints=Constraints(levels={"density": (8,)}))
    assert np.isnan(make_plan(bundle, asked).note_values).all()


def test_and_as_often(unlearned: Callable[..., Bundle]) -> None:
    lengths = {0: (0.2, 0.8, 0.0, 0.0, 0.0, 0.0)}
    asked = {0: {2: 0.1, 3: 0.1, 5: 0.5, 6: 0.3}}
    canvas = Canvas(SONG, 0, (0,), Constraints(pitches={0: range(24, 100)}), lengths=lengths, note_values=asked)
    songs = _fill(unlearned({6: 0.5, 9: 0.5}), dataclasses.replace(canvas, reaches={0: 0}))
    found = np.concatenate([ticks_to_steps(song.notes["duration"]) for song in songs])
    assert {value: (found == value).mean() for value in asked[0]} == pytest.approx(asked[0], abs=0.06)


def test_the_loop_knows_occasions_as_songs_are_described_by_them() -> None:
    for is_drum in (False, True):
        for pitch in (35, 36, 38, 42, 46, 49, 60):
            places = np.arange(96)
            described = occasions(is_drum, np.full(96, pitch), places)
            assert [_occasion(is_drum, pitch, place) for place in places.tolist()] == described.tolist()


def test_a_blank_canvas_takes_them_from_the_song_whose_line_up_plays(bundle: Bundle) -> None:
    pairs = [[29, 1.0]] * OCCASIONS
    song = {
        "programs": [128, 4], "presence": [1.0, 1.0], "bpm": 120.0, "meter": "4/4",
        "note_values": [None, [3, 0.4, 6, 0.6]], "velocities": [pairs, None],
    }  # fmt: skip
    canvas = blank_canvas(dataclasses.replace(bundle, style={"arrangements": [song]}), 4, np.random.default_rng(0))
    assert canvas.note_values == {1: {3: 0.4, 6: 0.6}}
    assert canvas.velocities == {0: [{29: 1.0}] * OCCASIONS}


def test_who_joins_a_song_is_as_long_and_its_own_parts_are_as_loud(bundle: Bundle) -> None:
    keys = [(0, at * 240, 200, 60 + at % 5, (120, 80)[at % 2]) for at in range(64)]
    song = Song.make(keys, (Part("Keys", 4),))
    for canvas in (continuation_canvas(song, 2), infill_canvas(song, (2, 3))):
        assert canvas.velocities[0][2] == {19: 1.0}
        assert {3, 5, 6, 12} <= set(canvas.note_values[0])
        assert not {1, 2, 4} & set(canvas.note_values[0])
    new = accompany_canvas(bundle, song, (Part("Bass", 33),))
    assert new.velocities == {}
    assert set(new.note_values) == {1}
    triplets = Song.make([(0, at * 160, 160, 60, 80) for at in range(64)], (Part("Keys", 4),))
    assert set(continuation_canvas(triplets, 2).note_values[0]) == set(range(4, 385, 4))
    anywhere = Song.make([(0, at * 40 * 5, 160, 60, 80) for at in range(64)], (Part("Keys", 4),))
    assert continuation_canvas(anywhere, 2).note_values == {}

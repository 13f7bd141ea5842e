"""New notes begin on the grid that their part is used to, wherever that leaves them a place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from woodshed.bundle import Bundle, load_bundle
from woodshed.bundle.bundle import SHIPPED
from woodshed.codecs import NoteStepCodec
from woodshed.codecs.note_step import ON_THE_GRID
from woodshed.generation.canvas import Canvas, Opening, blank_canvas, continuation_canvas
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.openings import (
    TIGHT,
    accompany_canvas,
    humanise_canvas,
    infill_canvas,
    vary_canvas,
    whole_bars,
)
from woodshed.generation.plan import PLAYED, SLIGHT, TOUCH, make_plan
from woodshed.generation.stream_notes import tune_notes
from woodshed.music import METER, NOTE, Part, Song
from woodshed.music.units import ticks_to_steps
from woodshed.recipes.over import Over

BAR, BARS, STEP = 1920, 8, 40
ON_TIME = Sampling(temperatures={"microtiming": 0})
PARTS = (Part("Drums", 0, is_drum=True), Part("Bass", 33), Part("Guitar", 30))
STYLED = Bundle(None, NoteStepCodec(), style={"instruments": {"30": {}}})
STRAIGHT, SWUNG, OFF_BEAT = (0, 3, 6, 9), (0, 8), (6,)


@pytest.fixture(scope="module")
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    """It moves on by any of the shortest shifts."""
    return unlearned(dict.fromkeys(range(7), 0.0), {2: 5, 4: ON_THE_GRID})


def _canvas(grids: dict[int, Sequence[int]], **canvas: Any) -> Canvas:
    pitches = {0: (36, 38), 1: (40, 43, 45), 2: (52, 55, 57)}
    opened = Canvas(Song(parts=PARTS, length=BARS * BAR), 0, (0, 1, 2), grids=grids, **canvas)
    return replace(opened, constraints=replace(opened.constraints, pitches=pitches))


def _places(song: Song, part: int) -> set[int]:
    """The steps of a quarter note on which a part begins its notes."""
    return set((ticks_to_steps(song.notes["onset"][song.notes["part"] == part]) % 12).tolist())


def test_each_part_keeps_to_its_own_grid_over_many_draws(bundle: Bundle) -> None:
    free = fill(bundle, _canvas({}), ON_TIME, np.random.default_rng(0))[0]
    assert all(len(_places(free, part)) > 6 for part in range(3))
    songs = fill(bundle, _canvas({0: STRAIGHT, 1: SWUNG}), ON_TIME, np.random.default_rng(0), count=20)
    for song in songs:
        assert _places(song, 0) <= set(STRAIGHT)
        assert _places(song, 1) <= set(SWUNG)
    assert set.union(*(_places(song, 2) for song in songs)) == set(range(12))


def _open(canvas: Canvas, part: int) -> list[int]:
    plan = make_plan(Bundle(None, NoteStepCodec()), canvas)
    return np.flatnonzero(plan.open_parts >> plan.owners.index(part) & 1).tolist()


def test_a_grid_or_syncopation_that_is_asked_for_comes_before_the_usual_one() -> None:
    usual = _canvas({1: SWUNG})
    assert _open(usual, 1)[:4] == [0, 8, 12, 20]
    asked = replace(usual, constraints=replace(usual.constraints, grid="1/8"))
    assert _open(asked, 1)[:4] == [0, 6, 12, 18]
    asked = replace(usual, constraints=replace(usual.constraints, levels={"syncopation": (9,)}))
    assert _open(asked, 1)[:4] == [0, 1, 2, 3]
    dense = replace(usual, constraints=replace(usual.constraints, levels={"density": (9,)}))
    assert _open(dense, 1)[:6] == [0, 3, 6, 8, 9, 12]
    leaning = replace(asked, constraints=replace(asked.constraints, leanings=frozenset({"syncopation"})))
    assert _open(leaning, 1)[:4] == [0, 8, 12, 20]


def test_a_usual_grid_begins_anew_in_every_bar() -> None:
    song = Song(parts=PARTS, meters=np.array([(0, 7, 8)], METER), length=2 * 42 * STEP)
    assert _open(Canvas(song, 0, (1,), grids={1: OFF_BEAT}), 1) == [6, 18, 30, 48, 60, 72]


def test_an_opening_without_a_place_on_the_usual_grid_is_open_all_the_same() -> None:
    spans = (Opening(1, 0, 3 * STEP), Opening(1, 480, 960))
    assert _open(_canvas({1: OFF_BEAT}, openings=spans), 1) == [0, 1, 2, 18]


def rows_of(steps: Iterable[int]) -> NDArray[Any]:
    """A note of the first part on each of these steps."""
    return np.array([(0, step * STEP, 2 * STEP, 40, 80) for step in steps], NOTE)


def _swung(notes: int = 64) -> Song:
    rows = rows_of(note // 2 * 12 + note % 2 * 8 for note in range(notes))
    return Song.make(rows, (PARTS[1],), length=8 * BAR)


def test_what_is_written_into_a_song_keeps_to_the_grid_of_its_parts() -> None:
    song, triplets, few = _swung(), (0, 4, 8), _swung(12)
    assert continuation_canvas(song, 2).grids == infill_canvas(song, (2, 3)).grids == {0: triplets}
    assert vary_canvas(song, 0.3, np.random.default_rng(0)).grids == {0: triplets}
    assert accompany_canvas(STYLED, song, [PARTS[2]]).grids == {1: triplets}
    both = song.with_notes(np.concatenate((song.notes, rows_of(range(0, 384, 3)))))
    assert continuation_canvas(both, 2).grids == {0: (0, 3, 6, 8, 9)}
    assert continuation_canvas(song.with_notes(rows_of(range(0, 384, 12))), 2).grids == {0: STRAIGHT}
    assert continuation_canvas(few, 2).grids == accompany_canvas(STYLED, few, [PARTS[2]]).grids == {}


def test_no_note_lies_farther_off_its_step_than_its_part_does(unlearned: Callable[..., Bundle]) -> None:
    loose = unlearned({3: 0.0}, {2: 5})

    def off(reaches: dict[int, int], part: int) -> int:
        songs = fill(loose, _canvas({}, reaches=reaches), Sampling(), np.random.default_rng(0), count=4)
        onsets = np.concatenate([song.notes["onset"][song.notes["part"] == part] for song in songs])
        return int(np.abs((onsets + 60) % 120 - 60).max())

    assert off({}, 1) > 50
    assert 20 < off({1: 28, 2: 0}, 1) <= 28
    assert 0 < off({1: 28, 2: 0}, 2) <= SLIGHT
    assert off({1: 28, 2: 0}, 0) > 50


def test_what_is_written_into_a_song_is_as_much_in_time_as_that() -> None:
    song = _swung()
    assert continuation_canvas(song, 2).reaches == infill_canvas(song, (2, 3)).reaches == {0: 0}
    late = song.notes.copy()
    late["onset"][::3] += 12
    assert accompany_canvas(STYLED, song.with_notes(late), [PARTS[2]]).reaches == {1: 12}
    assert continuation_canvas(_swung(12), 2).reaches == {}


def test_a_song_whose_end_spills_over_its_last_bar_line_is_not_a_bar_longer() -> None:
    song = _swung()
    assert whole_bars(song) == whole_bars(song.replace(length=8 * BAR + 1)) == 8
    assert whole_bars(song.replace(length=8 * BAR + 240)) == 9
    spilt = song.replace(length=8 * BAR + 1)
    canvas = accompany_canvas(STYLED, spilt, [PARTS[2]])
    assert (canvas.song.length, canvas.spans[0].end) == (8 * BAR + 1, 8 * BAR)
    asked = accompany_canvas(STYLED, spilt, [PARTS[2]], (1, 9))  # whoever names that bar gets it
    assert (asked.song.length, asked.spans[0].end) == (9 * BAR, 9 * BAR)
    ringing = song.notes.copy()
    ringing["duration"][-1] = 8 * BAR + 7 - ringing["onset"][-1]
    assert Over(song.with_notes(ringing).replace(length=8 * BAR + 7)).span() == (0, 8 * BAR, 8)


def test_an_accompaniment_has_as_many_voices_as_its_instrument_has_in_the_learned_songs() -> None:
    song = {"programs": [33, 30], "bpm": 100.0, "meter": "4/4", "presence": [1.0, 1.0], "voices": [1, 3]}
    style = {"instruments": {"33": {}, "30": {}}, "arrangements": [song, song | {"voices": [1, 4]}]}
    canvas = accompany_canvas(Bundle(None, NoteStepCodec(), style=style), _swung(), [PARTS[1], PARTS[2]])
    assert canvas.constraints.polyphony == {1: 1, 2: 4}


def test_where_only_the_touch_is_open_votes_for_it_count_less() -> None:
    style = {"arrangements": [{"programs": [33], "bpm": 100.0, "meter": "4/4", "presence": [1.0]}]}
    learned = Bundle(None, NoteStepCodec(), style=style)
    shares = [
        make_plan(learned, canvas).vote_share
        for canvas in (humanise_canvas(_swung()), continuation_canvas(_swung(), 2))
    ]
    assert shares[0][-2:] == pytest.approx(TOUCH)
    assert shares[1].tolist() == PLAYED.tolist()
    assert shares[0][:-2].tolist() == PLAYED[:-2].tolist()
    assert humanise_canvas(_swung()).reaches == {0: TIGHT}


def test_a_part_off_the_beat_plays_on_the_air_too(bundle: Bundle) -> None:
    canvas = _canvas({0: STRAIGHT, 1: OFF_BEAT, 2: SWUNG})
    station: Any = tune_notes(bundle, canvas, canvas.song.replace(length=BAR))
    found: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    for bar in range(6):
        drawn, station = station.play(ON_TIME, np.random.default_rng(bar), 0)
        for note in drawn.notes:
            found[int(note["part"])].add(int(ticks_to_steps(note["onset"]) % 12))
    assert found[1] == set(OFF_BEAT)
    assert all(found.values())
    assert found[0] <= set(STRAIGHT)
    assert found[2] <= set(SWUNG)


def test_base_plays_on_the_grids_of_the_songs_that_it_learned() -> None:
    base = load_bundle(SHIPPED / "base")
    for seed in range(6):
        canvas = blank_canvas(base, 4, np.random.default_rng(seed))
        assert canvas.grids
        (song,) = fill(base, canvas, ON_TIME, np.random.default_rng(seed))
        shared = {part: grid for part, grid in canvas.grids.items() if len(grid) < 12}
        assert all(_places(song, part) <= set(grid) for part, grid in shared.items() if not song.parts[part].is_drum)

"""Drums are struck where the learned song strikes them, and nowhere else in the bar."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.codecs.grids import notated_steps
from woodshed.codecs.usual_values import strokes
from woodshed.generation.canvas import Canvas, blank_canvas
from woodshed.generation.casting import drummed
from woodshed.generation.constraints import Constraints
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.plan import make_plan
from woodshed.generation.stream_notes import tune_notes
from woodshed.music import CHORD, Meter, Part, Song

PARTS = (Part("Drums", 0, is_drum=True), Part("Keys", 4))
BARS = 64
SONG = Song(parts=PARTS, length=BARS * 1920)
KIT = Constraints(pitches={0: (36, 38, 42)})
GROOVE = {36: (0, 24), 38: (12, 36), 42: (0, 6, 12, 18, 24, 30, 36, 42)}


@pytest.fixture(scope="module")
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    """Notes no, one, three or six steps apart; any drum and any pitch is as likely as any other."""
    return unlearned({0: 0.5, 1: -1.0, 3: 0.5, 6: 0.5}, {2: 5})


def _found(bundle: Bundle, canvas: Canvas) -> dict[int, set[int]]:
    songs = fill(bundle, canvas, Sampling(temperature=1), np.random.default_rng(0), count=2)
    found: dict[int, set[int]] = {}
    for song in songs:
        drums = song.notes["part"] == 0
        places = (notated_steps(song)[drums] % 48).tolist()
        for drum, place in zip(song.notes["pitch"][drums].tolist(), places, strict=True):
            found.setdefault(drum, set()).add(place)
    return found


def test_each_drum_keeps_to_its_places(bundle: Bundle) -> None:
    free = _found(bundle, Canvas(SONG, 0, (0, 1), KIT, reaches={0: 0}))
    held = _found(bundle, Canvas(SONG, 0, (0, 1), KIT, strokes=GROOVE, reaches={0: 0}))
    assert min(map(len, free.values())) > 20
    assert held == {drum: set(places) for drum, places in GROOVE.items()}


def test_under_changing_chords_too_and_the_others_play_anywhere(bundle: Bundle) -> None:
    chords = np.array([(bar * 1920, bar * 5 % 12, 0, bar * 5 % 12) for bar in range(BARS)], CHORD)
    canvas = Canvas(SONG, 0, (0, 1), dataclasses.replace(KIT, chords=chords), strokes=GROOVE, reaches={0: 0})
    assert _found(bundle, canvas) == {drum: set(places) for drum, places in GROOVE.items()}
    (song,) = fill(bundle, canvas, Sampling(temperature=1), np.random.default_rng(1))
    keys = song.notes[song.notes["part"] == 1]
    row = np.searchsorted(chords["onset"], keys["onset"] + 20, side="right") - 1
    assert np.isin((keys["pitch"] - chords["root"][row]) % 12, (0, 4, 7)).all()
    assert len(set((keys["onset"] // 40 % 48).tolist())) > 30


def test_a_drum_that_is_not_told_of_is_struck_anywhere(bundle: Bundle) -> None:
    held = _found(bundle, Canvas(SONG, 0, (0,), KIT, strokes={36: (0, 12, 24)}, reaches={0: 0}))
    assert held[36] == {0, 12, 24}
    assert len(held[42]) > 20


def test_who_could_strike_nothing_is_left_as_it_is(bundle: Bundle) -> None:
    hats = Constraints(pitches={0: (42,)})
    assert len(_found(bundle, Canvas(SONG, 0, (0,), hats, strokes={42: (99,)}, reaches={0: 0}))[42]) > 20


@pytest.mark.parametrize("asked", [{"grid": "1/16"}, {"levels": {"density": (8,)}}, {"levels": {"syncopation": (8,)}}])
def test_where_the_rhythm_is_asked_for_drums_are_free(bundle: Bundle, asked: dict[str, object]) -> None:
    free = Canvas(SONG, 0, (0,), dataclasses.replace(KIT, **asked))  # type: ignore[arg-type]
    plans = [make_plan(bundle, canvas) for canvas in (free, dataclasses.replace(free, strokes=GROOVE))]
    assert np.array_equal(plans[0].open_parts, plans[1].open_parts)
    assert plans[0].playable.shape == plans[1].playable.shape


def test_on_the_air_too(bundle: Bundle) -> None:
    canvas = Canvas(SONG, 0, (0,), KIT, strokes=GROOVE, reaches={0: 0})
    station: Any = tune_notes(bundle, canvas, SONG.replace(length=1920))
    found: dict[int, set[int]] = {}
    for bar in range(80):
        drawn, station = station.play(Sampling(temperature=1), np.random.default_rng(bar), 0)
        for note in drawn.notes:
            place = int((note["onset"] + 20) // 40) % 48
            found.setdefault(int(note["pitch"]), set()).add(place)
    assert found == {drum: set(places) for drum, places in GROOVE.items()}


def test_a_blank_canvas_takes_them_in_the_meter_of_the_song_alone(bundle: Bundle) -> None:
    song = {
        "programs": [128], "presence": [1.0], "bpm": 120.0, "meter": "4/4",
        "strokes": [[drum, *places] for drum, places in GROOVE.items()],
    }  # fmt: skip
    told = dataclasses.replace(bundle, style={"arrangements": [song]})
    assert blank_canvas(told, 4, np.random.default_rng(0)).strokes == GROOVE
    assert blank_canvas(told, 4, np.random.default_rng(0), meter=Meter(3, 4)).strokes == {}


def test_drums_that_join_music_are_those_of_a_song_with_a_beat(bundle: Bundle) -> None:
    def song(strokes: dict[int, tuple[int, ...]]) -> dict[str, object]:
        rows = [[drum, *places] for drum, places in strokes.items()]
        facts = {"programs": [128], "presence": [1.0], "bpm": 120.0, "meter": "4/4", "kit": list(strokes)}
        return {**facts, "strokes": rows}

    hats, on_one, beat = song({42: (0, 6)}), song({36: (0,), 38: (0, 6)}), song(GROOVE)
    for songs, found in (([hats, on_one, beat, hats], {36, 38, 42}), ([hats], {42})):
        told = dataclasses.replace(bundle, style={"arrangements": songs})
        for seed in range(9):
            assert set(drummed(told, np.random.default_rng(seed), [PARTS[0]])["kit"]) == found


def test_who_plays_in_a_meter_that_is_asked_for_is_of_a_song_in_it_if_there_is_one(bundle: Bundle) -> None:
    songs = [
        {"programs": [program], "presence": [1.0], "bpm": 120.0, "meter": meter}
        for program, meter in ((128, "4/4"), (4, "6/8"), (33, "3/4"), (30, "3/4"))
    ]
    told = dataclasses.replace(bundle, style={"arrangements": songs})

    def players(meter: Meter | None) -> set[int]:
        canvases = [blank_canvas(told, 2, np.random.default_rng(seed), meter=meter) for seed in range(30)]
        return {128 if part.is_drum else part.program for canvas in canvases for part in canvas.song.parts}

    assert players(Meter(6, 8)) == {4}
    assert players(Meter(3, 4)) == {30, 33}
    assert players(Meter(7, 8)) == players(None) == {4, 30, 33, 128}


def test_the_places_of_a_song_are_those_of_more_than_a_stray() -> None:
    groove = [
        (0, bar * 1920 + place * 40, 100, drum, 80)
        for bar in range(200)
        for drum, own in GROOVE.items()
        for place in own
    ]
    song = Song.make([*groove, (0, 5 * 40, 100, 38, 80), (1, 7 * 40, 100, 60, 80)], PARTS)
    assert strokes(song) == GROOVE

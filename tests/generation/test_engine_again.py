"""A bar that is to be again what stood some bars before is that, to the note; all else is new."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.codecs.note_step import ON_THE_GRID
from woodshed.generation.canvas import Canvas, Constraints
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.plan import make_plan
from woodshed.music import CHORD, Part, Song

BAR, BARS = 1920, 12
PARTS = (Part("Drums", 0, is_drum=True), Part("Bass", 33), Part("Guitar", 30))
AGAIN = {0: (0, 1, 1, 1, 0, 4, 4, 4, 8, 8, 8, 8), 2: (0, 0, 0, 0, 4, 4, 4, 4, 0, 0, 0, 11)}


@pytest.fixture(scope="module")
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    """It writes notes on the grid, about as close together as music has them."""
    return unlearned({0: -1.0, 3: 0.5, 6: 0.0}, {4: ON_THE_GRID})


def _canvas(again: Mapping[int, tuple[int, ...]], **wishes: object) -> Canvas:
    blank = Canvas(Song(parts=PARTS, length=BARS * BAR), 0, (0, 1, 2), again=again)
    pitches = {0: (36, 38, 42, 46), 1: tuple(range(30, 50)), 2: tuple(range(52, 72))}
    return dataclasses.replace(blank, constraints=Constraints(pitches=pitches, **wishes))  # type: ignore[arg-type]


def _bars(song: Song, part: int) -> list[set[tuple[int, int]]]:
    """Place and pitch of what a part plays in each bar."""
    own = song.notes[song.notes["part"] == part]
    bars: list[set[tuple[int, int]]] = [set() for _ in range(BARS)]
    for onset, pitch in zip(own["onset"].tolist(), own["pitch"].tolist(), strict=True):
        bars[onset // BAR].add((onset % BAR, pitch))
    return bars


def test_bars_are_played_again_to_the_note_and_others_are_not(bundle: Bundle) -> None:
    for song in fill(bundle, _canvas(AGAIN), Sampling(), np.random.default_rng(0), count=4):
        for part in range(3):
            bars = _bars(song, part)
            for bar, back in enumerate(AGAIN.get(part, (0,) * BARS)):
                if back:
                    assert bars[bar] == bars[bar - back]
                assert back or bars[bar] not in bars[:bar]
                assert bars[bar]


def test_at_half_the_repetition_half_of_the_bars_are_new(bundle: Bundle) -> None:
    def same(repetition: float) -> float:
        songs = fill(bundle, _canvas(AGAIN), Sampling(repetition=repetition), np.random.default_rng(0), count=4)
        asked = [(part, bar, back) for part, row in AGAIN.items() for bar, back in enumerate(row) if back]
        return float(np.mean([_bars(s, p)[bar] == _bars(s, p)[bar - back] for s in songs for p, bar, back in asked]))

    assert same(1.0) == 1.0
    assert same(0.0) < 0.2  # bars with a note or two are alike by chance
    assert 0.35 < same(0.5) < 0.8


def test_above_a_repetition_of_1_more_bars_are_the_one_before_until_all_are(bundle: Bundle) -> None:
    def looping(repetition: float) -> float:
        songs = fill(bundle, _canvas(AGAIN), Sampling(repetition=repetition), np.random.default_rng(0), count=4)
        pairs = [pairwise(_bars(song, part)) for song in songs for part in range(3)]
        return float(np.mean([before == after for some in pairs for before, after in some]))

    assert looping(2.0) == 1.0
    assert looping(1.0) + 0.1 < looping(1.5) < 0.9


def test_the_same_seed_plays_the_same(bundle: Bundle) -> None:
    one, other = (fill(bundle, _canvas(AGAIN), Sampling(), np.random.default_rng(3))[0] for _ in range(2))
    assert np.array_equal(one.notes, other.notes)


def test_where_something_else_is_asked_of_a_bar_it_is_new(bundle: Bundle) -> None:
    chords = np.array([(0, 0, 0, 0), (BAR, 7, 0, 7), (2 * BAR, 0, 0, 0)], CHORD)
    plan = make_plan(bundle, _canvas({2: (0, 1, 1, 1) + (0,) * 8}, chords=chords))
    assert (plan.again[2] > 0).tolist() == [False, False, False, True] + [False] * 8
    firm = make_plan(bundle, _canvas(AGAIN, levels={"density": (3, 3, 5, *(3,) * 9)}))
    assert firm.again[0, :4].tolist() == [0, 48, 0, 0]
    loose = {"levels": {"density": (3, 3, 5, *(3,) * 9)}, "leanings": frozenset({"density"})}
    assert make_plan(bundle, _canvas(AGAIN, **loose)).again[0, :4].tolist() == [0, 48, 48, 48]


def test_a_pace_gives_way_to_a_density_that_is_asked_for(bundle: Bundle) -> None:
    paced = dataclasses.replace(_canvas({}), pace={0: 2.0, 1: 1.0})
    assert make_plan(bundle, paced).pace[:3].tolist() == pytest.approx([2.0, 1.0, np.nan], nan_ok=True)
    asked = dataclasses.replace(_canvas({}, levels={"density": (5,) * BARS}), pace={0: 2.0, 1: 1.0})
    assert np.isnan(make_plan(bundle, asked).pace).all()

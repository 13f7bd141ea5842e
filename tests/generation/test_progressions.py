"""Chords for a clip that nobody gave any: the form of one learned song, the chords of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.errors import InfeasibleCanvas
from woodshed.generation.canvas import CHANCE_KEY_PULL, PLANNED_KEY_PULL, blank_canvas, continuation_canvas
from woodshed.generation.openings import accompany_canvas
from woodshed.generation.plan import make_plan
from woodshed.generation.progressions import chords_of, going_on, progression
from woodshed.music import CHORD, Key, Meter, Part, Song
from woodshed.music.chord_sheet import chord_rows, chord_text, parse_chords

BAR = 1920
FORM = "Am | F | Am | F | C G | C G | Am | F"
SONGS: list[dict[str, Any]] = [
    {"chords": FORM, "key": "A minor"},
    {"chords": "Dm | % | Bb | Gm A | N.C.", "key": "D minor"},
    {"chords": "C | F", "key": "C major"},
]


def _text(songs: list[dict[str, Any]], key: Key | None = None, bars: int = 8, first_bar: int = 0, seed: int = 0) -> str:
    lines = np.arange(bars + 1) * BAR
    rng = np.random.default_rng(seed)
    return chord_text(progression(songs, FORM, Key.parse("A minor"), key, first_bar, lines, rng), lines)


def test_bars_that_are_alike_in_the_form_are_alike_and_the_chords_are_those_of_another_song_of_that_mode() -> None:
    """D minor's Dm, Bb and Gm A become A minor's Am, F and Dm E; a bar without chords is left out."""
    assert {_text(SONGS, seed=seed) for seed in range(9)} == {"Am | F | Am | F | Dm E | % | Am | F"}


def test_it_moves_to_the_key_that_is_asked_for() -> None:
    assert _text(SONGS, Key.parse("C minor")) == "Cm | Ab | Cm | Ab | Fm G | % | Cm | Ab"
    assert _text(SONGS, Key.parse("G major")) == "G | C | G | C | G | % | % | C"


def test_it_begins_where_the_passage_does_and_again_when_the_form_is_over() -> None:
    assert _text(SONGS, first_bar=4, bars=6) == "Am | % | F | Dm E | F | Dm E"


def test_a_song_that_is_alone_keeps_its_own_chords() -> None:
    assert _text(SONGS[:1]) == "Am | F | Am | F | C G | % | Am | F"
    assert _text(SONGS[:1], Key.parse("E minor"), 2) == "Em | C"


def test_where_nothing_is_known_there_are_none() -> None:
    lines, rng = np.arange(3) * BAR, np.random.default_rng(0)
    assert not len(progression(SONGS, None, Key.parse("A minor"), None, 0, lines, rng))
    assert not len(progression(SONGS, FORM, None, None, 0, lines, rng))


def test_a_bar_that_two_chords_cannot_share_keeps_the_first() -> None:
    odd = np.array([0, 1920, 1920 + 7 * 40])  # seven steps
    rows = progression(SONGS[:1], "C G | C G", Key.parse("C major"), None, 0, odd, np.random.default_rng(0))
    assert rows["onset"].tolist() == [0, 960, 1920]


@pytest.fixture
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    song = {"programs": [33, 4], "presence": [1.0, 1.0], "bpm": 120.0, "meter": "4/4", "key": "A minor", "chords": FORM}
    return dataclasses.replace(unlearned({3: 1.0}, {2: 2}), style={"arrangements": [song]})


def test_a_blank_canvas_leans_towards_them_and_holds_nobody_to_them(bundle: Bundle) -> None:
    canvas = blank_canvas(bundle, 8, np.random.default_rng(0))
    wishes = canvas.constraints
    assert chord_text(wishes.chords, canvas.song.bar_lines()) == "Am | F | Am | F | C G | % | Am | F"
    assert not wishes.asks_chords
    assert wishes.key_pull == PLANNED_KEY_PULL
    assert make_plan(bundle, canvas).playable[1:, 0].all()
    without = blank_canvas(bundle, 8, np.random.default_rng(0), harmony=False).constraints
    assert (len(without.chords), without.key_pull) == (0, CHANCE_KEY_PULL)


def test_in_a_meter_of_fives_and_sevens_too(bundle: Bundle) -> None:
    meters = (Meter(5, 8), Meter(7, 16))
    assert len(blank_canvas(bundle, 8, np.random.default_rng(0), meter=meters).constraints.chords) > 4


def test_who_joins_a_song_leans_towards_its_chords(bundle: Bundle) -> None:
    tones = {"Am": (57, 60, 64), "F": (53, 57, 60)}
    notes = [
        (0, bar * BAR + half * 960, 900, pitch, 80) for bar in range(4) for half in (0, 1)
        for pitch in tones["Am" if bar % 2 == 0 else "F"]
    ]  # fmt: skip
    song = Song.make(notes, (Part("Keys", 4),))
    canvas = accompany_canvas(bundle, song, (Part("Bass", 33),))
    assert chord_text(canvas.constraints.chords, song.bar_lines()) == "Am | F | Am | F"
    assert not canvas.constraints.asks_chords
    written = song.replace(chords=chord_rows(parse_chords("C | G"), 4, BAR))
    assert chord_text(chords_of(written), song.bar_lines()) == "C | G | C | G"
    assert not len(chords_of(song.with_notes(song.notes[:0])))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("C | C | C | C | C", "C | % | % | %"),
        ("C | G | C | G | C | G", "C | G | C | G"),
        ("Am | F | C | G | Am | F", "C | G | Am | F"),
        ("Am F | C | G | E | Am F | C | G | E7 | Am F", "C | G | E7 | Am F"),
    ],
)
def test_who_goes_on_with_a_song_goes_around_its_chords(before: str, after: str) -> None:
    bars = parse_chords(before)
    song = Song.make([(0, 0, 100, 60, 80)], (Part("Keys", 4),), length=len(bars) * BAR)
    song = song.replace(chords=chord_rows(bars, len(bars), BAR))
    lines = song.length + np.arange(5) * BAR
    assert chord_text(going_on(song, len(bars), lines), lines) == after


def test_a_continuation_leans_towards_them_and_drums_alone_have_none(bundle: Bundle) -> None:
    notes = [(0, bar * BAR, 1800, pitch, 80) for bar in range(4) for pitch in ((57, 60, 64), (53, 57, 60))[bar % 2]]
    song = Song.make(notes, (Part("Keys", 4),))
    canvas = continuation_canvas(song, 4)
    lines = canvas.song.bar_lines()
    assert chord_text(canvas.constraints.chords, lines[4:]) == "Am | F | Am | F"
    assert not canvas.constraints.asks_chords
    rising = chord_rows(parse_chords("C | D | E | F | G | A | B"), 7, BAR)
    through = Song.make([(0, 0, 100, 60, 80)], (Part("Keys", 4),), length=7 * BAR).replace(chords=rising)
    assert not len(going_on(through, 7, lines))
    assert not len(continuation_canvas(song, 4, harmony=False).constraints.chords)
    crowd = np.array([(at * 80, at % 12, 0, at % 12) for at in range(24)], CHORD)
    assert not len(continuation_canvas(song.replace(chords=crowd), 4).constraints.chords)
    beyond = np.array([(4 * BAR, 0, 0, 0)], CHORD)
    assert not len(continuation_canvas(song.replace(chords=beyond, length=5 * BAR), 4).constraints.chords)
    drums = Song.make([(0, 0, 100, 36, 80)], (Part("Drums", 0, is_drum=True),))
    assert not len(continuation_canvas(drums, 2).constraints.chords)


def test_a_bar_that_is_not_whole_steps_long_is_named_as_such(bundle: Bundle) -> None:
    with pytest.raises(InfeasibleCanvas, match="not whole steps long"):
        make_plan(bundle, blank_canvas(bundle, 8, np.random.default_rng(0), meter=Meter(11, 32)))

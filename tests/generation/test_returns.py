"""A section that is to return: where it stood is found, and the pointers lead a player there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from woodshed.bundle import load_bundle
from woodshed.codecs.past import LAGS, MATCHES, add, begin, expect, follow_back, new_past
from woodshed.codecs.past_state import ALL_VOTERS, LONG_MATCH, POINTERS
from woodshed.generation.canvas import Canvas, blank_canvas
from woodshed.generation.fill import answers
from woodshed.generation.filters import Sampling
from woodshed.generation.plan import make_plan
from woodshed.music import Meter

BAR = 48


def heard(pitches: list[int]) -> object:
    """A past of one quarter note after another, begun for the next row."""
    past = new_past(len(pitches) + 1)
    expected = np.full((6, POINTERS), -1)
    for at, pitch in enumerate(pitches):
        row = np.array([12 if at else 0, 0, pitch, 11, 20, 10])
        add(past, row, at * 12, np.array([at * 12 % BAR, at * 12 // BAR, BAR]), False, expected)
    begin(past, BAR)
    return past


def test_matches_that_are_led_back_expect_what_followed_there() -> None:
    past = heard(list(range(40, 40 + 4 * 20)))
    follow_back(past, 16 * BAR)
    expected, records = np.empty(POINTERS, np.int64), np.empty(POINTERS, np.int64)
    votes, classes = np.empty(ALL_VOTERS, np.uint64), np.empty(ALL_VOTERS, np.uint32)
    row = np.zeros(6, np.int64)
    for field, symbol in enumerate((12, 0, 40 + 4 * 4, 11, 20, 10)):
        expect(past, field, row, 0, BAR, np.zeros((0, 7), np.int64), expected, records, votes, classes)
        assert expected[LAGS : LAGS + MATCHES].tolist() == [symbol] * MATCHES
        row[field] = symbol


def test_a_match_that_is_there_already_keeps_its_record() -> None:
    past = heard([40, 41, 42, 43] * 8)
    length = past.state[0]["match_length"].copy()
    follow_back(past, BAR)
    assert past.state[0]["match_length"].tolist() == length.tolist()
    follow_back(past, 2 * BAR)
    assert past.state[0]["match_length"].tolist() == [LONG_MATCH] * MATCHES


def test_where_the_section_is_forgotten_or_silent_the_matches_stay() -> None:
    past = heard(list(range(40, 60)))
    before = past.state[0]["match_at"].copy()
    follow_back(past, 1000 * BAR)
    assert past.state[0]["match_at"].tolist() == before.tolist()


def canvas_of(tiny_bundle: Path, bars: int, *meters: Meter) -> Canvas:
    return blank_canvas(load_bundle(tiny_bundle), bars, np.random.default_rng(0), meter=meters or Meter(4, 4))


def test_bars_back_become_steps_back(tiny_bundle: Path) -> None:
    canvas = replace(canvas_of(tiny_bundle, 4), returns=(0, 0, 2, 1))
    assert make_plan(load_bundle(tiny_bundle), canvas).back.tolist() == [0, 0, 2 * BAR, BAR]


def test_a_return_from_before_the_song_or_from_another_meter_is_none(tiny_bundle: Path) -> None:
    canvas = replace(canvas_of(tiny_bundle, 6, Meter(4, 4), Meter(3, 4)), returns=(1, 1, 2, 2, 9, 9))
    assert make_plan(load_bundle(tiny_bundle), canvas).back.tolist() == [0, 0, 84, 84, 0, 0]


def test_the_form_is_that_of_a_learned_song(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    for song in bundle.style["arrangements"]:
        song["returns"] = [0] * 4 + [4] * 4
    forms = {blank_canvas(bundle, 8, np.random.default_rng(seed)).returns for seed in range(8)}
    assert forms == {(0, 0, 0, 0, 4, 4, 4, 4)}
    assert blank_canvas(bundle, 9, np.random.default_rng(0)).returns == ()


def test_with_repetition_0_a_planned_return_copies_nothing(tiny_bundle: Path) -> None:
    """What cannot be avoided is left: a pitch or part of which there is only one."""
    bundle, rng = load_bundle(tiny_bundle), np.random.default_rng(0)
    canvas = replace(canvas_of(tiny_bundle, 8), returns=(0,) * 4 + (4,) * 4)
    song = answers(bundle, canvas, Sampling(repetition=0), rng)[0].song
    where = {(n["part"], n["onset"], n["pitch"]) for n in song.notes}
    later = [cell for cell in where if cell[1] >= 4 * 1920]
    assert sum((part, onset - 4 * 1920, pitch) in where for part, onset, pitch in later) <= 0.1 * len(later)

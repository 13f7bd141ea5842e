"""Planted forms are found, loops and chance are no form, and where a song lies does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.evaluation.returns import measure_returns
from woodshed.music import Part, Song
from woodshed.music.returns import bar_similarity, find_returns

BAR = 1920
PARTS = (Part("Drums", 0, True), Part("Bass", 33), Part("Lead", 30))
Notes = list[tuple[int, int, int, int, int]]


def phrase(seed: int, bars: int = 8) -> list[Notes]:
    """Bars of chance, all over one beat of the drums."""
    chance = np.random.default_rng(seed)
    made: list[Notes] = []
    for _ in range(bars):
        notes: Notes = [(0, eighth * 240, 120, 42, 80) for eighth in range(8)]
        notes += [(1, beat * 480, 480, int(chance.integers(28, 52)), 90) for beat in range(4)]
        notes += [(2, eighth * 240, 240, int(chance.integers(60, 84)), 90) for eighth in range(8)]
        made.append(notes)
    return made


def song_of(bars: list[Notes], *, silent: int = 0, up: int = 0) -> Song:
    """The bars one after another, after so many silent ones, the pitched parts transposed."""
    notes = [
        (part, onset + (silent + at) * BAR, duration, pitch + up * (part > 0), velocity)
        for at, bar in enumerate(bars)
        for part, onset, duration, pitch, velocity in bar
    ]
    return Song.make(notes, PARTS, length=(silent + len(bars)) * BAR)


def form(letters: str, bars: int = 8) -> list[Notes]:
    """A phrase for each letter."""
    return [bar for letter in letters for bar in phrase(ord(letter), bars)]


def test_verse_and_chorus_return_from_where_they_stood() -> None:
    song = song_of(form("ABABCB"))
    measured = measure_returns(song)
    assert find_returns(song).tolist() == [0] * 16 + [16] * 16 + [0] * 8 + [16] * 8
    assert (measured.bars, measured.returns, measured.distance) == (48, 2, 16.0)
    assert measured.returned == pytest.approx(24 / 48)
    assert (measured.looped, measured.new) == (0.0, pytest.approx(24 / 48))


def test_in_aaba_the_second_a_loops_and_the_last_returns() -> None:
    measured = measure_returns(song_of(form("AABA")))
    assert measured.returned == pytest.approx(8 / 32)
    assert measured.looped == pytest.approx(8 / 32)
    assert measured.longest_loop == 8
    assert measured.new == pytest.approx(16 / 32)


def test_a_return_that_loops_within_itself_is_both() -> None:
    measured = measure_returns(song_of(form("AABBAA", 4) + form("C")))
    assert measured.returned == pytest.approx(8 / 32)
    assert measured.looped == pytest.approx(12 / 32)
    assert measured.distance == 16.0


@pytest.mark.parametrize("period", range(1, 9))
def test_a_loop_has_no_returns_however_long_it_goes_on(period: int) -> None:
    measured = measure_returns(song_of((form("A") * 8)[:period] * (64 // period)))
    assert (measured.returned, measured.returns, measured.distance) == (0.0, 0, 0.0)
    assert measured.looped == pytest.approx((measured.bars - period) / measured.bars)
    assert measured.longest_loop == measured.bars - period


def test_a_loop_with_a_fill_now_and_then_has_no_returns() -> None:
    bars = [bar for at in range(16) for bar in (*phrase(1, 3), phrase(50 + at, 1)[0])]
    assert measure_returns(song_of(bars)).returned == 0.0


@given(st.integers(0, 1000))
def test_chance_neither_returns_nor_loops(seed: int) -> None:
    measured = measure_returns(song_of(phrase(seed, 64)))
    assert (measured.returned, measured.looped, measured.new) == (0.0, 0.0, 1.0)


def test_a_varied_return_is_found_until_too_much_is_varied() -> None:
    bars = form("ABCA")

    def vary(every: int) -> list[Notes]:
        """Every so many notes of the bass and lead are another."""
        changed = [[(*note[:3], note[3] + (note[0] > 0 and at % every == 0), note[4]) for at, note in enumerate(bar)]
                   for bar in bars[24:]]  # fmt: skip
        return bars[:24] + changed

    assert measure_returns(song_of(vary(6))).returned == pytest.approx(8 / 32)
    assert measure_returns(song_of(vary(2))).returned == 0.0


def test_what_returns_without_a_contrast_in_between_does_not_count() -> None:
    """Each eight bars vary a third of the notes of the eight before: all are kin, though not alike."""
    kin = [[(*note[:3], note[3] + (at % 3 == turn) * (note[0] > 0), note[4]) for at, note in enumerate(bar)]
           for turn in (3, 0, 1, 3) for bar in phrase(7)]  # fmt: skip
    assert measure_returns(song_of(kin)).returned == 0.0


@given(st.integers(0, 7), st.integers(-5, 5), st.text("ABC", min_size=1, max_size=8))
def test_transposing_and_moving_by_whole_bars_changes_nothing(silent: int, up: int, letters: str) -> None:
    bars = form(letters)
    moved = song_of(bars, silent=silent, up=up)
    here, there = measure_returns(song_of(bars)).as_dict(), measure_returns(moved).as_dict()
    for name in ("bars", "returned", "returns", "distance", "looped", "longest_loop", "new"):
        assert here[name] == there[name], name
    assert find_returns(moved).tolist() == [0] * silent + find_returns(song_of(bars)).tolist()


def test_a_song_of_drums_alone_is_judged_by_them() -> None:
    def beats(seed: int) -> list[Notes]:
        chance = np.random.default_rng(seed)
        return [[(0, int(s) * 120, 60, int(chance.integers(35, 60)), 90) for s in range(16)] for _ in range(8)]

    assert measure_returns(song_of(beats(1) + beats(2) + beats(3) + beats(1))).returned == pytest.approx(8 / 32)


def test_drums_that_go_on_do_not_hide_a_contrast() -> None:
    """Two notes in three are drums, the same throughout."""
    busy = [[*bar, *((0, s * 120, 60, pitch, 90) for s in range(16) for pitch in (36, 38))] for bar in form("ABA")]
    assert measure_returns(song_of(busy)).returned == pytest.approx(8 / 24)


def test_a_song_without_notes_and_one_too_short_have_nothing() -> None:
    assert set(measure_returns(Song.make([], PARTS, length=8 * BAR)).as_dict().values()) == {0}
    assert measure_returns(song_of(phrase(1, 3))).new == 1.0


def test_bars_are_compared_with_the_fuller_one() -> None:
    bars = [[(2, beat * 480, 240, 60, 90) for beat in range(count)] for count in (4, 2, 0, 4)]
    assert bar_similarity(song_of(bars)).round(3).tolist() == [
        [1, 0.5, 0, 1], [0.5, 1, 0, 0.5], [0, 0, 0, 0], [1, 0.5, 0, 1]
    ]  # fmt: skip

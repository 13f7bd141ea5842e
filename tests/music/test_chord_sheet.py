"""Typed chords: bars, shares of a bar, what repeats and what is silent; they come back as they were typed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import OutOfRange, UnknownName
from woodshed.music import NO_CHORD, QUALITY_NAMES, Chord
from woodshed.music.chord_sheet import chord_rows, chord_text, chord_tones, chords_at, distinct, parse_chords

CHORDS = st.one_of(
    st.none(),
    st.builds(Chord, st.integers(0, 11), st.sampled_from(QUALITY_NAMES), st.one_of(st.none(), st.integers(0, 11))),
)


def names(text: str) -> list[list[str]]:
    return [[str(chord) for chord in bar] for bar in parse_chords(text)]


def test_without_lines_each_chord_is_a_bar_and_between_lines_they_share_it() -> None:
    assert names("Am F, C G") == [["Am"], ["F"], ["C"], ["G"]]
    assert names("| Am F | C/E | % | N.C. |") == [["Am", "F"], ["C/E"], ["C/E"], ["None"]]


def test_bars_are_repeated_until_there_are_enough_and_shared_evenly() -> None:
    rows = chord_rows(parse_chords("Am F | C"), 3, 1920)
    assert rows["onset"].tolist() == [0, 960, 1920, 3840, 4800]
    assert rows["root"].tolist() == [9, 5, 0, 9, 5]


@given(st.lists(st.lists(CHORDS, min_size=1, max_size=4), min_size=1, max_size=6))
def test_chords_come_back_as_they_were_typed(bars: list[list[Chord | None]]) -> None:
    bars[0][0] = bars[0][0] or Chord(0)
    text = " | ".join(" ".join("N.C." if chord is None else str(chord) for chord in bar) for bar in bars) + " |"
    rows = chord_rows(parse_chords(text), len(bars), 1920)
    again = chord_text(rows, np.arange(len(bars) + 1) * 1920)
    ticks = np.arange(0, len(bars) * 1920, 160)
    back = chord_rows(parse_chords(again + " |"), len(bars), 1920)
    if all(len(set(map(str, bar))) == len(bar) for bar in bars):  # equal neighbours become one, which is another share
        for name in ("root", "quality", "bass"):
            assert np.array_equal(rows[chords_at(rows, ticks)][name], back[chords_at(back, ticks)][name])


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("Am H7", UnknownName, "bar 2: chord 'H7' cannot be read; write a root A-G, then nothing or one of m, 7"),
        ("C | Am foo | G", UnknownName, "bar 2: chord 'foo'"),
        ("", UnknownName, "no chord is named; try 'Am F C G'"),
        ("N.C. | nc", UnknownName, "no chord is named"),
        ("% C", UnknownName, "begin with %"),
        ("C |" + " G" * 17, OutOfRange, "bar 2 has 17 chords, more than 16"),
    ],
)
def test_what_is_no_chord_is_refused_with_its_bar_and_what_would_do(
    text: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        parse_chords(text)


def test_tones_are_those_of_the_chord_and_none_where_none_sounds() -> None:
    rows = chord_rows(parse_chords("Am | N.C. | G7/B"), 3, 1920)
    tones = chord_tones(rows)
    assert [np.flatnonzero(row).tolist() for row in tones] == [[0, 4, 9], [], [2, 5, 7, 11]]
    assert rows["root"].tolist() == [9, NO_CHORD, 7]
    assert chords_at(rows[1:], np.array([0, 1920, 5000])).tolist() == [-1, 0, 1]


def test_of_two_chords_at_one_place_the_last_counts_and_what_says_the_same_again_goes() -> None:
    rows = chord_rows(parse_chords("C C | G"), 4, 1920)
    assert rows["root"].tolist() == [0, 7, 0, 7]
    twice = np.concatenate((rows[:1], rows))
    assert np.array_equal(distinct(twice), rows)

"""Form: the same music bears the same letter."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.music import Part, Song
from woodshed.music.form import Section, find_form

BAR = 1920
PARTS = [Part("Drums", 0, True), Part("Bass", 33)]
ROOTS = {"a": (40, 43, 45, 40), "b": (41, 41, 46, 46), "c": (39, 37, 44, 42)}


def song(plan: str, lead_in: int = 0) -> Song:
    """Four bars for each letter: eighths of a bass, and drums in "b" alone; ``lead_in`` silent bars before."""
    notes = []
    for block, letter in enumerate(plan):
        for bar, root in enumerate(ROOTS[letter]):
            start = (lead_in + 4 * block + bar) * BAR
            notes += [(1, start + 240 * place, 240, root, 90) for place in range(8)]
            if letter == "b":
                notes += [(0, start + 480 * beat, 120, 36, 100) for beat in range(4)]
    return Song.make(notes, PARTS, meters=[(0, 4, 4)])


def test_verse_and_chorus_are_told_apart_and_found_again() -> None:
    assert find_form(song("abac")) == (
        Section("A", 1, 4), Section("B", 5, 8), Section("A", 9, 12), Section("C", 13, 16),
    )  # fmt: skip


def test_neighbours_that_are_alike_are_one_section() -> None:
    assert [(section.name, section.bars) for section in find_form(song("aabba"))] == [("A", 8), ("B", 8), ("A", 4)]


def test_silence_before_the_first_note_is_no_section() -> None:
    assert find_form(song("ab", lead_in=2))[0] == Section("A", 3, 6)
    assert find_form(Song()) == ()


def test_a_last_block_that_is_cut_short_is_still_known() -> None:
    whole = song("aba")
    cut = whole.slice(0, 10 * BAR)
    assert [(section.name, section.last) for section in find_form(cut)] == [("A", 4), ("B", 8), ("A", 10)]


@pytest.mark.parametrize("bars", [1, 5, 3000])
def test_sections_cover_all_bars_in_order(bars: int) -> None:
    roots = np.random.default_rng(bars).integers(30, 60, bars).tolist()
    notes = [(1, bar * BAR, BAR, root, 90) for bar, root in enumerate(roots)]
    form = find_form(Song.make(notes, PARTS, meters=[(0, 4, 4)]))
    assert [section.first for section in form] == [1, *(section.last + 1 for section in form[:-1])]
    assert form[-1].last == bars

"""A plain copy is one copy, in however many parts; what is a song's own parts two."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator

from woodshed.corpus.passage_copies import PAUSE, gather, passed_over
from woodshed.corpus.passage_lines import UNITS_PER_QUARTER
from woodshed.corpus.passages import Found, IndexedSong, PassageIndex
from woodshed.music import Part, Song
from woodshed.music.units import TICKS_PER_QUARTER

BAND = (Part("Lead", 30), Part("Rhythm", 27), Part("Bass", 33), Part("Drums", 0, True))
BAR = 4 * TICKS_PER_QUARTER
DRUMS = (36, 38, 41, 43, 45, 47, 42, 46, 49, 51)

Rows = list[tuple[int, ...]]


def bars(chance: Generator, first: int, count: int, parts: tuple[int, ...] = (0, 1, 2, 3)) -> Rows:
    """Some bars of a band that never repeats itself: eighths, sixteenths and rests."""
    rows: Rows = []
    for part in parts:
        steps = np.flatnonzero(chance.random(16 * count) < 0.5)
        pitches = chance.choice(DRUMS, len(steps)) if part == 3 else 40 + 8 * part + chance.integers(0, 15, len(steps))
        rows += [(part, first * BAR + 120 * int(s), 100, int(p), 90) for s, p in zip(steps, pitches, strict=True)]
    return rows


def moved(rows: Rows, by: int = 0, higher: int = 0, factor: float = 1.0) -> Rows:
    """Some bars later and slower; pitched parts higher."""
    return [
        (part, int(onset * factor) + by * BAR, 100, pitch + higher * (part != 3), 90)
        for part, onset, _, pitch, _ in rows
    ]


def found(song: Rows, *sources: Rows) -> Found:
    known = [(IndexedSong(str(number), ""), Song.make(rows, BAND)) for number, rows in enumerate(sources)]
    return PassageIndex.build(known).find(Song.make(song, BAND))


@pytest.mark.parametrize(("higher", "factor"), [(0, 1.0), (5, 1.0), (-3, 2.0), (2, 0.5)], ids=str)
def test_bars_of_a_whole_band_are_one_copy(higher: int, factor: float) -> None:
    chance = np.random.default_rng(0)
    others = [bars(np.random.default_rng(seed), 0, 20) for seed in (1, 2)]
    source = bars(chance, 0, 24)
    cut = [row for row in source if 4 * BAR <= row[1] < 12 * BAR]
    song = moved(cut, -4 if factor == 1.0 else 0, higher, factor)
    result = found(song, *others, source)
    (copy,) = result.copies
    assert {one.part for one in copy.passages} == {0, 1, 2, 3}
    assert (len(copy.notes), copy.altered, copy.semitones) == (len(song), 0, higher)
    assert {one.source for one in copy.passages} == {2}
    assert (result.source == 2).all()
    notes = Song.make(source, BAND).notes[copy.source_notes]
    assert (notes["onset"].min() // BAR, notes["onset"].max() // BAR) == (4, 11)


def test_a_source_that_repeats_a_section_is_told_once() -> None:
    verse, chorus = (bars(np.random.default_rng(seed), 0, 4) for seed in (0, 1))
    source = [*verse, *moved(chorus, 4), *moved(verse, 8), *moved(chorus, 12), *moved(chorus, 16)]
    (copy,) = found(source, source).copies
    assert (len(copy.notes), copy.altered) == (len(source), 0)


def test_what_is_told_already_is_not_told_again_for_a_few_notes_more() -> None:
    """The song plays after a riff what its source plays after it only the second time."""
    riff, rest = bars(np.random.default_rng(0), 0, 2, (1,)), bars(np.random.default_rng(1), 0, 30, (0, 2, 3))
    ending: Rows = [(1, 2 * BAR + 240 * step, 100, 50, 90) for step in range(6)]
    source = [*riff, *moved(riff, 10), *moved(ending, 10), *rest]
    song = [*riff, *ending, *moved(riff, 10), *moved(ending, 10), *rest]
    result = found(song, source)
    (copy,) = result.copies
    assert len(copy.notes) == len(source)
    assert (result.length > 0).all()
    assert (result.source == 0).all()


@pytest.mark.parametrize(("own", "copies"), [(1, 1), (3, 2)])
def test_bars_of_its_own_part_two_copies(own: int, copies: int) -> None:
    source = bars(np.random.default_rng(0), 0, 12)
    kept = [row for row in source if not 4 * BAR <= row[1] < (4 + own) * BAR]
    song = [*kept, *bars(np.random.default_rng(1), 4, own)]
    result = found(song, source)
    assert len(result.copies) == copies
    assert sum(len(copy.notes) for copy in result.copies) == len(kept)


def test_two_sources_two_keys_and_two_speeds_are_copies_of_their_own() -> None:
    first, second = (bars(np.random.default_rng(seed), 0, 6) for seed in (0, 1))
    song = [*first, *moved(second, 6), *moved(first, 12, 4), *moved(second, 18, 0, 2.0)]
    told = [
        (copy.passages[0].source, copy.semitones, copy.passages[0].rate) for copy in found(song, first, second).copies
    ]
    assert sorted(told) == [(0, 0, 1.0), (0, 4, 1.0), (1, 0, 0.5), (1, 0, 1.0)]


def test_drums_alone_are_a_copy_too() -> None:
    source = bars(np.random.default_rng(0), 0, 12)
    drums = [row for row in source if row[0] == 3]
    (copy,) = found([*drums, *bars(np.random.default_rng(1), 0, 12, (0, 1, 2))], source).copies
    assert ({one.part for one in copy.passages}, copy.semitones, len(copy.notes)) == ({3}, 0, len(drums))


def test_an_altered_note_that_two_lines_pass_over_counts_once() -> None:
    source = bars(np.random.default_rng(0), 0, 8, (0, 1))
    changed = [(p, on, length, pitch + (number == 20), v) for number, (p, on, length, pitch, v) in enumerate(source)]
    (copy,) = found(changed, source).copies
    assert (len(copy.notes), copy.altered) == (len(source) - 1, 1)
    line, pair = np.array([[0, 0], [2, 2]]), np.array([[3, 3], [5, 5]])
    notes = np.array([7, 8, 9, 7, 8, 9])
    assert passed_over([line, pair], notes, notes) == 1
    assert passed_over([line, np.array([[3, 3], [4, 4], [5, 5]])], notes, notes) == 0


def test_passages_meet_where_the_clocks_agree() -> None:
    """Two passages a pause apart, or a little more; or a sixteenth off."""

    def together(begin: int, late: int = 0, higher: int = 0, is_drum: bool = False) -> bool:
        zero = np.zeros(2, np.int64)
        here = np.array([0, begin])
        copy = gather(
            zero, zero + 5, np.array([0, higher]), np.array([False, is_drum]), zero + 20, here,
            here + np.array([0, late]), here, here + 100,
        )  # fmt: skip
        return bool(copy[0] == copy[1])

    assert together(100 + PAUSE)
    assert not together(101 + PAUSE)
    assert together(50, late=3)
    assert not together(50, late=UNITS_PER_QUARTER // 4)
    assert not together(50, higher=2)
    assert together(50, higher=2, is_drum=True)


def test_of_no_passage_there_is_no_copy() -> None:
    empty = np.zeros(0, np.int64)
    assert len(gather(empty, empty, empty, np.zeros(0, bool), empty, empty, empty, empty, empty)) == 0

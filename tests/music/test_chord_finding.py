"""Chord finding: plain chords are named, half bars are where they should be, and anything may be asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from woodshed.music import NO_CHORD, QUALITY_NAMES, Chord, Part, Song
from woodshed.music.chord_finding import FOUND_QUALITIES, find_chords, half_bars
from woodshed.music.key_finding import smooth

PIANO, BASS, DRUMS = Part("Piano"), Part("Bass", 33), Part("Drums", is_drum=True)


def played(symbols: list[str], ticks: int = 960, **rest: object) -> Song:
    """Each chord in block harmony over its bass, ``ticks`` long; "-" is silence."""
    rows = []
    for index, symbol in enumerate(symbols):
        if symbol == "-":
            continue
        chord = Chord.parse(symbol)
        bass = chord.root if chord.bass is None else chord.bass
        rows += [(0, index * ticks, ticks, 60 + tone, 90) for tone in chord.pitch_classes]
        rows += [(1, index * ticks, ticks, 36 + bass, 90)]
    return Song.make(rows, [PIANO, BASS, DRUMS], length=len(symbols) * ticks, **rest)


def named(song: Song) -> list[tuple[int, str]]:
    """(onset, symbol) of every chord found."""
    return [
        (int(row["onset"]), "-" if row["root"] == NO_CHORD else
         str(Chord(int(row["root"]), QUALITY_NAMES[row["quality"]], int(row["bass"]))))
        for row in find_chords(song)
    ]  # fmt: skip


def test_a_chord_in_every_half_bar_is_named() -> None:
    assert named(played(["C", "Am", "F", "G7"])) == [(0, "C"), (960, "Am"), (1920, "F"), (2880, "G7")]


@pytest.mark.parametrize("shift", range(12))
@pytest.mark.parametrize("quality", ["", "m", "7", "maj7", "m7", "dim"])
def test_every_root_is_found_in_every_common_quality(quality: str, shift: int) -> None:
    found = find_chords(played([f"C{quality}"]).transpose(shift))
    assert [(int(row["root"]), QUALITY_NAMES[row["quality"]]) for row in found] == [(shift, quality)]


def test_equal_neighbours_are_one_row() -> None:
    assert named(played(["C", "C", "C", "F"])) == [(0, "C"), (2880, "F")]


def test_the_lowest_note_is_the_bass_of_an_inversion() -> None:
    assert named(played(["C", "C/E", "F", "C/G"])) == [(0, "C"), (960, "C/E"), (1920, "F"), (2880, "C/G")]


def test_a_distorted_riff_of_bare_fifths_is_power_chords() -> None:
    rows = [(0, bar * 960, 960, pitch + root, 100) for bar, root in enumerate((0, 3, 5)) for pitch in (40, 47, 52)]
    assert named(Song.make(rows, [PIANO])) == [(0, "E5"), (960, "G5"), (1920, "A5")]


def test_where_nothing_sounds_there_is_no_chord() -> None:
    assert named(played(["-", "C", "-", "-", "-", "F"])) == [(0, "-"), (960, "C"), (1920, "-"), (4800, "F")]


def test_drums_are_left_out() -> None:
    plain = played(["C", "Am", "F", "G"])
    beat = np.array([(2, i * 240, 240, 38 + i % 3, 120) for i in range(16)], plain.notes.dtype)
    assert named(plain.with_notes(np.concatenate((plain.notes, beat)))) == named(plain)


@pytest.mark.parametrize(
    "song", [Song(), Song(length=1920), Song.make([(0, 0, 480, 36, 100)], [Part(is_drum=True)], length=96000)]
)
def test_a_song_without_tones_has_no_rows(song: Song) -> None:
    assert find_chords(song).tolist() == []


def test_passing_notes_do_not_change_the_chord() -> None:
    rows = [(1, 0, 3840, 36, 90)] + [(0, 0, 3840, pitch, 90) for pitch in (60, 64, 67)]
    rows += [(0, i * 240, 240, pitch, 70) for i, pitch in enumerate((72, 74, 76, 77, 79, 77, 76, 74) * 2)]
    assert named(Song.make(rows, [PIANO, BASS])) == [(0, "C")]


@pytest.mark.parametrize(
    ("meter", "lines"),
    [
        ((4, 4), [0, 960, 1920]), ((2, 2), [0, 960, 1920]), ((6, 8), [0, 720, 1440]), ((12, 8), [0, 1440, 2880]),
        ((3, 4), [0, 1440]), ((5, 4), [0, 2400]), ((7, 8), [0, 1680]),
    ],
)  # fmt: skip
def test_bars_of_even_beats_are_halved_and_others_stay_whole(meter: tuple[int, int], lines: list[int]) -> None:
    assert half_bars(Song(meters=np.array([(0, *meter)], Song().meters.dtype), length=lines[-1])).tolist() == lines


def test_half_bars_follow_a_change_of_meter() -> None:
    song = Song.make([(0, 0, 3360, 60, 90)], [PIANO], meters=[(0, 4, 4), (1920, 3, 4)])
    assert half_bars(song).tolist() == [0, 960, 1920, 3360]


def test_a_note_of_hours_costs_no_more_than_a_short_one() -> None:
    song = Song.make([(0, 0, 2_000_000_000, 48, 90), (0, 0, 2_000_000_000, 52, 90), (0, 480, 10, 55, 90)], [PIANO])
    found = find_chords(song)
    assert found["root"][-1] == 0


def test_more_bars_than_music_has_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("woodshed.music.chord_finding.MOST_BARS", 10)
    song = Song.make([(0, 0, 1920 * 100, 60, 90)], [PIANO])
    lines = half_bars(song)
    assert len(lines) <= 12
    assert (lines[0], lines[-1]) == (0, song.length)
    assert len(find_chords(song)) == 1


def test_chords_found_are_rows_that_a_song_takes() -> None:
    song = played(["Dm", "G", "C", "-"])
    assert song.replace(chords=find_chords(song)).chords["root"].tolist() == [2, 7, 0, NO_CHORD]


def test_the_smoother_finds_the_best_path_that_trying_all_paths_finds() -> None:
    scores, cost = np.random.default_rng(3).normal(size=(6, 3)), 0.7
    paths = np.array(np.meshgrid(*[range(3)] * 6)).reshape(6, -1).T
    worth = scores[np.arange(6), paths].sum(axis=1) - cost * (np.diff(paths, axis=1) != 0).sum(axis=1)
    assert smooth(scores, cost).tolist() == paths[worth.argmax()].tolist()


notes = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 20000), st.integers(1, 5000), st.integers(0, 127), st.integers(1, 127)),
    max_size=40,
)
meters = st.lists(
    st.tuples(st.integers(0, 15000), st.integers(1, 12), st.sampled_from([1, 2, 4, 8, 16, 32])), max_size=3
)


@given(notes, meters)
@settings(max_examples=80, deadline=None)
def test_any_song_gets_sorted_distinct_chords_and_silence_only_where_it_is_silent(
    rows: list[tuple[int, ...]], changes: list[tuple[int, int, int]]
) -> None:
    song = Song.make(rows, [PIANO, DRUMS], meters=changes)
    found = find_chords(song)
    assert (np.diff(found["onset"]) > 0).all()
    assert set(found["quality"].tolist()) <= {QUALITY_NAMES.index(name) for name in FOUND_QUALITIES}
    song.replace(chords=found)  # a song takes them
    tones = song.notes[song.notes["part"] == 0]
    assert (len(found) > 0) == (len(tones) > 0)
    ends = [*found["onset"][1:], song.length] if len(found) else []
    for row, end in zip(found, ends, strict=True):
        sounding = (tones["onset"] < end) & (tones["onset"].astype(np.int64) + tones["duration"] > row["onset"])
        assert sounding.any() == (row["root"] != NO_CHORD)

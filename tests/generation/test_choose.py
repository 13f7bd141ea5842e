"""Choosing among answers: each fault is seen, and of equals the first is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from woodshed.generation.canvas import Canvas, Constraints, Opening
from woodshed.generation.choose import Faults, _expected_density, best_of, faults, open_notes, ranked
from woodshed.music import Key, Part, Song

PARTS = [Part("Drums", 0, True), Part("Bass", 33)]
BARS = 4
STYLE = {
    "notes_per_bar": 16.0,
    "instruments": {"128": {"notes": 800, "songs": 10}, "33": {"notes": 800, "songs": 10}},
    "arrangements": [{}] * 10,
}


def play(bars: int = BARS, bass: bool = True, pitches: tuple[int, ...] = (40, 43, 45, 47, 48)) -> Song:
    """Eight drum and eight bass notes a bar, in ``bars`` of four bars."""
    notes = [(0, 240 * place, 120, 42, 80) for place in range(8 * bars)]
    if bass:
        notes += [(1, 240 * place, 240, pitches[place % len(pitches)], 80) for place in range(8 * bars)]
    return Song.make(notes, PARTS, meters=[(0, 4, 4)], length=BARS * 1920)


def canvas(open_from: int = 0) -> Canvas:
    return Canvas(Song(parts=tuple(PARTS), length=BARS * 1920), open_from, (0, 1))


def test_full_music_has_no_fault() -> None:
    assert faults(play(), canvas(), STYLE) == Faults()


def test_a_silent_part_is_worse_than_anything_dull() -> None:
    assert faults(play(bass=False), canvas(), STYLE).silent == 0.5
    assert best_of([play(bass=False), play(pitches=(40,))], canvas(), STYLE) == 1


def test_a_part_that_is_hardly_heard_is_as_good_as_silent() -> None:
    faint = play()
    notes = faint.notes.copy()
    notes["velocity"][notes["part"] == 1] = 12
    faint = faint.with_notes(notes)
    assert faults(faint, canvas(), STYLE).silent == 0.5
    softly = replace(canvas(), constraints=Constraints(levels={"velocity": (0,)}))
    assert faults(faint, softly, STYLE).silent == 0
    assert best_of([faint, play(pitches=(40,))], canvas(), STYLE) == 1


def test_empty_bars_are_counted() -> None:
    assert faults(play(bars=1), canvas(), STYLE).empty == 0.75
    nothing = faults(Song(parts=tuple(PARTS), length=BARS * 1920), canvas(), STYLE)
    assert (nothing.silent, nothing.empty) == (1.0, 1.0)


def test_a_long_held_note_leaves_no_bar_empty() -> None:
    song = Song.make([(0, 0, 120, 36, 90), (1, 0, BARS * 1920, 40, 90)], PARTS, length=BARS * 1920)
    assert faults(song, canvas(), STYLE).empty == 0


def test_a_drone_is_a_run_longer_than_two_bars_of_sixteenths() -> None:
    def line(notes: int) -> Song:
        return Song.make([(1, 60 * place, 60, 40, 80) for place in range(notes)], PARTS, length=BARS * 1920)

    assert faults(line(32), canvas(), STYLE).drone == 0
    assert faults(line(33), canvas(), STYLE).drone == 1


def test_drums_may_repeat_one_pitch() -> None:
    song = Song.make([(0, 60 * place, 60, 42, 80) for place in range(100)], PARTS, length=BARS * 1920)
    assert faults(song, canvas(), STYLE).drone == 0


def test_bars_that_all_repeat_are_stuck() -> None:
    assert faults(play(pitches=(40, 43)), canvas(), STYLE).stuck == 1
    assert faults(play(), canvas(), STYLE).stuck == 0


def test_density_counts_octaves_beyond_half_of_one() -> None:
    sparse = {**STYLE, "notes_per_bar": 64.0}
    assert faults(play(), canvas(), sparse).density == pytest.approx(1.5)
    assert faults(play(), canvas(), {}).density == 0


def test_density_is_expected_only_of_the_parts_that_are_open() -> None:
    drums = Canvas(Song(parts=tuple(PARTS), length=BARS * 1920), 0, (0,))
    assert faults(play(bass=False), drums, STYLE) == Faults()


def test_only_the_open_bars_are_judged() -> None:
    late = Song.make(
        [(part, 5760 + 240 * place, 120, 40 + 3 * (place % 3), 80) for part in (0, 1) for place in range(8)],
        PARTS,
        length=BARS * 1920,
    )
    assert faults(late, canvas(open_from=5760), STYLE).total == 0
    assert faults(late, canvas(), STYLE).empty == 0.75


def test_of_equals_the_first_is_kept() -> None:
    assert best_of([play(bars=1), play(), play()], canvas(), STYLE) == 1


def test_songs_of_one_instrument_each_tell_how_dense_it_is() -> None:
    """A hundred flute songs and three hundred piano songs: a flute is expected to play as much as a song has."""
    instruments = {"73": {"notes": 5000, "songs": 100}, "0": {"notes": 15_000, "songs": 300}}
    style = {"notes_per_bar": 4.0, "songs": 400, "arrangements": [{}] * 64, "instruments": instruments}
    song = Song(parts=(Part("Flute", 73),), length=8 * 1920)
    assert _expected_density(song, Canvas(song, 0, (0,)), style) == pytest.approx(4.0)


def test_of_several_the_likeliest_comes_first_and_copies_of_it_last() -> None:
    songs = [play(pitches=(50, 52, 53, 55, 57)), play(), play(), play(pitches=(28, 31, 33, 35, 36))]
    blanks = [canvas()] * 4
    order = ranked(songs, [0.9, 0.2, 0.3, 1.0], blanks, STYLE, 4)
    assert order[0] == 1
    assert order[3] == 2  # note for note the first
    assert ranked(songs, [0.9, 0.2, 0.3, 1.0], blanks, STYLE, 1) == [0]  # of equals the first


def test_what_has_more_faults_than_most_is_not_kept() -> None:
    songs = [play(bass=False), play(), play(pitches=(28, 31, 33, 35, 36)), play(bass=False)]
    assert sorted(ranked(songs, [0.1, 2.0, 2.0, 0.1], [canvas()] * 4, STYLE, 2)) == [1, 2]


def test_only_what_was_open_is_judged() -> None:
    opened = Canvas(play(), openings=(Opening(1, 1920, 3840),))
    notes = open_notes(play(), opened)
    assert set(notes["part"].tolist()) == {1}
    assert (notes["onset"].min(), notes["onset"].max()) == (1920, 3600)
    assert faults(play(), opened, STYLE) == Faults()
    silent = play().replace(notes=play().notes[play().notes["part"] == 0])
    assert faults(silent, opened, STYLE).silent == 1.0  # though its drums play


def test_answers_nearer_to_the_levels_that_are_asked_for_are_better() -> None:
    asked = Constraints(levels={"density": (2, None, None, None)})  # 2-3 notes in the first bar
    blank = Canvas(Song(parts=tuple(PARTS), length=BARS * 1920), 0, (0, 1), asked)
    full = play()
    kept = (full.notes["onset"] >= 1920) | (full.notes["onset"] % 960 == 0) & (full.notes["part"] == 0)
    sparse = full.replace(notes=full.notes[kept])
    assert faults(full, blank, STYLE).unasked == 5  # level 7: sixteen notes
    assert faults(sparse, blank, STYLE).unasked == 0
    assert best_of([full, sparse], blank, STYLE) == 1
    assert best_of([full, sparse], canvas(), STYLE) == 0


def test_bars_in_which_a_part_is_away_are_a_fault_and_more_so_of_a_bass() -> None:
    half = play().replace(notes=play().notes[(play().notes["part"] == 0) | (play().notes["onset"] < 2 * 1920)])
    assert faults(half, canvas(), STYLE).absent == pytest.approx((1 / 2 - 1 / 4) / (3 / 4) / 2)
    three = [*PARTS, Part("Guitar", 30)]
    song = half.replace(parts=tuple(three))
    asked = Canvas(Song(parts=tuple(three), length=BARS * 1920), 0, (0, 1, 2))
    assert faults(song, asked, STYLE).absent == pytest.approx((2 * (1 / 3) + 1) / 5)
    late = Canvas(Song(parts=tuple(PARTS), length=BARS * 1920), openings=(Opening(0, 0, 7680), Opening(1, 0, 3840)))
    assert faults(half, late, STYLE).absent == 0  # it is away where it has nothing to play


def test_drums_without_a_backbeat_are_a_fault_where_the_learned_songs_have_one() -> None:
    drums = np.flatnonzero(play().notes["part"] == 0)
    song = play()
    notes = song.notes.copy()
    notes["pitch"][drums] = np.where(notes["onset"][drums] % 960 == 480, 38, 36)
    answered = song.replace(notes=notes)
    assert faults(song, canvas(), {**STYLE, "backbeat": 0.6}).backbeat == pytest.approx(0.6)
    assert faults(answered, canvas(), {**STYLE, "backbeat": 0.6}).backbeat == 0
    assert faults(song, canvas(), STYLE).backbeat == 0
    assert best_of([song, answered], canvas(), {**STYLE, "backbeat": 0.6}) == 1


def test_drums_without_a_kick_or_a_snare_that_the_learned_song_has_are_a_fault() -> None:
    drums = np.flatnonzero(play().notes["part"] == 0)

    def fault(pitch: object, strokes: dict[int, tuple[int, ...]]) -> float:
        notes = play().notes.copy()
        notes["pitch"][drums] = pitch
        return faults(play().replace(notes=notes), replace(canvas(), strokes=strokes), STYLE).backbeat

    every = tuple(range(48))
    assert fault(42, {36: every, 38: every, 42: every}) == 1
    assert fault(36, {36: every, 38: every, 42: every}) == 0.5
    assert fault(40, {35: every, 38: every}) == 0.5
    assert fault(42, {42: every}) == 0


def test_so_they_are_where_new_drums_join_music_and_drums_that_are_there_are_not_looked_at() -> None:
    tune = [(2, at * 480, 400, 60, 80) for at in range(16)]
    flat = [(0, at * 480, 100, 36, 80) for at in range(16)]
    beat = [(1, at * 480, 100, 38 if at % 2 else 36, 80) for at in range(16)]
    parts = (Part("Kit", 0, True), Part("New kit", 0, True), Part("Keys", 4))
    given = Song.make([*tune, *flat], parts, length=4 * 1920)
    joined = Canvas(given, 0, (1,))
    style = {**STYLE, "backbeat": 0.6}
    for new, fault in ((beat, 0.0), ([(1, *row[1:]) for row in flat], 0.6)):
        song = Song.make([*tune, *flat, *new], parts, length=4 * 1920)
        assert faults(song, joined, style).backbeat == pytest.approx(fault)
        assert faults(song, Canvas(given, 1920, (0,)), style).backbeat == 0


def test_parts_that_an_answer_leaves_out_are_away() -> None:
    alone = Song.make([(0, 240 * place, 120, 42, 80) for place in range(8 * BARS)], PARTS[:1], length=BARS * 1920)
    assert faults(alone, canvas(), STYLE).absent == pytest.approx(0.5)


def test_silence_is_as_far_from_what_is_asked_as_anything() -> None:
    asked = replace(canvas(), constraints=Constraints(levels={"density": (7,) * BARS}))
    silent = Song(parts=tuple(PARTS), length=BARS * 1920)
    assert faults(silent, asked, STYLE).unasked == 7
    assert best_of([silent, play()], asked, STYLE) == 1


def line(roots: list[int], interval: int = 7) -> tuple[Song, Canvas]:
    """A bar of whole notes on each root, and another above it."""
    notes = [(1, 1920 * bar, 1920, root + more, 80) for bar, root in enumerate(roots) for more in (0, interval)]
    length = 1920 * len(roots)
    return Song.make(notes, PARTS, length=length), Canvas(Song(parts=tuple(PARTS), length=length), 0, (1,))


def test_a_bottom_that_never_moves_is_a_fault() -> None:
    assert faults(*line([40] * 8), {}).still == 1
    assert faults(*line([40] * 7 + [45]), {}).still == pytest.approx(0.5)
    assert faults(*line([40, 45] * 4), {}).still == 0
    assert faults(*line([40] * 4), {}).still == 0


def test_a_bottom_that_is_not_at_home_in_the_key_that_was_asked_for_is_a_fault() -> None:
    song, opened = line([40] * 4 + [43] * 5 + [45])
    asked = replace(opened, constraints=Constraints(key=Key.parse("E minor")))
    assert faults(song, asked, {}).away == pytest.approx(0.1)
    assert faults(song, replace(asked, constraints=Constraints(key=Key.parse("G major"))), {}).away == 0
    assert faults(song, replace(asked, constraints=replace(asked.constraints, strict_key=False)), {}).away == 0
    assert faults(song, opened, {}).away == 0


def test_semitones_clash() -> None:
    assert faults(*line([40, 45] * 4, 1), {}).clash == pytest.approx(4.5)
    assert faults(*line([40, 45] * 4, 11), {}).clash == pytest.approx(4.5)
    assert faults(*line([40, 45] * 4, 7), {}).clash == 0


def test_density_is_that_which_the_canvas_says_where_it_does() -> None:
    paced = Canvas(Song(parts=tuple(PARTS), length=BARS * 1920), 0, (0, 1), pace={0: 4.0, 1: 4.0})
    assert faults(play(), paced, {}).density == pytest.approx(0.5)  # sixteen notes for 32
    half = Canvas(Song(parts=tuple(PARTS), length=BARS * 1920), 0, (0, 1), pace={0: 4.0})
    assert faults(play(), half, {}).density == 0

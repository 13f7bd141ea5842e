"""Planted copies are found whatever was done to hide them; music by nobody is never accused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator

from woodshed.corpus.passage_lines import lines_of
from woodshed.corpus.passages import IndexedSong, PassageIndex
from woodshed.errors import OutOfRange
from woodshed.music import Part, Song

LEAD, OTHER, BASS, DRUMS = Part("Lead", 30), Part("Other", 27), Part("Bass", 33), Part("Drums", 0, True)
SCALE = (0, 2, 3, 5, 7, 8, 10)
Line = list[tuple[int, int]]
"""(onset, pitch) of each note."""


def melody(chance: Generator, notes: int = 32) -> Line:
    """A tune in minor: mostly steps, some leaps, eighths, sixteenths and dotted notes."""
    line, onset, degree = [], 0, 7
    for _ in range(notes):
        line.append((onset, 50 + 12 * (degree // 7) + SCALE[degree % 7]))
        degree = int(np.clip(degree + chance.choice((-4, -3, -2, -1, -1, 1, 1, 2, 3, 5)), 0, 20))
        onset += int(chance.choice((120, 240, 240, 360, 480)))
    return line


def fills(chance: Generator, hits: int = 48) -> Line:
    """Drums that never settle into a beat."""
    waits = chance.choice((0, 120, 120, 120, 240), hits)
    return list(zip(np.cumsum(waits).tolist(), chance.choice((36, 38, 41, 43, 45, 47, 42, 46, 49, 51), hits).tolist()))  # noqa: B905


def rows(line: Line, part: int = 0, later: int = 0, higher: int = 0) -> list[tuple[int, ...]]:
    return [(part, onset + later, 100, pitch + higher, 90) for onset, pitch in line]


def noise(chance: Generator, parts: int = 3, notes: int = 400, pitches: int = 40) -> list[tuple[int, ...]]:
    """Notes of any pitch on any sixteenth: music by nobody."""
    onset, pitch, part = (
        chance.integers(0, 1200, notes),
        chance.integers(0, pitches, notes),
        chance.integers(0, parts, notes),
    )
    return [(int(p), int(o) * 120, 100, 40 + int(n), 90) for p, o, n in zip(part, onset, pitch, strict=True)]


def altered(line: Line, chance: Generator, share: float = 0.1) -> Line:
    """Some notes changed, put in and left out."""
    new: Line = []
    for onset, pitch in line:
        if chance.random() >= share:
            new.append((onset, pitch))
            continue
        kind = chance.integers(3)
        if kind == 0:
            new.append((onset, pitch + int(chance.choice((-3, -2, -1, 1, 2, 3)))))
        elif kind == 1:
            new += [(onset, pitch), (onset + 60, pitch + 1)]
    return new


def index_of(*songs: Song) -> PassageIndex:
    return PassageIndex.build((IndexedSong(f"{number}.mid", song.title), song) for number, song in enumerate(songs))


def host(line: Line, chance: Generator, split: bool = False) -> tuple[Song, int]:
    """A song of noise that plays a line in its fourth part, or shares it out over its fourth and fifth, and nothing
    else there; and how many notes the line has."""
    planted = rows(line, 3, later=int(chance.integers(0, 20)) * 480)
    if split:
        planted = [(3 + int(chance.integers(2)), *note[1:]) for note in planted]
    return Song.make(noise(chance) + planted, (LEAD, BASS, OTHER, Part("A", 1), Part("B", 2)), title="host"), len(
        planted
    )


def found_of(index: PassageIndex, song: Song, source: int = 0) -> float:
    """The share of the notes in the last two parts that are found in a source."""
    found = index.find(song)
    mine = song.notes["part"] >= 3
    return float((found.source[mine] == source).mean())


KINDS = {
    "transposed": lambda line, chance: [(onset, pitch - 7) for onset, pitch in line],
    "slower": lambda line, chance: [(onset * 2, pitch) for onset, pitch in line],
    "faster": lambda line, chance: [(onset // 2, pitch) for onset, pitch in line],
    "in triplets": lambda line, chance: [(onset * 2 // 3, pitch + 4) for onset, pitch in line],
    "dotted": lambda line, chance: [(onset * 3 // 2, pitch - 5) for onset, pitch in line],
    "altered": altered,
    "altered, transposed and faster": lambda line, chance: [(o // 2, p + 3) for o, p in altered(line, chance)],
}


@pytest.mark.parametrize("split", [False, True], ids=["one part", "two parts"])
@pytest.mark.parametrize("kind", KINDS)
def test_planted_tunes_are_found(kind: str, split: bool) -> None:
    shares = []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        line = melody(chance)
        others = [Song.make(noise(chance) + rows(melody(chance, 64)), (LEAD, BASS, OTHER)) for _ in range(2)]
        source = Song.make(noise(chance) + rows(line, 3, later=960), (LEAD, BASS, OTHER, LEAD), title="source")
        song, _ = host(KINDS[kind](line, chance), chance, split)
        shares.append(found_of(index_of(source, *others), song))
    assert np.mean(np.array(shares) > 0.5) >= 0.99, sorted(shares)[:5]
    assert np.mean(shares) > 0.85


def test_a_tune_that_the_corpus_shares_out_over_two_parts_is_found_in_one() -> None:
    shares = []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        line = melody(chance)
        source, _ = host(line, chance, split=True)
        song = Song.make(noise(chance) + rows(line, 3, higher=2), (LEAD, BASS, OTHER, LEAD))
        shares.append(found_of(index_of(source), song))
    assert np.mean(np.array(shares) > 0.5) >= 0.99, sorted(shares)[:5]


@pytest.mark.parametrize("change", [lambda line, chance: line, altered], ids=["exact", "altered"])
def test_planted_drum_fills_are_found(change: object) -> None:
    shares = []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        line = fills(chance)
        source = Song.make(noise(chance) + rows(line, 3), (LEAD, BASS, OTHER, DRUMS))
        song = Song.make(noise(chance) + rows(change(line, chance), 3, later=7680), (LEAD, BASS, OTHER, DRUMS))  # type: ignore[operator]
        shares.append(found_of(index_of(source), song))
    assert np.mean(np.array(shares) > 0.5) >= 0.99, sorted(shares)[:5]


def test_a_beat_that_goes_round_is_nobodys_property() -> None:
    bar = [(0, 36), (0, 42), (240, 42), (480, 38), (480, 42), (720, 42), (960, 36), (960, 42), (1200, 36), (1200, 42)]
    bar += [(1440, 38), (1440, 42), (1680, 42)]
    beat = Song.make([row for n in range(32) for row in rows(bar, later=1920 * n)], (DRUMS,))
    others = [Song.make(rows(fills(np.random.default_rng(seed))), (DRUMS,)) for seed in range(4)]
    assert not index_of(beat, *others).find(beat).copies


@pytest.mark.parametrize(("pitches", "steady"), [(40, False), (12, False), (5, True), (3, True), (2, True)], ids=str)
def test_random_music_is_never_accused(pitches: int, steady: bool) -> None:
    """Even where few pitches in one steady rhythm must agree by chance for long stretches."""

    def song(seed: int) -> Song:
        chance = np.random.default_rng(seed)
        if not steady:
            return Song.make(noise(chance, pitches=pitches), (LEAD, BASS, DRUMS))
        return Song.make(
            rows([(240 * n, 50 + int(p)) for n, p in enumerate(chance.integers(0, pitches, 800))]), (LEAD,)
        )

    index = index_of(*(song(seed) for seed in range(10)))
    assert [seed for seed in range(100, 120) if index.find(song(seed)).copies] == []


@pytest.mark.parametrize(
    "figure",
    [(40,), (40, 47), (60, 62), (60, 64, 67, 64), tuple(range(48, 60))],
    ids=["chug", "fifths", "trill", "alberti", "scale"],
)
def test_what_goes_round_or_on_is_nobodys_property(figure: tuple[int, ...]) -> None:
    line = [(120 * n, figure[n % len(figure)]) for n in range(256)]
    others = [Song.make(noise(np.random.default_rng(seed)), (LEAD, BASS, OTHER)) for seed in range(3)]
    index = index_of(Song.make(rows(line), (LEAD,)), *others)
    assert not index.find(Song.make(rows(line, higher=3), (LEAD,))).copies


@pytest.mark.parametrize("parts", [(0, 0), (0, 1)], ids=["one part", "two parts"])
def test_chords_that_are_struck_again_tell_little_more_than_chords(parts: tuple[int, int]) -> None:
    """Thirds that a quartet and an organ chug were once a copy of 56 notes."""
    chords = [(60, 63), (62, 67), (57, 61), (58, 62), (53, 60), (55, 64), (52, 55), (60, 69)]
    others = [Song.make(noise(np.random.default_rng(seed)), (LEAD, BASS, OTHER)) for seed in range(3)]

    def bits(times: int) -> float:
        strokes = [(120 * n, chords[n // times]) for n in range(len(chords) * times)]
        song, organ = (
            Song.make([(part, onset, 100, pitch, 80) for onset, chord in strokes
                       for part, pitch in zip(voices, chord, strict=True)], (LEAD, BASS))
            for voices in (parts, (0, 0))
        )  # fmt: skip
        longest = index_of(organ, *others).find(song).longest
        assert longest is not None
        return longest.bits

    assert bits(16) == bits(4) < 1.5 * bits(1)


def test_doubling_at_the_octave_tells_nothing() -> None:
    def bits(doubled: bool) -> float:
        line = melody(np.random.default_rng(5), 32)
        both = [*rows(line), *(rows(line, 1, higher=12) if doubled else [])]
        source = Song.make([(0, *row[1:]) for row in both], (LEAD,))
        found = index_of(source, Song.make(noise(np.random.default_rng(0)), (LEAD, BASS, OTHER))).find(source)
        assert found.longest is not None
        return found.longest.bits

    assert bits(True) <= bits(False) + 6


def test_a_passage_says_what_corresponds_to_what() -> None:
    chance = np.random.default_rng(3)
    line = melody(chance, 24)
    changed = [(onset, pitch + (number == 9)) for number, (onset, pitch) in enumerate(line)]
    source = Song.make(rows(line, 1, later=1920, higher=5), (BASS, LEAD), title="source")
    song = Song.make(rows([(2 * onset, pitch) for onset, pitch in changed], 2), (DRUMS, BASS, LEAD))
    found = index_of(Song.make(noise(chance), (LEAD, BASS, OTHER)), source).find(song)
    (copy,) = found.copies
    (passage,) = copy.passages
    assert (passage.part, passage.other_part, passage.source, passage.source_part) == (2, -1, 1, 1)
    assert (passage.semitones, passage.rate, passage.altered) == (-5, 0.5, 1)
    assert (passage.exact_from, passage.exact_notes) == (9, 14)
    assert passage.notes.tolist() == [n for n in range(24) if n != 9]
    assert passage.source_notes.tolist() == passage.notes.tolist()
    assert found.length.tolist() == [0 if n == 9 else 23 for n in range(24)]


def test_a_song_is_all_found_in_itself_and_nothing_of_it_elsewhere() -> None:
    chance = np.random.default_rng(0)
    song = Song.make(rows(melody(chance, 200)), (LEAD,))
    other = Song.make(rows(melody(chance, 200)), (LEAD,))
    assert (index_of(other, song).find(song).source == 1).all()
    assert not index_of(other).find(song).copies


def test_playing_unevenly_or_doubling_notes_hides_nothing() -> None:
    chance = np.random.default_rng(1)
    line = melody(chance)
    loose = [(onset + int(chance.integers(-15, 16)) if onset else 0, pitch) for onset, pitch in line]
    index = index_of(Song.make(rows(line), (LEAD,)))
    assert (index.find(Song.make(sorted(rows(loose) + rows(line)), (LEAD,))).source == 0).mean() > 0.9
    assert (index.find(Song.make(rows(loose), (LEAD,))).source == 0).mean() > 0.9


def test_a_riff_that_its_song_plays_forty_times_is_found() -> None:
    chance = np.random.default_rng(2)
    riff = melody(chance, 20)
    whole = riff[-1][0] + 240
    source = Song.make([row for n in range(40) for row in rows(riff, later=n * whole)], (LEAD,))
    index = index_of(source, *(Song.make(noise(chance), (LEAD, BASS, OTHER)) for _ in range(3)))
    assert (index.find(Song.make(rows(riff, higher=4), (BASS,))).source == 0).all()


def test_a_passage_shorter_than_asked_for_does_not_count() -> None:
    line = melody(np.random.default_rng(5), 16)
    index = index_of(Song.make(rows(line), (LEAD,)))
    assert index.find(Song.make(rows(line), (LEAD,)), 16).copies
    assert not index.find(Song.make(rows(line), (LEAD,)), 17).copies


@pytest.mark.parametrize("notes", [0, 1, 2, 4, 11])
def test_songs_of_few_notes_or_none_share_nothing(notes: int) -> None:
    line = melody(np.random.default_rng(0))
    few, whole = Song.make(rows(line[:notes]), (LEAD,)), Song.make(rows(line), (LEAD,))
    assert not index_of(whole).find(few).copies
    assert not index_of(few).find(whole).copies


def test_an_index_of_no_songs_finds_nothing() -> None:
    assert not index_of().find(Song.make(rows(melody(np.random.default_rng(0))), (LEAD,))).copies
    assert not index_of(Song()).find(Song()).copies


def test_runs_out_of_range_are_refused() -> None:
    with pytest.raises(OutOfRange, match="outside 6-4096"):
        index_of().find(Song(), 5)


def test_of_many_parts_the_fullest_are_paired() -> None:
    chance = np.random.default_rng(0)
    onsets = [np.sort(chance.choice(4000, 20 + part, replace=False)) * 20 for part in range(30)]
    notes = [(part, int(onset), 10, 60 + part, 90) for part, own in enumerate(onsets) for onset in own]
    parts = lines_of(Song.make(notes, [LEAD] * 30)).parts
    paired = set(parts[parts[:, 1] >= 0].ravel().tolist())
    assert paired == set(range(6, 30))
    assert set(parts[parts[:, 1] < 0, 0].tolist()) == set(range(30))

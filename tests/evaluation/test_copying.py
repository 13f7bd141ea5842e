"""Planted copies are found, whatever was done to hide them; music of its own is not accused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from woodshed.errors import OutOfRange
from woodshed.evaluation.copying import CHANGES, CopyIndex
from woodshed.formats.midi import read_midi
from woodshed.music import Part, Song

LEAD, BASS, DRUMS = Part("Lead", 30), Part("Bass", 33), Part("Drums", 0, True)
RIFF = [(0, 64), (240, 67), (480, 69), (600, 64), (960, 71), (1200, 69), (1440, 67), (1560, 62), (1920, 64), (2160, 67),
        (2400, 70), (2520, 64), (2880, 69), (3120, 67), (3240, 66), (3600, 62)]  # fmt: skip
"""16 notes over two bars: (onset, pitch)."""


def rows(line: list[tuple[int, int]], *, part: int = 0, later: int = 0, higher: int = 0) -> list[tuple[int, ...]]:
    return [(part, onset + later, 100, pitch + higher, 90) for onset, pitch in line]


def random_song(seed: int, *parts: Part, notes: int = 400) -> Song:
    """Notes of any pitch on any sixteenth: music by nobody."""
    chance = np.random.default_rng(seed)
    line = [
        (int(part), int(onset) * 120, 100, int(pitch), 90)
        for part, onset, pitch in zip(
            chance.integers(0, len(parts), notes), chance.integers(0, 1000, notes), chance.integers(36, 84, notes),
            strict=True,
        )
    ]  # fmt: skip
    return Song.make(line, parts)


@pytest.fixture
def index() -> CopyIndex:
    noise = [(f"noise {seed}", random_song(seed, LEAD, BASS, DRUMS)) for seed in range(3)]
    riff = Song.make(rows(RIFF, part=1, later=1920), (DRUMS, LEAD), title="unused")
    return CopyIndex([*noise[:2], ("The Riff", riff), noise[2]])


def test_a_transposed_riff_in_another_bar_and_part_is_found_with_its_source(index: CopyIndex) -> None:
    found = index.check(Song.make(rows(RIFF, later=3 * 1920, higher=-9), (BASS,)))
    assert (found.share, found.pitched_share, found.drum_share) == (1.0, 1.0, 0.0)
    assert (found.longest_run_notes, found.longest_run_beats) == (16, 7.5)
    assert (found.longest_run_source, found.longest_run_source_bar) == ("The Riff", 2)
    assert (found.longest_run_part, found.longest_run_bar) == ("Bass", 4)


def test_the_share_counts_only_the_notes_of_the_copied_run(index: CopyIndex) -> None:
    own = [(8000 + 333 * index * index, 50 + index * 7 % 20) for index in range(16)]
    found = index.check(Song.make(rows(RIFF) + rows(own), (LEAD,)))
    assert found.share == 0.5


def test_a_run_shorter_than_asked_for_is_not_a_copy(index: CopyIndex) -> None:
    found = index.check(Song.make(rows(RIFF[:11]), (LEAD,)))
    assert (found.share, found.longest_run_notes, found.longest_run_source) == (0.0, 0, "")
    assert index.check(Song.make(rows(RIFF[:12]), (LEAD,))).longest_run_notes == 12


def test_a_riff_with_one_note_changed_in_the_middle_is_too_short_on_both_sides(index: CopyIndex) -> None:
    changed = [(onset, pitch + (number == 8)) for number, (onset, pitch) in enumerate(RIFF)]
    assert index.check(Song.make(rows(changed), (LEAD,))).share == 0.0


def test_the_rhythm_belongs_to_the_run(index: CopyIndex) -> None:
    slower = [(onset * 2, pitch) for onset, pitch in RIFF]
    assert index.check(Song.make(rows(slower), (LEAD,))).share == 0.0


def test_playing_unevenly_or_doubling_notes_hides_nothing(index: CopyIndex) -> None:
    loose = [(onset + (-1) ** number * 15 if onset else 0, pitch) for number, (onset, pitch) in enumerate(RIFF)]
    found = index.check(Song.make(rows(loose) + rows(RIFF), (LEAD,)))
    assert found.share == 1.0


def test_random_music_has_nothing_in_common_with_other_random_music() -> None:
    index = CopyIndex((str(seed), random_song(seed, LEAD, BASS, DRUMS)) for seed in range(10))
    found = [index.check(random_song(seed, LEAD, BASS, DRUMS)) for seed in range(100, 110)]
    assert max(copying.share for copying in found) == 0.0


def test_a_repeated_note_and_a_chugged_chord_are_nobodys_property() -> None:
    chug = [(beat * 240, pitch) for beat in range(64) for pitch in (40, 47)]
    pedal = [(beat * 240, 33) for beat in range(64)]
    song = Song.make(rows(chug) + rows(pedal, part=1), (LEAD, BASS))
    assert CopyIndex([("chug", song)]).check(song).share == 0.0


def test_the_longest_run_takes_in_a_repeated_note_before_the_riff() -> None:
    pedal = [(beat * 240, 40) for beat in range(30)]
    song = Song.make(rows(pedal) + rows(RIFF, later=30 * 240), (LEAD,))
    found = CopyIndex([("both", song)]).check(song.transpose(3))
    assert (found.longest_run_notes, found.longest_run_bar) == (46, 1)
    assert found.share < 1.0


@pytest.mark.parametrize("length", [12, 13, 23, 24, 25, 47, 200, 333])
def test_the_longest_run_is_exact_whatever_its_length(length: int) -> None:
    chance = np.random.default_rng(length)
    line = [(int(onset) * 120, int(pitch)) for onset, pitch in enumerate(chance.integers(40, 80, length))]
    other = [(int(onset) * 120, int(pitch)) for onset, pitch in enumerate(chance.integers(40, 80, 500))]
    index = CopyIndex([("other", Song.make(rows(other), (LEAD,))), ("line", Song.make(rows(line), (LEAD,)))])
    around = rows(line, later=12_000, higher=5) + rows([(0, 30), (130_000, 90)])
    found = index.check(Song.make(around, (LEAD,)))
    assert (found.longest_run_notes, found.longest_run_source) == (length, "line")


def test_a_drum_pattern_is_a_copy_only_on_the_same_drums() -> None:
    beat = [(onset, 36 + pitch % 12) for onset, pitch in RIFF]
    index = CopyIndex([("beat", Song.make(rows(beat), (DRUMS,)))])
    assert index.check(Song.make(rows(beat), (DRUMS,))).drum_share == 1.0
    assert index.check(Song.make(rows(beat, higher=1), (DRUMS,))).drum_share == 0.0
    assert index.check(Song.make(rows(beat), (LEAD,))).share == 0.0


def test_no_run_goes_from_one_part_or_song_into_the_next() -> None:
    halves = [("first", Song.make(rows(RIFF[:8]), (LEAD,))), ("second", Song.make(rows(RIFF[8:]), (LEAD,)))]
    parts = Song.make(rows(RIFF[:8]) + rows(RIFF[8:], part=1), (LEAD, BASS))
    whole = Song.make(rows(RIFF), (LEAD,))
    assert CopyIndex([*halves, ("parts", parts)]).check(whole).share == 0.0
    assert CopyIndex([("whole", whole)]).check(parts).share == 0.0


@pytest.mark.parametrize("notes", [0, 1, 2, 11])
def test_songs_of_few_notes_or_none_copy_nothing(index: CopyIndex, notes: int) -> None:
    few = Song.make(rows(RIFF[:notes]), (LEAD,))
    assert index.check(few).share == 0.0
    assert CopyIndex([("few", few)]).check(Song.make(rows(RIFF), (LEAD,))).share == 0.0


def test_an_index_of_no_songs_finds_nothing() -> None:
    assert CopyIndex([]).check(Song.make(rows(RIFF), (LEAD,))).longest_run_notes == 0


def test_runs_too_short_to_be_varied_are_refused() -> None:
    with pytest.raises(OutOfRange, match=f"ask for {CHANGES + 1} or more"):
        CopyIndex([], run_notes=CHANGES)


def test_a_real_song_is_found_in_itself_transposed_but_not_in_others(data_folder: Path) -> None:
    paths = sorted((data_folder / "band" / "freedoom").glob("d_e1m*.mid"))[:4]
    songs = [(path.stem, read_midi(path)) for path in paths]
    found = CopyIndex(songs).check(songs[0][1].slice_bars(8, 24).transpose(-2))
    assert found.share > 0.9
    assert found.longest_run_source == songs[0][0]
    assert CopyIndex(songs[1:]).check(songs[0][1]).share < 0.2

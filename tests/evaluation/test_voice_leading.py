"""Four-part writing: each fault worked by hand, and a real chorale that a teacher would pass."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import OutOfRange
from woodshed.evaluation.voice_leading import (
    VoiceLeading,
    four_note_combinations,
    sounding,
    total_voice_leading,
    voice_leading,
)
from woodshed.music import Part, Song

PARTS = (Part("Soprano"), Part("Alto"), Part("Tenor"), Part("Bass"))
REST = 0


def chords(*rows: tuple[int, int, int, int]) -> Song:
    """Four voices in quarter notes, 0 for a rest."""
    notes = [(part, 480 * at, 480, pitch, 80) for at, row in enumerate(rows) for part, pitch in enumerate(row) if pitch]
    return Song.make(notes, PARTS)


@pytest.mark.parametrize(
    ("rows", "fifths", "octaves"),
    [
        (((72, 67, 64, 48), (74, 65, 62, 50)), 0, 1),  # soprano and bass both go from C to D
        (((72, 64, 55, 48), (71, 65, 57, 50)), 1, 0),  # tenor and bass: C-G to D-A
        (((79, 64, 55, 48), (81, 65, 57, 50)), 2, 1),  # a twelfth above the bass too, and an octave above the tenor
        (((72, 67, 60, 48), (72, 67, 60, 48)), 0, 0),  # repeated chord: nothing moves
        (((72, 67, 64, 48), (72, 65, 62, 50)), 0, 0),  # the soprano stays
        (((72, 67, 64, 60), (74, 67, 64, 50)), 0, 0),  # octaves by contrary motion are not counted
        (((74, 65, 59, 53), (76, 67, 60, 53)), 0, 0),  # a diminished fifth and then a perfect one
    ],
)
def test_parallels_are_counted_for_each_pair_of_voices(
    rows: tuple[tuple[int, int, int, int], ...], fifths: int, octaves: int
) -> None:
    found = voice_leading(chords(*rows))
    assert (found.parallel_fifths, found.parallel_octaves) == (fifths, octaves)


def test_a_rest_between_ends_the_motion() -> None:
    first, last = (72, REST, REST, 48), (74, REST, REST, 50)
    assert voice_leading(chords(first, last)).parallel_octaves == 1
    assert voice_leading(chords(first, (REST, REST, REST, REST), last)).parallel_octaves == 0


def test_a_voice_that_moves_later_does_not_move_in_parallel() -> None:
    notes = [(0, 0, 480, 72, 80), (0, 480, 480, 74, 80), (3, 0, 720, 48, 80), (3, 720, 240, 50, 80)]
    assert voice_leading(Song.make(notes, PARTS)).parallel_octaves == 0


def test_a_crossing_counts_once_for_as_long_as_it_lasts() -> None:
    plain, crossed = (72, 67, 64, 48), (65, 67, 62, 48)
    assert voice_leading(chords(plain, crossed, crossed, plain, crossed)).crossings == 2
    assert voice_leading(chords(plain, (REST, 67, 62, 48))).crossings == 0
    assert voice_leading(chords((60, 60, 60, 60))).crossings == 0


def test_spacing_is_for_the_upper_voices_only() -> None:
    assert voice_leading(chords((79, 67, 55, 40))).wide_spacings == 0
    assert voice_leading(chords((79, 66, 55, 40))).wide_spacings == 1
    assert voice_leading(chords((79, 66, 53, 40), (79, 66, 53, 40))).wide_spacings == 2


def test_notes_outside_their_voice_are_counted_by_voice() -> None:
    found = voice_leading(chords((80, 72, 48, 39), (59, 73, 47, 61), (79, 55, 67, 40)))
    outside = (found.soprano_out_of_range, found.alto_out_of_range, found.tenor_out_of_range, found.bass_out_of_range)
    assert outside == (2, 1, 1, 2)
    assert found.out_of_range == 6
    assert found.per_100_notes()["out_of_range"] == pytest.approx(50.0)


def test_rates_are_for_a_hundred_notes_and_songs_add_up() -> None:
    song = chords((72, 67, 64, 48), (74, 65, 62, 50))
    both = total_voice_leading([song, song])
    assert both == VoiceLeading(notes=16, parallel_octaves=2)
    assert both.per_100_notes()["parallel_octaves"] == pytest.approx(12.5)
    assert "notes" not in both.per_100_notes()


def test_nothing_is_counted_where_nothing_sounds() -> None:
    empty = Song.make([], PARTS)
    assert voice_leading(empty) == VoiceLeading()
    assert set(voice_leading(empty).per_100_notes().values()) == {0.0}
    assert four_note_combinations([empty]).distinct == 0
    assert four_note_combinations([]).moments == 0


def test_three_parts_are_not_four_voices() -> None:
    with pytest.raises(OutOfRange, match="Trio: 3 parts"):
        voice_leading(Song.make([], PARTS[:3], title="Trio"))


def test_combinations_are_counted_by_voice_and_by_pitch() -> None:
    one, swapped, other = (72, 67, 64, 48), (67, 72, 64, 48), (71, 67, 62, 55)
    found = four_note_combinations([chords(one, swapped, one), chords(other, (REST, 67, 62, 55))])
    assert (found.distinct, found.distinct_pitch_sets, found.once, found.moments) == (3, 2, 2, 4)


@given(st.lists(st.tuples(*[st.sampled_from([REST, *range(48, 60)])] * 4), min_size=1, max_size=8))
def test_counts_agree_with_counting_one_by_one(rows: list[tuple[int, int, int, int]]) -> None:
    fifths = octaves = 0
    for before, after in itertools.pairwise(rows):
        for upper in range(4):
            for lower in range(upper + 1, 4):
                four = (before[upper], before[lower], after[upper], after[lower])
                if REST in four or (four[2] - four[0]) * (four[3] - four[1]) <= 0:
                    continue
                distances = abs(four[0] - four[1]) % 12, abs(four[2] - four[3]) % 12
                fifths += distances == (7, 7)
                octaves += distances == (0, 0)
    found = voice_leading(chords(*rows))
    assert (found.parallel_fifths, found.parallel_octaves) == (fifths, octaves)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99), st.integers(1, 40), st.integers(40, 70)), max_size=20))
def test_what_sounds_is_the_latest_note_that_lasts(notes: list[tuple[int, int, int, int]]) -> None:
    song = Song.make([(*note, 80) for note in notes], PARTS)
    times = np.unique(np.concatenate((song.notes["onset"], song.ends)))[:-1]
    for time, row in zip(times.tolist(), sounding(song).tolist(), strict=True):
        for voice in range(4):
            begun = [note for note in song.notes.tolist() if note[0] == voice and note[1] <= time]
            latest = begun[-1] if begun else (0, 0, 0, -1, 0)
            assert row[voice] == (latest[3] if latest[1] + latest[2] > time else -1)


def test_bach_leaves_few_parallels() -> None:
    from woodshed.codecs.chorale import ChoraleCodec
    from woodshed.formats import read_musicxml

    found = importlib.util.find_spec("music21")
    assert found is not None
    assert found.origin is not None
    files = sorted((Path(found.origin).parent / "corpus" / "bach").glob("bwv2[5-9]?.mxl"))[::3]
    codec = ChoraleCodec()
    rates = total_voice_leading(
        song.transpose(-codec.transposition(read_musicxml(path)))
        for path in files
        for song in (codec.arrange(read_musicxml(path)),)
    ).per_100_notes()
    assert rates["parallel_octaves"] < 0.5
    assert rates["parallel_fifths"] < 0.5
    assert rates["crossings"] < 5

"""Events by name: both spellings of chords, both ways of keeping time, and windows shaped like the sources'."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs.chord_events import LONGEST, PITCHES, SHORTEST_REST, chord_name, normal_order
from woodshed.codecs.pitch_names import PitchNameCodec, varied
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import Part, Song

SHRED = PitchNameCodec()
DEEPROCK = PitchNameCodec("full", None, "electric guitar", standardise=True)
CODECS = [SHRED, PitchNameCodec("full", 0.3), PitchNameCodec("normal", None), DEEPROCK]
GUITAR = (Part("Guitar", 30),)


@st.composite
def timed_solos(draw: st.DrawFn) -> Song:
    """A line of chords whose lengths and rests the codec can write."""
    chord = st.sets(st.integers(0, 127), min_size=1, max_size=6)
    rest = st.one_of(st.just(0), st.integers(SHORTEST_REST, LONGEST))
    onset, notes = 0, []
    for pitches, length, silence in draw(st.lists(st.tuples(chord, st.integers(1, LONGEST), rest), min_size=1)):
        notes += [(0, onset * 40, length * 40, pitch, 100) for pitch in pitches]
        onset += length + silence
    return Song.make(notes, GUITAR)


@st.composite
def any_songs(draw: st.DrawFn) -> Song:
    note = st.tuples(
        st.integers(0, 2), st.integers(0, 9000), st.integers(1, 5000), st.integers(0, 127), st.integers(1, 127)
    )
    return Song.make(draw(st.lists(note, max_size=40)), (Part("Kit", 0, True), Part("Bass", 33), Part("Gtr", 29)))


@given(timed_solos())
def test_a_line_with_real_lengths_comes_back_exactly(song: Song) -> None:
    codec = DEEPROCK.fit([song])
    assert codec.decode(codec.encode(song), song) == song


@pytest.mark.parametrize("codec", CODECS)
@given(song=any_songs())
def test_what_was_decoded_stays_as_it_is(codec: PitchNameCodec, song: Song) -> None:
    if codec.drop_reason(song):
        return
    line = codec.arrange(song)
    codec = codec.fit([line])
    again = codec.decode(codec.encode(line), line)
    assert codec.config() == PitchNameCodec(**_rest(codec)).config()
    codec = codec.fit([again])  # an octave by its one class ("4") comes back as a single pitch
    assert np.array_equal(codec.snap(again).notes, again.notes)


def _rest(codec: PitchNameCodec) -> dict[str, Any]:
    return {name: value for name, value in codec.config().items() if name not in ("name", "version")}


def test_a_worked_example_is_named_like_this() -> None:
    notes = [(0, 0, 240, 80, 90), *((0, 480, 240, pitch, 90) for pitch in (64, 60, 67)), (0, 960, 480, 63, 90)]
    song = Song.make(notes, GUITAR)
    assert SHRED.names(song) == ["G#5", "0.4.7", "E-4"]
    assert PitchNameCodec("full", 0.3).names(song) == ["G#5", "C4.E4.G4", "E-4"]
    assert DEEPROCK.names(song) == ["G#5 6", "rest 6", "C4.E4.G4 6", "rest 6", "E-4 12"]
    shred = SHRED.fit([song])
    assert shred.vocabulary == ("E-4", "0.4.7", "G#5")  # E flat 4 lies below the G4 of the chord
    assert shred.encode(song).tolist() == [2, 1, 0]
    assert DEEPROCK.fit([song]).vocabulary == ("rest 6", "E-4 12", "C4.E4.G4 6", "G#5 6")
    decoded = shred.decode(shred.encode(song), song)
    assert decoded.notes[["onset", "duration", "pitch"]].tolist() == [
        (0, 240, 80), (240, 240, 60), (240, 240, 64), (240, 240, 67), (480, 240, 63),
    ]  # fmt: skip


def test_pitches_are_spelled_as_music21_spells_them() -> None:
    from music21 import pitch

    theirs = [str(pitch.Pitch(midi=number)) for number in range(128)]
    assert [number for number in range(128) if theirs[number] != PITCHES[number]] == [4, 11]
    assert (theirs[4], theirs[11]) == (theirs[27], theirs[34]) == ("E-1", "B-1")
    assert len(set(PITCHES)) == 128


def test_normal_order_is_that_of_music21() -> None:
    from music21 import chord

    for mask in range(1, 4096, 29):  # all 4,095 agree; they take music21 a minute
        classes = [i for i in range(12) if mask >> i & 1]
        assert list(normal_order(mask)) == chord.Chord(classes).normalOrder


def test_an_octave_is_one_class_and_a_rest_is_called_so() -> None:
    assert chord_name(1 << 40 | 1 << 52, normal=True) == "4"
    assert chord_name(0, normal=True) == "rest"


def test_windows_and_targets_have_the_shapes_of_the_source() -> None:
    ids = np.arange(60) % 7
    codec = replace(SHRED, vocabulary=tuple(PITCHES[:7]))
    windows, targets = codec.windows(ids), codec.targets(ids)
    assert codec.scale(windows).shape == (10, 50, 1)
    assert codec.one_hot(targets).shape == (10, 7)
    assert np.array_equal(windows[3], ids[3:53])
    assert targets[3] == ids[53]
    assert codec.windows(ids[:50]).shape == (0, 50)


def test_shred_divides_by_the_vocabulary_and_deeprock_standardises() -> None:
    ids = np.array([0, 1, 3])
    assert replace(SHRED, vocabulary=tuple(PITCHES[:4])).scale(ids).tolist() == [[0.0], [0.25], [0.75]]
    assert replace(DEEPROCK, mean=1.0, deviation=2.0).scale(ids).tolist() == [[-0.5], [0.0], [1.0]]


@given(st.lists(st.integers(0, 20), min_size=30, max_size=60), st.integers(1, 12))
def test_windows_of_few_events_are_told_apart(ids: list[int], unique_factor: int) -> None:
    windows = SHRED.windows(np.array(ids), 20)
    assert varied(windows, unique_factor).tolist() == [len(set(w.tolist())) > unique_factor for w in windows]


def test_deeprock_hears_each_electric_guitar_by_program_or_name_and_counts_why_not() -> None:
    parts = [
        Part("", 27), Part("Lead Gtr", 80), Part("Acoustic Guitar", 25), Part("Bass Guitar", 33), Part("Kit", 0, True),
        Part("Nylon Guitar", 0),
    ]  # fmt: skip
    song = Song.make([(i, 0, 480, 60, 80) for i in range(6)], parts)
    assert [line.parts[0] for line in DEEPROCK.lines(song)] == parts[:2]
    assert PitchNameCodec(part="25").arrange(song).parts == (parts[2],)
    assert PitchNameCodec(part="guitar").arrange(song).parts == (parts[0],)
    drums = Song.make([(0, 0, 9, 36, 80)], [parts[4]])
    acoustic = Song.make([(0, 0, 9, 60, 80)], [parts[2]])
    why = Counter(filter(None, map(DEEPROCK.drop_reason, [song, drums, acoustic, acoustic, Song()])))
    assert why == {"only drums": 1, "no part for 'electric guitar' (acoustic by program)": 2, "no notes": 1}
    with pytest.raises(CodecError, match=r"only drums; give music with an electric guitar \(.*\), or use a recipe"):
        DEEPROCK.arrange(drums)


def test_shred_hears_the_first_part_that_is_not_drums() -> None:
    song = Song.make([(i, 0, 480, 60 + i, 80) for i in range(3)], [Part("", 0, True), Part("Organ", 16), Part("", 30)])
    assert SHRED.arrange(song).parts[0].name == "Organ"


def test_an_event_that_was_never_seen_takes_the_nearest_length_or_is_left_out() -> None:
    codec = replace(DEEPROCK, vocabulary=("C4 12", "C4 3", "D4 6"))
    song = Song.make([(0, 0, 280, 60, 80), (0, 280, 240, 64, 80), (0, 520, 480, 62, 80)], GUITAR)
    assert codec.names(song) == ["C4 7", "E4 6", "D4 12"]
    assert codec.encode(song).tolist() == [1, 2]
    assert codec.unseen(song) == 1


def test_rests_are_no_notes_and_each_event_is_described() -> None:
    codec = replace(DEEPROCK, vocabulary=("C4 12", "C4.E4 3", "rest 6"))
    assert codec.notes(np.array([0, 2, 1, 2])) == 2
    assert [codec.describe("event", i) for i in range(3)] == [
        "pitch C4 for 12 steps", "chord C4.E4 for 3 steps", "rest for 6 steps",
    ]  # fmt: skip
    with pytest.raises(OutOfRange):
        codec.describe("event", 3)


@pytest.mark.parametrize("name", ["H4 6", "C4", "C4 0", "C4 99", "C4 x", "0.x 6", ""])
def test_a_damaged_vocabulary_is_named(name: str) -> None:
    with pytest.raises(CodecError, match="is no event"):
        PitchNameCodec("full", None, vocabulary=(name,))


def test_an_id_out_of_the_vocabulary_is_named_and_so_are_songs_without_a_part() -> None:
    with pytest.raises(CodecError, match="event 1: id 3"):
        replace(SHRED, vocabulary=("C4",)).decode(np.array([0, 3]), Song())
    with pytest.raises(CodecError, match="no song has a part"):
        SHRED.fit([Song()])
    with pytest.raises(OutOfRange, match="step_quarters"):
        PitchNameCodec(step_quarters=0.0)

"""Keys and chords: what is written is read back, and transposing an octave changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import UnknownName
from woodshed.music import PITCH_NAMES, QUALITIES, SCALES, Chord, Key
from woodshed.music.key import parse_pitch_class

tonics = st.integers(0, 11)
keys = st.builds(Key, tonics, st.sampled_from(sorted(SCALES)))
chords = st.builds(Chord, tonics, st.sampled_from(sorted(QUALITIES)), st.none() | tonics)


@given(keys)
def test_a_key_reads_what_it_writes(key: Key) -> None:
    assert Key.parse(str(key)) == key


@given(keys, st.integers(-30, 30))
def test_transposing_there_and_back_changes_nothing(key: Key, semitones: int) -> None:
    assert key.transpose(semitones).transpose(-semitones) == key
    assert set(key.transpose(semitones).pitch_classes) == {(pc + semitones) % 12 for pc in key.pitch_classes}


@given(tonics, st.booleans())
def test_the_signature_leads_back_to_the_key(tonic: int, is_minor: bool) -> None:
    key = Key(tonic, "minor" if is_minor else "major")
    assert -5 <= key.fifths <= 6
    assert Key.from_fifths(key.fifths, is_minor) == key


@pytest.mark.parametrize(
    ("fifths", "is_minor", "name"),
    [(0, False, "C major"), (0, True, "A minor"), (-4, True, "F minor"), (3, False, "A major"), (-7, False, "B major"),
     (7, True, "Bb minor")],
)  # fmt: skip
def test_signatures_name_their_keys(fifths: int, is_minor: bool, name: str) -> None:
    assert str(Key.from_fifths(fifths, is_minor)) == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Fm", Key(5, "minor")), ("f minor", Key(5, "minor")), ("Bb", Key(10)), ("bb", Key(10)), ("B", Key(11)),
     ("e dorian", Key(4, "dorian")), ("A Minor  Pentatonic", Key(9, "minor pentatonic")), ("C# maj", Key(1)),
     ("G♭ aeolian", Key(6, "minor"))],
)  # fmt: skip
def test_keys_are_read_as_musicians_write_them(text: str, expected: Key) -> None:
    assert Key.parse(text) == expected


@pytest.mark.parametrize("text", ["", " ", "H", "C mixed", "X minor", "m", "Cmm", "F minorish"])
def test_a_key_that_does_not_exist_is_named(text: str) -> None:
    with pytest.raises(UnknownName):
        Key.parse(text)


@pytest.mark.parametrize("values", [(-1, "major"), (12, "major"), (0, "klingon")])
def test_a_key_cannot_be_built_outside_its_range(values: tuple[int, str]) -> None:
    with pytest.raises(UnknownName):
        Key(*values)


def test_every_note_name_is_its_own_pitch_class() -> None:
    assert [parse_pitch_class(name) for name in PITCH_NAMES] == list(range(12))
    assert parse_pitch_class("Cb") == 11
    assert parse_pitch_class("B##") == 1


@given(chords)
def test_a_chord_reads_what_it_writes(chord: Chord) -> None:
    again = Chord.parse(str(chord))
    assert (again.root, again.quality) == (chord.root, chord.quality)
    assert again.bass == (None if chord.bass == chord.root else chord.bass)


@given(chords, st.integers(-30, 30))
def test_a_transposed_chord_has_transposed_tones(chord: Chord, semitones: int) -> None:
    moved = chord.transpose(semitones)
    assert moved.pitch_classes == tuple((pc + semitones) % 12 for pc in chord.pitch_classes)
    assert moved.transpose(-semitones) == chord


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Am", Chord(9, "m")), ("F#7", Chord(6, "7")), ("C/E", Chord(0, "", 4)), ("Bbmaj7", Chord(10, "maj7")),
     ("Dmin7", Chord(2, "m7")), ("B°", Chord(11, "dim")), ("E5", Chord(4, "5")), ("G+", Chord(7, "aug"))],
)  # fmt: skip
def test_chord_symbols_are_read_as_musicians_write_them(text: str, expected: Chord) -> None:
    assert Chord.parse(text) == expected


@pytest.mark.parametrize("text", ["", "H7", "C/", "Cfoo", "/E", "C/H", "c"])
def test_a_chord_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(UnknownName):
        Chord.parse(text)


@given(chords)
def test_qualities_start_on_the_root_and_never_repeat_a_tone(chord: Chord) -> None:
    assert chord.pitch_classes[0] == chord.root
    assert len(set(chord.pitch_classes)) == len(chord.pitch_classes)

"""Piano rolls of many tracks: exact on their grid, six steps to a byte and back, what is noise and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs import build_codec, codec_from_config
from woodshed.codecs.piano_roll import (
    BAR_TICKS,
    DRUM_STEPS,
    HIGHEST,
    LOWEST,
    PITCHES,
    STEP_TICKS,
    PianoRollCodec,
    track_of,
)
from woodshed.errors import CodecError, OutOfRange, UnknownName
from woodshed.music import Part, Song

BAND = (Part("Kit", 0, True), Part("Bass", 33), Part("Guitar", 30), Part("Piano", 1), Part("Helicopter", 125))
PLAIN = PianoRollCodec(transpose=False)
MOVED = PianoRollCodec()


@st.composite
def band_songs(draw: st.DrawFn) -> Song:
    """Notes anywhere, of any length, in five parts of which one belongs to no track."""
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 4), st.integers(0, 2 * BAR_TICKS - 1), st.integers(1, BAR_TICKS), st.integers(15, 115)
            ),
            min_size=1,
            max_size=40,
        )
    )
    return Song.make([(*row, 90) for row in [*rows, (1, 0, 480, 40)]], BAND, meters=[(0, 4, 4)], length=2 * BAR_TICKS)


@given(band_songs())
def test_an_arranged_song_comes_back_exactly_through_roll_and_frames(song: Song) -> None:
    arranged = PLAIN.arrange(song)
    roll = PLAIN.encode(arranged)
    assert roll.shape[1:] == (4, 128)
    assert len(roll) % 96 == 0
    assert PLAIN.decode(roll, arranged) == arranged
    assert PLAIN.arrange(arranged) == arranged
    known, frames = PLAIN.rows(arranged)
    assert frames.shape == (len(roll) // 6, PLAIN.cells)
    assert known.shape == (len(frames), PLAIN.given)
    assert np.array_equal(PLAIN.pack(roll), frames)
    assert np.array_equal(PLAIN.unpack(frames), roll)
    assert int(PLAIN.starts(frames).sum()) == len(arranged)


@given(band_songs())
def test_what_is_moved_to_c_is_a_transposition_of_what_is_not(song: Song) -> None:
    plain, moved, shift = PLAIN.arrange(song), MOVED.arrange(song), MOVED.transposition(song)
    assert -6 <= shift <= 5
    drums = plain.notes["part"] == 0
    pitch = plain.notes["pitch"] + np.where(drums, 0, shift)
    inside = drums | ((pitch >= LOWEST) & (pitch <= HIGHEST))
    expected = sorted(zip(plain.notes["onset"][inside].tolist(), pitch[inside].tolist(), strict=True))
    assert sorted(zip(moved.notes["onset"].tolist(), moved.notes["pitch"].tolist(), strict=True)) == expected


@given(st.integers(0, 2**32 - 1))
def test_any_roll_within_its_pitches_can_be_packed_and_decoded(seed: int) -> None:
    chance = np.random.default_rng(seed)
    roll = np.zeros((192, 4, 128), bool)
    roll[:, :, LOWEST : HIGHEST + 1] = chance.random((192, 4, PITCHES)) < 0.05
    assert np.array_equal(PLAIN.unpack(PLAIN.pack(roll)), roll)
    song = PLAIN.decode(roll, Song(parts=BAND[:4]))
    heard = np.zeros_like(roll)
    for note in song.notes:
        onset = note["onset"] // STEP_TICKS
        heard[onset : onset + note["duration"] // STEP_TICKS, note["part"], note["pitch"]] = True
    assert np.array_equal(heard, roll)


def test_a_note_struck_again_ends_a_step_earlier_and_a_drum_sounds_for_three_steps() -> None:
    song = Song.make(
        [(1, 0, 480, 40, 90), (1, 480, 480, 40, 90), (0, 0, 480, 36, 90), (0, 40, 20, 36, 90)], BAND, length=BAR_TICKS
    )
    notes = PLAIN.arrange(song).notes
    bass, drums = notes[notes["part"] == 1], notes[notes["part"] == 0]
    assert bass["duration"].tolist() == [460, 480]
    assert drums["onset"].tolist() == [0, 40]
    assert drums["duration"].tolist() == [STEP_TICKS, DRUM_STEPS * STEP_TICKS]


def test_parts_of_a_kind_are_gathered_and_the_most_common_kinds_found() -> None:
    assert track_of(BAND) == ["drums", "bass", "guitar", "keys", ""]
    song = Song.make([(part, 0, 480, 60, 90) for part in range(5)], BAND, length=BAR_TICKS)
    bass = Song.make([(1, 0, 480, 40, 90)], BAND, length=BAR_TICKS)
    assert PianoRollCodec(tracks=2).fit([song, bass, bass]).parts == "drums, bass"
    assert PianoRollCodec(parts="bass").fit([song]).names == ("bass",)
    both = Song.make([(0, 0, 480, 60, 90), (1, 0, 480, 64, 90)], [Part("Gtr 1", 29), Part("Gtr 2", 30)])
    assert PLAIN.arrange(both).notes["part"].tolist() == [2, 2]


def test_what_is_known_is_the_place_within_eight_bars_and_who_plays_how() -> None:
    rows = [(1, beat * 480, 240, 36, 90) for beat in range(12)] + [(2, 0, 480, 84, 90)]
    song = Song.make(rows, BAND, length=4 * BAR_TICKS)
    _, frames = PLAIN.rows(song)
    character = PLAIN.character(frames)
    assert character[0].tolist() == [0, 1, 1, 0]
    assert np.allclose(character[1], [0, 0.5, np.log2(1.25) / 4, 0])
    assert np.allclose(character[2], [0, -1, 1, 0])
    known = PLAIN.known(9 * 16, character)
    digits = (known[:, :7] @ (1 << np.arange(7))).astype(int)
    assert np.array_equal(digits, np.arange(9 * 16) % 128)
    assert np.flatnonzero(known[:, 7]).tolist() == list(range(0, 144, 16))
    assert np.flatnonzero(known[:, 8]).tolist() == list(range(0, 144, 4))
    assert (known[:, 9:] == character.ravel()).all()


def test_notes_below_c1_and_above_c8_are_noise_and_silent_bars_are_counted() -> None:
    rows = [(1, 0, 480, 23, 90), (1, 0, 480, 24, 90), (2, 0, 480, 108, 90), (2, 0, 480, 109, 90), (4, 0, 480, 5, 90)]
    song = Song.make(rows, BAND, length=4 * BAR_TICKS)
    assert PLAIN.noise(song) == 2
    assert sorted(PLAIN.arrange(song).notes["pitch"].tolist()) == [24, 108]
    assert PLAIN.empty_bars(song) == 0.75


@pytest.mark.parametrize(
    ("song", "told"),
    [
        (Song(parts=BAND, length=1920, title="Nothing"), "Nothing: the song is empty"),
        (Song.make([(1, 0, 480, 40, 90)], BAND, meters=[(0, 3, 4)], length=1440), "a bar is not 96 steps long"),
        (Song.make([(4, 0, 480, 40, 90)], BAND, length=1920), r"nothing plays in its tracks \(drums, bass, guitar"),
    ],
)
def test_songs_that_no_roll_can_hold_are_refused_with_a_remedy(song: Song, told: str) -> None:
    with pytest.raises(CodecError, match=told):
        PLAIN.arrange(song)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"tracks": 8}, OutOfRange, "tracks 8 is outside 1-7"),
        ({"most_empty": 2.0}, OutOfRange, "most_empty 2.0 is outside 0-1"),
        ({"parts": "drums, kazoo"}, UnknownName, "'kazoo' is not one of drums, bass"),
        ({"parts": "bass, bass"}, OutOfRange, "names a track twice"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        PianoRollCodec(**options)


def test_rolls_and_skeletons_of_another_shape_are_refused() -> None:
    with pytest.raises(CodecError, match="not \\(steps, 4, 128\\)"):
        PLAIN.decode(np.zeros((96, 3, 128), bool), Song(parts=BAND[:4]))
    with pytest.raises(CodecError, match="has 5 parts, not 4"):
        PLAIN.decode(np.zeros((96, 4, 128), bool), Song(parts=BAND))
    with pytest.raises(OutOfRange, match="field 'kazoo' cell 0"):
        PLAIN.describe("kazoo", 0)


def test_the_codec_is_built_again_from_its_config() -> None:
    codec: Any = build_codec("piano-roll", {"tracks": 3, "parts": "drums, bass, lead"})
    assert codec_from_config(codec.config()) == codec
    assert np.bincount(codec.cell_fields()).tolist() == [PITCHES] * 3
    assert list(codec.field_sizes()) == ["drums", "bass", "lead"]

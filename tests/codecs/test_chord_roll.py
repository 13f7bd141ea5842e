"""Melodies over chords as binary rolls: exact round trips, what is known beside each row, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from woodshed.codecs import build_codec, codec_from_config
from woodshed.codecs.chord_roll import PITCHES, STRUCK, ChordRollCodec, with_chords
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import Part, Song
from woodshed.music.chord_sheet import chord_rows, parse_chords
from woodshed.music.melodies import STEP_TICKS

CODEC = ChordRollCodec()


def sheet(pitches: list[int], steps: list[int], chords: str = "C | Am | F | G", gaps: list[int] | None = None) -> Song:
    """A melody of these pitches, each so many sixteenths long and followed by so many of rest."""
    gaps = gaps or [0] * len(steps)
    onsets = np.cumsum([0, *(length + gap for length, gap in zip(steps, gaps, strict=True))])
    rows = [
        (0, int(onset) * 120, length * 120, pitch, 90)
        for onset, length, pitch in zip(onsets, steps, pitches, strict=False)
    ]
    bars = max(-(-int(onsets[-1]) // 16), 1)
    return Song.make(
        rows, [Part("Flute", 73)], meters=[(0, 4, 4)], chords=chord_rows(parse_chords(chords), bars, 1920),
        length=bars * 1920,
    )  # fmt: skip


NOTES = st.lists(st.tuples(st.integers(50, 90), st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=40)


@given(NOTES)
@settings(max_examples=60, deadline=None)
def test_an_arranged_song_comes_back_note_for_note(notes: list[tuple[int, int, int]]) -> None:
    pitches, steps, gaps = (list(column) for column in zip(*notes, strict=True))
    song = CODEC.arrange(sheet(pitches, steps, gaps=gaps))
    roll = CODEC.encode(song)
    back = CODEC.decode(roll, song)
    for name in ("onset", "duration", "pitch", "part"):
        assert np.array_equal(back.notes[name], song.notes[name])
    assert np.array_equal(CODEC.encode(back), roll)
    assert CODEC.snap(song) == back
    assert int(CODEC.starts(roll).sum()) == len(song)
    assert roll[:, :PITCHES].sum(axis=1).max() == 1


def test_a_note_that_is_struck_again_differs_from_one_that_is_held() -> None:
    twice, once = (CODEC.encode(CODEC.arrange(sheet([60] * len(steps), steps))) for steps in ([4, 4], [8]))
    assert np.array_equal(twice[:, :PITCHES], once[:, :PITCHES])
    assert np.flatnonzero(twice[:, STRUCK]).tolist() == [0, 4]
    assert np.flatnonzero(once[:, STRUCK]).tolist() == [0]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_any_roll_can_be_decoded_and_sounds_in_just_the_cells_that_are_on(seed: int) -> None:
    roll = np.random.default_rng(seed).random((40, CODEC.cells)) < 0.2
    song = CODEC.decode(roll, Song(parts=(Part(),)))
    heard = np.zeros((40, PITCHES), bool)
    for note in song.notes:
        onset, stop = note["onset"] // STEP_TICKS, (note["onset"] + note["duration"]) // STEP_TICKS
        heard[onset:stop, note["pitch"] - CODEC.low] = True
    assert np.array_equal(heard, roll[:, :PITCHES])
    assert int(CODEC.starts(roll).sum()) == len(song)


def test_what_is_known_is_the_chord_the_next_one_and_the_place() -> None:
    song = CODEC.arrange(sheet([60, 64, 67, 72], [16] * 4, "C | Am | F | G"))
    known = CODEC.known(song)
    assert known.shape == (64, CODEC.given)
    tones = [np.flatnonzero(row).tolist() for row in known[:, :12]]
    assert tones[0] == [0, 4, 7]
    assert tones[16] == [0, 4, 9]
    assert np.flatnonzero(known[0, 12:24]).tolist() == [0, 4, 9]
    assert not known[63, 12:24].any()
    digits = known[:, 24:29] @ (1 << np.arange(5))
    assert np.array_equal(digits, np.arange(64) % 32)
    assert np.flatnonzero(known[:, 29]).tolist() == [0, 16, 32, 48]
    assert np.flatnonzero(known[:, 30]).tolist() == list(range(0, 64, 4))


def test_melody_and_chords_move_to_c_together() -> None:
    song = sheet([62, 66, 69, 74, 73, 71, 69, 67, 66, 64, 62], [4] * 11, "D | A | D | A7")
    arranged = CODEC.arrange(song)
    shift = CODEC.transposition(song)
    assert shift % 12 == 10
    assert np.array_equal(arranged.chords["root"], (song.chords["root"][: len(arranged.chords)] + shift) % 12)


def test_chords_are_found_in_what_sounds_beside_the_melody() -> None:
    tune = sheet([60, 64, 67, 72], [16] * 4)
    block = [(1, bar * 1920, 1920, pitch, 70) for bar in range(4) for pitch in ((48, 52, 55), (45, 48, 52))[bar % 2]]
    band = Song.make([*tune.notes.tolist(), *block], [Part("Flute", 73, role="melody"), Part("Piano")], length=7680)
    found = with_chords(band)
    assert found.chords["root"].tolist() == [0, 9, 0, 9]
    assert len(CODEC.arrange(band).chords) == 4
    assert with_chords(tune) is tune


@pytest.mark.parametrize(
    ("song", "told"),
    [
        (sheet([60, 64], [8, 8]).replace(chords=sheet([60], [1]).chords[:0]), "has no chords: none is written"),
        (Song.make([(0, 0, 120, 36, 100)], [Part("Drums", 0, True)], length=1920), "no chords"),
    ],
)
def test_a_song_without_chords_is_refused_with_a_remedy(song: Song, told: str) -> None:
    with pytest.raises(CodecError, match=told):
        CODEC.arrange(song)


def test_pitches_out_of_the_two_octaves_and_other_rolls_are_refused() -> None:
    with pytest.raises(OutOfRange, match="pitch 84, outside 60-83; arrange the song first"):
        CODEC.encode(sheet([84], [4]))
    with pytest.raises(CodecError, match="not \\(rows, 25\\)"):
        CODEC.decode(np.zeros((4, 24), bool), Song(parts=(Part(),)))
    with pytest.raises(CodecError, match="no part"):
        CODEC.decode(np.zeros((4, 25), bool), Song())
    with pytest.raises(OutOfRange, match="low 105"):
        ChordRollCodec(105)
    with pytest.raises(OutOfRange, match="field 'pitch' cell 24"):
        CODEC.describe("pitch", 24)


def test_the_codec_is_built_again_from_its_config() -> None:
    codec: Any = build_codec("chord-roll", {"low": 55})
    assert codec_from_config(codec.config()) == codec
    assert np.bincount(codec.cell_fields()).tolist() == list(codec.field_sizes().values())


def test_real_lead_sheets_come_back(data_folder: Path) -> None:
    from woodshed.formats import read_musicxml

    files = sorted((data_folder / "leadsheets" / "openewld").rglob("*.mxl"))[:20]
    for path in files:
        song = CODEC.arrange(read_musicxml(path))
        assert CODEC.decode(CODEC.encode(song), song).notes["pitch"].tolist() == song.notes["pitch"].tolist()
        assert len(song.chords)

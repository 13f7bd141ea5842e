"""Trios of sixteen bars and measures of a band, for MusicVAE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from woodshed.codecs.clip_band import END, NOTE_OFF, NOTE_ON, PROGRAM, SYMBOLS, TIME_SHIFT, VELOCITY, ClipBandCodec
from woodshed.codecs.clip_trio import MOST_CLIPS, ClipTrioCodec
from woodshed.errors import CodecError, OutOfRange
from woodshed.formats import read_midi
from woodshed.music import Part, Song

TRIO, BAND = ClipTrioCodec(), ClipBandCodec()
LEAD, BASS, KIT = Part("Sax", 66), Part("Bass", 33), Part("Kit", 0, is_drum=True)
PLAYERS = (Part("Piano", 0), KIT, Part("Strings", 48), BASS)


def rows(parts: int, bars: int, most: int) -> st.SearchStrategy[list[tuple[int, ...]]]:
    """Notes of so many parts anywhere in so many bars."""
    last = bars * 1920 - 61
    note = st.tuples(
        st.integers(0, parts - 1), st.integers(0, last), st.integers(1, 2000), st.integers(35, 81), st.integers(1, 127)
    )
    return st.lists(note, min_size=1, max_size=most)


def trio_song(bars: int) -> Song:
    """A lead that goes up by a step each bar, over a bass and drums."""
    notes: list[tuple[int, ...]] = []
    for bar in range(bars):
        start = bar * 1920
        notes += [(0, start + beat * 480, 480, 60 + bar % 12 + beat, 90) for beat in range(4)]
        notes += [(1, start, 960, 36 + bar % 5, 90), (2, start, 60, 36, 90), (2, start + 960, 60, 38, 90)]
    return Song.make(notes, [LEAD, BASS, KIT], tempos=[(0, 100.0)])


@given(rows(3, 16, 60))
def test_an_arranged_trio_comes_back_from_its_tokens(notes: list[tuple[int, ...]]) -> None:
    heard = [(part, part * 480, 200, 50, 90) for part in range(3)]
    clip = TRIO.arrange(Song.make([*notes, *heard], [LEAD, BASS, KIT], tempos=[(0, 90.0)], keys=[(0, 5, False)]))
    tokens = TRIO.encode(clip)
    assert tokens.shape == (3, 256)
    assert TRIO.decode(tokens, clip) == clip == TRIO.arrange(clip)
    assert TRIO.notes(tokens) == len(clip)


@given(rows(4, 1, 24))
def test_an_arranged_bar_of_a_band_comes_back_from_its_tokens(notes: list[tuple[int, ...]]) -> None:
    song = Song.make(notes, PLAYERS, tempos=[(0, 90.0)])
    try:
        clip = BAND.arrange(song)
    except CodecError:
        reject()  # more than there is room for
    tokens = BAND.encode(clip)
    assert tokens.shape == (8, 64)
    assert BAND.decode(tokens, clip) == clip == BAND.arrange(clip)
    assert BAND.notes(tokens) == len(clip)


@given(st.lists(st.integers(0, SYMBOLS - 1), min_size=512, max_size=512))
def test_any_tokens_make_a_bar_of_a_band(tokens: list[int]) -> None:
    clip = BAND.decode(np.array(tokens).reshape(8, 64), Song())
    assert clip.length == 1920
    assert (clip.ends <= 1920).all()
    assert set(clip.notes["part"].tolist()) == set(range(len(clip.parts)))


@given(st.integers(0, 2**32))
def test_any_tokens_make_sixteen_bars_of_a_trio(seed: int) -> None:
    tokens = np.random.default_rng(seed).integers(0, np.array(TRIO.vocabulary)[:, None], (3, 256))
    clip = TRIO.decode(tokens, Song())
    assert clip.length == 16 * 1920
    assert TRIO.decode(TRIO.encode(clip), clip) == clip


def test_a_bar_of_a_band_is_written_as_in_the_table() -> None:
    notes = [
        (0, 0, 480, 60, 100),
        (0, 480, 1440, 62, 40),
        (1, 0, 30, 36, 100),
        (1, 0, 30, 42, 100),
        (1, 960, 30, 36, 99),
    ]
    clip = BAND.arrange(Song.make(notes, [Part("Flute", 73), KIT]))
    tokens = BAND.encode(clip)
    drums = [PROGRAM + 128, VELOCITY + 6, NOTE_ON + 36, NOTE_ON + 42, TIME_SHIFT + 47, NOTE_ON + 36, END]
    flute = [
        PROGRAM + 73, VELOCITY + 6, NOTE_ON + 60, TIME_SHIFT + 23, NOTE_OFF + 60, VELOCITY + 2, NOTE_ON + 62, END,
    ]  # fmt: skip
    assert tokens[0, :7].tolist() == drums
    assert tokens[1, :8].tolist() == flute
    assert (tokens[2:] == END).all()
    assert BAND.scored(tokens).sum(1).tolist() == [7, 8, 1, 1, 1, 1, 1, 1]
    words = [BAND.describe("part 1", symbol) for symbol in flute]
    assert words[:4] == ["played by Flute", "velocity 96-111", "C4 (60) starts", "24/24 of a quarter later"]
    assert words[4:] == ["C4 (60) stops", "velocity 32-47", "D4 (62) starts", "the part is complete"]


def test_trios_are_all_combinations_in_windows_a_bar_apart() -> None:
    song = trio_song(18)
    found, reasons = TRIO.windows(song)
    assert (len(found), reasons) == (3, {})
    again = song.notes[song.notes["part"] == 0].copy()
    again["part"], again["pitch"] = 3, again["pitch"] + 7
    second = song.replace(parts=(*song.parts, Part("Flute", 73))).with_notes(np.concatenate((song.notes, again)))
    found, _ = TRIO.windows(second)
    assert [clip.parts[0].name for clip in found] == ["Sax"] * 3 + ["Flute"] * 3
    assert all(clip.length == 16 * 1920 and TRIO.arrange(clip) == clip for clip in found)


def test_a_song_has_so_many_trios_at_most() -> None:
    found, reasons = TRIO.windows(trio_song(120))
    assert reasons["over the limit"] == 105 - MOST_CLIPS
    assert len(found) + reasons["duplicate"] == MOST_CLIPS


def test_why_trios_are_left_out_is_counted() -> None:
    song = trio_song(20)
    rest = (song.notes["part"] == 1) & (song.notes["onset"] >= 1920 * 5) & (song.notes["onset"] < 1920 * 10)
    assert TRIO.windows(song.replace(notes=song.notes[~rest]))[1] == {"gap": 5}
    assert TRIO.drop_reason(trio_song(15)) == "too short"
    for part, reason in ((0, "no lead"), (1, "no bass"), (2, "no drums")):
        assert TRIO.drop_reason(song.replace(notes=song.notes[song.notes["part"] != part])) == reason
    assert TRIO.drop_reason(Song()) == "no notes"


def test_why_bars_of_a_band_are_left_out_is_counted() -> None:
    song = trio_song(3)
    notes = song.notes[~((song.notes["part"] != 1) & (song.notes["onset"] >= 1920) & (song.notes["onset"] < 3840))]
    found, reasons = BAND.windows(song.replace(notes=notes, length=4 * 1920))
    assert (len(found), reasons) == (2, {"one part": 1, "empty": 1})
    many = Song.make([(part, 0, 480, 60, 90) for part in range(9)], [Part(program=part) for part in range(9)])
    assert BAND.drop_reason(many) == "too many parts"
    busy = [(0, step * 60, 60, 60 + step % 2, 90) for step in range(32)]
    assert BAND.drop_reason(Song.make([*busy, (1, 0, 480, 40, 90)], [LEAD, BASS])) == "too many events"
    assert BAND.drop_reason(trio_song(3).replace(meters=Song.make([], [], meters=[(0, 3, 4)]).meters)) == "not 4/4"


def test_clips_that_cannot_be_heard_are_named() -> None:
    song = trio_song(2)
    with pytest.raises(CodecError, match=r"no bass.*vae-melody-2bar"):
        TRIO.arrange(song.replace(notes=song.notes[song.notes["part"] != 1]))
    with pytest.raises(CodecError, match="longer than the 16 bars"):
        TRIO.arrange(trio_song(17))
    with pytest.raises(CodecError, match="9 parts sound"):
        BAND.arrange(Song.make([(n, 0, 480, 60, 90) for n in range(9)], [Part(program=n) for n in range(9)]))
    with pytest.raises(CodecError, match=r"Sax needs .* tokens in a bar"):
        BAND.arrange(Song.make([(0, step * 60, 60, 60 + step % 2, 90) for step in range(32)], [LEAD]))
    with pytest.raises(CodecError, match="part 3, token 0: 512 is outside 0-511"):
        TRIO.decode(np.full((3, 256), 512) * np.array([[0], [0], [1]]), song)
    with pytest.raises(OutOfRange):
        TRIO.describe("part 1", 3)


def test_two_kits_are_one() -> None:
    song = Song.make([(0, 0, 60, 36, 90), (1, 0, 60, 38, 90), (2, 0, 480, 40, 90)], [KIT, Part("More", 8, True), BASS])
    assert BAND.arrange(song).parts == (KIT, BASS)
    assert len(BAND.arrange(song)) == 3


def test_real_songs_come_back(data_folder: Path) -> None:
    files = sorted((data_folder / "band" / "freedoom").rglob("*.mid"))[:6]
    for codec in (TRIO, BAND):
        clips = [clip for file in files for clip in codec.clips(read_midi(file))]
        assert len(clips) > 40
        assert all(codec.decode(codec.encode(clip), clip) == clip == codec.arrange(clip) for clip in clips)

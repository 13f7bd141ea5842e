"""Clips of two bars for MusicVAE: melodies and drums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs.clip_drums import CLASS_OF, DRUM_CLASSES, ClipDrumsCodec, symbol_name
from woodshed.codecs.clip_melody import ClipMelodyCodec
from woodshed.codecs.clips import clip_bars, longest_rest, stretches, without_idle_offs
from woodshed.errors import CodecError, OutOfRange
from woodshed.formats import read_midi
from woodshed.music import Part, Song

MELODY, DRUMS = ClipMelodyCodec(), ClipDrumsCodec()
FLUTE, KIT = Part("Flute", 73), Part("Kit", 0, is_drum=True)
NOTES = st.lists(
    st.tuples(st.just(0), st.integers(0, 3779), st.integers(1, 4000), st.integers(26, 87), st.integers(1, 127)),
    min_size=1,
    max_size=40,
)


def tune(pitches: list[int], part: Part = FLUTE, step: int = 240, **rest: object) -> Song:
    """Notes one after the other."""
    rows = [(0, number * step, step, pitch, 90) for number, pitch in enumerate(pitches)]
    return Song.make(rows, [part], **rest)


@given(NOTES)
def test_an_arranged_melody_comes_back_from_its_events(notes: list[tuple[int, ...]]) -> None:
    clip = MELODY.arrange(Song.make(notes, [FLUTE], tempos=[(0, 90.0)], keys=[(0, 5, False)]))
    tokens = MELODY.encode(clip)
    assert tokens.shape == (1, 32)
    assert MELODY.decode(tokens, clip) == clip == MELODY.arrange(clip)


@given(NOTES)
def test_arranged_drums_come_back_from_their_symbols(notes: list[tuple[int, ...]]) -> None:
    clip = DRUMS.arrange(Song.make(notes, [KIT], tempos=[(0, 90.0)]))
    tokens = DRUMS.encode(clip)
    assert tokens.shape == (1, 32)
    assert DRUMS.decode(tokens, clip) == clip == DRUMS.arrange(clip)


@given(st.lists(st.integers(0, 89), min_size=32, max_size=32))
def test_any_events_make_a_clip_of_two_bars(events: list[int]) -> None:
    clip = MELODY.decode(np.array([events]), tune([60]))
    assert clip.length == 2 * 1920 == clip.bars * 1920
    again = MELODY.encode(clip)
    assert np.array_equal(again, without_idle_offs(np.array([events])))


@given(st.lists(st.integers(0, 511), min_size=32, max_size=32))
def test_any_symbols_make_a_clip_of_two_bars(symbols: list[int]) -> None:
    clip = DRUMS.decode(np.array([symbols]), Song(parts=(KIT,)))
    assert clip.length == 2 * 1920
    assert DRUMS.encode(clip)[0].tolist() == symbols
    assert DRUMS.notes(DRUMS.encode(clip)) == len(clip)


def test_a_melody_is_written_as_in_the_table() -> None:
    song = Song.make([(0, 0, 480, 60, 80), (0, 480, 120, 64, 80), (0, 960, 2880, 67, 80)], [FLUTE], length=3840)
    assert MELODY.encode(MELODY.arrange(song))[0].tolist() == [41, 0, 0, 0, 45, 1, 0, 0, 48] + [0] * 23
    assert MELODY.vocabulary == (90,)
    assert MELODY.describe("melody", 41) == "C4 (60) starts"
    assert MELODY.describe("melody", 1) == "note off"


def test_drums_are_written_as_in_the_table() -> None:
    hits = [(0, 0, 60, 35, 100), (0, 0, 60, 42, 40), (0, 470, 60, 40, 90), (0, 480, 60, 44, 90), (0, 960, 9, 99, 9)]
    song = Song.make(hits, [KIT])
    assert DRUMS.encode(DRUMS.arrange(song))[0].tolist() == [5, 0, 0, 0, 6] + [0] * 27
    assert symbol_name(0) == "nothing is hit"
    assert DRUMS.describe("drums", 511) == ", ".join(drum.name for drum in DRUM_CLASSES)


def test_every_drum_of_general_midi_has_one_class() -> None:
    pitches = [pitch for drum in DRUM_CLASSES for pitch in drum.pitches]
    assert len(pitches) == len(set(pitches))
    assert (CLASS_OF[35:82] >= 0).all()
    assert CLASS_OF[[22, 26]].tolist() == [2, 3]


def test_the_windows_of_a_melody_are_a_bar_apart_and_each_is_there_once() -> None:
    found, reasons = MELODY.windows(tune([60, 62, 64, 65, 67, 69, 71, 72] * 4))
    assert (len(found), reasons) == (1, {"duplicate": 2})
    found, reasons = ClipMelodyCodec(transpose=False).windows(tune(list(range(40, 72))))
    assert [clip.notes["pitch"][0] for clip in found] == [40, 48, 56]
    assert not reasons
    assert all(clip.length == 3840 and clip.parts == (FLUTE,) for clip in found)


def test_clips_are_moved_to_c_major_with_their_key() -> None:
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    for tonic in (67, 65, 58):
        song = tune([*(tonic + scale), *(tonic + scale[::-1])] * 2, keys=[(0, tonic % 12, False)])
        clip = MELODY.clips(song)[0]
        assert clip.notes["pitch"][0] % 12 == 0
        assert clip.keys["tonic"].tolist() == [0]
        assert abs(int(clip.notes["pitch"][0]) - tonic) <= 6
        assert MELODY.transposition(song, [0]) == int(clip.notes["pitch"][0]) - tonic


def test_why_windows_are_left_out_is_counted() -> None:
    rows = [(0, step * 480, 400, 60 + step, 90) for step in range(8)]
    late = [(0, 1920 * 6 + step * 480, 400, 60, 90) for step in range(8)]
    chord = [(0, 1920 * 9, 400, pitch, 90) for pitch in (60, 64)]
    found, reasons = MELODY.windows(Song.make([*rows, *late, *chord], [FLUTE], length=10 * 1920))
    assert len(found) == 1
    assert reasons == {"gap": 3, "empty": 3, "one pitch": 1, "polyphonic": 1}
    assert DRUMS.windows(tune([60, 62]))[1] == {"no drums": 1}
    assert DRUMS.drop_reason(Song()) == "no notes"
    assert MELODY.drop_reason(tune([36], KIT)) == "only drums"
    assert MELODY.drop_reason(tune([60, 62] * 20, meters=[(0, 3, 4)])) == "not 4/4"
    assert MELODY.drop_reason(tune([60, 62, 64])) == "too short"


def test_only_the_bars_of_4_4_are_used() -> None:
    song = tune([60, 62, 64, 65] * 20, step=480, meters=[(0, 3, 4), (1440 * 2, 4, 4), (1440 * 2 + 3840, 3, 4)])
    assert [(place.start, place.bars) for place in stretches(song)] == [(2880, 2)]
    assert len(MELODY.clips(song)) == 1


def test_a_note_that_began_before_the_clip_is_a_rest_in_it() -> None:
    song = Song.make([(0, 0, 2400, 60, 90), *((0, 2400 + 480 * n, 480, 60 + n, 90) for n in range(8))], [FLUTE])
    second = MELODY.clips(song)[1]
    assert second.notes["onset"][0] == 480
    assert longest_rest(MELODY.encode(second)).tolist() == [4]


def test_clips_that_cannot_be_heard_are_named() -> None:
    with pytest.raises(CodecError, match="empty"):
        MELODY.arrange(Song(parts=(FLUTE,)))
    with pytest.raises(CodecError, match=r"3/4.*lookback-rnn"):
        MELODY.arrange(tune([60, 62], meters=[(0, 3, 4)]))
    with pytest.raises(CodecError, match="empty"):
        DRUMS.arrange(tune([99, 100], KIT))
    with pytest.raises(CodecError, match="longer than the 2 bars"):
        MELODY.arrange(tune([60] * 17))
    with pytest.raises(CodecError, match="only drums; use vae-drums-2bar"):
        MELODY.arrange(tune([36], KIT))
    with pytest.raises(CodecError, match="no drums; use vae-melody-2bar"):
        DRUMS.arrange(tune([60]))
    with pytest.raises(CodecError, match="token 3: 90 is outside 0-89"):
        MELODY.decode(np.array([[0, 0, 0, 90] + [0] * 28]), tune([60]))
    with pytest.raises(CodecError, match="shape"):
        DRUMS.decode(np.zeros((1, 31), np.int64), tune([36], KIT))
    with pytest.raises(OutOfRange):
        ClipMelodyCodec(60, 66)
    with pytest.raises(OutOfRange):
        DRUMS.describe("drums", 512)


def test_the_most_tuneful_part_is_heard() -> None:
    rows = [(0, 0, 480, 40, 90), (0, 480, 480, 41, 90), (1, 0, 480, 72, 90), (2, 0, 480, 36, 90)]
    song = Song.make(rows, [Part("Bass", 33), FLUTE, KIT], length=3840)
    clip = MELODY.arrange(song)
    assert (clip.parts, clip.notes["pitch"].tolist()) == ((FLUTE,), [72])
    assert DRUMS.arrange(song).parts == (KIT,)


def test_a_ringing_last_note_is_no_bar() -> None:
    assert clip_bars(tune([60] * 16, length=3900)) == 2
    assert clip_bars(tune([60] * 17)) == 3
    assert clip_bars(tune([60], length=7680)) == 4


def test_real_drums_come_back(data_folder: Path) -> None:
    files = sorted((data_folder / "groove").rglob("*.mid"))[:20]
    clips = [clip for file in files for clip in DRUMS.clips(read_midi(file))]
    assert len(clips) > 40
    assert all(DRUMS.decode(DRUMS.encode(clip), clip) == clip == DRUMS.arrange(clip) for clip in clips)


def test_real_melodies_come_back(data_folder: Path) -> None:
    files = sorted((data_folder / "band" / "freedoom").rglob("*.mid"))[:6]
    clips = [clip for file in files for clip in MELODY.clips(read_midi(file))]
    assert len(clips) > 40
    assert all(MELODY.decode(MELODY.encode(clip), clip) == clip == MELODY.arrange(clip) for clip in clips)

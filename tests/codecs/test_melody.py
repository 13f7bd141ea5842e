"""Melody events: exact on sixteenths, and Lookback RNN's inputs and labels as Magenta numbers them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from woodshed.codecs.melody import FIRST_PITCH, NO_EVENT, NOTE_OFF, MelodyCodec
from woodshed.errors import CodecError, OutOfRange
from woodshed.formats import read_midi, read_musicxml
from woodshed.music import Key, Part, Song, parse_melody
from woodshed.music.key_finding import find_key
from woodshed.music.melodies import extract_melodies

BASIC, LOOKBACK, MONO = MelodyCodec(), MelodyCodec(lookback=True), MelodyCodec(low=0, high=128, transpose=False)
ATTENTION = MelodyCodec(lookback=True, key=True)
AS_IT_IS = MelodyCodec(transpose=False)
FLUTE = Part("Flute", 73)
BARS = st.sampled_from([1, 2, 3, 7, 12, 16, 20, 24])
events_of_basic = st.lists(
    st.one_of(st.just(NO_EVENT), st.just(NOTE_OFF), st.integers(FIRST_PITCH, 37), st.integers(5, 6)), max_size=90
).map(lambda events: BASIC.from_magenta(BASIC.to_magenta(np.array(events, np.int64))))


@st.composite
def grid_melodies(draw: st.DrawFn) -> Song:
    """Melodies on sixteenths within 48-83 at velocity 100."""
    meter = draw(st.sampled_from([(4, 4), (3, 4), (6, 8), (7, 8), (5, 16)]))
    runs = draw(
        st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20), st.integers(48, 83)), min_size=1, max_size=30)
    )
    notes, step = [], 0
    for rest, size, pitch in runs:
        notes.append((0, (step + rest) * 120, size * 120, pitch, 100))
        step += rest + size
    return Song.make(notes, (FLUTE,), meters=[(0, *meter)], length=(step + draw(st.integers(0, 20))) * 120)


@given(grid_melodies())
def test_a_melody_on_sixteenths_comes_back_exactly(song: Song) -> None:
    assert AS_IT_IS.arrange(song) == song
    assert AS_IT_IS.decode(AS_IT_IS.encode(song), song) == song
    assert MONO.decode(MONO.encode(song), song) == song


@given(grid_melodies())
def test_arranging_and_snapping_twice_is_once(song: Song) -> None:
    arranged = BASIC.arrange(song)
    assert BASIC.arrange(arranged) == arranged
    assert BASIC.transposition(arranged) == 0
    assert BASIC.snap(arranged) == arranged


@given(grid_melodies())
def test_the_first_key_comes_back_but_for_the_notes_that_moved_alone(song: Song) -> None:
    back = BASIC.untranspose(BASIC.arrange(song), BASIC.transposition(song))
    assert int((back.notes["pitch"] != song.notes["pitch"]).sum()) == BASIC.octaves_moved(song)
    assert (back.notes["pitch"] % 12 == song.notes["pitch"] % 12).all()


@given(events_of_basic)
def test_events_come_back_exactly(events: NDArray[np.int64]) -> None:
    song = BASIC.decode(events, Song(parts=(FLUTE,)))
    assert BASIC.encode(song).tolist() == events.tolist()
    assert BASIC.notes(events) == len(song)
    assert BASIC.from_magenta(BASIC.to_magenta(events)).tolist() == events.tolist()


@pytest.mark.parametrize("codec", [BASIC, LOOKBACK, ATTENTION])
@given(events=events_of_basic, bar=BARS, data=st.data())
def test_a_row_knows_nothing_of_its_event_or_those_after(
    codec: MelodyCodec, events: NDArray[np.int64], bar: int, data: st.DataObject
) -> None:
    t = data.draw(st.integers(0, len(events)))
    rows = codec.look(events, bar)
    assert rows.shape == (len(events) + 1, codec.active)
    assert codec.look(events[:t], bar).tolist() == rows[: t + 1].tolist()
    assert codec.look_next(events[:t], bar).tolist() == rows[t].tolist()
    assert rows.max() < codec.inputs


@pytest.mark.parametrize("codec", [BASIC, LOOKBACK])
@given(events=events_of_basic, bar=BARS)
def test_labels_give_the_events_back_one_at_a_time_and_are_allowed(
    codec: MelodyCodec, events: NDArray[np.int64], bar: int
) -> None:
    labels = codec.targets(events, bar)
    assert [codec.event(label, events[:t], bar) for t, label in enumerate(labels.tolist())] == events.tolist()
    assert all(codec.allowed(events[:t], bar)[label] for t, label in enumerate(labels.tolist()))


@given(events=events_of_basic, bar=BARS)
def test_whatever_is_allowed_is_no_note_off_into_silence(events: NDArray[np.int64], bar: int) -> None:
    mask = LOOKBACK.allowed(events, bar)
    turns = events[events != NO_EVENT]
    silent = not len(turns) or turns[-1] == NOTE_OFF
    stops = [LOOKBACK.event(label, events, bar) == NOTE_OFF for label in range(LOOKBACK.labels)]
    assert mask.tolist() == [not (silent and stop) for stop in stops]


def magenta_row(events: list[int], t: int, bar: int) -> list[int]:
    """The inputs before event t as ``LookbackEventSequenceEncoderDecoder`` documents them, one by one."""
    here = {events[t - 1]} if t else set()
    for number, back in enumerate((bar, 2 * bar)):
        here.add(38 * (1 + number) + (events[t - back] if t >= back else 0))
        if t - 1 - back >= 0 and events[t - 1] == events[t - 1 - back]:
            here.add(119 + number)
    return sorted(here | {114 + bit for bit in range(5) if t // 2**bit % 2})


def magenta_label(events: list[int], t: int, bar: int) -> int:
    if t < 2 * bar and events[t] == 0:
        return 39
    for number, back in ((1, 2 * bar), (0, bar)):
        if t >= back and events[t] == events[t - back]:
            return 38 + number
    return events[t]


@given(events_of_basic)
def test_inputs_and_labels_in_four_four_are_those_of_magenta(events: NDArray[np.int64]) -> None:
    past = events.tolist()
    rows = [sorted(row[row >= 0].tolist()) for row in LOOKBACK.look(events, 16)]
    assert rows == [magenta_row(past, t, 16) for t in range(len(past) + 1)]
    assert LOOKBACK.targets(events, 16).tolist() == [magenta_label(past, t, 16) for t in range(len(past))]


def fitting_keys(pitches: list[int]) -> set[int]:
    """The major keys, by tonic, that hold the most of these."""
    held = [sum((pitch - tonic) % 12 in (0, 2, 4, 5, 7, 9, 11) for pitch in pitches) for tonic in range(12)]
    return {tonic for tonic in range(12) if held[tonic] == max(held)}


def key_row(events: list[int], t: int, bar: int) -> list[int]:
    """The inputs before event t as ``KeyMelodyEncoderDecoder`` documents them, one by one."""
    past = events[:t]
    notes = [event - 2 + 48 for event in past if event >= 2]
    turns = [event for event in past if event]
    sounds = bool(turns) and turns[-1] >= 2
    here = {notes[-1] - 48, 36} if sounds else {37}
    here |= {38} if past and past[-1] >= 2 else set()
    ways = [(after > before) for before, after in itertools.pairwise(notes) if after != before]
    here |= {39 if ways[-1] else 40} if ways else set()
    here |= {41 + n for n, back in enumerate((bar, 2 * bar)) if t > back and past[-1] == past[t - 1 - back]}
    here |= {43 + bit for bit in range(7) if t % (8 * bar) // 2**bit % 2} | ({50} if t % bar == 0 else set())
    latest: list[int] = []
    for pitch in notes:
        latest = [*(other for other in latest if other != pitch), pitch][-3:]
    return sorted(here | {51 + key for key in fitting_keys(notes)} | {63 + key for key in fitting_keys(latest)})


@given(events_of_basic, BARS)
def test_attention_rnn_sees_the_note_its_direction_the_bar_and_the_keys(events: NDArray[np.int64], bar: int) -> None:
    past = events.tolist()
    rows = ATTENTION.look(events, bar)
    assert np.array_equal(rows[:, :3], LOOKBACK.look(events, bar)[:, :3])  # the events just now, 1 and 2 bars ago
    keys = [sorted(row[row >= 0] - 3 * 38) for row in rows[:, 3:]]
    assert keys == [key_row(past, t, bar) for t in range(len(past) + 1)]
    assert np.array_equal(ATTENTION.targets(events, bar), LOOKBACK.targets(events, bar))


def test_a_worked_example_in_bars_of_two_steps() -> None:
    events = LOOKBACK.from_magenta(parse_melody("[60, -1, 60, -1, 60, 62]"))
    assert events.tolist() == [14, 1, 14, 1, 14, 16]
    assert LOOKBACK.targets(events, 2).tolist() == [14, 1, 38, 38, 39, 16]
    row = LOOKBACK.look(events, 2)[3]  # after 60, -1, 60: the second step of the second bar
    assert row.tolist() == [14, 38 + 1, 76 + 0, 114, 115, -1, -1, -1, 119, -1]


def test_sizes_are_those_of_the_published_models() -> None:
    assert (BASIC.events, BASIC.inputs, BASIC.labels, BASIC.active) == (38, 38, 38, 1)
    assert (LOOKBACK.events, LOOKBACK.inputs, LOOKBACK.labels, LOOKBACK.active) == (38, 121, 40, 10)
    assert (MONO.events, MONO.inputs, MONO.labels) == (130, 130, 130)
    assert (ATTENTION.events, ATTENTION.inputs - 3 * 38, ATTENTION.labels, ATTENTION.active - 3) == (38, 75, 40, 38)


def test_a_song_of_many_parts_gives_its_tune() -> None:
    tune = [(0, i * 480, 480, 60 + i % 5, 90) for i in range(16)]
    bass = [(1, i * 240, 240, 40 + i % 5, 90) for i in range(32)]
    chords = [(2, i * 1920, 1920, pitch, 90) for i in range(4) for pitch in (60, 64, 67)]
    drums = [(3, i * 120, 120, 36, 90) for i in range(64)]
    parts = (FLUTE, Part("Bass", 33), Part("Piano"), Part("Kit", 0, True))
    song = Song.make(tune + bass + chords + drums, parts)
    assert AS_IT_IS.arrange(song).parts == (FLUTE,)
    sung = Song.make(tune + bass[:3], (FLUTE, Part("Bass", 33, role="voice")))
    assert AS_IT_IS.arrange(sung).parts[0].role == "voice"


@pytest.mark.parametrize("shift", range(-5, 7))
def test_tunes_come_to_c_major_or_a_minor_in_the_middle_of_the_range(shift: int) -> None:
    for start, key in ((60, Key(0, "major")), (57, Key(9, "minor"))):
        scale = (0, 4, 7, 5, 4, 2, 7, 4, 2, 0) if key.scale == "major" else (0, 2, 3, 5, 7, 3, 2, 0, 7, 3, 0)
        tune = [(0, i * 480, 480, start + 24 + shift + degree, 90) for i, degree in enumerate(scale)]
        arranged = BASIC.arrange(Song.make(tune, (FLUTE,), keys=[(0, (start + shift) % 12, key.is_minor)]))
        assert find_key(arranged).key == key
        assert arranged.keys["tonic"].tolist() == [key.tonic]
        assert 48 <= arranged.notes["pitch"].min() <= arranged.notes["pitch"].max() <= 83


def test_notes_that_do_not_fit_move_by_octaves_and_are_counted() -> None:
    wide = Song.make([(0, i * 480, 480, pitch, 90) for i, pitch in enumerate((36, 48, 60, 72, 96))], (FLUTE,))
    assert AS_IT_IS.arrange(wide).notes["pitch"].tolist() == [48, 48, 60, 72, 72]
    assert (AS_IT_IS.octaves_moved(wide), AS_IT_IS.transposition(wide)) == (2, 0)


def test_untransposing_stays_within_the_pitches_that_there_are() -> None:
    song = Song.make([(0, 0, 480, pitch, 90) for pitch in (48, 83)], (FLUTE,))
    assert BASIC.untranspose(song, 60).notes["pitch"].tolist() == [0, 35]
    assert BASIC.untranspose(song, -60).notes["pitch"].tolist() == [84, 119]


@pytest.mark.parametrize(
    ("rows", "part", "told"),
    [
        ([(0, 0, 480, 36, 80)], Part("Kit", 0, True), "1 only drums .drums have no melody"),
        ([(0, 0, 480, 60, 80), (0, 0, 480, 64, 80)], Part("Piano"), "1 polyphonic .*give the tune alone"),
        ([], Part("Piano"), "1 no notes"),
    ],
)
def test_a_song_without_melody_says_why(rows: list[tuple[int, ...]], part: Part, told: str) -> None:
    with pytest.raises(CodecError, match=f"Tune has no melody: {told}"):
        BASIC.arrange(Song.make(rows, (part,), title="Tune"))


def test_bars_are_counted_in_sixteenths_of_the_meter() -> None:
    meters = {(4, 4): 16, (3, 4): 12, (6, 8): 12, (7, 8): 14, (5, 16): 5, (2, 2): 16}
    for meter, steps in meters.items():
        assert BASIC.steps_per_bar(Song(meters=Song.make([], (), meters=[(0, *meter)]).meters)) == steps
    odd = Song.make([(0, 0, 480, 60, 80)], (FLUTE,), meters=[(0, 3, 32)], title="Odd")
    with pytest.raises(CodecError, match="Odd: a bar of 3/32 is no whole number of sixteenths"):
        BASIC.arrange(odd)


def test_what_is_out_of_the_vocabulary_is_named() -> None:
    with pytest.raises(OutOfRange, match="melody event 2 is 90, outside 48-83"):
        BASIC.from_magenta(np.array([60, 90]))
    with pytest.raises(OutOfRange, match="note 0 has pitch 90, outside 48-83; arrange"):
        BASIC.encode(Song.make([(0, 0, 480, 90, 80)], (FLUTE,)))
    with pytest.raises(CodecError, match="event 1 is 38, outside 0-37"):
        BASIC.decode(np.array([0, 38]), Song(parts=(FLUTE,)))
    with pytest.raises(CodecError, match="no part"):
        BASIC.decode(np.array([14]), Song())
    with pytest.raises(CodecError, match="label 40 is outside 0-39"):
        LOOKBACK.event(40, np.zeros(4, np.int64), 16)
    with pytest.raises(OutOfRange, match="no octave"):
        MelodyCodec(low=60, high=70)


def test_a_note_off_into_silence_is_no_event() -> None:
    assert BASIC.from_magenta(np.array([-1, 60, -1, -2, -1, 62])).tolist() == [0, 14, 1, 0, 0, 16]


def test_the_codec_comes_back_from_its_config() -> None:
    for codec in (BASIC, LOOKBACK, ATTENTION, MONO):
        rest = {name: value for name, value in codec.config().items() if name not in ("name", "version")}
        assert MelodyCodec(**rest) == codec


def test_every_label_is_described_and_no_two_alike() -> None:
    assert len({LOOKBACK.describe("event", label) for label in range(LOOKBACK.labels)}) == 40
    with pytest.raises(OutOfRange):
        BASIC.describe("event", 38)


def test_the_inputs_of_attention_rnn_come_with_the_labels_of_lookback_rnn() -> None:
    with pytest.raises(OutOfRange, match=r"set codec.lookback=true"):
        MelodyCodec(key=True)


def test_real_melodies_come_back_exactly(data_folder: Path) -> None:
    sheets = sorted((data_folder / "leadsheets" / "openewld").rglob("*.mxl"))[::40]
    tunes = sorted((data_folder / "folk" / "nottingham").glob("*.mid"))[::80]
    for song in [*map(read_musicxml, sheets), *map(read_midi, tunes)]:
        for melody in extract_melodies(song)[0]:
            arranged = BASIC.arrange(melody)
            back = BASIC.decode(BASIC.encode(arranged), arranged)
            columns = ["onset", "duration", "pitch"]
            assert back.notes[columns].tolist() == arranged.notes[columns].tolist()
            assert back.length == arranged.length

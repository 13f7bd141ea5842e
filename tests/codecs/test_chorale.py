"""The chorale codec: exact on the grid, four voices found or refused by name, and a grammar that fits the data."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs.chorale import VOICES, ChoraleCodec
from woodshed.codecs.chorale_frames import (
    END,
    FERMATA,
    FOLLOWS,
    FRAME,
    LOWEST,
    RANGES,
    REST,
    START,
    STRUCK,
    TIED,
    song_frames,
)
from woodshed.errors import CodecError, OutOfRange, UnknownName
from woodshed.formats import read_musicxml
from woodshed.music import Marker, Part, Song

CODEC = ChoraleCodec()
STEP = 120
C_MAJOR = [(part, 0, 1920, pitch, 80) for part, pitch in enumerate((72, 67, 64, 48))]


def struck(pitch: int) -> int:
    return STRUCK + pitch - LOWEST


def tied(pitch: int) -> int:
    return TIED + pitch - LOWEST


@st.composite
def chorales(draw: st.DrawFn) -> Song:
    """Four voices on the grid of sixteenths, with rests, repeated notes, crossings and fermatas."""
    notes = []
    for part, (low, high) in enumerate(RANGES):
        at = 0
        line = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(low, high)), max_size=8)
        for rest, length, pitch in draw(line):
            notes.append((part, (at + rest) * STEP, length * STEP, pitch, 80))
            at += rest + length
    meter = draw(st.sampled_from([(4, 4), (3, 4), (6, 8), (5, 4), (3, 2)]))
    marks = tuple(Marker(step * STEP, "fermata") for step in sorted(draw(st.sets(st.integers(0, 30), max_size=4))))
    length = max([480 * 8, *(onset + size for _, onset, size, _, _ in notes)])
    return Song.make(notes, VOICES, meters=[(0, *meter)], markers=marks, length=length, title="Chorale")


@st.composite
def any_four_parts(draw: st.DrawFn) -> Song:
    """Four parts at any ticks and velocities, whose pitches stay in range in any key."""
    note = st.tuples(st.integers(0, 20000), st.integers(1, 4000), st.integers(0, 6), st.integers(1, 127))
    notes = []
    for part in range(4):
        line = draw(st.lists(note, min_size=1, max_size=8, unique_by=lambda row: row[0]))
        notes += [(part, onset, size, 64 - 7 * part + pitch, velocity) for onset, size, pitch, velocity in line]
    return Song.make(notes, [Part("", 19)] * 4)


def chorale_files() -> list[Path]:
    """Every tenth of Bach's chorales among the scores that music21 installs."""
    found = importlib.util.find_spec("music21")
    assert found is not None
    assert found.origin is not None
    return sorted((Path(found.origin).parent / "corpus" / "bach").glob("*.mxl"))[::10]


@given(chorales())
def test_four_voices_on_the_grid_come_back_exactly(song: Song) -> None:
    events = CODEC.encode(song)
    assert CODEC.decode(events, song) == song
    assert len(events) == 5 * song.length // STEP + 1 + len(song.markers)
    assert CODEC.notes(events) == len(song)


@given(any_four_parts())
def test_snapping_is_what_a_round_trip_does_and_twice_is_once(song: Song) -> None:
    arranged = CODEC.arrange(song)
    snapped = CODEC.snap(song)
    assert CODEC.decode(CODEC.encode(snapped), snapped) == snapped
    assert np.array_equal(CODEC.encode(snapped), CODEC.encode(arranged))


@given(chorales())
def test_every_token_is_allowed_after_those_before_it(song: Song) -> None:
    events = CODEC.encode(song)
    for index, event in enumerate(events.tolist()):
        assert CODEC.allowed(events[:index])[event]
    assert np.flatnonzero(CODEC.allowed(events)).tolist() == [END]


@given(st.integers(0, 2**32 - 1))
def test_whatever_is_drawn_from_the_allowed_tokens_decodes_and_encodes_to_itself(seed: int) -> None:
    chance = np.random.default_rng(seed)
    events: list[int] = []
    while len(events) < 150 and END not in events:
        events.append(int(chance.choice(np.flatnonzero(CODEC.allowed(np.array(events, np.int64))))))
    drawn = np.array(events)
    whole = drawn[: np.flatnonzero(drawn == FRAME)[-1] + 1]
    song = CODEC.decode(drawn, Song.make([], VOICES))
    assert np.array_equal(CODEC.encode(song), np.append(whole, END))


@given(st.lists(st.integers(0, START - 1), min_size=1, max_size=60), st.data())
def test_what_is_seen_before_a_token_does_not_depend_on_it_or_on_later_ones(
    tokens: list[int], data: st.DataObject
) -> None:
    events = np.array(tokens)
    changed_at = data.draw(st.integers(0, len(events) - 1))
    changed = np.append(events[:changed_at], data.draw(st.lists(st.integers(0, START - 1), max_size=20))).astype(int)
    before, after = CODEC.look(events, 16), CODEC.look(changed, 16)
    assert np.array_equal(before[: changed_at + 1], after[: changed_at + 1])
    assert before.shape == (len(events) + 1, CODEC.active)
    assert before.min() >= -1
    assert before.max() < CODEC.inputs


@given(chorales())
def test_labels_are_the_tokens_themselves(song: Song) -> None:
    events = CODEC.encode(song)
    labels = CODEC.targets(events, 16)
    assert labels.max() < CODEC.labels
    assert [CODEC.event(int(label), events[:t], 16) for t, label in enumerate(labels)] == events.tolist()


def test_a_worked_example_gives_these_tokens() -> None:
    notes = [
        (0, 0, 240, 72, 80),
        (1, 0, 120, 67, 80),
        (1, 120, 120, 67, 80),
        (2, 0, 240, 64, 80),
        (3, 120, 120, 48, 80),
    ]
    song = Song.make(notes, VOICES, markers=(Marker(120, "fermata"), Marker(0, "Verse")))
    events = CODEC.encode(song)
    assert events.tolist() == [
        *(struck(72), struck(67), struck(64), REST, FRAME),
        *(FERMATA, tied(72), struck(67), tied(64), struck(48), FRAME),  # the alto repeats its note
        END,
    ]
    assert CODEC.look(events, 16)[:3].tolist() == [
        [START, 121, 126, -1, -1, -1, -1, -1],  # at first only: the soprano comes, on the first sixteenth of the bar
        [struck(72), 122, 126, -1, 279 + struck(72), -1, -1, -1],
        [struck(67), 123, 126, -1, 279 + struck(72), 400 + struck(67), -1, -1],
    ]
    chord = [400 + struck(67), 521 + struck(64), 642 + REST]
    assert CODEC.look(events, 16)[6].tolist() == [FERMATA, 121, 127, 158 + struck(72), 279 + struck(72), *chord]
    assert CODEC.decode(events, song).markers == (Marker(0, "Verse"), Marker(120, "fermata"))


def test_voices_are_moved_to_c_major_or_a_minor_and_the_way_back_is_told() -> None:
    scale = [(0, 480 * i, 480, pitch, 80) for i, pitch in enumerate((62, 64, 66, 67, 69, 71, 73, 74))]
    chord = [(part, 0, 3840, pitch, 80) for part, pitch in ((1, 57), (2, 54), (3, 50))]
    song = Song.make(scale + chord, [Part("", 19)] * 4, keys=[(0, 2, False)])
    arranged = CODEC.arrange(song)
    assert CODEC.transposition(song) == -2
    assert arranged.keys["tonic"].tolist() == [0]
    assert np.array_equal(arranged.transpose(2).notes["pitch"], song.notes["pitch"])


def test_four_unnamed_parts_are_ordered_by_register() -> None:
    song = Song.make([(3 - part, *rest) for part, *rest in C_MAJOR], [Part("", 19)] * 4)
    assert CODEC.arrange(song).notes.tolist() == Song.make(C_MAJOR, VOICES).notes.tolist()


def test_named_voices_are_taken_from_an_orchestra() -> None:
    notes = [(0, 0, 480, 90, 80), *((part + 1, *rest) for part, *rest in C_MAJOR), (5, 0, 480, 36, 80)]
    names = ("Trumpet", "Soprano", "Alto", "Tenor", "Bass", "Continuo")
    arranged = CODEC.arrange(Song.make(notes, [Part(name) for name in names]))
    assert arranged.parts == VOICES
    assert arranged.notes["pitch"].tolist() == [72, 67, 64, 48]


@pytest.mark.parametrize("parts", [1, 2])
def test_a_reduction_to_fewer_staves_is_split_into_its_voices(parts: int) -> None:
    lines = ((72, 74, 76), (67, 67, 69), (64, 62, 60), (48, 50, 52))
    notes = [(part, 480 * i, 480, pitch, 80) for part, line in enumerate(lines) for i, pitch in enumerate(line)]
    notes.append((1, 1440, 480, 69, 80))  # the alto alone
    reduced = Song.make([(part * parts // 4, *rest) for part, *rest in notes], [Part("", 0)] * parts)
    shift = CODEC.transposition(reduced)
    assert CODEC.arrange(reduced) == Song.make(notes, VOICES).transpose(shift)


def test_a_voice_keeps_the_note_it_holds_when_another_crosses_it() -> None:
    notes = [(0, 0, 960, 67, 80), (1, 0, 480, 64, 80), (1, 480, 480, 69, 80), *C_MAJOR[2:]]
    reduced = Song.make([(part // 2, *rest) for part, *rest in notes], [Part("", 0)] * 2)
    assert CODEC.arrange(reduced) == Song.make(notes, VOICES).transpose(CODEC.transposition(reduced))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([60, 64, 67], "3 pitched parts sound"),
        ([48, 52, 55, 60, 64], "5 pitched parts sound"),
        ([], "0 pitched parts sound"),
    ],
)
def test_a_song_without_four_voices_is_refused_with_what_it_has(parts: list[int], message: str) -> None:
    notes = [(part, 0, 480, pitch, 80) for part, pitch in enumerate(parts)]
    with pytest.raises(CodecError, match=f"Trio: {message}.*two voices each"):
        CODEC.arrange(Song.make(notes, [Part()] * len(parts), title="Trio"))


def test_a_voice_with_two_notes_at_once_is_named_with_its_place() -> None:
    song = Song.make([*C_MAJOR, (1, 2400, 480, 60, 80), (1, 2400, 480, 64, 80)], VOICES, title="Hymn")
    with pytest.raises(CodecError, match=r"Hymn: bar 2, beat 2: the alto has the pitches 60 and 64 at once"):
        CODEC.arrange(song)


def test_five_voices_in_one_staff_are_refused_with_their_place() -> None:
    song = Song.make([(0, 480, 480, 60 + 3 * voice, 80) for voice in range(5)], [Part()])
    with pytest.raises(CodecError, match=r"bar 1, beat 2: more than 4 voices"):
        CODEC.arrange(song)


def test_two_sopranos_are_one_too_many() -> None:
    names = ("Soprano 1", "Soprano 2", "Alto", "Tenor", "Bass")
    notes = [(part, 0, 480, 80 - 6 * part, 80) for part in range(5)]
    with pytest.raises(CodecError, match="2 parts are soprano"):
        CODEC.arrange(Song.make(notes, [Part(name) for name in names]))


def test_a_melody_can_be_any_of_the_voices_and_the_others_are_silent() -> None:
    melody = Song.make([(0, 480 * i, 480, pitch, 80) for i, pitch in enumerate((67, 69, 71, 67))], [Part("Lead", 30)])
    arranged = CODEC.arrange(melody, ["tenor"])
    assert set(arranged.notes["part"].tolist()) == {2}
    tokens = song_frames(arranged).tokens
    assert (tokens[:, [0, 1, 3]] == REST).all()
    with pytest.raises(UnknownName, match="baritone"):
        CODEC.arrange(melody, ["baritone"])
    with pytest.raises(CodecError, match=r"1 pitched part and 2 voices \(soprano, bass\)"):
        CODEC.arrange(melody, ["soprano", "bass"])


def test_a_melody_far_from_its_voice_is_moved_by_octaves() -> None:
    melody = Song.make([(0, 480 * i, 480, pitch, 80) for i, pitch in enumerate((84, 88, 91, 96))], [Part()])
    assert CODEC.transposition(melody, ["bass"]) == -36
    low = CODEC.arrange(Song.make([(0, 0, 480, 60, 80)], [Part()]), ["bass"])
    assert CODEC.encode(low)[3] == struck(60)


def test_a_note_outside_its_voice_is_named_with_the_range() -> None:
    song = Song.make([*C_MAJOR, (0, 1920, 480, 100, 80)], VOICES, title="High")
    for refuse in (CODEC.encode, CODEC.arrange):
        with pytest.raises(CodecError, match=r"High: bar 2, beat 1: soprano 100 is outside 50-86"):
            refuse(song)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([REST, REST, REST, FRAME], "token 3: frame 0 has 3 voices"),
        ([REST] * 5 + [FRAME], "frame 0 has 5 voices"),
        ([REST, REST, REST, tied(48), FRAME], r"token 3: 'holds on to C3 \(48\)' cannot be the bass of frame 0"),
        ([struck(30), REST, REST, REST, FRAME], "token 0: 'starts F#1 .* rest, start 50-86"),
        ([REST, FERMATA, REST, REST, FRAME], "token 1: 'a fermata'"),
        ([START], "token 0: id 120 is outside"),
    ],
)
def test_a_token_out_of_turn_is_named(tokens: list[int], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        CODEC.decode(np.array(tokens), Song.make([], VOICES))


def test_reading_stops_at_the_end_and_before_a_frame_that_is_not_complete() -> None:
    frame = [struck(72), struck(67), struck(64), struck(48), FRAME]
    assert len(CODEC.decode(np.array([*frame, END, *frame]), Song())) == 4
    assert len(CODEC.decode(np.array([*frame, FERMATA, struck(72)]), Song())) == 4
    assert CODEC.decode(np.array([END]), Song()).notes.size == 0
    assert CODEC.encode(Song.make([], VOICES)).tolist() == [END]


def test_what_a_voice_may_do_follows_from_what_it_did() -> None:
    assert FOLLOWS[0, struck(60), tied(60)]
    assert FOLLOWS[0, tied(60), tied(60)]
    assert not FOLLOWS[0, struck(62), tied(60)]
    assert not FOLLOWS[0, REST, TIED:].any()
    assert not FOLLOWS[:, :, [FRAME, FERMATA, END]].any()


def test_a_song_too_long_to_be_a_chorale_is_refused() -> None:
    song = Song.make(C_MAJOR, VOICES, length=2**31 - 1)
    with pytest.raises(CodecError, match="cut the song"):
        CODEC.arrange(song)


def test_every_token_is_described_and_no_two_alike() -> None:
    assert len({CODEC.describe("event", token) for token in range(CODEC.events)}) == CODEC.events
    with pytest.raises(OutOfRange):
        CODEC.describe("event", CODEC.events)
    assert CODEC.field_sizes() == {"event": 121}
    assert CODEC.config() == {"name": "chorale", "version": 2}


def test_real_chorales_come_back_as_they_were() -> None:
    """All but a few have nothing shorter than a sixteenth; each must survive a second time."""
    exact = 0
    files = chorale_files()
    for path in files:
        song = CODEC.arrange(read_musicxml(path))
        back = CODEC.decode(CODEC.encode(song), song)
        kept = ["part", "onset", "duration", "pitch"]
        exact += np.array_equal(back.notes[kept], song.notes[kept])
        assert CODEC.snap(back) == back
    assert exact >= 0.9 * len(files) > 30


def test_synthetic_chorales_without_names_are_understood(data_folder: Path) -> None:
    from woodshed.formats import read_midi

    for path in sorted((data_folder / "chorales" / "js-fakes").glob("*.mid"))[::50]:
        song = CODEC.snap(read_midi(path))
        assert (np.diff(np.median(song_frames(song).tokens % 58, axis=0)) <= 0).all()

"""Song -> `write_midi` -> `read_midi` gives the song back, for made-up songs and for real ones."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from woodshed.errors import FileError, OutOfRange
from woodshed.formats.midi import Repair, read_midi, write_midi
from woodshed.formats.midi_chunks import find_chunks
from woodshed.formats.midi_limits import MidiLimits
from woodshed.formats.midi_repairs import Ledger
from woodshed.formats.midi_walk import walk_tracks
from woodshed.music import BEND, CONTROL, KEY, METER, NOTE, TEMPO, Marker, Part, Song
from woodshed.music.units import rescale_ticks

TICK = st.integers(0, 20_000)
PROGRAM = st.integers(0, 127)


def once_per_tick(row: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Rows at different ticks: of two tempos at one tick only the last holds."""
    return st.lists(st.tuples(TICK, row), max_size=4, unique_by=lambda pair: pair[0])


def flat(pairs: list[Any]) -> list[tuple[Any, ...]]:
    return [(tick, *row) for tick, row in pairs]


@st.composite
def songs(draw: st.DrawFn, overlaps: bool = False) -> Song:
    """Any song that a MIDI file can hold; notes of one pitch and part overlap only if ``overlaps``."""
    parts = draw(st.lists(st.builds(Part, st.text(max_size=8), PROGRAM, st.booleans()), max_size=20))
    part = st.integers(0, len(parts) - 1)
    note = st.tuples(part, TICK, st.integers(1, 3000), st.integers(0, 127), st.integers(1, 127))
    notes = np.array(draw(st.lists(note, max_size=30)) if parts else [], NOTE)
    control = st.tuples(part, TICK, st.integers(0, 127), st.integers(0, 127))
    bend = st.tuples(part, TICK, st.integers(-8192, 8191))
    markers = draw(st.lists(st.builds(Marker, TICK, st.text(max_size=8)), max_size=3))
    return Song.make(
        notes if overlaps else without_overlaps(notes),
        parts,
        controls=np.array(draw(st.lists(control, max_size=10)) if parts else [], CONTROL),
        bends=np.array(draw(st.lists(bend, max_size=10)) if parts else [], BEND),
        tempos=np.array(flat(draw(once_per_tick(st.tuples(st.integers(400, 30_000).map(lambda x: x / 100))))), TEMPO),
        meters=np.array(
            flat(draw(once_per_tick(st.tuples(st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16, 32]))))), METER
        ),
        keys=np.array(flat(draw(once_per_tick(st.tuples(st.integers(0, 11), st.booleans())))), KEY),
        markers=tuple(sorted(markers, key=lambda marker: marker.onset)),
        title=draw(st.text(max_size=8)),
        length=draw(st.integers(20_000, 40_000)),
    )


def without_overlaps(notes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Cut each note off where the next of its part and pitch begins; of equal onsets keep one."""
    notes = notes[np.lexsort((notes["onset"], notes["pitch"], notes["part"]))]
    same = (notes["part"][1:] == notes["part"][:-1]) & (notes["pitch"][1:] == notes["pitch"][:-1])
    gap = notes["onset"][1:] - notes["onset"][:-1]
    notes["duration"][:-1] = np.where(same, np.minimum(notes["duration"][:-1], gap), notes["duration"][:-1])
    return notes[notes["duration"] > 0]


def read(data: bytes) -> tuple[Song, list[Repair]]:
    repairs: list[Repair] = []
    return read_midi(data, repairs=repairs), repairs


def ends_of_track(data: bytes) -> list[int]:
    chunks = find_chunks(data, "written", MidiLimits(), Ledger())
    return walk_tracks(data, chunks.tracks, "written", MidiLimits(), Ledger()).ends.tolist()


@settings(max_examples=100, deadline=None)
@given(songs())
def test_every_song_comes_back_as_it_was(song: Song) -> None:
    data = write_midi(song)
    back, repairs = read(data)
    assert back == song
    assert repairs == []
    assert write_midi(back) == data


@settings(max_examples=30, deadline=None)
@given(songs(overlaps=True))
def test_overlapping_notes_of_one_pitch_keep_their_onsets_velocities_and_ends(song: Song) -> None:
    back, _ = read(write_midi(song))
    columns = ["part", "onset", "pitch", "velocity"]
    assert np.array_equal(np.sort(back.notes[columns]), np.sort(song.notes[columns]))
    for each in range(len(song.parts)):
        ends = [np.sort(one.ends[one.notes["part"] == each]) for one in (back, song)]
        assert np.array_equal(*ends)
    assert read(write_midi(back))[0] == back


@settings(max_examples=30, deadline=None)
@given(songs())
def test_every_track_ends_where_the_song_ends(song: Song) -> None:
    assert ends_of_track(write_midi(song)) == [song.length] * (len(song.parts) + 1)


def test_a_note_that_rings_past_the_end_rounds_the_tracks_up_to_a_bar() -> None:
    notes = np.array([(0, 1800, 480, 60, 80)], NOTE)
    song = Song(notes=notes, parts=(Part(),), length=1920)
    assert ends_of_track(write_midi(song)) == [3840, 3840]


def test_the_bytes_are_a_plain_format_1_file(band_song: Song) -> None:
    data = write_midi(band_song)
    assert data[:14] == b"MThd" + struct.pack(">IHHH", 6, 1, 4, 480)
    assert data.count(b"MTrk") == 4
    assert data == write_midi(band_song)
    first = data[22 : data.index(b"MTrk", 22)]
    for event in (
        b"\xff\x03\x09Four Bars",
        b"\xff\x58\x04\x04\x02",
        b"\xff\x59\x02\x01\x01",
        b"\xff\x51\x03\x06\x8a\x1b",
    ):
        assert event in first
    assert bytes.fromhex("00C921") not in data  # the bass is not on channel 10
    for program_change in ("00C900", "00C021", "00C11E"):
        assert bytes.fromhex(program_change) in data


def test_past_fifteen_parts_channels_are_shared_by_program_first() -> None:
    parts = [Part(f"part {index}", index // 2) for index in range(40)]
    notes = [(index, index * 10, 5, 60, 80) for index in range(40)]
    song = Song.make(notes, parts)
    data = write_midi(song)
    assert read(data)[0] == song
    assert b"\xc9" not in data[14:].replace(b"MTrk", b"")  # none of them strays onto the drums' channel


def test_a_wait_longer_than_a_file_can_say_is_named() -> None:
    with pytest.raises(OutOfRange, match="268435455"):
        write_midi(Song(length=2**28))


def test_a_file_is_written_whole_or_not_at_all(band_song: Song, tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    data = write_midi(band_song, path)
    assert path.read_bytes() == data
    assert [entry.name for entry in tmp_path.iterdir()] == ["song.mid"]
    with pytest.raises(FileError, match="cannot be written"):
        write_midi(band_song, tmp_path / "missing" / "song.mid")


def test_real_songs_come_back_as_they_were(data_folder: Path) -> None:
    paths = sorted((data_folder / "band").rglob("*.mid"))[::8] + sorted((data_folder / "groove").rglob("*.mid"))[::100]
    for path in paths:
        song = read_midi(path)
        assert read_midi(write_midi(song)) == song, path.name


def test_symusic_sees_the_same_notes_in_what_is_written(data_folder: Path) -> None:
    symusic = pytest.importorskip("symusic", reason="no second MIDI reader to compare with; install symusic")
    for path in sorted((data_folder / "band").rglob("*.mid"))[::20]:
        song = read_midi(path)
        score = symusic.Score.from_midi(write_midi(song))
        columns = [track.notes.numpy() for track in score.tracks]
        assert score.ticks_per_quarter == 480
        for name, ours in (("time", "onset"), ("duration", "duration"), ("pitch", "pitch"), ("velocity", "velocity")):
            theirs = np.concatenate([each[name] for each in columns])
            assert np.array_equal(np.sort(theirs), np.sort(song.notes[ours])), path.name


def test_symusic_reads_the_same_notes_from_real_files_that_need_no_repair(data_folder: Path) -> None:
    symusic = pytest.importorskip("symusic", reason="no second MIDI reader to compare with; install symusic")
    mended = {"stuck-note", "zero-length-note", "orphan-note-off", "smpte-division"}
    compared = 0
    for path in sorted((data_folder / "band").rglob("*.mid"))[::10]:
        repairs: list[Repair] = []
        song = read_midi(path, repairs=repairs)
        if mended & {repair.kind for repair in repairs}:
            continue
        score = symusic.Score.from_file(str(path))
        columns = [track.notes.numpy() for track in score.tracks]
        onset, duration, pitch = (
            np.concatenate([each[name] for each in columns]).astype(int) for name in ("time", "duration", "pitch")
        )
        onset, end = (rescale_ticks(ticks, score.ticks_per_quarter) for ticks in (onset, onset + duration))
        theirs = np.stack((onset, np.maximum(end - onset, 1), pitch))
        ours = np.stack([song.notes[name].astype(int) for name in ("onset", "duration", "pitch")])
        assert np.array_equal(theirs[:, np.lexsort(theirs)], ours[:, np.lexsort(ours)]), path.name
        compared += 1
    assert compared > 10


def test_a_tempo_that_stands_on_a_later_track_is_found_in_real_files(data_folder: Path) -> None:
    late = 0
    for path in sorted((data_folder / "band" / "freedoom").glob("*.mid")):
        data = path.read_bytes()
        chunks = find_chunks(data, path.name, MidiLimits(), Ledger())
        events = walk_tracks(data, chunks.tracks, path.name, MidiLimits(), Ledger())
        owners = {owner for _, owner, kind, _ in events.metas if kind == 0x51}
        late += bool(owners) and 0 not in owners
        assert bool(owners) == bool(len(read_midi(path).tempos)), path.name
    assert late > 20

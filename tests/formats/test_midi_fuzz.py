"""Damaged files: `read_midi` gives a song or a `WoodshedError`, and its two ways of reading agree."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from woodshed.errors import LimitExceeded, WoodshedError
from woodshed.formats.midi import MidiLimits, Repair, read_midi, write_midi
from woodshed.formats.midi_chunks import find_chunks
from woodshed.formats.midi_repairs import Ledger
from woodshed.formats.midi_scan import scan_tracks
from woodshed.formats.midi_walk import walk_tracks
from woodshed.music import Marker, Part, Song

SEED = write_midi(
    Song.make(
        [(part, step * 120, 100 + part, 36 + step % 7, 60 + step) for step in range(12) for part in range(2)],
        [Part("Drums", 8, is_drum=True), Part("Gitarre ü", 29)],
        tempos=[(0, 140.0), (960, 90.5)],
        meters=[(0, 7, 8)],
        keys=[(0, 4, True)],
        controls=[(1, 0, 64, 127), (1, 480, 64, 0)],
        bends=[(1, 240, -300)],
        markers=(Marker(0, "A"), Marker(960, "B")),
        length=1920,
    ),
    comment='{"seed": 1}',
)
BYTE = st.one_of(st.integers(0, 255), st.sampled_from([0x00, 0x7F, 0x80, 0xFF, 0x2F, 0x90, 0xC0, 0xF0, 0x51]))
EDIT = st.one_of(
    st.tuples(st.just("set"), st.integers(0, len(SEED)), BYTE),
    st.tuples(st.just("cut"), st.integers(0, len(SEED)), st.integers(1, 40)),
    st.tuples(st.just("put"), st.integers(0, len(SEED)), BYTE),
    st.tuples(st.just("double"), st.integers(0, len(SEED)), st.integers(1, 80)),
)


def damaged(edits: list[tuple[str, int, int]]) -> bytes:
    """The seed file after some edits."""
    data = bytearray(SEED)
    for verb, at, value in edits:
        if verb == "set":
            data[at : at + 1] = bytes([value])
        elif verb == "put":
            data[at:at] = bytes([value])
        elif verb == "cut":
            del data[at : at + value]
        else:
            data[at:at] = data[at : at + value]
    return bytes(data)


def song_or_none(data: bytes, repairs: list[Repair]) -> Song | None:
    """The song, or None after an error of ours that is told on one line; anything else fails the test."""
    try:
        return read_midi(data, repairs=repairs)
    except WoodshedError as error:
        message = str(error)
    assert "\n" not in message
    return None


@settings(max_examples=150, deadline=None)
@given(st.lists(EDIT, min_size=1, max_size=6))
def test_a_damaged_file_gives_a_song_or_a_plain_error(edits: list[tuple[str, int, int]]) -> None:
    repairs: list[Repair] = []
    song = song_or_none(damaged(edits), repairs)
    if song is None:
        return
    assert all(repair.count > 0 and repair.detail for repair in repairs)
    assert read_midi(write_midi(song)).parts == song.parts


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
@example(b"\x90\x3c\x50")
def test_any_bytes_as_a_track_give_a_song_or_a_plain_error(body: bytes) -> None:
    data = b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk" + len(body).to_bytes(4, "big") + body
    song_or_none(data, [])


@settings(max_examples=150, deadline=None)
@given(st.lists(EDIT, max_size=3))
def test_where_the_quick_reader_answers_the_patient_one_agrees(edits: list[tuple[str, int, int]]) -> None:
    data = damaged(edits)
    try:
        chunks = find_chunks(data, "damaged", MidiLimits(), Ledger())
    except WoodshedError:
        return
    quick = scan_tracks(data, chunks.tracks, "damaged", MidiLimits())
    if quick is None:
        return
    ledger = Ledger()
    patient = walk_tracks(data, chunks.tracks, "damaged", MidiLimits(), ledger)
    assert ledger.repairs() == []
    for name in ("track", "tick", "word", "ends"):
        assert np.array_equal(getattr(quick, name), getattr(patient, name)), name
    assert (quick.metas, quick.sysex) == (patient.metas, patient.sysex)


def test_the_quick_reader_takes_a_healthy_file() -> None:
    chunks = find_chunks(SEED, "seed", MidiLimits(), Ledger())
    assert scan_tracks(SEED, chunks.tracks, "seed", MidiLimits()) is not None


MESSAGE = st.tuples(
    st.sampled_from((0x90, 0xB3, 0xC2, 0xD7)),
    st.lists(st.integers(0, 127), min_size=1, max_size=4),
    st.integers(0, 300),
)
"""A status, data of so many messages under it, and their delta time."""


@settings(deadline=None)
@given(st.lists(MESSAGE, max_size=7))
def test_the_quick_reader_knows_how_much_data_a_running_status_takes(
    messages: list[tuple[int, list[int], int]],
) -> None:
    body = bytearray()
    for status, values, delta in messages:
        for number, value in enumerate(values):
            body += bytes((delta >> 7 | 0x80, delta & 127)) + (b"" if number else bytes([status]))
            body += bytes([value]) if status & 0xE0 == 0xC0 else bytes((value, 64))
    body += b"\0\xff\x2f\0"
    data = b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk" + len(body).to_bytes(4, "big") + bytes(body)
    tracks = ((22, len(data)),)
    quick = scan_tracks(data, tracks, "running", MidiLimits())
    patient = walk_tracks(data, tracks, "running", MidiLimits(), Ledger())
    assert quick is not None
    assert np.array_equal(quick.word, patient.word)
    assert np.array_equal(quick.tick, patient.tick)


def test_millions_of_events_in_a_broken_file_stop_at_the_limit() -> None:
    body = b"\x00\x90\x3c\xff" * 50_000  # a data byte over 127 makes it a case for the patient reader
    data = b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk" + len(body).to_bytes(4, "big") + body
    with pytest.raises(LimitExceeded, match="max_events"):
        read_midi(data, limits=MidiLimits(max_events=1000))

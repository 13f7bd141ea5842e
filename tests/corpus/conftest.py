"""Small music, and a writer of MIDI files that owes nothing to the code under test."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from woodshed.music import Part, Song

Writer = Callable[[Path, Song], Path]
Tune = Callable[..., Song]


def _variable(number: int) -> bytes:
    out = bytes([number & 127])
    while number := number >> 7:
        out = bytes([number & 127 | 128]) + out
    return out


def _track(events: list[tuple[int, int, bytes]]) -> bytes:
    """Events (tick, order, bytes) -> a track chunk."""
    out, now = b"", 0
    for tick, _, data in sorted(events):
        out, now = out + _variable(tick - now) + data, tick
    out += b"\0\xff\x2f\0"
    return b"MTrk" + struct.pack(">I", len(out)) + out


def write_midi_file(path: Path, song: Song) -> Path:
    """A type 1 file at 480 ticks per quarter: tempo and meter, then a track per part."""
    first = [(0, 0, b"\xff\x51\x03" + int(6e7 / song.bpm).to_bytes(3, "big")), (0, 0, b"\xff\x58\x04\x04\x02\x18\x08")]
    tracks = [_track(first)]
    pitched = iter([*range(9), *range(10, 16)])
    for number, part in enumerate(song.parts):
        channel = 9 if part.is_drum else next(pitched)
        name = part.name.encode()
        events = [(0, 0, b"\xff\x03" + _variable(len(name)) + name), (0, 1, bytes([0xC0 | channel, part.program]))]
        for row in song.notes[song.notes["part"] == number]:
            start, end = int(row["onset"]), int(row["onset"] + row["duration"])
            events.append((start, 3, bytes([0x90 | channel, row["pitch"], row["velocity"]])))
            events.append((end, 2, bytes([0x80 | channel, row["pitch"], 0])))
        tracks.append(_track(events))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), 480) + b"".join(tracks))
    return path


def make_tune(seed: int, *, bars: int = 16) -> Song:
    """A random walk for lead and another for bass, with drums: like no other seed's."""
    chance = np.random.default_rng(seed)
    notes: list[tuple[int, int, int, int, int]] = []
    for part, centre in ((0, 67), (1, 40)):
        onset, pitch = 0, centre
        while onset < bars * 1920:
            length = min(int(chance.choice([120, 240, 240, 480])), bars * 1920 - onset)
            pitch = int(np.clip(pitch + chance.integers(-5, 6), centre - 12, centre + 12))
            notes.append((part, onset, length, pitch, 90))
            onset += length
    notes += [(2, beat * 480, 120, 36 + 2 * (beat % 2), 100) for beat in range(bars * 4)]
    parts = [Part("Lead", 81), Part("Bass", 33), Part("Drums", 0, True)]
    return Song.make(notes, parts, tempos=[(0, 120.0)], meters=[(0, 4, 4)], length=bars * 1920)


@pytest.fixture(scope="session")
def write_song() -> Writer:
    return write_midi_file


@pytest.fixture(scope="session")
def tune() -> Tune:
    return make_tune

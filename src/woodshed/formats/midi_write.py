"""Write a song as a Standard MIDI File, every track ending exactly where the song ends, so that a clip loops.

symusic's own writer ends each track one tick after its last event, so the bytes are made here, with numpy.
"""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import FileError, OutOfRange
from woodshed.formats.midi_meta import (
    KEY_SIGNATURE,
    MARKER,
    NAME,
    PART_MARK,
    PRIVATE,
    SET_TEMPO,
    TEXT,
    TIME_SIGNATURE,
    micros_per_quarter,
)
from woodshed.music import Key, Part, Song
from woodshed.music.general_midi import DRUM_CHANNEL
from woodshed.music.units import TICKS_PER_QUARTER

MAX_DELTA = 2**28 - 1
"""The longest wait that four bytes can say, in ticks."""
MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)


def write_midi(song: Song, path: Path | str | None = None, *, comment: str | None = None) -> bytes:
    """The bytes of a format 1 file at 480 ticks per quarter note, also written to ``path`` if there is one.

    The first track holds title, comment (a text event), tempos, meters, keys and markers; then each part has a
    track: name, program at tick 0, controls, bends, notes. Drums are on channel 10, the others on channels 1-16
    without it, in order; past fifteen, parts of one program share a channel first. The same song always gives the
    same bytes.

    Raises:
        OutOfRange: if two events lie further apart than a file can say.
        FileError: if ``path`` cannot be written.
    """
    end = _end(song)
    tracks = [_first_track(song, comment, end)]
    order = np.argsort(song.notes["part"], kind="stable")
    notes = song.notes[order]
    for index, (part, channel) in enumerate(zip(song.parts, _channels(song.parts), strict=True)):
        low, high = np.searchsorted(notes["part"], (index, index + 1))
        tracks.append(_part_track(song, index, part, channel, notes[low:high], end))
    data = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), TICKS_PER_QUARTER)
    data += b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)
    if path is not None:
        _replace(Path(path), data)
    return data


def _end(song: Song) -> int:
    """Where every track ends: the song's length, or the end of the bar in which its last note stops."""
    last = int(song.ends.max(initial=0))
    end = song.length if last <= song.length else int(song.replace(length=last).bar_lines()[-1])
    tables = (song.tempos, song.meters, song.keys, song.controls, song.bends)
    onsets = [int(table["onset"].max(initial=0)) for table in tables]
    return max(end, *onsets, *(marker.onset for marker in song.markers))


def _channels(parts: tuple[Part, ...]) -> list[int]:
    """A channel for each part: its own while there are enough, then that of a part with the same program."""
    channels: list[int] = []
    by_program: dict[int, int] = {}
    used = 0
    crowded = sum(not part.is_drum for part in parts) > len(MELODIC_CHANNELS)
    for part in parts:
        if part.is_drum:
            channels.append(DRUM_CHANNEL)
        elif crowded and part.program in by_program:
            channels.append(by_program[part.program])
        else:
            channels.append(by_program.setdefault(part.program, MELODIC_CHANNELS[used % len(MELODIC_CHANNELS)]))
            used += 1
    return channels


def _first_track(song: Song, comment: str | None, end: int) -> bytes:
    events: list[tuple[int, int, bytes]] = []
    if song.title:
        events.append((0, NAME, song.title.encode("utf-8", "replace")))
    if comment is not None:
        events.append((0, TEXT, comment.encode("utf-8", "replace")))
    for onset, numerator, denominator in song.meters.tolist():
        events.append((onset, TIME_SIGNATURE, bytes((numerator, denominator.bit_length() - 1, 24, 8))))
    for onset, tonic, is_minor in song.keys.tolist():
        fifths = Key(tonic, "minor" if is_minor else "major").fifths
        events.append((onset, KEY_SIGNATURE, struct.pack(">bB", fifths, is_minor)))
    events += [(onset, SET_TEMPO, micros_per_quarter(bpm).to_bytes(3, "big")) for onset, bpm in song.tempos.tolist()]
    events += [(marker.onset, MARKER, marker.text.encode("utf-8", "replace")) for marker in song.markers]
    events.sort(key=lambda event: event[0])
    pieces: list[bytes] = []
    now = 0
    for onset, kind, payload in events:
        pieces += [variable_length(onset - now), bytes((0xFF, kind)), variable_length(len(payload)), payload]
        now = onset
    return b"".join(pieces) + variable_length(end - now) + b"\xff\x2f\x00"


def _part_track(song: Song, index: int, part: Part, channel: int, notes: NDArray[Any], end: int) -> bytes:
    name = part.name.encode("utf-8", "replace")
    head = b"\x00\xff\x03" + variable_length(len(name)) + name if name else b""
    head += b"\x00\xff" + bytes((PRIVATE,)) + variable_length(len(PART_MARK)) + PART_MARK
    head += bytes((0, 0xC0 | channel, part.program))
    events = _events(
        notes, song.controls[song.controls["part"] == index], song.bends[song.bends["part"] == index], channel
    )
    last = int(events[-1, 0]) if len(events) else 0
    return head + encode_events(events) + variable_length(end - last) + b"\xff\x2f\x00"


def _events(notes: NDArray[Any], controls: NDArray[Any], bends: NDArray[Any], channel: int) -> NDArray[np.int64]:
    """(E, 4) tick, status, two data bytes, sorted; at one tick: note-offs, controls, bends, note-ons."""
    sizes = (len(notes), len(controls), len(bends), len(notes))
    table = np.empty((sum(sizes), 4), np.int64)
    off, control, bend, on = np.split(table, np.cumsum(sizes)[:-1])
    off[:, 0], off[:, 1], off[:, 2], off[:, 3] = notes["onset"] + notes["duration"], 0x80 | channel, notes["pitch"], 64
    control[:, 0], control[:, 1] = controls["onset"], 0xB0 | channel
    control[:, 2], control[:, 3] = controls["number"], controls["value"]
    value = bends["value"].astype(np.int64) + 8192
    bend[:, 0], bend[:, 1], bend[:, 2], bend[:, 3] = bends["onset"], 0xE0 | channel, value & 127, value >> 7
    on[:, 0], on[:, 1], on[:, 2], on[:, 3] = notes["onset"], 0x90 | channel, notes["pitch"], notes["velocity"]
    return table[np.argsort(table[:, 0], kind="stable")]


def encode_events(events: NDArray[np.int64]) -> bytes:
    """Sorted (E, 4) events as bytes, each with its wait in front."""
    delta = np.diff(events[:, 0], prepend=0)
    if len(delta) and delta.max() > MAX_DELTA:
        raise OutOfRange(f"two events lie {delta.max()} ticks apart; a MIDI file can say at most {MAX_DELTA}")
    cells = np.empty((len(events), 7), np.uint8)
    for place in range(4):
        digit = delta >> 7 * (3 - place) & 127
        cells[:, place] = digit | (128 if place < 3 else 0)
    cells[:, 4:] = events[:, 1:]
    keep = np.ones(cells.shape, bool)
    for place in range(3):
        keep[:, place] = delta >= 1 << 7 * (3 - place)
    return cells[keep].tobytes()


def variable_length(value: int) -> bytes:
    """A variable-length number."""
    if not 0 <= value <= MAX_DELTA:
        raise OutOfRange(
            f"{value} does not fit into a MIDI file's number, 0-{MAX_DELTA}; shorten the song or its texts"
        )
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))


def _replace(path: Path, data: bytes) -> None:
    """Write beside ``path``, then put it there in one step."""
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = file.name
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise FileError(f"{path}: cannot be written ({error.strerror or error}); check the folder") from error

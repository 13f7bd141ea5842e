"""A MIDI file that grows: complete and valid after every bar, and no bar is written twice.

The file has one track (format 0), for only a single track can grow at its end. Behind what is final stands a *tail*:
the events of notes that still sound, and the end of track. The next bar takes the tail's place.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import FileError, OutOfRange
from woodshed.formats.midi_meta import (
    CHANNEL_PREFIX,
    INSTRUMENT,
    KEY_SIGNATURE,
    NAME,
    SET_TEMPO,
    TEXT,
    TIME_SIGNATURE,
    micros_per_quarter,
)
from woodshed.formats.midi_write import MELODIC_CHANNELS, encode_events, variable_length
from woodshed.music import Key, Part, Song
from woodshed.music.general_midi import DRUM_CHANNEL
from woodshed.music.units import TICKS_PER_QUARTER

_LENGTH_AT, _TRACK_AT = 18, 22
"""Bytes at which the track's length and its first event stand."""
END_OF_TRACK = b"\xff\x2f\x00"
MOST_TICKS = 200_000 * TICKS_PER_QUARTER
"""As long as a file may get: what `read_midi` reads without being asked to, 28 hours at 120 per minute."""
MOST_BYTES = 15 << 20
"""The same in bytes."""


class MidiStream:
    """Writes bars to a file that can be read at any time, also while it grows and after the process was killed.

    Each bar is put behind what is final, and then the track's length is set. In between the length covers just what
    is final, so a process that is killed there leaves a file that ends with whole events, though without an end of
    track; at any other time the file is complete.

    Raises:
        FileError: if the file cannot be written.
        OutOfRange: for more than fifteen pitched parts.
    """

    def __init__(self, path: Path, frame: Song, comment: str = "") -> None:
        self.path = path
        self.channels = _channels(frame.parts)
        self.bar_ticks = frame.meter.bar_ticks
        self.pending = np.zeros((0, 4), np.int64)
        """Events that are not final, as `encode_events` takes them; their ticks count from the start of the file."""
        self.ticks, self.written = 0, 0
        """The end of the last bar, and the tick of the last final event."""
        head = _head(frame, self.channels.tolist(), comment)
        self.final = _TRACK_AT + len(head)
        """The byte behind the last final event."""
        try:
            self.file = path.open("wb", buffering=0)
            self.file.write(b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS_PER_QUARTER))
            self.file.write(b"MTrk" + struct.pack(">I", len(head) + 4) + head + b"\x00" + END_OF_TRACK)
        except OSError as error:
            raise _unwritable(path, error) from error

    @property
    def is_full(self) -> bool:
        """Whether the next bar should go to another file."""
        return self.ticks + 8 * self.bar_ticks > MOST_TICKS or self.final > MOST_BYTES

    def add(self, notes: NDArray[Any], early_ticks: int) -> None:
        """A bar of `NOTE` rows whose onsets count from its bar line; the next may start ``early_ticks`` before its own.

        When this returns, the bar is in the file.
        """
        self.pending = np.concatenate((self.pending, self._events(notes)))
        self.pending = self.pending[np.argsort(self.pending[:, 0], kind="stable")]
        self.ticks += self.bar_ticks
        last = int(np.searchsorted(self.pending[:, 0], self.ticks - early_ticks))
        body = self._encoded(self.pending[:last])
        self.pending = self.pending[last:]
        tail = self._encoded(self.pending, final=False) + self._end()
        try:
            self._set_length(self.final)
            self._put(body + tail, self.final)
            self.file.truncate()
            self.final += len(body)
            self._set_length(self.final + len(tail))
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _events(self, notes: NDArray[Any]) -> NDArray[np.int64]:
        """Note-offs before note-ons, (2 N, 4)."""
        off, on = np.empty((2, len(notes), 4), np.int64)
        on[:, 0] = np.maximum(notes["onset"].astype(np.int64) + self.ticks, 0)
        off[:, 0] = on[:, 0] + notes["duration"]
        on[:, 1] = 0x90 | self.channels[notes["part"]]
        off[:, 1] = 0x80 | self.channels[notes["part"]]
        on[:, 2] = off[:, 2] = notes["pitch"]
        on[:, 3], off[:, 3] = notes["velocity"], 64
        return np.concatenate((off, on))

    def _encoded(self, events: NDArray[np.int64], *, final: bool = True) -> bytes:
        """Their bytes, the first wait counted from the last final event; what is not final happens until the last bar
        ends."""
        moved = events.copy()
        if not final:
            moved[:, 0] = np.minimum(moved[:, 0], self.ticks)
        moved[:, 0] -= self.written
        if final and len(events):
            self.written = int(events[-1, 0])
        return encode_events(moved)

    def _end(self) -> bytes:
        """An end of track at the end of the last bar, where notes that still sound end too."""
        last = min(int(self.pending[-1, 0]), self.ticks) if len(self.pending) else self.written
        return variable_length(self.ticks - last) + END_OF_TRACK

    def _set_length(self, end: int) -> None:
        """The track ends at this byte."""
        self._put(struct.pack(">I", end - _TRACK_AT), _LENGTH_AT)

    def _put(self, data: bytes, place: int) -> None:
        """Write all of it from a byte of the file on."""
        self.file.seek(place)
        while data:
            data = data[self.file.write(data) :]

    def close(self) -> None:
        """The file is complete already."""
        self.file.close()

    def __enter__(self) -> MidiStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _channels(parts: Sequence[Part]) -> NDArray[np.int64]:
    """A channel for each part, all its own: one track cannot tell two parts of a channel apart. Drums share the tenth.

    Raises:
        OutOfRange: for more than fifteen parts that are not drums.
    """
    pitched = sum(not part.is_drum for part in parts)
    if pitched > len(MELODIC_CHANNELS):
        raise OutOfRange(
            f"{pitched} pitched parts are more than the {len(MELODIC_CHANNELS)} channels of a track; name fewer parts"
        )
    free = iter(MELODIC_CHANNELS)
    return np.array([DRUM_CHANNEL if part.is_drum else next(free) for part in parts], np.int64)


def _head(frame: Song, channels: list[int], comment: str) -> bytes:
    """What stands at tick 0."""
    metas: list[tuple[int, bytes]] = []
    if frame.title:
        metas.append((NAME, frame.title.encode("utf-8", "replace")))
    if comment:
        metas.append((TEXT, comment.encode("utf-8", "replace")))
    metas.append((TIME_SIGNATURE, bytes((frame.meter.numerator, frame.meter.denominator.bit_length() - 1, 24, 8))))
    for _, tonic, is_minor in frame.keys[:1].tolist():
        fifths = Key(tonic, "minor" if is_minor else "major").fifths
        metas.append((KEY_SIGNATURE, struct.pack(">bB", fifths, is_minor)))
    metas.append((SET_TEMPO, micros_per_quarter(frame.bpm).to_bytes(3, "big")))
    for part, channel in zip(frame.parts, channels, strict=True):
        if part.name:
            metas += [(CHANNEL_PREFIX, bytes((channel,))), (INSTRUMENT, part.name.encode("utf-8", "replace"))]
    said = b"".join(b"\x00\xff" + bytes((kind,)) + variable_length(len(payload)) + payload for kind, payload in metas)
    programs = [bytes((0, 0xC0 | channel, part.program)) for part, channel in zip(frame.parts, channels, strict=True)]
    return said + b"".join(dict.fromkeys(programs))


def _unwritable(path: Path, error: OSError) -> FileError:
    return FileError(f"{path}: cannot be written ({error.strerror or error}); check the folder and its room")

"""The outside of a MIDI file: header and track chunks, found even where their lengths lie."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from woodshed.errors import FormatError, LimitExceeded
from woodshed.formats.midi_limits import MidiLimits
from woodshed.formats.midi_repairs import Ledger

END_OF_TRACK = b"\xff\x2f\x00"


@dataclass(frozen=True)
class Chunks:
    """A file cut into tracks."""

    format: int
    """0, 1 or 2."""
    division: int
    """The header's 16 bits: ticks per quarter note, or frames and ticks per frame where bit 15 is set."""
    tracks: tuple[tuple[int, int], ...]
    """Byte span [start, end) of each track's events."""


def find_chunks(data: bytes, name: str, limits: MidiLimits, ledger: Ledger) -> Chunks:
    """Find the header and the tracks.

    Raises:
        FormatError: if there is no header or no track.
        LimitExceeded: at more than ``limits.max_tracks`` tracks.
    """
    start = data.find(b"MThd")
    if start < 0 or len(data) < start + 14:
        raise FormatError(
            f"{name}: no MThd header in its {len(data)} bytes; this is no MIDI file, or only a piece of one"
        )
    if start:
        ledger.add("riff-wrapper" if data[:4] == b"RIFF" else "leading-junk")
    length, format_, promised, division = struct.unpack(">IHHH", data[start + 4 : start + 14])
    if format_ > 2:
        ledger.add("format-number")
        format_ = 1
    at = start + 8 + length
    if length != 6:
        ledger.add("header-length")
        at = data.find(b"MTrk", start + 4)
    if division == 0:
        ledger.add("division-zero")
        division = 480
    tracks = _find_tracks(data, at if at >= 0 else len(data), name, limits, ledger)
    if not tracks:
        raise FormatError(f"{name}: no MTrk chunk after the header at byte {start}; the file holds no track")
    ledger.add("track-count", abs(promised - len(tracks)))
    return Chunks(format_, division, tuple(tracks))


def _find_tracks(data: bytes, at: int, name: str, limits: MidiLimits, ledger: Ledger) -> list[tuple[int, int]]:
    """Walk from chunk to chunk; where a length lies, the next ``MTrk`` is the fence."""
    tracks: list[tuple[int, int]] = []
    while len(data) - at >= 8:
        length = int.from_bytes(data[at + 4 : at + 8], "big")
        body, end = at + 8, at + 8 + length
        if data[at : at + 4] == b"MTrk":
            if not _ends_well(data, body, end):
                ledger.add("chunk-length")
                end = _fence(data, body)
            tracks.append((body, end))
            if len(tracks) > limits.max_tracks:
                raise LimitExceeded(f"{name}: more than {limits.max_tracks} tracks; raise max_tracks to read it")
        elif _is_chunk_name(data, at) and end <= len(data):
            ledger.add("left-aside-chunk")
        else:
            end = _fence(data, at)
            ledger.add("stray-bytes", end - at)
        at = end
    ledger.add("stray-bytes", max(len(data) - at, 0))
    return tracks


def _ends_well(data: bytes, body: int, end: int) -> bool:
    """Whether a track's stated end can be believed."""
    if end > len(data) or data.find(b"MTrk", body, end) >= 0:
        return False
    follows = end == len(data) or _is_chunk_name(data, end)
    return follows or data[max(body, end - 3) : end] == END_OF_TRACK


def _is_chunk_name(data: bytes, at: int) -> bool:
    word = data[at : at + 4]
    return len(word) == 4 and all(32 <= byte < 127 for byte in word)


def _fence(data: bytes, at: int) -> int:
    """Where the next track begins, or the end of the file."""
    found = data.find(b"MTrk", at)
    return found if found >= 0 else len(data)

"""Walk through the events of one track, byte by byte, and come out whatever the bytes are.

This is the patient reader: slow, bounded by `MidiLimits`, and tolerant of everything.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from woodshed.errors import LimitExceeded
from woodshed.formats.midi_events import Events
from woodshed.formats.midi_limits import MidiLimits
from woodshed.formats.midi_repairs import Ledger


@dataclass
class TrackEvents:
    """What one track says, in file ticks from its start."""

    ticks: array[int] = field(default_factory=lambda: array("q"))
    """(E,) absolute tick of each channel event."""
    words: array[int] = field(default_factory=lambda: array("i"))
    """(E,) status << 16 | first data byte << 8 | second data byte (0 where there is none)."""
    metas: list[tuple[int, int, bytes]] = field(default_factory=list)
    """(tick, type, payload) of each meta event except end of track."""
    sysex: int = 0
    """How many system exclusive messages there were."""
    end: int = 0
    """Tick of the end of track."""

    @property
    def count(self) -> int:
        """How many events there are of all kinds."""
        return len(self.ticks) + len(self.metas) + self.sysex


class _Cut(Exception):
    """The track stops inside an event."""


def walk_tracks(
    data: bytes, tracks: tuple[tuple[int, int], ...], name: str, limits: MidiLimits, ledger: Ledger
) -> Events:
    """The events of all tracks, with one budget of ``limits.max_events`` for all.

    Raises:
        LimitExceeded: when the budget is spent.
    """
    found: list[TrackEvents] = []
    room = limits.max_events
    for start, end in tracks:
        found.append(walk_track(data, start, end, room, ledger))
        room -= found[-1].count
        if room < 0:
            raise LimitExceeded(
                f"{name}: more than {limits.max_events} events, counted up to the track at byte {start}; "
                "raise max_events to read it"
            )
    return Events(
        np.repeat(np.arange(len(found)), [len(track.ticks) for track in found]),
        np.concatenate([np.array(track.ticks, np.int64) for track in found]),
        np.concatenate([np.array(track.words, np.int64) for track in found]),
        [(tick, index, kind, payload) for index, each in enumerate(found) for tick, kind, payload in each.metas],
        sum(track.sysex for track in found),
        np.array([track.end for track in found], np.int64),
    )


def walk_track(data: bytes, start: int, end: int, room: int, ledger: Ledger) -> TrackEvents:
    """Read the events in ``data[start:end]``, at most one more than ``room``, up to the end of track."""
    found = TrackEvents()
    try:
        stop = _walk(data, start, end, found, room, ledger)
    except _Cut:
        ledger.add("truncated-event")
        stop = end
    ledger.add("bytes-after-end", end - stop)
    return found


def _walk(data: bytes, at: int, end: int, found: TrackEvents, room: int, ledger: Ledger) -> int:
    """The loop; returns the byte after the end of track."""
    tick, running, after_meta, delta_known = 0, 0, False, False
    put_tick, put_word = found.ticks.append, found.words.append
    while at < end:
        if not delta_known:
            delta, at = _read_delta(data, at, end, ledger)
            tick += delta
            found.end = tick
            if at >= end:
                raise _Cut
        delta_known = False
        status = data[at]
        if status < 0x80:
            if not running:
                at, delta_known = _skip_data(data, at, end, ledger), True
                continue
            if after_meta:
                ledger.add("running-status-after-meta")
            status = running
        else:
            at += 1
        if status < 0xF0:
            running, after_meta = status, False
            size = 1 if 0xC0 <= status < 0xE0 else 2
            if at + size > end:
                raise _Cut
            first, second = data[at], data[at + 1] if size == 2 else 0
            at += size
            if first > 127 or second > 127:
                ledger.add("data-byte", (first > 127) + (second > 127))
                first, second = min(first, 127), min(second, 127)
            put_tick(tick)
            put_word(status << 16 | first << 8 | second)
            room -= 1
        else:
            after_meta = True
            at, ended = _read_other(data, at, end, status, tick, found, ledger)
            if ended:
                return at
            room -= 1
        if room < 0:
            return end
    ledger.add("missing-end")
    return at


def _read_delta(data: bytes, at: int, end: int, ledger: Ledger) -> tuple[int, int]:
    """A variable-length number of at most 4 bytes, and the byte after it."""
    value = 0
    for count in range(4):
        if at >= end:
            raise _Cut
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at
        if count == 3:
            ledger.add("long-delta")
    return value, at


def _skip_data(data: bytes, at: int, end: int, ledger: Ledger) -> int:
    """Past data bytes that belong to no event; their last was the delta of the status byte that follows."""
    first = at
    while at < end and data[at] < 0x80:
        at += 1
    ledger.add("no-running-status", at - first)
    return at


def _read_other(
    data: bytes, at: int, end: int, status: int, tick: int, found: TrackEvents, ledger: Ledger
) -> tuple[int, bool]:
    """A meta or system event after its status byte; returns the byte after it and whether the track ended."""
    if status not in (0xF0, 0xF7, 0xFF):
        ledger.add("system-message")
        return at + {0xF1: 1, 0xF2: 2, 0xF3: 1}.get(status, 0), False
    kind = -1
    if status == 0xFF:
        if at >= end:
            raise _Cut
        kind = data[at]
        at += 1
    if kind == 0x2F:
        return at + (1 if at < end else 0), True
    length, at = _read_delta(data, at, end, ledger)
    if at + length > end:
        raise _Cut
    if status == 0xFF:
        found.metas.append((tick, kind, data[at : at + length]))
    else:
        found.sysex += 1
    return at + length, False

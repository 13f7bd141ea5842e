"""The quick reader of well-formed tracks: all events of a file at once, with numpy; None where anything is odd.

Where an event ends depends only on its own bytes, once running status is known to stand for two data bytes. So
the byte after an event can be told for every position at once, as if an event began there; what remains is to
follow these steps from the first byte, 64 events at a stride. Where the status that runs turns out to take one data
byte, as a program change does, that is put right and all is followed again, a few times. Whatever does not fit then
(a data byte over 127, running status after a meta event, an end of track elsewhere than at the end) leaves the file to
the patient reader, `woodshed.formats.midi_walk`, which finds the very same events in a well-formed file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import LimitExceeded
from woodshed.formats.midi_chunks import END_OF_TRACK
from woodshed.formats.midi_events import Events
from woodshed.formats.midi_limits import MidiLimits

Ints = NDArray[np.int64]
Places = NDArray[np.intp]
_PAD = 8
_STRIDES = 6
_TRIES = 8
_MOST_IN_A_ROW = 1000
"""Messages of one data byte under running status that are followed at a try."""

_SIZES = np.full(256, 3, np.uint8)
"""Bytes from the status byte, or from the first data byte under running status, to the event's end."""
_SIZES[:0x80] = 2
_SIZES[0xC0:0xE0] = 2


def scan_tracks(data: bytes, tracks: tuple[tuple[int, int], ...], name: str, limits: MidiLimits) -> Events | None:
    """The events in the byte spans ``tracks``, or None where the patient reader is needed.

    Raises:
        LimitExceeded: at more than ``limits.max_events``.
    """
    if any(end - start < 4 or data[end - 3 : end] != END_OF_TRACK for start, end in tracks):
        return None
    octets = np.frombuffer(data[: tracks[-1][1]] + bytes(_PAD), np.uint8)
    size = len(octets) - _PAD
    starts, closings = (np.array(column, np.intp) for column in zip(*((a, b - 3) for a, b in tracks), strict=True))
    waits = _wait_sizes(octets)
    after = _after(octets, size)
    after[closings] = np.append(starts[1:], size)
    for _ in range(_TRIES):
        at = _follow(after.take(np.arange(size, dtype=np.intp) + waits[:size]), int(starts[0]), size)
        status_at = at + waits[at]
        closing = np.searchsorted(status_at, closings)
        if closing[-1] == len(at) - 1 and (status_at[closing] == closings).all():
            found = _read(data, octets, at, status_at, closing)
            if found and len(at) - len(tracks) > limits.max_events:
                raise LimitExceeded(f"{name}: more than {limits.max_events} events; raise max_events to read it")
            if found:
                return found
        if not _shorten_running(octets, after, waits, status_at):
            return None
    return None


def _wait_sizes(octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N,) how many bytes a delta time takes if it begins here."""
    high = octets >= 0x80
    waits = np.ones(len(octets), np.uint8)
    longer = high.copy()
    for ahead in range(1, 4):
        waits += longer.view(np.uint8)
        longer[:-ahead] &= high[ahead:]
    return waits


def _after(octets: NDArray[np.uint8], size: int) -> Places:
    """(N + pad,) the byte after an event whose status byte (or first running data byte) is here."""
    after = np.arange(len(octets), dtype=np.intp)
    after += _SIZES.take(octets)
    system = np.flatnonzero(octets[:size] >= 0xF0)
    status = octets[system]
    length_at = np.minimum(system + 1 + (status == 0xFF), size)
    length = octets[length_at].astype(np.intp)
    long = length >= 0x80
    second = octets[length_at + 1].astype(np.intp)
    length = np.where(long, (length & 127) << 7 | second, length)
    after[system] = length_at + 1 + long + length
    odd = long & (second >= 0x80) | (status != 0xFF) & (status != 0xF0) & (status != 0xF7)
    after[system[odd]] = size
    return np.minimum(after, size)


def _shorten_running(octets: NDArray[np.uint8], after: Places, waits: NDArray[np.uint8], status_at: Places) -> bool:
    """Write into ``after`` that one data byte stands under a running status that takes one; False if none was wrong.

    What is read after such a byte may be out of step, so that only the first is believed, and those that go on from it.
    """
    head = octets[status_at]
    spoken = head >= 0x80
    status = head[np.maximum.accumulate(np.where(spoken, np.arange(len(head)), 0))]
    wrong = ~spoken & ((status & 0xE0) == 0xC0) & (after[status_at] == status_at + 2)
    if not wrong.any():
        return False
    first = int(status_at[wrong.argmax()])
    for _ in range(_MOST_IN_A_ROW):
        after[first] = first + 1
        first += 1 + int(waits[first + 1])
        if octets[first] >= 0x80 or after[first] != first + 2:
            break
    return True


def _follow(step: Places, first: int, size: int) -> Places:
    """Every place that is reached from ``first``, in order; ``step`` (size,) leads strictly forward."""
    jumps = [np.append(step, size)]
    for _ in range(_STRIDES if size < 2**20 else 1):  # each doubling is one more array as long as the file
        jumps.append(jumps[-1].take(jumps[-1]))
    heads, here, far = [], first, jumps.pop()
    while here < size:
        heads.append(here)
        here = int(far[here])
    places = np.array(heads, np.intp)
    for jump in reversed(jumps):
        places = np.stack((places, jump[places]), axis=-1)
    places = places.ravel()
    return places[: np.searchsorted(places, size)]


def _read(data: bytes, octets: NDArray[np.uint8], at: Places, status_at: Places, closing: Places) -> Events | None:
    """Decode the events that begin at ``at``; None if one of them is not as it should be."""
    here = np.arange(len(at))
    head = octets[status_at]
    spoken = head >= 0x80
    status = head[np.maximum.accumulate(np.where(spoken, here, 0))]
    channel = status < 0xF0
    one = (status & 0xE0) == 0xC0
    first_at = status_at + spoken
    first, second = octets[first_at], octets[first_at + 1]
    second[one] = 0
    tick_sizes = status_at - at
    spent = np.append(at[1:], 0) - first_at  # of the last, an end of track, it is not asked
    unfit = (
        ~spoken & ((spent != 2 - one) | ~channel)
        | channel & ((first | second) >= 0x80)
        | (octets[status_at - 1] >= 0x80)
    )
    if unfit.any() or not spoken[0]:
        return None
    metas = np.flatnonzero(~channel)
    kinds = head[metas]
    if ((kinds == 0xFF) & (first[metas] == 0x2F)).sum() != len(closing):
        return None
    tick = np.cumsum(_waits(octets, at, tick_sizes))
    ends = np.diff(tick[closing], prepend=0)
    counts = np.diff(closing, prepend=-1)
    track = np.repeat(np.arange(len(counts)), counts)
    tick -= np.repeat(np.append(0, tick[closing[:-1]]), counts)
    word = status.astype(np.int64) << 16 | first.astype(np.int64) << 8 | second
    return Events(
        track[channel], tick[channel], word[channel],
        _metas(data, tick, track, status_at, metas[kinds == 0xFF]), int((kinds != 0xFF).sum()), ends,
    )  # fmt: skip


def _waits(octets: NDArray[np.uint8], at: Places, sizes: Places) -> Ints:
    """Delta times of ``sizes`` bytes at ``at``."""
    waits = (octets[at] & 127).astype(np.int64)
    for place in range(1, 4):
        more = np.flatnonzero(sizes > place)
        waits[more] = waits[more] << 7 | octets[at[more] + place] & 127
    return waits


def _metas(data: bytes, tick: Ints, track: Ints, status_at: Places, which: Any) -> list[tuple[int, int, int, bytes]]:
    """(tick, track, type, payload) of the meta events, without the ends of track."""
    found = []
    for when, owner, place in zip(tick[which].tolist(), track[which].tolist(), status_at[which].tolist(), strict=True):
        length, start = data[place + 2], place + 3
        if length >= 0x80:
            length, start = (length & 127) << 7 | data[place + 3], place + 4
        if data[place + 1] != 0x2F:
            found.append((when, owner, data[place + 1], data[start : start + length]))
    return found

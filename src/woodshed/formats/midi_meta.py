"""What the meta events of all tracks say: tempo, meter, key, markers, names; and what a song has no place for."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.formats.midi_events import Events
from woodshed.formats.midi_repairs import Ledger
from woodshed.music import Key

TEXT, NAME, INSTRUMENT, LYRIC, MARKER, CHANNEL_PREFIX = 1, 3, 4, 5, 6, 0x20
SET_TEMPO, TIME_SIGNATURE, KEY_SIGNATURE, PRIVATE = 0x51, 0x58, 0x59, 0x7F
PART_MARK = b"\x7dwoodshed part"
"""Payload of the sequencer-specific event with which `write_midi` marks a track as one part, complete in itself."""
FASTEST_BPM = 10_000


@dataclass(frozen=True)
class Metas:
    """All in file ticks, sorted by tick; of equal ticks the later track comes later."""

    tempos: dict[str, NDArray[Any]]
    """``onset`` and ``bpm`` (quarter notes per minute), (T,) each."""
    meters: dict[str, NDArray[Any]]
    """``onset``, ``numerator``, ``denominator``."""
    keys: dict[str, NDArray[Any]]
    """``onset``, ``tonic`` (pitch class), ``is_minor``."""
    markers: list[tuple[int, str]]
    part_names: list[str]
    """What the parts of each track are called."""
    channel_names: dict[tuple[int, int], str]
    """What the part on a (track, channel) is called, where an instrument's name stands after a channel prefix."""
    title: str
    private: set[int]
    """Tracks that bear `PART_MARK`."""


def read_metas(events: Events, format_: int, ledger: Ledger) -> Metas:
    """Sort the meta events of all tracks out."""
    tempos: list[tuple[int, float]] = []
    meters: list[tuple[int, int, int]] = []
    keys: list[tuple[int, int, int]] = []
    markers: list[tuple[int, str]] = []
    names = [""] * len(events.ends)
    private: set[int] = set()
    prefixes: dict[int, tuple[int, int]] = {}
    channels: dict[tuple[int, int], str] = {}
    comments = 0
    for tick, track, kind, payload in sorted(events.metas, key=itemgetter(0)):
        if kind == SET_TEMPO:
            _keep(tempos, tick, _tempo(payload), "bad-tempo", ledger)
        elif kind == TIME_SIGNATURE:
            _keep(meters, tick, _meter(payload), "bad-meter", ledger)
        elif kind == KEY_SIGNATURE:
            _keep(keys, tick, _key(payload), "bad-key", ledger)
        elif kind == MARKER:
            markers.append((tick, _decode(payload)))
        elif kind == NAME and not names[track]:
            names[track] = _decode(payload)
        elif kind == CHANNEL_PREFIX and len(payload) == 1 and payload[0] < 16:
            prefixes[track] = tick, payload[0]
        elif kind == INSTRUMENT and prefixes.get(track, (-1,))[0] == tick:
            channels.setdefault((track, prefixes[track][1]), _decode(payload))
        elif kind == PRIVATE and payload == PART_MARK:
            private.add(track)
        elif kind == TEXT and track == 0 and not comments:
            comments = 1  # this one has its own reader, `read_comment`
        else:
            ledger.add(_left_aside(kind))
    ledger.add("left-aside-sysex", events.sysex)
    return Metas(
        _columns(tempos, "onset", "bpm"), _columns(meters, "onset", "numerator", "denominator"),
        _columns(keys, "onset", "tonic", "is_minor"), markers,
        names if format_ else [""] * len(names), channels, names[0], private,
    )  # fmt: skip


def _keep(rows: list[Any], tick: int, values: tuple[Any, ...] | None, complaint: str, ledger: Ledger) -> None:
    """Add a row, or complain that it says nothing possible."""
    if values is None:
        ledger.add(complaint)
    else:
        rows.append((tick, *values))


def _left_aside(kind: int) -> str:
    if kind == LYRIC:
        return "left-aside-lyric"
    if kind == NAME:
        return "left-aside-name"
    return "left-aside-text" if 1 <= kind <= 9 else "left-aside-meta"


def _tempo(payload: bytes) -> tuple[float] | None:
    """Quarter notes per minute: the roundest number that the file's microseconds can mean."""
    micros = int.from_bytes(payload[:3], "big") if len(payload) >= 3 else 0
    if micros * FASTEST_BPM < 60_000_000:
        return None
    exact = 60e6 / micros
    for digits in range(7):
        if micros_per_quarter(round(exact, digits)) == micros:
            return (round(exact, digits),)
    return (exact,)


def micros_per_quarter(bpm: float) -> int:
    """What a file says for a tempo: whole microseconds in 24 bits, so 3.58 to `FASTEST_BPM`, else the nearest."""
    return int(min(max(round(60e6 / bpm), 60_000_000 // FASTEST_BPM), 2**24 - 1))


def _meter(payload: bytes) -> tuple[int, int] | None:
    if len(payload) < 2 or not 1 <= payload[0] <= 64 or payload[1] > 5:
        return None
    return payload[0], 1 << payload[1]


def _key(payload: bytes) -> tuple[int, int] | None:
    if len(payload) < 2 or payload[1] > 1:
        return None
    fifths = payload[0] - 256 if payload[0] > 127 else payload[0]
    if not -7 <= fifths <= 7:
        return None
    return Key.from_fifths(fifths, bool(payload[1])).tonic, payload[1]


def _decode(payload: bytes) -> str:
    """Text as UTF-8, or as Latin-1 where it is not."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        return payload.decode("latin-1")


def _columns(rows: list[Any], *names: str) -> dict[str, NDArray[Any]]:
    """Rows as columns: ticks are whole, and so is the rest except tempos."""
    values = zip(*rows, strict=True) if rows else ((),) * len(names)
    return {
        name: np.array(column, np.float64 if name == "bpm" else np.int64)
        for name, column in zip(names, values, strict=True)
    }

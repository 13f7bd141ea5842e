"""`Song`: the one data type for music. Columnar, immutable, in ticks of 1/480 quarter note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.music.chord import QUALITY_NAMES
from woodshed.music.meter import Meter, bar_lines
from woodshed.music.units import DEFAULT_BPM, ticks_to_seconds

NOTE = np.dtype([("part", "<i2"), ("onset", "<i4"), ("duration", "<i4"), ("pitch", "<i2"), ("velocity", "<i2")])
TEMPO = np.dtype([("onset", "<i4"), ("bpm", "<f8")])
METER = np.dtype([("onset", "<i4"), ("numerator", "<i2"), ("denominator", "<i2")])
KEY = np.dtype([("onset", "<i4"), ("tonic", "<i2"), ("is_minor", "?")])
CHORD = np.dtype([("onset", "<i4"), ("root", "<i2"), ("quality", "<i2"), ("bass", "<i2")])
CONTROL = np.dtype([("part", "<i2"), ("onset", "<i4"), ("number", "<i2"), ("value", "<i2")])
BEND = np.dtype([("part", "<i2"), ("onset", "<i4"), ("value", "<i2")])

NO_CHORD = -1
"""`CHORD.root` where nothing sounds."""
SUSTAIN = 64
"""Controller number of the sustain pedal."""
MAX_TICK = 2**31 - 1

ROLES = (
    "drums", "bass", "rhythm guitar", "lead", "melody", "keys", "pad", "strings", "brass", "voice", "percussion",
    "effects", "other",
)  # fmt: skip
"""What a part does in the band; found by `woodshed.corpus.roles`."""


@dataclass(frozen=True)
class Part:
    """One player: a named instrument."""

    name: str = ""
    """As the musician wrote it; may be empty."""
    program: int = 0
    """General MIDI program, 0-127; for drums the kit."""
    is_drum: bool = False
    """Whether pitches name drums (General MIDI channel 10) rather than tones."""
    role: str = ""
    """One of `ROLES`, or empty while unknown."""

    def __post_init__(self) -> None:
        if not 0 <= self.program <= 127:
            raise OutOfRange(f"part {self.name!r}: program {self.program} is outside 0-127")
        if self.role and self.role not in ROLES:
            raise OutOfRange(f"part {self.name!r}: role {self.role!r} is not one of {', '.join(ROLES)}")


@dataclass(frozen=True)
class Marker:
    """A text at a place: a section name, a rehearsal mark."""

    onset: int
    """Tick."""
    text: str


FERMATA_MARK = "fermata"
"""The text of a `Marker` where a note with a fermata starts."""


def _empty(dtype: np.dtype[Any]) -> NDArray[Any]:
    rows = np.empty(0, dtype)
    rows.flags.writeable = False
    return rows


@dataclass(frozen=True, eq=False)
class Song:
    """A piece of music, with everything that a Standard MIDI File says of it.

    Arrays are read-only and sorted; `Song.make` sorts. All times are ticks, 480 to the quarter note.

    ============ ========= ====================================================================
    array        dtype     meaning, one row each
    ============ ========= ====================================================================
    ``notes``    `NOTE`    part index, onset, duration >= 1, pitch 0-127, velocity 1-127; sorted by
                           onset, part, pitch, duration, velocity
    ``tempos``   `TEMPO`   quarter notes per minute from ``onset`` on; empty means 120
    ``meters``   `METER`   time signature from ``onset`` on; empty means 4/4
    ``keys``     `KEY`     key signature: tonic pitch class and mode
    ``chords``   `CHORD`   root pitch class (-1 none), index into `QUALITY_NAMES`, bass pitch class
    ``controls`` `CONTROL` control changes, the sustain pedal (64) among them
    ``bends``    `BEND`    pitch bend, -8192 to 8191
    ============ ========= ====================================================================

    Raises:
        OutOfRange: naming the array, the row, the value and its range.
    """

    notes: NDArray[Any] = field(default_factory=lambda: _empty(NOTE))
    parts: tuple[Part, ...] = ()
    tempos: NDArray[Any] = field(default_factory=lambda: _empty(TEMPO))
    meters: NDArray[Any] = field(default_factory=lambda: _empty(METER))
    keys: NDArray[Any] = field(default_factory=lambda: _empty(KEY))
    chords: NDArray[Any] = field(default_factory=lambda: _empty(CHORD))
    controls: NDArray[Any] = field(default_factory=lambda: _empty(CONTROL))
    bends: NDArray[Any] = field(default_factory=lambda: _empty(BEND))
    markers: tuple[Marker, ...] = ()
    title: str = ""
    length: int = 0
    """Where the song ends, in ticks: the end of track. Never before the last note's onset; `make` moves it
    to the end of the last note when it is earlier."""

    def __post_init__(self) -> None:
        for name, dtype in ARRAYS.items():
            array = getattr(self, name)
            if array.dtype != dtype:
                raise OutOfRange(f"Song.{name}: dtype {array.dtype} is not {dtype}")
            if array.flags.writeable:
                array = array.copy()
                array.flags.writeable = False
                object.__setattr__(self, name, array)
        _check(self)

    @classmethod
    def make(cls, notes: NDArray[Any] | Sequence[tuple[int, ...]], parts: Sequence[Part], **rest: Any) -> Song:
        """A song from rows in any order; arrays may also be lists of tuples, in the dtype's field order."""
        arrays = {"notes": notes, **{name: rest.pop(name) for name in tuple(rest) if name in ARRAYS}}
        columns: dict[str, Any] = {name: _sorted(np.asarray(rows, ARRAYS[name]), name) for name, rows in arrays.items()}
        found = columns["notes"]
        end = int((found["onset"].astype(np.int64) + found["duration"]).max(initial=0))
        rest["length"] = max(int(rest.get("length", 0)), end)
        return cls(parts=tuple(parts), **columns, **rest)

    def replace(self, **changes: Any) -> Song:
        """A copy with some fields exchanged; the changes must already be sorted."""
        return replace(self, **changes)

    def with_notes(self, notes: NDArray[Any]) -> Song:
        """The same song with other notes, sorted here; the length grows if they need it."""
        rest = {name: getattr(self, name) for name in ARRAYS if name != "notes"}
        return Song.make(notes, self.parts, markers=self.markers, title=self.title, length=self.length, **rest)

    def __len__(self) -> int:
        return len(self.notes)

    def __eq__(self, other: object) -> bool:
        """Equal in every note, event, part and name."""
        if not isinstance(other, Song):
            return NotImplemented
        same = (self.parts, self.markers, self.title, self.length) == (
            other.parts, other.markers, other.title, other.length,
        )  # fmt: skip
        return same and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ARRAYS)

    __hash__ = None  # type: ignore[assignment]

    @property
    def ends(self) -> NDArray[np.int64]:
        """Tick at which each note stops."""
        ends: NDArray[np.int64] = self.notes["onset"].astype(np.int64) + self.notes["duration"]
        return ends

    @property
    def bpm(self) -> float:
        """The tempo at the start, in quarter notes per minute."""
        return float(self.tempos["bpm"][0]) if len(self.tempos) else DEFAULT_BPM

    @property
    def meter(self) -> Meter:
        """The meter at the start."""
        if not len(self.meters):
            return Meter()
        return Meter(int(self.meters["numerator"][0]), int(self.meters["denominator"][0]))

    def bar_lines(self) -> NDArray[np.int64]:
        """Ticks of the bar lines, (bars + 1,): bar b spans ``[lines[b], lines[b + 1])``."""
        bars = 4 * 480 * self.meters["numerator"].astype(np.int64) // np.maximum(self.meters["denominator"], 1)
        return bar_lines(self.meters["onset"].astype(np.int64), bars, self.length)

    @property
    def bars(self) -> int:
        """How many bars the song has, the last one counted whole."""
        return len(self.bar_lines()) - 1

    def seconds(self, ticks: Any) -> NDArray[np.float64]:
        """When each tick sounds, in seconds from the start."""
        return ticks_to_seconds(ticks, self.tempos["onset"], self.tempos["bpm"])

    @property
    def length_seconds(self) -> float:
        """How long the song lasts."""
        return float(self.seconds(self.length))

    def transpose(self, semitones: int) -> Song:
        """All pitched parts moved; drums stay. Keys and chords move along.

        Raises:
            OutOfRange: if a note would leave 0-127.
        """
        drum = np.array([part.is_drum for part in self.parts], bool)
        notes, keys, chords = self.notes.copy(), self.keys.copy(), self.chords.copy()
        notes["pitch"] += np.where(drum[notes["part"]], 0, semitones).astype(np.int16)
        keys["tonic"] = (keys["tonic"] + semitones) % 12
        heard = chords["root"] != NO_CHORD
        for name in ("root", "bass"):
            chords[name] = np.where(heard, (chords[name] + semitones) % 12, chords[name])
        notes.sort(order=SORT["notes"])
        return self.replace(notes=notes, keys=keys, chords=chords)

    def slice(self, start: int, end: int) -> Song:
        """The ticks [start, end) as a song of their own that begins at 0.

        A note belongs to the span in which it starts; it is cut at ``end``. Tempo, meter, key, chord,
        controller and bend in force at ``start`` are carried to 0.
        """
        moved: dict[str, Any] = {}
        for name in ARRAYS:
            rows = getattr(self, name)
            inside = rows[(rows["onset"] >= start) & (rows["onset"] < end)].copy()
            if name == "notes":
                inside["duration"] = np.minimum(inside["duration"], end - inside["onset"])
            else:
                inside = np.concatenate((_in_force(rows, start), inside))
            inside["onset"] = np.maximum(inside["onset"] - start, 0)
            moved[name] = _sorted(inside, name)
        markers = tuple(Marker(m.onset - start, m.text) for m in self.markers if start <= m.onset < end)
        return Song(parts=self.parts, markers=markers, title=self.title, length=end - start, **moved)

    def slice_bars(self, first: int, last: int) -> Song:
        """Bars ``first`` up to but not including ``last``, counted from 0."""
        lines = self.bar_lines()
        if not 0 <= first < last <= len(lines) - 1:
            raise OutOfRange(f"bars {first}-{last} are not inside 0-{len(lines) - 1} of {self.title or 'the song'}")
        return self.slice(int(lines[first]), int(lines[last]))


ARRAYS: dict[str, np.dtype[Any]] = {
    "notes": NOTE, "tempos": TEMPO, "meters": METER, "keys": KEY, "chords": CHORD, "controls": CONTROL, "bends": BEND,
}  # fmt: skip
SORT = {
    "notes": ("onset", "part", "pitch", "duration", "velocity"),
    "tempos": ("onset",), "meters": ("onset",), "keys": ("onset",), "chords": ("onset",),
    "controls": ("onset", "part"), "bends": ("onset", "part"),
}  # fmt: skip
_RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "notes": {"onset": (0, MAX_TICK), "duration": (1, MAX_TICK), "pitch": (0, 127), "velocity": (1, 127)},
    "tempos": {"onset": (0, MAX_TICK), "bpm": (1e-3, 1e8)},
    "meters": {"onset": (0, MAX_TICK), "numerator": (1, 64), "denominator": (1, 32)},
    "keys": {"onset": (0, MAX_TICK), "tonic": (0, 11)},
    "chords": {
        "onset": (0, MAX_TICK),
        "root": (NO_CHORD, 11),
        "quality": (0, len(QUALITY_NAMES) - 1),
        "bass": (NO_CHORD, 11),
    },
    "controls": {"onset": (0, MAX_TICK), "number": (0, 127), "value": (0, 127)},
    "bends": {"onset": (0, MAX_TICK), "value": (-8192, 8191)},
}


def _sorted(rows: NDArray[Any], name: str) -> NDArray[Any]:
    """Rows in the song's order; rows that share all sort keys keep theirs."""
    keys = tuple(rows[key] for key in reversed(SORT[name]))
    return rows[np.lexsort(keys)]


def _in_force(rows: NDArray[Any], start: int) -> NDArray[Any]:
    """The last row before or at ``start`` for each (part, controller), unless one stands exactly there."""
    before = rows[rows["onset"] < start]
    groups = [field for field in ("part", "number") if field in (rows.dtype.names or ())]
    if not len(before):
        return before
    label = np.zeros(len(before), np.int64)
    at_start = np.zeros(int((rows["onset"] == start).sum()), np.int64)
    for group in groups:
        label = label * 65536 + before[group]
        at_start = at_start * 65536 + rows[group][rows["onset"] == start]
    _, last = np.unique(label[::-1], return_index=True)
    kept = np.sort(len(before) - 1 - last)
    return before[kept][~np.isin(label[kept], at_start)]


def _check(song: Song) -> None:
    for name, ranges in _RANGES.items():
        rows = getattr(song, name)
        if not len(rows):
            continue
        for column, (low, high) in ranges.items():
            if rows[column].min() >= low and rows[column].max() <= high:
                continue
            bad = np.flatnonzero(~((rows[column] >= low) & (rows[column] <= high)))
            if len(bad):
                raise OutOfRange(
                    f"Song.{name} row {bad[0]}: {column} {rows[column][bad[0]]} is outside {low:g}-{high:g}"
                )
        owned = "part" in (rows.dtype.names or ()) and len(rows) > 0
        if owned and (rows["part"].min() < 0 or rows["part"].max() >= len(song.parts)):
            raise OutOfRange(f"Song.{name}: a row names a part outside 0-{len(song.parts) - 1}")
        if len(rows) > 1 and (np.diff(rows["onset"]) < 0).any():
            raise OutOfRange(f"Song.{name} is not sorted by onset; use Song.make")
    denominators = song.meters["denominator"]
    odd = np.flatnonzero(denominators & (denominators - 1))
    if len(odd):
        raise OutOfRange(f"Song.meters row {odd[0]}: denominator {denominators[odd[0]]} is not 1, 2, 4, 8, 16 or 32")
    last = int(song.notes["onset"].max(initial=0))
    if song.length < last or song.length > MAX_TICK:
        raise OutOfRange(f"Song.length {song.length} is outside {last}-{MAX_TICK} ticks")

"""Standard MIDI Files: `read_midi`, `write_midi`, `read_comment`.

Reading mends what can be mended and says so in `Repair` rows; times become 1/480 of a quarter note, and each
(track, channel, program) becomes a part. A song's chords and roles have no place in a MIDI file.

Notes of one pitch that overlap within a part: a note-off ends the oldest of them (first in, first out), as most
sequencers do. Where one lies wholly inside another, their ends therefore change places on a round trip; MIDI
cannot say which of two equal pitches stops.

Source: The Complete MIDI 1.0 Detailed Specification, Standard MIDI Files 1.0 (RP-001).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import FileError, LimitExceeded
from woodshed.formats.midi_assemble import gather_rows, make_parts, play
from woodshed.formats.midi_chunks import Chunks, find_chunks
from woodshed.formats.midi_events import Events
from woodshed.formats.midi_limits import MidiLimits
from woodshed.formats.midi_meta import TEXT, Metas, read_metas
from woodshed.formats.midi_repairs import Ledger
from woodshed.formats.midi_scan import scan_tracks
from woodshed.formats.midi_walk import walk_track, walk_tracks
from woodshed.formats.midi_write import write_midi
from woodshed.formats.repair import Repair
from woodshed.music import BEND, CONTROL, KEY, METER, NOTE, TEMPO, Marker, Song
from woodshed.music.units import TICKS_PER_QUARTER, rescale_ticks

__all__ = ["MidiLimits", "Repair", "read_comment", "read_midi", "write_midi"]

_DEFAULTS = MidiLimits()


def read_midi(
    source: Path | str | bytes, *, limits: MidiLimits = _DEFAULTS, repairs: list[Repair] | None = None
) -> Song:
    """A song from a file, or from the bytes of one.

    What was mended or left aside is appended to ``repairs``. A file that names no title gets its own name.

    Raises:
        FormatError: if the bytes are no MIDI.
        LimitExceeded: if one of ``limits`` is hit.
        FileError: if the file cannot be read.
    """
    data, name, stem = _load(source, limits)
    ledger = Ledger()
    chunks = find_chunks(data, name, limits, ledger)
    events = scan_tracks(data, chunks.tracks)
    if events is None:
        events = walk_tracks(data, chunks.tracks, name, limits, ledger)
    song = _to_song(events, chunks, name, stem, limits, ledger)
    if repairs is not None:
        repairs.extend(ledger.repairs())
    return song


def read_comment(source: Path | str | bytes) -> str | None:
    """The first text event of the first track, where `write_midi` puts its comment; None where there is none."""
    data, name, _ = _load(source, _DEFAULTS)
    chunks = find_chunks(data, name, _DEFAULTS, Ledger())
    first = walk_track(data, *chunks.tracks[0], _DEFAULTS.max_events, Ledger())
    found = [payload for _, kind, payload in first.metas if kind == TEXT]
    return found[0].decode("utf-8", "replace") if found else None


def _load(source: Path | str | bytes, limits: MidiLimits) -> tuple[bytes, str, str]:
    """Bytes, what to call them in messages, and a title for want of a better one."""
    if isinstance(source, bytes | bytearray | memoryview):
        data, name, stem = bytes(source), "MIDI bytes", ""
        size = len(data)
    else:
        path = Path(source)
        name, stem = path.name, path.stem
        try:
            with path.open("rb") as file:
                data = file.read(limits.max_bytes + 1)
                size = len(data)
        except OSError as error:
            raise FileError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    if size > limits.max_bytes:
        raise LimitExceeded(f"{name}: larger than {limits.max_bytes} bytes; raise max_bytes to read it")
    return data, name, stem


def _to_song(events: Events, chunks: Chunks, name: str, stem: str, limits: MidiLimits, ledger: Ledger) -> Song:
    if len(events.tick) + len(events.metas) + events.sysex > limits.max_events:
        raise LimitExceeded(f"{name}: more than {limits.max_events} events; raise max_events to read it")
    if chunks.format == 2 and len(events.ends) > 1:
        ledger.add("type-2", len(events.ends))
        events = events.one_after_another()
    metas = read_metas(events, chunks.format, ledger)
    rows = gather_rows(events)
    ends = events.ends
    playing = play(rows, ends, metas.private, limits, name, ledger)
    clock = _Clock(chunks.division, metas, ledger)
    last = clock.ticks(np.array([max(_last(playing.notes), *(_last(t) for t in (playing.controls, playing.bends)))]))
    if last[0] > limits.max_quarters * TICKS_PER_QUARTER:
        raise LimitExceeded(
            f"{name}: lasts {last[0] // TICKS_PER_QUARTER} quarter notes, more than {limits.max_quarters}; "
            "raise max_quarters to read it"
        )
    return _make(playing, metas, clock, int(ends.max(initial=0)), stem, limits, ledger)


def _last(table: NDArray[Any]) -> int:
    """The last tick that a table names."""
    stops = table["onset"] + table["duration"] if "duration" in (table.dtype.names or ()) else table["onset"]
    return int(stops.max(initial=0))


class _Clock:
    """File ticks -> song ticks."""

    def __init__(self, division: int, metas: Metas, ledger: Ledger) -> None:
        self.division = division
        self.ledger = ledger
        self.metas = metas
        if division & 0x8000:
            ledger.add("smpte-division")
            frames = {29: 30000 / 1001}.get(256 - (division >> 8), 256 - (division >> 8))
            self.rate = float(frames * max(division & 255, 1))
            seconds = np.append(0.0, metas.tempo_ticks / self.rate)
            bpms = np.append(120.0, metas.tempo_bpms)
            self._seconds, self._bpms = seconds, bpms
            self._at = np.append(0.0, np.cumsum(np.diff(seconds) * bpms[:-1] * TICKS_PER_QUARTER / 60))

    def ticks(self, file_ticks: NDArray[Any]) -> NDArray[np.int64]:
        """Nearest song ticks."""
        if not self.division & 0x8000:
            return rescale_ticks(file_ticks, self.division)
        seconds = np.asarray(file_ticks, np.float64) / self.rate
        piece = np.searchsorted(self._seconds, seconds, side="right") - 1
        beats = (seconds - self._seconds[piece]) * self._bpms[piece] / 60
        return np.rint(self._at[piece] + beats * TICKS_PER_QUARTER).astype(np.int64)

    def exact(self, file_ticks: NDArray[Any]) -> NDArray[np.bool_]:
        """Which ticks were not moved by rounding."""
        if self.division & 0x8000:
            return np.ones(len(file_ticks), bool)
        return np.asarray(file_ticks * TICKS_PER_QUARTER % self.division == 0)


def _make(playing: Any, metas: Metas, clock: _Clock, end: int, stem: str, limits: MidiLimits, ledger: Ledger) -> Song:
    wide = playing.notes
    notes = np.empty(len(wide), NOTE)
    onset, stop = clock.ticks(wide["onset"]), clock.ticks(wide["onset"] + wide["duration"])
    ledger.add("zero-length-note", int((wide["duration"] == 0).sum()))
    ledger.add("rounded-time", int((~clock.exact(wide["onset"])).sum()))
    notes["onset"], notes["duration"] = onset, np.maximum(stop - onset, 1)
    for column in ("part", "pitch", "velocity"):
        notes[column] = wide[column]
    cap = limits.max_quarters * TICKS_PER_QUARTER
    length = int(clock.ticks(np.array([end]))[0])
    if length > cap:
        ledger.add("late-end")
        length = 0
    return Song.make(
        notes,
        make_parts(playing.parts, metas.part_names),
        tempos=_table(TEMPO, clock, cap, ledger, metas.tempo_ticks, bpm=metas.tempo_bpms),
        meters=_table(METER, clock, cap, ledger, metas.meters[:, 0], numerator=metas.meters[:, 1],
                      denominator=metas.meters[:, 2]),
        keys=_table(KEY, clock, cap, ledger, metas.keys[:, 0], tonic=metas.keys[:, 1], is_minor=metas.keys[:, 2]),
        controls=_moved(CONTROL, playing.controls, clock),
        bends=_moved(BEND, playing.bends, clock),
        markers=tuple(sorted((Marker(int(clock.ticks(np.array([t]))[0]), text) for t, text in metas.markers),
                             key=lambda marker: marker.onset)),
        title=metas.title or stem,
        length=length,
    )  # fmt: skip


def _moved(dtype: np.dtype[Any], wide: NDArray[Any], clock: _Clock) -> NDArray[Any]:
    """Rows in song ticks."""
    rows = np.empty(len(wide), dtype)
    for column in dtype.names or ():
        rows[column] = clock.ticks(wide["onset"]) if column == "onset" else wide[column]
    return rows


def _table(
    dtype: np.dtype[Any], clock: _Clock, cap: int, ledger: Ledger, ticks: NDArray[Any], **columns: NDArray[Any]
) -> NDArray[Any]:
    """One row per tick: where several stand at one, the last holds."""
    onset = clock.ticks(ticks)
    kept = np.append(onset[1:] != onset[:-1], True)[: len(onset)] & (onset <= cap)
    ledger.add("superseded", int((~kept).sum()))
    rows = np.empty(int(kept.sum()), dtype)
    rows["onset"] = onset[kept]
    for column, values in columns.items():
        rows[column] = values[kept]
    return rows

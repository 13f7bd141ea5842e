"""Standard MIDI Files: `read_midi`, `write_midi`, `read_comment`.

Reading mends what can be mended and says so in `Repair` rows; times become 1/480 of a quarter note, and each
(track, channel, program) becomes a part. A song's chords and roles have no place in a MIDI file.

The bytes are read here, not by symusic: it drops channels that play no note, set-up on other tracks, the end of
track and everything it has no class for, and a note of no length makes it pair every later note of that pitch with
the wrong end. Where a file needs none of that, both find the same notes, which the tests check.

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
from woodshed.formats.midi_assemble import Columns, Playing, gather_rows, make_parts, play
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
from woodshed.music.song import MAX_TICK
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
    events = scan_tracks(data, chunks.tracks, name, limits)
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
    if chunks.format == 2 and len(events.ends) > 1:
        ledger.add("type-2", len(events.ends))
        events = events.one_after_another()
    metas = read_metas(events, chunks.format, ledger)
    rows = gather_rows(events)
    playing = play(rows, events.ends, metas.private, limits, name, ledger)
    clock = _Clock(chunks.division, metas, ledger)
    cap = min(limits.max_quarters * TICKS_PER_QUARTER, MAX_TICK)
    last = clock.tick(playing.last)
    if last > cap:
        raise LimitExceeded(
            f"{name}: lasts {last // TICKS_PER_QUARTER} quarter notes, more than {cap // TICKS_PER_QUARTER}; "
            "raise max_quarters to read it"
        )
    return _make(playing, metas, clock, int(events.ends.max(initial=0)), stem, cap, ledger)


class _Clock:
    """File ticks -> song ticks."""

    def __init__(self, division: int, metas: Metas, ledger: Ledger) -> None:
        self.division = division
        if division & 0x8000:
            ledger.add("smpte-division")
            frames = {29: 30000 / 1001}.get(256 - (division >> 8), 256 - (division >> 8))
            self.rate = float(frames * max(division & 255, 1))
            seconds = np.append(0.0, metas.tempos["onset"] / self.rate)
            bpms = np.append(120.0, metas.tempos["bpm"])
            self._seconds, self._bpms = seconds, bpms
            self._at = np.append(0.0, np.cumsum(np.diff(seconds) * bpms[:-1] * TICKS_PER_QUARTER / 60))

    def ticks(self, file_ticks: NDArray[Any]) -> NDArray[np.int64]:
        """Nearest song ticks."""
        if not self.division & 0x8000:
            return rescale_ticks(file_ticks, self.division)
        seconds = np.asarray(file_ticks, np.float64) / self.rate
        piece = np.searchsorted(self._seconds, seconds, side="right") - 1
        beats = (seconds - self._seconds[piece]) * self._bpms[piece] / 60
        ticks: NDArray[np.int64] = np.rint(self._at[piece] + beats * TICKS_PER_QUARTER).astype(np.int64)
        return ticks

    def tick(self, file_tick: int) -> int:
        """The same for a single one."""
        return int(self.ticks(np.array([file_tick]))[0])

    def moved(self, file_ticks: NDArray[Any]) -> int:
        """How many ticks rounding has moved."""
        if self.division & 0x8000 or TICKS_PER_QUARTER % self.division == 0:
            return 0
        return int(np.count_nonzero(file_ticks * TICKS_PER_QUARTER % self.division))


def _make(playing: Playing, metas: Metas, clock: _Clock, end: int, stem: str, cap: int, ledger: Ledger) -> Song:
    notes = _notes(playing.notes, clock, ledger)
    length = clock.tick(end)
    if length > cap:
        ledger.add("late-end")
        length = 0
    rung = int((notes["onset"].astype(np.int64) + notes["duration"]).max(initial=0))
    markers = [(clock.tick(tick), text) for tick, text in metas.markers]
    ledger.add("past-limit", sum(tick > cap for tick, _ in markers))
    names = ("tempos", TEMPO, metas.tempos), ("meters", METER, metas.meters), ("keys", KEY, metas.keys)
    return Song(
        notes=notes,
        parts=tuple(make_parts(playing.parts, metas.part_names, metas.channel_names)),
        controls=_by_part(_rows(CONTROL, playing.controls, clock)),
        bends=_by_part(_rows(BEND, playing.bends, clock)),
        markers=tuple(Marker(tick, text) for tick, text in markers if tick <= cap),
        title=metas.title or stem,
        length=max(length, rung),
        **{name: _latest(_rows(dtype, columns, clock, cap, ledger), ledger) for name, dtype, columns in names},
    )


def _notes(columns: Columns, clock: _Clock, ledger: Ledger) -> NDArray[Any]:
    """`NOTE` rows in the song's order."""
    onset, end = clock.ticks(columns["onset"]), clock.ticks(columns["end"])
    ledger.add("zero-length-note", int(np.count_nonzero(columns["end"] == columns["onset"])))
    ledger.add("rounded-time", clock.moved(columns["onset"]))
    duration = np.maximum(end - onset, 1)
    place = (onset << 32) + (columns["part"] << 8) + columns["pitch"]
    order = np.argsort(place)
    ranked = place[order]
    if (ranked[1:] == ranked[:-1]).any():
        order = np.lexsort((columns["velocity"], duration, place))
    notes = np.empty(len(order), NOTE)
    notes["onset"], notes["duration"] = onset[order], duration[order]
    for column in ("part", "pitch", "velocity"):
        notes[column] = columns[column][order]
    notes.flags.writeable = False
    return notes


def _rows(
    dtype: np.dtype[Any], columns: Columns, clock: _Clock, cap: int = MAX_TICK, ledger: Ledger | None = None
) -> NDArray[Any]:
    """Rows in song ticks; those past ``cap`` are dropped and counted."""
    if not len(columns["onset"]):
        return np.empty(0, dtype)
    onset = clock.ticks(columns["onset"])
    kept = onset <= cap
    rows = np.empty(int(kept.sum()), dtype)
    for column in dtype.names or ():
        rows[column] = (onset if column == "onset" else columns[column])[kept]
    if ledger:
        ledger.add("past-limit", len(onset) - len(rows))
    rows.flags.writeable = False
    return rows


def _by_part(rows: NDArray[Any]) -> NDArray[Any]:
    """Sorted by tick, then part; the file's order within."""
    if len(rows):
        rows = rows[np.lexsort((rows["part"], rows["onset"]))]
        rows.flags.writeable = False
    return rows


def _latest(rows: NDArray[Any], ledger: Ledger) -> NDArray[Any]:
    """One row per tick: where several stand at one, the last holds."""
    if len(rows) < 2:
        return rows
    kept = np.flatnonzero(np.append(rows["onset"][1:] != rows["onset"][:-1], True)[: len(rows)])
    ledger.add("superseded", len(rows) - len(kept))
    return rows.take(kept)

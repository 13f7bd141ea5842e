"""What can be wrong with a MIDI file, in words; and a ledger that counts it while a file is read."""

from __future__ import annotations

from collections import Counter

from woodshed.formats.repair import Repair

DETAILS = {
    "riff-wrapper": "the file is wrapped in a RIFF container (.rmi); the MIDI inside was taken out",
    "leading-junk": "bytes before the MThd header were skipped",
    "header-length": "the header's length is not 6; its first 6 bytes were used",
    "format-number": "the header's format is not 0, 1 or 2; read as format 1",
    "track-count": "tracks more or fewer than the header promises; those present were read",
    "division-zero": "the header says 0 ticks per quarter; 480 was assumed",
    "smpte-division": "time is in SMPTE frames; it was turned into quarters through seconds and the tempo map",
    "type-2": "the tracks are separate sequences (format 2); they were laid one after another",
    "chunk-length": "a track's stated length is wrong; its real end was found by its events or the next track",
    "stray-bytes": "bytes between or after the tracks belong to nothing; they were skipped",
    "left-aside-chunk": "chunks other than MTrk were left aside",
    "missing-end": "a track has no end-of-track event; it ends with its last event",
    "truncated-event": "a track stops inside an event; the half event was dropped",
    "bytes-after-end": "bytes after an end-of-track event were skipped",
    "long-delta": "a delta time is longer than 4 bytes; its first 4 were used",
    "no-running-status": "data bytes with no status before them were skipped",
    "running-status-after-meta": "running status continues after a meta or system event; it was read as meant",
    "data-byte": "data bytes over 127 were lowered to 127",
    "system-message": "system messages that no file should hold were skipped",
    "late-end": "an end of track lies far behind the last event, past the limit; the song ends with its last event",
    "past-limit": "tempos, meters, keys or markers past the limit on length were dropped",
    "stuck-note": "notes that never end were ended at the next note of the same pitch or at the end of the track",
    "orphan-note-off": "note-offs that end no note were ignored",
    "zero-length-note": "notes of no length were given 1 tick",
    "rounded-time": "times that are not whole 1/480ths of a quarter were moved to the nearest (at most half a tick)",
    "program-change": "programs that change within a channel were split into parts of their own",
    "channel-setup": "programs or controllers set on one track for another track's channel were taken over there",
    "bad-tempo": "tempos of 0 or above 10,000 quarters per minute were dropped",
    "bad-meter": "time signatures outside 1-64 over 1, 2, 4, 8, 16 or 32 were dropped",
    "bad-key": "key signatures outside 7 flats to 7 sharps, major or minor, were dropped",
    "superseded": "tempos, meters or keys followed by another at the same tick were dropped",
    "left-aside-silent-channel": "programs, controllers and bends of a channel that plays no note were left aside",
    "left-aside-lyric": "lyrics were left aside",
    "left-aside-text": "texts (copyright, comment, cue, instrument) were left aside",
    "left-aside-name": "track names beyond a track's first were left aside",
    "left-aside-meta": "meta events that a song cannot hold were left aside",
    "left-aside-sysex": "system exclusive messages were left aside",
    "left-aside-aftertouch": "aftertouch messages were left aside",
    "left-aside-release-velocity": "release velocities were left aside",
}
"""Kind of repair -> what was found and what was done, for people."""


class Ledger:
    """Counts repairs by kind, in the order in which they were first met."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, count: int = 1) -> None:
        """Note that ``kind`` befell ``count`` things; 0 is no news."""
        if count:
            self._counts[kind] += int(count)

    def repairs(self) -> list[Repair]:
        """One row per kind."""
        return [Repair(kind, count, DETAILS[kind]) for kind, count in self._counts.items()]

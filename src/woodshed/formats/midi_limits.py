"""The hard caps that keep a hostile or broken MIDI file from taking unbounded time or memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MidiLimits:
    """Named caps; `LimitExceeded` names the one that was hit. Raise it to read such a file all the same."""

    max_bytes: int = 16 * 2**20
    """Largest file, in bytes; no more than this is ever read. At the default, the worst file that we could make took
    4 seconds and 0.9 GB (16 MB of notes under running status)."""
    max_events: int = 4_000_000
    """Most events in all tracks together."""
    max_notes: int = 1_000_000
    """Most notes."""
    max_tracks: int = 4096
    """Most track chunks."""
    max_parts: int = 1024
    """Most parts, one per track, channel and program."""
    max_quarters: int = 200_000
    """Longest song, in quarter notes (28 hours at 120 per minute)."""

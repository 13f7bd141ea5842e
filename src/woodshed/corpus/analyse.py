"""One file -> one `Finding`: read it, mend it, and find its roles, key and chords. Runs inside the workers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.corpus.roles import parts_with_roles
from woodshed.corpus.scan import MUSICXML_ENDINGS, printable
from woodshed.errors import FormatError, LimitExceeded, UnknownName, WoodshedError
from woodshed.music import Key, Part, Song
from woodshed.music.chord_finding import find_chords
from woodshed.music.key_finding import find_key
from woodshed.music.song import ARRAYS

ACCEPTED, REPAIRED, UNUSABLE = "accepted", "repaired", "unusable"


@dataclass(frozen=True)
class Finding:
    """What became of one file, without its notes; all of it can be written as JSON."""

    source: str
    sha256: str = ""
    reason: str = ""
    """Why it is unusable: a short stable name, for counting. Empty if it is usable."""
    detail: str = ""
    """Why it is unusable: one line for people."""
    repairs: tuple[str, ...] = ()
    content: str = ""
    """Hash of the notes."""
    title: str = ""
    """As written in the file."""
    parts: tuple[Part, ...] = ()
    part_notes: tuple[int, ...] = ()
    notes: int = 0
    bars: int = 0
    length: int = 0
    """In ticks."""
    length_seconds: float = 0.0
    bpm: float = 0.0
    meter: str = ""
    key: str = ""
    key_source: str = ""
    key_confidence: float = 0.0
    chords_source: str = ""
    markers: tuple[tuple[int, str], ...] = ()
    rows: tuple[int, ...] = field(default=(0,) * len(ARRAYS))
    """How many rows each array of `woodshed.music.song.ARRAYS` has."""

    @property
    def verdict(self) -> str:
        """``"accepted"``, ``"repaired"`` or ``"unusable"``."""
        if self.reason:
            return UNUSABLE
        return REPAIRED if self.repairs else ACCEPTED

    @property
    def name(self) -> str:
        """The song's title, else the file's name without its ending."""
        return self.title.strip() or PurePosixPath(self.source).stem

    def as_json(self) -> dict[str, Any]:
        """Plain lists and dictionaries."""
        return {**vars(self), "parts": [[p.name, p.program, p.is_drum, p.role] for p in self.parts]}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Finding:
        """The inverse of `as_json`, after a journey through JSON."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()
        }
        values["parts"] = tuple(Part(*part) for part in facts["parts"])
        values["markers"] = tuple((onset, text) for onset, text in facts["markers"])
        return cls(**values)


def analyse(path: Path, source: str, *, limits: Mapping[str, Any] | None = None) -> tuple[Finding, Song | None]:
    """Read one file and find out about it; never raises for what the file holds.

    ``limits`` are fields of `woodshed.formats.midi.MidiLimits` that are not to be as usual.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        return Finding(source, reason="cannot be read", detail=f"{source}: {error.strerror}"), None
    digest = hashlib.sha256(data).hexdigest()
    repairs: list[Any] = []
    try:
        song = _read(path, repairs, limits or {})
        if len(song.notes):
            return _about(song, source, digest, repairs)
        reason, detail = "no notes", f"{path.name} holds no notes"
    except LimitExceeded as error:
        reason, detail = "too large", str(error)
    except MemoryError:
        reason, detail = "too large", f"{path.name} needs more memory than one worker may have"
    except FormatError as error:
        reason, detail = "not music or damaged", str(error)
    except WoodshedError as error:
        reason, detail = "impossible values", str(error)
    except Exception as error:  # a reader's own mistake must cost one file, not a build of thousands
        reason, detail = "reader failed", f"{path.name}: {type(error).__name__}: {error}"
    return Finding(source, digest, reason, printable(" ".join(detail.split())), _lines(repairs)), None


def check_limits(limits: Mapping[str, Any]) -> None:
    """See that limits have names that the readers know, before a thousand files are read with them.

    Raises:
        UnknownName: with the names that there are.
    """
    from woodshed.formats.midi import MidiLimits

    known = [item.name for item in fields(MidiLimits)]
    for name in limits:
        if name not in known:
            raise UnknownName(f"limit {name!r} is not one of {', '.join(known)}")


def content_hash(song: Song) -> str:
    """Sixteen hexadecimal digits that songs share only if their notes and instruments are the same."""
    players = repr([(part.program, part.is_drum) for part in song.parts])
    digest = hashlib.sha256(players.encode())
    digest.update(np.ascontiguousarray(song.notes).tobytes())
    return digest.hexdigest()[:16]


def _read(path: Path, repairs: list[Any], limits: Mapping[str, Any]) -> Song:
    if path.suffix.lower() in MUSICXML_ENDINGS:
        from woodshed.formats.musicxml import read_musicxml

        score: Song = read_musicxml(path, repairs=repairs)
        return score
    from woodshed.formats.midi import MidiLimits, read_midi

    return read_midi(path, limits=MidiLimits(**limits), repairs=repairs)


def _about(song: Song, source: str, digest: str, repairs: Sequence[Any]) -> tuple[Finding, Song]:
    content = content_hash(song)
    key, key_source, confidence = _key(song)
    chords, chords_source = _chords(song)
    song = song.replace(parts=parts_with_roles(song), chords=chords, title=printable(song.title))
    finding = Finding(
        source, digest, repairs=_lines(repairs), content=content, title=song.title, parts=song.parts,
        part_notes=tuple(np.bincount(song.notes["part"], minlength=len(song.parts)).tolist()), notes=len(song.notes),
        bars=song.bars, length=song.length, length_seconds=round(song.length_seconds, 3), bpm=round(song.bpm, 3),
        meter=str(song.meter), key=key, key_source=key_source, key_confidence=confidence, chords_source=chords_source,
        markers=tuple((mark.onset, mark.text) for mark in song.markers),
        rows=tuple(len(getattr(song, name)) for name in ARRAYS),
    )  # fmt: skip
    return finding, song


def _key(song: Song) -> tuple[str, str, float]:
    """Name of the key, whence it is known, and how sure that is.

    A lone C major at the start is what sequencers write when nobody said anything, so it is not believed: of 60
    such files of band music, the notes say A minor in 24, C major in 11 and another key in 25.
    """
    named = [Key(int(row["tonic"]), "minor" if row["is_minor"] else "major") for row in song.keys[:1]]
    if named and (len(song.keys) > 1 or named[0] != Key(0, "major")):
        return str(named[0]), "signature", 1.0
    guess = find_key(song)
    return (str(guess.key), "found", round(guess.confidence, 4)) if guess.confidence else ("", "", 0.0)


def _chords(song: Song) -> tuple[NDArray[Any], str]:
    """Rows for `Song.chords`, and whence they are known."""
    if len(song.chords):
        return song.chords, "file"
    chords = find_chords(song)
    return chords, "found" if len(chords) else ""


def _lines(repairs: Sequence[Any]) -> tuple[str, ...]:
    return tuple(f"{repair.kind} x{repair.count}: {repair.detail}" for repair in repairs)

"""One file -> one `Finding`: read it, repair it, and find its roles, key and chords. Runs inside the workers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.corpus.roles import find_roles
from woodshed.corpus.scan import MUSICXML_ENDINGS
from woodshed.errors import FormatError, LimitExceeded, WoodshedError
from woodshed.music import Song
from woodshed.music.chord_finding import find_chords
from woodshed.music.key_finding import find_key

ACCEPTED, REPAIRED, UNUSABLE = "accepted", "repaired", "unusable"


@dataclass(frozen=True)
class Finding:
    """What became of one file."""

    source: str
    sha256: str = ""
    song: Song | None = None
    """The song with its roles and chords, or nothing when the file is unusable."""
    reason: str = ""
    """Why it is unusable: a short stable name, for counting."""
    detail: str = ""
    """Why it is unusable: one line for people."""
    repairs: tuple[str, ...] = ()
    content: str = ""
    """Hash of the notes."""
    key: str = ""
    key_source: str = ""
    key_confidence: float = 0.0
    chords_source: str = ""

    @property
    def verdict(self) -> str:
        """``"accepted"``, ``"repaired"`` or ``"unusable"``."""
        if self.song is None:
            return UNUSABLE
        return REPAIRED if self.repairs else ACCEPTED


def analyse(path: Path, source: str, *, limits: Any = None) -> Finding:
    """Read one file and find out about it; never raises for what the file holds."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Finding(source, reason="cannot be read", detail=f"{path.name}: {error.strerror}")
    digest = hashlib.sha256(data).hexdigest()
    try:
        song, repairs = _read(path, data, limits)
    except LimitExceeded as error:
        return Finding(source, digest, reason="too large", detail=str(error))
    except FormatError as error:
        return Finding(source, digest, reason="not music or damaged", detail=str(error))
    except WoodshedError as error:
        return Finding(source, digest, reason="impossible values", detail=str(error))
    if not len(song.notes):
        return Finding(source, digest, reason="no notes", detail=f"{path.name} holds no notes", repairs=repairs)
    return _about(song, source, digest, repairs)


def content_hash(song: Song) -> str:
    """Sixteen hexadecimal digits that songs share only if their notes and instruments are the same."""
    players = repr([(part.program, part.is_drum) for part in song.parts])
    digest = hashlib.sha256(players.encode())
    digest.update(np.ascontiguousarray(song.notes).tobytes())
    return digest.hexdigest()[:16]


def title_of(song: Song, source: str) -> str:
    """The song's title, else the file's name without its ending."""
    return song.title.strip() or PurePosixPath(source).stem


def _read(path: Path, data: bytes, limits: Any) -> tuple[Song, tuple[str, ...]]:
    from woodshed.formats import midi, musicxml

    mended: list[Any] = []
    if path.suffix.lower() in MUSICXML_ENDINGS:
        song = musicxml.read_musicxml(path, repairs=mended)
    else:
        song = midi.read_midi(path, limits=limits or midi.MidiLimits(), repairs=mended)
    return song, tuple(f"{repair.kind} x{repair.count}: {repair.detail}" for repair in mended)


def _about(song: Song, source: str, digest: str, repairs: tuple[str, ...]) -> Finding:
    content = content_hash(song)
    key, key_source, confidence = _key(song)
    song, chords_source = _with_chords(find_roles(song))
    return Finding(
        source, digest, song, repairs=repairs, content=content, key=key, key_source=key_source,
        key_confidence=confidence, chords_source=chords_source,
    )  # fmt: skip


def _key(song: Song) -> tuple[str, str, float]:
    """Name of the key, whence it is known, and how sure that is."""
    if len(song.keys):
        from woodshed.music import Key

        row = song.keys[0]
        return str(Key(int(row["tonic"]), "minor" if row["is_minor"] else "major")), "signature", 1.0
    guess = find_key(song)
    return (str(guess.key), "found", round(guess.confidence, 4)) if guess.confidence else ("", "", 0.0)


def _with_chords(song: Song) -> tuple[Song, str]:
    if len(song.chords):
        return song, "file"
    chords = find_chords(song)
    return (song.replace(chords=chords), "found") if len(chords) else (song, "")


def part_notes(notes: NDArray[Any], parts: Sequence[Any]) -> tuple[int, ...]:
    """How many notes each part has."""
    return tuple(np.bincount(notes["part"], minlength=len(parts)).tolist())

"""Which files a folder holds: music to read, and the papers that say where it came from and who may use it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from woodshed.errors import FileError

MIDI_ENDINGS = (".mid", ".midi", ".kar", ".rmi", ".smf")
MUSICXML_ENDINGS = (".musicxml", ".mxl", ".xml")
ENDINGS = MIDI_ENDINGS + MUSICXML_ENDINGS
PAPERS = ("license", "licence", "copying", "credits", "authors", "readme", "notice", "attribution")


@dataclass(frozen=True)
class Source:
    """A file to read."""

    path: Path
    name: str
    """How it is called in a corpus: relative to the scanned folder, with forward slashes."""


@dataclass
class Scan:
    """What was found."""

    sources: list[Source] = field(default_factory=list)
    papers: list[str] = field(default_factory=list)
    """Names of files such as LICENSE, COPYING, CREDITS and README, relative like the sources."""
    unreadable: list[str] = field(default_factory=list)
    """Folders that could not be entered, with the reason."""
    folders: list[str] = field(default_factory=list)
    """The last part of each scanned path, without the machine's own path before it."""


def scan(paths: Path | Sequence[Path]) -> Scan:
    """All music below some folders (or the files themselves), sorted by name; links to folders are not followed.

    Raises:
        FileError: if a path does not exist or may not be read.
    """
    paths = [paths] if isinstance(paths, Path | str) else list(paths)
    found = Scan()
    for path in map(Path, paths):
        found.folders.append(path.resolve().name)
        prefix = f"{path.resolve().name}/" if len(paths) > 1 and path.is_dir() else ""
        _scan_one(path, prefix, found)
    found.sources.sort(key=lambda source: source.name)
    found.papers.sort()
    return found


def _scan_one(path: Path, prefix: str, found: Scan) -> None:
    if not path.exists():
        raise FileError(f"{path} does not exist; give a folder of MIDI or MusicXML files")
    if path.is_file():
        found.sources.append(Source(path, printable(path.name)))
        return
    if not os.access(path, os.R_OK | os.X_OK):
        raise FileError(f"{path} may not be read; change its permissions or choose another folder")

    def note(error: OSError) -> None:
        place = os.path.relpath(error.filename or path, path)
        found.unreadable.append(f"{prefix}{place}: {error.strerror}")

    for folder, subfolders, files in os.walk(path, onerror=note):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in files:
            _sort_in(Path(folder) / name, path, prefix, found)


def _sort_in(path: Path, root: Path, prefix: str, found: Scan) -> None:
    name = printable(prefix + path.relative_to(root).as_posix())
    if path.name.startswith("."):
        return
    if path.suffix.lower() in ENDINGS:
        found.sources.append(Source(path, name))
    elif path.name.lower().startswith(PAPERS):
        found.papers.append(name)


def printable(name: str) -> str:
    """The name with what is no UTF-8 replaced: old collections name files in all sorts of alphabets."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

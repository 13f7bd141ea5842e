"""The openly licensed music that ``woodshed data get`` can fetch: where it is, what it weighs, who may do what with it.

None of it is part of this project. What is: one manifest per set, in ``manifests/NAME.gz``, the list of its
files with size and SHA-256, written by ``tools/make_dataset_manifests.py``::

    <sha256, 64 hexadecimal digits> <size in bytes> <path below the set's folder>

Sets whose makers state no licence (the JSB chorales and the piano-roll benchmark files) are not offered.
"""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path, PurePosixPath

from woodshed.errors import DownloadError, UnknownName

HOST = "https://raw.githubusercontent.com"
"""The public code host's server of raw files."""

MUSIC_SUFFIXES = (".mid", ".mxl")

NOTICE_STEMS = ("LICENSE", "COPYING", "CREDITS", "AUTHORS", "README")
"""Files whose names begin so are licences and credits: their makers may update them at any time."""


@dataclass(frozen=True)
class Entry:
    """One file of a set."""

    path: str
    """Below the set's folder, with forward slashes."""
    size_bytes: int
    """Of the file as the manifest's maker saw it."""
    sha256: str
    """64 hexadecimal digits."""

    @property
    def is_notice(self) -> bool:
        """Whether this is a licence or credits rather than music."""
        path = PurePosixPath(self.path)
        return path.name.startswith(NOTICE_STEMS) and path.suffix not in MUSIC_SUFFIXES


@dataclass(frozen=True)
class Dataset:
    """A published set of music."""

    name: str
    """What a user types."""
    title: str
    """What its makers call it."""
    what: str
    """The kind of music, in a few words."""
    licence: str
    """As its makers state it."""
    may_train_shipped_weights: bool
    """Whether a model trained on it may be published with Woodshed."""
    folder: str
    """Where it lies below the data folder, and on a mirror."""
    repository: str
    """OWNER/NAME on the public code host."""
    source_folder: str
    """Where the same files lie in that repository; empty if it is the root."""
    revisions: tuple[str, ...] = ("HEAD",)
    """Commits or branches to ask, in this order, until the checksum agrees; none where only a mirror can serve it."""

    @property
    def address(self) -> str:
        """The base address of the raw files; of the repository's page where only a mirror can serve them."""
        if not self.revisions:
            return f"https://github.com/{self.repository}"
        return "/".join(filter(None, (HOST, self.repository, self.revisions[0], self.source_folder)))

    @property
    def needs_mirror(self) -> bool:
        """Whether the files have no address of their own, so that ``--mirror`` must name a copy."""
        return not self.revisions

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every file, in the manifest's order."""
        packed = (files("woodshed.corpus") / "manifests" / f"{self.name}.gz").read_bytes()
        return tuple(parse_manifest(gzip.decompress(packed).decode("utf-8"), self.name))

    @property
    def files(self) -> int:
        """How many files there are, licence and credits included."""
        return len(self.entries)

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(entry.size_bytes for entry in self.entries)


_BSD = "BSD-3-Clause"
_DATASETS = (
    Dataset(
        name="freedoom",
        title="Freedoom",
        what="original rock and metal game music: drums, bass, distorted guitars, leads",
        licence=_BSD,
        may_train_shipped_weights=True,
        folder="band/freedoom",
        repository="freedoom/freedoom",
        source_folder="musics",
        revisions=("HEAD", "v0.13.0"),  # the tag is of a release
    ),
    Dataset(
        name="freedoom-history",
        title="Freedoom, earlier versions",
        what="pieces and versions that Freedoom once used; those its makers withdrew are left out",
        licence=_BSD,
        may_train_shipped_weights=True,
        folder="band/freedoom-history",
        repository="freedoom/freedoom",
        source_folder="musics",
        revisions=(),  # each file comes from another commit, named by its blob, which has no raw address
    ),
    Dataset(
        name="free-music",
        title="Tanner Helland's free music",
        what="multitrack game music; covers left out",
        licence="CC-BY-4.0",
        may_train_shipped_weights=True,
        folder="band/free-music",
        repository="tannerhelland/free-music",
        source_folder="midi",
        revisions=("HEAD", "920ba5f9fa667c5fc9df2af5a22c67bc6d2020f0"),
    ),
    Dataset(
        name="easyrpg",
        title="EasyRPG run-time package",
        what="game music",
        licence="CC-BY-4.0",
        may_train_shipped_weights=True,
        folder="band/easyrpg",
        repository="EasyRPG/RTP",
        source_folder="Music",
    ),
    Dataset(
        name="blasphemer",
        title="Blasphemer",
        what="dark game music",
        licence=_BSD,
        may_train_shipped_weights=True,
        folder="band/blasphemer",
        repository="Catoptromancy/blasphemer",
        source_folder="musics",
    ),
    Dataset(
        name="groove",
        title="Groove MIDI Dataset (training and validation splits)",
        what="human drummers: microtiming and velocity",
        licence="CC-BY-4.0",
        may_train_shipped_weights=True,
        folder="groove",
        repository="zharry29/drums-with-llm",
        source_folder="groove",
        revisions=("HEAD", "bf5ea0a3344d6c3cc5c4651930ae12ab2d7d1a1b"),
    ),
    Dataset(
        name="openewld",
        title="OpenEWLD",
        what="lead sheets: melodies with chord symbols, MusicXML",
        licence="public domain scores; MIT for the collection",
        may_train_shipped_weights=True,
        folder="leadsheets/openewld",
        repository="00sapo/OpenEWLD",
        source_folder="dataset",
        revisions=("HEAD", "9bbb6d292c96c9ab2dee64b7ff5cdba60612b7a0"),
    ),
    Dataset(
        name="lieder",
        title="OpenScore Lieder",
        what="songs for voice and piano, MusicXML",
        licence="CC0-1.0",
        may_train_shipped_weights=True,
        folder="lieder/scores",
        repository="OpenScore/Lieder",
        source_folder="scores",
    ),
    Dataset(
        name="quartets",
        title="OpenScore String Quartets",
        what="string quartets, MusicXML",
        licence="CC0-1.0",
        may_train_shipped_weights=True,
        folder="quartets/scores",
        repository="OpenScore/StringQuartets",
        source_folder="scores",
    ),
    Dataset(
        name="js-fakes",
        title="JS Fake Chorales",
        what="500 synthetic chorales, for comparison and tests only: their generator saw the JSB test set",
        licence="CC-BY-4.0",
        may_train_shipped_weights=False,
        folder="chorales/js-fakes",
        repository="omarperacha/js-fakes",
        source_folder="midi",
        revisions=("HEAD", "a51146b2571bf5fa13d656fd6080740feabb5d68"),
    ),
    Dataset(
        name="nottingham",
        title="Nottingham folk tunes",
        what="folk tunes with chords",
        licence="GPL-3.0",
        may_train_shipped_weights=False,
        folder="folk/nottingham",
        repository="jukedeck/nottingham-dataset",
        source_folder="MIDI",
        revisions=("bcb2afc67d291acdd689ed0c22ab2a8a480f38a6", "HEAD"),
    ),
)


def datasets() -> tuple[Dataset, ...]:
    """Every set that can be fetched, band music first."""
    return _DATASETS


def find_dataset(name: str) -> Dataset:
    """The set of this name.

    Raises:
        UnknownName: listing the names that there are.
    """
    for dataset in _DATASETS:
        if dataset.name == name:
            return dataset
    raise UnknownName(f"no data set is called {name!r}; there are {', '.join(dataset.name for dataset in _DATASETS)}")


def is_downloaded(name: str, folder: Path) -> bool:
    """Whether every piece of the set is in ``folder``, judged by size; ``get_dataset`` also checks the content."""
    dataset = find_dataset(name)
    return all(
        entry.is_notice or _size_bytes(folder / dataset.folder / entry.path) == entry.size_bytes
        for entry in dataset.entries
    )


def default_data_folder() -> Path:
    """Where ``woodshed data get`` puts things: WOODSHED_DATA, or the platform's place for a user's data."""
    if chosen := os.environ.get("WOODSHED_DATA"):
        return Path(chosen)
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "woodshed" / "data"


def parse_manifest(text: str, name: str) -> Iterator[Entry]:
    """The files that a manifest lists, one a line.

    Raises:
        DownloadError: naming the line that is damaged or whose path would lead out of the set's folder.
    """
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        digest, _, rest = line.partition(" ")
        size, _, path = rest.partition(" ")
        if len(digest) != 64 or not size.isdecimal() or not is_safe_path(path):
            raise DownloadError(f"manifest of {name}, line {number} is damaged: {line[:120]!r}; reinstall Woodshed")
        yield Entry(path, int(size), digest)


def is_safe_path(path: str) -> bool:
    """Whether a relative path stays below the folder that it is joined to, on every platform."""
    has_drive = path[1:2] == ":"
    if has_drive or any(character == "\\" or character < " " for character in path):
        return False
    return all(part not in ("", ".", "..") for part in path.split("/"))


def _size_bytes(path: Path) -> int:
    """Of a file; -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1

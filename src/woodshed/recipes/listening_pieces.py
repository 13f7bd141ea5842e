"""The pieces of a listening test: which files are whose, which of them are drawn, and what all of them can fill."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from woodshed.corpus.scan import ENDINGS
from woodshed.errors import CorpusError, FileError, UsageError, WoodshedError
from woodshed.evaluation.listening_clips import SOUND_ENDINGS, bar_excerpt, longest_clip, recording_seconds
from woodshed.music import Song
from woodshed.recipes.files import read_song
from woodshed.words import counted

USUAL_SECONDS = 15.0
SHORTEST_PIECE = 4.0
"""Seconds; a shorter piece does not shorten the clips of all, it is left out."""

Sources = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Piece:
    """A file of music that can become a clip."""

    source: str
    path: Path
    longest: float
    """Seconds of the longest clip that it can give."""
    bar_seconds: float
    """Of its shortest bar; 0 for a recording."""
    song: Song | None
    """None for a recording."""
    digest: str
    """Of the file's bytes."""

    def fills(self, clip_seconds: float) -> bool:
        """Whether a clip of that length is music to its end, but for less than a bar."""
        return self.longest + self.bar_seconds > clip_seconds


def named_sources(words: Sequence[str]) -> dict[str, list[Path]]:
    """Sources by name, in order: ``name=PATH``, or a folder, or a file, which belongs to the folder that it is in.

    >>> list(named_sources(["mine=a.mid", "mine=b.mid", "other/c.mid"]))
    ['mine', 'other']

    Raises:
        UsageError: if two folders have one name.
    """
    found: dict[str, list[Path]] = {}
    folders: dict[str, Path] = {}
    for word in words:
        path, (name, equals, rest) = Path(word), word.partition("=")
        if equals and name and rest and not path.exists():
            found.setdefault(name, []).append(Path(rest))
            continue
        folder = path.resolve() if path.is_dir() else path.resolve().parent
        if folders.setdefault(folder.name, folder) != folder:
            raise UsageError(
                f"{folders[folder.name]} and {folder} have one name; call one of them otherwise: NAME={word}"
            )
        found.setdefault(folder.name, []).append(path)
    return found


def choose_pieces(
    sources: Sources,
    wanted: Mapping[str, int],
    clip_seconds: float | None,
    rng: np.random.Generator,
    left_out: list[str],
    progress: Callable[[int, int], None],
) -> dict[str, list[Piece]]:
    """As many pieces of each source as ``wanted``, or as many as it has, drawn from its files.

    Which files are left out, and why, goes to ``left_out``: those that cannot be read, and pieces that do not fill
    ``clip_seconds`` (where that is None, `SHORTEST_PIECE`) or have bars too long for it. Others are drawn instead.

    Raises:
        UsageError: if one file is in two sources.
        CorpusError: if a source has no piece.
        FileError: if a path does not exist.
    """
    chosen: dict[str, list[Piece]] = {}
    digests: dict[str, Piece] = {}
    done, total = 0, sum(wanted.values())
    for name, paths in sources.items():
        files = sorted({file for path in paths for file in _music_files(path)})
        chosen[name] = []
        reasons: list[str] = []
        for index in rng.permutation(len(files)):
            if len(chosen[name]) == wanted[name]:
                break
            piece = _read(name, files[index], clip_seconds, reasons)
            if piece is None or _is_there(piece, digests):
                continue
            chosen[name].append(piece)
            done += 1
            progress(done, total)
        if not chosen[name]:
            why = "; ".join(reasons[:3]) or "no file of music"
            raise CorpusError(f"source {name}: nothing can be heard of {counted(len(files), 'file')}: {why}")
        left_out += reasons
    return chosen


def common_seconds(pieces: Sequence[Piece], asked: float | None, notes: list[str]) -> float:
    """How long all clips are: as asked, or `USUAL_SECONDS`, or what the shortest piece can fill."""
    if asked is not None:
        return asked
    short = [piece for piece in pieces if not piece.fills(USUAL_SECONDS)]
    if not short:
        return USUAL_SECONDS
    shortest = min(short, key=lambda piece: piece.longest)
    notes.append(
        f"clips last {shortest.longest:.1f} s, as long as {shortest.path} is; with --seconds {USUAL_SECONDS:g} what is "
        "shorter is left out"
    )
    return shortest.longest


def _music_files(path: Path) -> list[Path]:
    """All music and sound in a folder and below, or the file itself."""
    if not path.exists():
        raise FileError(f"{path} does not exist; give a folder of music, a file, or NAME=FOLDER")
    if path.is_file():
        return [path]
    return [
        file
        for file in path.rglob("*")
        if file.suffix.lower() in (*ENDINGS, *SOUND_ENDINGS)
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]


def _read(source: str, path: Path, clip_seconds: float | None, reasons: list[str]) -> Piece | None:
    """The piece, or None with one more of ``reasons``."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if path.suffix.lower() in SOUND_ENDINGS:
            piece = Piece(source, path, recording_seconds(path), 0.0, None, digest)
        else:
            song = read_song(path)
            bar_seconds = float(np.diff(song.seconds(song.bar_lines())).min())
            piece = Piece(source, path, longest_clip(song), bar_seconds, song, digest)
    except (WoodshedError, OSError) as error:
        reasons.append(str(error))
        return None
    if piece.longest < SHORTEST_PIECE if clip_seconds is None else not piece.fills(clip_seconds):
        reasons.append(f"{path} has {piece.longest:.1f} s of music, a clip has {clip_seconds or SHORTEST_PIECE:g}")
        return None
    if clip_seconds is not None and not _has_clip(piece, clip_seconds):
        reasons.append(bars_too_long(path, clip_seconds))
        return None
    return piece


def _has_clip(piece: Piece, clip_seconds: float) -> bool:
    """Whether there is a place in it for a clip of that length, whichever may be drawn."""
    return piece.song is None or bar_excerpt(piece.song, clip_seconds, np.random.default_rng(0)) is not None


def bars_too_long(path: Path, clip_seconds: float) -> str:
    """Why a song gives no clip of that length though it has enough music."""
    return f"{path}: its bars are too long for a clip of {clip_seconds:.1f} s; ask for more --seconds"


def _is_there(piece: Piece, digests: dict[str, Piece]) -> bool:
    """Whether the same bytes were chosen before; of another source, that is a mistake."""
    other = digests.setdefault(piece.digest, piece)
    if other.source != piece.source:
        raise UsageError(f"{other.path} of {other.source} is the same as {piece.path} of {piece.source}; give it once")
    return other is not piece

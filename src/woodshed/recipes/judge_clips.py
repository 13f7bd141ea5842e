"""Judge any music, ours or a peer's, by a corpus: figures beside it, distances, and whether a judge can tell."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from woodshed.corpus import BuildOptions, Corpus, build_corpus
from woodshed.corpus.scan import scan
from woodshed.errors import CorpusError, FileError, WoodshedError
from woodshed.evaluation.comparison import Comparison, Named, Told, compare_sets
from woodshed.formats import read_midi, read_musicxml
from woodshed.music import Song
from woodshed.recipes.clip import LARGEST_SEED
from woodshed.recipes.files import check_range
from woodshed.recipes.material import is_corpus

FEWEST_HELD_OUT = 3
"""Songs that it takes on either side to set held-out ones beside the others."""
MUSICXML_ENDINGS = (".musicxml", ".mxl", ".xml")


@dataclass(frozen=True)
class ClipsVerdict:
    """What came of it."""

    comparison: Comparison
    yardstick: Comparison | None
    """The corpus' held-out songs, set beside those learned from; None where fewer than three of either are long
    enough."""
    unreadable: tuple[str, ...]
    """Files that are no music, with the reason."""
    silent: int
    """Files without a note."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        held_out = {"held_out": self.yardstick.as_dict()} if self.yardstick else {}
        return {
            **self.comparison.as_dict(), **held_out, "unreadable": list(self.unreadable), "silent": self.silent,
        }  # fmt: skip


def judge_clips(
    clips: Path, source: Path, *, bars: int | None = None, seed: int = 0, progress: Told | None = None
) -> ClipsVerdict:
    """Set the files of ``clips`` beside a corpus, or a folder of music.

    Raises:
        FileError: if there is no file.
        OutOfRange: for a seed outside 0-4294967295.
        CorpusError: if none of them has a note, or the corpus has none.
    """
    check_range("seed", seed, 0, LARGEST_SEED)
    tell = progress or (lambda stage, done, total: None)
    made, unreadable, silent = read_clips(Path(clips), tell)
    learned, held_out = real_songs(Path(source), tell)
    found = compare_sets(made, [*learned, *held_out], bars=bars, seed=seed, progress=tell)
    return ClipsVerdict(found, yardstick(learned, held_out, found.bars, seed), tuple(unreadable), silent)


def yardstick(learned: Named, held_out: Named, bars: int, seed: int) -> Comparison | None:
    """What real music reaches: held-out songs beside those learned from; None where there are too few so long."""
    if min(len(learned), len(held_out)) < FEWEST_HELD_OUT:
        return None
    try:
        found = compare_sets(held_out, learned, bars=bars, seed=seed)
    except CorpusError:  # none of them is as long as that
        return None
    return None if found.overlap is None else found  # or too few are


def read_clips(path: Path, tell: Told) -> tuple[list[tuple[str, Song]], list[str], int]:
    """The music below a folder, or one file: (name, song), then what cannot be read and why, then how many are silent.

    Raises:
        FileError: if there is no music file at all, or none that can be read.
    """
    sources = scan(path).sources
    if not sources:
        raise FileError(f"{path} holds no bundle and no music (.mid, .musicxml ...); name a folder that does")
    songs, unreadable, silent = [], [], 0
    for number, source in enumerate(sources, 1):
        try:
            song = (read_musicxml if source.path.suffix.lower() in MUSICXML_ENDINGS else read_midi)(source.path)
        except WoodshedError as error:
            unreadable.append(f"{source.name}: {error}")
            continue
        finally:
            tell("clips", number, len(sources))
        silent += not len(song)
        songs.append((source.name, song))
    if not songs:
        raise FileError(f"{path}: none of the files can be read; the first is {unreadable[0]}")
    return songs, unreadable, silent


def real_songs(source: Path, tell: Told) -> tuple[list[tuple[str, Song]], list[tuple[str, Song]]]:
    """The songs of a corpus that are learned from, and those held out; of a folder, a tenth are held out by song.

    Raises:
        CorpusError: if there are none.
    """
    if is_corpus(source):
        return split_songs(Corpus.open(source))
    with tempfile.TemporaryDirectory(prefix="woodshed-") as folder:
        build_corpus(source, Path(folder) / "corpus", options=BuildOptions(min_notes=1), progress=tell)
        return split_songs(Corpus.open(Path(folder) / "corpus"))


def split_songs(corpus: Corpus) -> tuple[list[tuple[str, Song]], list[tuple[str, Song]]]:
    """(name, song) of either split; versions of one song share a name."""
    sides: dict[str, list[tuple[str, Song]]] = {"train": [], "held_out": []}
    for entry, song in corpus.songs():
        sides[entry.split].append((f"{entry.title} ({entry.group})", song))
    return sides["train"], sides["held_out"]


def is_music(path: Path) -> bool:
    """Whether ``path`` is to be judged as music: it is no bundle.

    Raises:
        FileError: if nothing is there.
    """
    if not path.exists():
        raise FileError(
            f"{path} does not exist: neither a bundle nor music is there; give a bundle, or a file or folder "
            "of MIDI or MusicXML"
        )
    return not (path / "config.json").is_file()


def worst(found: Sequence[str], most: int = 3) -> str:
    """The first few of what cannot be read, in one line."""
    return "; ".join(found[:most]) + (f"; and {len(found) - most} more" if len(found) > most else "")

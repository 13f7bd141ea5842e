"""Is it new? A song against a corpus or a folder of music: reading, and an index that is built once and kept."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from woodshed.bundle.bundle import bundle_folder, write_atomically
from woodshed.corpus import BuildOptions, Corpus, Entry, build_corpus
from woodshed.corpus.analyse import content_hash
from woodshed.corpus.passage_store import FILE, load_index, passages_key, save_index
from woodshed.corpus.passages import RUN_NOTES, IndexedSong, PassageIndex
from woodshed.corpus.scan import scan
from woodshed.errors import CorpusError, FileError, FormatError, OutOfRange, UsageError
from woodshed.evaluation.novelty import LONGER_THAN, Baseline, Novelty, measure_baseline, measure_novelty
from woodshed.evaluation.novelty_page import write_page
from woodshed.generation.copy_limit import CopyLimit, parse_limit
from woodshed.music import Song
from woodshed.places import cache_folder
from woodshed.recipes.clip import LARGEST_SEED
from woodshed.recipes.files import check_range, read_song
from woodshed.recipes.material import is_corpus, not_used
from woodshed.words import counted

BASELINE = "passages-baseline.json"
MOST_FILES = 100_000
"""Files of a folder; more are a corpus, which `woodshed corpus build` makes."""

Told = Callable[[str, int, int], None]
"""Called with a stage (read, compare, write, index, usual), how many are done, and how many there are."""


@dataclass(frozen=True)
class Library:
    """Songs, and the index of their passages."""

    name: str
    entries: tuple[Entry, ...]
    """In the order of the index."""
    index: PassageIndex
    corpus: Corpus
    key: str

    def song(self, number: int) -> Song:
        """One of the songs."""
        return self.corpus.song(self.entries[number].song_id)

    @property
    def groups(self) -> list[int]:
        """Of each song, which songs are versions of it."""
        return [entry.group for entry in self.entries]


@dataclass(frozen=True)
class Checked:
    """A song that was checked."""

    song: Song
    name: str
    """Its file."""
    library: Library
    novelty: Novelty
    baseline: Baseline | None
    """None if nobody asked, or too few songs are there."""
    remarks: tuple[str, ...]
    """What the user should know, one line each."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "song": self.name,
            "corpus": self.library.name,
            "corpus_songs": len(self.library.entries),
            "corpus_notes": self.library.index.notes,
            **self.novelty.as_dict(),
            "baseline": None if self.baseline is None else self.baseline.as_dict(),
            "remarks": list(self.remarks),
        }


def check_song(
    path: Path,
    source: Path,
    *,
    run: int = RUN_NOTES,
    longer_than: Sequence[int] = (),
    baseline: bool = True,
    seed: int = 0,
    progress: Told | None = None,
) -> Checked:
    """What of the song in ``path`` stands in ``source``, a corpus or a folder (or file) of music.

    ``longer_than``: also the share of notes in runs of more than so many. ``seed`` deals the songs of the baseline.

    Raises:
        FileError: if a path cannot be read.
        FormatError: if the song is no music, or has no note.
        CorpusError: if there is no music in ``source``.
        OutOfRange: for numbers outside their range.
    """
    check_range("seed", seed, 0, LARGEST_SEED)
    if any(notes < 1 for notes in longer_than):
        raise OutOfRange(f"runs longer than {min(longer_than)} notes: give 1 or more")
    damage: list[str] = []
    song = read_song(path, damage.append)
    if not len(song):
        raise FormatError(f"{path}: no note sounds in it, so nothing can be new or copied; give a song with notes")
    library = open_library(source, progress)
    asked = sorted({*LONGER_THAN, *longer_than})
    novelty = measure_novelty(song, library.index, cache(library.song), run=run, longer_than=asked)
    usual = usual_sharing(library, run=run, seed=seed, progress=progress) if baseline else None
    return Checked(
        song,
        path.name,
        library,
        novelty,
        usual,
        (*(line.removeprefix("note: ") for line in damage), *_remarks(song, library, usual, baseline)),
    )


def copy_limit(text: str, source: Path | None, bundle: Path, progress: Told | None = None) -> CopyLimit:
    """``"8beats"`` or ``"24notes"`` of ``source``, a corpus or a folder; None is what the bundle keeps of its training.

    Raises:
        OutOfRange: for a text that is no limit.
        UsageError: if nobody says what must not be copied.
        CorpusError, FileError: for music that cannot be read.
    """
    beats, notes = parse_limit(text)
    learned = bundle_folder(bundle) / "training" / "corpus"
    if source is None and not is_corpus(learned):
        raise UsageError(
            f"{bundle} keeps no songs that it learned from, so what must not be copied is unknown; name them with "
            "--corpus CORPUS|FOLDER, or leave --max-copy out"
        )
    library = open_library(source or learned, progress)
    name = library.name if source else f"the songs of {bundle_folder(bundle).name}"
    return CopyLimit(library.index, name, beats, notes)


def write_novelty_page(checked: Checked, path: Path) -> None:
    """Write what was found as a page to see and hear, see `woodshed.evaluation.novelty_page`.

    Raises:
        FileError: when the file cannot be written.
    """
    library = checked.library
    write_page(
        path,
        song=checked.song,
        name=checked.name,
        against=f"{library.name}: {counted(len(library.entries), 'song')}, {counted(library.index.notes, 'note')}",
        novelty=checked.novelty,
        baseline=checked.baseline,
        source_of=cache(library.song),
        remarks=checked.remarks,
    )


def open_library(source: Path, progress: Told | None = None) -> Library:
    """A corpus, or a folder (or file) of music, with its index.

    The index of a corpus is kept in its folder. A folder is read as a corpus once, which is kept with its index among
    what can be made again (`woodshed.places`), under a name that follows from the files' contents.

    Raises:
        CorpusError: if there is no music, or the corpus is damaged.
        FileError: if the folder cannot be read.
    """
    source, tell = Path(source), progress or (lambda stage, done, total: None)
    corpus = Corpus.open(source) if is_corpus(source) else _corpus_of(source, tell)
    key = passages_key(f"{entry.song_id} {entry.title} {entry.source}" for entry in corpus.entries)
    index = load_index(corpus.folder / FILE, key)
    if index is None:
        index = _built(corpus, tell)
        _kept(corpus.folder / FILE, lambda path: save_index(index, path, key))
    return Library(source.name or str(source), corpus.entries, index, corpus, key)


def usual_sharing(
    library: Library, *, run: int = RUN_NOTES, seed: int = 0, progress: Told | None = None
) -> Baseline | None:
    """What the library's own songs share with one another, see `measure_baseline`; measured once and kept."""
    tell = progress or (lambda stage, done, total: None)
    path, key = library.corpus.folder / BASELINE, f"{library.key} {run} {seed}"
    try:
        stored = json.loads(path.read_text("utf-8"))
        if stored["key"] == key:
            return None if stored["baseline"] is None else Baseline.from_dict(stored["baseline"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    songs = [song for _, song in library.corpus.songs()]
    found = measure_baseline(
        songs,
        library.groups,
        np.random.default_rng(seed),
        run=run,
        on_song=lambda done, total: tell("usual", done, total),
    )
    content = {"key": key, "baseline": None if found is None else found.as_dict()}
    _kept(path, lambda place: write_atomically(place, json.dumps(content).encode()))
    return found


def _corpus_of(source: Path, tell: Told) -> Corpus:
    """The corpus that was made of a folder, or is made now."""
    found = scan(source)
    if not found.sources:
        raise CorpusError(f"no music below {source}: give a corpus, or a folder of MIDI or MusicXML files")
    if len(found.sources) > MOST_FILES:
        raise CorpusError(
            f"{source} has {len(found.sources):,} files; build a corpus of it with `woodshed corpus build`"
        )
    content = hashlib.sha256()
    for number, one in enumerate(found.sources):
        tell("look", number, len(found.sources))
        try:
            digest = hashlib.sha256(one.path.read_bytes()).hexdigest()
        except OSError as error:
            digest = str(error.strerror)  # the corpus says that it could not be read
        content.update(f"{one.name}\n{digest}\n".encode())
    place = cache_folder() / "novelty" / content.hexdigest()[:32]
    if not is_corpus(place):
        options = BuildOptions(min_notes=1, held_out_fraction=0.0, near_duplicates=False)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(
                f"{place.parent} cannot be made ({error.strerror}); set XDG_CACHE_HOME to a folder that can be "
                f"written, or build a corpus of {source} with `woodshed corpus build`"
            ) from error
        build_corpus(source, place, options=options, progress=tell)
    return Corpus.open(place)


def _built(corpus: Corpus, tell: Told) -> PassageIndex:
    """The index of a corpus; songs that share a title, such as untitled, go by the names of their files."""
    titles = Counter(entry.title for entry in corpus.entries)

    def songs() -> Iterator[tuple[IndexedSong, Song]]:
        for number, (entry, song) in enumerate(corpus.songs()):
            tell("index", number, len(corpus))
            is_known = entry.title and titles[entry.title] == 1
            yield IndexedSong(entry.song_id, entry.title if is_known else entry.source), song

    return PassageIndex.build(songs())


def _kept(path: Path, write: Callable[[Path], None]) -> None:
    """Written, if that is possible; where it is not it is only made again the next time."""
    try:
        write(path)
    except OSError:
        return


def _remarks(song: Song, library: Library, usual: Baseline | None, asked: bool) -> list[str]:
    lines = not_used(library.corpus, library.name)
    own = content_hash(song)
    if any(entry.song_id == own for entry in library.entries):
        lines.append("the song itself is in the corpus, note for note")
    if asked and usual is None:
        lines.append("n too small: one song, or versions of one, so what is usual cannot be told")
    elif usual is not None and usual.share.caution:
        lines.append(f"what is usual comes from few songs ({usual.share.caution})")
    return lines

"""Real music that is there without a network: string quartets among the scores that music21 installs.

Which ones, and may they be used? Haydn, Mozart and the young Beethoven are in the public domain. music21 hands the
encodings on without a licence of its own (``corpus/license.txt``): whatever a file says about itself counts. So we
take only files that reserve nothing, and leave out these:

* Bach's chorales: most carry "(c) Margaret Greentree", who keeps commercial use to herself
* Palestrina: "rights to all derivative electronic formats reserved" (John Miller)
* Monteverdi: scanned from a copyrighted edition; Essen folk songs: non-commercial

The quartets stayed when music21 removed what came under MuseData's licence (github.com/cuthbertLab/music21,
issue 110, 2015). Nobody states a licence for these encodings, so a model that learned from them is for listening
and trying out: `LICENCES` says so, and goes into the model's card. `rights_reserved` looks at each file again.

music21 itself is never imported: its scores are plain MusicXML.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from woodshed.corpus.build import BuildOptions, Progress, build_corpus
from woodshed.corpus.store import Corpus
from woodshed.errors import CorpusError, FormatError, MissingDependency
from woodshed.formats import read_musicxml, write_midi
from woodshed.music import TEMPO, Part, Song
from woodshed.places import cache_folder
from woodshed.version import __version__

SOURCE = "string quartets by Haydn, Mozart and the young Beethoven, from the scores that music21 installs"
LICENCES = (
    "compositions in the public domain",
    "encodings as music21 distributes them: they reserve no rights and state no licence (its corpus/license.txt)",
)
CHOICE = 1
"""Goes up when `SCORES` or what is done to them changes, so that an old corpus in the cache is not used."""
QUARTET = (
    Part("Violin I", 40, role="lead"), Part("Violin II", 40, role="strings"), Part("Viola", 41, role="strings"),
    Part("Cello", 42, role="bass"),
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """One of the bundled scores."""

    path: str
    """Below music21's corpus folder."""
    title: str
    bpm: float = 0.0
    """Quarter notes per minute, ours, by the movement's heading, where the score has no metronome mark; 0 keeps
    the score's own."""
    held_out: bool = False
    """Kept aside, to measure the model on."""


SCORES = (
    Score("haydn/opus1no1/movement1.mxl", "Haydn op. 1 no. 1: I Presto"),
    Score("haydn/opus1no1/movement2.mxl", "Haydn op. 1 no. 1: II Menuetto", 112),
    Score("haydn/opus1no1/movement3.mxl", "Haydn op. 1 no. 1: III Adagio"),
    Score("haydn/opus1no1/movement4.mxl", "Haydn op. 1 no. 1: IV Menuetto", 112),
    Score("haydn/opus1no1/movement5.mxl", "Haydn op. 1 no. 1: V Presto", held_out=True),
    Score("haydn/opus74no1/movement1.mxl", "Haydn op. 74 no. 1: I Allegro", 132),
    Score("haydn/opus74no1/movement2.mxl", "Haydn op. 74 no. 1: II Andantino grazioso", 56),
    Score("haydn/opus74no1/movement3.mxl", "Haydn op. 74 no. 1: III Menuetto", 144),
    Score("haydn/opus74no1/movement4.mxl", "Haydn op. 74 no. 1: IV Vivace", 138),
    Score("mozart/k80/movement1.mxl", "Mozart K. 80: I Adagio", 56),
    Score("mozart/k80/movement2.mxl", "Mozart K. 80: II Allegro", 132),
    Score("mozart/k80/movement3.mxl", "Mozart K. 80: III Menuetto", 112, held_out=True),
    Score("mozart/k80/movement4.mxl", "Mozart K. 80: IV Rondeau", 144),
    Score("mozart/k155/movement1.mxl", "Mozart K. 155: I Allegro", 126, held_out=True),
    Score("mozart/k155/movement2.mxl", "Mozart K. 155: II Andante", 72),
    Score("mozart/k155/movement3.mxl", "Mozart K. 155: III Molto allegro", 126),
    Score("mozart/k156/movement1.mxl", "Mozart K. 156: I Presto"),
    Score("mozart/k156/movement2.mxl", "Mozart K. 156: II Adagio"),
    Score("mozart/k156/movement3.mxl", "Mozart K. 156: III Tempo di Menuetto", 108),
    Score("mozart/k156/movement4.mxl", "Mozart K. 156: Adagio, first version", 44),
    Score("mozart/k458/movement1.mxl", "Mozart K. 458: I Allegro vivace assai"),
    Score("mozart/k458/movement2.mxl", "Mozart K. 458: II Menuetto", 116),
    Score("mozart/k458/movement3.mxl", "Mozart K. 458: III Adagio", 44),
    Score("mozart/k458/movement4.mxl", "Mozart K. 458: IV Allegro assai", 138),
    Score("beethoven/opus18no1/movement1.mxl", "Beethoven op. 18 no. 1: I Allegro con brio", 150),
    Score("beethoven/opus18no1/movement2.mxl", "Beethoven op. 18 no. 1: II Adagio", 69),
    Score("beethoven/opus18no1/movement3.mxl", "Beethoven op. 18 no. 1: III Scherzo", 240),
    Score("beethoven/opus18no1/movement4.mxl", "Beethoven op. 18 no. 1: IV Allegro", 112),
    Score("beethoven/opus18no3.mxl", "Beethoven op. 18 no. 3"),
    Score("beethoven/opus18no4.mxl", "Beethoven op. 18 no. 4"),
    Score("beethoven/opus18no5.mxl", "Beethoven op. 18 no. 5"),
)


def music21_scores() -> Path:
    """The folder of scores that music21 installed, found without importing it.

    Raises:
        MissingDependency: naming what to install, or what to use instead.
    """
    found = importlib.util.find_spec("music21")
    folder = Path(found.origin).parent / "corpus" if found and found.origin else None
    if folder is None or not folder.is_dir():
        raise MissingDependency(
            "there is no music to learn from: music21 and its scores are not installed; "
            '`pip install "woodshed[demo]"`, or name a folder of your own with --corpus FOLDER'
        )
    return folder


def open_classics(
    *, cache: Path | None = None, scores: Path | None = None, progress: Progress | None = None, workers: int = 2
) -> Corpus:
    """The corpus of `SCORES`: built on the first call, read from ``cache`` ever after.

    Raises:
        MissingDependency: if it has yet to be built and music21 is not installed.
        CorpusError: if none of the scores can be used.
        FileError: if the cache cannot be written.
    """
    try:
        music21 = version("music21")
    except PackageNotFoundError:
        music21 = "none"
    out = (cache or cache_folder()) / f"demo-corpus-{__version__}-{CHOICE}-music21-{music21}"
    try:
        return Corpus.open(out)
    except CorpusError:
        build_classics(out, scores or music21_scores(), progress=progress, workers=workers)
        return Corpus.open(out)


def build_classics(
    out: Path,
    folder: Path,
    *,
    scores: Sequence[Score] | None = None,
    progress: Progress | None = None,
    workers: int = 2,
) -> list[str]:
    """Build a corpus at ``out`` from those of ``scores`` (if not given: `SCORES`) that are below ``folder``.

    Returns why others are left out, one line each.

    Raises:
        CorpusError: if none can be used.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    scores = SCORES if scores is None else scores
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".demo-scores-", dir=out.parent) as work:
        names: list[str] = []
        for done, score in enumerate(scores, 1):
            name = score.path.removesuffix(".mxl") + ".mid"
            try:
                song = read_score(folder, score)
            except (FormatError, OSError) as error:
                left_out.append(f"{score.path}: {error}")
                continue
            (Path(work) / name).parent.mkdir(parents=True, exist_ok=True)
            write_midi(song, Path(work) / name)
            names += [name] * score.held_out
            if progress is not None:
                progress("scores", done, len(scores))
        if len(left_out) == len(scores):
            raise CorpusError(f"none of the scores below {folder} can be used: {left_out[0]}; try --corpus FOLDER")
        options = BuildOptions(held_out=tuple(names), workers=workers, held_out_fraction=0.1)
        build_corpus(Path(work), out, options=options, force=True, progress=progress)
    return left_out


def read_score(folder: Path, score: Score) -> Song:
    """One quartet with its title, a tempo, and the same four instruments as all the others.

    Raises:
        FormatError: if it cannot be read, is no quartet, or reserves rights.
    """
    path = folder / score.path
    if words := rights_reserved(path):
        raise FormatError(f"{score.path} reserves rights: {words}")
    song = read_musicxml(path)
    if len(song.parts) != len(QUARTET):
        raise FormatError(f"{score.path} has {len(song.parts)} parts, and a quartet has {len(QUARTET)}")
    tempos = np.array([(0, score.bpm)], TEMPO) if score.bpm else song.tempos
    return song.replace(parts=QUARTET, title=score.title, tempos=tempos)


def rights_reserved(path: Path) -> str:
    """What a compressed MusicXML file says about rights, or in a credit about copyright; empty if nothing.

    Raises:
        FormatError: if it is not a zip archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [name for name in archive.namelist() if not name.startswith("META-INF")]
            texts = [archive.read(name) for name in inside if name.endswith((".xml", ".musicxml"))]
    except zipfile.BadZipFile as error:
        raise FormatError(f"{path.name} is no compressed MusicXML ({error})") from None
    for content in texts:
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
        told = re.findall(r"<rights[^>]*>([^<]*)", text)
        told += [
            words for words in re.findall(r"<credit-words[^>]*>([^<]*)", text) if re.search("©|(?i:copyright)", words)
        ]
        if said := " ".join(" ".join(told).split()):
            return said[:120]
    return ""

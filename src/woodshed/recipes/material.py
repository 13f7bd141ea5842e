"""What to learn from: a corpus, a plain folder of files, or songs at hand, split into learned and held out."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from woodshed.codecs import EventCodec
from woodshed.codecs.part_choice import called_by, notes_of_parts
from woodshed.corpus import BuildOptions, BuildReport, Corpus, build_corpus
from woodshed.corpus.store import MANIFEST
from woodshed.errors import CodecError, CorpusError
from woodshed.music import Song
from woodshed.music.general_midi import PROGRAMS
from woodshed.music.melodies import MelodyOptions, explain, extract_melodies
from woodshed.words import counted

MOST_NAMED = 8
"""Instruments, or files, that a message names."""

Progress = Callable[[str, int, int], None]
"""Called with a stage, how many are done, and how many there are."""


@dataclass(frozen=True)
class Material:
    """Songs to learn from, and songs to be tested on."""

    songs: Sequence[Song]
    held_out: Sequence[Song] = ()
    source: str = "songs in memory"
    """Where they come from, for the bundle's card."""
    licences: tuple[str, ...] = ()
    """Names of the licence and credit files that lie beside the music."""
    warnings: tuple[str, ...] = ()
    """What the user should know, one line each."""
    called: str = "song"
    """What the songs are: songs as they were, or melodies, parts, clips... found in them."""

    @property
    def notes(self) -> int:
        """How many notes there are to learn from."""
        return sum(len(song) for song in self.songs)


def is_corpus(path: Path) -> bool:
    """Whether ``path`` is a built corpus rather than a folder of music."""
    return (path / MANIFEST).is_file()


def open_material(
    source: Path,
    work: Path,
    *,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    held_out: Path | None = None,
    reuse: bool = False,
    progress: Progress | None = None,
) -> Material:
    """The songs of ``source``, a corpus or a folder (or file) of music, and those held out.

    A folder is first built into ``work / "corpus"`` with ``options`` (fields of `BuildOptions`); with ``reuse`` a
    corpus that is already there is used as it is, so that a resumed run has the very same split. ``held_out``
    names the held-out songs instead: all of that corpus or folder, none of which is then learned from.

    Raises:
        CorpusError: if nothing usable was found.
        FileError: if a path cannot be read.
    """
    fraction = {"held_out_fraction": 0.0} if held_out is not None else {}
    build = BuildOptions(**{**(options or {}), "seed": seed, **fraction})
    corpus, warnings = _open(source, work / "corpus", build, reuse, progress)
    learned = [(entry.song_id, song) for entry, song in corpus.songs("train")]
    if held_out is None:
        tested = [(entry.song_id, song) for entry, song in corpus.songs("held_out")]
        if not tested and not any("held out" in line for line in warnings):
            warnings.append("nothing is held out, so the held-out loss is not measured; more songs allow it")
    else:
        others, more = _open(held_out, work / "held-out", build, reuse, progress)
        warnings += more
        tested = [(entry.song_id, song) for entry, song in others.songs()]
    ids = {song_id for song_id, _ in tested}
    return Material(
        songs=[song for song_id, song in learned if song_id not in ids],
        held_out=[song for _, song in tested],
        source=", ".join(corpus.manifest.get("folders", [])) or source.name,
        licences=tuple(corpus.manifest.get("papers", ())),
        warnings=tuple(warnings),
    )


def melodies_of(material: Material, codec: EventCodec, options: Mapping[str, Any]) -> Material:
    """The melodies in the songs, on both sides of the split; why others are left out is in the warnings.

    ``options`` are fields of `woodshed.music.melodies.MelodyOptions`.

    Raises:
        CorpusError: if there is none to learn from, with the reasons and remedies.
        OutOfRange: for options outside their range.
    """
    chosen = MelodyOptions(**options)
    reasons: Counter[str] = Counter()

    def found(songs: Sequence[Song]) -> list[Song]:
        melodies = []
        for song in songs:
            own, why = extract_melodies(song, chosen)
            reasons.update(why)
            melodies += [melody for melody in own if _fits(codec, melody, reasons)]
        return melodies

    learned, held_out = found(material.songs), found(material.held_out)
    told = explain(reasons, chosen)
    if not learned:
        raise CorpusError(f"{material.source}: no melody is found; {told}")
    line = learned_line(material, "melody", learned, held_out)
    return replace(
        material,
        songs=learned,
        held_out=held_out,
        called="melody",
        warnings=(*material.warnings, f"{line}; {told}" if told else line),
    )


def parts_of(material: Material, codec: Any) -> Material:
    """The parts of the songs that the codec hears, each a song of its own; the reasons for others are in the warnings.

    Raises:
        CorpusError: if there is none to learn from, with the reasons.
    """
    reasons: Counter[str] = Counter()

    def found(songs: Sequence[Song]) -> list[Song]:
        reasons.update(filter(None, map(codec.drop_reason, songs)))
        return [line for song in songs if not codec.drop_reason(song) for line in codec.lines(song)]

    learned, held_out = found(material.songs), found(material.held_out)
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    if not learned:
        remedy = f"name another with --part, or give other music; there is {_instruments(material.songs)}"
        raise CorpusError(f"{material.source}: no song has a part to learn from ({told}); {remedy}")
    line = learned_line(material, "part", learned, held_out)
    if codec.part is not None:
        ways = Counter(called_by(song.parts[0], codec.part) for song in (*learned, *held_out))
        line += f" ({codec.part!r} {', '.join(f'by {way} {count}' for way, count in ways.most_common())})"
    left_out = f"; songs left out: {told}" if told else ""
    warnings = (*material.warnings, line + left_out)
    return replace(material, songs=learned, held_out=held_out, called="part", warnings=warnings)


def learned_line(material: Material, called: str, learned: Sequence[Song], held_out: Sequence[Song]) -> str:
    """How many pieces, ``called`` so, of how many songs are learned, and how many of how many are held out."""
    ours = f"{counted(len(learned), called)} of {counted(len(material.songs), 'song')}"
    others = f"{len(held_out)} of {counted(len(material.held_out), 'song')}" if material.held_out else "none"
    return f"{ours} {'is' if len(learned) == 1 else 'are'} learned, {others} held out"


def _instruments(songs: Sequence[Song]) -> str:
    """The instruments that most songs have, and in how many."""
    found: Counter[str] = Counter()
    for song in songs:
        parts = [part for part, count in zip(song.parts, notes_of_parts(song), strict=True) if count]
        found.update(sorted({"drums" if part.is_drum else PROGRAMS[part.program] for part in parts}))
    return ", ".join(f"{name} ({count})" for name, count in found.most_common(MOST_NAMED)) or "none"


def _fits(codec: EventCodec, melody: Song, reasons: Counter[str]) -> bool:
    try:
        codec.arrange(melody)
    except CodecError:
        reasons["odd meter"] += 1
        return False
    return True


def _open(
    source: Path, built: Path, options: BuildOptions, reuse: bool, progress: Progress | None
) -> tuple[Corpus, list[str]]:
    """The corpus at ``source``, or the one built from it, and what to warn of."""
    if is_corpus(source):
        return Corpus.open(source), []
    if reuse and is_corpus(built):
        return Corpus.open(built), []
    for left in built.parent.glob(f".{built.name}.*"):
        shutil.rmtree(left, ignore_errors=True)  # what a run that was killed had read so far
    report = build_corpus(source, built, options=options, force=True, progress=progress)
    return Corpus.open(built), [*_left_out(report), *report.warnings]


def not_used(corpus: Corpus, name: str) -> list[str]:
    """What to say of files of a folder ``name`` of which no song of its corpus was made; of duplicates nothing."""
    gone = [one for one in corpus.manifest.get("discards", []) if one.get("reason") != "exact duplicate"]
    if not gone:
        return []
    told = ", ".join(f"{Path(str(one.get('source'))).name}: {one.get('reason')}" for one in gone[:MOST_NAMED])
    more = f", and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else ""
    return [f"{len(gone)} of {counted(int(corpus.manifest.get('files', 0)), 'file')} of {name} not used ({told}{more})"]


def _left_out(report: BuildReport) -> list[str]:
    if not report.reasons:
        return []
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items())
    return [f"{len(report.discards)} of {report.files} files are not used: {reasons}"]

"""Which songs the base learns from, which judge it, and which it must never hear, each with its reason."""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from woodshed.corpus import Corpus, Entry
from woodshed.corpus.split import split_groups
from woodshed.evaluation.copying import CopyIndex
from woodshed.music import Song

HERE = Path(__file__).resolve().parent
RULES = tomllib.loads((HERE / "held_out.toml").read_text(encoding="utf-8"))
STYLE15 = tomllib.loads((HERE.parent / "style15" / "songs.toml").read_text(encoding="utf-8"))
LEFT_OUT = "left_out"
OVERLAPS, RESERVED = "style15: shares melody with its songs", "rights reserved in the file"
SET = "set left out (--without)"
ALONE = (OVERLAPS, RESERVED, SET)
"""Reasons that hold for one file, not for its versions."""


@dataclass(frozen=True)
class Verdict:
    """What becomes of a song."""

    side: str
    """``"train"``, ``"held_out"`` (the development set) or ``"left_out"``."""
    why: str = ""


@dataclass(frozen=True)
class Overlap:
    """How much melody a song shares with those of style15."""

    source: str
    of_song: float
    """Share of its own pitched notes that lie in a varied run of 12 that stands in one of the 18."""
    of_style15: float
    """The greatest share of one of the 18 that lies in such a run of this song."""
    longest_run_notes: int
    nearest: str
    """The one with the longest run."""


def set_of(source: str) -> str:
    """The data set a file is from: the first part of its path."""
    return PurePosixPath(source).parts[0]


def style15_sources() -> list[str]:
    """The 18 songs, as they are called in the corpus."""
    home = PurePosixPath(STYLE15["folder"]).name
    return [f"{home}/{song['file']}" for side in ("train", "held_out") for song in STYLE15[side]]


def style15_overlaps(songs: Mapping[str, Song]) -> list[Overlap]:
    """Every song that shares a varied run of 12 notes with the 18, those that share most first."""
    ours = {name: songs[name] for name in style15_sources()}
    index = CopyIndex(ours.items())
    found = []
    for source, song in songs.items():
        if source in ours:
            continue
        copied = index.check(song)
        if not copied.pitched_share:
            continue
        back = CopyIndex([(source, song)])
        most = max(back.check(one).pitched_share for one in ours.values())
        found.append(Overlap(source, copied.pitched_share, most, copied.longest_run_notes, copied.longest_run_source))
    return sorted(found, key=lambda overlap: -max(overlap.of_song, overlap.of_style15))


def choose(
    corpus: Corpus, overlaps: Iterable[Overlap], groove: Path, reserved: Mapping[str, str], without: Sequence[str] = ()
) -> dict[str, Verdict]:
    """Song id -> what becomes of it. The first reason that holds is given; whole groups of versions go together.

    ``groove`` is the data set's folder; ``reserved`` maps sources to the words with which they reserve rights;
    ``without`` names sets of which nothing is learned.
    """
    entries = corpus.entries
    answers = _aliases(corpus)
    style15, rules = set(style15_sources()), RULES["style15"]
    alike = {o.source: o for o in overlaps if max(o.of_song, o.of_style15) > rules["overlap"]}
    validation = groove_validation(groove)
    lumps = {PurePosixPath(name).stem for name in style15}

    def any_of(names: Iterable[str]) -> Callable[[Entry], bool]:
        wanted = set(names)
        return lambda entry: not wanted.isdisjoint(answers[entry.source])

    def group_of(test: Callable[[Entry], bool]) -> Callable[[Entry], bool]:
        groups = {entry.group for entry in entries if test(entry)}
        return lambda entry: entry.group in groups

    def called_alike(entry: Entry) -> bool:
        return any(set_of(name) in rules["same_name_in"] and _lump(name) in lumps for name in answers[entry.source])

    reasons: list[tuple[str, Callable[[Entry], bool]]] = [
        (SET, lambda entry: set_of(entry.source) in without),
        ("style15: one of its songs", any_of(style15)),
        ("style15: version of one of its songs", group_of(any_of(style15))),
        ("style15: named like one of its songs", group_of(called_alike)),
        ("style15: another song of its maker", group_of(any_of(rules["same_maker"]))),
        (OVERLAPS, any_of(alike)),
        (RESERVED, any_of(reserved)),
        ("Groove validation split", any_of(validation)),
        ("version of a file of Groove's validation split", group_of(any_of(validation))),
    ]
    verdicts = {}
    for entry in entries:
        why = next((why for why, holds in reasons if holds(entry)), "")
        verdicts[entry.song_id] = Verdict(LEFT_OUT, why) if why else Verdict("train")
    for song_id in _development([entry for entry in entries if verdicts[entry.song_id].side == "train"]):
        verdicts[song_id] = Verdict("held_out", "development set")
    return verdicts


def _development(entries: list[Entry]) -> list[str]:
    """Ids of the development set: a share of each set's songs. A group that spans sets counts to that of most of it."""
    members: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        members[entry.group].append(entry)
    by_home: dict[str, list[Entry]] = defaultdict(list)
    for group in members.values():
        by_home[Counter(set_of(entry.source) for entry in group).most_common(1)[0][0]] += group
    chosen: list[str] = []
    for _, own in sorted(by_home.items()):
        names = [entry.song_id for entry in own]
        sides = split_groups([entry.group for entry in own], names, **RULES["development"])
        chosen += [name for name, side in zip(names, sides, strict=True) if side == "held_out"]
    return chosen


def _aliases(corpus: Corpus) -> dict[str, set[str]]:
    """Source of each song -> its own name and the names of the files that were left out because they repeat it."""
    repeats = {gone["source"]: gone["duplicate_of"] for gone in corpus.manifest["discards"] if gone["duplicate_of"]}
    names = {entry.source: {entry.source} for entry in corpus.entries}
    for gone in repeats:
        kept = gone
        while kept in repeats:
            kept = repeats[kept]
        names[kept].add(gone)
    return names


def _lump(source: str) -> str:
    """``d_e3m4`` of ``freedoom-history/d_e3m4_20896736.mid``: the name that the file had in the game."""
    return re.sub(r"_[0-9a-f]{8}$", "", PurePosixPath(source).stem).lower()


def groove_validation(folder: Path) -> set[str]:
    """The files of Groove's validation split, as they are called in the corpus."""
    with (folder / RULES["groove"]["validation"]).open(newline="", encoding="utf-8") as file:
        return {f"groove/{row['midi_filename']}" for row in csv.DictReader(file) if row["split"] == "validation"}

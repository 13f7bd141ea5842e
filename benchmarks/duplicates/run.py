"""Which versions of a song are found, and which strangers are taken for versions.

    python benchmarks/duplicates/run.py [--out results.csv]

Music is read from WOODSHED_DATA (default ../shared/data). Each row: how many pairs should be related (or should
not), how many were called near duplicates, and how many landed in one group.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from woodshed.corpus.duplicates import Versions, find_versions, similar_pairs
from woodshed.corpus.fingerprints import fingerprints
from woodshed.corpus.scan import MIDI_ENDINGS, scan
from woodshed.errors import WoodshedError
from woodshed.formats import read_midi
from woodshed.music import Song

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
COLUMNS = ("question", "wanted", "pairs", "near_duplicates", "in_one_group")
REMIXES = (
    ("d_e1m9", "dave3d42"), ("d_map12", "wastelandscavengers"), ("d_map21", "dave3d08"), ("d_map24", "Balancing Act"),
)  # fmt: skip
"""Remixes that Freedoom's CREDITS-MUSIC names and whose originals are in the history folder."""


def main() -> None:
    """Ask all questions and write the answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    asked = parser.parse_args()
    band, folk = read(DATA / "band"), read(DATA / "folk" / "nottingham")
    rows = [
        *made_versions(band, "band song"),
        *made_versions(tunes(folk), "folk tune"),
        *folk_rows(folk),
        *band_rows(band),
    ]
    with asked.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(", ".join(f"{key} {value}" for key, value in row.items()))


def read(folder: Path) -> dict[str, Song]:
    """Every song of at least 64 notes by its name."""
    songs = {}
    for source in scan(folder).sources:
        if source.path.suffix.lower() not in MIDI_ENDINGS:
            continue
        try:
            song = read_midi(source.path)
        except WoodshedError:
            continue
        if len(song) >= 64:
            songs[source.name] = song
    return songs


def tunes(folk: dict[str, Song]) -> dict[str, Song]:
    """The tunes with their chords, each once."""
    return {name: song for name, song in folk.items() if "/" not in name}


def made_versions(songs: dict[str, Song], what: str) -> Iterator[dict[str, Any]]:
    """Every song and a version of it: another key, half or double time, wrong notes, a part of the whole."""
    chance = np.random.default_rng(0)
    originals = list(songs.values())
    for share, kept in ((0.0, 1.0), (0.02, 1.0), (0.05, 1.0), (0.1, 1.0), (0.2, 1.0), (0.0, 0.5), (0.05, 0.5)):
        versions = [version(song, share, kept, chance) for song in originals]
        found = compare([*originals, *versions])
        pairs = [(number, number + len(originals)) for number in range(len(originals))]
        label = f"{what}: other key and tempo, {share:.0%} wrong notes, {kept:.0%} of the bars"
        yield answer(label, "found", pairs, found)


def version(song: Song, wrong: float, kept: float, chance: np.random.Generator) -> Song:
    """Another key, twice as slow or not, a share of wrong notes, a share of the bars."""
    bars = max(1, round(song.bars * kept))
    first = int(chance.integers(song.bars - bars + 1))
    song = song.slice_bars(first, first + bars) if kept < 1 else song
    notes = song.notes.copy()
    drum = np.array([part.is_drum for part in song.parts], bool)[notes["part"]]
    shift = int(chance.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6]))
    moved = notes["pitch"] + np.where(drum, 0, shift)
    moved = moved + np.where(~drum & (chance.random(len(notes)) < wrong), chance.integers(1, 4, len(notes)), 0)
    notes["pitch"] = np.where((moved < 0) | (moved > 127), notes["pitch"], moved)
    factor = int(chance.choice([1, 2]))
    notes["onset"] *= factor
    notes["duration"] *= factor
    return Song.make(notes, song.parts)


def folk_rows(folk: dict[str, Song]) -> Iterator[dict[str, Any]]:
    """Nottingham holds each tune whole, as melody alone and as chords alone."""
    names = list(folk)
    found = compare(list(folk.values()))
    place = {name: number for number, name in enumerate(names)}
    for part in ("melody", "chords"):
        pairs = [(place[name], place[f"{part}/{name}"]) for name in tunes(folk) if f"{part}/{name}" in place]
        yield answer(f"nottingham: a whole tune and its {part} alone", "found", pairs, found)
    alone = tunes(folk)
    pairs = similar_pairs(fingerprints_of(list(alone.values())))
    everyone = len(alone) * (len(alone) - 1) // 2
    near = int(pairs.near.sum())
    yield row(
        "nottingham: two tunes of different names (some are true variants)", "not found", everyone, near, len(pairs)
    )


def band_rows(band: dict[str, Song]) -> Iterator[dict[str, Any]]:
    """Credited remixes, and pairs of songs by makers who do not know each other."""
    names = list(band)
    found = compare(list(band.values()))
    stems = [PurePosixPath(name).stem for name in names]
    pairs = [
        (stems.index(remix), next(number for number, stem in enumerate(stems) if stem.startswith(first)))
        for remix, first in REMIXES
    ]
    yield answer("freedoom: a credited remix and its original", "found", pairs, found)
    home = ["freedoom" if name.startswith("freedoom") else name.split("/")[0] for name in names]
    strangers = [(a, b) for a in range(len(names)) for b in range(a) if home[a] != home[b]]
    yield answer("band: songs of different collections", "not found", strangers, found)


def fingerprints_of(songs: Sequence[Song]) -> list[Any]:
    """In batches, as the workers do."""
    found: list[Any] = []
    for start in range(0, len(songs), 64):
        batch = songs[start : start + 64]
        found += fingerprints([song.notes for song in batch], [song.parts for song in batch])
    return found


def compare(songs: Sequence[Song]) -> Versions:
    """As the corpus does."""
    return find_versions(fingerprints_of(songs), [len(song) for song in songs])


def answer(question: str, wanted: str, pairs: Sequence[tuple[int, int]], found: Versions) -> dict[str, Any]:
    """Count the pairs of which one goes because of the group that they share, and those in one group."""
    grouped = [(a, b) for a, b in pairs if found.group[a] == found.group[b]]
    near = sum(bool(found.duplicate_of[a] >= 0 or found.duplicate_of[b] >= 0) for a, b in grouped)
    return row(question, wanted, len(pairs), near, len(grouped))


def row(question: str, wanted: str, pairs: int, near: int, grouped: int) -> dict[str, Any]:
    """One line of the table."""
    return {"question": question, "wanted": wanted, "pairs": pairs, "near_duplicates": near, "in_one_group": grouped}


if __name__ == "__main__":
    main()

"""The clips that are compared: cut from real songs, or made by either side."""

from __future__ import annotations

import json
import os
import subprocess
import time
import tomllib
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import woodshed as ws
from woodshed.evaluation.clip_features import feature_matrix, normal_form
from woodshed.evaluation.note_words import note_matrix
from woodshed.music import Song

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
MAKERS_OWN = ("d_map07.mid", "d_dm2int.mid")
"""Freedoom files that the maker of style15's songs wrote too, one with another: not of other makers."""
TITLES = {
    "held out": "real: the maker's held-out songs",
    "learned": "real: the songs learned from",
    "others": "real: songs of other makers",
    "ours": "Woodshed",
    "peer": "GPT-2, REMI",
}
"""Name of each column -> what it holds, in the order of the table."""


@dataclass
class Column:
    """Clips of one kind."""

    name: str
    written: list[Song] = field(default_factory=list)
    """As they stand in their files."""
    clips: list[Song] = field(default_factory=list)
    """The same in normal form."""
    songs: list[str] = field(default_factory=list)
    """The song that each clip is of; a generated clip is a song of its own."""
    _features: np.ndarray | None = None
    _words: np.ndarray | None = None

    @property
    def features(self) -> np.ndarray:
        """(clips, features), worked out once."""
        if self._features is None:
            self._features = feature_matrix(self.clips)
        return self._features

    @property
    def words(self) -> np.ndarray:
        """(clips, words), what the judge of notes reads, worked out once."""
        if self._words is None:
            self._words = note_matrix(self.clips)
        return self._words


def real(name: str, folder: Path, options: Namespace, left_out: Sequence[str] = ()) -> Column:
    """Up to ``clips`` clips, in turns from each song, at random places that do not overlap unless there are too few."""
    rng = np.random.default_rng([options.seed, len(name)])
    paths = sorted(path for path in folder.glob("*.mid") if path.name not in left_out)
    songs = {path.stem: ws.read(path) for path in paths}
    usable = {stem: song for stem, song in songs.items() if in_four(song) and song.bars >= options.bars}
    for every in (options.bars, max(options.bars // 4, 1)):
        cut = {stem: list(pieces(song, options.bars, every)) for stem, song in usable.items()}
        if sum(map(len, cut.values())) >= options.clips:
            break
    column = Column(name)
    turns = [(turn, stem, piece) for stem, found in cut.items() for turn, piece in enumerate(shuffled(found, rng))]
    for _, stem, (written, clip) in sorted(turns, key=lambda entry: entry[0])[: options.clips]:
        column.written.append(written)
        column.clips.append(clip)
        column.songs.append(stem)
    few = len(songs) - len(usable)
    print(f"{name}: {len(column.clips)} clips of {len(set(column.songs))} songs, one every {every} bars; {few} songs "
          f"are not in 4/4 or shorter than {options.bars} bars", flush=True)  # fmt: skip
    return column


def others(options: Namespace) -> Column:
    """Songs of makers whom neither side has heard."""
    songs = tomllib.loads((HERE.parent / "style15" / "songs.toml").read_text(encoding="utf-8"))
    maker = [song["file"] for song in (*songs["train"], *songs["held_out"])]
    return real("others", options.others, options, (*maker, *MAKERS_OWN))


def in_four(song: Song) -> bool:
    """Whether all of it is in 4/4."""
    return all(meter == (4, 4) for meter in song.meters[["numerator", "denominator"]].tolist())


def pieces(song: Song, bars: int, every: int) -> Iterator[tuple[Song, Song]]:
    """Clips of whole bars, each as written and in normal form; silent ones are left out."""
    lines, normal = song.bar_lines(), normal_form(song)
    for first in range(0, len(lines) - bars, every):
        start, end = int(lines[first]), int(lines[first + bars])
        if len(clip := normal.slice(start, end)):
            yield song.slice(start, end), clip


def shuffled(found: list[tuple[Song, Song]], rng: np.random.Generator) -> list[tuple[Song, Song]]:
    return [found[index] for index in rng.permutation(len(found))]


def ours(options: Namespace) -> Column:
    """What a user gets who asks for nothing but so many bars of 4/4."""
    folder = options.work / "ours"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03d}.mid" for number in range(options.clips)]
    missing = [(number, path) for number, path in enumerate(paths) if not (options.reuse and path.exists())]
    band = ws.load(options.bundle) if missing else None
    began, notes = time.perf_counter(), 0
    for number, path in missing:
        clip = band.generate(
            bars=options.bars, meter="4/4", seed=options.seed * 10_000 + number, candidates=options.candidates
        )
        ws.write(clip, path)
        notes += len(clip)
    print(f"ours: {len(missing)} clips, {notes} notes, made in {time.perf_counter() - began:.1f} s", flush=True)
    return generated("ours", folder, options)


def peer(options: Namespace) -> Column:
    """What peer_clips.py writes, in the peer's own environment."""
    folder = options.work / "peer"
    folder.mkdir(parents=True, exist_ok=True)
    if not (options.reuse and len(list(folder.glob("*.mid"))) >= options.clips):
        command = [options.peer_python, str(HERE / "peer_clips.py"), str(options.peer_checkpoint), "--out", str(folder)]
        command += ["--clips", str(options.clips), "--bars", str(options.bars), "--seed", str(options.seed)]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        lines = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
        cut_short = sum(not line["whole"] for line in lines)
        print(f"peer: {sum(line['seconds'] for line in lines):.1f} s, {cut_short} clips did not come to their end")
    return generated("peer", folder, options)


def generated(name: str, folder: Path, options: Namespace) -> Column:
    """The first clips of a folder, each cut after ``bars`` bars of 4/4 or filled up with silence."""
    length = options.bars * 4 * 480
    written = [as_long(ws.read(path), length) for path in sorted(folder.glob("*.mid"))[: options.clips]]
    return Column(name, written, [normal_form(song) for song in written], [f"{name} {n}" for n in range(len(written))])


def as_long(song: Song, length: int) -> Song:
    return song.slice(0, length)

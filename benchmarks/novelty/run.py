"""Is `woodshed novelty` fast, does it find what was copied from real songs, and does it leave the innocent alone?

Five questions, a table each (`speed.csv`, `planted.csv`, `innocent.csv`, `usual.csv`, `limit.csv`): how long an index
and a check take; which share of passages of real songs, planted into other real songs in disguise, are found; what is
found in real songs whose notes were shuffled; what real songs share anyway; whether a limit of copying holds.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import woodshed as ws
from woodshed.bundle import Bundle, load_bundle
from woodshed.corpus.passages import IndexedSong, PassageIndex
from woodshed.errors import WoodshedError
from woodshed.evaluation.bootstrap import Interval, mean_interval
from woodshed.evaluation.novelty import measure_baseline
from woodshed.generation.canvas import blank_canvas
from woodshed.generation.copy_limit import CopyLimit, parse_limit
from woodshed.generation.fill import Answer, answers
from woodshed.music import Part, Song
from woodshed.recipes.clip import default_sampling

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
BANDS = ("freedoom", "free-music", "easyrpg", "blasphemer")
MILLION = 1_000_000
BARS, FEWEST = 8, 24
"""A planted passage: so many bars of one part, with at least so many notes."""
LONG = 48
"""Notes of a long one."""
HOST_BARS = 32
"""Of the song that a passage is planted into."""
FOUND = 0.5
"""Share of the planted notes that must be found in the song they come from."""
ENDINGS = (".mid", ".midi", ".mxl", ".musicxml", ".mscx")


def main() -> None:
    options = parse()
    bands = {name: songs_in(options.data / "band" / name) for name in BANDS}
    questions: dict[str, Callable[[], Iterator[dict[str, object]]]] = {
        "speed": lambda: speed(bands, options.data),
        "planted": lambda: planted(bands["freedoom"], np.random.default_rng(options.seed), options.plants),
        "innocent": lambda: innocent(bands, options.data, options.seed),
        "usual": lambda: usual(bands, options.data),
        "limit": lambda: limit(options.seed, options.draws),
    }
    for name, answer in questions.items():
        if options.only in (None, name):
            write(name, answer())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--plants", type=int, default=200, help="passages for each disguise")
    parser.add_argument("--draws", type=int, default=40, help="clips for each limit of copying")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("speed", "planted", "innocent", "usual", "limit"), help="one question")
    return parser.parse_args()


def songs_in(folder: Path, most_notes: int | None = None) -> list[Song]:
    """The songs below a folder that have notes; no more than it takes to have so many notes."""
    found: list[Song] = []
    for path in sorted(folder.rglob("*")):
        if most_notes is not None and sum(map(len, found)) >= most_notes:
            break
        if path.suffix.lower() in ENDINGS:
            try:
                found.append(ws.read(path).replace(title=path.stem))
            except WoodshedError:
                continue
    return [song for song in found if len(song)]


def index_of(songs: Sequence[Song]) -> PassageIndex:
    return PassageIndex.build((IndexedSong(str(number), song.title), song) for number, song in enumerate(songs))


def speed(bands: dict[str, list[Song]], data: Path) -> Iterator[dict[str, object]]:
    """Processor seconds for an index of real music up to a million notes, and for the check of each band song."""
    songs = [song for band in bands.values() for song in band]
    index_of(songs[:2]).find(songs[2])  # compiled code is made or loaded
    songs += songs_in(data / "groove")
    songs += songs_in(data / "quartets", MILLION - sum(map(len, songs)))
    began = time.process_time()
    index = index_of(songs)
    seconds = time.process_time() - began
    checks = []
    for band in bands.values():
        for song in band:
            began = time.process_time()
            index.find(song)
            checks.append((time.process_time() - began, len(song)))
    took = np.array([one[0] for one in checks])
    yield {
        "songs": len(songs), "notes": index.notes, "symbols": len(index.arrays["text"]),
        "index_seconds": round(seconds, 2),
        "index_megabytes": round(sum(array.nbytes for array in index.arrays.values()) / 1e6, 1),
        "checked": len(checks), "check_median_seconds": round(float(np.median(took)), 3),
        "check_most_seconds": round(float(took.max()), 3), "notes_of_that": checks[int(took.argmax())][1],
    }  # fmt: skip


Disguise = Callable[[NDArray[np.int64], Generator], NDArray[np.int64]]
"""Of notes (N, 3): onset, pitch, which of two parts."""


def altered(notes: NDArray[np.int64], chance: Generator) -> NDArray[np.int64]:
    """One note in ten changed by up to three semitones, left out, or followed by another."""
    kind = np.where(chance.random(len(notes)) < 0.1, chance.integers(0, 3, len(notes)), 3)
    new = notes.copy()
    new[kind == 0, 1] += chance.choice((-3, -2, -1, 1, 2, 3), int((kind == 0).sum()))
    more = notes[kind == 1] + np.array([60, 2, 0])
    return np.concatenate((new[kind != 2], more))


def timed(factor: float) -> Disguise:
    return lambda notes, chance: np.column_stack((np.rint(notes[:, 0] * factor), notes[:, 1:])).astype(np.int64)


def transposed(notes: NDArray[np.int64], chance: Generator) -> NDArray[np.int64]:
    return notes + np.array([0, chance.choice((-7, -5, -2, 3, 4, 6)), 0])


def shared_out(notes: NDArray[np.int64], chance: Generator) -> NDArray[np.int64]:
    return np.column_stack((notes[:, :2], chance.integers(0, 2, len(notes))))


def all_of(*disguises: Disguise) -> Disguise:
    def applied(notes: NDArray[np.int64], chance: Generator) -> NDArray[np.int64]:
        for disguise in disguises:
            notes = disguise(notes, chance)
        return notes

    return applied


PITCHED: dict[str, Disguise] = {
    "none": lambda notes, chance: notes,
    "transposed": transposed,
    "at half speed": timed(2),
    "at double speed": timed(0.5),
    "in triplets": timed(2 / 3),
    "10 % altered": altered,
    "over two parts": shared_out,
    "transposed, double speed, 10 % altered": all_of(altered, transposed, timed(0.5)),
    "transposed, over two parts, 10 % altered": all_of(altered, transposed, shared_out),
}
DRUMS = {name: PITCHED[name] for name in ("none", "at half speed", "at double speed", "10 % altered")}


def planted(songs: list[Song], chance: Generator, plants: int) -> Iterator[dict[str, object]]:
    """Passages of three quarters of the songs, hidden in two new parts of the others."""
    sources = [song for n, song in enumerate(songs) if n % 4]
    hosts = [song.slice_bars(0, min(song.bars, HOST_BARS)) for song in songs[::4]]
    index = index_of(sources)
    for is_drum, disguises in ((False, PITCHED), (True, DRUMS)):
        passages = [passage(sources, is_drum, chance) for _ in range(plants)]
        where = [int(chance.integers(len(hosts))) for _ in passages]
        plain = [
            min(found(index, hosts[place % len(hosts)], *one, is_drum) for place in (host, host + 1)) >= FOUND
            for one, host in zip(passages, where, strict=True)
        ]
        for name, disguise in disguises.items():
            shares = np.array([
                found(index, hosts[host], number, disguise(notes, chance), is_drum)
                for (number, notes), host, told in zip(passages, where, plain, strict=True) if told
            ])  # fmt: skip
            hit = mean_interval(shares >= FOUND, None, np.random.default_rng(0))
            long = np.array([len(notes) >= LONG for (_, notes), told in zip(passages, plain, strict=True) if told])
            yield {
                "what": "drums" if is_drum else "pitched", "disguise": name, "drawn": plants, "telling": len(shares),
                "recall": round(hit.mean, 4), "low": round(hit.low, 4), "high": round(hit.high, 4),
                "notes_found": round(float(shares.mean()), 4), "long": int(long.sum()),
                "recall_of_long": round(float((shares[long] >= FOUND).mean()), 4),
            }  # fmt: skip


def passage(songs: list[Song], is_drum: bool, chance: Generator) -> tuple[int, NDArray[np.int64]]:
    """Eight bars of one part of a song: its number, and the notes from 0 on."""
    while True:
        number = int(chance.integers(len(songs)))
        song = songs[number]
        parts = [n for n, part in enumerate(song.parts) if part.is_drum == is_drum]
        if not parts or song.bars <= BARS:
            continue
        part, bar = int(chance.choice(parts)), int(chance.integers(song.bars - BARS))
        lines = song.bar_lines()
        notes = song.notes[song.notes["part"] == part]
        notes = notes[(notes["onset"] >= lines[bar]) & (notes["onset"] < lines[bar + BARS])]
        if len(notes) >= FEWEST:
            onset = notes["onset"].astype(np.int64) - int(lines[bar])
            return number, np.column_stack((onset, notes["pitch"], np.zeros(len(notes)))).astype(np.int64)


def found(index: PassageIndex, host: Song, source: int, notes: NDArray[np.int64], is_drum: bool) -> float:
    """The share of planted notes that are found in their source."""
    first = len(host.parts)
    rows = [tuple(row) for row in host.notes.tolist()]
    rows += [
        (first + part, 1920 + onset, 100, int(np.clip(pitch, 0, 127)), 90) for onset, pitch, part in notes.tolist()
    ]
    parts = (*host.parts, Part("Planted", 0, is_drum), Part("Planted too", 1, is_drum))
    song = Song.make(rows, parts, meters=host.meters)
    return float((index.find(song).source[song.notes["part"] >= first] == source).mean())


def usual(bands: dict[str, list[Song]], data: Path) -> Iterator[dict[str, object]]:
    """What songs of one maker share with the others, and what those of one maker share with another's."""
    for name, songs in bands.items():
        own = measure_baseline(songs, range(len(songs)), np.random.default_rng(0))
        if own is not None:
            yield {
                "songs": name, "against": "its other songs", "n": own.share.count, **ends("share", own.share),
                **ends("pitched", own.pitched_share), **ends("drums", own.drum_share),
                "longest_notes": round(own.longest_notes.mean, 1),
            }  # fmt: skip
    makers = {**bands, "groove": drummer(data, lambda name: name != "drummer1")}
    tested = {**bands, "groove drummer 1": drummer(data, lambda name: name == "drummer1")}
    for name, against in (("freedoom", "free-music"), ("free-music", "freedoom"), ("groove drummer 1", "groove")):
        index = index_of(makers[against])
        figures = np.array([of_one(index, song) for song in tested[name]])
        line: dict[str, object] = {"songs": name, "against": against, "n": len(figures)}
        for column, figure in enumerate(("share", "pitched", "drums")):
            known = figures[~np.isnan(figures[:, column]), column]
            line |= ends(figure, mean_interval(known, None, np.random.default_rng(0)))
        yield {**line, "longest_notes": round(float(figures[:, 3].mean()), 1)}


def drummer(data: Path, wanted: Callable[[str], bool]) -> list[Song]:
    """Performances of a hundred hits or more."""
    folders = [folder for folder in sorted((data / "groove").iterdir()) if folder.is_dir() and wanted(folder.name)]
    return [song for folder in folders for song in songs_in(folder) if len(song) >= 100]


def of_one(index: PassageIndex, song: Song) -> tuple[float, float, float, float]:
    """share, pitched share and drum share (nan where there is no such note), notes of the longest run."""
    result = index.find(song)
    drums = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
    shared = result.length > 0
    sides = [float(shared[side].mean()) if side.any() else float("nan") for side in (~drums, drums)]
    return float(shared.mean()), sides[0], sides[1], float(result.length.max(initial=0))


def ends(name: str, interval: Interval) -> dict[str, object]:
    """Mean and ends of an interval; empty where there is nothing to take a mean of."""
    return {
        name if end == "mean" else f"{name}_{end}": round(getattr(interval, end), 4) if interval.count else ""
        for end in ("mean", "low", "high")
    }


def innocent(bands: dict[str, list[Song]], data: Path, seed: int) -> Iterator[dict[str, object]]:
    """Against the real band songs: these, of which every part's pitches and waits are dealt anew, and quartets that
    were written two hundred years before them."""
    songs = [song for band in bands.values() for song in band]
    index = index_of(songs)
    dealt = [shuffled(song, np.random.default_rng([seed, number])) for number, song in enumerate(songs)]
    for name, checked in (("band songs, dealt anew", dealt), ("string quartets", songs_in(data / "quartets")[::2])):
        results = [index.find(song) for song in checked]
        yield {
            "music": name, "songs": len(checked), "with a passage": sum(bool(result.copies) for result in results),
            "notes": sum(map(len, checked)), "shared": sum(int((result.length > 0).sum()) for result in results),
            "longest": max((len(result.longest.notes) for result in results if result.longest), default=0),
        }  # fmt: skip


def limit(seed: int, draws: int) -> Iterator[dict[str, object]]:
    """Clips of the shipped bundle are indexed; then the same seeds, which would play them again, have a limit."""
    bundle = load_bundle("base")
    free = [clip_of(bundle, seed + number, None) for number in range(draws)]
    index = index_of([clip.song for clip in free])
    for text in ("none", "16beats", "8beats", "4beats", "24notes"):
        began = time.process_time()
        asked = None if text == "none" else CopyLimit(index, "its own clips", *parse_limit(text))
        clips = [clip_of(bundle, seed + number, asked) for number in range(draws)]
        seconds = time.process_time() - began
        longest = [CopyLimit(index, "").longest(clip.song) for clip in clips]
        yield {
            "limit": text, "clips": draws, "longest_beats": max(beats for beats, _ in longest),
            "longest_notes": max(notes for _, notes in longest), "bars_again": sum(clip.redrawn for clip in clips),
            "notes_left_out": sum(clip.removed for clip in clips), "notes": sum(len(clip.song) for clip in clips),
            "seconds_each": round(seconds / draws, 2),
        }  # fmt: skip


def clip_of(bundle: Bundle, seed: int, asked: CopyLimit | None) -> Answer:
    """Eight bars, one draw."""
    canvas = blank_canvas(bundle, BARS, np.random.default_rng([seed, 0]))
    canvas = replace(canvas, constraints=replace(canvas.constraints, copying=asked))
    return answers(bundle, canvas, default_sampling(bundle), np.random.default_rng([seed, 1]))[0]


def shuffled(song: Song, chance: Generator) -> Song:
    notes = song.notes.copy()
    for part in range(len(song.parts)):
        mine = np.flatnonzero(notes["part"] == part)
        onset = notes["onset"][mine]
        notes["pitch"][mine] = notes["pitch"][chance.permutation(mine)]
        notes["onset"][mine] = (
            onset[:1].sum() + np.append(0, np.cumsum(chance.permutation(np.diff(onset))))[: len(mine)]
        )
    return song.with_notes(notes)


def write(name: str, lines: Iterator[dict[str, object]]) -> None:
    """The table as CSV, and as Markdown on stdout."""
    rows = list(lines)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (HERE / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for row in rows:
        print(f"| {' | '.join(str(row.get(column, '')) for column in columns)} |")
    print(flush=True)


if __name__ == "__main__":
    main()

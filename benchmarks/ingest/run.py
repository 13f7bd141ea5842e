"""How fast files become music: parse, examine, build and encode, beside symusic, MidiTok and pretty_midi.

    python benchmarks/ingest/run.py --peers PYTHON [--synthetic 10000] [--out results.csv]

PYTHON is the interpreter of a separate environment that holds `requirements.txt`; without it those rows are left
out. Music is read from WOODSHED_DATA (default ../shared/data). Every row is the best of `--rounds` runs, after
one reading of all bytes so that the disk does not count. Processes are started and warm before a parse is timed;
examine and build are timed whole, start of their workers included.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from woodshed.corpus import BuildOptions, Corpus, build_corpus, examine
from woodshed.corpus.scan import MIDI_ENDINGS, scan
from woodshed.errors import WoodshedError
from woodshed.formats import read_midi, write_midi
from woodshed.music import Song

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
COLUMNS = (
    "set",
    "task",
    "processes",
    "files",
    "notes",
    "seconds",
    "files_per_second",
    "notes_per_second",
    "peak_mib",
    "machine",
)


def main() -> None:
    """Measure all rows and write them."""
    asked = _arguments()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        sets = {"band": DATA / "band", "synthetic": Path(scratch) / "synthetic"}
        make_synthetic(sets["band"], sets["synthetic"], asked.synthetic)
        for name, folder in sets.items():
            for row in measure(folder, asked, Path(scratch)):
                rows.append({"set": name, **row, "machine": machine()})
                print(", ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    with asked.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def measure(folder: Path, asked: argparse.Namespace, scratch: Path) -> Iterator[dict[str, Any]]:
    """All rows of one set."""
    paths = [source.path for source in scan(folder).sources if source.path.suffix.lower() in MIDI_ENDINGS]
    for path in paths:
        path.read_bytes()
    for processes in asked.processes:
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            for task in (parse_symusic, parse_woodshed):
                yield parse_row(task, paths, processes, pool, asked.rounds)
        yield best(asked.rounds, lambda n=processes: whole("examine", folder, n, scratch))
        yield best(asked.rounds, lambda n=processes: whole("build", folder, n, scratch))
    yield best(asked.rounds, lambda: encode_row(scratch / "corpus"))
    yield best(asked.rounds, lambda: read_row(scratch / "corpus"))
    if asked.peers:
        for task, most in (("miditok parse and encode", 1000), ("miditok encode", 1000), ("pretty_midi parse", 300)):
            yield best(asked.rounds, lambda t=task, m=most: peer_row(asked.peers, t, paths, m, scratch))


def make_synthetic(folder: Path, out: Path, count: int) -> None:
    """Write ``count`` new files: pieces of 8 to 64 bars of real songs, transposed, with a few notes altered."""
    chance = np.random.default_rng(0)
    songs = [song for song in map(_song, (source.path for source in scan(folder).sources)) if song is not None]
    out.mkdir()
    for number in range(count):
        song = songs[int(chance.integers(len(songs)))]
        bars = int(min(song.bars, chance.integers(8, 65)))
        first = int(chance.integers(song.bars - bars + 1))
        write_midi(_altered(song.slice_bars(first, first + bars), chance), out / f"{number:05}.mid")


def _song(path: Path) -> Song | None:
    try:
        return read_midi(path)
    except WoodshedError:
        return None


def _altered(song: Song, chance: np.random.Generator) -> Song:
    notes = song.notes.copy()
    drum = np.array([part.is_drum for part in song.parts], bool)[notes["part"]]
    moved = notes["pitch"] + np.where(drum, 0, chance.integers(-6, 7))
    moved += np.where(~drum & (chance.random(len(notes)) < 0.1), chance.integers(-2, 3, len(notes)), 0)
    notes["pitch"] = np.clip(moved, 0, 127)
    return song.with_notes(notes)


def parse_symusic(paths: Sequence[Path]) -> int:
    """The limit: symusic alone. Returns how many notes there are."""
    import symusic

    notes = 0
    for path in paths:
        try:
            notes += symusic.Score(str(path)).note_num()
        except (RuntimeError, ValueError):
            continue
    return notes


def parse_woodshed(paths: Sequence[Path]) -> int:
    """Files -> Songs."""
    return sum(len(song) for song in map(_song, paths) if song is not None)


def parse_row(
    task: Callable[[Sequence[Path]], int], paths: list[Path], processes: int, pool: ProcessPoolExecutor, rounds: int
) -> dict[str, Any]:
    """Every process takes every n-th file."""
    shares = [paths[start::processes] for start in range(processes)]
    list(pool.map(task, [share[:2] for share in shares]))  # start and import
    seconds, notes = float("inf"), 0
    for _ in range(rounds):
        began = time.perf_counter()
        notes = sum(pool.map(task, shares))
        seconds = min(seconds, time.perf_counter() - began)
    name = {"parse_symusic": "symusic parse", "parse_woodshed": "woodshed parse"}[task.__name__]
    return figures(name, processes, len(paths), notes, seconds)


def whole(task: str, folder: Path, processes: int, scratch: Path) -> dict[str, Any]:
    """Examine or build in a process of its own, so that its peak memory can be told."""
    command = [sys.executable, __file__, "--whole", task, str(folder), str(processes), str(scratch / "corpus")]
    facts = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    row = figures(f"woodshed {task}", processes, facts["files"], facts["notes"], facts["seconds"])
    return {**row, "peak_mib": facts["peak_mib"]}


def run_whole(task: str, folder: str, processes: str, out: str) -> None:
    """The other side of `whole`: prints JSON. Peak memory is this process plus its largest child."""
    import resource

    began = time.perf_counter()
    if task == "examine":
        found = examine(Path(folder), workers=int(processes))
        files, notes = len(found), sum(item.notes for item in found)
    else:
        shutil.rmtree(out, ignore_errors=True)
        report = build_corpus(
            Path(folder), Path(out), options=BuildOptions(workers=int(processes), near_duplicates=False)
        )
        files, notes = report.files, report.notes
    seconds = time.perf_counter() - began
    peak = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"files": files, "notes": notes, "seconds": seconds, "peak_mib": round(peak / 1024)}))


def encode_row(corpus: Path) -> dict[str, Any]:
    """Songs in memory -> ids, for all songs of the corpus that was just built."""
    from woodshed.codecs import NoteStepCodec

    codec = NoteStepCodec()
    songs = [codec.arrange(song) for _, song in Corpus.open(corpus).songs()]
    began = time.perf_counter()
    for song in songs:
        codec.encode(song)
    return figures("woodshed encode", 1, len(songs), sum(map(len, songs)), time.perf_counter() - began)


def read_row(corpus: Path) -> dict[str, Any]:
    """The corpus that was just built -> Songs."""
    began = time.perf_counter()
    songs = [song for _, song in Corpus.open(corpus).songs()]
    return figures("woodshed corpus read", 1, len(songs), sum(map(len, songs)), time.perf_counter() - began)


def peer_row(python: str, task: str, paths: list[Path], most: int, scratch: Path) -> dict[str, Any]:
    """One of `peers.py`'s tasks, on an even sample of at most ``most`` files, for they are slow."""
    sample = paths[:: -(-len(paths) // most)]
    listed = scratch / "list.txt"
    listed.write_text("\n".join(map(str, sample)), encoding="utf-8")
    done = subprocess.run(
        [python, str(HERE / "peers.py"), task, str(listed)], check=True, stdout=subprocess.PIPE, text=True
    )
    facts = json.loads(done.stdout)
    return figures(task, 1, facts["files"], facts["notes"], facts["seconds"])


def best(rounds: int, task: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The fastest of some runs."""
    return min((task() for _ in range(rounds)), key=lambda row: row["seconds"])


def figures(task: str, processes: int, files: int, notes: int, seconds: float) -> dict[str, Any]:
    """One row."""
    return {
        "task": task, "processes": processes, "files": files, "notes": notes, "seconds": round(seconds, 3),
        "files_per_second": round(files / seconds, 1), "notes_per_second": round(notes / seconds),
    }  # fmt: skip


def machine() -> str:
    """Processor, cores and versions, in one cell."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    versions = [f"{name} {version(name)}" for name in ("numpy", "symusic", "pyarrow")]
    parts = [
        " ".join(sorted(models)) or platform.machine(),
        f"{os.cpu_count()} cores",
        f"Python {platform.python_version()}",
    ]
    return "; ".join([*parts, *versions])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="a Python with requirements.txt installed")
    parser.add_argument("--synthetic", type=int, default=10_000, help="how many files to make")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--whole"]:
        run_whole(*sys.argv[2:])
    else:
        main()

"""Does training wait for its data, and how near does a step come to what the machine can multiply?

    python benchmarks/training/run.py [--out results.csv] [--steps 12]

Music is read from WOODSHED_DATA (default ../shared/data): the 15 songs of `../style15/songs.toml`.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from woodshed.codecs import NoteStepCodec
from woodshed.codecs.study import song_inputs
from woodshed.formats import read_midi
from woodshed.models.note_model import NoteModel
from woodshed.models.note_sizes import NoteModelConfig
from woodshed.music import Song
from woodshed.training.ahead import Ahead
from woodshed.training.examples import Augmentation
from woodshed.training.lessons import NoteLessons
from woodshed.training.memory import keep_freed_memory

HERE = Path(__file__).resolve().parent
SONGS = tomllib.loads((HERE.parent / "style15" / "songs.toml").read_text(encoding="utf-8"))
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data")) / SONGS["folder"]
SIZES = {
    "small (192 x 2, as shipped)": (NoteModelConfig(width=192, layers=2, head_width=128), 8),
    "large (1,024 x 6)": (NoteModelConfig(width=1024, layers=6, head_width=512), 8),
}
LENGTH = 256
Row = dict[str, str | float | int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    parser.add_argument("--steps", type=int, default=12)
    options = parser.parse_args()
    keep_freed_memory()  # as every training run does
    codec = NoteStepCodec()
    songs = [codec.arrange(read_midi(DATA / song["file"])) for song in SONGS["train"]]
    rows = [*study_speed(codec, songs), *(row for name in SIZES for row in steps(codec, songs, name, options.steps))]
    with options.out.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, ["what", "threads", "figure", "unit"], lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow(row)
            print(f"{row['what']}, {row['threads']} threads: {row['figure']:.4g} {row['unit']}", flush=True)
    versions = ", ".join(f"{name} {version(name)}" for name in ("woodshed", "torch", "numpy", "numba"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}")


def study_speed(codec: NoteStepCodec, songs: list[Song]) -> Iterator[Row]:
    """Rows a second of all that a model reads of a song beside its notes: encoding, pointers, anchors, tallies."""
    rows = sum(len(codec.encode(song)) for song in songs)
    song_inputs(codec, songs[0])
    for threads in dict.fromkeys((1, os.cpu_count() or 1)):
        with ThreadPoolExecutor(threads) as pool:
            seconds = best_of(7, lambda pool=pool: list(pool.map(lambda song: song_inputs(codec, song), songs)))
        yield {"what": "rows of songs made ready", "threads": threads, "figure": rows / seconds, "unit": "rows/s"}


def steps(codec: NoteStepCodec, songs: list[Song], name: str, count: int) -> Iterator[Row]:
    """A step of training, what of it is drawing, and what share of the machine's peak its matrix products reach."""
    config, batch = SIZES[name]
    threads = torch.get_num_threads()
    torch.manual_seed(0)
    model = NoteModel(config).train()
    lessons = NoteLessons(codec, songs, batch, LENGTH, Augmentation())
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)

    def learn(drawn: object) -> None:
        loss = lessons.loss(model, drawn, torch.device("cpu"))  # type: ignore[arg-type]
        optimiser.zero_grad(set_to_none=True)
        loss.nats.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    rng = np.random.default_rng(0)
    counter = FlopCounterMode(display=False)
    with counter:
        learn(lessons.draw(rng))
    flops = counter.get_total_flops()
    drawing, learning = [], []
    for _ in range(count):
        began = time.perf_counter()
        drawn = lessons.draw(rng)
        drawing.append(time.perf_counter() - began)
        learn(drawn)
        learning.append(time.perf_counter() - began - drawing[-1])
    ahead, waited, times = Ahead(lessons.draw, rng), [], [time.perf_counter()]
    for _ in range(count):
        began = time.perf_counter()
        drawn = ahead.take()
        waited.append(time.perf_counter() - began)
        learn(drawn)
        times.append(time.perf_counter())
    ahead.close()
    peak = matrix_peak()
    for what, figure, unit in (
        ("a batch drawn", 1e3 * median(drawing), "ms"),
        ("a batch learned", 1e3 * median(learning), "ms"),
        ("waited for a batch drawn ahead", 1e3 * median(waited), "ms"),
        ("a step with the next batch drawn ahead", 1e3 * median(b - a for a, b in pairwise(times)), "ms"),
        ("matrix products of a step", flops / 1e9, "GFLOP"),
        ("matrix peak of the machine", peak / 1e9, "GFLOP/s"),
        ("share of the peak while learning", flops / median(learning) / peak, ""),
    ):
        yield {"what": f"{name}: {what}", "threads": threads, "figure": figure, "unit": unit}


def matrix_peak() -> float:
    """Floating point operations a second of one large product, as fast as torch can."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    torch.mm(a, b)
    return 2 * 2048**3 / best_of(5, lambda: torch.mm(a, b))


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Seconds that the fastest took."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    main()

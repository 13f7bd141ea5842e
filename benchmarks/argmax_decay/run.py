"""How soon does a guitar-solo net that always takes the likeliest event play in circles? See README.md.

python benchmarks/argmax_decay/run.py [--minutes 2.5] [--events 2000] [--again]
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import sys
from importlib.metadata import version
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from woodshed.bundle import Bundle, load_bundle
from woodshed.generation.filters import Sampling
from woodshed.generation.windows import play_windows
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import train_recipe
from woodshed.recipes.solos import passages_in

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("WOODSHED_DATA", ROOT.parent / "shared" / "data"))
BUILD = ROOT / "build" / "argmax_decay"
BLOCK, PASSAGES = 100, 4
KEPT = {"held out": ["corpus.held_out_fraction=0.1"], "last": ["corpus.held_out_fraction=0.0"]}
"""Which weights are kept: those that read held-out songs best, or, as nothing is held out, the last, which read the
learned songs best, as the original's checkpoint does."""
WAYS = {"argmax": Sampling(temperature=0.0, top_p=1.0), "temperature 1": Sampling(temperature=1.0, top_p=0.98)}
COLUMNS = [
    "kept", "way", "passage", "events", "loop_from", "loop_length", "longest_run", "distinct_per_100_events",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--again", action="store_true", help="train even where a bundle is there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for kept, changes in KEPT.items():
        bundle = trained(kept, changes, options.minutes, options.again)
        for way, sampling in WAYS.items():
            rows += measured(bundle, kept, way, sampling, options.events)
            print(kept, way, summary(rows[-PASSAGES:]), flush=True)
    write(rows)


def trained(kept: str, changes: list[str], minutes: float, again: bool) -> Bundle:
    """The original's layers and sizes on the guitars of the Freedoom songs."""
    folder = BUILD / kept.replace(" ", "-")
    if again or not (folder / "config.json").is_file():
        recipe = load_recipe("shred", ["size=paper", 'codec.part="guitar"', "training.patience=100", *changes])
        train_recipe(recipe, DATA / "band" / "freedoom", folder, minutes=minutes, device="cpu", force=True)
    return load_bundle(folder)


def measured(bundle: Bundle, kept: str, way: str, sampling: Sampling, events: int) -> list[dict[str, Any]]:
    """A row for each of the bundle's passages."""
    rows = []
    for number, passage in enumerate(passages_in(bundle)[:PASSAGES]):
        played, start, length = played_after(bundle, passage.events, sampling, events, number)
        distinct = [len(set(played[first : first + BLOCK].tolist())) for first in range(0, events, BLOCK)]
        facts = [kept, way, number, events, start, length, longest_run(played), " ".join(map(str, distinct))]
        rows.append(dict(zip(COLUMNS, facts, strict=True)))
    return rows


def played_after(
    bundle: Bundle, passage: NDArray[np.int64], sampling: Sampling, count: int, seed: int
) -> tuple[NDArray[np.int64], int | str, int | str]:
    """So many events; after how many a window comes that comes again, and how many later, both blank if none does.

    A net that draws nothing goes on for ever from there as it did before, so the rest is repeated, not played.
    """
    events, seen, window = passage.tolist(), {tuple(passage.tolist()): 0}, len(passage)
    stream = play_windows(bundle, passage, sampling, np.random.default_rng(seed))
    for place, event in enumerate(islice(stream, count), 1):
        events.append(int(event[0]))
        first = seen.setdefault(tuple(events[-window:]), place)
        if first < place and sampling.temperature == 0:
            played = np.array(events[window:])
            return np.resize(np.append(played, np.resize(played[first:], count)), count), first, place - first
    return np.array(events[window:]), "", ""


def longest_run(events: NDArray[np.int64]) -> int:
    """How often one event comes running, at most."""
    return max(len(list(group)) for _, group in groupby(events.tolist()))


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """In words for a table: loops, where they begin, how long they are, longest run, distinct events early and late."""
    begun = sorted(row["loop_from"] for row in rows if row["loop_from"] != "")
    lengths = sorted(row["loop_length"] for row in rows if row["loop_from"] != "")
    distinct = np.array([[int(count) for count in row["distinct_per_100_events"].split()] for row in rows])
    early, middle, late = distinct[:, 0].mean(), distinct[:, 7].mean(), distinct[:, -1].mean()
    return [
        f"{len(begun)} of {len(rows)}",
        f"{begun[0]}-{begun[-1]}" if begun else "-",
        f"{lengths[0]}-{lengths[-1]}" if begun else "-",
        str(max(row["longest_run"] for row in rows)),
        f"{early:.1f}", f"{middle:.1f}", f"{late:.1f}",
    ]  # fmt: skip


def write(rows: list[dict[str, Any]]) -> None:
    """The rows, and the tables of the README."""
    with (HERE / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    head = ["weights kept", "drawn", "go in circles", "from event", "length", "longest run", "1-100", "701-800", "last"]
    table = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for (kept, way), group in groupby(rows, key=lambda row: (row["kept"], row["way"])):
        table.append("| " + " | ".join([kept, way, *summary(list(group))]) + " |")
    facts = [f"- {line}" for line in told()]
    page = (HERE / "README.md").read_text(encoding="utf-8")
    for name, lines in (("results", table), ("machine", facts)):
        before, rest = page.split(f"<!-- {name} -->\n")
        _, after = rest.split(f"<!-- end of {name} -->")
        page = f"{before}<!-- {name} -->\n" + "\n".join(lines) + f"\n<!-- end of {name} -->{after}"
    (HERE / "README.md").write_text(page, encoding="utf-8")


def told() -> list[str]:
    """What was trained, and where."""
    lines = []
    for kept in KEPT:
        training = load_bundle(BUILD / kept.replace(" ", "-")).training
        loss = training["held_out_nats_per_note"]
        lines.append(
            f"weights kept: {kept}: {training['songs']} parts, {training['parameters']:,} parameters, "
            f"{training['minutes']:.1f} minutes, {training['steps']:,} steps"
            + ("" if loss is None else f", {loss:.2f} nats per held-out event")
        )
    return [
        *lines,
        f"{platform.machine()}, one thread of a machine with other work on it, {platform.system()}, Python "
        f"{sys.version.split()[0]}, torch {torch.__version__}, woodshed {version('woodshed')}",
    ]


if __name__ == "__main__":
    main()

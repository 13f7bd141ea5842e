"""How fast a radio plays, and what it holds in memory after many bars: one row for each bundle and kind of output.

Each bundle plays in a process of its own, on one thread. See README.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from threading import Event

HERE = Path(__file__).parent
ONE_THREAD = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
MARKS = (100, 1_000, 10_000)
COLUMNS = (
    "recipe", "output", "bars", "notes", "drawn_again", "music_seconds", "cpu_seconds", "wall_seconds",
    "bars_per_cpu_second", "x_real_time", "slowest_hundred_x", *(f"rss_mb_{mark}" for mark in MARKS),
)  # fmt: skip


def resident_mb() -> float:
    """What this process holds in memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(bundle: Path, ending: str, bars: int, seed: int) -> dict[str, object]:
    """Play one bundle in this process."""
    import torch

    torch.set_num_threads(1)
    from woodshed.bundle import load_bundle
    from woodshed.recipes.radio import Tally, broadcast, open_receiver, play_radio

    loaded = load_bundle(bundle)
    radio = play_radio(loaded, seed=seed)
    row: dict[str, object] = {"recipe": loaded.recipe, "output": ending}
    laps = [(0.0, time.process_time())]

    def look(tally: Tally) -> None:
        if tally.bars in MARKS:
            row[f"rss_mb_{tally.bars}"] = round(resident_mb(), 1)
        if tally.bars % 100 == 0:
            laps.append((tally.seconds, time.process_time()))

    with tempfile.TemporaryDirectory() as folder, Path("/dev/null").open("w") as nowhere:
        out = Path("-") if ending == "json" else Path(folder) / f"radio.{ending}"
        receiver = open_receiver(out, radio, nowhere)
        began, wall = time.process_time(), time.monotonic()
        laps[0] = 0.0, began
        tally = broadcast(radio, receiver, Event(), bars=bars, on_bar=look)
        cpu, wall = time.process_time() - began, time.monotonic() - wall
    speeds = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in pairwise(laps)]
    return row | {
        "bars": tally.bars, "notes": tally.notes, "drawn_again": tally.drawn_again,
        "music_seconds": round(tally.seconds, 1), "cpu_seconds": round(cpu, 2), "wall_seconds": round(wall, 2),
        "bars_per_cpu_second": round(tally.bars / cpu, 1), "x_real_time": round(tally.seconds / cpu, 1),
        "slowest_hundred_x": round(min(speeds), 1) if speeds else "",
    }  # fmt: skip


def main() -> None:
    """Measure bundles, each in a new process, and add their rows to results.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--bars", type=int, default=1000)
    parser.add_argument("--output", default="mid", choices=("mid", "wav", "json"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--here", action="store_true", help="in this process, and print one line of JSON")
    arguments = parser.parse_args()
    if arguments.here:
        print(json.dumps(measure(arguments.bundles[0], arguments.output, arguments.bars, arguments.seed)))
        return
    results = HERE / "results.csv"
    fresh = not results.exists()
    with results.open("a", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        if fresh:
            table.writeheader()
        for bundle in arguments.bundles:
            command = [sys.executable, __file__, str(bundle), "--here", "--output", arguments.output]
            command += ["--bars", str(arguments.bars), "--seed", str(arguments.seed)]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=ONE_THREAD).stdout)
            table.writerow(row)
            file.flush()
            print(row)


if __name__ == "__main__":
    main()

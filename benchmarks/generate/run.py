"""One stream of music: notes per second and real-time factor, ours beside the GPT-2 peer's ``generate``.

Give it a bundle and a peer from ``benchmarks/style15``; sides and thread counts take turns in one run.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BPM = 120
"""The tempo at which quarters become seconds, on both sides: the peer's tokens name none."""
COLUMNS = ["side", "threads", "repeat", "notes", "steps", "quarters", "seconds", "notes_per_second", "real_time_factor"]


def main() -> None:
    options = parse()
    rows = []
    for threads in options.threads:
        for side, command in commands(options).items():
            for repeat, line in enumerate(measure(command, threads, options.repeats)):
                rows.append({"side": side, "threads": threads, "repeat": repeat} | line)
                print(f"{side}, {threads} threads: {rows[-1]['notes_per_second']} notes per second", flush=True)
    beside = options.out.with_name(options.out.name + ".part")
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(beside, options.out)
    if options.out.resolve() == HERE / "results.csv":
        write_machine()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="ours, from style15")
    parser.add_argument("--peer-checkpoint", type=Path, help="the peer's model folder, from style15")
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON", ""), help="Python of the peer's venv")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    options = parser.parse_args()
    if not (options.bundle or options.peer_checkpoint):
        parser.error("give --bundle, --peer-checkpoint or both")
    if options.peer_checkpoint and not options.peer_python:
        parser.error("name the Python of the peer's environment with --peer-python")
    return options


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """The sides that were asked for."""
    sides = {}
    if options.peer_checkpoint:
        sides["peer"] = [options.peer_python, str(HERE / "peer_generate.py"), str(options.peer_checkpoint)]
    if options.bundle:
        sides["ours"] = [sys.executable, str(HERE / "ours_generate.py"), str(options.bundle)]
    return sides


def measure(command: list[str], threads: int, repeats: int) -> list[dict[str, Any]]:
    """What a side printed, with the rates worked out. Loading and the first generation are not in the time."""
    command = [*command, "--threads", str(threads), "--repeats", str(repeats)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    rows = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        row["notes_per_second"] = round(row["notes"] / row["seconds"], 2)
        row["real_time_factor"] = round(row["quarters"] * 60 / BPM / row["seconds"], 3)
        row["seconds"] = round(row["seconds"], 4)
    return rows


def write_machine() -> None:
    """Fill in the hardware and our versions between the two markers of README.md."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    text = f"- {processor}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n"
    text += f"- woodshed {version('woodshed')}, torch {version('torch')}; the peer as in `../style15/README.md`\n"
    path = HERE / "README.md"
    before, rest = path.read_text(encoding="utf-8").split("<!-- machine -->\n")
    after = rest.split("<!-- end of machine -->\n")[1]
    path.write_text(f"{before}<!-- machine -->\n{text}<!-- end of machine -->\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

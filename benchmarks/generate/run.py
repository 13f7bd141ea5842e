"""How fast music comes: notes per second beside the GPT-2 peer's ``generate``, the first note, and memory.

Give it a bundle (the one that is shipped, if none is named) and a peer from ``benchmarks/style15``. The two sides take
turns in one run. Into --out goes a line for each generation, into ``starts.csv`` beside it one for each start of the
command ``woodshed``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
BPM = 120
"""The tempo at which quarters become seconds, on both sides: the peer's tokens name none."""
STREAMS = (1, 8)
COLUMNS = (
    "side", "bars", "streams", "repeat", "notes", "steps", "quarters", "seconds", "notes_per_second",
    "real_time_factor", "peak_mib",
)  # fmt: skip
START_COLUMNS = ("bars", "candidates", "repeat", "written_seconds", "ended_seconds", "import_seconds", "peak_mib")
DEFAULT_CANDIDATES = 6
"""What `woodshed generate` draws, of which it keeps the best."""
Row = dict[str, Any]


def main() -> None:
    options = parse()
    rows = speeds(options)
    write_rows(options.out, COLUMNS, rows)
    started = starts(options)
    write_rows(options.out.with_name("starts.csv"), START_COLUMNS, started)
    lines = [*speed_table(rows), "", *start_table(started)]
    print("\n".join(lines), flush=True)
    if options.out.resolve() == HERE / "results.csv":
        write_readme(HERE / "README.md", {"results": lines, "machine": machine()})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="base", help="ours: a bundle's folder, or the one that is shipped")
    parser.add_argument("--peer-checkpoint", type=Path, help="the peer's model folder, from style15")
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON", ""), help="Python of the peer's venv")
    parser.add_argument("--bars", type=int, nargs="+", default=[8, 64, 512])
    parser.add_argument("--repeats", type=int, default=5, help="generations of each length, after one that warms up")
    parser.add_argument("--starts", type=int, default=10, help="of the command, at the fewest bars; three at more")
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    options = parser.parse_args()
    if options.peer_checkpoint and not options.peer_python:
        parser.error("name the Python of the peer's environment with --peer-python")
    return options


def speeds(options: argparse.Namespace) -> list[Row]:
    """Both sides in turn, each length and number of streams in a process of its own."""
    rows = []
    for streams in STREAMS:
        if options.peer_checkpoint:
            command = [options.peer_python, str(HERE / "peer_generate.py"), str(options.peer_checkpoint)]
            rows += generations("peer", 0, streams, command, options.repeats)
        for bars in options.bars:
            command = [sys.executable, str(HERE / "ours_generate.py"), str(options.bundle), "--bars", str(bars)]
            rows += generations("ours", bars, streams, command, options.repeats)
    return rows


def generations(side: str, bars: int, streams: int, command: list[str], repeats: int) -> list[Row]:
    """What a side printed, with the rates worked out. Loading and the first generation are not in the time."""
    command = [*command, "--streams", str(streams), "--repeats", str(repeats)]
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(command, stdout=printed, env=one_thread())
        peak = wait_for(process, command)
        printed.seek(0)
        rows: list[Row] = [json.loads(line) for line in printed if line.startswith("{")]
    for repeat, row in enumerate(rows):
        row |= {"side": side, "bars": bars or "", "streams": streams, "repeat": repeat, "peak_mib": peak}
        row["notes_per_second"] = round(row["notes"] / row["seconds"], 1)
        row["real_time_factor"] = round(row["quarters"] * 60 / BPM / row["seconds"], 2)
        row["seconds"] = round(row["seconds"], 5)
    rates = median(row["notes_per_second"] for row in rows)
    print(f"{side}, {bars or 'one context of'} bars, {streams} streams: {rates:.0f} notes per second", flush=True)
    return rows


def one_thread() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def as_installed() -> dict[str, str]:
    """As in a user's shell: Python keeps the bytecode of what it compiled."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def wait_for(process: subprocess.Popen[Any], command: Sequence[str], watch: Callable[[], None] | None = None) -> float:
    """Wait for the end, calling ``watch`` every half millisecond; the peak of the process's memory in MiB."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG if watch else 0)
        if pid:
            break
        if watch:
            watch()
            time.sleep(0.0005)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return round(usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10), 1)


def starts(options: argparse.Namespace) -> list[Row]:
    """The command ``woodshed generate BUNDLE --bars N -o x.mid``, from its start to the file, warm; and memory."""
    bundle = options.bundle if options.bundle == "base" else str(Path(options.bundle).resolve())
    fewest = min(options.bars)
    plans = [(bars, DEFAULT_CANDIDATES, options.starts if bars == fewest else 3) for bars in options.bars]
    plans.insert(1, (fewest, 1, options.starts))
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for bars, candidates, repeats in plans:
            for repeat in range(-1, repeats):
                row = start(Path(work), bundle, bars, candidates, max(repeat, 0))
                if (bars, candidates) == (fewest, DEFAULT_CANDIDATES):
                    row["import_seconds"] = import_seconds(Path(work), bundle, bars)
                if repeat >= 0:  # the first one warms the caches
                    rows.append({"bars": bars, "candidates": candidates, "repeat": repeat} | row)
            written = median(row["written_seconds"] for row in rows[-repeats:])
            print(f"{bars} bars, best of {candidates}: written after {written:.3f} s", flush=True)
    return rows


def start(work: Path, bundle: str, bars: int, candidates: int, seed: int) -> Row:
    """One start, in an empty folder."""
    output = work / "x.mid"
    output.unlink(missing_ok=True)
    command = [str(Path(sys.executable).with_name("woodshed")), "generate", bundle, "--bars", str(bars), "-o", "x.mid"]
    command += ["--seed", str(seed)]
    command += [] if candidates == DEFAULT_CANDIDATES else ["--candidates", str(candidates)]
    written: list[float] = []

    def watch() -> None:
        if not written and output.exists():
            written.append(time.perf_counter())

    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL, env=as_installed())
    peak = wait_for(process, command, watch)
    ended = time.perf_counter()
    seconds = {"written_seconds": (written or [ended])[0] - began, "ended_seconds": ended - began}
    return {name: round(value, 4) for name, value in seconds.items()} | {"peak_mib": peak}


def import_seconds(work: Path, bundle: str, bars: int) -> float:
    """What all modules took to load, by Python's own account (which costs a little itself)."""
    (work / "x.mid").unlink(missing_ok=True)
    command = [sys.executable, "-X", "importtime", "-m", "woodshed", "generate", bundle, "--bars", str(bars)]
    command += ["-o", "x.mid", "--seed", "0"]
    answer = subprocess.run(command, cwd=work, check=True, capture_output=True, text=True, env=as_installed())
    told = [
        line.removeprefix("import time:").split("|")[0].strip() for line in answer.stderr.splitlines() if "|" in line
    ]
    return round(sum(int(text) for text in told if text.isdigit()) / 1e6, 4)


def speed_table(rows: list[Row]) -> list[str]:
    """Medians, with the slowest and the fastest, and how many times the peer's."""
    lines = ["| side | bars | streams | notes per second | slowest-fastest | x real time | x peer | peak MiB |"]
    lines.append("|---" * 8 + "|")
    kinds = list(dict.fromkeys((row["side"], row["bars"], row["streams"]) for row in rows))
    for side, bars, streams in kinds:
        own = [row for row in rows if (row["side"], row["bars"], row["streams"]) == (side, bars, streams)]
        peers = [row["notes_per_second"] for row in rows if (row["side"], row["streams"]) == ("peer", streams)]
        rates = [row["notes_per_second"] for row in own]
        times = f"{median(rates) / median(peers):.0f}" if peers and median(peers) and side == "ours" else ""
        cells = [side, bars or "one context", streams, f"{median(rates):,.0f}", f"{min(rates):,.0f}-{max(rates):,.0f}"]
        cells += [f"{median(row['real_time_factor'] for row in own):,.0f}", times, f"{own[0]['peak_mib']:.0f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def start_table(rows: list[Row]) -> list[str]:
    """Medians of the starts."""
    lines = [
        "| `woodshed generate`, bars | best of | starts | file written after | process ended after | of it imports |"
    ]
    lines[0] += " peak MiB |"
    lines.append("|---" * 7 + "|")
    for bars, candidates in dict.fromkeys((row["bars"], row["candidates"]) for row in rows):
        own = [row for row in rows if (row["bars"], row["candidates"]) == (bars, candidates)]
        imports = [row["import_seconds"] for row in own if "import_seconds" in row]
        cells = [bars, candidates, len(own), f"{median(row['written_seconds'] for row in own):.3f} s"]
        cells += [f"{median(row['ended_seconds'] for row in own):.3f} s"]
        cells += [f"{median(imports):.3f} s" if imports else "", f"{max(row['peak_mib'] for row in own):.0f}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def write_rows(path: Path, columns: Sequence[str], rows: list[Row]) -> None:
    beside = path.with_name(path.name + ".part")
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(beside, path)


def machine() -> list[str]:
    """The hardware and our versions."""
    info = Path("/proc/cpuinfo")
    known = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in known if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    ours = ", ".join(f"{name} {version(name)}" for name in ("woodshed", "numba", "numpy"))
    return [
        f"- {processor}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}",
        f"- {ours}; the peer as in `../style15/README.md`",
    ]


def write_readme(path: Path, filled: dict[str, list[str]]) -> None:
    """Put lines between the markers of their name in a page."""
    text = path.read_text(encoding="utf-8")
    for marker, lines in filled.items():
        before, rest = text.split(f"<!-- {marker} -->\n")
        after = rest.split(f"<!-- end of {marker} -->\n")[1]
        text = f"{before}<!-- {marker} -->\n" + "".join(f"{line}\n" for line in lines)
        text += f"<!-- end of {marker} -->\n{after}"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Three classic systems, ours and as their authors wrote them in Keras: preparing, learning and playing, side by side.

    python -m venv PEER && PEER/bin/pip install -r benchmarks/seed_systems/requirements.txt
    python benchmarks/seed_systems/run.py --peer PEER/bin/python

Both sides are processes that live through the whole run and work in turn, a few seconds each, so that a drift of the
machine hits both; a ratio is of two neighbours in time. It writes rounds.csv (each measurement), results.csv (medians
and ratios) and agreement.csv (parameters, and how far apart the outputs of both nets are with the same weights).
Rows of what is not asked for (--nets, --tasks, --threads) stay as they are.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
WINDOWS = {"shred": 50, "deeprock": 50, "pitch-step-duration": 25}
ASKED = ("predict", "call", "function", "xla")
"""Ways of asking the peer's net: ``model.predict``, ``model(x)``, ``tf.function``, and that compiled by XLA."""
PLAYED = {"shred": ("windowed",), "deeprock": ("windowed", "carried"), "pitch-step-duration": ("windowed", "carried")}
KEY = ("task", "net", "threads", "streams")
ROUND = (*KEY, "round", "side", "way", "rate", "processor_rate", "load")
RATIOS = ("ratio", "ratio_low", "ratio_high", "processor_ratio")
RESULT = (*KEY, "ours", "peer", "ours_rate", "peer_rate", *RATIOS, "rounds", "unit")
UNITS = {"prepare": "notes/s", "train": "samples/s", "play": "notes/s"}


class Side:
    """One of the two processes."""

    def __init__(self, python: str, script: str, threads: int) -> None:
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, str(threads))}
        self.process = subprocess.Popen(
            [python, str(HERE / script), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def ask(self, task: str, **options: Any) -> dict[str, Any]:
        """What the process answers."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"task": task, **options}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[1]} ended at {task}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    """Measure what is asked for and write it."""
    asked = _arguments()
    for threads in asked.threads:
        ours, peer = Side(sys.executable, "ours.py", threads), Side(asked.peer, "peer.py", threads)
        with tempfile.TemporaryDirectory() as scratch:
            _measure(asked, threads, ours, peer, Path(scratch))
        ours.close()
        peer.close()
    write_readme(asked.out)


def _measure(asked: argparse.Namespace, threads: int, ours: Side, peer: Side, scratch: Path) -> None:
    files = sorted(str(path) for path in (DATA / "band" / "freedoom").glob("*.mid"))
    about = {"machine": machine(), "ours": ours.ask("about")["versions"], "peer": peer.ask("about")["versions"]}
    (asked.out / "machine.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    for net in asked.nets:
        if "prepare" in asked.tasks and threads == 1:  # neither side uses a second thread for this
            _keep(asked.out, _prepared(asked, net, files, ours, peer, scratch))
        if {"train", "play"} & set(asked.tasks):
            agreement(asked.out, net, files, ours, peer, scratch)
        if "train" in asked.tasks:
            _keep(asked.out, _trained(asked, net, threads, ours, peer))
        if "play" in asked.tasks:
            for streams in asked.streams:
                _keep(asked.out, _played(asked, net, threads, streams, ours, peer))


def agreement(out: Path, net: str, files: list[str], ours: Side, peer: Side, scratch: Path) -> None:
    """Build both nets with the same weights; they must have as many parameters and say the same."""
    data, weights = str(scratch / f"{net}.npz"), str(scratch / f"{net}-weights.npz")
    mine = ours.ask("build", net=net, files=files, data=data, weights=weights)
    theirs = peer.ask("build", net=net, data=data, weights=weights)
    said = [np.load(f"{weights}.{side}.npy") for side in ("ours", "peer")]
    row = {
        "net": net,
        "vocabulary": mine["vocabulary"],
        "windows": mine["windows"],
        "parameters_ours": mine["parameters"],
        "parameters_peer": theirs["parameters"],
        "largest_difference": f"{np.abs(said[0] - said[1]).max():.2g}",
    }
    rows = [old for old in _read(out / "agreement.csv") if old["net"] != net] + [row]
    _write(out / "agreement.csv", tuple(row), rows)
    print(row, flush=True)
    if mine["parameters"] != theirs["parameters"] or np.abs(said[0] - said[1]).max() > 1e-4:
        sys.exit(f"{net}: the nets of the two sides are not the same")


def _prepared(
    asked: argparse.Namespace, net: str, files: list[str], ours: Side, peer: Side, scratch: Path
) -> Iterator[dict[str, Any]]:
    """Each round takes other files; ours reads them as files, and from a corpus built of them."""
    each = asked.files if net != "pitch-step-duration" else 3 * asked.files
    for number in range(-1, asked.rounds):  # the first time imports what is needed
        chosen = files[number :: max(len(files) // each, 1)][:each] if number >= 0 else files[:1]
        notes = sum(ours.ask("count", files=chosen)["notes"])  # reads all bytes once, so that the disk does not count
        folder = str(scratch / f"corpus-{net}-{number}")
        built = ours.ask("corpus", files=chosen, out=folder)
        common = {"net": net, "files": chosen, "window": WINDOWS[net]}
        answers = [("peer", "files", peer.ask("prepare", **common))]
        for how in ("files", "corpus"):
            answers.append(("ours", how, ours.ask("prepare", how=how, corpus=folder, **common)))
        for side, way, answer in (*answers, ("ours", "building the corpus", built)) if number >= 0 else ():
            rates = {key: answer[key] * notes for key in ("rate", "processor_rate")}
            yield _round(("prepare", net, 1, 1, number, side, way), rates)


def _trained(asked: argparse.Namespace, net: str, threads: int, ours: Side, peer: Side) -> Iterator[dict[str, Any]]:
    for number in range(asked.rounds):
        for side, process in _in_turn(number, ours, peer):
            for way in ("fit", "mixed") if side == "peer" else ("bfloat16", "float32"):
                found = process.ask("train", net=net, how=way, seconds=3 * asked.seconds)
                yield _round(("train", net, threads, 1, number, side, way), found)


def _played(
    asked: argparse.Namespace, net: str, threads: int, streams: int, ours: Side, peer: Side
) -> Iterator[dict[str, Any]]:
    for number in range(asked.rounds):
        for side, process in _in_turn(number, ours, peer):
            for way in ASKED if side == "peer" else PLAYED[net]:
                found = process.ask("play", net=net, how=way, streams=streams, seconds=asked.seconds)
                yield _round(("play", net, threads, streams, number, side, way), found)


def _in_turn(number: int, ours: Side, peer: Side) -> list[tuple[str, Side]]:
    sides = [("peer", peer), ("ours", ours)]
    return sides if number % 2 else sides[::-1]


def _round(what: tuple[Any, ...], rates: dict[str, float]) -> dict[str, Any]:
    row = dict(zip(ROUND, what, strict=False))
    row |= {key: f"{rates[key]:.4g}" for key in ("rate", "processor_rate")}
    print(", ".join(map(str, row.values())), flush=True)
    return {**row, "load": f"{os.getloadavg()[0]:.1f}"}


def _keep(out: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Put the rows in place of older ones of the same task, and work out the ratios anew."""
    new = [{key: str(value) for key, value in row.items()} for row in rows]
    replaced = {tuple(row[key] for key in KEY) for row in new}
    old = [row for row in _read(out / "rounds.csv") if tuple(row[key] for key in KEY) not in replaced]
    everything = sorted(old + new, key=lambda row: [row[key] for key in KEY])
    _write(out / "rounds.csv", ROUND, everything)
    _write(out / "results.csv", RESULT, list(ratios(everything)))


def ratios(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each way of ours over each way of the peer, round by round."""
    groups: dict[tuple[str, ...], dict[str, dict[str, dict[str, dict[str, Any]]]]] = {}
    for row in rows:
        sides = groups.setdefault(tuple(row[key] for key in KEY), {"ours": {}, "peer": {}})
        sides[row["side"]].setdefault(row["way"], {})[row["round"]] = row
    for key, sides in groups.items():
        for mine, our_rounds in sides["ours"].items():
            for theirs, peer_rounds in sides["peer"].items():
                figures = _compared(list(our_rounds.values()), [peer_rounds[number] for number in our_rounds])
                shown = {name: f"{figure:.4g}" for name, figure in figures.items()}
                names = {**dict(zip(KEY, key, strict=True)), "ours": mine, "peer": theirs}
                yield {**names, **shown, "rounds": len(our_rounds), "unit": UNITS[key[0]]}


def _compared(ours: list[dict[str, Any]], peer: list[dict[str, Any]]) -> dict[str, float]:
    def each(column: str) -> list[float]:
        return [float(mine[column]) / float(theirs[column]) for mine, theirs in zip(ours, peer, strict=True)]

    found = each("rate")
    return {
        "ours_rate": statistics.median(float(row["rate"]) for row in ours),
        "peer_rate": statistics.median(float(row["rate"]) for row in peer),
        "ratio": statistics.median(found),
        "ratio_low": min(found),
        "ratio_high": max(found),
        "processor_ratio": statistics.median(each("processor_rate")),
    }


SHOWN = (
    ("prepare", "files", "files"),
    ("prepare", "corpus", "files"),
    ("train", "bfloat16", "fit"),
    ("train", "float32", "fit"),
    ("train", "bfloat16", "mixed"),
    ("play", "windowed", "predict"),
    ("play", "carried", "predict"),
    ("play", "windowed", "call"),
    ("play", "windowed", "function"),
    ("play", "windowed", "xla"),
)
"""Task, our way and theirs: the rows of the README's table."""


def table(results: list[dict[str, Any]]) -> list[str]:
    """The ratios in Markdown."""
    lines = [
        "| task | net | threads | streams | ours | peer | times as fast | range | by processor time |",
        "|---" * 9 + "|",
    ]
    for task, mine, theirs in SHOWN:
        for row in results:
            if (row["task"], row["ours"], row["peer"]) == (task, mine, theirs):
                name = task if mine == theirs else f"{task}: {mine} / {theirs}"
                rates = [f"{float(row[column]):,.0f}" for column in ("ours_rate", "peer_rate")]
                ratio, low, high, processor = (f"{float(row[column]):.3g}" for column in RATIOS)
                cells = [
                    name,
                    row["net"],
                    row["threads"],
                    row["streams"],
                    *rates,
                    f"**{ratio}**",
                    f"{low}-{high}",
                    processor,
                ]
                lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def write_readme(out: Path) -> None:
    """Put the table and the machine between their marks in the README beside the CSV files."""
    path = out / "README.md"
    if not path.exists():
        return
    about = json.loads((out / "machine.json").read_text(encoding="utf-8"))
    text = path.read_text(encoding="utf-8")
    said = {
        "results": table(_read(out / "results.csv")),
        "machine": [f"- {key}: {what}" for key, what in about.items()],
    }
    for mark, lines in said.items():
        start, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
        before, rest = text.split(start)
        text = before + "\n".join([start, *lines, end]) + rest.split(end)[1]
    path.write_text(text, encoding="utf-8")


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def machine() -> str:
    """Processor, cores and system."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    name = " ".join(sorted(models)) or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, metavar="PYTHON", help="a Python with requirements.txt installed")
    parser.add_argument("--nets", nargs="+", default=list(WINDOWS), choices=list(WINDOWS))
    parser.add_argument("--tasks", nargs="+", default=list(UNITS), choices=list(UNITS))
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each way plays in a round; training 3 x")
    parser.add_argument("--files", type=int, default=4, help="how many files are prepared in a round")
    parser.add_argument("--out", type=Path, default=HERE, help="where the CSV files go")
    return parser.parse_args()


if __name__ == "__main__":
    main()

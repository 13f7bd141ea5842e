"""Fifteen songs of one maker: held-out nats per note after 2, 5 and 10 minutes, ours and the peer's.

Run it with the project's Python; the peer runs in its own, named by --peer-python (see README.md). Every run
replaces its row in the CSV, so sides and minutes can be measured one at a time; with --at-once 2 they are measured two
at a time, the longest first.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SONGS = tomllib.loads((HERE / "songs.toml").read_text(encoding="utf-8"))
HELD_OUT = [song["file"] for song in SONGS["held_out"]]
COLUMNS = [
    "side", "minutes", "seed", "threads", "steps", "parameters", "non_embedding_parameters", "notes_train",
    "notes_held_out", "notes_held_out_file", "nats_per_note", "best_seconds", "training_seconds", "evaluation_seconds",
    *HELD_OUT,
]  # fmt: skip
CURVE_COLUMNS = ["side", "minutes", "seed", "step", "seconds", "nats_per_note"]
KEYS = ("side", "minutes", "seed")
LABELS = {
    "base": "Woodshed base, not trained on her",
    "ours-base": "Woodshed band, from base",
    "ours": "Woodshed band, from nothing",
    "peer": "GPT-2, REMI tokens",
    "peer-bpe": "GPT-2, REMI tokens with BPE",
    "peer-all": "GPT-2, REMI tokens, equal in all parameters",
}
SIDES = {"both": ["peer", "ours"], "flagship": ["base", "ours-base", "ours", "peer"], "all": list(LABELS)}
"""More than one side by one name. The base is measured once, with 0 minutes."""


def main() -> None:
    options = parse()
    data = Path(os.environ.get("WOODSHED_DATA", REPOSITORY.parent / "shared" / "data")) / SONGS["folder"]
    folders = {name: gather(data, options.work / name, SONGS[name]) for name in ("train", "held_out")}
    sides = list(dict.fromkeys(side for name in options.side for side in SIDES.get(name, [name])))
    jobs = [(side, minutes) for minutes in sorted(options.minutes, reverse=True) for side in sides if side != "base"]
    jobs += [("base", 0.0)] * ("base" in sides)
    with ThreadPoolExecutor(options.at_once) as pool:
        for run in as_completed([pool.submit(measure, side, minutes, options, folders) for side, minutes in jobs]):
            row, curve = run.result()
            store(options.out, COLUMNS, [row])
            keys = {name: row[name] for name in KEYS}
            store(curve_file(options.out), CURVE_COLUMNS, [keys | point for point in curve])
            print(f"{row['side']}, {row['minutes']} minutes: {row['nats_per_note']} nats per note", flush=True)
    draw_chart(options.out)
    if options.out.resolve() == HERE / "results.csv":
        write_readme(HERE / "README.md", {"results": table(options), "machine": machine(options)})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", nargs="+", choices=[*LABELS, *SIDES], default=["flagship"])
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 5, 10])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=1, help="so many runs beside each other")
    parser.add_argument("--base", type=Path, default=Path("base"), help="the bundle that ours-base begins from")
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    parser.add_argument("--work", type=Path, default=REPOSITORY / "build" / "style15", help="bundles and checkpoints")
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON", ""), help="Python of the peer's venv")
    parser.add_argument("--peer-set", nargs="*", default=[], metavar="NAME=VALUE", help="more options for peer.py")
    options = parser.parse_args()
    if any(side.startswith("peer") or side in SIDES for side in options.side) and not options.peer_python:
        parser.error(
            "name the Python of the peer's environment with --peer-python, or measure --side base ours-base ours"
        )
    return options


def measure(
    side: str, minutes: float, options: argparse.Namespace, folders: dict[str, Path]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row and the curve of one run, in a process of its own."""
    out = options.work / f"{side}-{minutes:g}-{options.seed}"
    shutil.rmtree(out, ignore_errors=True)
    row, curve = (run_peer if side.startswith("peer") else run_ours)(side, minutes, options, folders, out)
    return row | {"side": side, "minutes": f"{minutes:g}", "seed": str(options.seed)}, curve


def gather(data: Path, folder: Path, songs: list[dict[str, str]]) -> Path:
    """Copy the listed songs, and nothing else, into ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for song in songs:
        shutil.copyfile(data / song["file"], folder / song["file"])
    return folder


def run_peer(
    side: str, minutes: float, options: argparse.Namespace, folders: dict[str, Path], out: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row and the curve of one peer, equal to our model in parameters."""
    whole, body = our_parameters()
    command = [options.peer_python, str(HERE / "peer.py"), "--train", str(folders["train"])]
    command += ["--held-out", str(folders["held_out"]), "--out", str(out), "--minutes", f"{minutes}"]
    command += ["--seed", f"{options.seed}", "--threads", f"{options.threads}"]
    command += ["--size", f"{whole}", "--size-counts", "all"] if side == "peer-all" else ["--size", f"{body}"]
    command += ["--bpe", "2000"] if side == "peer-bpe" else []
    command += [f"--{setting}" for setting in options.peer_set]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    return result | result["per_song"], read_lines(out / "log.jsonl")


def run_ours(
    side: str, minutes: float, options: argparse.Namespace, folders: dict[str, Path], out: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row and the curve of our recipe, from nothing or from the base; or of the base itself."""
    command = [sys.executable, str(HERE / "ours.py"), "--train", str(folders["train"])]
    command += ["--held-out", str(folders["held_out"]), "--out", str(out), "--minutes", f"{minutes}"]
    command += ["--seed", f"{options.seed}", "--threads", f"{options.threads}"]
    command += [] if side == "ours" else ["--base", str(options.base)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    result = json.loads((out / "result.json").read_text(encoding="utf-8"))
    return result | result["per_song"], read_lines(out / "curve.jsonl")


def our_parameters() -> tuple[int, int]:
    """All parameters of our model, and those outside its embedding tables."""
    from torch import nn

    from woodshed.models.note_model import NoteModel
    from woodshed.models.note_sizes import NoteModelConfig
    from woodshed.recipes.recipe import load_recipe

    model = NoteModel(NoteModelConfig(**load_recipe("band").model))
    whole = sum(p.numel() for p in model.parameters())
    tables = sum(module.weight.numel() for module in model.modules() if isinstance(module, nn.Embedding))
    return whole, whole - tables


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def curve_file(results: Path) -> Path:
    return results.with_name(results.stem + "_curves.csv")


def read_rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def store(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Put ``rows`` in the place of those with the same side, minutes and seed."""
    if not rows:
        return
    keys = {tuple(str(row[name]) for name in KEYS) for row in rows}
    kept: list[dict[str, Any]] = [row for row in read_rows(path) if tuple(row[name] for name in KEYS) not in keys]
    table = sorted(kept + rows, key=lambda row: (row["side"], float(row["minutes"]), int(row["seed"])))
    beside = path.with_name(path.name + ".part")
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    os.replace(beside, path)


def draw_chart(results: Path) -> None:
    """Nats per note against minutes: the marks joined, each run's own curve thin behind them; the base is a line."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "style15"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    rows, curves = read_rows(results), read_rows(curve_file(results))
    for colour, side in enumerate(name for name in LABELS if any(row["side"] == name for row in rows)):
        own = [row for row in rows if row["side"] == side]
        marks = [float(row["nats_per_note"]) for row in own]
        if side == "base":
            axes.axhline(marks[0], color=f"C{colour}", ls="--", label=LABELS[side])
            continue
        axes.plot([float(row["minutes"]) for row in own], marks, "o-", color=f"C{colour}", label=LABELS[side])
        for run in {(row["minutes"], row["seed"]) for row in own}:
            points = [row for row in curves if row["side"] == side and (row["minutes"], row["seed"]) == run]
            minutes = [float(row["seconds"]) / 60 for row in points]
            axes.plot(minutes, [float(row["nats_per_note"]) for row in points], color=f"C{colour}", alpha=0.3, lw=0.8)
    marks = [float(row["nats_per_note"]) for row in rows]
    axes.set(yscale="log", ylim=(min(marks) * 0.9, max(marks) * 1.5))
    ticks = [tick for tick in (0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15) if min(marks) * 0.9 <= tick <= max(marks) * 1.5]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks([], minor=True)
    axes.set(xlabel="minutes of training, evaluation left out", ylabel="held-out nats per note")
    axes.set_title(f"15 songs by {SONGS['maker']}, 3 held out")
    axes.legend(frameon=False, loc="center right")
    figure.tight_layout()
    figure.savefig(results.with_suffix(".svg"), metadata={"Date": None})
    plt.close(figure)


def table(options: argparse.Namespace) -> list[str]:
    """The marks of one seed side by side, and by how much the peer is dearer than each of ours."""
    rows = [row for row in read_rows(options.out) if row["seed"] == str(options.seed)]
    found = {(row["side"], row["minutes"]): float(row["nats_per_note"]) for row in rows}
    base = found.pop(("base", "0"), None)
    sides = [side for side in LABELS if any(key[0] == side for key in found)]
    ours = [side for side in ("ours-base", "ours") if "peer" in sides and side in sides]
    heads = ["minutes", *(LABELS[side] for side in sides), *(f"GPT-2 / {LABELS[side]}" for side in ours)]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for minutes in sorted({minutes for _, minutes in found}, key=float):
        nats = [found.get((side, minutes)) for side in sides]
        cells = [minutes, *("" if value is None else f"{value:.3f}" for value in nats)]
        pairs = [(found.get(("peer", minutes)), found.get((side, minutes))) for side in ours]
        cells += [f"{peer / own:.1f}" if peer and own else "" for peer, own in pairs]
        lines.append("| " + " | ".join(cells) + " |")
    return lines if base is None else [*lines, "", f"The base that is shipped, not trained on these songs: {base:.3f}."]


def machine(options: argparse.Namespace) -> list[str]:
    """Hardware and versions."""
    packages = "import json; from importlib.metadata import version as v; "
    packages += "print(json.dumps({n: v(n) for n in ('torch', 'transformers', 'miditok', 'symusic')}))"
    threads = f"{options.threads} thread{'s' * (options.threads != 1)} a run, {options.at_once} at once"
    lines = [f"- {processor()}, {threads}, {platform.system()}, Python {platform.python_version()}"]
    lines += [f"- ours: woodshed {version('woodshed')}, torch {version('torch')}, symusic {version('symusic')}"]
    if options.peer_python:
        answer = subprocess.run([options.peer_python, "-c", packages], check=True, capture_output=True, text=True)
        lines += ["- peer: " + ", ".join(f"{name} {number}" for name, number in json.loads(answer.stdout).items())]
    return lines


def write_readme(path: Path, filled: dict[str, list[str]]) -> None:
    """Put lines between the markers of their name in a page."""
    text = path.read_text(encoding="utf-8")
    for marker, lines in filled.items():
        before, rest = text.split(f"<!-- {marker} -->\n")
        after = rest.split(f"<!-- end of {marker} -->\n")[1]
        text = f"{before}<!-- {marker} -->\n" + "".join(f"{line}\n" for line in lines)
        text += f"<!-- end of {marker} -->\n{after}"
    path.write_text(text, encoding="utf-8")


def processor() -> str:
    """The processor's name and how many cores this process may use."""
    names = [line.split(":")[1].strip() for line in cpu_lines() if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


if __name__ == "__main__":
    main()

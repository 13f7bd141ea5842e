"""The CSV files, and the tables of README.md that are made from them."""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pieces import CHOSEN, FIGURES, FREE, OWN_FIGURES

from music import REPOSITORY, TITLES, lessons
from woodshed.recipes.recipe import recipe_names

RESULTS = [
    "recipe", "data", "size", "minutes", "seconds", "steps", "best_seconds", "end", "threads", "seed", "parameters",
    "counts", "songs_train", "notes_train", "songs_held_out", "notes_held_out", "events_held_out", "nats_per_note",
    "low", "high", "nats_per_event", "nats_per_note_either_way", "right_given_truth", "right_sampled", "bits",
    "used_dimensions",
]  # fmt: skip
MUSIC = [
    "recipe", "data", "source", "drawn", "bars", "candidates", "meter", "pieces",
    *(column for name in (*FIGURES, *OWN_FIGURES) for column in (name, f"{name}_error")),
]  # fmt: skip
COLUMNS = {"results.csv": RESULTS, "music.csv": MUSIC}
KEYS = {"results.csv": ("data", "recipe"), "music.csv": ("data", "recipe", "drawn", "source")}
WORDS = {
    "longest_repeated_note_run": "longest note run",
    "distinct_pitches": "pitches",
    "pitch_class_entropy": "entropy, bits",
    "in_key_rate": "in key",
    "notes_per_bar": "notes a bar",
    "empty_bar_rate": "empty bars",
    "copied": "copied (12)",
    "copied_8": "copied (8)",
    "drones": "drones",
}
"""Figure -> heading."""
SHARES = ("in_key_rate", "empty_bar_rate", "copied", "copied_8", "drones")


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; none if it is not there."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def store(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Put rows in the place of those with the same key."""
    keys, fresh = KEYS[path.name], list(rows)
    named = {tuple(str(row[name]) for name in keys) for row in fresh}
    kept: list[dict[str, Any]] = [row for row in read_rows(path) if tuple(row[name] for name in keys) not in named]
    table = sorted(kept + fresh, key=lambda row: [str(row[name]).rjust(24) for name in keys])
    beside = path.with_name(path.name + ".part")
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS[path.name], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    os.replace(beside, path)


def write_tables(options: argparse.Namespace) -> None:
    """Fill in README.md and the pages of docs/recipes."""
    results, music = read_rows(options.out / "results.csv"), read_rows(options.out / "music.csv")
    path = options.out / "README.md"
    fill(path, "lessons", table(["recipe", "learns", "minutes"], plan()))
    sets = list(dict.fromkeys(row["data"] for row in results))
    fill(path, "nats", "\n".join(f"**{TITLES[data]}**\n\n{nats_table(results, data)}" for data in sets))
    fill(path, "latent", latent_table(results))
    fill(path, "music", "\n".join(f"**{TITLES[data]}**\n\n{music_table(music, data)}" for data in sets))
    again = [(data, again_table(music, data)) for data in sets]
    fill(path, "repetition", "\n".join(f"**{TITLES[data]}**\n\n{found}" for data, found in again if found))
    fill(path, "machine", machine(options.threads))
    from pages import write_pages

    write_pages(options, results, music)
    if not options.no_expect:
        for name in recipe_names():
            write_expect(name, next((row for row in results if row["recipe"] == name and first_of(row)), None))


def first_of(row: dict[str, str]) -> bool:
    """Whether a row is of the set that stands for its recipe."""
    lesson = next((lesson for lesson in lessons([row["recipe"]])), None)
    return lesson is not None and lesson.data == row["data"]


def write_expect(name: str, row: dict[str, str] | None) -> None:
    """Put what was measured into the recipe's own file."""
    if row is None:
        return
    told = {
        "data": TITLES[row["data"]].split(" (")[0], "minutes": round(float(row["seconds"]) / 60, 2),
        **{name: round(float(row[name]), 3) for name in ("nats_per_note", "nats_per_event")},
        "machine": f"{processor()}, {threads_in_words(int(row['threads']))}",
    }  # fmt: skip
    path = REPOSITORY / "src" / "woodshed" / "recipes" / f"{name}.toml"
    before, rest = path.read_text(encoding="utf-8").split("[expect]\n")
    after = rest[rest.index("\n[") :]
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items())
    beside = path.with_name(path.name + ".part")
    beside.write_text(f"{before}[expect]\n{lines}{after}", encoding="utf-8")
    os.replace(beside, path)


def plan() -> list[list[str]]:
    """What `make recipes` trains."""
    return [[lesson.recipe.name, TITLES[lesson.data], f"{lesson.minutes:g}"] for lesson in lessons()]


def nats_table(results: list[dict[str, str]], data: str) -> str:
    """How well each recipe predicts, the best first."""
    rows = sorted((row for row in results if row["data"] == data), key=lambda row: float(row["nats_per_note"]))
    cells = [
        [
            f"[`{row['recipe']}`](../../docs/recipes/{row['recipe']}.md)",
            f"{float(row['nats_per_note']):.3f} ({float(row['low']):.2f}-{float(row['high']):.2f})",
            either(row), f"{float(row['nats_per_event']):.3f}",
            size_of(row), f"{int(row['steps']):,}",
            f"{float(row['seconds']) / 60:.2f}", f"{float(row['best_seconds']):.0f}",
        ]
        for row in rows
    ]  # fmt: skip
    heads = [
        "recipe",
        "nats per note (95 %)",
        "either way",
        "per event",
        "parameters",
        "steps",
        "minutes",
        "best after, s",
    ]
    return f"{table(heads, cells)}\n{fine_print(rows)}"


def fine_print(rows: list[dict[str, str]]) -> str:
    """On how much each recipe was trained and measured: what it makes of one set (songs, parts, clips) is its own."""
    found: dict[str, list[str]] = {}
    for row in rows:
        learned = f"{row['songs_train']} learned ({int(row['notes_train']):,} notes)"
        held_out = f"{row['songs_held_out']} held out ({int(row['notes_held_out']):,} notes)"
        found.setdefault(f"{learned}, {held_out}.\n", []).append(f"`{row['recipe']}`")
    if len(found) == 1:
        return next(iter(found))
    return "".join(f"- {', '.join(names)}: {counts}" for counts, names in found.items())


def either(row: dict[str, str]) -> str:
    """Nats per note, of what can be said in several ways charged so."""
    found = row["nats_per_note_either_way"]
    return f"{float(found):.3f}" if found else ""


def latent_table(results: list[dict[str, str]]) -> str:
    """What comes back of clips that went through a latent space."""
    rows = [row for row in results if row["bits"]]
    cells = [
        [
            f"`{row['recipe']}`", f"{100 * float(row['right_given_truth']):.1f} %",
            f"{100 * float(row['right_sampled']):.1f} %", f"{float(row['bits']):.1f}", row["used_dimensions"],
        ]
        for row in rows
    ]  # fmt: skip
    return table(["recipe", "given the tokens before", "all sampled", "bits a clip", "dimensions in use"], cells)


def size_of(row: dict[str, str]) -> str:
    """Parameters of a net, counts of a chain."""
    parameters, counts = int(row["parameters"]), int(row["counts"] or 0)
    return f"{parameters:,}" if parameters else f"{counts:,} counts"


def music_table(music: list[dict[str, str]], data: str) -> str:
    """What a user gets, beside real music."""
    rows = [row for row in music if row["data"] == data and row["drawn"] == CHOSEN]
    chosen = real_last(rows)
    cells = [[label(row), *(figure(row, name) for name in WORDS)] for row in chosen]
    return table(["pieces", *WORDS.values()], cells)


def again_table(music: list[dict[str, str]], data: str) -> str:
    """Repetition in pieces drawn without a choice."""
    rows = [row for row in music if row["data"] == data and row["drawn"] == FREE]
    names = ("bars_again_1", "bars_again_2", "notes_again_1", "notes_again_2")
    heads = ["bars as 1 before", "bars as 2 before", "notes as 1 bar before", "notes as 2 bars before"]
    cells = [
        [label(row), *(f"{100 * float(row[name]):.1f} % ± {100 * float(row[name + '_error']):.1f}" for name in names)]
        for row in real_last(rows)
    ]
    return table(["pieces", *heads], cells) if cells else ""


def real_last(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The generated, and the real ones as basic-rnn (else the first recipe) hears them: they are the same songs."""
    real = [row for row in rows if row["source"] == "real"]
    one = [row for row in real if row["recipe"] == "basic-rnn"] or real[:1]
    return [row for row in rows if row["source"] == "generated"] + one


def label(row: dict[str, str]) -> str:
    return f"`{row['recipe']}`" if row["source"] == "generated" else f"**real**, {row['pieces']} pieces"


def figure(row: dict[str, str], name: str) -> str:
    if not row[name]:
        return "–"
    value = float(row[name])
    return f"{100 * value:.0f} %" if name in SHARES else f"{value:.2f}"


def table(heads: list[str], cells: list[list[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in (heads, ["---"] * len(heads), *cells)]
    return "\n".join(lines) + "\n"


def fill(path: Path, name: str, text: str) -> None:
    """Put ``text`` between the markers called ``name``."""
    before, rest = path.read_text(encoding="utf-8").split(f"<!-- {name} -->\n")
    after = rest.split(f"<!-- end of {name} -->\n")[1]
    filled = f"{before}<!-- {name} -->\n{text}<!-- end of {name} -->\n{after}"
    beside = path.with_name(path.name + ".part")
    beside.write_text(filled, encoding="utf-8")
    os.replace(beside, path)


def machine(threads: int) -> str:
    """Hardware and versions."""
    line = f"- {processor()}, {os.cpu_count()} cores, {threads_in_words(threads)}, {platform.system()}, "
    versions = ", ".join(f"{name} {version(name)}" for name in ("woodshed", "torch", "numpy", "symusic"))
    return f"{line}Python {platform.python_version()}\n- {versions}\n"


def threads_in_words(threads: int) -> str:
    return f"{threads} thread{'' if threads == 1 else 's'}"


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

"""Are our figures MusPy's? Both over real files; the largest difference of each figure is written down.

.venv/bin/python benchmarks/metrics/run.py --muspy /path/to/env/bin/python [--files 40]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from woodshed.errors import WoodshedError
from woodshed.evaluation.metrics import measure
from woodshed.evaluation.muspy_figures import muspy_figures
from woodshed.formats import read_midi
from woodshed.music import Song

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parent.parent.parent / "shared" / "data"))
FOLDERS = ("band/freedoom", "band/easyrpg", "band/blasphemer", "band/free-music", "folk/nottingham")
EXACT = 1e-6
OWN_NAMES = {
    "pitch_class_entropy": "pitch_class_entropy", "scale_consistency": "scale_consistency", "polyphony": "polyphony",
    "pitch_range": "pitch_range", "n_pitches_used": "distinct_pitches", "empty_beat_rate": "empty_beat_rate",
    "empty_measure_rate": "empty_bar_rate", "groove_consistency": "groove_consistency",
}  # fmt: skip
"""MusPy's name -> field of `woodshed.evaluation.metrics.Metrics`, which differs where it says so."""


class MusPy:
    """MusPy in its own environment, asked about one song after another."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), str(HERE / "theirs.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, asked: dict) -> dict:
        """Its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()


def files(most: int) -> Iterator[Path]:
    """So many files of each folder, spread evenly."""
    for folder in FOLDERS:
        found = sorted(path for path in (DATA / folder).rglob("*") if path.suffix.lower() in (".mid", ".midi"))
        step = max(len(found) // most, 1)
        yield from found[::step][:most]


def notes_of(song: Song) -> list:
    """The song's notes part by part."""
    return [
        [part.is_drum, song.notes[song.notes["part"] == number][["onset", "pitch", "duration", "velocity"]].tolist()]
        for number, part in enumerate(song.parts)
    ]


def main() -> None:
    """Compare, and write the table and every file's figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--muspy", type=Path, required=True, help="the python of an environment with muspy 0.5.0")
    parser.add_argument("--files", type=int, default=40, help="of each folder")
    options = parser.parse_args()
    muspy, rows, told = MusPy(options.muspy), [], []
    unread = [0, 0]
    seconds = [0.0, 0.0]
    for path in files(options.files):
        name = str(path.relative_to(DATA))
        try:
            song = read_midi(path)
        except WoodshedError as error:
            unread[0] += 1
            print(f"{name}: not read by Woodshed: {error}", file=sys.stderr)
            continue
        start = time.perf_counter()
        ours, metrics = muspy_figures(song), measure(song).as_dict()
        seconds[0] += time.perf_counter() - start
        bar = song.meter.bar_ticks
        start = time.perf_counter()
        same = muspy.ask({"tracks": notes_of(song), "bar": bar})
        seconds[1] += time.perf_counter() - start
        alone = muspy.ask({"path": str(path), "bar": bar})
        if "error" in alone:
            unread[1] += 1
            told.append(f"{name}: not read by MusPy: {alone['error']}")
        for figure, value in ours.items():
            rows.append({
                "file": name, "figure": figure, "ours": value, "muspy_same_notes": same.get("figures", {}).get(figure),
                "muspy_own_reader": alone.get("figures", {}).get(figure),
                "woodshed_metrics": metrics.get(OWN_NAMES.get(figure, "")),
            })  # fmt: skip
        missing = set(same.get("figures", {})) - set(ours) - {"pitch_range"}
        told += [f"{name}: MusPy has {figure}, ours has not" for figure in sorted(missing)]
        print(f"{name}: {len(ours)} figures", file=sys.stderr)
    muspy.close()
    write("files.csv", rows)
    table = summary(rows)
    write("results.csv", table)
    for row in table:
        print(row)
    print(*told, sep="\n")
    print(f"not read: Woodshed {unread[0]}, MusPy {unread[1]}; seconds: ours {seconds[0]:.2f}, MusPy {seconds[1]:.2f}")
    if any(row["largest_difference"] > EXACT for row in table):
        sys.exit("not equal")


def summary(rows: list[dict]) -> list[dict]:
    """For each figure: how many files, and the largest difference from MusPy's of the same notes."""
    table = []
    for figure in sorted({row["figure"] for row in rows}):
        own = [row for row in rows if row["figure"] == figure]
        apart = [abs(row["ours"] - row["muspy_same_notes"]) for row in own if row["muspy_same_notes"] is not None]
        reader = [row["ours"] - row["muspy_own_reader"] for row in own if row["muspy_own_reader"] is not None]
        plain = [abs(row["woodshed_metrics"] - row["ours"]) for row in own if row["woodshed_metrics"] is not None]
        table.append({
            "figure": figure, "files": len(apart), "largest_difference": max(apart, default=0.0),
            "files_where_the_readers_differ": sum(abs(one) > EXACT for one in reader),
            "largest_difference_of_readers": max(map(abs, reader), default=0.0),
            "metrics_py_largest_difference": max(plain) if plain else "",
        })  # fmt: skip
    return table


def write(name: str, rows: list[dict]) -> None:
    """One table."""
    with (HERE / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()

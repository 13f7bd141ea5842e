"""Who plays when, and for how much of it? Folders of clips beside the songs that were learned.

    python benchmarks/quality/texture.py --train build/style15/train before=FOLDER after=build/quality/ours

The clips are those of `run.py` (``build/quality/ours``), of one state of the code or of another. It writes
``texture.csv`` and the table in README.md.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from columns import HERE, Column, generated, real
from run import fill_in

from woodshed.evaluation.bootstrap import mean_interval
from woodshed.evaluation.metrics import measure
from woodshed.music import Song
from woodshed.music.meter import bar_of
from woodshed.music.units import ticks_to_steps

MEASURED = {
    "polyphony": "polyphony",
    "scale_consistency": "scale consistency",
    "longest_drone_quarters": "longest drone, quarters",
    "groove_consistency": "groove consistency",
    "notes_per_bar": "notes a bar",
    "self_similarity_4": "self-similarity, 4 bars",
    "self_similarity_8": "self-similarity, 8 bars",
}
"""Of `woodshed.evaluation.metrics`."""
FIGURES = {
    **MEASURED,
    "sounding": "of a bar in which it plays, a pitched part sounds",
    "playing": "pitched parts that play in a bar",
    "turns": "times that a pitched part comes in or leaves",
    "one_or_two": "bars in which a pitched part that plays has one or two notes",
    "chords": "strokes of a pitched part that are chords",
    "flat": "parts that are as loud throughout (deviation of velocity below 2)",
}
"""Name in the CSV -> title."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", help="name=folder of clips")
    parser.add_argument("--train", type=Path, required=True, help="the songs that were learned")
    parser.add_argument("--clips", type=int, default=30)
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    columns = [real("learned", options.train, options)]
    for entry in options.folders:
        name, folder = entry.split("=", 1)
        columns.append(generated(name, Path(folder), options))
    rng = np.random.default_rng(options.seed)
    rows = [(name, column.name, *row) for column in columns for name, row in means(column, rng).items()]
    with (HERE / "texture.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("figure", "source", "mean", "low", "high", "clips", "songs"))
        writer.writerows(rows)
    cells = {row[:2]: f"{row[2]:.3g} [{row[3]:.3g}, {row[4]:.3g}]" for row in rows}
    names = [column.name for column in columns]
    lines = [f"| | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines.append(f"| clips | {' | '.join(str(len(column.clips)) for column in columns)} |")
    lines += [f"| {title} | {' | '.join(cells[figure, name] for name in names)} |" for figure, title in FIGURES.items()]
    print("\n".join(lines))
    fill_in("texture", "\n".join(lines) + "\n")


def means(column: Column, rng: np.random.Generator) -> dict[str, tuple[float, float, float, int, int]]:
    """Figure -> mean, 95 % bootstrap interval over songs, clips and songs."""
    values: dict[str, list[tuple[float, str]]] = {name: [] for name in FIGURES}
    for written, clip, song in zip(column.written, column.clips, column.songs, strict=True):
        found = measure(clip)
        for name in MEASURED:
            if found.is_defined(name):
                values[name].append((found.as_dict()[name], song))
        for name, value in texture(written):
            values[name].append((value, song))
    table = {}
    for name, pairs in values.items():
        spread = mean_interval([value for value, _ in pairs], [song for _, song in pairs], rng)
        table[name] = (round(spread.mean, 4), round(spread.low, 4), round(spread.high, 4), spread.count, spread.groups)
    return table


def texture(song: Song) -> Iterator[tuple[str, float]]:
    """Name and figure of one clip, of its parts as they were written."""
    lines, notes = song.bar_lines(), song.notes
    sounding, counts, strokes, turns, flat = [], [], [], [], []
    for number, part in enumerate(song.parts):
        own = notes[notes["part"] == number]
        if not len(own):
            continue
        flat.append(own["velocity"].std() < 2)
        if part.is_drum:
            continue
        begin = own["onset"].astype(np.int64)
        bars = np.bincount(bar_of(begin, lines), minlength=len(lines) - 1)
        change = np.bincount(begin, minlength=int(lines[-1]) + 1)
        change -= np.bincount(np.minimum(begin + own["duration"], lines[-1]), minlength=len(change))
        share = np.add.reduceat(np.cumsum(change[:-1]) > 0, lines[:-1]) / np.diff(lines)
        sounding += share[bars > 0].tolist()
        counts.append(bars)
        strokes += np.unique(ticks_to_steps(begin), return_counts=True)[1].tolist()
        turns.append(np.abs(np.diff((bars > 0).astype(int))).sum())
    yield "flat", float(np.mean(flat))
    if counts:
        table = np.stack(counts)
        yield "sounding", float(np.mean(sounding))
        yield "playing", float((table > 0).sum(0).mean())
        yield "turns", float(np.mean(turns))
        yield "one_or_two", float((table[table > 0] <= 2).mean())
        yield "chords", float((np.array(strokes) > 1).mean())


if __name__ == "__main__":
    main()

"""Bernoulli, threshold, or one note at a time? The same nets, fifty pieces of each, beside fifty real ones.

    .venv/bin/python benchmarks/binarisers/run.py [--minutes 2] [--pieces 50] [--only melody|band]

Needs WOODSHED_DATA with leadsheets/openewld and band/freedoom. Bundles stay in build/binarisers and are used again.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from figures import OWN, figures_of, told_apart

from woodshed.bundle import Bundle, load_bundle
from woodshed.bundle.likelihood import song_nats
from woodshed.codecs.piano_roll import STEP_TICKS as BAND_STEP
from woodshed.evaluation.metrics import excerpts
from woodshed.generation.filters import Sampling
from woodshed.music import Song
from woodshed.music.melodies import STEP_TICKS as MELODY_STEP
from woodshed.recipes.material import Material, open_material
from woodshed.recipes.play import generate
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import as_learned, train_recipe
from woodshed.recipes.wish import Wish

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "binarisers"
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
BARS = 8
COLUMNS = (
    "system",
    "pieces",
    "threshold",
    *OWN,
    "in_key_rate",
    "empty_bar_rate",
    "told_apart",
    "low",
    "high",
)
MELODY: tuple[tuple[str, bool, str, float | None, float], ...] = (
    ("monophonic draw, top-p 0.97 (default)", True, "monophonic", None, 0.97),
    ("monophonic draw", True, "monophonic", None, 1.0),
    ("Bernoulli", True, "bernoulli", None, 1.0),
    ("threshold as measured", True, "threshold", None, 1.0),
    ("threshold 0.1 (Lackner's)", True, "threshold", 0.1, 1.0),
    ("threshold 0.5", True, "threshold", 0.5, 1.0),
    ("chords alone, monophonic draw", False, "monophonic", None, 1.0),
    ("chords alone, Bernoulli", False, "bernoulli", None, 1.0),
    ("chords alone, threshold 0.1 (Lackner's system)", False, "threshold", 0.1, 1.0),
)
"""Name, whether the net hears what it played, binariser, threshold, top-p."""
BAND: tuple[tuple[str, str, float | None, float], ...] = (
    ("Bernoulli, temperature 1", "bernoulli", None, 1.0),
    ("Bernoulli, temperature 0.9", "bernoulli", None, 0.9),
    ("Bernoulli, temperature 0.8", "bernoulli", None, 0.8),
    ("threshold as measured", "threshold", None, 1.0),
    ("threshold 0.5", "threshold", 0.5, 1.0),
)


def main() -> None:
    """Train what is not there, play, count, and write results.csv and the tables of the README."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="of training, instead of what the recipes say")
    parser.add_argument("--pieces", type=int, default=50)
    parser.add_argument("--only", choices=("melody", "band"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for kind, ask in (("melody", melody_rows), ("band", band_rows)):
        if options.only in (None, kind):
            rows = list(ask(options.minutes, options.pieces))
            _write(kind, rows)


def melody_rows(minutes: float | None, pieces: int) -> Iterator[dict[str, Any]]:
    """Melodies over the chords of held-out lead sheets."""
    nets = {
        heard: _bundle("chord-melody", DATA / "leadsheets" / "openewld", f"melody-{heard}", minutes,
                       [f"model.feedback={str(heard).lower()}"])
        for heard in (True, False)
    }  # fmt: skip
    bundle, material = nets[True]
    for heard, (net, _) in nets.items():
        _tell_nats(f"melody, hears itself: {heard}", net, material)
    sheets = [piece for song in material.held_out for piece in _whole(bundle.codec.arrange(song))][:pieces]
    real = [figures_of(sheet, MELODY_STEP) for sheet in sheets]
    yield _row("real melodies", real)
    for name, heard, how, threshold, top_p in MELODY:
        net = nets[heard][0]
        wish = Wish(bars=BARS, binariser=how, threshold=threshold)
        made = [
            _tune(generate(net, replace(wish, sheet=sheet), Sampling(1.0, top_p=top_p), seed=n, candidates=1)[0].song)
            for n, sheet in enumerate(sheets)
        ]
        least = threshold if threshold is not None else net.training["threshold"]
        yield _row(name, [figures_of(song, MELODY_STEP) for song in made], real, how, least)


def band_rows(minutes: float | None, pieces: int) -> Iterator[dict[str, Any]]:
    """Bands from nothing, in the line-ups of learned songs."""
    bundle, material = _bundle("pianoroll", DATA / "band" / "freedoom", "band", minutes, [])
    _tell_nats("band", bundle, material)
    real_pieces = [piece for song in material.held_out for piece in _whole(bundle.codec.arrange(song))]
    real = [figures_of(piece, BAND_STEP) for piece in real_pieces[:: max(len(real_pieces) // pieces, 1)][:pieces]]
    yield _row("real bands", real)
    for name, how, threshold, temperature in BAND:
        wish = Wish(bars=BARS, binariser=how, threshold=threshold)
        sampling = Sampling(temperature, top_p=1.0)
        made = [clip.song for clip in generate(bundle, wish, sampling, seed=1, count=pieces, candidates=1)]
        least = threshold if threshold is not None else bundle.training["threshold"]
        yield _row(name, [figures_of(song, BAND_STEP) for song in made], real, how, least)


def _bundle(recipe: str, data: Path, name: str, minutes: float | None, changes: list[str]) -> tuple[Bundle, Material]:
    """The trained bundle, and the songs that it learned and did not."""
    chosen = load_recipe(recipe, changes)
    plain = open_material(data, BUILD / f"corpus-{data.name}", options=chosen.corpus, seed=0, reuse=True)
    if not (BUILD / name / "config.json").exists():
        print(f"training {name}", flush=True)
        train_recipe(chosen, plain, BUILD / name, minutes=minutes, device="cpu", force=True)
    return load_bundle(BUILD / name), as_learned(chosen, plain)


def _whole(song: Song) -> Iterator[Song]:
    """Pieces of eight bars of 4/4 in which something is played and, of sheets, a chord sounds from the start."""
    if str(song.meter) in ("4/4", "2/2"):
        yield from (piece for piece in excerpts(song, BARS) if len(piece) > BARS)


def _tune(song: Song) -> Song:
    """The melody alone; chords stay written."""
    return song.replace(parts=song.parts[:1], notes=song.notes[song.notes["part"] == 0])


def _tell_nats(name: str, bundle: Bundle, material: Material) -> None:
    """Held-out nats per note and per row."""
    summed, notes, rows = 0.0, 0, 0
    for song in material.held_out:
        heard = bundle.codec.arrange(song)
        nats, count = song_nats(bundle, heard)
        summed, notes = summed + sum(nats.values()), notes + count
        rows += len(bundle.codec.rows(heard)[1])
    learned = bundle.training
    print(f"{name}: {summed / notes:.3f} nats per note, {summed / rows:.3f} per row, {notes} notes, {rows} rows")
    print(f"threshold {learned['threshold']}; {learned['steps']} steps, {learned['minutes']:.2f} minutes", flush=True)


def _row(
    name: str,
    pieces: list[dict[str, float]],
    real: list[dict[str, float]] | None = None,
    how: str = "",
    threshold: float = 0.0,
) -> dict[str, Any]:
    row: dict[str, Any] = {"system": name, "pieces": len(pieces)}
    row["threshold"] = threshold if how == "threshold" else ""
    for figure in (*OWN, "in_key_rate", "empty_bar_rate"):
        row[figure] = round(float(np.mean([piece[figure] for piece in pieces])), 3)
    if real is not None:
        found = told_apart(real, pieces)
        row |= dict(zip(("told_apart", "low", "high"), (round(value, 3) for value in found), strict=True))
    print(row, flush=True)
    return row


def _write(kind: str, rows: list[dict[str, Any]]) -> None:
    """The CSV of one kind, and its table in the README."""
    with (HERE / f"results-{kind}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    shown = ["system", *OWN, "in_key_rate", "empty_bar_rate"]
    if kind == "band":
        shown.remove("in_chord")
    lines = [" | ".join([*shown, "told apart (95 %)"]), " | ".join(["---"] + ["---:"] * len(shown))]
    for row in rows:
        apart = f"{row['told_apart']:.2f} ({row['low']:.2f}-{row['high']:.2f})" if "told_apart" in row else ""
        lines.append(" | ".join([*(f"{row[key]:.2f}" if key != "system" else row[key] for key in shown), apart]))
    table = "\n".join(f"| {line} |" for line in lines).replace("_", " ")
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(f"<!-- {kind} -->")
    _, _, after = rest.partition(f"<!-- end of {kind} -->")
    readme.write_text(f"{before}<!-- {kind} -->\n{table}\n<!-- end of {kind} -->{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Is a state that is carried from event to event as good as a window that is read anew for each? See README.md.

python benchmarks/carried_state/run.py [--minutes 2.5] [--again]
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from woodshed.bundle import Bundle, load_bundle
from woodshed.generation.windows import _Carried, _Windowed
from woodshed.music import Song
from woodshed.recipes.material import open_material
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import as_learned, train_recipe

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("WOODSHED_DATA", ROOT.parent / "shared" / "data"))
BUILD = ROOT / "build" / "carried_state"
RECIPES = ("deeprock", "pitch-step-duration")
RENEWALS = {
    "windowed": None,
    "carried, renewed twice a window": 2,
    "carried, renewed once a window": 1,
    "carried, never renewed": 0,
}
"""How many states begin while a window passes; 0: one state from the first event on; None: a window for each event."""
DRAWS = 2000
COLUMNS = ["recipe", "way", "song", "events", "nats"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--again", action="store_true", help="train even where a bundle is there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for name in RECIPES:
        bundle, songs = trained(name, options.minutes, options.again)
        for way, renewals in RENEWALS.items():
            for number, song in enumerate(songs):
                nats = read(bundle, song, renewals)
                rows.append(dict(zip(COLUMNS, [name, way, number, len(nats), round(nats.sum(), 4)], strict=True)))
            print(name, way, flush=True)
    write(rows)


def trained(name: str, minutes: float, again: bool) -> tuple[Bundle, list[Song]]:
    """A bundle of the recipe as it is, and the held-out parts that are longer than a window."""
    folder, recipe = BUILD / name, load_recipe(name)
    if again or not (folder / "config.json").is_file():
        train_recipe(recipe, DATA / "band" / "freedoom", folder, minutes=minutes, device="cpu", force=True)
    bundle = load_bundle(folder)
    material = as_learned(
        recipe, open_material(folder / "training" / "corpus", folder / "training", options=recipe.corpus)
    )
    window = bundle.model.config.window
    return bundle, [song for song in material.held_out if len(bundle.codec.encode(song)) > window]


def read(bundle: Bundle, song: Song, renewals: int | None) -> NDArray[np.float64]:
    """Nats of each event that has a whole window before it (of pitch-step-duration its pitch), as the player hears."""
    model, codec = bundle.model, bundle.codec
    window, events = model.config.window, codec.encode(song)
    scaled = np.ascontiguousarray(codec.scale(events))
    reader: Any = _Windowed(model, 1) if renewals is None else _Carried(model, 1, renewals)
    said, logits = reader.begin(scaled[:window]), []
    for event in scaled[window:]:
        logits.append(said.pitch[0] if isinstance(said, tuple) else said[0])
        said = reader.hear(event[None])
    targets = events[window:, 0].astype(np.int64) if events.ndim == 2 else events[window:]
    nats = F.cross_entropy(torch.from_numpy(np.stack(logits)).double(), torch.from_numpy(targets), reduction="none")
    return np.asarray(nats.numpy(), np.float64)


def difference(rows: list[dict[str, Any]], name: str, way: str) -> tuple[float, float, float, float]:
    """Nats per event, how many more than windowed, and the 95 % interval of that when whole songs are drawn."""
    own, other = ([row for row in rows if row["recipe"] == name and row["way"] == w] for w in (way, "windowed"))
    events = np.array([row["events"] for row in own], float)
    nats, reference = np.array([row["nats"] for row in own]), np.array([row["nats"] for row in other])
    drawn = np.random.default_rng(0).integers(len(own), size=(DRAWS, len(own)))
    gaps = (nats - reference)[drawn].sum(1) / events[drawn].sum(1)
    low, high = np.percentile(gaps, (2.5, 97.5))
    return nats.sum() / events.sum(), (nats - reference).sum() / events.sum(), float(low), float(high)


def write(rows: list[dict[str, Any]]) -> None:
    """The rows, and the tables of the README."""
    with (HERE / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    table = ["| recipe | way | nats per held-out event | more than windowed | 95 % |", "|---|---|---|---|---|"]
    for name in RECIPES:
        for way in RENEWALS:
            nats, more, low, high = difference(rows, name, way)
            beside = "| - | - |" if way == "windowed" else f"| {more:+.3f} | {low:+.3f} to {high:+.3f} |"
            table.append(f"| {name} | {way} | {nats:.3f} {beside}")
    page = (HERE / "README.md").read_text(encoding="utf-8")
    for part, lines in (("results", table), ("machine", told())):
        before, rest = page.split(f"<!-- {part} -->\n")
        _, after = rest.split(f"<!-- end of {part} -->")
        page = f"{before}<!-- {part} -->\n" + "\n".join(lines) + f"\n<!-- end of {part} -->{after}"
    (HERE / "README.md").write_text(page, encoding="utf-8")


def told() -> list[str]:
    """What was trained, and where."""
    lines = []
    for name in RECIPES:
        training = load_bundle(BUILD / name).training
        lines.append(f"- {name}: {training['minutes']:.1f} minutes, {training['steps']:,} steps when it was best")
    return [
        *lines,
        f"- {platform.machine()}, one thread of a machine with other work on it, {platform.system()}, Python "
        f"{sys.version.split()[0]}, torch {torch.__version__}, woodshed {version('woodshed')}",
    ]


if __name__ == "__main__":
    main()

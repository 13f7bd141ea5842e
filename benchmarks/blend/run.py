"""Do blends predict held-out music? Fine-tunes of one base, and nets that were trained apart, averaged by share.

    python benchmarks/blend/run.py --data ../shared/data --minutes 0.3

Rock is one maker's music, that of benchmarks/style15, halved; lead sheets are every 25th of OpenEWLD, the first 14 to
learn from and the last 4 to be measured on. The base learned from neither. It writes results.csv: nats per note of each
side alone (shares 1 and 0) and of blends of the two.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import torch

from woodshed.bundle import Bundle, blend, load_bundle
from woodshed.bundle.blending import mean_model
from woodshed.bundle.likelihood import song_nats
from woodshed.errors import BundleError
from woodshed.music import Song
from woodshed.recipes.files import read_song
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import train_recipe

HERE = Path(__file__).parent
SONGS = tomllib.loads((HERE.parent / "style15" / "songs.toml").read_text(encoding="utf-8"))
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
COLUMNS = ("begun_from", "first", "second", "share_of_first", "nats_rock", "nats_lead_sheets", "refused")
EVERY, LEARNED, MEASURED = 25, 14, 4


@dataclass(frozen=True)
class Pair:
    """Two bundles to be blended."""

    begun_from: str
    first: str
    second: str
    bases: tuple[str | None, str | None]
    seeds: tuple[int, int] = (0, 0)


PAIRS = (
    Pair("base", "rock 1", "rock 2", ("base", "base")),
    Pair("base", "rock 1", "lead sheets", ("base", "base")),
    Pair("nothing, one seed", "rock 1", "rock 2", (None, None)),
    Pair("nothing, one seed", "rock 1", "lead sheets", (None, None)),
    Pair("nothing, two seeds", "rock 1", "rock 2", (None, None), (0, 7)),
    Pair("nothing, two seeds", "rock 1", "lead sheets", (None, None), (0, 7)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that WOODSHED_DATA names")
    parser.add_argument("--minutes", type=float, default=0.3, help="of training, for each of eight bundles")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as work, (HERE / "results.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        place = Path(work)
        learned, held_out = gather(options.data, place)
        for pair in PAIRS:
            sides = [
                trained(place, learned[name], name, base, seed, options.minutes)
                for name, base, seed in zip((pair.first, pair.second), pair.bases, pair.seeds, strict=True)
            ]
            for row in measure(pair, sides, held_out):
                table.writerow(row)
                file.flush()
                print(row, flush=True)


def gather(data: Path, work: Path) -> tuple[dict[str, Path], dict[str, list[Song]]]:
    """Folders to learn from, and songs to be measured on."""
    rock, sheets = data / SONGS["folder"], sorted((data / "leadsheets" / "openewld").rglob("*.mxl"))[::EVERY]
    train = [rock / song["file"] for song in SONGS["train"]]
    files = {"rock 1": train[1::2], "rock 2": train[::2], "lead sheets": sheets[:LEARNED]}
    folders = {}
    for name, paths in files.items():
        folders[name] = work / name
        folders[name].mkdir()
        for path in paths:
            shutil.copy(path, folders[name])
    last = sheets[: LEARNED + MEASURED][LEARNED:]
    held_out = {"rock": [rock / song["file"] for song in SONGS["held_out"]], "lead_sheets": last}
    return folders, {name: [read_song(path) for path in paths] for name, paths in held_out.items()}


def trained(work: Path, music: Path, name: str, base: str | None, seed: int, minutes: float) -> Bundle:
    """A bundle of this music, trained now or before."""
    out = work / f"{name}, {base or 'nothing'}, {seed}.shed"
    if not out.exists():
        origin = None if base is None else Path(base)
        train_recipe(load_recipe("band"), music, out, minutes=minutes, seed=seed, device="cpu", base=origin)
    return load_bundle(out)


def measure(pair: Pair, sides: list[Bundle], held_out: dict[str, list[Song]]) -> list[dict[str, object]]:
    """A row for each share; also where `blend` refuses, which is what that is measured for."""
    try:
        blend(sides, [1, 1])
        refused = "no"
    except BundleError:
        refused = "yes"
    rows: list[dict[str, object]] = []
    for share in SHARES:
        both = mean_model(sides, [share, 1 - share])
        mixed = Bundle(both, sides[0].codec)
        nats = {f"nats_{name}": round(nats_per_note(mixed, songs), 4) for name, songs in held_out.items()}
        told = {"begun_from": pair.begun_from, "first": pair.first, "second": pair.second, "refused": refused}
        rows.append({**told, "share_of_first": share, **nats})
    return rows


def nats_per_note(bundle: Bundle, songs: list[Song]) -> float:
    found = [song_nats(bundle, bundle.codec.arrange(song)) for song in songs]
    return sum(sum(nats.values()) for nats, _ in found) / sum(notes for _, notes in found)


if __name__ == "__main__":
    main()

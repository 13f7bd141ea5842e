"""Train the base weights on the corpus that `prepare.py` made, and pack them as they are shipped.

Into --work goes ``base.shed`` (the bundle, in float16, with the data card as DATA.md), ``run/`` or what --run names
(the bundle as it was trained, with its log) and ``sets.csv`` (held-out nats per note of each set).
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from woodshed.bundle import Bundle, load_bundle, save_bundle
from woodshed.bundle.bundle import CARD_FILE, CONFIG_FILE, MODEL_FILE
from woodshed.bundle.likelihood import song_nats
from woodshed.corpus import Corpus
from woodshed.music import Song
from woodshed.recipes.material import Material, open_material
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import Listener, train_recipe
from woodshed.training.loop import Event

TIMES = {"freedoom": 4, "freedoom-history": 3, "free-music": 4, "easyrpg": 4, "blasphemer": 4, "groove": 2}
"""How often the songs of a set count (others once): band music is a fifth of the notes, and what the recipe is for."""
BAND = ("freedoom", "freedoom-history", "blasphemer", "free-music", "easyrpg")
JOINED_NOTES = 400
"""Short takes of one drummer follow each other in one song until it has so many notes."""
SETTINGS = (
    "training.batch=16",
    "training.averaging=0.999",
    "training.evaluations=12",
    "training.learning_rate=0.0015",
    "training.precision=bfloat16",
)
MEASURED_SONGS = 40
"""Development songs that are measured while training, evenly spread; all are measured at the end."""


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    corpus = Corpus.open(options.work / "corpus")
    sides = {
        side: [(entry.source.split("/")[0], song) for entry, song in corpus.songs(side)]
        for side in ("train", "held_out")
    }
    recipe = load_recipe("band", [*SETTINGS, f"model.dropout={options.dropout}", *options.set])
    songs = weighted(sides["train"])
    development = [song for _, song in sides["held_out"]]
    measured = development[:: max(len(development) // MEASURED_SONGS, 1)]
    material = Material(
        songs,
        measured,
        source="the open sets that DATA.md names",
        licences=open_material(options.work / "corpus", options.work / "none").licences,
    )
    train_recipe(
        recipe, material, options.work / options.run, minutes=options.minutes, seed=options.seed, device=options.device,
        base=options.from_bundle, resume=options.resume, force=not options.resume,
        listener=Listener(on_event=tell, on_warning=print),
    )  # fmt: skip
    bundle = told_truly(load_bundle(options.work / options.run), sides["train"])
    save_bundle(bundle, options.work / options.run)
    pack(bundle, options.work / "base.shed", options.work / "card.md")
    measure(load_bundle(options.work / "base.shed"), sides["held_out"], options.work / "sets.csv")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="the folder that prepare.py filled")
    parser.add_argument("--run", default="run", help="the folder in --work for the bundle and its log")
    parser.add_argument("--minutes", type=float, default=70.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dropout", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from", dest="from_bundle", type=Path, help="a bundle to go on from")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was broken off")
    parser.add_argument("--set", nargs="*", default=[], help="more settings, as `woodshed train --set` takes them")
    return parser.parse_args()


def tell(event: Event) -> None:
    if event.kind == "evaluation":
        print(
            f"{event.seconds:7.0f} s  step {event.step}  {event.notes_per_second:.0f} notes/s  "
            f"learned {event.train_nats:.3f}  held out {event.held_out_nats:.4f} nats per note",
            flush=True,
        )


def weighted(songs: Iterable[tuple[str, Song]]) -> list[Song]:
    """Each song as often as its set counts, band music first, so that a line-up left to chance is a band; short takes
    joined."""
    songs = sorted(songs, key=lambda pair: list(BAND).index(pair[0]) if pair[0] in BAND else len(BAND))
    drums: dict[tuple[str, int, int], list[Song]] = defaultdict(list)
    found: list[Song] = []
    again: list[Song] = []
    for name, song in songs:
        if name == "groove":
            drums[song.title.split(" ")[0], song.meter.numerator, song.meter.denominator].append(song)
        else:
            found.append(song)
            again += [song] * (TIMES.get(name, 1) - 1)
    for takes in drums.values():
        again += joined(takes) * TIMES["groove"]
    return found + again


def joined(takes: list[Song]) -> list[Song]:
    """The takes one after another, each from a bar line on, as songs of at least `JOINED_NOTES` notes."""
    found, notes, at = [], [], 0
    for number, take in enumerate(takes):
        moved = take.notes[np.isin(take.notes["part"], [i for i, part in enumerate(take.parts) if part.is_drum])].copy()
        moved["part"], moved["onset"] = 0, moved["onset"] + at
        notes.append(moved)
        at += int(take.bar_lines()[-1])
        if sum(map(len, notes)) >= JOINED_NOTES or number == len(takes) - 1:
            drums = next(part for part in take.parts if part.is_drum)
            frame = Song(parts=(drums,), tempos=take.tempos[:1], meters=take.meters[:1], length=at)
            found.append(frame.with_notes(np.concatenate(notes)))
            notes, at = [], 0
    return found


def told_truly(bundle: Bundle, learned: list[tuple[str, Song]]) -> Bundle:
    """The bundle with its songs counted once each, and the licence files of the sets that were learned."""
    sets = {name for name, _ in learned}
    training = dict(bundle.training)
    training.pop("base", None)  # an earlier part of the same run
    training["songs"], training["notes"] = len(learned), sum(len(song) for _, song in learned)
    training["licences"] = [name for name in training["licences"] if name.split("/")[0] in sets]
    return replace(bundle, training=training)


def pack(bundle: Bundle, folder: Path, card: Path) -> None:
    """The bundle as it is shipped: float16, with its data card."""
    from safetensors.torch import save_file

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    assert bundle.folder is not None
    for name in (CONFIG_FILE, CARD_FILE):
        shutil.copy(bundle.folder / name, folder / name)
    tensors = {name: tensor.half().contiguous() for name, tensor in bundle.model.state_dict().items()}
    save_file(tensors, folder / MODEL_FILE, metadata={"format": "pt"})
    if card.exists():
        shutil.copy(card, folder / "DATA.md")
    print(f"{folder}: {sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.1f} MB", flush=True)


def measure(bundle: Bundle, songs: Iterable[tuple[str, Song]], table: Path) -> None:
    """Held-out nats per note of each set."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0, 0])
    for name, song in songs:
        nats, notes = song_nats(bundle, bundle.codec.arrange(song))
        for key in (name, "all"):
            sums[key] = [sums[key][0] + sum(nats.values()), sums[key][1] + notes, sums[key][2] + 1]
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("set", "songs", "notes", "nats_per_note"))
        writer.writerows((name, count, notes, f"{nats / notes:.4f}") for name, (nats, notes, count) in sums.items())
    print(table.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()

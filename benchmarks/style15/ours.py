"""Train our `band` recipe on the same songs for the same time, as ``woodshed train`` does; with --base ``--from`` it.

With --minutes 0 the base itself is measured. It writes what peer.py writes: ``result.json``, and the curve as JSON
lines.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from woodshed.bundle import Bundle, load_bundle
from woodshed.codecs import NoteStepCodec
from woodshed.formats import read_midi
from woodshed.music import Song
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import Listener, train_recipe
from woodshed.training.lessons import held_out_nats
from woodshed.training.loop import Event, Outcome

EVALUATIONS = ("training.evaluations=20", "training.patience=20")
"""As often as the peer, and like the peer to the end of the time."""


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    songs, held_out = (read_folder(folder) for folder in (options.train, options.held_out))
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    outcome = learn(options) if options.minutes else None
    result = summarise(options, outcome.bundle if outcome else load_bundle(options.base), songs, held_out)
    events = outcome.events if outcome else ()
    if outcome:
        progress = outcome.progress
        result |= {"steps": progress.step, "stopped": outcome.reason}
        result |= {"best_seconds": round(progress.best_seconds, 3), "training_seconds": round(progress.seconds, 3)}
    result["evaluation_seconds"] = round(time.perf_counter() - began - result["training_seconds"], 3)
    (options.out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    curve = [json.dumps(point(event)) + "\n" for event in events if event.kind == "evaluation"]
    (options.out / "curve.jsonl").write_text("".join(curve), encoding="utf-8")
    print(json.dumps(result), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="folder of MIDI files to learn from")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of MIDI files to be scored on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the bundle, the result and the curve")
    parser.add_argument("--minutes", type=float, required=True, help="training time, evaluation left out; 0: none")
    parser.add_argument("--base", type=Path, help="a bundle to begin from; `base` is the one that is shipped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], help="more settings, as `woodshed train --set` takes them")
    options = parser.parse_args()
    if not options.minutes and options.base is None:
        parser.error("with --minutes 0 there must be a --base to measure")
    return options


def learn(options: argparse.Namespace) -> Outcome:
    return train_recipe(
        load_recipe("band", [*EVALUATIONS, *options.set]), options.train, options.out, minutes=options.minutes,
        seed=options.seed, device="cpu", held_out=options.held_out, base=options.base,
        listener=Listener(on_event=tell, on_warning=warn),
    )  # fmt: skip


def read_folder(folder: Path) -> dict[str, Song]:
    return {path.name: read_midi(path) for path in sorted(folder.glob("*.mid"))}


def warn(line: str) -> None:
    """Every listed song must be learned from: a warning that one is not spoils the figure."""
    print(f"warning: {line}", file=sys.stderr, flush=True)


def tell(event: Event) -> None:
    if event.kind == "evaluation":
        line = f"{event.seconds:7.1f} s  step {event.step}  {event.held_out_nats:.4f} nats per note"
        print(line, file=sys.stderr, flush=True)


def point(event: Event) -> dict[str, Any]:
    nats = event.held_out_nats
    return {
        "step": event.step,
        "seconds": round(event.seconds, 4),
        "nats_per_note": nats if nats is None else round(nats, 4),
        "fields": {name: round(value, 4) for name, value in event.fields.items()},
    }


def summarise(
    options: argparse.Namespace, bundle: Bundle, songs: dict[str, Song], held_out: dict[str, Song]
) -> dict[str, Any]:
    """What a bundle is and what it costs, scored song by song and all together; of one that did not learn here."""
    model, codec = bundle.model.eval(), bundle.codec
    arranged = {name: codec.arrange(song) for name, song in held_out.items()}
    fields = held_out_nats(bundle, list(arranged.values()))
    parameters = sum(p.numel() for p in model.parameters())
    tables = sum(module.weight.numel() for module in model.modules() if isinstance(module, nn.Embedding))
    return {
        "minutes": options.minutes,
        "seed": options.seed,
        "threads": options.threads,
        "steps": 0,
        "parameters": parameters,
        "non_embedding_parameters": parameters - tables,
        "notes_train": sum(notes_kept(codec, song) for song in songs.values()) if options.minutes else 0,
        "notes_held_out": sum(notes_kept(codec, song) for song in held_out.values()),
        "notes_held_out_file": sum(len(song) for song in held_out.values()),
        "nats_per_note": round(sum(fields.values()), 4),
        "fields": {name: round(value, 4) for name, value in fields.items()},
        "best_seconds": 0.0,
        "training_seconds": 0.0,
        "per_song": {name: round(sum(held_out_nats(bundle, [song]).values()), 4) for name, song in arranged.items()},
    }


def notes_kept(codec: NoteStepCodec, song: Song) -> int:
    """Notes that the codec writes: of two with the same step, part and pitch it writes one."""
    return len(codec.decode(codec.encode(codec.arrange(song)), codec.arrange(song)))


if __name__ == "__main__":
    main()

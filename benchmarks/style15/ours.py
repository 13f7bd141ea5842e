"""Train our `band` recipe on the same songs for the same time, as ``woodshed train`` does.

It writes what peer.py writes: ``result.json``, and the curve as JSON lines.
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

from woodshed.codecs import NoteStepCodec
from woodshed.formats import read_midi
from woodshed.music import Song
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import Listener, train_recipe
from woodshed.training.lessons import held_out_nats
from woodshed.training.loop import Event, Outcome


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    songs, held_out = (read_folder(folder) for folder in (options.train, options.held_out))
    began = time.perf_counter()
    outcome = train_recipe(
        load_recipe("band"), options.train, options.out, minutes=options.minutes, seed=options.seed, device="cpu",
        held_out=options.held_out, listener=Listener(on_event=tell, on_warning=warn),
    )  # fmt: skip
    wall = time.perf_counter() - began
    result = summarise(options, outcome, songs, held_out) | {
        "evaluation_seconds": round(wall - outcome.progress.seconds, 3)
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    curve = [json.dumps(point(event)) + "\n" for event in outcome.events if event.kind == "evaluation"]
    (options.out / "curve.jsonl").write_text("".join(curve), encoding="utf-8")
    print(json.dumps(result), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True, help="folder of MIDI files to learn from")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of MIDI files to be scored on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the bundle, the result and the curve")
    parser.add_argument("--minutes", type=float, required=True, help="training time, evaluation left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


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
    options: argparse.Namespace, outcome: Outcome, songs: dict[str, Song], held_out: dict[str, Song]
) -> dict[str, Any]:
    """The whole outcome as JSON; the kept model is scored anew, song by song and all together."""
    model, codec = outcome.bundle.model.eval(), outcome.bundle.codec
    arranged = {name: codec.arrange(song) for name, song in held_out.items()}
    fields = held_out_nats(outcome.bundle, list(arranged.values()))
    parameters = sum(p.numel() for p in model.parameters())
    tables = sum(module.weight.numel() for module in model.modules() if isinstance(module, nn.Embedding))
    return {
        "side": "ours",
        "minutes": options.minutes,
        "seed": options.seed,
        "threads": options.threads,
        "steps": outcome.progress.step,
        "parameters": parameters,
        "non_embedding_parameters": parameters - tables,
        "notes_train": sum(notes_kept(codec, song) for song in songs.values()),
        "notes_held_out": sum(notes_kept(codec, song) for song in held_out.values()),
        "notes_held_out_file": sum(len(song) for song in held_out.values()),
        "nats_per_note": round(sum(fields.values()), 4),
        "fields": {name: round(value, 4) for name, value in fields.items()},
        "best_seconds": round(outcome.progress.best_seconds, 3),
        "training_seconds": round(outcome.progress.seconds, 3),
        "notes_per_second": round(outcome.progress.notes / outcome.progress.seconds, 1),
        "stopped": outcome.reason,
        "per_song": {
            name: round(sum(held_out_nats(outcome.bundle, [song]).values()), 4) for name, song in arranged.items()
        },
    }


def notes_kept(codec: NoteStepCodec, song: Song) -> int:
    """Notes that the codec writes: of two with the same step, part and pitch it writes one."""
    return len(codec.decode(codec.encode(codec.arrange(song)), codec.arrange(song)))


if __name__ == "__main__":
    main()

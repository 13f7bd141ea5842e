"""What does each ingredient of the flagship bring? Train it without, on the songs of style15, for as many steps.

One process, one thread, one variant after another. Into --out goes one line for each variant: held-out nats per note,
by field, the step at which it was best, seconds of training.
"""

from __future__ import annotations

import argparse
import csv
import math
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.codecs import FIELDS, study
from woodshed.codecs.past import CONTEXTS, LAGS, MATCHES
from woodshed.codecs.study import Inputs
from woodshed.models import note_model
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import train_recipe
from woodshed.training import examples

HERE = Path(__file__).parent
SONGS = HERE.parent / "style15" / "songs.toml"


class Gru(nn.Module):
    """A recurrent layer of torch in place of the gated recurrence."""

    kind: type[nn.RNNBase] = nn.GRU

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.norm, self.dropout = nn.RMSNorm(config.width, eps=1e-5), config.dropout
        self.layer = self.kind(config.width, config.width, batch_first=True)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        heard, after = self.layer(self.norm(x), self.unpacked(state))
        return x + F.dropout(heard, self.dropout, self.training), self.packed(after)

    def unpacked(self, state: Tensor) -> Any:
        return state[None].contiguous()

    def packed(self, state: Any) -> Tensor:
        return state[0]


class Lstm(Gru):
    """The same with a cell, which is forgotten between windows."""

    kind = nn.LSTM

    def unpacked(self, state: Tensor) -> Any:
        return state[None].contiguous(), torch.zeros_like(state)[None]

    def packed(self, state: Any) -> Tensor:
        return state[0][0]


class Attention(nn.Module):
    """A transformer's layer (four heads, rotary positions, SwiGLU) over the rows of one window."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        width = config.width
        self.norm, self.second = nn.RMSNorm(width, eps=1e-5), nn.RMSNorm(width, eps=1e-5)
        self.look, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(2 * width, width, bias=False)
        self.dropout, self.heads = config.dropout, 4

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        batch, time, width = x.shape
        shape = batch, time, 3, self.heads, width // self.heads
        query, key, value = self.look(self.norm(x)).view(shape).permute(2, 0, 3, 1, 4).unbind(0)
        angle = torch.arange(time)[:, None] * 10000.0 ** -torch.linspace(0, 1, width // self.heads // 2)
        query, key = (self._turned(part, angle) for part in (query, key))
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + F.dropout(self.out(seen.transpose(1, 2).reshape(x.shape)), self.dropout, self.training)
        gate, up = self.up(self.second(x)).chunk(2, -1)
        return x + F.dropout(self.down(F.silu(gate) * up), self.dropout, self.training), state

    @staticmethod
    def _turned(x: Tensor, angle: Tensor) -> Tensor:
        one, two = x.chunk(2, -1)
        return torch.cat((one * angle.cos() - two * angle.sin(), one * angle.sin() + two * angle.cos()), -1)


class Nothing(nn.Module):
    """No body: a row is read, and nothing before it."""

    def __init__(self, config: Any) -> None:
        super().__init__()

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return x, state


def without(*pointers: int) -> Callable[[Inputs], Inputs]:
    """Inputs in which some pointers expect nothing."""

    def blind(inputs: Inputs) -> Inputs:
        inputs.expected[..., pointers] = -1
        inputs.records[..., pointers] = 0
        return inputs

    return blind


def no_anchors(inputs: Inputs) -> Inputs:
    inputs.anchors[:] = -1
    return inputs


def no_tallies(inputs: Inputs) -> Inputs:
    inputs.tallies[:] = 0
    return inputs


def no_records(inputs: Inputs) -> Inputs:
    inputs.records[:] = 0
    return inputs


_CONTEXTS = range(LAGS + MATCHES, LAGS + MATCHES + CONTEXTS)
VARIANTS: dict[str, tuple[list[str], Callable[[Inputs], Inputs] | None, type[nn.Module] | None]] = {
    "all of it": ([], None, None),
    "no pointers": ([], without(*range(LAGS + MATCHES + CONTEXTS)), None),
    "no lags": ([], without(*range(LAGS)), None),
    "no matches": ([], without(*range(LAGS, LAGS + MATCHES)), None),
    "no contexts": ([], without(*_CONTEXTS), None),
    "half of the contexts": ([], without(*_CONTEXTS[1::2]), None),
    "no records": ([], no_records, None),
    "no anchors": ([], no_anchors, None),
    "no tallies": ([], no_tallies, None),
    "no canvases": (["augmentation.canvases=0"], None, None),
    "no transposition": (["augmentation.transpose=0"], None, None),
    "no averaging": (["training.averaging=0"], None, None),
    "dropout 0": (["model.dropout=0.0"], None, None),
    "dropout 0.5": (["model.dropout=0.5"], None, None),
    "width 96": (["model.width=96"], None, None),
    "four layers": (["model.layers=4"], None, None),
    "body: none": ([], None, Nothing),
    "body: GRU": ([], None, Gru),
    "body: LSTM": ([], None, Lstm),
    "body: transformer": ([], None, Attention),
    "no pointers, body: LSTM": ([], without(*range(LAGS + MATCHES + CONTEXTS)), Lstm),
    "no pointers, body: transformer": ([], without(*range(LAGS + MATCHES + CONTEXTS)), Attention),
}


@contextmanager
def changed(blind: Callable[[Inputs], Inputs] | None, body: type[nn.Module] | None) -> Iterator[None]:
    """The house with one ingredient less."""
    with ExitStack() as stack:
        if blind is not None:
            whole = study.row_inputs
            for module in (study, examples):
                stack.enter_context(patch.object(module, "row_inputs", lambda *a, **k: blind(whole(*a, **k))))
        if body is not None:
            stack.enter_context(patch.object(note_model, "Layer", body))
        yield


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    rows = list(csv.reader(options.out.open(encoding="utf-8"))) if options.out.exists() else []
    done = {row[0] for row in rows}
    with tempfile.TemporaryDirectory() as work:
        folders = copied(options.data, Path(work))
        for name in options.variants or VARIANTS:
            if name in done:
                continue
            line = measure(name, folders, Path(work) / "bundle", options)
            print(line, flush=True)
            with options.out.open("a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                if not file.tell():
                    writer.writerow(
                        ("variant", "nats_per_note", *FIELDS, "best_step", "steps", "seconds", "parameters")
                    )
                writer.writerow(line)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds band/freedoom")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    return parser.parse_args()


def copied(data: Path, work: Path) -> dict[str, Path]:
    """The songs of style15 in two folders."""
    songs = tomllib.loads(SONGS.read_text(encoding="utf-8"))
    for side in ("train", "held_out"):
        (work / side).mkdir()
        for song in songs[side]:
            shutil.copy(data / songs["folder"] / song["file"], work / side)
    return {side: work / side for side in ("train", "held_out")}


def measure(name: str, folders: dict[str, Path], out: Path, options: argparse.Namespace) -> tuple[Any, ...]:
    settings, blind, body = VARIANTS[name]
    recipe = load_recipe("band", [*settings, "training.patience=20"])
    with changed(blind, body):
        # A body that no bundle knows cannot be read back: what is measured while training is what counts.
        best: dict[str, Any] = {"nats": math.inf}

        def hear(event: Any) -> None:
            if event.kind == "evaluation" and event.held_out_nats < best["nats"]:
                best.update(nats=event.held_out_nats, fields=event.fields, step=event.step)
            best["seconds"], best["steps"] = event.seconds, event.step

        from woodshed.recipes.runs import Listener

        listener = Listener(on_event=hear)
        try:
            train_recipe(
                recipe, folders["train"], out, steps=options.steps, seed=options.seed, device="cpu",
                held_out=folders["held_out"], force=True, listener=listener,
            )  # fmt: skip
        except Exception as error:
            if body is None or best["steps"] < options.steps:
                raise
            print(f"({name}: not read back, as expected: {type(error).__name__})", flush=True)
        with torch.random.fork_rng():
            parameters = sum(
                p.numel() for p in note_model.NoteModel(note_model.NoteModelConfig(**recipe.model)).parameters()
            )
    fields = [round(best["fields"][field], 4) for field in FIELDS]
    return name, round(best["nats"], 4), *fields, best["step"], best["steps"], round(best["seconds"], 1), parameters


if __name__ == "__main__":
    main()

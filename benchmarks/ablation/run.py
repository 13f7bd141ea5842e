"""What does each ingredient of the flagship bring? Train it without, on the songs of style15, for as many steps.

One process, one thread, one variant after another. Into --out goes one line for each variant: held-out nats per note,
by field, the step at which it was best, seconds of training. What is in --out is not measured again.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import platform
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.codecs import FIELDS, study
from woodshed.codecs.past import CONTEXTS, LAGS, MATCHES
from woodshed.codecs.past_state import VOTERS, VOTERS_OF
from woodshed.codecs.study import Inputs
from woodshed.errors import BundleError
from woodshed.models import note_model
from woodshed.models.note_sizes import NoteModelConfig
from woodshed.recipes.material import Material
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import Listener, material_of, train_recipe
from woodshed.training import examples

HERE = Path(__file__).resolve().parent
SONGS = HERE.parent / "style15" / "songs.toml"
COLUMNS = ("variant", "nats_per_note", *FIELDS, "best_step", "steps", "seed", "seconds", "parameters")
FAIR = ("training.patience=20", "training.evaluations=10")
"""Every variant is measured as often, and none is stopped early."""


class Gru(nn.Module):
    """A recurrent layer of torch in place of the gated recurrence."""

    kind: Callable[..., nn.Module] = nn.GRU

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
        packed: Tensor = state[0]
        return packed


class Lstm(Gru):
    """The same with a cell, which is forgotten between windows."""

    kind = nn.LSTM

    def unpacked(self, state: Tensor) -> Any:
        return state[None].contiguous(), torch.zeros_like(state)[None]

    def packed(self, state: Any) -> Tensor:
        packed: Tensor = state[0][0]
        return packed


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


def without_votes(*voters: int) -> Callable[[Inputs], Inputs]:
    """Inputs in which some voters vote for nothing, in any field."""

    def blind(inputs: Inputs) -> Inputs:
        columns = VOTERS_OF[:, voters].ravel()
        inputs.votes[..., columns, :] = -1
        return inputs

    return blind


def both(one: Callable[[Inputs], Inputs], other: Callable[[Inputs], Inputs]) -> Callable[[Inputs], Inputs]:
    return lambda inputs: one(other(inputs))


def no_anchors(inputs: Inputs) -> Inputs:
    inputs.anchors[:] = -1
    return inputs


def no_tallies(inputs: Inputs) -> Inputs:
    inputs.tallies[:] = 0
    return inputs


def no_records(inputs: Inputs) -> Inputs:
    inputs.records[:] = 0
    return inputs


_ALL = range(LAGS + MATCHES + CONTEXTS)
_LAGS, _MATCHES, _CONTEXTS = _ALL[:LAGS], _ALL[LAGS : LAGS + MATCHES], _ALL[LAGS + MATCHES :]
_NOTHING = both(without(*_ALL), without_votes(*range(VOTERS)))
WHOLE, AGAIN = "all of it", "all of it, another seed"
VARIANTS: dict[str, tuple[list[str], Callable[[Inputs], Inputs] | None, type[nn.Module] | None]] = {
    WHOLE: ([], None, None),
    AGAIN: ([], None, None),
    "no votes": ([], without_votes(*range(VOTERS)), None),
    "votes of the contexts alone": ([], without_votes(*range(CONTEXTS, VOTERS)), None),
    "no pointers": ([], without(*_ALL), None),
    "no pointers, no votes": ([], _NOTHING, None),
    "no lags": ([], without(*_LAGS), None),
    "no matches": ([], without(*_MATCHES), None),
    "no contexts": ([], without(*_CONTEXTS), None),
    "half of the contexts": ([], without(*_CONTEXTS[1::2]), None),
    "contexts alone": ([], without(*_LAGS, *_MATCHES), None),
    "no records": ([], no_records, None),
    "no anchors": ([], no_anchors, None),
    "no tallies": ([], no_tallies, None),
    "body: none": ([], None, Nothing),
    "body: GRU": ([], None, Gru),
    "body: LSTM": ([], None, Lstm),
    "body: transformer": ([], None, Attention),
    "no pointers, no votes, body: LSTM": ([], _NOTHING, Lstm),
    "no pointers, no votes, body: transformer": ([], _NOTHING, Attention),
    "one layer": (["model.layers=1"], None, None),
    "width 96": (["model.width=96"], None, None),
    "no canvases": (["augmentation.canvases=0"], None, None),
    "no transposition": (["augmentation.transpose=0"], None, None),
    "no averaging": (["training.averaging=0"], None, None),
    "dropout 0": (["model.dropout=0.0"], None, None),
    "dropout 0.5": (["model.dropout=0.5"], None, None),
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
    done = already(options)
    with tempfile.TemporaryDirectory() as work:
        material = read_songs(options.data, Path(work))
        for name in options.variants or VARIANTS:
            if name not in done:
                line = measure(name, material, Path(work) / "bundle", options)
                append(options.out, line)
                print(dict(zip(COLUMNS, line, strict=True)), flush=True)
    if options.out.resolve() == HERE / "results.csv":
        write_readme()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=shared, help="the folder that holds band/freedoom")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="*", choices=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    return parser.parse_args()


def already(options: argparse.Namespace) -> set[str]:
    """The variants that are in the CSV; it must be of as many steps, and of the same seed."""
    rows = read_rows(options.out)
    if any((row["steps"], row["seed"]) != (f"{options.steps}", f"{seed_of(row['variant'], options)}") for row in rows):
        raise SystemExit(f"{options.out} is of other steps or another seed; name another --out, or remove it")
    return {row["variant"] for row in rows}


def seed_of(name: str, options: argparse.Namespace) -> int:
    return int(options.seed) + (name == AGAIN)


def read_songs(data: Path, work: Path) -> Material:
    """The songs of style15, read once."""
    songs = tomllib.loads(SONGS.read_text(encoding="utf-8"))
    for side in ("train", "held_out"):
        (work / side).mkdir()
        for song in songs[side]:
            shutil.copy(data / songs["folder"] / song["file"], work / side)
    listener = Listener(on_warning=lambda line: print(f"warning: {line}", flush=True))
    return material_of(load_recipe("band"), work / "train", work / "read", work / "held_out", False, 0, listener)


def measure(name: str, material: Material, out: Path, options: argparse.Namespace) -> tuple[Any, ...]:
    settings, blind, body = VARIANTS[name]
    recipe, seed = load_recipe("band", [*settings, *FAIR]), seed_of(name, options)
    best: dict[str, Any] = {"nats": math.inf, "steps": 0}

    def hear(event: Any) -> None:
        if event.kind == "evaluation":
            if event.held_out_nats < best["nats"]:
                best.update(nats=event.held_out_nats, fields=event.fields, step=event.step)
            best["seconds"], best["steps"] = event.seconds, event.step

    with changed(blind, body):
        with torch.random.fork_rng():
            model = note_model.NoteModel(NoteModelConfig(**recipe.model))
        try:
            train_recipe(
                recipe, material, out, steps=options.steps, seed=seed, device="cpu", force=True,
                listener=Listener(on_event=hear),
            )  # fmt: skip
        except BundleError:
            # A body that no bundle knows cannot be read back at the end: what was measured while training counts.
            if body is None or best["steps"] < options.steps:
                raise
    fields = [round(best["fields"][field], 4) for field in FIELDS]
    parameters = sum(p.numel() for p in model.parameters())
    return (
        name, round(best["nats"], 4), *fields, best["step"], best["steps"], seed, round(best["seconds"], 1), parameters,
    )  # fmt: skip


def read_rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append(path: Path, line: tuple[Any, ...]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not file.tell():
            writer.writerow(COLUMNS)
        writer.writerow(line)


def write_readme() -> None:
    """The table and the machine, between their markers in README.md."""
    rows = read_rows(HERE / "results.csv")
    whole = next((float(row["nats_per_note"]) for row in rows if row["variant"] == WHOLE), math.nan)
    lines = [
        "| variant | nats per note | more | shift | part | pitch | duration | velocity | seconds |",
        "|" + "---|" * 9,
    ]
    for row in sorted(rows, key=lambda row: list(VARIANTS).index(row["variant"])):
        nats = float(row["nats_per_note"])
        fields = " | ".join(f"{float(row[field]):.3f}" for field in FIELDS[:-1])
        lines.append(f"| {row['variant']} | {nats:.3f} | {nats - whole:+.3f} | {fields} | {row['seconds']} |")
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if (info.exists())
        else []
    )
    machine = f"{names[0] if names else platform.machine()}, 1 thread, {platform.system()}"
    machine += f", Python {platform.python_version()}, woodshed {version('woodshed')}, torch {version('torch')}"
    text = (HERE / "README.md").read_text(encoding="utf-8")
    for marker, filled in (("results", lines), ("machine", [f"- {machine}"])):
        before, rest = text.split(f"<!-- {marker} -->\n")
        after = rest.split(f"<!-- end of {marker} -->\n")[1]
        text = f"{before}<!-- {marker} -->\n" + "".join(f"{line}\n" for line in filled)
        text += f"<!-- end of {marker} -->\n{after}"
    (HERE / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

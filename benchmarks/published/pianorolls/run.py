"""Nats per frame of the published piano rolls, factorised and autoregressive, by one command.

    python benchmarks/published/pianorolls/run.py --data ../shared/data

It trains what is missing in ``--work`` and writes results.csv. The test set is looked at once, by what was chosen on
the validation set.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mixing import mixed_nats
from rolls import HIGHEST, LOWEST, SETS, Set, read_rolls, study_all, whole
from safetensors import safe_open
from safetensors.torch import save_file
from tcn import TCN, tcn_nats, train_tcn
from torch import nn

from training import Plan, frame_nats, nats_per_frame, train
from woodshed.codecs.frame_past import Study
from woodshed.models.frame_rnn import FrameRNN, FrameRNNConfig

HERE = Path(__file__).parent
COLUMNS = ("set", "emission", "nets", "minutes", "validation_nats_per_frame", "test_nats_per_frame")
TCN_MINUTES = {"jsb": 2.0, "nottingham": 3.0}
PLANS = {
    "jsb": Plan(minutes=5),
    "nottingham": Plan(minutes=7, rate=3e-3, batch=12, transposed=0.3),
}
SIZES = {
    "jsb": {"width": 256, "head_width": 256, "dropout": 0.3},
    "nottingham": {"width": 160, "head_width": 160, "dropout": 0.1, "pointer_dropout": 0.05},
}
NETS = {"jsb": 1, "nottingham": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(os.environ.get("WOODSHED_DATA", HERE.parents[3] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default, help="the folder that WOODSHED_DATA names")
    parser.add_argument("--work", type=Path, default=Path("build/pianorolls"), help="where trained nets are kept")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        found = [*autoregressive(name, options), *factorised(name, options)]
        write_rows(SETS[name], found)
        print(*found, sep="\n", flush=True)


def write_rows(music: Set, found: Sequence[dict[str, Any]]) -> None:
    """Put the rows of one set into results.csv; those of the others stay."""
    path = HERE / "results.csv"
    before = csv.DictReader(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()
    rows = [*(row for row in before if row["set"] != music.name), *found]
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(sorted(rows, key=lambda row: row["set"]))
    part.rename(path)


def factorised(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The TCN, trained anew."""
    rolls = read_rolls(options.data, SETS[name])
    net, path = TCN(), options.work / f"{name}-tcn.safetensors"
    minutes = kept(path, net, lambda: train_tcn(rolls["train"], rolls["valid"], TCN_MINUTES[name], seed=0)[0])
    nats = [tcn_nats(net, rolls[split]) for split in ("valid", "test")]
    return [row_of(SETS[name], "factorised, TCN trained anew", 1, minutes, *nats)]


def autoregressive(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """One net as it is, and the mixture of all nets in all keys."""
    music, plan = SETS[name], PLANS[name]
    studies = study_all(read_rolls(options.data, music), music)
    config = FrameRNNConfig(pointers=studies["train"][0].expected.shape[1], **SIZES[name])
    nets, minutes = [], []
    for seed in range(NETS[name]):
        nets.append(FrameRNN(config))
        path = options.work / f"{name}-{seed}.safetensors"
        minutes.append(
            kept(path, nets[-1], lambda seed=seed: train(config, plan, studies["train"], studies["valid"], seed)[0])
        )
    alone = [nats_per_frame(nets[0], whole(studies[split])) for split in ("valid", "test")]
    mixed = [mixture(nets, studies[split]) for split in ("valid", "test")]
    return [
        row_of(music, "autoregressive", 1, minutes[0], *alone),
        row_of(music, "autoregressive, mixture", len(nets), sum(minutes), *mixed),
    ]


def mixture(nets: Sequence[FrameRNN], studies: Sequence[Study]) -> float:
    """Nats per frame of all nets, each hearing the piece in the keys that it was trained in."""
    nats = [frame_nats(net, whole(studies, by)) for net in nets for by in range(LOWEST, HIGHEST + 1)]
    return float(mixed_nats(torch.stack(nats), [len(study.roll) - 1 for study in studies]).mean())


def kept(path: Path, net: nn.Module, trained: Callable[[], nn.Module]) -> float:
    """Load the net from ``path``, or train it and keep it there; the minutes of processor time that this took."""
    if not path.exists():
        start = time.process_time()
        weights = trained().state_dict()
        minutes = (time.process_time() - start) / 60
        part = path.with_suffix(".part")
        save_file(weights, part, metadata={"minutes": f"{minutes:.1f}"})
        part.rename(path)
    with safe_open(path, "pt") as file:
        net.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        return float(file.metadata()["minutes"])


def row_of(music: Set, emission: str, nets: int, minutes: float, valid: float, test: float) -> dict[str, Any]:
    """A line of the table."""
    return dict(
        zip(COLUMNS, (music.name, emission, nets, f"{minutes:.1f}", f"{valid:.3f}", f"{test:.3f}"), strict=True)
    )


if __name__ == "__main__":
    main()

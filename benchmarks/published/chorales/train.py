"""Train the nets of `nets.toml` on the train split, choosing weights on the valid split; log the curve of each.

Weights go to a folder that is not committed, nats per frame on the valid split to `curves.csv`. Nets that are there
already are not trained again.
"""

from __future__ import annotations

import argparse
import csv
import time
import tomllib
from pathlib import Path

import torch
from pieces import HERE, chorded, told
from safetensors.torch import load_file, save_file

from woodshed.models.voice_grid import VoiceGridConfig, VoiceGridNet
from woodshed.models.voice_grid_chords import ChordedVoiceGridNet
from woodshed.training.voice_grids import VoiceGridTraining, train_voice_grid

WEIGHTS = HERE / "build"
CURVES = HERE / "curves.csv"
COLUMNS = ("net", "step", "processor_minutes", "valid_nats_per_frame")


def settings() -> dict[str, dict[str, dict[str, float]]]:
    """Of each net: its sizes and its training."""
    with (HERE / "nets.toml").open("rb") as file:
        return tomllib.load(file)


def build(name: str) -> VoiceGridNet:
    """An untrained net of that name."""
    torch.manual_seed(int(settings()[name]["training"]["seed"]))
    kind = ChordedVoiceGridNet if with_chords(name) else VoiceGridNet
    return kind(VoiceGridConfig(**settings()[name]["sizes"]))  # type: ignore[arg-type]


def with_chords(name: str) -> bool:
    """Whether a net is told the chord of each frame."""
    return name.startswith("chords")


def load(name: str, folder: Path = WEIGHTS) -> VoiceGridNet:
    """A trained net of that name."""
    net = build(name)
    net.load_state_dict(load_file(folder / f"{name}.safetensors"))
    return net.eval()


def train(name: str, folder: Path = WEIGHTS) -> None:
    """Train one net, unless it is there."""
    target = folder / f"{name}.safetensors"
    if target.exists():
        return
    torch.set_num_threads(1)
    lines: list[list[str]] = []
    net, began = build(name), time.process_time()

    def report(step: int, nats: float) -> None:
        minutes = (time.process_time() - began) / 60
        lines.append([name, str(step), f"{minutes:.1f}", f"{nats:.4f}"])
        print(*lines[-1], flush=True)

    options = VoiceGridTraining(**settings()[name]["training"])  # type: ignore[arg-type]
    learned, held_out = (
        chorded(split) if with_chords(name) else told(split, net.config.shown) for split in ("train", "valid")
    )
    trained = train_voice_grid(net, learned, held_out, options, report)
    folder.mkdir(exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    save_file(trained.state_dict(), unfinished)
    unfinished.replace(target)
    _log(name, lines)


def _log(name: str, lines: list[list[str]]) -> None:
    """Put the curve of a net into the CSV, in place of an older one."""
    before: list[list[str]] = []
    if CURVES.exists():
        with CURVES.open(encoding="utf-8", newline="") as file:
            before = [line for line in list(csv.reader(file))[1:] if line[0] != name]
    with CURVES.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([list(COLUMNS), *before, *lines])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nets", nargs="*", help="names in nets.toml; all of them if none is given")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    for net_name in options.nets or settings():
        train(net_name, options.weights)

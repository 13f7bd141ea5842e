"""What the size of the latent space does when only 15 songs are there to learn from; writes results.csv."""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from woodshed.bundle import Bundle
from woodshed.bundle.likelihood import clip_nats
from woodshed.corpus import BuildOptions, build_corpus
from woodshed.errors import CorpusError
from woodshed.evaluation.reconstruction import reconstruct
from woodshed.recipes.material import Material, open_material
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import as_learned, blank_bundle, training_options
from woodshed.training.loop import train

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
SETS = {"vae-melody-2bar": "leadsheets/openewld", "vae-drums-2bar": "band"}
"""Recipe -> folder that its songs come from."""
SONGS, TESTED = 15, 45
PLAYED = 500
"""Clips drawn from the prior."""


@dataclass(frozen=True)
class Row:
    """One run."""

    recipe: str
    latent: int
    parameters: int
    steps: int
    cpu_seconds: float
    learned_clips: int
    tested_clips: int
    reconstruction_nats: float
    """Per held-out clip, of a draw from the posterior."""
    divergence_nats: float
    bound_nats: float
    """Their sum: an upper bound of the clip's own nats."""
    divergence_bits: float
    used_dimensions: int
    learned_given_truth: float
    """Share of tokens right in clips that were learned."""
    learned_sampled: float
    given_truth: float
    """The same in held-out clips."""
    sampled: float
    prior_notes: float
    """Notes per clip that is played from N(0, 1)."""
    imagined_notes: float
    """The same from where the learned clips lie (`MusicVAE.imagine`), as `woodshed generate` does."""
    real_notes: float


def main() -> None:
    """Every size of both recipes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 16, 64, 256])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--width", type=int, default=96)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, folder in SETS.items():
        material = fifteen(name, DATA / folder)
        for latent in options.sizes:
            rows.append(measure(name, material, latent, options))
            print(rows[-1], flush=True)
            write(rows)


def fifteen(name: str, folder: Path) -> Material:
    """Clips of 15 songs, and of 45 others to test on; songs without clips are passed over."""
    with tempfile.TemporaryDirectory() as work:
        build_corpus(folder, Path(work) / "corpus", options=BuildOptions(held_out_fraction=0.0))
        songs = list(open_material(Path(work) / "corpus", Path(work)).songs)
    recipe = load_recipe(name)
    chosen: list[Material] = []
    for index in np.random.default_rng(0).permutation(len(songs)):
        if len(chosen) == SONGS + TESTED:
            break
        try:
            chosen.append(as_learned(recipe, Material([songs[index]])))
        except CorpusError as error:  # a song without clips says so
            print(f"passed over: {error}")
    learned = [clip for material in chosen[:SONGS] for clip in material.songs]
    tested = [clip for material in chosen[SONGS:] for clip in material.songs]
    return Material(learned, tested[:: max(len(tested) // 512, 1)])


def measure(name: str, material: Material, latent: int, options: argparse.Namespace) -> Row:
    """Train and measure one size."""
    width = f"{options.width}"
    changes = [f"model.latent={latent}", f"training.batch={options.batch}", "training.evaluations=10"]
    changes += [f"model.encoder_width={width}", f"model.decoder_width={width}"]
    began = time.process_time()
    with tempfile.TemporaryDirectory() as work:
        bundle = trained(name, material, changes, Path(work) / "bundle", options.steps)
    seconds = time.process_time() - began
    sides = (material.songs, material.held_out)
    learned, tested = (np.stack([bundle.codec.encode(clip) for clip in side]) for side in sides)
    nats = clip_nats(bundle, tested).mean(0)
    own, other = (reconstruct(bundle, side, np.random.default_rng(0)) for side in (learned[:512], tested))
    part = bundle.codec.parts[0]
    return Row(
        name, latent, bundle.training["parameters"], bundle.training["steps"], round(seconds, 1), len(learned),
        len(tested), round(float(nats[0]), 2), round(float(nats[1]), 2), round(float(nats.sum()), 2),
        round(other.divergence_bits, 1), other.used_dimensions, round(own.given_truth[part], 4),
        round(own.sampled[part], 4), round(other.given_truth[part], 4), round(other.sampled[part], 4),
        round(played_notes(bundle, False), 2), round(played_notes(bundle, True), 2),
        round(float(np.mean([bundle.codec.notes(clip) for clip in tested])), 2),
    )  # fmt: skip


def trained(name: str, material: Material, changes: list[str], out: Path, steps: int) -> Bundle:
    """A bundle of clips that are cut already."""
    recipe = load_recipe(name, changes)
    options = training_options(recipe, steps=steps, device="cpu")
    blank = blank_bundle(recipe, material, 0, "cpu")
    return train(blank, material.songs, material.held_out, out, options).bundle


def played_notes(bundle: Bundle, imagined: bool) -> float:
    """Notes per clip that is played from nothing."""
    chance = torch.Generator().manual_seed(0)
    z = torch.randn(PLAYED, bundle.model.config.latent, generator=chance)
    shape = (PLAYED, len(bundle.codec.parts), bundle.codec.steps)
    uniforms = torch.rand(shape, generator=chance, dtype=torch.float64)
    clips = bundle.model.sample(bundle.model.imagine(z) if imagined else z, 1.0, uniforms).numpy()
    return float(np.mean([bundle.codec.notes(clip) for clip in clips]))


def write(rows: list[Row]) -> None:
    """The table, as far as it is known."""
    with (HERE / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])))
        writer.writeheader()
        writer.writerows(map(asdict, rows))


if __name__ == "__main__":
    main()

"""The MusicVAE recipes learn from a folder's songs, come back from disk, and are measured."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import LATENT, kind_of, load_bundle
from woodshed.corpus import BuildOptions, build_corpus
from woodshed.errors import OutOfRange
from woodshed.formats import write_midi
from woodshed.music import Part, Song
from woodshed.recipes.judge import judge
from woodshed.recipes.latent_material import clips_of
from woodshed.recipes.material import Material
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import blank_bundle, recipe_codec, train_recipe, training_options

RECIPES = ("vae-melody-2bar", "vae-drums-2bar", "vae-trio-16bar", "vae-band-1bar")
PARTS = [Part("Lead", 80, role="lead"), Part("Bass", 33, role="bass"), Part("Kit", 0, is_drum=True, role="drums")]


def band(seed: int, bars: int = 18) -> Song:
    """A tune over a bass and drums."""
    rng = np.random.default_rng(seed)
    rows = []
    for beat in range(4 * bars):
        rows.append((0, beat * 480, 240, 60 + int(rng.choice([0, 2, 4, 5, 7, 9, 11])), 90))
        rows.append((1, beat * 480, 480, 36 + int(rng.choice([0, 5, 7])), 90))
        rows += [(2, beat * 480, 60, (36, 38)[beat % 2], 90), (2, beat * 480 + 240, 60, int(rng.choice([42, 46])), 90)]
    return Song.make(rows, PARTS, length=bars * 1920)


@pytest.mark.parametrize("name", RECIPES)
def test_two_steps_make_a_bundle_that_is_measured(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name, ["size=tiny", "training.batch=3", "latent.sampled=0.5", "latent.sampled_from=0.01"])
    material = Material([band(0), band(1)], [band(2)])
    bundle = train_recipe(recipe, material, tmp_path / "b", steps=2, device="cpu").bundle
    loaded = load_bundle(tmp_path / "b")
    assert kind_of(loaded) == LATENT
    assert loaded.model.config == bundle.model.config
    assert 0 < loaded.training["held_out_nats_per_note"] < 100
    (tmp_path / "songs").mkdir()
    write_midi(band(3), tmp_path / "songs" / "song.mid")
    build_corpus(tmp_path / "songs", tmp_path / "corpus", options=BuildOptions(min_notes=1, held_out_fraction=0.0))
    verdict = judge(loaded, tmp_path / "corpus", split="all")
    assert list(verdict.likelihood.fields) == [*loaded.codec.field_sizes(), "latent"]
    assert verdict.reconstruction is not None
    assert verdict.reconstruction.given_truth.keys() == loaded.codec.field_sizes().keys()
    assert math.isfinite(verdict.likelihood.nats_per_note)
    assert verdict.as_dict()["reconstruction"]["divergence_bits"] >= 0


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_trained_is_what_the_recipe_says(name: str) -> None:
    recipe = load_recipe(name, ["latent.beta=0.7", "latent.free_bits=3"])
    options = training_options(recipe, steps=1, device="cpu")
    assert (options.latent.beta, options.latent.free_bits) == (0.7, 3.0)
    codec = recipe_codec(recipe)
    config = blank_bundle(recipe, Material([]), 0, "cpu").model.config
    assert (config.vocabulary, config.steps, config.segments) == (codec.vocabulary, codec.steps, codec.segments)
    assert config.per_part == codec.per_part
    with pytest.raises(OutOfRange, match="latent free_bits -1"):
        training_options(load_recipe(name, ["latent.free_bits=-1"]), steps=1, device="cpu")
    with pytest.raises(OutOfRange, match="model latent 0 is outside 1-4096"):
        blank_bundle(load_recipe(name, ["model.latent=0"]), Material([]), 0, "cpu")


@pytest.mark.parametrize("name", RECIPES)
def test_there_are_clips_to_learn_from(name: str) -> None:
    codec = recipe_codec(load_recipe(name))
    found = clips_of(Material([band(0)]), codec)
    assert len(found.songs) >= 3
    assert all(codec.encode(clip).shape == (len(codec.parts), codec.steps) for clip in found.songs)

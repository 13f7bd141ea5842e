"""Training a recipe: on a folder, on songs at hand, again after a stop, and with the music kept apart."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import load_bundle
from woodshed.errors import CorpusError, OutOfRange, OutputExists
from woodshed.music import Part, Song
from woodshed.recipes.judge import judge
from woodshed.recipes.material import Material, open_material
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import Listener, train_recipe

TINY = ["size=tiny", "training.batch=2", "training.evaluations=1"]


def song(seed: int) -> Song:
    pitches = np.random.default_rng(seed).integers(40, 80, 64).tolist()
    return Song.make([(0, 240 * place, 240, pitch, 90) for place, pitch in enumerate(pitches)], [Part("Lead", 30)])


def test_a_bundle_says_what_it_was_made_of(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert bundle.recipe == "band"
    assert set(bundle.style["instruments"]) == {"30", "33", "128"}
    training = bundle.training
    assert (training["songs"], training["held_out_songs"], training["steps"], training["seed"]) == (5, 1, 10, 0)
    assert training["parameters"] == sum(p.numel() for p in bundle.model.parameters())
    assert training["sampling"] == {"temperature": 0.95, "top_p": 0.97}
    assert training["held_out_nats_per_note"] > 0
    assert training["changed"][0] == "size=tiny"


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    material = Material([song(1), song(2)], [song(3)])
    recipe = load_recipe("band", TINY)
    runs = [
        train_recipe(recipe, material, tmp_path / name, steps=3, seed=seed, device="cpu")
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    a, b, c = ({name: value.numpy() for name, value in run.bundle.model.state_dict().items()} for run in runs)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not all(np.array_equal(a[name], c[name]) for name in a)


def test_a_bundle_without_its_run_is_not_replaced_by_resuming(tmp_path: Path) -> None:
    material, recipe, out = Material([song(1)]), load_recipe("band", TINY), tmp_path / "copied"
    train_recipe(recipe, material, out, steps=1, device="cpu")
    shutil.rmtree(out / "training")
    before = (out / "model.safetensors").read_bytes()
    with pytest.raises(OutputExists, match=r"copied.*no run to go on with.*--force"):
        train_recipe(recipe, material, out, steps=2, device="cpu", resume=True)
    assert (out / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("change", ["model.width=1000000", "model.layers=0", "model.head_width=0", "model.dropout=2.0"])
def test_settings_that_no_model_can_have_are_refused(tmp_path: Path, change: str) -> None:
    with pytest.raises(OutOfRange, match="model"):
        train_recipe(load_recipe("band", [*TINY, change]), Material([song(1)]), tmp_path / "out", steps=1, device="cpu")


def test_a_resumed_run_has_the_very_same_split(music_folder: Path, tmp_path: Path) -> None:
    first = open_material(music_folder, tmp_path, seed=1)
    again = open_material(music_folder, tmp_path, seed=99, reuse=True)
    assert [song.title for song in first.held_out] == [song.title for song in again.held_out]
    assert len(first.songs) == 5


def test_what_a_killed_run_had_read_so_far_goes(music_folder: Path, tmp_path: Path) -> None:
    left = tmp_path / ".corpus.abc"
    left.mkdir()
    (left / "spool").write_bytes(b"half")
    open_material(music_folder, tmp_path)
    assert not left.exists()


def test_songs_that_are_held_out_by_name_are_not_learned_from(music_folder: Path, tmp_path: Path) -> None:
    material = open_material(music_folder, tmp_path, held_out=music_folder / "song-2.mid")
    assert [song.title for song in material.held_out] == ["Song 2"]
    assert "Song 2" not in {song.title for song in material.songs}
    assert len(material.songs) == 5


def test_holding_out_everything_is_refused_and_leaves_no_output(music_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no song is left to learn from"):
        train_recipe(load_recipe("band", TINY), music_folder, tmp_path / "B", steps=1, held_out=music_folder)


def test_a_run_that_could_not_begin_leaves_nothing_in_the_way_of_the_next(music_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "solo"
    with pytest.raises(CorpusError, match="banjo"):
        train_recipe(load_recipe("shred", ["size=tiny", "codec.part=banjo"]), music_folder, out, steps=1)
    assert not out.exists()
    keep = out / "training" / "corpus"
    train_recipe(load_recipe("shred", ["size=tiny", "model.window=8"]), music_folder, out, steps=1, device="cpu")
    assert keep.is_dir()
    with pytest.raises(CorpusError, match="banjo"):
        train_recipe(load_recipe("shred", ["size=tiny", "codec.part=banjo"]), music_folder, out, steps=1, force=True)
    assert load_bundle(out).recipe == "shred"


def test_a_sample_every_minus_one_minutes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutOfRange, match="give a number above 0"):
        train_recipe(load_recipe("band", TINY), Material([song(1)]), tmp_path / "B", steps=1, sample_every=0)
    assert not (tmp_path / "B").exists()


def test_an_existing_bundle_is_not_replaced(tiny_bundle: Path) -> None:
    with pytest.raises(OutputExists, match="--resume to train on"):
        train_recipe(load_recipe("band", TINY), Material([song(1)]), tiny_bundle, steps=1)


def test_the_listener_hears_of_steps_corpus_and_warnings(music_folder: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    listener = Listener(
        on_event=lambda event: heard.append(event.kind),
        on_corpus=lambda stage, done, total: heard.append(stage),
        on_warning=lambda line: heard.append("warning"),
    )
    recipe = load_recipe("band", TINY)
    train_recipe(recipe, music_folder / "song-0.mid", tmp_path / "B", steps=2, device="cpu", listener=listener)
    assert {"read", "write", "warning", "step", "evaluation", "end"} <= set(heard)


@pytest.mark.parametrize("changed", [7, ["nothing.like=this"], [["model.window"]], None])
def test_a_bundle_that_misstates_its_recipe_is_still_judged(
    changed: object, tiny_bundle: Path, music_folder: Path
) -> None:
    bundle = load_bundle(tiny_bundle)
    odd = replace(bundle, training={**bundle.training, "changed": changed})
    assert judge(odd, music_folder, split="all").likelihood.notes > 0

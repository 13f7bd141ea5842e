"""What would be learned is shown with real numbers, for every recipe; and one named part can be learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from woodshed.errors import CorpusError, UnknownName, UsageError
from woodshed.formats import write_midi
from woodshed.models import build_model
from woodshed.models.summary import layers_of
from woodshed.music import Part, Song
from woodshed.recipes.explain import Explanation, explain_recipe
from woodshed.recipes.material import Material
from woodshed.recipes.part_option import part_change
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import train_recipe


def band(seed: int, lead: Part | None = None, bars: int = 16) -> Song:
    """Eighths on a lead over piano chords and drums."""
    chance = np.random.default_rng(seed)
    rows = [(0, 480 * beat, 120, 36, 100) for beat in range(4 * bars)]
    rows += [(1, 1920 * bar, 1920, pitch, 80) for bar in range(bars) for pitch in (48, 52, 55)]
    rows += [(2, 240 * n, 240, int(chance.choice([52, 55, 57, 60, 62, 64, 67])), 90) for n in range(8 * bars)]
    parts = [Part("Drums", 0, True), Part("Piano", 0), lead or Part("Lead", 30)]
    return Song.make(rows, parts, meters=[(0, 4, 4)], title=f"Band {seed}")


MUSIC = Material([band(seed) for seed in range(4)], [band(9)])


def explain(name: str, *changes: str, material: Material = MUSIC) -> Explanation:
    return explain_recipe(load_recipe(name, ["size=tiny", *changes] if name != "markov" else changes), material)


def test_shred_shows_its_tensors_in_letters_and_in_numbers() -> None:
    told = explain_recipe(load_recipe("shred", ["size=paper", 'codec.part="lead"']), MUSIC)
    size = told.vocabulary["event"]
    assert size == 7
    assert told.tensors == (
        "(n - 50, 50, 1) -> (n - 50, V) for each part of n events",
        f"Band 0: n = 128, V = 7: (78, 50, 1) -> (78, {size})",
        f"all 4 parts of more than 50 events: (312, 50, 1) -> (312, {size})",
    )
    assert (told.windows, told.events, told.songs, told.held_out_songs) == (312, 512, 4, 1)
    assert told.batch == {"windows": [32, 50, 1], "targets": [32]}
    shapes = [(row["kind"], row["shape"]) for row in told.layers]
    assert shapes == [
        ("LSTM", [50, 128]), ("Dropout", [50, 128]), ("LSTM", [50, 128]), ("Flatten", [6400]), ("Linear", [256]),
        ("Dropout", [256]), ("Linear", [7]),
    ]  # fmt: skip
    assert told.loss.startswith("categorical cross-entropy")
    assert told.optimiser.startswith("Adam, learning rate 0.001, falling along a cosine; batch 32")
    assert "size paper" in told.lines()[0]


def test_pitch_step_duration_has_the_parameters_that_its_source_counts() -> None:
    told = explain_recipe(load_recipe("pitch-step-duration"), MUSIC)
    assert told.parameters == 84_354
    assert [row["parameters"] for row in told.layers] == [67_584, 16_512, 129, 129]
    assert told.tensors[0] == "(n - 25, 25, 3) -> (n - 25, 3) for each part of n events"
    assert told.loss.startswith("0.05 x cross-entropy of the pitch from logits + 1 x step + 1 x duration")


def test_deeprock_counts_why_songs_are_left_out_and_which_windows_are_learned() -> None:
    others = [
        band(5, Part("Strings", 48)), band(6, Part("Guitar", 25)), band(7, Part("Guitar bass", 33)),
        band(8, Part("Acoustic guitar", 0)), band(10, Part("My gtr", 81)),
    ]  # fmt: skip
    told = explain("deeprock", "training.unique_factor=3", material=Material([*MUSIC.songs, *others]))
    assert told.songs == 5
    assert told.warnings == (
        "5 parts of 9 songs are learned, none held out ('electric guitar' by program 4, by name 1); songs left out: "
        "1 no part for 'electric guitar' (none by program or name), "
        "1 no part for 'electric guitar' (acoustic by program), "
        "1 no part for 'electric guitar' (guitar by name and bass by program), "
        "1 no part for 'electric guitar' (bass or acoustic by name)",
    )
    assert told.windows is not None
    assert told.windows < 5 * (128 - 8)
    assert told.tensors[-1].endswith("of these windows have more than 3 different events: learned")


@pytest.mark.parametrize(
    "name",
    ["band", "basic-rnn", "lookback-rnn", "attention-rnn", "mono-rnn", "shred", "deeprock", "pitch-step-duration"],
)
def test_every_layer_is_listed_and_the_parameters_add_up(name: str) -> None:
    few = ["training.unique_factor=3"] if name == "deeprock" else []
    told = explain(name, *few)
    assert sum(row["parameters"] for row in told.layers) == told.parameters > 0
    assert told.batch
    assert told.loss
    assert json.loads(json.dumps(told.as_dict()))["recipe"] == name
    text = "\n".join(told.lines())
    assert f"{told.parameters:,} parameters" in text
    assert all(len(line.split()) > 1 for line in told.lines())


def test_a_chain_says_that_it_is_counted() -> None:
    told = explain("markov")
    assert (told.parameters, told.batch, told.training) == (0, {}, "one pass")
    assert told.loss.startswith("none: what follows each run of 0 to ")


def test_like_layers_share_a_row_and_shared_weights_count_once() -> None:
    model = build_model(load_config("note-model"))
    rows = layers_of(model, lambda: None)
    assert sum(row.parameters for row in rows) == sum(weight.numel() for weight in model.parameters())
    assert any(row.times > 1 and ".*" in row.name for row in rows)
    assert all(row.shape == () for row in rows)


def load_config(name: str) -> dict[str, object]:
    return {"name": name, "width": 16, "layers": 3, "head_width": 8, "dropout": 0.0}


def test_nothing_is_written_and_nothing_trained(tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for seed in range(3):
        write_midi(band(seed), music / f"{seed}.mid")
    before = sorted(tmp_path.rglob("*"))
    told = explain_recipe(load_recipe("shred", ["size=tiny"]), music)
    assert told.songs >= 1
    assert sorted(tmp_path.rglob("*")) == before


def test_one_named_part_is_learned_and_files_without_it_are_counted(tmp_path: Path) -> None:
    recipe = load_recipe("shred", ["size=tiny", "training.evaluations=1"])
    chosen = load_recipe("shred", [*recipe.changed, part_change(recipe, "guitar")])
    songs = [*MUSIC.songs, band(20, Part("Sax", 65))]
    bundle = train_recipe(chosen, Material(songs), tmp_path / "B", steps=1, device="cpu").bundle
    assert bundle.codec.part == "guitar"
    assert bundle.training["songs"] == 4
    with pytest.raises(
        CorpusError, match=r"\(5 no part for 'tuba'\); name another with --part, or.*there is Acou.*drums \(5\)"
    ):
        explain("shred", part_change(recipe, "tuba"), material=Material(songs))
    assert explain("shred", part_change(recipe, "30"), material=Material(songs)).songs == 4


@pytest.mark.parametrize("part", ["", " ", 'a"b', "a\\b", "a\nb"])
def test_a_part_without_a_name_is_refused(part: str) -> None:
    with pytest.raises(UnknownName, match="names no part; try --part guitar"):
        part_change(load_recipe("shred"), part)


def test_recipes_that_learn_no_one_part_are_named_with_those_that_do() -> None:
    with pytest.raises(UsageError, match=r"recipe band does not learn one part.*deeprock, pitch-step-duration, shred"):
        part_change(load_recipe("band"), "guitar")
    with pytest.raises(UsageError, match="say the same; give one of them"):
        part_change(load_recipe("shred", ["codec.part=lead"]), "guitar")

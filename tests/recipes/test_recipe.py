"""Recipes are data: they load, are checked key by key, and can be changed from outside."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from woodshed.codecs import build_codec
from woodshed.corpus import BuildOptions
from woodshed.errors import OutOfRange, UnknownName
from woodshed.generation.filters import Sampling
from woodshed.models.chord_melody import ChordMelodyConfig
from woodshed.models.event_rnn import EventRNNConfig
from woodshed.models.markov import MarkovConfig
from woodshed.models.music_vae import MusicVAEConfig
from woodshed.models.note_sizes import NoteModelConfig
from woodshed.models.piano_roll import PianoRollConfig
from woodshed.models.pitch_step_duration import PitchStepDurationConfig
from woodshed.models.window_rnn import DeepRockConfig, ShredConfig
from woodshed.music.melodies import MelodyOptions
from woodshed.recipes.material import Material
from woodshed.recipes.recipe import CODECS, MODELS, SECTIONS, load_recipe, parse_recipe, recipe_names
from woodshed.recipes.runs import blank_bundle, recipe_codec, training_options
from woodshed.training.examples import Augmentation
from woodshed.training.latent_lessons import LatentOptions
from woodshed.training.loop import TrainingOptions

BECOMES = {
    "corpus": BuildOptions,
    "material": MelodyOptions,
    "training": TrainingOptions,
    "augmentation": Augmentation,
    "latent": LatentOptions,
    "sampling": Sampling,
}
SMALL = """
title = "t"
size = "one"
[model.one]
width = 8
[training]
batch = 2
"""


SIZES = {
    "shred": ShredConfig, "deeprock": DeepRockConfig, "pitch-step-duration": PitchStepDurationConfig,
    "chord-melody": ChordMelodyConfig, "piano-roll": PianoRollConfig,
    "music-vae": MusicVAEConfig,
    "note-model": NoteModelConfig, "event-rnn": EventRNNConfig, "markov": MarkovConfig,
}  # fmt: skip
TABLES = [
    *((BECOMES[section], keys) for section, keys in SECTIONS.items()),
    *((SIZES[name], keys) for name, keys in MODELS.items()),
    *((type(build_codec(name, {})), keys) for name, keys in CODECS.items()),
]


@pytest.mark.parametrize(("becomes", "keys"), TABLES)
def test_every_key_is_a_field_of_what_its_section_becomes(becomes: Any, keys: dict[str, type]) -> None:
    types = {field.name: str(field.type) for field in fields(becomes)} if is_dataclass(becomes) else {}
    for key, kind in keys.items():
        assert key == "kind" or kind.__name__ in types[key] or (kind is str and "Literal" in types[key]), key


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_whole(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.title
    assert recipe.source
    assert recipe.differs
    BuildOptions(**recipe.corpus)
    Sampling(**recipe.sampling)
    for size in recipe.sizes:
        changed = load_recipe(name, [f"size={size}"])
        blank = blank_bundle(changed, Material([]), 0, "cpu")
        assert blank.config["model"]["name"] == changed.model_name
        assert blank.codec == recipe_codec(changed)
    assert training_options(recipe, device="cpu").minutes == recipe.training["minutes"]


def test_a_name_that_is_not_known_gets_close_ones() -> None:
    with pytest.raises(UnknownName, match="'bnad'; did you mean band"):
        load_recipe("bnad")


def test_settings_change_what_they_name_and_are_remembered() -> None:
    changes = ["training.learning_rate=0.001", "model.width = 192", "corpus.near_duplicates=false", "size=tiny"]
    recipe, plain = load_recipe("band", changes), load_recipe("band")
    assert recipe.training["learning_rate"] == 0.001
    assert recipe.model["width"] == 192
    assert recipe.model["layers"] == 1
    assert recipe.corpus["near_duplicates"] is False
    assert recipe.changed == tuple(changes)
    assert recipe.training["batch"] == plain.training["batch"]
    assert plain.changed == ()


def test_a_whole_number_will_do_for_a_real_one() -> None:
    rate = load_recipe("band", ["training.minutes=3"]).training["minutes"]
    assert rate == 3.0
    assert isinstance(rate, float)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("model.widht=8", UnknownName, "did you mean model.width"),
        ("width=8", UnknownName, "model.width"),
        ("nothing.at.all=8", UnknownName, "no setting 'nothing.at.all'"),
        ("model.width", OutOfRange, "key=value"),
        ("model.width=wide", OutOfRange, "'wide', which is no whole number"),
        ("model.width=1.5", OutOfRange, "1.5, which is no whole number"),
        ("model.width=true", OutOfRange, "which is no whole number"),
        ("corpus.near_duplicates=1", OutOfRange, "no true or false"),
        ("size=huge", UnknownName, "there is small, tiny"),
    ],
)
def test_a_setting_that_cannot_be_is_named(change: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        load_recipe("band", [change])


def test_a_file_with_a_key_that_no_recipe_has_is_refused() -> None:
    assert parse_recipe("small", SMALL).model == {"width": 8}
    with pytest.raises(UnknownName, match="no setting 'colour'"):
        parse_recipe("small", 'colour = "red"\n' + SMALL)
    with pytest.raises(UnknownName, match=r"no setting 'training\.speed'"):
        parse_recipe("small", SMALL + "speed = 1\n")
    with pytest.raises(OutOfRange, match="small is not TOML"):
        parse_recipe("small", "size = ")

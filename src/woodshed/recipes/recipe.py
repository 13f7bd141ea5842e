"""Recipes: named systems, kept as data. A new one needs a TOML file beside this module and no Python."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from woodshed.errors import OutOfRange, UnknownName

WORDS = ("title", "source", "differs", "size")
SECTIONS: dict[str, dict[str, type]] = {
    "corpus": {"min_notes": int, "held_out_fraction": float, "near_duplicates": bool},
    "material": {
        "kind": str, "min_bars": int, "min_pitches": int, "gap_bars": int, "max_bars": int, "skip_polyphonic": bool,
    },
    "training": {
        "minutes": float, "batch": int, "length": int, "learning_rate": float, "weight_decay": float,
        "warm_up": float, "averaging": float, "precision": str, "clip": float, "evaluations": int, "patience": int,
        "checkpoint_seconds": float, "unique_factor": int,
    },
    "augmentation": {"transpose": int, "louder": int, "stretch": float, "canvases": float},
    "latent": {
        "beta": float, "beta_warm_up": float, "free_bits": float, "sampled": float, "sampled_from": float,
        "segments": int,
    },
    "sampling": {"temperature": float, "top_k": int, "top_p": float, "min_p": float, "repetition": float},
}  # fmt: skip
"""Section -> key -> type. The keys are fields of the dataclass that the section becomes; a test holds them to it."""
CODECS: dict[str, dict[str, type]] = {
    "note-step": {},
    "melody": {"low": int, "high": int, "lookback": bool, "key": bool, "transpose": bool},
    "chorale": {},
    "pitch-names": {"chords": str, "step_quarters": float, "part": str, "standardise": bool},
    "pitch-step-duration": {"part": str},
    "chord-roll": {"low": int},
    "piano-roll": {"tracks": int, "parts": str, "most_empty": float, "transpose": bool},
    "clip-melody": {"low": int, "high": int, "transpose": bool},
    "clip-drums": {},
    "clip-trio": {"low": int, "high": int, "transpose": bool},
    "clip-band": {},
}
"""The same for the section ``codec``, by the codec's name."""
MODELS: dict[str, dict[str, type]] = {
    "note-model": {"width": int, "layers": int, "head_width": int, "dropout": float},
    "shred": {"window": int, "width": int, "hidden": int, "layer_dropout": float, "dropout": float},
    "deeprock": {"window": int, "width": int, "hidden": int, "layer_dropout": float, "dropout": float},
    "pitch-step-duration": {
        "window": int, "width": int, "pitch_weight": float, "step_weight": float, "duration_weight": float,
    },
    "event-rnn": {"width": int, "layers": int, "dropout": float, "attention": int},
    "markov": {"order": int},
    "music-vae": {
        "latent": int, "encoder_width": int, "encoder_layers": int, "encoder_levels": int, "conductor_width": int,
        "decoder_width": int, "decoder_layers": int, "dropout": float, "places": int,
    },
    "chord-melody": {"width": int, "layers": int, "dropout": float, "feedback": bool},
    "piano-roll": {"width": int, "embedding": int, "layers": int, "dropout": float},
}  # fmt: skip
"""The same for the section ``model``; what follows from the codec is not asked for."""
KINDS = ("songs", "melodies", "lead-sheets", "rolls", "chorales", "parts", "clips")
"""What may be learned from: whole songs, the melodies that are found in them, these with their chords, songs as
piano rolls, chorales for four voices, the parts that a codec hears, or the clips of a few bars that one finds."""


@dataclass(frozen=True)
class Recipe:
    """A named system: which music, which model, how trained, how sampled."""

    name: str
    """What a user types."""
    title: str
    """One line for people."""
    source: str
    """Where the idea comes from."""
    differs: str
    """In what we differ from the source."""
    size: str
    """Which of ``sizes`` is used."""
    sizes: tuple[str, ...]
    """Names of the model sizes that the file holds."""
    expect: Mapping[str, Any]
    """What was measured: loss, minutes, machine; empty until it was."""
    codec_name: str
    """One of `CODECS`."""
    model_name: str
    """One of `MODELS`."""
    corpus: Mapping[str, Any]
    """Fields of `woodshed.corpus.BuildOptions`."""
    material: Mapping[str, Any]
    """What of each song is learned: ``kind``, one of `KINDS`, and for melodies fields of `MelodyOptions`."""
    codec: Mapping[str, Any]
    """Options of the codec."""
    model: Mapping[str, Any]
    """Sizes of the model, of the chosen size."""
    training: Mapping[str, Any]
    """Fields of `woodshed.training.loop.TrainingOptions`."""
    augmentation: Mapping[str, Any]
    """Fields of `woodshed.training.examples.Augmentation`."""
    latent: Mapping[str, Any]
    """Fields of `woodshed.training.latent_lessons.LatentOptions`, of recipes with a latent space."""
    sampling: Mapping[str, Any]
    """Fields of `woodshed.generation.filters.Sampling`: what `generate` does unless it is told otherwise."""
    changed: tuple[str, ...] = ()
    """The settings, ``key=value``, in which this differs from the file."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in vars(self).items()}


def recipe_names() -> list[str]:
    """The names of all recipes."""
    found = (path.name for path in files(__package__).iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def load_recipe(name: str, changes: Iterable[str] = ()) -> Recipe:
    """The recipe called ``name``, with ``changes`` such as ``"training.learning_rate=0.001"`` or ``"size=tiny"``.

    Raises:
        UnknownName: no such recipe, or no such setting; with the closest names.
        OutOfRange: a value that the setting cannot have.
    """
    names = recipe_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, 3) or names
        raise UnknownName(f"no recipe is called {name!r}; did you mean {', '.join(near)}? `woodshed recipes` lists all")
    text = (files(__package__) / f"{name}.toml").read_text(encoding="utf-8")
    return parse_recipe(name, text, changes)


def parse_recipe(name: str, text: str, changes: Iterable[str] = ()) -> Recipe:
    """A recipe from the text of its file.

    Raises:
        UnknownName: a key that no recipe has.
        OutOfRange: a value of the wrong kind, or text that is not TOML.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OutOfRange(f"recipe {name} is not TOML: {error}") from None
    changes = tuple(changes)
    pairs = [_parse_change(change) for change in changes]
    words = {word: table.pop(word, "") for word in WORDS}
    words |= {key: value for key, value in pairs if key in WORDS}
    models = table.pop("model", {})
    model_name, codec = models.pop("name", "note-model"), table.pop("codec", {})
    codec_name = codec.pop("name", "note-step")
    for what, chosen, known in (("model", model_name, MODELS), ("codec", codec_name, CODECS)):
        if chosen not in known:
            raise UnknownName(f"recipe {name}: {what} {chosen!r} is not one of {', '.join(known)}")
    keys = {**SECTIONS, "codec": CODECS[codec_name], "model": MODELS[model_name]}
    size = words.pop("size")
    if size not in models:
        raise UnknownName(f"recipe {name} has no model size {size!r}; there is {', '.join(models)}")
    sections = {section: dict(table.pop(section, {})) for section in SECTIONS}
    sections |= {"codec": dict(codec), "model": dict(models[size])}
    expect = table.pop("expect", {})
    if table:
        raise _unknown(name, next(iter(table)), [*WORDS, "expect", *keys])
    for key, value in pairs:
        if key not in WORDS:
            section, _, field = key.partition(".")
            if section not in sections:
                raise _unknown(name, key, _all_keys(keys))
            sections[section][field] = value
    checked: dict[str, Any] = {section: _check(name, section, values, keys) for section, values in sections.items()}
    if (kind := checked["material"].setdefault("kind", KINDS[0])) not in KINDS:
        raise UnknownName(f"recipe {name}: material.kind {kind!r} is not one of {', '.join(KINDS)}")
    return Recipe(
        name=name, size=size, sizes=tuple(models), expect=expect, changed=changes, codec_name=codec_name,
        model_name=model_name, **words, **checked,
    )  # fmt: skip


def _parse_change(change: str) -> tuple[str, Any]:
    """``"model.width=192"`` -> ``("model.width", 192)``; what is no TOML value is text."""
    key, equals, text = change.partition("=")
    if not equals:
        raise OutOfRange(f"setting {change!r} is not of the form key=value; try training.learning_rate=0.001")
    try:
        return key.strip(), tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), text.strip()


def _check(recipe: str, section: str, values: dict[str, Any], keys: Mapping[str, Mapping[str, type]]) -> dict[str, Any]:
    """The values, each of its key's type."""
    checked: dict[str, Any] = {}
    for key, value in values.items():
        kind = keys[section].get(key)
        if kind is None:
            raise _unknown(recipe, f"{section}.{key}", _all_keys(keys))
        whole_for_real = kind is float and type(value) is int
        if type(value) is not kind and not whole_for_real:
            raise OutOfRange(f"recipe {recipe}: {section}.{key} is {value!r}, which is no {_KINDS[kind]}")
        checked[key] = kind(value)
    return checked


_KINDS: dict[type, str] = {int: "whole number", float: "number", bool: "true or false", str: "text"}


def _all_keys(keys: Mapping[str, Mapping[str, type]]) -> list[str]:
    return ["size", *(f"{section}.{key}" for section, known in keys.items() for key in known)]


def _unknown(recipe: str, key: str, known: list[str]) -> UnknownName:
    near = difflib.get_close_matches(key, known, 3, 0.4) or known
    return UnknownName(f"recipe {recipe} has no setting {key!r}; did you mean {', '.join(near)}?")

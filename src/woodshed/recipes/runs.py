"""Run a recipe: songs in, a trained bundle out."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from woodshed.bundle import ROLLS, Bundle, kind_of, load_bundle, save_bundle
from woodshed.bundle.bundle import CONFIG_FILE, MODEL_FILE
from woodshed.bundle.heritage import heritage
from woodshed.codecs import NoteStepCodec, build_codec
from woodshed.errors import BundleError, CorpusError, OutOfRange, OutputExists, UsageError, WoodshedError
from woodshed.recipes.chorale_material import chorales_of, combinations_of
from woodshed.recipes.latent_material import clips_of
from woodshed.recipes.lead_sheets import lead_sheets_of, progressions_of
from woodshed.recipes.material import Material, Progress, melodies_of, open_material, parts_of
from woodshed.recipes.recipe import Recipe
from woodshed.recipes.roll_material import line_ups_of, rolls_of
from woodshed.recipes.solos import begin_with_shares, passages_of

if TYPE_CHECKING:
    from woodshed.training.loop import Event, Outcome, TrainingOptions

WORK_FOLDER = "training"
SAMPLE_BARS = 4
GENTLER = 1 / 6
"""Of the learning rate, where a run begins from a bundle that has learned: at the full rate it would first forget."""


def _ignore(*_: Any) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Listener:
    """Who is told what, while a run is on."""

    on_event: Callable[[Event], None] = _ignore
    """Each training step, evaluation, checkpoint, and the end."""
    on_corpus: Progress = _ignore
    """While a folder of music is read: stage, done, total."""
    on_warning: Callable[[str], None] = _ignore
    """One line that the user should read."""
    on_sample: Callable[[Path], None] = _ignore
    """A sample was written there."""


def train_recipe(
    recipe: Recipe,
    source: Path | Material,
    out: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    held_out: Path | None = None,
    base: Path | None = None,
    resume: bool = False,
    force: bool = False,
    sample_every: float | None = None,
    listener: Listener | None = None,
) -> Outcome:
    """Train what ``recipe`` describes on a corpus, a folder of music or a `Material`; the bundle is at ``out``.

    It lasts ``minutes``, or ``steps`` if they are given, else as long as the recipe says. ``held_out`` names a folder
    or corpus to measure the loss on. ``base`` names a bundle to begin from, at a third of
    the recipe's learning rate. ``resume`` goes on from the newest
    checkpoint in ``out``, if there is one. ``sample_every`` so many minutes of training a sample is written to
    ``out/training/samples``.

    Raises:
        OutputExists: if ``out`` is there and neither ``resume`` nor ``force`` is set.
        CorpusError: if there is no usable music.
        OutOfRange: for settings that the model or training cannot have.
        FileError: if something cannot be read or written.
    """
    from woodshed.training.loop import train

    listener = listener or Listener()
    out = Path(out)
    check_bundle_output(out, force=force, resume=resume)
    options = training_options(recipe, minutes=minutes, steps=steps, seed=seed, device=device)
    if base is not None and not any(change.startswith("training.learning_rate") for change in recipe.changed):
        options = replace(options, learning_rate=options.learning_rate * GENTLER)
    with no_leftovers(out):
        begun = None if base is None else load_base(recipe, base)
        material = material_of(recipe, source, out, held_out, resume, seed, listener)
        blank = blank_bundle(recipe, material, seed, options.device, begun)
        on_event = listener.on_event
        if recipe.model_name == "markov":
            if sample_every is not None:
                raise UsageError("markov has learned before a sample could be written; leave out --sample-every")
            from woodshed.training.counting import count_songs

            return count_songs(blank, material.songs, material.held_out, out, on_event=on_event)
        if sample_every is not None:
            on_event = _Sampler(blank, out, sample_every, seed, listener)
        outcome = train(blank, material.songs, material.held_out, out, options, resume=resume, on_event=on_event)
        if recipe.material["kind"] == "clips":
            from woodshed.recipes.attribute_vectors import with_attributes

            return replace(outcome, bundle=with_attributes(outcome.bundle, material.songs, out))
        return _with_threshold(outcome, material, out) if kind_of(blank) == ROLLS else outcome


def _with_threshold(outcome: Outcome, material: Material, out: Path) -> Outcome:
    """With a threshold in the bundle that lets as many cells come on as in held-out songs."""
    from woodshed.training.thresholds import find_threshold

    bundle = outcome.bundle
    threshold = find_threshold(bundle, material.held_out or material.songs)
    measured = replace(bundle, training={**bundle.training, "threshold": threshold})
    save_bundle(measured, out)
    return replace(outcome, bundle=measured)


def check_bundle_output(out: Path, *, force: bool, resume: bool = False) -> None:
    """Refuse to replace anything but an empty folder or, with ``force``, a bundle or a run that has begun.

    With ``resume`` there must be a run to go on with, or nothing: a bundle that came without its run is never replaced.

    Raises:
        OutputExists: naming the remedy.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not any((out / name).exists() for name in (CONFIG_FILE, MODEL_FILE, WORK_FOLDER)):
        raise OutputExists(f"{out} is there and is no bundle, so it will not be replaced; choose another name")
    if resume and not force and not (out / WORK_FOLDER).exists():
        raise OutputExists(f"{out} holds a bundle but no run to go on with; use --force to replace it, or another name")
    if not (force or resume):
        raise OutputExists(f"{out} is there; use --resume to train on, --force to replace it, or choose another name")


def training_options(
    recipe: Recipe, *, minutes: float | None = None, steps: int | None = None, seed: int = 0, device: str = "auto"
) -> TrainingOptions:
    """The recipe's `woodshed.training.loop.TrainingOptions`, with the user's wishes."""
    from woodshed.training.examples import Augmentation
    from woodshed.training.latent_lessons import LatentOptions
    from woodshed.training.loop import TrainingOptions, pick_device

    chosen = dict(recipe.training)
    if minutes is not None or steps is not None:
        chosen["minutes"] = minutes
    device = pick_device(device).type
    chosen |= {"augmentation": Augmentation(**recipe.augmentation), "latent": LatentOptions(**recipe.latent)}
    return TrainingOptions(**chosen, steps=steps, seed=seed, device=device)


def as_learned(recipe: Recipe, material: Material, codec: Any = None) -> Material:
    """What of the material the recipe learns from: all of it, or the melodies in it; with the codec of a bundle, what
    that hears.

    Raises:
        CorpusError: if there is none, with the reasons.
    """
    kind = recipe.material["kind"]
    if kind == "songs":
        return material
    codec = codec or recipe_codec(recipe)
    finders = {"parts": parts_of, "clips": clips_of, "rolls": rolls_of, "chorales": chorales_of}
    if kind in finders:
        return finders[kind](material, codec)
    options = {key: value for key, value in recipe.material.items() if key != "kind"}
    return (lead_sheets_of if kind == "lead-sheets" else melodies_of)(material, codec, options)


def load_base(recipe: Recipe, folder: Path) -> Bundle:
    """The bundle to begin from.

    Raises:
        BundleError: if it is damaged, or of another recipe.
        UsageError: for a recipe whose model was changed: the sizes are those of the bundle; or that counts anew.
    """
    if recipe.model_name == "markov":
        raise UsageError("markov counts its music anew, so --from would change nothing; leave it out")
    base = load_bundle(folder)
    if base.recipe != recipe.name:
        raise BundleError(f"{folder} is of recipe {base.recipe}: {recipe.name} cannot begin from it; leave out --from")
    asked = [change for change in recipe.changed if change.split("=")[0].strip().startswith(("model.", "size"))]
    if asked := [change for change in asked if not change.startswith("model.dropout")]:
        raise UsageError(f"--from brings its own model: {', '.join(asked)} would change nothing; leave out one of them")
    return base


def blank_bundle(recipe: Recipe, material: Material, seed: int, device: str, base: Bundle | None = None) -> Bundle:
    """A bundle with an untrained model, or ``base``'s, and all that is known of the music it will learn from.

    Raises:
        OutOfRange: for sizes that no model can have.
    """
    import torch

    from woodshed.models import build_model
    from woodshed.training.style import describe_style

    codec = base.codec if base else _fitted(recipe_codec(recipe), material)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = build_model(_model_config(recipe, codec, base))
        except ValueError as error:
            raise OutOfRange(f"recipe {recipe.name}: {error}") from None
    if base:
        model.load_state_dict(base.model.state_dict())
    training = {
        "songs": len(material.songs),
        "called": material.called,
        "notes": material.notes,
        "held_out_songs": len(material.held_out),
        "source": material.source,
        "licences": list(material.licences),
        "date": datetime.now(UTC).date().isoformat(),
        "device": device,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seed": seed,
        "size": base.training.get("size", "") if base else recipe.size,
        "changed": list(recipe.changed),
        "sampling": dict(recipe.sampling),
    }
    if recipe.material["kind"] == "chorales":
        training["four_note_combinations"] = combinations_of(material.songs, codec)
    if recipe.material["kind"] == "parts":
        if base is None and material.songs:
            begin_with_shares(model, codec, material.songs)
        training["passages"] = passages_of(codec, material.songs, model.config.window)
    if recipe.material["kind"] == "lead-sheets":
        training["progressions"] = progressions_of(codec, material.songs)
    if recipe.material["kind"] == "rolls":
        training["line_ups"] = line_ups_of(codec, material.songs)
    if base:
        training["base"] = heritage(base)
    return Bundle(model, codec, recipe.name, describe_style(NoteStepCodec(), material.songs), training)


def recipe_codec(recipe: Recipe) -> Any:
    """The recipe's codec.

    Raises:
        OutOfRange: for options that it cannot have.
    """
    try:
        options = dict(recipe.codec)
        if options.get("step_quarters") == 0:
            options["step_quarters"] = None  # TOML has no word for nothing
        return build_codec(recipe.codec_name, options)
    except ValueError as error:
        raise OutOfRange(f"recipe {recipe.name}: {error}") from None


def _fitted(codec: Any, material: Material) -> Any:
    """A codec whose vocabulary comes from the music, with that vocabulary; others as they are."""
    return codec.fit(material.songs) if hasattr(codec, "fit") and material.songs else codec


def _model_config(recipe: Recipe, codec: Any, base: Bundle | None) -> dict[str, Any]:
    """The sizes of the recipe's model, and those that follow from the codec; or those of ``base``'s."""
    if base:
        config = {"name": base.model.name, **base.model.config.as_dict()}
        return config | {name: recipe.model[name] for name in ("dropout",) if name in config and name in recipe.model}
    config = {"name": recipe.model_name, **recipe.model}
    if recipe.model_name in ("shred", "deeprock"):
        config["vocabulary"] = max(codec.events, 1)
    if recipe.model_name == "event-rnn":
        config["inputs"] = codec.inputs
    if recipe.model_name in ("chord-melody", "piano-roll"):
        config |= {"given": codec.given, "cells": codec.cells}
    if recipe.model_name == "piano-roll":
        config["tracks"] = len(codec.names)
    if recipe.model_name == "music-vae":
        config |= {name: getattr(codec, name) for name in ("vocabulary", "steps", "segments", "per_part")}
    if recipe.model_name in ("event-rnn", "markov"):
        config["labels"] = codec.labels
    return config


def material_of(
    recipe: Recipe,
    source: Path | Material,
    out: Path,
    held_out: Path | None,
    resume: bool,
    seed: int,
    listener: Listener,
) -> Material:
    """What the recipe learns of ``source``; the listener hears what is left out, and why.

    Raises:
        CorpusError: if there is nothing to learn from.
    """
    if isinstance(source, Material):
        material = source
    else:
        material = open_material(
            source, out / WORK_FOLDER, options=recipe.corpus, seed=seed, held_out=held_out, reuse=resume,
            progress=listener.on_corpus,
        )  # fmt: skip
    material = as_learned(recipe, material)
    if not material.songs:
        raise CorpusError(f"{material.source}: no song is left to learn from; give more, or hold out fewer")
    for warning in material.warnings:
        listener.on_warning(warning)
    return material


@contextmanager
def no_leftovers(out: Path) -> Iterator[None]:
    """If the run fails before its first step, what was made for it goes again; Ctrl-C keeps the music that was read."""
    is_new = not out.exists() or not any(out.iterdir())
    try:
        yield
    except WoodshedError:
        work = out / WORK_FOLDER
        if is_new and not (out / CONFIG_FILE).exists() and not any(work.glob("*.*")):  # no log, no checkpoint
            shutil.rmtree(work, ignore_errors=True)
        raise
    finally:
        for folder in (out / WORK_FOLDER, out):
            with suppress(OSError):
                folder.rmdir()  # fails, as it should, on a folder that holds something


class _Sampler:
    """Passes events on, and now and then lets the model in training play a few bars."""

    def __init__(self, blank: Bundle, out: Path, minutes: float, seed: int, listener: Listener) -> None:
        if minutes <= 0:
            raise OutOfRange(f"a sample every {minutes:g} minutes: give a number above 0")
        self.blank, self.folder, self.seconds = blank, out / WORK_FOLDER / "samples", 60 * minutes
        self.seed, self.listener, self.written = seed, listener, 0

    def __call__(self, event: Event) -> None:
        self.listener.on_event(event)
        if event.kind == "step" and event.seconds >= (self.written + 1) * self.seconds:
            self.written = int(event.seconds / self.seconds)
            self._write(f"step-{event.step:06d}.mid")

    def _write(self, name: str) -> None:
        from woodshed.recipes.files import write_clip
        from woodshed.recipes.play import generate
        from woodshed.recipes.wish import Wish

        # A copy: the model itself must stay on its device and in training mode.
        model = copy.deepcopy(self.blank.model).cpu().eval()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            clip = generate(replace(self.blank, model=model), Wish(bars=SAMPLE_BARS), seed=self.seed, candidates=1)[0]
            write_clip(clip, self.folder / name)
        except (WoodshedError, OSError) as error:
            self.listener.on_warning(f"no sample this time: {error}")
            return
        self.listener.on_sample(self.folder / name)

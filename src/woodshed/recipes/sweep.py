"""Try one setting with several values, side by side in one picture, and keep what reads held-out songs best."""

from __future__ import annotations

import difflib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from woodshed.bundle import save_bundle
from woodshed.errors import CorpusError, OutOfRange, UnknownName, UsageError
from woodshed.recipes.material import Material, open_material
from woodshed.recipes.recipe import CODECS, MODELS, SECTIONS, Recipe, load_recipe
from woodshed.recipes.runs import WORK_FOLDER, Listener, check_bundle_output, no_leftovers, train_recipe
from woodshed.rendering.output import written_whole

if TYPE_CHECKING:
    from woodshed.training.loop import Outcome

SWEEP_FOLDER, CHART, FACTS = "sweep", "sweep.svg", "sweep.json"
MOST_VALUES = 32


@dataclass(frozen=True)
class Sweep:
    """One setting and the values to try."""

    key: str
    """Such as ``training.learning_rate``."""
    values: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, recipe: Recipe) -> Sweep:
        """``"learning_rate=0.01,0.001"`` -> Sweep; the section may be left out where only one has such a key.

        Raises:
            OutOfRange: for text of another form.
            UnknownName: for a key that no section has, with those that are like it.
            UsageError: for one that several have.
        """
        key, equals, told = text.partition("=")
        full = _full_key(key.strip(), recipe) if equals else ""
        values = tuple(value.strip() for value in told.split(",") if value.strip())
        if not equals or not 2 <= len(values) <= MOST_VALUES or len(set(values)) < len(values):
            raise OutOfRange(
                f"sweep {text!r} is not of the form key=value,value with 2 to {MOST_VALUES} different values; "
                "try learning_rate=0.01,0.001,0.0001"
            )
        return cls(full, values)


@dataclass(frozen=True)
class Tried:
    """One value and what came of it."""

    value: str
    outcome: Outcome | None
    """None if the run failed."""
    failure: str = ""
    """Why it failed."""

    @property
    def best(self) -> float:
        """Held-out nats per note; infinite if there are none."""
        best = self.outcome.progress.best if self.outcome else None
        return float("inf") if best is None else best

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the value, how it ended, and the held-out curve."""
        if self.outcome is None:
            return {"value": self.value, "reason": "failed", "failure": self.failure, "minutes": [], "held_out": []}
        points = [event for event in self.outcome.events if event.held_out_nats is not None]
        return {
            "value": self.value,
            "held_out_nats_per_note": self.outcome.progress.best,
            "steps": self.outcome.progress.step,
            "reason": self.outcome.reason,
            "minutes": [event.seconds / 60 for event in points if event.kind == "evaluation"],
            "held_out": [event.held_out_nats for event in points if event.kind == "evaluation"],
        }


def run_sweep(
    recipe: Recipe,
    sweep: Sweep,
    source: Path,
    out: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    held_out: Path | None = None,
    force: bool = False,
    listener: Listener | None = None,
    on_value: Callable[[str], None] = lambda value: None,
) -> list[Tried]:
    """Train ``recipe`` once for each value, ``minutes`` each, on the very same songs; the best bundle is at ``out``.

    ``out/training`` then holds ``sweep.svg`` (all held-out curves in one picture) and ``sweep.json``. Ctrl-C ends the
    value in hand and tries no more. A value with which nothing can be learned, such as a learning rate at which the
    loss is no number any more, is kept as failed. ``on_value`` is told of each value before it is tried.

    Raises:
        OutOfRange: if nothing can be learned with any of the values.
        OutputExists: if ``out`` is there and ``force`` is not set.
        CorpusError: if there is no usable music, or none can be held out to choose by.
    """
    out, listener = Path(out), listener or Listener()
    recipes = {value: load_recipe(recipe.name, [*recipe.changed, f"{sweep.key}={value}"]) for value in sweep.values}
    check_bundle_output(out, force=force)
    work = out / WORK_FOLDER
    with no_leftovers(out):
        material = _material(recipe, source, work, held_out, seed, listener)
        shutil.rmtree(work / SWEEP_FOLDER, ignore_errors=True)
        tried: list[Tried] = []
        for number, (value, changed) in enumerate(recipes.items(), 1):
            on_value(value)
            told = listener if number == 1 else replace(listener, on_warning=lambda line: None)
            try:
                outcome = train_recipe(
                    changed, material, work / SWEEP_FOLDER / f"{number}", minutes=minutes, steps=steps, seed=seed,
                    device=device, listener=told,
                )  # fmt: skip
                tried.append(Tried(value, outcome))
            except OutOfRange as error:
                if len(tried) == len(recipes) - 1 and not any(one.outcome for one in tried):
                    raise
                listener.on_warning(f"{sweep.key} = {value}: {error}")
                tried.append(Tried(value, None, str(error)))
            _keep(recipe, sweep, tried, out)
            if tried[-1].outcome is not None and tried[-1].outcome.reason == "interrupted":
                break
    return tried


def _keep(recipe: Recipe, sweep: Sweep, tried: list[Tried], out: Path) -> None:
    """Write the best bundle so far, the facts and the picture."""
    from woodshed.rendering.charts import draw_sweep

    best = min(tried, key=lambda one: one.best)
    if best is tried[-1] and best.outcome is not None:
        save_bundle(best.outcome.bundle, out)
    facts = [one.as_dict() for one in tried]
    with written_whole(out / WORK_FOLDER / FACTS) as temporary:
        temporary.write_text(json.dumps({"key": sweep.key, "tried": facts}, indent=1), encoding="utf-8")
    curves = {str(one["value"]): (one["minutes"], one["held_out"]) for one in facts}
    draw_sweep(curves, out / WORK_FOLDER / CHART, title=f"{recipe.name}: {sweep.key}", best=best.value)


def _material(
    recipe: Recipe, source: Path, work: Path, held_out: Path | None, seed: int, listener: Listener
) -> Material:
    material = open_material(
        source, work, options=recipe.corpus, seed=seed, held_out=held_out, progress=listener.on_corpus
    )
    if not material.held_out:
        shutil.rmtree(work / "corpus", ignore_errors=True)  # what was built for this alone
        raise CorpusError(f"{source}: no song can be held out, and a sweep chooses by held-out songs; give more music")
    return material


def _full_key(key: str, recipe: Recipe) -> str:
    """The setting with its section."""
    sections = {**SECTIONS, "codec": CODECS[recipe.codec_name], "model": MODELS[recipe.model_name]}
    settings = [(name, f"{section}.{name}") for section, names in sections.items() for name in names]
    found = [full for name, full in settings if key in (name, full)]
    if not found:
        near = difflib.get_close_matches(key, [name for names in settings for name in names], 3, 0.5)
        meant = dict.fromkeys(full for like in near for name, full in settings if like in (name, full))
        remedy = f"did you mean {', '.join(meant)}?" if meant else "name one such as training.learning_rate"
        raise UnknownName(f"sweep {key!r}: recipe {recipe.name} has no setting of that name; {remedy}")
    if len(found) > 1:
        raise UsageError(f"sweep {key!r} is several settings: {', '.join(found)}; name it with its section")
    return found[0]

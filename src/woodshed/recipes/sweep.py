"""Try one setting with several values, side by side in one picture, and keep what reads held-out songs best."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from woodshed.bundle import save_bundle
from woodshed.errors import CorpusError, OutOfRange, UsageError
from woodshed.recipes.material import Material, open_material
from woodshed.recipes.recipe import CODECS, MODELS, SECTIONS, Recipe, load_recipe
from woodshed.recipes.runs import WORK_FOLDER, Listener, check_bundle_output, train_recipe

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
            UsageError: for a key that no section has, or several.
        """
        key, equals, told = text.partition("=")
        values = tuple(value.strip() for value in told.split(",") if value.strip())
        if not equals or not 2 <= len(values) <= MOST_VALUES or len(set(values)) < len(values):
            raise OutOfRange(
                f"sweep {text!r} is not of the form key=value,value with 2 to {MOST_VALUES} different values; "
                "try learning_rate=0.01,0.001,0.0001"
            )
        return cls(_full_key(key.strip(), recipe), values)


@dataclass(frozen=True)
class Tried:
    """One value and what came of it."""

    value: str
    outcome: Outcome

    @property
    def best(self) -> float:
        """Held-out nats per note."""
        return self.outcome.progress.best if self.outcome.progress.best is not None else float("inf")

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the value, how it ended, and the held-out curve."""
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
    on_value: Callable[[str, Outcome | None], None] = lambda value, outcome: None,
) -> list[Tried]:
    """Train ``recipe`` once for each value, ``minutes`` each, on the very same songs; the best bundle is at ``out``.

    ``out/training`` then holds ``sweep.svg`` (all held-out curves in one picture) and ``sweep.json``. Ctrl-C ends the
    value in hand and tries no more. ``on_value`` is told of each value when it begins (None) and when it is done.

    Raises:
        OutputExists: if ``out`` is there and ``force`` is not set.
        CorpusError: if there is no usable music, or none can be held out to choose by.
    """
    from woodshed.rendering.charts import draw_sweep

    out, listener = Path(out), listener or Listener()
    recipes = {value: load_recipe(recipe.name, [*recipe.changed, f"{sweep.key}={value}"]) for value in sweep.values}
    check_bundle_output(out, force=force)
    work = out / WORK_FOLDER
    material = _material(recipe, source, work, held_out, seed, listener)
    tried: list[Tried] = []
    shutil.rmtree(work / SWEEP_FOLDER, ignore_errors=True)
    for number, (value, changed) in enumerate(recipes.items()):
        on_value(value, None)
        told = listener if number == 0 else replace(listener, on_warning=lambda line: None)
        outcome = train_recipe(
            changed, material, work / SWEEP_FOLDER / f"{number + 1}", minutes=minutes, steps=steps, seed=seed,
            device=device, listener=told,
        )  # fmt: skip
        tried.append(Tried(value, outcome))
        on_value(value, outcome)
        best = min(tried, key=lambda one: one.best)
        if best.value == value:
            save_bundle(best.outcome.bundle, out)
        (work / FACTS).write_text(json.dumps({"key": sweep.key, "tried": [one.as_dict() for one in tried]}, indent=1))
        curves = {one.value: (one.as_dict()["minutes"], one.as_dict()["held_out"]) for one in tried}
        draw_sweep(curves, work / CHART, title=f"{recipe.name}: {sweep.key}", best=best.value)
        if outcome.reason == "interrupted":
            break
    return tried


def _material(
    recipe: Recipe, source: Path, work: Path, held_out: Path | None, seed: int, listener: Listener
) -> Material:
    material = open_material(
        source, work, options=recipe.corpus, seed=seed, held_out=held_out, progress=listener.on_corpus
    )
    if not material.held_out:
        raise CorpusError(f"{source}: no song can be held out, and a sweep chooses by held-out songs; give more music")
    return material


def _full_key(key: str, recipe: Recipe) -> str:
    if "." in key:
        return key
    sections = {**SECTIONS, "codec": CODECS[recipe.codec_name], "model": MODELS[recipe.model_name]}
    found = [f"{section}.{key}" for section, keys in sections.items() if key in keys]
    if len(found) != 1:
        raise UsageError(
            f"sweep {key!r} is {'several settings: ' + ', '.join(found) if found else 'no setting'}; "
            "name it with its section, such as training.learning_rate"
        )
    return found[0]

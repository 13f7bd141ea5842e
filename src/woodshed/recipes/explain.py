"""What a recipe would learn from some music, and with which net: shown before anything is trained."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from woodshed.bundle import WINDOWS, Bundle, kind_of
from woodshed.music import Song
from woodshed.recipes.material import Material
from woodshed.recipes.recipe import Recipe
from woodshed.recipes.runs import Listener, blank_bundle, load_base, material_of, training_options
from woodshed.words import counted

if TYPE_CHECKING:
    from woodshed.models.summary import Layer
    from woodshed.training.loop import TrainingOptions

COLUMN = 11
"""Where the second column begins."""


@dataclass(frozen=True)
class Explanation:
    """All that `explain_recipe` found."""

    recipe: str
    size: str
    title: str
    source: str
    warnings: tuple[str, ...]
    """What is learned and what is left out, and why, with how many."""
    songs: int
    held_out_songs: int
    notes: int
    events: int | None
    """In all songs; None for a recipe that learns clips."""
    vocabulary: dict[str, int]
    """Field -> V, how many ids it has."""
    tensors: tuple[str, ...]
    """Of window nets: what goes in and what comes out, first in letters."""
    windows: int | None
    """Of window nets: how many are learned."""
    batch: dict[str, list[int]]
    """Name of each tensor in a batch -> its shape."""
    layers: tuple[dict[str, Any], ...]
    parameters: int
    loss: str
    optimiser: str
    training: str
    """How long, and when it stops."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """For people."""
        sizes = ", ".join(f"{size:,} ids of {name}" for name, size in self.vocabulary.items())
        events = "" if self.events is None else f"{self.events:,} events, "
        rows = [
            ("recipe", f"{self.recipe}, size {self.size}: {self.title}"),
            *(("music", line) for line in self.warnings),
            (
                "learned",
                f"{counted(self.songs, 'song')}, {self.held_out_songs:,} held out; {counted(self.notes, 'note')}",
            ),
            ("vocabulary", f"{events}V = {sizes}"),
            *(("tensors", line) for line in self.tensors),
            (
                "batch",
                ", ".join(f"{name} {_shape(shape)}" for name, shape in self.batch.items()) or "none: all at once",
            ),
            *(("layers", line) for line in _table(self.layers, self.parameters)),
            ("loss", self.loss),
            ("optimiser", self.optimiser),
            ("training", self.training),
        ]
        shown, last = [], ""
        for name, line in rows:
            shown.append(f"{name if name != last else '':<{COLUMN}}{line}")
            last = name
        return shown


def explain_recipe(
    recipe: Recipe,
    source: Path | Material,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    held_out: Path | None = None,
    base: Path | None = None,
    listener: Listener | None = None,
) -> Explanation:
    """What `train_recipe` would learn with the same arguments. Nothing is trained, and nothing written.

    Raises:
        CorpusError: if there is no usable music.
        OutOfRange: for settings that the model or training cannot have.
        FileError: if something cannot be read.
    """
    options = training_options(recipe, minutes=minutes, steps=steps, seed=seed, device="cpu")
    told: list[str] = []
    listener = listener or Listener()
    quiet = Listener(on_corpus=listener.on_corpus, on_warning=told.append)
    with tempfile.TemporaryDirectory() as folder:
        begun = None if base is None else load_base(recipe, base)
        material = material_of(recipe, source, Path(folder), held_out, resume=False, seed=seed, listener=quiet)
        blank = blank_bundle(recipe, material, seed, "cpu", begun)
        learned = _learning(blank, material.songs, options, seed)
    lengths = _lengths(blank.codec, material.songs)
    return Explanation(
        recipe=recipe.name, size=recipe.size, title=recipe.title, source=material.source, warnings=tuple(told),
        songs=len(material.songs), held_out_songs=len(material.held_out), notes=material.notes,
        events=None if lengths is None else sum(lengths), vocabulary=blank.codec.field_sizes(),
        tensors=_tensors(blank, material.songs, lengths, learned["windows"], options), **learned,
    )  # fmt: skip


def _learning(blank: Bundle, songs: Sequence[Song], options: TrainingOptions, seed: int) -> dict[str, Any]:
    """What the loop would do: batch, layers, loss, optimiser."""
    if blank.model.name == "markov":
        return _counting(blank)
    import numpy as np
    import torch

    from woodshed.models.summary import layers_of
    from woodshed.training.lessons import make_lessons

    lessons = make_lessons(blank, songs, options.batch, options.length, options.augmentation, options.unique_factor)
    batch = lessons.draw(np.random.default_rng(seed))
    model = blank.model.eval()
    layers = layers_of(model, lambda: lessons.loss(model, batch, torch.device("cpu")))
    about = getattr(model, "loss_words", "") or inspect.getdoc(type(lessons).loss) or ""
    targets = getattr(lessons, "targets", None)
    return {
        "windows": None if targets is None or kind_of(blank) != WINDOWS else len(targets),
        "batch": dict(_shapes_in(batch)),
        "layers": tuple(map(_row, layers)),
        "parameters": blank.training["parameters"],
        "loss": about.splitlines()[0] if about else "nats",
        "optimiser": _optimiser(options),
        "training": _duration(options),
    }


def _counting(blank: Bundle) -> dict[str, Any]:
    """A chain is counted, not trained."""
    order, labels = blank.model.config.order, blank.codec.labels
    return {
        "windows": None, "batch": {}, "parameters": 0,
        "layers": ({"name": "counts", "kind": "Markov", "shape": [labels], "parameters": 0, "times": order + 1},),
        "loss": f"none: what follows each run of 0 to {order} events is counted, and longer runs back off to shorter",
        "optimiser": f"none: of the orders 0 to {order} the one that reads held-out songs best is kept",
        "training": "one pass",
    }  # fmt: skip


def _lengths(codec: Any, songs: Sequence[Song]) -> list[int] | None:
    """Events of each song."""
    if hasattr(codec, "clips"):
        return None
    return [len(codec.encode(codec.arrange(song))) for song in songs if len(song)]


def _tensors(
    blank: Bundle, songs: Sequence[Song], lengths: list[int] | None, windows: int | None, options: TrainingOptions
) -> tuple[str, ...]:
    """Of window nets, what the net reads and what it is to say: in letters, for one part, and for all."""
    if windows is None or lengths is None:
        return ()
    codec, length = blank.codec, blank.model.config.window
    ids = getattr(codec, "events", None)
    inputs, letter, size = (3, "3", 3) if ids is None else (1, "V", ids)
    heard = [song for song in songs if len(song)]
    longest = max(range(len(lengths)), key=lengths.__getitem__)

    def shapes(count: int) -> str:
        return f"({count:,}, {length}, {inputs}) -> ({count:,}, {size:,})"

    name, most = heard[longest].title or "the longest part", lengths[longest]
    lines = [
        f"(n - {length}, {length}, {inputs}) -> (n - {length}, {letter}) for each part of n events",
        f"{name}: n = {most:,}{'' if ids is None else f', V = {ids:,}'}: {shapes(most - length)}",
    ]
    whole = sum(max(n - length, 0) for n in lengths)
    usable = sum(n > length for n in lengths)
    if usable > 1:
        lines.append(f"all {usable:,} parts of more than {length} events: {shapes(whole)}")
    if windows != whole:
        lines.append(f"{windows:,} of these windows have more than {options.unique_factor} different events: learned")
    return tuple(lines)


def _shapes_in(batch: Any, prefix: str = "") -> list[tuple[str, list[int]]]:
    """Name and shape of each array in a batch."""
    found: list[tuple[str, list[int]]] = []
    for name in [*getattr(batch, "_fields", ()), *getattr(batch, "__dataclass_fields__", ())]:
        value = getattr(batch, name)
        if getattr(value, "ndim", 0):
            found.append((prefix + name, list(value.shape)))
        elif hasattr(value, "_fields"):
            found += _shapes_in(value, f"{prefix}{name}.")
    return found


def _row(layer: Layer) -> dict[str, Any]:
    return {**layer._asdict(), "shape": list(layer.shape)}


def _table(layers: Sequence[dict[str, Any]], total: int) -> list[str]:
    """The layers in columns, and their sum."""
    rows = [
        (
            row["name"] + (f" x {row['times']}" if row["times"] > 1 else ""), row["kind"],
            _shape(row["shape"]) if row["shape"] else "-", f"{row['parameters']:,}",
        )
        for row in layers
    ]  # fmt: skip
    rows.append(("total", "", "", f"{total:,} parameters"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows]


def _shape(shape: Sequence[int]) -> str:
    return f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(map(str, shape))})"


def _optimiser(options: TrainingOptions) -> str:
    decay = f"AdamW, weight decay {options.weight_decay:g}" if options.weight_decay else "Adam"
    rise = f" after a rise over {options.warm_up:.0%} of the run" if options.warm_up else ""
    return (
        f"{decay}, learning rate {options.learning_rate:g}, falling along a cosine{rise}; batch {options.batch}; "
        f"gradients longer than {options.clip:g} cut; weights averaged ({options.averaging:g})"
        + ("; products in bfloat16 where the processor has it" if options.precision == "bfloat16" else "")
    )


def _duration(options: TrainingOptions) -> str:
    long = counted(options.steps, "step") if options.steps is not None else f"{options.minutes:g} minutes"
    return (
        f"{long}; the best of {options.evaluations} measurements on held-out songs is kept, and {options.patience} "
        "without a better one end it"
    )

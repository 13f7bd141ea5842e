"""docs/recipes: a page for each recipe, with the same eight bars as that system sees them."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from eight_bars import as_seen
from pieces import CHOSEN
from tables import figure, latent_table, nats_table, table

from music import BY_CODEC, LESSONS, OTHERS, TITLES, Lesson, lessons, material_of
from woodshed.bundle import load_bundle
from woodshed.errors import WoodshedError
from woodshed.formats import read_midi
from woodshed.recipes.material import Material
from woodshed.recipes.recipe import Recipe, load_recipe, recipe_names
from woodshed.recipes.runs import blank_bundle
from woodshed.rendering import draw_piano_roll

SHOWN = {
    "longest_repeated_note_run": "longest run of one note, notes",
    "distinct_pitches": "different pitches",
    "pitch_class_entropy": "entropy of pitch classes, bits",
    "in_key_rate": "notes in key",
    "notes_per_bar": "notes a bar",
    "empty_bar_rate": "empty bars",
    "mean_note_quarters": "mean length of a note, quarters",
    "copied": "notes in runs of 12 that stand in what was learned",
    "copied_8": "the same, runs of 8",
    "notes_again_1": "notes that also stand 1 bar before",
    "notes_again_2": "notes that also stand 2 bars before",
    "drones": "drones: under 3 pitches, a note 8 times running, or half the bars empty",
}
PERCENT = ("notes_again_1", "notes_again_2")
ROLLS = 2
"""Pieces drawn on a page: the first ones, not chosen."""
MOST_NOTES = 300
"""If two pieces have more, only one is drawn: the picture would be too large a file."""
FETCH = {"openewld": "openewld", "freedoom": "freedoom", "chorales": "js-fakes", "nottingham": "nottingham",
         "groove": "groove", "bands": "freedoom"}  # fmt: skip
WHERE = {
    "openewld": "leadsheets/openewld",
    "freedoom": "band/freedoom",
    "chorales": "chorales/js-fakes",
    "nottingham": "folk/nottingham/melody",
    "groove": "groove",
    "bands": "band",
}


def write_pages(options: argparse.Namespace, results: list[dict[str, str]], music: list[dict[str, str]]) -> None:
    """Write every page, its picture, and the index."""
    docs: Path = options.docs
    docs.mkdir(parents=True, exist_ok=True)
    names = recipe_names()
    for name in names:
        recipe = load_recipe(name)
        data = next(iter(LESSONS.get(name) or BY_CODEC.get(recipe.codec_name, OTHERS)))
        own = [row for row in results if (row["recipe"], row["data"]) == (name, data)]
        pieces = [row for row in music if (row["recipe"], row["data"], row["drawn"]) == (name, data, CHOSEN)]
        picture = draw(recipe, data, options)
        put(docs / f"{name}.md", page(recipe, data, own, pieces, picture, options.work))
    put(docs / "README.md", index(names, results))


def page(
    recipe: Recipe, data: str, own: list[dict[str, str]], pieces: list[dict[str, str]], picture: str, work: Path
) -> str:
    """All of one page."""
    parts = [
        f"# `{recipe.name}`\n\n{recipe.title}.\n",
        f"- **Source**: {recipe.source}.\n- **Differs**: {recipe.differs}.\n",
        f"## Train it and play it\n\n{commands(recipe, data)}",
        f"## Eight bars as it sees them\n\n{as_seen(recipe)}",
        f"## The model\n\n{layers(recipe, data, work)}",
        f"## What it learns\n\n{learned(own, data)}",
        f"## What it plays\n\n{played(pieces, picture)}",
        "Written by `make recipes`; protocol, machine and fine print are in "
        "[benchmarks/recipes](../../benchmarks/recipes/README.md).\n",
    ]
    return "\n".join(parts)


def commands(recipe: Recipe, data: str) -> str:
    """What to type."""
    lines = [
        f"woodshed data get {FETCH[data]}                 # into the folder that WOODSHED_DATA names",
        f'woodshed train {recipe.name} "$WOODSHED_DATA/{WHERE[data]}" -o my.shed --minutes 3',
        "woodshed generate my.shed -o new.mid --bars 8 --count 10 --picture png",
        "woodshed continue my.shed riff.mid -o more.mid --bars 8",
        'woodshed generate my.shed -o song.mid --primer-melody "[60,-2,60,-2,67,-2,67,-2]"',
    ]
    if recipe.codec_name == "chorale":
        lines[3:] = [
            "woodshed harmonise my.shed melody.mid -o four.mid           # three voices to a melody",
            "woodshed harmonise my.shed chorale.mid --voices 'soprano, -, -, -' -o other.mid   # keeps the soprano",
        ]
    if recipe.material["kind"] == "parts":
        lines[-1] = "woodshed generate my.shed -o song.mid --over backing.mid   # a solo over a backing track"
    if recipe.material["kind"] == "lead-sheets":
        lines[3:] = ['woodshed generate my.shed -o song.mid --chords "Am F C G"']
    if recipe.material["kind"] == "rolls":
        lines[3:] = []
    if recipe.material["kind"] == "clips":
        lines[3:] = [
            "woodshed interpolate my.shed one.mid other.mid --steps 9 -o path.mid",
            "woodshed vary my.shed one.mid --by 0.3 -o varied.mid",
        ]
    if recipe.codec_name == "melody":
        lines[-1] += " --steps 128"
        lines.append("woodshed generate my.shed -o wide.mid --temperature 1.1 --beam 2 --branch-factor 4")
    return "```\n" + "\n".join(lines) + "\n```\n"


def layers(recipe: Recipe, data: str, work: Path) -> str:
    """Tensors of each size side by side; of a chain, what was counted."""
    if recipe.model_name == "markov":
        return chain(recipe, work / f"{recipe.name}-{data}")
    sizes = [size for size in recipe.sizes if size != "tiny"]
    material = Material([])
    if recipe.material["kind"] == "parts":  # the vocabulary comes from the music
        with suppress(WoodshedError):
            material = material_of(Lesson(recipe, data, 0), work)
    shapes = {size: tensors(recipe.name, size, material) for size in sizes}
    names = list(dict.fromkeys(name for found in shapes.values() for name in found))
    cells = [[f"`{name}`", *(shapes[size].get(name, ("", 0))[0] for size in sizes)] for name in names]
    whole = ["**parameters**", *(f"**{sum(count for _, count in shapes[size].values()):,}**" for size in sizes)]
    settings = [f"`{key}` {' / '.join(str(load_recipe(recipe.name, [f'size={s}']).model[key]) for s in sizes)}"
                for key in recipe.model]  # fmt: skip
    heads = ["tensor", *(f"`{size}`" for size in sizes)]
    return f"{recipe.model_name}: {', '.join(settings)} ({' / '.join(sizes)}).\n\n{table(heads, [*cells, whole])}"


def tensors(name: str, size: str, material: Material) -> dict[str, tuple[str, int]]:
    """Name -> shape, and how many numbers; tensors of alike layers on one line."""
    model = blank_bundle(load_recipe(name, [f"size={size}"]), material, 0, "cpu").model
    found: dict[str, list[tuple[str, int]]] = {}
    for full, tensor in model.named_parameters():
        shape = " x ".join(map(str, tensor.shape)) or "1"
        found.setdefault(re.sub(r"\.\d+\.", ".*.", full), []).append((shape, tensor.numel()))
    rows = {}
    for short, own in found.items():
        kinds = list(dict.fromkeys(shape for shape, _ in own))
        text = ", ".join(kinds) if len(own) == len(kinds) else f"{len(own)} of {', '.join(kinds)}"
        rows[short] = (text, sum(count for _, count in own))
    return rows


def chain(recipe: Recipe, bundle: Path) -> str:
    """What a Markov chain holds."""
    if not bundle.exists():
        return "No layers: a tree of contexts and counts of what followed them.\n"
    config: Mapping[str, Any] = load_bundle(bundle).model.config.as_dict()
    return (
        f"No layers and no parameters: a tree of {config['contexts']:,} contexts of up to {config['order']} events "
        f"(the longest that helps on held-out melodies, of up to {recipe.model['order']} tried) and "
        f"{config['pairs']:,} counts of what followed them.\n"
    )


def learned(own: list[dict[str, str]], data: str) -> str:
    """The held-out figure."""
    if not own:
        return "Not measured yet: `make recipes`.\n"
    text = f"Held-out nats; lower is better.\n\n{nats_table(own, data)}"
    if own[0]["bits"]:
        text += f"\nAn upper bound. Tokens of held-out clips that come back right:\n\n{latent_table(own)}"
    return text


def played(pieces: list[dict[str, str]], picture: str) -> str:
    """Picture and figures."""
    made = next((row for row in pieces if row["source"] == "generated"), None)
    real = next((row for row in pieces if row["source"] == "real"), None)
    if made is None or real is None:
        return "Not measured yet: `make recipes`.\n"
    cells = [[words, shown(made, name), shown(real, name)] for name, words in SHOWN.items()]
    heads = [
        f"mean over pieces of {made['bars']} bars",
        f"generated ({made['pieces']})",
        f"held out ({real['pieces']})",
    ]
    return f"The first of {made['pieces']} pieces, not chosen:\n\n{picture}\n\n{table(heads, cells)}"


def shown(row: dict[str, str], name: str) -> str:
    if name in PERCENT:
        return f"{100 * float(row[name]):.0f} %" if row[name] else "–"
    return figure(row, name)


def draw(recipe: Recipe, data: str, options: argparse.Namespace) -> str:
    """The picture of the first pieces, as Markdown; nothing if there are none."""
    name = Lesson(recipe, data, 0).name
    files = [options.work / "pieces" / f"{name}-generated-{CHOSEN}" / f"{number:02d}.mid" for number in range(ROLLS)]
    if not all(file.exists() for file in files):
        return ""
    songs = [read_midi(file) for file in files]
    if sum(map(len, songs)) > MOST_NOTES:
        songs = songs[:1]
    path: Path = options.docs / f"{recipe.name}.png"
    draw_piano_roll(songs, path, titles=[f"{recipe.name}, piece {number + 1}" for number in range(len(songs))])
    return f"![Piano roll of what was generated]({path.name})"


def index(names: list[str], results: list[dict[str, str]]) -> str:
    """The list of pages."""
    found = {}
    for lesson in reversed(lessons()):
        for row in results:
            if (row["recipe"], row["data"]) == (lesson.recipe.name, lesson.data):
                found[row["recipe"]] = row
    cells = [
        [
            f"[`{name}`]({name}.md)", load_recipe(name).title,
            TITLES[found[name]["data"]].split(",")[0].split(" (")[0] if name in found else "",
            f"{float(found[name]['nats_per_note']):.2f}" if name in found else "",
        ]
        for name in names
    ]  # fmt: skip
    return (
        "# Recipes\n\nA recipe is a named system, kept as data: a codec, a model, how it is trained and how it is "
        "sampled. `woodshed recipes` lists them, `woodshed recipes NAME` shows one.\n\n"
        f"{table(['recipe', 'what it is', 'learned here', 'held-out nats per note'], cells)}\n"
        "Figures of different music cannot be compared. How they were measured, and all recipes side by side: "
        "[benchmarks/recipes](../../benchmarks/recipes/README.md).\n"
    )


def put(path: Path, text: str) -> None:
    """Write a text file whole."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)

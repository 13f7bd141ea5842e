"""woodshed recipes"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli.options import Json
from woodshed.cli.talk import Talk

if TYPE_CHECKING:
    from woodshed.recipes.recipe import Recipe

SECTION_ORDER = ("corpus", "material", "codec", "model", "training", "augmentation", "latent", "sampling")


def command(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One recipe, in full.")] = None,
    as_json: Json = False,
) -> None:
    """List the named systems, or show one of them in full."""
    from woodshed.recipes.recipe import load_recipe, recipe_names

    talk = Talk(as_json)
    if name is not None:
        recipe = load_recipe(name)
        talk.facts(recipe.as_dict())
        if not as_json:
            _show(talk, recipe)
        return
    names = recipe_names()
    for known in names:
        recipe = load_recipe(known)
        talk.facts(recipe.as_dict())
        if not as_json:
            talk.say(f"{recipe.name:{max(map(len, names))}} {recipe.title} (sizes: {', '.join(recipe.sizes)})")


def _show(talk: Talk, recipe: Recipe) -> None:
    for word in ("title", "source", "differs"):
        talk.say(f"{word:8} {getattr(recipe, word)}")
    talk.say(f"{'sizes':8} {', '.join(recipe.sizes)}; the one below is {recipe.size}")
    for section in ("expect", *SECTION_ORDER):
        values = getattr(recipe, section)
        if not values and section in ("augmentation", "latent"):
            continue  # most recipes have none
        talk.say(f"\n[{section}]" + ("" if values else "  nothing measured yet" if section == "expect" else ""))
        for key, value in values.items():
            talk.say(f"{key} = {str(value).lower() if isinstance(value, bool) else value}")

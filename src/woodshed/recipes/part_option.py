"""`--part`: which part of each song is learned, as a setting of the recipe."""

from __future__ import annotations

from woodshed.errors import UnknownName, UsageError
from woodshed.recipes.recipe import CODECS, Recipe, load_recipe, recipe_names


def part_change(recipe: Recipe, part: str) -> str:
    """The change by which a recipe learns one named part, such as ``guitar``, ``lead`` or a program number.

    Raises:
        UsageError: for a recipe that does not learn one part, or one whose part was changed already.
        UnknownName: if no part is named.
    """
    if "part" not in CODECS[recipe.codec_name]:
        able = [name for name in recipe_names() if "part" in CODECS[load_recipe(name).codec_name]]
        raise UsageError(
            f"recipe {recipe.name} does not learn one part of each song; --part is for {', '.join(able)}; leave it out"
        )
    if any(change.partition("=")[0].strip() == "codec.part" for change in recipe.changed):
        raise UsageError("--part and --set codec.part say the same; give one of them")
    if not part.strip() or any(sign in part for sign in '"\\') or not part.isprintable():
        raise UnknownName(f"part {part!r} names no part; try --part guitar, --part lead or a program number 0-127")
    return f'codec.part="{part.strip()}"'

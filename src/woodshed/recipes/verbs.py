"""Which verbs a bundle can answer, and which recipes could where it cannot."""

from __future__ import annotations

from woodshed.bundle import Bundle, capabilities_of
from woodshed.codecs.chorale import ChoraleCodec
from woodshed.errors import BundleError
from woodshed.recipes.recipe import load_recipe, recipe_names
from woodshed.words import listed


def check_verb(bundle: Bundle, verb: str) -> None:
    """Refuse a bundle of the wrong kind.

    Raises:
        BundleError: naming what the bundle can do, and recipes that would serve.
    """
    if verb in bundle.capabilities:
        return
    able = ", ".join(name for name in recipe_names() if verb in capabilities_of(load_recipe(name).codec_name))
    raise BundleError(
        f"{bundle.folder or 'the bundle'} (recipe {bundle.recipe}) cannot {verb}: it can "
        f"{listed(bundle.capabilities)}; recipes that can: {able}"
    )


def sings(bundle: Bundle) -> bool:
    """Whether a bundle writes four voices."""
    return isinstance(bundle.codec, ChoraleCodec)

"""Kinds of bundle: a guard that refuses says what the bundle is, what it can do, and what would serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from woodshed.bundle import (
    EVENTS,
    LATENT,
    NOTES,
    ROLLS,
    WINDOWS,
    Bundle,
    event_model,
    kind_of,
    latent_model,
    note_model,
    roll_model,
    window_model,
)
from woodshed.bundle.kinds import KINDS
from woodshed.errors import BundleError
from woodshed.recipes.recipe import load_recipe, recipe_names
from woodshed.recipes.runs import recipe_codec
from woodshed.words import listed

GUARDS: dict[str, Callable[[Bundle], Any]] = {
    NOTES: note_model, EVENTS: event_model, WINDOWS: window_model, LATENT: latent_model, ROLLS: roll_model,
}  # fmt: skip


def bundle_of(recipe: str) -> Bundle:
    """One with a codec alone, which is all that tells its kind."""
    return Bundle(object(), recipe_codec(load_recipe(recipe)), recipe)


def test_the_recipes_named_for_a_kind_are_of_it() -> None:
    assert {kind: {kind_of(bundle_of(name)) for name in recipes} for kind, (_, recipes) in KINDS.items()} == {
        kind: {kind} for kind in GUARDS
    }


@pytest.mark.parametrize("wanted", GUARDS)
@pytest.mark.parametrize("recipe", recipe_names())
def test_a_guard_lets_its_kind_through_and_tells_others_what_they_are(recipe: str, wanted: str) -> None:
    bundle = bundle_of(recipe)
    kind = kind_of(bundle)
    if kind == wanted:
        assert GUARDS[wanted](bundle) == (bundle.model, bundle.codec)
        return
    with pytest.raises(BundleError) as raised:
        GUARDS[wanted](bundle)
    said, asked = str(raised.value).split("; this needs one that ")
    is_now, (needed, recipes) = KINDS[kind][0], KINDS[wanted]
    assert said == f"the bundle (recipe {recipe}) {is_now} and can {listed(bundle.capabilities)}"
    assert asked == f"{needed}, such as {' or '.join(recipes)}"


def test_a_guards_sentence_in_full() -> None:
    with pytest.raises(BundleError) as raised:
        note_model(replace(bundle_of("shred"), folder=Path("solo.shed")))
    assert str(raised.value) == (
        "solo.shed (recipe shred) plays one line through a window of its latest events and can generate, continue and "
        "solo; this needs one that plays parts, note by note, such as band"
    )

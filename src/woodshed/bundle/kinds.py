"""What kind of music a bundle plays, for verbs that can only use one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from woodshed.bundle.bundle import Bundle
from woodshed.codecs import EventCodec, NoteStepCodec
from woodshed.errors import BundleError

if TYPE_CHECKING:
    from woodshed.models.note_transformer import NoteTransformer

NOTES, EVENTS, WINDOWS = "notes", "events", "windows"
LATENT = "latent"
"""Clips of some bars, each of which is a point in a space."""
ROLLS = "rolls"


def kind_of(bundle: Bundle) -> str:
    """``"notes"``: rows of many parts, on a canvas. ``"events"``: one sequence, such as a melody. ``"windows"``: one
    sequence of which a model sees the latest few events, as in the Keras systems. ``"latent"``: clips that are
    points in a space. ``"rolls"``: rows of binary cells."""
    if isinstance(bundle.codec, NoteStepCodec):
        return NOTES
    if hasattr(bundle.codec, "clips"):
        return LATENT
    if hasattr(bundle.codec, "cells"):
        return ROLLS
    return WINDOWS if hasattr(bundle.codec, "windows") else EVENTS


def roll_model(bundle: Bundle) -> tuple[Any, Any]:
    """Its model, which has ``start`` and ``step``, and codec, which has ``rows``.

    Raises:
        BundleError: if the bundle plays otherwise.
    """
    if kind_of(bundle) != ROLLS:
        raise BundleError(f"{_named(bundle)} plays no binary rolls; this needs a bundle such as one of `chord-melody`")
    return bundle.model, bundle.codec


def note_model(bundle: Bundle) -> tuple[NoteTransformer, NoteStepCodec]:
    """Its model and codec.

    Raises:
        BundleError: if the bundle plays events.
    """
    if kind_of(bundle) != NOTES:
        raise BundleError(
            f"{_named(bundle)} plays one line of events, and this needs one that plays parts, such as `band`"
        )
    return bundle.model, bundle.codec


def event_model(bundle: Bundle) -> tuple[Any, EventCodec]:
    """Its model, which has ``start``, ``step`` and ``select``, and codec.

    Raises:
        BundleError: if the bundle plays parts.
    """
    if kind_of(bundle) != EVENTS:
        raise BundleError(f"{_named(bundle)} plays parts, and this needs one that plays events, such as `lookback-rnn`")
    return bundle.model, bundle.codec


def window_model(bundle: Bundle) -> tuple[Any, Any]:
    """Its model, which has ``read`` and ``slide``, and codec.

    Raises:
        BundleError: if the bundle plays otherwise.
    """
    if kind_of(bundle) != WINDOWS:
        raise BundleError(f"{_named(bundle)} has no window; this needs a bundle that has, such as one of `shred`")
    return bundle.model, bundle.codec


def latent_model(bundle: Bundle) -> tuple[Any, Any]:
    """Its model, which has ``encode``, ``nats`` and ``sample``, and codec.

    Raises:
        BundleError: if the bundle has no latent space.
    """
    if kind_of(bundle) != LATENT:
        raise BundleError(
            f"{_named(bundle)} has no latent space, and this needs one that has, such as `vae-melody-2bar`"
        )
    return bundle.model, bundle.codec


def _named(bundle: Bundle) -> str:
    return f"{bundle.folder or 'the bundle'} (recipe {bundle.recipe})"

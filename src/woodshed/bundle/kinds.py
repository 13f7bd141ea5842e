"""What kind of music a bundle plays, for verbs that can only use one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from woodshed.bundle.bundle import Bundle
from woodshed.bundle.stored import StoredModel
from woodshed.codecs import EventCodec, NoteStepCodec
from woodshed.errors import BundleError
from woodshed.words import listed

if TYPE_CHECKING:
    from woodshed.models.note_model import NoteModel

NOTES, EVENTS, WINDOWS, LATENT, ROLLS = "notes", "events", "windows", "latent", "rolls"
KINDS = {
    NOTES: ("plays parts, note by note", ("band",)),
    EVENTS: ("plays one sequence of events", ("lookback-rnn", "markov", "chorale")),
    WINDOWS: ("plays one line through a window of its latest events", ("shred", "deeprock", "pitch-step-duration")),
    LATENT: ("has a latent space of clips", ("vae-melody-2bar", "vae-trio-16bar")),
    ROLLS: ("plays binary rolls", ("chord-melody", "pianoroll")),
}
"""Kind -> what a bundle of it does, and recipes that train one."""


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


def note_model(bundle: Bundle) -> tuple[NoteModel, NoteStepCodec]:
    """The model and codec of a bundle of notes; like all of these, raises `BundleError` if it is of another kind."""
    model, codec = _only(NOTES, bundle)
    return (model.module if isinstance(model, StoredModel) else model), codec


def note_weights(bundle: Bundle) -> dict[str, NDArray[Any]]:
    """The tensors of a bundle of notes, by name, as numpy arrays: of one from disk without torch."""
    model, _ = _only(NOTES, bundle)
    if isinstance(model, StoredModel):
        return dict(model.tensors)
    return {name: tensor.detach().cpu().float().numpy() for name, tensor in model.state_dict().items()}


def note_codec(bundle: Bundle) -> NoteStepCodec:
    """The codec of a bundle of notes."""
    codec: NoteStepCodec
    _, codec = _only(NOTES, bundle)
    return codec


def event_model(bundle: Bundle) -> tuple[Any, EventCodec]:
    """Its model, which has ``start``, ``step`` and ``select``, and codec."""
    return _only(EVENTS, bundle)


def window_model(bundle: Bundle) -> tuple[Any, Any]:
    """Its model, which has ``read`` and ``slide``, and codec."""
    return _only(WINDOWS, bundle)


def latent_model(bundle: Bundle) -> tuple[Any, Any]:
    """Its model, which has ``encode``, ``nats`` and ``sample``, and codec."""
    return _only(LATENT, bundle)


def roll_model(bundle: Bundle) -> tuple[Any, Any]:
    """Its model, which has ``start`` and ``step``, and codec, which has ``rows``."""
    return _only(ROLLS, bundle)


def _only(kind: str, bundle: Bundle) -> tuple[Any, Any]:
    """The model and codec of a bundle of this kind.

    Raises:
        BundleError: saying what the bundle is and can do, and which recipes would serve.
    """
    found = kind_of(bundle)
    if found != kind:
        (is_now, _), (needed, recipes) = KINDS[found], KINDS[kind]
        raise BundleError(
            f"{bundle.folder or 'the bundle'} (recipe {bundle.recipe}) {is_now} and can "
            f"{listed(bundle.capabilities)}; this needs one that {needed}, such as {' or '.join(recipes)}"
        )
    return bundle.model, bundle.codec

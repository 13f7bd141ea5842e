"""Directions in a latent space along which clips become denser, higher or more syncopated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, save_bundle
from woodshed.bundle.kinds import latent_model
from woodshed.errors import BundleError, UnknownName
from woodshed.generation.latent import encode_clips, latent_size
from woodshed.music import Song
from woodshed.music.attributes import ATTRIBUTES

MOST_CLIPS = 4096
"""Of more clips so many are looked at, evenly spread."""
FEWEST_CLIPS = 16
DIGITS = 5


def with_attributes(bundle: Bundle, songs: Sequence[Song], folder: Path) -> Bundle:
    """The bundle with the vector of each attribute in which these clips differ; written to its folder."""
    known = replace(bundle, training={**bundle.training, "attributes": attribute_vectors(bundle, songs)})
    save_bundle(known, folder)
    return known


def attribute_vectors(bundle: Bundle, songs: Sequence[Song]) -> dict[str, dict[str, Any]]:
    """Name -> the mean and the spread of an attribute in these clips, and the vector (Z,) that adds one spread to it.

    The vector leads from the mean point of the quarter of the clips that has least of it to that of the quarter that
    has most, as in Roberts et al. (2018), and is as long as one standard deviation of the attribute.
    """
    _, codec = latent_model(bundle)
    songs = [songs[number] for number in _spread(len(songs), MOST_CLIPS)]
    if len(songs) < FEWEST_CLIPS:
        return {}
    points = encode_clips(bundle, np.stack([codec.encode(song) for song in songs]))
    found = {}
    for name, measure in ATTRIBUTES.items():
        values = np.array([measure(song) for song in songs])
        vector = _vector(points, values)
        if vector is not None:
            found[name] = {
                "mean": round(float(values.mean()), DIGITS),
                "spread": round(float(values.std()), DIGITS),
                "vector": [round(float(number), DIGITS) for number in vector],
            }
    return found


def attribute_shift(bundle: Bundle, asked: Mapping[str, float]) -> NDArray[np.float64]:
    """(Z,) what to add to a point, for so many standard deviations more of each attribute.

    Raises:
        UnknownName: for an attribute that the bundle has no vector for.
        BundleError: if it has none at all, or a damaged one.
    """
    shift = np.zeros(latent_size(bundle))
    known = bundle.training.get("attributes", {})
    for name, amount in asked.items():
        if not known:
            raise BundleError(f"{bundle.folder or bundle.recipe} holds no attributes; train it again on more clips")
        if name not in known:
            raise UnknownName(
                f"this bundle knows nothing of {name!r}: its clips are alike there; it has {', '.join(known)}"
            )
        shift += amount * _checked(bundle, name, known[name])
    return shift


def _checked(bundle: Bundle, name: str, facts: Any) -> NDArray[np.float64]:
    """A vector of somebody's bundle."""
    try:
        vector = np.array(facts["vector"], np.float64)
    except (KeyError, TypeError, ValueError):
        vector = np.empty(0)
    if vector.shape != (latent_size(bundle),) or not np.isfinite(vector).all():
        raise BundleError(
            f"{bundle.folder or bundle.recipe}: its attribute {name!r} is damaged; train the bundle again"
        )
    return vector


def _vector(points: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """None if the values (N,) are not known, or do not differ."""
    if not np.isfinite(values).all() or values.std() < 1e-9:
        return None
    order, quarter = np.argsort(values, kind="stable"), max(len(values) // 4, 1)
    least, most = order[:quarter], order[-quarter:]
    gained = (values[most].mean() - values[least].mean()) / values.std()
    vector: NDArray[np.float64] = (points[most].mean(0) - points[least].mean(0)) / gained
    return vector


def _spread(count: int, most: int) -> list[int]:
    places: list[int] = np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).round().astype(int)).tolist()
    return places

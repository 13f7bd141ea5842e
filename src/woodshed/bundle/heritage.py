"""Where a bundle's weights come from: what it began from, and what several bundles have in common.

Fine-tunes of one bundle lie in one basin of the loss, nets that began apart in different ones: so whether their weights
may be averaged is a question of their record, which this file writes and reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle.bundle import Bundle
from woodshed.bundle.stored import StoredModel, kept

LEARNED = ("songs", "called", "notes", "source", "licences", "base", "blend")
"""What of a training record is handed down."""
MOST_GENERATIONS = 8


def heritage(bundle: Bundle) -> dict[str, Any]:
    """What stays true of whatever begins from ``bundle``: whose notes are in it, by which licences; as JSON.

    ``weights`` is its `fingerprint`.
    """
    learned = {name: bundle.training.get(name) for name in LEARNED}
    known = {name: value for name, value in learned.items() if value is not None}
    return {"bundle": bundle.name, "weights": fingerprint(bundle), **known}


def fingerprint(bundle: Bundle) -> str:
    """16 hexadecimal digits that two bundles share if, and only if, their weights are the same numbers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(_tensors(bundle).items()):
        digest.update(f"{name} {tensor.shape}".encode())
        digest.update(tensor.tobytes())
    return digest.hexdigest()[:16]


def common_base(records: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The nearest bundle from which all of these began, each told by its `heritage`; one of them may be that itself.

    None if there is none, or if the records do not say.
    """
    first, *others = map(lineage, records)
    for ancestor in first:
        if all(any(_is_same(ancestor, one) for one in line) for line in others):
            return ancestor
    return None


def lineage(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A bundle and what it began from, nearest first, each as its `heritage`."""
    line = [dict(record)]
    while isinstance(base := line[-1].get("base"), dict) and len(line) <= MOST_GENERATIONS:
        line.append(base)
    return line


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two records are of one bundle: by its weights, or in records older than those by what it learned."""
    if "weights" in one and "weights" in other:
        return bool(one["weights"] == other["weights"])
    names = ("songs", "notes", "source", "licences")
    return one.get("notes") is not None and all(one.get(name) == other.get(name) for name in names)


def _tensors(bundle: Bundle) -> dict[str, NDArray[Any]]:
    """The weights by name, as they would be on disk."""
    if isinstance(bundle.model, StoredModel):
        return dict(bundle.model.tensors)
    tensors = {name: tensor.numpy() for name, tensor in kept(bundle.model).items()}
    return {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in tensors.items()}

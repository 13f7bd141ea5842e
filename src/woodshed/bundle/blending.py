"""Several bundles as one: a band that plays between their styles.

Fine-tunes of one bundle lie in one basin of the loss, so that the mean of their weights plays, and often predicts
better than either. Of nets that began apart it can predict worse than either (benchmarks/blend), and is refused.

Source:
    Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
    inference time" (2022, arXiv 2203.05482); with the base itself among them, "Robust fine-tuning of zero-shot models"
    (2022, arXiv 2109.01903). We differ in averaging what the songs are like as well, see `blend_styles`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle.blended_style import blend_styles
from woodshed.bundle.bundle import Bundle
from woodshed.bundle.heritage import common_base, heritage
from woodshed.bundle.kinds import note_codec, note_weights
from woodshed.bundle.stored import StoredModel
from woodshed.errors import BundleError, OutOfRange
from woodshed.words import listed


def blend(bundles: Sequence[Bundle], shares: Sequence[float]) -> Bundle:
    """A bundle whose every weight is the mean of theirs by ``shares``, which are above 0 and need not sum to 1.

    All are of one kind of notes (recipe `band`) and began from one bundle, which may be among them. Its style is drawn
    from each by its share; its record names them all, with all licences. torch is not imported.
    One bundle alone, of whatever kind, is itself.

    Raises:
        OutOfRange: for a share that is not above 0, or not one for each bundle.
        BundleError: for bundles that differ in recipe, codec or sizes, naming what and which; or with no common base.
    """
    if not bundles or len(bundles) != len(shares):
        raise OutOfRange(f"{len(shares)} shares for {len(bundles)} bundles: give one for each, and at least one bundle")
    for bundle, share in zip(bundles, shares, strict=True):
        if not (isinstance(share, Real) and 0 < share < math.inf):
            raise OutOfRange(f"{_name(bundle)} has share {share}: give a number above 0, or leave the bundle out")
    largest = max(shares)  # divided by first, so that the sum of huge ones is finite
    scaled = [float(share / largest) for share in shares]
    parts = [share / math.fsum(scaled) for share in scaled]
    if len(bundles) == 1:
        return bundles[0]
    for bundle in bundles:
        note_codec(bundle)
    _check_alike(bundles)
    records = [heritage(bundle) for bundle in bundles]
    base = common_base(records)
    if base is None:
        raise BundleError(
            f"{listed([_name(bundle) for bundle in bundles])} did not begin from one bundle, so that the mean of "
            "their weights need not play like any of them; train each with --from base, then blend those"
        )
    model = mean_model(bundles, parts)
    style = blend_styles([bundle.style for bundle in bundles], parts)
    return Bundle(model, bundles[0].codec, bundles[0].recipe, style, _record(bundles, parts, records, base))


def mean_model(bundles: Sequence[Bundle], shares: Sequence[float]) -> StoredModel:
    """The mean of models of the same sizes, whether or not it plays; ``shares`` sum to 1."""
    tensors = [note_weights(bundle) for bundle in bundles]
    averaged = {name: _mean([own[name] for own in tensors], shares) for name in tensors[0]}
    return StoredModel(bundles[0].model.config, averaged)


def _mean(tensors: Sequence[NDArray[Any]], shares: Sequence[float]) -> NDArray[np.float32]:
    """In float32, in which the player computes, twice as fast as in more; rounded to what it reads and a file holds."""
    mean: NDArray[np.float32] = np.multiply(tensors[0], np.float32(shares[0]), dtype=np.float32)
    for tensor, share in zip(tensors[1:], shares[1:], strict=True):
        mean += tensor * np.float32(share)
    return mean.astype(np.float16).astype(np.float32)


def _name(bundle: Bundle) -> str:
    return str(bundle.folder or bundle.name)


def _check_alike(bundles: Sequence[Bundle]) -> None:
    """Refuse bundles whose weights do not mean the same, naming the first thing in which two differ."""
    first, *others = bundles
    for other in others:
        here, there = _make(first), _make(other)
        for name in sorted(here.keys() | there.keys()):
            if here.get(name) != there.get(name):
                raise BundleError(
                    f"{_name(first)} and {_name(other)} differ in {name} ({here.get(name)} and {there.get(name)}), so "
                    "that their weights do not fit; blend bundles that were trained with --from the same one"
                )


def _make(bundle: Bundle) -> dict[str, Any]:
    """What must be the same for two weights to be one: dropout, which only training knows, need not."""
    codec = {f"codec {name}": value for name, value in bundle.codec.config().items()}
    sizes = {f"model {name}": size for name, size in bundle.model.config.as_dict().items() if name != "dropout"}
    return {"recipe": bundle.recipe, **codec, "model": bundle.model.name, **sizes}


def _record(
    bundles: Sequence[Bundle], shares: Sequence[float], records: Sequence[dict[str, Any]], base: dict[str, Any]
) -> dict[str, Any]:
    """The training record: what all learned from, under all licences. A loss is not in it: none was measured."""
    known = [bundle.training for bundle in bundles]
    sources = dict.fromkeys(str(own["source"]) for own in known if "source" in own)
    counts = {name: sum(own.get(name, 0) for own in known) for name in ("songs", "notes", "held_out_songs")}
    return {
        **counts,
        "called": str(known[0].get("called", "song")),
        "source": "; ".join(sources) or "not recorded",
        "licences": sorted({str(licence) for own in known for licence in own.get("licences") or ()}),
        "parameters": known[0].get("parameters"),
        "sampling": _sampling([own.get("sampling") or {} for own in known], shares),
        "base": base,
        "blend": [{"share": share, **record} for share, record in zip(shares, records, strict=True)],
    }


def _sampling(usual: Sequence[dict[str, Any]], shares: Sequence[float]) -> dict[str, Any]:
    """Means of the numbers that all state; else what the one with the greatest share says."""
    leader = usual[int(np.argmax(shares))]
    mean = dict(leader)
    for name, value in leader.items():
        values = [own.get(name) for own in usual]
        if any(other != value for other in values) and all(type(other) is float for other in values):
            mean[name] = round(sum(share * float(other or 0) for share, other in zip(shares, values, strict=True)), 6)
    return mean

"""Playing rolls: row after row, each made of the chances that a net gives its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, roll_model
from woodshed.errors import InfeasibleCanvas
from woodshed.generation.binarise import BERNOULLI, MONOPHONIC, THRESHOLD, at_least, bernoulli, monophonic
from woodshed.generation.filters import Logits, Sampling

MELODY_BINARISERS = (MONOPHONIC, BERNOULLI, THRESHOLD)
"""The first is the default."""


@dataclass(frozen=True)
class Binariser:
    """How rows are made of chances."""

    name: str = MONOPHONIC
    threshold: float = 0.5


def play_over_chords(
    bundle: Bundle,
    given: NDArray[np.bool_],
    binariser: Binariser,
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    count: int = 1,
    playable: NDArray[np.bool_] | None = None,
    on_step: Callable[[float], None] | None = None,
) -> NDArray[np.bool_]:
    """(count, T, C) rolls over what is given (T, G), drawn side by side; only ``playable`` (C,) cells come on.

    Temperature counts for all but the threshold; top-k, top-p and min-p for the monophonic draw alone.

    Raises:
        InfeasibleCanvas: if no pitch may be played.
    """
    import torch

    model, codec = roll_model(bundle)
    if playable is not None and not playable[:-1].any():
        raise InfeasibleCanvas("no pitch may be played; widen the range or the key")
    rolls = np.zeros((count, len(given), codec.cells), bool)
    last, state = np.zeros((count, codec.cells), bool), model.start(count)
    known = torch.from_numpy(given.astype(np.float32))
    with torch.inference_mode():
        for row in range(len(given)):
            heard = torch.from_numpy(last.astype(np.float32))
            logits, state = model.step(known[row].expand(count, -1), heard, state)
            found: Logits = logits.double().numpy()
            if playable is not None:
                found = np.where(playable, found, -np.inf)
            last = rolls[:, row] = _binarise(found, last, binariser, sampling, rng)
            if on_step is not None:
                on_step((row + 1) / len(given))
    return rolls


def _binarise(
    logits: Logits, before: NDArray[np.bool_], binariser: Binariser, sampling: Sampling, rng: np.random.Generator
) -> NDArray[np.bool_]:
    if binariser.name == THRESHOLD:
        return at_least(logits, binariser.threshold)
    if binariser.name == BERNOULLI:
        return bernoulli(logits, sampling.temperature, rng)
    return monophonic(logits, before, sampling, rng)

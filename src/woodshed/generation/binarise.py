"""From the prediction matrix to a roll: three ways to turn the chances of cells into cells that are on or off.

=========== ===================================================================================================
binariser   a cell is on
=========== ===================================================================================================
bernoulli   with its chance, whatever the other cells are
threshold   if its chance is at least the threshold; nothing is left to luck
monophonic  as by ``bernoulli``, with the same chance, but never two pitches at once: one number decides for all
=========== ===================================================================================================

The first two are those of Dong and Yang's binary neurons ("Convolutional generative adversarial networks with binary
neurons for polyphonic music generation", ISMIR 2018) as they are used once a net is trained. The third is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange, UnknownName
from woodshed.generation.filters import Logits, Sampling, draw

BERNOULLI, THRESHOLD, MONOPHONIC = "bernoulli", "threshold", "monophonic"
LEAST = 1e-9
HALVINGS = 24


def check_binariser(name: str, known: Sequence[str], threshold: float) -> None:
    """Refuse what is no binariser, and a threshold that is no chance.

    Raises:
        UnknownName, OutOfRange: with what there is.
    """
    if name not in known:
        raise UnknownName(f"binariser {name!r} is not one of {', '.join(known)}")
    if not 0 < threshold < 1:
        raise OutOfRange(f"threshold {threshold:g} is outside 0-1 (both excluded); leave it out for the default")


def chances(logits: Logits) -> Logits:
    """The sigmoid."""
    with np.errstate(over="ignore"):
        found: Logits = 1 / (1 + np.exp(-logits))
    return found


def bernoulli(logits: Logits, temperature: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Cells of any shape, each on with the sigmoid of its logit over the temperature; at 0, where that is above 0."""
    tickets = rng.random(logits.shape)
    if temperature == 0:
        return logits > 0
    return tickets < chances(logits / temperature)


def at_least(logits: Logits, threshold: float) -> NDArray[np.bool_]:
    """Cells of any shape, each on if its chance is ``threshold`` or more."""
    return chances(logits) >= threshold


def monophonic(
    logits: Logits, before: NDArray[np.bool_], sampling: Sampling, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """(B, P + 1) rows in which at most one of P pitches sounds; the last cell says whether a note starts.

    ``before`` (B, P + 1) is the row before. Drawn is one of: a rest, the pitch that sounds held, any pitch struck.
    Each pitch has its own chance and rest has what they leave (if they leave nothing, they are scaled down); the
    pitch that sounds is struck again with that part of the last cell's chance that no other pitch accounts for.
    """
    streams, pitches = np.arange(len(logits)), logits.shape[1] - 1
    chance = chances(logits)
    share, struck = chance[:, :pitches], chance[:, pitches]
    share = share / np.maximum(share.sum(axis=1, keepdims=True), 1.0)
    sounds = before[:, :pitches].any(axis=1)
    held_pitch = before[:, :pitches].argmax(axis=1)
    stays = np.where(sounds, share[streams, held_pitch], 0.0)
    again = np.clip(struck - (share.sum(axis=1) - stays), 0.0, stays)
    weights = np.zeros((len(logits), pitches + 2))  # rest, hold, strike each pitch
    weights[:, 0] = np.maximum(1 - share.sum(axis=1), LEAST)
    weights[:, 1] = stays - again
    weights[:, 2:] = share
    weights[streams[sounds], 2 + held_pitch[sounds]] = again[sounds]
    with np.errstate(divide="ignore"):
        choice = draw(np.log(weights), sampling, sampling.temperature, rng)
    rows = np.zeros(before.shape, bool)
    strikes, holds = choice >= 2, choice == 1
    rows[streams[strikes], choice[strikes] - 2] = True
    rows[strikes, pitches] = True
    rows[streams[holds], held_pitch[holds]] = True
    return rows


def sharpened(logits: Logits, temperature: float) -> Logits:
    """Logits (..., N) over a temperature above 0, moved so that as many of the N cells come on as before, on average.

    A temperature alone makes rare things rarer: at 0.8 a band falls silent. So it decides which cells come on, not how
    many. Minus infinity stays that.
    """
    if temperature == 1:
        return logits
    wanted = chances(logits).sum(axis=-1, keepdims=True)
    warm = logits / temperature
    low, high = np.full(wanted.shape, -60.0 / temperature), np.full(wanted.shape, 60.0 / temperature)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        few = chances(warm + middle).sum(axis=-1, keepdims=True) < wanted
        low, high = np.where(few, middle, low), np.where(few, high, middle)
    found: Logits = warm + (low + high) / 2
    return found

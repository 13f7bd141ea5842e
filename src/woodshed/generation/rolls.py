"""Playing rolls: row after row, each made of the chances that a net gives its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, roll_model
from woodshed.codecs.piano_roll import STEPS_PER_FRAME
from woodshed.errors import InfeasibleCanvas
from woodshed.generation.binarise import (
    BERNOULLI,
    MONOPHONIC,
    THRESHOLD,
    at_least,
    bernoulli,
    chances,
    monophonic,
    sharpened,
)
from woodshed.generation.filters import Logits, Sampling

MELODY_BINARISERS = (MONOPHONIC, BERNOULLI, THRESHOLD)
"""The first is the default."""
TRACK_BINARISERS = (BERNOULLI, THRESHOLD)
"""The same for piano rolls of many tracks."""
STRONGEST = 6.0
"""By so much, in logits, a track that has too few or too many notes is moved at most."""
STAY = 0.5
"""By threshold, a cell that is on stays on if it is likelier than not: an end is drawn, not a beginning."""


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


def play_tracks(
    bundle: Bundle,
    given: NDArray[np.float64],
    binariser: Binariser,
    temperature: float,
    rng: np.random.Generator,
    *,
    count: int = 1,
    playable: NDArray[np.bool_] | None = None,
    primer: NDArray[np.uint8] | None = None,
    wanted: NDArray[np.float64] | None = None,
    on_step: Callable[[float], None] | None = None,
) -> NDArray[np.uint8]:
    """(count, F, C) frames beside what is given (F, G), drawn side by side; only ``playable`` (C,) cells come on.

    ``primer`` (P, C) are the first frames, which are kept. ``wanted`` (M,) notes are to start in a frame of each track,
    on average: one that has fewer so far is made likelier to start notes, one that has more less likely. The generator
    is the only source of chance.

    Raises:
        InfeasibleCanvas: if no cell may come on.
    """
    import torch

    from woodshed.models.piano_roll import LOOKBACKS, RECENT

    model, codec = roll_model(bundle)
    if playable is not None and not playable.any():
        raise InfeasibleCanvas("no pitch may be played; widen the range or the key")
    fixed = np.zeros((0, codec.cells), np.uint8) if primer is None else primer[: len(given)]
    oldest = LOOKBACKS[-1] + 1
    frames = np.zeros((count, oldest + len(given), codec.cells), np.uint8)  # silence before the first
    frames[:, oldest : oldest + len(fixed)] = fixed
    begun = np.zeros(frames.shape, bool)
    known, state = torch.from_numpy(given.astype(np.float32)), model.start(count)
    tracks = len(codec.names)
    net = _Net(*(part.double().numpy() for part in (model.beside.detach().triu(1), model.since.detach())))
    with torch.inference_mode():
        for row in range(len(given)):
            at = oldest + row
            past = np.stack([frames[:, at - back - 1 : at - back + 1] for back in (1, *LOOKBACKS)])
            recent = np.stack([begun[:, at - span : at].any(axis=1) for span in RECENT], axis=1)
            heard = torch.from_numpy(past), torch.from_numpy(recent)
            logits, state = model.step(known[row].expand(count, -1), *heard, state)
            if row >= len(fixed):
                before = (frames[:, at - 1] >> (STEPS_PER_FRAME - 1)).astype(bool)
                start, stay = (part.double().numpy() for part in logits)
                if playable is not None:
                    start = np.where(playable, start, -np.inf)
                if wanted is not None:
                    start = start + _thermostat(begun[:, oldest + len(fixed) : at], wanted)
                if binariser.name == BERNOULLI and temperature > 0:
                    start = _by_track(start, tracks, temperature)
                frames[:, at] = _draw_frame(start, stay, before, net, binariser, temperature, rng)
            last = frames[:, at - 1] >> (STEPS_PER_FRAME - 1)
            begun[:, at] = (frames[:, at] & ~(frames[:, at] << 1 | last)) > 0
            if on_step is not None:
                on_step((row + 1) / len(given))
    return frames[:, oldest:]


def _thermostat(begun: NDArray[np.bool_], wanted: NDArray[np.float64]) -> Logits:
    """(B, 1, C) what is added to the logits of starts, given those in the new frames so far (B, F, C)."""
    streams, frames, cells = begun.shape
    played = begun.reshape(streams, frames, len(wanted), cells // len(wanted)).sum(axis=(1, 3))  # (B, M)
    behind = np.log((frames * wanted + 1) / (played + 1)).clip(-STRONGEST, STRONGEST)
    return np.repeat(behind, cells // len(wanted), axis=1)[:, None]


def _by_track(start: Logits, tracks: int, temperature: float) -> Logits:
    """Logits (B, K, C) over the temperature; each track has as many starts in the frame as before, on average."""
    streams, steps, cells = start.shape
    apart = start.reshape(streams, steps, tracks, cells // tracks).transpose(0, 2, 1, 3)
    moved = sharpened(apart.reshape(streams, tracks, -1), temperature)
    return moved.reshape(streams, tracks, steps, -1).transpose(0, 2, 1, 3).reshape(start.shape)


@dataclass(frozen=True)
class _Net:
    """What a note that starts does to the logits of other starts in its frame, (C, C) each."""

    beside: NDArray[np.float64]
    since: NDArray[np.float64]


def _draw_frame(
    start: Logits,
    stay: Logits,
    before: NDArray[np.bool_],
    net: _Net,
    binariser: Binariser,
    temperature: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Logits (B, K, C) of a frame and the cells (B, C) that were on before it -> bytes (B, C).

    Those of starts are over the temperature already.
    """
    frame = np.zeros(before.shape, np.uint8)
    sounding, moved = before, np.zeros(before.shape)
    for step in range(start.shape[1]):
        if binariser.name == THRESHOLD or temperature == 0:
            least = binariser.threshold if binariser.name == THRESHOLD else 0.5
            tickets, stays = np.full(before.shape, least), np.full(before.shape, STAY)
            warmth = 1.0
        else:
            tickets = stays = np.maximum(rng.random(before.shape), np.finfo(float).tiny)
            warmth = temperature
        begun = _draw_starts(start[:, step] + moved, ~sounding, net.beside / warmth, tickets)
        sounding = begun | (sounding & (chances(stay[:, step] / warmth) >= stays))
        moved = moved + begun @ net.since / warmth
        frame |= (sounding << step).astype(np.uint8)
    return frame


def _draw_starts(
    logits: Logits, off: NDArray[np.bool_], beside: NDArray[np.float64], tickets: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(B, C) which cells come on: from the first to the last, each moving the logits of those after it.

    A round finds the first cell of each stream that comes on; there are as many rounds as notes start together.
    """
    begun = np.zeros(off.shape, bool)
    place = np.arange(off.shape[1])
    reached = np.full(len(off), -1)
    while True:
        on = off & (chances(logits) >= tickets) & (place > reached[:, None])
        more = np.flatnonzero(on.any(axis=1))
        if not len(more):
            return begun
        first = on[more].argmax(axis=1)
        begun[more, first], reached[more] = True, first
        logits = logits.copy()
        logits[more] += beside[first]
        reached[np.setdiff1d(np.arange(len(off)), more)] = off.shape[1]

"""How much of a clip is left after it went through a latent space, and how much the space is made to hold.

Roberts et al. 2018 give the share of tokens that come back right in two ways: each predicted from z and the true tokens
before it (teacher-forced), and all sampled from z alone at temperature 1. z is the mean of where the encoder puts the
clip. What the space holds is the divergence from the prior, in nats and in bits per clip: near 0 the decoder does not
listen (the posterior has collapsed), and the first share is then that of a model without a latent space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, latent_model
from woodshed.errors import CorpusError
from woodshed.music import Song

AT_ONCE = 128
MOVES = 0.01
"""Variance over clips of a dimension's mean above which it is in use (Burda et al. 2016)."""


@dataclass(frozen=True)
class Reconstruction:
    """Over the clips of some songs."""

    clips: int
    given_truth: dict[str, float]
    """Part -> share of tokens that are the likeliest, given z and the true tokens before them."""
    sampled: dict[str, float]
    """Part -> share of tokens that come back right when all are sampled from z at temperature 1."""
    divergence_nats: float
    """Per clip."""
    divergence_bits: float
    """The same in bits."""
    dimensions: int
    """Z."""
    used_dimensions: int
    """Those whose mean moves from clip to clip."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return dict(vars(self))


def measure_reconstruction(bundle: Bundle, songs: Sequence[Song], *, seed: int = 0) -> Reconstruction:
    """What comes back of every clip that is in the songs; ``seed`` is that of the sampled tokens.

    Raises:
        BundleError: if the bundle has no latent space.
        CorpusError: if no song has a clip.
    """
    _, codec = latent_model(bundle)
    clips = [codec.encode(clip) for song in songs for clip in codec.clips(song)]
    if not clips:
        raise CorpusError(f"no song has a clip of {codec.bars} bars that this bundle could hear; give others")
    return reconstruct(bundle, np.stack(clips), np.random.default_rng(seed))


def reconstruct(bundle: Bundle, tokens: NDArray[np.int64], rng: np.random.Generator) -> Reconstruction:
    """The same of clips (N, P, T)."""
    model, codec = latent_model(bundle)
    scored = np.stack([codec.scored(clip) for clip in tokens])
    chance = rng.random(tokens.shape)
    rows = [slice(start, start + AT_ONCE) for start in range(0, len(tokens), AT_ONCE)]
    told, drawn, means, nats = zip(*(_pass(model, tokens[span], chance[span]) for span in rows), strict=True)

    def shares(guesses: Sequence[NDArray[np.int64]]) -> dict[str, float]:
        right = ((np.concatenate(guesses) == tokens) & scored).sum((0, 2)) / scored.sum((0, 2)).clip(1)
        return dict(zip(codec.field_sizes(), right.tolist(), strict=True))

    mean, divergence = np.concatenate(means), float(np.concatenate(nats).mean())
    used = int((mean.var(0) > MOVES).sum())
    return Reconstruction(
        len(tokens), shares(told), shares(drawn), divergence, divergence / math.log(2), mean.shape[1], used
    )


def _pass(model: Any, tokens: NDArray[np.int64], chance: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
    """Clips (B, P, T) -> the likeliest tokens given the truth, those sampled, means (B, Z), divergence (B,) in nats."""
    import torch

    from woodshed.models.music_vae import divergence

    device, training = next(model.parameters()).device, model.training
    model.eval()
    with torch.inference_mode():
        heard = torch.from_numpy(tokens).to(device)
        mean, log_variance = model.encode(heard)
        likeliest = torch.stack([logits.argmax(-1) for logits in model(mean, heard)], 1)
        drawn = model.sample(mean, 1.0, torch.from_numpy(chance))
    model.train(training)
    found = likeliest, drawn, mean, divergence(mean, log_variance)
    return tuple(array.cpu().numpy() for array in found)

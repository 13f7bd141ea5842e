"""Batches of clips for a latent space, and what it costs to pass through one: the evidence lower bound.

What is made small is, of each clip, the nats of its tokens given a draw from where the encoder puts it, and beta times
the nats (KL divergence) by which that place differs from the prior, as far as they are above what is free.

References:
    Kingma & Welling 2014; Bowman et al. 2016 and Higgins et al. 2017 (beta, and its annealing); Kingma et al. 2016
    (free bits), over all dimensions together as in Roberts et al. 2018; Bengio et al. 2015 (scheduled sampling).
    We differ in that beta and the share of sampled tokens follow the share of the run that is done, as a run has a
    clock and no number of steps; and in scheduled sampling without a loop over steps: what the decoder says when it is
    given the truth is drawn from, and some of these draws are given to it in a second pass (Mihaylova & Martins 2019,
    Duckworth et al. 2019).

Shape letters: B clips, P parts, T steps, Z latent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from woodshed.errors import CorpusError, OutOfRange
from woodshed.models.music_vae import divergence
from woodshed.music import Song
from woodshed.training.examples import Augmentation
from woodshed.training.lessons import Loss

NO_SHARE = 0.005
"""So small a share of sampled tokens is not worth a second pass."""
SETTLED = 512
"""Of more clips, so many tell where clips lie, evenly spread."""
SIGMOID_SPAN = math.log(1000)
"""How steeply scheduled sampling sets in: as Magenta's inverse sigmoid of rate 1000."""


@dataclass(frozen=True)
class LatentOptions:
    """How much a latent space may cost, and how soon the decoder must live with its own tokens."""

    beta: float = 0.2
    """Weight of the divergence at the end of its rise; 1 is the evidence lower bound itself."""
    beta_warm_up: float = 0.3
    """Share of the run in which beta rises from 0, in a straight line."""
    free_bits: float = 48.0
    """Bits of divergence per clip that cost nothing."""
    sampled: float = 0.0
    """The largest share of tokens that the decoder is given from its own mouth; 0: always the truth."""
    sampled_from: float = 0.5
    """Share of the run at which half of ``sampled`` is reached."""
    segments: int = 0
    """So many segments of each clip, such as bars, are decoded in a step, drawn anew each time and weighed as if they
    were all; a step then has room for more clips. 0: all."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {"beta": (0, 100), "beta_warm_up": (0, 1), "free_bits": (0, 1e6)}
        limits |= {"sampled": (0, 1), "sampled_from": (0.01, 1), "segments": (0, 4096)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise OutOfRange(f"latent {name} {value} is outside {low}-{high:g}; leave it out for the default")

    def beta_at(self, fraction: float) -> float:
        """The weight of the divergence when so much of the run is done."""
        return self.beta * min(fraction / self.beta_warm_up, 1.0) if self.beta_warm_up else self.beta

    def sampled_at(self, fraction: float) -> float:
        """The share of sampled tokens when so much of the run is done."""
        return self.sampled / (1 + math.exp(SIGMOID_SPAN * (1 - fraction / self.sampled_from)))


class LatentBatch(NamedTuple):
    """B clips, and how they are to be learned."""

    tokens: NDArray[np.int64]
    """(B, P, T)"""
    scored: NDArray[np.bool_]
    """(B, P, T)"""
    notes: int
    beta: float
    sampled: float
    """Share of the tokens that the decoder is given from its own draws."""


class LatentLessons:
    """Arranged clips, each as likely as the other, in a key that may be moved by ``vary.transpose`` semitones."""

    def __init__(
        self, codec: Any, clips: Sequence[Song], batch: int, vary: Augmentation, options: LatentOptions | None = None
    ) -> None:
        self.codec, self.batch, self.transpose = codec, batch, vary.transpose
        self.options = options or LatentOptions()
        self.clips = [clip for clip in clips if len(clip)]
        if not self.clips:
            raise CorpusError("there is no clip to learn from; look at the files with `woodshed doctor`")
        self.tokens = np.stack([codec.encode(clip) for clip in self.clips]).astype(np.int32)
        self.fraction = 0.0
        """Share of the run that is done; the loop sets it."""

    def draw(self, rng: np.random.Generator) -> LatentBatch:
        """One batch; the generator is the only source of chance."""
        chosen = rng.integers(len(self.clips), size=self.batch).tolist()
        shifts = rng.integers(-self.transpose, self.transpose + 1, self.batch).tolist()
        tokens = np.stack([self._moved(clip, shift) for clip, shift in zip(chosen, shifts, strict=True)])
        scored = np.stack([self.codec.scored(clip) for clip in tokens])
        notes = sum(map(self.codec.notes, tokens))
        return LatentBatch(
            tokens, scored, notes, self.options.beta_at(self.fraction), self.options.sampled_at(self.fraction)
        )

    def _moved(self, index: int, semitones: int) -> NDArray[np.int64]:
        """The tokens of one clip in another key, or in its own where it would leave the codec's range."""
        clip = self.clips[index]
        if semitones and not all(part.is_drum for part in clip.parts):
            try:
                moved: NDArray[np.int64] = self.codec.encode(clip.transpose(semitones))
                return moved
            except OutOfRange:
                pass
        own: NDArray[np.int64] = self.tokens[index].astype(np.int64)
        return own

    def settle(self, model: Any, device: torch.device) -> None:
        """Tell a model where the clips lie, as `MusicVAE.settle` does."""
        some = self.tokens[:: -(-len(self.tokens) // SETTLED)].astype(np.int64)
        model.settle(torch.from_numpy(some).to(device))

    def loss(self, model: Any, batch: LatentBatch, device: torch.device) -> Loss:
        """Nats of the tokens, and the divergence at its present weight as far as it is not free."""
        tokens, scored = (torch.from_numpy(array).to(device) for array in (batch.tokens, batch.scored))
        mean, log_variance = model.encode(tokens)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        given = own_words(model, z, tokens, batch.sampled) if batch.sampled > NO_SHARE else tokens
        nats = (self._nats(model, z, tokens, given) * scored).sum((1, 2))
        paid = paid_divergence(divergence(mean, log_variance), self.options.free_bits)
        return Loss((nats + batch.beta * paid).sum(), int(batch.scored.sum()), batch.notes)

    def _nats(self, model: Any, z: Tensor, tokens: Tensor, given: Tensor) -> Tensor:
        """(B, P, T) nats of each token, or of some segments' as if they were all."""
        there, wanted = model.config.segments, self.options.segments
        if not 0 < wanted < there:
            nats: Tensor = model.nats(z, tokens, given)
            return nats
        chosen = torch.randperm(there, device=z.device)[:wanted].sort().values
        some: Tensor = model.nats(z, tokens, given, chosen) * (there / wanted)
        return some


def paid_divergence(nats: Tensor, free_bits: float) -> Tensor:
    """(B,) what each clip's divergence is above what is free, in nats."""
    return (nats - free_bits * math.log(2)).clamp(min=0)


@torch.no_grad()
def own_words(model: Any, z: Tensor, tokens: Tensor, share: float) -> Tensor:
    """The tokens (B, P, T), that share of them replaced by what the model would have said there, given the truth."""
    drawn = [_any_of(logits) for logits in model(z, tokens)]
    return torch.where(torch.rand(tokens.shape, device=tokens.device) < share, torch.stack(drawn, 1), tokens)


def _any_of(logits: Tensor) -> Tensor:
    """A token (B, T) of each distribution (B, T, V): the largest after Gumbel noise."""
    return (logits - torch.empty_like(logits).exponential_().log()).argmax(-1)

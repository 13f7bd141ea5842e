"""Learn a MusicVAE for so many steps, and measure what comes back of clips that it has not learned.

The loss, the moving average of the weights and the schedule are those of `woodshed train`; what is kept is the end of
the run, as nothing is chosen by held-out clips here.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from woodshed.evaluation.bootstrap import Interval, mean_interval
from woodshed.models.music_vae import MusicVAE, MusicVAEConfig, divergence
from woodshed.training.latent_lessons import NO_SHARE, LatentOptions, own_words, paid_divergence
from woodshed.training.loop import schedule

AT_ONCE = 64


@dataclass(frozen=True)
class Plan:
    """How a space is learned."""

    steps: int
    batch: int
    latent: LatentOptions
    learning_rate: float = 5e-3
    averaging: float = 0.98
    clip: float = 1.0


@dataclass(frozen=True)
class Measured:
    """Of held-out clips, each with its interval over songs; shares are of tokens."""

    given_truth: Interval
    """The likeliest token is right, given z and the true tokens before it."""
    sampled: Interval
    """Right when all are sampled from z alone at temperature 1."""
    likeliest: Interval
    """Right when the likeliest is taken each time, from z alone."""
    bits: Interval
    """Divergence of where the clip lies from the prior, per clip."""


def sizes_of(config: MusicVAEConfig) -> int:
    """Parameters of a model of that config."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in MusicVAE(config).parameters())


def flat_as_large_as(config: MusicVAEConfig) -> MusicVAEConfig:
    """The same encoder and latent space, and one decoder over all steps, as wide as makes parameters most equal."""
    wanted = sizes_of(config)
    flat = [replace(config, segments=1, decoder_width=width) for width in range(32, 513, 4)]
    return min(flat, key=lambda tried: abs(sizes_of(tried) - wanted))


def learn(
    config: MusicVAEConfig, tokens: NDArray[np.int64], plan: Plan, seed: int, on_step: Callable[[], None]
) -> MusicVAE:
    """A space for clips (N, P, T); ``on_step`` is called after every step."""
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = MusicVAE(config).train()
        average = copy.deepcopy(model).eval()
        optimiser = torch.optim.AdamW(
            model.parameters(), plan.learning_rate, betas=(0.9, 0.98), weight_decay=0, fused=True
        )
        for step in range(plan.steps):
            for group in optimiser.param_groups:
                group["lr"] = plan.learning_rate * schedule(step / plan.steps, 0.03)
            batch = torch.from_numpy(tokens[rng.integers(len(tokens), size=plan.batch)])
            loss = bound(model, batch, plan.latent, step / plan.steps)
            optimiser.zero_grad(set_to_none=True)
            (loss / batch.numel()).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
            optimiser.step()
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
                    slow.lerp_(fast, 1 - min(plan.averaging, (1 + step) / (10 + step)))
            on_step()
    return average


def bound(model: MusicVAE, tokens: Tensor, options: LatentOptions, fraction: float) -> Tensor:
    """Nats of a batch and its weighed divergence, as `training.latent_lessons.LatentLessons.loss` has it."""
    mean, log_variance = model.encode(tokens)
    z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    share = options.sampled_at(fraction)
    given = own_words(model, z, tokens, share) if share > NO_SHARE else tokens
    paid = paid_divergence(divergence(mean, log_variance), options.free_bits)
    total: Tensor = model.nats(z, tokens, given).sum() + options.beta_at(fraction) * paid.sum()
    return total


class Space(Protocol):
    """What `measure` asks of a space that is no `MusicVAE`."""

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, P, T) -> mean and log variance (B, Z)."""

    def sample(self, z: Tensor, temperature: float, uniforms: Tensor | None = None) -> Tensor:
        """z (B, Z) -> tokens (B, P, T), drawn by ``uniforms`` (B, P, T), or at temperature 0 the likeliest."""

    def likeliest(self, z: Tensor, given: Tensor) -> Tensor:
        """Tokens (B, P, T), each the likeliest given z and the tokens before it."""


def likeliest(model: MusicVAE | Space, z: Tensor, heard: Tensor) -> Tensor:
    """Tokens (B, P, T), each the likeliest given z and those of ``heard`` before it."""
    if isinstance(model, MusicVAE):
        return torch.stack([logits.argmax(-1) for logits in model(z, heard)], 1)
    return model.likeliest(z, heard)


@torch.inference_mode()
def measure(
    model: MusicVAE | Space, tokens: NDArray[np.int64], song: NDArray[np.int64], rng: np.random.Generator
) -> dict[int | None, Measured]:
    """Of clips (N, P, T) of songs (N,), z at the mean of the posterior: for each part, and with None for all."""
    shares, bits = [], []
    for start in range(0, len(tokens), AT_ONCE):
        heard = torch.from_numpy(tokens[start : start + AT_ONCE])
        mean, log_variance = model.encode(heard)
        told = likeliest(model, mean, heard)
        drawn = model.sample(mean, 1.0, torch.from_numpy(rng.random(heard.shape)))
        shares.append(torch.stack([(g == heard).double().mean(2) for g in (told, drawn, model.sample(mean, 0.0))]))
        bits.append(divergence(mean, log_variance) / math.log(2))
    right, cost = torch.cat(shares, 1).numpy(), torch.cat(bits).numpy()  # (3, N, P), (N,)
    of_parts: dict[int | None, NDArray[np.float64]] = {None: right.mean(2)}
    if right.shape[2] > 1:
        of_parts |= {part: right[:, :, part] for part in range(right.shape[2])}
    owners = song.tolist()

    def interval(values: NDArray[np.float64]) -> Interval:
        return mean_interval(values, owners, np.random.default_rng(0))

    return {part: Measured(*(interval(row) for row in rows), interval(cost)) for part, rows in of_parts.items()}

"""MusicVAE: sequences of tokens -> a point in a latent space -> the sequences again.

References:
    Roberts, Engel, Raffel, Hawthorne & Eck 2018, "A Hierarchical Latent Vector Model for Learning Long-Term Structure
    in Music"; Simon, Roberts, Raffel, Engel, Hawthorne & Eck 2018, "Learning a Latent Space of Multitrack Measures";
    magenta/models/music_vae (`lstm_models.py`).
    As there: a bidirectional LSTM whose two last outputs say the mean and the variance of a Gaussian; an LSTM decoder
    that has z in its start state, after a tanh, and among its inputs at every step; over many segments (bars, or the
    instruments of a band) a conductor LSTM says one vector per segment, and decoders start anew from each, so that
    nothing but z holds segments together. A band's parts share one decoder; other parts have one each.
    We differ in a log variance instead of a softplus, in where learning starts, and in an encoder of two levels, if
    asked for: first within each segment, then over them (as Simon et al. have it; Roberts et al. read 256 steps in one
    go). With ``places`` the nets need not count: each step of a segment has rows of its own, a decoder weighs z anew at
    each, and an encoder says what it heard on average beside what it heard last. A small model then learns in minutes.

Shape letters: B clips, P parts, T steps, U segments, L steps of a segment, D decoders, V tokens, Z latent, C context,
W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.lstm import pack
from woodshed.models.vae_layers import END, FIRST_LOG_VARIANCE, Conductor, Decoder, Encoder, MusicVAEConfig, lengths_of

__all__ = ["END", "MusicVAE", "MusicVAEConfig", "divergence", "lengths_of", "nats_of"]


class MusicVAE(nn.Module):
    """Clips of P parts of T tokens as points in a space of Z dimensions, and back.

    >>> sum(p.numel() for p in MusicVAE(MusicVAEConfig((90,), 32)).parameters())
    2402394
    """

    name: ClassVar[str] = "music-vae"

    def __init__(self, config: MusicVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.gaussian = nn.Linear(2 * config.encoder_width, 2 * config.latent)
        nn.init.normal_(self.gaussian.weight.data[: config.latent], std=5 / (2 * config.encoder_width) ** 0.5)
        nn.init.constant_(self.gaussian.bias.data[config.latent :], FIRST_LOG_VARIANCE)
        self.conductor = Conductor(config) if config.units > 1 else None
        self.register_buffer("centre", torch.zeros(config.latent))
        self.register_buffer("spread", torch.eye(config.latent))
        vocabularies = config.vocabulary[:1] if config.per_part else config.vocabulary
        self.decoders = nn.ModuleList(Decoder(config, size) for size in vocabularies)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Weights that were saved before a model could be settled are those of one that was not."""
        for name in ("centre", "spread"):
            state_dict.setdefault(prefix + name, getattr(self, name))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, P, T) int64 -> mean and log variance (B, Z) of where they may lie."""
        mean, log_variance = self.gaussian(self.encoder(tokens)).chunk(2, 1)
        return mean, log_variance

    @torch.no_grad()
    def settle(self, tokens: Tensor) -> None:
        """Find where clips such as these (B, P, T) lie, for `imagine`: the Gaussian of their means and variances."""
        mean, log_variance = self.encode(tokens)
        around = (mean - mean.mean(0)).double()
        covariance = around.t() @ around / len(mean) + torch.diag(log_variance.double().exp().mean(0))
        self.centre.copy_(mean.mean(0))  # type: ignore[operator]
        self.spread.copy_(torch.linalg.cholesky(covariance))  # type: ignore[operator]

    def imagine(self, noise: Tensor) -> Tensor:
        """Draws of N(0, 1) (B, Z) -> z (B, Z) as likely as those of the clips that it was settled on; until then as is.

        Where few bits are free and beta is low, clips lie in a part of what the prior allows, and what lies elsewhere
        was never decoded.
        """
        imagined: Tensor = self.centre + noise @ self.spread.t()  # type: ignore[operator]
        return imagined

    def forward(self, z: Tensor, given: Tensor, segments: Tensor | None = None) -> tuple[Tensor, ...]:
        """z (B, Z), and tokens (B, P, T) of which each step is given those before it -> of each part logits (B, T, V).

        Steps are given those of their own segment and part alone. With ``segments`` (N,) only those are decoded, and
        ``given`` (B, P, N L) holds those alone.
        """
        contexts, (batch, parts, steps) = self._contexts(z), given.shape
        contexts = contexts if segments is None else contexts[:, segments]
        if self.config.per_part:
            logits = self.decoders[0](given.flatten(0, 1), contexts.flatten(0, 1))
            return tuple(logits.view(batch, parts, steps, -1).unbind(1))
        return tuple(
            decoder(given[:, part].reshape(batch * contexts.shape[1], -1), contexts.flatten(0, 1)).reshape(
                batch, steps, -1
            )
            for part, decoder in enumerate(self.decoders)
        )

    def nats(self, z: Tensor, tokens: Tensor, given: Tensor | None = None, segments: Tensor | None = None) -> Tensor:
        """(B, P, T) nats of each token, given z and the tokens before it, or those of ``given`` (B, P, T) instead.

        With ``segments`` (N,) only those cost anything. In a band, what comes after a part's end costs nothing.
        """
        given = tokens if given is None else given
        if segments is not None:
            chosen, wanted = (self._only(part, segments) for part in (given, tokens))
            found = nats_of(self(z, chosen, segments), wanted).view(*tokens.shape[:2], len(segments), -1)
            nats = found.new_zeros(*tokens.shape[:2], self.config.segments, found.shape[3])
            return nats.index_copy(2, segments, found).flatten(2)
        if not self.config.per_part:
            return nats_of(self(z, given), tokens)
        rows = tokens.flatten(0, 1)
        packing = pack(lengths_of(rows))
        logits = self.decoders[0].packed(  # type: ignore[operator]
            given.flatten(0, 1), self._contexts(z).flatten(0, 1), packing
        )
        place = packing.rows, packing.steps
        found = F.cross_entropy(logits, rows[place], reduction="none")
        return torch.zeros_like(rows, dtype=found.dtype).index_put(place, found).view(tokens.shape)

    @torch.inference_mode()
    def sample(
        self,
        z: Tensor,
        temperature: float = 1.0,
        uniforms: Tensor | None = None,
        allowed: Sequence[Tensor | None] | None = None,
    ) -> Tensor:
        """z (B, Z) -> tokens (B, P, T), each drawn given those before it in its segment and part.

        ``uniforms`` (B, P, T), from 0 to below 1, decide each draw; with temperature 0 the likeliest token is taken and
        none are needed. ``allowed`` says of each part which of its tokens (V,) may be drawn.

        Raises:
            ValueError: for a temperature below 0, one above without ``uniforms``, or a part with nothing allowed.
        """
        config = self.config
        if temperature < 0:
            raise ValueError(f"temperature {temperature} is below 0; 1 is usual")
        if temperature and uniforms is None:
            raise ValueError("a temperature above 0 needs uniforms (B, P, T); temperature 0 needs none")
        shape = (len(z), len(config.vocabulary), config.steps)
        chance = z.new_zeros(shape, dtype=torch.float64) if uniforms is None else uniforms.to(z.device, torch.float64)
        masks = [None] * shape[1] if allowed is None else [None if m is None else m.to(z.device) for m in allowed]
        if any(mask is not None and not mask.any() for mask in masks):
            raise ValueError("a part has no token that is allowed; allow at least one")
        contexts = self._contexts(z)
        if config.per_part:
            return self._sample_parts(contexts, chance, temperature, masks)
        parts = [
            decoder.sample(  # type: ignore[operator]
                contexts.flatten(0, 1), chance[:, part].reshape(len(z) * config.units, -1), temperature, masks[part]
            ).view(len(z), config.steps)
            for part, decoder in enumerate(self.decoders)
        ]
        return torch.stack(parts, 1)

    def _sample_parts(
        self, contexts: Tensor, chance: Tensor, temperature: float, masks: Sequence[Tensor | None]
    ) -> Tensor:
        """The parts of a band, all of which one decoder plays at once."""
        everything = torch.ones(self.config.vocabulary[0], dtype=torch.bool, device=chance.device)
        mask = torch.stack([everything if mask is None else mask for mask in masks])  # (P, V)
        rows = mask.repeat(len(chance), 1) if any(mask is not None for mask in masks) else None
        tokens: Tensor = self.decoders[0].sample(  # type: ignore[operator]
            contexts.flatten(0, 1), chance.flatten(0, 1), temperature, rows
        )
        return tokens.view(chance.shape)

    def _only(self, tokens: Tensor, segments: Tensor) -> Tensor:
        """Those segments (N,) of tokens (B, P, T): (B, P, N L)."""
        return tokens.view(*tokens.shape[:2], self.config.segments, -1)[:, :, segments].flatten(2)

    def _contexts(self, z: Tensor) -> Tensor:
        """(B, U, C) what each unit starts from and hears all along."""
        contexts: Tensor = z[:, None] if self.conductor is None else self.conductor(z)
        return contexts


def nats_of(logits: Sequence[Tensor], tokens: Tensor) -> Tensor:
    """Of each part logits (B, T, V), and tokens (B, P, T) -> nats of each token (B, P, T)."""
    parts = [
        F.cross_entropy(of_part.flatten(0, 1), tokens[:, part].flatten(), reduction="none")
        for part, of_part in enumerate(logits)
    ]
    return torch.stack([part.view(len(tokens), -1) for part in parts], 1)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(B,) nats from N(mean, variance) to N(0, 1), summed over the dimensions (Kullback & Leibler)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)

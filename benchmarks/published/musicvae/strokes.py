"""What nets of 16-bar drums share: steps as nine drums, a head that strikes them, and pointers to the bars before."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from woodshed.codecs.clip_drums import DRUM_CLASSES
from woodshed.codecs.clips import BAR_STEPS

DRUMS, BARS = len(DRUM_CLASSES), 16
STEPS = BARS * BAR_STEPS
BIT = torch.arange(DRUMS)
BACK = BAR_STEPS * torch.arange(1, BARS)
"""Steps back that pointers look: whole bars."""
DECAYS = (0.8, 0.8, 0.95, 0.95)
"""Of each pointer: how much less a step counts than the one after it, when it is asked how well a bar agrees."""
POINTED = len(DECAYS) * (DRUMS + 1)
"""Rows that `Pointers` say of each step."""
UNKNOWN = -1e4


def hits_of(tokens: NDArray[np.int64] | Tensor) -> Tensor:
    """(..., 9) which drums tokens (...) strike."""
    return (torch.as_tensor(tokens)[..., None] >> BIT & 1).float()


def tokens_of(hits: Tensor) -> Tensor:
    """Tokens (...) of drums (..., 9)."""
    return (hits.long() << BIT).sum(-1)


def earlier(hits: Tensor, lag: int) -> Tensor:
    """Drums (B, T, 9) so many steps back, none before the first."""
    return torch.cat([hits.new_zeros(len(hits), lag, DRUMS), hits], 1)[:, : hits.shape[1]]


class Strokes(nn.Module):
    """The nine drums of a step, one after another: from a state (..., W), each given those before it."""

    def __init__(self, width: int, own: int) -> None:
        super().__init__()
        self.of_drum = nn.Parameter(torch.randn(DRUMS, width, own) * width**-0.5)
        self.bias = nn.Parameter(torch.zeros(DRUMS, own))
        self.of_others = nn.Parameter(torch.randn(DRUMS, DRUMS, own) * 0.1)
        self.out = nn.Parameter(torch.randn(DRUMS, own) * 0.1)
        self.out_bias = nn.Parameter(torch.full((DRUMS,), -2.0))

    def forward(self, state: Tensor, struck: Tensor) -> Tensor:
        """Logits (..., 9), given the drums (..., 9) of the step, of which each sees those before it."""
        before = torch.tril(torch.ones(DRUMS, DRUMS), -1)[..., None]
        inner = self._inner(state) + torch.einsum("...j,kjh->...kh", struck, self.of_others * before)
        return (torch.relu(inner) * self.out).sum(-1) + self.out_bias

    @torch.no_grad()
    def draw(self, state: Tensor, lean: Tensor | float = 0.0, chance: Tensor | None = None) -> Tensor:
        """Drums (..., 9), each the likelier given those before it, or drawn by ``chance`` (...) from 0 to below 1.

        ``lean`` (..., 9) is added to the logits.
        """
        inner, struck = self._inner(state), state.new_zeros(*state.shape[:-1], DRUMS)
        lean = lean + self.out_bias
        left = None if chance is None else chance.double()
        for drum in range(DRUMS):
            own = inner[..., drum, :] + struck[..., :drum] @ self.of_others[drum, :drum]
            logit = torch.relu(own) @ self.out[drum] + lean[..., drum]
            if left is None:
                is_struck = logit > 0
            else:
                share = torch.sigmoid(logit.double())
                is_struck = left < share
                left = torch.where(is_struck, left / share, (left - share) / (1 - share))
            struck[..., drum] = is_struck.float()
        return struck

    def _inner(self, state: Tensor) -> Tensor:
        return torch.einsum("...w,kwh->...kh", state, self.of_drum) + self.bias


class Pointers(nn.Module):
    """What stands one to fifteen bars back, weighed by how well the latest steps agree with those before it there.

    Each of several pointers has a decay of its own and learns how sharply it tells bars apart, and how much nearer ones
    are worth. Agreement (..., 15, 4) is minus the number of drums that differ, steps farther back counting less.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor([0.5, 2.0, 0.5, 2.0]).log())
        self.nearness = nn.Parameter(-0.02 * torch.arange(len(BACK)).repeat(len(DECAYS), 1))
        steps = torch.arange(STEPS)
        ago = (steps - steps[:, None] - 1).float()  # (from, to)
        counts = torch.stack([torch.where(ago >= 0, decay ** ago.clamp(min=0), 0.0) for decay in DECAYS])
        self.register_buffer("counts", counts, persistent=False)

    def forward(self, hits: Tensor) -> Tensor:
        """(B, T, `POINTED`) of all steps of drums (B, T, 9), each from what came before it."""
        agreement, back, known = self.agreement(hits)
        return self.expected(back, agreement, known)

    def agreement(self, hits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of all steps agreement (B, T, 15, 4), what stands there (B, T, 15, 9), and whether anything does (T, 15)."""
        back = torch.stack([earlier(hits, lag) for lag in BACK.tolist()], 2)
        known = torch.arange(STEPS)[:, None] >= BACK
        same = differing(hits[:, :, None], back, known)
        counts: Tensor = self.counts  # type: ignore[assignment]
        return torch.einsum("bsl,pst->btlp", same, counts), back, known

    def expected(self, back: Tensor, agreement: Tensor, known: Tensor) -> Tensor:
        """(..., 4 (X + 1)) what the pointers expect of ``back`` (..., 15, X), and how well it agrees."""
        weights = self.weights(agreement, known)  # (..., 15, 4)
        found = torch.einsum("...lp,...lx->...px", weights, back)
        return torch.cat([found.flatten(-2), (weights * agreement).sum(-2) / 10], -1)

    def weights(self, agreement: Tensor, known: Tensor) -> Tensor:
        """(..., 15, 4) how much each bar back counts for each pointer; nothing where none is known."""
        scores = self.sharpness.exp() * agreement + self.nearness.t() + torch.where(known, 0.0, UNKNOWN)[..., None]
        return torch.softmax(scores, -2) * known.any(-1, keepdim=True)[..., None]


def differing(hits: Tensor, back: Tensor, known: Tensor) -> Tensor:
    """(..., 15) minus the number of drums that differ, 0 where nothing is known."""
    return -(hits - back).abs().sum(-1) * known

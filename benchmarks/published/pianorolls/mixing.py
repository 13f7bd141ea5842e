"""A mixture of predictors by frame, weighted by how well each did so far in the piece: exact, and of the past alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MEMORY = 0.8
"""Share of what is known of a predictor that is kept from frame to frame."""


def mixed_nats(nats: Tensor, lengths: Sequence[int], memory: float = MEMORY) -> Tensor:
    """Nats (M, F) of M predictors -> (F,) of their mixture.

    Each piece, of so many scored frames, begins with equal weights. A predictor's weight at a frame is proportional to
    exp(-what the frames before it in the piece cost it), older ones counting ``memory`` times less for each frame;
    so the mixture is a distribution over frames wherever they are.
    """
    found = []
    for piece in nats.split(list(lengths), 1):
        cost = torch.zeros(len(nats), dtype=nats.dtype)
        for now in piece.unbind(1):
            found.append(-torch.logsumexp(torch.log_softmax(-cost, 0) - now, 0))
            cost = memory * cost + now
    return torch.stack(found)

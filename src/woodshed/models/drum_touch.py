"""A small net that reads a score of drums, both ways, and says how late and how loud each hit may be played.

Of both it says seven quantiles, learned by the pinball loss (Koenker & Bassett 1978): the middle one is the conditional
median, which errs least, the others how far drummers go. Residual dilated convolutions in the manner of van den Oord et
al. 2016, both ways, and the mean over all steps. It stands where Gillick et al. 2019 (GrooVAE) have a Seq2Seq of LSTMs.

Shape letters: B songs, R rows of a score, T sixteenths, W width, Q quantiles.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.drum_touch_sizes import (
    DILATIONS,
    EPSILON,
    FIELDS,
    KINDS,
    LOG_TEMPI,
    MIDDLE,
    PLACES,
    QUANTILES,
    TEMPI,
    TEMPO_WIDTH,
    UNIT,
    WHERE,
    DrumTouchConfig,
)


class ChannelNorm(nn.LayerNorm):
    """Of (B, W, T) over W, so that what is far away, such as the silence after a short song, does not matter."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Block(nn.Module):
    """A residual convolution over three steps, so many apart."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = ChannelNorm(width, eps=EPSILON)
        self.wide = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.mix(self.dropout(F.gelu(self.wide(self.norm(x)), approximate="tanh")))
        return out


class DrumTouch(nn.Module):
    """Scores (B, R, T) and logarithms of tempo (B,) -> (B, 2, 9, Q, T): lateness in ms and velocity of each kind."""

    name: ClassVar[str] = "drum-touch"

    def __init__(self, config: DrumTouchConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.begin = nn.Conv1d(config.rows + TEMPI, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width, dilation, dropout) for dilation in DILATIONS)
        self.whole = nn.Linear(width, width)
        self.norm = ChannelNorm(width, eps=EPSILON)
        self.end = nn.Conv1d(width, FIELDS * KINDS * len(QUANTILES), 1)
        nn.init.normal_(self.end.weight, std=0.02)
        if self.end.bias is not None:
            nn.init.zeros_(self.end.bias)
        self.knots: Tensor
        self.register_buffer("knots", torch.tensor(LOG_TEMPI), persistent=False)

    def forward(self, score: Tensor, log_tempo: Tensor) -> Tensor:
        """Steps of which no place in the bar is said are past a short song's end, and are not heard."""
        tempo = torch.exp(-((log_tempo[:, None] - self.knots) ** 2) / (2 * TEMPO_WIDTH**2))  # (B, TEMPI)
        x = self.begin(torch.cat((score, tempo[:, :, None].expand(-1, -1, score.shape[2])), 1))
        is_there = score[:, -PLACES - WHERE : -WHERE].sum(1, keepdim=True)  # (B, 1, T)
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number == len(DILATIONS) // 2:
                x = x + self.whole((x * is_there).sum(2) / is_there.sum(2))[:, :, None]
        told = self.end(self.norm(x)).unflatten(1, (FIELDS, KINDS, len(QUANTILES)))
        found: Tensor = told * told.new_tensor(UNIT)[:, None, None, None] + told.new_tensor(MIDDLE)[:, None, None, None]
        return found

"""The exact likelihood of chorales on a grid under one net or several, in one order of the voices or several.

Within an order, a cell's distribution is the normalised geometric mean of what the nets say of it, each in some keys
that the piece is transposed to, sharpened or not: a distribution, because all of them see the same past and it is
normalised for each cell. Its product over the voices of a frame is a distribution over frames, one for each order;
`mixture_nats` of `woodshed.evaluation.voice_grids` mixes those.

Shape letters: S sharpnesses, O orders, B pieces, T frames, V voices, C cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from woodshed.codecs.voice_grid_counts import Counts
from woodshed.models.voice_grid import CountedBatch, VoiceGridNet


@torch.no_grad()
def log_chances(
    nets: Sequence[VoiceGridNet],
    rows: Tensor,
    cells: Tensor,
    orders: Sequence[tuple[int, ...]],
    *,
    shifts: Sequence[int] = (0,),
    sharpness: Sequence[float] = (1.0,),
    counts: Counts | None = None,
) -> Tensor:
    """(S, O, B, T, V) the log chance that each cell is what it is, given all before it; 0 for a voice that is shown.

    Args:
        nets: all shown voice 0, or none of them; in evaluation mode.
        rows: (B, T, R) what is known before each frame.
        cells: (B, T, V) MIDI pitches, -1 a rest.
        orders: in which the voices of a frame are taken.
        shifts: semitones by which each net hears the piece moved, -6 to 5.
        sharpness: S of them to try, of the mean; above 1 it trusts what is likely more.
        counts: of the pieces that were learned, for nets that hear of them.
    """
    config = nets[0].config
    keys = [torch.full((len(rows),), shift) for shift in shifts]
    heard = [
        (net, key, net.body(rows, key, net.look_at(cells[..., 0], key)))
        for net in nets
        for key in keys
    ]  # fmt: skip
    found = []
    for order in orders:
        decided: dict[int, Tensor] = {}
        log_chance = torch.zeros(len(sharpness), *cells.shape)
        for voice in order:
            if not (config.shown and voice == 0):
                told = None if counts is None else _counted(counts, rows, cells, voice, sorted(decided))
                total = torch.zeros(1)
                for net, key, known in heard:
                    said = net.logits(known, rows, key, voice, decided, told).log_softmax(-1)
                    total = total + torch.cat((said[..., :1], said[..., 1:].roll(-int(key[0]), -1)), -1)
                pitch = cells[..., voice]
                cell = torch.where(pitch < 0, 0, pitch - config.lowest + 1)[..., None]
                for number, sharp in enumerate(sharpness):
                    mean = (total * (sharp / len(heard))).log_softmax(-1)
                    log_chance[number, ..., voice] = mean.gather(-1, cell).squeeze(-1)
            decided[voice] = cells[..., voice]
        found.append(log_chance)
    return torch.stack(found, 1)


def _counted(counts: Counts, rows: Tensor, cells: Tensor, voice: int, others: Sequence[int]) -> CountedBatch:
    found = [counts.of_piece(*piece, voice, others) for piece in zip(rows.numpy(), cells.numpy(), strict=True)]
    trust = np.stack([piece.trust for piece in found]).astype(np.int64)
    return torch.from_numpy(np.stack([piece.logs for piece in found])), torch.from_numpy(trust)

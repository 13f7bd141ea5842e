"""How likely a model finds a song: here because training and evaluation both ask, and neither may import the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs import NoteStepCodec
from woodshed.codecs.inputs import song_inputs
from woodshed.codecs.note_step import LONGEST_SHIFT, TIME_SHIFT
from woodshed.music import Song

if TYPE_CHECKING:
    from woodshed.models.note_transformer import NoteTransformer


def song_nats(model: NoteTransformer, codec: NoteStepCodec, song: Song) -> tuple[NDArray[np.float64], int]:
    """Nats of each of the six fields (6,), summed over a whole arranged song, rests and END included; and its notes."""
    import torch

    from woodshed.models.note_transformer import Inputs, score

    device = next(model.parameters()).device
    inputs = song_inputs(codec, song)
    batch = Inputs(*(torch.from_numpy(array)[None].to(device) for array in inputs))
    nats: NDArray[np.float64] = score(model, batch)[0].sum(0).double().cpu().numpy()
    return nats, int((inputs.rows[1:, TIME_SHIFT] <= LONGEST_SHIFT).sum())

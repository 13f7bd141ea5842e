"""From which chance on a cell of a roll is to come on, so that as many do as in real music.

Chances of notes are small: a net that is sure of nothing gives none of them a half, and a threshold of a half gives
silence. Lackner recommends 0.1; we measure, on songs that were not learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from woodshed.bundle import Bundle, roll_model
from woodshed.errors import CodecError
from woodshed.music import Song

SONGS, ROWS = 16, 512
"""Of so many songs, so many rows at most."""
LEAST = 1e-4


def find_threshold(bundle: Bundle, songs: Sequence[Song]) -> float:
    """The chance that as many of the cells that were off reach as come on; 0.5 where there is nothing to measure.

    All before a row is real music, as in training.
    """
    import torch

    model, codec = roll_model(bundle)
    device, training = next(model.parameters()).device, model.training
    model.eval()
    chances, came = [], 0
    for song in songs[:: max(len(songs) // SONGS, 1)][:SONGS]:
        try:
            given, roll = codec.rows(codec.arrange(song))
        except CodecError:
            continue
        with torch.no_grad():
            rows = [torch.from_numpy(part[None, :ROWS]).to(device) for part in (given.astype(np.float32), roll)]
            found, real = model.start_chances(*rows)
        chances.append(found[found > LEAST].cpu().numpy())
        came += int(real.sum())
    model.train(training)
    pool = np.concatenate(chances) if chances else np.empty(0)
    if not 0 < came < len(pool):
        return 0.5
    return round(float(np.clip(np.partition(pool, -came)[-came], 1e-3, 0.999)), 4)

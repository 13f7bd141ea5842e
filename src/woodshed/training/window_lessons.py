"""Batches of windows and the event after each, as the Keras systems learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from woodshed.codecs.pitch_names import varied
from woodshed.errors import CorpusError
from woodshed.music import Song
from woodshed.training.lessons import Loss


class WindowBatch(NamedTuple):
    """B windows of L events."""

    windows: NDArray[np.float32]
    """(B, L, inputs), scaled."""
    targets: NDArray[Any]
    """(B,) ids, or (B, 3) rows."""


class WindowLessons:
    """Every window of every song that has an event after it, drawn at random; none reaches from one song into another.

    With ``unique_factor`` above 0 only windows with more than so many different events are learned, as in DeepRock.
    """

    def __init__(self, codec: Any, songs: Sequence[Song], batch: int, length: int, unique_factor: int = 0) -> None:
        self.codec, self.batch = codec, batch
        encoded = [codec.encode(song) for song in songs if len(song)]
        windows = [codec.windows(events, length) for events in encoded]
        targets = [codec.targets(events, length) for events in encoded]
        if unique_factor > 0:
            kept = [varied(seen, unique_factor) for seen in windows]
            windows = [seen[mask] for seen, mask in zip(windows, kept, strict=True)]
            targets = [told[mask] for told, mask in zip(targets, kept, strict=True)]
        if not sum(map(len, targets)):
            what = (
                f"{length} events, with more than {unique_factor} different ones"
                if unique_factor
                else f"{length} events"
            )
            raise CorpusError(
                f"no part has more than {what}, and this recipe learns from such stretches; give longer music, "
                "or lower --set model.window or training.unique_factor"
            )
        self.windows, self.targets = np.concatenate(windows), np.concatenate(targets)
        if self.targets.dtype == np.float64:
            self.targets = self.targets.astype(np.float32)

    def draw(self, rng: np.random.Generator) -> WindowBatch:
        """One batch; the generator is the only source of chance."""
        chosen = rng.integers(len(self.targets), size=self.batch)
        return WindowBatch(self.codec.scale(self.windows[chosen]), self.targets[chosen])

    def loss(self, model: Any, batch: WindowBatch, device: torch.device) -> Loss:
        """What the system makes small: nats, or with seconds in it a weighted sum."""
        windows, targets = torch.from_numpy(batch.windows).to(device), torch.from_numpy(batch.targets).to(device)
        mean = model.loss(windows, targets)
        return Loss(mean * len(targets), len(targets), len(targets))

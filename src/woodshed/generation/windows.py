"""Playing on from a window of events, as the Keras systems do: the latest events are read, the next is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, window_model
from woodshed.codecs.pitch_step_duration import PitchStepDurationCodec
from woodshed.generation.filters import Sampling, draw


def play_windows(
    bundle: Bundle,
    passage: NDArray[Any],
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    count: int = 1,
    playable: NDArray[np.bool_] | None = None,
) -> Iterator[NDArray[Any]]:
    """``count`` streams side by side after ``passage``, whose last events fill the window. Without end.

    Each item is the next event of every stream: (count,) ids, or (count, 3) rows. ``playable`` says which ids, or
    pitches, may be drawn; None: all.

    Of pitch-step-duration the pitch is drawn, and step and duration are what the net says, not below 0, as in its
    source; the generator is the only source of chance.

    Raises:
        BundleError: if the bundle has no window.
    """
    import torch

    from woodshed.models.keras_lstm import select

    model, codec = window_model(bundle)
    window = codec.scale(passage[-model.config.window :])[None]
    said: Any
    said, state = model.read(torch.from_numpy(np.ascontiguousarray(window)))
    index = torch.zeros(count, dtype=torch.int64)
    state = select(state, index)
    said = type(said)(*(head[index] for head in said)) if isinstance(said, tuple) else said[index]
    seconds = isinstance(codec, PitchStepDurationCodec)
    while True:
        logits = (said.pitch if seconds else said).double().numpy()
        if playable is not None:
            logits = np.where(playable, logits, -np.inf)
        drawn = draw(logits, sampling, sampling.temperature, rng)
        events: NDArray[Any] = drawn
        if seconds:
            told = [np.maximum(head.double().numpy(), 0.0) for head in (said.step, said.duration)]
            events = np.stack((drawn.astype(np.float64), *told), axis=-1)
        yield events
        said, state = model.slide(torch.from_numpy(codec.scale(events)), state)

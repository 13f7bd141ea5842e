"""Playing on from a window of events, as the Keras systems do: the latest events are read, the next is drawn.

There are two modes. ``"windowed"`` is what the nets were trained for: each event is drawn after just the last L, the
length of the window. ``"carried"`` lets states run on from event to event instead of reading a window anew. Where a net
says so (its ``renewals``), the state that is asked has heard between L and L + L / renewals events, then a younger one
that has heard L takes its place, which costs a few rows of one step; else one state hears all. What that costs in nats
is measured in ``benchmarks/carried_state``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, window_model
from woodshed.codecs.pitch_step_duration import PitchStepDurationCodec
from woodshed.errors import UnknownName, UsageError
from woodshed.generation.filters import Sampling, draw

MODES = ("windowed", "carried")


def check_mode(bundle: Bundle, mode: str) -> None:
    """Whether the bundle can be played so.

    Raises:
        UnknownName: for a mode that there is not.
        UsageError: if its net can not carry a state.
    """
    if mode not in MODES:
        raise UnknownName(f"mode {mode!r} is not one of {', '.join(MODES)}")
    model, _ = window_model(bundle)
    if mode == "carried" and not hasattr(model, "step"):
        raise UsageError(
            f"recipe {bundle.recipe} cannot carry a state: its dense layer sees each of the last "
            f"{model.config.window} outputs by its place; use --mode windowed"
        )


def play_windows(
    bundle: Bundle,
    passage: NDArray[Any],
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    count: int = 1,
    odds: NDArray[np.float64] | None = None,
    mode: str = "windowed",
) -> Iterator[NDArray[Any]]:
    """``count`` streams side by side after ``passage``, whose last events fill the window. Without end.

    Each item is the next event of every stream: (count,) ids, or (count, 3) rows. The odds of each id, or
    pitch, are multiplied by its own of ``odds`` (ids,); 0 is never. ``mode`` is one of `MODES`.

    Of pitch-step-duration the pitch is drawn, and step and duration are what the net says, not below 0, as in its
    source; the generator is the only source of chance.

    Raises:
        BundleError: if the bundle has no window.
        UsageError: for a mode that the net has not.
    """
    model, codec = window_model(bundle)
    check_mode(bundle, mode)
    reader = (_Carried if mode == "carried" else _Windowed)(model, count)
    said = reader.begin(np.ascontiguousarray(codec.scale(passage[-model.config.window :])))
    seconds = isinstance(codec, PitchStepDurationCodec)
    with np.errstate(divide="ignore"):
        log_odds = None if odds is None else np.log(odds)
    while True:
        logits = (said.pitch if seconds else said).astype(np.float64)
        if log_odds is not None:
            logits = logits + log_odds
        drawn = draw(logits, sampling, sampling.temperature, rng)
        events: NDArray[Any] = drawn
        if seconds:
            events = np.empty((count, 3))
            events[:, 0] = drawn
            events[:, 1] = np.maximum(said.step, 0.0)
            events[:, 2] = np.maximum(said.duration, 0.0)
        yield events
        said = reader.hear(codec.scale(events))


class _Windowed:
    """B streams that read the last L events for each new one."""

    def __init__(self, model: Any, count: int) -> None:
        self.model, self.count = model, count

    def begin(self, passage: NDArray[np.float32]) -> Any:
        """What the net says (B) after ``passage`` (L, I), heard by all streams."""
        said, self.state = self.model.read(
            np.repeat(passage[None], self.count, 0)
        )  # how it goes on depends on how many
        return said

    def hear(self, event: NDArray[np.float32]) -> Any:
        """What the net says (B) after one more ``event`` (B, I)."""
        said, self.state = self.model.slide(event, self.state)
        return said


class _Carried:
    """B streams, each with a few states of different ages, oldest first; the oldest is asked. All step as one."""

    def __init__(self, model: Any, count: int, renewals: int | None = None) -> None:
        self.model, self.count = model, count
        times = model.renewals if renewals is None else renewals
        self.every = -(-model.config.window // times) if times else math.inf
        self.blank = self.state = model.start(count)
        self.ages = [0]

    def begin(self, passage: NDArray[np.float32]) -> Any:
        """As in `_Windowed`."""
        said = None
        for event in passage:
            said = self.hear(np.repeat(event[None], self.count, 0))
        return said

    def hear(self, event: NDArray[np.float32]) -> Any:
        """As in `_Windowed`."""
        if self.every == math.inf:
            said, self.state = self.model.step(event, self.state)
            self.ages[0] += 1
            return said
        from woodshed.models.keras_lstm import joined, select

        if self.ages[-1] == self.every:
            self.state = joined(self.state, self.blank)
            self.ages.append(0)
        heard = event if len(self.ages) == 1 else np.concatenate([event] * len(self.ages))
        said, self.state = self.model.step(heard, self.state)
        old = int(len(self.ages) > 1 and self.ages[1] + 1 >= self.model.config.window) * self.count
        if old:
            self.state = select(self.state, np.arange(old, len(self.ages) * self.count))
        self.ages = [age + 1 for age in self.ages[old // self.count :]]
        if len(heard) == self.count:
            return said
        asked = slice(old, old + self.count)
        return type(said)(*(head[asked] for head in said)) if isinstance(said, tuple) else said[asked]

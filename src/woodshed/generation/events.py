"""Playing a line of events: several streams side by side, each label drawn given all before it; beams on request.

Source: Magenta's ``EventSequenceRnnModel.generate_events`` and ``beam_search``. We differ in judging a beam by what the
model itself believes rather than by its probabilities after the temperature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, event_model
from woodshed.codecs import EventCodec
from woodshed.errors import InfeasibleCanvas, OutOfRange
from woodshed.generation.beam import Beam
from woodshed.generation.filters import Sampling, draw, probabilities

MOST_STREAMS = 4096


@dataclass(frozen=True)
class Line:
    """A request for one line of events."""

    primer: NDArray[np.int64]
    """(P,) events that are given; may be empty."""
    steps: int
    """How many new ones are wanted."""
    steps_per_bar: int
    playable: NDArray[np.bool_] | None = None
    """(events,) which may be played; None: all."""


def play_events(
    bundle: Bundle,
    line: Line,
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    count: int = 1,
    beam: Beam | None = None,
    on_step: Callable[[float], None] | None = None,
) -> NDArray[np.int64]:
    """(count, steps) new events, drawn side by side. The generator is the only source of chance.

    Raises:
        OutOfRange: for too many streams at once.
        InfeasibleCanvas: if nothing may be played.
    """
    import torch

    beam = beam or Beam()
    wide = beam.size * beam.branch_factor
    if not 1 <= count * wide <= MOST_STREAMS:
        raise OutOfRange(
            f"{count} x {wide} streams at once is outside 1-{MOST_STREAMS}; ask for fewer or a smaller beam"
        )
    if line.playable is not None and not line.playable.any():
        raise InfeasibleCanvas("no event may be played; widen the range or the key")
    with torch.inference_mode():
        streams = _Streams(bundle, line, count * wide)
        likelihood = np.zeros(count * wide)
        for step in range(line.steps):
            likelihood += streams.play_one(sampling, rng)
            if wide > 1:
                kept = _best(likelihood.reshape(count, wide), beam)
                streams.keep(kept)
                likelihood = likelihood[kept]
            if on_step is not None:
                on_step((step + 1) / line.steps)
    best = likelihood.reshape(count, wide).argmax(1) + wide * np.arange(count)
    return streams.events[best, len(line.primer) :]


def _best(likelihood: NDArray[np.float64], beam: Beam) -> NDArray[np.int64]:
    """Of each row's streams the ``beam.size`` likeliest, each ``beam.branch_factor`` times, as flat indices."""
    order = np.argsort(-likelihood, axis=1, kind="stable")[:, : beam.size]
    flat = order + likelihood.shape[1] * np.arange(len(likelihood))[:, None]
    return np.repeat(flat, beam.branch_factor, axis=1).ravel()


def allowed_labels(codec: EventCodec, line: Line, past: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(labels,) what obeys the codec and the line after ``past``."""
    mask = codec.allowed(past, line.steps_per_bar)
    if line.playable is not None:
        known = len(line.playable)
        mask[:known] &= line.playable
        for label in range(known, codec.labels):
            mask[label] &= line.playable[codec.event(label, past, line.steps_per_bar)]
    return mask


class _Streams:
    """B sequences in the making."""

    def __init__(self, bundle: Bundle, line: Line, count: int) -> None:
        self.model, self.codec = event_model(bundle)
        self.line, self.count, self.at = line, count, len(line.primer)
        self.events = np.zeros((count, self.at + line.steps), np.int64)
        self.events[:, : self.at] = line.primer
        self.player = _ChainPlayer(self) if hasattr(self.model, "nats") else _NetPlayer(self)

    def play_one(self, sampling: Sampling, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the next event of each stream; returns the log-probabilities (B,) that the model gave them."""
        logits = self.player.logits()
        mask = np.stack([allowed_labels(self.codec, self.line, past) for past in self.events[:, : self.at]])
        mask[~mask.any(1)] = True
        logits = np.where(mask, logits, -np.inf)
        labels = draw(logits, sampling, sampling.temperature, rng)
        believed = np.log(np.maximum(probabilities(logits)[np.arange(self.count), labels], 1e-300))
        for stream, label in enumerate(labels):
            past = self.events[stream, : self.at]
            self.events[stream, self.at] = self.codec.event(int(label), past, self.line.steps_per_bar)
        self.at += 1
        self.player.push(labels)
        return believed

    def keep(self, streams: NDArray[np.int64]) -> None:
        """Go on with these streams instead, each of which may be named more than once."""
        self.events = self.events[streams]
        self.player.keep(streams)

    def look(self) -> NDArray[np.int64]:
        """(B, K) what each stream's model sees before its next event."""
        return np.stack([self.codec.look_next(past, self.line.steps_per_bar) for past in self.events[:, : self.at]])


class _NetPlayer:
    """A net with a state that is carried from event to event."""

    def __init__(self, streams: _Streams) -> None:
        import torch

        self.streams, self.torch = streams, torch
        self.model = streams.model
        state = self.model.start(1)
        primer = streams.line.primer
        for row in streams.codec.look(primer, streams.line.steps_per_bar)[: len(primer)]:
            _, state = self.model.step(torch.from_numpy(row[None]), state)
        self.state = self.model.select(state, torch.zeros(streams.count, dtype=torch.int64))

    def logits(self) -> NDArray[np.float64]:
        """(B, labels)"""
        logits, self.state = self.model.step(self.torch.from_numpy(self.streams.look()), self.state)
        out: NDArray[np.float64] = logits.double().numpy()
        return out

    def push(self, labels: NDArray[np.int64]) -> None:
        """The net sees the events themselves, see `_Streams.look`."""

    def keep(self, streams: NDArray[np.int64]) -> None:
        """As in `_Streams`."""
        self.state = self.model.select(self.state, self.torch.from_numpy(streams))


class _ChainPlayer:
    """A Markov chain, whose state is its latest labels."""

    def __init__(self, streams: _Streams) -> None:
        import torch

        self.streams, self.torch, self.model = streams, torch, streams.model
        self.state: Any = self.model.start(streams.count)
        self.push(np.full(streams.count, -1))
        for label in streams.codec.targets(streams.line.primer, streams.line.steps_per_bar):
            self.push(np.full(streams.count, label))

    def logits(self) -> NDArray[np.float64]:
        """(B, labels)"""
        out: NDArray[np.float64] = self.known.double().numpy()
        return out

    def push(self, labels: NDArray[np.int64]) -> None:
        """Remember what was drawn."""
        self.known, self.state = self.model.step_label(self.torch.from_numpy(labels), self.state)

    def keep(self, streams: NDArray[np.int64]) -> None:
        """As in `_Streams`."""
        index = self.torch.from_numpy(streams)
        self.known, self.state = self.known[index], self.model.select(self.state, index)

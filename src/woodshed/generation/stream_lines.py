"""A station that plays a melody: an event a sixteenth, its state carried from bar to bar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, event_model
from woodshed.codecs.melody import FIRST_PITCH, NO_EVENT, MelodyCodec
from woodshed.errors import InfeasibleCanvas
from woodshed.generation.events import Line, allowed_labels
from woodshed.generation.filters import Sampling, draw
from woodshed.generation.stream import NOTHING, Drawn
from woodshed.music import NOTE, Song
from woodshed.music.melodies import STEP_TICKS

PAST_BARS = 4
"""The codec is given so many of the last bars, and up to two more: it looks back by two, and counts within two."""


@dataclass(frozen=True)
class LineStation:
    """A melody at a bar line."""

    frame: Song
    model: Any
    codec: Any
    """A `MelodyCodec`."""
    line: Line
    """Its primer and steps are not read here."""
    move: int
    """Semitones from the pitches that the model plays to those that are heard."""
    past: NDArray[np.int64]
    """The latest events; as many as all there were, less a whole number of two bars."""
    state: Any
    """The model's, before it was told what is next: it sees ``past`` when it is asked."""
    known: Any = None
    """Of a Markov chain, which is told labels: what it says of the next (1, labels)."""

    def play(self, sampling: Sampling, rng: np.random.Generator, attempt: int) -> tuple[Drawn, LineStation]:
        """A bar of events."""
        import torch

        past, state, known = self.past, self.state, self.known
        with torch.inference_mode():
            for _ in range(self.line.steps_per_bar):
                if known is None:
                    row = torch.from_numpy(self.codec.look_next(past, self.line.steps_per_bar)[None])
                    logits, state = self.model.step(row, state)
                else:
                    logits = known
                label = self._draw(logits.double().numpy(), past, sampling, rng)
                if known is not None:
                    known, state = self.model.step_label(torch.tensor([label]), state)
                past = np.append(past, self.codec.event(label, past, self.line.steps_per_bar))
        after = replace(self, past=trim(past, self.line.steps_per_bar), state=state, known=known)
        return self._heard(past[-self.line.steps_per_bar :]), after

    def _draw(
        self, logits: NDArray[np.float64], past: NDArray[np.int64], sampling: Sampling, rng: np.random.Generator
    ) -> int:
        mask = allowed_labels(self.codec, self.line, past)
        if not mask.any():
            mask[:] = True
        return int(draw(np.where(mask, logits, -np.inf), sampling, sampling.temperature, rng)[0])

    def _heard(self, events: NDArray[np.int64]) -> Drawn:
        """The notes of a bar of events."""
        notes = self.codec.decode(events, self.frame).notes.copy()
        notes["pitch"] += self.move
        turns = np.flatnonzero(self.past)
        if not len(turns) or self.past[turns[-1]] < FIRST_PITCH or events[0] != NO_EVENT:
            return Drawn(notes)
        pitch = self.past[turns[-1]] - FIRST_PITCH + self.codec.low + self.move
        first = np.flatnonzero(events)
        steps = int(first[0]) if len(first) else len(events)
        return Drawn(notes, np.array([(0, 0, steps * STEP_TICKS, pitch, 1)], NOTE) if steps else NOTHING)


def tune_line(bundle: Bundle, frame: Song, line: Line, move: int) -> LineStation:
    """A station that goes on after ``line.primer``, whose length is a whole number of bars.

    Raises:
        InfeasibleCanvas: if nothing may be played.
    """
    import torch

    if line.playable is not None and not line.playable.any():
        raise InfeasibleCanvas("no event may be played; widen the range or the key")
    model: Any
    model, codec = event_model(bundle)
    assert isinstance(codec, MelodyCodec)
    known = None
    with torch.inference_mode():
        state = model.start(1)
        if hasattr(model, "nats"):
            for label in (-1, *codec.targets(line.primer, line.steps_per_bar).tolist()):
                known, state = model.step_label(torch.tensor([label]), state)
        else:
            for row in codec.look(line.primer, line.steps_per_bar)[: len(line.primer)]:
                _, state = model.step(torch.from_numpy(row[None]), state)
    return LineStation(frame, model, codec, line, move, trim(line.primer, line.steps_per_bar), state, known)


def trim(past: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
    """The latest `PAST_BARS` bars and less than two more, such that the codec sees no difference.

    It must know where in two bars it is, so a multiple of two bars goes; and what sounds, so a note or its end that is
    long past stays, at the very beginning, where nothing looks back to.
    """
    gone = (len(past) - PAST_BARS * steps_per_bar) // (2 * steps_per_bar) * 2 * steps_per_bar
    if gone <= 0:
        return past
    kept = past[gone:].copy()
    before = np.flatnonzero(past[:gone])
    if not kept.any() and len(before):
        kept[0] = past[before[-1]]
    return kept

"""A station of a window system: event after event, each as long as it says, over bar lines and all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, window_model
from woodshed.codecs.pitch_step_duration import PitchStepDurationCodec
from woodshed.errors import LimitExceeded
from woodshed.generation.fill import NOTES_PER_BAR_LIMIT
from woodshed.generation.filters import Sampling, draw
from woodshed.generation.stream import NOTHING, Drawn
from woodshed.music import NOTE, Song
from woodshed.music.units import TICKS_PER_QUARTER

VELOCITY = 100


@dataclass(frozen=True)
class WindowStation:
    """A solo at a bar line."""

    frame: Song
    model: Any
    codec: Any
    said: Any
    """What the net says of the next event."""
    state: Any
    at: float = 0.0
    """Ticks from the bar line to where the next event starts; of pitch-step-duration, to where the last one did."""

    def play(self, sampling: Sampling, rng: np.random.Generator, attempt: int) -> tuple[Drawn, WindowStation]:
        """The events that start in a bar.

        Raises:
            LimitExceeded: at more than `NOTES_PER_BAR_LIMIT` events: a net may say that no time passes.
        """
        after, heard, bar = self, [NOTHING], self.frame.meter.bar_ticks
        for _ in range(NOTES_PER_BAR_LIMIT):
            event, notes, start, at = after._next(sampling, rng)
            if start >= bar:
                return Drawn(np.concatenate(heard)), replace(after, at=after.at - bar)
            heard.append(notes)
            after = replace(after._told(event), at=at)
        raise LimitExceeded(
            f"more than {NOTES_PER_BAR_LIMIT} events in a bar; time stands still; train longer, or play warmer"
        )

    def _next(self, sampling: Sampling, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any], float, float]:
        """One event, its notes, the tick at which it starts, and the station's place after it."""
        if isinstance(self.codec, PitchStepDurationCodec):
            return self._next_in_seconds(sampling, rng)
        if self.at >= self.frame.meter.bar_ticks:  # what comes is not of this bar: it need not be drawn
            return np.zeros(1, np.int64), NOTHING, self.at, self.at
        event = draw(self.said.astype(np.float64), sampling, sampling.temperature, rng)
        played = self.codec.decode(event, self.frame)
        notes = played.notes.copy()
        notes["onset"] += round(self.at)
        return event, notes, self.at, self.at + played.length

    def _next_in_seconds(
        self, sampling: Sampling, rng: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[Any], float, float]:
        """The same where the net says how many seconds pass before the event, and how many it sounds."""
        ticks_per_second = TICKS_PER_QUARTER * self.frame.bpm / 60
        step, length = (max(float(head[0]), 0.0) for head in (self.said.step, self.said.duration))
        pitch = int(draw(self.said.pitch.astype(np.float64), sampling, sampling.temperature, rng)[0])
        start = self.at + step * ticks_per_second
        onset = round(start)
        duration = max(min(round(start + length * ticks_per_second), 1 << 24) - onset, 1)
        event = np.array([(pitch, step, length)])
        return event, np.array([(0, onset, duration, pitch, VELOCITY)], NOTE), float(onset), start

    def _told(self, event: NDArray[Any]) -> WindowStation:
        """The net has heard one more event."""
        said, state = self.model.slide(self.codec.scale(event), self.state)
        return replace(self, said=said, state=state)


def tune_window(bundle: Bundle, frame: Song, passage: NDArray[Any]) -> WindowStation:
    """A station that goes on from a real passage, whose last events fill the window."""
    model, codec = window_model(bundle)
    window = codec.scale(passage[-model.config.window :])[None]
    said, state = model.read(np.ascontiguousarray(window))
    return WindowStation(frame, model, codec, said, state)

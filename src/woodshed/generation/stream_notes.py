"""A station that plays all parts of a band, note after note, with a memory that is bounded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from woodshed.bundle import Bundle
from woodshed.errors import LimitExceeded
from woodshed.generation.canvas import Canvas
from woodshed.generation.fill import NOTES_PER_BAR_LIMIT, Streams, rules_of, view_of
from woodshed.generation.filters import Sampling
from woodshed.generation.rules import Rules
from woodshed.generation.stream import NOTHING, Drawn
from woodshed.music import Song
from woodshed.music.units import STEPS_PER_QUARTER, ticks_per_step, ticks_to_steps

STEP_TICKS = ticks_per_step(STEPS_PER_QUARTER)
ENDLESS = 1 << 60
"""The step at which a stream ends."""


@dataclass(frozen=True)
class NoteStation:
    """A band at a bar line."""

    frame: Song
    rules: Rules
    streams: Streams
    """One song; never played on, only its copies are."""
    first_tick: int
    """Where the stream begins in that song."""
    bars: int = 0
    """How many were played."""

    def play(self, sampling: Sampling, rng: np.random.Generator, attempt: int) -> tuple[Drawn, NoteStation]:
        """All notes of a bar. What the model says of the time after its last note is asked again from the bar line on.

        Raises:
            LimitExceeded: at more than `NOTES_PER_BAR_LIMIT` notes.
        """
        streams = self.streams.copy()
        streams.begin, end = self._step(self.bars), self._step(self.bars + 1)
        for _ in range(NOTES_PER_BAR_LIMIT):
            if not streams.play_one(self.rules, sampling, rng, stop=end):
                break
        else:
            raise LimitExceeded(f"more than {NOTES_PER_BAR_LIMIT} notes in a bar; lower the temperature")
        rows, onsets = streams.notes_of(0)
        streams.stay_small()
        # `notes` lets none begin before 0: a step more, so that what is early stays so.
        notes = streams.codec.notes(rows, onsets - streams.begin + 1) if len(rows) else NOTHING.copy()
        notes["onset"] -= STEP_TICKS
        notes["part"] = np.array(streams.view.owners, np.int16)[notes["part"]]
        return Drawn(notes), replace(self, streams=streams, bars=self.bars + 1)

    def _step(self, bar: int) -> int:
        """At which a bar begins."""
        return int(ticks_to_steps(self.first_tick + bar * self.frame.meter.bar_ticks, STEPS_PER_QUARTER))


def tune_notes(bundle: Bundle, canvas: Canvas, frame: Song) -> NoteStation:
    """A station that fills a canvas from where it is open, for ever. ``frame`` has the canvas' parts.

    Raises:
        InfeasibleCanvas: if nothing is open or no pitch is allowed.
    """
    view = replace(view_of(bundle, canvas), end=ENDLESS)
    streams = Streams(bundle, view, canvas.first_bar, 1)
    streams.read_past()
    return NoteStation(frame, rules_of(bundle, canvas, view), streams, canvas.open_from)

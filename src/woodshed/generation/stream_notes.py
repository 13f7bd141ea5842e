"""A station that plays all parts of a band, note after note, with a memory that is bounded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.codecs.past import forget
from woodshed.errors import LimitExceeded
from woodshed.generation.canvas import Canvas
from woodshed.generation.engine import (
    AT_STOP,
    NEVER,
    Scene,
    Stream,
    Weights,
    copy_stream,
    play_rows,
    scene_of,
    sow,
    usual_of,
)
from woodshed.generation.fill import ALL_ROWS, NOTES_PER_BAR_LIMIT, begin_stream, lay_out, openness_of, player_weights
from woodshed.generation.filters import Sampling, numbers_of
from woodshed.generation.plan import Plan, make_plan
from woodshed.generation.stream import NOTHING, Drawn
from woodshed.music import Song
from woodshed.music.meter import bar_of
from woodshed.music.units import STEPS_PER_QUARTER, ticks_per_step, ticks_to_steps

STEP_TICKS = ticks_per_step(STEPS_PER_QUARTER)
ROWS_REMEMBERED = 4 * NOTES_PER_BAR_LIMIT
"""The pointers into the past see at least so many of the last rows."""
REACH = 192
"""Steps past a bar that a time shift may go."""


@dataclass(frozen=True)
class NoteStation:
    """A band at a bar line."""

    frame: Song
    weights: Weights
    plan: Plan
    stream: Stream
    """Never played on: only its copies are."""
    first_tick: int
    """Where the stream begins in that song."""
    bars: int = 0
    """How many were played."""

    def play(self, sampling: Sampling, rng: np.random.Generator, attempt: int) -> tuple[Drawn, NoteStation]:
        """All notes of a bar. What the model says of the time after its last note is asked again from the bar line on.

        Raises:
            LimitExceeded: at more than `NOTES_PER_BAR_LIMIT` notes.
        """
        stream, begin, end = copy_stream(self.stream), self._step(0), self._step(1)
        sow(stream, int(rng.integers(1 << 62)))
        stream.at[3] = 0
        if play_rows(self.weights, self._scene(begin, end), stream, *numbers_of(sampling), ALL_ROWS, end) != AT_STOP:
            raise LimitExceeded(f"more than {NOTES_PER_BAR_LIMIT} notes in a bar; lower the temperature")
        forget(stream.past, ROWS_REMEMBERED)
        after = replace(self, stream=stream, bars=self.bars + 1)
        played = stream.kept[: stream.at[3]]
        if not len(played):
            return Drawn(NOTHING), after
        # `notes` lets none begin before 0: some steps more, so that what is early stays so.
        early = 2
        notes = NoteStepCodec().notes(played[:, :6], played[:, 0] - begin + early)
        notes["onset"] -= early * STEP_TICKS
        notes["part"] = np.array(self.plan.owners, np.int16)[notes["part"]]
        return Drawn(notes), after

    def _step(self, more: int) -> int:
        """At which the next bar, or one after it, begins."""
        tick = self.first_tick + (self.bars + more) * self.frame.meter.bar_ticks
        return int(ticks_to_steps(tick, STEPS_PER_QUARTER))

    def _scene(self, begin: int, end: int) -> Scene:
        """The bar, and what a note may reach past it; the bar of the first open step of the plan holds for all."""
        plan, size = self.plan, end - begin + REACH + 1
        first = int(bar_of(np.array([plan.begin]), plan.bar_lines)[0])
        steps = slice(plan.bar_lines[first], plan.bar_lines[first + 1])
        return scene_of(
            self.weights,
            plan.programs,
            openness_of(plan),
            plan.bar_lines,
            plan.levels,
            plan.firmness,
            plan.first_bar,
            len(plan.owners),
            plan.given,
            np.resize(plan.open_parts[steps], size),
            np.resize(plan.harmony[steps], size),
            plan.playable,
            plan.favoured,
            plan.places,
            plan.polyphony,
            NEVER,
            begin,
            vote_share=plan.vote_share,
            usual=usual_of(
                plan.repeats,
                plan.clashes,
                plan.line,
                plan.centres,
                None,
                None,
                plan.lengths,
                plan.reach,
                plan.chord,
                plan.velocities,
                plan.note_values,
            ),
        )


def tune_notes(bundle: Bundle, canvas: Canvas, frame: Song) -> NoteStation:
    """A station that fills a canvas from where it is open, for ever. ``frame`` has the canvas' parts.

    Raises:
        InfeasibleCanvas: if nothing is open or no pitch is allowed.
    """
    plan = make_plan(bundle, canvas)
    weights = player_weights(bundle)
    room = 2 * ROWS_REMEMBERED + 2 * NOTES_PER_BAR_LIMIT
    stream = begin_stream(weights, plan, lay_out(weights, plan), NOTES_PER_BAR_LIMIT, len(plan.given) + room)
    return NoteStation(frame, weights, plan, stream, canvas.open_from)

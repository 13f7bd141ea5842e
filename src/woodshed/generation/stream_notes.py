"""A station that plays all parts of a band, note after note, with a memory that is bounded."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, note_model
from woodshed.codecs import FIELDS, NoteStepCodec
from woodshed.codecs.expectations import Memory
from woodshed.codecs.inputs import PitchMemory
from woodshed.codecs.note_step import LONGEST_SHIFT, PART, PITCH, START_ROW, TIME_SHIFT, WAIT
from woodshed.errors import LimitExceeded
from woodshed.generation.canvas import Canvas
from woodshed.generation.fill import NOTES_PER_BAR_LIMIT, View, rules_of, view_of
from woodshed.generation.filters import Sampling, draw_one
from woodshed.generation.rules import Rules
from woodshed.generation.stream import NOTHING, Drawn
from woodshed.models.note_player import Floats, NotePlayer
from woodshed.music import Song
from woodshed.music.units import STEPS_PER_QUARTER, ticks_per_step, ticks_to_steps

STEP_TICKS = ticks_per_step(STEPS_PER_QUARTER)
ROWS_REMEMBERED = 4 * NOTES_PER_BAR_LIMIT
"""The pointers into the past see at least so many of the last rows."""
MOST_POSITIONS = 1 << 16
"""The model's rows are numbered anew after so many: its angles are no longer exact at millions."""
NO_ANCHORS, NO_TALLIES = np.empty(0, np.int64), np.empty(0, np.float32)


@dataclass(frozen=True)
class NoteStation:
    """A band at a bar line."""

    frame: Song
    rules: Rules
    song: OneSong
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
        song, begin, end = self.song.copy(), self._step(self.bars), self._step(self.bars + 1)
        rows, onsets = [], []
        for _ in range(NOTES_PER_BAR_LIMIT):
            row = song.play_one(self.rules, sampling, rng, begin, end)
            if row is None:
                break
            if row[TIME_SHIFT] <= LONGEST_SHIFT:
                rows.append(row)
                onsets.append(song.onset)
        else:
            raise LimitExceeded(f"more than {NOTES_PER_BAR_LIMIT} notes in a bar; lower the temperature")
        song.stay_small()
        after = replace(self, song=song, bars=self.bars + 1)
        if not rows:
            return Drawn(NOTHING), after
        # `notes` lets none begin before 0: a step more, so that what is early stays so.
        notes = song.codec.notes(np.stack(rows), np.array(onsets) - begin + 1)
        notes["onset"] -= STEP_TICKS
        notes["part"] = np.array(song.view.owners, np.int16)[notes["part"]]
        return Drawn(notes), after

    def _step(self, bar: int) -> int:
        """At which a bar begins."""
        return int(ticks_to_steps(self.first_tick + bar * self.frame.meter.bar_ticks, STEPS_PER_QUARTER))


class OneSong:
    """A song in the making, row by row. As `fill` plays it, but in numpy, and with what is long past forgotten."""

    def __init__(self, player: NotePlayer, codec: NoteStepCodec, view: View, first_bar: int) -> None:
        self.player, self.codec, self.view, self.first_bar = player, codec, view, first_bar
        self.cache = player.start()
        self.memory, self.pitches = Memory(), PitchMemory(view.programs)
        self.row, self.onset = START_ROW, 0
        self.started = np.zeros(len(view.owners), np.int64)
        self.heard: tuple[Floats, NDArray[np.int64]] | None = None
        """What the model makes of all rows, and the place of the last; None until it is asked."""

    def copy(self) -> OneSong:
        """The same song, which goes its own way from here."""
        other = OneSong.__new__(OneSong)
        other.__dict__ |= self.__dict__
        other.cache, other.started = self.cache.copy(), self.started.copy()
        other.memory, other.pitches = self.memory.copy(), self.pitches.copy()
        return other

    def stay_small(self) -> None:
        """Forget what is long past, so that no bar takes more room or time than another."""
        if self.memory.count >= 2 * ROWS_REMEMBERED:
            self.memory.forget(ROWS_REMEMBERED)
        if self.cache.seen >= MOST_POSITIONS:
            self.player.wind_back(self.cache)

    def read(self, rows: NDArray[np.int64]) -> None:
        """Take in rows (R, 6) that are given."""
        for row in rows:
            self._listen()
            for field in range(len(FIELDS)):
                self.memory.symbols(field, row)
            self._add(row, self.onset + (int(row[TIME_SHIFT]) if row[TIME_SHIFT] <= WAIT else 0))

    def play_one(
        self, rules: Rules, sampling: Sampling, rng: np.random.Generator, begin: int, end: int
    ) -> NDArray[np.int64] | None:
        """Draw and add the next row, which starts at step ``begin`` or later; None, and nothing is added, if it would
        start at ``end`` or later."""
        hidden, place = self._listen()
        hidden = hidden.copy()
        row, onset = np.zeros(len(FIELDS), np.int64), self.onset
        soonest = np.array([max(begin - self.onset, 0)])
        for field in range(len(FIELDS)):
            expected = self.memory.symbols(field, row)
            hints = self.pitches.hints(int(row[PART])) if field == PITCH else (NO_ANCHORS, NO_TALLIES)
            logits = self.player.logits(field, hidden, self.view.programs, expected, self.memory.record(field), *hints)
            mask = rules.allowed(field, self.row[None], row[None], self.started[None], soonest)[0]
            if not mask.any():
                mask[:] = True
            row[field] = draw_one(logits, mask[: len(logits)], expected, field, sampling, rng)
            if field == TIME_SHIFT:
                onset += int(row[TIME_SHIFT])
                if onset >= end:
                    return None
                if row[TIME_SHIFT] > LONGEST_SHIFT:
                    break
                place = self._place(onset)
            self.player.tell(hidden, field, row, place, self.view.programs)
        self._add(row, onset)
        return row

    def _listen(self) -> tuple[Floats, NDArray[np.int64]]:
        """Tell the model the last row, once."""
        if self.heard is None:
            place = self._place(self.onset)
            self.heard = self.player.hear(self.cache, self.row, place, self.view.programs), place
            self.memory.next(int(place[2]))
        return self.heard

    def _add(self, row: NDArray[np.int64], onset: int) -> None:
        if onset > self.onset:
            self.started[:] = 0
        if row[TIME_SHIFT] <= LONGEST_SHIFT:
            self.started[row[PART]] += 1
        self.memory.add(row, onset)
        self.pitches.add(row)
        self.row, self.onset, self.heard = row, onset, None

    def _place(self, onset: int) -> NDArray[np.int64]:
        if self.heard is not None and onset == self.onset:
            return self.heard[1]
        place: NDArray[np.int64] = self.codec.places(np.array([onset]), self.view.bar_lines)[0]
        place[1] += self.first_bar
        return place


def tune_notes(bundle: Bundle, canvas: Canvas, frame: Song) -> NoteStation:
    """A station that fills a canvas from where it is open, for ever. ``frame`` has the canvas' parts.

    Raises:
        InfeasibleCanvas: if nothing is open or no pitch is allowed.
    """
    model, codec = note_model(bundle)
    view = view_of(bundle, canvas)
    song = OneSong(NotePlayer(model), codec, view, canvas.first_bar)
    song.read(view.past)
    return NoteStation(frame, rules_of(bundle, canvas, view), song, canvas.open_from)

"""`fill`: a canvas in, songs out. What is fixed comes back bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, note_model
from woodshed.codecs import FIELDS
from woodshed.codecs.expectations import Memory
from woodshed.codecs.inputs import PitchMemory
from woodshed.codecs.note_step import LONGEST_SHIFT, PART, PITCH, START_ROW, TIME_SHIFT, WAIT
from woodshed.errors import InfeasibleCanvas, LimitExceeded
from woodshed.generation.canvas import Canvas, known_programs, nearest_program, part_of, program_of
from woodshed.generation.filters import Sampling, choose
from woodshed.generation.rules import Rules
from woodshed.music import Part, Song

NOTES_PER_BAR_LIMIT = 512
"""Hard cap on what a stream may play in a bar, on average, before it is stopped."""


@dataclass(frozen=True)
class View:
    """The canvas as the model sees it."""

    past: NDArray[np.int64]
    """(R, 6) rows of the fixed notes before the open region, END left out."""
    programs: NDArray[np.int64]
    """(16, 2)"""
    owners: list[int]
    """For each of the model's parts, the song's part in which its new notes go."""
    bar_lines: NDArray[np.int64]
    """Steps."""
    begin: int
    """First open step."""
    end: int
    """First step past the song."""


def fill(
    bundle: Bundle,
    canvas: Canvas,
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    count: int = 1,
    on_step: Callable[[float], None] | None = None,
) -> list[Song]:
    """``count`` answers to a canvas, drawn side by side. The generator is the only source of chance.

    ``on_step`` is told the share that is done, 0-1. An answer that plays more than 512 notes a bar is left out.

    Raises:
        InfeasibleCanvas: if nothing is open or no pitch is allowed.
        LimitExceeded: if every answer would be left out.
    """
    view = view_of(bundle, canvas)
    rules = rules_of(bundle, canvas, view)
    streams = _Streams(bundle, view, canvas.first_bar, count)
    streams.read_past()
    open_bars = int(((view.bar_lines >= view.begin) & (view.bar_lines < view.end)).sum())
    limit = NOTES_PER_BAR_LIMIT * open_bars
    for step in range(limit + 1):
        if streams.done.all():
            break
        if step == limit and streams.done.any():
            break  # what the others played is good
        if step == limit:
            raise LimitExceeded(f"more than {NOTES_PER_BAR_LIMIT} notes a bar; lower the temperature")
        streams.play_one(rules, sampling, rng)
        if on_step is not None:
            on_step(streams.share_done())
    return [_finish(bundle, canvas, view, *streams.notes_of(b)) for b in range(count) if streams.done[b]]


class _Streams:
    """B songs in the making, stepped together through one cache."""

    def __init__(self, bundle: Bundle, view: View, first_bar: int, count: int) -> None:
        self.model, self.codec = note_model(bundle)
        self.view, self.first_bar = view, first_bar
        self.count = count
        self.row = np.repeat(START_ROW[None], count, 0)
        self.onset = np.zeros(count, np.int64)
        self.started = np.zeros((count, len(view.owners)), np.int64)
        self.done = np.zeros(count, bool)
        self.cache = self.model.new_cache()
        self.memories = [Memory()]
        self.pitches = [PitchMemory(view.programs)]
        self.history: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]] = []

    def read_past(self) -> None:
        """Take in the fixed notes once, then split into streams."""
        rows = np.concatenate((START_ROW[None], self.view.past))
        onsets = self.codec.onset_steps(rows)
        places = self._places(onsets)
        if len(rows) > 1:
            self._states(rows[None, :-1], places[None, :-1])
            for row, onset, place in zip(rows[1:], onsets[1:], places[:-1], strict=True):
                self._remember(self.memories[0], row, int(onset), int(place[2]))
                self.pitches[0].add(row)
            last = (onsets == onsets[-1]) & (rows[:, TIME_SHIFT] <= LONGEST_SHIFT)
            self.started += np.bincount(rows[last, PART], minlength=self.started.shape[1])
        self.row = np.repeat(rows[-1:], self.count, 0)
        self.onset[:] = onsets[-1]
        self.memories += [copy.deepcopy(self.memories[0]) for _ in range(self.count - 1)]
        self.pitches += [copy.deepcopy(self.pitches[0]) for _ in range(self.count - 1)]
        for tensors in (self.cache.keys, self.cache.values):
            for i, tensor in enumerate(tensors):
                if self.cache.seen:
                    tensors[i] = tensor.expand(self.count, *tensor.shape[1:]).contiguous()

    @staticmethod
    def _remember(memory: Memory, row: NDArray[np.int64], onset: int, bar_steps: int) -> None:
        memory.next(bar_steps)
        for field in range(len(FIELDS)):
            memory.symbols(field, row)
        memory.add(row, onset)

    def play_one(self, rules: Rules, sampling: Sampling, rng: np.random.Generator) -> None:
        """Add one row to every stream; those that are done play on, unheard."""
        import torch

        places = self._places(self.onset)
        states = self._states(self.row[:, None], places[:, None])
        with torch.inference_mode():
            hidden = self.model.head_in(states)
        for memory, place in zip(self.memories, places, strict=True):
            memory.next(int(place[2]))
        next_row = np.zeros_like(self.row)
        onset, next_places = self.onset, places
        soonest = np.maximum(self.view.begin - self.onset, 0)
        is_note = np.ones(self.count, bool)
        for field in range(len(FIELDS)):
            expected = np.stack([m.symbols(field, r) for m, r in zip(self.memories, next_row, strict=True)])
            logits = self._logits(field, hidden, next_row, next_places, expected)
            mask = rules.allowed(field, self.row, next_row, self.started, soonest)
            mask[~mask.any(1)] = True  # rests and streams that are done: what is drawn is not used
            logits = np.where(mask, logits, -np.inf)
            symbol = choose(logits, expected, field, sampling, rng)
            next_row[:, field] = np.where(is_note, symbol, 0)
            if field == TIME_SHIFT:
                onset = self.onset + symbol
                next_places = self._places(onset)
                is_note = symbol <= LONGEST_SHIFT
        self._add(next_row, onset, is_note)

    def _add(self, row: NDArray[np.int64], onset: NDArray[np.int64], is_note: NDArray[np.bool_]) -> None:
        self.done |= onset >= self.view.end
        self.history.append((row, onset, is_note & ~self.done))
        self.started[onset > self.onset] = 0
        played = np.flatnonzero(is_note)
        self.started[played, row[played, PART]] += 1
        for memory, new, at in zip(self.memories, row, onset, strict=True):
            memory.add(new, int(at))
        for pitches, new in zip(self.pitches, row, strict=True):
            pitches.add(new)
        self.row, self.onset = row, onset

    def share_done(self) -> float:
        """How much of the open region the slowest stream has filled."""
        span = max(self.view.end - self.view.begin, 1)
        return float(np.clip((self.onset.min() - self.view.begin) / span, 0, 1))

    def notes_of(self, stream: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and onset steps that one stream played."""
        mine = [(row[stream], onset[stream]) for row, onset, played in self.history if played[stream]]
        rows = np.array([row for row, _ in mine], np.int64).reshape(-1, len(FIELDS))
        return rows, np.array([onset for _, onset in mine], np.int64)

    def _places(self, onsets: NDArray[np.int64]) -> NDArray[np.int64]:
        places = self.codec.places(onsets, self.view.bar_lines)
        places[..., 1] += self.first_bar
        return places

    def _states(self, rows: NDArray[np.int64], places: NDArray[np.int64]) -> Any:
        import torch

        programs = torch.from_numpy(self.view.programs)[None].expand(len(rows), -1, -1)
        with torch.inference_mode():
            return self.model.states(torch.from_numpy(rows), torch.from_numpy(places), programs, self.cache)

    def _logits(
        self, field: int, hidden: Any, row: NDArray[np.int64], place: NDArray[np.int64], expected: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(B, ids) of one field of the next row."""
        import torch

        from woodshed.models.note_transformer import Hints

        records = np.stack([memory.record(field) for memory in self.memories])
        arrays = [row, place, expected, records, *self._pitch_hints(field, row)]
        tensors = [torch.from_numpy(array)[:, None] for array in arrays]
        programs = torch.from_numpy(self.view.programs)[None].expand(self.count, -1, -1)
        with torch.inference_mode():
            logits = self.model.head(field, hidden, tensors[0], tensors[1], programs, Hints(*tensors[2:]))
        out: NDArray[np.float64] = logits[:, 0].double().numpy()
        return out

    def _pitch_hints(self, field: int, row: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Anchors (B, 3) and tallies (B, 2, 12) of the row in the making; empty for fields that do not read them."""
        if field != PITCH:
            return np.empty((self.count, 0), np.int64), np.empty((self.count, 0), np.float32)
        hints = [memory.hints(int(own[PART])) for memory, own in zip(self.pitches, row, strict=True)]
        return np.stack([anchors for anchors, _ in hints]), np.stack([tallies for _, tallies in hints])


def view_of(bundle: Bundle, canvas: Canvas) -> View:
    """What the model is shown of a canvas: arranged parts, the fixed past as rows, the open steps."""
    (_, codec), song = note_model(bundle), canvas.song
    past = song.slice(0, canvas.open_from) if canvas.open_from else song.replace(notes=song.notes[:0])
    if canvas.open_from:
        owners = [group[0] for group in codec.slots(past)]
        rows = codec.encode(codec.arrange(past))
        rows = rows[rows[:, TIME_SHIFT] <= WAIT]
    else:
        owners, rows = list(range(len(song.parts))), np.zeros((0, len(FIELDS)), np.int64)
    if not owners:
        raise InfeasibleCanvas("the canvas has no part; name some with --parts")
    programs = codec.programs(Song(parts=tuple(_as_known(song.parts[owner], bundle) for owner in owners)))
    lines = codec.bar_lines(song)
    begin = int(lines[np.searchsorted(song.bar_lines(), canvas.open_from)])
    return View(rows, programs, owners, lines, begin, int(lines[-1]))


def rules_of(bundle: Bundle, canvas: Canvas, view: View) -> Rules:
    """The constraints of a canvas over the parts that the model sees."""
    parts = tuple(canvas.song.parts[owner] for owner in view.owners)
    drum_pitches = [int(pitch) for pitch in bundle.style.get("drum_pitches", [])]
    return Rules(bundle.codec, parts, view.owners, canvas.constraints, set(canvas.open_parts), drum_pitches)


def _as_known(part: Part, bundle: Bundle) -> Part:
    """The part with the program, of those that the bundle has heard, that is most like its own."""
    return part_of(nearest_program(program_of(part), known_programs(bundle)))


def _finish(bundle: Bundle, canvas: Canvas, view: View, rows: NDArray[np.int64], onsets: NDArray[np.int64]) -> Song:
    """The fixed notes as they were, and the new ones within the open ticks, with polyphony kept."""
    song = canvas.song
    notes = bundle.codec.notes(rows, onsets)
    notes["part"] = np.array(view.owners, np.int16)[notes["part"]] if len(notes) else notes["part"]
    notes["onset"] = np.clip(notes["onset"], canvas.open_from, song.length - 1)
    notes["duration"] = np.minimum(notes["duration"], song.length - notes["onset"])
    fixed = song.notes[song.notes["onset"] < canvas.open_from] if canvas.open_from else song.notes[:0]
    heard = [fixed]
    for part in np.unique(notes["part"]):
        most = canvas.constraints.polyphony.get(int(part), len(fixed) + len(notes))
        heard.append(_with_room(notes[notes["part"] == part], fixed[fixed["part"] == part], most))
    return song.with_notes(np.concatenate(heard))


def _with_room(notes: NDArray[Any], fixed: NDArray[Any], most: int) -> NDArray[Any]:
    """New notes of one part, cut or left out so that with fixed ones that still ring at most ``most`` sound at once."""
    notes = np.sort(notes, order=("onset", "pitch"))
    ends = np.sort(fixed["onset"].astype(np.int64) + fixed["duration"])
    ringing = len(ends) - np.searchsorted(ends, notes["onset"], side="right")
    started = np.arange(len(notes)) - np.searchsorted(notes["onset"], notes["onset"])
    fits = started < most - ringing
    return shorten(notes[fits], (most - ringing)[fits])


def shorten(notes: NDArray[Any], polyphony: int | NDArray[np.int64]) -> NDArray[Any]:
    """Cut notes of one part, in order of (onset, pitch), so that at most ``polyphony`` sound at once and no pitch
    overlaps itself. ``polyphony`` may be an array (N,): so many when this note starts.

    No more of them may start together.
    """
    onset = notes["onset"].astype(np.int64)
    end = onset + notes["duration"]
    index = np.arange(len(notes))
    over = np.maximum.accumulate(index - polyphony)  # when a note starts, those up to here must have ended
    ender = np.searchsorted(over, index)  # the first note whose start ends each
    cut = ender < len(notes)
    end[cut] = np.minimum(end[cut], onset[ender[cut]])
    order = np.lexsort((onset, notes["pitch"]))
    same = notes["pitch"][order][1:] == notes["pitch"][order][:-1]
    earlier, later = order[:-1][same], order[1:][same]
    end[earlier] = np.minimum(end[earlier], onset[later])
    shorter = notes.copy()
    shorter["duration"] = np.maximum(end - onset, 1)
    return shorter

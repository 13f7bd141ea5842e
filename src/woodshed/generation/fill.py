"""`fill`: a canvas in, songs out. What is fixed comes back bit for bit."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, note_weights
from woodshed.bundle.stored import StoredModel
from woodshed.codecs.note_step import LONGEST_SHIFT, MAX_PARTS
from woodshed.codecs.study import ALL_OPEN, FIXED, OPEN
from woodshed.errors import LimitExceeded
from woodshed.generation.canvas import Canvas
from woodshed.generation.engine import (
    FINISHED,
    PLAYING,
    Scene,
    Stream,
    Weights,
    copy_stream,
    new_stream,
    play_rows,
    scene_of,
    sow,
    usual_of,
    weights_of,
)
from woodshed.generation.engine_chords import first_of_chord
from woodshed.generation.filters import Sampling, numbers_of
from woodshed.generation.finish import finish
from woodshed.generation.max_copy import held, new_notes, play_within
from woodshed.generation.plan import Plan, make_plan
from woodshed.music import Song

NOTES_PER_BAR_LIMIT = 512
"""Hard cap on what a stream may play in a bar, on average, before it is stopped."""
ROWS_AT_ONCE = 256
"""Between two looks at whether somebody pressed Ctrl-C."""
SECONDS_BETWEEN_LOOKS = 0.05
ALL_ROWS = 1 << 60


@dataclass(frozen=True)
class Answer:
    """One song, and how likely the model finds what it played."""

    song: Song
    nats_per_note: float
    """Of the notes that were open, as drawn and steered, before temperature and filters; 0 where there are none."""
    redrawn: int = 0
    """Bars that were played again because they held too much of what may not be copied."""
    removed: int = 0
    """Notes that had to go for the same reason."""
    copied: tuple[float, int] = (0.0, 0)
    """Of a limit of copying, measured on what came out: quarter notes of the longest passage, notes of the fullest."""


def fill(
    bundle: Bundle,
    canvas: Canvas,
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    count: int = 1,
    on_step: Callable[[float], None] | None = None,
) -> list[Song]:
    """``count`` answers to a canvas. The generator is the only source of chance.

    ``on_step`` is told the share that is done, 0-1. An answer that plays more than 512 notes a bar is left out.

    Raises:
        InfeasibleCanvas: if nothing is open, or no note could obey the constraints.
        LimitExceeded: if every answer would be left out.
    """
    return [answer.song for answer in answers(bundle, canvas, sampling, rng, count=count, on_step=on_step)]


def answers(
    bundle: Bundle,
    canvas: Canvas,
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    count: int = 1,
    on_step: Callable[[float], None] | None = None,
) -> list[Answer]:
    """As `fill`, with how likely each answer is."""
    plan = make_plan(bundle, canvas)
    if sampling.repetition != 1:
        plan = replace(plan, again=_again(plan, sampling.repetition, rng))
    weights = player_weights(bundle)
    scene = lay_out(weights, plan)
    seeds = rng.integers(1 << 62, size=count)
    room = NOTES_PER_BAR_LIMIT * (len(plan.bar_lines) - 1)
    rows = len(plan.given) + room + plan.end // LONGEST_SHIFT + 2
    first = begin_stream(weights, plan, scene, room, rows)
    tell = on_step or (lambda share: None)
    played = _play_all(weights, scene, plan, canvas, first, seeds.tolist(), sampling, tell)
    found = [_answer(canvas, plan, *one) for one in played if one is not None]
    if not found:
        raise LimitExceeded(f"more than {NOTES_PER_BAR_LIMIT} notes a bar; lower the temperature")
    return found


_laid_out: WeakKeyDictionary[StoredModel, Weights] = WeakKeyDictionary()


def player_weights(bundle: Bundle) -> Weights:
    """The weights of a bundle as the compiled loop reads them; of one from disk, which never changes, laid out once."""
    model = bundle.model
    if not isinstance(model, StoredModel):
        return weights_of(note_weights(bundle))
    if model not in _laid_out:
        _laid_out[model] = weights_of(note_weights(bundle))
    return _laid_out[model]


def _again(plan: Plan, repetition: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """``plan.again`` of fewer bars below a repetition of 1, down to none at 0; of more above it: at 2 all bars loop."""
    drawn = rng.random(plan.again.shape)
    if repetition <= 1:
        return np.where(drawn < repetition, plan.again, 0)
    return np.where((plan.again == 0) & (drawn < repetition - 1), plan.loops, plan.again)


def lay_out(weights: Weights, plan: Plan) -> Scene:
    """The plan as the compiled loop reads it."""
    return scene_of(
        weights,
        plan.programs,
        openness_of(plan),
        plan.bar_lines,
        plan.levels,
        plan.firmness,
        plan.first_bar,
        len(plan.owners),
        plan.given,
        plan.open_parts,
        plan.harmony,
        plan.playable,
        plan.favoured,
        plan.places,
        plan.polyphony,
        plan.end,
        back=plan.back,
        vote_share=plan.vote_share,
        again=plan.again,
        usual=usual_of(
            plan.repeats,
            plan.clashes,
            plan.line,
            plan.centres,
            plan.sounding,
            plan.pace,
            plan.lengths,
            plan.reach,
            plan.chord,
            plan.velocities,
            plan.note_values,
        ),
    )


def openness_of(plan: Plan) -> NDArray[np.int64]:
    """(16,) whether each slot is open or fixed; neither, if nothing is given past the first open step."""
    if not len(plan.given) or plan.given[-1, 0] < plan.begin:
        return np.full(MAX_PARTS, ALL_OPEN)
    bits = np.bitwise_or.reduce(plan.open_parts) if len(plan.open_parts) else 0
    return np.where(bits >> np.arange(MAX_PARTS) & 1, OPEN, FIXED)


def begin_stream(weights: Weights, plan: Plan, scene: Scene, room: int, rows: int) -> Stream:
    """A stream that has heard all that is given before the first open step.

    It has room for so many new notes, and its memory for so many rows.
    """
    stream = new_stream(weights, room, rows)
    stream.chord[:] = first_of_chord(plan.chord)
    play_rows(weights, scene, stream, *numbers_of(Sampling()), ALL_ROWS, plan.begin)
    return stream


def _play_all(
    weights: Weights,
    scene: Scene,
    plan: Plan,
    canvas: Canvas,
    first: Stream,
    seeds: Sequence[int],
    sampling: Sampling,
    on_step: Callable[[float], None],
) -> list[tuple[NDArray[np.int64], float, int] | None]:
    """Go on from ``first`` with each seed, side by side on all cores: `Stream.kept` of each, nats per note, and bars
    that were played again; None for one that ran out of room.

    They share nothing that they write, so what they play does not depend on the number of cores. Where there is one
    seed, ``first`` itself goes on.
    """
    shares, stopped = [0.0] * len(seeds), threading.Event()
    numbers, span = numbers_of(sampling), max(plan.end - plan.begin, 1)
    limit = canvas.constraints.copying

    def look(number: int, stream: Stream) -> bool:
        shares[number] = min(max((stream.at[0] - plan.begin) / span, 0.0), 1.0)
        return stopped.is_set()

    def play(number: int) -> tuple[NDArray[np.int64], float, int] | None:
        redrawn = 0
        stream, state = first if len(seeds) == 1 else copy_stream(first), PLAYING
        if limit is None:
            sow(stream, seeds[number])
            while state == PLAYING and not look(number, stream):
                state = play_rows(weights, scene, stream, *numbers, ROWS_AT_ONCE, ALL_ROWS)
        else:
            watch = partial(look, number)
            all_new = lay_out(weights, replace(plan, again=np.zeros_like(plan.again)))
            state, stream, redrawn = play_within(
                weights, scene, all_new, plan, canvas, stream, seeds[number], sampling, limit, watch
            )
        nats, rows = stream.nats
        kept = stream.kept[: stream.at[3]].copy()
        return (kept, float(nats / rows) if rows else 0.0, redrawn) if state == FINISHED else None

    with ThreadPoolExecutor(min(len(seeds), os.cpu_count() or 1)) as crew:
        playing = [crew.submit(play, number) for number in range(len(seeds))]
        try:
            while wait(playing, timeout=SECONDS_BETWEEN_LOOKS).not_done:
                on_step(sum(shares) / len(shares))
        except BaseException:
            stopped.set()
            raise
    on_step(1.0)
    return [one.result() for one in playing]


def _answer(canvas: Canvas, plan: Plan, kept: NDArray[np.int64], nats_per_note: float, redrawn: int) -> Answer:
    new = kept[kept[:, 6] == 0, :6]
    filled = plan.given.copy()
    again = kept[kept[:, 6] > 0]
    filled[again[:, 6] - 1] = again[:, :6]
    song, limit = finish(canvas, plan, new, filled), canvas.constraints.copying
    if limit is None:
        return Answer(song, nats_per_note)
    song, removed = held(song, canvas, limit)
    played = song.replace(notes=song.notes[new_notes(song, canvas)])
    return Answer(song, nats_per_note, redrawn, removed, limit.longest(played))

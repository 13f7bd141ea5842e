"""The compiled player: pointers, body, heads, constraints and draw of a `NoteModel` in one loop. No torch.

`play_rows` adds rows to a `Stream` until something stops it; called again it goes on. What it draws from is, to
rounding, the distribution of the torch model after constraints and filters, which a test holds it to.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import LONGEST_SHIFT, MAX_PARTS, SIZES, WAIT
from woodshed.codecs.past import ANCHORS, POINTERS, TALLIES, add, begin, expect, follow_back
from woodshed.codecs.past_pitches import LOGS, hints, look_ahead
from woodshed.codecs.past_state import ALL_VOTERS
from woodshed.compiled import compiled
from woodshed.generation.engine_again import NOTHING_DUE, next_again
from woodshed.generation.engine_again import PART as PART_PLACES
from woodshed.generation.engine_again import STEP as STEP_PLACES
from woodshed.generation.engine_centres import count_height, lean_to_height
from woodshed.generation.engine_chords import count_chord, lean_to_chord
from woodshed.generation.engine_clashes import clashing, count_clash, lean_from_clashes
from woodshed.generation.engine_copying import count_copies, lean_to_copies
from woodshed.generation.engine_draw import draw
from woodshed.generation.engine_lengths import count_length, lean_from_taken, lean_to_lengths
from woodshed.generation.engine_levels import count_note, steer_part, steer_pitch, steer_shift, steer_velocity
from woodshed.generation.engine_lines import count_line, lean_to_line
from woodshed.generation.engine_loudness import count_loudness, lean_to_loudness
from woodshed.generation.engine_masks import (
    is_free,
    mask_pitch,
    mask_shift,
    mask_touch,
    may_start,
    place_of,
    state_at,
)
from woodshed.generation.engine_net import ask, hear, logits_of, tell
from woodshed.generation.engine_tables import (
    Scene,
    Stream,
    Weights,
    copy_stream,
    new_stream,
    scene_of,
    sow,
    usual_of,
    weights_of,
)
from woodshed.generation.engine_voices import (
    GOING_ON,
    call_before,
    call_first,
    hear_note,
    lean_to_pace,
    pass_time,
    resumed,
    rings_on,
)

PLAYING, FINISHED, AT_STOP, OUT_OF_ROOM = 0, 1, 2, 3
LAST_SYMBOL = max(SIZES)
NEVER = 1 << 60
"""A step that no song reaches."""

__all__ = [
    "AT_STOP", "FINISHED", "NEVER", "OUT_OF_ROOM", "PLAYING", "Scene", "Stream", "Weights", "copy_stream", "new_stream",
    "play_rows", "scene_of", "sow", "usual_of", "weights_of",
]  # fmt: skip


class Scratch(NamedTuple):
    """Room for one row in the making, made once for each call of `play_rows`. H is the width of the heads."""

    expected: NDArray[np.int64]
    """(6, 15) what each pointer expects of each field, -1 nothing; ``records`` of as many."""
    records: NDArray[np.int64]
    votes: NDArray[np.uint64]
    """(96,) what voters vote for; ``classes`` how often each came, see `read_votes`."""
    classes: NDArray[np.uint32]
    anchors: NDArray[np.int64]
    counts: NDArray[np.int64]
    tallies: NDArray[np.float32]
    z: NDArray[np.float32]
    which: NDArray[np.int64]
    said: NDArray[np.float32]
    logits: NDArray[np.float32]
    mask: NDArray[np.bool_]
    hidden: NDArray[np.float32]
    """(6 H,) what the heads know so far."""
    values: NDArray[np.float64]
    """What each symbol means, for steering."""
    last_place: NDArray[np.int64]
    """(3,) position in the bar, number of the bar in the scene and its length, of the last row; ``place`` the new's."""
    place: NDArray[np.int64]
    new: NDArray[np.int64]
    """(6,) the row."""
    clashing: NDArray[np.bool_]
    """(12,) pitch classes a semitone from what sounds."""
    firmness: NDArray[np.float64]
    """(4,) how firmly bars are held to each control, as sampling has it."""


@compiled(allocates=True)
def _scratch(weights, scene, stream, sampling):  # type: ignore[no-untyped-def]
    return Scratch(
        np.empty((6, POINTERS), np.int64),
        np.empty((6, POINTERS), np.int64),
        np.empty(ALL_VOTERS, np.uint64),
        np.empty(ALL_VOTERS, np.uint32),
        np.empty(ANCHORS, np.int64),
        np.empty((TALLIES, 12), np.int64),
        np.zeros((TALLIES, 12), np.float32),
        np.empty(weights.expected.shape[1], np.float32),
        np.empty(weights.expected.shape[1], np.int64),
        np.empty(2 * LAST_SYMBOL, np.float32),
        np.empty(LAST_SYMBOL, np.float32),
        np.empty(LAST_SYMBOL, np.bool_),
        np.empty_like(stream.hidden),
        np.empty(LAST_SYMBOL, np.float64),
        np.empty(3, np.int64),
        np.empty(3, np.int64),
        np.zeros(6, np.int64),
        np.zeros(12, np.bool_),
        sampling[4] * scene.firmness,
    )


@compiled
def _logits(weights, scene, field, it):  # type: ignore[no-untyped-def]
    """Write the logits of a field into ``it.logits``. Where a section returns, what was is what is wanted: there votes
    have all of their worth."""
    bar = it.last_place[1]
    returns = bar < len(scene.back) and scene.back[bar] > 0
    share = np.float32(1) if returns else scene.vote_share[field]
    pointers, votes = (it.expected[field], it.records[field]), (it.votes, it.classes, share)
    logits_of(
        weights, scene, field, it.hidden, *pointers, *votes, it.anchors, it.tallies, it.z, it.which, it.said, it.logits
    )


@compiled
def _draw(stream, field, size, sampling, temperatures, it):  # type: ignore[no-untyped-def]
    expected = it.expected[field]
    return draw(it.logits, it.mask, size, expected, field, sampling, temperatures, stream.chance, stream.nats)


@compiled
def _aim_of(scene, bar):  # type: ignore[no-untyped-def]
    """Which of `Scene.aims` are the figures that a bar aims at."""
    return min(bar, len(scene.aims) - 1)


@compiled
def _centre_tallies(is_drum, it):  # type: ignore[no-untyped-def]
    """The logarithms of ``it.counts``, the mean of each tally taken away; none for drums."""
    for k in range(TALLIES):
        mean = 0.0
        for c in range(12):
            count = it.counts[k, c]
            it.tallies[k, c] = LOGS[count] if count < len(LOGS) else np.float32(math.log(count + 0.5))
            mean += it.tallies[k, c] / 12
        for c in range(12):
            it.tallies[k, c] = np.float32(0) if is_drum else it.tallies[k, c] - np.float32(mean)


@compiled
def _draw_shift(weights, scene, stream, g, next_given, sampling, temperatures, it):  # type: ignore[no-untyped-def]
    """A time shift, -1 if none is left."""
    mask_shift(scene, stream, g, next_given, it.mask)
    _logits(weights, scene, 0, it)
    lean_to_copies(scene, stream, 0, it.expected[0], 0, it.logits)
    steer_shift(
        scene.aims[_aim_of(scene, it.last_place[1])],
        stream.aim,
        it.last_place,
        it.logits,
        it.mask,
        it.firmness,
        it.values,
    )
    return _draw(stream, 0, SIZES[0], sampling, temperatures, it)


@compiled
def _draw_part(weights, scene, stream, step, free, at_given, g, due_part, sampling, temperatures, it):  # type: ignore[no-untyped-def]
    """A part that may start, or the one of the given note, or the one (-1 for none) whose note is due."""
    parts, choices, only, mask = scene.numbers[1], 0, 0, it.mask
    for part in range(MAX_PARTS):
        mask[part] = part < parts and free and may_start(scene, step, stream.row, stream.at[0], stream.started, g, part)
        if part == due_part or (at_given and part == scene.given[g, 1]):
            mask[part] = True
        if mask[part]:
            choices += 1
            only = part
    if choices <= 1:
        return np.int64(only)
    _logits(weights, scene, 1, it)
    lean_to_copies(scene, stream, 1, it.expected[1], 0, it.logits)
    lean_to_pace(scene, stream, mask, it.logits)
    lean_from_taken(scene, stream, mask, step, it.logits)
    aim = scene.aims[_aim_of(scene, it.place[1])]
    steer_part(aim, stream.aim, stream.lines, scene.drums, step, it.place, it.logits, mask, parts, it.firmness)
    return call_first(scene, stream, step, mask, _draw(stream, 1, parts, sampling, temperatures, it))


@compiled
def _draw_pitch(weights, scene, stream, step, g, to_given, sampling, temperatures, it):  # type: ignore[no-untyped-def]
    """A pitch, or a drum."""
    part = it.new[1]
    mask_pitch(scene, stream, step, g, to_given, it)
    _centre_tallies(scene.drums[part], it)
    _logits(weights, scene, 2, it)
    lean_to_copies(scene, stream, 2, it.expected[2], part, it.logits)
    state_of = state_at(scene, step)
    if not scene.drums[part]:
        for pitch in range(128):
            it.logits[pitch] += scene.favoured[state_of, pitch % 12]
        clashing(stream.past.state[0], step, it.clashing)
        lean_from_clashes(scene, stream, it.clashing, it.logits)
        lean_to_line(scene, stream, part, it.logits)
        lean_to_chord(scene, stream, part, state_of, it.logits)
        lean_to_height(scene, stream, part, it.logits)
    steer_pitch(
        scene.aims[_aim_of(scene, it.place[1])],
        stream.aim,
        stream.lines,
        part,
        scene.drums[part],
        step,
        it.place,
        it.logits,
        it.mask,
        it.firmness,
        it.values,
    )
    pitch = _draw(stream, 2, 128, sampling, temperatures, it)
    if not scene.drums[part]:
        count_clash(scene, stream, it.clashing[pitch % 12])
        count_line(scene, stream, part, pitch)
        count_chord(scene, stream, part, state_of, pitch, it.mask)
        count_height(scene, stream, part, pitch)
    return pitch


@compiled
def _draw_note(weights, scene, stream, step, free, g, next_given, called, due, sampling, temperatures, it):  # type: ignore[no-untyped-def]
    """The fields of a note behind its time shift; whether it is the given note ``g``, and whether the one that is due.

    ``called`` is the part, -1 for whichever the model says; ``due`` the place of the next note that is played again.
    """
    past, given, new, place = stream.past, scene.given, it.new, it.place
    size = it.last_place[2]
    tell(weights, scene, 0, new, place, it.hidden)
    ask(weights, scene, place[1], False, it.hidden)
    look_ahead(past, step, given)
    at_given = g < len(given) and step == next_given
    expect(past, 1, new, place[0], size, given, it.expected[1], it.records[1], it.votes, it.classes)
    due_part = due // PART_PLACES % MAX_PARTS if due // STEP_PLACES == step else np.int64(-1)
    new[1] = called
    if called < 0:
        new[1] = _draw_part(weights, scene, stream, step, free, at_given, g, due_part, sampling, temperatures, it)
    again = 0 <= due_part <= new[1]
    if again:
        new[1] = due_part
    part = new[1]
    tell(weights, scene, 1, new, place, it.hidden)
    expect(past, 2, new, place[0], size, given, it.expected[2], it.records[2], it.votes, it.classes)
    hints(past, part, scene.drums[part], step, given, it.anchors, it.counts)
    to_given = at_given and part == given[g, 1]
    known = given[g, 2] if to_given else np.int64(-1)
    joined = free and may_start(scene, step, stream.row, stream.at[0], stream.started, g, part)
    if again:
        new[2] = due % PART_PLACES
    elif to_given and not joined and known >= 0:
        new[2] = known
    else:
        new[2] = _draw_pitch(weights, scene, stream, step, g, to_given, sampling, temperatures, it)
    is_given = bool(to_given and (known < 0 or new[2] == known))
    tell(weights, scene, 2, new, place, it.hidden)
    for field in range(3, 6):
        expect(past, field, new, place[0], size, given, it.expected[field], it.records[field], it.votes, it.classes)
        if is_given and given[g, field] >= 0:
            new[field] = given[g, field]
        else:
            mask_touch(scene, part, field, it.mask)
            _logits(weights, scene, field, it)
            if field == 3:
                lean_to_lengths(scene, stream, part, rings_on(stream, part, step), it.logits)
            if field == 4:
                lean_to_loudness(scene, stream, new, place[0], it.mask, it.logits)
                steer_velocity(
                    scene.aims[_aim_of(scene, place[1])],
                    stream.aim,
                    place,
                    it.logits,
                    it.mask,
                    it.firmness,
                    it.values,
                )
            new[field] = _draw(stream, field, SIZES[field], sampling, temperatures, it)
            if field == 4:
                count_loudness(scene, stream, new, place[0])
        tell(weights, scene, field, new, place, it.hidden)
    return is_given, again


@compiled
def _keep(scene, stream, step, g, is_given, again, repetition, it):  # type: ignore[no-untyped-def]
    """Write down a note, unless all of it was given."""
    new, given, at = it.new, scene.given, stream.at
    whole = is_given
    for field in range(2, 6):
        whole = whole and given[g, field] >= 0
    if not whole:
        out = stream.kept[at[3]]
        out[0] = step
        for field in range(1, 6):
            out[field] = new[field]
        out[6] = 1 + g if is_given else 0
        at[3] += 1
        stream.nats[1] += 1
        if not is_given:
            count_length(scene, stream, new, step, again)
        if not is_given and not again:
            count_copies(scene, stream, it.expected, new, repetition)
        count_note(
            scene.aims[_aim_of(scene, it.place[1])], stream.aim, stream.lines, new, scene.drums[new[1]], step, it.place
        )
    if is_given:
        stream.past.state[0].ahead_at[0] = g + 1


@compiled
def _before_due(stream, due, shift, called):  # type: ignore[no-untyped-def]
    """(shift, part) of a note that is played again, where it comes before that to which the model would go on (a shift
    of -1: nowhere); else the same."""
    now = stream.at[0]
    wait = due // STEP_PLACES - now
    if due == NOTHING_DUE or (0 <= shift < wait or (shift == wait and called < 0)):
        return shift, called
    part = due // PART_PLACES % MAX_PARTS
    if shift == wait and called < part:
        return shift, called
    if called < 0 and 0 <= shift <= LONGEST_SHIFT:
        stream.at[GOING_ON] = now + shift
    return min(wait, np.int64(WAIT)), part


@compiled(allocates=True)
def play_rows(weights, scene, stream, sampling, temperatures, most, stop_at):  # type: ignore[no-untyped-def]
    """Add at most ``most`` rows. Returns why it ended: `PLAYING` (``most`` rows were added), `FINISHED`, `AT_STOP` (the
    next row would start at step ``stop_at`` or later, and is not added), `OUT_OF_ROOM`.
    """
    past, row, at, given = stream.past, stream.row, stream.at, scene.given
    memory, it = past.state[0], _scratch(weights, scene, stream, sampling)
    new, place, last_place, numbered = it.new, it.place, it.last_place, np.empty(3, np.int64)
    end = scene.numbers[3]
    for _ in range(most):
        now = at[0]
        g = memory.ahead_at[0]
        next_given = given[g, 0] if g < len(given) else np.int64(NEVER)
        index = max(now - scene.numbers[2], 0)
        next_open = scene.next_open[index] if index < len(scene.next_open) else end
        place_of(scene.lines, now, last_place)
        due = next_again(scene, past, last_place[1])
        if next_open >= end and g >= len(given) and due == NOTHING_DUE:
            return FINISHED
        if at[3] >= len(stream.kept) or memory.count + 1 >= len(past.rows):
            return OUT_OF_ROOM
        if at[1] == 0:
            hear(weights, scene, row, last_place, stream.state, stream.hidden)
            at[1] = 1
            begin(past, last_place[2])
            back = scene.back[last_place[1]] if last_place[1] < len(scene.back) else np.int64(0)
            if back > 0:
                follow_back(past, back)
        it.hidden[:] = stream.hidden
        ask(weights, scene, last_place[1], True, it.hidden)
        new[:] = 0
        expect(past, 0, new, last_place[0], last_place[2], given, it.expected[0], it.records[0], it.votes, it.classes)
        free = is_free(scene, stream, g, next_given, next_open)
        if free:
            new[0] = _draw_shift(weights, scene, stream, g, next_given, sampling, temperatures, it)
        elif g < len(given):
            new[0] = min(next_given - now, WAIT)
        else:
            new[0] = -1
        if new[0] < 0 and due == NOTHING_DUE:
            return FINISHED
        called = np.int64(-1)
        if free and new[0] >= 0:
            new[0], called = call_before(scene, stream, g, resumed(stream, new[0], it.mask))
        new[0], called = _before_due(stream, due, new[0], called)
        step = now + new[0]
        if step >= stop_at:
            return AT_STOP
        if step >= end and g >= len(given):
            return FINISHED
        place_of(scene.lines, step, place)
        numbered[0], numbered[1], numbered[2] = place[0], place[1] + scene.numbers[0], place[2]
        is_note = new[0] <= LONGEST_SHIFT
        is_given, again = False, False
        if is_note:
            is_given, again = _draw_note(
                weights, scene, stream, step, free, g, next_given, called, due, sampling, temperatures, it
            )
        add(past, new, step, numbered, scene.drums[new[1]], it.expected)
        if step > now:
            stream.started[:] = 0
            pass_time(scene, stream, now, step)
        if is_note:
            hear_note(scene, stream, new, step, again)
            stream.started[new[1]] += 1
            _keep(scene, stream, step, g, is_given, again, sampling[3], it)
        row[:] = new
        at[0], at[1] = step, 0
        at[2] += 1
    return PLAYING

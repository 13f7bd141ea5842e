"""The compiled player: pointers, body, heads, constraints and draw of a `NoteModel` in one loop. No torch.

`play_rows` adds rows to a `Stream` until something stops it; called again it goes on. What it draws from is, to
rounding, the distribution of the torch model after constraints and filters, which a test holds it to.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from woodshed.codecs.note_step import LONGEST_SHIFT, MAX_PARTS, SIZES, WAIT
from woodshed.codecs.past import ANCHORS, POINTERS, TALLIES, add, begin, expect, hints, look_ahead
from woodshed.generation.engine_draw import draw
from woodshed.generation.engine_net import ask, hear, logits_of, tell
from woodshed.generation.engine_tables import Scene, Stream, Weights, copy_stream, new_stream, scene_of, weights_of

PLAYING, FINISHED, AT_STOP, OUT_OF_ROOM = 0, 1, 2, 3
LAST_SYMBOL = max(SIZES)
NEVER = 1 << 60
"""A step that no song reaches."""

__all__ = [
    "AT_STOP", "FINISHED", "NEVER", "OUT_OF_ROOM", "PLAYING", "Scene", "Stream", "Weights", "copy_stream", "new_stream",
    "play_rows", "scene_of", "weights_of",
]  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _place(lines, step, place):  # type: ignore[no-untyped-def]
    """Position in the bar, number of the bar in the scene, length of it; past the last line bars go on as the last."""
    last = len(lines) - 2
    if step >= lines[last + 1]:
        size = lines[last + 1] - lines[last]
        more = (step - lines[last + 1]) // size + 1
        place[0] = step - more * size - lines[last]
        place[1] = last + more
        place[2] = size
        return
    low, high = 0, last
    while low < high:
        middle = (low + high + 1) // 2
        if lines[middle] <= step:
            low = middle
        else:
            high = middle - 1
    place[0], place[1], place[2] = step - lines[low], low, lines[low + 1] - lines[low]


@numba.njit(cache=True, nogil=True)
def _room(scene, state_of, part, lowest, started):  # type: ignore[no-untyped-def]
    """Whether a part may take a pitch of at least ``lowest``, when so many of its notes start on this step."""
    if started >= scene.polyphony[part]:
        return False
    return bool(scene.playable[state_of, part, lowest:].any())


@numba.njit(cache=True, nogil=True)
def _may_start(scene, step, row, now, started, given_at, part):  # type: ignore[no-untyped-def]
    """Whether a new note of ``part`` may start at ``step``, after the last row and before the next given one."""
    index = step - scene.numbers[2]
    if index < 0 or index >= len(scene.open_parts) or not scene.open_parts[index] >> np.uint16(part) & np.uint16(1):
        return False
    together = step == now and row[0] <= LONGEST_SHIFT
    lowest = np.int64(0)
    if together:
        if part < row[1]:
            return False
        if part == row[1]:
            lowest = row[2] + 1
    if given_at < len(scene.given) and scene.given[given_at, 0] == step:
        if part > scene.given[given_at, 1]:
            return False
        if part == scene.given[given_at, 1]:
            if scene.given[given_at, 2] < 0:
                return False
            for pitch in range(lowest, scene.given[given_at, 2]):
                if scene.playable[scene.harmony[index], part, pitch]:
                    return (started[part] if together else 0) < scene.polyphony[part]
            return False
    return _room(scene, scene.harmony[index], part, lowest, started[part] if together else 0)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _guide(logits, free_logits, size, guidance):  # type: ignore[no-untyped-def]
    """Go on, ``guidance`` times as far, from what is likely to what is likely with the levels that are asked."""
    for i in range(size):
        logits[i] = free_logits[i] + np.float32(guidance) * (logits[i] - free_logits[i])


@numba.njit(cache=True, nogil=True)
def _mask_open_pitch(scene, past, step, part, lowest, g, state_of, mask):  # type: ignore[no-untyped-def]
    """The pitches that given note ``g``, whose pitch is open, may take: ascending, with room for those that follow in
    its chord; if there is no room, any that no other note of the chord has."""
    given = scene.given
    after, highest = 0, 128
    for other in range(g + 1, len(given)):
        if given[other, 0] != step or given[other, 1] != part:
            break
        if given[other, 2] >= 0:
            highest = given[other, 2]
            break
        after += 1
    room = 0
    some = False
    for pitch in range(127, -1, -1):
        fits = scene.playable[state_of, part, pitch] and lowest <= pitch < highest
        mask[pitch] = fits and room >= after
        some = some or mask[pitch]
        room += fits
    if some:
        return
    for pitch in range(128):
        mask[pitch] = scene.playable[state_of, part, pitch]
    for other in range(g + 1, len(given)):
        if given[other, 0] != step or given[other, 1] != part:
            break
        if given[other, 2] >= 0:
            mask[given[other, 2]] = False
    for row in range(past.state[0].count - 1, -1, -1):
        if past.onset[row] != step:
            break
        if past.rows[row, 1] == part and past.rows[row, 0] <= LONGEST_SHIFT:
            mask[past.rows[row, 2]] = False


@numba.njit(cache=True, nogil=True)
def play_rows(weights, scene, stream, sampling, temperatures, most, stop_at):  # type: ignore[no-untyped-def]
    """Add at most ``most`` rows. Returns why it ended: `PLAYING` (``most`` rows were added), `FINISHED`, `AT_STOP` (the
    next row would start at step ``stop_at`` or later, and is not added), `OUT_OF_ROOM`.
    """
    past, row, at, started, given = stream.past, stream.row, stream.at, stream.started, scene.given
    memory = past.state[0]
    size = weights.says.shape[0]
    expected, records = np.empty((6, POINTERS), np.int64), np.empty((6, POINTERS), np.int64)
    anchors, counts = np.empty(ANCHORS, np.int64), np.empty((TALLIES, 12), np.int64)
    tallies = np.zeros((TALLIES, 12), np.float32)
    z, said, logits = (
        np.empty(size, np.float32),
        np.empty(2 * LAST_SYMBOL, np.float32),
        np.empty(LAST_SYMBOL, np.float32),
    )
    mask, hidden = np.empty(LAST_SYMBOL, np.bool_), np.empty_like(stream.hidden)
    # What the heads would know if no level were asked of a bar: guidance goes on from there to what they know.
    free_hidden, free_logits = np.empty_like(stream.hidden), np.empty(LAST_SYMBOL, np.float32)
    guided = bool((scene.levels >= 0).any()) and sampling[4] != 1.0
    last_place, place, new = np.empty(3, np.int64), np.empty(3, np.int64), np.zeros(6, np.int64)
    numbered = np.empty(3, np.int64)
    parts, first_step, end = scene.numbers[1], scene.numbers[2], scene.numbers[3]
    for _ in range(most):
        now = at[0]
        g = memory.ahead_at[0]
        next_given = given[g, 0] if g < len(given) else np.int64(NEVER)
        index = max(now - first_step, 0)
        next_open = scene.next_open[index] if index < len(scene.next_open) else end
        if next_open >= end and g >= len(given):
            return FINISHED
        if at[3] >= len(stream.kept) or memory.count + 1 >= len(past.rows):
            return OUT_OF_ROOM
        _place(scene.lines, now, last_place)
        if at[1] == 0:
            hear(weights, scene, row, last_place, stream.state, stream.hidden)
            at[1] = 1
            begin(past, last_place[2])
        hidden[:] = stream.hidden
        free_hidden[:] = stream.hidden
        ask(weights, scene, last_place[1], True, True, hidden)
        ask(weights, scene, last_place[1], True, False, free_hidden)
        new[:] = 0
        # The time shift.
        expect(past, 0, new, last_place[0], last_place[2], given, expected[0], records[0])
        free = next_open <= next_given and next_open < end
        if free and next_open == now:  # is there really room on this very step?
            free = False
            for part in range(parts):
                if _may_start(scene, now, row, now, started, g, part):
                    free = True
            if not free and now + 1 - first_step < len(scene.next_open):
                later = scene.next_open[now + 1 - first_step]
                free = later < next_given or (later == next_given and later < end)
        if free:
            for s in range(SIZES[0]):
                mask[s] = False
            some = False
            for s in range(LONGEST_SHIFT + 1):
                step = now + s
                if step > next_given:
                    break
                if step >= end:
                    mask[s] = g >= len(given)
                elif step == next_given and g < len(given):
                    mask[s] = True
                elif (
                    step - first_step < len(scene.open_parts)
                    and scene.open_parts[max(step - first_step, 0)] != 0
                    and step >= first_step
                ):
                    if s > 0:
                        mask[s] = True
                    else:
                        for part in range(parts):
                            mask[s] = mask[s] or _may_start(scene, step, row, now, started, g, part)
                some = some or mask[s]
            far = now + WAIT
            mask[WAIT] = far <= next_given and (far >= end or far < len(scene.next_open) + first_step)
            if mask[WAIT] and far < end and g >= len(given):
                mask[WAIT] = True
            logits_of(weights, scene, 0, hidden, expected[0], records[0], anchors, tallies, z, said, logits)
            if guided:
                logits_of(
                    weights, scene, 0, free_hidden, expected[0], records[0], anchors, tallies, z, said, free_logits
                )
                _guide(logits, free_logits, SIZES[0], sampling[4])
            new[0] = draw(logits, mask, SIZES[0], expected[0], 0, sampling, temperatures, stream.chance, stream.nats)
            if new[0] < 0:
                return FINISHED
        else:
            if g >= len(given):
                return FINISHED
            new[0] = min(next_given - now, WAIT)
        step = now + new[0]
        if step >= stop_at:
            return AT_STOP
        if step >= end and g >= len(given):
            return FINISHED
        _place(scene.lines, step, place)
        numbered[0], numbered[1], numbered[2] = place[0], place[1] + scene.numbers[0], place[2]
        is_note = new[0] <= LONGEST_SHIFT
        is_given = False
        if is_note:
            tell(weights, scene, 0, new, place, hidden)
            ask(weights, scene, place[1], False, True, hidden)
            if guided:
                tell(weights, scene, 0, new, place, free_hidden)
                ask(weights, scene, place[1], False, False, free_hidden)
            look_ahead(past, step, given)
            at_given = g < len(given) and step == next_given
            # The part.
            expect(past, 1, new, place[0], last_place[2], given, expected[1], records[1])
            choices = 0
            for part in range(MAX_PARTS):
                mask[part] = part < parts and free and _may_start(scene, step, row, now, started, g, part)
                if at_given and part == given[g, 1]:
                    mask[part] = True
                if mask[part]:
                    choices += 1
                    new[1] = part
            if choices > 1:
                logits_of(weights, scene, 1, hidden, expected[1], records[1], anchors, tallies, z, said, logits)
                if guided:
                    logits_of(
                        weights, scene, 1, free_hidden, expected[1], records[1], anchors, tallies, z, said, free_logits
                    )
                    _guide(logits, free_logits, SIZES[1], sampling[4])
                new[1] = draw(logits, mask, parts, expected[1], 1, sampling, temperatures, stream.chance, stream.nats)
            tell(weights, scene, 1, new, place, hidden)
            if guided:
                tell(weights, scene, 1, new, place, free_hidden)
            # The pitch.
            part = new[1]
            expect(past, 2, new, place[0], last_place[2], given, expected[2], records[2])
            hints(past, part, scene.drums[part], step, given, anchors, counts)
            to_given = at_given and part == given[g, 1]
            joined = free and _may_start(scene, step, row, now, started, g, part)
            known = given[g, 2] if to_given else np.int64(-1)
            if to_given and not joined and known >= 0:
                new[2] = known
            else:
                state_of = scene.harmony[min(max(step - first_step, 0), len(scene.harmony) - 1)]
                lowest = row[2] + 1 if new[0] == 0 and row[0] <= LONGEST_SHIFT and part == row[1] else np.int64(0)
                if to_given and known < 0:
                    _mask_open_pitch(scene, past, step, part, lowest, g, state_of, mask)
                else:
                    for pitch in range(128):
                        mask[pitch] = scene.playable[state_of, part, pitch] and pitch >= lowest
                        if to_given and pitch >= known:
                            mask[pitch] = pitch == known
                for k in range(TALLIES):
                    mean = 0.0
                    for c in range(12):
                        tallies[k, c] = math.log(counts[k, c] + np.float32(0.5))
                        mean += tallies[k, c] / 12
                    for c in range(12):
                        tallies[k, c] = np.float32(0) if scene.drums[part] else tallies[k, c] - np.float32(mean)
                logits_of(weights, scene, 2, hidden, expected[2], records[2], anchors, tallies, z, said, logits)
                if guided:
                    logits_of(
                        weights, scene, 2, free_hidden, expected[2], records[2], anchors, tallies, z, said, free_logits
                    )
                    _guide(logits, free_logits, SIZES[2], sampling[4])
                if not scene.drums[part]:
                    for pitch in range(128):
                        logits[pitch] += scene.favoured[state_of, pitch % 12]
                new[2] = draw(logits, mask, 128, expected[2], 2, sampling, temperatures, stream.chance, stream.nats)
            is_given = bool(to_given and (known < 0 or new[2] == known))
            tell(weights, scene, 2, new, place, hidden)
            if guided:
                tell(weights, scene, 2, new, place, free_hidden)
            for field in range(3, 6):
                expect(past, field, new, place[0], last_place[2], given, expected[field], records[field])
                if is_given and given[g, field] >= 0:
                    new[field] = given[g, field]
                else:
                    for i in range(SIZES[field]):
                        mask[i] = True
                    told, known_by = expected[field], records[field]
                    logits_of(weights, scene, field, hidden, told, known_by, anchors, tallies, z, said, logits)
                    if guided:
                        logits_of(
                            weights, scene, field, free_hidden, told, known_by, anchors, tallies, z, said, free_logits
                        )
                        _guide(logits, free_logits, SIZES[field], sampling[4])
                    new[field] = draw(
                        logits,
                        mask,
                        SIZES[field],
                        expected[field],
                        field,
                        sampling,
                        temperatures,
                        stream.chance,
                        stream.nats,
                    )
                tell(weights, scene, field, new, place, hidden)
                if guided:
                    tell(weights, scene, field, new, place, free_hidden)
        add(past, new, step, numbered, scene.drums[new[1]], expected)
        if step > now:
            started[:] = 0
        if is_note:
            started[new[1]] += 1
            whole = True
            for field in range(2, 6):
                whole = whole and is_given and given[g, field] >= 0
            if not whole:
                out = stream.kept[at[3]]
                out[0] = step
                for field in range(1, 6):
                    out[field] = new[field]
                out[6] = 1 + g if is_given else 0
                at[3] += 1
                stream.nats[1] += 1
            if is_given:
                memory.ahead_at[0] = g + 1
        row[:] = new
        at[0], at[1] = step, 0
        at[2] += 1
    return PLAYING

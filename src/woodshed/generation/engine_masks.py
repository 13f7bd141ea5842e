"""Where notes may start and which pitches they may take: the constraints of a plan for one row, compiled."""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import LONGEST_SHIFT, ON_THE_GRID, SIZES, WAIT
from woodshed.compiled import compiled


@compiled
def place_of(lines, step, place):  # type: ignore[no-untyped-def]
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


@compiled
def _room(scene, state_of, part, lowest, started):  # type: ignore[no-untyped-def]
    """Whether a part may take a pitch of at least ``lowest``, when so many of its notes start on this step."""
    if started >= scene.polyphony[part]:
        return False
    return bool(scene.playable[state_of, part, lowest:].any())


@compiled
def may_start(scene, step, row, now, started, given_at, part):  # type: ignore[no-untyped-def]
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


@compiled
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


@compiled
def is_free(scene, stream, g, next_given, next_open):  # type: ignore[no-untyped-def]
    """Whether a new note may come before the next given one; ``next_open`` is the next step where a part is open."""
    now, end = stream.at[0], scene.numbers[3]
    if next_open > next_given or next_open >= end:
        return False
    if next_open > now:
        return True
    for part in range(scene.numbers[1]):  # is there really room on this very step?
        if may_start(scene, now, stream.row, now, stream.started, g, part):
            return True
    after = now + 1 - scene.numbers[2]
    if after >= len(scene.next_open):
        return False
    later = scene.next_open[after]
    return later < next_given or (later == next_given and later < end)


@compiled
def mask_shift(scene, stream, g, next_given, mask):  # type: ignore[no-untyped-def]
    """The time shifts to where a note may start, to the next given one, or past the end."""
    now, first_step, end = stream.at[0], scene.numbers[2], scene.numbers[3]
    over = g >= len(scene.given)
    mask[: SIZES[0]] = False
    for s in range(LONGEST_SHIFT + 1):
        step = now + s
        if step > next_given:
            break
        if step >= end:
            mask[s] = over
        elif step == next_given and not over:
            mask[s] = True
        elif first_step <= step < first_step + len(scene.open_parts) and scene.open_parts[step - first_step] != 0:
            mask[s] = s > 0
            for part in range(scene.numbers[1] if s == 0 else 0):
                mask[s] = mask[s] or may_start(scene, step, stream.row, now, stream.started, g, part)
    far = now + WAIT
    mask[WAIT] = far <= next_given and (far >= end or far < len(scene.next_open) + first_step)
    if mask[WAIT] and far < end and over:
        mask[WAIT] = True


@compiled
def mask_pitch(scene, stream, step, g, to_given, it):  # type: ignore[no-untyped-def]
    """The pitches that the part of the new row may take; of a given note, its own or lower ones that come before it."""
    row, new, mask, part = stream.row, it.new, it.mask, it.new[1]
    state_of = state_at(scene, step)
    known = scene.given[g, 2] if to_given else np.int64(-1)
    lowest = row[2] + 1 if new[0] == 0 and row[0] <= LONGEST_SHIFT and part == row[1] else np.int64(0)
    if to_given and known < 0:
        _mask_open_pitch(scene, stream.past, step, part, lowest, g, state_of, mask)
        return
    for pitch in range(128):
        mask[pitch] = scene.playable[state_of, part, pitch] and pitch >= lowest
        if to_given and pitch >= known:
            mask[pitch] = pitch == known


@compiled
def mask_touch(scene, part, field, mask):  # type: ignore[no-untyped-def]
    """Of duration those that the part's notes have; of microtiming what lies no farther off the step."""
    if field == 3:
        for i in range(SIZES[3]):
            mask[i] = scene.usual.note_values[part, i] != 0
    elif field == 4:
        mask[: SIZES[4]] = True
    else:
        reach = scene.usual.reach[part]
        for i in range(SIZES[5]):
            mask[i] = np.isnan(reach) or abs(i - ON_THE_GRID) <= reach


@compiled
def state_at(scene, step):  # type: ignore[no-untyped-def]
    """The harmony state in force."""
    return scene.harmony[min(max(step - scene.numbers[2], 0), len(scene.harmony) - 1)]

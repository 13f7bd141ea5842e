"""Voices that sound as much of the time as those of the learned songs, compiled: a closed loop for each part.

A part of real music that plays in a bar sounds through nearly all of it: its next note begins where the last one ends.
A model that hears itself does not keep this up. It knows a part's line from the bars before, so a part that has once
missed its turn is missing in every bar that repeats that one; nothing tells the model how long a part has been silent.
Before this loop, parts of the clips of `benchmarks/quality` sounded through half of the bars in which they played,
where those of the songs that were learned sound through nine tenths.

So what is known of the learned songs, the share of its bars that each part sounds, is held to. A part is *due* where
its last note has ended, or at the next eighth after that (a triplet where the last note began on one). Where the next
note that the model draws would pass over a part that is due, the part is called with some chance: it plays then and
there, what and how long the model says. That chance grows while a part is silent for longer than it should be, and
shrinks while it sounds, so the two meet at the share that was learned. Nothing else that the model draws is displaced:
after the note that was called, and others of its chord, it goes on to the step to which it would have gone without.

So is how many notes a part plays: called so often, pads would play in eighths what they hold for a bar in the songs. A
part that has played more notes than that song's part in as many bars is not called, and is less likely to be chosen.
(That helps where some parts play too much. Where all do, longer time shifts would; tried, they thinned clips out as far
as they should, and took the rhythm apart.)

Source:
    Ours; the loop is kin to that of `engine_copying`.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import LONGEST_SHIFT
from woodshed.compiled import compiled
from woodshed.generation.engine_draw import uniform
from woodshed.generation.engine_masks import may_start

ENDED, CHANCE, BEGAN, MORE = range(4)
"""The rows of `Stream.voices`."""
GOING_ON = 4
"""The place in `Stream.at`."""
RATE = 0.4
"""By how much the chance grows with each quarter note for which a part is silent and should not be."""
MOST = 0.95
PACE_RATE, MOST_MORE = 0.1, 2.0
"""Nats by which one note moves how much a part is favoured, and the most."""
QUARTER, EIGHTH, TRIPLET = 12.0, 6, 4
"""Steps."""


@compiled
def _due(stream, part):  # type: ignore[no-untyped-def]
    """The step at which a part is due, at or after the last row's."""
    ended = max(np.int64(stream.voices[ENDED, part]), stream.at[0])
    swings = np.int64(stream.voices[BEGAN, part]) % EIGHTH != 0 and np.int64(stream.voices[BEGAN, part]) % TRIPLET == 0
    return ended if swings and ended % TRIPLET == 0 else (ended + EIGHTH - 1) // EIGHTH * EIGHTH


@compiled
def call_before(scene, stream, g, shift):  # type: ignore[no-untyped-def]
    """(shift, part) of a part that is called before the step to which the model would go on; the same shift and -1 if
    none is."""
    now, row = stream.at[0], stream.row
    called, earliest = np.int64(-1), now + shift
    for part in range(scene.numbers[1]):
        chance = stream.voices[CHANCE, part]
        if chance <= 0 or stream.voices[MORE, part] < 0:
            continue
        due = _due(stream, part)
        if due >= earliest or due - now > LONGEST_SHIFT:
            continue
        if (
            may_start(scene, due, row, now, stream.started, g, part)
            and (due > now or part > row[1])
            and uniform(stream.chance) < chance
        ):
            called, earliest = np.int64(part), due
    if called >= 0 and shift <= LONGEST_SHIFT:
        stream.at[GOING_ON] = now + shift
    return earliest - now, called


@compiled
def resumed(stream, shift, mask):  # type: ignore[no-untyped-def]
    """The shift that was drawn, or the one to where the model was going on when a part was called before."""
    left = stream.at[GOING_ON] - stream.at[0]
    return left if shift > 0 and 0 < left <= LONGEST_SHIFT and mask[left] else shift


@compiled
def call_first(scene, stream, step, mask, chosen):  # type: ignore[no-untyped-def]
    """The part that plays first at a step: the one that the model chose, or one before it that is called."""
    for part in range(chosen):
        chance = stream.voices[CHANCE, part]
        if chance > 0 and mask[part] and _due(stream, part) <= step and uniform(stream.chance) < chance:
            return np.int64(part)
    return chosen


@compiled
def pass_time(scene, stream, now, step):  # type: ignore[no-untyped-def]
    """From one step to the next each part that is open sounded, or did not."""
    index = now - scene.numbers[2]
    if index < 0 or index >= len(scene.open_parts):
        return
    for part in range(scene.numbers[1]):
        if not scene.open_parts[index] >> np.uint16(part) & np.uint16(1):
            continue
        if not np.isnan(scene.usual.pace[part]):
            more = stream.voices[MORE, part] + PACE_RATE * scene.usual.pace[part] * (step - now) / QUARTER
            stream.voices[MORE, part] = min(more, MOST_MORE)
        share = scene.usual.sounding[part]
        if np.isnan(share):
            continue
        sounded = min(max(stream.voices[ENDED, part] - now, 0.0), step - now)
        chance = stream.voices[CHANCE, part] + RATE * (share * (step - now) - sounded) / QUARTER
        stream.voices[CHANCE, part] = min(max(chance, 0.0), MOST)


@compiled
def lean_to_pace(scene, stream, mask, logits):  # type: ignore[no-untyped-def]
    """Favour the parts that have played too few notes, and others less."""
    for part in range(scene.numbers[1]):
        if mask[part]:
            logits[part] += np.float32(stream.voices[MORE, part])


@compiled
def rings_on(stream, part, step):  # type: ignore[no-untyped-def]
    """Whether a note of the part that began before a step sounds on beyond it."""
    return stream.voices[ENDED, part] > step and stream.voices[BEGAN, part] < step


@compiled
def hear_note(scene, stream, row, step, again):  # type: ignore[no-untyped-def]
    """Take in a note; of one that is played ``again`` only that it sounds."""
    part = row[1]
    stream.voices[BEGAN, part] = step
    stream.voices[ENDED, part] = max(stream.voices[ENDED, part], step + row[3] + 1.0)
    if again:
        return
    if not np.isnan(scene.usual.pace[part]):
        stream.voices[MORE, part] = max(stream.voices[MORE, part] - PACE_RATE, -MOST_MORE)

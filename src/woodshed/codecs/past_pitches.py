"""From which pitches an interval may be taken, and which pitch classes were heard or are given ahead: see `past`."""

from __future__ import annotations

import numpy as np

from woodshed.codecs.past_state import ANCHORS, FAR, LONG, MOST_SOUNDING, NEAR, NOTHING, SHORT, TALLIES
from woodshed.compiled import compiled


@compiled
def hints(past, part, drum, onset, given, anchors, tallies):  # type: ignore[no-untyped-def]
    """Write ``anchors`` (5,) and ``tallies`` (5, 12) for the pitch of a row of ``part`` at step ``onset``."""
    state = past.state[0]
    for k in range(ANCHORS):
        anchors[k] = NOTHING
    for k in range(TALLIES):
        for c in range(12):
            tallies[k, c] = 0
    if drum:
        return
    anchors[0], anchors[1], anchors[2] = state.own[part, 0], state.own[part, 1], state.last_pitch
    lowest = np.int64(128)
    for i in range(state.sounds):
        if state.sounding[i, 1] > onset:
            pitch = state.sounding[i, 0]
            tallies[2, pitch % 12] += 1
            lowest = min(lowest, pitch)
    if lowest < 128:
        anchors[3] = lowest
    for c in range(12):
        tallies[0, c], tallies[1, c] = state.tally[0, c], state.tally[1, c]
        tallies[3, c], tallies[4, c] = state.ahead_tally[0, c], state.ahead_tally[1, c]
    for g in range(state.ahead_at[0], state.ahead_at[3]):
        if given[g, 2] >= 0 and given[g, 6] == 0:
            anchors[4] = given[g, 2]
            break


@compiled
def look_ahead(past, onset, given):  # type: ignore[no-untyped-def]
    """Count the given pitches of the beat and of the bar from step ``onset``, which never goes back, on."""
    state = past.state[0]
    at = state.ahead_at
    while at[1] < at[0]:
        g = at[1]
        for k in range(2):
            if g < at[2 + k] and given[g, 2] >= 0 and given[g, 6] == 0:
                state.ahead_tally[k, given[g, 2] % 12] -= 1
        at[1] += 1
    for k in range(2):
        at[2 + k] = max(at[2 + k], at[1])
        while at[2 + k] < len(given) and given[at[2 + k], 0] < onset + (NEAR if k == 0 else FAR):
            g = at[2 + k]
            if given[g, 2] >= 0 and given[g, 6] == 0:
                state.ahead_tally[k, given[g, 2] % 12] += 1
            at[2 + k] += 1


@compiled
def sound(past, pitch, onset, end):  # type: ignore[no-untyped-def]
    state = past.state[0]
    kept = 0
    for i in range(state.sounds):
        if state.sounding[i, 1] > onset:
            state.sounding[kept, 0], state.sounding[kept, 1] = state.sounding[i, 0], state.sounding[i, 1]
            kept += 1
    if kept < MOST_SOUNDING:
        state.sounding[kept, 0], state.sounding[kept, 1] = pitch, end
        kept += 1
    state.sounds = kept


@compiled
def count_class(state, pitch_class):  # type: ignore[no-untyped-def]
    """Count the pitch class of the row just heard, -1 for a drum or no note, among the latest; forget the oldest."""
    heard = state.heard
    state.heard = heard + 1
    gone = state.classes[heard % LONG]
    if gone >= 0:
        state.tally[1, gone] -= 1
    if heard >= SHORT:
        gone = state.classes[(heard - SHORT) % LONG]
        if gone >= 0:
            state.tally[0, gone] -= 1
    state.classes[heard % LONG] = pitch_class
    if pitch_class >= 0:
        state.tally[0, pitch_class] += 1
        state.tally[1, pitch_class] += 1

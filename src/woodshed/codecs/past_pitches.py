"""From which pitches an interval may be taken, and which pitch classes were heard or are given ahead: see `past`."""

from __future__ import annotations

import math

import numpy as np

from woodshed.codecs.past_state import ANCHORS, FAR, LONG, MOST_SOUNDING, NEAR, NOTHING, SHORT, TALLIES
from woodshed.compiled import compiled


@compiled
def hints(past, part, drum, onset, given, anchors, tallies):  # type: ignore[no-untyped-def]
    """Write ``anchors`` (5,) and ``tallies`` (5, 12) for the pitch of a row of ``part`` at step ``onset``."""
    hint(past.state[0], part, drum, onset, given, anchors, tallies)


@compiled
def hint(state, part, drum, onset, given, anchors, tallies):  # type: ignore[no-untyped-def]
    """What `hints` says."""
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


LOGS = np.log(np.arange(1024, dtype=np.float32) + np.float32(0.5))

NO_SHARE = LOGS[0] - np.full(12, LOGS[0]).mean()
"""What the share of each is where all tallies are 0: but for rounding nothing."""


@compiled
def log_shares(counts, shares):  # type: ignore[no-untyped-def]
    """Of tallies (5, 12) the log of each one's share, half a note added to each; less the mean of the twelve, so that
    counts that are all alike say nothing at all."""
    for k in range(TALLIES):
        some = False
        for c in range(12):
            some |= counts[k, c] != 0
        if not some:
            for c in range(12):
                shares[k, c] = NO_SHARE
            continue
        for c in range(12):
            count = counts[k, c]
            shares[k, c] = LOGS[count] if count < len(LOGS) else np.float32(math.log(count + 0.5))
        one = (shares[k, 0] + shares[k, 1]) + (shares[k, 2] + shares[k, 3])
        two = (shares[k, 4] + shares[k, 5]) + (shares[k, 6] + shares[k, 7])
        mean = (one + two + shares[k, 8] + shares[k, 9] + shares[k, 10] + shares[k, 11]) / np.float32(12)
        for c in range(12):
            shares[k, c] -= mean


@compiled
def look_ahead(past, onset, given):  # type: ignore[no-untyped-def]
    """Count the given pitches of the beat and of the bar from step ``onset``, which never goes back, on."""
    count_ahead(past.state[0], onset, given)


@compiled
def count_ahead(state, onset, given):  # type: ignore[no-untyped-def]
    """What `look_ahead` does."""
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
def sound(state, pitch, onset, end):  # type: ignore[no-untyped-def]
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

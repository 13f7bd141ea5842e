"""Which facts sixteen *voters* go by in each field, compiled: see `past_votes`, where they vote.

The first eight of each field are the contexts of `past_contexts`. The other eight see further: what the lags and the
matches expect side by side, so that a change made each time round is known again; all that was struck in the bar so
far; the last three pitches, or values; what the part played last at this place. Of the pitch three vote for
intervals: from what stood a bar back, from what a match expects, from the bass, so that a riff is known again where
the harmony has moved on.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.past_contexts import mix
from woodshed.codecs.past_state import (
    ALL_CONTEXTS,
    LAGS,
    LAST_POSITION,
    NO_PART,
    OF_PITCHES,
    OF_VALUES,
    POINTERS,
    VOTERS,
    VOTERS_OF,
)
from woodshed.compiled import compiled

LOW = 55
"""A pitched note below G3 is taken for the bass."""
NOT_EXPECTED = 999
FRESH_BAR = 7


@compiled
def _voter(state, field, voter, one, two, three, four):  # type: ignore[no-untyped-def]
    """The row in the making has these facts."""
    i = VOTERS_OF[field, voter] - ALL_CONTEXTS
    state.voter_seeds[i] = field * VOTERS + voter + 1
    state.voter_facts[0, i] = one
    state.voter_facts[1, i] = two
    state.voter_facts[2, i] = three
    state.voter_facts[3, i] = four


@compiled
def call_voters(state, field, position):  # type: ignore[no-untyped-def]
    """The facts of this field's own voters; the contexts are called by `past_contexts`."""
    position = min(position, LAST_POSITION)
    if field == 0:
        _of_shift(state, position)
    elif field == 1:
        _of_part(state, position)
    elif field == 2:
        _of_pitch(state, position)
    else:
        _of_values(state, field, position)


@compiled
def _bar_of(state):  # type: ignore[no-untyped-def]
    """The number of the bar in which the row in the making stands."""
    return state.place[1] + (state.place[0] + state.row[0]) // max(state.place[2], 1)


@compiled
def _own_bar(state, part, bar):  # type: ignore[no-untyped-def]
    """What a part has struck in this bar so far, as a hash."""
    return state.own_bar[part] if state.own_bar_number[part] == bar else np.uint64(FRESH_BAR)


@compiled
def _of_shift(state, position):  # type: ignore[no-untyped-def]
    latest, expected = state.latest, state.expected
    part, bar = state.last[1], state.place[1]
    _voter(state, 0, 8, state.bar_rhythm, position, 0, 0)
    _voter(state, 0, 9, expected[0] + 1, expected[LAGS] + 1, part, 0)
    _voter(state, 0, 10, state.own_onset[part, 0] - state.own_onset[part, 1], part, position, 0)
    _voter(state, 0, 11, expected[0] + 1, expected[1] + 1, expected[2] + 1, 0)
    _voter(state, 0, 12, latest[0, 0], latest[1, 0], latest[2, 0], position)
    _voter(state, 0, 13, _own_bar(state, part, bar), position, part, 0)
    _voter(state, 0, 14, latest[0, 1], latest[1, 1], latest[2, 1], latest[3, 1])
    _voter(state, 0, 15, position, bar & 1, part, 0)


@compiled
def _of_part(state, position):  # type: ignore[no-untyped-def]
    row, latest, expected, at = state.row, state.latest, state.expected, POINTERS
    together, bar = row[0] == 0, _bar_of(state)
    beside = state.last[1] if together else np.int64(NO_PART)
    rhythm = state.bar_rhythm if state.bar_number == bar else np.uint64(FRESH_BAR)
    now = state.struck[0] if together else np.int64(1)
    before = state.struck[1] if together else state.struck[0]
    _voter(state, 1, 8, rhythm, position, np.int64(together), 0)
    _voter(state, 1, 9, latest[0, 0], latest[1, 0], latest[2, 0], row[0])
    _voter(state, 1, 10, expected[at] + 1, expected[at + 1] + 1, expected[at + 2] + 1, beside)
    _voter(state, 1, 11, expected[at + 3] + 1, expected[at + 4] + 1, expected[at + 5] + 1, beside)
    _voter(state, 1, 12, position, now, before, 0)
    _voter(state, 1, 13, position, bar & 1, beside, 0)
    _voter(state, 1, 14, expected[at + 1] + 1, expected[at + 4] + 1, position, beside)
    _voter(state, 1, 15, latest[0, 1], position, beside, 0)


@compiled
def _of_pitch(state, position):  # type: ignore[no-untyped-def]
    row, expected, at = state.row, state.expected, 2 * POINTERS
    part, bar = row[1], _bar_of(state)
    who = part * 2 + np.int64(row[0] == 0 and state.last[1] == part)
    own, stood, low = state.own[part], state.stood[part, position], state.low_pitch
    _voter(state, 2, 8, who, own[0], own[1], own[2])
    _voter(state, 2, 9, who, stood[0], stood[1], 0)
    _voter(state, 2, 10, who, expected[at] + 1, expected[at + 1] + 1, expected[at + 2] + 1)
    _voter(state, 2, 11, who, _own_bar(state, part, bar), position, 0)
    _voter(state, 2, 15, who, low, own[0], 0)
    if expected[at] >= 0:
        _voter(state, 2, 12, who, state.beyond[part, 0], 0, 0)
        state.bases[VOTERS_OF[2, 12]] = expected[at]
    if expected[at + LAGS] >= 0:
        _voter(state, 2, 13, who, state.beyond[part, 1], 0, 0)
        state.bases[VOTERS_OF[2, 13]] = expected[at + LAGS]
    if low >= 0:
        _voter(state, 2, 14, who, position, 0, 0)
        state.bases[VOTERS_OF[2, 14]] = low


@compiled
def _of_values(state, field, position):  # type: ignore[no-untyped-def]
    """Of the duration, the velocity or the microtiming."""
    row, expected, at = state.row, state.expected, field * POINTERS
    part, pitch, bar = row[1], row[2], _bar_of(state)
    own, first = state.own[part], OF_PITCHES + OF_VALUES * (field - 3)
    _voter(state, field, 8, part, own[first], own[first + 1], own[first + 2])
    _voter(state, field, 9, part, position, own[0], pitch)
    _voter(state, field, 10, part, expected[at] + 1, expected[at + LAGS] + 1, own[first])
    _voter(state, field, 11, part, position, bar & 3, 0)
    _voter(state, field, 12, part, pitch, own[0], own[1])
    _voter(state, field, 13, part, expected[at] + 1, expected[at + 1] + 1, expected[at + 2] + 1)
    _voter(state, field, 14, part, _own_bar(state, part, bar), position, 0)
    _voter(state, field, 15, part * 128 + pitch, position, row[field - 1] if field > 3 else bar & 1, 0)


@compiled
def remember(state, onset, place, drum, is_note):  # type: ignore[no-untyped-def]
    """The row is decided: keep what voters will go by. Before the part's own pitches move on."""
    row, latest = state.row, state.latest
    for i in range(len(latest) - 1, 0, -1):
        for k in range(2):
            latest[i, k] = latest[i - 1, k]
    part, pitch = row[1], row[2]
    latest[0, 0], latest[0, 1] = part, (row[0] * 16 + part) * 128 + pitch
    if not is_note:
        return
    position = min(place[0], LAST_POSITION)
    if state.bar_number != place[1]:
        state.bar_number, state.bar_rhythm = place[1], np.uint64(FRESH_BAR)
    struck = part * 128 + (pitch if drum else 0)
    state.bar_rhythm = mix(mix(state.bar_rhythm, position), struck)
    if state.own_bar_number[part] != place[1]:
        state.own_bar_number[part], state.own_bar[part] = place[1], np.uint64(FRESH_BAR)
    state.own_bar[part] = mix(mix(state.own_bar[part], position), pitch)
    state.own_onset[part, 1] = state.own_onset[part, 0]
    state.own_onset[part, 0] = onset
    state.stood[part, position, 1] = state.stood[part, position, 0]
    state.stood[part, position, 0] = pitch
    for k in range(2):
        said = state.expected[2 * POINTERS + k * LAGS]
        state.beyond[part, k] = pitch - said if said >= 0 else NOT_EXPECTED
    if not drum and pitch < LOW:
        state.low_pitch = pitch

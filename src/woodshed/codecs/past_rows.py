"""What stands some bars back, and what followed when the latest rows last came, compiled: see `past`."""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import LONGEST_SHIFT, WAIT
from woodshed.codecs.past_contexts import mix
from woodshed.codecs.past_state import (
    LAGS,
    LENGTH_RECORD,
    LONGEST_LENGTH,
    MATCH_SLOTS,
    MATCHED_ROWS,
    MATCHES,
    NOTHING,
    POINTERS,
    RUN_RECORD,
)
from woodshed.compiled import compiled


@compiled
def order_of(onset, part, pitch):  # type: ignore[no-untyped-def]
    """Rows ascend in this."""
    return (onset * 16 + part) * 128 + pitch


@compiled
def run_record(state, at):  # type: ignore[no-untyped-def]
    """How far a pointer can be trusted that is judged by its runs."""
    run, bits = state.runs[at], state.hits[at]
    often = np.int64(RUN_RECORD[run])
    few = (bits >> 1 & 1) + (bits >> 2 & 1) + (bits >> 3 & 1)
    return often if run > 0 else few


@compiled
def wait_for_lags(state, rows, order, bar_steps):  # type: ignore[no-untyped-def]
    """How long it is to what stands 1, 2 and 4 bars back."""
    last = state.count - 1
    for k in range(LAGS):
        j = min(state.lag_at[k], last)
        then = state.now - (bar_steps << k)
        wait = (order[j] >> 11) - then
        known = (j == state.lag_at[k]) & (then >= -bar_steps) & (rows[j, 0] <= LONGEST_SHIFT)
        state.found[k, 0] = wait
        state.stands[k] = known & (wait <= LONGEST_SHIFT)


@compiled
def move_lags(state, rows, order, field, bar_steps):  # type: ignore[no-untyped-def]
    """Move on to what stands 1, 2 and 4 bars back at the place of the row in the making, as far as that is known."""
    row, last = state.row, state.count - 1
    low = 11 if field == 1 else 7 if field == 2 else 0
    beyond = (row[1] << 7 if field > 1 else 0) + (row[2] if field > 2 else 0)
    for k in range(LAGS):
        at_least = ((state.now + row[0] - (bar_steps << k)) << 11) + beyond
        j = state.lag_at[k]
        if row[0] <= WAIT:
            while order[j] < at_least:
                j += 1
            state.lag_at[k] = j
        at = min(j, last)
        stands = (row[0] <= WAIT) & (order[j] >> low == at_least >> low) & (rows[at, 0] <= LONGEST_SHIFT)
        state.stands[k] = stands
        for c in range(field, 6 if field == 3 else field + 1):
            state.found[k, c] = rows[at, c]


@compiled
def fetch_matches(state, rows):  # type: ignore[no-untyped-def]
    """The rows that followed when the latest rows last came."""
    for m in range(MATCHES):
        j = state.match_at[m]
        state.stands[LAGS + m] = j >= 0
        for c in range(6):
            state.found[LAGS + m, c] = rows[max(j, 0), c]
        record = LENGTH_RECORD[min(state.match_length[m], LONGEST_LENGTH)]
        for field in range(6):
            state.records[field * POINTERS + LAGS + m] = record


@compiled
def agree(state, field):  # type: ignore[no-untyped-def]
    """Which matches agree with the field before too."""
    symbol = state.row[field - 1]
    for k in range(LAGS, LAGS + MATCHES):
        state.stands[k] &= (state.found[k, field - 1] == symbol) & (state.found[k, 0] <= LONGEST_SHIFT)


@compiled
def say(state, field):  # type: ignore[no-untyped-def]
    """What the rows say that lags and matches have come to."""
    for k in range(LAGS + MATCHES):
        state.expected[field * POINTERS + k] = state.found[k, field] if state.stands[k] else NOTHING


@compiled
def follow(state, rows, hashes):  # type: ignore[no-untyped-def]
    """Move the matches on with the row just added, or find others; remember where these rows are.

    The hash of the latest n rows begins anew with each row, so n of them are under way at a time: one is ready now.
    """
    row, count = state.row, state.count
    value = order_of(row[0], row[1], row[2])
    for m in range(MATCHES):
        state.hashing[m, state.heard % MATCHED_ROWS[m]] = MATCHED_ROWS[m]
        under_way = state.hashing[m]
        for i in range(MATCHED_ROWS[-1]):
            under_way[i] = mix(under_way[i], value)
    for m in range(MATCHES):
        size = MATCHED_ROWS[m]
        ready = state.hashing[m, (state.heard + 1) % size]
        j = state.match_at[m]
        at = max(j, 0)
        goes_on = (j >= 0) & (rows[at, 0] == row[0]) & (rows[at, 1] == row[1]) & (rows[at, 2] == row[2])
        state.match_at[m] = j + 1 if goes_on else NOTHING
        state.match_length[m] = state.match_length[m] + 1 if goes_on else 0
        if count < size:
            continue
        hashes[m, count] = ready
        slot = np.int64(ready & np.uint64(MATCH_SLOTS - 1))
        if state.match_at[m] < 0:
            found = state.match_slots[m, slot]
            if found >= 0 and hashes[m, found] == ready:
                state.match_at[m] = found
                state.match_length[m] = 1
        state.match_slots[m, slot] = count

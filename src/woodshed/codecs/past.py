"""What a song's own past says of its next note, compiled: fifteen pointers, and where pitches come from.

Musicians repeat themselves: a bar ago, two bars, four; wherever the last few notes were last played; and they
hit this drum as loud as the last time. A *pointer* names the symbol that it expects in one field of the next row, from
rows before it and the fields of the row that are already decided, nothing else.

======== ============================================== =============================================================
pointer  what it expects                                its record
======== ============================================== =============================================================
0-2      what stands 1, 2 and 4 bars back at this place how often it was right on end, in twelve steps to 2,049; when
                                                        it was wrong, how many of the three times before it was right
3-5      what followed the last 3, 6, 16 rows, when     for how many rows it has been right without a break, in sixteen
         they last came in this order                   steps to 1,025: how long a loop has been going on
6-13     what came last in eight *contexts* (below)     how often in a row this context gave that symbol (0, 1, 2-3,
                                                        more), and whether the pointer's last 2 came true
14       the next *given* row of a canvas, see `ahead`  as 0-2
======== ============================================== =============================================================

Contexts are pairs and triples of facts, hashed: of the time shift the place in the bar, the last row and what sounds
together with it; of the part those and what was struck so far in this step; of the pitch the part's own last pitches
and intervals (two contexts expect an interval, so that a phrase is known again in another key), the place and the
chord so far; of duration, velocity and microtiming the part, the pitch or drum, the place and the values before.

For the pitch there are also *anchors* (`ANCHORS` pitches from which an interval may be taken) and *tallies*
(`TALLIES` x 12: how often each pitch class was played of late, sounds now, is given ahead), see `past_pitches`.

One implementation serves training (`study`, a whole song in one call) and playing (`begin`, `expect` per field,
`hints`, `add`), so the two cannot differ. All is compiled: about a microsecond and a half a row.

Source:
    Lookback RNN (Waite, 2016) sees 1 and 2 bars back on a fixed grid; we carry it to note steps. Matches are those of
    prediction by partial matching (Cleary & Witten 1984), contexts with a run count those of PAQ's indirect models
    (Mahoney 2005); here a network learns how far to trust each.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import LONGEST_SHIFT, WAIT
from woodshed.codecs.past_contexts import confirm, in_contexts, mix
from woodshed.codecs.past_pitches import count_class, sound
from woodshed.codecs.past_state import (
    ANCHORS,
    CONTEXTS,
    GIVEN,
    LAGS,
    LAST_POSITION,
    LENGTHS,
    LONG_MATCH,
    MATCH_SLOTS,
    MATCHED_ROWS,
    MATCHES,
    NOTHING,
    POINTERS,
    RECORDS,
    RUNS,
    SYMBOL_ZERO,
    TALLIES,
    Past,
    copy_past,
    forget,
    forget_all,
    new_past,
)
from woodshed.compiled import compiled

__all__ = [
    "ANCHORS", "GIVEN", "LAGS", "MATCHES", "NOTHING", "POINTERS", "RECORDS", "TALLIES", "Past", "add", "begin",
    "copy_past", "expect", "follow_back", "forget", "forget_all", "new_past",
]  # fmt: skip


@compiled
def _key(past, j):  # type: ignore[no-untyped-def]
    """Rows ascend in this."""
    return (past.onset[j] * 16 + past.rows[j, 1]) * 128 + past.rows[j, 2]


@compiled
def begin(past, bar_steps):  # type: ignore[no-untyped-def]
    """Get ready for the next row; ``bar_steps`` is the length of the bar in which the row before lies."""
    state = past.state[0]
    count = state.count
    if count == 0:
        return
    last = _key(past, count - 1)
    for k in range(LAGS):
        target = last - (bar_steps << k) * 2048
        j = state.lag_at[k]
        while j > 0 and _key(past, j - 1) > target:
            j -= 1
        while j < count and _key(past, j) <= target:
            j += 1
        state.lag_at[k] = j


@compiled
def follow_back(past, back):  # type: ignore[no-untyped-def]
    """Let the matches follow what stands ``back`` steps earlier, where the section that now returns once stood, as if
    they had been right for `LONG_MATCH` rows; for playing, after `begin`.

    A model then does what it learned to do after a long match: it goes on copying, and varies now and then.
    """
    state = past.state[0]
    target = _key(past, state.count - 1) - back * 2048
    low, high = 0, state.count - 1
    while low < high:
        middle = (low + high) // 2
        if _key(past, middle) <= target:
            low = middle + 1
        else:
            high = middle
    if past.onset[low] - (past.onset[state.count - 1] - back) > LONGEST_SHIFT:
        return
    for m in range(MATCHES):
        if state.match_at[m] != low:
            state.match_at[m] = low
            state.match_length[m] = LONG_MATCH


@compiled
def expect(past, field, row, position, bar_steps, given, expected, records):  # type: ignore[no-untyped-def]
    """Write into ``expected`` and ``records`` (15,) what each pointer expects of ``field``; -1 is nothing.

    Of ``row`` (6,) only the fields before are read. ``position`` is the place in its bar of the row before for the time
    shift, of the row itself for later fields. ``given`` (G, 6): see `ahead`. Fields must be asked in their order.
    """
    state = past.state[0]
    for k in range(POINTERS):
        expected[k] = NOTHING
        records[k] = 0
    for c in range(CONTEXTS):
        state.used[field, c] = NOTHING
    _ahead(past, field, row, given, expected, records)
    count = state.count
    if count == 0:
        return
    _at_lags(past, field, row, bar_steps, expected, records)
    for m in range(MATCHES):
        records[LAGS + m] = np.searchsorted(LENGTHS, state.match_length[m], side="right")
        j = state.match_at[m]
        if j < 0 or (field > 0 and past.rows[j, 0] > LONGEST_SHIFT):
            continue
        agrees = True
        for c in range(min(field, 3)):
            agrees = agrees and past.rows[j, c] == row[c]
        if agrees:
            expected[LAGS + m] = past.rows[j, field]
    if field == 0 or row[0] <= LONGEST_SHIFT:
        in_contexts(past, field, row, min(position, LAST_POSITION), expected, records)


@compiled
def _ahead(past, field, row, given, expected, records):  # type: ignore[no-untyped-def]
    """The next given row: its symbol in this field, as far as the row agrees with it so far."""
    state = past.state[0]
    records[GIVEN] = _run_record(state, field, GIVEN)
    g = state.ahead_at[0]
    if g >= len(given):
        return
    count = state.count
    now = past.onset[count - 1] if count > 0 else 0
    wait = given[g, 0] - now
    if field == 0:
        expected[GIVEN] = min(wait, WAIT)
    elif row[0] == wait and (field < 2 or row[1] == given[g, 1]):
        agrees = field < 3 or given[g, 2] < 0 or row[2] == given[g, 2]
        expected[GIVEN] = given[g, field] if agrees else NOTHING


@compiled
def _run_record(state, field, pointer):  # type: ignore[no-untyped-def]
    run, bits = state.runs[field, pointer], state.hits[field, pointer]
    if run == 0:
        return (bits >> 1 & 1) + (bits >> 2 & 1) + (bits >> 3 & 1)
    return 3 + np.searchsorted(RUNS, run, side="right")


@compiled
def _at_lags(past, field, row, bar_steps, expected, records):  # type: ignore[no-untyped-def]
    state = past.state[0]
    count = state.count
    now = past.onset[count - 1]
    for k in range(LAGS):
        records[k] = _run_record(state, field, k)
        j = state.lag_at[k]
        then = now - (bar_steps << k)
        if field == 0:
            if j < count and then >= -bar_steps and past.onset[j] - then <= LONGEST_SHIFT >= past.rows[j, 0]:
                expected[k] = past.onset[j] - then
            continue
        if row[0] > WAIT:
            continue
        then += row[0]
        at_least = then * 2048
        if field > 1:
            at_least += row[1] * 128
        if field > 2:
            at_least += row[2]
        while j < count and _key(past, j) < at_least:
            j += 1
        state.lag_at[k] = j
        stands = j < count and past.onset[j] == then and past.rows[j, 0] <= LONGEST_SHIFT
        if stands and (field < 2 or past.rows[j, 1] == row[1]) and (field < 3 or past.rows[j, 2] == row[2]):
            expected[k] = past.rows[j, field]


@compiled
def add(past, row, onset, place, drum, expected):  # type: ignore[no-untyped-def]
    """The row is decided. ``place`` is its position, bar and bar length; ``expected`` (6, 15) what was expected."""
    state = past.state[0]
    count = state.count
    part, pitch = np.int64(row[1]), np.int64(row[2])
    is_note = row[0] <= LONGEST_SHIFT
    own = state.own[part, 0]
    for field in range(6 if is_note else 1):
        for k in range(POINTERS):
            if expected[field, k] >= 0:
                right = expected[field, k] == row[field]
                state.hits[field, k] = (state.hits[field, k] << 1 | right) & 15
                state.runs[field, k] = state.runs[field, k] + 1 if right else 0
        for c in range(CONTEXTS):
            if state.used[field, c] >= 0:
                base = own if field == 2 and 1 <= c <= 2 else 0
                confirm(state.slots, state.used[field, c], state.checks[field, c], row[field] - base + SYMBOL_ZERO)
    for c in range(6):
        past.rows[count, c] = row[c]
    past.onset[count] = onset
    state.count = count + 1
    for i in range(3):
        state.place[i] = place[i]
    if row[0] > 0:
        state.struck[1] = state.struck[0]
        state.struck[0] = 7
    state.struck[0] = np.int64(mix(np.uint64(state.struck[0]), part * 128 + pitch))
    for m in range(MATCHES):
        _follow(past, m, row)
    pitch_class = np.int64(-1)
    if is_note:
        for i in range(3, 0, -1):
            state.own[part, i] = state.own[part, i - 1]
        state.own[part, 0] = pitch
        for f in range(3):
            state.own[part, 2 * f + 5] = state.own[part, 2 * f + 4]
            state.own[part, 2 * f + 4] = row[3 + f]
        if not drum:
            pitch_class = pitch % 12
            state.last_pitch = pitch
            sound(past, pitch, onset, onset + row[3] + 1)
    count_class(state, pitch_class)


@compiled
def _follow(past, m, row):  # type: ignore[no-untyped-def]
    """Move a match on, or find another; remember where this context is."""
    state = past.state[0]
    j, count, size = state.match_at[m], state.count, MATCHED_ROWS[m]
    if j >= 0:
        if past.rows[j, 0] == row[0] and past.rows[j, 1] == row[1] and past.rows[j, 2] == row[2]:
            state.match_at[m] = j + 1
            state.match_length[m] += 1
        else:
            state.match_at[m] = NOTHING
            state.match_length[m] = 0
    if count < size:
        return
    h = np.uint64(size)
    for i in range(count - size, count):
        h = mix(h, (past.rows[i, 0] * 16 + past.rows[i, 1]) * 128 + past.rows[i, 2])
    past.hashes[m, count] = h
    slot = np.int64(h & np.uint64(MATCH_SLOTS - 1))
    if state.match_at[m] < 0:
        found = state.match_slots[m, slot]
        if found >= 0 and past.hashes[m, found] == h:
            state.match_at[m] = found
            state.match_length[m] = 1
    state.match_slots[m, slot] = count

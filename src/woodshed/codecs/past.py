"""What a song's own past says of its next note, compiled: fifteen pointers, votes, and where pitches come from.

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

A pointer names one symbol. What else came after the same facts, and how often, `past_votes` remembers for the eight
contexts and eight more.

For the pitch there are also *anchors* (`ANCHORS` pitches from which an interval may be taken) and *tallies*
(`TALLIES` x 12: how often each pitch class was played of late, sounds now, is given ahead), see `past_pitches`.

One implementation serves training (`study`, a whole song in one call) and playing (`begin`, `expect` per field,
`hints`, `add`), so the two cannot differ. All is compiled: two microseconds a row. For that the row in the making
lies in the record of the memory (one pointer to hand on, where an array is seven numbers), and loops over pointers have
no branches: whether a pointer is right is what a processor cannot guess either.

Source:
    Lookback RNN (Waite, 2016) sees 1 and 2 bars back on a fixed grid; we carry it to note steps. Matches are those of
    prediction by partial matching (Cleary & Witten 1984), contexts with a run count those of PAQ's indirect models
    (Mahoney 2005); here a network learns how far to trust each.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import LONGEST_SHIFT, WAIT
from woodshed.codecs.past_contexts import gather, mix
from woodshed.codecs.past_pitches import count_class, sound
from woodshed.codecs.past_rows import agree, fetch_matches, follow, move_lags, order_of, run_record, say, wait_for_lags
from woodshed.codecs.past_state import (
    ALL_CONTEXTS,
    ANCHORS,
    GIVEN,
    LAGS,
    LONG_MATCH,
    LONGEST_RUN,
    MATCHES,
    NEVER,
    NOTHING,
    OF_PITCHES,
    OF_VALUES,
    POINTERS,
    RECORDS,
    TALLIES,
    TOLD,
    Past,
    copy_past,
    forget,
    forget_all,
    new_past,
)
from woodshed.codecs.past_voters import call_voters, remember
from woodshed.codecs.past_votes import count_votes, look_up_votes, no_votes, read_votes
from woodshed.compiled import compiled

__all__ = [
    "ANCHORS", "GIVEN", "LAGS", "MATCHES", "NOTHING", "POINTERS", "RECORDS", "TALLIES", "Past", "add", "begin",
    "copy_past", "expect", "follow_back", "forget", "forget_all", "new_past",
]  # fmt: skip


@compiled
def begin(past, bar_steps):  # type: ignore[no-untyped-def]
    """Get ready for the next row; ``bar_steps`` is the length of the bar in which the row before lies."""
    state, order = past.state[0], past.order
    if state.count == 0:
        return
    last = order[state.count - 1]
    for k in range(LAGS):
        target = last - (bar_steps << k) * 2048
        j = state.lag_at[k]
        while j > 0 and order[j - 1] > target:
            j -= 1
        while order[j] <= target:
            j += 1
        state.lag_at[k] = j


@compiled
def follow_back(past, back):  # type: ignore[no-untyped-def]
    """Let the matches follow what stands ``back`` steps earlier, where the section that now returns once stood, as if
    they had been right for `LONG_MATCH` rows; for playing, after `begin`.

    A model then does what it learned to do after a long match: it goes on copying, and varies now and then.
    """
    state, order = past.state[0], past.order
    target = order[state.count - 1] - back * 2048
    low, high = 0, state.count - 1
    while low < high:
        middle = (low + high) // 2
        if order[middle] <= target:
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
def expect(past, field, row, position, bar_steps, given, expected, records, votes, classes):  # type: ignore[no-untyped-def]
    """Write into ``expected`` and ``records`` (15,) what each pointer expects of ``field``; -1 is nothing. Its voters
    write into their columns of ``votes`` and ``classes`` (96,), see `past_votes`.

    Of ``row`` (6,) only the fields before are read. ``position`` is the place in its bar of the row before for the time
    shift, of the row itself for later fields. ``given`` (G, 6): see `ahead`. Fields must be asked in their order.
    """
    state, rows, order = past.state[0], past.rows, past.order
    for c in range(field):
        state.row[c] = row[c]
    if field == 0:
        prepare(state, rows, order, bar_steps, given)
    elif field <= 3:
        move_lags(state, rows, order, field, bar_steps)
    point(state, field, position)
    look_up_votes(state, field, field + 1)
    read_votes(state, field, field + 1, votes, classes)
    at = field * POINTERS
    for k in range(POINTERS):
        expected[k] = state.expected[at + k]
        records[k] = state.records[at + k]


@compiled
def prepare(state, rows, order, bar_steps, given):  # type: ignore[no-untyped-def]
    """A row is to be made, of which nothing is said yet but how far each pointer can be trusted."""
    for i in range(TOLD):
        state.expected[i] = NOTHING
    for i in range(TOLD):
        state.records[i] = 0
    for i in range(ALL_CONTEXTS):
        state.seeds[i] = 0
    no_votes(state)
    for field in range(6):
        for k in range(LAGS):
            state.records[field * POINTERS + k] = run_record(state, field * POINTERS + k)
        state.records[field * POINTERS + GIVEN] = run_record(state, field * POINTERS + GIVEN)
    if state.count > 0:
        wait_for_lags(state, rows, order, bar_steps)
    fetch_matches(state, rows)
    g = state.ahead_at[0]
    state.next_given[0] = NEVER
    if g < len(given):
        for c in range(6):
            state.next_given[c] = given[g, c]


@compiled
def point(state, field, position):  # type: ignore[no-untyped-def]
    """What `expect` says of ``state.row`` goes into ``state.expected``; contexts are still to be looked up."""
    _ahead(state, field)
    if state.count > 0:
        if 0 < field <= 3:
            agree(state, field)
        say(state, field)
        if field == 0 or state.row[0] <= LONGEST_SHIFT:
            gather(state, field, position)
            call_voters(state, field, position)


@compiled
def _ahead(state, field):  # type: ignore[no-untyped-def]
    """The next given row: its symbol in this field, as far as the row agrees with it so far."""
    row, given = state.row, state.next_given
    if given[0] < NEVER:
        wait = given[0] - state.now
        if field == 0:
            state.expected[GIVEN] = min(wait, WAIT)
        elif row[0] == wait and (field < 2 or row[1] == given[1]) and (field < 3 or given[2] < 0 or row[2] == given[2]):
            state.expected[field * POINTERS + GIVEN] = given[field]


@compiled
def add(past, row, onset, place, drum, expected):  # type: ignore[no-untyped-def]
    """The row is decided. ``place`` is its position, bar and bar length; ``expected`` (6, 15) what was expected."""
    state = past.state[0]
    for field in range(6):
        state.row[field] = row[field]
        for k in range(POINTERS):
            state.expected[field * POINTERS + k] = expected[field, k]
    learn(past, onset, place, drum)


@compiled
def learn(past, onset, place, drum):  # type: ignore[no-untyped-def]
    """What `add` does once the row is ``state.row``, and what was expected of it ``state.expected``."""
    state = past.state[0]
    row, last, count = state.row, state.last, state.count
    part, pitch = row[1], row[2]
    is_note = row[0] <= LONGEST_SHIFT
    _judge(state, is_note)
    count_votes(state)
    remember(state, onset, place, drum, is_note)
    for c in range(6):
        past.rows[count, c] = row[c]
        last[c] = row[c]
    past.onset[count] = onset
    state.now = onset
    past.order[count] = order_of(onset, part, pitch)
    past.order[count + 1] = NEVER
    state.count = count + 1
    for i in range(3):
        state.place[i] = place[i]
    if row[0] > 0:
        state.struck[1] = state.struck[0]
        state.struck[0] = 7
    state.struck[0] = np.int64(mix(np.uint64(state.struck[0]), part * 128 + pitch))
    follow(state, past.rows, past.hashes)
    pitch_class = np.int64(-1)
    if is_note:
        for i in range(3, 0, -1):
            state.own[part, i] = state.own[part, i - 1]
        state.own[part, 0] = pitch
        for f in range(3):
            first = OF_PITCHES + OF_VALUES * f
            for i in range(first + OF_VALUES - 1, first, -1):
                state.own[part, i] = state.own[part, i - 1]
            state.own[part, first] = row[3 + f]
        if not drum:
            pitch_class = pitch % 12
            state.last_pitch = pitch
            sound(state, pitch, onset, onset + row[3] + 1)
    count_class(state, pitch_class)


@compiled
def _judge(state, is_note):  # type: ignore[no-untyped-def]
    """Which pointers were right. Of what is no note only those of the time shift."""
    for field in range(6):
        for k in range(POINTERS):
            state.came[field * POINTERS + k] = state.row[field]
    if not is_note:
        for i in range(POINTERS, TOLD):
            state.expected[i] = NOTHING
    for i in range(TOLD):
        said, hits, run = state.expected[i], state.hits[i], state.runs[i]
        right = said == state.came[i]
        state.hits[i] = (hits << 1 | right) & 15 if said >= 0 else hits
        state.runs[i] = (min(run + 1, LONGEST_RUN) if right else 0) if said >= 0 else run

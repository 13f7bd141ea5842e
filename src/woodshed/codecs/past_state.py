"""The memory of one song in the making, which `past` reads and writes: arrays and one record of fixed size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import FIELDS, MAX_PARTS

LAGS, MATCHES, CONTEXTS = 3, 3, 8
GIVEN = LAGS + MATCHES + CONTEXTS
POINTERS = GIVEN + 1
TOLD = len(FIELDS) * POINTERS
"""What all pointers say of a row: first the 15 of the time shift, then those of the part..."""
ALL_CONTEXTS = len(FIELDS) * CONTEXTS
VOTERS, VOTES = 2 * CONTEXTS, 4
"""Of each field so many voters, each with so many votes: see `past_votes`."""
ALL_VOTERS = len(FIELDS) * VOTERS
VOTERS_OF = np.arange(ALL_VOTERS).reshape(2, len(FIELDS), CONTEXTS).swapaxes(0, 1).reshape(len(FIELDS), VOTERS)
"""(6, 16) places of each field's voters among all: first stand the contexts of all fields, then the others."""
FACTS = 4
"""Of each voter."""
OF_PITCHES, OF_VALUES = 4, 3
"""So many of the last pitches of a part are remembered, and of its last durations, velocities and microtimings."""
RECORDS = 16
MATCHED_ROWS = (3, 6, 16)
NOTHING = -1
NEVER = 1 << 60
"""Beyond every step and every number that rows ascend in."""
ANCHORS = 5
"""Last pitch of the part, the one before, last pitch of any pitched part, lowest that sounds, next that is given."""
TALLIES = 5
"""The last 32 rows, the last 256 rows, what sounds, what is given in the beat ahead, in the bar ahead."""
SHORT, LONG = 32, 256
NEAR, FAR = 12, 48
MOST_SOUNDING = 128
RUNS = (1, 2, 3, 4, 6, 9, 17, 33, 65, 129, 513, 2049)
LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512, 1025)
LONGEST_RUN, LONGEST_LENGTH = RUNS[-1], LENGTHS[-1]
RUN_RECORD = (3 + np.searchsorted(RUNS, np.arange(LONGEST_RUN + 1), side="right")).astype(np.uint8)
"""Record of a pointer that was right so often on end, once or more."""
LENGTH_RECORD = np.searchsorted(LENGTHS, np.arange(LONGEST_LENGTH + 1), side="right").astype(np.uint8)
"""Record of a match of so many rows."""
LONG_MATCH = 64
"""So far is a section trusted that a player was told to bring back: as varied as returns in real songs are then."""
VOTE_SLOTS = 1 << 18
MATCH_SLOTS = 1 << 13
LAST_POSITION = 191
NO_PART = MAX_PARTS
STATE = np.dtype(
    [
        ("age", np.uint64),  # 2^40 times how many songs were forgotten; slots of another age are as empty
        ("count", np.int64),  # rows that are remembered
        ("heard", np.int64),  # rows so far
        ("sounds", np.int64),  # how many lines of ``sounding`` are used
        ("now", np.int64),  # onset of the last row
        ("place", np.int64, 3),  # of the last row: position in its bar, number of the bar, length of the bar
        ("last", np.int64, len(FIELDS)),  # the last row
        ("row", np.int64, len(FIELDS)),  # the row in the making, as far as it is decided
        ("expected", np.int16, TOLD),  # what each pointer expects of it
        ("records", np.int16, TOLD),  # its record
        ("came", np.int16, TOLD),  # what came instead
        ("hits", np.int16, TOLD),  # the last 4 outcomes of each pointer as bits
        ("runs", np.int16, TOLD),  # how often right on end, at most LONGEST_RUN
        ("found", np.int64, (LAGS + MATCHES, len(FIELDS))),  # the rows that lags and matches have come to
        ("stands", np.int64, LAGS + MATCHES),  # whether these agree with the row in the making so far
        ("seeds", np.uint64, ALL_CONTEXTS),  # number of each context that the row in the making has, 0 none
        ("facts", np.uint64, (3, ALL_CONTEXTS)),  # what it consists of
        ("keys", np.uint64, ALL_VOTERS),  # its hash, 0 none; then those of the other voters
        ("bases", np.int64, ALL_VOTERS),  # what its symbols are added to: of an interval a pitch; then likewise
        ("lag_at", np.int64, LAGS),
        ("match_at", np.int64, MATCHES),
        ("match_length", np.int64, MATCHES),
        ("hashing", np.uint64, (MATCHES, MATCHED_ROWS[-1])),  # see `follow`
        ("next_given", np.int64, 7),  # what a canvas gives next, its step NEVER if nothing
        ("own", np.int64, (MAX_PARTS, OF_PITCHES + 3 * OF_VALUES)),  # of each part: pitches, durations, velocities...
        ("struck", np.int64, 2),  # hash of what was struck in this step so far, and in the one before
        ("sounding", np.int64, (MOST_SOUNDING, 2)),  # pitch and end of pitched notes that may still sound
        ("classes", np.int64, LONG),  # pitch class of the latest rows, a ring
        ("tally", np.int64, (2, 12)),
        ("counts", np.int64, (TALLIES, 12)),  # room for the tallies of the row in the making
        ("last_pitch", np.int64),  # of any pitched part
        ("ahead_at", np.int64, 4),  # next given row; those in ``ahead_tally`` begin here, end here (near), here (far)
        ("ahead_tally", np.int64, (2, 12)),
        ("match_slots", np.int32, (MATCHES, MATCH_SLOTS)),
        ("latest", np.int64, (4, 2)),  # the last rows: part; time shift, part and pitch in one number
        ("bar_number", np.int64),  # of the bar of the last note
        ("bar_rhythm", np.uint64),  # hash of who struck where in it, and which drum
        ("own_bar", np.uint64, MAX_PARTS),  # of each part: hash of what it struck in the bar of its last note
        ("own_bar_number", np.int64, MAX_PARTS),  # the number of that bar
        ("own_onset", np.int64, (MAX_PARTS, 2)),  # its last onsets
        ("beyond", np.int64, (MAX_PARTS, 2)),  # by how much its last pitch went beyond what a lag, a match expected
        ("stood", np.int16, (MAX_PARTS, LAST_POSITION + 1, 2)),  # its last pitches at each place of the bar
        ("low_pitch", np.int64),  # the last low note of any pitched part
        ("voter_seeds", np.uint64, ALL_CONTEXTS),  # number of each voter that is no context, 0 none
        ("voter_facts", np.uint64, (FACTS, ALL_CONTEXTS)),  # what it goes by
        ("voter_symbols", np.uint64, ALL_VOTERS),  # the first word of its slot
        ("voter_counts", np.uint64, ALL_VOTERS),  # the second, without the check
        ("voter_came", np.uint64, ALL_VOTERS),  # what came
        ("vote_slots", np.uint64, (VOTE_SLOTS, 2)),  # see `past_votes`
    ]
)
"""The memory of fixed size: one record, so that compiled code passes one pointer."""
_EMPTY = (
    "match_at", "match_slots", "own", "classes", "last_pitch", "low_pitch", "stood", "own_onset", "bar_number",
    "own_bar_number",
)  # fmt: skip


class Past(NamedTuple):
    """The memory of one song in the making. Every array changes in place."""

    state: NDArray[np.void]
    """(1,) of `STATE`"""
    rows: NDArray[np.int32]
    """(capacity, 6)"""
    onset: NDArray[np.int64]
    """(capacity,) steps"""
    order: NDArray[np.int64]
    """(capacity + 1,) rows ascend in this number of onset, part and pitch; behind the last row stands `NEVER`."""
    hashes: NDArray[np.uint64]
    """(3, capacity + 1) what was before each row, for the matches."""


def new_past(capacity: int) -> Past:
    """An empty memory with room for so many rows."""
    past = Past(
        np.zeros(1, STATE),
        np.zeros((capacity, len(FIELDS)), np.int32),
        np.zeros(capacity, np.int64),
        np.full(capacity + 1, NEVER, np.int64),
        np.zeros((MATCHES, capacity + 1), np.uint64),
    )
    for name in _EMPTY:
        past.state[name] = NOTHING
    return past


def forget_all(past: Past) -> None:
    """Make the memory that of a song that has not begun.

    The large table is left as it is: its checks go by the age too.
    """
    age = past.state["age"] + np.uint64(1 << 40)
    past.state.view(np.uint8)[: -past.state["vote_slots"].nbytes].fill(0)
    past.state["age"] = age
    past.order[0] = NEVER
    for name in _EMPTY:
        past.state[name] = NOTHING


def copy_past(past: Past) -> Past:
    """Another with the same memory, that goes its own way from here."""
    return Past(past.state.copy(), past.rows.copy(), past.onset.copy(), past.order.copy(), past.hashes.copy())


def forget(past: Past, keep: int) -> None:
    """Once twice as many rows are remembered, only the last ``keep`` are left, so that a song without end needs no more
    room than that."""
    state = past.state[0]
    gone = int(state["count"]) - keep
    if gone < keep:
        return
    for table in (past.rows, past.onset):
        table[:keep] = table[gone : gone + keep].copy()
    past.order[: keep + 1] = past.order[gone : gone + keep + 1].copy()
    past.hashes[:, : keep + 1] = past.hashes[:, gone : gone + keep + 1].copy()
    state["count"] = keep
    state["lag_at"] = np.maximum(state["lag_at"] - gone, 0)
    for name in ("match_at", "match_slots"):
        state[name] = np.maximum(state[name] - gone, NOTHING)
    state["match_length"][state["match_at"] < 0] = 0

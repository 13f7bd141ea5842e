"""All that a model reads of a song beside the notes themselves, for many rows at once.

`past` says it row by row; here that is done for whole songs and for stretches of them, in one compiled call, and the
arrays are laid out as models take them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.levels import AS_IT_COMES, CONTROLS
from woodshed.codecs.note_step import (
    DRUM_PROGRAM,
    FIELDS,
    LONGEST_SHIFT,
    PART,
    START_ROW,
    NoteStepCodec,
)
from woodshed.codecs.past import (
    ANCHORS,
    POINTERS,
    TALLIES,
    Past,
    begin,
    learn,
    new_past,
    point,
    prepare,
)
from woodshed.codecs.past_pitches import count_ahead, hint, log_shares
from woodshed.codecs.past_rows import move_lags
from woodshed.codecs.past_state import ALL_VOTERS, TOLD, VOTES
from woodshed.codecs.past_votes import look_up_votes, read_votes
from woodshed.compiled import compiled
from woodshed.music import Song

ALL_OPEN, OPEN, FIXED = 0, 1, 2
"""What a part is in a canvas: nothing is given ahead; its notes are asked for; its notes are given."""
LEVEL_COLUMNS = 2 * len(CONTROLS)


class Inputs(NamedTuple):
    """What a model reads of R rows, the first of which is not scored (START at the beginning of a song)."""

    rows: NDArray[np.int64]
    """(R + 1, 6)"""
    places: NDArray[np.int64]
    """(R + 1, 3): position in the bar, bar number, length of the bar, in steps."""
    programs: NDArray[np.int64]
    """(16, 3): program and occurrence of each part, and whether it is `ALL_OPEN`, `OPEN` or `FIXED`."""
    levels: NDArray[np.int64]
    """(R + 1, 8): levels asked of each row's bar, then of the bar after it; -1 as it comes."""
    expected: NDArray[np.int16]
    """(R, 6, 15) of rows 1..R, see `past`."""
    records: NDArray[np.int16]
    """(R, 6, 15)"""
    anchors: NDArray[np.int16]
    """(R, 5) pitches, -1 where there is none."""
    tallies: NDArray[np.float32]
    """(R, 5, 12) of each pitch class, see `log_shares`; 0 for drums."""
    votes: NDArray[np.int16]
    """(R, 96, 4) symbols that came after the same facts, -1 where there are fewer, of voters in the order of
    `VOTERS_OF`; see `past_votes`."""
    vote_classes: NDArray[np.int8]
    """(R, 96, 4): how often each came, 0-127."""

    def span(self, start: int, count: int) -> Inputs:
        """At most ``count`` scored rows from ``start`` on, with the row before them."""
        whole, told = slice(start, start + count + 1), slice(start, start + count)
        return self._replace(
            rows=self.rows[whole],
            places=self.places[whole],
            levels=self.levels[whole],
            expected=self.expected[told],
            records=self.records[told],
            anchors=self.anchors[told],
            tallies=self.tallies[told],
            votes=self.votes[told],
            vote_classes=self.vote_classes[told],
        )


def song_inputs(codec: NoteStepCodec, song: Song) -> Inputs:
    """Of a whole arranged song, END included, all of it open."""
    rows = codec.encode(song)
    onsets = codec.onset_steps(rows)
    places = codec.places(np.concatenate(([0], onsets)), codec.bar_lines(song))
    programs = with_openness(codec.programs(song), ALL_OPEN)
    return row_inputs(new_past(len(rows)), START_ROW, rows, onsets, places, programs)


NOTHING_GIVEN = np.zeros((0, 7), np.int64), np.zeros(0, np.int64)


def row_inputs(
    past: Past,
    before: NDArray[np.int64],
    rows: NDArray[np.int64],
    onsets: NDArray[np.int64],
    places: NDArray[np.int64],
    programs: NDArray[np.int64],
    *,
    levels: NDArray[np.int64] | None = None,
    given: tuple[NDArray[np.int64], NDArray[np.int64]] = NOTHING_GIVEN,
) -> Inputs:
    """Of ``rows`` (R, 6) that follow the row ``before`` and all that ``past`` holds, which they are added to.

    ``places`` (R + 1, 3) and ``levels`` (R + 1, 8) begin with those of the row before. ``given``: what a canvas
    gives, see `given_rows`, with the numbers of the rows counted from ``rows``.
    """
    count = len(rows)
    expected = np.empty((count, len(FIELDS), POINTERS), np.int16)
    records = np.empty((count, len(FIELDS), POINTERS), np.int16)
    anchors = np.empty((count, ANCHORS), np.int16)
    shares = np.empty((count, TALLIES, 12), np.float32)
    votes = np.empty((count, ALL_VOTERS, VOTES), np.int16)
    classes = np.empty((count, ALL_VOTERS, VOTES), np.int8)
    voted = votes.view(np.uint64)[..., 0], classes.view(np.uint32)[..., 0]
    drums = programs[:, 0] == DRUM_PROGRAM
    told = expected.reshape(count, TOLD), records.reshape(count, TOLD)
    study(past, rows, onsets, places[1:], drums, *given, *told, *voted, anchors, shares)
    if levels is None:
        levels = np.full((count + 1, LEVEL_COLUMNS), AS_IT_COMES, np.int64)
    whole = np.concatenate((before[None], rows))
    return Inputs(whole, places, programs, levels, expected, records, anchors, shares, votes, classes)


def given_rows(
    known: NDArray[np.int64], onsets: NDArray[np.int64], drums: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(G, 7) step, part, pitch, duration, velocity, microtiming, is drum of rows that are given; (G,) which they are.

    ``known`` (R, 6) holds the rows of a song as a canvas gives them: -1 in each field that is open, and in all fields
    of rows that are no notes or not given.
    """
    row_of = np.flatnonzero(known[:, PART] >= 0)
    given = np.empty((len(row_of), 7), np.int64)
    given[:, :6] = known[row_of]
    given[:, 0] = onsets[row_of]
    given[:, 6] = drums[known[row_of, PART]]
    return given, row_of


def hear(
    past: Past,
    rows: NDArray[np.int64],
    onsets: NDArray[np.int64],
    places: NDArray[np.int64],
    programs: NDArray[np.int64],
) -> None:
    """Add ``rows`` (R, 6) to ``past`` as `row_inputs` does, where nobody asks what it says of them.

    ``places`` (R, 3) are their own.
    """
    listen(past, rows, onsets, places, programs[:, 0] == DRUM_PROGRAM)


@compiled(allocates=True)
def listen(past, rows, onsets, places, drums):  # type: ignore[no-untyped-def]
    """What `hear` does."""
    nothing = np.zeros((0, 7), np.int64)
    for t in range(len(rows)):
        _meet(past, rows[t], places[t], nothing)
        learn(past, onsets[t], places[t], drums[rows[t, 1]])


@compiled
def study(past, rows, onsets, places, drums, given, row_of, expected, records, votes, classes, anchors, shares):  # type: ignore[no-untyped-def]
    """Fill the last six for all ``rows`` (R, 6), which are added to ``past``; ``places`` (R, 3) are their own."""
    state = past.state[0]
    for t in range(len(rows)):
        while state.ahead_at[0] < len(given) and row_of[state.ahead_at[0]] < t:
            state.ahead_at[0] += 1
        _meet(past, rows[t], places[t], given)
        read_votes(state, 0, 6, votes[t], classes[t])
        for i in range(TOLD):
            expected[t, i] = state.expected[i]
        for i in range(TOLD):
            records[t, i] = state.records[i]
        count_ahead(state, onsets[t], given)
        drum = drums[rows[t, 1]]
        untuned = drum or rows[t, 0] > LONGEST_SHIFT
        hint(state, rows[t, 1], untuned, onsets[t], given, anchors[t], state.counts)
        if untuned:
            shares[t] = 0
        else:
            log_shares(state.counts, shares[t])
        learn(past, onsets[t], places[t], drum)


@compiled
def _meet(past, row, place, given):  # type: ignore[no-untyped-def]
    """Look up all that is expected of a row, each field as soon as those before it are known."""
    state = past.state[0]
    fresh = state.count == 0
    bar = place[2] if fresh else state.place[2]
    position = np.int64(0) if fresh else state.place[0]
    begin(past, bar)
    prepare(state, past.rows, past.order, bar, given)
    for c in range(6):
        state.row[c] = row[c]
    for field in range(6):
        if 0 < field <= 3:
            move_lags(state, past.rows, past.order, field, bar)
        point(state, field, position if field == 0 else place[0])
    look_up_votes(state, 0, 6)


def with_openness(programs: NDArray[np.int64], openness: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """(16, 3) of a codec's (16, 2)."""
    return np.concatenate((programs, np.broadcast_to(openness, len(programs))[:, None]), axis=1)


def bar_levels(levels: NDArray[np.int8], bars: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R, 8) of rows in ``bars`` (R,): the levels (bars, 4) of each bar and of the one after; past the end none."""
    more = np.concatenate((levels, np.full((2, levels.shape[1]), AS_IT_COMES, levels.dtype)))
    last = len(more) - 1
    return np.concatenate((more[np.minimum(bars, last)], more[np.minimum(bars + 1, last)]), axis=1).astype(np.int64)

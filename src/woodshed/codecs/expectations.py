"""What a song's own past expects of its next note: five pointers, field by field.

Musicians repeat themselves: a bar ago, two bars, four; or wherever the last few notes were last played. A
*pointer* is a row of the song's past that may be played again now. For each field of the next row, a
pointer whose row agrees with the fields decided so far *expects* that row's symbol in this field.

======== ==================================================================================
pointer  where it points
======== ==================================================================================
0, 1, 2  the same place 1, 2 and 4 bars back (bars as long as the one we are in)
3, 4     after the latest earlier occurrence of the last 6, and of the last 16, rows
======== ==================================================================================

Only rows before the next one, and the fields of the next one that are already decided, are looked at.

Source:
    Lookback RNN (Waite, 2016) sees 1 and 2 bars back on a fixed grid; we carry it to note steps and add matching
    contexts, as in prediction by partial matching.
"""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import FIELDS, LONGEST_SHIFT, MICROTIMING, PART, PITCH, START, TIME_SHIFT, WAIT

POINTERS = 5
LAGS = (1, 2, 4)
"""Bars back."""
CONTEXTS = (6, 16)
"""Rows that must match."""
HISTORY = 4
"""A pointer's record: whether its last 4 expectations of this field came true, as bits, latest lowest."""
NOTHING = -1
_TABLES = ("_rows", "_onsets", "_keys", "_symbols")
_KEY = 2048
"""Rows are ordered by onset, part, pitch: key = onset x 2048 + part x 128 + pitch."""


def expect(rows: NDArray[np.int64], onset_steps: NDArray[np.int64], bar_steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R, 6, 5): the symbol that each pointer expects in each field of each row, -1 where it expects none.

    ``rows`` (R, 6) without START, ``onset_steps`` (R,) of each, ``bar_steps`` (R,) the length of the bar in which
    the row *before* lies. Vectorised: some searches in sorted keys and one sort per context.
    """
    expected = np.full((len(rows), len(FIELDS), POINTERS), NOTHING, np.int64)
    if len(rows) < 2:
        return expected
    keys = row_keys(rows, onset_steps)
    for pointer, lag in enumerate(LAGS):
        expected[1:, :, pointer] = _at_lag(rows, onset_steps, keys, lag * bar_steps[1:], bar_steps[1:])
    for pointer, size in enumerate(CONTEXTS, len(LAGS)):
        expected[:, :, pointer] = _agreeing(rows, _latest_match(rows, size), rows)
    return expected


def records(rows: NDArray[np.int64], expected: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R, 6, 5): which of each pointer's last 4 expectations of a field came true, as bits 0-15."""
    hits = expected == rows[:, :, None]
    codes = np.zeros(expected.shape, np.int64)
    for back in range(1, HISTORY + 1):
        codes[back:] |= hits[:-back].astype(np.int64) << (back - 1)
    return codes


def row_keys(rows: NDArray[np.int64], onset_steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each row's place in the order of rows, ascending."""
    keys: NDArray[np.int64] = onset_steps * _KEY + rows[:, PART] * 128 + rows[:, PITCH]
    return keys


def _at_lag(
    rows: NDArray[np.int64],
    onsets: NDArray[np.int64],
    keys: NDArray[np.int64],
    lag: NDArray[np.int64],
    bar: NDArray[np.int64],
) -> NDArray[np.int64]:
    """(R - 1, 6) for rows 1..: what stands ``lag`` steps before."""
    before = keys[:-1] - lag * _KEY  # where the row before would stand, that long ago
    then = onsets[1:] - lag  # and where the next row
    target, reached = rows[1:], onsets[:-1] - lag
    expected = np.full((len(target), len(FIELDS)), NOTHING, np.int64)
    source = np.searchsorted(keys, before, side="right")
    wait = onsets[source] - reached
    valid = (reached >= -bar) & (wait <= LONGEST_SHIFT) & (rows[source, TIME_SHIFT] <= LONGEST_SHIFT)
    expected[:, TIME_SHIFT] = np.where(valid, wait, NOTHING)
    # As the next row's fields become known, the pointer moves on to the first row that agrees with them.
    at_least = then * _KEY
    for field, more in ((PART, 0), (PITCH, target[:, PART] * 128), (PITCH + 1, target[:, PITCH])):
        at_least = at_least + more
        source = np.minimum(np.searchsorted(keys, np.maximum(before, at_least - 1), side="right"), len(rows) - 1)
        agrees = (onsets[source] == then) & (rows[source, TIME_SHIFT] <= LONGEST_SHIFT)
        agrees &= target[:, TIME_SHIFT] <= WAIT  # END stands nowhere
        for decided in range(PART, field):
            agrees &= rows[source, decided] == target[:, decided]
        last = MICROTIMING if field == PITCH + 1 else field
        for column in range(field, last + 1):
            expected[:, column] = np.where(agrees, rows[source, column], NOTHING)
    return expected


def _latest_match(rows: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """(R,) the latest earlier row that followed the same ``size`` rows, else -1."""
    hashes = context_hashes(rows, size)
    order = np.argsort(hashes, kind="stable")
    same = hashes[order[1:]] == hashes[order[:-1]]
    source = np.full(len(rows), NOTHING, np.int64)
    source[order[1:][same]] = order[:-1][same]
    source[:size] = NOTHING
    return np.where(source >= size, source, NOTHING)


def context_hashes(rows: NDArray[np.int64], size: int) -> NDArray[np.uint64]:
    """(R,) a hash of the ``size`` rows before each row (their time shift, part and pitch); 0 where there are fewer."""
    symbols = row_symbols(rows)
    hashes = np.zeros(len(rows), np.uint64)
    for back in range(1, size + 1):
        hashes[back:] += symbols[:-back] * _weight(back)
    hashes[:size] = 0
    return hashes


def row_symbols(rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(R,) time shift, part and pitch of each row, scrambled into 64 bits."""
    packed = ((rows[:, TIME_SHIFT] * 16 + rows[:, PART]) * 128 + rows[:, PITCH] + 1).astype(np.uint64)
    packed *= np.uint64(0x9E3779B97F4A7C15)
    scrambled: NDArray[np.uint64] = packed ^ (packed >> np.uint64(29))
    return scrambled


def _weight(back: int) -> np.uint64:
    return np.uint64(pow(0xBF58476D1CE4E5B9, back, 1 << 64))


def _agreeing(rows: NDArray[np.int64], source: NDArray[np.int64], target: NDArray[np.int64]) -> NDArray[np.int64]:
    """(R, 6): the source row's symbol in each field, as long as it agrees with the target in all fields before."""
    there = source >= 0
    found = rows[np.maximum(source, 0)]
    there = there & (found[:, TIME_SHIFT] != START)
    expected = np.full(target.shape, NOTHING, np.int64)
    for field in range(len(FIELDS)):
        is_note = (found[:, TIME_SHIFT] <= LONGEST_SHIFT) | (field == TIME_SHIFT)
        expected[:, field] = np.where(there & is_note, found[:, field], NOTHING)
        if field < PITCH + 1:  # velocity and microtiming do not wait for duration
            there = there & (found[:, field] == target[:, field])
    return expected


class Memory:
    """The same pointers, one row at a time, for generation: `expect` without seeing the whole song.

    Call `next` when the row before is known, then `symbols` for each field in turn, then `add` with the row.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._rows = np.zeros((capacity, len(FIELDS)), np.int64)
        self._onsets = np.zeros(capacity, np.int64)
        self._keys = np.zeros(capacity, np.int64)
        self._symbols = np.zeros(capacity, np.uint64)
        self._hits = np.zeros((HISTORY, len(FIELDS), POINTERS), bool)
        self._latest: list[dict[int, int]] = [{} for _ in CONTEXTS]
        self._weights = [np.array([_weight(b) for b in range(size, 0, -1)], np.uint64) for size in CONTEXTS]
        self.count = 0
        self._expected = np.full((len(FIELDS), POINTERS), NOTHING, np.int64)
        self._bar = 0
        self._matches = [NOTHING] * len(CONTEXTS)

    def next(self, bar_steps: int) -> None:
        """Get ready for the row after those added; ``bar_steps`` is the length of the bar of the last one."""
        self._bar = bar_steps
        self._expected[:] = NOTHING
        for i, size in enumerate(CONTEXTS):
            known = self.count >= size
            context = self._symbols[self.count - size : self.count] if known else None
            key = int((context * self._weights[i]).sum()) if context is not None else 0
            self._matches[i] = self._latest[i].get(key, NOTHING) if known else NOTHING
            if known:
                self._latest[i][key] = self.count

    def symbols(self, field: int, row: NDArray[np.int64]) -> NDArray[np.int64]:
        """(5,): what each pointer expects in ``field``; of ``row`` only the fields before it are read."""
        expected: NDArray[np.int64] = self._expected[field]
        if self.count:
            for pointer, lag in enumerate(LAGS):
                expected[pointer] = self._at_lag(field, row, lag * self._bar)
        for pointer, source in enumerate(self._matches, len(LAGS)):
            expected[pointer] = self._match(field, row, source)
        return expected

    def record(self, field: int) -> NDArray[np.int64]:
        """(5,): each pointer's record in ``field``, as in `records`."""
        bits = self._hits[:, field].astype(np.int64)
        codes: NDArray[np.int64] = (bits << np.arange(HISTORY)[:, None]).sum(0)
        return codes

    def add(self, row: NDArray[np.int64], onset_step: int) -> None:
        """The row is decided."""
        if self.count == len(self._rows):
            self._grow()
        self._hits[1:] = self._hits[:-1]
        self._hits[0] = self._expected == row[:, None]
        at = self.count
        self._rows[at], self._onsets[at] = row, onset_step
        self._keys[at] = onset_step * _KEY + row[PART] * 128 + row[PITCH]
        self._symbols[at] = row_symbols(row[None])[0]
        self.count += 1

    def copy(self) -> Memory:
        """Another with the same past, that goes its own way from here."""
        other = copy.copy(self)
        for name in (*_TABLES, "_hits", "_expected"):
            setattr(other, name, getattr(self, name).copy())
        other._latest = [dict(found) for found in self._latest]
        other._matches = list(self._matches)
        return other

    def forget(self, keep: int) -> None:
        """Only the last ``keep`` rows are remembered, so that a song without end needs no more than so much room."""
        gone = self.count - keep
        if gone <= 0:
            return
        for name in _TABLES:
            table = getattr(self, name)
            table[:keep] = table[gone : self.count].copy()
        self.count = keep
        self._latest = [{key: row - gone for key, row in found.items() if row >= gone} for found in self._latest]
        self._matches = [row - gone if row >= gone else NOTHING for row in self._matches]

    def _grow(self) -> None:
        for name in _TABLES:
            array = getattr(self, name)
            setattr(self, name, np.concatenate((array, np.zeros_like(array))))

    def _at_lag(self, field: int, row: NDArray[np.int64], lag: int) -> int:
        last = self.count - 1
        keys, onsets = self._keys[: self.count], self._onsets
        before = int(keys[last]) - lag * _KEY
        reached = int(onsets[last]) - lag
        if field == TIME_SHIFT:
            source = int(np.searchsorted(keys, before, side="right"))
            wait = int(onsets[source]) - reached
            valid = reached >= -self._bar and wait <= LONGEST_SHIFT and self._rows[source, TIME_SHIFT] <= LONGEST_SHIFT
            return wait if valid else NOTHING
        if row[TIME_SHIFT] > WAIT:
            return NOTHING
        then = reached + int(row[TIME_SHIFT])
        decided = min(field, PITCH + 1)
        at_least = then * _KEY + (int(row[PART]) * 128 if decided > PART else 0)
        at_least += int(row[PITCH]) if decided > PITCH else 0
        source = int(np.searchsorted(keys, max(before, at_least - 1), side="right"))
        if source >= self.count or onsets[source] != then or self._rows[source, TIME_SHIFT] > LONGEST_SHIFT:
            return NOTHING
        found = self._rows[source]
        agrees = all(found[column] == row[column] for column in range(PART, decided))
        return int(found[field]) if agrees else NOTHING

    def _match(self, field: int, row: NDArray[np.int64], source: int) -> int:
        if source < 0:
            return NOTHING
        found = self._rows[source]
        if field > TIME_SHIFT and found[TIME_SHIFT] > LONGEST_SHIFT:
            return NOTHING
        agrees = all(found[column] == row[column] for column in range(min(field, PITCH + 1)))
        return int(found[field]) if agrees else NOTHING

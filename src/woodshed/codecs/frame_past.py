"""Piano-roll frames as sequences of keys, and what the past says of each key to come.

A frame is written as its sounding keys from low to high, then one symbol that ends it: its probability is the product
of a few conditional ones, about five where four keys sound, and adds up to 1 over all frames. With K keys:

======== ==============================================
symbol   meaning
======== ==============================================
0..K-1   the next sounding key; above the one before it
K        no further key: the frame ends
======== ==============================================

A *pointer* names a frame that is known already and expects its keys to come again: after what has been placed of the
frame in work, the next key of the pointed frame, or its end. Its *record* says how far it could be trusted.

======================= =============================================== ================================================
pointers, in this order the frame they point at                         record (0: it points nowhere)
======================= =============================================== ================================================
one for each lag        so many frames back                             1 + how often it was right on end, in 11 steps
one for each match      what followed the last 1, 2, 3... frames when   1 + how many frames match, in 11 steps
                        they last came in this order, in this piece
two for each order      what most often, and second most often,         1 + 3 x quarter of the times that it followed +
                        followed the last 1, 2, 3... frames in other    pieces in which it did, less 1 (at most 2)
                        pieces, those that were learned from
======================= =============================================== ================================================

All of it is known before the frame is; of the frame in work only the keys below.

Source:
    The order of keys is that of NADE (Larochelle and Murray, 2011), which asks of every key whether it sounds; we ask
    which one is next. Matches and orders are those of prediction by partial matching (Cleary and Witten, 1984), lags
    those of the Lookback RNN (Waite, 2016); here a network learns how far to trust each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.compiled import compiled
from woodshed.errors import CodecError

Roll = NDArray[np.bool_]
"""(T, K), True where a key sounds."""
MATCHES = (1, 2, 3, 4, 6, 8, 12, 16, 24)
"""Frames that must be the same for a match in the piece itself."""
ORDERS = (1, 2, 3, 4, 6, 8)
"""Frames that must be the same for one in other pieces."""
RECORDS = 13
"""Values that a record may have, from 0."""
STEPS = np.array((1, 2, 3, 4, 6, 9, 13, 19, 28, 46))
"""Where a count of frames goes to its next step."""
NOTHING = -1
"""What a pointer expects that points nowhere."""


class Study(NamedTuple):
    """One piece of T frames and N symbols, with what P pointers say of each."""

    roll: Roll
    """(T, K)"""
    symbols: NDArray[np.int32]
    """(N, 3): the frame, the key placed before (-1: none yet), and the symbol that comes."""
    expected: NDArray[np.int8]
    """(N, P): the symbol that each pointer expects, -1 none."""
    agrees: NDArray[np.int8]
    """(N, P): 1 where the keys placed so far are those of the pointed frame, else 0."""
    records: NDArray[np.int8]
    """(T, P)"""


class FramePast:
    """Studies pieces beside a corpus of others.

    >>> past = FramePast([np.eye(3, dtype=bool)], lags=(1,), matches=(1,), orders=(1,))
    >>> past.study(np.eye(3, dtype=bool)[:2]).symbols.tolist()
    [[0, -1, 0], [0, 0, 3], [1, -1, 1], [1, 1, 3]]
    """

    def __init__(
        self,
        rolls: Sequence[Roll],
        *,
        lags: Sequence[int],
        matches: Sequence[int] = MATCHES,
        orders: Sequence[int] = ORDERS,
    ) -> None:
        self.lags, self.matches, self.orders = tuple(lags), tuple(matches), tuple(orders)
        self.ids: dict[bytes, int] = {}
        named = [_named(roll, self.ids) for roll in rolls]
        self.frames = np.concatenate([np.asarray(roll, bool) for roll in rolls])
        """(all frames, K) of the corpus."""
        starts = np.cumsum([0, *(len(roll) for roll in rolls)])
        self.place = {int(name): int(starts[i] + t) for i, names in enumerate(named) for t, name in enumerate(names)}
        """A place in ``frames`` where each frame stands."""
        self.followers = [_followers(named, order) for order in self.orders]

    @property
    def pointers(self) -> int:
        """P"""
        return len(self.lags) + len(self.matches) + 2 * len(self.orders)

    def study(self, roll: Roll, own: int | None = None) -> Study:
        """What is known of each key of ``roll``; piece ``own`` of the corpus, if it is that one, is left out of it.

        Raises:
            CodecError: for a roll without frames, or with another number of keys than the corpus.
        """
        roll = np.ascontiguousarray(np.asarray(roll, bool))
        if roll.ndim != 2 or not len(roll) or roll.shape[1] != self.frames.shape[1]:
            raise CodecError(f"a roll of shape {roll.shape} is not 1 or more frames of {self.frames.shape[1]} keys")
        names = _named(roll, dict(self.ids))
        symbols = _symbols(roll)
        source, count = _own_pointers(names, self.lags, self.matches)
        inside = np.where(source < 0, 0, 1 + np.searchsorted(STEPS, count, side="right"))
        elsewhere, trust = self._corpus_pointers(names, own)
        said = [_expected(roll, symbols, roll, source), _expected(roll, symbols, self.frames, elsewhere)]
        expected, agrees = (np.concatenate(parts, 1) for parts in zip(*said, strict=True))
        return Study(roll, symbols, expected, agrees, np.concatenate((inside, trust), 1).astype(np.int8))

    def _corpus_pointers(self, names: NDArray[np.int64], own: int | None) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """(T, 2 x orders) places in ``frames``, -1 none, and their records."""
        source = np.full((len(names), 2 * len(self.orders)), NOTHING, np.int32)
        records = np.zeros(source.shape, np.int64)
        row = names.tolist()
        for column, (order, followers) in enumerate(zip(self.orders, self.followers, strict=True)):
            known: dict[tuple[int, ...], list[tuple[int, int]]] = {}  # frames on end come again within a piece
            for t in range(order, len(row)):
                context = tuple(row[t - order : t])
                if context not in known:
                    known[context] = [
                        (self.place[name], record) for name, record in _foremost(followers.get(context, {}), own)
                    ]
                for rank, found in enumerate(known[context]):
                    source[t, 2 * column + rank], records[t, 2 * column + rank] = found
        return source, records


def _named(roll: Roll, ids: dict[bytes, int]) -> NDArray[np.int64]:
    """(T,) a number for each different frame, those of ``ids`` first; new ones are added to it."""
    return np.array([ids.setdefault(frame.tobytes(), len(ids)) for frame in np.asarray(roll, bool)], np.int64)


Followers = dict[tuple[int, ...], dict[int, dict[int | None, int]]]
"""Frames on end -> the frame after them -> piece -> how often; under ALL how often in all pieces."""
ALL = -1


def _followers(named: Sequence[NDArray[np.int64]], order: int) -> Followers:
    found: Followers = defaultdict(dict)
    for piece, names in enumerate(named):
        row = names.tolist()
        for t in range(order, len(row)):
            pieces = found[tuple(row[t - order : t])].setdefault(row[t], {ALL: 0})
            pieces[piece] = pieces.get(piece, 0) + 1
            pieces[ALL] += 1
    return dict(found)


def _foremost(followers: dict[int, dict[int | None, int]], own: int | None) -> list[tuple[int, int]]:
    """The two frames that followed most often in pieces other than ``own``, each with its record."""
    found = [
        (pieces[ALL] - pieces.get(own, 0), len(pieces) - 1 - (own in pieces), name)
        for name, pieces in followers.items()
    ]
    times = sum(often for often, _, _ in found)
    return [
        (name, 1 + 3 * min(4 * often // times, 3) + min(pieces, 3) - 1)
        for often, pieces, name in sorted(found, reverse=True)[:2]
        if often
    ]


def _symbols(roll: Roll) -> NDArray[np.int32]:
    """(T, K) -> (N, 3) frame, key before, symbol."""
    ended = np.ones((len(roll), 1), bool)
    frame, symbol = np.nonzero(np.concatenate((roll, ended), axis=1))
    goes_on = np.diff(frame, prepend=-1) == 0
    return np.stack((frame, np.where(goes_on, np.roll(symbol, 1), -1), symbol), axis=1).astype(np.int32)


@compiled
def _point(names, lags, matches, right, same, source, count):  # type: ignore[no-untyped-def]
    """Fill (T, lags + matches) with the frames pointed at (-1 none), and how often each lag was right, how long each
    match is. ``right`` (lags,) and ``same`` (T + 1,) are room, of zeros.
    """
    first = len(lags)
    source[:], count[:] = -1, 0
    for t in range(1, len(names)):
        for s in range(t - 1, 0, -1):  # how many frames before each s are those before t
            same[s] = same[s - 1] + 1 if names[s - 1] == names[t - 1] else 0
        for j in range(first):
            lag = lags[j]
            if t > lag:
                right[j] = right[j] + 1 if names[t - 1] == names[t - 1 - lag] else 0
            if t >= lag:
                source[t, j], count[t, j] = t - lag, right[j]
        for j in range(len(matches)):
            for s in range(t - 1, 0, -1):
                if same[s] >= matches[j]:
                    source[t, first + j], count[t, first + j] = s, same[s]
                    break


@compiled
def _expect(roll, symbols, frames, source, expected, agrees):  # type: ignore[no-untyped-def]
    """Fill (N, P) with what each pointer expects next (-1 nothing), and whether it pointed at what was placed."""
    keys = roll.shape[1]
    expected[:], agrees[:] = -1, 0
    for row in range(len(symbols)):
        t, last = symbols[row, 0], symbols[row, 1]
        for pointer in range(source.shape[1]):
            place = source[t, pointer]
            if place < 0:
                continue
            following = last + 1
            while following < keys and not frames[place, following]:
                following += 1
            expected[row, pointer] = following
            agrees[row, pointer] = 1
            for key in range(last + 1):
                if frames[place, key] != roll[t, key]:
                    agrees[row, pointer] = 0
                    break


def _own_pointers(
    names: NDArray[np.int64], lags: Sequence[int], matches: Sequence[int]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """See `_point`."""
    shape = len(names), len(lags) + len(matches)
    source, count = np.empty(shape, np.int32), np.empty(shape, np.int32)
    right, same = np.zeros(len(lags), np.int32), np.zeros(len(names) + 1, np.int32)
    _point(names, np.array(lags, np.int64), np.array(matches, np.int64), right, same, source, count)
    return source, count


def _expected(
    roll: Roll, symbols: NDArray[np.int32], frames: Roll, source: NDArray[np.int32]
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """See `_expect`."""
    shape = len(symbols), source.shape[1]
    expected, agrees = np.empty(shape, np.int8), np.empty(shape, np.int8)
    _expect(roll, symbols, frames, source, expected, agrees)
    return expected, agrees

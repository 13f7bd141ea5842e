"""Four voices on a grid of sixteenths: how often a voice moved by what in places like this one, elsewhere and before.

A *chain* is the contexts of one view (`woodshed.codecs.voice_grid_views`), which say more and more. Its chances are
those after the longest of them that was ever met, mixed with those after each shorter one as PPM mixes them (escape
method C). Each view has a chain of other pieces and one of the past of this one; a model weighs them
(`woodshed.models.voice_grid`).

Sources: D. Conklin and I. Witten, "Multiple viewpoint systems for music prediction" (1995): many views of one past,
each with counts of its own, of a corpus (long-term) and of the piece (short-term); ours are weighed by a net that hears
all of the past, and all voices. A. Moffat, "Implementing the PPM data compression scheme" (1990) for method C.

Shape letters: N frames, B pieces, K chains, M classes of moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.voice_grid import REST, VOICES
from woodshed.codecs.voice_grid_views import (
    LEVELS,
    MOVES,
    SHOWN_VIEWS,
    VIEWS,
    Ints,
    Keys,
    contexts,
    move_classes,
)

CHAINS = 2 * len(VIEWS)
"""K: of each view the chain of other pieces, and then that of the piece itself."""
SHOWN_CHAINS = CHAINS + 2 * len(SHOWN_VIEWS)
"""K where the soprano is shown."""
TRUSTS = LEVELS + 1
"""How long a context was met: 0 none."""
Floats = NDArray[np.float32]
Kind = TypeVar("Kind", bound=np.generic)


class Counted(NamedTuple):
    """What was counted for one voice in N places."""

    logs: Floats
    """(N, K, M) the log of the chance of each move."""
    trust: NDArray[np.uint8]
    """(N, K) how long a context was met, below `TRUSTS`."""


class Counts:
    """Of pieces that are learned from.

    Args:
        rows: (T, ROW) of each piece, from `woodshed.codecs.voice_grid.listen`.
        cells: (T, 4) of each.
        pieces: contexts that fewer pieces share are told to nobody; with 2 or more, no one piece can be followed where
            it stands alone.
    """

    def __init__(self, rows: Sequence[NDArray[np.int16]], cells: Sequence[Ints], pieces: int = 1) -> None:
        self._rows = np.concatenate(rows).astype(np.int64)
        self._cells = np.concatenate(cells)
        self._owners = np.repeat(np.arange(len(rows)), [len(piece) for piece in rows])
        self._pieces = pieces
        self._tables: dict[tuple[int, int], list[list[_Table]]] = {}

    def of_piece(self, rows: Ints, cells: Ints, voice: int, others: Sequence[int]) -> Counted:
        """What these pieces and its own past hold for a voice in each frame of another piece.

        Args:
            rows: (T, ROW) of that piece.
            cells: (T, 4) of it; each frame is told of frames before it, and of the others in it.
            voice: that is asked for.
            others: that are decided when it is.
        """
        asked = contexts(rows, cells, voice, others)
        return _joined(_mixed(self._find(asked, voice, others)), _of_own_past(asked, rows, cells, voice))

    def of_learned(self, voice: int, others: Sequence[int]) -> Counted:
        """The same of all frames of the learned pieces themselves, each told of the other pieces and its own past."""
        elsewhere = _mixed([[table.elsewhere() for table in chain] for chain in self._of(voice, others)])
        ends = np.flatnonzero(np.diff(self._owners)) + 1
        own = [
            _of_own_past(contexts(rows, cells, voice, others), rows, cells, voice)
            for rows, cells in zip(np.split(self._rows, ends), np.split(self._cells, ends), strict=True)
        ]
        past = Counted(np.concatenate([piece.logs for piece in own]), np.concatenate([piece.trust for piece in own]))
        return _joined(elsewhere, past)

    def _find(self, asked: Sequence[Sequence[Keys]], voice: int, others: Sequence[int]) -> list[list[Floats]]:
        tables = self._of(voice, others)
        return [
            [table.find(keys) for table, keys in zip(*pair, strict=True)] for pair in zip(tables, asked, strict=True)
        ]

    def _of(self, voice: int, others: Sequence[int]) -> list[list[_Table]]:
        """For each view and context of it; made when it is first asked for."""
        name = voice, sum(1 << other for other in others)
        if name not in self._tables:
            moved = move_classes(self._cells[:, voice], self._rows[:, VOICES + voice])
            chains = contexts(self._rows, self._cells, voice, others)
            self._tables[name] = [
                [_Table(keys, moved, self._owners, self._pieces) for keys in chain] for chain in chains
            ]
        return self._tables[name]


class Following:
    """Pieces that come into being side by side, frame by frame: what `Counts.of_piece` says of their next frame.

    Each voice is asked for once in each frame, then `hear` tells the frame.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._asked: dict[tuple[int, tuple[int, ...]], _Heap[np.uint64]] = {}
        """Of each question so far: (B, contexts) in each frame."""
        self._moved: dict[int, _Heap[np.float32]] = {voice: _Heap() for voice in range(VOICES)}
        """Of each voice, (B, M) in each frame: 1 for the move that it made."""

    def of(self, rows: Ints, voice: int, decided: Mapping[int, Ints]) -> Counted:
        """Rows (B, R) of the next frame, and pitches (B,) of the voices that are decided in it."""
        others = sorted(decided)
        cells = np.full((len(rows), VOICES), REST)
        for other in others:
            cells[:, other] = decided[other]
        asked = contexts(rows, cells, voice, others)
        now = np.stack([keys for chain in asked for keys in chain], 1)
        before = self._asked.setdefault((voice, tuple(others)), _Heap())
        own = np.zeros((len(rows), now.shape[1], MOVES), np.float32)
        if before.frames:
            same = (before.all() == now).astype(np.float32)  # (T, B, contexts)
            own = same.transpose(1, 2, 0) @ self._moved[voice].all().transpose(1, 0, 2)
        before.add(now)
        past = [[own[:, view * LEVELS + level] for level in range(LEVELS)] for view in range(len(asked))]
        return _joined(_mixed(self._counts._find(asked, voice, others)), _mixed(past))

    def hear(self, rows: Ints, cells: Ints) -> None:
        """The frame (B, 4) that was asked for, whose rows were (B, R)."""
        moved = move_classes(cells, rows[:, VOICES : 2 * VOICES])
        for voice, heap in self._moved.items():
            heap.add(np.eye(MOVES, dtype=np.float32)[moved[:, voice]])


class _Heap(Generic[Kind]):
    """Arrays of one shape, one for each frame so far, side by side."""

    def __init__(self) -> None:
        self.frames = 0
        self._held: NDArray[Kind] | None = None

    def add(self, told: NDArray[Kind]) -> None:
        if self._held is None or self.frames == len(self._held):
            wider = np.empty((max(2 * self.frames, 64), *told.shape), told.dtype)
            if self._held is not None:
                wider[: self.frames] = self._held
            self._held = wider
        self._held[self.frames] = told
        self.frames += 1

    def all(self) -> NDArray[Kind]:
        """(T, ...)"""
        assert self._held is not None
        return self._held[: self.frames]


class _Table:
    """How often each move came after each context."""

    def __init__(self, keys: Keys, moved: Ints, owners: Ints, pieces: int) -> None:
        self.keys, self.which = np.unique(keys, return_inverse=True)
        self.moved, self.owners = moved, owners
        self.counts = _counted(self.which, moved, len(self.keys))
        if pieces > 1:
            most = int(owners.max()) + 1
            shared = np.bincount(np.unique(self.which * most + owners) // most, minlength=len(self.keys))
            self.counts[shared < pieces] = 0

    def find(self, keys: Keys) -> Floats:
        """(N, M) counts; zeros where a context was never met."""
        at = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        return np.where((self.keys[at] == keys)[:, None], self.counts[at], np.float32(0))

    def elsewhere(self) -> Floats:
        """(N, M) counts of every frame counted, those of its own piece left out."""
        mine, which = np.unique(self.which * (int(self.owners.max()) + 1) + self.owners, return_inverse=True)
        return self.counts[self.which] - _counted(which, self.moved, len(mine))[which]


def _counted(which: Ints, moved: Ints, most: int) -> Floats:
    return np.bincount(which * MOVES + moved, minlength=most * MOVES).reshape(most, MOVES).astype(np.float32)


def _of_own_past(asked: Sequence[Sequence[Keys]], rows: Ints, cells: Ints, voice: int) -> Counted:
    """What a piece (T, ...) itself held in such places before each of its frames."""
    moves = np.eye(MOVES, dtype=np.float32)[move_classes(cells[:, voice], rows[:, VOICES + voice])]
    before = np.tri(len(rows), k=-1, dtype=np.float32)
    return _mixed([[((keys[:, None] == keys) * before) @ moves for keys in chain] for chain in asked])


def _joined(elsewhere: Counted, before: Counted) -> Counted:
    return Counted(np.concatenate((elsewhere.logs, before.logs), 1), np.concatenate((elsewhere.trust, before.trust), 1))


def _mixed(chains: Sequence[Sequence[Floats]]) -> Counted:
    """Chances of each chain, from the counts (N, M) of its contexts, vague ones first."""
    frames = len(chains[0][0])
    logs = np.empty((frames, len(chains), MOVES), np.float32)
    trust = np.zeros((frames, len(chains)), np.uint8)
    for chain, levels in enumerate(chains):
        chance = np.full((frames, MOVES), 1 / MOVES, np.float32)
        for level, counts in enumerate(levels, 1):
            total, kinds = counts.sum(1, keepdims=True), (counts > 0).sum(1, keepdims=True)
            met = total[:, 0] > 0
            chance[met] = ((counts + kinds * chance) / np.maximum(total + kinds, 1))[met]
            trust[met, chain] = level
        logs[:, chain] = np.log(chance)
    return Counted(logs, trust)

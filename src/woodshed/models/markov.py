"""A variable-order Markov chain over labels, with back-off: the floor in every comparison.

The chance of label y after context c, which backs off to c without its oldest label, is
``(n(c, y) + d(c) * chance after the shorter context) / (n(c) + d(c))``: n counts, d is how many different labels
followed. Below the empty context all labels are alike.

References:
    Witten & Bell 1991 (method C), interpolated; Pearce & Wiggins 2004, "Improved methods for statistical
    modelling of monophonic music", who found it the best of the escape methods on melodies (their C*I).
    We differ in three ways. A context that was met once is not lengthened, for longer ones hold the same single
    label. The order is bounded, by what `fit_best_order` finds best on held-out music. What lies before the
    start is one symbol, at which contexts end.

Shape letters: B songs, N labels of a song, V labels that there are, C contexts but for the empty one, P pairs of
a context and a label that followed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.errors import OutOfRange

Labels = npt.NDArray[np.int64] | Tensor
State = tuple[Tensor, ...]
"""One tensor: the last labels (B, order), oldest first, -1 before the start."""

SIZE_LIMITS = {"labels": (1, 65536), "order": (0, 64), "contexts": (0, 1 << 28), "pairs": (0, 1 << 28)}
"""No size may be larger: a damaged config must not ask for all memory."""
USUAL = {"labels": 38, "order": 5, "contexts": "what `fit` found", "pairs": "what `fit` found"}
ORDERS = range(17)


@dataclass(frozen=True)
class MarkovConfig:
    """Sizes of a `Markov` chain; `Markov.fit` fills in the last two."""

    labels: int
    """V."""
    order: int = 5
    """The longest context, in labels."""
    contexts: int = 0
    """C."""
    pairs: int = 0
    """P."""

    def __post_init__(self) -> None:
        for name, (low, high) in SIZE_LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"model {name} {value!r} is outside {low}-{high}; {USUAL[name]} is usual")

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return asdict(self)


class Markov(nn.Module):
    """Log-probabilities of the next label given the last ones; counts are buffers, and there are no parameters.

    The contexts are a tree. Number 0 is the empty one; context i + 1 is reached by ``longer[i]``, which is
    ``its parent * (V + 1) + its oldest label + 1``. What follows context c are the ``pairs`` from ``first[c]``
    to ``first[c + 1]``, each ``c * V + label``. Both tables are sorted.

    >>> chain = Markov(MarkovConfig(labels=3, order=2)).fit([np.array([0, 1, 0, 1])])
    >>> chain.logits(torch.tensor([[1, 0]])).exp().argmax().item()
    1
    """

    name: ClassVar[str] = "markov"
    longer: Tensor
    """(C,) int64"""
    pairs: Tensor
    """(P,) int64"""
    counts: Tensor
    """(P,) int32"""
    first: Tensor
    """(C + 2,) int64"""
    totals: Tensor
    """(C + 1,) int32: how often each context was met."""

    def __init__(self, config: MarkovConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("longer", torch.zeros(config.contexts, dtype=torch.int64))
        self.register_buffer("pairs", torch.zeros(config.pairs, dtype=torch.int64))
        self.register_buffer("counts", torch.zeros(config.pairs, dtype=torch.int32))
        self.register_buffer("first", torch.zeros(config.contexts + 2, dtype=torch.int64))
        self.register_buffer("totals", torch.zeros(config.contexts + 1, dtype=torch.int32))

    def fit(self, sequences: Sequence[Labels]) -> Markov:
        """Count the contexts of all songs, each (N,) int64; forgets what was counted before.

        Raises:
            OutOfRange: on a label outside 0 to V - 1, naming the song.
        """
        joined, rows = join(sequences, self.config.labels)
        longer, pairs, counts = count(joined, rows, self.config.labels, self.config.order)
        contexts = len(longer) + 1
        first = np.searchsorted(pairs, np.arange(contexts + 1) * self.config.labels)
        totals = np.diff(np.append(0, np.cumsum(counts))[first])
        self.config = replace(self.config, contexts=len(longer), pairs=len(pairs))
        device = self.first.device
        self.longer, self.pairs = torch.from_numpy(longer).to(device), torch.from_numpy(pairs).to(device)
        self.first = torch.from_numpy(first).to(device)
        self.counts = torch.from_numpy(counts.astype(np.int32)).to(device)
        self.totals = torch.from_numpy(totals.astype(np.int32)).to(device)
        return self

    @torch.no_grad()
    def logits(self, contexts: Tensor) -> Tensor:
        """The last labels (B, order), oldest first, -1 before the start -> log-probabilities (B, V) float32."""
        batch, labels, lengths = len(contexts), self.config.labels, self.config.order + 1
        ends = torch.arange(1, batch + 1, device=contexts.device) * self.config.order
        known = list(self._walk(contexts.reshape(-1), ends))
        context = torch.cat([numbers for _, numbers in known])
        place = torch.cat([which * lengths + length for length, (which, _) in enumerate(known)])
        escape, share = self._weights(context)
        # What is told by a context is worth what all longer ones leave to it.
        left = torch.ones(batch * lengths, dtype=torch.float64, device=contexts.device)
        left = left.index_put((place,), escape).view(batch, lengths).flip(1).cumprod(1).flip(1)
        worth = F.pad(left[:, 1:], (0, 1), value=1.0).flatten()[place] * share
        kinds = self.first[context + 1] - self.first[context]
        owner = torch.repeat_interleave(kinds)  # (pairs of all these contexts,)
        pair = torch.arange(len(owner), device=owner.device) + (self.first[context + 1] - kinds.cumsum(0))[owner]
        target = (place // lengths * labels)[owner] + self.pairs[pair] % labels
        chances = (left[:, :1] / labels).repeat(1, labels).flatten()
        return chances.index_add(0, target, self.counts[pair] * worth[owner]).view(batch, labels).log().float()

    @torch.no_grad()
    def nats(self, sequence: Labels) -> Tensor:
        """What each label (N,) of a song costs given those before it, (N,) float64."""
        *_, last = self.nats_by_order([sequence])
        return last

    @torch.no_grad()
    def nats_by_order(self, sequences: Sequence[Labels]) -> Iterator[Tensor]:
        """Nats of every label of all songs, one song after the other, by contexts of at most 0, 1, ... labels.

        Raises:
            OutOfRange: as `fit`.
        """
        known = (torch.from_numpy(array).to(self.first.device) for array in join(sequences, self.config.labels))
        joined, rows = known
        label, labels = joined[rows], self.config.labels
        chance = torch.full(rows.shape, 1 / labels, dtype=torch.float64, device=rows.device)
        walk = self._walk(joined, rows)
        for _ in range(self.config.order + 1):
            which, context = next(walk, (rows[:0], rows[:0]))
            escape, share = self._weights(context)
            place, found = find(self.pairs, context * labels + label[which])
            told = share * self.counts[place] * found if len(self.counts) else 0
            chance[which] = chance[which] * escape + told
            yield -chance.log()

    def start(self, batch: int) -> State:
        """The state of B songs before their first label."""
        return (torch.full((batch, self.config.order), -1, device=self.first.device),)

    def step_label(self, labels: Tensor, state: State) -> tuple[Tensor, State]:
        """The newest label (B,), -1 if there is none yet -> logits (B, V) of the next and the state after it."""
        past = torch.cat((state[0], labels[:, None]), 1)[:, 1:]
        return self.logits(past), (past,)

    @staticmethod
    def select(state: State, index: Tensor) -> State:
        """The state of the songs named in (B',), in that order; a song may be named more than once."""
        return tuple(part[index] for part in state)

    def _walk(self, joined: Tensor, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """For contexts of 0, 1, ... labels before each row: which rows still know theirs, and its number.

        Ends at the longest context that any row knows.
        """
        which = torch.arange(len(rows), device=rows.device)
        context = torch.zeros_like(which)
        yield which, context
        for length in range(1, self.config.order + 1):
            # Contexts end at the start: what is read beyond it is never found.
            older = joined[rows[which] - length]
            place, found = find(self.longer, context * (self.config.labels + 1) + older + 1)
            which, context = which[found], place[found] + 1
            if not len(which):
                return
            yield which, context

    def _weights(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """What the shorter context's chances are worth, and what each count is worth; float64."""
        kinds, total = self.first[context + 1] - self.first[context], self.totals[context]
        whole = (kinds + total).clamp(min=1).double()
        return torch.where(total > 0, kinds / whole, 1.0), 1 / whole


def count(
    joined: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], labels: int, order: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The contexts, pairs and counts of a `Markov` chain: one sort per length brings like to like."""
    context, parents = np.zeros(len(rows), np.int64), 0
    longer: list[npt.NDArray[np.int64]] = []
    pairs: list[npt.NDArray[np.int64]] = []
    counts: list[npt.NDArray[np.int64]] = []
    for length in range(order + 1):
        edge = context * (labels + 1) + (joined[rows - length] + 1 if length else 0)
        pair = edge * labels + joined[rows]
        by_pair = sorting(pair)
        edge, pair, rows = edge[by_pair], pair[by_pair], rows[by_pair]
        pair_starts, starts = run_starts(pair), run_starts(edge)
        number = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        contexts = parents + (longer[-1].size if length > 1 else length)
        longer.append(edge[starts[:-1]] + parents * (labels + 1))
        pairs.append((number + contexts)[pair_starts[:-1]] * labels + pair[pair_starts[:-1]] % labels)
        counts.append(np.diff(pair_starts))
        going_on = np.repeat(np.diff(starts) > 1, np.diff(starts))
        going_on &= (edge % (labels + 1) > 0) | (length == 0)
        rows, context, parents = rows[going_on], number[going_on], contexts
    return np.concatenate(longer[1:] or [longer[0][:0]]), np.concatenate(pairs), np.concatenate(counts)


def sorting(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The stable order of keys from 0 up.

    To sort is several times faster than to ask for the order: where there is room, places ride in the low bits.
    """
    bits = len(keys).bit_length()
    if len(keys) and keys.max() >= 1 << (63 - bits):
        return np.argsort(keys, kind="stable")
    return np.sort(keys << bits | np.arange(len(keys))) & ((1 << bits) - 1)


def run_starts(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each run of equal sorted keys starts, and at the end their number."""
    return np.append(np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)]), len(keys))


def join(sequences: Sequence[Labels], labels: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All songs in one array with a -1 before each, and the rows at which their labels stand."""
    arrays = [np.asarray(sequence, dtype=np.int64) for sequence in sequences]
    for number, array in enumerate(arrays):
        if len(array) and not 0 <= array.min() <= array.max() < labels:
            raise OutOfRange(f"song {number}: labels reach from {array.min()} to {array.max()}, outside 0-{labels - 1}")
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    joined = np.concatenate([np.insert(array, 0, -1) for array in arrays] or [np.zeros(0, np.int64)])
    is_label = np.ones(len(joined), np.bool_)
    is_label[np.cumsum(lengths + 1) - lengths - 1] = False
    return joined, np.flatnonzero(is_label)


def find(table: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Where each key stands in a sorted table, and whether it does (where it does not, the place means nothing)."""
    if not len(table):
        return torch.zeros_like(keys), torch.zeros_like(keys, dtype=torch.bool)
    place = torch.searchsorted(table, keys).clamp(max=len(table) - 1)
    return place, table[place] == keys


def fit_best_order(
    labels: int, train: Sequence[Labels], held_out: Sequence[Labels], orders: Iterable[int] = ORDERS
) -> tuple[Markov, dict[int, float]]:
    """The chain of the order at which the held-out songs cost least, and their nats per label at each order.

    Of orders that cost the same, the shortest. Raises:
        OutOfRange: where there is no order or no held-out label to choose by, and as `Markov.fit`.
    """
    wanted = set(orders)
    if not wanted or not any(len(sequence) for sequence in held_out):
        raise OutOfRange("no order can be chosen: give at least one order and one held-out song with a label")
    longest = Markov(MarkovConfig(labels, max(wanted))).fit(train)
    curve = {order: nats.mean().item() for order, nats in enumerate(longest.nats_by_order(held_out)) if order in wanted}
    best = min(curve, key=lambda order: (curve[order], order))
    return Markov(MarkovConfig(labels, best)).fit(train), curve

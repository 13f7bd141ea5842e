"""Which songs are versions of one another, and which need not be kept.

Two songs are compared by the phrases they share (see `fingerprints`):

* **near duplicate**: most of the phrases of both together are shared (Jaccard index), or nearly all of the
  shorter song's are in the longer one (containment: an excerpt). One of the two can go.
* **version**: a good part of the telling phrases is shared: a remix, a new arrangement, a long quotation.
  Both may stay, but only on the same side of a split. Versions of versions are one group.
* **medley**: a song that contains several others which have nothing to do with one another. It goes, if the
  songs that stay cover it.

Candidates come from two indexes, both linear in the number of phrases: one-permutation MinHash with
locality-sensitive banding finds near duplicates however many there are of one song; an inverted index of
the phrases that few songs have finds partial likeness. Every candidate pair is then compared exactly.

Sources: P. Li, A. Owen, C.-H. Zhang, *One permutation hashing*, 2012; A. Shrivastava, P. Li, *Densifying one
permutation hashing via rotation*, 2014; banding as in J. Leskovec, A. Rajaraman, J. Ullman, *Mining of
Massive Datasets*, chapter 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 128
"""Values in a MinHash signature."""
ROWS = 4
"""Values in a band: two songs meet if one whole band is equal."""
SAME = 0.5
"""Jaccard index from which two songs are near duplicates."""
EXCERPT = 0.8
"""Share of the shorter song that makes it an excerpt of the longer one."""
VERSION = 0.08
"""Share of the shorter song's telling phrases that makes two songs versions of one another."""
ENOUGH = 12
"""Fewer shared phrases than this prove nothing, unless nearly all are shared."""
COMMON = 10
"""A phrase in more songs than this, and in more than one song of a hundred, tells nothing."""

NEIGHBOURS = 8
"""How many of the songs that follow it in a phrase's list a song is compared with."""
MOST_LISTED = 1 << 22
"""Phrases listed in the inverted index, at most."""

PAIRED_AT_ONCE = 1 << 22
"""Phrases of candidate pairs that are in memory at once."""


@dataclass(frozen=True)
class Pairs:
    """Songs that resemble one another, one array element per pair; ``first`` < ``second``."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    shared: NDArray[np.int64]
    """Phrases in both."""
    jaccard: NDArray[np.float64]
    """Share of all phrases of the two that are in both."""
    containment: NDArray[np.float64]
    """Share of the shorter song's phrases that are in the longer one."""
    likeness: NDArray[np.float64]
    """The same, counting only the phrases that few songs have."""

    def __len__(self) -> int:
        return len(self.first)

    def where(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Some of the pairs."""
        return Pairs(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @property
    def near(self) -> NDArray[np.bool_]:
        """Which pairs are near duplicates."""
        alike = (self.jaccard >= SAME) | (self.containment >= EXCERPT)
        return (alike & (self.shared >= ENOUGH)) | ((self.jaccard >= 0.9) & (self.shared >= 4))


@dataclass(frozen=True)
class Versions:
    """What `find_versions` found, one array element per song."""

    group: NDArray[np.int64]
    """Number that versions of one song share, counted from 0 in the order of the songs."""
    duplicate_of: NDArray[np.int64]
    """Index of the song that makes this one superfluous, or -1 for those to keep."""
    similarity: NDArray[np.float64]
    """How much of this song that one has, 0-1; 0 for those to keep."""
    medley: NDArray[np.bool_]
    """Whether it contains several songs that are no versions of one another."""


def find_versions(prints: Sequence[NDArray[np.uint32]], quality: Sequence[float]) -> Versions:
    """Groups of versions, and which songs could go.

    ``prints`` (songs,) sets of phrases, ascending; ``quality`` (songs,) decides which of two near
    duplicates stays: the higher, then the first.
    """
    pairs = similar_pairs(prints)
    group = _components(pairs, len(prints))
    medley = _medleys(pairs, prints)
    order = np.lexsort((np.arange(len(prints)), -np.asarray(quality, np.float64), medley))
    duplicate_of, similarity = _superfluous(pairs, prints, order, medley)
    return Versions(group, duplicate_of, similarity, medley)


def similar_pairs(prints: Sequence[NDArray[np.uint32]]) -> Pairs:
    """All pairs that are near duplicates or versions."""
    keys = _keys(prints)
    common = _common(keys, len(prints))
    telling = keys[~common]
    candidates = np.unique(np.concatenate((_banded(prints), _indexed(telling, len(prints)))))
    first, second = candidates // max(len(prints), 1), candidates % max(len(prints), 1)
    pairs = _compare(keys, telling, first, second, prints)
    related = (pairs.likeness >= VERSION) & (pairs.shared >= ENOUGH)
    return pairs.where(pairs.near | related)


def _keys(prints: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint64]:
    """Song number and phrase in one number, ascending."""
    sizes = [len(phrases) for phrases in prints]
    song = np.repeat(np.arange(len(prints), dtype=np.uint64), sizes)
    return (song << np.uint64(32)) | np.concatenate([*prints, np.empty(0, np.uint32)]).astype(np.uint64)


def _common(keys: NDArray[np.uint64], songs: int) -> NDArray[np.bool_]:
    """Which of the keys hold a phrase that so many songs have that it tells nothing."""
    _, place, count = np.unique(keys.astype(np.uint32), return_inverse=True, return_counts=True)
    common: NDArray[np.bool_] = count[place] > max(COMMON, songs // 100)
    return common


def _indexed(telling: NDArray[np.uint64], songs: int) -> NDArray[np.int64]:
    """Pairs (first * songs + second) that share some telling phrases, from an inverted index.

    A song meets the `NEIGHBOURS` next ones in each phrase's list, which is all of them for most phrases, and
    chains the versions of a song together where it is not. Of very many phrases only an even sample is listed.
    """
    thin = -(-len(telling) // MOST_LISTED)
    phrase = telling & np.uint64(0xFFFFFFFF)
    turned = np.sort((phrase << np.uint64(32) | telling >> np.uint64(32))[phrase % np.uint64(max(thin, 1)) == 0])
    phrase, song = turned >> np.uint64(32), (turned & np.uint64(0xFFFFFFFF)).astype(np.int64)
    met = [np.empty(0, np.int64)]
    for step in range(1, NEIGHBOURS + 1):
        same = phrase[step:] == phrase[:-step]
        met.append(song[:-step][same] * songs + song[step:][same])
    pairs, count = np.unique(np.concatenate(met), return_counts=True)
    return pairs[count * thin >= 4]


def signatures(prints: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    """(songs, BINS) MinHash signatures; the share of equal values estimates the Jaccard index.

    The highest bits of a phrase choose a bin, in which the least phrase counts; an empty bin borrows from
    the next that is not.
    """
    keys = _keys(prints)
    place = (keys >> np.uint64(32 - BINS.bit_length() + 1)).astype(np.int64)  # song * BINS + bin
    least = np.flatnonzero(np.diff(place, prepend=-1))
    filled = np.full(len(prints) * BINS, -1, np.int64)
    filled[place[least]] = least
    has = (filled >= 0).reshape(-1, BINS)
    ahead = np.where(np.concatenate((has, has), axis=1), np.arange(2 * BINS), 3 * BINS)
    ahead = np.minimum.accumulate(ahead[:, ::-1], axis=1)[:, ::-1][:, :BINS]
    borrowed = np.take_along_axis(filled.reshape(-1, BINS), ahead % BINS, axis=1)
    far = (ahead - np.arange(BINS)).astype(np.uint32)
    values: NDArray[np.uint32] = np.append(keys, np.uint64(0))[borrowed].astype(np.uint32) + far * np.uint32(0x9E3779B1)
    return values


def _banded(prints: Sequence[NDArray[np.uint32]]) -> NDArray[np.int64]:
    """Pairs (first * songs + second) with an equal band: each song with the first of its bucket and its neighbour."""
    songs = len(prints)
    met = [np.empty(0, np.int64)]
    heard = np.flatnonzero([len(phrases) > 0 for phrases in prints])
    bands = signatures(prints).reshape(songs, BINS // ROWS, ROWS)[heard]
    weights = np.array([3, 5, 7, 11], np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for band in np.moveaxis(bands, 1, 0):
        mixed = (band.astype(np.uint64) * weights).sum(axis=1)
        order = np.argsort(mixed, kind="stable")
        bucket, song = mixed[order], heard[order]
        start = np.append(True, bucket[1:] != bucket[:-1])[: len(song)]
        head = song[np.maximum.accumulate(np.where(start, np.arange(len(song)), 0))]
        rest = ~start
        met += [head[rest] * songs + song[rest], song[:-1][rest[1:]] * songs + song[1:][rest[1:]]]
    return np.concatenate(met)


def _compare(
    keys: NDArray[np.uint64],
    telling: NDArray[np.uint64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    prints: Sequence[NDArray[np.uint32]],
) -> Pairs:
    songs = len(prints)
    size = np.array([len(phrases) for phrases in prints], np.int64)
    rare = np.bincount((telling >> np.uint64(32)).astype(np.int64), minlength=songs)
    shared, shared_rare = _shared(keys, size, first, second), _shared(telling, rare, first, second)
    union = size[first] + size[second] - shared
    shorter = np.minimum(size[first], size[second])
    shorter_rare = np.minimum(rare[first], rare[second])
    return Pairs(
        first, second, shared, shared / np.maximum(union, 1), shared / np.maximum(shorter, 1),
        shared_rare / np.maximum(shorter_rare, 1),
    )  # fmt: skip


def _shared(
    keys: NDArray[np.uint64], size: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many keys each pair has in common: rows of a sparse matrix, multiplied element by element."""
    from scipy.sparse import csr_array

    start = np.concatenate(([0], np.cumsum(size)))
    phrases = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    table = csr_array((np.ones(len(keys), np.int8), phrases, start), shape=(len(size), 1 << 32))
    blocks = np.array_split(np.arange(len(first)), 1 + int((size[first] + size[second]).sum()) // PAIRED_AT_ONCE)
    counts = [np.diff(table[first[block]].multiply(table[second[block]]).tocsr().indptr) for block in blocks]
    return np.concatenate(counts).astype(np.int64)


def _components(pairs: Pairs, songs: int) -> NDArray[np.int64]:
    """Connected components, numbered in the order of their first songs: labels sink to the least in reach."""
    label = np.arange(songs)
    while True:
        before = label.copy()
        least = np.minimum(label[pairs.first], label[pairs.second])
        np.minimum.at(label, pairs.first, least)
        np.minimum.at(label, pairs.second, least)
        label = label[label]
        if np.array_equal(before, label):
            return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _medleys(pairs: Pairs, prints: Sequence[NDArray[np.uint32]]) -> NDArray[np.bool_]:
    """Songs that contain two or more others which are no pair themselves."""
    size = np.array([len(phrases) for phrases in prints], np.int64)
    related = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    inside = pairs.where((pairs.containment >= EXCERPT) & (pairs.jaccard < SAME) & (pairs.shared >= ENOUGH))
    longer = np.where(size[inside.first] > size[inside.second], inside.first, inside.second)
    shorter = inside.first + inside.second - longer
    medley = np.zeros(len(prints), bool)
    for song in np.unique(longer).tolist():
        pieces = sorted(shorter[longer == song].tolist())
        medley[song] = any((a, b) not in related for index, a in enumerate(pieces) for b in pieces[index + 1 :])
    return medley


def _superfluous(
    pairs: Pairs, prints: Sequence[NDArray[np.uint32]], order: NDArray[np.int64], medley: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Walk the songs from the best to the worst; each goes if one that stayed (or, for a medley, all) has it."""
    near = pairs.where(pairs.near)
    neighbours: dict[int, list[tuple[int, float]]] = {}
    for a, b, jaccard, inside in zip(
        near.first.tolist(), near.second.tolist(), near.jaccard.tolist(), near.containment.tolist(), strict=True
    ):
        neighbours.setdefault(a, []).append((b, max(jaccard, inside)))
        neighbours.setdefault(b, []).append((a, max(jaccard, inside)))
    duplicate_of = np.full(len(prints), -1, np.int64)
    similarity = np.zeros(len(prints))
    stays = np.zeros(len(prints), bool)
    for song in order.tolist():
        kept = [(share, -other) for other, share in neighbours.get(song, []) if stays[other]]
        if kept and (not medley[song] or _covered(song, [-other for _, other in kept], prints) >= EXCERPT):
            similarity[song], best = max(kept)
            duplicate_of[song] = -best
        else:
            stays[song] = True
    return duplicate_of, similarity


def _covered(song: int, others: Sequence[int], prints: Sequence[NDArray[np.uint32]]) -> float:
    """Share of a song's phrases that others have together."""
    return float(np.isin(prints[song], np.concatenate([prints[other] for other in others])).mean())

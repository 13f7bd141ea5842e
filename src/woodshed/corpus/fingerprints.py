"""What makes a song recognisable in another key and at another tempo: its phrases, as a set of numbers.

Each part is heard as a line: the highest note at each onset. `PHRASE` intervals in a row, together with how
each gap between onsets compares with the one before (half, same, double ...), are one phrase, hashed to
32 bits. A song is the set of its phrases: transposing it, stretching time, moving parts to other instruments,
changing velocities or durations leaves the set as it is; each changed note changes at most `PHRASE` + 1
phrases. Phrases on one repeated note say nothing and are left out. A song without pitched lines is known by
what its drums play, untransposed.

Source: shingling as in A. Broder, *On the resemblance and containment of documents*, 1997, on interval and
duration-ratio n-grams as in J. S. Downie, *Evaluating a simple approach to music information retrieval*, 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music import Part, Song

PHRASE = 6
"""Intervals in a phrase."""
_NEAR = 20
"""Onsets within the same 1/24 of a quarter note are one chord."""
_MIX = np.uint64(0x9E3779B97F4A7C15)

Phrases = tuple[NDArray[np.int64], NDArray[np.uint32]]
"""Where each phrase was heard, and the phrase."""


def fingerprint(song: Song) -> NDArray[np.uint32]:
    """The phrases of one song, ascending, each once."""
    return fingerprints([song.notes], [song.parts])[0]


def fingerprints(notes: Sequence[NDArray[Any]], parts: Sequence[Sequence[Part]]) -> list[NDArray[np.uint32]]:
    """The phrases of many songs at once, ascending, each once."""
    if not len(notes):
        return []
    sizes = np.array([len(rows) for rows in notes], np.int64)
    first_part = np.concatenate(([0], np.cumsum([len(players) for players in parts])))
    drum = np.array([part.is_drum for players in parts for part in players], bool)
    owner = np.repeat(np.arange(len(parts)), np.diff(first_part))
    rows = np.concatenate(notes)
    stream = rows["part"] + np.repeat(first_part[:-1], sizes)
    is_drum = drum[stream]
    pitched = _sets(*_line(rows, stream, ~is_drum), owner, len(notes))
    silent = np.array([not len(found) for found in pitched], bool)
    if not silent.any():
        return pitched
    drums = _sets(*_beat(rows, owner[stream], is_drum & silent[owner[stream]]), np.arange(len(notes)), len(notes))
    return [drum if none else tune for tune, drum, none in zip(pitched, drums, silent, strict=True)]


def _line(rows: NDArray[Any], stream: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Phrases:
    """(stream, phrase) of each phrase in the highest notes of each stream."""
    onset = rows["onset"][chosen].astype(np.int64) // _NEAR
    keys = np.sort(((stream[chosen] << 28 | onset) << 7) | (127 - rows["pitch"][chosen]))
    moment = keys >> 7
    keys = keys[np.diff(moment, prepend=-1) != 0]
    pitch, when, line = 127 - (keys & 127), (keys >> 7) & ((1 << 28) - 1), keys >> 35
    interval = np.diff(pitch)
    return _phrases(line, when, np.clip(interval, -24, 24) + 24, interval != 0)


def _beat(rows: NDArray[Any], song: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Phrases:
    """(song, phrase) of each phrase in the drums: which drums sound together, one moment after another."""
    onset = rows["onset"][chosen].astype(np.int64) // _NEAR
    keys = np.unique(((song[chosen] << 28 | onset) << 7) | rows["pitch"][chosen])
    moment = keys >> 7
    first = np.flatnonzero(np.diff(moment, prepend=-1))
    hashed = _scramble((keys & 127).astype(np.uint64) + np.uint64(1))
    struck = np.add.reduceat(hashed, first)[1:] if len(first) else hashed
    when, line = moment[first] & ((1 << 28) - 1), moment[first] >> 28
    return _phrases(line, when, struck, np.diff(struck, prepend=np.uint64(0)) != 0)


def _phrases(line: NDArray[np.int64], when: NDArray[np.int64], step: NDArray[Any], moves: NDArray[np.bool_]) -> Phrases:
    """Hash every run of `PHRASE` steps, with the ratios of the gaps between them, that stays in one line.

    ``line`` and ``when`` (E,) of each event; ``step`` and ``moves`` (E - 1,) of each pair of neighbours.
    """
    count = len(line) - PHRASE
    if count <= 0:
        return np.empty(0, np.int64), np.empty(0, np.uint32)
    gap = np.log2(np.maximum(np.diff(when), 1).astype(np.float32))
    ratio = np.clip(np.rint(np.diff(gap, prepend=gap[:1])), -3, 3).astype(np.int64) + 3
    token = _scramble(step.astype(np.uint64) * np.uint64(8) + np.uint64(7))
    paced = _scramble(step.astype(np.uint64) * np.uint64(8) + ratio.astype(np.uint64))
    total = token[:count].copy()  # the first gap has nothing to compare with
    moving = moves[:count].astype(np.int8)
    for place in range(1, PHRASE):
        total = total * _MIX + paced[place : place + count]
        moving += moves[place : place + count]
    valid = (line[PHRASE:] == line[:count]) & (moving > 1)
    hashed = (_scramble(total[valid]) >> np.uint64(32)).astype(np.uint32)
    return line[:count][valid], hashed


def _scramble(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread the bits (the finaliser of splitmix64)."""
    mixed = numbers * _MIX
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    return mixed


def _sets(
    line: NDArray[np.int64], hashed: NDArray[np.uint32], owner: NDArray[np.int64], songs: int
) -> list[NDArray[np.uint32]]:
    """Each song's phrases, ascending, each once."""
    keys = np.unique(owner[line].astype(np.uint64) << np.uint64(32) | hashed)
    cuts = np.searchsorted(keys >> np.uint64(32), np.arange(1, songs, dtype=np.uint64))
    return np.split((keys & np.uint64(0xFFFFFFFF)).astype(np.uint32), cuts)

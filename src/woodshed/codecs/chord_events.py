"""Notes that start together as one event, and the names that such events have."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import CodecError
from woodshed.music.units import ticks_to_steps

LONGEST = 48
"""Steps of the longest event, a whole note."""
SHORTEST_REST = 3
"""Steps of the shortest silence that is an event, a sixteenth; what is shorter belongs to the note before."""
REST = "rest"
_SPELLINGS = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B")
PITCHES = tuple(
    {4: "E(-1)", 11: "B(-1)"}.get(pitch, f"{_SPELLINGS[pitch % 12]}{pitch // 12 - 1}") for pitch in range(128)
)
"""Names as music21 writes them: a flat is a minus sign, middle C is C4. Only the two lowest E and B are ours: music21
calls pitch 4 "E-1" just as it calls E flat in octave 1, and reads both as the latter."""
PITCH_OF = {name: pitch for pitch, name in enumerate(PITCHES)}
_OCTAVE_OF_CLASSES = 60


def chord_events(notes: NDArray[Any]) -> NDArray[np.int64]:
    """(E, 3) of sorted notes, with the rests: pitches 0-63 and 64-127 as bits, and length in steps."""
    if not len(notes):
        return np.empty((0, 3), np.int64)
    step = ticks_to_steps(notes["onset"])
    first = np.flatnonzero(np.append(True, step[1:] != step[:-1]))
    onset = step[first]
    bit = np.uint64(1) << (notes["pitch"].astype(np.uint64) & np.uint64(63))
    high = notes["pitch"] >= 64
    low_bits = np.bitwise_or.reduceat(np.where(high, np.uint64(0), bit), first).view(np.int64)
    high_bits = np.bitwise_or.reduceat(np.where(high, bit, np.uint64(0)), first).view(np.int64)
    end = ticks_to_steps(np.maximum.reduceat(notes["onset"].astype(np.int64) + notes["duration"], first))
    room = np.diff(onset, append=np.iinfo(np.int32).max)
    length = np.clip(end - onset, 1, np.minimum(room, LONGEST))
    silence = np.append(room[:-1] - length[:-1], 0)
    length = np.where(silence < SHORTEST_REST, np.minimum(length + silence, LONGEST), length)
    rests = np.where(silence < SHORTEST_REST, 0, np.minimum(silence, LONGEST))
    zeros = np.zeros_like(rests)
    both = np.stack([np.stack([low_bits, high_bits, length], 1), np.stack([zeros, zeros, rests], 1)], 1).reshape(-1, 3)
    return both[both[:, 2] > 0]


def parse_event(name: str, has_length: bool) -> tuple[tuple[int, ...], int]:
    """Pitches and length in steps (0 without one) of an event's name."""
    chord, _, length = name.partition(" ")
    try:
        if chord == REST:
            pitches: tuple[int, ...] = ()
        elif chord[:1].isdigit():
            pitches = tuple(sorted({_OCTAVE_OF_CLASSES + int(text) % 12 for text in chord.split(".")}))
        else:
            pitches = tuple(PITCH_OF[text] for text in chord.split("."))
        steps = int(length) if has_length else 0
        if has_length and not 1 <= steps <= LONGEST:
            raise ValueError
    except (KeyError, ValueError):
        wanted = f'a chord and 1-{LONGEST} steps like "E3.B3 6"' if has_length else '"G#5", "0.4.7" or "E3.B3.E4"'
        raise CodecError(f"vocabulary: {name!r} is no event; it must be {wanted}") from None
    return pitches, steps


@lru_cache(1 << 14)
def chord_name(bits: int, normal: bool) -> str:
    """The name of a set of pitches, bit p standing for pitch p; chords in normal order or by all their pitches."""
    pitches = []
    while bits:
        lowest = bits & -bits
        pitches.append(lowest.bit_length() - 1)
        bits ^= lowest
    if normal and len(pitches) > 1:
        return ".".join(map(str, normal_order(sum({1 << pitch % 12 for pitch in pitches}))))
    return ".".join(PITCHES[pitch] for pitch in pitches) or REST


@cache
def normal_order(mask: int) -> tuple[int, ...]:
    """Pitch classes of a set in normal order; bit i of ``mask`` (0-4095) stands for pitch class i.

    The rotation of the ascending classes that spans least; among those the one packed to the left, and then
    the one that starts lowest.

    >>> normal_order(1 << 2 | 1 << 5 | 1 << 11)
    (11, 2, 5)

    Source:
        Forte 1973, as music21's ``Chord.normalOrder`` has it (all 4,095 sets were compared).
    """
    classes = [pitch_class for pitch_class in range(12) if mask >> pitch_class & 1]
    rotations = [classes[i:] + classes[:i] for i in range(len(classes))]
    if not classes:
        return ()
    tightest: list[int] = min(rotations, key=_span_then_left)
    return tuple(tightest)


def _span_then_left(classes: list[int]) -> tuple[int, list[int], int]:
    above = [(pitch_class - classes[0]) % 12 for pitch_class in classes]
    return above[-1], above, classes[0]

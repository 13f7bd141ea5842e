"""What was heard before: windows of eight bars for ever, and the latest bars, so that music does not stand still.

`Unheard` is a filter of fixed size that never forgets and never misses.

Source:
    Bloom, "Space/time trade-offs in hash coding with allowable errors" (1970), its places found from two hashes
    (Kirsch and Mitzenmacher, 2006).
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW_BARS = 8
FILTER_BYTES = 1 << 24
PROBES = 4
LATEST_BARS, MOST_ALIKE, ALIKE = 16, 4, 0.75
STEP_TICKS = 40
"""Onsets are compared on the grid of 12 steps to the quarter: feel does not make a bar new."""


class Unheard:
    """Remembers every window of ``WINDOW_BARS`` bars, whatever their number, in 16 MiB.

    A window that was heard is always known. One that was not is taken for known with a chance of
    ``(1 - exp(-4 n / 2**27)) ** 4`` after n windows: never in practice after 10,000, 1 in 50 after 16 million, which
    are a year of bars of two seconds. The bar is then drawn again for nothing.
    """

    def __init__(self) -> None:
        self._bits = bytearray(b"\0") * FILTER_BYTES  # written, so that memory is taken now and never grows
        self._recent: deque[bytes] = deque(maxlen=WINDOW_BARS - 1)
        self.windows = 0

    def is_new(self, bar: bytes) -> bool:
        """Whether a bar, as `bar_hash` says it, completes no window that was heard."""
        if len(self._recent) < WINDOW_BARS - 1:
            return True
        return any(not self._bits[place >> 3] >> (place & 7) & 1 for place in self._places(bar))

    def add(self, bar: bytes) -> None:
        """The bar is played."""
        if len(self._recent) == WINDOW_BARS - 1:
            for place in self._places(bar):
                self._bits[place >> 3] |= 1 << (place & 7)
            self.windows += 1
        self._recent.append(bar)

    def _places(self, bar: bytes) -> list[int]:
        """The bits that stand for the window that ends with this bar."""
        digest = blake2b(b"".join(self._recent) + bar, digest_size=16).digest()
        first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1
        return [(first + probe * step) % (8 * FILTER_BYTES) for probe in range(PROBES)]


class Standstill:
    """Remembers the latest `LATEST_BARS` bars, and says when another would be one of too many that are alike.

    Of 4,909 bars of the 120 first songs of Freedoom 4.7 % are like more than 4 of the 16 before them, of 2,129 bars of
    OpenEWLD's melodies less than 0.9 %. A model that has fallen into a loop plays nothing else.
    """

    def __init__(self) -> None:
        self._latest: deque[frozenset[int]] = deque(maxlen=LATEST_BARS)

    def is_stuck(self, bar: frozenset[int]) -> bool:
        """Whether more than `MOST_ALIKE` of the latest bars share `ALIKE` of what is in them with this one."""
        return sum(_alike(bar, other) >= ALIKE for other in self._latest) > MOST_ALIKE

    def add(self, bar: frozenset[int]) -> None:
        """The bar is played."""
        self._latest.append(bar)


def _alike(bar: frozenset[int], other: frozenset[int]) -> float:
    """The share of two bars' cells that both have; silence is like silence."""
    together = len(bar | other)
    return len(bar & other) / together if together else 1.0


def bar_cells(notes: NDArray[Any]) -> frozenset[int]:
    """What of a bar makes it the bar that it is: which part starts which pitch where, a number for each.

    Two bars that differ in nothing but velocities, lengths and feel are the same.
    """
    step = (notes["onset"].astype(np.int64) + STEP_TICKS // 2) // STEP_TICKS
    return frozenset(((step << 24) + (notes["part"].astype(np.int64) << 8) + notes["pitch"]).tolist())


def bar_hash(cells: frozenset[int]) -> bytes:
    """The same in 8 bytes."""
    return blake2b(np.array(sorted(cells), "<i8").tobytes(), digest_size=8).digest()

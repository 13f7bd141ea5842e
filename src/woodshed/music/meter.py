"""Meter (time signature), and where the bars of a song lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.music.units import TICKS_PER_QUARTER


@dataclass(frozen=True)
class Meter:
    """A time signature such as 4/4, 6/8 or 7/8."""

    numerator: int = 4
    """Beats in a bar, 1-64."""
    denominator: int = 4
    """The note value of a beat: 1, 2, 4, 8, 16 or 32."""

    def __post_init__(self) -> None:
        if not 1 <= self.numerator <= 64 or self.denominator not in (1, 2, 4, 8, 16, 32):
            raise OutOfRange(
                f"meter {self.numerator}/{self.denominator} is not one of 1-64 over 1, 2, 4, 8, 16 or 32; try 4/4"
            )

    @classmethod
    def parse(cls, text: str) -> Meter:
        """``"6/8"`` -> ``Meter(6, 8)``."""
        numerator, slash, denominator = text.strip().partition("/")
        if not slash or not numerator.isdecimal() or not denominator.isdecimal():
            raise OutOfRange(f"meter {text!r} is not of the form beats/value; try 4/4 or 6/8")
        return cls(int(numerator), int(denominator))

    @property
    def bar_ticks(self) -> int:
        """Length of one bar in ticks."""
        return TICKS_PER_QUARTER * 4 * self.numerator // self.denominator

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


def bar_lines(meter_onsets: NDArray[np.int64], bar_ticks: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Ticks of all bar lines from 0 until one is at or past ``length``: bar b spans [line b, line b + 1).

    ``meter_onsets`` (M,) ascending ticks and ``bar_ticks`` (M,) their bar lengths; before the first
    meter it is 4/4, and a meter that comes inside a bar starts a new bar there, as notation
    programs do. Returns (bars + 1,) ascending ticks; there is always at least one bar.
    """
    onsets = np.asarray(meter_onsets, dtype=np.int64)
    sizes = np.asarray(bar_ticks, dtype=np.int64)
    if len(onsets) == 0 or onsets[0] > 0:
        onsets = np.concatenate(([0], onsets))
        sizes = np.concatenate(([Meter().bar_ticks], sizes))
    keep = onsets < max(length, 1)
    onsets, sizes = onsets[keep], sizes[keep]
    ends = np.append(onsets[1:], max(length, 1))
    lines = [np.arange(start, end, size) for start, end, size in zip(onsets, ends, sizes, strict=True)]
    last = lines[-1][-1] + sizes[-1]
    return np.concatenate([*lines, [last]])


def bar_of(ticks: NDArray[np.int64], lines: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the bar (from 0) in which each tick lies, given `bar_lines`; past the end, the last bar."""
    return np.clip(np.searchsorted(lines, ticks, side="right") - 1, 0, len(lines) - 2)

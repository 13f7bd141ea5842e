"""Where the measures of a MusicXML score begin, and which meters make bar lines fall there.

The rules are in the docstring of `woodshed.formats.musicxml`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.formats.musicxml_walk import PartEvents
from woodshed.music.meter import Meter


@dataclass(frozen=True)
class Bars:
    """Where each measure begins."""

    starts: NDArray[np.int64]
    """(measures + 1,) ticks."""
    meters: list[tuple[int, int, int]]
    """Rows for ``Song.meters``."""

    def place(self, rows: Any) -> list[tuple[Any, ...]]:
        """Events (measure, start, ...) -> (onset, ...)."""
        return [(int(self.starts[row[0]]) + row[1], *row[2:]) for row in rows]


def lay_bars(parts: Sequence[PartEvents], oddities: Counter[str]) -> Bars:
    """Where each measure of the score begins; measures that do not fit are counted in ``oddities``."""
    count = max((len(part.lengths) for part in parts), default=0)
    changes = {row[0]: Meter(*row[1:]) for part in reversed(parts) for row in part.meters}
    lengths = _lengths(parts, count, changes, oddities)
    starts: list[int] = []
    meters: list[tuple[int, int, int]] = []
    meter, tick, measure = Meter(), 0, 0
    while measure < count:
        meter = changes.get(measure, meter)
        held = [length or meter.bar_ticks for length in _group(lengths, measure, changes, meter.bar_ticks)]
        is_last = measure + len(held) == count
        fitting, bar = _fit(sum(held), meter, is_upbeat=measure == 0 and not is_last, is_last=is_last)
        oddities["irregular-bars"] += fitting != meter
        oddities["padded-bars"] += bar > sum(held) and measure > 0
        if not meters or meters[-1][1:] != (fitting.numerator, fitting.denominator):
            meters.append((tick, fitting.numerator, fitting.denominator))
        first = tick + (bar - sum(held) if measure == 0 else 0)
        starts += [first + sum(held[:index]) for index in range(len(held))]
        tick, measure = tick + bar, measure + len(held)
    return Bars(np.array([*starts, tick], np.int64), meters)


def _lengths(parts: Sequence[PartEvents], count: int, changes: dict[int, Meter], oddities: Counter[str]) -> list[int]:
    """Ticks that each measure holds, rests past the end of the bar cut off; 0 where it holds nothing."""
    lengths, meter = [], Meter()
    for measure in range(count):
        meter = changes.get(measure, meter)
        held = [part.lengths[measure] for part in parts if measure < len(part.lengths)]
        notes, everything = max(row[0] for row in held), max(row[1] for row in held)
        lengths.append(max(notes, min(everything, meter.bar_ticks)))
        oddities["long-rests"] += everything > lengths[-1]
    return lengths


def _group(lengths: list[int], first: int, changes: dict[int, Meter], bar: int) -> list[int]:
    """The lengths of the measures from ``first`` on that make up one bar; a single one where none do."""
    total = 0
    for end in range(first, len(lengths)):
        if end > first and (end in changes or not lengths[end]):
            break
        total += lengths[end]
        if total == bar:
            return lengths[first : end + 1]
        if total > bar or not lengths[end]:
            break
    return lengths[first : first + 1]


def _fit(length: int, meter: Meter, *, is_upbeat: bool, is_last: bool) -> tuple[Meter, int]:
    """The meter for a measure that holds ``length`` ticks, and how many ticks it takes up."""
    if length == meter.bar_ticks or (is_upbeat and length < meter.bar_ticks):
        return meter, meter.bar_ticks
    if is_last and length < meter.bar_ticks:
        return meter, length
    for denominator in (meter.denominator, 4, 8, 16, 32, 2, 1):
        numerator, rest = divmod(length * denominator, 1920)
        if not rest and 1 <= numerator <= 64:
            return Meter(numerator, denominator), length
    whole = math.ceil(length / meter.bar_ticks) * meter.bar_ticks
    return meter, whole

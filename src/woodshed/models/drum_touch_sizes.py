"""Sizes and numbers of a `drum_touch.DrumTouch`; what plays it without torch reads them too."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

QUANTILES = (0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95)
MEDIAN = QUANTILES.index(0.5)
DILATIONS = (1, 2, 4, 8, 16, 32, 64)
TEMPI, SLOWEST, FASTEST, TEMPO_WIDTH = 10, 50.0, 250.0, 0.15
"""Tempi, in quarter notes per minute, nearness of whose logarithms to which is told."""
KINDS, PLACES, WHERE = 9, 16, 4
FIELDS = 2
"""Lateness in ms, and velocity."""
UNIT = 20.0, 25.0
MIDDLE = -9.0, 64.0
"""Of both fields: a usual error, and a usual value; where learning starts."""
EPSILON = 1e-5


LOG_TEMPI = tuple(math.log(SLOWEST) + k * (math.log(FASTEST) - math.log(SLOWEST)) / (TEMPI - 1) for k in range(TEMPI))
MOST_WIDTH, MOST_PADS = 1024, 128


@dataclass(frozen=True)
class DrumTouchConfig:
    """Sizes of a `DrumTouch`."""

    pitches: tuple[int, ...]
    """Pads that are told apart beside the nine kinds of drum."""
    width: int = 96

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MOST_WIDTH:
            raise ValueError(f"width {self.width} is outside 1-{MOST_WIDTH}; 96 is usual")
        if len(self.pitches) > MOST_PADS or not all(0 <= pitch < 128 for pitch in self.pitches):
            raise ValueError("pads are MIDI pitches, 0-127, each once")

    @property
    def rows(self) -> int:
        """R"""
        return KINDS + len(self.pitches) + PLACES + WHERE

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of each tensor."""
        w, out = self.width, FIELDS * KINDS * len(QUANTILES)
        found: dict[str, tuple[int, ...]] = {"begin.weight": (w, self.rows + TEMPI, 3), "begin.bias": (w,)}
        for block in range(len(DILATIONS)):
            name = f"blocks.{block}"
            found |= {f"{name}.norm.weight": (w,), f"{name}.norm.bias": (w,)}
            found |= {f"{name}.wide.weight": (w, w, 3), f"{name}.wide.bias": (w,)}
            found |= {f"{name}.mix.weight": (w, w, 1), f"{name}.mix.bias": (w,)}
        found |= {"whole.weight": (w, w), "whole.bias": (w,), "norm.weight": (w,), "norm.bias": (w,)}
        return found | {"end.weight": (out, w, 1), "end.bias": (out,)}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

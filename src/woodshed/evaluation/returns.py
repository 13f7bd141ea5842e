"""How much of a song comes back after something else, and how much merely loops: see `music.returns` for the words."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.music import Song
from woodshed.music.form import find_form
from woodshed.music.returns import find_loops, find_returns, sounding_bars


@dataclass(frozen=True)
class Returns:
    """The figures of one song; bars are counted from the first to the last in which a note starts."""

    bars: int
    """How many bars."""
    returned: float
    """0-1: share of bars that belong to a return."""
    returns: int
    """How many stretches of bars return, each from one place."""
    distance: float
    """Mean over bars that return: bars back to where they stood; 0 if none returns."""
    looped: float
    """0-1: share of bars that belong to a loop, its first time round left out."""
    longest_loop: int
    """Bars: the longest stretch of such bars."""
    new: float
    """0-1: share of bars that belong to neither."""
    sections: int
    """How many sections `music.form.find_form` hears: by harmony and by who plays, so variation is allowed."""
    kinds: int
    """How many different ones."""

    def as_dict(self) -> dict[str, float]:
        """Name -> figure, in the order above."""
        return asdict(self)


def measure_returns(song: Song) -> Returns:
    """All figures of one song; one without notes has only zeros."""
    first, end = sounding_bars(song)
    bars = end - first
    if not bars:
        return Returns(0, 0.0, 0, 0.0, 0.0, 0, 0.0, 0, 0)
    back, looped = find_returns(song)[first:end], find_loops(song)[first:end]
    form = find_form(song)
    return Returns(
        bars=bars,
        returned=float((back > 0).mean()),
        returns=int(((back > 0) & (back != np.append(0, back[:-1]))).sum()),
        distance=float(back[back > 0].mean()) if back.any() else 0.0,
        looped=float(looped.mean()),
        longest_loop=_longest(looped),
        new=float(((back == 0) & ~looped).mean()),
        sections=len(form),
        kinds=len({section.name for section in form}),
    )


def _longest(flags: NDArray[np.bool_]) -> int:
    """The longest run of true ones."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
    return int(np.diff(edges)[::2].max(initial=0))

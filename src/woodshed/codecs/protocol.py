"""What every codec offers: songs to integer arrays and back, with each id named."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from woodshed.music import Song


class Codec(Protocol):
    """Turns a `Song` into integers for a model, and back.

    A *skeleton* is a song whose notes do not matter: its parts, tempo, meter and key are what the
    integers leave out, and `decode` takes them from there.
    """

    name: str
    """Names the codec in a bundle's config."""
    version: int
    """Raised whenever the meaning of an id changes; a bundle of another version is refused."""

    def encode(self, song: Song) -> NDArray[np.int64]:
        """The song as integers, one row per event."""
        ...

    def decode(self, rows: NDArray[np.int64], skeleton: Song) -> Song:
        """The song that the integers stand for; ``decode(encode(song), song)`` is ``snap(song)``."""
        ...

    def snap(self, song: Song) -> Song:
        """The nearest song that survives `encode` and `decode` unchanged."""
        ...

    def describe(self, field: str, symbol: int) -> str:
        """What one id of one field means, in words."""
        ...

    def config(self) -> dict[str, Any]:
        """All that is needed to build the same codec again, as JSON."""
        ...

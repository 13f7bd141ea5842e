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

    def field_sizes(self) -> dict[str, int]:
        """Field -> how many ids it has."""
        ...

    def config(self) -> dict[str, Any]:
        """All that is needed to build the same codec again, as JSON."""
        ...


class EventCodec(Codec, Protocol):
    """A codec whose integers are one sequence of events, each of which a model names by a *label*.

    What a model sees before each event is a vector of ``inputs`` numbers, 0 or 1, of which at most ``active`` are 1.
    """

    inputs: int
    """Width of that vector."""
    labels: int
    """How many labels there are."""
    active: int
    """K, the most inputs that are on at once."""

    def arrange(self, song: Song) -> Song:
        """The song as this codec hears it, such as its melody alone; `CodecError` if there is none."""
        ...

    def transposition(self, song: Song) -> int:
        """Semitones by which `arrange` moved the song; moving back by as many gives its own key."""
        ...

    def steps_per_bar(self, song: Song) -> int:
        """Events in a bar of the song's meter."""
        ...

    def look(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(N + 1, K) the inputs that are on before each event and after the last, -1 for none; row t reads [:t]."""
        ...

    def targets(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(N,) the label of each event, given those before it."""
        ...

    def event(self, label: int, past: NDArray[np.int64], steps_per_bar: int) -> int:
        """The event that a label stands for after ``past`` (t,)."""
        ...

    def look_next(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(K,) the last row of `look`, at the same cost however long the past is."""
        ...

    def allowed(self, past: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.bool_]:
        """(labels,) what may come after ``past`` (t,)."""
        ...

    def notes(self, events: NDArray[np.int64]) -> int:
        """How many notes start in these events."""
        ...

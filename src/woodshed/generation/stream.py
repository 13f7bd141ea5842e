"""Music without end, bar by bar, from a *station*: a model that was tuned to one line-up, tempo and meter.

A station is a value: `Station.play` draws the next bar and gives the station after it, and leaves itself as it was, so
that a bar can be drawn again. `endless` draws bars, never one that completes eight bars that were heard before, and
hardly ever one of many that are alike; and hands each over as soon as its notes are known to their ends.

Whatever a station remembers is bounded, so no bar takes more time or room than another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import InfeasibleCanvas, LimitExceeded
from woodshed.generation.filters import Sampling
from woodshed.generation.finish import shorten
from woodshed.generation.unheard import Standstill, Unheard, bar_cells, bar_hash
from woodshed.music import NOTE, Part, Song

EARLY_TICKS = 20
"""A note may start so much before its bar: musicians do."""
BARS_HELD = 4
"""A note that begins in one bar ends at the end of the fourth at the latest."""
ATTEMPTS, GENTLE = 32, 8
"""So often is a bar drawn before the bundle is said to know nothing else, and so often before all else gives way."""
WARMER, HOTTEST = 1.1, 6
"""Each time a bar is drawn again the temperature is multiplied by this, and so often at the most; it cools slowly."""
COOLING = 0.75
NOTHING: NDArray[Any] = np.zeros(0, NOTE)


class Drawn(NamedTuple):
    """One bar as a station plays it. Onsets count from the bar line, and may be `EARLY_TICKS` before it."""

    notes: NDArray[Any]
    """`NOTE` rows that start in this bar. One that reaches its end may go on in the next."""
    rings: NDArray[Any] = NOTHING
    """`NOTE` rows at onset 0: notes of the bar before that reached its end, and for how long they go on."""


class Station(Protocol):
    """A model at a bar line."""

    @property
    def frame(self) -> Song:
        """One empty bar, with the parts, tempo, meter and key of all."""
        ...

    def play(self, sampling: Sampling, rng: np.random.Generator, attempt: int) -> tuple[Drawn, Station]:
        """The next bar and the station after it. ``attempt`` counts how often this bar was drawn already.

        Raises:
            LimitExceeded: if what is drawn is no bar.
        """
        ...


@dataclass(frozen=True)
class Bar:
    """A bar that was played, and will not change any more."""

    number: int
    """From 1."""
    start: int
    """Tick of its bar line from the start of the stream."""
    start_seconds: float
    notes: NDArray[Any]
    """`NOTE` rows; onsets count from the bar line, and may be `EARLY_TICKS` before it (not in the first bar). They may
    end up to `BARS_HELD` - 1 bars later. No two notes of one part and pitch sound at once, in the whole stream."""
    attempts: int
    """How often it was drawn: more than once, if it would have repeated eight bars, or stood still."""


def endless(station: Station, sampling: Sampling, seed: int, polyphony: int | None = None) -> Iterator[Bar]:
    """Bars for ever. The same station, sampling and seed give the same bars.

    Raises:
        InfeasibleCanvas: when the bundle finds no bar that is not a repetition.
    """
    chooser, holder = _Chooser(sampling, seed), _Holder(station.frame, polyphony)
    for number in count():
        drawn, station, attempts = chooser.next(station, number)
        yield from holder.take(drawn, attempts)


class _Chooser:
    """Draws each bar until it may be played."""

    def __init__(self, sampling: Sampling, seed: int) -> None:
        self.sampling, self.seed = sampling, seed
        self.unheard, self.standstill = Unheard(), Standstill()
        self.warmth = 0.0
        """What is left of how much warmer the bars before had to be drawn, so that a loop is left for good."""

    def next(self, station: Station, number: int) -> tuple[Drawn, Station, int]:
        """A bar that completes no window that was heard, and, if a few attempts find one, that goes on from the last.

        Raises:
            InfeasibleCanvas: if no attempt finds one that is new.
        """
        endless_bar = None
        for attempt in range(ATTEMPTS):
            rng = np.random.default_rng([self.seed, number, attempt])
            try:
                drawn, after = station.play(self._sampling(attempt), rng, attempt)
            except LimitExceeded as error:
                endless_bar = error
                continue
            cells = bar_cells(drawn.notes)
            key = bar_hash(cells)
            if self.unheard.is_new(key) and (attempt >= GENTLE or not self.standstill.is_stuck(cells)):
                self.unheard.add(key)
                self.standstill.add(cells)
                self.warmth = COOLING * (self.warmth + min(attempt, GENTLE))
                return drawn, after, attempt + 1
        if endless_bar is not None:
            raise InfeasibleCanvas(f"bar {number + 1}: {endless_bar}") from endless_bar
        raise InfeasibleCanvas(
            f"bar {number + 1}: nothing was drawn in {ATTEMPTS} attempts but what was played before; "
            "widen the range or the key, or raise the temperature"
        )

    def _sampling(self, attempt: int) -> Sampling:
        """Freer with each attempt; after the gentle ones, whatever is possible may be drawn."""
        sampling, warmth = self.sampling, self.warmth + attempt
        if warmth < 0.1:
            return sampling
        factor = WARMER ** min(warmth, HOTTEST) * (1.25 ** max(attempt - GENTLE + 1, 0))

        def more(temperature: float) -> float:
            return float(min(max(temperature, 0.5 if attempt else 0.0) * factor, 5.0))

        fields = {name: more(value) for name, value in sampling.temperatures.items()}
        freer = replace(
            sampling,
            temperature=more(sampling.temperature),
            temperatures=fields,
            repetition=sampling.repetition / (1 + warmth),
        )
        return freer if attempt < GENTLE else replace(freer, top_k=0, top_p=1.0, min_p=0.0)


class _Holder:
    """Holds bars back until all of their notes are known to their ends."""

    def __init__(self, frame: Song, polyphony: int | None) -> None:
        self.bar_ticks = frame.meter.bar_ticks
        self.bar_seconds = float(frame.seconds(self.bar_ticks))
        parts = len(frame.parts)
        is_drum = np.array([part.is_drum for part in frame.parts], bool)
        self.most = np.where(is_drum, 1 << 20, polyphony or 1 << 20)
        self.notes = NOTHING
        """All that is held, onsets counted from the latest bar line."""
        self.owner = np.zeros(0, np.int64)
        """The bar of each."""
        self.waiting: list[tuple[int, int]] = []
        """Number from 0, and attempts, of each bar that is held."""
        self.silent_from = np.full((parts, 128), -(1 << 40))
        """From which tick after the latest bar line on a pitch is free, as far as notes that were let go say."""
        self.drawn = 0

    def take(self, drawn: Drawn, attempts: int) -> Iterator[Bar]:
        """Take in the next bar; gives those that are ready."""
        self.notes["onset"] -= self.bar_ticks
        self.silent_from -= self.bar_ticks
        self._ring(drawn.rings)
        new = self._placed(drawn.notes)
        self.notes = np.concatenate((self.notes, new))
        self.owner = np.concatenate((self.owner, np.full(len(new), self.drawn)))
        self.waiting.append((self.drawn, attempts))
        self.drawn += 1
        self._shorten()
        while self.waiting and self._is_ready(self.waiting[0][0]):
            yield self._let_go(*self.waiting.pop(0))

    def _ring(self, rings: NDArray[Any]) -> None:
        """Notes that reach the bar line go on."""
        for ring in rings:
            ends = self.notes["onset"] + self.notes["duration"]
            same = (self.notes["part"] == ring["part"]) & (self.notes["pitch"] == ring["pitch"]) & (ends == 0)
            self.notes["duration"][same] += ring["duration"]

    def _placed(self, notes: NDArray[Any]) -> NDArray[Any]:
        """The bar's notes in order, none before the stream begins or while the same pitch still sounds."""
        notes = notes.copy()
        earliest = self.silent_from[notes["part"], notes["pitch"]]
        earliest = np.maximum(earliest, -EARLY_TICKS if self.drawn else 0)
        late = np.maximum(earliest - notes["onset"], 0)
        notes["onset"] += late
        notes["duration"] = np.maximum(notes["duration"] - late, 1)
        notes["duration"] = np.minimum(notes["duration"], BARS_HELD * self.bar_ticks - notes["onset"])
        return notes

    def _shorten(self) -> None:
        """No pitch sounds twice at once in a part, and no part has more notes at once than it may."""
        order = np.lexsort((self.notes["pitch"], self.notes["onset"], self.notes["part"]))
        self.notes, self.owner = self.notes[order], self.owner[order]
        for part in np.unique(self.notes["part"]).tolist():
            low, high = np.searchsorted(self.notes["part"], (part, part + 1))
            self.notes[low:high] = shorten(self.notes[low:high], int(self.most[part]))

    def _is_ready(self, bar: int) -> bool:
        """Whether nothing that is drawn from now on can change its notes."""
        own = self.notes[self.owner == bar]
        last = int((own["onset"] + own["duration"]).max(initial=0))
        return last <= self.bar_ticks - EARLY_TICKS or self.drawn - bar >= BARS_HELD

    def _let_go(self, bar: int, attempts: int) -> Bar:
        own = self.owner == bar
        notes = np.sort(self.notes[own], order=("onset", "part", "pitch"))
        self.notes, self.owner = self.notes[~own], self.owner[~own]
        ends = notes["onset"] + notes["duration"]
        np.maximum.at(self.silent_from, (notes["part"], notes["pitch"]), ends)
        notes["onset"] += (self.drawn - 1 - bar) * self.bar_ticks
        return Bar(bar + 1, bar * self.bar_ticks, bar * self.bar_seconds, notes, attempts)


def last_bar(song: Song, parts: Sequence[Part] | None = None) -> Song:
    """One empty bar in the tempo, meter and key that the song ends with, for its parts or others."""
    tables = {}
    for name in ("tempos", "meters", "keys"):
        table = getattr(song, name)[-1:].copy()
        table["onset"] = 0
        tables[name] = table
    frame = Song(parts=song.parts if parts is None else tuple(parts), **tables)
    return frame.replace(length=frame.meter.bar_ticks)

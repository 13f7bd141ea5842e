"""Batches of event sequences, such as melodies: windows of events with what is seen before each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from woodshed.codecs import EventCodec
from woodshed.errors import CorpusError
from woodshed.music import Song
from woodshed.training.examples import Augmentation
from woodshed.training.lessons import Loss

SONG_START = 0.25
"""Chance that a window is the beginning of its song."""
UNSCORED = -1


class EventBatch(NamedTuple):
    """B windows of T events; short ones are padded."""

    active: NDArray[np.int64]
    """(B, T, K) inputs that are on, -1 none."""
    labels: NDArray[np.int64]
    """(B, T), -1 where a short window was padded."""
    notes: int


class EventLessons:
    """Random windows, each starting at a bar line of a song; songs weigh as many events as they have.

    What is seen before the first event of a window is what was seen in the song, so that inputs which look bars back
    are never cut off; the model's own state starts empty.
    """

    def __init__(self, codec: EventCodec, songs: Sequence[Song], batch: int, length: int, vary: Augmentation) -> None:
        self.codec, self.batch, self.length = codec, batch, length
        heard = [codec.arrange(song) for song in songs if len(song)]
        if not heard:
            raise CorpusError("there is no song with notes to learn from; look at the files with `woodshed doctor`")
        bars = [codec.steps_per_bar(song) for song in heard]
        events = [codec.encode(song) for song in heard]
        self.bars = bars
        self.events = events
        self.active = [codec.look(sequence, bar)[:-1] for sequence, bar in zip(events, bars, strict=True)]
        self.labels = [codec.targets(sequence, bar) for sequence, bar in zip(events, bars, strict=True)]
        weights = np.array([len(sequence) for sequence in events], float)
        self.chances = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> EventBatch:
        """One batch; the generator is the only source of chance."""
        shape = (self.batch, self.length)
        active = np.full((*shape, self.codec.active), -1, np.int64)
        labels, notes = np.full(shape, UNSCORED, np.int64), 0
        for row, song in enumerate(rng.choice(len(self.labels), self.batch, p=self.chances)):
            start = self._start(song, rng)
            span = slice(start, start + self.length)
            piece = self.labels[song][span]
            active[row, : len(piece)], labels[row, : len(piece)] = self.active[song][span], piece
            notes += self.codec.notes(self.events[song][span])
        return EventBatch(active, labels, notes)

    def _start(self, song: int, rng: np.random.Generator) -> int:
        bars = max(len(self.labels[song]) - self.length, 0) // self.bars[song] + 1
        return 0 if rng.random() < SONG_START else int(rng.integers(bars)) * self.bars[song]

    def loss(self, model: Any, batch: EventBatch, device: torch.device) -> Loss:
        """Nats of all events."""
        labels = torch.from_numpy(batch.labels).to(device)
        logits = model(torch.from_numpy(batch.active).to(device))
        nats = F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=UNSCORED, reduction="sum")
        return Loss(nats, int((batch.labels != UNSCORED).sum()), batch.notes)

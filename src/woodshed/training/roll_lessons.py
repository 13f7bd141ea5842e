"""Batches of binary rolls: windows of rows with what is known beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from woodshed.errors import CorpusError
from woodshed.music import Song
from woodshed.training.lessons import Loss

SONG_START = 0.25
"""Chance that a window is the beginning of its song."""


class RollBatch(NamedTuple):
    """B windows of T rows; short ones are padded with zeros."""

    given: NDArray[np.float32]
    """(B, T, G) what is known beside each row."""
    roll: NDArray[Any]
    """(B, T, C) cells, as the codec gives them."""
    scored: NDArray[np.float32]
    """(B, T) 0 where a short window was padded."""
    notes: int


class RollLessons:
    """Random windows, each starting at a bar line of a song with an empty state; songs weigh as many rows as they have.

    A row of a window that starts within a song is judged from the second on: the row before the first is not heard.
    """

    def __init__(self, codec: Any, songs: Sequence[Song], batch: int, length: int) -> None:
        self.codec, self.batch, self.length = codec, batch, length
        heard = [codec.arrange(song) for song in songs if len(song)]
        if not heard:
            raise CorpusError("there is no song with notes to learn from; look at the files with `woodshed doctor`")
        self.bars = [codec.steps_per_bar(song) for song in heard]
        rows = [codec.rows(song) for song in heard]
        self.given, self.rolls = [pair[0] for pair in rows], [pair[1] for pair in rows]
        self.starts = [codec.starts(roll) for roll in self.rolls]
        weights = np.array([len(roll) for roll in self.rolls], float)
        self.chances = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> RollBatch:
        """One batch; the generator is the only source of chance."""
        shape, notes = (self.batch, self.length), 0
        given = np.zeros((*shape, self.codec.given), np.float32)
        roll = np.zeros((*shape, self.codec.cells), self.rolls[0].dtype)
        scored = np.zeros(shape, np.float32)
        for row, song in enumerate(rng.choice(len(self.rolls), self.batch, p=self.chances)):
            start = self._start(song, rng)
            span = slice(start, start + self.length)
            piece = self.rolls[song][span]
            given[row, : len(piece)], roll[row, : len(piece)] = self.given[song][span], piece
            scored[row, int(start > 0) : len(piece)] = 1
            notes += int(self.starts[song][span].sum())
        return RollBatch(given, roll, scored, notes)

    def _start(self, song: int, rng: np.random.Generator) -> int:
        bars = max(len(self.rolls[song]) - self.length, 0) // self.bars[song] + 1
        return 0 if rng.random() < SONG_START else int(rng.integers(bars)) * self.bars[song]

    def loss(self, model: Any, batch: RollBatch, device: torch.device) -> Loss:
        """Nats of all cells; a mean is one of rows."""
        given, roll, scored = (torch.from_numpy(part).to(device) for part in batch[:3])
        nats = model.nats(given, roll)
        return Loss((nats.sum(-1) * scored).sum(), int(batch.scored.sum()), batch.notes)

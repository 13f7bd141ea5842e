"""A station that sings chorales, one after another: where the model would end one, the next begins with a bar."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.codecs.chorale_frames import LOWEST, TIED, sung_notes
from woodshed.generation.filters import Sampling
from woodshed.generation.harmonise import Score, Sung, sing_on
from woodshed.generation.stream import Drawn
from woodshed.music import NOTE, Song


@dataclass(frozen=True)
class VoiceStation:
    """A choir at a bar line."""

    frame: Song
    bundle: Bundle
    score: Score
    """One bar in which all is open."""
    particles: int
    parallels: float
    move: int
    """Semitones from the pitches that the model sings to those that are heard."""
    sung: Sung | None = None
    """None where a chorale begins."""

    def play(self, sampling: Sampling, rng: np.random.Generator, attempt: int) -> tuple[Drawn, VoiceStation]:
        """A bar of four voices."""
        frames, sung = sing_on(
            self.bundle, self.score, sampling, rng, self.sung, particles=self.particles, parallels=self.parallels
        )
        notes = sung_notes(frames.tokens)
        notes["pitch"] += self.move
        ends = rng.random() < sung.chance_of_end
        return Drawn(notes, self._rings(frames.tokens)), replace(self, sung=None if ends else sung)

    def _rings(self, tokens: NDArray[np.int64]) -> NDArray[np.void]:
        """What the voices hold on to from the bar before."""
        rings = np.zeros(4, NOTE)
        rings["part"], rings["velocity"] = np.arange(4), 1
        held = (tokens >= TIED) & (tokens == tokens[0])
        steps = np.where(held.all(0), len(tokens), held.argmin(0))
        rings["pitch"], rings["duration"] = tokens[0] - TIED + LOWEST + self.move, steps * self._step_ticks
        return rings[steps > 0]

    @property
    def _step_ticks(self) -> int:
        return self.frame.length // len(self.score.tokens)

"""Our own SoundFont player for music that comes bar by bar: what sounds over a bar line sounds on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music import NOTE, Song
from woodshed.rendering.effects import TAIL_SECONDS, Chorus, Reverb
from woodshed.rendering.performance import part_controls
from woodshed.rendering.soundfont import SoundFont
from woodshed.rendering.synth import Voice, plan_voices
from woodshed.rendering.tone import ToneCache

BLOCK_SAMPLES = 1 << 15
MOST_RING_SECONDS = 10.0
"""At the end, the last notes may ring so long."""


class SynthStream:
    """Plays bars; memory holds two of them, the sounding voices and the tones.

    A bar is heard once the next is known, for a hi-hat that is opened at its end is closed by the next one's.
    """

    def __init__(self, frame: Song, font: SoundFont, sample_rate: int, early_ticks: int) -> None:
        self.frame, self.font, self.sample_rate, self.early_ticks = frame, font, sample_rate, early_ticks
        self.bar_ticks = frame.meter.bar_ticks
        self.samples_per_tick = float(frame.seconds(1 << 20)) / (1 << 20) * sample_rate
        self.controls = {part: part_controls(frame, part, sample_rate) for part in range(len(frame.parts))}
        self.tones = ToneCache(font, sample_rate)
        self.reverb, self.chorus = Reverb(sample_rate), Chorus(sample_rate)
        self.notes: NDArray[Any] = np.zeros(0, NOTE)
        """Not yet planned; onsets count from ``from_tick``."""
        self.from_tick = -early_ticks
        self.bars = 0
        self.done = 0
        """Samples made so far."""
        self.waiting: list[Voice] = []
        """Voices that have not begun, in the order in which they do."""
        self.active: list[Voice] = []

    def add(self, notes: NDArray[Any]) -> Iterator[NDArray[np.float32]]:
        """A bar of `NOTE` rows, onsets from its bar line; gives blocks (samples, 2) as far as all is known."""
        moved = notes.copy()
        moved["onset"] += self.bars * self.bar_ticks - self.from_tick
        self.notes = np.concatenate((self.notes, moved))
        self.bars += 1
        if self.bars > 1:
            self._plan((self.bars - 1) * self.bar_ticks - self.early_ticks)
            yield from self._blocks(self._sample(self.from_tick))

    def end(self) -> Iterator[NDArray[np.float32]]:
        """The rest, and what rings on."""
        self._plan(self.bars * self.bar_ticks + 1)
        voices = [*self.active, *self.waiting]
        end = max([voice.end for voice in voices], default=self.done)
        end = min(end, self._sample(self.bars * self.bar_ticks) + round(MOST_RING_SECONDS * self.sample_rate))
        yield from self._blocks(end + round(TAIL_SECONDS * self.sample_rate))
        if voices:
            yield self._block(max(end + round(TAIL_SECONDS * self.sample_rate) - self.done, 1))

    def _sample(self, tick: int) -> int:
        """The output sample at which a tick falls."""
        return round(tick * self.samples_per_tick)

    def _plan(self, until: int) -> None:
        """Turn the notes that start before a tick into voices, with those after it in sight."""
        notes = np.sort(self.notes, order=("onset", "part", "pitch"))
        ends = int((notes["onset"] + notes["duration"]).max(initial=0))
        plan = plan_voices(self.frame.replace(notes=notes, length=max(ends, 1)), self.font, self.sample_rate)
        plan = replace(plan, start=plan.start + self._sample(self.from_tick))
        last = int(np.searchsorted(plan.start, self._sample(until)))
        self.waiting += [Voice(plan, row, self.controls, self.tones, self.sample_rate) for row in range(last)]
        self.notes = notes[notes["onset"] >= until - self.from_tick]
        self.notes["onset"] -= until - self.from_tick
        self.from_tick = until

    def _blocks(self, until: int) -> Iterator[NDArray[np.float32]]:
        """Whole blocks up to a sample: the reverb is fastest where all are of one size."""
        while self.done + BLOCK_SAMPLES <= until:
            yield self._block(BLOCK_SAMPLES)

    def _block(self, size: int) -> NDArray[np.float32]:
        """The next samples."""
        end = self.done + size
        begun = sum(voice.start < end for voice in self.waiting)
        self.active += self.waiting[:begun]
        del self.waiting[:begun]
        mix = np.zeros((4, size), np.float32)
        for voice in self.active:
            voice.add_to(mix, self.done)
        self.active = [voice for voice in self.active if voice.end > end]
        self.done = end
        self.tones.trim()
        mix[:2] += self.reverb.run(mix[2]) + self.chorus.run(mix[3])
        return np.ascontiguousarray(mix[:2].T)

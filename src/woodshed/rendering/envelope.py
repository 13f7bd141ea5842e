"""Envelopes and oscillators of a voice, in closed form: the value at any sample, as vectors.

Time is in output samples from the start of the note. Lengths come from the SoundFont in timecents (1200 to the
doubling, 0 = 1 second). Levels follow FluidSynth: the full fall of a volume envelope is 96 dB.

Source: SoundFont Technical Specification 2.04, 8.1.2 and 9.1.7; FluidSynth 2.3, fluid_adsr_env and fluid_voice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.rendering.soundfont import Region

FALL_DB = 96.0
"""From the peak of a volume envelope to silence."""
SHORTEST_RELEASE_TIMECENTS = -7200
"""About 16 ms: shorter releases click."""


def timecents_to_samples(timecents: float, sample_rate: float) -> float:
    """Length in samples; -12000 and below means none."""
    return 0.0 if timecents <= -12000 else float(2.0 ** (min(timecents, 8000) / 1200.0)) * sample_rate


def cents_to_hertz(cents: float) -> float:
    """Absolute cents, 6900 = 440 Hz."""
    return float(8.1757989 * 2.0 ** (cents / 1200.0))


@dataclass(frozen=True)
class Envelope:
    """Delay, attack, hold, decay, sustain, release; lengths in samples."""

    delay: float
    attack: float
    hold: float
    decay: float
    """For the whole way from 1 to 0; it stops at ``sustain``."""
    sustain: float
    """Level 0-1 of the whole way, not an amplitude."""
    release: float
    """For the whole way from 1 to 0."""

    @classmethod
    def of(cls, region: Region, first: int, pitch: int, sample_rate: float) -> Envelope:
        """Read the eight generators from ``first`` on (`MOD_ENVELOPE` or `VOLUME_ENVELOPE`) for a pitch."""
        hold = region[first + 2] + region[first + 6] * (60 - pitch)
        decay = region[first + 3] + region[first + 7] * (60 - pitch)
        return cls(
            delay=timecents_to_samples(region[first], sample_rate),
            attack=timecents_to_samples(region[first + 1], sample_rate),
            hold=timecents_to_samples(hold, sample_rate),
            decay=timecents_to_samples(decay, sample_rate),
            sustain=1.0 - min(max(region[first + 4], 0), 1000) / 1000.0,
            release=timecents_to_samples(max(region[first + 5], SHORTEST_RELEASE_TIMECENTS), sample_rate),
        )

    def end(self, audible_db: float) -> float:
        """Sample at which a held note has fallen by ``audible_db``; infinite where it sustains above that."""
        share = min(audible_db / FALL_DB, 1.0)
        falls = self.delay + self.attack + self.hold + self.decay * share
        return falls if 1.0 - self.sustain >= min(share, 0.99) else float("inf")

    def attack_at(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the attack has come, 0-1."""
        return np.asarray(np.clip((samples - self.delay) / max(self.attack, 1e-9), 0.0, 1.0), np.float64)

    def fall_at(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far hold and decay have fallen from 1, at most to the sustain level."""
        since = np.maximum(samples - (self.delay + self.attack + self.hold), 0.0)
        return np.minimum(since / max(self.decay, 1e-9), 1.0 - self.sustain)

    def amplitude(self, first: int, count: int) -> NDArray[np.float32]:
        """As a volume envelope over a stretch of samples: a straight attack, then a straight fall in decibels."""
        shape = np.ones(count, np.float32)
        risen = min(max(math.ceil(self.delay + self.attack) - first, 0), count)
        shape[:risen] = self.attack_at(np.arange(first, first + risen, dtype=np.float64))
        falls = min(max(math.ceil(self.delay + self.attack + self.hold) - first, 0), count)
        if self.sustain < 1.0 and falls < count:
            fall = self.fall_at(np.arange(first + falls, first + count, dtype=np.float64)).astype(np.float32)
            fall *= np.float32(-FALL_DB / 20.0 * math.log(10.0))
            shape[falls:] = np.exp(fall, out=fall)
        return shape

    def level_at(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """As a modulation envelope, 0-1: a convex attack, then a straight fall."""
        risen = 1.0 + 400.0 / 960.0 * np.log10(np.maximum(self.attack_at(samples), 1e-9))
        return np.clip(risen, 0.0, 1.0) * (1.0 - self.fall_at(samples))


@dataclass(frozen=True)
class Oscillator:
    """A triangle from -1 to 1 that starts at 0 after a delay."""

    delay: float
    """Samples."""
    cycles_per_sample: float

    @classmethod
    def of(cls, region: Region, first: int, sample_rate: float) -> Oscillator:
        """Read two generators, `MOD_LFO_DELAY` or `VIBRATO_DELAY` and the one after it."""
        delay = timecents_to_samples(region[first], sample_rate)
        return cls(delay, cents_to_hertz(region[first + 1]) / sample_rate)

    def at(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """The value at each sample."""
        phase = np.maximum(samples - self.delay, 0.0) * self.cycles_per_sample
        value: NDArray[np.float64] = np.abs(4.0 * ((phase + 0.75) % 1.0) - 2.0) - 1.0
        return value

"""Tones: one sample of a SoundFont played at one pitch, with its loop, its pitch modulation and its filter.

A tone is what a note sounds like before its loudness, its place and its end are known, so that all notes of one
pitch on one instrument share one tone. `Stream` makes its samples one stretch after another; `Tone` keeps them.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.rendering import soundfont as sf
from woodshed.rendering.envelope import FALL_DB, Envelope, Oscillator, cents_to_hertz
from woodshed.rendering.soundfont import Region, SoundFont

CONTROL_SAMPLES = 64
"""Pitch and filter move in steps of this many samples, as in FluidSynth."""
LONGEST_KEPT_SECONDS = 8.0
"""What a tone keeps of itself; a longer note goes on by itself from there."""
GROWTH_SAMPLES = 1 << 17
"""A tone grows to twice its length, but by no more than this."""
CACHE_BYTES = 192 << 20
"""What all tones keep together, roughly; the one that was not heard for longest goes first."""

FASTEST = 64.0
"""Frames of the wave per sample at most: six octaves above the pitch at which it was recorded."""
ENDLESS = 1 << 60
"""Samples of a note that never dies away by itself."""
FILTER_STEP_CENTS = 50.0
"""A moving cutoff moves by this much at once: a quarter tone, too little to be heard as a step."""

Cents = Callable[[int, int], NDArray[np.float64]]
"""``(first sample, count) -> (count / CONTROL_SAMPLES,)`` pitch change in cents from bends and wheels."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that a tone is made of."""

    region: Region
    wave: NDArray[Any]
    """(frames,) as 16-bit PCM or float32 in the same range; mapped from the font."""
    loop: tuple[int, int]
    """Start and end of the loop in frames; (0, 0) where there is none."""
    step: float
    """Frames of the wave per output sample, with nothing modulated."""
    sample_rate: float
    volume: Envelope
    modulation: Envelope
    mod_oscillator: Oscillator
    vibrato: Oscillator

    @classmethod
    def of(cls, font: SoundFont, region: Region, pitch: int, sample_rate: float) -> Recipe:
        """Look a region up in its font, for a pitch."""
        pitch = region[sf.KEY] if region[sf.KEY] >= 0 else pitch
        row = font.samples[region.sample]
        wave, start, end = font.wave(region)
        loop = (start, end) if region[sf.SAMPLE_MODES] & 1 else (0, 0)
        original = int(row["pitch"]) if int(row["pitch"]) <= 127 else 60
        root = region[sf.ROOT_KEY] if region[sf.ROOT_KEY] >= 0 else original
        cents = region[sf.SCALE_TUNING] * (pitch - root) + int(row["correction"])
        cents += 100 * region[sf.COARSE_TUNE] + region[sf.FINE_TUNE]
        return cls(
            region=region,
            wave=wave,
            loop=loop,
            step=_step(cents, int(row["rate"]) / sample_rate),
            sample_rate=sample_rate,
            volume=Envelope.of(region, sf.VOLUME_ENVELOPE, pitch, sample_rate),
            modulation=Envelope.of(region, sf.MOD_ENVELOPE, pitch, sample_rate),
            mod_oscillator=Oscillator.of(region, sf.MOD_LFO_DELAY, sample_rate),
            vibrato=Oscillator.of(region, sf.VIBRATO_DELAY, sample_rate),
        )

    @property
    def needs_release(self) -> bool:
        """Whether its sound, not only its loudness, changes when the key is let go."""
        shaped = bool(self.region[sf.MOD_ENVELOPE_TO_PITCH] or self.region[sf.MOD_ENVELOPE_TO_FILTER])
        slow = self.modulation.release > 5.0 * self.sample_rate
        return self.region[sf.SAMPLE_MODES] & 3 == 3 or (shaped and not slow)

    @functools.cached_property
    def loop_db(self) -> float:
        """Peak of the loop below full level, 0 or less: many drums end in a loop of almost nothing."""
        start, end = self.loop
        peak = float(np.abs(self.wave[start:end]).max(initial=0.0)) / 32768.0 if end else 0.0
        return float(20.0 * np.log10(max(peak, 1e-5)))

    def silent_after(self, audible_db: float, lowest_cents: float) -> int:
        """Samples after which it is over, or out of hearing, though the key stay down; at least 1."""
        last = self._last_sample(lowest_cents)
        held = self.volume.end(audible_db)
        if self.loop[1]:
            held = min(held, max(self.volume.end(max(audible_db + self.loop_db, 0.0)), last), ENDLESS)
        else:
            held = min(held, last)
        return max(round(held), 1)

    def fade_samples(self, length: float, at: int, level: float, audible_db: float, lowest_cents: float) -> int:
        """How long a fall of 96 dB in ``length`` is heard that begins ``at`` a sample from ``level``; at least 1."""
        below = audible_db + 20.0 * float(np.log10(max(level, 1e-6)))
        left = self._last_sample(lowest_cents) - at
        if self.loop[1]:
            left = max(left, length * (below + self.loop_db) / FALL_DB)
        return max(round(min(length * min(below, FALL_DB) / FALL_DB, left)), 1)

    def _last_sample(self, lowest_cents: float) -> float:
        """Sample at which the wave, or its loop for the first time, is over when bent down as far as it is."""
        slowest = self.step * float(
            2.0 ** (min(lowest_cents + min(self.region[sf.MOD_ENVELOPE_TO_PITCH], 0), 0) / 1200)
        )
        return (self.loop[1] or len(self.wave) + 2) / slowest

    def wave_at(self, first: int, count: int, looped: bool) -> NDArray[np.float32]:
        """Frames of the wave as if its loop were written out for ever; silence outside it."""
        frames = np.arange(first, first + count)
        start, end = self.loop
        if looped and end:
            frames = np.where(frames < end, frames, start + (frames - start) % (end - start))
        heard = self.wave[np.clip(frames, 0, len(self.wave) - 1)] * np.float32(1.0 / 32768.0)
        heard[(frames < 0) | (frames >= len(self.wave))] = 0.0
        return np.asarray(heard, np.float32)


def _step(cents: float, unbent: float) -> float:
    """Frames per sample after a change of pitch, kept where even a damaged font cannot take it beyond reason."""
    return float(min(max(unbent * 2.0 ** (min(max(cents, -12000.0), 12000.0) / 1200.0), 1e-4), FASTEST))


@dataclass(frozen=True)
class Steady:
    """What bend and wheel add all through a note."""

    bend_cents: float = 0.0
    vibrato_cents: float = 0.0


class Stream:
    """A tone being played: each call of `next` gives the samples that follow."""

    def __init__(self, recipe: Recipe, steady: Steady, cents: Cents | None = None) -> None:
        self.recipe, self.cents = recipe, cents
        self.step = _step(steady.bend_cents, recipe.step)
        self.vibrato_cents = recipe.region[sf.VIBRATO_TO_PITCH] + steady.vibrato_cents
        self.sample = 0
        self.frame = 0.0
        self.released_at: float | None = None
        self.looped = True
        self.filter = _Filter(recipe)

    def copy(self) -> Stream:
        """A stream that goes on from here by itself."""
        other = Stream.__new__(Stream)
        other.__dict__.update(self.__dict__)
        other.filter = self.filter.copy()
        return other

    def release(self) -> None:
        """The key is let go here."""
        self.released_at = float(self.sample)
        start, end = self.recipe.loop
        if self.recipe.region[sf.SAMPLE_MODES] & 3 == 3 and end and self.frame >= end:
            self.frame = start + (self.frame - start) % (end - start)
            self.looped = False

    def next(self, count: int) -> NDArray[np.float32]:
        """The following ``count`` samples."""
        controls = self.sample + CONTROL_SAMPLES * np.arange(-(-count // CONTROL_SAMPLES), dtype=np.float64)
        level = self._modulation_at(controls)
        frames = self._frames(count, controls, level)
        first = int(frames[0])
        nearby = self.recipe.wave_at(first - 1, int(frames[-1]) - first + 4, self.looped)
        samples = self.filter.run(_interpolate(nearby, frames - (first - 1)), controls, level)
        self.sample += count
        return samples

    def _modulation_at(self, controls: NDArray[np.float64]) -> NDArray[np.float64]:
        """The modulation envelope, falling straight once the key is let go."""
        envelope = self.recipe.modulation
        if self.released_at is None:
            return envelope.level_at(controls)
        at_release = float(envelope.level_at(np.array([self.released_at]))[0])
        fallen = (controls - self.released_at) / max(envelope.release, 1.0)
        return np.asarray(np.clip(at_release - fallen, 0.0, None), np.float64)

    def _frames(self, count: int, controls: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where in the wave each sample lies, (count,) in frames; moves `frame` on."""
        cents = self._cents_at(controls, level)
        if cents is None:
            moved: NDArray[np.float64] = self.step * np.arange(count + 1, dtype=np.float64)
        else:
            octaves = np.clip(cents / 1200.0, -10.0, 10.0)
            steps = np.repeat(np.minimum(self.step * np.exp2(octaves), FASTEST), CONTROL_SAMPLES)[:count]
            moved = np.concatenate(([0.0], np.cumsum(steps)))
        frames = self.frame + moved
        self.frame = float(frames[-1])
        return frames[:-1]

    def _cents_at(self, controls: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Pitch modulation at the control points; None where there is none."""
        region = self.recipe.region
        cents = np.zeros(len(controls))
        if region[sf.MOD_ENVELOPE_TO_PITCH]:
            cents += region[sf.MOD_ENVELOPE_TO_PITCH] * level
        if region[sf.MOD_LFO_TO_PITCH]:
            cents += region[sf.MOD_LFO_TO_PITCH] * self.recipe.mod_oscillator.at(controls)
        if self.vibrato_cents:
            cents += self.vibrato_cents * self.recipe.vibrato.at(controls)
        if self.cents is not None:
            cents += self.cents(self.sample, len(controls))
        return cents if cents.any() else None


def _interpolate(wave: NDArray[np.float32], frames: NDArray[np.float64]) -> NDArray[np.float32]:
    """Third-order (Catmull-Rom) interpolation of ``wave`` at fractional ``frames``, which are at least 1."""
    whole = frames.astype(np.intp)
    part = np.asarray(frames - whole, np.float32)
    before, here, after, later = wave[whole - 1], wave[whole], wave[whole + 1], wave[whole + 2]
    bend = np.float32(0.5) * (later - before) + np.float32(1.5) * (here - after)
    slope = np.float32(0.5) * (after - before)
    middle = after - here - slope - bend  # Horner's scheme: here + part (slope + part (middle + part bend))
    return np.asarray(here + part * (slope + part * (middle + part * bend)), np.float32)


class _Filter:
    """The resonant two-pole low-pass of a voice, its cutoff moved by envelope and oscillator.

    Source: R. Bristow-Johnson's audio equaliser cookbook, as FluidSynth uses it (cutoff at most 0.45 of the
    sample rate, resonance measured from -3.01 dB, gain 1 / sqrt(q)).
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        region = recipe.region
        self.q = 10.0 ** ((min(max(region[sf.FILTER_Q], 0), 960) / 10.0 - 3.01) / 20.0)
        self.gain = np.float32(1.0 / np.sqrt(self.q))
        self.moves = bool(region[sf.MOD_ENVELOPE_TO_FILTER] or region[sf.MOD_LFO_TO_FILTER])
        self.state = np.zeros(2)

    def copy(self) -> _Filter:
        """With a state of its own."""
        other = _Filter.__new__(_Filter)
        other.__dict__.update(self.__dict__)
        other.state = self.state.copy()
        return other

    def run(
        self, samples: NDArray[np.float32], controls: NDArray[np.float64], level: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Filter the samples that follow; ``level`` is the modulation envelope at the control points."""
        region = self.recipe.region
        if not self.moves:
            cutoff = self._cutoff(region[sf.FILTER_CUTOFF])
            is_open = cutoff >= 0.449 * self.recipe.sample_rate and region[sf.FILTER_Q] <= 0
            return samples * self.gain if is_open else self._pass(samples, cutoff)
        cents = region[sf.FILTER_CUTOFF] + region[sf.MOD_ENVELOPE_TO_FILTER] * level
        cents = cents + region[sf.MOD_LFO_TO_FILTER] * self.recipe.mod_oscillator.at(controls)
        steps = np.rint(np.clip(cents, 1500.0, 13500.0) / FILTER_STEP_CENTS)
        steps[1::2] = steps[:-1:2]  # two control points share a stretch: each costs a call
        edges = np.flatnonzero(np.diff(steps, prepend=-1.0)).tolist()
        stretches = [
            self._pass(
                samples[start * CONTROL_SAMPLES : end * CONTROL_SAMPLES], self._cutoff(FILTER_STEP_CENTS * steps[start])
            )
            for start, end in zip(edges, [*edges[1:], len(steps)], strict=True)
        ]
        return np.concatenate(stretches)

    def _cutoff(self, cents: float) -> float:
        """Hertz, within what the filter can do."""
        return min(max(cents_to_hertz(cents), 5.0), 0.45 * self.recipe.sample_rate)

    def _pass(self, samples: NDArray[np.float32], cutoff: float) -> NDArray[np.float32]:
        """One stretch at one cutoff."""
        from scipy.signal import lfilter

        forward, backward = _coefficients(cutoff / self.recipe.sample_rate, self.q)
        filtered, self.state = lfilter(forward, backward, samples, zi=self.state)
        return np.asarray(filtered, np.float32)


@functools.lru_cache(maxsize=4096)
def _coefficients(cycles_per_sample: float, q: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Forward and backward coefficients of the low-pass, (3,) each."""
    omega = 2.0 * np.pi * cycles_per_sample
    alpha = np.sin(omega) / (2.0 * q)
    edge = (1.0 - np.cos(omega)) / (1.0 + alpha) / np.sqrt(q)
    forward = np.array([edge / 2.0, edge, edge / 2.0])
    return forward, np.array([1.0, -2.0 * np.cos(omega) / (1.0 + alpha), (1.0 - alpha) / (1.0 + alpha)])


class Tone:
    """The first seconds of a stream, kept, both bare and under its volume envelope."""

    def __init__(self, recipe: Recipe, steady: Steady, held_samples: int | None) -> None:
        self.recipe, self.held_samples = recipe, held_samples
        self.stream = Stream(recipe, steady)
        self.bare = np.empty(0, np.float32)
        self.shaped = np.empty(0, np.float32)
        self.longest = int(LONGEST_KEPT_SECONDS * recipe.sample_rate)

    def reach(self, samples: int) -> None:
        """Have at least so many samples (never more than ``longest``)."""
        have = len(self.bare)
        if samples <= have:
            return
        goal = min(max(samples, min(2 * have, have + GROWTH_SAMPLES)), self.longest)
        fresh = self._fresh(goal - have)
        self.bare = np.concatenate((self.bare, fresh))
        self.shaped = np.concatenate((self.shaped, fresh * amplitude(self.recipe, have, goal - have)))

    def _fresh(self, count: int) -> NDArray[np.float32]:
        """The stream's next samples, the key let go on the way where that matters."""
        held = self.held_samples
        if held is None or not self.stream.sample <= held < self.stream.sample + count:
            return self.stream.next(count)
        before = held - self.stream.sample
        first = self.stream.next(before) if before else np.empty(0, np.float32)
        self.stream.release()
        return np.concatenate((first, self.stream.next(count - before)))


def amplitude(recipe: Recipe, first: int, count: int) -> NDArray[np.float32]:
    """Volume envelope and tremolo of a held note over a stretch of samples."""
    shape = recipe.volume.amplitude(first, count)
    depth = min(max(recipe.region[sf.MOD_LFO_TO_VOLUME], -960), 960)
    if depth:
        swing = recipe.mod_oscillator.at(np.arange(first, first + count, dtype=np.float64))
        shape *= np.exp(swing * (depth / 200.0 * np.log(10.0))).astype(np.float32)
    return shape


class ToneCache:
    """Tones by region, pitch, bend and (where it matters) length; the least recently heard are forgotten."""

    def __init__(self, font: SoundFont, sample_rate: float, most_bytes: int = CACHE_BYTES) -> None:
        self.font, self.sample_rate, self.most_bytes = font, sample_rate, most_bytes
        self._recipes: dict[tuple[int, int], Recipe] = {}
        self._tones: OrderedDict[tuple[int, int, Steady, int | None], Tone] = OrderedDict()

    def recipe(self, region: Region, pitch: int) -> Recipe:
        """What a region sounds like at a pitch."""
        key = (id(region), pitch)
        if key not in self._recipes:
            self._recipes[key] = Recipe.of(self.font, region, pitch, self.sample_rate)
        return self._recipes[key]

    def tone(self, region: Region, pitch: int, steady: Steady, held_samples: int) -> Tone:
        """The tone, made when it is first asked for."""
        recipe = self.recipe(region, pitch)
        held = held_samples // CONTROL_SAMPLES * CONTROL_SAMPLES if recipe.needs_release else None
        key = (id(region), pitch, steady, held)
        if key not in self._tones:
            self._tones[key] = Tone(recipe, steady, held)
        self._tones.move_to_end(key)
        return self._tones[key]

    def trim(self) -> None:
        """Forget what has not been heard for longest until the rest fits."""
        used = sum(tone.bare.nbytes + tone.shaped.nbytes for tone in self._tones.values())
        while used > self.most_bytes and len(self._tones) > 1:
            _, tone = self._tones.popitem(last=False)
            used -= tone.bare.nbytes + tone.shaped.nbytes

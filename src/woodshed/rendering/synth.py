"""Our own SoundFont player: numpy and scipy, block by block, with no other program.

A song's notes become voices (one for each region that a note sounds). A voice without bend or wheel takes its samples
from a `Tone` shared by all such notes; another makes its own with a `Stream`. Each block of output sums what its
voices give, each scaled for left, right and the reverb. Memory holds one block, the sounding voices and the tones.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.music import Song
from woodshed.rendering import soundfont as sf
from woodshed.rendering.effects import Chorus, Reverb
from woodshed.rendering.envelope import FALL_DB, timecents_to_samples
from woodshed.rendering.performance import (
    MAX_ATTENUATION,
    PartControls,
    key_up_ticks,
    loudness_attenuation,
    next_in_group,
    part_controls,
    sample_times,
)
from woodshed.rendering.soundfont import DRUM_BANK, Region, SoundFont
from woodshed.rendering.tone import CONTROL_SAMPLES, Steady, Stream, Tone, ToneCache, amplitude

BLOCK_SAMPLES = 1 << 16
GAIN = 0.2
"""Of one voice at full level; FluidSynth's own default, so that both engines are equally loud."""
ATTENUATION_SHARE = 0.4
"""What hardware made of the attenuation generator, and every font since relies on."""
AUDIBLE_DB = 74.0
"""A voice is over this far below full level; that is 88 dB below full scale."""
SHORTEST_NOTE_SECONDS = 0.01
EXCLUSIVE_RELEASE_TIMECENTS = -200
"""How a hi-hat that is cut off by another fades."""
WHEEL_CENTS = 50.0
"""Vibrato at a full modulation wheel."""
NEVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, eq=False)
class VoicePlan:
    """Every voice of a song as columns, sorted by start."""

    regions: tuple[Region, ...]
    region: NDArray[np.int64]
    """(voices,) index into ``regions``."""
    part: NDArray[np.int64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    start: NDArray[np.int64]
    """(voices,) output samples."""
    held: NDArray[np.int64]
    """(voices,) samples from the start to the key going up."""
    cut: NDArray[np.int64]
    """(voices,) samples from the start to the next note of its exclusive class, or `NEVER`."""


def audio_blocks(song: Song, font: SoundFont, sample_rate: int, total_samples: int) -> Iterator[NDArray[np.float32]]:
    """The song as stretches of (up to `BLOCK_SAMPLES`, 2) float32, ``total_samples`` in all."""
    plan = plan_voices(song, font, sample_rate)
    used = np.unique(plan.part).tolist()
    controls = {part: part_controls(song, part, sample_rate) for part in used}
    tones = ToneCache(font, sample_rate)
    reverb, chorus = Reverb(sample_rate), Chorus(sample_rate)
    active: list[Voice] = []
    following = 0
    for start in range(0, total_samples, BLOCK_SAMPLES):
        size = min(BLOCK_SAMPLES, total_samples - start)
        last = int(np.searchsorted(plan.start, start + size, side="left"))
        active += [Voice(plan, row, controls, tones, sample_rate) for row in range(following, last)]
        following = last
        mix = np.zeros((4, size), np.float32)  # left, right, what goes to the reverb and to the chorus
        for voice in active:
            voice.add_to(mix, start)
        active = [voice for voice in active if voice.end > start + size]
        tones.trim()
        mix[:2] += reverb.run(mix[2]) + chorus.run(mix[3])
        yield np.ascontiguousarray(mix[:2].T)


def plan_voices(song: Song, font: SoundFont, sample_rate: int) -> VoicePlan:
    """Find the regions of each distinct (part, pitch, velocity) once, then lay all voices out as columns."""
    notes = song.notes
    code = (notes["part"].astype(np.int64) * 128 + notes["pitch"]) * 128 + notes["velocity"]
    kinds, kind_of_note = np.unique(code, return_inverse=True)
    regions: dict[int, tuple[int, Region]] = {}
    answers = [_answering(font, song, int(kind), regions) for kind in kinds]
    counts = np.array([len(found) for found in answers], np.int64)
    flat = np.array([index for found in answers for index in found], np.int64)
    first = np.cumsum(counts) - counts
    voices = counts[kind_of_note] if len(notes) else np.empty(0, np.int64)
    note = np.repeat(np.arange(len(notes)), voices)
    within = np.arange(len(note)) - np.repeat(np.cumsum(voices) - voices, voices)
    region = flat[first[kind_of_note[note]] + within] if len(note) else np.empty(0, np.int64)
    starts = sample_times(song, notes["onset"], sample_rate)
    ends = sample_times(song, key_up_ticks(song), sample_rate)
    ends = np.maximum(ends, starts + int(SHORTEST_NOTE_SECONDS * sample_rate))
    classes = np.array([found[sf.EXCLUSIVE_CLASS] for _, found in regions.values()] or [0], np.int64)
    exclusive, start, part = classes[region], starts[note], notes["part"][note].astype(np.int64)
    group = np.where(exclusive > 0, part * 65536 + exclusive, -1)
    cut = np.where(exclusive > 0, next_in_group(group, start, NEVER), NEVER)
    return VoicePlan(
        regions=tuple(found for _, found in regions.values()),
        region=region,
        part=part,
        pitch=notes["pitch"][note].astype(np.int64),
        velocity=notes["velocity"][note].astype(np.int64),
        start=start,
        held=ends[note] - start,
        cut=np.where(cut < NEVER, cut - start, NEVER),
    )


def _answering(font: SoundFont, song: Song, kind: int, regions: dict[int, tuple[int, Region]]) -> list[int]:
    """Numbers of the regions that a (part, pitch, velocity) sounds; new regions are numbered as they come."""
    part, pitch, velocity = song.parts[kind >> 14], kind >> 7 & 127, kind & 127
    found = font.regions(DRUM_BANK if part.is_drum else 0, part.program)
    return [
        regions.setdefault(id(region), (len(regions), region))[0] for region in found if region.answers(pitch, velocity)
    ]


def _send(per_mille: int, controller: NDArray[np.float64]) -> float:
    """Share of a voice that goes to an effect, 0-1, from its generator and its part's controller."""
    return float(np.clip(per_mille + 200.0 * controller / 127.0, 0.0, 1000.0)) / 1000.0


class Voice:
    """One voice of the plan, sounding."""

    def __init__(
        self, plan: VoicePlan, row: int, controls: dict[int, PartControls], tones: ToneCache, sample_rate: int
    ) -> None:
        self.region = plan.regions[plan.region[row]]
        self.start, self.held = int(plan.start[row]), int(plan.held[row])
        self.pitch = int(plan.pitch[row])
        self.controls = controls[int(plan.part[row])]
        self.recipe = tones.recipe(self.region, self.pitch)
        self.attenuation = ATTENUATION_SHARE * self.region[sf.ATTENUATION]
        self.attenuation += float(loudness_attenuation(float(plan.velocity[row])))
        self.sends = (
            _send(self.region[sf.REVERB_SEND], self.controls.reverb.at(self.start)),
            _send(self.region[sf.CHORUS_SEND], self.controls.chorus.at(self.start)),
        )
        self.stages = self._stages(int(plan.cut[row]), sample_rate)
        self.end = self.start + self.stages[-1].end
        self.tone, self.stream = self._source(tones)

    def _stages(self, cut: int, sample_rate: int) -> list[_Stage]:
        """Held, released, and cut off by its exclusive class, each while it is heard."""
        recipe, held = self.recipe, self.held
        soft = max(self.attenuation + float(self.controls.attenuation.at(self.start)), 0.0)
        audible = max(AUDIBLE_DB - soft / 10.0, 20.0)
        lowest = float(self.controls.bend_cents.values.min())
        alone = recipe.silent_after(audible, lowest)
        stages = [_Stage(0, min(held, alone, cut), 1.0, None)]
        if held < min(alone, cut):
            level = float(amplitude(recipe, held, 1)[0])
            count = recipe.fade_samples(recipe.volume.release, held, level, audible, lowest)
            stages.append(_Stage(held, min(held + count, cut), level, _fall(round(recipe.volume.release))))
        if cut <= stages[-1].end and cut < alone:
            level = stages[-1].level_at(cut) if len(stages) > 1 else float(amplitude(recipe, cut, 1)[0])
            length = timecents_to_samples(EXCLUSIVE_RELEASE_TIMECENTS, sample_rate)
            count = recipe.fade_samples(length, cut, level, audible, lowest)
            stages.append(_Stage(cut, cut + count, level, _fall(round(length))))
        return stages

    def _source(self, tones: ToneCache) -> tuple[Tone | None, Stream | None]:
        """A shared tone where the pitch is steady, else a stream of its own."""
        bend = self.controls.bend_cents.constant_over(self.start, self.end)
        wheel = self.controls.wheel.constant_over(self.start, self.end)
        if bend is not None and wheel is not None:
            return tones.tone(self.region, self.pitch, Steady(bend, wheel / 127.0 * WHEEL_CENTS), self.held), None
        return None, Stream(self.recipe, Steady(), self._cents)

    def _cents(self, first: int, count: int) -> NDArray[np.float64]:
        """Bend and wheel vibrato at the control points from a sample of the note on."""
        samples = first + CONTROL_SAMPLES * np.arange(count)
        cents = self.controls.bend_cents.at(self.start + samples)
        wheel = self.controls.wheel.at(self.start + samples)
        return cents + wheel / 127.0 * WHEEL_CENTS * self.recipe.vibrato.at(samples.astype(np.float64))

    def add_to(self, mix: NDArray[np.float32], block_start: int) -> None:
        """Add what falls into the block."""
        first = max(self.start - block_start, 0)
        last = min(self.end - block_start, mix.shape[1])
        if last <= first:
            return
        offset = block_start + first - self.start
        sound = self._samples(offset, offset + last - first)
        gains = self._gains(block_start + first, block_start + last)
        for channel, gain in enumerate(gains):
            if channel < 2 or self.sends[channel - 2] > 0.0:
                mix[channel, first:last] += sound * gain

    def _samples(self, first: int, last: int) -> NDArray[np.float32]:
        """The voice's samples [first, last) counted from its start, envelopes included, before its level."""
        pieces = []
        for stage in self.stages:
            start, end = max(first, stage.start), min(last, stage.end)
            if start >= end:
                continue
            if stage.fade is None:
                pieces.append(self._held(start, end))
            else:
                fade = stage.fade[start - stage.start : end - stage.start]
                pieces.append(self._bare(start, end) * (fade * np.float32(stage.level)))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _held(self, start: int, end: int) -> NDArray[np.float32]:
        """Samples under the envelope of a held note."""
        if self.tone is not None and end <= self.tone.longest:
            self.tone.reach(end)
            return self.tone.shaped[start:end]
        return self._bare(start, end) * amplitude(self.recipe, start, end - start)

    def _bare(self, start: int, end: int) -> NDArray[np.float32]:
        """Samples without an envelope."""
        if self.tone is not None and end <= self.tone.longest:
            self.tone.reach(end)
            return self.tone.bare[start:end]
        if self.stream is None:
            return self._leave_tone(start, end)
        if self.recipe.needs_release and self.stream.released_at is None and self.stream.sample <= self.held < end:
            before = self.held - self.stream.sample
            head = self.stream.next(before) if before else np.empty(0, np.float32)
            self.stream.release()
            return np.concatenate((head, self.stream.next(end - self.stream.sample)))[start - end :]
        return self.stream.next(end - start)

    def _leave_tone(self, start: int, end: int) -> NDArray[np.float32]:
        """The note outlasts what its tone keeps: take the rest of that, then go on with a stream of its own."""
        tone = self.tone
        if tone is None:
            raise RuntimeError("a voice has either a tone or a stream")
        tone.reach(tone.longest)
        self.stream, self.tone = tone.stream.copy(), None
        head = tone.bare[start:]
        rest = self._bare(tone.longest, end) if end > tone.longest else np.empty(0, np.float32)
        return np.concatenate((head, rest))

    def _gains(self, first: int, last: int) -> tuple[NDArray[np.float32], ...]:
        """Left, right, reverb and chorus gain: numbers where nothing moves, else one value for each sample."""
        level, pan = self.controls.attenuation, self.controls.pan
        steady_level, steady_pan = level.constant_over(first, last), pan.constant_over(first, last)
        if steady_level is not None and steady_pan is not None:
            return self._stereo(np.asarray(steady_level), np.asarray(steady_pan))
        times = np.arange(first, last + CONTROL_SAMPLES, CONTROL_SAMPLES)
        points = self._stereo(level.at(times), pan.at(times))
        where = np.arange(last - first) / CONTROL_SAMPLES
        return tuple(np.interp(where, np.arange(len(times)), gain).astype(np.float32) for gain in points)

    def _stereo(self, attenuation: NDArray[np.float64], pan: NDArray[np.float64]) -> tuple[NDArray[np.float32], ...]:
        """Gains from centibels and a place between -500 and 500, with equal power."""
        amount = GAIN * 10.0 ** (-np.clip(self.attenuation + attenuation, 0.0, MAX_ATTENUATION) / 200.0)
        angle = (np.clip(self.region[sf.PAN] + pan, -500.0, 500.0) + 500.0) * (np.pi / 2000.0)
        gains = (amount * np.cos(angle), amount * np.sin(angle), amount * self.sends[0], amount * self.sends[1])
        return tuple(np.asarray(gain, np.float32) for gain in gains)


@dataclass(frozen=True, eq=False)
class _Stage:
    """A stretch of a voice's life, in samples from its start."""

    start: int
    end: int
    level: float
    """Amplitude where the stage begins, when it fades."""
    fade: NDArray[np.float32] | None
    """How it falls from ``level``, at least as long as the stage; None while the key is held."""

    def level_at(self, sample: int) -> float:
        """Amplitude at a sample of the voice, for a stage that fades."""
        place = min(sample - self.start, len(self.fade) - 1) if self.fade is not None else 0
        return self.level * float(self.fade[place]) if self.fade is not None else self.level


@functools.lru_cache(maxsize=64)
def _fall(length: int) -> NDArray[np.float32]:
    """A fall of 96 dB over ``length`` samples, from 1."""
    curve = np.arange(max(length, 1), dtype=np.float32)
    curve *= np.float32(-FALL_DB / 20.0 * np.log(10.0) / max(length, 1))
    return np.exp(curve, out=curve)

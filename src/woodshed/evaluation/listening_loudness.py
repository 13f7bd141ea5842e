"""How loud a clip is to the ear, and what makes several equally loud: a louder clip is liked better, whatever it plays.

Integrated loudness in LUFS: both channels through two filters that weigh frequencies as ears do ("K"), the power of
blocks of 400 ms that overlap by three quarters, and the mean over the blocks that are louder than -70 LUFS and than
10 LU below the mean of those.

Sources:
    ITU-R BS.1770-4, Algorithms to measure audio programme loudness; EBU R 128. The filters at any sample rate are
    those of libebur128 (their analogue prototypes, put through the bilinear transform). The tests are the synthetic
    signals of EBU Tech 3341. We differ in measuring one and two channels only, and in the sample peak instead of the
    true one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from woodshed.rendering.sound import PEAK

TARGET_LUFS = -18.0
"""What clips are brought to: as loud as music in a browser usually is, with room for the peaks of most clips."""
BLOCK_SECONDS, STEPS_PER_BLOCK = 0.4, 4
SILENCE_LUFS = -70.0
"""Quieter blocks count as silence."""
RELATIVE_GATE_LU = 10.0
OFFSET = -0.691
"""So that a 997 Hz sine at full scale in one channel has -3.01 LUFS."""


def integrated_loudness(sound: NDArray[np.float32], sample_rate: int) -> float:
    """LUFS of (samples, 1 or 2) at full scale 1.0; ``-inf`` for silence and for less than 400 ms."""
    powers = _block_powers(sound, sample_rate)
    heard = powers[_lufs(powers) > SILENCE_LUFS]
    if not len(heard):
        return float("-inf")
    loud = heard[_lufs(heard) > _lufs(heard.mean()) - RELATIVE_GATE_LU]
    return float(_lufs(loud.mean()))


def matching_gains(sounds: Sequence[NDArray[np.float32]], sample_rate: int) -> tuple[list[float], float]:
    """What to multiply each sound by, and the loudness in LUFS that all then have.

    That is `TARGET_LUFS`, or less if the clip with the highest peaks would otherwise pass 1 dB below full scale: all
    are then softer, none is squeezed. Silence is left as it is, with a gain of 1.
    """
    loudness = np.array([integrated_loudness(sound, sample_rate) for sound in sounds])
    peaks = np.array([max(float(np.abs(sound).max(initial=0.0)), 1e-9) for sound in sounds])
    heard = np.isfinite(loudness)
    room = loudness[heard] + 20 * np.log10(PEAK / peaks[heard])  # LUFS at which each clip's peak is just allowed
    target = float(min(TARGET_LUFS, room.min(initial=TARGET_LUFS)))
    gains = 10 ** ((target - np.where(heard, loudness, target)) / 20)
    return gains.tolist(), target


def _block_powers(sound: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """(blocks,) weighted power, both channels added."""
    from scipy.signal import lfilter

    weighted = np.asarray(sound, np.float64).reshape(len(sound), -1)
    for numerator, denominator in _filters(sample_rate):
        weighted = lfilter(numerator, denominator, weighted, axis=0)
    step = round(BLOCK_SECONDS * sample_rate / STEPS_PER_BLOCK)
    steps = len(weighted) // step
    energy = (weighted[: steps * step] ** 2).sum(1).reshape(steps, step).sum(1)  # (steps,)
    if steps < STEPS_PER_BLOCK:
        return np.zeros(0)
    powers: NDArray[np.float64] = np.convolve(energy, np.ones(STEPS_PER_BLOCK), "valid") / (STEPS_PER_BLOCK * step)
    return powers


def _lufs(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(OFFSET + 10 * np.log10(np.maximum(power, 1e-12)), np.float64)


def _filters(sample_rate: int) -> tuple[tuple[list[float], list[float]], ...]:
    """Numerator and denominator of the high shelf (the head) and of the high pass."""
    tangent, q = np.tan(np.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    scale = 1 + tangent / q + tangent**2
    shelf = [
        (high + middle * tangent / q + tangent**2) / scale,
        2 * (tangent**2 - high) / scale,
        (high - middle * tangent / q + tangent**2) / scale,
    ]
    shelf_poles = [1.0, 2 * (tangent**2 - 1) / scale, (1 - tangent / q + tangent**2) / scale]
    tangent, q = np.tan(np.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    scale = 1 + tangent / q + tangent**2
    pass_poles = [1.0, 2 * (tangent**2 - 1) / scale, (1 - tangent / q + tangent**2) / scale]
    return (shelf, shelf_poles), ([1.0, -2.0, 1.0], pass_poles)

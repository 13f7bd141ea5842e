"""What the voices share: a small room around them, and a chorus that widens them. Both take what the voices send.

Levels are set so that a controller value sounds about as strong as FluidSynth makes it.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

TAIL_SECONDS = 1.5
FALL_SECONDS = 0.9
"""Time in which the tail falls by 60 dB."""
FIRST_ECHO_SECONDS = 0.012
REVERB_LEVEL = 0.3
SEED = 20240

CHORUS_LINES = 3
CHORUS_LEVEL = 2.0
CHORUS_HERTZ = 0.3
CHORUS_DELAY_SECONDS, CHORUS_DEPTH_SECONDS = 0.010, 0.004
"""The middle of the moving delay, and how far it moves either way."""


class Reverb:
    """Folds blocks with the room's response by overlap-add; what rings on is kept for the next block."""

    def __init__(self, sample_rate: int) -> None:
        self.response = room_response(sample_rate)
        self.ringing = np.zeros((2, self.response.shape[1]), np.float32)
        self.spectrum = np.empty((2, 0), np.complex64)

    def run(self, send: NDArray[np.float32]) -> NDArray[np.float32]:
        """(2, samples) of left and right for (samples,) of what was sent."""
        from scipy.fft import irfft, next_fast_len, rfft

        count, tail = len(send), self.response.shape[1]
        if not send.any() and not self.ringing.any():
            return np.zeros((2, count), np.float32)
        size = next_fast_len(count + tail, real=True)
        if self.spectrum.shape[1] != size // 2 + 1:
            self.spectrum = rfft(self.response, size, axis=1)
        folded = irfft(rfft(send, size) * self.spectrum, size, axis=1)[:, : count + tail]
        folded[:, :tail] += self.ringing
        self.ringing = np.asarray(folded[:, count:], np.float32)
        return np.asarray(folded[:, :count], np.float32)


@functools.lru_cache(maxsize=4)
def room_response(sample_rate: int) -> NDArray[np.float32]:
    """(2, samples): noise that falls 60 dB in `FALL_SECONDS` and loses its treble first; the same on every run."""
    count = int(TAIL_SECONDS * sample_rate)
    noise = np.random.default_rng(SEED).standard_normal((2, count))
    seconds = np.arange(count) / sample_rate
    bright = noise * np.exp(-2.2 * 6.91 * seconds / FALL_SECONDS)
    dark = _smoothed(noise, int(sample_rate / 5000)) * np.exp(-6.91 * seconds / FALL_SECONDS)
    tail = (0.5 * bright + dark) * (seconds >= FIRST_ECHO_SECONDS)
    energy = np.sqrt((tail**2).sum(axis=1, keepdims=True))
    return np.asarray(REVERB_LEVEL * tail / energy, np.float32)


def _smoothed(noise: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """A running mean, its loudness restored."""
    kernel = np.hanning(max(2 * width, 3))
    kernel /= np.sqrt((kernel**2).sum())
    return np.stack([np.convolve(row, kernel, mode="same") for row in noise])


class Chorus:
    """Copies whose delays move slowly and out of step: one to the left, one to the right, one in the middle."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.past = np.zeros(int(2 * (CHORUS_DELAY_SECONDS + CHORUS_DEPTH_SECONDS) * sample_rate), np.float32)
        self.sample = 0

    def run(self, send: NDArray[np.float32]) -> NDArray[np.float32]:
        """(2, samples) of left and right for (samples,) of what was sent."""
        heard = np.concatenate((self.past, send))
        self.past = heard[-len(self.past) :].copy()
        wet = np.zeros((2, len(send)), np.float32)
        if heard.any():
            for line in range(CHORUS_LINES):
                wet += self._line(heard, len(send), line) * _line_gains(line)
        self.sample += len(send)
        return wet

    def _line(self, heard: NDArray[np.float32], count: int, line: int) -> NDArray[np.float32]:
        """One copy, (count,)."""
        time = (self.sample + np.arange(count)) / self.sample_rate
        swing = np.sin(2.0 * np.pi * (CHORUS_HERTZ * time + line / CHORUS_LINES))
        delay = (CHORUS_DELAY_SECONDS + CHORUS_DEPTH_SECONDS * swing) * self.sample_rate
        place = np.arange(len(heard) - count, len(heard)) - delay
        whole = place.astype(np.intp)
        part = np.asarray(place - whole, np.float32)
        return heard[whole] * (1 - part) + heard[whole + 1] * part


def _line_gains(line: int) -> NDArray[np.float32]:
    """(2, 1) left and right gain of a copy."""
    return np.array([[(1.0, 0.3), (0.3, 1.0), (0.7, 0.7)][line % 3]], np.float32).T * np.float32(CHORUS_LEVEL / 1.1)

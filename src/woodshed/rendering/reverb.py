"""A small room: what the voices send is folded with a short, darkening tail of noise, different left and right."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

TAIL_SECONDS = 1.2
FALL_SECONDS = 0.9
"""Time in which the tail falls by 60 dB."""
FIRST_ECHO_SECONDS = 0.012
LEVEL = 0.9
SEED = 20240


class Reverb:
    """Folds blocks with the room's response by overlap-add; what rings on is kept for the next block."""

    def __init__(self, sample_rate: int) -> None:
        self.response = room_response(sample_rate)
        self.ringing = np.zeros((2, self.response.shape[1]), np.float32)

    def run(self, send: NDArray[np.float32]) -> NDArray[np.float32]:
        """(2, samples) of left and right for (samples,) of what was sent."""
        from scipy.fft import irfft, next_fast_len, rfft

        count, tail = len(send), self.response.shape[1]
        if not send.any() and not self.ringing.any():
            return np.zeros((2, count), np.float32)
        size = next_fast_len(count + tail, real=True)
        folded = irfft(rfft(send, size) * rfft(self.response, size, axis=1), size, axis=1)[:, : count + tail]
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
    return np.asarray(LEVEL * tail / energy, np.float32)


def _smoothed(noise: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """A running mean, its loudness restored."""
    kernel = np.hanning(max(2 * width, 3))
    kernel /= np.sqrt((kernel**2).sum())
    return np.stack([np.convolve(row, kernel, mode="same") for row in noise])

"""Loudness: the synthetic signals of EBU Tech 3341, and clips that are equally loud after they were coded."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from woodshed.evaluation.listening_loudness import TARGET_LUFS, integrated_loudness, matching_gains
from woodshed.rendering.sound import PEAK


def tone(decibels: float, seconds: float, rate: int = 48000, hertz: float = 1000.0) -> NDArray[np.float32]:
    """A sine in both channels, its peak ``decibels`` relative to full scale."""
    wave = 10 ** (decibels / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], 2, 1).astype(np.float32)


def tones(*pieces: tuple[float, float]) -> NDArray[np.float32]:
    return np.concatenate([tone(decibels, seconds) for decibels, seconds in pieces])


@pytest.mark.parametrize(
    ("name", "sound", "lufs"),
    [
        ("1", tones((-23, 20)), -23.0),
        ("2", tones((-33, 20)), -33.0),
        ("3", tones((-36, 10), (-23, 60), (-36, 10)), -23.0),
        ("4", tones((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)), -23.0),
        ("5", tones((-26, 20), (-20, 20.1), (-26, 20)), -23.0),
    ],
)
def test_the_signals_of_ebu_tech_3341_have_their_loudness(name: str, sound: NDArray[np.float32], lufs: float) -> None:
    assert integrated_loudness(sound, 48000) == pytest.approx(lufs, abs=0.1), f"case {name}"


@pytest.mark.parametrize("rate", [22050, 44100, 96000])
def test_loudness_does_not_depend_on_the_sample_rate(rate: int) -> None:
    assert integrated_loudness(tone(-23, 5, rate), rate) == pytest.approx(-23.0, abs=0.1)


def test_one_channel_is_three_decibels_softer_than_two() -> None:
    sound = tone(-20, 5)
    assert integrated_loudness(sound[:, :1], 48000) == pytest.approx(integrated_loudness(sound, 48000) - 3.01, abs=0.01)


def test_deep_tones_weigh_less_and_high_ones_more() -> None:
    deep, middle, high = (integrated_loudness(tone(-20, 5, hertz=hertz), 48000) for hertz in (40.0, 1000.0, 5000.0))
    assert deep < middle - 3
    assert high > middle + 2


def test_silence_and_a_click_have_no_loudness() -> None:
    assert integrated_loudness(np.zeros((48000, 2), np.float32), 48000) == float("-inf")
    assert integrated_loudness(tone(-20, 0.3), 48000) == float("-inf")


def test_matched_clips_are_equally_loud() -> None:
    sounds = [tone(-40, 3), tone(-9, 3, hertz=3000.0), tones((-20, 2), (-60, 2))]
    gains, target = matching_gains(sounds, 48000)
    assert target == TARGET_LUFS
    for gain, sound in zip(gains, sounds, strict=True):
        assert integrated_loudness(sound * np.float32(gain), 48000) == pytest.approx(target, abs=0.1)


def test_one_clip_with_high_peaks_makes_all_softer_and_none_is_clipped() -> None:
    clicks = tone(-30, 4)
    clicks[::4800] = 0.9
    sounds = [tone(-20, 4), clicks]
    gains, target = matching_gains(sounds, 48000)
    assert target < TARGET_LUFS - 1
    assert np.abs(clicks * gains[1]).max() == pytest.approx(PEAK, abs=1e-3)
    assert integrated_loudness(sounds[0] * np.float32(gains[0]), 48000) == pytest.approx(target, abs=0.1)


def test_a_silent_clip_is_left_as_it_is() -> None:
    gains, target = matching_gains([np.zeros((48000, 2), np.float32)], 48000)
    assert (gains, target) == ([1.0], TARGET_LUFS)

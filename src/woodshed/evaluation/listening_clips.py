"""Clips for a listening test: nothing but the music may tell them apart.

Every clip lasts exactly as long as the others. Of a song it is as many whole bars as fit, from a bar line to a bar
line, played by the same engine with the same sounds; what is left of the time is for its last notes to ring, and fades.
Of a recording it is a stretch of that length, faded alike. All are coded as MP3 at one constant rate, so that
even their sizes in bytes are the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import FormatError
from woodshed.evaluation.listening_loudness import SILENCE_LUFS, integrated_loudness, matching_gains
from woodshed.music import Song
from woodshed.rendering import render_audio

SAMPLE_RATE = 44100
FADE_SECONDS = 0.5
"""At the end of every clip; music from bar line to bar line ends before it."""
START_FADE_SECONDS = 0.005
"""So that a recording that is cut open does not click."""
LEAST_FILLED = 0.5
"""Share of a clip that must be music: with bars so long that fewer fill it, the clip is too short for the song."""
EARLY_TICKS = 60
"""A note up to a 32nd before the bar line was meant to be on it, and goes with that bar."""
SOUND_ENDINGS = (".wav", ".flac", ".ogg", ".mp3")
TRIES = 16
"""Places in a recording that are looked at for one that is not silent."""
CODING = 0.5
"""Of libsndfile's MP3: 160 kbit/s, constant."""
CODED_LEVEL = 0.95
"""LAME takes so much of the level."""
CLOSE_LU = 0.05


@dataclass(frozen=True)
class Excerpt:
    """A stretch of a song."""

    song: Song
    first_bar: int
    """In the whole song, from 1."""
    bars: int


def longest_clip(song: Song) -> float:
    """Seconds of the longest clip that a song can give: from its first bar with a note to its last, and the fade."""
    sounding = np.flatnonzero(_onsets_by_bar(song))
    if not len(sounding):
        return 0.0
    seconds = song.seconds(song.bar_lines())
    return float(seconds[sounding[-1] + 1] - seconds[sounding[0]]) + FADE_SECONDS


def bar_excerpt(song: Song, clip_seconds: float, rng: np.random.Generator) -> Excerpt | None:
    """As many whole bars as a clip holds, from a place drawn among those with the fewest silent bars.

    None where no place fills `LEAST_FILLED` of the clip. The end of a song is no place unless it fills the clip too.
    """
    lines, onsets = song.bar_lines(), _onsets_by_bar(song)
    seconds = song.seconds(lines)
    room = clip_seconds - FADE_SECONDS + 1e-6
    ends = np.searchsorted(seconds, seconds[:-1] + room, side="right") - 1  # (bars,) the line at which each place ends
    filled = seconds[ends] - seconds[:-1]
    is_usable = (filled >= LEAST_FILLED * clip_seconds) & (onsets > 0)
    if not is_usable.any():
        return None
    is_full = is_usable & (room - filled < np.diff(seconds))
    pool = is_full if is_full.any() else is_usable & (filled >= filled[is_usable].max() - 1e-6)
    silent = np.concatenate(([0], np.cumsum(onsets == 0)))
    gaps = silent[ends] - silent[:-1]
    first = int(rng.choice(np.flatnonzero(pool & (gaps == gaps[pool].min()))))
    last = int(ends[first])
    start, end = (int(lines[bar]) - (EARLY_TICKS if bar else 0) for bar in (first, last))
    return Excerpt(song.slice(start, end), first + 1, last - first)


def play_clip(song: Song, clip_seconds: float) -> NDArray[np.float32]:
    """The excerpt as (samples, 2), exactly so long; its last notes ring until the fade."""
    tail = max(clip_seconds - song.length_seconds, 0.0)
    return _fitted(render_audio(song, sample_rate=SAMPLE_RATE, tail_seconds=min(tail, 60.0)), clip_seconds)


def recording_seconds(path: Path) -> float:
    """How long a recording is.

    Raises:
        FormatError: if it cannot be read.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            return float(file.frames / file.samplerate)
    except (soundfile.LibsndfileError, OSError) as error:
        raise _unreadable(path, error) from error


def recording_clip(path: Path, clip_seconds: float, rng: np.random.Generator) -> tuple[NDArray[np.float32], float]:
    """A stretch of a recording as (samples, 2), exactly so long, and at which second it begins.

    The place is drawn; silent ones are drawn again, up to `TRIES` times. One channel is heard on both sides, of more
    than two the first two are.

    Raises:
        FormatError: if it cannot be read.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate, length = file.samplerate, round(clip_seconds * file.samplerate)
            for _ in range(TRIES):
                start = int(rng.integers(max(file.frames - length, 0) + 1))
                file.seek(start)
                found = _stereo_at_rate(file.read(length, dtype="float32", always_2d=True), rate)
                if integrated_loudness(found, SAMPLE_RATE) > SILENCE_LUFS:
                    break
            return _fitted(found, clip_seconds), start / rate
    except (soundfile.LibsndfileError, OSError) as error:
        raise _unreadable(path, error) from error


def code_equally_loud(
    sounds: Sequence[NDArray[np.float32]], progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[list[bytes], list[float], float]:
    """The clips as MP3, what each was multiplied by, and the loudness in LUFS that all of them have when decoded.

    Coding changes the level, by what it filters out, which is not the same of every clip: what was coded is measured,
    and coded again where it is off by more than `CLOSE_LU`. None may be silent.
    """
    coded, gains, target = list[bytes](), *matching_gains(sounds, SAMPLE_RATE)
    for index, sound in enumerate(sounds):
        coded.append(_code(sound * np.float32(gains[index])))
        lost = target - integrated_loudness(decode_clip(coded[index]), SAMPLE_RATE)
        if abs(lost) > CLOSE_LU:
            gains[index] *= 10 ** (lost / 20)
            coded[index] = _code(sound * np.float32(gains[index]))
        progress(index + 1, len(sounds))
    return coded, gains, target


def decode_clip(coded: bytes) -> NDArray[np.float32]:
    """(samples, 2) of a coded clip, as a browser has them."""
    import soundfile

    return np.asarray(soundfile.read(io.BytesIO(coded), dtype="float32", always_2d=True)[0])


def _code(sound: NDArray[np.float32]) -> bytes:
    """MP3 without a name, a date or anything else in it."""
    import soundfile

    coded = io.BytesIO()
    level = np.clip(sound / CODED_LEVEL, -1.0, 1.0)
    coding = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": CODING, "bitrate_mode": "CONSTANT"}
    soundfile.write(coded, level, SAMPLE_RATE, **coding)
    return coded.getvalue()


def _onsets_by_bar(song: Song) -> NDArray[np.int64]:
    """(bars,) notes that begin in each bar; those just before its line count as in it."""
    lines = song.bar_lines()
    bars = np.searchsorted(lines, song.notes["onset"] + EARLY_TICKS, side="right") - 1
    return np.bincount(np.clip(bars, 0, len(lines) - 2), minlength=len(lines) - 1)


def _fitted(sound: NDArray[np.float32], clip_seconds: float) -> NDArray[np.float32]:
    """Cut or followed by silence, faded in and out."""
    length = round(clip_seconds * SAMPLE_RATE)
    fitted = np.zeros((length, 2), np.float32)
    fitted[: len(sound)] = sound[:length]
    for seconds, part in ((START_FADE_SECONDS, fitted), (FADE_SECONDS, fitted[::-1])):
        fade = min(round(seconds * SAMPLE_RATE), length)
        slope = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
        part[:fade] *= slope[:, None].astype(np.float32)
    return fitted


def _stereo_at_rate(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    """(samples, channels) at any rate -> (samples, 2) at ours."""
    from scipy.signal import resample_poly

    stereo = np.repeat(samples, 2, 1) if samples.shape[1] == 1 else samples[:, :2]
    if rate == SAMPLE_RATE or not len(stereo):
        return stereo
    factor = np.gcd(rate, SAMPLE_RATE)
    resampled = resample_poly(stereo, SAMPLE_RATE // factor, rate // factor, axis=0)
    return np.asarray(resampled, np.float32)


def _unreadable(path: Path, error: Exception) -> FormatError:
    reason = " ".join(str(error).split())
    return FormatError(f"{path} cannot be read as sound: {reason}; give one of {', '.join(SOUND_ENDINGS)}")

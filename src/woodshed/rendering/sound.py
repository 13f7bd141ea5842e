"""Sound: a song as samples in memory, or as a WAV, FLAC, OGG or MP3 file.

Two engines play: FluidSynth's library where it is installed, else our own (`synth`); both read the same SoundFonts
and are equally loud. Files are made in blocks, so a song of hours needs no more memory than one of seconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import FileError, LimitExceeded, OutOfRange, UnknownName
from woodshed.music import Song
from woodshed.rendering import fluidsynth, synth
from woodshed.rendering.output import written_whole
from woodshed.rendering.soundfont import find_soundfont, read_soundfont

ENGINES = ("auto", "fluidsynth", "woodshed")
FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
"""Suffix -> container and coding of each kind of sound file."""
PEAK = 10.0 ** (-1.0 / 20.0)
"""Files are scaled so that their loudest sample lies 1 dB below full scale: lossy codings overshoot a little."""
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
MAX_SECONDS = 6 * 3600
"""Longest song that is rendered, a guard against files that claim to last for years."""
WRITE_SAMPLES = 1 << 16
"""One long OGG write overflows the stack of libsndfile; blocks of this size never do."""

Progress = Callable[[float], None]
"""Called with the share done, 0-1."""


def render_audio(
    song: Song,
    *,
    sample_rate: int = 44100,
    soundfont: Path | None = None,
    engine: str = "auto",
    tail_seconds: float = 2.0,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """The song as (samples, 2) float32: its length and ``tail_seconds`` to ring out, at the engine's own level.

    One voice at full level peaks near 0.2, so a dense song may pass 1.0; `write_audio` scales.

    Raises:
        OutOfRange: for a sample rate or tail that cannot be.
        UnknownName: for another engine.
        LimitExceeded: for a song of more than `MAX_SECONDS`.
        MissingDependency: without a SoundFont, or without FluidSynth when it is asked for by name.
    """
    total = _total_samples(song, sample_rate, tail_seconds)
    sound = np.empty((total, 2), np.float32)
    done = 0
    for block in audio_blocks(
        song, sample_rate=sample_rate, soundfont=soundfont, engine=engine, tail_seconds=tail_seconds
    ):
        sound[done : done + len(block)] = block
        done += len(block)
        if progress is not None:
            progress(done / total)
    return sound


def audio_blocks(
    song: Song,
    *,
    sample_rate: int = 44100,
    soundfont: Path | None = None,
    engine: str = "auto",
    tail_seconds: float = 2.0,
) -> Iterator[NDArray[np.float32]]:
    """The same sound, one block of (samples, 2) after another; see `render_audio`."""
    total = _total_samples(song, sample_rate, tail_seconds)
    if engine not in ENGINES:
        raise UnknownName(f"engine {engine!r} is not one of {', '.join(ENGINES)}")
    font = Path(soundfont) if soundfont is not None else find_soundfont()
    if not font.is_file():
        raise FileError(f"{font}: no such SoundFont; give a .sf2 or .sf3 file")
    fits = len(song.parts) <= fluidsynth.MOST_PARTS and fluidsynth.is_available()
    if engine == "fluidsynth" or (engine == "auto" and fits):
        return fluidsynth.audio_blocks(song, font, sample_rate, total)
    return synth.audio_blocks(song, read_soundfont(font), sample_rate, total)


def _total_samples(song: Song, sample_rate: int, tail_seconds: float) -> int:
    """How long the sound is, checked."""
    if not 8000 <= sample_rate <= 96000:
        raise OutOfRange(f"sample rate {sample_rate} is outside 8000-96000; try 44100")
    if not 0.0 <= tail_seconds <= 60.0:
        raise OutOfRange(f"a tail of {tail_seconds:g} seconds is outside 0-60; try 2")
    if song.length_seconds > MAX_SECONDS:
        raise LimitExceeded(
            f"{song.title or 'the song'} lasts {song.length_seconds:.0f} seconds, more than {MAX_SECONDS}"
            " (rendering.sound.MAX_SECONDS); render some of its bars"
        )
    return max(round((song.length_seconds + tail_seconds) * sample_rate), 1)


def write_audio(
    song_or_samples: Song | NDArray[np.float32],
    path: Path,
    *,
    sample_rate: int = 44100,
    soundfont: Path | None = None,
    engine: str = "auto",
    tail_seconds: float = 2.0,
    normalise: bool = True,
    progress: Progress | None = None,
) -> None:
    """Write .wav, .flac (16 bits both), .ogg or .mp3: a song, which is played, or samples (n,) or (n, channels).

    With ``normalise`` the loudest sample ends 1 dB below full scale (silence stays silence); without, samples beyond
    full scale are clipped. A song goes through a temporary file of raw samples, so that its peak is known before
    the first sample is coded and memory holds one block. The file appears whole or not at all.

    Raises:
        UnknownName: for another suffix.
        OutOfRange: for a sample rate that MP3 does not have.
        FileError: when it cannot be written, and what `render_audio` raises.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise UnknownName(f"{path.name}: sound is written as one of {', '.join(FORMATS)}")
    if path.suffix.lower() == ".mp3" and sample_rate not in MP3_RATES:
        raise OutOfRange(f"{path.name}: MP3 has no sample rate {sample_rate}; try 44100 or 48000")
    if not isinstance(song_or_samples, Song):
        samples = np.asarray(song_or_samples, np.float32)
        samples = samples[:, None] if samples.ndim == 1 else samples
        starts = range(0, len(samples), WRITE_SAMPLES)
        pieces = (samples[start : start + WRITE_SAMPLES] for start in starts)
        _write_blocks(pieces, samples.shape[1], path, sample_rate, _scale(_peak(samples), normalise))
        return
    blocks = audio_blocks(
        song_or_samples, sample_rate=sample_rate, soundfont=soundfont, engine=engine, tail_seconds=tail_seconds
    )
    total = _total_samples(song_or_samples, sample_rate, tail_seconds)
    with _raw_file(path) as raw:
        peak, done = 0.0, 0
        for block in blocks:
            raw.write(block.tobytes())
            peak, done = max(peak, _peak(block)), done + len(block)
            if progress is not None:
                progress(done / total)
        raw.seek(0)
        _write_blocks(_read_blocks(raw), 2, path, sample_rate, _scale(peak, normalise))


def _read_blocks(raw: IO[bytes]) -> Iterator[NDArray[np.float32]]:
    """Stereo samples from a raw file; read, not mapped, so that they never fill memory."""
    while content := raw.read(WRITE_SAMPLES * 8):
        yield np.frombuffer(content, np.float32).reshape(-1, 2)


def _peak(samples: NDArray[np.float32]) -> float:
    """The largest magnitude, one block at a time."""
    blocks = (samples[start : start + WRITE_SAMPLES] for start in range(0, len(samples), WRITE_SAMPLES))
    return max((float(np.abs(block).max(initial=0.0)) for block in blocks), default=0.0)


def _scale(peak: float, normalise: bool) -> float:
    """What to multiply by."""
    return PEAK / peak if normalise and peak > 1e-6 else 1.0


def _write_blocks(
    blocks: Iterable[NDArray[np.float32]], channels: int, path: Path, sample_rate: int, scale: float
) -> None:
    """Code blocks of (samples, channels), one write each."""
    import soundfile

    container, coding = FORMATS[path.suffix.lower()]
    with written_whole(path) as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", sample_rate, channels, subtype=coding, format=container) as file:
                for block in blocks:
                    file.write(np.clip(block * np.float32(scale), -1.0, 1.0))
        except (soundfile.LibsndfileError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise FileError(f"{path} cannot be written: {reason}; is there room on the disk?") from error


@contextmanager
def _raw_file(path: Path) -> Iterator[IO[bytes]]:
    """A nameless file beside the output, where there must be room anyway."""
    try:
        with tempfile.TemporaryFile(dir=path.parent) as raw:
            yield raw
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(f"{path} cannot be written: {reason}; choose a folder that exists and has room") from error

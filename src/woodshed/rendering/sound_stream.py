"""A sound file that grows while it is played: .wav, .flac or .ogg."""

from __future__ import annotations

import struct
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import FileError, UnknownName
from woodshed.music import Song
from woodshed.rendering.sound import FORMATS, PEAK
from woodshed.rendering.soundfont import find_soundfont, read_soundfont
from woodshed.rendering.synth_stream import SynthStream

ENDINGS = (".wav", ".flac", ".ogg")
FIRST_LEVEL = 4.0
"""What samples are multiplied by at first; a louder stretch turns it down for good."""
FADE_SAMPLES = 512


class SoundStream:
    """Bars as sound. The file's level is not known beforehand: it is turned down where a block would pass 1 dB below
    full scale, and never up again, so that after the first loud bars it stays.

    Raises:
        UnknownName: for another ending.
        MissingDependency: without a SoundFont.
        FileError: if the file cannot be written.
    """

    def __init__(
        self, path: Path, frame: Song, early_ticks: int, *, sample_rate: int = 44100, soundfont: Path | None = None
    ) -> None:
        if path.suffix.lower() not in ENDINGS:
            raise UnknownName(f"{path}: sound that grows is one of {', '.join(ENDINGS)}")
        font = read_soundfont(soundfont or find_soundfont())
        self.synth = SynthStream(frame, font, sample_rate, early_ticks)
        self.level = FIRST_LEVEL
        self.path = path
        try:
            self.file: _Writer = (
                WavWriter(path, sample_rate) if path.suffix.lower() == ".wav" else _coded(path, sample_rate)
            )
        except OSError as error:
            raise _unwritable(path, error) from error

    def add(self, notes: NDArray[Any]) -> None:
        """A bar of `NOTE` rows, onsets from its bar line. It is in the file a bar and most of a second later."""
        for block in self.synth.add(notes):
            self._write(block)

    def close(self) -> None:
        """Let the last notes ring out, and end the file."""
        try:
            for block in self.synth.end():
                self._write(block)
        finally:
            self.file.close()

    def _write(self, block: NDArray[np.float32]) -> None:
        peak = float(np.abs(block).max(initial=0.0))
        level = min(self.level, PEAK / peak) if peak else self.level
        gain = np.full(len(block), level, np.float32)
        fade = min(FADE_SAMPLES, len(block))
        gain[:fade] = np.linspace(self.level, level, fade, dtype=np.float32)
        self.level = level
        try:
            self.file.write(np.clip(block * gain[:, None], -1.0, 1.0))
            self.file.flush()
        except (OSError, RuntimeError) as error:
            raise _unwritable(self.path, error) from error

    def __enter__(self) -> SoundStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Writer(Protocol):
    def write(self, samples: NDArray[np.float32]) -> Any: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class WavWriter:
    """16-bit stereo WAV whose header is true after every flush; past 4 GiB (6.7 hours) it becomes RF64.

    Room for the 64-bit sizes is kept from the start, as EBU Tech 3306 says.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.file = path.open("wb", buffering=0)
        self.size = 0
        """Bytes of samples that the header covers or will cover."""
        self.file.write(self._header())

    def write(self, samples: NDArray[np.float32]) -> None:
        """Samples (n, 2) from -1 to 1, behind what the header covers."""
        data = np.rint(samples * 32767.0).astype("<i2").tobytes()
        self.file.seek(0, 2)
        rest = memoryview(data)
        while rest:
            rest = rest[self.file.write(rest) :]
        self.size += len(data)

    def flush(self) -> None:
        """The header covers all that was written."""
        self.file.seek(0)
        self.file.write(self._header())

    def _header(self) -> bytes:
        """80 bytes."""
        whole = self.size + 72
        big = whole >= 1 << 32
        sizes = struct.pack("<QQQI", whole, self.size, self.size // 4, 0)
        junk = (b"ds64" if big else b"JUNK") + struct.pack("<I", 28) + (sizes if big else bytes(28))
        top = (1 << 32) - 1
        riff = (b"RF64" if big else b"RIFF") + struct.pack("<I", min(whole, top)) + b"WAVE"
        coding = struct.pack("<IHHIIHH", 16, 1, 2, self.sample_rate, 4 * self.sample_rate, 4, 16)
        return riff + junk + b"fmt " + coding + b"data" + struct.pack("<I", min(self.size, top))

    def close(self) -> None:
        """No more comes."""
        self.flush()
        self.file.close()


def _coded(path: Path, sample_rate: int) -> Any:
    """FLAC or OGG, which are complete only when closed; what is there before can mostly be played."""
    import soundfile

    container, coding = FORMATS[path.suffix.lower()]
    try:
        return soundfile.SoundFile(path, "w", sample_rate, 2, subtype=coding, format=container)
    except soundfile.LibsndfileError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> FileError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return FileError(f"{path} cannot be written: {reason}; choose a folder that exists and has room")

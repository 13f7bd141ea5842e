"""FluidSynth as a library, played block by block through ctypes; no other process, no sound device.

Source: the FluidSynth 2 API reference (https://www.fluidsynth.org/api/).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import FormatError, LimitExceeded, MissingDependency
from woodshed.music import Song
from woodshed.rendering.performance import CHORUS, DEFAULT_CHORUS, DEFAULT_REVERB, REVERB, sample_times

BLOCK_SAMPLES = 1 << 16
MOST_PARTS = 256
POLYPHONY = 512
GAIN = 0.2
_NAMES = ("libfluidsynth.so.3", "libfluidsynth.so.2", "libfluidsynth.dylib", "libfluidsynth-3.dll", "fluidsynth")
_IGNORED_CONTROLS = (0, 32, *range(120, 128))
"""Bank selection and channel modes: a part's instrument is its program, and nothing resets it."""
_FAILED = -1
_DRUMS, _MELODY = 1, 0
_OFF, _BEND, _CONTROL, _ON = range(4)
"""Order of events that fall on one sample."""


def is_available() -> bool:
    """Whether the shared library can be loaded."""
    return _library() is not None


def audio_blocks(song: Song, font: Path, sample_rate: int, total_samples: int) -> Iterator[NDArray[np.float32]]:
    """The song as stretches of (up to `BLOCK_SAMPLES`, 2) float32, ``total_samples`` in all.

    Raises:
        MissingDependency: without the shared library.
        FormatError: when FluidSynth cannot load the font.
        LimitExceeded: for more parts than it has channels.
    """
    if len(song.parts) > MOST_PARTS:
        raise LimitExceeded(
            f"{song.title or 'the song'} has {len(song.parts)} parts; FluidSynth plays at most {MOST_PARTS},"
            " the engine 'woodshed' plays them all"
        )
    with _Player(font, sample_rate, max(len(song.parts), 1)) as player:
        for channel, part in enumerate(song.parts):
            player.choose(channel, part.program, part.is_drum)
        events = _events(song, sample_rate)
        following = 0
        for start in range(0, total_samples, BLOCK_SAMPLES):
            block = np.zeros((min(BLOCK_SAMPLES, total_samples - start), 2), np.float32)
            last = int(np.searchsorted(events["sample"], start + len(block), side="left"))
            _play(player, events[following:last], block, start)
            following = last
            yield block


_EVENT = np.dtype([("sample", "<i8"), ("kind", "<i2"), ("channel", "<i2"), ("first", "<i4"), ("second", "<i4")])


def _events(song: Song, sample_rate: int) -> NDArray[Any]:
    """Everything to be sent, in order of time; at one time notes end before controllers move before notes begin."""
    controls = song.controls[~np.isin(song.controls["number"], _IGNORED_CONTROLS)]
    notes, bends = song.notes, song.bends
    return _sorted(
        _column(_ON, sample_times(song, notes["onset"], sample_rate), notes["part"], notes["pitch"], notes["velocity"]),
        _column(_OFF, sample_times(song, song.ends, sample_rate), notes["part"], notes["pitch"], 0),
        _column(
            _CONTROL, sample_times(song, controls["onset"], sample_rate), controls["part"], controls["number"],
            controls["value"],
        ),
        _column(_BEND, sample_times(song, bends["onset"], sample_rate), bends["part"], bends["value"] + 8192, 0),
    )  # fmt: skip


def _column(kind: int, samples: NDArray[np.int64], part: Any, first: Any, second: Any) -> NDArray[Any]:
    """Rows of one kind of event."""
    rows = np.empty(len(samples), _EVENT)
    rows["sample"], rows["kind"], rows["channel"], rows["first"], rows["second"] = samples, kind, part, first, second
    return rows


def _sorted(*events: NDArray[Any]) -> NDArray[Any]:
    """All rows in the order in which they are sent."""
    rows = np.concatenate(events)
    return rows[np.lexsort((rows["kind"], rows["sample"]))]


def _play(player: _Player, events: NDArray[Any], block: NDArray[np.float32], start: int) -> None:
    """Fill a block, stopping wherever something is to be sent."""
    done = 0
    for sample, kind, channel, first, second in events.tolist():
        player.write(block, done, sample - start)
        done = max(done, sample - start)
        player.send(kind, channel, first, second)
    player.write(block, done, len(block))


class _Player:
    """One synthesizer with one font; a context manager, so that the library's memory is given back."""

    def __init__(self, font: Path, sample_rate: int, parts: int) -> None:
        library = _library()
        if library is None:
            raise MissingDependency(
                "the FluidSynth library is not installed; install it (for example the package libfluidsynth3), or use"
                " the engine 'woodshed'"
            )
        self.library = library
        self.settings = library.new_fluid_settings()
        library.fluid_settings_setnum(self.settings, b"synth.sample-rate", float(sample_rate))
        library.fluid_settings_setnum(self.settings, b"synth.gain", GAIN)
        library.fluid_settings_setint(self.settings, b"synth.polyphony", POLYPHONY)
        library.fluid_settings_setint(self.settings, b"synth.midi-channels", -(-parts // 16) * 16)
        self.synth = library.new_fluid_synth(self.settings)
        self.font = library.fluid_synth_sfload(self.synth, str(font).encode(), 1)
        if self.font == _FAILED:
            self.close()
            raise FormatError(f"{font}: FluidSynth cannot load this SoundFont; give another one")

    def __enter__(self) -> _Player:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the synthesizer and its settings."""
        self.library.delete_fluid_synth(self.synth)
        self.library.delete_fluid_settings(self.settings)

    def choose(self, channel: int, program: int, is_drum: bool) -> None:
        """Give a channel its instrument."""
        self.library.fluid_synth_set_channel_type(self.synth, channel, _DRUMS if is_drum else _MELODY)
        self.library.fluid_synth_bank_select(self.synth, channel, 128 if is_drum else 0)
        self.library.fluid_synth_program_change(self.synth, channel, program)
        self.send(_CONTROL, channel, REVERB, DEFAULT_REVERB)
        self.send(_CONTROL, channel, CHORUS, DEFAULT_CHORUS)

    def send(self, kind: int, channel: int, first: int, second: int) -> None:
        """One event, now."""
        if kind == _ON:
            self.library.fluid_synth_noteon(self.synth, channel, first, second)
        elif kind == _OFF:
            self.library.fluid_synth_noteoff(self.synth, channel, first)
        elif kind == _CONTROL:
            self.library.fluid_synth_cc(self.synth, channel, first, second)
        else:
            self.library.fluid_synth_pitch_bend(self.synth, channel, first)

    def write(self, block: NDArray[np.float32], first: int, last: int) -> None:
        """Let it play into rows ``first`` up to ``last`` of an interleaved block."""
        if last > first:
            place = block.ctypes.data_as(ctypes.c_void_p)
            self.library.fluid_synth_write_float(self.synth, last - first, place, 2 * first, 2, place, 2 * first + 1, 2)


@functools.cache
def _library() -> Any:
    """The shared library with its functions' types declared; None when there is none."""
    for name in _NAMES:
        found = name if "." in name else ctypes.util.find_library(name)
        try:
            library = ctypes.CDLL(found) if found else None
        except OSError:
            continue
        if library is not None and hasattr(library, "fluid_synth_write_float"):
            return _declared(library)
    return None


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """Say what each function takes and gives, and silence its log, which would go to the terminal."""
    pointer, integer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_double, ctypes.c_char_p
    for name, result, arguments in (
        ("new_fluid_settings", pointer, []),
        ("delete_fluid_settings", None, [pointer]),
        ("fluid_settings_setnum", integer, [pointer, text, number]),
        ("fluid_settings_setint", integer, [pointer, text, integer]),
        ("new_fluid_synth", pointer, [pointer]),
        ("delete_fluid_synth", None, [pointer]),
        ("fluid_synth_sfload", integer, [pointer, text, integer]),
        ("fluid_synth_set_channel_type", integer, [pointer, integer, integer]),
        ("fluid_synth_bank_select", integer, [pointer, integer, integer]),
        ("fluid_synth_program_change", integer, [pointer, integer, integer]),
        ("fluid_synth_noteon", integer, [pointer, integer, integer, integer]),
        ("fluid_synth_noteoff", integer, [pointer, integer, integer]),
        ("fluid_synth_cc", integer, [pointer, integer, integer, integer]),
        ("fluid_synth_pitch_bend", integer, [pointer, integer, integer]),
        ("fluid_synth_write_float", integer, [pointer, integer, pointer, integer, integer, pointer, integer, integer]),
        ("fluid_set_log_function", pointer, [integer, pointer, pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    for level in range(5):
        library.fluid_set_log_function(level, None, None)
    return library

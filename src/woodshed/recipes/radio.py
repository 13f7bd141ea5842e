"""Radio: a bundle plays for ever, bar by bar, to a file that grows or to whoever reads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Protocol, TextIO

import numpy as np

from woodshed.bundle import EVENTS, LATENT, NOTES, ROLLS, WINDOWS, Bundle, kind_of
from woodshed.errors import BundleError, OutOfRange, UnknownName, UsageError
from woodshed.formats.midi_stream import MidiStream
from woodshed.generation.filters import Sampling
from woodshed.generation.stream import EARLY_TICKS, Bar, Station, endless, last_bar
from woodshed.music import Song, part_name
from woodshed.recipes.clip import LARGEST_SEED, default_sampling, key_name, settings_of
from woodshed.recipes.files import MIDI_ENDINGS, check_outputs, check_range
from woodshed.recipes.verbs import sings
from woodshed.recipes.wish import Wish, keep_frame

AHEAD_BARS = 4
"""With ``pace``, so many bars are made before their time."""
SOUND_ENDINGS = (".wav", ".flac", ".ogg")
STDOUT = Path("-")
MOST_BARS = 10**9
CHORALES = "chorales"

Tuner = Callable[[Bundle, Wish, Sampling, np.random.Generator, Song | None], Station]
"""Finds a station in a bundle: what kind of music is wished for, how it is drawn, chance for what is left open, and a
primer."""


@dataclass(frozen=True)
class Radio:
    """A station, and all that makes it play the same again."""

    frame: Song
    """One empty bar, with parts, tempo, meter and key."""
    settings: dict[str, Any]
    bars: Iterator[Bar]
    """Without end."""


def play_radio(
    bundle: Bundle,
    wish: Wish | None = None,
    sampling: Sampling | None = None,
    *,
    seed: int,
    primer: Song | None = None,
) -> Radio:
    """Bars for ever, no eight of which ever come again; after ``primer``, which is not played.

    The same bundle, wish, sampling, seed and primer give the same bars. ``wish.bars`` is not read.

    Raises:
        OutOfRange: for numbers outside their range.
        UsageError: for wishes that the bundle's recipe cannot fulfil.
        UnknownName: for a part that the bundle knows nothing like.
        CodecError: for a primer that the bundle cannot go on from.
        InfeasibleCanvas: for wishes that no music can fulfil.
    """
    wish, sampling = wish or Wish(bars=1), sampling or default_sampling(bundle)
    check_range("seed", seed, 0, LARGEST_SEED)
    if wish.steps is not None or wish.beam.size != 1 or wish.beam.branch_factor != 1:
        raise UsageError("radio has no end to search for: leave out --steps, --beam and --branch-factor")
    if primer is not None:
        keep_frame(wish, "the primer's")
    station = _tuner(bundle)(bundle, wish, sampling, np.random.default_rng([seed]), primer)
    settings = settings_of("radio", bundle, wish, sampling, seed, 0, 1)
    del settings["number"], settings["candidates"], settings["bars"]
    return Radio(station.frame, settings, endless(station, sampling, seed, wish.polyphony))


def _tuner(bundle: Bundle) -> Tuner:
    """Who finds a station in a bundle of its kind."""
    if sings(bundle):
        kind = CHORALES
    else:
        kind = kind_of(bundle)
    if kind not in TUNERS:
        raise BundleError(f"{bundle.folder or 'the bundle'} (recipe {bundle.recipe}) plays clips only; use `generate`")
    return TUNERS[kind]


def _band(bundle: Bundle, wish: Wish, _: Sampling, rng: np.random.Generator, primer: Song | None) -> Station:
    from woodshed.generation.canvas import blank_canvas, continuation_canvas
    from woodshed.generation.stream_notes import tune_notes
    from woodshed.recipes.asked import with_ranges

    if primer is not None:
        canvas = continuation_canvas(primer, 1, key=wish.key, polyphony=wish.polyphony, harmony=False)
    else:
        canvas = blank_canvas(
            bundle,
            1,
            rng,
            parts=wish.parts,
            key=wish.key,
            bpm=wish.bpm,
            meter=wish.meter,
            polyphony=wish.polyphony,
            harmony=False,
        )
    canvas = with_ranges(canvas, wish.ranges)
    from woodshed.recipes.clip import with_key

    return tune_notes(bundle, canvas, with_key(last_bar(canvas.song), wish.key))


def _line(bundle: Bundle, wish: Wish, _: Sampling, rng: np.random.Generator, primer: Song | None) -> Station:
    from woodshed.recipes.lines import line_station

    return line_station(bundle, wish, primer)


def _voices(bundle: Bundle, wish: Wish, _: Sampling, rng: np.random.Generator, primer: Song | None) -> Station:
    from woodshed.recipes.chorales import voice_station

    if primer is not None:
        raise UsageError("chorales begin from nothing; leave the primer out, or use `woodshed harmonise`")
    return voice_station(bundle, wish)


def _solo(bundle: Bundle, wish: Wish, _: Sampling, rng: np.random.Generator, primer: Song | None) -> Station:
    from woodshed.recipes.solos import window_station

    return window_station(bundle, wish, rng, primer)


def _walk(bundle: Bundle, wish: Wish, sampling: Sampling, rng: np.random.Generator, primer: Song | None) -> Station:
    from woodshed.recipes.radio_clips import latent_station

    if primer is not None:
        raise UsageError("a walk through a latent space begins anywhere; leave the primer out, or use `woodshed vary`")
    return latent_station(bundle, wish, sampling, rng)


def _rolls(bundle: Bundle, wish: Wish, sampling: Sampling, rng: np.random.Generator, primer: Song | None) -> Station:
    from woodshed.recipes.radio_clips import roll_station

    return roll_station(bundle, wish, sampling, rng, primer)


TUNERS: dict[str, Tuner] = {
    NOTES: _band, EVENTS: _line, CHORALES: _voices, WINDOWS: _solo, LATENT: _walk, ROLLS: _rolls,
}  # fmt: skip
"""Kind of bundle -> who finds a station in it."""


class Receiver(Protocol):
    """Takes bars."""

    paths: list[Path]
    """The files that it wrote."""

    def take(self, bar: Bar) -> None:
        """When this returns, the bar is where it should be."""
        ...

    def close(self) -> None:
        """There are no more."""
        ...


class MidiFiles:
    """A MIDI file that is complete after every bar; when it is as long as a file should be, the next begins."""

    def __init__(self, path: Path, radio: Radio, *, force: bool = False) -> None:
        self.path, self.radio, self.force = path, radio, force
        self.paths = [path]
        self._stream = self._open(path)

    def _open(self, path: Path) -> MidiStream:
        settings = {**self.radio.settings, "file": len(self.paths)}
        return MidiStream(path, self.radio.frame, json.dumps(settings, ensure_ascii=False, sort_keys=True))

    def take(self, bar: Bar) -> None:
        """Append it."""
        if self._stream.is_full:
            self._stream.close()
            path = self.path.with_name(f"{self.path.stem}-{len(self.paths) + 1}{self.path.suffix}")
            check_outputs([path], force=self.force)
            self.paths.append(path)
            self._stream = self._open(path)
        self._stream.add(bar.notes, EARLY_TICKS)

    def close(self) -> None:
        """The file is complete already."""
        self._stream.close()


class SoundFile:
    """Sound that grows."""

    def __init__(self, path: Path, radio: Radio) -> None:
        from woodshed.rendering.sound_stream import SoundStream

        self.paths = [path]
        self._stream = SoundStream(path, radio.frame, EARLY_TICKS)

    def take(self, bar: Bar) -> None:
        """Play it."""
        self._stream.add(bar.notes)

    def close(self) -> None:
        """Let it ring out."""
        self._stream.close()


class JsonLines:
    """One line of JSON for each bar, flushed at once."""

    def __init__(self, out: TextIO, radio: Radio) -> None:
        self.out, self.frame, self.paths = out, radio.frame, list[Path]()
        self.about = {
            "tempo": self.frame.bpm,
            "meter": str(self.frame.meter),
            "key": key_name(self.frame) or None,
            "bar_ticks": self.frame.meter.bar_ticks,
            "parts": [
                {"name": part_name(part), "program": part.program, "is_drum": part.is_drum} for part in self.frame.parts
            ],
        }

    def take(self, bar: Bar) -> None:
        """Write and flush it."""
        self.out.write(json.dumps(self.as_dict(bar), ensure_ascii=False) + "\n")
        self.out.flush()

    def as_dict(self, bar: Bar) -> dict[str, Any]:
        """Bar number, its place, and its notes; ticks are 1/480 of a quarter note."""
        names = ("part", "pitch", "velocity", "onset", "duration")
        seconds_per_tick = 60 / (480 * self.frame.bpm)
        notes = [
            {
                **dict(zip(names, row, strict=True)),
                "start_seconds": round(bar.start_seconds + row[3] * seconds_per_tick, 6),
                "length_seconds": round(row[4] * seconds_per_tick, 6),
            }
            for row in bar.notes[list(names)].tolist()
        ]
        place = {"bar": bar.number, "start_tick": bar.start, "start_seconds": round(bar.start_seconds, 6)}
        return {**place, **self.about, "notes": notes, "attempts": bar.attempts}

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Tally:
    """What was played so far."""

    bars: int = 0
    notes: int = 0
    seconds: float = 0.0
    drawn_again: int = 0
    """How many bars would have repeated eight bars, and were drawn again."""

    def add(self, bar: Bar, bar_seconds: float) -> None:
        """Count one more."""
        self.bars, self.notes = bar.number, self.notes + len(bar.notes)
        self.seconds = bar.start_seconds + bar_seconds
        self.drawn_again += bar.attempts > 1


def check_output(path: Path, *, force: bool) -> None:
    """Before any work is done.

    Raises:
        UnknownName: for an ending that is none.
        OutputExists: if the file is there and ``force`` is not.
    """
    if path == STDOUT:
        return
    if path.suffix.lower() not in (*MIDI_ENDINGS, *SOUND_ENDINGS):
        known = ", ".join((*MIDI_ENDINGS, *SOUND_ENDINGS))
        raise UnknownName(f"output {path}: the ending is one of {known}; or - for JSON lines on stdout")
    check_outputs([path], force=force)


def check_length(bars: int | None) -> None:
    """Raise `OutOfRange` unless there is no end, or one after at least a bar."""
    if bars is not None and not 1 <= bars <= MOST_BARS:
        raise OutOfRange(f"bars {bars} is outside 1-{MOST_BARS}; leave it out to play for ever")


def broadcast(
    radio: Radio,
    receiver: Receiver,
    stop: Event,
    *,
    bars: int | None = None,
    pace: bool = False,
    on_bar: Callable[[Tally], None] | None = None,
) -> Tally:
    """Hand bars to the receiver until there are ``bars`` of them, or ``stop`` is set, which is looked at every bar.

    With ``pace`` a bar is handed over `AHEAD_BARS` bars before its time at the earliest. The receiver is closed in
    any case.
    """
    tally = Tally()
    bar_seconds = float(radio.frame.seconds(radio.frame.meter.bar_ticks))
    began = time.monotonic()
    try:
        for bar in radio.bars:
            early = bar.start_seconds - AHEAD_BARS * bar_seconds - (time.monotonic() - began)
            if stop.wait(early if pace and early > 0 else 0):
                break
            receiver.take(bar)
            tally.add(bar, bar_seconds)
            if on_bar is not None:
                on_bar(tally)
            if bar.number == bars:
                break
    finally:
        receiver.close()
    return tally


def open_receiver(path: Path, radio: Radio, stdout: TextIO, *, force: bool = False) -> Receiver:
    """What its ending asks for."""
    if path == STDOUT:
        return JsonLines(stdout, radio)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in SOUND_ENDINGS:
        return SoundFile(path, radio)
    return MidiFiles(path, radio, force=force)

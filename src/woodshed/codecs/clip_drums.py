"""Drum patterns of two bars for MusicVAE: which of nine kinds of drum are hit, each sixteenth note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.clips import (
    BAR_STEPS,
    BAR_TICKS,
    Stretch,
    Window,
    check_clip,
    check_heard,
    check_tokens,
    clips_at,
    cut,
    drum_parts,
    leave_out,
    longest_run,
    of_parts,
    stretches,
    windows,
)
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import NOTE, Part, Song
from woodshed.music.melodies import STEP_TICKS

VELOCITY = 100


class DrumClass(NamedTuple):
    """One of the kinds of drum that are told apart."""

    name: str
    pitches: tuple[int, ...]
    """General MIDI drums that belong to it; the first is what is played."""


DRUM_CLASSES = (
    DrumClass("kick", (36, 35)),
    DrumClass("snare", (38, 27, 28, 31, 32, 33, 34, 37, 39, 40, 56, 65, 66, 75, 85)),
    DrumClass("closed hi-hat", (42, 44, 54, 68, 69, 70, 71, 73, 78, 80, 22)),
    DrumClass("open hi-hat", (46, 67, 72, 74, 79, 81, 26)),
    DrumClass("low tom", (45, 29, 41, 43, 61, 64, 84)),
    DrumClass("mid tom", (48, 47, 60, 63, 77, 86, 87)),
    DrumClass("high tom", (50, 30, 62, 76, 83)),
    DrumClass("crash", (49, 52, 55, 57, 58)),
    DrumClass("ride", (51, 53, 59, 82)),
)
"""``DEFAULT_DRUM_TYPE_PITCHES`` of ``note_seq``: all drums of General MIDI 1 and 2, and 22 and 26 of Roland's kits."""
SYMBOLS = 2 ** len(DRUM_CLASSES)
CLASS_OF = np.full(128, -1)
"""Pitch -> index into `DRUM_CLASSES`; -1 for a pitch that is no drum."""
for _number, _class in enumerate(DRUM_CLASSES):
    CLASS_OF[list(_class.pitches)] = _number
_PLAYED = np.array([drum.pitches[0] for drum in DRUM_CLASSES])


def hits_of(notes: NDArray[Any], start: int, size: int) -> NDArray[np.int64]:
    """(size,) symbols of drum notes from tick ``start`` on: the sum of ``2 ** class`` of the classes that are hit."""
    step = (notes["onset"].astype(np.int64) - start + STEP_TICKS // 2) // STEP_TICKS
    drum = CLASS_OF[notes["pitch"]]
    inside = (step >= 0) & (step < size) & (drum >= 0)
    symbols = np.zeros(size, np.int64)
    np.bitwise_or.at(symbols, step[inside], 1 << drum[inside])
    return symbols


def hit_notes(symbols: NDArray[np.int64], part: int) -> NDArray[Any]:
    """The notes of (T,) symbols, each a sixteenth long, played by part number ``part``; sorted."""
    step, drum = np.nonzero(symbols[:, None] >> np.arange(len(DRUM_CLASSES)) & 1)
    notes = np.zeros(len(step), NOTE)
    notes["part"], notes["onset"], notes["duration"] = part, step * STEP_TICKS, STEP_TICKS
    notes["pitch"], notes["velocity"] = _PLAYED[drum], VELOCITY
    return np.sort(notes, order=("onset", "part", "pitch"))


def symbol_name(symbol: int) -> str:
    """What is hit.

    >>> symbol_name(5)
    'kick, closed hi-hat'
    """
    names = [drum.name for number, drum in enumerate(DRUM_CLASSES) if symbol >> number & 1]
    return ", ".join(names) or "nothing is hit"


@dataclass(frozen=True)
class ClipDrumsCodec:
    """Write two bars of drums in 4/4 as 32 symbols, one each sixteenth.

    A symbol is a number of nine binary digits, 0 to 511, the ones first: kick, snare, closed hi-hat, open hi-hat,
    low, mid and high tom, crash, ride, see `DRUM_CLASSES`. 0 is a rest, 5 is kick and closed hi-hat.

    Kept exactly: which class is hit on which sixteenth. Dropped: velocity (100 for all), duration (a sixteenth), which
    drum of its class it was, what is no drum of General MIDI.

    Raises:
        CodecError: from ``arrange``, for an empty or too long clip, another meter than 4/4, no drums; from ``decode``,
            on a symbol out of the vocabulary.

    Source:
        Roberts et al. (2018), and Magenta's ``DrumsConverter``; the classes are those of ``note_seq``.
    """

    name: ClassVar[str] = "clip-drums"
    version: ClassVar[int] = 1
    parts: ClassVar[tuple[str, ...]] = ("drums",)
    vocabulary: ClassVar[tuple[int, ...]] = (SYMBOLS,)
    bars: ClassVar[int] = 2
    steps: ClassVar[int] = 2 * BAR_STEPS
    segments: ClassVar[int] = 1
    per_part: ClassVar[bool] = False
    grid_ticks: ClassVar[int] = STEP_TICKS

    def field_sizes(self) -> dict[str, int]:
        """Part -> how many symbols it has."""
        return dict(zip(self.parts, self.vocabulary, strict=True))

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version}

    def allowed(self, row: int, player: Part, pitches: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(V,) which symbols may be played: all, whatever ``pitches`` may."""
        return np.ones(SYMBOLS, bool)

    def clips(self, song: Song) -> list[Song]:
        """The clips of `windows`."""
        return self.windows(song)[0]

    def drop_reason(self, song: Song) -> str:
        """Why the song has no clip, one of `woodshed.codecs.clips.REMEDIES`; empty if it has."""
        found, reasons = self.windows(song)
        return "" if found else next(iter(reasons.most_common(1)), ("too short", 0))[0]

    def windows(self, song: Song) -> tuple[list[Song], Counter[str]]:
        """Every clip of the drums, a bar apart; and how many were left out, by reason.

        Left out are those that are empty or have a rest of a bar or more, and repeats.
        """
        reasons: Counter[str] = Counter()
        parts = drum_parts(song)
        if not parts:
            reasons["no drums" if len(song) else "no notes"] += 1
            return [], reasons
        if not (places := stretches(song)):
            reasons["not 4/4"] += 1
        notes = of_parts(song.notes, parts)
        found = [window for place in places for window in self._windows(notes, parts[0], place, reasons)]
        return clips_at(song, found, self.bars, self.decode, reasons), reasons

    def transposition(self, song: Song, parts: Sequence[int]) -> int:
        """Nothing is moved."""
        return 0

    def arrange(self, song: Song) -> Song:
        """The drums of a clip on sixteenths, just two bars long, all drum parts as one."""
        check_clip(song, self.bars)
        parts = self.heard_parts(song)
        return check_heard(self.decode(self.hear(song, parts), cut(song, self.bars, parts[:1])), self.bars)

    def hear(self, song: Song, parts: Sequence[int]) -> NDArray[np.int64]:
        """(1, 32) symbols of what these parts of a clip play."""
        return hits_of(of_parts(song.notes, parts), 0, self.steps)[None]

    def heard_parts(self, song: Song) -> tuple[int, ...]:
        """The drum parts.

        Raises:
            CodecError: if there is none.
        """
        parts = tuple(drum_parts(song))
        if not parts:
            raise CodecError(f"{song.title or 'the clip'} has no drums; use vae-melody-2bar for a melody")
        return parts

    def encode(self, song: Song) -> NDArray[np.int64]:
        """(1, 32) symbols of an arranged clip."""
        return hits_of(song.notes, 0, self.steps)[None]

    def decode(self, tokens: NDArray[np.int64], frame: Song) -> Song:
        """The hits of (1, 32) symbols in the first part of ``frame``, two bars long; in a drum kit if that is none."""
        symbols = check_tokens(tokens, self.vocabulary, self.steps)[0]
        parts = frame.parts[:1] if frame.parts and frame.parts[0].is_drum else (Part("Drums", 0, is_drum=True),)
        return frame.replace(parts=parts, notes=hit_notes(symbols, 0), length=self.bars * BAR_TICKS)

    def snap(self, song: Song) -> Song:
        """The nearest clip that comes back from `encode` and `decode` unchanged."""
        return self.arrange(song)

    def scored(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(1, 32) which tokens count: all."""
        return np.ones(np.shape(tokens), bool)

    def notes(self, tokens: NDArray[np.int64]) -> int:
        """How many hits there are."""
        return int(np.bitwise_count(np.asarray(tokens)).sum())

    def describe(self, field: str, symbol: int) -> str:
        """What a symbol means."""
        if field not in self.parts or not 0 <= symbol < SYMBOLS:
            raise OutOfRange(f"field {field!r} symbol {symbol}: the field is {self.parts[0]} with {SYMBOLS} symbols")
        return symbol_name(symbol)

    def _windows(self, notes: NDArray[Any], part: int, place: Stretch, reasons: Counter[str]) -> list[Window]:
        """The clips in a stretch."""
        rows = windows(hits_of(notes, place.start, place.bars * BAR_STEPS), self.steps)  # (W, 32)
        left = np.ones(len(rows), bool)
        if not len(rows):
            reasons["too short"] += 1
        leave_out(left, ~rows.any(axis=1), "empty", reasons)
        leave_out(left, longest_run(rows == 0) >= BAR_STEPS, "gap", reasons)
        return [Window(rows[bar][None], place.start + int(bar) * BAR_TICKS, (part,)) for bar in np.flatnonzero(left)]

"""Melodies of two bars for MusicVAE: one event each sixteenth note."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.clips import (
    BAR_STEPS,
    BAR_TICKS,
    FIRST_PITCH,
    Stretch,
    Window,
    check_clip,
    check_heard,
    check_tokens,
    clips_at,
    cut,
    in_key,
    leave_out,
    longest_rest,
    of_parts,
    pitched_parts,
    stretches,
    to_c_major,
    voice_of,
    windows,
    without_idle_offs,
)
from woodshed.codecs.melody import MelodyCodec
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import Part, Song
from woodshed.music.melodies import STEP_TICKS, into_range

_TUNEFUL = ("melody", "lead", "voice")


@dataclass(frozen=True)
class ClipMelodyCodec:
    """Write a melody of two bars of 4/4 as 32 events, numbered as in `MelodyCodec`.

    =========== ==================================================
    id          meaning
    =========== ==================================================
    0           no event: what sounds goes on, or the rest
    1           note off
    2-89        a note of pitch ``id - 2 + low`` starts, 21 to 108
    =========== ==================================================

    Kept exactly: onset, duration and pitch of a melody on sixteenths. Dropped: velocities (100 for all), what lies
    below another note of its part. A note that began before the clip is a rest in it.

    Raises:
        CodecError: from ``arrange``, for an empty or too long clip, another meter than 4/4, only drums; from
            ``decode``, on an id out of the vocabulary.
        OutOfRange: from ``encode``, on a pitch outside the range.

    Source:
        Magenta's ``OneHotMelodyConverter`` as ``cat-mel_2bar_big`` uses it, with its 90 classes. We differ in moving
        a pitch that is out of range by octaves, where Magenta drops it, in leaving out clips on one pitch, and in one
        key for all songs, where Magenta moves each example by chance.
    """

    low: int = 21
    """The lowest pitch."""
    high: int = 109
    """Above the highest pitch, at least an octave above ``low``."""
    transpose: bool = True
    """Whether clips of a song are moved to C major or A minor, by -6 to 5 semitones."""

    name: ClassVar[str] = "clip-melody"
    version: ClassVar[int] = 1
    parts: ClassVar[tuple[str, ...]] = ("melody",)
    bars: ClassVar[int] = 2
    steps: ClassVar[int] = 2 * BAR_STEPS
    segments: ClassVar[int] = 1
    per_part: ClassVar[bool] = False
    grid_ticks: ClassVar[int] = STEP_TICKS

    def __post_init__(self) -> None:
        self._melody  # noqa: B018 - a range that is none is refused there

    @property
    def _melody(self) -> MelodyCodec:
        return MelodyCodec(self.low, self.high, transpose=False)

    @property
    def vocabulary(self) -> tuple[int, ...]:
        """How many ids the one part has."""
        return (self._melody.events,)

    def field_sizes(self) -> dict[str, int]:
        """Part -> how many ids it has."""
        return dict(zip(self.parts, self.vocabulary, strict=True))

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version, **vars(self)}

    def allowed(self, row: int, player: Part, pitches: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(V,) which ids of a row may be played, where those of (128,) ``pitches`` may."""
        return np.concatenate((np.ones(FIRST_PITCH, bool), pitches[self.low : self.high]))

    def clips(self, song: Song) -> list[Song]:
        """The clips of `windows`."""
        return self.windows(song)[0]

    def drop_reason(self, song: Song) -> str:
        """Why the song has no clip, one of `woodshed.codecs.clips.REMEDIES`; empty if it has."""
        found, reasons = self.windows(song)
        return "" if found else next(iter(reasons.most_common(1)), ("too short", 0))[0]

    def windows(self, song: Song) -> tuple[list[Song], Counter[str]]:
        """Every clip of each part that plays one note at a time, a bar apart; and how many were left out, by reason.

        Left out are those that are empty, have a rest of a bar or more, a chord, or one pitch only, and repeats.
        """
        reasons: Counter[str] = Counter()
        parts = pitched_parts(song)
        if not parts:
            reasons["only drums" if len(song) else "no notes"] += 1
            return [], reasons
        if not (places := stretches(song)):
            reasons["not 4/4"] += 1
        found: list[Song] = []
        for part in parts:
            alone = in_key(song.replace(notes=of_parts(song.notes, [part])), self.transposition(song, [part]))
            kept = [window for place in places for window in self._windows(alone.notes, part, place, reasons)]
            found += clips_at(alone, kept, self.bars, self.decode, reasons)
        return found, reasons

    def transposition(self, song: Song, parts: Sequence[int]) -> int:
        """By how many semitones `windows` moves what these parts of a song play: -6 to 5."""
        return to_c_major(song, parts) if self.transpose else 0

    def arrange(self, song: Song) -> Song:
        """The melody of a clip on sixteenths, just two bars long: that of its most tuneful part, its highest notes."""
        check_clip(song, self.bars)
        parts = self.heard_parts(song)
        return check_heard(self.decode(self.hear(song, parts), cut(song, self.bars, parts)), self.bars)

    def hear(self, song: Song, parts: Sequence[int]) -> NDArray[np.int64]:
        """(1, 32) ids of what these parts of a clip play."""
        return self.line_events(of_parts(song.notes, parts), self.steps)[None]

    def heard_parts(self, song: Song) -> tuple[int, ...]:
        """The part that `arrange` hears: a melody, lead or voice first, a bass last, then what has the most notes.

        Raises:
            CodecError: if no pitched part sounds.
        """
        parts = pitched_parts(song)
        if not parts:
            raise CodecError(f"{song.title or 'the clip'} has no melody, only drums; use vae-drums-2bar")
        counts = np.bincount(song.notes["part"], minlength=len(song.parts))

        def tuneful(part: int) -> tuple[bool, bool, int, int]:
            own = song.parts[part]
            return own.role in _TUNEFUL, own.role != "bass" and own.program // 8 != 4, int(counts[part]), -part

        return (max(parts, key=tuneful),)

    def encode(self, song: Song) -> NDArray[np.int64]:
        """(1, 32) events of an arranged clip."""
        return self._melody.encode(song)[None]

    def decode(self, tokens: NDArray[np.int64], frame: Song) -> Song:
        """The notes of (1, 32) events in the first part of ``frame``, two bars long."""
        events = check_tokens(tokens, self.vocabulary, self.steps)[0]
        return self._melody.decode(events, frame.replace(notes=frame.notes[:0], length=self.bars * BAR_TICKS))

    def snap(self, song: Song) -> Song:
        """The nearest clip that comes back from `encode` and `decode` unchanged."""
        return self.arrange(song)

    def scored(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(1, 32) which tokens count: all."""
        return np.ones(np.shape(tokens), bool)

    def notes(self, tokens: NDArray[np.int64]) -> int:
        """How many notes start."""
        return int((np.asarray(tokens) >= FIRST_PITCH).sum())

    def describe(self, field: str, symbol: int) -> str:
        """What an id means.

        >>> ClipMelodyCodec().describe("melody", 41)
        'C4 (60) starts'
        """
        if field != self.parts[0]:
            raise OutOfRange(f"field {field!r} is not one of {', '.join(self.parts)}")
        return self._melody.describe("event", symbol)

    def line_events(self, notes: NDArray[Any], size: int) -> NDArray[np.int64]:
        """(size,) of the notes of one part, the highest of each sixteenth, moved into range."""
        return self.in_range(voice_of(notes, 0, size).events)

    def line_notes(self, events: NDArray[np.int64], part: int) -> NDArray[Any]:
        """The notes of (T,) events, played by part number ``part``."""
        notes = self._melody.decode(events, Song(parts=(Part(),))).notes.copy()
        notes["part"] = part
        return notes

    def in_range(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        """Events that name pitches from 0 on -> ids."""
        pitch = into_range(events - FIRST_PITCH, self.low, self.high)
        return np.where(events >= FIRST_PITCH, pitch - self.low + FIRST_PITCH, events)

    def _windows(self, notes: NDArray[Any], part: int, place: Stretch, reasons: Counter[str]) -> list[Window]:
        """The clips in a stretch of one part."""
        voice = voice_of(notes, place.start, place.bars * BAR_STEPS)
        rows = without_idle_offs(windows(self.in_range(voice.events), self.steps))  # (W, 32)
        if not len(rows):
            reasons["too short"] += 1
        starts = rows >= FIRST_PITCH
        highest = np.where(starts, rows, 0).max(axis=1, initial=0)
        lowest = np.where(starts, rows, highest[:, None]).min(axis=1, initial=self.vocabulary[0])
        left = np.ones(len(rows), bool)
        leave_out(left, ~starts.any(axis=1), "empty", reasons)
        leave_out(left, windows(voice.in_chord, self.steps).any(axis=1), "polyphonic", reasons)
        leave_out(left, longest_rest(rows) >= BAR_STEPS, "gap", reasons)
        leave_out(left, lowest == highest, "one pitch", reasons)
        return [Window(rows[bar][None], place.start + int(bar) * BAR_TICKS, (part,)) for bar in np.flatnonzero(left)]

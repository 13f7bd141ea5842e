"""Sixteen bars of a trio for MusicVAE: a lead, a bass and drums, one token each sixteenth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.clip_drums import SYMBOLS, hit_notes, hits_of, symbol_name
from woodshed.codecs.clip_melody import ClipMelodyCodec
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
    drum_parts,
    in_key,
    leave_out,
    longest_rest,
    longest_run,
    of_parts,
    pitched_parts,
    stretches,
    to_c_major,
    voice_of,
    windows,
    without_idle_offs,
)
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import Part, Song
from woodshed.music.melodies import STEP_TICKS

LEAD, BASS, DRUMS = range(3)
PLAYERS = (Part("Lead", 0, role="lead"), Part("Bass", 33, role="bass"), Part("Drums", 0, is_drum=True, role="drums"))
"""Who plays where nobody else is named."""
MOST_CLIPS = 64
"""Of one song: a file with three leads would else count three times as much as one with one."""
LONGEST_REST_BARS = 4
MOST_CHORDS = 0.25
"""A lead has notes together at no more than this share of its onsets; the highest of them is heard."""


@dataclass(frozen=True)
class ClipTrioCodec:
    """Write sixteen bars of 4/4 of lead, bass and drums as three rows of 256 tokens.

    ============= ========================================================================
    row           tokens
    ============= ========================================================================
    lead, bass    0 no event, 1 note off, 2-89 a note of pitch 21-108, as in `ClipMelodyCodec`
    drums         0-511, which of nine kinds of drum are hit, as in `ClipDrumsCodec`
    ============= ========================================================================

    Kept and dropped is what those two keep and drop.

    Raises:
        CodecError: from ``arrange``, for an empty or too long clip, another meter than 4/4, or if one of the three does
            not play; from ``decode``, on an id out of the vocabulary.
        OutOfRange: from ``encode``, on a pitch outside the range.

    Source:
        Roberts et al. (2018) and Magenta's ``TrioConverter``: all combinations of lead, bass and drum parts of a file,
        in windows a bar apart. We differ in who leads: any pitched part but a bass that seldom plays chords, where
        Magenta takes programs 0-31; in taking 64 clips of a song at most, spread over all that there are; and in
        leaving out those in which one of the three rests for more than 4 bars.
    """

    low: int = 21
    """The lowest pitch of lead and bass."""
    high: int = 109
    """Above the highest, at least an octave above ``low``."""
    transpose: bool = True
    """Whether clips of a song are moved to C major or A minor."""

    name: ClassVar[str] = "clip-trio"
    version: ClassVar[int] = 1
    parts: ClassVar[tuple[str, ...]] = ("lead", "bass", "drums")
    bars: ClassVar[int] = 16
    steps: ClassVar[int] = 16 * BAR_STEPS
    segments: ClassVar[int] = 16
    per_part: ClassVar[bool] = False
    grid_ticks: ClassVar[int] = STEP_TICKS

    def __post_init__(self) -> None:
        self._voice  # noqa: B018 - a range that is none is refused there

    @property
    def _voice(self) -> ClipMelodyCodec:
        return ClipMelodyCodec(self.low, self.high)

    @property
    def vocabulary(self) -> tuple[int, ...]:
        """How many ids each part has."""
        return *self._voice.vocabulary, *self._voice.vocabulary, SYMBOLS

    def field_sizes(self) -> dict[str, int]:
        """Part -> how many ids it has."""
        return dict(zip(self.parts, self.vocabulary, strict=True))

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version, **vars(self)}

    def allowed(self, row: int, player: Part, pitches: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(V,) which ids of a row may be played, where those of (128,) ``pitches`` may; drums are free."""
        return np.ones(SYMBOLS, bool) if row == DRUMS else self._voice.allowed(0, player, pitches)

    def clips(self, song: Song) -> list[Song]:
        """The clips of `windows`."""
        return self.windows(song)[0]

    def drop_reason(self, song: Song) -> str:
        """Why the song has no clip, one of `woodshed.codecs.clips.REMEDIES`; empty if it has."""
        found, reasons = self.windows(song)
        return "" if found else next(iter(reasons.most_common(1)), ("too short", 0))[0]

    def windows(self, song: Song) -> tuple[list[Song], Counter[str]]:
        """Clips of every lead with every bass and drum part, a bar apart; and how many were left out, by reason."""
        reasons: Counter[str] = Counter()
        players = self._players(song)
        if missing := [name for name, parts in zip(self.parts, players, strict=True) if not parts]:
            reasons[f"no {missing[0]}" if len(song) else "no notes"] += 1
            return [], reasons
        if not (places := stretches(song)):
            reasons["not 4/4"] += 1
        moved = in_key(song, self.transposition(song, pitched_parts(song)))
        found: list[Window] = []
        for place in places:
            if place.bars < self.bars:
                reasons["too short"] += 1
                continue
            rows = {part: self._rows(moved, part, place) for parts in players for part in parts}
            for trio in product(*players):
                found += self._windows([rows[part] for part in trio], trio, place, reasons)
        if len(found) > MOST_CLIPS:
            reasons["over the limit"] += len(found) - MOST_CLIPS
            found = [found[number] for number in np.linspace(0, len(found) - 1, MOST_CLIPS).round().astype(int)]
        return clips_at(moved, found, self.bars, self.decode, reasons), reasons

    def transposition(self, song: Song, parts: Sequence[int]) -> int:
        """By how many semitones `windows` moves what these parts of a song play: -6 to 5."""
        pitched = [part for part in parts if not song.parts[part].is_drum]
        return to_c_major(song, pitched) if self.transpose and pitched else 0

    def arrange(self, song: Song) -> Song:
        """Lead, bass and drums of a clip on sixteenths, just sixteen bars long: the best of each, all drums as one."""
        check_clip(song, self.bars)
        parts = self.heard_parts(song)
        return check_heard(self.decode(self.hear(song, parts), cut(song, self.bars, parts[:3])), self.bars)

    def hear(self, song: Song, parts: Sequence[int]) -> NDArray[np.int64]:
        """(3, 256) ids of what a lead, a bass and drum parts of a clip play."""
        voices = [self._voice.line_events(of_parts(song.notes, [part]), self.steps) for part in parts[:DRUMS]]
        return np.stack([*voices, hits_of(of_parts(song.notes, parts[DRUMS:]), 0, self.steps)])

    def heard_parts(self, song: Song) -> tuple[int, ...]:
        """The lead, the bass, and all drum parts that `arrange` hears.

        Raises:
            CodecError: if one of the three does not play.
        """
        leads, basses, drums = self._players(song, chords=True)
        for name, parts in zip(self.parts, (leads, basses, drums), strict=True):
            if not parts:
                raise CodecError(
                    f"{song.title or 'the clip'} has no {name}, and a trio is lead, bass and drums; use "
                    "vae-melody-2bar for a melody, vae-drums-2bar for drums, vae-band-1bar for other bands"
                )
        lead = self._voice.heard_parts(song.replace(notes=of_parts(song.notes, leads)))
        bass = self._voice.heard_parts(song.replace(notes=of_parts(song.notes, basses)))
        return *lead, *bass, *drums

    def encode(self, song: Song) -> NDArray[np.int64]:
        """(3, 256) tokens of an arranged clip."""
        voices = [self._voice.encode(song.replace(notes=of_parts(song.notes, [part])))[0] for part in (LEAD, BASS)]
        return np.stack([*voices, hits_of(of_parts(song.notes, [DRUMS]), 0, self.steps)])

    def decode(self, tokens: NDArray[np.int64], frame: Song) -> Song:
        """The notes of (3, 256) tokens in the three parts of ``frame``, or in `PLAYERS`; sixteen bars long."""
        tokens = check_tokens(tokens, self.vocabulary, self.steps)
        is_trio = [part.is_drum for part in frame.parts] == [False, False, True]
        voices = [self._voice.line_notes(tokens[part], part) for part in (LEAD, BASS)]
        notes = np.concatenate([*voices, hit_notes(tokens[DRUMS], DRUMS)])
        blank = frame.replace(
            parts=frame.parts if is_trio else PLAYERS, notes=frame.notes[:0], length=self.bars * BAR_TICKS
        )
        return blank.with_notes(notes)

    def snap(self, song: Song) -> Song:
        """The nearest clip that comes back from `encode` and `decode` unchanged."""
        return self.arrange(song)

    def scored(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(3, 256) which tokens count: all."""
        return np.ones(np.shape(tokens), bool)

    def notes(self, tokens: NDArray[np.int64]) -> int:
        """How many notes and hits there are."""
        tokens = np.asarray(tokens)
        return int((tokens[:DRUMS] >= FIRST_PITCH).sum() + np.bitwise_count(tokens[DRUMS]).sum())

    def describe(self, field: str, symbol: int) -> str:
        """What an id of a part means."""
        if field not in self.parts or not 0 <= symbol < self.field_sizes()[field]:
            raise OutOfRange(f"field {field!r} id {symbol}: there is {self.field_sizes()}")
        return symbol_name(symbol) if field == "drums" else self._voice.describe("melody", symbol)

    def _players(self, song: Song, *, chords: bool = False) -> tuple[list[int], list[int], list[int]]:
        """Parts that may lead, basses, drums; with ``chords`` such as play them lead, if there are no others."""
        pitched = pitched_parts(song)
        basses = [part for part in pitched if _is_bass(song.parts[part])]
        others = [part for part in pitched if part not in basses]
        leads = [part for part in others if _chord_share(of_parts(song.notes, [part])) <= MOST_CHORDS]
        return leads or (others if chords else []), basses, drum_parts(song)

    def _rows(self, song: Song, part: int, place: Stretch) -> NDArray[np.int64]:
        """(W, 256) all windows of one part in a stretch."""
        notes, size = of_parts(song.notes, [part]), place.bars * BAR_STEPS
        if song.parts[part].is_drum:
            return windows(hits_of(notes, place.start, size), self.steps)
        return without_idle_offs(windows(self._voice.in_range(voice_of(notes, place.start, size).events), self.steps))

    def _windows(
        self, rows: Sequence[NDArray[np.int64]], trio: tuple[int, ...], place: Stretch, reasons: Counter[str]
    ) -> list[Window]:
        """The clips of one combination of parts."""
        left = np.ones(len(rows[LEAD]), bool)
        empty = ~(rows[LEAD] >= FIRST_PITCH).any(1) | ~(rows[BASS] >= FIRST_PITCH).any(1) | ~rows[DRUMS].any(1)
        rests = np.stack([longest_rest(rows[LEAD]), longest_rest(rows[BASS]), longest_run(rows[DRUMS] == 0)])
        leave_out(left, empty, "empty", reasons)
        leave_out(left, rests.max(0) > LONGEST_REST_BARS * BAR_STEPS, "gap", reasons)
        tokens = np.stack(rows, axis=1)  # (W, 3, 256)
        return [Window(tokens[bar], place.start + int(bar) * BAR_TICKS, trio) for bar in np.flatnonzero(left)]


def _is_bass(part: Part) -> bool:
    return part.role == "bass" or part.program // 8 == 4


def _chord_share(notes: NDArray[Any]) -> float:
    """Share of a part's onsets, on sixteenths, at which notes of several pitches begin."""
    size = int(notes["onset"].max()) // (BAR_TICKS // BAR_STEPS) + 2
    voice = voice_of(notes, 0, size)
    return float(voice.in_chord.sum() / max((voice.events >= FIRST_PITCH).sum(), 1))

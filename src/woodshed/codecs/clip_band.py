"""One bar of a band for MusicVAE: up to eight instruments, with program and velocity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.clips import (
    BAR_TICKS,
    Stretch,
    Window,
    check_clip,
    check_heard,
    check_tokens,
    clips_at,
    cut,
    drum_parts,
    of_parts,
    stretches,
)
from woodshed.codecs.note_step import DRUM_PROGRAM, program_name
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import NOTE, TICKS_PER_QUARTER, Part, Song, part_name
from woodshed.music.key import PITCH_NAMES

PARTS, TOKENS = 8, 64
GRID_TICKS = TICKS_PER_QUARTER // 24
BAR_STEPS = BAR_TICKS // GRID_TICKS
END = 0
PROGRAM = 1
NOTE_ON = PROGRAM + 129
NOTE_OFF = NOTE_ON + 128
TIME_SHIFT = NOTE_OFF + 128
VELOCITY = TIME_SHIFT + BAR_STEPS
VELOCITIES = 8
SYMBOLS = VELOCITY + VELOCITIES
DRUM_STEPS = 6
"""How long a drum sounds: a sixteenth."""
_LOUDNESS = 128 // VELOCITIES


@dataclass(frozen=True)
class ClipBandCodec:
    """Write a bar of 4/4 as eight rows of up to 64 tokens: who plays, then what happens, 24 steps to the quarter.

    ======= ============= ==================================================================
    id      token         meaning
    ======= ============= ==================================================================
    0       END           the part is complete; the rest of the row is END too, and not scored
    1-129   PROGRAM       first of all: program 0-127, or 129 for drums
    130-257 NOTE_ON 0-127 a note starts, or a drum is hit
    258-385 NOTE_OFF      the note stops; never of drums, nor of what sounds until the bar ends
    386-481 TIME_SHIFT    1 to 96 steps later
    482-489 VELOCITY      of the notes from here on: 1-15, 16-31, ... 112-127
    ======= ============= ==================================================================

    Rows are drums, basses, then others by program; rows without a part are all END. At one time notes stop before
    others start, each from the lowest up.

    Kept exactly: program, onset, duration, pitch on the grid; velocity to the middle of its eighth. Dropped: what
    sounds from before the bar, a drum's duration, all after the bar ends.

    Raises:
        CodecError: from ``arrange``, for an empty or too long clip, another meter than 4/4, more than eight parts, a
            part with more than 64 tokens; from ``decode``, on an id out of the vocabulary.

    Source:
        Simon et al., "Learning a latent space of multitrack measures" (2018), whose 490 events these are. We differ in
        leaving out the NOTE_OFF of drums and at the bar's end, which makes room for more notes, and in sorting basses
        before the others.
    """

    name: ClassVar[str] = "clip-band"
    version: ClassVar[int] = 1
    parts: ClassVar[tuple[str, ...]] = tuple(f"part {number}" for number in range(1, PARTS + 1))
    vocabulary: ClassVar[tuple[int, ...]] = (SYMBOLS,) * PARTS
    bars: ClassVar[int] = 1
    steps: ClassVar[int] = TOKENS
    segments: ClassVar[int] = 1
    per_part: ClassVar[bool] = True
    grid_ticks: ClassVar[int] = GRID_TICKS

    def field_sizes(self) -> dict[str, int]:
        """Part -> how many ids it has."""
        return dict(zip(self.parts, self.vocabulary, strict=True))

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version}

    def allowed(self, row: int, player: Part, pitches: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(490,) which tokens a row may hold that this player plays, where (128,) ``pitches`` may; drums are free."""
        allowed = np.ones(SYMBOLS, bool)
        allowed[PROGRAM:NOTE_ON] = False
        allowed[PROGRAM + _program(player)] = True
        if not player.is_drum:
            allowed[NOTE_ON:NOTE_OFF] = pitches
        return allowed

    def clips(self, song: Song) -> list[Song]:
        """The clips of `windows`."""
        return self.windows(song)[0]

    def drop_reason(self, song: Song) -> str:
        """Why the song has no clip, one of `woodshed.codecs.clips.REMEDIES`; empty if it has."""
        found, reasons = self.windows(song)
        return "" if found else next(iter(reasons.most_common(1)), ("too short", 0))[0]

    def windows(self, song: Song) -> tuple[list[Song], Counter[str]]:
        """Every bar in which two to eight parts play; and how many were left out, by reason."""
        reasons: Counter[str] = Counter()
        if not len(song):
            reasons["no notes"] += 1
            return [], reasons
        if not (places := stretches(song)):
            reasons["not 4/4"] += 1
        found: list[Window] = []
        notes = _one_kit(song)
        for place in places:
            found += self._windows(song, notes, place, reasons)
        return clips_at(song, found, self.bars, self.decode, reasons), reasons

    def transposition(self, song: Song, parts: Sequence[int]) -> int:
        """Nothing is moved."""
        return 0

    def arrange(self, song: Song) -> Song:
        """The bar on the grid: the parts that sound, in order, all drums as one."""
        check_clip(song, self.bars)
        parts = self.heard_parts(song)
        if len(parts) > PARTS:
            raise CodecError(
                f"{song.title or 'the clip'}: {len(parts)} parts sound, and this model has room for {PARTS}; leave "
                "some out"
            )
        notes = _renumbered(_on_grid(_one_kit(song), song.parts, 0), parts)
        clip = check_heard(cut(song, self.bars, parts).with_notes(notes), self.bars)
        self.encode(clip)  # says so if a part has no room
        return clip

    def hear(self, song: Song, parts: Sequence[int]) -> NDArray[np.int64]:
        """(8, 64) tokens of what these parts of a clip play."""
        notes = of_parts(song.notes, parts)
        if not len(notes):
            return np.full((PARTS, TOKENS), END)
        return self.encode(self.arrange(song.replace(notes=notes)))

    def heard_parts(self, song: Song) -> tuple[int, ...]:
        """The parts that sound, in the order of the rows; of several drum parts the first."""
        sounding = np.unique(_one_kit(song)["part"]).tolist()
        return tuple(sorted(sounding, key=lambda part: (*_place(song.parts[part]), part)))

    def encode(self, song: Song) -> NDArray[np.int64]:
        """(8, 64) tokens of an arranged clip."""
        if len(song.parts) > PARTS:
            raise CodecError(
                f"{song.title or 'the clip'} has {len(song.parts)} parts, more than {PARTS}; leave some out"
            )
        part, time, loudness, events = _happenings(
            song.notes, np.array([player.is_drum for player in song.parts], bool)
        )
        is_same = np.append(False, part[1:] == part[:-1])[: len(part)]
        shift = time - np.where(is_same, np.roll(time, 1), 0)
        said = _changes(part, loudness)
        width = np.bincount(part, 1 + (shift > 0) + said, PARTS).astype(np.int64)  # (8,) tokens after the program
        full = np.flatnonzero(width > TOKENS - 2)
        if len(full):
            raise CodecError(
                f"{song.title or 'the clip'}: {part_name(song.parts[full[0]])} needs {width[full[0]] + 2} tokens in a "
                f"bar, and this model has room for {TOKENS}; thin it out"
            )
        last = np.cumsum(1 + (shift > 0) + said) - (np.cumsum(width) - width)[part]
        rows = np.full((PARTS, TOKENS), END)
        rows[range(len(song.parts)), 0] = [PROGRAM + _program(player) for player in song.parts]
        moves = shift > 0
        rows[part[moves], (last - said - 1)[moves]] = TIME_SHIFT + shift[moves] - 1
        rows[part[said], last[said] - 1] = VELOCITY + loudness[said]
        rows[part, last] = events
        return rows

    def decode(self, tokens: NDArray[np.int64], frame: Song) -> Song:
        """The notes of (8, 64) tokens, one bar long; parts are those of ``frame`` where their programs are the same.

        Any tokens will do: what is no program, has no note or comes after the bar's end is passed over.
        """
        tokens = check_tokens(tokens, self.vocabulary, self.steps)
        players: list[Part] = []
        found: list[NDArray[Any]] = []
        for row, line in enumerate(tokens):
            program, notes = _row_notes(line)
            if len(notes):
                notes["part"] = len(players)
                players.append(_player(program, frame.parts[row] if row < len(frame.parts) else None))
                found.append(notes)
        blank = frame.replace(parts=tuple(players), notes=frame.notes[:0], length=self.bars * BAR_TICKS)
        return blank.with_notes(np.concatenate(found)) if found else blank

    def snap(self, song: Song) -> Song:
        """The nearest clip that comes back from `encode` and `decode` unchanged."""
        return self.arrange(song)

    def scored(self, tokens: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(8, 64) which tokens count: those up to the first END of their row."""
        ended = np.cumsum(np.asarray(tokens) == END, axis=-1)
        scored: NDArray[np.bool_] = (ended == 0) | ((ended == 1) & (np.asarray(tokens) == END))
        return scored

    def notes(self, tokens: NDArray[np.int64]) -> int:
        """How many notes start."""
        tokens = np.asarray(tokens)
        return int(((tokens >= NOTE_ON) & (tokens < NOTE_OFF) & self.scored(tokens)).sum())

    def describe(self, field: str, symbol: int) -> str:
        """What an id means.

        >>> ClipBandCodec().describe("part 1", 190)
        'C4 (60) starts'
        """
        if field not in self.parts or not 0 <= symbol < SYMBOLS:
            raise OutOfRange(f"field {field!r} id {symbol}: fields are {', '.join(self.parts)} with {SYMBOLS} ids each")
        if symbol >= VELOCITY:
            low = (symbol - VELOCITY) * _LOUDNESS
            return f"velocity {max(low, 1)}-{low + _LOUDNESS - 1}"
        if symbol >= TIME_SHIFT:
            return f"{symbol - TIME_SHIFT + 1}/24 of a quarter later"
        if symbol >= NOTE_ON:
            pitch = (symbol - NOTE_ON) % 128
            named = f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1} ({pitch})"
            return f"{named} {'stops' if symbol >= NOTE_OFF else 'starts'}"
        return "the part is complete" if symbol == END else f"played by {program_name(symbol - PROGRAM)}"

    def _windows(self, song: Song, notes: NDArray[Any], place: Stretch, reasons: Counter[str]) -> list[Window]:
        """The bars of a stretch that are clips."""
        bar = (notes["onset"].astype(np.int64) - place.start + GRID_TICKS // 2) // BAR_TICKS
        found = []
        for number in range(place.bars):
            start = place.start + number * BAR_TICKS
            clip = _on_grid(notes[bar == number], song.parts, start)
            sounding = sorted(np.unique(clip["part"]).tolist(), key=lambda part: (*_place(song.parts[part]), part))
            if not 2 <= len(sounding) <= PARTS:
                reasons["empty" if not sounding else "one part" if len(sounding) == 1 else "too many parts"] += 1
                continue
            frame = Song(parts=tuple(song.parts[part] for part in sounding), length=BAR_TICKS)
            try:
                tokens = self.encode(frame.with_notes(_renumbered(clip, sounding)))
            except CodecError:
                reasons["too many events"] += 1
                continue
            found.append(Window(tokens, start, tuple(sounding)))
        return found


def _place(part: Part) -> tuple[bool, bool, int]:
    """Sorts parts: drums, basses, others by program."""
    return not part.is_drum, part.program // 8 != 4, part.program


def _one_kit(song: Song) -> NDArray[Any]:
    """The notes, with those of all drum parts in the first of them."""
    drums = drum_parts(song)
    if len(drums) < 2:
        return song.notes
    notes = song.notes.copy()
    notes["part"][np.isin(notes["part"], drums)] = drums[0]
    return notes


def _on_grid(notes: NDArray[Any], parts: tuple[Part, ...], start: int) -> NDArray[Any]:
    """Notes on the grid of the bar at tick ``start``, each at least a step long and none over the next of its pitch."""
    onset = notes["onset"].astype(np.int64) - start
    on = (onset + GRID_TICKS // 2) // GRID_TICKS
    inside = (on >= 0) & (on < BAR_STEPS)
    notes, onset, on = notes[inside].copy(), onset[inside], on[inside]
    drum = np.array([part.is_drum for part in parts], bool)[notes["part"]]
    off = np.maximum((onset + notes["duration"] + GRID_TICKS // 2) // GRID_TICKS, on + 1)
    off = np.minimum(np.where(drum, on + DRUM_STEPS, off), BAR_STEPS)
    order = np.lexsort((-notes["velocity"].astype(int), -off, on, notes["pitch"], notes["part"]))
    notes, on, off = notes[order], on[order], off[order]
    same = (notes["part"][1:] == notes["part"][:-1]) & (notes["pitch"][1:] == notes["pitch"][:-1])
    first = np.append(True, ~(same & (on[1:] == on[:-1])))[: len(notes)]
    notes, on, off = notes[first], on[first], off[first]
    same = (notes["part"][1:] == notes["part"][:-1]) & (notes["pitch"][1:] == notes["pitch"][:-1])
    if len(notes):
        off[:-1] = np.where(same, np.minimum(off[:-1], on[1:]), off[:-1])
    notes["onset"], notes["duration"] = on * GRID_TICKS, (off - on) * GRID_TICKS
    notes["velocity"] = notes["velocity"] // _LOUDNESS * _LOUDNESS + _LOUDNESS // 2
    return notes


def _renumbered(notes: NDArray[Any], order: tuple[int, ...] | list[int]) -> NDArray[Any]:
    """The notes of these parts, numbered in this order."""
    notes = notes.copy()
    place = {part: number for number, part in enumerate(order)}
    notes["part"] = [place[part] for part in notes["part"].tolist()]
    return notes


def _happenings(
    notes: NDArray[Any], is_drum: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Part, step, velocity in eighths (-1: none) and token of each note's start and stop, in the order of the rows."""
    on = notes["onset"].astype(np.int64) // GRID_TICKS
    off = on + notes["duration"].astype(np.int64) // GRID_TICKS
    stops = ~is_drum[notes["part"]] & (off < BAR_STEPS)
    part = np.concatenate((notes["part"], notes["part"][stops])).astype(np.int64)
    pitch = np.concatenate((notes["pitch"], notes["pitch"][stops])).astype(np.int64)
    time = np.concatenate((on, off[stops]))
    loudness = np.concatenate((notes["velocity"].astype(np.int64) // _LOUDNESS, np.full(stops.sum(), -1)))
    order = np.lexsort((pitch, loudness >= 0, time, part))
    events = np.where(loudness >= 0, NOTE_ON, NOTE_OFF) + pitch
    return part[order], time[order], loudness[order], events[order]


def _program(part: Part) -> int:
    return DRUM_PROGRAM if part.is_drum else part.program


def _changes(part: NDArray[np.int64], loudness: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(E,) which notes need their velocity said: the first of a part, and those after one of another; -1 is no note."""
    notes = np.flatnonzero(loudness >= 0)
    said = np.zeros(len(part), bool)
    other = (loudness[notes][1:] != loudness[notes][:-1]) | (part[notes][1:] != part[notes][:-1])
    said[notes] = np.append(True, other)[: len(notes)]
    return said


def _row_notes(line: NDArray[np.int64]) -> tuple[int | None, NDArray[Any]]:
    """The program, if one is named, and the notes of one row (64,)."""
    line = line[: np.append(np.flatnonzero(line == END), len(line))[0]]
    programs = line[(line >= PROGRAM) & (line < NOTE_ON)] - PROGRAM
    program = int(programs[0]) if len(programs) else None
    time = np.cumsum(np.where((line >= TIME_SHIFT) & (line < VELOCITY), line - TIME_SHIFT + 1, 0))
    spoken = np.maximum.accumulate(np.where(line >= VELOCITY, np.arange(len(line)), -1))
    loud = np.where(spoken >= 0, line[np.maximum(spoken, 0)] - VELOCITY, VELOCITIES - 2) if len(line) else line
    turns = np.flatnonzero((line >= NOTE_ON) & (line < TIME_SHIFT) & (time < BAR_STEPS))
    if program == DRUM_PROGRAM:
        turns = turns[line[turns] < NOTE_OFF]
    pitch = (line[turns] - NOTE_ON) % 128
    turns = turns[np.lexsort((turns, pitch))]
    pitch, on = (line[turns] - NOTE_ON) % 128, time[turns]
    follows = np.append(pitch[1:] == pitch[:-1], False)[: len(turns)]
    off = np.where(follows, np.append(on[1:], BAR_STEPS)[: len(turns)], BAR_STEPS)
    if program == DRUM_PROGRAM:
        off = np.minimum(off, on + DRUM_STEPS)
    starts = (line[turns] < NOTE_OFF) & (off > on)
    notes = np.zeros(int(starts.sum()), NOTE)
    notes["onset"], notes["duration"] = on[starts] * GRID_TICKS, (off - on)[starts] * GRID_TICKS
    notes["pitch"], notes["velocity"] = pitch[starts], loud[turns][starts] * _LOUDNESS + _LOUDNESS // 2
    return program, notes


def _player(program: int | None, usual: Part | None) -> Part:
    """The usual part if it has that program, or none is named; else one that has."""
    if usual is not None and (program is None or program == _program(usual)):
        return usual
    program = program or 0
    is_drum = program == DRUM_PROGRAM
    return Part(program_name(program), 0 if is_drum else program, is_drum=is_drum)

"""The canvas: a song with its open end, and the constraints on what may fill it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from woodshed.bundle import Bundle
from woodshed.codecs.note_step import DRUM_PROGRAM, MAX_PARTS, program_name
from woodshed.errors import InfeasibleCanvas, OutOfRange, UnknownName
from woodshed.music import METER, TEMPO, Key, Meter, Part, Song, part_name
from woodshed.music.general_midi import family

MOST_BARS = 4096
REGISTER = 5
"""Semitones that a continued part may go beyond its own range."""


@dataclass(frozen=True)
class Constraints:
    """What every open note obeys, always. Empty means anything goes."""

    key: Key | None = None
    """Pitched parts play only the pitch classes of this key."""
    pitch_ranges: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Part index -> lowest and highest pitch."""
    polyphony: dict[int, int] = field(default_factory=dict)
    """Part index -> greatest number of notes that sound at once."""


@dataclass(frozen=True)
class Canvas:
    """A song whose ticks from ``open_from`` to its length are open in all ``open_parts``; the rest is fixed."""

    song: Song
    open_from: int
    open_parts: tuple[int, ...]
    constraints: Constraints = field(default_factory=Constraints)
    first_bar: int = 0
    """The number, as a model counts, of the song's first bar: above 0 the music starts in mid-song."""


def blank_canvas(
    bundle: Bundle,
    bars: int,
    rng: np.random.Generator,
    *,
    parts: Sequence[Part] | None = None,
    key: Key | None = None,
    bpm: float | None = None,
    meter: Meter | None = None,
    polyphony: int | None = None,
) -> Canvas:
    """Everything open: ``bars`` bars for ``parts``, by default the line-up, tempo and meter of a song that was learned.

    Each part keeps to the range in which its instrument usually played.

    Raises:
        OutOfRange: if bars, tempo or polyphony are.
        UnknownName: if the bundle heard nothing like one of the parts.
    """
    check_bars(bars)
    if bpm is not None:
        check_bpm(bpm)
    model_song = _line_up(bundle, rng)
    parts = model_song["parts"] if parts is None else parts
    check_parts(bundle, parts)
    meter = meter or Meter.parse(model_song["meter"])
    bpm = bpm or model_song["bpm"]
    song = Song(
        parts=tuple(parts),
        tempos=np.array([(0, bpm)], TEMPO),
        meters=np.array([(0, meter.numerator, meter.denominator)], METER),
        length=bars * meter.bar_ticks,
    )
    song = song.replace(parts=slot_order(song))
    constraints = Constraints(key, usual_ranges(bundle, song.parts), _limit(song, polyphony))
    first_bar = int(rng.choice((0, 4, 8, 16)))
    return Canvas(song, 0, tuple(range(len(song.parts))), constraints, first_bar)


def continuation_canvas(song: Song, bars: int, *, key: Key | None = None, polyphony: int | None = None) -> Canvas:
    """``song`` is fixed; ``bars`` bars after the bar of its last onset are open in all of its sounding parts.

    Each part keeps to its own register: the range of its notes and a fourth more on either side.

    Raises:
        InfeasibleCanvas: if the song has no note.
        OutOfRange: if bars are.
    """
    check_bars(bars)
    if not len(song):
        raise InfeasibleCanvas(f"{song.title or 'the song'} has no notes to go on from; use `woodshed generate`")
    lines = song.bar_lines()
    last_bar = int(np.searchsorted(lines, song.notes["onset"].max(), side="right"))
    start, size = int(lines[last_bar]), int(lines[last_bar] - lines[last_bar - 1])
    open_song = until(song, start + bars * size)
    open_song = open_song.replace(meters=song.meters[song.meters["onset"] < start])
    sounding = tuple(int(part) for part in np.unique(song.notes["part"]))
    constraints = Constraints(key, _own_ranges(song), _limit(song, polyphony))
    return Canvas(open_song, start, sounding, constraints)


def until(song: Song, length: int) -> Song:
    """The song with another length, without what is said at or after it: that would make its file longer."""
    rows = {name: getattr(song, name) for name in ("tempos", "keys", "chords", "controls", "bends")}
    kept = {name: table[table["onset"] < length] for name, table in rows.items()}
    markers = tuple(marker for marker in song.markers if marker.onset < length)
    return song.replace(length=length, markers=markers, **kept)


def usual_ranges(bundle: Bundle, parts: Sequence[Part]) -> dict[int, tuple[int, int]]:
    """Part index -> where the bundle usually heard its instrument, or the nearest to it; drums are free.

    A range of less than an octave is widened, so that it has room in any key.
    """
    instruments = bundle.style.get("instruments", {})
    known = known_programs(bundle)
    ranges = {}
    for index, part in enumerate(parts):
        program = str(nearest_program(program_of(part), known)) if known else ""
        if not part.is_drum and "usual_range" in instruments.get(program, {}):
            low, high = instruments[program]["usual_range"]
            room = REGISTER if high - low < 12 else 0
            ranges[index] = max(int(low) - room, 0), min(int(high) + room, 127)
    return ranges


def _own_ranges(song: Song) -> dict[int, tuple[int, int]]:
    """Part index -> the range of its notes, a fourth wider on either side; drums are free."""
    ranges = {}
    for index in np.unique(song.notes["part"]):
        pitch = song.notes["pitch"][song.notes["part"] == index].astype(int)
        if not song.parts[index].is_drum:
            ranges[int(index)] = max(int(pitch.min()) - REGISTER, 0), min(int(pitch.max()) + REGISTER, 127)
    return ranges


def slot_order(song: Song) -> tuple[Part, ...]:
    """The parts in the codec's order: drums, basses, the rest by program."""
    return tuple(sorted(song.parts, key=lambda part: (not part.is_drum, part.program // 8 != 4, part.program)))


def check_bpm(bpm: float) -> None:
    """Raise `OutOfRange` unless 10-1000."""
    if not 10 <= bpm <= 1000:
        raise OutOfRange(f"tempo {bpm:g} is outside 10-1000 quarter notes per minute")


def check_bars(bars: int) -> None:
    """Raise `OutOfRange` unless 1-4096."""
    if not 1 <= bars <= MOST_BARS:
        raise OutOfRange(f"bars {bars} is outside 1-{MOST_BARS}; try 8")


def check_parts(bundle: Bundle, parts: Sequence[Part]) -> None:
    """Raise unless there are at most 16 parts, each of an instrument family that the bundle has heard.

    A part whose own program was never heard is played as its nearest kin would be, see `nearest_program`.
    """
    if len(parts) > MAX_PARTS:
        raise OutOfRange(f"{len(parts)} parts are more than {MAX_PARTS}; name fewer")
    known = known_programs(bundle)
    for part in parts:
        if known and not any(_related(program_of(part), other) for other in known):
            heard = ", ".join(f"{program_name(program)} ({program})" for program in sorted(known))
            raise UnknownName(
                f"part {part_name(part)!r} is like nothing that this bundle learned; name some of: {heard}"
            )


def known_programs(bundle: Bundle) -> set[int]:
    """The programs (128 is drums) that the bundle has heard."""
    return {int(program) for program in bundle.style.get("instruments", {})}


def melody_program(bundle: Bundle) -> int:
    """The program that the bundle would play a melody with."""
    instruments = bundle.style.get("instruments", {})

    def suits(program: int) -> tuple[bool, int, int]:
        facts = instruments[str(program)]
        return family(program) != "bass", facts.get("songs", 0), facts.get("notes", 0)

    pitched = [program for program in known_programs(bundle) if program != DRUM_PROGRAM]
    return max(sorted(pitched), key=suits, default=0)


def program_of(part: Part) -> int:
    """A part's program as the codec numbers them (128 is drums)."""
    return DRUM_PROGRAM if part.is_drum else part.program


def _related(program: int, other: int) -> bool:
    """Whether two programs are of one family of General MIDI; drums are their own."""
    if DRUM_PROGRAM in (program, other):
        return program == other
    return family(program) == family(other)


def nearest_program(program: int, known: set[int]) -> int:
    """The known program most like ``program``: the same, the same family, else the closest number."""
    drums = program == DRUM_PROGRAM
    alike = [p for p in known if (p == DRUM_PROGRAM) == drums] or sorted(known)
    if not alike:
        return program

    def unlike(other: int) -> tuple[bool, int, int]:
        return not _related(program, other), abs(other - program), other

    return min(alike, key=unlike)


def _limit(song: Song, polyphony: int | None) -> dict[int, int]:
    if polyphony is None:
        return {}
    if not 1 <= polyphony <= 128:
        raise OutOfRange(f"polyphony {polyphony} is outside 1-128")
    return {index: polyphony for index, part in enumerate(song.parts) if not part.is_drum}


def _line_up(bundle: Bundle, rng: np.random.Generator) -> dict[str, Any]:
    """The line-up of one learned song: the parts that play in at least a quarter of its bars."""
    style = bundle.style
    songs = style.get("arrangements") or [
        {"programs": [0], "presence": [1.0], "bpm": style.get("bpm", 120.0), "meter": "4/4"}
    ]
    song = songs[int(rng.integers(len(songs)))]
    shares = np.array(song["presence"])
    kept = [p for p, share in zip(song["programs"], shares, strict=True) if share >= min(0.25, shares.max())]
    names = style.get("instruments", {})
    parts = [part_of(program, names.get(str(program), {}).get("name", "")) for program in kept]
    return {"parts": parts, "bpm": float(song["bpm"]), "meter": song["meter"]}


def part_of(program: int, name: str = "") -> Part:
    """A part for a program as the codec numbers them (128 is drums)."""
    name = name or program_name(program)
    return Part(name, 0, is_drum=True) if program == DRUM_PROGRAM else Part(name, program)

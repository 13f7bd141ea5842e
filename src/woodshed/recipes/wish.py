"""What a musician asks for, and how to read it from words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from woodshed.errors import OutOfRange, UnknownName, UsageError
from woodshed.generation.beam import Beam
from woodshed.generation.canvas import MOST_BARS, check_bars
from woodshed.music import Key, Meter, Part, Song, parse_part, parse_pitch, part_name
from woodshed.music.attributes import ATTRIBUTES
from woodshed.music.chord_sheet import Bars, parse_chords
from woodshed.music.general_midi import PROGRAMS
from woodshed.recipes.rules import Rules

MOST_SPREADS = 5


@dataclass(frozen=True)
class Wish:
    """What a new clip should be like. None leaves it to the bundle."""

    bars: int = 8
    """Bars to be made; of a continuation, those after the end."""
    parts: tuple[Part, ...] | None = None
    key: Key | None = None
    """Pitched parts then play only notes of this key."""
    bpm: float | None = None
    """Quarter notes per minute."""
    meter: Meter | None = None
    polyphony: int | None = None
    """Greatest number of notes at once in each pitched part."""
    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Name of a part, or of its instrument -> its lowest and highest pitch."""
    steps: int | None = None
    """Of a melody: so many sixteenths in all, its primer with them, instead of ``bars``."""
    primer_steps: int | None = None
    """Of a typed primer: so many sixteenths of the song are given; None is up to the bar line after its last onset."""
    chords: Bars | None = None
    """Of a melody over chords: what is typed, bar by bar, repeated until the end."""
    sheet: Song | None = None
    """The same from music: a lead sheet, or a song in which the chords are found."""
    binariser: str | None = None
    """Of binary rolls: how cells are made of chances."""
    threshold: float | None = None
    """The chance from which a cell is on, for the binariser of that name."""
    attributes: Mapping[str, float] = field(default_factory=dict)
    """Of a bundle with a latent space: name -> how many standard deviations more of it, such as of ``"density"``."""
    beam: Beam = field(default_factory=Beam)
    """Of a melody: how widely to search."""
    mode: str | None = None
    """Of a window net: whether a window is read anew for each event, or states are carried; one of `MODES` there."""
    parallels: float | None = None
    """Of a chorale: odds of each parallel fifth or octave, 0-1; 1 is as learned."""
    rules: Rules = field(default_factory=Rules)
    """Of a bundle that fills a canvas: what else open notes obey."""


def parse_wish(
    bars: int | None,
    *,
    parts: str | None = None,
    key: str | None = None,
    tempo: float | None = None,
    meter: str | None = None,
    polyphony: int | None = None,
    ranges: Sequence[str] = (),
    steps: int | None = None,
    attributes: Sequence[str] = (),
    beam: int = 1,
    branch_factor: int = 1,
    parallels: float | None = None,
    rules: Rules | None = None,
) -> Wish:
    """A wish in a musician's words: ``parts="drums, bass, lead guitar", key="F minor", tempo=140, meter="7/8"``.

    Each of ``ranges`` is of the form ``"bass=E1-G2"``, or with numbers ``"bass=28-43"``. Of several meters, such as
    ``"7/8,4/4"``, the first is taken; all are in the ``rules``.

    Raises:
        UnknownName: for a part or key that does not exist.
        OutOfRange: for a number outside its range.
        UsageError: for bars and steps together.
    """
    if bars is not None and steps is not None:
        raise UsageError("--bars and --steps both say how long; give one of them")
    bars = Wish.bars if bars is None else bars
    check_bars(bars)
    names = None if parts is None else [name for name in parts.split(",") if name.strip()]
    if names == []:
        raise UnknownName("no part is named; try --parts 'drums, bass, lead guitar', or leave it out")
    return Wish(
        bars=bars,
        parts=None if names is None else tuple(map(parse_part, names)),
        key=None if key is None else Key.parse(key),
        bpm=tempo,
        meter=None if meter is None else Meter.parse(meter.split(",")[0]),
        polyphony=polyphony,
        ranges=dict(map(_parse_range, ranges)),
        steps=steps,
        attributes=parse_attributes(attributes),
        beam=Beam(beam, branch_factor),
        parallels=parallels,
        rules=rules or Rules(),
    )


def _parse_range(text: str) -> tuple[str, tuple[int, int]]:
    """``"bass=E1-G2"`` -> ("bass", (28, 43))"""
    name, equals, span = text.partition("=")
    found = re.fullmatch(r"\s*([^-\s]+(?:-\d+)?)\s*-\s*([^-\s]+(?:-\d+)?)\s*", span)
    if not name.strip() or not equals or not found:
        raise OutOfRange(f"range {text!r} is not of the form part=lowest-highest; try 'bass=E1-G2' or 'bass=28-43'")
    low, high = map(parse_pitch, found.groups())
    if low > high:
        raise OutOfRange(f"range {text!r}: its lowest pitch lies above its highest; turn them round")
    return name.strip(), (low, high)


def only_range(wish: Wish, role: str, part: Part) -> tuple[int, int] | None:
    """The range wished for the only part that plays, called by its role, its name or its instrument's; None if none is.

    Raises:
        UsageError: for several ranges.
        UnknownName: for the range of another part.
    """
    if len(wish.ranges) > 1:
        raise UsageError("one part plays here; give --range once")
    called = dict.fromkeys((role, part_name(part).lower(), PROGRAMS[part.program].lower()))
    for name, span in wish.ranges.items():
        if name.lower() not in called and not _is_played_by(part, name):
            raise UnknownName(f"range {name!r}: the one pitched part that plays here is called {' or '.join(called)}")
        return span
    return None


def _is_played_by(part: Part, instrument: str) -> bool:
    try:
        named = parse_part(instrument)
    except UnknownName:
        return False
    return not named.is_drum and named.program == part.program


def keep_frame(wish: Wish, of: str) -> None:
    """Refuse parts, tempo and meter where those ``of`` something else are kept, such as "the song's".

    Raises:
        UsageError: naming them.
    """
    own = {"parts": wish.parts, "tempo": wish.bpm, "meter": wish.meter}
    if named := [name for name, asked in own.items() if asked is not None]:
        raise UsageError(f"what follows keeps {of} own {' and '.join(named)}; leave that out")


def over_chords(wish: Wish, chords: str | None, sheet: Path | None, bars_asked: bool) -> Wish:
    """The wish with chords typed as ``"Am F | C G"``, or those of a file; unless bars are asked for, all of them.

    Raises:
        UnknownName: for a chord that cannot be read.
        UsageError: if both are given.
        FileError: if the file cannot be read.
    """
    from woodshed.recipes.files import read_song

    if chords is not None and sheet is not None:
        raise UsageError("give either --chords or --chords-from, not both")
    if sheet is not None:
        song = read_song(sheet)
        return replace(wish, sheet=song, bars=wish.bars if bars_asked else min(song.bars, MOST_BARS))
    if chords is not None:
        typed = parse_chords(chords)
        return replace(wish, chords=typed, bars=wish.bars if bars_asked else max(len(typed), wish.bars))
    return wish


def parse_temperature(text: str) -> dict[str, Any]:
    """``"0.9"``, ``"pitch=0.7"`` or ``"0.9, pitch=0.7, duration=1.2"`` -> fields of `Sampling`.

    Raises:
        OutOfRange: for what is no number.
    """
    wishes: dict[str, Any] = {}
    fields: dict[str, float] = {}
    for word in text.split(","):
        name, equals, value = word.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            raise OutOfRange(f"temperature {word.strip()!r} is no number; try 0.9 or '0.9,pitch=0.7'") from None
        if equals:
            fields[name.strip()] = number
        else:
            wishes["temperature"] = number
    return wishes | ({"temperatures": fields} if fields else {})


def parse_attributes(texts: Sequence[str]) -> dict[str, float]:
    """``["density=+1", "register=-0.5"]`` -> how many standard deviations of each to add.

    Raises:
        UnknownName: for an attribute that there is not.
        OutOfRange: for a number outside -5 to 5, or none.
    """
    asked: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.partition("=")
        if name.strip() not in ATTRIBUTES:
            raise UnknownName(f"attribute {name.strip()!r} is not one of {', '.join(ATTRIBUTES)}; try density=+1")
        try:
            amount = float(number) if equals else math.nan
        except ValueError:
            amount = math.nan
        if not abs(amount) <= MOST_SPREADS:
            most = MOST_SPREADS
            raise OutOfRange(f"attribute {text!r}: give a number from -{most} to {most}, such as {name.strip()}=+1")
        asked[name.strip()] = amount
    return asked


def refuse_attributes(recipe: str, attributes: Mapping[str, float]) -> None:
    """Raise `UsageError` if attributes are asked of a bundle without a latent space."""
    if attributes:
        raise UsageError(
            f"--attribute is for recipes with a latent space, such as vae-melody-2bar, not for {recipe}; leave it out"
        )

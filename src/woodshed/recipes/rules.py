"""What only bundles that fill a canvas (recipe `band`) obey, and how to read it from words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from woodshed.codecs.levels import CONTROLS, LEVELS
from woodshed.errors import OutOfRange, UnknownName, UsageError
from woodshed.generation.constraints import grid_units
from woodshed.generation.copy_limit import CopyLimit
from woodshed.generation.openings import CLOSED_HATS
from woodshed.music import Meter, Part, parse_pitch, part_name
from woodshed.music.general_midi import DRUMS, parse_group

NAMED_LEVELS = {"low": 3, "mid": 6, "high": 9}
"""What is typed for a level -> its number, of 0-11."""
ASIS = "-"
"""What is typed for a bar whose level is as it comes."""
OPTION_OF = {control: "loudness" if control == "velocity" else control for control in CONTROLS}
"""Control -> what its option is called: one of notes, not of MIDI."""
OPTIONS = {
    "without": "--without",
    "meters": "--meter with several meters",
    "grid": "--grid",
    "soft_chords": "--chords-soft",
    "pitches": "--pitches",
    "levels": "--density, --register, --syncopation and --loudness",
    "copying": "--max-copy",
}
"""Field of `Rules` -> how it is asked for."""


@dataclass(frozen=True)
class Curve:
    """Levels over some bars: one for each, or some points to pass through."""

    points: tuple[int | None, ...]
    """0-11; None is as it comes."""
    bends: bool = False
    """Whether the points are passed through on straight lines from the first bar to the last."""

    @property
    def text(self) -> str:
        """What `parse_curve` reads it from."""
        return (".." if self.bends else ",").join(ASIS if point is None else str(point) for point in self.points)

    def over(self, bars: int, name: str) -> tuple[int | None, ...]:
        """One level for each bar.

        >>> Curve((2, 8), bends=True).over(4, "density")
        (2, 4, 6, 8)

        Raises:
            OutOfRange: for a level for each bar, if these are more or fewer bars.
        """
        if self.bends:
            marks = np.linspace(0, max(bars - 1, 1), len(self.points))
            levels = np.interp(np.arange(bars), marks, [float(point or 0) for point in self.points])
            return tuple(np.rint(levels).astype(int).tolist())
        if len(self.points) == 1:
            return self.points * bars
        if len(self.points) != bars:
            raise OutOfRange(
                f"{name}: {len(self.points)} levels for {bars} bars; give one for each, one for all, or a curve such "
                "as low..high"
            )
        return self.points


@dataclass(frozen=True)
class Rules:
    """What open notes obey beyond a `Wish`."""

    without: tuple[Part, ...] = ()
    """Instruments that no line-up may have."""
    meters: tuple[Meter, ...] = ()
    """Several meters take turns, one for each bar; empty is the wish's one."""
    grid: str | None = None
    """Where new notes may start, such as ``1/16``, see `woodshed.generation.constraints.GRIDS`."""
    soft_chords: bool = False
    """Whether the wish's chords are favoured instead of obeyed."""
    pitches: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Name of a part, or of its instrument -> the only pitches, or drums, that it plays."""
    levels: Mapping[str, Curve] = field(default_factory=dict)
    """One of `CONTROLS` -> what is asked of the open bars."""
    copying: CopyLimit | None = None
    """How long a passage may be that also stands in the songs of an index."""

    def asked(self) -> list[str]:
        """The options by which anything was asked for."""
        return [OPTIONS[one.name] for one in fields(self) if getattr(self, one.name)]


def parse_rules(
    *,
    without: str | None = None,
    meter: str | None = None,
    grid: str | None = None,
    soft_chords: bool = False,
    pitches: Sequence[str] = (),
    levels: Mapping[str, str | None] | None = None,
) -> Rules:
    """Rules in a musician's words: ``without="keys", grid="1/16", levels={"density": "low..high"}``.

    Raises:
        UnknownName: for an instrument, a grid, a drum or a level that there is not.
        OutOfRange: for a number outside its range.
    """
    if grid is not None:
        grid_units(grid)
    meters = () if meter is None else tuple(Meter.parse(one) for one in meter.split(","))
    named = [name for name in (without or "").split(",") if name.strip()]
    return Rules(
        without=tuple(part for name in named for part in parse_group(name)),
        meters=meters if len(meters) > 1 else (),
        grid=grid,
        soft_chords=soft_chords,
        pitches=dict(map(_parse_pitches, pitches)),
        levels={
            control: parse_curve(text, OPTION_OF[control])
            for control, text in (levels or {}).items()
            if text is not None
        },
    )


def parse_curve(text: str, name: str) -> Curve:
    """``"5"``, ``"3,5,-,7"`` (a bar each, - as it comes), ``"low..high"`` or ``"2..9..4"``.

    Raises:
        OutOfRange: for anything else.
    """
    bends = ".." in text
    points = tuple(_level(word.strip(), name) for word in (text.split("..") if bends else text.split(",")))
    if bends and None in points:
        raise OutOfRange(f"{name} {text!r}: a curve passes through levels; write numbers 0-{LEVELS - 1}, not {ASIS}")
    return Curve(points, bends)


def parse_bars(text: str) -> tuple[int, int | None]:
    """``"5-8"`` -> (5, 8), ``"5"`` -> (5, 5), ``"5-"`` -> (5, None): counted from 1, None is the last.

    Raises:
        OutOfRange: for anything else.
    """
    found = re.fullmatch(r"\s*(\d{1,6})\s*(?:(-)\s*(\d{1,6})?)?\s*", text)
    first = int(found[1]) if found else 0
    last = None if not found or (found[2] and not found[3]) else int(found[3] or first)
    if not found or first < 1 or (last is not None and last < first):
        raise OutOfRange(f"bars {text!r} are none; write 5-8, 5 or 5- (to the end), counted from 1")
    return first, last


def parse_drum(text: str) -> tuple[int, ...]:
    """``"hats"``, ``"closed hi-hat"``, ``"snare"``, ``"C2"`` or ``"42"`` -> pitches.

    Raises:
        UnknownName: if there is none.
    """
    word = text.strip().lower()
    if word in ("hats", "closed hats"):
        return CLOSED_HATS
    try:
        return (parse_pitch(word),)
    except UnknownName:
        named = tuple(pitch for pitch, name in DRUMS.items() if word and word in name)
    if not named:
        raise UnknownName(
            f"{text.strip()!r} is no drum and no pitch; write hats, snare, bass drum, a pitch such as E2, or 0-127"
        )
    return named


def parse_drums(text: str) -> tuple[int, ...]:
    """``"hats, snare, 51"`` -> pitches, ascending."""
    return tuple(sorted({pitch for word in text.split(",") for pitch in parse_drum(word)}))


def told_rules(rules: Rules) -> dict[str, Any]:
    """What is asked for, to be written into a file; None for what is not."""
    return {
        "without": list(dict.fromkeys(part_name(part) for part in rules.without)) or None,
        "meters": ",".join(map(str, rules.meters)) or None,
        "grid": rules.grid,
        "soft_chords": rules.soft_chords or None,
        "pitches": {name: list(pitches) for name, pitches in rules.pitches.items()} or None,
        "levels": {name: curve.text for name, curve in rules.levels.items()} or None,
        "max_copy": None if rules.copying is None else f"{rules.copying.text} of {rules.copying.name}",
    }


def refuse_rules(rules: Rules, recipe: str) -> None:
    """Raise `UsageError` if anything is asked for that only a canvas can obey."""
    if asked := rules.asked():
        raise UsageError(f"{asked[0]} is for bundles of recipe band, not for {recipe}; leave it out")


def _parse_pitches(text: str) -> tuple[str, tuple[int, ...]]:
    name, equals, named = text.partition("=")
    if not name.strip() or not equals or not named.strip():
        raise OutOfRange(f"pitches {text!r} are not of the form part=pitches; try 'drums=hats,snare' or 'bass=E1,A1'")
    return name.strip(), parse_drums(named)


def _level(word: str, name: str) -> int | None:
    if word == ASIS:
        return None
    level = NAMED_LEVELS.get(word.lower(), int(word) if re.fullmatch(r"\d{1,3}", word) else LEVELS)
    if level >= LEVELS:
        raise OutOfRange(
            f"{name} {word!r} is no level; write 0-{LEVELS - 1}, {', '.join(NAMED_LEVELS)}, or {ASIS} for as it comes"
        )
    return level

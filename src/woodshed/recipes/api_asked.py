"""What is asked of a band in Python, and how it becomes a wish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict

from woodshed.errors import UnknownName
from woodshed.music import Key, Meter, Part, parse_part
from woodshed.music.chord_sheet import parse_chords
from woodshed.recipes.clip import draw_seed
from woodshed.recipes.rules import OPTION_OF, parse_rules
from woodshed.recipes.wish import Wish


class HowToDraw(TypedDict, total=False):
    """How freely to play; fields of `woodshed.generation.filters.Sampling`, where their ranges are."""

    temperature: float
    temperatures: dict[str, float]
    top_k: int
    top_p: float
    min_p: float
    repetition: float


class Asked(HowToDraw, total=False):
    """What new notes obey; what only recipe band obeys is refused by the others."""

    key: str | Key | None
    chords: str | None
    """One a bar, "Am F C G", or "Am F | C G"."""
    soft_chords: bool
    """Whether chords are favoured instead of obeyed."""
    grid: str | None
    """Where notes may start, such as "1/16"."""
    polyphony: int | None
    ranges: Mapping[str, tuple[int, int]]
    """Name of a part, or of its instrument -> its lowest and highest pitch."""
    pitches: Mapping[str, Sequence[int]]
    """The same -> all that it plays."""
    density: str | int
    """A level of 0-11, one for each bar, "3,5,-,7", or a curve, "low..high"; so are the next."""
    register: str | int
    syncopation: str | int
    loudness: str | int
    without: str | None
    """Who must not play."""


def wish_of(
    asked: Asked,
    bars: int = Wish.bars,
    parts: str | Sequence[str | Part] | None = None,
    meter: str | Meter | None = None,
) -> Wish:
    """What is asked for, as the verbs want it."""
    names = parts.split(",") if isinstance(parts, str) else parts
    key, chords = asked.get("key"), asked.get("chords")
    levels = {control: asked.get(name) for control, name in OPTION_OF.items()}
    rules = parse_rules(
        without=asked.get("without"),
        meter=None if meter is None else str(meter),
        grid=asked.get("grid"),
        soft_chords=asked.get("soft_chords", False),
        levels={control: None if text is None else str(text) for control, text in levels.items()},
    )
    return Wish(
        bars=bars,
        parts=None if names is None else tuple(part_of(name) for name in names),
        key=Key.parse(key) if isinstance(key, str) else key,
        meter=Meter.parse(meter.split(",")[0]) if isinstance(meter, str) else meter,
        polyphony=asked.get("polyphony"),
        ranges=asked.get("ranges", {}),
        chords=None if chords is None else parse_chords(chords),
        rules=replace(rules, pitches={name: tuple(list_) for name, list_ in asked.get("pitches", {}).items()}),
    )


def how_to_draw(asked: Asked) -> dict[str, Any]:
    """How freely to draw, of what is asked."""
    return {name: value for name, value in asked.items() if name in HowToDraw.__annotations__}


def chance_of(seed: int | None, candidates: int) -> Chance:
    """A seed, drawn if none is given, and how many candidates there are."""
    return {"seed": seed_of(seed), "candidates": candidates}


class Chance(TypedDict):
    """Of one call."""

    seed: int
    candidates: int


def part_of(name: str | Part) -> Part:
    """A part by its name.

    Raises:
        UnknownName: for an empty one, and for an instrument that there is not.
    """
    if isinstance(name, Part):
        return name
    if not name.strip():
        raise UnknownName("a part has an empty name; try 'drums, bass, lead guitar'")
    return parse_part(name)


def seed_of(seed: int | None) -> int:
    """A seed, drawn if none is given."""
    return draw_seed() if seed is None else seed

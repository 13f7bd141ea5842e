"""A canvas with all that a wish asks of what is open: key, chords, ranges, pitches, polyphony, grid, levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.chord_roll import with_chords
from woodshed.codecs.part_choice import is_called
from woodshed.errors import InfeasibleCanvas, OutOfRange, UnknownName
from woodshed.generation.canvas import Canvas, polyphony_of, program_of
from woodshed.generation.constraints import CHORD_PULL, chords_over
from woodshed.generation.openings import bar_span
from woodshed.music import Meter, Song, parse_part, part_name
from woodshed.music.meter import bar_of
from woodshed.recipes.rules import OPTION_OF, Rules
from woodshed.recipes.wish import Wish


def with_wish(canvas: Canvas, wish: Wish) -> Canvas:
    """The canvas with the constraints of a wish on its open notes. Chords begin in the first open bar.

    Raises:
        UnknownName: for a range or pitches of a part that is not open.
        OutOfRange: for a number outside its range, or levels that are more or fewer than the open bars.
        InfeasibleCanvas: for chords that the meter cannot hold.
    """
    rules, kept = wish.rules, canvas.constraints
    first, last = open_bars(canvas)
    lines = canvas.song.bar_lines()
    chords = _chords(wish, lines[first : last + 1], canvas.song)
    polyphony = {
        part: most for part, most in polyphony_of(canvas.song, wish.polyphony).items() if part in canvas.open_parts
    }
    pitches = {part: chosen for name, chosen in rules.pitches.items() for part in _meant(canvas, name, "pitches", True)}
    levels = {
        control: _padded(curve.over(last - first, OPTION_OF[control]), first, len(lines) - 1)
        for control, curve in rules.levels.items()
    }
    constraints = replace(
        kept,
        key=wish.key or (kept.key if chords is None or kept.strict_key else None),
        strict_key=True if wish.key else kept.strict_key,
        polyphony=kept.polyphony | polyphony,
        pitches=kept.pitches | pitches,
        grid=rules.grid or kept.grid,
        chords=kept.chords if chords is None else chords,
        strict_chords=kept.strict_chords if chords is None else not rules.soft_chords,
        chord_pull=kept.chord_pull if chords is None else kept.chord_pull or CHORD_PULL,
        levels=kept.levels | levels,
        leanings=kept.leanings - levels.keys(),
        copying=rules.copying or kept.copying,
    )
    return with_ranges(replace(canvas, constraints=constraints), wish.ranges)


def open_bars(canvas: Canvas) -> tuple[int, int]:
    """The first bar in which anything is open, counted from 0, and the one past the last."""
    lines = canvas.song.bar_lines()
    ends = [span.end - 1 for span in canvas.spans] + canvas.song.notes["onset"][canvas.fields > 0][-1:].tolist()
    first, last = bar_of(np.array([canvas.open_from, max(ends, default=canvas.open_from)]), lines).tolist()
    return first, last + 1


def with_ranges(canvas: Canvas, ranges: Mapping[str, tuple[int, int]]) -> Canvas:
    """The canvas with these ranges for the parts that they name, instead of the usual ones.

    Raises:
        UnknownName: if no open part has such a name or instrument, or only drums have.
    """
    chosen = dict(canvas.constraints.pitch_ranges)
    for name, span in ranges.items():
        chosen |= dict.fromkeys(_meant(canvas, name, "range", False), span)
    return replace(canvas, constraints=replace(canvas.constraints, pitch_ranges=chosen))


def parts_called(song: Song, text: str) -> list[int]:
    """``"guitar, drums"`` -> the sounding parts of a song that are so called, or play such an instrument; ascending.

    Raises:
        UnknownName: naming those that sound, for a word that fits none.
    """
    sounding = np.unique(song.notes["part"]).tolist()
    found = {part for word in text.split(",") if word.strip() for part in _called(song, sounding, word)}
    if not found:
        raise UnknownName(f"no part is named; {_there(song, sounding)}")
    return sorted(found)


def span_of(song: Song, bars: tuple[int, int | None] | None) -> tuple[int, int] | None:
    """Bars as a canvas wants them: None stays None, and an open end is the song's last bar.

    Raises:
        OutOfRange: for bars that the song has not.
    """
    if bars is None:
        return None
    span = bars[0], song.bars if bars[1] is None else bars[1]
    bar_span(song, span)
    return span


def meters_of(sheet: Song, bars: int) -> tuple[Meter, ...]:
    """The meter of each of the first bars of a song."""
    at = np.searchsorted(sheet.meters["onset"], sheet.bar_lines()[:bars], side="right") - 1
    each = [(4, 4) if row < 0 else sheet.meters[["numerator", "denominator"]][row].item() for row in at.tolist()]
    return tuple(Meter(*pair) for pair in each)


def generated(wish: Wish) -> tuple[Wish, Rules]:
    """The wish for new music; over the chords of a sheet its meter is the sheet's, if none is asked for."""
    if wish.sheet is None or wish.meter is not None:
        return wish, wish.rules
    rules = replace(wish.rules, meters=meters_of(wish.sheet, wish.bars))
    return replace(wish, rules=rules), rules


def _chords(wish: Wish, lines: NDArray[np.int64], song: Song) -> NDArray[Any] | None:
    """Rows for `Constraints.chords` over the bars between ``lines``; None where no chords are asked for."""
    if wish.chords is not None:
        return chords_over(wish.chords, lines)
    if wish.sheet is None:
        return None
    name, bars = wish.sheet.title or "the music", len(lines) - 1
    if bars > wish.sheet.bars:
        raise OutOfRange(f"{name} has chords for {wish.sheet.bars} bars, and {bars} are open; ask for no more")
    own = wish.sheet.bar_lines()[: bars + 1]
    if not np.array_equal(own - own[0], lines - lines[0]):
        raise InfeasibleCanvas(
            f"the bars of {name}, whose chords are asked for, are not as long as those of {song.title or 'the song'}; "
            "leave --meter out, or type the chords"
        )
    found = with_chords(wish.sheet).chords
    rows: NDArray[Any] = found[found["onset"] < own[-1]].copy()
    rows["onset"] += lines[0] - own[0]
    return rows


def _padded(levels: Sequence[int | None], first: int, bars: int) -> tuple[int | None, ...]:
    return (*(None,) * first, *levels, *(None,) * (bars - first - len(levels)))


def _meant(canvas: Canvas, name: str, what: str, drums: bool) -> list[int]:
    """The open parts that are meant by a name; drums only where they may be."""
    parts = canvas.song.parts
    able = [part for part in canvas.open_parts if drums or not parts[part].is_drum]
    try:
        return _called(canvas.song, able, name)
    except UnknownName:
        there = ", ".join(part_name(parts[part]) for part in able)
        kind = "part" if drums else "pitched part"
        raise UnknownName(f"{what} {name!r}: no {kind} of that name is open; there is {there or 'none'}") from None


def _called(song: Song, among: Sequence[int], word: str) -> list[int]:
    """Those of some parts that have a name; else that play the instrument of that name; else whose names have it."""
    parts, word = song.parts, " ".join(word.lower().split())
    if named := [part for part in among if part_name(parts[part]).lower() == word]:
        return named
    try:
        program = program_of(parse_part(word))
    except UnknownName:
        program = -1
    if played := [part for part in among if program_of(parts[part]) == program]:
        return played
    alike = [part for part in among if not parts[part].is_drum and is_called(parts[part], word)]
    if not alike:
        raise UnknownName(f"part {word!r} does not sound in {song.title or 'the song'}; {_there(song, among)}")
    return alike


def _there(song: Song, among: Sequence[int]) -> str:
    names = ", ".join(dict.fromkeys(part_name(song.parts[part]) for part in among))
    return f"there is {names}" if names else "no part sounds"

"""What a bundle's style must look like before anything reads it: a config.json is somebody else's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from woodshed.codecs.usual_values import OCCASIONS
from woodshed.errors import BundleError, WoodshedError
from woodshed.music import Meter
from woodshed.music.chord_places import PLACES
from woodshed.music.chord_sheet import parse_chords
from woodshed.music.intervals import CLASSES
from woodshed.music.texture import LENGTHS
from woodshed.music.units import STEPS_PER_QUARTER

MOST_OFF = 64
"""Ticks by which a note may lie off its step."""
LONGEST, LOUDEST = 384, 31
"""Steps of the longest note value, and the highest velocity, of a note row."""
_FIGURES = ("notes", "songs", "lowest", "highest", "polyphony")


def check_style(style: Mapping[str, Any], where: str) -> None:
    """Refuse a style that generation could trip over. Nothing in it is required; what is there must be sound.

    Raises:
        BundleError: naming ``where`` and the entry.
    """
    checks: dict[str, Callable[[Any], bool]] = {
        "bpm": _is_tempo,
        "songs": lambda value: _is_number(value, 0, 1 << 40),
        "bars": lambda value: _is_number(value, 0, 1 << 31),
        "notes_per_bar": lambda value: _is_number(value, 0, 1e9),
        "meters": lambda value: isinstance(value, dict) and all(map(_is_meter, value)),
        "backbeat": lambda value: _is_number(value, 0, 1),
        "lead": _is_lead,
        "drum_pitches": lambda value: _is_list(value, _is_pitch),
        "instruments": lambda value: isinstance(value, dict) and all(map(_is_instrument, value, value.values())),
        "arrangements": lambda value: _is_list(value, _is_arrangement),
    }
    for name, sound in checks.items():
        if name in style and not sound(style[name]):
            raise BundleError(f"{where}: its style has a damaged {name!r}; copy or train the bundle again")


def _is_lead(lead: Any) -> bool:
    """Whether this says what leading lines are like, or that there are none."""
    if lead is None:
        return True
    if not isinstance(lead, dict) or not _is_list(lead.get("intervals"), lambda share: _is_number(share, 0, 1)):
        return False
    shares = all(_is_number(lead.get(name), 0, 1) for name in ("sounding", "favourite"))
    return (
        shares
        and _is_number(lead.get("pace"), 0, 1e6)
        and len(lead["intervals"]) == CLASSES
        and abs(sum(lead["intervals"]) - 1) < 0.01
    )


def _is_instrument(program: str, facts: Any) -> bool:
    if not (program.isdecimal() and int(program) <= 128 and isinstance(facts, dict)):
        return False
    figures = all(_is_number(facts.get(name, 0), 0, 1 << 40) for name in _FIGURES)
    usual = facts.get("usual_range", [0, 127])
    return figures and _is_list(usual, _is_pitch) and len(usual) == 2 and isinstance(facts.get("name", ""), str)


def _is_arrangement(song: Any) -> bool:
    if not isinstance(song, dict):
        return False
    programs, presence = song.get("programs", []), song.get("presence", [])
    if not (_is_list(programs, _is_program) and _is_list(presence, lambda share: _is_number(share, 0, 1))):
        return False
    if not _is_list(song.get("density", []), lambda level: type(level) is int and 0 <= level <= 11):
        return False
    if not _is_number(song.get("share", 1.0), 1e-12, 1):
        return False
    if song.get("clashes") is not None and not _is_number(song["clashes"], 0, 1):
        return False
    plays, sounding = song.get("plays", []), song.get("sounding", [])
    if not (_is_list(plays, _is_runs) and _is_list(sounding, _is_part_of)):
        return False
    again, pace, lengths = (song.get(name, []) for name in ("again", "pace", "lengths"))
    if not (_is_list(again, _is_repeats) and _is_list(pace, _is_figure)):
        return False
    if not _is_list(lengths, lambda shares: shares is None or _are_shares(shares, LENGTHS)):
        return False
    chord, chords = song.get("chord", []), song.get("chords")
    if not _is_list(chord, lambda shares: shares is None or _are_shares(shares, len(PLACES))):
        return False
    if chords is not None and not _are_chords(chords):
        return False
    centres, voices, grids = song.get("centres", []), song.get("voices", []), song.get("grids", [])
    if not _is_list(grids, lambda grid: grid is None or (_is_list(grid, _is_step) and len(grid) > 0)):
        return False
    if not _is_list(voices, lambda most: most is None or (type(most) is int and 1 <= most <= 128)):
        return False
    if not (_is_list(centres, lambda mean: mean is None or _is_number(mean, 0, 127))):
        return False
    long, loud = song.get("note_values", []), song.get("velocities", [])
    if not _is_list(long, lambda own: own is None or _are_shares_of(own, 1, LONGEST)):
        return False
    if not _is_list(loud, lambda own: own is None or _are_occasions(own)):
        return False
    if not _is_list(song.get("strokes", []), _are_strokes):
        return False
    reaches = song.get("reaches", [])
    if not _is_list(reaches, lambda ticks: ticks is None or (type(ticks) is int and 0 <= ticks <= MOST_OFF)):
        return False
    of_parts = (plays, sounding, again, pace, lengths, chord, centres, voices, grids, reaches, long, loud)
    if any(own and len(own) != len(programs) for own in of_parts):
        return False
    return len(programs) == len(presence) > 0 and _is_tempo(song.get("bpm")) and _is_meter(song.get("meter"))


def _is_part_of(share: Any) -> bool:
    return share is None or _is_number(share, 0, 1)


def _are_shares(shares: Any, count: int) -> bool:
    return _is_list(shares, lambda share: _is_number(share, 0, 1)) and len(shares) == count


def _is_runs(bars: Any) -> bool:
    """Whether these are bars at which something begins and ends by turns."""
    if not _is_list(bars, lambda bar: type(bar) is int and 0 <= bar <= 1 << 20) or len(bars) % 2:
        return False
    return all(before < after for before, after in pairwise(bars))


def _is_figure(value: Any) -> bool:
    return value is None or _is_number(value, 0, 1e6)


def _is_step(value: Any) -> bool:
    """Whether this is a step of a quarter note."""
    return type(value) is int and 0 <= value < STEPS_PER_QUARTER


def _are_strokes(row: Any) -> bool:
    """Whether this is a drum and the steps of a bar at which it is struck."""
    if not isinstance(row, list) or len(row) < 2 or not _is_pitch(row[0]):
        return False
    return _is_list(row[1:], lambda step: type(step) is int and 0 <= step <= 1 << 16)


def _are_occasions(own: Any) -> bool:
    """Whether these are the velocities of each occasion, with their shares."""
    return _is_list(own, lambda pairs: _are_shares_of(pairs, 0, LOUDEST)) and len(own) == OCCASIONS


def _are_shares_of(pairs: Any, low: int, high: int) -> bool:
    """Whether these are whole numbers in a range, each followed by its share, which are 1 in all."""
    if not isinstance(pairs, list) or not pairs or len(pairs) % 2:
        return False
    shares = _is_list(pairs[1::2], lambda share: _is_number(share, 0, 1)) and abs(sum(pairs[1::2]) - 1) < 0.05
    return shares and _is_list(pairs[::2], lambda one: type(one) is int and low <= one <= high)


def _is_repeats(runs: Any) -> bool:
    """Whether these are runs of bars, each with how many bars back stands what they are again."""
    if not _is_list(runs, lambda number: type(number) is int and 0 <= number <= 1 << 20) or len(runs) % 3:
        return False
    ends = [bar for first, last in zip(runs[::3], runs[1::3], strict=True) for bar in (first, last)]
    ascending = all(before <= after for before, after in pairwise(ends))
    return ascending and all(1 <= back <= first for first, back in zip(runs[::3], runs[2::3], strict=True))


def _is_list(value: Any, sound: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(sound, value))


def _is_number(value: Any, low: float, high: float) -> bool:
    return type(value) in (int, float) and low <= value <= high


def _is_program(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 128


def _is_pitch(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 127


def _is_tempo(value: Any) -> bool:
    return _is_number(value, 1e-3, 1e8)


def _are_chords(value: Any) -> bool:
    """Whether this is text that `parse_chords` reads."""
    try:
        parse_chords(value)
    except (WoodshedError, AttributeError, TypeError):
        return False
    return True


def _is_meter(value: Any) -> bool:
    try:
        Meter.parse(value)
    except (WoodshedError, AttributeError, TypeError):
        return False
    return True

"""Which notes of a song are soprano, alto, tenor and bass."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import CodecError, UnknownName
from woodshed.music import TICKS_PER_QUARTER, Song
from woodshed.music.segments import pitched_notes
from woodshed.music.units import ticks_to_steps
from woodshed.words import counted

VOICE_NAMES = ("soprano", "alto", "tenor", "bass")
STEPS_PER_QUARTER = 4
MOST_STEPS = 100_000
"""Longer songs are refused: they can only be damaged, and each sixteenth costs memory."""
_MIDDLES = (71, 65, 59, 51)
"""Median pitches of the four voices in Bach's chorales: where a voice is thought to be before its first note."""
_PREFIXES = (("sopran", "s."), ("alt", "a."), ("tenor", "t."), ("bass", "b."))


def voice_notes(song: Song) -> NDArray[Any]:
    """`NOTE` rows of four voices, whose ``part`` is 0 soprano, 1 alto, 2 tenor, 3 bass.

    Four parts named for the voices are taken from any number of parts. Otherwise there must be four pitched parts,
    which are ordered by register; or two of two voices each, or one of four, which are split. Drums and silent
    parts do not count. Splitting Bach's chorales from two staves gave 96.6 % of the notes to the voice that has them.

    Raises:
        CodecError: saying what the song has instead of four voices, or where a voice sings two notes.
    """
    check_length(song)
    notes = pitched_notes(song.notes, song.parts)
    parts = np.unique(notes["part"]).tolist()
    chosen = _named_parts(song, parts)
    if chosen is None and len(parts) not in (1, 2, 4):
        raise CodecError(
            f"{_title(song)}: {len(parts)} pitched parts sound, and a chorale has four voices: four parts, or two of "
            "two voices each; name four of them Soprano, Alto, Tenor and Bass to choose among more"
        )
    if chosen is None:
        chosen = sorted(parts, key=lambda part: (-_register(notes[notes["part"] == part]), part))
    each = 4 // len(chosen)
    lines = [_split(song, notes[notes["part"] == part], each, each * index) for index, part in enumerate(chosen)]
    return _checked_lines(song, np.concatenate(lines))


def given_voices(song: Song, voices: Sequence[str]) -> NDArray[Any]:
    """`NOTE` rows of the voices that are given: pitched part i of the song sings ``voices[i]``.

    Raises:
        UnknownName: for a voice that is none of `VOICE_NAMES`, or that is named twice.
        CodecError: if the song has not just as many pitched parts, or one of them sings two notes at once.
    """
    check_length(song)
    unknown = [voice for voice in voices if voice not in VOICE_NAMES]
    if unknown or len(set(voices)) != len(voices) or not voices:
        raise UnknownName(f"voices {', '.join(voices) or 'none'}: name each of {', '.join(VOICE_NAMES)} at most once")
    notes = pitched_notes(song.notes, song.parts).copy()
    parts = np.unique(notes["part"])
    if len(parts) != len(voices):
        raise CodecError(
            f"{_title(song)}: {counted(len(parts), 'pitched part')} and {counted(len(voices), 'voice')} "
            f"({', '.join(voices)}); name one voice for each part"
        )
    numbers = np.array([VOICE_NAMES.index(voice) for voice in voices], np.int16)
    notes["part"] = numbers[np.searchsorted(parts, notes["part"])]
    return _checked_lines(song, notes)


def steps(ticks: Any) -> NDArray[np.int64]:
    """Nearest sixteenth of each tick."""
    return ticks_to_steps(ticks, STEPS_PER_QUARTER)


def place(song: Song, tick: int) -> str:
    """A tick as a musician counts: ``"bar 3, beat 2.5"``."""
    lines = song.bar_lines()
    bar = int(np.clip(np.searchsorted(lines, tick, side="right") - 1, 0, len(lines) - 2))
    return f"bar {bar + 1}, beat {1 + (tick - int(lines[bar])) / TICKS_PER_QUARTER:.4g}"


def check_length(song: Song) -> None:
    """Refuse what is longer than `MOST_STEPS`."""
    if song.length > MOST_STEPS * TICKS_PER_QUARTER // STEPS_PER_QUARTER:
        raise CodecError(
            f"{_title(song)}: {song.length * STEPS_PER_QUARTER // TICKS_PER_QUARTER} sixteenths are longer than a "
            f"chorale can be ({MOST_STEPS}); cut the song"
        )


def _title(song: Song) -> str:
    return song.title or "song"


def _named_parts(song: Song, parts: list[int]) -> list[int] | None:
    """The parts named soprano, alto, tenor, bass; None if not all four are there."""
    names = {part: song.parts[part].name.strip().lower() for part in parts}
    found = [[part for part in parts if names[part].startswith(prefixes)] for prefixes in _PREFIXES]
    if not all(found):
        return None
    for voice, several in zip(VOICE_NAMES, found, strict=True):
        if len(several) > 1:
            called = ", ".join(repr(song.parts[part].name) for part in several)
            raise CodecError(f"{_title(song)}: {len(several)} parts are {voice} ({called}); leave one of them out")
    return [several[0] for several in found]


def _register(notes: NDArray[Any]) -> float:
    """Mean pitch over the time that it sounds."""
    return float(np.average(notes["pitch"], weights=notes["duration"]))


def _split(song: Song, notes: NDArray[Any], voices: int, first: int) -> NDArray[Any]:
    """The notes of a part that holds so many voices, with the number of the voice as their part.

    A voice that holds a note keeps it; those that are free take the notes that start, the upper voices the upper
    notes. Where more voices are free than notes start, those sing that leap the least.
    """
    split = notes[np.lexsort((-notes["pitch"].astype(np.int64), notes["onset"]))]
    split["part"] = first
    if voices == 1:
        return split
    onset, end = split["onset"].astype(np.int64), split["onset"].astype(np.int64) + split["duration"]
    busy_until, last = [-1] * voices, list(_MIDDLES[first : first + voices])
    pitches, begins, ends = split["pitch"].tolist(), steps(onset).tolist(), steps(end).tolist()
    groups = np.append(np.flatnonzero(np.diff(onset, prepend=-1)), len(split)).tolist()
    for start, stop in itertools.pairwise(groups):
        free = [voice for voice in range(voices) if busy_until[voice] <= begins[start]]
        chosen = _nearest(free, last, pitches[start:stop])
        if chosen is None:
            where = place(song, int(onset[start]))
            raise CodecError(f"{_title(song)}: {where}: more than {voices} voices sound in one part")
        for note, voice in enumerate(chosen, start):
            busy_until[voice], last[voice] = ends[note], pitches[note]
            split["part"][note] = first + voice
    return split


def _nearest(free: list[int], last: list[int], pitches: list[int]) -> tuple[int, ...] | None:
    """The free voices, top to bottom, whose last pitches are nearest to these, descending; None if too few are free."""
    if len(free) <= len(pitches):
        return tuple(free) if len(free) == len(pitches) else None
    ways = itertools.combinations(free, len(pitches))
    return min(ways, key=lambda way: sum(abs(last[voice] - pitch) for voice, pitch in zip(way, pitches, strict=True)))


def _checked_lines(song: Song, notes: NDArray[Any]) -> NDArray[Any]:
    """The notes themselves, if no voice starts two pitches at the same tick."""
    ordered = notes[np.lexsort((notes["pitch"], notes["part"], notes["onset"]))]
    same = (np.diff(ordered["onset"]) == 0) & (np.diff(ordered["part"]) == 0) & (np.diff(ordered["pitch"]) != 0)
    if same.any():
        one, other = ordered[np.flatnonzero(same)[0] + np.arange(2)]
        raise CodecError(
            f"{_title(song)}: {place(song, int(one['onset']))}: the {VOICE_NAMES[one['part']]} has the pitches "
            f"{one['pitch']} and {other['pitch']} at once; a voice sings one note at a time: give one line"
        )
    return notes

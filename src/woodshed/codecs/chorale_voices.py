"""Which notes of a song are soprano, alto, tenor and bass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import CodecError, UnknownName
from woodshed.music import TICKS_PER_QUARTER, Song
from woodshed.music.segments import pitched_notes
from woodshed.music.units import ticks_to_steps

VOICE_NAMES = ("soprano", "alto", "tenor", "bass")
STEPS_PER_QUARTER = 4
MOST_STEPS = 100_000
"""Longer songs are refused: they can only be damaged, and each sixteenth costs memory."""
_PREFIXES = (("sopran", "s."), ("alt", "a."), ("tenor", "t."), ("bass", "b."))


def voice_notes(song: Song) -> NDArray[Any]:
    """`NOTE` rows of four voices, whose ``part`` is 0 soprano, 1 alto, 2 tenor, 3 bass.

    Four parts named for the voices are taken from any number of parts. Otherwise there must be four pitched parts,
    which are ordered by register; or two of two voices each, or one of four, which are split by who sings above
    whom. Drums and silent parts do not count.

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
            f"{_title(song)}: {len(parts)} pitched parts sound, but {len(voices)} voices are given "
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
    return f"bar {bar + 1}, beat {1 + (tick - int(lines[bar])) / TICKS_PER_QUARTER:g}"


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

    A note with another sounding above it is not the upper voice, and so on; a note that this leaves free goes to
    the nearest voice by the median pitch of the notes that are certain.
    """
    above, below = _neighbours(notes)
    crowded = np.flatnonzero(above + below >= voices)
    if voices > 1 and len(crowded):
        where = place(song, int(notes["onset"][crowded[0]]))
        raise CodecError(f"{_title(song)}: {where}: more than {voices} voices sound in one part, or they cross")
    pitch = notes["pitch"].astype(float)
    certain = above + below == voices - 1
    middles = [
        float(np.median(pitch[certain & (above == voice)] if (certain & (above == voice)).any() else pitch))
        for voice in range(voices)
    ]
    distance = np.abs(pitch[:, None] - np.array(middles))
    number = np.arange(voices)
    distance[(number < above[:, None]) | (number > voices - 1 - below[:, None])] = np.inf
    split = notes.copy()
    split["part"] = first + (distance.argmin(axis=1) if voices > 1 else 0)
    return split


def _neighbours(notes: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each note the most notes that sound above it, and below it, on any one step."""
    onset = steps(notes["onset"])
    length = np.maximum(steps(notes["onset"].astype(np.int64) + notes["duration"]) - onset, 1)
    note = np.repeat(np.arange(len(notes)), length)
    step = np.arange(len(note)) - np.repeat(np.cumsum(length) - length, length) + onset[note]
    order = np.lexsort((note, -notes["pitch"][note].astype(np.int64), step))
    note, step = note[order], step[order]
    starts = np.flatnonzero(np.diff(step, prepend=-1))
    counts = np.diff(np.append(starts, len(step)))
    rank = np.arange(len(step)) - np.repeat(starts, counts)
    above, below = np.zeros(len(notes), np.int64), np.zeros(len(notes), np.int64)
    np.maximum.at(above, note, rank)
    np.maximum.at(below, note, np.repeat(counts, counts) - 1 - rank)
    return above, below


def _checked_lines(song: Song, notes: NDArray[Any]) -> NDArray[Any]:
    """The notes themselves, if no voice starts two pitches at the same tick."""
    ordered = notes[np.lexsort((notes["pitch"], notes["part"], notes["onset"]))]
    same = (np.diff(ordered["onset"]) == 0) & (np.diff(ordered["part"]) == 0) & (np.diff(ordered["pitch"]) != 0)
    if same.any():
        one, other = ordered[np.flatnonzero(same)[0] + np.arange(2)]
        raise CodecError(
            f"{_title(song)}: {place(song, int(one['onset']))}: the {VOICE_NAMES[one['part']]} has the pitches "
            f"{one['pitch']} and {other['pitch']} at once; a voice sings one note at a time"
        )
    return notes

"""Chords as musicians type them, bar by bar, and as rows of `Song.chords`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange, UnknownName
from woodshed.music.chord import QUALITIES, QUALITY_NAMES, Chord
from woodshed.music.song import CHORD, NO_CHORD, Song

SILENT = ("nc", "n.c.", "n.c")
"""What is typed, in any case, where no chord sounds."""
AGAIN = "%"
"""What is typed for the bar before once more."""
MOST_IN_A_BAR = 16

Bars = tuple[tuple[Chord | None, ...], ...]
"""The chords of each bar, which share it evenly; None where none sounds."""


def parse_chords(text: str) -> Bars:
    """``"Am F C G"``: one chord for each bar. ``"Am F | C G7/B | % | N.C."``: bars between lines, shared evenly.

    ``%`` is the bar before once more, ``N.C.`` is no chord; commas count as spaces.

    >>> [[str(chord) for chord in bar] for bar in parse_chords("Am | F C/E | %")]
    [['Am'], ['F', 'C/E'], ['F', 'C/E']]

    Raises:
        UnknownName: for a chord that cannot be read, naming its bar; or if none is named.
        OutOfRange: for more than 16 chords in a bar.
    """
    words = text.replace(",", " ").replace("|", " | ").split()
    bars = [[word] for word in words] if "|" not in words else _between_lines(words)
    found: list[tuple[Chord | None, ...]] = []
    for number, bar in enumerate(bars, 1):
        if len(bar) > MOST_IN_A_BAR:
            raise OutOfRange(f"bar {number} has {len(bar)} chords, more than {MOST_IN_A_BAR}; part them with |")
        if bar == [AGAIN]:
            if not found:
                raise UnknownName("the chords begin with %, which repeats the bar before; name a chord first")
            found.append(found[-1])
        else:
            found.append(tuple(_parse(word, number) for word in bar))
    if not any(chord for bar in found for chord in bar):
        raise UnknownName("no chord is named; try 'Am F C G', one for each bar, or 'Am F | C G', two for each")
    return tuple(found)


def sheet_text(bars: Bars) -> str:
    """What `parse_chords` reads these bars from.

    >>> sheet_text(parse_chords("Am F, | % | N.C."))
    'Am F | Am F | N.C.'
    """
    return " | ".join(" ".join("N.C." if chord is None else str(chord) for chord in bar) for bar in bars)


def chord_text(chords: NDArray[Any], lines: NDArray[np.int64]) -> str:
    """Rows of `Song.chords` as they would be typed: bars between ``lines`` (B + 1,) ticks, parted by ``|``.

    Chords that do not share a bar evenly are written as if they did.
    """
    bars, sounding, before = [], "N.C.", ""
    for start, end in zip(lines[:-1].tolist(), lines[1:].tolist(), strict=True):
        inside = chords[(chords["onset"] >= start) & (chords["onset"] < end)]
        names = [name_of(row) for row in inside]
        if not len(inside) or inside["onset"][0] > start:
            names.insert(0, sounding)
        bar, sounding = " ".join(names), names[-1]
        bars.append(AGAIN if bar == before else bar)
        before = bar
    return " | ".join(bars)


def chord_rows(bars: Bars, count: int, bar_ticks: int) -> NDArray[Any]:
    """Rows for `Song.chords`: ``bars`` again and again until there are ``count``, each ``bar_ticks`` long."""
    rows = []
    for bar in range(count):
        chords = bars[bar % len(bars)]
        for place, chord in enumerate(chords):
            onset = bar * bar_ticks + place * bar_ticks // len(chords)
            rows.append((onset, NO_CHORD, 0, NO_CHORD) if chord is None else (onset, *_numbers(chord)))
    return distinct(np.array(rows, CHORD))


def distinct(chords: NDArray[Any]) -> NDArray[Any]:
    """The rows, of each place the last, without those that only say again what sounds."""
    chords = chords[np.append(chords["onset"][1:] > chords["onset"][:-1], True)] if len(chords) else chords
    if len(chords) < 2:
        return chords
    names = ["root", "quality", "bass"]
    changes: NDArray[Any] = chords[np.append(True, chords[names][1:] != chords[names][:-1])]
    return changes


def chord_tones(chords: NDArray[Any]) -> NDArray[np.bool_]:
    """(N, 12) which pitch classes each chord has; its bass only if it is a tone of the chord."""
    shapes = np.zeros((len(QUALITIES), 12), bool)
    for number, steps in enumerate(QUALITIES.values()):
        shapes[number, list(steps)] = True
    place = (np.arange(12) - chords["root"][:, None]) % 12
    tones: NDArray[np.bool_] = shapes[chords["quality"][:, None], place]
    tones &= (chords["root"] != NO_CHORD)[:, None]
    return tones


def chords_at(chords: NDArray[Any], ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T,) the index of the row in force at each tick; -1 before the first."""
    index: NDArray[np.int64] = np.searchsorted(chords["onset"], ticks, side="right").astype(np.int64) - 1
    return index


def has_chords(song: Song) -> bool:
    """Whether a chord is written anywhere in it."""
    return bool((song.chords["root"] != NO_CHORD).any())


def name_of(row: Any) -> str:
    """One row of `Song.chords` as it is typed."""
    if row["root"] == NO_CHORD:
        return "N.C."
    bass = None if row["bass"] in (NO_CHORD, row["root"]) else int(row["bass"])
    return str(Chord(int(row["root"]), QUALITY_NAMES[row["quality"]], bass))


def _numbers(chord: Chord) -> tuple[int, int, int]:
    return chord.root, QUALITY_NAMES.index(chord.quality), chord.root if chord.bass is None else chord.bass


def _between_lines(words: Sequence[str]) -> list[list[str]]:
    bars: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            bars.append([])
        else:
            bars[-1].append(word)
    return [bar for bar in bars if bar]


def _parse(word: str, bar: int) -> Chord | None:
    if word.lower() in SILENT:
        return None
    try:
        return Chord.parse(word)
    except UnknownName as error:
        raise UnknownName(f"bar {bar}: {error}; such as Am, F#m7, C/E, or N.C. for none") from None

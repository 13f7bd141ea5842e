"""What open notes obey: the musician's wishes as data. `woodshed.generation.plan` turns them into masks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.levels import AS_IT_COMES, CONTROLS, LEVELS
from woodshed.errors import InfeasibleCanvas, OutOfRange, UnknownName
from woodshed.generation.copy_limit import CopyLimit
from woodshed.music import CHORD, NO_CHORD, QUALITY_NAMES, Key
from woodshed.music.chord_sheet import Bars, distinct
from woodshed.music.units import STEPS_PER_QUARTER, TICKS_PER_QUARTER, ticks_per_step

GRIDS = {
    "1/1": 48, "1/2": 24, "1/4": 12, "1/8": 6, "1/16": 3, "1/2T": 16, "1/4T": 8, "1/8T": 4, "1/16T": 2, "1/32T": 1,
}  # fmt: skip
"""Name of a rhythm grid (T: triplet) -> steps, 12 to the quarter note."""
CHORD_PULL, KEY_PULL = 2.0, 2.3
"""Log-odds; tones outside a key that is not strict are ten times less likely."""
LEANING = 0.6
"""How firmly bars are held to levels that nobody asked for, as those of a learned song; 1 is to what is asked."""


def _no_chords() -> NDArray[Any]:
    rows = np.empty(0, CHORD)
    rows.flags.writeable = False
    return rows


@dataclass(frozen=True, eq=False)
class Constraints:
    """What every open note obeys, always; only a key or chords that are not strict, and levels, are leanings.

    Empty means anything goes. Drums obey no key and no chord.
    """

    key: Key | None = None
    """Pitched parts play only the pitch classes of this key or scale."""
    pitch_ranges: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Part index -> lowest and highest pitch."""
    polyphony: dict[int, int] = field(default_factory=dict)
    """Part index -> greatest number of notes that sound at once, 1-128."""
    pitches: dict[int, tuple[int, ...]] = field(default_factory=dict)
    """Part index -> the only pitches, or drums, that it plays."""
    grid: str | None = None
    """Where new notes start, counted from the bar line: one of `GRIDS`, or several joined by "+"."""
    chords: NDArray[Any] = field(default_factory=_no_chords)
    """Rows as `Song.chords` has them, onsets in ticks of the canvas' song; where none sounds, any chord may."""
    strict_chords: bool = True
    """Whether pitched parts play only tones of the chord in force when a note starts (a written bass is one)."""
    chord_pull: float = CHORD_PULL
    """What chord tones gain in log-odds where chords are not strict; 0 for chords that nobody asked for."""
    levels: dict[str, tuple[int | None, ...]] = field(default_factory=dict)
    """One of `CONTROLS` -> the level that is asked of each bar of the song, 0-11, None as it comes; one for all."""
    leanings: frozenset[str] = frozenset()
    """The controls whose levels nobody asked for: bars are held to them with a loose hand, `LEANING`."""
    strict_key: bool = True
    """Whether pitched parts play nothing outside the key; else its tones gain ``key_pull``."""
    key_pull: float = KEY_PULL
    """Log-odds."""
    copying: CopyLimit | None = None
    """How long a passage of new notes may be that also stands in the songs of an index."""

    @property
    def asks_chords(self) -> bool:
        """Whether somebody asked for the chords; else they only tell parts where the harmony goes."""
        return bool(len(self.chords)) and (self.strict_chords or self.chord_pull > 0)


def grid_units(text: str) -> tuple[int, ...]:
    """``"1/16"`` -> (3,), ``"1/16+1/8T"`` -> (3, 4): the steps between places of a rhythm grid.

    Raises:
        UnknownName: naming the grids that there are.
    """
    names = [name.strip().upper() for name in text.split("+")]
    for name in names:
        if name not in GRIDS:
            raise UnknownName(
                f"rhythm grid {text!r}: {name!r} is not one of {', '.join(GRIDS)} (T: triplet; join two with +)"
            )
    return tuple(GRIDS[name] for name in names)


def on_grid(text: str, bar_lines: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(steps,) which steps from 0 to the last of ``bar_lines`` lie on a rhythm grid that begins anew in each bar."""
    place = np.arange(bar_lines[-1]) - np.repeat(bar_lines[:-1], np.diff(bar_lines))
    return np.any([place % unit == 0 for unit in grid_units(text)], axis=0)  # type: ignore[no-any-return]


def asked_levels(asked: dict[str, tuple[int | None, ...]], bars: int) -> NDArray[np.int8]:
    """(bars, 4) the level that is asked of each bar, -1 as it comes, in the order of `CONTROLS`.

    Raises:
        UnknownName: for another control.
        OutOfRange: for a level outside 0-11, naming its bar, or for neither one level nor one for each bar.
    """
    table = np.full((bars, len(CONTROLS)), AS_IT_COMES, np.int8)
    for name, row in asked.items():
        if name not in CONTROLS:
            raise UnknownName(f"control {name!r} is not one of {', '.join(CONTROLS)}")
        if len(row) not in (1, bars):
            raise OutOfRange(f"{name}: {len(row)} levels for {bars} bars; give one for each bar, or one for all")
        for bar, level in enumerate(row, 1):
            if level is not None and not 0 <= level < LEVELS:
                raise OutOfRange(f"{name} in bar {bar}: level {level} is outside 0-{LEVELS - 1}")
        table[:, CONTROLS.index(name)] = [AS_IT_COMES if level is None else level for level in row]
    return table


def chords_over(chords: Bars, lines: NDArray[np.int64]) -> NDArray[Any]:
    """Rows for `Constraints.chords`: one bar of ``chords`` to each bar between ``lines`` (bars + 1,) ticks, again and
    again; chords of one bar share it evenly. Unlike `chord_sheet.chord_rows`, bars may differ in length.

    Raises:
        InfeasibleCanvas: where a bar cannot be shared in whole steps, naming the bar and what would do.
    """
    rows = []
    for bar, (start, end) in enumerate(zip(lines[:-1].tolist(), lines[1:].tolist(), strict=True)):
        inside = chords[bar % len(chords)]
        steps, rest = divmod(end - start, ticks_per_step(STEPS_PER_QUARTER))
        if len(inside) > 1 and (rest or steps % len(inside)):
            fits = [str(count) for count in range(1, 17) if not rest and steps % count == 0] or ["1"]
            raise InfeasibleCanvas(
                f"bar {bar + 1} has {(end - start) / TICKS_PER_QUARTER:g} quarter notes, which {len(inside)} chords "
                f"cannot share evenly; write {', '.join(fits)}"
            )
        for place, chord in enumerate(inside):
            onset = start + place * (end - start) // len(inside)
            if chord is None:
                rows.append((onset, NO_CHORD, 0, NO_CHORD))
            else:
                bass = chord.root if chord.bass is None else chord.bass
                rows.append((onset, chord.root, QUALITY_NAMES.index(chord.quality), bass))
    return distinct(np.array(rows, CHORD))

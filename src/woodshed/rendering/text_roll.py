"""Piano rolls for the terminal: two rows of pitches to a character, every part in its colour, drums below."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.music import PITCH_NAMES, Song, part_name
from woodshed.music.general_midi import DRUMS
from woodshed.rendering.colours import STYLES, part_colours, rgb

LABEL = 14
"""Columns left of the notes, for pitches and drum names."""
MOST_DRUMS = 8
"""Rows of drums at most: the ones that are hit most."""
EMPTY = -1


def piano_roll_text(song: Song, *, width: int = 100, height: int = 24, colour: bool = True) -> str:
    """The whole song in ``width`` columns: at most ``height`` rows of pitches, then rows for the drums.

    With ``colour`` the text holds ANSI escapes in true colour; without, parts are told apart by their
    place alone. Every line ends in a newline.

    Raises:
        OutOfRange: for fewer than 40 columns or 4 rows.
    """
    if width < 40 or height < 4:
        raise OutOfRange(
            f"a piano roll of {width} columns and {height} rows: at least 40 columns and 4 rows are needed"
        )
    roll = _Roll(song, width - LABEL, colour)
    rows = [roll.bar_numbers(), *roll.pitch_rows(height), *roll.drum_rows(), *roll.legend(width)]
    return "".join(row.rstrip() + "\n" for row in rows)


class _Roll:
    """One song on ``columns`` columns."""

    def __init__(self, song: Song, columns: int, colour: bool) -> None:
        self.song, self.columns, self.colour = song, columns, colour
        lines = song.bar_lines()
        self.ticks_per_column = float(lines[-1]) / columns
        self.bar_columns = (lines[:-1] / self.ticks_per_column).astype(int)
        self.palette = [rgb(name) for name in part_colours(song.parts, STYLES["dark"])]
        is_drum = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
        self.pitched, self.drums = song.notes[~is_drum], song.notes[is_drum]

    def bar_numbers(self) -> str:
        """As many bar numbers as stand apart."""
        row = ""
        for bar, column in enumerate(self.bar_columns, 1):
            if column >= len(row) + (bar > 1):
                row = row.ljust(column) + str(bar)
        return " " * LABEL + row[: self.columns]

    def pitch_rows(self, height: int) -> list[str]:
        """The pitched parts from the highest row down; more semitones share a row where the range is wide."""
        if not len(self.pitched):
            return []
        top, low = int(self.pitched["pitch"].max()), int(self.pitched["pitch"].min())
        semitones = -(-(top - low + 1) // (2 * height))
        rows = -(-(top - low + 1) // (2 * semitones))
        cells = np.full((2 * rows, self.columns), EMPTY)
        order = np.argsort(-self.pitched["duration"], kind="stable")  # short notes are painted last, on top
        self._paint(cells, self.pitched[order], (top - self.pitched["pitch"][order]) // semitones)
        labels = [_pitch_label(top - 2 * semitones * row, 2 * semitones) for row in range(rows)]
        return [self._line(label, cells[2 * row], cells[2 * row + 1]) for row, label in enumerate(labels)]

    def _paint(self, cells: NDArray[np.int64], notes: NDArray[Any], row: NDArray[Any]) -> None:
        """Put the part's index into every cell that a note covers, at least one."""
        first = np.clip((notes["onset"] / self.ticks_per_column).astype(np.int64), 0, self.columns - 1)
        ends = notes["onset"].astype(np.int64) + notes["duration"]
        last = np.clip(np.rint(ends / self.ticks_per_column).astype(np.int64) - 1, first, self.columns - 1)
        size = last - first + 1
        owner = np.repeat(np.arange(len(notes)), size)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size)
        cells[row[owner], first[owner] + within] = notes["part"][owner]

    def drum_rows(self) -> list[str]:
        """The drums that are hit most, one row each, the highest pitch on top."""
        pitches, counts = np.unique(self.drums["pitch"], return_counts=True)
        kept = np.sort(pitches[np.argsort(-counts, kind="stable")][:MOST_DRUMS])[::-1]
        rows = []
        for pitch in kept:
            hits = self.drums[self.drums["pitch"] == pitch].copy()
            hits["duration"] = 1
            cells = np.full((1, self.columns), EMPTY)
            self._paint(cells, hits, np.zeros(len(hits), np.int64))
            rows.append(self._line(DRUMS.get(int(pitch), f"drum {pitch}"), np.full(self.columns, EMPTY), cells[0]))
        return rows

    def _line(self, label: str, upper: NDArray[np.int64], lower: NDArray[np.int64]) -> str:
        """One row of characters; each shows an upper and a lower cell."""
        bars = set(self.bar_columns.tolist())
        cells = zip(upper.tolist(), lower.tolist(), strict=True)
        signs = "".join(self._sign(a, b, column in bars) for column, (a, b) in enumerate(cells))
        return f"{label[: LABEL - 1]:>{LABEL - 1}} {signs}"

    def _sign(self, upper: int, lower: int, is_bar: bool) -> str:
        """A half block; the bar line shows where both halves are empty."""
        if upper == lower == EMPTY:
            return self._tinted("│", (80, 84, 92)) if is_bar else " "
        if upper == EMPTY:
            return self._tinted("▄", self.palette[lower])
        if lower == EMPTY:
            return self._tinted("▀", self.palette[upper])
        if upper == lower or not self.colour:
            return self._tinted("█", self.palette[upper])
        return self._tinted("▀", self.palette[upper], self.palette[lower])

    def _tinted(self, sign: str, ink: tuple[int, int, int], paper: tuple[int, int, int] | None = None) -> str:
        """ANSI true colour around one or more characters."""
        if not self.colour:
            return sign
        behind = "" if paper is None else ";48;2;{};{};{}".format(*paper)
        return "\x1b[38;2;{};{};{}".format(*ink) + f"{behind}m{sign}\x1b[0m"

    def legend(self, width: int) -> list[str]:
        """The parts that sound, wrapped at ``width``."""
        rows, used = [" " * LABEL], LABEL
        for index in np.unique(self.song.notes["part"]).tolist():
            name = "".join(sign for sign in part_name(self.song.parts[index]) if sign.isprintable())[:24]
            if used + len(name) + 4 > width and used > LABEL:
                rows.append(" " * LABEL)
                used = LABEL
            rows[-1] += self._tinted("■", self.palette[index]) + f" {name}  "
            used += len(name) + 4
        return rows


def _pitch_label(top: int, semitones: int) -> str:
    """``"C4"`` where a C lies in the row, else nothing."""
    low = top - semitones + 1
    found = top // 12 * 12
    return f"{PITCH_NAMES[0]}{found // 12 - 1}" if found >= low else ""

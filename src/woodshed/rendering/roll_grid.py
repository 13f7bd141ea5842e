"""Many short clips in one picture: small piano rolls in rows, all on the same scales."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music import Part, Song
from woodshed.music.general_midi import DRUMS
from woodshed.rendering.colours import Style, part_colours, rgb, shade
from woodshed.rendering.piano_roll import short_text
from woodshed.rendering.pictures import check_picture_path, find_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL_WIDTH = 2.3
ROW_HEIGHT, LOWEST_CELL, HIGHEST_CELL = 0.075, 1.25, 2.6
LEFT, TOP, GAP = 1.1, 0.35, 0.28
"""Inches."""
LANE_GAP = 2
"""Empty rows between the pitches and the drums."""
HIT = 0.7
"""A drum's mark, as a share of a sixteenth."""


def draw_roll_grid(
    songs: Sequence[Song], columns: int, path: Path, *, titles: Sequence[str] | None = None, style: str = "light"
) -> None:
    """Write the picture of all songs, row by row, by suffix: .png, .svg or .pdf. It appears whole or not at all.

    Every cell has the same pitches, drums and length, so that shapes can be compared.

    Raises:
        UnknownName: for another suffix or style.
        FileError: when the file cannot be written.
    """
    from matplotlib.figure import Figure

    path, paint = check_picture_path(Path(path), "a grid of piano rolls"), find_style(style)
    rows = -(-len(songs) // columns)
    scale = _scale(songs)
    width, height = LEFT + columns * (CELL_WIDTH + 0.15), TOP + rows * (scale.height + GAP)
    figure = Figure(figsize=(width, height), facecolor=paint.paper)
    players = list(dict.fromkeys(part for song in songs for part in song.parts))
    for number, song in enumerate(songs):
        row, column = divmod(number, columns)
        left, bottom = LEFT + column * (CELL_WIDTH + 0.15), height - TOP - row * (scale.height + GAP) - scale.height
        axes = figure.add_axes((left / width, bottom / height, CELL_WIDTH / width, scale.height / height))
        title = titles[number] if titles else song.title
        axes.set_title(short_text(title, 34), fontsize=7, color=paint.text, pad=2.5, loc="left")
        _draw_cell(axes, song, scale, players, paint, is_labelled=column == 0)
    save_figure(figure, path)


class _Scale:
    """The rows of every cell, from the bottom up: drums, a gap, pitches."""

    def __init__(self, pitches: NDArray[Any], drums: NDArray[Any], length: int) -> None:
        self.drums, self.length = drums, max(length, 1)
        self.low, self.high = (int(pitches.min()) - 1, int(pitches.max()) + 1) if len(pitches) else (0, -1)
        self.above = len(drums) + LANE_GAP * bool(len(drums) and len(pitches))

    @property
    def rows(self) -> int:
        """How many there are."""
        return max(self.above + self.high - self.low + 1, 1)

    @property
    def height(self) -> float:
        """Of a cell, in inches."""
        return float(np.clip(ROW_HEIGHT * self.rows, LOWEST_CELL, HIGHEST_CELL))

    @property
    def has_room(self) -> bool:
        """Whether each drum's name fits beside its row."""
        return self.height / self.rows >= ROW_HEIGHT

    def row(self, pitch: NDArray[Any], is_drum: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The row of each note."""
        return np.where(is_drum, np.searchsorted(self.drums, pitch), self.above + pitch - self.low).astype(float)


def _scale(songs: Sequence[Song]) -> _Scale:
    drums = np.concatenate([song.notes["pitch"][_drum_notes(song)] for song in songs])
    pitches = np.concatenate([song.notes["pitch"][~_drum_notes(song)] for song in songs])
    return _Scale(pitches, np.unique(drums), max((song.length for song in songs), default=1))


def _drum_notes(song: Song) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
    return found


def _draw_cell(axes: Axes, song: Song, scale: _Scale, players: list[Part], paint: Style, *, is_labelled: bool) -> None:
    """One song: beats and bars behind its notes."""
    from matplotlib.collections import PolyCollection

    axes.set_facecolor(paint.panel)
    axes.set_xlim(0, scale.length)
    axes.set_ylim(-0.5, scale.rows - 0.5)
    lines = song.bar_lines()
    axes.vlines(np.arange(0, scale.length, 480), -0.5, scale.rows, colors=paint.beat_line, lw=0.4, zorder=1)
    axes.vlines(lines, -0.5, scale.rows, colors=paint.bar_line, lw=0.7, zorder=2)
    notes, is_drum = song.notes, _drum_notes(song)
    row, start = scale.row(notes["pitch"], is_drum), notes["onset"].astype(float)
    end = np.where(is_drum, start + 120 * HIT, start + notes["duration"] - scale.length / 300)
    palette = dict(zip(players, part_colours(players, paint), strict=True))
    colours = np.array([rgb(palette[part]) for part in song.parts], float).reshape(-1, 3)
    sides = ((start, row - 0.42), (end, row - 0.42), (end, row + 0.42), (start, row + 0.42))
    boxes = np.stack([np.stack(side, -1) for side in sides], axis=1)  # (notes, 4, 2)
    shades = shade(colours[notes["part"]], notes["velocity"], paint.panel) / 255.0
    axes.add_collection(PolyCollection(list(boxes), facecolors=shades, edgecolors="none", zorder=3), autolim=False)
    axes.set_xticks([])
    ticks = [place for place in range(scale.rows) if is_labelled and _label(scale, place)]
    axes.set_yticks(ticks, [_label(scale, place) for place in ticks])
    axes.tick_params(axis="y", length=0, labelsize=5.5, labelcolor=paint.faint, pad=2)
    for spine in axes.spines.values():
        spine.set_color(paint.bar_line)
        spine.set_linewidth(0.6)


def _label(scale: _Scale, row: int) -> str:
    """What to write beside a row: the drum, or a C."""
    if row < len(scale.drums):
        if not scale.has_room:
            return "drums" if row == len(scale.drums) // 2 else ""
        return DRUMS.get(int(scale.drums[row]), f"drum {scale.drums[row]}")
    pitch = row - scale.above + scale.low
    return f"C{pitch // 12 - 1}" if row >= scale.above and pitch % 12 == 0 else ""

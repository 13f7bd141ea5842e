"""One part in seconds, as the TensorFlow tutorial shows it: the first notes, the whole track, three distributions.

Above, two piano rolls with time in seconds: the first 100 notes, and all of them. Below, how often each pitch comes,
how long it is from one note's start to the next (step), and how long notes sound (duration); of the latter two the
longest 2.5 % are left out of the picture, as there, and the caption says how many.

Source:
    The TensorFlow tutorial "Generate music with an RNN", ``plot_piano_roll`` and ``plot_distributions``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.music import PITCH_NAMES, Song
from woodshed.rendering.colours import PART_COLOURS, Style
from woodshed.rendering.pictures import check_picture_path, find_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIRST_NOTES = 100
DROPPED_PERCENT = 2.5
"""So many of the longest steps and durations are not shown: one long rest would squeeze all others into one column."""
BINS = 20
SIZE_INCHES = (10.0, 8.4)
COLOUR = PART_COLOURS[0]


def draw_track_figures(song: Song, path: Path, *, title: str | None = None, style: str = "light") -> None:
    """Write the figures of all notes in ``song``, which should have one part. By suffix: .png, .svg or .pdf.

    Raises:
        UnknownName: for another suffix or style.
        OutOfRange: for a song without notes.
        FileError: if it cannot be written.
    """
    path = check_picture_path(Path(path), "a track's figures")
    if not len(song):
        raise OutOfRange(f"{song.title or 'the song'} has 0 notes; its figures need 1 or more")
    save_figure(_figure(song, title, find_style(style)), path)


def _figure(song: Song, title: str | None, paint: Style) -> Figure:
    from matplotlib.figure import Figure

    start, end = song.seconds(song.notes["onset"]), song.seconds(song.ends)
    pitch = song.notes["pitch"].astype(np.int64)
    figure = Figure(figsize=SIZE_INCHES, facecolor=paint.paper, layout="constrained")
    grid = figure.add_gridspec(3, 3)
    first = slice(0, FIRST_NOTES)
    count = f"first {min(len(pitch), FIRST_NOTES)} notes"
    _roll(figure.add_subplot(grid[0, :]), start[first], end[first], pitch[first], count, paint)
    _roll(figure.add_subplot(grid[1, :]), start, end, pitch, f"whole track: {len(pitch):,} notes", paint)
    _pitches(figure.add_subplot(grid[2, 0]), pitch, paint)
    _seconds(figure.add_subplot(grid[2, 1]), np.diff(start), "step", paint)
    _seconds(figure.add_subplot(grid[2, 2]), end - start, "duration", paint)
    if title:
        figure.suptitle(title.replace("$", r"\$"), x=0.01, ha="left", color=paint.text, fontsize=12, fontweight="bold")
    return figure


def _roll(
    axes: Axes,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    pitch: NDArray[np.int64],
    title: str,
    paint: Style,
) -> None:
    """A line for each note, with a dot where it starts."""
    axes.hlines(pitch, start, end, colors=COLOUR, lw=2)
    axes.plot(start, pitch, ".", color=COLOUR, ms=4)
    octaves = np.arange(int(pitch.min()) // 12, int(pitch.max()) // 12 + 2)
    axes.set_yticks(12 * octaves, [f"{PITCH_NAMES[0]}{octave - 1}" for octave in octaves])
    axes.set_ylim(int(pitch.min()) - 2, int(pitch.max()) + 2)
    _dress(axes, title, "seconds", "pitch", paint)


def _pitches(axes: Axes, pitch: NDArray[np.int64], paint: Style) -> None:
    low, high = int(pitch.min()), int(pitch.max())
    axes.bar(np.arange(low, high + 1), np.bincount(pitch - low), width=0.9, color=COLOUR)
    octaves = np.arange(low // 12, high // 12 + 2)
    axes.set_xticks(12 * octaves, [f"{PITCH_NAMES[0]}{octave - 1}" for octave in octaves])
    axes.set_xlim(low - 1, high + 1)
    _dress(axes, f"pitch: {len(np.unique(pitch))} different", "", "notes", paint)


def _seconds(axes: Axes, values: NDArray[np.float64], name: str, paint: Style) -> None:
    """A histogram from 0 on, without the longest."""
    most = float(np.percentile(values, 100 - DROPPED_PERCENT)) if len(values) else 0.0
    left_out = int((values > most).sum())
    axes.hist(values[values <= most], np.linspace(0, max(most, 1e-3), BINS + 1).tolist(), color=COLOUR, rwidth=0.9)
    _dress(axes, f"{name}{f', {left_out} longer ones left out' if left_out else ''}", "seconds", "notes", paint)


def _dress(axes: Axes, title: str, below: str, beside: str, paint: Style) -> None:
    axes.set_facecolor(paint.panel)
    axes.set_title(title, loc="left", color=paint.text, fontsize=10)
    axes.set_xlabel(below, color=paint.faint, fontsize=9)
    axes.set_ylabel(beside, color=paint.faint, fontsize=9)
    axes.grid(color=paint.beat_line, lw=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=paint.faint, labelsize=8, length=0)
    for spine in axes.spines.values():
        spine.set_color(paint.bar_line)

"""A song as a piano roll, what it shares coloured by source: which stretch is from where, at one look.

Pitch runs up, drums lie below, a row each. What is the song's own is grey; each of the `MOST_COLOURS` sources with the
most notes has a colour, all others share one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from woodshed.evaluation.novelty import Novelty
from woodshed.music import Song
from woodshed.music.general_midi import DRUMS
from woodshed.music.song import MAX_TICK
from woodshed.rendering.colours import PART_COLOURS
from woodshed.rendering.piano_roll import short_text
from woodshed.rendering.pictures import check_picture_path, figure_svg, find_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLOURS = 8
OWN, OTHERS = "#b9b9b3", "#7f7f7f"
OTHER_SOURCES = -2
"""Stands in place of a source that has no colour of its own."""
WIDEST, NARROWEST = 18.0, 8.5
"""Inches."""
LEGEND = 2.3
HIT = 90
"""Ticks that a drum is drawn long, since its written duration means nothing."""


def draw_novelty(song: Song, novelty: Novelty, path: Path, *, style: str = "light") -> None:
    """Write the picture by suffix, .png, .svg or .pdf, whole or not at all.

    Raises:
        UnknownName: for another suffix or style.
        FileError: when the file cannot be written.
    """
    save_figure(_figure(song, novelty, style), check_picture_path(Path(path), "a piano roll"))


def novelty_svg(song: Song, novelty: Novelty, *, style: str = "light") -> str:
    """The same picture as text, ``<svg ...>...</svg>``."""
    return figure_svg(_figure(song, novelty, style))


def coloured_sources(novelty: Novelty) -> dict[int, str]:
    """Source -> its colour; those with the most notes, most first."""
    sources, counts = np.unique(novelty.source[novelty.source >= 0], return_counts=True)
    most = sources[np.argsort(-counts, kind="stable")][:MOST_COLOURS].tolist()
    return dict(zip(most, PART_COLOURS, strict=False))


def _figure(song: Song, novelty: Novelty, style: str) -> Figure:
    from matplotlib.figure import Figure

    paint = find_style(style)
    lines = song.bar_lines()
    width = float(np.clip(0.3 * (len(lines) - 1), NARROWEST, WIDEST))
    drums = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
    kit = np.unique(song.notes["pitch"][drums])
    heights = [3.6 if (~drums).any() or not len(kit) else 0.0, max(0.17 * len(kit), 0.4) if len(kit) else 0.0]
    heights = [height for height in heights if height]
    figure = Figure(figsize=(width + LEGEND, sum(heights) + 0.7), facecolor=paint.paper, layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    colours = _colours(novelty)
    if (~drums).any() or not len(kit):
        _draw(axes[0], song, np.flatnonzero(~drums), song.notes["pitch"].astype(np.int64), colours)
        octaves = np.arange(0, 128, 12)
        axes[0].set_yticks(octaves, [f"C{octave // 12 - 1}" for octave in octaves])
        pitches = song.notes["pitch"][~drums]
        axes[0].set_ylim(*((pitches.min() - 2, pitches.max() + 2) if len(pitches) else (48, 72)))
    if len(kit):
        _draw(axes[-1], song, np.flatnonzero(drums), np.searchsorted(kit, song.notes["pitch"]), colours, HIT)
        axes[-1].set_yticks(np.arange(len(kit)), [DRUMS.get(int(pitch), f"drum {pitch}") for pitch in kit])
        axes[-1].set_ylim(-0.6, len(kit) - 0.4)
    for one in axes:
        one.set_facecolor(paint.panel)
        one.set_xlim(int(lines[0]), int(lines[-1]))
        every = max((len(lines) - 1) // int(width * 3), 1)
        one.set_xticks(lines[:-1:every], [str(bar + 1) for bar in range(0, len(lines) - 1, every)])
        one.tick_params(length=0, labelsize=7, labelcolor=paint.faint)
        one.grid(axis="x", color=paint.bar_line, lw=0.6)
        one.set_axisbelow(True)
    title = f"{song.title or 'Untitled'}: {novelty.share:.1%} shared"
    axes[0].set_title(short_text(title, 80), loc="left", fontsize=11, color=paint.text, fontweight="bold")
    _legend(axes[0], novelty, paint.text)
    return figure


def _colours(novelty: Novelty) -> NDArray[np.str_]:
    """(N,) the colour of each note."""
    colour = np.where(novelty.source >= 0, OTHERS, OWN)
    for source, name in coloured_sources(novelty).items():
        colour[novelty.source == source] = name
    return colour


def _draw(
    axes: Axes,
    song: Song,
    notes: NDArray[np.int64],
    row: NDArray[np.int64],
    colours: NDArray[np.str_],
    longest: int = MAX_TICK,
) -> None:
    """All notes as boxes, own ones first so that what is shared lies on top."""
    from matplotlib.collections import PolyCollection

    notes = notes[np.argsort(colours[notes] != OWN, kind="stable")]
    shortest = max(song.length // 1500, 1)
    start = song.notes["onset"][notes].astype(float)
    end = np.maximum(start + np.minimum(song.notes["duration"][notes], longest), start + shortest)
    low, high = row[notes] - 0.45, row[notes] + 0.45
    corners = [np.stack([x, y], -1) for x, y in ((start, low), (end, low), (end, high), (start, high))]
    boxes = np.stack(corners, axis=1)  # (notes, 4, 2)
    axes.add_collection(PolyCollection(list(boxes), facecolors=colours[notes].tolist(), edgecolors="none", zorder=3))


def _legend(axes: Axes, novelty: Novelty, ink: str) -> None:
    from matplotlib.patches import Patch

    titles = {copy.passages[0].source: run.source for copy, run in zip(novelty.copies, novelty.runs, strict=True)}
    known = coloured_sources(novelty)
    chips = [Patch(color=colour, label=short_text(titles[source], 26)) for source, colour in known.items()]
    if len(set(novelty.source[novelty.source >= 0].tolist())) > len(known):
        chips.append(Patch(color=OTHERS, label="other songs"))
    chips.append(Patch(color=OWN, label="its own"))
    axes.legend(handles=chips, loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=7.5, frameon=False, labelcolor=ink)

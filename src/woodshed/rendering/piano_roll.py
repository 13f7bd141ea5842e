"""Piano rolls: the picture of a song, as PNG, SVG or PDF. Time runs right in bars, pitch runs up, drums below.

Every part has a colour, a soft note is paler. Bars are numbered from 1, as musicians count them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import LimitExceeded, OutOfRange
from woodshed.music import PITCH_NAMES, Key, Song, part_name
from woodshed.music.general_midi import DRUMS
from woodshed.rendering.colours import Style, part_colours, rgb, shade
from woodshed.rendering.pictures import check_picture_path, figure_svg, find_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, TOP, BOTTOM = 1.3, 2.05, 0.55, 0.25
"""Margins around one song's panel in inches: row names, legend, title and bar numbers, air."""
MOST_BARS = 3000
"""More would be a grey field, and take minutes to draw."""
DRUM_ROW, LANE_GAP = 0.17, 0.1
"""Height of a drum's row and the gap above the drum lane, in inches."""
MARKER_SIGN, SHORTEST_MARKER = 0.062, 6
"""Width of a sign of a marker's text in inches, and with how many signs of room it is written."""
_BLACK_KEYS = (1, 3, 6, 8, 10)


@dataclass(frozen=True)
class _Panel:
    """One song, measured for drawing."""

    song: Song
    title: str
    lines: NDArray[np.int64]
    """Ticks of the bar lines shown, (bars + 1,)."""
    first_bar: int
    """Number of the first bar shown, from 0."""
    highlight_bar: int | None
    low: int
    high: int
    """Pitches shown, both included."""
    drums: tuple[int, ...]
    """Drum pitches that sound, from the bottom row up."""
    has_pitches: bool
    parts: tuple[int, ...]
    """Indices of the parts that sound in these bars."""

    @property
    def roll_height(self) -> float:
        """Inches."""
        return float(np.clip((self.high - self.low + 1) * 0.078, 2.0, 5.2)) if self.has_pitches else 0.0

    @property
    def drum_height(self) -> float:
        """Inches."""
        return max(DRUM_ROW * len(self.drums), 0.3) if self.drums else 0.0

    @property
    def height(self) -> float:
        """Inches, margins included; never too low for the legend."""
        lanes = self.roll_height + self.drum_height + LANE_GAP * (self.has_pitches and bool(self.drums))
        return TOP + BOTTOM + max(lanes, 0.21 * len(self.parts), 0.8)


def draw_piano_roll(
    songs: Song | Sequence[Song],
    path: Path,
    *,
    title: str | None = None,
    titles: Sequence[str] | None = None,
    bars: tuple[int, int] | None = None,
    highlight_bar: int | None = None,
    style: str = "light",
) -> None:
    """Write the picture of one song, or of several below one another, by suffix: .png, .svg or .pdf.

    ``bars`` are the first and the last bar to show and ``highlight_bar`` is where something new begins
    (a continuation), both counted from 1; ``style`` is one of `STYLES`. The file appears whole or not at all.

    Raises:
        UnknownName: for another suffix or style.
        OutOfRange: for bars that the song does not have.
        LimitExceeded: for more than `MOST_BARS`.
        FileError: when the file cannot be written.
    """
    path = check_picture_path(Path(path), "a piano roll")
    save_figure(_figure(songs, title, titles, bars, highlight_bar, style), path)


def piano_roll_svg(
    songs: Song | Sequence[Song],
    *,
    title: str | None = None,
    titles: Sequence[str] | None = None,
    bars: tuple[int, int] | None = None,
    highlight_bar: int | None = None,
    style: str = "light",
) -> str:
    """The same picture as text, ``<svg ...>...</svg>``, to put inside a page."""
    return figure_svg(_figure(songs, title, titles, bars, highlight_bar, style))


def _figure(
    songs: Song | Sequence[Song],
    title: str | None,
    titles: Sequence[str] | None,
    bars: tuple[int, int] | None,
    highlight_bar: int | None,
    style: str,
) -> Figure:
    """Lay the panels out in inches from the top down, so that no text can meet other text."""
    from matplotlib.figure import Figure

    songs = [songs] if isinstance(songs, Song) else list(songs)
    names = list(titles or ([title] if title and len(songs) == 1 else [])) + [""] * len(songs)
    panels = [_measure(song, name, bars, highlight_bar) for song, name in zip(songs, names, strict=False)]
    heading = 0.45 if title and (len(songs) > 1 or titles) else 0.0
    most_bars = max((len(panel.lines) - 1 for panel in panels), default=1)
    width = LEFT + float(np.clip(0.6 * most_bars, 8.5, 18.0)) + RIGHT
    height = heading + sum(panel.height for panel in panels)
    paint = find_style(style)
    figure = Figure(figsize=(width, height), facecolor=paint.paper)
    if heading:
        _write(figure, LEFT, height - 0.32, title or "", paint.text, 14, weight="bold")
    top = height - heading
    for panel in panels:
        _draw_panel(figure, panel, top, paint)
        top -= panel.height
    return figure


def _measure(song: Song, title: str, bars: tuple[int, int] | None, highlight_bar: int | None) -> _Panel:
    """Find the bars, the range of pitches and the drums to show."""
    lines = song.bar_lines()
    first, last = (bars[0] - 1, bars[1]) if bars else (0, len(lines) - 1)
    if not 0 <= first < last <= len(lines) - 1:
        raise OutOfRange(f"bars {first + 1}-{last} are not inside 1-{len(lines) - 1} of {song.title or 'the song'}")
    if last - first > MOST_BARS:
        raise LimitExceeded(
            f"{song.title or 'the song'}: a piano roll of {last - first} bars, more than {MOST_BARS}"
            " (rendering.piano_roll.MOST_BARS); choose some with bars=(first, last)"
        )
    lines = lines[first : last + 1]
    shown = (song.ends > lines[0]) & (song.notes["onset"] < lines[-1])
    is_drum = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
    pitches = song.notes["pitch"][shown & ~is_drum]
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 71)
    pad = max(24 - (high - low), 0) // 2
    drums = tuple(int(pitch) for pitch in np.unique(song.notes["pitch"][shown & is_drum]))
    return _Panel(
        song=song,
        title=title or song.title or "Untitled",
        lines=lines,
        first_bar=first,
        highlight_bar=highlight_bar,
        low=max(low - 2 - pad, 0),
        high=min(high + 2 + pad, 127),
        drums=drums,
        has_pitches=bool(len(pitches)) or not drums,
        parts=tuple(int(part) for part in np.unique(song.notes["part"][shown])),
    )


def _draw_panel(figure: Figure, panel: _Panel, top: float, paint: Style) -> None:
    """One song: title, bar numbers, the roll, the drum lane below it, the legend at the right."""
    width = figure.get_size_inches()[0] - LEFT - RIGHT
    _write(figure, LEFT, top - 0.24, short_text(panel.title, 60), paint.text, 11, weight="bold")
    _write(figure, LEFT + width, top - 0.24, _facts(panel.song), paint.faint, 8.5, align="right")
    bottom = top - TOP
    lanes: list[Axes] = []
    if panel.has_pitches:
        bottom -= panel.roll_height
        lanes.append(_draw_roll(_lane(figure, bottom, width, panel.roll_height), panel, paint))
        bottom -= LANE_GAP
    if panel.drums:
        bottom -= panel.drum_height
        lanes.append(_draw_drums(_lane(figure, bottom, width, panel.drum_height), panel, paint))
    for axes in lanes:
        _draw_bars(axes, panel, paint, width)
    _number_bars(lanes[0], panel, paint, width)
    _draw_markers(lanes[0], panel, paint, width)
    _draw_legend(figure, panel, top - TOP, LEFT + width + 0.2, paint)


def _lane(figure: Figure, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches."""
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes((LEFT / full_width, bottom / full_height, width / full_width, height / full_height))


def _draw_roll(axes: Axes, panel: _Panel, paint: Style) -> Axes:
    """The pitched notes over rows shaded like a keyboard."""
    rows = np.arange(panel.low, panel.high + 1)
    for pitch in rows[np.isin(rows % 12, _BLACK_KEYS)]:
        axes.axhspan(pitch - 0.5, pitch + 0.5, color=paint.black_keys, lw=0, zorder=0)
    octaves = rows[rows % 12 == 0]
    for pitch in octaves:
        axes.axhline(pitch - 0.5, color=paint.bar_line, lw=0.5, zorder=1)
    axes.set_yticks(octaves, [f"{PITCH_NAMES[0]}{pitch // 12 - 1}" for pitch in octaves])
    axes.set_ylim(panel.low - 0.5, panel.high + 0.5)
    notes, colours = _notes_in_view(panel, False, paint)
    start, pitch = notes["onset"].astype(float), notes["pitch"].astype(float)
    _add_boxes(axes, panel, start, start + notes["duration"], pitch - 0.46, pitch + 0.46, colours)
    return axes


def _draw_drums(axes: Axes, panel: _Panel, paint: Style) -> Axes:
    """One row for each drum that sounds; a hit is a mark, since its written duration means nothing."""
    rows = np.arange(len(panel.drums))
    axes.set_yticks(rows, [DRUMS.get(pitch, f"drum {pitch}") for pitch in panel.drums])
    axes.set_ylim(-0.5, len(rows) - 0.5)
    for row in rows[1:]:
        axes.axhline(row - 0.5, color=paint.beat_line, lw=0.5, zorder=1)
    notes, colours = _notes_in_view(panel, True, paint)
    row = np.searchsorted(panel.drums, notes["pitch"]).astype(float)
    start = notes["onset"].astype(float)
    _add_boxes(axes, panel, start, start + np.minimum(_gap_to_next(notes) * 0.8, 90), row - 0.36, row + 0.36, colours)
    return axes


def _gap_to_next(notes: NDArray[Any]) -> NDArray[np.float64]:
    """Ticks from each drum hit to the next of the same pitch; a long time after the last."""
    order = np.lexsort((notes["onset"], notes["pitch"]))
    onset, pitch = notes["onset"][order].astype(float), notes["pitch"][order]
    gap = np.full(len(notes), 1e9)
    same = pitch[1:] == pitch[:-1]
    ahead = np.where(same & (np.diff(onset) > 0), np.diff(onset), 1e9)
    gap[order[:-1]] = ahead
    return gap


def _notes_in_view(panel: _Panel, is_drum: bool, paint: Style) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The notes of the lane, long ones first so that short ones lie on top, and their colours (notes, 3) in 0-1."""
    notes = panel.song.notes
    in_lane = np.array([part.is_drum == is_drum for part in panel.song.parts], bool)[notes["part"]]
    seen = (panel.song.ends > panel.lines[0]) & (notes["onset"] < panel.lines[-1])
    notes = notes[in_lane & seen]
    notes = notes[np.argsort(-notes["duration"], kind="stable")]
    palette = np.array([rgb(colour) for colour in part_colours(panel.song.parts, paint)], float).reshape(-1, 3)
    return notes, shade(palette[notes["part"]], notes["velocity"], paint.panel) / 255.0


def _add_boxes(
    axes: Axes,
    panel: _Panel,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    colours: NDArray[np.float64],
) -> None:
    """All notes as one collection; each at least 1 point wide, and a hair short so that repeats stay apart."""
    from matplotlib.collections import PolyCollection

    width_points = axes.get_position().width * axes.figure.get_figwidth() * 72  # type: ignore[union-attr]
    point = float(panel.lines[-1] - panel.lines[0]) / width_points
    end = np.maximum(end - 0.5 * point, start + 1.2 * point)
    start, end = np.maximum(start, panel.lines[0]), np.minimum(end, panel.lines[-1])
    corners = np.stack(
        [np.stack([x, y], -1) for x, y in ((start, low), (end, low), (end, high), (start, high))], axis=1
    )  # (notes, 4, 2)
    boxes = PolyCollection(list(corners), facecolors=colours, edgecolors="none", zorder=3)
    axes.add_collection(boxes, autolim=False)


def _draw_bars(axes: Axes, panel: _Panel, paint: Style, width: float) -> None:
    """Bar lines, beat lines where there is room, the highlight, and a quiet frame."""
    start, end = int(panel.lines[0]), int(panel.lines[-1])
    axes.set_xlim(start, end)
    axes.set_facecolor(paint.panel)
    beats = np.arange(start, end, 480)
    if width / max(len(beats), 1) > 0.1:
        axes.vlines(beats, *axes.get_ylim(), colors=paint.beat_line, lw=0.5, zorder=1)
    axes.vlines(panel.lines, *axes.get_ylim(), colors=paint.bar_line, lw=0.8, zorder=2)
    new = None if panel.highlight_bar is None else panel.highlight_bar - 1 - panel.first_bar
    if new is not None and 0 <= new < len(panel.lines) - 1:
        axes.axvspan(panel.lines[new], end, color=paint.highlight, alpha=0.6, lw=0, zorder=0.5)
        axes.axvline(panel.lines[new], color=paint.text, lw=1.4, zorder=2.5)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelsize=7, labelcolor=paint.faint, pad=4)
    for spine in axes.spines.values():
        spine.set_color(paint.bar_line)
        spine.set_linewidth(0.8)


def _number_bars(axes: Axes, panel: _Panel, paint: Style, width: float) -> None:
    """Bar numbers above the lines, as many as fit."""
    bars = len(panel.lines) - 1
    every = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 2**20) if width / bars * step >= 0.32)
    shown = np.arange(bars)[(np.arange(bars) + panel.first_bar) % every == 0]
    top = axes.get_ylim()[1]
    for bar in shown:
        axes.annotate(
            str(bar + panel.first_bar + 1), (float(panel.lines[bar]), top), (1, 3), textcoords="offset points",
            fontsize=7, color=paint.faint, annotation_clip=False,
        )  # fmt: skip


def _draw_markers(axes: Axes, panel: _Panel, paint: Style, width: float) -> None:
    """What is said at a place, such as where a solo begins: as much of it as fits before the next."""
    start, end = int(panel.lines[0]), int(panel.lines[-1])
    markers = [marker for marker in panel.song.markers if start <= marker.onset < end and marker.text.strip()]
    places = [marker.onset for marker in markers] + [end]
    for marker, place, following in zip(markers, places, places[1:], strict=False):
        room = int((following - place) / (end - start) * width / MARKER_SIGN)
        if room < SHORTEST_MARKER:
            continue
        axes.axvline(place, color=paint.faint, lw=0.8, ls=":", zorder=2.2)
        axes.annotate(
            short_text(marker.text, room), (place, axes.get_ylim()[1]), (3, -3), textcoords="offset points", va="top",
            fontsize=6.5, color=paint.text, zorder=4, style="italic",
        )  # fmt: skip


def _draw_legend(figure: Figure, panel: _Panel, top: float, left: float, paint: Style) -> None:
    """A chip of colour and a name for each part that sounds, outside the notes."""
    from matplotlib.patches import Rectangle

    full_width, full_height = figure.get_size_inches()
    colours = part_colours(panel.song.parts, paint)
    for line, index in enumerate(panel.parts):
        y = top - 0.12 - 0.21 * line
        chip = ((left / full_width), (y - 0.055) / full_height)
        figure.add_artist(Rectangle(chip, 0.16 / full_width, 0.11 / full_height, color=colours[index], lw=0))
        name = short_text(part_name(panel.song.parts[index]), 25) or "Part"
        _write(figure, left + 0.24, y, name, paint.text, 7.5, middle=True)


def _facts(song: Song) -> str:
    """``"140 BPM · 4/4 · E minor · 32 bars · 0:55"``."""
    seconds = round(song.length_seconds)
    facts = [f"{song.bpm:.0f} BPM", str(song.meter)]
    if len(song.keys):
        facts.append(str(Key(int(song.keys["tonic"][0]), "minor" if song.keys["is_minor"][0] else "major")))
    bars = song.bars
    facts += [f"{bars} bar{'s' if bars != 1 else ''}", f"{seconds // 60}:{seconds % 60:02d}"]
    return " · ".join(facts)


def short_text(text: str, most: int) -> str:
    """Text of at most this many characters, signs that the font lacks shown as a square, none read as markup."""
    known = _known_signs()
    clean = "".join(sign if ord(sign) in known else "□" for sign in " ".join(text.split()) if sign.isprintable())
    clean = clean if len(clean) <= most else clean[: most - 1].rstrip() + "…"
    return clean.replace("$", r"\$")


@functools.cache
def _known_signs() -> frozenset[int]:
    """Code points of the font that matplotlib ships and draws with."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties())).get_charmap())


def _write(
    figure: Figure, x: float, y: float, text: str, colour: str, size: float, *,
    align: str = "left", weight: str = "normal", middle: bool = False,
) -> None:  # fmt: skip
    """Text at a place given in inches."""
    width, height = figure.get_size_inches()
    figure.text(
        x / width, y / height, text, color=colour, fontsize=size, ha=align, va="center" if middle else "baseline",
        fontweight=weight,
    )  # fmt: skip

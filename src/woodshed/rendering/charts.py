"""Charts: how a model's loss fell while it learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from woodshed.errors import OutOfRange
from woodshed.rendering.colours import PART_COLOURS, Style
from woodshed.rendering.pictures import check_picture_path, figure_svg, find_style, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = tuple[ArrayLike, ArrayLike]
"""Minutes (n,) and loss (n,); values that are not finite are left out."""
SIZE_INCHES = (8.0, 3.6)
TRAIN_COLOUR, HELD_OUT_COLOUR = PART_COLOURS[0], PART_COLOURS[1]


def draw_loss_curve(
    train: Curve,
    held_out: Curve,
    path: Path,
    *,
    title: str | None = None,
    unit: str = "nats per note",
    style: str = "light",
) -> None:
    """Write the training loss (pale, with its running mean) and the held-out loss (dots, the best one labelled).

    Either curve may be empty. By suffix: .png, .svg or .pdf; the file appears whole or not at all.

    Raises:
        UnknownName: for another suffix or style.
        OutOfRange: when minutes and losses are not equally many.
        FileError: when the file cannot be written.
    """
    path = check_picture_path(Path(path), "a loss curve")
    save_figure(_figure(train, held_out, title, unit, style), path)


def loss_curve_svg(
    train: Curve, held_out: Curve, *, title: str | None = None, unit: str = "nats per note", style: str = "light"
) -> str:
    """The same chart as text, ``<svg ...>...</svg>``, to put inside a page."""
    return figure_svg(_figure(train, held_out, title, unit, style))


def draw_sweep(
    curves: Mapping[str, Curve],
    path: Path,
    *,
    title: str | None = None,
    best: str | None = None,
    unit: str = "nats per note",
    style: str = "light",
) -> None:
    """Write one held-out curve for each name, the ``best`` of them thick. By suffix: .png, .svg or .pdf.

    Raises:
        UnknownName: for another suffix, or a style that there is not.
        FileError: if it cannot be written.
    """
    from matplotlib.figure import Figure

    check_picture_path(path, "chart")
    paint = find_style(style)
    figure = Figure(figsize=SIZE_INCHES, facecolor=paint.paper, layout="constrained")
    axes = figure.add_subplot()
    for number, (name, curve) in enumerate(curves.items()):
        minutes, loss = _points(curve, name)
        lowest = f" (best {loss.min():.3f})" if len(loss) else ""
        colour, width = PART_COLOURS[number % len(PART_COLOURS)], 2.6 if name == best else 1.3
        axes.plot(minutes, loss, color=colour, lw=width, marker="o", ms=3, label=name + lowest)
    _dress(axes, title, unit, paint)
    save_figure(figure, path)


def _figure(train: Curve, held_out: Curve, title: str | None, unit: str, style: str) -> Figure:
    from matplotlib.figure import Figure

    paint = find_style(style)
    figure = Figure(figsize=SIZE_INCHES, facecolor=paint.paper, layout="constrained")
    axes = figure.add_subplot()
    _draw_train(axes, *_points(train, "training"))
    _draw_held_out(axes, *_points(held_out, "held-out"), paint)
    _dress(axes, title, unit, paint)
    return figure


def _points(curve: Curve, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The finite points, in order of time."""
    minutes, loss = (np.asarray(values, np.float64).ravel() for values in curve)
    if len(minutes) != len(loss):
        raise OutOfRange(f"the {name} curve has {len(minutes)} minutes but {len(loss)} losses; give as many of each")
    finite = np.isfinite(minutes) & np.isfinite(loss)
    order = np.argsort(minutes[finite], kind="stable")
    return minutes[finite][order], loss[finite][order]


def _draw_train(axes: Axes, minutes: NDArray[np.float64], loss: NDArray[np.float64]) -> None:
    """Every loss pale; the mean of those around each, about a fortieth of all, on top."""
    if not len(loss):
        return
    width = min(len(loss) // 40 * 2 + 1, len(loss))
    counts = np.convolve(np.ones(len(loss)), np.ones(width), "same")
    mean = np.convolve(loss, np.ones(width), "same") / counts
    axes.plot(minutes, loss, color=TRAIN_COLOUR, alpha=0.25, lw=0.8)
    axes.plot(minutes, mean, color=TRAIN_COLOUR, lw=1.8, label="training")


def _draw_held_out(axes: Axes, minutes: NDArray[np.float64], loss: NDArray[np.float64], paint: Style) -> None:
    """Dots joined by a line; the lowest one ringed and its value written."""
    if not len(loss):
        return
    best = int(loss.argmin())
    axes.plot(minutes, loss, color=HELD_OUT_COLOUR, lw=1.8, marker="o", ms=3.5, label="held out")
    axes.plot(minutes[best], loss[best], "o", ms=9, mfc="none", mec=HELD_OUT_COLOUR, mew=1.5)
    axes.annotate(
        f"best {loss[best]:.3f}", (minutes[best], loss[best]), (0, 12), textcoords="offset points", ha="right",
        color=paint.text, fontsize=9,
    )  # fmt: skip


def _dress(axes: Axes, title: str | None, unit: str, paint: Style) -> None:
    """Names, a quiet grid, no frame but the axes."""
    axes.set_facecolor(paint.panel)
    axes.set_xlabel("minutes", color=paint.faint)
    axes.set_ylabel(f"loss, {unit}", color=paint.faint)
    axes.grid(color=paint.beat_line, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=paint.faint, labelsize=8, length=0)
    axes.margins(y=0.12)
    if title:
        axes.set_title(title.replace("$", r"\$"), loc="left", color=paint.text, fontsize=11, fontweight="bold")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(paint.bar_line)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, labelcolor=paint.text, fontsize=9, loc="upper right")

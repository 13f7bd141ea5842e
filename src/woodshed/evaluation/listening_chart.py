"""A picture of what came of a listening test: a dot and an interval for every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from woodshed.evaluation.listening import PAIRS
from woodshed.evaluation.listening_score import ListeningScore
from woodshed.evaluation.listening_statistics import Share
from woodshed.music import Part
from woodshed.rendering.colours import Style, part_colours
from woodshed.rendering.pictures import check_picture_path, find_style, save_figure
from woodshed.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_INCHES, FRAME_INCHES, WIDTH_INCHES = 0.42, 1.35, 9.0
OTHER, MODEL, REAL = range(3)
"""Which of the style's colours."""
NAME_LETTERS = 28


@dataclass(frozen=True)
class _Row:
    """One figure."""

    name: str
    value: float | None
    """None: nothing was answered."""
    low: float
    high: float
    colour: int
    note: str


def draw_listening_score(score: ListeningScore, path: Path, *, style: str = "light") -> None:
    """Write the picture, by suffix .png, .svg or .pdf; it appears whole or not at all.

    Of pairs: strengths with their intervals over readers, and how often each was preferred to each. Of turing: how
    often each source was taken for human, and how often readers of each experience were right. Figures of few answers
    are pale.

    Raises:
        UnknownName: for another suffix or style.
        FileError: if it cannot be written.
    """
    from matplotlib.figure import Figure

    path, paint = check_picture_path(Path(path), "the score of a listening test"), find_style(style)
    left, right = (
        (_strengths(score), _preferences(score)) if score.question == PAIRS else (_taken(score), _right(score))
    )
    rows = max(len(left[2]), len(right[2]))
    figure = Figure((WIDTH_INCHES, FRAME_INCHES + ROW_INCHES * rows), facecolor=paint.paper, layout="constrained")
    for axes, (title, chance, drawn) in zip(figure.subplots(1, 2), (left, right), strict=True):
        _draw(axes, title, chance, drawn, paint)
        if not (score.question == PAIRS and axes is figure.axes[0]):
            _percent(axes)
    readers = f"{counted(len(score.readers), 'reader')}, {counted(score.answers, 'answer')}"
    figure.suptitle(" · ".join([readers, *score.cautions]), color=paint.faint, fontsize=9, x=0.01, ha="left")
    save_figure(figure, path)


def _strengths(score: ListeningScore) -> tuple[str, float, list[_Row]]:
    rows = [
        _Row(
            source.name,
            source.strength,
            source.strength if source.low is None else source.low,
            source.strength if source.high is None else source.high,
            REAL if source.is_real else MODEL,
            source.chosen.caution,
        )
        for source in score.sources
        if source.strength is not None
    ]
    return "Strength (Bradley-Terry, log; 95 % over readers)", 0.0, rows


def _preferences(score: ListeningScore) -> tuple[str, float, list[_Row]]:
    rows = [_share(f"{pair.first} over {pair.second}", pair.first_preferred, OTHER) for pair in score.pairs]
    return "How often preferred (95 % exact)", 0.5, rows


def _taken(score: ListeningScore) -> tuple[str, float, list[_Row]]:
    rows = [_share(source.name, source.chosen, REAL if source.is_real else MODEL) for source in score.sources]
    return "Taken for human (95 % exact)", 0.5, rows


def _right(score: ListeningScore) -> tuple[str, float, list[_Row]]:
    groups = {"all": score.accuracy, **{f"who {name}": share for name, share in score.by_experience.items()}}
    return (
        "Right answers (95 % exact; half is guessing)",
        0.5,
        [_share(name, share, OTHER) for name, share in groups.items()],
    )


def _share(name: str, share: Share, colour: int) -> _Row:
    return _Row(name, share.share, share.low, share.high, colour, share.caution)


def _draw(axes: Axes, title: str, chance: float, rows: Sequence[_Row], paint: Style) -> None:
    """Rows from the top, a line where chance is."""
    colours = part_colours([Part()] * 3, paint)
    axes.set_facecolor(paint.panel)
    axes.axvline(chance, color=paint.bar_line, lw=1.2, ls=(0, (4, 3)), zorder=1)
    for place, row in enumerate(rows):
        if row.value is None:
            axes.annotate("no answer", (chance, place), color=paint.faint, fontsize=8, ha="center", va="center")
            continue
        alpha = 0.45 if row.note else 1.0
        axes.plot(
            (row.low, row.high), (place, place), color=colours[row.colour], lw=3, alpha=alpha, solid_capstyle="round"
        )
        axes.plot(
            row.value, place, "o", ms=9, color=colours[row.colour], mec=paint.panel, mew=1.5, zorder=3, alpha=alpha
        )
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_title(title, loc="left", color=paint.text, fontsize=10.5, fontweight="bold")
    axes.grid(axis="x", color=paint.beat_line, lw=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", colors=paint.faint, labelsize=8, length=0)
    axes.tick_params(axis="y", colors=paint.text, labelsize=9, length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _name(row: _Row) -> str:
    name = row.name if len(row.name) <= NAME_LETTERS else row.name[: NAME_LETTERS - 1] + "…"
    return name.replace("$", r"\$") + (f"\n{row.note}" if row.note else "")


def _percent(axes: Axes) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0 %", "25 %", "50 %", "75 %", "100 %"))

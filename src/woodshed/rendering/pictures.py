"""How a drawn figure becomes a file or text; shared by all that is drawn."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from woodshed.errors import UnknownName
from woodshed.rendering.colours import STYLES, Style
from woodshed.rendering.output import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")
DOTS_PER_INCH = 150
SALT = "woodshed"
"""Without a constant here, matplotlib draws the names of what clips and marks an SVG anew each time."""
NO_DATE = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""What a picture tells of itself, by its kind: not when it was made."""


def check_picture_path(path: Path, what: str) -> Path:
    """The path, if pictures are written under its suffix."""
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise UnknownName(f"{path.name}: {what} is written as one of {', '.join(PICTURE_SUFFIXES)}")
    return path


def find_style(name: str) -> Style:
    """One of `STYLES` by name."""
    if name not in STYLES:
        raise UnknownName(f"style {name!r} is not one of {', '.join(STYLES)}")
    return STYLES[name]


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure whole, by suffix. The same figure is the same bytes, today and tomorrow."""
    from matplotlib import rc_context

    kind = path.suffix[1:].lower()
    with written_whole(path) as temporary, rc_context({"svg.hashsalt": SALT}):
        figure.savefig(temporary, format=kind, dpi=DOTS_PER_INCH, metadata=NO_DATE.get(kind))


def figure_svg(figure: Figure) -> str:
    """``<svg ...>...</svg>``, to put inside a page; the same figure is the same text."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.hashsalt": SALT}):
        figure.savefig(text, format="svg", metadata=NO_DATE["svg"])
    return text.getvalue()[text.getvalue().index("<svg") :]

"""Colours that part from one another in print, on a screen and to colour-blind eyes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music import Part

PART_COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#6C7A00",
    "#332288", "#44AA99", "#AA4499", "#8C564B", "#117733", "#DD7788", "#4477AA", "#7F7F7F",
)  # fmt: skip
"""One per part, drums apart; from the ninth on they are harder to tell apart.

Source: the first eight are after Okabe and Ito, "Color Universal Design" (2008), without black and with
their yellow darkened so that it shows on white; the rest after Paul Tol's "muted" set.
"""


@dataclass(frozen=True)
class Style:
    """Everything a picture's surroundings are painted with."""

    paper: str
    """Behind everything."""
    panel: str
    """Behind the notes."""
    black_keys: str
    """Rows of the black keys, slightly off the panel."""
    bar_line: str
    """Lines between bars."""
    beat_line: str
    """Lines between beats."""
    text: str
    """Titles and names."""
    faint: str
    """Numbers and secondary text."""
    highlight: str
    """Behind what is new."""
    drums: str
    """Every drum."""
    lift: float
    """How far part colours are mixed with white, 0-1: deep colours sink on a dark panel."""


STYLES = {
    "light": Style(
        "#ffffff", "#fbfbfa", "#f1f1ee", "#c9c9c4", "#e7e7e3", "#1d1d1b", "#6b6b66", "#fff0c2", "#3d4450", 0.0
    ),
    "dark": Style(
        "#16181d", "#1c1f26", "#22262e", "#454b57", "#2b3039", "#f1f1ee", "#9aa1ad", "#3a3420", "#c3cad6", 0.25
    ),
}
"""``style="light"`` for paper, ``style="dark"`` for a studio."""


def part_colours(parts: Sequence[Part], style: Style) -> list[str]:
    """One colour for each part: drums in the style's own, the others in order; after sixteen they start again."""
    pitched = (_lifted(colour, style.lift) for colour in itertools.cycle(PART_COLOURS))
    return [style.drums if part.is_drum else next(pitched) for part in parts]


def _lifted(colour: str, lift: float) -> str:
    """The colour mixed with white."""
    return "#" + "".join(f"{round(value + (255 - value) * lift):02x}" for value in rgb(colour))


def rgb(colour: str) -> tuple[int, int, int]:
    """``"#0072B2"`` -> (0, 114, 178)."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def shade(colours: NDArray[np.float64], velocities: NDArray[Any], panel: str) -> NDArray[np.float64]:
    """Colours (notes, 3) in 0-255 made paler where the note is soft, by mixing them with the panel.

    Mixed rather than transparent, so that a note over a bar line or another note stays readable. The
    softest note keeps 30 % of its colour, one of velocity 110 or more keeps all.
    """
    strength = 0.3 + 0.7 * np.clip(np.asarray(velocities, float) / 110.0, 0.0, 1.0)[:, None]
    mixed: NDArray[np.float64] = colours * strength + np.array(rgb(panel), float) * (1.0 - strength)
    return mixed

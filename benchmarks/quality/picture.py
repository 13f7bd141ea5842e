"""The table as a picture: a panel for each figure, a dot and an interval for each kind of clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from columns import TITLES
from figures import FIGURES, Row

ACROSS = 4


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write an SVG. The band behind the dots is the interval of the maker's own songs that were learned from."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "quality"
    mpl.rcParams["svg.fonttype"] = "none"  # a fifth of the size
    mpl.rcParams["font.size"] = 8
    from matplotlib import pyplot as plt

    down = -(-len(FIGURES) // ACROSS)
    figure, panels = plt.subplots(down, ACROSS, figsize=(3.0 * ACROSS, 1.3 * down), squeeze=False)
    sources = [name for name in TITLES if any(row.source == name for row in rows)]
    for panel, (name, title) in zip(panels.flat, FIGURES.items(), strict=False):
        own = {row.source: row for row in rows if row.figure == name and row.clips}
        if name.startswith("told_"):
            panel.axvline(0.5, color="0.6", lw=0.8)
            panel.set_xlim(0.2, 1.05)
        elif "learned" in own:
            panel.axvspan(own["learned"].low, own["learned"].high, color="0.9", lw=0)
        for place, source in enumerate(sources):
            if source in own:
                row = own[source]
                panel.plot([row.low, row.high], [place, place], color=f"C{place}", lw=1.5)
                panel.plot([row.mean], [place], "o", color=f"C{place}", ms=4)
        panel.set_title(title, fontsize=8)
        panel.set_ylim(len(sources) - 0.5, -0.5)
        panel.set_yticks([])
        panel.spines[["left", "right", "top"]].set_visible(False)
    for panel in panels.flat[len(FIGURES) :]:
        panel.axis("off")
    dots = [plt.Line2D([], [], color=f"C{place}", marker="o", ms=4) for place in range(len(sources))]
    figure.legend(dots, [TITLES[name] for name in sources], loc="lower center", ncols=len(sources), frameon=False)
    figure.tight_layout(rect=(0, 0.025, 1, 1))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)

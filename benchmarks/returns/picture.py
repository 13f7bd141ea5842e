"""Real songs beside ours as matrices of self-similarity: what returns is a stripe beside the diagonal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from woodshed.evaluation.returns import measure_returns
from woodshed.music import Song
from woodshed.music.returns import bar_similarity

ACROSS = 4


def draw(pieces: Mapping[str, Sequence[Song]], path: Path) -> None:
    """Write an SVG: a row for each kind; of its pieces those with a fifth, two, three, four fifths of the others below
    them in the share of bars that return, so that nothing is picked by eye."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "returns"
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["font.size"] = 8
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(len(pieces), ACROSS, figsize=(2.6 * ACROSS, 2.9 * len(pieces)), squeeze=False)
    for row, (kind, songs) in zip(panels, pieces.items(), strict=True):
        for panel, song in zip(row, spread(songs), strict=True):
            found = measure_returns(song)
            panel.imshow(bar_similarity(song), cmap="Greys", vmin=0, vmax=1, interpolation="none")
            panel.set_title(f"{kind}: {found.returned:.0%} returns, {found.looped:.0%} loops", fontsize=8)
            panel.set_xticks([0, 16, 32, 48])
            panel.set_yticks([0, 16, 32, 48])
    figure.supxlabel("bar", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def spread(songs: Sequence[Song]) -> list[Song]:
    """One at each fifth, in the order of the share of bars that return, then of those that loop."""
    shares = [(measure_returns(song).returned, measure_returns(song).looped) for song in songs]
    order = sorted(range(len(songs)), key=lambda at: shares[at])
    places = np.round(np.linspace(0, len(songs) - 1, ACROSS + 2)[1:-1]).astype(int)
    return [songs[order[place]] for place in places]

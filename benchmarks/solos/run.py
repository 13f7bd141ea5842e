"""Is a solo over a backing a line as leads play it? Intervals, favourite pitch and pace beside real leads.

    python benchmarks/solos/run.py [--bundle base] [--songs 40] [--seed 0]

Backings are songs of Freedoom, found through WOODSHED_DATA. It writes `results.csv` and the table of the README.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, load_bundle
from woodshed.evaluation.bootstrap import mean_interval
from woodshed.formats import read_midi
from woodshed.generation.filters import Sampling
from woodshed.music import Song
from woodshed.music.intervals import favourite_share, interval_shares, lead_lines, line_of
from woodshed.music.texture import texture_of
from woodshed.music.units import ticks_to_steps
from woodshed.recipes.band_solo import play_band_solo
from woodshed.recipes.wish import Wish

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data")) / "band" / "freedoom"
FIGURES = (
    "repeated notes", "steps", "thirds", "up to a fifth", "up to an octave", "more",
    "on the favourite pitch of the latest 16", "on the commonest pitch", "notes in a quarter of its bars",
    "notes off the sixteenths",
)  # fmt: skip
SIXTEENTH = 3
"""Steps."""
FEWEST_BARS, FEWEST_NOTES = 16, 17


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="base")
    parser.add_argument("--songs", type=int, default=40, help="backings, evenly spread over the set")
    parser.add_argument("--candidates", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    options = parser.parse_args()
    songs = [song for song in map(read_midi, sorted(DATA.glob("*.mid"))) if song.bars >= FEWEST_BARS]
    songs = [songs[at] for at in np.linspace(0, len(songs) - 1, min(options.songs, len(songs))).astype(int)]
    bundle = load_bundle(options.bundle)
    untold = replace(bundle, style={name: value for name, value in bundle.style.items() if name != "lead"})
    sides = {
        "real leads of these songs": list(real(songs)),
        "ours, as it comes": list(solos(untold, songs, options)),
        "ours": list(solos(bundle, songs, options)),
    }
    rows = [row for side, lines in sides.items() for row in table(side, lines)]
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("side", "figure", "lines", "songs", "mean", "low", "high"), *rows])
    page = markdown(rows, list(sides))
    print(page)
    if options.out.resolve() == HERE / "results.csv":
        readme = HERE / "README.md"
        before, rest = readme.read_text(encoding="utf-8").split("<!-- result -->\n")
        after = rest.split("<!-- end of result -->")[1]
        readme.write_text(f"{before}<!-- result -->\n{page}<!-- end of result -->{after}", encoding="utf-8")


Line = tuple[int, NDArray[np.float64]]
"""The song that it belongs to, and its figures."""


def real(songs: Sequence[Song]) -> Iterator[Line]:
    """The parts that lead."""
    for number, song in enumerate(songs):
        for part in lead_lines(song):
            yield number, figures(song, part)


def solos(bundle: Bundle, songs: Sequence[Song], options: argparse.Namespace) -> Iterator[Line]:
    """A solo over each song, as the command plays it; what has too few notes for the figures is left out."""
    for number, song in enumerate(songs):
        bars = (1, song.bars)
        clip = play_band_solo(
            bundle, song, "backing", bars, Wish(), Sampling(temperature=0.95, top_p=0.98),
            seed=options.seed + number, count=1, candidates=options.candidates,
        )[0]  # fmt: skip
        part = len(clip.song.parts) - 1
        if len(line_of(clip.song, part)) >= FEWEST_NOTES:
            yield number, figures(clip.song, part)


def figures(song: Song, part: int) -> NDArray[np.float64]:
    line = line_of(song, part)
    commonest = np.bincount(line).max() / len(line)
    pace = texture_of(song, part).pace or 0.0
    onset = ticks_to_steps(song.notes["onset"][song.notes["part"] == part])
    off = float((onset % SIXTEENTH > 0).mean())
    return np.array([*interval_shares(line), favourite_share(line), commonest, pace, off])


def table(side: str, lines: Sequence[Line]) -> Iterator[tuple[str, str, int, int, float, float, float]]:
    owners = [owner for owner, _ in lines]
    values = np.array([found for _, found in lines])
    for figure, column in zip(FIGURES, values.T, strict=True):
        known = ~np.isnan(column)
        kept = [owner for owner, one in zip(owners, known, strict=True) if one]
        found = mean_interval(column[known], kept, np.random.default_rng(0))
        low, high = round(found.low, 4), round(found.high, 4)
        yield side, figure, int(known.sum()), len(set(kept)), round(float(column[known].mean()), 4), low, high


def markdown(rows: Sequence[tuple[str, str, int, int, float, float, float]], sides: Sequence[str]) -> str:
    found = {(side, figure): (lines, songs, cell) for side, figure, lines, songs, *cell in rows}
    page = f"| | {' | '.join(sides)} |\n{'|---' * (len(sides) + 1)}|\n"
    counts = (f"{found[side, FIGURES[0]][0]} ({found[side, FIGURES[0]][1]})" for side in sides)
    page += f"| lines (songs) | {' | '.join(counts)} |\n"
    for figure in FIGURES:
        cells = ("{:.2f} [{:.2f}, {:.2f}]".format(*found[side, figure][2]) for side in sides)
        page += f"| {figure} | {' | '.join(cells)} |\n"
    return page


if __name__ == "__main__":
    main()

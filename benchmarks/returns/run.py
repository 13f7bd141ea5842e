"""Do our long pieces have verses and choruses that come back, as real songs have?

64-bar pieces of a bundle at several repetitions, and real songs of at least 64 bars cut there, are measured with
`woodshed.evaluation.returns`: what share of the bars returns after a contrast, what share loops, what is new. One line
of the table for each kind; and a picture of four of each as matrices of self-similarity.
"""

from __future__ import annotations

import argparse
import csv
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from picture import draw

import woodshed as ws
from woodshed.bundle import Bundle, load_bundle
from woodshed.errors import WoodshedError
from woodshed.evaluation.bootstrap import mean_interval
from woodshed.evaluation.returns import measure_returns
from woodshed.generation.canvas import blank_canvas
from woodshed.generation.fill import fill
from woodshed.music import Song
from woodshed.music.units import ticks_to_steps
from woodshed.recipes.clip import default_sampling

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
STYLE15 = HERE.parent / "style15" / "songs.toml"
SHIPPED = HERE.parents[1] / "src" / "woodshed" / "weights" / "base"
BARS = 64
SHORTEST = 32
"""Bars of the shortest songs of style15 that count: few of its songs have 64, so shorter ones are taken whole."""
DIAL = (0.0, 0.5, 1.0, 1.5, 2.0)
COLUMNS = {
    "returned": "returns", "looped": "loops", "new": "new", "returns": "stretches that return", "distance": "bars back",
    "longest_loop": "longest loop", "sections": "sections", "kinds": "kinds of section",
}  # fmt: skip
SHARES = ("returned", "looped", "new")


def main() -> None:
    options = parse()
    pieces: dict[str, list[Song]] = dict(real_songs(options.data))
    bundle = load_bundle(options.bundle)
    for dial in DIAL:
        pieces[f"ours, repetition {dial:g}"] = [play(bundle, dial, options.seed + n) for n in range(options.pieces)]
        print(f"played at repetition {dial:g}", flush=True)
    lines = measured(pieces)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    draw({"real": pieces["real: freedoom"], "ours": pieces["ours, repetition 1"]}, options.out.with_suffix(".svg"))
    page = table(lines)
    print(page)
    if options.out.resolve() == HERE / "results.csv":
        readme = HERE / "README.md"
        before, rest = readme.read_text(encoding="utf-8").split("<!-- result -->\n")
        after = rest.split("<!-- end of result -->")[1]
        text = f"{before}<!-- result -->\n{page}<!-- end of result -->{after}"
        readme.write_text(text, encoding="utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=SHIPPED)
    parser.add_argument("--data", type=Path, default=DATA / "band", help="folder with the sets of real songs")
    parser.add_argument("--pieces", type=int, default=40, help="of ours, at each repetition")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    return parser.parse_args()


def real_songs(data: Path) -> Iterator[tuple[str, list[Song]]]:
    """Each kind of real song and its pieces: the maker of style15, then each set."""
    listed = tomllib.loads(STYLE15.read_text(encoding="utf-8"))
    own = [data / "freedoom" / song["file"] for split in ("train", "held_out") for song in listed[split]]
    yield "real: style15", list(cut(own, SHORTEST))
    for name in ("freedoom", "free-music", "easyrpg", "blasphemer"):
        paths = sorted(path for path in (data / name).rglob("*") if path.suffix.lower() in (".mid", ".midi"))
        yield f"real: {name}", list(cut(paths, BARS))


def cut(paths: list[Path], shortest: int) -> Iterator[Song]:
    """The first 64 bars from the first note on of songs that have at least ``shortest`` bars."""
    for path in paths:
        try:
            song = ws.read(path)
        except WoodshedError:
            continue
        if not len(song):
            continue
        lines = song.bar_lines()
        onsets = ticks_to_steps(song.notes["onset"])
        first = int(np.searchsorted(ticks_to_steps(lines), onsets.min(), side="right")) - 1
        if len(lines) - 1 - first >= shortest:
            yield song.slice(int(lines[first]), int(lines[min(first + BARS, len(lines) - 1)]))


def play(bundle: Bundle, repetition: float, seed: int) -> Song:
    """One piece, as drawn: not the best of several."""
    canvas = blank_canvas(bundle, BARS, np.random.default_rng([seed, 0]))
    return fill(bundle, canvas, default_sampling(bundle, repetition=repetition), np.random.default_rng([seed, 1]))[0]


def measured(pieces: dict[str, list[Song]]) -> list[dict[str, object]]:
    """A line for each kind: means over pieces, with 95 % bootstrap intervals of the shares."""
    lines = []
    for kind, songs in pieces.items():
        found = [measure_returns(song).as_dict() for song in songs]
        line: dict[str, object] = {"kind": kind, "pieces": len(songs)}
        for name in COLUMNS:
            values = [piece[name] for piece in found if name != "distance" or piece["returns"]]
            interval = mean_interval(values, None, np.random.default_rng(0))
            line[name] = round(interval.mean, 3)
            if name in SHARES:
                line[f"{name}_low"], line[f"{name}_high"] = round(interval.low, 3), round(interval.high, 3)
        line["with_returns"] = round(float(np.mean([piece["returns"] > 0 for piece in found])), 3)
        lines.append(line)
    return lines


def table(lines: list[dict[str, object]]) -> str:
    """Markdown."""
    titles = ["", "pieces", "with a return", *COLUMNS.values()]
    rows = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for line in lines:
        cells = [str(line["kind"]), str(line["pieces"]), f"{line['with_returns']:.0%}"]
        for name in COLUMNS:
            cell = f"{line[name]:.3f}" if name in SHARES else f"{line[name]:.1f}"
            cells.append(f"{cell} [{line[f'{name}_low']:.2f}, {line[f'{name}_high']:.2f}]" if name in SHARES else cell)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()

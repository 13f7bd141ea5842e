"""Does a clip sound the chords that it was asked for, and does it go anywhere when nobody asked for any?

Clips of a bundle over typed chords, strict and as a leaning, and without any, each with and without what the bundle
knows of the places that its parts take in chords (`engine_chords`) and of the chords of its songs (`progressions`).
Beside them stand real songs. Chords are found by `find_chords`, which was not told what was asked for.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, load_bundle
from woodshed.evaluation.bootstrap import mean_interval
from woodshed.evaluation.muspy_figures import pitch_class_entropy
from woodshed.formats import read_midi
from woodshed.generation.canvas import continuation_canvas
from woodshed.generation.fill import fill
from woodshed.music import NO_CHORD, Song
from woodshed.music.chord_finding import find_chords, half_bars
from woodshed.music.chord_places import OTHER, ROOT, place_shares, plays_bass
from woodshed.music.chord_sheet import chord_rows, chords_at, parse_chords
from woodshed.music.meter import bar_of
from woodshed.recipes.clip import default_sampling
from woodshed.recipes.play import generate
from woodshed.recipes.rules import Rules
from woodshed.recipes.wish import Wish

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
STYLE15 = HERE.parent / "style15" / "songs.toml"
SHIPPED = HERE.parents[1] / "src" / "woodshed" / "weights" / "base"
SHEETS = ("Am F C G", "Em C G D", "Dm7 G7 Cmaj7 A7", "E5 G5 A5 C5")
BARS = 16
BARS_ON = 8
"""How far songs are continued."""
ONE_TONE = 0.8
"""A bar of which one pitch class has this share of the notes is on one tone."""
COLUMNS = {
    "root": "root found as asked", "bass": "bass on the root", "outside": "others on other tones",
    "one_tone": "bars on one tone", "entropy": "pitch-class entropy, bits",
}  # fmt: skip
KNOWN = "chord", "chords"
"""What the style of a bundle says of chords."""


def main() -> None:
    options = parse()
    bundle = load_bundle(options.bundle)
    blind = dataclasses.replace(bundle, style=without(bundle.style))
    figures: dict[str, list[dict[str, float]]] = {"real: band of style15": [found(song) for song in band(options.data)]}
    for name, sheets, soft in (("strict", SHEETS, False), ("leaning", SHEETS, True), ("nobody asked", (None,), True)):
        for how, one in ((", places unknown", blind), ("", bundle)):
            clips = list(played(one, sheets, soft, options))
            figures[name + how] = [found(song, sheet) for song, sheet in clips]
            print(f"played {len(clips)}: {name}{how}", flush=True)
    real, without_chords, with_chords = [], [], []
    for song, cut, bars in cuts(options.data):
        sheet = find_chords(song)
        real.append(found(song, sheet))
        for harmony, into in ((False, without_chords), (True, with_chords)):
            canvas = continuation_canvas(cut, BARS_ON, harmony=harmony)
            clips = fill(bundle, canvas, default_sampling(bundle), np.random.default_rng(options.seed + bars), count=2)
            into += [found(clip.slice(cut.length, cut.length + song.length), sheet) for clip in clips]
    names = ("real: as songs go on", "continued, chords unknown", "continued")
    figures |= dict(zip(names, (real, without_chords, with_chords), strict=True))
    lines = [line(name, rows) for name, rows in figures.items()]
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
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
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the sets of real songs")
    parser.add_argument(
        "--clips", type=int, default=6, help="over each progression; of those without, four times so many"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    return parser.parse_args()


def without(style: dict[str, Any]) -> dict[str, Any]:
    songs = [{name: value for name, value in song.items() if name not in KNOWN} for song in style["arrangements"]]
    return {**style, "arrangements": songs}


def band(data: Path) -> Iterator[Song]:
    """The songs of style15 in passages of 16 bars."""
    listed = tomllib.loads(STYLE15.read_text(encoding="utf-8"))
    for one in listed["train"]:
        song = read_midi(data / listed["folder"] / one["file"])
        lines = song.bar_lines()
        for first in range(0, song.bars - BARS + 1, BARS):
            yield song.slice(int(lines[first]), int(lines[first + BARS]))


def cuts(data: Path) -> Iterator[tuple[Song, Song, int]]:
    """The held-out songs of style15 from every eighth bar on, for eight bars, what comes before, and its bars."""
    listed = tomllib.loads(STYLE15.read_text(encoding="utf-8"))
    for one in listed["held_out"]:
        song = read_midi(data / listed["folder"] / one["file"])
        lines = song.bar_lines()
        for bars in range(2 * BARS_ON, song.bars - BARS_ON + 1, BARS_ON):
            at, end = int(lines[bars]), int(lines[bars + BARS_ON])
            yield song.slice(at, end), song.slice(0, at), bars


def played(
    bundle: Bundle, sheets: Sequence[str | None], soft: bool, options: argparse.Namespace
) -> Iterator[tuple[Song, NDArray[Any] | None]]:
    """Clips and the rows of the chords that were asked for."""
    for sheet in sheets:
        bars = None if sheet is None else parse_chords(sheet)
        for seed in range(options.clips * (len(SHEETS) if sheet is None else 1)):
            wish = Wish(bars=BARS, chords=bars, rules=Rules(soft_chords=soft))
            (clip,) = generate(bundle, wish, seed=options.seed + seed)
            song = clip.song
            bar_ticks = int(np.diff(song.bar_lines())[0])
            yield song, None if bars is None else chord_rows(bars, BARS, bar_ticks)


def found(song: Song, asked: NDArray[Any] | None = None) -> dict[str, float]:
    """The figures of one clip: over the chords that were asked for, else over those that are found."""
    heard = find_chords(song)
    sheet = heard if asked is None else asked
    figures = {"root": np.nan, "entropy": pitch_class_entropy(song)}
    if asked is not None:
        places = half_bars(song)[:-1]
        row = chords_at(heard, places)
        roots = np.where(row >= 0, heard["root"][row], NO_CHORD) if len(heard) else np.full(len(places), NO_CHORD)
        sounds = roots != NO_CHORD
        right = (roots == asked["root"][chords_at(asked, places)])[sounds]
        figures["root"] = mean(right.tolist())
    for name, basses, place in (("bass", True, ROOT), ("outside", False, OTHER)):
        parts = [index for index, part in enumerate(song.parts) if not part.is_drum and plays_bass(part) == basses]
        shares = [place_shares(song, part, sheet, 8) for part in parts]
        figures[name] = mean([float(one[place]) for one in shares if one is not None])
    figures["one_tone"] = on_one_tone(song)
    return figures


def on_one_tone(song: Song) -> float:
    """The share of the bars with four notes or more, of parts that are no bass, that one pitch class nearly fills."""
    shares = []
    bar = bar_of(song.notes["onset"].astype(np.int64), song.bar_lines())
    for index, part in enumerate(song.parts):
        if part.is_drum or plays_bass(part):
            continue
        own = song.notes["part"] == index
        for one in np.unique(bar[own]):
            tones = song.notes["pitch"][own & (bar == one)] % 12
            if len(tones) >= 4:
                shares.append(np.bincount(tones).max() / len(tones) >= ONE_TONE)
    return mean(shares)


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def line(name: str, rows: Sequence[dict[str, float]]) -> dict[str, str]:
    cells = {"music": name, "clips": str(len(rows))}
    for column in COLUMNS:
        known = np.array([row[column] for row in rows])
        known = known[np.isfinite(known)]
        if not len(known):
            cells |= {column: "", f"{column}_low": "", f"{column}_high": ""}
            continue
        interval = mean_interval(known, None, np.random.default_rng(0))
        figures = (interval.mean, interval.low, interval.high)
        cells |= {f"{column}{end}": f"{one:.3f}" for end, one in zip(("", "_low", "_high"), figures, strict=True)}
    return cells


def table(lines: Sequence[dict[str, str]]) -> str:
    head = ["music", "n", *COLUMNS.values()]
    page = "| " + " | ".join(head) + " |\n|" + "---|" * len(head) + "\n"
    for row in lines:
        cells = [
            f"{float(row[c]):.2f} [{float(row[f'{c}_low']):.2f}, {float(row[f'{c}_high']):.2f}]" if row[c] else ""
            for c in COLUMNS
        ]
        page += "| " + " | ".join([row["music"], row["clips"], *cells]) + " |\n"
    return page


if __name__ == "__main__":
    main()

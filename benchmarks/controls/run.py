"""Do the dials do what they say? Asked levels against measured ones, and the repetition dial against self-similarity.

For each control, clips of eight bars are asked for one random level in each pair of bars, of those that the learned
songs use; what comes out is measured with the same ruler (`codecs.levels`). Lines for each control: Spearman's rank
correlation over bars, with a bootstrap interval over clips, of clips as `generate` gives them (the best of six), of one
draw, and of one draw without steering. Then repetition 0 to 2, and the self-similarity at 1, 2, 4 and 8 bars of 16-bar
clips, beside that of real music. See README.md.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from woodshed.bundle import Bundle, load_bundle
from woodshed.codecs import NoteStepCodec
from woodshed.codecs.levels import CONTROLS, figures
from woodshed.codecs.note_step import DRUM_PROGRAM, VELOCITY_STEP
from woodshed.evaluation.metrics import excerpts, measure
from woodshed.formats import read_midi
from woodshed.generation.canvas import Canvas, blank_canvas
from woodshed.generation.choose import best_of
from woodshed.generation.constraints import Constraints
from woodshed.generation.fill import fill
from woodshed.music import Song
from woodshed.music.units import ticks_to_steps
from woodshed.recipes.clip import default_sampling

BARS, HELD = 8, 2
DIAL = (0.0, 0.5, 1.0, 1.5, 2.0)
LAGS = (1, 2, 4, 8)
HOW = {"as generate gives it": (6, 1.0), "one draw": (1, 1.0), "one draw, not steered": (1, 0.0)}
"""Draws of which the best is kept, and how firmly bars are held to their levels."""
LEVELS = {"density": (3, 10), "register": (3, 9), "syncopation": (1, 9), "velocity": (3, 10)}
"""Lowest and highest level that is asked for: a silent bar, or one that nobody plays, is no test."""
CODEC = NoteStepCodec()


def main() -> None:
    options = parse()
    bundle = load_bundle(options.bundle)
    lines: list[tuple[object, ...]] = []
    for how, (draws, steering) in HOW.items():
        for control in CONTROLS:
            asked, measured = zip(
                *(ask(bundle, control, options.seed + clip, draws, steering) for clip in range(options.clips)),
                strict=True,
            )
            low, high = interval(asked, measured)
            figures = round(correlation(asked, measured), 3), round(low, 3), round(high, 3)
            lines.append((how, control, options.clips, *figures))
            print(lines[-1], flush=True)
    for dial in DIAL:
        songs = [play(bundle, blank(bundle, options.seed + clip, 16), dial, clip) for clip in range(options.clips)]
        lines.append(("repetition", dial, options.clips, *similarity(songs)))
        print(lines[-1], flush=True)
    real = [cut for path in sorted(options.real.glob("*.mid")) for cut in excerpts(read_midi(path), 16)]
    lines.append(("repetition", "real", len(real), *similarity(real)))
    print(lines[-1], flush=True)
    page(lines)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("what", "which", "clips", "rho_or_lag_1", "low_or_lag_2", "high_or_lag_4", "lag_8"))
        writer.writerows(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--real", type=Path, required=True, help="a folder of real songs")
    parser.add_argument("--clips", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results.csv")
    return parser.parse_args()


def blank(bundle: Bundle, seed: int, bars: int) -> Canvas:
    return blank_canvas(bundle, bars, np.random.default_rng(seed))


def ask(
    bundle: Bundle, control: str, seed: int, draws: int, steering: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Asked level and measured figure of each bar that has one."""
    rng, canvas = np.random.default_rng(seed), blank(bundle, seed, BARS)
    low, high = LEVELS[control]
    asked = np.repeat(rng.integers(low, high + 1, BARS // HELD), HELD)
    wishes: Constraints = replace(canvas.constraints, levels={control: tuple(asked.tolist())})
    canvas = replace(canvas, constraints=replace(wishes, leanings=frozenset()))
    sampling = replace(default_sampling(bundle), steering=steering)
    songs = fill(bundle, canvas, sampling, np.random.default_rng(seed), count=draws)
    song = songs[best_of(songs, canvas, bundle.style)]
    found = figures_of(song)[:, CONTROLS.index(control)]
    there = np.isfinite(found)
    return asked[there].astype(float), found[there]


def play(bundle: Bundle, canvas: Canvas, repetition: float, seed: int) -> Song:
    return fill(bundle, canvas, default_sampling(bundle, repetition=repetition), np.random.default_rng(seed))[0]


def figures_of(song: Song) -> NDArray[np.float64]:
    notes = song.notes
    part, pitch = notes["part"].astype(np.int64), notes["pitch"].astype(np.int64)
    velocity = (notes["velocity"].astype(np.int64) - 1) // VELOCITY_STEP
    drums = CODEC.programs(song)[:, 0] == DRUM_PROGRAM
    return figures(ticks_to_steps(notes["onset"]), part, pitch, velocity, drums, CODEC.bar_lines(song))


def correlation(asked: tuple[NDArray[np.float64], ...], measured: tuple[NDArray[np.float64], ...]) -> float:
    return float(spearmanr(np.concatenate(asked), np.concatenate(measured)).statistic)


def interval(asked: tuple[NDArray[np.float64], ...], measured: tuple[NDArray[np.float64], ...]) -> tuple[float, float]:
    """95 %, drawing whole clips again."""
    rng = np.random.default_rng(0)
    draws = [rng.integers(len(asked), size=len(asked)) for _ in range(300)]
    found = [correlation(tuple(asked[i] for i in d), tuple(measured[i] for i in d)) for d in draws]
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def similarity(songs: list[Song]) -> list[float]:
    measured = [measure(song) for song in songs if len(song)]
    return [round(float(np.mean([getattr(m, f"self_similarity_{lag}") for m in measured])), 3) for lag in LAGS]


def page(lines: list[tuple[object, ...]]) -> None:
    """The tables of README.md."""
    held = {how: {line[1]: line[3:] for line in lines if line[0] == how} for how in HOW}
    rows = ["| asked for | " + " | ".join(HOW) + " |", "|---" * (1 + len(HOW)) + "|"]
    for control in CONTROLS:
        cells = ["{} [{}, {}]".format(*held[how][control]) for how in HOW]
        rows.append(f"| {control} | {' | '.join(cells)} |")
    dial = ["| repetition | 1 bar later | 2 | 4 | 8 |", "|---|---|---|---|---|"]
    dial += [f"| {line[1]} | {' | '.join(map(str, line[3:]))} |" for line in lines if line[0] == "repetition"]
    path = Path(__file__).parent / "README.md"
    text = path.read_text(encoding="utf-8")
    for name, table in (("levels", rows), ("dial", dial)):
        before, rest = text.split(f"<!-- {name} -->\n")
        _, after = rest.split(f"<!-- end of {name} -->")
        text = f"{before}<!-- {name} -->\n" + "\n".join(table) + f"\n<!-- end of {name} -->{after}"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

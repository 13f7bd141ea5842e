"""How near do humanisers come to the human drummers of Groove's validation split? See README.md.

python benchmarks/humanise/run.py [--bundle BUNDLE] [--player MODULE:FUNCTION] [--draws N]
"""

from __future__ import annotations

import argparse
import csv
import importlib
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from baselines import FeelTable, FileMedian, Humaniser, Jitter, Primer, in_order_of, perform
from numpy.typing import NDArray

from woodshed.codecs.clip_drums import CLASS_OF
from woodshed.evaluation.feel import (
    EVERY_PITCH,
    Feel,
    feel_by_drum,
    less_error,
    loudest_per_step,
    measure_feel,
    pair_hits,
    without_feel,
)
from woodshed.formats import read_midi
from woodshed.music import Song
from woodshed.music.meter import bar_of
from woodshed.music.units import ticks_to_steps

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
PLAIN_VELOCITY = 68
"""Of every note that a humaniser is given: the mean of the train split, rounded."""
PRIMER_BARS = (1, 2, 4)
NONE, BEST = "no feel", "median per pitch and place"
COLUMNS = [
    "protocol", "who", "of", "files", "hits", "timing_mae_ms", "timing_low", "timing_high", "timing_bias_ms",
    "timing_mse_sixteenths", "timing_std_ms", "human_timing_std_ms", "timing_correlation", "timing_distance_ms",
    "velocity_mae", "velocity_low", "velocity_high", "velocity_bias", "velocity_std", "human_velocity_std",
    "velocity_correlation", "velocity_distance", "moved_share",
]  # fmt: skip

Player = Callable[[Song, float, int], Song]
"""(song without feel, temperature, seed) -> the same notes with feel. Temperature -1 asks for a steady hand."""
STEADY = -1.0
Pairs = list[NDArray[Any]]


@dataclass(frozen=True)
class Protocol:
    """On which grid feel is taken away, and which hits count as one."""

    name: str
    steps_per_quarter: int
    lanes: NDArray[np.int64]
    meters: tuple[str, ...]


PROTOCOLS = (
    Protocol("published", 4, CLASS_OF, ("4-4",)),
    Protocol("sixteenths", 4, EVERY_PITCH, ()),
    Protocol("twelfths", 12, EVERY_PITCH, ()),
)


@dataclass(frozen=True)
class Take:
    """One recording: what its row of info.csv says, the human, and what a humaniser is given."""

    info: dict[str, str]
    human: Song
    plain: Song


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="what `woodshed humanise` would play with")
    parser.add_argument("--player", metavar="MODULE:FUNCTION", help="f(song, temperature, seed) -> song, instead")
    parser.add_argument("--draws", type=int, default=8, help="draws whose median is the expected value")
    options = parser.parse_args()
    recordings = read_groove()
    rows: list[dict[str, Any]] = []
    pages: dict[str, list[str]] = {}
    for protocol in PROTOCOLS:
        train, validation = (takes(recordings, protocol, split) for split in ("train", "validation"))
        found = judge(protocol, train, validation, our_player(options), options.draws)
        rows += figures(protocol, found, validation)
        pages[protocol.name] = table(found)
        bounds = oracles(protocol, train, validation)
        rows += [row(protocol, who, "oracle", measure_feel(pairs)) for who, pairs in bounds.items()]
        pages[f"{protocol.name} oracles"] = oracle_table(bounds)
        print(protocol.name, *pages[protocol.name], *pages[f"{protocol.name} oracles"], sep="\n", flush=True)
        if protocol.name == "published":
            pages["windows"] = in_windows(found, validation)
        if protocol.name == "sixteenths":
            pages["drummers"] = drummer_table(found, train, validation)
            pages["drums"], pages["gains"] = drum_table(found), gain_table(found)
            pages["wander"] = wander(found[NONE], validation)
        if protocol.name == "twelfths":
            pages["steps"] = step_shares(found[NONE])
    write(rows, pages | {"machine": told()})


# ---- the music ---------------------------------------------------------------------------------------------


def read_groove() -> list[tuple[dict[str, str], Song]]:
    groove = DATA / "groove"
    with (groove / "info.csv").open(newline="", encoding="utf-8") as file:
        return [(info, read_midi(groove / info["midi_filename"])) for info in csv.DictReader(file)]


def takes(recordings: list[tuple[dict[str, str], Song]], protocol: Protocol, split: str) -> list[Take]:
    humans = [
        (info, loudest_per_step(song, protocol.steps_per_quarter, protocol.lanes))
        for info, song in recordings
        if info["split"] == split and (not protocol.meters or info["time_signature"] in protocol.meters)
    ]
    return [Take(info, song, without_feel(song, PLAIN_VELOCITY, protocol.steps_per_quarter)) for info, song in humans]


# ---- who is judged -----------------------------------------------------------------------------------------


def our_player(options: argparse.Namespace) -> Player | None:
    if options.player:
        module, _, function = options.player.partition(":")
        player: Player = getattr(importlib.import_module(module), function)
        return player
    if not options.bundle:
        return None
    import woodshed

    band: Any = woodshed.load(options.bundle)

    def play(plain: Song, temperature: float, seed: int) -> Song:
        if temperature == STEADY:
            steady: Song = band.humanise(plain, steady=True, seed=seed)
            return steady
        drawn: Song = band.humanise(plain, temperature=temperature, seed=seed)
        return drawn

    return play


def judge(
    protocol: Protocol, train: list[Take], validation: list[Take], player: Player | None, draws: int
) -> dict[str, Pairs]:
    """Who -> `pair_hits` of every validation take."""
    grid, humans = protocol.steps_per_quarter, [take.human for take in train]
    loud = float(np.concatenate([song.notes["velocity"] for song in humans]).mean())
    table = FeelTable(humans, grid, CLASS_OF)
    flat: Humaniser = lambda plain: perform(plain, 0.0, loud)  # noqa: E731
    who: dict[str, Humaniser] = {
        NONE: flat,
        "random jitter": Jitter(humans, grid),
        "global mean": lambda plain: perform(plain, *table.overall),
        "mean per drum": FeelTable(humans, grid, CLASS_OF, by_place=False),
        "mean per drum and place": table,
        "mean per pitch and place": FeelTable(humans, grid, EVERY_PITCH),
        BEST: FeelTable(humans, grid, EVERY_PITCH, np.median),
    }
    found = {name: paired(protocol, validation, humaniser) for name, humaniser in who.items()}
    found["mean per pitch and place, drummer left out"] = drummer_left_out(protocol, train, validation)
    if player is not None:
        found["ours, drawn"] = paired(protocol, validation, lambda plain: player(plain, 1.0, 0))
        found["ours, --steady"] = paired(protocol, validation, lambda plain: player(plain, STEADY, 0))
        found[f"ours, median of {draws} draws"] = paired(
            protocol, validation, lambda plain: median_performance(plain, player, protocol, draws)
        )
    return found


def paired(protocol: Protocol, some: list[Take], humaniser: Humaniser) -> Pairs:
    return [pair_hits(take.human, humaniser(take.plain), protocol.steps_per_quarter) for take in some]


def drummer_left_out(protocol: Protocol, train: list[Take], validation: list[Take]) -> Pairs:
    """Every validation drummer is predicted from the other drummers only."""
    tables = {
        drummer: FeelTable(
            [take.human for take in train if take.info["drummer"] != drummer], protocol.steps_per_quarter, EVERY_PITCH
        )
        for drummer in {take.info["drummer"] for take in validation}
    }
    return [
        pair_hits(take.human, tables[take.info["drummer"]](take.plain), protocol.steps_per_quarter)
        for take in validation
    ]


def median_performance(plain: Song, player: Player, protocol: Protocol, draws: int) -> Song:
    """Each note at the median place and velocity of several draws: the least absolute error a sampler can have."""
    drawn = [
        in_order_of(plain, pair_hits(plain, player(plain, 1.0, seed), protocol.steps_per_quarter))
        for seed in range(draws)
    ]
    late, loud = (np.median([hits[name] for hits in drawn], axis=0) for name in ("played_ms", "played_velocity"))
    return perform(plain, late, loud)


def oracles(protocol: Protocol, train: list[Take], validation: list[Take]) -> dict[str, Pairs]:
    """Who knows something of the human -> `pair_hits`; after a primer only the bars that were not heard."""
    grid = protocol.steps_per_quarter
    best = FeelTable([take.human for take in train], grid, EVERY_PITCH, np.median)
    medians = {"file": "", "file and pitch": "lane", "file, pitch and place": "lane step", "file and bar": "bar"}
    found = {
        f"median of {name}": [
            pair_hits(t.human, FileMedian(grid, EVERY_PITCH, names)(t.plain, t.human), grid) for t in validation
        ]
        for name, names in medians.items()
    }
    for bars in PRIMER_BARS:
        primer = Primer(best, bars)
        for name, play in (("", lambda t: best(t.plain)), (", heard", lambda t, p=primer: p(t.plain, t.human))):
            found[f"after bar {bars}{name}"] = [
                after(t, pair_hits(t.human, play(t), grid), bars, grid) for t in validation
            ]
    return found


def after(take: Take, hits: NDArray[Any], bars: int, steps_per_quarter: int) -> NDArray[Any]:
    lines = ticks_to_steps(take.human.bar_lines(), steps_per_quarter)
    return hits[bar_of(hits["step"].astype(np.int64), lines) >= bars]


# ---- tables ------------------------------------------------------------------------------------------------


def figures(protocol: Protocol, found: dict[str, Pairs], validation: list[Take]) -> list[dict[str, Any]]:
    rows = [row(protocol, who, "all", measure_feel(pairs)) for who, pairs in found.items()]
    for who, pairs in found.items():
        rows += [row(protocol, who, drum, feel) for drum, feel in feel_by_drum(pairs).items()]
        for kind in ("beat", "fill"):
            chosen = [hits for hits, take in zip(pairs, validation, strict=True) if take.info["beat_type"] == kind]
            rows.append(row(protocol, who, f"{kind}s", measure_feel(chosen)))
    return rows


def row(protocol: Protocol, who: str, of: str, feel: Feel) -> dict[str, Any]:
    t, v = feel.timing, feel.velocity
    values = [t.mae, t.low, t.high, t.bias, feel.timing_mse, t.played_std, t.human_std, t.correlation, t.distance,
              v.mae, v.low, v.high, v.bias, v.played_std, v.human_std, v.correlation, v.distance,
              feel.moved_share]  # fmt: skip
    texts = [f"{value:.4f}" for value in values]
    return dict(zip(COLUMNS, [protocol.name, who, of, feel.files, feel.hits, *texts], strict=True))


def table(found: dict[str, Pairs]) -> list[str]:
    lines = [
        "| who | timing, ms | 95 % | std, ms | r | distance, ms | velocity | 95 % | std | r | distance |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for who, pairs in found.items():
        feel = measure_feel(pairs)
        cells = [
            f"{f.mae:.2f} | {f.low:.2f}-{f.high:.2f} | {f.played_std:.1f} | {f.correlation:.2f} | {f.distance:.2f}"
            for f in (feel.timing, feel.velocity)
        ]
        lines.append(f"| {who} | {' | '.join(cells)} |")
    human = measure_feel(found[NONE])
    stds = (human.timing.human_std, human.velocity.human_std)
    lines.append(f"| the human | {' | '.join(f'0 | - | {std:.1f} | 1 | 0' for std in stds)} |")
    return lines


def gain_table(found: dict[str, Pairs]) -> list[str]:
    """Whether it is certain that each errs less than the best of the corpus means."""
    lines = [f"| less error than {BEST} | timing, ms | 95 % | velocity | 95 % |", "|---|---|---|---|---|"]
    for who in found:
        gains = [less_error(found[who], found[BEST], field) for field in ("ms", "velocity")]
        lines.append(
            f"| {who} | {' | '.join(f'{gain:+.2f} | {low:+.2f} to {high:+.2f}' for gain, low, high in gains)} |"
        )
    return lines


def oracle_table(bounds: dict[str, Pairs]) -> list[str]:
    lines = ["| who knows | hits | timing, ms | velocity |", "|---|---|---|---|"]
    for who, pairs in bounds.items():
        feel = measure_feel(pairs)
        lines.append(f"| {who} | {feel.hits:,} | {feel.timing.mae:.2f} | {feel.velocity.mae:.2f} |")
    return lines


def drummer_table(found: dict[str, Pairs], train: list[Take], validation: list[Take]) -> list[str]:
    shown = [NONE, "mean per pitch and place", "mean per pitch and place, drummer left out",
             *[who for who in found if who.startswith("ours")]]  # fmt: skip
    lines = [
        f"| drummer | train takes | validation takes | hits | {' | '.join(shown)} |",
        "|---|---|---|---|" + "---|" * len(shown),
    ]
    names = sorted({take.info["drummer"] for take in validation}, key=lambda name: int(name.removeprefix("drummer")))
    for name in names:
        own = [k for k, take in enumerate(validation) if take.info["drummer"] == name]
        feels = [measure_feel([found[who][k] for k in own]) for who in shown]
        cells = " | ".join(f"{feel.timing.mae:.1f}; {feel.velocity.mae:.1f}" for feel in feels)
        heard = sum(take.info["drummer"] == name for take in train)
        lines.append(f"| {name.removeprefix('drummer')} | {heard} | {len(own)} | {feels[0].hits:,} | {cells} |")
    return lines


def drum_table(found: dict[str, Pairs]) -> list[str]:
    shown = [NONE, BEST, *[who for who in found if who.startswith("ours")]]
    by_drum = {who: feel_by_drum(found[who]) for who in shown}
    lines = [f"| drum | hits | {' | '.join(shown)} |", "|---|---|" + "---|" * len(shown)]
    for drum, feel in by_drum[NONE].items():
        cells = " | ".join(f"{by_drum[w][drum].timing.mae:.1f}; {by_drum[w][drum].velocity.mae:.1f}" for w in shown)
        lines.append(f"| {drum} | {feel.hits:,} | {cells} |")
    return lines


def in_windows(found: dict[str, Pairs], validation: list[Take]) -> list[str]:
    """The timing error if takes are cut into windows of two bars that move by one: inner bars count twice."""
    told = []
    for who in (NONE, "global mean"):
        errors, weights = [], []
        for hits, take in zip(found[who], validation, strict=True):
            bar = bar_of(hits["step"].astype(np.int64), ticks_to_steps(take.human.bar_lines(), 4))
            last = int(bar.max())
            errors.append(np.abs(hits["played_ms"] - hits["human_ms"]))
            weights.append((bar < last).astype(np.int64) + (bar > 0))
        told.append(f"{who} {np.average(np.concatenate(errors), weights=np.concatenate(weights)):.2f} ms")
    return [f"In windows as published: {', '.join(told)}."]


def wander(pairs: Pairs, validation: list[Take], lags: tuple[int, ...] = (1, 2, 4, 8)) -> list[str]:
    """How the medians of bars move within takes of six bars and more, after the median of the take is taken away."""
    takes_of_bars = []
    for hits, take in zip(pairs, validation, strict=True):
        bar = bar_of(hits["step"].astype(np.int64), ticks_to_steps(take.human.bar_lines(), 4))
        if bar.max() >= 5:
            late = hits["human_ms"] - np.median(hits["human_ms"])
            takes_of_bars.append({b: float(np.median(late[bar == b])) for b in np.unique(bar).tolist()})
    std = np.std([value for bars in takes_of_bars for value in bars.values()])
    both = {
        lag: np.array([(bars[b], bars[b + lag]) for bars in takes_of_bars for b in bars if b + lag in bars]).T
        for lag in lags
    }
    told = ", ".join(f"{np.corrcoef(pair)[0, 1]:.2f} ({lag})" for lag, pair in both.items())
    return [f"Medians of bars, {len(takes_of_bars)} takes: std {std:.1f} ms; correlation with a later bar: {told}."]


def step_shares(pairs: Pairs) -> list[str]:
    step = np.concatenate([hits["step"] for hits in pairs]) % 12
    sixteenth, triplet = np.mean(step % 3 == 0), np.mean(np.isin(step, (4, 8)))
    return [f"Nearest to a sixteenth {sixteenth:.1%}, to a triplet eighth {triplet:.1%}, to another step "
            f"{1 - sixteenth - triplet:.1%}."]  # fmt: skip


def write(rows: Sequence[dict[str, Any]], pages: dict[str, list[str]]) -> None:
    """The rows, and the tables of the README."""
    with (HERE / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    page = (HERE / "README.md").read_text(encoding="utf-8")
    for part, lines in pages.items():
        before, rest = page.split(f"<!-- {part} -->\n")
        _, tail = rest.split(f"<!-- end of {part} -->")
        page = f"{before}<!-- {part} -->\n" + "\n".join(lines) + f"\n<!-- end of {part} -->{tail}"
    (HERE / "README.md").write_text(page, encoding="utf-8")


def told() -> list[str]:
    return [f"- {platform.machine()}, one thread, {platform.system()}, Python {sys.version.split()[0]}, numpy "
            f"{np.__version__}, woodshed {version('woodshed')}"]  # fmt: skip


if __name__ == "__main__":
    main()

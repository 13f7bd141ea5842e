"""How near can one come to when and how loud human drummers hit, from the score alone? See README.md.

Trains what is not there yet, nets on three quarters of the train split each, and writes results.csv and the table of
the README. Ctrl-C ends it; run again it goes on.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from net import FeelNet, Plan, Scores, guesses_of_net, learn
from numpy.typing import NDArray
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from takes import FEEL, HERE, Take, guesses_of_oracle, guesses_of_table, pooled, read_takes

from woodshed.evaluation.bootstrap import Interval, ratio_interval
from woodshed.words import counted

WORK = HERE.parents[2] / "build" / "published-groove"
HUMANISE = HERE.parents[1] / "humanise" / "results.csv"
FOLDS = 4
BEST_TABLE = "median per pitch and place"
TABLES: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
    "global mean": ((), np.mean),
    "global median": ((), np.median),
    "mean per drum and place": (("drum", "place"), np.mean),
    "median per drum and place": (("drum", "place"), np.median),
    "mean per pitch and place": (("pitch", "place"), np.mean),
    BEST_TABLE: (("pitch", "place"), np.median),
}
ORACLES: dict[str, tuple[str, ...]] = {"take": (), "take and drum": ("drum",), "take and bar": ("bar",)}
PLANS = {"pads": (Plan(), FOLDS), "nine drums": (Plan(with_pitches=False), 1)}
"""What nets are told of the kit, each pad by its pitch or the nine kinds of drum as in the paper; and how many nets."""
COLUMNS = (
    "split", "weighed", "who", "takes", "hits", "timing_mae_ms", "timing_low", "timing_high", "timing_bias_ms",
    "velocity_mae", "velocity_low", "velocity_high",
)  # fmt: skip
Guesses = list[NDArray[np.float64]]
"""Of each take (2, hits) `FEEL`."""


@dataclass(frozen=True)
class Judged:
    """Somebody's guesses of the takes of one split."""

    who: str
    guesses: Guesses


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    train, valid = read_takes("train"), read_takes("validation")
    fold_of = np.random.default_rng(options.seed).permutation(len(train)) % FOLDS
    rows, judged = [], [Judged("no feel", no_feel(train, valid)), *tables(train, valid)]
    for name, (plan, count) in PLANS.items():
        nets, scores = ensemble(name, replace(plan, steps=options.steps), count, train, fold_of, options)
        rows += unseen_folds(name, nets, scores, train, fold_of)
        each = [[guesses_of_net(net, scores, take) for take in valid] for net in nets]
        judged.append(Judged(f"one net, {name}", each[0]))
        if count > 1:
            judged.append(Judged(f"mean of {count} nets, {name}", mean_of(each)))
    rows += [row("validation", "hits", one.who, valid, one.guesses) for one in judged]
    rows += [row("validation", "windows", one.who, valid, one.guesses) for one in judged]
    rows += list(oracles(valid, next(one for one in judged if one.who.startswith("mean of"))))
    write(rows, gains(valid, judged))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=WORK, help="where trained nets are, or are put")
    parser.add_argument("--steps", type=int, default=Plan.steps, help="of training, of each net")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


# ---- who guesses ---------------------------------------------------------------------------------------------


def no_feel(train: Sequence[Take], takes: Sequence[Take]) -> Guesses:
    """On the grid, at the mean velocity."""
    loud = pooled(train)["velocity"].mean()
    return [np.stack((np.zeros(len(take.hits)), np.full(len(take.hits), loud))) for take in takes]


def tables(train: Sequence[Take], takes: Sequence[Take]) -> Iterator[Judged]:
    known = pooled(train)
    for who, (fields, statistic) in TABLES.items():
        yield Judged(who, by_take(takes, guesses_of_table(known, pooled(takes), fields, statistic)))


def by_take(takes: Sequence[Take], guesses: NDArray[np.float64]) -> Guesses:
    """Guesses (2, hits) of all takes, one after another, of each take."""
    return np.split(guesses, np.cumsum([len(take.hits) for take in takes])[:-1], axis=1)


def ensemble(
    name: str, plan: Plan, count: int, train: Sequence[Take], fold_of: NDArray[np.int64], options: argparse.Namespace
) -> tuple[list[FeelNet], Scores]:
    """A net for each of the first folds, which has not learned that fold; those of an earlier run are read."""
    scores = Scores(np.unique(pooled(train)["pitch"]) if plan.with_pitches else ())
    nets = []
    for fold in range(count):
        file = options.work / f"{name.replace(' ', '-')}-{plan.steps}-{options.seed}-{fold}.safetensors"
        if not file.exists():
            takes = [take for take, own in zip(train, fold_of, strict=True) if own != fold]
            with Progress() as progress:
                bar = progress.add_task(f"{name}, net {fold + 1} of {count}", total=plan.steps)
                net = learn(scores, takes, plan, FOLDS * options.seed + fold, lambda: progress.advance(bar))  # noqa: B023
            save_file(net.state_dict(), file.with_suffix(".part"))
            file.with_suffix(".part").replace(file)
        net = FeelNet(scores.rows, plan)
        net.load_state_dict(load_file(file))
        nets.append(net.eval())
    return nets, scores


def unseen_folds(
    name: str, nets: Sequence[FeelNet], scores: Scores, train: Sequence[Take], fold_of: NDArray[np.int64]
) -> Iterator[dict[str, str]]:
    """Each take by the one net that has not learned it, and by the best table of the same takes as that net's."""
    takes, by_net, by_table = [], [], []
    for fold, net in enumerate(nets):
        learned = pooled([take for take, own in zip(train, fold_of, strict=True) if own != fold])
        unseen = [take for take, own in zip(train, fold_of, strict=True) if own == fold]
        takes += unseen
        by_net += [guesses_of_net(net, scores, take) for take in unseen]
        by_table += by_take(unseen, guesses_of_table(learned, pooled(unseen), *TABLES[BEST_TABLE]))
    split = f"train, {counted(len(nets), 'fold')} not learned"
    yield row(split, "hits", f"one net, {name}", takes, by_net)
    yield row(split, "hits", BEST_TABLE, takes, by_table)


def mean_of(each: Sequence[Guesses]) -> Guesses:
    return [np.mean(of_take, axis=0) for of_take in zip(*each, strict=True)]


def oracles(takes: Sequence[Take], best: Judged) -> Iterator[dict[str, str]]:
    """Who has heard the human: medians of this very take, alone and of what the best net leaves."""
    for name, fields in ORACLES.items():
        own = [guesses_of_oracle(take.hits, fields, np.median) for take in takes]
        yield row("validation", "hits", f"oracle: median per {name}", takes, own)
        helped = []
        for take, guess in zip(takes, best.guesses, strict=True):
            left = take.hits.copy()
            for number, field in enumerate(FEEL):
                left[field] -= guess[number]
            helped.append(guess + guesses_of_oracle(left, fields, np.median))
        yield row("validation", "hits", f"oracle: {best.who}, shifted per {name}", takes, helped)


# ---- figures -------------------------------------------------------------------------------------------------


def errors_of(takes: Sequence[Take], guesses: Guesses, field: int) -> list[NDArray[np.float64]]:
    return [np.abs(guess[field] - take.hits[FEEL[field]]) for take, guess in zip(takes, guesses, strict=True)]


def weights_of(take: Take, weighed: str) -> NDArray[np.float64]:
    """How often a hit counts: once, or as often as it lies in a window of two bars that moves by one bar."""
    bar, last = take.hits["bar"], take.hits["bar"].max()
    return np.ones(len(bar)) if weighed == "hits" else (bar < last).astype(float) + (bar > 0)


def error(takes: Sequence[Take], guesses: Guesses, field: int, weighed: str) -> Interval:
    weights = [weights_of(take, weighed) for take in takes]
    sums = [(e * w).sum() for e, w in zip(errors_of(takes, guesses, field), weights, strict=True)]
    return ratio_interval(sums, [w.sum() for w in weights], np.random.default_rng(0))


def row(split: str, weighed: str, who: str, takes: Sequence[Take], guesses: Guesses) -> dict[str, str]:
    timing, velocity = (error(takes, guesses, field, weighed) for field in range(2))
    bias = np.concatenate([g[0] - take.hits["ms"] for take, g in zip(takes, guesses, strict=True)]).mean()
    values = timing.mean, timing.low, timing.high, bias, velocity.mean, velocity.low, velocity.high
    counts = str(timing.groups), str(timing.count)
    return dict(zip(COLUMNS, (split, weighed, who, *counts, *(f"{value:.4f}" for value in values)), strict=True))


def gains(takes: Sequence[Take], judged: Sequence[Judged]) -> list[str]:
    """By how much each errs less than the best table, takes drawn for both together."""
    best = next(one for one in judged if one.who == BEST_TABLE)
    lines = [f"| less error than {BEST_TABLE} | timing, ms | 95 % | velocity | 95 % |", "|---|---|---|---|---|"]
    for one in judged:
        cells = []
        for field in range(2):
            pairs = zip(errors_of(takes, best.guesses, field), errors_of(takes, one.guesses, field), strict=True)
            less = ratio_interval([(b - o).sum() for b, o in pairs], [len(take.hits) for take in takes],
                                  np.random.default_rng(0))  # fmt: skip
            cells.append(f"{less.mean:+.2f} | {less.low:+.2f} to {less.high:+.2f}")
        lines.append(f"| {one.who} | {' | '.join(cells)} |")
    return lines


def steady_hand() -> list[str]:
    """What `woodshed humanise --steady` does on these hits, from `benchmarks/humanise`."""
    with HUMANISE.open(newline="", encoding="utf-8") as file:
        for found in csv.DictReader(file):
            if (found["protocol"], found["who"], found["of"]) == ("published", "ours, --steady", "all"):
                names = ("timing_mae_ms", "timing_low", "timing_high", "velocity_mae", "velocity_low", "velocity_high")
                return [line("validation", "hits", "`humanise --steady`", *(float(found[name]) for name in names))]
    return []


def line(split: str, weighed: str, who: str, *figures: float) -> str:
    """Of the table: timing, its interval, velocity, its interval."""
    cells = (f"{mean:.2f} | {low:.2f}-{high:.2f}" for mean, low, high in (figures[:3], figures[3:]))
    return f"| {split} | {weighed} | {who} | {' | '.join(cells)} |"


def write(rows: Sequence[dict[str, str]], gained: Sequence[str]) -> None:
    """The rows, and the tables of the README."""
    file = HERE / "results.csv"
    with file.with_suffix(".part").open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    file.with_suffix(".part").replace(file)
    lines = ["| split | weighed | who | timing, ms | 95 % | velocity | 95 % |", "|---|---|---|---|---|---|---|"]
    names = [name for name in COLUMNS[5:] if "bias" not in name]
    lines += [line(r["split"], r["weighed"], r["who"], *(float(r[name]) for name in names)) for r in rows]
    readme = HERE / "README.md"
    page = readme.read_text(encoding="utf-8")
    for part, told in {"results": [*lines, *steady_hand()], "gains": list(gained)}.items():
        before, rest = page.split(f"<!-- {part} -->\n")
        after = rest.split(f"<!-- end of {part} -->")[1]
        page = "\n".join([f"{before}<!-- {part} -->", *told, f"<!-- end of {part} -->"]) + after
        print(*told, sep="\n")
    readme.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()

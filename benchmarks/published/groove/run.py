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
from common import in_common
from net import Plan, learn
from numpy.typing import NDArray
from rich.progress import Progress
from safetensors.numpy import load_file
from safetensors.torch import save_file
from takes import FEEL, HERE, Take, guesses_of_oracle, guesses_of_table, pooled, read_takes

from woodshed.bundle.bundle import SHIPPED
from woodshed.bundle.drum_touch import IN_COMMON, TOUCH_FILE, StoredTouch, write_touch
from woodshed.evaluation.bootstrap import Interval, ratio_interval
from woodshed.generation.drum_touch import foretold, steady_touch
from woodshed.models.drum_touch_sizes import DrumTouchConfig
from woodshed.words import counted

TOUCH_CARD = "DRUM-TOUCH.md"
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
PLANS = {"pads": (Plan(), FOLDS), "nine drums": (Plan(with_pitches=False), 2)}
"""What nets are told of the kit, each pad by its pitch or the nine kinds of drum as in the paper; and how many nets."""
CARD = """# The drummers' touch of the base bundle

`{file}`: {nets} nets (`woodshed.models.drum_touch`, {weights} weights each, float16), whose mean
`woodshed humanise` plays on drums in 4/4: quantiles of how late, in ms, and how loud each hit is.

Learned from {takes} takes ({hits} hits) of human drummers: the takes in 4/4 of the train split of the Groove MIDI
Dataset, CC BY 4.0 (J. Gillick, A. Roberts, J. Engel, D. Eck, D. Bamman, Learning to Groove with Inverse Sequence
Transformations, ICML 2019). Nothing of its validation split. Each net has learned all but a quarter of the takes, drawn
with seed {seed}; {steps} steps of {batch} crops of {bars} bars.

    python benchmarks/published/groove/run.py --ship

What hits have in common around what is foretold, as shares of the variance, on takes that a net has not learned:

{shares}

How near they come to drummers that they have not learned: `benchmarks/published/groove`, `benchmarks/humanise`.
"""
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
        touch = ensemble(name, replace(plan, steps=options.steps), count, train, fold_of, options)
        nets = [replace(touch, nets=(net,)) for net in touch.nets]
        rows += unseen_folds(name, nets, train, fold_of)
        judged.append(Judged(f"one net, {name}", [guesses_of(nets[0], take) for take in valid]))
        judged.append(Judged(f"mean of {count} nets, {name}", [guesses_of(touch, take) for take in valid]))
        if plan.with_pitches:
            found = in_common(nets, train, fold_of)
            print(*(f"{name}: {shares}" for name, shares in zip(FEEL, found, strict=True)), sep="\n")
            if options.ship:
                ship(replace(touch, in_common=found), replace(plan, steps=options.steps), train, options)
    rows += [row("validation", "hits", one.who, valid, one.guesses) for one in judged]
    rows += [row("validation", "windows", one.who, valid, one.guesses) for one in judged]
    rows += list(
        oracles(valid, next(one for one in judged if one.who.startswith("mean of") and one.who.endswith("pads")))
    )
    write(rows, gains(valid, judged))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=WORK, help="where trained nets are, or are put")
    parser.add_argument("--steps", type=int, default=Plan.steps, help="of training, of each net")
    parser.add_argument("--ship", action="store_true", help="the nets become the drummers' touch of the base bundle")
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
) -> StoredTouch:
    """A net for each of the first folds, which has not learned that fold; those of an earlier run are read."""
    pitches = np.unique(pooled(train)["pitch"]).tolist() if plan.with_pitches else ()
    config, nets = DrumTouchConfig(tuple(pitches), plan.width), []
    for fold in range(count):
        file = options.work / f"{name.replace(' ', '-')}-{plan.steps}-{options.seed}-{fold}.safetensors"
        if not file.exists():
            takes = [take for take, own in zip(train, fold_of, strict=True) if own != fold]
            with Progress() as progress:
                bar = progress.add_task(f"{name}, net {fold + 1} of {count}", total=plan.steps)
                net = learn(config, takes, plan, FOLDS * options.seed + fold, lambda: progress.advance(bar))  # noqa: B023
            save_file(net.state_dict(), file.with_suffix(".part"))
            file.with_suffix(".part").replace(file)
        nets.append(load_file(file))
    return StoredTouch(config, tuple(nets), ((0.0,) * len(IN_COMMON),) * len(FEEL))


def ship(touch: StoredTouch, plan: Plan, train: Sequence[Take], options: argparse.Namespace) -> None:
    """The nets become the touch of the base bundle, with a card that says whence they come."""
    folder = SHIPPED / "base"
    write_touch(touch, folder / TOUCH_FILE)
    hits, weights = len(pooled(train)), sum(array.size for array in touch.nets[0].values())
    shares = [
        f"- {field}: " + ", ".join(f"{name} {share:.3f}" for name, share in zip(IN_COMMON, row, strict=True))
        for field, row in zip(("lateness", "velocity"), touch.in_common, strict=True)
    ]
    facts = {
        "file": TOUCH_FILE, "nets": len(touch.nets), "weights": f"{weights:,}", "takes": f"{len(train):,}",
        "hits": f"{hits:,}", "seed": options.seed, "steps": f"{plan.steps:,}", "batch": plan.batch,
        "bars": plan.crop_bars, "shares": "\n".join(shares),
    }  # fmt: skip
    (folder / TOUCH_CARD).write_text(CARD.format(**facts), encoding="utf-8")


def guesses_of(touch: StoredTouch, take: Take) -> NDArray[np.float64]:
    """(2, hits) `FEEL` that nets foretell, as `woodshed humanise --steady` does; velocities within 1-127."""
    found = steady_touch(foretold(touch, take.hits["step"], take.hits["pitch"], take.bpm))
    found[1] = found[1].clip(1, 127)
    return found


def unseen_folds(
    name: str, nets: Sequence[StoredTouch], train: Sequence[Take], fold_of: NDArray[np.int64]
) -> Iterator[dict[str, str]]:
    """Each take by the one net that has not learned it, and by the best table of the same takes as that net's."""
    takes, by_net, by_table = [], [], []
    for fold, net in enumerate(nets):
        learned = pooled([take for take, own in zip(train, fold_of, strict=True) if own != fold])
        unseen = [take for take, own in zip(train, fold_of, strict=True) if own == fold]
        takes += unseen
        by_net += [guesses_of(net, take) for take in unseen]
        by_table += by_take(unseen, guesses_of_table(learned, pooled(unseen), *TABLES[BEST_TABLE]))
    split = f"train, {counted(len(nets), 'fold')} not learned"
    yield row(split, "hits", f"one net, {name}", takes, by_net)
    yield row(split, "hits", BEST_TABLE, takes, by_table)


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

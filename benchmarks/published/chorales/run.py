"""Bach's chorales beside published figures: joint likelihood, harmonising a given soprano, unpicked generation.

Trains what is not trained yet (`train.py`), chooses how nets are mixed on the valid split, scores the test split, draws
harmonisations and pieces, and writes `results.csv` and the tables of the README.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pieces import HERE, changed_cells, chorded, counts, grids, passages, pieces, with_learned_soprano
from train import WEIGHTS, load, settings, train

from woodshed.evaluation.bootstrap import mean_interval
from woodshed.evaluation.voice_grid_likelihood import log_chances
from woodshed.evaluation.voice_grids import copied_share, mixture_nats, motion
from woodshed.generation.voice_grids import draw_grids
from woodshed.models.voice_grid import VoiceGridNet
from woodshed.training.voice_grids import ORDERS, ORDERS_SHOWN, Order, as_batch

SHARPNESS = (0.9, 0.95, 1.0, 1.05)
KEYS = (-2, 0, 2)
MEMORY, TRUST = 0.9, 0.5
"""Of the mixture of orders."""
SHARED = 8
"""Pieces that must share what a drawn piece is told of them, so that it follows none of them."""
DRAWS_PIECES = "joint-2"
"""The net that draws pieces, the best of them on the valid split: several nets copy more."""
DRAWS = 10
PIECES = 500
STRICTNESSES = (1, 2)
"""In drawing."""
QUESTIONS = ("joint", "chords", "harmonise", "generate")
COLUMNS = ("question", "what", "split", "figure", "value")
Line = tuple[str, str, str, str, str]


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    asked: dict[str, Callable[[], Iterator[Line]]] = {
        "joint": lambda: joint_likelihood(trained("joint", options.weights)),
        "chords": lambda: chord_given(trained("chords", options.weights)[0]),
        "harmonise": lambda: harmonised(trained("shown", options.weights), options.seed),
        "generate": lambda: generated(trained(DRAWS_PIECES, options.weights), options.seed),
    }
    measured = {question: list(asked[question]()) for question in options.only}
    found = earlier(options.out) | measured
    lines = [line for question in QUESTIONS for line in found.get(question, [])]
    with options.out.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *lines])
    page = table(lines)
    print(page)
    if options.out.resolve() == HERE / "results.csv":
        readme = HERE / "README.md"
        before, rest = readme.read_text(encoding="utf-8").split("<!-- results -->\n")
        after = rest.split("<!-- end of results -->")[1]
        readme.write_text(f"{before}<!-- results -->\n{page}<!-- end of results -->{after}", encoding="utf-8")


def trained(kind: str, folder: Path) -> list[VoiceGridNet]:
    """All nets whose name begins so; what is not trained yet is trained now."""
    names = [name for name in settings() if name.startswith(kind)]
    for name in names:
        train(name, folder)
    return [load(name, folder) for name in names]


def earlier(out: Path) -> dict[str, list[Line]]:
    """What was measured before, by question."""
    found: dict[str, list[Line]] = {}
    if out.exists():
        with out.open(newline="", encoding="utf-8") as file:
            for question, what, split, figure, value in list(csv.reader(file))[1:]:
                found.setdefault(question, []).append((question, what, split, figure, value))
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=QUESTIONS, help="the others stay as they are")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="where trained nets are, or are put")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    return parser.parse_args()


# joint likelihood ----------------------------------------------------------------------------------------------


def joint_likelihood(nets: Sequence[VoiceGridNet]) -> Iterator[Line]:
    """From one net in one order to the mixture of all, which is the headline."""
    mixtures: dict[str, tuple[Sequence[VoiceGridNet], Sequence[Order], Sequence[int]]] = {
        "one net, one order": (nets[:1], ORDERS[:1], (0,)),
        "one net, six orders": (nets[:1], ORDERS, (0,)),
        f"{len(nets)} nets, six orders": (nets, ORDERS, (0,)),
        f"{len(nets)} nets, six orders, three keys": (nets, ORDERS, KEYS),
    }
    for what, (some, orders, keys) in mixtures.items():
        began = time.perf_counter()
        valid = scored(some, orders, keys, SHARPNESS, "valid")
        sharp, chosen = min(valid.items(), key=lambda found: total_nats(found[1]))
        yield "joint", what, "valid", "sharpness chosen", f"{sharp:g}"
        yield from figures(what, "valid", chosen)
        yield from figures(what, "test", scored(some, orders, keys, (sharp,), "test")[sharp])
        print(f"{what}: {time.perf_counter() - began:.0f} s", flush=True)


def scored(
    nets: Sequence[VoiceGridNet],
    orders: Sequence[Order],
    keys: Sequence[int],
    sharpness: Sequence[float],
    split: str,
) -> dict[float, list[NDArray[np.float64]]]:
    """Nats of every frame of each piece, for each sharpness."""
    found: dict[float, list[NDArray[np.float64]]] = {sharp: [] for sharp in sharpness}
    shown = nets[0].config.shown
    known = counts(shown=shown)
    for piece in pieces(split, shown):
        batch = as_batch([piece])
        tried = log_chances(nets, batch.rows, batch.cells, orders, shifts=keys, sharpness=sharpness, counts=known)
        for sharp, chances in zip(sharpness, tried[:, :, 0].sum(-1).double().numpy(), strict=True):
            found[sharp].append(mixture_nats(chances, MEMORY, TRUST))
    return found


def total_nats(nats: Sequence[NDArray[np.float64]]) -> float:
    """Of all frames of all pieces."""
    return float(sum(piece.sum() for piece in nats))


def figures(what: str, split: str, nats: Sequence[NDArray[np.float64]]) -> Iterator[Line]:
    """The issue's protocol, with and without the pieces whose soprano was learned, and as TonicNet averages."""
    total, frames = total_nats(nats), sum(map(len, nats))
    apart = set(with_learned_soprano(split))
    others = [piece for at, piece in enumerate(nats) if at not in apart]
    rates = np.array([piece.mean() for piece in nats])
    owners = np.repeat(np.arange(len(nats)), [len(piece) for piece in nats]).tolist()
    interval = mean_interval(np.concatenate(nats), owners, np.random.default_rng(0))
    values = {
        "nats per frame": total / frames,
        "interval low": interval.low,
        "interval high": interval.high,
        f"nats per frame without {len(apart)} learned sopranos": total_nats(others) / sum(map(len, others)),
        "nats per changed cell": total / changed_cells(split),
        "nats per cell, mean over pieces": rates.mean() / 4,
        "nats per frame, mean over pieces": rates.mean(),
    }
    for figure, value in values.items():
        yield "joint", what, split, figure, f"{value:.4f}"


# the chord of each frame given ---------------------------------------------------------------------------------


def chord_given(net: VoiceGridNet) -> Iterator[Line]:
    """As TonicNet counts: the true chord told, notes only, mean over pieces; and what it costs to tell the chord."""
    for split in ("valid", "test"):
        nats = []
        for piece in chorded(split):
            with torch.no_grad():
                nats.append(as_batch([piece]).nats(net, torch.zeros(1, dtype=torch.int64))[0].double().numpy())
        notes = np.array([piece[:, :4].mean() for piece in nats])
        chord = np.array([piece[:, 4].mean() for piece in nats])
        whole = np.concatenate(nats)
        interval = mean_interval(notes, range(len(notes)), np.random.default_rng(0))
        values = {
            "nats per cell, chord told, mean over pieces": notes.mean(),
            "interval low": interval.low,
            "interval high": interval.high,
            "nats per chord, mean over pieces": chord.mean(),
            "nats per frame, chord told": whole[:, :4].sum() / len(whole),
            "nats per chord": whole[:, 4].mean(),
            "nats per frame, chord paid for": whole.sum() / len(whole),
        }
        for figure, value in values.items():
            yield "chords", "one net, one order", split, figure, f"{value:.4f}"


# harmonising ---------------------------------------------------------------------------------------------------


def harmonised(nets: Sequence[VoiceGridNet], seed: int) -> Iterator[Line]:
    """Alto, tenor and bass around Bach's soprano: their likelihood, and ten draws of each test piece."""
    for some in (nets[:1], nets):
        what = f"{len(some)} net{'s' if len(some) > 1 else ''}, three orders"
        for split in ("valid", "test"):
            nats = total_nats(scored(some, ORDERS_SHOWN, (0,), (1.0,), split)[1.0])
            notes = sum(attacks(cells) for cells in grids(split))
            frames = sum(map(len, grids(split)))
            yield "harmonise", what, split, "nats per note", f"{nats / notes:.4f}"
            yield "harmonise", what, split, "nats per cell", f"{nats / frames / 3:.4f}"
    asked, known = [cells for cells in grids("test") for _ in range(DRAWS)], counts(shown=True)
    cells = sum(len(bach) * 3 for bach in asked)
    for strictness in STRICTNESSES:
        what = f"{DRAWS} draws, strictness {strictness}"
        drawn = draw_grids(
            nets, [len(bach) for bach in asked], torch.Generator().manual_seed(seed),
            sopranos=[bach[:, 0] for bach in asked], passages=passages(), counts=known,
            strictness=strictness,
        )  # fmt: skip
        same = sum(int((ours[:, 1:] == bach[:, 1:]).sum()) for ours, bach in zip(drawn, asked, strict=True))
        yield "harmonise", what, "test", "cells that agree", f"{same / cells:.4f}"
        yield from moving("harmonise", what, drawn)


def attacks(cells: NDArray[np.int64]) -> int:
    """Notes of alto, tenor and bass: cells that sound and are not what the voice sang a frame before."""
    lower = cells[:, 1:]
    return int(((lower >= 0) & np.vstack((np.ones((1, 3), bool), lower[1:] != lower[:-1]))).sum())


# generation ----------------------------------------------------------------------------------------------------


def generated(nets: Sequence[VoiceGridNet], seed: int) -> Iterator[Line]:
    """Pieces as they come, as long as learned ones; beside Bach's own."""
    chance = np.random.default_rng(seed)
    lengths = chance.choice([len(cells) for cells in grids("train")], PIECES).tolist()
    found = {"Bach, test split": list(grids("test"))}
    for strictness in STRICTNESSES:
        began, what = time.perf_counter(), f"{PIECES} pieces, strictness {strictness}"
        found[what] = draw_grids(
            nets, lengths, torch.Generator().manual_seed(seed), counts=counts(SHARED), strictness=strictness
        )
        yield "generate", what, "", "seconds", f"{time.perf_counter() - began:.0f}"
    for what, some in found.items():
        yield from moving("generate", what, some)
        yield "generate", what, "", "share of frames copied", f"{copied_share(some, grids('train')):.4f}"


def moving(question: str, what: str, some: Sequence[NDArray[np.int64]]) -> Iterator[Line]:
    found = motion(some)
    yield question, what, "", "parallel fifths per 1,000", f"{found.fifths_per_1000:.2f}"
    yield question, what, "", "parallel octaves per 1,000", f"{found.octaves_per_1000:.2f}"
    yield question, what, "", "share of moving pairs", f"{found.moving_share:.4f}"


def table(lines: Sequence[Line]) -> str:
    """The joint likelihoods in a table of their own, all other figures in another."""
    found = {line[1:4]: line[4] for line in lines if line[0] == "joint"}
    page = "| joint | valid | test | its interval | without learned sopranos | per changed cell | mean over pieces |\n"
    page += "|---|---|---|---|---|---|---|\n"
    for what in dict.fromkeys(line[1] for line in lines if line[0] == "joint"):
        test = {figure: value for (name, split, figure), value in found.items() if (name, split) == (what, "test")}
        without = next(value for figure, value in test.items() if "learned" in figure)
        page += f"| {what} | {found[what, 'valid', 'nats per frame']} | **{test['nats per frame']}** "
        page += f"| {test['interval low']}-{test['interval high']} | {without} | {test['nats per changed cell']} "
        page += f"| {test['nats per frame, mean over pieces']} |\n"
    page += "\n| question | what | split | figure | value |\n|---|---|---|---|---|\n"
    return page + "".join(f"| {' | '.join(line)} |\n" for line in lines if line[0] != "joint")


if __name__ == "__main__":
    main()

"""How much of a clip comes back through a latent space, and how many bits the space holds. See README.md.

Trains what is not there yet and writes results.csv and the table of the README. Ctrl-C ends it; run again it goes on
with the next line.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from barwise import BarPlan, BarSizes, BarSpace, learn_bars
from clips import CODECS, HERE, Clips, clips_of
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from vae import Measured, Plan, flat_as_large_as, learn, measure, sizes_of

from woodshed.models.music_vae import MusicVAE, MusicVAEConfig
from woodshed.training.latent_lessons import LatentOptions

WORK = HERE.parents[2] / "build" / "recipes"
"""Corpora are shared with `benchmarks/recipes`."""
MOST_MEASURED = 256
"""Of more held-out clips so many are measured, evenly spread."""
COLUMNS = (
    "clips", "data", "decoder", "part", "parameters", "steps", "learned_clips", "measured_clips", "songs",
    "commonest", "teacher_forced", "teacher_forced_low", "teacher_forced_high", "sampled", "sampled_low",
    "sampled_high", "likeliest", "likeliest_low", "likeliest_high", "bits", "bits_low", "bits_high", "caution",
)  # fmt: skip


Facts = tuple[str, int, int]
"""Which decoder, how many parameters, and steps of learning."""


@dataclass(frozen=True)
class Line:
    """One space."""

    kind: str
    data: str
    decoder: str
    """"hierarchical": starts anew at every bar from what a conductor says. "flat": one over all bars."""
    plan: Plan
    config: MusicVAEConfig
    """Of the hierarchical one; of a flat one that is to be as large."""

    @property
    def name(self) -> str:
        return f"{self.kind} {self.data} {self.decoder} {self.plan.steps}".replace(" ", "-")

    def place(self, options: argparse.Namespace) -> Path:
        """Where its weights are."""
        work: Path = options.work
        return work / f"{self.name}-{options.seed}.safetensors"

    @property
    def sizes(self) -> MusicVAEConfig:
        return self.config if self.decoder == "hierarchical" else flat_as_large_as(self.config)


@dataclass(frozen=True)
class Preset:
    """A recipe as `woodshed train` has it, learned longer."""

    kind: str
    data: str
    recipe: str
    steps: int

    def place(self, options: argparse.Namespace) -> Path:
        """Where its bundle is."""
        work: Path = options.work
        return work / f"{self.recipe}-{self.data}"


BAR_SETS = ("groove", "bands")


@dataclass(frozen=True)
class BarLine:
    """A space with a point for each bar of 16-bar drums, learned from several sets and measured on one."""

    data: str
    kind: str = "16-bar drums"
    sets: tuple[str, ...] = BAR_SETS
    plan: BarPlan = field(default_factory=BarPlan)

    def place(self, options: argparse.Namespace) -> Path:
        """Where its weights are, the same for each of the sets."""
        work: Path = options.work
        return work / f"16-bar-drums-{'-'.join(self.sets)}-bars-{self.plan.steps}-{options.seed}.safetensors"


PRESETS = (
    Preset("2-bar drums", "groove", "vae-drums-2bar", 1099),
    Preset("2-bar melody", "openewld", "vae-melody-2bar", 1387),
    Preset("16-bar trio", "bands", "vae-trio-16bar", 732),
)
"""The steps are those that fit the minutes of `benchmarks/recipes`, whose bundles are taken where they are there."""
SHORT = Plan(300, 64, LatentOptions(free_bits=48, sampled=0.2, sampled_from=0.6))
LONG = Plan(1500, 32, LatentOptions(free_bits=240, beta=0.5))


def config_of(kind: str, **sizes: int) -> MusicVAEConfig:
    codec = CODECS[kind]
    usual = {"decoder_layers": 1, "places": 32, "segments": codec.bars}
    return MusicVAEConfig(codec.vocabulary, codec.steps, **(usual | sizes))


def lines() -> list[Line]:
    two = {"latent": 64, "encoder_width": 192, "conductor_width": 128, "decoder_width": 192}
    sixteen = {"latent": 128, "encoder_width": 128, "conductor_width": 192, "decoder_width": 128}
    found = []
    for kind, data, plan, sizes in (
        ("2-bar drums", "groove", SHORT, two),
        ("16-bar drums", "groove", LONG, sixteen),
        ("2-bar melody", "nottingham", SHORT, two),
        ("16-bar drums", "bands", LONG, sixteen),
        ("16-bar trio", "bands", replace(LONG, batch=16), sixteen),
    ):
        decoders = ("flat",) if kind == "2-bar melody" else ("flat", "hierarchical")
        found += [Line(kind, data, decoder, plan, config_of(kind, **sizes)) for decoder in decoders]
    return found


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    for one in (*PRESETS, *lines(), *(BarLine(data) for data in BAR_SETS)):
        if (options.only and one.kind not in options.only) or (options.trained and not one.place(options).exists()):
            continue
        clips = clips_of(one.kind, one.data, options.work)
        model, facts = space_of(one, clips, options)
        few = slice(None, None, -(-len(clips.held_out) // MOST_MEASURED))
        found = measure(model, clips.held_out[few], clips.song[few], np.random.default_rng(options.seed))
        rows += [row(one, facts, clips, part, measured) for part, measured in found.items()]
        print(*rows[-len(found) :], sep="\n", flush=True)
    write(rows, options.out)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", action="store_true", help="measure what was learned before, learn nothing")
    parser.add_argument("--only", nargs="+", choices=CODECS, default=[], help="these kinds of clips")
    parser.add_argument(
        "--work", type=Path, default=WORK, help="where corpora, clips and trained spaces are, or are put"
    )
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def space_of(
    one: Preset | Line | BarLine, clips: Clips, options: argparse.Namespace
) -> tuple[MusicVAE | BarSpace, Facts]:
    if isinstance(one, Preset):
        return preset(one, options)
    return trained(one, clips, options) if isinstance(one, Line) else bar_by_bar(one, options)


def preset(one: Preset, options: argparse.Namespace) -> tuple[MusicVAE, Facts]:
    """The bundle of a recipe, learned now or by `benchmarks/recipes`."""
    from woodshed.bundle import latent_model, load_bundle
    from woodshed.recipes.recipe import load_recipe
    from woodshed.recipes.runs import train_recipe

    folder = one.place(options)
    if not folder.exists():
        corpus = options.work / f"corpus-{one.data}"
        train_recipe(load_recipe(one.recipe), corpus, folder, steps=one.steps, seed=options.seed, device="cpu")
    bundle = load_bundle(folder)
    model: MusicVAE = latent_model(bundle)[0].eval()
    decoder = "hierarchical" if model.config.segments > 1 else "flat"
    return model, (f"{decoder}, {one.recipe}", sizes_of(model.config), int(bundle.training["steps"]))


def trained(line: Line, clips: Clips, options: argparse.Namespace) -> tuple[MusicVAE, Facts]:
    """The line's space, learned now or in an earlier run."""
    file = line.place(options)
    if not file.exists():
        with Progress() as progress:
            bar = progress.add_task(line.name, total=line.plan.steps)
            model = learn(line.sizes, clips.learned, line.plan, options.seed, lambda: progress.advance(bar))
        save_file(model.state_dict(), file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
    model = MusicVAE(line.sizes)
    model.load_state_dict(load_file(file))
    return model.eval(), (line.decoder, sizes_of(line.sizes), line.plan.steps)


def bar_by_bar(line: BarLine, options: argparse.Namespace) -> tuple[BarSpace, Facts]:
    """The space of all sets, learned now or in an earlier run."""
    file, sizes = line.place(options), BarSizes()
    if not file.exists():
        sets = [clips_of(line.kind, data, options.work).learned for data in line.sets]
        with Progress() as progress:
            bar = progress.add_task("16-bar drums, bar by bar", total=line.plan.steps)
            space = learn_bars(
                sizes, sets, line.plan, options.seed, lambda told: progress.update(bar, advance=1, description=told)
            )
        save_file(space.state_dict(), file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
    space = BarSpace(sizes)
    space.load_state_dict(load_file(file))
    return space.eval(), ("bar by bar", sum(weight.numel() for weight in space.parameters()), line.plan.steps)


def row(one: Line | Preset | BarLine, facts: Facts, clips: Clips, part: int | None, found: Measured) -> dict[str, str]:
    tokens = clips.held_out if part is None else clips.held_out[:, [part]]
    usual = np.mean([np.bincount(tokens[:, k].ravel()).max() / tokens[:, k].size for k in range(tokens.shape[1])])
    decoder, parameters, steps = facts
    cells = [
        one.kind, one.data, decoder, "all" if part is None else CODECS[one.kind].parts[part], parameters, steps,
        len(clips.learned), found.bits.count, found.bits.groups, f"{usual:.4f}",
    ]  # fmt: skip
    for name, digits in (("given_truth", 4), ("sampled", 4), ("likeliest", 4), ("bits", 1)):
        interval = getattr(found, name)
        cells += [f"{value:.{digits}f}" for value in (interval.mean, interval.low, interval.high)]
    return dict(zip(COLUMNS, [*map(str, cells), found.bits.caution], strict=True))


def write(rows: list[dict[str, str]], out: Path) -> None:
    """The rows, and the table of the README where they are its own."""
    with out.with_suffix(".part").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    out.with_suffix(".part").replace(out)
    shown = [
        "| clips | data | decoder | part | parameters | steps | n (songs) | commonest token | teacher-forced "
        "| sampled | likeliest | KL, bits |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        figures = [f"{r[n]} [{r[f'{n}_low']}, {r[f'{n}_high']}]" for n in COLUMNS if f"{n}_low" in r]
        cells = [r["clips"], r["data"], r["decoder"], r["part"], f"{int(r['parameters']):,}", r["steps"],
                 f"{r['measured_clips']} ({r['songs']})", r["commonest"], *figures]  # fmt: skip
        shown.append(f"| {' | '.join(cells)} |")
    print(*shown, sep="\n")
    if out.resolve() == HERE / "results.csv":
        readme = HERE / "README.md"
        before, rest = readme.read_text(encoding="utf-8").split("<!-- results -->\n")
        after = rest.split("<!-- end of results -->")[1]
        readme.write_text(
            "\n".join([f"{before}<!-- results -->", *shown, f"<!-- end of results -->{after}"]), encoding="utf-8"
        )


if __name__ == "__main__":
    main()

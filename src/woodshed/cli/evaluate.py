"""woodshed evaluate"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli.options import BundleArgument, Json, Threads, use_threads
from woodshed.cli.talk import Talk
from woodshed.words import counted

if TYPE_CHECKING:
    from rich.table import Table

    from woodshed.evaluation.reconstruction import Reconstruction
    from woodshed.recipes.judge import Verdict


def command(
    bundle: BundleArgument,
    music: Annotated[
        Path, typer.Argument(readable=False, metavar="CORPUS|FOLDER", help="A built corpus, or a folder of music.")
    ],
    split: Annotated[
        str, typer.Option("--split", metavar="SIDE", help="held_out (never learned from), train, or all.")
    ] = "held_out",
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Of the draws behind the interval.")] = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Measure how well a bundle predicts held-out music, and what that music is like."""
    from woodshed.bundle import load_bundle
    from woodshed.recipes.judge import judge

    talk = Talk(as_json)
    use_threads(threads)
    loaded = load_bundle(bundle)
    with talk.stages(read="read the music", compare="find duplicates", measure="measure") as tell:
        verdict = judge(loaded, music, split=split, seed=seed, progress=tell)
    talk.facts(verdict.as_dict())
    talk.show(_table(verdict))
    if verdict.reconstruction is not None:
        talk.say(_what_comes_back(verdict.reconstruction))
    talk.say(f"{bundle}: {_summary(verdict)}")


def _summary(verdict: Verdict) -> str:
    found = verdict.likelihood
    sure = "one song, so how sure that is cannot be told"
    if found.songs > 1:
        sure = f"{found.low:.3f}-{found.high:.3f} in 95 % of draws of its {found.songs} songs"
    left_out = f"; {counted(verdict.left_out, 'song')} not of that side" if verdict.left_out else ""
    unheard = f"; in {found.unheard} more it hears nothing of its kind" if found.unheard else ""
    return f"{found.nats_per_note:.3f} nats per note ({sure}), {counted(found.notes, 'note')}{left_out}{unheard}"


def _what_comes_back(found: Reconstruction) -> str:
    """One line of what a latent space does to clips."""
    parts = ", ".join(f"{part} {found.given_truth[part]:.1%} ({found.sampled[part]:.1%})" for part in found.given_truth)
    held = f"{found.divergence_bits:.1f} bits ({found.divergence_nats:.1f} nats)"
    used = f"{found.used_dimensions} of {found.dimensions} dimensions"
    clips = counted(found.clips, "clip")
    return f"tokens right given those before (all sampled): {parts}; {held} a clip in {used}; {clips}"


def _table(verdict: Verdict) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("field or figure")
    for name in ("nats per note", "mean", "5 %", "95 %"):
        table.add_column(name, justify="right")
    for field, nats in verdict.likelihood.fields.items():
        table.add_row(field, f"{nats:.3f}")
    for name, spread in verdict.metrics.items():
        if spread.count:
            table.add_row(name, "", f"{spread.mean:.3g}", f"{spread.low:.3g}", f"{spread.high:.3g}")
    return table

"""woodshed report"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from woodshed.cli.options import BundleArgument, Force, Json, Threads, use_threads
from woodshed.cli.talk import Talk
from woodshed.words import counted


def command(
    bundle: BundleArgument,
    music: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it
        typer.Argument(
            readable=False, metavar="[CORPUS|FOLDER]", help="Music to compare with; what it learned from, if not given."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The page to write, an .html file.")
    ] = Path("report.html"),
    count: Annotated[int, typer.Option("--count", metavar="N", help="Clips to draw and to measure, 1-200.")] = 24,
    bars: Annotated[int, typer.Option("--bars", metavar="N", help="Bars of each clip, 1-256.")] = 16,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, max=2**32 - 1, help="Of the clips and of all intervals.")
    ] = 0,
    force: Force = False,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Write one page on a bundle: what it learned from, how well it foresees music, what it plays, how that is."""
    from woodshed.recipes.report import ReportOptions, make_report

    talk = Talk(as_json)
    use_threads(threads)
    names = {
        "read": "read the music",
        "measure": "measure",
        "play": "play",
        "compare": "compare",
        "judge": "tell apart",
    }
    with talk.stages(**names, render="make sound and pictures") as tell:
        result = make_report(bundle, music, out, ReportOptions(count, bars, seed), force=force, progress=tell)
    talk.facts(result.as_dict())
    for remark in result.remarks:
        talk.note(remark.replace("`", ""))
    found = result.likelihood
    nats = f"{found.nats_per_note:.3f} nats per note over {counted(found.songs, 'song')}; " if found else ""
    compared = result.comparison
    alike = f", {_alike(compared.overlap)}" if compared else ""
    talk.say(f"wrote {result.path}: {nats}{counted(result.clips, 'clip')}{alike}")


def _alike(overlap: float | None) -> str:
    if overlap is None:
        return "n too small to set beside real music"
    return f"overlapping area {overlap:.2f} with real music"

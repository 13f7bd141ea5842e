"""woodshed humanise"""

from __future__ import annotations

from typing import Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleOrStyle, DrawnSeed, Force, Json, PlayingThreads, Style


@playing.options
def command(
    bundle: BundleOrStyle,
    music: playing.MusicArgument,
    output: playing.Output,
    freedom: playing.Freedom,
    strength: Annotated[
        float, typer.Option("--strength", metavar="S", help="How much: 0 leaves all as it is, 1 is as played; 0-1.5.")
    ] = 1.0,
    what: Annotated[str, typer.Option("--what", metavar="WHAT", help="velocity, timing, or both.")] = "velocity,timing",
    steady: Annotated[
        bool, typer.Option("--steady", help="Play what is most to be expected, instead of one way of many.")
    ] = False,
    parts: playing.TheseParts = None,
    bars: playing.TheseBars = None,
    count: playing.Count = 1,
    seed: DrawnSeed = None,
    audio: playing.Audio = None,
    picture: playing.Picture = None,
    threads: PlayingThreads = 1,
    force: Force = False,
    as_json: Json = False,
    style: Style = None,
) -> None:
    """Make it human: how loud each note is, and how early or late. Which notes there are, and where, stays."""
    from woodshed.recipes import feel
    from woodshed.recipes.rules import parse_bars

    span = None if bars is None else parse_bars(bars)
    chosen = [name.strip() for name in what.split(",") if name.strip()]
    song, title = playing.read_music(music)
    making = playing.Making(output, count, 1, seed, audio, picture, threads, force, as_json, style)
    making.play(
        bundle,
        freedom,
        lambda loaded, sampling, drawn, tell: feel.humanise(
            loaded, song, sampling, what=chosen, strength=strength, steady=steady, parts=parts, bars=span,
            seed=drawn, count=count, on_step=tell,
        ),
        title,
    )  # fmt: skip

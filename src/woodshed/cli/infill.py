"""woodshed infill"""

from __future__ import annotations

from typing import Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleOrStyle


@playing.options
def command(
    bundle: BundleOrStyle,
    music: playing.MusicArgument,
    making: playing.Making,
    asked: playing.Asked,
    freedom: playing.Freedom,
    bars: playing.TheseBars = None,
    parts: playing.TheseParts = None,
    what: Annotated[
        str, typer.Option("--what", metavar="WHAT", help="What is new: notes, or only the pitches (the rhythm stays).")
    ] = "notes",
    add: Annotated[
        str | None,
        typer.Option("--add", metavar="DRUMS", help="Keep all that the part plays and add only these, such as 'hats'."),
    ] = None,
) -> None:
    """Write bars of some parts anew: --bars 5-8 --parts guitar. All else stays, note for note."""
    from woodshed.recipes import canvases
    from woodshed.recipes.rules import parse_bars, parse_drums

    wish = asked.wish()
    span = None if bars is None else parse_bars(bars)
    drums = () if add is None else parse_drums(add)
    song, title = playing.read_music(music)
    making.play(
        bundle,
        freedom,
        lambda loaded, sampling, seed, tell: canvases.infill(
            loaded, song, wish, sampling, bars=span, parts=parts, what=what, add=drums,
            seed=seed, count=making.count, candidates=making.candidates, on_step=tell,
        ),
        title,
    )  # fmt: skip

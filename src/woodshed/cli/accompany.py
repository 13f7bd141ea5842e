"""woodshed accompany"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleOrStyle
from woodshed.cli.talk import Talk
from woodshed.errors import UsageError

if TYPE_CHECKING:
    from woodshed.bundle import Bundle
    from woodshed.generation.filters import Sampling
    from woodshed.recipes.clip import Clip
    from woodshed.recipes.files import Told


@playing.options
def command(
    bundle: BundleOrStyle,
    music: playing.MusicArgument,
    making: playing.Making,
    asked: playing.Asked,
    freedom: playing.Freedom,
    parts: Annotated[
        str | None, typer.Option("--parts", metavar="NAMES", help="Who joins in, such as 'bass, drums'.")
    ] = None,
    bars: playing.TheseBars = None,
    taps: Annotated[
        str | None,
        typer.Option("--taps", metavar="PART", help="Play the rhythm of this part, however it was tapped, on drums."),
    ] = None,
) -> None:
    """Play along: a bass line, drums, a rhythm guitar for music that has none. All that is there stays."""
    from woodshed.recipes import canvases, play
    from woodshed.recipes.rules import parse_bars

    if taps is not None and bars is not None:
        raise UsageError("--taps plays all that is tapped; leave --bars out")
    wish = asked.wish(parts)
    span = None if bars is None else parse_bars(bars)
    song, title = playing.read_music(music)
    talk = Talk(making.as_json)

    def make(loaded: Bundle, sampling: Sampling, seed: int, tell: Told) -> list[Clip]:
        draw = canvases.Draw(seed=seed, count=making.count, candidates=making.candidates, on_step=tell)
        if taps is not None:
            return canvases.play_taps(loaded, song, wish, sampling, taps=taps, **draw)
        for line in play.stand_ins(loaded, wish):
            talk.note(f"note: {line}")
        return canvases.accompany(loaded, song, wish, sampling, bars=span, **draw)

    making.play(bundle, freedom, make, title)

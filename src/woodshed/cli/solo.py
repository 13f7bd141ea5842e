"""woodshed solo"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleOrStyle
from woodshed.cli.talk import Talk

if TYPE_CHECKING:
    from woodshed.bundle import Bundle
    from woodshed.generation.filters import Sampling
    from woodshed.recipes.clip import Clip
    from woodshed.recipes.files import Told


@playing.options
def command(
    bundle: BundleOrStyle,
    music: Annotated[
        Path,
        typer.Argument(readable=False, metavar="BACKING", help="MIDI or MusicXML to play over; kept note for note."),
    ],
    making: playing.Making,
    asked: playing.Asked,
    freedom: playing.Freedom,
    bars: playing.TheseBars = None,
    instrument: Annotated[
        str | None, typer.Option("--instrument", "--parts", metavar="NAME", help="Who plays it, such as 'lead guitar'.")
    ] = None,
    primer: Annotated[
        Path | None, typer.Option("--primer", metavar="FILE", help="Of a window net: go on from this music.")
    ] = None,
) -> None:
    """Play a solo over a backing track, in its key, over its chords, in phrases; both go into one file."""
    from woodshed.recipes import over, play
    from woodshed.recipes.rules import parse_bars

    wish = asked.wish(instrument)
    first, last = (1, None) if bars is None else parse_bars(bars)
    song, title = playing.read_music(music)
    heard = None if primer is None else playing.read_music(primer)[0]
    talk = Talk(making.as_json)

    def make(loaded: Bundle, sampling: Sampling, seed: int, tell: Told) -> list[Clip]:
        place = over.Over(song, music.name, first, None if last is None else last - first + 1)
        for line in play.stand_ins(loaded, wish):
            talk.note(f"note: {line}")
        return over.play_over(
            loaded, place, wish, sampling, heard,
            seed=seed, count=making.count, candidates=making.candidates, on_step=tell,
        )  # fmt: skip

    making.play(bundle, freedom, make, title)

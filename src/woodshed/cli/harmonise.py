"""woodshed harmonise"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleOrStyle, DrawnSeed, Force, Json, PlayingThreads, Style

if TYPE_CHECKING:
    from woodshed.bundle import Bundle
    from woodshed.generation.filters import Sampling
    from woodshed.recipes.clip import Clip
    from woodshed.recipes.files import Told


@playing.options
def command(
    bundle: BundleOrStyle,
    music: Annotated[
        str,
        typer.Argument(
            metavar="MELODY",
            help="MIDI or MusicXML with the given voices, kept note for note; or a melody typed in sixteenths, such "
            "as '[60,-2,62,-1]': a pitch, -2 hold, -1 off.",
        ),
    ],
    output: playing.Output,
    asked: playing.Asked,
    freedom: playing.Freedom,
    voices: Annotated[
        str,
        typer.Option(
            "--voices",
            metavar="NAMES",
            help="Which voices the parts of MELODY sing, such as 'soprano' or 'soprano, bass'; the others are found. "
            "Write - for a part to leave out: 'soprano, -, -, -' keeps the first of four and finds the others anew.",
        ),
    ] = "soprano",
    meter: Annotated[
        str | None, typer.Option("--meter", metavar="B/V", help="Meter of a typed melody; 4/4 if not given.")
    ] = None,
    tempo: Annotated[
        float | None, typer.Option("--tempo", metavar="BPM", help="Quarter notes per minute of a typed melody.")
    ] = None,
    parts: Annotated[
        str | None,
        typer.Option("--parts", metavar="NAMES", help="Of a band: who sings the new voices, such as 'violin, cello'."),
    ] = None,
    bars: playing.TheseBars = None,
    parallels: playing.Parallels = None,
    count: playing.Count = 1,
    candidates: Annotated[
        int,
        typer.Option(
            "--candidates", "--draws", metavar="K", help="Find K side by side for each, and keep the likeliest; 1-64."
        ),
    ] = 8,
    seed: DrawnSeed = None,
    audio: playing.Audio = None,
    picture: playing.Picture = None,
    threads: PlayingThreads = 1,
    force: Force = False,
    as_json: Json = False,
    style: Style = None,
) -> None:
    """Find the voices that are missing: a choir's around those that you give, or a band's beside them."""
    from woodshed.recipes import canvases, chorales
    from woodshed.recipes.rules import parse_bars
    from woodshed.recipes.verbs import check_verb, sings

    names = chorales.parse_voices(voices)
    wish = asked.wish(parts)
    span = None if bars is None else parse_bars(bars)
    song = chorales.read_given(music, meter, tempo)
    named = song if chorales.is_typed(music) else song.replace(title=Path(music).name)  # so that messages name the file

    def make(loaded: Bundle, sampling: Sampling, drawn: int, tell: Told) -> list[Clip]:
        check_verb(loaded, "harmonise")
        draw = {"seed": drawn, "count": count, "candidates": candidates}
        if not sings(loaded):
            canvases.refuse_choir(loaded, voices != "soprano", parallels is not None)
            return canvases.add_voices(loaded, named, wish, sampling, bars=span, on_step=tell, **draw)
        canvases.refuse_canvas(loaded, "harmonise", wish, bars=bars, repetition=freedom.repetition)
        return chorales.harmonise_song(loaded, named, names, sampling, parallels=parallels, on_step=tell, **draw)

    making = playing.Making(output, count, candidates, seed, audio, picture, threads, force, as_json, style)
    making.play(bundle, freedom, make, song.title)

"""woodshed render"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli.options import Force, Json
from woodshed.cli.talk import Talk
from woodshed.errors import UsageError

if TYPE_CHECKING:
    from woodshed.music import Song


def command(
    music: Annotated[Path, typer.Argument(readable=False, metavar="SONG", help="A MIDI or MusicXML file.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="A .wav, .flac, .ogg, .mp3, .png, .svg, .pdf or .txt to write."
        ),
    ] = None,
    style: Annotated[
        str,
        typer.Option("--style", metavar="NAME", help="Of a picture: roll, or track: one part in seconds, and figures."),
    ] = "roll",
    part: Annotated[
        str | None,
        typer.Option("--part", metavar="NAME", help="Of --style track: which part; the first pitched one."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Make a song heard or seen: sound or a piano roll; without -o, a piano roll right here."""
    from woodshed.recipes.clip import describe, facts_of
    from woodshed.recipes.files import check_outputs, check_picture_style, check_rendering, read_song, render_song

    talk = Talk(as_json)
    check_picture_style(output or Path("here.png"), style, part)
    if output is None:
        if style != "roll":
            raise UsageError(f"--style {style} is drawn into a picture; name it with -o FILE.png")
        song = read_song(music)
        talk.facts(facts_of(song))
        if not as_json:
            _draw_here(talk, song)
        return
    check_rendering(output)
    check_outputs([output], force=force)
    song = read_song(music)
    with talk.share("render") as tell:
        render_song(song, output, tell, style=style, part=part)
    talk.facts({"files": [str(output)], **facts_of(song)})
    talk.say(f"wrote {output}: {describe(song)}, {song.length_seconds:.1f} s")


def _draw_here(talk: Talk, song: Song) -> None:
    from woodshed.rendering import piano_roll_text

    width = max(shutil.get_terminal_size((100, 24)).columns, 40)
    talk.say(piano_roll_text(song, width=width, colour=sys.stdout.isatty()).rstrip("\n"))

"""woodshed continue"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleOrStyle


@playing.options
def command(
    bundle: BundleOrStyle,
    music: Annotated[
        Path,
        typer.Argument(readable=False, metavar="INPUT", help="MIDI or MusicXML to go on from; kept note for note."),
    ],
    making: playing.Making,
    asked: playing.Asked,
    freedom: playing.Freedom,
    bars: playing.Bars = None,
    steps: playing.Steps = None,
    beam: playing.BeamSize = 1,
    branch_factor: playing.BranchFactor = 1,
    mode: playing.Mode = None,
) -> None:
    """Go on where a piece of music ends, with its own parts, tempo and meter."""
    from woodshed.recipes import play
    from woodshed.recipes import wish as wishes

    wish = wishes.parse_wish(
        bars,
        key=asked.key,
        polyphony=asked.polyphony,
        ranges=asked.ranges or (),
        steps=steps,
        beam=beam,
        branch_factor=branch_factor,
        rules=asked.rules(),
    )
    wish = replace(wishes.over_chords(wish, asked.chords, asked.chords_from, bars is not None), mode=mode)
    song, title = playing.read_music(music)
    making.play(
        bundle,
        freedom,
        lambda loaded, sampling, seed, tell: play.continue_song(
            loaded, song, wish, sampling, seed=seed, count=making.count, candidates=making.candidates, on_step=tell
        ),
        title,
    )

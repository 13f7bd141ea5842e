"""woodshed harmonise"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleArgument, DrawnSeed, Force, Json, PlayingThreads, use_threads
from woodshed.cli.talk import Talk


def command(
    bundle: BundleArgument,
    music: Annotated[
        str,
        typer.Argument(
            metavar="MELODY",
            help="MIDI or MusicXML with the given voices, kept note for note; or a melody typed in sixteenths, such "
            "as '[60,-2,62,-1]': a pitch, -2 hold, -1 off.",
        ),
    ],
    output: playing.Output,
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
    temperature: playing.Temperature = None,
    top_p: playing.TopP = None,
    top_k: playing.TopK = None,
    min_p: playing.MinP = None,
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
) -> None:
    """Find the voices that are missing: soprano, alto, tenor and bass around those that you give."""
    from woodshed.bundle import load_bundle
    from woodshed.bundle.bundle import read_config
    from woodshed.recipes import chorales, clip, files
    from woodshed.recipes import wish as wishes

    talk = Talk(as_json)
    names = chorales.parse_voices(voices)
    warmth = {} if temperature is None else wishes.parse_temperature(temperature)
    read_config(bundle)
    use_threads(threads)
    song = chorales.read_given(music, meter, tempo)
    named = song if chorales.is_typed(music) else song.replace(title=Path(music).name)  # so that messages name the file
    chosen = seed if seed is not None else clip.draw_seed()

    def make(tell: files.Told) -> list[clip.Clip]:
        loaded = load_bundle(bundle)
        sampling = clip.default_sampling(loaded, **warmth, top_p=top_p, top_k=top_k, min_p=min_p)
        found = chorales.harmonise_song(
            loaded, named, names, sampling,
            parallels=parallels, seed=chosen, count=count, candidates=candidates, on_step=tell,
        )  # fmt: skip
        return clip.retitled(found, song.title)

    playing.deliver(talk, playing.Order(output, count, audio, picture, force), make)

"""woodshed vary"""

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
        Path, typer.Argument(readable=False, metavar="CLIP", help="MIDI or MusicXML of some bars of 4/4 to vary.")
    ],
    output: playing.Output,
    by: Annotated[
        float, typer.Option("--by", metavar="B", help="How much of it is new: 0 is the clip itself, 1 keeps nothing.")
    ] = 0.3,
    attribute: playing.Attribute = None,
    temperature: playing.Temperature = None,
    count: playing.Count = 1,
    seed: DrawnSeed = None,
    audio: playing.Audio = None,
    picture: playing.Picture = None,
    threads: PlayingThreads = 1,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Play a clip in another way: from near the place that it has in a latent space (the vae recipes)."""
    from woodshed.bundle import load_bundle
    from woodshed.bundle.bundle import read_config
    from woodshed.recipes import clip, files, latents
    from woodshed.recipes import wish as wishes

    talk = Talk(as_json)
    asked = wishes.parse_attributes(attribute or ())
    warmth = None if temperature is None else wishes.parse_temperature(temperature)
    read_config(bundle)
    use_threads(threads)
    song = files.read_song(music)
    named = song.replace(title=music.name)  # so that messages name the file
    chosen = seed if seed is not None else clip.draw_seed()

    def make(tell: files.Told) -> list[clip.Clip]:
        loaded = load_bundle(bundle)
        sampling = None if warmth is None else clip.default_sampling(loaded, **warmth)
        varied = latents.vary_song(loaded, named, by, asked, sampling, seed=chosen, count=count, on_step=tell)
        return clip.retitled(varied, song.title)

    playing.deliver(talk, playing.Order(output, count, audio, picture, force), make)

"""woodshed continue"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleArgument, DrawnSeed, Force, Json, PlayingThreads, use_threads
from woodshed.cli.talk import Talk


def command(
    bundle: BundleArgument,
    music: Annotated[
        Path,
        typer.Argument(readable=False, metavar="INPUT", help="MIDI or MusicXML to go on from; kept note for note."),
    ],
    output: playing.Output,
    bars: playing.Bars = None,
    key: playing.InKey = None,
    temperature: playing.Temperature = None,
    top_p: playing.TopP = None,
    top_k: playing.TopK = None,
    min_p: playing.MinP = None,
    repetition: playing.Repetition = None,
    polyphony: playing.Polyphony = None,
    ranges: playing.Ranges = None,
    steps: playing.Steps = None,
    beam: playing.BeamSize = 1,
    branch_factor: playing.BranchFactor = 1,
    mode: playing.Mode = None,
    count: playing.Count = 1,
    candidates: playing.Candidates = 6,
    seed: DrawnSeed = None,
    audio: playing.Audio = None,
    picture: playing.Picture = None,
    threads: PlayingThreads = 1,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Go on where a piece of music ends, with its own parts, tempo and meter."""
    from woodshed.bundle import load_bundle
    from woodshed.bundle.bundle import read_config
    from woodshed.recipes import clip, files, play
    from woodshed.recipes import wish as wishes

    talk = Talk(as_json)
    wish = wishes.parse_wish(
        bars, key=key, polyphony=polyphony, ranges=ranges or (), steps=steps, beam=beam, branch_factor=branch_factor
    )
    wish = replace(wish, mode=mode)
    warmth = {} if temperature is None else wishes.parse_temperature(temperature)
    read_config(bundle)
    use_threads(threads)
    song = files.read_song(music)
    named = song.replace(title=music.name)  # so that messages name the file
    chosen = seed if seed is not None else clip.draw_seed()

    def make(tell: files.Told) -> list[clip.Clip]:
        loaded = load_bundle(bundle)
        sampling = clip.default_sampling(loaded, **warmth, top_p=top_p, top_k=top_k, min_p=min_p, repetition=repetition)
        found = play.continue_song(
            loaded, named, wish, sampling, seed=chosen, count=count, candidates=candidates, on_step=tell
        )
        return clip.retitled(found, song.title)

    playing.deliver(talk, playing.Order(output, count, audio, picture, force), make)

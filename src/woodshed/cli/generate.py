"""woodshed generate"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleArgument, DrawnSeed, Force, Json, PlayingThreads, use_threads
from woodshed.cli.talk import Talk
from woodshed.errors import UsageError


def command(
    bundle: BundleArgument,
    output: playing.Output,
    bars: Annotated[
        int | None,
        typer.Option("--bars", metavar="N", help="How many new bars, 1-4096; 8, or to the end of --over's music."),
    ] = None,
    parts: playing.Parts = None,
    key: playing.InKey = None,
    tempo: playing.Tempo = None,
    meter: playing.InMeter = None,
    temperature: playing.Temperature = None,
    top_p: playing.TopP = None,
    top_k: playing.TopK = None,
    min_p: playing.MinP = None,
    repetition: playing.Repetition = None,
    polyphony: playing.Polyphony = None,
    ranges: playing.Ranges = None,
    steps: playing.Steps = None,
    attribute: playing.Attribute = None,
    beam: playing.BeamSize = 1,
    branch_factor: playing.BranchFactor = 1,
    parallels: playing.Parallels = None,
    mode: playing.Mode = None,
    primer: Annotated[
        Path | None, typer.Option("--primer", metavar="FILE", help="Go on from this music, as `continue` does.")
    ] = None,
    primer_melody: playing.PrimerMelody = None,
    over: Annotated[
        Path | None,
        typer.Option("--over", metavar="FILE", help="Play a solo over this music, in its key, on its bars; keep both."),
    ] = None,
    at_bar: Annotated[
        int | None, typer.Option("--at-bar", metavar="N", help="Of --over: the bar in which the solo begins; 1.")
    ] = None,
    chords: Annotated[
        str | None,
        typer.Option("--chords", metavar="TEXT", help="Play over these: 'Am F C G', one a bar, or 'Am F | C G'."),
    ] = None,
    chords_from: Annotated[
        Path | None,
        typer.Option("--chords-from", metavar="FILE", help="Play over the chords written, or found, in this music."),
    ] = None,
    binarise: Annotated[
        str | None,
        typer.Option("--binarise", metavar="HOW", help="Of binary rolls: monophonic, bernoulli or threshold."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="P", help="Of --binarise threshold: the least chance, 0-1.")
    ] = None,
    count: playing.Count = 1,
    candidates: playing.Candidates = 6,
    seed: DrawnSeed = None,
    audio: playing.Audio = None,
    picture: playing.Picture = None,
    threads: PlayingThreads = 1,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Play something new in the style that a bundle has learned. Without wishes it chooses for itself."""
    from woodshed.bundle import load_bundle
    from woodshed.bundle.bundle import read_config
    from woodshed.recipes import clip, files, play
    from woodshed.recipes import wish as wishes

    talk = Talk(as_json)
    if primer is not None and primer_melody is not None:
        raise UsageError("give either --primer or --primer-melody, not both")
    if over is None and at_bar is not None:
        raise UsageError("--at-bar says where a solo over other music begins; name that music with --over")
    if over is not None and output.resolve() == over.resolve():
        raise UsageError(f"{output} is the music that is played over, which stays as it is; choose another --output")
    if over is not None and primer_melody is not None:
        raise UsageError("give either --primer-melody or --over, not both")
    wish = wishes.parse_wish(
        bars,
        parts=parts,
        key=key,
        tempo=tempo,
        meter=meter,
        polyphony=polyphony,
        ranges=ranges or (),
        steps=steps,
        attributes=attribute or (),
        beam=beam,
        branch_factor=branch_factor,
        parallels=parallels,
    )
    wish = wishes.over_chords(wish, chords, chords_from, bars is not None)
    wish = replace(wish, binariser=binarise, threshold=threshold, mode=mode)
    warmth = {} if temperature is None else wishes.parse_temperature(temperature)
    read_config(bundle)
    use_threads(threads)
    chosen = seed if seed is not None else clip.draw_seed()
    order = playing.Order(output, count, audio, picture, force)

    def make(tell: files.Told) -> list[clip.Clip]:
        loaded = load_bundle(bundle)
        sampling = clip.default_sampling(loaded, **warmth, top_p=top_p, top_k=top_k, min_p=min_p, repetition=repetition)
        if over is not None:
            from woodshed.recipes.over import Over, play_over

            place = Over(files.read_song(over), over.name, 1 if at_bar is None else at_bar, bars)
            heard = None if primer is None else files.read_song(primer).replace(title=primer.name)
            return play_over(
                loaded, place, wish, sampling, heard, seed=chosen, count=count, candidates=candidates, on_step=tell
            )
        if primer is not None or primer_melody is not None:
            song, rest = (
                (files.read_song(primer), wish)
                if primer is not None
                else play.melody_primer(loaded, primer_melody or "", wish)
            )
            named = song if primer is None else song.replace(title=primer.name)  # so that messages name the file
            found = play.continue_song(
                loaded, named, rest, sampling, seed=chosen, count=count, candidates=candidates, on_step=tell
            )
            return clip.retitled(found, song.title)
        for line in play.stand_ins(loaded, wish):
            talk.note(f"note: {line}")
        return play.generate(loaded, wish, sampling, seed=chosen, count=count, candidates=candidates, on_step=tell)

    playing.deliver(talk, order, make)

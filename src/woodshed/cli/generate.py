"""woodshed generate"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleOrStyle
from woodshed.cli.talk import Talk
from woodshed.errors import UsageError

if TYPE_CHECKING:
    from woodshed.bundle import Bundle
    from woodshed.generation.copy_limit import CopyLimit
    from woodshed.generation.filters import Sampling
    from woodshed.recipes.files import Told


@playing.options
def command(
    bundle: BundleOrStyle,
    making: playing.Making,
    bars: Annotated[
        int | None,
        typer.Option("--bars", metavar="N", help="How many new bars, 1-4096; 8, or to the end of --over's music."),
    ] = None,
    *,
    asked: playing.Asked,
    freedom: playing.Freedom,
    parts: playing.Parts = None,
    without: playing.Without = None,
    tempo: playing.Tempo = None,
    meter: playing.InMeter = None,
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
    like: Annotated[
        Path | None,
        typer.Option(
            "--like", metavar="FILE", help="In the style of this music, heard first; only what is new is kept."
        ),
    ] = None,
    over: Annotated[
        Path | None,
        typer.Option("--over", metavar="FILE", help="Play a solo over this music, as `solo` does; keep both."),
    ] = None,
    at_bar: Annotated[
        int | None, typer.Option("--at-bar", metavar="N", help="Of --over: the bar in which the solo begins; 1.")
    ] = None,
    binarise: Annotated[
        str | None,
        typer.Option("--binarise", metavar="HOW", help="Of binary rolls: monophonic, bernoulli or threshold."),
    ] = None,
    max_copy: playing.MaxCopy = None,
    corpus: playing.NotToCopy = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="P", help="Of --binarise threshold: the least chance, 0-1.")
    ] = None,
) -> None:
    """Play something new in the style that a bundle has learned. Without wishes it chooses for itself."""
    from woodshed.recipes import clip, files, play
    from woodshed.recipes import like as likes
    from woodshed.recipes import wish as wishes

    talk, output = Talk(making.as_json), making.output
    if sum(given is not None for given in (primer, primer_melody, like)) > 1:
        raise UsageError("give one of --primer, --primer-melody and --like")
    if over is None and at_bar is not None:
        raise UsageError("--at-bar says where a solo over other music begins; name that music with --over")
    if over is not None and output.resolve() == over.resolve():
        raise UsageError(f"{output} is the music that is played over, which stays as it is; choose another --output")
    if over is not None and (primer_melody is not None or like is not None):
        raise UsageError(f"give either {'--like' if like else '--primer-melody'} or --over, not both")
    wish = wishes.parse_wish(
        bars,
        parts=parts,
        key=asked.key,
        tempo=tempo,
        meter=meter,
        polyphony=asked.polyphony,
        ranges=asked.ranges or (),
        steps=steps,
        attributes=attribute or (),
        beam=beam,
        branch_factor=branch_factor,
        parallels=parallels,
        rules=asked.rules(without, meter),
    )
    wish = wishes.over_chords(wish, asked.chords, asked.chords_from, bars is not None)
    wish = replace(wish, binariser=binarise, threshold=threshold, mode=mode)
    if max_copy is not None:
        wish = replace(wish, rules=replace(wish.rules, copying=_limit(talk, max_copy, corpus, bundle, making.style)))
    elif corpus is not None:
        raise UsageError("--corpus says what --max-copy must not copy; give both, or none")

    def make(loaded: Bundle, sampling: Sampling, seed: int, tell: Told) -> list[clip.Clip]:
        draw = {"seed": seed, "count": making.count, "candidates": making.candidates}
        if over is not None:
            from woodshed.recipes.over import Over, play_over

            place = Over(files.read_song(over, talk.note), over.name, 1 if at_bar is None else at_bar, bars)
            heard = None if primer is None else playing.read_music(primer)[0]
            return play_over(loaded, place, wish, sampling, heard, **draw, on_step=tell)
        if like is not None:
            heard, _ = playing.read_music(like)
            return likes.play_like(loaded, heard, wish, sampling, **draw, on_step=tell)
        if primer is not None or primer_melody is not None:
            song, rest = (
                (files.read_song(primer, talk.note), wish)
                if primer is not None
                else play.melody_primer(loaded, primer_melody or "", wish)
            )
            named = song if primer is None else song.replace(title=primer.name)  # so that messages name the file
            found = play.continue_song(loaded, named, rest, sampling, **draw, on_step=tell)
            return clip.retitled(found, song.title)
        for line in play.stand_ins(loaded, wish):
            talk.note(f"note: {line}")
        return play.generate(loaded, wish, sampling, **draw, on_step=tell)

    making.play(bundle, freedom, make)


def _limit(talk: Talk, text: str, corpus: Path | None, bundle: Path | None, style: str | None) -> CopyLimit:
    """The limit of copying, with the index of what must not be copied."""
    from woodshed.recipes.novelty import copy_limit

    if bundle is None and corpus is None:
        raise UsageError(f"--max-copy with --style {style} needs --corpus: name the songs that must not be copied")
    with talk.stages(look="look at the files", read="read the music", index="index") as tell:
        return copy_limit(text, corpus, bundle or Path(), tell)

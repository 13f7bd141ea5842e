"""woodshed interpolate"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleArgument, DrawnSeed, Force, Json, PlayingThreads, use_threads
from woodshed.cli.talk import Talk
from woodshed.errors import UsageError
from woodshed.words import counted


def command(
    bundle: BundleArgument,
    clips: Annotated[
        list[Path],
        typer.Argument(
            readable=False, metavar="A B [C D]", help="MIDI or MusicXML, in 4/4: two clips, or with --grid four."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="MIDI file to write; with --grid, a folder.")
    ],
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="So many clips from A to B, both included; 9.")
    ] = None,
    grid: Annotated[
        int | None,
        typer.Option("--grid", metavar="N", help="N x N loops between four corners, and a picture of them; 2-16."),
    ] = None,
    separate: Annotated[
        bool, typer.Option("--separate", help="A file for each step, OUT-1 to OUT-N, instead of all in a row.")
    ] = False,
    temperature: playing.Temperature = None,
    seed: DrawnSeed = None,
    audio: playing.Audio = None,
    picture: playing.Picture = None,
    threads: PlayingThreads = 1,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Go from one clip to another through a latent space (the vae recipes); both ends come back note for note."""
    from woodshed.bundle import load_bundle
    from woodshed.bundle.bundle import read_config
    from woodshed.recipes import clip, files, paths
    from woodshed.recipes import wish as wishes

    talk = Talk(as_json)
    warmth = None if temperature is None else wishes.parse_temperature(temperature)
    wanted = 2 if grid is None else 4
    if len(clips) != wanted:
        what = "a grid lies between four clips" if grid is not None else "a path leads from one clip to another"
        raise UsageError(
            f"{what}, and {len(clips)} are named; name {wanted}{'' if grid else ', or four with --grid 5'}"
        )
    if grid is not None and (steps is not None or separate):
        raise UsageError("--steps and --separate are for two clips; a grid has a file for each loop, so leave them out")
    read_config(bundle)
    use_threads(threads)
    songs = [files.read_song(path).replace(title=path.name) for path in clips]  # so that messages name files
    chosen = seed if seed is not None else clip.draw_seed()
    many = 9 if steps is None else steps

    def make(tell: files.Told) -> list[clip.Clip]:
        loaded = load_bundle(bundle)
        sampling = None if warmth is None else clip.default_sampling(loaded, **warmth)
        if grid is not None:
            return paths.grid_songs(loaded, songs, grid, sampling, seed=chosen, on_step=tell)
        if unequal := paths.lengths_note(songs[0], songs[1], many):
            talk.note(f"note: {unequal}")
        found = paths.interpolate_songs(loaded, songs[0], songs[1], many, sampling, seed=chosen, on_step=tell)
        return found if separate else [paths.joined(found)]

    if grid is None:
        playing.deliver(talk, playing.Order(output, many if separate else 1, audio, picture, force), make)
        return
    formats = files.check_formats(audio, picture)
    places, drawing = paths.grid_paths(output, grid)
    files.check_outputs([*(file for path in places for file in files.all_outputs(path, formats)), drawing], force=force)
    with talk.share("play") as tell:
        loops = make(tell)
    for loop, path in zip(loops, places, strict=True):
        written = files.write_clip(loop, path, formats)
        talk.facts({"files": [str(file) for file in written], **loop.as_dict()})
    paths.draw_grid(loops, grid, drawing)
    talk.facts({"picture": str(drawing)})
    talk.say(
        f"wrote {len(loops)} loops of {counted(loops[0].song.bars, 'bar')} into {output}, and {drawing}; seed {chosen}"
    )

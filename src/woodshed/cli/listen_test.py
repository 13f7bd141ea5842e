"""woodshed listen-test make, woodshed listen-test score"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli.options import Force, Json
from woodshed.cli.talk import Talk
from woodshed.words import counted

if TYPE_CHECKING:
    from woodshed.recipes.listening import MadeTest

HELP = "A blind listening test: make its page, and score what readers answered."
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def make(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="REAL MODEL...",
            help="Folders of MIDI, MusicXML or sound, the real music first; or NAME=FOLDER; or files, by folder.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the page and its key.")],
    question: Annotated[
        str,
        typer.Option("--question", metavar="KIND", help="pairs (which do you prefer?), or turing (human or machine?)."),
    ] = "pairs",
    real: Annotated[
        str | None, typer.Option("--real", metavar="NAME", help="The source that is human; the first if not given.")
    ] = None,
    clips: Annotated[
        int,
        typer.Option(
            "--clips", metavar="N", help="Of each source; of turing, of each model, and as many real ones as of all."
        ),
    ] = 6,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--seconds", metavar="S", help="Length of every clip, 2-60; 15, or as long as the shortest piece."
        ),
    ] = None,
    must_hear: Annotated[
        float, typer.Option("--must-hear", metavar="S", help="Seconds of each clip to hear before an answer counts.")
    ] = 4.0,
    checks: Annotated[
        int, typer.Option("--checks", metavar="N", help="Questions asked again at the end, sides exchanged.")
    ] = 2,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="Heading of the page; readers see it.")
    ] = "Listening test",
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="The source of all chance.")] = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write a page that plays clips blind, equally long and loud, and a key that says whose they are.

    The page is one file that works offline; readers send back the answers that it saves. Keep key.json to yourself.
    """
    from woodshed.recipes.listening import ListeningWish, make_listening_test
    from woodshed.recipes.listening_pieces import named_sources

    talk = Talk(as_json)
    wish = ListeningWish(question, real, clips, seconds, must_hear, checks, title, seed)
    with talk.stages(read="read the music", play="play the clips") as tell:
        made = make_listening_test(named_sources(sources), output, wish, force=force, progress=tell)
    for note in made.notes:
        talk.note(f"note: {note}")
    talk.facts(_facts(made))
    key = made.key
    each = ", ".join(f"{_clips_of(made, name)} of {name}" for name in key.sources)
    trials = counted(len(key.trials), "pair" if question == "pairs" else "clip")
    talk.say(
        f"wrote {made.page}: {trials} to judge, {each}; {key.seconds:.1f} s each, {made.minutes:.0f} minutes a reader"
    )
    talk.say(f"wrote {made.key_path}: says whose the clips are; give readers the page alone")


def _clips_of(made: MadeTest, source: str) -> int:
    return sum(clip.source == source for clip in made.key.clips.values())


def _facts(made: MadeTest) -> dict[str, object]:
    key = made.key
    return {
        "page": str(made.page), "key": str(made.key_path), "test": key.test, "question": key.question, "real": key.real,
        "clips": {name: _clips_of(made, name) for name in key.sources}, "trials": len(key.trials),
        "seconds": key.seconds, "lufs": key.lufs, "minutes": made.minutes, "seed": key.seed, "notes": made.notes,
    }  # fmt: skip

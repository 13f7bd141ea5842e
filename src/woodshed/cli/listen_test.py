"""woodshed listen-test make, woodshed listen-test score"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli.options import Force, Json
from woodshed.cli.talk import Talk
from woodshed.words import counted

if TYPE_CHECKING:
    from rich.table import Table

    from woodshed.evaluation.listening_score import ListeningScore
    from woodshed.evaluation.listening_statistics import Share
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
        float | None,
        typer.Option(
            "--must-hear",
            metavar="S",
            help="Seconds of each clip to hear before an answer counts, at most all of it; 4 if not given.",
        ),
    ] = None,
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
    with talk.stages(read="read the music", play="play the clips", code="make them equally loud") as tell:
        made = make_listening_test(named_sources(sources), output, wish, force=force, progress=tell)
    for note in made.notes:
        talk.note(f"note: {note}")
    talk.facts(_facts(made))
    key = made.key
    each = ", ".join(f"{_clips_of(made, name)} of {name}" for name in key.sources)
    trials = counted(len(key.trials), "pair" if question == "pairs" else "clip")
    again = f" ({made.again} of them twice)" if made.again else ""
    talk.say(
        f"wrote {made.page}: {trials} to judge{again}, {each}; {key.seconds:.1f} s each, "
        f"{_minutes(made.minutes)} a reader"
    )
    talk.say(f"wrote {made.key_path}: says whose the clips are; give readers the page alone")


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes >= 1.5 else f"{60 * minutes:.0f} seconds"


def _clips_of(made: MadeTest, source: str) -> int:
    return sum(clip.source == source for clip in made.key.clips.values())


def _facts(made: MadeTest) -> dict[str, object]:
    key = made.key
    return {
        "page": str(made.page), "key": str(made.key_path), "test": key.test, "question": key.question, "real": key.real,
        "clips": {name: _clips_of(made, name) for name in key.sources}, "trials": len(key.trials),
        "asked_again": made.again,
        "seconds": key.seconds, "lufs": key.lufs, "minutes": made.minutes, "seed": key.seed, "notes": made.notes,
    }  # fmt: skip


@app.command()
def score(
    key: Annotated[
        Path,
        typer.Argument(readable=False, metavar="KEY", help="The key.json of the test, or the folder that it is in."),
    ],
    results: Annotated[
        list[Path],
        typer.Argument(readable=False, metavar="RESULTS...", help="Files that readers saved, or folders of them."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="A picture too: .png, .svg or .pdf.")
    ] = None,
    style: Annotated[str, typer.Option("--style", metavar="NAME", help="Of the picture: light or dark.")] = "light",
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Of the draws behind the intervals.")] = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Say who was preferred, or taken for human, how sure that is, and whether readers agree."""
    import numpy as np

    from woodshed.evaluation.listening_chart import draw_listening_score
    from woodshed.evaluation.listening_results import read_all_results, read_key
    from woodshed.evaluation.listening_score import score_test
    from woodshed.recipes.files import check_outputs
    from woodshed.recipes.listening import KEY_NAME
    from woodshed.rendering.pictures import check_picture_path, find_style

    talk = Talk(as_json)
    find_style(style)
    if output is not None:
        check_outputs([check_picture_path(output, "the score of a listening test")], force=force)
    found = read_key(key / KEY_NAME if key.is_dir() else key)
    scored = score_test(found, read_all_results(results, found), np.random.default_rng(seed))
    if output is not None:
        draw_listening_score(scored, output, style=style)
    talk.facts(scored.as_dict() | ({"files": [str(output)]} if output else {}))
    talk.show(_source_table(scored))
    if scored.pairs:
        talk.show(_pair_table(scored))
    for caution in scored.cautions:
        talk.note(f"note: {caution}")
    for line in _summary(scored):
        talk.say(line)
    if output is not None:
        talk.say(f"wrote {output}")


def _source_table(scored: ListeningScore) -> Table:
    is_pairs = bool(scored.pairs)
    table = _table(
        "source", "preferred" if is_pairs else "taken for human", "95 %", "n", *["strength", "95 %"] * is_pairs
    )
    for source in scored.sources:
        strength = (
            () if source.strength is None else (f"{source.strength:+.2f}", _span(source.low, source.high, "+.2f"))
        )
        table.add_row(source.name + " (real)" * source.is_real, *_cells(source.chosen), *strength)
    return table


def _pair_table(scored: ListeningScore) -> Table:
    table = _table("pair", "preferred", "95 %", "n")
    for pair in scored.pairs:
        table.add_row(f"{pair.first} to {pair.second}", *_cells(pair.first_preferred))
    return table


def _table(*names: str) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for number, name in enumerate(names):
        table.add_column(name, justify="right" if number else "left")
    return table


def _cells(share: Share) -> tuple[str, str, str]:
    shown = "-" if share.share is None else f"{share.share:.0%}"
    return shown, _span(share.low, share.high, ".0%"), f"{share.count}{' (too small)' if share.caution else ''}"


def _span(low: float | None, high: float | None, form: str) -> str:
    return "n too small" if low is None or high is None else f"{low:{form}} to {high:{form}}"


def _summary(scored: ListeningScore) -> list[str]:
    """What the tables do not hold, and the answer to the question last."""
    found, alike = scored.agreement, scored.same_again
    agree = f"not known ({found.caution})" if found.alpha is None else f"{found.alpha:.2f}"
    spread = f" ({_span(found.low, found.high, '.2f')})" if found.alpha is not None else ""
    again = (
        f"; with themselves in {alike.successes} of {counted(alike.count, 'trial')} asked again" if alike.count else ""
    )
    known = f"; {counted(scored.known, 'answer')} left out, the music was known" if scored.known else ""
    first = (
        ""
        if scored.first_chosen.share is None
        else (
            f"; the clip heard first was preferred {scored.first_chosen.share:.0%} of the time"
            if scored.pairs
            else f"; {scored.first_chosen.share:.0%} of all clips were taken for human"
        )
    )
    return [f"readers agree with each other: alpha {agree}{spread}{again}{first}{known}", _verdict(scored)]


def _verdict(scored: ListeningScore) -> str:
    real = scored.sources[0].name
    accuracy, readers = scored.accuracy, counted(scored.heard, "reader")
    if accuracy.share is None:
        return f"nothing to say yet: n too small, no answer on {real}"
    told = "preferred to machines" if scored.pairs else "told from machines"
    sure = "which may be chance" if accuracy.low <= 0.5 <= accuracy.high else "not by chance alone"
    what = f"{real} was {told} in {accuracy.successes} of {counted(accuracy.count, 'answer')} of {readers}"
    over = scored.over_readers
    spread = f", {over.low:.0%} to {over.high:.0%} over readers" if over.is_known else ""
    small = f"; {accuracy.caution}" if accuracy.caution else ""
    return f"{what}: {accuracy.share:.0%} ({_span(accuracy.low, accuracy.high, '.0%')} exact{spread}), {sure}{small}"

"""woodshed novelty"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from woodshed.cli.options import Force, Json
from woodshed.cli.talk import Talk
from woodshed.words import counted

if TYPE_CHECKING:
    from rich.table import Table

    from woodshed.evaluation.bootstrap import Interval
    from woodshed.evaluation.novelty import Run
    from woodshed.recipes.novelty import Checked

MOST_ROWS = 12
"""Runs in the table; JSON and the page have all."""


def command(
    song: Annotated[Path, typer.Argument(readable=False, metavar="SONG", help="MIDI or MusicXML.")],
    music: Annotated[
        Path, typer.Argument(readable=False, metavar="CORPUS|FOLDER", help="A built corpus, or a folder of music.")
    ],
    run: Annotated[
        int, typer.Option("--notes", metavar="N", help="Notes of the shortest run that counts, 6-4096.")
    ] = 12,
    longer_than: Annotated[
        Optional[list[int]],  # noqa: UP045 - typer reads it
        typer.Option("--longer-than", metavar="N", help="Also the share of notes in runs of more than N notes."),
    ] = None,
    html: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--html", metavar="FILE", help="Write a page with every run beside its source, to hear and see."),
    ] = None,
    picture: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--picture", metavar="FILE", help="Draw the song, runs coloured by source: .png, .svg or .pdf."),
    ] = None,
    baseline: Annotated[
        bool, typer.Option("--baseline/--no-baseline", help="Also what the corpus' own songs share with one another.")
    ] = True,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, max=2**32 - 1, help="Deals the songs of the baseline.")
    ] = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Find what of a song also stands in a corpus, in any key and at any speed, note for note or nearly so.

    Each row is one stretch of one source, with all parts that have it.
    """
    from woodshed.evaluation.novelty_picture import draw_novelty
    from woodshed.recipes.files import check_apart, check_outputs, check_page
    from woodshed.recipes.novelty import check_song, write_novelty_page
    from woodshed.rendering.pictures import check_picture_path

    talk = Talk(as_json)
    if picture is not None:
        check_picture_path(picture, "a piano roll")
    if html is not None:
        check_page(html)
    check_apart(song, [path for path in (html, picture) if path is not None])
    check_outputs([path for path in (html, picture) if path is not None], force=force)
    stages = {"look": "look at the files", "read": "read the music", "compare": "find versions", "write": "write"}
    with talk.stages(**stages, index="index", usual="what is usual", draw="draw", page="write the page") as tell:
        checked = check_song(
            song, music, run=run, longer_than=longer_than or (), baseline=baseline, seed=seed, progress=tell
        )
        if picture is not None:
            tell("draw", 0, 1)
            draw_novelty(checked.song, checked.novelty, picture)
        if html is not None:
            tell("page", 0, 1)
            write_novelty_page(checked, html)
    talk.facts({**checked.as_dict(), "files": [str(path) for path in (html, picture) if path is not None]})
    if checked.novelty.runs:
        talk.show(_table(checked.novelty.runs))
    for line in _told(checked):
        talk.say(line)
    for remark in checked.remarks:
        talk.note(f"note: {remark}")
    for path in (html, picture):
        if path is not None:
            talk.say(f"wrote {path}")


def _told(checked: Checked) -> list[str]:
    """What people want to know, line by line."""
    import numpy as np

    found, library = checked.novelty, checked.library
    against = f"{library.name} ({counted(len(library.entries), 'song')}, {counted(library.index.notes, 'note')})"
    lines = [f"{checked.name}: {found.share:.1%} of its {counted(found.notes, 'note')} also stand in {against}"]
    if found.caution:
        lines.append(found.caution)
    more = ", ".join(f"{notes} notes {share:.1%}" for notes, share in found.longer_than.items())
    drums = np.array([part.is_drum for part in checked.song.parts], bool)[checked.song.notes["part"]]
    kinds = (("pitched", found.pitched_share, not drums.all()), ("drums", found.drum_share, drums.any()))
    shares = ", ".join(f"{kind} {share:.1%}" if there else f"no {kind}" for kind, share, there in kinds)
    lines.append(f"{shares}; in runs longer than {more}")
    longest, unchanged = found.longest, found.longest_exact
    if longest is not None and unchanged is not None:
        lines.append(f"longest in one part: {_where(longest, exact=False)}")
        if longest.altered:
            lines.append(f"longest in one part without a change: {_where(unchanged, exact=True)}")
    if checked.baseline is not None:
        usual = checked.baseline
        more_than = f"this song shares more than {usual.more_than(found.share)} of {len(usual.shares)}"
        lines.append(
            f"usual among its songs: {_percent(usual.share)} of the notes stand in the others; longest run "
            f"{_number(usual.longest_notes)} notes; {more_than}{_caution(usual.share)}"
        )
    return lines


def _where(run: Run, *, exact: bool) -> str:
    span = run.exact if exact else run.here
    changes = "" if exact or not run.altered else f", {run.altered} altered"
    place = f"{run.part}, bar {span.first_bar}" + (f"-{span.last_bar}" if span.last_bar > span.first_bar else "")
    length = f"{counted(span.notes, 'note')}{changes}, {span.beats:g} beats, {span.seconds:.1f} s"
    return f"{length} ({place}), from {run.source}, bar {run.there.first_bar}"


def _percent(figure: Interval) -> str:
    return f"{figure.mean:.1%} [{figure.low:.1%}, {figure.high:.1%}] (n={figure.count})"


def _number(figure: Interval) -> str:
    return f"{figure.mean:.0f} [{figure.low:.0f}, {figure.high:.0f}]"


def _caution(figure: Interval) -> str:
    return f", {figure.caution}" if figure.caution else ""


def _table(runs: tuple[Run, ...]) -> Table:
    from rich.table import Table

    rest = len(runs) - MOST_ROWS
    table = Table(
        box=None,
        header_style="bold",
        padding=(0, 2, 0, 0),
        caption=f"and {counted(rest, 'shorter run')}" if rest > 0 else None,
        caption_justify="left",
    )
    for name in ("bars", "part", "notes", "altered", "beats", "seconds", "also in", "bar", "key", "speed"):
        words = name in ("part", "also in")
        table.add_column(name, justify="left" if words else "right", no_wrap=not words, max_width=28 if words else None)
    for run in runs[:MOST_ROWS]:
        here = run.here
        bars = f"{here.first_bar}-{here.last_bar}" if here.last_bar > here.first_bar else f"{here.first_bar}"
        table.add_row(
            bars, run.part, f"{here.notes}", f"{run.altered}", f"{here.beats:g}", f"{here.seconds:.1f}",
            run.source, f"{run.there.first_bar}", f"{run.semitones:+d}" if run.semitones else "same",
            f"x{run.speed:.3g}" if run.speed != 1 else "same",
        )  # fmt: skip
    return table

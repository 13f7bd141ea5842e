"""woodshed corpus build, woodshed corpus show"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli.options import Force, Json
from woodshed.cli.talk import Talk
from woodshed.words import counted

if TYPE_CHECKING:
    from rich.table import Table

    from woodshed.corpus import Corpus

HELP = "Make a corpus of a folder of music, or look into one."
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def build(
    folders: Annotated[
        list[Path], typer.Argument(readable=False, metavar="FOLDER...", help="Folders of MIDI or MusicXML files.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="CORPUS", help="Folder for the corpus.")],
    min_notes: Annotated[int, typer.Option("--min-notes", metavar="N", help="Leave out songs with fewer notes.")] = 16,
    held_out_fraction: Annotated[
        float, typer.Option("--held-out", metavar="SHARE", help="Share of the songs to hold out, 0-0.9.")
    ] = 0.1,
    keep_versions: Annotated[
        bool, typer.Option("--keep-versions", help="Keep near duplicates; they then share a side of the split.")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, max=2**32 - 1, help="Which songs are held out.")
    ] = 0,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes; as many as cores if not given.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Read, mend, find roles, keys and chords, leave out duplicates, split by song, and store."""
    from woodshed.corpus import BuildOptions, build_corpus

    talk = Talk(as_json)
    options = BuildOptions(
        min_notes=min_notes, held_out_fraction=held_out_fraction, near_duplicates=not keep_versions, seed=seed
    )
    if workers is not None:
        options = replace(options, workers=workers)
    with talk.stages(read="read the music", compare="find duplicates", write="write") as tell:
        report = build_corpus(folders, output, options=options, force=force, progress=tell)
    talk.facts(report.as_dict())
    for warning in report.warnings:
        talk.note(f"note: {warning}")
    for reason, count in report.reasons.items():
        talk.say(f"{count:7,} left out: {reason}")
    talk.say(
        f"wrote {output}: {counted(report.songs, 'song')} of {counted(report.files, 'file')} ({report.repaired:,} "
        f"repaired), {counted(report.notes, 'note')}, {report.length_seconds / 3600:.1f} hours; "
        f"{counted(report.held_out, 'song')} held out"
    )


@app.command()
def show(
    corpus: Annotated[
        Path, typer.Argument(readable=False, metavar="CORPUS", help="A folder made by `woodshed corpus build`.")
    ],
    as_json: Json = False,
) -> None:
    """List the songs of a corpus, and what was left out when it was built."""
    from woodshed.corpus import Corpus

    talk = Talk(as_json)
    opened = Corpus.open(corpus)
    talk.facts({"manifest": opened.manifest, "songs": [entry.as_dict() for entry in opened.entries]})
    talk.show(_songs(opened))
    for reason, count in opened.manifest.get("reasons", {}).items():
        talk.say(f"{count:7,} left out: {reason}")
    sides = Counter(entry.split for entry in opened.entries)
    talk.say(f"{corpus}: {len(opened):,} songs, {sides['held_out']:,} of them held out")


def _songs(corpus: Corpus) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("song", "split", "key", "meter", "parts"):
        table.add_column(name)
    for name in ("bpm", "bars", "notes"):
        table.add_column(name, justify="right")
    for entry in corpus.entries:
        roles = ", ".join(dict.fromkeys(part.role or part.name for part in entry.parts))
        about = [entry.title or entry.source, entry.split, entry.key, entry.meter, roles]
        table.add_row(*map(escape, about), f"{entry.bpm:.0f}", str(entry.bars), f"{entry.notes:,}")
    return table

"""woodshed doctor"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli.options import Json
from woodshed.cli.talk import Talk
from woodshed.words import counted

if TYPE_CHECKING:
    from rich.table import Table

    from woodshed.corpus import Diagnosis

COLOURS = {"accepted": "green", "repaired": "yellow", "unusable": "red"}


def command(
    files: Annotated[
        list[Path], typer.Argument(readable=False, metavar="FILES...", help="Music files, or folders of them.")
    ],
    as_json: Json = False,
) -> None:
    """Say what is in files: which are fine, which were mended and how, which are unusable and why."""
    from woodshed.corpus import examine
    from woodshed.errors import CorpusError

    talk = Talk(as_json)
    with talk.stages(read="examine") as tell:
        found = examine(files, progress=tell)
    for diagnosis in found:
        talk.facts(diagnosis.as_dict())
    counts = Counter(diagnosis.verdict for diagnosis in found)
    talk.show(_table(found))
    talk.say(f"{counted(len(found), 'file')}: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in COLOURS))
    if counts["unusable"] == len(found):
        raise CorpusError(f"none of {counted(len(found), 'file')} is usable; the table says why")


def _table(found: list[Diagnosis]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name, side in (("file", "left"), ("verdict", "left"), ("notes", "right"), ("bars", "right"), ("key", "left")):
        table.add_column(name, justify="right" if side == "right" else "left")
    table.add_column("bpm", justify="right")
    table.add_column("parts, repairs, or why not")
    for item in found:
        colour = COLOURS[item.verdict]
        usable = item.verdict != "unusable"
        figures = [f"{item.notes:,}", f"{item.bars}", item.key, f"{item.bpm:.0f}"] if usable else ["", "", "", ""]
        roles = ", ".join(dict.fromkeys(part.role or part.name for part in item.parts))
        told = "; ".join((roles, *item.repairs)) if usable else item.detail
        table.add_row(escape(item.path.name), f"[{colour}]{item.verdict}[/]", *figures, escape(told))
    return table

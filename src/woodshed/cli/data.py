"""woodshed data list, woodshed data get"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from woodshed.cli.options import Json
from woodshed.cli.talk import Talk
from woodshed.words import counted

HELP = "Openly licensed music to learn from."
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="DIR", help="The data folder; $WOODSHED_DATA or your own data place if not given."
    ),
]


@app.command("list")
def list_sets(folder: Folder = None, as_json: Json = False) -> None:
    """List the sets: what they hold, how large they are, under which licence, and which are here."""
    from rich.table import Table

    from woodshed.corpus.datasets import datasets, default_data_folder, is_downloaded

    talk = Talk(as_json)
    place = folder or default_data_folder()
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("name", "what", "licence", "size", "here"):
        table.add_column(name, no_wrap=name == "name")
    for found in datasets():
        here = is_downloaded(found.name, place)
        names = ("name", "title", "what", "licence", "may_train_shipped_weights", "address", "files", "size_bytes")
        talk.facts(
            {**{name: getattr(found, name) for name in names}, "folder": str(place / found.folder), "here": here}
        )
        size = f"{found.size_bytes / 1e6:.1f} MB"
        table.add_row(found.name, found.what, found.licence, size, "yes" if here else "no")
    talk.show(table)


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A set; `woodshed data list` names them.")],
    mirror: Annotated[
        str | None, typer.Option("--mirror", metavar="DIR|URL", help="Take the files from another data folder.")
    ] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Fetch a set, checked against its checksums. Interrupted, it goes on where it stopped."""
    from woodshed.corpus.datasets import default_data_folder, find_dataset
    from woodshed.corpus.download import get_dataset

    talk = Talk(as_json)
    found = find_dataset(name)
    with talk.share(f"fetch {name}") as tell:
        target = get_dataset(
            name,
            folder or default_data_folder(),
            mirror=mirror,
            progress=lambda done, total: tell(done / max(total, 1)),
        )
    talk.facts({"name": name, "folder": str(target), "files": found.files, "licence": found.licence})
    talk.say(f"{target}: {counted(found.files, 'file')}, {found.size_bytes / 1e6:.1f} MB, licence {found.licence}")
    talk.note(f"now try: woodshed train band {target} -o mine.shed")

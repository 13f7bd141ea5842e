"""How near is what we play to real music? Figures and a judge, ours beside the GPT-2 peer and beside real songs.

Give it a bundle and a peer from ``benchmarks/style15``, and the two folders of songs that style15 made for them.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
from columns import DATA, HERE, TITLES, Column, others, ours, peer, real
from figures import FIGURES, Copied, Row, rows_of, verdicts
from picture import draw

FIELDS = tuple(Row.__dataclass_fields__)


def main() -> None:
    options = parse()
    columns: dict[str, Column] = {
        "held out": real("held out", options.real, options),
        "learned": real("learned", options.train, options),
        "others": others(options),
    }
    if options.bundle:
        columns["ours"] = ours(options)
    if options.peer_checkpoint:
        columns["peer"] = peer(options)
    rng, copied = np.random.default_rng(options.seed), Copied(options.train)
    rows = [row for column in columns.values() for row in rows_of(column, copied, rng)]
    rows += verdicts(columns, rng)
    rows.sort(key=lambda row: (list(FIGURES).index(row.figure), list(TITLES).index(row.source)))
    store(rows, options.out)
    draw(rows, options.out.with_suffix(".svg"))
    page = table(rows)
    print(page)
    if options.out.resolve() == HERE / "results.csv":
        fill_in("result", page)
        fill_in("machine", machine(options))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, help="ours")
    parser.add_argument("--real", type=Path, required=True, help="folder of the maker's held-out songs")
    parser.add_argument("--train", type=Path, required=True, help="folder of the songs that both sides learned from")
    parser.add_argument(
        "--others", type=Path, default=DATA / "band" / "freedoom", help="folder with other makers' songs"
    )
    parser.add_argument("--peer-checkpoint", type=Path, help="the peer's model folder, from style15")
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON", ""), help="Python of the peer's venv")
    parser.add_argument("--clips", type=int, default=50, help="of each kind")
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--candidates", type=int, default=6, help="of ours, of which the best is kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("build/quality"), help="folder for the clips, to listen to")
    parser.add_argument("--reuse", action="store_true", help="take the clips that lie in --work already")
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    options = parser.parse_args()
    if options.peer_checkpoint and not (options.peer_python or options.reuse):
        parser.error("name the Python of the peer's environment with --peer-python")
    return options


def store(rows: list[Row], path: Path) -> None:
    """Write the CSV; the file appears whole or not at all."""
    beside = path.with_name(path.name + ".part")
    with beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            found = asdict(row)
            writer.writerow(found | {name: round(found[name], 5) for name in ("mean", "low", "high")})
    os.replace(beside, path)


def table(rows: list[Row]) -> str:
    """Markdown: a line for each figure, a column for each kind of clip, mean and interval in each cell."""
    sources = [name for name in TITLES if any(row.source == name for row in rows)]
    cells = {(row.figure, row.source): cell(row) for row in rows}
    lines = [f"| | {' | '.join(TITLES[name] for name in sources)} |", "|---" * (len(sources) + 1) + "|"]
    sizes = [next(row for row in rows if row.source == name and row.figure == "copied") for name in sources]
    lines += [f"| clips (songs) | {' | '.join(f'{size.clips} ({size.songs})' for size in sizes)} |"]
    for figure, title in FIGURES.items():
        lines.append(f"| {title} | {' | '.join(cells.get((figure, name), '') for name in sources)} |")
    return "\n".join(lines) + "\n"


def cell(row: Row) -> str:
    """``0.93 [0.91, 0.95]``; how many clips, where not all hold what is counted."""
    if not row.clips:
        return "none"
    digits = 3 if abs(row.mean) < 1 else 2 if abs(row.mean) < 100 else 0
    mark = " *" if row.note.startswith("only ") else ""
    return f"{row.mean:.{digits}f} [{row.low:.{digits}f}, {row.high:.{digits}f}]{mark}"


def machine(options: argparse.Namespace) -> str:
    """Hardware, versions and which weights were judged."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    text = f"- {processor}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}\n"
    text += f"- woodshed {version('woodshed')}; the peer as in `../style15/README.md`\n"
    for name, folder in (("ours", options.bundle), ("peer", options.peer_checkpoint)):
        if folder:
            digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()[:16]
            text += f"- {name}: `{folder.name}`, sha256 of its weights {digest}...\n"
    text += f"- {options.clips} clips of {options.bars} bars of each kind, seed {options.seed}, best of "
    return text + f"{options.candidates} on our side\n"


def fill_in(place: str, text: str) -> None:
    """Put text between the two markers of README.md."""
    path = HERE / "README.md"
    before, rest = path.read_text(encoding="utf-8").split(f"<!-- {place} -->\n")
    after = rest.split(f"<!-- end of {place} -->\n")[1]
    path.write_text(f"{before}<!-- {place} -->\n{text}<!-- end of {place} -->\n{after}", encoding="utf-8")


if __name__ == "__main__":
    main()

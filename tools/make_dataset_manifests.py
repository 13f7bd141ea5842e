"""Write the manifests of the sets that ``woodshed data get`` offers, from a data folder that holds them.

    python tools/make_dataset_manifests.py ../shared/data

Run it when a set in the data folder has changed. The same files give the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

from woodshed.corpus.datasets import MUSIC_SUFFIXES, NOTICE_STEMS, Dataset, datasets, is_safe_path

MANIFESTS = Path(__file__).resolve().parent.parent / "src" / "woodshed" / "corpus" / "manifests"


def is_kept(path: Path) -> bool:
    """Whether a file belongs into the manifest: music, notices, Groove's table of splits; not lyrics or features."""
    return path.suffix in MUSIC_SUFFIXES or path.name == "info.csv" or path.name.startswith(NOTICE_STEMS)


def manifest(dataset: Dataset, folder: Path) -> str:
    """One line per file: checksum, size, path; sorted by path."""
    lines = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and is_kept(path):
            name, content = path.relative_to(folder).as_posix(), path.read_bytes()
            if not is_safe_path(name):
                raise SystemExit(f"{dataset.name}: {name!r} cannot be a path on every platform")
            lines.append(f"{hashlib.sha256(content).hexdigest()} {len(content)} {name}\n")
    return "".join(lines)


def main(data_folder: Path) -> None:
    MANIFESTS.mkdir(exist_ok=True)
    for dataset in datasets():
        folder = data_folder / dataset.folder
        if not folder.is_dir():
            raise SystemExit(f"{folder} is missing: the data folder must hold every set")
        text = manifest(dataset, folder)
        (MANIFESTS / f"{dataset.name}.gz").write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))
        print(f"{dataset.name}: {text.count(chr(10))} files")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data"))

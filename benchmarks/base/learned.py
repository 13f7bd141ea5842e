"""List which songs base learned from, as ids that say nothing else, so that `woodshed evaluate` can leave them out.

    python benchmarks/base/learned.py --work DIR -o BUNDLE/learned.txt

DIR is what `prepare.py` filled. A song that was mended is listed as it was found, too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from woodshed.corpus import Corpus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="the folder that prepare.py filled")
    parser.add_argument("--output", "-o", type=Path, required=True, help="the list")
    options = parser.parse_args()
    entries = Corpus.open(options.work / "corpus").entries
    learned = {entry.source: entry.song_id for entry in entries if entry.split == "train"}
    found = {entry.source: entry.song_id for entry in Corpus.open(options.work / "all").entries}
    ids = {*learned.values(), *(found[source] for source in learned)}
    options.output.write_text("\n".join(sorted(ids)) + "\n", "ascii")
    print(f"{len(learned)} songs, {len(ids)} ids")


if __name__ == "__main__":
    main()

"""Time MidiTok and pretty_midi on a list of files; run with a Python that has `requirements.txt` installed.

    python peers.py TASK LIST

TASK is `miditok parse and encode`, `miditok encode` or `pretty_midi parse`; LIST is a file of paths, one a line.
Prints one JSON object: files, notes and seconds. Imports are not timed; every file is read from the disk's cache.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def miditok_encode(paths: list[Path], *, parse_too: bool) -> dict[str, Any]:
    """REMI with its default settings, one token stream over all tracks, as for multi-part music."""
    import miditok
    import symusic

    config = miditok.TokenizerConfig(use_programs=True, use_tempos=True, use_time_signatures=True)
    tokenizer = miditok.REMI(config)
    notes, files, seconds = 0, 0, 0.0
    for path in paths:
        began = time.perf_counter()
        score = symusic.Score(str(path))
        parsed = time.perf_counter()
        count = score.note_num()
        before = time.perf_counter() if not parse_too else began + (time.perf_counter() - parsed)
        try:
            tokenizer(score)
        except Exception as error:
            print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        seconds += time.perf_counter() - before
        notes, files = notes + count, files + 1
    return {"files": files, "notes": notes, "seconds": seconds}


def pretty_midi_parse(paths: list[Path]) -> dict[str, Any]:
    """A `PrettyMIDI` object of each file."""
    import warnings

    import pretty_midi

    warnings.simplefilter("ignore")
    notes, files, seconds = 0, 0, 0.0
    for path in paths:
        began = time.perf_counter()
        try:
            found = pretty_midi.PrettyMIDI(str(path))
        except Exception as error:
            print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        seconds += time.perf_counter() - began
        notes, files = notes + sum(len(player.notes) for player in found.instruments), files + 1
    return {"files": files, "notes": notes, "seconds": seconds}


TASKS = {
    "miditok parse and encode": lambda paths: miditok_encode(paths, parse_too=True),
    "miditok encode": lambda paths: miditok_encode(paths, parse_too=False),
    "pretty_midi parse": pretty_midi_parse,
}

if __name__ == "__main__":
    task, listed = sys.argv[1:]
    files = [Path(line) for line in Path(listed).read_text(encoding="utf-8").splitlines()]
    print(json.dumps(TASKS[task](files)))

"""Whether the files say what their makers state: the licence texts beside them, and the rights inside them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from woodshed.corpus.classics import rights_reserved
from woodshed.corpus.scan import MUSICXML_ENDINGS

FREE = re.compile(r"CC ?[0O]\b|Creative Commons|Public Domain", re.IGNORECASE)
"""What a score says that gives its rights away ("CCO" with a letter is a common slip)."""
_BSD = "Redistribution and use in source and binary forms"


@dataclass(frozen=True)
class Terms:
    """Where a set's licence can be read, and who is to be named."""

    file: str
    """Below the data folder; empty if each file carries its own."""
    says: str
    """A phrase that must stand there."""
    credit: str
    """Whom to name, and how, in one line."""


TERMS = {
    "freedoom": Terms("band/freedoom/COPYING.adoc", _BSD, "Contributors to the Freedoom project (CREDITS-MUSIC)"),
    "freedoom-history": Terms("band/freedoom/COPYING.adoc", _BSD, "Contributors to the Freedoom project"),
    "free-music": Terms("band/free-music/LICENSE.md", "Attribution 4.0", "Tanner Helland, free-music"),
    "easyrpg": Terms("band/easyrpg/AUTHORS.md", "Attribution 4.0", "EasyRPG: Juan Manuel Nigretti, Someoneman (CC0)"),
    "blasphemer": Terms("band/blasphemer/COPYING.md", _BSD, "Contributors to the Blasphemer project (CREDITS.md)"),
    "groove": Terms(
        "groove/LICENSE",
        "Attribution 4.0",
        "J. Gillick, A. Roberts, J. Engel, D. Eck, D. Bamman, Learning to Groove with Inverse Sequence Transformations "
        "(ICML 2019)",
    ),
    "openewld": Terms("leadsheets/openewld/LICENSE", "MIT License", "OpenEWLD, whose maker holds the songs to be free"),
    "lieder": Terms("", "", "OpenScore Lieder Corpus and its transcribers"),
    "quartets": Terms("", "", "OpenScore String Quartets and its transcribers"),
}  # fmt: skip
"""Name of a data set -> its terms."""


def check_terms(name: str, data: Path, files: Iterable[Path]) -> str:
    """What was found about the licence of one set, in a line.

    Raises:
        SystemExit: if the text beside the music is gone or says something else: then nobody knows what may be done.
    """
    terms = TERMS[name]
    if not terms.file:
        scores = list(files)
        free = sum(bool(FREE.search(rights_reserved(path))) for path in scores)
        return f"{free} of {len(scores)} scores say CC0 themselves, the others say nothing"
    path = data / terms.file
    if not path.is_file() or terms.says not in path.read_text(encoding="utf-8", errors="replace"):
        raise SystemExit(f"{path} does not say {terms.says!r}; the licence of {name} must be looked at again")
    if name == "easyrpg":
        return _easyrpg(path.read_text(encoding="utf-8"), files)
    return f"{terms.file} says {terms.says!r}"


def reserved(path: Path) -> str:
    """The words with which a file reserves rights; empty if it does not."""
    if path.suffix.lower() in MUSICXML_ENDINGS:
        said = rights_reserved(path)
        return "" if FREE.search(said) else said
    found = re.search(rb"[ -~]*all rights reserved[ -~]*", path.read_bytes(), re.IGNORECASE)
    return found[0].decode("ascii").strip() if found else ""


def _easyrpg(authors: str, files: Iterable[Path]) -> str:
    """Its list of authors names each file with a licence of its own."""
    counts: dict[str, int] = {}
    for path in files:
        line = re.search(rf"`{re.escape(path.name)}`[^\n]*\[(CC-BY|CC0)\]", authors, re.IGNORECASE)
        if not line:
            raise SystemExit(f"AUTHORS.md of easyrpg names no licence for {path.name}")
        counts[line[1].upper()] = counts.get(line[1].upper(), 0) + 1
    return "AUTHORS.md names each file: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))

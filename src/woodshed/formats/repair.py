"""What a reader had to change, guess or leave aside, so that nothing is mended in silence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Repair:
    """One kind of repair, counted over a file."""

    kind: str
    """Short stable name in lower case with hyphens, for counting over a corpus: ``"grace-notes"``."""
    count: int
    """How many things in the file it befell, at least 1."""
    detail: str
    """One line for people: what was found and what was done about it."""

"""Counts in words, for what is told to people: every room may use them."""

from __future__ import annotations


def counted(number: int, word: str, several: str = "") -> str:
    """A number with its noun; ``several`` is the plural where an s does not make it.

    >>> counted(1, "file"), counted(1200, "note"), counted(2, "loss", "losses")
    ('1 file', '1,200 notes', '2 losses')
    """
    return f"{number:,} {word if number == 1 else several or word + 's'}"

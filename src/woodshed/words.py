"""Counts and lists in words, for what is told to people: every room may use them."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, word: str, several: str = "") -> str:
    """A number with its noun; ``several`` is the plural where neither -s nor -ies makes it.

    >>> counted(1, "file"), counted(1200, "note"), counted(2, "melody"), counted(2, "loss", "losses")
    ('1 file', '1,200 notes', '2 melodies', '2 losses')
    """
    if number != 1:
        word = several or (word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s")
    return f"{number:,} {word}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them.

    >>> listed(["generate"]), listed(["generate", "continue"]), listed(["generate", "continue", "solo"])
    ('generate', 'generate and continue', 'generate, continue and solo')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))

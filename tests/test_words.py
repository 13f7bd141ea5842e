"""Counts in words."""

from __future__ import annotations

import pytest

from woodshed.words import counted


@pytest.mark.parametrize(("number", "words"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1200, "1,200 files")])
def test_one_of_a_thing_is_singular(number: int, words: str) -> None:
    assert counted(number, "file") == words


def test_a_plural_without_s_is_told() -> None:
    assert [counted(number, "loss", "losses") for number in (1, 2)] == ["1 loss", "2 losses"]

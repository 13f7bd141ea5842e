"""Rules in a musician's words: levels, bars, drums."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from woodshed.errors import OutOfRange, UnknownName, UsageError
from woodshed.music import Meter
from woodshed.recipes.rules import (
    Curve,
    Rules,
    parse_bars,
    parse_curve,
    parse_drums,
    parse_rules,
    refuse_rules,
    told_rules,
)


def test_levels_are_one_for_all_one_for_each_or_a_curve() -> None:
    assert parse_curve("5", "density").over(3, "density") == (5, 5, 5)
    assert parse_curve("3,-,low", "density").over(3, "density") == (3, None, 3)
    assert parse_curve("low..high", "density").over(4, "density") == (3, 5, 7, 9)
    assert parse_curve("0..8..0", "density").over(5, "density") == (0, 4, 8, 4, 0)
    assert parse_curve("2..9", "density").over(1, "density") == (2,)


def test_levels_for_other_bars_than_there_are_are_named() -> None:
    with pytest.raises(OutOfRange, match="density: 3 levels for 8 bars; give one for each, one for all, or a curve"):
        Curve((1, 2, 3)).over(8, "density")


@pytest.mark.parametrize("text", ["12", "loud", "3..-", "", "-1", "1..", "1e3"])
def test_what_is_no_level_is_named(text: str) -> None:
    with pytest.raises(OutOfRange, match="loudness"):
        parse_curve(text, "loudness")


@pytest.mark.parametrize("text", ["5", "3,-,4", "2..9..4"])
def test_a_curve_is_written_as_it_is_read(text: str) -> None:
    assert parse_curve(text, "density").text == text


def test_bars_are_counted_from_one_and_may_be_open() -> None:
    assert [parse_bars(text) for text in ("5-8", "5", "5-", " 1 - 2 ")] == [(5, 8), (5, 5), (5, None), (1, 2)]


@pytest.mark.parametrize("text", ["8-5", "0-4", "x", "", "-4", "1-2-3"])
def test_bars_that_are_none_are_named(text: str) -> None:
    with pytest.raises(OutOfRange, match=r"write 5-8, 5 or 5-"):
        parse_bars(text)


def test_drums_by_name_and_number() -> None:
    assert parse_drums("hats") == (42, 44)
    assert parse_drums("snare, 51, closed hi-hat") == (38, 40, 42, 51)
    assert parse_drums("E1") == (28,)
    with pytest.raises(UnknownName, match="'kazoo' is no drum and no pitch"):
        parse_drums("kazoo")


def test_rules_in_words() -> None:
    rules = parse_rules(
        without="piano", meter="7/8,4/4", grid="1/16", pitches=["drums=hats"], levels={"density": "4", "velocity": None}
    )
    assert rules.meters == (Meter(7, 8), Meter(4, 4))
    assert (rules.grid, rules.pitches, dict(rules.levels)) == ("1/16", {"drums": (42, 44)}, {"density": Curve((4,))})
    assert parse_rules(meter="7/8") == Rules()
    told = {name: value for name, value in told_rules(rules).items() if value is not None}
    assert told == {
        "without": ["Piano"], "meters": "7/8,4/4", "grid": "1/16", "pitches": {"drums": [42, 44]},
        "levels": {"density": "4"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda: parse_rules(grid="1/7"), UnknownName, "1/16"),
        (lambda: parse_rules(pitches=["drums"]), OutOfRange, "try 'drums=hats,snare'"),
        (lambda: parse_rules(without="zither"), UnknownName, "zither"),
        (lambda: refuse_rules(Rules(grid="1/8"), "shred"), UsageError, "--grid is for bundles of recipe band"),
    ],
)
def test_what_cannot_be_is_refused(wrong: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        wrong()


def test_nothing_asked_is_nothing_to_refuse() -> None:
    refuse_rules(Rules(), "shred")
    assert Rules().asked() == []

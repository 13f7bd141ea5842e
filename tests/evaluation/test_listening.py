"""What a listening test asks: balanced over sources, sides and readers, in an order that gives nothing away."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from woodshed.errors import OutOfRange, UnknownName
from woodshed.evaluation import listening
from woodshed.evaluation.listening import (
    SHEETS,
    Design,
    check_question,
    design_pairs,
    design_turing,
    fnv1a,
    reader_key,
    sheet_number,
)

REAL, BASE, HOT = (tuple(f"{name}{number}" for number in range(6)) for name in "rbh")


def pairs(count: int = 6, checks: int = 2, seed: int = 0) -> Design:
    return design_pairs([REAL[:count], BASE[:count], HOT[:count]], checks, np.random.default_rng(seed))


def turing(checks: int = 2, seed: int = 0) -> Design:
    return design_turing(REAL, [BASE[:3], HOT[:3]], checks, np.random.default_rng(seed))


def heard(design: Design, sheet: int) -> list[tuple[str, ...]]:
    """What a reader with that sheet hears, trial by trial, in order, without what is asked again."""
    asked = [design.trials[entry // 2][:: -1 if entry % 2 else 1] for entry in design.sheets[sheet]]
    return asked[: len(design.trials)]


def test_every_two_sources_meet_equally_often() -> None:
    met = Counter(frozenset(clip[0] for clip in trial) for trial in pairs().trials)
    assert met == {frozenset("rb"): 6, frozenset("rh"): 6, frozenset("bh"): 6}
    assert Counter(clip for trial in pairs().trials for clip in trial) == dict.fromkeys((*REAL, *BASE, *HOT), 2)


def test_every_sheet_asks_every_trial_once_and_the_first_ones_again_with_the_sides_exchanged() -> None:
    for sheet in pairs(checks=3).sheets:
        once, again = sheet[:18], sheet[18:]
        assert sorted(entry // 2 for entry in once) == list(range(18))
        assert again == tuple(entry ^ 1 for entry in once[:3])


@pytest.mark.parametrize("count", [4, 5])
def test_on_every_sheet_each_of_two_sources_comes_first_equally_often(count: int) -> None:
    design = pairs(count)
    for sheet in range(SHEETS):
        first = Counter("".join(clip[0] for clip in trial) for trial in heard(design, sheet))
        for one, other in ("rb", "rh", "bh"):
            assert abs(first[one + other] - first[other + one]) <= count % 2


def test_over_two_sheets_every_trial_has_been_heard_from_both_sides() -> None:
    design = pairs(5)
    for sheet in range(0, SHEETS, 2):
        assert Counter(heard(design, sheet)) == Counter(trial[::-1] for trial in heard(design, sheet + 1))


def test_sides_and_places_are_balanced_over_many_readers() -> None:
    """6,000 readers with names of their own: every source is heard first, and at every place, as often as any other."""
    design, first, places = pairs(), Counter[str](), np.zeros((18, 3))
    drawn = Counter(sheet_number("a1b2c3", f"reader {number}") for number in range(6000))
    for sheet, readers in drawn.items():
        for place, trial in enumerate(heard(design, sheet)):
            first[trial[0][0]] += readers
            for clip in trial:
                places[place, "rbh".index(clip[0])] += readers
    assert all(abs(count / first.total() - 1 / 3) < 0.001 for count in first.values())
    assert np.abs(places / places.sum(1, keepdims=True) - 1 / 3).max() < 0.06  # 120 orders: 4 standard errors
    assert set(drawn) == set(range(SHEETS))
    assert sum((count - 50) ** 2 / 50 for count in drawn.values()) < 175  # chi-square of 119 degrees at p = 0.001


def test_readers_have_orders_of_their_own() -> None:
    assert len({sheet[:18] for sheet in pairs().sheets}) == SHEETS
    assert sheet_number("t", "Ann") != sheet_number("t", "Ben")
    assert sheet_number("t", "Ann") != sheet_number("u", "Ann")


def test_a_clip_is_seldom_heard_twice_running() -> None:
    design = pairs()
    near = sum(
        not set(one).isdisjoint(two)
        for sheet in range(SHEETS)
        for one, two in zip(heard(design, sheet), heard(design, sheet)[1:], strict=False)
    )
    assert near / SHEETS < 0.5  # in any order it would be 17 * 2 / 17 = 2


def test_half_of_the_clips_to_judge_are_human_and_every_model_made_as_many() -> None:
    design = turing()
    assert Counter(clip[0] for (clip,) in design.trials) == {"r": 6, "b": 3, "h": 3}
    for sheet in design.sheets:
        assert sorted(sheet[:12]) == list(range(0, 24, 2))
        assert sheet[12:] == sheet[:2]


def test_the_numbers_of_trials_and_the_order_in_a_trial_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over many tests, a source stands at every number and on both sides alike."""
    monkeypatch.setattr(listening, "SHEETS", 2)
    places, sides = np.zeros(12), Counter[str]()
    for seed in range(300):
        places += [clip.startswith("r") for (clip,) in turing(seed=seed).trials]
    assert np.abs(places / 300 - 0.5).max() < 0.12
    for seed in range(100):
        sides += Counter(trial[0][0] for trial in pairs(seed=seed).trials)
    assert all(abs(count / sides.total() - 1 / 3) < 0.05 for count in sides.values())


def test_a_short_test_asks_little_again() -> None:
    assert {len(sheet) for sheet in pairs(1, checks=5).sheets} == {4}


def test_the_same_chance_gives_the_same_test() -> None:
    assert pairs() == pairs()
    assert pairs() != pairs(seed=1)


@pytest.mark.parametrize("sources", [[], [REAL], [REAL, ()], [REAL, BASE[:3]]])
def test_sources_that_cannot_be_balanced_are_refused(sources: list[tuple[str, ...]]) -> None:
    with pytest.raises(OutOfRange, match="the same number of clips"):
        design_pairs(sources, 0, np.random.default_rng(0))


def test_as_many_human_clips_as_machine_ones_are_needed() -> None:
    with pytest.raises(OutOfRange, match="6 human clips and 12 of machines"):
        design_turing(REAL, [BASE, HOT], 0, np.random.default_rng(0))


def test_the_hash_has_its_published_values() -> None:
    assert [fnv1a(word) for word in (b"", b"a", b"foobar")] == [0x811C9DC5, 0xE40C292C, 0xBF9CF968]


def test_spaces_and_capitals_make_no_other_reader() -> None:
    assert reader_key("  Ann\t LEE ") == reader_key("ann lee") == "ann lee"


def test_a_question_that_there_is_not_is_named() -> None:
    with pytest.raises(UnknownName, match="'triples' is not one of pairs, turing"):
        check_question("triples")

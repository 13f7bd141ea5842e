"""Songs are held out whole groups at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.corpus.split import hold_out_named, split_groups
from woodshed.errors import OutOfRange, UnknownName


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.floats(0.01, 0.9), st.integers(0, 5))
def test_no_group_is_on_both_sides(groups: list[int], fraction: float, seed: int) -> None:
    names = [f"song{number}" for number in range(len(groups))]
    split = split_groups(groups, names, fraction=fraction, seed=seed)
    sides = {group: {side for other, side in zip(groups, split, strict=True) if other == group} for group in groups}
    assert all(len(side) == 1 for side in sides.values())
    assert set(split) == ({"train", "held_out"} if len(sides) > 1 else {"train"})
    assert split == split_groups(groups, names, fraction=fraction, seed=seed)


def test_the_fraction_is_met_when_groups_are_small() -> None:
    names = [f"song{number}" for number in range(200)]
    assert split_groups(range(200), names, fraction=0.1, seed=0).count("held_out") == 20


def test_another_seed_holds_out_other_songs() -> None:
    names = [f"song{number}" for number in range(200)]
    one, other = (split_groups(range(200), names, fraction=0.1, seed=seed) for seed in (0, 1))
    assert one != other


def test_one_more_song_moves_few_others() -> None:
    names = [f"song{number}" for number in range(101)]
    before = split_groups(range(100), names[:100], fraction=0.1, seed=0)
    after = split_groups(range(101), names, fraction=0.1, seed=0)
    assert sum(a != b for a, b in zip(before, after[:100], strict=True)) <= 1


def test_a_group_too_large_to_hold_out_is_passed_over() -> None:
    groups = [0] * 50 + [1]
    names = [f"song{number}" for number in range(51)]
    assert split_groups(groups, names, fraction=0.1, seed=0) == ["train"] * 50 + ["held_out"]


def test_of_few_songs_a_jingle_or_an_opera_is_not_the_one_to_be_held_out() -> None:
    names, sizes = [f"song{number}" for number in range(8)], [2000, 291, 1800, 2500, 9000, 2200, 1500, 3000]
    held = [split_groups(range(8), names, fraction=0.1, seed=seed, sizes=sizes).index("held_out") for seed in range(60)]
    assert set(held) == {0, 2, 3, 5, 6, 7}
    many, odd = [f"song{number}" for number in range(100)], [1000] * 50 + [10] * 50
    split = split_groups(range(100), many, fraction=0.1, seed=0, sizes=odd)
    assert split == split_groups(range(100), many, fraction=0.1, seed=0)


def test_where_all_songs_are_unlike_one_is_held_out_all_the_same() -> None:
    assert split_groups([0, 1], ["a", "b"], fraction=0.1, seed=0, sizes=[10, 10_000]).count("held_out") == 1


@pytest.mark.parametrize("fraction", [-0.1, 1.0])
def test_a_fraction_out_of_range_is_named(fraction: float) -> None:
    with pytest.raises(OutOfRange, match=r"outside 0-0\.9"):
        split_groups([0, 1], ["a", "b"], fraction=fraction, seed=0)


NAMES = [("aa00", "Fire", "x/fire.mid"), ("bb11", "Fire (remix)", "y/other.mid"), ("cc22", "Rain", "z/rain.mid")]


@pytest.mark.parametrize("wanted", ["aa00", "fire", "x/fire.mid", "fire.mid", "x/*"])
def test_a_named_song_takes_its_versions_along(wanted: str) -> None:
    assert hold_out_named([0, 0, 1], NAMES, [wanted]) == ["held_out", "held_out", "train"]


def test_a_song_that_is_not_there_cannot_be_held_out() -> None:
    with pytest.raises(UnknownName, match="'snow' is not among the 3 songs"):
        hold_out_named([0, 0, 1], NAMES, ["rain", "snow"])

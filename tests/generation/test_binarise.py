"""Three ways from chances to cells: frequencies over many draws, thresholds without luck, one pitch at a time."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.errors import OutOfRange, UnknownName
from woodshed.generation.binarise import at_least, bernoulli, chances, check_binariser, monophonic, sharpened
from woodshed.generation.filters import Sampling

DRAWS = 20_000
AS_LEARNED = Sampling(temperature=1.0, top_p=1.0)


def logit(chance: np.ndarray) -> np.ndarray:
    return np.log(chance / (1 - chance))


def near(share: np.ndarray, chance: np.ndarray) -> bool:
    """Within five standard errors."""
    return bool((np.abs(share - chance) < 5 * np.sqrt(chance * (1 - chance) / DRAWS) + 1e-9).all())


def test_each_cell_is_on_as_often_as_its_chance_says() -> None:
    chance = np.linspace(0.02, 0.98, 25)
    drawn = bernoulli(np.tile(logit(chance), (DRAWS, 1)), 1.0, np.random.default_rng(0))
    assert near(drawn.mean(0), chance)
    pairs = (drawn[:, 5] & drawn[:, 6]).mean()
    assert near(np.array([pairs]), chance[5:6] * chance[6:7])  # whatever the other cells are


def test_temperature_moves_chances_towards_a_half_or_away_from_it() -> None:
    logits = np.tile(logit(np.array([0.2, 0.8])), (DRAWS, 1))
    hot = bernoulli(logits, 2.0, np.random.default_rng(0)).mean(0)
    assert near(hot, chances(logits[0] / 2))
    cold = bernoulli(logits, 0, np.random.default_rng(0))
    assert not cold[:, 0].any()
    assert cold[:, 1].all()


def test_the_threshold_leaves_nothing_to_luck() -> None:
    chance = np.array([0.0, 0.1, 0.3, 0.5, 1.0])
    with np.errstate(divide="ignore"):
        logits = logit(chance)
    assert at_least(logits, 0.3 - 1e-12).tolist() == [False, False, True, True, True]
    assert not at_least(np.array([-np.inf]), 1e-12).any()


def test_one_pitch_at_a_time_keeps_each_pitchs_chance_and_that_of_a_note_starting() -> None:
    chance = np.array([0.1, 0.5, 0.25, 0.0001, 0.7])  # four pitches and "struck"
    before = np.zeros((DRAWS, 5), bool)
    before[:, 1] = True
    drawn = monophonic(np.tile(logit(chance), (DRAWS, 1)), before, AS_LEARNED, np.random.default_rng(0))
    assert drawn[:, :4].sum(1).max() == 1
    assert near(drawn[:, :4].mean(0), chance[:4])
    assert near(drawn[:, 4].mean(0, keepdims=True), chance[4:])
    other = drawn[:, [0, 2, 3]].any(1)
    assert drawn[other, 4].all()  # another pitch is always struck


def test_chances_that_leave_nothing_for_rest_are_scaled_down() -> None:
    chance = np.array([0.8, 0.6, 0.9])
    drawn = monophonic(
        np.tile(logit(chance), (DRAWS, 1)), np.zeros((DRAWS, 3), bool), AS_LEARNED, np.random.default_rng(0)
    )
    assert near(drawn[:, :2].mean(0), chance[:2] / 1.4)


def test_a_note_is_never_held_that_did_not_sound() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (DRAWS, 6))
    before = np.zeros((DRAWS, 6), bool)
    before[np.arange(DRAWS // 2), generator.integers(0, 5, DRAWS // 2)] = True
    drawn = monophonic(logits, before, AS_LEARNED, generator)
    held = drawn[:, :5].any(1) & ~drawn[:, 5]
    assert held.any()
    assert (drawn[held, :5] == before[held, :5]).all()


@pytest.mark.parametrize("temperature", [0.1, 0.7, 1.0, 3.0])
def test_a_temperature_can_decide_which_cells_come_on_and_not_how_many(temperature: float) -> None:
    logits = np.random.default_rng(0).normal(-5, 3, (4, 300))
    logits[:, :50] = -np.inf
    moved = sharpened(logits, temperature)
    assert np.allclose(chances(moved).sum(1), chances(logits).sum(1), rtol=1e-3)
    assert (np.argsort(moved[:, 50:], axis=1) == np.argsort(logits[:, 50:], axis=1)).all()
    assert np.isneginf(moved[:, :50]).all()
    likeliest = chances(moved).max() - chances(logits).max()
    assert (likeliest > 0) == (temperature < 1) or temperature == 1


@pytest.mark.parametrize(("name", "threshold", "error", "told"), [
    ("fuzzy", 0.5, UnknownName, "binariser 'fuzzy' is not one of a, b"),
    ("a", 0.0, OutOfRange, "threshold 0 is outside 0-1"),
    ("a", 1.0, OutOfRange, "threshold 1 is outside 0-1"),
    ("a", float("nan"), OutOfRange, "threshold nan is outside"),
])  # fmt: skip
def test_what_is_no_binariser_or_no_chance_is_refused(
    name: str, threshold: float, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        check_binariser(name, ("a", "b"), threshold)

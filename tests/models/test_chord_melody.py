"""The net from chords to cells: shapes, causality, the same step by step, and that it can learn."""

from __future__ import annotations

import pytest
import torch

from woodshed.models import build_model
from woodshed.models.chord_melody import ChordMelody, ChordMelodyConfig

SIZES = {"given": 5, "cells": 4, "width": 8, "layers": 2, "dropout": 0.0}


def net(**changes: object) -> ChordMelody:
    torch.manual_seed(0)
    return ChordMelody(ChordMelodyConfig(**{**SIZES, **changes})).eval()  # type: ignore[arg-type]


def batch(rows: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    return tuple((torch.rand(3, rows, size, generator=chance) < 0.3).float() for size in (5, 4))  # type: ignore[return-value]


@pytest.mark.parametrize("feedback", [True, False])
def test_a_row_sees_the_rows_before_it_and_nothing_of_itself_or_later(feedback: bool) -> None:
    model, (given, roll) = net(feedback=feedback), batch()
    before = model(given, roll)
    assert before.shape == (3, 12, 4)
    changed = roll.clone()
    changed[:, 6] = 1 - changed[:, 6]
    after = model(given, changed)
    assert torch.equal(after[:, :7], before[:, :7])
    assert torch.equal(after, before) != feedback
    later = given.clone()
    later[:, 6] = 1 - later[:, 6]
    moved = model(later, roll)
    assert torch.equal(moved[:, :6], before[:, :6])
    assert not torch.equal(moved[:, 6], before[:, 6])


@pytest.mark.parametrize("feedback", [True, False])
def test_step_by_step_it_says_the_same_as_in_one_pass(feedback: bool) -> None:
    model, (given, roll) = net(feedback=feedback), batch()
    state, last, stepped = model.start(3), torch.zeros(3, 4), []
    for row in range(12):
        logits, state = model.step(given[:, row], last, state)
        stepped.append(logits)
        last = roll[:, row]
    assert torch.allclose(torch.stack(stepped, 1), model(given, roll), atol=1e-6)


def test_nats_are_those_of_each_cell() -> None:
    model, (given, roll) = net(), batch()
    chance = model(given, roll).sigmoid()
    expected = -torch.where(roll > 0, chance, 1 - chance).log()
    assert torch.allclose(model.nats(given, roll), expected, atol=1e-5)


def test_it_learns_one_bar_by_heart() -> None:
    model, (given, roll) = net(width=24).train(), batch(16)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(150):
        optimiser.zero_grad()
        model.nats(given, roll).mean().backward()
        optimiser.step()
    assert float(model.nats(given, roll).mean().detach()) < 0.02


@pytest.mark.parametrize("change", [{"width": 0}, {"layers": 17}, {"cells": True}, {"dropout": 1.0}])
def test_sizes_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"model {next(iter(change))}"):
        build_model({"name": "chord-melody", **SIZES, **change})

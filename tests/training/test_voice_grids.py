"""Training on chorales: it learns, the same for a seed, and no pointer shows a piece itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from woodshed.codecs.voice_grid import HISTORY_AT, POINTERS, VOICES, Passages
from woodshed.errors import OutOfRange
from woodshed.models.voice_grid import VoiceGridConfig, VoiceGridNet
from woodshed.training.voice_grids import (
    Piece,
    VoiceGridTraining,
    as_batch,
    as_pieces,
    held_out_frame_nats,
    train_voice_grid,
)

ORDER = (0, 3, 1, 2)


def some(count: int) -> list[Piece]:
    chance = np.random.default_rng(0)
    grids = [np.repeat(chance.integers(50, 70, (6 + at, 4)), 4, 0) for at in range(count)]
    return as_pieces(grids, Passages(grids), learned=True)


def trained(pieces: list[Piece], **options: float) -> tuple[VoiceGridNet, list[float]]:
    torch.manual_seed(0)
    net = VoiceGridNet(VoiceGridConfig(width=8, hidden=16, dropout=0.1))
    heard: list[float] = []
    settings = VoiceGridTraining(**{"steps": 30, "batch": 2, "learning_rate": 0.01, "evaluations": 3, **options})
    return train_voice_grid(net, pieces, pieces[:2], settings, lambda _, nats: heard.append(nats)), heard


def test_it_learns_and_keeps_the_best_average() -> None:
    pieces = some(4)
    net, heard = trained(pieces)
    assert len(heard) == 3
    assert heard[-1] < heard[0]
    assert held_out_frame_nats(net, pieces[:2], ORDER) == pytest.approx(min(heard), abs=1e-4)


def test_the_same_seed_gives_the_same_weights() -> None:
    (one, _), (two, _) = (trained(some(3), steps=4, seed=3) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_training_leaves_the_callers_chance_alone() -> None:
    net, before = VoiceGridNet(VoiceGridConfig(width=8, hidden=8)), torch.get_rng_state()
    train_voice_grid(net, some(2), some(2), VoiceGridTraining(steps=2, batch=1))
    assert torch.equal(before, torch.get_rng_state())


def test_a_learned_piece_is_not_among_the_others_that_its_pointers_look_into() -> None:
    for piece in some(3):
        trust = piece.rows[:, HISTORY_AT - VOICES * POINTERS : HISTORY_AT].reshape(-1, VOICES, POINTERS)
        whole = trust[20:, :, 1]  # all four voices elsewhere: these random pieces have nothing in common
        assert (whole == 0).mean() > 0.9


def test_pieces_of_unequal_length_score_as_they_do_alone() -> None:
    pieces = some(3)
    net = VoiceGridNet(VoiceGridConfig(width=8, hidden=16)).eval()
    together = held_out_frame_nats(net, pieces, ORDER)
    nats = [held_out_frame_nats(net, [piece], ORDER) * len(piece.cells) for piece in pieces]
    assert together == pytest.approx(sum(nats) / sum(len(piece.cells) for piece in pieces), abs=1e-4)


def test_a_batch_says_which_frames_are_there() -> None:
    batch = as_batch(some(2))
    assert batch.there.sum(1).tolist() == [24, 28]
    assert batch.cells.shape == (2, 28, 4)


def test_nothing_to_learn_from_is_named() -> None:
    with pytest.raises(OutOfRange, match="0 pieces to learn and 2 held out"):
        train_voice_grid(VoiceGridNet(VoiceGridConfig(width=8, hidden=8)), [], some(2), VoiceGridTraining(steps=1))

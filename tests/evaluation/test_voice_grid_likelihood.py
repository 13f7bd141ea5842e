"""The likelihood of a mixture of nets, keys and orders: it is a distribution, and that of one net is the net's own."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from woodshed.codecs.voice_grid import REST, Passages, listen
from woodshed.evaluation.voice_grid_likelihood import log_chances
from woodshed.evaluation.voice_grids import mixture_nats
from woodshed.models.voice_grid import VoiceGridConfig, VoiceGridNet
from woodshed.training.voice_grids import as_batch, as_pieces, count, with_counts

ORDERS = ((0, 3, 1, 2), (3, 2, 1, 0))


def tiny(seed: int, **sizes: int) -> VoiceGridNet:
    torch.manual_seed(seed)
    return VoiceGridNet(VoiceGridConfig(width=8, hidden=8, **sizes)).eval()


def test_a_mixture_of_nets_keys_and_orders_is_a_distribution_over_frames() -> None:
    nets = [tiny(seed, cells=3, lowest=60) for seed in (0, 1)]
    rows = torch.from_numpy(listen(np.full((1, 4), 60)).astype(np.int64))[None]
    rows[..., 4:8] = 60  # the voices' middles are no pitches of these nets
    frames = torch.tensor([*product((REST, 60, 61), repeat=4)])[:, None]
    chances = log_chances(nets, rows.expand(len(frames), -1, -1), frames, ORDERS, sharpness=(1.0, 1.3))
    assert chances.shape == (2, 2, 81, 1, 4)
    for sharp in chances.sum(-1)[..., 0].numpy():
        assert sum(np.exp(-mixture_nats(sharp[:, at : at + 1])[0]) for at in range(81)) == pytest.approx(1, abs=1e-5)


def test_one_net_in_one_order_is_the_net_itself() -> None:
    net = tiny(0)
    cells = np.random.default_rng(0).integers(50, 70, (12, 4))
    rows = torch.from_numpy(listen(cells).astype(np.int64))[None]
    whole = torch.from_numpy(cells)[None]
    found = log_chances([net], rows, whole, ORDERS)
    for number, order in enumerate(ORDERS):
        own = net.nats(rows, whole, torch.zeros(1, dtype=torch.int64), order)
        assert torch.allclose(-found[0, number], own, atol=1e-5)


def test_what_was_counted_is_heard_as_in_training() -> None:
    net, pieces = tiny(0), []
    for seed in range(3):
        pieces.append(np.repeat(np.random.default_rng(seed).integers(50, 70, (6, 4)), 2, 0))
    learned = as_pieces(pieces[:2], Passages(pieces[:2]), learned=True)
    counts = count(learned)
    (piece,) = with_counts(as_pieces(pieces[2:], Passages(pieces[:2]), learned=False), counts, learned=False)
    batch = as_batch([piece], ORDERS[0])
    found = log_chances([net], batch.rows, batch.cells, ORDERS[:1], counts=counts)
    told = batch.nats(net, torch.zeros(1, dtype=torch.int64))
    assert torch.allclose(-found[0, 0], told, atol=2e-2)  # training keeps counts in half precision
    assert not torch.allclose(told, log_chances([net], batch.rows, batch.cells, ORDERS[:1])[0, 0].neg(), atol=0.1)


def test_a_key_is_heard_as_the_transposed_piece() -> None:
    net = tiny(0)
    cells = np.random.default_rng(0).integers(50, 70, (12, 4))
    rows = torch.from_numpy(listen(cells).astype(np.int64))[None]
    whole, key = torch.from_numpy(cells)[None], torch.tensor([3])
    found = log_chances([net], rows, whole, ORDERS[:1], shifts=(3,))
    assert torch.allclose(-found[0, 0], net.nats(rows, whole, key, ORDERS[0]), atol=1e-5)

"""The net of four voices on a grid: exact, causal, and the same whether it goes step by step or all at once."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
import torch
from torch import Tensor

from woodshed.codecs.voice_grid import REST, listen
from woodshed.codecs.voice_grid_ahead import ahead
from woodshed.models.voice_grid import VoiceGridConfig, VoiceGridNet

ORDERS = ((0, 1, 2, 3), (3, 0, 2, 1))
NO_SHIFT = torch.zeros(1, dtype=torch.int64)


def tiny(shown: bool = False, cells: int = 67) -> VoiceGridNet:
    torch.manual_seed(0)
    config = VoiceGridConfig(width=8, hidden=8, layers=2, cells=cells, lowest=28 if cells == 67 else 60, shown=shown)
    return VoiceGridNet(config).eval()


def piece(frames: int, seed: int = 0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    cells = np.cumsum(chance.choice([0, 0, 1, -1], (frames, 4)), 0) + (71, 65, 59, 51)
    return np.where(chance.random(cells.shape) < 0.05, REST, cells)


def tensors(cells: np.ndarray) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(listen(cells).astype(np.int64))[None], torch.from_numpy(cells)[None]


@pytest.mark.parametrize("order", [*permutations(range(4))][::5])
def test_the_chances_of_all_frames_there_can_be_sum_to_one(order: tuple[int, ...]) -> None:
    net = tiny(cells=3)  # a rest and two pitches: 81 frames
    rows = torch.from_numpy(listen(np.full((1, 4), 60)).astype(np.int64))[None]
    rows[..., 4:8] = 60  # the voices' middles are no pitches of this net
    frames = torch.tensor([*product((REST, 60, 61), repeat=4)])[:, None]
    nats = net.nats(rows.expand(len(frames), -1, -1), frames, NO_SHIFT.expand(len(frames)), order)
    assert (-nats.sum(-1)).exp().sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("order", ORDERS)
def test_what_comes_later_changes_no_chance_before_it(order: tuple[int, ...]) -> None:
    net, cells, other = tiny(), piece(40), piece(40, 1)
    for cut in (0, 1, 20, 39):
        mixed = np.concatenate((cells[:cut], other[cut:]))
        before = net.nats(*tensors(cells), NO_SHIFT, order)
        after = net.nats(*tensors(mixed), NO_SHIFT, order)
        assert torch.allclose(before[:, :cut], after[:, :cut], atol=1e-6)
        assert not torch.allclose(before[:, cut:], after[:, cut:], atol=1e-3)


def test_within_a_frame_a_voice_knows_only_the_voices_before_it() -> None:
    net, cells = tiny(), piece(12)
    order = (3, 0, 2, 1)
    rows, whole = tensors(cells)
    for place, voice in enumerate(order):
        changed = whole.clone()
        changed[0, 11, voice] += 2
        before, after = (net.nats(rows, x, NO_SHIFT, order)[0, 11] for x in (whole, changed))
        assert torch.allclose(before[list(order[:place])], after[list(order[:place])], atol=1e-6)
        assert not torch.allclose(before[voice], after[voice], atol=1e-4)


def test_step_by_step_is_the_same_as_all_at_once() -> None:
    net, (rows, _) = tiny(), tensors(piece(30))
    whole, state = net.body(rows, NO_SHIFT), net.start(1)
    for at in range(30):
        known, state = net.step(rows[:, at], NO_SHIFT, state)
        assert torch.allclose(known, whole[:, at], atol=1e-5)


@pytest.mark.parametrize(("intervals", "fifth"), [(3, 1), (12, 7)])
def test_the_table_of_motion_reaches_parallel_fifths_and_nothing_else(intervals: int, fifth: int) -> None:
    torch.manual_seed(0)
    net = VoiceGridNet(VoiceGridConfig(width=8, hidden=8, intervals=intervals)).eval()
    rows, cells = tensors(np.array([[72, 65, 59, 51], [74, 67, 59, 51]]))  # soprano and alto: a fifth, and another
    decided = {0: cells[..., 0]}
    known = net.body(rows, NO_SHIFT)
    before = net.logits(known, rows, NO_SHIFT, 1, decided)[0, 1]
    up, table = 2, net.counterpoint.data.view(4, 4, intervals, 3, 3, intervals)
    table[1, 0, fifth, up, up, fifth] = -5  # alto with soprano, from a fifth, both up, to a fifth
    after = net.logits(known, rows, NO_SHIFT, 1, decided)[0, 1]
    changed = (torch.flatten((before != after).nonzero()) + net.config.lowest - 1).tolist()
    assert changed == [67, 81, 93]  # a fifth or twelfth from D5, above the F4 that the alto comes from


def test_a_net_that_is_told_the_transposition_scores_the_transposed_piece() -> None:
    net, cells = tiny(), piece(20)
    rows, whole = tensors(cells)
    higher = net.nats(rows, whole, NO_SHIFT + 3, (0, 1, 2, 3))
    lower = net.nats(rows, whole, NO_SHIFT, (0, 1, 2, 3))
    assert higher.shape == (1, 20, 4)
    assert not torch.allclose(higher, lower, atol=1e-3)


def test_a_shown_soprano_costs_nothing_and_its_future_is_heard() -> None:
    net, (rows, cells) = tiny(shown=True), tensors(piece(20))
    rows = torch.cat((rows, torch.from_numpy(ahead(cells[0, :, 0].numpy()).astype(np.int64))[None]), -1)
    later = cells.clone()
    later[:, 15:, 0] = 76
    here, there = (net.nats(rows, x, NO_SHIFT, (0, 3, 1, 2)) for x in (cells, later))
    assert (here[..., 0] == 0).all()
    assert not torch.allclose(here[:, 14, 1:], there[:, 14, 1:], atol=1e-5)
    rows[:, 14, -18:] = torch.from_numpy(ahead(later[0, :, 0].numpy())[14].astype(np.int64))
    told = net.nats(rows, cells, NO_SHIFT, (0, 3, 1, 2))
    assert not torch.allclose(here[:, 14, 1:], told[:, 14, 1:], atol=1e-5)


def test_it_learns_one_bar_by_heart() -> None:
    torch.manual_seed(0)
    net = VoiceGridNet(VoiceGridConfig(width=8, hidden=8, layers=2, dropout=0.0))
    rows, cells = tensors(piece(16))
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(60):
        loss = net.nats(rows, cells, NO_SHIFT, (0, 3, 1, 2)).sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5

"""The frame model: exact over all frames, causal, and the same frame by frame as in one pass."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from woodshed.codecs.frame_past import RECORDS, FramePast, Roll
from woodshed.models.frame_rnn import FrameInputs, FrameRNN, FrameRNNConfig

KEYS = 5


def _chance(frames: int, seed: int) -> Roll:
    return np.random.default_rng(seed).random((frames, KEYS)) < 0.4


PAST = FramePast([_chance(40, 1), _chance(40, 2)], lags=(1, 2, 4), matches=(1, 2), orders=(1, 2))


def _small(**sizes: float) -> FrameRNN:
    config = {"input_dropout": 0.0, "dropout": 0.0, "pointer_dropout": 0.0, **sizes}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = FrameRNN(FrameRNNConfig(pointers=PAST.pointers, keys=KEYS, width=8, head_width=8, **config))  # type: ignore[arg-type]
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.5)
        return net


@pytest.fixture(scope="module")
def net() -> FrameRNN:
    return _small().eval()


def _inputs(roll: Roll) -> tuple[FrameInputs, Tensor]:
    """Frames 2..T of one piece, and the symbols that came."""
    study = PAST.study(roll)
    rows = study.symbols[:, 0] > 0
    frame, last, target = torch.from_numpy(study.symbols[rows].astype(np.int64).T)
    tables = (torch.from_numpy(table.astype(np.int64)) for table in (study.expected[rows], study.agrees[rows]))
    read = torch.from_numpy(roll[None, :-1].astype(np.float32))
    scored = torch.ones(read.shape[:2], dtype=torch.bool)
    records = torch.from_numpy(study.records[1:].astype(np.int64))
    zero = torch.zeros(1, dtype=torch.int64)
    return FrameInputs(read, zero, zero, scored, records, frame - 1, last, *tables), target


def _frame_logs(net: FrameRNN, roll: Roll) -> Tensor:
    """(T - 1,) log-probability of each frame from the second."""
    inputs, target = _inputs(roll)
    with torch.inference_mode():
        each = net(inputs).gather(1, target[:, None])[:, 0]
    return torch.zeros(len(roll) - 1).index_add(0, inputs.frame, each)


@pytest.mark.parametrize("frames", [1, 6])
def test_the_chances_of_all_frames_that_can_come_add_up_to_one(net: FrameRNN, frames: int) -> None:
    heard = _chance(frames, 7)
    logs = [
        _frame_logs(net, np.concatenate((heard, [np.array(frame, bool)])))[-1]
        for frame in product((False, True), repeat=KEYS)
    ]
    assert len(logs) == 2**KEYS
    assert float(torch.stack(logs).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_frames_to_come_change_nothing(net: FrameRNN) -> None:
    roll = np.tile(_chance(5, 8), (4, 1))
    for cut in (2, 5, 19):
        other = np.concatenate((roll[:cut], ~roll[cut:]))
        before, after = _frame_logs(net, roll), _frame_logs(net, other)
        assert torch.allclose(before[: cut - 1], after[: cut - 1], atol=1e-6)
        assert not torch.allclose(before[cut - 1 :], after[cut - 1 :], atol=1e-3)


def test_frame_by_frame_is_the_same_as_in_one_pass(net: FrameRNN) -> None:
    roll = _chance(16, 9)
    stepwise = [_frame_logs(net, roll[:heard])[-1] for heard in range(2, len(roll) + 1)]
    assert torch.allclose(torch.stack(stepwise), _frame_logs(net, roll), atol=1e-5)


def test_keys_in_a_frame_know_those_below_alone(net: FrameRNN) -> None:
    low, high = _chance(6, 4), _chance(6, 4)
    low[-1], high[-1] = [True, False, True, False, False], [True, False, True, True, True]
    logs = [net(_inputs(roll)[0]) for roll in (low, high)]
    same = len(logs[0]) - 1  # the last symbol of the shorter: after keys 0 and 2
    assert torch.allclose(logs[0][: same + 1], logs[1][: same + 1], atol=1e-6)
    assert (logs[0][same, :3] < -1e6).all()


def test_it_learns_to_follow_a_pointer() -> None:
    net, roll = _small(), np.tile(_chance(4, 5), (8, 1))
    inputs, target = _inputs(roll)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    costs = []
    for _ in range(60):
        loss = -net(inputs).gather(1, target[:, None]).sum() / len(inputs.records)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        costs.append(float(loss.detach()))
    assert costs[-1] < 0.3 < 2 < costs[0]


def test_dropout_is_for_training_alone() -> None:
    net, roll = _small(input_dropout=0.5, dropout=0.5, pointer_dropout=0.5), _chance(12, 6)
    inputs = _inputs(roll)[0]
    with torch.random.fork_rng():
        assert not torch.equal(net(inputs), net(inputs))
    assert torch.equal(net.eval()(inputs), net(inputs))


def test_the_records_are_those_of_the_codec() -> None:
    assert FrameRNNConfig(pointers=1).records == RECORDS


@pytest.mark.parametrize(
    "size", [{"keys": 0}, {"pointers": 0}, {"width": 5000}, {"dropout": 1.0}, {"pointer_dropout": -0.1}]
)
def test_sizes_out_of_range_are_named(size: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(size))):
        FrameRNNConfig(**{"pointers": 3, **size})  # type: ignore[arg-type]

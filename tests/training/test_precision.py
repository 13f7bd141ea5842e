"""How precisely a step is worked out: as asked, where the processor can, with the same gradient but for rounding."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from woodshed.errors import UnknownName
from woodshed.models.event_rnn import EventRNN, EventRNNConfig
from woodshed.models.window_rnn import DeepRock, DeepRockConfig
from woodshed.training import precision
from woodshed.training.loop import TrainingOptions
from woodshed.training.precision import lower_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "can", "lower"), [
    ("auto", True, False), ("float32", True, False), ("bfloat16", True, True), ("bfloat16", False, False),
])  # fmt: skip
def test_a_processor_works_in_bfloat16_if_asked_and_able(
    name: str, can: bool, lower: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_has_instructions", lambda: can)
    with lower_precision(name, CPU):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if lower else torch.float32)


def test_an_unknown_precision_is_named() -> None:
    with pytest.raises(UnknownName, match=r"training\.precision 'half' is not one of auto, float32, bfloat16"):
        replace(TrainingOptions(), precision="half")


@pytest.mark.parametrize("attention", [0, 3])
def test_a_gradient_worked_out_by_hand_stays_in_float32(attention: int) -> None:
    net = EventRNN(EventRNNConfig(inputs=5, labels=4, width=8, dropout=0.0, attention=attention))
    active = torch.arange(24).view(2, 6, 2) % 5
    exact = torch.autograd.grad(net(active).logsumexp(-1).sum(), list(net.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(active)
    rough = torch.autograd.grad(logits.float().logsumexp(-1).sum(), list(net.parameters()))
    for one, other in zip(exact, rough, strict=True):
        assert other.dtype == torch.float32
        torch.testing.assert_close(other, one, rtol=0.1, atol=0.05)


def test_nets_of_windows_learn_in_bfloat16_with_float32_weights() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = DeepRock(DeepRockConfig(4, 6, 8, 8, 0.0, 0.0))
    windows, targets = torch.rand(5, 6, 1), torch.tensor([0, 1, 2, 3, 0])
    exact = net.loss(windows, targets)
    with torch.autocast("cpu", torch.bfloat16):
        rough = net.loss(windows, targets)
    rough.backward()
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.02, atol=0)
    assert all(parameter.grad is not None and parameter.grad.dtype == torch.float32 for parameter in net.parameters())

"""The three window nets: as many parameters as Keras counts, the same said in every way of reading, able to learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from woodshed.models.keras_lstm import KerasLstm, select
from woodshed.models.pitch_step_duration import (
    PitchStepDuration,
    PitchStepDurationConfig,
    squared_with_positive_pressure,
)
from woodshed.models.window_rnn import DeepRock, DeepRockConfig, Shred, ShredConfig

LENGTH, EVENTS = 6, 11


def _seeded(build: Any, config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(config)


def _nets() -> dict[str, Any]:
    nets = {
        "shred": _seeded(Shred, ShredConfig(EVENTS, window=LENGTH, width=8, hidden=7)),
        "deeprock": _seeded(DeepRock, DeepRockConfig(EVENTS, window=LENGTH, width=8, hidden=7)),
        "pitch-step-duration": _seeded(PitchStepDuration, PitchStepDurationConfig(window=LENGTH, width=8)),
    }
    return {name: net.eval() for name, net in nets.items()}


NETS = _nets()
CARRIED = [name for name, net in NETS.items() if hasattr(net, "step")]


def _windows(name: str, count: int, length: int = LENGTH) -> torch.Tensor:
    inputs = 3 if name == "pitch-step-duration" else 1
    return torch.rand(count, length, inputs, generator=torch.Generator().manual_seed(1))


def _targets(name: str, count: int) -> torch.Tensor:
    chance = torch.Generator().manual_seed(2)
    if name == "pitch-step-duration":
        return torch.rand(count, 3, generator=chance) * torch.tensor([127.0, 1.0, 1.0])
    return torch.randint(EVENTS, (count,), generator=chance)


def _all(said: Any) -> torch.Tensor:
    """What a net says as one table, be it learning or playing."""
    if isinstance(said, tuple):
        return torch.cat((_all(said.pitch), _all(said.step)[:, None], _all(said.duration)[:, None]), 1)
    return torch.as_tensor(said)


def _lstm(inputs: int, width: int) -> int:
    """Parameters of an LSTM layer as Keras counts them."""
    return 4 * (width * (inputs + width) + width)


def _dense(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


@pytest.mark.parametrize("vocabulary", [1, 97, 352])
def test_parameters_are_as_many_as_keras_counts(vocabulary: int) -> None:
    shred = _lstm(1, 128) + _lstm(128, 128) + _dense(50 * 128, 256) + _dense(256, vocabulary)
    deeprock = _lstm(1, 256) + _lstm(256, 256) + _dense(256, 128) + _dense(128, vocabulary)
    nets: list[tuple[nn.Module, int]] = [
        (Shred(ShredConfig(vocabulary)), shred),
        (DeepRock(DeepRockConfig(vocabulary)), deeprock),
        (PitchStepDuration(PitchStepDurationConfig()), 84_354),
    ]
    for net, wanted in nets:
        assert sum(parameter.numel() for parameter in net.parameters()) == wanted
        assert sum(tensor.numel() for tensor in net.state_dict().values()) == wanted


def test_one_bias_is_as_good_as_two() -> None:
    ours = _seeded(lambda _: KerasLstm(3, 5, layers=2, dropout=0.0), None)
    theirs = nn.LSTM(3, 5, 2, batch_first=True)
    with torch.no_grad():
        for layer in range(2):
            getattr(theirs, f"weight_ih_l{layer}").copy_(ours.from_input[layer])
            getattr(theirs, f"weight_hh_l{layer}").copy_(ours.from_hidden[layer])
            getattr(theirs, f"bias_ih_l{layer}").copy_(ours.bias[layer])
            getattr(theirs, f"bias_hh_l{layer}").zero_()
        torch.testing.assert_close(
            ours(_windows("pitch-step-duration", 4)), theirs(_windows("pitch-step-duration", 4))[0]
        )


def test_it_starts_as_keras_does() -> None:
    lstm = _seeded(lambda _: KerasLstm(4, 8, layers=1, dropout=0.0), None)
    assert lstm.bias[0].tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16
    within = lstm.from_hidden[0]
    torch.testing.assert_close(within.T @ within, torch.eye(8))
    heads = PitchStepDuration(PitchStepDurationConfig()).heads.weight
    assert heads[:128].abs().max() <= (6 / (128 + 128)) ** 0.5
    assert heads[128:].abs().max() <= (6 / (128 + 1)) ** 0.5


@pytest.mark.parametrize("name", NETS)
def test_shapes_are_those_of_the_source(name: str) -> None:
    said = NETS[name](_windows(name, 5))
    if name == "pitch-step-duration":
        assert [tuple(head.shape) for head in said] == [(5, 128), (5,), (5,)]
    else:
        assert said.shape == (5, EVENTS)


@pytest.mark.parametrize("streams", [1, 2, 3])
@pytest.mark.parametrize("name", NETS)
def test_sliding_says_what_reading_each_window_from_its_start_says(name: str, streams: int) -> None:
    net, stream = NETS[name], _windows(name, streams, length=LENGTH + 9)
    said, state = net.read(stream[:, :LENGTH].numpy())
    for t in range(10):
        with torch.no_grad():
            wanted = net(stream[:, t : t + LENGTH])
        torch.testing.assert_close(_all(said), _all(wanted))
        if t < 9:
            said, state = net.slide(stream[:, t + LENGTH].numpy(), state)


@pytest.mark.parametrize("name", CARRIED)
def test_a_carried_state_has_heard_everything(name: str) -> None:
    net, stream = NETS[name], _windows(name, 3, length=2 * LENGTH)
    state = net.start(3)
    for t in range(2 * LENGTH):
        said, state = net.step(stream[:, t].numpy(), state)
        with torch.no_grad():
            torch.testing.assert_close(_all(said), _all(net(stream[:, : t + 1])))


def test_shred_cannot_carry_a_state_for_it_flattens_its_window() -> None:
    assert CARRIED == ["deeprock", "pitch-step-duration"]


@pytest.mark.parametrize("streams", [2, 3])
@pytest.mark.parametrize("name", NETS)
def test_streams_can_be_chosen_and_doubled(name: str, streams: int) -> None:
    net, stream, index = NETS[name], _windows(name, streams).numpy(), np.array([1, 0, 1, streams - 1])
    event = stream[:, 1]
    if name in CARRIED:
        _, carried = net.step(stream[:, 0], net.start(streams))
        chosen, _ = net.step(event[index], select(carried, index))
        torch.testing.assert_close(_all(chosen), _all(net.step(event, carried)[0])[index])
    _, sliding = net.read(stream)
    slid, _ = net.slide(event[index], select(sliding, index))
    torch.testing.assert_close(_all(slid), _all(net.slide(event, sliding)[0])[index])


@pytest.mark.parametrize("name", NETS)
def test_playing_drops_nothing_and_leaves_the_mode_alone(name: str) -> None:
    net, windows = NETS[name], _windows(name, 2).numpy()
    before = _all(net.read(windows)[0])
    net.train()
    during = _all(net.read(windows)[0])
    assert net.training
    net.eval()
    assert torch.equal(before, during)


@pytest.mark.parametrize("name", NETS)
def test_a_few_windows_can_be_learned_by_heart(name: str) -> None:
    windows, targets = _windows(name, 8), _targets(name, 8)

    def learned() -> tuple[float, torch.Tensor]:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            net = _nets()[name]
            optimiser = torch.optim.Adam(net.parameters(), 0.03)
            for _ in range(200):
                loss = net.loss(windows, targets)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            return loss.item(), torch.cat([parameter.detach().flatten() for parameter in net.parameters()])

    loss, weights = learned()
    assert loss < 0.1
    assert torch.equal(learned()[1], weights)


@pytest.mark.parametrize("name", NETS)
def test_the_loss_is_the_weighted_mean_of_the_losses(name: str) -> None:
    net, windows, targets = NETS[name], _windows(name, 4), _targets(name, 4)
    losses = net.losses(windows, targets)
    weights = torch.tensor([0.05, 1.0, 1.0] if name == "pitch-step-duration" else [1.0])
    assert losses.shape == (4, len(weights))
    torch.testing.assert_close(net.loss(windows, targets), (losses * weights).sum(1).mean())


def test_positive_pressure_is_ten_times_what_lies_below_zero() -> None:
    predicted = torch.tensor([-1.0, -0.1, 0.0, 2.0], requires_grad=True)
    loss = squared_with_positive_pressure(predicted, torch.tensor([0.0, 0.0, 1.0, 2.0]))
    torch.testing.assert_close(loss, torch.tensor([11.0, 1.01, 1.0, 0.0]))
    loss.sum().backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is not None
    torch.testing.assert_close(predicted.grad[:2], torch.tensor([-12.0, -10.2]))


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: ShredConfig(0), "vocabulary 0 is outside 1-"),
        (lambda: ShredConfig(9, window=5000), "window 5000 is outside 1-4096; 50 is usual"),
        (lambda: DeepRockConfig(9, dropout=1.0), "dropout 1.0 is outside 0 to below 1; 0.3 is usual"),
        (lambda: PitchStepDurationConfig(pitch_weight=-1), "pitch_weight -1 is below 0 or no number; 0.05 is usual"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(build: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        build()


def test_a_window_of_another_length_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="a window of 5 events: this net reads 6"):
        NETS["shred"].read(_windows("shred", 1, length=5).numpy())
    assert ShredConfig(**ShredConfig(9).as_dict()) == ShredConfig(9)

"""The melody RNNs: as many parameters as Magenta's, causal, the same one step at a time as all at once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from woodshed.models.event_rnn import EventRNN, EventRNNConfig
from woodshed.models.lstm import Recurrence, add_rows

TINY: dict[str, Any] = {"inputs": 9, "labels": 7, "width": 8, "layers": 2}


def _model(seed: int = 0, **sizes: Any) -> EventRNN:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return EventRNN(EventRNNConfig(**{**TINY, **sizes})).eval()


def _active(batch: int = 3, time: int = 12, count: int = 4, seed: int = 0) -> torch.Tensor:
    """Distinct inputs at every step, some of them -1."""
    chance = torch.Generator().manual_seed(seed)
    order = torch.rand(batch, time, TINY["inputs"], generator=chance).argsort(-1)[..., :count]
    return order.masked_fill(torch.rand(order.shape, generator=chance) < 0.3, -1)


def _stepwise(model: EventRNN, active: torch.Tensor) -> torch.Tensor:
    state, logits = model.start(len(active)), []
    for now in active.unbind(1):
        one, state = model.step(now, state)
        logits.append(one)
    return torch.stack(logits, 1)


@given(
    st.integers(1, 3), st.integers(1, 12), st.integers(1, 3), st.sampled_from([0, 1, 3, 40]), st.integers(0, 1 << 30)
)
def test_one_step_at_a_time_equals_the_full_pass(batch: int, time: int, layers: int, attention: int, seed: int) -> None:
    model, active = _model(seed, layers=layers, attention=attention), _active(batch, time, seed=seed)
    with torch.no_grad():
        torch.testing.assert_close(_stepwise(model, active), model(active), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", [0, 4])
def test_a_later_input_changes_no_earlier_logit(attention: int) -> None:
    model, active = _model(attention=attention), _active()
    changed = active.clone()
    changed[:, 6] = (active[:, 6] + 2) % TINY["inputs"]
    with torch.no_grad():
        before, after = model(active), model(changed)
    assert torch.equal(before[:, :6], after[:, :6])
    assert (before[:, 6:] != after[:, 6:]).any(-1).all()


@pytest.mark.parametrize("attention", [0, 4])
def test_songs_of_a_batch_do_not_hear_each_other(attention: int) -> None:
    model, active = _model(attention=attention), _active()
    with torch.no_grad():
        torch.testing.assert_close(model(active)[1:2], model(active[1:2]))


@pytest.mark.parametrize(("inputs", "labels"), [(38, 38), (130, 130), (38 * 3 + 7, 38 + 2)])
@pytest.mark.parametrize("attention", [0, 40])
def test_the_parameters_are_as_many_as_magentas(inputs: int, labels: int, attention: int) -> None:
    width = 256
    first, second = 4 * width * (inputs + width + 1), 4 * width * (width + width + 1)
    merge, key, score = inputs * (inputs + width + 1), width * width, width
    question = mix = width * (2 * width + 1)
    expected = first + second + labels * (width + 1) + bool(attention) * (merge + key + score + question + mix)
    model = EventRNN(EventRNNConfig(inputs, labels, attention=attention))
    assert sum(p.numel() for p in model.parameters()) == expected


def test_a_layer_is_torchs_lstm_with_its_gates_in_another_order() -> None:
    model, active = _model(layers=1), _active()
    reference = torch.nn.LSTM(TINY["inputs"], 8, batch_first=True)
    layer = model._layers()[0]
    order = [0, 1, 3, 2]  # torch: input, forget, candidate, output
    kernel = torch.cat([layer.kernel.chunk(4, 1)[i] for i in order], 1)
    with torch.no_grad():
        reference.weight_ih_l0.copy_(kernel[: layer.inputs].t())
        reference.weight_hh_l0.copy_(kernel[layer.inputs :].t())
        reference.bias_ih_l0.copy_(torch.cat([layer.bias.chunk(4)[i] for i in order]))
        reference.bias_hh_l0.zero_()
        multi_hot = F.one_hot(active + 1, TINY["inputs"] + 1).sum(2)[..., 1:].float()
        expected = reference(multi_hot)[0] @ model.output + model.output_bias
        torch.testing.assert_close(model(active), expected)


def test_the_gradient_worked_out_by_hand_is_right() -> None:
    chance = torch.Generator().manual_seed(0)
    gates = torch.randn(9, 12, dtype=torch.float64, generator=chance, requires_grad=True)
    weights = torch.randn(3, 12, dtype=torch.float64, generator=chance, requires_grad=True)
    start = [torch.randn(2, 3, dtype=torch.float64, generator=chance, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(Recurrence.apply, (gates, weights, *start, [2, 2, 2, 2, 1]))


@pytest.mark.parametrize("attention", [0, 3])
def test_both_ways_through_the_model_have_the_same_gradient(attention: int) -> None:
    model, active = _model(attention=attention).double(), _active()
    gradients = []
    for logits in (model(active), _stepwise(model, active)):
        gradients.append(torch.autograd.grad(logits.square().sum(), list(model.parameters())))
    for full, stepped in zip(*gradients, strict=True):
        torch.testing.assert_close(full, stepped)


def test_minus_one_names_no_row() -> None:
    table = torch.arange(6.0).view(3, 2)
    assert add_rows(torch.tensor([[0, 2, -1], [-1, -1, -1]]), table).tolist() == [[4, 6], [0, 0]]


def test_the_forget_gate_starts_open() -> None:
    bias = _model()._layers()[1].bias
    assert bias.view(4, -1).mean(1).tolist() == [0, 1, 0, 0]


def test_attention_remembers_exactly_its_length() -> None:
    model, active = _model(attention=3), _active(time=8)
    state = model.start(3)
    seen = []
    with torch.no_grad():
        for now in active.unbind(1):
            _, state = model.step(now, state)
            seen.append(state[-2][:, -1])
    assert [tuple(part.shape) for part in state] == [(3, 8)] * 5 + [(3, 3, 8)] * 2
    torch.testing.assert_close(state[-2], torch.stack(seen[-3:], 1))


@pytest.mark.parametrize("attention", [0, 3])
def test_chosen_states_go_on_as_their_songs_would(attention: int) -> None:
    model, active, index = _model(attention=attention), _active(), torch.tensor([2, 0, 2, 1])
    state = model.start(3)
    with torch.no_grad():
        for now in active[:, :5].unbind(1):
            _, state = model.step(now, state)
        chosen, _ = model.step(active[index, 5], model.select(state, index))
        torch.testing.assert_close(chosen, model(active[:, :6])[index, -1])


@pytest.mark.parametrize("attention", [0, 3])
def test_dropout_is_for_training_only(attention: int) -> None:
    model, active = _model(dropout=0.5, attention=attention), _active()
    with torch.no_grad():
        assert torch.equal(model(active), model(active))
        model.train()
        assert not torch.equal(model(active), model(active))


def test_the_same_seed_gives_the_same_model() -> None:
    active = _active()
    with torch.no_grad():
        assert torch.equal(_model(3, attention=2)(active), _model(3, attention=2)(active))


@pytest.mark.parametrize("attention", [0, 4])
def test_a_short_tune_can_be_learned_by_heart(attention: int) -> None:
    tune = torch.tensor([0, 3, 3, 1, 0, 2, 2, 0, 3, 3, 1, 0, 2, 2])[None]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = EventRNN(EventRNNConfig(4, 4, width=16, layers=2, dropout=0, attention=attention))
        optimiser = torch.optim.Adam(model.parameters(), 0.02)
        for _ in range(100):
            loss = F.cross_entropy(model(tune[:, :-1, None])[0], tune[0, 1:])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert loss.item() < 0.05


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"inputs": 0}, "inputs 0 is outside 1-65536; 38 is usual"),
        ({"labels": 1 << 20}, "labels 1048576 is outside 1-65536"),
        ({"width": 256.0}, "width 256.0 is outside 1-4096; 256 is usual"),
        ({"layers": 17}, "layers 17 is outside 1-16; 2 is usual"),
        ({"attention": -1}, "attention -1 is outside 0-4096; 0 or 40 is usual"),
        ({"dropout": 1.0}, "dropout 1.0 is outside 0 to below 1; 0.5 is usual"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        EventRNNConfig(**{**TINY, **sizes})


def test_attention_stays_finite_over_long_songs() -> None:
    net = EventRNN(EventRNNConfig(inputs=5, labels=4, width=8, layers=1, dropout=0.0, attention=4))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(8.0)  # a net whose loop of mixed outputs grew without end when it was linear
    logits = net(torch.randint(0, 5, (1, 3000, 1)))
    assert torch.isfinite(logits).all()

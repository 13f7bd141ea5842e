"""The Markov chain: true chances at every order, the same one label at a time as all at once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import OutOfRange
from woodshed.models.markov import Markov, MarkovConfig, fit_best_order

LABELS = 4
songs = st.lists(st.lists(st.integers(0, LABELS - 1), max_size=20), max_size=5)
song = st.lists(st.integers(0, LABELS - 1), max_size=20)


def _array(labels: list[int]) -> npt.NDArray[np.int64]:
    return np.array(labels, dtype=np.int64)


def _chain(music: list[list[int]], order: int, labels: int = LABELS) -> Markov:
    return Markov(MarkovConfig(labels, order)).fit([_array(one) for one in music])


def _past(labels: list[int], order: int) -> list[int]:
    return ([-1] * order + labels)[len(labels) :]


def _chances(music: list[list[int]], past: list[int], order: int) -> list[float]:
    """The definition, word by word: a context that was met once is not lengthened, contexts end at the start."""
    counts: dict[tuple[int, ...], Counter[int]] = {}
    for one in music:
        for t, label in enumerate(one):
            before = [-1, *one[:t]]
            for length in range(min(order, t + 1) + 1):
                counts.setdefault(tuple(before[len(before) - length :]), Counter())[label] += 1
    before = [-1, *past]
    chance = [1 / LABELS] * LABELS
    for length in range(min(order, len(before)) + 1):
        context = tuple(before[len(before) - length :])
        followed = counts.get(context)
        if not followed or (length and counts[context[1:]].total() < 2):
            break
        kinds, total = len(followed), followed.total()
        chance = [(followed[label] + kinds * chance[label]) / (total + kinds) for label in range(LABELS)]
    return chance


@given(songs, song, st.integers(0, 6))
def test_chances_are_what_the_definition_says(music: list[list[int]], past: list[int], order: int) -> None:
    logits = _chain(music, order).logits(torch.tensor([_past(past, order)], dtype=torch.int64))
    torch.testing.assert_close(logits.exp()[0], torch.tensor(_chances(music, past, order)))


@given(songs, st.lists(song, min_size=1, max_size=4), st.integers(0, 6))
def test_chances_sum_to_one_in_every_context(music: list[list[int]], pasts: list[list[int]], order: int) -> None:
    contexts = torch.tensor([_past(past, order) for past in pasts], dtype=torch.int64)
    logits = _chain(music, order).logits(contexts)
    assert logits.shape == (len(pasts), LABELS)
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(len(pasts)))


@given(songs, song, st.integers(0, 6))
def test_nats_of_a_song_are_those_of_its_labels_one_at_a_time(
    music: list[list[int]], heard: list[int], order: int
) -> None:
    chain = _chain(music, order)
    state, newest, costs = chain.start(1), -1, []
    for label in heard:
        logits, state = chain.step_label(torch.tensor([newest]), state)
        costs.append(-logits[0, label].double())
        newest = label
    nats = chain.nats(_array(heard))
    assert nats.shape == (len(heard),)
    torch.testing.assert_close(nats, torch.tensor(costs, dtype=torch.float64), atol=1e-5, rtol=1e-5)


@given(songs, song, st.integers(0, 5))
def test_a_chain_of_lower_order_is_a_step_of_a_longer_one(music: list[list[int]], heard: list[int], order: int) -> None:
    by_order = list(_chain(music, 6).nats_by_order([_array(heard)]))
    torch.testing.assert_close(by_order[order], _chain(music, order).nats(_array(heard)))


def test_order_0_is_the_smoothed_share_of_each_label() -> None:
    logits = _chain([[0, 0, 1], [0]], 0).logits(torch.zeros(1, 0, dtype=torch.int64))
    expected = [(3 + 2 / 4) / 6, (1 + 2 / 4) / 6, (2 / 4) / 6, (2 / 4) / 6]
    torch.testing.assert_close(logits.exp()[0], torch.tensor(expected))


def test_a_context_never_met_backs_off_to_the_shorter_one() -> None:
    chain = _chain([[0, 1, 2, 0, 1, 2, 0, 1, 3]], 3)
    torch.testing.assert_close(chain.logits(torch.tensor([[3, 3, 1]])), chain.logits(torch.tensor([[2, 2, 1]])))
    assert not torch.equal(chain.logits(torch.tensor([[2, 0, 1]])), chain.logits(torch.tensor([[2, 2, 1]])))


def test_the_first_label_is_learned_from_first_labels() -> None:
    chain = _chain([[3, 0, 0, 0, 0]] * 8, 2)
    logits, _ = chain.step_label(torch.tensor([-1]), chain.start(1))
    assert logits.argmax() == 3


def test_a_longer_context_tells_what_a_shorter_cannot() -> None:
    tune = [0, 1, 0, 2] * 20
    costs = [_chain([tune], order).nats(_array(tune)).mean().item() for order in range(3)]
    assert costs[0] > costs[1] > costs[2]
    assert costs[2] < 0.15


def test_a_chain_that_heard_nothing_finds_all_labels_alike() -> None:
    chain = Markov(MarkovConfig(LABELS, 3))
    torch.testing.assert_close(chain.logits(chain.start(2)[0]).exp(), torch.full((2, LABELS), 0.25))
    torch.testing.assert_close(chain.nats(_array([1, 2])), torch.full((2,), 4.0, dtype=torch.float64).log())


@given(songs, st.integers(0, 6))
def test_a_chain_comes_back_from_its_tensors_and_its_config(music: list[list[int]], order: int) -> None:
    chain = _chain(music, order)
    again = Markov(MarkovConfig(**chain.config.as_dict()))
    again.load_state_dict({name: tensor.clone() for name, tensor in chain.state_dict().items()})
    contexts = torch.randint(-1, LABELS, (20, order), generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.logits(contexts), chain.logits(contexts))


def test_fitting_again_forgets() -> None:
    chain = _chain([[0, 0, 0]], 2)
    fresh = _chain([[1, 2]], 2)
    chain.fit([torch.tensor([1, 2])])
    assert chain.config == fresh.config
    assert all(torch.equal(one, other) for one, other in zip(chain.buffers(), fresh.buffers(), strict=True))


def test_songs_are_not_joined_at_their_seams() -> None:
    torch.testing.assert_close(_chain([[0], [1]], 2).nats(_array([0, 1])), _chain([[1], [0]], 2).nats(_array([0, 1])))


def test_chosen_states_go_on_as_their_songs_would() -> None:
    chain = _chain([[0, 1, 2, 3, 0, 1, 2, 3, 1]], 2)
    _, state = chain.step_label(torch.tensor([0, 1, 2]), chain.start(3))
    index = torch.tensor([2, 0, 2])
    logits, _ = chain.step_label(torch.tensor([3, 1, 3]), chain.select(state, index))
    assert torch.equal(logits[0], logits[2])
    torch.testing.assert_close(logits[1], chain.logits(torch.tensor([[0, 1]]))[0])


def test_the_best_order_is_the_one_that_held_out_music_says() -> None:
    chance = np.random.default_rng(0)
    third: list[int] = list(chance.integers(0, LABELS, 3))
    for _ in range(2000):  # each label follows from the one three before it, three times out of four
        third.append((third[-3] + 1) % LABELS if chance.random() < 0.75 else int(chance.integers(LABELS)))
    chain, curve = fit_best_order(LABELS, [_array(third[:1500])], [_array(third[1500:])], range(7))
    assert chain.config.order == 3
    assert set(curve) == set(range(7))
    assert min(curve, key=curve.__getitem__) == 3
    assert curve[3] == pytest.approx(chain.nats(_array(third[1500:])).mean().item())


def test_an_order_needs_something_to_be_chosen_by() -> None:
    with pytest.raises(OutOfRange, match="held-out song"):
        fit_best_order(LABELS, [_array([1])], [_array([])])


@pytest.mark.parametrize("label", [-1, LABELS])
def test_a_label_out_of_range_is_refused_with_its_song(label: int) -> None:
    with pytest.raises(OutOfRange, match="song 1: labels reach from"):
        _chain([[0], [1, label]], 2)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"labels": 0}, "labels 0 is outside 1-65536; 38 is usual"),
        ({"order": 65}, "order 65 is outside 0-64; 5 is usual"),
        ({"contexts": -1}, "contexts -1 is outside"),
        ({"pairs": 1 << 40}, "pairs 1099511627776 is outside"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        MarkovConfig(**{"labels": LABELS, **sizes})

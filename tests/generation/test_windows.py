"""The two modes of window nets: what each state has heard, and that a net without a state says so."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle
from woodshed.codecs.pitch_names import PitchNameCodec
from woodshed.codecs.pitch_step_duration import PitchStepDurationCodec
from woodshed.errors import UnknownName, UsageError
from woodshed.generation.filters import Sampling
from woodshed.generation.windows import _Carried, _Windowed, play_windows
from woodshed.models.pitch_step_duration import PitchStepDuration, PitchStepDurationConfig
from woodshed.models.window_rnn import DeepRock, DeepRockConfig, Shred, ShredConfig

NAMES = ("A4", "B4", "C4", "D4", "E4", "F4")
FREE = Sampling(temperature=1.0, top_p=1.0)


@pytest.fixture
def bundle() -> Bundle:
    torch.manual_seed(1)
    model = DeepRock(DeepRockConfig(len(NAMES), 6, 8, 8, 0.0, 0.0)).eval()
    return Bundle(model, PitchNameCodec(vocabulary=NAMES), "deeprock")


def test_with_a_new_state_for_each_event_carried_is_windowed(bundle: Bundle) -> None:
    passage, more = torch.rand(6, 1).numpy(), torch.rand(20, 3, 1).numpy()
    one, other = _Windowed(bundle.model, 3), _Carried(bundle.model, 3, renewals=6)
    assert np.allclose(one.begin(passage), other.begin(passage), atol=1e-6)
    for event in more:
        assert np.allclose(one.hear(event), other.hear(event), atol=1e-6)


def test_the_state_that_is_asked_has_heard_at_least_a_window_and_seldom_much_more(bundle: Bundle) -> None:
    events, reader = np.random.default_rng(0).random((40, 1), np.float32), _Carried(bundle.model, 1, renewals=2)
    reader.begin(events[:6])
    assert reader.ages[0] == 6
    for now in range(6, 40):
        said = reader.hear(events[now : now + 1])
        age = reader.ages[0]
        assert 6 <= age < 6 + 3
        assert len(reader.ages) <= 3
        state = bundle.model.start(1)
        for event in events[now + 1 - age : now + 1]:
            expected, state = bundle.model.step(event[None], state)
        assert np.allclose(said, expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["windowed", "carried"])
def test_streams_differ_and_the_odds_are_kept(bundle: Bundle, mode: str) -> None:
    odds = np.array([1, 0, 0.1, 0, 1, 0])
    stream = play_windows(bundle, np.zeros(6, np.int64), FREE, np.random.default_rng(1), count=4, odds=odds, mode=mode)
    played = np.stack(list(islice(stream, 50)))
    counts = np.bincount(played.ravel(), minlength=6)
    assert set(played.ravel().tolist()) == {0, 2, 4}
    assert counts[2] < min(counts[0], counts[4]) / 2
    assert not np.array_equal(played[:, 0], played[:, 1])


@pytest.mark.parametrize("mode", ["windowed", "carried"])
def test_seconds_are_never_below_0(mode: str) -> None:
    torch.manual_seed(1)
    model = PitchStepDuration(PitchStepDurationConfig(5, 8)).eval()
    stream = play_windows(
        Bundle(model, PitchStepDurationCodec(), "pitch-step-duration"), np.full((5, 3), 60.0), FREE,
        np.random.default_rng(1), count=2, mode=mode,
    )  # fmt: skip
    played = np.stack(list(islice(stream, 20)))
    assert played.shape == (20, 2, 3)
    assert played.min() >= 0


def test_shred_has_no_state_to_carry_and_there_is_no_third_mode(bundle: Bundle) -> None:
    shred = Bundle(Shred(ShredConfig(len(NAMES), 6, 8, 8, 0.0, 0.0)).eval(), bundle.codec, "shred")
    with pytest.raises(UsageError, match="recipe shred cannot carry a state: its dense layer sees each of the last 6"):
        next(play_windows(shred, np.zeros(6, np.int64), FREE, np.random.default_rng(1), mode="carried"))
    with pytest.raises(UnknownName, match="mode 'x' is not one of windowed, carried"):
        next(play_windows(bundle, np.zeros(6, np.int64), FREE, np.random.default_rng(1), mode="x"))

"""A drummer's touch: the same numbers with and without torch, quantiles that are drawn as they say, hits that agree."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from woodshed.bundle.drum_touch import TOUCH_FILE, StoredTouch, read_touch, write_touch
from woodshed.codecs.drum_score import drum_score
from woodshed.errors import BundleError
from woodshed.generation import drum_touch
from woodshed.generation.drum_touch import drawn_touch, foretold, forward, score_of, steady_touch, value_of
from woodshed.models.drum_touch import DrumTouch
from woodshed.models.drum_touch_sizes import QUANTILES, DrumTouchConfig

CONFIG = DrumTouchConfig((38, 40, 42), 12)
ALONE = ((0.0,) * 4,) * 2
STEP, PITCH = np.array([0, 0, 4, 6, 16, 20]), np.array([36, 42, 38, 42, 36, 40])


def _touch(nets: int = 2) -> StoredTouch:
    found = []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(nets):
            net = DrumTouch(CONFIG)
            for weight in net.parameters():
                weight.data += 0.1 * torch.randn_like(weight)
            found.append({name: tensor.numpy() for name, tensor in net.state_dict().items()})
    return StoredTouch(CONFIG, tuple(found), ALONE)


def test_numpy_says_what_torch_says() -> None:
    touch = _touch(1)
    net = DrumTouch(CONFIG).eval()
    net.load_state_dict({name: torch.from_numpy(array) for name, array in touch.nets[0].items()})
    score = drum_score(STEP, PITCH, 32, CONFIG.pitches)
    with torch.inference_mode():
        told = net(torch.from_numpy(score)[None], torch.tensor([math.log(120.0)]))[0].numpy()
    assert np.abs(forward(touch.nets[0], score, math.log(120.0)) - told).max() < 1e-3
    assert told.std() > 1


def test_a_score_says_kind_pad_and_place_of_each_hit() -> None:
    score = drum_score([17], [40], 32, CONFIG.pitches)
    assert score.shape == (CONFIG.rows, 32)
    assert np.flatnonzero(score[:28, 17]).tolist() == [1, 9 + 1, 12 + 1]  # snare, the second pad, second sixteenth
    assert score[:12].sum() == 2


def test_what_is_foretold_is_the_mean_of_nets_and_ascends() -> None:
    touch = _touch(2)
    both = foretold(touch, STEP, PITCH, 100)
    each = [foretold(replace(touch, nets=(net,)), STEP, PITCH, 100) for net in touch.nets]
    assert both.shape == (2, len(STEP), len(QUANTILES))
    assert (np.diff(both, axis=2) >= 0).all()
    assert np.abs(both.mean(2) - np.mean(each, axis=0).mean(2)).max() < 1e-3


def test_long_songs_are_read_piece_by_piece_and_every_hit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    touch = _touch(1)
    step = np.arange(0, 8192, 4)
    pitch = np.where(step % 8, 38, 36)
    found = foretold(touch, step, pitch, 120)
    assert np.isfinite(found).all()
    assert (np.abs(found).sum((0, 2)) > 0).all()
    heard: list[int] = []
    monkeypatch.setattr(
        drum_touch,
        "forward",
        lambda net, score, tempo: heard.append(score.shape[1]) or np.ones((2, 9, 7, score.shape[1])),
    )
    foretold(touch, step, pitch, 120)
    assert max(heard) <= drum_touch.AT_ONCE + 2 * drum_touch.MARGIN
    assert len(heard) == 4


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-60, 60), min_size=7, max_size=7, unique=True), st.floats(-2.4, 2.4))
def test_scores_and_values_are_one_another_s_inverse(levels: list[float], score: float) -> None:
    quantiles = np.sort(np.round(np.array([levels]), 1) + 0.2 * np.arange(7))
    value = value_of(quantiles, np.array([score]))
    assert np.abs(score_of(quantiles, value) - score).max() < 1e-6


def test_what_is_drawn_is_spread_as_the_quantiles_say() -> None:
    touch = _touch(1)
    levels = foretold(touch, STEP, PITCH, 100)
    rng = np.random.default_rng(0)
    drawn = np.stack([drawn_touch(touch, levels, STEP, PITCH, (1, 1), rng) for _ in range(4000)])
    below = (drawn[..., None] < levels[None] - 1e-9).mean(0)
    assert np.abs(below - np.array(QUANTILES)).max() < 0.03
    assert np.abs(drawn_touch(touch, levels, STEP, PITCH, (0, 0), rng) - steady_touch(levels)).max() < 1e-9


def test_hits_agree_in_what_they_have_in_common() -> None:
    levels = np.tile(np.linspace(-30, 30, 7), (2, len(STEP), 1))

    def scores(shares: tuple[float, ...]) -> np.ndarray:
        touch = replace(_touch(1), in_common=(shares, shares))
        rng = np.random.default_rng(0)
        return np.stack([drawn_touch(touch, levels, STEP, PITCH, (0.3, 0.3), rng)[0] for _ in range(300)])

    of_take, of_kind, of_bar, of_step = (scores(tuple(np.eye(4)[k])) for k in range(4))
    assert np.ptp(of_take, axis=1).max() < 1e-9
    assert (of_kind[:, 0] == of_kind[:, 4]).all(), "both kicks"
    assert (of_kind[:, 0] != of_kind[:, 1]).all()
    assert (of_bar[:, 0] == of_bar[:, 3]).all()
    assert (of_bar[:, 0] != of_bar[:, 4]).all()
    assert (of_step[:, 0] == of_step[:, 1]).all()
    assert (of_step[:, 0] != of_step[:, 2]).all()


def test_a_touch_comes_back_from_its_file(tmp_path: Path) -> None:
    touch = replace(_touch(2), in_common=((0.1, 0.2, 0.3, 0.1), (0.0, 0.1, 0.0, 0.2)))
    write_touch(touch, tmp_path / TOUCH_FILE)
    again = read_touch(tmp_path)
    assert again is not None
    assert (again.config, again.in_common, len(again.nets)) == (touch.config, touch.in_common, 2)
    assert all(np.abs(again.nets[1][name] - touch.nets[1][name]).max() < 2e-3 for name in touch.nets[1])
    assert read_touch(tmp_path / "elsewhere") is None
    assert read_touch(None) is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file, touch = tmp_path / TOUCH_FILE, _touch(1)
    file.write_bytes(b"no tensors at all")
    with pytest.raises(BundleError, match=f"{TOUCH_FILE} is no touch"):
        read_touch(tmp_path)
    write_touch(touch, file)
    content = file.read_bytes()
    for broken in (content[:-100], content.replace(b'\\"width\\": 12', b'\\"width\\": 13')):
        assert broken != content
        file.write_bytes(broken)
        with pytest.raises(BundleError, match=f"{TOUCH_FILE} is no touch"):
            read_touch(tmp_path)
    touch.nets[0]["end.bias"][0] = np.nan
    write_touch(touch, file)
    with pytest.raises(BundleError, match=r"0\.end\.bias holds numbers that are none"):
        read_touch(tmp_path)


@pytest.mark.parametrize("shares", [((0.5, 0.6, 0, 0),) * 2, ((-0.1, 0, 0, 0),) * 2, ((0.1, 0.1),) * 2])
def test_shares_that_cannot_be_are_refused(shares: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(ValueError, match="in common"):
        replace(_touch(1), in_common=shares)

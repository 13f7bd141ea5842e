"""Frames as keys from low to high, and pointers that know the past alone."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.codecs.frame_past import NOTHING, FramePast, Roll
from woodshed.errors import CodecError

KEYS = 5
END = KEYS


def _roll(*frames: str) -> Roll:
    """Frames as strings of keys: "02" sounds keys 0 and 2."""
    roll = np.zeros((len(frames), KEYS), bool)
    for t, frame in enumerate(frames):
        roll[t, [int(key) for key in frame]] = True
    return roll


def _chance(frames: int, seed: int) -> Roll:
    return np.random.default_rng(seed).random((frames, KEYS)) < 0.4


def _past(*rolls: Roll) -> FramePast:
    return FramePast(rolls, lags=(1, 2), matches=(1, 3), orders=(1, 2))


def test_a_frame_is_its_keys_from_low_to_high_and_an_end() -> None:
    symbols = _past(_roll("0")).study(_roll("13", "", "4")).symbols
    assert symbols.tolist() == [[0, -1, 1], [0, 1, 3], [0, 3, END], [1, -1, END], [2, -1, 4], [2, 4, END]]


def test_a_lag_expects_the_frame_so_far_back_and_tells_how_often_it_was_right() -> None:
    study = _past(_roll("0")).study(_roll("02", "02", "02", "1", "02"))
    of_frame_2 = study.symbols[:, 0] == 2
    assert study.expected[of_frame_2, 0].tolist() == [0, 2, END]
    assert study.records[:, 0].tolist() == [0, 1, 2, 3, 1]  # 1 + frames right on end before this one


def test_a_pointer_goes_on_above_what_was_placed_and_says_whether_that_agrees() -> None:
    study = _past(_roll("0")).study(_roll("024", "13"))
    of_frame_1 = study.symbols[:, 0] == 1
    assert study.expected[of_frame_1, 0].tolist() == [0, 2, 4]
    assert study.agrees[of_frame_1, 0].tolist() == [1, 0, 0]


def test_a_match_expects_what_followed_the_same_frames() -> None:
    study = _past(_roll("0")).study(_roll("0", "1", "2", "34", "0", "1", "2", "34"))
    of_last = study.symbols[:, 0] == 7
    assert study.expected[of_last, 3].tolist() == [3, 4, END]  # pointers 2 and 3 are the matches of 1 and 3 frames
    assert study.records[7, 3] == 1 + 3
    assert study.expected[study.symbols[:, 0] == 3, 3].tolist() == [NOTHING] * 3


def test_other_pieces_expect_what_followed_most_often_in_them() -> None:
    past = _past(_roll("0", "1", "0", "2"), _roll("0", "1"))
    study = past.study(_roll("0", "3"))
    assert study.expected[study.symbols[:, 0] == 1, 4:6].tolist() == [[1, 2], [END, END]]
    assert study.records[1, 4:6].tolist() == [1 + 3 * 2 + 1, 1 + 3 * 1 + 0]  # 2 of 3 times in 2 pieces; 1 of 3 in 1


def test_a_piece_of_the_corpus_says_nothing_of_itself() -> None:
    rolls = [_chance(30, seed) for seed in range(4)]
    apart = _past(*rolls[1:])
    inside, outside = _past(*rolls).study(rolls[0], own=0), apart.study(rolls[0])
    assert (inside.records == outside.records).all()
    assert (_past(*rolls).study(rolls[0]).records != outside.records).any()


@pytest.mark.parametrize("cut", [1, 2, 9, 20])
def test_frames_to_come_change_nothing(cut: int) -> None:
    past, roll = _past(_chance(40, 1), _chance(40, 2)), np.tile(_chance(5, 3), (6, 1))
    other = np.concatenate((roll[:cut], ~roll[cut:]))
    whole, changed = past.study(roll), past.study(other)
    kept = int((whole.symbols[:, 0] < cut).sum())
    for name in ("symbols", "expected", "agrees"):
        assert (getattr(whole, name)[:kept] == getattr(changed, name)[:kept]).all()
    assert (whole.records[: cut + 1] == changed.records[: cut + 1]).all()  # those of a frame are known before it is


@pytest.mark.parametrize("shape", [(0, KEYS), (3, KEYS + 1)])
def test_a_roll_that_cannot_be_studied_is_named(shape: tuple[int, int]) -> None:
    with pytest.raises(
        CodecError, match=rf"roll of shape \({shape[0]}, {shape[1]}\) is not 1 or more frames of 5 keys"
    ):
        _past(_roll("0")).study(np.zeros(shape, bool))

"""A judge that finds what is there, and finds nothing where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.errors import OutOfRange, UnknownName
from woodshed.evaluation.clip_features import normal_form
from woodshed.evaluation.two_sample import TwoSample, tell_apart, tell_features_apart
from woodshed.music import Part, Song

BOTH = pytest.mark.parametrize("judge", ["kernel", "linear"])
"""Of figures; the third reads notes, see test_note_words."""


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def judged(first: np.ndarray, second: np.ndarray, judge: str, **rest: object) -> TwoSample:
    return tell_features_apart(first, second, np.random.default_rng(0), judge=judge, **rest)


@BOTH
def test_draws_of_one_distribution_cannot_be_told_apart(judge: str) -> None:
    found = [judged(draws(seed, 30, 8), draws(seed + 100, 30, 8), judge) for seed in range(10)]
    assert sum(one.low <= 0.5 <= one.high for one in found) >= 9
    assert np.mean([one.accuracy for one in found]) == pytest.approx(0.5, abs=0.06)
    assert sum(one.is_told for one in found) <= 1


@BOTH
def test_a_planted_difference_is_found(judge: str) -> None:
    moved = draws(1, 40, 8)
    moved[:, 3] += 2.0
    found = judged(draws(0, 40, 8), moved, judge)
    assert found.is_told
    assert found.accuracy > 0.7
    assert found.low <= found.accuracy <= found.high


def test_the_linear_judge_names_what_it_went_by() -> None:
    moved = draws(1, 40, 3)
    moved[:, 1] -= 2.0
    found = judged(draws(0, 40, 3), moved, "linear", names=["density", "swing", "range"])
    assert found.telling[0] == "-swing"


def test_a_side_that_is_too_uniform_is_found_best_by_the_kernel() -> None:
    """The mean is the same: only the spread differs, as when a model always plays the same."""
    wide, narrow = draws(0, 60, 6), 0.25 * draws(1, 60, 6)
    kernel, linear = judged(wide, narrow, "kernel"), judged(wide, narrow, "linear")
    assert kernel.accuracy > max(0.85, linear.accuracy + 0.1)


@BOTH
def test_clips_of_one_song_do_not_give_it_away(judge: str) -> None:
    """Twelve songs a side from one distribution, six nearly equal clips each. Taken for songs of their own, clips are
    recognised by the song's other clips; named, they are not."""
    songs = draws(0, 24, 10)
    clips = np.repeat(songs, 6, axis=0) + 0.05 * draws(1, 144, 10)
    names = np.repeat(np.arange(24), 6)
    named = judged(clips[:72], clips[72:], judge, first_songs=names[:72], second_songs=names[72:])
    nameless = judged(clips[:72], clips[72:], judge)
    assert named.low <= 0.5 <= named.high
    assert (named.first_songs, named.first_clips) == (12, 72)
    assert nameless.accuracy > named.accuracy + 0.1


def test_a_song_with_clips_on_both_sides_is_one_song() -> None:
    songs = np.repeat(draws(0, 16, 5), 2, axis=0)
    found = judged(songs[::2], songs[1::2], "linear", first_songs=range(16), second_songs=range(16))
    assert (found.first_songs, found.second_songs) == (16, 16)
    assert found.low <= 0.5 <= found.high


@BOTH
def test_sides_of_unequal_size_weigh_the_same(judge: str) -> None:
    """A judge that goes by which side is more common would put few of the fifteen on the right side."""
    found = judged(draws(0, 120, 4), 1.2 + draws(1, 15, 4), judge)
    assert min(found.first_right, found.second_right) > 0.7
    assert found.accuracy == pytest.approx((found.first_right + found.second_right) / 2)


@BOTH
def test_too_few_are_said_to_be_too_few(judge: str) -> None:
    for count in (0, 1, 3):
        found = judged(draws(0, count, 4), draws(1, 20, 4), judge)
        assert "on one side: it takes 4 or more" in found.too_few
        assert (found.accuracy, found.low, found.high, found.is_told) == (0.5, 0.0, 1.0, False)


def test_clips_of_a_single_song_are_said_to_be_too_few() -> None:
    found = judged(draws(0, 9, 4), 5 + draws(1, 9, 4), "linear", first_songs=["a"] * 9)
    assert "of 1 song" in found.too_few
    assert found.caution == found.too_few


def test_a_few_songs_are_judged_but_marked() -> None:
    few = judged(draws(0, 9, 4), draws(1, 30, 4), "linear", first_songs=list("aaabbbccc"))
    assert few.too_few == ""
    assert few.caution.startswith("only 3 songs on one side")
    assert judged(draws(0, 30, 4), draws(1, 30, 4), "linear").caution == ""


@BOTH
def test_figures_that_never_differ_are_no_trouble(judge: str) -> None:
    found = judged(np.ones((12, 5)), np.ones((12, 5)), judge)
    assert found.accuracy == 0.5
    assert not found.is_told


def test_the_same_seed_gives_the_same_verdict() -> None:
    first, second = draws(0, 20, 5), draws(1, 20, 5)
    assert judged(first, second, "linear") == judged(first, second, "linear")


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UnknownName, match="there are linear, kernel"):
        judged(draws(0, 9, 4), draws(1, 9, 4), "jury")
    with pytest.raises(OutOfRange, match="the same figures"):
        judged(draws(0, 9, 4), draws(1, 9, 5), "linear")
    with pytest.raises(OutOfRange, match="not finite"):
        judged(draws(0, 9, 4) * np.nan, draws(1, 9, 4), "linear")
    with pytest.raises(OutOfRange, match="2 groups for 9 values"):
        judged(draws(0, 9, 4), draws(1, 9, 4), "linear", first_songs=["a", "b"])


def riff(seed: int) -> Song:
    """Four bars of eighths over a beat; each seed has its own notes."""
    rng = np.random.default_rng(seed)
    notes = [(0, beat * 480, 120, 36 + 2 * (beat % 2), 100) for beat in range(16)]
    notes += [(1, eighth * 240, 240, int(40 + rng.choice([0, 3, 5, 7])), 90) for eighth in range(32)]
    return Song.make(notes, [Part("Drums", 0, True), Part("Guitar", 30)])


def jumbled(song: Song, seed: int) -> Song:
    """The same notes, each at another place: who hears it knows at once."""
    notes = song.notes.copy()
    notes["onset"] = np.random.default_rng(seed).permutation(notes["onset"])
    return song.with_notes(notes)


def test_songs_are_told_from_jumbled_songs_and_not_from_more_of_the_same() -> None:
    songs = [normal_form(riff(seed)) for seed in range(24)]
    same = tell_apart(songs[:12], songs[12:], np.random.default_rng(0))
    assert same.low <= 0.5 <= same.high
    other = tell_apart(songs[:12], [jumbled(song, 1) for song in songs[12:]], np.random.default_rng(0))
    assert other.accuracy > 0.9
    assert other.telling

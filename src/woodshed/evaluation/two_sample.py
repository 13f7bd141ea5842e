"""Can a judge tell two collections of clips apart? A classifier is trained to, and asked about clips it has not seen.

Accuracy 0.5 means that it cannot: by all that it looks at, the two are alike. 1 means that it always can.
The accuracy is balanced (the mean of the shares found right on either side, so that it does not matter which side has
more clips) and out of sample: clips are judged by what was learned from the other folds, and clips of one song always
lie in one fold, so that a judge cannot know a clip by the song's other clips. `ROUNDS` divisions into folds are
averaged. The interval draws one of them, then whole songs anew (`bootstrap`), so that the chance of the folds and of
what a judge learned is in it too. Of 150 pairs of samples of 50 clips from one distribution it held 0.5 in 148, with
either judge; of 50 random divisions of 75 real songs into 18 and 57, in 47 (linear) and 48 (kernel). But of 50 into 3
and 72 it did so in only 30 and 42: three songs are no sample.

========= ===========================================================================================
judge     how it decides
========= ===========================================================================================
linear    logistic regression with a ridge (`RIDGE`), by Newton's method: it finds figures whose mean differs
kernel    ridge regression on the side under a Gaussian kernel as wide as the median distance, solved at once: it
          also finds differences of spread and of what goes with what
notes     ridge regression on the side by raw notes: words that notes make (`note_words`), the rarer in the
          training folds the heavier (tf-idf); all kinds of word weigh the same
========= ===========================================================================================

The first two look at `clip_features`, in standard deviations of the training folds, at most `MOST` of them; the third
at nothing that somebody thought of beforehand. Each side weighs the same.

What it cannot see: anything that is not among the features, or the words. A result with fewer than `FEW_SONGS` songs
on a side is marked by `TwoSample.caution`, and with fewer than two there is none (`too_few`).

Sources:
    D. Lopez-Paz, M. Oquab: Revisiting Classifier Two-Sample Tests, ICLR 2017.
    A. Gretton et al.: A Kernel Two-Sample Test, JMLR 2012.
    We differ in folds by song and in an interval instead of a p-value.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from woodshed.errors import OutOfRange, UnknownName
from woodshed.evaluation.bootstrap import LEVEL, group_numbers, resampled_means
from woodshed.evaluation.clip_features import feature_matrix, feature_names
from woodshed.evaluation.note_words import BUCKETS, note_matrix
from woodshed.music import Song
from woodshed.words import counted

FOLDS = 5
ROUNDS = 8
FEW_SONGS = 10
"""With fewer songs than this on a side the result is marked: a judge learns those songs, and the interval is too
narrow."""
FEWEST_CLIPS = 4
RIDGE = 10.0
"""Added to the squared weights of the linear judge; half of the clips weigh as much as there are clips on a side."""
KERNEL_RIDGE = 0.3
NOTES_RIDGE = 0.3
MOST = 5.0
NEWTON_STEPS = 12
TELLING = 5
"""How many figures are named that tell the two sides apart."""

Features = NDArray[np.float64]
Judge = Callable[[Features, NDArray[np.bool_], Features], NDArray[np.float64]]
"""Features (n, F) to learn from and whether each is of the second side; features (m, F) -> (m,) scores, above 0 for
the second side."""


@dataclass(frozen=True)
class TwoSample:
    """How well the judge told the sides apart. Every number is finite."""

    judge: str
    accuracy: float
    """0-1, balanced; 0.5: it cannot tell. Also 0.5 if `too_few` says why nothing could be measured."""
    low: float
    high: float
    """19 in 20 resamples of the songs lie between; 0 and 1 if nothing could be measured."""
    first_right: float
    second_right: float
    """0-1: share of each side's clips that were put on the right side."""
    first_clips: int
    second_clips: int
    first_songs: int
    second_songs: int
    telling: tuple[str, ...]
    """Figures that tell most, each with a sign: ``+`` where the second side has more of it. Of the linear judge
    only."""
    too_few: str
    """Why there is no result; empty if there is one."""

    @property
    def is_told(self) -> bool:
        """Whether the sides can be told apart: the interval lies above 0.5."""
        return not self.too_few and self.low > 0.5

    @property
    def caution(self) -> str:
        """What to mind when reading the interval; empty if nothing."""
        fewest = min(self.first_songs, self.second_songs)
        if self.too_few or fewest >= FEW_SONGS:
            return self.too_few
        return f"only {counted(fewest, 'song')} on one side: not to be relied on"


def tell_apart(
    first: Sequence[Song],
    second: Sequence[Song],
    rng: np.random.Generator,
    *,
    first_songs: Sequence[Hashable] | None = None,
    second_songs: Sequence[Hashable] | None = None,
    judge: str = "linear",
) -> TwoSample:
    """Judge two collections of clips, best put into `normal_form` before.

    ``first_songs`` and ``second_songs`` name the song of each clip, the same name on both sides being one song; None
    means that every clip is a song of its own.

    Raises:
        OutOfRange: if there are not as many names as clips.
        UnknownName: for another judge than those of `JUDGES`.
    """
    if judge == NOTES:
        return tell_features_apart(
            note_matrix(first), note_matrix(second), rng,
            first_songs=first_songs, second_songs=second_songs, judge=judge,
        )  # fmt: skip
    return tell_features_apart(
        feature_matrix(first), feature_matrix(second), rng,
        first_songs=first_songs, second_songs=second_songs, judge=judge, names=feature_names(),
    )  # fmt: skip


def tell_features_apart(
    first: ArrayLike,
    second: ArrayLike,
    rng: np.random.Generator,
    *,
    first_songs: Sequence[Hashable] | None = None,
    second_songs: Sequence[Hashable] | None = None,
    judge: str = "linear",
    names: Sequence[str] = (),
) -> TwoSample:
    """The same for clips that are already rows of numbers: (n, F) and (m, F), with the names of the F columns.

    The judge ``notes`` wants what `note_matrix` gives.

    Raises:
        OutOfRange: if the shapes do not fit, or a number is not finite.
        UnknownName: for another judge.
    """
    if judge not in JUDGES:
        raise UnknownName(f"there is no judge {judge!r}; there are {', '.join(JUDGES)}")
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise OutOfRange(f"features of shapes {first.shape} and {second.shape}: both must be (clips, the same figures)")
    if judge == NOTES and first.shape[1] % BUCKETS:
        raise OutOfRange(f"{first.shape[1]} columns are not those of note_matrix, {BUCKETS} for each kind of word")
    both = np.concatenate((first, second))
    if not np.isfinite(both).all():
        raise OutOfRange("features that are not finite: leave those clips out")
    is_second = np.arange(len(both)) >= len(first)
    songs = _songs(len(first), len(second), first_songs, second_songs)
    first_count, second_count = (len(np.unique(songs[side])) for side in (~is_second, is_second))
    facts = (len(first), len(second), first_count, second_count)
    reason = _too_few(*facts)
    if reason:
        return TwoSample(judge, 0.5, 0.0, 1.0, 0.5, 0.5, *facts, (), reason)
    right = _right(both, is_second, songs, JUDGES[judge], min(FOLDS, *facts[2:]), rng)  # (ROUNDS, clips)
    drawn = _drawn(right[:, ~is_second], songs[~is_second], rng) + _drawn(right[:, is_second], songs[is_second], rng)
    low, high = np.quantile(drawn / 2, (0.5 - LEVEL / 2, 0.5 + LEVEL / 2)).tolist()
    first_right, second_right = (float(right[:, side].mean()) for side in (~is_second, is_second))
    telling = _telling(both, is_second, names) if judge == "linear" else ()
    accuracy = (first_right + second_right) / 2
    return TwoSample(judge, accuracy, low, high, first_right, second_right, *facts, telling, "")


def _songs(
    first: int, second: int, first_songs: Sequence[Hashable] | None, second_songs: Sequence[Hashable] | None
) -> NDArray[np.int64]:
    """(first + second,) number of each clip's song."""
    names: list[Hashable] = []
    for side, (count, given) in enumerate(((first, first_songs), (second, second_songs))):
        group_numbers(given, count)  # complains of a wrong count
        names += [(side, number) for number in range(count)] if given is None else [("song", name) for name in given]
    return group_numbers(names, first + second)


def _drawn(right: NDArray[np.float64], songs: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """(ROUNDS, RESAMPLES) shares found right of one side's clips, (ROUNDS, clips), over its songs drawn again."""
    index = np.unique(songs, return_inverse=True)[1]
    return np.array([resampled_means(once, index, rng) for once in right])


def _too_few(first_clips: int, second_clips: int, first_songs: int, second_songs: int) -> str:
    clips, songs = min(first_clips, second_clips), min(first_songs, second_songs)
    if clips < FEWEST_CLIPS:
        return f"{counted(clips, 'clip')} on one side: it takes {FEWEST_CLIPS} or more"
    if songs < 2:
        return "all clips of one side are of 1 song: it takes 2 or more, to judge one by what was learned from others"
    return ""


def _right(
    features: Features,
    is_second: NDArray[np.bool_],
    songs: NDArray[np.int64],
    judge: Judge,
    folds: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """(ROUNDS, clips) whether each clip was put on its own side, 1 or 0; a tie is half right."""
    right = np.full((ROUNDS, len(features)), 0.5)
    for row in right:
        fold = _deal(songs, is_second, folds, rng)[songs]
        for number in range(folds):
            asked, learned = fold == number, fold != number
            if len(np.unique(is_second[learned])) < 2:
                continue  # a song on both sides took the last of one side along
            scores = judge(features[learned], is_second[learned], features[asked])
            scores = np.where(np.abs(scores) < 1e-9, 0.0, scores)  # what is left of rounding is no opinion
            row[asked] = (np.sign(scores) * np.where(is_second[asked], 1, -1) + 1) / 2
    return right


def _deal(
    songs: NDArray[np.int64], is_second: NDArray[np.bool_], folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(songs,) fold of each song: large songs first, each to the fold that has least of its side."""
    clips = np.stack([np.bincount(songs[side], minlength=songs.max() + 1) for side in (~is_second, is_second)])
    order = rng.permutation(clips.shape[1])
    order = order[np.argsort(-clips.sum(0)[order], kind="stable")]
    dealt = np.zeros((2, folds))
    fold = np.zeros(clips.shape[1], np.int64)
    for song in order:
        held = dealt[clips[:, song] > 0].sum(0)
        fold[song] = rng.choice(np.flatnonzero(held == held.min()))
        dealt[:, fold[song]] += clips[:, song]
    return fold


def _standardised(learned: Features, asked: Features) -> tuple[Features, Features]:
    """Both in standard deviations of what is learned from; a figure that never differs there tells nothing."""
    mean, deviation = learned.mean(0), learned.std(0)
    scale = np.where(deviation > 1e-9, 1 / np.maximum(deviation, 1e-9), 0.0)
    return np.clip((learned - mean) * scale, -MOST, MOST), np.clip((asked - mean) * scale, -MOST, MOST)


def _side_weights(is_second: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) weight of each clip: both sides weigh the same, all together n."""
    share = np.array([(~is_second).mean(), is_second.mean()])
    weights: NDArray[np.float64] = 0.5 / share[is_second.astype(np.int64)]
    return weights


def _fit(features: Features, is_second: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(F + 1,) weights of the ridge logistic regression, the constant last and free of the ridge."""
    inputs = np.concatenate((features, np.ones((len(features), 1))), axis=1)  # (n, F + 1)
    weights, ridge = _side_weights(is_second), np.full(inputs.shape[1], RIDGE)
    ridge[-1] = 1e-6
    found = np.zeros(inputs.shape[1])
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ found, -30, 30)))
        gradient = inputs.T @ (weights * (chance - is_second)) + ridge * found
        curvature = (inputs * (weights * np.maximum(chance * (1 - chance), 1e-6))[:, None]).T @ inputs
        step = np.linalg.solve(curvature + np.diag(ridge), gradient)
        found -= step
        if np.abs(step).max() < 1e-6:
            break
    return found


def _linear(learned: Features, is_second: NDArray[np.bool_], asked: Features) -> NDArray[np.float64]:
    learned, asked = _standardised(learned, asked)
    weights = _fit(learned, is_second)
    scores: NDArray[np.float64] = asked @ weights[:-1] + weights[-1]
    return scores


def _kernel(learned: Features, is_second: NDArray[np.bool_], asked: Features) -> NDArray[np.float64]:
    learned, asked = _standardised(learned, asked)
    apart = _squared_distances(learned, learned)
    width = max(float(np.median(apart[np.triu_indices(len(learned), 1)])), 1e-12)
    ridge = np.diag(KERNEL_RIDGE / _side_weights(is_second))
    weights = np.linalg.solve(np.exp(-apart / (2 * width)) + ridge, np.where(is_second, 1.0, -1.0))
    scores: NDArray[np.float64] = np.exp(-_squared_distances(asked, learned) / (2 * width)) @ weights
    return scores


def _notes(learned: Features, is_second: NDArray[np.bool_], asked: Features) -> NDArray[np.float64]:
    """Words weigh by how few of the clips learned from have them."""
    rarity = np.log((1 + len(learned)) / (1 + (learned > 0).sum(0))) + 1
    known, unknown = (_unit(np.log1p(counts) * rarity) for counts in (learned, asked))
    weights = _side_weights(is_second)
    middle = weights @ known / len(known)
    known, unknown = known - middle, unknown - middle
    scale = max(float((known**2).sum(1).mean()), 1e-12)  # so that the ridge means the same for any words
    alike = known @ known.T / scale + 1  # the constant is the bias
    found = np.linalg.solve(alike + np.diag(NOTES_RIDGE / weights), np.where(is_second, 1.0, -1.0))
    scores: NDArray[np.float64] = (unknown @ known.T / scale + 1) @ found
    return scores


def _unit(rows: Features) -> Features:
    """Each kind of word as long as 1; what a clip has none of stays 0."""
    kinds = rows.reshape(len(rows), rows.shape[1] // BUCKETS, BUCKETS)
    unit: Features = (kinds / np.maximum(np.sqrt((kinds**2).sum(2, keepdims=True)), 1e-9)).reshape(rows.shape)
    return unit


def _squared_distances(first: Features, second: Features) -> NDArray[np.float64]:
    """(n, m)"""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    distances: NDArray[np.float64] = np.maximum(squares, 0.0)
    return distances


def _telling(features: Features, is_second: NDArray[np.bool_], names: Sequence[str]) -> tuple[str, ...]:
    """The figures that add most to the distance between the two sides' mean scores, learned from all clips."""
    if not names:
        return ()
    known, _ = _standardised(features, features)
    apart = known[is_second].mean(0) - known[~is_second].mean(0)
    gain = _fit(known, is_second)[:-1] * apart
    most = [index for index in np.argsort(-gain)[:TELLING] if gain[index] > 0]
    return tuple(f"{'+' if apart[index] > 0 else '-'}{names[index]}" for index in most)


NOTES = "notes"
JUDGES: dict[str, Judge] = {"linear": _linear, "kernel": _kernel, NOTES: _notes}
"""Name -> judge, as the table above has them."""

"""Parts that play sound as much of the time as is asked, and nobody is called who may not play."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle
from woodshed.codecs.note_step import LONGEST_SHIFT, ON_THE_GRID
from woodshed.generation.canvas import Canvas, Constraints, Opening
from woodshed.generation.engine import new_stream
from woodshed.generation.engine_lengths import count_length, voices_taken
from woodshed.generation.engine_voices import GOING_ON, resumed
from woodshed.generation.fill import fill, lay_out, player_weights
from woodshed.generation.filters import Sampling
from woodshed.generation.plan import make_plan
from woodshed.music import Part, Song
from woodshed.music.texture import LENGTHS, texture_of

BAR, BARS = 1920, 32
PARTS = (Part("Drums", 0, is_drum=True), Part("Bass", 33), Part("Guitar", 30), Part("Strings", 48))
PITCHED = (1, 2, 3)


@pytest.fixture(scope="module")
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    """It writes an eighth on the grid now and then."""
    return unlearned({0: -2.0, 6: 0.5, 12: 0.0}, {2: 5, 4: ON_THE_GRID})


def _canvas(sounding: Mapping[int, float], openings: tuple[Opening, ...] | None = None) -> Canvas:
    canvas = Canvas(Song(parts=PARTS, length=BARS * BAR), 0, (0, 1, 2, 3), sounding=sounding, openings=openings)
    pitches = {0: (36, 38), 1: (40, 43, 45), 2: (52, 55, 57), 3: (64, 67)}
    return dataclasses.replace(canvas, constraints=dataclasses.replace(canvas.constraints, pitches=pitches))


def _heard(song: Song, part: int) -> float:
    """The share of the time for which a part sounds."""
    own = song.notes[song.notes["part"] == part]
    sounds = np.zeros(song.length, bool)
    for onset, duration in zip(own["onset"].tolist(), own["duration"].tolist(), strict=True):
        sounds[onset : onset + duration] = True
    return float(sounds.mean())


def _shares(bundle: Bundle, sounding: Mapping[int, float]) -> list[float]:
    songs = fill(bundle, _canvas(sounding), Sampling(), np.random.default_rng(0), count=2)
    return [float(np.mean([_heard(song, part) for song in songs])) for part in PITCHED]


def test_each_part_sounds_as_much_of_the_time_as_is_asked(bundle: Bundle) -> None:
    alone = _shares(bundle, {})
    assert max(alone) < 0.5
    for share in (0.7, 0.9):
        assert _shares(bundle, dict.fromkeys(PITCHED, share)) == pytest.approx([share] * 3, abs=0.1)
    one = _shares(bundle, {3: 0.9})
    assert one[2] == pytest.approx(0.9, abs=0.1)
    assert max(one[:2]) < 0.5


def test_nobody_is_called_where_a_part_may_not_play(bundle: Bundle) -> None:
    half = BARS // 2 * BAR
    openings = (Opening(0, 0, BARS * BAR), Opening(1, 0, BARS * BAR), Opening(2, 0, half), Opening(3, half, BARS * BAR))
    canvas = _canvas(dict.fromkeys(PITCHED, 0.9), openings)
    (song,) = fill(bundle, canvas, Sampling(), np.random.default_rng(0))
    onsets = [song.notes["onset"][song.notes["part"] == part] for part in range(4)]
    assert onsets[2].max() < half - 64 < half + 64 < onsets[3].min() + BAR
    assert onsets[3].min() >= half
    assert _heard(song, 1) == pytest.approx(0.9, abs=0.1)


def test_the_same_seed_calls_the_same(bundle: Bundle) -> None:
    canvas = _canvas(dict.fromkeys(PITCHED, 0.9))
    one, other = (fill(bundle, canvas, Sampling(), np.random.default_rng(4))[0] for _ in range(2))
    assert np.array_equal(one.notes, other.notes)


def test_after_a_part_was_called_the_model_goes_on_to_where_it_was_going() -> None:
    at = np.zeros(5, np.int64)
    at[0], at[GOING_ON] = 100, 106  # a part was called at 100, on the way to 106
    stream, every = SimpleNamespace(at=at), np.ones(LONGEST_SHIFT + 1, bool)
    assert resumed.function(stream, 12, every) == 6
    assert resumed.function(stream, 0, every) == 0  # one more note of the chord
    assert resumed.function(stream, 12, every & (np.arange(len(every)) != 6)) == 12  # nobody may play there any more
    at[0] = 106
    assert resumed.function(stream, 12, every) == 12


def test_each_part_plays_as_many_notes_as_is_asked(bundle: Bundle) -> None:
    def pace(asked: Mapping[int, float]) -> list[float]:
        canvas = dataclasses.replace(_canvas({}), pace=asked)
        songs = fill(bundle, canvas, Sampling(), np.random.default_rng(0), count=3)
        return [sum(int((song.notes["part"] == part).sum()) for song in songs) / (3 * BARS * 4) for part in range(4)]

    free = pace({})
    assert max(free) / min(free) < 3
    shares = np.array((0.4, 0.1, 0.4, 0.1))
    found = np.array(pace(dict(enumerate((shares * sum(free)).tolist()))))
    assert found / sum(free) == pytest.approx(shares, abs=0.07)


def test_a_part_plays_each_kind_of_length_as_often_as_is_asked(bundle: Bundle) -> None:
    model = copy.deepcopy(bundle.model)
    with torch.no_grad():
        model.head_out[2].bias[11] = 0.0  # quarter notes as likely as eighths
    either = dataclasses.replace(bundle, model=model)

    def quarters(asked: Mapping[int, Sequence[float]]) -> list[float]:
        canvas = dataclasses.replace(_canvas({}), lengths=asked)
        songs = fill(either, canvas, Sampling(), np.random.default_rng(0), count=4)
        shares = [texture_of(song, part).lengths for song in songs for part in PITCHED]
        return [0.0 if share is None else float(share[2]) for share in shares]

    def mean(found: list[float], part: int) -> float:
        return float(np.mean(found[part - 1 :: len(PITCHED)]))

    free = quarters({})
    found = quarters({1: (0, 0.2, 0.8, 0, 0, 0), 2: (0, 0.9, 0.1, 0, 0, 0)})
    assert mean(found, 1) > mean(free, 1) + 0.1
    assert mean(found, 2) < mean(free, 2) - 0.1


def test_a_note_that_is_cut_for_want_of_voices_counts_as_what_it_has_become(bundle: Bundle) -> None:
    """Of a part with two voices: a half note and a quarter sound, and an eighth later a third note cuts the older."""
    canvas = dataclasses.replace(_canvas({}), lengths={1: (1 / LENGTHS,) * LENGTHS})
    canvas = dataclasses.replace(canvas, constraints=Constraints(polyphony={1: 2}))
    weights = player_weights(bundle)
    scene, stream = lay_out(weights, make_plan(bundle, canvas)), new_stream(weights, 8, 8)

    def play(pitch: int, steps: int, at: int) -> None:
        count_length(scene, stream, np.array([0, 1, pitch, steps - 1, 20, 16]), at, False)

    play(60, 24, 0)
    assert not voices_taken(scene, stream, 1, 3)
    play(64, 12, 3)
    assert voices_taken(scene, stream, 1, 6)
    assert not voices_taken(scene, stream, 1, 15)
    before = stream.lengths[1].copy()
    play(67, 12, 6)
    assert stream.held[1, 60].tolist() == [0, 6]
    assert stream.lengths[1, 3] > before[3]  # no half note after all
    assert stream.lengths[1, 1] < before[1]  # but an eighth
    assert not voices_taken(scene, stream, 2, 8)


@pytest.mark.parametrize("centre", [45.0, 60.0, 75.0])
def test_each_part_lies_about_as_high_as_is_asked(bundle: Bundle, centre: float) -> None:
    def height(asked: Mapping[int, float], ranges: Mapping[int, tuple[int, int]] | None = None) -> float:
        within = Constraints(pitch_ranges=dict(ranges or {}))
        canvas = Canvas(Song(parts=PARTS, length=BARS * BAR), 0, (0, 1, 2, 3), within, centres=asked)
        songs = fill(bundle, canvas, Sampling(), np.random.default_rng(0), count=3)
        return float(np.mean(np.concatenate([song.notes["pitch"][song.notes["part"] == 2] for song in songs])))

    assert height({2: centre}) == pytest.approx(centre, abs=5)
    assert abs(height({1: centre}) - height({})) < 8
    elsewhere = {2: (20, 40)}
    assert height({2: centre}, elsewhere) == height({}, elsewhere)

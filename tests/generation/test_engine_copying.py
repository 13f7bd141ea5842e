"""Bars repeat those before as much as is asked, by lag, and the dial moves it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.generation.canvas import Canvas
from woodshed.generation.engine_copying import wanted
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.music import Part, Song
from woodshed.training.style import describe_style

CODEC = NoteStepCodec()
BARS = 64
PARTS = (Part("Drums", 0, is_drum=True), Part("Bass", 33))
PITCHED, DRUMS = 0, 1


@pytest.fixture(scope="module")
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    """It writes notes about as close together as music has them."""
    return unlearned({0: -2.0, 6: 0.5, 12: 0.0})


def _repeats(bundle: Bundle, repeats: np.ndarray | None, repetition: float = 1.0) -> np.ndarray:
    """(2, 3) what share of the notes of some clips stands where they stood 1, 2 and 4 bars before."""
    canvas = Canvas(Song(parts=PARTS, length=BARS * 1920), 0, (0, 1), repeats=repeats)
    wishes = dataclasses.replace(
        canvas.constraints, pitches={0: (36, 38), 1: (40, 43, 45)}, polyphony={1: 1}, grid="1/8"
    )
    canvas = dataclasses.replace(canvas, constraints=wishes)
    sampling = Sampling(repetition=repetition)
    songs = fill(bundle, canvas, sampling, np.random.default_rng(0), count=3)
    found = [song["repeats"] for song in describe_style(CODEC, songs)["arrangements"]]
    return np.mean([[row or [0.0] * 3 for row in rows] for rows in found], axis=0)


def test_the_dial_goes_from_nothing_by_what_was_learned_to_everything() -> None:
    assert [wanted(0.4, dial) for dial in (0.0, 0.5, 1.0, 1.5, 2.0, 10.0)] == pytest.approx([0, 0.2, 0.4, 0.7, 1, 1])


def test_notes_are_copied_as_often_as_is_asked(bundle: Bundle) -> None:
    """More and less, though the model itself knows nothing of loops; pitched parts apart from drums."""
    free = _repeats(bundle, None)
    for group in (PITCHED, DRUMS):
        asked = np.full((2, 3), np.nan)
        found = []
        for share in (0.1, 0.5):
            asked[group] = share
            found.append(_repeats(bundle, asked)[group])
            assert found[-1] == pytest.approx(np.full(3, share), abs=0.15)
        assert (found[1] > found[0] + 0.2).all()
        assert (free[group] < 0.4).all()


def test_what_repeats_after_four_bars_need_not_after_one(bundle: Bundle) -> None:
    found = _repeats(bundle, np.array([[0.1, 0.1, 0.6]] * 2))
    assert (found[:, 2] > found[:, 0] + 0.25).all()


def test_the_dial_moves_how_much_repeats(bundle: Bundle) -> None:
    asked = np.full((2, 3), 0.4)
    found = [_repeats(bundle, asked, dial)[PITCHED].mean() for dial in (0.0, 0.5, 1.0, 1.5)]
    assert found[0] < 0.01
    assert np.diff(found).min() > 0.05

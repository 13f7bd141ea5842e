"""Semitones sound at once as often as in the learned songs, whatever the model finds likely."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.generation.canvas import Canvas
from woodshed.generation.casting import clashes_of
from woodshed.generation.constraints import Constraints
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.plan import OFF_BEAT, PLAYED, make_plan
from woodshed.music import Part, Song
from woodshed.music.clashes import clashes
from woodshed.training.style import describe_style

PARTS = (Part("Keys", 4), Part("Bass", 33))
SONG = Song(parts=PARTS, length=48 * 1920)


@pytest.fixture(scope="module")
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    """Notes of nine steps, three, six or no steps apart."""
    return unlearned({0: -1.0, 3: 0.5, 6: 0.5}, {2: 8})


def _styled(bundle: Bundle, *found: float | None) -> Bundle:
    songs = [
        {"programs": [4], "presence": [1.0], "bpm": 120.0, "meter": "4/4"} | ({} if one is None else {"clashes": one})
        for one in found
    ]
    return dataclasses.replace(bundle, style={"arrangements": songs})


def _share(bundle: Bundle) -> float:
    """Of the notes of some clips, any pitch of which is as likely as any other."""
    canvas = Canvas(SONG, 0, (0, 1), Constraints(pitches={0: range(48, 72), 1: range(36, 60)}))
    songs = fill(bundle, canvas, Sampling(temperature=1), np.random.default_rng(0), count=3)
    return float(np.concatenate([clashes(song) for song in songs]).mean())


def test_they_are_as_rare_as_in_the_learned_songs(bundle: Bundle) -> None:
    free, few, some = (_share(_styled(bundle, asked)) for asked in (None, 0.06, 0.15))
    assert free > 0.25
    assert few == pytest.approx(0.06, abs=0.03)
    assert some == pytest.approx(0.15, abs=0.03)


def test_a_style_says_how_often_they_are_on_average() -> None:
    notes = [(0, 240 * i, 360, 60 + i % 2, 80) for i in range(100)]
    clashing, clean = Song.make(notes, PARTS), Song.make([(*note[:3], 60, 80) for note in notes], PARTS)
    assert clashes_of(describe_style(NoteStepCodec(), [clashing, clean])) == pytest.approx(99 / 200, abs=1e-4)
    assert np.isnan(clashes_of({}))
    assert np.isnan(clashes_of({"arrangements": [{"programs": [4], "clashes": None}]}))


def test_a_bundle_that_tells_nothing_of_songs_plays_as_it_learned(bundle: Bundle) -> None:
    canvas = Canvas(SONG, 0, (0, 1))
    told, untold = make_plan(_styled(bundle, 0.1), canvas), make_plan(bundle, canvas)
    assert (told.clashes, told.vote_share.tolist()) == (0.1, PLAYED.tolist())
    asked = make_plan(_styled(bundle, 0.1), Canvas(SONG, 0, (0, 1), Constraints(levels={"syncopation": (5,)})))
    assert asked.vote_share.tolist() == [np.float32(OFF_BEAT), *PLAYED[1:].tolist()]
    assert np.isnan(untold.clashes)
    assert (untold.vote_share == 1).all()

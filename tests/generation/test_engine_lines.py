"""A line steps and leaps, and comes back to one pitch, as often as the lines that were learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.generation.canvas import Canvas
from woodshed.generation.constraints import Constraints
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.plan import make_plan
from woodshed.music import Part, Song
from woodshed.music.intervals import favourite_share, interval_shares, line_of
from woodshed.recipes.band_solo import as_learned
from woodshed.recipes.wish import Wish
from woodshed.training.style import describe_style

PARTS = (Part("Keys", 4), Part("Bass", 33))
SONG = Song(parts=PARTS, length=48 * 1920)
STEPPING, LEAPING = (0.1, 0.6, 0.2, 0.05, 0.05, 0.0), (0.0, 0.05, 0.05, 0.1, 0.5, 0.3)


@pytest.fixture(scope="module")
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    """Notes six steps long, one after another; any pitch is as likely as any other."""
    return unlearned({6: 3.0}, {2: 5})


def _lines(bundle: Bundle, asked: Sequence[float] | None, pitches: range) -> list[NDArray[np.int64]]:
    constraints = Constraints(polyphony={0: 1}, pitches={0: pitches})
    canvas = Canvas(SONG, 0, (0,), constraints, line={} if asked is None else {0: asked})
    songs = fill(bundle, canvas, Sampling(temperature=1), np.random.default_rng(0), count=3)
    return [line_of(song, 0) for song in songs]


@pytest.mark.parametrize("asked", [STEPPING, LEAPING])
def test_intervals_are_as_asked(bundle: Bundle, asked: tuple[float, ...]) -> None:
    free, held = _lines(bundle, None, range(48, 84)), _lines(bundle, (*asked, 0.1), range(48, 84))
    assert min(map(len, held)) > 150
    assert np.abs(np.mean([interval_shares(line) for line in free], axis=0) - asked).max() > 0.2
    assert np.mean([interval_shares(line) for line in held], axis=0) == pytest.approx(asked, abs=0.07)


def test_so_is_how_often_it_comes_back_to_its_favourite_pitch(bundle: Bundle) -> None:
    any_interval = interval_shares(np.random.default_rng(1).integers(60, 66, 4000))
    for asked in (0.1, 0.5):
        found = [favourite_share(line) for line in _lines(bundle, (*any_interval, asked), range(60, 66))]
        assert np.mean(found) == pytest.approx(asked, abs=0.06)


def test_a_solo_takes_after_the_learned_lines_where_the_bundle_knows_any(bundle: Bundle) -> None:
    notes = [(0, 240 * i, 200, 60 + abs(i % 12 - 6), 90) for i in range(96)]
    lead = describe_style(NoteStepCodec(), [Song.make(notes, [Part("Lead", 81)])])["lead"]
    assert lead["lines"] == 1
    assert lead["intervals"] == [0, 1, 0, 0, 0, 0]
    assert lead["pace"] == 2
    assert lead["sounding"] == pytest.approx(200 / 240, abs=0.001)
    canvas = Canvas(SONG, 0, (0,))
    told = as_learned(dataclasses.replace(bundle, style={"lead": lead}), canvas, 0, Wish())
    plan = make_plan(bundle, told)
    assert plan.line[0].tolist() == [0, 1, 0, 0, 0, 0, lead["favourite"]]
    assert (plan.pace[0], plan.sounding[0]) == (2, lead["sounding"])
    assert np.isnan(plan.line[1:]).all()
    assert not as_learned(dataclasses.replace(bundle, style={"lead": lead}), canvas, 0, Wish(polyphony=3)).line
    assert as_learned(bundle, canvas, 0, Wish()) is canvas
    assert describe_style(NoteStepCodec(), [Song.make(notes[:9], [Part("Lead", 81)])])["lead"] is None

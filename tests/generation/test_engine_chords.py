"""Parts take root, third and fifth of the chord that sounds as often as in the learned songs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.generation.canvas import Canvas
from woodshed.generation.constraints import Constraints
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.plan import make_plan
from woodshed.music import CHORD, Part, Song
from woodshed.music.chord_places import ROOT, place_shares
from woodshed.music.chord_sheet import chord_rows, parse_chords

PARTS = (Part("Keys", 4), Part("Bass", 33), Part("Drums", 0, is_drum=True))
BARS = 48
SONG = Song(parts=PARTS, length=BARS * 1920)
CHORDS = chord_rows(parse_chords("Am7 F7 C7 G7"), BARS, 1920)
OF_KEYS, OF_BASS = (0.3, 0.25, 0.35, 0.1), (0.85, 0.05, 0.1, 0.0)


@pytest.fixture(scope="module")
def bundle(unlearned: Callable[..., Bundle]) -> Bundle:
    """Notes a step, three or six apart, of three parts; any pitch is as likely as any other."""
    return unlearned({0: -1.0, 3: 0.5, 6: 0.5}, {2: 5})


def _styled(bundle: Bundle, *shares: Sequence[float] | None) -> Bundle:
    """That learned one song with keys, bass and drums, which took places in chords so often."""
    programs = [4, 33, 128]
    song = {"programs": programs, "presence": [1.0] * 3, "bpm": 120.0, "meter": "4/4", "chord": list(shares)}
    return dataclasses.replace(bundle, style={"arrangements": [song]})


def _played(bundle: Bundle, constraints: Constraints) -> list[Song]:
    canvas = Canvas(SONG, 0, (0, 1), constraints)
    return fill(bundle, canvas, Sampling(temperature=1), np.random.default_rng(0), count=3)


def _found(bundle: Bundle, constraints: Constraints) -> list[NDArray[np.float64]]:
    songs = _played(bundle, constraints)
    found = [[place_shares(song, part, CHORDS, 1) for song in songs] for part in (0, 1)]
    return [np.mean([one for one in shares if one is not None], axis=0) for shares in found]


def _over(chords: NDArray[np.void] | None = None, **more: object) -> Constraints:
    free = {0: range(48, 84), 1: range(28, 52)}
    return Constraints(chords=CHORDS if chords is None else chords, pitches=free, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("strict", [True, False])
def test_shares_are_those_of_the_learned_parts(bundle: Bundle, strict: bool) -> None:
    told = _styled(bundle, OF_KEYS, OF_BASS, None)
    keys, bass = _found(told, _over(strict_chords=strict, chord_pull=0.0))
    _, free_bass = _found(bundle, _over(strict_chords=strict, chord_pull=0.0))
    assert keys == pytest.approx(OF_KEYS, abs=0.06)
    assert bass == pytest.approx(OF_BASS, abs=0.06)
    assert free_bass[ROOT] < 0.5


def test_what_cannot_be_played_is_not_waited_for(bundle: Bundle) -> None:
    """Over triads that are strict nothing is other: the rest is shared as before."""
    triads = chord_rows(parse_chords("Am F C G"), BARS, 1920)
    told = _styled(bundle, (0.2, 0.2, 0.1, 0.5), OF_BASS, None)
    songs = _played(told, _over(triads))
    found = np.mean([place_shares(song, 0, triads, 1) for song in songs], axis=0)
    assert found == pytest.approx([0.4, 0.4, 0.2, 0.0], abs=0.06)


def test_where_no_chord_sounds_all_is_as_it_was(bundle: Bundle) -> None:
    told = _styled(bundle, OF_KEYS, OF_BASS, None)
    canvas = Canvas(SONG, 0, (0, 1), Constraints())
    with_shares, without = (fill(one, canvas, Sampling(), np.random.default_rng(0)) for one in (told, _styled(bundle)))
    assert np.array_equal(with_shares[0].notes, without[0].notes)
    silent = np.array([(0, -1, 0, -1)], CHORD)
    assert (make_plan(told, Canvas(SONG, 0, (0, 1), Constraints(chords=silent))).places == -1).all()


def test_each_part_takes_the_shares_of_its_kin_and_a_line_goes_its_own_way(bundle: Bundle) -> None:
    told = _styled(bundle, OF_KEYS, OF_BASS, None)
    plan = make_plan(told, Canvas(SONG, 0, (0, 1, 2), Constraints(chords=CHORDS)))
    assert np.isnan(plan.chord[[0, *range(3, 16)]]).all()  # the drums
    assert plan.chord[1].tolist() == list(OF_BASS)
    assert plan.chord[2].tolist() == list(OF_KEYS)
    line = Canvas(SONG, 0, (0,), Constraints(chords=CHORDS), line={0: (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1)})
    assert np.isnan(make_plan(told, line).chord).all()

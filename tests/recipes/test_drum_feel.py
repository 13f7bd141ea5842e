"""Drums that humanise plays with a drummer's touch: by the nets that come with a bundle, and only what they know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import Bundle, load_bundle
from woodshed.bundle.drum_touch import TOUCH_FILE, write_touch
from woodshed.generation.canvas import TIMING, VELOCITY
from woodshed.generation.filters import Sampling
from woodshed.generation.openings import humanise_canvas
from woodshed.music import Part, Song
from woodshed.recipes import drum_feel
from woodshed.recipes.drum_feel import by_drummers, touch_of
from woodshed.recipes.feel import REACH, humanise

BAR = 1920
DRUMS, BASS = Part("Drums", 0, is_drum=True), Part("Bass", 33)
STEADY = Sampling(steady=True)


@pytest.fixture(scope="module")
def base() -> Bundle:
    return load_bundle("base")


def _beat(bars: int = 4, velocity: int = 90, **rest: object) -> Song:
    hits = [
        (0, bar * BAR + eighth * 240, 60, pitch, velocity)
        for bar in range(bars)
        for eighth in range(8)
        for pitch in ([42, {0: 36, 4: 36, 2: 38, 6: 38}.get(eighth, 0)] if eighth % 2 == 0 else [42])
    ]
    return Song.make(hits, (DRUMS, BASS), length=bars * BAR, **rest)


def test_the_shipped_drummers_play_a_stiff_beat_without_a_model(base: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("woodshed.recipes.feel.fill", None)
    song = _beat()
    steady = humanise(base, song, Sampling(), steady=True, seed=1)[0].song
    assert sorted(steady.notes["pitch"].tolist()) == sorted(song.notes["pitch"].tolist())
    loud = {pitch: steady.notes["velocity"][steady.notes["pitch"] == pitch].mean() for pitch in (36, 38, 42)}
    assert loud[38] > loud[42] + 10, "a backbeat is louder than a hi-hat"
    assert steady.notes["velocity"].std() > 5
    drawn = [humanise(base, song, Sampling(), seed=seed)[0].song for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    late = drawn[0].notes["onset"] - np.round(drawn[0].notes["onset"] / 120) * 120
    assert 2 < late.std() < 40
    assert np.abs(late).max() <= REACH


def test_what_is_not_open_is_not_said(base: Bundle) -> None:
    song = _beat()
    touch, fields = touch_of(base) or pytest.fail("base has a touch")
    assert fields == TIMING | VELOCITY
    onset, velocity = by_drummers(touch, fields, humanise_canvas(song, what=VELOCITY), STEADY, np.random.default_rng(0))
    assert np.isnan(onset).all()
    assert not np.isnan(velocity).any()
    canvas = humanise_canvas(song, bars=(2, 2), what=TIMING)
    onset, velocity = by_drummers(touch, fields, canvas, STEADY, np.random.default_rng(0))
    inside = (song.notes["onset"] >= BAR) & (song.notes["onset"] < 2 * BAR)
    assert np.isnan(velocity).all()
    assert np.array_equal(~np.isnan(onset), inside)


def test_nobody_speaks_of_waltzes_or_of_other_instruments(base: Bundle) -> None:
    touch, fields = touch_of(base) or pytest.fail("base has a touch")

    def said(song: Song) -> int:
        told = by_drummers(touch, fields, humanise_canvas(song), STEADY, np.random.default_rng(0))
        return int((~np.isnan(told)).sum())

    song = _beat()
    assert said(song) == 2 * len(song)
    assert said(_beat(meters=[(0, 3, 4)])) == 0
    bass = song.notes.copy()
    bass["part"] = 1
    assert said(song.with_notes(bass)) == 0


def test_triplets_swing_on_and_are_played_as_loosely_as_sixteenths(base: Bundle) -> None:
    song = _beat()
    swung = song.notes.copy()
    is_off = swung["onset"] % 480 == 240
    swung["onset"] += np.where(is_off, 80, 0).astype(swung["onset"].dtype)
    shuffle = song.with_notes(swung)
    is_off = shuffle.notes["onset"] % 480 == 320
    touch, fields = touch_of(base) or pytest.fail("base has a touch")
    rng = np.random.default_rng(0)
    steady, loud = by_drummers(touch, fields, humanise_canvas(shuffle), STEADY, rng)
    assert np.ptp(steady[is_off] - shuffle.notes["onset"][is_off]) <= 1, "all as early as the part is"
    assert np.ptp(steady[~is_off] - shuffle.notes["onset"][~is_off]) > 1
    assert loud.std() > 5
    drawn = np.stack([by_drummers(touch, fields, humanise_canvas(shuffle), Sampling(), rng)[0] for _ in range(20)])
    assert 4 < drawn[:, is_off].std(0).mean() < 40
    assert abs((drawn - steady)[:, is_off].mean()) < 8


def test_in_a_band_drums_stay_as_loud_as_they_were_and_on_time(base: Bundle) -> None:
    alone = _beat(velocity=60)
    notes = np.concatenate([alone.notes, alone.notes[:8]])
    notes["part"][-8:], notes["pitch"][-8:] = 1, 40
    band = alone.with_notes(notes)
    in_band, by_itself = (
        humanise(base, song, Sampling(), steady=True, parts="drums", seed=1)[0].song.notes for song in (band, alone)
    )
    in_band = in_band[in_band["part"] == 0]
    assert abs(in_band["velocity"].mean() - 60) < 2
    assert in_band["velocity"].std() > 5
    late = in_band["onset"] - np.round(in_band["onset"] / 120) * 120
    assert abs(late.mean()) < 2 < late.std()
    assert by_itself["velocity"].mean() > 80, "as loud as drummers play this beat, whatever was written"


def test_songs_that_were_never_performed_are_lent_the_timing(base: Bundle, tmp_path: Path) -> None:
    feel = {"128.36": [0, 100, 0, 24, 90, 0], "33": [0, 80, 3]}
    mine = replace(base, folder=tmp_path, style=base.style | {"feel": feel})
    lent = touch_of(mine)
    assert lent is not None
    assert lent[1] == TIMING
    assert touch_of(replace(mine, style=base.style | {"feel": {"128.36": [0, 100, 5]}})) is None, "these were performed"
    write_touch(lent[0], tmp_path / TOUCH_FILE)
    assert (touch_of(mine) or (None, 0))[1] == TIMING | VELOCITY


def test_tempo_maps_are_kept(base: Bundle) -> None:
    song = _beat(tempos=[(0, 60.0), (2 * BAR, 240.0)])
    found = humanise(base, song, Sampling(), steady=True, what=["timing"], seed=1)[0].song
    late = np.sort(found.notes["onset"]) - np.sort(song.notes["onset"])
    first = np.sort(song.notes["onset"]) < 2 * BAR
    assert np.abs(late[~first]).mean() > 2 * np.abs(late[first]).mean(), "as many ms are more ticks of a faster beat"
    assert drum_feel.SIXTEENTHS == 4

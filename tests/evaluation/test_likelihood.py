"""Nats per note: the sum over fields, weighted by notes, and an interval that songs as a whole make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import load_bundle
from woodshed.errors import CorpusError
from woodshed.evaluation.likelihood import bootstrap, measure_likelihood
from woodshed.formats import read_midi
from woodshed.music import Song
from woodshed.training.lessons import held_out_nats


def test_it_is_what_training_measures_and_adds_up(tiny_bundle: Path, music_folder: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    songs = [read_midi(path) for path in sorted(music_folder.glob("*.mid"))[:3]]
    told: list[tuple[int, int]] = []
    found = measure_likelihood(bundle, songs, on_song=lambda done, total: told.append((done, total)))
    trained = held_out_nats(bundle, [bundle.codec.arrange(song) for song in songs])
    assert found.fields == pytest.approx(trained)
    assert sum(found.fields.values()) == pytest.approx(found.nats_per_note)
    assert found.low <= found.nats_per_note <= found.high
    assert (found.songs, found.notes) == (3, sum(map(len, songs)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert found == measure_likelihood(bundle, songs)


def test_one_song_has_an_interval_of_no_width(tiny_bundle: Path, music_folder: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    found = measure_likelihood(bundle, [read_midi(music_folder / "song-0.mid")])
    assert found.low == pytest.approx(found.nats_per_note)
    assert found.high == pytest.approx(found.nats_per_note)


def test_songs_without_notes_cannot_be_asked(tiny_bundle: Path) -> None:
    with pytest.raises(CorpusError, match="no notes"):
        measure_likelihood(load_bundle(tiny_bundle), [Song()])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        notes = rng.integers(50, 150, 40).astype(float)
        low, high = bootstrap(notes * rng.normal(5, 1, 40), notes, rng, draws=400)
        covered += low <= 5 <= high
    assert 85 <= covered <= 100

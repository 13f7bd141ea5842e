"""Nats per note: the sum over fields and over parts, weighted by notes, and an interval that songs as a whole make."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import load_bundle
from woodshed.errors import CorpusError
from woodshed.evaluation.likelihood import Likelihood, measure_likelihood
from woodshed.evaluation.song_nats import nats_of
from woodshed.formats import read_midi
from woodshed.music import Part, Song
from woodshed.training.lessons import held_out_nats


def songs_of(folder: Path, count: int) -> list[Song]:
    return [read_midi(path) for path in sorted(folder.glob("*.mid"))[:count]]


def test_it_is_what_training_measures_and_adds_up(tiny_bundle: Path, music_folder: Path) -> None:
    bundle, songs = load_bundle(tiny_bundle), songs_of(music_folder, 3)
    told: list[tuple[int, int]] = []
    found = measure_likelihood(bundle, songs, on_song=lambda done, total: told.append((done, total)))
    trained = held_out_nats(bundle, [bundle.codec.arrange(song) for song in songs])
    assert found.fields == pytest.approx(trained)
    assert sum(found.fields.values()) == pytest.approx(found.nats_per_note)
    assert found.low <= found.nats_per_note <= found.high
    assert (found.songs, found.notes) == (3, sum(map(len, songs)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert found == measure_likelihood(bundle, songs)


def test_nats_of_all_parts_and_of_nobody_are_all_nats(tiny_bundle: Path, music_folder: Path) -> None:
    bundle, songs = load_bundle(tiny_bundle), songs_of(music_folder, 2)
    found = measure_likelihood(bundle, songs)
    assert set(found.players) == {"drums", "other"}
    assert sum(found.players[name].count for name in found.players) == found.notes
    spent = sum(one.mean * one.count for one in found.players.values())
    assert spent + found.nobody.mean * found.notes == pytest.approx(found.nats_per_note * found.notes)
    assert 0 < found.nobody.mean < found.nats_per_note


def test_a_part_is_called_by_its_role(tiny_bundle: Path, band_song: Song) -> None:
    found = measure_likelihood(load_bundle(tiny_bundle), [band_song])
    assert {name: one.count for name, one in found.players.items()} == {"drums": 48, "bass": 32, "rhythm guitar": 32}


def test_two_parts_of_one_role_are_counted_together(tiny_bundle: Path, band_song: Song) -> None:
    parts = (*band_song.parts[:2], Part("Guitar", 30, False, "bass"))
    found = nats_of(load_bundle(tiny_bundle), band_song.replace(parts=parts))
    assert {name: notes for name, (_, notes) in found.players.items()} == {"drums": 48, "bass": 64}


def test_fields_that_are_not_asked_about_cost_nothing(tiny_bundle: Path, band_song: Song) -> None:
    bundle = load_bundle(tiny_bundle)
    whole, some = nats_of(bundle, band_song), nats_of(bundle, band_song, ("pitch", "duration"))
    assert set(some.fields) == {"pitch", "duration"}
    assert some.fields["pitch"] <= whole.fields["pitch"]  # the end says no pitch any more
    assert some.fields["pitch"] == pytest.approx(whole.fields["pitch"], rel=0.1)


def test_one_song_has_an_interval_of_no_width_that_is_marked(tiny_bundle: Path, music_folder: Path) -> None:
    found = measure_likelihood(load_bundle(tiny_bundle), songs_of(music_folder, 1))
    assert found.low == found.nats_per_note == found.high
    assert found.caution == "n too small: 1 song"
    assert found.as_dict()["caution"] == "n too small: 1 song"


def test_songs_without_notes_cannot_be_asked(tiny_bundle: Path) -> None:
    with pytest.raises(CorpusError, match="no notes"):
        measure_likelihood(load_bundle(tiny_bundle), [Song()])


def test_drums_alone_are_measured_and_finite(tiny_bundle: Path) -> None:
    drums = Song.make([(0, beat * 480, 120, 36, 100) for beat in range(8)], [Part("Kit", 0, True)])
    found = measure_likelihood(load_bundle(tiny_bundle), [drums])
    assert list(found.players) == ["drums"]
    assert math.isfinite(found.nats_per_note)
    assert np.isfinite([one.mean for one in found.field_intervals.values()]).all()


def test_it_is_asked_of_every_song_even_where_some_have_nothing(tiny_bundle: Path, band_song: Song) -> None:
    def hear(song: Song) -> list[Song]:
        if song.title != "Four Bars":
            raise CorpusError("nothing here")
        return [song]

    found: Likelihood = measure_likelihood(
        load_bundle(tiny_bundle), [band_song, band_song.replace(title="Other")], hear=hear
    )
    assert (found.songs, found.unheard, found.by_song[1]) == (1, 1, None)

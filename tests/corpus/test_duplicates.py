"""Versions are found in any key and at any tempo; strangers are left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from woodshed.corpus.analyse import analyse
from woodshed.corpus.duplicates import Versions, find_versions, signatures, similar_pairs
from woodshed.corpus.fingerprints import fingerprint, fingerprints
from woodshed.corpus.scan import scan
from woodshed.music import Part, Song

Tune = Callable[..., Song]


def stretched(song: Song, factor: int) -> Song:
    notes = song.notes.copy()
    notes["onset"] *= factor
    notes["duration"] *= factor
    return Song.make(notes, song.parts)


def joined(*songs: Song) -> Song:
    """One after another: a medley."""
    moved, start = [], 0
    for song in songs:
        notes = song.notes.copy()
        notes["onset"] += start
        moved.append(notes)
        start += song.length
    return Song.make(np.concatenate(moved), songs[0].parts)


def with_wrong_notes(song: Song, share: float, seed: int = 0) -> Song:
    chance = np.random.default_rng(seed)
    notes = song.notes.copy()
    notes["pitch"] += (chance.random(len(notes)) < share) * chance.integers(1, 3, len(notes)).astype(np.int16)
    return Song.make(notes, song.parts)


def versions_of(*songs: Song) -> Versions:
    return find_versions([fingerprint(song) for song in songs], [len(song) for song in songs])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(-12, 12), st.sampled_from([1, 2, 3, 4]), st.integers(1, 127))
def test_key_tempo_instruments_and_loudness_do_not_matter(
    tune: Tune, seed: int, semitones: int, factor: int, velocity: int
) -> None:
    song = tune(seed)
    other = stretched(song.transpose(semitones), factor)
    notes = other.notes.copy()
    notes["velocity"] = velocity
    other = Song.make(notes, [Part("A", 10), Part("B", 20), Part("", 3, True)])
    assert np.array_equal(fingerprint(song), fingerprint(other))


def test_many_songs_at_once_have_the_fingerprints_of_each_alone(tune: Tune, band_song: Song) -> None:
    songs = [tune(1), band_song, Song(), tune(2, bars=1), tune(3)]
    together = fingerprints([song.notes for song in songs], [song.parts for song in songs])
    assert all(np.array_equal(fingerprint(song), found) for song, found in zip(songs, together, strict=True))


def test_nothing_has_no_fingerprints() -> None:
    assert fingerprints([], []) == []
    assert len(similar_pairs([])) == 0
    assert len(find_versions([], []).group) == 0


def test_drums_alone_are_known_by_their_rhythm(tune: Tune) -> None:
    chance = np.random.default_rng(5)
    beats = [
        (0, int(step) * 120, 60, int(chance.choice([36, 38, 42, 46, 49])), 90)
        for step in np.flatnonzero(chance.random(200) < 0.7)
    ]
    drums = Song.make(beats, [Part("", 0, True)])
    assert len(fingerprint(drums)) > 20
    assert np.array_equal(fingerprint(drums), fingerprint(stretched(drums, 2)))


def test_a_transposed_copy_goes_and_strangers_stay(tune: Tune) -> None:
    found = versions_of(tune(1), tune(2), tune(1).transpose(5), tune(3))
    assert found.duplicate_of.tolist() == [-1, -1, 0, -1]
    assert found.group.tolist() == [0, 1, 0, 2]
    assert found.similarity[2] == 1.0


def test_the_fuller_version_stays(tune: Tune) -> None:
    short = tune(1).slice_bars(0, 14)
    assert versions_of(short, tune(1)).duplicate_of.tolist() == [1, -1]


def test_an_excerpt_goes(tune: Tune) -> None:
    long = tune(1, bars=32)
    assert versions_of(long, long.slice_bars(4, 14)).duplicate_of.tolist() == [-1, 0]


def test_a_medley_goes_and_what_it_is_made_of_stays(tune: Tune) -> None:
    found = versions_of(joined(tune(1), tune(2), tune(3)), tune(1), tune(2), tune(3))
    assert found.medley.tolist() == [True, False, False, False]
    assert found.duplicate_of[0] in (1, 2, 3)
    assert found.duplicate_of[1:].tolist() == [-1, -1, -1]
    assert len(set(found.group.tolist())) == 1


def test_a_medley_of_songs_that_are_not_there_stays(tune: Tune) -> None:
    medley = joined(*(tune(seed) for seed in range(1, 7)))
    found = versions_of(medley, tune(1), tune(2))
    assert found.medley[0]
    assert found.duplicate_of.tolist() == [-1, -1, -1]


def test_an_arrangement_with_many_other_notes_is_grouped_but_stays(tune: Tune) -> None:
    first = tune(1)
    other = joined(with_wrong_notes(first, 0.15).slice_bars(0, 8), tune(9))
    found = versions_of(first, other)
    assert found.group.tolist() == [0, 0]
    assert found.duplicate_of.tolist() == [-1, -1]


def test_many_copies_of_one_song_are_all_found(tune: Tune) -> None:
    copies = [with_wrong_notes(tune(1).transpose(step % 12), 0.01, step) for step in range(40)]
    strangers = [tune(seed) for seed in range(2, 12)]
    found = versions_of(*copies, *strangers)
    assert (found.duplicate_of[:40] < 0).sum() == 1
    assert (found.duplicate_of[40:] < 0).all()
    assert len(set(found.group.tolist())) == 11


def test_equal_bins_estimate_the_jaccard_index() -> None:
    chance = np.random.default_rng(0)
    numbers = chance.integers(0, 2**32, 3000, np.uint32)
    one, other = np.unique(numbers[:2000]), np.unique(numbers[1000:])
    values = signatures([one, other, np.empty(0, np.uint32)])
    assert abs((values[0] == values[1]).mean() - 1 / 3) < 0.12


def test_folk_tunes_meet_their_melody_and_few_others(data_folder: Path) -> None:
    """Nottingham holds each tune twice, with chords and as melody alone: that is what must be found."""
    folder = data_folder / "folk" / "nottingham"
    if not folder.is_dir():
        pytest.skip("the Nottingham tunes are not there")
    sources = [source for source in scan(folder).sources if "jigs1" in source.name and "chords/" not in source.name]
    found = [analyse(source.path, source.name) for source in sources]
    songs = [song for _, song in found if song is not None]
    names = [finding.source for finding, song in found if song is not None]
    versions = find_versions(fingerprints([s.notes for s in songs], [s.parts for s in songs]), [len(s) for s in songs])
    place = {name: number for number, name in enumerate(names)}
    pairs = [(place[name], place[f"melody/{name}"]) for name in names if f"melody/{name}" in place]
    assert len(pairs) > 80
    assert all(versions.group[whole] == versions.group[tune] for whole, tune in pairs)
    assert len(set(versions.group.tolist())) > 0.8 * len(pairs)

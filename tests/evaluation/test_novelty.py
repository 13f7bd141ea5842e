"""What of a song stands in a corpus, in a musician's words; and what is usual, so that it means something."""

from __future__ import annotations

import json

import numpy as np
import pytest

from woodshed.corpus.passages import IndexedSong, PassageIndex
from woodshed.evaluation.novelty import Baseline, Novelty, measure_baseline, measure_novelty, span_of
from woodshed.evaluation.novelty_picture import coloured_sources, novelty_svg
from woodshed.music import Part, Song

LEAD, BASS, DRUMS = Part("Lead", 30), Part("Bass", 33), Part("Drums", 0, True)
TUNE = [(0, 64), (240, 67), (480, 69), (600, 64), (960, 71), (1200, 69), (1440, 67), (1560, 62), (1920, 64), (2160, 67),
        (2400, 70), (2520, 64), (2880, 69), (3120, 67), (3240, 66), (3600, 62), (3720, 59), (3840, 61)]  # fmt: skip
"""18 notes over eight beats."""


def rows(line: list[tuple[int, int]], part: int = 0, later: int = 0, higher: int = 0) -> list[tuple[int, ...]]:
    return [(part, onset + later, 100, pitch + higher, 90) for onset, pitch in line]


def tune(seed: int, notes: int = 120) -> list[tuple[int, int]]:
    chance = np.random.default_rng(seed)
    onsets = np.cumsum(chance.choice((120, 240, 360, 480), notes))
    return list(zip(onsets.tolist(), (60 + np.cumsum(chance.integers(-4, 5, notes)) % 24).tolist(), strict=True))


def measured(song: Song, *sources: Song) -> Novelty:
    known = [(IndexedSong(f"{n}.mid", source.title), source) for n, source in enumerate(sources)]
    return measure_novelty(song, PassageIndex.build(known), lambda number: sources[number], longer_than=(12, 17, 18))


def test_a_run_is_told_in_notes_beats_seconds_bars_key_and_speed() -> None:
    source = Song.make(rows(TUNE, 1, later=1920), (DRUMS, LEAD), title="Source", tempos=[(0, 60.0)])
    faster = [(onset // 2, pitch) for onset, pitch in TUNE]
    own = rows(tune(0, 18), 1)
    song = Song.make(rows(faster, 0, 3840, -2) + own, (BASS, LEAD), tempos=[(0, 120.0)])
    found = measured(song, Song.make(rows(tune(1)), (LEAD,)), source)
    run = found.longest
    assert run is not None
    assert (run.part, run.source, run.source_name, run.source_part) == ("Bass", "Source", "1.mid", "Lead")
    assert (run.here.notes, run.here.beats, run.here.seconds) == (18, 4.0, 2.0)
    assert (run.here.first_bar, run.here.last_bar, run.there.first_bar, run.there.last_bar) == (3, 4, 2, 4)
    assert (run.there.beats, run.there.seconds) == (8.0, 8.0)
    assert (run.semitones, run.speed, run.altered) == (-2, 2.0, 0)
    assert found.longest_exact == run
    assert found.share == 0.5
    assert found.longer_than == {12: 0.5, 17: 0.5, 18: 0.0}
    assert found.caution == ""


def test_a_run_in_several_parts_names_all_of_them() -> None:
    parts = (LEAD, BASS, Part("Lead", 29), Part("Lead", 28))
    lines = [rows(tune(seed, 60), part) for part, seed in enumerate((1, 2, 3, 4))]
    source = Song.make([row for line in lines for row in line], parts, title="Source")
    (run,) = measured(Song.make([row for line in lines[:3] for row in line], parts[:3]), source).runs
    assert (run.part, run.source_part) == ("Lead (2 parts) and Bass", "Lead (2 parts) and Bass")
    assert (run.here.notes, run.altered, run.exact.notes) == (180, 0, 60)
    (whole,) = measured(source, source).runs
    assert whole.part == "Lead (3 parts) and Bass"
    found = measured(source, source)
    assert found.longest is not None
    assert (found.longest.part, found.longest.here.notes) == ("Lead", 60)


def test_the_longest_run_without_a_change_is_told_apart() -> None:
    line = tune(3, 48)
    changed = [(onset, pitch + (number == 30)) for number, (onset, pitch) in enumerate(line)]
    found = measured(Song.make(rows(changed), (LEAD,)), Song.make(rows(line), (LEAD,), title="Source"))
    assert found.longest is not None
    assert found.longest_exact is not None
    assert (found.longest.here.notes, found.longest.altered, found.longest_exact.exact.notes) == (47, 1, 30)


def test_drums_and_pitched_notes_are_told_apart() -> None:
    song = Song.make(rows(tune(5, 60)) + rows([(480 * beat, 36) for beat in range(60)], 1), (LEAD, DRUMS))
    found = measured(song, song)
    assert (found.pitched_share, found.drum_share, found.share) == (1.0, 0.0, 0.5)


@pytest.mark.parametrize("notes", [0, 1, 11])
def test_a_song_of_few_notes_or_none_is_told_to_be_too_small(notes: int) -> None:
    found = measured(Song.make(rows(TUNE[:notes]), (LEAD,)), Song.make(rows(TUNE), (LEAD,)))
    assert (found.share, found.pitched_share, found.drum_share, found.longest) == (0.0, 0.0, 0.0, None)
    assert found.caution.startswith("n too small")
    assert "NaN" not in json.dumps(found.as_dict())


def test_what_is_usual_leaves_a_songs_own_versions_out() -> None:
    songs = [Song.make(rows(tune(seed)), (LEAD,)) for seed in range(6)]
    songs.append(songs[0].transpose(3))
    alone = measure_baseline(songs, [0, 1, 2, 3, 4, 5, 0], np.random.default_rng(0))
    assert alone is not None
    assert (alone.share.mean, alone.share.count, alone.share.groups) == (0.0, 7, 6)
    mixed = measure_baseline(songs, range(7), np.random.default_rng(0))
    assert mixed is not None
    assert mixed.share.mean == pytest.approx(2 / 7)
    assert mixed.longest_notes.mean == pytest.approx(240 / 7)
    assert (mixed.more_than(0.5), mixed.more_than(0.0)) == (5, 0)
    assert Baseline.from_dict(json.loads(json.dumps(mixed.as_dict()))) == mixed


@pytest.mark.parametrize("songs", [0, 1])
def test_of_one_song_nothing_is_usual(songs: int) -> None:
    assert measure_baseline([Song.make(rows(TUNE), (LEAD,))] * songs, [0] * songs, np.random.default_rng(0)) is None


def test_what_is_usual_of_drums_alone_and_of_silence_is_a_number() -> None:
    songs = [Song.make(rows([(480 * beat, 36) for beat in range(20)]), (DRUMS,)), Song(), Song()]
    found = measure_baseline(songs, range(3), np.random.default_rng(0))
    assert found is not None
    assert "NaN" not in json.dumps(found.as_dict())
    assert found.pitched_share.caution == "n too small: nothing to count"


def test_no_note_spans_nothing() -> None:
    assert span_of(Song(), np.zeros(0, np.int64)).beats == 0.0


def test_the_picture_colours_each_source() -> None:
    first, second = (Song.make(rows(tune(seed, 40 - seed)), (LEAD,), title=f"Source {seed}") for seed in (1, 2))
    both = rows(tune(1, 39)) + rows(tune(2, 38), 1) + rows([(480 * beat, 36) for beat in range(20)], 2)
    song = Song.make(both, (LEAD, BASS, DRUMS), title="Both <of> them")
    found = measured(song, first, second)
    assert list(coloured_sources(found)) == [0, 1]
    svg = novelty_svg(song, found)
    for colour in coloured_sources(found).values():
        assert colour.lower() in svg.lower()

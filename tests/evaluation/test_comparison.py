"""Clips beside real music: alike, unlike, too few, and nothing at all."""

from __future__ import annotations

import json
import math
import random

import numpy as np
import pytest

from woodshed.errors import CorpusError, OutOfRange
from woodshed.evaluation.comparison import MUSPY, compare_sets, pieces, usual_bars
from woodshed.evaluation.two_sample import JUDGES
from woodshed.music import Part, Song

PARTS = [Part("Drums", 0, True), Part("Bass", 33), Part("Guitar", 30)]


def band(seed: int, bars: int = 4, busy: float = 0.8) -> Song:
    chance = random.Random(seed)
    notes = []
    for bar in range(bars):
        start = bar * 1920
        notes += [(0, start + beat * 480, 120, 36 if beat % 2 == 0 else 38, 100) for beat in range(4)]
        notes += [(1, start + place * 240, 240, 40 + chance.choice((0, 3, 5, 7)), 96) for place in range(8)]
        notes += [
            (2, start + place * 120, 120, 60 + chance.randrange(12), 90)
            for place in range(16)
            if chance.random() < busy
        ]
    return Song.make(notes, PARTS, meters=[(0, 4, 4)])


def named(seeds: range, **options: float) -> list[tuple[str, Song]]:
    return [(f"song {seed}", band(seed, **options)) for seed in seeds]  # type: ignore[arg-type]


def test_music_of_one_kind_is_alike_and_another_density_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    alike = compare_sets(named(range(12)), named(range(100, 112)), progress=lambda *one: told.append(one))
    other = compare_sets(named(range(12), busy=0.2), named(range(100, 112)))
    assert alike.values > other.values
    assert alike.judges["linear"].low < 0.5 < alike.judges["linear"].high
    assert other.judges["linear"].accuracy > 0.95
    assert other.figures["notes_per_bar"].made.mean < other.figures["notes_per_bar"].real.mean
    assert other.figures["notes_per_bar"].distance.values < 0.1
    assert {stage for stage, _, _ in told} == {"measure", "compare", "judge"}
    assert all(done <= total for _, done, total in told)


def test_all_is_there_with_its_n_and_can_be_written_as_json() -> None:
    found = compare_sets(named(range(6)), named(range(100, 107)))
    assert (found.made, found.real, found.made_songs, found.real_songs, found.bars) == (6, 7, 6, 7, 4)
    assert set(found.judges) == set(JUDGES)
    assert f"{MUSPY}groove_consistency" in found.figures
    assert "pitch_class_histogram" in found.histograms
    assert found.figures["polyphony"].made.groups == 6
    assert found.caution == "only 6 songs on one side: not to be relied on"
    facts = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert facts["figures"]["polyphony"]["distance"]["caution"] == "n too small: 6 songs"


def test_what_stands_in_the_real_songs_is_counted_as_copied() -> None:
    real = named(range(100, 106))
    assert compare_sets([("mine", real[0][1])], real).copied.mean > 0.7
    assert compare_sets(named(range(3)), real).copied.mean < 0.3


def test_one_clip_is_measured_and_everything_that_needs_more_says_so() -> None:
    found = compare_sets(named(range(1)), named(range(100, 110)))
    assert (found.overlap, found.values) == (None, None)
    assert all(one.too_few for one in found.distances.values())
    assert all(told.too_few for told in found.judges.values())
    assert math.isfinite(found.figures["polyphony"].made.mean)
    facts = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [facts[name] for name in ("overlap", "values", "overlap_interval", "values_interval")] == [None] * 4
    distance = facts["figures"]["polyphony"]["distance"]
    assert (distance["overlap"], distance["values"], distance["made_songs"]) == (None, None, 1)
    assert facts["histograms"]["pitch_class_histogram"]["overlap"] is None
    assert (facts["judges"]["linear"]["accuracy"], facts["judges"]["linear"]["first_songs"]) == (None, 10)


def test_drums_alone_are_compared_by_what_drums_have() -> None:
    drums = [
        (f"beat {seed}", Song.make([(0, beat * 480, 120, 36 + seed % 3, 100) for beat in range(16)], PARTS[:1]))
        for seed in range(5)
    ]
    found = compare_sets(drums, named(range(100, 105)))
    assert "notes_per_bar" in found.figures
    assert "polyphony" not in found.figures
    json.dumps(found.as_dict(), allow_nan=False)


def test_silence_and_pieces_that_are_too_short_are_refused() -> None:
    real = named(range(100, 103))
    with pytest.raises(CorpusError, match="the music to judge has no notes"):
        compare_sets([("rest", Song(length=1920))], real)
    with pytest.raises(CorpusError, match="the music to judge it by has no notes"):
        compare_sets(real, [("rest", Song(length=1920))])
    with pytest.raises(CorpusError, match="is 9 bars long \\(4 at most\\); ask for fewer with --bars"):
        compare_sets(named(range(3)), real, bars=9)


def test_of_many_pieces_each_song_gives_one_in_turn() -> None:
    songs = [("long", band(1, bars=40)), ("short", band(2, bars=8))]
    found = pieces(songs, 4, np.random.default_rng(0), most=4)
    assert [name for name, _ in found].count("short") == 2


def test_pieces_are_as_long_as_nine_in_ten_clips() -> None:
    assert usual_bars([band(seed, bars=4) for seed in range(9)] + [band(9, bars=1)]) == 2
    assert usual_bars([band(0, bars=40)]) == 16
    assert usual_bars([]) == 2


def test_the_same_songs_on_both_sides_are_suspected_and_others_are_not() -> None:
    songs = named(range(8))
    same = compare_sets([(f"copy of {name}", song) for name, song in songs], songs)
    assert "both sides share songs, or parts of songs" in same.remark
    assert same.as_dict()["remark"] == same.remark
    assert compare_sets(named(range(8)), named(range(100, 108))).remark == ""


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_outside_its_range_is_named(seed: int) -> None:
    with pytest.raises(OutOfRange, match=f"seed {seed} is outside 0-4294967295"):
        compare_sets(named(range(3)), named(range(100, 103)), seed=seed)

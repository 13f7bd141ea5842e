"""Notes as words: what is the same music gives the same words, whatever its key, and what is not gives others."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.errors import OutOfRange
from woodshed.evaluation.clip_features import normal_form
from woodshed.evaluation.note_words import BUCKETS, KINDS, note_matrix, note_words
from woodshed.evaluation.two_sample import tell_apart, tell_features_apart
from woodshed.music import Part, Song

LEAD = Part("Lead", 30)


def tune(pitches: list[int], *, every: int = 240) -> Song:
    notes = [(0, place * every, every, pitch, 100) for place, pitch in enumerate(pitches)]
    return Song.make(notes, [LEAD], length=max(len(pitches) * every, 1920))


def of_kind(song: Song, kind: str) -> list[int]:
    return sorted(note_words(song)[KINDS.index(kind)].tolist())


def test_the_key_plays_no_role_and_the_tune_does(band_song: Song) -> None:
    assert (note_matrix([band_song]) == note_matrix([band_song.transpose(3)])).all()
    assert of_kind(tune([60, 62, 64]), "two") != of_kind(tune([60, 62, 65]), "two")


def test_a_tune_turned_round_has_the_same_lengths_but_other_phrases() -> None:
    forth, back = tune([60, 62, 67, 65]), tune([65, 67, 62, 60])
    assert of_kind(forth, "length") == of_kind(back, "length")
    assert of_kind(forth, "three") != of_kind(back, "three")


def test_a_bar_that_comes_again_is_told_from_one_that_does_not() -> None:
    bar, other = [60, 62, 64, 65, 67, 65, 64, 62], [60, 61, 63, 66, 68, 66, 63, 61]
    assert of_kind(tune(bar + bar), "again") != of_kind(tune(bar + other), "again")
    assert len(of_kind(tune(bar + bar), "again")) == 16


def test_phrases_stay_within_their_part() -> None:
    song = Song.make([(0, 0, 480, 60, 100), (1, 480, 480, 40, 100)], [LEAD, Part("Bass", 33)])
    assert of_kind(song, "two") == []


def test_every_note_has_one_word_of_most_kinds(band_song: Song) -> None:
    counts = note_matrix([band_song]).reshape(len(KINDS), BUCKETS).sum(1)
    assert counts[: KINDS.index("note") + 1].tolist() == [len(band_song)] * 5
    assert counts[KINDS.index("two")] == len(band_song) - 3  # the first of each part begins nothing
    assert counts[KINDS.index("together")] == 32


def test_silence_has_no_words() -> None:
    assert note_matrix([Song(length=1920)]).sum() == 0
    assert note_matrix([]).shape == (0, len(KINDS) * BUCKETS)


def walk(rng: np.random.Generator, upwards: bool) -> Song:
    """Sixteen eighths that climb by seconds and fall by a leap, or the other way round: the same pitches alike."""
    steps = np.where(np.arange(15) % 4 == 3, -7, rng.choice((2, 3), 15))
    pitches = 60 + np.concatenate(([0], np.cumsum(steps)))
    return normal_form(tune((pitches if upwards else pitches[::-1]).tolist()))


def test_the_judge_hears_the_direction_of_a_tune_and_nothing_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    up, down = [walk(rng, True) for _ in range(24)], [walk(rng, False) for _ in range(24)]
    assert tell_apart(up, down, np.random.default_rng(0), judge="notes").accuracy > 0.95
    alike = tell_apart(up[:12], up[12:], np.random.default_rng(0), judge="notes")
    assert alike.low < 0.5 < alike.high


def test_the_judge_wants_words_and_not_figures() -> None:
    with pytest.raises(OutOfRange, match="are not those of note_matrix"):
        tell_features_apart(np.ones((4, 8)), np.ones((4, 8)), np.random.default_rng(0), judge="notes")

"""What a song's own past says: only the past, the same row by row as all at once, and what the table in `past` says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from woodshed.codecs import NoteStepCodec
from woodshed.codecs.note_step import LONGEST_SHIFT, PART, PITCH, START_ROW, TIME_SHIFT
from woodshed.codecs.past import GIVEN, LAGS, POINTERS, TALLIES, forget, new_past
from woodshed.codecs.past_pitches import log_shares
from woodshed.codecs.past_state import MATCHED_ROWS, VOTERS_OF
from woodshed.codecs.study import FIXED, Inputs, given_rows, hear, row_inputs, song_inputs, with_openness
from woodshed.formats import read_midi
from woodshed.music import Part, Song

CODEC = NoteStepCodec()
BAND = (Part("Drums", 0, is_drum=True), Part("Bass", 33), Part("Guitar", 30))


def _song(seed: int, notes: int = 120) -> Song:
    """Random notes with much repetition, over silences that need a WAIT."""
    rng = np.random.default_rng(seed)
    onsets = np.cumsum(rng.choice([0, 0, 120, 120, 240, 480, 9000], notes, p=[0.3, 0.1, 0.2, 0.2, 0.1, 0.09, 0.01]))
    rows = [
        (int(rng.integers(3)), int(onset), int(rng.choice([120, 240])), int(rng.choice([36, 38, 43, 45])), 80)
        for onset in onsets
    ]
    return CODEC.arrange(Song.make(rows, BAND))


def _hints(inputs: Inputs) -> list[NDArray[np.generic]]:
    return [inputs.expected, inputs.records, inputs.anchors, inputs.tallies, inputs.votes, inputs.vote_classes]


@given(st.integers(0, 10_000), st.integers(1, 100))
def test_nothing_is_known_of_what_comes_later(seed: int, cut: int) -> None:
    """Rows after a place may be anything: what is said up to it stays."""
    song = _song(seed)
    whole = song_inputs(CODEC, song)
    rows = whole.rows[1:].copy()
    rng = np.random.default_rng(seed)
    rows[cut:, TIME_SHIFT] = rng.integers(0, 20, len(rows) - cut)
    rows[cut:, PART] = rng.integers(0, 3, len(rows) - cut)
    rows[cut:, PITCH:] = rng.integers(0, 10, (len(rows) - cut, 4))
    onsets = CODEC.onset_steps(rows)
    places = CODEC.places(np.concatenate(([0], onsets)), CODEC.bar_lines(song))
    other = row_inputs(new_past(len(rows)), START_ROW, rows, onsets, places, whole.programs)
    for was, now in zip(_hints(whole), _hints(other), strict=True):
        assert np.array_equal(was[:cut], now[:cut])
    assert np.array_equal(whole.expected[cut, 0], other.expected[cut, 0])  # the time shift of the first changed row


@given(st.integers(0, 10_000), st.integers(0, 5))
def test_of_the_row_itself_only_the_fields_before_are_known(seed: int, field: int) -> None:
    song = _song(seed, 60)
    whole = song_inputs(CODEC, song)
    rows = whole.rows[1:].copy()
    at = len(rows) // 2
    rows[at, field:] = np.random.default_rng(seed).integers(0, 10, 6 - field)
    if field <= PART:
        rows[at, PART] %= 3
    onsets = CODEC.onset_steps(rows)
    places = CODEC.places(np.concatenate(([0], onsets)), CODEC.bar_lines(song))
    other = row_inputs(new_past(len(rows)), START_ROW, rows, onsets, places, whole.programs)
    assert np.array_equal(whole.expected[at, : field + 1], other.expected[at, : field + 1])
    assert np.array_equal(whole.records[at, : field + 1], other.records[at, : field + 1])
    told = VOTERS_OF[: field + 1].ravel()
    assert np.array_equal(whole.votes[at, told], other.votes[at, told])
    assert np.array_equal(whole.vote_classes[at, told], other.vote_classes[at, told])


@given(st.integers(0, 10_000), st.integers(1, 59))
def test_rows_that_are_only_heard_are_known_as_those_that_are_read(seed: int, heard: int) -> None:
    whole = song_inputs(CODEC, _song(seed, 60))
    rows, onsets, places = whole.rows[1:], CODEC.onset_steps(whole.rows[1:]), whole.places
    past = new_past(len(rows))
    hear(past, rows[:heard], onsets[:heard], places[1 : heard + 1], whole.programs)
    inputs = row_inputs(past, rows[heard - 1], rows[heard:], onsets[heard:], places[heard:], whole.programs)
    for was, now in zip(_hints(whole), _hints(inputs), strict=True):
        assert np.array_equal(was[heard:], now)


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_a_song_studied_in_pieces_says_the_same_as_in_one(seed: int, size: int) -> None:
    whole = song_inputs(CODEC, _song(seed))
    rows = whole.rows[1:]
    onsets, past = CODEC.onset_steps(rows), new_past(len(rows))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        before = whole.rows[start]
        inputs = row_inputs(
            past, before, rows[part], onsets[part], whole.places[start : start + size + 1], whole.programs
        )
        for one, all_of in zip(_hints(inputs), _hints(whole), strict=True):
            assert np.array_equal(one, all_of[part])


def test_lags_say_what_stood_one_two_and_four_bars_ago(band_song: Song) -> None:
    song = CODEC.arrange(band_song)
    inputs = song_inputs(CODEC, song)
    rows, onsets = inputs.rows[1:], CODEC.onset_steps(inputs.rows[1:])
    note = rows[:, TIME_SHIFT] <= LONGEST_SHIFT
    for i in np.flatnonzero(note & (onsets >= 48)):
        ago = note & (onsets == onsets[i] - 48) & (rows[:, PART] == rows[i, PART])
        expected = inputs.expected[i, PITCH, 0]
        known = rows[ago, PITCH].tolist()
        assert expected in known if known else expected == -1
    drums = note & (rows[:, PART] == 0) & (onsets >= 48)
    assert (inputs.expected[drums, PITCH, 0] == rows[drums, PITCH]).all()


def test_a_phrase_is_known_again_in_another_key() -> None:
    phrase = [60, 64, 62, 67, 65, 60, 69, 62]
    notes = [(0, 120 * i, 120, pitch, 80) for i, pitch in enumerate([*phrase, *(p + 5 for p in phrase)])]
    inputs = song_inputs(CODEC, CODEC.arrange(Song.make(notes, (Part("Lead", 81),))))
    again = slice(8 + 4, 16)
    by_interval = inputs.expected[again, PITCH, 6 + 1]
    assert by_interval.tolist() == [pitch + 5 for pitch in phrase[4:]]


def test_a_match_is_found_as_soon_as_as_many_rows_came_again_as_it_takes() -> None:
    pitches = np.random.default_rng(3).permutation(np.arange(30, 70)).tolist()
    notes = [(0, 120 * i, 120, pitch, 80) for i, pitch in enumerate(pitches * 2)]
    inputs = song_inputs(CODEC, CODEC.arrange(Song.make(notes, (Part("Lead", 81),))))
    for m, rows in enumerate(MATCHED_ROWS):
        expected = inputs.expected[:80, PITCH, LAGS + m]
        found = 40 + 1 + rows  # the very first row has another time shift when it comes again
        assert (expected[:found] == -1).all()
        assert expected[found:].tolist() == pitches[found - 40 :]


def test_shares_of_tallies_are_logs_less_their_mean_however_large() -> None:
    counts = np.zeros((TALLIES, 12), np.int64)
    counts[0], counts[1, 3], counts[2] = np.arange(12), 5000, 7
    shares = np.empty((TALLIES, 12), np.float32)
    log_shares(counts, shares)
    logs = np.log(counts + 0.5)
    assert np.allclose(shares, logs - logs.mean(1, keepdims=True), atol=1e-5)


@given(st.integers(0, 10_000))
def test_what_is_given_is_expected_when_its_time_has_come(seed: int) -> None:
    song = _song(seed)
    plain = song_inputs(CODEC, song)
    rows, onsets = plain.rows[1:], CODEC.onset_steps(plain.rows[1:])
    is_given = (np.random.default_rng(seed).random(len(rows)) < 0.5) & (rows[:, TIME_SHIFT] <= LONGEST_SHIFT)
    known = np.where(is_given[:, None], rows, -1)
    drums = plain.programs[:, 0] == 128
    programs = with_openness(plain.programs[:, :2], FIXED)
    given_notes = given_rows(known, onsets, drums)
    inputs = row_inputs(new_past(len(rows)), START_ROW, rows, onsets, plain.places, programs, given=given_notes)
    near = is_given & (rows[:, TIME_SHIFT] <= LONGEST_SHIFT)
    assert (inputs.expected[near, :, GIVEN] == rows[near]).all()
    assert np.array_equal(inputs.expected[..., :GIVEN], plain.expected[..., :GIVEN])
    assert (plain.expected[..., GIVEN] == -1).all()


def test_the_tallies_count_what_sounds_and_what_is_given_ahead() -> None:
    notes = [
        (0, 0, 1920, 48, 80),
        (0, 0, 1920, 52, 80),
        (1, 480, 240, 67, 80),
        (0, 960, 480, 53, 80),
        (0, 3840, 480, 59, 80),
    ]
    song = CODEC.arrange(Song.make(notes, (Part("Pad", 89), Part("Lead", 80))))
    rows = CODEC.encode(song)[:-1]
    onsets = CODEC.onset_steps(rows)
    places = CODEC.places(np.concatenate(([0], onsets)), CODEC.bar_lines(song))
    lead = next(i for i, part in enumerate(song.parts) if part.name == "Lead")
    known = np.where((rows[:, PART] != lead)[:, None], rows, -1)
    programs = with_openness(CODEC.programs(song), FIXED)
    inputs = row_inputs(
        new_past(9), START_ROW, rows, onsets, places, programs, given=given_rows(known, onsets, programs[:, 0] == 128)
    )
    at = int(np.flatnonzero(rows[:, PART] == lead)[0])
    tallies = inputs.tallies[at].argsort(axis=1)[:, ::-1]
    assert set(tallies[2, :2].tolist()) == {0, 4}  # C and E sound
    assert inputs.tallies[at, 3].std() < 1e-5  # nothing within the beat
    assert tallies[4, 0] == 5  # F within the bar, and not the B a bar later
    assert inputs.anchors[at, 3:].tolist() == [48, 53]


def test_a_memory_that_forgets_goes_on_as_before() -> None:
    song = _song(1, 600)
    whole = song_inputs(CODEC, song)
    rows, past = whole.rows[1:], new_past(200)
    onsets = CODEC.onset_steps(rows)
    same = 0
    for start in range(0, len(rows), 20):
        part = slice(start, start + 20)
        inputs = row_inputs(
            past, whole.rows[start], rows[part], onsets[part], whole.places[start : start + 21], whole.programs
        )
        same += int((inputs.expected[..., :LAGS] == whole.expected[part][..., :LAGS]).all((1, 2)).sum())
        assert np.array_equal(inputs.expected[..., 6:14], whole.expected[part][..., 6:14])  # contexts forget nothing
        forget(past, 80)
        assert past.state[0]["count"] < 160
    assert same > 0.9 * len(rows)


@pytest.mark.parametrize("folder", ["band/freedoom", "band/easyrpg"])
def test_on_real_music_the_pointers_are_often_right(folder: str, data_folder: Path) -> None:
    path = next(iter(sorted((data_folder / folder).rglob("*.mid"))), None)
    if path is None:
        pytest.skip(f"no music at {folder} that is MIDI")
    inputs = song_inputs(CODEC, CODEC.arrange(read_midi(path)))
    right = (inputs.expected == inputs.rows[1:, :, None]).mean(0)
    assert inputs.expected.shape[2] == POINTERS
    assert right[PITCH].max() > 0.3

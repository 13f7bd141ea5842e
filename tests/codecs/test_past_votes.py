"""What came after the same facts, and how often: counted, faded, forgotten and known again in another key."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs import NoteStepCodec
from woodshed.codecs.note_step import PITCH, START_ROW, VELOCITY
from woodshed.codecs.past import LAGS, MATCHES, forget_all, new_past
from woodshed.codecs.past_state import VOTERS_OF, VOTES
from woodshed.codecs.past_votes import OFTEN
from woodshed.codecs.study import ALL_OPEN, Inputs, row_inputs, song_inputs, with_openness
from woodshed.music import Part, Song

CODEC = NoteStepCodec()
OF_THE_PART = 2
"""This voter goes by the part alone."""
FROM_A_BAR_BACK = 12
"""This one votes for intervals from what stood a bar back."""


def _told(symbols: list[int]) -> list[list[tuple[int, int]]]:
    """Before each symbol: what came of late, the latest first, with its class, as `past_votes` tells it. Nothing comes
    before the first, so that it is not counted."""
    found, counts = [list[tuple[int, int]]()], dict[int, int]()
    for symbol in symbols[1:]:
        latest_first = list(reversed(counts.items()))
        total = sum(counts.values())
        found.append(
            [
                (other, _bucket(count) << 4 | _bucket(total - count) << 1 | (place == 0))
                for place, (other, count) in enumerate(latest_first)
            ]
        )
        came = counts.pop(symbol, 0)
        if not came and len(counts) == VOTES:
            least = min(counts.values())
            counts.pop(next(other for other, count in counts.items() if count == least))
        counts = {other: count * 7 // 8 if count >= 4 else count for other, count in counts.items()}
        counts[symbol] = min(came + 1, OFTEN)
    return found


def _bucket(count: int) -> int:
    return sum(count >= least for least in (1, 2, 3, 4, 6, 10, 24))


def _votes(inputs: Inputs, field: int, voter: int, row: int) -> list[tuple[int, int]]:
    at = row, VOTERS_OF[field, voter]
    pairs = zip(inputs.votes[at].tolist(), inputs.vote_classes[at].tolist(), strict=True)
    return [(symbol, of_class) for symbol, of_class in pairs if symbol >= 0]


def test_a_context_tells_how_often_in_a_row_its_symbol_came_and_whether_it_was_right() -> None:
    levels = [5] * 7 + [6] * 3
    song = Song.make([(0, 480 * i, 240, 60, 4 * level + 2) for i, level in enumerate(levels)], (Part("Lead", 81),))
    inputs = song_inputs(CODEC, CODEC.arrange(song))
    pointer = LAGS + MATCHES + OF_THE_PART
    runs, hits = [0, 1, 2, 3, 4, 5, 0, 1], [0b00, 0b01, 0b11, 0b11, 0b11, 0b11, 0b10, 0b01]
    steps = [sum(run > least for least in (0, 1, 3)) for run in runs]
    told = [4 * step + hit for step, hit in zip(steps, hits, strict=True)]
    assert inputs.records[2:-1, VELOCITY, pointer].tolist() == told
    assert inputs.expected[2:-1, VELOCITY, pointer].tolist() == [5] * 6 + [6] * 2
    assert (inputs.expected[:2, VELOCITY, pointer] == -1).all()  # the first row of a song has no facts


@given(st.lists(st.integers(0, 7), min_size=1, max_size=120))
def test_votes_are_what_came_of_late_and_how_often(levels: list[int]) -> None:
    song = Song.make([(0, 120 * i, 120, 60, 4 * level + 2) for i, level in enumerate(levels)], (Part("Lead", 81),))
    inputs = song_inputs(CODEC, CODEC.arrange(song))
    for row, told in enumerate(_told(inputs.rows[1:-1, VELOCITY].tolist())):
        assert _votes(inputs, VELOCITY, OF_THE_PART, row) == told


def test_a_count_has_an_end_and_what_comes_after_it_is_counted_still() -> None:
    levels = [5] * 400 + [9, 9, 5, 9]
    song = Song.make([(0, 30 * i, 30, 60, 4 * level + 2) for i, level in enumerate(levels)], (Part("Lead", 81),))
    inputs = song_inputs(CODEC, CODEC.arrange(song))
    for row, told in enumerate(_told(inputs.rows[1:-1, VELOCITY].tolist())):
        assert _votes(inputs, VELOCITY, OF_THE_PART, row) == told


@pytest.mark.parametrize("moved", [-7, 5])
def test_a_riff_that_moves_by_the_bar_is_known_from_what_stood_a_bar_back(moved: int) -> None:
    riff = [40, 47, 43, 45]
    notes = [(0, 480 * i, 240, riff[i % 4] + (i // 4 % 2) * moved, 80) for i in range(24)]
    inputs = song_inputs(CODEC, CODEC.arrange(Song.make(notes, (Part("Bass", 33),))))
    pitches = inputs.rows[1:-1, PITCH]
    for row in range(13, 24):
        if row % 4:  # the note before has told by how much
            often = max(_votes(inputs, PITCH, FROM_A_BAR_BACK, row), key=lambda vote: vote[1] >> 4)
            assert often[0] == pitches[row]


def test_nothing_is_voted_for_beyond_what_a_field_can_say() -> None:
    """The riff climbs by more than there are pitches: where it stood and how far it went would lead above them."""
    pitches = [100, 112, 124, 110, 122, 127, 115, 127, 100, 112, 124, 110]
    notes = [(0, 480 * i, 240, pitch, 80) for i, pitch in enumerate(pitches * 3)]
    inputs = song_inputs(CODEC, CODEC.arrange(Song.make(notes, (Part("Lead", 81),))))
    for field, (voters, size) in enumerate(zip(VOTERS_OF, CODEC.field_sizes().values(), strict=True)):
        assert inputs.votes[:, voters].max() < size
        assert inputs.expected[:, field].max() < size
    assert inputs.votes.min() == inputs.expected.min() == -1


def test_voters_of_one_song_know_nothing_of_another() -> None:
    song = CODEC.arrange(Song.make([(0, 120 * i, 120, 60 + i % 5, 80) for i in range(40)], (Part("Lead", 81),)))
    first, second = song_inputs(CODEC, song), song_inputs(CODEC, song)
    assert (first.votes[0] == -1).all()
    assert np.array_equal(first.votes, second.votes)


def test_a_memory_that_forgot_a_song_is_as_good_as_new() -> None:
    past = new_past(64)
    once, moved = (
        CODEC.arrange(Song.make([(0, 120 * i, 120, pitch + i % 5, 80) for i in range(40)], (Part("Lead", 81),)))
        for pitch in (60, 62)
    )
    told = []
    for song in (once, moved, moved):
        rows = CODEC.encode(song)
        onsets = CODEC.onset_steps(rows)
        places = CODEC.places(np.concatenate(([0], onsets)), CODEC.bar_lines(song))
        told.append(row_inputs(past, START_ROW, rows, onsets, places, with_openness(CODEC.programs(song), ALL_OPEN)))
        forget_all(past)
    for name, first, again in zip(Inputs._fields, told[1], told[2], strict=True):
        assert np.array_equal(first, again), name
    assert np.array_equal(told[1].votes, song_inputs(CODEC, moved).votes)
    assert np.array_equal(told[1].expected, song_inputs(CODEC, moved).expected)

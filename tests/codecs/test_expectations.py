"""Pointers into a song's own past: they see the past only, and one at a time or all at once agree."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from woodshed.codecs import FIELDS, NoteStepCodec
from woodshed.codecs.expectations import NOTHING, Memory, expect, records
from woodshed.codecs.inputs import PitchMemory, pitch_hints, song_inputs
from woodshed.codecs.note_step import DURATION, PART, PITCH, TIME_SHIFT
from woodshed.music import Part, Song

CODEC = NoteStepCodec()


def _inputs(song: Song) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, onset steps, and the length of the bar of the row before each."""
    inputs = song_inputs(CODEC, CODEC.arrange(song))
    return inputs.rows[1:], CODEC.onset_steps(inputs.rows)[1:], inputs.places[:-1, 2]


@st.composite
def riffs(draw: st.DrawFn) -> Song:
    """Songs of few different bars, repeated and broken, with long rests now and then."""
    note = st.tuples(st.integers(0, 2), st.integers(0, 47), st.integers(1, 20), st.integers(40, 44), st.just(50))
    bars = draw(st.lists(st.lists(note, max_size=6), min_size=1, max_size=3))
    order = draw(st.lists(st.tuples(st.integers(0, len(bars) - 1), st.sampled_from([0, 0, 0, 5])), max_size=10))
    rows, start = [], 0
    for bar, rest in order:
        rows += [(p, (start + on) * 40, d * 40, pitch, v) for p, on, d, pitch, v in bars[bar]]
        start += 48 * (1 + rest)
    return Song.make(rows, [Part("Kit", 0, True), Part("", 33), Part("", 30)], length=max(start, 1) * 40)


ENDS_A_BAR_AFTER = Song.make([(0, 0, 40, 41, 50), (0, 1920, 40, 40, 50)], [Part("Kit", 0, True)], length=3840)
"""Its END comes where, a bar ago, a note stood."""


@given(riffs())
@example(ENDS_A_BAR_AFTER)
def test_one_row_at_a_time_expects_what_the_whole_song_at_once_does(song: Song) -> None:
    rows, onsets, bars = _inputs(song)
    expected = expect(rows, onsets, bars)
    codes = records(rows, expected)
    memory = Memory(capacity=4)
    for t, row in enumerate(rows):
        memory.next(int(bars[t]))
        for field in range(len(FIELDS)):
            hidden = row.copy()
            hidden[field:] = 999  # what is not decided yet must not be read
            assert memory.symbols(field, hidden).tolist() == expected[t, field].tolist()
            assert memory.record(field).tolist() == codes[t, field].tolist()
        memory.add(row, int(onsets[t]))


@given(riffs(), st.data())
def test_what_comes_later_changes_no_expectation(song: Song, data: st.DataObject) -> None:
    rows, onsets, bars = _inputs(song)
    cut = data.draw(st.integers(0, len(rows)))
    assert np.array_equal(expect(rows[:cut], onsets[:cut], bars[:cut]), expect(rows, onsets, bars)[:cut])


def test_a_repeated_bar_is_fully_expected_one_bar_later() -> None:
    bar = [(0, on * 480, 240, 40 + on, 70) for on in range(4)]
    song = Song.make(bar + [(p, on + 1920, d, n, v) for p, on, d, n, v in bar], [Part("", 33)])
    rows, onsets, bars = _inputs(song)
    expected = expect(rows, onsets, bars)
    assert (expected[4:8, :, 0] == rows[4:8]).all()
    assert (expected[:4, 1:] == NOTHING).all()


def test_a_pointer_that_disagrees_in_the_part_expects_no_pitch() -> None:
    song = Song.make(
        [(0, 0, 480, 40, 70), (1, 480, 480, 60, 70), (0, 1920, 480, 40, 70), (0, 2400, 480, 41, 70)],
        [Part("", 33), Part("", 1)],
    )
    rows, onsets, bars = _inputs(song)
    expected = expect(rows, onsets, bars)[3, :, 0]
    assert expected[TIME_SHIFT] == 12
    assert expected[PART] == 1
    assert expected[PITCH] == NOTHING
    assert expected[DURATION] == NOTHING


@given(riffs())
def test_pitch_hints_one_row_at_a_time_are_those_of_the_whole_song(song: Song) -> None:
    song = CODEC.arrange(song)
    rows, programs = CODEC.encode(song), CODEC.programs(song)
    anchors, tallies = pitch_hints(rows, programs)
    memory = PitchMemory(programs)
    for row, anchor, tally in zip(rows, anchors, tallies, strict=True):
        told_anchor, told_tally = memory.hints(int(row[PART]))
        assert told_anchor.tolist() == anchor.tolist()
        assert np.array_equal(told_tally, tally)
        memory.add(row)


def test_anchors_are_the_last_pitches_of_the_part_and_of_anyone() -> None:
    song = Song.make(
        [(0, 0, 480, 40, 70), (0, 480, 480, 43, 70), (1, 960, 480, 60, 70), (0, 1440, 480, 45, 70)],
        [Part("", 33), Part("", 1)],
    )
    anchors, _ = pitch_hints(CODEC.encode(song), CODEC.programs(song))
    assert anchors[3].tolist() == [43, 40, 60]


def test_tallies_forget_what_is_long_past() -> None:
    notes = [(0, i * 480, 480, 60 if i < 10 else 62, 70) for i in range(60)]
    song = Song.make(notes, [Part("", 33)])
    _, tallies = pitch_hints(CODEC.encode(song), CODEC.programs(song))
    assert tallies[59, 0].argmax() == 2
    assert tallies[59, 0, 0] == tallies[59, 0, 1]
    assert tallies[59, 1, 0] > tallies[59, 1, 1]

"""Melodies are found where one part plays alone, and what is left out is counted with its reason and remedy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import OutOfRange
from woodshed.formats import read_midi, read_musicxml
from woodshed.music import Part, Song
from woodshed.music.melodies import (
    REMEDIES,
    SHORTENED,
    MelodyOptions,
    as_melody,
    explain,
    extract_melodies,
    into_range,
    major_tonic,
)

BAR = 1920
FLUTE, PIANO, KIT = Part("Flute", 73), Part("Piano", 0), Part("Kit", 0, True)
Row = tuple[int, int, int, int, int]


def scale(bars: int, first_bar: int = 0, part: int = 0) -> list[Row]:
    """Four quarter notes to a bar, up and down a scale of C."""
    scale_of_c = (60, 62, 64, 65, 67, 65, 64, 62)
    return [(part, first_bar * BAR + i * 480, 480, scale_of_c[i % 8], 80) for i in range(4 * bars)]


def reasons_of(notes: list[Row], *parts: Part, **rest: Any) -> Counter[str]:
    return extract_melodies(Song.make(notes, parts or (FLUTE,), **rest))[1]


def test_each_pitched_part_gives_its_melody_with_tempo_chords_and_velocities() -> None:
    song = Song.make(
        scale(8) + scale(8, part=1) + scale(8, part=2), (FLUTE, KIT, PIANO), tempos=[(0, 90.0)], chords=[(BAR, 0, 0, 0)]
    )
    melodies, reasons = extract_melodies(song)
    assert [melody.parts for melody in melodies] == [(FLUTE,), (PIANO,)]
    assert not reasons
    assert melodies[0].notes.tolist() == scale(8)
    assert (melodies[0].bpm, melodies[0].bars, melodies[0].chords["onset"].tolist()) == (90.0, 8, [BAR])


def test_a_bar_of_rest_ends_a_melody_and_the_next_begins_at_its_bar_line() -> None:
    late = [(0, 9 * BAR + 240 + i * 480, 480, 60 + i % 7, 80) for i in range(32)]
    melodies, _ = extract_melodies(Song.make(scale(7) + late, (FLUTE,)))
    assert [melody.bars for melody in melodies] == [7, 9]
    assert melodies[1].notes["onset"][0] == 240


def test_less_than_a_bar_of_rest_goes_on() -> None:
    later = [(0, onset + 7 * BAR + BAR - 120, *rest) for _, onset, *rest in scale(7)]
    assert len(extract_melodies(Song.make(scale(7) + later, (FLUTE,)))[0]) == 1
    two = MelodyOptions(gap_bars=2)
    assert len(extract_melodies(Song.make(scale(7) + scale(7, 8), (FLUTE,)), two)[0]) == 1


def test_a_note_is_cut_by_the_next_and_none_is_shorter_than_a_sixteenth() -> None:
    notes = [(0, 0, 4000, 60, 80), (0, 470, 1, 62, 80), (0, 970, 480, 64, 80)]
    melody = as_melody(Song.make(notes, (FLUTE,)))
    assert melody is not None
    assert melody.notes[["onset", "duration"]].tolist() == [(0, 480), (480, 120), (960, 480)]


@pytest.mark.parametrize(
    ("notes", "reason"),
    [
        ([], "no notes"),
        ([(0, 0, 480, 36, 80)], "only drums"),
        ([*scale(8, part=1), (1, 0, 480, 72, 80)], "polyphonic"),
        (scale(6, part=1), "too short"),
        ([(1, i * 480, 480, 60 + i % 4, 80) for i in range(32)], "too few pitches"),
        ([(1, i * 480, 480, 60 + i % 4 * 12, 80) for i in range(32)], "too few pitches"),
    ],
)
def test_what_is_no_melody_is_counted_by_reason(notes: list[Row], reason: str) -> None:
    assert reasons_of(notes, KIT, FLUTE) == Counter({reason: 1})


def test_every_reason_has_a_remedy_that_knows_the_options() -> None:
    told = explain(Counter({"too short": 40, "polyphonic": 2}), MelodyOptions(min_bars=9))
    assert told.startswith("40 too short (fewer than 9 bars; lower --set material.min_bars), 2 polyphonic (")
    assert all(explain(Counter({reason: 1})).startswith(f"1 {reason} (") for reason in REMEDIES)


def test_the_highest_note_is_kept_on_request_and_a_doubled_pitch_is_one_note() -> None:
    doubled = scale(8) + [(0, onset, 100, pitch, 70) for _, onset, _, pitch, _ in scale(8)]
    assert extract_melodies(Song.make(doubled, (FLUTE,)))[0][0].notes["duration"].tolist() == [480] * 32
    thirds = scale(8) + [(0, onset, 480, pitch + 4, 70) for _, onset, _, pitch, _ in scale(8)]
    song = Song.make(thirds, (FLUTE,))
    assert extract_melodies(song)[0] == []
    melodies, _ = extract_melodies(song, MelodyOptions(skip_polyphonic=False))
    assert melodies[0].notes["pitch"].tolist() == [pitch + 4 for *_, pitch, _ in scale(8)]


def test_chords_after_a_long_rest_do_not_spoil_the_melody_before() -> None:
    chords = scale(8, 9) + [(0, 9 * BAR, 480, 72, 80)]
    assert reasons_of(scale(8) + chords) == Counter({"polyphonic": 1})
    assert len(extract_melodies(Song.make(scale(8) + chords, (FLUTE,)))[0]) == 1


def test_a_melody_is_cut_where_the_meter_changes() -> None:
    waltz = [(0, 8 * BAR + i * 480, 480, 60 + i % 7, 80) for i in range(24)]
    meters = [(0, 4, 4), (4 * BAR, 4, 4), (8 * BAR, 3, 4)]
    melodies, _ = extract_melodies(Song.make(scale(8) + waltz, (FLUTE,), meters=meters))
    assert [(str(melody.meter), melody.bars, len(melody.meters)) for melody in melodies] == [
        ("4/4", 8, 1),
        ("3/4", 8, 1),
    ]


def test_a_meter_that_comes_inside_a_bar_starts_one_there_and_bars_stay_whole() -> None:
    start = 7 * BAR + 960
    late = [(0, start + onset, *rest) for _, onset, *rest in scale(7)]
    meters = [(0, 4, 4), (start, 2, 2)]
    melodies, _ = extract_melodies(Song.make(scale(7) + late, (FLUTE,), meters=meters))
    assert [(melody.bars, melody.length, melody.notes["onset"][0]) for melody in melodies] == [(7, 7 * BAR, 0)] * 2


def test_of_two_meters_at_once_the_last_counts() -> None:
    melody = as_melody(Song.make(scale(8), (FLUTE,), meters=[(0, 3, 4), (0, 2, 4)]))
    assert melody is not None
    assert (str(melody.meter), melody.bars) == ("2/4", 16)


def test_a_bar_of_no_whole_number_of_sixteenths_is_named() -> None:
    assert reasons_of(scale(8), meters=[(0, 33, 32)]) == Counter({"odd meter": 1})
    assert reasons_of(scale(8), meters=[(0, 1, 32)]) == Counter({"odd meter": 1})


def test_what_is_too_long_is_shortened_and_said_so() -> None:
    melodies, reasons = extract_melodies(Song.make(scale(12), (FLUTE,)), MelodyOptions(max_bars=8))
    assert (melodies[0].bars, len(melodies[0]), reasons) == (8, 32, Counter({SHORTENED: 1}))


@pytest.mark.parametrize("name", ["min_bars", "min_pitches", "gap_bars", "max_bars"])
def test_an_option_out_of_range_is_named_with_its_usual_value(name: str) -> None:
    with pytest.raises(OutOfRange, match=rf"{name} -1 is outside .* is usual"):
        MelodyOptions(**{name: -1})  # type: ignore[arg-type]


note_rows = st.tuples(
    st.integers(0, 2), st.integers(0, 30000), st.integers(1, 4000), st.integers(0, 127), st.integers(1, 127)
)
meter_rows = st.lists(
    st.tuples(st.integers(0, 20000), st.integers(1, 9), st.sampled_from([2, 4, 8, 16, 32])), max_size=4
)


@given(st.lists(note_rows, max_size=60), meter_rows, st.booleans())
def test_every_melody_is_one_and_is_found_again_in_itself(notes: list[Row], meters: list[Any], skip: bool) -> None:
    options = MelodyOptions(min_bars=0, min_pitches=1, skip_polyphonic=skip)
    melodies, _ = extract_melodies(Song.make(notes, (FLUTE, KIT, PIANO), meters=sorted(meters)), options)
    for melody in melodies:
        assert as_melody(melody) == melody
        assert melody.length % melody.meter.bar_ticks == 0
        assert melody.notes["onset"][0] < melody.meter.bar_ticks
        assert (melody.ends[:-1] <= melody.notes["onset"][1:]).all()
        assert extract_melodies(melody, options)[0] == [melody]


def magenta_melodies(notes: list[tuple[int, int, int]]) -> list[list[tuple[int, int, int]]]:
    """``Melody.from_quantized_sequence`` again and again, in 4/4: (step, end, pitch) a note, one after the other."""
    melodies: list[list[tuple[int, int, int]]] = []
    for start, end, pitch in sorted(notes, key=lambda note: (note[0], -note[2])):
        if not melodies or start - melodies[-1][-1][1] >= 16:
            melodies.append([(start, end, pitch)])
        elif start > melodies[-1][-1][0]:
            last, until, held = melodies[-1][-1]
            melodies[-1][-1:] = [(last, min(until, start), held), (start, end, pitch)]
    return [[(a - notes[0][0] // 16 * 16, b - notes[0][0] // 16 * 16, p) for a, b, p in notes] for notes in melodies]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 40), st.integers(40, 90)), min_size=1, max_size=40))
def test_the_highest_line_is_that_of_magenta(drawn: list[tuple[int, int, int]]) -> None:
    song = Song.make([(0, step * 120, size * 120, pitch, 90) for step, size, pitch in drawn], (FLUTE,))
    melodies, _ = extract_melodies(song, MelodyOptions(min_bars=0, min_pitches=1, skip_polyphonic=False))
    found = [
        [(onset // 120, (onset + duration) // 120, pitch) for _, onset, duration, pitch, _ in melody.notes.tolist()]
        for melody in melodies
    ]
    longest = {(step, pitch): max(size for s, size, p in drawn if (s, p) == (step, pitch)) for step, _, pitch in drawn}
    assert found == magenta_melodies([(step, step + size, pitch) for (step, pitch), size in longest.items()])


@given(st.lists(note_rows, min_size=1, max_size=60))
def test_no_step_with_a_note_is_lost_when_the_highest_is_kept(notes: list[Row]) -> None:
    song = Song.make([(0, *rest) for _, *rest in notes], (FLUTE,))
    melodies, _ = extract_melodies(song, MelodyOptions(min_bars=0, min_pitches=1, skip_polyphonic=False))
    steps = np.unique((song.notes["onset"] + 60) // 120)
    highest = [int(song.notes["pitch"][(song.notes["onset"] + 60) // 120 == step].max()) for step in steps]
    assert [pitch for melody in melodies for pitch in melody.notes["pitch"].tolist()] == highest


@pytest.mark.parametrize("shift", range(-6, 6))
def test_major_and_relative_minor_share_a_tonic(shift: int) -> None:
    minor = [(0, i * 480, 480, p + shift, 80) for i, p in enumerate((69, 71, 72, 74, 76, 72, 71, 69, 76, 72, 69))]
    major = [(0, i * 480, 480, p + shift, 80) for i, p in enumerate((60, 64, 67, 65, 64, 62, 67, 64, 62, 60))]
    assert major_tonic(Song.make(minor, (FLUTE,))) == shift % 12
    assert major_tonic(Song.make(major, (FLUTE,))) == shift % 12


def test_pitches_out_of_range_move_into_its_nearest_octave() -> None:
    assert into_range(np.array([0, 47, 48, 83, 84, 127]), 48, 84).tolist() == [48, 59, 48, 83, 72, 79]


def test_lead_sheets_are_melodies(data_folder: Path) -> None:
    sheets = sorted((data_folder / "leadsheets" / "openewld").rglob("*.mxl"))[:40]
    found = [len(extract_melodies(read_musicxml(sheet))[0]) for sheet in sheets]
    assert np.mean(np.array(found) > 0) > 0.9


def test_folk_tunes_give_the_tune_and_not_the_chords(data_folder: Path) -> None:
    for file in sorted((data_folder / "folk" / "nottingham").glob("*.mid"))[::50]:
        song = read_midi(file)
        assert all(melody.parts[0] == song.parts[0] for melody in extract_melodies(song)[0])

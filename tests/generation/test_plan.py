"""What a plan says of a canvas, and what it refuses, with the reason."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.codecs.levels import CONTROLS
from woodshed.codecs.note_step import TIME_SHIFT, WAIT
from woodshed.errors import InfeasibleCanvas, LimitExceeded, OutOfRange, UnknownName
from woodshed.generation.canvas import (
    DURATION,
    PITCH,
    TIMING,
    VELOCITY,
    Canvas,
    Constraints,
    Opening,
    blank_canvas,
    continuation_canvas,
)
from woodshed.generation.constraints import chords_over
from woodshed.generation.openings import (
    accompany_canvas,
    humanise_canvas,
    infill_canvas,
    layer_canvas,
    pitches_canvas,
    tap_canvas,
)
from woodshed.generation.plan import OPEN, Plan, make_plan
from woodshed.music import CHORD, METER, Key, Meter, Part, Song, parse_part
from woodshed.music.chord_sheet import parse_chords

BAR, STEPS = 1920, 48
STYLE: dict[str, Any] = {"instruments": {"128": {}, "33": {}, "30": {}}, "drum_pitches": [36, 38, 42]}
CODEC = NoteStepCodec()
BUNDLE = Bundle(None, CODEC, style=STYLE)


def _asking(canvas: Canvas, **wishes: Any) -> Canvas:
    return replace(canvas, constraints=replace(canvas.constraints, **({"strict_chords": "chords" in wishes} | wishes)))


def _plan(canvas: Canvas, **wishes: Any) -> Plan:
    return make_plan(BUNDLE, _asking(canvas, **wishes))


def _open(plan: Plan, slot: int) -> list[int]:
    """The steps at which new notes of a slot may start."""
    return np.flatnonzero(plan.open_parts >> slot & 1).tolist()  # type: ignore[no-any-return]


def _chords(text: str, song: Song) -> np.ndarray:
    return chords_over(parse_chords(text), song.bar_lines())


def test_given_notes_are_as_the_codec_writes_them(band_song: Song) -> None:
    notes = band_song.notes.copy()
    notes["onset"][3:] += np.arange(len(notes) - 3) % 23
    notes["onset"].sort()
    song = band_song.replace(notes=notes, length=5 * BAR)
    plan = _plan(continuation_canvas(song, 2))
    rows = CODEC.encode(CODEC.arrange(song))
    steps = CODEC.onset_steps(rows)
    played = rows[:, TIME_SHIFT] < WAIT
    assert np.array_equal(plan.given[:, 1:], rows[played, 1:])
    assert np.array_equal(plan.given[:, 0], steps[played])
    assert np.array_equal(notes["pitch"][plan.source], plan.given[:, 2])
    assert np.array_equal(plan.programs, CODEC.programs(song))


def test_a_continuation_opens_every_step_of_the_new_bars(band_song: Song) -> None:
    plan = _plan(replace(continuation_canvas(band_song, 2), grids={}))
    assert (plan.begin, plan.end) == (4 * STEPS, 6 * STEPS)
    assert plan.bar_lines.tolist() == [bar * STEPS for bar in range(7)]
    assert set(plan.open_parts[: 4 * STEPS].tolist()) == {0}
    assert set(plan.open_parts[4 * STEPS :].tolist()) == {0b111}
    assert plan.levels.tolist() == [[-1] * 4] * 6
    assert plan.polyphony.tolist() == [128] * 16


def test_open_fields_are_marked_and_keep_the_order_of_notes(band_song: Song) -> None:
    both = np.where(band_song.notes["part"] == 2, PITCH | DURATION, VELOCITY | TIMING).astype(np.uint8)
    plan = _plan(Canvas(band_song, openings=(), open_fields=both))
    guitar = plan.given[:, 1] == 2
    assert (plan.given[guitar, 2:4] == OPEN).all()
    assert (plan.given[guitar, 4:] != OPEN).all()
    assert (plan.given[~guitar, 4:] == OPEN).all()
    assert (plan.given[~guitar, 2:4] != OPEN).all()
    fixed = _plan(continuation_canvas(band_song, 1))
    assert np.array_equal(plan.source, fixed.source)
    assert plan.begin == 0
    assert not plan.open_parts.any()


def test_of_notes_that_the_codec_cannot_tell_apart_the_open_one_is_given() -> None:
    song = Song.make([(0, 0, 480, 38, 90), (0, 10, 120, 38, 70), (0, 480, 240, 38, 80)], [parse_part("drums")])
    fields = np.array([0, VELOCITY, 0], np.uint8)
    plan = _plan(Canvas(song, openings=(), open_fields=fields))
    assert plan.source.tolist() == [1, 2]
    assert plan.given[0].tolist() == [0, 0, 38, 2, OPEN, 18]


def test_slots_are_in_the_order_of_the_codec_and_open_parts_are_among_them(band_song: Song) -> None:
    canvas = accompany_canvas(BUNDLE, band_song, [Part("Low", 33), parse_part("drums")], (2, 2))
    plan = _plan(replace(canvas, grids={}))
    assert plan.owners == [0, 4, 1, 3, 2]
    assert plan.programs[:6].tolist() == [[128, 0], [128, 1], [33, 0], [33, 1], [30, 0], [129, 0]]
    assert _open(plan, 1) == _open(plan, 3) == list(range(STEPS, 2 * STEPS))
    assert _open(plan, 0) == _open(plan, 2) == _open(plan, 4) == []


def test_an_instrument_never_heard_is_seen_as_the_nearest(band_song: Song) -> None:
    song = band_song.replace(parts=(band_song.parts[0], Part("Slap", 36), Part("Clean", 27)))
    plan = _plan(continuation_canvas(song, 1))
    assert plan.programs[:3, 0].tolist() == [128, 33, 30]


def test_of_more_than_sixteen_parts_an_open_one_keeps_a_slot_of_its_own() -> None:
    parts = [Part(f"Guitar {index}", 30) for index in range(20)]
    song = Song.make([(index, 0, 240, 40 + index, 80) for index in range(20)], parts, length=BAR)
    plan = _plan(infill_canvas(song, (1, 1), [7, 19]))
    assert len(plan.owners) == 16
    mine = [plan.owners.index(part) for part in (7, 19)]
    assert not np.isin(plan.given[:, 1], mine).any()
    assert len(plan.given) == 18
    assert all(_open(plan, slot) == list(range(STEPS)) for slot in mine)
    everyone = _plan(Canvas(song.replace(parts=tuple(parts)), openings=tuple(Opening(p, 0, BAR) for p in range(16))))
    assert everyone.owners == list(range(16))
    assert set(everyone.source.tolist()) == set(range(16))
    with pytest.raises(OutOfRange, match="17 parts are open, more than 16"):
        _plan(Canvas(song, 0, tuple(range(17))))


@pytest.mark.parametrize(
    ("grid", "steps"),
    [
        ("1/4", [0, 12, 24, 36]),
        ("1/8", [0, 6, 12, 18, 24, 30, 36]),
        ("1/4t", [0, 8, 16, 24, 32, 40]),
        ("1/8+1/4T", [0, 6, 8, 12, 16, 18, 24, 30, 32, 36, 40]),
    ],
)
def test_a_rhythm_grid_begins_anew_in_every_bar(grid: str, steps: list[int]) -> None:
    canvas = blank_canvas(BUNDLE, 2, np.random.default_rng(0), parts=[Part("Bass", 33)], meter=Meter(7, 8))
    assert _open(_plan(canvas, grid=grid), 0) == steps + [42 + step for step in steps]


def test_a_grid_without_a_place_in_an_opening_is_named(band_song: Song) -> None:
    canvas = Canvas(band_song, openings=(Opening(1, 0, BAR), Opening(2, BAR + 480, BAR + 960)))
    with pytest.raises(InfeasibleCanvas, match="Guitar, bar 2: no step of the grid 1/2 lies in it; choose a finer"):
        _plan(canvas, grid="1/2")
    with pytest.raises(UnknownName, match="'1/7' is not one of 1/1, 1/2"):
        _plan(canvas, grid="1/7")


def test_fixed_notes_close_the_steps_at_which_they_use_up_the_polyphony() -> None:
    song = Song.make([(0, 480, 480, 60, 80), (0, 960, 20, 64, 80)], [Part("Lead", 30)], length=BAR)
    plan = _plan(Canvas(song, 0, (0,)), polyphony={0: 1})
    assert _open(plan, 0) == [*range(12), *range(25, 48)]
    assert plan.polyphony[0] == 1
    two = _plan(Canvas(song, 0, (0,)), polyphony={0: 2})
    assert _open(two, 0) == list(range(48))


def test_a_polyphony_that_fixed_notes_use_up_throughout_is_named() -> None:
    song = Song.make([(0, 0, 4 * BAR, 60, 80)], [Part("Drone", 30)])
    canvas = Canvas(song, openings=(Opening(0, BAR, 3 * BAR),))
    with pytest.raises(InfeasibleCanvas, match="Drone, bars 2-3: its fixed notes already sound as many at once"):
        _plan(canvas, polyphony={0: 1})


def test_key_range_and_chosen_pitches_say_what_may_be_played(band_song: Song) -> None:
    canvas = continuation_canvas(band_song, 1)
    plan = _plan(
        canvas, key=Key.parse("C minor pentatonic"), pitch_ranges={1: (30, 50), 0: (37, 60)}, pitches={2: (48, 49, 51)}
    )
    bass = np.flatnonzero(plan.playable[0, 1])
    assert bass.tolist() == [31, 34, 36, 39, 41, 43, 46, 48]
    assert np.flatnonzero(plan.playable[0, 2]).tolist() == [48, 51]
    assert np.flatnonzero(plan.playable[0, 0]).tolist() == [38, 42]
    assert not plan.playable[0, 3:].any()
    free = make_plan(Bundle(None, CODEC), canvas)
    assert free.playable[0, 0].all()


def test_parts_that_are_not_open_may_play_nothing(band_song: Song) -> None:
    plan = _plan(infill_canvas(band_song, (2, 3), [1]))
    assert plan.playable.any((0, 2)).tolist() == [False, True] + [False] * 14


def test_strict_chords_allow_their_tones_and_their_bass_alone(band_song: Song) -> None:
    canvas = continuation_canvas(band_song, 4)
    plan = _plan(canvas, chords=_chords("N.C. | Am | F C/D | Am", canvas.song), pitch_ranges={})
    states = plan.harmony[[step * 24 for step in range(2 * 8)]].tolist()
    chords = [sorted(set((np.flatnonzero(plan.playable[state, 2]) % 12).tolist())) for state in states]
    everything, a_minor, f_major, c_over_d = list(range(12)), [0, 4, 9], [0, 5, 9], [0, 2, 4, 7]
    once = [everything, everything, a_minor, a_minor, f_major, c_over_d, a_minor, a_minor]
    assert chords == [*once, *once]
    assert states[2] == states[6]
    assert np.flatnonzero(plan.playable[states[2], 0]).tolist() == [36, 38, 42]  # drums know no chord
    assert not plan.favoured.any()


def test_soft_chords_favour_their_tones_and_forbid_nothing(band_song: Song) -> None:
    canvas = continuation_canvas(band_song, 2)
    plan = _plan(
        canvas, chords=_chords("Am", canvas.song), strict_chords=False, chord_pull=1.5, key=Key.parse("C major")
    )
    state = plan.harmony[-1]
    assert plan.favoured[state].tolist() == [1.5 if tone in (0, 4, 9) else 0 for tone in range(12)]
    assert set((np.flatnonzero(plan.playable[state, 2]) % 12).tolist()) == {0, 2, 4, 5, 7, 9, 11}


def test_a_key_that_is_not_strict_leaves_all_pitches_and_favours_its_own(band_song: Song) -> None:
    canvas = continuation_canvas(band_song, 2)
    plan = _plan(canvas, key=Key(0, "major"), strict_key=False, pitch_ranges={})
    assert plan.playable[0, 1].all()
    pulled = plan.favoured[0] > 0
    assert np.flatnonzero(pulled).tolist() == [0, 2, 4, 5, 7, 9, 11]
    chords = _chords("C#", canvas.song)
    both = _plan(canvas, key=Key(0, "major"), strict_key=False, chords=chords, strict_chords=False, chord_pull=1.0)
    state = int(both.harmony[-1])
    assert both.favoured[state, 1] == 1.0  # of the chord alone
    assert both.favoured[state, 5] == pytest.approx(1.0 + plan.favoured[0, 5])  # of both


def test_no_chord_is_in_force_before_the_first(band_song: Song) -> None:
    chords = np.array([(5 * BAR + 960, 9, 1, 9)], CHORD)
    plan = _plan(continuation_canvas(band_song, 2), chords=chords)
    assert set(plan.harmony[: 5 * STEPS + 24].tolist()) == {0}
    assert set(plan.harmony[5 * STEPS + 24 :].tolist()) == {1}


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"pitch_ranges": {1: (61, 61)}, "key": Key.parse("C major")}, "Bass: no pitch lies in 61-61 and in C major"),
        (
            {"pitch_ranges": {2: (61, 63)}, "chords": "Am F | Bb"},
            r"Guitar: no pitch lies in 61-63 and in the chord Am \(bars 5, 7\); widen the range or make chords soft",
        ),
        (
            {"key": Key.parse("C major"), "chords": "C | F#", "pitch_ranges": {1: (0, 127), 2: (40, 46)}},
            r"Bass: no pitch lies in C major and in the chord F# \(bars 6, 8\); change the key or make chords soft",
        ),
        (
            {"pitches": {1: (61, 66)}, "key": Key.parse("C major")},
            r"Bass: .* 61, 66 and in C major .*choose other",
        ),
        (
            {"pitches": {0: (44, 46)}},
            r"no drum lies in pitches 44, 46 and in what the bundle knows \(36, 38, 42\)",
        ),
    ],
)
def test_wishes_that_leave_no_pitch_are_named_with_part_bars_and_remedy(
    band_song: Song, wishes: dict[str, Any], message: str
) -> None:
    canvas = continuation_canvas(band_song, 4)
    if "chords" in wishes:
        wishes = {**wishes, "chords": _chords(wishes["chords"], canvas.song)}
    with pytest.raises(InfeasibleCanvas, match=message):
        _plan(canvas, **wishes)


def test_chords_that_leave_no_pitch_where_nothing_is_open_are_no_matter(band_song: Song) -> None:
    canvas = infill_canvas(band_song, (3, 4), [2])
    chords = _chords("F# | F# | C | C", canvas.song)
    assert _plan(canvas, chords=chords, key=Key.parse("C major")).begin == 2 * STEPS


def test_open_notes_of_a_chord_need_as_many_pitches(band_song: Song) -> None:
    canvas = pitches_canvas(band_song, (2, 2), [2])
    with pytest.raises(InfeasibleCanvas, match="Guitar, bar 2: 1 pitch left for 2 open notes on one step"):
        _plan(canvas, pitches={2: (60,)})
    assert (_plan(canvas, pitches={2: (60, 61)}).given == OPEN).sum() == 8


def test_notes_of_open_length_that_start_together_must_fit_the_polyphony(band_song: Song) -> None:
    fields = np.where(band_song.notes["part"] == 2, DURATION, 0).astype(np.uint8)
    canvas = Canvas(band_song, openings=(), open_fields=fields)
    with pytest.raises(InfeasibleCanvas, match="Guitar, bar 1: 2 notes on one step, more than its polyphony of 1"):
        _plan(canvas, polyphony={2: 1})


def test_nothing_open_is_named(band_song: Song) -> None:
    with pytest.raises(InfeasibleCanvas, match="nothing is open"):
        _plan(Canvas(band_song, openings=()))
    with pytest.raises(InfeasibleCanvas, match="no part"):
        _plan(Canvas(Song(length=BAR)))


def test_a_meter_that_is_no_whole_steps_is_refused_where_it_is_open() -> None:
    canvas = blank_canvas(BUNDLE, 2, np.random.default_rng(0), parts=[Part("Bass", 33)], meter=[Meter(), Meter(7, 32)])
    with pytest.raises(InfeasibleCanvas, match=r"bar 2: a bar of 7/32 is not whole steps long .*; choose 8/32"):
        _plan(canvas)
    before = Canvas(canvas.song, openings=(Opening(0, 0, BAR),))
    assert _plan(before).begin == 0
    for meter in (Meter(3, 4), Meter(6, 8), Meter(7, 8), Meter(5, 16)):
        assert _plan(blank_canvas(BUNDLE, 3, np.random.default_rng(0), parts=[Part("", 33)], meter=meter)).begin == 0


def test_chords_that_a_bar_cannot_share_are_named_with_what_it_can() -> None:
    song = blank_canvas(BUNDLE, 2, np.random.default_rng(0), parts=[Part("Bass", 33)], meter=Meter(7, 8)).song
    with pytest.raises(InfeasibleCanvas, match=r"bar 1 has 3.5 quarter notes, which 4 chords .* 1, 2, 3, 6, 7, 14"):
        _chords("Am F C G | Am", song)


def test_levels_are_asked_by_bar_or_for_all(band_song: Song) -> None:
    canvas = continuation_canvas(band_song, 1)
    plan = _plan(canvas, levels={"density": (3,), "velocity": (None, 0, 11, None, 5)})
    assert plan.levels[:, CONTROLS.index("density")].tolist() == [3] * 5
    assert plan.levels[:, CONTROLS.index("velocity")].tolist() == [-1, 0, 11, -1, 5]
    assert (plan.levels[:, 1:3] == -1).all()
    with pytest.raises(OutOfRange, match="density: 2 levels for 5 bars"):
        _plan(canvas, levels={"density": (1, 2)})
    with pytest.raises(OutOfRange, match="register in bar 1: level 12 is outside 0-11"):
        _plan(canvas, levels={"register": (12,)})
    with pytest.raises(UnknownName, match="'swing' is not one of density, register"):
        _plan(canvas, levels={"swing": (1,)})


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"polyphony": {1: 0}}, "Bass: polyphony 0 is outside 1-128"),
        ({"pitch_ranges": {1: (60, 40)}}, "Bass: pitch range 60-40 is not within"),
        ({"pitch_ranges": {7: (40, 60)}}, "range of part 7: the song's parts are 0-2"),
    ],
)
def test_constraints_that_are_none_are_refused(band_song: Song, wishes: dict[str, Any], message: str) -> None:
    with pytest.raises(OutOfRange, match=message):
        _plan(continuation_canvas(band_song, 1), **wishes)


def test_a_song_of_days_is_refused() -> None:
    song = Song(parts=(Part("Bass", 33),), length=1 << 29)
    with pytest.raises(LimitExceeded, match="lasts 1118481 quarter notes, more than 349525; cut it"):
        _plan(Canvas(song, 0, (0,)))


def test_a_note_that_the_grid_puts_at_the_end_is_given_a_step_before() -> None:
    song = Song.make([(0, BAR - 5, 5, 60, 80)], [Part("Lead", 30)], length=BAR)
    plan = _plan(humanise_canvas(song))
    assert plan.given[0].tolist() == [STEPS - 1, 0, 60, 0, OPEN, OPEN]


def test_hats_are_the_only_drums_that_may_join(band_song: Song) -> None:
    plan = _plan(layer_canvas(band_song, 0, (42, 44), (2, 2)))
    assert np.flatnonzero(plan.playable[0, 0]).tolist() == [42]
    assert _open(plan, 0) == list(range(STEPS, 2 * STEPS))


def test_taps_ask_for_drums_on_their_own_steps(band_song: Song) -> None:
    plan = _plan(tap_canvas(band_song, 2))
    slot = plan.owners.index(2)
    taps = plan.given[plan.given[:, 1] == slot]
    assert _open(plan, slot) == taps[:, 0].tolist() == [12 * beat for beat in range(16)]
    assert (taps[:, 2] == OPEN).all()
    assert plan.programs[slot].tolist() == [128, 1]


def test_constraints_are_empty_by_default() -> None:
    nothing = Constraints()
    assert not len(nothing.chords)
    assert nothing.grid is None


def test_a_note_of_open_length_uses_up_the_polyphony_only_where_it_starts() -> None:
    song = Song.make([(0, 480, 960, 60, 80)], [Part("Lead", 30)], length=BAR)
    canvas = Canvas(song, openings=(Opening(0, 0, BAR),), open_fields=np.array([DURATION], np.uint8))
    assert _open(_plan(canvas, polyphony={0: 1}), 0) == [step for step in range(STEPS) if step != 12]


def test_pitches_that_fixed_notes_take_are_not_left_for_open_ones(band_song: Song) -> None:
    guitar = np.flatnonzero(band_song.notes["part"] == 2)
    fields = np.zeros(len(band_song), np.uint8)
    fields[guitar[1]] = PITCH  # of the first chord, E3 and B3, the B
    canvas = Canvas(band_song, openings=(), open_fields=fields)
    with pytest.raises(InfeasibleCanvas, match="Guitar, bar 1: 0 pitches left for 1 open note on one step"):
        _plan(canvas, pitches={2: (52,)})
    assert _plan(canvas, pitches={2: (52, 55)}).begin == 0


def test_a_plan_begins_at_the_first_of_open_fields_and_openings(band_song: Song) -> None:
    fields = np.where(band_song.notes["onset"] >= 2 * BAR, VELOCITY, 0).astype(np.uint8)
    for begin, first in ((BAR, STEPS), (3 * BAR, 2 * STEPS)):
        canvas = Canvas(band_song, openings=(Opening(1, begin, 4 * BAR),), open_fields=fields)
        assert _plan(canvas).begin == first


def test_a_song_that_ends_within_a_bar_is_open_up_to_its_last_tick() -> None:
    song = Song(parts=(Part("Lead", 30),), length=BAR + 410)
    plan = _plan(Canvas(song, 0, (0,)))
    assert plan.end == 2 * STEPS
    assert _open(plan, 0) == list(range(STEPS + 11))


def test_a_continuation_stays_in_the_meter_of_the_last_bar(band_song: Song) -> None:
    song = band_song.replace(meters=np.array([(0, 4, 4), (4 * BAR, 3, 4)], band_song.meters.dtype), length=5 * BAR)
    assert np.diff(_plan(continuation_canvas(song, 2)).bar_lines).tolist() == [STEPS] * 6


def test_one_long_bar_among_many_short_ones_takes_no_more_memory_than_they_do() -> None:
    """A file may say so; were all bars laid side by side, as wide as the widest, they would not fit into a laptop."""
    long, short = Meter(64, 1).bar_ticks, Meter(1, 16).bar_ticks
    meters = np.array([(0, 64, 1), (long, 1, 16)], METER)
    song = Song.make([(0, 0, 480, 40, 80)], (Part("Bass", 33),), meters=meters, length=long + 20_000 * short)
    canvas = Canvas(song, 0, (0,))
    tracemalloc.start()
    try:
        make_plan(BUNDLE, canvas)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 100 << 20

"""From a plan back to a song: a stand-in player draws anything that is legal, and every promise of a canvas holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.codecs import SIZES, NoteStepCodec
from woodshed.errors import CodecError
from woodshed.formats import read_midi, write_midi
from woodshed.generation.canvas import (
    DURATION,
    EVERYTHING,
    PITCH,
    TIMING,
    VELOCITY,
    Canvas,
    Opening,
    blank_canvas,
    continuation_canvas,
)
from woodshed.generation.constraints import chords_over
from woodshed.generation.finish import finish, shorten, with_room
from woodshed.generation.openings import (
    accompany_canvas,
    humanise_canvas,
    infill_canvas,
    layer_canvas,
    pitches_canvas,
    tap_canvas,
    vary_canvas,
)
from woodshed.generation.plan import OPEN, Plan, make_plan
from woodshed.music import NOTE, Key, Meter, Part, Song, parse_part
from woodshed.music.chord_sheet import parse_chords
from woodshed.music.units import ticks_to_steps

BAR = 1920
BUNDLE = Bundle(
    None, NoteStepCodec(), style={"instruments": {"128": {}, "33": {}, "30": {}}, "drum_pitches": [36, 38, 42, 46, 49]}
)
NOTHING = np.zeros((0, 6), np.int64)


def play(plan: Plan, rng: np.random.Generator, share: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Rows and filled notes, drawn evenly from all that the plan allows."""
    filled, taken = plan.given.copy(), set()
    for step, slot, pitch in plan.given[plan.given[:, 2] != OPEN, :3].tolist():
        taken.add((step, slot, pitch))

    def choose(step: int, slot: int) -> int | None:
        allowed = np.flatnonzero(plan.playable[plan.harmony[step], slot])
        left = [pitch for pitch in allowed.tolist() if (step, slot, pitch) not in taken]
        if not left:
            return None
        pitch = int(rng.choice(left))
        taken.add((step, slot, pitch))
        return pitch

    for row in filled:
        for field in range(2, 6):
            if row[field] == OPEN:
                row[field] = choose(row[0], row[1]) if field == 2 else rng.integers(SIZES[field])
    rows = []
    for step in np.flatnonzero(plan.open_parts):
        for slot in range(len(plan.owners)):
            if not plan.open_parts[step] >> slot & 1 or rng.random() > share:
                continue
            for _ in range(min(int(rng.integers(1, 4)), int(plan.polyphony[slot]))):
                pitch = choose(int(step), slot)
                if pitch is not None:
                    duration = int(rng.choice((2, 5, 11, 47, 200)))
                    rows.append((step, slot, pitch, duration, int(rng.integers(32)), int(rng.integers(SIZES[5]))))
    return np.array(rows, np.int64).reshape(-1, 6), filled


def answer(canvas: Canvas, seed: int = 0, share: float = 0.3) -> Song:
    plan = make_plan(BUNDLE, canvas)
    return finish(canvas, plan, *play(plan, np.random.default_rng(seed), share))


def rows_of(notes: np.ndarray) -> list[tuple[int, ...]]:
    return [tuple(row) for row in notes.tolist()]


def split(canvas: Canvas, song: Song) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """The fixed notes of a canvas, and what else an answer has; fails if one of the fixed is missing."""
    left = rows_of(song.notes)
    fixed = rows_of(canvas.song.notes[canvas.fields == 0])
    for note in fixed:
        left.remove(note)
    return fixed, np.array(left, NOTE)


def most_at_once(notes: np.ndarray) -> int:
    ends = notes["onset"].astype(np.int64) + notes["duration"]
    return max((int(((notes["onset"] <= tick) & (ends > tick)).sum()) for tick in notes["onset"]), default=0)


def asking(canvas: Canvas, **wishes: Any) -> Canvas:
    return replace(canvas, constraints=replace(canvas.constraints, **({"strict_chords": "chords" in wishes} | wishes)))


def performed(song: Song, seed: int = 0) -> Song:
    """The song a little off the grid, with velocities of its own."""
    rng = np.random.default_rng(seed)
    notes = song.notes.copy()
    notes["onset"] = np.maximum(notes["onset"] + rng.integers(-15, 16, len(notes)), 0)
    notes["velocity"] = rng.integers(1, 128, len(notes))
    return Song.make(notes, song.parts, meters=song.meters, tempos=song.tempos, title=song.title, length=song.length)


CANVASES: dict[str, Callable[[Song], Canvas]] = {
    "blank": lambda song: blank_canvas(BUNDLE, 3, np.random.default_rng(0), parts=song.parts, meter=Meter(7, 8)),
    "continue": lambda song: continuation_canvas(song, 2),
    "infill": lambda song: infill_canvas(song, (2, 3), [1, 2]),
    "accompany": lambda song: accompany_canvas(BUNDLE, song, [Part("Solo", 30), parse_part("drums")], (2, 4)),
    "pitches": lambda song: pitches_canvas(song, (2, 3)),
    "humanise": lambda song: humanise_canvas(song),
    "vary": lambda song: vary_canvas(song, 0.3, np.random.default_rng(3)),
    "vary pitches": lambda song: vary_canvas(song, 0.3, np.random.default_rng(3), what="pitches"),
    "vary everything": lambda song: vary_canvas(song, 0.5, np.random.default_rng(3), what="everything"),
    "tap": lambda song: tap_canvas(song, 2),
    "layer": lambda song: layer_canvas(song, 0, (42, 46)),
}


@pytest.mark.parametrize("name", CANVASES)
def test_whatever_is_played_what_is_fixed_comes_back_bit_for_bit(band_song: Song, name: str) -> None:
    for seed in range(3):
        canvas = CANVASES[name](performed(band_song, seed))
        song = answer(canvas, seed)
        _, new = split(canvas, song)
        assert len(new) >= (canvas.fields > 0).sum()
        assert song.length == canvas.song.length
        assert song.parts == canvas.song.parts
        for part, onset, *_ in rows_of(new):
            spans = [o for o in canvas.spans if o.part == part]
            if not (canvas.fields[canvas.song.notes["part"] == part] > 0).any():
                assert any(o.begin <= onset < o.end for o in spans)


@pytest.mark.parametrize("name", CANVASES)
def test_whatever_is_played_the_song_can_be_planned_again_and_is_a_file(band_song: Song, name: str) -> None:
    canvas = CANVASES[name](band_song)
    song = answer(canvas, 1)
    assert len(make_plan(BUNDLE, humanise_canvas(song)).given) > 0
    assert len(read_midi(write_midi(song))) > 0


def test_constraints_hold_in_every_one_of_many_notes(band_song: Song) -> None:
    key = Key.parse("E minor pentatonic")
    song = performed(band_song)
    count = 0
    for seed in range(10):
        canvas = asking(
            continuation_canvas(song, 4),
            key=key, grid="1/8", polyphony={1: 1, 2: 2}, pitch_ranges={1: (28, 50), 2: (52, 76)},
        )  # fmt: skip
        _, new = split(canvas, answer(canvas, seed, share=0.9))
        count += len(new)
        pitched = new[new["part"] > 0]
        assert set((pitched["pitch"] % 12).tolist()) <= set(key.pitch_classes)
        assert set(new["pitch"][new["part"] == 0].tolist()) <= {36, 38, 42, 46, 49}
        assert (ticks_to_steps(new["onset"]) % 6 == 0).all()
        for part, most, low, high in ((1, 1, 28, 50), (2, 2, 52, 76)):
            own = new[new["part"] == part]
            assert ((own["pitch"] >= low) & (own["pitch"] <= high)).all()
            assert most_at_once(own) <= most
    assert count > 1000


def test_strict_chords_hold_in_every_note_of_a_solo(band_song: Song) -> None:
    canvas = replace(accompany_canvas(BUNDLE, band_song, [Part("Solo", 30)]), grids={})
    chords = chords_over(parse_chords("Em G | Am | D7 | C B7"), band_song.bar_lines())
    tones = {0: {4, 7, 11}, 24: {7, 11, 2}, 48: {9, 0, 4}, 96: {2, 6, 9, 0}, 144: {0, 4, 7}, 168: {11, 3, 6, 9}}
    _, new = split(canvas, answer(asking(canvas, chords=chords, strict_chords=True), share=0.8))
    assert len(new) > 100
    for note in new:
        step = int(ticks_to_steps(note["onset"]))
        assert note["pitch"] % 12 in tones[max(begin for begin in tones if begin <= step)]


def test_with_the_fixed_notes_of_a_part_no_more_sound_than_may(band_song: Song) -> None:
    """Held notes before the hole, and notes that start in it again after."""
    fixed = [(0, 0, 2200, 40, 80), (0, 2400, 100, 45, 80), (0, 2900, 3000, 52, 80), (0, 5000, 200, 55, 80)]
    song = Song.make(fixed, [Part("Guitar", 30)], length=4 * BAR)
    canvas = asking(Canvas(song, openings=(Opening(0, 480, 4 * BAR),)), polyphony={0: 2})
    for seed in range(12):
        played = answer(canvas, seed, share=0.2)
        assert most_at_once(played.notes) <= 2
        split(canvas, played)


def test_only_velocity_changes_where_only_velocity_is_open(band_song: Song) -> None:
    song = performed(band_song)
    played = answer(humanise_canvas(song, what=VELOCITY))
    for name in ("part", "onset", "duration", "pitch"):
        assert np.array_equal(played.notes[name], song.notes[name])
    assert set((played.notes["velocity"] % 4).tolist()) == {2}


def test_only_timing_changes_where_only_timing_is_open_and_no_step(band_song: Song) -> None:
    song = performed(band_song)
    canvas = humanise_canvas(song, what=TIMING)
    plan = make_plan(BUNDLE, canvas)
    filled = plan.given.copy()
    filled[:, 5] = np.random.default_rng(0).integers(0, 32, len(filled))
    played = finish(canvas, plan, NOTHING, filled)
    expected = song.notes[plan.source].copy()
    expected["onset"] = np.maximum(plan.given[:, 0] * 40 + (filled[:, 5] - 16) * 4, 0)
    assert rows_of(played.notes) == rows_of(Song.make(expected, song.parts).notes)


def test_a_note_at_the_very_end_is_not_pushed_over_it() -> None:
    song = Song.make([(0, BAR - 240, 240, 60, 80)], [Part("Lead", 30)], length=BAR)
    canvas = humanise_canvas(song, what=TIMING)
    plan = make_plan(BUNDLE, canvas)
    filled = plan.given.copy()
    filled[0, 5] = 31
    played = finish(canvas, plan, NOTHING, filled)
    assert played.length == BAR
    assert played.notes["duration"].tolist() == [240]


def test_only_pitches_change_where_only_pitches_are_open(band_song: Song) -> None:
    song = performed(band_song)
    played = answer(pitches_canvas(song, (2, 2), [2]))
    fixed = ["part", "onset", "duration", "velocity"]
    assert sorted(rows_of(played.notes[fixed])) == sorted(rows_of(song.notes[fixed]))
    assert played != song


def test_notes_that_the_codec_cannot_tell_apart_share_what_is_filled_in() -> None:
    flam = [(0, 960, 120, 38, 90), (0, 949, 60, 38, 50)]
    song = Song.make(flam, [parse_part("drums")], length=BAR)
    canvas = Canvas(song, openings=(), open_fields=np.full(2, PITCH | TIMING | VELOCITY, np.uint8))
    plan = make_plan(BUNDLE, canvas)
    assert len(plan.given) == 1
    played = finish(canvas, plan, NOTHING, np.array([[24, 0, 42, 2, 20, 17]]))
    assert rows_of(played.notes) == [(0, 953, 60, 42, 82), (0, 964, 120, 42, 82)]


def test_open_lengths_are_cut_by_the_next_note_of_their_pitch_and_the_songs_end() -> None:
    song = Song.make([(0, 0, 40, 60, 80), (0, 480, 40, 60, 80)], [Part("Lead", 30)], length=BAR)
    canvas = Canvas(song, openings=(), open_fields=np.full(2, DURATION, np.uint8))
    plan = make_plan(BUNDLE, canvas)
    filled = plan.given.copy()
    filled[:, 3] = 383
    assert finish(canvas, plan, NOTHING, filled).notes["duration"].tolist() == [480, BAR - 480]


def test_new_notes_stay_within_their_opening_and_the_song(band_song: Song) -> None:
    canvas = replace(infill_canvas(band_song, (2, 2), [1]), grids={})
    plan = make_plan(BUNDLE, canvas)
    rows = np.array([(48, 1, 40, 383, 20, 12), (95, 1, 42, 383, 20, 20)])
    played = finish(canvas, plan, rows, plan.given)
    _, new = split(canvas, played)
    assert new["onset"].tolist() == [BAR, 95 * 40 + 16]
    assert played.length == band_song.length
    assert (new["onset"] + new["duration"] <= played.length).all()


def test_a_new_note_gives_way_to_a_fixed_one_of_its_pitch() -> None:
    fixed = np.array([(0, 480, 480, 60, 80)], NOTE)
    new = np.array([(0, 0, 900, 60, 80), (0, 600, 100, 60, 80), (0, 600, 100, 62, 80), (0, 960, 100, 60, 80)], NOTE)
    kept = with_room(new, fixed, fixed[:0], 128)
    assert rows_of(kept) == [(0, 0, 480, 60, 80), (0, 600, 100, 62, 80), (0, 960, 100, 60, 80)]


def test_shortening_keeps_the_polyphony_and_no_pitch_overlaps_itself() -> None:
    notes = np.array([(0, 0, 900, 60, 80), (0, 100, 900, 64, 80), (0, 200, 900, 60, 80), (0, 200, 50, 67, 80)], NOTE)
    cut = shorten(notes, 2)
    assert most_at_once(cut) <= 2
    assert cut["duration"].tolist() == [200, 100, 900, 50]


def test_fixed_notes_that_start_cut_the_new_ones_before_them() -> None:
    new = np.array([(0, 0, 900, 60, 80), (0, 100, 900, 64, 80)], NOTE)
    fixed = np.array([(0, 300, 50, 67, 80), (0, 500, 50, 67, 80), (0, 500, 50, 69, 80)], NOTE)
    assert shorten(new, 2, fixed)["duration"].tolist() == [300, 400]


def _misplayed(change: str, plan: Plan, rows: np.ndarray, filled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, filled = rows.copy(), filled.copy()
    if change == "given":
        filled[0, 4] = (filled[0, 4] + 1) % 32
    elif change == "unfilled":
        filled[plan.given == OPEN] = OPEN
    elif change == "step":
        rows[0, 0] = 0
    elif change == "pitch":
        rows[0, 2] = 127
    elif change == "twice":
        rows = np.concatenate((rows, rows[:1]))
    elif change == "shape":
        filled = filled[1:]
    return rows, filled


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("given", "cannot become"),
        ("unfilled", "cannot become"),
        ("step", "slot 1 is not open at step 0"),
        ("pitch", "its pitch is not allowed there"),
        ("twice", "are there twice"),
        ("shape", r"are not \(N, 6\)"),
    ],
)
def test_rows_that_are_not_of_the_plan_are_refused(band_song: Song, change: str, message: str) -> None:
    fields = np.where(band_song.notes["part"] == 2, VELOCITY, 0).astype(np.uint8)
    canvas = Canvas(band_song, openings=(Opening(1, BAR, 2 * BAR),), open_fields=fields)
    canvas = asking(canvas, pitch_ranges={1: (28, 60)})
    plan = make_plan(BUNDLE, canvas)
    rows, filled = play(plan, np.random.default_rng(0))
    assert len(rows)
    finish(canvas, plan, rows, filled)
    with pytest.raises(CodecError, match=message):
        finish(canvas, plan, *_misplayed(change, plan, rows, filled))


def test_every_canvas_of_real_music_is_answered(data_folder: Path) -> None:
    files = sorted((data_folder / "band" / "freedoom").rglob("*.mid"))[::25][:4]
    assert files
    for file in files:
        song = read_midi(file)
        bars = (2, min(song.bars, 5))
        key = Key.parse("C minor")
        for canvas in (
            asking(infill_canvas(song, bars), key=key, polyphony=dict.fromkeys(range(len(song.parts)), 3)),
            asking(accompany_canvas(BUNDLE, song, [Part("Bass", 33)], bars), key=key),
            vary_canvas(song, 0.05, np.random.default_rng(0)),
            humanise_canvas(song, bars=bars),
            Canvas(song, openings=(), open_fields=(np.arange(len(song)) % 50 == 0).astype(np.uint8) * EVERYTHING),
        ):
            plan = make_plan(Bundle(None, NoteStepCodec()), canvas)
            rows, filled = play(plan, np.random.default_rng(1), share=0.1)
            played = finish(canvas, plan, rows, filled)
            seen = set(rows_of(played.notes))
            assert set(rows_of(canvas.song.notes[canvas.fields == 0])) <= seen
            assert played.length == canvas.song.length


def test_a_new_note_gives_way_to_one_of_open_length_that_starts_with_it() -> None:
    elastic = np.array([(0, 480, 480, 60, 80)], NOTE)
    new = np.array([(0, 480, 100, 64, 80), (0, 720, 100, 64, 80)], NOTE)
    kept = with_room(new, elastic[:0], elastic, 1)
    assert rows_of(kept) == [(0, 480, 240, 60, 80), (0, 720, 100, 64, 80)]

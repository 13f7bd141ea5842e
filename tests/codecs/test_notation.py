"""Performed music is written as a musician would write it, and nothing is lost by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.codecs import SIZES, NoteStepCodec
from woodshed.codecs.notation import EARLIEST, LATEST, by_hand, notate
from woodshed.codecs.note_step import MICROTIMING, PART, PITCH, TIME_SHIFT, WAIT
from woodshed.formats import read_midi
from woodshed.music import Part, Song
from woodshed.music.units import ticks_to_steps

CODEC = NoteStepCodec()
BAND = (Part("Kit", 0, True), Part("Bass", 33), Part("Lead", 30))
SIXTEENTHS, TRIPLETS, SEXTUPLETS = (0, 3, 6, 9), (0, 4, 8), (0, 2, 4, 6, 8, 10)
BAR = 48


def played(beat: tuple[int, ...], beats: int = 32, spread: float = 12, late: float = 0, seed: int = 0) -> np.ndarray:
    """(N, 2) step and tick of every place of a beat, played by a human with so much spread."""
    rng = np.random.default_rng(seed)
    steps = np.concatenate([np.array(beat) + 12 * count for count in range(1, beats + 1)])
    ticks = steps * 40 + np.rint(rng.normal(late, spread, len(steps))).astype(np.int64)
    return np.stack((steps, ticks), axis=1)


def song_of(*parts: np.ndarray, meter: tuple[int, int] = (4, 4)) -> Song:
    """Each part plays (N, 2) steps and ticks; of each note the pitch says which it is."""
    notes = [
        (part, int(tick), 40, 36 + index % 60, 80)
        for part, played_by in enumerate(parts)
        for index, (_, tick) in enumerate(played_by)
    ]
    return Song.make(notes, BAND[: len(parts)], meters=[(0, *meter)])


def steps_of(song: Song) -> np.ndarray:
    """(N,) the step of each note, in the song's order."""
    drums = np.array([part.is_drum for part in song.parts], bool)
    return CODEC.steps(song.notes, drums, CODEC.bar_lines(song))[0]


@st.composite
def performances(draw: st.DrawFn) -> Song:
    """Beats of any grid, with spread, flams, a lateness of their own and any meter; some parts as machines play."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    notes = []
    for part in range(draw(st.integers(1, 3))):
        spread, late = draw(st.sampled_from([0, 3, 10, 20, 40])), draw(st.integers(-25, 25))
        for beat in range(draw(st.integers(1, 12))):
            for place in draw(st.sampled_from([SIXTEENTHS, TRIPLETS, SEXTUPLETS, (0, 1, 7, 11), (0,)])):
                tick = max((12 * beat + place) * 40 + int(rng.normal(late, spread)), 0)
                notes.append((part, tick, int(rng.integers(1, 900)), int(rng.integers(36, 40)), 80))
                if rng.random() < 0.2:
                    notes.append((part, tick + int(rng.integers(0, 70)), 40, notes[-1][3], 40))
    meter = draw(st.sampled_from([(4, 4), (3, 4), (7, 8), (6, 8), (5, 16)]))
    return CODEC.arrange(Song.make(notes, BAND, meters=[(0, *meter)]))


@pytest.mark.parametrize("beat", [SIXTEENTHS, TRIPLETS])
@pytest.mark.parametrize("late", [-24, 0, 24])
def test_what_a_human_plays_is_written_as_it_was_meant(beat: tuple[int, ...], late: float) -> None:
    hits = played(beat, late=late)
    found = steps_of(song_of(hits))
    assert (found == hits[:, 0]).mean() > 0.97
    assert (ticks_to_steps(hits[:, 1]) == hits[:, 0]).mean() < 0.93  # the nearest of twelve is not what was meant


def test_a_fill_in_sixteenth_triplets_stands_among_sixteenths() -> None:
    groove, fill = played(SIXTEENTHS, 8, 18), played(SEXTUPLETS, 1, 8)
    hits = np.concatenate((groove, fill + (96, 96 * 40)))
    found = steps_of(song_of(hits))
    assert found[-6:].tolist() == (fill[:, 0] + 96).tolist()
    assert (found[:-6] == groove[:, 0]).mean() > 0.9


def test_a_note_early_for_the_beat_belongs_to_it() -> None:
    hits = played(SIXTEENTHS, 16)
    hits[4] = hits[4, 0], hits[4, 0] * 40 - 45
    song = song_of(hits)
    assert steps_of(song)[4] == hits[4, 0]
    row = CODEC.encode(song)[4]
    assert (row[MICROTIMING] - 16) * 4 == pytest.approx(-45, abs=2)


def test_a_shuffle_is_heard_over_bars_though_one_beat_could_be_sixteenths() -> None:
    shuffle = played((0, 8), 32, 12)
    late = np.flatnonzero(shuffle[:, 0] % 12 == 8)[10]
    shuffle[late, 1] = shuffle[late, 0] * 40 + 26  # nearer to the last sixteenth
    assert steps_of(song_of(shuffle))[late] == shuffle[late, 0]
    straight = played(SIXTEENTHS, 32, 12)
    straight = straight[straight[:, 0] // 12 != 11]
    among = np.concatenate((straight, [(132, 132 * 40), (141, 141 * 40 - 14)]))
    found = steps_of(song_of(among[np.argsort(among[:, 1])]))
    assert 141 in found
    assert 140 not in found


def test_a_flam_keeps_both_its_notes_and_the_beat_its_grid() -> None:
    hits = played(SIXTEENTHS, 8)
    notes = [(0, int(tick), 40, 38, 80) for _, tick in hits] + [(0, int(hits[8, 1]) - 36, 40, 38, 30)]
    song = Song.make(notes, BAND[:1])
    found = steps_of(song)
    assert len(set(found.tolist())) == len(song)
    assert (found % 3 == 0).sum() == len(hits)


def test_the_lead_over_programmed_drums_follows_them_and_they_stay() -> None:
    machine, human = played((0, 1, 6, 11), 16, 0), played(TRIPLETS, 16, 14)
    song = song_of(machine, machine, human)
    found, part = steps_of(song), song.notes["part"]
    assert np.array_equal(found[part < 2], ticks_to_steps(song.notes["onset"][part < 2]))
    drums_in_triplets = song_of(played(TRIPLETS, 16, 0), machine[:0], human)
    assert (steps_of(drums_in_triplets)[drums_in_triplets.notes["part"] == 2] == human[:, 0]).all()


def test_drums_lead_where_the_parts_of_a_beat_disagree() -> None:
    """A chord of twelve between the last triplet and the last sixteenth goes with three hits in triplets."""
    drums = played(TRIPLETS, 16, 10)
    chord = np.array([(12 * 8 + 8, (12 * 8 + 8) * 40 + 32)] * 12)
    song = song_of(drums, chord)
    assert (steps_of(song)[song.notes["part"] == 0] % 12 % 4 == 0).all()
    assert (steps_of(song)[song.notes["part"] == 1] % 12 == 8).all()


def test_beats_begin_anew_at_each_bar_line() -> None:
    """In 7/8 every second bar starts half a quarter off; triplets in its first beat are triplets all the same."""
    rng = np.random.default_rng(0)
    steps = np.concatenate([42 * bar + np.array([0, 4, 8, 12, 16, 20, 24, 28, 32, 36]) for bar in range(8)])
    hits = np.stack((steps, steps * 40 + np.rint(rng.normal(0, 11, len(steps))).astype(np.int64)), axis=1)
    hits[:, 1] = np.maximum(hits[:, 1], 0)
    found = steps_of(song_of(hits, meter=(7, 8)))
    assert (found == steps).mean() > 0.97


@given(performances())
def test_no_step_is_further_off_than_microtiming_reaches_and_no_onset_moves_by_more_than_three_ticks(
    song: Song,
) -> None:
    after = CODEC.decode(CODEC.encode(song), song)
    step = steps_of(after)
    late = after.notes["onset"] - step * 40
    assert late.min(initial=0) >= EARLIEST
    assert late.max(initial=0) <= LATEST
    for note in after.notes:
        alike = song.notes[(song.notes["part"] == note["part"]) & (song.notes["pitch"] == note["pitch"])]
        assert np.abs(alike["onset"] - note["onset"]).min() <= 3


@given(performances())
def test_no_note_is_lost_that_the_nearest_step_would_keep(song: Song) -> None:
    nearest = np.stack((ticks_to_steps(song.notes["onset"]), song.notes["part"], song.notes["pitch"]), axis=1)
    rows = CODEC.encode(song)
    assert (rows[:, TIME_SHIFT] < WAIT).sum() == len(np.unique(nearest, axis=0))


@given(performances())
def test_what_was_snapped_is_written_as_before(song: Song) -> None:
    snapped = CODEC.snap(song)
    assert CODEC.snap(snapped) == snapped
    assert np.array_equal(CODEC.encode(snapped), CODEC.encode(song))


@given(performances())
def test_steps_of_all_notes_are_those_that_encode_writes(song: Song) -> None:
    drums = np.array([part.is_drum for part in song.parts], bool)
    step, microtiming = CODEC.steps(song.notes, drums, CODEC.bar_lines(song))
    rows = CODEC.encode(song)
    written = np.column_stack((CODEC.onset_steps(rows), rows))[rows[:, TIME_SHIFT] < WAIT]
    places = {(row[0], row[1 + PART], row[1 + PITCH]) for row in written.tolist()}
    notes = zip(step.tolist(), song.notes["part"].tolist(), song.notes["pitch"].tolist(), strict=True)
    assert set(notes) == places
    ours = set(zip(step.tolist(), song.notes["part"].tolist(), microtiming.tolist(), strict=True))
    assert {(row[0], row[1 + PART], row[1 + MICROTIMING]) for row in written.tolist()} <= ours
    assert microtiming.min(initial=0) >= 0
    assert microtiming.max(initial=0) < SIZES[MICROTIMING]


@given(performances())
def test_notes_of_a_part_keep_their_order(song: Song) -> None:
    """A grace note may take its own step, never one on the other side of its main note."""
    drums = np.array([part.is_drum for part in song.parts], bool)
    step, _ = CODEC.steps(song.notes, drums, CODEC.bar_lines(song))
    for part in range(len(song.parts)):
        for pitch in range(36, 40):
            mine = (song.notes["part"] == part) & (song.notes["pitch"] == pitch)
            assert (np.diff(step[mine]) >= 0).all()


def test_a_part_is_performed_if_fewer_than_half_of_its_notes_are_on_steps() -> None:
    late = np.array([0, 4, -4, 8, 0, 8, 12, 0, -8])
    part = np.array([0, 0, 0, 0, 2, 2, 2, 3, 3])
    assert by_hand(late, part).tolist() == [False, False, True, False]
    assert by_hand(late[:0], part[:0]).tolist() == []


def test_music_on_the_grid_has_the_nearest_steps() -> None:
    steps = np.array([0, 1, 2, 5, 7, 11, 12, 13])
    part, pitch = np.zeros(8, np.int64), np.full(8, 60)
    lines = np.array([0, BAR])
    assert notate(steps * 40 + 4, part, pitch, np.array([True]), lines).tolist() == steps.tolist()


def test_of_real_drummers_few_hits_are_on_odd_twelfths_and_none_is_lost(data_folder: Path) -> None:
    files = sorted((data_folder / "groove").rglob("*beat_4-4.mid"))[::40]
    assert files
    odd = {"nearest": 0, "notated": 0}
    for file in files:
        song = CODEC.arrange(read_midi(file))
        nearest, step = ticks_to_steps(song.notes["onset"]), steps_of(song)
        for name, steps in (("nearest", nearest), ("notated", step)):
            odd[name] += int(((steps % 3 > 0) & (steps % 12 % 4 > 0)).sum())
        kept = len(np.unique(nearest * 128 + song.notes["pitch"]))
        assert len(CODEC.snap(song)) == kept
    assert odd["notated"] < 0.3 * odd["nearest"]


def test_programmed_music_is_written_as_ever(data_folder: Path) -> None:
    files = sorted((data_folder / "band" / "easyrpg").rglob("*.mid"))[:5]
    assert files
    for file in files:
        song = CODEC.arrange(read_midi(file))
        late = song.notes["onset"] - ticks_to_steps(song.notes["onset"]) * 40
        if (np.abs(late) <= 4).all():
            assert np.array_equal(steps_of(song), ticks_to_steps(song.notes["onset"]))

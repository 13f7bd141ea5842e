"""What each builder opens, and that all else stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.errors import InfeasibleCanvas, OutOfRange, UnknownName
from woodshed.formats import read_midi
from woodshed.generation.canvas import DURATION, PITCH, TIMING, VELOCITY, Canvas, Opening, blank_canvas, usual_ranges
from woodshed.generation.openings import (
    accompany_canvas,
    humanise_canvas,
    infill_canvas,
    layer_canvas,
    pitches_canvas,
    tap_canvas,
    vary_canvas,
)
from woodshed.music import Meter, Part, Song, parse_part

BAR = 1920
EIGHTHS, QUARTERS = [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]
STYLE = {
    "instruments": {
        "128": {"notes": 9},
        "33": {"notes": 9, "usual_range": [28, 45]},
        "30": {"notes": 9, "usual_range": [45, 76]},
    },
    "arrangements": [
        {"programs": [128, 33, 30], "bpm": 99.0, "meter": "4/4", "presence": [1.0, 0.9, 0.8]},
        {"programs": [33], "bpm": 90.0, "meter": "4/4", "presence": [0.1]},
    ],
}
BUNDLE = Bundle(None, NoteStepCodec(), style=STYLE)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_canvas_opened_from_a_tick_opens_these_parts_to_the_end(band_song: Song) -> None:
    canvas = Canvas(band_song, 2 * BAR, (1, 2))
    assert canvas.spans == (Opening(1, 2 * BAR, 4 * BAR), Opening(2, 2 * BAR, 4 * BAR))
    assert not canvas.fields.any()


def test_where_openings_are_given_the_first_tick_and_the_parts_follow(band_song: Song) -> None:
    canvas = Canvas(band_song, openings=(Opening(2, BAR, 2 * BAR), Opening(0, 480, 960)))
    assert (canvas.open_from, canvas.open_parts) == (480, (0, 2))
    fields = np.zeros(len(band_song), np.uint8)
    fields[np.flatnonzero(band_song.notes["part"] == 1)[3:5]] = VELOCITY
    canvas = Canvas(band_song, openings=(), open_fields=fields)
    assert (canvas.open_from, canvas.open_parts) == (720, (1,))


@pytest.mark.parametrize(
    ("opening", "message"),
    [
        (Opening(3, 0, 480), "part 3 is outside 0-2"),
        (Opening(0, 480, 480), "Drums: an opening of ticks 480-480 is empty"),
        (Opening(0, 0, 4 * BAR + 1), "outside 0-7680"),
    ],
)
def test_an_opening_outside_the_song_is_refused(band_song: Song, opening: Opening, message: str) -> None:
    with pytest.raises(OutOfRange, match=message):
        Canvas(band_song, openings=(opening,))


def test_open_fields_are_one_for_each_note(band_song: Song) -> None:
    with pytest.raises(OutOfRange, match=f"for each of {len(band_song)} notes"):
        Canvas(band_song, openings=(), open_fields=np.zeros(3, np.uint8))


def test_infilling_takes_out_the_notes_of_these_bars_by_their_step(band_song: Song) -> None:
    notes = band_song.notes.copy()
    notes["onset"][notes["onset"] == BAR] -= 15  # bar 2 begins early
    notes["onset"][notes["onset"] == 2 * BAR] -= 15
    notes.sort(order=("onset", "part", "pitch"))
    song = band_song.replace(notes=notes)
    canvas = infill_canvas(song, (2, 2), [2])
    kept = canvas.song.notes
    assert canvas.spans == (Opening(2, BAR, 2 * BAR),)
    assert np.array_equal(kept[kept["part"] != 2], notes[notes["part"] != 2])
    guitar = kept["onset"][kept["part"] == 2]
    assert not ((guitar >= BAR - 15) & (guitar < 2 * BAR - 15)).any()
    assert (guitar == 2 * BAR - 15).sum() == 2
    assert canvas.song.length == song.length
    assert canvas.constraints.pitch_ranges[2] == (52 - 5, 64 + 5)


def test_infilling_by_default_opens_all_that_sound(band_song: Song) -> None:
    song = band_song.replace(parts=(*band_song.parts, Part("silent", 5)))
    canvas = infill_canvas(song, (3, 4))
    assert canvas.open_parts == (0, 1, 2)
    assert canvas.song.notes["onset"].max() < 2 * BAR


@pytest.mark.parametrize("bars", [(0, 2), (3, 2), (2, 5)])
def test_bars_that_a_song_has_not_are_named(band_song: Song, bars: tuple[int, int]) -> None:
    with pytest.raises(OutOfRange, match=f"bars {bars[0]}-{bars[1]} are not within 1-4, the bars of Four Bars"):
        infill_canvas(band_song, bars)


def test_parts_that_a_song_has_not_are_named(band_song: Song) -> None:
    for build in (lambda: infill_canvas(band_song, (1, 1), [3]), lambda: humanise_canvas(band_song, [-1])):
        with pytest.raises(OutOfRange, match="is outside 0-2, the song's parts"):
            build()


def test_accompaniment_adds_parts_beside_those_that_stay(band_song: Song) -> None:
    backing = band_song.replace(length=4 * BAR - 200)
    canvas = accompany_canvas(BUNDLE, backing, [parse_part("bass"), parse_part("drums")])
    assert np.array_equal(canvas.song.notes, band_song.notes)
    assert canvas.song.parts[:3] == band_song.parts
    assert canvas.spans == (Opening(3, 0, 4 * BAR), Opening(4, 0, 4 * BAR))
    assert canvas.song.length == 4 * BAR
    assert canvas.constraints.pitch_ranges == {3: (28, 45)}


def test_what_is_added_plays_as_much_as_its_instruments_do_in_the_learned_songs(band_song: Song) -> None:
    songs = [
        {"programs": [128, 33], "pace": [6.0, 1.0], "sounding": [None, 0.9], "lengths": [None, EIGHTHS]},
        {"programs": [33, 30], "pace": [2.0, 9.0], "sounding": [0.5, 0.4], "lengths": [QUARTERS, EIGHTHS]},
    ]
    told = Bundle(None, NoteStepCodec(), style=STYLE | {"arrangements": songs})
    canvas = accompany_canvas(told, band_song, [parse_part("bass"), parse_part("drums")])
    assert (canvas.pace, canvas.sounding) == ({3: 1.5, 4: 6.0}, {3: 0.7})
    assert canvas.lengths == {3: [0, 0.5, 0.5, 0, 0, 0]}
    assert not accompany_canvas(BUNDLE, band_song, [parse_part("bass")]).pace


def test_a_backing_shorter_than_the_request_is_named(band_song: Song) -> None:
    with pytest.raises(OutOfRange, match="bars 1-9 are not within 1-4"):
        accompany_canvas(BUNDLE, band_song, [parse_part("bass")], (1, 9))


def test_an_instrument_never_heard_is_answered_with_the_nearest(band_song: Song) -> None:
    with pytest.raises(UnknownName, match=r"'Flute' is like nothing .* nearest is .*; name some of: .*Distortion"):
        accompany_canvas(BUNDLE, band_song, [parse_part("flute")])


def test_keeping_the_rhythm_opens_pitches_alone_and_of_no_drum(band_song: Song) -> None:
    canvas = pitches_canvas(band_song, (2, 3))
    opened = canvas.fields > 0
    notes = band_song.notes
    assert np.array_equal(opened, (notes["part"] > 0) & (notes["onset"] >= BAR) & (notes["onset"] < 3 * BAR))
    assert set(canvas.fields[opened].tolist()) == {PITCH}
    assert canvas.song == band_song
    assert canvas.spans == ()


def test_humanising_opens_velocity_and_timing_or_one_of_them(band_song: Song) -> None:
    assert set(humanise_canvas(band_song).fields.tolist()) == {VELOCITY | TIMING}
    drums = humanise_canvas(band_song, [0], what=VELOCITY)
    assert np.array_equal(drums.fields == VELOCITY, band_song.notes["part"] == 0)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("what", ["notes", "pitches", "everything"])
def test_varying_opens_the_share_that_is_asked_and_hardly_more(band_song: Song, share: float, what: str) -> None:
    canvas = vary_canvas(band_song, share, _rng(1), what=what)
    opened = len(band_song) - len(canvas.song) if what == "notes" else int((canvas.fields > 0).sum())
    most_in_a_beat = 3
    assert share * len(band_song) <= opened <= share * len(band_song) + most_in_a_beat
    assert bool(canvas.spans) == (what == "notes")


def test_varying_by_one_and_the_same_chance_opens_the_same(band_song: Song) -> None:
    assert vary_canvas(band_song, 0.3, _rng(1)).spans == vary_canvas(band_song, 0.3, _rng(1)).spans
    assert vary_canvas(band_song, 0.3, _rng(1)).spans != vary_canvas(band_song, 0.3, _rng(2)).spans


def test_varying_everything_joins_neighbouring_beats(band_song: Song) -> None:
    canvas = vary_canvas(band_song, 1.0, _rng())
    assert canvas.spans == tuple(Opening(part, 0, 4 * BAR) for part in range(3))
    assert len(canvas.song) == 0


def test_notes_taken_out_lie_where_new_ones_may_start(band_song: Song) -> None:
    late = band_song.notes.copy()
    late["onset"] += 13
    song = band_song.replace(notes=late, length=4 * BAR)
    canvas = vary_canvas(song, 0.4, _rng(5), parts=[1, 2])
    gone = {tuple(note) for note in song.notes.tolist()} - {tuple(note) for note in canvas.song.notes.tolist()}
    assert gone
    for part, onset, *_ in gone:
        assert any(o.part == part and o.begin <= onset - 13 < o.end for o in canvas.spans)
    assert {part for part, *_ in gone} <= {1, 2}


@pytest.mark.parametrize(("share", "what"), [(1.2, "notes"), (-0.1, "notes"), (0.5, "chords")])
def test_a_share_or_a_subject_that_is_none_is_refused(band_song: Song, share: float, what: str) -> None:
    with pytest.raises(OutOfRange, match=r"outside 0-1|is not one of notes, pitches"):
        vary_canvas(band_song, share, _rng(), what=what)
    with pytest.raises(InfeasibleCanvas, match="opens nothing"):
        vary_canvas(band_song, 0, _rng())


def test_taps_become_strokes_of_an_open_drum(band_song: Song) -> None:
    canvas = tap_canvas(band_song, 2)
    taps = canvas.song.notes[canvas.song.notes["part"] == 2]
    guitar = band_song.notes[band_song.notes["part"] == 2]
    assert canvas.song.parts[2].is_drum
    assert taps["onset"].tolist() == np.unique(guitar["onset"]).tolist()  # of each chord one stroke
    assert set(canvas.fields[canvas.song.notes["part"] == 2].tolist()) == {PITCH | DURATION}
    assert not canvas.fields[canvas.song.notes["part"] != 2].any()
    assert [opening.begin for opening in canvas.spans] == taps["onset"].tolist()
    assert tap_canvas(band_song, 2, "none").spans == ()
    assert tap_canvas(band_song, 2, "anywhere").spans == (Opening(2, 0, 4 * BAR),)


def test_nothing_tapped_is_named(band_song: Song) -> None:
    song = band_song.replace(parts=(*band_song.parts, Part("Taps", 115)))
    with pytest.raises(InfeasibleCanvas, match="Taps has no notes to take the rhythm from"):
        tap_canvas(song, 3)


def test_a_layer_of_hats_leaves_the_drums_as_they_are(band_song: Song) -> None:
    canvas = layer_canvas(band_song, 0, bars=(2, 2))
    assert canvas.song == band_song
    assert canvas.constraints.pitches == {0: (42, 44)}
    assert canvas.spans == (Opening(0, BAR, 2 * BAR),)
    with pytest.raises(OutOfRange, match="closed hi-hats are 42"):
        layer_canvas(band_song, 0, ())


def test_meters_take_turns_over_the_bars_of_a_blank_canvas() -> None:
    canvas = blank_canvas(BUNDLE, 5, _rng(), meter=[Meter(7, 8), Meter(7, 8), Meter(4, 4)])
    assert np.diff(canvas.song.bar_lines()).tolist() == [1680, 1680, 1920, 1680, 1680]
    assert canvas.song.meters.tolist() == [(0, 7, 8), (3360, 4, 4), (5280, 7, 8)]
    assert canvas.song.bars == 5


def test_forbidden_instruments_are_left_out_and_asking_for_them_is_a_contradiction() -> None:
    guitar, bass, drums = Part("Guitar", 30), Part("Bass", 33), parse_part("drums")
    for seed in range(4):
        canvas = blank_canvas(BUNDLE, 1, _rng(seed), without=[guitar, drums])
        assert [part.program for part in canvas.song.parts] == [33]
    with pytest.raises(InfeasibleCanvas, match="Bass is both asked for and forbidden"):
        blank_canvas(BUNDLE, 1, _rng(), parts=[bass], without=[bass])
    with pytest.raises(InfeasibleCanvas, match="without Guitar, Bass, Drums nobody is left"):
        blank_canvas(BUNDLE, 1, _rng(), without=[guitar, bass, drums])


def test_builders_open_what_they_say_on_real_music(data_folder: Path) -> None:
    files = sorted((data_folder / "band" / "freedoom").rglob("*.mid"))[:6]
    assert files
    for file in files:
        song = read_midi(file)
        if song.bars < 8:
            continue
        canvas = infill_canvas(song, (3, 6))
        lines = song.bar_lines()
        removed = len(song) - len(canvas.song)
        assert removed == pytest.approx(
            ((song.notes["onset"] >= lines[2]) & (song.notes["onset"] < lines[6])).sum(), abs=0.02 * len(song)
        )
        varied = vary_canvas(song, 0.3, _rng())
        assert 0.3 <= 1 - len(varied.song) / len(song) < 0.35
        assert (pitches_canvas(song).fields > 0).sum() + sum(
            int((song.notes["part"] == part).sum()) for part, p in enumerate(song.parts) if p.is_drum
        ) == len(song)


def test_a_note_played_early_belongs_to_the_bar_that_it_is_notated_in() -> None:
    """A drummer ahead of the beat: the stroke of bar 3 sounds before its bar line, and is opened with bar 3."""
    early = 27
    hits = [(0, max(480 * beat - early, 0), 40, 38, 80) for beat in range(16)]
    song = Song.make(hits, (Part("Drums", 0, is_drum=True),), length=4 * BAR)
    canvas = infill_canvas(song, (3, 3))
    assert canvas.song.notes["onset"].tolist() == [
        on for _, on, *_ in hits if not 2 * BAR - early <= on < 3 * BAR - early
    ]


def _passages(**more: object) -> Bundle:
    """A bundle of one song of 12 bars: drums throughout, a bass from bar 5 on, a guitar in bar 9 alone."""
    song = {"programs": [128, 33, 30], "bpm": 99.0, "meter": "4/4", "presence": [1.0, 0.7, 0.1]}
    plays = {"plays": [[0, 12], [4, 12], [8, 9]], "sounding": [None, 0.9, 0.6], **more}
    return Bundle(None, NoteStepCodec(), style={**STYLE, "arrangements": [song | plays]})


def test_who_plays_when_is_that_of_a_passage_of_a_learned_song() -> None:
    found = {}
    for seed in range(40):
        canvas = blank_canvas(_passages(), 4, _rng(seed))
        spans = {canvas.song.parts[span.part].name: (span.begin // BAR, span.end // BAR) for span in canvas.spans}
        found[canvas.first_bar] = spans, dict(canvas.sounding)
    assert found == {
        0: ({"Drums": (0, 4)}, {}),
        4: ({"Drums": (0, 4), "Electric Bass (finger)": (0, 4)}, {1: 0.9}),
        8: (
            {"Drums": (0, 4), "Electric Bass (finger)": (0, 4), "Distortion Guitar": (0, 1)},
            {1: 0.9, 2: 0.6},
        ),
    }


def test_a_song_that_is_shorter_than_the_clip_begins_again() -> None:
    canvas = blank_canvas(_passages(), 16, _rng())
    bass = [(span.begin // BAR, span.end // BAR) for span in canvas.spans if span.part == 1]
    assert (canvas.first_bar, bass) == (0, [(4, 12)])  # and bars 13-16 are as bars 1-4


def test_parts_that_are_named_play_throughout_and_sound_as_their_instruments_do() -> None:
    parts = (Part("Kit", 0, is_drum=True), Part("", 34), Part("", 27))
    canvas = blank_canvas(_passages(), 4, _rng(), parts=parts)
    assert {(span.begin, span.end) for span in canvas.spans} == {(0, 4 * BAR)}
    assert canvas.sounding == {1: 0.9, 2: 0.6}


def test_a_bar_in_which_nobody_plays_is_open_to_all() -> None:
    canvas = blank_canvas(_passages(plays=[[0, 2], [0, 2], [3, 4]]), 4, _rng())
    lines = np.arange(5) * BAR
    open_in = [{span.part for span in canvas.spans if span.begin <= line < span.end} for line in lines[:-1]]
    assert open_in == [{0, 1}, {0, 1}, {0, 1, 2}, {2}]


def test_bars_that_a_learned_song_plays_again_are_played_again() -> None:
    """Of several that are alike that in which most parts agree; not what stood before the passage."""
    again = [[1, 12, 1], [4, 12, 4], []]
    whole = {tuple(blank_canvas(_passages(again=again), 12, _rng()).again[part]) for part in (0,)}
    assert whole == {(0, 1, 1, 1, 4, 4, 4, 4, 4, 4, 4, 4)}
    found = {}
    for seed in range(40):
        canvas = blank_canvas(_passages(again=again), 4, _rng(seed))
        found[canvas.first_bar] = [list(canvas.again[part]) for part in (0, 1) if part in canvas.again]
    assert found[0] == [[0, 1, 1, 1]]
    assert found[4] == [[0, 1, 1, 1], [0, 0, 0, 0]]


def test_parts_that_are_named_take_the_form_of_their_kin() -> None:
    again = [[1, 4, 1], [5, 8, 1], []]
    parts = (Part("", 27), Part("Kit", 0, is_drum=True), Part("", 34))
    habits = {"lengths": [None, EIGHTHS, QUARTERS], "centres": [None, 36.5, 60.0], "voices": [None, 1, 4]}
    habits |= {"grids": [[0, 4, 8], None, [3, 9]], "reaches": [20, 0, None]}
    bundle = _passages(again=again, pace=[8.0, 2.0, 1.5], plays=[[0, 12], [0, 12], [0, 12]], **habits)
    canvas = next(one for one in (blank_canvas(bundle, 12, _rng(seed), parts=parts) for seed in range(9)))
    assert [part.name for part in canvas.song.parts] == ["Kit", "", ""]
    assert list(canvas.again[0]) == [0, 1, 1, 1] + [0] * 8
    assert list(canvas.again[1]) == [0] * 5 + [1, 1, 1] + [0] * 4
    assert (canvas.pace, canvas.lengths) == ({0: 8.0, 1: 2.0, 2: 1.5}, {1: EIGHTHS, 2: QUARTERS})
    assert (canvas.centres, canvas.constraints.polyphony) == ({1: 36.5, 2: 60.0}, {1: 1, 2: 4})
    assert (canvas.grids, canvas.reaches) == ({0: [0, 4, 8], 2: [0, 3, 9]}, {0: 20, 1: 0})
    wider = blank_canvas(bundle, 12, _rng(), parts=parts, polyphony=3)
    assert wider.constraints.polyphony == {1: 3, 2: 3}


def test_an_instrument_that_was_not_heard_plays_where_it_can_and_not_where_its_nearest_kin_did() -> None:
    heard = {"43": {"usual_range": [31, 57]}, "73": {"usual_range": [62, 90]}, "48": {"usual_range": [40, 80]}}
    bundle = replace(_passages(), style={"instruments": heard})
    parts = [Part("", program) for program in (43, 40, 42, 72, 49, 88)]
    found = usual_ranges(bundle, parts)
    assert found[0] == (31, 57)
    assert found[1] == (67, 93)  # a violin: three octaves up
    assert found[2] == (43, 69)  # a cello: one
    assert found[3] == (74, 102)  # a piccolo
    assert found[4] == (40, 80)  # strings of another kind
    assert found[5] == (62, 90)  # of a pad nobody says where it plays

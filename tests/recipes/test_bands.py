"""Bands fill canvases: what is given comes back bit for bit, and what is asked for is obeyed, whatever is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import woodshed as ws
from woodshed.bundle import Bundle, load_bundle
from woodshed.codecs.melody import MelodyCodec
from woodshed.errors import BundleError, InfeasibleCanvas, OutOfRange, UnknownName, UsageError
from woodshed.formats import read_midi, write_midi
from woodshed.generation.canvas import Canvas, Opening
from woodshed.generation.filters import Sampling
from woodshed.generation.openings import infill_canvas
from woodshed.music import Chord, Key, Part, Song
from woodshed.music.chord_sheet import parse_chords
from woodshed.music.units import ticks_to_steps
from woodshed.recipes import canvases, feel, play
from woodshed.recipes.asked import with_wish
from woodshed.recipes.band_solo import ground_of, lead_program, monotony
from woodshed.recipes.clip import Clip, default_sampling
from woodshed.recipes.like import play_like
from woodshed.recipes.over import Over, play_over
from woodshed.recipes.rules import parse_rules
from woodshed.recipes.window import BARS_AFTER, BARS_BEFORE, window_of
from woodshed.recipes.wish import Wish, parse_wish

BAR = 1920
WILD = Sampling(temperature=1.5, top_p=1.0)
DRAWS = 20


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


def rows(song: Song, keep: Callable[[NDArray[Any]], NDArray[Any]] | None = None) -> list[tuple[int, ...]]:
    """The notes, or some of them."""
    notes = song.notes if keep is None else song.notes[keep(song.notes)]
    return [tuple(row) for row in notes.tolist()]


def new_rows(before: Song, after: Song) -> list[tuple[int, ...]]:
    """The notes of ``after`` that are none of ``before``."""
    return sorted(set(rows(after)) - set(rows(before)))


def played(bundle: Bundle, wish: Wish, **how: Any) -> list[Clip]:
    return play.generate(bundle, wish, WILD, seed=3, count=DRAWS, candidates=2, **how)


# --- what is asked for is obeyed over many draws


def test_key_grid_range_and_polyphony_hold_over_many_draws(bundle: Bundle) -> None:
    wish = parse_wish(
        8, parts="drums, bass, guitar", key="C minor pentatonic", polyphony=1, ranges=["bass=E1-E2"],
        rules=parse_rules(grid="1/8"),
    )  # fmt: skip
    heard = 0
    for clip in played(bundle, wish):
        song = clip.song
        steps = ticks_to_steps(song.notes["onset"])
        assert not (steps % 6).any()
        assert not (song.notes["onset"] % 240).any()
        for part, player in enumerate(song.parts):
            notes = song.notes[song.notes["part"] == part]
            heard += len(notes)
            if player.is_drum:
                continue
            assert set((notes["pitch"] % 12).tolist()) <= {0, 3, 5, 7, 10}
            assert (notes["onset"][1:] >= (notes["onset"] + notes["duration"])[:-1]).all()
            if player.name == "Bass":
                assert not len(notes) or (notes["pitch"].min() >= 28 and notes["pitch"].max() <= 40)
    assert heard > DRAWS


def test_strict_chords_are_never_left_and_soft_ones_may_be(bundle: Bundle) -> None:
    wish = replace(parse_wish(4, parts="bass, guitar"), chords=parse_chords("Am F C G"))
    tones = [set(Chord.parse(name).pitch_classes) for name in ("Am", "F", "C", "G")]

    def outside(clips: list[Clip]) -> int:
        return sum(
            row["pitch"] % 12 not in tones[min(int(ticks_to_steps(row["onset"])) // 48, 3)]
            for clip in clips
            for row in clip.song.notes
        )

    strict = played(bundle, wish)
    assert sum(len(clip.song) for clip in strict) > DRAWS
    assert outside(strict) == 0
    for clip in strict:
        for row in clip.song.notes:
            last = min((int(row["onset"]) + int(row["duration"]) - 1) // BAR, 3)
            first = min(int(ticks_to_steps(row["onset"])) // 48, 3)
            assert all(row["pitch"] % 12 in tones[bar] for bar in range(first, last + 1))  # nor rings on beyond it
    assert strict[0].settings["chords"] == "Am | F | C | G"
    assert outside(played(bundle, replace(wish, rules=parse_rules(soft_chords=True)))) > 0


def test_meters_take_turns_and_the_bars_are_exact(bundle: Bundle) -> None:
    wish = parse_wish(5, parts="drums, bass", meter="7/8,4/4", rules=parse_rules(meter="7/8,4/4"))
    for clip in played(bundle, wish):
        assert clip.song.bar_lines().tolist() == [0, 1680, 3600, 5280, 7200, 8880]


def test_only_the_pitches_that_are_asked_for(bundle: Bundle) -> None:
    wish = parse_wish(4, parts="drums, bass", rules=parse_rules(pitches=["drums=hats", "bass=E1,A1"]))
    for clip in played(bundle, wish):
        notes = clip.song.notes
        assert set(notes["pitch"][notes["part"] == 0].tolist()) <= {42, 44}
        assert set(notes["pitch"][notes["part"] == 1].tolist()) <= {28, 33}


def test_who_is_forbidden_never_plays(bundle: Bundle) -> None:
    for clip in played(bundle, parse_wish(1, rules=parse_rules(without="guitar, distortion guitar"))):
        assert {part.program for part in clip.song.parts if not part.is_drum} == {33}


def test_a_group_of_instruments_is_forbidden_as_a_whole(bundle: Bundle) -> None:
    """The bundle knows a distortion guitar (30), where a guitar alone is an overdriven one (29)."""
    for clip in played(bundle, parse_wish(1, rules=parse_rules(without="guitar"))):
        assert {part.program for part in clip.song.parts if not part.is_drum} == {33}
    (clip,) = play.generate(bundle, parse_wish(1, rules=parse_rules(without="guitars")), WILD, seed=1, candidates=1)
    assert clip.settings["without"] == ["Guitars"]


def test_levels_are_told_as_asked_and_as_found(bundle: Bundle) -> None:
    wish = parse_wish(4, parts="drums", rules=parse_rules(levels={"density": "low..high"}))
    told = played(bundle, wish)[0].findings["levels"]["density"]
    assert told["asked"] == [3, 5, 7, 9]
    assert len(told["found"]) == 4


# --- what is given comes back bit for bit


def test_infilling_leaves_all_but_these_bars_of_this_part(bundle: Bundle, band_song: Song) -> None:
    def fixed(notes: NDArray[Any]) -> NDArray[Any]:
        return (notes["part"] != 2) | (notes["onset"] < BAR) | (notes["onset"] >= 3 * BAR)

    clips = canvases.infill(bundle, band_song, Wish(), WILD, bars=(2, 3), parts="guitar", seed=1, count=4, candidates=5)
    for clip in clips:
        assert rows(clip.song, fixed) == rows(band_song, fixed)
        assert clip.song.replace(notes=band_song.notes) == band_song
    assert len({tuple(rows(clip.song)) for clip in clips}) == 4
    assert clips[0].remark == "new: Guitar in bars 2-3"


def test_new_pitches_keep_the_rhythm(bundle: Bundle, band_song: Song) -> None:
    clip = canvases.infill(bundle, band_song, Wish(), WILD, bars=(2, 3), parts="bass", what="pitch", seed=1)[0]
    kept = [name for name in band_song.notes.dtype.names or () if name != "pitch"]
    for part in range(3):
        before, after = (song.notes[song.notes["part"] == part] for song in (band_song, clip.song))
        if part != 1:
            assert np.array_equal(before, after)
        else:
            assert np.array_equal(np.sort(before[kept]), np.sort(after[kept]))
    assert new_rows(band_song, clip.song)


def test_hats_are_added_to_drums_that_stay(bundle: Bundle, band_song: Song) -> None:
    plain = band_song.replace(notes=band_song.notes[band_song.notes["pitch"] != 42])
    found = set()
    for clip in canvases.infill(
        bundle, plain, Wish(), WILD, parts="drums", add=(42, 44), seed=1, count=4, candidates=5
    ):
        assert set(rows(plain)) <= set(rows(clip.song))
        found |= {(row[0], row[3]) for row in new_rows(plain, clip.song)}
    assert found
    assert found <= {(0, 42), (0, 44)}
    with pytest.raises(UsageError, match="drums are added to a part of drums, and Bass is none"):
        canvases.infill(bundle, plain, Wish(), WILD, parts="bass", add=(42, 44), seed=1)


def test_an_accompaniment_adds_parts_and_changes_none(bundle: Bundle, band_song: Song) -> None:
    wish = parse_wish(8, parts="bass, guitar", key="E minor")
    for clip in canvases.accompany(bundle, band_song, wish, WILD, bars=(2, 3), seed=1, count=4, candidates=5):
        assert rows(clip.song, lambda notes: notes["part"] < 3) == rows(band_song)
        assert [part.name for part in clip.song.parts] == ["Drums", "Bass", "Guitar", "Bass", "Guitar"]
        new = clip.song.notes[clip.song.notes["part"] >= 3]
        assert set((new["pitch"] % 12).tolist()) <= set(Key.parse("E minor").pitch_classes)
        steps = ticks_to_steps(new["onset"])
        assert ((steps >= 48) & (steps <= 144)).all()


def test_a_second_rhythm_section_is_told(bundle: Bundle, band_song: Song) -> None:
    def remark(parts: str) -> str:
        return canvases.accompany(bundle, band_song, parse_wish(8, parts=parts), WILD, candidates=1)[0].remark

    assert "already" not in remark("guitar")
    assert "the music had bass already, and has two now" in remark("bass")
    assert "the music had drums already" in remark("drums, bass")


def test_a_part_for_which_no_note_came_is_told(bundle: Bundle, band_song: Song) -> None:
    tune = band_song.replace(notes=band_song.notes[band_song.notes["part"] == 2][:1])
    told = []
    for seed in range(12):
        wish = parse_wish(1, parts="guitar")
        (clip,) = canvases.add_voices(bundle, tune, wish, WILD, bars=(1, 1), seed=seed, candidates=1)
        silent = not (clip.song.notes["part"] == 3).any()
        assert silent == ("no note came for Guitar; try another --seed" in clip.remark)
        told.append(silent)
    assert set(told) == {True, False}


def test_voices_move_with_the_notes_that_are_given(bundle: Bundle, band_song: Song) -> None:
    tune = band_song.replace(notes=band_song.notes[band_song.notes["part"] == 2])
    clip = canvases.add_voices(bundle, tune, parse_wish(8, parts="guitar"), WILD, seed=1, candidates=5)[0]
    voice = clip.song.notes[clip.song.notes["part"] == 3]
    assert rows(clip.song, lambda notes: notes["part"] < 3) == rows(tune)
    assert len(voice)
    assert set(ticks_to_steps(voice["onset"]).tolist()) <= set(ticks_to_steps(tune.notes["onset"]).tolist())
    assert (np.diff(voice["onset"]) > 0).all()
    with pytest.raises(UsageError, match="drums are no voice"):
        canvases.add_voices(bundle, tune, parse_wish(8, parts="drums"), WILD, seed=1)


def test_taps_become_drums_when_and_as_loud_as_they_were_tapped(bundle: Bundle, band_song: Song) -> None:
    taps = band_song.replace(notes=band_song.notes[band_song.notes["part"] == 1])
    clip = canvases.play_taps(bundle, taps, Wish(), WILD, taps="bass", others="none", seed=1)[0]
    assert clip.song.parts[1].is_drum
    for name in ("onset", "velocity", "part"):
        assert np.array_equal(clip.song.notes[name], taps.notes[name])
    assert set(clip.song.notes["pitch"].tolist()) <= set(bundle.style["arrangements"][0]["kit"])


def test_one_drummer_strikes_no_more_than_four_at_once(bundle: Bundle, band_song: Song) -> None:
    taps = band_song.replace(notes=band_song.notes[band_song.notes["part"] == 1])
    for seed in range(3):
        song = canvases.play_taps(bundle, taps, Wish(), WILD, taps="bass", others="anywhere", seed=seed)[0].song
        assert np.unique(song.notes["onset"], return_counts=True)[1].max() <= 4


def test_new_drums_are_those_of_one_learned_kit_where_it_strikes_them(bundle: Bundle, band_song: Song) -> None:
    learned = bundle.style["arrangements"][0]
    kit, places = set(learned["kit"]), {row[0]: set(row[1:]) for row in learned["strokes"]}
    tune = band_song.replace(notes=band_song.notes[band_song.notes["part"] != 0])
    wish = parse_wish(1, parts="drums")
    for seed in range(3):
        song = canvases.accompany(bundle, tune, replace(wish, bars=4), WILD, seed=seed)[0].song
        new = song.notes[song.notes["part"] == len(tune.parts)]
        assert len(new)
        assert set(new["pitch"].tolist()) <= kit
        for row in new:
            assert int(ticks_to_steps(row["onset"], 12)) % 48 in places[int(row["pitch"])]


def test_a_share_varies_and_the_rest_stays(bundle: Bundle, band_song: Song) -> None:
    clip = canvases.vary(bundle, band_song, Wish(), WILD, by=0.3, seed=1)[0]
    kept = len(set(rows(band_song)) & set(rows(clip.song)))
    assert 0.4 * len(band_song) < kept <= 0.75 * len(band_song)
    assert canvases.vary(bundle, band_song, Wish(), WILD, by=0, seed=1)[0].song == band_song
    louder = canvases.vary(bundle, band_song, Wish(), WILD, by=0.5, what="velocity", seed=1)[0].song
    fields = ["part", "onset", "duration", "pitch"]
    assert np.array_equal(np.sort(louder.notes[fields]), np.sort(band_song.notes[fields]))
    assert not np.array_equal(louder.notes["velocity"], band_song.notes["velocity"])


# --- feel


def test_humanising_changes_only_loudness_and_timing_and_no_step(bundle: Bundle, band_song: Song) -> None:
    for strength in (0.5, 1.0, 1.5):
        song = feel.humanise(bundle, band_song, WILD, strength=strength, seed=1)[0].song
        before, after = (one.notes[np.lexsort((one.notes["onset"], one.notes["pitch"], one.notes["part"]))]
                         for one in (band_song, song))  # fmt: skip
        assert np.array_equal(before[["part", "pitch"]], after[["part", "pitch"]])
        assert np.array_equal(ticks_to_steps(before["onset"], 4), ticks_to_steps(after["onset"], 4))
        assert (after["duration"] <= before["duration"]).all()
        assert not np.array_equal(before["velocity"], after["velocity"])
        assert not np.array_equal(before["onset"], after["onset"])


def test_humanising_makes_no_song_longer_and_no_note_faint(bundle: Bundle, band_song: Song) -> None:
    loud = band_song.notes.copy()
    loud["velocity"] = 120
    late = loud["onset"] >= 3 * BAR  # they ring to the end of the song
    loud["duration"] = np.where(late, BAR * 4 - loud["onset"], 100)
    song = band_song.with_notes(loud)
    for seed in range(6):
        made = feel.humanise(bundle, song, WILD, strength=1.0, seed=seed)[0].song
        assert made.ends.max() <= BAR * 4
        drums = np.array([part.is_drum for part in made.parts])[made.notes["part"]]
        assert made.notes["velocity"][~drums].min() >= 0.45 * 120 - 4
        assert made.notes["velocity"][drums].min() >= 0.15 * 120 - 4
    usual = np.stack((song.notes["onset"] + 24.0, np.full(len(song), np.nan)))
    steady = feel.blended(song, [song], 1.0, usual)
    assert (steady.notes["onset"] != song.notes["onset"]).all()
    assert (steady.length, steady.ends.max()) == (BAR * 4, BAR * 4)


def test_strength_nothing_is_the_song_and_more_is_farther_from_it(bundle: Bundle, band_song: Song) -> None:
    def away(strength: float) -> float:
        song = feel.humanise(bundle, band_song, WILD, strength=strength, what=["velocity"], seed=1)[0].song
        assert np.array_equal(song.notes["onset"], band_song.notes["onset"])
        return float(np.abs(song.notes["velocity"].astype(int) - band_song.notes["velocity"]).mean())

    assert feel.humanise(bundle, band_song, WILD, strength=0, seed=1)[0].song == band_song
    assert 0 == away(0) < away(0.25) < away(0.5) < away(1)


def test_a_steady_hand_is_nearer_to_the_usual_than_one_draw(bundle: Bundle, band_song: Song) -> None:
    def spread(steady: bool) -> float:
        drum = feel.humanise(bundle, band_song, WILD, steady=steady, what=["velocity"], parts="drums", seed=1)[0].song
        return float(drum.notes["velocity"][drum.notes["pitch"] == 42].std())

    assert spread(True) < 0.6 * spread(False)


def test_a_note_does_not_ring_into_the_next_of_its_pitch(band_song: Song) -> None:
    late = band_song.notes.copy()
    first = np.flatnonzero(late["part"] == 1)[0]
    late["onset"][first] += 12  # its successor starts where it ended
    song = feel.blended(band_song, [band_song.with_notes(late)], 1.0)
    bass = song.notes[song.notes["part"] == 1]
    assert (bass["onset"][0], bass["duration"][0], bass["onset"][1]) == (12, 228, 240)
    assert feel.blended(band_song, [band_song], 1.5) == band_song


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"strength": 2}, "strength 2 is outside 0-1.5"),
        ({"what": ["pitch"]}, "velocity, timing"),
        ({"what": []}, "not"),
    ],
)
def test_what_is_no_feel_is_refused(bundle: Bundle, band_song: Song, wishes: dict[str, Any], words: str) -> None:
    with pytest.raises(OutOfRange, match=words):
        feel.humanise(bundle, band_song, WILD, **wishes)


# --- solo


def test_a_solo_is_alone_in_its_register_and_breathes(bundle: Bundle, band_song: Song) -> None:
    long = Song.make(
        [(part, onset + 4 * BAR * n, *rest) for n in range(4) for part, onset, *rest in band_song.notes.tolist()],
        band_song.parts, tempos=band_song.tempos, meters=band_song.meters, keys=band_song.keys,
    )  # fmt: skip
    place = Over(long, "back.mid", 5, 8)
    for clip in play_over(bundle, place, Wish(), WILD, seed=1, count=3, candidates=6):
        song, (start, stop) = clip.song, clip.song.markers[-2:]
        assert rows(song, lambda notes: notes["part"] < 3) == rows(long)
        assert (start.onset, stop.onset, stop.text) == (4 * BAR, 12 * BAR, "end of solo")
        solo = song.notes[song.notes["part"] == 3]
        ends = solo["onset"] + solo["duration"]
        assert solo["onset"].min() >= 4 * BAR
        assert ends.max() <= 12 * BAR
        assert solo["pitch"].min() >= 40
        assert solo["pitch"].max() <= 88
        assert (solo["onset"][1:] >= ends[:-1]).all()
        for breath in (8, 12):  # the last quarter of each phrase's last bar
            assert not ((solo["onset"] >= breath * BAR - 480) & (solo["onset"] < breath * BAR)).any()
        assert "in E minor (found), form A" in clip.remark
        assert clip.findings["solo_notes"] == len(solo)


def test_a_solo_in_a_key_that_is_named_never_leaves_it(bundle: Bundle, band_song: Song) -> None:
    place = Over(band_song, "back.mid")
    wish = replace(Wish(), key=Key.parse("A blues"), ranges={"solo": (60, 72)})
    for clip in play_over(bundle, place, wish, WILD, seed=1, count=4, candidates=5):
        pitches = clip.song.notes["pitch"][clip.song.notes["part"] == 3]
        assert set((pitches % 12).tolist()) <= set(Key.parse("A blues").pitch_classes)
        assert set(pitches.tolist()) <= set(range(60, 73))
        assert len(pitches)


def test_who_plays_the_rhythm_does_not_play_the_solo_and_one_pitch_is_no_solo(band_song: Song) -> None:
    facts = {"songs": 3, "notes": 90}
    style = {"instruments": {"128": facts, "33": facts, "30": {"songs": 9, "notes": 900}, "80": facts, "89": facts}}
    learned = Bundle(None, None, style=style)
    assert lead_program(learned, band_song) == 80  # the backing has 30; 33 is a bass and 89 a pad
    assert lead_program(learned, Song()) == 30
    line = Song.make([(0, 240 * n, 240, 60, 90) for n in range(9)], [Part()])
    scale = Song.make([(0, 240 * n, 240, 60 + n, 90) for n in range(9)], [Part()])
    blank = Canvas(Song(parts=(Part(),), length=line.length), 0, (0,))
    assert monotony(line, blank) > 2.6
    assert monotony(scale, blank) == 0


def test_a_backing_is_heard_for_what_it_is(band_song: Song) -> None:
    ground = ground_of(band_song, "back.mid", None)
    assert (str(ground.key), ground.asked) == ("E minor", False)
    assert len(ground.chords)
    drums = band_song.replace(notes=band_song.notes[band_song.notes["part"] == 0])
    with pytest.raises(UsageError, match=r"back\.mid has only drums"):
        ground_of(drums, "back.mid", None)
    assert ground_of(drums, "back.mid", Key()).asked


def test_a_backing_without_tempo_or_too_short_is_told(bundle: Bundle, band_song: Song) -> None:
    untimed = band_song.replace(tempos=band_song.tempos[:0])
    clip = play_over(bundle, Over(untimed), Wish(), WILD, seed=1, count=1, candidates=4)[0]
    assert "no tempo is stated, so 120 BPM is taken" in clip.remark
    with pytest.raises(OutOfRange, match="bars 8: from bar 3 to its end back has 1-2"):
        play_over(bundle, Over(band_song, "back", 3, 8), Wish(), WILD, seed=1, count=1, candidates=1)


# --- in the style of a file


def test_music_like_a_file_is_all_new_with_its_line_up_tempo_and_meter(bundle: Bundle, band_song: Song) -> None:
    wish = parse_wish(3, key="A minor")
    clip = play_like(bundle, band_song, wish, WILD, seed=1, count=1, candidates=3)[0]
    song = clip.song
    assert (song.bars, song.length, song.bpm) == (3, 3 * BAR, 140)
    assert song.parts == band_song.parts
    pitched = song.notes["pitch"][song.notes["part"] > 0]
    assert set((pitched % 12).tolist()) <= set(Key.parse("A minor").pitch_classes)
    assert clip.settings["semitones"] == 5  # from E minor
    assert song.keys.tolist() == [(0, 9, True)]
    silent = band_song.replace(parts=(Part("Silent", 40), *band_song.parts))
    notes = silent.notes.copy()
    notes["part"] += 1
    silent = silent.with_notes(notes)
    assert play_like(bundle, silent, wish, WILD, seed=1, count=1, candidates=2)[0].song.parts == band_song.parts
    fewer = play_like(bundle, band_song, parse_wish(2, parts="bass, drums"), WILD, seed=1, count=1, candidates=3)[0]
    assert [part.name for part in fewer.song.parts] == ["Drums", "Bass"]
    with pytest.raises(UsageError, match="keeps its meter"):
        play_like(bundle, band_song, parse_wish(2, meter="3/4"), WILD, seed=1, count=1, candidates=1)


# --- bad input


def crowd(parts: int) -> Song:
    """A bar of so many parts, one note each."""
    notes = [(part, 120 * (part % 16), 120, 40 + part % 30, 90) for part in range(parts)]
    return Song.make(notes, [Part(f"P{part}", 24 + part % 16) for part in range(parts)], meters=[(0, 4, 4)])


def test_sixty_parts_are_heard_as_sixteen_come_back_whole_and_it_is_said(bundle: Bundle) -> None:
    song = crowd(60)
    clip = canvases.accompany(bundle, song, parse_wish(8, parts="drums"), WILD, seed=1, candidates=2)[0]
    assert rows(clip.song, lambda notes: notes["part"] < 60) == rows(song)
    assert "60 parts sound, more than 16" in clip.remark


def test_sixty_parts_are_all_made_human_and_the_busiest_go_on(bundle: Bundle) -> None:
    song = crowd(60)
    touched = feel.humanise(bundle, song, WILD, seed=1)[0].song
    changed = set(rows(song)) - set(rows(touched))
    assert len({row[0] for row in changed}) > 40
    longer = play.continue_song(bundle, song, Wish(bars=1), WILD, seed=1, candidates=2)[0]
    assert rows(longer.song, lambda notes: notes["onset"] < BAR) == rows(song)
    assert "the 16 busiest of them go on" in longer.remark


def test_bars_far_from_what_is_open_are_not_even_heard(bundle: Bundle, band_song: Song) -> None:
    again = np.concatenate([band_song.notes] * 100)
    again["onset"] += np.repeat(np.arange(100, dtype=np.int32) * 4 * BAR, len(band_song))
    song = Song.make(again, band_song.parts, tempos=[(0, 140.0)], meters=[(0, 4, 4)])
    wish = replace(parse_wish(1, rules=parse_rules(levels={"density": "low..high"})), chords=parse_chords("Em C"))
    canvas = with_wish(infill_canvas(song, (301, 304), [1]), wish)
    window = window_of(canvas)
    assert (window.start, window.canvas.song.bars) == (44 * BAR, 4 + BARS_BEFORE + BARS_AFTER)
    assert window.canvas.spans == (Opening(1, 256 * BAR, 260 * BAR),)
    assert window.canvas.first_bar == canvas.first_bar + 44
    assert window.canvas.constraints.levels["density"][256:260] == (3, 5, 7, 9)
    assert window.canvas.constraints.chords["onset"].tolist() == [256 * BAR, 257 * BAR, 258 * BAR, 259 * BAR]
    assert window.put_back(window.canvas.song) == canvas.song
    assert window_of(infill_canvas(band_song, (1, 2), [1])).put_back(band_song) == band_song
    clip = canvases.infill(bundle, song, wish, WILD, bars=(301, 304), parts="bass", seed=1, candidates=2)[0]

    def fixed(notes: NDArray[Any]) -> NDArray[Any]:
        return (notes["part"] != 1) | (notes["onset"] < 300 * BAR) | (notes["onset"] >= 304 * BAR)

    assert rows(clip.song, fixed) == rows(song, fixed)
    assert clip.song.length == song.length


def test_three_hours_are_read(bundle: Bundle, band_song: Song) -> None:
    one = band_song.notes[band_song.notes["part"] == 1]
    again = np.concatenate([one] * 1600)
    again["onset"] += np.repeat(np.arange(1600, dtype=np.int32) * 4 * BAR, len(one))
    song = Song.make(again, band_song.parts, tempos=[(0, 140.0)], meters=[(0, 4, 4)])
    assert song.length_seconds > 3 * 3600
    clip = canvases.infill(bundle, song, Wish(), WILD, bars=(6399, 6400), seed=1, candidates=1)[0]
    assert rows(clip.song, lambda notes: notes["onset"] < 6397 * BAR) == rows(
        song, lambda notes: notes["onset"] < 6397 * BAR
    )


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda b, s: canvases.infill(b, s, Wish(), WILD), UsageError, "--bars 5-8 --parts guitar"),
        (lambda b, s: canvases.infill(b, s, Wish(), WILD, bars=(3, 9)), OutOfRange, "not within 1-4"),
        (lambda b, s: canvases.infill(b, s, Wish(), WILD, parts="kazoo"), UnknownName, "there is Drums, Bass, Guitar"),
        (lambda b, s: canvases.infill(b, s, Wish(), WILD, parts="bass", add=(42,), what="pitch"), UsageError, "leave"),
        (lambda b, s: canvases.accompany(b, s, Wish(), WILD), UsageError, "--parts 'bass, drums'"),
        (lambda b, s: canvases.accompany(b, s, parse_wish(1, parts="banjo"), WILD), UnknownName, "the nearest is"),
        (lambda b, s: canvases.accompany(b, Song(), parse_wish(1, parts="bass"), WILD), InfeasibleCanvas, "no notes"),
        (lambda b, s: canvases.vary(b, s, Wish(), WILD, by=1.5), OutOfRange, "by 1.5 is outside 0-1"),
        (lambda b, s: canvases.vary(b, s, Wish(), WILD, what="tempo"), OutOfRange, "one of notes, pitches"),
        (lambda b, s: canvases.vary(b, s, parse_wish(1, tempo=90), WILD), UsageError, "keeps the song's own tempo"),
        (
            lambda b, s: canvases.infill(b, s, parse_wish(1, ranges=["kazoo=C1-C2"]), WILD, bars=(1, 1)),
            UnknownName,
            "there is Bass, Guitar",
        ),
        (
            lambda b, s: canvases.accompany(
                b, s, replace(parse_wish(8, parts="bass", key="C major"), chords=parse_chords("F#")), WILD
            ),
            InfeasibleCanvas,
            "Bass: no pitch lies in .*C major and in the chord F#",
        ),
        (
            lambda b, s: play.generate(
                b, replace(parse_wish(2, meter="7/8"), chords=parse_chords("Am F C G A | C")), WILD, seed=1
            ),
            InfeasibleCanvas,
            "5 chords cannot share evenly",
        ),
        (
            lambda b, s: play.generate(b, parse_wish(4, rules=parse_rules(levels={"density": "1,2,3"})), WILD, seed=1),
            OutOfRange,
            "3 levels for 4 bars",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_is_named(
    bundle: Bundle, band_song: Song, ask: Callable[[Bundle, Song], object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ask(bundle, band_song)


def test_bundles_of_another_kind_are_refused_with_recipes_that_serve(bundle: Bundle, band_song: Song) -> None:
    other = Bundle(None, MelodyCodec(), recipe="basic-rnn")
    with pytest.raises(BundleError, match="cannot infill: it can generate, continue and solo; recipes that can: band"):
        canvases.infill(other, band_song, Wish(), WILD, bars=(1, 2))
    with pytest.raises(UsageError, match="--grid is for bundles of recipe band, not for basic-rnn"):
        play.generate(other, parse_wish(2, rules=parse_rules(grid="1/8")), WILD, seed=1)


# --- real music, and Python


def test_real_songs_come_back_bit_for_bit(bundle: Bundle, data_folder: Path, tmp_path: Path) -> None:
    files = sorted((data_folder / "band").rglob("*.mid"))[:400:80]
    sampling = default_sampling(bundle)
    for file in files:
        song = read_midi(file)
        part = int(np.bincount(song.notes["part"]).argmax())
        wish = parse_wish(8, parts="drums")
        joined = canvases.accompany(bundle, song, wish, sampling, seed=1, candidates=1)[0].song
        assert rows(joined, lambda notes: notes["part"] < len(song.parts)) == rows(song)  # noqa: B023
        varied = canvases.vary(bundle, song, Wish(), sampling, by=0.2, seed=1, candidates=1)[0].song
        assert len(set(rows(varied)) & set(rows(song))) >= 0.6 * len(set(rows(song)))
        touched = feel.humanise(bundle, song, sampling, seed=1)[0].song
        assert len(touched) == len(song)
        assert sorted(touched.notes[["part", "pitch"]].tolist()) == sorted(song.notes[["part", "pitch"]].tolist())
        write_midi(joined, tmp_path / "x.mid")
        assert len(read_midi(tmp_path / "x.mid").notes) >= 0.99 * len(joined)
        assert part < len(song.parts)


def test_the_front_door_plays_along(tiny_bundle: Path, band_song: Song) -> None:
    band = ws.load(tiny_bundle)
    assert rows(band.accompany(band_song, parts="bass", seed=1, candidates=1), lambda n: n["part"] < 3) == rows(
        band_song
    )
    assert band.infill(band_song, bars=(2, 2), parts="bass", key="E minor", grid="1/8", seed=1).parts == band_song.parts
    assert len(band.infill(band_song, parts="drums", add="hats", seed=1)) >= len(band_song)
    assert band.solo(band_song, bars=(1, 4), key="E minor", density=6, seed=1).parts[3].name == "Solo"
    assert band.harmonise(band_song, parts="guitar", seed=1).parts[3].program == 29
    assert band.vary(band_song, by=0.2, seed=1).length == band_song.length
    assert band.humanise(band_song, strength=0) == band_song
    assert band.humanise(band_song, temperature=1, seed=0, strength=1) == band.humanise(
        band_song, temperature=1, seed=0
    )
    assert band.generate(bars=2, like=band_song, seed=1).parts == band_song.parts
    assert band.generate(bars=2, chords="Am F", meter="3/4,4/4", density="low..high", seed=1).length == 7 * 480
    with pytest.raises(UsageError, match="--attribute is for recipes with a latent space"):
        band.vary(band_song, attributes={"density": 1.0})

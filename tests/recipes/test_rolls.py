"""Recipes of binary rolls from a folder to clips: chords in, melodies out, keys and ranges kept, the rest refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import ROLLS, Bundle, kind_of, load_bundle
from woodshed.bundle.likelihood import song_nats
from woodshed.codecs.melody import MelodyCodec
from woodshed.errors import BundleError, CodecError, CorpusError, InfeasibleCanvas, OutOfRange, UnknownName, UsageError
from woodshed.evaluation.likelihood import measure_likelihood
from woodshed.formats import read_midi, write_midi
from woodshed.generation.beam import Beam
from woodshed.music import Key, Meter, Part, Song, parse_part
from woodshed.music.chord_sheet import chord_rows, parse_chords
from woodshed.recipes.clip import Clip
from woodshed.recipes.lead_sheets import lead_sheets_of
from woodshed.recipes.material import Material
from woodshed.recipes.play import continue_song, generate
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.roll_material import rolls_of
from woodshed.recipes.runs import recipe_codec, train_recipe
from woodshed.recipes.wish import Wish, over_chords

CHANGES = ["size=tiny", "material.min_bars=2", "training.evaluations=1", "training.batch=2"]


def sheet(seed: int, bars: int = 8) -> Song:
    """A melody in the key of the seed over four chords."""
    chance, move = np.random.default_rng(seed), seed % 12
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) + 60 + move
    rows = [(0, beat * 480, 480, int(chance.choice(scale)), 90) for beat in range(bars * 4) if chance.random() < 0.9]
    return Song.make(
        rows, [Part("Flute", 73)], tempos=[(0, 96.0)], meters=[(0, 4, 4)], length=bars * 1920, title=f"Sheet {seed}",
        chords=chord_rows(parse_chords("C | Am | F | G7"), bars, 1920),
    )  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Trained for two steps."""
    folder = tmp_path_factory.mktemp("rolls") / "B"
    material = Material([sheet(12 * seed) for seed in range(4)], [sheet(120)])
    train_recipe(load_recipe("chord-melody", CHANGES), material, folder, steps=2, device="cpu")
    return load_bundle(folder)


def clips(bundle: Bundle, wish: Wish, count: int = 1, seed: int = 1) -> list[Clip]:
    return generate(bundle, wish, seed=seed, count=count, candidates=1)


def test_it_trains_is_saved_and_plays_the_bars_asked_for_over_chords_that_it_learned(bundle: Bundle) -> None:
    assert kind_of(bundle) == ROLLS
    assert bundle.capabilities == ("generate",)
    assert 0 < bundle.training["held_out_nats_per_note"] < 100
    assert "C | Am | F | G7 | C | Am | F | G7" in bundle.training["progressions"]
    clip = clips(bundle, Wish(bars=4))[0]
    assert (clip.song.bars, [part.name for part in clip.song.parts]) == (4, ["Flute", "Chords"])
    assert any(text.startswith(clip.settings["chords"]) for text in bundle.training["progressions"])
    assert f"over {clip.settings['chords']} (chords of a learned song, drawn since none" in clip.summary()
    assert "--chords" in clip.summary()
    assert np.array_equal(clip.song.notes, clips(bundle, Wish(bars=4))[0].song.notes)


def test_typed_chords_are_repeated_to_fill_the_bars_and_sound_within_one_octave(bundle: Bundle) -> None:
    wish = over_chords(Wish(bars=8), "Am F | C G", None, True)
    song = clips(bundle, wish)[0].song
    chords = song.notes[song.notes["part"] == 1]
    assert song.bars == 8
    assert sorted(set(chords["onset"].tolist())) == list(range(0, 8 * 1920, 960))
    first = [chords[chords["onset"] == onset]["pitch"].tolist() for onset in (0, 960, 1920, 2880)]
    assert first == [[48, 52, 57], [48, 53, 57], [48, 52, 55], [50, 55, 59]]
    assert song.chords["root"][:4].tolist() == [9, 5, 0, 7]


def test_more_chords_than_bars_are_all_played_unless_bars_are_asked_for() -> None:
    twelve = "C7 C7 C7 C7 F7 F7 C7 C7 G7 F7 C7 G7"
    assert over_chords(Wish(bars=8), twelve, None, False).bars == 12
    assert over_chords(Wish(bars=8), twelve, None, True).bars == 8
    assert over_chords(Wish(bars=8), "C", None, False).bars == 8


@pytest.mark.parametrize("how", ["monophonic", "bernoulli", "threshold"])
def test_key_and_range_hold_over_many_draws(bundle: Bundle, how: str) -> None:
    key = Key.parse("F# minor")
    wish = Wish(
        bars=2, key=key, ranges={"flute": (60, 72)}, binariser=how, threshold=0.02 if how == "threshold" else None
    )
    songs = [clip.song for clip in clips(bundle, wish, count=20)]
    notes = np.concatenate([song.notes[song.notes["part"] == 0] for song in songs])
    assert len(notes) > 20
    assert np.isin(notes["pitch"] % 12, key.pitch_classes).all()
    assert 60 <= notes["pitch"].min() <= notes["pitch"].max() <= 72


def test_the_monophonic_draw_never_plays_two_notes_at_once_and_the_threshold_never_varies(bundle: Bundle) -> None:
    for clip in clips(bundle, Wish(bars=4), count=10):
        tune = clip.song.notes[clip.song.notes["part"] == 0]
        assert (tune["onset"][1:] >= tune["onset"][:-1] + tune["duration"][:-1]).all()
    wish = over_chords(Wish(bars=4, binariser="threshold", threshold=0.04), "Am F C G", None, True)
    one, other = clips(bundle, wish, seed=1)[0], clips(bundle, wish, seed=2)[0]
    assert np.array_equal(one.song.notes, other.song.notes)
    assert one.settings["threshold"] == 0.04


def test_chords_come_from_a_lead_sheet_or_are_found_in_a_midi_file(bundle: Bundle, tmp_path: Path) -> None:
    whole = sheet(2)
    song = clips(bundle, Wish(bars=8, sheet=whole))[0].song
    assert np.array_equal(song.chords, whole.chords)
    assert song.bpm == 96.0
    block = [(0, bar * 1920, 1920, pitch, 70) for bar in range(4) for pitch in ((48, 52, 55), (45, 48, 52))[bar % 2]]
    write_midi(Song.make(block, [Part("Piano")], length=7680), tmp_path / "backing.mid")
    wish = over_chords(Wish(bars=8), None, tmp_path / "backing.mid", False)
    assert wish.bars == 4
    assert clips(bundle, wish)[0].settings["chords"] == "C | Am | C | Am"


def test_meter_tempo_and_part_are_those_asked_for(bundle: Bundle) -> None:
    wish = over_chords(Wish(bars=3, meter=Meter(3, 4), bpm=150, parts=(parse_part("violin"),)), "Am F", None, True)
    song = clips(bundle, wish)[0].song
    assert (str(song.meter), song.bpm, song.parts[0].program, song.length) == ("3/4", 150, 40, 3 * 1440)


def test_a_melody_is_played_in_the_key_of_the_chords(bundle: Bundle) -> None:
    wish = over_chords(Wish(bars=4), "E B C#m A", None, True)
    clip = clips(bundle, wish)[0]
    assert clip.as_dict()["key"] == "E major"
    tune = clip.song.notes[clip.song.notes["part"] == 0]
    assert tune["pitch"].min() >= 60 + 4
    assert tune["pitch"].max() <= 83 + 4


DRUMS = Song.make([(0, 0, 120, 36, 100)], [Part("Drums", 0, True)], length=1920, title="Beat")
LONELY = sheet(1).replace(chords=sheet(1).chords[:0], title="Alone")


@pytest.mark.parametrize(
    ("wish", "error", "told"),
    [
        (Wish(bars=0), OutOfRange, "bars 0"),
        (Wish(parts=(Part("Drums", 0, True),)), UsageError, "one pitched part"),
        (Wish(polyphony=2), UsageError, "one note at a time"),
        (Wish(beam=Beam(2, 2)), UsageError, "--beam"),
        (Wish(meter=Meter(7, 32)), CodecError, "7/32 is no whole number of sixteenths"),
        (Wish(key=Key.parse("C major"), ranges={"flute": (61, 61)}), InfeasibleCanvas, "key and the range"),
        (Wish(ranges={"violin": (60, 72)}), UnknownName, "'violin': the one .* is called melody or flute"),
        (Wish(ranges={"flute": (60, 72), "73": (60, 72)}), UsageError, "give --range once"),
        (Wish(binariser="coin"), UnknownName, "'coin' is not one of monophonic, bernoulli, threshold"),
        (Wish(binariser="threshold", threshold=2.0), OutOfRange, "threshold 2 is outside 0-1"),
        (Wish(threshold=0.3), UsageError, "--threshold counts only with --binarise threshold"),
        (Wish(bars=1, sheet=DRUMS), CodecError, "Beat has no chords"),
        (Wish(bars=8, sheet=LONELY), CodecError, "Alone has no chords"),
        (Wish(bars=9, sheet=sheet(1)), OutOfRange, "has 8 bars; ask for no more"),
        (Wish(bars=4, sheet=sheet(1), bpm=90), UsageError, "keeps its own tempo"),
    ],
)
def test_wishes_that_cannot_be_fulfilled_are_refused(
    bundle: Bundle, wish: Wish, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        clips(bundle, wish)


def test_a_change_of_meter_in_the_sheet_is_named_with_how_far_it_can_be_played(bundle: Bundle) -> None:
    whole = sheet(1)
    changed = Song.make(
        whole.notes, whole.parts, meters=[(0, 4, 4), (3840, 3, 4)], chords=whole.chords, length=whole.length
    )
    with pytest.raises(UsageError, match="changes its meter after bar 2; --bars 2 plays to there"):
        clips(bundle, Wish(bars=4, sheet=changed))
    assert clips(bundle, Wish(bars=2, sheet=changed))[0].song.bars == 2


def test_it_cannot_go_on_from_a_primer_and_says_which_recipes_can(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"cannot continue: it can generate; recipes that can: .*lookback-rnn"):
        continue_song(bundle, sheet(1), seed=1)


def test_what_only_rolls_can_do_is_refused_by_other_bundles(tiny_bundle: Path) -> None:
    melodies = Bundle(None, MelodyCodec(), recipe="basic-rnn")
    with pytest.raises(UsageError, match="basic-rnn does not play over chords; band and chord-melody do"):
        generate(melodies, over_chords(Wish(), "C", None, True), seed=1)
    with pytest.raises(UsageError, match="--binarise"):
        generate(load_bundle(tiny_bundle), Wish(binariser="bernoulli"), seed=1)


def test_nats_are_those_of_all_cells_and_evaluation_adds_them_up(bundle: Bundle) -> None:
    song = bundle.codec.arrange(sheet(7))
    nats, notes = song_nats(bundle, song)
    assert set(nats) == {"pitch", "struck"}
    assert notes == len(song)
    found = measure_likelihood(bundle, [sheet(7)])
    assert found.nats_per_note == pytest.approx(sum(nats.values()) / notes)


def test_songs_in_which_a_bundle_hears_nothing_of_its_kind_are_left_out_and_counted(bundle: Bundle) -> None:
    found = measure_likelihood(bundle, [sheet(7), DRUMS, LONELY])
    assert (found.songs, found.unheard) == (1, 2)
    with pytest.raises(CorpusError, match="recipe chord-melody hears nothing in the 2 songs: Alone has no chords"):
        measure_likelihood(bundle, [DRUMS, LONELY])


def test_songs_that_are_no_lead_sheets_are_counted_with_their_remedy() -> None:
    codec = recipe_codec(load_recipe("chord-melody"))
    bass = sheet(3).replace(parts=(Part("Bass", 33),))
    found = lead_sheets_of(Material([sheet(1), LONELY, DRUMS, bass, sheet(2, bars=2)]), codec, {"min_bars": 4})
    assert len(found.songs) == 1
    for told in (
        "1 lead sheet of 5 songs", "1 no chords (no chord is written", "1 only drums", "1 bass line",
        "1 too short",
    ):  # fmt: skip
        assert told in found.warnings[0]
    with pytest.raises(CorpusError, match=r"no melody with chords is found; 1 no chords \("):
        lead_sheets_of(Material([LONELY]), codec, {})


def test_a_picture_of_what_has_no_title_is_called_by_the_files_name(bundle: Bundle, tmp_path: Path) -> None:
    from woodshed.recipes.files import write_clip

    clip = generate(bundle, Wish(bars=1), seed=1, candidates=1)[0]
    write_clip(clip, tmp_path / "morning.mid", ["svg"])
    assert "morning" in (tmp_path / "morning.svg").read_text()
    write_clip(replace(clip, song=clip.song.replace(title="Evening")), tmp_path / "morning.mid", ["svg"])
    assert "morning" not in (tmp_path / "morning.svg").read_text()


def test_a_clip_is_written_with_its_chords_and_read_again(bundle: Bundle, tmp_path: Path) -> None:
    from woodshed.recipes.files import write_clip

    clip = clips(bundle, over_chords(Wish(bars=2), "Am F", None, True))[0]
    write_clip(clip, tmp_path / "x.mid")
    assert len(read_midi(tmp_path / "x.mid")) == len(clip.song)


def band(seed: int, bars: int = 8) -> Song:
    """Drums, a bass and a guitar in the key of C, sixteenths and a note below C1."""
    chance, rows = np.random.default_rng(seed), []
    for beat in range(bars * 4):
        tick = beat * 480
        rows += [(0, tick, 120, 36 + 2 * (beat % 2), 90), (0, tick + 240, 60, 42, 80)]
        rows.append((1, tick, 400, int(chance.choice((36, 40, 43))), 90))
        rows += [(2, tick, 460, pitch, 90) for pitch in (60, 64, 67) if chance.random() < 0.7]
    rows.append((1, 0, 480, 20, 90))
    parts = [Part("Kit", 0, True), Part("Bass", 34), Part("Gtr", 29)]
    return Song.make(rows, parts, tempos=[(0, 96.0)], meters=[(0, 4, 4)], length=bars * 1920, title=f"Band {seed}")


@pytest.fixture(scope="module")
def band_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Trained for two steps."""
    folder = tmp_path_factory.mktemp("tracks") / "B"
    changes = ["size=tiny", "training.evaluations=1", "training.batch=2", "training.length=32", "codec.tracks=3"]
    material = Material([band(seed) for seed in range(3)], [band(9)])
    train_recipe(load_recipe("pianoroll", changes), material, folder, steps=2, device="cpu")
    return load_bundle(folder)


def test_a_band_is_learned_saved_with_a_threshold_and_plays_the_tracks_that_it_learned(band_bundle: Bundle) -> None:
    assert kind_of(band_bundle) == ROLLS
    assert band_bundle.codec.names == ("drums", "bass", "guitar")
    assert band_bundle.capabilities == ("generate", "continue")
    assert 0 < band_bundle.training["threshold"] < 1
    assert band_bundle.training["line_ups"][0]["programs"] == {"drums": 0, "bass": 34, "guitar": 29}
    clip = generate(band_bundle, Wish(bars=2), seed=3, candidates=2)[0]
    assert [(part.is_drum, part.program) for part in clip.song.parts] == [(True, 0), (False, 34), (False, 29)]
    assert (clip.song.bars, clip.song.bpm) == (2, 96.0)
    assert len(clip.song)
    assert np.array_equal(clip.song.notes, generate(band_bundle, Wish(bars=2), seed=3, candidates=2)[0].song.notes)


def test_key_range_and_parts_hold_over_many_draws_and_drums_keep_theirs(band_bundle: Bundle) -> None:
    key = Key.parse("F# minor")
    wish = Wish(bars=1, key=key, parts=(parse_part("bass"), parse_part("drums")), ranges={"bass": (30, 50)})
    songs = [clip.song for clip in generate(band_bundle, wish, seed=1, count=30, candidates=1)]
    assert [part.is_drum for part in songs[0].parts] == [True, False]
    notes = np.concatenate([song.notes for song in songs])
    bass, drums = notes[notes["part"] == 1], notes[notes["part"] == 0]
    assert len(bass) > 20
    assert len(drums) > 20
    assert np.isin(bass["pitch"] % 12, key.pitch_classes).all()
    assert 30 <= bass["pitch"].min() <= bass["pitch"].max() <= 50
    assert not np.isin(drums["pitch"] % 12, key.pitch_classes).all()
    assert (bass["duration"] >= 40).all()  # specks are left out


def test_a_song_goes_on_after_its_last_bar_and_comes_back_note_for_note(band_bundle: Bundle) -> None:
    song = band(5, bars=4).transpose(2)
    clip = continue_song(band_bundle, song, Wish(bars=2), seed=1, candidates=1)[0]
    notes = clip.song.notes
    assert np.array_equal(notes[notes["onset"] < song.length], song.notes)
    assert clip.song.parts == song.parts
    assert clip.song.bars == 6
    assert (notes["onset"] >= song.length).any()


def test_the_threshold_of_a_band_never_varies(band_bundle: Bundle) -> None:
    wish = Wish(bars=1, binariser="threshold", threshold=0.004)
    one, other = (generate(band_bundle, wish, seed=seed, candidates=1)[0] for seed in (1, 1))
    assert np.array_equal(one.song.notes, other.song.notes)
    assert one.settings["threshold"] == 0.004


@pytest.mark.parametrize(
    ("wish", "error", "told"),
    [
        (Wish(steps=64), UsageError, "use --bars"),
        (Wish(polyphony=2), UsageError, "--polyphony"),
        (Wish(beam=Beam(2, 2)), UsageError, "--beam"),
        (Wish(meter=Meter(3, 4)), UsageError, "has 96 steps, as 4/4 has"),
        (Wish(parts=(parse_part("flute"),)), UnknownName, "this bundle plays drums, bass, guitar"),
        (Wish(parts=(parse_part("guitar"), parse_part("lead guitar"))), UsageError, "are one track, guitar"),
        (Wish(ranges={"drums": (1, 2)}), UnknownName, "no pitched track of that name"),
        (Wish(key=Key.parse("C major"), ranges={"bass": (37, 37)}), InfeasibleCanvas, "leave bass no pitch"),
        (Wish(binariser="monophonic"), UnknownName, "'monophonic' is not one of bernoulli, threshold"),
        (Wish(threshold=0.2), UsageError, "--threshold counts only"),
        (over_chords(Wish(), "C", None, True), UsageError, "chord-melody does"),
    ],
)
def test_wishes_that_a_band_of_rolls_cannot_fulfil_are_refused(
    band_bundle: Bundle, wish: Wish, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        generate(band_bundle, wish, seed=1, candidates=1)


def test_a_primer_that_no_roll_can_hold_is_refused(band_bundle: Bundle) -> None:
    waltz = Song.make([(0, 0, 480, 40, 90)], [Part("Bass", 33)], meters=[(0, 3, 4)], length=1440, title="Waltz")
    with pytest.raises(CodecError, match="Waltz: a bar is not 96 steps long"):
        continue_song(band_bundle, waltz, seed=1)


def test_nats_of_a_band_are_told_track_by_track(band_bundle: Bundle) -> None:
    nats, notes = song_nats(band_bundle, band_bundle.codec.arrange(band(7)))
    assert set(nats) == {"drums", "bass", "guitar"}
    assert notes == len(band_bundle.codec.arrange(band(7)))
    assert measure_likelihood(band_bundle, [band(7)]).nats_per_note == pytest.approx(sum(nats.values()) / notes)


def test_songs_that_no_roll_can_hold_are_counted_and_so_is_noise() -> None:
    codec = recipe_codec(load_recipe("pianoroll"))
    waltz = Song.make([(0, 0, 480, 40, 90)], [Part("Bass", 33)], meters=[(0, 3, 4)], length=1440)
    rare = Song.make([(0, 0, 480, 40, 90)], [Part("Bass", 33)], length=1920 * 4)
    helicopter = Song.make([(0, 0, 480, 40, 90)], [Part("", 125)], length=1920)
    found = rolls_of(Material([band(1), band(2), waltz, rare, helicopter]), codec)
    assert len(found.songs) == 2
    for told in (
        "2 of 5 songs are learned", "2 of", "below C1 or above C8", "1 other meter (", "1 empty bars (more than 50%",
        "1 no track (",
    ):  # fmt: skip
        assert told in found.warnings[0]
    with pytest.raises(CorpusError, match=r"no song can be written as piano rolls; 1 other meter \("):
        rolls_of(Material([waltz]), codec)

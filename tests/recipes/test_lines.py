"""Melody recipes from a folder to clips: the primer comes back, keys and ranges hold, what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import Bundle, load_bundle
from woodshed.codecs.melody import MelodyCodec
from woodshed.errors import CodecError, CorpusError, InfeasibleCanvas, OutOfRange, UnknownName, UsageError
from woodshed.formats import write_midi
from woodshed.generation.beam import Beam
from woodshed.music import Key, Meter, Part, Song, parse_part
from woodshed.recipes.clip import Clip
from woodshed.recipes.material import Material, melodies_of
from woodshed.recipes.play import continue_song, generate, melody_primer, stand_ins
from woodshed.recipes.recipe import load_recipe, recipe_names
from woodshed.recipes.runs import train_recipe
from woodshed.recipes.wish import Wish, parse_wish

MELODIES = [name for name in recipe_names() if load_recipe(name).material["kind"] == "melodies"]
TINY = ["size=tiny", "material.min_bars=2", "training.evaluations=1"]


def tune(seed: int, bars: int = 8) -> Song:
    """A melody in the key of the seed."""
    chance = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) + 60 + seed % 12
    rows = [(0, beat * 480, 480, int(chance.choice(scale)), 90) for beat in range(bars * 4) if chance.random() < 0.9]
    return Song.make(rows, [Part("Flute", 73)], tempos=[(0, 96.0)], meters=[(0, 4, 4)], title=f"Tune {seed}")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """Every melody recipe, trained for two steps."""
    folder = tmp_path_factory.mktemp("lines")
    material = Material([tune(seed) for seed in range(5)], [tune(9)])
    for name in MELODIES:
        changes = [*TINY, *([] if name == "markov" else ["training.batch=2"])]
        train_recipe(load_recipe(name, changes), material, folder / name, steps=2, device="cpu")
    return {name: load_bundle(folder / name) for name in MELODIES}


@pytest.mark.parametrize("name", MELODIES)
def test_every_melody_recipe_trains_and_plays_the_bars_asked_for(bundles: dict[str, Bundle], name: str) -> None:
    bundle = bundles[name]
    assert 0 < bundle.training["held_out_nats_per_note"] < 40
    clip = generate(bundle, Wish(bars=4), seed=3, candidates=2)[0]
    assert (clip.song.bars, clip.song.length, len(clip.song.parts)) == (4, 4 * 1920, 1)
    assert (clip.song.bpm, clip.song.parts[0].program) == (96.0, 73)
    assert len(clip.song)
    again = generate(bundle, Wish(bars=4), seed=3, candidates=2)[0]
    assert np.array_equal(clip.song.notes, again.song.notes)


@pytest.mark.parametrize("name", MELODIES)
def test_the_primer_comes_back_note_for_note_in_its_own_key(bundles: dict[str, Bundle], name: str) -> None:
    primer = tune(4, bars=2)
    song = continue_song(bundles[name], primer, Wish(bars=2), seed=1, candidates=1)[0].song
    assert np.array_equal(song.notes[song.notes["onset"] < primer.length], primer.notes)
    assert song.bars == 4


def test_a_typed_primer_goes_on_at_its_next_step_and_steps_count_it(bundles: dict[str, Bundle]) -> None:
    song, wish = melody_primer(bundles["basic-rnn"], "[60,-2,60,-2,67,-2,67,-2]", Wish(steps=24))
    clips = [continue_song(bundles["basic-rnn"], song, wish, seed=seed, candidates=1)[0] for seed in range(6)]
    for clip in clips:
        first = clip.song.notes[clip.song.notes["onset"] < 8 * 120]
        assert first["pitch"].tolist() == [60, 60, 67, 67]
        assert clip.song.bars == 2
        assert int((clip.song.notes["onset"] + clip.song.notes["duration"]).max()) <= 24 * 120
    assert any((clip.song.notes["onset"] < 1920).sum() > 4 for clip in clips)  # it does not wait for the bar line


@pytest.mark.parametrize("name", MELODIES)
def test_key_and_range_hold_over_many_draws(bundles: dict[str, Bundle], name: str) -> None:
    key = Key.parse("F# minor")
    wish = Wish(bars=2, key=key, ranges={"flute": (60, 72)})
    notes = np.concatenate([clip.song.notes for clip in generate(bundles[name], wish, seed=1, count=30, candidates=1)])
    assert len(notes) > 30
    assert np.isin(notes["pitch"] % 12, key.pitch_classes).all()
    assert 60 <= notes["pitch"].min() <= notes["pitch"].max() <= 72


def test_the_range_of_a_continuation_goes_by_its_parts_name_or_instrument(bundles: dict[str, Bundle]) -> None:
    primer = tune(4, bars=2)
    primer = primer.replace(parts=(Part("Whistler", 73),))
    for name in ("whistler", "Flute", "73", "melody"):
        wish = Wish(bars=2, ranges={name: (60, 64)})
        song = continue_song(bundles["basic-rnn"], primer, wish, seed=1, candidates=1)[0].song
        new = song.notes[song.notes["onset"] >= primer.length]["pitch"]
        assert ((new >= 60) & (new <= 64)).all()
    with pytest.raises(UnknownName, match=r"range 'violin': .* is called melody or whistler or flute"):
        continue_song(bundles["basic-rnn"], primer, Wish(bars=2, ranges={"violin": (60, 64)}), seed=1)


def test_meter_tempo_and_part_are_those_asked_for(bundles: dict[str, Bundle]) -> None:
    wish = Wish(bars=3, meter=Meter(3, 4), bpm=150, parts=(parse_part("violin"),))
    song = generate(bundles["lookback-rnn"], wish, seed=1, candidates=1)[0].song
    assert (str(song.meter), song.bpm, song.parts[0].program, song.length) == ("3/4", 150, 40, 3 * 1440)


def test_a_melody_is_continued_in_the_song_it_stands_in(bundles: dict[str, Bundle], band_song: Song) -> None:
    lead = [(3, bar * 1920 + beat * 480, 480, 72 + beat, 90) for bar in range(4) for beat in range(4)]
    song = Song.make(
        [*band_song.notes.tolist(), *lead], [*band_song.parts, Part("Lead", 80, False, "lead")], length=7680
    )
    more = continue_song(bundles["basic-rnn"], song, Wish(bars=2), seed=2, candidates=1)[0].song
    new = more.notes[more.notes["onset"] >= 7680]
    assert set(new["part"].tolist()) == {3}
    assert np.array_equal(more.notes[more.notes["onset"] < 7680], song.notes)


@pytest.mark.parametrize(
    ("wish", "error", "told"),
    [
        (Wish(steps=0), OutOfRange, "steps 0 is outside 1-"),
        (Wish(bars=0), OutOfRange, "bars 0"),
        (Wish(bpm=0), OutOfRange, "tempo 0 is outside 10-1000"),
        (Wish(parts=(Part("Drums", 0, True),)), UsageError, "one pitched part"),
        (Wish(polyphony=2), UsageError, "one note at a time"),
        (Wish(meter=Meter(7, 32)), CodecError, "7/32 is no whole number of sixteenths"),
        (Wish(key=Key.parse("C major"), ranges={"flute": (61, 61)}), InfeasibleCanvas, "key and the range"),
        (Wish(ranges={"lead": (60, 72)}), UnknownName, "'lead': the one .* is called melody or flute"),
        (Wish(ranges={"flurt": (60, 72)}), UnknownName, "'flurt': the one .* is called melody or flute"),
        (Wish(ranges={"drums": (60, 72)}), UnknownName, "'drums': the one .* is called melody or flute"),
        (Wish(ranges={"flute": (60, 72), "73": (60, 72)}), UsageError, "give --range once"),
    ],
)
def test_wishes_that_a_melody_cannot_fulfil_are_refused(
    bundles: dict[str, Bundle], wish: Wish, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        generate(bundles["basic-rnn"], wish, seed=1)


def test_a_primer_longer_than_the_request_is_refused(bundles: dict[str, Bundle]) -> None:
    song, wish = melody_primer(bundles["basic-rnn"], "[60,-2,62,-2]", Wish(steps=4))
    with pytest.raises(OutOfRange, match="as long as the 4 asked for, or longer; ask for more than 4"):
        continue_song(bundles["basic-rnn"], song, wish, seed=1)


@pytest.mark.parametrize("name", MELODIES)
@pytest.mark.parametrize("lowest", [0, 20, 110, 122])
def test_a_primer_far_from_the_bundles_pitches_goes_on_where_it_is(
    bundles: dict[str, Bundle], name: str, lowest: int
) -> None:
    rows = [(0, beat * 480, 480, lowest + beat % 6, 90) for beat in range(8)]
    primer = Song.make(rows, [Part("Flute", 73)], meters=[(0, 4, 4)])
    for clip in continue_song(bundles[name], primer, Wish(bars=2), seed=1, count=3, candidates=1):
        assert np.array_equal(clip.song.notes[:8], primer.notes)
        codec = bundles[name].codec
        unknown = lowest < codec.low or lowest + 5 >= codec.high
        assert ("this bundle knows: it reads them" in clip.summary()) == unknown


def test_a_primer_wider_than_the_bundle_is_folded_and_that_is_told(bundles: dict[str, Bundle]) -> None:
    rows = [(0, beat * 480, 480, pitch, 90) for beat, pitch in enumerate((36, 60, 62, 64, 65, 96, 60, 60))]
    primer = Song.make(rows, [Part("Flute", 73)], meters=[(0, 4, 4)])
    clip = continue_song(bundles["basic-rnn"], primer, Wish(bars=1), seed=1, candidates=1)[0]
    assert np.array_equal(clip.song.notes[:8], primer.notes)
    assert clip.findings["primer_notes_in_another_octave"] == 2
    assert "2 notes of the primer, outside 48-83, are heard by the bundle in another octave" in clip.summary()
    wide = continue_song(bundles["mono-rnn"], primer, Wish(bars=1), seed=1, candidates=1)[0]
    assert not wide.findings


def test_a_line_is_played_by_any_instrument(bundles: dict[str, Bundle]) -> None:
    wish = Wish(parts=(parse_part("violin"),), steps=8)
    assert stand_ins(bundles["markov"], wish) == []
    song, rest = melody_primer(bundles["markov"], "[60,-2]", wish)
    assert continue_song(bundles["markov"], song, rest, seed=1, candidates=1)[0].song.parts[0].program == 40
    with pytest.raises(OutOfRange, match="tempo 0 is outside 10-1000"):
        melody_primer(bundles["markov"], "[60,-2]", Wish(bpm=0))


def test_chords_as_a_primer_are_refused_with_what_would_serve(bundles: dict[str, Bundle]) -> None:
    chords = Song.make([(0, 0, 480, 60, 90), (0, 0, 480, 64, 90)], [Part()], length=1920)
    with pytest.raises(CodecError, match="give the tune alone, or use a recipe for whole songs, such as band"):
        continue_song(bundles["basic-rnn"], chords, seed=1)


def test_a_primer_without_a_melody_is_refused_with_the_reason(bundles: dict[str, Bundle]) -> None:
    drums = Song.make([(0, 0, 120, 36, 100)], [Part("Drums", 0, True)], length=1920)
    with pytest.raises(CodecError, match="only drums"):
        continue_song(bundles["basic-rnn"], drums, seed=1)


def test_bars_and_steps_together_are_refused() -> None:
    assert parse_wish(None) == parse_wish(8)
    with pytest.raises(UsageError, match="give one of them"):
        parse_wish(4, steps=64)


def test_steps_and_beams_are_refused_by_a_bundle_of_parts(tiny_bundle: Path) -> None:
    for wish, told in ((Wish(steps=64), "use --bars"), (Wish(beam=Beam(2, 2)), "--beam and --branch-factor")):
        with pytest.raises(UsageError, match=told):
            generate(load_bundle(tiny_bundle), wish, seed=1)


def test_what_is_no_melody_is_counted_with_its_remedy() -> None:
    chords = Song.make([(0, 0, 480, 60, 90), (0, 0, 480, 64, 90)], [Part()], length=1920, title="Chord")
    found = melodies_of(Material([tune(1), chords, tune(2, bars=2)]), MelodyCodec(), {"min_bars": 4})
    assert len(found.songs) == 1
    assert "1 melody of 3 songs" in found.warnings[0]
    assert "1 polyphonic (" in found.warnings[0]
    assert "1 too short (fewer than 4 bars; lower --set material.min_bars)" in found.warnings[0]
    with pytest.raises(CorpusError, match=r"no melody is found; 1 polyphonic \("):
        melodies_of(Material([chords]), MelodyCodec(), {})


def test_a_folder_is_learned_from_and_its_melodies_are_told(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    for seed in range(4):
        write_midi(tune(seed), tmp_path / "music" / f"{seed}.mid")
    outcome = train_recipe(load_recipe("markov", TINY), tmp_path / "music", tmp_path / "B", steps=1)
    assert outcome.bundle.training["order"] >= 0
    assert isinstance(generate(outcome.bundle, Wish(bars=2), seed=0)[0], Clip)

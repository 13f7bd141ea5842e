"""Recipes with a latent space: exact ends, exact loops, keys and ranges that hold, and what cannot be is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle, load_bundle
from woodshed.codecs import build_codec
from woodshed.codecs.clip_melody import ClipMelodyCodec
from woodshed.errors import (
    BundleError,
    CodecError,
    CorpusError,
    InfeasibleCanvas,
    OutOfRange,
    UnknownName,
    UsageError,
)
from woodshed.generation.filters import Sampling
from woodshed.models import build_model
from woodshed.music import Key, Part, Song, parse_part
from woodshed.music.attributes import ATTRIBUTES
from woodshed.recipes.api import Band
from woodshed.recipes.attribute_vectors import attribute_vectors
from woodshed.recipes.heard import hear_clip
from woodshed.recipes.latent_material import clips_of
from woodshed.recipes.latents import vary_song
from woodshed.recipes.material import Material
from woodshed.recipes.paths import grid_songs, interpolate_songs, joined
from woodshed.recipes.play import continue_song, generate, stand_ins
from woodshed.recipes.radio import play_radio
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import train_recipe
from woodshed.recipes.wish import Wish, parse_attributes, parse_wish

NAMES = {"clip-melody": "vae-melody-2bar", "clip-drums": "vae-drums-2bar", "clip-trio": "vae-trio-16bar",
         "clip-band": "vae-band-1bar"}  # fmt: skip
KINDS = list(NAMES)
FLUTE, BASS, KIT = Part("Flute", 73), Part("Bass", 33), Part("Kit", 0, is_drum=True)
SIZES = {"latent": 6, "encoder_width": 8, "encoder_layers": 1, "conductor_width": 8, "decoder_width": 8,
         "decoder_layers": 1, "dropout": 0.0}  # fmt: skip


def untrained(kind: str, **sizes: int) -> Bundle:
    """A bundle that plays by chance."""
    codec = build_codec(kind, {})
    config = {
        "name": "music-vae", "vocabulary": list(codec.vocabulary), "steps": codec.steps, "segments": codec.segments,
        "per_part": codec.per_part, "encoder_levels": 2 if codec.per_part else 1, **SIZES, **sizes,
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Bundle(build_model(config).eval(), codec, NAMES[kind], {"bpm": 96.0})


@pytest.fixture(scope="module", params=KINDS)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    """One bundle of each kind."""
    return untrained(request.param)


@pytest.fixture(scope="module")
def melodies() -> Bundle:
    """A bundle for melodies."""
    return untrained("clip-melody")


@pytest.fixture(scope="module")
def drums() -> Bundle:
    """A bundle for drums."""
    return untrained("clip-drums")


def tune(seed: int, bars: int = 2, part: Part = FLUTE, **rest: Any) -> Song:
    """A line in G major, played by a human."""
    chance = np.random.default_rng(seed)
    rows = [
        (0, max(beat * 240 + int(chance.integers(-20, 20)), 0), 200, int(chance.choice([67, 69, 71, 72, 74])),
         int(chance.integers(50, 110)))
        for beat in range(bars * 8) if beat % 8 == 0 or chance.random() < 0.8
    ]  # fmt: skip
    rest = {"tempos": [(0, 90.0 + seed)], "length": bars * 1920, "title": f"Tune {seed}", **rest}
    return Song.make(rows, [part], **rest)


def beat(seed: int, bars: int = 2) -> Song:
    """A drum loop, played by a human."""
    chance = np.random.default_rng(seed)
    rows = [(0, step * 120 + int(chance.integers(0, 30)), 60, int(pitch), int(chance.integers(40, 120)))
            for step in range(bars * 16) for pitch in (35, 40, 42) if chance.random() < 0.3]  # fmt: skip
    return Song.make([(0, 0, 60, 36, 100), *rows], [KIT], tempos=[(0, 100.0)], length=bars * 1920, title=f"Beat {seed}")


def band(seed: int, bars: int = 2) -> Song:
    """Flute, bass and drums."""
    lead, low, kit = tune(seed, bars), tune(seed + 50, bars), beat(seed, bars)
    notes = [song.notes.copy() for song in (lead, low, kit)]
    for part, own in enumerate(notes):
        own["part"] = part
    notes[1]["pitch"] -= 36
    return lead.replace(notes=lead.notes[:0], parts=(FLUTE, BASS, KIT)).with_notes(np.concatenate(notes))


def said(song: Song) -> list[tuple[int, ...]]:
    """Its notes, whoever plays them."""
    names = ("onset", "pitch", "duration", "velocity")
    return sorted(zip(*(song.notes[name].tolist() for name in names), strict=True))


def clip_for(bundle: Bundle, seed: int, bars: int) -> Song:
    """A clip that the bundle can hear."""
    make: Callable[[int, int], Song] = {"clip-melody": tune, "clip-drums": beat}.get(bundle.codec.name, band)
    return make(seed, bars)


@pytest.mark.parametrize("bars", [1, 3, 8])
def test_generate_plays_just_the_bars_asked_for_and_the_same_for_a_seed(bundle: Bundle, bars: int) -> None:
    wish = Wish(bars=bars, bpm=131.0)
    first, again, other = (generate(bundle, wish, seed=seed, candidates=2)[0].song for seed in (3, 3, 4))
    assert (first.bars, first.length, first.bpm) == (bars, bars * 1920, 131.0)
    assert first == again != other
    assert len(first)


def test_the_first_clips_do_not_depend_on_how_many_there_are(melodies: Bundle) -> None:
    one = generate(melodies, Wish(bars=4), seed=5, candidates=2)
    two = generate(melodies, Wish(bars=4), seed=5, candidates=2, count=2)
    assert one[0].song == two[0].song != two[1].song


def test_keys_and_ranges_hold() -> None:
    for kind, name in (("clip-melody", "flute"), ("clip-trio", "lead"), ("clip-band", "Flute")):
        parts = (FLUTE,) if kind == "clip-melody" else (FLUTE, BASS, KIT)
        key = Key.parse("F minor")
        wish = Wish(bars=4, parts=parts, key=key, ranges={name: (60, 72), "bass": (30, 45)} if len(parts) > 1 else
                    {name: (60, 72)})  # fmt: skip
        song = generate(untrained(kind), wish, seed=1, candidates=1)[0].song
        notes = {part.name: song.notes[song.notes["part"] == index] for index, part in enumerate(song.parts)}
        assert len(notes["Flute"])
        assert np.isin(notes["Flute"]["pitch"] % 12, key.pitch_classes).all()
        assert ((notes["Flute"]["pitch"] >= 60) & (notes["Flute"]["pitch"] <= 72)).all()
        if len(parts) > 1:
            assert ((notes["Bass"]["pitch"] >= 30) & (notes["Bass"]["pitch"] <= 45)).all()
        assert song.keys["tonic"].tolist() == [5]


def test_the_parts_asked_for_play() -> None:
    song = generate(untrained("clip-trio"), Wish(bars=16, parts=(KIT, BASS)), seed=1, candidates=1)[0].song
    assert song.parts == (BASS, KIT)
    wish = Wish(bars=2, parts=tuple(map(parse_part, ("piano", "drums", "bass"))))
    song = generate(untrained("clip-band"), wish, seed=1, candidates=1)[0].song
    assert [part.name for part in song.parts] == ["Drums", "Bass", "Piano"]
    song = generate(untrained("clip-melody"), Wish(bars=2, parts=(Part("Oboe", 68),)), seed=1, candidates=1)[0].song
    assert song.parts == (Part("Oboe", 68),)
    assert stand_ins(untrained("clip-melody"), Wish(parts=(Part("Oboe", 68),))) == []


def test_wishes_that_cannot_be_are_refused(melodies: Bundle, drums: Bundle) -> None:
    for wish, word in (
        (parse_wish(4, meter="3/4"), "4/4 alone"),
        (Wish(steps=32), "--steps"),
        (parse_wish(4, beam=4), "--beam"),
        (Wish(polyphony=2), "--polyphony"),
        (Wish(parts=(KIT,)), "one pitched part"),
        (Wish(parts=(FLUTE, BASS)), "one pitched part"),
    ):
        with pytest.raises(UsageError, match=word):
            generate(melodies, wish, seed=1)
    with pytest.raises(UsageError, match="plays drums"):
        generate(drums, Wish(parts=(FLUTE,)), seed=1)
    with pytest.raises(UsageError, match="no pitches"):
        generate(drums, parse_wish(4, key="C major"), seed=1)
    with pytest.raises(UsageError, match="one temperature alone, not by top-p"):
        generate(melodies, Wish(), Sampling(top_p=0.5), seed=1)
    with pytest.raises(UnknownName, match="no pitched part of that name"):
        generate(melodies, Wish(ranges={"drums": (0, 5)}), seed=1)
    with pytest.raises(InfeasibleCanvas, match="widen"):
        generate(melodies, replace(parse_wish(2, key="C major"), parts=(FLUTE,), ranges={"flute": (61, 61)}), seed=1)
    with pytest.raises(UsageError, match="one lead, one bass"):
        generate(untrained("clip-trio"), Wish(parts=(FLUTE, Part("Oboe", 68))), seed=1)
    with pytest.raises(UsageError, match="more than the 8"):
        generate(untrained("clip-band"), Wish(parts=tuple(Part(program=n) for n in range(9))), seed=1)
    with pytest.raises(UsageError, match="name the players with --parts"):
        generate(untrained("clip-band"), Wish(ranges={"bass": (28, 40)}), seed=1)


def test_other_verbs_are_refused_and_recipes_that_can_are_named(melodies: Bundle, tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"cannot continue.*lookback-rnn"):
        continue_song(melodies, tune(1), seed=1)
    notes = load_bundle(tiny_bundle)
    with pytest.raises(BundleError, match=r"this needs one that has a latent space of clips, such as vae-melody-2bar"):
        vary_song(notes, tune(1), 0.3, seed=1)
    for verb in (lambda: grid_songs(notes, [tune(1)] * 4, seed=1),
                 lambda: interpolate_songs(notes, tune(1), tune(2), seed=1)):  # fmt: skip
        with pytest.raises(BundleError, match=r"cannot interpolate.*vae-melody-2bar"):
            verb()
    with pytest.raises(UsageError, match="--attribute is for"):
        generate(notes, Wish(attributes={"density": 1.0}), seed=1)


def test_an_interpolation_is_exact_at_both_ends(bundle: Bundle) -> None:
    a, b = (clip_for(bundle, seed, bundle.codec.bars) for seed in (1, 2))
    clips = interpolate_songs(bundle, a, b, 5, seed=1)
    assert len(clips) == 5
    for end, given in ((clips[0].song, a), (clips[-1].song, b)):
        assert said(end) == said(given)
        assert (end.bpm, end.length) == (given.bpm, given.length)
    assert all(clip.song.length == bundle.codec.bars * 1920 for clip in clips[1:-1])
    again = interpolate_songs(bundle, a, b, 5, seed=1)
    assert all(x.song == y.song for x, y in zip(clips, again, strict=True))


def test_all_steps_in_a_row_are_one_song_with_markers(bundle: Bundle) -> None:
    a, b = (clip_for(bundle, seed, bundle.codec.bars) for seed in (1, 2))
    clips = interpolate_songs(bundle, a, b, 4, seed=1)
    row = joined(clips).song
    size = bundle.codec.bars * 1920
    assert (row.length, row.bars) == (4 * size, 4 * bundle.codec.bars)
    assert [marker.onset for marker in row.markers] == [0, size, 2 * size, 3 * size]
    assert [marker.text for marker in row.markers] == [f"A: {a.title}", "2 of 4", "3 of 4", f"B: {b.title}"]
    assert len(row) == sum(len(clip.song) for clip in clips)
    first = row.slice(0, size)
    assert np.array_equal(np.sort(first.notes["pitch"]), np.sort(a.notes["pitch"]))


def test_a_band_on_the_way_has_the_instruments_of_its_ends() -> None:
    clips = interpolate_songs(untrained("clip-band"), band(1, bars=1), band(2, bars=1), 6, seed=1)
    assert {part.program for clip in clips for part in clip.song.parts} <= {0, 33, 73}


def test_clips_of_other_lengths_are_split_and_their_bars_interpolated(drums: Bundle) -> None:
    a, b = beat(1, bars=7), beat(2, bars=2)
    clips = interpolate_songs(drums, a, b, 6, seed=1)
    assert [clip.song.bars for clip in clips] == [7, 6, 5, 4, 3, 2]
    assert clips[0].song.notes.tolist() == a.notes.tolist()
    assert clips[-1].song.notes.tolist() == b.notes.tolist()
    assert joined(clips).song.bars == 27


def test_instruments_change_half_way_and_the_tempo_all_the_way(melodies: Bundle) -> None:
    oboe = Part("Oboe", 68)
    clips = interpolate_songs(melodies, tune(0), tune(40, part=oboe), 5, seed=1)
    assert [clip.song.parts[0].name for clip in clips][:2] == ["Flute", "Flute"]
    assert [clip.song.parts[0].name for clip in clips][3:] == ["Oboe", "Oboe"]
    tempos = [clip.song.bpm for clip in clips]
    assert tempos == sorted(tempos)
    assert (tempos[0], tempos[-1]) == (90, 130)
    assert joined(clips).song.parts == (FLUTE, oboe)


@pytest.mark.parametrize("kind", ["clip-melody", "clip-drums", "clip-band"])
def test_a_grid_is_of_exact_loops_with_the_given_clips_in_its_corners(kind: str) -> None:
    bundle = untrained(kind)
    corners = [clip_for(bundle, seed, bundle.codec.bars) for seed in range(4)]
    loops = grid_songs(bundle, corners, 5, seed=1)
    assert len(loops) == 25
    for loop in loops:
        assert loop.song.length == bundle.codec.bars * 1920
        assert (loop.song.ends <= loop.song.length).all()
    for cell, given in zip((0, 4, 20, 24), corners, strict=True):
        cut = given.notes.copy()
        cut["duration"] = np.minimum(cut["duration"], bundle.codec.bars * 1920 - cut["onset"])
        assert said(loops[cell].song) == said(given.replace(notes=cut))


def test_a_short_loop_fills_the_cell_by_being_repeated(drums: Bundle) -> None:
    short = beat(1, bars=1)
    corner = grid_songs(drums, [short, beat(2), beat(3), beat(4)], 2, seed=1)[0].song
    assert len(corner) == 2 * len(short)
    assert np.array_equal(corner.notes["pitch"][: len(short)], corner.notes["pitch"][len(short) :])


def test_varied_by_nothing_a_clip_is_itself_and_by_more_less_and_less(bundle: Bundle) -> None:
    clip = clip_for(bundle, 1, bundle.codec.bars)
    assert vary_song(bundle, clip, 0, seed=1)[0].song == clip
    varied = vary_song(bundle, clip, 0.5, seed=1, count=2)
    assert varied[0].song == vary_song(bundle, clip, 0.5, seed=1)[0].song
    assert all(one.song.length == clip.length for one in varied)


def test_parts_that_are_not_heard_stay_as_they_are(melodies: Bundle) -> None:
    song = band(1)
    varied = vary_song(melodies, song, 1.0, seed=3)[0].song
    assert varied.parts == song.parts
    for part in (1, 2):
        assert np.array_equal(varied.notes[varied.notes["part"] == part], song.notes[song.notes["part"] == part])
    assert hear_clip(melodies.codec, song).unheard == ["Bass", "Kit"]
    clips = interpolate_songs(melodies, song, tune(2), 3, seed=1)
    assert clips[0].song.notes.tolist() == song.notes[song.notes["part"] == 0].tolist()
    assert joined(clips).remark == "left out, as this model does not play them: Bass, Kit"


def test_a_clip_of_one_bar_is_varied_as_one_bar(drums: Bundle) -> None:
    varied = vary_song(drums, beat(1, bars=1), 1.0, seed=3)[0].song
    assert (varied.bars, varied.length) == (1, 1920)


def test_clips_that_cannot_be_heard_are_named(melodies: Bundle, drums: Bundle) -> None:
    with pytest.raises(CodecError, match=r"3/4.*lookback-rnn"):
        vary_song(melodies, tune(1, meters=[(0, 3, 4)]), 0.3, seed=1)
    with pytest.raises(CodecError, match="no melody, only drums"):
        interpolate_songs(melodies, tune(1), beat(1), seed=1)
    with pytest.raises(CodecError, match="no drums"):
        interpolate_songs(drums, beat(1), tune(1), seed=1)
    with pytest.raises(CodecError, match="empty"):
        vary_song(melodies, Song(parts=(FLUTE,)), 0.3, seed=1)
    with pytest.raises(CodecError, match=r"Beat 4 has 3 bars.*2 bars at most; cut it, or leave --grid out"):
        grid_songs(drums, [beat(1), beat(2), beat(3), beat(4, bars=3)], 3, seed=1)
    with pytest.raises(UsageError, match="four clips"):
        grid_songs(drums, [beat(1)] * 3, 3, seed=1)
    with pytest.raises(OutOfRange, match="outside 0-1"):
        vary_song(melodies, tune(1), 1.5, seed=1)
    with pytest.raises(OutOfRange, match="steps 1"):
        interpolate_songs(melodies, tune(1), tune(2), 1, seed=1)
    with pytest.raises(OutOfRange, match="grid 1"):
        grid_songs(drums, [beat(1)] * 4, 1, seed=1)


def test_python_asks_for_the_same(drums: Bundle) -> None:
    players = Band(drums)
    assert players.vary(beat(1), by=0.5, seed=2) == vary_song(drums, beat(1), 0.5, seed=2)[0].song
    way = players.interpolate(beat(1), beat(2), steps=3, seed=2)
    assert [said(way[0]), said(way[2])] == [said(beat(1)), said(beat(2))]


def test_attributes_are_read_and_checked(melodies: Bundle) -> None:
    assert parse_attributes(["density=+1", "register = -0.5"]) == {"density": 1.0, "register": -0.5}
    with pytest.raises(UnknownName, match="density, register, syncopation"):
        parse_attributes(["loud=1"])
    for text in ("density", "density=much", "density=9", "density=nan"):
        with pytest.raises(OutOfRange, match="such as density="):
            parse_attributes([text])
    with pytest.raises(BundleError, match="holds no attributes"):
        generate(melodies, Wish(attributes={"density": 1.0}), seed=1)
    damaged = replace(melodies, training={"attributes": {"density": {"vector": [1.0]}}})
    with pytest.raises(BundleError, match="damaged"):
        generate(damaged, Wish(attributes={"density": 1.0}), seed=1)
    with pytest.raises(UnknownName, match="knows nothing of 'register'"):
        generate(damaged, Wish(attributes={"register": 1.0}), seed=1)


def test_clips_are_found_with_the_reasons_for_others() -> None:
    songs = [tune(1, bars=6), tune(1, bars=6), beat(3), tune(2, meters=[(0, 3, 4)])]
    found = clips_of(Material(songs, [tune(5, bars=4)]), ClipMelodyCodec())
    assert (len(found.songs), len(found.held_out)) == (5, 3)
    (line,) = found.warnings
    assert line.startswith("5 2-bar clips of 4 songs are learned, 3 of 1 song held out; left out: 5 duplicate")
    assert "1 only drums (drums have no melody; use vae-drums-2bar)" in line
    assert "1 not 4/4" in line
    with pytest.raises(CorpusError, match=r"no clip of 2 bars.*only drums"):
        clips_of(Material([beat(1)]), ClipMelodyCodec())


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small bundle that has really learned melodies which differ in how dense and how high they are."""
    changes = [
        "size=tiny", "training.batch=32", "training.evaluations=1", "training.learning_rate=0.01",
        "augmentation.transpose=0", "latent.beta=0.02", "latent.beta_warm_up=0.0", "model.latent=8",
        "model.encoder_width=24", "model.decoder_width=32",
    ]  # fmt: skip
    songs = [scales(seed) for seed in range(84)]
    folder = tmp_path_factory.mktemp("lines") / "lines.shed"
    train_recipe(load_recipe("vae-melody-2bar", changes), Material(songs), folder, steps=120, device="cpu")
    return load_bundle(folder)


def scales(seed: int) -> Song:
    """Two bars of a scale of C, begun low or high, in halves, quarters, eighths or sixteenths."""
    step, low = (960, 480, 240, 120)[seed % 4], 48 + 12 * (seed // 4 % 3)
    start = seed // 12 % 7
    pitches = [low + (0, 2, 4, 5, 7, 9, 11)[(start + n) % 7] for n in range(3840 // step)]
    rows = [(0, n * step, step, pitch, 90) for n, pitch in enumerate(pitches)]
    return Song.make(rows, [FLUTE], keys=[(0, 0, False)], title=f"Scale {seed}")


def test_more_of_an_attribute_is_heard(lines: Bundle) -> None:
    known = lines.training["attributes"]
    assert set(known) == {"density", "register"}
    assert known["density"]["mean"] == pytest.approx(np.mean([ATTRIBUTES["density"](scales(n)) for n in range(84)]))
    asked = [-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5]
    for name, measure in ATTRIBUTES.items():
        if name in known:
            wishes = [Wish(bars=2, attributes={name: by}) for by in asked]
            clips = [
                generate(lines, wish, Sampling(temperature=0.5), seed=1, count=12, candidates=1) for wish in wishes
            ]
            measured = [np.nanmean([measure(clip.song) for clip in drawn]) for drawn in clips]
            ranks = np.argsort(np.argsort(measured))
            assert np.corrcoef(ranks, np.arange(len(asked)))[0, 1] > 0.7, (name, measured)


def test_vectors_are_kept_only_of_what_differs(drums: Bundle) -> None:
    clips = [clip for seed in range(12) for clip in drums.codec.clips(beat(seed, bars=5))]
    assert set(attribute_vectors(drums, clips)) == {"density", "syncopation"}
    assert attribute_vectors(drums, clips[:4]) == {}
    assert attribute_vectors(drums, [clips[0]] * 20) == {}


@pytest.mark.parametrize("seed", range(12))
def test_on_the_air_a_band_keeps_the_players_that_it_began_with(seed: int) -> None:
    radio = play_radio(untrained("clip-band"), Wish(), Sampling(temperature=1.0), seed=seed)
    for bar in islice(radio.bars, 6):
        assert bar.notes["part"].max(initial=0) < len(radio.frame.parts)

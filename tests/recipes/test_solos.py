"""The Keras systems from a folder to clips: begun from real passages, long enough, repeatable; errors say why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import Bundle, load_bundle
from woodshed.errors import BundleError, CodecError, CorpusError, OutOfRange, UnknownName, UsageError
from woodshed.generation.filters import Sampling
from woodshed.music import Key, Part, Song
from woodshed.recipes.material import Material
from woodshed.recipes.play import continue_song, generate
from woodshed.recipes.recipe import load_recipe, recipe_names
from woodshed.recipes.runs import as_learned, blank_bundle, train_recipe
from woodshed.recipes.wish import Wish

SOLOS = [name for name in recipe_names() if load_recipe(name).material["kind"] == "parts"]
TINY = ["size=tiny", "training.evaluations=1", "training.batch=4"]


def solo(seed: int, bars: int = 8, program: int = 30) -> Song:
    """Eighths and chords on an electric guitar, over drums."""
    chance = np.random.default_rng(seed)
    rows = [(0, 480 * beat, 120, 36, 100) for beat in range(4 * bars)]
    for place in range(8 * bars):
        chord = chance.choice([40, 43, 45, 47, 50, 52, 55, 57], 1 + int(chance.random() < 0.2), replace=False)
        rows += [(1, 240 * place, 240, int(pitch), 90) for pitch in chord]
    parts = [Part("Drums", 0, True), Part("Lead", program)]
    return Song.make(rows, parts, tempos=[(0, 130.0)], meters=[(0, 4, 4)], title=f"Solo {seed}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every window recipe, trained for two steps."""
    folder = tmp_path_factory.mktemp("solos")
    material = Material([solo(seed) for seed in range(4)], [solo(9)])
    for name in SOLOS:
        changes = [*TINY, *(["training.unique_factor=3"] if name == "deeprock" else [])]
        train_recipe(load_recipe(name, changes), material, folder / name, steps=2, device="cpu")
    return folder


@pytest.fixture(scope="module")
def bundles(folder: Path) -> dict[str, Bundle]:
    return {name: load_bundle(folder / name) for name in SOLOS}


def test_there_are_three() -> None:
    assert SOLOS == ["deeprock", "pitch-step-duration", "shred"]


@pytest.mark.parametrize("name", SOLOS)
def test_a_solo_fills_the_bars_asked_for_and_the_same_seed_repeats_it(bundles: dict[str, Bundle], name: str) -> None:
    bundle = bundles[name]
    assert 0 < bundle.training["held_out_nats_per_note"] < 10
    one, two = (generate(bundle, Wish(bars=4), seed=3, candidates=2)[0].song for _ in "ab")
    assert np.array_equal(one.notes, two.notes)
    assert (one.bars, one.length, one.parts[0].program, one.bpm) == (4, 7680, 30, 130.0)
    assert one.notes["onset"].max() > 3 * 1920
    assert one.ends.max() <= one.length


@pytest.mark.parametrize("name", SOLOS)
def test_what_it_goes_on_from_is_real_music_and_is_named(bundles: dict[str, Bundle], name: str) -> None:
    bundle = bundles[name]
    passages = bundle.training["passages"]
    heard = bundle.codec.encode(bundle.codec.arrange(solo(0)))
    assert passages[0]["title"] == "Solo 0"
    assert np.allclose(passages[0]["events"], heard[: bundle.model.config.window])
    clip = generate(bundle, Wish(bars=1), seed=1, candidates=1)[0]
    assert clip.song.markers[0].text.startswith("goes on from a passage of Solo ")
    assert "Solo 0" in (bundle.folder / "README.md").read_text() if bundle.folder else False


@pytest.mark.parametrize("name", SOLOS)
def test_a_solo_goes_on_after_a_primer_and_the_seam_is_marked(bundles: dict[str, Bundle], name: str) -> None:
    primer = solo(5, bars=4)
    song = continue_song(bundles[name], primer, Wish(bars=2), seed=1, candidates=1)[0].song
    assert np.array_equal(song.notes[song.notes["onset"] < primer.length], primer.notes)
    assert song.bars == 6
    assert [(marker.onset, marker.text) for marker in song.markers] == [(primer.length, "new from here")]
    assert set(song.notes["part"][song.notes["onset"] >= primer.length].tolist()) == {1}


def test_so_many_events_can_be_asked_for(bundles: dict[str, Bundle]) -> None:
    song = generate(bundles["shred"], Wish(bars=8, steps=20), seed=1, candidates=1)[0].song
    assert len(np.unique(song.notes["onset"])) == 20
    assert np.unique(song.notes["onset"] % 240).tolist() == [0]


def test_temperature_0_is_the_originals_argmax(bundles: dict[str, Bundle]) -> None:
    cold = Sampling(temperature=0.0, top_p=1.0)
    songs = [continue_song(bundles["shred"], solo(5), Wish(bars=2), cold, seed=s, candidates=1)[0].song for s in (1, 2)]
    assert np.array_equal(songs[0].notes, songs[1].notes)


@pytest.mark.parametrize(
    ("wish", "error", "told"),
    [
        (Wish(key=Key.parse("F minor")), UsageError, "shred cannot keep to --key"),
        (Wish(ranges={"lead": (40, 50)}), UsageError, "cannot keep to --range"),
        (Wish(parts=(Part("Drums", 0, True),)), UsageError, "one pitched part"),
        (Wish(steps=0), OutOfRange, "steps 0 is outside 1-"),
        (Wish(bpm=0.0), OutOfRange, "tempo 0 is outside 10-1000"),
        (Wish(bpm=1001.0), OutOfRange, "tempo 1001 is outside 10-1000"),
    ],
)
def test_wishes_that_a_solo_cannot_fulfil_are_refused(
    bundles: dict[str, Bundle], wish: Wish, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        generate(bundles["shred"], wish, seed=1)


def test_a_primer_that_is_too_short_or_has_no_guitar_is_refused(bundles: dict[str, Bundle]) -> None:
    with pytest.raises(CodecError, match=r"reads 8 before it plays; give a longer primer"):
        continue_song(bundles["shred"], solo(1, bars=1).slice(0, 480), seed=1)
    with pytest.raises(CodecError, match="no part for 'electric guitar'"):
        continue_song(bundles["deeprock"], solo(1, program=0), seed=1)


@pytest.mark.parametrize(
    ("name", "needed"),
    [("shred", "a pitched part"), ("pitch-step-duration", "a pitched part"), ("deeprock", "an electric guitar .*")],
)
def test_a_primer_of_drums_or_nothing_is_told_what_would_serve(
    bundles: dict[str, Bundle], name: str, needed: str
) -> None:
    drums = Song.make([(0, 480 * beat, 120, 36, 90) for beat in range(64)], [Part("Kit", 0, True)], title="Beat")
    told = f"^Beat: only drums; give music with {needed}, or use a recipe that plays drums, such as band or pianoroll$"
    with pytest.raises(CodecError, match=told):
        continue_song(bundles[name], drums, seed=1)
    with pytest.raises(CodecError, match=f"^the song: no notes; give music with {needed}$"):
        continue_song(bundles[name], Song(length=1920), seed=1)


def test_music_without_guitars_is_counted_and_refused(tmp_path: Path) -> None:
    material = Material([solo(seed, program=0) for seed in range(3)])
    with pytest.raises(CorpusError, match=r"no song has a part to learn from \(3 no part for 'electric guitar' \(none"):
        train_recipe(load_recipe("deeprock", TINY), material, tmp_path / "B", steps=1)
    short = Material([solo(1, bars=1)])
    with pytest.raises(CorpusError, match=r"no part has more than 50 events.*--set model\.window"):
        train_recipe(load_recipe("shred", ["model.window=50", *TINY[1:]]), short, tmp_path / "C", steps=1)


def test_a_damaged_passage_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(folder / "shred", tmp_path / "B"))
    config = json.loads((copy / "config.json").read_text())
    for damage in ([1, 2], [10**9] * 8, "music", None):
        config["training"]["passages"] = [{"title": "x", "events": damage}]
        (copy / "config.json").write_text(json.dumps(config))
        with pytest.raises(BundleError, match="damaged"):
            generate(load_bundle(copy), Wish(bars=1), seed=1)


@pytest.mark.parametrize("name", ["deeprock", "pitch-step-duration"])
def test_states_may_be_carried_and_that_is_in_the_settings(bundles: dict[str, Bundle], name: str) -> None:
    clip = generate(bundles[name], Wish(bars=4, mode="carried"), seed=3, candidates=2)[0]
    assert clip.settings["mode"] == "carried"
    assert clip.song.notes["onset"].max() > 3 * 1920


def test_a_mode_that_a_recipe_does_not_have_is_refused(bundles: dict[str, Bundle], tiny_bundle: Path) -> None:
    with pytest.raises(UsageError, match="recipe shred cannot carry a state"):
        generate(bundles["shred"], Wish(mode="carried"), seed=1)
    with pytest.raises(UnknownName, match="mode 'fast' is not one of windowed, carried"):
        continue_song(bundles["deeprock"], solo(1), Wish(mode="fast"), seed=1)
    with pytest.raises(UsageError, match="--mode is for deeprock and pitch-step-duration, not for band"):
        generate(load_bundle(tiny_bundle), Wish(mode="carried"), seed=1)


@pytest.mark.parametrize("name", SOLOS)
def test_an_untrained_net_says_how_often_each_event_comes(name: str) -> None:
    recipe = load_recipe(name, TINY)
    material = as_learned(recipe, Material([solo(seed) for seed in range(4)]))
    bundle = blank_bundle(recipe, material, 0, "cpu")
    ids = np.concatenate(
        [bundle.codec.encode(song).reshape(-1, 3 if name.startswith("pitch") else 1) for song in material.songs]
    )
    (size,) = bundle.codec.field_sizes().values()
    shares = np.bincount(ids[:, 0].astype(int), minlength=size) / len(ids)
    layer = bundle.model.out if hasattr(bundle.model, "out") else bundle.model.heads
    said = np.exp(layer.bias.detach().numpy()[:size])
    assert said.sum() == pytest.approx(1, abs=1e-5)
    assert np.allclose(said, shares, atol=0.25)
    assert said.argmax() == shares.argmax()

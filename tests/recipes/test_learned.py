"""Who learned which songs: told where it is known, also of what a bundle began from; and said where nobody knows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import Bundle, load_bundle
from woodshed.bundle.heritage import heritage
from woodshed.codecs import NoteStepCodec
from woodshed.corpus import BuildOptions, Corpus, build_corpus
from woodshed.errors import OutOfRange
from woodshed.formats import read_midi, write_midi
from woodshed.music import Part, Song
from woodshed.recipes import learned
from woodshed.recipes.judge import judge, judge_two, songs_to_ask
from woodshed.recipes.judge_clips import judge_clips, yardstick
from woodshed.recipes.learned import LIST, heard_before, origins_of
from woodshed.recipes.novelty import check_song
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import train_recipe


@pytest.fixture(scope="module")
def shipped(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights in which "base" is the tiny bundle with a list instead of its songs."""
    folder = tmp_path_factory.mktemp("weights")
    shutil.copytree(tiny_bundle, folder / "base", ignore=shutil.ignore_patterns("training"))
    entries = Corpus.open(tiny_bundle / "training" / "corpus").entries
    ids = [entry.song_id for entry in entries if entry.split == "train"]
    assert 0 < len(ids) < len(entries)
    (folder / "base" / LIST).write_text("\n".join(ids) + "\n", "ascii")
    return folder


def song(seed: int) -> Song:
    """Eight bars of two parts."""
    chance = np.random.default_rng(seed)
    notes = [
        (part, 240 * step, 200, 40 + 20 * part + int(chance.integers(12)), 90) for part in (0, 1) for step in range(64)
    ]
    return Song.make(notes, [Part("Bass", 33), Part("Guitar", 30)], title=f"Other {seed}")


@pytest.fixture(scope="module")
def fine(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that began from that base and went on with other songs."""
    folder = tmp_path_factory.mktemp("fine")
    (folder / "own").mkdir()
    for seed in range(3):
        write_midi(song(seed), folder / "own" / f"other-{seed}.mid")
    recipe = load_recipe("band", ["training.evaluations=1", "training.batch=2"])
    train_recipe(recipe, folder / "own", folder / "fine.shed", steps=1, device="cpu", base=shipped / "base")
    return folder / "fine.shed"


@pytest.fixture
def here(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That base is the shipped one."""
    monkeypatch.setattr(learned, "SHIPPED", shipped)
    learned._lists.cache_clear()
    yield shipped
    learned._lists.cache_clear()


def test_held_out_songs_that_the_base_had_learned_are_told(here: Path, fine: Path) -> None:
    assert heard_before(load_bundle(fine)) == []
    entries = Corpus.open(fine / "training" / "corpus").entries
    held_out = [entry.song_id for entry in entries if entry.split == "held_out"]
    assert len(held_out) == 1
    listed = here / "base" / LIST
    before = listed.read_text("ascii")
    try:
        listed.write_text(before + held_out[0] + "\n", "ascii")
        learned._lists.cache_clear()
        assert heard_before(load_bundle(fine)) == [
            "base had learned 1 of 1 song held out, and reads it better than new music"
        ]
    finally:
        listed.write_text(before, "ascii")


def test_songs_of_the_base_are_left_out_and_said_to_be(here: Path, fine: Path, music_folder: Path) -> None:
    ids = (here / "base" / LIST).read_text("ascii").split()
    verdict = judge(load_bundle(fine), music_folder)
    count = f"{len(ids)} songs"
    assert verdict.remarks == (f"base, from which fine.shed began, learned from {count} of these: they are left out",)
    assert (verdict.left_out, verdict.likelihood.songs) == (len(ids), 6 - len(ids))
    told = verdict.as_dict()["learned"]
    assert [(one["bundle"], one["of"], one["among"]) for one in told] == [
        ("fine.shed", None, 0), ("base", "fine.shed", len(ids)),
    ]  # fmt: skip
    asked = judge(load_bundle(fine), music_folder, split="all")
    assert asked.remarks == (
        f"base, from which fine.shed began, learned from {count} of these: what is measured on those says nothing of "
        "new music",
    )
    assert (asked.left_out, asked.likelihood.songs) == (0, 6)
    alone = judge(load_bundle(here / "base"), music_folder)
    assert alone.remarks == (f"base learned from {count} of these: they are left out",)


def test_of_a_corpus_too(here: Path, fine: Path, music_folder: Path, tmp_path: Path) -> None:
    build_corpus(music_folder, tmp_path / "corpus", options=BuildOptions(held_out_fraction=0.5, min_notes=1))
    corpus = Corpus.open(tmp_path / "corpus")
    side = {entry.song_id for entry in corpus.entries if entry.split == "held_out"}
    known = side.intersection((here / "base" / LIST).read_text("ascii").split())
    assert 0 < len(known) < len(side)
    verdict = judge(load_bundle(fine), tmp_path / "corpus")
    assert verdict.likelihood.songs == len(side - known)
    assert verdict.remarks[0].startswith("base, from which fine.shed began, learned from")


def test_songs_that_nobody_learned_need_no_remark(here: Path, fine: Path, tmp_path: Path) -> None:
    write_midi(song(9), tmp_path / "new.mid")
    assert judge(load_bundle(fine), tmp_path / "new.mid").remarks == ()


def test_without_a_list_it_is_said_that_nobody_knows(fine: Path, music_folder: Path, tmp_path: Path) -> None:
    """The base is none of the shipped ones: its record is all there is."""
    verdict = judge(load_bundle(fine), music_folder)
    (remark,) = verdict.remarks
    assert remark.startswith("base, from which fine.shed began, keeps no list of its ")
    assert remark.endswith("): some of these may be among them")
    assert verdict.as_dict()["learned"][1]["among"] is None
    assert verdict.likelihood.songs == 6
    shutil.copytree(fine, tmp_path / "bare.shed", ignore=shutil.ignore_patterns("training"))
    first, second = judge(load_bundle(tmp_path / "bare.shed"), music_folder).remarks
    assert first == "bare.shed keeps no list of the songs it learned from: some of these may be among them"
    assert second == remark.replace("fine.shed", "bare.shed")


def test_files_that_are_no_music_are_named(fine: Path, tmp_path: Path) -> None:
    write_midi(song(77), tmp_path / "song.mid")
    (tmp_path / "words.mid").write_text("no music")
    remarks = judge(load_bundle(fine), tmp_path).remarks
    assert f"1 of 2 files of {tmp_path.name} not used (words.mid: not music or damaged)" in remarks


def test_two_bundles_are_each_asked_where_they_come_from(here: Path, fine: Path, music_folder: Path) -> None:
    verdict = judge_two((load_bundle(fine), load_bundle(here / "base")), music_folder)
    assert [one["bundle"] for one in verdict.as_dict()["learned"]] == ["fine.shed", "base", "base"]
    assert len(verdict.remarks) == 2
    assert verdict.left_out > 0


def test_the_line_is_followed_through_blends_and_ends(tmp_path: Path) -> None:
    def record(name: str, **more: object) -> dict[str, object]:
        return {"bundle": name, "weights": name * 4, "songs": 7, "called": "melody", "source": "tunes", **more}

    root = record("root")
    left, right = record("left", base=root), record("right", base=root)
    mixed = Bundle(None, NoteStepCodec(), folder=tmp_path, training={"base": root, "blend": [left, right]})
    names = [origin.name for origin in origins_of(mixed)]
    assert names[1:] == ["left", "right", "root"]
    assert "keeps no list of its 7 melodies (tunes)" in origins_of(mixed)[1].remark({"x"}, "held_out")
    endless: dict[str, object] = record("self")
    endless["base"] = endless
    assert len(origins_of(Bundle(None, NoteStepCodec(), folder=tmp_path, training={"base": endless}))) == 2
    for strange in ({"base": 7}, {"base": None, "blend": "x"}, {"blend": [3]}, {"base": {}}):
        assert all(
            origin.remark({"x"}, "held_out")
            for origin in origins_of(Bundle(None, NoteStepCodec(), folder=tmp_path, training=strange))
        )


def test_what_evaluate_says_programs_can_read(here: Path, fine: Path, music_folder: Path) -> None:
    assert json.loads(json.dumps(judge(load_bundle(fine), music_folder).as_dict()))["learned"][1]["bundle"] == "base"


def test_the_shipped_base_keeps_its_list_and_what_began_from_it_finds_it() -> None:
    base = load_bundle("base")
    (own,) = origins_of(base)
    assert own.ids is not None
    assert len(own.ids) >= base.training["songs"]
    begun = Bundle(None, NoteStepCodec(), training={"base": heritage(base)})
    assert origins_of(begun)[1].ids == own.ids


def test_of_real_music_the_base_knows_what_it_learned(data_folder: Path, tmp_path: Path) -> None:
    """One song of Freedoom that it learned, one that was held out."""
    for name in ("d_e1m1.mid", "d_e3m1.mid"):
        shutil.copy(data_folder / "band" / "freedoom" / name, tmp_path)
    (song,), left_out = songs_to_ask([load_bundle("base")], tmp_path, "held_out", lambda stage, done, total: None)
    assert left_out == 1
    assert len(song) == len(read_midi(tmp_path / "d_e3m1.mid"))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_outside_its_range_is_named_before_any_music_is_read(tiny_bundle: Path, seed: int) -> None:
    bundle, nowhere = load_bundle(tiny_bundle), Path("nowhere")
    for ask in (
        lambda: judge(bundle, nowhere, seed=seed),
        lambda: judge_two((bundle, bundle), nowhere, seed=seed),
        lambda: judge_clips(nowhere, nowhere, seed=seed),
        lambda: check_song(nowhere, nowhere, seed=seed),
    ):
        with pytest.raises(OutOfRange, match=f"seed {seed} is outside 0-4294967295"):
            ask()


def test_held_out_songs_of_which_too_few_are_long_enough_are_no_yardstick() -> None:
    songs = [(f"song {seed}", song(seed)) for seed in range(8)]
    short = [(name, one.slice(0, 1920)) for name, one in songs[:2]]
    assert yardstick(songs[3:], songs[:3], 2, 0) is not None
    assert yardstick(songs[3:], [*short, songs[2]], 2, 0) is None
    assert yardstick(songs[3:], songs[:2], 2, 0) is None

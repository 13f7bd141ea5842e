"""woodshed novelty: a song against a folder or a corpus, for people and for programs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import woodshed as ws
from woodshed.evaluation.known_music import KnownMusic
from woodshed.formats import write_midi
from woodshed.music import Part, Song

Run = Callable[..., Any]


def tune(seed: int, notes: int = 150) -> Song:
    chance = np.random.default_rng(seed)
    onset = np.cumsum(chance.choice((120, 240, 360, 480), notes))
    pitch = 55 + np.cumsum(chance.integers(-4, 5, notes)) % 24
    rows = [(0, int(o), 100, int(p), 90) for o, p in zip(onset, pitch, strict=True)]
    return Song.make(rows, [Part("Lead", 30)], title=f"Tune {seed}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "music").mkdir()
    for seed in range(4):
        write_midi(tune(seed), tmp_path / "music" / f"tune-{seed}.mid")
    return tmp_path / "music"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The first half of tune 2, a fourth higher, and a tune of its own."""
    own = tune(9, 75).notes.copy()
    own["part"] = 1
    notes = np.concatenate((tune(2).transpose(5).notes[:75], own))
    song = Song.make(notes, [Part("Lead", 30), Part("Other", 27)])
    write_midi(song, tmp_path / "copy.mid")
    return tmp_path / "copy.mid"


def test_people_are_told_what_stands_where_and_what_is_usual(woodshed: Run, folder: Path, copy: Path) -> None:
    said = woodshed("novelty", copy, folder)
    assert said.code == 0, said.err
    assert "copy.mid: 50.0% of its 150 notes also stand in music (4 songs, 600 notes)" in said.out
    assert "from Tune 2, bar 1" in said.out
    assert "without a change" not in said.out, "the longest has none"
    assert "usual among its songs: 0.0% [0.0%, 0.0%] (n=4) of the notes stand in the others" in said.out
    assert "n too small: 4 songs" in said.out


def test_programs_are_told_the_same(woodshed: Run, folder: Path, copy: Path) -> None:
    said = woodshed("novelty", copy, folder, "--json", "--longer-than", 74, "--longer-than", 75)
    (told,) = [json.loads(line) for line in said.out.splitlines()]
    assert (told["share"], told["longer_than"]["74"], told["longer_than"]["75"]) == (0.5, 0.5, 0.0)
    assert (told["longest"]["source"], told["longest"]["semitones"]) == ("Tune 2", 5)
    assert told["baseline"]["share"]["mean"] == 0.0
    assert told["corpus_songs"] == 4


def test_a_plain_copy_is_one_row_that_names_its_parts(woodshed: Run, folder: Path, tmp_path: Path) -> None:
    """Parts that enter and leave, and a bar of the lead's own in the midst of it."""
    both = [tune(2).notes.copy(), tune(3).notes.copy()]
    both[1]["part"] = 1
    parts = [Part("Lead", 30), Part("Other", 27)]
    write_midi(Song.make(np.concatenate(both), parts, title="Both"), folder / "both.mid")
    (folder / "tune-2.mid").unlink()
    (folder / "tune-3.mid").unlink()
    line = both[0][(both[0]["onset"] < 12000) | (both[0]["onset"] >= 13920)]
    notes = np.concatenate((line, both[1][20:130]))
    write_midi(Song.make(notes, parts).transpose(2), tmp_path / "plain.mid")
    said = woodshed("novelty", tmp_path / "plain.mid", folder, "--no-baseline")
    rows = [row for row in said.out.splitlines() if " Both " in row]
    assert len(rows) == 1, said.out
    assert "Lead and Other" in rows[0]
    assert f" {len(notes)} " in rows[0]
    (told,) = json.loads(woodshed("novelty", tmp_path / "plain.mid", folder, "--json").out)["runs"]
    assert (told["part"], told["here"]["notes"], told["semitones"]) == ("Lead and Other", len(notes), 2)


def test_the_index_is_built_once_and_anew_when_the_music_changes(woodshed: Run, folder: Path, copy: Path) -> None:
    cache = folder.parent / "cache" / "woodshed" / "novelty"
    assert woodshed("novelty", copy, folder).code == 0
    (index,) = cache.rglob("passages.safetensors")
    before = index.stat().st_mtime_ns
    first = woodshed("novelty", copy, folder, "--json").out
    assert index.stat().st_mtime_ns == before
    index.write_bytes(index.read_bytes()[:1000])
    assert woodshed("novelty", copy, folder, "--json").out == first
    (folder / "tune-2.mid").unlink()
    assert json.loads(woodshed("novelty", copy, folder, "--json").out)["share"] == 0.0


def test_a_corpus_keeps_its_index_in_its_folder(woodshed: Run, folder: Path, copy: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    assert woodshed("corpus", "build", folder, "-o", corpus, "--workers", 0).code == 0
    assert woodshed("novelty", copy, corpus, "--no-baseline").code == 0
    assert (corpus / "passages.safetensors").is_file()
    assert woodshed("corpus", "show", corpus).code == 0


def test_page_and_picture_are_written_and_never_replaced_unasked(
    woodshed: Run, refuses: Callable[..., str], folder: Path, copy: Path, tmp_path: Path
) -> None:
    options = ("--html", tmp_path / "x.html", "--picture", tmp_path / "x.svg")
    said = woodshed("novelty", copy, folder, *options)
    assert said.code == 0, said.err
    assert "Tune 2" in (tmp_path / "x.html").read_text("utf-8")
    assert (tmp_path / "x.svg").read_text("utf-8").lstrip().startswith("<?xml")
    assert "--force" in refuses(2, "novelty", copy, folder, *options)


def test_a_song_that_is_in_the_corpus_is_told_to_be(woodshed: Run, folder: Path) -> None:
    said = woodshed("novelty", folder / "tune-1.mid", folder)
    assert "the song itself is in the corpus" in said.err
    assert "100.0% of its 150 notes" in said.out


def test_bad_input_is_named(refuses: Callable[..., str], folder: Path, copy: Path, tmp_path: Path) -> None:
    silent, empty, junk = tmp_path / "silent.mid", tmp_path / "empty", tmp_path / "junk.mid"
    write_midi(Song(length=1920), silent)
    empty.mkdir()
    junk.write_bytes(b"no music")
    assert "no note sounds" in refuses(1, "novelty", silent, folder)
    assert "no music below" in refuses(1, "novelty", copy, empty)
    assert "junk.mid" in refuses(1, "novelty", junk, folder)
    assert "does not exist" in refuses(1, "novelty", copy, tmp_path / "nowhere")
    assert "6-4096" in refuses(2, "novelty", copy, folder, "--notes", 5)
    assert "1 or more" in refuses(2, "novelty", copy, folder, "--longer-than", 0)
    assert ".png, .svg, .pdf" in refuses(2, "novelty", copy, folder, "--picture", tmp_path / "x.gif")


def test_a_page_is_not_written_over_the_song_or_under_another_name(
    refuses: Callable[..., str], folder: Path, copy: Path, tmp_path: Path
) -> None:
    before = copy.read_bytes()
    assert "does not end in .html" in refuses(2, "novelty", copy, folder, "--html", copy, "--force")
    assert copy.read_bytes() == before
    same = tmp_path / "x.html"
    same.symlink_to(copy)
    assert "written over copy.mid" in refuses(2, "novelty", copy, folder, "--html", same, "--force")
    assert copy.read_bytes() == before


def test_what_could_not_be_read_is_told(woodshed: Run, folder: Path, copy: Path) -> None:
    (folder / "words.mid").write_text("no music")
    copy.write_bytes(copy.read_bytes()[:-200])
    said = woodshed("novelty", copy, folder)
    assert said.code == 0, said.err
    assert "1 of 5 files of music not used (words.mid: " in said.err
    assert "copy.mid is damaged" in said.err
    assert "no drums" in said.out


def test_of_a_corpus_of_one_song_nothing_is_usual(woodshed: Run, folder: Path, copy: Path, tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.mkdir()
    (folder / "tune-2.mid").rename(one / "tune-2.mid")
    said = woodshed("novelty", copy, one)
    assert said.code == 0
    assert "50.0% of its 150 notes" in said.out
    assert "n too small: one song" in said.err


def test_generate_holds_a_limit_of_copying_and_says_what_it_had_to_do(
    woodshed: Run, tiny_bundle: Path, music_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = ("generate", tiny_bundle, "--bars", 4, "--candidates", 2, "--seed", 5, "--json")
    assert woodshed(*asked, "-o", tmp_path / "songs" / "first.mid").code == 0
    out = tmp_path / "second.mid"
    said = woodshed(*asked, "-o", out, "--max-copy", "2beats", "--corpus", tmp_path / "songs")
    assert said.code == 0, said.err
    told = json.loads(said.out)["max_copy"]
    assert told["limit"] == "2beats"
    assert told["beats"] <= 2
    assert "2beats of songs" in json.loads(said.out)["settings"]["max_copy"]
    again = json.loads(woodshed("novelty", out, tmp_path / "songs", "--json", "--no-baseline").out)
    assert max((run["here"]["beats"] for run in again["runs"]), default=0.0) <= 2
    assert told["changed"] == bool(told["redrawn"] or told["removed"])
    own = woodshed(*asked, "-o", tmp_path / "third.mid", "--max-copy", "24notes")
    assert own.code == 0, own.err
    assert json.loads(own.out)["max_copy"]["notes"] <= 24


def test_generate_says_that_a_limit_of_copying_took_nothing_or_what_it_took(
    woodshed: Run, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = ("generate", tiny_bundle, "--bars", 32, "--candidates", 1, "--seed", 5, "--repetition", 0)
    assert woodshed(*asked, "-o", tmp_path / "songs" / "first.mid").code == 0
    copied = ws.read(tmp_path / "songs" / "first.mid")

    def said(limit: str, songs: str, name: str) -> str:
        result = woodshed(*asked, "-o", tmp_path / name, "--max-copy", limit, "--corpus", tmp_path / songs)
        assert result.code == 0, result.err
        return str(result.out)

    (tmp_path / "others").mkdir()
    write_midi(tune(1), tmp_path / "others" / "tune.mid")
    assert "--max-copy 8beats of others: nothing had to be changed; nothing of it stands there" in said(
        "8beats", "others", "free.mid"
    )
    assert ws.read(tmp_path / "free.mid").notes.tolist() == copied.notes.tolist()
    within = said("400beats", "songs", "loose.mid")
    assert "--max-copy 400beats of songs: nothing had to be changed; what stands there too lasts" in within
    longest = KnownMusic([("first", copied)]).check(copied)
    assert (
        f" {max(run.here.beats for run in longest.runs):g} beats at most, {longest.longest.here.notes} notes in a part"
        in within
    )  # type: ignore[union-attr]
    held = said("2beats", "songs", "held.mid")
    assert "nothing had to be changed" not in held
    assert " played again" in held
    assert "what stands there too lasts" in held or "nothing of it stands there" in held


def test_a_limit_of_copying_needs_songs(refuses: Callable[..., str], own_bundle: Path, tmp_path: Path) -> None:
    shutil.rmtree(own_bundle / "training", ignore_errors=True)
    asked = ("generate", own_bundle, "-o", tmp_path / "x.mid")
    assert "--corpus" in refuses(2, *asked, "--max-copy", "8beats")
    assert "write 8beats" in refuses(2, *asked, "--max-copy", "8")
    assert "--max-copy" in refuses(2, *asked, "--corpus", tmp_path)
    assert "no music below" in refuses(1, *asked, "--max-copy", "8beats", "--corpus", tmp_path / "own.shed")


def test_in_python_too_a_limit_of_copying_holds(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "songs").mkdir()
    band = ws.load(tiny_bundle)
    free = band.generate(bars=32, candidates=1, seed=5, repetition=0.0)
    ws.write(free, tmp_path / "songs" / "first.mid")
    held = band.generate(bars=32, candidates=1, seed=5, repetition=0.0, max_copy="2beats", corpus=tmp_path / "songs")
    known = KnownMusic([("first", free)])
    assert known.check(free).share > 0.5, "without a limit it would have been a copy"
    assert max((run.here.beats for run in known.check(held).runs), default=0.0) <= 2

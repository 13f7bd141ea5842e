"""report, as a user types it: what it says of music is so, and what cannot be is refused before any work."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from woodshed.recipes import report

Run = Callable[..., Any]
QUICK = ("--count", "1", "--bars", "2")


def words(page: Path) -> str:
    """The page without pictures and sound."""
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.read_text(encoding="utf-8"))


def test_a_corpus_that_was_not_learned_from_is_not_said_to_be(
    woodshed: Run, tiny_bundle: Path, music_folder: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.shed"
    shutil.copytree(tiny_bundle, bare, ignore=shutil.ignore_patterns("training"))
    assert woodshed("report", bare, music_folder, "-o", tmp_path / "other.html", *QUICK).code == 0
    page = words(tmp_path / "other.html")
    assert f"also stands in a song of {music_folder.name}," in page
    assert f"Asked about songs of {music_folder.name} (nobody knows which of them it learned from)" in page
    assert "after practising 0 songs" not in page
    assert woodshed("report", tiny_bundle, "-o", tmp_path / "own.html", *QUICK).code == 0
    assert "also stands in a song it learned from, or one held out," in words(tmp_path / "own.html")


def test_the_songs_of_the_heading_are_those_of_the_record(
    woodshed: Run, tiny_bundle: Path, music_folder: Path, tmp_path: Path
) -> None:
    assert woodshed("report", tiny_bundle, music_folder, "-o", tmp_path / "r.html", *QUICK).code == 0
    found = re.search(r"after practising (\d+) songs?, in", words(tmp_path / "r.html"))
    songs = re.search(r"<dt>Songs</dt><dd>(\d+)</dd>", words(tmp_path / "r.html").split("Learned from</h2>")[1])
    assert found is not None
    assert songs is not None
    assert found[1] == songs[1] != "0"


def test_beside_one_song_n_is_too_small_and_no_option_is_advised_that_is_not_there(
    woodshed: Run, tiny_bundle: Path, music_folder: Path, tmp_path: Path
) -> None:
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(sorted(music_folder.iterdir())[0], one)
    assert woodshed("corpus", "build", one, "-o", tmp_path / "corpus").code == 0
    for music in (one, tmp_path / "corpus"):
        said = woodshed("report", tiny_bundle, music, "-o", tmp_path / f"{music.name}.html", *QUICK)
        assert said.code == 0, said
        page = words(tmp_path / f"{music.name}.html")
        assert "n too small to compare with real music: 1" in page
        assert "as in the real music" not in page
        assert "--split" not in page + said.err
    assert "is held out and new to the model; give more music" in said.err


def test_the_same_seed_gives_the_same_page(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert woodshed("report", tiny_bundle, "-o", tmp_path / f"{name}.html", *QUICK, "--seed", "3").code == 0
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()


def test_a_folder_that_is_not_there_is_named_before_any_work(
    refuses: Callable[..., str], tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "load_bundle", lambda folder: pytest.fail("the bundle was read"))
    said = refuses(1, "report", tiny_bundle, "-o", tmp_path / "nowhere" / "x.html")
    assert re.search(r"x\.html cannot be written: there is no folder .*nowhere; make it", said)

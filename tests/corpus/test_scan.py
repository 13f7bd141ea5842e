"""All music below a folder is found, and the papers beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from woodshed.corpus.scan import scan
from woodshed.errors import FileError


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_music_is_found_by_its_ending_at_any_depth_sorted_by_name(tmp_path: Path) -> None:
    make(tmp_path, "b.MID", "a/deep/down.kar", "c.musicxml", "notes.txt", ".hidden.mid", ".git/x.mid", "a/cover.png")
    assert [source.name for source in scan(tmp_path).sources] == ["a/deep/down.kar", "b.MID", "c.musicxml"]


def test_papers_are_noted(tmp_path: Path) -> None:
    make(tmp_path, "LICENSE", "x/COPYING.adoc", "x/CREDITS-MUSIC", "README.md", "x/song.mid")
    assert scan(tmp_path).papers == ["LICENSE", "README.md", "x/COPYING.adoc", "x/CREDITS-MUSIC"]


def test_several_folders_stand_before_their_files(tmp_path: Path) -> None:
    make(tmp_path, "one/a.mid", "two/a.mid")
    found = scan([tmp_path / "one", tmp_path / "two"])
    assert [source.name for source in found.sources] == ["one/a.mid", "two/a.mid"]
    assert found.folders == ["one", "two"]


def test_a_file_may_be_named_whatever_its_ending(tmp_path: Path) -> None:
    make(tmp_path, "song.bin")
    assert [source.name for source in scan(tmp_path / "song.bin").sources] == ["song.bin"]


def test_a_link_that_goes_round_in_circles_ends(tmp_path: Path) -> None:
    make(tmp_path, "x/a.mid")
    (tmp_path / "x" / "loop").symlink_to(tmp_path)
    assert [source.name for source in scan(tmp_path).sources] == ["x/a.mid"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nowhere does not exist; give a folder"):
        scan(tmp_path / "nowhere")


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # tests may run as root, who may read all
    with pytest.raises(FileError, match="may not be read; change its permissions"):
        scan(tmp_path)


def test_a_folder_below_that_may_not_be_read_is_noted_and_the_rest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "open/a.mid", "shut/b.mid")
    plain = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return plain(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = scan(tmp_path)
    assert [source.name for source in found.sources] == ["open/a.mid"]
    assert found.unreadable == ["shut: Permission denied"]

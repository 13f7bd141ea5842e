"""The build hook: what it takes out of a package, and what it refuses."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

HOOK = Path(__file__).resolve().parents[2] / "hatch_build.py"
FONT, LICENCE = b"RIFF font", b"Apache"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The hook as a module, pinned to two made-up files."""
    pytest.importorskip("hatchling", reason="hatchling is there only while building")
    spec = importlib.util.spec_from_file_location("woodshed_hatch_build", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pinned = {
        "font.sf2": ("package/font.sf2", hashlib.sha256(FONT).hexdigest()),
        "LICENSE": ("package/LICENSE", hashlib.sha256(LICENCE).hexdigest()),
    }
    monkeypatch.setattr(module, "FILES", pinned)
    return module


def archive(path: Path, files: dict[str, bytes]) -> Path:
    """A package as npm packs it."""
    with tarfile.open(path, "w:gz") as package:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    return path


def test_the_font_and_its_licence_are_taken_out(hook: ModuleType, tmp_path: Path) -> None:
    files = {"package/font.sf2": FONT, "package/LICENSE": LICENCE, "package/../../evil": b"x"}
    hook.extract_font(archive(tmp_path / "a.tgz", files), tmp_path / "out")
    assert {found.name: found.read_bytes() for found in (tmp_path / "out").iterdir()} == {
        "font.sf2": FONT, "LICENSE": LICENCE,
    }  # fmt: skip


@pytest.mark.parametrize(
    "files",
    [
        {"package/font.sf2": b"other font", "package/LICENSE": LICENCE},
        {"package/font.sf2": FONT, "package/LICENSE": b"other"},
        {"package/font.sf2": FONT},
        {},
    ],
)
def test_anything_but_what_is_pinned_is_refused_whole(
    hook: ModuleType, tmp_path: Path, files: dict[str, bytes]
) -> None:
    with pytest.raises(hook.FontError):
        hook.extract_font(archive(tmp_path / "a.tgz", files), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_archive_is_refused(hook: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.tgz").write_bytes(b"<html>busy</html>")
    with pytest.raises(hook.FontError, match=r"a\.tgz"):
        hook.extract_font(tmp_path / "a.tgz", tmp_path / "out")


def test_nothing_is_downloaded_when_all_is_there(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook.shutil, "which", lambda _: None)
    with pytest.raises(hook.FontError, match="npm is not installed"):
        hook.fetch_font(tmp_path)
    (tmp_path / "font.sf2").write_bytes(FONT)
    (tmp_path / "LICENSE").write_bytes(LICENCE)
    hook.fetch_font(tmp_path)


def test_the_build_goes_on_without_npm(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WOODSHED_NO_SOUNDFONT", raising=False)
    monkeypatch.setattr(hook.shutil, "which", lambda _: None)
    builder = hook.CustomBuildHook.__new__(hook.CustomBuildHook)
    monkeypatch.setattr(hook.CustomBuildHook, "root", str(tmp_path), raising=False)
    builder.initialize("standard", {})
    assert capsys.readouterr().err.count("\n") == 1

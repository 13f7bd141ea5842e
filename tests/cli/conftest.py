"""Running commands in this process, and looking at what they say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from woodshed.cli.app import run


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def woodshed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """``woodshed("generate", bundle, "-o", path)``"""
    monkeypatch.delenv("WOODSHED_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


@pytest.fixture
def refuses(woodshed: Callable[..., Said]) -> Callable[..., str]:
    """Runs a command that must fail as it should: one line, nothing on stdout; returns that line."""

    def call(code: int, *arguments: object) -> str:
        said = woodshed(*arguments)
        assert said.code == code, said
        assert said.out == ""
        assert "Traceback" not in said.err
        errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, said.err
        assert said.err.splitlines()[-1] == errors[0]
        return errors[0]

    return call


@pytest.fixture
def own_bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the tiny bundle, which a test may damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "own.shed"))

"""The command line as a whole: its verbs, its help, and what it does not load."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

import pytest
import typer

from woodshed.cli.app import VERBS, build_app

NAMED_IN_THE_DESIGN = {
    "demo", "doctor", "corpus", "data", "recipes", "train", "generate", "continue", "infill", "accompany", "solo",
    "harmonise", "vary", "humanise", "interpolate", "radio", "evaluate", "report", "novelty",
    "listen-test", "render",
}  # fmt: skip
HEAVY = {"numpy", "torch", "scipy", "matplotlib", "symusic", "pyarrow", "music21", "soundfile", "httpx", "rich"}


def commands() -> Iterator[tuple[str, Any]]:
    """``"corpus build"``, its command."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield name, command
        for word, below in getattr(command, "commands", {}).items():
            yield from walk(f"{name} {word}".strip(), below)

    yield from walk("", typer.main.get_command(build_app()))


def test_the_verbs_are_those_of_the_design() -> None:
    assert set(VERBS) == NAMED_IN_THE_DESIGN
    assert {name for name, _ in commands() if name and " " not in name} == NAMED_IN_THE_DESIGN
    assert {name for name, _ in commands() if " " in name} == {
        "corpus build", "corpus show", "data list", "data get", "listen-test make", "listen-test score",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_and_option_says_what_it_is_for(name: str, command: Any) -> None:
    assert command.help, name
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{name} {parameter.name}"


def test_every_verb_speaks_json() -> None:
    for name, command in commands():
        if not hasattr(command, "commands"):
            assert "--json" in {option for parameter in command.params for option in parameter.opts}, name


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_help_answers_on_stdout(woodshed: Callable[..., Any], name: str) -> None:
    said = woodshed(*name.split(), "--help")
    assert said.code == 0
    assert "Usage: woodshed" in said.out
    assert said.err == ""


def test_the_version(woodshed: Callable[..., Any]) -> None:
    assert woodshed("--version").out == f"woodshed {version('woodshed')}\n"


def test_help_loads_nothing_heavy() -> None:
    code = """
import contextlib, io, sys
from woodshed.cli.app import run
with contextlib.redirect_stdout(io.StringIO()):
    assert run(["--help"]) == 0
    assert run(["train", "--help"]) == 0
print(*{name.partition(".")[0] for name in sys.modules})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert HEAVY.isdisjoint(done.stdout.split())


def test_the_installed_command_is_ours() -> None:
    from woodshed import cli

    assert inspect.isfunction(cli.main)
    done = subprocess.run(
        [sys.executable, "-m", "woodshed", "--version"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"woodshed {version('woodshed')}\n"


def test_output_into_a_closed_pipe_says_nothing() -> None:
    code = """
import sys, os
from woodshed.cli.app import run
def closed(*_): raise BrokenPipeError(32, "Broken pipe")
sys.stdout.write = closed
sys.exit(run(["recipes"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == 1

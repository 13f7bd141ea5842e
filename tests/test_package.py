"""The package as a whole: its front door, what importing it costs, and that every module can be imported."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import tomllib
from importlib.metadata import requires, version
from pathlib import Path
from types import ModuleType

import pytest

import woodshed

REPOSITORY = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "scipy", "matplotlib", "symusic", "pyarrow", "music21", "soundfile", "httpx")
"""What takes long to import, and so is imported only by the function that needs it."""


def modules() -> list[str]:
    return [module.name for module in pkgutil.walk_packages(woodshed.__path__, "woodshed.")]


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh Python has after running ``code``."""
    listing = "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules}, sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code + listing], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("name", modules())
def test_every_module_can_be_imported_and_says_what_it_is_for(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__ or not Path(str(module.__file__)).read_text(encoding="utf-8").strip()


def test_the_front_door_is_sorted_and_nothing_leaks_through_it() -> None:
    names = list(getattr(woodshed, "__all__", []))
    assert names == sorted(names)
    for name in names:
        assert not isinstance(getattr(woodshed, name), ModuleType), f"{name} is a module"
    public = {name for name, value in vars(woodshed).items() if name[0] != "_" and not isinstance(value, ModuleType)}
    assert public - {"annotations"} <= set(names)


def test_importing_woodshed_loads_nothing_heavy() -> None:
    assert loaded_by("import woodshed").isdisjoint({*HEAVY, "numpy"})


def test_the_command_line_loads_nothing_heavy() -> None:
    assert loaded_by("import woodshed.cli").isdisjoint(HEAVY)
    help_page = (
        "import sys, contextlib, woodshed.cli; sys.argv[1:] = ['--help']\n"
        "with contextlib.suppress(SystemExit): woodshed.cli.main()"
    )
    assert loaded_by(help_page).isdisjoint(HEAVY)


def test_one_version_everywhere() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == woodshed.__version__ == version("woodshed")


def test_everything_required_is_pinned() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    wanted = [requirement.split(";")[0] for requirement in requires("woodshed") or ()]
    names = {"".join(c if c.isalnum() or c in "-_" else " " for c in line).split()[0] for line in wanted}
    assert {name.lower().replace("_", "-") for name in names} <= pinned

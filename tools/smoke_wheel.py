"""Install a wheel into a fresh environment and try the ``woodshed`` command there.

Proves that the wheel holds all that the package needs at run time: nothing is read from the source folder.
What Woodshed depends on is borrowed from the environment this runs in, so it takes seconds.

    python tools/smoke_wheel.py dist/woodshed-0.1.0-py3-none-any.whl
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

COMMANDS = (
    ("woodshed", "--version"),
    ("woodshed", "--help"),
    ("woodshed", "recipes"),
    ("woodshed", "data", "list"),
)
"""What must end well where only the wheel is installed: add a line here for each new promise."""

REQUIRED = (
    "woodshed/py.typed",
    "woodshed/errors.py",
    "woodshed/corpus/manifests/freedoom.gz",
    "woodshed/evaluation/listening.css",
    "woodshed/evaluation/listening.html",
    "woodshed/evaluation/listening.js",
    "woodshed/evaluation/report.css",
    "woodshed/evaluation/report.js",
    "woodshed/recipes/band.toml",
)
"""What must be inside the wheel: one of each kind of file that is no Python."""


def check_contents(wheel: Path) -> None:
    """Stop if the wheel lacks a required file."""
    names = set(zipfile.ZipFile(wheel).namelist())
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise SystemExit(f"{wheel.name} lacks {', '.join(missing)}")


def clean_environment(folder: Path, wheel: Path) -> Path:
    """A fresh environment with the wheel, borrowing this one's other packages; returns its folder of programs."""
    venv.create(folder, with_pip=False, symlinks=True)
    scheme = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    programs = Path(sysconfig.get_path("scripts", "venv", scheme))
    install = ("-m", "pip", "--disable-pip-version-check", "--python", str(programs / "python"), "install", "--quiet")
    subprocess.run([sys.executable, *install, "--no-deps", "--no-index", str(wheel)], check=True)
    # A path line makes the borrowed packages importable without running their .pth files,
    # among them the one that would bring the source folder in.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return programs


def run(programs: Path, command: tuple[str, ...], folder: Path) -> None:
    """Run one command away from the source folder; stop if it fails."""
    done = subprocess.run(
        [programs / command[0], *command[1:]], cwd=folder, capture_output=True, text=True, timeout=120
    )
    print(f"{'ok    ' if done.returncode == 0 else 'FAILED'} {' '.join(command)}")
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def main(wheel: Path) -> None:
    check_contents(wheel)
    with tempfile.TemporaryDirectory(prefix="woodshed-wheel-") as name:
        folder = Path(name)
        programs = clean_environment(folder / "venv", wheel.resolve())
        where = "import woodshed, sys; sys.exit(not woodshed.__file__.startswith(sys.prefix))"
        subprocess.run([programs / "python", "-c", where], cwd=folder, check=True)
        for command in COMMANDS:
            run(programs, command, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

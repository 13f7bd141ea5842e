"""Build hook: put the default SoundFont (Sonivox, Apache-2.0) and its licence into the wheel.

The font is not in the repository. It comes from a pinned release of an npm package, with `npm pack`, and is
taken only when its checksum is the known one. Without npm or without a network the build still works, says so in one
line, and the program looks for an installed SoundFont instead. Set WOODSHED_NO_SOUNDFONT=1 to leave it out.
Needs hatchling and the standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "@coderline/alphatab@1.8.4"
FOLDER = Path("src") / "woodshed" / "rendering" / "soundfonts"
FILES = {
    "sonivox.sf2": (
        "package/dist/soundfont/sonivox.sf2",
        "4978cf37e7164206f2d22dc4fdf4020ffe040787210bf781e31bdc79961f59ef",
    ),
    "SONIVOX-LICENSE.txt": (
        "package/dist/soundfont/LICENSE",
        "57d801cd718614be838c71f35cf3dcbf5c011fa20130c194a447483dfa2771c5",
    ),
}
"""File -> its place in the package, and the SHA-256 of its content."""
MAX_BYTES = 16 << 20
"""Largest file that is taken out of the package."""
SECONDS = 120
"""How long npm may take."""


class FontError(Exception):
    """The font cannot be had, for the reason that the message gives."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Fetch the font before a wheel (editable or not) is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = Path(self.root) / FOLDER
        if os.environ.get("WOODSHED_NO_SOUNDFONT"):
            return
        try:
            fetch_font(folder)
        except FontError as error:
            print(f"woodshed: built without the default SoundFont ({error}); an installed one is used", file=sys.stderr)


def fetch_font(folder: Path) -> None:
    """Have every file of `FILES` in ``folder``; download only what is not there yet.

    Raises:
        FontError: when npm is missing or fails, or what came is not what is pinned.
    """
    if all(_checksum(folder / name) == expected for name, (_, expected) in FILES.items()):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise FontError("npm is not installed")
    with tempfile.TemporaryDirectory() as temporary:
        command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", temporary]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=SECONDS, cwd=temporary)
        except (OSError, subprocess.SubprocessError) as error:
            raise FontError(f"npm pack {PACKAGE} failed: {type(error).__name__}") from error
        archives = sorted(Path(temporary).glob("*.tgz"))
        if not archives:
            raise FontError(f"npm pack {PACKAGE} left no archive")
        extract_font(archives[0], folder)


def extract_font(archive: Path, folder: Path) -> None:
    """Copy the files of `FILES` out of a package, each only when its checksum is right, all or none.

    Raises:
        FontError: when one is missing, too large or different.
    """
    contents: dict[str, bytes] = {}
    try:
        with tarfile.open(archive) as package:
            for name, (member, expected) in FILES.items():
                contents[name] = _read_member(package, member)
                if hashlib.sha256(contents[name]).hexdigest() != expected:
                    raise FontError(f"{member} has another checksum than the pinned one")
    except (OSError, tarfile.TarError, EOFError) as error:
        raise FontError(f"{archive.name} cannot be read") from error
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        temporary = folder / f".{name}.{os.getpid()}"
        temporary.write_bytes(content)
        os.replace(temporary, folder / name)


def _read_member(package: tarfile.TarFile, name: str) -> bytes:
    """One plain file of an archive, by its exact name."""
    try:
        member = package.getmember(name)
    except KeyError:
        raise FontError(f"{name} is not in the package") from None
    file = package.extractfile(member) if member.isfile() and member.size <= MAX_BYTES else None
    if file is None:
        raise FontError(f"{name} is no plain file of at most {MAX_BYTES} bytes")
    return file.read()


def _checksum(path: Path) -> str:
    """SHA-256 of a file; empty when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""

"""An output folder that appears only when it is complete."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from woodshed.errors import FileError, OutputExists


def check_output(out: Path, marker: str, *, force: bool) -> None:
    """Refuse to replace anything but an empty folder or, with ``force``, a folder that holds ``marker``.

    Raises:
        OutputExists: naming the remedy.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / marker).is_file():
        raise OutputExists(f"{out} is there and is no corpus, so it will not be replaced; choose another name")
    if not force:
        raise OutputExists(f"{out} is there; use --force to replace it, or choose another name")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that takes its place if all goes well, and vanishes if not.

    Raises:
        FileError: if the disk is full or does not allow it; nothing is left behind.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror}; choose another place") from error
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp makes it private
        _put_in_place(temporary, out)
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror or error}; nothing was left behind") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, out: Path) -> None:
    if not out.exists():
        temporary.rename(out)
        return
    old = temporary.with_name(temporary.name + ".old")
    out.rename(old)
    temporary.rename(out)
    shutil.rmtree(old)

"""Outputs appear whole or not at all: a temporary file in the same folder, then one rename."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from woodshed.errors import FileError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path with the same suffix, which becomes ``path`` when the block ends without an error.

    Raises:
        FileError: where the folder is missing or cannot be written, or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(4)}{path.suffix}")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(f"{path} cannot be written: {reason}; choose a folder that exists and has room") from error
    finally:
        temporary.unlink(missing_ok=True)

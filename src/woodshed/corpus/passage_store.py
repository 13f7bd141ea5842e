"""An index of passages on disk: one safetensors file, with the names of its songs and a key in its head.

The **key** says of what it was made: the songs, in order, and the version of the index. A file with another key, or a
damaged one, is not used, and written anew. Nothing in it is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.corpus.passage_search import SEED
from woodshed.corpus.passages import KINDS, IndexedSong, PassageIndex

VERSION = 1
"""Of lines, symbols and arrays; a change in any of these makes another."""
FILE = "passages.safetensors"


def passages_key(contents: Iterable[str]) -> str:
    """The key of an index of songs with these ids or checksums, in their order."""
    return hashlib.sha256("\n".join([f"passages {VERSION} {SEED}", *contents]).encode()).hexdigest()


def save_index(index: PassageIndex, path: Path, key: str) -> None:
    """Write an index, whole or not at all.

    Raises:
        OSError: where that is not possible.
    """
    from safetensors.numpy import save

    head = {"key": key, "songs": json.dumps([asdict(song) for song in index.songs], ensure_ascii=False)}
    arrays = {name: np.ascontiguousarray(array) for name, array in index.arrays.items()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(save(arrays, metadata=head))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_index(path: Path, key: str) -> PassageIndex | None:
    """The index of this key, or None if there is none that is whole."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = path.read_bytes()
        head = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])["__metadata__"]
        if head["key"] != key:
            return None
        songs = tuple(IndexedSong(**song) for song in json.loads(head["songs"]))
        arrays = load(content)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, struct.error):
        return None
    return PassageIndex(songs, arrays) if _fits(arrays) else None


def _fits(arrays: dict[str, NDArray[Any]]) -> bool:
    """Whether all arrays are there and none points outside another: compiled code trusts them."""
    if {name: str(array.dtype) for name, array in arrays.items()} != KINDS:
        return False
    size, lines = len(arrays["text"]), len(arrays["line_song"])
    symbols, groups, songs = len(arrays["codes"]), len(arrays["seed_keys"]), len(arrays["notes"])
    long = all(len(arrays[name]) == size for name in ("order", "time", "pitch", "note", "line"))
    short = len(arrays["bits"]) == symbols and len(arrays["seed_low"]) == len(arrays["seed_high"]) == groups
    if not (long and short and len(arrays["begin"]) == lines + 1 and arrays["line_parts"].shape == (lines, 2)):
        return False
    bounds = {"order": size, "line": lines, "begin": size + 1, "line_song": songs, "text": symbols + lines}
    bounds |= {"seed_low": size + 1, "seed_high": size + 1}
    inside = all(
        not len(arrays[name]) or 0 <= int(arrays[name].min()) <= int(arrays[name].max()) < bound
        for name, bound in bounds.items()
    )
    if not inside:
        return False
    begin = np.searchsorted(arrays["line"], np.arange(lines + 1))
    ends = np.flatnonzero(arrays["text"] >= symbols)
    return np.array_equal(arrays["begin"], begin) and np.array_equal(ends, begin[1:] - 1)

"""The other end of `pool`: a process that reads files when asked, so that a crash costs a file, not a build.

Run as ``python -m woodshed.corpus.worker``. A request and a reply are each one frame: two 8-byte lengths,
a JSON text, and bytes. The bytes of a reply are the arrays of its songs, one after another in the order of
`woodshed.music.song.ARRAYS`, and at the end their phrases.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from woodshed.corpus.analyse import Finding, analyse
from woodshed.corpus.fingerprints import fingerprints
from woodshed.music.song import ARRAYS

MEMORY_BYTES = 4 << 30
"""Address space of one worker, where the system can bound it."""
_LENGTHS = struct.Struct("<QQ")


@dataclass(frozen=True)
class Reply:
    """What a worker found out about some files."""

    findings: list[Finding]
    phrases: list[NDArray[np.uint32]]
    """The fingerprint of each file, empty for the unusable ones."""
    arrays: bytes
    """The songs' arrays; the unusable files have none."""


def work(paths: Sequence[tuple[str, str]], limits: Mapping[str, Any], *, notes: bool) -> Reply:
    """Analyse some files, given as (path, name); without ``notes``, only the findings are sent back."""
    found = [analyse(Path(path), name, limits=limits) for path, name in paths]
    findings, songs = [finding for finding, _ in found], [song for _, song in found if song is not None]
    if not notes:
        return Reply(findings, [], b"")
    phrases = iter(fingerprints([song.notes for song in songs], [song.parts for song in songs]))
    nothing = np.empty(0, np.uint32)
    arrays = b"".join(getattr(song, name).tobytes() for song in songs for name in ARRAYS)
    return Reply(findings, [nothing if finding.reason else next(phrases) for finding in findings], arrays)


def write_frame(stream: BinaryIO, facts: Any, body: bytes = b"") -> None:
    """Send one frame."""
    text = json.dumps(facts).encode()
    stream.write(_LENGTHS.pack(len(text), len(body)))
    stream.write(text)
    stream.write(body)
    stream.flush()


def read_frame(stream: BinaryIO) -> tuple[Any, bytes]:
    """Receive one frame.

    Raises:
        EOFError: if the other end is gone.
    """
    head = stream.read(_LENGTHS.size)
    text_bytes, body_bytes = _LENGTHS.unpack(head) if len(head) == _LENGTHS.size else (0, 0)
    text, body = stream.read(text_bytes), stream.read(body_bytes)
    if not text_bytes or len(text) != text_bytes or len(body) != body_bytes:
        raise EOFError("the other end is gone")
    return json.loads(text), body


def send_reply(stream: BinaryIO, reply: Reply) -> None:
    """Send a reply as one frame."""
    phrases = np.concatenate([*reply.phrases, np.empty(0, np.uint32)]).tobytes()
    facts = {
        "findings": [finding.as_json() for finding in reply.findings],
        "phrases": [len(found) for found in reply.phrases],
    }
    write_frame(stream, facts, reply.arrays + phrases)


def receive_reply(stream: BinaryIO) -> Reply:
    """The inverse of `send_reply`."""
    facts, body = read_frame(stream)
    cut = len(body) - 4 * sum(facts["phrases"])
    phrases = np.frombuffer(body, np.uint32, offset=cut).copy()  # a view would keep all notes in memory
    parted = np.split(phrases, np.cumsum(facts["phrases"])[:-1]) if facts["phrases"] else []
    return Reply([Finding.from_json(item) for item in facts["findings"]], parted, body[:cut])


def main() -> None:
    """Say hello, then answer requests until the other end closes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the frames
    _bound_memory()
    write_frame(answers, "hello")
    while True:
        try:
            request, _ = read_frame(sys.stdin.buffer)
        except EOFError:
            return
        send_reply(answers, work(request["paths"], request["limits"], notes=request["notes"]))


def _bound_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, OSError, ValueError):
        return  # the system cannot; the caps of the readers still hold


if __name__ == "__main__":
    main()

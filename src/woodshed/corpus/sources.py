"""Where the files of a published set come from: addresses on the web, or a folder that mirrors them.

A source brings one file at a time into a ``.part`` file and checks it against the manifest; several threads
may use it at once. Nothing a server says is believed: no more is written than the manifest allows, and only
the checksum decides.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from woodshed.corpus.datasets import Dataset, Entry
from woodshed.errors import DownloadError

if TYPE_CHECKING:
    import httpx

CONNECTIONS = 6
"""Files fetched at the same time."""
ATTEMPTS = 4
"""For each address, before it counts as not answering."""
FIRST_PAUSE_SECONDS = 0.5
"""Before the second attempt; doubled before each further one."""
LONGEST_PAUSE_SECONDS = 30.0
"""However long a server asks us to wait."""
TIMEOUT_SECONDS = 15.0
"""To connect, and between two pieces of an answer."""
NOTICE_LIMIT_BYTES = 1 << 20
"""The most that a licence or credits file may weigh today."""
PIECE_BYTES = 1 << 16
"""Read, counted and written at once."""

Progress = Callable[[int, int], None]
"""Called with the bytes that are there and those of the whole set."""


class Wrong(Exception):
    """A file is absent, or not what the manifest lists; the message says how, to follow the file's name."""


class Stopped(Exception):
    """Another file failed, or the user pressed Ctrl-C."""


class Cut(Exception):
    """The answer broke off, or the server is busy: worth another attempt, after a pause if it asks for one."""

    def __init__(self, message: str, pause_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


@dataclass
class Meter:
    """Adds up, over all threads, what is there; also carries the wish to stop."""

    total_bytes: int
    """Of the whole set."""
    progress: Progress | None = None
    """Told of every change, by one thread at a time."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when no thread should begin another piece."""
    _done_bytes: int = 0
    _per_path: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def report(self, entry: Entry, done_bytes: int) -> None:
        """So much of this file is there; less than before if it has to begin again."""
        with self._lock:
            self._done_bytes += done_bytes - self._per_path.get(entry.path, 0)
            self._per_path[entry.path] = done_bytes
            if self.progress:
                self.progress(min(self._done_bytes, self.total_bytes), self.total_bytes)


class Source(Protocol):
    """Where files come from; a context manager, because it may hold connections."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def fetch(self, entry: Entry, part: Path, meter: Meter) -> None:
        """Bring a file into ``part`` and check it there.

        Raises:
            Wrong: it is absent or not what the manifest lists; ``part`` is then gone.
            Stopped: as the meter wished; ``part`` then holds what has come so far.
            DownloadError: the source does not answer at all.
            OSError: reading or writing failed.
        """


class FolderSource:
    """A mirror on a disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def fetch(self, entry: Entry, part: Path, meter: Meter) -> None:
        """Copy a file; one that is too long is not even begun."""
        if meter.stopping.is_set():
            raise Stopped
        origin = self._root / entry.path
        if not origin.is_file():
            raise Wrong(f"is not on the mirror {self._root}")
        if (size := origin.stat().st_size) > limit_bytes(entry):
            raise Wrong(f"has {size} bytes on the mirror {self._root}, not {entry.size_bytes}")
        shutil.copyfile(origin, part)
        check(part, entry)
        meter.report(entry, entry.size_bytes)


class WebSource:
    """Files behind addresses: each file may have several, asked in turn."""

    def __init__(self, addresses: Callable[[Entry], Iterator[str]], dataset: Dataset) -> None:
        import httpx

        self._addresses = addresses
        self._folder = dataset.folder
        self._client = httpx.Client(
            timeout=TIMEOUT_SECONDS,
            follow_redirects=True,
            limits=httpx.Limits(max_connections=CONNECTIONS),
            # A compressed answer could not be resumed by byte position.
            headers={"Accept-Encoding": "identity", "User-Agent": "woodshed"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def fetch(self, entry: Entry, part: Path, meter: Meter) -> None:
        """Ask each address until one gives the right file."""
        problem = Wrong("has no address")
        for address in self._addresses(entry):
            try:
                self._ask(address, entry, part, meter)
            except Wrong as wrong:
                problem = wrong
            else:
                meter.report(entry, entry.size_bytes)  # a notice may weigh something else today
                return
        meter.report(entry, 0)
        raise problem

    def _ask(self, address: str, entry: Entry, part: Path, meter: Meter) -> None:
        """Ask one address, again after a pause if it is cut or busy, and check what came."""
        import httpx

        pause_seconds = FIRST_PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._receive(address, entry, part, meter)
                return
            except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as problem:
                raise self._unreachable(address, problem) from problem
            except (httpx.HTTPError, Cut) as problem:
                if attempt == ATTEMPTS:
                    raise self._unreachable(address, problem) from problem
                asked_seconds = problem.pause_seconds if isinstance(problem, Cut) else 0.0
                if meter.stopping.wait(min(max(pause_seconds, asked_seconds), LONGEST_PAUSE_SECONDS)):
                    raise Stopped from problem
                pause_seconds *= 2

    def _receive(self, address: str, entry: Entry, part: Path, meter: Meter) -> None:
        """Ask for what ``part`` lacks, append it and check the whole."""
        have_bytes = part.stat().st_size if part.is_file() else 0
        if entry.is_notice or have_bytes >= entry.size_bytes:  # what is there may be of another version
            have_bytes = 0
        asks = {"Range": f"bytes={have_bytes}-"} if have_bytes else {}
        with self._client.stream("GET", address, headers=asks) as response:
            _refuse_failure(response, address, part)
            is_rest = response.status_code == 206
            if is_rest and not response.headers.get("Content-Range", "").startswith(f"bytes {have_bytes}-"):
                part.unlink(missing_ok=True)
                raise Cut("answered with another range than asked for")
            _append(response, entry, part, meter, have_bytes if is_rest else 0)
            is_measured = "Content-Length" in response.headers
        if not is_measured and part.stat().st_size < entry.size_bytes and not entry.is_notice:
            raise Cut("the answer broke off")
        try:
            check(part, entry)
        except Wrong as wrong:
            if is_rest:  # the first half may be of another version: once more, from the start
                raise Cut(f"{entry.path} {wrong}") from wrong
            raise

    def _unreachable(self, address: str, problem: Exception) -> DownloadError:
        reason = str(problem) or type(problem).__name__
        return DownloadError(
            f"{address} does not answer ({reason}); go online and run the same command to go on, "
            f"or name a copy with --mirror: a folder or address that holds {self._folder}/"
        )


def _refuse_failure(response: httpx.Response, address: str, part: Path) -> None:
    """Tell an answer that is worth another attempt from one that is not; 200 and 206 pass."""
    status = response.status_code
    if status == 416:  # the .part is longer than the file now is
        part.unlink(missing_ok=True)
        raise Cut("has no such range")
    if status == 429 or status >= 500:
        asked = response.headers.get("Retry-After", "")
        raise Cut(f"status {status}", float(asked) if asked.isdecimal() else 0.0)
    if status not in (200, 206):
        raise Wrong(f"is not at {address} (status {status})")


def _append(response: httpx.Response, entry: Entry, part: Path, meter: Meter, have_bytes: int) -> None:
    """Write an answer behind the first ``have_bytes`` of ``part``, never more than the manifest allows."""
    with part.open("ab" if have_bytes else "wb") as stream:
        for piece in response.iter_raw(PIECE_BYTES):
            if meter.stopping.is_set():
                raise Stopped
            have_bytes += len(piece)
            if have_bytes > limit_bytes(entry):
                break
            stream.write(piece)
            meter.report(entry, have_bytes)
    if have_bytes > limit_bytes(entry):
        part.unlink()
        raise Wrong(f"is longer than the {limit_bytes(entry)} bytes of the manifest")


def limit_bytes(entry: Entry) -> int:
    """The most that may be written for a file, whatever a server claims."""
    return NOTICE_LIMIT_BYTES if entry.is_notice else entry.size_bytes


def check(part: Path, entry: Entry) -> None:
    """Remove a file that is not what the manifest lists.

    Raises:
        Wrong: saying how it differs.
    """
    if not entry.is_notice and (difference := fault(part, entry)):
        part.unlink()
        raise Wrong(difference)


def fault(path: Path, entry: Entry) -> str:
    """How a file differs from the manifest; empty if it does not."""
    if (size := path.stat().st_size) != entry.size_bytes:
        return f"has {size} bytes where the manifest says {entry.size_bytes}"
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return "" if digest == entry.sha256 else "has the wrong checksum"

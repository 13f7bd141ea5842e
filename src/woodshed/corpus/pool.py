"""Many files through several workers; a worker that dies or hangs costs only the file it died on.

Plain child processes rather than `multiprocessing`: a script that imports Woodshed needs no main guard, no
state is inherited, and nothing but JSON and arrays crosses the pipes. A chunk whose worker died is asked
again file by file, so the one to blame becomes known.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from woodshed.corpus.analyse import Finding
from woodshed.corpus.scan import Source
from woodshed.corpus.worker import Reply, read_frame, receive_reply, work, write_frame
from woodshed.errors import FileError

CHUNK = 64
"""Files that a worker is asked about at once, at most."""


@dataclass(frozen=True)
class Job:
    """How files are to be read."""

    workers: int
    """Processes; 0 works in this one, without protection from crashes."""
    notes: bool = True
    """Whether the notes and phrases are wanted too."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """See `woodshed.corpus.analyse.analyse`."""
    file_seconds: float = 60.0
    """A file that takes longer is given up; a chunk may take this plus one second per file."""
    command: tuple[str, ...] = (sys.executable, "-m", "woodshed.corpus.worker")
    """How a worker is started."""


def read_all(sources: Sequence[Source], job: Job) -> Iterator[tuple[int, Reply]]:
    """Yield (index of the first source, reply) for each chunk of sources, in whatever order they are done.

    Raises:
        FileError: if no worker can be started.
    """
    chunks = _chunks(sources, job.workers)
    if job.workers == 0:
        for first, paths in chunks:
            yield first, work(paths, job.limits, notes=job.notes)
        return
    crew = _Crew(chunks, job)
    try:
        yield from crew.replies(len(chunks))
    finally:
        crew.dismiss()


def _chunks(sources: Sequence[Source], workers: int) -> list[tuple[int, list[tuple[str, str]]]]:
    """Pieces that are small enough to keep all workers busy to the end."""
    size = min(max(len(sources) // max(8 * workers, 1), 1), CHUNK)
    paths = [(os.path.abspath(source.path), source.name) for source in sources]
    return [(first, paths[first : first + size]) for first in range(0, len(paths), size)]


class _Crew:
    """One thread per worker: it asks, waits, and starts another worker when one has died."""

    def __init__(self, chunks: Sequence[tuple[int, list[tuple[str, str]]]], job: Job) -> None:
        self._job = job
        self._todo: queue.SimpleQueue[tuple[int, list[tuple[str, str]]]] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, Reply] | BaseException] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._desks = [_Desk(job) for _ in range(min(job.workers, len(chunks)))]
        for chunk in chunks:
            self._todo.put(chunk)
        self._threads = [threading.Thread(target=self._serve, args=(desk,), daemon=True) for desk in self._desks]
        for thread in self._threads:
            thread.start()

    def replies(self, count: int) -> Iterator[tuple[int, Reply]]:
        while count:
            try:
                answer = self._done.get(timeout=0.5)  # not for ever, so that Ctrl-C is heard on every system
            except queue.Empty:
                continue
            if isinstance(answer, BaseException):
                raise answer
            yield answer
            count -= 1

    def dismiss(self) -> None:
        self._stopped.set()
        for desk in self._desks:
            desk.close()
        for thread in self._threads:
            thread.join()

    def _serve(self, desk: _Desk) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    first, paths = self._todo.get_nowait()
                except queue.Empty:
                    return
                self._done.put((first, self._reply(desk, paths)))
        except BaseException as error:  # handed to the caller's thread, which raises it
            self._done.put(error)
        finally:
            desk.close()

    def _reply(self, desk: _Desk, paths: list[tuple[str, str]]) -> Reply:
        reply = desk.ask(paths)
        if reply is not None:
            return reply
        if len(paths) == 1 or self._stopped.is_set():
            return Reply([_lost(name, desk.hung, self._job) for _, name in paths], [_nothing()] * len(paths), b"")
        apart = [self._reply(desk, [path]) for path in paths]
        return Reply(
            [finding for reply in apart for finding in reply.findings],
            [phrases for reply in apart for phrases in reply.phrases],
            b"".join(reply.arrays for reply in apart),
        )


class _Desk:
    """One worker process at a time."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._process: subprocess.Popen[bytes] | None = None
        self.hung = False

    def ask(self, paths: list[tuple[str, str]]) -> Reply | None:
        """The worker's reply, or None if it died of the question or took too long."""
        process = self._process or self._start()
        self.hung = False
        alarm = threading.Timer(self._job.file_seconds + len(paths), self._give_up)
        alarm.daemon = True
        alarm.start()
        try:
            write_frame(process.stdin, {"paths": paths, "limits": dict(self._job.limits), "notes": self._job.notes})  # type: ignore[arg-type]
            return receive_reply(process.stdout)  # type: ignore[arg-type]
        except (EOFError, OSError, ValueError):
            self.close()
            return None
        finally:
            alarm.cancel()
            alarm.join()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                _close_quietly(stream)

    def _give_up(self) -> None:
        self.hung = True
        if self._process is not None:
            self._process.kill()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # as many workers as cores are enough
        try:
            self._process = subprocess.Popen(
                self._job.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=environment, start_new_session=True,  # so that Ctrl-C reaches only us, and we dismiss them
            )  # fmt: skip
            read_frame(self._process.stdout)  # type: ignore[arg-type]  # it says hello once all is imported
        except (EOFError, OSError) as error:
            raise FileError(f"cannot start a worker ({error}); read with 0 workers, in this process") from error
        return self._process


def _lost(name: str, hung: bool, job: Job) -> Finding:
    if hung:
        return Finding(name, reason="took too long", detail=f"{name}: not read within {job.file_seconds:g} seconds")
    return Finding(name, reason="crashed the reader", detail=f"{name}: the process that read it died")


def _nothing() -> Any:
    import numpy as np

    return np.empty(0, np.uint32)


def _close_quietly(stream: Any) -> None:
    try:
        stream.close()
    except OSError:
        return  # a pipe with no reader left

"""A worker that dies or hangs costs only the file it died on."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from woodshed.corpus.pool import Job, read_all
from woodshed.corpus.scan import Source
from woodshed.corpus.worker import Reply
from woodshed.errors import FileError

TOUCHY = """
    import os, signal, sys, time
    from woodshed.corpus import worker
    from woodshed.corpus.analyse import Finding

    def work(paths, limits, *, notes):
        for path, name in paths:
            if "segfault" in name:
                os.kill(os.getpid(), signal.SIGSEGV)
            if "hang" in name:
                time.sleep(60)
            print("chatter that must not get between the frames")
        phrases = [worker.np.arange(3, dtype="u4") for _ in paths]
        return worker.Reply([Finding(name) for _, name in paths], phrases, b"..")

    worker.work = work
    worker.main()
"""


def touchy(**rest: float) -> Job:
    """Two workers that die of some names and sleep at others."""
    return Job(2, command=(sys.executable, "-c", textwrap.dedent(TOUCHY)), **rest)  # type: ignore[arg-type]


def read(names: list[str], job: Job) -> dict[str, str]:
    """Name -> why it is unusable."""
    sources = [Source(Path(name), name) for name in names]
    replies: list[tuple[int, Reply]] = sorted(read_all(sources, job), key=lambda item: item[0])
    found = [finding for _, reply in replies for finding in reply.findings]
    assert [finding.source for finding in found] == names
    assert all(len(reply.phrases) == len(reply.findings) for _, reply in replies)
    return {finding.source: finding.reason for finding in found}


def test_a_file_that_kills_its_reader_costs_only_itself() -> None:
    names = [f"{number}.mid" for number in range(40)]
    names[7], names[23] = "segfault a.mid", "segfault b.mid"
    reasons = read(names, touchy())
    assert {name for name, reason in reasons.items() if reason} == {"segfault a.mid", "segfault b.mid"}
    assert reasons["segfault a.mid"] == "crashed the reader"


def test_a_file_that_hangs_its_reader_is_given_up() -> None:
    reasons = read(["a.mid", "hang.mid"], touchy(file_seconds=0.2))
    assert reasons == {"a.mid": "", "hang.mid": "took too long"}


def test_workers_that_cannot_start_are_one_line() -> None:
    job = Job(1, command=(sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(FileError, match="cannot start a worker"):
        read(["a.mid"], job)
    with pytest.raises(FileError, match="cannot start a worker"):
        read(["a.mid"], Job(1, command=("/no/such/program",)))


def test_leaving_early_dismisses_the_workers() -> None:
    """As Ctrl-C does: the generator is closed where it stands."""
    import threading

    before = threading.active_count()
    replies = read_all([Source(Path("a.mid"), "a.mid")] + [Source(Path("hang.mid"), "hang.mid")] * 5, touchy())
    next(replies)
    replies.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_arrays_and_phrases_come_through_a_worker_as_they_are() -> None:
    replies = list(read_all([Source(Path("a.mid"), "a.mid")], touchy()))
    assert replies[0][1].arrays == b".."
    assert np.array_equal(replies[0][1].phrases[0], [0, 1, 2])

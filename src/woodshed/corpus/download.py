"""Fetch a published set of music: several files at a time, resumed after a cut, never half-written.

A file is written to ``NAME.part`` beside its place and moved there once size and SHA-256 agree with the
manifest. A cut connection leaves the ``.part``, and the next attempt asks for the rest of it. Licences and
credits are taken as their makers publish them today, changed or absent, because nothing is learned from them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from urllib.parse import quote

from woodshed.corpus.datasets import HOST, Dataset, Entry, find_dataset
from woodshed.corpus.sources import CONNECTIONS, FolderSource, Meter, Progress, Source, WebSource, Wrong, fault
from woodshed.errors import DownloadError, FileError


def get_dataset(name: str, folder: Path, *, mirror: str | Path | None = None, progress: Progress | None = None) -> Path:
    """Bring a set into ``folder`` (the layout of a data folder) and return the folder that holds its pieces.

    What is already there with the right checksum is not fetched again. ``mirror`` is another data folder, or
    the address of one. ``progress`` is called with the bytes that are there and those of the whole set, from
    one thread at a time. Safe to interrupt: the next call goes on where this one stopped.

    Raises:
        UnknownName: no such set.
        DownloadError: an address does not answer, or a file is not what the manifest says; naming it.
        FileError: a file cannot be read or written.
    """
    dataset = find_dataset(name)
    target = folder / dataset.folder
    meter = Meter(dataset.size_bytes, progress)
    missing = [entry for entry in dataset.entries if not _is_there(target / entry.path, entry, meter)]
    if missing:
        with choose_source(dataset, mirror) as source:
            _fetch_all(source, missing, target, meter)
    return target


def choose_source(dataset: Dataset, mirror: str | Path | None) -> Source:
    """Where the files come from: a mirror if one is named, else the makers' repository.

    Raises:
        DownloadError: the set needs a mirror, or the mirror does not hold it.
    """
    if mirror is None:
        if dataset.needs_mirror:
            raise DownloadError(
                f"{dataset.name} has no address of its own (its files are spread over the history of "
                f"{dataset.address}); name a copy with --mirror: a folder or address that holds {dataset.folder}/"
            )
        return WebSource(lambda entry: repository_addresses(dataset, entry), dataset)
    if str(mirror).startswith(("http://", "https://")):
        base = f"{str(mirror).rstrip('/')}/{quote(dataset.folder)}"
        return WebSource(lambda entry: iter((f"{base}/{quote(entry.path)}",)), dataset)
    root = Path(mirror) / dataset.folder
    if not root.is_dir():
        raise DownloadError(f"mirror {mirror} has no folder {dataset.folder}; it must be laid out like a data folder")
    return FolderSource(root)


def repository_addresses(dataset: Dataset, entry: Entry) -> Iterator[str]:
    """Where a file may be in its makers' repository, the likeliest place first."""
    for revision in dataset.revisions:
        base = f"{HOST}/{dataset.repository}/{revision}"
        yield f"{base}/{quote(dataset.source_folder)}/{quote(entry.path)}"
        if entry.is_notice:  # these mostly lie in the repository's root
            yield f"{base}/{quote(entry.path)}"


def _fetch_all(source: Source, entries: list[Entry], target: Path, meter: Meter) -> None:
    """Fetch several files at a time; wrong ones are reported together, once the right ones are safe."""
    wrong: list[str] = []

    def fetch(entry: Entry) -> None:
        try:
            _fetch_one(source, entry, target / entry.path, meter)
        except Wrong as problem:
            if not entry.is_notice:
                wrong.append(f"{target.name}/{entry.path} {problem}")

    pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="woodshed-data")
    try:
        done, _ = wait([pool.submit(fetch, entry) for entry in entries], return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
    except BaseException:  # Ctrl-C too: the workers stop at their next piece and leave their .part
        meter.stopping.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if wrong:
        more = f", and {len(wrong) - 1} more like it" if len(wrong) > 1 else ""
        raise DownloadError(
            f"{min(wrong)}{more}; the other {len(entries) - len(wrong)} files are in place; "
            "try again later, or name a good copy with --mirror"
        )


def _fetch_one(source: Source, entry: Entry, path: Path, meter: Meter) -> None:
    """Fetch one file, checked, and put it in its place."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        source.fetch(entry, part, meter)
        os.replace(part, path)
    except OSError as problem:
        raise FileError(f"{problem.filename or path}: {_reason(problem)}") from problem


def _reason(problem: OSError) -> str:
    """What the system says, and what to do about it."""
    if problem.errno == errno.ENOSPC:
        return "the disk is full; free some space and run the same command to go on"
    return f"{problem.strerror or problem}; choose a folder that can be written"


def _is_there(path: Path, entry: Entry, meter: Meter) -> bool:
    """Whether the file is in place with the right content (a notice: with any); counts it if so."""
    try:
        is_right = path.is_file() and (entry.is_notice or not fault(path, entry))
    except OSError:
        return False
    if is_right:
        meter.report(entry, entry.size_bytes)
    return is_right

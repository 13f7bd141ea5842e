"""The notes of all songs on their way from the readers to the store: in a file, so that memory stays bounded."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np

from woodshed.corpus.analyse import Finding
from woodshed.corpus.store import Columns
from woodshed.corpus.worker import Reply
from woodshed.music.song import ARRAYS


class Spool:
    """Takes replies as they come, gives back the columns of any song; the file goes when the spool is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b")
        self._place: dict[str, int] = {}
        self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, reply: Reply) -> None:
        """Keep the arrays of a reply's songs."""
        self._file.write(reply.arrays)
        for finding in reply.findings:
            self._place[finding.source] = self._end
            self._end += _size(finding)

    def columns(self, finding: Finding) -> Columns:
        """The columns of a song that was added."""
        self._file.seek(self._place[finding.source])
        data = self._file.read(_size(finding))
        tables, start = {}, 0
        for (name, dtype), count in zip(ARRAYS.items(), finding.rows, strict=True):
            tables[name] = np.frombuffer(data, dtype, count, start)
            start += count * dtype.itemsize
        return Columns(tables, finding.title, finding.length, finding.markers)


def _size(finding: Finding) -> int:
    return sum(count * dtype.itemsize for count, dtype in zip(finding.rows, ARRAYS.values(), strict=True))

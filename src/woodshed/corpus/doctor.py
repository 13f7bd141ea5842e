"""What is in these files, what was mended, and what is unusable and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from woodshed.corpus.analyse import Finding, check_limits
from woodshed.corpus.pool import Job, read_all
from woodshed.corpus.scan import Source, scan
from woodshed.errors import FileError
from woodshed.music import Part


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor says of one file."""

    path: Path
    verdict: str
    """``"accepted"``, ``"repaired"`` or ``"unusable"``."""
    reason: str
    """Why it is unusable: a short name; empty if it is usable."""
    detail: str
    """Why it is unusable: one line."""
    repairs: tuple[str, ...]
    """What was mended, one line each."""
    title: str
    notes: int
    bars: int
    length_seconds: float
    bpm: float
    meter: str
    key: str
    key_source: str
    """``"signature"``, or ``"found"`` if it was found from the notes."""
    key_confidence: float
    parts: tuple[Part, ...]
    """With their roles."""
    part_notes: tuple[int, ...]
    sha256: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "path": str(self.path)}


def examine(
    paths: Path | Sequence[Path],
    *,
    workers: int | None = None,
    limits: Mapping[str, Any] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Diagnosis]:
    """Examine files, and all music below folders; in the order of their names.

    ``workers`` processes (0: in this one; as many as cores, but one per 32 files, if not said); ``limits``
    are fields of `woodshed.formats.midi.MidiLimits`; ``progress`` is called with ``"read"``, done, total.

    Raises:
        FileError: if a path does not exist, or there is nothing to examine.
        UnknownName: if there is no such limit.
    """
    check_limits(limits or {})
    found = scan(paths)
    if not found.sources:
        raise FileError(f"no music below {', '.join(found.folders)}: give MIDI or MusicXML files, or a folder of them")
    sources = found.sources
    crew = min(os.cpu_count() or 1, -(-len(sources) // 32)) if workers is None else workers
    by_place: dict[int, Finding] = {}
    for first, reply in read_all(sources, Job(crew, notes=False, limits=limits or {})):
        by_place |= dict(enumerate(reply.findings, first))
        if progress:
            progress("read", len(by_place), len(sources))
    return [_diagnosis(source, by_place[place]) for place, source in enumerate(sources)]


def _diagnosis(source: Source, finding: Finding) -> Diagnosis:
    return Diagnosis(
        path=source.path, verdict=finding.verdict, reason=finding.reason, detail=finding.detail,
        repairs=finding.repairs, title=finding.name, notes=finding.notes, bars=finding.bars,
        length_seconds=finding.length_seconds, bpm=finding.bpm, meter=finding.meter, key=finding.key,
        key_source=finding.key_source, key_confidence=finding.key_confidence, parts=finding.parts,
        part_notes=finding.part_notes, sha256=finding.sha256,
    )  # fmt: skip

"""A folder of files -> a corpus: scan, read, mend, find roles, key and chords, dedupe, split, store."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.corpus.analyse import Finding, check_limits
from woodshed.corpus.duplicates import Versions, find_versions
from woodshed.corpus.output import check_output, new_folder
from woodshed.corpus.pool import Job, read_all
from woodshed.corpus.scan import Scan, scan
from woodshed.corpus.split import hold_out_named, split_groups
from woodshed.corpus.spool import Spool
from woodshed.corpus.store import MANIFEST, SPLITS, CorpusWriter, Entry
from woodshed.errors import CorpusError, OutOfRange
from woodshed.version import __version__
from woodshed.words import counted

Progress = Callable[[str, int, int], None]
"""Called with the stage (``"read"``, ``"compare"``, ``"write"``), how many are done and how many there are."""


@dataclass(frozen=True)
class BuildOptions:
    """What goes into a corpus, and how it is split."""

    min_notes: int = 16
    """Songs with fewer notes are left out."""
    held_out_fraction: float = 0.1
    """Share of the songs that training never sees, 0-0.9."""
    held_out: tuple[str, ...] = ()
    """Hold out just these: ids, titles, file names or paths, with * and ? allowed."""
    seed: int = 0
    """Which songs are held out."""
    near_duplicates: bool = True
    """Find near duplicates and leave them out; if not, they are kept, in one group with what they resemble."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `woodshed.formats.midi.MidiLimits` that are not to be as usual."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes; 0 does all work in this one, without protection from crashes."""

    def __post_init__(self) -> None:
        if self.min_notes < 1:
            raise OutOfRange(f"min_notes {self.min_notes} is below 1; 16 is usual")
        if not 0 <= self.workers <= 256:
            raise OutOfRange(f"workers {self.workers} is outside 0-256")
        if not 0 <= self.held_out_fraction <= 0.9:
            raise OutOfRange(f"held_out_fraction {self.held_out_fraction} is outside 0-0.9; 0.1 is one song in ten")


@dataclass(frozen=True)
class Discard:
    """A file that is not in the corpus, and why."""

    source: str
    reason: str
    """A short stable name, for counting."""
    detail: str
    """One line for people."""
    duplicate_of: str = ""
    """Source of the song that it repeats."""
    similarity: float = 0.0
    """Share of its phrases that the other song has too, 0-1."""


@dataclass(frozen=True)
class BuildReport:
    """What became of the files."""

    folder: Path
    files: int
    accepted: int
    """Files that could be read as they were, duplicates among them."""
    repaired: int
    """Files that could be read once they were mended, duplicates among them."""
    discards: tuple[Discard, ...]
    songs: int
    groups: int
    """Songs, when versions of one song are counted once."""
    train: int
    held_out: int
    notes: int
    length_seconds: float
    warnings: tuple[str, ...]

    @property
    def reasons(self) -> dict[str, int]:
        """Why files were left out, most frequent first."""
        return dict(Counter(discard.reason for discard in self.discards).most_common())

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "folder": str(self.folder), "reasons": self.reasons}


def build_corpus(
    folder: Path | Sequence[Path],
    out: Path,
    *,
    options: BuildOptions | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> BuildReport:
    """Read all music below ``folder`` and store it at ``out``, which appears only when it is complete.

    Equal files and options give an equal corpus, however many workers read them.

    Raises:
        OutputExists: if ``out`` is there, unless ``force`` says that a corpus there may be replaced.
        CorpusError: if nothing usable was found; the message counts the reasons.
        FileError: if a folder cannot be read or the output not be written.
        UnknownName: if a song to hold out is not there, or there is no such limit.
    """
    options, out, tell = options or BuildOptions(), Path(out), progress or _silence
    check_limits(options.limits)
    check_output(out, MANIFEST, force=force)
    found = scan(folder)
    if not found.sources:
        raise CorpusError(f"no music below {', '.join(found.folders)}: give a folder of MIDI or MusicXML files")
    with new_folder(out) as temporary, Spool(temporary / "spool") as spool:
        findings, phrases = _read(found, spool, options, tell)
        kept, groups, discards = _choose(findings, phrases, options, tell)
        if not kept:
            raise CorpusError(_nothing_usable(found, discards))
        entries = _entries(kept, groups, _split(kept, groups, options))
        report = _report(out, findings, discards, entries, found, options)
        _write(temporary, entries, kept, spool, _manifest(report, entries, found, options), tell)
    return report


def _read(
    found: Scan, spool: Spool, options: BuildOptions, tell: Progress
) -> tuple[list[Finding], list[NDArray[np.uint32]]]:
    """A finding and a fingerprint for each source, in the order of the sources."""
    by_place: dict[int, tuple[Finding, NDArray[np.uint32]]] = {}
    tell("read", 0, len(found.sources))
    for first, reply in read_all(found.sources, Job(options.workers, limits=options.limits)):
        spool.add(reply)
        by_place |= dict(enumerate(zip(reply.findings, reply.phrases, strict=True), first))
        tell("read", len(by_place), len(found.sources))
    ordered = [by_place[place] for place in range(len(found.sources))]
    return [finding for finding, _ in ordered], [prints for _, prints in ordered]


def _choose(
    findings: Sequence[Finding], phrases: Sequence[NDArray[np.uint32]], options: BuildOptions, tell: Progress
) -> tuple[list[Finding], list[int], list[Discard]]:
    """Songs to keep, their groups, and why the others are not kept; in the order of the sources."""
    distinct, discards = _distinct(findings, options.min_notes)
    usable = [findings[place] for place in distinct]
    tell("compare", 0, len(usable))
    versions = find_versions([phrases[place] for place in distinct], [_quality(finding) for finding in usable])
    kept, groups = [], []
    for place, finding in enumerate(usable):
        if options.near_duplicates and versions.duplicate_of[place] >= 0:
            discards.append(_near_duplicate(finding, usable, versions, place))
        else:
            kept.append(finding)
            groups.append(int(versions.group[place]))
    tell("compare", len(usable), len(usable))
    discards.sort(key=lambda discard: discard.source)
    return kept, np.unique(groups, return_inverse=True)[1].tolist(), discards


def _distinct(findings: Sequence[Finding], min_notes: int) -> tuple[list[int], list[Discard]]:
    """Which findings are songs that did not come before."""
    distinct: list[int] = []
    discards: list[Discard] = []
    seen: dict[str, str] = {}
    for place, finding in enumerate(findings):
        if finding.reason:
            discards.append(Discard(finding.source, finding.reason, finding.detail))
        elif finding.notes < min_notes:
            detail = f"{counted(finding.notes, 'note')}, fewer than {min_notes} (min_notes)"
            discards.append(Discard(finding.source, "too few notes", detail))
        elif first := seen.get(finding.sha256) or seen.get(finding.content):
            discards.append(Discard(finding.source, "exact duplicate", f"same notes as {first}", first, 1.0))
        else:
            seen[finding.sha256] = seen[finding.content] = finding.source
            distinct.append(place)
    return distinct, discards


def _quality(finding: Finding) -> float:
    """Which of several versions to keep: the fullest, and of equally full ones the one that needed no mending."""
    return finding.notes + 10 * len(finding.parts) - len(finding.repairs)


def _near_duplicate(finding: Finding, usable: Sequence[Finding], versions: Versions, place: int) -> Discard:
    other = usable[int(versions.duplicate_of[place])].source
    share = round(float(versions.similarity[place]), 3)
    reason = "medley" if versions.medley[place] else "near duplicate"
    return Discard(finding.source, reason, f"{share:.0%} of its phrases are in {other}", other, share)


def _split(kept: Sequence[Finding], groups: Sequence[int], options: BuildOptions) -> list[str]:
    if options.held_out:
        return hold_out_named(groups, [(item.content, item.name, item.source) for item in kept], options.held_out)
    contents = [item.content for item in kept]
    sizes = [item.notes for item in kept]
    return split_groups(groups, contents, fraction=options.held_out_fraction, seed=options.seed, sizes=sizes)


def _entries(kept: Sequence[Finding], groups: Sequence[int], split: Sequence[str]) -> list[Entry]:
    return [
        Entry(
            song_id=item.content, title=item.name, source=item.source, sha256=item.sha256, split=side, group=group,
            notes=item.notes, bars=item.bars, length_seconds=item.length_seconds, bpm=item.bpm, meter=item.meter,
            key=item.key, key_source=item.key_source, key_confidence=item.key_confidence,
            chords_source=item.chords_source, parts=item.parts, part_notes=item.part_notes, repairs=item.repairs,
        )
        for item, group, side in zip(kept, groups, split, strict=True)
    ]  # fmt: skip


def _write(
    folder: Path, entries: Sequence[Entry], kept: Sequence[Finding], spool: Spool, manifest: dict[str, Any],
    tell: Progress,
) -> None:  # fmt: skip
    writer = CorpusWriter(folder)
    try:
        for done, (entry, finding) in enumerate(zip(entries, kept, strict=True)):
            writer.add(entry, spool.columns(finding))
            if done % 100 == 0:
                tell("write", done, len(entries))
        writer.finish(manifest)
    finally:
        writer.abandon()
    tell("write", len(entries), len(entries))


def _report(
    out: Path, findings: Sequence[Finding], discards: Sequence[Discard], entries: Sequence[Entry], found: Scan,
    options: BuildOptions,
) -> BuildReport:  # fmt: skip
    verdicts = Counter(finding.verdict for finding in findings)
    held_out = sum(entry.split == "held_out" for entry in entries)
    warnings = [f"folder left out: {line}" for line in found.unreadable]
    if not held_out and (options.held_out_fraction or options.held_out):
        warnings.append("nothing could be held out: all music is one song or versions of it; training sees it all")
    return BuildReport(
        folder=out, files=len(findings), accepted=verdicts["accepted"], repaired=verdicts["repaired"],
        discards=tuple(discards), songs=len(entries), groups=len({entry.group for entry in entries}),
        train=len(entries) - held_out, held_out=held_out, notes=sum(entry.notes for entry in entries),
        length_seconds=round(sum(entry.length_seconds for entry in entries), 3), warnings=tuple(warnings),
    )  # fmt: skip


def _manifest(report: BuildReport, entries: Sequence[Entry], found: Scan, options: BuildOptions) -> dict[str, Any]:
    contents = "\n".join(f"{entry.song_id} {entry.split}" for entry in entries)
    chosen = {name: value for name, value in vars(options).items() if name != "workers"}
    return {
        "woodshed": __version__,
        "content_sha256": hashlib.sha256(contents.encode()).hexdigest(),
        "folders": found.folders,
        "papers": found.papers,
        "options": {**chosen, "limits": dict(options.limits)},
        "files": report.files,
        "songs": report.songs,
        "groups": report.groups,
        "splits": {name: sum(entry.split == name for entry in entries) for name in SPLITS},
        "notes": report.notes,
        "reasons": report.reasons,
        "warnings": list(report.warnings),
        "discards": [asdict(discard) for discard in report.discards],
    }


def _nothing_usable(found: Scan, discards: Sequence[Discard]) -> str:
    commonest = Counter(discard.reason for discard in discards).most_common()
    reasons = ", ".join(f"{count} {reason}" for reason, count in commonest)
    return f"no usable music in {counted(len(found.sources), 'file')} below {', '.join(found.folders)}: {reasons}"


def _silence(stage: str, done: int, total: int) -> None:
    """Tell nobody."""

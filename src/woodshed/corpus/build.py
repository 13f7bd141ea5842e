"""A folder of files -> a corpus: scan, read, repair, find roles, key and chords, dedupe, split, store."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from woodshed import __version__
from woodshed.corpus.analyse import Finding, analyse, part_notes, title_of
from woodshed.corpus.scan import Scan, scan
from woodshed.corpus.split import hold_out_named, split_groups
from woodshed.corpus.store import MANIFEST, SPLITS, Columns, CorpusWriter, Entry
from woodshed.errors import CorpusError, FileError, OutOfRange, OutputExists

Progress = Callable[[str, int, int], None]
"""Called with the stage, how many are done and how many there are."""


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
    """Leave out near duplicates; if not, they are kept, in one group with what they resemble."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes; 0 does all work in this one."""

    def __post_init__(self) -> None:
        if self.min_notes < 1 or not 0 <= self.workers <= 256:
            raise OutOfRange(f"min_notes {self.min_notes} and workers {self.workers}: at least 1, and 0-256")


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
    repaired: int
    discards: tuple[Discard, ...]
    songs: int
    groups: int
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

    Raises:
        OutputExists: if ``out`` is there, unless ``force`` says that a corpus there may be replaced.
        CorpusError: if nothing usable was found; the message counts the reasons.
        FileError: if a folder cannot be read or the output not be written.
    """
    options = options or BuildOptions()
    report = progress or (lambda stage, done, total: None)
    out = Path(out)
    _check_output(out, force)
    found = scan(folder)
    if not found.sources:
        raise CorpusError(f"no MIDI or MusicXML files below {', '.join(found.folders)}; give a folder that holds some")
    findings = []
    for done, source in enumerate(found.sources, 1):
        findings.append(analyse(source.path, source.name))
        report("read", done, len(found.sources))
    kept, discards = _choose(findings, options)
    if not kept:
        raise CorpusError(_nothing_usable(found, discards))
    groups = list(range(len(kept)))
    split = _split(kept, groups, options)
    entries = [_entry(*row) for row in zip(kept, groups, split, strict=True)]
    summary = _summary(out, findings, discards, entries, found, options)
    with _new_folder(out, force) as temporary:
        writer = CorpusWriter(temporary)
        for entry, finding in zip(entries, kept, strict=True):
            assert finding.song is not None
            writer.add(entry, Columns.of(finding.song))
        writer.finish(_manifest(summary, entries, found, options))
    return summary


def _choose(findings: Sequence[Finding], options: BuildOptions) -> tuple[list[Finding], list[Discard]]:
    """Songs to keep, and why the others are not."""
    kept: list[Finding] = []
    discards: list[Discard] = []
    seen: dict[str, str] = {}
    for finding in findings:
        if finding.song is None:
            discards.append(Discard(finding.source, finding.reason, finding.detail))
        elif len(finding.song.notes) < options.min_notes:
            detail = f"{len(finding.song.notes)} notes are fewer than {options.min_notes} (min_notes)"
            discards.append(Discard(finding.source, "too few notes", detail))
        elif finding.content in seen:
            first = seen[finding.content]
            discards.append(Discard(finding.source, "exact duplicate", f"same notes as {first}", first, 1.0))
        else:
            seen[finding.content] = finding.source
            kept.append(finding)
    return kept, discards


def _split(kept: Sequence[Finding], groups: Sequence[int], options: BuildOptions) -> list[str]:
    if options.held_out:
        names = [(item.content, title_of(item.song, item.source), item.source) for item in kept if item.song]
        return hold_out_named(groups, names, options.held_out)
    contents = [item.content for item in kept]
    return split_groups(groups, contents, fraction=options.held_out_fraction, seed=options.seed)


def _entry(finding: Finding, group: int, split: str) -> Entry:
    song = finding.song
    assert song is not None
    return Entry(
        song_id=finding.content, title=title_of(song, finding.source), source=finding.source, sha256=finding.sha256,
        split=split, group=group, notes=len(song.notes), bars=song.bars, length_seconds=round(song.length_seconds, 3),
        bpm=round(song.bpm, 3), meter=str(song.meter), key=finding.key, key_source=finding.key_source,
        key_confidence=finding.key_confidence, chords_source=finding.chords_source, parts=song.parts,
        part_notes=part_notes(song.notes, song.parts), repairs=finding.repairs,
    )  # fmt: skip


def _summary(
    out: Path, findings: Sequence[Finding], discards: Sequence[Discard], entries: Sequence[Entry], found: Scan,
    options: BuildOptions,
) -> BuildReport:  # fmt: skip
    verdicts = Counter(finding.verdict for finding in findings)
    held_out = sum(entry.split == "held_out" for entry in entries)
    warnings = [f"folder left out: {line}" for line in found.unreadable]
    if not held_out and options.held_out_fraction:
        warnings.append("nothing could be held out: all music is one song (or versions of one); training sees it all")
    return BuildReport(
        folder=out, files=len(findings), accepted=verdicts["accepted"], repaired=verdicts["repaired"],
        discards=tuple(discards), songs=len(entries), groups=len({entry.group for entry in entries}),
        train=len(entries) - held_out, held_out=held_out, notes=sum(entry.notes for entry in entries),
        length_seconds=sum(entry.length_seconds for entry in entries), warnings=tuple(warnings),
    )  # fmt: skip


def _manifest(summary: BuildReport, entries: Sequence[Entry], found: Scan, options: BuildOptions) -> dict[str, Any]:
    contents = "\n".join(f"{entry.song_id} {entry.split}" for entry in entries)
    chosen = {name: value for name, value in asdict(options).items() if name != "workers"}
    return {
        "woodshed": __version__,
        "content_sha256": hashlib.sha256(contents.encode()).hexdigest(),
        "folders": found.folders,
        "papers": found.papers,
        "options": chosen,
        "files": summary.files,
        "songs": summary.songs,
        "groups": summary.groups,
        "splits": {name: sum(entry.split == name for entry in entries) for name in SPLITS},
        "notes": summary.notes,
        "reasons": summary.reasons,
        "warnings": list(summary.warnings),
        "discards": [asdict(discard) for discard in summary.discards],
    }


def _nothing_usable(found: Scan, discards: Sequence[Discard]) -> str:
    counted = Counter(discard.reason for discard in discards).most_common()
    reasons = ", ".join(f"{count} {reason}" for reason, count in counted)
    return f"no usable music in {len(found.sources)} files below {', '.join(found.folders)}: {reasons}"


def _check_output(out: Path, force: bool) -> None:
    if not out.exists():
        return
    if out.is_dir() and not any(out.iterdir()):
        return
    if not (out / MANIFEST).is_file():
        raise OutputExists(f"{out} is there and is not a corpus; choose another name")
    if not force:
        raise OutputExists(f"{out} is there; use --force to replace it, or choose another name")


@contextmanager
def _new_folder(out: Path, force: bool) -> Iterator[Path]:
    """A folder beside ``out`` that becomes ``out`` if all goes well, and vanishes if not."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror}") from error
    try:
        yield temporary
        temporary.chmod(0o755)
        _put_in_place(temporary, out)
    except OSError as error:
        raise FileError(f"{out} cannot be written: {error.strerror or error}; nothing was left behind") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, out: Path) -> None:
    if not out.exists():
        temporary.rename(out)
        return
    old = temporary.with_name(temporary.name + ".old")
    out.rename(old)
    temporary.rename(out)
    shutil.rmtree(old)

"""The key of a listening test, and the results that readers send: read, checked, and refused where they do not fit.

A results file is what the page saved. Its checksum (FNV-1a over the JSON without it) tells when answers were changed
by hand or on the way; it keeps nobody from forging a file. A key has one too, but for those of before it had one.
Trials are numbered as in the key, and each answer names its clips, so that results of another test cannot be counted by
mistake. Every field is checked, with or without a checksum: what is wrong is named.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from woodshed.errors import FileError, FormatError, LimitExceeded, UnknownName, UsageError
from woodshed.evaluation.listening import HUMAN, MACHINE, PAIRS, QUESTIONS, SHEETS, fnv1a, reader_key
from woodshed.evaluation.listening_page import FORMAT_VERSION
from woodshed.rendering.output import written_whole
from woodshed.version import __version__
from woodshed.words import counted

KEY_FORMAT, RESULTS_FORMAT = "woodshed listening key", "woodshed listening results"
MAX_BYTES = 8 << 20
"""Largest key or results file that is read; a test of 300 trials saves some 80 kB."""
EXPERIENCES = ("listens", "plays", "trained", "professional")
EQUIPMENT = ("headphones", "loudspeakers")
LONGEST_NAME = 40
REMAKE, ASK_AGAIN = "make the test again with its seed", "ask for the file as it was saved"
"""What to do about a damaged key, and about damaged results."""
DAY_MS = 24 * 3600 * 1000
LONGEST_SECONDS, MOST_DB = 1e6, 1000.0
"""Beyond these, what a key tells of clips was never measured."""


@dataclass(frozen=True)
class ClipOrigin:
    """Where a clip comes from."""

    source: str
    file: str
    first_bar: int
    """From 1; 0 for a recording, which has no bars."""
    bars: int
    from_seconds: float
    """Where it begins in the piece."""
    gain_db: float
    """What made it as loud as the others."""


@dataclass(frozen=True)
class Key:
    """Which clip is whose."""

    test: str
    """Id, also in the page and in all results."""
    question: str
    seed: int
    real: str
    """The source that is human."""
    sources: tuple[str, ...]
    """All of them, the real one first."""
    clips: Mapping[str, ClipOrigin]
    trials: tuple[tuple[str, ...], ...]
    """Clip ids; results number the trials from 0."""
    seconds: float
    """How long every clip lasts."""
    lufs: float
    """How loud every clip is."""
    must_hear_seconds: float = 0.0
    """Of each clip, before the page takes an answer; 0 in keys of before they told."""

    def source_of(self, clip: str) -> str:
        """Whose clip it is."""
        return self.clips[clip].source


@dataclass(frozen=True)
class Answer:
    """One answer of one reader."""

    trial: int
    clips: tuple[str, ...]
    """As they were heard, the first one first."""
    answer: str
    """The clip that was preferred, or ``human`` or ``machine``."""
    is_again: bool
    """Whether the same reader has answered this trial before."""
    is_known: bool
    """Whether the reader said to know the music."""
    took_seconds: float


@dataclass(frozen=True)
class Reader:
    """What one reader said."""

    name: str
    experience: str
    equipment: str
    answers: tuple[Answer, ...]
    asked: int
    """How many answers the page asks for; ``answers`` may be fewer."""


def write_key(path: Path, key: Key) -> None:
    """Write the key, whole or not at all.

    Raises:
        FileError: if it cannot be written.
    """
    content = {"format": KEY_FORMAT, "version": FORMAT_VERSION, "woodshed": __version__, **asdict(key)}
    content["checksum"] = results_checksum(content)
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_key(path: Path) -> Key:
    """The key of a test; one without a checksum is read too, for keys had none at first.

    Raises:
        FileError: if it cannot be read.
        FormatError: if it is no key, is damaged, or was changed after it was written.
    """
    found = _read(path, KEY_FORMAT)
    checksum = found.pop("checksum", None)
    if checksum is not None and checksum != results_checksum(found):
        raise FormatError(f"{path}: was changed after it was written (its checksum does not fit); {REMAKE}")
    return _CheckedKey(path, REMAKE).key(found)


def read_all_results(paths: Sequence[Path], key: Key) -> list[Reader]:
    """What all readers said; of a folder all .json files but the key.

    Raises:
        FileError: if there is none, or one cannot be read.
        UsageError: if one is of another test, or a reader comes twice.
        FormatError: if one is damaged or was edited.
    """
    files = [file for path in paths for file in _files(Path(path))]
    if not files:
        raise FileError(f"{', '.join(map(str, paths))}: no results there; give the .json files that readers saved")
    found: dict[str, tuple[Reader, Path]] = {}
    for path in files:
        reader = read_results(path, key)
        name = reader_key(reader.name)
        if name in found:
            raise UsageError(
                f"{path}: reader {reader.name!r} is in {found[name][1]} too; keep the later file of the two"
            )
        found[name] = reader, path
    return [reader for reader, _ in found.values()]


def read_results(path: Path, key: Key) -> Reader:
    """What one reader said.

    Raises:
        FileError: if it cannot be read.
        UsageError: if it is of another test.
        FormatError: if it is no results file, is damaged, or was edited after it was saved.
    """
    found = _read(path, RESULTS_FORMAT)
    if found.get("test") != key.test:
        raise UsageError(f"{path}: results of test {found.get('test')!r}, the key is of {key.test!r}; give its own key")
    checksum = found.pop("checksum", None)
    if checksum != results_checksum(found):
        raise FormatError(f"{path}: was changed after the page saved it (its checksum does not fit); {ASK_AGAIN}")
    checked = _CheckedResults(path, ASK_AGAIN, key)
    checked.one_of("", "question", found.get("question"), (key.question,))
    checked.whole("", "sheet", found.get("sheet"), 0, SHEETS - 1)
    answers = found.get("answers")
    if not isinstance(answers, list):
        raise checked.error("", "answers", answers, "a list")
    seen: Counter[int] = Counter()
    return Reader(
        name=checked.name(found.get("reader")),
        experience=checked.one_of("", "experience", found.get("experience"), EXPERIENCES),
        equipment=checked.one_of("", "equipment", found.get("equipment"), EQUIPMENT),
        answers=tuple(checked.answer(number, answer, seen) for number, answer in enumerate(answers, 1)),
        asked=checked.whole("", "asked", found.get("asked"), len(answers), 2 * len(key.trials)),
    )


def results_checksum(results: Mapping[str, Any]) -> str:
    """Of results or a key without their checksum, as the page computes it: eight hexadecimal digits."""
    plain = json.dumps(results, separators=(",", ":"), ensure_ascii=False)
    return f"{fnv1a(plain.encode('utf-8', 'surrogatepass')):08x}"


@dataclass(frozen=True)
class _Checked:
    """Turns what stands in a file into what it must be, or says where it is not."""

    path: Path
    remedy: str

    def error(self, place: str, name: str, value: object, allowed: str) -> FormatError:
        shown = json.dumps(value, ensure_ascii=False)[:60]
        return FormatError(f"{self.path}: {place}{name} {shown} is not {allowed}; {self.remedy}")

    def whole(self, place: str, name: str, value: object, low: int, high: int | None = None) -> int:
        if type(value) is not int or value < low or (high is not None and value > high):
            span = f"{low}-{high}" if high is not None else f"at least {low}"
            raise self.error(place, name, value, f"a whole number of {span}")
        return value

    def number(self, place: str, name: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.error(place, name, value, f"a number of {low:g} to {high:g}")
        return float(value)

    def word(self, place: str, name: str, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise self.error(place, name, value, "a name")
        return value

    def one_of(self, place: str, name: str, value: object, known: Sequence[str]) -> str:
        if not isinstance(value, str) or value not in known:
            raise self.error(place, name, value, f"one of {', '.join(known)}" if len(known) > 1 else str(known[0]))
        return value

    def list_of(self, place: str, name: str, value: object, what: str) -> list[Any]:
        if not isinstance(value, list):
            raise self.error(place, name, value, f"a list of {what}")
        return value


class _CheckedKey(_Checked):
    """For keys."""

    def key(self, found: Mapping[str, Any]) -> Key:
        question = self.one_of("", "question", found.get("question"), QUESTIONS)
        sources = self.sources(found.get("sources"))
        clips = self.clips(found.get("clips"), sources)
        trials = self.list_of("", "trials", found.get("trials"), "trials")
        if not trials:
            raise self.error("", "trials", trials, "a list of one or more trials")
        return Key(
            test=self.word("", "test", found.get("test")),
            question=question,
            seed=self.whole("", "seed", found.get("seed"), 0),
            real=self.one_of("", "real", found.get("real"), sources[:1]),
            sources=sources,
            clips=clips,
            trials=tuple(self.trial(number, trial, question, clips) for number, trial in enumerate(trials)),
            seconds=self.number("", "seconds", found.get("seconds"), 0.0, LONGEST_SECONDS),
            lufs=self.number("", "lufs", found.get("lufs"), -MOST_DB, MOST_DB),
            must_hear_seconds=self.number(
                "", "must_hear_seconds", found.get("must_hear_seconds", 0.0), 0.0, LONGEST_SECONDS
            ),
        )

    def sources(self, value: object) -> tuple[str, ...]:
        names = [self.word("", "sources", name) for name in self.list_of("", "sources", value, "names")]
        if len(names) < 2 or len(set(names)) < len(names):
            raise self.error("", "sources", names, "a list of two or more different names, the real one first")
        return tuple(names)

    def clips(self, value: object, sources: Sequence[str]) -> dict[str, ClipOrigin]:
        if not isinstance(value, dict):
            raise self.error("", "clips", value, "clips by their ids")
        clips = {clip: self.origin(f"clip {clip}: ", origin, sources) for clip, origin in value.items()}
        for source in sources:
            if all(clip.source != source for clip in clips.values()):
                raise FormatError(f"{self.path}: no clip is of source {source!r}; {self.remedy}")
        return clips

    def origin(self, place: str, found: object, sources: Sequence[str]) -> ClipOrigin:
        if not isinstance(found, dict):
            raise self.error(place, "its origin", found, "a source, a file and a place in it")
        return ClipOrigin(
            source=self.one_of(place, "source", found.get("source"), sources),
            file=self.word(place, "file", found.get("file")),
            first_bar=self.whole(place, "first_bar", found.get("first_bar"), 0),
            bars=self.whole(place, "bars", found.get("bars"), 0),
            from_seconds=self.number(place, "from_seconds", found.get("from_seconds"), 0.0, LONGEST_SECONDS),
            gain_db=self.number(place, "gain_db", found.get("gain_db"), -MOST_DB, MOST_DB),
        )

    def trial(self, number: int, found: object, question: str, clips: Mapping[str, ClipOrigin]) -> tuple[str, ...]:
        name = f"trial {number}"
        ids = [self.word("", name, clip) for clip in self.list_of("", name, found, "clips")]
        unknown = [clip for clip in ids if clip not in clips]
        if unknown:
            raise FormatError(f"{self.path}: {name} has clip {unknown[0]!r}, which is not in the key; {self.remedy}")
        size = 2 if question == PAIRS else 1
        if len(ids) != size or len({clips[clip].source for clip in ids}) != size:
            raise self.error("", name, ids, "two clips of two sources" if size == 2 else "one clip")
        return tuple(ids)


@dataclass(frozen=True)
class _CheckedResults(_Checked):
    """For results of the test with this key."""

    of: Key

    def name(self, value: object) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_NAME:
            raise self.error("", "reader", value, f"a name of 1-{LONGEST_NAME} letters")
        return value

    def answer(self, number: int, found: object, seen: Counter[int]) -> Answer:
        """The answer, with what its reader has ``seen`` until then, to which it is added."""
        place = f"answer {number}: "
        if not isinstance(found, dict):
            raise self.error(f"answer {number}", "", found, "an answer")
        trial = self.whole(place, "trial", found.get("trial"), 0, len(self.of.trials) - 1)
        clips = [self.word(place, "clips", clip) for clip in self.list_of(place, "clips", found.get("clips"), "clips")]
        unknown = [clip for clip in clips if clip not in self.of.clips]
        if unknown:
            raise UnknownName(f"{self.path}: {place}clip {unknown[0]!r} is not in the key; give the key of this test")
        if sorted(clips) != sorted(self.of.trials[trial]):
            raise self.error(place, "clips", clips, f"those of trial {trial}")
        seen[trial] += 1
        if seen[trial] > 2:
            raise self.error(place, "trial", trial, f"asked {counted(seen[trial], 'time')}")
        known = found.get("known")
        if not isinstance(known, bool):
            raise self.error(place, "known", known, "true or false")
        self.each_clip(place, "heard_ms", found.get("heard_ms"), len(clips), round(1000 * self.of.must_hear_seconds))
        self.each_clip(place, "plays", found.get("plays"), len(clips), 0)
        self.word(place, "at", found.get("at"))
        return Answer(
            trial,
            tuple(clips),
            self.one_of(place, "answer", found.get("answer"), clips if len(clips) == 2 else (HUMAN, MACHINE)),
            seen[trial] == 2,
            known,
            self.whole(place, "took_ms", found.get("took_ms"), 0, 366 * DAY_MS) / 1000,
        )

    def each_clip(self, place: str, name: str, value: object, clips: int, least: int) -> None:
        numbers = self.list_of(place, name, value, "whole numbers, one of each clip")
        if len(numbers) != clips:
            raise self.error(place, name, value, f"{counted(clips, 'whole number')}, one of each clip")
        for number in numbers:
            self.whole(place, name, number, least, 366 * DAY_MS)


def _files(path: Path) -> list[Path]:
    """The file itself, or what a folder holds, sorted."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.glob("*.json") if file.name != "key.json" and not file.name.startswith("."))


def _read(path: Path, expected: str) -> dict[str, Any]:
    """JSON of one of our formats."""
    what = expected.removeprefix("woodshed ")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise LimitExceeded(
                f"{path} has more than {MAX_BYTES} bytes (evaluation.listening_results.MAX_BYTES): no {what}"
            )
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(f"{path} cannot be read: {reason}; give the {what} of a listening test") from error
    try:
        found = json.loads(content.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{path} is not JSON ({_short(error)}); give the {what} unchanged, as saved") from None
    if not isinstance(found, dict) or found.get("format") != expected:
        raise FormatError(f"{path} is no {expected}; give the file that `listen-test make` or its page wrote")
    if found.get("version") != FORMAT_VERSION:
        raise FormatError(
            f"{path}: version {found.get('version')!r} is not {FORMAT_VERSION}; use the Woodshed that made it"
        )
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _short(error: Exception) -> str:
    return " ".join(f"{type(error).__name__} {error}".split())[:80]

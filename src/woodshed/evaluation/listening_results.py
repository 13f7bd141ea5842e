"""The key of a listening test, and the results that readers send: read, checked, and refused where they do not fit.

A results file is what the page saved. Its checksum (FNV-1a over the JSON without it) tells when answers were changed
by hand or on the way; it keeps nobody from forging a file. Trials are numbered as in the key, and each answer names its
clips, so that results of another test cannot be counted by mistake.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from woodshed.errors import FileError, FormatError, LimitExceeded, UnknownName, UsageError
from woodshed.evaluation.listening import HUMAN, MACHINE, PAIRS, check_question, fnv1a, reader_key
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
DAY_MS = 24 * 3600 * 1000


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
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_key(path: Path) -> Key:
    """The key of a test.

    Raises:
        FileError: if it cannot be read.
        FormatError: if it is no key, or was damaged.
    """
    found = _read(path, KEY_FORMAT)
    try:
        key = Key(
            test=str(found["test"]),
            question=check_question(found["question"]),
            seed=int(found["seed"]),
            real=str(found["real"]),
            sources=tuple(map(str, found["sources"])),
            clips={str(clip): ClipOrigin(**origin) for clip, origin in found["clips"].items()},
            trials=tuple(tuple(map(str, trial)) for trial in found["trials"]),
            seconds=float(found["seconds"]),
            lufs=float(found["lufs"]),
        )
        size, owners = 2 if key.question == PAIRS else 1, {clip.source for clip in key.clips.values()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{path}: the key is damaged ({_short(error)}); make the test again with its seed") from None
    fits = all(len(trial) == size and set(trial) <= set(key.clips) for trial in key.trials)
    if not fits or not key.trials or key.real not in key.sources or owners != set(key.sources):
        raise FormatError(f"{path}: the key names clips or sources that it does not hold; make the test again")
    return key


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
        raise FormatError(
            f"{path}: was changed after the page saved it (its checksum does not fit); ask for the file as it was saved"
        )
    checked = _Checked(path, key)
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
    """Of results without their checksum, as the page computes it: eight hexadecimal digits."""
    plain = json.dumps(results, separators=(",", ":"), ensure_ascii=False)
    return f"{fnv1a(plain.encode('utf-8', 'surrogatepass')):08x}"


@dataclass(frozen=True)
class _Checked:
    """Turns what stands in a results file into what it must be, or says where it is not."""

    path: Path
    key: Key

    def error(self, place: str, name: str, value: object, allowed: str) -> FormatError:
        shown = json.dumps(value, ensure_ascii=False)[:60]
        return FormatError(f"{self.path}: {place}{name} {shown} is not {allowed}; ask for the file as it was saved")

    def whole(self, place: str, name: str, value: object, low: int, high: int) -> int:
        if type(value) is not int or not low <= value <= high:
            raise self.error(place, name, value, f"a whole number of {low}-{high}")
        return value

    def one_of(self, place: str, name: str, value: object, known: Sequence[str]) -> str:
        if not isinstance(value, str) or value not in known:
            raise self.error(place, name, value, f"one of {', '.join(known)}")
        return value

    def name(self, value: object) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_NAME:
            raise self.error("", "reader", value, f"a name of 1-{LONGEST_NAME} letters")
        return value

    def answer(self, number: int, found: object, seen: Counter[int]) -> Answer:
        """The answer, with what its reader has ``seen`` until then, to which it is added."""
        place = f"answer {number}: "
        if not isinstance(found, dict):
            raise self.error(f"answer {number}", "", found, "an answer")
        trial = self.whole(place, "trial", found.get("trial"), 0, len(self.key.trials) - 1)
        clips = found.get("clips")
        if not isinstance(clips, list) or not all(isinstance(clip, str) for clip in clips):
            raise self.error(place, "clips", clips, "a list of clips")
        unknown = [clip for clip in clips if clip not in self.key.clips]
        if unknown:
            raise UnknownName(f"{self.path}: {place}clip {unknown[0]!r} is not in the key; give the key of this test")
        if sorted(clips) != sorted(self.key.trials[trial]):
            raise self.error(place, "clips", clips, f"those of trial {trial}")
        seen[trial] += 1
        if seen[trial] > 2:
            raise self.error(place, "trial", trial, f"asked {counted(seen[trial], 'time')}")
        known = found.get("known")
        if not isinstance(known, bool):
            raise self.error(place, "known", known, "true or false")
        return Answer(
            trial,
            tuple(clips),
            self.one_of(place, "answer", found.get("answer"), clips if len(clips) == 2 else (HUMAN, MACHINE)),
            seen[trial] == 2,
            known,
            self.whole(place, "took_ms", found.get("took_ms"), 0, 366 * DAY_MS) / 1000,
        )


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

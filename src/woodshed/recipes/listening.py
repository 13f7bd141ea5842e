"""A listening test from folders of music: clips of every source, equally long and loud, a page and its key.

The page goes to the readers. The key says which clip is whose; `woodshed.evaluation.listening_score` needs it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import CorpusError, FormatError, OutOfRange, OutputExists, UnknownName, UsageError
from woodshed.evaluation.listening import PAIRS, TURING, Design, check_question, design_pairs, design_turing
from woodshed.evaluation.listening_clips import SAMPLE_RATE, bar_excerpt, code_equally_loud, play_clip, recording_clip
from woodshed.evaluation.listening_loudness import integrated_loudness
from woodshed.evaluation.listening_page import minutes_of, page_data, write_page
from woodshed.evaluation.listening_results import ClipOrigin, Key, write_key
from woodshed.recipes.files import check_outputs, check_range
from woodshed.recipes.listening_pieces import (
    USUAL_SECONDS,
    Piece,
    Sources,
    bars_too_long,
    choose_pieces,
    common_seconds,
)
from woodshed.words import counted

PAGE_NAME, KEY_NAME = "listen.html", "key.json"
USUAL_CLIPS = 6
LEAST_SECONDS, MOST_SECONDS = 2.0, 60.0
USUAL_MUST_HEAR = 4.0
MOST_CLIPS, MOST_CHECKS = 100, 20
MOST_SOUND = 3600.0
"""Seconds of all clips together: 1.3 GB while they are made, and a page of 100 MB."""
LONG_TEST = 40.0
"""Minutes; readers tire of longer tests, and answer anything."""
ID_SIGNS = 10

Told = Callable[[str, int, int], None]
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class ListeningWish:
    """What is asked for."""

    question: str = PAIRS
    real: str | None = None
    """The source that is human; None for the first."""
    clips: int = USUAL_CLIPS
    """Of each source at most; of "turing" of each model, and as many real ones as all models have."""
    seconds: float | None = None
    """Of every clip; None for 15, or less if a piece is shorter."""
    must_hear_seconds: float | None = None
    """Of every clip before an answer counts; None for `USUAL_MUST_HEAR`, or all of a shorter clip."""
    checks: int = 2
    """Trials asked again."""
    title: str = "Listening test"
    seed: int = 0


@dataclass
class MadeTest:
    """What came of it."""

    page: Path
    key_path: Path
    key: Key
    minutes: float
    """That a reader needs."""
    again: int = 0
    """So many trials are asked a second time."""
    notes: list[str] = field(default_factory=list)
    """What the maker should know."""


@dataclass(frozen=True)
class _Clip:
    """A stretch of a piece as sound."""

    piece: Piece
    sound: NDArray[np.float32]
    origin: ClipOrigin


def make_listening_test(
    sources: Sources, folder: Path, wish: ListeningWish, *, force: bool = False, progress: Told | None = None
) -> MadeTest:
    """Write ``folder/listen.html`` and ``folder/key.json``. The same music and seed give the same bytes.

    ``progress`` is told of the stages "read", "play" and "code", how many are done and how many there are.

    Raises:
        UsageError: if there are not two sources, or one has a file of another.
        OutOfRange: for a number outside its range.
        CorpusError: if a source has too little music.
        OutputExists: if there is a test already and not ``force``, or a file where the folder is to be.
        FileError: if something cannot be read or written.
    """
    real = _check(sources, wish)
    _check_folder(folder)
    check_outputs([folder / PAGE_NAME, folder / KEY_NAME], force=force)
    tell = progress or (lambda stage, done, total: None)
    rng, notes, left_out = np.random.default_rng([wish.seed, 0]), list[str](), list[str]()
    ordered = {real: sources[real], **{name: paths for name, paths in sources.items() if name != real}}
    pieces = _pieces(ordered, wish, rng, notes, left_out, lambda done, total: tell("read", done, total))
    seconds = common_seconds(pieces, wish.seconds, notes)
    _must_hear(wish, seconds)  # before anything is played
    played: dict[str, list[_Clip]] = {name: [] for name in ordered}
    for done, piece in enumerate(pieces, 1):
        clip = _clip(piece, seconds, rng, left_out)
        played[piece.source] += [clip] if clip else []
        tell("play", done, len(pieces))
    clips, count = _as_many(played, wish, left_out)
    if len(clips) < len(pieces):
        notes.append(f"not all of them can be heard, so there are {count} of each")
    if left_out:
        told = [*(f"left out: {reason}" for reason in left_out), f"left out in all: {counted(len(left_out), 'file')}"]
        notes[:0] = told
    made = _write(folder, clips, list(ordered), seconds, wish, lambda done, total: tell("code", done, total))
    if made.minutes > LONG_TEST:
        notes.append(f"a reader needs some {made.minutes:.0f} minutes; smaller --clips or --seconds ask for less")
    return replace(made, notes=notes)


def _check(sources: Sources, wish: ListeningWish) -> str:
    """What can be said before anything is read; returns the name of the real source."""
    check_question(wish.question)
    if len(sources) < 2:
        raise UsageError(
            f"{counted(len(sources), 'source')}: give the real music and one or more others, as folders or NAME=FOLDER"
        )
    if wish.real is not None and wish.real not in sources:
        raise UnknownName(f"--real {wish.real!r} is not one of the sources {', '.join(sources)}")
    check_range("clips", wish.clips, 1, MOST_CLIPS)
    check_range("checks", wish.checks, 0, MOST_CHECKS)
    if wish.seconds is not None and not LEAST_SECONDS <= wish.seconds <= MOST_SECONDS:
        raise OutOfRange(f"seconds {wish.seconds:g} is outside {LEAST_SECONDS:g}-{MOST_SECONDS:g}")
    _must_hear(wish, wish.seconds or USUAL_SECONDS)
    count = wish.clips * (2 * (len(sources) - 1) if wish.question == TURING else len(sources))
    if count * (wish.seconds or USUAL_SECONDS) > MOST_SOUND:
        raise OutOfRange(
            f"{counted(count, 'clip')} of {wish.seconds or USUAL_SECONDS:g} s are more than {MOST_SOUND:g} s in all; "
            "ask for fewer --clips, or less --seconds"
        )
    return wish.real or next(iter(sources))


def _check_folder(folder: Path) -> None:
    """Raise `OutputExists` if something else than a folder is in its place, or on the way to it."""
    there = next((place for place in (folder, *folder.absolute().parents) if place.exists()), folder)
    if there.exists() and not there.is_dir():
        raise OutputExists(f"{there} is a file, and a test needs a folder; choose the name of a folder")


def _must_hear(wish: ListeningWish, clip_seconds: float) -> float:
    """How much of every clip is to be heard: nobody hears more than there is."""
    if wish.must_hear_seconds is None:
        return min(USUAL_MUST_HEAR, clip_seconds)
    if not 0 <= wish.must_hear_seconds <= clip_seconds:
        raise OutOfRange(
            f"must-hear {wish.must_hear_seconds:g} is outside 0-{clip_seconds:g}, the seconds of a clip; "
            "ask for less of it, or for more --seconds"
        )
    return wish.must_hear_seconds


def _pieces(
    sources: Sources,
    wish: ListeningWish,
    rng: np.random.Generator,
    notes: list[str],
    left_out: list[str],
    progress: Callable[[int, int], None],
) -> list[Piece]:
    """The same number of each source, see `_as_many`, of the files that can be used."""
    real, *models = sources
    wanted = {name: wish.clips * _share(name, list(sources), wish) for name in (*models, real)}
    found = choose_pieces(sources, wanted, wish.seconds, rng, left_out, progress)
    pieces, count = _as_many(found, wish, left_out)
    if count < wish.clips:
        fewest = min(sources, key=lambda name: len(found[name]) / _share(name, list(sources), wish))
        notes.append(
            f"{fewest} has {counted(len(found[fewest]), 'piece')}, so there are {count} of each, not {wish.clips}"
        )
    return pieces


def _share(name: str, sources: Sequence[str], wish: ListeningWish) -> int:
    """Of "turing" there are as many real ones as of all models together."""
    return len(sources) - 1 if wish.question == TURING and name == sources[0] else 1


def _as_many(
    found: Mapping[str, Sequence[_Found]], wish: ListeningWish, left_out: Sequence[str]
) -> tuple[list[_Found], int]:
    """The same number of each source, `_share` times that of the real one, which comes first; and that number.

    Raises:
        CorpusError: if that is none.
    """
    share = {name: _share(name, list(found), wish) for name in found}
    count = min(len(found[name]) // share[name] for name in found)
    for name in found if not count else ():
        if not found[name]:
            raise CorpusError(f"source {name}: nothing can be heard of it: {'; '.join(left_out[-3:])}")
        if len(found[name]) < share[name]:
            raise CorpusError(
                f"source {name}: {counted(len(found[name]), 'piece')}, but {share[name]} are needed for "
                f"{counted(share[name], 'model')}"
            )
    return [one for name in found for one in found[name][: count * share[name]]], count


def _clip(piece: Piece, seconds: float, rng: np.random.Generator, left_out: list[str]) -> _Clip | None:
    """The piece's clip, not yet as loud as the others; None with one more reason in ``left_out``."""
    if piece.song is None:
        try:
            sound, start = recording_clip(piece.path, seconds, rng)
        except FormatError as error:
            left_out.append(str(error))
            return None
        origin = ClipOrigin(piece.source, str(piece.path), 0, 0, round(start, 3), 0.0)
    else:
        excerpt = bar_excerpt(piece.song, seconds, rng)
        if excerpt is None:
            left_out.append(bars_too_long(piece.path, seconds))
            return None
        sound = play_clip(excerpt.song, seconds)
        start = float(piece.song.seconds(piece.song.bar_lines())[excerpt.first_bar - 1])
        origin = ClipOrigin(piece.source, str(piece.path), excerpt.first_bar, excerpt.bars, round(start, 3), 0.0)
    if not math.isfinite(integrated_loudness(sound, SAMPLE_RATE)):
        left_out.append(f"{piece.path}: its clip is silent")
        return None
    return _Clip(piece, sound, origin)


def _write(
    folder: Path,
    clips: Sequence[_Clip],
    sources: Sequence[str],
    seconds: float,
    wish: ListeningWish,
    progress: Callable[[int, int], None],
) -> MadeTest:
    """Ids, design, equal loudness; the key, then the page, for a page without its key is worth nothing."""
    digests = "".join(clip.piece.digest for clip in clips)
    secret = hashlib.sha256(f"{wish.seed} {wish.question} {digests}".encode()).digest()  # readers do not have the files
    rng = np.random.default_rng(list(secret))
    by_id = {
        hashlib.sha256(secret + str(number).encode()).hexdigest()[:ID_SIGNS]: clip for number, clip in enumerate(clips)
    }
    coded, gains, lufs = code_equally_loud([clip.sound for clip in clips], progress)
    origins = {
        name: replace(clip.origin, gain_db=round(20 * math.log10(gain), 2))
        for (name, clip), gain in zip(by_id.items(), gains, strict=True)
    }
    sounds = dict(zip(by_id, coded, strict=True))
    design, must_hear = _design(origins, sources, wish, rng), _must_hear(wish, seconds)
    data = page_data(
        design, sounds, title=wish.title, seed=wish.seed, clip_seconds=seconds, lufs=lufs,
        must_hear_seconds=must_hear,
    )  # fmt: skip
    key = Key(
        data["test"], wish.question, wish.seed, sources[0], tuple(sources), origins, design.trials, seconds, lufs,
        must_hear,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_key(folder / KEY_NAME, key)
    write_page(folder / PAGE_NAME, design, data)
    again = len(design.sheets[0]) - len(design.trials)
    return MadeTest(folder / PAGE_NAME, folder / KEY_NAME, key, minutes_of(design, seconds), again)


def _design(
    origins: Mapping[str, ClipOrigin], sources: Sequence[str], wish: ListeningWish, rng: np.random.Generator
) -> Design:
    groups = [[clip for clip, origin in origins.items() if origin.source == name] for name in sources]
    if wish.question == PAIRS:
        return design_pairs(groups, wish.checks, rng)
    return design_turing(groups[0], groups[1:], wish.checks, rng)

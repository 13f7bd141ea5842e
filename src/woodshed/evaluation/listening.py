"""A blind listening test: what is asked, in which order for whom, and what must stay hidden until the answers are in.

========= ==============================================================================================
question  what a reader does
========= ==============================================================================================
pairs     hears two clips and says which is preferred. Every two sources meet equally often
turing    hears one clip and says whether a human or a machine made it. Half of the clips are human, every
          model made as many as any other, so that a reader who cannot tell is right half of the time
========= ==============================================================================================

All readers are asked the same trials, so that their agreement can be measured; the order, and which clip of a pair
comes first, is that of one of `SHEETS` sheets, which a reader's name picks. On every sheet each two sources have either
side equally often, or once more where they meet an odd number of times; the next sheet has the sides of all exchanged.
The first trials of a sheet are asked again at its end, sides exchanged, to see whether readers agree with themselves.

Nothing here names a source: clips and trials are numbered in an order drawn from what readers do not have (the bytes
of the files and the seed), and a clip of each source is heard by everyone equally often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange, UnknownName

PAIRS, TURING = "pairs", "turing"
QUESTIONS = (PAIRS, TURING)
HUMAN, MACHINE = "human", "machine"
SHEETS = 120
SHUFFLES = 24
"""Orders drawn for a sheet; the one in which a clip is least often heard twice running is kept."""
ORDER_APART = 3
"""A trial is asked again only if at least this many times as many trials are asked once."""


@dataclass(frozen=True)
class Design:
    """What is asked, without a word on who made what."""

    question: str
    trials: tuple[tuple[str, ...], ...]
    """Clip ids, two of a pair; numbered from 0."""
    sheets: tuple[tuple[int, ...], ...]
    """For each sheet the trials in their order, each written as ``2 * trial + (1 if its clips change places)``."""


def design_pairs(sources: Sequence[Sequence[str]], checks: int, rng: np.random.Generator) -> Design:
    """Every two sources are compared as often as each has clips: clip ids of two or more sources, equally many.

    Raises:
        OutOfRange: if there are fewer than two sources, no clips, or not the same number of each.
    """
    _check_counts(sources, 2)
    pairs = [
        (first, second, clips)
        for first, second in combinations(range(len(sources)), 2)
        for clips in zip(*(map(str, rng.permutation(sources[source])) for source in (first, second)), strict=True)
    ]
    pairs = [pairs[index] for index in rng.permutation(len(pairs))]
    meetings = np.array([first * len(sources) + second for first, second, _ in pairs])
    is_turned = rng.random(len(pairs)) < 0.5  # so that the order of the ids in a trial says nothing
    trials = tuple(clips[::-1] if turned else clips for (_, _, clips), turned in zip(pairs, is_turned, strict=True))
    sides = list(_balanced_sides(meetings, SHEETS, rng))
    return Design(PAIRS, trials, tuple(_sheet(trials, side ^ is_turned, checks, rng) for side in sides))


def design_turing(
    human: Sequence[str], models: Sequence[Sequence[str]], checks: int, rng: np.random.Generator
) -> Design:
    """Every clip is asked about once: as many human ones as all models have made together, each equally many.

    Raises:
        OutOfRange: if that is not so.
    """
    _check_counts(models, 1)
    machine = [clip for clips in models for clip in clips]
    if len(human) != len(machine):
        raise OutOfRange(f"{len(human)} human clips and {len(machine)} of machines: give as many of either")
    trials = tuple((str(clip),) for clip in rng.permutation([*human, *machine]))
    same = np.zeros(len(trials), bool)
    return Design(TURING, trials, tuple(_sheet(trials, same, checks, rng) for _ in range(SHEETS)))


def sheet_number(test: str, reader: str, sheets: int = SHEETS) -> int:
    """Which sheet a reader gets; the page computes the same."""
    return fnv1a(f"{test}:{reader_key(reader)}".encode()) % sheets


def reader_key(reader: str) -> str:
    """A reader's name as it is compared: spaces and capitals do not make another reader."""
    return " ".join(reader.split()).lower()


def fnv1a(content: bytes) -> int:
    """The 32-bit FNV-1a hash, which is a few lines in any language.

    Source: G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake: The FNV Non-Cryptographic Hash Algorithm (IETF draft).
    """
    number = 0x811C9DC5
    for byte in content:
        number = (number ^ byte) * 0x01000193 & 0xFFFFFFFF
    return number


def check_question(question: str) -> str:
    """The question, if it is one of `QUESTIONS`.

    Raises:
        UnknownName: if not.
    """
    if question not in QUESTIONS:
        raise UnknownName(f"question {question!r} is not one of {', '.join(QUESTIONS)}")
    return question


def _check_counts(sources: Sequence[Sequence[str]], fewest: int) -> None:
    counts = [len(clips) for clips in sources]
    if len(counts) < fewest or not all(counts) or len(set(counts)) > 1:
        raise OutOfRange(f"sources of {counts} clips: give at least {fewest}, all with the same number of clips")


def _balanced_sides(meetings: NDArray[np.int64], sheets: int, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """For each sheet (trials,) whether a trial's clips change places: half of every meeting, then the other half."""
    for _ in range(sheets // 2):
        sides = np.zeros(len(meetings), bool)
        for meeting in np.unique(meetings):
            trials = rng.permutation(np.flatnonzero(meetings == meeting))
            sides[trials[: (len(trials) + int(rng.integers(2))) // 2]] = True
        yield sides
        yield ~sides


def _sheet(
    trials: Sequence[tuple[str, ...]], sides: NDArray[np.bool_], checks: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """One order of all trials, and the first ``checks`` of it again."""
    orders = [rng.permutation(len(trials)) for _ in range(SHUFFLES)]
    order = min(orders, key=lambda order: _heard_twice_running([trials[number] for number in order]))
    asked = 2 * order + sides[order]
    again = asked[: min(checks, len(trials) // ORDER_APART)]
    if len(trials[0]) == 2:
        again = again ^ 1
    return tuple(int(entry) for entry in (*asked, *again))


def _heard_twice_running(trials: Sequence[tuple[str, ...]]) -> int:
    """How often a clip of one trial is in the next one too."""
    return sum(not set(first).isdisjoint(second) for first, second in pairwise(trials))

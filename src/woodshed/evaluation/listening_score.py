"""What readers' answers say: who was preferred, or who was taken for human, and how far that can be trusted.

========= ===========================================================================================
question  figures
========= ===========================================================================================
pairs     for every two sources how often the first was preferred; a Bradley-Terry strength of each source;
          ``accuracy``: how often the real one was preferred, of the pairs that it was in
turing    how often each source was taken for human; ``accuracy``: how many answers were right, where half
          is what guessing gives
========= ===========================================================================================

Shares have exact binomial intervals, which take answers for independent. Answers of one reader are not, so the accuracy
also has an interval over readers, and strengths have only that. An answer counts once per reader: what was asked
again tells only how far readers agree with themselves. Music that a reader knows is left out, and counted.
Every number is finite, or None with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.evaluation.bootstrap import Interval, mean_interval
from woodshed.evaluation.listening import HUMAN, MACHINE, PAIRS
from woodshed.evaluation.listening_results import EXPERIENCES, Answer, Key, Reader
from woodshed.evaluation.listening_statistics import (
    FEW_READERS,
    Agreement,
    Share,
    agreement,
    bradley_terry,
    exact_share,
    strength_intervals,
)
from woodshed.words import counted


@dataclass(frozen=True)
class SourceScore:
    """What came of one source."""

    name: str
    is_real: bool
    chosen: Share
    """Of pairs: how often it was preferred. Of turing: how often it was taken for human."""
    strength: float | None
    """Bradley-Terry, natural logarithm, mean 0 over sources; None of turing."""
    low: float | None
    high: float | None
    """Of the strength, over readers; None of a single reader."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**vars(self), "chosen": self.chosen.as_dict()}


@dataclass(frozen=True)
class PairScore:
    """Two sources, one against the other."""

    first: str
    second: str
    first_preferred: Share

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**vars(self), "first_preferred": self.first_preferred.as_dict()}


@dataclass(frozen=True)
class ReaderScore:
    """One reader."""

    name: str
    experience: str
    equipment: str
    answered: int
    asked: int
    accuracy: Share
    same_again: Share
    """Of the trials that were asked twice, how many were answered alike."""
    median_seconds: float
    """That an answer took."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {**vars(self), "accuracy": self.accuracy.as_dict(), "same_again": self.same_again.as_dict()}


@dataclass(frozen=True)
class ListeningScore:
    """What came of a listening test."""

    question: str
    test: str
    accuracy: Share
    over_readers: Interval
    """The accuracy again, with an interval over readers instead of answers."""
    sources: tuple[SourceScore, ...]
    """The real one first."""
    pairs: tuple[PairScore, ...]
    """Every two sources; empty of turing."""
    by_experience: dict[str, Share]
    """Accuracy of readers who listen, play, were trained, live of it; only those that there are."""
    agreement: Agreement
    same_again: Share
    first_chosen: Share
    """Of pairs: how often the clip that came first was preferred, which should be half. Of turing: how often any clip
    was taken for human."""
    readers: tuple[ReaderScore, ...]
    heard: int
    """Readers with an answer that counts."""
    known: int
    """Answers left out because the reader knew the music."""

    @property
    def answers(self) -> int:
        """How many count."""
        return self.first_chosen.count

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to mind when reading the figures."""
        readers, missing = self.heard, sum(reader.asked - reader.answered for reader in self.readers)
        found = [
            f"n too small: {counted(readers, 'reader')}" if readers < FEW_READERS else "",
            self.first_chosen.caution,
            f"{counted(missing, 'answer')} missing: readers who have not finished" if missing else "",
        ]
        return tuple(filter(None, found))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "question": self.question,
            "test": self.test,
            "answers": self.answers,
            "known": self.known,
            "accuracy": self.accuracy.as_dict(),
            "accuracy_over_readers": self._over_readers(),
            "sources": [source.as_dict() for source in self.sources],
            "pairs": [pair.as_dict() for pair in self.pairs],
            "by_experience": {name: share.as_dict() for name, share in self.by_experience.items()},
            "agreement": self.agreement.as_dict(),
            "same_again": self.same_again.as_dict(),
            "first_chosen" if self.question == PAIRS else "taken_for_human": self.first_chosen.as_dict(),
            "readers": [reader.as_dict() for reader in self.readers],
            "cautions": list(self.cautions),
        }

    def _over_readers(self) -> dict[str, object]:
        """The interval; None where there is only one reader to draw."""
        found, is_known = self.over_readers, self.over_readers.is_known
        return {
            "low": found.low if is_known else None,
            "high": found.high if is_known else None,
            "readers": found.groups,
        }


def score_test(key: Key, readers: Sequence[Reader], rng: np.random.Generator) -> ListeningScore:
    """All figures of the answers of ``readers``, whose results `listening_results.read_all_results` has checked."""
    scored = [(reader, _counting(reader)) for reader in readers]
    judged = [(reader, answer) for reader, answers in scored for answer in answers]
    right = [(reader, _is_right(key, answer)) for reader, answer in judged if _is_test_of_real(key, answer)]
    wins = np.array([_wins(key, answers) for _, answers in scored]).reshape(len(scored), *2 * (len(key.sources),))
    is_pairs = key.question == PAIRS
    return ListeningScore(
        question=key.question,
        test=key.test,
        accuracy=_share([is_right for _, is_right in right]),
        over_readers=mean_interval(
            [float(is_right) for _, is_right in right], [reader.name for reader, _ in right], rng
        ),
        sources=tuple(_pair_sources(key, wins, rng) if is_pairs else _turing_sources(key, judged)),
        pairs=tuple(_pair_scores(key, wins) if is_pairs else ()),
        by_experience={
            level: _share([is_right for reader, is_right in right if reader.experience == level])
            for level in EXPERIENCES
            if any(reader.experience == level for reader in readers)
        },
        agreement=agreement(_answer_table(key, scored), rng),
        same_again=_share([same for reader in readers for same in _same_again(reader)]),
        first_chosen=_share([answer.answer == (answer.clips[0] if is_pairs else HUMAN) for _, answer in judged]),
        readers=tuple(_reader_score(key, reader, answers) for reader, answers in scored),
        heard=sum(bool(answers) for _, answers in scored),
        known=sum(answer.is_known and not answer.is_again for reader in readers for answer in reader.answers),
    )


def _counting(reader: Reader) -> list[Answer]:
    """The answers that count: the first to each trial, of music that the reader does not know."""
    return [answer for answer in reader.answers if not answer.is_again and not answer.is_known]


def _share(answers: Sequence[bool]) -> Share:
    return exact_share(sum(answers), len(answers))


def _is_test_of_real(key: Key, answer: Answer) -> bool:
    """Whether an answer says something on the real source beside the others: all do, but pairs without it."""
    return key.question != PAIRS or key.real in map(key.source_of, answer.clips)


def _is_right(key: Key, answer: Answer) -> bool:
    """Whether the real one was preferred, or human and machine told apart."""
    if key.question == PAIRS:
        return key.source_of(answer.answer) == key.real
    return answer.answer == (HUMAN if key.source_of(answer.clips[0]) == key.real else MACHINE)


def _wins(key: Key, answers: Sequence[Answer]) -> NDArray[np.float64]:
    """(S, S): how often a reader preferred source i to source j."""
    wins = np.zeros((len(key.sources), len(key.sources)))
    for answer in answers if key.question == PAIRS else ():
        loser = next(clip for clip in answer.clips if clip != answer.answer)
        wins[key.sources.index(key.source_of(answer.answer)), key.sources.index(key.source_of(loser))] += 1
    return wins


def _pair_sources(key: Key, wins: NDArray[np.float64], rng: np.random.Generator) -> list[SourceScore]:
    """Strengths from ``wins`` (readers, S, S)."""
    total = wins.sum(0)
    strengths = bradley_terry(total)
    low, high = strength_intervals(wins, rng) if len(wins) > 1 else (None, None)
    return [
        SourceScore(
            name,
            name == key.real,
            exact_share(round(total[index].sum()), round(total[index].sum() + total[:, index].sum())),
            float(strengths[index]),
            None if low is None else float(low[index]),
            None if high is None else float(high[index]),
        )
        for index, name in enumerate(key.sources)
    ]


def _turing_sources(key: Key, judged: Sequence[tuple[Reader, Answer]]) -> list[SourceScore]:
    return [
        SourceScore(
            name,
            name == key.real,
            _share([answer.answer == HUMAN for _, answer in judged if key.source_of(answer.clips[0]) == name]),
            None,
            None,
            None,
        )
        for name in key.sources
    ]


def _pair_scores(key: Key, wins: NDArray[np.float64]) -> list[PairScore]:
    total = wins.sum(0)
    return [
        PairScore(
            key.sources[first],
            key.sources[second],
            exact_share(round(total[first, second]), round(total[first, second] + total[second, first])),
        )
        for first, second in combinations(range(len(key.sources)), 2)
    ]


def _answer_table(key: Key, scored: Sequence[tuple[Reader, Sequence[Answer]]]) -> NDArray[np.int64]:
    """(readers, trials): which of two answers was given, whatever side it was heard on; -1 for none."""
    table = np.full((len(scored), len(key.trials)), -1)
    for row, (_, answers) in enumerate(scored):
        for answer in answers:
            known = key.trials[answer.trial] if key.question == PAIRS else (HUMAN, MACHINE)
            table[row, answer.trial] = known.index(answer.answer)
    return table


def _same_again(reader: Reader) -> list[bool]:
    """Of each trial that was asked again, whether it was answered alike."""
    first = {answer.trial: answer.answer for answer in reader.answers if not answer.is_again}
    return [answer.answer == first[answer.trial] for answer in reader.answers if answer.is_again]


def _reader_score(key: Key, reader: Reader, answers: Sequence[Answer]) -> ReaderScore:
    took = [answer.took_seconds for answer in reader.answers]
    return ReaderScore(
        reader.name,
        reader.experience,
        reader.equipment,
        len(reader.answers),
        reader.asked,
        _share([_is_right(key, answer) for answer in answers if _is_test_of_real(key, answer)]),
        _share(_same_again(reader)),
        float(np.median(took)) if took else 0.0,
    )

"""What of a song also stands in a corpus, and how much of that is usual: so that a share means something.

What a passage is, and why a chugged note or a beat that goes round is none, says `woodshed.corpus.passages`. Here
passages become what a musician asks: how much, how long, from which song and bar, in which key and at which speed.

============== ========================================================================================================
figure         meaning
============== ========================================================================================================
share          share of the notes that lie in a passage (altered notes of it are not counted); also of pitched notes
               and of drum notes alone
in runs longer share of the notes that lie in a passage of more than so many notes
runs           what was copied, a row each: passages from one stretch of one source, in however many parts
longest        the passage in a single line with most notes, altered ones allowed; and the longest stretch without any:
               in notes, in quarter notes and in seconds of this song, from its first onset to its last
baseline       the same of real songs of the corpus, each against all other songs but its own versions: a song that
               shares no more than they do has not copied more than its maker does
============== ========================================================================================================

The baseline's songs are dealt into `FOLDS` folds, versions of a song into one; each fold is checked against an index of
the others, of which there are a fifth fewer than the song itself was checked against. The mean's interval is the
bootstrap over groups of versions, see `bootstrap`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.corpus.passages import RUN_NOTES, Copy, IndexedSong, PassageIndex
from woodshed.evaluation.bootstrap import Interval, mean_interval
from woodshed.music import Song, part_name
from woodshed.music.meter import bar_of
from woodshed.music.units import TICKS_PER_QUARTER
from woodshed.words import counted

LONGER_THAN = (12, 24, 48)
"""Notes; the shares of notes in longer runs that are told unasked."""
FOLDS = 5
MOST_CHECKED = 60
"""Songs of a baseline; of more, so many are drawn."""
FEWEST_GROUPS = 2

SourceOf = Callable[[int], Song]
"""The song that an index knows by this number."""


@dataclass(frozen=True)
class Span:
    """A stretch of a song, in all its units."""

    notes: int
    beats: float
    """Quarter notes from the first onset to the last."""
    seconds: float
    first_bar: int
    """From 1."""
    last_bar: int


@dataclass(frozen=True)
class Run:
    """A stretch of the song, and where it also stands."""

    part: str
    """Name of the part, or of all parts that have it."""
    here: Span
    altered: int
    """Notes changed, put in or left out between them."""
    exact: Span
    """The longest stretch of it in one part without one."""
    source: str
    """Title of the song that it also stands in."""
    source_name: str
    """Its id, or its file."""
    source_part: str
    there: Span
    semitones: int
    """How much higher it is here."""
    speed: float
    """How many times as fast it is here, in quarter notes: 2 where eighths have become sixteenths."""
    bits: float
    """What the most telling line of it tells."""


@dataclass(frozen=True)
class Novelty:
    """What of a song stands in a corpus. Shapes: N notes."""

    notes: int
    share: float
    pitched_share: float
    """0 where there is no such note, as `drum_share`."""
    drum_share: float
    longer_than: dict[int, float]
    """Notes -> share of the notes that lie in runs of more."""
    longest: Run | None
    """In one part, or shared out over two."""
    longest_exact: Run | None
    runs: tuple[Run, ...]
    """What was copied, all parts together: most notes first; each holds notes that none before it does."""
    copies: tuple[Copy, ...]
    """The same as notes."""
    source: NDArray[np.int64]
    """(N,) the song of the index that the first run with each note is from, -1 for none."""
    run_notes: int
    """Notes of the shortest run that counts."""

    @property
    def caution(self) -> str:
        """Empty, or why these figures say little."""
        if self.notes >= self.run_notes:
            return ""
        return f"n too small: {counted(self.notes, 'note')}, and a run has {self.run_notes} or more"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **{name: getattr(self, name) for name in ("notes", "run_notes", "share", "pitched_share", "drum_share")},
            "longer_than": {str(notes): share for notes, share in self.longer_than.items()},
            "longest": asdict(self.longest) if self.longest else None,
            "longest_exact": asdict(self.longest_exact) if self.longest_exact else None,
            "runs": [asdict(run) for run in self.runs],
            "caution": self.caution,
        }


@dataclass(frozen=True)
class Baseline:
    """What real songs of a corpus share with the others."""

    share: Interval
    pitched_share: Interval
    drum_share: Interval
    longest_notes: Interval
    longest_beats: Interval
    shares: tuple[float, ...]
    """Of each song that was checked, ascending."""

    def more_than(self, share: float) -> int:
        """How many of the songs share less than ``share``."""
        return int(np.searchsorted(np.array(self.shares), share))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("share", "pitched_share", "drum_share", "longest_notes", "longest_beats")
        return {**{name: getattr(self, name).as_dict() for name in names}, "shares": list(self.shares)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Baseline:
        """What `as_dict` gave.

        Raises:
            KeyError, TypeError: for anything else.
        """
        names = ("mean", "low", "high", "count", "groups")
        figures = {
            name: Interval(**{one: stored[name][one] for one in names})
            for name in cls.__dataclass_fields__
            if name != "shares"
        }
        return cls(**figures, shares=tuple(map(float, stored["shares"])))


def measure_novelty(
    song: Song,
    index: PassageIndex,
    source_of: SourceOf,
    *,
    run: int = RUN_NOTES,
    longer_than: Sequence[int] = LONGER_THAN,
) -> Novelty:
    """What of ``song`` stands in the indexed songs in passages of ``run`` notes or more.

    Raises:
        OutOfRange: for a ``run`` outside 6-4096.
    """
    found = index.find(song, run)
    drums = _drums(song)

    def told(copy: Copy) -> Run:
        number = copy.passages[0].source
        return _run(song, copy, index.songs[number], source_of(number))

    alone = [None if one is None else told(one.as_copy()) for one in (found.longest, found.most_exact)]
    return Novelty(
        notes=len(song),
        share=_mean(found.length > 0),
        pitched_share=_mean(found.length[~drums] > 0),
        drum_share=_mean(found.length[drums] > 0),
        longer_than={notes: _mean(found.length > notes) for notes in longer_than},
        longest=alone[0],
        longest_exact=alone[1],
        runs=tuple(map(told, found.copies)),
        copies=found.copies,
        source=found.source,
        run_notes=run,
    )


def measure_baseline(
    songs: Sequence[Song],
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    *,
    run: int = RUN_NOTES,
    on_song: Callable[[int, int], None] | None = None,
) -> Baseline | None:
    """What songs share with the others of them, but for those of their own group (versions of one song).

    None if there are fewer than two groups: nothing can be held out then. ``on_song`` is told how many are done of how
    many.
    """
    kinds = list(dict.fromkeys(groups))
    if len(kinds) < FEWEST_GROUPS:
        return None
    tell = on_song or (lambda done, total: None)
    deal = dict(zip([kinds[number] for number in rng.permutation(len(kinds))], range(len(kinds)), strict=True))
    fold = np.array([deal[group] % min(FOLDS, len(kinds)) for group in groups])
    chosen = np.sort(rng.permutation(len(songs))[:MOST_CHECKED])
    figures: dict[int, tuple[float, ...]] = {}
    for number in np.unique(fold[chosen]):
        others = [(IndexedSong("", ""), songs[one]) for one in np.flatnonzero(fold != number).tolist()]
        index = PassageIndex.build(others)
        for one in chosen[fold[chosen] == number]:
            tell(len(figures), len(chosen))
            figures[int(one)] = _figures(songs[one], index, run)
    columns = np.array([figures[int(one)] for one in chosen]).T
    of = [groups[one] for one in chosen]
    pitched = [_has(songs[one], False) for one in chosen], [_has(songs[one], True) for one in chosen]

    def interval(column: int, kept: Sequence[bool] | None = None) -> Interval:
        mask = np.ones(len(of), bool) if kept is None else np.array(kept)
        return mean_interval(columns[column][mask], [group for group, one in zip(of, mask, strict=True) if one], rng)

    return Baseline(
        share=interval(0),
        pitched_share=interval(1, pitched[0]),
        drum_share=interval(2, pitched[1]),
        longest_notes=interval(3),
        longest_beats=interval(4),
        shares=tuple(sorted(columns[0].tolist())),
    )


def _figures(song: Song, index: PassageIndex, run: int) -> tuple[float, ...]:
    """share, pitched share, drum share, notes and quarter notes of the longest passage."""
    found, drums, onset = index.find(song, run), _drums(song), song.notes["onset"].astype(np.int64)
    shared = found.length > 0
    notes, first, last = found.spans.T
    beats = float((onset[last] - onset[first]).max(initial=0)) / TICKS_PER_QUARTER
    return _mean(shared), _mean(shared[~drums]), _mean(shared[drums]), float(notes.max(initial=0)), beats


def _drums(song: Song) -> NDArray[np.bool_]:
    """(N,) which notes are drums."""
    drums: NDArray[np.bool_] = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
    return drums


def _has(song: Song, drums: bool) -> bool:
    return bool((_drums(song) == drums).any())


def _mean(marked: NDArray[np.bool_]) -> float:
    return float(marked.mean()) if len(marked) else 0.0


def _run(song: Song, copy: Copy, known: IndexedSong, source: Song) -> Run:
    exact = max(copy.passages, key=lambda one: one.exact_notes)
    ours = [part for one in copy.passages for part in (one.part, one.other_part)]
    theirs = [part for one in copy.passages for part in (one.source_part, one.source_other_part)]
    return Run(
        part=_parts(song, ours),
        here=span_of(song, copy.notes),
        altered=copy.altered,
        exact=span_of(song, exact.notes[exact.exact_from : exact.exact_from + exact.exact_notes]),
        source=known.title,
        source_name=known.name,
        source_part=_parts(source, theirs),
        there=span_of(source, copy.source_notes),
        semitones=copy.semitones,
        speed=copy.passages[0].rate,
        bits=round(max(one.bits for one in copy.passages), 1),
    )


def _parts(song: Song, parts: Sequence[int]) -> str:
    """Their names in the song's order; how many, where several have one name."""
    names = Counter(part_name(song.parts[one]) for one in sorted({one for one in parts if one >= 0}))
    told = [name if count == 1 else f"{name} ({count} parts)" for name, count in names.items()]
    return " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))


def span_of(song: Song, notes: NDArray[np.int64]) -> Span:
    """Where some notes of a song stand; of no note, nowhere."""
    if not len(notes):
        return Span(0, 0.0, 0.0, 0, 0)
    onset = song.notes["onset"][notes].astype(np.int64)
    ends = np.array([onset.min(), onset.max()])
    beats = float(ends[1] - ends[0]) / TICKS_PER_QUARTER
    first, last = (bar_of(ends, song.bar_lines()) + 1).tolist()
    seconds = song.seconds(ends)
    return Span(len(notes), round(beats, 3), round(float(seconds[1] - seconds[0]), 3), first, last)

"""Clips beside real music, by all that this room can measure: anyone's clips, for only notes are looked at.

Both sides are put into `clip_features.normal_form`, which takes away what only tells who wrote a file, and cut into
pieces of as many bars. Each figure then stands there three times: as a mean on either side, with an interval over
songs, and as the distance of the two sets (`set_distances`). Judges are trained to tell the sides apart (`two_sample`).
What stands in the real songs too is counted (`novelty`).

A figure means something beside what real music reaches: where songs are held out, set them beside those learned from
in the very same way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from woodshed.errors import CorpusError, OutOfRange
from woodshed.evaluation.bootstrap import Interval, mean_interval
from woodshed.evaluation.clip_features import normal_form
from woodshed.evaluation.figures import figures, histograms
from woodshed.evaluation.known_music import KnownMusic
from woodshed.evaluation.metrics import excerpts
from woodshed.evaluation.muspy_figures import muspy_figures
from woodshed.evaluation.set_distances import SetDistance, set_distance
from woodshed.evaluation.two_sample import JUDGES, TwoSample, tell_apart
from woodshed.music import Song

MOST_PIECES = 200
"""Of either side: distances are taken of all pairs. Of more, a piece of each song in turn is drawn."""
MOST_BARS, FEWEST_BARS = 16, 2
MUSPY = "muspy "
"""Stands before the names of figures that are counted as MusPy does; of those only that are not the same as ours."""
MUSPYS_OWN = (
    "empty_beat_rate", "empty_measure_rate", "groove_consistency", "drum_in_duple_pattern_rate",
    "drum_in_triple_pattern_rate", "drum_pattern_consistency",
)  # fmt: skip

LARGEST_SEED = 2**32 - 1
"""As `woodshed.recipes.clip` has it."""

Told = Callable[[str, int, int], None]
MEASURED_APART = (
    "overlap", "overlap_low", "overlap_high", "divergence", "values", "values_low", "values_high", "real_intra",
    "made_intra", "inter",
)  # fmt: skip
"""What a `SetDistance` knows only with songs enough."""
MEASURED_BY_A_JUDGE = ("accuracy", "low", "high", "first_right", "second_right")
"""The same of a `TwoSample`."""

Named = Sequence[tuple[str, Song]]
"""Songs with their names; two pieces of one name are of one song."""


@dataclass(frozen=True)
class Beside:
    """One figure on both sides."""

    made: Interval
    real: Interval
    distance: SetDistance

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"made": self.made.as_dict(), "real": self.real.as_dict(), "distance": _distance_facts(self.distance)}


@dataclass(frozen=True)
class Comparison:
    """Clips beside real music."""

    bars: int
    """How long the pieces are."""
    made: int
    real: int
    """How many pieces either side has."""
    made_songs: int
    real_songs: int
    figures: dict[str, Beside]
    """Name -> both sides; figures that neither or only one side has are left out."""
    histograms: dict[str, SetDistance]
    judges: dict[str, TwoSample]
    """Real music first, the clips second."""
    copied: Interval
    """0-1: share of a clip's notes that stand in a run that also stands in the real songs; see `novelty`."""

    @property
    def overlap(self) -> float | None:
        """0-1: mean overlapping area over all figures and histograms that could be measured; None if none could."""
        return _mean([one.overlap for one in self._known]) if self._known else None

    @property
    def values(self) -> float | None:
        """0-1: mean overlap of the values themselves, likewise."""
        return _mean([one.values for one in self._known]) if self._known else None

    def mean_interval_of(self, name: str) -> tuple[float, float]:
        """The mean low and high end of ``"overlap"`` or ``"values"``; the mean's own interval is no wider, as figures
        vary no more together than alone. Where nothing could be measured, all that they could be: 0 and 1."""
        low, high = (_mean([getattr(one, f"{name}_{end}") for one in self._known]) for end in ("low", "high"))
        return (low, high) if self._known else (0.0, 1.0)

    @property
    def _known(self) -> list[SetDistance]:
        return [one for one in self.distances.values() if not one.too_few]

    @property
    def distances(self) -> dict[str, SetDistance]:
        """Name of figure or histogram -> distance; MusPy's are left out, which say the same again."""
        plain = {name: one.distance for name, one in self.figures.items() if not name.startswith(MUSPY)}
        return plain | self.histograms

    @property
    def caution(self) -> str:
        """Empty, or why the figures are not to be relied on."""
        return next((one.caution for one in self.judges.values() if one.caution), "")

    @property
    def remark(self) -> str:
        """Empty, or what judges give away that are surely worse than chance: they learned as the one side's what they
        are asked about on the other."""
        worse = [name for name, told in self.judges.items() if not told.too_few and told.high < 0.5]
        if not worse:
            return ""
        return (
            f"judged worse than by chance ({', '.join(worse)}): both sides share songs, or parts of songs, so what "
            "judges tell says nothing"
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = ("bars", "made", "real", "made_songs", "real_songs", "overlap", "values", "caution", "remark")
        return {
            **{name: getattr(self, name) for name in plain},
            "overlap_interval": self.mean_interval_of("overlap") if self._known else None,
            "values_interval": self.mean_interval_of("values") if self._known else None,
            "figures": {name: one.as_dict() for name, one in self.figures.items()},
            "histograms": {name: _distance_facts(one) for name, one in self.histograms.items()},
            "judges": {name: _judge_facts(one) for name, one in self.judges.items()},
            "copied": self.copied.as_dict(),
        }


def _distance_facts(found: SetDistance) -> dict[str, Any]:
    """For JSON: what could not be measured is null."""
    unknown = dict.fromkeys(MEASURED_APART) if found.too_few else {}
    return {**found.as_dict(), **unknown}


def _judge_facts(told: TwoSample) -> dict[str, Any]:
    """The same."""
    unknown = dict.fromkeys(MEASURED_BY_A_JUDGE) if told.too_few else {}
    return {**vars(told), "caution": told.caution, **unknown}


def compare_sets(
    made: Named, real: Named, *, bars: int | None = None, seed: int = 0, progress: Told | None = None
) -> Comparison:
    """Set clips beside real songs, in pieces of ``bars`` bars, or of as many as nearly all clips have, 16 at most.

    Raises:
        OutOfRange: for a seed outside 0-4294967295.
        CorpusError: if either side has no note, or no piece of that length.
    """
    if not 0 <= seed <= LARGEST_SEED:
        raise OutOfRange(f"seed {seed} is outside 0-{LARGEST_SEED}")
    tell = progress or (lambda stage, done, total: None)
    for name, side in (("the music to judge", made), ("the music to judge it by", real)):
        if not any(len(song) for _, song in side):
            raise CorpusError(f"{name} has no notes; give other files")
    rng = np.random.default_rng(seed)
    bars = bars or usual_bars([song for _, song in made])
    ours, theirs = (pieces(side, bars, rng) for side in (made, real))
    for name, side, found in (("music to judge", made, ours), ("music to judge it by", real, theirs)):
        if not found:
            longest = max(song.bars for _, song in side)
            raise CorpusError(f"no {name} is {bars} bars long ({longest} at most); ask for fewer with --bars")
    measured = _Measured(ours, lambda done: tell("measure", done, len(ours) + len(theirs)))
    known = _Measured(theirs, lambda done: tell("measure", done + len(ours), len(ours) + len(theirs)))
    beside, shapes = _distances(measured, known, rng, tell)
    known_music = KnownMusic(real)
    shares = [known_music.check(song).share for _, song in ours]
    return Comparison(
        bars=bars, made=len(ours), real=len(theirs), made_songs=len(set(measured.names)),
        real_songs=len(set(known.names)), figures=beside, histograms=shapes,
        judges=_judged(measured, known, rng, tell), copied=mean_interval(shares, measured.names, rng),
    )  # fmt: skip


def usual_bars(songs: Sequence[Song]) -> int:
    """The bars that nine in ten songs have, 2-16."""
    bars = [song.bars for song in songs if len(song)]
    return int(np.clip(np.quantile(bars, 0.1, method="lower"), FEWEST_BARS, MOST_BARS)) if bars else FEWEST_BARS


def pieces(songs: Named, bars: int, rng: np.random.Generator, most: int = MOST_PIECES) -> list[tuple[str, Song]]:
    """Pieces of ``bars`` bars of the songs in normal form, ``most`` at most: of each song one in turn, by chance."""
    cut = [(name, list(excerpts(normal_form(song), bars))) for name, song in songs if len(song)]
    order = [[(name, found[place]) for place in rng.permutation(len(found))] for name, found in cut]
    turns = [[own[turn] for own in order if turn < len(own)] for turn in range(max(map(len, order), default=0))]
    chosen: list[tuple[str, Song]] = []
    for turn in turns:
        left = most - len(chosen)
        kept = sorted(rng.permutation(len(turn))[:left].tolist())
        chosen += [turn[place] for place in kept]
    return chosen


class _Measured:
    """One side with all that is measured of each piece."""

    def __init__(self, named: Named, on_piece: Callable[[int], None]) -> None:
        self.names: list[Hashable] = [name for name, _ in named]
        self.songs = [song for _, song in named]
        self.figures: list[dict[str, float]] = []
        self.histograms: list[dict[str, Any]] = []
        for number, song in enumerate(self.songs, 1):
            theirs = {f"{MUSPY}{name}": value for name, value in muspy_figures(song).items() if name in MUSPYS_OWN}
            self.figures.append(figures(song) | theirs)
            self.histograms.append(histograms(song))
            on_piece(number)

    def column(self, table: str, name: str) -> tuple[list[Any], list[Hashable]]:
        """Values of one figure and the songs they are of, of the pieces that have it."""
        rows = zip(getattr(self, table), self.names, strict=True)
        held = [(row[name], song) for row, song in rows if name in row]
        return [value for value, _ in held], [song for _, song in held]


def _distances(
    made: _Measured, real: _Measured, rng: np.random.Generator, tell: Told
) -> tuple[dict[str, Beside], dict[str, SetDistance]]:
    tables = {
        table: [name for name in _order(getattr(real, table)) if any(name in row for row in getattr(made, table))]
        for table in ("figures", "histograms")
    }
    total, done = sum(map(len, tables.values())), 0
    found: dict[str, Beside] = {}
    shapes: dict[str, SetDistance] = {}
    for table, names in tables.items():
        for name in names:
            ours, our_songs = made.column(table, name)
            theirs, their_songs = real.column(table, name)
            distance = set_distance(theirs, ours, rng, real_songs=their_songs, made_songs=our_songs)
            if table == "figures":
                means = mean_interval(ours, our_songs, rng), mean_interval(theirs, their_songs, rng)
                found[name] = Beside(*means, distance)
            else:
                shapes[name] = distance
            done += 1
            tell("compare", done, total)
    return found, shapes


def _order(rows: Sequence[dict[str, Any]]) -> list[str]:
    """All names, in the order in which the pieces name them."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _judged(made: _Measured, real: _Measured, rng: np.random.Generator, tell: Told) -> dict[str, TwoSample]:
    found = {}
    for number, judge in enumerate(JUDGES, 1):
        found[judge] = tell_apart(
            real.songs, made.songs, rng, first_songs=[("real", name) for name in real.names],
            second_songs=[("made", name) for name in made.names], judge=judge,
        )  # fmt: skip
        tell("judge", number, len(JUDGES))
    return found


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0

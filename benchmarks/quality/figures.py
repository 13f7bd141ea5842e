"""The rows of the table: figures of clips, and how well a judge tells two columns apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from columns import Column

import woodshed as ws
from woodshed.evaluation.bootstrap import mean_interval
from woodshed.evaluation.clip_features import FAMILIES, clip_features, family_of, feature_names, normal_form
from woodshed.evaluation.copying import CopyIndex
from woodshed.evaluation.metrics import measure
from woodshed.evaluation.two_sample import JUDGES, tell_features_apart
from woodshed.music import Song
from woodshed.words import counted

REFERENCES = {"maker": "this maker's songs", "others": "other makers' songs"}
"""What clips are told from: the maker's songs, learned from or held out, and those of others."""
FIGURES = {
    "pitch_class_entropy": "pitch-class entropy, bits",
    "scale_consistency": "scale consistency",
    "groove_consistency": "groove consistency",
    "notes_per_bar": "notes a bar",
    "notes_per_bar_per_part": "notes a bar of one part",
    **{f"notes_{family}": f"notes a bar of {family}" for family in FAMILIES},
    "parts": "parts",
    "polyphony": "polyphony",
    "empty_bar_rate": "empty bars",
    "longest_drone_quarters": "longest drone, quarters",
    "longest_repeated_note_run": "longest run of one note",
    **{f"self_similarity_{lag}": f"self-similarity, {counted(lag, 'bar')}" for lag in (1, 2, 4, 8)},
    "copied": "copied share",
    "copied_pitched": "copied share, drums left out",
    **{
        f"told_from_{reference}_{judge}": f"told from {title}, {judge} judge"
        for reference, title in REFERENCES.items()
        for judge in JUDGES
    },
}
"""Name in the CSV -> title, in the order of the table."""


@dataclass(frozen=True)
class Row:
    """One figure of one column."""

    figure: str
    source: str
    mean: float
    low: float
    high: float
    clips: int
    songs: int
    note: str = ""


class Copied:
    """What of a clip stands in the songs that were learned from, as written or in normal form, whichever has more.

    The two sides learned different files from the same songs: ours the parts as they are, the peer those of one
    instrument as one. Real clips of a learned song are looked for in the other songs only.
    """

    def __init__(self, folder: Path) -> None:
        self.songs = [(path.stem, ws.read(path)) for path in sorted(folder.glob("*.mid"))]
        self.indices: dict[str, tuple[CopyIndex, CopyIndex]] = {}

    def share(self, column: Column, number: int) -> tuple[float, float]:
        """Of all notes, and of those that are not drums."""
        own = column.songs[number] if column.name == "learned" else ""
        forms = zip(self._index(own), (column.written[number], column.clips[number]), strict=True)
        found = [index.check(clip) for index, clip in forms]
        return max(one.share for one in found), max(one.pitched_share for one in found)

    def _index(self, own: str) -> tuple[CopyIndex, CopyIndex]:
        if own not in self.indices:
            songs = [(stem, song) for stem, song in self.songs if stem != own]
            self.indices[own] = CopyIndex(songs), CopyIndex((stem, normal_form(song)) for stem, song in songs)
        return self.indices[own]


def rows_of(column: Column, copied: Copied, rng: np.random.Generator) -> Iterator[Row]:
    """Mean and interval of each figure over the clips that hold what it counts."""
    values: dict[str, list[tuple[float, str]]] = {name: [] for name in FIGURES}
    for number, (clip, song) in enumerate(zip(column.clips, column.songs, strict=True)):
        for name, value in figures(clip):
            values[name].append((value, song))
        for name, value in zip(("copied", "copied_pitched"), copied.share(column, number), strict=True):
            values[name].append((value, song))
    for name, found in values.items():
        if not name.startswith("told_"):
            spread = mean_interval([value for value, _ in found], [song for _, song in found], rng)
            note = "" if spread.is_known else "no interval: fewer than 2 songs"
            yield Row(name, column.name, spread.mean, spread.low, spread.high, spread.count, spread.groups, note)


def figures(clip: Song) -> Iterator[tuple[str, float]]:
    """Name and figure of one clip; those that have nothing to count are left out."""
    measured = measure(clip)
    for name, value in measured.as_dict().items():
        if name in FIGURES and measured.is_defined(name):
            yield name, value
    features = clip_features(clip)
    for family in FAMILIES:
        if features[f"notes: {family} bars"]:
            yield f"notes_{family}", notes_a_bar(clip, family)


def notes_a_bar(clip: Song, family: str) -> float:
    """Notes of one family of instruments per bar of the clip."""
    own = [FAMILIES[family_of(part)] == family for part in clip.parts]
    return float(np.array(own)[clip.notes["part"]].sum() / clip.bars)


def verdicts(columns: dict[str, Column], rng: np.random.Generator) -> Iterator[Row]:
    """How well a judge tells each column from real songs; real columns are told from the other real songs."""
    maker = joined([columns[name] for name in ("learned", "held out")])
    for name, column in columns.items():
        rest = columns.get("others", Column("others"))
        pairs = {"maker": (maker, column), "others": (rest, column)}
        if name in ("held out", "learned"):
            pairs["maker"] = columns["learned" if name == "held out" else "held out"], column
        elif name == "others":
            pairs["others"] = halves(column, rng)
        for reference, pair in pairs.items():
            for judge in JUDGES:
                yield verdict(f"told_from_{reference}_{judge}", name, *pair, judge, rng)


def verdict(figure: str, source: str, first: Column, second: Column, judge: str, rng: np.random.Generator) -> Row:
    """The row of one comparison; its note says what told them apart, or what to mind."""
    if not first.clips or not second.clips:
        return Row(figure, source, 0.5, 0.0, 1.0, 0, 0, "nothing to compare")
    reads_notes = judge == "notes"
    sides = (first.words, second.words) if reads_notes else (first.features, second.features)
    found = tell_features_apart(
        *sides, rng, first_songs=first.songs, second_songs=second.songs, judge=judge,
        names=() if reads_notes else feature_names(),
    )  # fmt: skip
    note = "; ".join(filter(None, [found.caution, ", ".join(found.telling)]))
    return Row(figure, source, found.accuracy, found.low, found.high, found.second_clips, found.second_songs, note)


def joined(columns: Sequence[Column]) -> Column:
    """All clips of several columns."""
    whole = Column(" and ".join(column.name for column in columns))
    for column in columns:
        whole.written += column.written
        whole.clips += column.clips
        whole.songs += column.songs
    return whole


def halves(column: Column, rng: np.random.Generator) -> tuple[Column, Column]:
    """A column in two, by song, at random."""
    chosen = set(rng.permutation(sorted(set(column.songs)))[::2].tolist())
    parts = []
    for inside in (True, False):
        kept = [number for number, song in enumerate(column.songs) if (song in chosen) == inside]
        written, clips = [column.written[n] for n in kept], [column.clips[n] for n in kept]
        parts.append(Column(column.name, written, clips, [column.songs[n] for n in kept]))
    return parts[0], parts[1]

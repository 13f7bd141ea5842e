"""How well a bundle predicts songs that it never learned from: nats per note, and how sure that figure is.

A note's likelihood is the product of its fields'. The figure is the sum over all songs of the nats of all their rows
(rests and the end included, so that silence is not free) divided by the number of their notes; lower is better. Its
interval comes from drawing whole songs with replacement (Efron 1979), because the notes of one song are no independent
evidence. What of a song is paid for depends on the codec: `footing` says it; `paired` sets two bundles side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from woodshed.bundle import Bundle
from woodshed.bundle.kinds import LATENT, kind_of
from woodshed.bundle.likelihood import field_names
from woodshed.errors import CorpusError, WoodshedError
from woodshed.evaluation.bootstrap import Interval, ratio_interval
from woodshed.evaluation.song_nats import SongNats, nats_of, silence
from woodshed.music import Song

Hear = Callable[[Song], Sequence[Song]]
"""Finds in a song what a bundle is asked about, such as its melodies; raises `WoodshedError` where there is none."""
ROUNDING = 1e-6
"""Nats of a song that are nobody's below this are what is left of rounding."""


@dataclass(frozen=True)
class Likelihood:
    """Nats per note over some songs."""

    total: Interval
    """Of everything, over all notes (`Interval.count`) of all songs heard (`Interval.groups`)."""
    field_intervals: dict[str, Interval]
    """Field -> its nats, over all notes; their means add up to the total's."""
    players: dict[str, Interval]
    """Role of a part, or what else plays -> nats over its own notes, over the songs in which it plays; most notes
    first."""
    nobody: Interval
    """Nats of rests, of the end, of a place in a latent space, over all notes; 0 where all nats are somebody's."""
    by_song: tuple[SongNats | None, ...]
    """What each song of those asked about costs, in their order; None for one in which nothing is of the bundle's kind,
    such as a melody."""

    @property
    def nats_per_note(self) -> float:
        """The figure itself; lower is better."""
        return self.total.mean

    @property
    def low(self) -> float:
        """2.5th percentile of the bootstrap; with a single song it is the figure itself, as is ``high``."""
        return self.total.low

    @property
    def high(self) -> float:
        """97.5th percentile."""
        return self.total.high

    @property
    def fields(self) -> dict[str, float]:
        """Nats per note of each field."""
        return {name: found.mean for name, found in self.field_intervals.items()}

    @property
    def songs(self) -> int:
        """How many songs were heard."""
        return self.total.groups

    @property
    def notes(self) -> int:
        """How many notes they have, as the codec counts them."""
        return self.total.count

    @property
    def unheard(self) -> int:
        """Songs that are not asked about."""
        return sum(one is None for one in self.by_song)

    @property
    def caution(self) -> str:
        """Empty, or why the interval is not to be relied on."""
        return self.total.caution

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain = ("nats_per_note", "low", "high", "fields", "songs", "notes", "unheard", "caution")
        return {
            **{name: getattr(self, name) for name in plain},
            "field_intervals": {name: found.as_dict() for name, found in self.field_intervals.items()},
            "parts": {name: found.as_dict() for name, found in self.players.items()},
            "of_no_part": self.nobody.as_dict(),
        }


def measure_likelihood(
    bundle: Bundle,
    songs: Sequence[Song],
    *,
    seed: int = 0,
    on_song: Callable[[int, int], None] | None = None,
    hear: Hear = lambda song: (song,),
    only: Sequence[str] = (),
) -> Likelihood:
    """Nats per note of ``songs``; ``on_song`` is told how many are done and how many there are.

    ``only`` names fields of a bundle of notes; others are then not paid for, nor is the end.

    Raises:
        CorpusError: if the songs have no note, or none that the bundle's codec hears.
    """
    songs = [song for song in songs if len(song)]
    if not songs:
        raise CorpusError("the songs to evaluate on have no notes; give others")
    found: list[SongNats | None] = []
    refused = ""
    for index, song in enumerate(songs):
        try:
            one = _song_nats(bundle, song, hear, only)
        except WoodshedError as error:
            refused, one = str(error), silence(bundle)
        found.append(one if one.notes else None)
        if on_song is not None:
            on_song(index + 1, len(songs))
    if all(one is None for one in found):
        raise CorpusError(f"recipe {bundle.recipe} hears nothing in the {len(songs)} songs{refused and ': '}{refused}")
    return summarise_nats(found, only or field_names(bundle), seed)


def _song_nats(bundle: Bundle, song: Song, hear: Hear, only: Sequence[str]) -> SongNats:
    pieces = [piece if kind_of(bundle) == LATENT else bundle.codec.arrange(piece) for piece in hear(song)]
    return sum((nats_of(bundle, piece, only) for piece in pieces), silence(bundle) if not only else _nothing(only))


def _nothing(only: Sequence[str]) -> SongNats:
    return SongNats(dict.fromkeys(only, 0.0), 0, {})


def summarise_nats(found: Sequence[SongNats | None], names: Sequence[str], seed: int = 0) -> Likelihood:
    """The figures of some songs, at least one of which was heard, with fields ``names``."""
    heard = [one for one in found if one is not None]
    notes = np.array([one.notes for one in heard], float)
    nats = np.array([[one.fields[name] for name in names] for one in heard])  # (songs, fields)

    def over(amounts: Any, sizes: Any) -> Interval:
        return ratio_interval(amounts, sizes, np.random.default_rng(seed))

    roles = sorted({name for one in heard for name in one.players})
    spent = {name: np.array([one.players.get(name, (0.0, 0)) for one in heard], float) for name in roles}
    rest = nats.sum(1) - sum(own[:, 0] for own in spent.values())
    players = {name: over(*own.T) for name, own in spent.items()}
    return Likelihood(
        total=over(nats.sum(1), notes),
        field_intervals={name: over(nats[:, column], notes) for column, name in enumerate(names)},
        players=dict(sorted(players.items(), key=lambda item: -item[1].count)),
        nobody=over(np.where(np.abs(rest) < ROUNDING, 0.0, rest), notes),
        by_song=tuple(found),
    )

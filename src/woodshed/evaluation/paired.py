"""Which of two bundles predicts the same songs better, and how sure that is.

Songs differ far more from one another than two models do on one song. So each song is its own control: the difference
is taken song by song, over the very same notes, and its interval draws whole songs with replacement (B. Efron and R. J.
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 8). Two intervals that overlap say nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from woodshed.bundle import Bundle
from woodshed.errors import CorpusError, UsageError
from woodshed.evaluation.bootstrap import Interval, ratio_interval
from woodshed.evaluation.footing import Ground, common_ground, footing_of
from woodshed.evaluation.likelihood import Hear, Likelihood, measure_likelihood
from woodshed.music import Song

Told = Callable[[int, int], None]


@dataclass(frozen=True)
class Paired:
    """Two bundles on the same songs: all figures are of those of which both count the same notes."""

    first: float
    """Nats per note of the first."""
    second: float
    difference: Interval
    """Second minus first, nats per note: below 0 the second is better."""
    first_fields: dict[str, float]
    """Nats per note of each field of the first, where both have the same ones; they add up to ``first``."""
    second_fields: dict[str, float]
    fields: dict[str, Interval]
    """Second minus first of each of them."""
    first_better_songs: int
    """Songs that the first finds likelier."""
    ground: str
    """What was left out so that both price the same; empty if nothing."""
    unheard: int
    """Songs left out because one of the two, or both, hear nothing of their kind in them."""
    unlike: int
    """Songs left out because the two count different notes of them."""

    @property
    def better(self) -> str:
        """``"first"`` or ``"second"``; ``"neither"`` while the interval holds 0; ``"unknown"`` with fewer songs than
        `FEW_GROUPS`, where the interval cannot be relied on."""
        if self.difference.caution:
            return "unknown"
        if self.difference.low <= 0 <= self.difference.high:
            return "neither"
        return "second" if self.difference.mean < 0 else "first"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **{name: value for name, value in vars(self).items() if name not in ("difference", "fields")},
            "better": self.better,
            "difference": self.difference.as_dict(),
            "fields": {name: found.as_dict() for name, found in self.fields.items()},
        }


def compare(
    bundles: tuple[Bundle, Bundle],
    songs: Sequence[Song],
    *,
    hear: tuple[Hear, Hear] = (lambda song: (song,), lambda song: (song,)),
    seed: int = 0,
    on_song: Told | None = None,
) -> tuple[Paired, Likelihood, Likelihood]:
    """Both bundles' nats of what both can price, song by song, and the likelihoods that they were taken from.

    Raises:
        UsageError: if their nats price different things, which it names.
        CorpusError: if there is no song that both can be asked about.
    """
    ground = common_ground(*bundles)
    if ground.refusal:
        raise UsageError(ground.refusal)
    hears = _heard_alike(bundles, hear, ground)
    tell = on_song or (lambda done, total: None)
    total = 2 * sum(len(song) > 0 for song in songs)
    first, second = (
        measure_likelihood(
            bundle, songs, seed=seed, hear=listen, only=ground.only if bundle.codec.name == "note-step" else (),
            on_song=lambda done, _, before=number: tell(done + before * total // 2, total),  # type: ignore[misc]
        )
        for number, (bundle, listen) in enumerate(zip(bundles, hears, strict=True))
    )  # fmt: skip
    return pair(first, second, ground.sentence, seed), first, second


def _heard_alike(bundles: tuple[Bundle, Bundle], hear: tuple[Hear, Hear], ground: Ground) -> tuple[Hear, Hear]:
    """Who finds the pieces for each: where something must be left out, the narrower codec for both."""
    if not ground.sentence or not footing_of(bundles[0]).is_exact:
        return hear
    codec, listen = bundles[ground.pieces_of].codec, hear[ground.pieces_of]

    def narrow(song: Song) -> Sequence[Song]:
        return [codec.arrange(piece) for piece in listen(song)]

    return narrow, narrow


def pair(first: Likelihood, second: Likelihood, ground: str = "", seed: int = 0) -> Paired:
    """Two likelihoods of the same songs in the same order.

    Raises:
        CorpusError: if there is none of which both count the same notes.
    """
    pairs = zip(first.by_song, second.by_song, strict=True)
    heard = [(one, other) for one, other in pairs if one is not None and other is not None]
    both = [(one, other) for one, other in heard if one.notes == other.notes]
    if not both:
        raise CorpusError("the two bundles hear the same notes in no song; compare them on other music")
    notes = np.array([one.notes for one, _ in both], float)
    nats = np.array([(one.nats, other.nats) for one, other in both])  # (songs, 2)

    def over(amounts: Any) -> Interval:
        return ratio_interval(amounts, notes, np.random.default_rng(seed))

    names = list(first.fields) if list(first.fields) == list(second.fields) else []
    ours, theirs = (nats.sum(0) / notes.sum()).tolist()
    return Paired(
        first=ours, second=theirs, difference=over(nats[:, 1] - nats[:, 0]),
        first_fields={name: sum(one.fields[name] for one, _ in both) / float(notes.sum()) for name in names},
        second_fields={name: sum(other.fields[name] for _, other in both) / float(notes.sum()) for name in names},
        fields={name: over([other.fields[name] - one.fields[name] for one, other in both]) for name in names},
        first_better_songs=int((nats[:, 0] < nats[:, 1]).sum()), ground=ground,
        unheard=len(first.by_song) - len(heard), unlike=len(heard) - len(both),
    )  # fmt: skip

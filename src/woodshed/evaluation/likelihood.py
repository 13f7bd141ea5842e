"""How well a bundle predicts songs that it never learned from: nats per note, and how sure that figure is.

A note's likelihood is the product of its six fields'. The figure is the sum over all songs of the nats of all their
rows (rests and the end included, so that silence is not free) divided by the number of their notes; lower is
better. Its interval comes from drawing whole songs with replacement (Efron 1979), because the notes of one song are
no independent evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.bundle.kinds import LATENT, kind_of
from woodshed.bundle.likelihood import field_names, song_nats
from woodshed.errors import CorpusError, WoodshedError
from woodshed.music import Song

DRAWS = 2000


@dataclass(frozen=True)
class Likelihood:
    """Nats per note over some songs."""

    nats_per_note: float
    low: float
    """2.5th percentile of the bootstrap; with a single song it is the figure itself, as is ``high``."""
    high: float
    """97.5th percentile."""
    fields: dict[str, float]
    """Nats per note of each field; they add up to ``nats_per_note``."""
    songs: int
    notes: int
    unheard: int = 0
    """Songs that are not asked about, since nothing in them is of the bundle's kind, such as a melody."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return dict(vars(self))


def measure_likelihood(
    bundle: Bundle,
    songs: Sequence[Song],
    *,
    seed: int = 0,
    on_song: Callable[[int, int], None] | None = None,
    hear: Callable[[Song], Sequence[Song]] = lambda song: (song,),
) -> Likelihood:
    """Nats per note of ``songs``; ``on_song`` is told how many are done and how many there are.

    ``hear`` finds in a song what is asked about, such as its melodies; it raises `WoodshedError` where there is none.

    Raises:
        CorpusError: if the songs have no note, or none that the bundle's codec hears.
    """
    songs = [song for song in songs if len(song)]
    if not songs:
        raise CorpusError("the songs to evaluate on have no notes; give others")
    names = field_names(bundle)
    nats, notes = np.zeros((len(songs), len(names))), np.zeros(len(songs))
    refused = ""
    for index, song in enumerate(songs):
        try:
            heard = [piece if kind_of(bundle) == LATENT else bundle.codec.arrange(piece) for piece in hear(song)]
        except WoodshedError as error:
            refused = str(error)
            heard = []
        for piece in heard:
            found, count = song_nats(bundle, piece)
            nats[index] += [found[name] for name in names]
            notes[index] += count
        if on_song is not None:
            on_song(index + 1, len(songs))
    heard_any = notes > 0
    unheard = int((~heard_any).sum())
    if unheard == len(songs):
        raise CorpusError(f"recipe {bundle.recipe} hears nothing in the {len(songs)} songs{refused and ': '}{refused}")
    nats, notes = nats[heard_any], notes[heard_any]
    fields = nats.sum(0) / notes.sum()
    low, high = bootstrap(nats.sum(1), notes, np.random.default_rng(seed))
    named = dict(zip(names, fields.tolist(), strict=True))
    return Likelihood(float(fields.sum()), low, high, named, len(notes), int(notes.sum()), unheard)


def bootstrap(
    nats: NDArray[np.float64], notes: NDArray[np.float64], rng: np.random.Generator, draws: int = DRAWS
) -> tuple[float, float]:
    """The interval that holds 95 % of the ratios sum(nats) / sum(notes) over songs drawn with replacement."""
    chosen = rng.integers(len(nats), size=(draws, len(nats)))
    ratios = nats[chosen].sum(1) / notes[chosen].sum(1)
    low, high = np.quantile(ratios, (0.025, 0.975)).tolist()
    return low, high

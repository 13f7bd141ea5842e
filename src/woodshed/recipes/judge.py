"""Judge a bundle, or two, on music: how well it predicts songs that it did not learn from; what that music is like."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from woodshed.bundle import LATENT, Bundle, kind_of
from woodshed.corpus import BuildOptions, Corpus, Entry, build_corpus
from woodshed.errors import CorpusError, UnknownName, UsageError, WoodshedError
from woodshed.evaluation.footing import Footing, common_ground, footing_of
from woodshed.evaluation.likelihood import Likelihood, measure_likelihood
from woodshed.evaluation.metrics import Spread, summarise
from woodshed.evaluation.paired import Paired, compare
from woodshed.evaluation.reconstruction import Reconstruction, measure_reconstruction
from woodshed.music import Song
from woodshed.recipes.clip import LARGEST_SEED
from woodshed.recipes.files import check_range
from woodshed.recipes.learned import origins_of
from woodshed.recipes.material import Material, is_corpus, not_used
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import as_learned

SPLITS = ("held_out", "train", "all")
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Verdict:
    """What came of it."""

    likelihood: Likelihood
    metrics: dict[str, Spread]
    """Figures of the music itself, to hold a clip against."""
    left_out: int
    """Songs not asked about because they are not of that side, or the bundle learned from them."""
    footing: Footing
    """What the nats are nats of."""
    reconstruction: Reconstruction | None = None
    """Of a bundle with a latent space: what comes back from it."""
    remarks: tuple[str, ...] = ()
    """What is known, or not, of songs that were learned, by the bundle or by what it began from; one line each."""
    origins: tuple[dict[str, Any], ...] = ()
    """The same for programs, see `woodshed.recipes.learned.Origin`."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        metrics = {name: asdict(spread) for name, spread in self.metrics.items()}
        back = {"reconstruction": self.reconstruction.as_dict()} if self.reconstruction else {}
        rest = {"left_out": self.left_out, "footing": self.footing.as_dict(), "learned": list(self.origins)}
        return {**self.likelihood.as_dict(), **rest, **back, "metrics": metrics}


@dataclass(frozen=True)
class PairVerdict:
    """What came of two."""

    paired: Paired
    likelihoods: tuple[Likelihood, Likelihood]
    """Of what both price, each over all songs that it hears itself: figures to set side by side are in ``paired``."""
    left_out: int
    """Songs not asked about because they are not of that side, or one of them learned from them; those that were asked
    about and cannot be compared are ``paired.unheard`` and ``paired.unlike``."""
    remarks: tuple[str, ...] = ()
    origins: tuple[dict[str, Any], ...] = ()
    """As of a `Verdict`, of both."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        first, second = (likelihood.as_dict() for likelihood in self.likelihoods)
        return {
            **self.paired.as_dict(),
            "left_out": self.left_out,
            "learned": list(self.origins),
            "bundles": [first, second],
        }


def judge(
    bundle: Bundle, source: Path, *, split: str = "held_out", seed: int = 0, progress: Told | None = None
) -> Verdict:
    """Measure ``bundle`` on one split of a corpus, or on a folder of music.

    ``"held_out"`` means of a folder: all songs but those that the bundle is known to have learned from.

    Raises:
        UnknownName: for another split.
        OutOfRange: for a seed outside 0-4294967295.
        CorpusError: if there is no song to ask about.
    """
    check_range("seed", seed, 0, LARGEST_SEED)
    tell = progress or (lambda stage, done, total: None)
    asked = _asked([bundle], source, split, tell)
    songs = asked.songs
    likelihood = likelihood_on(bundle, songs, split=split, seed=seed, tell=tell)
    back = measure_reconstruction(bundle, songs, seed=seed) if kind_of(bundle) == LATENT else None
    return Verdict(likelihood, summarise(songs), asked.left_out, footing_of(bundle), back, *asked.told)


def judge_two(
    bundles: tuple[Bundle, Bundle],
    source: Path,
    *,
    split: str = "held_out",
    seed: int = 0,
    progress: Told | None = None,
) -> PairVerdict:
    """Which of two bundles predicts the same songs better; none that either learned from is asked about.

    Raises:
        UnknownName: for another split.
        UsageError: if their nats price different things.
        OutOfRange: for a seed outside 0-4294967295.
        CorpusError: if there is no song to ask about.
    """
    check_range("seed", seed, 0, LARGEST_SEED)
    tell = progress or (lambda stage, done, total: None)
    if refusal := common_ground(*bundles).refusal:  # before any music is read
        raise UsageError(refusal)
    asked = _asked(bundles, source, split, tell)
    hear = heard_by(bundles[0]), heard_by(bundles[1])
    found, first, second = compare(
        bundles, asked.songs, hear=hear, seed=seed, on_song=lambda done, total: tell("measure", done, total)
    )
    return PairVerdict(found, (first, second), asked.left_out, *asked.told)


def likelihood_on(bundle: Bundle, songs: Sequence[Song], *, split: str, seed: int, tell: Told) -> Likelihood:
    """Nats per note of what the bundle's recipe finds in the songs.

    Raises:
        CorpusError: if it finds nothing.
    """
    try:
        return measure_likelihood(
            bundle, songs, seed=seed, on_song=lambda done, total: tell("measure", done, total), hear=heard_by(bundle)
        )
    except CorpusError as error:
        remedy = "" if split == "all" else f" (these are {split}; --split all asks about all songs)"
        raise CorpusError(f"{error}{remedy}") from None


def songs_to_ask(bundles: Sequence[Bundle], source: Path, split: str, tell: Told) -> tuple[list[Song], int]:
    """The songs of one split that none of the bundles learned from, and how many were left out.

    Raises:
        UnknownName: for another split.
        CorpusError: if there is none.
    """
    asked = _asked(bundles, source, split, tell)
    return asked.songs, asked.left_out


@dataclass(frozen=True)
class _Asked:
    """What bundles are asked about."""

    songs: list[Song]
    left_out: int
    told: tuple[tuple[str, ...], tuple[dict[str, Any], ...]]
    """Remarks and origins, as a `Verdict` has them."""


def _asked(bundles: Sequence[Bundle], source: Path, split: str, tell: Told) -> _Asked:
    if split not in SPLITS:
        raise UnknownName(f"split {split!r} is not one of {', '.join(SPLITS)}")
    source = Path(source)
    origins = list({(one.name, one.of): one for bundle in bundles for one in origins_of(bundle)}.values())
    gone: list[str] = []
    learned: set[str] = set().union(*(origin.ids or () for origin in origins))
    if is_corpus(source):
        corpus = Corpus.open(source)
        asked, size = list(corpus.songs(None if split == "all" else split)), len(corpus)
        kept = [song for entry, song in asked if split != "held_out" or entry.song_id not in learned]
    else:
        asked, gone = _read(source, tell)
        size, wanted = len(asked), {"held_out": (False,), "train": (True,), "all": (False, True)}[split]
        kept = [song for entry, song in asked if (entry.song_id in learned) in wanted]
    ids = {entry.song_id for entry, _ in asked}
    silent = [one for one in origins if one.is_own and (split != "held_out" or (one.ids is None and is_corpus(source)))]
    remarks = [one.remark(ids, split) for one in origins if one not in silent]
    if not kept:
        why = "".join(f"; {remark}" for remark in remarks if remark)
        raise CorpusError(
            f"{source}: no song is {split}; give other music, or --split all to include what was learned{why}"
        )
    told = (*gone, *filter(None, remarks)), tuple(one.as_dict(ids) for one in origins)
    return _Asked(kept, size - len(kept), told)


def _read(source: Path, tell: Told) -> tuple[list[tuple[Entry, Song]], list[str]]:
    """The songs of a folder, or a file; and what to say of files that are none."""
    with tempfile.TemporaryDirectory(prefix="woodshed-") as folder:
        options = BuildOptions(min_notes=1, held_out_fraction=0.0, near_duplicates=False)
        build_corpus(source, Path(folder) / "corpus", options=options, progress=tell)
        corpus = Corpus.open(Path(folder) / "corpus")
        return list(corpus.songs()), not_used(corpus, source.name or str(source))


def heard_by(bundle: Bundle) -> Callable[[Song], Sequence[Song]]:
    """Who finds in a song what the bundle's recipe learns of it: the very parts or melodies that training held out."""
    try:
        recipe = load_recipe(bundle.recipe, list(map(str, bundle.training.get("changed") or ())))
    except (WoodshedError, TypeError):  # of another version, a recipe of someone's own, or a damaged config
        return lambda song: (song,)
    if kind_of(bundle) == LATENT:
        return lambda song: (song,)  # its clips are found where they are measured
    return lambda song: as_learned(recipe, Material([song]), bundle.codec).songs

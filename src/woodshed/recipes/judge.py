"""Judge a bundle on music: how well it predicts songs that it did not learn from, and what that music is like."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from woodshed.bundle import LATENT, Bundle, kind_of
from woodshed.corpus import BuildOptions, Corpus, build_corpus
from woodshed.errors import CorpusError, UnknownName, WoodshedError
from woodshed.evaluation.likelihood import Likelihood, measure_likelihood
from woodshed.evaluation.metrics import Spread, summarise
from woodshed.evaluation.reconstruction import Reconstruction, measure_reconstruction
from woodshed.music import Song
from woodshed.recipes.material import Material, is_corpus
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
    """Songs not asked about because the bundle learned from them."""
    reconstruction: Reconstruction | None = None
    """Of a bundle with a latent space: what comes back from it."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        metrics = {name: asdict(spread) for name, spread in self.metrics.items()}
        back = {"reconstruction": self.reconstruction.as_dict()} if self.reconstruction else {}
        return {**self.likelihood.as_dict(), "left_out": self.left_out, **back, "metrics": metrics}


def judge(
    bundle: Bundle, source: Path, *, split: str = "held_out", seed: int = 0, progress: Told | None = None
) -> Verdict:
    """Measure ``bundle`` on one split of a corpus, or on a folder of music.

    ``"held_out"`` means of a folder: all songs but those that the bundle is known to have learned from.

    Raises:
        UnknownName: for another split.
        CorpusError: if there is no song to ask about.
    """
    if split not in SPLITS:
        raise UnknownName(f"split {split!r} is not one of {', '.join(SPLITS)}")
    tell = progress or (lambda stage, done, total: None)
    songs, left_out = _songs(bundle, Path(source), split, tell)
    if not songs:
        raise CorpusError(f"{source}: no song is {split}; give other music, or --split all to include what was learned")
    try:
        likelihood = measure_likelihood(
            bundle, songs, seed=seed, on_song=lambda done, total: tell("measure", done, total), hear=_heard_by(bundle)
        )
    except CorpusError as error:
        remedy = "" if split == "all" else f" (these are {split}; --split all asks about all songs)"
        raise CorpusError(f"{error}{remedy}") from None
    back = measure_reconstruction(bundle, songs, seed=seed) if kind_of(bundle) == LATENT else None
    return Verdict(likelihood, summarise(songs), left_out, back)


def _songs(bundle: Bundle, source: Path, split: str, tell: Told) -> tuple[list[Song], int]:
    """The songs to ask about, and how many were left out."""
    if is_corpus(source):
        corpus = Corpus.open(source)
        found = [song for _, song in corpus.songs(None if split == "all" else split)]
        return found, len(corpus) - len(found)
    learned = _learned(bundle)
    with tempfile.TemporaryDirectory(prefix="woodshed-") as folder:
        options = BuildOptions(min_notes=1, held_out_fraction=0.0, near_duplicates=False)
        build_corpus(source, Path(folder) / "corpus", options=options, progress=tell)
        entries = list(Corpus.open(Path(folder) / "corpus").songs())
    wanted = {"held_out": (False,), "train": (True,), "all": (False, True)}[split]
    found = [song for entry, song in entries if (entry.song_id in learned) in wanted]
    return found, len(entries) - len(found)


def _heard_by(bundle: Bundle) -> Callable[[Song], Sequence[Song]]:
    """Who finds in a song what the bundle's recipe learns of it: the very parts or melodies that training held out."""
    try:
        recipe = load_recipe(bundle.recipe, list(map(str, bundle.training.get("changed") or ())))
    except (WoodshedError, TypeError):  # of another version, a recipe of someone's own, or a damaged config
        return lambda song: (song,)
    if kind_of(bundle) == LATENT:
        return lambda song: (song,)  # its clips are found where they are measured
    return lambda song: as_learned(recipe, Material([song]), bundle.codec).songs


def _learned(bundle: Bundle) -> set[str]:
    """Ids of the songs that the bundle learned from, where the corpus made for it is still there."""
    if bundle.folder is None or not is_corpus(bundle.folder / "training" / "corpus"):
        return set()
    corpus = Corpus.open(bundle.folder / "training" / "corpus")
    return {entry.song_id for entry in corpus.entries if entry.split == "train"}

"""What the demo learns from: the user's folder, else Freedoom if it was fetched, else quartets that are installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from woodshed.corpus.classics import LICENCES, SOURCE, open_classics
from woodshed.corpus.datasets import default_data_folder, find_dataset, is_downloaded
from woodshed.music import Song
from woodshed.recipes.material import Material, Progress, open_material

BAND = "freedoom"
"""Bands with drums, bass and guitars are more fun than quartets, so this set comes first where it is there."""


@dataclass(frozen=True)
class DemoMusic:
    """The songs, and how to call them."""

    material: Material
    name: str
    """As in "it practised NAME"."""
    title: str
    """The same in a word or three."""


def open_demo_music(
    folder: Path | None, work: Path, *, seed: int = 0, cache: Path | None = None, progress: Progress | None = None
) -> DemoMusic:
    """The music of ``folder`` if there is one, else of what is installed; ``work`` is for a corpus that is built.

    Raises:
        MissingDependency: if there is no folder and nothing is installed.
        CorpusError, FileError: if the folder holds no usable music.
    """
    if folder is not None:
        material = open_material(folder, work, seed=seed, progress=progress)
        return DemoMusic(material, material.source, material.source)
    data = default_data_folder()
    if is_downloaded(BAND, data):
        dataset = find_dataset(BAND)
        material = open_material(data / dataset.folder, work, seed=seed, progress=progress)
        name = f"{dataset.title}: {dataset.what}"
        licences = (dataset.licence, *material.licences)
        return DemoMusic(_told(material, name, licences), name, dataset.title)
    corpus = open_classics(cache=cache, progress=progress)
    learned, held_out = ([song for _, song in corpus.songs(split)] for split in ("train", "held_out"))
    return DemoMusic(_told(Material(learned, held_out), SOURCE, LICENCES), SOURCE, "classical string quartets")


def _told(material: Material, source: str, licences: Sequence[str]) -> Material:
    return Material(material.songs, material.held_out, source, tuple(licences), material.warnings)


def distinct_titles(songs: Sequence[Song]) -> list[str]:
    """A title for each song, numbered where it has none."""
    return [song.title or f"song {number}" for number, song in enumerate(songs, 1)]

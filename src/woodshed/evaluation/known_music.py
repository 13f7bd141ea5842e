"""Songs that clips are checked against: what of them is new."""

from __future__ import annotations

from collections.abc import Iterable

from woodshed.corpus.passages import IndexedSong, PassageIndex
from woodshed.evaluation.novelty import Novelty, measure_novelty
from woodshed.music import Song


class KnownMusic:
    """Songs with their index, see `woodshed.corpus.passages`."""

    def __init__(self, songs: Iterable[tuple[str, Song]]) -> None:
        """Of songs by name."""
        named = list(songs)
        self._songs = [song for _, song in named]
        self._index = PassageIndex.build((IndexedSong(name, name), song) for name, song in named)

    def check(self, song: Song) -> Novelty:
        """What of a song stands in these."""
        return measure_novelty(song, self._index, self._songs.__getitem__)

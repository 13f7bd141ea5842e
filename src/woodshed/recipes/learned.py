"""Which songs a bundle learned from, and which all learned that it began from: as far as anybody can tell.

A figure of songs that were learned says nothing of music that was not. Three places tell which those are:

=========================  ========================================================================================
of                         where their ids stand
=========================  ========================================================================================
a bundle                   the corpus that was made for its training, where that still lies inside; or its list
                           `LIST`, an id a line (`woodshed.corpus.analyse.content_hash`), which says nothing else
the bundle it began from   the list of the shipped bundle, if its weights are that one's
any other                  nowhere: its record tells how many songs, and whose, but not which
=========================  ========================================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from woodshed.bundle import Bundle
from woodshed.bundle.bundle import SHIPPED, SHIPPED_NAMES, load_bundle
from woodshed.bundle.heritage import MOST_GENERATIONS, fingerprint
from woodshed.corpus import Corpus
from woodshed.errors import WoodshedError
from woodshed.recipes.material import is_corpus
from woodshed.words import counted

LIST = "learned.txt"


@dataclass(frozen=True)
class Origin:
    """A bundle, or one that it began from."""

    name: str
    of: str
    """The bundle that began from it, through others or at once; empty for a bundle itself."""
    record: Mapping[str, Any]
    """How many songs, and whose; see `woodshed.bundle.heritage`."""
    ids: frozenset[str] | None
    """Of the songs that it learned from; None if nobody knows."""

    @property
    def is_own(self) -> bool:
        """Whether it is a bundle itself."""
        return not self.of

    def among(self, songs: Collection[str]) -> int | None:
        """How many of some songs it learned from."""
        return None if self.ids is None else len(self.ids.intersection(songs))

    def remark(self, songs: Collection[str], split: str) -> str:
        """One line on some songs of one split; empty if none of them was learned."""
        who = f"{self.name}, from which {self.of} began," if self.of else self.name
        found = self.among(songs)
        if found is None:
            count = self.record.get("songs")
            whose = f" ({self.record['source']})" if self.of and "source" in self.record else ""
            many = counted(count, str(self.record.get("called", "song"))) if isinstance(count, int) and self.of else ""
            learned = f"its {many}{whose}" if many else "the songs it learned from"
            return f"{who} keeps no list of {learned}: some of these may be among them"
        done = "they are left out" if split == "held_out" else "what is measured on those says nothing of new music"
        return f"{who} learned from {counted(found, 'song')} of these: {done}" if found else ""

    def as_dict(self, songs: Collection[str]) -> dict[str, Any]:
        """For JSON; ``among`` is None where it cannot be known."""
        return {
            "bundle": self.name,
            "of": self.of or None,
            "songs": self.record.get("songs"),
            "among": self.among(songs),
        }


def origins_of(bundle: Bundle) -> tuple[Origin, ...]:
    """The bundle itself, then all that it began from, nearest first, each once."""
    found = [Origin(bundle.name, "", bundle.training, _own_ids(bundle))]
    ahead = [(record, 1) for record in _parents(bundle.training)]
    seen = set()
    while ahead:
        record, generation = ahead.pop(0)
        name = str(record.get("bundle", "another bundle"))
        key = record.get("weights") or name
        if key not in seen:
            seen.add(key)
            found.append(Origin(name, bundle.name, record, _shipped_ids(record)))
        if generation < MOST_GENERATIONS:
            ahead += [(parent, generation + 1) for parent in _parents(record)]
    return tuple(found)


def heard_before(bundle: Bundle) -> list[str]:
    """A line for each bundle from which this one began that had learned songs which were then held out: they are no
    longer new music."""
    corpus = bundle.folder / "training" / "corpus" if bundle.folder is not None else None
    if corpus is None or not is_corpus(corpus):
        return []
    held_out = {entry.song_id for entry in Corpus.open(corpus).entries if entry.split == "held_out"}
    known = [(origin.name, origin.among(held_out) or 0) for origin in origins_of(bundle)[1:]]
    songs = counted(len(held_out), "song")
    return [
        f"{name} had learned {found} of {songs} held out, and reads it better than new music"
        for name, found in known
        if found
    ]


def _parents(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a record says of the bundles from which it comes: the one it began from, or those of a blend."""
    blend = record.get("blend")
    parents = list(blend) if isinstance(blend, list) and blend else [record.get("base")]
    return [parent for parent in parents if isinstance(parent, dict)]


def _own_ids(bundle: Bundle) -> frozenset[str] | None:
    if bundle.folder is None:
        return None
    if is_corpus(corpus := bundle.folder / "training" / "corpus"):
        return frozenset(entry.song_id for entry in Corpus.open(corpus).entries if entry.split == "train")
    try:
        return frozenset((bundle.folder / LIST).read_text("ascii").split())
    except (OSError, ValueError):
        return None


def _shipped_ids(record: Mapping[str, Any]) -> frozenset[str] | None:
    """Of a bundle that is known by its record alone."""
    return _lists().get(str(record.get("weights")))


@cache
def _lists() -> dict[str, frozenset[str]]:
    """Weights -> ids, of the shipped bundles that keep a list."""
    found = {}
    for name in SHIPPED_NAMES:
        if (SHIPPED / name / LIST).is_file():
            try:
                bundle = load_bundle(SHIPPED / name)
            except WoodshedError:
                continue
            found[fingerprint(bundle)] = _own_ids(bundle) or frozenset()
    return found

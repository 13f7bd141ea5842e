"""A clip: a song that was made, how it was made, and how the best of several answers is kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from woodshed.bundle import Bundle
from woodshed.generation.canvas import Canvas
from woodshed.generation.choose import best_of
from woodshed.generation.filters import Sampling
from woodshed.music import KEY, Key, Song, part_name
from woodshed.music.chord_sheet import sheet_text
from woodshed.recipes.files import MOST_CLIPS, Told, check_range
from woodshed.recipes.rules import told_rules
from woodshed.recipes.wish import Wish
from woodshed.version import __version__
from woodshed.words import counted

CANDIDATES = 6
"""How many are drawn for each clip that is kept: side by side they cost little more than one."""
MOST_CANDIDATES = 64
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Clip:
    """A song that was made, and how."""

    song: Song
    seed: int
    number: int
    """0 for the first of those asked for with one seed."""
    settings: Mapping[str, Any]
    """All that, with the bundle, makes the same song again; written into the file."""
    findings: Mapping[str, Any] = field(default_factory=dict)
    """What was counted in it, for JSON."""
    remark: str = ""
    """The same for people, in a few words."""

    def summary(self) -> str:
        """``8 bars, 4 parts, 412 notes, 140 BPM, F minor, seed 7``"""
        return f"{describe(self.song)}, seed {self.seed}{self.remark and '; '}{self.remark}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        own = {"seed": self.seed, "number": self.number, "settings": dict(self.settings)}
        return {**facts_of(self.song), **self.findings, **own}


def describe(song: Song) -> str:
    """``8 bars, 4 parts, 412 notes, 140 BPM, F minor``"""
    counts = [counted(song.bars, "bar"), counted(len(song.parts), "part"), counted(len(song), "note")]
    return ", ".join(filter(None, [*counts, f"{song.bpm:.4g} BPM", key_name(song)]))


def facts_of(song: Song) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "bars": song.bars,
        "parts": [part_name(part) for part in song.parts],
        "notes": len(song),
        "bpm": round(song.bpm, 3),
        "meter": str(song.meter),
        "key": key_name(song),
        "length_seconds": round(song.length_seconds, 3),
    }


def key_name(song: Song) -> str:
    """The key as the song states it, else as its notes suggest; empty if nothing pitched sounds."""
    from woodshed.music.key_finding import find_key

    if len(song.keys):
        return str(Key(int(song.keys["tonic"][0]), "minor" if song.keys["is_minor"][0] else "major"))
    drums = np.array([part.is_drum for part in song.parts], bool)
    return str(find_key(song).key) if len(song) and not drums[song.notes["part"]].all() else ""


def default_sampling(bundle: Bundle, **wishes: Any) -> Sampling:
    """The sampling of the bundle's recipe, with those ``wishes`` (fields of `Sampling`) that are not None.

    Raises:
        OutOfRange: for a value outside its range.
    """
    usual = bundle.training.get("sampling", {})
    known = {name: usual[name] for name in Sampling.__dataclass_fields__ if name in usual}
    return Sampling(**{**known, **{name: value for name, value in wishes.items() if value is not None}})


Answer = Callable[[np.random.Generator, Told | None], tuple[Sequence[Song], Canvas]]
"""Given chance and whom to tell the share done: several songs that fulfil one wish, and the canvas they filled."""


def make_clips(
    verb: str,
    bundle: Bundle,
    wish: Wish,
    sampling: Sampling,
    answer: Answer,
    *,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None,
) -> list[Clip]:
    """``count`` clips, each the best of the songs that ``answer`` gives; clip n has a generator of its own.

    Raises:
        OutOfRange: for numbers outside their range.
    """
    check_range("seed", seed, 0, LARGEST_SEED)
    check_range("count", count, 1, MOST_CLIPS)
    check_range("candidates", candidates, 1, MOST_CANDIDATES)
    clips = []
    for number in range(count):
        songs, canvas = answer(np.random.default_rng([seed, number]), _part_of(on_step, number, count))
        song = songs[best_of(songs, canvas, bundle.style)]
        clips.append(Clip(song, seed, number, settings_of(verb, bundle, wish, sampling, seed, number, candidates)))
    return clips


def with_key(song: Song, key: Key | None) -> Song:
    """With a key signature, where the key has one."""
    if key is None or key.scale not in ("major", "minor", "harmonic minor", "melodic minor"):
        return song
    return song.replace(keys=np.array([(0, key.tonic, key.is_minor)], KEY))


def retitled(clips: Sequence[Clip], title: str) -> list[Clip]:
    """The clips, called so."""
    return [replace(clip, song=clip.song.replace(title=title)) for clip in clips]


def draw_seed() -> int:
    """A seed for those who name none: small enough to be typed again."""
    return secrets.randbelow(1_000_000)


def _part_of(on_step: Told | None, number: int, count: int) -> Told | None:
    """``on_step`` for the ``number``-th of ``count`` equal parts of the work."""
    if on_step is None:
        return None
    return lambda share: on_step((number + share) / count)


def settings_of(
    verb: str, bundle: Bundle, wish: Wish, sampling: Sampling, seed: int, number: int, candidates: int
) -> dict[str, Any]:
    """All that makes the same music again, to be written into its file."""
    wishes = {
        "bars": wish.bars,
        "parts": None if wish.parts is None else [part_name(part) for part in wish.parts],
        "key": None if wish.key is None else str(wish.key),
        "bpm": wish.bpm,
        "meter": None if wish.meter is None else str(wish.meter),
        "polyphony": wish.polyphony,
        "steps": wish.steps,
        "mode": wish.mode,
        "beam": None if wish.beam.size == 1 == wish.beam.branch_factor else asdict(wish.beam),
        "parallels": wish.parallels,
        "ranges": {name: list(span) for name, span in wish.ranges.items()} or None,
        "attributes": dict(wish.attributes) or None,
        "chords": None if wish.chords is None else sheet_text(wish.chords),
        **told_rules(wish.rules),
    }
    return {
        "made_with": f"Woodshed {__version__}",
        "verb": verb,
        "bundle": bundle.name,
        "recipe": bundle.recipe,
        "seed": seed,
        "number": number,
        "candidates": candidates,
        **{name: value for name, value in wishes.items() if value is not None},
        "sampling": asdict(sampling),
    }

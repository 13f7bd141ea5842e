"""What new notes take over from the song that they join: grid, how far off it they lie, how long and loud they are."""

from __future__ import annotations

from collections.abc import Iterable

from woodshed.codecs.grids import NOTES_OF_A_GRID, grids, reaches
from woodshed.codecs.note_step import LONGEST_DURATION
from woodshed.codecs.usual_values import note_values, velocities
from woodshed.music import Song

SIXTEENTHS, TRIPLETS = frozenset((0, 3, 6, 9)), frozenset((0, 4, 8))


def grids_within(song: Song, parts: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Each of ``parts`` -> the steps of a quarter note on which its new notes may begin in the song (`Canvas.grids`):
    those of the song's own parts, and sixteenths, or triplets where all are triplets. Nothing if no part has enough
    notes to tell.
    """
    heard = {step for grid in grids(song, NOTES_OF_A_GRID).values() for step in grid}
    if not heard:
        return {}
    usual = TRIPLETS if heard <= TRIPLETS and len(heard) > 1 else SIXTEENTHS
    return dict.fromkeys(parts, tuple(sorted(heard | usual)))


def reaches_within(song: Song, parts: Iterable[int]) -> dict[int, int]:
    """Each of ``parts`` -> how many ticks off their steps its new notes may lie in the song (`Canvas.reaches`): as many
    as those of the part that is freest. Nothing if no part has enough notes to tell."""
    heard = reaches(song, NOTES_OF_A_GRID).values()
    return dict.fromkeys(parts, max(heard)) if heard else {}


def values_within(song: Song, parts: Iterable[int]) -> dict[int, dict[int, float]]:
    """Each of ``parts`` -> the note values, in steps, that its new notes may have in the song (`Canvas.note_values`):
    those of the song's own parts, and all sixteenths, or triplets where all its notes begin on triplets. Nothing if
    its notes begin anywhere, or are too few to tell."""
    heard = {step for grid in grids(song, NOTES_OF_A_GRID).values() for step in grid}
    if not heard or not (heard <= SIXTEENTHS or heard <= TRIPLETS):
        return {}
    unit = 4 if heard <= TRIPLETS and len(heard) > 1 else 3
    own = {value for values in note_values(song).values() for value in values}
    return dict.fromkeys(parts, dict.fromkeys(sorted(own | {*range(unit, LONGEST_DURATION + 1, unit)}), float("nan")))


def velocities_within(song: Song, parts: Iterable[int]) -> dict[int, list[dict[int, float]]]:
    """Those of ``parts`` that have enough notes in the song -> how loud these are (`Canvas.velocities`)."""
    heard = velocities(song)
    return {part: heard[part] for part in parts if part in heard}

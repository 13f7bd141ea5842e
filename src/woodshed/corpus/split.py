"""Which songs are held out: whole groups at a time, so that no version of a song is on both sides."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from statistics import median

from woodshed.errors import OutOfRange, UnknownName

FEW = 4
"""Held-out songs below which none of them should be of an unusual size: each is much of what a figure rests on."""


def split_groups(
    groups: Sequence[int], names: Sequence[str], *, fraction: float, seed: int, sizes: Sequence[int] = ()
) -> list[str]:
    """``"train"`` or ``"held_out"`` for each song.

    ``groups`` (songs,) a number that the versions of one song share; ``names`` (songs,) stable names, by
    whose hash with ``seed`` the groups are drawn: adding a song to a corpus moves few others. About
    ``fraction`` of the songs are held out; at least one group and never all, if there are two groups. A
    group that alone is more than is wanted is passed over while a smaller one can do. Where fewer than `FEW` songs
    are wanted, so is one with a song of less than half or more than twice the middle one of ``sizes`` (songs,).

    Raises:
        OutOfRange: if ``fraction`` is not in 0-0.9.
    """
    if not 0 <= fraction <= 0.9:
        raise OutOfRange(f"held-out fraction {fraction} is outside 0-0.9; 0.1 holds out one song in ten")
    members: dict[int, list[int]] = defaultdict(list)
    for song, group in enumerate(groups):
        members[group].append(song)
    split = ["train"] * len(groups)
    if fraction == 0 or len(members) < 2:
        return split
    wanted = max(1, round(fraction * len(groups)))
    drawn = _shuffled(members, names, seed)
    if wanted < FEW and len(sizes):
        middle = median(sizes)
        drawn.sort(key=lambda songs: not all(middle / 2 <= sizes[song] <= middle * 2 for song in songs))
    for chosen in _chosen(drawn, wanted):
        for song in chosen:
            split[song] = "held_out"
    return split


def hold_out_named(groups: Sequence[int], names: Sequence[tuple[str, ...]], wanted: Sequence[str]) -> list[str]:
    """Like `split_groups`, for songs named by the user; a named song takes its versions along.

    ``names`` (songs,) everything that each song answers to: id, title, source. Each of ``wanted`` may hold
    ``*`` and ``?``.

    Raises:
        UnknownName: if one of ``wanted`` names no song.
    """
    held: set[int] = set()
    for pattern in wanted:
        found = {group for group, known in zip(groups, names, strict=True) if _answers(known, pattern)}
        if not found:
            raise UnknownName(f"held-out song {pattern!r} is not among the {len(groups)} songs; give a title or a path")
        held |= found
    return ["held_out" if group in held else "train" for group in groups]


def _answers(known: tuple[str, ...], pattern: str) -> bool:
    aliases = {*known, *(PurePosixPath(name).name for name in known), *(PurePosixPath(name).stem for name in known)}
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for name in aliases)


def _shuffled(members: dict[int, list[int]], names: Sequence[str], seed: int) -> list[list[int]]:
    """The groups, ordered by a hash of the seed and their first name."""

    def draw(songs: list[int]) -> bytes:
        return hashlib.sha256(f"{seed}:{min(names[song] for song in songs)}".encode()).digest()

    return sorted(members.values(), key=draw)


def _chosen(groups: list[list[int]], wanted: int) -> list[list[int]]:
    """Groups in order while they fit into ``wanted`` songs; at least the smallest one, never all."""
    chosen: list[list[int]] = []
    room = wanted
    for group in groups:
        if len(group) <= room and len(chosen) < len(groups) - 1:
            chosen.append(group)
            room -= len(group)
    return chosen or [min(groups, key=len)]

"""Of which sections a song is made: blocks of bars that sound alike bear one letter, and neighbours that do are one.

A block is four bars from the first that sounds. What is compared, bar by bar, is how long each pitch class sounds, and
how many notes each part plays; cosine similarity, as in Foote, "Automatic audio segmentation using a measure of audio
novelty" (2000). We differ in comparing whole blocks at once, each with all before it, and in looking at notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music.meter import bar_of
from woodshed.music.segments import pitched_notes, sounding_ticks
from woodshed.music.song import Song

BLOCK_BARS = 4
ALIKE = 0.85
"""Cosine similarity from which two blocks are the same music."""
MOST_BLOCKS = 2048
"""Longer songs have longer blocks."""


@dataclass(frozen=True)
class Section:
    """Bars that belong together."""

    name: str
    """A, B, ...: the same letter where the same music returns. After Z come A1, B1, ..."""
    first: int
    """Bar, counted from 1."""
    last: int
    """Bar, included."""

    @property
    def bars(self) -> int:
        """How long it is."""
        return self.last - self.first + 1


def find_form(song: Song) -> tuple[Section, ...]:
    """The sections of a song, from its first bar that sounds to the last; nothing if none does."""
    if not len(song):
        return ()
    lines = song.bar_lines()
    bar = bar_of(song.notes["onset"].astype(np.int64), lines)
    first, last = int(bar.min()), int(bar.max())
    size = BLOCK_BARS * -(-(last - first + 1) // (BLOCK_BARS * MOST_BLOCKS))
    features = _features(song, lines, bar)[first : last + 1]
    blocks = [features[at : at + size].ravel() for at in range(0, len(features), size)]
    models: list[NDArray[Any]] = []
    letters = [_letter(block, models) for block in blocks]
    found, at = [], first + 1
    for letter, group in groupby(letters):
        end = min(at + size * len(list(group)) - 1, last + 1)
        found.append(Section(letter, at, end))
        at = end + 1
    return tuple(found)


def _features(song: Song, lines: NDArray[np.int64], bar: NDArray[np.int64]) -> NDArray[np.float64]:
    """(bars, 12 + parts) of each bar: how long each pitch class sounds, in bars, and logarithms of the parts' notes."""
    pitched = pitched_notes(song.notes, song.parts)
    tones = sounding_ticks(pitched, pitched["pitch"] % 12, 12, lines) / np.maximum(np.diff(lines), 1)[:, None]
    players, player = np.unique(song.notes["part"], return_inverse=True)
    bars = len(lines) - 1
    counts = np.bincount(bar * len(players) + player, minlength=bars * len(players)).reshape(bars, -1)
    return np.concatenate((tones, np.log1p(counts) / 2), axis=1)


def _letter(block: NDArray[Any], models: list[NDArray[Any]]) -> str:
    """That of the most alike block so far, if it is alike; else a new one. A last, shorter block sees their start."""
    scores = [_similarity(block, model[: len(block)]) for model in models]
    if not scores or max(scores) < ALIKE:
        models.append(block)
        scores.append(2.0)
    number = int(np.argmax(scores))
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number % 26] + (str(number // 26) if number >= 26 else "")


def _similarity(one: NDArray[Any], other: NDArray[Any]) -> float:
    size = float(np.linalg.norm(one) * np.linalg.norm(other[: len(one)]))
    if len(other) < len(one):
        return 0.0
    return float(one @ other) / size if size else float(not one.any() and not other.any())

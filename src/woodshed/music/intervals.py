"""How far the notes of a line lie apart, and which parts are lines that lead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.music.general_midi import family
from woodshed.music.song import Song

FIRST_OF_CLASS = (0, 1, 3, 5, 8, 13)
"""The smallest interval, in semitones, of each class: repeated notes, steps, thirds, up to a fifth, up to an octave,
and more."""
CLASSES = len(FIRST_OF_CLASS)
LATELY = 16
"""Notes among which a line has a favourite pitch."""
FEWEST_NOTES = 32
MOST_CHORDS = 0.1
"""The share of a line's notes that may start together with the one before."""
LOWEST_MIDDLE = 55
"""G3: what lies lower in the middle of its notes accompanies."""


def interval_shares(pitches: NDArray[np.integer]) -> NDArray[np.float64]:
    """(6,) the share of each class among the intervals of a line; nan for fewer than two notes."""
    apart = np.abs(np.diff(pitches.astype(np.int64)))
    if not len(apart):
        return np.full(CLASSES, np.nan)
    classes = np.searchsorted(FIRST_OF_CLASS, apart, side="right") - 1
    return np.bincount(classes, minlength=CLASSES) / len(apart)


def favourite_share(pitches: NDArray[np.integer]) -> float:
    """The share of a line's notes, from the 17th on, that take the pitch that came most often among the `LATELY` before
    (of several the one that came first); nan for a shorter line."""
    if len(pitches) <= LATELY:
        return float("nan")
    lately = np.lib.stride_tricks.sliding_window_view(pitches[:-1], LATELY)
    counts = np.zeros(lately.shape, np.int8)
    for k in range(LATELY):
        counts += lately == lately[:, k : k + 1]
    return float((pitches[LATELY:] == lately[np.arange(len(lately)), counts.argmax(1)]).mean())


def line_of(song: Song, part: int) -> NDArray[np.int64]:
    """The pitches of a part in the order of their onsets, of those that start together from low to high."""
    own = song.notes[song.notes["part"] == part]
    pitches: NDArray[np.int64] = own["pitch"][np.lexsort((own["pitch"], own["onset"]))].astype(np.int64)
    return pitches


def lead_lines(song: Song) -> list[int]:
    """The parts that play one note at a time above an accompaniment: no drums, no bass, no chords, nothing low."""
    found = []
    for index, part in enumerate(song.parts):
        if part.is_drum or family(part.program) == "bass":
            continue
        own = song.notes[song.notes["part"] == index]
        if len(own) < FEWEST_NOTES or np.median(own["pitch"]) < LOWEST_MIDDLE:
            continue
        if len(np.unique(own["onset"])) >= (1 - MOST_CHORDS) * len(own):
            found.append(index)
    return found

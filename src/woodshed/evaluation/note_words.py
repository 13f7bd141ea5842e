"""A clip as a bag of words made of its notes themselves: what the judge ``notes`` of `two_sample` looks at.

`clip_features` are figures that somebody thought of. Here nobody did: each note becomes words of several kinds, with
the one and the two before it in its part longer ones, and what starts together another; how often each word stands in a
clip is all that is known of it. Each kind is hashed into `BUCKETS` columns, so that no list has to be learned.

=========== ====================================================================================================
kind        a word holds
=========== ====================================================================================================
rhythm      family of instruments, place within the beat, steps since the note before
move        family, semitones from the note before, or which drum
length      family, steps that it sounds
loudness    family, place within the beat, velocity less that of the note before, in parts of `LOUDNESS_STEP`
note        rhythm, move and length in one
two, three  of so many notes in a row: family, steps since the note before, and move
together    which pitch classes start at one step, above the lowest of them, and which drums
again       family, and whether the same note stood 1, 2, 4 and 8 bars before
=========== ====================================================================================================

Steps are 1/12 quarter note, counted up to `LONGEST_STEPS`. No word holds a pitch itself, so the key plays no role.

Source:
    K. Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009. Words of successive intervals
    and waits: S. Doraisamy, S. Rueger, Robust Polyphonic Music Retrieval with N-grams, JIIS 2003.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.evaluation.clip_features import DRUMS, family_of
from woodshed.evaluation.metrics import LAGS
from woodshed.music import STEPS_PER_QUARTER, Song
from woodshed.music.meter import bar_of
from woodshed.music.units import ticks_to_steps

KINDS = ("rhythm", "move", "length", "loudness", "note", "two", "three", "together", "again")
BUCKETS = 1024
LONGEST_STEPS = 48
LOUDNESS_STEP = 16
"""Velocities of one part of the range."""
Values = NDArray[np.int64]
Words = NDArray[np.uint64]


class _Notes(NamedTuple):
    """(N,) each, part by part in time."""

    step: Values
    part: Values
    pitch: Values
    length: Values
    velocity: Values
    family: Values
    is_first: NDArray[np.bool_]
    """Of its part."""


def note_matrix(songs: Iterable[Song]) -> NDArray[np.float64]:
    """(songs, kinds * BUCKETS) how often each word stands in each song, best put into `clip_features.normal_form`."""
    rows = [np.concatenate([np.bincount(words, minlength=BUCKETS) for words in note_words(song)]) for song in songs]
    return np.array(rows, np.float64).reshape(len(rows), len(KINDS) * BUCKETS)


def note_words(song: Song) -> list[Values]:
    """Of each of `KINDS` the numbers, 0 to `BUCKETS` - 1, of all words in the song."""
    if not len(song):
        return [np.empty(0, np.int64) for _ in KINDS]
    notes = _notes(song)
    wait = np.where(notes.is_first, LONGEST_STEPS, np.minimum(np.diff(notes.step, prepend=0), LONGEST_STEPS))
    interval = np.where(notes.is_first, 0, np.diff(notes.pitch, prepend=0)) + 256
    move = np.where(notes.family == DRUMS, notes.pitch, interval)
    louder = np.where(notes.is_first, 0, np.rint(np.diff(notes.velocity, prepend=0) / LOUDNESS_STEP)).astype(np.int64)
    place, length = notes.step % STEPS_PER_QUARTER, np.minimum(notes.length, LONGEST_STEPS)
    family = notes.family
    found = [
        _hash(family, place, wait), _hash(family, move), _hash(family, length), _hash(family, place, louder),
        _hash(family, place, wait, move, length), *_phrases(notes, wait, move), _together(notes), _again(song, notes),
    ]  # fmt: skip
    return [(words % np.uint64(BUCKETS)).astype(np.int64) for words in found]


def _notes(song: Song) -> _Notes:
    rows = song.notes
    step = ticks_to_steps(rows["onset"])
    order = np.lexsort((rows["pitch"], step, rows["part"]))
    rows, step = rows[order], step[order]
    families = np.array([family_of(part) for part in song.parts], np.int64)
    part, pitch, velocity = (rows[name].astype(np.int64) for name in ("part", "pitch", "velocity"))
    length = np.maximum(ticks_to_steps(rows["duration"]), 1)
    return _Notes(step, part, pitch, length, velocity, families[part], np.append(True, part[1:] != part[:-1]))


def _phrases(notes: _Notes, wait: Values, move: Values) -> tuple[Words, Words]:
    """Words of two and of three notes in a row in one part."""
    place = np.arange(len(wait))
    before = place - np.maximum.accumulate(np.where(notes.is_first, place, 0))
    one = _hash(notes.family, move)
    two = _hash(np.append(np.uint64(0), one[:-1]), wait, move)
    three = _hash(np.append(np.uint64(0), two[:-1]), wait, move)
    return two[before >= 1], three[before >= 2]


def _together(notes: _Notes) -> Words:
    """A word for each step at which anything starts."""
    steps, at = np.unique(notes.step, return_inverse=True)
    tones = notes.family != DRUMS
    lowest = np.full(len(steps), 128)
    np.minimum.at(lowest, at[tones], notes.pitch[tones])
    classes, drums = np.zeros(len(steps), np.int64), np.zeros(len(steps), np.int64)
    np.bitwise_or.at(classes, at[tones], 1 << ((notes.pitch - lowest[at]) % 12)[tones])
    np.bitwise_or.at(drums, at[~tones], 1 << (notes.pitch % 63)[~tones])
    return _hash(classes, drums)


def _again(song: Song, notes: _Notes) -> Words:
    """A word for each note: at which of `LAGS` bars before it stood too."""
    lines = ticks_to_steps(song.bar_lines())
    bar = np.minimum(bar_of(notes.step, lines), len(lines) - 2)
    what = ((notes.step - lines[bar]) * 128 + notes.pitch) * (int(notes.part.max()) + 1) + notes.part
    size = int(what.max()) + 1
    stands = np.unique(bar * size + what)
    bits = sum(np.isin((bar - lag) * size + what, stands).astype(np.int64) << n for n, lag in enumerate(LAGS))
    return _hash(notes.family, np.asarray(bits, np.int64))


def _hash(*columns: Values | Words) -> Words:
    """(N,) the columns mixed into 64 bits (the finaliser of SplitMix64, S. Vigna 2015)."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = (mixed ^ column.astype(np.uint64)) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed

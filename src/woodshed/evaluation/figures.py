"""All figures of one song, by name: what two sets of songs are compared in.

They are the numbers of `metrics`, those below, and the histograms of `histograms`; a figure that has nothing to count
is left out, never NaN. Names are the field's own:

========================= ====================================================================================
figure                    meaning
========================= ====================================================================================
notes_per_beat            note density: notes of all parts per quarter note
pitch_classes             how many of the twelve are used (Yang and Lerch: pitch count of an octave)
mean_interval             semitones, without sign, between successive top notes of a part (theirs: pitch shift)
mean_inter_onset_quarters quarter notes between successive onsets of a part (theirs: average inter-onset interval)
polyphony_rate            share of ticks with more than two pitches (MusPy)
pitch_entropy             bits: of the histogram of pitches (MusPy)
chord_tone_rate           share of notes, by the time they sound, that are tones of the chord written there, or where
                          none is written, of the chord that `find_chords` hears in each half bar (Yeh et al. 2021)
parallel_fifths           of 1,000 moving pairs (two parts that change their top note at once), those that go from a
                          perfect fifth to another in the same direction, as voice-leading rules forbid
parallel_octaves          the same of unisons and octaves; a part that doubles another has many
========================= ====================================================================================

Source:
    L.-C. Yang, A. Lerch: On the evaluation of generative models in music, Neural Computing and Applications 2018.
    Y.-C. Yeh et al.: Automatic melody harmonization with triad chords, Journal of New Music Research 2021.
    We differ in leaving drums out of all that is said of pitch, and in taking parts one by one where theirs have one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.evaluation.histograms import HISTOGRAMS, inter_onsets, top_lines
from woodshed.evaluation.metrics import measure
from woodshed.evaluation.muspy_figures import pitch_entropy, polyphony_rate
from woodshed.music import NO_CHORD, TICKS_PER_QUARTER, Song
from woodshed.music.chord_finding import find_chords
from woodshed.music.chord_sheet import chord_tones, has_chords
from woodshed.music.segments import pitched_notes

FIFTH, OCTAVE = 7, 12
LEFT_OUT = ("bars", "notes", "pitched_notes")
"""Of `Metrics`: how long a song is was asked for."""
MOST_PARTS = 12
"""Parts, those with most notes first, whose pairs are looked at for parallels."""


def figures(song: Song) -> dict[str, float]:
    """Name -> figure, of those that the song has anything to count for."""
    measured = measure(song)
    found = {
        name: float(value)
        for name, value in measured.as_dict().items()
        if name not in LEFT_OUT and measured.is_defined(name)
    }
    if not len(song):
        return found
    found["notes_per_beat"] = len(song) * TICKS_PER_QUARTER / max(song.length, 1)
    waits = inter_onsets(song)
    if len(waits):
        found["mean_inter_onset_quarters"] = float(waits.mean()) / TICKS_PER_QUARTER
    notes = pitched_notes(song.notes, song.parts)
    if len(notes):
        found |= {
            "pitch_classes": float(len(np.unique(notes["pitch"] % 12))),
            "polyphony_rate": polyphony_rate(song),
            "pitch_entropy": pitch_entropy(song),
        } | _harmony(song, notes) | _motion(song)  # fmt: skip
    return found


def histograms(song: Song) -> dict[str, NDArray[np.float64]]:
    """Name -> shares, of those that the song has anything to count for."""
    found = {name: histogram(song) for name, histogram in HISTOGRAMS.items()}
    return {name: shares for name, shares in found.items() if shares.any()}


def columns(songs: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    """What `figures` or `histograms` gave for several songs, by name; a song that lacks one is left out of it."""
    found: dict[str, list[Any]] = {}
    for song in songs:
        for name, value in song.items():
            found.setdefault(name, []).append(value)
    return found


def _harmony(song: Song, notes: NDArray[Any]) -> dict[str, float]:
    """Of each note the time that it sounds, cut at chord changes."""
    chords = song.chords if has_chords(song) else find_chords(song)
    chords = chords[np.append(np.diff(chords["onset"]) > 0, True)] if len(chords) else chords
    if not (chords["root"] != NO_CHORD).any():
        return {}
    start = notes["onset"].astype(np.int64)
    end = start + notes["duration"]
    first = np.maximum(np.searchsorted(chords["onset"], start, side="right") - 1, 0)
    last = np.searchsorted(chords["onset"], end, side="left")  # exclusive
    counts = np.maximum(last - first, 1)
    note = np.repeat(np.arange(len(notes)), counts)
    chord = np.arange(len(note)) - np.repeat(np.cumsum(counts) - counts, counts) + first[note]
    lines = np.append(chords["onset"].astype(np.int64), np.iinfo(np.int64).max)
    ticks = np.minimum(end[note], lines[chord + 1]) - np.maximum(start[note], lines[chord])
    heard = np.where((chords["root"] != NO_CHORD)[chord], np.maximum(ticks, 0), 0)
    inside = chord_tones(chords)[chord, notes["pitch"][note] % 12]
    total = int(heard.sum())
    return {"chord_tone_rate": float((heard * inside).sum() / total)} if total else {}


def _motion(song: Song) -> dict[str, float]:
    """How the top notes of parts move, alone and two by two."""
    lines = top_lines(song)
    found = {}
    steps = [np.abs(np.diff(pitch)) for _, pitch in lines if len(pitch) > 1]
    if steps:
        found["mean_interval"] = float(np.concatenate(steps).mean())
    lines = sorted(lines, key=lambda line: -len(line[0]))[:MOST_PARTS]
    counts = np.zeros(3, np.int64)  # moving pairs, fifths, octaves
    for number, upper in enumerate(lines):
        for lower in lines[number + 1 :]:
            counts += _parallels(upper, lower)
    if counts[0]:
        found["parallel_fifths"], found["parallel_octaves"] = (1000 * counts[1:] / counts[0]).tolist()
    return found


def _parallels(upper: tuple[Any, Any], lower: tuple[Any, Any]) -> NDArray[np.int64]:
    """Moving pairs, parallel fifths and parallel octaves of two lines, each (onsets, pitches)."""
    _, first, second = np.intersect1d(upper[0], lower[0], assume_unique=True, return_indices=True)
    follows = (first > 0) & (second > 0)
    first, second = first[follows], second[follows]
    ours, theirs = upper[1][first] - upper[1][first - 1], lower[1][second] - lower[1][second - 1]
    moving = (ours != 0) & (theirs != 0)
    alike = moving & (np.sign(ours) == np.sign(theirs))
    before = np.abs(upper[1][first - 1] - lower[1][second - 1]) % OCTAVE
    after = np.abs(upper[1][first] - lower[1][second]) % OCTAVE
    kept = [int((alike & (before == size) & (after == size)).sum()) for size in (FIFTH, 0)]
    return np.array([int(moving.sum()), *kept])

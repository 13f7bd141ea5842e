"""What chord sounds in each half bar, from the notes alone: template matching and a Viterbi smoother.

Each half bar is a share of time for every pitch class. A chord scores the log-likelihood of those shares under
its template, a gain if its root (or another of its tones) is the lowest note that sounds for long, a gain for
tones of the likely keys, and a fixed cost whenever it differs from the chord before. The best path through all half
bars is found exactly. Drums are left out. Weights were tuned on half of the songs of ``benchmarks/harmony``,
where the accuracy on the other half is written down.

Bars with an even number of beats (2/4, 4/4, 6/8, 12/8 ...) are halved; those with an odd number (3/4, 5/4, 9/8) have
no middle on a beat and are taken whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music.chord import QUALITIES, QUALITY_NAMES
from woodshed.music.key import SCALES
from woodshed.music.key_finding import find_key, key_shares, smooth
from woodshed.music.segments import pitched_notes, sounding_ticks
from woodshed.music.song import CHORD, NO_CHORD, Song

FOUND_QUALITIES = ("", "m", "7", "maj7", "m7", "dim", "aug", "sus4", "m7b5", "dim7", "6", "m6", "5")
"""Which of `QUALITIES` are looked for."""

MOST_BARS = 50_000
"""How many bars are halved: a day of music."""


@dataclass(frozen=True)
class ChordWeights:
    """What counts for how much, in natural-log likelihood per half bar."""

    outside: float = 0.055
    """Weight of a tone outside the chord where a tone inside weighs 1."""
    change_cost: float = 0.15
    """Price of a change of chord."""
    bass_root: float = 0.63
    """Gain if the bass is the root."""
    bass_tone: float = 0.1
    """Gain if the bass is another tone of the chord."""
    in_key: float = 0.08
    """Gain if all tones belong to the likely keys; in proportion if some do."""
    primary: float = 0.25
    """Gain of the triads and sevenths on the first, fourth and fifth degree of the likely keys."""
    rare: float = 0.31
    """Price of a quality other than a major or minor triad or a seventh chord on them."""
    power: float = 0.4
    """Gain of a power chord if root and fifth sound equally long; as much a price if one of them is missing."""
    low_pitch: int = 41
    """A lowest note at or below this pitch is a bass: its gains count in full ..."""
    high_pitch: int = 55
    """... and at or above this one not at all."""


def find_chords(song: Song, *, weights: ChordWeights | None = None) -> NDArray[Any]:
    """The chord of each half bar, as rows for ``Song.chords``: equal neighbours are one row.

    Root and bass are `NO_CHORD` where no pitched note sounds; the array is empty if none sounds at all.
    """
    weights = weights or ChordWeights()
    notes = pitched_notes(song.notes, song.parts)
    if not len(notes):
        return np.empty(0, CHORD)
    lines = _eventful(half_bars(song), notes)
    ticks = sounding_ticks(notes, notes["pitch"], 132, lines)  # (S, 132): 11 octaves
    bass = _bass_pitches(ticks, np.diff(lines))
    profile = ticks.reshape(-1, 11, 12).sum(axis=1)
    states = smooth(_scores(profile, bass, _key_gain(song, weights), weights), weights.change_cost)
    rows = _rows(lines[:-1], states, bass % 12, profile.any(axis=1))
    inside: NDArray[Any] = rows[rows["onset"] < song.length]
    return inside


def half_bars(song: Song) -> NDArray[np.int64]:
    """Ticks of the lines between half bars, (S + 1,); bars with an odd number of beats are left whole.

    Beyond `MOST_BARS`, which no music reaches but a damaged file can, several bars are one stretch.
    """
    lines = song.bar_lines()
    if len(lines) > MOST_BARS:
        return np.unique(np.append(lines[:: len(lines) // MOST_BARS + 1], lines[-1]))
    meters = song.meters
    in_force = np.searchsorted(meters["onset"], lines[:-1], side="right") - 1
    beats = np.where(in_force >= 0, meters["numerator"][in_force], 4) if len(meters) else np.full(len(lines) - 1, 4)
    middles = ((lines[:-1] + lines[1:]) // 2)[beats % 2 == 0]
    return np.unique(np.concatenate((lines, middles)))


def _eventful(lines: NDArray[np.int64], notes: NDArray[Any]) -> NDArray[np.int64]:
    """The lines without those between two stretches in which no note starts or stops.

    What sounds there stays the same, so one stretch will do, however long a silence or a held note is.
    """
    onsets = notes["onset"].astype(np.int64)
    events = np.concatenate((onsets, onsets + notes["duration"] - 1))
    eventful = np.zeros(len(lines) - 1, bool)
    eventful[np.clip(np.searchsorted(lines, events, side="right") - 1, 0, len(lines) - 2)] = True
    kept: NDArray[np.int64] = lines[np.concatenate(([True], eventful[1:] | eventful[:-1], [True]))]
    return kept


def _bass_pitches(ticks: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(S,) lowest pitch that sounds for an eighth of the stretch, else the lowest that sounds at all."""
    long = ticks * 8 >= sizes[:, None]
    lowest: NDArray[np.int64] = np.where(long.any(axis=1), long.argmax(axis=1), (ticks > 0).argmax(axis=1))
    return lowest


def _scores(
    profile: NDArray[np.float64], bass: NDArray[np.int64], key_gain: NDArray[np.float64], weights: ChordWeights
) -> NDArray[np.float64]:
    """(S, states) how well each chord fits each stretch; silence fits all alike."""
    total = profile.sum(axis=1, keepdims=True)
    share = profile / np.where(total > 0, total, 1.0)
    fifths = np.minimum(share, np.roll(share, -7, axis=1))
    depth = np.clip((weights.high_pitch - bass) / (weights.high_pitch - weights.low_pitch), 0.0, 1.0)
    deep_bass = np.where(np.arange(12) == bass[:, None] % 12, depth[:, None], 0.0)
    table, price = _tables(weights)
    fit = _multiply(np.hstack((share, deep_bass, fifths)), table)  # (S, 36) @ (36, states)
    fit += key_gain - price
    fit *= total > 0
    return fit


def _multiply(rows: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix product in blocks that BLAS does not spread over threads.

    Beside other busy processes (a corpus is built by several) its threads wait for one another: 5 times slower.
    """
    product = np.empty((len(rows), table.shape[1]))
    for start in range(0, len(rows), _BLOCK):
        np.matmul(rows[start : start + _BLOCK], table, out=product[start : start + _BLOCK])
    return product


def _key_gain(song: Song, weights: ChordWeights) -> NDArray[np.float64]:
    """(states,) what each chord gains from the keys that the song may be in."""
    keys = key_shares(find_key(song).correlations)
    gain: NDArray[np.float64] = weights.in_key * (keys @ _IN_KEY) + weights.primary * (keys @ _PRIMARY)
    return gain


def _rows(
    onsets: NDArray[np.int64], states: NDArray[np.int64], bass: NDArray[np.int64], heard: NDArray[np.bool_]
) -> NDArray[Any]:
    rows = np.zeros(len(states), CHORD)
    rows["onset"] = onsets
    rows["root"] = np.where(heard, states % 12, NO_CHORD)
    rows["quality"] = np.where(heard, _QUALITY_IDS[states // 12], 0)
    rows["bass"] = np.where(_TONES[states, bass] & heard, bass, rows["root"])
    what = rows["root"].astype(np.int64) * 10_000 + rows["quality"] * 100 + rows["bass"]
    merged: NDArray[Any] = rows[np.concatenate(([True], what[1:] != what[:-1]))]
    return merged


def _chord_tones() -> NDArray[np.bool_]:
    tones = np.zeros((len(FOUND_QUALITIES) * 12, 12), bool)
    for index, quality in enumerate(FOUND_QUALITIES):
        for root in range(12):
            tones[index * 12 + root, [(root + step) % 12 for step in QUALITIES[quality]]] = True
    return tones


def _in_key() -> NDArray[np.float64]:
    """(24, states): share of each chord's tones in each key; minor keys have both sevenths."""
    scales = [SCALES["major"], tuple({*SCALES["minor"], *SCALES["harmonic minor"]})]
    keys = np.zeros((24, 12))
    for number in range(24):
        keys[number, [(number + step) % 12 for step in scales[number // 12]]] = 1
    share: NDArray[np.float64] = keys @ _TONES.T / _TONES.sum(axis=1)
    return share


def _primary() -> NDArray[np.float64]:
    """(24, states): 1 where a chord is I, IV, V or V7 of a major key, or i, iv, V or V7 of a minor one."""
    table = np.zeros((24, len(_TONES)))
    for number in range(24):
        home = "m" if number >= 12 else ""
        for degree, quality in ((0, home), (5, home), (7, ""), (7, "7")):
            table[number, 12 * FOUND_QUALITIES.index(quality) + (number + degree) % 12] = 1
    return table


_TONES = _chord_tones()  # (states, 12); state = 12 * index in FOUND_QUALITIES + root
_IN_KEY = _in_key()
_PRIMARY = _primary()
_QUALITY_IDS = np.array([QUALITY_NAMES.index(name) for name in FOUND_QUALITIES], np.int16)
_BLOCK = 32
_COMMON = ("", "m", "7", "maj7", "m7")


@lru_cache(maxsize=16)
def _tables(weights: ChordWeights) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each state gains, (36, states): by share of time, by bass, by bare fifth; and its price, (states,)."""
    inside = np.where(_TONES, 1.0, weights.outside)
    log_templates = np.log(inside / inside.sum(axis=1, keepdims=True)).T
    is_root = np.arange(12)[:, None] == np.arange(len(_TONES)) % 12
    bass_gain = np.where(is_root, weights.bass_root, np.where(_TONES.T, weights.bass_tone, 0.0))
    is_power = np.repeat([name == "5" for name in FOUND_QUALITIES], 12)
    price = np.repeat([0.0 if name in _COMMON else weights.rare for name in FOUND_QUALITIES], 12)
    table = np.vstack((log_templates, bass_gain, 4 * weights.power * (is_root & is_power)))
    return table, price + weights.power * is_power

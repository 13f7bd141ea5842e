"""What key a song is in, from its notes alone.

Krumhansl and Schmuckler's method: how long each pitch class sounds is correlated with the profile of each of
the 24 keys, and the best correlation wins (C. L. Krumhansl, *Cognitive Foundations of Musical Pitch*, 1990,
chapter 4). Drums are left out.

We differ in two things that ``benchmarks/harmony`` measures: the default profile is Temperley's, not that of
Krumhansl and Kessler's probe tones, and a key gains `FINAL_BASS` if the song comes to rest on its tonic.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music.key import Key
from woodshed.music.segments import pitched_notes, sounding_ticks
from woodshed.music.song import KEY, METER, Song

PROFILES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "krumhansl-kessler": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    "temperley": (
        (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
        (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
    ),
    "albrecht-shanahan": (
        (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
        (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
    ),
    "bellman-budge": (
        (16.80, 0.86, 12.95, 1.41, 13.49, 11.93, 1.25, 20.28, 1.80, 8.04, 0.62, 10.57),
        (18.16, 0.69, 12.99, 13.34, 1.07, 11.15, 1.38, 21.07, 7.49, 1.53, 0.92, 10.21),
    ),
}
"""Name -> (major, minor): weight of each of the twelve degrees, tonic first.

Krumhansl and Kessler 1982; Temperley 2007, from the Kostka-Payne corpus; Albrecht and Shanahan 2013;
Budge 1943 by way of Bellman 2005.
"""

DEFAULT_PROFILE = "temperley"
"""Measured best over lead sheets, songs and chorales together: see ``benchmarks/harmony``."""
FINAL_BASS = 0.15
"""What it is worth, in correlation, that a key's tonic is the lowest of the notes that end the song, held for a bar."""
CHANGE_COST = 0.9
"""How much correlation a change of key must gain over staying."""
SHARPNESS = 10.0
"""Of the softmax behind `KeyGuess.confidence`; chosen so that it is near the share of songs found right."""
MOST_SECTIONS = 10_000
"""Longer songs, which only a damaged file can hold, get longer sections."""
_ENDING_TICKS = 240
"""Notes that stop within an eighth note of the last one end the song together with it."""


@dataclass(frozen=True, eq=False)
class KeyGuess:
    """The key that fits best, and how sure that is."""

    key: Key
    """The best key; C major with confidence 0 where no pitched note sounds."""
    confidence: float
    """Share of the best key in a softmax over all 24, 0-1; 0 where no pitched note sounds."""
    correlations: NDArray[np.float64]
    """(24,) correlation of the song with C major ... B major, then C minor ... B minor."""


def pitch_class_profile(notes: NDArray[Any], is_drum: NDArray[np.bool_], lines: NDArray[np.int64]) -> NDArray[Any]:
    """(S, 12) ticks that each pitch class sounds between each two of the (S + 1,) lines, drums left out.

    ``is_drum`` (parts,) says which parts are drums.
    """
    pitched = notes[~is_drum[notes["part"]]]
    return sounding_ticks(pitched, pitched["pitch"] % 12, 12, lines)


def find_key(song: Song, *, profile: str = DEFAULT_PROFILE) -> KeyGuess:
    """The key of the whole song, by one of `PROFILES`."""
    notes = pitched_notes(song.notes, song.parts)
    heard: NDArray[np.float64] = np.bincount(notes["pitch"] % 12, notes["duration"], 12).astype(np.float64)
    correlations = _correlate(heard[None, :], profile)[0]
    if not len(notes):
        return KeyGuess(Key(0, "major"), 0.0, correlations)
    scores = correlations + _final_bass(song, notes)
    best = int(scores.argmax())
    return KeyGuess(_key(best), float(key_shares(scores)[best]), correlations)


def find_keys(song: Song, *, section_bars: int = 8, profile: str = DEFAULT_PROFILE) -> NDArray[Any]:
    """The key of each section of ``section_bars`` bars, as rows for ``Song.keys``; equal neighbours are one row.

    A section changes key only if it then fits better by more than `CHANGE_COST` (Viterbi), so that the key
    does not flicker. Empty where no pitched note sounds.
    """
    notes = pitched_notes(song.notes, song.parts)
    if not len(notes):
        return np.empty(0, KEY)
    lines = song.bar_lines()
    section_bars = max(section_bars, len(lines) // MOST_SECTIONS + 1)
    lines = np.append(lines[:-1][::section_bars], lines[-1])
    scores = _correlate(sounding_ticks(notes, notes["pitch"] % 12, 12, lines), profile)
    scores[-1] += _final_bass(song, notes)
    path = smooth(scores, CHANGE_COST)
    first = np.flatnonzero(np.diff(path, prepend=-1))
    rows = np.empty(len(first), KEY)
    rows["onset"], rows["tonic"], rows["is_minor"] = lines[first], path[first] % 12, path[first] >= 12
    return rows


def smooth(scores: NDArray[np.float64], change_cost: float) -> NDArray[np.int64]:
    """The path of states with the highest sum of scores, each change of state costing ``change_cost`` (Viterbi).

    ``scores`` (S, states). Returns (S,) state numbers.
    """
    best = scores.copy()
    for before, row in itertools.pairwise(best):
        row += np.maximum(before, np.maximum.reduce(before) - change_cost)
    leaders, least = best.argmax(axis=1).tolist(), (best.max(axis=1) - change_cost).tolist()
    state = leaders[-1]
    path = [state]
    for index in range(len(leaders) - 2, -1, -1):
        if best.item(index, state) < least[index]:
            state = leaders[index]
        path.append(state)
    return np.array(path[::-1], np.int64)


def _templates(name: str) -> NDArray[np.float64]:
    """(24, 12) profiles of all keys, each of mean 0 and length 1."""
    rotated = [np.roll(profile, tonic) for profile in PROFILES[name] for tonic in range(12)]
    return _normalise(np.array(rotated))


def _normalise(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row with mean 0 and length 1, so that products are correlations; constant rows become 0."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    normal: NDArray[np.float64] = centred / np.where(length > 1e-12, length, 1.0)
    return normal


_TEMPLATES = {name: _templates(name) for name in PROFILES}


def _correlate(profiles: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """(S, 12) -> (S, 24)."""
    return _normalise(profiles) @ _TEMPLATES[name].T


def _final_bass(song: Song, notes: NDArray[Any]) -> NDArray[np.float64]:
    """(24,) what each key gains from the note on which the song comes to rest: the longer it is, the more."""
    ends = notes["onset"].astype(np.int64) + notes["duration"]
    last = notes[ends > ends.max() - _ENDING_TICKS]
    bass = last[last["pitch"].argmin()]
    meter = song.meters[-1] if len(song.meters) else np.array((0, 4, 4), METER)
    bars = float(bass["duration"]) * int(meter["denominator"]) / (1920 * int(meter["numerator"]))
    return np.where(np.arange(24) % 12 == bass["pitch"] % 12, FINAL_BASS * min(bars, 1.0), 0.0)


def key_shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax over the 24 keys: how likely each of them is."""
    powers = np.exp(SHARPNESS * (scores - scores.max()))
    shares: NDArray[np.float64] = powers / powers.sum()
    return shares


def _key(number: int) -> Key:
    return Key(number % 12, "minor" if number >= 12 else "major")

"""What a teacher of harmony marks in four-part writing, counted; and how many chords a set of songs has.

Nothing here says wrong: Bach has some of each. A figure says something beside the same figure of real chorales.

Conventions: a song has four parts in the order soprano, alto, tenor, bass (as `woodshed.codecs.chorale` arranges
them), one note at a time in each; of notes that overlap, the later one is heard. A *moment* is the time between
two places at which any voice changes. Ranges are of sounding pitch, so measure songs in the key in which they are
sung. Repeated notes are no motion, and a rest ends it.

Sources:
    Ranges and spacing: what harmony textbooks agree on, for example E. Aldwell and C. Schachter, *Harmony and Voice
    Leading*: soprano C4-G5, alto G3-C5, tenor C3-G4, bass E2-C4; no more than an octave between neighbouring upper
    voices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.music import Song

RANGES = ((60, 79), (55, 72), (48, 67), (40, 60))
"""Lowest and highest pitch of soprano, alto, tenor and bass in harmony textbooks. Of the 96,189 notes in Bach's
chorales that music21 installs, 0.65 % lie outside, most of them in the bass."""
OCTAVE, FIFTH = 12, 7
SILENT = -1
_PAIRS = np.triu_indices(4, 1)
_UPPER, _LOWER = _PAIRS


@dataclass(frozen=True)
class VoiceLeading:
    """The counts of one song, or of several added up."""

    notes: int = 0
    """How many notes the four voices have."""
    parallel_fifths: int = 0
    """Two voices a perfect fifth (or a twelfth ...) apart move in the same direction to another one; each pair of
    voices and place counts one."""
    parallel_octaves: int = 0
    """The same for unisons and octaves."""
    crossings: int = 0
    """Times that a voice comes to lie above the next higher one; counted once for as long as it does."""
    wide_spacings: int = 0
    """Times that soprano and alto, or alto and tenor, come to lie more than an octave apart; counted alike."""
    soprano_out_of_range: int = 0
    """Notes of the soprano outside C4-G5."""
    alto_out_of_range: int = 0
    """Notes of the alto outside G3-C5."""
    tenor_out_of_range: int = 0
    """Notes of the tenor outside C3-G4."""
    bass_out_of_range: int = 0
    """Notes of the bass outside E2-C4."""

    @property
    def out_of_range(self) -> int:
        """Notes of all voices outside their ranges."""
        return self.soprano_out_of_range + self.alto_out_of_range + self.tenor_out_of_range + self.bass_out_of_range

    def as_dict(self) -> dict[str, int]:
        """Name -> count, in the order above."""
        return asdict(self)

    def per_100_notes(self) -> dict[str, float]:
        """Name -> count for each hundred notes of the song; 0 for a song without notes."""
        counts = {name: count for name, count in self.as_dict().items() if name != "notes"}
        counts["out_of_range"] = self.out_of_range
        return {name: 100 * count / max(self.notes, 1) for name, count in counts.items()}

    def __add__(self, other: VoiceLeading) -> VoiceLeading:
        """The counts of both."""
        theirs = other.as_dict()
        return VoiceLeading(**{name: count + theirs[name] for name, count in self.as_dict().items()})


@dataclass(frozen=True)
class Combinations:
    """The different chords of a set of songs."""

    distinct: int
    """How many different combinations of four pitches, one for each voice, sound together."""
    once: int
    """How many of them sound at one moment only."""
    distinct_pitch_sets: int
    """How many different chords there are if it does not matter who sings which of the pitches."""
    moments: int
    """Moments at which all four voices sound; each lasts until any voice changes its note."""


def voice_leading(song: Song) -> VoiceLeading:
    """The counts of one song of four voices.

    Raises:
        OutOfRange: if the song has not exactly four parts.
    """
    pitches = sounding(song)
    fifths, octaves = _parallels(pitches)
    low, high = np.array(RANGES).T[:, song.notes["part"]]
    outside = (song.notes["pitch"] < low) | (song.notes["pitch"] > high)
    beyond = np.bincount(song.notes["part"][outside], minlength=4).tolist()
    return VoiceLeading(len(song.notes), fifths, octaves, _times(_crossed(pitches)), _times(_wide(pitches)), *beyond)


def total_voice_leading(songs: Iterable[Song]) -> VoiceLeading:
    """The counts of many songs, added up."""
    return sum(map(voice_leading, songs), VoiceLeading())


def four_note_combinations(songs: Iterable[Song]) -> Combinations:
    """How many different chords there are in these songs, each taken in the key in which it is given."""
    tables = [sounding(song) for song in songs]
    chords = np.concatenate([np.empty((0, 4), np.int64), *(table[(table != SILENT).all(axis=1)] for table in tables)])
    _, counts = np.unique(chords, axis=0, return_counts=True)
    sets = np.unique(np.sort(chords, axis=1), axis=0)
    return Combinations(len(counts), int((counts == 1).sum()), len(sets), len(chords))


def sounding(song: Song) -> NDArray[np.int64]:
    """(M, 4) the pitch that each voice sounds at each moment, `SILENT` where it rests.

    Raises:
        OutOfRange: if the song has not exactly four parts.
    """
    if len(song.parts) != 4:
        raise OutOfRange(f"{song.title or 'song'}: {len(song.parts)} parts are not four voices; arrange it first")
    onset, end = song.notes["onset"].astype(np.int64), song.ends
    times = np.unique(np.concatenate((onset, end)))[:-1]
    pitches = np.full((len(times), 4), SILENT, np.int64)
    for voice in range(4):
        mine = np.flatnonzero(song.notes["part"] == voice)
        latest = np.searchsorted(onset[mine], times, side="right") - 1
        heard = np.flatnonzero(latest >= 0)
        note = mine[latest[heard]]
        pitches[heard, voice] = np.where(end[note] > times[heard], song.notes["pitch"][note], SILENT)
    return pitches


def _parallels(pitches: NDArray[np.int64]) -> tuple[int, int]:
    """Parallel fifths and octaves between all pairs of voices, from (M, 4) pitches."""
    before, after = pitches[:-1], pitches[1:]
    moves = np.where((before != SILENT) & (after != SILENT), np.sign(after - before), 0)
    together = (moves[:, _UPPER] == moves[:, _LOWER]) & (moves[:, _UPPER] != 0)
    distance = np.abs(pitches[:, _UPPER] - pitches[:, _LOWER]) % OCTAVE
    found = [int((together & (distance[:-1] == size) & (distance[1:] == size)).sum()) for size in (FIFTH, 0)]
    return found[0], found[1]


def _crossed(pitches: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(M, 3) whether each voice but the bass sounds below the next lower one."""
    crossed: NDArray[np.bool_] = (pitches[:, :-1] < pitches[:, 1:]) & (pitches != SILENT)[:, :-1]
    return crossed


def _wide(pitches: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(M, 2) whether soprano and alto, alto and tenor, are more than an octave apart."""
    upper, lower = pitches[:, :2], pitches[:, 1:3]
    wide: NDArray[np.bool_] = (np.abs(upper - lower) > OCTAVE) & (upper != SILENT) & (lower != SILENT)
    return wide


def _times(states: NDArray[np.bool_]) -> int:
    """How often each of (M, ...) states begins."""
    return int((states[1:] & ~states[:-1]).sum() + states[:1].sum())

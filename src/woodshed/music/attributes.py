"""What can be said of a clip in one number: how dense, how high, how syncopated it is.

=========== ======================================================================================
attribute   measured as
=========== ======================================================================================
density     notes in a bar of 4/4, all parts together
register    mean pitch of the pitched notes; none if only drums play
syncopation mean over the notes of by how much the strongest silent place before the next note of
            its line (a part, or one drum) outweighs the note's own place; 0 on the beats, at most 4
=========== ======================================================================================

Source:
    Roberts et al. (2018), section 5.4, move clips along note density and syncopation among others. Syncopation is that
    of Longuet-Higgins and Lee, "The rhythmic interpretation of monophonic music" (1984), with the weights that Fitch
    and Rosenfeld (2007) print for a bar of sixteen places. We differ in taking the mean over notes instead of the sum
    over a bar, so that a dense clip is not for that alone a syncopated one, and in hearing each drum by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from woodshed.music.melodies import STEP_TICKS
from woodshed.music.segments import pitched_notes
from woodshed.music.song import Song

BAR_STEPS = 16
WEIGHTS = np.array([0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4])
"""How strong each sixteenth of a bar of 4/4 is."""
_SILENT = np.full((BAR_STEPS, BAR_STEPS + 1), -4)
"""[p, n]: the strongest of the n places after place p; -4 where there is none."""
for _place in range(BAR_STEPS):
    for _count in range(1, BAR_STEPS + 1):
        _SILENT[_place, _count] = WEIGHTS[(_place + np.arange(1, _count + 1)) % BAR_STEPS].max()


def density(song: Song) -> float:
    """Notes per bar of 4/4; nan for a song without length."""
    return len(song) / (song.length / (BAR_STEPS * STEP_TICKS)) if song.length else math.nan


def register(song: Song) -> float:
    """Mean pitch; nan if no pitched note sounds."""
    pitch = pitched_notes(song.notes, song.parts)["pitch"]
    return float(pitch.mean()) if len(pitch) else math.nan


def syncopation(song: Song) -> float:
    """How far notes stand before stronger places that stay silent; nan for a song without notes."""
    if not len(song):
        return math.nan
    drum = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
    line = song.notes["part"].astype(np.int64) * 129 + np.where(drum, song.notes["pitch"] + 1, 0)
    step = (song.notes["onset"].astype(np.int64) + STEP_TICKS // 2) // STEP_TICKS
    line, step = np.unique(np.stack((line, step)), axis=1)  # sorted by line, then step; chords are one note
    end = max(song.length // STEP_TICKS, int(step.max()) + 1)
    after = np.append(step[1:], end)
    after[:-1][line[1:] != line[:-1]] = end
    silent = np.clip(after - step - 1, 0, BAR_STEPS)
    place = step % BAR_STEPS
    return float(np.maximum(_SILENT[place, silent] - WEIGHTS[place], 0).mean())


ATTRIBUTES: dict[str, Callable[[Song], float]] = {
    "density": density, "register": register, "syncopation": syncopation,
}  # fmt: skip
"""Name -> its measure, nan where it says nothing."""

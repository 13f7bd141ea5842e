"""What is changed before a model learns from a song: drums that General MIDI lacks, chords that are only written.

Both are pure functions, and each says in one line what it did, as the repairs of a corpus do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music import NO_CHORD, NOTE, Part, Song
from woodshed.music.chord_sheet import chord_tones, chords_at, has_chords

ROLAND_DRUMS = {22: 42, 26: 46, 58: 43}
"""Pads of Groove's electronic kit (edge of the closed hi-hat, edge of the open one, rim of the floor tom) -> the drum
of General MIDI that they are. It has no 22 and 26, and its 58 is a vibraslap. 40 (the snare's rim), 52 and 55 (edges of
crashes) stay: there they are an electric snare, a china and a splash, which a drummer could have meant."""

CHORD_PART = Part("Chords", 89, role="pad")
"""Who plays written chords: a warm pad, whom held chords become; pianos and guitars are not to learn to hold them."""
LOWEST_BASS, LOWEST_TONE, CHORD_VELOCITY = 36, 53, 64
"""Bass C2-B2, tones F3-E4: below most melodies, and each pitch class at one height, so that common tones stay."""


def as_general_midi(song: Song) -> tuple[Song, str]:
    """The song with the drums of `ROLAND_DRUMS` renamed; of two equal drums at once the louder stays."""
    table = np.arange(128)
    table[list(ROLAND_DRUMS)] = list(ROLAND_DRUMS.values())
    drum = np.array([part.is_drum for part in song.parts], bool)[song.notes["part"]]
    notes = song.notes.copy()
    notes["pitch"] = np.where(drum, table[notes["pitch"]], notes["pitch"])
    renamed = int((notes["pitch"] != song.notes["pitch"]).sum())
    if not renamed:
        return song, ""
    order = np.lexsort((-notes["velocity"].astype(int), notes["pitch"], notes["part"], notes["onset"]))
    notes = notes[order]
    same = drum[order][1:] & np.all(
        [notes[name][1:] == notes[name][:-1] for name in ("onset", "part", "pitch")], axis=0
    )
    return song.with_notes(notes[np.append(True, ~same)]), f"drums-renamed x{renamed}: to their General MIDI pitches"


def with_chord_part(song: Song) -> tuple[Song, str]:
    """The song with one more part that holds the chords written in it, struck anew at each chord and each bar line."""
    if not has_chords(song):
        return song, ""
    played = chord_notes(song, len(song.parts))
    changed = song.replace(parts=(*song.parts, CHORD_PART)).with_notes(np.concatenate((song.notes, played)))
    return changed, f"chords-played x{len(played)}: written chords held by a part of their own"


def chord_notes(song: Song, part: int) -> NDArray[Any]:
    """`NOTE` rows of the chords written in ``song``: the bass, and each tone of the chord once."""
    lines = song.bar_lines()
    starts = np.union1d(song.chords["onset"].astype(np.int64), lines[:-1])
    starts = starts[(starts >= int(song.chords["onset"][0])) & (starts < song.length)]
    ends = np.append(starts[1:], song.length)
    rows = song.chords[chords_at(song.chords, starts)]
    sounding = rows["root"] != NO_CHORD
    place, tone = np.nonzero(chord_tones(rows))
    bass = np.flatnonzero(sounding)
    moment = np.concatenate((bass, place))
    notes = np.zeros(len(moment), NOTE)
    notes["part"], notes["velocity"] = part, CHORD_VELOCITY
    notes["onset"], notes["duration"] = starts[moment], (ends - starts)[moment]
    upper = LOWEST_TONE + (tone - LOWEST_TONE) % 12
    notes["pitch"] = np.concatenate((LOWEST_BASS + rows["bass"][bass], upper))
    return notes

"""The chord-melody codec: a melody within two octaves as a binary roll, beside the chords within one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.melody import MelodyCodec
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import CHORD, NO_CHORD, NOTE, Song
from woodshed.music.chord_finding import find_chords
from woodshed.music.chord_sheet import chord_tones, chords_at, distinct, has_chords
from woodshed.music.key import PITCH_NAMES
from woodshed.music.melodies import STEP_TICKS, as_melody

PITCHES = 24
"""Two octaves."""
STRUCK = PITCHES
"""The cell that says whether a note starts."""
COUNTER_BITS, COUNTED_BARS = 5, 2
VELOCITY = 100


@dataclass(frozen=True)
class ChordRollCodec:
    """Write a melody as one row of 25 binary cells each sixteenth note, and its chords as 12 beside them.

    =========== ===========================================================================================
    cell        on when
    =========== ===========================================================================================
    0-23        the pitch ``low + cell`` sounds
    24          a note starts; so a note that is struck again differs from one that is held
    =========== ===========================================================================================

    What is known of each row before it is played, G = 31 numbers, 0 or 1:

    =========== ===========================================================================================
    given       on when
    =========== ===========================================================================================
    0-11        the chord that sounds has this pitch class, C first
    12-23       the next chord has it; none after the last one
    24-28       binary digits of the row's place within two bars, in sixteenths, the ones first
    29, 30      a bar, a quarter note begins
    =========== ===========================================================================================

    `arrange` moves a melody to C major or A minor, its chords with it. Kept exactly of an arranged song: onset,
    duration and pitch. Dropped: velocities, a chord's bass and the octaves of its tones.

    Raises:
        CodecError: from ``arrange``, where there is no melody, or no chord is written or sounds beside it.
        OutOfRange: from ``encode``, on a pitch outside the two octaves.

    Source:
        K. Lackner, "Composing a melody with long-short term memory (LSTM) Recurrent Neural Networks" (TU Munich 2016),
        and its code: chords C2-B2, melodies C3-B4, sixteenths. There the roll has no 25th cell: each note sounds for
        half of its length, so that one that is struck again can be told apart. There songs came in one key, and
        neither the next chord nor the place in the bar was given.
    """

    low: int = 60
    """The lowest pitch; the highest is 23 above it."""

    name: ClassVar[str] = "chord-roll"
    version: ClassVar[int] = 1
    cells: ClassVar[int] = PITCHES + 1
    """Binary cells in a row."""
    given: ClassVar[int] = 24 + COUNTER_BITS + 2
    """Numbers known beside each row."""
    rows_per_quarter: ClassVar[int] = 4

    def __post_init__(self) -> None:
        if not 0 <= self.low <= 127 - PITCHES + 1:
            raise OutOfRange(f"low {self.low} is outside 0-{127 - PITCHES + 1}: two octaves lie above it; 60 is usual")

    @property
    def melody(self) -> MelodyCodec:
        """How melodies are found and transposed."""
        return MelodyCodec(self.low, self.low + PITCHES)

    def field_sizes(self) -> dict[str, int]:
        """Field -> how many cells it has."""
        return {"pitch": PITCHES, "struck": 1}

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version, "low": self.low}

    def steps_per_bar(self, song: Song) -> int:
        """Rows in a bar of the song's meter."""
        return self.melody.steps_per_bar(song)

    def arrange(self, song: Song) -> Song:
        """The melody of a song and its chords, in C major or A minor.

        Chords are those written; where none is, those found in what sounds beside the melody.
        """
        arranged = self.melody.arrange(with_chords(song))
        chords = arranged.chords[arranged.chords["onset"] < arranged.length].copy()
        chords["onset"] = (chords["onset"] + STEP_TICKS // 2) // STEP_TICKS * STEP_TICKS
        return arranged.replace(chords=distinct(chords[chords["onset"] < arranged.length]))

    def transposition(self, song: Song) -> int:
        """By how many semitones `arrange` moves the song."""
        return self.melody.transposition(song)

    def encode(self, song: Song) -> NDArray[np.bool_]:
        """(T, 25) the roll of an arranged song, until its end."""
        notes, size = song.notes, -(-song.length // STEP_TICKS)
        column = notes["pitch"].astype(np.int64) - self.low
        outside = np.flatnonzero((column < 0) | (column >= PITCHES))
        if len(outside):
            raise OutOfRange(
                f"{song.title or 'song'}: note {outside[0]} has pitch {notes['pitch'][outside[0]]}, outside "
                f"{self.low}-{self.low + PITCHES - 1}; arrange the song first"
            )
        start = notes["onset"].astype(np.int64) // STEP_TICKS
        stop = np.minimum((notes["onset"].astype(np.int64) + notes["duration"]) // STEP_TICKS, size)
        edges = np.zeros((size + 1, PITCHES), np.int64)
        np.add.at(edges, (start, column), 1)
        np.add.at(edges, (stop, column), -1)
        roll = np.zeros((size, self.cells), bool)
        roll[:, :PITCHES] = edges.cumsum(axis=0)[:size] > 0
        roll[start, STRUCK] = True
        return roll

    def decode(self, roll: NDArray[np.bool_], skeleton: Song) -> Song:
        """The notes of a roll (T, 25) in the first part of ``skeleton``; of several at once, all.

        A pitch starts where it comes on, and where it stays on in a row that says "struck" while none comes on.
        """
        roll = np.asarray(roll, bool)
        if roll.ndim != 2 or roll.shape[1] != self.cells:
            raise CodecError(f"a roll of shape {roll.shape} is not (rows, {self.cells})")
        if not skeleton.parts:
            raise CodecError(f"{skeleton.title or 'skeleton'} has no part that could play the melody")
        sounding, start = roll[:, :PITCHES], starts(roll)
        column, step = np.nonzero(start.T)
        closing = np.vstack((start | ~sounding, np.ones((1, PITCHES), bool))).T  # (24, T + 1) a note ends before here
        ends_column, ends_step = np.nonzero(closing)
        size = len(roll) + 1
        following = np.searchsorted(ends_column * size + ends_step, column * size + step, side="right")
        notes = np.zeros(len(step), NOTE)
        notes["onset"], notes["duration"] = step * STEP_TICKS, (ends_step[following] - step) * STEP_TICKS
        notes["pitch"], notes["velocity"] = column + self.low, VELOCITY
        length = max(skeleton.length, len(roll) * STEP_TICKS)
        return skeleton.replace(notes=skeleton.notes[:0], length=length).with_notes(notes)

    def snap(self, song: Song) -> Song:
        """The nearest melody with chords that comes back from `encode` and `decode` unchanged."""
        song = self.arrange(song)
        return self.decode(self.encode(song), song)

    def known(self, song: Song) -> NDArray[np.bool_]:
        """(T, G) what is given beside each row of a song with chords; its notes are not looked at."""
        return self.frame(song.chords, -(-song.length // STEP_TICKS), self.steps_per_bar(song))

    def frame(self, chords: NDArray[Any], rows: int, steps_per_bar: int) -> NDArray[np.bool_]:
        """(rows, G) the same for rows of `Song.chords`."""
        silence = np.array([(0, NO_CHORD, 0, NO_CHORD)], CHORD)
        tones = chord_tones(np.concatenate((silence, chords, silence)))
        place = np.arange(rows)
        number = chords_at(chords, place * STEP_TICKS) + 1
        counted = place % (COUNTED_BARS * steps_per_bar)
        digits = (counted[:, None] >> np.arange(COUNTER_BITS) & 1).astype(bool)
        begins = np.stack((place % steps_per_bar == 0, place % steps_per_bar % 4 == 0), axis=1)
        return np.concatenate((tones[number], tones[number + 1], digits, begins), axis=1)

    def rows(self, song: Song) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """What is given (T, G) and the roll (T, 25) of an arranged song."""
        return self.known(song), self.encode(song)

    def starts(self, roll: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(T,) how many notes start in each row of a roll."""
        found: NDArray[np.int64] = starts(np.asarray(roll, bool)).sum(axis=1)
        return found

    def cell_fields(self) -> NDArray[np.int64]:
        """(25,) to which field, by its place in `field_sizes`, each cell belongs."""
        fields: NDArray[np.int64] = (np.arange(self.cells) == STRUCK).astype(np.int64)
        return fields

    def describe(self, field: str, symbol: int) -> str:
        """What a cell means.

        >>> ChordRollCodec().describe("pitch", 9)
        'A4 (69) sounds'
        """
        if field not in self.field_sizes() or not 0 <= symbol < self.field_sizes()[field]:
            raise OutOfRange(f"field {field!r} cell {symbol}: the fields are pitch with {PITCHES} and struck with 1")
        pitch = self.low + symbol
        return "a note starts" if field == "struck" else f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1} ({pitch}) sounds"


def with_chords(song: Song) -> Song:
    """The song with chords: its own, or those found in what its parts play together.

    Raises:
        CodecError: if none is written and it is a lone melody, or nothing pitched sounds.
    """
    if has_chords(song):
        return song
    found = find_chords(song) if as_melody(song) is None else song.chords[:0]
    if not (found["root"] != NO_CHORD).any():
        raise CodecError(
            f"{song.title or 'song'} has no chords: none is written, and nothing that could tell them sounds beside a "
            "melody; type them with --chords 'Am F C G', or use a recipe for melodies such as lookback-rnn"
        )
    return song.replace(chords=found)


def starts(roll: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(T, 24) where notes start in a roll (T, 25)."""
    sounding = roll[:, :PITCHES]
    before = np.vstack((np.zeros((1, PITCHES), bool), sounding[:-1]))
    fresh: NDArray[np.bool_] = sounding & ~before
    again = roll[:, STRUCK] & ~fresh.any(axis=1)
    fresh |= sounding & again[:, None]
    return fresh

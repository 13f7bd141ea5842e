"""Melody RNN's codec: one event each sixteenth note, and Lookback RNN's inputs and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.melody_key import key_active, key_inputs, key_rows
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import NO_CHORD, Meter, Song, melody_song
from woodshed.music.key import PITCH_NAMES
from woodshed.music.melodies import (
    AT_PLAY,
    STEP_TICKS,
    MelodyOptions,
    as_melody,
    explain,
    extract_melodies,
    into_range,
    major_tonic,
    tunefulness,
)

NO_EVENT, NOTE_OFF, FIRST_PITCH = 0, 1, 2
"""Event ids; `FIRST_PITCH` is the lowest pitch of the codec."""
LOOKBACK_BARS = (1, 2)
COUNTER_BITS = 5
_ANY = MelodyOptions(min_bars=0, min_pitches=1)
"""What `arrange` takes for a melody: any line without chords."""


@dataclass(frozen=True)
class MelodyCodec:
    """Write a melody as one event each sixteenth note.

    ======================= ============================ ==================================================
    event, for low 48       Magenta writes               meaning
    ======================= ============================ ==================================================
    0                       -2                           no event: what sounds goes on, or the rest
    1                       -1                           note off
    2-37                    48-83                        a note of pitch ``event - 2 + low`` starts
    ======================= ============================ ==================================================

    A label is an event, or with ``lookback`` also, for E events:

    ======= =========================================================================================
    E       the event of 1 bar ago again (no event, where there is none)
    E + 1   the event of 2 bars ago again; comes before E and the event itself where several would do,
            and stands for "no event" in the first two bars
    ======= =========================================================================================

    The inputs that are on before event t, numbered as in Magenta; without ``lookback`` only the first E:

    =================== =============================================================================
    input               on when
    =================== =============================================================================
    0 to E - 1          event t - 1; none before the first
    E to 2 E - 1        the event 1 bar before t (no event, where there is none)
    2 E to 3 E - 1      the event 2 bars before t
    3 E to 3 E + 4      binary digits of t's place within two bars, in sixteenths, the ones first
    3 E + 5, 3 E + 6    event t - 1 is that of 1 bar, of 2 bars before it
    =================== =============================================================================

    With ``key`` (beside ``lookback``, whose labels stay) those of Attention RNN follow the first 3 E, for P = E - 2
    pitches:

    ====================== ==========================================================================
    input, from 3 E        on when
    ====================== ==========================================================================
    0 to P - 1             that pitch sounds
    P, P + 1               a note sounds; none does
    P + 2                  event t - 1 is its note-on
    P + 3, P + 4           the melody goes up, down: the direction of the last step that was one
    P + 5, P + 6           event t - 1 is that of 1 bar, of 2 bars before it
    P + 7 to P + 13        binary digits of t's place within eight bars, in sixteenths, the ones first
    P + 14                 event t begins a bar
    P + 15 to P + 26       the major keys, C first, that hold the most of all notes so far (or all)
    P + 27 to P + 38       the same of the last three different pitches
    ====================== ==========================================================================

    Kept exactly: onset, duration and pitch of a melody on sixteenths within the range, until the song's
    length. Dropped: velocities (100 for all), a second note together with another.

    Raises:
        CodecError: from ``arrange``, where no part plays a melody; from ``steps_per_bar``, if a bar is no
            whole number of sixteenths; from ``decode`` and ``event``, on an id out of the vocabulary.
        OutOfRange: from ``encode`` and ``from_magenta``, on a pitch outside the range.

    Source:
        Magenta's ``MelodyOneHotEncoding``, ``LookbackEventSequenceEncoderDecoder`` and ``KeyMelodyEncoderDecoder``
        (``note_seq``), whose numbering and precedence we keep; of the last see `woodshed.codecs.melody_key`. We
        differ in looking back by bars of the song's meter, not always by 16 and 32 steps; in counting the place
        within two bars (the same in 4/4) and wrapping at 32; in digits that are on or off, not 1 or -1; in
        predicting the first event too, from nothing; and in that ``key`` keeps the three events: without those 1 and
        2 bars ago a net must remember them to know which label means them, and learns it in hours, not minutes.
    """

    low: int = 48
    """The lowest pitch; 0 for all."""
    high: int = 84
    """Above the highest pitch, at least an octave above ``low``; 128 for all."""
    lookback: bool = False
    """Whether Lookback RNN's inputs and labels are used."""
    key: bool = False
    """Whether Attention RNN's inputs follow the three events of Lookback RNN's."""
    transpose: bool = True
    """Whether `arrange` moves a melody to C major or A minor and by octaves to the middle of the range."""

    name: ClassVar[str] = "melody"
    version: ClassVar[int] = 1
    field: ClassVar[str] = "event"

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high - 12 <= 116:
            raise OutOfRange(
                f"pitches {self.low}-{self.high - 1} are no octave within 0-127; 48 to 84 (exclusive) is usual"
            )
        if self.key and not self.lookback:
            raise OutOfRange("key is true and lookback is not: Attention RNN has both; set codec.lookback=true")

    @property
    def events(self) -> int:
        """How many events there are: E."""
        return self.high - self.low + FIRST_PITCH

    @property
    def inputs(self) -> int:
        """Width of the multi-hot input."""
        if self.key:
            return 3 * self.events + key_inputs(self.high - self.low, len(LOOKBACK_BARS))
        return 3 * self.events + COUNTER_BITS + len(LOOKBACK_BARS) if self.lookback else self.events

    @property
    def labels(self) -> int:
        """How many labels there are."""
        return self.events + len(LOOKBACK_BARS) * self.lookback

    @property
    def active(self) -> int:
        """The most inputs that are on at once: K."""
        if self.key:
            return 3 + key_active(len(LOOKBACK_BARS))
        return 3 + COUNTER_BITS + len(LOOKBACK_BARS) if self.lookback else 1

    def field_sizes(self) -> dict[str, int]:
        """Field -> how many ids it has."""
        return {self.field: self.events}

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version, **vars(self)}

    def steps_per_bar(self, song: Song) -> int:
        """Sixteenths in a bar of the song's first meter."""
        steps, rest = divmod(song.meter.bar_ticks, STEP_TICKS)
        if rest:
            raise CodecError(
                f"{song.title or 'song'}: a bar of {song.meter} is no whole number of sixteenths; "
                "write it in another meter, such as 4/4"
            )
        return steps

    def arrange(self, song: Song) -> Song:
        """The melody of a song, transposed: itself on the grid if it is one, else its best one.

        Best is what a part with the role of melody, lead or voice plays, then what is not bass, then what has
        the most notes. A note that is out of range after transposition is moved by octaves; `octaves_moved`
        says how many are.
        """
        melody = self._melody(song)
        shift = self._shift(melody)
        pitch = into_range(melody.notes["pitch"] + shift, self.low, self.high)
        notes, keys, chords = melody.notes.copy(), melody.keys.copy(), melody.chords.copy()
        notes["pitch"] = pitch
        keys["tonic"] = (keys["tonic"] + shift) % 12
        for column in ("root", "bass"):
            chords[column] = np.where(chords[column] == NO_CHORD, NO_CHORD, (chords[column] + shift) % 12)
        return melody.replace(notes=notes, keys=keys, chords=chords)

    def transposition(self, song: Song) -> int:
        """By how many semitones `arrange` moves the melody of this song."""
        return self._shift(self._melody(song))

    def octaves_moved(self, song: Song) -> int:
        """How many notes `arrange` moves by octaves of their own, since they are out of range when transposed."""
        melody = self._melody(song)
        moved = melody.notes["pitch"] + self._shift(melody)
        return int((into_range(moved, self.low, self.high) != moved).sum())

    def untranspose(self, song: Song, semitones: int) -> Song:
        """A decoded song back in the key of one that was moved by ``semitones``; by octaves where 0-127 ends."""
        low = int(song.notes["pitch"].min(initial=127)) - semitones
        high = int(song.notes["pitch"].max(initial=0)) - semitones
        octaves = max(0, -(low // 12)) if low < 0 else -max(0, -((127 - high) // 12)) if high > 127 else 0
        return song.transpose(12 * octaves - semitones)

    def encode(self, song: Song) -> NDArray[np.int64]:
        """(N,) events of an arranged song, one each sixteenth until its end."""
        notes, size = song.notes, -(-song.length // STEP_TICKS)
        outside = np.flatnonzero((notes["pitch"] < self.low) | (notes["pitch"] >= self.high))
        if len(outside):
            raise OutOfRange(
                f"{song.title or 'song'}: note {outside[0]} has pitch {notes['pitch'][outside[0]]}, outside "
                f"{self.low}-{self.high - 1}; arrange the song first"
            )
        start = notes["onset"] // STEP_TICKS
        stop = (notes["onset"].astype(np.int64) + notes["duration"]) // STEP_TICKS
        events = np.zeros(size + 1, np.int64)
        events[np.minimum(stop, size)] = NOTE_OFF
        events[start] = notes["pitch"].astype(np.int64) - self.low + FIRST_PITCH
        return events[:size]

    def decode(self, events: NDArray[np.int64], skeleton: Song) -> Song:
        """The notes of ``events`` in the first part of ``skeleton``, which becomes longer if they need it."""
        events = np.asarray(events, np.int64)
        bad = np.flatnonzero((events < 0) | (events >= self.events))
        if len(bad):
            raise CodecError(f"event {bad[0]} is {events[bad[0]]}, outside 0-{self.events - 1}")
        if not skeleton.parts:
            raise CodecError(f"{skeleton.title or 'skeleton'} has no part that could play the melody")
        played = melody_song(self.to_magenta(events), skeleton.parts[0], skeleton.bpm, Meter())
        length = max(skeleton.length, len(events) * STEP_TICKS)
        return skeleton.replace(notes=skeleton.notes[:0], length=length).with_notes(played.notes)

    def snap(self, song: Song) -> Song:
        """The nearest melody that comes back from `encode` and `decode` unchanged."""
        song = self.arrange(song)
        return self.decode(self.encode(song), song)

    def to_magenta(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        """Events as Magenta's users write them: -2 no event, -1 note off, 0-127 pitches."""
        events = np.asarray(events, np.int64)
        return events - FIRST_PITCH + np.where(events >= FIRST_PITCH, self.low, 0)

    def from_magenta(self, events: NDArray[np.int64]) -> NDArray[np.int64]:
        """The inverse of `to_magenta`; a note off while nothing sounds is no event, as in Magenta."""
        events = np.asarray(events, np.int64)
        bad = np.flatnonzero((events < -2) | (events >= self.high) | ((events >= 0) & (events < self.low)))
        if len(bad):
            raise OutOfRange(
                f"melody event {bad[0] + 1} is {events[bad[0]]}, outside {self.low}-{self.high - 1} (and -2 hold or "
                "rest, -1 note off); transpose it, or use a recipe for all pitches such as mono-rnn"
            )
        ids = events + FIRST_PITCH - np.where(events >= 0, self.low, 0)
        turns = np.flatnonzero(ids)
        idle = turns[(ids[turns] == NOTE_OFF) & (np.append(NOTE_OFF, ids[turns][:-1]) == NOTE_OFF)]
        ids[idle] = NO_EVENT
        return ids

    def look(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(N + 1, K) inputs that are on before each of the (N,) events and after the last; -1 for none."""
        return self._rows(events, 0, steps_per_bar)

    def look_next(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(K,): only the last row of `look`, at the same cost however long the past is."""
        row: NDArray[np.int64] = self._rows(events, len(events), steps_per_bar)[0]
        return row

    def targets(self, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.int64]:
        """(N,) label of each event, given those before it."""
        labels = np.array(events, np.int64)
        if not self.lookback:
            return labels
        again = labels.copy()
        for number, bars in enumerate(LOOKBACK_BARS):
            back = bars * steps_per_bar
            again[back:][events[back:] == events[:-back]] = self.events + number
        first = slice(0, LOOKBACK_BARS[-1] * steps_per_bar)
        again[first][labels[first] == NO_EVENT] = self.events + len(LOOKBACK_BARS) - 1
        return again

    def event(self, label: int, past: NDArray[np.int64], steps_per_bar: int) -> int:
        """The event that a label stands for after the (t,) events of ``past``."""
        if not 0 <= label < self.labels:
            raise CodecError(f"label {label} is outside 0-{self.labels - 1}")
        if label < self.events:
            return int(label)
        back = LOOKBACK_BARS[label - self.events] * steps_per_bar
        return int(past[-back]) if back <= len(past) else NO_EVENT

    def allowed(self, past: NDArray[np.int64], steps_per_bar: int = 16) -> NDArray[np.bool_]:
        """(labels,) whether each may come after ``past``: a note off only while a note sounds."""
        turns = np.flatnonzero(past)
        mask = np.ones(self.labels, bool)
        if len(turns) and past[turns[-1]] != NOTE_OFF:
            return mask
        for label in (NOTE_OFF, *range(self.events, self.labels)):
            mask[label] = self.event(label, past, steps_per_bar) != NOTE_OFF
        return mask

    def notes(self, events: NDArray[np.int64]) -> int:
        """How many notes start."""
        return int((np.asarray(events) >= FIRST_PITCH).sum())

    def describe(self, field: str, symbol: int) -> str:
        """What a label means.

        >>> MelodyCodec().describe("event", 14)
        'C4 (60) starts'
        """
        if field != self.field or not 0 <= symbol < self.labels:
            raise OutOfRange(f"field {field!r} id {symbol}: the field is {self.field} with {self.labels} ids")
        if symbol >= self.events:
            bars = LOOKBACK_BARS[symbol - self.events]
            return f"the event of {bars} bar{'s' if bars > 1 else ''} ago again"
        pitch = symbol - FIRST_PITCH + self.low
        named = f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1} ({pitch}) starts"
        return {NO_EVENT: "no event: the note or the rest goes on", NOTE_OFF: "note off"}.get(symbol, named)

    def _melody(self, song: Song) -> Song:
        """The melody of a song as it sounds, on the grid."""
        melody = as_melody(song)
        if melody is None:
            found, reasons = extract_melodies(song, _ANY)
            if not found:
                raise CodecError(f"{song.title or 'song'} has no melody: {explain(reasons, _ANY, AT_PLAY)}")
            melody = max(found, key=tunefulness)
        self.steps_per_bar(melody)
        return melody

    def _shift(self, melody: Song) -> int:
        """Semitones to C major or A minor and, by whole octaves, nearest to the middle of the range."""
        if not self.transpose:
            return 0
        tonic = major_tonic(melody)
        pitch = melody.notes["pitch"]
        off_centre = self.low + self.high - 1 - (int(pitch.min()) + int(pitch.max()) - 2 * tonic)
        return 12 * round(off_centre / 24) - tonic

    def _rows(self, events: NDArray[np.int64], first: int, steps_per_bar: int) -> NDArray[np.int64]:
        """Rows ``first`` to N of `look`."""
        place = np.arange(first, len(events) + 1)
        last = _at(events, place - 1, -1)
        if not self.lookback:
            return last[:, None]
        back = [bars * steps_per_bar for bars in LOOKBACK_BARS]
        heard = [last]
        for number, distance in enumerate(back, start=1):
            heard.append(_at(events, place - distance, NO_EVENT) + number * self.events)
        offset = len(heard) * self.events
        if self.key:
            line = np.asarray(events, np.int64) - FIRST_PITCH
            rows = key_rows(line, first, self.low, self.high - self.low, steps_per_bar, LOOKBACK_BARS)
            return np.column_stack((*heard, np.where(rows < 0, -1, rows + offset)))
        bits = np.arange(COUNTER_BITS)
        is_on = (place % (LOOKBACK_BARS[-1] * steps_per_bar))[:, None] >> bits & 1
        heard.append(np.where(is_on, offset + bits, -1))
        offset += COUNTER_BITS
        for number, distance in enumerate(back):
            repeats = (place > distance) & (_at(events, place - 1 - distance, -1) == last)
            heard.append(np.where(repeats, offset + number, -1))
        return np.column_stack(heard)


def _at(events: NDArray[np.int64], places: NDArray[np.int64], missing: int) -> NDArray[np.int64]:
    """The events at these places, or ``missing`` at negative ones."""
    if not len(events):
        return np.full(len(places), missing, np.int64)
    return np.where(places >= 0, np.asarray(events, np.int64)[np.maximum(places, 0)], missing)

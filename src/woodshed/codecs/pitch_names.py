"""Notes and chords by name, one after another: what the guitar-solo LSTM and DeepRock read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from woodshed.codecs.chord_events import PITCH_OF, REST, chord_events, chord_name, parse_event
from woodshed.codecs.part_choice import is_called, no_part, notes_of_parts, only_part, part_remedy
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import NOTE, TICKS_PER_QUARTER, Part, Song
from woodshed.music.units import ticks_per_step

VELOCITY = 100
_64_BITS = (1 << 64) - 1
_STEP_TICKS = ticks_per_step()


@dataclass(frozen=True)
class PitchNameCodec:
    """Write a part as one event per note or chord, each an id into a list of names that ascends as they sound.

    =========================  ==================================================================
    name                       event
    =========================  ==================================================================
    ``G#5``, ``E-3``, ``C-1``  one pitch; ``E-3`` is E flat in octave 3, ``C-1`` the lowest pitch
    ``0.4.7``, ``11``          a chord in normal order of its pitch classes (``chords="normal"``)
    ``E3.B3.E4``               a chord by all its pitches, ascending (``chords="full"``)
    ``E3 6``, ``rest 12``      the same with its length in steps, 12 to the quarter
                               (only where ``step_quarters`` is None)
    =========================  ==================================================================

    Notes that start on one step (12 to the quarter) are one event. With ``step_quarters`` each event is decoded to
    that many quarters and nothing of its real time is kept, as in the sources. With None, lengths are real: an event
    lasts until its last note ends or the next event starts, a whole note at most; silence from a sixteenth on is an
    event of its own, and one longer than a whole note becomes a whole note.

    Ids are what `fit` found, in order of the highest pitch, so that to a net which reads them as numbers those close
    together sound alike; an event that it did not find becomes the same pitches with the nearest length that it
    did find, or is left out. A chord in normal order is decoded in the octave from middle C, as in the source.
    Dropped: other parts, velocities, silence before the first note.

    Raises:
        CodecError: from `arrange`, with the reason, where no part will do; from `decode`, on an id out of the
            vocabulary; from `fit`, where no song has a part that will do.

    Source:
        Subramanian, "Deep Learned Shred Solo" (``chords="normal"``, ``step_quarters=0.5``), and Nayak, DeepRock
        (``chords="full"``, ``step_quarters=0.3``, ``part="electric guitar"``, ``standardise``). We differ in: grouping
        chords on our grid; a note doubled at one pitch is a note, not a chord; an event lasts one grid step where
        the sources let each ring for a quarter over the next; chords are joined with "." in both spellings (DeepRock
        has a blank); ids in order of pitch where the sources sort names by letter; windows never reach from one song
        into another; real lengths, which neither source has.
    """

    chords: Literal["normal", "full"] = "normal"
    """How a chord is spelled."""
    step_quarters: float | None = 0.5
    """Quarters from event to event; None for real lengths."""
    part: str | None = None
    """Which part is heard: None for the first that is not drums, "electric guitar" as DeepRock understands it, or a
    word of the part's name or of its program's, or a program number."""
    standardise: bool = False
    """Whether `scale` takes away the mean id and divides by the standard deviation (DeepRock), or divides by V."""
    vocabulary: tuple[str, ...] = ()
    """The V names; empty before `fit`."""
    mean: float = 0.0
    deviation: float = 1.0
    """Of the ids in all the parts that `fit` saw. DeepRock takes both over its windows, in which all but the first
    and last events count equally often."""

    name: ClassVar[str] = "pitch-names"
    version: ClassVar[int] = 1
    field: ClassVar[str] = "event"

    def __post_init__(self) -> None:
        if self.chords not in ("normal", "full"):
            raise OutOfRange(f"chords {self.chords!r} is neither 'normal' (0.4.7) nor 'full' (E3.B3.E4)")
        if self.step_quarters is not None and not 1 / TICKS_PER_QUARTER <= self.step_quarters <= 16:
            raise OutOfRange(f"step_quarters {self.step_quarters} is outside 1/480 to 16; 0.5 is usual, None for real")
        if not self.deviation > 0:
            raise OutOfRange(f"deviation {self.deviation} is not above 0; 1 is usual")
        object.__setattr__(self, "vocabulary", tuple(self.vocabulary))
        for event in self.vocabulary:
            parse_event(event, self.step_quarters is None)

    @property
    def events(self) -> int:
        """V, the size of the vocabulary."""
        return len(self.vocabulary)

    def field_sizes(self) -> dict[str, int]:
        """Field -> how many ids it has."""
        return {self.field: self.events}

    def config(self) -> dict[str, Any]:
        """The codec as JSON, the vocabulary included."""
        return {"name": self.name, "version": self.version, **asdict(self), "vocabulary": list(self.vocabulary)}

    # --- which part -----------------------------------------------------------------------------------------------

    def drop_reason(self, song: Song) -> str:
        """Why this codec cannot use the song, in words that can be counted; empty if it can."""
        sounding = [part for part, count in zip(song.parts, notes_of_parts(song), strict=True) if count]
        if not sounding:
            return "no notes"
        if all(part.is_drum for part in sounding):
            return "only drums"
        if not self._candidates(song):
            return no_part(song, self.part or "")
        return ""

    def lines(self, song: Song) -> list[Song]:
        """Each part that will do as a song of its own; with no ``part`` asked for, the first one only."""
        return [only_part(song, index) for index in self._candidates(song)]

    def arrange(self, song: Song) -> Song:
        """The first of `lines`."""
        reason = self.drop_reason(song)
        if reason:
            raise CodecError(f"{song.title or 'the song'}: {reason}; {part_remedy(reason, self.part)}")
        return only_part(song, self._candidates(song)[0])

    def _candidates(self, song: Song) -> list[int]:
        counts = notes_of_parts(song)
        pitched = [i for i, part in enumerate(song.parts) if counts[i] and not part.is_drum]
        if self.part is None:
            return pitched[:1]
        return [i for i in pitched if is_called(song.parts[i], self.part)]

    # --- names and ids --------------------------------------------------------------------------------------------

    def fit(self, songs: Iterable[Song]) -> PitchNameCodec:
        """This codec with the vocabulary, mean and deviation of all `lines` of the songs; others are passed over."""
        named = [np.array(self.names(line), object) for song in songs for line in self.lines(song)]
        if not named:
            raise CodecError("no song has a part that this codec can use; drop_reason tells why for each")
        vocabulary, counts = np.unique(np.concatenate(named).astype(str), return_counts=True)
        order = sorted(range(len(vocabulary)), key=lambda index: self._sound(str(vocabulary[index])))
        ids = np.repeat(np.arange(len(order)), counts[order])
        deviation = float(ids.std()) or 1.0
        return replace(self, vocabulary=tuple(vocabulary[order].tolist()), mean=float(ids.mean()), deviation=deviation)

    def _sound(self, name: str) -> tuple[int, tuple[int, ...], int, str]:
        """Events sort by this: highest pitch (rests lowest), all pitches, length, name."""
        pitches, length = parse_event(name, self.step_quarters is None)
        return max(pitches, default=-1), pitches, length, name

    def names(self, song: Song) -> list[str]:
        """The events of an arranged song by name."""
        distinct, which = self._distinct(song)
        names = [self._name(*row) for row in distinct.tolist()]
        return [names[i] for i in which.tolist()]

    def encode(self, song: Song) -> NDArray[np.int64]:
        """(N,) ids of an arranged song's events; those that `fit` never saw are left out (see the class)."""
        distinct, which = self._distinct(song)
        ids = np.array([self._id(self._name(*row)) for row in distinct.tolist()], np.int64)[which]
        return ids[ids >= 0]

    def unseen(self, song: Song) -> int:
        """How many events of an arranged song `encode` leaves out. Judge no model without a look at it."""
        return len(self.names(song)) - len(self.encode(song))

    def _distinct(self, song: Song) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Distinct events as rows (pitches 0-63 as bits, 64-127 as bits, length in steps or 0), and which is where."""
        rows = chord_events(song.notes)
        if self.step_quarters is not None:
            rows = rows[(rows[:, 0] != 0) | (rows[:, 1] != 0)]
            rows[:, 2] = 0
        order = np.lexsort(rows.T)
        ordered = rows[order]
        first = np.append(True, (ordered[1:] != ordered[:-1]).any(1))[: len(rows)]
        which = np.empty(len(rows), np.int64)
        which[order] = np.cumsum(first) - 1
        return ordered[first], which

    def _name(self, low: int, high: int, length: int) -> str:
        name = chord_name((low & _64_BITS) | (high & _64_BITS) << 64, self.chords == "normal")
        return f"{name} {length}" if self.step_quarters is None else name

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.vocabulary)}

    @cached_property
    def _lengths(self) -> dict[str, list[int]]:
        """The lengths in which `fit` saw each chord."""
        found: dict[str, list[int]] = {}
        for name in self.vocabulary:
            pitches, _, length = name.partition(" ")
            found.setdefault(pitches, []).append(int(length or 0))
        return found

    def _id(self, name: str) -> int:
        if name in self._ids or self.step_quarters is not None:
            return self._ids.get(name, -1)
        pitches, _, length = name.partition(" ")
        near = min(self._lengths.get(pitches, ()), key=lambda known: (abs(known - int(length)), known), default=0)
        return self._ids.get(f"{pitches} {near}", -1)

    # --- windows --------------------------------------------------------------------------------------------------

    def windows(self, ids: NDArray[np.int64], length: int = 50) -> NDArray[np.int64]:
        """(N - length, length): every window that has a next event. A view: nothing is copied."""
        return _windows(ids, length)[:-1] if len(ids) > length else np.empty((0, length), np.int64)

    def targets(self, ids: NDArray[np.int64], length: int = 50) -> NDArray[np.int64]:
        """(N - length,): the event after each window."""
        return ids[length:]

    def scale(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """(..., 1): ids as the net reads them. Applied once, to ids: the shred original divides its own
        (already divided) seed once more when it generates, so it plays from inputs that it never trained on."""
        shift, size = (self.mean, self.deviation) if self.standardise else (0.0, float(max(self.events, 1)))
        return ((ids[..., None] - shift) / size).astype(np.float32)

    def one_hot(self, targets: NDArray[np.int64]) -> NDArray[np.float32]:
        """(..., V), as the sources feed their loss."""
        return np.eye(self.events, dtype=np.float32)[targets]

    # --- back to music --------------------------------------------------------------------------------------------

    def decode(self, ids: NDArray[np.int64], skeleton: Song) -> Song:
        """The events one after another from tick 0, in the first part of ``skeleton``, with its tempo and meter."""
        ids = np.asarray(ids, np.int64)
        bad = np.flatnonzero((ids < 0) | (ids >= self.events))
        if len(bad):
            raise CodecError(f"event {bad[0]}: id {ids[bad[0]]} is outside 0-{self.events - 1}")
        distinct, which = np.unique(ids, return_inverse=True)
        parsed = [parse_event(self.vocabulary[i], self.step_quarters is None) for i in distinct.tolist()]
        pitches = [pitch for chord, _ in parsed for pitch in chord]
        counts = np.array([len(chord) for chord, _ in parsed], np.int64)
        ticks = np.array([self._ticks(length) for _, length in parsed], np.int64)[which]
        notes = np.zeros(int(counts[which].sum()), NOTE)
        repeated = np.repeat(np.arange(len(ids)), counts[which])
        nth = np.arange(len(notes)) - np.repeat(np.cumsum(counts[which]) - counts[which], counts[which])
        first = np.cumsum(counts) - counts
        notes["pitch"] = np.array(pitches, np.int64)[first[which][repeated] + nth]
        notes["onset"], notes["duration"] = (np.cumsum(ticks) - ticks)[repeated], ticks[repeated]
        notes["velocity"] = VELOCITY
        parts = skeleton.parts or (Part("Guitar", 30),)
        return skeleton.replace(parts=parts, length=int(ticks.sum()), notes=notes[:0]).with_notes(notes)

    def _ticks(self, length: int) -> int:
        return length * _STEP_TICKS if self.step_quarters is None else round(self.step_quarters * TICKS_PER_QUARTER)

    def snap(self, song: Song) -> Song:
        """The nearest song that survives `encode` and `decode` unchanged."""
        song = self.arrange(song)
        return self.decode(self.encode(song), song)

    def notes(self, ids: NDArray[np.int64]) -> int:
        """How many events sound: rests do not."""
        silent = np.array([name.startswith(REST) for name in self.vocabulary], bool)
        return int((~silent[ids]).sum())

    def pitches(self) -> list[tuple[int, ...]]:
        """What each id sounds as `decode` plays it; () for a rest."""
        return [parse_event(name, self.step_quarters is None)[0] for name in self.vocabulary]

    def describe(self, field: str, symbol: int) -> str:
        """What one id means.

        >>> PitchNameCodec(vocabulary=("0.4.7", "G#5")).describe("event", 0)
        'chord 0.4.7'
        """
        if field != self.field or not 0 <= symbol < self.events:
            raise OutOfRange(f"field {field!r} id {symbol}: the one field is 'event', its ids 0-{self.events - 1}")
        name, _, length = self.vocabulary[symbol].partition(" ")
        kind = "" if name == REST else "pitch " if name in PITCH_OF else "chord "
        return kind + name + (f" for {length} steps" if length else "")


def varied(windows: NDArray[np.int64], unique_factor: int = 13) -> NDArray[np.bool_]:
    """(W,): whether a window (W, L) has more than ``unique_factor`` distinct events; DeepRock keeps only those."""
    ordered = np.sort(windows, axis=1)
    distinct: NDArray[np.int64] = (ordered[:, 1:] != ordered[:, :-1]).sum(1) + 1
    return distinct > unique_factor


def _windows(ids: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    seen: NDArray[np.int64] = sliding_window_view(ids, length)
    return seen

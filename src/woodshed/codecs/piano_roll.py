"""The pianoroll codec: M binary piano rolls, 96 steps to the bar, 128 pitches each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import CodecError, OutOfRange, UnknownName
from woodshed.music import NOTE, Part, Song
from woodshed.music.key import PITCH_NAMES
from woodshed.music.key_finding import find_key
from woodshed.music.segments import pitched_notes
from woodshed.music.units import TICKS_PER_QUARTER

STEPS_PER_BAR, STEPS_PER_FRAME = 96, 6
STEP_TICKS = 4 * TICKS_PER_QUARTER // STEPS_PER_BAR
FRAMES_PER_BAR = STEPS_PER_BAR // STEPS_PER_FRAME
BAR_TICKS = STEPS_PER_BAR * STEP_TICKS
LOWEST, HIGHEST = 24, 108
"""C1 and C8: what lies below or above is noise."""
PITCHES = HIGHEST - LOWEST + 1
DRUM_STEPS = 3
"""A drum sounds for a thirty-second note, whatever is written."""
COUNTED_BARS, COUNTER_BITS = 8, 7
VELOCITY = 100
TRACKS: dict[str, tuple[range, int]] = {
    "drums": (range(0), 0), "bass": (range(32, 40), 33), "guitar": (range(24, 32), 29), "keys": (range(24), 0),
    "strings": (range(40, 56), 48), "lead": (range(56, 88), 81), "pad": (range(88, 96), 89),
}  # fmt: skip
"""Track -> the General MIDI programs that are gathered in it, and the one that plays it. Others are left aside."""
USUAL = ("drums", "bass", "guitar", "keys", "strings", "lead", "pad")


@dataclass(frozen=True)
class PianoRollCodec:
    """Write a song as a binary roll (T, M, 128) of 96 steps to the bar; the model sees frames of six steps.

    The roll has a cell for each step, track and pitch, on while the pitch sounds. A note that is struck again while
    it sounds ends one step earlier, so that the stroke can be seen. Each track gathers all parts of its kind:

    ======= ========================================================
    track   General MIDI programs, counted from 0
    ======= ========================================================
    drums   channel 10; each stroke sounds for three steps
    bass    32-39
    guitar  24-31
    keys    0-23: pianos, tuned percussion, organs
    strings 40-55: strings, ensembles, choirs
    lead    56-87: brass, reeds, pipes, synth leads
    pad     88-95
    ======= ========================================================

    A frame (a sixteenth) has C = 85 M cells, those of C1 to C8 of one track after another, each a byte whose bit k says
    whether the cell is on in the frame's step k. What is known of a frame before it is played, G = 9 + 3 M numbers:

    =========== ===========================================================================================
    given       on when
    =========== ===========================================================================================
    0-6         binary digits of the frame's place within eight bars, the ones first
    7, 8        a bar, a quarter note begins
    9 to 8 + M  this track plays in the song
    then M      the binary logarithm of 1 + its notes per bar in the song, divided by 4
    then M      its mean pitch in the song, less 60, divided by 24
    =========== ===========================================================================================

    Kept exactly of an arranged song: onset, duration, pitch, track. Dropped: velocities, which of a kind's parts plays,
    other instruments, notes below C1 or above C8, what is finer than a step.

    Raises:
        CodecError: from ``arrange``, if a bar is not 96 steps long or no track plays.
        OutOfRange: from ``__init__``; UnknownName for a track that there is not.

    Source:
        MuseGAN (Dong, Hsiao, Yang and Yang, AAAI 2018) and its binary neurons (Dong and Yang, ISMIR 2018): 96 steps to
        the bar, tracks merged by kind, 84 pitches from C1 on, notes outside left out as noise. We differ in moving
        songs to C major or A minor, in the length of drum strokes, and in C8 itself.
    """

    tracks: int = 4
    """M: the most common kinds of part in the corpus are taken, 1-7."""
    parts: str = ""
    """Their names, such as ``"drums, bass, guitar"``; empty until they are found."""
    most_empty: float = 0.5
    """A song with a larger share of bars in which no track sounds is left out as noise, 0-1."""
    transpose: bool = True
    """Whether `arrange` moves a song to C major or A minor."""

    name: ClassVar[str] = "piano-roll"
    version: ClassVar[int] = 1
    rows_per_quarter: ClassVar[int] = FRAMES_PER_BAR // 4

    def __post_init__(self) -> None:
        if not 1 <= self.tracks <= len(TRACKS):
            raise OutOfRange(f"tracks {self.tracks} is outside 1-{len(TRACKS)}; 4 is usual")
        if not 0 <= self.most_empty <= 1:
            raise OutOfRange(f"most_empty {self.most_empty} is outside 0-1; 0.5 is usual")
        if strange := [name for name in self.names if name not in TRACKS]:
            raise UnknownName(f"track {strange[0]!r} is not one of {', '.join(TRACKS)}")
        if len(set(self.names)) < len(self.names):
            raise OutOfRange(f"parts {self.parts!r} names a track twice; name each once")

    @property
    def names(self) -> tuple[str, ...]:
        """The tracks, in the order of the roll."""
        return tuple(name.strip() for name in self.parts.split(",") if name.strip()) or USUAL[: self.tracks]

    @property
    def cells(self) -> int:
        """C, in a frame."""
        return PITCHES * len(self.names)

    @property
    def given(self) -> int:
        """G, numbers known beside each frame."""
        return COUNTER_BITS + 2 + 3 * len(self.names)

    def field_sizes(self) -> dict[str, int]:
        """Track -> how many cells it has in a frame."""
        return dict.fromkeys(self.names, PITCHES * STEPS_PER_FRAME)

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version, **vars(self)}

    def fit(self, songs: Sequence[Song]) -> PianoRollCodec:
        """The same with the tracks that most songs have, if they are not named."""
        if self.parts:
            return self
        found: Counter[str] = Counter()
        for song in songs:
            kinds = track_of(song.parts)
            found.update({kinds[part] for part in set(song.notes["part"].tolist()) if kinds[part]})
        common = sorted(USUAL, key=lambda name: -found[name])[: self.tracks]
        return replace(self, parts=", ".join(name for name in USUAL if name in common))

    def steps_per_bar(self, song: Song) -> int:
        """Frames in a bar."""
        return FRAMES_PER_BAR

    def drop_reason(self, song: Song) -> str:
        """Why a song cannot be arranged; "" if it can."""
        if not len(song):
            return "no notes"
        meters = song.meters[song.meters["onset"] < song.length]
        if any(4 * TICKS_PER_QUARTER * int(top) != BAR_TICKS * int(bottom) for _, top, bottom in meters.tolist()):
            return "other meter"
        return "" if len(self._heard(song)) else "no track"

    def empty_bars(self, song: Song) -> float:
        """The share of bars in which no track sounds."""
        _, cells = self._cells(song)
        return float(1 - cells.reshape(-1, STEPS_PER_BAR * cells.shape[1]).any(axis=1).mean()) if cells.size else 1.0

    def arrange(self, song: Song) -> Song:
        """The song as M parts on the grid of 96 steps to the bar, in C major or A minor."""
        heard = self._gathered(song)
        return self._moved(heard, self._to_c(heard))

    def transposition(self, song: Song) -> int:
        """By how many semitones, -6 to 5, `arrange` moves the song."""
        return self._to_c(self._gathered(song))

    def noise(self, song: Song) -> int:
        """How many notes of the tracks lie below C1 or above C8."""
        kinds = np.array([bool(name) and name in self.names for name in track_of(song.parts)], bool)
        pitch = song.notes["pitch"][kinds[song.notes["part"]]] if len(song) else song.notes["pitch"]
        return int(((pitch < LOWEST) | (pitch > HIGHEST)).sum())

    def encode(self, song: Song) -> NDArray[np.bool_]:
        """(T, M, 128) the roll of a song in any parts, whole bars; its tracks are those of the codec."""
        columns, cells = self._cells(song)
        roll = np.zeros((len(cells), len(self.names) * 128), bool)
        roll[:, columns] = cells
        return roll.reshape(-1, len(self.names), 128)

    def decode(self, roll: NDArray[np.bool_], skeleton: Song) -> Song:
        """The notes of a roll (T, M, 128): each run of cells that are on; ``skeleton`` has a part for each track."""
        roll = np.asarray(roll, bool)
        if roll.ndim != 3 or roll.shape[1:] != (len(self.names), 128):
            raise CodecError(f"a roll of shape {roll.shape} is not (steps, {len(self.names)}, 128)")
        if len(skeleton.parts) != len(self.names):
            raise CodecError(f"{skeleton.title or 'skeleton'} has {len(skeleton.parts)} parts, not {len(self.names)}")
        flat = roll.reshape(len(roll), -1)
        columns = np.flatnonzero(flat.any(axis=0))
        return self._played(columns, flat[:, columns], skeleton)

    def snap(self, song: Song) -> Song:
        """The nearest song that comes back from `encode` and `decode` unchanged."""
        return self.arrange(song)

    def pack(self, roll: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """(T, M, 128) -> frames (F, C) of six bits."""
        flat = roll.reshape(len(roll), -1)
        columns = np.flatnonzero(flat.any(axis=0))
        return self._packed(columns, flat[:, columns])

    def unpack(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The inverse of `pack`."""
        bits = frames[:, None, :] >> np.arange(STEPS_PER_FRAME, dtype=np.uint8)[:, None] & 1  # (F, 6, C)
        roll = np.zeros((len(frames) * STEPS_PER_FRAME, len(self.names), 128), bool)
        roll[:, :, LOWEST : HIGHEST + 1] = bits.reshape(-1, len(self.names), PITCHES)
        return roll

    def character(self, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(3, M) of each track of frames (F, C): whether it plays, how densely, and how high; see the table above."""
        begun = np.bitwise_count(self._fresh(frames)).sum(axis=0, dtype=np.int64).reshape(-1, PITCHES)  # (M, 85)
        count = begun.sum(axis=1)
        density = np.log2(1 + count / (len(frames) / FRAMES_PER_BAR)) / 4
        pitch = begun @ np.arange(LOWEST, HIGHEST + 1) / np.maximum(count, 1)
        return np.stack((count > 0, density, np.where(count > 0, (pitch - 60) / 24, 0.0)))

    def known(self, frames: int, character: NDArray[np.float64]) -> NDArray[np.float64]:
        """(F, G) what is given beside each frame, if the tracks have this character (3, M)."""
        place = np.arange(frames)
        counted = place % (COUNTED_BARS * FRAMES_PER_BAR)
        digits = (counted[:, None] >> np.arange(COUNTER_BITS) & 1).astype(bool)
        begins = np.stack((place % FRAMES_PER_BAR == 0, place % 4 == 0), axis=1)
        return np.concatenate((digits, begins, np.tile(character.ravel(), (frames, 1))), axis=1)

    def rows(self, song: Song) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """What is given (F, G) and the frames (F, C) of an arranged song."""
        frames = self._packed(*self._cells(song))
        return self.known(len(frames), self.character(frames)), frames

    def starts(self, frames: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(F,) how many notes start in each frame."""
        found: NDArray[np.int64] = np.bitwise_count(self._fresh(frames)).sum(axis=1, dtype=np.int64)
        return found

    def cell_fields(self) -> NDArray[np.int64]:
        """(C,) to which track each cell belongs."""
        return np.arange(self.cells) // PITCHES

    def describe(self, field: str, symbol: int) -> str:
        """What a cell of a frame means.

        >>> PianoRollCodec().describe("bass", 16 * 6 + 2)
        'E2 (40) sounds in step 2 of the sixteenth'
        """
        if field not in self.names or not 0 <= symbol < PITCHES * STEPS_PER_FRAME:
            raise OutOfRange(
                f"field {field!r} cell {symbol}: the fields are {', '.join(self.names)} with "
                f"{PITCHES * STEPS_PER_FRAME} cells each"
            )
        pitch, step = LOWEST + symbol // STEPS_PER_FRAME, symbol % STEPS_PER_FRAME
        return f"{PITCH_NAMES[pitch % 12]}{pitch // 12 - 1} ({pitch}) sounds in step {step} of the sixteenth"

    def _fresh(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(F, C) of frames those bits at which a note starts."""
        before = np.vstack((np.zeros((1, frames.shape[1]), np.uint8), frames[:-1])) >> (STEPS_PER_FRAME - 1)
        found: NDArray[np.uint8] = np.bitwise_and(frames, ~(frames << 1 | before), dtype=np.uint8)
        return found

    def _gathered(self, song: Song) -> Song:
        """The song in its own key as M parts on the grid."""
        if reason := self.drop_reason(song):
            raise CodecError(f"{song.title or 'song'}: {REMEDIES[reason].format(tracks=', '.join(self.names))}")
        skeleton = song.replace(
            parts=tuple(map(part_for, self.names)), notes=song.notes[:0], controls=song.controls[:0],
            bends=song.bends[:0],
        )  # fmt: skip
        return self._played(*self._cells(song), skeleton)

    def _to_c(self, heard: Song) -> int:
        if not self.transpose or not len(pitched_notes(heard.notes, heard.parts)):
            return 0
        scores = find_key(heard).correlations
        pairs = np.maximum(scores[:12], np.roll(scores[12:], 3))  # of each major key and its relative minor
        tonic = int(np.flatnonzero(pairs > pairs.max() - 1e-9)[0])
        return (6 - tonic) % 12 - 6

    def _moved(self, heard: Song, semitones: int) -> Song:
        """The tracks moved; what then lies below C1 or above C8 is left out."""
        drum = np.array([part.is_drum for part in heard.parts], bool)[heard.notes["part"]]
        pitch = heard.notes["pitch"] + semitones
        return heard.replace(notes=heard.notes[drum | ((pitch >= LOWEST) & (pitch <= HIGHEST))]).transpose(semitones)

    def _heard(self, song: Song) -> NDArray[Any]:
        """The notes that the roll can hold; ``part`` is the track, a drum is one step long."""
        number = {name: index for index, name in enumerate(self.names)}
        track = np.array([number.get(name, -1) for name in track_of(song.parts)], np.int64)
        notes = song.notes
        if not len(notes):
            return notes
        own = track[notes["part"]]
        kept = (own >= 0) & (notes["pitch"] >= LOWEST) & (notes["pitch"] <= HIGHEST)
        heard: NDArray[Any] = notes[kept].copy()
        heard["part"] = own[kept]
        if "drums" in number:
            heard["duration"][heard["part"] == number["drums"]] = STEP_TICKS
        return heard

    def _cells(self, song: Song) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Columns (U,) of the flat roll, 128 for each track, in which something sounds, and their cells (T, U)."""
        notes, steps = self._heard(song), max(-(-song.length // BAR_TICKS), 1) * STEPS_PER_BAR
        start = (notes["onset"].astype(np.int64) + STEP_TICKS // 2) // STEP_TICKS
        stop = (notes["onset"].astype(np.int64) + notes["duration"] + STEP_TICKS // 2) // STEP_TICKS
        kept = start < steps
        start = start[kept]
        columns, column = np.unique(
            notes["part"][kept].astype(np.int64) * 128 + notes["pitch"][kept], return_inverse=True
        )
        stop = np.minimum(np.maximum(stop[kept], start + 1), steps)
        edges = np.zeros((steps + 1, len(columns)), np.int16)
        np.add.at(edges, (start, column), 1)
        np.add.at(edges, (stop, column), -1)
        cells: NDArray[np.bool_] = edges.cumsum(axis=0, dtype=np.int16)[:steps] > 0
        struck = np.zeros_like(cells)
        struck[start, column] = True
        cells[:-1] &= ~struck[1:] | struck[:-1]
        if "drums" in self.names:
            drums = columns // 128 == self.names.index("drums")
            cells[:, drums] = _lengthened(cells[:, drums])
        return columns, cells

    def _played(self, columns: NDArray[np.int64], cells: NDArray[np.bool_], skeleton: Song) -> Song:
        """The notes of these columns (U,) of the flat roll with cells (T, U)."""
        edges = np.diff(np.pad(cells.T, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        column, start = np.nonzero(edges == 1)
        _, stop = np.nonzero(edges == -1)
        notes = np.zeros(len(start), NOTE)
        notes["part"], notes["pitch"] = columns[column] // 128, columns[column] % 128
        notes["onset"], notes["duration"] = start * STEP_TICKS, (stop - start) * STEP_TICKS
        notes["velocity"] = VELOCITY
        length = max(skeleton.length, len(cells) * STEP_TICKS)
        empty = skeleton.replace(notes=skeleton.notes[:0], controls=skeleton.controls[:0], bends=skeleton.bends[:0])
        return empty.replace(length=length).with_notes(notes)

    def _packed(self, columns: NDArray[np.int64], cells: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """These columns (U,) of the flat roll with cells (T, U) -> frames (F, C)."""
        inside = (columns % 128 >= LOWEST) & (columns % 128 <= HIGHEST)
        columns, bits = columns[inside], cells[:, inside].reshape(-1, STEPS_PER_FRAME, int(inside.sum()))
        weights = (1 << np.arange(STEPS_PER_FRAME)).astype(np.uint8)
        frames = np.zeros((len(bits), self.cells), np.uint8)
        frames[:, columns // 128 * PITCHES + columns % 128 - LOWEST] = (bits * weights[:, None]).sum(1, dtype=np.uint8)
        return frames


REMEDIES = {
    "no notes": "the song is empty; give another",
    "other meter": "a bar is not 96 steps long, as it is in 4/4 and 2/2; use a recipe for any meter, such as band",
    "no track": "nothing plays in its tracks ({tracks}) between C1 and C8; name others with --set codec.parts=NAMES",
}


def _lengthened(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Each run of cells (T, U) as long as a drum sounds, but for a step before the next one."""
    starts = np.diff(np.pad(cells, ((1, 0), (0, 0))).astype(np.int8), axis=0) == 1
    longer: NDArray[np.bool_] = starts.copy()
    for step in range(1, DRUM_STEPS):
        longer[step:] |= starts[:-step]
    longer[:-1] &= ~starts[1:]
    return longer


def track_of(parts: Sequence[Part]) -> list[str]:
    """Of each part the track that it belongs to; "" for none."""
    return [_track(part) for part in parts]


def part_for(name: str, program: int | None = None) -> Part:
    """The part that plays a track, with that program or the usual one."""
    usual = TRACKS[name][1] if program is None else program
    return Part(name.title(), usual, is_drum=name == "drums")


def _track(part: Part) -> str:
    if part.is_drum:
        return "drums"
    return next((name for name, (programs, _) in TRACKS.items() if part.program in programs), "")

"""The flagship's codec: one step per note, each a row of six small fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.notation import by_hand, notate
from woodshed.errors import CodecError, OutOfRange
from woodshed.music import NOTE, Part, Song
from woodshed.music.general_midi import DRUMS, PROGRAMS
from woodshed.music.key import PITCH_NAMES
from woodshed.music.units import STEPS_PER_QUARTER, ticks_per_step, ticks_to_steps

FIELDS = ("time_shift", "part", "pitch", "duration", "velocity", "microtiming")
"""The columns of a row, in the order in which a model predicts them."""
TIME_SHIFT, PART, PITCH, DURATION, VELOCITY, MICROTIMING = range(6)

LONGEST_SHIFT = 191
WAIT, END, START = 192, 193, 194
LONGEST_DURATION = 384
MAX_PARTS = 16
VELOCITY_STEP = 4
MICROTIMING_STEP = 4
ON_THE_GRID = 16
SIZES = (195, MAX_PARTS, 128, LONGEST_DURATION, 32, 2 * ON_THE_GRID)
"""How many ids each field has."""
START_ROW = np.array([START, 0, 0, 0, 0, 0])
DRUM_PROGRAM = 128
NO_PROGRAM = 129
_STEP_TICKS = ticks_per_step(STEPS_PER_QUARTER)
STEP_BIT = 20
_UNITS = np.rint(np.arange(-(_STEP_TICKS // 2), _STEP_TICKS // 2) / MICROTIMING_STEP).astype(np.int64)
_LATE = np.minimum(_UNITS, (_STEP_TICKS // 2 - 1) // MICROTIMING_STEP) * MICROTIMING_STEP
"""What is kept of each deviation from the nearest step, -20 to 19 ticks; none is brought nearer to another step."""


@dataclass(frozen=True)
class NoteStepCodec:
    """Write each note as one row of six fields, on a grid of 12 steps per quarter note.

    ============= =========== ==================================================================
    field         ids         meaning
    ============= =========== ==================================================================
    time_shift    0-191       steps since the row before (0: together with it)
    ..            192 WAIT    192 steps pass and no note starts; the other fields are 0
    ..            193 END     the song ends; the other fields are 0
    ..            194 START   stands before the first row as a model's first input, never encoded
    part          0-15        index into the song's parts, in the order of `arrange`
    pitch         0-127       MIDI number, or the drum
    duration      0-383       sounding length of 1-384 steps (the id is one less)
    velocity      0-31        4 id + 1 to 4 id + 4; decoded to 4 id + 2
    microtiming   0-31        -64 to 60 ticks off the step, in fours; 16 is on it
    ============= =========== ==================================================================

    Rows are ascending in (onset, part, pitch), and a pitch starts at most once per step and part; that is
    what `legal` enforces. Any meter goes, for rows know nothing of bars: `places` computes them from the
    skeleton. A song of N notes has N rows, one WAIT for each 192 steps of rest before a note, and an END.

    A note's step is the nearest, or in performed parts that at which a musician would notate it (`notation`).
    Kept exactly: onset, part, pitch, duration on music that `snap` leaves as it is. On performed music an
    onset moves by at most 3 ticks, a velocity by 2, and the deviation of a duration is lost.
    Dropped: the shorter of two notes with the same nearest step, part and pitch; what `Song` holds beside notes.

    Raises:
        OutOfRange: from ``encode``, on more than 16 parts.
        CodecError: from ``decode``, on an id outside its field, with its row.

    Source:
        Compound Word Transformer (Hsiao et al. 2021) writes a note as one step of several fields; we
        differ in predicting the fields one after another, in counting time from note to note, and in
        keeping the deviation from the grid.
    """

    name: ClassVar[str] = "note-step"
    version: ClassVar[int] = 2
    steps_per_quarter: ClassVar[int] = STEPS_PER_QUARTER
    """Grid of onsets and durations. A constant: sizes of fields and features of the model rest on it."""

    def field_sizes(self) -> dict[str, int]:
        """Field -> how many ids it has."""
        return dict(zip(FIELDS, SIZES, strict=True))

    def config(self) -> dict[str, Any]:
        """The codec as JSON."""
        return {"name": self.name, "version": self.version, "steps_per_quarter": self.steps_per_quarter}

    def arrange(self, song: Song) -> Song:
        """The song with at most 16 sounding parts, in the order that ids refer to.

        Drums come first, then basses, then the rest by program; silent parts go. With more than 16, the
        two alike parts with the fewest notes play together as one, until 16 are left: same program
        first, then same family, then any two that are both drums or both not.
        """
        groups = self.slots(song)
        new_index = np.zeros(max(len(song.parts), 1), np.int16)
        for slot, group in enumerate(groups):
            new_index[group] = slot
        kept = np.isin(np.arange(max(len(song.parts), 1)), [index for group in groups for index in group])
        parts = tuple(song.parts[group[0]] for group in groups)
        moved = {}
        for name in ("notes", "controls", "bends"):
            rows = getattr(song, name)
            rows = rows[kept[rows["part"]]].copy()
            rows["part"] = new_index[rows["part"]]
            moved[name] = rows
        rest = {
            name: getattr(song, name) for name in ("tempos", "meters", "keys", "chords", "markers", "title", "length")
        }
        return Song.make(parts=parts, **moved, **rest)

    def slots(self, song: Song) -> list[list[int]]:
        """For each part of the arranged song, the parts of ``song`` that play in it."""
        counts = np.bincount(song.notes["part"], minlength=len(song.parts)).tolist()
        groups = [[index] for index in range(len(song.parts)) if counts[index]]
        while len(groups) > MAX_PARTS:
            _merge_two(groups, song.parts, counts)
        return sorted(groups, key=lambda group: _slot_order(song.parts[group[0]], group[0]))

    def encode(self, song: Song) -> NDArray[np.int64]:
        """(rows, 6) ids of an arranged song, END included."""
        if len(song.parts) > MAX_PARTS:
            raise OutOfRange(
                f"{song.title or 'song'}: {len(song.parts)} parts are more than {MAX_PARTS}; arrange it first"
            )
        drums = np.array([part.is_drum for part in song.parts], bool)
        key, late, velocity = _on_nearest_steps(song.notes)
        first = _first_of_each(key)
        if not first.all():
            key, late, velocity = key[first], late[first], velocity[first]
        step = _notated(key, late, drums, self.bar_lines(song))
        if step is not None:
            late += ((key >> STEP_BIT) - step) * _STEP_TICKS
            key = step << STEP_BIT | key & (1 << STEP_BIT) - 1
            order = np.argsort(key, kind="stable")
            key, late, velocity = key[order], late[order], velocity[order]
        gap = np.diff(key >> STEP_BIT, prepend=0)
        rows = np.empty((len(key), len(FIELDS)), np.int64)
        rows[:, TIME_SHIFT] = gap
        rows[:, PART] = key >> 16 & 15
        rows[:, PITCH] = key >> 9 & 127
        rows[:, DURATION] = LONGEST_DURATION - 1 - (key & 511)
        rows[:, VELOCITY] = (velocity - 1) // VELOCITY_STEP
        rows[:, MICROTIMING] = late // MICROTIMING_STEP + ON_THE_GRID
        return _with_rests(rows, gap // WAIT)

    def steps(
        self, notes: NDArray[Any], drums: NDArray[np.bool_], bar_lines: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The step and the microtiming id of each note, (N,) each, just as `encode` writes them.

        ``notes`` is `NOTE` rows in the order of a song, whose part is an index into ``drums`` (parts,), at most 16;
        ``bar_lines`` are steps. A note that `encode` drops has the step of the one that it keeps.
        """
        key, late, order = _on_nearest_steps(notes, np.arange(len(notes)))
        first = _first_of_each(key)
        nearest = key >> STEP_BIT
        kept = _notated(key[first], late[first], drums, bar_lines)
        step = nearest if kept is None else kept[np.cumsum(first) - 1]
        late = late + (nearest - step) * _STEP_TICKS
        found, microtiming = np.empty_like(step), np.empty_like(step)
        found[order] = step
        microtiming[order] = np.clip(late // MICROTIMING_STEP + ON_THE_GRID, 0, 2 * ON_THE_GRID - 1)
        return found, microtiming

    def onset_steps(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The step at which each row stands; END and START stand where the row before them does."""
        shift = np.where(rows[..., TIME_SHIFT] > WAIT, 0, rows[..., TIME_SHIFT])
        steps: NDArray[np.int64] = np.cumsum(shift, axis=-1)
        return steps

    def decode(self, rows: NDArray[np.int64], skeleton: Song) -> Song:
        """The notes of ``rows`` in the parts, tempo and meter of ``skeleton``; reading stops at END."""
        rows = np.asarray(rows, np.int64).reshape(-1, len(FIELDS))
        _check_ids(rows, len(skeleton.parts))
        ends = np.flatnonzero(rows[:, TIME_SHIFT] == END)
        rows = rows[: ends[0]] if len(ends) else rows
        onset = self.onset_steps(rows)
        is_note = rows[:, TIME_SHIFT] <= LONGEST_SHIFT
        return skeleton.with_notes(self.notes(rows[is_note], onset[is_note]))

    def notes(self, rows: NDArray[np.int64], onset_steps: NDArray[np.int64]) -> NDArray[Any]:
        """`NOTE` rows for note rows whose onset steps are known."""
        size = ticks_per_step(self.steps_per_quarter)
        notes = np.empty(len(rows), NOTE)
        notes["part"], notes["pitch"] = rows[:, PART], rows[:, PITCH]
        deviation = (rows[:, MICROTIMING] - ON_THE_GRID) * MICROTIMING_STEP
        notes["onset"] = np.maximum(onset_steps * size + deviation, 0)
        notes["duration"] = (rows[:, DURATION] + 1) * size
        notes["velocity"] = rows[:, VELOCITY] * VELOCITY_STEP + 2
        return notes

    def snap(self, song: Song) -> Song:
        """The nearest song that comes back from `encode` and `decode` unchanged."""
        song = self.arrange(song)
        return self.decode(self.encode(song), song)

    def programs(self, song: Song) -> NDArray[np.int64]:
        """(16, 2): for each part its program (128 drums, 129 no such part) and how many parts before it share it."""
        table = np.full((MAX_PARTS, 2), (NO_PROGRAM, 0), np.int64)
        seen: dict[int, int] = {}
        for slot, part in enumerate(song.parts[:MAX_PARTS]):
            program = DRUM_PROGRAM if part.is_drum else part.program
            table[slot] = program, seen.get(program, 0)
            seen[program] = seen.get(program, 0) + 1
        return table

    def bar_lines(self, skeleton: Song) -> NDArray[np.int64]:
        """Steps of the skeleton's bar lines, (bars + 1,)."""
        return ticks_to_steps(skeleton.bar_lines(), self.steps_per_quarter)

    def places(self, onset_steps: NDArray[np.int64], bar_lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """(..., 3) for each step: position in its bar (steps), number of the bar, length of the bar (steps).

        Past the last bar line, bars go on at the last bar's length.
        """
        last, size = bar_lines[-1], bar_lines[-1] - bar_lines[-2]
        beyond = np.maximum(onset_steps - last, -1) // size + 1
        folded = onset_steps - beyond * size
        bar = np.searchsorted(bar_lines, folded, side="right") - 1
        bar = np.clip(bar, 0, len(bar_lines) - 2)
        return np.stack([folded - bar_lines[bar], bar + beyond, bar_lines[bar + 1] - bar_lines[bar]], axis=-1)

    def legal(
        self, field: int, previous: NDArray[np.int64], partial: NDArray[np.int64], parts: int
    ) -> NDArray[np.bool_]:
        """Which ids of ``field`` may follow: (B, ids) bool.

        ``previous`` (B, 6) is the row before (START at first), ``partial`` (B, 6) the row in the making, whose
        earlier fields are decided; ``parts`` is how many parts the skeleton has. What is legal is just what
        `encode` can write: ascending (part, pitch) among notes that start together.
        """
        mask = np.ones((len(previous), SIZES[field]), bool)
        ids = np.arange(SIZES[field])
        together = (partial[:, TIME_SHIFT] == 0) & (previous[:, TIME_SHIFT] <= LONGEST_SHIFT)
        if field == TIME_SHIFT:
            topmost = (previous[:, PART] == parts - 1) & (previous[:, PITCH] == 127)
            mask[:, START] = False
            mask[topmost & (previous[:, TIME_SHIFT] <= LONGEST_SHIFT), 0] = False
        elif field == PART:
            mask &= ids < parts
            lowest = previous[:, PART] + (previous[:, PITCH] == 127)
            mask &= (ids >= lowest[:, None]) | ~together[:, None]
        elif field == PITCH:
            again = together & (partial[:, PART] == previous[:, PART])
            mask &= (ids > previous[:, PITCH, None]) | ~again[:, None]
        return mask

    def describe(self, field: str, symbol: int) -> str:
        """What one id of one field means.

        >>> NoteStepCodec().describe("duration", 11)
        'sounds for 12 steps (1 quarter)'
        """
        column = FIELDS.index(field) if field in FIELDS else -1
        if column < 0 or not 0 <= symbol < SIZES[column]:
            raise OutOfRange(f"field {field!r} id {symbol}: fields are {', '.join(FIELDS)} with {SIZES} ids")
        quarters = f"{(symbol + (column == DURATION)) / self.steps_per_quarter:g} quarter"
        return (
            {WAIT: f"{WAIT} steps pass without a note", END: "the song ends", START: "the song starts"}.get(
                symbol, f"{symbol} steps after the row before ({quarters})"
            ),
            f"part {symbol}",
            f"pitch {symbol}: {PITCH_NAMES[symbol % 12]}{symbol // 12 - 1}, or {DRUMS.get(symbol, 'no drum')}",
            f"sounds for {symbol + 1} steps ({quarters})",
            f"velocity {symbol * VELOCITY_STEP + 1}-{symbol * VELOCITY_STEP + VELOCITY_STEP}",
            f"{(symbol - ON_THE_GRID) * MICROTIMING_STEP} ticks after the grid",
        )[column]


def program_name(program: int) -> str:
    """The name of a program as `NoteStepCodec.programs` numbers them."""
    return "Drums" if program == DRUM_PROGRAM else PROGRAMS[program]


def _on_nearest_steps(
    notes: NDArray[Any], beside: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Notes as numbers that sort, with the deviation from the nearest step in ticks, and ``beside`` (the velocity).

    The number's bits: nearest step, 4 of part, 7 of pitch, 9 of how much shorter than the longest duration.
    """
    onset = notes["onset"].astype(np.int64)
    step = ticks_to_steps(onset)
    duration = np.clip(ticks_to_steps(notes["duration"]), 1, LONGEST_DURATION)
    key = ((step << 4 | notes["part"]) << 7 | notes["pitch"]) << 9 | (LONGEST_DURATION - duration)
    late = _LATE[onset - step * _STEP_TICKS + _STEP_TICKS // 2]
    beside = notes["velocity"].astype(np.int64) if beside is None else beside
    if np.any(key[1:] < key[:-1]):
        order = np.argsort(key, kind="stable")
        key, late, beside = key[order], late[order], beside[order]
    return key, late, beside


def _first_of_each(key: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the sorted numbers is the first, and longest, of its step, part and pitch."""
    first = np.ones(len(key), bool)
    first[1:] = (key[1:] ^ key[:-1]) >= 512
    return first


def _notated(
    key: NDArray[np.int64], late: NDArray[np.int64], drums: NDArray[np.bool_], bar_lines: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """The step at which each note is notated, or None if all are on their nearest."""
    part = key >> 16 & 15
    performed = by_hand(late, part)
    if not performed.any():
        return None
    onset = (key >> STEP_BIT) * _STEP_TICKS + late
    return notate(onset, part, key >> 9 & 127, drums, bar_lines, performed)


def _slot_order(part: Part, index: int) -> tuple[bool, bool, int, int]:
    return (not part.is_drum, part.program // 8 != 4, part.program, index)


def _with_rests(rows: NDArray[np.int64], waits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Note rows with so many WAIT rows before each as ``waits`` (N,) says, and END."""
    count, total = len(rows), int(waits.sum())
    whole = np.zeros((count + total + 1, len(FIELDS)), np.int64)
    whole[-1, TIME_SHIFT] = END
    if not total:
        whole[:-1] = rows
        return whole
    at = np.arange(count) + np.cumsum(waits)
    whole[:-1, TIME_SHIFT] = WAIT
    whole[at] = rows
    whole[at, TIME_SHIFT] -= waits * WAIT
    return whole


def _merge_two(groups: list[list[int]], parts: tuple[Part, ...], counts: list[int]) -> None:
    """Join the two most alike groups with the fewest notes, in place.

    Of each kind of part only the two quietest groups can be those two, so a file of a thousand parts takes no longer
    than it must.
    """
    notes = [sum(counts[index] for index in group) for group in groups]
    quietest = sorted(range(len(groups)), key=notes.__getitem__)
    for size in (1, 8, 128):  # the same program, the same family of 8, any
        kin: dict[tuple[bool, int], list[int]] = {}
        for group in quietest:
            part = parts[groups[group][0]]
            kin.setdefault((part.is_drum, part.program // size), []).append(group)
        pairs = [(notes[same[0]] + notes[same[1]], *sorted(same[:2])) for same in kin.values() if len(same) > 1]
        if pairs:
            _, one, other = min(pairs)
            groups[one] += groups.pop(other)
            return


def _check_ids(rows: NDArray[np.int64], parts: int) -> None:
    bad = np.argwhere((rows < 0) | (rows >= np.array(SIZES)))
    if len(bad):
        row, column = bad[0]
        raise CodecError(f"row {row}: {FIELDS[column]} {rows[row, column]} is outside 0-{SIZES[column] - 1}")
    bad = np.argwhere((rows[:, TIME_SHIFT] <= LONGEST_SHIFT) & (rows[:, PART] >= parts))
    if len(bad):
        raise CodecError(
            f"row {bad[0, 0]}: part {rows[bad[0, 0], PART]} is outside 0-{parts - 1}, the skeleton's parts"
        )

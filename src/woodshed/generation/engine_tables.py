"""What the compiled player reads and writes: a model's weights laid out for one row, a plan, one song in the making."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import DRUM_PROGRAM, MAX_PARTS, SIZES
from woodshed.codecs.past import LAGS, Past, copy_past, new_past
from woodshed.codecs.study import OPEN
from woodshed.codecs.usual_values import OCCASIONS
from woodshed.compiled import halves
from woodshed.generation.engine_clashes import FIRST
from woodshed.generation.engine_levels import aims_of, new_aim
from woodshed.generation.engine_lines import COLUMNS
from woodshed.generation.engine_lines import FIRST as FIRST_OF_LINE
from woodshed.models.note_sizes import VOTERS, WORTH_UNIT
from woodshed.music.chord_places import PLACES
from woodshed.music.intervals import LATELY
from woodshed.music.texture import LENGTHS

Floats = NDArray[np.float32]
Halves = NDArray[np.uint16]
FIELDS = len(SIZES)
PART, PITCH, VELOCITY = 1, 2, 4
OCCURRENCES = 8
START = 194


class Weights(NamedTuple):
    """A `NoteModel` for one row. D width, H head width, L layers.

    All matrices are read for each note, and do not fit into the fastest memory. So they are kept as they are on disk,
    in half precision (`Halves`): what is not so on disk, of bundles that are older, is rounded to it.
    """

    row_in: tuple[Floats, ...]
    """Tables (ids, D) of shift, pitch or drum, duration, velocity, microtiming."""
    place_in: tuple[Floats, ...]
    """Tables of position, position in the beat, bar number, bar length."""
    part_in: tuple[Floats, ...]
    """Tables of program, occurrence, openness."""
    norms: Floats
    """(L + 1, D) of what goes into each layer, and into the heads."""
    gates: Halves
    """(L D 4 D,) the matrices (4 D, D) of all layers, turned, one behind the other; ``output`` (L D D,) likewise."""
    gate_bias: Floats
    """(L, 4 D)"""
    output: Halves
    head_in: Halves
    """(D 6 H,) likewise."""
    head_bias: Floats
    then: tuple[Floats, ...]
    """Tables of shift, position, position in the beat, bar number (5 H), pitch (3 H), duration (2 H), velocity (H)."""
    part_then: tuple[Floats, ...]
    open_then: Floats
    level_then: Floats
    next_level_then: Floats
    part_key: tuple[Floats, ...]
    expected: Halves
    """(ids of all fields, H) what the pointers expect, and their records; ``expected_at`` says where a field begins."""
    expected_at: NDArray[np.int64]
    record_trust: Floats
    """(6, 15, 16)"""
    vote_worth: Floats
    """(6, 16, 128) nats"""
    says: Halves
    """(H columns of all fields,), turned, field behind field: trust in the pointers, logits; of the pitch also
    intervals and tallies; trust in the votes."""
    says_bias: Floats
    says_at: NDArray[np.int64]
    """(7,) where the columns of each field begin."""

    @property
    def hidden(self) -> int:
        """H"""
        return int(self.expected.shape[1])


def weights_of(tensors: Mapping[str, NDArray[Any]]) -> Weights:
    """The weights in the tensors of a bundle, by the names that `NoteModel` gives them."""
    t = {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}
    layers = len({name.split(".")[1] for name in t if name.startswith("body.")})

    def tables(name: str, count: int) -> tuple[Floats, ...]:
        return tuple(t[f"{name}.{i}.weight"] for i in range(count))

    says, bias = [], []
    for field in range(FIELDS):
        parts = [f"trust.{field}"]
        if field != PART:
            parts.append(f"head_out.{field - (field > PART)}")
        if field == PITCH:
            parts += ["interval", "tally"]
        parts.append(f"vote_trust.{field}")
        says.append(np.concatenate([t[f"{name}.weight"] for name in parts]))
        bias.append(np.concatenate([t[f"{name}.bias"] for name in parts]))
        bias[-1][-VOTERS:] += 1
    expected = tables("expected_then", FIELDS)
    return Weights(
        row_in=tables("row_in", 5),
        place_in=tables("place_in", 4),
        part_in=tables("part_in", 3),
        norms=np.stack([*(t[f"body.{i}.norm.weight"] for i in range(layers)), t["norm.weight"]]),
        gates=halves(np.stack([t[f"body.{i}.gates.weight"].T for i in range(layers)]).ravel()),
        gate_bias=np.stack([t[f"body.{i}.gates.bias"] for i in range(layers)]),
        output=halves(np.stack([t[f"body.{i}.output.weight"].T for i in range(layers)]).ravel()),
        head_in=halves(t["head_in.weight"].T.ravel()),
        head_bias=t["head_in.bias"],
        then=(
            t["shift_then.weight"],
            *tables("place_then", 3),
            *(t[f"{name}_then.weight"] for name in ("pitch", "duration", "velocity")),
        ),
        part_then=tables("part_then", 3),
        open_then=t["open_then.weight"],
        level_then=t["level_then.weight"],
        next_level_then=t["next_level_then.weight"],
        part_key=tables("part_key", 3),
        expected=halves(np.concatenate(expected)),
        expected_at=np.cumsum([0, *(len(table) for table in expected)]),
        record_trust=t["record_trust"],
        vote_worth=WORTH_UNIT * t["vote_worth"],
        says=halves(np.concatenate([part.T.ravel() for part in says])),
        says_bias=np.concatenate(bias),
        says_at=np.cumsum([0, *(len(part) for part in says)]),
    )


class Usual(NamedTuple):
    """What is usual in the learned songs, or asked for, and held to by closed loops; nan where nobody knows."""

    repeats: NDArray[np.float64]
    """(2, 3) the share of notes that stand where each lag expects them, pitched and drums"""
    clashes: NDArray[np.float64]
    """(1,) the share of pitched notes that may begin a semitone from one that sounds"""
    line: NDArray[np.float64]
    """(16, 7) the share of each class of intervals between the notes of a part, and of its favourite pitch"""
    chord: NDArray[np.float64]
    """(16, 4) the share of each place in the chord that sounds among the notes of a part"""
    centres: NDArray[np.float64]
    """(16,) the mean pitch of each part"""
    sounding: NDArray[np.float64]
    """(16,) the share of the time in which it is open that each part shall sound"""
    pace: NDArray[np.float64]
    """(16,) how many notes of each part shall begin in a quarter note in which it is open"""
    lengths: NDArray[np.float64]
    """(16, 6) the share of each kind of length among them"""
    reach: NDArray[np.float64]
    """(16,) how far off their steps the notes of each part lie at most, in units of microtiming"""
    note_values: NDArray[np.float64]
    """(16, 384) the share of each duration among them; what has none is not played, what is nan comes as it comes"""
    velocities: NDArray[np.float64]
    """(16, 8, 32) the share of each velocity among them on each occasion; what has none is not played then"""


class Scene(NamedTuple):
    """A plan as the loop reads it. Steps count from ``first_step``; the arrays by step end where the plan does."""

    drums: NDArray[np.bool_]
    """(16,)"""
    part_in: Floats
    """(16, D)"""
    part_then: Floats
    """(16, 4 H)"""
    part_key: Floats
    """(16, H)"""
    hidden: Floats
    """(6 H,) bias of the heads in this canvas."""
    lines: NDArray[np.int64]
    """(bars + 1,) bar lines, absolute steps"""
    levels: NDArray[np.int64]
    """(bars + 2, 4)"""
    aims: NDArray[np.float64]
    """(bars + 2, 4) the figure that each level aims at, nan for none; ``firmness`` (4,) how firmly"""
    firmness: NDArray[np.float64]
    given: NDArray[np.int64]
    """(G, 7) step, part, pitch, duration, velocity, microtiming, is drum; -1 open"""
    open_parts: NDArray[np.uint16]
    next_open: NDArray[np.int64]
    """(steps + 1,) the next step at which a part is open, itself included; the end where there is none."""
    harmony: NDArray[np.int16]
    playable: NDArray[np.bool_]
    favoured: Floats
    places: NDArray[np.int8]
    """(S, 16, 12) the place of each pitch class in the chord of each state (`music.chord_places`); -1 for none"""
    polyphony: NDArray[np.int64]
    back: NDArray[np.int64]
    """(bars,) steps back to where the music of a bar that returns once stood; 0 for new music, and past the end."""
    usual: Usual
    vote_share: Floats
    """(6,) of each field, what share of their worth votes have in bars that do not return"""
    again: NDArray[np.int64]
    """(16, bars) steps back to the bar of which each part's bar is a copy, see `engine_again`; 0 for what is new"""
    next_again: NDArray[np.int64]
    """(bars,) the next bar in which a part has such a copy, itself included; the number of bars where there is none"""
    numbers: NDArray[np.int64]
    """(4,) number of the first bar as a model counts; parts; first step of the arrays by step; end."""


class Stream(NamedTuple):
    """One song in the making."""

    past: Past
    state: Floats
    """(L, D)"""
    hidden: Floats
    """(6 H,) what is known after the last row."""
    row: NDArray[np.int64]
    """(6,) the last row, START at first."""
    at: NDArray[np.int64]
    """(5,): step of the last row; whether ``hidden`` is that of the last row; rows so far; rows kept; the step to which
    the model would have gone on when a part was called, see `engine_voices`."""
    started: NDArray[np.int64]
    """(16,) notes of each part that start on the last row's step."""
    kept: NDArray[np.int64]
    """(room, 7) step, part, pitch, duration, velocity, microtiming, and 0 for new rows, 1 + which for given ones that
    were open in some field."""
    chance: NDArray[np.uint64]
    """(1,) state of the generator."""
    aim: NDArray[np.float64]
    lines: NDArray[np.int64]
    """What is remembered to hold bars to their levels, see `engine_levels.new_aim`."""
    leans: NDArray[np.float64]
    """(2, 3) what the lags are worth, see `engine_copying`."""
    clashes: NDArray[np.float64]
    """(1,) what pitches that clash lose, see `engine_clashes`."""
    line: NDArray[np.float64]
    """(16, 7) what each class of intervals, and the favourite pitch, has gained in each part, see `engine_lines`."""
    chord: NDArray[np.float64]
    """(16, 4) what each place in the chord has gained in each part, see `engine_chords`."""
    tilts: NDArray[np.float64]
    """(16,) how far the pitches of each part are tilted, see `engine_centres`."""
    lately: NDArray[np.int64]
    """(16, 16) the latest pitches of each such part, -1 where there are fewer."""
    lengths: NDArray[np.float64]
    """(16, 6) what each kind of length has gained in each part, see `engine_lengths`."""
    note_values: NDArray[np.float64]
    """(16, 384) what each duration has gained in each part, see `engine_lengths`."""
    loudness: NDArray[np.float64]
    """(16, 8, 32) what each velocity has gained on each occasion in each part, see `engine_loudness`."""
    held: NDArray[np.int64]
    """(16, 128, 2) the steps at which each pitch of a part began last, and ends."""
    voices: NDArray[np.float64]
    """(4, 16) of each part the step at which its notes have ended, the chance that it is called, the step at which it
    last began, and by how many nats more of its notes are favoured, see `engine_voices`."""
    nats: NDArray[np.float64]
    """(2,) nats of what was drawn, before the filters; how many rows were drawn."""


def new_stream(weights: Weights, room: int, capacity: int, seed: int = 0) -> Stream:
    """An empty song with room for so many new rows, and for so many rows in its memory."""
    layers, width = weights.gate_bias.shape[0], weights.norms.shape[1]
    row = np.zeros(FIELDS, np.int64)
    row[0] = START
    aim, lines = new_aim()
    return Stream(
        past=new_past(capacity),
        state=np.zeros((layers, width), np.float32),
        hidden=np.zeros(len(weights.head_bias), np.float32),
        row=row,
        at=np.zeros(5, np.int64),
        started=np.zeros(MAX_PARTS, np.int64),
        kept=np.zeros((room, 7), np.int64),
        chance=_chance(seed),
        aim=aim,
        lines=lines,
        leans=np.zeros((2, LAGS)),
        clashes=np.full(1, FIRST),
        line=np.tile(FIRST_OF_LINE, (MAX_PARTS, 1)),
        chord=np.zeros((MAX_PARTS, len(PLACES))),
        tilts=np.zeros(MAX_PARTS),
        lately=np.full((MAX_PARTS, LATELY), -1),
        lengths=np.zeros((MAX_PARTS, LENGTHS)),
        note_values=np.zeros((MAX_PARTS, SIZES[3])),
        loudness=np.zeros((MAX_PARTS, OCCASIONS, SIZES[VELOCITY])),
        held=np.zeros((MAX_PARTS, 128, 2), np.int64),
        voices=np.zeros((4, MAX_PARTS)),
        nats=np.zeros(2),
    )


def copy_stream(stream: Stream) -> Stream:
    """Another with the same past, that goes its own way from here."""
    arrays: dict[str, Any] = {name: array.copy() for name, array in stream._asdict().items() if name != "past"}
    return Stream(**{**arrays, "past": copy_past(stream.past)})


def sow(stream: Stream, seed: int) -> None:
    """Let the stream's chance be that of a seed from here on."""
    stream.chance[:] = _chance(seed)


def _chance(seed: int) -> NDArray[np.uint64]:
    return np.array([seed % (1 << 62) * 2 + 1], np.uint64)


def usual_of(
    repeats: NDArray[np.float64] | None = None,
    clashes: float = np.nan,
    line: NDArray[np.float64] | None = None,
    centres: NDArray[np.float64] | None = None,
    sounding: NDArray[np.float64] | None = None,
    pace: NDArray[np.float64] | None = None,
    lengths: NDArray[np.float64] | None = None,
    reach: NDArray[np.float64] | None = None,
    chord: NDArray[np.float64] | None = None,
    velocities: NDArray[np.float64] | None = None,
    note_values: NDArray[np.float64] | None = None,
) -> Usual:
    """What is known; nan for the rest."""

    def known(table: NDArray[np.float64] | None, *shape: int) -> NDArray[np.float64]:
        return np.full(shape, np.nan) if table is None else table

    return Usual(
        repeats=known(repeats, 2, LAGS),
        clashes=np.array([clashes]),
        line=known(line, MAX_PARTS, COLUMNS),
        chord=known(chord, MAX_PARTS, len(PLACES)),
        centres=known(centres, MAX_PARTS),
        sounding=known(sounding, MAX_PARTS),
        pace=known(pace, MAX_PARTS),
        lengths=known(lengths, MAX_PARTS, LENGTHS),
        reach=known(reach, MAX_PARTS),
        note_values=known(note_values, MAX_PARTS, SIZES[3]),
        velocities=known(velocities, MAX_PARTS, OCCASIONS, SIZES[VELOCITY]),
    )


def scene_of(
    weights: Weights,
    programs: NDArray[np.int64],
    openness: NDArray[np.int64],
    lines: NDArray[np.int64],
    levels: NDArray[np.int8],
    firmness: NDArray[np.float64],
    first_bar: int,
    parts: int,
    given: NDArray[np.int64],
    open_parts: NDArray[np.uint16],
    harmony: NDArray[np.int16],
    playable: NDArray[np.bool_],
    favoured: Floats,
    places: NDArray[np.int8],
    polyphony: NDArray[np.int64],
    end: int,
    first_step: int = 0,
    back: NDArray[np.int64] | None = None,
    vote_share: Floats | None = None,
    again: NDArray[np.int64] | None = None,
    usual: Usual | None = None,
) -> Scene:
    """Lay a plan out for the loop. Where a part's bar is ``again`` an earlier one, it is not open."""
    copies = np.zeros((MAX_PARTS, 0), np.int64) if again is None else again.astype(np.int64)
    copying = np.append(np.where((copies > 0).any(0), np.arange(copies.shape[1]), copies.shape[1]), copies.shape[1])
    next_again = np.minimum.accumulate(copying[::-1])[::-1][:-1]
    if len(next_again):
        closed = ((copies > 0).astype(np.uint16) << np.arange(MAX_PARTS, dtype=np.uint16)[:, None]).sum(0, np.uint16)
        open_parts = open_parts & ~np.repeat(closed, np.diff(lines))[: len(open_parts)]
    columns = programs[:, 0], np.minimum(programs[:, 1], OCCURRENCES - 1), openness

    def whole(tables: tuple[Floats, ...]) -> Floats:
        summed: Floats = np.sum([table[ids] for table, ids in zip(tables, columns, strict=True)], axis=0)
        return summed

    is_open = openness == OPEN
    hidden = weights.head_bias.copy()
    if is_open.any():
        hidden = hidden + weights.open_then[programs[is_open, 0]].mean(0)
    drums = programs[:, 0] == DRUM_PROGRAM
    known = np.concatenate((given, drums[given[:, 1]][:, None]), axis=1) if len(given) else np.zeros((0, 7), np.int64)
    steps = np.arange(len(open_parts) + 1)
    steps[:-1][open_parts == 0] = len(open_parts)
    next_open = np.minimum.accumulate(steps[::-1])[::-1] + first_step
    padded = np.concatenate((levels.astype(np.int64), np.full((2, levels.shape[1]), -1, np.int64)))
    return Scene(
        drums,
        whole(weights.part_in),
        whole(weights.part_then),
        whole(weights.part_key),
        hidden,
        lines.astype(np.int64),
        padded,
        aims_of(padded),
        firmness,
        np.ascontiguousarray(known, np.int64),
        open_parts,
        next_open,
        harmony,
        playable,
        favoured.astype(np.float32),
        places,
        polyphony.astype(np.int64),
        np.zeros(0, np.int64) if back is None else back.astype(np.int64),
        usual or usual_of(),
        np.ones(FIELDS, np.float32) if vote_share is None else vote_share,
        copies,
        np.ascontiguousarray(next_again),
        np.array([first_bar, parts, first_step, end]),
    )

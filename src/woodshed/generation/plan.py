"""A canvas as integers on steps, ready for a compiled player; what cannot be played is found and named here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, note_codec
from woodshed.codecs import SIZES, NoteStepCodec
from woodshed.codecs.levels import CONTROLS
from woodshed.codecs.note_step import LONGEST_DURATION, MAX_PARTS, MICROTIMING, MICROTIMING_STEP, VELOCITY_STEP
from woodshed.codecs.usual_values import OCCASIONS
from woodshed.errors import InfeasibleCanvas, LimitExceeded, OutOfRange
from woodshed.generation.bars_again import bars_before, steps_again, steps_back
from woodshed.generation.canvas import DURATION, PITCH, TIMING, VELOCITY, Canvas
from woodshed.generation.casting import as_known, clashes_of, repeats_of, usual_texture
from woodshed.generation.constraints import LEANING, asked_levels
from woodshed.generation.engine_lines import COLUMNS
from woodshed.generation.harmony import (
    PITCHES,
    Harmony,
    favoured_tones,
    harmony_of,
    places_of,
    playable_pitches,
    why_silent,
)
from woodshed.generation.open_steps import STEP_TICKS, bars_text, open_steps
from woodshed.generation.slots import slots_of
from woodshed.generation.stroke_places import on_strokes
from woodshed.music import Song, part_name
from woodshed.music.chord_places import PLACES
from woodshed.music.texture import LENGTHS
from woodshed.music.units import STEPS_PER_QUARTER, ticks_to_steps
from woodshed.words import counted

MOST_STEPS = 1 << 22
"""Two days of music at 120 quarter notes per minute."""
OPEN = -1
"""What stands in `Plan.given` where a field is open."""
LENGTH, LOUDNESS = 3, 4
"""Fields of a row: duration, velocity."""
STEP, SLOT = 0, 1
"""The first two columns of `Plan.given`; the rest are those of the codec's rows."""

PLAYED = np.array([1.25, 0.5, 0.5, 0.6, 1, 1], np.float32)
"""Of what votes are worth by real music a player, whose votes are its own, goes by so much in each field. With all
of it who plays what and for how long runs into loops and drones; the touch needs all of it, the beat some more."""
TOUCH = 0.6, 0.1
"""Of velocity and microtiming, where only these are open: with all of it a few equal notes at first made all equal, and
programmed music stayed as stiff as it was; with none each part went its own way."""
SLIGHT = 8
"""Ticks by which new notes may always lie off their steps, also where those of a part never do: what no ear minds."""
OFF_BEAT = 0.7
"""Of the time shift, where it is asked how far off the beat bars are."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A canvas as a player of note rows needs it. Steps are absolute, 12 to the quarter note.

    Shapes: G given notes, S harmony states. A slot is a part as the model sees it.
    """

    owners: list[int]
    """For each slot, the song's part whose new notes it plays (of parts that play together, the first)."""
    programs: NDArray[np.int64]
    """(16, 2) as `NoteStepCodec.programs`, each program the nearest that the bundle knows."""
    bar_lines: NDArray[np.int64]
    """(bars + 1,)"""
    first_bar: int
    """The number, as a model counts, of the first bar."""
    begin: int
    """The first step at which anything is open."""
    end: int
    """The first step past the song."""
    given: NDArray[np.int64]
    """(G, 6) step, slot, pitch, duration id, velocity id, microtiming id of the song's notes; `OPEN` where a field is.
    Ascending in step, slot and pitch (an open one counts as what it was), one for each of these as in the codec."""
    source: NDArray[np.int64]
    """(G,) which of the song's notes each is."""
    row: NDArray[np.int64]
    """(notes,) the given note of each of the song's notes: itself, or one that the codec cannot tell from it; -1 for
    none, in a part without a slot."""
    open_parts: NDArray[np.uint16]
    """(end,) bit p: a new note of slot p may start at this step."""
    harmony: NDArray[np.int16]
    """(end,) the harmony state in force at each step."""
    playable: NDArray[np.bool_]
    """(S, 16, 128) which pitches new and pitch-open notes of a slot may take in each harmony state."""
    favoured: NDArray[np.float32]
    """(S, 12) log-odds added to the pitch classes of pitched slots."""
    places: NDArray[np.int8]
    """(S, 16, 12) the place of each pitch class in the chord of each state (`music.chord_places`); -1 for none."""
    polyphony: NDArray[np.int64]
    """(16,) most notes of a slot that may sound at once; 128 is free."""
    back: NDArray[np.int64]
    """(bars,) steps from each bar whose music returns back to where it stood; 0 for new music."""
    again: NDArray[np.int64]
    """(16, bars) steps back from each bar of a slot to the bar that it plays again; 0 for what is new."""
    loops: NDArray[np.int64]
    """(16, bars) the same, if each bar played again the one before wherever it may."""
    repeats: NDArray[np.float64]
    """(2, 3) the share of notes that stand where they stood 1, 2 and 4 bars before, pitched, drums; nan: anything."""
    clashes: float
    """The share of pitched notes that may begin a semitone from one that sounds; nan: any."""
    line: NDArray[np.float64]
    """(16, 7) the share of each class of intervals between the notes of a slot, of its favourite pitch; nan: any."""
    chord: NDArray[np.float64]
    """(16, 4) the share of each place in the chord that sounds among the notes of a slot; nan: any."""
    centres: NDArray[np.float64]
    """(16,) the mean pitch of each slot's notes; nan: any."""
    vote_share: NDArray[np.float32]
    """(6,) of each field, what share of their worth votes have in bars that do not return."""
    sounding: NDArray[np.float64]
    """(16,) the share of the time in which a slot is open that it shall sound; nan: as it comes."""
    pace: NDArray[np.float64]
    """(16,) how many notes of a slot shall begin in a quarter note in which it is open; nan: as it comes."""
    reach: NDArray[np.float64]
    """(16,) how far off their steps new notes of a slot may lie, in units of microtiming; nan: as far as any."""
    note_values: NDArray[np.float64]
    """(16, 384) the share of each duration, as ids, among new notes of a slot; none has one of 0; nan: as it comes."""
    velocities: NDArray[np.float64]
    """(16, 8, 32) the share of each velocity, as ids, among them on each of `OCCASIONS`; nan: as it comes."""
    lengths: NDArray[np.float64]
    """(16, 6) the share of each kind of length among them (`music.texture`); nan: as it comes."""
    levels: NDArray[np.int8]
    """(bars, 4) the level asked of each bar, in the order of `codecs.levels.CONTROLS`; -1 as it comes."""
    firmness: NDArray[np.float64]
    """(4,) how firmly bars are held to the levels of each control: 1, or less for a leaning."""


def make_plan(bundle: Bundle, canvas: Canvas) -> Plan:
    """Compile a canvas for a bundle's player.

    Raises:
        InfeasibleCanvas: where nothing is open or constraints contradict each other, naming part, bars and remedy.
        OutOfRange, UnknownName: for a constraint that is none.
        LimitExceeded: for a song of more than `MOST_STEPS` steps.
    """
    codec = note_codec(bundle)
    song, constraints = canvas.song, canvas.constraints
    if song.length > MOST_STEPS * STEP_TICKS:
        raise LimitExceeded(
            f"{song.title or 'the song'} lasts {song.length // (STEP_TICKS * STEPS_PER_QUARTER)} quarter notes, "
            f"more than {MOST_STEPS // STEPS_PER_QUARTER}; cut it"
        )
    _check_owners(canvas)
    groups = slots_of(canvas)
    owners = [group[0] for group in groups]
    slot_of = np.full(max(len(song.parts), 1), -1)
    for slot, group in enumerate(groups):
        slot_of[group] = slot
    lines = codec.bar_lines(song)
    end = int(lines[-1])
    given, source, row, fields = _given(codec, canvas, slot_of, lines)
    polyphony = np.full(MAX_PARTS, PITCHES)
    for slot, owner in enumerate(owners):
        polyphony[slot] = _polyphony(canvas, owner)
    asked = constraints.levels.keys() - constraints.leanings
    long, loud = np.full((MAX_PARTS, SIZES[LENGTH]), np.nan), np.full((MAX_PARTS, OCCASIONS, SIZES[LOUDNESS]), np.nan)
    sounding, pace, centres, reach = np.full((4, MAX_PARTS), np.nan)
    line, lengths, chord = (np.full((MAX_PARTS, size), np.nan) for size in (COLUMNS, LENGTHS, len(PLACES)))
    for slot, owner in enumerate(owners):
        for column, figures in ((sounding, canvas.sounding), (pace, canvas.pace)):
            column[slot] = figures.get(owner, np.nan)
        if owner in canvas.note_values and "density" not in asked:
            long[slot] = 0
            long[slot, np.array(list(canvas.note_values[owner])) - 1] = list(canvas.note_values[owner].values())
        if owner in canvas.velocities and "velocity" not in asked:
            loud[slot] = 0
            for occasion, levels in enumerate(canvas.velocities[owner]):
                loud[slot, occasion, list(levels)] = list(levels.values())
        if owner in canvas.reaches:
            reach[slot] = max(canvas.reaches[owner], SLIGHT) // MICROTIMING_STEP
        low, high = constraints.pitch_ranges.get(owner, (0, PITCHES - 1))
        if low <= canvas.centres.get(owner, np.nan) <= high:
            centres[slot] = canvas.centres[owner]
        for table, shares in ((line, canvas.line), (lengths, canvas.lengths)):
            table[slot] = shares.get(owner, np.nan)
    usual_places = usual_texture(bundle.style, [song.parts[owner] for owner in owners], "chord")
    for slot, (owner, shares) in enumerate(zip(owners, usual_places, strict=True)):
        if shares is not None and owner not in canvas.line:
            chord[slot] = shares
    if "density" in asked:
        pace[:] = np.nan
    if "register" in asked:
        centres[:] = np.nan
    notated = np.append(given[:, STEP], 0)[row]
    steps = open_steps(canvas, slot_of, lines, polyphony, notated)
    harmony = harmony_of(constraints.chords, end)
    drum_pitches = [int(pitch) for pitch in bundle.style.get("drum_pitches", [])]
    pitched = steps.copy()
    pitched[given[(fields & PITCH) > 0, SLOT], given[(fields & PITCH) > 0, STEP]] = True
    players = {int(slot): (owners[slot], song.parts[owners[slot]]) for slot in np.flatnonzero(pitched.any(1))}
    playable = playable_pitches(harmony, constraints, players, drum_pitches)
    _check_heard(canvas, owners, lines, pitched, harmony, playable, drum_pitches)
    _check_given(canvas, owners, lines, given, fields, harmony, playable, polyphony)
    again = steps_again(canvas, canvas.again, owners, lines, steps, harmony)
    loops = steps_again(canvas, bars_before(canvas), owners, lines, steps, harmony)
    favoured, places = favoured_tones(harmony, constraints), places_of(harmony, [song.parts[owner] for owner in owners])
    state = harmony.state
    if canvas.strokes and constraints.grid is None and not asked & {"density", "syncopation"}:
        drums = [slot for slot, owner in enumerate(owners) if song.parts[owner].is_drum]
        state, of, playable, steps = on_strokes(state, playable, steps, drums, canvas.strokes, lines)
        favoured, places = favoured[of], places[of]
    first = [int(found[0]) for found in (np.flatnonzero(steps.any(0)), given[fields > 0, STEP]) if len(found)]
    if not first:
        raise InfeasibleCanvas("nothing is open; open bars of a part, or fields of notes")
    return Plan(
        owners=owners,
        programs=codec.programs(Song(parts=tuple(as_known(song.parts[owner], bundle) for owner in owners))),
        bar_lines=lines,
        first_bar=canvas.first_bar,
        begin=min(first),
        end=end,
        given=given,
        source=source,
        row=row,
        open_parts=(steps.astype(np.uint16) << np.arange(MAX_PARTS, dtype=np.uint16)[:, None]).sum(0, dtype=np.uint16),
        harmony=state,
        playable=playable,
        favoured=favoured,
        places=places,
        polyphony=polyphony,
        back=steps_back(canvas.returns, lines),
        again=again,
        loops=loops,
        repeats=repeats_of(bundle.style) if canvas.repeats is None else canvas.repeats,
        clashes=clashes_of(bundle.style),
        line=line,
        chord=chord,
        centres=centres,
        vote_share=_vote_share(bundle, asked, touch_alone=not canvas.spans),
        sounding=sounding,
        pace=pace,
        reach=reach,
        lengths=lengths,
        note_values=long,
        velocities=loud,
        levels=asked_levels(constraints.levels, len(lines) - 1),
        firmness=np.array([LEANING if control in constraints.leanings else 1.0 for control in CONTROLS]),
    )


def _vote_share(bundle: Bundle, asked: Collection[str], touch_alone: bool) -> NDArray[np.float32]:
    """All of it where a bundle tells nothing of songs; less of the time shift's where it is asked how far off the beat
    bars are, as these votes hold to what was, and of the touch's where nothing else is open."""
    if not bundle.style.get("arrangements"):
        return np.ones_like(PLAYED)
    shares = np.where((np.arange(len(PLAYED)) == 0) & ("syncopation" in asked), OFF_BEAT, PLAYED).astype(np.float32)
    if touch_alone:
        shares[-2:] = TOUCH
    return shares


def _given(
    codec: NoteStepCodec, canvas: Canvas, slot_of: NDArray[np.int64], lines: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """`Plan.given`, `Plan.source`, `Plan.row`, and (G,) which fields of each are open.

    Of notes with the same step, slot and pitch an open one is taken, else the longest. What the codec puts at the
    song's end is taken a step before.
    """
    song, fields = canvas.song, canvas.fields
    seen = np.flatnonzero(slot_of[song.notes["part"]] >= 0)
    notes, fields = song.notes[seen], fields[seen]
    drums = np.zeros(MAX_PARTS, bool)
    drums[[slot for slot, part in zip(slot_of, song.parts, strict=False) if slot >= 0 and part.is_drum]] = True
    notes["part"] = slot_of[notes["part"]]
    step, microtiming = codec.steps(notes, drums, lines)
    last = int(lines[-1]) - 1
    over = np.maximum(step - last, 0) * STEP_TICKS // MICROTIMING_STEP
    rows = np.stack(
        (
            np.minimum(step, last),
            notes["part"].astype(np.int64),
            notes["pitch"].astype(np.int64),
            np.clip(ticks_to_steps(notes["duration"]), 1, LONGEST_DURATION) - 1,
            (notes["velocity"].astype(np.int64) - 1) // VELOCITY_STEP,
            np.minimum(microtiming + over, SIZES[MICROTIMING] - 1),
        ),
        axis=1,
    )
    key = (rows[:, STEP] * MAX_PARTS + rows[:, SLOT]) * PITCHES + rows[:, 2]
    order = np.lexsort((-rows[:, 3], fields == 0, key))
    first = np.diff(key[order], prepend=-1) > 0
    row = np.full(len(song), -1)
    row[seen[order]] = np.cumsum(first) - 1
    order = order[first]
    rows, fields = rows[order], fields[order]
    for column, bit in ((2, PITCH), (3, DURATION), (4, VELOCITY), (5, TIMING)):
        rows[(fields & bit) > 0, column] = OPEN
    return rows, seen[order], row, fields


def _check_owners(canvas: Canvas) -> None:
    """Raise if a constraint is on a part that the song has not."""
    wishes = canvas.constraints
    for name, of_parts in (
        ("range", wishes.pitch_ranges),
        ("polyphony", wishes.polyphony),
        ("pitches", wishes.pitches),
    ):
        for part in of_parts:
            if not 0 <= part < len(canvas.song.parts):
                raise OutOfRange(f"{name} of part {part}: the song's parts are 0-{len(canvas.song.parts) - 1}")


def _polyphony(canvas: Canvas, owner: int) -> int:
    most = canvas.constraints.polyphony.get(owner, PITCHES)
    if not 1 <= most <= PITCHES:
        raise OutOfRange(f"{part_name(canvas.song.parts[owner])}: polyphony {most} is outside 1-{PITCHES}")
    return most


def _check_heard(
    canvas: Canvas,
    owners: list[int],
    lines: NDArray[np.int64],
    pitched: NDArray[np.bool_],
    harmony: Harmony,
    playable: NDArray[np.bool_],
    drum_pitches: list[int],
) -> None:
    """Raise if a slot has no pitch to play at a step of ``pitched`` (16, end), where it must be able to."""
    for slot, owner in enumerate(owners):
        places = np.flatnonzero(pitched[slot])
        silent = places[~playable[harmony.state[places], slot].any(1)]
        if len(silent):
            state = int(harmony.state[silent[0]])
            bars = bars_text(lines, silent[harmony.state[silent] == state])
            part = canvas.song.parts[owner]
            raise why_silent(part, owner, state, harmony, canvas.constraints, drum_pitches, bars)


def _check_given(
    canvas: Canvas,
    owners: list[int],
    lines: NDArray[np.int64],
    given: NDArray[np.int64],
    fields: NDArray[np.uint8],
    harmony: Harmony,
    playable: NDArray[np.bool_],
    polyphony: NDArray[np.int64],
) -> None:
    """Raise if open notes that start together have too few pitches to choose from, or are more than may sound."""
    if not (fields & (PITCH | DURATION)).any():
        return
    chord, of_note = np.unique(given[:, STEP] * MAX_PARTS + given[:, SLOT], return_inverse=True)
    step, slot = chord // MAX_PARTS, chord % MAX_PARTS
    state = harmony.state[step]
    fixed = np.flatnonzero((fields & PITCH) == 0)
    taken = playable[state[of_note[fixed]], given[fixed, SLOT], given[fixed, 2]]
    asked = np.bincount(of_note[(fields & PITCH) > 0], minlength=len(chord))
    room = playable[state, slot].sum(1) - np.bincount(of_note[fixed], taken, len(chord)).astype(np.int64)
    together = np.bincount(of_note)
    long = np.bincount(of_note[(fields & DURATION) > 0], minlength=len(chord)) > 0
    short, crowded = (asked > 0) & (asked > room), long & (together > polyphony[slot])
    if not (short | crowded).any():
        return
    at = int(np.flatnonzero(short | crowded)[0])
    where = f"{part_name(canvas.song.parts[owners[slot[at]]])}, {bars_text(lines, step[at : at + 1])}"
    if short[at]:
        raise InfeasibleCanvas(
            f"{where}: {counted(int(room[at]), 'pitch', 'pitches')} left for {counted(int(asked[at]), 'open note')} "
            "on one step; allow more"
        )
    raise InfeasibleCanvas(
        f"{where}: {counted(int(together[at]), 'note')} on one step, more than its polyphony of {polyphony[slot[at]]}; "
        "raise it"
    )

"""From what was played back to a song: fixed notes bit for bit, open fields replaced, new notes within their limits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.note_step import MICROTIMING_STEP, ON_THE_GRID, VELOCITY_STEP
from woodshed.errors import CodecError
from woodshed.generation.canvas import DURATION, PITCH, TIMING, VELOCITY, Canvas
from woodshed.generation.open_steps import STEP_TICKS
from woodshed.generation.plan import OPEN, SLOT, STEP, Plan
from woodshed.music import NO_CHORD, NOTE, Song
from woodshed.music.chord_sheet import chord_tones, chords_at


def finish(canvas: Canvas, plan: Plan, rows: NDArray[np.int64], filled: NDArray[np.int64]) -> Song:
    """The answer to a canvas.

    ``rows`` (N, 6) are the new notes and ``filled`` (G, 6) `Plan.given` with every open field replaced, both as step,
    slot, pitch, duration, velocity and microtiming. Fixed notes and fields come back bit for bit. New notes are put
    within their openings and the song's end, cut where the polyphony or the next note of their pitch asks for it, and
    left out where fixed notes leave no room for one. Notes whose length was open are cut too.

    Raises:
        CodecError: for rows that are not of this plan.
    """
    _check(plan, rows, filled)
    song = canvas.song
    old = _replaced(canvas, plan, filled)
    new = _new_notes(canvas, plan, rows)
    may_be_cut = (canvas.fields & DURATION) > 0
    heard = [old[~may_be_cut]]
    for part in np.union1d(new["part"], old["part"][may_be_cut]):
        most = canvas.constraints.polyphony.get(int(part), len(old) + len(new))
        mine = old["part"] == part
        added = with_room(new[new["part"] == part], old[mine & ~may_be_cut], old[mine & may_be_cut], most)
        if canvas.constraints.strict_chords and not song.parts[part].is_drum:
            added["duration"] = _within_chords(canvas, added)
        heard.append(added)
    return song.with_notes(np.concatenate(heard))


def _within_chords(canvas: Canvas, notes: NDArray[Any]) -> NDArray[np.int64]:
    """(notes,) durations: none sounds on into a chord that is asked for and has not its pitch."""
    chords, onset = canvas.constraints.chords, notes["onset"].astype(np.int64)
    duration: NDArray[np.int64] = notes["duration"].astype(np.int64)
    if not len(chords):
        return duration
    tones = chord_tones(chords)
    with_bass = np.flatnonzero(chords["bass"] != NO_CHORD)
    tones[with_bass, chords["bass"][with_bass]] = True
    tones |= (chords["root"] == NO_CHORD)[:, None]
    row = chords_at(chords, onset + STEP_TICKS // 2)
    for index, start in enumerate(chords["onset"].tolist()):
        foreign = (row < index) & (onset + duration > start) & ~tones[index, notes["pitch"] % 12]
        duration = np.where(foreign, np.maximum(start - onset, 1), duration)
    return duration


def _check(plan: Plan, rows: NDArray[np.int64], filled: NDArray[np.int64]) -> None:
    if filled.shape != plan.given.shape or rows.ndim != 2 or rows.shape[1] != plan.given.shape[1]:
        raise CodecError(f"rows {rows.shape} and filled {filled.shape} are not (N, 6) and {plan.given.shape}")
    wrong = np.flatnonzero((np.where(plan.given == OPEN, filled < 0, filled != plan.given)).any(1))
    if len(wrong):
        raise CodecError(f"given note {plan.given[wrong[0]].tolist()} cannot become {filled[wrong[0]].tolist()}")
    shut = np.flatnonzero((plan.open_parts[rows[:, STEP]] >> rows[:, SLOT].astype(np.uint16)) & 1 == 0)
    if len(shut):
        raise CodecError(f"new note {shut[0]}: slot {rows[shut[0], SLOT]} is not open at step {rows[shut[0], STEP]}")
    chosen = np.concatenate((rows, filled[plan.given[:, 2] == OPEN]))
    barred = np.flatnonzero(~plan.playable[plan.harmony[chosen[:, STEP]], chosen[:, SLOT], chosen[:, 2]])
    if len(barred):
        raise CodecError(f"note {chosen[barred[0]].tolist()}: its pitch is not allowed there")
    whole = np.concatenate((rows, filled))[:, :3]
    same = np.unique(whole, axis=0, return_counts=True)
    if (same[1] > 1).any():
        raise CodecError(f"step, slot and pitch {same[0][same[1] > 1][0].tolist()} are there twice")


def _replaced(canvas: Canvas, plan: Plan, filled: NDArray[np.int64]) -> NDArray[Any]:
    """The song's notes with open fields filled in.

    Notes that the codec cannot tell apart (the same step, part and pitch) share what was filled in, and keep their
    distance in time.
    """
    song, fields = canvas.song, canvas.fields
    notes = song.notes.copy()
    if not fields.any():
        return notes
    row = plan.row
    onset = song.notes["onset"].astype(np.int64)
    shift = np.zeros(len(song), np.int64)
    for column, bit in ((2, PITCH), (3, DURATION), (4, VELOCITY), (5, TIMING)):
        mine = np.flatnonzero(((fields & bit) > 0) & (row >= 0))
        value = filled[row[mine], column]
        if bit == PITCH:
            notes["pitch"][mine] = value
        elif bit == DURATION:
            notes["duration"][mine] = (value + 1) * STEP_TICKS
        elif bit == VELOCITY:
            notes["velocity"][mine] = value * VELOCITY_STEP + 2
        else:
            leader = onset[plan.source[row[mine]]]
            shift[mine] = filled[row[mine], STEP] * STEP_TICKS + _lateness(canvas, value) - leader
    timed = (fields & TIMING) > 0
    latest = np.maximum(song.length - np.where((fields & DURATION) > 0, 1, notes["duration"].astype(np.int64)), 0)
    notes["onset"][timed] = np.clip(onset + shift, 0, np.minimum(latest, song.length - 1))[timed]
    long = (fields & DURATION) > 0
    notes["duration"][long] = np.minimum(notes["duration"], np.maximum(song.length - notes["onset"], 1))[long]
    return notes


def _new_notes(canvas: Canvas, plan: Plan, rows: NDArray[np.int64]) -> NDArray[Any]:
    """New rows as notes, each within the opening in which its step lies."""
    notes = np.empty(len(rows), NOTE)
    notes["part"] = np.array(plan.owners, np.int16)[rows[:, SLOT]]
    notes["pitch"] = rows[:, 2]
    notes["velocity"] = rows[:, 4] * VELOCITY_STEP + 2
    at = rows[:, STEP] * STEP_TICKS
    onset = at + _lateness(canvas, rows[:, 5])
    begin, end = _bounds(canvas, notes["part"].astype(np.int64), at)
    onset = np.clip(onset, begin, end - 1)
    notes["onset"] = onset
    notes["duration"] = np.minimum((rows[:, 3] + 1) * STEP_TICKS, canvas.song.length - onset)
    return notes


def _lateness(canvas: Canvas, microtiming: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ticks after their steps at which notes start.

    Where a grid is asked for, none; where chords are, notes stay nearest to their steps: whoever rounds finds what was
    asked for.
    """
    late = (microtiming - ON_THE_GRID) * MICROTIMING_STEP
    if canvas.constraints.grid is not None:
        late = np.zeros_like(late)
    elif canvas.constraints.asks_chords:
        late = np.clip(late, -(STEP_TICKS // 2), STEP_TICKS // 2 - 1)
    return late


def _bounds(
    canvas: Canvas, parts: NDArray[np.int64], ticks: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First tick, and the one past the last, of the opening of each part in which each step's tick lies.

    Where a bar line lies between two steps, the nearest opening.
    """
    spans = np.array([(opening.part, opening.begin, opening.end) for opening in canvas.spans], np.int64).reshape(-1, 3)
    spans = spans[np.lexsort((spans[:, 1], spans[:, 0]))]
    merged: list[list[int]] = []
    for part, begin, end in spans.tolist():
        if merged and merged[-1][0] == part and begin <= merged[-1][2]:
            merged[-1][2] = max(merged[-1][2], end)
        else:
            merged.append([part, begin, end])
    table = np.array(merged, np.int64).reshape(-1, 3)
    if not len(table):
        return ticks, ticks + 1
    size = canvas.song.length + STEP_TICKS + 1
    found = np.searchsorted(table[:, 0] * size + table[:, 1], parts * size + ticks + STEP_TICKS // 2, side="right") - 1
    found = np.maximum(found, 0)
    return table[found, 1], table[found, 2]


def with_room(new: NDArray[Any], fixed: NDArray[Any], elastic: NDArray[Any], most: int) -> NDArray[Any]:
    """New notes of one part, cut or left out so that with the others at most ``most`` sound at once.

    ``fixed`` notes of the part stay as they are; ``elastic`` ones stay too but may be cut, and are returned among the
    new. No new note starts while a fixed one of its pitch sounds, or with another of its pitch: a MIDI file could not
    tell them apart.
    """
    new = new[np.unique(_place(new), return_index=True)[1]]
    struck = elastic.copy()
    struck["duration"] = 1
    new = new[~_doubled(new, np.concatenate((fixed, struck)))]
    begun = _ringing(struck, new["onset"])
    started = np.arange(len(new)) - np.searchsorted(new["onset"], new["onset"])
    new = new[started + begun < most - _ringing(fixed, new["onset"])]
    return shorten(np.concatenate((elastic, new)), most, fixed)


def _place(notes: NDArray[Any]) -> NDArray[np.int64]:
    """(N,) numbers that ascend in onset and pitch."""
    place: NDArray[np.int64] = notes["onset"].astype(np.int64) << 7 | notes["pitch"]
    return place


def _ringing(notes: NDArray[Any], ticks: NDArray[np.int64]) -> NDArray[np.int64]:
    """(T,) how many of the notes sound at each tick."""
    onset = notes["onset"].astype(np.int64)
    begun = np.searchsorted(np.sort(onset), ticks, side="right")
    over = np.searchsorted(np.sort(onset + notes["duration"]), ticks, side="right")
    return (begun - over).astype(np.int64)


def _doubled(new: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Which new notes start while one of the others, of their pitch, sounds."""
    doubled = np.zeros(len(new), bool)
    if not len(others):
        return doubled
    for pitch in np.intersect1d(new["pitch"], others["pitch"]):
        mine = new["pitch"] == pitch
        doubled[mine] = _ringing(others[others["pitch"] == pitch], new["onset"][mine]) > 0
    return doubled


def shorten(notes: NDArray[Any], polyphony: int, fixed: NDArray[Any] | None = None) -> NDArray[Any]:
    """Cut notes of one part so that at most ``polyphony`` sound at once, the oldest first, and none overlaps the next
    of its pitch; returns them in order of onset and pitch.

    ``fixed`` notes of the part count but are not cut. No more notes may start together than there is room for.
    """
    notes = notes[np.lexsort((notes["velocity"], notes["duration"], _place(notes)))]
    fixed = notes[:0] if fixed is None else fixed
    onset = notes["onset"].astype(np.int64)
    end = onset + notes["duration"]
    # Whenever a note starts, own or fixed, all but the latest few of those before it must have ended.
    moments = np.unique(np.concatenate((onset, fixed["onset"].astype(np.int64))))
    begun = np.searchsorted(onset, moments, side="right")
    over = np.maximum.accumulate(begun - 1 - (polyphony - _ringing(fixed, moments)))
    ender = np.searchsorted(over, np.arange(len(notes)))
    cut = ender < len(moments)
    end[cut] = np.minimum(end[cut], moments[ender[cut]])
    starts = np.append(onset, fixed["onset"])
    pitches = np.append(notes["pitch"], fixed["pitch"])
    order = np.lexsort((starts, pitches))
    same = np.diff(pitches[order]) == 0
    earlier, later = order[:-1][same], order[1:][same]
    own = earlier < len(notes)
    end[earlier[own]] = np.minimum(end[earlier[own]], starts[later[own]])
    shorter: NDArray[Any] = notes.copy()
    shorter["duration"] = np.maximum(end - onset, 1)
    return shorter

"""From the raw events of a MIDI file's tracks to a `Song`, without a loop over notes.

Rows are events of all tracks in file order. ``group`` = track x 16 + channel throughout: a channel's program and
controllers are its own on each track, unless a track without any takes over what another track set up for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import LimitExceeded
from woodshed.formats.midi_events import (
    CONTROL_CHANGE,
    NOTE_OFF,
    NOTE_ON,
    PITCH_BEND,
    POLY_TOUCH,
    PROGRAM_CHANGE,
    TOUCH,
    Events,
)
from woodshed.formats.midi_limits import MidiLimits
from woodshed.formats.midi_repairs import Ledger
from woodshed.music import Part
from woodshed.music.general_midi import DRUM_CHANNEL

USUAL_RELEASE = 64
"""The release velocity of instruments that do not sense it, besides 0."""
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Columns = dict[str, Ints]
BEND_NUMBER = 128
"""Stands for pitch bend among controller numbers while both are handed to parts."""


@dataclass(frozen=True)
class Rows:
    """Channel events, sorted by group, file order within."""

    group: Ints
    tick: Ints
    kind: Ints
    first: Ints
    second: Ints

    def take(self, which: Any) -> Rows:
        """Some of the rows."""
        return Rows(*(getattr(self, name)[which] for name in ("group", "tick", "kind", "first", "second")))


@dataclass(frozen=True)
class Playing:
    """What the channel events amount to, in file ticks."""

    notes: Columns
    """``part``, ``onset``, ``end``, ``pitch``, ``velocity``, (N,) each."""
    controls: Columns
    """``part``, ``onset``, ``number``, ``value``."""
    bends: Columns
    """``part``, ``onset``, ``value``."""
    parts: list[tuple[int, int, int]]
    """(track, channel, program) of each part."""

    @property
    def last(self) -> int:
        """The last tick at which anything is said."""
        return max(int(ticks.max(initial=0)) for ticks in (
            self.notes["end"], self.controls["onset"], self.bends["onset"]
        ))  # fmt: skip


def gather_rows(events: Events) -> Rows:
    """The channel events by group."""
    word = events.word
    group = events.track * 16 + (word >> 16 & 15)
    rows = Rows(group, events.tick, word >> 20, word >> 8 & 255, word & 255)
    return rows if (group[1:] >= group[:-1]).all() else rows.take(np.argsort(group, kind="stable"))


def play(rows: Rows, ends: Ints, private: set[int], limits: MidiLimits, name: str, ledger: Ledger) -> Playing:
    """Pair notes, find programs and parts, and hand controllers and bends to their parts.

    ``ends`` (tracks,) is each track's end; ``private`` holds tracks that neither give nor take channel set-up.
    """
    counts = np.bincount(rows.kind, minlength=16)
    ledger.add("left-aside-aftertouch", int(counts[POLY_TOUCH] + counts[TOUCH]))
    if counts[NOTE_OFF]:
        released = (rows.kind == NOTE_OFF) & (rows.second != 0) & (rows.second != USUAL_RELEASE)
        ledger.add("left-aside-release-velocity", int(released.sum()))
    rows = _share_setup(rows, private, limits, name, ledger)
    is_on = (rows.kind == NOTE_ON) & (rows.second > 0)
    ons = np.flatnonzero(is_on)
    if len(ons) > limits.max_notes:
        raise LimitExceeded(f"{name}: {len(ons)} notes, more than {limits.max_notes}; raise max_notes to read it")
    program = _programs(rows, ons)
    labels = _labels(rows, program, ons, private)
    if len(labels) > limits.max_parts:
        raise LimitExceeded(f"{name}: {len(labels)} parts, more than {limits.max_parts}; raise max_parts to read it")
    ledger.add("program-change", len(labels) - len(set((labels // 128).tolist())))
    on, end = _pair(rows, is_on, ends, ledger)
    notes = {
        "part": _part_of(labels, rows.group[on] * 128 + program[on]), "onset": rows.tick[on], "end": end,
        "pitch": rows.first[on], "velocity": rows.second[on],
    }  # fmt: skip
    controls, bends = _hand_out(rows, program, labels, limits, name, ledger)
    parts = [(label // 2048, label // 128 % 16, label % 128) for label in labels.tolist()]
    return Playing(notes, controls, bends, parts)


def make_parts(
    parts: list[tuple[int, int, int]], names: list[str], channel_names: dict[tuple[int, int], str]
) -> list[Part]:
    """``names`` (tracks,): what each track is called, unless the (track, channel) has a name of its own."""
    return [
        Part(channel_names.get((track, channel), names[track]), program, channel == DRUM_CHANNEL)
        for track, channel, program in parts
    ]


def _labels(rows: Rows, program: Ints, ons: Ints, private: set[int]) -> Ints:
    """(parts,) group x 128 + program: by track and channel, then by first note; and parts of our own files that
    play nothing."""
    label = rows.group[ons] * 128 + program[ons]
    fresh = np.flatnonzero(_fresh(label))
    labels, first = np.unique(label[fresh], return_index=True)
    labels = labels[np.lexsort((first, labels // 128))]
    if not private:
        return np.asarray(labels)
    groups = rows.group[_fresh(rows.group)]
    own = np.array([group for group in groups.tolist() if group // 16 in private], np.int64)
    alone = np.setdiff1d(own, labels // 128)
    last = program[np.searchsorted(rows.group, alone, side="right") - 1]
    merged = np.concatenate((labels, alone * 128 + last))
    return merged[np.argsort(merged // 128, kind="stable")]


def _part_of(labels: Ints, label: Ints) -> Ints:
    """Index in ``labels`` of each of ``label``."""
    sorter = np.argsort(labels)
    index: Ints = sorter[np.searchsorted(labels, label, sorter=sorter)] if len(label) else label
    return index


def _starts(group: Ints) -> Ints:
    """(R,) index of the first row of each row's group."""
    return np.maximum.accumulate(np.where(_fresh(group), np.arange(len(group)), 0))


def _fresh(values: Ints) -> Flags:
    """(R,) whether each differs from the one before it."""
    fresh = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=fresh[1:])
    return fresh


def _programs(rows: Rows, ons: Ints) -> Ints:
    """(R,) program in force at each row. Before a channel's first program it is that one, or 0 if notes sound."""
    changes = np.flatnonzero(rows.kind == PROGRAM_CHANGE)
    groups = rows.group[changes]
    before = np.searchsorted(ons, changes)
    sounding = rows.group[np.append(ons, 0)[before - 1]] == groups if len(ons) else np.zeros(len(changes), bool)
    if (groups[1:] > groups[:-1]).all() and not (sounding & (before > 0)).any():
        table = np.zeros(int(rows.group.max(initial=0)) + 1, np.int64)
        table[groups] = rows.first[changes]
        program: Ints = table[rows.group]
        return program
    return _changing_programs(rows)


def _changing_programs(rows: Rows) -> Ints:
    """`_programs` where some channel changes its program, or sounds before it names one."""
    here = np.arange(len(rows.group))
    start = _starts(rows.group)
    is_program = rows.kind == PROGRAM_CHANGE
    if not len(here):
        return here
    last = np.maximum.accumulate(np.where(is_program, here, -1))
    sounding = (rows.kind == NOTE_ON) & (rows.second > 0)
    heard = np.maximum.accumulate(np.where(sounding, here, -1))
    next_program = np.minimum.accumulate(np.where(is_program, here, len(here))[::-1])[::-1]
    follows = np.minimum(next_program, len(here) - 1)
    silent_before = (next_program < len(here)) & (start[follows] == start) & (heard[follows] < start)
    early = np.where(silent_before, rows.first[follows], 0)
    return np.where(last >= start, rows.first[np.maximum(last, 0)], early)


def _share_setup(rows: Rows, private: set[int], limits: MidiLimits, name: str, ledger: Ledger) -> Rows:
    """Give channel set-up found on one track to the tracks that play on that channel, and count what serves no one.

    Programs go to tracks that name none of their own; controllers and bends come from tracks that are silent on
    the channel. Tracks in ``private`` neither give nor take.
    """
    setup = np.flatnonzero((rows.kind >= CONTROL_CHANGE) & (rows.kind != TOUCH))
    if not len(setup):
        return rows
    group, is_program = rows.group[setup], rows.kind[setup] == PROGRAM_CHANGE
    size = (int(rows.group.max()) // 16 + 1) * 16
    shares = np.ones(size, bool)
    for track in private:
        shares[track * 16 : track * 16 + 16] = False
    plays = np.bincount(rows.group[rows.kind == NOTE_ON], minlength=size) > 0
    names_program = np.bincount(group[is_program], minlength=size) > 0
    idle = (shares & ~plays)[group]
    takers = np.flatnonzero(plays & shares)
    concerned = np.bincount((group % 16)[idle | is_program], minlength=16) > 0
    used = np.zeros(len(setup), bool)
    added: list[tuple[Ints, Ints]] = []
    if not idle.any() and names_program[takers].all():
        return rows
    for taker in takers[concerned[takers % 16]].tolist():
        wanted = is_program & ~names_program[taker] | idle & ~is_program
        given = wanted & (group % 16 == taker % 16) & (group != taker) & shares[group]
        used |= given
        added.append((np.full(int(given.sum()), taker), setup[given]))
        if sum(len(block) for _, block in added) > limits.max_events:
            raise LimitExceeded(f"{name}: channel set-up multiplies past {limits.max_events} events; raise max_events")
    ledger.add("channel-setup", int(used.sum()))
    ledger.add("left-aside-silent-channel", int((idle & ~used).sum()))
    return _insert(rows, added) if used.any() else rows


def _insert(rows: Rows, added: list[tuple[Ints, Ints]]) -> Rows:
    """Copies of rows put into other groups, before what stands there at the same tick."""
    group, source = (np.concatenate(column) for column in zip(*added, strict=True))
    order = np.lexsort((rows.tick[source], group))
    group, source = group[order], source[order]
    place = np.searchsorted(rows.group << 40 | rows.tick, group << 40 | rows.tick[source])
    columns = (group, rows.tick[source], rows.kind[source], rows.first[source], rows.second[source])
    return Rows(*(
        np.insert(getattr(rows, name), place, column)
        for name, column in zip(Rows.__dataclass_fields__, columns, strict=True)
    ))  # fmt: skip


def _pair(rows: Rows, is_on: Flags, ends: Ints, ledger: Ledger) -> tuple[Ints, Ints]:
    """Rows of the note-ons, and the tick at which each note ends.

    First in, first out: a note-off ends the oldest sounding note of its pitch. Where a pitch never falls silent
    again, its notes from there on end at the next note-on or note-off of that pitch, or with the track.
    """
    where = np.flatnonzero(rows.kind <= NOTE_ON)
    if not len(where):
        return where, where
    key = rows.group[where] * 128 + rows.first[where]
    order = np.argsort(key.astype(np.uint16) if key[-1] < 2**16 - 128 else key, kind="stable")  # 16 bits sort faster
    where, key = where[order], key[order]
    on = is_on[where]
    if len(on) % 2 == 0 and on[::2].all() and not on[1::2].any() and (key[::2] == key[1::2]).all():
        return where[::2], rows.tick[where[1::2]]  # nothing overlaps, nothing is stuck
    return _pair_overlapping(rows, where, key, on, ends, ledger)


def _pair_overlapping(rows: Rows, where: Ints, key: Ints, on: Flags, ends: Ints, ledger: Ledger) -> tuple[Ints, Ints]:
    """`_pair` for note rows sorted by pitch, whatever they do. An orphan is a note-off while nothing sounds."""
    start = _starts(key)
    run = np.cumsum(np.where(on, 1, -1))
    level = run - np.where(start > 0, run[start - 1], 0)  # within the pitch, may fall below 0 at orphan offs
    rank = np.cumsum(start == np.arange(len(start)))
    floor = np.minimum.accumulate(np.minimum(level, 0) - rank * (len(key) + 1)) + rank * (len(key) + 1)
    previous = np.where(start == np.arange(len(start)), 0, np.append(0, floor[:-1]))
    orphan = ~on & (floor < previous)
    ledger.add("orphan-note-off", int(orphan.sum()))
    where, key, on, sounding = where[~orphan], key[~orphan], on[~orphan], (level - floor)[~orphan]
    return _match(rows, where, key, on, sounding, ends, ledger)


def _match(
    rows: Rows, where: Ints, key: Ints, on: Flags, sounding: Ints, ends: Ints, ledger: Ledger
) -> tuple[Ints, Ints]:
    """Match without orphans: ``sounding`` (N,) counts the notes of the pitch that sound after each row."""
    if not len(where):
        return where, where
    here = np.arange(len(where))
    last_of_key = np.append(key[1:] != key[:-1], True)
    silent = np.maximum.accumulate(np.where(sounding == 0, here, -1))
    final = np.append(here[last_of_key], 0)[np.searchsorted(here[last_of_key], here)]
    stuck_zone = here > np.maximum(silent[final], _starts(key) - 1)
    tick = rows.tick[where]
    end = np.zeros(len(where), np.int64)
    clean_on, clean_off = here[on & ~stuck_zone], here[~on & ~stuck_zone]
    end[clean_on] = tick[clean_off]  # both lie in pitch order and match one to one: FIFO
    tail = here[on & stuck_zone]
    if len(tail):
        follower = np.minimum(tail + 1, len(where) - 1)
        track_end = np.maximum(ends[rows.group[where[tail]] // 16], tick[tail])
        end[tail] = np.where(last_of_key[tail], track_end, tick[follower])
        stuck = last_of_key[tail] | on[follower]
        ledger.add("stuck-note", int(stuck.sum()))
        ledger.add("orphan-note-off", int((~on & stuck_zone & np.append(True, ~on[:-1])).sum()))
    return where[on], end[on]


def _hand_out(
    rows: Rows, program: Ints, labels: Ints, limits: MidiLimits, name: str, ledger: Ledger
) -> tuple[Columns, Columns]:
    """Controls and bends, each at its part."""
    which = np.flatnonzero((rows.kind == PITCH_BEND) | (rows.kind == CONTROL_CHANGE))
    is_bend, first, second = rows.kind[which] == PITCH_BEND, rows.first[which], rows.second[which]
    number = np.where(is_bend, BEND_NUMBER, first)
    value = np.where(is_bend, (second << 7 | first) - 8192, second)
    groups, first_part, count = np.unique(labels // 128, return_index=True, return_counts=True)
    place = np.searchsorted(groups, rows.group[which])
    known = place < len(groups)
    known[known] = groups[place[known]] == rows.group[which][known]
    single = known & (np.append(count, 0)[place] == 1)
    part = np.append(first_part, 0)[place]
    pieces = [(part[single], rows.tick[which][single], number[single], value[single])]
    for group in groups[count > 1].tolist():
        mine = np.flatnonzero(rows.group[which] == group)
        pieces.append(
            _follow_programs(rows, program, labels, group, which[mine], number[mine], value[mine], limits, name, ledger)
        )
    part, tick, number, value = (np.concatenate(column) for column in zip(*pieces, strict=True))
    bend = number == BEND_NUMBER
    controls = {"part": part[~bend], "onset": tick[~bend], "number": number[~bend], "value": value[~bend]}
    return controls, {"part": part[bend], "onset": tick[bend], "value": value[bend]}


def _follow_programs(
    rows: Rows, program: Ints, labels: Ints, group: int, where: Ints, number: Ints, value: Ints,
    limits: MidiLimits, name: str, ledger: Ledger,
) -> tuple[Ints, Ints, Ints, Ints]:  # fmt: skip
    """Events of a channel that becomes several parts: each goes to the part then playing, and a part that takes
    over is told what was set while it was away."""
    low, high = np.searchsorted(rows.group, (group, group + 1))
    part_of = np.full(128, -1)
    part_of[labels[labels // 128 == group] % 128] = np.flatnonzero(labels // 128 == group)
    playing = part_of[program[low:high]]  # -1 where the program sounds no note
    heard = np.flatnonzero(playing >= 0)
    starts = heard[np.append(True, playing[heard][1:] != playing[heard][:-1])]
    used = np.zeros(len(where), bool)
    mine = playing[where - low]
    used |= mine >= 0
    pieces = [(mine[used], rows.tick[where][used], number[used], value[used])]
    if len(starts) * len(np.unique(number)) > limits.max_events:
        raise LimitExceeded(f"{name}: program changes multiply past {limits.max_events} events; raise max_events")
    left = _left_before(playing, starts)
    for each in np.unique(number):
        own = np.flatnonzero(number == each)
        latest = np.searchsorted(where[own] - low, starts) - 1
        row = own[np.maximum(latest, 0)]
        news = (latest >= 0) & (where[row] - low > left) & (mine[row] != playing[starts])
        used[row[news]] = True
        pieces.append((playing[starts[news]], rows.tick[low + starts[news]], number[row[news]], value[row[news]]))
    ledger.add("left-aside-silent-channel", int((~used).sum()))
    part, tick, number, value = (np.concatenate(column) for column in zip(*pieces, strict=True))
    order = np.argsort(tick, kind="stable")
    return part[order], tick[order], number[order], value[order]


def _left_before(playing: Ints, starts: Ints) -> Ints:
    """For each stretch of a part, the first row after the part's previous stretch; -1 for its first."""
    parts, stops = playing[starts], np.append(starts[1:], len(playing))
    order = np.argsort(parts, kind="stable")
    left = np.full(len(starts), -1)
    again = parts[order][1:] == parts[order][:-1]
    left[order[1:][again]] = stops[order[:-1][again]] - 1
    return left

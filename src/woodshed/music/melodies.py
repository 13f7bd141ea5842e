"""The melodies of a song: each stretch that one part plays alone, one note at a time, without a long rest.

Source:
    ``extract_melodies`` of Magenta (``note_seq.melodies_lib`` and Melody RNN's pipeline) with its defaults: 7 bars,
    5 pitch classes, no chords, a rest of 1 bar ends a melody. We differ in

    * judging each stretch between long rests by itself, where Magenta gives up a part at its first chord,
    * taking a pitch that is struck twice at once for one note,
    * cutting where the meter changes, where Magenta refuses the file,
    * filling the last bar up with rest, so that a melody can be played on from a bar line,
    * and shortening at 512 bars, not at 512 sixteenths (32 bars of 4/4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.music.key_finding import FINAL_BASS, find_key
from woodshed.music.melody import STEPS_PER_QUARTER
from woodshed.music.segments import pitched_notes
from woodshed.music.song import MAX_TICK, Song
from woodshed.music.units import ticks_per_step, ticks_to_steps

STEP_TICKS = ticks_per_step(STEPS_PER_QUARTER)
"""A sixteenth note."""
SHORTENED = "shortened"
"""The one reason in the counter that leaves no melody out."""
REMEDIES: dict[str, str] = {
    "no notes": "the song is empty",
    "only drums": "drums have no melody; use a recipe for whole songs, such as band",
    "odd meter": "a bar is no whole number of sixteenths; write it in another meter, such as 4/4",
    "polyphonic": "notes start together; keep the highest with --set material.skip_polyphonic=false",
    "too short": "fewer than {min_bars} bars; lower --set material.min_bars",
    "too few pitches": "fewer than {min_pitches} pitch classes; lower --set material.min_pitches",
    SHORTENED: "to {max_bars} bars; raise --set material.max_bars",
}
"""Why a stretch of a part is not among the melodies, and what to do about it; fields are those of `MelodyOptions`."""
AT_PLAY = {"polyphonic": "notes start together; give the tune alone, or use a recipe for whole songs, such as band"}
"""The same, where it is another when a melody is to be played on from."""
_TUNEFUL = ("melody", "lead", "voice")
_RANGES = {"min_bars": (0, 4096, 7), "min_pitches": (1, 12, 5), "gap_bars": (1, 4096, 1), "max_bars": (1, 4096, 512)}


@dataclass(frozen=True)
class MelodyOptions:
    """What counts as a melody."""

    min_bars: int = 7
    """The fewest bars, from the bar line before the first note to the end of the last note; 0-4096."""
    min_pitches: int = 5
    """The fewest pitch classes, 1-12."""
    gap_bars: int = 1
    """So many bars of rest, or more, end a melody; 1-4096."""
    max_bars: int = 512
    """What comes after so many bars is cut off; 1-4096."""
    skip_polyphonic: bool = True
    """Leave stretches out in which notes of two pitches start together; else the highest of them is the melody."""

    def __post_init__(self) -> None:
        for name, (low, high, usual) in _RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise OutOfRange(f"{name} {getattr(self, name)} is outside {low}-{high}; {usual} is usual")


_DEFAULTS = MelodyOptions()


class _Line(NamedTuple):
    """The notes of all parts on the grid, the highest of each (part, section, step) only, in that order; (N,) each."""

    part: NDArray[np.int64]
    section: NDArray[np.int64]
    """Index of the stretch of one meter in which the note lies."""
    step: NDArray[np.int64]
    """Sixteenths since the section began."""
    end: NDArray[np.int64]
    """The step at which the note stops: at the next note of the part, or at the end of the section, at the latest."""
    notes: NDArray[Any]
    in_chord: NDArray[np.bool_]
    """Whether a lower note was left out beside it."""


class _Stretches(NamedTuple):
    """Runs of a `_Line` without a long rest; (M,) each."""

    first: NDArray[np.int64]
    """Index of the first note."""
    stop: NDArray[np.int64]
    """Index after the last note."""
    start: NDArray[np.int64]
    """The bar line before the first note, in steps of the section."""
    steps: NDArray[np.int64]
    """Length in steps, from there to the end of the last note."""


def extract_melodies(song: Song, options: MelodyOptions = _DEFAULTS) -> tuple[list[Song], Counter[str]]:
    """The melodies of each pitched part, each a song of one part; and how many stretches were left out, by reason.

    A melody begins at the bar line before its first note, has one meter and whole bars, and keeps tempo, keys,
    chords, markers and velocities. Its notes stand on sixteenths and are at least one long; each ends where the
    next one starts, if not before. Reasons are those of `REMEDIES`.
    """
    reasons: Counter[str] = Counter()
    notes = pitched_notes(song.notes, song.parts)
    if not len(notes):
        reasons["only drums" if len(song.notes) else "no notes"] += 1
        return [], reasons
    starts, bar_ticks = sections(song)
    line = _line(notes, starts)
    bar_steps = np.maximum(bar_ticks // STEP_TICKS, 1)
    found = _stretches(line, bar_steps, options.gap_bars)
    kept = _judge(line, found, bar_ticks, options, reasons)
    frame = song.replace(notes=song.notes[:0], controls=song.controls[:0], bends=song.bends[:0])
    stops = np.append(starts[1:], MAX_TICK)
    melodies = []
    for number in kept.tolist():
        section = line.section[found.first[number]]
        start = int(starts[section] + found.start[number] * STEP_TICKS)
        bars = min(-(-int(found.steps[number]) // int(bar_steps[section])), options.max_bars)
        melodies.append(_melody(frame, line, found, number, start, int(stops[section]), bars * int(bar_ticks[section])))
    return melodies, reasons


def explain(
    reasons: Counter[str], options: MelodyOptions = _DEFAULTS, remedies: Mapping[str, str] | None = None
) -> str:
    """What was left out and why, in one line, the most frequent reason first; ``remedies`` replace some of `REMEDIES`.

    >>> explain(Counter({"too short": 40}))
    '40 too short (fewer than 7 bars; lower --set material.min_bars)'
    """
    known = {**REMEDIES, **(remedies or {})}
    told = [f"{count} {reason} ({known[reason].format(**vars(options))})" for reason, count in reasons.most_common()]
    return ", ".join(told)


def as_melody(song: Song) -> Song | None:
    """The song on the grid of sixteenths, if it is a melody as it is: one pitched part, one meter, no chords.

    However short, and with whatever rests. None if it is no such song or has no note.
    """
    starts, _ = sections(song)
    if not len(song.notes) or len(song.parts) != 1 or song.parts[0].is_drum or len(starts) > 1:
        return None
    line = _line(song.notes, starts)
    if line.in_chord.any():
        return None
    notes = line.notes.copy()
    notes["onset"], notes["duration"] = line.step * STEP_TICKS, (line.end - line.step) * STEP_TICKS
    steps = max(-(-song.length // STEP_TICKS), int(line.end[-1]))
    return song.replace(notes=notes, length=steps * STEP_TICKS, meters=_one_meter(song))


def tunefulness(melody: Song) -> tuple[bool, bool, int]:
    """Sorts melodies: what a melody, lead or voice plays last of all, bass first, the longer after the shorter."""
    part = melody.parts[0]
    return part.role in _TUNEFUL, part.role != "bass" and part.program // 8 != 4, len(melody)


def major_tonic(melody: Song) -> int:
    """The tonic of a melody's key, or of the relative major of a minor key; the lowest of those that fit alike.

    Krumhansl's correlations as in `woodshed.music.key_finding`, so that C major and A minor are 0. Magenta counts
    the notes that each major scale has, which cannot tell the keys of a tune on five pitch classes apart.
    """
    scores = find_key(melody).correlations.copy()
    last = melody.notes[-1]
    held = min(1.0, int(last["duration"]) / melody.meter.bar_ticks)
    scores[[last["pitch"] % 12, 12 + last["pitch"] % 12]] += FINAL_BASS * held
    pairs = np.maximum(scores[:12], np.roll(scores[12:], 3))
    return int(np.flatnonzero(pairs > pairs.max() - 1e-9)[0])


def into_range(pitch: NDArray[Any], low: int, high: int) -> NDArray[np.int64]:
    """Pitches (N,) below ``low`` into the octave above it, those from ``high`` on into the octave below that."""
    below, above = low + (pitch - low) % 12, high - 12 + (pitch - high) % 12
    return np.where(pitch < low, below, np.where(pitch >= high, above, pitch)).astype(np.int64)


def sections(song: Song) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each stretch of one meter begins, and the length of its bars; (S,) ticks each, the first at 0."""
    onsets = song.meters["onset"].astype(np.int64)
    meters = np.stack([song.meters["numerator"], song.meters["denominator"]], axis=1).astype(np.int64)
    if not len(onsets) or onsets[0] > 0:
        onsets, meters = np.append(0, onsets), np.concatenate(([(4, 4)], meters))
    lasting = np.append(onsets[1:] > onsets[:-1], True)
    onsets, meters = onsets[lasting], meters[lasting]
    other = np.append(True, (meters[1:] != meters[:-1]).any(axis=1))
    onsets, meters = onsets[other], meters[other]
    return onsets, 4 * 480 * meters[:, 0] // meters[:, 1]


def _line(notes: NDArray[Any], starts: NDArray[np.int64]) -> _Line:
    """Notes (N,) of any pitched parts on the grid of the sections that begin at ``starts`` (S,) ticks."""
    onset = notes["onset"].astype(np.int64)
    section = np.searchsorted(starts, onset + STEP_TICKS // 2, side="right") - 1
    onset -= starts[section]
    step, pitch = ticks_to_steps(onset, STEPS_PER_QUARTER), notes["pitch"].astype(np.int64)
    end = ticks_to_steps(onset + notes["duration"], STEPS_PER_QUARTER)
    order = np.lexsort((-end, -pitch, step, section, notes["part"]))
    columns = np.stack([notes["part"], section, step, pitch, end]).astype(np.int64)[:, order]  # (5, N)
    first = np.flatnonzero(np.append(True, (columns[:3, 1:] != columns[:3, :-1]).any(axis=0)))
    lowest = columns[3, np.append(first[1:], len(notes)) - 1]
    part, section, step, pitch, end = columns[:, first]
    follows = np.append((part[1:] == part[:-1]) & (section[1:] == section[:-1]), False)
    last = np.append(-(-np.diff(starts) // STEP_TICKS), MAX_TICK)[section]
    end = np.minimum(np.maximum(end, step + 1), np.where(follows, np.roll(step, -1), last))
    return _Line(part, section, step, end, notes[order][first], pitch != lowest)


def _stretches(line: _Line, bar_steps: NDArray[np.int64], gap_bars: int) -> _Stretches:
    """Where the part or the meter changes or a long rest ends, a stretch begins; ``bar_steps`` (S,) of each section."""
    size = bar_steps[line.section]
    same = (line.part[1:] == line.part[:-1]) & (line.section[1:] == line.section[:-1])
    rest = line.step[1:] - line.end[:-1] >= gap_bars * size[1:]
    first = np.flatnonzero(np.append(True, ~same | rest))
    stop = np.append(first[1:], len(line.step))
    start = line.step[first] - line.step[first] % size[first]
    return _Stretches(first, stop, start, line.end[stop - 1] - start)


def _judge(
    line: _Line, found: _Stretches, bar_ticks: NDArray[np.int64], options: MelodyOptions, reasons: Counter[str]
) -> NDArray[np.int64]:
    """The numbers of the stretches that are melodies; why the others are none is added to ``reasons``."""
    ticks = bar_ticks[line.section[found.first]]
    longest = options.max_bars * ticks // STEP_TICKS
    counts = found.stop - found.first
    inside = line.step < np.repeat(found.start + longest, counts)
    classes = np.bitwise_or.reduceat(np.where(inside, 1 << line.notes["pitch"].astype(np.int64) % 12, 0), found.first)
    left = np.ones(len(counts), bool)
    for reason, holds in (
        ("odd meter", ticks % STEP_TICKS > 0),
        ("polyphonic", np.logical_or.reduceat(line.in_chord, found.first) & options.skip_polyphonic),
        ("too short", found.steps * STEP_TICKS < options.min_bars * ticks),
        ("too few pitches", np.bitwise_count(classes) < options.min_pitches),
    ):
        if count := int((left & holds).sum()):
            reasons[reason] += count
        left &= ~holds
    if count := int((left & (found.steps > longest)).sum()):
        reasons[SHORTENED] += count
    return np.flatnonzero(left)


def _melody(frame: Song, line: _Line, found: _Stretches, number: int, start: int, stop: int, length: int) -> Song:
    """One stretch as a song of ``length`` ticks from tick ``start``; what ``frame`` says is taken up to ``stop``."""
    run = slice(found.first[number], found.stop[number])
    onset = (line.step[run] - found.start[number]) * STEP_TICKS
    end = np.minimum((line.end[run] - found.start[number]) * STEP_TICKS, length)
    notes = line.notes[run].copy()
    notes["part"], notes["onset"], notes["duration"] = 0, onset, end - onset
    part = frame.parts[int(line.part[found.first[number]])]
    melody = frame.slice(start, min(start + length, stop))
    return melody.replace(parts=(part,), notes=notes[onset < length], length=length, meters=_one_meter(melody))


def _one_meter(song: Song) -> NDArray[Any]:
    """The meters of a song that says the same one again and again, or two at once, of which the last counts."""
    rows = song.meters[-1:].copy()
    rows["onset"] = 0
    return rows

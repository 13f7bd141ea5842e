"""Which of several answers to keep: a few things that no listener wants, counted; and how alike answers are.

`faults` adds up, over the open part of a canvas, what is wrong with an answer; `best_of` takes the least, and
of equals the first. `ranked` keeps several that differ. Nothing here is chance, and nothing rewards likeness to the
training songs but for how many notes a bar has, and how often a backbeat.

========== ====== ==========================================================================
fault      weight counted as
========== ====== ==========================================================================
silent     4      share of the open parts without a note, or whose notes are mostly too quiet to be heard
empty      4      share of the open bars in which no note sounds
drone      2      share of the pitched notes that lie in runs of one pitch longer than 32
stuck      1      by how much more than 3/4 of the bars repeat the bar before to the note, drums aside, x 4
absent     2      of the bars in which a part is open, the share beyond a quarter in which it does not sound, x 4/3: the
                  mean over the parts, a bass and drums counting double; 0 where only fields are open or a density is
                  asked for
still      2      by how much more than 3/4 of the bars have the same pitch class at the bottom, x 4
backbeat   2      by how much less often than in the learned songs bars with drums have a backbeat, and a half more for
                  each of kick and snare that the learned song strikes and the answer never does; of new drums
away       1      by how much larger a share of the bars has another pitch class than the tonic at the bottom; of new
                  songs of which a key is asked
clash      1      by how much more than a tenth of all pairs of pitch classes that sound together are semitones, x 5
density    1      octaves (factors of two) by which notes per bar differ from the style's, less half of one; 0 where
                  a density is asked for. Where the canvas says at what pace its parts play, that is expected
unasked    2.5    levels by which the bars differ from those that are asked for, on average
========== ====== ==========================================================================

The weights are ours: a silent part is worse than a dull one.

Source:
    Of several answers each next one is taken by maximal marginal relevance: Carbonell and Goldstein, "The use of MMR,
    diversity-based reranking" (1998). Relevance is the place in an order by likelihood, likeness the share of the notes
    of two answers that are the same (Jaccard).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.levels import AS_IT_COMES, levels
from woodshed.codecs.note_step import DRUM_PROGRAM, VELOCITY_STEP
from woodshed.generation.canvas import Canvas, nearest_program
from woodshed.generation.constraints import asked_levels
from woodshed.music import Song
from woodshed.music.backbeat import KICKS, SNARES, backbeats
from woodshed.music.meter import bar_of
from woodshed.music.units import TICKS_PER_QUARTER, ticks_to_steps

DIVERSITY = 0.7
"""What unlikeness counts for when several answers are kept; the rest is likelihood."""
LONGEST_RUN = 32
"""Notes of one pitch in a row: two bars of sixteenths, which rock and metal do play."""
REPEATED_BARS = 0.75
DENSITY_OCTAVES = 0.5
USUAL_ABSENCE, USUAL_CLASH = 0.25, 0.1
BASSES = 4
"""The family of programs, eight to each."""
QUIET = 30
"""A velocity below which a note is hardly heard among others."""
FEWEST_BARS = 8
"""In fewer bars the bottom may stay where it is."""


@dataclass(frozen=True)
class Faults:
    """What is wrong with one answer, each 0 if nothing is."""

    silent: float = 0.0
    empty: float = 0.0
    drone: float = 0.0
    stuck: float = 0.0
    absent: float = 0.0
    still: float = 0.0
    backbeat: float = 0.0
    away: float = 0.0
    clash: float = 0.0
    density: float = 0.0
    unasked: float = 0.0

    @property
    def total(self) -> float:
        """The weighted sum."""
        bad = 4 * self.silent + 4 * self.empty + 2 * self.drone + 2 * self.absent
        bad += 2 * self.backbeat + self.away
        return bad + self.stuck + 2 * self.still + self.clash + self.density + 2.5 * self.unasked


def best_of(songs: Sequence[Song], canvas: Canvas, style: Mapping[str, Any]) -> int:
    """The index of the answer with the fewest faults; of equals, the first."""
    return int(np.argmin([round(faults(song, canvas, style).total, 9) for song in songs]))


def ranked(
    songs: Sequence[Song],
    nats: Sequence[float],
    canvases: Sequence[Canvas],
    style: Mapping[str, Any],
    count: int,
    more_faults: Sequence[float] = (),
) -> list[int]:
    """The indices of ``count`` answers, each to its own canvas: likely ones that differ, with few faults.

    Only the half with the fewest faults (or ``count``, if that is more) is looked at. The likeliest of these with the
    fewest faults is the first, and each next is a trade of likelihood for being unlike all before it, see `DIVERSITY`.
    One alone is `best_of`.

    ``nats`` are those of each answer per note; fewer is likelier. ``more_faults`` of each, if any, are added to those
    that are counted here.
    """
    total = np.array([round(faults(*pair, style).total, 9) for pair in zip(songs, canvases, strict=True)])
    total += more_faults if len(more_faults) else 0.0
    if count == 1:
        return [int(total.argmin())]
    eligible = np.argsort(total, kind="stable")[: max(count, len(total) // 2)]
    likely = np.empty(len(eligible))
    likely[np.argsort(np.asarray(nats)[eligible], kind="stable")] = np.linspace(1, 0, len(eligible))
    cells = [_cells(songs[index], canvases[index]) for index in eligible]
    first = int(np.where(total[eligible] == total.min(), likely, -1.0).argmax())
    chosen, unlike = [first], np.ones(len(eligible))
    while len(chosen) < count:
        unlike = np.minimum(unlike, [_distance(cells[chosen[-1]], other) for other in cells])
        merit = (1 - DIVERSITY) * likely + DIVERSITY * unlike
        merit[chosen] = -1.0
        chosen.append(int(merit.argmax()))
    return [int(eligible[index]) for index in chosen]


def open_notes(song: Song, canvas: Canvas) -> NDArray[Any]:
    """The notes of an answer that start where its canvas was open, or from there on if only fields were."""
    notes = song.notes
    if not canvas.spans:
        return notes[(notes["onset"] >= canvas.open_from) & np.isin(notes["part"], canvas.open_parts)]
    inside = np.zeros(len(notes), bool)
    for part in canvas.open_parts:
        spans = sorted((span.begin, span.end) for span in canvas.spans if span.part == part)
        if spans:
            begins, ends = np.array(spans, np.int64).T
            at = np.searchsorted(begins, notes["onset"], side="right") - 1
            inside |= (notes["part"] == part) & (at >= 0) & (notes["onset"] < ends[at])
    return notes[inside]


def _cells(song: Song, canvas: Canvas) -> NDArray[np.int64]:
    """One number for each step, instrument and pitch that an answer plays; ascending."""
    notes = open_notes(song, canvas)
    instrument = np.array([DRUM_PROGRAM if part.is_drum else part.program for part in song.parts], np.int64)
    return np.unique((ticks_to_steps(notes["onset"]) * 256 + instrument[notes["part"]]) * 128 + notes["pitch"])


def _distance(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """1 less the share of two answers' notes that both have; 0 between two silences."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    either = len(one) + len(other) - both
    return 1 - both / either if either else 0.0


def faults(song: Song, canvas: Canvas, style: Mapping[str, Any]) -> Faults:
    """What is wrong with one answer to a canvas."""
    notes = open_notes(song, canvas)
    lines = song.bar_lines()
    lines = lines[max(int(np.searchsorted(lines, canvas.open_from, side="right")) - 1, 0) :]
    last = max((span.end for span in canvas.spans), default=song.length)
    lines = lines[: max(int(np.searchsorted(lines, last)), 1) + 1]
    asked = canvas.constraints.levels
    silent = len(set(canvas.open_parts) - set(notes["part"].tolist())) / max(len(canvas.open_parts), 1)
    silent += 0.0 if "velocity" in asked or not canvas.spans else _faint(notes)
    unasked = _unasked(song, canvas) if asked else 0.0
    if not len(notes) or len(lines) < 2:
        return Faults(silent=silent, empty=1.0, unasked=unasked)
    drums = np.array([part.is_drum for part in song.parts], bool)
    pitched = notes[~drums[notes["part"]]]
    bottoms = _bottoms(pitched, lines)
    return Faults(
        silent=silent,
        empty=_empty(song, lines),
        drone=_drone(pitched),
        stuck=max(_repeated_bars(pitched, lines) - REPEATED_BARS, 0.0) * 4,
        absent=0.0 if "density" in asked else _absent(song, canvas),
        still=max(float(bottoms.max()) - REPEATED_BARS, 0.0) * 4,
        backbeat=_backbeat(song, canvas, style),
        away=_away(bottoms, canvas),
        clash=max(_semitones(pitched, lines) - USUAL_CLASH, 0.0) * 5,
        density=0.0
        if "density" in asked
        else _density(len(notes) / _open_bars(canvas, lines), _expected_density(song, canvas, style)),
        unasked=unasked,
    )


def _faint(notes: NDArray[Any]) -> float:
    """Share of the parts that play whose notes are mostly too quiet to be heard in a band."""
    if not len(notes):
        return 0.0
    parts = np.unique(notes["part"])
    return float(np.mean([np.median(notes["velocity"][notes["part"] == part]) < QUIET for part in parts]))


def open_levels(song: Song, canvas: Canvas) -> NDArray[np.int8]:
    """(bars, 4) the level of each control in each bar of what was open, -1 for none."""
    notes = open_notes(song, canvas)
    onset, part, pitch, velocity = (notes[name].astype(np.int64) for name in ("onset", "part", "pitch", "velocity"))
    drums = np.array([part.is_drum for part in song.parts], bool)
    lines = ticks_to_steps(song.bar_lines())
    return levels(ticks_to_steps(onset), part, pitch, (velocity - 1) // VELOCITY_STEP, drums, lines)


def _unasked(song: Song, canvas: Canvas) -> float:
    """Levels by which the bars differ from those asked for, on average; a bar without notes has level 0."""
    found = np.maximum(open_levels(song, canvas).astype(np.int64), 0)
    asked = asked_levels(canvas.constraints.levels, len(found)).astype(np.int64)
    away = np.abs(found - asked)[asked != AS_IT_COMES]
    return float(away.mean()) if len(away) else 0.0


def _open_bars(canvas: Canvas, lines: NDArray[np.int64]) -> float:
    """In how many bars a part is open, on average over the open parts; all of ``lines`` if only fields are."""
    opened = sum(span.end - span.begin for span in canvas.spans) / max(len(canvas.open_parts), 1)
    bars = len(lines) - 1
    return opened * bars / float(lines[-1] - lines[0]) if opened else float(bars)


def _empty(song: Song, lines: NDArray[np.int64]) -> float:
    """Share of the bars in which nothing sounds."""
    begun = np.searchsorted(np.sort(song.notes["onset"]), lines[1:], side="left")
    over = np.searchsorted(np.sort(song.ends), lines[:-1], side="right")
    return float((begun == over).mean())


def _drone(notes: NDArray[Any]) -> float:
    """Share of pitched notes in overlong runs of one pitch, part by part."""
    if not len(notes):
        return 0.0
    order = np.lexsort((notes["onset"], notes["part"]))
    line = notes["part"][order].astype(np.int64) * 128 + notes["pitch"][order]
    turns = np.flatnonzero(np.diff(line, prepend=-1, append=-1))
    runs = np.diff(turns)
    return float(runs[runs > LONGEST_RUN].sum() / len(notes))


def _repeated_bars(notes: NDArray[Any], lines: NDArray[np.int64]) -> float:
    """Share of the bars after the first whose notes (part, place, pitch) are just those of the bar before."""
    bars = len(lines) - 1
    if bars < 3:
        return 0.0
    notes = np.sort(notes, order="onset")
    bar = bar_of(notes["onset"].astype(np.int64), lines)
    place = notes["onset"].astype(np.int64) - lines[bar]
    rows = list(zip(notes["part"].tolist(), place.tolist(), notes["pitch"].tolist(), strict=True))
    at = np.searchsorted(bar, np.arange(bars + 1)).tolist()
    cells = [frozenset(rows[begin:end]) for begin, end in pairwise(at)]
    return float(np.mean([before == after != frozenset() for before, after in pairwise(cells)]))


def _absent(song: Song, canvas: Canvas) -> float:
    """How much of their open bars parts are not heard in, see above."""
    lines, parts = song.bar_lines(), canvas.song.parts
    missing, weights = [], []
    for part in sorted({span.part for span in canvas.spans}):
        own = song.notes[song.notes["part"] == part]
        first = bar_of(np.minimum(own["onset"].astype(np.int64), lines[-1] - 1), lines)
        last = bar_of(np.clip(own["onset"].astype(np.int64) + own["duration"] - 1, 0, lines[-1] - 1), lines)
        heard = np.cumsum(np.bincount(first, minlength=len(lines)) - np.bincount(last + 1, minlength=len(lines))) > 0
        is_open = np.zeros(len(lines) - 1, bool)
        for span in canvas.spans:
            if span.part == part:
                is_open |= (lines[:-1] < span.end) & (lines[1:] > span.begin)
        if not is_open.any():
            continue
        away = float((~heard[:-1])[is_open].mean())
        missing.append(max(away - USUAL_ABSENCE, 0.0) / (1 - USUAL_ABSENCE))
        weights.append(2.0 if parts[part].is_drum or parts[part].program // 8 == BASSES else 1.0)
    return float(np.average(missing, weights=weights)) if missing else 0.0


def _backbeat(song: Song, canvas: Canvas, style: Mapping[str, Any]) -> float:
    """How much less often than in the learned songs there is a backbeat, see above."""
    drums = [part for part in canvas.open_parts if canvas.song.parts[part].is_drum]
    if not drums or np.isin(canvas.song.notes["part"], drums).any():
        return 0.0
    struck = song.notes[np.isin(song.notes["part"], drums)]
    bars = backbeats(song.with_notes(struck))
    seldom = max(float(style.get("backbeat", 0.0)) - float(bars.mean()), 0.0) if len(bars) else 0.0
    never = sum(
        not canvas.strokes.keys().isdisjoint(kind) and not np.isin(struck["pitch"], kind).any()
        for kind in (KICKS, SNARES)
    )
    return seldom + never / 2


def _bottoms(notes: NDArray[Any], lines: NDArray[np.int64]) -> NDArray[np.float64]:
    """(12,) the share of the bars whose lowest note is of each pitch class; zeros of few bars."""
    bar = bar_of(notes["onset"].astype(np.int64), lines)
    order = np.lexsort((notes["pitch"], bar))
    bars, first = np.unique(bar[order], return_index=True)
    if len(bars) < FEWEST_BARS:
        return np.zeros(12)
    return np.bincount(notes["pitch"][order][first] % 12, minlength=12) / len(bars)


def _away(bottoms: NDArray[np.float64], canvas: Canvas) -> float:
    """How far the bottom is from home, see above."""
    wishes = canvas.constraints
    if wishes.key is None or not wishes.strict_key or len(canvas.song):
        return 0.0
    return float(bottoms.max() - bottoms[wishes.key.tonic])


def _semitones(notes: NDArray[Any], lines: NDArray[np.int64]) -> float:
    """Of all pairs of pitch classes that sound together on an eighth note, the share that are a semitone apart."""
    moments = np.arange(lines[0], lines[-1], TICKS_PER_QUARTER // 2) + 1
    onset, size = notes["onset"].astype(np.int64), 12 * (len(moments) + 1)
    begin = np.searchsorted(moments, onset) * 12 + notes["pitch"] % 12
    end = np.searchsorted(moments, onset + notes["duration"]) * 12 + notes["pitch"] % 12
    change = np.bincount(begin, minlength=size) - np.bincount(end, minlength=size)
    sounding = np.cumsum(change.reshape(-1, 12), axis=0) > 0
    at_once = sounding.sum(1)
    pairs = int((at_once * (at_once - 1) // 2).sum())
    return float((sounding & np.roll(sounding, 1, axis=1)).sum() / pairs) if pairs else 0.0


def _density(notes_per_bar: float, expected: float) -> float:
    if expected <= 0:
        return 0.0
    return max(abs(float(np.log2(notes_per_bar / expected))) - DENSITY_OCTAVES, 0.0)


def _expected_density(song: Song, canvas: Canvas, style: Mapping[str, Any]) -> float:
    """Notes per bar that the learned songs have in these parts; 0 if that is not known.

    The style's figure counts whole line-ups, so it is scaled by what share of an average song these parts play.
    """
    if set(canvas.open_parts) <= canvas.pace.keys():
        quarters = song.length / max(song.bars, 1) / TICKS_PER_QUARTER
        opened = sum(span.end - span.begin for span in canvas.spans) / max(len(canvas.open_parts), 1)
        notes = sum(canvas.pace[span.part] * (span.end - span.begin) for span in canvas.spans)
        return quarters * notes / opened if opened else 0.0
    instruments = {int(program): facts for program, facts in style.get("instruments", {}).items()}
    usual, songs = float(style.get("notes_per_bar", 0)), int(style.get("songs", len(style.get("arrangements", []))))
    if not instruments or not songs:
        return 0.0
    programs = [DRUM_PROGRAM if part.is_drum else part.program for part in song.parts]
    asked = [
        instruments[nearest_program(programs[part], set(instruments))]
        for part in canvas.open_parts
        if part < len(programs)
    ]
    songs = max([songs, *(facts.get("songs", 1) for facts in instruments.values())])
    average = sum(facts.get("notes", 0) for facts in instruments.values()) / songs
    here = sum(facts.get("notes", 0) / max(facts.get("songs", 1), 1) for facts in asked)
    return usual * here / average if average else 0.0

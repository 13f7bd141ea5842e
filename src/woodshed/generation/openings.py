"""Canvases for everything that a musician asks of a song: pure functions, song in, canvas out.

Bars are counted as musicians do: from 1, and (5, 8) is four bars, both ends included. A note belongs to the bar of its
step on the grid, so what is played a little before a bar line is part of the bar after it. Notes in an opened region
are taken out; those that ring into it stay, and so does all else.

=================== =======================================================================
builder             what is open
=================== =======================================================================
`infill_canvas`     bars of chosen parts
`accompany_canvas`  new parts beside those that are there (an accompaniment, a solo, voices)
`pitches_canvas`    the pitches of notes, their rhythm kept
`humanise_canvas`   velocity and timing of notes
`vary_canvas`       random beats of random parts, until a share of the notes is open
`tap_canvas`        which drums a tapped rhythm is played on
`layer_canvas`      a few more pitches or drums (closed hi-hats) in a part that stays
=================== =======================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.codecs.grids import notated_steps
from woodshed.codecs.note_step import SIZES, VELOCITY_STEP
from woodshed.codecs.note_step import VELOCITY as VELOCITY_FIELD
from woodshed.codecs.usual_values import OCCASIONS
from woodshed.errors import InfeasibleCanvas, OutOfRange
from woodshed.generation.canvas import (
    DURATION,
    EVERYTHING,
    PITCH,
    TIMING,
    VELOCITY,
    Canvas,
    Opening,
    check_parts,
    own_ranges,
    until,
    usual_ranges,
)
from woodshed.generation.casting import (
    drummed,
    loudness_of,
    strokes_of,
    usual_texture,
)
from woodshed.generation.constraints import Constraints
from woodshed.generation.joining import grids_within, reaches_within, values_within, velocities_within
from woodshed.generation.progressions import chords_of
from woodshed.music import Part, Song, part_name
from woodshed.music.general_midi import DRUMS
from woodshed.music.units import STEPS_PER_QUARTER, TICKS_PER_QUARTER, ticks_per_step, ticks_to_steps

CLOSED_HATS = (42, 44)
"""Closed and pedal hi-hat."""
VARIED = {"pitches": PITCH, "durations": DURATION, "velocities": VELOCITY, "timing": TIMING, "everything": EVERYTHING}
"""What of notes `vary_canvas` can open in place of the notes themselves -> the bits of `Canvas.open_fields`."""
SOFTEST = 0.45, 0.15
"""Of a part's median velocity, that at which a human plays the softest note of a pitched part, and of drums, which have
ghost notes."""
VOICES_PULL = 1.5
"""Log-odds by which the voices of a harmony favour the tones of the song's chords."""
HANDS_AND_FEET = 4
"""Strokes of one drummer that sound at once."""
TIGHT = 24
"""Ticks off its step at most that `humanise_canvas` moves a pitched note: drummers roam, and a band holds on."""
STEP_TICKS = ticks_per_step(STEPS_PER_QUARTER)


def infill_canvas(song: Song, bars: tuple[int, int], parts: Sequence[int] | None = None) -> Canvas:
    """Bars of ``parts`` (all that sound) are written anew; each keeps to its own register, see `own_ranges`, and to the
    song's grid.

    Raises:
        OutOfRange: for bars or a part that the song has not.
        InfeasibleCanvas: if no part sounds.
    """
    begin, end = bar_span(song, bars)
    parts = _sounding(song, parts)
    gone = _inside(song, begin, end) & np.isin(song.notes["part"], parts)
    openings = tuple(Opening(part, begin, min(end, song.length)) for part in parts)
    constraints = Constraints(pitch_ranges=own_ranges(song))
    return Canvas(_without(song, gone), constraints=constraints, openings=openings, **_in_time(song, parts))


def accompany_canvas(
    bundle: Bundle,
    song: Song,
    new_parts: Sequence[Part],
    bars: tuple[int, int] | None = None,
    rng: np.random.Generator | None = None,
) -> Canvas:
    """New parts play along with ``song``, through all of it or in ``bars``, where their instruments usually play: as
    many notes as these do in the learned songs, as long, in as many voices and for as much of the time, on the grid
    of the song's parts, leaning towards its chords. With an ``rng`` they are as loud as in one learned song, and drums
    are those of its kit, struck where it strikes them.

    Their indices follow those of the song's own parts. A song that ends within a bar is made to last to its end.

    Raises:
        UnknownName: for an instrument that the bundle heard nothing like; the nearest is named.
        OutOfRange: for bars beyond the song.
        InfeasibleCanvas: if no part is new.
    """
    if not new_parts:
        raise InfeasibleCanvas("no new part is named; name some with --parts")
    check_parts(bundle, new_parts)
    last = whole_bars(song)
    if max(last, bars[1] if bars else 0) == song.bars:
        song = until(song, max(int(song.bar_lines()[-1]), song.length))
    begin, end = bar_span(song, bars or (1, last))
    first = len(song.parts)
    song = song.replace(parts=(*song.parts, *new_parts))
    ranges = {first + index: span for index, span in usual_ranges(bundle, new_parts).items()}
    openings = tuple(Opening(first + index, begin, end) for index in range(len(new_parts)))
    sounding, pace, lengths, voices = (
        dict(enumerate(usual_texture(bundle.style, new_parts, figure), first))
        for figure in ("sounding", "pace", "lengths", "voices")
    )
    pitches: dict[int, tuple[int, ...]] = {}
    loud: dict[str, Any] = {}
    if rng is not None:
        learned = drummed(bundle, rng, new_parts)
        drums = [first + index for index, part in enumerate(new_parts) if part.is_drum]
        pitches = dict.fromkeys(drums, tuple(learned["kit"])) if learned["kit"] else {}
        loud = {"velocities": loudness_of(learned, first), "strokes": strokes_of(learned, song)}
    most = {part: max(round(count), 1) for part, count in voices.items() if count is not None}
    return Canvas(
        song,
        constraints=Constraints(
            pitch_ranges=ranges,
            polyphony=most,
            pitches=pitches,
            chords=chords_of(song),
            strict_chords=False,
            chord_pull=0.0,
        ),
        sounding={part: share for part, share in sounding.items() if share is not None},
        pace={part: notes for part, notes in pace.items() if notes is not None},
        lengths={part: shares for part, shares in lengths.items() if shares is not None},
        openings=openings,
        **{**_in_time(song, range(first, len(song.parts))), **loud},
    )


def _in_time(song: Song, parts: Iterable[int]) -> dict[str, Any]:
    """New notes of these parts lie on the grid of the song, no farther off it than its own, are as long, and those of
    parts that it has as loud."""
    parts = list(parts)
    values = values_within(song, parts)
    loud = velocities_within(song, parts)
    return {
        "grids": grids_within(song, parts), "reaches": reaches_within(song, parts), "note_values": values,
        "velocities": loud,
    }  # fmt: skip


def pitches_canvas(song: Song, bars: tuple[int, int] | None = None, parts: Sequence[int] | None = None) -> Canvas:
    """The rhythm stays, the pitches are chosen anew: of ``parts`` (all pitched ones), in ``bars`` (all).

    Raises:
        OutOfRange: for bars or a part that the song has not.
        InfeasibleCanvas: if no note is there.
    """
    if parts is None:
        parts = [part for part in _sounding(song, None) if not song.parts[part].is_drum]
    canvas = _fields_canvas(song, PITCH, bars, parts, "pitches")
    return replace(canvas, constraints=Constraints(pitch_ranges=own_ranges(song)))


def humanise_canvas(
    song: Song, parts: Sequence[int] | None = None, bars: tuple[int, int] | None = None, what: int = VELOCITY | TIMING
) -> Canvas:
    """Velocity and timing of the notes of ``parts`` (all), or one of these, are played anew; the notes stay.

    Raises:
        OutOfRange: for bars or a part that the song has not.
        InfeasibleCanvas: if no note is there.
    """
    canvas = _fields_canvas(song, what, bars, _sounding(song, parts), "velocities")
    tight = {part: TIGHT for part in canvas.open_parts if not song.parts[part].is_drum}
    return replace(canvas, reaches=tight, velocities={part: _not_faint(song, part) for part in canvas.open_parts})


def _not_faint(song: Song, part: int) -> list[dict[int, float]]:
    """`Canvas.velocities` of a part that never falls below a share of what is usual for it (`SOFTEST`)."""
    usual = float(np.median(song.notes["velocity"][song.notes["part"] == part]))
    least = int(usual * SOFTEST[int(song.parts[part].is_drum)] - 1) // VELOCITY_STEP
    return [dict.fromkeys(range(max(least, 0), SIZES[VELOCITY_FIELD]), float("nan"))] * OCCASIONS


def vary_canvas(
    song: Song, share: float, rng: np.random.Generator, parts: Sequence[int] | None = None, what: str = "notes"
) -> Canvas:
    """Random beats of random ``parts`` (all) are opened until at least ``share`` (0-1) of their notes is.

    ``what`` is "notes", which are taken out and written anew, or one of `VARIED`. Beats are quarter notes from each bar
    line on. The generator is the only source of chance.

    Raises:
        OutOfRange: for a share outside 0-1, a part that the song has not, or another ``what``.
        InfeasibleCanvas: if no part sounds, or a share of 0 opens nothing.
    """
    if not 0 <= share <= 1:
        raise OutOfRange(f"share {share:g} is outside 0-1; try 0.3")
    if what != "notes" and what not in VARIED:
        raise OutOfRange(f"what is to vary, {what!r}, is not one of notes, {', '.join(VARIED)}")
    parts = _sounding(song, parts)
    beats = _beats(song)
    mine = np.flatnonzero(np.isin(song.notes["part"], parts))
    beat = np.searchsorted(ticks_to_steps(beats), notated_steps(song)[mine], side="right") - 1
    cell, of_cell = np.unique(song.notes["part"][mine].astype(np.int64) * len(beats) + beat, return_inverse=True)
    order = rng.permutation(len(cell))
    opened = np.cumsum(np.bincount(of_cell)[order])
    count = int(np.searchsorted(opened, share * len(mine))) + 1 if share > 0 else 0
    chosen = np.sort(order[:count])
    if not len(chosen):
        raise InfeasibleCanvas("a share of 0 opens nothing; ask for more")
    varied = np.zeros(len(song), bool)
    varied[mine[np.isin(of_cell, chosen)]] = True
    constraints = Constraints(pitch_ranges=own_ranges(song))
    if what != "notes":
        fields = np.where(varied, VARIED[what], 0).astype(np.uint8)
        return Canvas(song, constraints=constraints, openings=(), open_fields=fields)
    openings = _joined(cell[chosen] // len(beats), cell[chosen] % len(beats), beats, song.length)
    return Canvas(_without(song, varied), constraints=constraints, openings=openings, **_in_time(song, parts))


def tap_canvas(
    song: Song,
    taps: int,
    others: Literal["none", "together", "anywhere"] = "together",
    name: str = "Drums",
    kit: Sequence[int] = (),
) -> Canvas:
    """Tap to groove: each note of part ``taps`` becomes a stroke of a drum kit, when and as loud as it was tapped.

    Which drum it is, is open; ``others`` says where more strokes may join: nowhere, on the taps, or on any step from
    the first bar to the last. The tapped part is replaced. Two taps on one step are one. Drums are those of the
    ``kit``, any if there is none, and at most `HANDS_AND_FEET` sound at once.

    Raises:
        OutOfRange: for a part that the song has not.
        InfeasibleCanvas: if nothing is tapped.
    """
    (taps,) = _sounding(song, [taps])
    tapped = song.notes["part"] == taps
    if not tapped.any():
        raise InfeasibleCanvas(f"{part_name(song.parts[taps])} has no notes to take the rhythm from; name another part")
    steps = notated_steps(song)
    _, first = np.unique(np.where(tapped, steps, -1), return_index=True)
    kept = ~tapped
    kept[first] = True
    parts = (*song.parts[:taps], Part(name, 0, is_drum=True, role="drums"), *song.parts[taps + 1 :])
    song = song.replace(notes=song.notes[kept], parts=parts)
    tapped = song.notes["part"] == taps
    openings: tuple[Opening, ...] = ()
    if others == "anywhere":
        openings = (Opening(taps, 0, song.length),)
    elif others == "together":
        begins = np.unique(notated_steps(song)[tapped]) * STEP_TICKS
        openings = tuple(
            Opening(taps, begin, min(begin + STEP_TICKS, song.length))
            for begin in begins[begins < song.length].tolist()
        )
    fields = np.where(tapped, PITCH | DURATION, 0).astype(np.uint8)
    constraints = Constraints(polyphony={taps: HANDS_AND_FEET}, pitches={taps: tuple(kit)} if kit else {})
    return Canvas(song, constraints=constraints, openings=openings, open_fields=fields)


def layer_canvas(
    song: Song, part: int, pitches: Sequence[int] = CLOSED_HATS, bars: tuple[int, int] | None = None
) -> Canvas:
    """All of a part stays, and new notes of ``pitches`` alone join it: closed hi-hats fill in a kick and a snare.

    Raises:
        OutOfRange: for bars or a part that the song has not, or no pitches.
    """
    _sounding(song, [part])
    if not pitches or not all(0 <= pitch <= 127 for pitch in pitches):
        raise OutOfRange(f"pitches {list(pitches)} are none or outside 0-127; closed hi-hats are 42 ({DRUMS[42]})")
    begin, end = bar_span(song, bars or (1, song.bars))
    constraints = Constraints(pitches={part: tuple(pitches)})
    return Canvas(song, constraints=constraints, openings=(Opening(part, begin, min(end, song.length)),))


def whole_bars(song: Song) -> int:
    """The bars of a song without a last one that is nothing but its end, less than a step past the bar line."""
    lines = song.bar_lines()
    spills = song.bars > 1 and song.length - lines[-2] < STEP_TICKS
    return song.bars - int(spills and song.notes["onset"].max(initial=0) < lines[-2])


def bar_span(song: Song, bars: tuple[int, int]) -> tuple[int, int]:
    """The ticks [begin, end) of bars first to last, counted from 1, both included.

    Raises:
        OutOfRange: if the song has them not.
    """
    lines, (first, last) = song.bar_lines(), bars
    if not 1 <= first <= last <= len(lines) - 1:
        raise OutOfRange(
            f"bars {first}-{last} are not within 1-{len(lines) - 1}, the bars of {song.title or 'the song'}"
        )
    return int(lines[first - 1]), int(lines[last])


def _fields_canvas(song: Song, what: int, bars: tuple[int, int] | None, parts: Sequence[int], called: str) -> Canvas:
    begin, end = bar_span(song, bars or (1, song.bars))
    inside = _inside(song, begin, end) & np.isin(song.notes["part"], _sounding(song, parts))
    if not inside.any():
        raise InfeasibleCanvas(f"no note is there whose {called} could be open; name other bars or parts")
    return Canvas(song, openings=(), open_fields=np.where(inside, what, 0).astype(np.uint8))


def _sounding(song: Song, parts: Sequence[int] | None) -> list[int]:
    """The parts that are named, or else all that have notes."""
    if parts is None:
        parts = np.unique(song.notes["part"]).tolist()
        if not parts:
            raise InfeasibleCanvas(f"{song.title or 'the song'} has no notes; use `woodshed generate`")
    for part in parts:
        if not 0 <= part < len(song.parts):
            raise OutOfRange(f"part {part} is outside 0-{len(song.parts) - 1}, the song's parts")
    return sorted(set(parts))


def _inside(song: Song, begin: int, end: int) -> NDArray[np.bool_]:
    """Whether each note's step is one of the steps of these ticks."""
    steps = np.minimum(notated_steps(song), ticks_to_steps(song.bar_lines()[-1]) - 1)
    inside: NDArray[np.bool_] = (steps >= ticks_to_steps(begin)) & (steps < ticks_to_steps(end))
    return inside


def _without(song: Song, gone: NDArray[np.bool_]) -> Song:
    return song.replace(notes=song.notes[~gone])


def _beats(song: Song) -> NDArray[np.int64]:
    """Ticks of every quarter note from each bar line on."""
    bars = pairwise(song.bar_lines().tolist())
    return np.concatenate([np.arange(begin, end, TICKS_PER_QUARTER) for begin, end in bars])


def _joined(
    parts: NDArray[np.int64], beats: NDArray[np.int64], onsets: NDArray[np.int64], length: int
) -> tuple[Opening, ...]:
    """Openings of beats (given in order of part and beat), neighbours joined."""
    begins = onsets[beats]
    ends = np.minimum(np.append(onsets, length)[beats + 1], length)
    apart = np.append(True, (parts[1:] != parts[:-1]) | (beats[1:] != beats[:-1] + 1))
    first, last = np.flatnonzero(apart), np.append(np.flatnonzero(apart)[1:], len(parts)) - 1
    spans = zip(parts[first].tolist(), begins[first].tolist(), ends[last].tolist(), strict=True)
    return tuple(Opening(*span) for span in spans if span[1] < span[2])

"""Make it human: loudness and timing of the notes of a song, as a bundle would play them, at any strength."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, note_codec
from woodshed.codecs.note_step import DRUM_PROGRAM, MAX_PARTS
from woodshed.errors import InfeasibleCanvas, OutOfRange
from woodshed.generation.canvas import TIMING, VELOCITY, Canvas
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.openings import STEP_TICKS, bar_span, humanise_canvas
from woodshed.music import Song
from woodshed.music.meter import bar_of
from woodshed.music.units import TICKS_PER_QUARTER, ticks_to_steps
from woodshed.recipes.asked import parts_called, span_of
from woodshed.recipes.bands import heard_as
from woodshed.recipes.canvases import Bars
from woodshed.recipes.clip import LARGEST_SEED, Clip, settings_of
from woodshed.recipes.drum_feel import by_drummers, touch_of
from woodshed.recipes.files import MOST_CLIPS, Told, check_range
from woodshed.recipes.verbs import check_verb
from woodshed.recipes.wish import Wish
from woodshed.words import counted

WHAT = {"velocity": VELOCITY, "timing": TIMING}
"""What can be made human -> its bit of `Canvas.open_fields`."""
MOST_STRENGTH = 1.5
OF_THE_USUAL = 0.75, 0.5
"""Of onset and velocity, the share that a steady hand takes from what is usual; the rest is the model's. Timing is the
harder to foretell (`benchmarks/humanise`)."""
REACH = TICKS_PER_QUARTER // 8 - 1
"""Ticks from its step that a note is moved at most."""


def humanise(
    bundle: Bundle,
    song: Song,
    sampling: Sampling,
    *,
    what: Sequence[str] = tuple(WHAT),
    strength: float = 1.0,
    steady: bool = False,
    parts: str | None = None,
    bars: Bars = None,
    seed: int = 0,
    count: int = 1,
    on_step: Told | None = None,
) -> list[Clip]:
    """The song with another touch: which notes there are, and at which places of the grid, stays.

    ``strength`` goes from the song as it is, 0, to the touch that was drawn, 1, and beyond, to 1.5. ``steady`` plays
    what is most to be expected instead of one draw: the middle of what the model finds likely, mixed with what each
    instrument usually does at that place of the bar. Drums in 4/4 are played by the drummers that a bundle carries
    (`recipes.drum_feel`), and only the rest by the model. A note that would now ring into the next of its pitch stops
    there; otherwise lengths stay too.

    Raises:
        BundleError: if the bundle fills no canvas.
        UnknownName: for a part that does not sound.
        OutOfRange: for a strength outside 0-1.5, bars that the song has not, or another ``what``.
        InfeasibleCanvas: if no note is there.
    """
    check_verb(bundle, "humanise")
    note_codec(bundle)
    check_range("seed", seed, 0, LARGEST_SEED)
    check_range("count", count, 1, MOST_CLIPS)
    if not 0 <= strength <= MOST_STRENGTH:
        raise OutOfRange(f"strength {strength:g} is outside 0-{MOST_STRENGTH}: 0 is the song as it is, 1 as drawn")
    if unknown := [name for name in what if name not in WHAT] or (not what and ["nothing"]):
        raise OutOfRange(f"what is made human, {unknown[0]!r}, is not one of {', '.join(WHAT)}")
    if not len(song):
        raise InfeasibleCanvas(f"{song.title or 'the song'} has no notes to make human; give music that has")
    chosen = None if parts is None else parts_called(song, parts)
    fields, span = sum({WHAT[name] for name in what}), span_of(song, bars)
    groups = _groups(song, chosen, span)
    sampling, touch = replace(sampling, steady=steady), touch_of(bundle)
    told = {
        "of": song.title or None, "what": list(what), "strength": strength, "steady": steady or None, "count": count,
        "parts": parts, "open_bars": None if bars is None else list(bars),
    }  # fmt: skip
    wish, clips = Wish(bars=song.bars), []
    for number in range(count):
        made, rng = song, np.random.default_rng([seed, number])
        for turn, group in enumerate(groups if strength > 0 else ()):

            def tell(share: float, done: float = number + turn / len(groups)) -> None:
                if on_step is not None:
                    on_step((done + share / len(groups)) / count)

            canvas = humanise_canvas(made, group, span, fields)
            known = None if touch is None else by_drummers(*touch, canvas, sampling, rng)
            is_said = known is not None and _says_all(known, canvas)
            played = [made] if is_said else fill(bundle, canvas, sampling, rng, on_step=tell)
            made = blended(made, played, strength, usually(bundle, canvas) if steady else None, known)
        settings = settings_of("humanise", bundle, wish, sampling, seed, number, 1)
        settings |= {name: value for name, value in told.items() if value is not None}
        changed = _changed(song, made)
        remark = f"{counted(changed, 'note')} with another touch"
        clips.append(
            Clip(made, seed, number, settings, {"notes_changed": changed}, "; ".join([remark, *heard_as(song)]))
        )
    return clips


def usually(bundle: Bundle, canvas: Canvas) -> NDArray[np.float64]:
    """(2, notes) onset in ticks and velocity that the instruments of the canvas' notes usually have at each place of
    the bar, in the songs that the bundle learned (`training.usual_feel`); nan where nobody knows, and what is not open.
    """
    song, tables = canvas.song, bundle.style.get("feel", {})
    notes, lines = song.notes, song.bar_lines() // STEP_TICKS
    steps = ticks_to_steps(notes["onset"])
    drums = np.array([part.is_drum for part in song.parts], bool)[notes["part"]]
    programs = np.array([part.program for part in song.parts], np.int64)[notes["part"]]
    names = np.where(drums, DRUM_PROGRAM * 128 + notes["pitch"], programs * 128)
    places = steps - lines[bar_of(steps, lines)]
    pairs, of_note = np.unique(np.stack((names, places), axis=1), axis=0, return_inverse=True)
    known = np.full((len(pairs), 2), np.nan)
    for row, (name, place) in enumerate(pairs.tolist()):
        program, drum = divmod(name, 128)
        table = tables.get(f"{program}.{drum}" if program == DRUM_PROGRAM else str(program), [])
        if place in table[::3]:
            at = 3 * table[::3].index(place)
            known[row] = table[at + 1 : at + 3]
    velocity, late = known[of_note.reshape(-1)].T
    onset = np.where(canvas.fields & TIMING > 0, np.maximum(steps * STEP_TICKS + late, 0), np.nan)
    return np.stack((onset, np.where(canvas.fields & VELOCITY > 0, np.clip(velocity, 1, 127), np.nan)))


def blended(
    song: Song,
    drawn: Sequence[Song],
    strength: float,
    usual: NDArray[np.float64] | None = None,
    known: NDArray[np.float64] | None = None,
) -> Song:
    """The song, ``strength`` of the way to the median of some songs that differ from it in touch alone, mixed with what
    is ``usual`` (2, notes), where somebody knows it; or all of the way to what is ``known`` (2, notes) better.

    No note is moved to half a sixteenth or more from its step of the grid (12 to the quarter), where a musician would
    write it at another place, and none is made to ring into the next of its pitch, or beyond the song.
    """
    order = _order(song)
    old = song.notes[order]
    touched = [one.notes[_order(one)] for one in drawn]
    usual, known = (np.full((2, len(old)), np.nan) if told is None else told[:, order] for told in (usual, known))

    def meant(field: int, name: str) -> NDArray[np.int64]:
        model = np.median([one[name] for one in touched], axis=0)
        mixed = _mixed(_mixed(model, usual[field], OF_THE_USUAL[field]), known[field], 1)
        return _towards(old[name], mixed, strength)

    onset, velocity = meant(0, "onset"), meant(1, "velocity")
    grid = ticks_to_steps(old["onset"]) * STEP_TICKS
    moved = onset != old["onset"]
    onset = np.where(moved, np.clip(onset, np.maximum(grid - REACH, 0), grid + REACH), onset)
    notes = old.copy()
    notes["onset"] = np.minimum(onset, np.maximum(song.length - 1, old["onset"]))
    notes["velocity"] = np.where(velocity == old["velocity"], old["velocity"], np.clip(velocity, 1, 127))
    end = max(song.length, int(song.ends.max(initial=0)))
    notes["duration"] = np.minimum(_parted(old, notes), np.maximum(end - notes["onset"].astype(np.int64), 1))
    return song.with_notes(notes)


def _says_all(known: NDArray[np.float64], canvas: Canvas) -> bool:
    """Whether every field that is open is known."""
    opened = [canvas.fields & bit > 0 for bit in (TIMING, VELOCITY)]
    return all(not np.isnan(told[is_open]).any() for told, is_open in zip(known, opened, strict=True))


def _mixed(drawn: NDArray[np.floating], usual: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    return np.where(np.isnan(usual), drawn, drawn + share * (np.nan_to_num(usual) - drawn))


def _groups(song: Song, parts: Sequence[int] | None, bars: tuple[int, int] | None) -> list[list[int]]:
    """The parts that sound there, at most as many together as a bundle plays."""
    begin, end = bar_span(song, bars or (1, song.bars))
    inside = (song.notes["onset"] >= begin) & (song.notes["onset"] < end)
    there = np.unique(song.notes["part"][inside]).tolist()
    meant = [part for part in there if parts is None or part in parts] or list(parts or there)
    return [meant[at : at + MAX_PARTS] for at in range(0, len(meant), MAX_PARTS)]


def _towards(old: NDArray[np.integer], new: NDArray[np.floating], strength: float) -> NDArray[np.int64]:
    values: NDArray[np.int64] = np.rint(old + strength * (new - old)).astype(np.int64)
    return values


def _order(song: Song) -> NDArray[np.int64]:
    """An order of the notes that their touch does not change: the notes of a part's pitch, one after another."""
    notes = song.notes
    return np.lexsort((notes["duration"], notes["onset"], notes["pitch"], notes["part"]))


def _parted(old: NDArray[np.void], new: NDArray[np.void]) -> NDArray[np.int64]:
    """(notes,) durations, cut where a note would ring into the next of its pitch and did not before.

    A MIDI file could not tell which of the two is meant to stop. Notes are in the order of `_order`.
    """
    ends = np.stack([notes["onset"].astype(np.int64) + notes["duration"] for notes in (old, new)])
    duration: NDArray[np.int64] = new["duration"].astype(np.int64)
    same = (old["part"][1:] == old["part"][:-1]) & (old["pitch"][1:] == old["pitch"][:-1])
    rings = same & (ends[0, :-1] <= old["onset"][1:]) & (ends[1, :-1] > new["onset"][1:])
    room = new["onset"][1:].astype(np.int64) - new["onset"][:-1]
    duration[:-1] = np.where(rings, np.maximum(room, 1), duration[:-1])
    return duration


def _changed(before: Song, after: Song) -> int:
    """How many notes of ``after`` are not, to the last bit, notes of ``before``."""
    rows, counts = np.unique(np.concatenate((before.notes, after.notes)), return_counts=True)
    return len(before) - int((counts // 2).sum()) if len(rows) else 0

"""A solo of a bundle that fills canvases: in the key and over the chords of a backing, in phrases that breathe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.codecs.note_step import DRUM_PROGRAM, program_name
from woodshed.errors import InfeasibleCanvas, UsageError
from woodshed.generation.canvas import (
    Canvas,
    Constraints,
    Opening,
    check_parts,
    known_programs,
    melody_program,
    usual_ranges,
)
from woodshed.generation.choose import open_notes
from woodshed.generation.filters import Sampling
from woodshed.generation.openings import STEP_TICKS, accompany_canvas, bar_span
from woodshed.generation.progressions import chords_of
from woodshed.music import Key, Marker, Part, Song
from woodshed.music.chord_sheet import chord_text
from woodshed.music.form import Section, find_form
from woodshed.music.general_midi import family
from woodshed.music.key_finding import find_key
from woodshed.recipes.asked import with_wish
from woodshed.recipes.bands import Telling, heard_as, play_canvas
from woodshed.recipes.clip import Clip
from woodshed.recipes.files import Told
from woodshed.recipes.rules import Curve
from woodshed.recipes.wish import Wish, only_range
from woodshed.words import counted

LEAD, BASS = (52, 88), (28, 60)
"""Lowest and highest pitch of a solo that no range is asked for: E3 to E6 of a guitar, E1 to C4 of a bass."""
NO_LEADS = (44, 45, 46, 47)
"""Of the strings: tremolo and pizzicato, harp, timpani."""
LEADING = ("guitar", "synth lead", "reed", "pipe", "brass", "strings", "organ", "piano", "ethnic")
"""Families of General MIDI whose instruments play solos."""
PHRASE_BARS = 4
FORM_TOLD = 16
"""Sections of a backing that are told."""
BREATHS = (0.25, 0.375, 0.5, 0.75)
"""Shares of a phrase's last bar in which no note starts: one of them, by chance."""
RINGING = 0.5
"""Of a breath, so much may be sung over by the note before it."""
ARC = Curve((4, 7, 5), bends=True)
"""How dense a solo is where no density is asked for and no pace is known: it sets out, has its height, and ends."""
CHORD_PULL = 1.0
"""Of chords that were found: log-odds of their tones, beside those of the key."""


@dataclass(frozen=True)
class Ground:
    """What a backing is found, or told, to be."""

    key: Key
    asked: bool
    """Whether the key was named: then no note of the solo leaves it."""
    chords: NDArray[Any]
    form: tuple[Section, ...]


def play_band_solo(
    bundle: Bundle,
    backing: Song,
    name: str,
    bars: tuple[int, int],
    wish: Wish,
    sampling: Sampling,
    *,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None = None,
) -> list[Clip]:
    """The backing, note for note, with a solo in ``bars`` (counted from 1, both included) and markers at its ends.

    The solo plays one note at a time unless a polyphony is asked for. In a key that was found, and over chords that
    were, foreign tones stay possible; a key that is named, and chords that are, it never leaves.

    Raises:
        UnknownName: for an instrument that the bundle heard nothing like.
        UsageError: for drums alone without a key.
        InfeasibleCanvas: for constraints that contradict each other.
    """
    part = wish.parts[0] if wish.parts else Part("Solo", lead_program(bundle, backing), role="lead")
    check_parts(bundle, (part,))
    ground = ground_of(backing, name, wish.key)
    low, high = register_of(bundle, wish, part)
    solo, begin, end = len(backing.parts), *bar_span(backing, bars)
    blank = as_learned(bundle, accompany_canvas(bundle, backing, (part,), bars), solo, wish)
    if not blank.pace and "density" not in wish.rules.levels:
        wish = replace(wish, rules=replace(wish.rules, levels={**wish.rules.levels, "density": ARC}))
    constraints = Constraints(
        key=ground.key,
        strict_key=ground.asked,
        pitch_ranges={solo: (low, high)},
        polyphony={solo: wish.polyphony or 1},
        chords=ground.chords,
        strict_chords=False,
        chord_pull=CHORD_PULL,
    )
    plain = replace(wish, polyphony=None, ranges={}, parts=None)

    def build(rng: np.random.Generator) -> Canvas:
        openings = phrases(blank.song, bars, ground.form, rng)
        spans = tuple(Opening(solo, *span) for span in openings)
        return with_wish(replace(blank, openings=spans, constraints=constraints), plain)

    def marked(song: Song, canvas: Canvas) -> Song:
        notes = song.notes.copy()
        notes["duration"] = _breathing(notes, solo, canvas, min(end, song.length))
        ends = (Marker(begin, f"solo in {ground.key}"), Marker(min(end, song.length), "end of solo"))
        markers = tuple(sorted((*song.markers, *ends), key=lambda marker: marker.onset))
        return song.with_notes(notes).replace(markers=markers)

    names = [section.name for section in ground.form]
    form = " ".join(names[:FORM_TOLD]) + (" ..." if len(names) > FORM_TOLD else "")
    how = "as asked" if ground.asked else "found"
    lines = backing.bar_lines()
    told = {
        "over": name, "at_bar": bars[0], "key_of_solo": str(ground.key), "key_asked": ground.asked,
        "chords_heard": chord_text(ground.chords, lines[bars[0] - 1 : bars[1] + 1]), "form": form,
    }  # fmt: skip
    where = f"bar {bars[0]}" if bars[0] == bars[1] else f"bars {bars[0]}-{bars[1]}"
    chosen = () if wish.parts else (f"played by {program_name(part.program)}",)
    line = f"solo in {where} in {ground.key} ({how}), form {form}"
    telling = Telling(told, told, (line, *chosen, *heard_as(backing)))
    clips = play_canvas(
        "solo", bundle, replace(wish, bars=bars[1] - bars[0] + 1), sampling, build,
        seed=seed, count=count, candidates=candidates, on_step=on_step, told=telling, finish=marked, judge=monotony,
    )  # fmt: skip
    return [_counted(clip, solo) for clip in clips]


def ground_of(backing: Song, name: str, key: Key | None) -> Ground:
    """Key, chords and form of a backing: those stated, or else found.

    Raises:
        UsageError: for drums alone, of which no key is found.
    """
    drums = np.array([part.is_drum for part in backing.parts], bool)
    if key is None and drums[backing.notes["part"]].all():
        raise UsageError(f"{name} has only drums, so no key is found in it; name one, such as --key 'F minor'")
    return Ground(key or find_key(backing).key, key is not None, chords_of(backing), find_form(backing))


def lead_program(bundle: Bundle, backing: Song) -> int:
    """The instrument that plays the solo, if none is named: of those learned that lead, the one in the most songs.

    It is one that the backing has not, if there is such a one: who plays the rhythm does not also play the solo.
    """
    learned = bundle.style.get("instruments", {})
    here = {part.program for part in backing.parts if not part.is_drum}
    able = [program for program in known_programs(bundle) if program < DRUM_PROGRAM and family(program) in LEADING]
    able = [program for program in able if program not in NO_LEADS]

    def suits(program: int) -> tuple[bool, int, int]:
        facts = learned[str(program)]
        return program not in here, facts.get("songs", 0), facts.get("notes", 0)

    return max(sorted(able), key=suits, default=min(melody_program(bundle), DRUM_PROGRAM - 1))


def monotony(song: Song, canvas: Canvas) -> float:
    """What is wrong with a solo that stays on one pitch: by how much more than a third of its notes do, x 4."""
    notes = open_notes(song, canvas)
    if len(notes) < 2:
        return 1.0
    same = np.diff(notes["pitch"][np.argsort(notes["onset"], kind="stable")]) == 0
    return 4 * max(float(same.mean()) - 1 / 3, 0.0)


def as_learned(bundle: Bundle, canvas: Canvas, solo: int, wish: Wish) -> Canvas:
    """The canvas with what is known of the lines that lead in the learned songs, if anything is: how far apart their
    notes lie, at what pace they come, and how much of the time they sound."""
    lead = bundle.style.get("lead")
    if not lead:
        return canvas
    own = {} if (wish.polyphony or 1) > 1 else {solo: (*lead["intervals"], lead["favourite"])}
    return replace(canvas, line=own, pace={solo: lead["pace"]}, sounding={solo: lead["sounding"]})


def register_of(bundle: Bundle, wish: Wish, part: Part) -> tuple[int, int]:
    """As asked, else where both a lead plays and the bundle heard the instrument, if that is at least an octave."""
    asked = only_range(wish, "solo", part)
    if asked is not None:
        return asked
    low, high = BASS if family(part.program) == "bass" else LEAD
    usual = usual_ranges(bundle, (part,)).get(0, (low, high))
    both = max(low, usual[0]), min(high, usual[1])
    return both if both[1] - both[0] >= 12 else (low, high)


def phrases(
    song: Song, bars: tuple[int, int], form: tuple[Section, ...], rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Ticks in which notes may start: phrases of up to four bars, none over the end of a section, each with a breath.

    The last bar of all is left after its first beat, so that the solo comes to rest.
    """
    lines = song.bar_lines()
    turns = {section.first for section in form}
    spans, first = [], bars[0]
    for bar in range(bars[0], bars[1] + 1):
        if bar != bars[1] and bar - first + 1 < PHRASE_BARS and bar + 1 not in turns:
            continue
        size = int(lines[bar] - lines[bar - 1])
        breath = 0.75 if bar == bars[1] and bar > first else float(rng.choice(BREATHS))
        end = int(lines[bar]) - int(size * breath) // STEP_TICKS * STEP_TICKS
        spans.append((int(lines[first - 1]), max(end, int(lines[first - 1]) + STEP_TICKS)))
        first = bar + 1
    return spans


def _breathing(notes: NDArray[Any], solo: int, canvas: Canvas, end: int) -> NDArray[np.int64]:
    """(notes,) durations: those of the solo are cut where they ring far into a breath, or beyond its last bar."""
    duration: NDArray[np.int64] = notes["duration"].astype(np.int64)
    onset = notes["onset"].astype(np.int64)
    spans = sorted((span.begin, span.end) for span in canvas.spans)
    begins, stops = np.array(spans, np.int64).T
    nexts = np.append(begins[1:], end)
    at = np.clip(np.searchsorted(begins, onset, side="right") - 1, 0, len(spans) - 1)
    latest = stops[at] + ((nexts[at] - stops[at]) * RINGING).astype(np.int64)
    return np.where(notes["part"] == solo, np.clip(latest - onset, 1, duration), duration)


def _counted(clip: Clip, solo: int) -> Clip:
    notes = int((clip.song.notes["part"] == solo).sum())
    if not notes:
        raise InfeasibleCanvas("no note of a solo was played; raise the temperature, or ask for more --density")
    return replace(
        clip, remark=f"{counted(notes, 'note')} of {clip.remark}", findings={**clip.findings, "solo_notes": notes}
    )

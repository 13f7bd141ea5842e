"""Verbs of bundles that fill a canvas: redo some bars, play along, add voices, vary; see `generation.openings`.

All take a song and give it back with what was open filled; what was not comes back bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypedDict, Unpack

import numpy as np

from woodshed.bundle import Bundle
from woodshed.bundle.kinds import note_codec
from woodshed.errors import InfeasibleCanvas, OutOfRange, UsageError
from woodshed.generation.canvas import Canvas, Opening
from woodshed.generation.casting import drummed
from woodshed.generation.filters import Sampling
from woodshed.generation.finish import shorten
from woodshed.generation.openings import (
    STEP_TICKS,
    VARIED,
    VOICES_PULL,
    accompany_canvas,
    bar_span,
    infill_canvas,
    layer_canvas,
    pitches_canvas,
    tap_canvas,
    vary_canvas,
    whole_bars,
)
from woodshed.music import Part, Song, part_name
from woodshed.music.general_midi import family
from woodshed.music.segments import pitched_notes
from woodshed.music.units import ticks_to_steps
from woodshed.recipes.asked import parts_called, span_of, with_wish
from woodshed.recipes.bands import Build, Telling, heard_as, names_of, play_canvas
from woodshed.recipes.clip import CANDIDATES, Clip
from woodshed.recipes.files import Told
from woodshed.recipes.rules import refuse_rules
from woodshed.recipes.verbs import check_verb
from woodshed.recipes.wish import Wish, keep_frame
from woodshed.words import listed

Bars = tuple[int, int | None] | None
"""The first and the last, counted from 1; None is the end, and None for both is all."""
SINGULAR = {"note": "notes", "pitch": "pitches", "duration": "durations", "velocity": "velocities"}
"""What may be typed too for what varies."""


class Draw(TypedDict, total=False):
    """How many, and by what chance."""

    seed: int
    count: int
    candidates: int
    on_step: Told | None


def infill(
    bundle: Bundle,
    song: Song,
    wish: Wish,
    sampling: Sampling,
    *,
    bars: Bars = None,
    parts: str | None = None,
    what: str = "notes",
    add: Sequence[int] = (),
    **draw: Unpack[Draw],
) -> list[Clip]:
    """``bars`` of ``parts`` anew; or only the ``"pitches"`` of their notes; or all stays, and drums are ``add`` ed.

    Raises:
        BundleError: if the bundle fills no canvas.
        UnknownName: for a part that does not sound.
        OutOfRange: for bars that the song has not.
        UsageError: if neither bars nor parts are named, or what does not go together.
        InfeasibleCanvas: if nothing would be open, or constraints contradict each other.
    """
    _check(bundle, "infill", wish)
    what = SINGULAR.get(what, what)
    if bars is None and parts is None:
        raise UsageError("nothing is named to be written anew; name bars, parts or both: --bars 5-8 --parts guitar")
    if what not in ("notes", "pitches"):
        raise OutOfRange(f"what is written anew, {what!r}, is notes or pitches; `vary` opens other fields")
    if add and (what != "notes" or parts is None):
        raise UsageError("drums are added to one part, whose notes stay; name it with --parts, and leave --what out")
    chosen = None if parts is None else parts_called(song, parts)
    if add and len(chosen or ()) != 1:
        raise UsageError(f"drums are added to one part, and {parts!r} are {len(chosen or ())}; name one")
    if add and chosen and not song.parts[chosen[0]].is_drum:
        raise UsageError(f"drums are added to a part of drums, and {part_name(song.parts[chosen[0]])} is none")
    span = span_of(song, bars)
    if add and chosen:
        canvas = layer_canvas(song, chosen[0], add, span)
    elif what == "pitches":
        canvas = pitches_canvas(song, span, chosen)
    else:
        canvas = infill_canvas(song, span or (1, song.bars), chosen)
    return _fill("infill", bundle, song, wish, sampling, canvas, {"what": what, "add": list(add) or None}, span, draw)


def accompany(
    bundle: Bundle,
    song: Song,
    wish: Wish,
    sampling: Sampling,
    *,
    bars: Bars = None,
    **draw: Unpack[Draw],
) -> list[Clip]:
    """New parts, ``wish.parts``, beside those of the song.

    Raises:
        BundleError: if the bundle fills no canvas.
        UnknownName: for an instrument that the bundle heard nothing like, with the nearest.
        OutOfRange: for bars that the song has not.
        InfeasibleCanvas: if no part is named, or constraints contradict each other.
    """
    _check(bundle, "accompany", replace(wish, parts=None))
    if not len(song):
        raise InfeasibleCanvas(f"{song.title or 'the song'} has no notes to play along with; use `woodshed generate`")
    if not wish.parts:
        raise UsageError("no new part is named; name some with --parts, such as --parts 'bass, drums'")
    span = span_of(song, bars)
    canvas = accompany_canvas(bundle, song, wish.parts, span, np.random.default_rng(draw.get("seed", 0)))
    return _fill("accompany", bundle, song, wish, sampling, canvas, {}, span, draw, _there_already(song, wish.parts))


def play_taps(
    bundle: Bundle,
    song: Song,
    wish: Wish,
    sampling: Sampling,
    *,
    taps: str,
    others: Literal["none", "together", "anywhere"] = "together",
    **draw: Unpack[Draw],
) -> list[Clip]:
    """The rhythm of one part, as a drum kit plays it: when and how loud is as tapped, which drums is open.

    Raises:
        BundleError: if the bundle fills no canvas.
        UnknownName: for a part that does not sound.
        UsageError: for several parts, or other new ones than drums.
    """
    _check(bundle, "accompany", replace(wish, parts=None))
    if any(not part.is_drum for part in wish.parts or ()):
        raise UsageError("taps are played on drums; leave --parts out, and add other parts afterwards")
    found = parts_called(song, taps)
    if len(found) != 1:
        raise UsageError(
            f"one part is tapped, and {taps!r} are {len(found)}: {listed(names_of(song, found))}; name one"
        )
    drums = (Part("Drums", 0, is_drum=True),)
    kit = drummed(bundle, np.random.default_rng(draw.get("seed", 0)), drums)["kit"]
    canvas = tap_canvas(song, found[0], others, kit=kit)
    return _fill("accompany", bundle, song, replace(wish, parts=None), sampling, canvas, {"taps": taps}, None, draw)


def add_voices(
    bundle: Bundle, song: Song, wish: Wish, sampling: Sampling, *, bars: Bars = None, **draw: Unpack[Draw]
) -> list[Clip]:
    """New parts, ``wish.parts``, that move together with the pitched notes of the song, one note at a time each.

    Raises:
        As `accompany`; UsageError for drums.
    """
    _check(bundle, "harmonise", replace(wish, parts=None))
    if not len(pitched_notes(song.notes, song.parts)):
        raise InfeasibleCanvas(f"{song.title or 'the song'} has no pitched note to find voices for; use `accompany`")
    if not wish.parts or any(part.is_drum for part in wish.parts):
        raise UsageError("name the voices to be found with --parts, such as --parts 'alto, tenor'; drums are no voice")
    canvas = _voices_canvas(bundle, song, wish.parts, span_of(song, bars))
    wish = replace(wish, polyphony=wish.polyphony or 1)
    clips = _fill("harmonise", bundle, song, wish, sampling, canvas, {}, span_of(song, bars), draw)
    most = wish.polyphony or 1
    return [replace(clip, song=_together(clip.song, song, canvas.open_parts, most)) for clip in clips]


def vary(
    bundle: Bundle,
    song: Song,
    wish: Wish,
    sampling: Sampling,
    *,
    by: float = 0.3,
    what: str = "notes",
    parts: str | None = None,
    **draw: Unpack[Draw],
) -> list[Clip]:
    """The song with a share, ``by``, of its notes written anew, beats of parts taken at random; 0 is the song itself.

    ``what`` is notes, or what of them is new while the rest of each stays, one of `VARIED`.

    Raises:
        BundleError: if the bundle fills no canvas.
        UnknownName: for a part that does not sound.
        OutOfRange: for a share outside 0-1, or another ``what``.
    """
    _check(bundle, "vary", wish)
    what = SINGULAR.get(what, what)
    if not 0 <= by <= 1:
        raise OutOfRange(f"by {by:g} is outside 0-1: 0 is the song itself, 1 is all new; try 0.3")
    if what != "notes" and what not in VARIED:
        raise OutOfRange(f"what varies, {what!r}, is not one of notes, {', '.join(VARIED)}")
    chosen = None if parts is None else parts_called(song, parts)
    if not len(song):
        raise InfeasibleCanvas(f"{song.title or 'the song'} has no notes to vary; use `woodshed generate`")
    settings = {"by": by, "what": what}
    if by == 0:
        return _unchanged("vary", bundle, song, wish, sampling, settings, draw)

    def build(rng: np.random.Generator) -> Canvas:
        return with_wish(vary_canvas(song, by, rng, chosen, what), wish)

    return _fill("vary", bundle, song, wish, sampling, build, settings, None, draw)


def refuse_canvas(bundle: Bundle, verb: str, wish: Wish, **others: object) -> None:
    """Raise `UsageError` if anything is asked for that a bundle of another kind cannot obey when it does ``verb``.

    ``others`` are options by name, None where they are not given.
    """
    refuse_rules(wish.rules, bundle.recipe)
    own = {
        "key": wish.key, "chords": wish.chords, "chords-from": wish.sheet, "polyphony": wish.polyphony,
        "range": wish.ranges or None, "parts": wish.parts, **others,
    }  # fmt: skip
    if named := [name for name, value in own.items() if value is not None]:
        raise UsageError(f"{bundle.recipe} cannot {verb} with --{named[0]}; that is for recipe band: leave it out")


def refuse_choir(bundle: Bundle, voices: bool, parallels: bool) -> None:
    """Raise `UsageError` if voices or parallels of a choir are asked of another bundle."""
    if voices or parallels:
        named = "--voices" if voices else "--parallels"
        raise UsageError(f"{named} is for recipe chorale; {bundle.recipe} finds voices for --parts, such as 'violin'")


def _unchanged(
    verb: str, bundle: Bundle, song: Song, wish: Wish, sampling: Sampling, settings: dict[str, object], draw: Draw
) -> list[Clip]:
    from woodshed.recipes.clip import settings_of

    seed, count = draw.get("seed", 0), draw.get("count", 1)
    return [
        Clip(song, seed, number, {**settings_of(verb, bundle, wish, sampling, seed, number, 1), **settings})
        for number in range(count)
    ]


def _fill(
    verb: str,
    bundle: Bundle,
    song: Song,
    wish: Wish,
    sampling: Sampling,
    canvas: Canvas | Build,
    settings: dict[str, object],
    bars: tuple[int, int] | None,
    draw: Draw,
    more: Sequence[str] = (),
) -> list[Clip]:
    """Play one canvas, or one for each set of candidates; ``more`` is what else is told of it."""
    wish = replace(wish, bars=song.bars if bars is None else bars[1] - bars[0] + 1)
    fixed = with_wish(canvas, wish) if isinstance(canvas, Canvas) else None
    build: Build = (lambda _: fixed) if fixed is not None else canvas  # type: ignore[assignment]
    open_parts = [] if fixed is None else names_of(fixed.song, list(fixed.open_parts))
    told = {
        **{name: value for name, value in settings.items() if value is not None},
        "open_parts": open_parts or None,
        "open_bars": None if bars is None else list(bars),
    }
    where = (
        "" if bars is None else f" in bar{'s' if bars[0] != bars[1] else ''} {'-'.join(map(str, sorted(set(bars))))}"
    )
    remarks = [f"new: {listed(open_parts)}{where}"] if open_parts else []
    telling = Telling(
        settings={"of": song.title or None, **{name: value for name, value in told.items() if value is not None}},
        remarks=(*remarks, *more, *heard_as(song)),
    )
    return play_canvas(
        verb, bundle, wish, sampling, build,
        seed=draw.get("seed", 0), count=draw.get("count", 1), candidates=draw.get("candidates", CANDIDATES),
        on_step=draw.get("on_step"), told=telling,
    )  # fmt: skip


def _there_already(song: Song, new: Sequence[Part]) -> list[str]:
    """A line each for drums and a bass that join others: two of these at once are seldom meant."""
    sounding = [song.parts[part] for part in np.unique(song.notes["part"])]
    old, joining = ({"drums" if part.is_drum else family(part.program) for part in parts} for parts in (sounding, new))
    return [f"the music had {name} already, and has two now" for name in ("drums", "bass") if name in old & joining]


def _voices_canvas(bundle: Bundle, song: Song, parts: Sequence[Part], bars: tuple[int, int] | None) -> Canvas:
    """New parts that may start a note only where a pitched note of the song starts."""
    canvas = accompany_canvas(bundle, song, parts, bars)
    begin, end = bar_span(canvas.song, bars or (1, whole_bars(canvas.song)))
    steps = np.unique(ticks_to_steps(pitched_notes(song.notes, song.parts)["onset"]))
    ticks = steps * STEP_TICKS
    ticks = ticks[(ticks >= begin) & (ticks < end)].tolist()
    if not ticks:
        raise InfeasibleCanvas(
            f"no pitched note starts in bars {bars[0]}-{bars[1]}; name others" if bars else "no note"
        )
    openings = tuple(Opening(part, tick, min(tick + STEP_TICKS, end)) for part in canvas.open_parts for tick in ticks)
    lead = bundle.style.get("lead")
    line = dict.fromkeys(canvas.open_parts, (*lead["intervals"], lead["favourite"])) if lead else {}
    constraints = replace(canvas.constraints, chord_pull=VOICES_PULL)
    return replace(canvas, openings=openings, line=line, constraints=constraints)


def _together(answer: Song, given: Song, voices: Sequence[int], most: int) -> Song:
    """The answer with each new note just when the first given one of its step starts."""
    tune = pitched_notes(given.notes, given.parts)
    steps, first = np.unique(ticks_to_steps(tune["onset"]), return_index=True)
    notes = answer.notes.copy()
    new = np.isin(notes["part"], voices)
    at = np.searchsorted(steps * STEP_TICKS, notes["onset"][new], side="right") - 1
    notes["onset"][new] = tune["onset"][first[at]]
    sung = [shorten(notes[notes["part"] == voice], most) for voice in voices]
    return answer.with_notes(np.concatenate((notes[~new], *sung)))


def _check(bundle: Bundle, verb: str, wish: Wish) -> None:
    check_verb(bundle, verb)
    note_codec(bundle)
    keep_frame(wish, "the song's")

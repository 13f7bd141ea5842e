"""Who plays: instruments as a bundle has heard them, and the nearest to those that it has not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.bundle.blended_style import song_shares
from woodshed.codecs.note_step import DRUM_PROGRAM, MAX_PARTS, program_name
from woodshed.codecs.past import LAGS
from woodshed.errors import InfeasibleCanvas, OutOfRange, UnknownName
from woodshed.music import Meter, Part, Song, part_name
from woodshed.music.backbeat import KICKS, SNARES
from woodshed.music.general_midi import COMPASS, family
from woodshed.music.units import STEPS_PER_QUARTER

HABITS = ("pace", "lengths", "centres", "voices", "grids", "reaches", "note_values", "velocities")
"""What an arrangement says of each part beside how much of the time it sounds."""
LEAST_PRESENCE = 0.25
"""The share of the bars in which a part must play to be of a line-up."""
PASSAGES_EVERY = 4
"""Bars: a passage of a learned song may begin at each of so many."""
REGISTER = 5
"""Semitones that a continued part may go beyond its own range."""


def usual_ranges(bundle: Bundle, parts: Sequence[Part]) -> dict[int, tuple[int, int]]:
    """Part index -> where the bundle usually heard its instrument, or the nearest to it; drums are free.

    A range of less than an octave is widened, so that it has room in any key. That of the nearest to an instrument that
    was not heard is moved by octaves to where this one plays: a bundle that knows a contrabass has no violin so low.
    """
    instruments = bundle.style.get("instruments", {})
    known = known_programs(bundle)
    ranges = {}
    for index, part in enumerate(parts):
        program = str(nearest_program(program_of(part), known)) if known else ""
        if not part.is_drum and "usual_range" in instruments.get(program, {}):
            low, high = instruments[program]["usual_range"]
            room = REGISTER if high - low < 12 else 0
            usual = max(int(low) - room, 0), min(int(high) + room, 127)
            ranges[index] = usual if part.program in known else _within_compass(usual, part.program)
    return ranges


def _within_compass(usual: tuple[int, int], program: int) -> tuple[int, int]:
    """A range moved by octaves to the middle of an instrument's compass, and cut to it; all of this, if less than
    an octave is left."""
    if program not in COMPASS:
        return usual
    lowest, highest = COMPASS[program]
    up = 12 * round((lowest + highest - sum(usual)) / 24)
    low, high = max(usual[0] + up, lowest), min(usual[1] + up, highest)
    return (low, high) if high - low >= 12 else (lowest, highest)


def own_ranges(song: Song) -> dict[int, tuple[int, int]]:
    """Part index -> the range of its notes, a fourth wider on either side; drums are free."""
    ranges = {}
    for index in np.unique(song.notes["part"]):
        pitch = song.notes["pitch"][song.notes["part"] == index].astype(int)
        if not song.parts[index].is_drum:
            ranges[int(index)] = max(int(pitch.min()) - REGISTER, 0), min(int(pitch.max()) + REGISTER, 127)
    return ranges


def drummed(bundle: Bundle, rng: np.random.Generator, parts: Sequence[Part]) -> dict[str, Any]:
    """`line_up` of ``parts`` that join music: where drums are among them, one of a song with a kick and with a snare on
    a later beat of the bar, if there is such a song. Not every learned song has drums that would do for another."""
    songs = bundle.style.get("arrangements", [])
    able = [song for song in songs if _has_a_beat(song)] if any(part.is_drum for part in parts) else []
    style = {**bundle.style, "arrangements": able} if able else bundle.style
    return line_up(replace(bundle, style=style), rng, asked=parts)


def _has_a_beat(song: Mapping[str, Any]) -> bool:
    struck = {row[0]: row[1:] for row in song.get("strokes", [])}
    snares = [place for drum in SNARES for place in struck.get(drum, ())]
    return any(drum in struck for drum in KICKS) and any(place and place % STEPS_PER_QUARTER == 0 for place in snares)


def loudness_of(learned: Mapping[str, Any], first: int = 0) -> dict[int, list[dict[int, float]]]:
    """Part, from the ``first`` on -> how loud it is in a `line_up` (`Canvas.velocities`), if that is known."""
    heard = enumerate(learned["velocities"], first)
    return {part: [shares_of(pairs) for pairs in own] for part, own in heard if own is not None}


def strokes_of(learned: Mapping[str, Any], song: Song) -> dict[int, tuple[int, ...]]:
    """`Canvas.strokes` of a `line_up`, for a song with bars as long as those of the learned one; else none."""
    same = set(np.diff(song.bar_lines()).tolist()) == {Meter.parse(learned["meter"]).bar_ticks}
    return {row[0]: tuple(row[1:]) for row in learned["strokes"]} if same else {}


def shares_of(pairs: Sequence[float]) -> dict[int, float]:
    """Values and their shares from [value, share, value, share ...]."""
    return {int(value): share for value, share in zip(pairs[::2], pairs[1::2], strict=True)}


def slot_order(song: Song) -> tuple[Part, ...]:
    """The parts in the codec's order: drums, basses, the rest by program."""
    return tuple(sorted(song.parts, key=lambda part: (not part.is_drum, part.program // 8 != 4, part.program)))


def check_parts(bundle: Bundle, parts: Sequence[Part]) -> None:
    """Raise unless there are at most 16 parts, each of an instrument family that the bundle has heard.

    A part whose own program was never heard is played as its nearest kin would be, see `nearest_program`.
    """
    if len(parts) > MAX_PARTS:
        raise OutOfRange(f"{len(parts)} parts are more than {MAX_PARTS}; name fewer")
    known = known_programs(bundle)
    for part in parts:
        if known and not any(_related(program_of(part), other) for other in known):
            near = program_name(nearest_program(program_of(part), known))
            heard = ", ".join(f"{program_name(program)} ({program})" for program in sorted(known))
            raise UnknownName(
                f"part {part_name(part)!r} is like nothing that this bundle learned, the nearest is {near}; "
                f"name some of: {heard}"
            )


def known_programs(bundle: Bundle) -> set[int]:
    """The programs (128 is drums) that the bundle has heard."""
    return {int(program) for program in bundle.style.get("instruments", {})}


def melody_program(bundle: Bundle) -> int:
    """The program that the bundle would play a melody with."""
    instruments = bundle.style.get("instruments", {})

    def suits(program: int) -> tuple[bool, int, int]:
        facts = instruments[str(program)]
        return family(program) != "bass", facts.get("songs", 0), facts.get("notes", 0)

    pitched = [program for program in known_programs(bundle) if program != DRUM_PROGRAM]
    return max(sorted(pitched), key=suits, default=0)


def program_of(part: Part) -> int:
    """A part's program as the codec numbers them (128 is drums)."""
    return DRUM_PROGRAM if part.is_drum else part.program


def nearest_program(program: int, known: set[int]) -> int:
    """The known program most like ``program``: the same, the same family, else the closest number."""
    if program in known:
        return program
    drums = program == DRUM_PROGRAM
    alike = [p for p in known if (p == DRUM_PROGRAM) == drums] or sorted(known)
    if not alike:
        return program

    def unlike(other: int) -> tuple[bool, int, int]:
        return not _related(program, other), abs(other - program), other

    return min(alike, key=unlike)


def as_known(part: Part, bundle: Bundle) -> Part:
    """The part with the program, of those that the bundle has heard, that is most like its own."""
    return part_of(nearest_program(program_of(part), known_programs(bundle)))


def part_of(program: int, name: str = "") -> Part:
    """A part for a program as the codec numbers them (128 is drums)."""
    name = name or program_name(program)
    return Part(name, 0, is_drum=True) if program == DRUM_PROGRAM else Part(name, program)


def line_up(
    bundle: Bundle,
    rng: np.random.Generator,
    without: Sequence[Part] = (),
    bars: int = 1,
    asked: Sequence[Part] | None = None,
    meter: Meter | None = None,
) -> dict[str, Any]:
    """Who plays in so many ``bars`` of one learned song, and how.

    ``parts`` play in at least a quarter of them. ``first_bar`` is where in the song they are, and ``plays``
    (parts, bars) says in which of them each part does: above 0. ``sounding`` is the share of these that each part
    sounds, None where that is not known, as for its `HABITS` (see `Canvas`).
    ``again`` (parts, bars) is how many bars back stands the bar that a part plays again, 0 for what is new. Beside that
    the song's ``bpm``, ``meter``, ``key`` (or None) and ``kit`` of drums, the level of ``density`` of each of its bars,
    how many bars back stands what ``returns`` in each, its ``chords`` (or None) as text, and how much of what is new
    ``repeats`` (2, 3) all the same.

    Where parts are ``asked``, the song is one of those in which most of them have kin, the bars are those in which
    these play most, and each row of ``plays``, ``sounding`` and ``again`` is that of the kin (or of a part that is not
    there: it plays throughout, and all is new).

    Instruments of ``without`` are left out. Where a ``meter`` is asked for, the song is in it if any is: a bar of 6/8
    is as long as one of 3/4, but no waltz.

    Raises:
        InfeasibleCanvas: if they leave nobody in any learned song.
    """
    style = bundle.style
    songs = style.get("arrangements") or [
        {"programs": [0], "presence": [1.0], "bpm": style.get("bpm", 120.0), "meter": "4/4"}
    ]
    forbidden = {program_of(part) for part in without}
    if forbidden:
        songs = [song for song in songs if set(song["programs"]) - forbidden]
    if not songs:
        names = ", ".join(dict.fromkeys(part_name(part) for part in without))
        raise InfeasibleCanvas(
            f"without {names} nobody is left of any song that was learned; forbid fewer, or name parts"
        )
    songs = [song for song in songs if meter is not None and song["meter"] == str(meter)] or songs
    if asked is not None:
        return _like_asked(songs, asked, bars, rng)
    song = songs[_drawn(song_shares(songs), rng)]
    allowed = [slot for slot, program in enumerate(song["programs"]) if program not in forbidden]
    first_bar, plays, again = _passage(song, bars, allowed, rng)
    shares = plays.mean(1)
    least = min(LEAST_PRESENCE, shares[allowed].max())
    slots = [slot for slot in allowed if shares[slot] >= least]
    names = style.get("instruments", {})
    programs = _chosen(song["programs"], slots)
    parts = [part_of(program, names.get(str(program), {}).get("name", "")) for program in programs]
    found = {"parts": parts, "first_bar": first_bar}
    found |= {name: _chosen(song.get(name), slots) for name in ("sounding", *HABITS)}
    return {**found, "plays": plays[slots], "again": again[slots], **_form(song, again[slots])}


def _form(song: Mapping[str, Any], again: NDArray[np.int64]) -> dict[str, Any]:
    """What `line_up` says of a learned song as a whole; how much repeats, of what is not played ``again``."""
    repeats = _shares(song.get("varied") if again.any() else song.get("repeats"))
    form = {name: song.get(name, []) for name in ("density", "returns", "kit", "strokes")} | {
        "chords": song.get("chords")
    }
    return {"bpm": float(song["bpm"]), "meter": song["meter"], "key": song.get("key"), "repeats": repeats, **form}


def _like_asked(
    songs: Sequence[Mapping[str, Any]], asked: Sequence[Part], bars: int, rng: np.random.Generator
) -> dict[str, Any]:
    """`line_up` for parts that are asked for."""
    kin = [_kin(asked, song["programs"]) for song in songs]
    most = max(len({slot for slot in slots if slot is not None}) for slots in kin)
    fit = [at for at, slots in enumerate(kin) if len({slot for slot in slots if slot is not None}) == most]
    chosen = fit[_drawn([song_shares(songs)[at] for at in fit], rng)]
    song, slots = songs[chosen], kin[chosen]
    known = [part for part, slot in enumerate(slots) if slot is not None]
    of_known = [slot for slot in slots if slot is not None]
    first_bar, _, again = _passage(song, bars, of_known or range(len(song["programs"])), rng, all_play=True)
    rows = np.zeros((len(asked), bars), np.int64)
    rows[known] = again[of_known]
    whole = np.ones((len(asked), bars))
    form = {name: _chosen(song.get(name), slots) for name in HABITS}
    form["grids"] = [None if grid is None else sorted({0, *grid}) for grid in form["grids"]]  # an echo's kin is no echo
    return form | {"parts": list(asked), "first_bar": first_bar, "plays": whole, "again": rows, **_form(song, rows)}


def _kin(asked: Sequence[Part], programs: Sequence[int]) -> list[int | None]:
    """For each part the slot of a learned song that is most like it: of its own family, one that no part before it has
    if there is one, else None."""
    found: list[int | None] = []
    for part in asked:
        program = program_of(part)
        related = [slot for slot, other in enumerate(programs) if _related(program, other)]
        found.append(min(related, key=lambda slot: (slot in found, abs(programs[slot] - program)), default=None))
    return found


def _passage(
    song: Mapping[str, Any], bars: int, allowed: Sequence[int], rng: np.random.Generator, all_play: bool = False
) -> tuple[int, NDArray[np.float64], NDArray[np.int64]]:
    """Where in a learned song so many bars are, and of each part and bar (parts, bars) whether it plays, and how many
    bars back stands what it plays again, 0 for what is new.

    They begin at every fourth bar, alike often; of these only at those after which the most bars have a part that is
    ``allowed`` (or, where ``all_play``, in which these play most). A song that is shorter begins again. Where a style
    does not say when parts play, the place is any, and what is given is how often they do.
    """
    runs = song.get("plays") or []
    end = max([own[-1] for own in runs if own], default=0)
    if not end:
        presence = np.array(song["presence"], np.float64)[:, None]
        nothing = np.zeros((len(presence), bars), np.int64)
        return int(rng.choice((0, 4, 8, 16))), np.repeat(presence, bars, axis=1), nothing
    whole = np.zeros((len(song["programs"]), max(end, bars)))
    for part, own in enumerate(runs):
        for first, last in zip(own[::2], own[1::2], strict=True):
            whole[part, first:last] = 1.0
    if end < bars:
        whole = whole[:, np.arange(bars) % end]
    starts = np.arange(0, max(end - bars, 0) + 1, PASSAGES_EVERY)
    playing = whole[allowed].mean(0) if all_play else whole[allowed].max(0)
    filled = np.array([playing[start : start + bars].mean() for start in starts])
    start = int(rng.choice(starts[filled == filled.max()]))
    return start, whole[:, start : start + bars], _again(song, start, bars)


def _again(song: Mapping[str, Any], start: int, bars: int) -> NDArray[np.int64]:
    """(parts, bars) how many bars back stands what each part plays again in the bars from ``start`` on, where that is
    one of them; 0 for what is new, and past the song's end.

    Of several bars that are alike it is one in which most of the other parts, too, played what they now play: what
    sounds together then fits together. Of equals it is the latest.
    """
    back = np.zeros((len(song["programs"]), start + bars), np.int64)
    for part, runs in enumerate(song.get("again") or []):
        for first, last, far in zip(runs[::3], runs[1::3], runs[2::3], strict=True):
            back[part, first:last] = far
    names = np.zeros((len(back), bars), np.int64)
    found = np.zeros_like(names)
    for bar in range(bars):
        source = bar - back[:, start + bar]
        names[:, bar] = np.where(
            (source < 0) | (source == bar), bar, names[np.arange(len(back)), np.maximum(source, 0)]
        )
        alike = (names[:, :bar] == names[:, bar : bar + 1]) & (back[:, start + bar, None] > 0)
        best = np.where(alike, alike.sum(0) * bars + np.arange(bar), -1)
        if bar:
            found[:, bar] = np.where(alike.any(1), bar - best.argmax(1), 0)
    return found


def _chosen(values: Sequence[Any] | None, slots: Sequence[int | None]) -> list[Any]:
    """Those of some parts; None where there are none."""
    return [None if not values or slot is None else values[slot] for slot in slots]


def usual_texture(style: Mapping[str, Any], parts: Sequence[Part], figure: str) -> list[Any]:
    """What each part's instrument, or the nearest to it, usually does in the bars in which it plays, of the ``figure``
    of `music.texture.Texture` that is named so; None of drums but for their pace, and where a style does not say."""
    known: dict[int, list[Any]] = {}
    for song in style.get("arrangements", []):
        for program, value in zip(song["programs"], song.get(figure) or [], strict=False):
            if value is not None:
                known.setdefault(program, []).append(value)
    if not known:
        return [None] * len(parts)
    nearest = [nearest_program(program_of(part), set(known)) for part in parts]
    return [
        None if part.is_drum and program != DRUM_PROGRAM else np.mean(known[program], axis=0).tolist()
        for part, program in zip(parts, nearest, strict=True)
    ]


def repeats_of(style: Mapping[str, Any]) -> NDArray[np.float64]:
    """(2, 3) the share of notes that stand where they stood 1, 2 and 4 bars before, of pitched parts and of drums: the
    mean over the learned songs, nan where a style does not say."""
    songs = style.get("arrangements", [])
    known = [
        (_shares(song["repeats"]), share)
        for song, share in zip(songs, song_shares(songs), strict=True)
        if song.get("repeats")
    ]
    found = np.full((2, LAGS), np.nan)
    for group in range(2):
        rows = [(row[group], share) for row, share in known if row is not None and np.isfinite(row[group]).all()]
        if rows:
            found[group] = np.average([row for row, _ in rows], axis=0, weights=[share for _, share in rows])
    return found


def clashes_of(style: Mapping[str, Any]) -> float:
    """The share of pitched notes that begin a semitone from one that sounds: the mean over the learned songs, nan where
    a style does not say."""
    songs = style.get("arrangements", [])
    known = [
        (song["clashes"], share)
        for song, share in zip(songs, song_shares(songs), strict=True)
        if song.get("clashes") is not None
    ]
    if not known:
        return float("nan")
    return float(np.average([clashes for clashes, _ in known], weights=[share for _, share in known]))


def _shares(repeats: Sequence[Sequence[float] | None] | None) -> NDArray[np.float64] | None:
    """As an array what the config writes, which has None for drums that there are not."""
    if not repeats:
        return None
    return np.array([[np.nan] * LAGS if row is None else row for row in repeats], np.float64)


def _drawn(shares: Sequence[float], rng: np.random.Generator) -> int:
    """An index, each as often as its share of all says."""
    if len(set(shares)) == 1:
        return int(rng.integers(len(shares)))
    return int(rng.choice(len(shares), p=np.array(shares) / np.sum(shares)))


def _related(program: int, other: int) -> bool:
    """Whether two programs are of one family of General MIDI; drums are their own."""
    if DRUM_PROGRAM in (program, other):
        return program == other
    return family(program) == family(other)

"""The canvas: a song with holes in it, and the constraints on what may fill them. See `openings` for more builders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.errors import InfeasibleCanvas, OutOfRange
from woodshed.generation.casting import (
    REGISTER,
    check_parts,
    known_programs,
    line_up,
    loudness_of,
    melody_program,
    nearest_program,
    own_ranges,
    part_of,
    program_of,
    shares_of,
    slot_order,
    strokes_of,
    usual_ranges,
    usual_texture,
)
from woodshed.generation.constraints import KEY_PULL, Constraints
from woodshed.generation.joining import grids_within, reaches_within, values_within, velocities_within
from woodshed.generation.progressions import going_on, progression
from woodshed.music import CHORD, METER, TEMPO, Key, Meter, Part, Song, part_name

__all__ = [
    "DURATION", "EVERYTHING", "MOST_BARS", "PITCH", "REGISTER", "TIMING", "VELOCITY", "Canvas", "Constraints",
    "Opening", "blank_canvas", "check_bars", "check_bpm", "check_parts", "continuation_canvas", "known_programs",
    "melody_program", "nearest_program", "own_ranges", "part_of", "polyphony_of", "program_of",
    "slot_order", "until", "usual_ranges",
]  # fmt: skip

MOST_BARS = 4096
CHANCE_KEY_PULL = 1.0
"""Log-odds by which tones of a key that nobody asked for are favoured: as much of a clip shall lie in one key as of a
learned song (`benchmarks/quality`)."""
PLANNED_KEY_PULL = 0.4
"""The same where they lean towards chords, which are of the key already."""
PITCH, DURATION, VELOCITY, TIMING = 1, 2, 4, 8
"""Bits of `Canvas.open_fields`. TIMING is how far a note is off its step of the grid; the step itself stays."""
EVERYTHING = PITCH | DURATION | VELOCITY | TIMING


@dataclass(frozen=True)
class Opening:
    """Where new notes of one part may start: ticks [begin, end)."""

    part: int
    """Index into the song's parts."""
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class Canvas:
    """One request: what of a song is open, and under which constraints. All else comes back bit for bit.

    Three things can be open: spans in which new notes of a part may start (``openings``; notes that are already there
    stay), single fields of notes that are there (``open_fields``), or both.

    ``Canvas(song, open_from, open_parts)`` opens all of these parts from a tick to the song's end. Where ``openings``
    are given, these two follow from them: the first tick, and the parts, at which anything is open.

    Raises:
        OutOfRange: for an opening outside the song, or fields that are not one for each note.
    """

    song: Song
    open_from: int = 0
    open_parts: tuple[int, ...] = ()
    constraints: Constraints = field(default_factory=Constraints)
    first_bar: int = 0
    """The number, as a model counts, of the song's first bar: above 0 the music starts in mid-song."""
    returns: tuple[int, ...] = ()
    """For each bar, from the first on, how many bars back stands the music that returns in it; 0 for new music."""
    repeats: NDArray[np.float64] | None = None
    """(2, 3) the share of notes that stand where they stood 1, 2 and 4 bars before, of pitched parts and of drums; None
    as in the songs that the bundle learned."""
    sounding: Mapping[int, float] = field(default_factory=dict)
    """Part -> the share of the time in which it is open that it shall sound; others as it comes."""
    pace: Mapping[int, float] = field(default_factory=dict)
    """Part -> how many of its notes shall begin in a quarter note in which it is open; others as it comes, as do all
    where a density is asked of bars."""
    lengths: Mapping[int, Sequence[float]] = field(default_factory=dict)
    """Part -> the share of each kind of length among its notes (`music.texture`); others as it comes."""
    line: Mapping[int, Sequence[float]] = field(default_factory=dict)
    """Part -> the share of each class of intervals between its notes, and of its favourite pitch (`music.intervals`);
    others as it comes."""
    centres: Mapping[int, float] = field(default_factory=dict)
    """Part -> the mean pitch of its notes; others as it comes, as are all where a register is asked of bars, and those
    whose range lies elsewhere."""
    grids: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Part -> the steps of a quarter note, 0-11 from each bar line on, on which its new notes begin; others anywhere,
    as do all where a grid or a syncopation is asked for. Where a density is, on sixteenths too."""
    reaches: Mapping[int, int] = field(default_factory=dict)
    """Part -> how many ticks before or after their steps its new notes lie at most, if more than a little; others as it
    comes."""
    note_values: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    """Part -> the note values, 1-384 steps, that its new notes have, and what share of them has each, nan as it comes;
    others any, as do all where a density is asked of bars."""
    velocities: Mapping[int, Sequence[Mapping[int, float]]] = field(default_factory=dict)
    """Part -> for each of the `OCCASIONS` of its new notes the velocities, 0-31 as a note row has them, that they have,
    and what share of them has each; others any, as do all where a loudness is asked of bars."""
    strokes: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Drum -> the steps from a bar line on at which it may be struck; drums that are not here anywhere, as may all
    where a grid, a density or a syncopation is asked for."""
    again: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """Part -> for each bar, from the first on, how many bars back stands the bar that the part plays again in it; 0 for
    what is new. Only where nothing is fixed, and where both bars are asked the same of."""
    openings: tuple[Opening, ...] | None = None
    """None only on the way in: by then it is what ``open_from`` and ``open_parts`` say."""
    open_fields: NDArray[np.uint8] | None = None
    """(notes,) which fields of each note of the song are open: a sum of `PITCH`, `DURATION`, `VELOCITY`, `TIMING`."""

    def __post_init__(self) -> None:
        end = self.song.length
        if self.openings is None:
            spans = tuple(Opening(part, self.open_from, end) for part in self.open_parts if self.open_from < end)
            object.__setattr__(self, "openings", spans)
        else:
            _check_openings(self.song, self.openings)
        if self.open_fields is not None:
            _check_fields(self.song, self.open_fields)
        if self.openings or self.open_fields is not None:
            notes = self.song.notes[self.fields > 0]
            begins = [opening.begin for opening in self.spans] + notes["onset"][:1].tolist()
            parts = {opening.part for opening in self.spans} | set(notes["part"].tolist())
            object.__setattr__(self, "open_from", min(begins, default=end))
            object.__setattr__(self, "open_parts", tuple(sorted(parts)))

    @property
    def spans(self) -> tuple[Opening, ...]:
        """The openings."""
        return self.openings or ()

    @property
    def fields(self) -> NDArray[np.uint8]:
        """(notes,) the open fields of each note, 0 where nothing is."""
        return np.zeros(len(self.song), np.uint8) if self.open_fields is None else self.open_fields


def _check_openings(song: Song, openings: tuple[Opening, ...]) -> None:
    for opening in openings:
        if not 0 <= opening.part < len(song.parts):
            raise OutOfRange(f"an opening of part {opening.part} is outside 0-{len(song.parts) - 1}, the song's parts")
        if not 0 <= opening.begin < opening.end <= song.length:
            name = part_name(song.parts[opening.part])
            raise OutOfRange(
                f"{name}: an opening of ticks {opening.begin}-{opening.end} is empty or outside 0-{song.length}"
            )


def _check_fields(song: Song, fields: NDArray[np.uint8]) -> None:
    if fields.shape != (len(song),) or fields.dtype != np.uint8 or fields.max(initial=0) > EVERYTHING:
        raise OutOfRange(
            f"open fields {fields.dtype} {fields.shape}, highest {fields.max(initial=0)}: "
            f"one uint8 of 0-{EVERYTHING} is needed for each of {len(song)} notes"
        )


def blank_canvas(
    bundle: Bundle,
    bars: int,
    rng: np.random.Generator,
    *,
    parts: Sequence[Part] | None = None,
    without: Sequence[Part] = (),
    key: Key | None = None,
    bpm: float | None = None,
    meter: Meter | Sequence[Meter] | None = None,
    polyphony: int | None = None,
    harmony: bool = True,
) -> Canvas:
    """Everything open: ``bars`` bars for ``parts``, by default the line-up, tempo and meter of a song that was learned.

    Each part keeps to the range in which its instrument usually played, drums to the kit of one learned song. Where the
    line-up is left to chance, it is that of a passage of the song: each part plays in the bars in which it plays there.
    How full the bars are, and for how much of them each part sounds, is a leaning, not a rule. What returns, and when,
    is taken from the song as well. Parts that are named play throughout, and sound for as much of it as their
    instruments usually do of the bars in which they play. ``without`` forbids instruments to the line-up.
    With ``harmony`` parts lean towards the chords of a `progression`, in the key or that of the learned song.
    Several meters take turns, one for each bar: (7/8, 7/8, 4/4).

    Raises:
        OutOfRange: if bars, tempo or polyphony are.
        UnknownName: if the bundle heard nothing like one of the parts.
        InfeasibleCanvas: if a part is both asked for and forbidden, or nobody is left.
    """
    check_bars(bars)
    if bpm is not None:
        check_bpm(bpm)
    asked = None if parts is None else slot_order(Song(parts=tuple(parts)))
    learned = line_up(bundle, rng, () if asked else without, bars, asked, meter if isinstance(meter, Meter) else None)
    parts = learned["parts"]
    check_parts(bundle, parts)
    _check_forbidden(parts, without)
    meters, length = _meters(meter or Meter.parse(learned["meter"]), bars)
    bpm = bpm or learned["bpm"]
    song = Song(parts=tuple(parts), tempos=np.array([(0, bpm)], TEMPO), meters=meters, length=length)
    song = song.replace(parts=slot_order(song))
    first_bar = learned["first_bar"]
    levels = (
        {} if asked is not None or not learned["density"] else {"density": _form(learned["density"], first_bar, bars)}
    )
    kit = tuple(learned["kit"]) or _some_kit(bundle, rng)
    home, songs = Key.parse(learned["key"]) if learned["key"] else None, bundle.style.get("arrangements", [])
    chords = np.empty(0, CHORD)
    if harmony:
        chords = progression(songs, learned["chords"], home, key, first_bar, song.bar_lines(), rng)
    constraints = Constraints(
        key or home,
        usual_ranges(bundle, song.parts),
        _known(learned["voices"]) if polyphony is None else polyphony_of(song, polyphony),
        pitches={index: kit for index, part in enumerate(song.parts) if part.is_drum} if kit else {},
        levels=levels,
        leanings=frozenset(levels),
        strict_key=key is not None,
        key_pull=KEY_PULL if key is not None else PLANNED_KEY_PULL if len(chords) else CHANCE_KEY_PULL,
        chords=chords,
        strict_chords=False,
        chord_pull=0.0,
    )
    sounding = usual_texture(bundle.style, song.parts, "sounding") if asked is not None else learned["sounding"]
    return Canvas(
        song,
        constraints=constraints,
        first_bar=first_bar,
        returns=_learned_returns(bundle, learned["returns"], first_bar, bars, rng),
        repeats=learned["repeats"],
        sounding=_known(sounding),
        pace=_known(learned["pace"]),
        lengths=_known(learned["lengths"]),
        centres=_known(learned["centres"]),
        grids=_known(learned["grids"]),
        reaches=_known(learned["reaches"]),
        note_values={part: shares_of(own) for part, own in _known(learned["note_values"]).items()},
        velocities=loudness_of(learned),
        strokes=strokes_of(learned, song),
        again=dict(enumerate(learned["again"].tolist())),
        openings=_openings(song.bar_lines(), learned["plays"]),
    )


def _known(figures: Sequence[Any]) -> dict[int, Any]:
    """Of each part the figure that is known."""
    return {part: figure for part, figure in enumerate(figures) if figure is not None}


def _openings(lines: NDArray[np.int64], plays: NDArray[np.float64]) -> tuple[Opening, ...]:
    """The bars in which each part plays, (parts, bars) above 0; all parts in bars in which none does."""
    open_bars = (plays > 0) | (plays <= 0).all(0)
    turns = np.diff(open_bars.astype(np.int8), axis=1, prepend=0, append=0)
    return tuple(
        Opening(part, int(lines[first]), int(lines[end]))
        for part, row in enumerate(turns)
        for first, end in zip(np.flatnonzero(row > 0), np.flatnonzero(row < 0), strict=True)
    )


def _some_kit(bundle: Bundle, rng: np.random.Generator) -> tuple[int, ...]:
    """The drums of one learned song that has any."""
    kits = [song["kit"] for song in bundle.style.get("arrangements", []) if song.get("kit")]
    return tuple(kits[int(rng.integers(len(kits)))]) if kits else ()


def _learned_returns(
    bundle: Bundle, own: Sequence[int], first_bar: int, bars: int, rng: np.random.Generator
) -> tuple[int, ...]:
    """How many bars back each bar looks in the learned song whose line-up it is; if that is too short, in another,
    chosen by chance; if all are, nothing returns."""
    if len(own) < bars:
        forms = [song.get("returns", ()) for song in bundle.style.get("arrangements", [])]
        long = [form for form in forms if len(form) >= bars]
        own = long[int(rng.integers(len(long)))] if long else ()
    start = first_bar if len(own) >= first_bar + bars else 0
    return tuple(back if back <= bar else 0 for bar, back in enumerate(own[start : start + bars]))


def _form(density: Sequence[int], first_bar: int, bars: int) -> tuple[int | None, ...]:
    """How full each bar shall be, from the same place in a learned song on; past its end as from that place again."""
    start = first_bar if len(density) >= first_bar + 4 else 0
    learned = density[start:]
    return tuple(learned[bar % len(learned)] for bar in range(bars))


def continuation_canvas(
    song: Song, bars: int, *, key: Key | None = None, polyphony: int | None = None, harmony: bool = True
) -> Canvas:
    """``song`` is fixed; ``bars`` bars after the bar of its last onset are open in all of its sounding parts.

    Each part keeps to its own register, the range of its notes and a fourth more on either side, and to the song's
    grid. With ``harmony`` they lean towards its chords, as these went around before.

    Raises:
        InfeasibleCanvas: if the song has no note.
        OutOfRange: if bars are.
    """
    check_bars(bars)
    if not len(song):
        raise InfeasibleCanvas(f"{song.title or 'the song'} has no notes to go on from; use `woodshed generate`")
    lines = song.bar_lines()
    last_bar = int(np.searchsorted(lines, song.notes["onset"].max(), side="right"))
    start, size = int(lines[last_bar]), int(lines[last_bar] - lines[last_bar - 1])
    open_song = until(song, start + bars * size)
    open_song = open_song.replace(meters=song.meters[song.meters["onset"] < start])
    sounding = tuple(int(part) for part in np.unique(song.notes["part"]))
    chords = going_on(song, last_bar, start + size * np.arange(bars + 1)) if harmony else np.empty(0, CHORD)
    constraints = Constraints(
        key,
        own_ranges(song),
        polyphony_of(song, polyphony),
        chords=chords,
        strict_chords=False,
        chord_pull=0.0,
    )
    return Canvas(
        open_song,
        start,
        sounding,
        constraints,
        grids=grids_within(song, sounding),
        reaches=reaches_within(song, sounding),
        note_values=values_within(song, sounding),
        velocities=velocities_within(song, sounding),
    )


def until(song: Song, length: int) -> Song:
    """The song with another length, without what is said at or after it: that would make its file longer."""
    rows = {name: getattr(song, name) for name in ("tempos", "keys", "chords", "controls", "bends")}
    kept = {name: table[table["onset"] < length] for name, table in rows.items()}
    markers = tuple(marker for marker in song.markers if marker.onset < length)
    return song.replace(length=length, markers=markers, **kept)


def check_bpm(bpm: float) -> None:
    """Raise `OutOfRange` unless 10-1000."""
    if not 10 <= bpm <= 1000:
        raise OutOfRange(f"tempo {bpm:g} is outside 10-1000 quarter notes per minute")


def check_bars(bars: int) -> None:
    """Raise `OutOfRange` unless 1-4096."""
    if not 1 <= bars <= MOST_BARS:
        raise OutOfRange(f"bars {bars} is outside 1-{MOST_BARS}; try 8")


def polyphony_of(song: Song, polyphony: int | None) -> dict[int, int]:
    """The same limit for every pitched part; none for None.

    Raises:
        OutOfRange: unless 1-128.
    """
    if polyphony is None:
        return {}
    if not 1 <= polyphony <= 128:
        raise OutOfRange(f"polyphony {polyphony} is outside 1-128")
    return {index: polyphony for index, part in enumerate(song.parts) if not part.is_drum}


def _meters(meter: Meter | Sequence[Meter], bars: int) -> tuple[NDArray[Any], int]:
    """Rows for `Song.meters` where the meter changes, and the length of all bars in ticks."""
    cycle = (meter,) if isinstance(meter, Meter) else tuple(meter)
    if not cycle:
        raise OutOfRange("no meter is named; try 4/4")
    each = [cycle[bar % len(cycle)] for bar in range(bars)]
    onsets = np.cumsum([0, *(meter.bar_ticks for meter in each)]).tolist()
    rows = [
        (onset, meter.numerator, meter.denominator)
        for onset, meter, before in zip(onsets, each, [None, *each], strict=False)
        if meter != before
    ]
    return np.array(rows, METER), onsets[-1]


def _check_forbidden(parts: Sequence[Part], without: Sequence[Part]) -> None:
    forbidden = {program_of(part) for part in without}
    for part in parts:
        if program_of(part) in forbidden:
            raise InfeasibleCanvas(f"{part_name(part)} is both asked for and forbidden; drop one of the two")

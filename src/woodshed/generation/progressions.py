"""The chords over which a band plays that nobody gave any: those of a song that it joins, or else the form of one
learned song with the chords of another.

Note after note a model does not make up its mind where the harmony goes: the bass took the root of the chord that is
found in 0.60 of its notes, where learned basses do in 0.84, and clips hardly left their tonic. So a clip has chords
before it has notes, and its parts lean towards them as parts of the learned songs do (`engine_chords`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle.blended_style import song_shares
from woodshed.codecs.chord_roll import with_chords
from woodshed.errors import CodecError
from woodshed.generation.constraints import chords_over
from woodshed.music import CHORD, NO_CHORD, Key, Song
from woodshed.music.chord import Chord
from woodshed.music.chord_sheet import MOST_IN_A_BAR, chord_text, parse_chords
from woodshed.music.units import STEPS_PER_QUARTER, ticks_per_step

Bar = tuple[Chord | None, ...]
PERIODS = 1, 2, 4, 8
"""Bars after which chords come around."""
GOES_AROUND = 0.3
"""The share of bars that must have the chords of so many bars before."""
PASSAGES_EVERY = 4
"""Bars: a progression may begin at each of so many of the song that it is from."""


def progression(
    songs: Sequence[Mapping[str, Any]],
    form: str | None,
    home: Key | None,
    key: Key | None,
    first_bar: int,
    lines: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[Any]:
    """Rows for `Constraints.chords` over bars between ``lines`` (bars + 1,) ticks; none if no song tells any.

    Bars that have the same chords in ``form``, those of the song whose line-up plays, from ``first_bar`` on, have the
    same chords here. Which these are is taken from another of the learned ``songs`` (`Bundle.style`), major or minor as
    ``key`` is, or ``home``, the key of that form; it is moved there. Where no other song is like that, form and chords
    are of one song.
    """
    to = key or home
    if not form or home is None or to is None:
        return np.empty(0, CHORD)
    own = parse_chords(form)
    own = tuple(own[(first_bar + bar) % len(own)] for bar in range(len(lines) - 1))
    others = [
        song
        for song in songs
        if song.get("chords") and song["chords"] != form and song.get("key") and _alike(Key.parse(song["key"]), to)
    ]
    if others:
        weights = np.array(song_shares(others))
        song = others[int(rng.choice(len(others), p=weights / weights.sum()))]
        theirs, tonic = parse_chords(song["chords"]), Key.parse(song["key"]).tonic
        start = PASSAGES_EVERY * int(rng.integers(-(-len(theirs) // PASSAGES_EVERY)))
        theirs = _changes(theirs[start:] + theirs[:start])
        of_own = {bar: theirs[number % len(theirs)] for number, bar in enumerate(dict.fromkeys(own))}
        own = tuple(of_own[bar] for bar in own)
    else:
        tonic = home.tonic
    moved = tuple(tuple(chord and chord.transpose(to.tonic - tonic) for chord in bar) for bar in own)
    return chords_over(_shared_evenly(moved, lines), lines)


def chords_of(song: Song) -> NDArray[Any]:
    """The chords that are written in a song, else those that are found; none where nothing tells any."""
    try:
        chords: NDArray[Any] = with_chords(song).chords
    except CodecError:  # drums, or one melody: nothing tells any
        chords = song.chords[:0]
    return chords


def going_on(song: Song, first: int, lines: NDArray[np.int64]) -> NDArray[Any]:
    """Rows for `Constraints.chords` over bars between ``lines`` (bars + 1,) ticks, as if the chords of a song went on
    from bar ``first`` as they went around before it: after 1, 2, 4 or 8 bars, whichever explains most of the last 16
    (of equals the fewest). None if it has none, or more than can be typed, or these did not go around.
    """
    chords, starts = chords_of(song), song.bar_lines()[: first + 1]
    chords = chords[chords["onset"] < starts[-1]]
    crowd = np.bincount(np.searchsorted(starts, chords["onset"], side="right")).max(initial=0)
    if crowd >= MOST_IN_A_BAR or not (chords["root"] != NO_CHORD).any():
        return np.empty(0, CHORD)
    before = parse_chords(chord_text(chords, starts))
    lately = before[-2 * max(PERIODS) :]
    same = [_share(a == b for a, b in zip(lately[back:], lately, strict=False)) for back in PERIODS]
    if max(same) < GOES_AROUND:
        return np.empty(0, CHORD)
    period = PERIODS[int(np.argmax(same))]
    last = before[-period:]
    bars = tuple(last[bar % len(last)] for bar in range(len(lines) - 1))
    return chords_over(_shared_evenly(bars, lines), lines)


def _alike(one: Key, other: Key) -> bool:
    return one.is_minor == other.is_minor


def _share(found: Iterable[bool]) -> float:
    """Of those that are true, one more taken to be false: of few it says little."""
    each = list(found)
    return sum(each) / (len(each) + 1)


def _changes(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """The bars without those that are like the one before, and without those where nothing sounds if any does."""
    sounding = [bar for bar in bars if any(bar)] or list(bars)
    return tuple(bar for bar, before in zip(sounding, [None, *sounding], strict=False) if bar != before)


def _shared_evenly(bars: Sequence[Bar], lines: NDArray[np.int64]) -> tuple[Bar, ...]:
    """Of bars that their chords cannot share in whole steps only the first chord."""
    sizes, step = np.diff(lines).tolist(), ticks_per_step(STEPS_PER_QUARTER)
    return tuple(bar if size % (step * len(bar)) == 0 else bar[:1] for bar, size in zip(bars, sizes, strict=True))

"""Four voices on a grid of sixteenths: from how many sides the place of a voice is seen, and how closely.

A *context* is what is known where a voice is asked for: the place in the beat, how the voices stand to one another or
in the scale, how each came there, for how long it has been there, what it did before, and the moves of the voices of
this frame that are decided. A *view* is `LEVELS` contexts that say more and more. All contexts but those of the view
"range" are the same in any key. The key that degrees are counted from is the one whose profile is likest to what was
heard so far, and to the whole soprano where that is shown.

Sources: D. Conklin and I. Witten, "Multiple viewpoint systems for music prediction" (1995), for views of one past; C.
Krumhansl, "Cognitive foundations of musical pitch" (1990), for the profiles of keys.

Shape letter: N frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.voice_grid import BEATS_TOLD, EARLIER, HEARD_AT, HISTORY_AT, REST, ROW, VOICES, WIDEST
from woodshed.codecs.voice_grid_ahead import NEXT

MOVES = 2 * WIDEST + 2
"""From an octave down to an octave up (wider leaps count as these), and a rest."""
VIEWS = (
    "harmony", "line", "degrees", "chord", "bass", "progression", "bar", "range", "melody", "descant", "rhythm",
)  # fmt: skip
"""Harmony and chord see how all voices stand, before and after those that are decided; line and bass one voice, by
itself and over the bass; degrees, progression and bar see the scale, the chord before and the place in the bar; melody
sees a voice's latest three moves, descant the soprano (and the bass) beat by beat, rhythm how long all cells lasted."""
SHOWN_VIEWS = ("next", "cadence", "beats")
"""Also seen where the soprano is shown: what it sings next, how far its next long note is, and its next beats."""
LEVELS = 4
"""Contexts of a view."""
Ints = NDArray[np.int64]
Keys = NDArray[np.uint64]
_BASS = VOICES - 1
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_Views = dict[str, list[list[Ints]]]


def move_classes(cells: Ints, anchors: Ints) -> Ints:
    """Pitches or `REST`, and what each voice sang last, of one shape -> classes of moves, below `MOVES`."""
    return np.where(cells == REST, MOVES - 1, np.clip(cells - anchors, -WIDEST, WIDEST) + WIDEST)


def contexts(rows: Ints, cells: Ints, voice: int, others: Sequence[int]) -> list[list[Keys]]:
    """The contexts (N,) of each of `VIEWS`, and of `SHOWN_VIEWS` where rows tell what is ahead in the soprano.

    Args:
        rows: (N, ROW), or wider with what `woodshed.codecs.voice_grid_ahead` says; of any integer type.
        cells: (N, 4), of which only ``others`` are seen.
        voice: that is asked for.
        others: that are decided when it is; where the soprano is shown, it is one of them.
    """
    rows = rows.astype(np.int64)
    moved = {other: move_classes(cells[:, other], rows[:, VOICES + other]) for other in sorted(others)}
    at = _place(rows)
    asked = _asked(at, voice, moved)
    views = _of_harmony(at, asked, voice) | _of_time(at, asked, voice)
    names: tuple[str, ...] = VIEWS
    if at.ahead is not None:
        views |= _of_what_is_ahead(at, asked, at.ahead)
        names = (*VIEWS, *SHOWN_VIEWS)
    return [[_number(context) for context in views[name]] for name in names]


class _Place(NamedTuple):
    """What a row says of a frame, as columns (N, 4) or (N,)."""

    anchors: Ints
    ages: Ints
    motions: Ints
    bar: Ints
    tonic: Ints
    minor: Ints
    earlier: Ints
    """(N, 2, 4) the two moves before `motions`."""
    lengths: Ints
    """(N, 2, 4)"""
    beats: Ints
    """(N, 3, 4)"""
    ahead: Ints | None
    """(N, AHEAD), where the soprano is shown."""


def _place(rows: Ints) -> _Place:
    heard = rows[:, HEARD_AT : HEARD_AT + 12]
    ahead = rows[:, ROW:] if rows.shape[1] > ROW else None
    known = heard if ahead is None else heard + ahead[:, -12:]
    key = (known @ _profiles().T).argmax(1)
    history = rows[:, HISTORY_AT : HISTORY_AT + (2 * EARLIER + BEATS_TOLD) * VOICES].reshape(len(rows), -1, VOICES)
    earlier, lengths, beats = np.split(history, [EARLIER, 2 * EARLIER], axis=1)
    latest = rows[:, 4:8], rows[:, 8:12], rows[:, 12:16], rows[:, 16]
    return _Place(*latest, key % 12, key // 12, earlier, lengths, beats, ahead)


def _profiles() -> NDArray[np.float64]:
    """(24, 12) what each key sounds like, major keys first: of mean 0 and length 1, so that a product is likeness."""
    keys = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
    keys -= keys.mean(1, keepdims=True)
    return np.asarray(keys / np.linalg.norm(keys, axis=1, keepdims=True))


class _Asked(NamedTuple):
    """What contexts are made of: columns (N,), or lists of them."""

    beat: Ints
    minor: Ints
    age: Ints
    ages: list[Ints]
    motion: Ints
    motions: list[Ints]
    degree: Ints
    degrees: list[Ints]
    bass: Ints
    came: list[Ints]
    """The degrees that voices came from."""
    decided: list[Ints]
    """Moves of the voices that are decided, soprano first."""
    formed: list[Ints]
    """The degrees that they come to, 12 a rest."""
    held: list[Ints]
    """1 where they hold."""


def _asked(at: _Place, voice: int, moved: Mapping[int, Ints]) -> _Asked:
    ages, motions = list(np.minimum(at.ages, 4).T), list(at.motions.T)
    degrees = list(((at.anchors - at.tonic[:, None]) % 12).T)
    came = list(((at.anchors - at.motions - at.tonic[:, None]) % 12).T)
    formed = [
        np.where(move == MOVES - 1, 12, (at.anchors[:, other] + move - WIDEST - at.tonic) % 12)
        for other, move in moved.items()
    ]
    held = [np.asarray(move == WIDEST, np.int64) for move in moved.values()]
    return _Asked(
        at.bar % 4, at.minor, ages[voice], ages, motions[voice], motions, degrees[voice], degrees, degrees[_BASS],
        came, list(moved.values()), formed, held,
    )  # fmt: skip


def _of_harmony(at: _Place, of: _Asked, voice: int) -> _Views:
    """How the voices stand."""
    beat, minor, age, motion, degree, bass, decided = (
        of.beat, of.minor, of.age, of.motion, of.degree, of.bass, of.decided,
    )  # fmt: skip
    apart = [np.clip(at.anchors[:, other] - at.anchors[:, _BASS], -60, 60) for other in range(_BASS)]
    over, outer = at.anchors[:, voice] - at.anchors[:, _BASS], decided[:2]
    came_with_bass = [over, motion, of.motions[_BASS], age]
    after_chord = [beat, minor, bass, of.came[_BASS], degree]
    return {
        "harmony": [
            [beat, age, *decided],
            [beat, age, *decided, *(interval % 12 for interval in apart)],
            [beat, *decided, *apart, *of.ages],
            [beat, *decided, *apart, *of.ages, *of.motions],
        ],
        "degrees": [
            [beat, minor, degree, age],
            [beat, minor, degree, bass, age, *decided],
            [beat, minor, *of.degrees, *of.ages, *decided],
            [beat, minor, *of.degrees, *of.ages, *decided, *of.motions],
        ],
        "chord": [
            [beat, minor, *of.formed, age],
            [beat, minor, *of.formed, degree, age],
            [beat, minor, *of.formed, *of.held, degree, age, bass],
            [beat, minor, *of.formed, *of.held, *of.degrees, *of.ages],
        ],
        "bass": [
            [beat, over, age, *outer],
            [beat, *came_with_bass, *outer],
            [beat, *came_with_bass, of.ages[_BASS], *decided],
            [beat, *came_with_bass, of.ages[_BASS], *decided, *apart],
        ],
        "progression": [
            after_chord,
            [*after_chord, of.came[voice], age, *decided[:1]],
            [*after_chord, of.came[voice], age, *decided],
            [beat, minor, *of.degrees, *of.came, *of.ages, *decided],
        ],
    }


def _of_time(at: _Place, of: _Asked, voice: int) -> _Views:
    """Where in the bar, how high, and what came before."""
    beat, bar, minor, age, motion, degree, decided, held = (
        of.beat, at.bar, of.minor, of.age, of.motion, of.degree, of.decided, of.held,
    )  # fmt: skip
    own, mine = at.anchors[:, voice], at.ages[:, voice]
    earlier, lengths = list(at.earlier[..., voice].T), list(at.lengths[..., voice].T)
    sung, low = _on_beats(at)
    tune = [beat, minor, of.degrees[0]]
    long, longer = list(np.minimum(at.ages, 8).T), list(at.lengths[:, 0].T)
    return {
        "line": [
            [beat, age],
            [beat, mine],
            [beat, mine, motion, *decided],
            [beat, mine, motion, own - at.anchors[:, _BASS], *decided],
        ],
        "bar": [
            [bar, age, *held],
            [bar, age, *held, minor, degree],
            [bar, age, *held, minor, degree, motion],
            [bar, age, *decided, minor, degree, motion],
        ],
        "range": [
            [own, age, beat],
            [own, age, beat, at.tonic, minor],
            [own, age, beat, at.tonic, minor, motion, *decided],
            [own, age, beat, at.tonic, minor, motion, *decided, at.anchors[:, _BASS]],
        ],
        "melody": [
            [beat, age, motion, earlier[0]],
            [beat, age, motion, earlier[0], lengths[0]],
            [beat, age, motion, *earlier, lengths[0], *decided[:1]],
            [beat, age, motion, *earlier, *lengths, *decided],
        ],
        "descant": [
            [*tune, sung[0], sung[1], age, degree],
            [*tune, *sung, age, degree, *held],
            [*tune, of.bass, sung[1], low[1], age, degree, *decided[:1]],
            [*tune, of.bass, *sung[1:], *low[1:], age, degree, *decided],
        ],
        "rhythm": [
            [bar, *of.ages],
            [bar, *of.ages, *held],
            [bar, *long, *held],
            [bar, *long, *longer, *held],
        ],
    }


def _of_what_is_ahead(at: _Place, of: _Asked, ahead: Ints) -> _Views:
    """What a soprano that is shown does next."""
    age, degree, bass, decided, held = of.age, of.degree, of.bass, of.decided, of.held
    until, pitches, beats, cadence = np.split(ahead[:, :-12], [1, 1 + NEXT, 3 + NEXT], axis=1)
    coming, on_next = (list(_degrees(at, some).T) for some in (pitches, beats))
    sung, low = _on_beats(at)
    place, stays, line = [of.beat, of.minor, of.formed[0]], until[:, 0], cadence[:, 0]
    return {
        "next": [
            [*place, coming[0], np.minimum(stays, 5), age],
            [*place, coming[0], np.minimum(stays, 5), age, degree],
            [*place, coming[0], stays, age, degree, bass, *decided],
            [*place, *coming, stays, *of.degrees, *of.ages, *decided],
        ],
        "cadence": [
            [*place, line, age],
            [*place, line, age, degree, *held],
            [*place, line, age, degree, bass, coming[0], *held],
            [*place, line, *of.degrees, coming[0], *of.ages, *decided],
        ],
        "beats": [
            [*place, on_next[0], age, degree],
            [*place, *on_next, age, degree, *of.formed[1:]],
            [*place, *on_next, age, degree, bass, sung[1], *of.formed[1:]],
            [*place, *on_next, age, degree, bass, *sung[1:], *low[1:], *decided],
        ],
    }


def _on_beats(at: _Place) -> tuple[list[Ints], list[Ints]]:
    """The degrees of soprano and bass in this beat's first frame, and in those of the two before."""
    degrees = _degrees(at, at.beats.reshape(len(at.bar), -1)).reshape(at.beats.shape)
    return list(degrees[..., 0].T), list(degrees[..., _BASS].T)


def _degrees(at: _Place, pitches: Ints) -> Ints:
    """(N, any) pitches or `REST` -> degrees or `REST`."""
    return np.where(pitches < 0, REST, (pitches - at.tonic[:, None]) % 12)


def _number(context: Sequence[Ints]) -> Keys:
    """One number (N,) for each place; two contexts have the same one by chance in one of 2**64 cases."""
    found = np.full(len(context[0]), len(context), np.uint64)
    for part in context:
        found = (found ^ (part + 1000).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        found ^= found >> np.uint64(29)
    return found

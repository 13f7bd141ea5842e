"""What Attention RNN is shown of a melody: the note that sounds, its direction, the bar, and the keys it fits.

Source:
    Magenta's ``KeyMelodyEncoderDecoder``. We differ in giving *descending* an input of its own instead of -1 on that
    of *ascending*, in digits that are on or off instead of 1 or -1, in looking back and counting by bars of the
    song's meter, and in that a note-off is no attack.

Shape letters: N events, R rows, M notes, K inputs on at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COUNTER_BITS = 7
COUNTED_BARS = 8
RECENT = 3
"""So many of the last different pitches tell where the melody is now."""
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_FITS = np.isin((np.arange(12)[:, None] - np.arange(12)) % 12, _MAJOR).astype(np.int64)
"""(12 pitch classes, 12 tonics): 1 where the pitch class is in the major key."""
_SIGNALS = 5
"""A note sounds, none does, the last event is a note-on, ascending, descending."""


def key_inputs(pitches: int, lookbacks: int) -> int:
    """Width of the input.

    >>> key_inputs(36, 2)
    75
    """
    return pitches + _SIGNALS + lookbacks + COUNTER_BITS + 1 + 24


def key_active(lookbacks: int) -> int:
    """The most inputs that are on at once: K."""
    return 4 + lookbacks + COUNTER_BITS + 1 + 24


def key_rows(
    line: NDArray[np.int64], first: int, low: int, pitches: int, steps_per_bar: int, lookback_bars: tuple[int, ...]
) -> NDArray[np.int64]:
    """(R, K) inputs that are on before the events ``first`` to N; -1 for none.

    ``line`` (N,) has the pitch above ``low`` that starts, -1 for a note-off, -2 for no event.
    """
    place = np.arange(first, len(line) + 1)
    starts = np.flatnonzero(line >= 0)
    heard = np.searchsorted(starts, place)
    columns = _signals(line, place, starts, heard, pitches)
    offset = pitches + _SIGNALS
    for number, bars in enumerate(lookback_bars):
        columns.append(np.where(_repeats(line, place, bars * steps_per_bar), offset + number, -1))
    offset += len(lookback_bars)
    counted = place % (COUNTED_BARS * steps_per_bar)
    columns += [np.where(counted >> bit & 1, offset + bit, -1) for bit in range(COUNTER_BITS)]
    offset += COUNTER_BITS
    columns.append(np.where(place % steps_per_bar == 0, offset, -1))
    classes = (np.arange(pitches) + low) % 12
    notes, recent = _heard_notes(line[starts], heard, pitches)
    keys = [_fitting(table @ _FITS[classes]) for table in (notes, recent)]
    keys = [np.where(fits, offset + 1 + 12 * number + np.arange(12), -1) for number, fits in enumerate(keys)]
    return np.concatenate((np.stack(columns, axis=1), *keys), axis=1)


def _signals(
    line: NDArray[np.int64], place: NDArray[np.int64], starts: NDArray[np.int64], heard: NDArray[np.int64], pitches: int
) -> list[NDArray[np.int64]]:
    """(R,) each: the pitch that sounds; whether one does; whether it starts just now; which way the melody goes."""
    pitch, stops = line[starts], np.flatnonzero(line == -1)
    on, off = np.append(-1, starts)[heard], np.append(-1, stops)[np.searchsorted(stops, place)]
    turns = np.flatnonzero(np.diff(pitch))
    way = np.append(0, np.sign(np.diff(pitch))[turns])[np.searchsorted(turns, heard - 1)]
    return [
        np.where(on > off, np.append(-1, pitch)[heard], -1),
        np.where(on > off, pitches, pitches + 1),
        np.where((on == place - 1) & (heard > 0), pitches + 2, -1),
        np.select([way > 0, way < 0], [pitches + 3, pitches + 4], -1),
    ]


def _repeats(line: NDArray[np.int64], place: NDArray[np.int64], back: int) -> NDArray[np.bool_]:
    """(R,) whether the last event is that of ``back`` events before it."""
    same: NDArray[np.bool_] = np.zeros(len(line) + 1, bool)
    same[back + 1 :] = line[back:] == line[: len(line) - back] if back < len(line) else False
    return same[place]


def _heard_notes(
    pitch: NDArray[np.int64], heard: NDArray[np.int64], pitches: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(R, pitches) how often each pitch was struck, and which are the last `RECENT` different ones.

    Rows begin with the first: what was before it is summed up at once, so that one row costs little.
    """
    begun = int(heard[0])
    new = pitch[begun : int(heard[-1])]
    struck = np.zeros((len(new) + 1, pitches), np.int64)
    struck[0] = np.bincount(pitch[:begun], minlength=pitches)
    struck[1:][np.arange(len(new)), new] = 1
    latest = np.zeros_like(struck)
    latest[0, pitch[:begun]] = np.arange(1, begun + 1)
    latest[1:][np.arange(len(new)), new] = begun + 1 + np.arange(len(new))
    latest = np.maximum.accumulate(latest)
    third = np.partition(latest, -RECENT, axis=1)[:, -RECENT:].min(1, keepdims=True)
    recent = (latest >= np.maximum(third, 1)).astype(np.int64)
    row = heard - begun
    return np.cumsum(struck, axis=0)[row], recent[row]


def _fitting(notes_in_key: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(R, 12) the keys that hold the most of the notes; all if there are none."""
    best: NDArray[np.bool_] = notes_in_key == notes_in_key.max(1, keepdims=True)
    return best

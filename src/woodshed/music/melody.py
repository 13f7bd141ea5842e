"""Melodies as lists of events, the way Magenta's users type them."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import OutOfRange
from woodshed.music.meter import Meter
from woodshed.music.song import METER, NOTE, TEMPO, Part, Song
from woodshed.music.units import TICKS_PER_QUARTER

NO_EVENT, NOTE_OFF = -2, -1
STEPS_PER_QUARTER = 4
MOST_EVENTS = 16_384
VELOCITY = 100


def parse_melody(text: str) -> NDArray[np.int64]:
    """``"[60, -2, 62, -1]"`` -> its events, (N,).

    One event each sixteenth note: a pitch 0-127 starts a note, -1 ends it, -2 lets go on what is.

    Raises:
        OutOfRange: naming the event that is none, or if no note is among them.
    """
    try:
        events = json.loads(text)
    except (ValueError, RecursionError):
        events = None
    if not isinstance(events, list) or not all(type(event) is int for event in events):
        raise OutOfRange(f'melody {text[:40]!r} is not a list of whole numbers; try "[60, -2, 62, -2, 64]"')
    if len(events) > MOST_EVENTS:
        raise OutOfRange(f"a melody of {len(events)} events is too long; {MOST_EVENTS} are the most")
    for number, event in enumerate(events, 1):
        if not NO_EVENT <= event <= 127:
            raise OutOfRange(f"melody event {number} is {event}, outside -2 to 127 (-2 hold or rest, -1 note off)")
    if not any(event >= 0 for event in events):
        raise OutOfRange(f'melody {text[:40]!r} has no note; try "[60, -2, 62, -2, 64]"')
    return np.array(events, np.int64)


def melody_song(events: NDArray[np.int64], part: Part, bpm: float, meter: Meter) -> Song:
    """The events (N,) as a song of one part: sixteenths, each note until the next pitch, note off or the end.

    Source:
        Magenta's `MelodyPrimer` events (``note_seq``), which start and end notes alike.
    """
    step = TICKS_PER_QUARTER // STEPS_PER_QUARTER
    turns = np.append(np.flatnonzero(events != NO_EVENT), len(events))
    starts = turns[:-1][events[turns[:-1]] >= 0]
    ends = turns[np.searchsorted(turns, starts, side="right")]
    notes = np.zeros(len(starts), NOTE)
    notes["onset"], notes["duration"] = starts * step, (ends - starts) * step
    notes["pitch"], notes["velocity"] = events[starts], VELOCITY
    length = -(-len(events) * step // meter.bar_ticks) * meter.bar_ticks
    return Song(
        parts=(part,),
        notes=notes,
        tempos=np.array([(0, bpm)], TEMPO),
        meters=np.array([(0, meter.numerator, meter.denominator)], METER),
        length=length,
    )

"""Drums with a drummer's touch: when and how loud the nets that come with a bundle play what is written.

A bundle of someone's own songs goes by these. Where its drums were never performed, so that there is nothing of timing
to be learned from them, the drummers of ``base`` lend theirs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle.bundle import Bundle, bundle_folder
from woodshed.bundle.drum_touch import StoredTouch, read_touch
from woodshed.codecs.clip_drums import CLASS_OF
from woodshed.codecs.note_step import DRUM_PROGRAM, MICROTIMING
from woodshed.codecs.note_step import VELOCITY as VELOCITY_FIELD
from woodshed.generation.canvas import TIMING, VELOCITY, Canvas
from woodshed.generation.drum_touch import drawn_touch, foretold, steady_touch
from woodshed.generation.filters import Sampling
from woodshed.music import Meter, Song
from woodshed.music.units import seconds_to_ticks, steps_to_ticks, ticks_to_steps

SIXTEENTHS = 4
"""To the quarter note."""


def touch_of(bundle: Bundle) -> tuple[StoredTouch, int] | None:
    """The nets that play drums for this bundle, and which fields of `Canvas.open_fields` they say; None: none do."""
    if own := read_touch(bundle.folder):
        return own, TIMING | VELOCITY
    tables = bundle.style.get("feel", {})
    was_performed = any(any(table[2::3]) for name, table in tables.items() if name.startswith(f"{DRUM_PROGRAM}."))
    if was_performed:
        return None
    lent = read_touch(bundle_folder("base"))
    return None if lent is None else (lent, TIMING)


def by_drummers(
    touch: StoredTouch, fields: int, canvas: Canvas, sampling: Sampling, rng: np.random.Generator
) -> NDArray[np.float64]:
    """(2, notes) onset in ticks and velocity of the drums of a canvas whose fields are open; nan of all else.

    Drums alone are as loud as drummers play, and as early (they are some ms ahead of the click); in a band they are on
    the whole as loud as they were, and on time, so that the mix stays and nobody is ahead of it.
    What is written beside sixteenths, such as triplets, is heard at the nearest one, as shuffles of the drummers were:
    it is as loud as one there, as loose, and as early as the part is in the middle. Nobody says anything of music that
    is not all in 4/4, or of pitches that are no drums.
    """
    song, notes = canvas.song, canvas.song.notes
    found = np.full((2, len(notes)), np.nan)
    meters = song.meters[["numerator", "denominator"]].tolist()
    if any(Meter(*meter) != Meter() for meter in meters):
        return found
    opened = np.stack([canvas.fields & bit & fields > 0 for bit in (TIMING, VELOCITY)])
    drums = np.array([one.is_drum for one in song.parts], bool)
    is_band = not drums[notes["part"]].all()
    steps = ticks_to_steps(notes["onset"], SIXTEENTHS)
    is_written = ticks_to_steps(notes["onset"]) == ticks_to_steps(steps_to_ticks(steps, SIXTEENTHS))
    for part in np.flatnonzero(drums).tolist():
        own = (notes["part"] == part) & (CLASS_OF[notes["pitch"]] >= 0)
        if not opened[:, own].any():
            continue
        step, pitch = steps[own], notes["pitch"][own].astype(np.int64)
        quantiles = foretold(touch, step, pitch, song.bpm)
        middle = steady_touch(quantiles)
        heat = [0.0 if sampling.steady else sampling.temperature_of(field) for field in (MICROTIMING, VELOCITY_FIELD)]
        late, loud = drawn_touch(touch, quantiles, step, pitch, heat, rng)
        if is_band:
            loud = loud * notes["velocity"][own].mean() / max(middle[1].mean(), 1)
        ahead = middle[0].mean()
        late = late - np.where(is_written[own], 0.0, middle[0] - ahead) - (ahead if is_band else 0.0)
        found[0, own] = _moved(song, steps_to_ticks(ticks_to_steps(notes["onset"][own])), late)
        found[1, own] = np.clip(loud, 1, 127)
    return np.where(opened, found, np.nan)


def _moved(song: Song, ticks: NDArray[np.int64], late_ms: NDArray[np.float64]) -> NDArray[np.int64]:
    """(hits,) ticks that are so many milliseconds later, by the song's tempo map; none before the song begins."""
    seconds = np.maximum(song.seconds(ticks) + late_ms / 1000, 0)
    return seconds_to_ticks(seconds, song.tempos["onset"], song.tempos["bpm"])

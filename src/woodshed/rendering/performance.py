"""A song as an instrument meets it: note starts and ends, bends, levels and places in output samples.

Everything here is worked out for the whole song at once, before a sample is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.music import SUSTAIN, Song

MODULATION, DATA_ENTRY, VOLUME, PAN, EXPRESSION, DATA_FINE = 1, 6, 7, 10, 11, 38
REVERB, CHORUS, RPN_FINE, RPN_COARSE = 91, 93, 100, 101
DEFAULT_VOLUME, DEFAULT_PAN, DEFAULT_EXPRESSION = 100, 64, 127
DEFAULT_REVERB, DEFAULT_CHORUS = 40, 0
"""As General MIDI 2 has it, in both engines; FluidSynth by itself would be dry."""
DEFAULT_BEND_SEMITONES = 2.0
MAX_ATTENUATION = 1440.0
"""Centibels; nothing is softer."""


@dataclass(frozen=True, eq=False)
class Steps:
    """A value that changes at times and holds in between."""

    times: NDArray[np.int64]
    """(changes,) ascending output samples; the first is 0."""
    values: NDArray[np.float64]
    """(changes,)"""

    @classmethod
    def of(cls, times: NDArray[np.int64], values: NDArray[Any], default: float) -> Steps:
        """From changes in order; of those at one time, the last counts."""
        times = np.concatenate(([0], times))
        values = np.concatenate(([default], np.asarray(values, np.float64)))
        last = np.append(np.diff(times) > 0, True)
        return cls(times[last], values[last])

    def at(self, times: NDArray[Any] | int) -> NDArray[np.float64]:
        """The value at each time."""
        return self.values[np.searchsorted(self.times, times, side="right") - 1]

    def constant_over(self, start: int, end: int) -> float | None:
        """The value when it does not change in [start, end), else None."""
        first, last = np.searchsorted(self.times, (start, end - 1), side="right") - 1
        held = self.values[first : last + 1]
        return float(held[0]) if (held == held[0]).all() else None


@dataclass(frozen=True, eq=False)
class PartControls:
    """What one part's controllers do over the song."""

    attenuation: Steps
    """Centibels, from volume (7) and expression (11)."""
    pan: Steps
    """-500 (left) to 500 (right), from controller 10."""
    bend_cents: Steps
    wheel: Steps
    """Modulation wheel (1), 0-127."""
    reverb: Steps
    """Controller 91, 0-127."""
    chorus: Steps
    """Controller 93, 0-127."""


def sample_times(song: Song, ticks: NDArray[Any], sample_rate: int) -> NDArray[np.int64]:
    """Output sample at which each tick falls."""
    return np.rint(song.seconds(ticks) * sample_rate).astype(np.int64)


def key_up_ticks(song: Song) -> NDArray[np.int64]:
    """Tick at which each note stops being held: its end, put off by the pedal, cut by the same pitch struck anew."""
    ends = song.ends
    for part in np.unique(song.notes["part"]).tolist():
        chosen = song.notes["part"] == part
        ends[chosen] = _pedalled(ends[chosen], _controls(song, part, SUSTAIN), song.length)
    return np.minimum(ends, _next_onset(song.notes))


def _pedalled(ends: NDArray[np.int64], pedal: NDArray[Any], length: int) -> NDArray[np.int64]:
    """Ends that fall while the pedal is down move to where it comes up."""
    if not len(pedal):
        return ends
    is_down = pedal["value"] >= 64
    ups = np.where(is_down, max(length, int(ends.max(initial=0))), pedal["onset"])
    next_up = np.minimum.accumulate(ups[::-1])[::-1]
    at = np.searchsorted(pedal["onset"], ends, side="right") - 1
    sustained = (at >= 0) & is_down[np.maximum(at, 0)]
    return np.where(sustained, np.maximum(next_up[np.maximum(at, 0)], ends), ends)


def _next_onset(notes: NDArray[Any]) -> NDArray[np.int64]:
    """Where the same pitch of the same part starts next, later than the note itself."""
    label = notes["part"].astype(np.int64) * 128 + notes["pitch"]
    return next_in_group(label, notes["onset"].astype(np.int64), np.iinfo(np.int64).max)


def next_in_group(group: NDArray[np.int64], times: NDArray[np.int64], never: int) -> NDArray[np.int64]:
    """For each row the next later time in its group, ``never`` where there is none."""
    order = np.lexsort((times, group))
    sorted_group, sorted_times = group[order], times[order]
    following = np.full(len(order), never, np.int64)
    if len(order):
        starts = np.flatnonzero(np.diff(sorted_group, prepend=-1) | (np.diff(sorted_times, prepend=-1) != 0))
        nexts = np.append(starts[1:], len(order))  # where the next distinct (group, time) begins
        inside = nexts < len(order)
        same = np.zeros(len(starts), bool)
        same[inside] = sorted_group[nexts[inside]] == sorted_group[starts[inside]]
        value = np.full(len(starts), never, np.int64)
        value[same] = sorted_times[nexts[same]]
        following[order] = np.repeat(value, np.diff(np.append(starts, len(order))))
    return following


def part_controls(song: Song, part: int, sample_rate: int) -> PartControls:
    """Read one part's controllers and bends."""

    def steps(number: int, default: float) -> Steps:
        rows = _controls(song, part, number)
        return Steps.of(sample_times(song, rows["onset"], sample_rate), rows["value"], default)

    pan = steps(PAN, DEFAULT_PAN)
    return PartControls(
        attenuation=_attenuation(steps(VOLUME, DEFAULT_VOLUME), steps(EXPRESSION, DEFAULT_EXPRESSION)),
        pan=Steps(pan.times, (pan.values - 64.0) / 64.0 * 500.0),
        bend_cents=_bend_cents(song, part, sample_rate),
        wheel=steps(MODULATION, 0),
        reverb=steps(REVERB, DEFAULT_REVERB),
        chorus=steps(CHORUS, DEFAULT_CHORUS),
    )


def loudness_attenuation(value: NDArray[Any] | float) -> NDArray[np.float64]:
    """Centibels below full for a velocity, volume or expression of 0-127: amplitude goes with its square."""
    share = np.maximum(np.asarray(value, np.float64), 1e-3) / 127.0
    return np.minimum(-400.0 * np.log10(share), 960.0)


def _attenuation(volume: Steps, expression: Steps) -> Steps:
    """The sum of two controllers' attenuations."""
    times = np.union1d(volume.times, expression.times)
    both = loudness_attenuation(volume.at(times)) + loudness_attenuation(expression.at(times))
    return Steps(times, both)


def _controls(song: Song, part: int, *numbers: int) -> NDArray[Any]:
    """One part's changes of some controllers, in order."""
    rows = song.controls
    chosen: NDArray[Any] = rows[(rows["part"] == part) & np.isin(rows["number"], numbers)]
    return chosen


def _bend_cents(song: Song, part: int, sample_rate: int) -> Steps:
    """Bend in cents, through the range that the part sets with registered parameter 0."""
    bends = song.bends[song.bends["part"] == part]
    bend = Steps.of(sample_times(song, bends["onset"], sample_rate), bends["value"], 0)
    reach = _bend_range(song, part, sample_rate)
    times = np.union1d(bend.times, reach.times)
    return Steps(times, bend.at(times) / 8192.0 * reach.at(times) * 100.0)


def _bend_range(song: Song, part: int, sample_rate: int) -> Steps:
    """Semitones that a full bend reaches, over time."""
    rows = _controls(song, part, DATA_ENTRY, DATA_FINE, RPN_FINE, RPN_COARSE)
    state = {RPN_FINE: 127, RPN_COARSE: 127, DATA_ENTRY: 2, DATA_FINE: 0}
    onsets, values = [], []
    for onset, number, value in zip(*(rows[name].tolist() for name in ("onset", "number", "value")), strict=True):
        is_data = number in (DATA_ENTRY, DATA_FINE)
        chosen = state[RPN_FINE] == 0 and state[RPN_COARSE] == 0
        if not is_data or chosen:
            state[number] = value
        if is_data and chosen:
            onsets.append(onset)
            values.append(state[DATA_ENTRY] + state[DATA_FINE] / 100.0)
    times = sample_times(song, np.array(onsets, np.int64), sample_rate)
    return Steps.of(times, np.array(values, np.float64), DEFAULT_BEND_SEMITONES)

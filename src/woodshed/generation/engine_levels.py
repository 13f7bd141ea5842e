"""Holding bars to the levels that are asked of them, compiled: a closed loop around what a model has learned of levels.

A model that was told levels while it learned leans towards them; how far depends on how much it learned. So what is
asked is also steered, as a driver steers: the logits of a field are tilted by a multiple of what its symbols mean (the
steps of a time shift, a pitch, a velocity, whether a place is off the beat), so much that the mean comes out where the
bar needs it, given what the bar already holds. An exponential tilt is the smallest change of a distribution that has
the mean that is wanted (Csiszar, 1975), so accents, voicings and rhythms stay those of the model, louder, higher or
denser. What the constants are was tried on `benchmarks/controls`.

=========== ============================ ========================================================================
level       fields that are tilted       the mean that is wanted
=========== ============================ ========================================================================
density     time shift                   the model's, times by how much its notes lie too close together or too far
                                         apart, and a little more or less by how full the bar is already
register    pitch, part                  the model's, and as much higher as notes came out too low
velocity    velocity                     the model's, and as much louder as notes came out too soft
syncopation time shift, part, drum       none: the tilt itself grows with each onset that was too much on the beat
=========== ============================ ========================================================================

Only open notes are steered and counted, as levels are those of open notes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.levels import CONTROLS, EDGES
from woodshed.codecs.note_step import LONGEST_SHIFT, MAX_PARTS, SIZES, VELOCITY_STEP
from woodshed.compiled import compiled

DENSITY, REGISTER, SYNCOPATION, LOUDNESS = range(len(CONTROLS))
BAR, NOTES, LOUD, PITCHED, HIGH = range(5)
"""Where it is remembered: the bar that is counted, its notes, their velocities, the pitched ones, their pitches."""
SHIFT_MEAN, PITCH_MEAN, VELOCITY_MEAN = 5, 7, 9
"""Of a field, the model's own mean, and (next to it) of how many notes it is."""
LEAN, ASKED, OWED = 11, 12, 13
"""Of syncopation: nats by which to lean off the beat, the figure asked for last, what the latest onsets lacked."""
PART_PITCH, PART_NOTES = 16, 16 + MAX_PARTS
"""The mean pitch of each part's latest notes, and of how many."""
USUAL = 0.5
"""The syncopation at which steering begins."""
REMEMBERED = 24.0
"""Notes over which the model's own mean is taken."""
SETTLED = 4
"""Notes of a bar from which on what is missing is made good; of density, by how many notes a bar may differ."""
FARTHEST = 48
"""Steps; a longer shift counts as one of so many."""
MOST_TILT = (0.35, 0.25, 5.0, 0.15)
"""For each control: most nats for a step, a semitone, an off-beat place, a unit of MIDI velocity."""
QUICKNESS = 0.1
"""By how much the tilt of syncopation follows one onset."""
MISSING = 0.8
"""By how much more it leans for each unit of syncopation that is owed."""
FORGOTTEN = 0.9
"""The share of what was lacked that is still owed an onset later."""
AHEAD = 4.0
"""By how much it moves at once when another level is asked for, times the difference of the figures."""


def aims_of(levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(bars, 4) the figure to aim at for each level, in the middle of it; nan where none is asked."""
    aims = np.full(levels.shape, np.nan)
    for column, control in enumerate(CONTROLS):
        edges = np.array(EDGES[control])
        middles = np.concatenate(([edges[0] / 2], (edges[1:] + edges[:-1]) / 2, [edges[-1] * 1.15]))
        if control == "register":
            middles[0] = edges[0] - 2.5
        asked = levels[:, column] >= 0
        aims[asked, column] = middles[levels[asked, column]]
    return aims


def new_aim() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What `play_rows` remembers while it steers: figures, and where each line (part; or drum) last started."""
    figures = np.zeros(PART_NOTES + MAX_PARTS)
    figures[BAR], figures[ASKED] = -1, USUAL
    return figures, np.full((MAX_PARTS, 128), -1, np.int64)


@compiled
def _weigh(logits, mask, size, most, bins):  # type: ignore[no-untyped-def]
    """Write how likely each symbol is, all from ``most`` on together, into ``bins``; returns their mean number."""
    highest = -np.inf
    for i in range(size):
        if mask[i]:
            highest = max(highest, logits[i])
    for i in range(most + 1):
        bins[i] = 0.0
    total, mean = 0.0, 0.0
    for i in range(size):
        if mask[i]:
            weight = math.exp(logits[i] - highest)
            bins[min(i, most)] += weight
            total += weight
            mean += weight * min(i, most)
    return mean / total if total > 0 else 0.0


@compiled
def _mean(bins, count, slope):  # type: ignore[no-untyped-def]
    """The mean number of ``count`` bins when each is ``exp(slope)`` times as likely as the one before it."""
    ratio, power, total, mean = math.exp(slope), 1.0, 0.0, 0.0
    for i in range(count):
        weight = bins[i] * power
        total += weight
        mean += weight * i
        power *= ratio
    return mean / total if total > 0 else 0.0


@compiled
def _tilt(logits, size, count, bins, wanted, most):  # type: ignore[no-untyped-def]
    """Add ``slope`` times its number to each logit, with the slope, up to ``most``, that makes the mean ``wanted``."""
    low, high = -most, most
    for _ in range(9):
        slope = (low + high) / 2
        if _mean(bins, count, slope) < wanted:
            low = slope
        else:
            high = slope
    slope = (low + high) / 2
    for i in range(size):
        logits[i] += np.float32(slope * min(i, count - 1))


@compiled
def _follow(aim, which, value):  # type: ignore[no-untyped-def]
    """A running mean over the latest notes; returns it."""
    aim[which + 1] = min(aim[which + 1] + 1, REMEMBERED)
    aim[which] += (value - aim[which]) / aim[which + 1]
    return aim[which]


@compiled
def _weight(place, size):  # type: ignore[no-untyped-def]
    """How strong a place of a bar is, as in `codecs.levels`."""
    if place == 0:
        return 0
    if place % 24 == 0 and size % 24 == 0:
        return -1
    if place % 12 == 0:
        return -2
    if place % 6 == 0 or place % 4 == 0:
        return -3
    return -4 if place % 3 == 0 else -5


@compiled
def syncopated(place, size, left):  # type: ignore[no-untyped-def]
    """By how much the strongest silent place outweighs an onset's own, if its line is silent for ``left`` steps more:
    the figure of one onset in `codecs.levels`."""
    own = _weight(place, size)
    if own >= -2:
        return 0.0
    strongest = -9
    for weight, every in ((-5, 1), (-4, 3), (-3, 6), (-2, 12), (-1, 24)):
        next_one = min((place // every + 1) * every, size) - place
        if next_one < left and (weight != -1 or size % 24 == 0):
            strongest = weight
    if size - place < left:
        strongest = 0
    return float(max(strongest - own, 0))


@compiled
def steer_shift(aims, aim, place, logits, mask, firmness, buffer):  # type: ignore[no-untyped-def]
    """Tilt the time shift from ``place`` (position, bar, length of it) on."""
    size = SIZES[0]
    target = aims[DENSITY]
    if not math.isnan(target):
        own = _weigh(logits, mask, size, FARTHEST, buffer)
        usual = _follow(aim, SHIFT_MEAN, own)
        notes = aim[NOTES] if aim[BAR] == place[1] else 0.0
        due = target * place[0] / 48.0
        wanted = 48.0 / max(target, 0.5) * (notes + SETTLED) / (due + SETTLED)
        _tilt(
            logits, size, FARTHEST + 1, buffer, own * wanted / max(usual, 0.05), MOST_TILT[DENSITY] * firmness[DENSITY]
        )
    if not math.isnan(aims[SYNCOPATION]):
        slope = np.float32(_off_beat(aims, aim, place) * firmness[SYNCOPATION])
        for i in range(LONGEST_SHIFT + 1):
            if _weight((place[0] + i) % place[2], place[2]) < -2:
                logits[i] += slope


@compiled
def _off_beat(aims, aim, place):  # type: ignore[no-untyped-def]
    """By how many nats to lean off the beat: as before, and by what the bar lacks so far."""
    more = aim[LEAN] + MISSING * aim[OWED]
    return min(max(more, -MOST_TILT[SYNCOPATION]), MOST_TILT[SYNCOPATION])


@compiled
def _lost(last, step, place):  # type: ignore[no-untyped-def]
    """How much syncopation of a line's last onset is lost if the line starts at ``step`` again."""
    if last < 0 or step <= last or step - last > place[2]:
        return 0.0
    at, left = (place[0] - (step - last)) % place[2], step - last
    return syncopated(at, place[2], left + 1) - syncopated(at, place[2], left)


@compiled
def steer_part(aims, aim, lines, drums, step, place, logits, mask, parts, firmness):  # type: ignore[no-untyped-def]
    """Tilt which part is next."""
    if not math.isnan(aims[SYNCOPATION]):
        for p in range(parts):
            if not drums[p]:
                logits[p] -= np.float32(
                    _off_beat(aims, aim, place) * firmness[SYNCOPATION] * _lost(lines[p, 0], step, place)
                )
    if math.isnan(aims[REGISTER]):
        return
    lowest, heard = 128.0, 0
    for p in range(parts):
        if mask[p] and aim[PART_NOTES + p] > 0:
            heard += 1
            lowest = min(lowest, aim[PART_PITCH + p])
    if heard < 2:
        return
    slope = 0.5 * MOST_TILT[REGISTER] * firmness[REGISTER]
    slope *= min(max(_higher(aims, aim, place) / 6.0, -1.0), 1.0) / 3.0
    for p in range(parts):
        if aim[PART_NOTES + p] > 0:
            logits[p] += np.float32(slope * (aim[PART_PITCH + p] - lowest))


@compiled
def _higher(aims, aim, place):  # type: ignore[no-untyped-def]
    """By how many semitones the next pitches shall be higher than the model would have them."""
    more = aims[REGISTER] - aim[PITCH_MEAN] if aim[PITCH_MEAN + 1] > 0 else 0.0
    if aim[BAR] == place[1] and aim[PITCHED] >= SETTLED:
        more += aims[REGISTER] - aim[HIGH] / aim[PITCHED]
    return more


@compiled
def steer_pitch(aims, aim, lines, part, is_drum, step, place, logits, mask, firmness, buffer):  # type: ignore[no-untyped-def]
    """Tilt the pitch, or of drums which."""
    if is_drum:
        if not math.isnan(aims[SYNCOPATION]):
            for i in range(128):
                logits[i] -= np.float32(
                    _off_beat(aims, aim, place) * firmness[SYNCOPATION] * _lost(lines[part, i], step, place)
                )
        return
    if math.isnan(aims[REGISTER]):
        return
    own = _weigh(logits, mask, 128, 127, buffer)
    _follow(aim, PITCH_MEAN, own)
    _tilt(logits, 128, 128, buffer, own + _higher(aims, aim, place), MOST_TILT[REGISTER] * firmness[REGISTER])


@compiled
def steer_velocity(aims, aim, place, logits, mask, firmness, buffer):  # type: ignore[no-untyped-def]
    """Tilt the velocity."""
    if math.isnan(aims[LOUDNESS]):
        return
    ids = SIZES[4]
    own = _weigh(logits, mask, ids, ids - 1, buffer) * VELOCITY_STEP + 2.0
    more = aims[LOUDNESS] - _follow(aim, VELOCITY_MEAN, own)
    if aim[BAR] == place[1] and aim[NOTES] >= SETTLED:
        more += aims[LOUDNESS] - aim[LOUD] / aim[NOTES]
    wanted = (own + more - 2.0) / VELOCITY_STEP
    _tilt(logits, ids, ids, buffer, wanted, MOST_TILT[LOUDNESS] * VELOCITY_STEP * firmness[LOUDNESS])


@compiled
def count_note(aims, aim, lines, row, is_drum, step, place):  # type: ignore[no-untyped-def]
    """Take in an open note that was played."""
    if aim[BAR] != place[1]:
        aim[BAR] = place[1]
        for i in range(NOTES, HIGH + 1):
            aim[i] = 0.0
    aim[NOTES] += 1
    aim[LOUD] += VELOCITY_STEP * row[4] + 2.0
    if not is_drum:
        aim[PITCHED] += 1
        aim[HIGH] += row[2]
        of, at = PART_NOTES + row[1], PART_PITCH + row[1]
        aim[of] = min(aim[of] + 1, REMEMBERED)
        aim[at] += (row[2] - aim[at]) / aim[of]
    line = row[2] if is_drum else 0
    last = lines[row[1], line]
    lines[row[1], line] = step
    target = aims[SYNCOPATION]
    if math.isnan(target) or last == step:
        return
    if aim[ASKED] != target:
        aim[LEAN] += AHEAD * (target - aim[ASKED])
        aim[OWED] = 0.0
    aim[ASKED] = target
    if last >= 0 and step - last <= 4 * place[2]:
        found = syncopated((place[0] - (step - last)) % place[2], place[2], step - last)
        aim[LEAN] += QUICKNESS * (target - found)
        aim[OWED] = FORGOTTEN * aim[OWED] + target - found
    aim[LEAN] = min(max(aim[LEAN], -MOST_TILT[SYNCOPATION]), MOST_TILT[SYNCOPATION])

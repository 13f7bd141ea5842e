"""Copying as much as the learned songs do, compiled: a closed loop for each lag, of drums and of pitched parts.

A model that hears itself is surer of a loop than it was of real music: each bar that repeats the last makes the next
repeat likelier, and filters that cut unlikely symbols cut away change. Drawn as it believes, the shipped model repeats
two thirds of its notes a bar later where real bands repeat less than half, and no more of them after four bars than
after one. So the share of notes that stand where the lags (1, 2 and 4 bars back) expect them is steered to that of the
learned songs: what a lag expects gains or loses log-odds, a little with each note that was, or was not, copied. Change
then comes as what the model finds likeliest beside the loop: of pitches and drums only, as who is kept from the times
and the players of the bars before plays off the beat.

Source:
    The lags are those of Lookback RNN (Waite, 2016). The loop is ours.
"""

from __future__ import annotations

import numpy as np

from woodshed.codecs.note_step import LONGEST_SHIFT
from woodshed.codecs.past import LAGS
from woodshed.compiled import compiled

PITCHED, DRUMS = range(2)
RATE = 0.06
"""Nats by which one note moves what its lags are worth, times what it lacked or had too much."""
MOST = 4.0
"""Nats."""


@compiled
def wanted(share, repetition):  # type: ignore[no-untyped-def]
    """The share of notes that shall be copied: at repetition 1 as learned, at 0 none, at 2 all."""
    if repetition <= 1:
        return share * repetition
    return 1 - (1 - share) * max(2 - repetition, 0.0)


@compiled
def lean_to_copies(scene, stream, field, expected, part, logits):  # type: ignore[no-untyped-def]
    """Add what each lag is worth to the logit of what it expects of one of the first three fields."""
    for k in range(LAGS):
        symbol = expected[k]
        if symbol < 0:
            continue
        of = part
        if field == 0:
            j = stream.past.state[0].lag_at[k]
            of = stream.past.rows[j, 1] if j < stream.past.state[0].count else 0
        elif field == 1:
            of = symbol
        lean = stream.leans[DRUMS if scene.drums[of] else PITCHED, k]
        if lean > 0 or field == 2:
            logits[symbol] += np.float32(lean)


@compiled
def count_copies(scene, stream, expected, row, repetition):  # type: ignore[no-untyped-def]
    """Take in an open note that was played: was it what the lags expected?"""
    group = DRUMS if scene.drums[row[1]] else PITCHED
    for k in range(LAGS):
        share = scene.usual.repeats[group, k]
        if np.isnan(share) or expected[0, k] < 0 or expected[0, k] > LONGEST_SHIFT:
            continue
        copied = expected[0, k] == row[0] and expected[1, k] == row[1] and expected[2, k] == row[2]
        lean = stream.leans[group, k] + RATE * (wanted(share, repetition) - (1.0 if copied else 0.0))
        stream.leans[group, k] = min(max(lean, -MOST), MOST)

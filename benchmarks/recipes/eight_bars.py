"""The first eight bars of Beethoven's Ode to Joy, as each codec writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tables import table

from woodshed.codecs import FIELDS, NoteStepCodec
from woodshed.codecs.melody import MelodyCodec
from woodshed.errors import WoodshedError
from woodshed.music import Meter, Part, Song, melody_song, parse_melody
from woodshed.recipes.recipe import Recipe
from woodshed.recipes.runs import recipe_codec

BARS = 8
STEPS = 16
QUARTER, DOTTED, EIGHTH, HALF = 4, 6, 2, 8
_FIRST = [(64, QUARTER), (64, QUARTER), (65, QUARTER), (67, QUARTER), (67, QUARTER), (65, QUARTER), (64, QUARTER),
          (62, QUARTER), (60, QUARTER), (60, QUARTER), (62, QUARTER), (64, QUARTER)]  # fmt: skip
NOTES = [*_FIRST, (64, DOTTED), (62, EIGHTH), (62, HALF), *_FIRST, (62, DOTTED), (60, EIGHTH), (60, HALF)]
"""Pitch and length in sixteenths."""
INTRO = (
    "Beethoven's *Ode to Joy*, from the bar where the tune begins, typed as `--primer-melody` takes it "
    "(a number starts a pitch, -2 lets go on what is):\n\n"
)


def typed() -> str:
    """The melody as a user types it."""
    return "[" + ",".join(",".join(map(str, [pitch, *[-2] * (length - 1)])) for pitch, length in NOTES) + "]"


def tune() -> Song:
    """The melody, played by a piano in 4/4."""
    return melody_song(parse_melody(typed()), Part("Melody", 0, role="melody"), 120.0, Meter(4, 4))


def as_seen(recipe: Recipe) -> str:
    """The eight bars in the recipe's own representation."""
    codec = recipe_codec(recipe)
    if isinstance(codec, MelodyCodec):
        return as_melody(codec)
    if isinstance(codec, NoteStepCodec):
        return as_rows(codec)
    try:
        return in_words(codec)
    except (WoodshedError, AttributeError) as error:
        return f"This system has no form for a single line: {error}.\n"


def as_melody(codec: MelodyCodec) -> str:
    """Events, bar by bar; with lookback also labels and inputs."""
    song = codec.arrange(tune())
    events = codec.encode(song)
    bars = [[str(bar + 1), code(events[bar * STEPS :][:STEPS])] for bar in range(BARS)]
    moved = codec.transposition(tune())
    key = f"moved by {moved} semitones, to C major or A minor" if codec.transpose else "in its own key"
    span = f"{codec.low}-{codec.high - 1}"
    text = (
        f"{INTRO}```\n{by_bars()}\n```\n\nOne event each sixteenth, 16 a bar, {key}: 0 no event, 1 note off, 2 and up "
        f"the pitches {span}. There are {codec.events} events, {codec.inputs} inputs and {codec.labels} labels.\n\n"
        f"{table(['bar', 'events'], bars)}"
    )
    if not codec.lookback:
        return f"{text}\nThe input before each event is the event before it, as one of {codec.inputs}.\n"
    labels, look = codec.targets(events, STEPS), codec.look(events, STEPS)
    rows = [[str(bar + 1), code(labels[bar * STEPS :][:STEPS])] for bar in range(BARS)]
    steps = [4 * STEPS, 4 * STEPS + 4, 5 * STEPS, 6 * STEPS + 4]
    inputs = [
        [f"{step // STEPS + 1}, sixteenth {step % STEPS + 1}", code(look[step][look[step] >= 0]),
         f"{labels[step]}: {codec.describe('event', int(labels[step]))}"]
        for step in steps
    ]  # fmt: skip
    again = np.isin(labels, [codec.events, codec.events + 1]).mean()
    return (
        f"{text}\nThe labels, which are what the model predicts: {codec.events} is the event of one bar ago again, "
        f"{codec.events + 1} the event of two bars ago. Of these eight bars {100 * again:.0f} % can be said so.\n\n"
        f"{table(['bar', 'labels'], rows)}\n"
        f"Inputs that are on before four of the events (0-{codec.events - 1} the last event, then the events one and "
        "two bars before the one to come, five digits that count the step, two flags that say whether the last event "
        f"was a repeat):\n\n{table(['bar', 'inputs that are on', 'label'], inputs)}"
    )


def as_rows(codec: NoteStepCodec) -> str:
    """One row per note."""
    song = codec.arrange(tune())
    rows = codec.encode(song)
    cells = [[str(number), *map(str, row)] for number, row in enumerate(rows.tolist(), 1)]
    return (
        f"{INTRO}```\n{by_bars()}\n```\n\nOne row per note, on a grid of 12 steps to the quarter: `time_shift` steps "
        "since the row before, `part` an index into the line-up, `pitch` in MIDI numbers, `duration` one less than the "
        "steps it sounds, `velocity` in fours, `microtiming` 5 on the grid. The last row says that the song ends "
        f"(193).\n\n{table(['row', *FIELDS], cells)}"
    )


def in_words(codec: Any) -> str:
    """For any other codec: its symbols, and the first of them in words."""
    song = codec.arrange(tune())
    events = np.asarray(codec.encode(song))
    text = np.array2string(events, max_line_width=100, threshold=4096)
    lines = [f"{INTRO}```\n{by_bars()}\n```\n\nAs {codec.name} events, shape {events.shape}:\n\n```\n{text}\n```\n"]
    if hasattr(codec, "field") and events.ndim == 1 and events.dtype.kind == "i":
        cells = [[str(symbol), codec.describe(codec.field, int(symbol))] for symbol in np.unique(events)[:24]]
        lines.append(table(["event", "meaning"], cells))
    return "\n".join(lines)


def by_bars() -> str:
    """The typed melody, a bar on a line."""
    events = parse_melody(typed())
    lines = [",".join(map(str, events[bar * STEPS :][:STEPS])) for bar in range(BARS)]
    return "[" + ",\n ".join(lines) + "]"


def code(ids: NDArray[np.int64]) -> str:
    return f"`{' '.join(map(str, ids.tolist()))}`"

"""The first eight bars of Beethoven's Ode to Joy, as each codec writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tables import table

from woodshed.codecs import FIELDS, NoteStepCodec
from woodshed.codecs.chord_roll import ChordRollCodec
from woodshed.codecs.melody import MelodyCodec
from woodshed.codecs.pitch_names import PitchNameCodec
from woodshed.codecs.pitch_step_duration import PitchStepDurationCodec
from woodshed.errors import WoodshedError
from woodshed.music import NOTE, Meter, Part, Song, melody_song, parse_melody
from woodshed.music.chord_sheet import chord_rows, parse_chords
from woodshed.music.melodies import STEP_TICKS
from woodshed.recipes.recipe import Recipe
from woodshed.recipes.runs import recipe_codec

BARS = 8
STEPS = 16
QUARTER, DOTTED, EIGHTH, HALF = 4, 6, 2, 8
_FIRST = [(64, QUARTER), (64, QUARTER), (65, QUARTER), (67, QUARTER), (67, QUARTER), (65, QUARTER), (64, QUARTER),
          (62, QUARTER), (60, QUARTER), (60, QUARTER), (62, QUARTER), (64, QUARTER)]  # fmt: skip
NOTES = [*_FIRST, (64, DOTTED), (62, EIGHTH), (62, HALF), *_FIRST, (62, DOTTED), (60, EIGHTH), (60, HALF)]
"""Pitch and length in sixteenths."""
BELOW = {60: (67, 64, 48), 62: (71, 62, 55), 64: (67, 60, 48), 65: (71, 62, 55), 67: (72, 64, 48)}
"""What alto, tenor and bass sing to each pitch of the tune."""
SHOWN_BARS = 2
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
    if isinstance(codec, PitchNameCodec):
        return as_names(replace(codec, part=None))
    if isinstance(codec, PitchStepDurationCodec):
        return as_seconds(codec)
    if isinstance(codec, ChordRollCodec):
        return as_chords(codec)
    if hasattr(codec, "clips"):
        return as_clips(codec)
    try:
        return as_voices(codec) if codec.name == "chorale" else in_words(codec)
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
        "steps it sounds, `velocity` in fours, `microtiming` 16 on the grid. The last row says that the song ends "
        f"(193).\n\n{table(['row', *FIELDS], cells)}"
    )


def as_names(codec: PitchNameCodec) -> str:
    """One name per note or chord."""
    names = codec.names(codec.arrange(tune()))
    lines = [" | ".join(names[start : start + 10]) for start in range(0, len(names), 10)]
    what = "a name and a length in twelfths of a quarter" if codec.step_quarters is None else "a name; lengths are lost"
    text = "\n".join(lines)
    return (
        f"{INTRO}```\n{by_bars()}\n```\n\nOne event per note or chord, {what}. The model reads the numbers of these "
        "names in the sorted list of all that it met in training. (A part that is no guitar is shown here all the "
        f"same.)\n\n```\n{text}\n```\n"
    )


def as_seconds(codec: PitchStepDurationCodec) -> str:
    """Three numbers per note."""
    rows = codec.encode(codec.arrange(tune()))
    cells = [[str(number), f"{row[0]:.0f}", f"{row[1]:.2f}", f"{row[2]:.2f}"] for number, row in enumerate(rows, 1)]
    return (
        f"{INTRO}```\n{by_bars()}\n```\n\nOne row per note, at 120 BPM: its pitch, the seconds since the note before "
        f"it, and the seconds that it sounds.\n\n{table(['note', 'pitch', 'step', 'duration'], cells)}"
    )


def as_voices(codec: Any) -> str:
    """Four voices; the first bars only, for it is long."""
    song = codec.arrange(chorale())
    events = np.asarray(codec.encode(song))
    shown = events[: len(events) // BARS * SHOWN_BARS]
    words = [[str(symbol), codec.describe(codec.field, int(symbol))] for symbol in np.unique(shown)]
    lines = np.array2string(shown, max_line_width=100, threshold=4096)
    return (
        "Beethoven's *Ode to Joy* in four voices (an octave higher than on the other pages, harmonised with plain "
        f"triads). All eight bars are {len(events):,} events of {codec.events}; the first {SHOWN_BARS}:\n\n"
        f"```\n{lines}\n```\n\n{table(['event', 'meaning'], words)}"
    )


def chorale() -> Song:
    """The tune with three voices below it."""
    names = ("Soprano", "Alto", "Tenor", "Bass")
    parts = tuple(Part(name, 52) for name in names)
    rows, onset = [], 0
    for pitch, length in NOTES:
        for voice, sung in enumerate((pitch + 12, *BELOW[pitch])):
            rows.append((onset * STEP_TICKS, length * STEP_TICKS, sung, 100, voice))
        onset += length
    found = tune()
    notes = np.zeros(len(rows), NOTE)
    for column, values in zip(("onset", "duration", "pitch", "velocity", "part"), zip(*rows, strict=True), strict=True):
        notes[column] = values
    return found.replace(parts=parts, notes=notes[:0]).with_notes(notes)


def trio(times: int = 1) -> Song:
    """The tune with a bass on roots and fifths and a plain drum beat; again and again, if asked."""
    lead, bars = tune(), BARS * times
    bar = STEPS * STEP_TICKS
    drums = [(bar_start + beat * QUARTER * STEP_TICKS, (36, 38)[beat % 2]) for bar_start in range(0, bars * bar, bar)
             for beat in range(4)]  # fmt: skip
    hats = [(onset, 42) for onset in range(0, bars * bar, EIGHTH * STEP_TICKS)]
    roots, onset = [], 0
    for pitch, length in NOTES * times:
        if onset % (2 * QUARTER) == 0:
            roots.append((onset * STEP_TICKS, BELOW[pitch][2] - 12))
        onset += length
    notes = [(0, *row[1:]) for row in _rows(lead, times)]
    notes += [(1, onset, 2 * QUARTER * STEP_TICKS, pitch, 90) for onset, pitch in roots]
    notes += [(2, onset, STEP_TICKS, pitch, 100) for onset, pitch in drums + hats]
    parts = [Part("Lead", 27, False, "lead"), Part("Bass", 33, False, "bass"), Part("Drums", 0, True, "drums")]
    return Song.make(notes, parts, tempos=[(0, 120.0)], meters=[(0, 4, 4)], length=bars * bar)


def _rows(song: Song, times: int) -> list[tuple[int, int, int, int, int]]:
    return [
        (0, int(note["onset"]) + turn * song.length, int(note["duration"]), int(note["pitch"]), 100)
        for turn in range(times)
        for note in song.notes
    ]


def as_clips(codec: Any) -> str:
    """Tokens of the first clip of the eight bars, part by part."""
    whole = tune() if tuple(codec.parts) == ("melody",) else trio(-(-codec.bars // BARS))
    clip = codec.clips(whole)[0]
    tokens, scored = codec.encode(clip), codec.scored(codec.encode(clip))
    rows = []
    for part, own, kept in zip(codec.field_sizes(), tokens, scored, strict=True):
        own = own[kept]
        if len(own) > 1:  # a part that is not there is one end token
            shown = own[: SHOWN_BARS * STEPS]
            rows.append([part, code(shown) + (" ..." if len(own) > len(shown) else ""), str(len(own))])
    seen = [
        [part, str(symbol), codec.describe(part, int(symbol))]
        for part, own, kept in zip(codec.field_sizes(), tokens, scored, strict=True) if kept.sum() > 1
        for symbol in np.unique(own[kept][: SHOWN_BARS * STEPS])
    ]  # fmt: skip
    return (
        f"*Ode to Joy* with a bass and a plain beat, as far as this system hears it; a clip is {codec.bars} "
        f"bar{'s' if codec.bars > 1 else ''} of 4/4, {tokens.shape[0]} row{'s' if len(tokens) > 1 else ''} of "
        f"{tokens.shape[1]} tokens. The first clip:\n\n{table(['part', 'tokens', 'tokens in all'], rows)}\n"
        f"{table(['part', 'token', 'meaning'], seen)}"
    )


def as_chords(codec: ChordRollCodec) -> str:
    """The roll as signs, a bar on a line, with the chord of each."""
    names = ["C", "C", "G", "C", "C", "C", "G", "C"]
    chords = chord_rows(parse_chords(" ".join(names)), BARS, STEPS * STEP_TICKS)
    song = codec.arrange(tune().replace(chords=chords))
    roll = codec.encode(song)
    used = np.flatnonzero(roll[:, :-1].any(axis=0))[::-1]
    lines = [f"{'':8s} " + " ".join(f"{name:16s}" for name in names)]
    for cell in [*used.tolist(), roll.shape[1] - 1]:
        label = "struck" if cell == roll.shape[1] - 1 else codec.describe("pitch", cell).split()[0]
        signs = ["".join("#" if on else "." for on in roll[bar * STEPS :][:STEPS, cell]) for bar in range(BARS)]
        lines.append(f"{label:8s} " + " ".join(signs))
    text = "\n".join(lines)
    return (
        f"*Ode to Joy* over a chord for each bar. The roll has {roll.shape[1]} cells each sixteenth (24 pitches, and "
        f"one that says where a note is struck: the last line) and {codec.given} that are known beforehand (the "
        f"chord, the next chord, the place in the bar). Rows without a cell that is on are left out:\n\n"
        f"```\n{text}\n```\n"
    )


def in_words(codec: Any) -> str:
    """For any other codec: its numbers."""
    events = np.asarray(codec.encode(codec.arrange(tune())))
    text = np.array2string(events, max_line_width=100, threshold=4096)
    return f"{INTRO}```\n{by_bars()}\n```\n\nAs {codec.name} events, shape {events.shape}:\n\n```\n{text}\n```\n"


def by_bars() -> str:
    """The typed melody, a bar on a line."""
    events = parse_melody(typed())
    lines = [",".join(map(str, events[bar * STEPS :][:STEPS])) for bar in range(BARS)]
    return "[" + ",\n ".join(lines) + "]"


def code(ids: NDArray[np.int64]) -> str:
    return f"`{' '.join(map(str, ids.tolist()))}`"

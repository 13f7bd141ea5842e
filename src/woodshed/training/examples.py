"""From songs to batches: walks through songs that start at bar lines, transposed and varied, some as canvases."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.levels import AS_IT_COMES
from woodshed.codecs.note_step import (
    DRUM_PROGRAM,
    DURATION,
    END,
    LONGEST_DURATION,
    LONGEST_SHIFT,
    PART,
    PITCH,
    SIZES,
    START_ROW,
    TIME_SHIFT,
    VELOCITY,
    WAIT,
    NoteStepCodec,
)
from woodshed.codecs.past import NOTHING, Past, forget_all, new_past
from woodshed.codecs.study import (
    LEVEL_COLUMNS,
    Inputs,
    bar_levels,
    given_rows,
    hear,
    row_inputs,
    with_openness,
)
from woodshed.errors import CorpusError, OutOfRange
from woodshed.music import Song
from woodshed.training.canvases import CHANCES, KINDS, draw_holes, draw_levels

SONG_START = 0.1
"""Chance that a walk begins where its song does."""
FRESH = 0.4
"""Chance that a walk begins as if its song did, wherever that is: what was before is not known."""
PAST_ROWS = 2048
"""How much of the song before a walk its pointers see."""
LONGEST_WALK = 4
"""Windows of one song that follow each other."""


@dataclass(frozen=True)
class Augmentation:
    """How each walk may differ from the song it goes through."""

    transpose: int = 6
    """Pitched parts move together by at most this many semitones, down or up; drums stay."""
    louder: int = 2
    """All velocities move together by at most this many ids (4 velocities each)."""
    stretch: float = 0.1
    """Chance that a walk is played at half or double time."""
    canvases: float = 0.4
    """Share of walks of which some is given ahead, see `canvases`."""

    def __post_init__(self) -> None:
        for name, most in (("transpose", 127), ("louder", SIZES[VELOCITY] - 1), ("stretch", 1), ("canvases", 1)):
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise OutOfRange(f"augmentation {name} {value} is outside 0-{most}; 0 leaves it out")


@dataclass(frozen=True)
class Example:
    """One encoded song, ready to be cut."""

    title: str
    rows: NDArray[np.int64]
    """(R, 6), END included."""
    onset_steps: NDArray[np.int64]
    """(R,) of each row."""
    bar_lines: NDArray[np.int64]
    """(bars + 1,) steps."""
    programs: NDArray[np.int64]
    """(16, 2) program and occurrence of each part."""
    first_rows: NDArray[np.int64]
    """(bars,) first row at or after each bar line."""

    @property
    def notes(self) -> int:
        """How many of the rows are notes."""
        return int((self.rows[:, TIME_SHIFT] <= LONGEST_SHIFT).sum())


@dataclass(frozen=True)
class Batch:
    """B windows of T + 1 rows, stacked; short ones are padded."""

    inputs: Inputs
    """Each array with a first axis of B."""
    scored: NDArray[np.bool_]
    """(B, T, 6): False where a short window was padded, and for fields that a canvas gives."""
    goes_on: NDArray[np.bool_]
    """(B,) whether a window follows the one in the batch before in the same place."""

    @property
    def notes(self) -> int:
        """How many scored rows are notes."""
        return int((self.scored.any(2) & (self.inputs.rows[:, 1:, TIME_SHIFT] <= LONGEST_SHIFT)).sum())


def encode_examples(codec: NoteStepCodec, songs: Iterable[Song]) -> list[Example]:
    """Encode songs, leaving out those without a note.

    Raises:
        CorpusError: if none is left.
    """
    examples = [encode_example(codec, song) for song in songs if len(song)]
    if not examples:
        raise CorpusError("there is no song with notes to learn from; look at the files with `woodshed doctor`")
    return examples


def encode_example(codec: NoteStepCodec, song: Song) -> Example:
    """Encode one song."""
    song = codec.arrange(song)
    rows = codec.encode(song)
    onset_steps = codec.onset_steps(rows)
    lines = codec.bar_lines(song)
    first_rows = np.searchsorted(onset_steps, lines[:-1])
    return Example(song.title, rows, onset_steps, lines, codec.programs(song), first_rows)


class Windows:
    """Draws random batches of windows from examples: B walks through songs, each some windows long.

    A walk starts at a random bar line of a song (songs weigh as many rows as they have), transposed and varied as a
    whole. Some start as if the song began there: their first input is START at that bar's number, and
    nothing is expected of them yet, so that a model learns to begin anywhere. The others know the rows before. A part
    of the walks is a canvas, of which some is given ahead.
    """

    def __init__(
        self,
        codec: NoteStepCodec,
        examples: list[Example],
        batch: int,
        length: int,
        augmentation: Augmentation,
        threads: int = 1,
    ) -> None:
        """``threads``: how many walks go on side by side; it changes nothing of what is drawn."""
        self.codec, self.examples, self.batch, self.length = codec, examples, batch, length
        self.map = ThreadPoolExecutor(threads, "walks").map if threads > 1 else map
        self.augmentation = augmentation
        weights = np.array([len(example.rows) for example in examples], float)
        self.chances = weights / weights.sum()
        self.walks: list[Walk | None] = [None] * batch
        self.pasts = [new_past(PAST_ROWS + LONGEST_WALK * length) for _ in range(batch)]

    def draw(self, rng: np.random.Generator) -> Batch:
        """One batch; the generator is the only source of chance."""
        goes_on = np.array([walk is not None and not walk.done for walk in self.walks])
        for lane in np.flatnonzero(~goes_on):
            example = self.examples[int(rng.choice(len(self.examples), p=self.chances))]
            self.walks[lane] = Walk(self.codec, example, self.pasts[lane], self.length, self.augmentation, rng)
        windows, scored = zip(*self.map(Walk.window, filter(None, self.walks)), strict=True)
        sizes = {"rows": 1, "places": 1, "levels": 1}
        padded = {
            name: np.stack(
                [
                    array
                    if name == "programs"
                    else _pad(array, self.length + sizes.get(name, 0), _PADDING.get(name, 0))
                    for array in arrays
                ]
            )
            for name, arrays in zip(Inputs._fields, zip(*windows, strict=True), strict=True)
        }
        mask = np.stack([_pad(part, self.length, 0) for part in scored])
        lengths = np.array([len(window.expected) for window in windows])
        padded["rows"][:, 1:, TIME_SHIFT][np.arange(self.length) >= lengths[:, None]] = END
        return Batch(Inputs(**padded), mask, goes_on)


class Walk:
    """Some windows of one song, one after another."""

    def __init__(
        self,
        codec: NoteStepCodec,
        example: Example,
        past: Past,
        length: int,
        augmentation: Augmentation,
        rng: np.random.Generator,
    ) -> None:
        bar = int(rng.integers(len(example.first_rows))) if rng.random() > SONG_START else 0
        first = min(int(example.first_rows[bar]), len(example.rows) - 1)
        fresh = rng.random() < FRESH
        before = 0 if fresh else min(first, PAST_ROWS)
        span = slice(first - before, first + length * int(rng.integers(1, LONGEST_WALK + 1)))
        rows, onsets = example.rows[span].copy(), example.onset_steps[span]
        lines = example.bar_lines
        bar = min(int(np.searchsorted(lines, onsets[0], side="right")), len(lines) - 1) - 1
        onsets, lines = onsets - lines[bar], lines[bar:] - lines[bar]
        if rows[0, TIME_SHIFT] <= LONGEST_SHIFT:
            rows[0, TIME_SHIFT] = min(int(onsets[0]), LONGEST_SHIFT)
        drums = example.programs[:, 0] == DRUM_PROGRAM
        rows, onsets, lines = vary(rows, onsets, lines, drums, augmentation, rng)
        places = codec.places(np.concatenate(([0], onsets)), lines)
        levels = np.full((len(rows) + 1, LEVEL_COLUMNS), AS_IT_COMES, np.int64)
        kind = str(rng.choice(KINDS, p=CHANCES)) if rng.random() < augmentation.canvases else "plain"
        holes = draw_holes(kind, rows[before:], places[before + 1 :], rng)
        asked = draw_levels(rows[before:], onsets[before:], lines, example.programs, holes, rng)
        levels[before:] = bar_levels(asked, places[before:, 1])
        places[:, 1] += bar
        self.rows, self.onsets, self.places, self.levels = rows, onsets, places, levels
        self.programs = with_openness(example.programs, holes.openness)
        self.scored, self.past, self.length, self.at = holes.scored, past, length, before
        self.given, self.row_of = given_rows(holes.known, onsets[before:], drums)
        self.row_of += before
        self.first = before
        self.heard = False

    @property
    def done(self) -> bool:
        """Whether there is no window left."""
        return self.at >= len(self.rows)

    def window(self) -> tuple[Inputs, NDArray[np.bool_]]:
        """The next T rows or fewer, and (T, 6) what of them is scored. The first call hears all that was before."""
        if not self.heard:
            forget_all(self.past)
            before = slice(0, self.first)
            hear(self.past, self.rows[before], self.onsets[before], self.places[1 : self.first + 1], self.programs)
            self.heard = True
        start, stop = self.at, min(self.at + self.length, len(self.rows))
        self.at = stop
        given = self.given, self.row_of - start
        return self._read(start, stop, given), self.scored[start - self.first : stop - self.first]

    def _read(self, start: int, stop: int, given: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Inputs:
        before = self.rows[start - 1] if start else START_ROW
        whole = slice(start, stop + 1)
        rows, onsets = self.rows[start:stop], self.onsets[start:stop]
        return row_inputs(
            self.past, before, rows, onsets, self.places[whole], self.programs, levels=self.levels[whole], given=given
        )


_PADDING = {"expected": NOTHING, "votes": NOTHING, "anchors": NOTHING, "levels": AS_IT_COMES}


def _pad(array: NDArray[Any], size: int, value: int) -> NDArray[Any]:
    padded = np.full((size, *array.shape[1:]), value, array.dtype)
    padded[: len(array)] = array
    return padded


def vary(
    rows: NDArray[np.int64],
    onsets: NDArray[np.int64],
    lines: NDArray[np.int64],
    drum: NDArray[np.bool_],
    options: Augmentation,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Transpose, change loudness (both in place), play at half or double time; ``drum`` (16,) names the drum parts."""
    note = rows[:, TIME_SHIFT] <= LONGEST_SHIFT
    pitched = note & ~drum[rows[:, PART]]
    pitch = rows[pitched, PITCH] + int(rng.integers(-options.transpose, options.transpose + 1))
    if len(pitch) and pitch.min() >= 0 and pitch.max() <= 127:
        rows[pitched, PITCH] = pitch
    louder = int(rng.integers(-options.louder, options.louder + 1))
    rows[note, VELOCITY] = np.clip(rows[note, VELOCITY] + louder, 0, SIZES[VELOCITY] - 1)
    if rng.random() < options.stretch:
        return stretch(rows, onsets, lines, double=bool(rng.random() < 0.5))
    return rows, onsets, lines


def stretch(
    rows: NDArray[np.int64], onsets: NDArray[np.int64], lines: NDArray[np.int64], *, double: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The window at half speed (``double`` lengths), or at double speed where every onset allows it."""
    note = rows[:, TIME_SHIFT] <= LONGEST_SHIFT
    if (rows[:, TIME_SHIFT] == WAIT).any() or len(lines) < 2:
        return rows, onsets, lines
    changed = rows.copy()
    if double:
        changed[note, TIME_SHIFT] *= 2
        changed[note, DURATION] = np.minimum(2 * (rows[note, DURATION] + 1), LONGEST_DURATION) - 1
        fits = changed[note, TIME_SHIFT].max(initial=0) <= LONGEST_SHIFT
        return (changed, onsets * 2, lines * 2) if fits else (rows, onsets, lines)
    if (rows[note, TIME_SHIFT] % 2).any() or (lines % 2).any():
        return rows, onsets, lines
    changed[note, TIME_SHIFT] //= 2
    changed[note, DURATION] = np.maximum((rows[note, DURATION] + 1) // 2, 1) - 1
    return changed, onsets // 2, lines // 2

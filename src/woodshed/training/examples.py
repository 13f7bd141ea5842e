"""From songs to batches: windows of rows that start at bar lines, transposed and varied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.expectations import NOTHING
from woodshed.codecs.inputs import Inputs, row_inputs
from woodshed.codecs.note_step import (
    DRUM_PROGRAM,
    DURATION,
    END,
    LONGEST_DURATION,
    LONGEST_SHIFT,
    PART,
    PITCH,
    SIZES,
    TIME_SHIFT,
    VELOCITY,
    WAIT,
    NoteStepCodec,
)
from woodshed.errors import CorpusError, OutOfRange
from woodshed.music import Song

SONG_START = 0.1
"""Chance that a window is the beginning of its song."""
PAST_ROWS = 1536
"""How much of the song before a window its expectations may come from."""


@dataclass(frozen=True)
class Augmentation:
    """How each window may differ from the song it is cut from."""

    transpose: int = 6
    """Pitched parts move together by at most this many semitones, down or up; drums stay."""
    louder: int = 2
    """All velocities move together by at most this many ids (4 velocities each)."""
    stretch: float = 0.1
    """Chance that a window is played at half or double time."""

    def __post_init__(self) -> None:
        for name, most in (("transpose", 127), ("louder", SIZES[VELOCITY] - 1), ("stretch", 1)):
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
    """(B, T): False where a short window was padded."""

    @property
    def notes(self) -> int:
        """How many scored rows are notes."""
        return int((self.scored & (self.inputs.rows[:, 1:, TIME_SHIFT] <= LONGEST_SHIFT)).sum())


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
    """Draws random batches of windows from examples.

    A window starts at a random bar line of a song (songs weigh as many rows as they have). Half of the windows
    start as if the song began there: their first input is START at that bar's number, and nothing is
    expected of them yet, so that a model learns to begin anywhere. The others know the rows before.
    """

    def __init__(
        self, codec: NoteStepCodec, examples: list[Example], batch: int, length: int, augmentation: Augmentation
    ) -> None:
        self.codec, self.examples, self.batch, self.length = codec, examples, batch, length
        self.augmentation = augmentation
        weights = np.array([len(example.rows) for example in examples], float)
        self.chances = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> Batch:
        """One batch; the generator is the only source of chance."""
        chosen = rng.choice(len(self.examples), self.batch, p=self.chances)
        windows = [self._window(self.examples[song], rng) for song in chosen]
        scored = np.arange(self.length) < np.array([len(window.expected) for window in windows])[:, None]
        columns = zip(*windows, strict=True)
        sizes = {"rows": self.length + 1, "places": self.length + 1, "programs": len(self.examples[0].programs)}
        padded = {
            name: np.stack([_pad(array, sizes.get(name, self.length), _PADDING.get(name, 0)) for array in arrays])
            for name, arrays in zip(Inputs._fields, columns, strict=True)
        }
        padded["rows"][:, 1:, TIME_SHIFT][~scored] = END
        return Batch(Inputs(**padded), scored)

    def _window(self, example: Example, rng: np.random.Generator) -> Inputs:
        """Up to T + 1 rows, varied, with what the past says of all but the first."""
        bar = int(rng.integers(len(example.first_rows))) if rng.random() > SONG_START else 0
        first = min(int(example.first_rows[bar]), len(example.rows) - 1)
        past = 0 if rng.random() < 0.5 else min(first, PAST_ROWS)
        span = slice(first - past, first + self.length)
        rows, onsets = example.rows[span].copy(), example.onset_steps[span]
        bar = min(int(np.searchsorted(example.bar_lines, onsets[0], side="right")), len(example.bar_lines) - 1) - 1
        lines = example.bar_lines[bar:] - example.bar_lines[bar]
        onsets = onsets - example.bar_lines[bar]
        if rows[0, TIME_SHIFT] <= LONGEST_SHIFT:
            rows[0, TIME_SHIFT] = min(int(onsets[0]), LONGEST_SHIFT)
        drum = example.programs[:, 0] == DRUM_PROGRAM
        rows, onsets, lines = vary(rows, onsets, lines, drum, self.augmentation, rng)
        whole = row_inputs(self.codec, rows, onsets, lines, example.programs)
        whole.places[:, 1] += bar
        return Inputs(*(table if name == "programs" else table[past:] for name, table in whole._asdict().items()))


_PADDING = {"expected": NOTHING, "anchors": NOTHING}


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

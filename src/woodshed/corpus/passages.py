"""Passages that a song shares with the songs of a corpus, in any key and at any speed, note for note or nearly so.

It lies in this room, below both `generation`, which must not play such passages, and `evaluation`, which counts them:
it is a table of the corpus, as its fingerprints are, and knows nothing of models.

A **passage** is a stretch of a line of the song (see `passage_lines`: a part, or two parts that take turns) whose notes
stand in a line of a corpus song in the same order, all by the same interval higher or lower, all as many times
longer (one of `RATES`). Up to a quarter of its notes may be altered: changed, put in or left out. Durations,
velocities and instruments play no role.

What counts is what **chance would not do**. A passage tells so many *bits*: each of its symbols as many as it is rare
in the corpus (of a drum: rare after the drum before it), but each pair of neighbouring symbols only once in a passage,
so that a chugged note, a trill, a scale, an ostinato, a beat that goes round tell little however long they last. A
chord that is struck again tells what a note would, its rhythm, and not once more which intervals it has; that a note
is doubled at the octave tells nothing. An altered note costs `ALTERED_BITS`, what it takes to say which and how, for
which `AGAIN` of what comes again makes up.
A passage counts if it has `run` notes or more and tells `MARGIN` bits more than `PITCHED_BITS` or `DRUM_BITS` times
log2(notes of the song x notes of the corpus), the number of places at which it might have been found.

Drums are thereby judged against the null that a drummer goes from drum to drum as this corpus does, and no more than
that is said of them: fills and long unusual grooves are found, standard beats are common property. The factor is set
by the Groove data: of one drummer's hits 0.5 % stand in other drummers' playing at 1.8, 1.7 % at 1.4. What real songs
of one maker share is measured by `woodshed.evaluation.novelty`.

Source:
    S. Karlin and S. F. Altschul, Methods for assessing the statistical significance of molecular sequence features,
    PNAS 1990 (a score in bits against the size of the search). We differ in counting repeated pairs once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.corpus.passage_copies import cover, gather, passed_over
from woodshed.corpus.passage_lines import END, Lines, as_one_note, doubles_octave, given_pitch, lines_of
from woodshed.corpus.passage_search import FOUND, RATES, SEED, Query, Text, search
from woodshed.corpus.suffixes import common_prefixes, suffix_array
from woodshed.errors import OutOfRange
from woodshed.music import Song

RUN_NOTES = 12
"""Notes of the shortest passage that counts."""
FEWEST_NOTES, MOST_NOTES = 6, 4096
"""What may be asked for instead."""
MARGIN = 7.0
"""Bits beyond what chance is expected to find: once in 128 songs."""
MOST_BITS = 6.0
"""A symbol tells no more, however rare: in few songs everything is."""
UNSEEN = 64
"""Symbols are counted as if so many more had been heard, each once: a few songs do not show all that is possible."""
PITCHED_BITS, DRUM_BITS = 1.4, 1.8
"""A passage must tell so many times the bits of the places at which it might have been found. Symbols tell more than
notes do: of notes drawn independently two neighbouring intervals share one, and drums keep to their beat."""
FEWEST_BITS = 40.0
"""However few these places are."""
TOGETHER = 12
"""Of a dozen steps in two parts of the song, how many may join notes of both that start together: all, so that chords
that are shared out over two parts are found; the corpus has only pairs that truly take turns, which keeps it small."""


TOLD = 0.5
"""Share of a copy's notes."""


@dataclass(frozen=True)
class IndexedSong:
    """What an index knows of a song beside its notes."""

    name: str
    """Where to find it: its id in a corpus, or its file below a folder."""
    title: str


@dataclass(frozen=True)
class Passage:
    """A stretch of a song that also stands in the corpus. Shapes: K notes that correspond."""

    part: int
    """Of the song."""
    other_part: int
    """The second part that it is shared out over, or -1."""
    source: int
    """Which song of the index."""
    source_part: int
    source_other_part: int
    notes: NDArray[np.int64]
    """(K,) of the song's notes, in order."""
    source_notes: NDArray[np.int64]
    """(K,) the notes of the source that they correspond to."""
    altered: int
    """Notes of either that were passed over between them: changed, put in or left out."""
    exact_from: int
    exact_notes: int
    """Where in ``notes`` the longest stretch without an altered note begins, and its notes."""
    semitones: int
    """How much higher the song has it than the source; 0 in drums."""
    rate: float
    """How many times as long its notes are in the source, in quarter notes."""
    bits: float
    """What it tells, less `ALTERED_BITS` for each altered note."""

    def as_copy(self) -> Copy:
        """It alone."""
        return Copy((self,), self.notes, self.source_notes, self.altered, self.semitones)


@dataclass(frozen=True)
class Copy:
    """What a song has from one stretch of one source, in all its parts: passages that belong together.

    Shapes: K notes that correspond.
    """

    passages: tuple[Passage, ...]
    """Those needed to show its notes, longest first; all of one source and one rate."""
    notes: NDArray[np.int64]
    """(K,) of the song's notes, ascending; none twice."""
    source_notes: NDArray[np.int64]
    """(K,) a note of the source that each corresponds to."""
    altered: int
    """Notes of either side that every passage passes over."""
    semitones: int
    """How much higher the song has it; 0 if it is drums alone."""


@dataclass(frozen=True)
class Found:
    """All that a song shares with an index. Shapes: N notes of the song."""

    copies: tuple[Copy, ...]
    """What was copied, each with notes that none before it has, most of them first. Not among them are those of which
    more than `TOLD` is told already as coming from the same source: the same riff from another of its bars."""
    length: NDArray[np.int64]
    """(N,) notes of the longest passage that each note lies in, its altered notes not counted; 0 for none."""
    source: NDArray[np.int64]
    """(N,) the source of the first copy, told or not, that each note lies in, -1 for none."""
    spans: NDArray[np.int64]
    """(P, 3) of every passage, also those not needed: its notes, the first and the last of them."""
    longest: Passage | None
    """The passage with most notes."""
    most_exact: Passage | None
    """The passage with the longest stretch without an altered note, which need not be in a copy."""


class PassageIndex:
    """A suffix array over the lines of some songs. Shapes: T symbols in L lines of S songs, V different ones."""

    def __init__(self, songs: tuple[IndexedSong, ...], arrays: dict[str, NDArray[Any]]) -> None:
        """From what `arrays` holds; use `build`."""
        self.songs = songs
        self.arrays = arrays

    @classmethod
    def build(cls, songs: Iterable[tuple[IndexedSong, Song]]) -> PassageIndex:
        """Index songs; a million notes take about 3 seconds and 40 MB."""
        known: list[IndexedSong] = []
        lines: list[Lines] = []
        for one, song in songs:
            known.append(one)
            lines.append(lines_of(song))
        return cls(tuple(known), _arrays(lines))

    def __len__(self) -> int:
        return len(self.songs)

    @property
    def notes(self) -> int:
        """How many notes its songs have, doubled ones once."""
        return int(self.arrays["notes"].sum())

    def find(self, song: Song, run: int = RUN_NOTES) -> Found:
        """All passages of ``song`` of ``run`` notes or more that stand in an indexed song.

        Raises:
            OutOfRange: for a ``run`` outside 6-4096.
        """
        if not FEWEST_NOTES <= run <= MOST_NOTES:
            raise OutOfRange(f"runs of {run} notes are outside {FEWEST_NOTES}-{MOST_NOTES}; {RUN_NOTES} is usual")
        lines = lines_of(song, TOGETHER)
        query = self._query(lines)
        text = self._text()
        room = 1 << 10
        while True:
            found = np.empty((room, FOUND), np.int64)
            pairs = np.empty((room * 64, 2), np.int32)
            count = search(text, query._replace(found=found, pairs=pairs), run)
            if count >= 0:
                return self._found(lines, found[:count], pairs, len(song))
            room *= 4

    def _text(self) -> Text:
        a = self.arrays
        return Text(a["text"], a["order"], a["time"], a["pitch"], a["begin"], a["line"], a["bits"])

    def _query(self, lines: Lines) -> Query:
        """The song's lines in the numbers of this index."""
        codes = self.arrays["codes"]
        place = np.minimum(np.searchsorted(codes, lines.symbol), max(len(codes) - 1, 0))
        known = codes[place] == lines.symbol if len(codes) else np.zeros(len(place), bool)
        text = np.where(known, place, END).astype(np.int32)
        low, high = self._seeds(text)
        size = len(lines.line)
        places = math.log2(max(len(lines.twin), 1)) + math.log2(max(self.notes, 1))
        factor = np.where(lines.is_drum[lines.line], DRUM_BITS, PITCHED_BITS) if size else np.zeros(0)
        return Query(
            text=text,
            bits=self._tells(lines, text),
            time=lines.time,
            pitch=lines.pitch,
            end=np.searchsorted(lines.line, lines.line, side="right"),
            begin=np.searchsorted(lines.line, lines.line),
            low=low,
            high=high,
            needed=np.maximum(places * factor + MARGIN, FEWEST_BITS),
            found=np.empty((0, FOUND), np.int64),
            pairs=np.empty((0, 2), np.int32),
        )

    def _tells(self, lines: Lines, text: NDArray[np.int32]) -> NDArray[np.float64]:
        """(Q,) bits of each symbol of a song; of what is struck again those of its rhythm alone, of octaves none."""
        if not len(self.arrays["codes"]):
            return np.zeros(len(text))
        bits = np.where(text == END, 0.0, self.arrays["bits"][text])
        bits[doubles_octave(lines.symbol) & ~lines.is_drum[lines.line]] = 0
        return np.where(lines.struck_again, np.minimum(bits, self._bits_of(as_one_note(lines.symbol))), bits)

    def _bits_of(self, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
        """(T,) what symbols tell: nothing at an `END`, and most of those that the corpus has not."""
        codes = self.arrays["codes"]
        place = np.minimum(np.searchsorted(codes, symbols), len(codes) - 1)
        told = np.where(codes[place] == symbols, self.arrays["bits"][place], MOST_BITS)
        return np.where(symbols == END, 0.0, told)

    def _seeds(self, text: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(Q,) the first place of the suffix array that begins with the next `SEED` symbols, and the first after."""
        keys, valid = _seed_keys(text, 1 << 62)
        known = self.arrays["seed_keys"]
        at = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
        valid &= known[at] == keys if len(known) else False
        low, high = np.zeros(len(text), np.int64), np.zeros(len(text), np.int64)
        low[valid] = self.arrays["seed_low"][at[valid]]
        high[valid] = self.arrays["seed_high"][at[valid]]
        return low, high

    def _found(self, lines: Lines, rows: NDArray[np.int64], pairs: NDArray[np.int32], notes: int) -> Found:
        """Longest first; of equals the one with less altered, of these the one in a single part."""
        length, source = np.zeros(notes, np.int64), np.full(notes, -1)
        several = lines.parts[lines.line[rows[:, 8]], 1] >= 0
        rows = rows[np.lexsort((rows[:, 8], several, rows[:, 1], -rows[:, 0]))]
        passage = np.repeat(np.arange(len(rows)), rows[:, 0])
        within = np.arange(len(passage)) - np.repeat(np.cumsum(rows[:, 0]) - rows[:, 0], rows[:, 0])
        note = lines.note[pairs[rows[passage, 6] + within, 0]]
        length[note[::-1]] = rows[passage[::-1], 0]  # of several values for one place the last stays: the longest
        copies = []
        for chosen in cover(note, passage, self._gathered(lines, rows, pairs)):
            copy = self._copy(lines, rows[chosen], pairs)
            origin = copy.passages[0].source
            if np.mean(source[copy.notes] == origin) <= TOLD:
                copies.append(copy)
            source[copy.notes[source[copy.notes] < 0]] = origin
        longest = self._passage(lines, rows[0], pairs) if len(rows) else None
        exact = self._passage(lines, rows[rows[:, 2].argmax()], pairs) if len(rows) else None
        ends = [lines.note[pairs[place, 0]] for place in (rows[:, 6], rows[:, 6] + rows[:, 0] - 1)]
        spans = np.column_stack((rows[:, 0], *ends))
        return Found(tuple(copies), length[lines.twin], source[lines.twin], spans, longest, exact)

    def _gathered(self, lines: Lines, rows: NDArray[np.int64], pairs: NDArray[np.int32]) -> NDArray[np.int64]:
        """(P,) which passages belong together."""
        a = self.arrays
        first, last = (lines.time[pairs[place, 0]] for place in (rows[:, 6], rows[:, 6] + rows[:, 0] - 1))
        return gather(
            a["line_song"][a["line"][rows[:, 7]]], rows[:, 5], rows[:, 4], lines.is_drum[lines.line[rows[:, 8]]],
            rows[:, 0], lines.time[rows[:, 8]], a["time"][rows[:, 7]], first, last,
        )  # fmt: skip

    def _copy(self, lines: Lines, rows: NDArray[np.int64], pairs: NDArray[np.int32]) -> Copy:
        """Of passages that belong together."""
        pieces = [pairs[row[6] : row[6] + row[0]].astype(np.int64) for row in rows]
        both = np.concatenate(pieces)
        notes, first = np.unique(lines.note[both[:, 0]], return_index=True)
        pitched = rows[~lines.is_drum[lines.line[rows[:, 8]]]]
        return Copy(
            passages=tuple(self._passage(lines, row, pairs) for row in rows),
            notes=notes,
            source_notes=self.arrays["note"][both[first, 1]].astype(np.int64),
            altered=passed_over(pieces, lines.note, self.arrays["note"]),
            semitones=-int(pitched[0, 4]) if len(pitched) else 0,
        )

    def _passage(self, lines: Lines, row: NDArray[np.int64], pairs: NDArray[np.int32]) -> Passage:
        a, line = self.arrays, lines.line[row[8]]
        other = a["line"][row[7]]
        ours, theirs = pairs[row[6] : row[6] + row[0]].T
        return Passage(
            part=int(lines.parts[line, 0]),
            other_part=int(lines.parts[line, 1]),
            source=int(a["line_song"][other]),
            source_part=int(a["line_parts"][other, 0]),
            source_other_part=int(a["line_parts"][other, 1]),
            notes=lines.note[ours],
            source_notes=a["note"][theirs].astype(np.int64),
            altered=int(row[1]),
            exact_from=int(row[3]),
            exact_notes=int(row[2]),
            semitones=-int(row[4]),
            rate=RATES[row[5]],
            bits=float(row[9] / 1000),
        )


KINDS = {
    "text": "int32", "order": "int32", "time": "int32", "pitch": "int16", "note": "int32", "line": "int32",
    "begin": "int32", "line_song": "int64", "line_parts": "int64", "notes": "int64", "codes": "int64", "bits":
    "float64",
    "seed_keys": "uint64", "seed_low": "int64", "seed_high": "int64",
}  # fmt: skip
"""What `PassageIndex.arrays` holds, see `_arrays`."""


def _arrays(lines: list[Lines]) -> dict[str, NDArray[Any]]:
    """What `PassageIndex.arrays` holds.

    ============ ======== ===================================================================================
    text         (T,)     which of ``codes`` each symbol is; V + its line where one ends
    order        (T,)     the suffix array of that
    time, pitch  (T,)     half steps, MIDI number
    note         (T,)     which note of its song
    line         (T,)     which line
    begin        (L + 1,) where each line begins
    line_song    (L,)     which song
    line_parts   (L, 2)   its parts, see `Lines.parts`
    notes        (S,)     notes of each song
    codes        (V,)     the symbols, ascending
    bits         (V,)     what each tells
    seed_keys    (G,)     of each group of places that begin with the same `SEED` symbols: their hash, ascending
    seed_low     (G,)     where in ``order`` the group begins; ``seed_high`` where it ends
    ============ ======== ===================================================================================
    """
    first_line = np.cumsum([0, *(len(one.parts) for one in lines)])
    symbol = _joined([one.symbol for one in lines], np.int64)
    line = _joined([one.line + first for one, first in zip(lines, first_line, strict=False)], np.int32)
    codes, counts = np.unique(symbol[symbol != END], return_counts=True)
    text = np.where(symbol == END, len(codes) + line, np.searchsorted(codes, symbol)).astype(np.int32)
    order = suffix_array(text)
    low, high, keys = _seed_groups(text, order, len(codes))
    return {
        "text": text,
        "order": order,
        "time": _joined([one.time for one in lines], np.int32),
        "pitch": _joined([one.pitch for one in lines], np.int16),
        "note": _joined([one.note for one in lines], np.int32),
        "line": line,
        "begin": np.searchsorted(line, np.arange(first_line[-1] + 1)).astype(np.int32),
        "line_song": np.repeat(np.arange(len(lines)), np.diff(first_line)),
        "line_parts": np.concatenate([np.zeros((0, 2), np.int64), *(one.parts for one in lines)]),
        "notes": np.array([len(np.unique(one.note)) for one in lines], np.int64),
        "codes": codes,
        "bits": _bits(codes, counts),
        "seed_keys": keys,
        "seed_low": low,
        "seed_high": high,
    }


def _bits(codes: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(V,) what each symbol tells, given what is known before it comes."""
    known = given_pitch(codes)
    of_kind = np.bincount(known, counts)[known] if len(codes) else np.zeros(0)
    return np.minimum(np.log2((of_kind + UNSEEN) / np.maximum(counts, 1)), MOST_BITS)


def _joined(pieces: list[NDArray[np.int64]], kind: type[np.integer[Any]]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, np.int64), *pieces]).astype(kind)


def _seed_groups(
    text: NDArray[np.int32], order: NDArray[np.int32], symbols: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """Where neighbours in the suffix array have fewer than `SEED` symbols in common one group ends and another
    begins."""
    low = np.flatnonzero(common_prefixes(text, order) < SEED)
    high = np.append(low[1:], len(order))
    keys, valid = _seed_keys(text, symbols)
    keys, valid = keys[order[low]], valid[order[low]]
    turn = np.argsort(keys[valid])
    return low[valid][turn], high[valid][turn], keys[valid][turn]


def _seed_keys(text: NDArray[np.int32], symbols: int) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """(T,) a hash of the `SEED` symbols that begin at each place, and whether there are so many, all below
    ``symbols``."""
    padded = np.append(text, np.full(SEED, END)).astype(np.int64)
    keys, valid = np.zeros(len(text), np.uint64), np.ones(len(text), bool)
    for ahead in range(SEED):
        value = padded[ahead : ahead + len(text)]
        keys = _mixed(keys * np.uint64(0x9E3779B97F4A7C15) + value.astype(np.uint64))
        valid &= (value >= 0) & (value < symbols)
    return keys, valid


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread each value over all 64 bits, one to one (the finaliser of SplitMix64, S. Vigna 2015)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))

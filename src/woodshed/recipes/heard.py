"""Clips given to a bundle with a latent space: heard in pieces of the model's length, and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.clip_band import NOTE_ON, PROGRAM
from woodshed.codecs.clip_drums import CLASS_OF, DRUM_CLASSES, SYMBOLS
from woodshed.codecs.clips import BAR_STEPS, BAR_TICKS, FIRST_PITCH, check_meter, clip_bars, in_key
from woodshed.errors import CodecError, LimitExceeded
from woodshed.generation.canvas import REGISTER, program_of
from woodshed.music import METER, Part, Song, part_name
from woodshed.music.melodies import STEP_TICKS
from woodshed.words import counted

MOST_BARS = 512
PITCHED = len(DRUM_CLASSES)
"""Row of the pitched notes in `Heard.loudness`, after the kinds of drum."""
Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Heard:
    """A clip as it is, and as a model hears it."""

    given: Song
    """With the parts that the model has no ear for."""
    parts: tuple[int, ...]
    """Which of its parts are heard."""
    song: Song
    """The parts that are heard, note for note."""
    bars: int
    players: tuple[Part, ...]
    """Who plays each row of the tokens."""
    tokens: Tokens
    """(S, P, T) of its pieces, the last filled up with rest."""
    move: int
    """Semitones from what is heard to what the tokens say."""

    @property
    def unheard(self) -> list[str]:
        """Names of the sounding parts that the model has no ear for."""
        sounding = np.unique(self.given.notes["part"]).tolist()
        return [part_name(self.given.parts[part]) for part in sounding if part not in self.parts]

    def with_new(self, new: Song) -> Song:
        """The given song with the notes of ``new``, whose first parts are the players, in place of what is heard."""
        more = new.parts[len(self.players) :]
        seats = [*self.parts[: len(self.players)], *range(len(self.given.parts), len(self.given.parts) + len(more))]
        notes = new.notes.copy()
        notes["part"] = np.array(seats, np.int64)[notes["part"]] if len(notes) else 0
        others = self.given.notes[~np.isin(self.given.notes["part"], self.parts)]
        whole = self.given.replace(parts=(*self.given.parts, *more), notes=others[:0], length=self.bars * BAR_TICKS)
        return whole.with_notes(np.concatenate((others, notes)))

    @property
    def loudness(self) -> NDArray[np.float64]:
        """(10, steps) velocity on each sixteenth of each kind of drum, and of the pitched notes; the median where none
        starts."""
        notes = self.song.notes
        drum = np.array([part.is_drum for part in self.song.parts], bool)[notes["part"]]
        row = np.where(drum, CLASS_OF[notes["pitch"]], PITCHED)
        known = row >= 0
        row, velocity = row[known], notes["velocity"][known].astype(float)
        step = np.minimum((notes["onset"][known].astype(np.int64) + STEP_TICKS // 2) // STEP_TICKS, self.steps - 1)
        table = np.full((PITCHED + 1, self.steps), np.median(velocity) if len(velocity) else 100.0)
        for number in np.unique(row):
            table[number] = np.median(velocity[row == number])
        table[row, step] = velocity
        return table

    @property
    def kit(self) -> NDArray[np.int64]:
        """(9,) the drum that it mostly hits of each kind; -1 where it hits none."""
        drum = np.array([part.is_drum for part in self.song.parts], bool)[self.song.notes["part"]]
        counts = np.bincount(self.song.notes["pitch"][drum], minlength=128)
        kinds = [np.array(kind.pitches) for kind in DRUM_CLASSES]
        return np.array([kind[counts[kind].argmax()] if counts[kind].any() else -1 for kind in kinds])

    @property
    def steps(self) -> int:
        """Sixteenths."""
        return self.bars * BAR_STEPS


def hear_clip(codec: Any, song: Song) -> Heard:
    """A clip of any number of bars; one that fits into the model's length several times is heard so often.

    Raises:
        CodecError: if it is empty, in another meter than 4/4, or nothing in it is what the model plays.
        LimitExceeded: for more than `MOST_BARS`.
    """
    name = song.title or "the clip"
    if not len(song):
        raise CodecError(f"{name} is empty: it has no notes; give one that has")
    check_meter(song)
    parts, bars = codec.heard_parts(song), clip_bars(song)
    if bars > MOST_BARS:
        raise LimitExceeded(f"{name} has {counted(bars, 'bar')}, more than {MOST_BARS}; give a shorter clip")
    own = only_parts(song, parts)
    whole = repeated(own, bars, codec.bars // bars) if bars < codec.bars and not codec.bars % bars else own
    move = codec.transposition(own, range(len(parts)))
    snapped = in_key(_on_grid(whole, codec.grid_ticks), move)
    size, places = codec.bars * BAR_TICKS, range(len(parts))
    pieces = [snapped.slice(start, start + size) for start in range(0, bars * BAR_TICKS, size)]
    tokens = np.stack([codec.hear(piece, places) for piece in pieces])
    if not tokens.any():
        raise CodecError(f"{name} is empty: no sound that this model knows begins in it")
    return Heard(song, tuple(parts), own, bars, own.parts[: len(codec.parts)], tokens, move)


def near_pitches(codec: Any, clips: Sequence[Heard]) -> list[NDArray[np.bool_]]:
    """Which ids of each row lie in the register of these clips, or a fourth beyond; drums are free.

    In a band the instruments are those of these clips, and their registers are free.
    """
    masks = []
    programs = np.concatenate([clip.tokens[:, :, 0].ravel() for clip in clips])
    for row, size in enumerate(codec.vocabulary):
        mask = np.ones(size, bool)
        if codec.per_part:
            mask[PROGRAM:NOTE_ON] = np.isin(np.arange(PROGRAM, NOTE_ON), programs)
        ids = np.concatenate([clip.tokens[:, row].ravel() for clip in clips])
        ids = ids[ids >= FIRST_PITCH]
        if not codec.per_part and size != SYMBOLS and len(ids):
            mask[FIRST_PITCH : max(int(ids.min()) - REGISTER, FIRST_PITCH)] = False
            mask[int(ids.max()) + REGISTER + 1 :] = False
        masks.append(mask)
    return masks


def repeated(song: Song, bars: int, times: int) -> Song:
    """Its first ``bars`` bars so often."""
    once = song.slice(0, bars * BAR_TICKS)
    notes = np.tile(once.notes, times)
    notes["onset"] += np.repeat(np.arange(times) * once.length, len(once.notes)).astype(np.int32)
    return once.replace(length=once.length * times).with_notes(notes)


def only_parts(song: Song, parts: Sequence[int]) -> Song:
    """The song with these parts alone, in this order; without controls and bends of others."""
    place = np.full(len(song.parts), -1)
    place[list(parts)] = np.arange(len(parts))
    rows = {}
    for name in ("notes", "controls", "bends"):
        own = getattr(song, name)
        own = own[place[own["part"]] >= 0].copy()
        own["part"] = place[own["part"]]
        rows[name] = own
    notes = rows.pop("notes")
    return song.replace(notes=notes[:0], parts=tuple(song.parts[part] for part in parts), **rows).with_notes(notes)


def frame_for(codec: Any, players: Sequence[Part], tempos: NDArray[Any], keys: NDArray[Any], move: int = 0) -> Song:
    """A song without notes of the model's length, in the key that its tokens have; what changes later is left out."""
    keys = keys[:1].copy()
    keys["tonic"] = (keys["tonic"] + move) % 12
    return Song(
        parts=tuple(players),
        tempos=tempos[:1],
        keys=keys,
        meters=np.array([(0, 4, 4)], METER),
        length=codec.bars * BAR_TICKS,
    )


def play_tokens(codec: Any, tokens: Tokens, frame: Song, bars: int, move: int = 0) -> Song:
    """(S, P, T) pieces in a row as one song of just so many bars, moved back from the key that they have."""
    pieces = [codec.decode(rows, frame) for rows in tokens]
    starts = [number * frame.length for number in range(len(pieces))]
    return in_key(in_a_row(pieces, starts, bars * BAR_TICKS, frame), -move)


def in_a_row(songs: Sequence[Song], starts: Sequence[int], length: int, frame: Song) -> Song:
    """The songs' notes from these ticks on, each in the part of ``frame`` that has its instrument, or a new one."""
    players = list(frame.parts)
    found = []
    for song, start in zip(songs, starts, strict=True):
        notes = song.notes.copy()
        notes["part"] = np.array(_seats(players, song.parts), np.int64)[notes["part"]] if len(notes) else 0
        notes["onset"] += start
        found.append(notes)
    notes = np.concatenate(found)
    notes = notes[notes["onset"] < length]
    notes["duration"] = np.minimum(notes["duration"], length - notes["onset"])
    return frame.replace(parts=tuple(players), length=length).with_notes(notes)


def with_touch(song: Song, table: NDArray[np.float64], kits: Sequence[NDArray[np.int64]]) -> Song:
    """The song with the velocities (10, steps) of `Heard.loudness`, begun anew where they end, and the drums (9,) of
    the first of `Heard.kit` that has one of their kind."""
    notes = song.notes.copy()
    drum = np.array([part.is_drum for part in song.parts], bool)[notes["part"]]
    row = np.where(drum, CLASS_OF[notes["pitch"]], PITCHED)
    step = notes["onset"] // STEP_TICKS % table.shape[1]
    notes["velocity"] = np.clip(np.round(table[row, step]), 1, 127)
    for kit in reversed(kits):
        mine = np.append(kit, -1)[np.where(drum, row, PITCHED)]
        notes["pitch"] = np.where(mine >= 0, mine, notes["pitch"])
    return song.with_notes(notes)


def _seats(players: list[Part], own: Sequence[Part]) -> list[int]:
    """Where each of its own parts sits among the players, who become more if one has no seat."""
    seats: list[int] = []
    for part in own:
        free = (n for n, player in enumerate(players) if n not in seats and program_of(player) == program_of(part))
        seat = next(free, len(players))
        if seat == len(players):
            players.append(part)
        seats.append(seat)
    return seats


def _on_grid(song: Song, ticks: int) -> Song:
    """With each onset on the nearest step, so that a note just before a bar line belongs to the bar after it."""
    notes = song.notes.copy()
    notes["onset"] = (notes["onset"] + ticks // 2) // ticks * ticks
    return song.with_notes(notes)

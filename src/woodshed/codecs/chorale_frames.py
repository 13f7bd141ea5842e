"""Chorales as tables: four voices by sixteenths; and the tokens in which `woodshed.codecs.chorale` writes them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.chorale_voices import STEPS_PER_QUARTER, VOICE_NAMES, check_length, place, steps
from woodshed.errors import CodecError
from woodshed.music import NOTE, PITCH_NAMES, TICKS_PER_QUARTER, Song
from woodshed.music.song import FERMATA_MARK
from woodshed.music.units import steps_to_ticks

RANGES = ((50, 86), (46, 80), (43, 75), (29, 68))
"""Lowest and highest pitch of soprano, alto, tenor and bass after transposition: what the chorales that music21
installs reach (52-84, 48-79, 44-74, 31-67), and one or two semitones more."""
LOWEST, HIGHEST = 29, 86
_PITCHES = HIGHEST - LOWEST + 1
FRAME, FERMATA, END, REST, STRUCK = range(5)
TIED = STRUCK + _PITCHES
START = TIED + _PITCHES
VELOCITY = 80


class Frames(NamedTuple):
    """A chorale as a table, one row for each sixteenth."""

    tokens: NDArray[np.int64]
    """(T, 4): REST, or STRUCK or TIED plus the pitch above `LOWEST`, of each voice."""
    fermata: NDArray[np.bool_]
    """(T,): whether a note with a fermata starts here."""


def _follows() -> NDArray[np.bool_]:
    """(4, events, labels): which tokens each voice may have after the one it had on the sixteenth before."""
    table = np.zeros((4, START + 1, START), bool)
    table[:, :, REST] = True
    for voice, (low, high) in enumerate(RANGES):
        pitches = np.arange(low, high + 1) - LOWEST
        table[voice, :, STRUCK + pitches] = True
        table[voice, STRUCK + pitches, TIED + pitches] = True
        table[voice, TIED + pitches, TIED + pitches] = True
    table.flags.writeable = False
    return table


FOLLOWS = _follows()
"""(4 voices, 121 tokens of the sixteenth before, 120 tokens): what `ChoraleCodec.allowed` looks up, for samplers."""


def song_frames(song: Song) -> Frames:
    """An arranged song as a table of its sixteenths.

    Raises:
        CodecError: if it has not four parts, is too long, or a note leaves the range of its voice.
    """
    check_voices(song)
    part, onset, length, pitch = _lines(song.notes)
    count = max(-(-song.length * STEPS_PER_QUARTER // TICKS_PER_QUARTER), int((onset + length).max(initial=0)))
    tokens = np.full((4, count), REST, np.int64)
    first = part * count + onset
    note = np.repeat(np.arange(len(first)), length)
    at = np.arange(len(note)) - np.repeat(np.cumsum(length) - length, length) + first[note]
    tokens.reshape(-1)[at] = TIED + pitch[note] - LOWEST
    tokens.reshape(-1)[first] = STRUCK + pitch - LOWEST
    fermata = np.zeros(count, bool)
    marks = [mark.onset for mark in song.markers if mark.text == FERMATA_MARK]
    if count:
        fermata[np.minimum(steps(marks), count - 1)] = True
    return Frames(tokens.T, fermata)


def flatten(frames: Frames) -> NDArray[np.int64]:
    """The frames as tokens, END included."""
    table = np.full((len(frames.tokens), 6), FRAME, np.int64)
    table[:, 0], table[:, 1:5] = FERMATA, frames.tokens
    written = np.ones(table.shape, bool)
    written[:, 0] = frames.fermata
    return np.append(table[written], END)


def unflatten(events: NDArray[np.int64]) -> Frames:
    """The table of tokens; reading stops at END, or before a last frame that is not complete.

    Raises:
        CodecError: on a token out of turn, with its index.
    """
    events = np.asarray(events, np.int64)
    _check_ids(events)
    ends = np.flatnonzero(events == END)
    events = events[: ends[0]] if len(ends) else events
    lasts = np.flatnonzero(events == FRAME)
    firsts = np.append(0, lasts + 1)[: len(lasts)]
    fermata = events[firsts] == FERMATA
    firsts = firsts + fermata
    sizes = lasts - firsts
    odd = np.flatnonzero(sizes != 4)
    if len(odd):
        raise CodecError(f"token {lasts[odd[0]]}: frame {odd[0]} has {sizes[odd[0]]} voices, and 4 sing")
    tokens = events[firsts[:, None] + np.arange(4)]
    _check_turns(tokens, firsts)
    return Frames(tokens, fermata)


def sung_notes(tokens: NDArray[np.int64]) -> NDArray[Any]:
    """`NOTE` rows of (T, 4) tokens: each struck pitch with the ties that follow it."""
    count = len(tokens)
    line = tokens.T.reshape(-1)
    struck = np.flatnonzero((line >= STRUCK) & (line < TIED))
    turns = np.append(np.flatnonzero(line < TIED), len(line))
    end = np.minimum(turns[np.searchsorted(turns, struck, side="right")], (struck // max(count, 1) + 1) * count)
    notes = np.empty(len(struck), NOTE)
    notes["part"] = struck // max(count, 1)
    notes["onset"], notes["duration"] = ticks(struck % max(count, 1)), ticks(end - struck)
    notes["pitch"], notes["velocity"] = line[struck] - STRUCK + LOWEST, VELOCITY
    return notes


def token_name(token: int) -> str:
    """What a token means."""
    if STRUCK <= token < START:
        pitch = LOWEST + (token - STRUCK) % _PITCHES
        verb = "starts" if token < TIED else "holds on to"
        return f"{verb} {PITCH_NAMES[pitch % 12]}{pitch // 12 - 1} ({pitch})"
    words = {FRAME: "the sixteenth is complete", FERMATA: "a fermata", END: "the chorale ends", REST: "is silent"}
    return words.get(token, "the chorale starts")


def ticks(count: Any) -> NDArray[np.int64]:
    """Tick of each sixteenth."""
    return steps_to_ticks(count, STEPS_PER_QUARTER)


def check_voices(song: Song, shift: int = 0) -> None:
    """Refuse a song that has not four parts, or with a note that is outside the range of its voice once it is moved
    by ``shift`` semitones."""
    check_length(song)
    if len(song.parts) != 4:
        raise CodecError(f"{song.title or 'song'}: {len(song.parts)} parts are not four voices; arrange it first")
    low, high = np.array(RANGES).T[:, song.notes["part"]] - shift
    outside = np.flatnonzero((song.notes["pitch"] < low) | (song.notes["pitch"] > high))
    if len(outside):
        note = song.notes[outside[0]]
        part, pitch = int(note["part"]), int(note["pitch"])
        own = song.notes["pitch"][song.notes["part"] == part]
        lowest, highest = (min(max(end - shift, 0), 127) for end in RANGES[part])
        raise CodecError(
            f"{song.title or 'song'}: {place(song, int(note['onset']))}: {VOICE_NAMES[part]} {pitch} is outside "
            f"{lowest}-{highest}, which this voice sings in this key, and its notes span {own.min()}-{own.max()}; move "
            "what is outside by octaves"
        )


def _lines(notes: NDArray[Any]) -> tuple[NDArray[np.int64], ...]:
    """(part, onset step, length in steps, pitch) of each note, one at a time in each part, sorted so."""
    onset = notes["onset"].astype(np.int64)
    step = steps(onset)
    order = np.lexsort((notes["pitch"], -notes["duration"], np.abs(onset - ticks(step)), step, notes["part"]))
    part, step = notes["part"][order].astype(np.int64), step[order]
    alone = np.append(True, (np.diff(step) != 0) | (np.diff(part) != 0))[: len(step)]
    order, part, step = order[alone], part[alone], step[alone]
    end = np.maximum(steps(onset[order] + notes["duration"][order]), step + 1)
    if len(step):
        next_step = np.append(np.where(np.diff(part) == 0, step[1:], end[:-1]), end[-1])
        end = np.minimum(end, next_step)
    return part, step, end - step, notes["pitch"][order].astype(np.int64)


def _check_ids(events: NDArray[np.int64]) -> None:
    odd = np.flatnonzero((events < 0) | (events >= START))
    if len(odd):
        raise CodecError(f"token {odd[0]}: id {events[odd[0]]} is outside 0-{START - 1}")


def _check_turns(tokens: NDArray[np.int64], firsts: NDArray[np.int64]) -> None:
    """That each of (T, 4) tokens may follow what its voice had before; ``firsts`` (T,) says where frames begin."""
    before = np.concatenate((np.full((min(len(tokens), 1), 4), REST), tokens[:-1]))
    wrong = np.argwhere(~FOLLOWS[np.arange(4), before, tokens])
    if len(wrong):
        frame, voice = wrong[0].tolist()
        said = token_name(int(tokens[frame, voice]))
        low, high = RANGES[voice]
        raise CodecError(
            f"token {firsts[frame] + voice}: {said!r} cannot be the {VOICE_NAMES[voice]} of frame {frame}, which may "
            f"rest, start {low}-{high}, or hold on to what it sang before"
        )

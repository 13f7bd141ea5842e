"""What the codecs of the MusicVAE recipes share: clips of whole bars of 4/4, and how they are cut from songs.

Source:
    Roberts et al., "A hierarchical latent vector model for learning long-term structure in music" (2018), and
    Magenta's ``music_vae/data.py``: windows with a hop of one bar, those with a long rest left out, duplicates too.
    We differ in counting, window by window, why one is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import CodecError
from woodshed.music import METER, Song
from woodshed.music.melodies import STEP_TICKS, into_range, major_tonic, sections
from woodshed.music.song import MAX_TICK
from woodshed.words import counted

BAR_STEPS = 16
BAR_TICKS = BAR_STEPS * STEP_TICKS
NO_EVENT, NOTE_OFF, FIRST_PITCH = 0, 1, 2
REMEDIES: dict[str, str] = {
    "no notes": "the song is empty",
    "only drums": "drums have no melody; use vae-drums-2bar",
    "no drums": "nothing in the song is a drum part; use vae-melody-2bar",
    "no lead": "a trio needs a part that plays one note at a time above the bass",
    "no bass": "a trio needs a part with the role or a program of a bass, 32-39",
    "one part": "a measure of a band needs two parts or more; use vae-melody-2bar or vae-drums-2bar",
    "not 4/4": "this model knows bars of 4/4 alone; a melody recipe such as lookback-rnn takes any meter",
    "too short": "the song has fewer whole bars than a clip",
    "empty": "nothing is played there",
    "gap": "a long rest is in it",
    "polyphonic": "notes of one part start together",
    "one pitch": "it stays on one pitch",
    "out of range": "a pitch is outside those that the codec knows; transpose the song",
    "duplicate": "the same clip was there already",
    "too many parts": "more parts sound in that bar than the codec has room for",
    "too many events": "a part has more events in that bar than the codec has room for",
    "over the limit": "so many clips of one song are enough",
}
"""Why a stretch of a song is not among the clips, and what to do about it."""


class Stretch(NamedTuple):
    """Bars of 4/4 in a song, between two changes of meter."""

    start: int
    """Tick of its first bar line."""
    bars: int


def stretches(song: Song) -> list[Stretch]:
    """Where the song is in 4/4 (or 2/2, whose bars are as long), the last bar counted whole."""
    starts, bar_ticks = sections(song)
    last = int(song.notes["onset"].max(initial=-1)) + 1
    stops = np.minimum(np.append(starts[1:], MAX_TICK), max(last, song.length))
    found = []
    for start, stop, ticks in zip(starts.tolist(), stops.tolist(), bar_ticks.tolist(), strict=True):
        if ticks == BAR_TICKS and stop > start:
            is_last = stop >= max(last, song.length)
            found.append(Stretch(start, -(-(stop - start) // BAR_TICKS) if is_last else (stop - start) // BAR_TICKS))
    return found


def clip_bars(song: Song) -> int:
    """Bars of 4/4 of a clip: up to the last onset, and to its end rounded to a bar, as a ringing note is no bar.

    Raises:
        CodecError: if it has a bar of another length.
    """
    check_meter(song)
    last = int(song.notes["onset"].max(initial=-BAR_TICKS)) // BAR_TICKS + 1
    return max(last, (song.length + BAR_TICKS // 2) // BAR_TICKS, 1)


def check_meter(song: Song) -> None:
    """Raise `CodecError` unless every bar is one of 4/4."""
    _, bar_ticks = sections(song)
    if (bar_ticks != BAR_TICKS).any():
        rows = song.meters
        other = rows[4 * 480 * rows["numerator"].astype(np.int64) // rows["denominator"] != BAR_TICKS][0]
        raise CodecError(
            f"{song.title or 'the clip'} is in {other['numerator']}/{other['denominator']}, and this model knows 4/4 "
            "alone; write it in 4/4, or use a melody recipe such as lookback-rnn, which takes any meter"
        )


def check_clip(song: Song, bars: int) -> None:
    """Raise `CodecError` unless the song has notes, is in 4/4 and begins no note after so many bars."""
    name = song.title or "the clip"
    if not len(song):
        raise CodecError(f"{name} is empty: it has no notes; give one that has")
    check_meter(song)
    if int(song.notes["onset"].max()) >= bars * BAR_TICKS:
        raise CodecError(f"{name} is longer than the {counted(bars, 'bar')} of this model; cut it to so many")


def check_heard(clip: Song, bars: int) -> Song:
    """The clip as it is, if anything of it is left on the grid; else raise `CodecError`."""
    if not len(clip):
        raise CodecError(
            f"{clip.title or 'the clip'} is empty: no sound that this model knows begins in its {counted(bars, 'bar')}"
        )
    return clip


def cut(song: Song, bars: int, parts: Sequence[int], start: int = 0) -> Song:
    """A frame for a clip from tick ``start`` on: those parts, tempo and key, but no notes; just so many bars."""
    rest = {name: getattr(song, name)[:0] for name in ("notes", "chords", "controls", "bends")}
    clip = song.replace(markers=(), **rest).slice(start, start + bars * BAR_TICKS)
    return clip.replace(parts=tuple(song.parts[part] for part in parts), meters=np.array([(0, 4, 4)], METER))


class Window(NamedTuple):
    """A clip that was found in a song."""

    tokens: NDArray[np.int64]
    """(P, T)"""
    start: int
    """Tick of its first bar line."""
    parts: tuple[int, ...]
    """Which parts of the song play it."""


def clips_at(
    song: Song,
    found: Sequence[Window],
    bars: int,
    decode: Callable[[NDArray[np.int64], Song], Song],
    reasons: Counter[str],
) -> list[Song]:
    """The clips, each once; repeats are counted."""
    own: dict[bytes, Window] = {}
    for window in found:
        own.setdefault(window.tokens.tobytes(), window)
    if repeats := len(found) - len(own):
        reasons["duplicate"] += repeats
    frames: dict[tuple[int, ...], Song] = {}
    changes = np.unique(np.concatenate((song.tempos["onset"], song.keys["onset"])))
    clips = []
    for window in own.values():
        place = *np.searchsorted(changes, (window.start, window.start + bars * BAR_TICKS)).tolist(), *window.parts
        is_steady = place[0] == place[1]
        if is_steady and place not in frames:
            frames[place] = cut(song, bars, window.parts, window.start)
        frame = frames[place] if is_steady else cut(song, bars, window.parts, window.start)
        clips.append(decode(window.tokens, frame))
    return clips


def of_parts(notes: NDArray[Any], parts: Sequence[int]) -> NDArray[Any]:
    """The notes of these parts."""
    return notes[np.isin(notes["part"], list(parts))]


def drum_parts(song: Song) -> list[int]:
    """Indices of the drum parts that sound."""
    return [part for part in np.unique(song.notes["part"]).tolist() if song.parts[part].is_drum]


def pitched_parts(song: Song) -> list[int]:
    """Indices of the pitched parts that sound."""
    return [part for part in np.unique(song.notes["part"]).tolist() if not song.parts[part].is_drum]


def to_c_major(song: Song, parts: Sequence[int]) -> int:
    """Semitones from the key of these parts to C major or A minor, -6 to 5."""
    return (6 - major_tonic(song.replace(notes=of_parts(song.notes, parts)))) % 12 - 6


def in_key(song: Song, semitones: int) -> Song:
    """The song with its pitched notes and its keys moved; by octaves more or less where MIDI's pitches end."""
    drum = np.array([part.is_drum for part in song.parts], bool)
    notes, keys = song.notes.copy(), song.keys.copy()
    moved = into_range(notes["pitch"].astype(np.int64) + semitones, 0, 128)
    notes["pitch"] = np.where(drum[notes["part"]], notes["pitch"], moved)
    keys["tonic"] = (keys["tonic"] + semitones) % 12
    return song.replace(notes=notes[:0], keys=keys).with_notes(notes)


class Voice(NamedTuple):
    """One line on a grid of sixteenths; (N,) each."""

    events: NDArray[np.int64]
    """0 no event, 1 note off, 2 + p the pitch p starts."""
    in_chord: NDArray[np.bool_]
    """Whether notes of several pitches start there, of which the highest is in ``events``."""


def voice_of(notes: NDArray[Any], start: int, size: int) -> Voice:
    """The highest notes as ``size`` events from tick ``start`` on; a note ends where the next one begins."""
    onset = notes["onset"].astype(np.int64) - start
    step = (onset + STEP_TICKS // 2) // STEP_TICKS
    inside = (onset >= -STEP_TICKS // 2) & (step >= 0) & (step < size)
    notes, onset, step = notes[inside], onset[inside], step[inside]
    stop = np.maximum((onset + notes["duration"] + STEP_TICKS // 2) // STEP_TICKS, step + 1)
    pitch = notes["pitch"].astype(np.int64)
    order = np.lexsort((-stop, -pitch, step))
    step, stop, pitch = step[order], stop[order], pitch[order]
    first = np.flatnonzero(np.append(True, step[1:] != step[:-1])) if len(step) else np.empty(0, np.int64)
    events, in_chord = np.zeros(size + 1, np.int64), np.zeros(size, bool)
    if len(first):
        lowest = pitch[np.append(first[1:], len(pitch)) - 1]
        in_chord[step[first]] = lowest != pitch[first]
        events[np.minimum(np.minimum(stop[first], np.append(step[first][1:], size)), size)] = NOTE_OFF
        events[step[first]] = pitch[first] + FIRST_PITCH
    return Voice(events[:size], in_chord)


def windows(events: NDArray[Any], size: int) -> NDArray[Any]:
    """(W, size) the stretches of so many steps, each a bar after the one before; a copy."""
    if len(events) < size:
        return np.empty((0, size), events.dtype)
    return np.lib.stride_tricks.sliding_window_view(events, size)[::BAR_STEPS].copy()


def without_idle_offs(events: NDArray[np.int64]) -> NDArray[np.int64]:
    """(W, T) the same with no event for each note off while nothing sounds."""
    return np.where((events == NOTE_OFF) & ~_held(events, before=True), NO_EVENT, events)


def longest_rest(events: NDArray[np.int64]) -> NDArray[np.int64]:
    """(W,) of (W, T) events of a voice, the most steps in a row without a sound."""
    return longest_run(~_held(events, before=False))


def longest_run(silent: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(W,) of (W, T), the most True in a row."""
    place = np.arange(1, silent.shape[1] + 1)
    last = np.maximum.accumulate(np.where(silent, 0, place), axis=1)
    runs: NDArray[np.int64] = (place - last).max(axis=1, initial=0)
    return runs


def leave_out(left: NDArray[np.bool_], holds: NDArray[np.bool_] | np.bool_, reason: str, reasons: Counter[str]) -> None:
    """Take those for which ``holds`` (W,) out of ``left`` (W,), in place, and count them under ``reason``."""
    if count := int((left & holds).sum()):
        reasons[reason] += count
        left &= ~holds


def check_tokens(tokens: NDArray[np.int64], vocabulary: tuple[int, ...], steps: int) -> NDArray[np.int64]:
    """(P, T) tokens that are in the vocabulary.

    Raises:
        CodecError: naming the first that is not, or a shape that is not (P, T).
    """
    tokens = np.asarray(tokens, np.int64)
    if tokens.shape != (len(vocabulary), steps):
        raise CodecError(f"tokens of shape {tokens.shape} are not of {(len(vocabulary), steps)}: parts, steps")
    bad = np.argwhere((tokens < 0) | (tokens >= np.array(vocabulary)[:, None]))
    if len(bad):
        part, step = bad[0].tolist()
        symbol = tokens[part, step]
        raise CodecError(f"part {part + 1}, token {step}: {symbol} is outside 0-{vocabulary[part] - 1}")
    return tokens


def _held(events: NDArray[np.int64], *, before: bool) -> NDArray[np.bool_]:
    """(W, T) whether a note sounds at each step, or just before it."""
    place = np.arange(events.shape[1])
    turn = np.maximum.accumulate(np.where(events != NO_EVENT, place, -1), axis=1)
    if before:
        turn = np.concatenate((np.full((len(events), 1), -1), turn[:, :-1]), axis=1)
    sounding: NDArray[np.bool_] = (turn >= 0) & (np.take_along_axis(events, np.maximum(turn, 0), 1) >= FIRST_PITCH)
    return sounding

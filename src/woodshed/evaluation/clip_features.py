"""A clip as a row of numbers that says how it is made: what a judge of `two_sample` looks at.

Only what can be heard in notes counts. `normal_form` takes away all by which one could tell who wrote a file: names
of parts, tempo, controllers, microtiming, fine steps of velocity, two tracks of one instrument where another writer
has one. Put whole songs into it first, then cut clips.

============ ===================================================================================================
prefix       of what
============ ===================================================================================================
notes        log2(1 + notes) per bar of each `FAMILIES` of instruments: mean and deviation over the bars; bars played
place        where in the bar notes begin, in sixteenths of it, and how many on none; pitched and drums
tone         pitch classes over the tonic that `find_key` finds, mode, entropy, share in one scale
interval     between successive top notes of a part, in semitones
length       of pitched notes, in octaves (factors of two) of a quarter note; notes that last until the next
velocity     mean, deviation, deviation within a part, beats over other places; in 127ths
chord        notes struck at once in a part; interval classes between the pitches that sound
register     mean pitch of bass and of the others, lowest to highest, in octaves
drum         share of kick, snare, hats, cymbals, other drums
together     onsets of bass that a drum doubles; onsets of guitars that the bass doubles
again        notes and whole bars that stand so many bars before; bars that are new; drones; groove
form         how much denser the second half is; silent bars and beats
============ ===================================================================================================

Shares are 0-1, and what has nothing to count is 0, so every number is finite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.evaluation.metrics import LAGS, measure
from woodshed.music import NOTE, STEPS_PER_QUARTER, TICKS_PER_QUARTER, Part, Song
from woodshed.music.key_finding import find_key
from woodshed.music.meter import bar_of
from woodshed.music.segments import pitched_notes
from woodshed.music.units import steps_to_ticks, ticks_per_step, ticks_to_steps

FAMILIES = ("drums", "bass", "guitars", "leads", "others")
"""Instruments by General MIDI program: drums, 32-39, 24-31, 56-87 (brass, reeds, pipes, synth leads), all else."""
DRUMS, BASS, GUITARS, LEADS, OTHERS = range(len(FAMILIES))
VELOCITY_LEVELS = 32
LONGEST_QUARTERS = 32
"""Longer notes are cut: the tokens of a peer may hold no more, and few clips are longer."""
BAR_PLACES = 16
_INTERVALS = ("down 8 or more", "down 3-7", "down 1-2", "0", "up 1-2", "up 3-7", "up 8 or more")
_INTERVAL_EDGES = (-7.5, -2.5, -0.5, 0.5, 2.5, 7.5)
_LENGTHS = ("1/16 or less", "1/8", "1/4", "1/2", "1", "longer")
_LENGTH_EDGES = tuple(TICKS_PER_QUARTER * quarters for quarters in (0.375, 0.75, 1.5, 3.0, 6.0))
_DRUM_KINDS = {
    "kick": (35, 36),
    "snare": (37, 38, 39, 40),
    "hats": (42, 44, 46),
    "cymbals": (49, 51, 52, 53, 55, 57, 59),
}


def normal_form(song: Song) -> Song:
    """The song as any of the writers to be compared could have written it.

    One nameless part for each program and one for all drums, in the order of programs, drums last; notes on 12 steps
    per quarter, at most `LONGEST_QUARTERS` long, those that begin at or after the end left out; of notes at one place
    and pitch the longest; velocity the middle of one of 32 levels. Meters and length stay; tempo, keys, chords,
    controllers, bends and markers go.
    """
    voices = [128 if part.is_drum else part.program for part in song.parts]
    heard = sorted(set(np.array(voices, np.int64)[song.notes["part"]].tolist()) if len(song) else [])
    part_of = np.array([heard.index(voice) if voice in heard else 0 for voice in voices], np.int64)
    notes = np.empty(len(song), NOTE)
    notes["part"] = part_of[song.notes["part"]] if len(song) else 0
    notes["onset"] = steps_to_ticks(ticks_to_steps(song.notes["onset"]))
    steps = np.clip(ticks_to_steps(song.notes["duration"]), 1, LONGEST_QUARTERS * STEPS_PER_QUARTER)
    notes["duration"] = steps_to_ticks(steps)
    notes["pitch"] = song.notes["pitch"]
    width = 128 // VELOCITY_LEVELS
    notes["velocity"] = (song.notes["velocity"] - 1) // width * width + width // 2
    notes = notes[notes["onset"] < song.length]
    notes["duration"] = np.minimum(notes["duration"], max(song.length, ticks_per_step()) - notes["onset"])
    parts = tuple(Part("", voice % 128, voice == 128) for voice in heard)
    return Song.make(_longest_of_doubled(notes), parts, meters=song.meters, title=song.title, length=song.length)


def _longest_of_doubled(notes: NDArray[Any]) -> NDArray[Any]:
    notes = notes[np.lexsort((-notes["duration"], notes["pitch"], notes["part"], notes["onset"]))]
    same = np.zeros(len(notes), bool)
    for name in ("onset", "part", "pitch"):
        same[1:] |= np.diff(notes[name]) != 0
    same[:1] = True
    return notes[same]


def feature_matrix(songs: Iterable[Song]) -> NDArray[np.float64]:
    """(songs, features) `clip_features` of each song, in the order of `feature_names`."""
    rows = [list(clip_features(song).values()) for song in songs]
    return np.array(rows, np.float64).reshape(len(rows), len(feature_names()))


def feature_names() -> tuple[str, ...]:
    """The name of each feature, with the prefix that the table above explains."""
    return tuple(clip_features(Song()))


def clip_features(song: Song) -> dict[str, float]:
    """Name -> figure, the same names in the same order for every song."""
    clip = _Clip(song)
    blocks = (_notes, _place, _tone, _interval, _length, _velocity, _chord, _register, _drum, _together, _again, _form)
    return {f"{block.__name__.strip('_')}: {name}": float(value) for block in blocks for name, value in block(clip)}


Named = Iterator[tuple[str, float]]


class _Clip:
    """A song with what several of the blocks below need, worked out once."""

    def __init__(self, song: Song) -> None:
        self.song = song
        self.notes = song.notes
        self.metrics = measure(song)
        lines = ticks_to_steps(song.bar_lines())
        step = ticks_to_steps(self.notes["onset"])
        self.bars = len(lines) - 1
        self.bar = np.minimum(bar_of(step, lines), self.bars - 1)
        """(N,) bar of each note, from 0."""
        self.place = step - lines[self.bar]
        """(N,) steps since the bar line."""
        self.bar_steps = np.maximum(np.diff(lines), 1)[self.bar]
        """(N,) length of the note's bar."""
        self.step = step
        families = np.array([family_of(part) for part in song.parts] or [0], np.int64)
        self.family = families[self.notes["part"]]
        """(N,) index into `FAMILIES`."""
        self.is_drum = self.family == DRUMS
        self.pitched = pitched_notes(self.notes, song.parts)


def family_of(part: Part) -> int:
    """Index into `FAMILIES`; names and roles play no part in it."""
    if part.is_drum:
        return DRUMS
    if 24 <= part.program < 32:
        return GUITARS
    if 32 <= part.program < 40:
        return BASS
    return LEADS if 56 <= part.program < 88 else OTHERS


def _notes(clip: _Clip) -> Named:
    cells = clip.family * clip.bars + clip.bar
    counts = np.bincount(cells, minlength=len(FAMILIES) * clip.bars).reshape(len(FAMILIES), clip.bars)
    dense = np.log2(1 + counts)
    for name, bars in zip(FAMILIES, dense, strict=True):
        yield f"{name} mean", bars.mean()
        yield f"{name} deviation", bars.std()
        yield f"{name} bars", (bars > 0).mean()
    yield "deviation", np.log2(1 + counts.sum(0)).std()
    yield "parts", clip.metrics.parts


def _place(clip: _Clip) -> Named:
    for name, chosen in (("drums", clip.is_drum), ("pitched", ~clip.is_drum)):
        places = clip.place[chosen] * BAR_PLACES
        bins = np.minimum(places // clip.bar_steps[chosen], BAR_PLACES - 1)
        for place, share in enumerate(_shares(np.bincount(bins, minlength=BAR_PLACES))):
            yield f"{name} {place + 1}", share
        yield f"{name} off", _mean(places % clip.bar_steps[chosen] != 0)


def _tone(clip: _Clip) -> Named:
    key = find_key(clip.song).key
    heard = np.bincount(clip.pitched["pitch"] % 12, minlength=12)
    for degree, share in enumerate(_shares(np.roll(heard, -key.tonic))):
        yield f"{degree} semitones", share
    yield "minor", key.is_minor
    yield "entropy", clip.metrics.pitch_class_entropy
    yield "in scale", clip.metrics.scale_consistency


def _interval(clip: _Clip) -> Named:
    notes = clip.pitched
    order = np.lexsort((-notes["pitch"], notes["onset"], notes["part"]))
    part, onset, pitch = notes["part"][order], notes["onset"][order], notes["pitch"][order]
    top = np.ones(len(order), bool)
    top[1:] = (np.diff(part) != 0) | (np.diff(onset) != 0)
    steps = np.diff(pitch[top].astype(np.int64))[np.diff(part[top]) == 0]
    yield from zip(_INTERVALS, _shares(_binned(steps, _INTERVAL_EDGES)), strict=True)


def _length(clip: _Clip) -> Named:
    yield from zip(_LENGTHS, _shares(_binned(clip.pitched["duration"], _LENGTH_EDGES)), strict=True)
    held = []
    for part in np.unique(clip.pitched["part"]):
        own = clip.pitched[clip.pitched["part"] == part]
        onsets = np.unique(own["onset"])
        following = np.append(onsets[1:], clip.song.length)[np.searchsorted(onsets, own["onset"])]
        held.append(own["onset"] + own["duration"] >= following - ticks_per_step())
    yield "until the next", _mean(np.concatenate(held) if held else np.empty(0))


def _velocity(clip: _Clip) -> Named:
    velocity = clip.notes["velocity"] / 127
    part = clip.notes["part"].astype(np.int64)
    count = np.maximum(np.bincount(part), 1) if len(part) else np.ones(1)
    within = velocity - (np.bincount(part, velocity) / count)[part] if len(part) else velocity
    on_beat = clip.place % STEPS_PER_QUARTER == 0
    yield "mean", _mean(velocity)
    yield "deviation", velocity.std() if len(velocity) else 0.0
    yield "within a part", np.sqrt(_mean(within**2))
    yield "on beats", _mean(within[on_beat]) - _mean(within[~on_beat])


def _chord(clip: _Clip) -> Named:
    cells = clip.pitched["onset"].astype(np.int64) * 256 + clip.pitched["part"]
    sizes = np.unique(cells, return_counts=True)[1]
    yield from zip(("1 note", "2 notes", "3 or more"), _shares(_binned(sizes, (1.5, 2.5))), strict=True)
    sounding = _sounding(clip)
    pairs = [(sounding & np.roll(sounding, -interval, axis=1)).sum() for interval in range(1, 7)]
    pairs[5] //= 2  # a tritone is found from both of its ends
    for interval, share in enumerate(_shares(np.array(pairs)), 1):
        yield f"interval class {interval}", share
    yield "pitch classes at once", _mean(sounding.sum(1))
    yield "polyphony", clip.metrics.polyphony


def _sounding(clip: _Clip) -> NDArray[np.bool_]:
    """(moments, 12) which pitch classes sound just after each eighth note."""
    moments = np.arange(0, max(clip.song.length, 1), TICKS_PER_QUARTER // 2) + ticks_per_step() // 2
    notes = clip.pitched
    first = np.searchsorted(moments, notes["onset"]) * 12 + notes["pitch"] % 12
    last = np.searchsorted(moments, notes["onset"].astype(np.int64) + notes["duration"]) * 12 + notes["pitch"] % 12
    size = 12 * (len(moments) + 1)
    change = np.bincount(first, minlength=size) - np.bincount(last, minlength=size)
    sounding: NDArray[np.bool_] = np.cumsum(change.reshape(-1, 12), axis=0)[:-1] > 0
    return sounding


def _register(clip: _Clip) -> Named:
    pitch = clip.notes["pitch"] / 12
    yield "bass", _mean(pitch[clip.family == BASS])
    yield "others", _mean(pitch[clip.family > BASS])
    yield "deviation", pitch[clip.family > BASS].std() if (clip.family > BASS).any() else 0.0
    yield "range", clip.metrics.pitch_range / 12


def _drum(clip: _Clip) -> Named:
    pitch = clip.notes["pitch"][clip.is_drum]
    shares = {name: _mean(np.isin(pitch, pitches)) for name, pitches in _DRUM_KINDS.items()}
    yield from shares.items()
    yield "others", 1.0 - sum(shares.values()) if len(pitch) else 0.0


def _together(clip: _Clip) -> Named:
    onsets = [np.unique(clip.step[clip.family == family]) for family in range(len(FAMILIES))]
    yield "bass with drums", _mean(np.isin(onsets[BASS], onsets[DRUMS]))
    yield "guitars with bass", _mean(np.isin(onsets[GUITARS], onsets[BASS]))


def _again(clip: _Clip) -> Named:
    for lag in LAGS:
        yield f"notes after {lag}", getattr(clip.metrics, f"self_similarity_{lag}")
    for name, chosen in (("drums", clip.is_drum), ("pitched", ~clip.is_drum)):
        names = _bar_names(clip, chosen)
        for lag in LAGS:
            filled = names[lag:] > 0
            yield f"{name} bars after {lag}", _mean(names[lag:][filled] == names[: len(names) - lag][filled])
        yield f"{name} bars new", len(np.unique(names[names > 0])) / max(int((names > 0).sum()), 1)
    yield "longest note run", np.log2(1 + clip.metrics.longest_repeated_note_run)
    yield "longest drone", np.log2(1 + clip.metrics.longest_drone_quarters)
    yield "groove", clip.metrics.groove_consistency


def _bar_names(clip: _Clip, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(bars,) a number for what is in each bar, 0 for nothing; equal where onsets, parts and pitches are."""
    held: list[list[tuple[int, ...]]] = [[] for _ in range(clip.bars)]
    columns = (clip.bar, clip.place, clip.notes["part"], clip.notes["pitch"])
    for bar, *rest in zip(*(column[chosen].tolist() for column in columns), strict=True):
        held[bar].append(tuple(rest))
    known: dict[tuple[tuple[int, ...], ...], int] = {(): 0}
    return np.array([known.setdefault(tuple(cells), len(known)) for cells in held], np.int64)


def _form(clip: _Clip) -> Named:
    late = clip.bar >= clip.bars / 2
    yield "second half denser", np.log2((1 + late.sum()) / (1 + (~late).sum()))
    yield "silent bars", clip.metrics.empty_bar_rate
    yield "silent beats", clip.metrics.empty_beat_rate


def _binned(values: NDArray[Any], edges: Sequence[float]) -> NDArray[np.int64]:
    """(len(edges) + 1,) how many values lie below the first edge, between each two, and above the last."""
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)


def _shares(counts: NDArray[Any]) -> list[float]:
    shares: list[float] = (counts / max(int(counts.sum()), 1)).tolist()
    return shares


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean(dtype=np.float64)) if len(values) else 0.0

"""What the training songs are like: the defaults that `generate` uses when the user asks for nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs import NoteStepCodec
from woodshed.codecs.grids import NOTES_OF_A_GRID, grids, reaches
from woodshed.codecs.levels import CONTROLS, levels
from woodshed.codecs.note_step import DRUM_PROGRAM, DURATION, LONGEST_SHIFT, PART, TIME_SHIFT, VELOCITY_STEP
from woodshed.codecs.past import LAGS
from woodshed.codecs.study import song_inputs
from woodshed.codecs.usual_values import note_values, strokes, velocities
from woodshed.music import NO_CHORD, Song, part_name
from woodshed.music.backbeat import backbeats
from woodshed.music.chord_finding import find_chords
from woodshed.music.chord_places import place_shares
from woodshed.music.chord_sheet import chord_text
from woodshed.music.clashes import clashes
from woodshed.music.intervals import favourite_share, interval_shares, lead_lines, line_of
from woodshed.music.key_finding import find_key
from woodshed.music.meter import bar_of
from woodshed.music.returns import bars_again, find_returns
from woodshed.music.texture import texture_of
from woodshed.music.units import ticks_to_steps
from woodshed.training.usual_feel import usual_feel

ARRANGEMENTS_KEPT = 64
BARS_KEPT = 128
LEAST_OF_A_KIT = 0.002
"""The share of a song's strokes from which on a drum is of its kit."""
NOTES_THAT_TELL = 64
"""With fewer notes the share that is copied says nothing."""


def describe_style(codec: NoteStepCodec, songs: Sequence[Song]) -> dict[str, Any]:
    """Tempo, meters, instruments and line-ups of ``songs``, as JSON for a bundle's config.

    ``instruments`` maps a program (128 is drums) to its notes, songs, lowest and highest pitch, greatest number of
    notes that start together, and the name it most often has; ``arrangements`` lists the line-ups of songs.
    """
    songs = [codec.arrange(song) for song in songs]
    heard = [song for song in songs if len(song)]
    meters = Counter(str(song.meter) for song in heard)
    names: dict[int, Counter[str]] = {}
    instruments: dict[int, dict[str, int]] = {}
    pitches: dict[int, list[NDArray[np.int16]]] = {}
    for song in heard:
        programs = codec.programs(song)[: len(song.parts), 0]
        for slot, program in enumerate(programs):
            own = song.notes[song.notes["part"] == slot]
            _count(instruments.setdefault(int(program), {}), own)
            pitches.setdefault(int(program), []).append(own["pitch"])
            name = "Drums" if program == DRUM_PROGRAM else part_name(song.parts[slot])[:40]
            names.setdefault(int(program), Counter())[name] += 1
        for program in {int(program) for program in programs}:
            instruments[program]["songs"] = instruments[program].get("songs", 0) + 1
    return {
        "songs": len(heard),
        "bpm": float(np.median([song.bpm for song in heard])) if heard else 120.0,
        "meters": dict(meters.most_common()),
        "instruments": {
            str(program): {
                **figures,
                "usual_range": usual_range(np.concatenate(pitches[program])),
                "name": "Drums" if program == DRUM_PROGRAM else names[program].most_common(1)[0][0],
            }
            for program, figures in sorted(instruments.items())
        },
        "drum_pitches": _drum_pitches(heard),
        "backbeat": _backbeat(heard),
        "lead": _lead(heard),
        "feel": usual_feel(codec, heard),
        "arrangements": [_arrangement(codec, song) for song in heard[:ARRANGEMENTS_KEPT]],
        "bars": int(np.median([song.bars for song in heard])) if heard else 8,
        "notes_per_bar": float(np.median([len(song) / song.bars for song in heard])) if heard else 0.0,
    }


def usual_range(pitches: NDArray[np.int16]) -> list[int]:
    """Lowest and highest pitch without the outermost 1 % on either side."""
    return [int(pitch) for pitch in np.percentile(pitches, (1, 99), method="nearest")]


def _count(figures: dict[str, int], notes: Any) -> None:
    """Add one part's notes to its instrument's figures."""
    _, together = np.unique(notes["onset"], return_counts=True)
    figures["notes"] = figures.get("notes", 0) + len(notes)
    figures["lowest"] = min(figures.get("lowest", 127), int(notes["pitch"].min()))
    figures["highest"] = max(figures.get("highest", 0), int(notes["pitch"].max()))
    figures["polyphony"] = max(figures.get("polyphony", 1), int(together.max()))


def _drum_pitches(songs: Sequence[Song]) -> list[int]:
    pitches: set[int] = set()
    for song in songs:
        drum = np.array([part.is_drum for part in song.parts], bool)
        pitches.update(int(pitch) for pitch in np.unique(song.notes["pitch"][drum[song.notes["part"]]]))
    return sorted(pitches)


def _backbeat(songs: Sequence[Song]) -> float:
    """The share of bars in which drums play that have a backbeat; 0 without drums."""
    bars = np.concatenate([backbeats(song) for song in songs] or [np.zeros(0, bool)])
    return round(float(bars.mean()), 3) if len(bars) else 0.0


def _arrangement(codec: NoteStepCodec, song: Song) -> dict[str, Any]:
    """One song's line-up: programs in part order, tempo, meter, the share of bars in which each part plays, form."""
    lines = song.bar_lines()
    bar = np.clip(np.searchsorted(lines, song.notes["onset"], side="right") - 1, 0, len(lines) - 2)
    plays = np.zeros((len(song.parts), len(lines) - 1), bool)
    plays[song.notes["part"], bar] = True
    again = bars_again(song)
    return {
        "programs": [int(program) for program in codec.programs(song)[: len(song.parts), 0]],
        "bpm": round(song.bpm, 3),
        "meter": str(song.meter),
        "key": str(find_key(song).key),
        "presence": [round(float(share), 3) for share in plays.mean(1)],
        **_texture(song),
        **_harmony(song),
        "density": _density(codec, song),
        "kit": _kit(song),
        "strokes": [[drum, *places] for drum, places in strokes(song).items()],
        "returns": find_returns(song)[:BARS_KEPT].tolist(),
        "again": [_runs_of(row) for row in again],
        "repeats": _repeats(codec, song),
        "varied": _repeats(codec, song, again),
        "clashes": _clashes(song),
    }


def _texture(song: Song) -> dict[str, list[Any]]:
    """Of each part what `texture_of` says; ``plays`` as [first, end, first, end ...] of each run of bars."""
    found = [texture_of(song, part) for part in range(len(song.parts))]
    on, off = grids(song, NOTES_OF_A_GRID), reaches(song, NOTES_OF_A_GRID)
    of_all = sorted({step for grid in on.values() for step in grid})
    long, loud = note_values(song), velocities(song)
    return {
        "voices": [one.voices for one in found],
        "grids": [list(on.get(part, of_all)) or None for part in range(len(song.parts))],
        "reaches": [off.get(part, max(off.values(), default=None)) for part in range(len(song.parts))],
        "note_values": [_pairs(long.get(part)) for part in range(len(song.parts))],
        "velocities": [
            [_pairs(own) for own in loud[part]] if part in loud else None for part in range(len(song.parts))
        ],
        "centres": [_centre(song, part) for part in range(len(song.parts))],
        "plays": [
            np.flatnonzero(np.diff(one.plays[:BARS_KEPT].astype(np.int8), prepend=0, append=0)).tolist()
            for one in found
        ],
        "sounding": [_rounded(one.sounding) for one in found],
        "pace": [_rounded(one.pace) for one in found],
        "lengths": [None if one.lengths is None else one.lengths.round(3).tolist() for one in found],
    }


def _harmony(song: Song) -> dict[str, Any]:
    """The chords that are found in the first bars, as they would be typed, and of each part the shares of the places in
    them that its notes take."""
    chords = find_chords(song)
    shares = [place_shares(song, part, chords, NOTES_THAT_TELL) for part in range(len(song.parts))]
    lines = song.bar_lines()[: BARS_KEPT + 1]
    told = (chords["root"] != NO_CHORD) & (chords["onset"] < lines[-1])
    return {
        "chords": chord_text(chords, lines) if told.any() else None,
        "chord": [None if one is None else one.round(3).tolist() for one in shares],
    }


def _pairs(shares: dict[int, float] | None) -> list[float] | None:
    """[value, share, value, share ...]"""
    if shares is None:
        return None
    return [number for value, share in shares.items() for number in (value, round(share, 3))]


def _centre(song: Song, part: int) -> float | None:
    """The mean pitch of a part; None of drums and where it has no notes."""
    pitches = line_of(song, part)
    return None if song.parts[part].is_drum or not len(pitches) else round(float(pitches.mean()), 2)


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)


def _lead(songs: Sequence[Song]) -> dict[str, Any] | None:
    """What the lines that lead are like: how many there are, how often their notes lie how far apart and stay on a
    favourite pitch (`music.intervals`), for how much of the bars in which they play they sound, and at what pace; None
    without any."""
    lines = [(song, part) for song in songs for part in lead_lines(song)]
    textures = [texture_of(song, part) for song, part in lines]
    known = [one for one in textures if one.sounding is not None and one.pace is not None]
    if not known:
        return None
    shares = [interval_shares(line_of(song, part)) for song, part in lines]
    return {
        "lines": len(lines),
        "intervals": [round(float(share), 4) for share in np.mean(shares, axis=0)],
        "favourite": round(float(np.mean([favourite_share(line_of(song, part)) for song, part in lines])), 4),
        "sounding": round(float(np.mean([one.sounding for one in known])), 3),
        "pace": round(float(np.mean([one.pace for one in known])), 3),
    }


def _kit(song: Song) -> list[int]:
    """The drums that a song plays, without those that it hardly touches."""
    drums = np.array([part.is_drum for part in song.parts], bool)
    pitches, counts = np.unique(song.notes["pitch"][drums[song.notes["part"]]], return_counts=True)
    return [int(pitch) for pitch in pitches[counts >= LEAST_OF_A_KIT * counts.sum()]]


def _runs_of(again: NDArray[np.int64]) -> list[int]:
    """[first, end, bars back, first, end, bars back ...] of each run of the first bars that are again what stood as
    many bars back."""
    turns = np.flatnonzero(np.diff(again[:BARS_KEPT], prepend=0, append=0))
    runs = [(first, end, int(again[first])) for first, end in pairwise(turns.tolist()) if again[first]]
    return [number for run in runs for number in run]


def _repeats(codec: NoteStepCodec, song: Song, again: NDArray[np.int64] | None = None) -> list[list[float] | None]:
    """Of pitched parts and of drums, the share of notes that stand where they stood 1, 2 and 4 bars before; where it is
    known which bars of a part are ``again`` (parts, bars) what they were, only of the others."""
    inputs, rows = song_inputs(codec, song), codec.encode(song)
    shift = inputs.expected[:, TIME_SHIFT, :LAGS]
    known = (rows[:, TIME_SHIFT] <= LONGEST_SHIFT)[:, None] & (shift >= 0) & (shift <= LONGEST_SHIFT)
    copied = (inputs.expected[:, :DURATION, :LAGS] == rows[:, :DURATION, None]).all(1)
    if again is not None:
        bar = np.clip(bar_of(codec.onset_steps(rows), codec.bar_lines(song)), 0, again.shape[1] - 1)
        known &= (again[np.minimum(rows[:, PART], len(again) - 1), bar] == 0)[:, None]
    drums = codec.programs(song)[rows[:, PART], 0] == DRUM_PROGRAM
    found: list[list[float] | None] = []
    for group in (~drums, drums):
        counts = known[group].sum(0)
        share = copied[group].sum(0, where=known[group]) / np.maximum(counts, 1)
        found.append([round(float(one), 3) for one in share] if counts.min() >= NOTES_THAT_TELL else None)
    return found


def _clashes(song: Song) -> float | None:
    """The share of pitched notes that begin a semitone from one that sounds."""
    found = clashes(song)
    return round(float(found.mean()), 4) if len(found) >= NOTES_THAT_TELL else None


def _density(codec: NoteStepCodec, song: Song) -> list[int]:
    """The level of density of each bar: how full a song of this style is, and when."""
    notes, programs = song.notes, codec.programs(song)
    part, pitch = notes["part"].astype(np.int64), notes["pitch"].astype(np.int64)
    velocity = (notes["velocity"].astype(np.int64) - 1) // VELOCITY_STEP
    lines, drums = codec.bar_lines(song), programs[:, 0] == DRUM_PROGRAM
    found = levels(ticks_to_steps(notes["onset"]), part, pitch, velocity, drums, lines)
    return [int(level) for level in found[:BARS_KEPT, CONTROLS.index("density")]]

"""From one clip to another through a latent space: in steps, or over a grid between four."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.bundle.kinds import latent_model
from woodshed.codecs.clips import BAR_STEPS, BAR_TICKS, check_meter, clip_bars
from woodshed.errors import CodecError, OutputExists, UsageError
from woodshed.generation.filters import Sampling
from woodshed.generation.latent import decode_points, encode_clips, grid_points, slerp
from woodshed.music import METER, TEMPO, Marker, Song
from woodshed.recipes.clip import LARGEST_SEED, Clip, settings_of
from woodshed.recipes.files import Told, check_range
from woodshed.recipes.heard import (
    Heard,
    frame_for,
    hear_clip,
    in_a_row,
    near_pitches,
    play_tokens,
    repeated,
    with_touch,
)
from woodshed.recipes.latents import chosen_sampling
from woodshed.recipes.verbs import check_verb
from woodshed.recipes.wish import Wish
from woodshed.words import counted

MOST_STEPS = 1000
MOST_ROWS = 16
CORNERS = "ABCD"


def interpolate_songs(
    bundle: Bundle,
    first: Song,
    second: Song,
    steps: int = 9,
    sampling: Sampling | None = None,
    *,
    seed: int,
    on_step: Told | None = None,
) -> list[Clip]:
    """``steps`` clips from the first to the second along an arc; the ends are those that are given, note for note.

    Clips that are longer than the model's are taken in pieces; if one is longer than the other, their bars are
    interpolated too, and the shorter begins anew. Tempo and velocities go along, instruments and keys change half way.
    The parts that the model has no ear for are left out.

    Raises:
        BundleError: if the bundle has no latent space.
        CodecError: for a clip that is empty, in another meter than 4/4, or without what the model plays.
        OutOfRange: for numbers outside their range.
    """
    check_verb(bundle, "interpolate")
    _, codec = latent_model(bundle)
    sampling = chosen_sampling(bundle, sampling)
    check_range("steps", steps, 2, MOST_STEPS)
    check_range("seed", seed, 0, LARGEST_SEED)
    ends = hear_clip(codec, first), hear_clip(codec, second)
    points = [encode_clips(bundle, end.tokens) for end in ends]
    songs = []
    for number, share in enumerate(np.linspace(0, 1, steps).tolist()):
        rng = np.random.default_rng(seed)  # the same chance for all, so that only the points differ
        songs.append(
            ends[round(share)].song if share in (0, 1) else _between(bundle, ends, points, share, sampling, rng)
        )
        if on_step is not None:
            on_step((number + 1) / steps)
    titles = _titles(first, second, steps)
    named = [song.replace(title=title) for song, title in zip(songs, titles, strict=True)]
    remark = _unheard([*ends])
    return [
        Clip(
            song, seed, number, _settings("interpolate", bundle, song, sampling, seed, number, steps=steps),
            remark=remark,
        )
        for number, song in enumerate(named)
    ]  # fmt: skip


def joined(clips: Sequence[Clip]) -> Clip:
    """Clips in a row as one, with a marker where each begins; what rings over a clip's last bar ends there."""
    songs = [clip.song for clip in clips]
    starts = [0, *accumulate(_whole_bars(song) for song in songs)]
    tempos = np.concatenate([_tempos(song, start) for song, start in zip(songs, starts, strict=False)])
    frame = Song(
        title=f"{songs[0].title} to {songs[-1].title}",
        parts=songs[0].parts,
        tempos=tempos,
        meters=np.array([(0, 4, 4)], METER),
        markers=tuple(Marker(start, song.title) for song, start in zip(songs, starts, strict=False)),
        length=starts[-1],
    )
    whole = in_a_row([_cut(song) for song in songs], starts[:-1], starts[-1], frame)
    settings = {**clips[0].settings, "bars": whole.bars}
    return Clip(whole, clips[0].seed, 0, settings, remark=clips[0].remark)


def grid_songs(
    bundle: Bundle,
    corners: Sequence[Song],
    size: int = 5,
    sampling: Sampling | None = None,
    *,
    seed: int,
    on_step: Told | None = None,
) -> list[Clip]:
    """``size`` x ``size`` loops between four clips, row by row: top left, top right, bottom left and bottom right.

    Each is exactly as many bars as the model's clips, and the corners are those that are given, cut there; a shorter
    one is repeated if that fills those bars, else followed by rest.

    Raises:
        BundleError: if the bundle has no latent space.
        UsageError: unless there are four clips.
        CodecError: for a clip that is empty, too long, in another meter than 4/4, or without what the model plays.
        OutOfRange: for numbers outside their range.
    """
    check_verb(bundle, "interpolate")
    _, codec = latent_model(bundle)
    sampling = chosen_sampling(bundle, sampling)
    check_range("grid", size, 2, MOST_ROWS)
    check_range("seed", seed, 0, LARGEST_SEED)
    if len(corners) != 4:
        raise UsageError(f"a grid lies between four clips, and there are {len(corners)}; give four")
    for corner in corners:
        _check_corner(corner, codec.bars)
    heard = [hear_clip(codec, corner) for corner in corners]
    loops = [_loop(codec, corner) for corner in heard]
    points = grid_points(np.concatenate([encode_clips(bundle, corner.tokens) for corner in heard]), size)
    rng = np.random.default_rng(seed)
    near = near_pitches(codec, heard)
    tokens = decode_points(bundle, points, sampling.temperature, rng, near, share_chance=True, on_step=on_step)
    given = dict(zip((0, size - 1, size * (size - 1), size * size - 1), loops, strict=True))
    songs = [
        given[cell] if cell in given else _cell(codec, heard, cell, size, tokens[cell]) for cell in range(size * size)
    ]
    titles = [f"row {cell // size + 1}, column {cell % size + 1}" for cell in range(size * size)]
    for name, cell in zip(CORNERS, given, strict=True):
        titles[cell] = f"{name}: {corners[CORNERS.index(name)].title or titles[cell]}"
    return [
        Clip(
            song.replace(title=title),
            seed,
            cell,
            _settings("interpolate", bundle, song, sampling, seed, cell, grid=size),
        )
        for cell, (song, title) in enumerate(zip(songs, titles, strict=True))
    ]


def lengths_note(first: Song, second: Song, steps: int) -> str:
    """What becomes of clips of unequal length on the way from one to the other, for people; empty if they are equal.

    Raises:
        CodecError: for a clip in another meter than 4/4.
        OutOfRange: for steps outside their range.
    """
    check_range("steps", steps, 2, MOST_STEPS)
    bars = clip_bars(first), clip_bars(second)
    if bars[0] == bars[1]:
        return ""
    whole = sum(_bars_at(share, *bars) for share in np.linspace(0, 1, steps).tolist())
    return (
        f"{first.title} has {counted(bars[0], 'bar')} and {second.title} {bars[1]}; the {steps} clips grow from one "
        f"length to the other, and the shorter begins anew where it ends: {whole} bars in all; for fewer cut the "
        "longer file, or lower --steps"
    )


def grid_paths(folder: Path, size: int) -> tuple[list[Path], Path]:
    """A file for each loop of a grid, row by row, and the picture of all.

    Raises:
        OutOfRange: for a size that no grid has.
        OutputExists: if ``folder`` is a file.
    """
    check_range("grid", size, 2, MOST_ROWS)
    if folder.exists() and not folder.is_dir():
        raise OutputExists(f"{folder} is a file, and a grid needs a folder; choose another name")
    names = [f"row-{row}-column-{column}.mid" for row in range(1, size + 1) for column in range(1, size + 1)]
    return [folder / name for name in names], folder / "grid.png"


def draw_grid(loops: Sequence[Clip], size: int, path: Path) -> None:
    """The picture of a grid.

    Raises:
        FileError: if it cannot be written.
    """
    from woodshed.rendering.roll_grid import draw_roll_grid

    songs = [loop.song for loop in loops]
    draw_roll_grid(songs, size, path, titles=[song.title for song in songs])


def _between(
    bundle: Bundle,
    ends: tuple[Heard, Heard],
    points: Sequence[NDArray[np.float64]],
    share: float,
    sampling: Sampling,
    rng: np.random.Generator,
) -> Song:
    """One clip on the way."""
    _, codec = latent_model(bundle)
    bars = _bars_at(share, ends[0].bars, ends[1].bars)
    places = range(-(-bars // codec.bars))
    first, second = points
    path = np.stack([slerp(first[n % len(first)], second[n % len(second)], share) for n in places])
    tokens = decode_points(bundle, path, sampling.temperature, rng, near_pitches(codec, ends), share_chance=True)
    near = ends[round(share)]
    bpm = ends[0].song.bpm ** (1 - share) * ends[1].song.bpm ** share
    frame = frame_for(codec, near.players, np.array([(0, bpm)], TEMPO), near.song.keys, near.move)
    song = play_tokens(codec, tokens, frame, bars, near.move)
    if codec.per_part:
        return song
    kits = [near.kit, *(end.kit for end in ends)]
    return with_touch(song, _loudness([1 - share, share], ends, song.bars), kits)


def _bars_at(share: float, first: int, second: int) -> int:
    """How long a clip on the way is, in bars."""
    return round((1 - share) * first + share * second)


def _check_corner(corner: Song, bars: int) -> None:
    """Raise `CodecError` unless the clip can be the corner of a grid."""
    check_meter(corner)
    if len(corner) and int(corner.notes["onset"].max()) >= bars * BAR_TICKS:
        raise CodecError(
            f"{corner.title or 'the clip'} has {counted(clip_bars(corner), 'bar')}, and each corner of a grid is a "
            f"clip of {counted(bars, 'bar')} at most; cut it, or leave --grid out: from A to B any length goes"
        )


def _loudness(weights: Sequence[float], clips: Sequence[Heard], bars: int) -> NDArray[np.float64]:
    """(10, steps) the weighted mean of the clips' velocities, each begun anew where it ends."""
    steps = np.arange(bars * BAR_STEPS)
    tables = [clip.loudness[:, steps % clip.steps] for clip in clips]
    mean: NDArray[np.float64] = np.einsum("n,nrs->rs", np.array(weights), np.stack(tables))
    return mean


def _unheard(clips: Sequence[Heard]) -> str:
    """What is left out of the clips, for people."""
    names = dict.fromkeys(name for clip in clips for name in clip.unheard)
    return f"left out, as this model does not play them: {', '.join(names)}" if names else ""


def _cell(codec: Any, heard: Sequence[Heard], cell: int, size: int, tokens: NDArray[np.int64]) -> Song:
    """One loop of a grid that is not a corner."""
    y, x = (place / (size - 1) for place in divmod(cell, size))
    weights = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y]
    near = heard[int(np.argmax(weights))]
    bpm = float(np.exp(np.dot(weights, np.log([clip.song.bpm for clip in heard]))))
    frame = frame_for(codec, near.players, np.array([(0, bpm)], TEMPO), near.song.keys, near.move)
    song = play_tokens(codec, tokens[None], frame, codec.bars, near.move)
    if codec.per_part:
        return song
    kits = [heard[corner].kit for corner in np.argsort(weights)[::-1]]
    return with_touch(song, _loudness(weights, heard, codec.bars), kits)


def _loop(codec: Any, heard: Heard) -> Song:
    """The clip on just as many bars as the model's."""
    times = codec.bars // heard.bars if not codec.bars % heard.bars else 1
    song = repeated(heard.song, heard.bars, times)
    return _cut(song.replace(length=codec.bars * BAR_TICKS, markers=()))


def _cut(song: Song) -> Song:
    """With its length in whole bars, and nothing that rings on; controls and bends are left out."""
    length = _whole_bars(song)
    notes = song.notes.copy()
    notes["duration"] = np.minimum(notes["duration"], length - notes["onset"])
    rows = {"controls": song.controls[:0], "bends": song.bends[:0]}
    return song.replace(notes=notes[:0], length=length, **rows).with_notes(notes)


def _whole_bars(song: Song) -> int:
    """Its length in ticks, as `clip_bars` counts bars."""
    return clip_bars(song) * BAR_TICKS


def _tempos(song: Song, start: int) -> NDArray[Any]:
    """Its tempos from a tick on."""
    rows = song.tempos[song.tempos["onset"] < _whole_bars(song)].copy()
    if not len(rows) or rows["onset"][0] > 0:
        rows = np.concatenate((np.array([(0, song.bpm if not len(rows) else 120.0)], TEMPO), rows))
    rows["onset"] += start
    return rows


def _titles(first: Song, second: Song, steps: int) -> list[str]:
    """``A: first``, ``2 of 9``, ... ``B: second``"""
    ends = [
        f"{letter}{song.title and ': '}{song.title}" for letter, song in zip(CORNERS, (first, second), strict=False)
    ]
    return [ends[0], *(f"{number} of {steps}" for number in range(2, steps)), ends[1]]


def _settings(
    verb: str, bundle: Bundle, song: Song, sampling: Sampling, seed: int, number: int, **more: Any
) -> dict[str, Any]:
    return {**settings_of(verb, bundle, Wish(bars=song.bars), sampling, seed, number, 1), **more}

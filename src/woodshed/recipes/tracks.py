"""Play a bundle that knows piano rolls of many tracks: from nothing, or on from a song."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, roll_model
from woodshed.codecs.piano_roll import (
    BAR_TICKS,
    FRAMES_PER_BAR,
    LOWEST,
    PITCHES,
    STEP_TICKS,
    PianoRollCodec,
    part_for,
    track_of,
)
from woodshed.errors import InfeasibleCanvas, UnknownName, UsageError
from woodshed.generation.beam import Beam
from woodshed.generation.binarise import check_binariser
from woodshed.generation.canvas import Canvas, check_bars, check_bpm, until
from woodshed.generation.filters import Sampling
from woodshed.generation.rolls import TRACK_BINARISERS, Binariser, play_tracks
from woodshed.music import METER, TEMPO, Key, Part, Song, parse_part, part_name
from woodshed.music.units import DEFAULT_BPM
from woodshed.recipes.clip import Clip, make_clips, with_key
from woodshed.recipes.files import Told
from woodshed.recipes.lines import to_key
from woodshed.recipes.wish import Wish

SHORTEST_STEPS = 2
"""A shorter note that the net plays is noise: it is left out, and counted."""


@dataclass(frozen=True)
class _Request:
    """What is fixed, what is wanted, and how frames become notes."""

    codec: PianoRollCodec
    song: Song
    """As long as it is to become, with the notes that are given."""
    start: int
    """The tick at which the new frames begin."""
    owner: dict[int, int]
    """Track -> part of ``song``; tracks that are not here do not play."""
    move: int
    """Semitones from the pitches that the model plays to those that are heard."""
    character: NDArray[np.float64]
    """(3, M) which tracks play, how densely and how high."""
    primer: NDArray[np.uint8]
    """(P, C) the frames that are given."""
    playable: NDArray[np.bool_]
    """(C,)"""

    @property
    def given(self) -> NDArray[np.float64]:
        """(F, G) what the model is given beside each frame, the primer's among them."""
        new = (self.song.length - self.start) // BAR_TICKS * FRAMES_PER_BAR
        return self.codec.known(len(self.primer) + new, self.character)

    @property
    def wanted(self) -> NDArray[np.float64]:
        """(M,) notes that each track is to start in a frame, on average."""
        found: NDArray[np.float64] = (2 ** (4 * self.character[1]) - 1) / FRAMES_PER_BAR
        return found

    @property
    def canvas(self) -> Canvas:
        """The same as a canvas, for those who judge an answer."""
        return Canvas(self.song, self.start, tuple(self.owner.values()))

    def answer(self, frames: NDArray[np.uint8]) -> tuple[Song, int]:
        """The song with the new frames played, and how many notes were left out as noise."""
        skeleton = Song(parts=tuple(map(part_for, self.codec.names)))
        new = self.codec.decode(self.codec.unpack(frames[len(self.primer) :]), skeleton).notes.copy()
        drums = np.isin(new["part"], [track for track, name in enumerate(self.codec.names) if name == "drums"])
        noise = ~drums & (new["duration"] < SHORTEST_STEPS * STEP_TICKS)
        new["pitch"] += np.where(drums, 0, self.move).astype(np.int16)
        place = np.array([self.owner.get(track, -1) for track in range(len(self.codec.names))])
        new["part"], new["onset"] = place[new["part"]], new["onset"] + self.start
        new = new[~noise]
        return self.song.with_notes(np.concatenate((self.song.notes, new))), int(noise.sum())


def play_band(
    bundle: Bundle,
    wish: Wish,
    sampling: Sampling,
    primer: Song | None,
    *,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None,
) -> list[Clip]:
    """New clips for the tracks of a learned song, or ``primer`` and ``wish.bars`` bars after it.

    Raises:
        OutOfRange: for numbers outside their range.
        UnknownName: for a part that no track is like, or a binariser that there is not.
        UsageError: for wishes that rolls cannot fulfil.
        CodecError: for a primer that has no track, or other bars than of 96 steps.
        InfeasibleCanvas: if the key and the ranges leave nothing to play.
    """
    _, codec = roll_model(bundle)
    binariser = _check(bundle, wish)
    made: list[tuple[list[Song], list[int]]] = []

    def answer(rng: np.random.Generator, tell: Told | None) -> tuple[list[Song], Canvas]:
        request = _blank(bundle, codec, wish, rng) if primer is None else _on_from(codec, primer, wish)
        frames = play_tracks(
            bundle, request.given, binariser, sampling.temperature, rng, count=candidates, playable=request.playable,
            primer=request.primer, wanted=request.wanted, on_step=tell,
        )  # fmt: skip
        answers = [request.answer(own) for own in frames]
        made.append(([song for song, _ in answers], [noise for _, noise in answers]))
        return made[-1][0], request.canvas

    verb = "generate" if primer is None else "continue"
    clips = make_clips(
        verb, bundle, wish, sampling, answer, seed=seed, count=count, candidates=candidates, on_step=on_step
    )
    return [_told(clip, *own, binariser) for clip, own in zip(clips, made, strict=True)]


def _check(bundle: Bundle, wish: Wish) -> Binariser:
    check_bars(wish.bars)
    if wish.bpm is not None:
        check_bpm(wish.bpm)
    if wish.chords is not None or wish.sheet is not None:
        raise UsageError(f"recipe {bundle.recipe} does not play over chords; chord-melody does: leave --chords out")
    if wish.steps is not None:
        raise UsageError(f"--steps is for recipes that play a melody; {bundle.recipe} plays bars: use --bars")
    if wish.beam != Beam():
        raise UsageError(f"--beam and --branch-factor are for recipes that play a melody, not for {bundle.recipe}")
    if wish.polyphony is not None:
        raise UsageError(f"recipe {bundle.recipe} cannot keep to --polyphony; leave it out, or use band")
    if wish.meter is not None and wish.meter.bar_ticks != BAR_TICKS:
        raise UsageError(f"meter {wish.meter}: a bar of {bundle.recipe} has 96 steps, as 4/4 has; use band for others")
    known = bundle.training.get("threshold", 0.5)
    threshold = wish.threshold if wish.threshold is not None else known
    name = wish.binariser or TRACK_BINARISERS[0]
    check_binariser(name, TRACK_BINARISERS, threshold)
    if wish.threshold is not None and name != "threshold":
        raise UsageError(f"--threshold counts only with --binarise threshold, and here it is {name}")
    return Binariser(name, threshold)


def _blank(bundle: Bundle, codec: PianoRollCodec, wish: Wish, rng: np.random.Generator) -> _Request:
    """Everything is open: the tracks, tempo and key of a learned song, unless others are wished."""
    heard = _line_up(bundle, codec, rng)
    move = heard["move"] if wish.key is None else to_key(wish.key)
    if wish.parts is None:
        parts = {codec.names.index(name): part_for(name, program) for name, program in heard["programs"].items()}
    else:
        parts = _tracks_for(codec, wish.parts)
    tracks = sorted(parts)
    meter = wish.meter
    song = Song(
        parts=tuple(parts[track] for track in tracks),
        tempos=np.array([(0, float(wish.bpm or heard["bpm"]))], TEMPO),
        meters=np.array([(0, meter.numerator, meter.denominator) if meter else (0, 4, 4)], METER),
        length=wish.bars * BAR_TICKS,
    )
    owner = {track: place for place, track in enumerate(tracks)}
    playable = _playable(codec, wish, move, owner, song)
    nothing = np.zeros((0, codec.cells), np.uint8)
    character = _character(bundle, codec, heard, tracks)
    return _Request(codec, with_key(song, wish.key), 0, owner, move, character, nothing, playable)


def _on_from(codec: PianoRollCodec, primer: Song, wish: Wish) -> _Request:
    """The primer is fixed; its tracks go on at the bar line after the last onset."""
    heard = codec.arrange(primer)
    lines = primer.bar_lines()
    start = int(lines[int(np.searchsorted(lines, primer.notes["onset"].max(), side="right"))])
    _, frames = codec.rows(heard)
    frames = frames[: start // BAR_TICKS * FRAMES_PER_BAR]
    song = until(primer, start + wish.bars * BAR_TICKS)
    owner: dict[int, int] = {}
    kinds = track_of(primer.parts)
    counts = np.bincount(primer.notes["part"], minlength=len(primer.parts))
    for track, name in enumerate(codec.names):
        own = [index for index, kind in enumerate(kinds) if kind == name and counts[index]]
        if own and (heard.notes["part"] == track).any():
            owner[track] = max(own, key=lambda index: int(counts[index]))
    move = -codec.transposition(primer)
    playable = _playable(codec, wish, move, owner, song)
    return _Request(codec, song, start, owner, move, codec.character(frames), frames, playable)


def _line_up(bundle: Bundle, codec: PianoRollCodec, rng: np.random.Generator) -> dict[str, Any]:
    known = [line for line in bundle.training.get("line_ups", ()) if set(line["programs"]) <= set(codec.names)]
    usual = {"programs": dict.fromkeys(codec.names), "bpm": DEFAULT_BPM, "move": 0}
    return known[int(rng.integers(len(known)))] if known else usual


def _character(
    bundle: Bundle, codec: PianoRollCodec, heard: dict[str, Any], tracks: Sequence[int]
) -> NDArray[np.float64]:
    """(3, M) for these tracks, as in the song that was ``heard``; one that is not in it is like others of its kind."""
    others = [line for line in bundle.training.get("line_ups", ()) if "density" in line]
    found = np.zeros((3, len(codec.names)))
    for track in tracks:
        name = codec.names[track]
        own = [heard] if name in heard["programs"] and "density" in heard else others
        like = [line for line in own if name in line["programs"]]
        found[0, track] = 1
        for row, fact in enumerate(("density", "register"), 1):
            found[row, track] = float(np.median([line[fact].get(name, 0.0) for line in like])) if like else 0.0
    return found


def _tracks_for(codec: PianoRollCodec, parts: Sequence[Part]) -> dict[int, Part]:
    """Track -> the part that plays it.

    Raises:
        UnknownName: for a part that belongs to no track of the bundle.
        UsageError: for two of one track.
    """
    found: dict[int, Part] = {}
    for part, kind in zip(parts, track_of(parts), strict=True):
        if kind not in codec.names:
            raise UnknownName(
                f"part {part_name(part)!r}: this bundle plays {', '.join(codec.names)}; choose among them"
            )
        track = codec.names.index(kind)
        if track in found:
            raise UsageError(f"{part_name(found[track])} and {part_name(part)} are one track, {kind}; name one of them")
        found[track] = part
    return found


def _playable(codec: PianoRollCodec, wish: Wish, move: int, owner: dict[int, int], song: Song) -> NDArray[np.bool_]:
    """(C,) the cells of the tracks that play, what the key and the ranges leave of them."""
    mask = np.zeros((len(codec.names), PITCHES), bool)
    asked = _ranges(codec, wish, song, owner)
    for track in owner:
        drums = codec.names[track] == "drums"
        pitch = np.arange(PITCHES) + LOWEST + (0 if drums else move)
        mask[track] = (pitch >= 0) & (pitch <= 127)
        if not drums:
            mask[track] &= _in_key(pitch, wish.key)
            low, high = asked.get(track, (0, 127))
            mask[track] &= (pitch >= low) & (pitch <= high)
        if not mask[track].any():
            raise InfeasibleCanvas(f"the key and the range leave {codec.names[track]} no pitch; widen them")
    return mask.ravel()


def _in_key(pitch: NDArray[Any], key: Key | None) -> NDArray[np.bool_]:
    return np.ones(len(pitch), bool) if key is None else np.isin(pitch % 12, key.pitch_classes)


def _ranges(codec: PianoRollCodec, wish: Wish, song: Song, owner: dict[int, int]) -> dict[int, tuple[int, int]]:
    """Track -> lowest and highest pitch; tracks are named as such, as their part, or by an instrument of theirs."""
    found: dict[int, tuple[int, int]] = {}
    for name, span in wish.ranges.items():
        own = [
            track for track, part in owner.items()
            if name.lower() in (codec.names[track], part_name(song.parts[part]).lower())
        ] or [track for track in owner if codec.names[track] == track_of([parse_part(name)])[0]]  # fmt: skip
        pitched = [track for track in own if codec.names[track] != "drums"]
        if not pitched:
            there = ", ".join(codec.names[track] for track in owner if codec.names[track] != "drums")
            raise UnknownName(f"range {name!r}: no pitched track of that name plays; there is {there or 'none'}")
        found |= dict.fromkeys(pitched, span)
    return found


def _told(clip: Clip, songs: list[Song], noises: list[int], binariser: Binariser) -> Clip:
    """The clip with how it was made, and how much of it was noise."""
    noise = next(noise for song, noise in zip(songs, noises, strict=True) if song is clip.song)
    settings = {**clip.settings, "binariser": binariser.name}
    if binariser.name == "threshold":
        settings["threshold"] = binariser.threshold
    remark = f"{binariser.name}{f', {noise} specks left out' if noise else ''}"
    return replace(
        clip, settings=settings, findings={"binariser": binariser.name, "specks_left_out": noise}, remark=remark
    )

"""Play a bundle with a latent space: new clips, and variations of one that is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.bundle.kinds import latent_model
from woodshed.codecs.clip_band import ClipBandCodec
from woodshed.codecs.clip_drums import ClipDrumsCodec
from woodshed.codecs.clip_trio import PLAYERS, ClipTrioCodec
from woodshed.codecs.clips import BAR_TICKS
from woodshed.errors import InfeasibleCanvas, OutOfRange, UnknownName, UsageError
from woodshed.generation.beam import Beam
from woodshed.generation.canvas import (
    Canvas,
    check_bars,
    check_bpm,
    known_programs,
    melody_program,
    part_of,
    program_of,
    slot_order,
    usual_ranges,
)
from woodshed.generation.filters import Sampling
from woodshed.generation.latent import blend, decode_points, encode_clips, imagine, latent_size, walk
from woodshed.music import KEY, TEMPO, Part, Song, parse_part, part_name
from woodshed.music.units import DEFAULT_BPM
from woodshed.recipes.attribute_vectors import attribute_shift
from woodshed.recipes.clip import Clip, default_sampling, make_clips, with_key
from woodshed.recipes.files import Told
from woodshed.recipes.heard import (
    Heard,
    Tokens,
    frame_for,
    hear_clip,
    near_pitches,
    only_parts,
    play_tokens,
    with_touch,
)
from woodshed.recipes.lines import to_key
from woodshed.recipes.verbs import check_verb
from woodshed.recipes.wish import Wish

STRAY = 0.5
"""How much of the point of one clip is new in the next, see `walk`; a band's bars are shorter and keep more."""
STRAY_OF_BARS = 0.35
Seat = Part | None
Attributes = Mapping[str, float]


@dataclass(frozen=True)
class Request:
    """What is wanted, apart from the notes."""

    codec: Any
    frame: Song
    """As long as the model's clips."""
    bars: int
    seats: tuple[Seat, ...]
    """Who plays each row of tokens; None rests."""
    wish: Wish
    bundle: Bundle

    @property
    def move(self) -> int:
        """Semitones from what the model plays to what is heard."""
        return to_key(self.wish.key) if getattr(self.codec, "transpose", False) else 0

    @property
    def pieces(self) -> int:
        """How many clips in a row that is."""
        return -(-self.bars // int(self.codec.bars))

    def usual_range(self, seat: Part) -> list[tuple[int, int]]:
        """Where its instrument, or the one most like it, mostly played; nothing if that is not known."""
        return list(usual_ranges(self.bundle, (seat,)).values())

    def masks(self) -> list[NDArray[np.bool_]]:
        """Which ids of each row may be drawn."""
        return [
            _silent(size) if seat is None else self.codec.allowed(row, seat, _pitches(self, row, seat))
            for row, (seat, size) in enumerate(zip(self.seats, self.codec.vocabulary, strict=True))
        ]

    def answer(self, tokens: Tokens) -> Song:
        """(S, P, T) pieces as a song of those who play."""
        song = with_key(play_tokens(self.codec, tokens, self.frame, self.bars, -self.move), self.wish.key)
        if isinstance(self.codec, ClipTrioCodec):
            return only_parts(song, [row for row, seat in enumerate(self.seats) if seat is not None])
        return song


def play_latent(
    bundle: Bundle,
    wish: Wish,
    sampling: Sampling,
    *,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None,
) -> list[Clip]:
    """New clips. What is longer than the model's is several in a row, along a walk through the latent space.

    Raises:
        OutOfRange: for numbers outside their range.
        UsageError: for wishes that this model cannot fulfil.
        UnknownName: for an attribute or a range that is none.
        InfeasibleCanvas: if the key and the ranges leave a part nothing to play.
    """
    _, codec = latent_model(bundle)
    check_wish(bundle, codec, wish, sampling)
    shift = attribute_shift(bundle, wish.attributes)
    request = request_of(bundle, codec, wish)

    def answer(rng: np.random.Generator, tell: Told | None) -> tuple[list[Song], Canvas]:
        songs = []
        for number in range(candidates):
            songs.append(_draw(bundle, request, sampling, shift, rng))
            if tell is not None:
                tell((number + 1) / candidates)
        blank = songs[0].replace(notes=songs[0].notes[:0])
        return songs, Canvas(blank, 0, tuple(range(len(blank.parts))))

    return make_clips(
        "generate", bundle, wish, sampling, answer, seed=seed, count=count, candidates=candidates, on_step=on_step
    )


def vary_song(
    bundle: Bundle,
    song: Song,
    by: float,
    attributes: Attributes | None = None,
    sampling: Sampling | None = None,
    *,
    seed: int,
    count: int = 1,
    on_step: Told | None = None,
) -> list[Clip]:
    """``count`` clips like this one, ``by`` of each new: 0 is the clip itself, 1 keeps nothing of it.

    What the model would play the same for the clip itself and for the varied one stays as it is in the clip, whether
    or not the model plays it right. Parts that the model has no ear for stay as they are.

    Raises:
        BundleError: if the bundle has no latent space.
        CodecError: for a clip that is empty, in another meter than 4/4, or without what the model plays.
        OutOfRange: for numbers outside their range.
    """
    check_verb(bundle, "vary")
    _, codec = latent_model(bundle)
    sampling = chosen_sampling(bundle, sampling)
    if not 0 <= by <= 1:
        raise OutOfRange(f"by {by:g} is outside 0-1; 0.3 keeps most of the clip, 0 all, 1 nothing")
    shift = attribute_shift(bundle, attributes or {})
    heard = hear_clip(codec, song)
    wish = Wish(bars=heard.bars, attributes=attributes or {})

    def answer(rng: np.random.Generator, _: Told | None) -> tuple[list[Song], Canvas]:
        varied = _varied(bundle, heard, by, shift, sampling, rng) if by or shift.any() else song
        return [varied], Canvas(varied, 0, ())

    clips = make_clips("vary", bundle, wish, sampling, answer, seed=seed, count=count, candidates=1, on_step=on_step)
    return [replace(clip, settings={**clip.settings, "by": by}) for clip in clips]


def chosen_sampling(bundle: Bundle, sampling: Sampling | None) -> Sampling:
    """What is asked for, else the recipe's.

    Raises:
        UsageError: for a filter that these models have no use for.
    """
    if sampling is None:
        return default_sampling(bundle)
    _check_filters(bundle, sampling)
    return sampling


def _varied(
    bundle: Bundle, heard: Heard, by: float, shift: NDArray[np.float64], sampling: Sampling, rng: np.random.Generator
) -> Song:
    """All pieces are moved alike, so that what is repeated stays so."""
    _, codec = latent_model(bundle)
    points = encode_clips(bundle, heard.tokens)
    moved = blend(points, imagine(bundle, rng.standard_normal((1, latent_size(bundle)))), by) + shift
    both = np.concatenate((points, moved))
    tokens = decode_points(bundle, both, sampling.temperature, rng, near_pitches(codec, [heard]), share_chance=True)
    played, varied = np.split(tokens, 2)
    same = played == varied
    if codec.per_part:
        same = np.broadcast_to(same.all(axis=2, keepdims=True), same.shape)
    tokens = np.where(same, heard.tokens, varied)
    frame = frame_for(codec, heard.players, heard.song.tempos, heard.song.keys, heard.move)
    new = play_tokens(codec, tokens, frame, heard.bars, heard.move)
    return heard.with_new(new if codec.per_part else with_touch(new, heard.loudness, [heard.kit]))


def _draw(
    bundle: Bundle, request: Request, sampling: Sampling, shift: NDArray[np.float64], rng: np.random.Generator
) -> Song:
    """One song. A band that is not named is the one that its first bar has."""
    codec = request.codec
    stray = STRAY_OF_BARS if codec.per_part else STRAY
    points = imagine(bundle, walk(rng, request.pieces, latent_size(bundle), stray)) + shift
    if codec.per_part and request.wish.parts is None:
        first = codec.decode(decode_points(bundle, points[:1], sampling.temperature, rng)[0], request.frame)
        request = replace(request, seats=seated(codec, first.parts), frame=request.frame.replace(parts=first.parts))
    return request.answer(decode_points(bundle, points, sampling.temperature, rng, request.masks()))


def request_of(bundle: Bundle, codec: Any, wish: Wish) -> Request:
    seats = _seats(bundle, codec, wish)
    players = tuple(seat or PLAYERS[row % len(PLAYERS)] for row, seat in enumerate(seats))
    if codec.per_part:
        players = tuple(seat for seat in seats if seat is not None)
    bpm = float(wish.bpm or bundle.style.get("bpm", DEFAULT_BPM))
    frame = frame_for(codec, players, np.array([(0, bpm)], TEMPO), np.empty(0, KEY))
    request = Request(codec, frame, wish.bars, seats, wish, bundle)
    if wish.ranges and not any(seats):
        raise UsageError("who plays is drawn with the music here: name the players with --parts to give one a --range")
    for name in wish.ranges:
        if not any(_is_meant(codec, name, row, seat) for row, seat in enumerate(seats) if seat):
            there = ", ".join(part_name(seat) for seat in seats if seat and not seat.is_drum)
            raise UnknownName(f"range {name!r}: no pitched part of that name plays; there is {there or 'none'}")
    request.masks()  # says so if there is nothing to play
    return request


def _seats(bundle: Bundle, codec: Any, wish: Wish) -> tuple[Seat, ...]:
    """Who plays each row; of a band that is not named nobody yet."""
    if isinstance(codec, ClipBandCodec):
        return seated(codec, wish.parts or ())
    if isinstance(codec, ClipTrioCodec):
        return _trio(bundle, wish)
    is_drum = isinstance(codec, ClipDrumsCodec)
    if wish.parts is not None and (len(wish.parts) != 1 or wish.parts[0].is_drum != is_drum):
        what = "drums" if is_drum else "one pitched part"
        raise UsageError(f"recipe {bundle.recipe} plays {what}; name that with --parts, or leave it out")
    usual = Part("Drums", 0, is_drum=True) if is_drum else part_of(melody_program(bundle))
    return (wish.parts[0] if wish.parts else usual,)


def seated(codec: Any, parts: Sequence[Part]) -> tuple[Seat, ...]:
    """The parts in the order of the rows; the others rest."""
    rows = len(codec.parts)
    if len(parts) > rows:
        raise UsageError(f"{len(parts)} parts are more than the {rows} that this model plays; name fewer")
    ordered = slot_order(Song(parts=tuple(parts)))
    return *ordered, *[None] * (rows - len(parts))


def _trio(bundle: Bundle, wish: Wish) -> tuple[Seat, ...]:
    """Lead, bass and drums: those that are asked for, else the instruments that were mostly heard."""
    if wish.parts is None:
        basses = [program for program in known_programs(bundle) if program // 8 == 4]
        songs = bundle.style.get("instruments", {})
        bass = max(sorted(basses), key=lambda program: songs[str(program)].get("songs", 0), default=PLAYERS[1].program)
        return part_of(melody_program(bundle)), part_of(bass), PLAYERS[2]
    seats: list[Seat] = [None, None, None]
    for part in wish.parts:
        row = 2 if part.is_drum else 1 if part.program // 8 == 4 else 0
        if seats[row] is not None:
            raise UsageError(
                f"recipe {bundle.recipe} plays one lead, one bass and drums; {part_name(part)} is one more"
            )
        seats[row] = part
    return tuple(seats)


def _pitches(request: Request, row: int, seat: Part) -> NDArray[np.bool_]:
    """(128,) what the key and the ranges leave to a part, of the pitches that the model plays.

    Raises:
        InfeasibleCanvas: if that is nothing.
    """
    wish, codec = request.wish, request.codec
    free, pitch = np.ones(128, bool), np.arange(128)
    if seat.is_drum:
        return free
    if wish.key is not None:
        free &= np.isin(pitch % 12, wish.key.pitch_classes)
    asked = [span for name, span in wish.ranges.items() if _is_meant(codec, name, row, seat)]
    usual = [(low + request.move, high + request.move) for low, high in request.usual_range(seat)]
    for low, high in asked or usual:
        free &= (pitch >= low) & (pitch <= high)
    low, high = getattr(codec, "low", 0) + request.move, getattr(codec, "high", 128) + request.move
    if not free[low:high].any():
        raise InfeasibleCanvas(
            f"the key and the range leave {part_name(seat)} no pitch of those that this bundle plays "
            f"({low}-{high - 1}); widen them"
        )
    played = pitch + request.move
    inside: NDArray[np.bool_] = (played >= 0) & (played < 128) & free[np.clip(played, 0, 127)]
    return inside


def _is_meant(codec: Any, name: str, row: int, seat: Part) -> bool:
    """Whether a range's name means this part: its own, its instrument's, or that of its row."""
    named = name.strip().lower()
    if seat.is_drum:
        return False
    if named in (part_name(seat).lower(), codec.parts[row]):
        return True
    try:
        return program_of(parse_part(named)) == program_of(seat)
    except UnknownName:
        return False


def _silent(size: int) -> NDArray[np.bool_]:
    """Id 0 alone: no event, nothing hit, or the end of a row."""
    mask = np.zeros(size, bool)
    mask[0] = True
    return mask


def check_wish(bundle: Bundle, codec: Any, wish: Wish, sampling: Sampling) -> None:
    check_bars(wish.bars)
    if wish.bpm is not None:
        check_bpm(wish.bpm)
    if wish.meter is not None and wish.meter.bar_ticks != BAR_TICKS:
        raise UsageError(f"recipe {bundle.recipe} knows 4/4 alone, not {wish.meter}; use lookback-rnn for other meters")
    if wish.steps is not None:
        raise UsageError(f"--steps is for recipes that play a melody; {bundle.recipe} plays bars: use --bars")
    if wish.beam != Beam():
        raise UsageError(f"--beam and --branch-factor are for recipes that play a melody, not for {bundle.recipe}")
    if wish.polyphony is not None:
        raise UsageError(f"recipe {bundle.recipe} cannot keep to --polyphony; leave that out, or use `band`")
    if isinstance(codec, ClipDrumsCodec) and (wish.key is not None or wish.ranges):
        raise UsageError("drums have no pitches to keep to; leave --key and --range out")
    _check_filters(bundle, sampling)


def _check_filters(bundle: Bundle, sampling: Sampling) -> None:
    """A decoder draws with a temperature, and no filter is asked for that would change nothing."""
    usual = replace(default_sampling(bundle), temperature=sampling.temperature)
    changed = [name for name in ("temperatures", "top_k", "top_p", "min_p", "repetition")
               if getattr(sampling, name) != getattr(usual, name)]  # fmt: skip
    if changed:
        names = " and ".join(name.replace("_", "-") for name in changed)
        raise UsageError(f"recipe {bundle.recipe} is drawn by one temperature alone, not by {names}; leave that out")

"""Stations of bundles that play clips: walks through a latent space, and rolls one after another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from woodshed.bundle import Bundle
from woodshed.bundle.kinds import latent_model
from woodshed.errors import UsageError
from woodshed.generation.filters import Sampling
from woodshed.generation.latent import blend, decode_points, imagine, latent_size
from woodshed.generation.stream import last_bar
from woodshed.generation.stream_clips import ClipStation
from woodshed.music import Song
from woodshed.recipes import latents
from woodshed.recipes.clip import LARGEST_SEED
from woodshed.recipes.wish import Wish

ROLL_BARS = 8
"""Bars of rolls that are drawn at once."""


def latent_station(bundle: Bundle, wish: Wish, sampling: Sampling, rng: np.random.Generator) -> ClipStation:
    """A walk through the latent space without end: each clip's point keeps some of the one before.

    Raises:
        As `woodshed.recipes.latents.play_latent`.
    """
    _, codec = latent_model(bundle)
    wish = replace(wish, bars=codec.bars)
    latents.check_wish(bundle, codec, wish, sampling)
    request = latents.request_of(bundle, codec, wish)
    stray = latents.STRAY_OF_BARS if codec.per_part else latents.STRAY

    def point(rng: np.random.Generator, last: Any) -> Any:
        fresh = rng.standard_normal(latent_size(bundle))
        return fresh if last is None else blend(last, fresh, stray)

    if codec.per_part and wish.parts is None:
        tokens = decode_points(bundle, imagine(bundle, point(rng, None)[None]), sampling.temperature, rng)
        seats = latents.seated(codec, codec.decode(tokens[0], request.frame).parts)
        seated = tuple(seat for seat in seats if seat is not None)
        request = replace(request, seats=seats, frame=request.frame.replace(parts=seated))

    def draw(sampling: Sampling, rng: np.random.Generator, last: Any) -> tuple[Song, Any]:
        z = point(rng, last)
        tokens = decode_points(bundle, imagine(bundle, z[None]), sampling.temperature, rng, request.masks())
        return request.answer(tokens), z

    clip, _ = draw(sampling, rng, None)
    return ClipStation(last_bar(clip), draw)


def roll_station(
    bundle: Bundle, wish: Wish, sampling: Sampling, rng: np.random.Generator, primer: Song | None
) -> ClipStation:
    """Clips of rolls: each goes on from the one before, where the bundle can; else they follow one another.

    Raises:
        As `woodshed.recipes.play.generate`.
    """
    from woodshed.recipes.play import continue_song, generate

    goes_on = "continue" in bundle.capabilities
    if primer is not None and not goes_on:
        raise UsageError(f"recipe {bundle.recipe} cannot go on from music; leave the primer out")
    wish = replace(wish, bars=ROLL_BARS)
    first = primer
    if first is None:
        first = generate(bundle, wish, sampling, seed=_seed(rng), candidates=1)[0].song
    frame = last_bar(first)
    after = Wish(bars=ROLL_BARS, key=wish.key, ranges=wish.ranges)
    same = replace(wish, parts=frame.parts if goes_on else wish.parts or frame.parts[:1], bpm=frame.bpm)

    def draw(sampling: Sampling, rng: np.random.Generator, last: Song | None) -> tuple[Song, Song]:
        if not goes_on or (last is None and primer is None) or (last is not None and not len(last)):
            clip = generate(bundle, same, sampling, seed=_seed(rng), candidates=1)[0].song
        else:
            before = primer if last is None and primer is not None else last
            assert before is not None
            whole = continue_song(bundle, before, after, sampling, seed=_seed(rng), candidates=1)[0].song
            clip = whole.slice_bars(whole.bars - ROLL_BARS, whole.bars)
        return clip, clip

    return ClipStation(frame, draw)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(LARGEST_SEED + 1))

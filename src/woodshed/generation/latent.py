"""Points in the latent space of a MusicVAE: where clips lie, ways between and around them, and back to tokens.

Shape letters: N clips, Z latent, P parts, T tokens.

Source:
    Roberts et al. (2018): spherical interpolation (White 2016, "Sampling generative networks"), and attribute vectors.
    We differ in how several clips are drawn in a row: a walk whose every point is distributed as the prior is, and
    whose neighbours are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.bundle.kinds import latent_model
from woodshed.errors import OutOfRange

Points = NDArray[np.float64]
"""(N, Z)"""
CLIPS_AT_ONCE = 64


def encode_clips(bundle: Bundle, tokens: NDArray[np.int64]) -> Points:
    """(N, Z) the middle of where the encoder puts each of (N, P, T) clips."""
    import torch

    model, _ = latent_model(bundle)
    device = next(model.parameters()).device
    with torch.inference_mode():
        found = [
            model.encode(torch.from_numpy(tokens[start : start + CLIPS_AT_ONCE]).to(device))[0].double().cpu().numpy()
            for start in range(0, len(tokens), CLIPS_AT_ONCE)
        ]
    points: Points = np.concatenate(found) if found else np.empty((0, latent_size(bundle)))
    return points


def imagine(bundle: Bundle, noise: Points) -> Points:
    """(N, Z) draws of N(0, 1) -> points as likely as those of the clips that the bundle learned from."""
    import torch

    model, _ = latent_model(bundle)
    with torch.inference_mode():
        points: Points = model.imagine(torch.from_numpy(noise).float()).double().numpy()
    return points


def decode_points(
    bundle: Bundle,
    points: Points,
    temperature: float,
    rng: np.random.Generator,
    allowed: Sequence[NDArray[np.bool_]] | None = None,
    *,
    share_chance: bool = False,
    on_step: Callable[[float], None] | None = None,
) -> NDArray[np.int64]:
    """(N, P, T) tokens drawn from (N, Z) points; with temperature 0 the likeliest, and ``rng`` is not asked.

    ``allowed`` are the ids of each part (V,) that may be drawn. The generator is the only source of chance; with
    ``share_chance`` all points are drawn with the same numbers, so that clips differ only as their points do.
    """
    import torch

    model, codec = latent_model(bundle)
    masks = None if allowed is None else [torch.from_numpy(mask) for mask in allowed]
    shape = len(codec.parts), codec.steps
    found = []
    shared = rng.random(shape) if temperature and share_chance else None
    with torch.inference_mode():
        for start in range(0, len(points), CLIPS_AT_ONCE):
            z = torch.from_numpy(points[start : start + CLIPS_AT_ONCE]).float()
            if shared is None:
                uniforms = torch.from_numpy(rng.random((len(z), *shape))) if temperature else None
            else:
                uniforms = torch.from_numpy(shared).expand(len(z), *shape)
            found.append(model.sample(z, temperature, uniforms, masks).numpy())
            if on_step is not None:
                on_step(min(start + CLIPS_AT_ONCE, len(points)) / len(points))
    return np.concatenate(found).astype(np.int64) if found else np.empty((0, *shape), np.int64)


def latent_size(bundle: Bundle) -> int:
    """Z."""
    return int(latent_model(bundle)[0].config.latent)


def slerp(first: NDArray[np.float64], second: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The point (Z,) that share of the way along the arc; exactly the ends at 0 and 1.

    Straight where there is no arc: between points in one direction or opposite ones, or from the origin.
    """
    if share in (0, 1):
        return (second if share else first).copy()
    size = float(np.linalg.norm(first) * np.linalg.norm(second))
    angle = float(np.arccos(np.clip(first @ second / size, -1, 1))) if size else 0.0
    if np.sin(angle) < 1e-6:
        return (1 - share) * first + share * second
    arc: NDArray[np.float64] = (np.sin((1 - share) * angle) * first + np.sin(share * angle) * second) / np.sin(angle)
    return arc


def grid_points(corners: Points, size: int) -> Points:
    """(size * size, Z) rows from the top down: between (4, Z) top left, top right, bottom left and bottom right."""
    a, b, c, d = corners
    shares = np.linspace(0, 1, size)
    return np.stack([slerp(slerp(a, b, x), slerp(c, d, x), y) for y in shares for x in shares])


def blend(points: Points, noise: Points, by: float) -> Points:
    """The points with ``by``, 0-1, of them replaced by noise: 0 is the points, 1 the noise; lengths stay as they were.

    If points and noise are drawn from the prior, so are the blends, however much is replaced.
    """
    if not 0 <= by <= 1:
        raise OutOfRange(f"by {by:g} is outside 0-1; 0.3 keeps most, 1 keeps nothing")
    blended: Points = np.sqrt(1 - by**2) * points + by * noise
    return blended


def walk(rng: np.random.Generator, count: int, size: int, by: float) -> Points:
    """(count, size) points, the first drawn from the prior, each next one a `blend` of the last by ``by``."""
    noise = rng.standard_normal((count, size))
    points = [noise[0]]
    for fresh in noise[1:]:
        points.append(blend(points[-1], fresh, by))
    return np.stack(points)

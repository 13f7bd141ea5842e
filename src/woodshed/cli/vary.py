"""woodshed vary"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleOrStyle

if TYPE_CHECKING:
    from woodshed.bundle import Bundle
    from woodshed.generation.filters import Sampling
    from woodshed.recipes.clip import Clip
    from woodshed.recipes.files import Told


@playing.options
def command(
    bundle: BundleOrStyle,
    music: playing.MusicArgument,
    making: playing.Making,
    asked: playing.Asked,
    freedom: playing.Freedom,
    by: Annotated[
        float,
        typer.Option("--by", "--share", metavar="B", help="How much of it is new: 0 is the clip itself, 1 is all new."),
    ] = 0.3,
    what: Annotated[
        str,
        typer.Option(
            "--what", metavar="WHAT", help="Of a band: what is new, notes, pitches, durations, velocities or timing."
        ),
    ] = "notes",
    parts: playing.TheseParts = None,
    attribute: playing.Attribute = None,
) -> None:
    """Play a clip in another way: a share of a band's notes anew, or from near its place in a latent space."""
    from woodshed.bundle import LATENT, kind_of
    from woodshed.recipes import canvases, latents
    from woodshed.recipes import wish as wishes
    from woodshed.recipes.clip import default_sampling

    wish = asked.wish()
    attributes = wishes.parse_attributes(attribute or ())
    song, title = playing.read_music(music)

    def make(loaded: Bundle, sampling: Sampling, seed: int, tell: Told) -> list[Clip]:
        if kind_of(loaded) != LATENT:
            wishes.refuse_attributes(loaded.recipe, attributes)
            return canvases.vary(
                loaded, song, wish, sampling, by=by, what=what, parts=parts,
                seed=seed, count=making.count, candidates=making.candidates, on_step=tell,
            )  # fmt: skip
        canvases.refuse_canvas(loaded, "vary", wish, what=None if what == "notes" else what, parts=parts)
        chosen = None if sampling == default_sampling(loaded) else sampling
        return latents.vary_song(loaded, song, by, attributes, chosen, seed=seed, count=making.count, on_step=tell)

    making.play(bundle, freedom, make, title)

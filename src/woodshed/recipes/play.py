"""Play a bundle: wishes in, clips out. The command line and the Python API both come through here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from woodshed.bundle import EVENTS, LATENT, NOTES, ROLLS, WINDOWS, Bundle, kind_of
from woodshed.codecs.note_step import MAX_PARTS, program_name
from woodshed.errors import UsageError
from woodshed.generation.beam import Beam
from woodshed.generation.canvas import (
    Canvas,
    blank_canvas,
    check_bpm,
    check_parts,
    continuation_canvas,
    known_programs,
    melody_program,
    nearest_program,
    part_of,
    program_of,
)
from woodshed.generation.filters import Sampling
from woodshed.music import Meter, Song, melody_song, parse_melody, part_name
from woodshed.music.units import DEFAULT_BPM
from woodshed.recipes.asked import generated, with_wish
from woodshed.recipes.bands import Telling, busiest, heard_as, play_canvas
from woodshed.recipes.clip import CANDIDATES, Clip, default_sampling, with_key
from woodshed.recipes.files import Told
from woodshed.recipes.rules import refuse_rules
from woodshed.recipes.verbs import check_verb, sings
from woodshed.recipes.wish import Wish, keep_frame, refuse_attributes


def generate(
    bundle: Bundle,
    wish: Wish | None = None,
    sampling: Sampling | None = None,
    *,
    seed: int,
    count: int = 1,
    candidates: int = CANDIDATES,
    on_step: Told | None = None,
) -> list[Clip]:
    """``count`` new clips. Of ``candidates`` drawn side by side for each, the best is kept, see `best_of`.

    The same bundle, wish, sampling, seed, candidates and count give the same clips. Those of recipe `band` are chosen
    together, so that they differ, see `woodshed.recipes.bands`; of others the first do not depend on the count.

    Raises:
        OutOfRange: for numbers outside their range.
        UnknownName: for a part that the bundle knows nothing like.
        InfeasibleCanvas: for wishes that no music can fulfil.
    """
    wish, sampling = wish or Wish(), sampling or default_sampling(bundle)
    _no_chorale_wishes(bundle, wish)
    _no_latent_wishes(bundle, wish)
    _no_canvas_wishes(bundle, wish)
    if kind_of(bundle) == ROLLS:
        from woodshed.recipes.rolls import play_rolls

        return play_rolls(bundle, wish, sampling, None, seed=seed, count=count, candidates=candidates, on_step=on_step)
    _no_roll_wishes(bundle, wish)
    _no_window_wishes(bundle, wish)
    if kind_of(bundle) == LATENT:
        from woodshed.recipes.latents import play_latent

        return play_latent(bundle, wish, sampling, seed=seed, count=count, candidates=candidates, on_step=on_step)
    if kind_of(bundle) == WINDOWS:
        from woodshed.recipes.solos import play_solo

        return play_solo(bundle, wish, sampling, None, seed=seed, count=count, candidates=candidates, on_step=on_step)
    if sings(bundle):
        from woodshed.recipes.chorales import play_chorale

        _no_line_wishes(bundle, wish)
        return play_chorale(bundle, wish, sampling, seed=seed, count=count, candidates=candidates, on_step=on_step)
    if kind_of(bundle) == EVENTS:
        from woodshed.recipes.lines import play_line

        return play_line(bundle, wish, sampling, None, seed=seed, count=count, candidates=candidates, on_step=on_step)
    _no_line_wishes(bundle, wish)

    wish, rules = generated(wish)

    def build(rng: np.random.Generator) -> Canvas:
        blank = blank_canvas(
            bundle, wish.bars, rng, parts=wish.parts, without=rules.without, key=wish.key, bpm=wish.bpm,
            meter=rules.meters or wish.meter,
        )  # fmt: skip
        return with_wish(replace(blank, song=with_key(blank.song, wish.key)), wish)

    return play_canvas(
        "generate", bundle, wish, sampling, build, seed=seed, count=count, candidates=candidates, on_step=on_step
    )


def continue_song(
    bundle: Bundle,
    song: Song,
    wish: Wish | None = None,
    sampling: Sampling | None = None,
    *,
    seed: int,
    count: int = 1,
    candidates: int = CANDIDATES,
    on_step: Told | None = None,
) -> list[Clip]:
    """``song`` as it is, and ``wish.bars`` new bars after the bar of its last onset; in other ways like `generate`.

    Parts, tempo and meter are the song's own, so a wish may not name them.

    Raises:
        BundleError: if the bundle cannot go on from music.
        OutOfRange: for numbers outside their range.
        UsageError: for a wish for parts, tempo or meter.
        InfeasibleCanvas: if the song has no note.
    """
    check_verb(bundle, "continue")
    wish, sampling = wish or Wish(), sampling or default_sampling(bundle)
    _no_window_wishes(bundle, wish)
    _no_latent_wishes(bundle, wish)
    _no_canvas_wishes(bundle, wish)
    keep_frame(wish, "the song's")

    if kind_of(bundle) == ROLLS:
        from woodshed.recipes.rolls import play_rolls

        return play_rolls(bundle, wish, sampling, song, seed=seed, count=count, candidates=candidates, on_step=on_step)
    _no_roll_wishes(bundle, wish)
    if kind_of(bundle) == WINDOWS:
        from woodshed.recipes.solos import play_solo

        return play_solo(bundle, wish, sampling, song, seed=seed, count=count, candidates=candidates, on_step=on_step)
    if kind_of(bundle) == EVENTS:
        from woodshed.recipes.lines import play_line

        return play_line(bundle, wish, sampling, song, seed=seed, count=count, candidates=candidates, on_step=on_step)
    _no_line_wishes(bundle, wish)

    remarks = tuple(heard_as(song))
    if len(np.unique(song.notes["part"])) > MAX_PARTS:
        remarks = (*remarks, f"the {MAX_PARTS} busiest of them go on")

    def build(_: np.random.Generator) -> Canvas:
        return with_wish(busiest(continuation_canvas(song, wish.bars)), wish)

    return play_canvas(
        "continue", bundle, wish, sampling, build,
        seed=seed, count=count, candidates=candidates, on_step=on_step, told=Telling(remarks=remarks),
    )  # fmt: skip


def _no_canvas_wishes(bundle: Bundle, wish: Wish) -> None:
    """What only a canvas can obey is refused for the others."""
    if kind_of(bundle) != NOTES:
        refuse_rules(wish.rules, bundle.recipe)


def _no_window_wishes(bundle: Bundle, wish: Wish) -> None:
    if wish.mode is not None and kind_of(bundle) != WINDOWS:
        raise UsageError(f"--mode is for deeprock and pitch-step-duration, not for {bundle.recipe}; leave it out")


def _no_line_wishes(bundle: Bundle, wish: Wish) -> None:
    """What only a recipe that plays one line can do is refused for the others."""
    if wish.steps is not None:
        raise UsageError(f"--steps is for recipes that play a melody; {bundle.recipe} plays bars: use --bars")
    if wish.beam != Beam():
        raise UsageError(f"--beam and --branch-factor are for recipes that play a melody, not for {bundle.recipe}")


def _no_chorale_wishes(bundle: Bundle, wish: Wish) -> None:
    """What only a recipe for four voices can do is refused for the others."""
    if wish.parallels is not None and not sings(bundle):
        raise UsageError(f"--parallels is for recipes that write four voices (chorale), not for {bundle.recipe}")


def _no_latent_wishes(bundle: Bundle, wish: Wish) -> None:
    """What only a recipe with a latent space can do is refused for the others."""
    if kind_of(bundle) != LATENT:
        refuse_attributes(bundle.recipe, wish.attributes)


def _no_roll_wishes(bundle: Bundle, wish: Wish) -> None:
    """What only a recipe of binary rolls can do is refused for the others."""
    if (wish.chords is not None or wish.sheet is not None) and kind_of(bundle) != NOTES:
        raise UsageError(
            f"recipe {bundle.recipe} does not play over chords; band and chord-melody do: leave --chords out"
        )
    if wish.binariser is not None or wish.threshold is not None:
        raise UsageError(
            f"--binarise and --threshold are for recipes of binary rolls, such as chord-melody, not for {bundle.recipe}"
        )


def melody_primer(bundle: Bundle, text: str, wish: Wish) -> tuple[Song, Wish]:
    """A melody typed as ``"[60, -2, 62]"``, as a song to continue, and what of the wish is left for that.

    It is played by the one part of the wish, else by the pitched instrument that most of the learned songs have
    (a bass only if there is nothing else), in the wish's tempo and meter, else in the bundle's tempo and 4/4.

    Raises:
        OutOfRange: for events that are none.
        UsageError: for a wish of several parts, or of drums.
    """
    events = parse_melody(text)
    if wish.parts is not None and (len(wish.parts) != 1 or wish.parts[0].is_drum):
        raise UsageError("a primer melody has one pitched part; name one with --parts, or leave that out")
    if kind_of(bundle) not in (EVENTS, WINDOWS):
        check_parts(bundle, wish.parts or ())
    if wish.bpm is not None:
        check_bpm(wish.bpm)
    part = wish.parts[0] if wish.parts else part_of(melody_program(bundle))
    bpm = float(wish.bpm or bundle.style.get("bpm", DEFAULT_BPM))
    song = melody_song(events, part, bpm, wish.meter or Meter(4, 4))
    return song, replace(wish, parts=None, bpm=None, meter=None, primer_steps=len(events))


def stand_ins(bundle: Bundle, wish: Wish) -> list[str]:
    """One line for each part asked for that the bundle knows only by its kin.

    Raises:
        UnknownName: for a part that the bundle knows nothing like.
    """
    if kind_of(bundle) == LATENT and not getattr(bundle.codec, "per_part", False):
        return []  # those know parts, not instruments
    if kind_of(bundle) in (EVENTS, WINDOWS):
        return []  # a line is a line on any instrument, and a choir says for itself that it takes no parts
    check_parts(bundle, wish.parts or ())
    known = known_programs(bundle)
    lines = []
    for part in wish.parts or ():
        model = nearest_program(program_of(part), known)
        if known and model != program_of(part):
            lines.append(
                f"{part_name(part)} was not in what this bundle learned; it plays it like {program_name(model)}"
            )
    return lines

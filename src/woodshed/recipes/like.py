"""In the style of a piece of music, without training: it is heard first, and of what follows only that is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from woodshed.bundle import Bundle, note_codec
from woodshed.errors import InfeasibleCanvas, OutOfRange, UnknownName, UsageError
from woodshed.generation.canvas import Canvas, check_bars, check_bpm, check_parts, continuation_canvas, usual_ranges
from woodshed.generation.filters import Sampling
from woodshed.music import TEMPO, Key, Part, Song
from woodshed.music.key_finding import find_key
from woodshed.recipes.asked import parts_called, with_wish
from woodshed.recipes.bands import Telling, heard_as, play_canvas
from woodshed.recipes.clip import Clip, with_key
from woodshed.recipes.files import Told
from woodshed.recipes.over import semitones
from woodshed.recipes.verbs import check_verb
from woodshed.recipes.wish import Wish

MOST_BARS_HEARD = 256
"""Of longer music the end is heard: it is enough to know its ways, and soon read."""


def play_like(
    bundle: Bundle,
    model: Song,
    wish: Wish,
    sampling: Sampling,
    *,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None = None,
) -> list[Clip]:
    """``wish.bars`` new bars as ``model`` might go on: its line-up, tempo and meter, unless the wish has its own.

    Parts of the wish are looked for among the model's; those that it has not join in. For a key the model is moved into
    it before it is heard.

    Raises:
        BundleError: if the bundle fills no canvas.
        UsageError: for a wish for another meter.
        UnknownName: for an instrument that the bundle heard nothing like.
        InfeasibleCanvas: if the model has no notes.
    """
    check_verb(bundle, "continue")
    note_codec(bundle)
    check_bars(wish.bars)
    if wish.bpm is not None:
        check_bpm(wish.bpm)
    if not len(model):
        raise InfeasibleCanvas(f"{model.title or 'the music'} has no notes, so there is no style to take from it")
    if wish.meter is not None or wish.rules.meters:
        raise UsageError("music like other music keeps its meter; leave --meter out")
    heard, move = _moved(_latest(model), wish.key)
    heard, players = _cast(bundle, heard, wish.parts, wish.rules.without)
    start = int(continuation_canvas(heard, wish.bars, harmony=False).open_from)

    def build(_: np.random.Generator) -> Canvas:
        whole = continuation_canvas(heard, wish.bars)
        ranges = dict(whole.constraints.pitch_ranges)
        ranges |= {part: span for part, span in usual_ranges(bundle, heard.parts).items() if part not in ranges}
        chosen = Canvas(whole.song, whole.open_from, players, replace(whole.constraints, pitch_ranges=ranges))
        return with_wish(chosen, replace(wish, parts=None))

    def alone(song: Song, _: Canvas) -> Song:
        new = song.slice(start, song.length)
        notes = new.notes.copy()
        notes["part"] = np.searchsorted(players, notes["part"])
        none = {name: getattr(new, name)[:0] for name in ("controls", "bends", "chords")}
        new = new.replace(notes=notes, parts=tuple(new.parts[part] for part in players), markers=(), title="", **none)
        if wish.bpm is not None:
            new = new.replace(tempos=np.array([(0, wish.bpm)], TEMPO))
        return with_key(new, wish.key)

    told = Telling(
        settings={"like": model.title or None, "semitones": move},
        remarks=(f"like {model.title or 'the given music'}", *heard_as(model)),
    )
    return play_canvas(
        "generate", bundle, wish, sampling, build,
        seed=seed, count=count, candidates=candidates, on_step=on_step, told=told, finish=alone,
    )  # fmt: skip


def _latest(model: Song) -> Song:
    """Its last bars with notes in them, as many as are heard."""
    lines = model.bar_lines()
    last = int(np.searchsorted(lines, int(model.notes["onset"].max()), side="right"))
    return model.slice_bars(max(last - MOST_BARS_HEARD, 0), last)


def _moved(model: Song, key: Key | None) -> tuple[Song, int]:
    """In the key that is wished, and by how many semitones it was moved; where it cannot be moved it stays."""
    if key is None:
        return model, 0
    move = semitones(find_key(model).key, key)
    try:
        return model.transpose(move), move
    except OutOfRange:
        return model, 0


def _cast(
    bundle: Bundle, model: Song, parts: tuple[Part, ...] | None, without: tuple[Part, ...]
) -> tuple[Song, tuple[int, ...]]:
    """The model with the parts that are wished for and that it has not, and who is to play."""
    sounding = np.unique(model.notes["part"]).tolist()
    if parts is None:
        forbidden = {(part.is_drum, part.is_drum or part.program) for part in without}
        players = [
            part for part in sounding
            if (model.parts[part].is_drum, model.parts[part].is_drum or model.parts[part].program) not in forbidden
        ]  # fmt: skip
        if not players:
            raise InfeasibleCanvas("without these nobody is left; forbid fewer")
        return model, tuple(players)
    players = []
    new: list[Part] = []
    for part in parts:
        try:
            players += parts_called(model, "drums" if part.is_drum else part.name)
        except UnknownName:
            new.append(part)
    check_parts(bundle, new)
    players += range(len(model.parts), len(model.parts) + len(new))
    return model.replace(parts=(*model.parts, *new)), tuple(sorted(set(players)))

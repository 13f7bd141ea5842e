"""Clips of a bundle that fills canvases (recipe `band`): draw, rank, and say what was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from woodshed.bundle import Bundle
from woodshed.codecs.levels import CONTROLS
from woodshed.codecs.note_step import MAX_PARTS
from woodshed.generation.canvas import Canvas
from woodshed.generation.choose import open_levels, ranked
from woodshed.generation.fill import Answer, answers
from woodshed.generation.filters import Sampling
from woodshed.music import Song, part_name
from woodshed.music.units import DEFAULT_BPM
from woodshed.recipes.asked import open_bars
from woodshed.recipes.clip import LARGEST_SEED, MOST_CANDIDATES, Clip, settings_of
from woodshed.recipes.files import MOST_CLIPS, Told, check_range
from woodshed.recipes.window import window_of
from woodshed.recipes.wish import Wish
from woodshed.words import counted, listed

SET = 32
"""So many clips at most are chosen together, so that they differ; more are several sets."""
Build = Callable[[np.random.Generator], Canvas]
"""Given chance: what is open, and under which constraints."""


@dataclass(frozen=True)
class Telling:
    """What there is to say of all clips of one request."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    findings: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Drawn:
    song: Song
    canvas: Canvas
    answer: Answer


def play_canvas(
    verb: str,
    bundle: Bundle,
    wish: Wish,
    sampling: Sampling,
    build: Build,
    *,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None = None,
    told: Telling | None = None,
    finish: Callable[[Song, Canvas], Song] | None = None,
    judge: Callable[[Song, Canvas], float] | None = None,
) -> list[Clip]:
    """``count`` clips of ``count * candidates`` answers: the first the likeliest of those with the fewest faults, each
    next a likely one that differs from all before it, see `ranked`. A single clip is the one with the fewest faults.

    Each clip's candidates have a generator and a canvas of their own. ``finish`` makes what is kept of an answer;
    ``judge`` says how much more is wrong with one than `faults` does.

    Raises:
        OutOfRange: for numbers outside their range.
        InfeasibleCanvas: for a canvas that cannot be filled.
    """
    check_range("seed", seed, 0, LARGEST_SEED)
    check_range("count", count, 1, MOST_CLIPS)
    check_range("candidates", candidates, 1, MOST_CANDIDATES)
    told, clips = told or Telling(), []
    for begin in range(0, count, SET):
        numbers = range(begin, min(begin + SET, count))
        pool = [
            one
            for number in numbers
            for one in _draw(bundle, build, sampling, seed, number, count, candidates, on_step)
        ]
        songs, canvases = [one.song for one in pool], [one.canvas for one in pool]
        more = [] if judge is None else [judge(one.song, one.canvas) for one in pool]
        nats = [one.answer.nats_per_note for one in pool]
        best = ranked(songs, nats, canvases, bundle.style, min(len(numbers), len(pool)), more)
        for number, index in zip(numbers, best, strict=False):
            kept = pool[index]
            settings = settings_of(verb, bundle, wish, sampling, seed, number, candidates)
            clips.append(
                Clip(
                    song=kept.song if finish is None else finish(kept.song, kept.canvas),
                    seed=seed,
                    number=number,
                    settings={**settings, "count": count, **told.settings},
                    findings={
                        "nats_per_note": round(kept.answer.nats_per_note, 4),
                        **_measured(kept),
                        **_held(kept),
                        **told.findings,
                    },
                    remark="; ".join(filter(None, [*told.remarks, _told_limit(kept), _told_silent(kept)])),
                )
            )
    return clips


def busiest(canvas: Canvas) -> Canvas:
    """The canvas with no more open parts than a bundle can play: those with the most notes."""
    if len(canvas.open_parts) <= MAX_PARTS:
        return canvas
    counts = np.bincount(canvas.song.notes["part"], minlength=len(canvas.song.parts))
    kept = set(sorted(canvas.open_parts, key=lambda part: -counts[part])[:MAX_PARTS])
    return replace(canvas, openings=tuple(span for span in canvas.spans if span.part in kept))


def heard_as(song: Song) -> list[str]:
    """What a bundle does not hear of given music as it is, one line each: too many parts, a tempo never stated."""
    lines = []
    sounding = len(np.unique(song.notes["part"]))
    if sounding > MAX_PARTS:
        alike = "those that are most alike are heard as one"
        lines.append(f"{sounding} parts sound, more than {MAX_PARTS}: {alike}")
    if not len(song.tempos):
        lines.append(f"no tempo is stated, so {DEFAULT_BPM:g} BPM is taken")
    return lines


def _draw(
    bundle: Bundle,
    build: Build,
    sampling: Sampling,
    seed: int,
    number: int,
    count: int,
    candidates: int,
    on_step: Told | None,
) -> list[_Drawn]:
    rng = np.random.default_rng([seed, number])
    canvas = build(rng)

    def tell(share: float) -> None:
        if on_step is not None:
            on_step((number + share) / count)

    window = window_of(canvas)
    drawn = answers(bundle, window.canvas, sampling, rng, count=candidates, on_step=tell)
    return [_Drawn(window.put_back(one.song), canvas, one) for one in drawn]


def _measured(drawn: _Drawn) -> dict[str, Any]:
    """Of each level that was asked for: what was asked and what came, bar by bar."""
    asked = drawn.canvas.constraints.levels
    if not asked:
        return {}
    found = open_levels(drawn.song, drawn.canvas)
    first, last = open_bars(drawn.canvas)
    return {
        "levels": {
            name: {"asked": list(row[first:last]), "found": found[first:last, CONTROLS.index(name)].tolist()}
            for name, row in asked.items()
        }
    }


def _held(drawn: _Drawn) -> dict[str, Any]:
    """Of a limit of copying: what it is, and what was done to hold it."""
    limit = drawn.canvas.constraints.copying
    if limit is None:
        return {}
    answer = drawn.answer
    done = {"redrawn": answer.redrawn, "removed": answer.removed, "changed": bool(answer.redrawn or answer.removed)}
    return {"max_copy": {"limit": limit.text, **done, "beats": answer.copied[0], "notes": answer.copied[1]}}


def _told_silent(drawn: _Drawn) -> str:
    """Who had bars to play in and no note came; empty if all play."""
    heard = np.bincount(drawn.song.notes["part"], minlength=len(drawn.song.parts))
    silent = sorted({opening.part for opening in drawn.canvas.spans if not heard[opening.part]})
    return f"no note came for {listed(names_of(drawn.song, silent))}; try another --seed" if silent else ""


def _told_limit(drawn: _Drawn) -> str:
    """The same in words; empty without a limit."""
    answer, limit = drawn.answer, drawn.canvas.constraints.copying
    if limit is None:
        return ""
    done = [f"{counted(answer.redrawn, 'bar')} played again"] if answer.redrawn else []
    done += [f"{counted(answer.removed, 'note')} left out"] if answer.removed else []
    beats, notes = answer.copied
    longest = f"what stands there too lasts {beats:g} beats at most, {notes} notes in a part" if notes else ""
    return (
        f"--max-copy {limit.text} of {limit.name}: {' and '.join(done) or 'nothing had to be changed'}; "
        f"{longest or 'nothing of it stands there'}"
    )


def names_of(song: Song, parts: list[int]) -> list[str]:
    """What some parts of a song are called."""
    return [part_name(song.parts[part]) for part in parts]

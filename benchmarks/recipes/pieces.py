"""Fifty generated pieces beside fifty real held-out ones, in figures."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from music import Lesson
from woodshed.bundle import EVENTS, LATENT, ROLLS, WINDOWS, Bundle, kind_of
from woodshed.codecs.melody import LOOKBACK_BARS, NO_EVENT
from woodshed.evaluation.copying import CopyIndex
from woodshed.evaluation.metrics import excerpts, measure
from woodshed.evaluation.reconstruction import measure_reconstruction
from woodshed.formats import write_midi
from woodshed.music import Meter, Song
from woodshed.music.meter import bar_of
from woodshed.recipes.clip import CANDIDATES
from woodshed.recipes.material import Material
from woodshed.recipes.play import generate
from woodshed.recipes.wish import Wish

CHOSEN, FREE = "chosen", "free"
BARS, LONG_BARS = 8, 16
"""Of the pieces as a user gets them, and of those in which repetition is counted."""
FIGURES = (
    "longest_repeated_note_run", "distinct_pitches", "pitch_class_entropy", "in_key_rate", "notes_per_bar",
    "empty_bar_rate", "mean_note_quarters",
)  # fmt: skip
OWN_FIGURES = ("copied", "copied_8", "bars_again_1", "bars_again_2", "notes_again_1", "notes_again_2", "drones")
"""Worked out here; ``drones``: fewer than 3 pitches (of drums: 2), a note struck 8 times running, or half of the bars
empty."""
SHORT_RUN = 8


def scored(bundle: Bundle, songs: Sequence[Song]) -> tuple[list[Song], int]:
    """The songs of which a model predicts a note, and how many things it predicts in them: events, the rows of a band
    (its end is one) or of a roll, the tokens of clips, or the events that have a whole window before them."""
    window = bundle.model.config.window if kind_of(bundle) == WINDOWS else 0
    kept, events = [], 0
    for song in songs:
        size = predicted_in(bundle, song) if len(song) else 0
        if size > window:
            kept.append(song)
            events += size - window
    return kept, events


def predicted_in(bundle: Bundle, song: Song) -> int:
    """How many things the codec writes of a song."""
    codec = bundle.codec
    if kind_of(bundle) == LATENT:
        return sum(int(codec.scored(codec.encode(clip)).sum()) for clip in codec.clips(song))
    heard = codec.arrange(song)
    return len(codec.rows(heard)[1] if kind_of(bundle) == ROLLS else codec.encode(heard))


def comes_back(bundle: Bundle, songs: Sequence[Song], seed: int) -> dict[str, Any]:
    """Of a latent space: the share of tokens that come back, over all parts alike, and what the space holds."""
    if kind_of(bundle) != LATENT:
        return {}
    found = measure_reconstruction(bundle, songs, seed=seed)
    return {
        "right_given_truth": round(float(np.mean(list(found.given_truth.values()))), 4),
        "right_sampled": round(float(np.mean(list(found.sampled.values()))), 4),
        "bits": round(found.divergence_bits, 2), "used_dimensions": found.used_dimensions,
    }  # fmt: skip


def either_way(bundle: Bundle, songs: Sequence[Song]) -> float | None:
    """Nats of all songs when an event that can be said by several labels is charged with the sum of their chances;
    None where each can be said in one way."""
    codec = bundle.codec
    if kind_of(bundle) != EVENTS or not getattr(codec, "lookback", False):
        return None
    import torch

    nats = 0.0
    for song in songs:
        heard = codec.arrange(song)
        events, steps_per_bar = codec.encode(heard), codec.steps_per_bar(heard)
        with torch.no_grad():
            active = torch.from_numpy(codec.look(events, steps_per_bar)[None, :-1])
            chances = bundle.model(active)[0].double().softmax(1).numpy()
        place = np.arange(len(events))
        same = [chances[place, events]]
        for number, bars in enumerate(LOOKBACK_BARS):
            before = np.concatenate((np.full(bars * steps_per_bar, NO_EVENT), events))[: len(events)]
            same.append(np.where(before == events, chances[:, codec.events + number], 0.0))
        nats -= float(np.log(np.sum(same, axis=0)).sum())
    return nats


def measure_music(
    lesson: Lesson, bundle: Bundle, material: Material, options: argparse.Namespace, tell: Callable[[str], None]
) -> list[dict[str, Any]]:
    """A row for the real pieces and one for the generated, of either length.

    The short ones are what a user gets who asks for nothing (the best of several candidates); the long ones are drawn
    without a choice, so that repetition is the model's own. Clips of a latent space are as long as they are, and
    have no long ones. Real pieces are in the meter of the generated.
    """
    learned = [(song.title, bundle.codec.arrange(song)) for song in material.songs if len(song)]
    indices = CopyIndex(learned), CopyIndex(learned, SHORT_RUN)
    meter = Meter.parse(next(iter(bundle.style.get("meters", {})), "4/4"))
    tested = [bundle.codec.arrange(song) for song in material.held_out if len(song)]
    latent = kind_of(bundle) == LATENT
    lengths = [(CHOSEN, bundle.codec.bars if latent else BARS, CANDIDATES), (FREE, LONG_BARS, 1)]
    rows = []
    for drawn, bars, candidates in lengths[: 1 if latent else 2]:
        real = choose(tested, meter, bars, options.pieces)
        made = []
        for piece in range(options.pieces):
            clip = generate(bundle, Wish(bars=bars, meter=meter), seed=options.seed + piece, candidates=candidates)[0]
            made.append(played(clip.song, lesson))
            if (piece + 1) % 25 == 0:
                tell(f"{lesson.name}: {piece + 1} of {options.pieces} pieces of {bars} bars")
        for source, songs in (("generated", made), ("real", real)):
            keep(songs, options.work / "pieces" / f"{lesson.name}-{source}-{drawn}")
            row = {"recipe": lesson.recipe.name, "data": lesson.data, "source": source, "drawn": drawn, "bars": bars}
            row |= {"candidates": candidates if source == "generated" else "", "meter": str(meter)}
            rows.append(row | summary([figures(song, indices) for song in songs]))
    return rows


def played(song: Song, lesson: Lesson) -> Song:
    """What the model itself played: of a melody over chords, not the chords that it was given."""
    if lesson.recipe.material["kind"] != "lead-sheets":
        return song
    return song.replace(parts=song.parts[:1], notes=song.notes[song.notes["part"] == 0])


def choose(songs: Sequence[Song], meter: Meter, bars: int, most: int) -> list[Song]:
    """The first excerpt of each song in this meter, then the second of each, until there are ``most``."""
    alike = [song for song in songs if str(song.meter) == str(meter) and len(song.meters) <= 1]
    cut = [list(excerpts(song, bars)) for song in alike]
    rounds = [
        pieces[number] for number in range(max(map(len, cut), default=0)) for pieces in cut if number < len(pieces)
    ]
    return rounds[:most]


def keep(songs: Sequence[Song], folder: Path) -> None:
    """The pieces as MIDI files, to listen to."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, song in enumerate(songs):
        write_midi(song, folder / f"{number:02d}.mid")


def figures(song: Song, indices: tuple[CopyIndex, CopyIndex]) -> dict[str, float]:
    """The figures of one piece."""
    found = measure(song)
    row = {name: float(getattr(found, name)) if found.is_defined(name) else math.nan for name in FIGURES}
    row["copied"], row["copied_8"] = (index.check(song).share for index in indices)
    for lag in (1, 2):
        row[f"bars_again_{lag}"] = bars_again(song, lag)
        row[f"notes_again_{lag}"] = float(getattr(found, f"self_similarity_{lag}"))
    few = found.distinct_pitches < 3 if found.pitched_notes else len(np.unique(song.notes["pitch"])) < 2
    drone = few or found.longest_repeated_note_run >= 8 or found.empty_bar_rate >= 0.5
    return row | {"drones": float(drone)}


def bars_again(song: Song, lag: int) -> float:
    """Share of the bars with notes that hold exactly the onsets and pitches of the bar ``lag`` before; of those that
    have one."""
    lines = song.bar_lines()
    bar = bar_of(song.notes["onset"].astype(np.int64), lines)
    cells = [
        frozenset(zip((own["onset"] - lines[index]).tolist(), own["pitch"].tolist(), own["part"].tolist(), strict=True))
        for index in range(len(lines) - 1)
        for own in [song.notes[bar == index]]
    ]
    pairs = [(cells[index], cells[index - lag]) for index in range(lag, len(cells)) if cells[index]]
    return float(np.mean([here == there for here, there in pairs])) if pairs else 0.0


def summary(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Mean of each figure over the pieces, and its standard error."""
    found: dict[str, Any] = {"pieces": len(rows)}
    for name in (*FIGURES, *OWN_FIGURES):
        values = np.array([row[name] for row in rows if math.isfinite(row[name])])
        found[name] = round(float(values.mean()), 4) if len(values) else ""
        found[f"{name}_error"] = round(float(values.std(ddof=1) / len(values) ** 0.5), 4) if len(values) > 1 else ""
    return found

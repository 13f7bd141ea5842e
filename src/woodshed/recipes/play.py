"""Play a bundle: wishes in, clips out. The command line and the Python API both come through here."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from woodshed.bundle import Bundle
from woodshed.codecs.note_step import DRUM_PROGRAM, program_name
from woodshed.errors import UnknownName, UsageError
from woodshed.generation.canvas import (
    Canvas,
    blank_canvas,
    check_parts,
    continuation_canvas,
    known_programs,
    nearest_program,
    part_of,
    program_of,
)
from woodshed.generation.choose import best_of
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.music import KEY, Key, Meter, Part, Song, melody_song, parse_melody, parse_part, part_name
from woodshed.music.general_midi import family
from woodshed.music.units import DEFAULT_BPM
from woodshed.recipes.files import MOST_CLIPS, Told, check_range
from woodshed.recipes.wish import Wish
from woodshed.version import __version__

CANDIDATES = 6
"""How many are drawn for each clip that is kept: side by side they cost little more than one."""
MOST_CANDIDATES = 64
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Clip:
    """A song that was made, and how."""

    song: Song
    seed: int
    number: int
    """0 for the first of those asked for with one seed."""
    settings: Mapping[str, Any]
    """All that, with the bundle, makes the same song again; written into the file."""

    def summary(self) -> str:
        """``8 bars, 4 parts, 412 notes, 140 BPM, F minor, seed 7``"""
        return f"{describe(self.song)}, seed {self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**facts_of(self.song), "seed": self.seed, "number": self.number, "settings": dict(self.settings)}


def describe(song: Song) -> str:
    """``8 bars, 4 parts, 412 notes, 140 BPM, F minor``"""
    counts = [_count(song.bars, "bar"), _count(len(song.parts), "part"), _count(len(song), "note")]
    return ", ".join(filter(None, [*counts, f"{song.bpm:.4g} BPM", key_name(song)]))


def facts_of(song: Song) -> dict[str, Any]:
    """The same for JSON."""
    return {
        "bars": song.bars,
        "parts": [part_name(part) for part in song.parts],
        "notes": len(song),
        "bpm": round(song.bpm, 3),
        "meter": str(song.meter),
        "key": key_name(song),
        "length_seconds": round(song.length_seconds, 3),
    }


def key_name(song: Song) -> str:
    """The key as the song states it, else as its notes suggest; empty if nothing pitched sounds."""
    from woodshed.music.key_finding import find_key

    if len(song.keys):
        return str(Key(int(song.keys["tonic"][0]), "minor" if song.keys["is_minor"][0] else "major"))
    drums = np.array([part.is_drum for part in song.parts], bool)
    return str(find_key(song).key) if len(song) and not drums[song.notes["part"]].all() else ""


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def default_sampling(bundle: Bundle, **wishes: Any) -> Sampling:
    """The sampling of the bundle's recipe, with those ``wishes`` (fields of `Sampling`) that are not None.

    Raises:
        OutOfRange: for a value outside its range.
    """
    usual = bundle.training.get("sampling", {})
    known = {name: usual[name] for name in Sampling.__dataclass_fields__ if name in usual}
    return Sampling(**{**known, **{name: value for name, value in wishes.items() if value is not None}})


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

    The same bundle, wish, sampling, seed and candidates give the same clips; the first clips do not depend on count.

    Raises:
        OutOfRange: for numbers outside their range.
        UnknownName: for a part that the bundle knows nothing like.
        InfeasibleCanvas: for wishes that no music can fulfil.
    """
    wish = wish or Wish()

    def canvas(rng: np.random.Generator) -> Canvas:
        blank = blank_canvas(
            bundle, wish.bars, rng, parts=wish.parts, key=wish.key, bpm=wish.bpm, meter=wish.meter,
            polyphony=wish.polyphony,
        )  # fmt: skip
        return _with_ranges(replace(blank, song=_with_key(blank.song, wish.key)), wish.ranges)

    return _play("generate", bundle, canvas, wish, sampling, seed, count, candidates, on_step)


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
        OutOfRange: for numbers outside their range.
        UsageError: for a wish for parts, tempo or meter.
        InfeasibleCanvas: if the song has no note.
    """
    wish = wish or Wish()
    own = {"parts": wish.parts, "tempo": wish.bpm, "meter": wish.meter}
    if named := [name for name, value in own.items() if value is not None]:
        raise UsageError(f"a continuation keeps the song's own {' and '.join(named)}; leave that out")

    def canvas(rng: np.random.Generator) -> Canvas:
        canvas = continuation_canvas(song, wish.bars, key=wish.key, polyphony=wish.polyphony)
        return _with_ranges(canvas, wish.ranges)

    return _play("continue", bundle, canvas, wish, sampling, seed, count, candidates, on_step)


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
    check_parts(bundle, wish.parts or ())
    part = wish.parts[0] if wish.parts else part_of(_melody_program(bundle))
    bpm = float(wish.bpm or bundle.style.get("bpm", DEFAULT_BPM))
    song = melody_song(events, part, bpm, wish.meter or Meter(4, 4))
    return song, replace(wish, parts=None, bpm=None, meter=None)


def _melody_program(bundle: Bundle) -> int:
    instruments = bundle.style.get("instruments", {})

    def suits(program: int) -> tuple[bool, int, int]:
        facts = instruments[str(program)]
        return family(program) != "bass", facts.get("songs", 0), facts.get("notes", 0)

    pitched = [program for program in known_programs(bundle) if program != DRUM_PROGRAM]
    return max(sorted(pitched), key=suits, default=0)


def _play(
    verb: str,
    bundle: Bundle,
    make_canvas: Callable[[np.random.Generator], Canvas],
    wish: Wish,
    sampling: Sampling | None,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None,
) -> list[Clip]:
    check_range("seed", seed, 0, LARGEST_SEED)
    check_range("count", count, 1, MOST_CLIPS)
    check_range("candidates", candidates, 1, MOST_CANDIDATES)
    sampling = sampling or default_sampling(bundle)
    clips = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        canvas = make_canvas(rng)
        tell = _part_of(on_step, number, count)
        songs = fill(bundle, canvas, sampling, rng, count=candidates, on_step=tell)
        song = songs[best_of(songs, canvas, bundle.style)]
        clips.append(Clip(song, seed, number, _settings(verb, bundle, wish, sampling, seed, number, candidates)))
    return clips


def _with_ranges(canvas: Canvas, ranges: Mapping[str, tuple[int, int]]) -> Canvas:
    """The canvas with these ranges for the parts that they name, instead of the usual ones.

    Raises:
        UnknownName: if no open part has such a name or instrument, or only drums have.
    """
    chosen = dict(canvas.constraints.pitch_ranges)
    parts = canvas.song.parts
    for name, span in ranges.items():
        own = [index for index in canvas.open_parts if part_name(parts[index]).lower() == name.lower()]
        meant = own or [
            index for index in canvas.open_parts if program_of(parts[index]) == program_of(parse_part(name))
        ]
        pitched = [index for index in meant if not parts[index].is_drum]
        if not pitched:
            there = ", ".join(part_name(parts[index]) for index in canvas.open_parts if not parts[index].is_drum)
            raise UnknownName(f"range {name!r}: no pitched part of that name is open; there is {there or 'none'}")
        chosen |= dict.fromkeys(pitched, span)
    return replace(canvas, constraints=replace(canvas.constraints, pitch_ranges=chosen))


def _playing_like(part: Part, canvas: Canvas) -> list[int]:
    """The open parts with the part's program."""
    return [index for index in canvas.open_parts if program_of(canvas.song.parts[index]) == program_of(part)]


def draw_seed() -> int:
    """A seed for those who name none: small enough to be typed again."""
    return secrets.randbelow(1_000_000)


def stand_ins(bundle: Bundle, wish: Wish) -> list[str]:
    """One line for each part asked for that the bundle knows only by its kin.

    Raises:
        UnknownName: for a part that the bundle knows nothing like.
    """
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


def _part_of(on_step: Told | None, number: int, count: int) -> Told | None:
    """``on_step`` for the ``number``-th of ``count`` equal parts of the work."""
    if on_step is None:
        return None
    return lambda share: on_step((number + share) / count)


def _with_key(song: Song, key: Key | None) -> Song:
    """With a key signature, where the key has one."""
    if key is None or key.scale not in ("major", "minor", "harmonic minor", "melodic minor"):
        return song
    return song.replace(keys=np.array([(0, key.tonic, key.is_minor)], KEY))


def _settings(
    verb: str, bundle: Bundle, wish: Wish, sampling: Sampling, seed: int, number: int, candidates: int
) -> dict[str, Any]:
    wishes = {
        "bars": wish.bars,
        "parts": None if wish.parts is None else [part_name(part) for part in wish.parts],
        "key": None if wish.key is None else str(wish.key),
        "bpm": wish.bpm,
        "meter": None if wish.meter is None else str(wish.meter),
        "polyphony": wish.polyphony,
        "ranges": {name: list(span) for name, span in wish.ranges.items()} or None,
    }
    return {
        "made_with": f"Woodshed {__version__}",
        "verb": verb,
        "bundle": bundle.folder.resolve().name if bundle.folder else bundle.recipe,
        "recipe": bundle.recipe,
        "seed": seed,
        "number": number,
        "candidates": candidates,
        **{name: value for name, value in wishes.items() if value is not None},
        "sampling": asdict(sampling),
    }

"""Play a bundle: wishes in, clips and files out. The command line and the Python API both come through here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from woodshed.bundle import Bundle
from woodshed.codecs.note_step import program_name
from woodshed.errors import OutOfRange, OutputExists, UnknownName, UsageError
from woodshed.generation.canvas import (
    Canvas,
    blank_canvas,
    check_bars,
    check_parts,
    continuation_canvas,
    known_programs,
    nearest_program,
    program_of,
)
from woodshed.generation.choose import best_of
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.music import KEY, Key, Meter, Part, Song, parse_part, part_name
from woodshed.version import __version__

CANDIDATES = 6
"""How many are drawn for each clip that is kept: side by side they cost little more than one."""
MOST_CLIPS, MOST_CANDIDATES = 1000, 64
MIDI_ENDINGS = (".mid", ".midi")
AUDIO_FORMATS = ("wav", "flac", "ogg", "mp3")
PICTURE_FORMATS = ("png", "svg", "pdf")
LARGEST_SEED = 2**32 - 1

Told = Callable[[float], None]
"""Told the share that is done, 0-1."""


@dataclass(frozen=True)
class Wish:
    """What a new clip should be like. None leaves it to the bundle."""

    bars: int = 8
    """Bars to be made; of a continuation, those after the end."""
    parts: tuple[Part, ...] | None = None
    key: Key | None = None
    """Pitched parts then play only notes of this key."""
    bpm: float | None = None
    """Quarter notes per minute."""
    meter: Meter | None = None
    polyphony: int | None = None
    """Greatest number of notes at once in each pitched part."""


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


def default_sampling(bundle: Bundle, **wishes: float | None) -> Sampling:
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
        return replace(blank, song=_with_key(blank.song, wish.key))

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
        return continuation_canvas(song, wish.bars, key=wish.key, polyphony=wish.polyphony)

    return _play("continue", bundle, canvas, wish, sampling, seed, count, candidates, on_step)


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
    _check_range("seed", seed, 0, LARGEST_SEED)
    _check_range("count", count, 1, MOST_CLIPS)
    _check_range("candidates", candidates, 1, MOST_CANDIDATES)
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


def parse_wish(
    bars: int,
    *,
    parts: str | None = None,
    key: str | None = None,
    tempo: float | None = None,
    meter: str | None = None,
    polyphony: int | None = None,
) -> Wish:
    """A wish in a musician's words: ``parts="drums, bass, lead guitar", key="F minor", tempo=140, meter="7/8"``.

    Raises:
        UnknownName: for a part or key that does not exist.
        OutOfRange: for a number outside its range.
    """
    check_bars(bars)
    names = None if parts is None else [name for name in parts.split(",") if name.strip()]
    if names == []:
        raise UnknownName("no part is named; try --parts 'drums, bass, lead guitar', or leave it out")
    return Wish(
        bars=bars,
        parts=None if names is None else tuple(map(parse_part, names)),
        key=None if key is None else Key.parse(key),
        bpm=tempo,
        meter=None if meter is None else Meter.parse(meter),
        polyphony=polyphony,
    )


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


def check_formats(audio: str | None, picture: str | None) -> list[str]:
    """The formats, as file endings.

    Raises:
        UnknownName: for one that there is not.
    """
    for what, name, known in (("audio", audio, AUDIO_FORMATS), ("picture", picture, PICTURE_FORMATS)):
        if name is not None and name.lower().removeprefix(".") not in known:
            raise UnknownName(f"{what} {name!r} is not one of {', '.join(known)}")
    return [name.lower().removeprefix(".") for name in (audio, picture) if name is not None]


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise OutOfRange(f"{name} {value} is outside {low}-{high}")


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


def output_paths(out: Path, count: int) -> list[Path]:
    """``[out]``, or for more than one ``new-1.mid, new-2.mid, ...``.

    Raises:
        UnknownName: if ``out`` does not end in .mid.
        OutOfRange: if ``count`` is outside 1-1000.
    """
    _check_range("count", count, 1, MOST_CLIPS)
    if out.suffix.lower() not in MIDI_ENDINGS:
        raise UnknownName(f"output {out} does not end in .mid; call it {out.stem or 'new'}.mid")
    return [out] if count == 1 else [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(1, count + 1)]


def all_outputs(path: Path, formats: Sequence[str]) -> list[Path]:
    """A clip's file, and those beside it in other formats."""
    return [path, *(path.with_suffix(f".{name}") for name in formats)]


def check_outputs(paths: Sequence[Path], *, force: bool) -> None:
    """Before any work is done: none may be there already.

    Raises:
        OutputExists: naming the first that is.
    """
    for path in paths:
        if path.is_dir() or (path.exists() and not force):
            remedy = "choose another name" if path.is_dir() else "use --force to replace it, or choose another name"
            raise OutputExists(f"{path} is there; {remedy}")


def write_clip(clip: Clip, path: Path, formats: Sequence[str] = ()) -> list[Path]:
    """Write a clip as MIDI, with its settings inside, and beside it as sound or picture; returns the paths.

    Raises:
        FileError: if one cannot be written; it is then not there at all.
    """
    from woodshed.formats import write_midi

    written = all_outputs(path, formats)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(clip.song, path, comment=json.dumps(clip.settings, ensure_ascii=False, sort_keys=True))
    for other in written[1:]:
        render_song(clip.song, other)
    return written


def check_rendering(path: Path) -> str:
    """The path's ending without its dot, if a song can be rendered so.

    Raises:
        UnknownName: if not.
    """
    ending = path.suffix.lower().removeprefix(".")
    known = (*AUDIO_FORMATS, *PICTURE_FORMATS, "txt")
    if ending not in known:
        raise UnknownName(
            f"{path}: a song cannot be rendered as {path.suffix!r}; the ending is one of {', '.join(known)}"
        )
    return ending


def render_song(song: Song, path: Path, on_step: Told | None = None) -> None:
    """Write a song as sound, picture or text, by the path's ending.

    Raises:
        UnknownName: for an ending that is none of these.
        FileError: if it cannot be written.
    """
    from woodshed import rendering

    ending = check_rendering(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if ending in AUDIO_FORMATS:
        rendering.write_audio(song, path, progress=on_step)
    elif ending in PICTURE_FORMATS:
        rendering.draw_piano_roll(song, path)
    else:
        from woodshed.rendering.output import written_whole

        with written_whole(path) as temporary:
            temporary.write_text(rendering.piano_roll_text(song, colour=False), encoding="utf-8")


def read_song(path: Path) -> Song:
    """A song from a MIDI or MusicXML file, by its ending.

    Raises:
        FileError: if it cannot be read.
        FormatError: if it is no music.
    """
    from woodshed.corpus.scan import MUSICXML_ENDINGS
    from woodshed.formats import read_midi, read_musicxml

    return read_musicxml(path) if path.suffix.lower() in MUSICXML_ENDINGS else read_midi(path)

"""What the demo plays: new clips in keys of the songs it learned, and one song that it never heard, carried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from woodshed.bundle import Bundle, load_bundle
from woodshed.bundle.bundle import bundle_folder
from woodshed.generation.canvas import Canvas, Constraints, continuation_canvas
from woodshed.generation.choose import faults
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.music import PITCH_NAMES, Key, Marker, Meter, Part, Song, parse_part
from woodshed.music.key_finding import find_key
from woodshed.music.segments import pitched_notes
from woodshed.recipes.likeness import RealMusic
from woodshed.recipes.play import generate
from woodshed.recipes.wish import Wish

CANDIDATES = 32
"""Drawn for each clip, side by side; one is kept."""
CLIPS, CLIP_BARS, CONTINUATION_BARS = 3, 8, 16
HEARD_BARS = 4
"""Real bars that a new clip follows but does not contain: they tell the model in what style and key it is."""
PRIMER_SECONDS = 9.0
"""A primer has 4 bars, or 8 if 4 are shorter than this."""
SEARCHED_BARS = 24
"""How far into a song its primer may begin."""
SLOW, FAST = 76.0, 180.0
"""Tempos, in quarter notes per minute, at which eight bars show something."""
MINOR_SCALES = ("harmonic minor", "minor", "melodic minor", "dorian", "phrygian")
HARD_METERS = ("9/8", "12/8", "3/8", "2/2")
MARK = "Woodshed plays from here"
SHIPPED_BASE = "base"
OPENING_BARS, OPENING_BPM = 16, 132.0
OPENING_PARTS = ("drums", "bass", "overdriven guitar", "distortion guitar")

Told = Callable[[str, float], None]
"""Told what is being made, and the share that is done, 0-1."""


@dataclass(frozen=True)
class DemoClip:
    """One clip, and what the listener should know of it."""

    name: str
    """Of its files."""
    title: str
    note: str
    song: Song
    settings: dict[str, object]
    """All that was asked for, embedded in the file."""
    new_from: int = 0
    """Tick from which on the model plays."""

    @property
    def highlight_bar(self) -> int | None:
        """The first new bar, from 1, of a continuation."""
        return int(np.searchsorted(self.song.bar_lines(), self.new_from)) + 1 if self.new_from else None


def opening_clip(seed: int, *, candidates: int = CANDIDATES, tell: Told = lambda name, share: None) -> DemoClip | None:
    """A band from the weights that are shipped, before anything is learned; None if there are none."""
    folder = bundle_folder(SHIPPED_BASE)
    if not folder.is_dir():
        return None
    rng = np.random.default_rng([seed, 0])
    tonic = ("E", "A", "D", "F#", "B", "C")[int(rng.integers(6))]
    wish = Wish(
        OPENING_BARS, tuple(map(parse_part, OPENING_PARTS)), Key.parse(f"{tonic} minor"), OPENING_BPM, Meter(4, 4)
    )
    (clip,) = generate(
        load_bundle(folder), wish, seed=seed, candidates=candidates, on_step=lambda share: tell("band", share)
    )
    note = (
        f"Asked for {OPENING_BARS} bars of drums, bass and two guitars in {tonic} minor at {OPENING_BPM:.0f} BPM, of "
        "the weights that come with Woodshed. What they learned is told in DATA.md beside them; what is copied is "
        "counted in the music below."
    )
    title = f"Before practising: a band in {tonic} minor"
    return DemoClip("band", title, note, clip.song.replace(title=""), dict(clip.settings))


def make_clips(
    bundle: Bundle,
    learned: Sequence[Song],
    held_out: Sequence[Song],
    real: RealMusic,
    sampling: Sampling,
    seed: int,
    *,
    candidates: int = CANDIDATES,
    tell: Told = lambda name, share: None,
) -> Iterator[DemoClip]:
    """`CLIPS` new clips of `CLIP_BARS` bars, then a continuation of `CONTINUATION_BARS` bars."""
    for number, model in enumerate(_models(learned, np.random.default_rng(seed)), 1):
        name, rng = f"clip-{number}", np.random.default_rng([seed, number])
        heard = _heard_before(model, rng)
        key = key_of(heard if len(heard.keys) else model)
        canvas = replace(continuation_canvas(heard, CLIP_BARS), constraints=manners(model, key))
        song, rank = _best(with_kit(bundle, model), canvas, real, sampling, rng, candidates, key, partial(tell, name))
        song = song.slice(canvas.open_from, song.length).replace(markers=(), title="")
        note = (
            f"Asked for {CLIP_BARS} bars of {song.meter} in {_short(key)} at {song.bpm:.0f} BPM. It heard {HEARD_BARS} "
            f"bars of {model.title or 'a song'} first, which are not in the clip, and was held to that song's key and "
            "ranges."
        )
        settings = _settings(seed, number, candidates, rank, key, sampling, song) | {"after": model.title}
        yield DemoClip(name, f"New: {_tempo_word(song.bpm)} in {_short(key)}", note, song, settings)
    yield _continuation(
        bundle,
        [*held_out, *learned][: len(held_out) or 1],
        bool(held_out),
        real,
        sampling,
        seed,
        candidates,
        partial(tell, "continuation"),
    )


def _continuation(
    bundle: Bundle, songs: Sequence[Song], is_unheard: bool, real: RealMusic, sampling: Sampling, seed: int,
    candidates: int, tell: Callable[[float], None],
) -> DemoClip:  # fmt: skip
    rng = np.random.default_rng([seed, CLIPS + 1])
    source = min(songs, key=lambda song: (_is_hard(song), -min(len(pitched_notes(song.notes, song.parts)), 1000)))
    primer = primer_of(source)
    key = key_of(primer if len(primer.keys) else source)
    canvas = replace(continuation_canvas(primer, CONTINUATION_BARS), constraints=manners(source, key))
    song, rank = _best(with_kit(bundle, source), canvas, real, sampling, rng, candidates, key, tell)
    song = song.replace(markers=(*song.markers, Marker(canvas.open_from, MARK)))
    heard = "which it never heard before" if is_unheard else "which it learned from, for there was no other"
    bars = int(np.searchsorted(song.bar_lines(), canvas.open_from))
    note = (
        f"Bars 1-{bars} are real: {source.title or 'a song'}, {heard}. From bar {bars + 1} on the model plays, held to "
        "the song's key and ranges."
    )
    settings = _settings(seed, CLIPS + 1, candidates, rank, key, sampling, song) | {"verb": "demo continue"}
    return DemoClip("continuation", f"Carried on: {source.title or 'a song'}", note, song, settings, canvas.open_from)


def _best(
    bundle: Bundle, canvas: Canvas, real: RealMusic, sampling: Sampling, rng: np.random.Generator, candidates: int,
    key: Key, tell: Callable[[float], None],
) -> tuple[Song, int]:  # fmt: skip
    """The candidate that is least strange, and which it is."""
    songs = fill(bundle, canvas, sampling, rng, count=candidates, on_step=tell)
    scores = [
        real.strangeness(song.slice(canvas.open_from, song.length), key) + faults(song, canvas, bundle.style).total
        for song in songs
    ]
    best = int(np.argmin(np.round(scores, 9)))
    return songs[best], best


def _models(songs: Sequence[Song], rng: np.random.Generator) -> list[Song]:
    """`CLIPS` songs whose line-up, key, meter and tempo are borrowed: as different as they can be had."""
    left = [songs[i] for i in rng.permutation(len(songs))]
    chosen: list[Song] = []

    def fitness(song: Song) -> tuple[int, int]:
        plain = _is_hard(song) + (len(_players(song)) < 2)
        same = [(str(song.meter) == str(other.meter)) + 2 * (key_of(song) == key_of(other)) for other in chosen]
        return plain, max(same, default=0)

    while left and len(chosen) < CLIPS:
        best = min(range(len(left)), key=lambda place: fitness(left[place]))
        chosen.append(left.pop(best))
    return [chosen[number % len(chosen)] for number in range(CLIPS)]


def _heard_before(song: Song, rng: np.random.Generator) -> Song:
    """`HEARD_BARS` bars of a song, taken where all that play in it play, if there is such a place."""
    lines = song.bar_lines()
    bar = np.searchsorted(lines, song.notes["onset"], side="right") - 1
    plays = np.zeros((len(song.parts), len(lines) - 1), bool)
    plays[song.notes["part"], bar] = True
    notes = np.bincount(bar, minlength=len(lines) - 1)
    span = min(HEARD_BARS, len(lines) - 1)
    windows = np.lib.stride_tricks.sliding_window_view(plays, span, axis=1)  # (parts, places, span)
    last = plays[:, span - 1 :].sum(0)
    score = windows.any(2).sum(0) + (last == last.max()) + (notes[span - 1 :] > 0)
    first = int(rng.choice(np.flatnonzero(score == score.max())))
    return song.slice_bars(first, first + span)


def _is_hard(song: Song) -> bool:
    return str(song.meter) in HARD_METERS or not SLOW <= song.bpm <= FAST


def _players(song: Song) -> list[Part]:
    """The parts that play in a quarter of the bars or more."""
    lines = song.bar_lines()
    bars = [
        len(np.unique(np.searchsorted(lines, song.notes["onset"][song.notes["part"] == part], side="right")))
        for part in range(len(song.parts))
    ]
    return [
        part for part, count in zip(song.parts, bars, strict=True) if count >= max(min(len(lines) / 4, max(bars)), 1)
    ]


def manners(song: Song, key: Key) -> Constraints:
    """The key, and for each pitched part the pitches and the number of notes at once that it has in nearly all of
    ``song``: a model that practised for minutes does not know yet that a cello stays below the violins."""
    ranges, polyphony = {}, {}
    for index, part in enumerate(song.parts):
        own = song.notes[song.notes["part"] == index]
        if part.is_drum or not len(own):
            continue
        low, high = np.quantile(own["pitch"], (0.02, 0.98), method="nearest")
        ranges[index] = (int(low), max(int(high), int(low) + 12))
        ends = np.sort(own["onset"].astype(np.int64) + own["duration"])
        order = np.arange(1, len(own) + 1)
        at_once = order - np.searchsorted(ends, own["onset"], side="right")
        polyphony[index] = max(int(np.quantile(at_once, 0.9)), 1)
    return Constraints(key, ranges, polyphony)


def with_kit(bundle: Bundle, song: Song) -> Bundle:
    """The bundle, knowing only those drums that ``song`` plays more than once in a hundred strokes."""
    drums = np.array([part.is_drum for part in song.parts], bool)
    strokes = np.bincount(song.notes["pitch"][drums[song.notes["part"]]], minlength=128)
    kit = np.flatnonzero(strokes > strokes.sum() / 100).tolist()
    return replace(bundle, style={**bundle.style, "drum_pitches": kit}) if kit else bundle


def key_of(song: Song) -> Key:
    """The key: tonic and mode as written or found, and of the minor scales the one that holds most of the notes."""
    if len(song.keys):
        tonic, is_minor = int(song.keys["tonic"][0]), bool(song.keys["is_minor"][0])
    else:
        found = find_key(song).key
        tonic, is_minor = found.tonic, found.is_minor
    if not is_minor:
        return Key(tonic, "major")
    classes = np.bincount(pitched_notes(song.notes, song.parts)["pitch"] % 12, minlength=12)
    scales = [Key(tonic, scale) for scale in MINOR_SCALES]
    return max(scales, key=lambda key: int(classes[list(key.pitch_classes)].sum()))


def primer_of(song: Song) -> Song:
    """The first bars in which at least two parts (if there are) play, with a note in the last of them."""
    lines = song.bar_lines()
    bar = np.searchsorted(lines, song.notes["onset"], side="right") - 1
    playing = [
        len(np.unique(song.notes["part"][bar == number])) for number in range(min(len(lines) - 1, SEARCHED_BARS))
    ]
    first = next((number for number, parts in enumerate(playing) if parts >= min(2, max(playing))), 0)
    four_seconds = float(np.diff(song.seconds(lines[[first, min(first + 4, len(lines) - 1)]]))[0])
    wanted = 4 if four_seconds >= PRIMER_SECONDS else 8
    last = min(first + wanted, len(lines) - 1)
    last = int(bar[(bar >= first) & (bar < last)].max(initial=first)) + 1
    return song.slice_bars(first, last)


def _tempo_word(bpm: float) -> str:
    return "slow" if bpm < 90 else "moderate" if bpm < 115 else "lively" if bpm < 150 else "fast"


def _short(key: Key) -> str:
    """Without the kind of minor scale."""
    return f"{PITCH_NAMES[key.tonic]} {'minor' if key.is_minor else 'major'}"


def _settings(
    seed: int, number: int, candidates: int, kept: int, key: Key, sampling: Sampling, song: Song
) -> dict[str, object]:
    return {
        "verb": "demo", "seed": seed, "number": number, "candidates": candidates, "kept": kept, "key": str(key),
        "meter": str(song.meter), "bpm": song.bpm, "sampling": asdict(sampling),
    }  # fmt: skip

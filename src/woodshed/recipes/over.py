"""A solo over a backing track: moved into its key, on its bars and at its tempo, in one file with it.

The solo keeps the beat on which the passage that it goes on from stopped. What was learned in seconds is counted in
beats of that passage's tempo and moved to the nearest sixteenth, so that it follows the backing however its tempo
changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import EVENTS, NOTES, WINDOWS, Bundle, event_model, kind_of, window_model
from woodshed.codecs.melody import FIRST_PITCH, MelodyCodec
from woodshed.codecs.pitch_step_duration import PitchStepDurationCodec
from woodshed.errors import BundleError, InfeasibleCanvas, OutOfRange, UsageError
from woodshed.generation.beam import Beam
from woodshed.generation.canvas import Canvas, melody_program, until
from woodshed.generation.events import Line, play_events
from woodshed.generation.filters import Sampling
from woodshed.generation.openings import whole_bars
from woodshed.generation.windows import MODES, check_mode
from woodshed.music import TEMPO, TICKS_PER_QUARTER, Key, Marker, Part, Song
from woodshed.music.general_midi import family
from woodshed.music.key_finding import find_key
from woodshed.music.melodies import STEP_TICKS, into_range
from woodshed.recipes.band_solo import BASS, LEAD, play_band_solo
from woodshed.recipes.clip import Clip, key_name, make_clips
from woodshed.recipes.files import Told
from woodshed.recipes.lines import to_key
from woodshed.recipes.rules import refuse_rules
from woodshed.recipes.solos import Passage, passage_of, passages_in, play_request, refuse_beam
from woodshed.recipes.wish import Wish, only_range
from woodshed.words import counted

OUTSIDE = 0.1
"""Odds of what is outside a key that was found: passing notes stay possible. Outside a key that is named nothing is."""
MARK = "solo in {key}; goes on from {what}"


@dataclass(frozen=True)
class Over:
    """Which music is played over, and where."""

    backing: Song
    name: str = "the backing"
    """What to call it in messages."""
    at_bar: int = 1
    """The bar, counted from 1, in which the solo begins."""
    bars: int | None = None
    """How long it is; None: until the backing ends."""

    def span(self) -> tuple[int, int, int]:
        """The ticks between which the solo plays, and in how many bars. Where the backing is silent it is not.

        Raises:
            InfeasibleCanvas: if the backing has no note.
            OutOfRange: for bars that it does not have.
        """
        if not len(self.backing):
            raise InfeasibleCanvas(f"{self.name} has no notes to play over; leave out --over, or give other music")
        end = int(self.backing.ends.max())
        heard = self.backing.replace(length=end)
        lines, last = heard.bar_lines(), whole_bars(heard)
        if not 1 <= self.at_bar <= last:
            raise OutOfRange(f"bar {self.at_bar} is outside 1-{last} of {self.name}; begin at one of these bars")
        first, left = self.at_bar - 1, last - self.at_bar + 1
        if self.bars is not None and not 1 <= self.bars <= left:
            raise OutOfRange(
                f"bars {self.bars}: from bar {self.at_bar} to its end {self.name} has 1-{left}; leave --bars out to "
                "play until it ends"
            )
        bars = left if self.bars is None else self.bars
        return int(lines[first]), min(int(lines[first + bars]), end), bars


@dataclass(frozen=True)
class _Place:
    """Where a solo goes, and what it may be."""

    frame: Song
    """The solo's part alone, with tempo, meter and key of the backing, as long as the solo lasts."""
    start: int
    """Tick."""
    key: Key
    asked: bool
    """Whether the user named the key: then no note may be outside it."""
    register: tuple[int, int]
    """Lowest and highest pitch."""

    @property
    def classes(self) -> set[int]:
        """Pitch classes that may sound."""
        low, high = self.register
        inside = {pitch % 12 for pitch in range(low, high + 1)}
        return inside & set(self.key.pitch_classes) if self.asked else inside

    @property
    def canvas(self) -> Canvas:
        """The same as a canvas, for those who judge an answer."""
        return Canvas(self.frame, self.start, (0,))

    def put(self, played: NDArray[Any]) -> Song:
        """The solo: notes that begin at tick 0, in the right key, where they belong and in the register."""
        notes = played.copy()
        pitch, (low, high) = notes["pitch"].astype(np.int64), self.register
        notes["pitch"] = into_range(pitch + 12 * _octaves(pitch, low, high), low, high + 1)
        notes["part"], notes["onset"] = 0, notes["onset"] + self.start
        notes = notes[notes["onset"] < self.frame.length]
        notes["duration"] = np.minimum(notes["duration"], self.frame.length - notes["onset"])
        return self.frame.with_notes(_once(notes))


@dataclass(frozen=True)
class _Request:
    """A solo that goes on from a passage."""

    codec: Any
    place: _Place
    source: Passage
    found: Key
    """In which key the passage is."""
    move: int
    """Semitones from there to the key of the backing."""
    phase: int
    """Ticks after a beat at which the passage stops."""
    odds: NDArray[np.float64]
    events: None = None

    @property
    def passage(self) -> NDArray[Any]:
        """What the model reads first."""
        return self.source.events

    @property
    def ticks(self) -> int:
        """How long the solo is to be."""
        return self.place.frame.length - self.place.start

    def ticks_of(self, events: NDArray[Any]) -> int:
        """How long they last."""
        notes = self._notes(events)
        return int((notes["onset"] + notes["duration"]).max(initial=0))

    def answer(self, events: NDArray[Any]) -> Song:
        """The solo."""
        return self.place.put(self._notes(events))

    def _notes(self, events: NDArray[Any]) -> NDArray[Any]:
        notes = _at_tempo(self.codec, events, self.source.bpm).notes.copy()
        notes["onset"] += self.phase
        if isinstance(self.codec, PitchStepDurationCodec):
            notes["onset"] = (notes["onset"] + STEP_TICKS // 2) // STEP_TICKS * STEP_TICKS
        notes["pitch"] += self.move
        return notes


def play_over(
    bundle: Bundle,
    over: Over,
    wish: Wish,
    sampling: Sampling,
    primer: Song | None = None,
    *,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None = None,
) -> list[Clip]:
    """The backing, note for note, with a new part that plays a solo over it.

    The solo is in ``wish.key``, which none of its notes then leaves, or else in the key that is found in the backing,
    which few do. It goes on from the ``primer``, else from one of the bundle's passages; melody recipes begin from
    nothing.

    Raises:
        BundleError: for a recipe that plays no solos.
        InfeasibleCanvas: for a backing without notes, or a key and range that leave nothing.
        OutOfRange, UnknownName, UsageError: for wishes that cannot be fulfilled.
    """
    if kind_of(bundle) == NOTES:
        _check_frame(wish)
        if primer is not None or wish.mode is not None or wish.beam != Beam():
            raise UsageError("a band's solo begins from the backing; leave out --primer, --mode, --beam")
        _, _, bars = over.span()
        span = over.at_bar, over.at_bar + bars - 1
        return play_band_solo(
            bundle, over.backing, over.name, span, wish, sampling,
            seed=seed, count=count, candidates=candidates, on_step=on_step,
        )  # fmt: skip
    prepare = {WINDOWS: _window_solos, EVENTS: _line_solos}.get(kind_of(bundle))
    if prepare is None or (kind_of(bundle) == EVENTS and not isinstance(bundle.codec, MelodyCodec)):
        raise BundleError(
            f"{bundle.folder or 'the bundle'} (recipe {bundle.recipe}) plays no solo over a backing; recipes that do: "
            "band, shred, deeprock, pitch-step-duration, markov and those that end in -rnn"
        )
    _check(wish)
    refuse_rules(wish.rules, bundle.recipe)
    place, bars = _place(bundle, over, wish)
    draw = prepare(bundle, over, place, wish, sampling, primer)
    drawn: list[dict[str, Any]] = []

    def answer(rng: np.random.Generator, tell: Told | None) -> tuple[Sequence[Song], Canvas]:
        solos, facts = draw(rng, candidates, tell)
        drawn.append(facts)
        return solos, place.canvas

    clips = make_clips(
        "generate", bundle, replace(wish, bars=bars), sampling, answer, seed=seed, count=count, candidates=candidates,
        on_step=on_step,
    )  # fmt: skip
    return [_laid_over(over, place, clip, facts) for clip, facts in zip(clips, drawn, strict=True)]


_Draw = Callable[[np.random.Generator, int, Told | None], tuple[list[Song], dict[str, Any]]]
"""Given chance, how many and whom to tell: solos, and what there is to say of them."""


def _check_frame(wish: Wish) -> None:
    own = {"--tempo": wish.bpm, "--meter": wish.meter}
    if named := [name for name, value in own.items() if value is not None]:
        raise UsageError(f"a solo keeps to the backing's own tempo and meter; leave out {' and '.join(named)}")
    if wish.parts is not None and (len(wish.parts) != 1 or wish.parts[0].is_drum):
        raise UsageError("a solo is one pitched part; name one with --parts, or leave that out")


def _check(wish: Wish) -> None:
    _check_frame(wish)
    if wish.steps is not None or wish.polyphony is not None:
        raise UsageError("--steps and --polyphony do not go with --over; --bars says how long the solo is")
    others = {
        "--chords": wish.chords, "--chords-from": wish.sheet, "--binarise": wish.binariser,
        "--threshold": wish.threshold, "--parallels": wish.parallels,
    }  # fmt: skip
    if named := [name for name, value in others.items() if value is not None]:
        raise UsageError(f"{' and '.join(named)} and --over do not go together; leave one of them out")


def _place(bundle: Bundle, over: Over, wish: Wish) -> tuple[_Place, int]:
    start, end, bars = over.span()
    backing = over.backing
    drums = np.array([part.is_drum for part in backing.parts], bool)
    if wish.key is None and drums[backing.notes["part"]].all():
        raise UsageError(f"{over.name} has only drums, so no key is found in it; name one, such as --key 'F minor'")
    part = wish.parts[0] if wish.parts else Part("Solo", min(melody_program(bundle), 127))
    register = only_range(wish, "solo", part) or (BASS if family(part.program) == "bass" else LEAD)
    none = {name: getattr(backing, name)[:0] for name in ("notes", "controls", "bends", "chords")}
    frame = until(backing.replace(parts=(part,), markers=(), **none), end)
    key = wish.key or find_key(backing).key
    place = _Place(frame, start, key, wish.key is not None, register)
    if not place.classes:
        raise InfeasibleCanvas(f"no note of {key} lies in {register[0]}-{register[1]}; widen the range")
    return place, bars


def _window_solos(
    bundle: Bundle, over: Over, place: _Place, wish: Wish, sampling: Sampling, primer: Song | None
) -> _Draw:
    """Solos that go on from a passage."""
    refuse_beam(bundle, wish)
    check_mode(bundle, wish.mode or MODES[0])
    _, codec = window_model(bundle)
    passages = passages_in(bundle) if primer is None else [passage_of(bundle, primer)]
    requests = [_request(codec, place, passage) for passage in passages]

    def draw(rng: np.random.Generator, count: int, tell: Told | None) -> tuple[list[Song], dict[str, Any]]:
        request = requests[int(rng.integers(len(requests)))]
        solos = [
            request.answer(events) for events in play_request(bundle, request, sampling, rng, count, tell, wish.mode)
        ]
        what = f"a passage of {request.source.title}" if primer is None else request.source.title or "the primer"
        return solos, {"from": what, "from_key": str(request.found), "semitones": request.move}

    return draw


def _request(codec: Any, place: _Place, passage: Passage) -> _Request:
    heard = _at_tempo(codec, passage.events, passage.bpm)
    found = find_key(heard).key
    move = semitones(found, place.key)
    seconds = isinstance(codec, PitchStepDurationCodec)
    stops = int(heard.notes["onset"].max(initial=0)) if seconds else heard.length
    sounds = [{(pitch + move) % 12 for pitch in chord} for chord in codec.pitches()]
    playable = np.array([sound <= place.classes for sound in sounds], bool)
    odds = np.where([sound <= set(place.key.pitch_classes) for sound in sounds], 1.0, OUTSIDE) * playable
    if not any(sound and fits for sound, fits in zip(sounds, playable, strict=True)):
        low, high = place.register
        raise InfeasibleCanvas(f"{place.key} and {low}-{high} leave nothing of what this bundle plays; widen them")
    return _Request(codec, place, passage, found, move, stops % TICKS_PER_QUARTER, odds)


def _at_tempo(codec: Any, events: NDArray[Any], bpm: float) -> Song:
    song: Song = codec.decode(events, Song(parts=(Part(),), tempos=np.array([(0, bpm)], TEMPO)))
    return song


def _line_solos(
    bundle: Bundle, over: Over, place: _Place, wish: Wish, sampling: Sampling, primer: Song | None
) -> _Draw:
    """Melodies; those of a recipe that knows its key are moved, the others keep to the key."""
    if wish.mode is not None:
        raise UsageError(f"--mode is for deeprock and pitch-step-duration, not for {bundle.recipe}; leave it out")
    if primer is not None:
        raise UsageError(f"--primer and --over do not go together for {bundle.recipe}; leave one of them out")
    codec: MelodyCodec
    _, codec = event_model(bundle)  # type: ignore[assignment]
    move = to_key(place.key) if codec.transpose else 0
    pitch = np.arange(codec.events - FIRST_PITCH) + codec.low + move
    strict = place if codec.transpose else replace(place, asked=True)
    inside = (pitch >= 0) & (pitch <= 127) & np.isin(pitch % 12, list(strict.classes))
    steps_per_bar = codec.steps_per_bar(over.backing.slice(place.start, place.frame.length))
    steps = -(-(place.frame.length - place.start) // STEP_TICKS)
    playable = np.concatenate((np.ones(FIRST_PITCH, bool), inside))
    line = Line(np.empty(0, np.int64), steps, steps_per_bar, playable)

    def draw(rng: np.random.Generator, count: int, tell: Told | None) -> tuple[list[Song], dict[str, Any]]:
        found = play_events(bundle, line, sampling, rng, count=count, beam=wish.beam, on_step=tell)
        solos = []
        for events in found:
            notes = codec.decode(events, Song(parts=(Part(),))).notes.copy()
            notes["pitch"] += move
            solos.append(place.put(notes))
        return solos, {"from": "nothing", "semitones": move}

    return draw


def _laid_over(over: Over, place: _Place, clip: Clip, facts: dict[str, Any]) -> Clip:
    """The backing with the solo as its last part."""
    backing, index = over.backing, len(over.backing.parts)
    solo = clip.song.notes.copy()
    solo["part"] = index
    text = MARK.format(key=place.key, what=facts["from"])
    markers = tuple(sorted((*backing.markers, Marker(place.start, text)), key=lambda marker: marker.onset))
    whole = backing.replace(parts=(*backing.parts, place.frame.parts[0]), markers=markers)
    song = whole.with_notes(np.concatenate((backing.notes, solo)))
    told = {"over": over.name, "at_bar": over.at_bar, "key_of_solo": str(place.key), "key_asked": place.asked, **facts}
    remark = f"solo from bar {over.at_bar}, {counted(len(solo), 'note')} in {place.key}{_relation(backing, place)}"
    if facts["semitones"] and "from_key" in facts:
        remark += _moved(Key.parse(facts["from_key"]), facts["semitones"], place.key)
    return replace(
        clip, song=song, settings={**clip.settings, **told}, remark=remark,
        findings={**clip.findings, "solo_notes": len(solo), **told},
    )  # fmt: skip


def _relation(backing: Song, place: _Place) -> str:
    """Where the key of a solo is from; and, if it was asked for, what else the backing is in."""
    if not place.asked:
        return " (found)"
    own = key_name(backing)
    if not own or set(Key.parse(own).pitch_classes) == set(place.key.pitch_classes):
        return ""
    return f" as asked, though the backing {'is' if len(backing.keys) else 'seems to be'} in {own}"


def _moved(source: Key, by: int, target: Key) -> str:
    """How the passage was moved, said so that it can be checked.

    >>> _moved(Key.parse("G major"), 1, Key.parse("F minor"))
    '; its passage, in G major, is moved 1 semitone up to Ab major, which has the same notes'
    """
    reached = source.transpose(by)
    way = f"; its passage, in {source}, is moved {counted(abs(by), 'semitone')} {'up' if by > 0 else 'down'}"
    if str(reached) == str(target):
        return way
    same = set(reached.pitch_classes) == set(target.pitch_classes)
    return f"{way} to {reached}, which has {'the same notes' if same else 'most of these notes'}"


def semitones(source: Key, target: Key) -> int:
    """-6 to 5: by how much to move music in one key so that most of its notes are in the other.

    Of moves that are equally good the one from tonic to tonic, then the shortest.

    >>> semitones(Key.parse("C major"), Key.parse("F minor"))
    -4
    """

    def merit(move: int) -> tuple[int, bool, int]:
        moved = source.transpose(move)
        return len(set(moved.pitch_classes) & set(target.pitch_classes)), moved.tonic == target.tonic, -abs(move)

    return max(range(-6, 6), key=merit)


def _octaves(pitch: NDArray[np.int64], low: int, high: int) -> int:
    """How many octaves up the notes must go so that the fewest lie outside; of equals the least move."""

    def outside(octaves: int) -> tuple[int, int]:
        moved = pitch + 12 * octaves
        return int(((moved < low) | (moved > high)).sum()), abs(octaves)

    return min(range(-10, 11), key=outside)


def _once(notes: NDArray[Any]) -> NDArray[Any]:
    """Notes of one pitch neither twice at one time nor one over the next."""
    notes = notes[np.lexsort((-notes["duration"], notes["onset"], notes["pitch"]))]
    same = notes["pitch"][1:] == notes["pitch"][:-1]
    kept = np.append(True, ~(same & (notes["onset"][1:] == notes["onset"][:-1])))[: len(notes)]
    notes = notes[kept]
    room = np.where(notes["pitch"][1:] == notes["pitch"][:-1], np.diff(notes["onset"]), notes["duration"][:-1])
    notes["duration"][:-1] = np.minimum(notes["duration"][:-1], room)
    return notes

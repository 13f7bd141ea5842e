"""Play a bundle that knows one line of events, a melody: from nothing, or on from a primer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, event_model
from woodshed.codecs.melody import FIRST_PITCH, NO_EVENT, MelodyCodec
from woodshed.errors import BundleError, InfeasibleCanvas, OutOfRange, UsageError
from woodshed.generation.canvas import Canvas, check_bars, check_bpm, melody_program, part_of, until
from woodshed.generation.events import Line, play_events
from woodshed.generation.filters import Sampling
from woodshed.generation.stream import last_bar
from woodshed.generation.stream_lines import LineStation, tune_line
from woodshed.music import METER, TEMPO, Key, Meter, Part, Song
from woodshed.music.melodies import STEP_TICKS
from woodshed.music.units import DEFAULT_BPM
from woodshed.recipes.clip import Clip, make_clips, with_key
from woodshed.recipes.files import Told
from woodshed.recipes.wish import Wish, only_range
from woodshed.words import counted

MOST_STEPS = 65_536


@dataclass(frozen=True)
class _Request:
    """What is fixed, what is wanted, and where the new notes go."""

    codec: MelodyCodec
    song: Song
    """As long as it is to become, with the notes that are given."""
    part: int
    """Index of the part that plays on."""
    start: int
    """The tick at which the new events begin."""
    line: Line
    move: int
    """Semitones from the pitches that the model plays to those that are heard."""

    def answer(self, events: NDArray[np.int64]) -> Song:
        """The song with new events (steps,) played."""
        frame = self.song.replace(parts=(self.song.parts[self.part],), notes=self.song.notes[:0])
        new = self.codec.decode(events, frame).notes.copy()
        new["part"] = self.part
        new["onset"] += self.start
        new["pitch"] += self.move
        new["duration"] = np.minimum(new["duration"], self.song.length - new["onset"])
        return self.song.with_notes(np.concatenate((self.song.notes, new)))

    @property
    def canvas(self) -> Canvas:
        """The same as a canvas, for those who judge an answer."""
        return Canvas(self.song, self.start, (self.part,))


def play_line(
    bundle: Bundle,
    wish: Wish,
    sampling: Sampling,
    primer: Song | None,
    *,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None,
) -> list[Clip]:
    """New melodies, or continuations of the melody in ``primer``, which comes back note for note.

    Raises:
        OutOfRange: for numbers outside their range, or a primer longer than the steps asked for.
        UnknownName: for the range of a part that does not play.
        UsageError: for wishes that one line cannot fulfil.
        CodecError: if there is no melody in the primer.
        InfeasibleCanvas: if the key and the range leave nothing to play.
    """
    _, codec = event_model(bundle)
    if not isinstance(codec, MelodyCodec):
        raise BundleError(f"recipe {bundle.recipe} does not play melodies; `woodshed recipes` lists those that do")
    _check(wish)
    request = _blank(bundle, codec, wish) if primer is None else _on_from(codec, primer, wish)

    def answer(rng: np.random.Generator, tell: Told | None) -> tuple[list[Song], Canvas]:
        found = play_events(bundle, request.line, sampling, rng, count=candidates, beam=wish.beam, on_step=tell)
        return [request.answer(events) for events in found], request.canvas

    verb = "generate" if primer is None else "continue"
    clips = make_clips(
        verb, bundle, wish, sampling, answer, seed=seed, count=count, candidates=candidates, on_step=on_step
    )
    return clips if primer is None else [_with_folds(clip, codec, primer) for clip in clips]


def _with_folds(clip: Clip, codec: MelodyCodec, primer: Song) -> Clip:
    """The clip, which says what of its primer the bundle heard in another octave, since it knows no such pitches."""
    folded, move = codec.octaves_moved(primer), -codec.transposition(primer)
    if not folded:
        return replace(clip, remark=_far_off(codec, primer, move))
    heard = f"{codec.low + move}-{codec.high - 1 + move}"
    notes, are = counted(folded, "note"), "is" if folded == 1 else "are"
    remark = f"{notes} of the primer, outside {heard}, {are} heard by the bundle in another octave"
    return replace(clip, findings={**clip.findings, "primer_notes_in_another_octave": folded}, remark=remark)


def _far_off(codec: MelodyCodec, primer: Song, move: int) -> str:
    """What to say of a primer that lies where the bundle knows no pitches, and is heard elsewhere as a whole."""
    pitch = codec.arrange(primer).notes["pitch"] + move
    octaves = round(abs(move) / 12)
    if not octaves or (pitch.min() >= codec.low and pitch.max() < codec.high):
        return ""
    return (
        f"the primer's pitches, {pitch.min()}-{pitch.max()}, are not all among the {codec.low}-{codec.high - 1} that "
        f"this bundle knows: it reads them about {counted(octaves, 'octave')} {'lower' if move > 0 else 'higher'}, and "
        "plays on where the primer lies"
    )


def _check(wish: Wish) -> None:
    check_bars(wish.bars)
    if wish.bpm is not None:
        check_bpm(wish.bpm)
    if wish.steps is not None and not 1 <= wish.steps <= MOST_STEPS:
        raise OutOfRange(f"steps {wish.steps} is outside 1-{MOST_STEPS}; 128 are eight bars of 4/4")
    if wish.parts is not None and (len(wish.parts) != 1 or wish.parts[0].is_drum):
        raise UsageError("this bundle plays one pitched part; name one with --parts, or leave that out")
    if wish.polyphony is not None:
        raise UsageError("a melody has one note at a time, so --polyphony changes nothing; leave it out")


def _blank(bundle: Bundle, codec: MelodyCodec, wish: Wish) -> _Request:
    """Everything is open. Played in the bundle's usual tempo and meter where nothing else is asked for."""
    usual = next(iter(bundle.style.get("meters", {})), "4/4")
    meter = wish.meter or Meter.parse(usual)
    part = wish.parts[0] if wish.parts else part_of(melody_program(bundle))
    frame = Song(
        parts=(part,),
        tempos=np.array([(0, float(wish.bpm or bundle.style.get("bpm", DEFAULT_BPM)))], TEMPO),
        meters=np.array([(0, meter.numerator, meter.denominator)], METER),
        length=meter.bar_ticks,
    )
    steps_per_bar = codec.steps_per_bar(frame)
    steps = wish.steps if wish.steps is not None else wish.bars * steps_per_bar
    move = to_key(wish.key) if codec.transpose else 0
    song = with_key(frame.replace(length=-(-steps // steps_per_bar) * meter.bar_ticks), wish.key)
    line = Line(np.empty(0, np.int64), steps, steps_per_bar, _playable(codec, wish, part, move))
    return _Request(codec, song, 0, 0, line, move)


def _on_from(codec: MelodyCodec, primer: Song, wish: Wish) -> _Request:
    """The primer is fixed; its melody goes on where a typed one ends, else at the bar line after the last onset."""
    heard = codec.arrange(primer)
    events, steps_per_bar = codec.encode(heard), codec.steps_per_bar(heard)
    lines = primer.bar_lines()
    last_bar = int(np.searchsorted(lines, primer.notes["onset"].max(), side="right"))
    start = int(lines[last_bar])
    if wish.primer_steps is not None:
        events, start = events[: wish.primer_steps], wish.primer_steps * STEP_TICKS
    else:
        events = np.append(events, np.full(-len(events) % steps_per_bar, NO_EVENT))
    given = len(events)
    steps = wish.bars * steps_per_bar if wish.steps is None else wish.steps - given
    if steps < 1:
        raise OutOfRange(
            f"a primer of {given} steps is as long as the {wish.steps} asked for, or longer; ask for more than {given}"
        )
    move = -codec.transposition(primer)
    bar = steps_per_bar * STEP_TICKS
    end = start + steps * STEP_TICKS
    song = until(primer, int(lines[last_bar]) + max(-(-(end - int(lines[last_bar])) // bar), 0) * bar)
    parts = [index for index, part in enumerate(primer.parts) if part == heard.parts[0]]
    line = Line(events, steps, steps_per_bar, _playable(codec, wish, heard.parts[0], move))
    return _Request(codec, song, parts[0] if parts else 0, start, line, move)


def to_key(key: Key | None) -> int:
    """Semitones, -6 to 5, from C major or A minor to the key."""
    if key is None:
        return 0
    minor = len({3, 4} & {(pitch - key.tonic) % 12 for pitch in key.pitch_classes}) == 1 and (
        (key.tonic + 3) % 12 in key.pitch_classes
    )
    return (key.tonic - (9 if minor else 0) + 6) % 12 - 6


def _playable(codec: MelodyCodec, wish: Wish, part: Part, move: int) -> NDArray[np.bool_] | None:
    """(events,) what MIDI, the key and the range leave; None if that is all."""
    pitch = np.arange(codec.events - FIRST_PITCH) + codec.low + move
    mask = (pitch >= 0) & (pitch <= 127)
    if wish.key is not None:
        mask &= np.isin(pitch % 12, wish.key.pitch_classes)
    low, high = only_range(wish, "melody", part) or (0, 127)
    mask &= (pitch >= low) & (pitch <= high)
    if not mask.any():
        heard = f"{codec.low + move}-{codec.high - 1 + move}"
        raise InfeasibleCanvas(
            f"the key and the range leave no pitch of those that this bundle plays ({heard}); widen them"
        )
    if mask.all():
        return None
    return np.concatenate((np.ones(FIRST_PITCH, bool), mask))


def line_station(bundle: Bundle, wish: Wish, primer: Song | None) -> LineStation:
    """A melody without end: from nothing, or on from the melody in ``primer``, which is not played.

    Raises:
        As `play_line`.
    """
    _, codec = event_model(bundle)
    if not isinstance(codec, MelodyCodec):
        raise BundleError(f"recipe {bundle.recipe} does not play melodies; `woodshed recipes` lists those that do")
    _check(wish)
    request = _blank(bundle, codec, wish) if primer is None else _on_from(codec, primer, wish)
    events, bar = request.line.primer, request.line.steps_per_bar
    line = replace(request.line, primer=np.append(events, np.full(-len(events) % bar, NO_EVENT)))
    frame = last_bar(request.song, (request.song.parts[request.part],))
    return tune_line(bundle, frame, line, request.move)

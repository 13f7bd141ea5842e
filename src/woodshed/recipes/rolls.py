"""Play a bundle that knows binary rolls: a melody over chords, or the tracks of a band."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, roll_model
from woodshed.codecs.chord_roll import PITCHES, ChordRollCodec, with_chords
from woodshed.errors import InfeasibleCanvas, OutOfRange, UsageError
from woodshed.generation.beam import Beam
from woodshed.generation.binarise import check_binariser
from woodshed.generation.canvas import Canvas, check_bars, check_bpm, melody_program, part_of
from woodshed.generation.filters import Sampling
from woodshed.generation.rolls import MELODY_BINARISERS, Binariser, play_over_chords
from woodshed.music import METER, NOTE, TEMPO, Key, Meter, Part, Song
from woodshed.music.chord_sheet import chord_rows, chord_text, chord_tones, parse_chords
from woodshed.music.key_finding import find_key
from woodshed.music.melodies import sections
from woodshed.music.units import DEFAULT_BPM
from woodshed.recipes.clip import Clip, make_clips, with_key
from woodshed.recipes.files import Told
from woodshed.recipes.lines import to_key
from woodshed.recipes.wish import Wish, only_range

CHORDS_PART = Part("Chords", 0, role="keys")
CHORDS_OCTAVE = 48
"""Chords are played within the octave from C3 on: one octave, below the melody's two."""
CHORDS_VELOCITY = 64
TOLD_BARS = 8
"""Of so many bars the chords are told to people; all are in the settings."""
DRAWN = " (chords of a learned song, drawn since none are named; name yours with --chords 'Am F C G')"
USUAL_PROGRESSION = "C | Am | F | G"


@dataclass(frozen=True)
class _Request:
    """What is played over, and how an answer becomes a song."""

    codec: ChordRollCodec
    frame: Song
    """One part without notes; its chords are those that sound."""
    key: Key
    playable: NDArray[np.bool_] | None

    @property
    def move(self) -> int:
        """Semitones from the pitches that the model plays to those that are heard."""
        return to_key(self.key)

    @property
    def given(self) -> NDArray[np.bool_]:
        """What the model is given beside each row."""
        return self.codec.known(self.frame.transpose(-self.move))

    def answer(self, roll: NDArray[np.bool_]) -> Song:
        """The frame with the melody."""
        played = self.codec.decode(roll, self.frame).notes.copy()
        played["pitch"] += self.move
        played["duration"] = np.minimum(played["duration"], self.frame.length - played["onset"])
        return self.frame.with_notes(played)

    def remark(self, binariser: Binariser, chosen: bool) -> str:
        """What is said of it beside the usual; ``chosen`` if nobody asked for these chords."""
        lines = self.frame.bar_lines()
        more = (" ..." if len(lines) > TOLD_BARS + 1 else "") + (DRAWN if chosen else "")
        return f"over {chord_text(self.frame.chords, lines[: TOLD_BARS + 1])}{more}; {binariser.name}"


def play_rolls(
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
    """New clips of a bundle of rolls, or continuations of ``primer`` where it can.

    Raises:
        As `play_over` and `woodshed.recipes.tracks.play_band`.
    """
    if isinstance(bundle.codec, ChordRollCodec):
        return play_over(bundle, wish, sampling, seed=seed, count=count, candidates=candidates, on_step=on_step)
    from woodshed.recipes.tracks import play_band

    return play_band(bundle, wish, sampling, primer, seed=seed, count=count, candidates=candidates, on_step=on_step)


def play_over(
    bundle: Bundle, wish: Wish, sampling: Sampling, *, seed: int, count: int, candidates: int, on_step: Told | None
) -> list[Clip]:
    """New melodies over the chords of the wish, else over those of learned songs; the chords sound in a second part.

    Raises:
        OutOfRange: for numbers outside their range.
        UnknownName: for a binariser that there is not, or the range of a part that does not play.
        UsageError: for wishes that a melody cannot fulfil.
        CodecError: for music to take the chords from that has none.
        InfeasibleCanvas: if the key and the range leave nothing to play.
    """
    binariser = _check(bundle, wish)
    made: list[_Request] = []

    def answer(rng: np.random.Generator, tell: Told | None) -> tuple[list[Song], Canvas]:
        request = _request(bundle, wish, rng)
        made.append(request)
        rolls = play_over_chords(
            bundle, request.given, binariser, sampling, rng, count=candidates, playable=request.playable, on_step=tell
        )
        return [request.answer(roll) for roll in rolls], Canvas(request.frame, 0, (0,))

    clips = make_clips(
        "generate", bundle, wish, sampling, answer, seed=seed, count=count, candidates=candidates, on_step=on_step
    )
    chosen = wish.chords is None and wish.sheet is None
    return [_told(clip, request, binariser, chosen) for clip, request in zip(clips, made, strict=True)]


def _check(bundle: Bundle, wish: Wish) -> Binariser:
    check_bars(wish.bars)
    if wish.bpm is not None:
        check_bpm(wish.bpm)
    if wish.parts is not None and (len(wish.parts) != 1 or wish.parts[0].is_drum):
        raise UsageError("this bundle plays one pitched part over chords; name one with --parts, or leave that out")
    if wish.polyphony is not None:
        raise UsageError("a melody has one note at a time, so --polyphony changes nothing; leave it out")
    if wish.beam != Beam():
        raise UsageError(f"--beam and --branch-factor are for recipes that draw events, not for {bundle.recipe}")
    threshold = bundle.training.get("threshold", 0.5) if wish.threshold is None else wish.threshold
    name = wish.binariser or MELODY_BINARISERS[0]
    check_binariser(name, MELODY_BINARISERS, threshold)
    if wish.threshold is not None and name != "threshold":
        raise UsageError(f"--threshold counts only with --binarise threshold, and here it is {name}")
    return Binariser(name, threshold)


def _request(bundle: Bundle, wish: Wish, rng: np.random.Generator) -> _Request:
    _, codec = roll_model(bundle)
    part = wish.parts[0] if wish.parts else part_of(melody_program(bundle))
    frame = _blank(bundle, codec, wish, rng) if wish.sheet is None else _from_sheet(codec, wish.sheet, wish)
    frame = frame.replace(parts=(part,))
    key = wish.key or _key_of(frame, wish.sheet)
    return _Request(codec, with_key(frame, key), key, _playable(codec, wish, part, to_key(key)))


def _blank(bundle: Bundle, codec: ChordRollCodec, wish: Wish, rng: np.random.Generator) -> Song:
    """Bars of the chords that are typed; else of a learned song, moved to the key that is wished."""
    meter = wish.meter or Meter.parse(next(iter(bundle.style.get("meters", {})), "4/4"))
    bars = wish.chords
    if bars is None:
        known = [text for text in bundle.training.get("progressions", ()) if isinstance(text, str)]
        bars = parse_chords(known[int(rng.integers(len(known)))] if known else USUAL_PROGRESSION)
    steps = wish.steps
    length = wish.bars * meter.bar_ticks if steps is None else -(-steps * 120 // meter.bar_ticks) * meter.bar_ticks
    frame = Song(
        parts=(CHORDS_PART,),
        tempos=np.array([(0, float(wish.bpm or bundle.style.get("bpm", DEFAULT_BPM)))], TEMPO),
        meters=np.array([(0, meter.numerator, meter.denominator)], METER),
        chords=chord_rows(bars, length // meter.bar_ticks, meter.bar_ticks),
        length=length,
    )
    codec.steps_per_bar(frame)
    return frame.transpose(to_key(wish.key)) if wish.chords is None else frame


def _from_sheet(codec: ChordRollCodec, sheet: Song, wish: Wish) -> Song:
    """The first bars of a lead sheet or of a song in which chords are found, with its own tempo and meter."""
    if named := [name for name, value in (("tempo", wish.bpm), ("meter", wish.meter)) if value is not None]:
        raise UsageError(f"the music that the chords are from keeps its own {' and '.join(named)}; leave that out")
    if wish.steps is not None:
        raise UsageError("--steps is for typed chords; of music that the chords are from, say --bars")
    if wish.bars > sheet.bars:
        raise OutOfRange(f"--bars {wish.bars}: {sheet.title or 'the music'} has {sheet.bars} bars; ask for no more")
    harmonised = with_chords(sheet)
    frame = harmonised.slice_bars(0, wish.bars)
    starts, _ = sections(frame)
    if len(starts) > 1 and starts[1] < frame.length:
        bar = int(np.searchsorted(frame.bar_lines(), starts[1]))
        raise UsageError(f"{sheet.title or 'the music'} changes its meter after bar {bar}; --bars {bar} plays to there")
    codec.steps_per_bar(frame)
    empty = frame.replace(notes=frame.notes[:0], controls=frame.controls[:0], bends=frame.bends[:0])
    return empty.replace(keys=frame.keys[:1])


def _key_of(frame: Song, sheet: Song | None) -> Key:
    """The key that is written, else the one that the music, or else its chords, suggest."""
    if len(frame.keys):
        return Key(int(frame.keys["tonic"][0]), "minor" if frame.keys["is_minor"][0] else "major")
    heard = sheet if sheet is not None and len(sheet) else frame.replace(parts=(CHORDS_PART,)).with_notes(_block(frame))
    return find_key(heard).key


def _playable(codec: ChordRollCodec, wish: Wish, part: Part, move: int) -> NDArray[np.bool_] | None:
    """(25,) what the key and the range leave; None if nothing is asked for."""
    pitch = np.arange(PITCHES) + codec.low + move
    mask = (pitch >= 0) & (pitch <= 127)
    if wish.key is not None:
        mask &= np.isin(pitch % 12, wish.key.pitch_classes)
    low, high = only_range(wish, "melody", part) or (0, 127)
    mask &= (pitch >= low) & (pitch <= high)
    if not mask.any():
        raise InfeasibleCanvas(
            f"the key and the range leave no pitch of those that this bundle plays here ({pitch[0]}-{pitch[-1]}); "
            "widen them"
        )
    return None if mask.all() else np.append(mask, True)


def _block(song: Song, part: int = 0) -> NDArray[Any]:
    """Notes of the song's chords, each held until the next one and struck again at bar lines."""
    chords, lines = song.chords, song.bar_lines()
    onsets = np.union1d(chords["onset"], lines[:-1][lines[:-1] >= chords["onset"][:1].min(initial=song.length)])
    onsets = onsets[onsets < song.length].astype(np.int64)
    tones = chord_tones(chords[np.searchsorted(chords["onset"], onsets, side="right") - 1])
    moment, tone = np.nonzero(tones)
    notes = np.zeros(len(tone), NOTE)
    notes["part"], notes["onset"], notes["pitch"] = part, onsets[moment], CHORDS_OCTAVE + tone
    notes["duration"] = np.diff(np.append(onsets, song.length))[moment]
    notes["velocity"] = CHORDS_VELOCITY
    return notes


def _told(clip: Clip, request: _Request, binariser: Binariser, chosen: bool) -> Clip:
    """The clip with the chords as a part of their own, and with what was played over."""
    song = clip.song.replace(parts=(*clip.song.parts, CHORDS_PART))
    song = song.with_notes(np.concatenate((song.notes, _block(song, 1))))
    chords = chord_text(request.frame.chords, request.frame.bar_lines())
    settings = {**clip.settings, "chords": chords, "binariser": binariser.name}
    if binariser.name == "threshold":
        settings["threshold"] = binariser.threshold
    return replace(
        clip, song=song, settings=settings, findings={"chords": chords, "binariser": binariser.name},
        remark=request.remark(binariser, chosen),
    )  # fmt: skip

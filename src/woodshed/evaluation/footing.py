"""What the nats of a codec are nats of, and which two bundles can be compared by them.

Nats are comparable where they are the price of the same thing: every note, to the same precision, with the same told
for nothing. A codec that is lossless on a grid prices the notes of a song on that grid; one that forgets durations
prices less, and is cheaper for it without knowing more.

=================== ============================= ===== ========================================================
codec               prices                        grid  comparable with
=================== ============================= ===== ========================================================
note-step           every note, all fields        12    note-step; melody and chorale on the pieces that these hear
melody              one melody's notes            4     melody in its range and key; note-step
chorale             four voices' notes            4     chorale; note-step
pitch-names         names of events in a part     none  the same vocabulary only: lengths or octaves are lost
pitch-step-duration pitches of a part             none  pitch-step-duration only: when and how long is not priced
chord-roll          cells of a melody, given its  4     chord-roll only: the chords are told, and a stroke is priced
                    chords                              twice
piano-roll          cells of merged tracks        24    the same tracks only: who plays how much is told
clip-...            clips that overlap            4, 24 the same codec only: nats are an upper bound
=================== ============================= ===== ========================================================

The grid is in steps per quarter note. Where a finer grid meets a coarser one, both price the same notes: the finer one
also pays for having known that nothing stands between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from woodshed.bundle import Bundle

NOTES_OF_A_LINE = ("time_shift", "part", "pitch", "duration")
"""Fields of note-step rows that a melody or a choir has too."""
_NOT_PRICED = ("lookback", "key", "mean", "deviation", "version")
"""Entries of a codec's config that change what a model sees or how it names things, not what is priced."""


@dataclass(frozen=True)
class Footing:
    """What one codec prices."""

    prices: str
    steps_per_quarter: int
    """0: no grid that all notes are on."""
    loses: str
    """What of a song it does not price, since it does not know it."""
    told: str
    """What a model is told for nothing; empty if nothing."""
    is_exact: bool = True
    """Whether nats are the likelihood itself, not an upper bound."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))

    def __str__(self) -> str:
        grid = f"on {self.steps_per_quarter} steps per quarter note" if self.steps_per_quarter else "on no grid"
        told = f"; told for nothing: {self.told}" if self.told else ""
        bound = "" if self.is_exact else "; an upper bound"
        return f"nats price {self.prices}, {grid}; lost: {self.loses}{told}{bound}"


@dataclass(frozen=True)
class Ground:
    """On what two bundles can be compared."""

    refusal: str = ""
    """Why they cannot; empty if they can."""
    pieces_of: int = 0
    """Whose codec says what the pieces are: 0 the first's, 1 the second's."""
    only: tuple[str, ...] = ()
    """Fields of bundles of notes that count; empty for all."""
    sentence: str = ""
    """What was left out for it; empty if nothing."""


def footing_of(bundle: Bundle) -> Footing:
    """What the bundle's nats are nats of."""
    codec = bundle.codec
    if codec.name in _FOOTINGS:
        return _FOOTINGS[codec.name](codec)
    steps = int(getattr(codec, "steps_per_quarter", 0) or 0)
    return Footing(f"what the codec {codec.name} writes", steps, "what it does not write", "")


def common_ground(first: Bundle, second: Bundle) -> Ground:
    """Whether the nats of two bundles can be set side by side, and of what."""
    if _priced(first.codec) == _priced(second.codec):
        bound = "" if footing_of(first).is_exact else "both figures are upper bounds"
        return Ground(sentence=bound)
    if first.codec.name == second.codec.name == "melody":
        return _two_melodies(first.codec, second.codec)
    names = {first.codec.name, second.codec.name}
    if names in ({"note-step", "melody"}, {"note-step", "chorale"}):
        narrow = 0 if second.codec.name == "note-step" else 1
        return Ground(pieces_of=narrow, only=NOTES_OF_A_LINE, sentence=_SHARED[(first, second)[narrow].codec.name])
    return Ground(refusal=_refusal(first, second))


def _priced(codec: Any) -> dict[str, Any]:
    return {name: value for name, value in codec.config().items() if name not in _NOT_PRICED}


def _two_melodies(first: Any, second: Any) -> Ground:
    """Of two ranges the narrower one's pieces lie in the wider one too."""
    for narrow, (inner, outer) in enumerate(((first, second), (second, first))):
        if outer.low <= inner.low and inner.high <= outer.high and not outer.transpose:
            keys = ", in C major or A minor, which only one of the two takes for granted" if inner.transpose else ""
            pieces = f"pitches {inner.low}-{inner.high - 1}{keys}"
            return Ground(pieces_of=narrow, sentence=f"melodies are taken as the narrower codec hears them: {pieces}")
    return Ground(refusal="their melody codecs have ranges or keys of which neither holds the other's")


_SHARED = {
    "melody": "on the melodies as the melody codec hears them: moved to its key and range, one note at a time; of the "
    "notes' nats velocity, microtiming and the end are left out; one of the two is told the line-up, the other that "
    "there is one line",
    "chorale": "on four voices as the chorale codec hears them, in C major or A minor; of the notes' nats velocity, "
    "microtiming and the end are left out, while the chorale pays for where there is a fermata",
}


def _refusal(first: Bundle, second: Bundle) -> str:
    if first.codec.name == second.codec.name:
        return (
            f"{first.name} and {second.name} cannot be compared by nats: their codecs ({first.codec.name}) know "
            "different vocabularies or tracks, so they do not price the same events; train both on one corpus"
        )
    sides = " ".join(f"Of {side.name} (recipe {side.recipe}) {footing_of(side)}." for side in (first, second))
    return f"{first.name} and {second.name} cannot be compared by nats, which price different things. {sides}"


def _note_step(codec: Any) -> Footing:
    prices = "every note of every part: when, who, pitch, duration, velocity, microtiming; and the end"
    loses = "the shorter of two notes at one place, velocity within 4, what a song holds beside notes"
    return Footing(prices, codec.steps_per_quarter, loses, "the line-up, tempo and meter")


def _melody(codec: Any) -> Footing:
    loses = "all but one melody, velocity, what is finer than a sixteenth"
    key = "C major or A minor; " if codec.transpose else ""
    octaves = "" if (codec.low, codec.high) == (0, 128) else f"; octaves outside {codec.low}-{codec.high - 1}"
    return Footing("the notes and rests of one melody", 4, loses + octaves, f"{key}the meter and how long it lasts")


def _chorale(codec: Any) -> Footing:
    loses = "all but four voices, velocity, what is finer than a sixteenth"
    prices = "the notes and rests of four voices, fermatas and the end"
    return Footing(prices, 4, loses, "C major or A minor; the meter")


def _pitch_names(codec: Any) -> Footing:
    spelled = "octaves of chords, " if codec.chords == "normal" else ""
    timing = "when and how long" if codec.step_quarters is not None else "lengths that were never learned"
    return Footing(
        "the name of each event of one part, of those that it has learned", 0,
        f"{spelled}{timing}, other parts, velocity, events it never learned", "the window before",
    )  # fmt: skip


def _pitch_step_duration(codec: Any) -> Footing:
    loses = "when and how long, other parts, velocity"
    return Footing("the pitch of each note of one part", 0, loses, "the window before")


def _chord_roll(codec: Any) -> Footing:
    prices = "the cells of a melody's roll, a struck note twice"
    told = "the chords, C major or A minor, the meter and how long it lasts"
    return Footing(prices, 4, "velocity, other parts", told)


def _piano_roll(codec: Any) -> Footing:
    prices = f"the cells of {len(codec.names)} merged tracks"
    told = "which tracks play, how much and how high; the meter, and how long it lasts"
    return Footing(prices, 24, "velocity, who of a track plays, drums' durations", told)


def _clips(codec: Any) -> Footing:
    grid = 24 if codec.name == "clip-band" else 4
    loses = "what lies between the clips that it hears" + ("" if grid == 24 else ", velocity")
    return Footing("the tokens of clips that overlap, and their place in its space", grid, loses, "", is_exact=False)


_FOOTINGS: dict[str, Callable[[Any], Footing]] = {
    "note-step": _note_step,
    "melody": _melody,
    "chorale": _chorale,
    "pitch-names": _pitch_names,
    "pitch-step-duration": _pitch_step_duration,
    "chord-roll": _chord_roll,
    "piano-roll": _piano_roll,
    **dict.fromkeys(("clip-melody", "clip-drums", "clip-trio", "clip-band"), _clips),
}

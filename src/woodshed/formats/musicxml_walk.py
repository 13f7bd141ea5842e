"""Walk through the measures of one MusicXML part and write down what happens, measure by measure.

Every event carries the number of its measure (from 0) and its place inside it in ticks; where a measure
begins is known only when all parts have been read, because a measure is as long as its longest part.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element

from woodshed.errors import FormatError
from woodshed.formats.musicxml_words import CHORD_KINDS, DYNAMICS, MINOR_MODES, QUARTERS, STEPS
from woodshed.music.chord import QUALITY_NAMES
from woodshed.music.song import NO_CHORD
from woodshed.music.units import TICKS_PER_QUARTER


class Note(NamedTuple):
    """One note as written; ties are joined later."""

    measure: int
    start: int
    """Ticks after the beginning of the measure."""
    duration: int
    pitch: int
    """Sounding MIDI pitch; for unpitched notes -1."""
    voice: str
    tie: int
    """1 if a tie starts here, 2 if one stops here, 3 for both."""
    velocity: int
    """From the note itself, 0 where only the dynamic marks speak."""
    instrument: str
    """Id of the ``<score-instrument>``, often empty."""
    staff_place: str
    """For unpitched notes where they stand on the staff, such as "C5"."""
    fermata: bool = False
    """Whether it is held at will."""


@dataclass
class PartEvents:
    """What one part holds. All events are (measure, start in ticks, value ...)."""

    notes: list[Note] = field(default_factory=list)
    lengths: list[tuple[int, int]] = field(default_factory=list)
    """Ticks that the notes of each measure reach, and ticks that its notes and rests reach."""
    meters: list[tuple[int, int, int]] = field(default_factory=list)
    """(measure, numerator, denominator)."""
    keys: list[tuple[int, int, int, bool]] = field(default_factory=list)
    """(measure, start, tonic, is minor), as it sounds."""
    tempos: list[tuple[int, int, float]] = field(default_factory=list)
    levels: list[tuple[int, int, int]] = field(default_factory=list)
    """(measure, start, velocity) from the dynamic marks."""
    chords: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    """(measure, start, root, quality, bass)."""
    markers: list[tuple[int, int, str]] = field(default_factory=list)
    pedals: list[tuple[int, int, int]] = field(default_factory=list)
    oddities: Counter[str] = field(default_factory=Counter)
    """What was left aside or guessed, by `Repair` kind."""


def walk_part(measures: Iterable[Element], part_id: str, file_name: str) -> PartEvents:
    """Read all measures of one part.

    Raises:
        FormatError: naming file, part and measure where a number is not one.
    """
    walker = _Walker()
    for number, measure in enumerate(measures):
        try:
            walker.read_measure(number, measure)
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            place = f"part {part_id}, measure {measure.get('number', number + 1)}"
            raise FormatError(f"{file_name}: {place}: {error}; correct the file or export it again") from error
    return walker.events


class _Walker:
    """The state that runs on from element to element: where we are, divisions, transposition."""

    def __init__(self) -> None:
        self.events = PartEvents()
        self.measure = 0
        self.position = 0.0
        self.reach = 0.0
        self.sounding_reach = 0.0
        self.chord_position = 0.0
        self.divisions = 1.0
        self.transposition: dict[str, int] = {"": 0}
        self.handlers = {
            "note": self._note,
            "attributes": self._attributes,
            "backup": self._backup,
            "forward": self._forward,
            "direction": self._direction,
            "sound": self._sound,
            "harmony": self._harmony,
            "barline": self._barline,
        }

    def read_measure(self, number: int, measure: Element) -> None:
        self.measure, self.position, self.reach, self.sounding_reach = number, 0, 0, 0
        handlers = self.handlers
        for element in measure:
            handler = handlers.get(element.tag)
            if handler is not None:
                handler(element)
        self.events.lengths.append((self._ticks(self.sounding_reach), self._ticks(self.reach)))

    def _ticks(self, position: float) -> int:
        return math.floor(position * TICKS_PER_QUARTER / self.divisions + 0.5)

    def _move(self, by: float) -> None:
        self.position = max(self.position + by, 0)
        self.reach = max(self.reach, self.position)

    def _backup(self, element: Element) -> None:
        self._move(-_number(element, "duration"))

    def _forward(self, element: Element) -> None:
        self._move(_number(element, "duration"))

    def _note(self, element: Element) -> None:
        found: dict[str, Element] = {}
        tie = 0
        for child in element:
            found[child.tag] = child
            if child.tag == "tie":
                tie |= 1 if child.get("type") == "start" else 2
        if "grace" in found:
            self.events.oddities["grace-notes"] += 1
            return
        duration = _value(found.get("duration"))
        if "chord" in found:
            start = self.chord_position
            self.reach = max(self.reach, start + duration)
        else:
            start = self.chord_position = self.position
            self._move(duration)
        if "rest" in found:
            return
        if "cue" in found:
            self.events.oddities["cue-notes"] += 1
            return
        self._sounding(element, found, start, duration, tie)

    def _sounding(self, element: Element, found: dict[str, Element], start: float, duration: float, tie: int) -> None:
        begin, end = self._ticks(start), self._ticks(start + duration)
        self.sounding_reach = max(self.sounding_reach, start + duration)
        if end <= begin:
            self.events.oddities["notes-without-length"] += 1
            return
        pitch, place = self._pitch(found)
        if pitch > 127 or pitch < -1:
            self.events.oddities["pitches-out-of-range"] += 1
            return
        voice = found["voice"].text or "" if "voice" in found else ""
        instrument = found["instrument"].get("id", "") if "instrument" in found else ""
        loudness = element.get("dynamics")
        velocity = _velocity(float(loudness)) if loudness else 0
        held = "notations" in found and found["notations"].find("fermata") is not None
        self.events.notes.append(
            Note(self.measure, begin, end - begin, pitch, voice, tie, velocity, instrument, place, held)
        )

    def _pitch(self, found: dict[str, Element]) -> tuple[int, str]:
        """(sounding pitch, "") or (-1, place on the staff)."""
        pitch = found.get("pitch")
        if pitch is None:
            place = found.get("unpitched")
            if place is None:
                return -2, ""
            return -1, place.findtext("display-step", "") + place.findtext("display-octave", "")
        step, alter, octave = pitch.findtext("step", ""), pitch.findtext("alter"), pitch.findtext("octave", "")
        if step not in STEPS:
            raise ValueError(f"step {step!r} is not one of A-G")
        shift = float(alter) if alter else 0.0
        if shift != int(shift):
            self.events.oddities["microtones-rounded"] += 1
        staff = found["staff"].text or "" if "staff" in found else ""
        sounding = self.transposition.get(staff, self.transposition[""])
        midi = 12 * (int(octave) + 1) + STEPS[step] + math.floor(shift + 0.5) + sounding
        return (midi if midi >= 0 else -2), ""

    def _attributes(self, element: Element) -> None:
        divisions = element.findtext("divisions")
        if divisions is not None:
            new = float(divisions)
            if not 0 < new < 1e7:
                raise ValueError(f"divisions {divisions} is not in 1-16383")
            for name in ("position", "reach", "sounding_reach", "chord_position"):
                setattr(self, name, getattr(self, name) * new / self.divisions)
            self.divisions = new
        for transpose in element.findall("transpose"):
            self.transposition[transpose.get("number", "")] = _transposition(transpose)
        for key in element.findall("key")[:1]:
            self._key(key)
        for time in element.findall("time")[:1]:
            self._time(time)

    def _key(self, key: Element) -> None:
        fifths = key.findtext("fifths")
        if fifths is None:
            self.events.oddities["free-key-signatures"] += 1
            return
        mode = key.findtext("mode")
        if mode is None:
            self.events.oddities["keys-without-mode"] += 1
        minor = mode in MINOR_MODES
        tonic = (int(fifths) * 7 + (9 if minor else 0) + self.transposition[""]) % 12
        self.events.keys.append((self.measure, self._ticks(self.position), tonic, minor))

    def _time(self, time: Element) -> None:
        beats = [sum(int(n) for n in (e.text or "").split("+")) for e in time.findall("beats")]
        types = [int(e.text or "") for e in time.findall("beat-type")]
        if not beats or len(beats) != len(types):
            return
        denominator = max(types)
        numerator = sum(beat * denominator // kind for beat, kind in zip(beats, types, strict=True) if kind > 0)
        if 1 <= numerator <= 64 and denominator in (1, 2, 4, 8, 16, 32):
            self.events.meters.append((self.measure, numerator, denominator))
        else:
            self.events.oddities["strange-meters"] += 1

    def _place(self, element: Element) -> tuple[int, int]:
        """(measure, start in ticks) with the element's ``<offset>``."""
        return self.measure, max(self._ticks(self.position + _number(element, "offset")), 0)

    def _direction(self, element: Element) -> None:
        place = self._place(element)
        sound = element.find("sound")
        said = set() if sound is None else self._sound_at(sound, place)
        for kind in element.iterfind("direction-type/*"):
            if kind.tag == "metronome" and "tempo" not in said:
                self._metronome(kind, place)
            elif kind.tag == "dynamics" and "dynamics" not in said:
                self.events.levels += [(*place, DYNAMICS[mark.tag]) for mark in kind if mark.tag in DYNAMICS]
            elif kind.tag == "rehearsal":
                self.events.markers.append((*place, (kind.text or "").strip()))
            elif kind.tag == "pedal":
                self._pedal(kind.get("type", ""), place)

    def _sound(self, element: Element) -> None:
        self._sound_at(element, self._place(element))

    def _sound_at(self, sound: Element, place: tuple[int, int]) -> set[str]:
        """Tempo and dynamics of a ``<sound>``; returns which of the two it gave."""
        said = set()
        tempo, dynamics = sound.get("tempo"), sound.get("dynamics")
        if tempo:
            said |= self._tempo(float(tempo), place)
        if dynamics:
            self.events.levels.append((*place, _velocity(float(dynamics))))
            said.add("dynamics")
        if any(sound.get(jump) is not None for jump in ("dacapo", "dalsegno", "tocoda", "fine")):
            self.events.oddities["repeats-not-unfolded"] += 1
        return said

    def _tempo(self, bpm: float, place: tuple[int, int]) -> set[str]:
        if not 1 <= bpm <= 10_000:
            self.events.oddities["strange-tempos"] += 1
            return set()
        self.events.tempos.append((*place, bpm))
        return {"tempo"}

    def _metronome(self, mark: Element, place: tuple[int, int]) -> None:
        per_minute = re.search(r"\d+(\.\d+)?", mark.findtext("per-minute", ""))
        unit = QUARTERS.get(mark.findtext("beat-unit", ""))
        if per_minute and unit:
            dots = len(mark.findall("beat-unit-dot"))
            self._tempo(float(per_minute[0]) * unit * (2 - 0.5**dots), place)

    def _pedal(self, kind: str, place: tuple[int, int]) -> None:
        values = {"start": (127,), "stop": (0,), "change": (0, 127)}.get(kind, ())
        self.events.pedals += [(*place, value) for value in values]

    def _harmony(self, element: Element) -> None:
        kind = (element.findtext("kind") or "").strip()
        place = self._place(element)
        if kind == "none":
            self.events.chords.append((*place, NO_CHORD, 0, NO_CHORD))
            return
        root = self._pitch_class(element, "root")
        if root is None:
            self.events.oddities["chords-without-root"] += 1
            return
        if kind not in CHORD_KINDS:
            self.events.oddities["chord-kinds-unknown"] += 1
        quality = CHORD_KINDS.get(kind, "")
        degrees = {degree.findtext("degree-value", "").strip() for degree in element.findall("degree")}
        if quality == "sus4" and "7" in degrees:
            quality, degrees = "7sus4", degrees - {"7"}
        self.events.oddities["chord-degrees"] += len(degrees)
        bass = self._pitch_class(element, "bass")
        self.events.chords.append((*place, root, QUALITY_NAMES.index(quality), root if bass is None else bass))

    def _pitch_class(self, element: Element, name: str) -> int | None:
        step = (element.findtext(f"{name}/{name}-step") or "").strip()
        if step not in STEPS:
            return None
        alter = float(element.findtext(f"{name}/{name}-alter") or 0)
        return (STEPS[step] + math.floor(alter + 0.5) + self.transposition[""]) % 12

    def _barline(self, element: Element) -> None:
        for child in element:
            if child.tag in ("repeat", "ending"):
                self.events.oddities["repeats-not-unfolded"] += child.tag == "repeat"


def _value(element: Element | None) -> float:
    """The number in an element, 0 where there is none."""
    text = element.text if element is not None else None
    if not text:
        return 0
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a finite number")
    return int(number) if number.is_integer() else number


def _number(element: Element, tag: str) -> float:
    return _value(element.find(tag))


def _velocity(percent: float) -> int:
    """MusicXML's dynamics are percent of velocity 90."""
    return int(min(max(round(percent * 0.9), 1), 127))


def _transposition(element: Element) -> int:
    """Semitones from the written to the sounding pitch."""
    doubled = -12 if element.find("double") is not None else 0
    return int(_number(element, "chromatic")) + 12 * int(_number(element, "octave-change")) + doubled

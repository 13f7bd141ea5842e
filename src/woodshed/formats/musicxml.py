"""Read MusicXML (.musicxml, .xml and the compressed .mxl) into a `Song`.

What is kept: parts with their names and instruments, sounding pitches, ties joined, chords and voices, tempo,
meter, key, dynamics as velocity, the sustain pedal, chord symbols, rehearsal marks, title; a fermata is a marker
with that text where its note begins. What is left aside or guessed is counted in a `Repair`: grace and cue notes,
ornaments, repeats (the music is read once, as it stands on the page). Lyrics, layout and hairpins have no place in
a `Song`.

**Where the bars lie.** A measure lasts as long as its longest part does; rests never make it longer than its
meter says (some programs write a whole rest into any bar), and one that holds nothing lasts a bar.
A short first measure (an upbeat) is put at the end of a whole first bar, which so begins with silence: bar
lines and down-beats are then right in every program. Short measures that together make up a bar (around a
repeat sign) are one bar. Any other measure that does not fit its meter gets a meter of its own.

Source: W3C MusicXML 4.0. Document type definitions are read past, but one that declares entities is refused.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import FormatError, LimitExceeded, OutOfRange
from woodshed.formats.musicxml_bars import Bars, lay_bars
from woodshed.formats.musicxml_walk import Note, PartEvents, walk_part
from woodshed.formats.musicxml_words import DEFAULT_VELOCITY, drum_of, program_of
from woodshed.formats.repair import Repair
from woodshed.music.general_midi import DRUM_CHANNEL
from woodshed.music.song import FERMATA_MARK, MAX_TICK, NOTE, SUSTAIN, Marker, Part, Song

MAX_BYTES = 32 * 2**20
"""Default for ``max_bytes``: the longest XML text that is read, after unpacking."""

_CONTAINER = "META-INF/container.xml"
_DETAILS = {
    "grace-notes": "grace notes left aside: they have no length of their own",
    "cue-notes": "cue notes left aside: another part plays them",
    "notes-without-length": "notes without a duration left aside",
    "pitches-out-of-range": "notes without a pitch in 0-127 left aside",
    "microtones-rounded": "microtones rounded to the nearest semitone",
    "free-key-signatures": "key signatures that are no circle-of-fifths signature left aside",
    "keys-without-mode": "key signatures without a mode read as major",
    "strange-meters": "time signatures outside 1-64 over 1-32 left aside",
    "strange-tempos": "tempos outside 1-10000 left aside",
    "chords-without-root": "chord symbols without a root left aside",
    "chord-kinds-unknown": "chord symbols of an unknown kind read as major",
    "chord-degrees": "added, altered or omitted chord degrees left aside",
    "repeats-not-unfolded": "repeat signs and jumps: the music is read once, as it stands on the page",
    "ornaments": "ornaments (trills, turns, tremolos) left unplayed",
    "irregular-bars": "measures that do not fit their meter were given a meter of their own",
    "padded-bars": "measures of a length that no meter has were filled up with silence",
    "long-rests": "measures whose rests go on past the end of the bar were cut there",
    "ties-without-end": "ties that nothing ends: joined to a note of the same pitch and voice that follows at once",
    "broken-ties": "ties that end without having begun: the note was struck again",
    "drums-guessed": "drum sounds guessed from a name or a place on the staff",
    "programs-guessed": "parts without a MIDI program: the instrument was guessed from its name",
}


def read_musicxml(
    source: Path | str | bytes, *, repairs: list[Repair] | None = None, max_bytes: int = MAX_BYTES
) -> Song:
    """Read a score from a path, or from the bytes of a file.

    ``repairs``, where given, receives what was left aside or guessed.

    Raises:
        FormatError: naming the file and what in it is no MusicXML.
        LimitExceeded: when the text is longer than ``max_bytes`` (an archive is not unpacked any further).
    """
    name = "the given bytes" if isinstance(source, bytes) else str(source)
    root = _parse(_text(source, name, max_bytes), name)
    oddities: Counter[str] = Counter()
    song = _assemble(root, name, oddities)
    if repairs is not None:
        repairs += [Repair(kind, count, _DETAILS[kind]) for kind, count in oddities.items() if count > 0]
    return song


def _text(source: Path | str | bytes, name: str, max_bytes: int) -> bytes:
    """The bytes of the XML text, unpacked."""
    try:
        if isinstance(source, bytes):
            data = source[: max_bytes + 1]
        else:
            with Path(source).open("rb") as file:
                data = file.read(max_bytes + 1)
        _check_size(len(data), name, max_bytes)
        return _unpack(data, name, max_bytes) if data[:4] == b"PK\x03\x04" else data
    except OSError as error:
        raise FormatError(f"{name}: cannot be read: {error.strerror or error}") from error


def _check_size(size: int, name: str, max_bytes: int) -> None:
    if size > max_bytes:
        raise LimitExceeded(
            f"{name}: longer than max_bytes = {max_bytes} bytes of MusicXML; raise max_bytes to read it"
        )


def _unpack(data: bytes, name: str, max_bytes: int) -> bytes:
    """The score inside a compressed .mxl: the one that its container names, else the first."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.namelist()
            scores = [m for m in members if m.endswith((".musicxml", ".xml")) and not m.startswith("META-INF")]
            if _CONTAINER in members:
                scores = _named_scores(_member(archive, _CONTAINER, name, max_bytes), members) + scores
            if not scores:
                raise FormatError(f"{name}: the archive holds no .musicxml or .xml; is it a compressed score?")
            return _member(archive, scores[0], name, max_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise FormatError(f"{name}: a damaged or encrypted archive: {error}") from error


def _named_scores(container: bytes, members: list[str]) -> list[str]:
    """What the container names; nothing where it is damaged (an apostrophe in the path is enough for that)."""
    try:
        root = _parse(container, _CONTAINER)
    except FormatError:
        return []
    named = [element.get("full-path", "") for element in root.iter("rootfile")]
    return [member for member in named if member in members]


def _member(archive: zipfile.ZipFile, member: str, name: str, max_bytes: int) -> bytes:
    with archive.open(member) as file:
        data = file.read(max_bytes + 1)
    _check_size(len(data), name, max_bytes)
    return data


class _PrologRead(Exception):
    """The first element is reached: no entity can be declared any more."""


def _refuse_entities(data: bytes, name: str) -> None:
    """Entities can blow a small file up to any size, and no score needs them."""

    def found(*_: object) -> None:
        raise FormatError(f"{name}: declares XML entities, which no score needs; remove its <!ENTITY ...> lines")

    def stop(*_: object) -> None:
        raise _PrologRead

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = found
    parser.StartElementHandler = stop
    try:
        parser.Parse(data, True)
    except _PrologRead:
        return
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise FormatError(f"{name}: not XML: {error}") from error


def _parse(data: bytes, name: str) -> Element:
    _refuse_entities(data, name)
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise FormatError(f"{name}: not XML: {error}") from error
    if root.tag.startswith("{"):
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
    return root


def _measures(root: Element, name: str) -> dict[str, list[Element]]:
    """Part id -> its measures, from either order of a score."""
    if root.tag == "score-partwise":
        return {part.get("id", ""): part.findall("measure") for part in root.findall("part")}
    if root.tag == "score-timewise":
        parts: dict[str, list[Element]] = {}
        for measure in root.findall("measure"):
            for part in measure.findall("part"):
                parts.setdefault(part.get("id", ""), []).append(part)
        return parts
    raise FormatError(f"{name}: <{root.tag}> is not a MusicXML score; expected <score-partwise> or <score-timewise>")


def _assemble(root: Element, name: str, oddities: Counter[str]) -> Song:
    walked = {key: walk_part(measures, key, name) for key, measures in _measures(root, name).items()}
    for events in walked.values():
        oddities += events.oddities
    oddities["ornaments"] += sum(len(element) for element in root.iter("ornaments"))
    bars = lay_bars(list(walked.values()), oddities)
    if bars.starts[-1] > MAX_TICK:
        raise LimitExceeded(f"{name}: longer than {MAX_TICK} ticks, the longest that a song can be; split the score")
    band = _Band(root, bars, oddities)
    for key, events in walked.items():
        band.add(key, events)
    try:
        return Song.make(
            np.array(band.notes, NOTE),
            band.parts,
            controls=band.controls,
            **_song_events(walked, bars),
            markers=_markers(walked, bars, band.fermatas),
            meters=bars.meters,
            title=_title(root),
            length=int(bars.starts[-1]),
        )
    except (OutOfRange, OverflowError) as error:
        raise FormatError(f"{name}: {error}") from error


def _title(root: Element) -> str:
    titles = (root.findtext("movement-title"), root.findtext("work/work-title"))
    return next((" ".join(title.split()) for title in titles if title and title.strip()), "")


def _song_events(walked: dict[str, PartEvents], bars: Bars) -> dict[str, Any]:
    """What belongs to the whole song: from all parts, or from the first part that has it."""
    parts = list(walked.values())
    tonal = [part for part in parts if any(note.pitch >= 0 for note in part.notes)] or parts
    return {
        "tempos": _distinct(bars.place(row for part in parts for row in part.tempos), keep="first"),
        "keys": _distinct(bars.place(next((part.keys for part in tonal if part.keys), []))),
        "chords": _distinct(bars.place(next((part.chords for part in parts if part.chords), []))),
    }


def _markers(walked: dict[str, PartEvents], bars: Bars, fermatas: set[int]) -> tuple[Marker, ...]:
    """Rehearsal marks of all parts and the fermatas, each text once at each onset."""
    marks = set(bars.place(row for part in walked.values() for row in part.markers if row[2]))
    return tuple(Marker(*row) for row in sorted(marks | {(onset, FERMATA_MARK) for onset in fermatas}))


def _distinct(rows: list[tuple[Any, ...]], keep: str = "last") -> list[tuple[Any, ...]]:
    """Rows sorted by onset, one for each onset, and none that repeats the row before it."""
    at: dict[int, tuple[Any, ...]] = {}
    for row in rows:
        if keep == "last" or row[0] not in at:
            at[row[0]] = row
    ordered = [at[onset] for onset in sorted(at)]
    return [row for index, row in enumerate(ordered) if index == 0 or row[1:] != ordered[index - 1][1:]]


class _Band:
    """Collects the parts of the song: one for each instrument and kind (tones or drums) in a score's part."""

    def __init__(self, root: Element, bars: Bars, oddities: Counter[str]) -> None:
        self.bars = bars
        self.oddities = oddities
        self.parts: list[Part] = []
        self.owners: dict[tuple[str, Part], int] = {}
        self.notes: list[tuple[int, int, int, int, int]] = []
        self.controls: list[tuple[int, int, int, int]] = []
        self.fermatas: set[int] = set()
        self.written = {element.get("id", ""): element for element in root.iterfind("part-list/score-part")}
        self.names = frozenset(_words(element, "part-name").lower() for element in self.written.values())

    def add(self, key: str, events: PartEvents) -> None:
        """Place the notes of one written part."""
        written = self.written.get(key, Element("score-part"))
        joined = _join_ties(events.notes, self.bars.starts, self.oddities)
        kinds = dict.fromkeys((note.instrument, note.pitch < 0) for note, _, _ in joined) or {("", False): None}
        numbers = {kind: self._number(written, *kind) for kind in kinds}
        velocities = self._velocities(events, [onset for _, onset, _ in joined])
        for (note, onset, duration), velocity in zip(joined, velocities, strict=True):
            number = numbers[(note.instrument, note.pitch < 0)]
            pitch = self._drum(written, note) if note.pitch < 0 else note.pitch
            self.notes.append((number, onset, duration, pitch, note.velocity or velocity))
        self.fermatas |= {onset for note, onset, _ in joined if note.fermata}
        first = min(numbers.values())
        self.controls += [(first, onset, SUSTAIN, value) for onset, value in self.bars.place(events.pedals)]

    def _velocities(self, events: PartEvents, onsets: list[int]) -> list[int]:
        """What the dynamic marks say at each onset."""
        levels = sorted(self.bars.place(events.levels), key=lambda row: row[0])
        level_onsets = np.array([row[0] for row in levels], np.int64)
        values = np.array([DEFAULT_VELOCITY, *(row[1] for row in levels)], np.int64)
        found: list[int] = values[np.searchsorted(level_onsets, np.array(onsets, np.int64), side="right")].tolist()
        return found

    def _number(self, written: Element, instrument: str, is_unpitched: bool) -> int:
        """The number of the part for an instrument; instruments that are alike share one."""
        is_drum = is_unpitched or _channel(written, instrument) == DRUM_CHANNEL
        part = self._part(written, instrument, is_drum)
        owner = (written.get("id", ""), part)
        if owner not in self.owners:
            self.owners[owner] = len(self.parts)
            self.parts.append(part)
        return self.owners[owner]

    def _part(self, written: Element, instrument: str, is_drum: bool) -> Part:
        name = _words(written, "part-name")
        program = _midi(written, instrument, "midi-program")
        if program is None and not is_drum:
            inside = _instrument(written, instrument, "score-instrument")
            names = (name, _words(inside, "instrument-name"), _words(inside, "instrument-sound"))
            self.oddities["programs-guessed"] += 1
            program = 1 + program_of(names, self.names)
        return Part(name, min(max((program or 1) - 1, 0), 127), is_drum)

    def _drum(self, written: Element, note: Note) -> int:
        given = _midi(written, note.instrument, "midi-unpitched") if _is_listed(written, note.instrument) else None
        if given is not None and 1 <= given <= 128:
            return given - 1
        self.oddities["drums-guessed"] += 1
        inside = _instrument(written, note.instrument, "score-instrument")
        return drum_of(_words(inside, "instrument-name") or _words(written, "part-name"), note.staff_place)


def _words(element: Element | None, tag: str) -> str:
    return " ".join((element.findtext(tag) or "").split()) if element is not None else ""


def _instrument(written: Element, instrument: str, tag: str) -> Element | None:
    """The ``tag`` element of this instrument, or of the first where a note names none."""
    found = written.findall(tag)
    return next((e for e in found if e.get("id") == instrument), found[0] if found else None)


def _is_listed(written: Element, instrument: str) -> bool:
    return not instrument or any(e.get("id") == instrument for e in written.findall("midi-instrument"))


def _midi(written: Element, instrument: str, tag: str) -> int | None:
    """A number of ``<midi-instrument>``, counted from 1 as MusicXML does."""
    text = _words(_instrument(written, instrument, "midi-instrument"), tag)
    return int(text) if text.isdecimal() and len(text) < 6 else None


def _channel(written: Element, instrument: str) -> int:
    return (_midi(written, instrument, "midi-channel") or 1) - 1


def _join_ties(notes: list[Note], starts: NDArray[np.int64], oddities: Counter[str]) -> list[tuple[Note, int, int]]:
    """(note, onset, duration) with tied notes made one."""
    begins = starts.tolist()
    joined: list[tuple[Note, int, int]] = []
    held: dict[int, list[int]] = {}  # pitch -> places in `joined` whose tie is open
    for note in notes:
        onset = begins[note.measure] + note.start
        open_ties = held.get(note.pitch)
        at = _continued(open_ties, joined, note, onset) if open_ties else None
        if at is None or open_ties is None:
            oddities["broken-ties"] += note.tie >> 1
            at = len(joined)
            joined.append((note, onset, note.duration))
        else:
            open_ties.remove(at)
            oddities["ties-without-end"] += not note.tie & 2
            first, first_onset, _ = joined[at]
            first = first._replace(fermata=True) if note.fermata else first
            joined[at] = (first, first_onset, onset + note.duration - first_onset)
        if note.tie & 1:
            held.setdefault(note.pitch, []).append(at)
    return joined


def _continued(places: list[int], joined: list[tuple[Note, int, int]], note: Note, onset: int) -> int | None:
    """Which held note goes on in this one: it ends where this begins, in its own voice if that can be had.

    A note that does not say that it ends a tie is taken to do so only in the voice where the tie began.
    """
    fitting = [at for at in places if sum(joined[at][1:]) == onset]
    own = [at for at in fitting if joined[at][0].voice == note.voice]
    return next(iter(own or (fitting if note.tie & 2 else [])), None)

"""Play a bundle that knows chorales: four voices from nothing, or those that are missing around those given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, event_model
from woodshed.codecs.chorale import VOICES, ChoraleCodec
from woodshed.codecs.chorale_frames import (
    HIGHEST,
    LOWEST,
    RANGES,
    REST,
    START,
    STRUCK,
    TIED,
    Frames,
    flatten,
)
from woodshed.codecs.chorale_frames import song_frames as frames_of
from woodshed.codecs.chorale_voices import STEPS_PER_QUARTER, VOICE_NAMES, steps
from woodshed.errors import CodecError, InfeasibleCanvas, UnknownName, UsageError
from woodshed.evaluation.voice_leading import VoiceLeading, voice_leading
from woodshed.generation.canvas import Canvas, check_bars, check_bpm
from woodshed.generation.filters import Sampling
from woodshed.generation.harmonise import OPEN, PARALLELS, PARTICLES, Score, find_voices
from woodshed.generation.stream import last_bar
from woodshed.generation.stream_voices import VoiceStation
from woodshed.music import (
    METER,
    TEMPO,
    TICKS_PER_QUARTER,
    Marker,
    Meter,
    Part,
    Song,
    melody_song,
    parse_melody,
    part_name,
)
from woodshed.music.phrases import phrase_ends
from woodshed.music.segments import pitched_notes
from woodshed.music.song import FERMATA_MARK
from woodshed.music.units import DEFAULT_BPM
from woodshed.recipes.clip import Clip, default_sampling, make_clips, with_key
from woodshed.recipes.files import Told, read_song
from woodshed.recipes.heard import only_parts
from woodshed.recipes.lines import to_key
from woodshed.recipes.verbs import check_verb
from woodshed.recipes.wish import Wish
from woodshed.words import counted

DRAWS = 8
"""How many harmonies are found side by side for each that is kept."""
LEFT_OUT = "-"
"""Among the names of voices: the part in this place is left out, and its voice is found anew."""
FREE_PARTICLES = 8
"""Streams for each draw from nothing: enough to drop those that run into parallels, or that do not come to an end."""
STEP_TICKS = TICKS_PER_QUARTER // STEPS_PER_QUARTER
Findings = dict[str, Any]


class _Request(NamedTuple):
    """What is given, and how an answer becomes a song."""

    codec: ChoraleCodec
    song: Song
    """What comes back as it is; new parts are added to it."""
    score: Score
    first: int
    """So many sixteenths are before the score's first."""
    move: int
    """Semitones from the pitches that the model sings to those that are heard."""
    given: dict[int, int]
    """Voice number -> part of ``song``."""
    phrases: int = 0
    """So many fermatas were put where a phrase seems to end, since none were given."""

    @property
    def octaves(self) -> int:
        """How many octaves above its usual place the choir sings."""
        return (self.move + 6) // 12

    def heard(self, frames: Frames) -> Song:
        """An answer as a song of four voices in the key that is heard."""
        rests = np.full((self.first, 4), REST), np.zeros(self.first, bool)
        whole = Frames(*(np.concatenate(both) for both in zip(rests, frames, strict=True)))
        rows = {name: getattr(self.song, name) for name in ("tempos", "meters", "keys", "markers", "title", "length")}
        sung = self.codec.decode(flatten(whole), Song(parts=VOICES, **rows))
        notes = sung.notes.copy()
        notes["pitch"] += self.move
        return sung.with_notes(notes)

    def answer(self, heard: Song) -> Song:
        """The given song with those voices of ``heard`` that were missing."""
        missing = [voice for voice in range(4) if voice not in self.given]
        place = np.full(4, -1)
        place[missing] = len(self.song.parts) + np.arange(len(missing))
        new = heard.notes[np.isin(heard.notes["part"], missing)].copy()
        new["part"] = place[new["part"]]
        if self.given:
            own = np.isin(self.song.notes["part"], list(self.given.values()))
            new["velocity"] = int(np.median(self.song.notes["velocity"][own]))
        parts = [*_named(self.song.parts, self.given), *(self._singer(voice) for voice in missing)]
        marked = any(mark.text == FERMATA_MARK for mark in self.song.markers)
        song = self.song.replace(parts=tuple(parts), markers=self.song.markers if marked else heard.markers)
        return song.with_notes(np.concatenate((song.notes, new)))

    def _singer(self, voice: int) -> Part:
        """A choir; or the instrument of a given voice, where four can play it together: keyboards, strings, choirs."""
        programs = [self.song.parts[part].program for part in self.given.values()]
        together = [program for program in programs if program < 24 or 40 <= program < 56]
        return replace(VOICES[voice], program=together[0]) if together else VOICES[voice]


def play_chorale(
    bundle: Bundle,
    wish: Wish,
    sampling: Sampling,
    *,
    seed: int,
    count: int,
    candidates: int,
    on_step: Told | None,
) -> list[Clip]:
    """New chorales of ``wish.bars`` bars.

    Raises:
        OutOfRange: for numbers outside their range.
        UsageError: for wishes that a choir cannot fulfil.
        InfeasibleCanvas: if the key and the ranges leave a voice nothing to sing.
    """
    request = _blank(bundle, _codec(bundle), wish)
    particles = FREE_PARTICLES if request.score.playable is None else PARTICLES
    return _clips("generate", bundle, request, wish, sampling, seed, count, candidates, particles, on_step)


def harmonise_song(
    bundle: Bundle,
    song: Song,
    voices: Sequence[str] = ("soprano",),
    sampling: Sampling | None = None,
    *,
    parallels: float | None = None,
    seed: int,
    count: int = 1,
    candidates: int = DRAWS,
    on_step: Told | None = None,
) -> list[Clip]:
    """``song`` note for note, whose pitched parts sing ``voices``, and a new part for each voice that is missing.

    A part for which ``voices`` has `LEFT_OUT` is taken out of the song: its voice is found anew. Of ``candidates``
    independent draws for each clip the one that the model finds likeliest is kept. ``parallels`` are the odds of each
    parallel fifth or octave (`PARALLELS` if None).

    Raises:
        BundleError: if the bundle cannot harmonise.
        UnknownName: for a voice that does not exist.
        UsageError: if all four voices are given.
        CodecError: if the song has not one pitched part for each voice, or a note that its voice cannot sing.
        OutOfRange: for numbers outside their range.
    """
    check_verb(bundle, "harmonise")
    sampling = sampling or default_sampling(bundle)
    request = _around(_codec(bundle), song, voices)
    wish = Wish(bars=song.bars, parallels=parallels)
    clips = _clips("harmonise", bundle, request, wish, sampling, seed, count, candidates, PARTICLES, on_step)
    return [replace(clip, settings={**clip.settings, "voices": list(voices)}) for clip in clips]


def parse_voices(text: str) -> tuple[str, ...]:
    """``"Soprano, -, bass"`` -> ("soprano", "-", "bass"), where `LEFT_OUT` is a part that is not to be kept.

    Raises:
        UnknownName: for a voice that does not exist, is named twice, or if none is named.
    """
    voices = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    named = [voice for voice in voices if voice != LEFT_OUT]
    if not named:
        raise UnknownName(f"no voice is named; name those that are given, such as --voices {VOICE_NAMES[0]}")
    for voice in named:
        if voice not in VOICE_NAMES:
            raise UnknownName(f"voice {voice!r} is not one of {', '.join(VOICE_NAMES)}, or - to leave a part out")
    if len(set(named)) < len(named):
        raise UnknownName(f"voices {', '.join(voices)}: one is named twice; each part sings a voice of its own")
    return voices


def is_typed(music: str) -> bool:
    """Whether it is a melody itself, and not the name of a file."""
    return music.lstrip().startswith("[")


def read_given(music: str, meter: str | None = None, tempo: float | None = None) -> Song:
    """The music of a file; or a melody typed as ``"[60, -2, 62]"``, in that meter (4/4) and tempo (120).

    Raises:
        OutOfRange: for events or numbers outside their range.
        UsageError: for a meter or tempo beside a file, which has its own.
        FileError: if the file cannot be read.
    """
    if is_typed(music):
        if tempo is not None:
            check_bpm(tempo)
        return melody_song(
            parse_melody(music), VOICES[0], tempo or DEFAULT_BPM, Meter() if meter is None else Meter.parse(meter)
        )
    if meter is not None or tempo is not None:
        raise UsageError("--meter and --tempo are for a melody that is typed; a file keeps its own, so leave them out")
    return read_song(Path(music))


def _clips(
    verb: str,
    bundle: Bundle,
    request: _Request,
    wish: Wish,
    sampling: Sampling,
    seed: int,
    count: int,
    candidates: int,
    particles: int,
    on_step: Told | None,
) -> list[Clip]:
    """Draw, and keep of the given voices' draws the likeliest; from nothing `best_of` has the first word."""
    made: list[tuple[list[Song], list[Findings]]] = []
    wish = replace(wish, parallels=PARALLELS if wish.parallels is None else wish.parallels)

    def answer(rng: np.random.Generator, tell: Told | None) -> tuple[list[Song], Canvas]:
        draws = find_voices(
            bundle, request.score, sampling, rng,
            islands=candidates, particles=particles, parallels=wish.parallels or 0.0, on_step=tell,
        )  # fmt: skip
        kept = 1 if request.given else candidates
        heard = [request.heard(frames) for frames in draws.frames[:kept]]
        songs = [request.answer(voices) for voices in heard]
        nats = draws.nats_per_frame[:kept]
        made.append((songs, [_findings(request, *pair) for pair in zip(heard, nats, strict=True)]))
        return songs, Canvas(songs[0], 0, tuple(range(len(request.song.parts), len(songs[0].parts))))

    clips = make_clips(
        verb, bundle, wish, sampling, answer, seed=seed, count=count, candidates=candidates, on_step=on_step
    )
    return [_told(clip, *own) for clip, own in zip(clips, made, strict=True)]


def _findings(request: _Request, heard: Song, nats_per_frame: float) -> Findings:
    marks = sum(mark.text == FERMATA_MARK for mark in heard.markers)
    source = "phrase ends" if request.phrases else "given" if request.given else "model"
    return {
        "voice_leading": voice_leading(heard).as_dict(),
        "nats_per_frame": round(float(nats_per_frame), 4),
        "fermatas": {"count": marks, "from": source},
        "octaves_above_a_choir": request.octaves,
    }


def _told(clip: Clip, songs: list[Song], findings: list[Findings]) -> Clip:
    """The clip with what was found in it."""
    own = findings[next(number for number, song in enumerate(songs) if song is clip.song)]
    counts = VoiceLeading(**own["voice_leading"])
    remark = (
        f"parallel fifths {counts.parallel_fifths}, octaves {counts.parallel_octaves}; crossings {counts.crossings}, "
        f"notes out of range {counts.out_of_range}"
    )
    if own["fermatas"]["from"] == "phrase ends":
        remark += f"; fermatas at {counted(own['fermatas']['count'], 'phrase end')}, since none are marked"
    if octaves := own["octaves_above_a_choir"]:
        way = "above" if octaves > 0 else "below"
        remark += f"; sung {counted(abs(octaves), 'octave')} {way} a choir's place, where the melody lies"
    return replace(clip, findings=own, remark=remark)


def _codec(bundle: Bundle) -> ChoraleCodec:
    _, codec = event_model(bundle)
    assert isinstance(codec, ChoraleCodec)
    return codec


def _blank(bundle: Bundle, codec: ChoraleCodec, wish: Wish) -> _Request:
    """All four voices are open. In the bundle's usual tempo and meter where nothing else is asked for."""
    check_bars(wish.bars)
    if wish.parts is not None:
        raise UsageError("a chorale is sung by soprano, alto, tenor and bass; leave --parts out")
    if wish.polyphony is not None:
        raise UsageError("each voice sings one note at a time, so --polyphony changes nothing; leave it out")
    if wish.bpm is not None:
        check_bpm(wish.bpm)
    meter = wish.meter or Meter.parse(next(iter(bundle.style.get("meters", {})), "4/4"))
    song = Song(
        tempos=np.array([(0, float(wish.bpm or bundle.style.get("bpm", DEFAULT_BPM)))], TEMPO),
        meters=np.array([(0, meter.numerator, meter.denominator)], METER),
        length=wish.bars * meter.bar_ticks,
    )
    move = to_key(wish.key)
    tokens = np.full((max(song.length // STEP_TICKS, 1), 4), OPEN)
    score = Score(tokens, codec.steps_per_bar(song), playable=_playable(move, wish))
    return _Request(codec, with_key(song, wish.key), score, 0, move, {})


def _around(codec: ChoraleCodec, song: Song, voices: Sequence[str]) -> _Request:
    """The song's parts are given. Before the first note and after the last one nobody sings."""
    song, voices = _kept(song, voices)
    notes = pitched_notes(song.notes, song.parts)
    arranged, move = codec.arrange(song, voices), -codec.transposition(song, voices)
    ends: list[int] = []
    if not any(mark.text == FERMATA_MARK for mark in song.markers):
        ends = phrase_ends(arranged.notes[arranged.notes["part"] == arranged.notes["part"].min()]).tolist()
        arranged = arranged.replace(markers=tuple(Marker(onset, FERMATA_MARK) for onset in ends))
    frames, bar = frames_of(arranged), codec.steps_per_bar(arranged)
    sounds = np.flatnonzero((frames.tokens != REST).any(1))
    first, stop = int(sounds[0]) // bar * bar, int(sounds[-1]) + 1
    numbers = [VOICE_NAMES.index(voice) for voice in voices]
    tokens = np.full_like(frames.tokens, OPEN)
    tokens[:, numbers] = frames.tokens[:, numbers]
    tokens[: sounds[0]] = REST
    place = _places(song, len(tokens))[first:stop]
    score = Score(tokens[first:stop], bar, frames.fermata[first:stop], _playable(move, Wish()), place)
    given = dict(zip(numbers, np.unique(notes["part"]).tolist(), strict=True))
    return _Request(codec, song, score, first, move, given, len(ends))


def _kept(song: Song, voices: Sequence[str]) -> tuple[Song, list[str]]:
    """The song without the parts that are left out, and which voices the other pitched ones sing."""
    named, title = [voice for voice in voices if voice != LEFT_OUT], song.title or "song"
    parts = np.unique(pitched_notes(song.notes, song.parts)["part"]).tolist()
    if not parts and set(named) < set(VOICE_NAMES):
        why = "only drums sound" if len(song) else "there are no notes"
        raise CodecError(f"{title}: {why}, and a voice needs pitches; give music with a melody")
    if set(VOICE_NAMES) <= set(named):
        if len(parts) < len(named):
            there = _sounding(song, parts)
            raise UsageError(f"{title}: {there}, and four voices are named; name only those that are given")
        raise UsageError(
            "all four voices are given, so none is left to find; write - for each part whose voice is to be found "
            f"anew: {_example(['soprano'], len(parts))}"
        )
    if named and set(named) <= set(VOICE_NAMES) and len(parts) != len(voices):
        remedy = f"write - for each part to leave out: {_example(voices, len(parts))}"
        if len(parts) < len(voices):
            remedy = "name one voice for each part"
        raise CodecError(
            f"{title}: {_sounding(song, parts)}, but {counted(len(voices), 'voice')} "
            f"{'is' if len(voices) == 1 else 'are'} given ({', '.join(voices)}); {remedy}"
        )
    gone = {part for part, voice in zip(parts, voices, strict=False) if voice == LEFT_OUT}
    if not gone:
        return song, named
    return only_parts(song, [part for part in range(len(song.parts)) if part not in gone]), named


def _sounding(song: Song, parts: Sequence[int]) -> str:
    """``4 pitched parts sound (Soprano, Alto, Tenor, Bass)``"""
    names = f" ({', '.join(part_name(song.parts[part]) for part in parts)})" if parts else ""
    return f"{counted(len(parts), 'pitched part')} sound{'s' * (len(parts) == 1)}{names}"


def _example(voices: Sequence[str], parts: int) -> str:
    """What to type so that these voices are sung by the first of so many parts, and the others are left out."""
    return f"--voices '{', '.join([*voices, *[LEFT_OUT] * (parts - len(voices))])}'"


def _places(song: Song, count: int) -> NDArray[np.int64]:
    """(count,) the sixteenth of its bar that each is, whatever the meters."""
    lines = steps(song.bar_lines())
    at = np.arange(count)
    place: NDArray[np.int64] = at - lines[np.searchsorted(lines, at, side="right") - 1]
    return place


def _playable(move: int, wish: Wish) -> NDArray[np.bool_] | None:
    """(4, 120) tokens that MIDI, the key and the ranges leave to each voice; None if all.

    Raises:
        UnknownName: for a range of what is no voice.
        InfeasibleCanvas: if a voice has nothing to sing.
    """
    pitch = np.arange(LOWEST, HIGHEST + 1) + move
    sung = np.tile((pitch >= 0) & (pitch <= 127), (4, 1))
    if wish.key is not None:
        sung &= np.isin(pitch % 12, wish.key.pitch_classes)
    for name, (low, high) in wish.ranges.items():
        ranged = name.strip().lower()
        if ranged not in VOICE_NAMES:
            raise UnknownName(f"range {name!r} is not of one of {', '.join(VOICE_NAMES)}; name one voice for each")
        sung[VOICE_NAMES.index(ranged)] &= (pitch >= low) & (pitch <= high)
    if sung.all():
        return None
    for voice, (low, high) in enumerate(RANGES):
        if not sung[voice, low - LOWEST : high - LOWEST + 1].any() and (wish.key or wish.ranges):
            raise InfeasibleCanvas(
                f"the key and the range leave the {VOICE_NAMES[voice]} no pitch of those that it sings "
                f"({low + move}-{high + move}); widen them"
            )
    mask = np.zeros((4, START), bool)
    mask[:, REST] = True
    mask[:, STRUCK:TIED] = mask[:, TIED:START] = sung
    return mask


def _named(parts: Sequence[Part], given: dict[int, int]) -> list[Part]:
    """The parts; a given voice that has no name gets that of its voice."""
    names = {part: VOICES[voice].name for voice, part in given.items()}
    return [replace(part, name=part.name or names.get(index, "")) for index, part in enumerate(parts)]


def voice_station(bundle: Bundle, wish: Wish) -> VoiceStation:
    """Chorales without end, from nothing.

    Raises:
        As `play_chorale`.
    """
    request = _blank(bundle, _codec(bundle), wish)
    particles = 1 if request.score.playable is None else PARTICLES
    parallels = PARALLELS if wish.parallels is None else wish.parallels
    frame = last_bar(request.song, VOICES)
    return VoiceStation(frame, bundle, request.score, particles, parallels, request.move)

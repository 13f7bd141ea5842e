"""Play a bundle of a window system: a solo that goes on from a real passage, as `shred` and its kin do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, window_model
from woodshed.errors import BundleError, CodecError, OutOfRange, UsageError
from woodshed.generation.canvas import Canvas, check_bars, check_bpm, melody_program, part_of, until
from woodshed.generation.filters import Sampling
from woodshed.generation.stream import last_bar
from woodshed.generation.stream_windows import WindowStation, tune_window
from woodshed.generation.windows import MODES, check_mode, play_windows
from woodshed.music import METER, TEMPO, Marker, Meter, Song
from woodshed.music.units import DEFAULT_BPM
from woodshed.recipes.clip import Clip, make_clips
from woodshed.recipes.files import Told
from woodshed.recipes.wish import Wish

MOST_EVENTS = 65_536
LOOK_EVERY = 16
"""Events between two looks at whether the bars are full."""
PASSAGES = 8


@dataclass(frozen=True)
class Passage:
    """Real music that a solo goes on from."""

    title: str
    bpm: float
    """Its tempo, in quarters per minute."""
    events: NDArray[Any]
    """As many as the model's window has."""


@dataclass(frozen=True)
class _Request:
    """Where a solo begins, and how long it is to be."""

    codec: Any
    frame: Song
    """As long as it is to become, with the notes that are given."""
    part: int
    start: int
    """The tick at which it begins."""
    passage: NDArray[Any]
    """What the model reads first."""
    events: int | None
    """So many are wanted; None: until the frame is full."""
    odds: NDArray[np.float64] | None = None
    """(ids,) by which those of each id are multiplied; None: all stay as they are."""

    @property
    def ticks(self) -> int:
        """How long the solo is to be."""
        return self.frame.length - self.start

    def ticks_of(self, events: NDArray[Any]) -> int:
        """How long they last."""
        played = self.codec.decode(events, self._blank)
        return int((played.notes["onset"] + played.notes["duration"]).max(initial=0))

    @property
    def _blank(self) -> Song:
        return self.frame.replace(parts=(self.frame.parts[self.part],), notes=self.frame.notes[:0], markers=())

    def answer(self, events: NDArray[Any]) -> Song:
        """The song with the solo, cut where the frame ends."""
        new = self.codec.decode(events, self._blank).notes.copy()
        new["part"], new["onset"] = self.part, new["onset"] + self.start
        new = new[new["onset"] < self.frame.length]
        new["duration"] = np.minimum(new["duration"], self.frame.length - new["onset"])
        return self.frame.with_notes(np.concatenate((self.frame.notes, new)))

    @property
    def canvas(self) -> Canvas:
        """The same as a canvas, for those who judge an answer."""
        return Canvas(self.frame, self.start, (self.part,))


def passages_of(codec: Any, songs: Sequence[Song], window: int) -> list[dict[str, Any]]:
    """Real passages for a bundle to begin from: the first window of each of some songs, with its title."""
    found = []
    for song in songs:
        events = codec.encode(song)
        if len(events) > window:
            found.append({"title": song.title, "bpm": round(song.bpm, 3), "events": events[:window].tolist()})
    step = max(len(found) // PASSAGES, 1)
    return found[::step][:PASSAGES]


def begin_with_shares(model: Any, codec: Any, songs: Sequence[Song]) -> None:
    """Let an untrained net say how often each event (of pitch-step-duration each pitch) comes, whatever it hears.

    Without that, most of a run of minutes goes by until it does.
    """
    import torch

    (size,) = codec.field_sizes().values()
    ids = np.concatenate([codec.encode(song).reshape(len(codec.encode(song)), -1)[:, 0] for song in songs])
    counts = np.bincount(ids.astype(np.int64), minlength=size) + 0.5
    layer = model.out if hasattr(model, "out") else model.heads
    with torch.no_grad():
        layer.bias[:size] = torch.from_numpy(np.log(counts / counts.sum()))


def play_solo(
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
    """New solos, each begun from one of the real passages in the bundle, which is not part of it; or the primer and a
    solo after it, which begins from its last events.

    Raises:
        OutOfRange, UsageError: for wishes that this system cannot fulfil.
        CodecError: for a primer without a part that will do, or too short a one.
    """
    _, codec = window_model(bundle)
    _check(bundle, wish)
    requests = _starts(bundle, codec, wish) if primer is None else [_on_from(bundle, codec, primer, wish)]

    def answer(rng: np.random.Generator, tell: Told | None) -> tuple[list[Song], Canvas]:
        request = requests[int(rng.integers(len(requests)))]
        played = play_request(bundle, request, sampling, rng, candidates, tell, wish.mode)
        return [request.answer(events) for events in played], request.canvas

    verb = "generate" if primer is None else "continue"
    return make_clips(
        verb, bundle, wish, sampling, answer, seed=seed, count=count, candidates=candidates, on_step=on_step
    )


class Request(Protocol):
    """What `play_request` must know."""

    @property
    def passage(self) -> NDArray[Any]: ...
    @property
    def odds(self) -> NDArray[np.float64] | None: ...
    @property
    def events(self) -> int | None: ...
    @property
    def ticks(self) -> int: ...
    def ticks_of(self, events: NDArray[Any]) -> int: ...


def play_request(
    bundle: Bundle,
    request: Request,
    sampling: Sampling,
    rng: np.random.Generator,
    count: int,
    tell: Told | None,
    mode: str | None = None,
) -> list[NDArray[Any]]:
    """As many events as are wanted, of ``count`` streams; or enough to last as long as is wanted."""
    heard: list[NDArray[Any]] = []
    mode = MODES[0] if mode is None else mode
    stream = play_windows(bundle, request.passage, sampling, rng, count=count, odds=request.odds, mode=mode)
    for events in stream:
        heard.append(events)
        if request.events is not None:
            share = len(heard) / request.events
        elif len(heard) % LOOK_EVERY:
            continue
        else:
            streams = np.stack(heard, axis=1)
            share = min(request.ticks_of(stream) for stream in streams) / request.ticks
        if tell is not None:
            tell(min(share, 1.0))
        if share >= 1 or len(heard) >= MOST_EVENTS:
            break
    return list(np.stack(heard, axis=1))


def _check(bundle: Bundle, wish: Wish) -> None:
    check_bars(wish.bars)
    if wish.bpm is not None:
        check_bpm(wish.bpm)
    if wish.steps is not None and not 1 <= wish.steps <= MOST_EVENTS:
        raise OutOfRange(f"steps {wish.steps} is outside 1-{MOST_EVENTS}; 100 events are a solo")
    if wish.parts is not None and (len(wish.parts) != 1 or wish.parts[0].is_drum):
        raise UsageError("this bundle plays one pitched part; name one with --parts, or leave that out")
    refuse_beam(bundle, wish)
    check_mode(bundle, wish.mode or MODES[0])
    unknown = {"--key": wish.key, "--range": wish.ranges or None, "--polyphony": wish.polyphony}
    if asked := [name for name, value in unknown.items() if value is not None]:
        raise UsageError(
            f"recipe {bundle.recipe} cannot keep to {' or '.join(asked)}; leave that out, use --over, or `band`"
        )


def refuse_beam(bundle: Bundle, wish: Wish) -> None:
    """A window net has no beam.

    Raises:
        UsageError: if one is asked for.
    """
    if wish.beam.size != 1 or wish.beam.branch_factor != 1:
        raise UsageError(f"--beam and --branch-factor are for recipes that play a melody, not for {bundle.recipe}")


def _starts(bundle: Bundle, codec: Any, wish: Wish) -> list[_Request]:
    """One request for each passage in the bundle."""
    passages = passages_in(bundle)
    meter = wish.meter or Meter.parse(next(iter(bundle.style.get("meters", {})), "4/4"))
    frame = Song(
        parts=wish.parts or (part_of(melody_program(bundle)),),
        tempos=np.array([(0, float(wish.bpm or bundle.style.get("bpm", DEFAULT_BPM)))], TEMPO),
        meters=np.array([(0, meter.numerator, meter.denominator)], METER),
        length=wish.bars * meter.bar_ticks,
    )
    requests = []
    for passage in passages:
        marker = Marker(0, f"goes on from a passage of {passage.title}")
        requests.append(_Request(codec, frame.replace(markers=(marker,)), 0, 0, passage.events, wish.steps))
    return requests


def passages_in(bundle: Bundle) -> list[Passage]:
    """The real passages that a bundle holds.

    Raises:
        BundleError: if there is none, or one is damaged.
    """
    passages = bundle.training.get("passages")
    if not isinstance(passages, list) or not passages:
        raise BundleError(f"{bundle.folder or bundle.recipe} holds no passage to begin from; give one with --primer")
    usual, found = bundle.style.get("bpm", DEFAULT_BPM), []
    for passage in passages:
        bpm = passage.get("bpm", usual)
        if not isinstance(bpm, int | float) or not 1 <= bpm <= 10_000:
            bpm = usual
        events = _checked(bundle, passage.get("events"))
        found.append(Passage(str(passage.get("title", "?"))[:80], float(bpm), events))
    return found


def passage_of(bundle: Bundle, primer: Song) -> Passage:
    """The last events of a primer.

    Raises:
        CodecError: if it has no part that will do, or too few events.
    """
    _, codec = window_model(bundle)
    heard = codec.arrange(primer)
    events, window = codec.encode(heard), bundle.model.config.window
    if len(events) < window:
        raise CodecError(
            f"{primer.title or 'the primer'} has {len(events)} events that this bundle knows, and {bundle.recipe} "
            f"reads {window} before it plays; give a longer primer, or none"
        )
    return Passage(primer.title, primer.bpm, events[-window:])


def _checked(bundle: Bundle, events: Any) -> NDArray[Any]:
    """A passage of somebody's bundle."""
    model, codec = window_model(bundle)
    try:
        passage = np.asarray(events, np.int64 if hasattr(codec, "events") else np.float64)
        codec.decode(passage, Song(parts=(part_of(0),)))
    except (TypeError, ValueError, OverflowError, CodecError):
        passage = np.empty(0)
    if len(passage) != model.config.window:
        raise BundleError(
            f"{bundle.folder or bundle.recipe}: a passage to begin from is damaged; train the bundle again"
        )
    return passage


def _on_from(bundle: Bundle, codec: Any, primer: Song, wish: Wish) -> _Request:
    """The primer is fixed, and the solo begins at the bar line after its last onset."""
    passage, heard = passage_of(bundle, primer), codec.arrange(primer)
    lines = primer.bar_lines()
    last = int(np.searchsorted(lines, primer.notes["onset"].max(), side="right"))
    start, bar = int(lines[last]), int(lines[last] - lines[last - 1])
    frame = until(primer, start + wish.bars * bar)
    frame = frame.replace(markers=(*frame.markers, Marker(start, "new from here")))
    part = next((index for index, part in enumerate(primer.parts) if part == heard.parts[0]), 0)
    return _Request(codec, frame, part, start, passage.events, wish.steps)


def window_station(bundle: Bundle, wish: Wish, rng: np.random.Generator, primer: Song | None) -> WindowStation:
    """A solo without end, from one of the real passages in the bundle, or from the end of the primer.

    Raises:
        As `play_solo`.
    """
    _, codec = window_model(bundle)
    _check(bundle, wish)
    if primer is None:
        requests = _starts(bundle, codec, wish)
        request = requests[int(rng.integers(len(requests)))]
    else:
        request = _on_from(bundle, codec, primer, wish)
    return tune_window(bundle, last_bar(request.frame, (request.frame.parts[request.part],)), request.passage)

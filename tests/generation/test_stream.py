"""Music without end: bars are final, no eight come again, nothing that is remembered grows, seeds repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle, load_bundle
from woodshed.codecs.chorale import VOICES, ChoraleCodec
from woodshed.codecs.chorale_frames import END
from woodshed.codecs.melody import MelodyCodec
from woodshed.codecs.pitch_names import PitchNameCodec
from woodshed.codecs.pitch_step_duration import PitchStepDurationCodec
from woodshed.errors import InfeasibleCanvas, LimitExceeded
from woodshed.generation import stream_notes, unheard
from woodshed.generation.canvas import blank_canvas
from woodshed.generation.events import Line, play_events
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.harmonise import OPEN, Score
from woodshed.generation.stream import BARS_HELD, EARLY_TICKS, Bar, Drawn, endless, last_bar
from woodshed.generation.stream_clips import ClipStation
from woodshed.generation.stream_lines import trim, tune_line
from woodshed.generation.stream_notes import tune_notes
from woodshed.generation.stream_voices import VoiceStation
from woodshed.generation.stream_windows import tune_window
from woodshed.generation.unheard import Standstill, Unheard, bar_cells, bar_hash
from woodshed.generation.windows import play_windows
from woodshed.models import build_model
from woodshed.music import METER, NOTE, TEMPO, Part, Song

FRAME = Song(
    parts=(Part("Lead", 29), Part("Kit", 0, is_drum=True)),
    tempos=np.array([(0, 100.0)], TEMPO),
    meters=np.array([(0, 4, 4)], METER),
    length=1920,
)
PRIMER = np.array([14, 0, 16, 0, 18, 1, 0, 0, 14, 0, 16, 0, 18, 1, 0, 0])
SAFE = Sampling(temperature=0.0)


def rows(*notes: tuple[int, ...]) -> Any:
    """`NOTE` rows: part, onset, duration, pitch, velocity."""
    return np.array(list(notes), NOTE)


@dataclass(frozen=True)
class Script:
    """A station that plays what is written, then nothing new."""

    bars: tuple[Drawn, ...]
    at: int = 0

    @property
    def frame(self) -> Song:
        return FRAME

    def play(self, sampling: Sampling, rng: np.random.Generator, attempt: int) -> tuple[Drawn, Script]:
        number = self.at if self.at < len(self.bars) else -1
        notes = self.bars[number] if number >= 0 else Drawn(rows((0, 0, 10, self.at % 128, 1 + attempt)))
        return notes, Script(self.bars, self.at + 1)


def script(*bars: Any) -> list[Bar]:
    drawn = tuple(bar if isinstance(bar, Drawn) else Drawn(bar) for bar in bars)
    return list(islice(endless(Script(drawn), SAFE, 0), len(bars)))


def melody_bundle(events: np.ndarray[Any, Any], order: int = 3, lookback: bool = False) -> Bundle:
    """A chain that knows nothing but these events."""
    codec = MelodyCodec(lookback=lookback)
    chain = build_model({"name": "markov", "labels": codec.labels, "order": order})
    return Bundle(chain.fit([codec.targets(events, 16)]).eval(), codec)


def net_bundle(lookback: bool = True, attention: int = 4) -> Bundle:
    codec = MelodyCodec(lookback=lookback)
    sizes = {"inputs": codec.inputs, "labels": codec.labels, "width": 16, "layers": 2, "dropout": 0.0}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Bundle(build_model({"name": "event-rnn", **sizes, "attention": attention}).eval(), codec)


def melody_bars(bundle: Bundle, sampling: Sampling = SAFE, seed: int = 0, line: Line | None = None) -> Iterator[Bar]:
    frame = Song(parts=(Part("Flute", 73),), length=1920)
    return endless(tune_line(bundle, frame, line or Line(np.empty(0, np.int64), 0, 16), 0), sampling, seed)


def test_a_bar_is_handed_over_when_its_notes_are_known_to_their_ends() -> None:
    held = rows((0, 1800, 120, 60, 90))
    one, two, three = script(held, Drawn(rows((1, 0, 60, 36, 90)), rows((0, 0, 480, 60, 1))), rows((0, 0, 100, 70, 90)))
    assert one.notes.tolist() == [(0, 1800, 120 + 480, 60, 90)]
    assert two.notes.tolist() == [(1, 0, 60, 36, 90)]
    assert (one.number, one.start, three.start, three.start_seconds) == (1, 0, 3840, pytest.approx(4.8))


def test_a_note_that_is_struck_again_ends_there_even_in_a_later_bar() -> None:
    one, two = script(rows((0, 0, 4000, 60, 90)), rows((0, 480 - 16, 480, 60, 80)))
    assert one.notes["duration"].tolist() == [1920 + 480 - 16]
    assert two.notes["onset"].tolist() == [480 - 16]


def test_a_note_ends_with_the_fourth_bar_at_the_latest() -> None:
    ring = Drawn(rows((1, 0, 10, 36, 90)), rows((0, 0, 1920, 60, 1)))
    first, *_ = script(rows((0, 960, 960, 60, 90)), *[ring] * 7)
    assert first.notes["duration"].tolist() == [BARS_HELD * 1920 - 960]


def test_an_early_note_stays_early_but_not_before_the_stream_begins() -> None:
    early = rows((0, -16, 100, 60, 90))
    one, two = script(early, early)
    assert (one.notes["onset"].tolist(), two.notes["onset"].tolist()) == ([0], [-16])
    assert EARLY_TICKS >= 16


def test_nothing_overlaps_whatever_is_drawn() -> None:
    chance = np.random.default_rng(0)
    bars = []
    for _ in range(60):
        count = int(chance.integers(0, 12))
        drawn = np.zeros(count, NOTE)
        drawn["part"], drawn["pitch"] = chance.integers(0, 2, count), chance.integers(60, 63, count)
        drawn["onset"], drawn["duration"] = chance.integers(-20, 1900, count), chance.integers(1, 9000, count)
        drawn["velocity"] = 90
        _, first = np.unique(drawn[["part", "onset", "pitch"]], return_index=True)
        bars.append(drawn[np.sort(first)])
    until: dict[tuple[int, int], int] = {}
    total = 0
    for bar in script(*bars):
        for part, onset, duration, pitch, _ in bar.notes.tolist():
            assert duration >= 1
            assert bar.start + onset >= until.get((part, pitch), 0)
            until[part, pitch] = bar.start + onset + duration
        total += len(bar.notes)
    assert total == sum(map(len, bars))


def test_a_window_is_known_from_its_last_bar_on_and_only_whole() -> None:
    heard = Unheard()
    for bar in range(8):
        assert heard.is_new(bytes([bar]))
        heard.add(bytes([bar]))
    for bar in range(7):
        heard.add(bytes([bar]))
    assert not heard.is_new(bytes([7]))
    assert heard.is_new(bytes([8]))
    assert heard.windows == 8


def test_feel_and_velocity_do_not_make_a_bar_new() -> None:
    plain, felt = rows((0, 0, 480, 60, 90), (0, 480, 9, 62, 90)), rows((0, -16, 1, 60, 20), (0, 492, 480, 62, 99))
    assert bar_hash(bar_cells(plain)) == bar_hash(bar_cells(felt))
    assert bar_cells(plain) != bar_cells(rows((0, 0, 480, 60, 90), (0, 520, 9, 62, 90)))
    assert bar_hash(bar_cells(plain)) != bar_hash(bar_cells(plain[:1]))


def test_music_stands_still_when_a_bar_is_like_too_many_of_the_latest() -> None:
    still = Standstill()
    for change in range(5):
        assert not still.is_stuck(frozenset(range(8)))
        still.add(frozenset(range(7)) | {100 + change})
    assert still.is_stuck(frozenset(range(8)))
    assert not still.is_stuck(frozenset(range(4)))
    assert not still.is_stuck(frozenset())
    for bar in range(16):
        still.add(frozenset({bar}))
    assert not still.is_stuck(frozenset(range(8)))


@pytest.mark.parametrize("lookback", [False, True])
def test_a_chain_that_knows_one_bar_never_plays_eight_bars_twice(
    lookback: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unheard, "MOST_ALIKE", unheard.LATEST_BARS)  # or it would hardly come to that
    seen = set()
    recent: list[bytes] = []
    again = 0
    for bar in islice(melody_bars(melody_bundle(np.tile(PRIMER, 12), lookback=lookback)), 60 if lookback else 200):
        recent = [*recent[-7:], bar.notes[["onset", "pitch"]].tobytes()]
        if len(recent) == 8:
            window = b"|".join(recent)
            assert window not in seen
            seen.add(window)
        again += bar.attempts > 1
    assert again > 5


def test_a_chain_that_knows_one_bar_is_made_to_play_others() -> None:
    bars = [bar_cells(bar.notes) for bar in islice(melody_bars(melody_bundle(np.tile(PRIMER, 12))), 24)]
    assert max(map(bars.count, bars)) < 12


def test_a_bundle_that_knows_nothing_else_says_so_instead_of_repeating() -> None:
    playable = np.zeros(38, bool)
    playable[0] = True
    line = Line(np.empty(0, np.int64), 0, 16, playable)
    with pytest.raises(InfeasibleCanvas, match="raise the temperature"):
        list(islice(melody_bars(melody_bundle(np.tile(PRIMER, 4)), line=line), 40))


@pytest.mark.parametrize("bundle", [melody_bundle(np.tile(PRIMER, 4)), net_bundle(), net_bundle(False, 0)])
def test_the_same_seed_gives_the_same_bars_and_another_others(bundle: Bundle) -> None:
    free = Sampling(temperature=1.0)
    one, two, other = (
        [bar.notes.tolist() for bar in islice(melody_bars(bundle, free, seed), 12)] for seed in (5, 5, 6)
    )
    assert one == two
    assert one != other


@pytest.mark.parametrize("steps_per_bar", [12, 16])
@pytest.mark.parametrize("lookback", [False, True])
def test_a_codec_sees_no_difference_in_a_past_that_was_trimmed(lookback: bool, steps_per_bar: int) -> None:
    codec = MelodyCodec(lookback=lookback)
    chance = np.random.default_rng(0)
    whole = np.zeros(0, np.int64)
    short = whole
    for bar in range(40):
        silent = bar % 20 >= 10
        new = np.where(chance.random(steps_per_bar) < 0.5 * (not silent), chance.integers(1, 38, steps_per_bar), 0)
        for event in new:
            assert np.array_equal(codec.look_next(short, steps_per_bar), codec.look_next(whole, steps_per_bar))
            assert np.array_equal(codec.allowed(short, steps_per_bar), codec.allowed(whole, steps_per_bar))
            for label in range(codec.events, codec.labels):
                assert codec.event(label, short, steps_per_bar) == codec.event(label, whole, steps_per_bar)
            whole, short = np.append(whole, event), np.append(short, event)
        short = trim(short, steps_per_bar)
        assert len(short) < 6 * steps_per_bar


def test_a_stream_of_a_net_is_what_the_net_would_play_in_one_go() -> None:
    bundle = net_bundle()
    line = Line(PRIMER, 16 * 12, 16)
    events = play_events(bundle, line, SAFE, np.random.default_rng(0))[0]
    frame = Song(parts=(Part("Flute", 73),), length=1920)
    whole = MelodyCodec(lookback=True).decode(np.concatenate((PRIMER, events)), frame).notes
    whole = whole[whole["onset"] >= 1920]
    station = tune_line(bundle, frame, line, 0)
    heard = []
    for _ in range(12):
        drawn, station = station.play(SAFE, np.random.default_rng(0), 0)
        heard.append(drawn.notes["pitch"])
    assert np.array_equal(np.concatenate(heard), whole["pitch"])


def test_a_band_plays_on_the_air_what_it_plays_on_a_canvas(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    canvas = blank_canvas(bundle, 6, np.random.default_rng(3))
    canvas = replace(canvas, again={}, pace={})  # on the air there is no end, and so no form
    whole = fill(bundle, canvas, SAFE, np.random.default_rng(0))[0].notes
    station: Any = tune_notes(bundle, canvas, last_bar(canvas.song))
    heard = []
    for bar in range(6):
        drawn, station = station.play(SAFE, np.random.default_rng(0), 0)
        notes = drawn.notes.copy()
        notes["onset"] = np.maximum(notes["onset"] + bar * canvas.song.meter.bar_ticks, 0)
        heard.append(notes)
    found = np.sort(np.concatenate(heard), order=("onset", "part", "pitch"))
    assert len(whole)
    for column in ("part", "pitch", "velocity"):
        assert np.array_equal(found[column], whole[column])
    assert np.array_equal(found["onset"], whole["onset"])


def test_what_a_band_remembers_does_not_grow(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_notes, "ROWS_REMEMBERED", 20)
    bundle = load_bundle(tiny_bundle)
    canvas = blank_canvas(bundle, 1, np.random.default_rng(3))
    station: Any = tune_notes(bundle, canvas, last_bar(canvas.song))
    rows = 0
    for bar in range(200):
        free = Sampling(temperature=1.2, temperatures={"time_shift": 0.5})
        drawn, station = station.play(free, np.random.default_rng(bar), 0)
        rows += len(drawn.notes)
        assert station.stream.past.state[0]["count"] < 40
    assert rows > 80


def test_clips_are_chained_and_a_bar_that_may_not_come_again_ends_its_clip() -> None:
    def draw(sampling: Sampling, rng: np.random.Generator, left: Any) -> tuple[Song, int]:
        number = 0 if left is None else left + 1
        notes = [(0, bar * 1920 + 960, 5000, 40 + 10 * number + bar, 90) for bar in range(2)]
        clip = FRAME.replace(length=2 * 1920)
        return clip.with_notes(rows(*notes)).replace(length=2 * 1920), number

    station: Any = ClipStation(FRAME, draw)
    pitches = []
    for attempt in (0, 0, 0, 1, 0):
        drawn, station = station.play(SAFE, np.random.default_rng(0), attempt)
        pitches.append(int(drawn.notes["pitch"][0]))
        assert drawn.notes["onset"].tolist() == [960]
    assert pitches == [40, 41, 50, 60, 61]


def window_bundle(kind: str) -> Bundle:
    codec: Any
    if kind == "pitch-step-duration":
        codec, sizes = PitchStepDurationCodec(), {"window": 4, "width": 8}
    else:
        codec = PitchNameCodec(vocabulary=("C4 6", "D4 12", "E4.G4 30", "rest 9"))
        sizes = {"vocabulary": 4, "window": 4, "width": 8, "hidden": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Bundle(build_model({"name": kind, **sizes}).eval(), codec)


@pytest.mark.parametrize("kind", ["shred", "deeprock"])
def test_a_solo_on_the_air_is_the_one_that_is_played_in_one_go(kind: str) -> None:
    bundle = window_bundle(kind)
    passage = np.array([0, 1, 2, 0])
    frame = Song(parts=(Part("Guitar", 29),), length=1920)
    free, chance = Sampling(temperature=1.0), np.random.default_rng(0)
    played = play_windows(bundle, passage, free, np.random.default_rng(0))
    events = [int(event[0]) for event in islice(played, 99)]
    whole = bundle.codec.decode(np.array(events), frame).notes
    station: Any = tune_window(bundle, frame, passage)
    heard = []
    for bar in range(5):
        drawn, station = station.play(free, chance, 0)
        notes = drawn.notes.copy()
        notes["onset"] += bar * 1920
        assert ((drawn.notes["onset"] >= 0) & (drawn.notes["onset"] < 1920)).all()
        heard.append(notes)
    found = np.concatenate(heard)
    assert np.array_equal(found, whole[: len(found)])
    assert whole["onset"][len(found)] >= 5 * 1920


def test_seconds_become_bars_and_a_net_that_lets_no_time_pass_is_drawn_again() -> None:
    bundle = window_bundle("pitch-step-duration")
    frame = Song(parts=(Part("Piano", 0),), length=1920)
    passage = np.array([(60, 0.2, 0.3)] * 4)
    with torch.no_grad():
        bundle.model.heads.bias[128:] = torch.tensor([0.3, 0.5])
        bundle.model.heads.weight[128:] = 0
    station: Any = tune_window(bundle, frame, passage)
    onsets = []
    for bar in range(4):
        drawn, station = station.play(Sampling(temperature=1.0), np.random.default_rng(bar), 0)
        onsets += (drawn.notes["onset"] + bar * 1920).tolist()
    assert onsets == [round(0.3 * 960 * (note + 1)) for note in range(len(onsets))]
    assert len(onsets) == 26
    with torch.no_grad():
        bundle.model.heads.bias[128] = 0
    stuck = tune_window(bundle, frame, passage)
    with pytest.raises(LimitExceeded, match="time stands still"):
        stuck.play(Sampling(temperature=1.0), np.random.default_rng(0), 0)


def test_a_choir_keeps_to_its_grammar_over_bar_lines_and_begins_anew_after_an_end() -> None:
    codec = ChoraleCodec()
    sizes = {"inputs": codec.inputs, "labels": codec.labels, "width": 8, "layers": 1, "dropout": 0.0}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        bundle = Bundle(build_model({"name": "event-rnn", **sizes}).eval(), codec)
    frame = Song(parts=VOICES, length=1920)
    score = Score(np.full((16, 4), OPEN), 16)
    station: Any = VoiceStation(frame, bundle, score, 2, 1.0, 0)
    bars = list(islice(endless(station, Sampling(temperature=1.0), 0), 12))
    ends: dict[int, int] = {}
    for bar in bars:
        for part, onset, duration, *_ in bar.notes.tolist():
            assert bar.start + onset >= ends.get(part, 0)
            ends[part] = bar.start + onset + duration
    assert any(onset + duration > 1920 for bar in bars for _, onset, duration, *_ in bar.notes.tolist()), (
        "some note is held over a bar line"
    )
    with torch.no_grad():
        bundle.model.output_bias[END] = 50.0
    _, after = station.play(SAFE, np.random.default_rng(0), 0)
    assert after.sung is None

"""Radio: what was announced is in the file, whatever ends it; programs read it bar by bar; bad requests are named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from woodshed.bundle import Bundle, load_bundle
from woodshed.cli.app import run
from woodshed.errors import OutOfRange, UnknownName, UsageError
from woodshed.formats import read_comment, read_midi, write_midi
from woodshed.formats.midi import MidiLimits
from woodshed.formats.midi_stream import MidiStream
from woodshed.formats.repair import Repair
from woodshed.generation.filters import Sampling
from woodshed.music import METER, NOTE, TEMPO, Key, Part, Song, parse_part
from woodshed.recipes import radio as on_air
from woodshed.recipes.material import Material
from woodshed.recipes.radio import JsonLines, MidiFiles, broadcast, check_length, check_output, play_radio
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import train_recipe
from woodshed.recipes.wish import Wish

FRAME = Song(
    parts=(Part("Lead", 29), Part("Kit", 0, is_drum=True), Part("Other lead", 29)),
    tempos=np.array([(0, 97.0)], TEMPO),
    meters=np.array([(0, 3, 4)], METER),
    length=1440,
)
TINY = ["size=tiny", "training.evaluations=1"]


def tune(seed: int) -> Song:
    chance = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11]) + 60
    rows = [(0, beat * 480, 480, int(chance.choice(scale)), 90) for beat in range(32)]
    return Song.make(rows, [Part("Flute", 73)], tempos=[(0, 96.0)], meters=[(0, 4, 4)], title=f"Tune {seed}")


@pytest.fixture(scope="module")
def melodies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain that has learned a few tunes."""
    folder = tmp_path_factory.mktemp("radio") / "markov"
    material = Material([tune(seed) for seed in range(5)], [tune(9)])
    train_recipe(load_recipe("markov", [*TINY, "material.min_bars=2"]), material, folder, steps=2, device="cpu")
    return folder


def drawn(count: int) -> list[Any]:
    """Bars of chance, some notes early and some far longer than the bar, none of a pitch while it sounds."""
    chance = np.random.default_rng(count)
    bars, until = [], {}
    for bar in range(count):
        rows = []
        for pitch in range(60, 60 + int(chance.integers(0, 7))):
            part, onset = int(chance.integers(3)), int(chance.integers(-20 if bar else 0, 1420))
            if bar * 1440 + onset >= until.get((part, pitch), 0):
                duration = int(chance.integers(1, 4000))
                until[part, pitch] = bar * 1440 + onset + duration
                rows.append((part, onset, duration, pitch, 90))
        bars.append(np.sort(np.array(rows, NOTE), order=("onset", "part", "pitch")))
    return bars


def notes_of(song: Song) -> list[tuple[Any, ...]]:
    """Part by name, since a file sorts parts by channel."""
    names = [part.name for part in song.parts]
    return sorted((names[part], *rest) for part, *rest in song.notes.tolist())


def announced(bars: list[Any], frame: Song) -> list[tuple[Any, ...]]:
    """What is in the file then: what rings on ends with the last bar."""
    rows, end = [], len(bars) * frame.meter.bar_ticks
    for number, notes in enumerate(bars):
        for part, onset, duration, *rest in notes.tolist():
            begin = onset + number * frame.meter.bar_ticks
            rows.append((frame.parts[part].name, begin, min(duration, end - begin), *rest))
    return sorted(rows)


def test_the_file_is_complete_after_every_bar(tmp_path: Path) -> None:
    path, bars = tmp_path / "a.mid", drawn(40)
    with MidiStream(path, FRAME, "how it was made") as stream:
        for number, bar in enumerate(bars):
            stream.add(bar, 20)
            repairs: list[Repair] = []
            song = read_midi(path, repairs=repairs)
            assert {repair.kind for repair in repairs} <= {"left-aside-silent-channel"}
            assert notes_of(song) == announced(bars[: number + 1], FRAME)
            assert song.length == (number + 1) * 1440
    assert (song.bpm, str(song.meter), read_comment(path)) == (97.0, "3/4", "how it was made")
    assert {(part.name, part.program, part.is_drum) for part in song.parts} == {
        ("Lead", 29, False), ("Kit", 0, True), ("Other lead", 29, False),
    }  # fmt: skip


def test_more_pitched_parts_than_a_track_has_channels_are_refused(tmp_path: Path) -> None:
    parts = tuple(Part(f"Flute {number}", 73) for number in range(16))
    with pytest.raises(OutOfRange, match="16 pitched parts are more than the 15 channels"):
        MidiStream(tmp_path / "a.mid", FRAME.replace(parts=parts))
    assert not (tmp_path / "a.mid").exists()


def test_no_bar_is_written_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    put = MidiStream._put
    monkeypatch.setattr(MidiStream, "_put", lambda self, data, place: (sizes.append(len(data)), put(self, data, place)))
    with MidiStream(tmp_path / "a.mid", FRAME) as stream:
        for bar in drawn(200):
            stream.add(bar, 20)
    assert max(sizes) < 400
    assert (tmp_path / "a.mid").stat().st_size > 4000


@pytest.mark.parametrize("step", range(5))
def test_a_file_whose_process_was_killed_in_the_middle_of_a_bar_holds_the_bars_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    path, bars, writes = tmp_path / "a.mid", drawn(12), 0
    put = MidiStream._put

    def killed(self: MidiStream, data: bytes, place: int) -> None:
        nonlocal writes
        writes += 1
        if writes == 1 + step // 2 and step % 2:
            put(self, data[: len(data) // 2] if len(data) > 4 else data, place)
        if writes >= 1 + step // 2:
            raise KeyboardInterrupt
        put(self, data, place)

    stream = MidiStream(path, FRAME)
    for bar in bars[:-1]:
        stream.add(bar, 20)
    whole = announced(bars[:-1], FRAME)
    monkeypatch.setattr(MidiStream, "_put", killed)
    with pytest.raises(KeyboardInterrupt):
        stream.add(bars[-1], 20)
    stream.close()
    found = {(part, onset, pitch) for part, onset, _, pitch, _ in notes_of(read_midi(path))}
    assert found >= {(part, onset, pitch) for part, onset, _, pitch, _ in whole if onset < 11 * 1440 - 20}


def test_a_long_stream_goes_on_in_another_file(melodies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("woodshed.formats.midi_stream.MOST_TICKS", 20 * 1920)
    radio = play_radio(load_bundle(melodies), seed=1)
    receiver = MidiFiles(tmp_path / "a.mid", radio)
    tally = broadcast(radio, receiver, Event(), bars=30)
    assert [path.name for path in receiver.paths] == ["a.mid", "a-2.mid", "a-3.mid"]
    assert sum(len(read_midi(path)) for path in receiver.paths) == tally.notes > 30


def test_lines_of_json_are_the_song_that_the_file_is(melodies: Path, tmp_path: Path) -> None:
    bundle, out = load_bundle(melodies), StringIO()
    radio = play_radio(bundle, seed=3)
    broadcast(radio, JsonLines(out, radio), Event(), bars=12)
    radio = play_radio(bundle, seed=3)
    broadcast(radio, MidiFiles(tmp_path / "a.mid", radio), Event(), bars=12)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["bar"] for line in lines] == list(range(1, 13))
    assert lines[4]["start_seconds"] == pytest.approx(4 * 4 * 60 / 96)
    assert (lines[0]["tempo"], lines[0]["meter"], lines[0]["parts"][0]["program"]) == (96.0, "4/4", 73)
    rows = [
        (begin, min(note["duration"], 12 * 1920 - begin), note["pitch"], note["velocity"])
        for line in lines
        for note in line["notes"]
        for begin in [line["start_tick"] + note["onset"]]
    ]
    song = read_midi(tmp_path / "a.mid")
    assert sorted(rows) == sorted(song.notes[["onset", "duration", "pitch", "velocity"]].tolist())
    assert json.loads(read_comment(tmp_path / "a.mid") or "")["seed"] == 3


def test_a_reader_that_goes_away_ends_it_quietly(melodies: Path) -> None:
    command = [sys.executable, "-m", "woodshed", "radio", str(melodies), "--json-lines", "--seed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.stdout.close()
        said = process.stderr.read()
    assert [line["bar"] for line in lines] == [1, 2, 3]
    assert "Traceback" not in said
    assert "error" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_file_is_complete_whatever_ends_the_process(melodies: Path, tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.mid"
    command = [sys.executable, "-m", "woodshed", "radio", str(melodies), "-o", str(path), "--seed", "1", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (path.exists() and path.stat().st_size > 3000) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, number)
        out, said = process.communicate(timeout=60)
    song = read_midi(path)
    bars = song.length // 1920
    assert bars > 20
    if number == signal.SIGKILL:
        return
    assert process.returncode == 0, said
    facts = json.loads(out)
    assert facts["files"] == [str(path)]
    assert (facts["notes"], facts["seed"]) == (len(song), 1)
    assert facts["bars"] <= bars <= facts["bars"] + 3
    radio = play_radio(load_bundle(melodies), seed=1)
    told = [bar.notes for bar in islice(radio.bars, facts["bars"])]
    assert notes_of(song) == announced(told, radio.frame)


def test_the_same_seed_is_the_same_radio_and_wishes_are_kept(melodies: Path, tiny_bundle: Path) -> None:
    bundle = load_bundle(melodies)
    one, two, other = (
        [bar.notes.tolist() for bar in islice(play_radio(bundle, seed=seed).bars, 10)] for seed in (1, 1, 2)
    )
    assert one == two != other
    wish = Wish(bars=1, key=Key.parse("F minor"), bpm=140.0, parts=(parse_part("piano"),))
    radio = play_radio(bundle, wish, Sampling(temperature=1.3), seed=1)
    assert (radio.frame.bpm, radio.frame.parts[0].program) == (140.0, 0)
    pitches = np.concatenate([bar.notes["pitch"] for bar in islice(radio.bars, 20)])
    assert set((pitches % 12).tolist()) <= set(Key.parse("F minor").pitch_classes)
    band: Bundle = load_bundle(tiny_bundle)
    radio = play_radio(band, Wish(bars=1, bpm=150.0, polyphony=1), seed=2)
    sounding: dict[int, int] = {}
    for bar in islice(radio.bars, 30):
        for part, onset, duration, *_ in bar.notes.tolist():
            if not radio.frame.parts[part].is_drum:
                assert bar.start + onset >= sounding.get(part, 0)
                sounding[part] = bar.start + onset + duration


def test_a_primer_is_gone_on_from_and_not_played(melodies: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    write_midi(tune(3), tmp_path / "primer.mid")
    for bundle in (melodies, tiny_bundle):
        code = run(["radio", str(bundle), "-o", str(tmp_path / "a.mid"), "--bars", "6", "--seed", "1", "--force",
                    "--primer", str(tmp_path / "primer.mid")])  # fmt: skip
        assert code == 0
        song = read_midi(tmp_path / "a.mid")
        assert song.bpm == 96.0
        assert 6 <= song.bars <= 9
    assert (
        run(["radio", str(melodies), "-o", str(tmp_path / "b.mid"), "--bars", "2", "--primer-melody", "[60,-2,64]"])
        == 0
    )


@pytest.mark.parametrize("option", ["--tempo 90", "--meter 3/4", "--parts bass"])
def test_what_follows_a_primer_keeps_its_frame(
    option: str, melodies: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_midi(tune(3), tmp_path / "primer.mid")
    for bundle in (melodies, tiny_bundle):
        code = run(
            [
                "radio",
                str(bundle),
                "-o",
                str(tmp_path / "a.mid"),
                "--primer",
                str(tmp_path / "primer.mid"),
                *option.split(),
            ]
        )
        assert code == 2
        assert f"the primer's own {option[2:].split()[0]}" in capsys.readouterr().err
    assert not (tmp_path / "a.mid").exists()


def test_pace_keeps_to_the_clock_and_stops_when_told(melodies: Path) -> None:
    waits: list[float] = []

    class Clock:
        def __init__(self) -> None:
            self.paths: list[Path] = []
            self.bars = 0

        def take(self, bar: on_air.Bar) -> None:
            self.bars += 1

        def close(self) -> None: ...

    class Told(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return len(waits) > 7

    radio, receiver, stop = play_radio(load_bundle(melodies), seed=1), Clock(), Told()
    tally = broadcast(radio, receiver, stop, pace=True)
    assert tally.bars == receiver.bars == 7
    assert waits[:5] == [0.0] * 5
    assert 2.0 < waits[5] <= 2.5


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("-o a.xyz", 2, ".mid, .midi, .wav, .flac, .ogg; or - for JSON"),
        ("-o there.mid", 2, "--force"),
        ("-o a.mid --bars 0", 2, "bars 0 is outside 1-"),
        ("-o a.mid --json-lines", 2, "not both"),
        ("", 2, "--json-lines"),
        ("-o a.mid --tempo 0", 2, "tempo 0"),
        ("-o a.mid --seed -1", 2, "seed -1 is outside"),
        ("-o a.mid --polyphony 2", 2, "polyphony"),
        ("-o a.mid --primer no.mid", 1, "no.mid"),
        ("-o a.mid --primer there.mid --primer-melody [60]", 2, "not both"),
    ],
)
def test_what_cannot_be_is_named_before_anything_is_played(
    melodies: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.mid").write_bytes(b"mine")
    assert run(["radio", str(melodies), *arguments.split()]) == code
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.mid"]
    assert Path("there.mid").read_bytes() == b"mine"


def test_limits_are_those_of_the_reader() -> None:
    from woodshed.formats import midi_stream

    assert MidiLimits().max_quarters * 480 == midi_stream.MOST_TICKS
    assert MidiLimits().max_bytes > midi_stream.MOST_BYTES
    with pytest.raises(OutOfRange, match="1-"):
        check_length(0)
    with pytest.raises(UnknownName, match="ending"):
        check_output(Path("a.mp3"), force=False)
    check_output(Path("-"), force=False)


def test_what_has_no_meaning_without_an_end_is_refused(melodies: Path) -> None:
    with pytest.raises(UsageError, match="--steps"):
        play_radio(load_bundle(melodies), Wish(bars=1, steps=12), seed=1)

"""Sound that grows is that of a song rendered whole, whatever rings over bar lines; a WAV file is always valid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from woodshed.errors import FileError, UnknownName
from woodshed.music import METER, NOTE, TEMPO, Part, Song
from woodshed.rendering.sound import render_audio
from woodshed.rendering.sound_stream import FIRST_LEVEL, SoundStream, WavWriter
from woodshed.rendering.synth_stream import SynthStream

RATE = 9600
"""Eight samples to the tick at this tempo; elsewhere a voice may begin a sample sooner or later than in one go."""
FRAME = Song(
    parts=(Part("Piano", 0), Part("Kit", 0, is_drum=True)),
    tempos=np.array([(0, 150.0)], TEMPO),
    meters=np.array([(0, 4, 4)], METER),
    length=1920,
)
BARS = [
    np.array([(0, 0, 480, 60, 100), (1, 1800, 480, 46, 100)], NOTE),  # an open hi-hat, which the next bar closes
    np.array([(0, -16, 4000, 64, 90), (1, 0, 120, 42, 100)], NOTE),
    np.zeros(0, NOTE),
    np.array([(0, 960, 1900, 67, 90), (1, 1910, 100, 38, 90)], NOTE),
]


def whole() -> Song:
    rows = []
    for number, notes in enumerate(BARS):
        moved = notes.copy()
        moved["onset"] += number * 1920
        rows.append(moved)
    return FRAME.replace(length=4 * 1920).with_notes(np.concatenate(rows))


def test_bars_sound_as_the_whole_song_does(tiny_font: Path) -> None:
    from woodshed.rendering.soundfont import read_soundfont

    stream = SynthStream(FRAME, read_soundfont(tiny_font), RATE, 20)
    blocks = [block for bar in BARS for block in stream.add(bar)]
    sound = np.concatenate([*blocks, *stream.end()])
    truth = render_audio(whole(), sample_rate=RATE, soundfont=tiny_font, engine="woodshed", tail_seconds=1.0)
    assert np.abs(truth).max() > 0.01
    shared = min(len(sound), len(truth))
    np.testing.assert_allclose(sound[:shared], truth[:shared], atol=2e-3)


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_the_file_holds_all_bars_and_what_rings_on_at_one_level(tiny_font: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    with SoundStream(path, FRAME, 20, sample_rate=RATE, soundfont=tiny_font) as stream:
        for bar in BARS * 3:
            stream.add(bar)
    sound, rate = soundfile.read(path)
    assert rate == RATE
    assert len(sound) >= 12 * 1.6 * RATE
    assert 0.05 < np.abs(sound).max() <= 0.95
    assert stream.level <= FIRST_LEVEL


def test_a_wav_file_can_be_read_at_any_time(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    writer = WavWriter(path, RATE)
    assert soundfile.info(path).frames == 0
    for _ in range(3):
        writer.write(np.full((100, 2), 0.5, np.float32))
        before = soundfile.info(path).frames
        writer.flush()
        assert soundfile.info(path).frames == before + 100
    sound, _ = soundfile.read(path)
    assert np.abs(sound - 0.5).max() < 1e-4
    writer.close()


def test_past_four_gibibytes_a_wav_file_says_so_in_64_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    writer = WavWriter(path, RATE)
    writer.size = 1 << 33
    writer.file.truncate(80 + writer.size)  # sparse: no room is taken
    writer.close()
    info = soundfile.info(path)
    assert (info.format, info.frames) == ("RF64", (1 << 33) // 4)


def test_what_cannot_be_written_is_named(tiny_font: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"\.wav, \.flac, \.ogg"):
        SoundStream(tmp_path / "a.mp3", FRAME, 20, soundfont=tiny_font)
    for ending in ("wav", "flac"):
        with pytest.raises(FileError, match=f"no/a.{ending}"):
            SoundStream(tmp_path / "no" / f"a.{ending}", FRAME, 20, soundfont=tiny_font)

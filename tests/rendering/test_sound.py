"""Sound: our own player on a sine, its controllers, the files, and FluidSynth beside it where it is installed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from woodshed.errors import FileError, FormatError, LimitExceeded, OutOfRange, UnknownName
from woodshed.music import Part, Song
from woodshed.rendering import fluidsynth
from woodshed.rendering.performance import key_up_ticks
from woodshed.rendering.sound import FORMATS, audio_blocks, render_audio, write_audio
from woodshed.rendering.synth import BLOCK_SAMPLES

RATE = 44100
DRY = (0, 0, 91, 0)
"""No reverb for part 0."""


def one_note(pitch: int = 69, velocity: int = 127, quarters: float = 2.0, **rest: Any) -> Song:
    """A single note at 120, dry, one second for two quarters."""
    rest["controls"] = [DRY, *rest.get("controls", [])]
    return Song.make([(0, 0, int(quarters * 480), pitch, velocity)], [Part("Sine", 0)], **rest)


def play(song: Song, font: Path, **rest: Any) -> np.ndarray:
    return render_audio(song, soundfont=font, engine="woodshed", **rest)


def pitch_of(sound: np.ndarray, start: float, end: float) -> float:
    """Hertz of the strongest frequency between two seconds."""
    piece = sound[int(start * RATE) : int(end * RATE)].mean(axis=1)
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 18))
    return float(spectrum.argmax() * RATE / (1 << 18))


def loudness(sound: np.ndarray, start: float, end: float) -> float:
    """Root mean square between two seconds."""
    return float(np.sqrt((sound[int(start * RATE) : int(end * RATE)] ** 2).mean()))


@pytest.mark.parametrize(("pitch", "hertz"), [(69, 440.0), (57, 220.0), (84, 1046.5)])
def test_a_note_sounds_at_its_pitch(tiny_font: Path, pitch: int, hertz: float) -> None:
    assert pitch_of(play(one_note(pitch), tiny_font), 0.1, 0.9) == pytest.approx(hertz, rel=5e-4)


def test_a_full_bend_moves_the_pitch_by_two_semitones(tiny_font: Path) -> None:
    sound = play(one_note(bends=[(0, 480, 8191)]), tiny_font)
    assert pitch_of(sound, 0.1, 0.45) == pytest.approx(440.0, rel=1e-3)
    assert pitch_of(sound, 0.55, 0.9) == pytest.approx(493.88, rel=1e-3)


def test_a_part_may_widen_its_bend_range(tiny_font: Path) -> None:
    controls = [(0, 0, 101, 0), (0, 0, 100, 0), (0, 0, 6, 12)]
    sound = play(one_note(bends=[(0, 0, 8191)], controls=controls), tiny_font)
    assert pitch_of(sound, 0.1, 0.9) == pytest.approx(880.0, rel=1e-3)


def test_the_wheel_adds_vibrato(tiny_font: Path) -> None:
    sound = play(one_note(controls=[(0, 0, 1, 127)]), tiny_font)
    pitches = [pitch_of(sound, start, start + 0.03) for start in np.arange(0.2, 0.8, 0.02)]
    assert 10 < np.ptp(1200 * np.log2(pitches)) < 120


def test_a_note_ends_when_its_key_goes_up(tiny_font: Path) -> None:
    sound = play(one_note(quarters=1), tiny_font)
    assert loudness(sound, 0.1, 0.5) > 0.01
    assert loudness(sound, 0.6, 1.0) < 1e-5


def test_the_pedal_keeps_a_note_sounding(tiny_font: Path) -> None:
    sound = play(one_note(quarters=1, controls=[(0, 100, 64, 127), (0, 960, 64, 0)], length=1920), tiny_font)
    assert loudness(sound, 0.6, 0.95) == pytest.approx(loudness(sound, 0.1, 0.45), rel=0.02)
    assert loudness(sound, 1.1, 1.5) < 1e-5


def test_the_pedal_and_a_new_stroke_decide_when_keys_go_up() -> None:
    notes = [(0, 0, 100, 60, 90), (0, 50, 400, 60, 90), (0, 0, 100, 64, 90), (0, 600, 100, 64, 90)]
    song = Song.make(notes, [Part()], controls=[(0, 90, 64, 127), (0, 500, 64, 0)], length=1000)
    assert dict(zip(song.notes.tolist(), key_up_ticks(song).tolist(), strict=True)) == {
        (0, 0, 100, 60, 90): 50, (0, 50, 400, 60, 90): 500, (0, 0, 100, 64, 90): 500, (0, 600, 100, 64, 90): 700,
    }  # fmt: skip


def test_volume_velocity_and_expression_follow_the_square(tiny_font: Path) -> None:
    full = loudness(play(one_note(controls=[(0, 0, 7, 127)]), tiny_font), 0.1, 0.9)
    half = (64 / 127) ** 2
    for song in (
        one_note(controls=[(0, 0, 7, 64)]),
        one_note(controls=[(0, 0, 7, 127), (0, 0, 11, 64)]),
        one_note(velocity=64, controls=[(0, 0, 7, 127)]),
    ):
        assert loudness(play(song, tiny_font), 0.1, 0.9) == pytest.approx(full * half, rel=0.01)


def test_volume_may_change_while_a_note_sounds(tiny_font: Path) -> None:
    sound = play(one_note(controls=[(0, 0, 7, 127), (0, 480, 7, 32)]), tiny_font)
    assert loudness(sound, 0.6, 0.9) == pytest.approx(loudness(sound, 0.1, 0.4) * (32 / 127) ** 2, rel=0.01)


@pytest.mark.parametrize(("pan", "left", "right"), [(0, 1.0, 0.0), (64, 0.7071, 0.7071), (127, 0.0, 1.0)])
def test_pan_places_a_part_with_equal_power(tiny_font: Path, pan: int, left: float, right: float) -> None:
    sound = play(one_note(controls=[(0, 0, 10, pan)]), tiny_font)
    levels = [loudness(sound[:, channel : channel + 1], 0.1, 0.9) for channel in (0, 1)]
    np.testing.assert_allclose(np.array(levels) / np.hypot(*levels), [left, right], atol=0.02)


def test_a_closed_hi_hat_cuts_an_open_one(tiny_font: Path) -> None:
    parts = [Part("Drums", is_drum=True)]
    alone = play(Song.make([(0, 0, 1920, 46, 100)], parts, controls=[DRY]), tiny_font)
    cut = play(Song.make([(0, 0, 1920, 46, 100), (0, 480, 10, 42, 100)], parts, controls=[DRY]), tiny_font)
    assert loudness(alone, 1.5, 1.9) > 0.01
    assert loudness(cut, 1.5, 1.9) < 0.001 * loudness(alone, 1.5, 1.9)


def test_a_low_pass_takes_the_treble(builder: ModuleType, tmp_path: Path) -> None:
    for name, cutoff in (("open", 13500), ("shut", 6900)):  # 20 kHz and 440 Hz
        preset = builder.Preset(0, 0, [builder.Zone(0, {54: 1, 8: cutoff})])
        wave = builder.sine(441.0) // 2 + builder.sine(4410.0) // 2
        (tmp_path / f"{name}.sf2").write_bytes(builder.build_soundfont([preset], [wave]))
    shares = []
    for name in ("open", "shut"):
        spectrum = np.abs(np.fft.rfft(play(one_note(), tmp_path / f"{name}.sf2")[:RATE, 0]))
        shares.append(spectrum[4300:4500].max() / spectrum[400:480].max())
    assert shares[0] == pytest.approx(1.0, rel=0.2)
    assert shares[1] < 0.03


def test_envelopes_rise_and_fall_in_their_time(builder: ModuleType, tmp_path: Path) -> None:
    generators = {54: 1, 34: 0, 36: 0, 37: 1000}  # attack 1 s, decay 96 dB in 1 s, sustain none
    preset = builder.Preset(0, 0, [builder.Zone(0, generators)])
    (tmp_path / "slow.sf2").write_bytes(builder.build_soundfont([preset], [builder.sine()]))
    sound = play(one_note(quarters=6), tmp_path / "slow.sf2")
    assert loudness(sound, 0.49, 0.51) == pytest.approx(0.5 * loudness(sound, 0.99, 1.0), rel=0.05)
    fall = 20 * np.log10(loudness(sound, 1.1, 1.12) / loudness(sound, 1.3, 1.32))
    assert fall == pytest.approx(0.2 * 96, abs=1.0)
    assert loudness(sound, 2.2, 3.0) == 0.0


def test_reverb_rings_after_a_dry_note_is_over(tiny_font: Path) -> None:
    wet = render_audio(one_note(quarters=1, controls=[(0, 1, 91, 127)]), soundfont=tiny_font, engine="woodshed")
    assert loudness(wet, 0.6, 0.8) == pytest.approx(0.0, abs=1e-6)  # the send is read where the note starts
    wet = play(Song.make([(0, 0, 480, 69, 127)], [Part()], controls=[(0, 0, 91, 127)]), tiny_font)
    assert 1e-4 < loudness(wet, 0.6, 0.8) < 0.3 * loudness(wet, 0.1, 0.4)


def test_blocks_join_without_a_seam(tiny_font: Path) -> None:
    sound = play(one_note(quarters=8), tiny_font)[:, 0]
    steps = np.abs(np.diff(sound[RATE // 10 : 3 * RATE]))
    assert steps.max() < 1.3 * np.median(np.sort(steps)[-2000:])
    assert BLOCK_SAMPLES < 3 * RATE


def test_a_note_longer_than_its_kept_tone_goes_on_alike(tiny_font: Path) -> None:
    sound = play(one_note(quarters=24), tiny_font)  # 12 seconds, kept for 8
    assert pitch_of(sound, 8.5, 11.5) == pytest.approx(440.0, rel=5e-4)
    assert loudness(sound, 8.5, 11.5) == pytest.approx(loudness(sound, 1.0, 4.0), rel=0.01)
    assert np.abs(np.diff(sound[7 * RATE : 9 * RATE, 0])).max() < 0.02


def test_no_notes_give_silence_of_the_right_length(tiny_font: Path) -> None:
    sound = play(Song(length=960), tiny_font, tail_seconds=0.5)
    assert sound.shape == (int(1.5 * RATE), 2)
    assert not sound.any()
    assert sound.dtype == np.float32


@pytest.mark.parametrize("amount", [-32768, -12001, 0, 12000, 32767])
def test_any_amount_of_any_generator_gives_finite_sound(builder: ModuleType, tmp_path: Path, amount: int) -> None:
    song = one_note(quarters=0.5, bends=[(0, 100, 8000)])
    for kind in set(range(61)) - {41, 43, 44, 53}:
        preset = builder.Preset(0, 0, [builder.Zone(0, {54: 1, kind: amount})])
        (tmp_path / "odd.sf2").write_bytes(builder.build_soundfont([preset], [builder.sine(seconds=0.05)]))
        assert np.isfinite(play(song, tmp_path / "odd.sf2", tail_seconds=0.1)).all(), kind


def test_same_song_same_samples(band_song: Song, tiny_font: Path) -> None:
    np.testing.assert_array_equal(play(band_song, tiny_font), play(band_song, tiny_font))


def test_progress_runs_to_the_end(band_song: Song, tiny_font: Path) -> None:
    shares: list[float] = []
    play(band_song, tiny_font, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize("suffix", list(FORMATS))
def test_each_format_can_be_read_back(band_song: Song, tiny_font: Path, tmp_path: Path, suffix: str) -> None:
    import soundfile

    path = tmp_path / f"song{suffix}"
    write_audio(band_song, path, soundfont=tiny_font, engine="woodshed")
    sound, rate = soundfile.read(path)
    assert rate == RATE
    assert len(sound) == pytest.approx((band_song.length_seconds + 2.0) * RATE, abs=3000)
    assert np.abs(sound).max() == pytest.approx(10 ** (-1 / 20), abs=0.08)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_long_ogg_is_written_in_blocks(tmp_path: Path) -> None:
    import soundfile

    hum = np.tile(np.sin(np.arange(RATE) * 0.05).astype(np.float32), 180)  # three minutes; one write would crash
    write_audio(hum, tmp_path / "long.ogg", sample_rate=RATE)
    assert soundfile.info(tmp_path / "long.ogg").frames == len(hum)


def test_silence_is_written_as_silence_and_clipping_is_a_choice(tmp_path: Path) -> None:
    import soundfile

    write_audio(np.zeros(1000, np.float32), tmp_path / "silence.wav")
    assert not soundfile.read(tmp_path / "silence.wav")[0].any()
    write_audio(np.full(1000, 3.0, np.float32), tmp_path / "loud.wav", normalise=False)
    assert soundfile.read(tmp_path / "loud.wav")[0].max() == pytest.approx(1.0, abs=1e-3)


def test_a_failure_leaves_the_old_file_alone(tiny_font: Path, tmp_path: Path) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(b"old")

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_audio(one_note(), path, soundfont=tiny_font, engine="woodshed", progress=interrupted)
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["song.wav"]


def test_bad_requests_are_named(tiny_font: Path, tmp_path: Path) -> None:
    song = one_note()
    with pytest.raises(UnknownName, match=r"\.wav, \.flac, \.ogg, \.mp3"):
        write_audio(song, tmp_path / "song.aac", soundfont=tiny_font)
    with pytest.raises(UnknownName, match="auto, fluidsynth, woodshed"):
        render_audio(song, soundfont=tiny_font, engine="casio")
    with pytest.raises(OutOfRange, match="8000-96000"):
        render_audio(song, soundfont=tiny_font, sample_rate=10)
    with pytest.raises(OutOfRange, match="MP3"):
        write_audio(song, tmp_path / "song.mp3", soundfont=tiny_font, sample_rate=96000)
    with pytest.raises(OutOfRange, match="0-60"):
        render_audio(song, soundfont=tiny_font, tail_seconds=-1)
    with pytest.raises(FileError, match=r"none\.sf2"):
        render_audio(song, soundfont=tmp_path / "none.sf2")
    with pytest.raises(FileError, match="nowhere"):
        write_audio(song, tmp_path / "nowhere" / "song.wav", soundfont=tiny_font)
    with pytest.raises(LimitExceeded, match="MAX_SECONDS"):
        render_audio(Song(length=2**31 - 1), soundfont=tiny_font)


def test_an_hour_is_rendered_block_by_block(tiny_font: Path) -> None:
    notes = [(0, second * 960, 480, 60 + second % 12, 90) for second in range(0, 3600, 30)]
    song = Song.make(notes, [Part()], length=3600 * 960)
    blocks = audio_blocks(song, soundfont=tiny_font, engine="woodshed")
    sizes = [len(next(blocks)) for _ in range(20)]
    assert sizes == [BLOCK_SAMPLES] * 20


def needs_fluidsynth() -> None:
    if not fluidsynth.is_available():
        pytest.skip("the FluidSynth library is not installed")


def test_fluidsynth_plays_the_same_pitch_as_loud(tiny_font: Path) -> None:
    needs_fluidsynth()
    ours, theirs = (
        render_audio(one_note(), soundfont=tiny_font, engine=engine) for engine in ("woodshed", "fluidsynth")
    )
    assert ours.shape == theirs.shape
    assert pitch_of(theirs, 0.1, 0.9) == pytest.approx(440.0, rel=1e-3)
    assert loudness(ours, 0.1, 0.9) == pytest.approx(loudness(theirs, 0.1, 0.9), rel=0.06)


def test_fluidsynth_names_a_font_that_it_cannot_load(tmp_path: Path) -> None:
    needs_fluidsynth()
    (tmp_path / "text.sf2").write_text("no font")
    with pytest.raises(FormatError, match=r"text\.sf2"):
        render_audio(one_note(), soundfont=tmp_path / "text.sf2", engine="fluidsynth")


def test_without_fluidsynth_our_own_engine_plays(tiny_font: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fluidsynth, "_library", lambda: None)
    np.testing.assert_array_equal(render_audio(one_note(), soundfont=tiny_font), play(one_note(), tiny_font))


def test_real_band_music_is_played(data_folder: Path, tiny_font: Path) -> None:
    from woodshed.formats import read_midi

    path = sorted((data_folder / "band").rglob("*.mid"))[0]
    song = read_midi(path)
    song = (song[0] if isinstance(song, tuple) else song).slice(0, 8 * 1920)
    assert np.abs(play(song, tiny_font)).max() > 0.01

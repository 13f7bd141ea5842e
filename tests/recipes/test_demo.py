"""The demo, end to end on a small made corpus: all that it writes is there, whole, and comes again with its seed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import load_bundle
from woodshed.corpus import classics
from woodshed.errors import MissingDependency, OutputExists
from woodshed.formats import read_comment, read_midi, write_midi
from woodshed.music import Key, Part, Song
from woodshed.recipes import demo_music
from woodshed.recipes.demo import DemoListener, DemoOptions, DemoResult, run_demo
from woodshed.recipes.demo_clips import MARK, key_of, manners, primer_of
from woodshed.recipes.likeness import RealMusic, consonance, ends_at_home
from woodshed.recipes.runs import Listener
from woodshed.rendering import sound

NAMES = ("band", "clip-1", "clip-2", "clip-3", "continuation")
TINY = ("size=tiny", "training.length=64", "training.batch=2")


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five tunes of 16 bars for two instruments and drums, each with its own intervals."""
    folder = tmp_path_factory.mktemp("music")
    for number in range(5):
        rng = np.random.default_rng(number)
        steps = rng.integers(0, 7, (16, 4))
        scale = np.array((0, 2, 4, 5, 7, 9, 11)) + 60 + number
        notes = [
            (0, bar * 1920 + beat * 480, 400, int(scale[steps[bar, beat]]), 90)
            for bar in range(16)
            for beat in range(4)
        ]
        notes += [(1, bar * 1920, 1900, int(scale[steps[bar, 0]]) - 24, 80) for bar in range(16)]
        notes += [(2, bar * 1920 + beat * 480, 60, 36 + 2 * (beat % 2), 100) for bar in range(16) for beat in range(4)]
        parts = [Part("Lead", 80), Part("Bass", 33), Part("Drums", 0, is_drum=True)]
        song = Song.make(notes, parts, tempos=[(0, 120.0)], keys=[(0, number, False)], title=f"Tune {number}")
        write_midi(song, folder / f"tune-{number}.mid")
    return folder


def play(out: Path, music: Path, audio: Callable[..., object]) -> DemoResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound, "render_audio", audio)
        options = DemoOptions(minutes=None, steps=2, seed=3, corpus=music, candidates=2, changes=TINY, device="cpu")
        return run_demo(out, options)


def half_a_second(song: Song, sample_rate: int) -> object:
    return np.zeros((sample_rate // 2, 2), np.float32)


@pytest.fixture(scope="module")
def demo(music: Path, tmp_path_factory: pytest.TempPathFactory) -> DemoResult:
    return play(tmp_path_factory.mktemp("demo") / "out", music, half_a_second)


def test_everything_is_written(demo: DemoResult) -> None:
    wanted = {f"{name}.{ending}" for name in NAMES for ending in ("mid", "wav", "mp3", "png")}
    assert {path.name for path in demo.folder.iterdir()} == wanted | {"style.shed", "report.html", "demo.json"}
    assert load_bundle(demo.folder / "style.shed").training["steps"] == 2
    assert not demo.without_sound


def test_clips_have_just_the_bars_that_were_asked_for(demo: DemoResult) -> None:
    assert [read_midi(demo.folder / f"clip-{number}.mid").bars for number in (1, 2, 3)] == [8, 8, 8]
    primer = demo.clips[4].clip.new_from // 1920
    assert primer in (4, 8)
    assert read_midi(demo.folder / "continuation.mid").bars == primer + 16


def test_the_files_parse_back_and_tell_how_they_were_made(demo: DemoResult) -> None:
    for played in demo.clips:
        assert np.array_equal(read_midi(played.midi).notes, played.clip.song.notes)
        settings = json.loads(read_comment(played.midi))
        assert settings["seed"] == 3
        assert settings["sampling"]["temperature"] > 0


def test_the_primer_comes_back_bit_for_bit_and_a_marker_says_where_it_ends(demo: DemoResult, music: Path) -> None:
    clip = demo.clips[4].clip
    source = next(song for song in demo.music.material.held_out if song.title in clip.title)
    song = read_midi(demo.folder / "continuation.mid")
    old = song.notes[song.notes["onset"] < clip.new_from]
    assert np.array_equal(old, primer_of(source).notes)
    assert [(mark.onset, mark.text) for mark in song.markers] == [(clip.new_from, MARK)]
    assert clip.highlight_bar == clip.new_from // 1920 + 1
    assert source.title not in [song.title for song in demo.music.material.songs]


def test_the_report_needs_no_other_file_and_no_network(demo: DemoResult) -> None:
    page = demo.report.read_text("utf-8")
    addresses = re.findall(r"""(?:src|href|srcset)=["']([^"']{0,40})""", page)
    assert len(addresses) >= 12
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert page.count("audio/mpeg") >= 4
    assert "Tune" in page
    assert "woodshed train band MY-FOLDER" in page


def test_figures_of_a_continuation_are_of_its_new_bars_alone(demo: DemoResult) -> None:
    assert [played.metrics.bars for played in demo.clips] == [16, 8, 8, 8, 16]
    facts = json.loads((demo.folder / "demo.json").read_text("utf-8"))
    assert [clip["metrics"]["bars"] for clip in facts["clips"]] == [16, 8, 8, 8, 16]
    assert facts["training"]["steps"] == 2


def test_the_same_seed_gives_the_same_bytes_and_without_a_soundfont_all_but_the_sound_is_there(
    demo: DemoResult, music: Path, tmp_path: Path
) -> None:
    def no_font(song: Song, sample_rate: int) -> object:
        raise MissingDependency("no SoundFont was found")

    again = play(tmp_path / "again", music, no_font)
    assert again.without_sound == "no SoundFont was found"
    for name in NAMES:
        assert (again.folder / f"{name}.mid").read_bytes() == (demo.folder / f"{name}.mid").read_bytes()
        assert (again.folder / f"{name}.png").exists()
        assert not (again.folder / f"{name}.wav").exists()
    assert "<audio" not in again.report.read_text("utf-8")


def test_ctrl_c_while_it_practises_ends_that_and_goes_on(music: Path, tmp_path: Path) -> None:
    def press(event: object) -> None:
        if getattr(event, "kind", "") == "step":
            raise KeyboardInterrupt

    options = DemoOptions(minutes=5.0, seed=3, corpus=music, candidates=1, changes=TINY, device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound, "render_audio", half_a_second)
        result = run_demo(tmp_path / "out", options, listener=DemoListener(Listener(on_event=press)))
    assert result.outcome.reason == "interrupted"
    assert len(result.clips) == len(NAMES)
    assert result.report.exists()


def test_an_earlier_demo_is_replaced_only_when_told_and_other_things_never(demo: DemoResult, tmp_path: Path) -> None:
    with pytest.raises(OutputExists, match="--force"):
        run_demo(demo.folder, DemoOptions())
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExists, match="choose another"):
        run_demo(tmp_path, DemoOptions(), force=True)


def test_without_any_music_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> Path:
        raise MissingDependency("music21 is missing; name a folder with --corpus")

    monkeypatch.setenv("WOODSHED_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(classics, "music21_scores", nothing)
    with pytest.raises(MissingDependency, match="--corpus"):
        run_demo(tmp_path / "out", DemoOptions())
    assert not (tmp_path / "out").exists()


def test_band_music_that_was_fetched_comes_before_the_quartets(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "band").mkdir()
    (tmp_path / "band" / "freedoom").symlink_to(music)
    monkeypatch.setenv("WOODSHED_DATA", str(tmp_path))
    monkeypatch.setattr(demo_music, "is_downloaded", lambda name, folder: name == "freedoom" and folder == tmp_path)
    found = demo_music.open_demo_music(None, tmp_path / "work")
    assert found.title == "Freedoom"
    assert found.material.licences[0] == "BSD-3-Clause"
    assert {song.title for song in found.material.songs} <= {f"Tune {number}" for number in range(5)}


def test_a_part_keeps_to_the_range_and_the_number_of_notes_at_once_that_it_has_in_the_song(band_song: Song) -> None:
    found = manners(band_song, Key.parse("E minor"))
    assert found.pitch_ranges[1] == (40, 52)
    assert found.polyphony == {1: 1, 2: 2}
    assert 0 not in found.pitch_ranges


def test_a_minor_key_takes_the_scale_that_holds_most_of_the_notes() -> None:
    notes = [(0, 480 * i, 480, pitch, 90) for i, pitch in enumerate((57, 59, 60, 62, 64, 65, 68, 69))]
    song = Song.make(notes, [Part("Lead", 80)], keys=[(0, 9, True)])
    assert key_of(song) == Key(9, "harmonic minor")


def test_a_fifth_is_consonant_a_second_is_not_and_a_lone_note_rubs_against_nothing() -> None:
    def chord(*pitches: int) -> Song:
        return Song.make([(0, 0, 1920, pitch, 90) for pitch in pitches], [Part("Keys", 0)])

    assert consonance(chord(60, 67)) == 1
    assert consonance(chord(60, 61)) == 0
    assert consonance(chord(60, 66)) == 0
    assert consonance(chord(60, 61, 67)) == pytest.approx(1 / 3)
    assert consonance(chord(60, 72)) == 1


def test_a_clip_is_at_home_when_its_lowest_last_note_is_the_tonic() -> None:
    song = Song.make([(0, 0, 480, 67, 90), (0, 480, 480, 48, 90), (0, 480, 480, 64, 90)], [Part("Keys", 0)])
    assert ends_at_home(song, Key.parse("C major"))
    assert not ends_at_home(song, Key.parse("G major"))


def test_real_music_is_less_strange_than_one_note_hammered(band_song: Song) -> None:
    real = RealMusic.of([band_song], [], bars=2)
    hammered = Song.make([(2, i * 120, 120, 52, 90) for i in range(128)], band_song.parts)
    assert real.strangeness(band_song.slice_bars(0, 2)) < real.strangeness(hammered)

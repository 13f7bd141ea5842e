"""Piano rolls: pictures and terminal text."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from woodshed.errors import FileError, LimitExceeded, OutOfRange, UnknownName
from woodshed.formats import write_midi
from woodshed.music import NOTE, Part, Song
from woodshed.rendering.piano_roll import draw_piano_roll, piano_roll_svg
from woodshed.rendering.text_roll import piano_roll_text


def image_of(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return np.asarray(imread(path))


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_each_kind_of_picture_is_written_whole(band_song: Song, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"roll{suffix}"
    draw_piano_roll(band_song, path)
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(start)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_a_song_drawn_twice_is_the_same_bytes(band_song: Song, tmp_path: Path, suffix: str) -> None:
    for name in ("first", "second"):
        draw_piano_roll(band_song, tmp_path / f"{name}{suffix}")
    first = (tmp_path / f"first{suffix}").read_bytes()
    assert first == (tmp_path / f"second{suffix}").read_bytes()
    assert b"CreationDate" not in first
    assert b"dc:date" not in first
    assert piano_roll_svg(band_song) == piano_roll_svg(band_song)


def test_another_process_draws_the_same_bytes(band_song: Song, tmp_path: Path) -> None:
    write_midi(band_song, tmp_path / "song.mid")
    draw = (
        "from woodshed.formats import read_midi; from woodshed.rendering.piano_roll import piano_roll_svg; "
        f"print(piano_roll_svg(read_midi({str(tmp_path / 'song.mid')!r})))"
    )
    drawn = [subprocess.run([sys.executable, "-c", draw], capture_output=True, check=True).stdout for _ in range(2)]
    assert drawn[0].startswith(b"<svg")
    assert drawn[0] == drawn[1]


def test_the_guitar_shows_in_its_own_colour(band_song: Song, tmp_path: Path) -> None:
    draw_piano_roll(band_song, tmp_path / "roll.png")
    pixels = image_of(tmp_path / "roll.png")[..., :3]
    orange = np.array([0xD5, 0x5E, 0x00]) / 255.0  # the second pitched part
    assert (np.abs(pixels - orange).max(axis=-1) < 0.2).mean() > 0.005


def test_soft_notes_are_paler(tmp_path: Path) -> None:
    for velocity in (20, 120):
        song = Song.make([(0, 0, 1920, 60, velocity)], [Part("Piano")])
        draw_piano_roll(song, tmp_path / f"{velocity}.png")
    soft, loud = (image_of(tmp_path / f"{velocity}.png")[..., :3].mean() for velocity in (20, 120))
    assert soft > loud


def test_a_picture_may_hold_several_songs_and_a_highlight(band_song: Song, tmp_path: Path) -> None:
    draw_piano_roll([band_song] * 3, tmp_path / "three.png", title="Clips", titles=["one", "two", "three"])
    draw_piano_roll(band_song, tmp_path / "one.png", highlight_bar=3, style="dark")
    assert image_of(tmp_path / "three.png").shape[0] > 2 * image_of(tmp_path / "one.png").shape[0]


def test_songs_without_notes_or_with_drums_only_are_drawn(band_song: Song, tmp_path: Path) -> None:
    drums = band_song.with_notes(band_song.notes[band_song.notes["part"] == 0])
    draw_piano_roll(drums, tmp_path / "drums.png")
    draw_piano_roll(Song(), tmp_path / "empty.png")
    assert (tmp_path / "drums.png").exists()
    assert (tmp_path / "empty.png").exists()


def test_odd_names_do_not_break_the_picture(tmp_path: Path) -> None:
    song = Song.make([(0, 0, 480, 60, 90)], [Part("$x^$ <b>\x07" + "long " * 30)], title="a $ & < \x00 怒りの歌 b")
    ElementTree.fromstring(piano_roll_svg(song))
    draw_piano_roll(song, tmp_path / "odd.png")


def test_bars_select_what_is_shown(band_song: Song) -> None:
    part, whole = piano_roll_svg(band_song, bars=(2, 3)), piano_roll_svg(band_song)
    assert len(part) < len(whole)


@pytest.mark.parametrize("bars", [(0, 2), (3, 2), (1, 5)])
def test_bars_that_do_not_exist_are_named(band_song: Song, tmp_path: Path, bars: tuple[int, int]) -> None:
    with pytest.raises(OutOfRange, match="1-4 of Four Bars"):
        draw_piano_roll(band_song, tmp_path / "roll.png", bars=bars)


def test_more_bars_than_can_be_seen_are_refused_unless_some_are_chosen(tmp_path: Path) -> None:
    song = Song.make([(0, 0, 480, 60, 90)], [Part()], length=5000 * 1920, title="Long")
    with pytest.raises(LimitExceeded, match="MOST_BARS"):
        draw_piano_roll(song, tmp_path / "roll.png")
    draw_piano_roll(song, tmp_path / "roll.png", bars=(1, 8))


def test_unknown_suffix_and_style_are_named(band_song: Song, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"\.png, \.svg, \.pdf"):
        draw_piano_roll(band_song, tmp_path / "roll.bmp")
    with pytest.raises(UnknownName, match="light, dark"):
        draw_piano_roll(band_song, tmp_path / "roll.png", style="sepia")


def test_a_missing_folder_is_one_line(band_song: Song, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="nowhere"):
        draw_piano_roll(band_song, tmp_path / "nowhere" / "roll.png")


def test_a_failure_leaves_the_old_picture_alone(
    band_song: Song, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    path = tmp_path / "roll.png"
    path.write_bytes(b"old")

    def full_disk(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full_disk)
    with pytest.raises(FileError, match="No space left"):
        draw_piano_roll(band_song, path)
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["roll.png"]


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_the_terminal_roll_fits_its_width_and_names_parts_and_drums(band_song: Song) -> None:
    text = piano_roll_text(band_song, width=80, height=10)
    rows = plain(text).splitlines()
    assert max(map(len, rows)) <= 80
    assert any(row.strip().startswith("snare") for row in rows)
    assert "Guitar" in rows[-1]
    assert rows[0].split() == ["1", "2", "3", "4"]


def test_without_colour_there_are_no_escapes_and_the_same_shape(band_song: Song) -> None:
    bare = piano_roll_text(band_song, width=60, colour=False)
    assert "\x1b" not in bare
    assert len(bare.splitlines()) == len(piano_roll_text(band_song, width=60).splitlines())


def test_the_terminal_roll_puts_a_note_where_it_sounds() -> None:
    song = Song.make([(0, 960, 480, 60, 90)], [Part("Piano")], length=1920)
    row = next(line for line in piano_roll_text(song, width=54, colour=False).splitlines() if "▀" in line)
    assert (row.index("▀"), row.rindex("▀")) == (14 + 20, 14 + 29)


def test_wide_ranges_and_empty_songs_fit_the_terminal() -> None:
    wide = Song.make([(0, pitch * 10, 10, pitch, 90) for pitch in range(128)], [Part()])
    assert len(piano_roll_text(wide, width=60, height=8).splitlines()) <= 10
    assert piano_roll_text(Song(), width=60)


def test_a_terminal_too_small_is_named(band_song: Song) -> None:
    with pytest.raises(OutOfRange, match="40 columns"):
        piano_roll_text(band_song, width=10)


def test_ten_thousand_notes_become_one_collection(tmp_path: Path) -> None:
    rows = np.zeros(10_000, NOTE)
    rows["onset"], rows["duration"] = np.arange(10_000) * 60, 60
    rows["pitch"], rows["velocity"] = 40 + np.arange(10_000) % 40, 90
    draw_piano_roll(Song.make(rows, [Part("Piano")]), tmp_path / "long.png")
    assert image_of(tmp_path / "long.png").shape[1] < 4000


def test_markers_are_written_where_there_is_room_for_them() -> None:
    from woodshed.music import Marker

    notes = [(0, 480 * beat, 480, 60, 90) for beat in range(32)]
    texts = (
        Marker(0, "Intro"),
        Marker(1920, "solo in $F$ minor"),
        Marker(11520, "crowded"),
        Marker(11600, "Outro by all"),
    )
    song = Song.make(notes, [Part("Lead", 30)], markers=texts)
    drawn = piano_roll_svg(song)
    for text in ("Intro", "minor", "Outro"):
        assert f"<!-- {text}" in drawn or text in drawn
    assert "crowded" not in drawn

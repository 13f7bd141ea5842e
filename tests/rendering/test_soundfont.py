"""SoundFonts: reading, damage, and where they are looked for."""

from __future__ import annotations

import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from woodshed.errors import FileError, FormatError, MissingDependency
from woodshed.rendering import soundfont
from woodshed.rendering.soundfont import find_soundfont, read_soundfont


def test_a_preset_leads_to_its_sample_and_loop(tiny_font: Path, builder: ModuleType) -> None:
    font = read_soundfont(tiny_font)
    (region,) = font.regions(0, 0)
    wave, loop_start, loop_end = font.wave(region)
    np.testing.assert_array_equal(wave, builder.sine())
    assert (loop_start, loop_end) == (100, 8700)
    assert region[soundfont.SCALE_TUNING] == 100
    assert region[soundfont.VOLUME_ENVELOPE] == -12000


def test_ranges_say_which_notes_a_region_answers(tiny_font: Path) -> None:
    closed, opened = read_soundfont(tiny_font).regions(128, 0)
    assert (closed.answers(42, 1), closed.answers(46, 100), opened.answers(46, 127)) == (True, False, True)


def test_missing_banks_and_programs_fall_back(tiny_font: Path) -> None:
    font = read_soundfont(tiny_font)
    assert font.regions(8, 0) is font.regions(0, 0)
    assert font.regions(0, 77) is font.regions(0, 0)
    assert font.regions(128, 25) is font.regions(128, 0)


def test_the_global_zone_and_the_preset_add_up(builder: ModuleType, tmp_path: Path) -> None:
    upper, lower = {soundfont.ATTENUATION: 30, soundfont.PAN: -100}, {soundfont.ATTENUATION: 50, soundfont.SAMPLE_OF: 0}
    region = soundfont._region(upper, lower)
    assert (region[soundfont.ATTENUATION], region[soundfont.PAN]) == (80, -100)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 0.6, 0.9, 0.97, 0.995])
def test_a_font_cut_short_is_named_as_damaged(tiny_font: Path, tmp_path: Path, share: float) -> None:
    content = tiny_font.read_bytes()
    path = tmp_path / "cut.sf2"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FormatError, match=r"cut\.sf2"):
        read_soundfont(path)


def test_an_empty_file_and_a_text_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.sf2").touch()
    (tmp_path / "text.sf2").write_text("this is not a SoundFont at all")
    with pytest.raises(FileError, match="empty"):
        read_soundfont(tmp_path / "empty.sf2")
    with pytest.raises(FormatError, match="not a SoundFont"):
        read_soundfont(tmp_path / "text.sf2")
    with pytest.raises(FileError, match=r"gone\.sf2"):
        read_soundfont(tmp_path / "gone.sf2")


def test_pointers_out_of_range_are_named(tiny_font: Path, tmp_path: Path) -> None:
    content = bytearray(tiny_font.read_bytes())
    bag = content.index(b"ibag") + 8
    content[bag : bag + 2] = struct.pack("<H", 60000)
    (tmp_path / "bad.sf2").write_bytes(content)
    with pytest.raises(FormatError, match=r"ibag.*row 0.*60000"):
        read_soundfont(tmp_path / "bad.sf2")


def test_any_single_damaged_byte_is_survived_or_named(tiny_font: Path, tmp_path: Path) -> None:
    content = tiny_font.read_bytes()
    rng = np.random.default_rng(5)
    tables = content.index(b"pdta")
    for place in rng.integers(0, len(content) - tables, 150) + tables:
        broken = bytearray(content)
        broken[place] = int(rng.integers(256))
        (tmp_path / "b.sf2").write_bytes(broken)
        try:
            font = read_soundfont(tmp_path / "b.sf2")
            for region in font.regions(0, 0) + font.regions(128, 0):
                font.wave(region)
        except FormatError:
            pass


def test_compressed_samples_sound_like_the_plain_ones(builder: ModuleType, tmp_path: Path) -> None:
    import soundfile

    wave = builder.sine(seconds=0.5)
    soundfile.write(tmp_path / "wave.ogg", wave, builder.RATE, format="OGG", subtype="VORBIS")
    ogg = (tmp_path / "wave.ogg").read_bytes()
    plain = builder.build_soundfont([builder.Preset(0, 0, [builder.Zone(0, {54: 1})])], [wave])
    path = tmp_path / "tiny.sf3"
    path.write_bytes(compressed(plain, ogg))
    font = read_soundfont(path)
    decoded, loop_start, _ = font.wave(font.regions(0, 0)[0])
    assert font.is_compressed
    assert loop_start == 100
    assert np.corrcoef(decoded[: len(wave)], wave)[0, 1] > 0.99


def compressed(plain: bytes, ogg: bytes) -> bytes:
    """The font with its one sample replaced by an Ogg Vorbis stream."""
    smpl = plain.index(b"smpl")
    (size,) = struct.unpack("<I", plain[smpl + 4 : smpl + 8])
    rest = bytearray(plain[smpl + 8 + size :])
    header = rest.index(b"shdr") + 8
    start, _, loop_start, loop_end = struct.unpack("<IIII", rest[header + 20 : header + 36])
    rest[header + 20 : header + 36] = struct.pack("<IIII", 0, len(ogg), loop_start - start, loop_end - start)
    rest[header + 44 : header + 46] = struct.pack("<H", 0x11)
    ogg += bytes(len(ogg) % 2)
    body = bytearray(plain[:smpl] + b"smpl" + struct.pack("<I", len(ogg)) + ogg + bytes(rest))
    sdta = body.index(b"sdta") - 8
    body[sdta + 4 : sdta + 8] = struct.pack("<I", len(ogg) + 12)
    body[4:8] = struct.pack("<I", len(body) - 8)
    return bytes(body)


def test_the_font_named_by_the_environment_comes_first(tiny_font: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WOODSHED_SOUNDFONT", str(tiny_font))
    assert find_soundfont() == tiny_font
    monkeypatch.setenv("WOODSHED_SOUNDFONT", str(tiny_font) + ".gone")
    with pytest.raises(FileError, match="WOODSHED_SOUNDFONT"):
        find_soundfont()


def test_the_bundled_font_comes_before_the_usual_places(
    tiny_font: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WOODSHED_SOUNDFONT", raising=False)
    (tmp_path / "other.sf2").write_bytes(tiny_font.read_bytes())
    monkeypatch.setattr(soundfont, "PLACES", (str(tmp_path),))
    monkeypatch.setattr(soundfont, "BUNDLED", tiny_font.parent)
    assert find_soundfont() == tiny_font
    monkeypatch.setattr(soundfont, "BUNDLED", tmp_path / "none")
    assert find_soundfont() == tmp_path / "other.sf2"


def test_without_any_font_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WOODSHED_SOUNDFONT", raising=False)
    monkeypatch.setattr(soundfont, "PLACES", ())
    monkeypatch.setattr(soundfont, "BUNDLED", tmp_path)
    with pytest.raises(MissingDependency, match="WOODSHED_SOUNDFONT"):
        find_soundfont()

"""What bad input gets: one line that names the thing and the remedy, exit code 1 or 2, and nothing half-written."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from woodshed.cli.app import run

Refuses = Callable[..., str]


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_with_no_music(refuses: Refuses, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no music")
    line = refuses(1, "train", "band", tmp_path / "empty", "-o", tmp_path / "B", "--steps", 1)
    assert "empty" in line
    assert "MIDI or MusicXML" in line
    assert not (tmp_path / "B").exists()
    assert "empty" in refuses(1, "doctor", tmp_path / "empty")
    assert "empty" in refuses(1, "corpus", "build", tmp_path / "empty", "-o", tmp_path / "C")
    assert not (tmp_path / "C").exists()


def test_a_folder_that_is_not_there(refuses: Refuses, tmp_path: Path) -> None:
    assert "nowhere does not exist" in refuses(1, "train", "band", tmp_path / "nowhere", "-o", tmp_path / "B")
    assert not (tmp_path / "B").exists()


def test_one_song_only_trains_and_warns_that_nothing_is_held_out(
    woodshed: Callable[..., Any], music_folder: Path, tmp_path: Path
) -> None:
    tiny = ("--set", "size=tiny", "--steps", 2)
    said = woodshed("train", "band", music_folder / "song-0.mid", "-o", tmp_path / "B", *tiny)
    assert said.code == 0, said.err
    assert "nothing could be held out" in said.err
    assert "no held-out songs" in said.out


def test_all_files_broken(refuses: Refuses, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for number in range(3):
        (broken / f"{number}.mid").write_bytes(b"MThd" + bytes([number]))
    line = refuses(1, "train", "band", broken, "-o", tmp_path / "B")
    assert "no usable music in 3 files" in line
    assert not (tmp_path / "B").exists()


def test_a_text_file_named_mid(refuses: Refuses, tiny_bundle: Path, tmp_path: Path) -> None:
    text = tmp_path / "letter.mid"
    text.write_text("Dear reader, this is no music. " * 20)
    out = tmp_path / "out.mid"
    assert "letter.mid" in refuses(1, "continue", tiny_bundle, text, "-o", out)
    assert "letter.mid" in refuses(1, "generate", tiny_bundle, "--primer", text, "-o", out)
    assert "letter.mid" in refuses(1, "render", text, "-o", tmp_path / "out.png")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.mid"]


def test_the_doctor_tells_which_file_is_no_music(woodshed: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "letter.mid").write_text("Dear reader, this is no music. " * 20)
    said = woodshed("doctor", tmp_path)
    assert said.code == 1
    assert "letter.mid" in said.out
    assert said.err.startswith("error: none of 1 file is usable")


def test_a_folder_without_read_permission(refuses: Refuses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and allowed(path, mode))
    line = refuses(1, "train", "band", closed, "-o", tmp_path / "B")
    assert "closed may not be read; change its permissions" in line
    assert not (tmp_path / "B").exists()


def test_an_output_folder_without_write_permission(
    refuses: Refuses, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", closed)
    line = refuses(1, "generate", tiny_bundle, "-o", tmp_path / "there" / "x.mid", "--bars", 1, "--candidates", 1)
    assert "permission denied; change the permissions or choose another place" in line


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_while_training_keeps_what_was_there(
    refuses: Refuses, own_bundle: Path, music_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("model.safetensors", "config.json", "README.md")
    before = {name: (own_bundle / name).read_bytes() for name in names}
    monkeypatch.setattr(os, "fsync", full_disk)
    tiny = ("--set", "size=tiny", "--steps", 2)
    line = refuses(1, "train", "band", music_folder, "-o", own_bundle, "--force", *tiny)
    assert "space" in line
    assert {name: (own_bundle / name).read_bytes() for name in names} == before
    assert not [path for path in own_bundle.rglob("*") if path.suffix == ".tmp"]


def test_a_full_disk_while_writing_a_clip_leaves_none(
    refuses: Refuses, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "x.mid"
    out.write_bytes(b"the old one")
    monkeypatch.setattr(os, "replace", full_disk)
    monkeypatch.setattr(Path, "replace", full_disk)
    line = refuses(1, "generate", tiny_bundle, "-o", out, "--bars", 1, "--candidates", 1, "--force")
    assert "x.mid" in line
    assert everything(tmp_path) == {"x.mid": b"the old one"}


def test_an_output_that_exists_is_not_replaced(
    refuses: Refuses, own_bundle: Path, music_folder: Path, tmp_path: Path
) -> None:
    before = everything(tmp_path)
    line = refuses(2, "train", "band", music_folder, "-o", own_bundle)
    assert "--resume" in line
    assert "--force" in line
    assert everything(tmp_path) == before
    for name in ("x.mid", "x.png"):
        (tmp_path / name).write_text("mine")
    assert "--force" in refuses(2, "generate", own_bundle, "-o", tmp_path / "x.mid")
    assert "--force" in refuses(2, "render", music_folder / "song-0.mid", "-o", tmp_path / "x.png")
    assert everything(tmp_path) == before | {"x.mid": b"mine", "x.png": b"mine"}


def test_a_folder_that_is_no_bundle_is_never_replaced(refuses: Refuses, music_folder: Path) -> None:
    before = everything(music_folder)
    assert "is no bundle" in refuses(2, "train", "band", music_folder, "-o", music_folder, "--force")
    assert everything(music_folder) == before


def test_a_bundle_from_a_newer_version(refuses: Refuses, own_bundle: Path, tmp_path: Path) -> None:
    config = json.loads((own_bundle / "config.json").read_text())
    config |= {"format": 99, "woodshed_version": "9.9"}
    (own_bundle / "config.json").write_text(json.dumps(config))
    line = refuses(1, "generate", own_bundle, "-o", tmp_path / "x.mid")
    assert "9.9" in line
    assert "pip install --upgrade woodshed" in line


def test_a_folder_that_is_no_bundle(refuses: Refuses, music_folder: Path, tmp_path: Path) -> None:
    assert "is not a bundle" in refuses(1, "generate", music_folder, "-o", tmp_path / "x.mid")
    assert "does not exist" in refuses(1, "evaluate", tmp_path / "nowhere", music_folder)
    (tmp_path / "empty").mkdir()
    assert "holds no bundle and no music" in refuses(1, "evaluate", tmp_path / "empty", music_folder)
    song = next(music_folder.rglob("*.mid"))
    told = refuses(1, "generate", song, "-o", tmp_path / "x.mid")
    assert f"{song.name} is a file, and a bundle is a folder that `woodshed train` writes" in told


def test_a_truncated_model_file(refuses: Refuses, own_bundle: Path, tmp_path: Path) -> None:
    model = own_bundle / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-100])
    line = refuses(1, "generate", own_bundle, "-o", tmp_path / "x.mid")
    assert "model.safetensors is truncated or damaged" in line
    assert not (tmp_path / "x.mid").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--temperature", "-1"), ("temperature -1", "0-5")),
        (("--temperature", "warm"), ("'warm' is no number",)),
        (("--temperature", "pitsch=1"), ("'pitsch'", "pitch")),
        (("--range", "bass"), ("part=lowest-highest", "bass=E1-G2")),
        (("--range", "bass=G2-E1"), ("lowest pitch lies above",)),
        (("--range", "bass=E1-G20"), ("'G20' is not a pitch",)),
        (("--range", "drums=0-10"), ("no pitched part", "there is")),
        (("--top-p", "1.5"), ("top-p 1.5",)),
        (("--bars", "0"), ("bars 0", "1-4096")),
        (("--bars", "many"), ("--bars", "integer", "woodshed generate --help")),
        (("--key", "H minor"), ("'H minor'", "A-G")),
        (("--key", ""), ("key",)),
        (("--tempo", "0"), ("tempo 0", "10-1000")),
        (("--meter", "4"), ("'4'", "4/4")),
        (("--meter", "4/5"), ("4/5",)),
        (("--parts", "kazoo"), ("'kazoo'", "did you mean")),
        (("--parts", "violin"), ("Violin", "Drums")),
        (("--parts", " , "), ("--parts",)),
        (("--polyphony", "0"), ("polyphony 0", "1-128")),
        (("--count", "0"), ("count 0",)),
        (("--candidates", "0"), ("candidates 0",)),
        (("--seed", "-1"), ("seed -1",)),
        (("--audio", "aiff"), ("'aiff'", "wav")),
        (("--picture", "bmp"), ("'bmp'", "png")),
        (("--no-such-option",), ("--no-such-option",)),
    ],
)
def test_a_wish_that_cannot_be(
    refuses: Refuses, tiny_bundle: Path, tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    line = refuses(2, "generate", tiny_bundle, "-o", tmp_path / "x.mid", *options)
    for word in words:
        assert word in line
    assert not list(tmp_path.iterdir())


def test_an_output_that_is_no_midi_file(refuses: Refuses, tiny_bundle: Path, tmp_path: Path) -> None:
    assert "x.wav does not end in .mid" in refuses(2, "generate", tiny_bundle, "-o", tmp_path / "x.wav")


def test_rendering_as_what_there_is_not(refuses: Refuses, music_folder: Path, tmp_path: Path) -> None:
    line = refuses(2, "render", music_folder / "song-0.mid", "-o", tmp_path / "x.gp5")
    assert "'.gp5'; the ending is one of wav" in line


def test_a_recipe_that_there_is_not(refuses: Refuses, music_folder: Path, tmp_path: Path) -> None:
    assert "did you mean band" in refuses(2, "train", "bandd", music_folder, "-o", tmp_path / "B")
    line = refuses(2, "train", "band", music_folder, "-o", tmp_path / "B", "--set", "training.learnin_rate=1")
    assert "did you mean training.learning_rate" in line
    line = refuses(2, "train", "band", music_folder, "-o", tmp_path / "B", "--minutes", "0")
    assert "minutes 0" in line
    assert not (tmp_path / "B").exists()


def test_a_command_that_there_is_not(refuses: Refuses) -> None:
    assert "'genrate'" in refuses(2, "genrate")
    assert "Missing" in refuses(2, "train")


def test_a_mistake_of_ours_is_one_line_unless_asked(
    refuses: Refuses, music_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistake(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("woodshed.recipes.files.read_song", mistake)
    line = refuses(1, "render", music_folder / "song-0.mid")
    assert "ZeroDivisionError: division by zero" in line
    assert "WOODSHED_DEBUG=1" in line
    monkeypatch.setenv("WOODSHED_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(["render", str(music_folder / "song-0.mid")])


def test_ctrl_c_while_playing_leaves_no_file(
    refuses: Refuses, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("woodshed.recipes.bands.answers", stop)
    assert "interrupted" in refuses(1, "generate", tiny_bundle, "-o", tmp_path / "x.mid")
    assert not list(tmp_path.iterdir())
